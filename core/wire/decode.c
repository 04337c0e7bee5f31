#include "wire/decode.h"

#include "crypto/keys.h"
#include "wire/utf8.h"

const char *decode_result_name(enum decode_result r)
{
	switch (r) {
	case DECODE_OK:
		return "ok";
	case DECODE_TRUNCATED:
		return "truncated";
	case DECODE_WRONG_TYPE:
		return "wrong type";
	case DECODE_BAD_TLV:
		return "malformed TLV record";
	case DECODE_BAD_TLV_ORDER:
		return "TLV records out of order";
	case DECODE_UNKNOWN_EVEN_TLV:
		return "unknown even TLV record";
	}
	UNREACHABLE();
}

/* BOLT 1 Appendix A: CompactSize with big-endian integers. */
uint64_t cursor_bigsize(struct cursor *c)
{
	uint8_t first = cursor_u8(c);
	uint64_t v, least;

	if (first < 0xfd)
		return first;
	if (first == 0xfd) {
		v = cursor_be16(c);
		least = 0xfd;
	} else if (first == 0xfe) {
		v = cursor_be32(c);
		least = 0x10000;
	} else {
		v = cursor_be64(c);
		least = 0x100000000;
	}
	/* B1.type_length_value_format: a second encoding of one value would let two streams mean the same and
	 * be signed differently. */
	if (v < least) {
		cursor_fail(c);
		return 0;
	}
	return v;
}

size_t bigsize_size(uint64_t v)
{
	return v < 0xfd ? 1 : v < 0x10000 ? 3 : v < 0x100000000 ? 5 : 9;
}

void buf_add_bigsize(struct buf *b, uint64_t v)
{
	switch (bigsize_size(v)) {
	case 1:
		buf_add_u8(b, (uint8_t)v);
		break;
	case 3:
		buf_add_u8(b, 0xfd);
		buf_add_be16(b, (uint16_t)v);
		break;
	case 5:
		buf_add_u8(b, 0xfe);
		buf_add_be32(b, (uint32_t)v);
		break;
	default:
		buf_add_u8(b, 0xff);
		buf_add_be64(b, v);
		break;
	}
}

static uint64_t cursor_truncated(struct cursor *c, size_t most)
{
	struct bytes b = cursor_rest(c);
	uint64_t v = 0;

	/* Leading zeros must have been left out: BOLT 1 "Fundamental Types". */
	if (b.size > most || (b.size && b.data[0] == 0)) {
		cursor_fail(c);
		return 0;
	}
	for (size_t i = 0; i < b.size; i++)
		v = v << 8 | b.data[i];
	return v;
}

uint16_t cursor_tu16(struct cursor *c)
{
	return (uint16_t)cursor_truncated(c, 2);
}

uint32_t cursor_tu32(struct cursor *c)
{
	return (uint32_t)cursor_truncated(c, 4);
}

uint64_t cursor_tu64(struct cursor *c)
{
	return cursor_truncated(c, 8);
}

struct amount_sat cursor_tu64_sat(struct cursor *c)
{
	uint64_t v = cursor_truncated(c, 8);

	if (v > SUPPLY_SAT) {
		cursor_fail(c);
		v = 0;
	}
	return SAT(v);
}

struct amount_msat cursor_tu64_msat(struct cursor *c)
{
	uint64_t v = cursor_truncated(c, 8);

	if (v > SUPPLY_SAT * 1000) {
		cursor_fail(c);
		v = 0;
	}
	return MSAT(v);
}

void buf_add_tu64(struct buf *b, uint64_t v)
{
	uint8_t be[8];
	size_t skip = 0;

	store_be64(be, v);
	while (skip < 8 && be[skip] == 0)
		skip++;
	buf_add(b, be + skip, 8 - skip);
}

bool cursor_bool(struct cursor *c)
{
	uint8_t v = cursor_u8(c);

	if (v > 1)
		cursor_fail(c);
	return v == 1;
}

struct pubkey cursor_point(struct cursor *c)
{
	struct pubkey p;

	cursor_copy(c, p.v, sizeof(p.v));
	if (cursor_ok(c) && !pubkey_valid(&p)) {
		cursor_fail(c);
		memset(&p, 0, sizeof(p));
	}
	return p;
}

struct sciddir_or_pubkey cursor_sciddir_or_pubkey(struct cursor *c)
{
	struct sciddir_or_pubkey s;

	memset(&s, 0, sizeof(s));
	if (cursor_ok(c) && c->left && c->data[0] >= 2) {
		s.is_pubkey = true;
		s.pubkey = cursor_point(c);
		return s;
	}
	s.direction = cursor_u8(c);
	s.scid.v = cursor_be64(c);
	return s;
}

void buf_add_sciddir_or_pubkey(struct buf *b, const struct sciddir_or_pubkey *s)
{
	if (s->is_pubkey) {
		buf_add(b, s->pubkey.v, sizeof(s->pubkey.v));
		return;
	}
	ASSERT(s->direction <= 1);
	buf_add_u8(b, s->direction);
	buf_add_be64(b, s->scid.v);
}

struct bytes cursor_bytes_of(struct cursor *c, uint64_t size)
{
	if (size > c->left) {
		cursor_fail(c);
		return BYTES_NONE;
	}
	return cursor_bytes(c, (size_t)size);
}

struct bytes cursor_utf8(struct cursor *c, uint64_t size)
{
	struct bytes text = cursor_bytes_of(c, size);

	if (!utf8_valid(text)) {
		cursor_fail(c);
		return BYTES_NONE;
	}
	return text;
}

/* B1.fundamental_types.6 */
void buf_add_utf8(struct buf *b, struct bytes text)
{
	ASSERT(utf8_valid(text));
	buf_add_bytes(b, text);
}

uint32_t cursor_count(struct cursor *c, uint64_t count, size_t item_size)
{
	if (c->failed || count > c->left / item_size || count > UINT32_MAX) {
		cursor_fail(c);
		return 0;
	}
	return (uint32_t)count;
}

uint32_t cursor_count_rest(struct cursor *c, size_t item_size)
{
	if (c->left % item_size != 0) {
		cursor_fail(c);
		return 0;
	}
	return cursor_count(c, c->left / item_size, item_size);
}

size_t record_begin(struct buf *out)
{
	buf_add_be32(out, 0);
	return out->size;
}

void record_end(struct buf *out, size_t at)
{
	ASSERT(out->size - at <= UINT32_MAX);
	store_be32(out->data + at - 4, (uint32_t)(out->size - at));
}
