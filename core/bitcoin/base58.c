#include "bitcoin/base58.h"

#include <string.h>

#include "crypto/hash.h"

#define CHECKSUM_SIZE 4u

static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* number = number * from + digit, over digits of base to, least significant first. */
static void push_digit(struct buf *number, unsigned to, unsigned from, unsigned digit)
{
	unsigned carry = digit;

	for (size_t i = 0; i < number->size; i++) {
		carry += number->data[i] * from;
		number->data[i] = (uint8_t)(carry % to);
		carry /= to;
	}
	for (; carry; carry /= to)
		buf_add_u8(number, (uint8_t)(carry % to));
}

void base58_encode(struct buf *out, struct bytes b)
{
	struct buf number = BUF_EMPTY;
	size_t zeros = 0;

	ASSERT(b.size <= BASE58_TEXT_MAX);
	while (zeros < b.size && b.data[zeros] == 0) {
		buf_add_u8(out, (uint8_t)alphabet[0]);
		zeros++;
	}
	for (size_t i = zeros; i < b.size; i++)
		push_digit(&number, 58, 256, b.data[i]);
	for (size_t i = number.size; i > 0; i--)
		buf_add_u8(out, (uint8_t)alphabet[number.data[i - 1]]);
	/* What was encoded may be a private key. */
	buf_wipe(&number);
}

bool base58_decode(struct buf *out, struct bytes text)
{
	struct buf number = BUF_EMPTY;
	size_t zeros = 0;
	bool good = text.size <= BASE58_TEXT_MAX;

	while (zeros < text.size && text.data[zeros] == (uint8_t)alphabet[0])
		zeros++;
	for (size_t i = zeros; good && i < text.size; i++) {
		const char *at = text.data[i] ? strchr(alphabet, text.data[i]) : NULL;

		good = at != NULL;
		if (good)
			push_digit(&number, 256, 58, (unsigned)(at - alphabet));
	}
	if (good) {
		for (size_t i = 0; i < zeros; i++)
			buf_add_u8(out, 0);
		for (size_t i = number.size; i > 0; i--)
			buf_add_u8(out, number.data[i - 1]);
	}
	buf_wipe(&number);
	return good;
}

void base58check_encode(struct buf *out, struct bytes b)
{
	struct sha256 h = sha256d(b.data, b.size);
	struct buf whole = BUF_EMPTY;

	buf_add_bytes(&whole, b);
	buf_add(&whole, h.v, CHECKSUM_SIZE);
	base58_encode(out, buf_view(&whole));
	buf_wipe(&whole);
}

bool base58check_decode(struct buf *out, struct bytes text)
{
	struct buf whole = BUF_EMPTY;
	bool good = base58_decode(&whole, text) && whole.size >= CHECKSUM_SIZE;

	if (good) {
		size_t size = whole.size - CHECKSUM_SIZE;
		struct sha256 h = sha256d(whole.data, size);

		good = memcmp(h.v, whole.data + size, CHECKSUM_SIZE) == 0;
		if (good)
			buf_add(out, whole.data, size);
	}
	buf_wipe(&whole);
	return good;
}
