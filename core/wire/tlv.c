#include "wire/tlv.h"

struct tlv_reader tlv_reader_of(struct bytes stream)
{
	struct tlv_reader r;

	memset(&r, 0, sizeof(r));
	r.c = cursor_of(stream);
	r.size = stream.size;
	r.result = DECODE_OK;
	return r;
}

void tlv_fail(struct tlv_reader *r, const struct tlv_record *record, enum decode_result why)
{
	if (r->result != DECODE_OK)
		return;
	r->result = why;
	r->fault.tlv_type = record->type;
	r->fault.offset = record->offset;
	cursor_fail(&r->c);
}

bool tlv_next(struct tlv_reader *r, struct tlv_record *record)
{
	memset(record, 0, sizeof(*record));
	/* B1.type_length_value_format: the stream ends where the bytes do. */
	if (r->result != DECODE_OK || r->c.left == 0)
		return false;
	record->offset = (uint32_t)(r->size - r->c.left);
	record->type = cursor_bigsize(&r->c);
	record->value = cursor_bytes_of(&r->c, cursor_bigsize(&r->c));
	if (!cursor_ok(&r->c)) {
		tlv_fail(r, record, DECODE_BAD_TLV);
		return false;
	}
	if (r->any && record->type <= r->last_type) {
		tlv_fail(r, record, DECODE_BAD_TLV_ORDER);
		return false;
	}
	r->any = true;
	r->last_type = record->type;
	return true;
}

void tlv_check(struct tlv_reader *r, const struct tlv_record *record, const struct cursor *value)
{
	if (!cursor_done(value))
		tlv_fail(r, record, DECODE_BAD_TLV);
}

void tlv_unknown(struct tlv_reader *r, const struct tlv_record *record)
{
	if (record->type % 2 == 0)
		tlv_fail(r, record, DECODE_UNKNOWN_EVEN_TLV);
}

/* Grows by doubling: the arena keeps the old copies until the step ends, at most as much again. */
static void list_add(struct arena *a, struct tlv_record **list, uint32_t *count, const struct tlv_record *record)
{
	if ((*count & (*count - 1)) == 0) {
		struct tlv_record *grown = ARENA_ARRAY(a, struct tlv_record, *count ? (size_t)*count * 2 : 1);

		if (*count)
			memcpy(grown, *list, *count * sizeof(**list));
		*list = grown;
	}
	(*list)[(*count)++] = *record;
}

void tlv_keep_unknown(struct tlv_reader *r, struct arena *a, const struct tlv_record *record,
		      struct tlv_record **list, uint32_t *count)
{
	tlv_unknown(r, record);
	if (r->result == DECODE_OK)
		list_add(a, list, count, record);
}

enum decode_result tlv_finish(const struct tlv_reader *r, struct decode_fault *fault)
{
	if (fault && r->result != DECODE_OK)
		*fault = r->fault;
	return r->result;
}

enum decode_result decode_extension(struct bytes stream)
{
	struct tlv_reader r = tlv_reader_of(stream);
	struct tlv_record record;

	while (tlv_next(&r, &record))
		tlv_unknown(&r, &record);
	return tlv_finish(&r, NULL);
}

enum decode_result tlv_list_decode(struct bytes stream, struct arena *a, struct tlv_record **list, uint32_t *count,
				   struct decode_fault *fault)
{
	struct tlv_reader r = tlv_reader_of(stream);
	struct tlv_record record;

	*list = NULL;
	*count = 0;
	while (tlv_next(&r, &record))
		list_add(a, list, count, &record);
	return tlv_finish(&r, fault);
}

const struct tlv_record *tlv_list_find(const struct tlv_record *list, uint32_t count, uint64_t type)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i].type == type)
			return &list[i];
	return NULL;
}

void tlv_list_encode(const struct tlv_record *list, uint32_t count, struct buf *out)
{
	for (uint32_t i = 0; i < count; i++) {
		ASSERT(i == 0 || list[i - 1].type < list[i].type);
		tlv_add(out, list[i].type, list[i].value);
	}
}

size_t tlv_begin(struct buf *out, uint64_t type)
{
	buf_add_bigsize(out, type);
	return out->size;
}

void tlv_end(struct buf *out, size_t at)
{
	size_t size = out->size - at, length_size = bigsize_size(size);
	struct buf length = { NULL, 0, 0 };

	buf_add_bigsize(&length, size);
	(void)buf_extend(out, length_size);
	memmove(out->data + at + length_size, out->data + at, size);
	memcpy(out->data + at, length.data, length_size);
	buf_release(&length);
}

void tlv_add(struct buf *out, uint64_t type, struct bytes value)
{
	buf_add_bigsize(out, type);
	buf_add_bigsize(out, value.size);
	buf_add_bytes(out, value);
}

uint32_t tlv_add_kept(struct buf *out, const struct tlv_record *list, uint32_t count, uint32_t from, uint64_t up_to)
{
	while (from < count && list[from].type <= up_to) {
		ASSERT(from == 0 || list[from - 1].type < list[from].type);
		tlv_add(out, list[from].type, list[from].value);
		from++;
	}
	return from;
}
