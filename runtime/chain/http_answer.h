/* An answer of an HTTP/1.1 server as it comes, in pieces of any size (RFC 9112): a length, chunks, or all until the
 * connection ends.  What is not understood is refused: whoever answers like that is no bitcoind. */
#ifndef RUNTIME_CHAIN_HTTP_ANSWER_H
#define RUNTIME_CHAIN_HTTP_ANSWER_H

#include "base/bytes.h"

#define HTTP_LINE_MAX 8192u
#define HTTP_HEAD_MAX 65536u /* all lines of an answer that are not its body */

enum http_state {
	HTTP_STATUS,      /* a line is awaited, as long as HTTP_TRAILER */
	HTTP_HEADER,
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_END,   /* the empty one after a chunk */
	HTTP_TRAILER,
	HTTP_LENGTH,      /* `left` bytes of the body, or of this chunk */
	HTTP_CHUNK,
	HTTP_UNTIL_END,
	HTTP_DONE,
};

struct http_answer {
	enum http_state state;
	int status;
	bool chunked, has_length;
	bool ends;             /* the connection is of no use after it */
	uint64_t left;
	struct buf *body;      /* borrowed */
	size_t body_max;
	size_t head_size;      /* of all lines so far */
	char line[HTTP_LINE_MAX];
	size_t line_size;
};

/* The body is appended to. */
void http_answer_init(struct http_answer *a, struct buf *body, size_t body_max);
/* Takes what belongs to the answer: *used bytes, fewer than there are only once it is done.  False: refused, for good. */
MUST_USE bool http_answer_read(struct http_answer *a, struct bytes data, size_t *used);
/* The connection has ended: whether the answer is whole. */
MUST_USE bool http_answer_end(struct http_answer *a);

#endif
