#include "tests/test.h"

#include <string.h>

#include "api/json/json.h"
#include "api/json/reader.h"

/* Feeds in pieces of step bytes; returns how the reader ended and counts the texts. */
static enum json_read run(const char *stream, size_t step, size_t size_max, int *texts, struct buf *seen)
{
	struct json_reader reader;
	enum json_read got = JSON_READ_MORE;
	const size_t size = strlen(stream);
	struct bytes text;
	size_t at;

	*texts = 0;
	json_reader_init(&reader, size_max);
	for (at = 0; at < size; at += step) {
		json_reader_feed(&reader, BYTES(stream + at, size - at < step ? size - at : step));
		while ((got = json_reader_next(&reader, &text)) == JSON_READ_TEXT) {
			(*texts)++;
			buf_add_bytes(seen, text);
			buf_add_string(seen, "|");
		}
	}
	json_reader_release(&reader);
	return got;
}

static void check_stream(const char *stream, enum json_read end, int count, const char *seen)
{
	size_t step;

	for (step = 1; step <= strlen(stream); step++) {
		struct buf got = BUF_EMPTY;
		int texts;

		CHECK_EQ(run(stream, step, 1000, &texts, &got), end);
		CHECK_EQ(texts, count);
		buf_add_u8(&got, 0);
		CHECK_STR((const char *)got.data, seen);
		buf_release(&got);
	}
}

TEST(reader_cuts_texts_however_the_bytes_arrive)
{
	check_stream("{}", JSON_READ_MORE, 1, "{}|");
	check_stream("{}{}[1]", JSON_READ_MORE, 3, "{}|{}|[1]|");
	check_stream("\r\n {\"a\":1}\n\n\t[ ]\n", JSON_READ_MORE, 2, "{\"a\":1}|[ ]|");
	check_stream("{\"a\":\"}\\\"]{\\\\\"}{\"b\":[{},[],\"\\u00e9\"]}", JSON_READ_MORE, 2,
		     "{\"a\":\"}\\\"]{\\\\\"}|{\"b\":[{},[],\"\\u00e9\"]}|");
	check_stream("12 -0.5e+7\n\"x\"true null{", JSON_READ_MORE, 5, "12|-0.5e+7|\"x\"|true|null|");
	check_stream("1{}", JSON_READ_MORE, 2, "1|{}|");
}

TEST(reader_ends_at_the_first_byte_that_cannot_be_json)
{
	check_stream("{} x", JSON_READ_BAD, 1, "{}|");
	check_stream("]", JSON_READ_BAD, 0, "");
	check_stream("[1}", JSON_READ_BAD, 0, "");
	check_stream("{\"a\":1]", JSON_READ_BAD, 0, "");
	check_stream("{a", JSON_READ_BAD, 0, "");
	check_stream("{\"a\" 1", JSON_READ_BAD, 0, "");
	check_stream("[1,]", JSON_READ_BAD, 0, "");
	check_stream("{\"a\":1,}", JSON_READ_BAD, 0, "");
	check_stream("[,", JSON_READ_BAD, 0, "");
	check_stream("[012", JSON_READ_BAD, 0, "");
	check_stream("[-]", JSON_READ_BAD, 0, "");
	check_stream("[1.]", JSON_READ_BAD, 0, "");
	check_stream("[1e]", JSON_READ_BAD, 0, "");
	check_stream("[.5", JSON_READ_BAD, 0, "");
	check_stream("[+", JSON_READ_BAD, 0, "");
	check_stream("[nul]", JSON_READ_BAD, 0, "");
	check_stream("[\"\\x", JSON_READ_BAD, 0, "");
	check_stream("[\"\\u12g", JSON_READ_BAD, 0, "");
	check_stream("[\"\n", JSON_READ_BAD, 0, "");
	/* The specification's own example of a broken call: found at the byte that breaks it. */
	check_stream("{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"p", JSON_READ_BAD, 0, "");
}

TEST(reader_bounds_size_and_depth)
{
	struct buf seen = BUF_EMPTY, deep = BUF_EMPTY;
	int texts, i;

	CHECK_EQ(run("[1234567]", 1, 9, &texts, &seen), JSON_READ_MORE);
	CHECK_EQ(texts, 1);
	CHECK_EQ(run("[1234567]", 1, 8, &texts, &seen), JSON_READ_TOO_LONG);
	CHECK_EQ(run("[1234567]", 9, 8, &texts, &seen), JSON_READ_TOO_LONG);
	/* Whitespace between texts is no text. */
	CHECK_EQ(run("             [1]             ", 1, 4, &texts, &seen), JSON_READ_MORE);
	CHECK_EQ(texts, 1);
	for (i = 0; i < JSON_DEPTH_MAX; i++)
		buf_add_string(&deep, "[");
	buf_add_u8(&deep, 0);
	CHECK_EQ(run((const char *)deep.data, 1, 1000, &texts, &seen), JSON_READ_MORE);
	deep.data[deep.size - 1] = '[';
	buf_add_u8(&deep, 0);
	CHECK_EQ(run((const char *)deep.data, 1, 1000, &texts, &seen), JSON_READ_BAD);
	buf_release(&seen);
	buf_release(&deep);
}

TEST(reader_stays_failed)
{
	struct json_reader r;
	struct bytes text;

	json_reader_init(&r, 100);
	json_reader_feed(&r, bytes_from_string("}"));
	CHECK_EQ(json_reader_next(&r, &text), JSON_READ_BAD);
	json_reader_feed(&r, bytes_from_string("{}"));
	CHECK_EQ(json_reader_next(&r, &text), JSON_READ_BAD);
	CHECK_EQ(json_reader_end(&r, &text), JSON_READ_BAD);
	json_reader_release(&r);
}

TEST(reader_end_tells_whole_from_cut_off)
{
	struct json_reader r;
	struct bytes text;

	json_reader_init(&r, 100);
	json_reader_feed(&r, bytes_from_string("{} 42"));
	CHECK_EQ(json_reader_next(&r, &text), JSON_READ_TEXT);
	CHECK_EQ(json_reader_next(&r, &text), JSON_READ_MORE);
	CHECK_EQ(json_reader_end(&r, &text), JSON_READ_TEXT);
	CHECK(bytes_equal(text, bytes_from_string("42")));
	CHECK_EQ(json_reader_end(&r, &text), JSON_READ_MORE);
	json_reader_feed(&r, bytes_from_string("{\"a\""));
	CHECK_EQ(json_reader_next(&r, &text), JSON_READ_MORE);
	CHECK_EQ(json_reader_end(&r, &text), JSON_READ_BAD);
	json_reader_release(&r);
}

static json_t *parse(const char *text)
{
	char why[JSON_WHY_SIZE];

	return json_parse(bytes_from_string(text), why);
}

TEST(parsing_is_strict)
{
	static const char *const refused[] = {
		"", " ", "{} {}", "{}x", "1 2", "{\"a\":1,\"a\":2}", "[\"\xff\"]", "[\"\\u0000\"]",
		"[9223372036854775808]", "[1e999]", "[\"\\ud800\"]", "nan", "{'a':1}", "[1,2",
	};
	json_t *v;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(refused); i++)
		CHECK(!parse(refused[i]));
	v = parse(" {\"a\": [9223372036854775807, -1, 1.5, \"\\u00e9\"]} \n");
	CHECK(v && json_integer_value(json_array_get(json_object_get(v, "a"), 0)) == INT64_MAX);
	json_decref(v);
	v = parse("17");
	CHECK(json_integer_value(v) == 17);
	json_decref(v);
}

static void check_written(json_t *v, const char *text)
{
	struct buf out = BUF_EMPTY;

	json_write(&out, v);
	buf_add_u8(&out, 0);
	CHECK_STR((const char *)out.data, text);
	buf_release(&out);
	json_decref(v);
}

TEST(builders_write_what_they_say)
{
	struct txid txid = { { 0x01 } };
	json_t *o = json_new_object(), *a = json_new_array();

	txid.v[31] = 0xff;
	json_add_msat(o, "a_msat", MSAT(SUPPLY_SAT * 1000));
	json_add_msat(o, "unlimited_msat", MSAT(UINT64_MAX));
	json_add_sat_as_msat(o, "sat_msat", SAT(3));
	json_add_u64(o, "big", UINT64_MAX);
	json_add_txid(o, "txid", &txid);
	json_add_hex(o, "none", BYTES_NONE);
	json_add_scid(o, "scid", scid_make(539268, 845, 1));
	json_add_scid(o, "no_scid", (struct scid){ 0 });
	json_add_bool(o, "b", true);
	json_append(a, json_integer(1));
	json_add(o, "list", a);
	check_written(o, "{\"a_msat\":2100000000000000000,\"unlimited_msat\":2100000000000000000,\"sat_msat\":3000,"
			 "\"big\":9223372036854775807,\"txid\":\"ff00000000000000000000000000000000000000000000000000"
			 "000000000001\",\"none\":\"\",\"scid\":\"539268x845x1\",\"b\":true,\"list\":[1]}");
}

TEST(text_from_strangers_becomes_utf8)
{
	check_written(json_new_text(bytes_from_string("h\xc3\xa9\xf0\x9f\x98\x80")), "\"h\xc3\xa9\xf0\x9f\x98\x80\"");
	check_written(json_new_text(bytes_from_string("a\xffz\xc3")), "\"a\xef\xbf\xbdz\xef\xbf\xbd\"");
	/* Overlong, surrogate, beyond U+10FFFF. */
	check_written(json_new_text(bytes_from_string("\xc0\xaf")), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	check_written(json_new_text(bytes_from_string("\xed\xa0\x80")), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check_written(json_new_text(bytes_from_string("\xf4\x90\x80\x80")),
		      "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check_written(json_new_text(BYTES("a\0\n", 3)), "\"a\xef\xbf\xbd\\n\"");
}

static const char *arena_text(struct bytes b)
{
	char *text = test_alloc(b.size + 1);

	memcpy(text, b.data, b.size);
	text[b.size] = 0;
	return text;
}

/* An alias or a description may hold escape sequences in every disguise that a terminal takes, and marks that make a
 * reader see other digits than there are. */
TEST(attack_terminal_injection)
{
	static const struct { const char *text, *written; } cases[] = {
		{ "\x1b[31mred\x07\r\n", "\"\\u001B[31mred\\u0007\\r\\n\"" },
		{ "\xc2\x9b" "2J\x7f", "\"\\u009b2J\\u007f\"" },                       /* CSI in one character, DEL */
		{ "\xc2\x80\xc2\x9f\xc2\xa0", "\"\\u0080\\u009f\xc2\xa0\"" },           /* C1 ends here */
		{ "1\xe2\x80\xae" "000", "\"1\\u202e000\"" },                          /* right to left */
		{ "\xe2\x81\xa6x\xe2\x81\xa9\xe2\x80\x8f", "\"\\u2066x\\u2069\\u200f\"" },
		{ "\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf", "\"\\u2028\\u2029\\ufeff\"" },
		{ "\xe2\x82\xac \xe2\x80\x94 \xc3\xa9 \xf0\x9f\x98\x80", "\"\xe2\x82\xac \xe2\x80\x94 \xc3\xa9 \xf0\x9f\x98\x80\"" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		check_written(json_new_text(bytes_from_string(cases[i].text)), cases[i].written);
	/* What is written reads back as the same text. */
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct buf out = BUF_EMPTY;
		json_t *v = json_new_text(bytes_from_string(cases[i].text)), *again;

		json_write_pretty(&out, v);
		again = parse(arena_text(buf_view(&out)));
		CHECK(json_equal(v, again));
		json_decref(v);
		json_decref(again);
		buf_release(&out);
	}
}

TEST(pretty_text_has_no_empty_line)
{
	struct buf out = BUF_EMPTY;
	json_t *v = parse("{\"a\":{},\"b\":[],\"c\":\"\\n\\n\",\"d\":[[],{}]}");

	json_write_pretty(&out, v);
	buf_add_u8(&out, 0);
	CHECK(!strstr((const char *)out.data, "\n\n"));
	buf_release(&out);
	json_decref(v);
}
