#include "bitcoin/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct bytes b)
{
	for (size_t i = 0; i < b.size; i += 3) {
		size_t left = b.size - i;
		uint32_t v = (uint32_t)b.data[i] << 16;
		uint8_t *p = buf_extend(out, 4);

		if (left > 1)
			v |= (uint32_t)b.data[i + 1] << 8;
		if (left > 2)
			v |= b.data[i + 2];
		p[0] = (uint8_t)alphabet[v >> 18];
		p[1] = (uint8_t)alphabet[v >> 12 & 63];
		p[2] = (uint8_t)(left > 1 ? alphabet[v >> 6 & 63] : '=');
		p[3] = (uint8_t)(left > 2 ? alphabet[v & 63] : '=');
	}
}

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last pad are '='.  The bits that no byte takes must be zero. */
static bool decode_group(struct buf *out, const uint8_t *p, size_t pad)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int d = i < 4 - pad ? value_of(p[i]) : 0;

		if (d < 0)
			return false;
		v = v << 6 | (uint32_t)d;
	}
	if (v & ((1u << 8 * pad) - 1))
		return false;
	for (size_t i = 0; i < 3 - pad; i++)
		buf_add_u8(out, (uint8_t)(v >> (16 - 8 * i)));
	return true;
}

bool base64_decode(struct buf *out, struct bytes text)
{
	size_t before = out->size, pad = 0;

	if (text.size % 4)
		return false;
	while (pad < 2 && pad < text.size && text.data[text.size - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < text.size; i += 4)
		if (!decode_group(out, text.data + i, i + 4 == text.size ? pad : 0)) {
			out->size = before;
			return false;
		}
	return true;
}
