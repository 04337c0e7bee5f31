/* Commitment transactions: BOLT 3 "Commitment Transaction", "Trimmed Outputs",
 * "Fees", "Commitment Transaction Construction".
 *
 * A pure function from a specification to the transaction: channel/, onchain/
 * and the signer each build it for themselves and must agree to the byte. */
#ifndef CONTRACT_COMMITMENT_H
#define CONTRACT_COMMITMENT_H

#include "base/amount.h"
#include "contract/scripts.h"

/* 483 each way (BOLT 2) and no more: a commitment never exceeds the standard weight. */
#define COMMITMENT_HTLCS_MAX 966u
#define COMMITMENT_NUMBER_MAX 0xffffffffffffull
#define COMMITMENT_NO_OUTPUT UINT32_MAX

struct commitment_htlc {
	uint64_t id; /* the caller's; it only breaks ties between equal outputs */
	bool offered_by_broadcaster;
	struct amount_msat amount;
	struct sha256 payment_hash;
	uint32_t cltv_expiry;
};

/* Everything that a commitment transaction depends on.  Pointers are borrowed for the call. */
struct commitment_spec {
	enum commitment_type type;
	struct outpoint funding;
	struct amount_sat funding_amount;
	const struct basepoints *broadcaster, *countersignatory;
	struct pubkey per_commitment_point; /* the broadcaster's, for this number */
	const struct commitment_keys *keys; /* for that point, if the caller has them; NULL: derived here */
	bool broadcaster_is_opener;         /* the opener pays the fee and the anchors */
	uint64_t number;                    /* counts up from 0 */
	struct feerate feerate;
	struct amount_sat dust_limit; /* the broadcaster's */
	uint16_t to_self_delay;       /* that the countersignatory imposed on the broadcaster */
	/* Balances without the HTLCs and before fee and anchors. */
	struct amount_msat broadcaster_balance, countersignatory_balance;
	const struct commitment_htlc *htlcs;
	uint32_t htlc_count;
};

/* One HTLC output.  They are ordered as in the transaction, which is the order
 * of the htlc_signatures in commitment_signed. */
struct commitment_htlc_output {
	struct commitment_htlc htlc;
	uint32_t index; /* output of the commitment transaction */
	struct bytes witness_script;
};

/* Lives in the arena it was built in and borrows nothing from the spec. */
struct commitment {
	enum commitment_type type;
	struct tx *tx; /* without witness: commitment_set_witness */
	struct txid txid;
	struct commitment_keys keys;
	struct pubkey broadcaster_funding, countersignatory_funding;
	struct bytes funding_script; /* witness script of the funding output */
	struct sha256 sighash;       /* what both sign, SIGHASH_ALL */
	struct feerate feerate;
	uint16_t to_self_delay;

	/* Output numbers, or COMMITMENT_NO_OUTPUT. */
	uint32_t to_local, to_remote;         /* to_local pays the broadcaster */
	uint32_t local_anchor, remote_anchor; /* local_anchor is the broadcaster's */
	struct bytes to_local_script;         /* witness script */
	struct bytes to_remote_script;        /* witness script with anchors, else empty (P2WPKH) */
	struct bytes local_anchor_script, remote_anchor_script;
	struct commitment_htlc_output *htlcs; /* the untrimmed ones */
	uint32_t htlc_count;

	struct amount_sat base_fee;  /* what the opener owes */
	struct amount_sat fee;       /* what the miner gets: base fee, dust and roundings */
	struct amount_sat shortfall; /* what the opener lacked for base fee and anchors; 0 in an allowed state */
	struct amount_msat trimmed;  /* sum of the HTLCs without an output */
};

/* NULL if a point is invalid, there are too many HTLCs, balances and HTLCs exceed the funding amount, or the
 * outputs do (an opener too poor for the anchors).
 * An opener who cannot pay the fee is left with zero and shortfall says by how much (BOLT 2 decides). */
MUST_USE struct commitment *commitment_build(struct arena *a, const struct commitment_spec *spec);
/* Fills the witness of the funding input. */
void commitment_set_witness(struct arena *a, struct commitment *c, const struct sig64 *broadcaster_sig,
			    const struct sig64 *countersignatory_sig);

/* "Trimmed Outputs": no output for this HTLC on a commitment with that rate and dust limit. */
MUST_USE bool htlc_is_trimmed(enum commitment_type type, struct feerate feerate, struct amount_sat dust_limit,
			      bool offered_by_broadcaster, struct amount_msat amount);
uint32_t commitment_untrimmed_count(const struct commitment_spec *spec);
/* "Fee Calculation", for so many untrimmed HTLCs. */
uint64_t commitment_weight(enum commitment_type type, uint32_t untrimmed);
struct amount_sat commitment_fee(enum commitment_type type, struct feerate feerate, uint32_t untrimmed);
/* The base fee and both anchors: what the opener's balance must bear. */
struct amount_sat commitment_cost(enum commitment_type type, struct feerate feerate, uint32_t untrimmed);
/* Fees of the second stage: 0 with anchors. */
struct amount_sat htlc_timeout_fee(enum commitment_type type, struct feerate feerate);
struct amount_sat htlc_success_fee(enum commitment_type type, struct feerate feerate);

/* The lower 48 bits of SHA256(opener's payment basepoint || accepter's). */
uint64_t commitment_obscuring_factor(const struct pubkey *opener_payment, const struct pubkey *accepter_payment);
/* The number that a transaction carries, if its version, locktime and sequence are those of a commitment. */
MUST_USE bool commitment_number_of(const struct tx *t, uint64_t obscuring_factor, uint64_t *number);

#endif
