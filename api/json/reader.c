#include "api/json/reader.h"

void json_reader_init(struct json_reader *r, size_t size_max)
{
	ASSERT(size_max > 0);
	*r = (struct json_reader){ .size_max = size_max, .failed = JSON_READ_MORE };
	buf_init(&r->bytes);
	json_scan_init(&r->scan);
}

void json_reader_release(struct json_reader *r)
{
	buf_release(&r->bytes);
}

void json_reader_feed(struct json_reader *r, struct bytes bytes)
{
	if (r->failed != JSON_READ_MORE)
		return;
	/* Only the unfinished text moves to the front, once a text: O(n) in all. */
	buf_consume(&r->bytes, r->begin);
	r->scanned -= r->begin;
	r->begin = 0;
	/* An idle client keeps no memory of a large request. */
	if (r->bytes.size == 0 && r->bytes.capacity > 1 << 16)
		buf_release(&r->bytes);
	buf_add_bytes(&r->bytes, bytes);
}

static enum json_read fail(struct json_reader *r, enum json_read why)
{
	r->failed = why;
	r->begin = r->scanned = 0;
	buf_release(&r->bytes);
	return why;
}

static enum json_read whole(struct json_reader *r, struct bytes *text)
{
	const size_t size = r->scanned - r->begin;

	if (size > r->size_max)
		return fail(r, JSON_READ_TOO_LONG);
	*text = BYTES(r->bytes.data + r->begin, size);
	r->begin = r->scanned;
	json_scan_init(&r->scan);
	return JSON_READ_TEXT;
}

enum json_read json_reader_next(struct json_reader *r, struct bytes *text)
{
	*text = BYTES_NONE;
	while (r->failed == JSON_READ_MORE && r->scanned < r->bytes.size) {
		switch (json_scan_byte(&r->scan, r->bytes.data[r->scanned++])) {
		case JSON_SCAN_MORE:
			if (!json_scan_begun(&r->scan))
				r->begin = r->scanned;
			if (r->scanned - r->begin > r->size_max)
				return fail(r, JSON_READ_TOO_LONG);
			break;
		case JSON_SCAN_WHOLE:
			return whole(r, text);
		case JSON_SCAN_WHOLE_BEFORE:
			r->scanned--;
			return whole(r, text);
		case JSON_SCAN_BAD:
			return fail(r, JSON_READ_BAD);
		}
	}
	return r->failed;
}

enum json_read json_reader_end(struct json_reader *r, struct bytes *text)
{
	*text = BYTES_NONE;
	if (r->failed != JSON_READ_MORE || r->begin == r->scanned)
		return r->failed;
	return json_scan_end(&r->scan) ? whole(r, text) : fail(r, JSON_READ_BAD);
}
