#include "bitcoin/bip39.h"

#include <string.h>

#include "crypto/hash.h"

#define WORD_BITS 11u
#define ROUNDS 2048u

static bool entropy_size_good(size_t size)
{
	return size >= 16 && size <= BIP39_ENTROPY_MAX && size % 4 == 0;
}

static unsigned bit_at(const uint8_t *b, size_t bit)
{
	return b[bit / 8] >> (7 - bit % 8) & 1u;
}

void bip39_encode(struct buf *out, struct bytes entropy)
{
	uint8_t bits[BIP39_ENTROPY_MAX + 1];
	size_t word_count = entropy.size * 3 / 4;
	struct sha256 h;

	ASSERT(entropy_size_good(entropy.size));
	h = sha256(entropy.data, entropy.size);
	memcpy(bits, entropy.data, entropy.size);
	bits[entropy.size] = h.v[0];
	for (size_t i = 0; i < word_count; i++) {
		unsigned value = 0;

		for (size_t j = 0; j < WORD_BITS; j++)
			value = value << 1 | bit_at(bits, i * WORD_BITS + j);
		if (i)
			buf_add_u8(out, ' ');
		buf_add_string(out, bip39_words[value]);
	}
	mem_wipe(bits, sizeof(bits));
	mem_wipe(&h, sizeof(h));
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the next word off the front of *text; empty at the end. */
static struct bytes next_word(struct bytes *text)
{
	size_t start = 0, end;

	while (start < text->size && is_space(text->data[start]))
		start++;
	end = start;
	while (end < text->size && !is_space(text->data[end]))
		end++;
	if (start == text->size) {
		*text = BYTES_NONE;
		return BYTES_NONE;
	}
	struct bytes word = BYTES(text->data + start, end - start);

	*text = BYTES(text->data + end, text->size - end);
	return word;
}

/* The value of a word, or -1. */
static int word_value(struct bytes word)
{
	char low[BIP39_WORD_SIZE] = { 0 };
	size_t from = 0, to = BIP39_LIST_COUNT;

	if (word.size >= sizeof(low))
		return -1;
	for (size_t i = 0; i < word.size; i++)
		low[i] = (char)(word.data[i] >= 'A' && word.data[i] <= 'Z' ? word.data[i] - 'A' + 'a' : word.data[i]);
	while (from < to) {
		size_t middle = (from + to) / 2;
		int order = strcmp(low, bip39_words[middle]);

		if (order == 0) {
			mem_wipe(low, sizeof(low));
			return (int)middle;
		}
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	mem_wipe(low, sizeof(low));
	return -1;
}

/* The values of all words; the first fault in the order count, unknown word. */
static bool read_words(uint16_t values[BIP39_WORDS_MAX], struct bip39_error *error, struct bytes sentence)
{
	struct bytes rest = sentence, word;

	*error = (struct bip39_error){ .fault = BIP39_NONE };
	while ((word = next_word(&rest)).size)
		error->word_count++;
	if (error->word_count < 12 || error->word_count > BIP39_WORDS_MAX || error->word_count % 3) {
		error->fault = BIP39_WORD_COUNT;
		return false;
	}
	rest = sentence;
	for (size_t i = 0; i < error->word_count; i++) {
		int value = word_value(next_word(&rest));

		if (value < 0) {
			error->fault = BIP39_UNKNOWN_WORD;
			error->word_index = i;
			return false;
		}
		values[i] = (uint16_t)value;
	}
	return true;
}

bool bip39_decode(struct buf *out, struct bip39_error *error, struct bytes sentence)
{
	uint16_t values[BIP39_WORDS_MAX];
	uint8_t bits[BIP39_ENTROPY_MAX + 1] = { 0 };
	size_t size;
	struct sha256 h;
	bool good = read_words(values, error, sentence);

	if (!good)
		goto out;
	for (size_t i = 0; i < error->word_count * WORD_BITS; i++)
		if (values[i / WORD_BITS] >> (WORD_BITS - 1 - i % WORD_BITS) & 1)
			bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
	size = error->word_count * 4 / 3;
	h = sha256(bits, size);
	/* One bit of checksum for 32 of entropy, at the top of the byte behind it. */
	good = bits[size] == (h.v[0] & (uint8_t)(0xff << (8 - size / 4)));
	if (good)
		buf_add(out, bits, size);
	else
		error->fault = BIP39_CHECKSUM;
	mem_wipe(&h, sizeof(h));
out:
	mem_wipe(values, sizeof(values));
	mem_wipe(bits, sizeof(bits));
	return good;
}

void bip39_explain(struct buf *out, const struct bip39_error *error)
{
	switch (error->fault) {
	case BIP39_NONE:
		buf_add_string(out, "the mnemonic is good");
		break;
	case BIP39_WORD_COUNT:
		buf_printf(out, "the mnemonic has %zu words, not 12, 15, 18, 21 or 24", error->word_count);
		break;
	case BIP39_UNKNOWN_WORD:
		buf_printf(out, "word %zu of the mnemonic is not in the English list", error->word_index + 1);
		break;
	case BIP39_CHECKSUM:
		buf_add_string(out, "the checksum of the mnemonic is wrong: a word is mistaken or out of its place");
		break;
	}
}

static bool printable_ascii(struct bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	return true;
}

bool bip39_seed(uint8_t out64[BIP39_SEED_SIZE], struct bytes sentence, struct bytes passphrase)
{
	struct buf entropy = BUF_EMPTY, normal = BUF_EMPTY, salt = BUF_EMPTY;
	struct bip39_error error;
	bool good = printable_ascii(passphrase) && bip39_decode(&entropy, &error, sentence);

	if (good) {
		/* The sentence as it is defined: lower case, one space between words. */
		bip39_encode(&normal, buf_view(&entropy));
		buf_add_string(&salt, "mnemonic");
		buf_add_bytes(&salt, passphrase);
		pbkdf2_sha512(out64, BIP39_SEED_SIZE, buf_view(&normal), buf_view(&salt), ROUNDS);
	}
	buf_wipe(&entropy);
	buf_wipe(&normal);
	buf_wipe(&salt);
	return good;
}
