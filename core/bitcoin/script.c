#include "bitcoin/script.h"

#include "crypto/hash.h"

enum { OP_PUSHDATA2 = 0x4d, OP_PUSHDATA4 = 0x4e };

/* Bitcoin Core's policy: what is larger can not be spent. */
#define SCRIPT_SIZE_MAX 10000u
/* Bitcoin Core's dustRelayFee, 3000 sat per 1000 vbytes, and what it takes spending an output to cost. */
#define DUST_RATE_PER_VBYTE 3u
#define DUST_SPEND_VBYTES_WITNESS 67u
#define DUST_SPEND_VBYTES_LEGACY 148u

void script_op(struct buf *b, uint8_t op)
{
	buf_add_u8(b, op);
}

void script_push(struct buf *b, struct bytes data)
{
	if (data.size < OP_PUSHDATA1) {
		buf_add_u8(b, (uint8_t)data.size);
	} else if (data.size <= 0xff) {
		buf_add_u8(b, OP_PUSHDATA1);
		buf_add_u8(b, (uint8_t)data.size);
	} else if (data.size <= 0xffff) {
		buf_add_u8(b, OP_PUSHDATA2);
		buf_add_le16(b, (uint16_t)data.size);
	} else {
		ASSERT(data.size <= UINT32_MAX);
		buf_add_u8(b, OP_PUSHDATA4);
		buf_add_le32(b, (uint32_t)data.size);
	}
	buf_add_bytes(b, data);
}

void script_number(struct buf *b, int64_t n)
{
	uint64_t magnitude = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	uint8_t raw[9];
	size_t size = 0;

	if (n == -1 || (n >= 1 && n <= 16)) {
		buf_add_u8(b, (uint8_t)(OP_1 - 1 + n));
		return;
	}
	/* Little endian with the sign in the highest bit, which takes a byte of its own where it is in use. */
	for (; magnitude; magnitude >>= 8)
		raw[size++] = (uint8_t)magnitude;
	if (size && raw[size - 1] & 0x80)
		raw[size++] = 0;
	if (n < 0)
		raw[size - 1] |= 0x80;
	script_push(b, BYTES(raw, size));
}

bool script_read(struct cursor *c, uint8_t *op, struct bytes *push)
{
	size_t size = 0;

	*push = BYTES_NONE;
	if (!cursor_ok(c) || c->left == 0)
		return false;
	*op = cursor_u8(c);
	if (*op < OP_PUSHDATA1)
		size = *op;
	else if (*op == OP_PUSHDATA1)
		size = cursor_u8(c);
	else if (*op == OP_PUSHDATA2)
		size = cursor_le16(c);
	else if (*op == OP_PUSHDATA4)
		size = cursor_le32(c);
	*push = cursor_bytes(c, size);
	return cursor_ok(c);
}

static struct bytes witness_program(struct arena *a, uint8_t version_op, const void *program, uint8_t size)
{
	uint8_t *s = arena_alloc(a, (size_t)size + 2);

	s[0] = version_op;
	s[1] = size;
	memcpy(s + 2, program, size);
	return BYTES(s, (size_t)size + 2);
}

struct bytes script_p2wpkh(struct arena *a, const struct pubkey *p)
{
	struct hash160 h = hash160(p->v, sizeof(p->v));

	return witness_program(a, OP_0, h.v, sizeof(h.v));
}

struct bytes script_p2wsh(struct arena *a, struct bytes witness_script)
{
	struct sha256 h = sha256(witness_script.data, witness_script.size);

	return witness_program(a, OP_0, h.v, sizeof(h.v));
}

struct bytes script_p2tr(struct arena *a, const struct xonly *output_key)
{
	return witness_program(a, OP_1, output_key->v, sizeof(output_key->v));
}

struct bytes script_p2pkh(struct arena *a, const struct hash160 *h)
{
	uint8_t *s = arena_alloc(a, 25);

	s[0] = OP_DUP;
	s[1] = OP_HASH160;
	s[2] = sizeof(h->v);
	memcpy(s + 3, h->v, sizeof(h->v));
	s[23] = OP_EQUALVERIFY;
	s[24] = OP_CHECKSIG;
	return BYTES(s, 25);
}

struct bytes script_p2sh(struct arena *a, const struct hash160 *h)
{
	uint8_t *s = arena_alloc(a, 23);

	s[0] = OP_HASH160;
	s[1] = sizeof(h->v);
	memcpy(s + 2, h->v, sizeof(h->v));
	s[22] = OP_EQUAL;
	return BYTES(s, 23);
}

struct bytes script_code_p2wpkh(struct arena *a, const struct pubkey *p)
{
	struct hash160 h = hash160(p->v, sizeof(p->v));

	return script_p2pkh(a, &h);
}

bool script_is_p2wpkh(struct bytes s)
{
	return s.size == 22 && s.data[0] == OP_0 && s.data[1] == 20;
}

bool script_is_p2wsh(struct bytes s)
{
	return s.size == 34 && s.data[0] == OP_0 && s.data[1] == 32;
}

bool script_is_p2tr(struct bytes s)
{
	return s.size == 34 && s.data[0] == OP_1 && s.data[1] == 32;
}

bool script_is_p2pkh(struct bytes s)
{
	return s.size == 25 && s.data[0] == OP_DUP && s.data[1] == OP_HASH160 && s.data[2] == 20 &&
	       s.data[23] == OP_EQUALVERIFY && s.data[24] == OP_CHECKSIG;
}

bool script_is_p2sh(struct bytes s)
{
	return s.size == 23 && s.data[0] == OP_HASH160 && s.data[1] == 20 && s.data[22] == OP_EQUAL;
}

bool script_is_witness(struct bytes s)
{
	return s.size >= 4 && s.size <= 42 && (s.data[0] == OP_0 || (s.data[0] >= OP_1 && s.data[0] <= OP_16)) &&
	       s.data[1] + 2u == s.size;
}

bool script_is_witness_v1_up(struct bytes s)
{
	return script_is_witness(s) && s.data[0] != OP_0;
}

struct amount_sat script_dust_limit(struct bytes script)
{
	uint64_t vbytes = 8 + varint_size(script.size) + script.size;

	if (script.size > SCRIPT_SIZE_MAX || (script.size && script.data[0] == OP_RETURN))
		return SAT(0);
	vbytes += script_is_witness(script) ? DUST_SPEND_VBYTES_WITNESS : DUST_SPEND_VBYTES_LEGACY;
	return SAT(vbytes * DUST_RATE_PER_VBYTE);
}
