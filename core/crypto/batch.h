/* Many signatures at once: those of one commitment.
 *
 * Each takes some 40 microseconds, and a busy commitment has hundreds.  They are done in parts of a few, on whatever
 * threads the runner has; NULL does them here.  The results are those of keys.h, bit for bit. */
#ifndef CRYPTO_BATCH_H
#define CRYPTO_BATCH_H

#include "base/runner.h"
#include "crypto/keys.h"

/* Borrowed for the call.  Items with one key stand together: it is read once. */
struct verify_item {
	const struct sig64 *sig;
	const struct sha256 *hash;
	const struct pubkey *key;
	bool good; /* the answer */
};

/* ecdsa_verify of each. */
void ecdsa_verify_batch(const struct runner *r, struct verify_item *items, uint32_t count);
/* ecdsa_sign of each, with one key and without grinding. */
void ecdsa_sign_batch(const struct runner *r, const struct secp *s, struct sig64 *out, const struct sha256 *hashes,
		      uint32_t count, const struct secret32 *k);

#endif
