/* HTLC-timeout and HTLC-success transactions: BOLT 3 "HTLC-Timeout and
 * HTLC-Success Transactions", BOLT 5 "Generation of HTLC Transactions". */
#ifndef CONTRACT_HTLC_TX_H
#define CONTRACT_HTLC_TX_H

#include "contract/commitment.h"

struct htlc_tx {
	struct tx *tx; /* one input, one output; without witness */
	bool success;  /* HTLC-success (received HTLC), else HTLC-timeout (offered) */
	enum commitment_type type;
	struct bytes input_script; /* witness script of the commitment's HTLC output */
	struct amount_sat input_amount;
	struct bytes output_script; /* witness script of its own output: a to_local script */
};

/* The second stage of c->htlcs[position].  Lives in the arena; borrows c's scripts. */
MUST_USE struct htlc_tx *htlc_tx_build(struct arena *a, const struct commitment *c, uint32_t position);

/* The hash type of the countersignatory's signature: ALL, or with anchors SINGLE|ANYONECANPAY so that the
 * broadcaster can add inputs for the fee.  The broadcaster itself always signs ALL. */
uint32_t htlc_tx_countersign_type(enum commitment_type type);
/* What the countersignatory signs. */
struct sha256 htlc_tx_countersign_hash(const struct htlc_tx *h);
/* The same for every HTLC of c: out has room for c->htlc_count hashes, in htlc_signatures order.  scratch is
 * an arena for the transactions, which the caller may reset afterwards. */
void htlc_tx_countersign_hashes(struct arena *scratch, const struct commitment *c, struct sha256 *out);
/* What the broadcaster signs (SIGHASH_ALL).  t is h->tx, or with anchors a transaction that has h's input and
 * output at position input and more inputs and outputs beside them. */
struct sha256 htlc_tx_broadcaster_hash(const struct htlc_tx *h, const struct tx *t, uint32_t input);

/* `0 <remotehtlcsig> <localhtlcsig> <preimage or empty> <script>`.  preimage is NULL for a timeout. */
void htlc_tx_set_witness(struct arena *a, const struct htlc_tx *h, struct tx *t, uint32_t input,
			 const struct sig64 *countersignatory_sig, const struct sig64 *broadcaster_sig,
			 const struct preimage *preimage);
/* BOLT 3 "Expected Weight of HTLC-timeout and HTLC-success Transactions". */
uint64_t htlc_tx_weight(enum commitment_type type, bool success);

#endif
