#include "wire/utf8.h"

/* How many bytes follow a first byte, and the smallest character that needs them; 4 for none. */
static unsigned followers(uint8_t first, uint32_t *bits, uint32_t *least)
{
	if (first < 0x80) {
		*bits = first;
		*least = 0;
		return 0;
	}
	if (first >= 0xc2 && first <= 0xdf) {
		*bits = first & 0x1f;
		*least = 0x80;
		return 1;
	}
	if (first >= 0xe0 && first <= 0xef) {
		*bits = first & 0x0f;
		*least = 0x800;
		return 2;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		*bits = first & 0x07;
		*least = 0x10000;
		return 3;
	}
	return 4;
}

bool utf8_valid(struct bytes text)
{
	size_t i = 0;

	while (i < text.size) {
		uint32_t c, least;
		unsigned more = followers(text.data[i++], &c, &least);

		if (more > 3 || more > text.size - i)
			return false;
		for (; more; more--, i++) {
			if ((text.data[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (text.data[i] & 0x3f);
		}
		if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}
