/* The scripts that the simulator plays, and what must hold at their end. */
#ifndef TESTS_SIM_SCRIPT_H
#define TESTS_SIM_SCRIPT_H

#include "tests/sim/world.h"

struct script_options {
	uint64_t seed;
	bool verbose;
	uint32_t payments;     /* each way */
	int crash_node;        /* -1: nobody */
	uint64_t crash_after;  /* effects of that node's first life */
	uint32_t crash_one_in; /* random: a node dies with one of so many steps; 0: never */
	uint32_t cut_one_in;   /* a link breaks with one of so many messages; 0: never */
	bool slow_signer;      /* it answers late and out of order */
	bool static_remotekey; /* else anchors */
	bool memo;             /* the nodes remember what they computed and work ahead: nothing else may differ */
	bool fees;             /* the network's fee rates move */
	bool concurrent;       /* all payments at once, else one after another */
};

struct script_result {
	uint64_t effects[WORLD_NODES]; /* released by each node */
	uint64_t steps, crashes, virtual_ms;
	uint32_t paid, failed;
	uint64_t digest; /* of both stores: equal for equal seeds */
};

/* Opens a channel, pays both ways with some that fail, closes.  Aborts with the seed if anything is not as it must be. */
struct script_result script_run(const struct script_options *o);

#endif
