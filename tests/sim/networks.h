/* Many networks that trade, one after the other, and what they came to together. */
#ifndef TESTS_SIM_NETWORKS_H
#define TESTS_SIM_NETWORKS_H

#include "tests/sim/pool.h"

#define NETWORK_PAYMENTS_USUAL 1000u

struct networks_options {
	uint64_t seed, count;  /* seeds seed, seed + 1, ... */
	uint64_t steps;        /* of unrest, at most */
	uint32_t payments;     /* wished for in each */
	uint32_t jobs;         /* at once */
	bool verbose;
	const char *tally;     /* a file; NULL: none */
};

/* Says what came of each as it ends, and a table of all.  The first failure ends it: its seed is said, and no other network
 * is begun.  With a tally those that are in it are not played again, but summed up; those that pass are added, each with one
 * write, so that two processes may share one. */
void networks_play(const struct networks_options *o, uint32_t *passed, uint32_t *failed);

#endif
