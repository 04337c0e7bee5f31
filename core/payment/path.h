/* A way to a payee, and the onion for an HTLC on it.
 *
 * Ways are found by others (core/route); here they are lists of hops with the
 * amount and the delay of the HTLC that reaches each. */
#ifndef PAYMENT_PATH_H
#define PAYMENT_PATH_H

#include "onion/payload.h"
#include "onion/sphinx.h"

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

/* A node on the way, our peer first, the channel into it and the HTLC that reaches it. */
struct path_hop {
	struct pubkey node;
	struct scid scid;          /* of the first: our channel, its real id or an alias; 0: not known */
	struct amount_msat amount;
	uint32_t cltv;             /* blocks above the tip */
};

/* BOLT 7 "The channel_update Message": 0 away from the node with the smaller id. */
static inline uint8_t path_direction(const struct pubkey *from, const struct pubkey *to)
{
	return memcmp(from->v, to->v, sizeof(from->v)) > 0;
}

/* What the origin of an onion knows that nobody else does.  Wiped by its owner. */
struct path_keys {
	struct secret32 session;   /* random, used once, never again */
	struct secret32 shared[ONION_HOPS_MAX]; /* with each hop: what comes back is opened with them */
};

/* The onion for an HTLC along the hops, at that height.  keys: session is given, shared is written.  final: what else the
 * payee is told; its amount and cltv_expiry are the last hop's.  Appends the packet to out; false if it does not fit, or a
 * node id is no point. */
MUST_USE bool path_onion(const struct path_hop *hops, uint32_t count, uint32_t height, struct buf *out,
			 const struct secp *secp, struct path_keys *keys,
			 const struct sha256 *payment_hash, const struct payload *final);

#endif
