/* Adversaries: nodes whose program is honest, and whose disk, signer, wires and transactions belong to an attacker.
 *
 * What the program wants to do, the attacker may swallow, keep for later or say differently; it may put an old disk
 * back and publish from it; it has coins of its own, and keys for everything that its node has keys for.  So it can
 * do on the wire and in the chain whatever a cheating peer can, without a second Lightning implementation that would
 * have to be right.
 *
 * The honest side knows nothing of it: an attacker reads the honest nodes' memory (the simulator's omniscience) only
 * to know when to strike. */
#ifndef TESTS_SIM_ADVERSARY_H
#define TESTS_SIM_ADVERSARY_H

#include "tests/sim/book.h"

#define ADVERSARY_HELD_MAX 512u
#define ADVERSARY_DISKS_MAX 32u

enum hold {
	HOLD_NOTHING,
	HOLD_CLAIMS,   /* all but what spends a funding output */
	HOLD_ALL,
};

struct adversary {
	struct world *w;
	struct book *b;
	int node;

	/* Its wires. */
	bool mute[SIM_NODES_MAX]; /* nothing comes or goes between it and that node */
	uint16_t withhold;        /* the first message of that type makes it mute to whom it was for; 0: none */
	bool accuse;              /* an error comes instead of its next channel_reestablish, and nothing after it */
	uint32_t lie_one_in;      /* of its channel_reestablish; 0: never */
	uint32_t replay_one_in;   /* of its messages: an old one comes in its place */
	uint32_t fee_one_in;      /* of its update_fee: absurd */
	struct bytes old[64];     /* messages it has sent, owned */
	uint32_t old_count;

	/* Its transactions. */
	enum hold hold;
	struct { struct txid id; struct bytes raw; } held[ADVERSARY_HELD_MAX]; /* owned */
	uint32_t held_count;

	/* Its disk, as it was. */
	struct memory_disk *disks[ADVERSARY_DISKS_MAX];
	uint32_t disk_count;
};

/* Makes that node one: its signer refuses nothing, and checkers of honest nodes leave it out.  Returns owned. */
struct adversary *adversary_new(struct book *b, int node);
void adversary_free(struct adversary *a);

/* --- wires --- */

void adversary_mute_all(struct adversary *a, bool mute);
/* It talks to that node again, over a new connection: what was swallowed is lost. */
void adversary_speak(struct adversary *a, int to);
/* The same, but all that it says is an error for each channel. */
void adversary_accuse(struct adversary *a, int to);

/* --- the disk --- */

/* Remembers it as it is now; returns its number.  The oldest but the first go when there are too many. */
uint32_t adversary_keep_disk(struct adversary *a);
/* It dies, comes back with that disk, deaf and dumb, and publishes every commitment that it then had. */
void adversary_cheat(struct adversary *a, uint32_t disk);
/* Publishes the latest of its commitments with that node, and says no more to it. */
void adversary_publish(struct adversary *a, struct book_channel *c);

/* --- transactions that were held --- */

/* Offers them, oldest first; those that may not enter yet stay. */
void adversary_offer_held(struct adversary *a);
/* The one that spends that output, or NULL. */
const struct tx *adversary_held_spend(const struct adversary *a, const struct outpoint *o, struct arena *memory);

/* --- money of its own: adversary_coins.c --- */

/* A confirmed output of that amount which anybody can spend, and no faucet knows: mines one block. */
struct outpoint adversary_coin(struct adversary *a, struct amount_sat amount);
/* Adds such a coin to a transaction. */
void adversary_add_coin(struct arena *memory, struct tx *t, uint32_t input, const struct outpoint *coin);
/* Where the attacker's money goes. */
struct bytes adversary_script(struct arena *memory);
/* NULL, or why the network does not take it. */
const char *adversary_offer(struct adversary *a, const struct tx *t);
/* Signs input of t as its node's signer would sign `in`; the key is that of channel c. */
struct sig64 adversary_sign(struct adversary *a, struct tx *t, struct spend_input *in);

#endif
