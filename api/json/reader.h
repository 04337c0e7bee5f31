/* A stream of bytes cut into whole JSON texts.
 *
 * Clients of a JSON-RPC socket send requests with newlines between them, with
 * none, several in one write or one in a hundred writes.  The reader finds
 * where each text ends by the grammar alone.  Feeding n bytes costs O(n)
 * however they are split.
 *
 * Once the stream is not JSON nobody can tell where the next request begins:
 * JSON_READ_BAD and JSON_READ_TOO_LONG stay. */
#ifndef API_JSON_READER_H
#define API_JSON_READER_H

#include "api/json/scan.h"
#include "base/bytes.h"

enum json_read {
	JSON_READ_MORE,
	JSON_READ_TEXT,
	JSON_READ_BAD,
	JSON_READ_TOO_LONG,
};

struct json_reader {
	struct buf bytes;
	size_t begin;	/* of the text being read */
	size_t scanned; /* bytes that the scan has seen */
	size_t size_max;
	struct json_scan scan;
	enum json_read failed; /* JSON_READ_MORE: not */
};

void json_reader_init(struct json_reader *r, size_t size_max);
void json_reader_release(struct json_reader *r);
/* Copies. */
void json_reader_feed(struct json_reader *r, struct bytes bytes);
/* The next text, without the whitespace around it.  The view lasts until the next call on the reader. */
MUST_USE enum json_read json_reader_next(struct json_reader *r, struct bytes *text);
/* The stream ended.  Like json_reader_next, to be called when that has said
 * JSON_READ_MORE: a number at the end is whole now, anything else unfinished
 * is JSON_READ_BAD; JSON_READ_MORE: nothing was left over. */
MUST_USE enum json_read json_reader_end(struct json_reader *r, struct bytes *text);

#endif
