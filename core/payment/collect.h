/* Sets of incoming HTLCs that wait for one another.
 *
 * BOLT 4 "Basic Multi-Part Payments".  A set has the HTLCs of one payment hash
 * until receive.c fulfils or fails them all.  Inside payment/ only. */
#ifndef PAYMENT_COLLECT_H
#define PAYMENT_COLLECT_H

#include "payment/receive.h"

struct held_htlc {
	uint64_t channel_key, htlc_id;
	struct amount_msat amount;    /* of the HTLC itself */
	uint32_t cltv_expiry;
	struct amount_msat forwarded; /* amt_to_forward: what counts towards the total */
};

struct htlc_set {
	struct sha256 payment_hash;
	struct amount_msat total;     /* what its HTLCs promise together */
	struct amount_msat sum;       /* of forwarded */
	struct amount_msat received;  /* of amount */
	uint64_t since_ms;            /* the first HTLC */
	uint32_t first_expiry;        /* the least of its HTLCs' */
	bool asked;                   /* it is whole and waits for a decider: no time counts but the decider's */
	struct held_htlc *htlcs;
	uint32_t count, capacity;
};

struct collect {
	struct table sets;            /* by payment hash, oldest first */
};

void collect_init(struct collect *c, const uint8_t seed16[16]);
void collect_release(struct collect *c);

struct htlc_set *collect_find(const struct collect *c, const struct sha256 *payment_hash);
/* A new empty set; there is none of that hash. */
struct htlc_set *collect_open(struct collect *c, const struct sha256 *payment_hash, struct amount_msat total,
			      uint64_t now_ms);
MUST_USE bool collect_has(const struct htlc_set *set, uint64_t channel_key, uint64_t htlc_id);
/* False if the set is full or its sums leave the supply. */
MUST_USE bool collect_add(struct htlc_set *set, const struct held_htlc *h);
MUST_USE static inline bool collect_whole(const struct htlc_set *set)
{
	return !MSAT_LESS(set->sum, set->total);
}
/* Verdicts for all HTLCs of the set, which is gone afterwards. */
void collect_fulfil(struct collect *c, struct htlc_set *set, struct step *s, const struct preimage *preimage,
		    struct receive_verdicts *out);
/* incorrect_or_unknown_payment_details says each HTLC's own amount. */
void collect_fail(struct collect *c, struct htlc_set *set, struct step *s, uint16_t code, struct receive_verdicts *out);
/* Takes one HTLC out of whatever set has it, without verdict. */
void collect_drop(struct collect *c, uint64_t channel_key, uint64_t htlc_id);
/* The set that has waited longest for its rest, or NULL. */
struct htlc_set *collect_oldest(const struct collect *c);

/* Appends a verdict about one HTLC. */
void verdict_fulfil(struct receive_verdicts *out, struct step *s, uint64_t channel_key, uint64_t htlc_id,
		    const struct preimage *preimage);
void verdict_fail(struct receive_verdicts *out, struct step *s, uint64_t channel_key, uint64_t htlc_id,
		  const struct failure *why);

#endif
