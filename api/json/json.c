#include "api/json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/json/scan.h"

static bool one_text(struct bytes text)
{
	struct json_scan scan;
	enum json_scan_result result = JSON_SCAN_MORE;
	size_t i;

	json_scan_init(&scan);
	for (i = 0; i < text.size && result == JSON_SCAN_MORE; i++)
		result = json_scan_byte(&scan, text.data[i]);
	if (result == JSON_SCAN_MORE)
		return json_scan_end(&scan);
	if (result == JSON_SCAN_WHOLE_BEFORE)
		i--;
	if (result == JSON_SCAN_BAD)
		return false;
	while (i < text.size && strchr(" \t\r\n", text.data[i]) && text.data[i])
		i++;
	return i == text.size;
}

json_t *json_parse(struct bytes text, char why[JSON_WHY_SIZE])
{
	json_error_t error;
	json_t *value;

	/* The scan bounds the depth before jansson, which recurses, sees the text. */
	if (!one_text(text)) {
		snprintf(why, JSON_WHY_SIZE, "not one JSON value of at most %d levels", JSON_DEPTH_MAX);
		return NULL;
	}
	value = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!value)
		snprintf(why, JSON_WHY_SIZE, "%s", error.text);
	return value;
}

static json_t *made(json_t *value)
{
	ASSERT(value);
	return value;
}

json_t *json_new_object(void)
{
	return made(json_object());
}

json_t *json_new_array(void)
{
	return made(json_array());
}

/* The size of the UTF-8 sequence at the start, 0 if it is none (RFC 3629: shortest form, no surrogates). */
static size_t utf8_size(struct bytes b)
{
	const uint8_t first = b.data[0];
	const size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
	size_t i;

	if (size == 0 || size > b.size)
		return 0;
	for (i = 1; i < size; i++)
		if ((b.data[i] & 0xc0) != 0x80)
			return 0;
	if ((first == 0xe0 && b.data[1] < 0xa0) || (first == 0xed && b.data[1] > 0x9f))
		return 0;
	if ((first == 0xf0 && b.data[1] < 0x90) || (first == 0xf4 && b.data[1] > 0x8f))
		return 0;
	return size;
}

json_t *json_new_text(struct bytes text)
{
	struct buf clean = BUF_EMPTY;
	json_t *value;

	while (text.size) {
		const size_t size = utf8_size(text);
		const size_t step = size ? size : 1;

		if (size && text.data[0])
			buf_add(&clean, text.data, size);
		else
			buf_add_string(&clean, "\xef\xbf\xbd");
		text = BYTES(text.data + step, text.size - step);
	}
	value = made(json_stringn_nocheck(clean.size ? (const char *)clean.data : "", clean.size));
	buf_release(&clean);
	return value;
}

void json_add(json_t *object, const char *key, json_t *value)
{
	ASSERT(value && !json_object_get(object, key));
	ASSERT(json_object_set_new(object, key, value) == 0);
}

void json_append(json_t *array, json_t *value)
{
	ASSERT(value);
	ASSERT(json_array_append_new(array, value) == 0);
}

void json_add_string(json_t *object, const char *key, const char *utf8)
{
	json_add(object, key, json_string(utf8));
}

void json_add_printf(json_t *object, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_add(object, key, json_vsprintf(fmt, ap));
	va_end(ap);
}

void json_add_text(json_t *object, const char *key, struct bytes text)
{
	json_add(object, key, json_new_text(text));
}

void json_add_bool(json_t *object, const char *key, bool value)
{
	json_add(object, key, json_boolean(value));
}

void json_add_u64(json_t *object, const char *key, uint64_t value)
{
	json_add(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

void json_add_hex(json_t *object, const char *key, struct bytes value)
{
	struct buf hex = BUF_EMPTY;

	buf_add_hex(&hex, value);
	json_add(object, key, json_stringn_nocheck(hex.size ? (const char *)hex.data : "", hex.size));
	buf_release(&hex);
}

void json_add_msat(json_t *object, const char *key, struct amount_msat value)
{
	json_add_u64(object, key, msat_min(value, MSAT(SUPPLY_SAT * 1000)).v);
}

void json_add_sat_as_msat(json_t *object, const char *key, struct amount_sat value)
{
	json_add_msat(object, key, msat_of_sat(sat_min(value, SAT(SUPPLY_SAT))));
}

static void add_reversed(json_t *object, const char *key, const uint8_t v[32])
{
	uint8_t shown[32];
	size_t i;

	for (i = 0; i < 32; i++)
		shown[i] = v[31 - i];
	json_add_hex(object, key, BYTES_OF(shown));
}

void json_add_txid(json_t *object, const char *key, const struct txid *value)
{
	add_reversed(object, key, value->v);
}

void json_add_block_hash(json_t *object, const char *key, const struct block_hash *value)
{
	add_reversed(object, key, value->v);
}

void json_add_scid(json_t *object, const char *key, struct scid value)
{
	if (value.v)
		json_add_printf(object, key, "%ux%ux%u", scid_height(value), scid_tx_index(value), scid_output(value));
}

static int write_chunk(const char *text, size_t size, void *context)
{
	buf_add(context, text, size);
	return 0;
}

/* U+0080 to U+009F, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069, U+FEFF; all but the first of three bytes. */
size_t json_hazard(struct bytes text)
{
	const uint8_t *t = text.data;

	if (!text.size)
		return 0;
	if (t[0] < 0x20 || t[0] == 0x7f)
		return 1;
	if (t[0] == 0xc2 && text.size > 1)
		return t[1] <= 0x9f ? 2 : 0;
	if (text.size < 3)
		return 0;
	if (t[0] == 0xe2 && t[1] == 0x80)
		return t[2] == 0x8e || t[2] == 0x8f || (t[2] >= 0xa8 && t[2] <= 0xae) ? 3 : 0;
	if (t[0] == 0xe2 && t[1] == 0x81)
		return t[2] >= 0xa6 && t[2] <= 0xa9 ? 3 : 0;
	return t[0] == 0xef && t[1] == 0xbb && t[2] == 0xbf ? 3 : 0;
}

static uint32_t character(const uint8_t *t, size_t size)
{
	if (size == 1)
		return t[0];
	if (size == 2)
		return (t[0] & 0x1fu) << 6 | (t[1] & 0x3fu);
	return (t[0] & 0x0fu) << 12 | (t[1] & 0x3fu) << 6 | (t[2] & 0x3fu);
}

/* The writer's own line breaks, between values, stay; in strings it has escaped all of C0. */
static void escape_hazards(struct buf *out, struct bytes text)
{
	size_t from = 0, at = 0, size;

	while (at < text.size) {
		size = text.data[at] == '\n' ? 0 : json_hazard(BYTES(text.data + at, text.size - at));
		if (!size) {
			at++;
			continue;
		}
		buf_add(out, text.data + from, at - from);
		buf_printf(out, "\\u%04x", character(text.data + at, size));
		at += size;
		from = at;
	}
	buf_add(out, text.data + from, at - from);
}

static void write_json(struct buf *out, const json_t *value, size_t flags)
{
	struct buf raw = BUF_EMPTY;

	ASSERT(json_dump_callback(value, write_chunk, &raw, flags | JSON_ENCODE_ANY) == 0);
	escape_hazards(out, buf_view(&raw));
	buf_release(&raw);
}

void json_write(struct buf *out, const json_t *value)
{
	write_json(out, value, JSON_COMPACT);
}

void json_write_real(struct buf *out, const json_t *value, int digits)
{
	ASSERT(json_is_real(value) && digits >= 1 && digits <= 17);
	write_json(out, value, JSON_REAL_PRECISION((size_t)digits));
}

void json_write_pretty(struct buf *out, const json_t *value)
{
	write_json(out, value, JSON_INDENT(2));
}
