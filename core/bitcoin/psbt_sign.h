/* The roles of a PSBT that need to know scripts: signer and input finalizer (BIP 174, BIP 371). */
#ifndef BITCOIN_PSBT_SIGN_H
#define BITCOIN_PSBT_SIGN_H

#include "bitcoin/psbt.h"
#include "bitcoin/script.h"
#include "crypto/keys.h"

/* How one input is locked, after BIP 174's "Data Signers Check For". */
struct psbt_lock {
	struct tx_output spent;
	bool segwit_v0, taproot;
	struct bytes redeem_script;  /* P2SH */
	struct bytes witness_script; /* P2WSH */
	struct bytes script_code;    /* what an ECDSA signature commits to; empty for taproot */
};

/* The transaction that all signatures of p are for.  Made new when p's inputs or outputs change. */
struct psbt_work {
	struct psbt *psbt;
	struct tx *tx;
	struct tx_output *spent; /* by each input */
	const char **unknown;    /* why p does not say what an input spends; NULL where it does */
	struct sighash_cache cache;
	bool plain_nonce; /* RFC 6979 as it is, as BIP 174's vectors; else a low R is ground for, which saves a byte */
};

/* False, with the reason in *why, where p has no transaction. */
MUST_USE bool psbt_work_init(struct psbt_work *w, struct psbt *p, const char **why);
/* False, with the reason, where the input's data are missing or contradict one another: never sign it. */
MUST_USE bool psbt_lock(const struct psbt_work *w, uint32_t input, struct psbt_lock *out, const char **why);
/* The hash that a signature of the input signs.  False for a hash type that its kind of script refuses. */
MUST_USE bool psbt_sighash(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock, uint32_t hash_type,
			   struct sha256 *out);

enum psbt_signed {
	PSBT_SIGNED,  /* the signature was added */
	PSBT_NO_KEY,  /* the input does not want this key */
	PSBT_REFUSED, /* *why says what is wrong */
};
/* Signs an input with SIGHASH_ALL (SIGHASH_DEFAULT for taproot, with the key of the internal key); refuses an input
 * that asks for another hash type. */
MUST_USE enum psbt_signed psbt_sign(struct psbt_work *w, uint32_t input, const struct secp *s,
				    const struct secret32 *key, const char **why);

/* Turns the signatures of an input into its final scripts, if they are enough, and verifies every one of them.
 * P2PKH, P2WPKH, multisig and single keys in P2SH or P2WSH, P2TR by its key.  True if the input is final, also
 * if it was before. */
MUST_USE bool psbt_finalize_input(struct psbt_work *w, uint32_t input, const char **why);
/* All of them. */
MUST_USE bool psbt_finalize(struct psbt_work *w, const char **why);

#endif
