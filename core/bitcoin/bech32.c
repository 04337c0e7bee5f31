#include "bitcoin/bech32.h"

#include <string.h>

#define CHECKSUM_COUNT 6u

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint32_t polymod_step(uint32_t c, uint8_t v)
{
	static const uint32_t generator[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3 };
	uint32_t high = c >> 25;

	c = (c & 0x1ffffff) << 5 ^ v;
	for (int i = 0; i < 5; i++)
		if (high >> i & 1)
			c ^= generator[i];
	return c;
}

/* BIP 173: the human-readable part is expanded, then the data. */
static uint32_t polymod(const char *hrp, const uint8_t *data5, size_t count)
{
	uint32_t c = 1;

	for (const char *p = hrp; *p; p++)
		c = polymod_step(c, (uint8_t)*p >> 5);
	c = polymod_step(c, 0);
	for (const char *p = hrp; *p; p++)
		c = polymod_step(c, (uint8_t)*p & 31);
	for (size_t i = 0; i < count; i++)
		c = polymod_step(c, data5[i]);
	return c;
}

void bech32_encode_plain(struct buf *out, const char *hrp, const uint8_t *data5, size_t count)
{
	buf_add_string(out, hrp);
	buf_add_u8(out, '1');
	for (size_t i = 0; i < count; i++) {
		ASSERT(data5[i] < 32);
		buf_add_u8(out, (uint8_t)alphabet[data5[i]]);
	}
}

void bech32_encode(struct buf *out, const char *hrp, const uint8_t *data5, size_t count, enum bech32_variant variant)
{
	uint32_t c = polymod(hrp, data5, count);

	bech32_encode_plain(out, hrp, data5, count);
	for (unsigned i = 0; i < CHECKSUM_COUNT; i++)
		c = polymod_step(c, 0);
	c ^= (uint32_t)variant;
	for (unsigned i = 0; i < CHECKSUM_COUNT; i++)
		buf_add_u8(out, (uint8_t)alphabet[c >> 5 * (CHECKSUM_COUNT - 1 - i) & 31]);
}

static bool one_case(struct bytes text)
{
	bool lower = false, upper = false;

	for (size_t i = 0; i < text.size; i++) {
		lower |= text.data[i] >= 'a' && text.data[i] <= 'z';
		upper |= text.data[i] >= 'A' && text.data[i] <= 'Z';
	}
	return !(lower && upper);
}

static char to_lower(uint8_t c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Where the last '1' is, or text.size. */
static size_t separator(struct bytes text)
{
	for (size_t i = text.size; i > 0; i--)
		if (text.data[i - 1] == '1')
			return i - 1;
	return text.size;
}

/* The human-readable part and all values, with a checksum if there is one. */
bool bech32_decode_plain(struct arena *a, struct bech32 *out, struct bytes text, size_t size_max)
{
	size_t hrp_size = separator(text);
	uint8_t *data;
	char *hrp;

	if (text.size > size_max || hrp_size == 0 || hrp_size == text.size || !one_case(text))
		return false;
	hrp = arena_alloc(a, hrp_size + 1);
	for (size_t i = 0; i < hrp_size; i++) {
		if (text.data[i] < 33 || text.data[i] > 126)
			return false;
		hrp[i] = to_lower(text.data[i]);
	}
	out->hrp = hrp;
	out->count = text.size - hrp_size - 1;
	out->data = data = arena_alloc(a, out->count);
	for (size_t i = 0; i < out->count; i++) {
		char c = to_lower(text.data[hrp_size + 1 + i]);
		const char *at = c ? strchr(alphabet, c) : NULL;

		if (!at)
			return false;
		data[i] = (uint8_t)(at - alphabet);
	}
	return true;
}

bool bech32_decode(struct arena *a, struct bech32 *out, struct bytes text, size_t size_max)
{
	uint32_t checksum;

	if (!bech32_decode_plain(a, out, text, size_max) || out->count < CHECKSUM_COUNT)
		return false;
	checksum = polymod(out->hrp, out->data, out->count);
	if (checksum != BECH32 && checksum != BECH32M)
		return false;
	out->variant = checksum == BECH32 ? BECH32 : BECH32M;
	out->count -= CHECKSUM_COUNT;
	return true;
}

bool bech32_convert_bits(struct buf *out, unsigned to, const uint8_t *in, size_t count, unsigned from, bool pad)
{
	uint32_t held = 0;
	unsigned bits = 0;

	ASSERT(from >= 1 && from <= 8 && to >= 1 && to <= 8);
	for (size_t i = 0; i < count; i++) {
		if (in[i] >> from)
			return false;
		held = (held << from | in[i]) & 0xffff;
		for (bits += from; bits >= to; bits -= to)
			buf_add_u8(out, (uint8_t)(held >> (bits - to) & ((1u << to) - 1)));
	}
	held &= (1u << bits) - 1;
	if (pad && bits)
		buf_add_u8(out, (uint8_t)(held << (to - bits)));
	return pad || (bits < from && held == 0);
}
