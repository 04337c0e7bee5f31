/* BOLT 11 readers against any text.  The first byte chooses: text as it is, or
 * data words that get a prefix, a true signature and a checksum, so that the
 * fields behind them are reached.  What decodes is written and read again. */
#include <string.h>

#include "bitcoin/bech32.h"
#include "crypto/hash.h"
#include "crypto/keys.h"
#include "invoice/invoice.h"
#include "invoice/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secp *secp;

static void sign(struct bytes payload, uint8_t sig[65])
{
	struct sha256 h = sha256(payload.data, payload.size);
	struct secret32 k;

	memset(k.v, 5, sizeof(k.v));
	ecdsa_sign_recoverable(secp, sig, &h, &k);
}

static void round_trip(struct arena *a, struct invoice *i)
{
	struct invoice_draft d;
	struct invoice j;
	struct buf text = BUF_EMPTY;
	uint8_t sig[65];
	const char *why;

	ASSERT(i->has_description || i->description.size == 0);
	(void)invoice_payable(a, i, &(struct feature_policy){ { 0 } }, 0, &why);
	i->payee_named = false;
	if (!invoice_draft(a, &d, &why, i))
		return;
	sign(d.payload, sig);
	invoice_finish(&d, sig, &text);
	if (text.size <= INVOICE_TEXT_MAX) {
		ASSERT(invoice_decode(a, &j, &why, i->network, buf_view(&text)));
		ASSERT(SAME(j.payment_hash, i->payment_hash) && SAME(j.payment_secret, i->payment_secret));
		ASSERT(j.has_amount == i->has_amount && j.amount.v == i->amount.v && j.expiry_s == i->expiry_s);
		ASSERT(bytes_equal(j.description, i->description) && bytes_equal(j.metadata, i->metadata));
		ASSERT(j.route_count == i->route_count && j.fallback_count == i->fallback_count);
		ASSERT(features_equal(j.features, i->features));
		ASSERT(!j.bad_length && j.unknown_count == 0);
	}
	buf_release(&text);
}

static void from_words(struct buf *text, struct bytes in)
{
	static const char *const hrps[] = { "lnbc", "lntb10u", "lnbcrt7m", "lntbs10p" };
	const char *hrp = hrps[in.size ? in.data[0] % 4 : 0];
	struct buf words = BUF_EMPTY, payload = BUF_EMPTY;
	uint8_t sig[65];

	for (size_t k = 0; k < in.size; k++)
		buf_add_u8(&words, in.data[k] & 31);
	buf_add_string(&payload, hrp);
	ASSERT(bech32_convert_bits(&payload, 8, words.data, words.size, 5, true));
	sign(buf_view(&payload), sig);
	words_add_bytes(&words, BYTES(sig, 65));
	bech32_encode(text, hrp, words.data, words.size, BECH32);
	buf_release(&words);
	buf_release(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_EMPTY;
	struct invoice i;
	struct arena a;
	const char *why;

	if (!secp) {
		uint8_t seed[32] = { 9 };

		secp = secp_new(seed);
	}
	if (size < 1 || size > 8000)
		return 0;
	arena_init(&a);
	if (data[0] % 2)
		buf_add(&text, data + 1, size - 1);
	else
		from_words(&text, BYTES(data + 1, size - 1));
	if (invoice_decode(&a, &i, &why, NULL, buf_view(&text)))
		round_trip(&a, &i);
	else
		ASSERT(why != NULL);
	ASSERT(a.used <= 8192 + 64 * text.size);
	arena_release(&a);
	buf_release(&text);
	return 0;
}
