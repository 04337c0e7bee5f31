/* Per-commitment secrets: BOLT 3 "Per-commitment Secret Requirements".
 *
 * Indices count down from 2^48 - 1 for commitment 0. */
#ifndef CRYPTO_SHACHAIN_H
#define CRYPTO_SHACHAIN_H

#include "base/bytes.h"
#include "base/types.h"

#define SHACHAIN_FIRST 0xffffffffffffull

struct secret32 shachain_from_seed(const struct secret32 *seed, uint64_t index);

/* The at most 49 secrets from which all received ones follow. */
struct shachain {
	uint64_t next_index; /* the one that the next add must have; SHACHAIN_FIRST when empty */
	uint32_t count;
	struct {
		uint64_t index;
		struct secret32 secret;
	} known[49];
};

void shachain_init(struct shachain *s);
/* False if secret is not on the chain of those before it (B3.per_commitment_secret_requirements). */
MUST_USE bool shachain_add(struct shachain *s, uint64_t index, const struct secret32 *secret);
MUST_USE bool shachain_get(const struct shachain *s, uint64_t index, struct secret32 *out);
/* Compact form for the store. */
void shachain_encode(const struct shachain *s, struct buf *out);
MUST_USE bool shachain_decode(struct shachain *s, struct bytes b);

#endif
