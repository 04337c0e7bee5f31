#include "runtime/chain/http_answer.h"

#include <string.h>
#include <strings.h>

void http_answer_init(struct http_answer *a, struct buf *body, size_t body_max)
{
	memset(a, 0, sizeof(*a));
	a->body = body;
	a->body_max = body_max;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK" */
static bool on_status(struct http_answer *a)
{
	const char *s = a->line;

	if (a->line_size < 12 || memcmp(s, "HTTP/1.", 7) != 0 || !is_digit(s[7]) || s[8] != ' ' || !is_digit(s[9]) || !is_digit(s[10]) ||
	    !is_digit(s[11]) || (s[12] && s[12] != ' '))
		return false;
	a->status = (s[9] - '0') * 100 + (s[10] - '0') * 10 + s[11] - '0';
	a->ends = s[7] == '0';
	a->chunked = a->has_length = false;
	a->left = 0;
	a->state = HTTP_HEADER;
	return a->status >= 100 && a->status != 101;
}

/* Decimal digits and nothing else; a sum of several lengths that differ is a trick. */
static bool on_length(struct http_answer *a, const char *text)
{
	uint64_t size = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!is_digit(*text))
			return false;
		size = 10 * size + (uint64_t)(*text - '0');
		if (size > a->body_max)
			return false;
	}
	if (a->has_length && size != a->left)
		return false;
	a->has_length = true;
	a->left = size;
	return true;
}

static bool on_header(struct http_answer *a)
{
	char *colon = strchr(a->line, ':'), *value, *end = a->line + a->line_size;

	if (!colon || colon == a->line)
		return false;
	*colon = 0;
	for (value = colon + 1; *value == ' ' || *value == '\t'; value++)
		;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = 0;
	if (!strcasecmp(a->line, "content-length"))
		return on_length(a, value);
	if (!strcasecmp(a->line, "transfer-encoding")) {
		a->chunked = true;
		return !strcasecmp(value, "chunked");
	}
	if (!strcasecmp(a->line, "connection"))
		a->ends = !strcasecmp(value, "close") || (a->ends && strcasecmp(value, "keep-alive") != 0);
	return true;
}

static bool on_head_end(struct http_answer *a)
{
	if (a->status < 200) { /* "100 Continue": the answer is still to come */
		a->state = HTTP_STATUS;
	} else if (a->status == 204 || a->status == 304) {
		a->state = HTTP_DONE;
	} else if (a->chunked) {
		a->state = HTTP_CHUNK_SIZE;
	} else if (a->has_length) {
		a->state = a->left ? HTTP_LENGTH : HTTP_DONE;
	} else {
		a->state = HTTP_UNTIL_END;
		a->ends = true;
	}
	return true;
}

/* Hexadecimal digits, and what a server may say of the chunk. */
static bool on_chunk_size(struct http_answer *a)
{
	size_t i = 0;

	a->left = 0;
	for (; i < 8 && a->line[i]; i++) {
		char c = a->line[i];

		if (is_digit(c))
			a->left = 16 * a->left + (uint64_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			a->left = 16 * a->left + (uint64_t)((c | 32) - 'a' + 10);
		else
			break;
	}
	if (!i || (a->line[i] && a->line[i] != ';' && a->line[i] != ' '))
		return false;
	a->state = a->left ? HTTP_CHUNK : HTTP_TRAILER;
	return a->left <= a->body_max;
}

static bool on_line(struct http_answer *a)
{
	if (memchr(a->line, 0, a->line_size))
		return false;
	a->line[a->line_size] = 0;
	switch (a->state) {
	case HTTP_STATUS:
		return on_status(a);
	case HTTP_HEADER:
		return a->line_size ? on_header(a) : on_head_end(a);
	case HTTP_CHUNK_SIZE:
		return on_chunk_size(a);
	case HTTP_CHUNK_END:
		a->state = HTTP_CHUNK_SIZE;
		return !a->line_size;
	case HTTP_TRAILER:
		if (!a->line_size)
			a->state = HTTP_DONE;
		return true;
	case HTTP_LENGTH:
	case HTTP_CHUNK:
	case HTTP_UNTIL_END:
	case HTTP_DONE:
		break;
	}
	UNREACHABLE();
}

static bool take_line_byte(struct http_answer *a, char c)
{
	bool good;

	if (++a->head_size > HTTP_HEAD_MAX)
		return false;
	if (c != '\n') {
		if (a->line_size == HTTP_LINE_MAX - 1)
			return false;
		a->line[a->line_size++] = c;
		return true;
	}
	if (a->line_size && a->line[a->line_size - 1] == '\r')
		a->line_size--;
	good = on_line(a);
	a->line_size = 0;
	return good;
}

/* How many of these bytes were the body's; 0: it would be too long. */
static size_t take_body(struct http_answer *a, struct bytes data)
{
	size_t size = a->state == HTTP_UNTIL_END || data.size < a->left ? data.size : (size_t)a->left;

	if (size > a->body_max - a->body->size)
		return 0;
	buf_add(a->body, data.data, size);
	if (a->state == HTTP_UNTIL_END)
		return size;
	a->left -= size;
	if (!a->left)
		a->state = a->state == HTTP_CHUNK ? HTTP_CHUNK_END : HTTP_DONE;
	return size;
}

bool http_answer_read(struct http_answer *a, struct bytes data, size_t *used)
{
	*used = 0;
	while (*used < data.size && a->state != HTTP_DONE) {
		if (a->state <= HTTP_TRAILER) {
			if (!take_line_byte(a, (char)data.data[*used]))
				return false;
			++*used;
		} else {
			size_t took = take_body(a, BYTES(data.data + *used, data.size - *used));

			if (!took)
				return false;
			*used += took;
		}
	}
	return true;
}

bool http_answer_end(struct http_answer *a)
{
	if (a->state == HTTP_UNTIL_END)
		a->state = HTTP_DONE;
	return a->state == HTTP_DONE;
}
