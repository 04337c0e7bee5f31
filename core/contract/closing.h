/* Closing transactions: BOLT 3 "Legacy Closing Transaction" (closing_signed)
 * and "Closing Transaction" (closing_complete), BOLT 2 "Closing Initiation". */
#ifndef CONTRACT_CLOSING_H
#define CONTRACT_CLOSING_H

#include "contract/scripts.h"

enum closing_form {
	CLOSING_LEGACY = 1, /* closing_signed: sequence 0xFFFFFFFF, locktime 0, own dust limit applies */
	CLOSING_SIMPLE = 2, /* closing_complete: sequence 0xFFFFFFFD, OP_RETURN pays 0 */
};

struct closing_party {
	struct amount_msat balance;
	struct bytes script; /* scriptPubKey of its shutdown; borrowed for the call */
	bool omit;           /* this variant has no output for it */
};

struct closing_spec {
	enum closing_form form;
	struct outpoint funding;
	struct amount_sat funding_amount;
	struct pubkey payer_funding, other_funding;
	struct closing_party payer; /* who pays the fee: the opener, or the closer of CLOSING_SIMPLE */
	struct closing_party other;
	struct amount_sat fee;
	struct amount_sat dust_limit; /* legacy: of the node that signs or signed; outputs below it vanish */
	uint32_t locktime;            /* 0 for CLOSING_LEGACY */
};

#define CLOSING_NO_OUTPUT UINT32_MAX

struct closing {
	struct tx *tx; /* without witness: funding_set_witness(a, c->tx, 0, ...) */
	struct bytes funding_script;
	struct sha256 sighash; /* SIGHASH_ALL */
	uint32_t payer_output, other_output; /* or CLOSING_NO_OUTPUT */
	struct amount_sat fee; /* what the miner gets: fee_satoshis, roundings, omitted outputs */
};

/* NULL if the payer's balance is below the fee, the balances exceed the funding amount, or no output is left.
 * The result lives in the arena and borrows nothing. */
MUST_USE struct closing *closing_build(struct arena *a, const struct closing_spec *spec);

/* Weight with 73-byte signatures; a script size of 0 means no such output. */
uint64_t closing_weight(size_t payer_script_size, size_t other_script_size);

/* A form that BOLT 2 allows in shutdown; the flags say which options both sides negotiated. */
MUST_USE bool shutdown_script_valid(struct bytes script, bool anysegwit, bool simple_close);

#endif
