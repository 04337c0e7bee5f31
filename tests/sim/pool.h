/* Runs in processes of their own, several at once, so that one that fails leaves the others to go on. */
#ifndef TESTS_SIM_POOL_H
#define TESTS_SIM_POOL_H

#include "tests/sim/play.h"

struct job {
	const struct scenario *scenario; /* NULL: a random run */
	struct play_options o;
	bool faults; /* of a scenario, drawn from its seed */
	bool quiet; /* says nothing: its failure is expected */
};

struct job_result {
	bool good;
	struct play_result r; /* if good */
	char why[400];        /* if not: the last line that it said */
};

/* Hears of each run as it ends, in any order.  False: none is begun any more, and those under way end. */
struct pool_owner {
	void *context;
	bool (*ended)(void *context, uint32_t index, const struct job_result *result);
};

/* Runs all, at most `jobs` at once; results in the order of the jobs.  owner NULL: nobody is told. */
void pool_run(const struct job *list, uint32_t count, uint32_t jobs, struct job_result *out, const struct pool_owner *owner);
/* Just one. */
bool pool_one(const struct job *job, struct job_result *out);
/* Says the words that play it again, and why. */
void pool_say_failure(const struct job *j, const char *why);

#endif
