/* The JSON reader: however a stream is cut into feeds, the same texts come
 * out, each of them is one value by the same grammar, and what the strict
 * parser takes survives being written and parsed again. */
#include <stdlib.h>

#include "api/json/json.h"
#include "api/json/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum json_read read_all(struct bytes stream, size_t step, struct buf *seen)
{
	struct json_reader reader;
	struct bytes text;
	enum json_read got = JSON_READ_MORE;
	size_t at;

	json_reader_init(&reader, 4096);
	for (at = 0; at < stream.size; at += step) {
		const size_t left = stream.size - at;

		json_reader_feed(&reader, BYTES(stream.data + at, left < step ? left : step));
		while ((got = json_reader_next(&reader, &text)) == JSON_READ_TEXT) {
			buf_add_bytes(seen, text);
			buf_add_u8(seen, '|');
		}
	}
	json_reader_release(&reader);
	return got;
}

static void parse_one(struct bytes text)
{
	char why[JSON_WHY_SIZE];
	json_t *value = json_parse(text, why);
	struct buf out = BUF_EMPTY;
	json_t *again;

	if (!value)
		return;
	json_write(&out, value);
	again = json_parse(buf_view(&out), why);
	if (!again || !json_equal(value, again))
		abort();
	json_decref(again);
	json_decref(value);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_EMPTY, pieces = BUF_EMPTY;
	size_t step;

	if (size == 0)
		return 0;
	step = (size_t)data[0] % 7 + 1;
	data++;
	size--;
	parse_one(BYTES(data, size));
	if (read_all(BYTES(data, size), size ? size : 1, &whole) != read_all(BYTES(data, size), step, &pieces))
		abort();
	if (!bytes_equal(buf_view(&whole), buf_view(&pieces)))
		abort();
	buf_release(&whole);
	buf_release(&pieces);
	return 0;
}
