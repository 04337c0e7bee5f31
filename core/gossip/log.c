#include "gossip/log.h"

#include <string.h>

#include "gossip/message.h"

#define LOG_MAGIC "LMPGSP01"
#define CHANNEL_FIXED 40u

void log_header_encode(uint8_t out[LOG_HEADER_SIZE], const struct block_hash *chain)
{
	memcpy(out, LOG_MAGIC, 8);
	memcpy(out + 8, chain->v, 32);
	store_be32(out + 40, crc32c(0, BYTES(out, 40)));
}

bool log_header_check(const uint8_t header[LOG_HEADER_SIZE], const struct block_hash *chain)
{
	uint8_t want[LOG_HEADER_SIZE];

	log_header_encode(want, chain);
	return memcmp(header, want, LOG_HEADER_SIZE) == 0;
}

void log_record_encode(enum log_kind kind, struct bytes fixed, struct bytes message, struct buf *out)
{
	uint8_t *p = buf_extend(out, LOG_RECORD_HEADER);
	size_t start = (size_t)(p - out->data), size = fixed.size + message.size;

	ASSERT(size <= LOG_BODY_MAX);
	p[8] = (uint8_t)kind;
	buf_add_bytes(out, fixed);
	buf_add_bytes(out, message);
	p = out->data + start;
	store_be32(p, (uint32_t)size);
	store_be32(p + 4, crc32c(0, BYTES(p + 8, size + 1)));
}

uint32_t log_record_size(const uint8_t *header)
{
	uint32_t size = load_be32(header);

	return size > LOG_BODY_MAX || header[8] < LOG_CHANNEL || header[8] > LOG_SPENT ? 0 : size + LOG_RECORD_HEADER;
}

static bool body_fits(enum log_kind kind, size_t size)
{
	switch (kind) {
	case LOG_CHANNEL:
		return size > CHANNEL_FIXED;
	case LOG_UPDATE:
	case LOG_NODE:
		return size > 0;
	case LOG_FORGET:
		return size == 8;
	case LOG_SPENT:
		return size == 12;
	}
	return false;
}

bool log_record_open(struct bytes record, enum log_kind *kind, struct bytes *body)
{
	if (record.size < LOG_RECORD_HEADER || log_record_size(record.data) != record.size)
		return false;
	*kind = (enum log_kind)record.data[8];
	*body = BYTES(record.data + LOG_RECORD_HEADER, record.size - LOG_RECORD_HEADER);
	return body_fits(*kind, body->size);
}

bool log_record_decode(struct bytes record, enum log_kind *kind, struct bytes *body)
{
	return log_record_open(record, kind, body) &&
	       load_be32(record.data + 4) == crc32c(0, BYTES(record.data + 8, record.size - 8));
}

struct bytes log_message(enum log_kind kind, struct bytes body)
{
	switch (kind) {
	case LOG_CHANNEL:
		ASSERT(body.size > CHANNEL_FIXED);
		return BYTES(body.data + CHANNEL_FIXED, body.size - CHANNEL_FIXED);
	case LOG_UPDATE:
	case LOG_NODE:
		return body;
	case LOG_FORGET:
	case LOG_SPENT:
		return BYTES_NONE;
	}
	UNREACHABLE();
}

bool log_next(struct log_reader *r, uint32_t *ref, struct bytes *record)
{
	enum log_kind kind;
	struct bytes body;
	uint32_t size;

	if (r->at == 0)
		r->at = LOG_HEADER_SIZE;
	if (r->log.size < r->at || r->log.size - r->at < LOG_RECORD_HEADER)
		return false;
	size = log_record_size(r->log.data + r->at);
	if (size == 0 || size > r->log.size - r->at)
		return false;
	*record = BYTES(r->log.data + r->at, size);
	if (!log_record_decode(*record, &kind, &body))
		return false;
	*ref = r->at;
	r->at += size;
	return true;
}

void log_places_rewritten(struct log_places *p, uint32_t start, uint32_t first_new)
{
	p->generation++;
	p->start = start;
	p->first_new = first_new;
}

bool log_places_find(const struct log_places *p, uint32_t generation, uint32_t ref, bool *old, uint32_t *at)
{
	*old = false;
	*at = ref;
	if (generation == p->generation)
		return true;
	if (generation + 1 != p->generation)
		return false;
	*old = ref < p->start;
	if (!*old)
		*at = ref - p->start + p->first_new;
	return true;
}
