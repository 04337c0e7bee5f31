#include "crypto/hash.h"

#include <nettle/hkdf.h>
#include <nettle/pbkdf2.h>
#include <nettle/ripemd160.h>

void sha256_init_state(struct sha256_state *s)
{
	nettle_sha256_init(&s->nettle);
}

void sha256_add(struct sha256_state *s, const void *p, size_t size)
{
	if (size)
		nettle_sha256_update(&s->nettle, size, p);
}

struct sha256 sha256_finish(struct sha256_state *s)
{
	struct sha256 out;

	nettle_sha256_digest(&s->nettle, sizeof(out.v), out.v);
	mem_wipe(s, sizeof(*s));
	return out;
}

struct sha256 sha256(const void *p, size_t size)
{
	struct sha256_state s;

	sha256_init_state(&s);
	sha256_add(&s, p, size);
	return sha256_finish(&s);
}

struct sha256 sha256d(const void *p, size_t size)
{
	struct sha256 once = sha256(p, size);

	return sha256(once.v, sizeof(once.v));
}

struct ripemd160 ripemd160(const void *p, size_t size)
{
	struct ripemd160_ctx c;
	struct ripemd160 out;

	nettle_ripemd160_init(&c);
	if (size)
		nettle_ripemd160_update(&c, size, p);
	nettle_ripemd160_digest(&c, sizeof(out.v), out.v);
	return out;
}

struct hash160 hash160(const void *p, size_t size)
{
	struct sha256 inner = sha256(p, size);
	struct ripemd160 outer = ripemd160(inner.v, sizeof(inner.v));
	struct hash160 out;

	memcpy(out.v, outer.v, sizeof(out.v));
	return out;
}

void sha512(uint8_t out64[64], const void *p, size_t size)
{
	struct sha512_ctx c;

	nettle_sha512_init(&c);
	if (size)
		nettle_sha512_update(&c, size, p);
	nettle_sha512_digest(&c, 64, out64);
	mem_wipe(&c, sizeof(c));
}

void sha256_tagged_init(struct sha256_state *s, const char *tag)
{
	struct sha256 t = sha256(tag, strlen(tag));

	sha256_init_state(s);
	sha256_add(s, t.v, sizeof(t.v));
	sha256_add(s, t.v, sizeof(t.v));
}

struct sha256 hmac_sha256(struct bytes key, struct bytes message)
{
	return hmac_sha256_pair(key, message, BYTES_NONE);
}

struct sha256 hmac_sha256_pair(struct bytes key, struct bytes first, struct bytes second)
{
	struct hmac_state h;

	hmac_state_init(&h, key);
	hmac_state_add(&h, first);
	hmac_state_add(&h, second);
	return hmac_state_finish(&h);
}

void hmac_state_init(struct hmac_state *h, struct bytes key)
{
	nettle_hmac_sha256_set_key(&h->nettle, key.size, key.data);
}

void hmac_state_add(struct hmac_state *h, struct bytes part)
{
	if (part.size)
		nettle_hmac_sha256_update(&h->nettle, part.size, part.data);
}

struct sha256 hmac_state_finish(struct hmac_state *h)
{
	struct sha256 out;

	nettle_hmac_sha256_digest(&h->nettle, sizeof(out.v), out.v);
	mem_wipe(h, sizeof(*h));
	return out;
}

void hmac_sha512(uint8_t out64[64], struct bytes key, struct bytes message)
{
	struct hmac_sha512_ctx c;

	nettle_hmac_sha512_set_key(&c, key.size, key.data);
	if (message.size)
		nettle_hmac_sha512_update(&c, message.size, message.data);
	nettle_hmac_sha512_digest(&c, 64, out64);
	mem_wipe(&c, sizeof(c));
}

void hkdf_sha256(uint8_t *out, size_t out_size, struct bytes salt, struct bytes key, struct bytes info)
{
	struct sha256 prk = hmac_sha256(salt, key);
	struct hmac_sha256_ctx c;

	ASSERT(out_size <= 255 * 32);
	nettle_hmac_sha256_set_key(&c, sizeof(prk.v), prk.v);
	nettle_hkdf_expand(&c, (nettle_hash_update_func *)nettle_hmac_sha256_update,
			   (nettle_hash_digest_func *)nettle_hmac_sha256_digest, 32,
			   info.size, info.data, out_size, out);
	mem_wipe(&c, sizeof(c));
	mem_wipe(&prk, sizeof(prk));
}

void pbkdf2_sha512(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt, unsigned rounds)
{
	struct hmac_sha512_ctx c;

	nettle_hmac_sha512_set_key(&c, password.size, password.data);
	nettle_pbkdf2(&c, (nettle_hash_update_func *)nettle_hmac_sha512_update,
		      (nettle_hash_digest_func *)nettle_hmac_sha512_digest, 64, rounds,
		      salt.size, salt.data, out_size, out);
	mem_wipe(&c, sizeof(c));
}
