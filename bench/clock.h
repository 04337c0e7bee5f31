/* Seconds by the clocks that benchmarks measure with. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <time.h>

static inline double clock_of(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double now(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

/* Of all threads of this process: what a busy machine does besides does not count. */
static inline double cpu(void)
{
	return clock_of(CLOCK_PROCESS_CPUTIME_ID);
}

static inline double thread_cpu(void)
{
	return clock_of(CLOCK_THREAD_CPUTIME_ID);
}

#endif
