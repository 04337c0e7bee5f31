/* Rogues: nodes of a random run that belong to attackers, who do whatever comes to their minds. */
#ifndef TESTS_SIM_ROGUE_H
#define TESTS_SIM_ROGUE_H

#include "tests/sim/adversary.h"
#include "tests/sim/workload.h"

struct rogues;

/* The last nodes of the run become rogues, as many as the mood says. */
struct rogues *rogues_new(struct play *p, const struct mood *m);
void rogues_free(struct rogues *r);
/* They strike no more: they are deaf and dumb, and what they hold is out.  The users of honest nodes end their channels
 * with them, and everything comes to its end in the chain. */
void rogues_rest(struct rogues *r);

#endif
