#include "crypto/keys.h"

#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>

struct secp {
	secp256k1_context *context;
};

#define PUBLIC secp256k1_context_static

struct secp *secp_new(const uint8_t seed32[32])
{
	struct secp *s = NEW(struct secp);

	s->context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	ASSERT(s->context && secp256k1_context_randomize(s->context, seed32));
	return s;
}

void secp_free(struct secp *s)
{
	if (!s)
		return;
	secp256k1_context_destroy(s->context);
	mem_free(s);
}

bool seckey_valid(const struct secret32 *k)
{
	return secp256k1_ec_seckey_verify(PUBLIC, k->v);
}

static bool parse(secp256k1_pubkey *out, const struct pubkey *p)
{
	return secp256k1_ec_pubkey_parse(PUBLIC, out, p->v, sizeof(p->v));
}

static void serialize(struct pubkey *out, const secp256k1_pubkey *p)
{
	size_t size = sizeof(out->v);

	ASSERT(secp256k1_ec_pubkey_serialize(PUBLIC, out->v, &size, p, SECP256K1_EC_COMPRESSED));
}

void pubkey_of(const struct secp *s, struct pubkey *out, const struct secret32 *k)
{
	secp256k1_pubkey p;

	ASSERT(secp256k1_ec_pubkey_create(s->context, &p, k->v));
	serialize(out, &p);
}

bool seckey_add(struct secret32 *k, const uint8_t tweak32[32])
{
	return secp256k1_ec_seckey_tweak_add(PUBLIC, k->v, tweak32);
}

bool seckey_mul(struct secret32 *k, const uint8_t tweak32[32])
{
	return secp256k1_ec_seckey_tweak_mul(PUBLIC, k->v, tweak32);
}

void seckey_negate(struct secret32 *k)
{
	ASSERT(secp256k1_ec_seckey_negate(PUBLIC, k->v));
}

bool pubkey_valid(const struct pubkey *p)
{
	secp256k1_pubkey q;

	return parse(&q, p);
}

bool pubkey_add_point(struct pubkey *out, const struct pubkey *a, const struct pubkey *b)
{
	secp256k1_pubkey x, y, sum;
	const secp256k1_pubkey *both[2] = { &x, &y };

	if (!parse(&x, a) || !parse(&y, b) || !secp256k1_ec_pubkey_combine(PUBLIC, &sum, both, 2))
		return false;
	serialize(out, &sum);
	return true;
}

bool pubkey_add(struct pubkey *out, const struct pubkey *p, const uint8_t tweak32[32])
{
	secp256k1_pubkey q;

	if (!parse(&q, p) || !secp256k1_ec_pubkey_tweak_add(PUBLIC, &q, tweak32))
		return false;
	serialize(out, &q);
	return true;
}

bool pubkey_mul(struct pubkey *out, const struct pubkey *p, const uint8_t tweak32[32])
{
	secp256k1_pubkey q;

	if (!parse(&q, p) || !secp256k1_ec_pubkey_tweak_mul(PUBLIC, &q, tweak32))
		return false;
	serialize(out, &q);
	return true;
}

/* A struct point is libsecp256k1's parsed key: that may lie anywhere, so it is copied in and out. */
static secp256k1_pubkey parsed(const struct point *p)
{
	secp256k1_pubkey q;

	memcpy(q.data, p->opaque, sizeof(q.data));
	return q;
}

static void keep(struct point *out, const secp256k1_pubkey *q)
{
	_Static_assert(sizeof(q->data) == sizeof(out->opaque), "a parsed key is kept whole");
	memcpy(out->opaque, q->data, sizeof(q->data));
}

bool point_read(struct point *out, const struct pubkey *p)
{
	secp256k1_pubkey q;

	if (!parse(&q, p))
		return false;
	keep(out, &q);
	return true;
}

void point_pubkey(struct pubkey *out, const struct point *p)
{
	secp256k1_pubkey q = parsed(p);

	serialize(out, &q);
}

bool point_sum(struct point *out, const struct point *a, const struct point *b)
{
	secp256k1_pubkey x = parsed(a), y = parsed(b), sum;
	const secp256k1_pubkey *both[2] = { &x, &y };

	if (!secp256k1_ec_pubkey_combine(PUBLIC, &sum, both, 2))
		return false;
	keep(out, &sum);
	return true;
}

bool point_mul(struct point *out, const struct point *p, const uint8_t tweak32[32])
{
	secp256k1_pubkey q = parsed(p);

	if (!secp256k1_ec_pubkey_tweak_mul(PUBLIC, &q, tweak32))
		return false;
	keep(out, &q);
	return true;
}

bool point_add(struct point *out, const struct secp *s, const struct point *p, const uint8_t tweak32[32])
{
	secp256k1_pubkey q = parsed(p), product, sum;
	const secp256k1_pubkey *both[2] = { &q, &product };

	/* With the tables of a context tweak*G and an addition are cheaper than what adds both in one go.  A tweak that
	 * is no private key is left to that. */
	if (s && secp256k1_ec_pubkey_create(s->context, &product, tweak32)) {
		if (!secp256k1_ec_pubkey_combine(PUBLIC, &sum, both, 2))
			return false;
		keep(out, &sum);
		return true;
	}
	if (!secp256k1_ec_pubkey_tweak_add(PUBLIC, &q, tweak32))
		return false;
	keep(out, &q);
	return true;
}

bool ecdh(const struct secp *s, struct secret32 *out, const struct pubkey *point, const struct secret32 *k)
{
	secp256k1_pubkey p;

	return parse(&p, point) && secp256k1_ecdh(s->context, out->v, &p, k->v, NULL, NULL);
}

void ecdsa_sign(const struct secp *s, struct sig64 *out, const struct sha256 *hash, const struct secret32 *k, bool grind_low_r)
{
	secp256k1_ecdsa_signature sig;
	uint8_t extra[32] = { 0 };
	uint32_t counter = 0;

	ASSERT(secp256k1_ecdsa_sign(s->context, &sig, hash->v, k->v, NULL, NULL));
	ASSERT(secp256k1_ecdsa_signature_serialize_compact(PUBLIC, out->v, &sig));
	while (grind_low_r && out->v[0] >= 0x80) {
		store_le32(extra, ++counter);
		ASSERT(secp256k1_ecdsa_sign(s->context, &sig, hash->v, k->v, NULL, extra));
		ASSERT(secp256k1_ecdsa_signature_serialize_compact(PUBLIC, out->v, &sig));
	}
}

bool ecdsa_verify_point(const struct sig64 *sig, const struct sha256 *hash, const struct point *p)
{
	secp256k1_ecdsa_signature read;
	secp256k1_pubkey q = parsed(p);

	/* libsecp256k1 verifies low-S signatures only: CVE-2020-26895 took high-S ones for good. */
	return secp256k1_ecdsa_signature_parse_compact(PUBLIC, &read, sig->v) &&
	       secp256k1_ecdsa_verify(PUBLIC, &read, hash->v, &q);
}

bool ecdsa_verify(const struct sig64 *sig, const struct sha256 *hash, const struct pubkey *p)
{
	struct point q;

	return point_read(&q, p) && ecdsa_verify_point(sig, hash, &q);
}

size_t sig_to_der(uint8_t out72[72], const struct sig64 *sig)
{
	secp256k1_ecdsa_signature parsed;
	size_t size = 72;

	ASSERT(secp256k1_ecdsa_signature_parse_compact(PUBLIC, &parsed, sig->v));
	ASSERT(secp256k1_ecdsa_signature_serialize_der(PUBLIC, out72, &size, &parsed));
	return size;
}

bool sig_from_der(struct sig64 *out, struct bytes der)
{
	secp256k1_ecdsa_signature parsed;

	return der.size && secp256k1_ecdsa_signature_parse_der(PUBLIC, &parsed, der.data, der.size) &&
	       secp256k1_ecdsa_signature_serialize_compact(PUBLIC, out->v, &parsed);
}

void ecdsa_sign_recoverable(const struct secp *s, uint8_t out65[65], const struct sha256 *hash, const struct secret32 *k)
{
	secp256k1_ecdsa_recoverable_signature sig;
	int id;

	ASSERT(secp256k1_ecdsa_sign_recoverable(s->context, &sig, hash->v, k->v, NULL, NULL));
	ASSERT(secp256k1_ecdsa_recoverable_signature_serialize_compact(PUBLIC, out65, &id, &sig));
	out65[64] = (uint8_t)id;
}

bool ecdsa_recover(struct pubkey *out, const uint8_t sig65[65], const struct sha256 *hash)
{
	secp256k1_ecdsa_recoverable_signature sig;
	secp256k1_pubkey p;

	if (sig65[64] > 3 ||
	    !secp256k1_ecdsa_recoverable_signature_parse_compact(PUBLIC, &sig, sig65, sig65[64]) ||
	    !secp256k1_ecdsa_recover(PUBLIC, &p, &sig, hash->v))
		return false;
	serialize(out, &p);
	return true;
}

void schnorr_sign(const struct secp *s, struct sig64 *out, const uint8_t hash32[32], const struct secret32 *k, const uint8_t aux32[32])
{
	secp256k1_keypair pair;

	ASSERT(secp256k1_keypair_create(s->context, &pair, k->v));
	ASSERT(secp256k1_schnorrsig_sign32(s->context, out->v, hash32, &pair, aux32));
	mem_wipe(&pair, sizeof(pair));
}

bool schnorr_verify(const struct sig64 *sig, struct bytes message, const struct xonly *p)
{
	secp256k1_xonly_pubkey q;

	return secp256k1_xonly_pubkey_parse(PUBLIC, &q, p->v) &&
	       secp256k1_schnorrsig_verify(PUBLIC, sig->v, message.data, message.size, &q);
}

struct xonly xonly_of(const struct pubkey *p)
{
	struct xonly x;

	memcpy(x.v, p->v + 1, sizeof(x.v));
	return x;
}

bool xonly_valid(const struct xonly *p)
{
	secp256k1_xonly_pubkey q;

	return secp256k1_xonly_pubkey_parse(PUBLIC, &q, p->v);
}

bool xonly_tweak_add(struct xonly *out, int *parity, const struct xonly *p, const uint8_t tweak32[32])
{
	secp256k1_xonly_pubkey q, x;
	secp256k1_pubkey tweaked;

	if (!secp256k1_xonly_pubkey_parse(PUBLIC, &q, p->v) ||
	    !secp256k1_xonly_pubkey_tweak_add(PUBLIC, &tweaked, &q, tweak32) ||
	    !secp256k1_xonly_pubkey_from_pubkey(PUBLIC, &x, parity, &tweaked))
		return false;
	return secp256k1_xonly_pubkey_serialize(PUBLIC, out->v, &x);
}

bool seckey_xonly_tweak_add(const struct secp *s, struct secret32 *k, const uint8_t tweak32[32])
{
	secp256k1_keypair pair;
	bool good = secp256k1_keypair_create(s->context, &pair, k->v) &&
		    secp256k1_keypair_xonly_tweak_add(s->context, &pair, tweak32) &&
		    secp256k1_keypair_sec(PUBLIC, k->v, &pair);

	mem_wipe(&pair, sizeof(pair));
	return good;
}
