/* Hashes, HMAC, HKDF, PBKDF2, from libnettle. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <nettle/hmac.h>
#include <nettle/sha2.h>

#include "base/bytes.h"
#include "base/types.h"

struct sha256_state {
	struct sha256_ctx nettle;
};

void sha256_init_state(struct sha256_state *s);
void sha256_add(struct sha256_state *s, const void *p, size_t size);
struct sha256 sha256_finish(struct sha256_state *s);

struct sha256 sha256(const void *p, size_t size);
struct sha256 sha256d(const void *p, size_t size);
struct hash160 hash160(const void *p, size_t size); /* RIPEMD160(SHA256(p)) */
struct ripemd160 ripemd160(const void *p, size_t size);
void sha512(uint8_t out64[64], const void *p, size_t size);
/* BIP 340: SHA256(SHA256(tag) || SHA256(tag) || ...) */
void sha256_tagged_init(struct sha256_state *s, const char *tag);

struct sha256 hmac_sha256(struct bytes key, struct bytes message);
/* Of the two parts as if they were one message. */
struct sha256 hmac_sha256_pair(struct bytes key, struct bytes first, struct bytes second);

/* HMAC-SHA256 piece by piece.  A copy of the state goes on by itself: what several messages begin with is hashed once.
 * It holds the key, so whoever keeps one wipes it; finishing wipes it. */
struct hmac_state {
	struct hmac_sha256_ctx nettle;
};

void hmac_state_init(struct hmac_state *h, struct bytes key);
void hmac_state_add(struct hmac_state *h, struct bytes part);
struct sha256 hmac_state_finish(struct hmac_state *h);

void hmac_sha512(uint8_t out64[64], struct bytes key, struct bytes message);
/* RFC 5869 with SHA-256; out_size at most 255 * 32. */
void hkdf_sha256(uint8_t *out, size_t out_size, struct bytes salt, struct bytes key, struct bytes info);
void pbkdf2_sha512(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt, unsigned rounds);

#endif
