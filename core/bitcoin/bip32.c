#include "bitcoin/bip32.h"

#include "base/cursor.h"
#include "bitcoin/base58.h"
#include "crypto/hash.h"

#define SERIALIZED_SIZE 78u

static bool all_zero(const void *p, size_t size)
{
	return bytes_all_zero(BYTES(p, size));
}

bool bip32_master(const struct secp *s, struct bip32_key *out, struct bytes seed)
{
	uint8_t i64[64];

	memset(out, 0, sizeof(*out));
	if (seed.size < BIP32_SEED_SIZE_MIN || seed.size > BIP32_SEED_SIZE_MAX)
		return false;
	hmac_sha512(i64, bytes_from_string("Bitcoin seed"), seed);
	memcpy(out->secret.v, i64, 32);
	memcpy(out->chain_code.v, i64 + 32, 32);
	mem_wipe(i64, sizeof(i64));
	if (!seckey_valid(&out->secret)) {
		bip32_wipe(out);
		return false;
	}
	out->is_private = true;
	pubkey_of(s, &out->point, &out->secret);
	return true;
}

/* BIP 32 "Child key derivation (CKD) functions": I. */
static void child_hmac(uint8_t i64[64], const struct bip32_key *parent, uint32_t index)
{
	uint8_t data[37] = { 0 };

	if (index & BIP32_HARDENED)
		memcpy(data + 1, parent->secret.v, sizeof(parent->secret.v));
	else
		memcpy(data, parent->point.v, sizeof(parent->point.v));
	store_be32(data + 33, index);
	hmac_sha512(i64, BYTES_OF(parent->chain_code.v), BYTES_OF(data));
	mem_wipe(data, sizeof(data));
}

bool bip32_child(const struct secp *s, struct bip32_key *out, const struct bip32_key *parent, uint32_t index)
{
	struct bip32_key child = *parent;
	uint8_t i64[64];
	bool good;

	if (parent->depth == BIP32_DEPTH_MAX || (index & BIP32_HARDENED && !parent->is_private)) {
		bip32_wipe(&child);
		return false;
	}
	child_hmac(i64, parent, index);
	if (parent->is_private) {
		good = seckey_add(&child.secret, i64);
		if (good)
			pubkey_of(s, &child.point, &child.secret);
	} else {
		good = pubkey_add(&child.point, &parent->point, i64);
	}
	memcpy(child.chain_code.v, i64 + 32, 32);
	bip32_fingerprint(child.parent4, parent);
	child.depth++;
	child.index = index;
	if (good)
		*out = child;
	mem_wipe(i64, sizeof(i64));
	bip32_wipe(&child);
	return good;
}

bool bip32_derive(const struct secp *s, struct bip32_key *out, const struct bip32_key *from, const uint32_t *path,
		  size_t count)
{
	struct bip32_key k = *from;
	bool good = true;

	for (size_t i = 0; good && i < count; i++)
		good = bip32_child(s, &k, &k, path[i]);
	if (good)
		*out = k;
	bip32_wipe(&k);
	return good;
}

bool bip32_account(const struct secp *s, struct bip32_key *out, const struct bip32_key *master,
		   enum bip32_purpose purpose, const struct network *n, uint32_t account)
{
	uint32_t path[3] = { BIP32_HARDENED | (uint32_t)purpose, BIP32_HARDENED | n->coin_type, BIP32_HARDENED | account };

	if (account & BIP32_HARDENED)
		return false;
	return bip32_derive(s, out, master, path, ARRAY_COUNT(path));
}

void bip32_neuter(struct bip32_key *k)
{
	mem_wipe(&k->secret, sizeof(k->secret));
	k->is_private = false;
}

void bip32_wipe(struct bip32_key *k)
{
	mem_wipe(k, sizeof(*k));
}

void bip32_fingerprint(uint8_t out4[4], const struct bip32_key *k)
{
	struct hash160 h = hash160(k->point.v, sizeof(k->point.v));

	memcpy(out4, h.v, 4);
}

void bip32_encode(struct buf *out, const struct network *n, const struct bip32_key *k)
{
	struct buf raw = BUF_EMPTY;

	buf_add_be32(&raw, k->is_private ? n->bip32_private : n->bip32_public);
	buf_add_u8(&raw, k->depth);
	buf_add(&raw, k->parent4, sizeof(k->parent4));
	buf_add_be32(&raw, k->index);
	buf_add(&raw, k->chain_code.v, sizeof(k->chain_code.v));
	if (k->is_private) {
		buf_add_u8(&raw, 0);
		buf_add(&raw, k->secret.v, sizeof(k->secret.v));
	} else {
		buf_add(&raw, k->point.v, sizeof(k->point.v));
	}
	ASSERT(raw.size == SERIALIZED_SIZE);
	base58check_encode(out, buf_view(&raw));
	buf_wipe(&raw);
}

/* The 33 bytes of the key itself. */
static bool decode_key(const struct secp *s, struct bip32_key *out, const uint8_t key33[33])
{
	if (!out->is_private) {
		memcpy(out->point.v, key33, sizeof(out->point.v));
		return pubkey_valid(&out->point);
	}
	memcpy(out->secret.v, key33 + 1, sizeof(out->secret.v));
	if (key33[0] != 0 || !seckey_valid(&out->secret))
		return false;
	pubkey_of(s, &out->point, &out->secret);
	return true;
}

static bool decode_raw(const struct secp *s, struct bip32_key *out, const struct network *n, struct bytes raw)
{
	struct cursor c = cursor_of(raw);
	uint32_t version = cursor_be32(&c);
	uint8_t key33[33];
	bool good;

	out->depth = cursor_u8(&c);
	cursor_copy(&c, out->parent4, sizeof(out->parent4));
	out->index = cursor_be32(&c);
	cursor_copy(&c, out->chain_code.v, sizeof(out->chain_code.v));
	cursor_copy(&c, key33, sizeof(key33));
	out->is_private = version == n->bip32_private;
	good = cursor_done(&c) && (out->is_private || version == n->bip32_public) &&
	       (out->depth || (out->index == 0 && all_zero(out->parent4, sizeof(out->parent4)))) &&
	       decode_key(s, out, key33);
	mem_wipe(key33, sizeof(key33));
	return good;
}

bool bip32_decode(const struct secp *s, struct bip32_key *out, const struct network *n, struct bytes text)
{
	struct buf raw = BUF_EMPTY;
	bool good;

	memset(out, 0, sizeof(*out));
	good = base58check_decode(&raw, text) && decode_raw(s, out, n, buf_view(&raw));
	if (!good)
		bip32_wipe(out);
	buf_wipe(&raw);
	return good;
}

/* One number and its mark at text[*at]. */
static bool parse_step(uint32_t *step, struct bytes text, size_t *at)
{
	uint64_t v = 0;
	size_t digits = 0;

	while (*at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9' && digits < 10) {
		v = v * 10 + (text.data[(*at)++] - '0');
		digits++;
	}
	if (digits == 0 || v >= BIP32_HARDENED)
		return false;
	*step = (uint32_t)v;
	if (*at < text.size && (text.data[*at] == '\'' || text.data[*at] == 'h' || text.data[*at] == 'H')) {
		*step |= BIP32_HARDENED;
		(*at)++;
	}
	return true;
}

bool bip32_parse_path(uint32_t *path, size_t *count, size_t path_max, struct bytes text)
{
	size_t at = 1;

	*count = 0;
	if (text.size < 1 || text.data[0] != 'm')
		return false;
	while (at < text.size) {
		if (text.data[at++] != '/' || *count == path_max || !parse_step(&path[*count], text, &at))
			return false;
		(*count)++;
	}
	return true;
}
