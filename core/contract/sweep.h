/* Spends of a commitment's outputs that need no second stage: BOLT 3 (each
 * output's witness), BOLT 5 "Unilateral Close Handling" and "Revoked
 * Transaction Close Handling", Appendix A (weights).
 *
 * A sweep_input says what is spent, how, and from what its key derives; the
 * signer that gets it needs nothing else.  onchain/ makes them, bumps them and
 * combines them; the wallet's own inputs may stand beside them. */
#ifndef CONTRACT_SWEEP_H
#define CONTRACT_SWEEP_H

#include "contract/htlc_tx.h"

/* Stored values.  "Our" key: the claimer's. */
enum sweep_kind {
	SWEEP_DELAYED = 1,          /* our to_local or HTLC transaction's output, after to_self_delay */
	SWEEP_REVOKED_DELAYED = 2,  /* the same of a cheating peer, by the revocation key */
	SWEEP_TO_REMOTE_STATIC = 3, /* P2WPKH to our payment basepoint */
	SWEEP_TO_REMOTE_ANCHORS = 4,
	SWEEP_ANCHOR = 5,           /* our anchor, by the funding key */
	SWEEP_PREIMAGE = 6,         /* HTLC that the peer offered, on the peer's commitment, by its preimage */
	SWEEP_TIMEOUT = 7,          /* HTLC that we offered, on the peer's commitment, after cltv_expiry */
	SWEEP_REVOKED_HTLC = 8,     /* HTLC output of a revoked commitment */
};

struct sweep_input {
	enum sweep_kind kind;
	enum commitment_type type;
	struct outpoint prev;
	struct amount_sat amount;
	struct bytes witness_script; /* empty for SWEEP_TO_REMOTE_STATIC */
	uint16_t to_self_delay;      /* SWEEP_DELAYED */
	uint32_t cltv_expiry;        /* SWEEP_TIMEOUT */
	struct preimage preimage;    /* SWEEP_PREIMAGE */
	/* What the signing key derives from, beside the basepoint that the kind names. */
	struct pubkey per_commitment_point;    /* all but to_remote and anchor */
	struct secret32 per_commitment_secret; /* SWEEP_REVOKED_*: the one that the peer revealed */
	struct pubkey key;                     /* that must sign */
};

/* Fill *out for an output of c.  False if there is no such output.  The scripts are borrowed from c. */
MUST_USE bool sweep_to_local(struct sweep_input *out, const struct commitment *c);
MUST_USE bool sweep_to_remote(struct sweep_input *out, const struct commitment *c);
MUST_USE bool sweep_local_anchor(struct sweep_input *out, const struct commitment *c);
MUST_USE bool sweep_remote_anchor(struct sweep_input *out, const struct commitment *c);
/* c->htlcs[position] of the peer's commitment: with its preimage where the peer offered it (false if it is not
 * the preimage), after its timeout where we did. */
MUST_USE bool sweep_htlc_preimage(struct sweep_input *out, const struct commitment *c, uint32_t position,
				  const struct preimage *preimage);
MUST_USE bool sweep_htlc_timeout(struct sweep_input *out, const struct commitment *c, uint32_t position);
/* An output of our own second-stage transaction t of our commitment c; false if it is not one. */
MUST_USE bool sweep_htlc_tx(struct sweep_input *out, const struct commitment *c, const struct tx *t, uint32_t output);
/* The same outputs of a revoked commitment, or of the second stage that its owner published.  The secret has
 * been checked against c's point when it arrived. */
MUST_USE bool sweep_revoked_to_local(struct sweep_input *out, const struct commitment *c,
				     const struct secret32 *per_commitment_secret);
MUST_USE bool sweep_revoked_htlc(struct sweep_input *out, const struct commitment *c, uint32_t position,
				 const struct secret32 *per_commitment_secret);
MUST_USE bool sweep_revoked_htlc_tx(struct sweep_input *out, const struct commitment *c, const struct tx *t,
				    uint32_t output, const struct secret32 *per_commitment_secret);

/* What the input needs of the transaction around it. */
uint32_t sweep_sequence(const struct sweep_input *in);
uint32_t sweep_locktime(const struct sweep_input *in); /* at least this; 0: any */
/* Weight of the witness with a 73-byte signature, with its count but without the segwit marker. */
uint64_t sweep_witness_weight(const struct sweep_input *in);
/* The whole input: 41 bytes and its witness. */
uint64_t sweep_input_weight(const struct sweep_input *in);
/* Of a transaction with these inputs and one output to script_size bytes. */
uint64_t sweep_weight(const struct sweep_input *inputs, uint32_t count, size_t script_size);

/* One transaction that spends all inputs to one script, less the fee; version 2, replaceable, locktime at
 * least what the inputs and min_locktime ask for.  NULL if what is left is below dust_limit. */
MUST_USE struct tx *sweep_build(struct arena *a, const struct sweep_input *inputs, uint32_t count,
				struct bytes script, struct amount_sat fee, struct amount_sat dust_limit,
				uint32_t min_locktime);

/* What in->key signs (SIGHASH_ALL) at that input of t. */
struct sha256 sweep_sighash(struct arena *scratch, const struct sweep_input *in, const struct tx *t, uint32_t input,
			    struct sighash_cache *cache);
void sweep_set_witness(struct arena *a, const struct sweep_input *in, struct tx *t, uint32_t input,
		       const struct sig64 *sig);

#endif
