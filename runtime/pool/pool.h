/* Threads that share the loop's work: one for each processor but one.
 *
 * The loop hands out the parts of a job, does parts itself and goes on when all are done.  A thread that does not get
 * a processor takes no part, so on a busy machine the loop never waits for more than the one part that somebody is
 * in.  Threads without work sleep.  One caller at a time. */
#ifndef RUNTIME_POOL_POOL_H
#define RUNTIME_POOL_POOL_H

#include "base/runner.h"

struct pool;

#define POOL_THREADS_MAX 7u

/* How many threads this machine is good for besides the loop. */
uint32_t pool_threads_default(void);
/* With none the caller does it all.  At most POOL_THREADS_MAX.  Returns owned. */
MUST_USE struct pool *pool_new(uint32_t threads);
void pool_free(struct pool *p);
/* Lives as long as the pool. */
const struct runner *pool_runner(const struct pool *p);

#endif
