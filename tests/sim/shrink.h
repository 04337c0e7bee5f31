/* The shortest prefix of a random run that still fails. */
#ifndef TESTS_SIM_SHRINK_H
#define TESTS_SIM_SHRINK_H

#include "tests/sim/pool.h"

/* `job` fails.  Returns the steps of unrest of the shortest failing run that bisection finds; why: its words. */
uint64_t shrink(const struct job *job, char *why, size_t why_size);

#endif
