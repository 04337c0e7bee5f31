#include "crypto/cipher.h"

#include <nettle/chacha-poly1305.h>
#include <nettle/chacha.h>
#include <string.h>

#include "crypto/hash.h"

void aead_seal(uint8_t *out, const uint8_t key32[32], const uint8_t nonce12[12],
	       struct bytes associated, struct bytes plain)
{
	struct chacha_poly1305_ctx c;

	nettle_chacha_poly1305_set_key(&c, key32);
	nettle_chacha_poly1305_set_nonce(&c, nonce12);
	if (associated.size)
		nettle_chacha_poly1305_update(&c, associated.size, associated.data);
	if (plain.size)
		nettle_chacha_poly1305_encrypt(&c, plain.size, out, plain.data);
	nettle_chacha_poly1305_digest(&c, AEAD_TAG_SIZE, out + plain.size);
	mem_wipe(&c, sizeof(c));
}

bool aead_open(uint8_t *out, const uint8_t key32[32], const uint8_t nonce12[12],
	       struct bytes associated, struct bytes sealed)
{
	struct chacha_poly1305_ctx c;
	uint8_t tag[AEAD_TAG_SIZE], want[AEAD_TAG_SIZE];
	size_t size;
	bool good;

	if (sealed.size < AEAD_TAG_SIZE)
		return false;
	size = sealed.size - AEAD_TAG_SIZE;
	memcpy(want, sealed.data + size, sizeof(want));
	nettle_chacha_poly1305_set_key(&c, key32);
	nettle_chacha_poly1305_set_nonce(&c, nonce12);
	if (associated.size)
		nettle_chacha_poly1305_update(&c, associated.size, associated.data);
	if (size)
		nettle_chacha_poly1305_decrypt(&c, size, out, sealed.data);
	nettle_chacha_poly1305_digest(&c, sizeof(tag), tag);
	good = mem_equal_secret(tag, want, sizeof(tag));
	if (!good && size)
		mem_wipe(out, size);
	mem_wipe(&c, sizeof(c));
	return good;
}

void chacha20_xor(uint8_t *data, size_t size, const uint8_t key32[32], const uint8_t nonce12[12])
{
	struct chacha_ctx c;

	nettle_chacha_set_key(&c, key32);
	nettle_chacha_set_nonce96(&c, nonce12);
	if (size)
		nettle_chacha_crypt32(&c, size, data, data);
	mem_wipe(&c, sizeof(c));
}

void drbg_init(struct drbg *d, const uint8_t seed32[32])
{
	memcpy(d->key, seed32, sizeof(d->key));
	d->counter = 0;
}

void drbg_mix(struct drbg *d, struct bytes entropy)
{
	struct sha256 mixed = hmac_sha256(BYTES_OF(d->key), entropy);

	memcpy(d->key, mixed.v, sizeof(d->key));
	mem_wipe(&mixed, sizeof(mixed));
	d->counter = 0;
}

void drbg_fill(struct drbg *d, void *out, size_t size)
{
	uint8_t nonce[12] = { 0 };

	ASSERT(d->counter < UINT64_MAX);
	for (int i = 0; i < 8; i++)
		nonce[i] = (uint8_t)(d->counter >> (8 * i));
	d->counter++;
	memset(out, 0, size);
	chacha20_xor(out, size, d->key, nonce);
}
