#include "bitcoin/block.h"

#include "crypto/hash.h"

#define TX_SIZE_MIN 10u
#define BITS_SIGN 0x00800000u
#define BITS_MANTISSA 0x007fffffu

void block_header_read(struct block_header *h, struct cursor *c)
{
	h->version = (int32_t)cursor_le32(c);
	cursor_copy(c, h->prev.v, sizeof(h->prev.v));
	cursor_copy(c, h->merkle_root.v, sizeof(h->merkle_root.v));
	h->time = cursor_le32(c);
	h->bits = cursor_le32(c);
	h->nonce = cursor_le32(c);
}

void block_header_encode(uint8_t out80[BLOCK_HEADER_SIZE], const struct block_header *h)
{
	store_le32(out80, (uint32_t)h->version);
	memcpy(out80 + 4, h->prev.v, 32);
	memcpy(out80 + 36, h->merkle_root.v, 32);
	store_le32(out80 + 68, h->time);
	store_le32(out80 + 72, h->bits);
	store_le32(out80 + 76, h->nonce);
}

struct block_hash block_header_hash(const struct block_header *h)
{
	uint8_t raw[BLOCK_HEADER_SIZE];
	struct block_hash out;
	struct sha256 d;

	block_header_encode(raw, h);
	d = sha256d(raw, sizeof(raw));
	memcpy(out.v, d.v, sizeof(out.v));
	return out;
}

int u256_cmp(const struct u256 *a, const struct u256 *b)
{
	for (int i = 0; i < 4; i++)
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	return 0;
}

bool u256_add(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	struct u256 sum;
	unsigned carry = 0;

	for (int i = 3; i >= 0; i--) {
		unsigned __int128 v = (unsigned __int128)a->limb[i] + b->limb[i] + carry;

		sum.limb[i] = (uint64_t)v;
		carry = (unsigned)(v >> 64);
	}
	if (carry)
		return false;
	*out = sum;
	return true;
}

void u256_store_be(uint8_t out32[32], const struct u256 *v)
{
	for (int i = 0; i < 4; i++)
		store_be64(out32 + 8 * i, v->limb[i]);
}

struct u256 u256_load_be(const uint8_t in32[32])
{
	struct u256 v;

	for (int i = 0; i < 4; i++)
		v.limb[i] = load_be64(in32 + 8 * i);
	return v;
}

bool block_target(struct u256 *out, uint32_t bits)
{
	uint32_t exponent = bits >> 24, mantissa = bits & BITS_MANTISSA;
	uint8_t raw[32] = { 0 };

	if (mantissa == 0 || bits & BITS_SIGN)
		return false;
	if (exponent > 34 || (mantissa > 0xff && exponent > 33) || (mantissa > 0xffff && exponent > 32))
		return false;
	/* mantissa * 256^(exponent - 3): byte i of the mantissa is byte exponent - 3 + i from the right. */
	for (int i = 0; i < 3; i++) {
		int place = (int)exponent - 3 + i;
		uint8_t byte = (uint8_t)(mantissa >> 8 * i);

		if (byte && place >= 0)
			raw[31 - place] = byte;
	}
	*out = u256_load_be(raw);
	return !bytes_all_zero(BYTES_OF(raw));
}

bool block_work_proved(const struct block_hash *hash, uint32_t bits, uint32_t limit_bits)
{
	struct u256 target, limit, value;
	uint8_t be[32];

	for (int i = 0; i < 32; i++)
		be[i] = hash->v[31 - i];
	value = u256_load_be(be);
	return block_target(&target, bits) && block_target(&limit, limit_bits) && u256_cmp(&target, &limit) <= 0 &&
	       u256_cmp(&value, &target) <= 0;
}

static void shift_left(struct u256 *v, unsigned bit)
{
	for (int i = 0; i < 3; i++)
		v->limb[i] = v->limb[i] << 1 | v->limb[i + 1] >> 63;
	v->limb[3] = v->limb[3] << 1 | bit;
}

static void subtract(struct u256 *a, const struct u256 *b)
{
	unsigned borrow = 0;

	for (int i = 3; i >= 0; i--) {
		unsigned __int128 v = (unsigned __int128)a->limb[i] - b->limb[i] - borrow;

		a->limb[i] = (uint64_t)v;
		borrow = (v >> 64) != 0;
	}
}

/* numerator / divisor, bit by bit; the divisor has its top bit clear or the numerator is below it. */
static struct u256 divide(const struct u256 *numerator, const struct u256 *divisor)
{
	struct u256 quotient = { { 0 } }, remainder = { { 0 } };

	for (int bit = 255; bit >= 0; bit--) {
		bool over = remainder.limb[0] >> 63;

		shift_left(&remainder, (unsigned)(numerator->limb[3 - bit / 64] >> bit % 64 & 1));
		over |= u256_cmp(&remainder, divisor) >= 0;
		if (over)
			subtract(&remainder, divisor);
		shift_left(&quotient, over);
	}
	return quotient;
}

struct u256 block_work(uint32_t bits)
{
	static const struct u256 one = { { 0, 0, 0, 1 } };
	struct u256 target, above, inverse, work = { { 0 } };

	if (!block_target(&target, bits))
		return work;
	/* 2^256 does not fit: 2^256 / (t + 1) = (2^256 - 1 - t) / (t + 1) + 1.  No bits give the target 2^256 - 1. */
	for (int i = 0; i < 4; i++)
		inverse.limb[i] = ~target.limb[i];
	ASSERT(u256_add(&above, &target, &one));
	work = divide(&inverse, &above);
	ASSERT(u256_add(&work, &work, &one));
	return work;
}

void merkle_init(struct merkle *m)
{
	memset(m, 0, sizeof(*m));
}

static struct sha256 pair_hash(const struct sha256 *left, const struct sha256 *right)
{
	uint8_t both[64];

	memcpy(both, left->v, 32);
	memcpy(both + 32, right->v, 32);
	return sha256d(both, sizeof(both));
}

/* Like adding 1 to a binary counter: a level that is held is a bit that is set. */
void merkle_add(struct merkle *m, const struct txid *leaf)
{
	struct sha256 h;
	uint32_t level = 0;

	ASSERT(m->count < 1u << (MERKLE_LEVELS - 1));
	memcpy(h.v, leaf->v, sizeof(h.v));
	for (; m->count >> level & 1; level++) {
		m->mutated |= SAME(m->level[level], h);
		h = pair_hash(&m->level[level], &h);
	}
	m->level[level] = h;
	m->count++;
}

struct sha256 merkle_root(struct merkle *m)
{
	uint32_t level = 0, count = m->count;
	struct sha256 h;

	if (count == 0)
		return (struct sha256){ { 0 } };
	while (!(count >> level & 1))
		level++;
	h = m->level[level];
	while (count != 1u << level) {
		/* The last subtree is alone on its level: it is paired with itself, which counts as so many leaves more. */
		h = pair_hash(&h, &h);
		count += 1u << level;
		level++;
		for (; !(count >> level & 1); level++) {
			m->mutated |= SAME(m->level[level], h);
			h = pair_hash(&m->level[level], &h);
		}
	}
	return h;
}

bool block_open(struct block_reader *r, struct bytes raw)
{
	uint64_t count;

	memset(r, 0, sizeof(*r));
	r->rest = cursor_of(raw);
	block_header_read(&r->header, &r->rest);
	count = cursor_varint(&r->rest);
	if (!cursor_ok(&r->rest) || count == 0 || count > r->rest.left / TX_SIZE_MIN ||
	    count > 1u << (MERKLE_LEVELS - 1))
		return false;
	r->hash = block_header_hash(&r->header);
	r->tx_count = (uint32_t)count;
	merkle_init(&r->merkle);
	return true;
}

struct tx *block_next(struct block_reader *r, struct arena *a, struct txid *id)
{
	struct tx *t;

	if (r->tx_index == r->tx_count)
		return NULL;
	t = tx_decode(a, &r->rest);
	if (!t)
		return NULL;
	*id = tx_id(t);
	merkle_add(&r->merkle, id);
	r->tx_index++;
	return t;
}

bool block_complete(struct block_reader *r)
{
	struct sha256 root;

	if (r->tx_index != r->tx_count || !cursor_done(&r->rest))
		return false;
	root = merkle_root(&r->merkle);
	return SAME(root, r->header.merkle_root) && !r->merkle.mutated;
}
