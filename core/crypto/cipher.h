/* ChaCha20 and ChaCha20-Poly1305 (RFC 8439), from libnettle. */
#ifndef CRYPTO_CIPHER_H
#define CRYPTO_CIPHER_H

#include "base/bytes.h"

#define AEAD_TAG_SIZE 16

/* out: size + AEAD_TAG_SIZE bytes; may be the same place as plain. */
void aead_seal(uint8_t *out, const uint8_t key32[32], const uint8_t nonce12[12],
	       struct bytes associated, struct bytes plain);
/* sealed includes the tag; out: sealed.size - AEAD_TAG_SIZE bytes; may be the same place.
 * False, with out wiped, if the tag is wrong or sealed is too short. */
MUST_USE bool aead_open(uint8_t *out, const uint8_t key32[32], const uint8_t nonce12[12],
			struct bytes associated, struct bytes sealed);

/* XORs the key stream (counter from 0) into data. */
void chacha20_xor(uint8_t *data, size_t size, const uint8_t key32[32], const uint8_t nonce12[12]);

/* A deterministic generator: the core's entropy.  Its seed is an input. */
struct drbg {
	uint8_t key[32];
	uint64_t counter;
};

void drbg_init(struct drbg *d, const uint8_t seed32[32]);
/* Mixes fresh entropy in. */
void drbg_mix(struct drbg *d, struct bytes entropy);
void drbg_fill(struct drbg *d, void *out, size_t size);

#endif
