/* TLV streams: BOLT 1 "Type-Length-Value Format". */
#ifndef WIRE_TLV_H
#define WIRE_TLV_H

#include "wire/decode.h"

struct tlv_record {
	uint64_t type;
	struct bytes value;
	uint32_t offset; /* in the stream; 0 in records made by hand */
};

/* Walks a stream; the first fault ends it and stays in result.  A decoder calls
 * tlv_next until it is false, for each record one of tlv_check (type known) and
 * tlv_unknown, and returns tlv_finish. */
struct tlv_reader {
	struct cursor c;
	size_t size;
	uint64_t last_type;
	bool any;
	enum decode_result result;
	struct decode_fault fault;
};

struct tlv_reader tlv_reader_of(struct bytes stream);
/* False at the end of the stream or after a fault. */
bool tlv_next(struct tlv_reader *r, struct tlv_record *record);
/* The value's own cursor must have read it whole. */
void tlv_check(struct tlv_reader *r, const struct tlv_record *record, const struct cursor *value);
/* Odd: skipped.  Even: DECODE_UNKNOWN_EVEN_TLV. */
void tlv_unknown(struct tlv_reader *r, const struct tlv_record *record);
/* The same, but an odd record is added to the list (in the arena; value: a view). */
void tlv_keep_unknown(struct tlv_reader *r, struct arena *a, const struct tlv_record *record,
		      struct tlv_record **list, uint32_t *count);
void tlv_fail(struct tlv_reader *r, const struct tlv_record *record, enum decode_result why);
/* fault may be NULL; it is written only if the result is not DECODE_OK. */
enum decode_result tlv_finish(const struct tlv_reader *r, struct decode_fault *fault);

/* The extension of a message that defines no records of its own. */
enum decode_result decode_extension(struct bytes stream);

/* Every record of a stream as it is, known or not, with BOLT 1's rules of form checked and the even/odd rule
 * left to the caller: for custom records of onions.  List in the arena, values are views. */
enum decode_result tlv_list_decode(struct bytes stream, struct arena *a, struct tlv_record **list, uint32_t *count,
				   struct decode_fault *fault);
/* list must be in strictly increasing order (asserted). */
void tlv_list_encode(const struct tlv_record *list, uint32_t count, struct buf *out);
/* NULL if there is no such record. */
const struct tlv_record *tlv_list_find(const struct tlv_record *list, uint32_t count, uint64_t type);

/* Writing one record: begin, append the value, end (which inserts the length). */
size_t tlv_begin(struct buf *out, uint64_t type);
void tlv_end(struct buf *out, size_t at);
void tlv_add(struct buf *out, uint64_t type, struct bytes value);
/* Writes the records of list from index `from` whose type is at most `up_to`; returns the next index.  The list
 * must be in order (asserted). */
uint32_t tlv_add_kept(struct buf *out, const struct tlv_record *list, uint32_t count, uint32_t from, uint64_t up_to);

#endif
