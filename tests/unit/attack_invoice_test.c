/* Disclosed attacks by invoices: texts that somebody is asked to pay.  docs/ATTACKS.md tells of each. */
#include <string.h>

#include "bitcoin/bech32.h"
#include "crypto/hash.h"
#include "crypto/keys.h"
#include "invoice/invoice.h"
#include "invoice/words.h"
#include "tests/test.h"

static struct arena arena;
static const char *why;
static struct secp *secp;

static void start(void)
{
	static const uint8_t seed[32] = { 9 };

	arena_init(&arena);
	secp = secp_new(seed);
	why = NULL;
}

static void finish(void)
{
	secp_free(secp);
	arena_release(&arena);
}

static void add_field(struct buf *words, uint8_t tag, const uint8_t *value, size_t count)
{
	buf_add_u8(words, tag);
	buf_add_u8(words, (uint8_t)(count >> 5));
	buf_add_u8(words, (uint8_t)(count & 31));
	buf_add(words, value, count);
}

/* A date, a hash, a secret and a description; hostile fields follow. */
static void add_head(struct buf *words)
{
	static const uint8_t zeros[HASH_WORDS];

	words_add_integer(words, 1496314658, TIMESTAMP_WORDS);
	add_field(words, TAG_PAYMENT_HASH, zeros, HASH_WORDS);
	add_field(words, TAG_SECRET, zeros, HASH_WORDS);
	add_field(words, TAG_DESCRIPTION, zeros, 0);
}

/* Signed as they stand; recovery: what is written in the place of the true id, if it is not 255. */
static bool decode_words(struct invoice *out, const char *hrp, struct buf *words, uint8_t recovery)
{
	struct buf payload = BUF_EMPTY, text = BUF_EMPTY;
	struct sha256 h;
	struct secret32 k;
	uint8_t sig[65];
	bool good;

	memset(k.v, 5, sizeof(k.v));
	buf_add_string(&payload, hrp);
	CHECK(bech32_convert_bits(&payload, 8, words->data, words->size, 5, true));
	h = sha256(payload.data, payload.size);
	ecdsa_sign_recoverable(secp, sig, &h, &k);
	if (recovery != 255)
		sig[64] = recovery;
	words_add_bytes(words, BYTES(sig, 65));
	bech32_encode(&text, hrp, words->data, words->size, BECH32);
	good = invoice_decode(&arena, out, &why, NULL, buf_view(&text));
	CHECK(good || (why && why[0]));
	buf_release(&payload);
	buf_release(&text);
	buf_release(words);
	return good;
}

/* One field more than there must be. */
static bool decode_field(struct invoice *out, uint8_t tag, const uint8_t *value, size_t count)
{
	struct buf words = BUF_EMPTY;

	add_head(&words);
	add_field(&words, tag, value, count);
	return decode_words(out, "lnbc", &words, 255);
}

/* Core Lightning before 23.11 (December 2023): fields of no length were read all the same. */
TEST(cln_invoice_fields_of_no_length)
{
	struct invoice i;

	start();
	for (uint8_t tag = 0; tag < 32; tag++) {
		/* As good as absent, but for a route, which has hops. */
		CHECK_EQ(decode_field(&i, tag, NULL, 0), tag != TAG_ROUTE);
		CHECK(i.route_count == 0 && i.fallback_count == 0 && i.metadata.size == 0 && i.features.size == 0);
	}
	finish();
}

/* Core Lightning before 23.11: the number by which the key is found again, and keys that are no points. */
TEST(cln_invoice_recovery_ids_and_keys)
{
	struct buf words = BUF_EMPTY, hop = BUF_EMPTY;
	uint8_t key[33];
	struct invoice i;

	start();
	for (uint32_t id = 4; id < 255; id++) {
		add_head(&words);
		CHECK(!decode_words(&i, "lnbc", &words, (uint8_t)id));
	}
	/* 2 and 3 are for an r above the group's order, which this one is not. */
	for (uint8_t id = 2; id < 4; id++) {
		add_head(&words);
		(void)decode_words(&i, "lnbc", &words, id);
	}
	memset(key, 0xff, sizeof(key));
	for (uint32_t first = 0; first < 8; first++) {
		struct buf field = BUF_EMPTY;

		key[0] = (uint8_t)first;
		words_add_bytes(&field, BYTES_OF(key));
		CHECK_EQ(field.size, PUBKEY_WORDS);
		CHECK(!decode_field(&i, TAG_PAYEE, field.data, field.size));
		buf_clear(&field);
		buf_add(&hop, key, sizeof(key));
		memset(buf_extend(&hop, HOP_SIZE - sizeof(key)), 0, HOP_SIZE - sizeof(key));
		words_add_bytes(&field, buf_view(&hop));
		CHECK(!decode_field(&i, TAG_ROUTE, field.data, field.size));
		buf_clear(&hop);
		buf_release(&field);
	}
	buf_release(&hop);
	finish();
}

/* LDK 0.2.3 (June 2026): a payee that is named and not recovered. */
TEST(ldk_invoice_of_a_named_payee)
{
	struct buf field = BUF_EMPTY;
	struct secret32 k;
	struct pubkey payee;
	struct invoice i;

	start();
	memset(k.v, 5, sizeof(k.v));
	pubkey_of(secp, &payee, &k);
	words_add_bytes(&field, BYTES_OF(payee.v));
	CHECK(decode_field(&i, TAG_PAYEE, field.data, field.size));
	CHECK(i.payee_named && SAME(i.payee, payee));
	buf_release(&field);
	finish();
}

/* LDK 0.0.123 (May 2024): letters beyond ASCII in front of the separator. */
TEST(ldk_invoice_beyond_ascii)
{
	static const char *const texts[] = {
		"lnbc\xc3\xa9" "1qqqqqqqqqqqq", "\xf0\x9f\x98\x80" "1qqqqqqqqqq", "ln\xff\xff\xff" "1qqqqqqqqqq", "lnbc1\xc3\xa9qqqqqqqqqq",
		"\x80", "1", "ln1", "lnbc1", "lightning:\xe2\x80\xae", "lnbc\x7f" "1qqqqqqqqqq",
	};
	struct invoice i;

	start();
	for (size_t k = 0; k < ARRAY_COUNT(texts); k++) {
		why = NULL;
		CHECK(!invoice_decode(&arena, &i, &why, NULL, bytes_from_string(texts[k])));
		CHECK(why && why[0]);
	}
	/* With a NUL inside. */
	CHECK(!invoice_decode(&arena, &i, &why, NULL, BYTES("lnbc\0001qqqqqqqqqqqq", 18)));
	finish();
}

/* Amounts that do not fit, or that nobody has. */
TEST(invoice_amounts_that_overflow)
{
	static const char *const refused[] = {
		"lnbc18446744073709551616", "lnbc99999999999999999999999999999999999", "lnbc184467440737095516150p", "lnbc21000001",
		"lnbc18446744073709551615", "lnbc0", "lnbc00", "lnbc01", "lnbc1p", "lnbc15p", "lnbcp", "lnbc-1", "lnbc1x", "lnbc1.5m",
	};
	struct invoice i;

	start();
	for (size_t k = 0; k < ARRAY_COUNT(refused); k++) {
		struct buf words = BUF_EMPTY;

		add_head(&words);
		CHECK(!decode_words(&i, refused[k], &words, 255));
	}
	finish();
}

/* As many fields, routes and hops as fit: memory in proportion to the text. */
TEST(invoice_bombs)
{
	static const uint8_t tags[] = { TAG_ROUTE, TAG_FALLBACK, TAG_FEATURES, TAG_METADATA, TAG_DESCRIPTION, 2 };
	struct invoice i;

	start();
	for (size_t k = 0; k < ARRAY_COUNT(tags); k++)
		for (size_t size = 0; size < 1024; size += 341) {
			struct buf words = BUF_EMPTY;
			const size_t before = arena.used;
			uint8_t value[1023] = { 1 };
			size_t text;

			add_head(&words);
			while (words.size + size + 3 + SIGNATURE_WORDS < INVOICE_TEXT_MAX - 20)
				add_field(&words, tags[k], value, size);
			text = words.size + SIGNATURE_WORDS;
			(void)decode_words(&i, "lnbc", &words, 255);
			CHECK(arena.used - before <= 8192 + 64 * text);
		}
	finish();
}
