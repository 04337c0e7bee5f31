/* The witness scripts of BOLT 3, and what their spends cost.
 *
 * Every script lives in the arena given.  The scriptPubKey of each is
 * script_p2wsh() of it (bitcoin/script.h). */
#ifndef CONTRACT_SCRIPTS_H
#define CONTRACT_SCRIPTS_H

#include "bitcoin/script.h"
#include "contract/keys.h"

/* The forms of commitment that a channel_type chooses.  Stored values. */
enum commitment_type {
	COMMITMENT_STATIC_REMOTEKEY = 1,
	COMMITMENT_ANCHORS = 2, /* option_anchors: HTLC transactions without fee */
};

#define ANCHOR_SAT 330u /* amount of one anchor output */

/* "Funding Transaction Output": 2-of-2, the lesser key first. */
struct bytes funding_witness_script(struct arena *a, const struct pubkey *one, const struct pubkey *other);
/* The scriptPubKey of the funding output. */
struct bytes funding_script_pubkey(struct arena *a, const struct pubkey *one, const struct pubkey *other);
/* `0 <signature_for_pubkey1> <signature_for_pubkey2> <script>`, whichever way round one and other are. */
void funding_set_witness(struct arena *a, struct tx *t, uint32_t input, const struct pubkey *one,
			 const struct sig64 *one_sig, const struct pubkey *other, const struct sig64 *other_sig);

/* "to_local Output", and the output of every HTLC transaction. */
struct bytes to_local_witness_script(struct arena *a, const struct pubkey *revocation,
				     const struct pubkey *broadcaster_delayed, uint16_t to_self_delay);
/* "to_remote Output" with option_anchors: one block of delay. */
struct bytes to_remote_witness_script(struct arena *a, const struct pubkey *countersignatory_payment);
/* The scriptPubKey of to_remote: P2WPKH, or with anchors P2WSH of the above. */
struct bytes to_remote_script_pubkey(struct arena *a, enum commitment_type type,
				     const struct pubkey *countersignatory_payment);
/* "to_local_anchor and to_remote_anchor Output": to the owner's funding key. */
struct bytes anchor_witness_script(struct arena *a, const struct pubkey *funding);

/* "Offered HTLC Outputs" and "Received HTLC Outputs", both as the broadcaster sees it. */
struct bytes offered_htlc_witness_script(struct arena *a, enum commitment_type type,
					 const struct commitment_keys *keys, const struct sha256 *payment_hash);
struct bytes received_htlc_witness_script(struct arena *a, enum commitment_type type,
					  const struct commitment_keys *keys, const struct sha256 *payment_hash,
					  uint32_t cltv_expiry);

/* A DER signature with its sighash byte, as a witness item. */
struct bytes witness_signature(struct arena *a, const struct sig64 *sig, uint32_t hash_type);

#endif
