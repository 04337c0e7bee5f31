/* A crash after each effect of a scripted scenario.
 *
 * The scenario runs once; at each effect of each node the process forks, and in the child that node dies there.  So no
 * run repeats what came before its crash. */
#ifndef TESTS_SIM_CRASH_H
#define TESTS_SIM_CRASH_H

#include "tests/sim/play.h"

struct crash_totals {
	uint32_t passed, failed;
	uint64_t effects, steps, events;
};

/* Prints each failure with the words that replay it.  strides: after every so many effects of each node; 0: never.  False: the run without a
 * crash failed. */
bool crash_everywhere(const struct scenario *s, const struct play_options *o, const uint64_t *strides, uint32_t jobs,
		      struct crash_totals *out);

#endif
