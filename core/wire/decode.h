/* What every decoder of the wire reports and shares.
 *
 * Generated decoders (scripts/wiregen from spec/) are total: any bytes give a
 * result.  `struct bytes` members of a decoded message are views into its input
 * and live as long as it does; arrays and optional members are in the arena.
 * Points in the body of a message are not checked (BOLT 2 gives them rules of
 * their own: ask pubkey_valid); points in TLV records are (BOLT 1 Appendix B).
 *
 * What the receiver does about a result is BOLT 1's "Lightning Message Format":
 * everything but DECODE_OK closes the connection. */
#ifndef WIRE_DECODE_H
#define WIRE_DECODE_H

#include "base/amount.h"
#include "base/arena.h"
#include "base/cursor.h"
#include "base/types.h"

enum decode_result {
	DECODE_OK,
	DECODE_TRUNCATED,	 /* shorter than the fields of its type */
	DECODE_WRONG_TYPE,	 /* not the type asked for */
	DECODE_BAD_TLV,		 /* a record cut short, not minimal, or with a wrong value */
	DECODE_BAD_TLV_ORDER,	 /* types not strictly increasing */
	DECODE_UNKNOWN_EVEN_TLV, /* a record that must be understood and is not */
};

const char *decode_result_name(enum decode_result r);

/* Where a TLV stream went wrong (BOLT 4 invalid_onion_payload wants to know). */
struct decode_fault {
	uint64_t tlv_type; /* 0 where the type itself could not be read */
	uint32_t offset;   /* of the record in the stream */
};

/* A channel and a direction, or a node: BOLT 1 "Fundamental Types". */
struct sciddir_or_pubkey {
	bool is_pubkey;
	uint8_t direction; /* 0: node_id_1, 1: node_id_2 */
	struct scid scid;
	struct pubkey pubkey;
};

/* One entry a message or failure type: for fuzzers, tests and tracing. */
struct codec {
	uint16_t type;
	const char *name;
	size_t struct_size;
	enum decode_result (*decode)(struct bytes message, struct arena *a, void *out);
	void (*encode)(const void *m, struct buf *out);
};

/* Sticky readers of the variable-length types; a failure is a failed cursor. */
uint64_t cursor_bigsize(struct cursor *c); /* minimal or fails */
uint16_t cursor_tu16(struct cursor *c);	   /* truncated integers: all that is left */
uint32_t cursor_tu32(struct cursor *c);
uint64_t cursor_tu64(struct cursor *c);
/* Fail above the supply of Bitcoin. */
struct amount_sat cursor_tu64_sat(struct cursor *c);
struct amount_msat cursor_tu64_msat(struct cursor *c);
bool cursor_bool(struct cursor *c); /* 0 or 1 */
struct pubkey cursor_point(struct cursor *c); /* on the curve or fails */
struct sciddir_or_pubkey cursor_sciddir_or_pubkey(struct cursor *c);
struct bytes cursor_bytes_of(struct cursor *c, uint64_t size);
struct bytes cursor_utf8(struct cursor *c, uint64_t size); /* fails unless it is UTF-8 */
/* A count of items of at least item_size bytes: fails, as 0, unless that many can still follow, so that
 * no array is larger than what its sender paid for. */
uint32_t cursor_count(struct cursor *c, uint64_t count, size_t item_size);
/* How many items of exactly item_size fill the rest; fails unless they do. */
uint32_t cursor_count_rest(struct cursor *c, size_t item_size);

void buf_add_bigsize(struct buf *b, uint64_t v);
size_t bigsize_size(uint64_t v);
void buf_add_tu64(struct buf *b, uint64_t v); /* also tu16, tu32 */
void buf_add_utf8(struct buf *b, struct bytes text); /* must be UTF-8 (asserted) */
void buf_add_sciddir_or_pubkey(struct buf *b, const struct sciddir_or_pubkey *s);

/* A stored record inside another: its length as u32, written afterwards. */
size_t record_begin(struct buf *out);
void record_end(struct buf *out, size_t at);

#endif
