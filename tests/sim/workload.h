/* Unrest: what users want, what the chain does and what breaks, all drawn from the seed. */
#ifndef TESTS_SIM_WORKLOAD_H
#define TESTS_SIM_WORKLOAD_H

#include "tests/sim/play.h"

/* What kind of run a seed is. */
struct mood {
	uint32_t nodes;
	uint32_t static_nodes;   /* a bit for each node that knows no anchors */
	bool slow_signer, away_signer, slow_disk, bad_disk, crashes, cuts, stalls, fees, reorgs, force_closes, restarts, memo;
	bool spikes;             /* miners ask for more than estimates said, for some blocks */
	bool partings;           /* two nodes cannot reach one another for so long that HTLCs force their channels */
	bool standstills;        /* nobody finds a block for hours, now and then */
	bool policies;           /* nodes change what they ask for forwarding */
	bool keysend;
	bool gossip;             /* nodes tell one another of the network */
	uint64_t gossip_dead_max; /* in their logs of it */
	uint32_t pruned;         /* a bit for each node whose chain source knows only some blocks */
	bool end_open;           /* channels are left open at the end */
	uint32_t rogues;         /* nodes that belong to attackers */
	bool trades;             /* channels by a plan, and payments all the time (trade.h) */
	uint32_t at_once;        /* of them under way */
	uint32_t action_ms, block_ms; /* means */
	uint32_t fault_ms;       /* between two faults, at most */
};

/* trades: a network of 3 to 8 nodes that pays a lot. */
struct mood mood_of(uint64_t seed, bool trades);

struct unrest;

struct unrest *unrest_new(struct play *p, const struct mood *m); /* sets the nodes up and begins */
void unrest_free(struct unrest *u);
/* From here on nobody wants anything new and nothing breaks; blocks go on. */
void unrest_end(struct unrest *u);

#endif
