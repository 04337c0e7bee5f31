/* Ways to a payee, and what an HTLC on one of them carries.
 *
 * For now: one of our own channels straight to the payee, or to the first node
 * of an invoice's route hint and along it.  Path finding over the network's
 * graph will add paths to the same list. */
#ifndef PAYMENT_PATH_H
#define PAYMENT_PATH_H

#include "onion/payload.h"

/* A channel of ours that can offer an HTLC now. */
struct path_channel {
	uint64_t key;
	struct pubkey peer;
	struct amount_msat spendable; /* the largest HTLC that it would take now */
	struct amount_msat htlc_min;
};

/* One hop of a route hint (BOLT 11 `r` field): node_id charges this to forward over scid. */
struct path_hint_hop {
	struct pubkey node_id;
	struct scid scid;
	uint32_t fee_base_msat;
	uint32_t fee_ppm;
	uint16_t cltv_delta;
};

struct path_hint {
	struct path_hint_hop *hops;
	uint32_t count;
};

/* A node on the way and how it is reached; the first is our peer. */
struct path_hop {
	struct pubkey node_id;
	struct scid scid;       /* the channel into it; unset for the first */
	/* What the node before it takes; nothing for the first. */
	uint32_t fee_base_msat, fee_ppm;
	uint16_t cltv_delta;
};

struct path {
	uint64_t channel_key;
	struct amount_msat spendable, htlc_min; /* of that channel */
	struct path_hop hops[ONION_HOPS_MAX];
	uint32_t count;
};

/* What each hop receives: amounts[count] and cltv_expiries[count], from what must arrive.  False if an amount
 * leaves the supply or a height 32 bits. */
MUST_USE bool path_amounts(const struct path *p, struct amount_msat *amounts, uint32_t *cltv_expiries,
			   struct amount_msat final_amount, uint32_t final_cltv);
/* The largest amount that can arrive over the path if at most `limit` may be sent. */
struct amount_msat path_capacity(const struct path *p, struct amount_msat limit);
/* All fees of the path for an amount that arrives; the amount may be sent (path_amounts). */
MUST_USE bool path_fee(const struct path *p, struct amount_msat *out, struct amount_msat final_amount);

/* The onion for an HTLC on the path.  payload is the final node's, amount and cltv_expiry set.  Appends the packet
 * to out; false if it does not fit or a node id is no point. */
MUST_USE bool path_onion(const struct path *p, struct buf *out, const struct secp *secp, const struct secret32 *session_key,
			 const struct sha256 *payment_hash, const struct payload *final);

/* The same over hops that receive what is given: amounts[count] and cltv_expiries[count]; the final node's are in its
 * payload. */
MUST_USE bool path_given_onion(const struct path_hop *hops, uint32_t count, const struct amount_msat *amounts,
			       const uint32_t *cltv_expiries, struct buf *out, const struct secp *secp,
			       const struct secret32 *session_key, const struct sha256 *payment_hash,
			       const struct payload *final);

struct path_list {
	struct path *paths; /* in the arena */
	uint32_t count;
};

/* Every path that the channels and hints give to the payee: direct ones first. */
struct path_list path_find(struct arena *a, const struct path_channel *channels, uint32_t channel_count,
			   const struct path_hint *hints, uint32_t hint_count, const struct pubkey *payee);

#endif
