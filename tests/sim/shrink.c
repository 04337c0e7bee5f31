#include "tests/sim/shrink.h"

#include <stdio.h>

/* A run with fewer steps of unrest is not a part of a run with more, because rest follows: so whether it fails need not
 * grow with the steps, and bisection finds a local shortest one. */
uint64_t shrink(const struct job *job, char *why, size_t why_size)
{
	struct job j = *job;
	uint64_t good = 0, bad = job->o.steps;
	struct job_result r;

	j.quiet = true;
	while (good + 1 < bad) {
		j.o.steps = good + (bad - good) / 2;
		if (pool_one(&j, &r)) {
			good = j.o.steps;
		} else {
			bad = j.o.steps;
			snprintf(why, why_size, "%s", r.why);
		}
	}
	return bad;
}
