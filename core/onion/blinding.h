/* Blinded paths: what their maker computes and what a node on one finds.
 *
 * BOLT 4 "Route Blinding".  A node learns its shared secret for a path from the
 * signer (ECDH of the path key with the node key); onion_blinded_key
 * (onion/sphinx.h) then gives the point that opens the onion itself.
 *
 * Payments do not go over blinded paths yet (onion/opening.h refuses them);
 * onion messages and BOLT 12 will build on this. */
#ifndef ONION_BLINDING_H
#define ONION_BLINDING_H

#include "onion/sphinx.h"
#include "wire/message.h"

struct blinding_request {
	const struct pubkey *nodes;  /* N_0 .. N_r; the last is the maker */
	const struct bytes *tlvs;    /* encrypted_data_tlv of each */
	uint32_t count;
	struct secret32 path_secret; /* e_0: random */
};

/* hops[count], encrypted data in the arena.  False if the path secret is no private key or a node id no point. */
MUST_USE bool blinding_build(struct arena *a, struct wire_blinded_path_hop *hops, struct pubkey *first_path_key,
			     const struct secp *secp, const struct blinding_request *r);

struct blinded_data {
	struct tlvs_encrypted_data tlvs;
	struct pubkey next_path_key; /* for the message to the next node */
};

/* secret: ECDH of path_key with the node key.  False if the data does not decrypt, is no stream or has an unknown
 * even record: invalid_onion_blinding.  Lives in the arena. */
MUST_USE bool blinding_open(struct arena *a, struct blinded_data *out, const struct pubkey *path_key,
			    const struct secret32 *secret, struct bytes encrypted);

/* An HTLC on a blinded path. */
struct blinded_htlc {
	struct amount_msat amount;
	uint32_t cltv_expiry;
};

/* Whether the path may carry it (payment_constraints, allowed_features, one way on at most); at every node. */
MUST_USE bool blinding_permits(const struct tlvs_encrypted_data *t, const struct blinded_htlc *h);
/* At a node that hands it on: what the outgoing HTLC must be.  False if the data says not where to or at what price,
 * or it does not fit. */
MUST_USE bool blinding_relay(struct blinded_htlc *out, const struct tlvs_encrypted_data *t, const struct blinded_htlc *in);

/* What a whole path costs: BOLT 12's blinded_payinfo. */
struct blinded_cost {
	uint32_t fee_base_msat, fee_ppm;
	uint32_t cltv_delta;
};

/* relays: of every node but the last, in order of the path.  False if a sum leaves its field. */
MUST_USE bool blinding_cost(struct blinded_cost *out, const struct tlv_encrypted_data_payment_relay *relays,
			    uint32_t count, uint32_t min_final_cltv);

#endif
