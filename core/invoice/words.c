#include "invoice/words.h"

#include "bitcoin/bech32.h"
#include "wire/features.h"

bool words_to_integer(struct bytes words, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < words.size; i++) {
		if (v >> 55)
			return false;
		v = v << 5 | words.data[i];
	}
	*out = v;
	return true;
}

void words_add_integer(struct buf *out, uint64_t v, unsigned count)
{
	if (count == 0)
		while (count < 13 && v >> 5 * count)
			count++;
	while (count-- > 0)
		buf_add_u8(out, (uint8_t)(count < 13 ? v >> 5 * count & 31 : 0));
}

bool words_to_bytes(struct arena *a, struct bytes words, struct bytes *out)
{
	struct buf b = BUF_EMPTY;
	bool good = bech32_convert_bits(&b, 8, words.data, words.size, 5, false);

	*out = arena_bytes(a, buf_view(&b));
	buf_release(&b);
	return good;
}

void words_add_bytes(struct buf *out, struct bytes b)
{
	ASSERT(bech32_convert_bits(out, 5, b.data, b.size, 8, true));
}

struct bytes words_to_vector(struct arena *a, struct bytes words)
{
	size_t size = (words.size * 5 + 7) / 8;
	uint8_t *v = arena_alloc(a, size);

	for (size_t i = 0; i < words.size; i++) {
		size_t low = (words.size - 1 - i) * 5; /* the number of the word's lowest bit */

		for (unsigned k = 0; k < 5; k++)
			if (words.data[i] >> k & 1)
				v[size - 1 - (low + k) / 8] |= (uint8_t)(1u << (low + k) % 8);
	}
	return BYTES(v, size);
}

void words_add_vector(struct buf *out, struct bytes v)
{
	uint32_t bits = (uint32_t)v.size * 8, count = (bits + 4) / 5;
	bool begun = false;

	while (count-- > 0) {
		uint8_t word = 0;

		for (unsigned k = 0; k < 5; k++)
			if (features_bit(v, count * 5 + k))
				word |= (uint8_t)(1u << k);
		begun |= word != 0;
		if (begun) /* B11.tagged_fields.13: no zeros in front */
			buf_add_u8(out, word);
	}
}
