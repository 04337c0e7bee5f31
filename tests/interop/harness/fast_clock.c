/* Preloaded into a program whose patience is longer than a test's: its monotonic clock runs FAST_CLOCK times as fast, and
 * so do its waits for descriptors, which are reckoned by that clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

static long factor(void)
{
	const char *text = getenv("FAST_CLOCK");
	const long n = text ? strtol(text, NULL, 10) : 1;

	return n > 1 ? n : 1;
}

int clock_gettime(clockid_t which, struct timespec *out)
{
	static int (*real)(clockid_t, struct timespec *);
	const long n = factor();
	int result;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	result = real(which, out);
	if (result == 0 && which == CLOCK_MONOTONIC) {
		const long nanoseconds = out->tv_nsec * n;

		out->tv_sec = out->tv_sec * n + nanoseconds / 1000000000;
		out->tv_nsec = nanoseconds % 1000000000;
	}
	return result;
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);

	if (!real)
		real = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
	/* Not less than the wait that is asked for: rounded up. */
	return real(fd, events, count, timeout > 0 ? (int)((timeout + factor() - 1) / factor()) : timeout);
}
