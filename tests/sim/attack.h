/* What the scripted attacks share: a victim between two attackers.
 *
 *	node 0 "up"  --2,000,000 sat-->  node 1 "victim"  --2,000,000 sat-->  node 2 "down"
 *
 * Up pays down through the victim; both attackers are one person.  At the end every channel of the victim is history,
 * and what it owns is what it owned before, less the fees that it paid to miners: attack_end fails otherwise. */
#ifndef TESTS_SIM_ATTACK_H
#define TESTS_SIM_ATTACK_H

#include "tests/sim/adversary.h"
#include "tests/sim/play.h"

#define UP 0
#define VICTIM 1
#define DOWN 2
#define ATTACK_CHANNEL_SAT 2000000u
#define ATTACK_HTLC_SAT 300000u
#define ATTACK_INVOICES_MAX 8u

struct attack {
	struct play *p;
	struct world *w;
	struct book *b;
	struct adversary *up, *down;
	uint32_t in, out;           /* channels, by their number in the book */
	uint64_t wealth_msat;       /* of the victim, before */
	uint32_t height;            /* then */
	uint32_t wishes[ATTACK_INVOICES_MAX]; /* of the newest order, by their number in the book */
	uint32_t wish_count;
	uint64_t order_sat;
	uint32_t order_parts;
	struct bytes commitments[2]; /* of the victim with up and down, as it published them; owned */
	void *context;              /* of the script */
};

void attack_begin(struct attack *t, struct play *p);
/* What the victim owns counts from here on. */
void attack_measure(struct attack *t);
/* Buries the victim's channels, judges and frees: the victim must have gained so much, or lost nothing. */
void attack_end(struct attack *t, uint64_t gain_msat);

/* Steps until it is so; fails after four hours of virtual time. */
void attack_until(struct attack *t, const char *what, bool (*so)(struct attack *t));
/* Everything that happens in so many milliseconds. */
void attack_wait(struct attack *t, uint64_t ms);
/* One block, and what follows from it. */
void attack_block(struct attack *t, const struct sim_mine *how);
void attack_blocks(struct attack *t, uint32_t count);
/* Blocks until it is so; fails after `most`. */
void attack_blocks_until(struct attack *t, uint32_t most, const char *what, bool (*so)(struct attack *t));

/* Invoices of down and their payment by up over the victim, all at once; each in so many parts of one amount and hash.
 * Ordered again where a crash swallowed it.  Returns once the victim's outgoing HTLCs are in down's commitment. */
void attack_pay(struct attack *t, uint64_t sat, uint32_t invoices, uint32_t parts);
/* The same without the last part of each: down waits for it.  Then the last parts. */
void attack_pay_but_one(struct attack *t, uint64_t sat, uint32_t invoices, uint32_t parts);
void attack_pay_rest(struct attack *t);

/* That attacker publishes its latest commitment of the channel and says no more to the victim; returns once it is in
 * the mempool or a block. */
void attack_publish(struct attack *t, struct adversary *who, uint32_t channel);

/* Down makes the victim publish its own commitment of their channel, by an error, and says no more to it. */
void attack_provoke(struct attack *t);

/* Down spends the victim's HTLC of that invoice, in the victim's commitment, with its preimage: one input and one
 * output, or with a coin of down's beside it and as many outputs as make it that heavy.  The output gets all but the
 * fee.  In the arena. */
struct attack_claim {
	uint32_t invoice;
	uint32_t twin;      /* which of its HTLCs there, if it has several; in the order of outputs */
	bool has_coin;
	struct outpoint coin;
	struct amount_sat coin_amount, fee;
	uint32_t outputs;
};
struct tx *attack_claim_make(struct attack *t, struct arena *memory, const struct attack_claim *c);
/* That HTLC's output; false if the commitment has none for it. */
MUST_USE bool attack_htlc_outpoint(struct attack *t, uint32_t invoice, struct outpoint *out);

/* NULL while the victim is down, or once its channel is history. */
const struct channel *attack_in(const struct attack *t);
const struct channel *attack_out(const struct attack *t);
/* Outgoing HTLCs of the victim that are in down's commitment, and those that are in both for good. */
uint32_t attack_out_count(const struct attack *t);
uint32_t attack_out_committed(const struct attack *t);
/* The victim's channel with that number, as it is on chain; NULL: it is not. */
const struct onchain *attack_onchain(const struct attack *t, uint32_t channel);
/* A transaction in the best chain or the mempool spends the channel's funding output. */
const struct sim_tx *attack_commitment(const struct attack *t, uint32_t channel);
/* The earliest expiry of the victim's HTLCs in that channel on that side. */
uint32_t attack_expiry(const struct attack *t, uint32_t channel, enum side owner);

#endif
