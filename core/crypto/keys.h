/* secp256k1: keys, ECDSA, BIP 340, ECDH, from libsecp256k1.
 *
 * Functions that handle secret keys take a struct secp: a randomised context
 * that its creator owns (blinding against side channels).  Checking and public
 * arithmetic need none.  Sources: BIP 340, BIP 341, BOLT 3 "Key Derivation". */
#ifndef CRYPTO_KEYS_H
#define CRYPTO_KEYS_H

#include "base/bytes.h"
#include "base/types.h"

struct secp;

MUST_USE struct secp *secp_new(const uint8_t seed32[32]); /* returns owned */
void secp_free(struct secp *s);

MUST_USE bool seckey_valid(const struct secret32 *k);
/* The key must be valid. */
void pubkey_of(const struct secp *s, struct pubkey *out, const struct secret32 *k);
MUST_USE bool seckey_add(struct secret32 *k, const uint8_t tweak32[32]); /* k + tweak; false if zero or over */
MUST_USE bool seckey_mul(struct secret32 *k, const uint8_t tweak32[32]);
void seckey_negate(struct secret32 *k);

MUST_USE bool pubkey_valid(const struct pubkey *p);
MUST_USE bool pubkey_add_point(struct pubkey *out, const struct pubkey *a, const struct pubkey *b);
MUST_USE bool pubkey_add(struct pubkey *out, const struct pubkey *p, const uint8_t tweak32[32]); /* p + tweak*G */
MUST_USE bool pubkey_mul(struct pubkey *out, const struct pubkey *p, const uint8_t tweak32[32]);

/* A public key with both its coordinates: to find the second one of a pubkey takes a tenth of what a verification takes,
 * so whoever computes with a key more than once keeps this.  In libsecp256k1's own form: never stored, never sent. */
struct point {
	uint8_t opaque[64];
};

MUST_USE bool point_read(struct point *out, const struct pubkey *p);
void point_pubkey(struct pubkey *out, const struct point *p);
MUST_USE bool point_sum(struct point *out, const struct point *a, const struct point *b);
MUST_USE bool point_mul(struct point *out, const struct point *p, const uint8_t tweak32[32]);
/* p + tweak*G, sooner with a context; s may be NULL. */
MUST_USE bool point_add(struct point *out, const struct secp *s, const struct point *p, const uint8_t tweak32[32]);

/* SHA256 of the compressed shared point (BOLT 8, BOLT 4).  False if the point is invalid. */
MUST_USE bool ecdh(const struct secp *s, struct secret32 *out, const struct pubkey *point, const struct secret32 *k);

/* RFC 6979, low S, grinding for a low R so that a DER signature is at most 71 bytes with its sighash byte
 * (as Bitcoin Core and BOLT 3's vectors do; grind_low_r false gives the plain RFC 6979 nonce). */
void ecdsa_sign(const struct secp *s, struct sig64 *out, const struct sha256 *hash, const struct secret32 *k, bool grind_low_r);
/* A high S is refused (BOLT 2: LOW-S). */
MUST_USE bool ecdsa_verify(const struct sig64 *sig, const struct sha256 *hash, const struct pubkey *p);
MUST_USE bool ecdsa_verify_point(const struct sig64 *sig, const struct sha256 *hash, const struct point *p);
/* DER without the sighash byte: at most 72 bytes; returns the size. */
size_t sig_to_der(uint8_t out72[72], const struct sig64 *sig);
MUST_USE bool sig_from_der(struct sig64 *out, struct bytes der);
/* 64 bytes and the recovery id (BOLT 11). */
void ecdsa_sign_recoverable(const struct secp *s, uint8_t out65[65], const struct sha256 *hash, const struct secret32 *k);
MUST_USE bool ecdsa_recover(struct pubkey *out, const uint8_t sig65[65], const struct sha256 *hash);

/* BIP 340. aux may be NULL. */
void schnorr_sign(const struct secp *s, struct sig64 *out, const uint8_t hash32[32], const struct secret32 *k, const uint8_t aux32[32]);
MUST_USE bool schnorr_verify(const struct sig64 *sig, struct bytes message, const struct xonly *p);
struct xonly xonly_of(const struct pubkey *p);
MUST_USE bool xonly_valid(const struct xonly *p);
/* BIP 341 tweak: output key and its parity. */
MUST_USE bool xonly_tweak_add(struct xonly *out, int *parity, const struct xonly *p, const uint8_t tweak32[32]);
/* The private key of an x-only tweak (negates first where BIP 341 says so). */
MUST_USE bool seckey_xonly_tweak_add(const struct secp *s, struct secret32 *k, const uint8_t tweak32[32]);

#endif
