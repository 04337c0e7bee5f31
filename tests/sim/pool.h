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

/* Runs all, at most `jobs` at once; results in the order of the jobs. */
void pool_run(const struct job *list, uint32_t count, uint32_t jobs, struct job_result *out);
/* Just one. */
bool pool_one(const struct job *job, struct job_result *out);

#endif
