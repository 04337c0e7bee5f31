#include "invoice/invoice.h"

#include <string.h>

#include "bitcoin/bech32.h"
#include "bitcoin/script.h"
#include "crypto/hash.h"
#include "crypto/keys.h"
#include "invoice/amount.h"
#include "invoice/words.h"
#include "wire/utf8.h"

/* What has been found while reading. */
struct reader {
	struct arena *a;
	struct invoice *i;
	const char *why;
	bool has_hash, has_secret, has_description_hash, has_expiry, has_cltv, has_features;
};

static bool refuse(struct reader *r, const char *why)
{
	r->why = why;
	return false;
}

/* A field of fixed length.  B11.tagged_fields.18: another length forbids paying; the field itself is skipped, as
 * the example "including fields which must be ignored" wants it. */
static bool fixed(struct reader *r, struct bytes words, size_t count, void *out, size_t size, bool *found)
{
	struct bytes b;

	if (words.size != count) {
		r->i->bad_length = true;
		return true;
	}
	if (!words_to_bytes(r->a, words, &b) || b.size != size)
		return refuse(r, "a field is not padded with zeros");
	if (*found) /* B11.payer_payee_requirements.3: the first one counts */
		return true;
	memcpy(out, b.data, size);
	*found = true;
	return true;
}

static bool read_payee(struct reader *r, struct bytes words)
{
	if (!fixed(r, words, PUBKEY_WORDS, r->i->payee.v, sizeof(r->i->payee.v), &r->i->payee_named))
		return false;
	if (r->i->payee_named && !pubkey_valid(&r->i->payee))
		return refuse(r, "the payee's key is not a valid point");
	return true;
}

/* x, c and 9 begin with something (B11.tagged_fields.31). */
static bool minimal(struct reader *r, struct bytes words)
{
	if (words.size && words.data[0] == 0)
		return refuse(r, "a number has zeros in front");
	return true;
}

static bool read_integer(struct reader *r, struct bytes words, uint64_t most, uint64_t *out, bool *found)
{
	uint64_t v;

	if (!minimal(r, words))
		return false;
	if (!words_to_integer(words, &v) || v > most)
		return refuse(r, "a number is too large");
	if (!*found)
		*out = v;
	*found = true;
	return true;
}

static bool read_description(struct reader *r, struct bytes words)
{
	struct bytes text;

	if (!words_to_bytes(r->a, words, &text))
		return refuse(r, "a field is not padded with zeros");
	if (!utf8_valid(text)) /* B1.fundamental_types.6 */
		return refuse(r, "the description is not UTF-8");
	if (!r->i->has_description)
		r->i->description = text;
	r->i->has_description = true;
	return true;
}

static bool read_metadata(struct reader *r, struct bytes words)
{
	struct bytes b;

	if (!words_to_bytes(r->a, words, &b))
		return refuse(r, "a field is not padded with zeros");
	if (!r->i->has_metadata)
		r->i->metadata = b;
	r->i->has_metadata = true;
	return true;
}

/* One more element at the end of an array whose length is *count. */
static void *append(struct arena *a, void *array, uint32_t *count, size_t size)
{
	uint8_t *grown = array;

	if ((*count & (*count - 1)) == 0) {
		grown = arena_array(a, *count ? (size_t)*count * 2 : 1, size);
		if (*count)
			memcpy(grown, array, *count * size);
	}
	(*count)++;
	return grown;
}

static bool read_route(struct reader *r, struct bytes words)
{
	struct invoice_route route;
	struct bytes b;
	struct cursor c;

	if (!words_to_bytes(r->a, words, &b))
		return refuse(r, "a field is not padded with zeros");
	if (b.size == 0 || b.size % HOP_SIZE)
		return refuse(r, "a route is not made of whole hops");
	c = cursor_of(b);
	route.hop_count = (uint32_t)(b.size / HOP_SIZE);
	route.hops = ARENA_ARRAY(r->a, struct invoice_hop, route.hop_count);
	for (uint32_t h = 0; h < route.hop_count; h++) {
		struct invoice_hop *hop = &route.hops[h];

		cursor_copy(&c, hop->node.v, sizeof(hop->node.v));
		hop->scid.v = cursor_be64(&c);
		hop->fee_base_msat = cursor_be32(&c);
		hop->fee_proportional_millionths = cursor_be32(&c);
		hop->cltv_expiry_delta = cursor_be16(&c);
		if (!pubkey_valid(&hop->node))
			return refuse(r, "a route's node is not a valid point");
	}
	r->i->routes = append(r->a, r->i->routes, &r->i->route_count, sizeof(route));
	r->i->routes[r->i->route_count - 1] = route;
	return true;
}

/* The script of a fallback, empty for one that is to be skipped (B11.tagged_fields.17). */
static struct bytes fallback_script(struct arena *a, uint8_t version, struct bytes program)
{
	struct buf b = BUF_EMPTY;
	struct hash160 h;
	struct bytes script;

	if (version == FALLBACK_P2PKH || version == FALLBACK_P2SH) {
		if (program.size != sizeof(h.v))
			return BYTES_NONE;
		memcpy(h.v, program.data, sizeof(h.v));
		return version == FALLBACK_P2PKH ? script_p2pkh(a, &h) : script_p2sh(a, &h);
	}
	if (version > 16 || program.size < 2 || program.size > 40 ||
	    (version == 0 && program.size != 20 && program.size != 32))
		return BYTES_NONE;
	script_number(&b, version);
	script_push(&b, program);
	script = arena_bytes(a, buf_view(&b));
	buf_release(&b);
	return script;
}

static void read_fallback(struct reader *r, struct bytes words)
{
	struct bytes program, script;

	if (words.size == 0 || !words_to_bytes(r->a, BYTES(words.data + 1, words.size - 1), &program))
		return;
	script = fallback_script(r->a, words.data[0], program);
	if (script.size == 0)
		return;
	r->i->fallbacks = append(r->a, r->i->fallbacks, &r->i->fallback_count, sizeof(script));
	r->i->fallbacks[r->i->fallback_count - 1] = script;
}

static void keep_unknown(struct reader *r, uint8_t tag, struct bytes words)
{
	static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	struct invoice_field f = { alphabet[tag & 31], words };

	r->i->unknown = append(r->a, r->i->unknown, &r->i->unknown_count, sizeof(f));
	r->i->unknown[r->i->unknown_count - 1] = f;
}

static bool read_features(struct reader *r, struct bytes words)
{
	if (!minimal(r, words))
		return false;
	if (!r->has_features)
		r->i->features = words_to_vector(r->a, words);
	r->has_features = true;
	return true;
}

static bool read_cltv(struct reader *r, struct bytes words)
{
	uint64_t v = r->i->min_final_cltv;

	if (!read_integer(r, words, UINT32_MAX, &v, &r->has_cltv))
		return false;
	r->i->min_final_cltv = (uint32_t)v;
	return true;
}

static bool read_field(struct reader *r, uint8_t tag, struct bytes words)
{
	struct invoice *i = r->i;

	switch (tag) {
	case TAG_PAYMENT_HASH:
		return fixed(r, words, HASH_WORDS, i->payment_hash.v, 32, &r->has_hash);
	case TAG_SECRET:
		return fixed(r, words, HASH_WORDS, i->payment_secret.v, 32, &r->has_secret);
	case TAG_DESCRIPTION_HASH:
		return fixed(r, words, HASH_WORDS, i->description_hash.v, 32, &r->has_description_hash);
	case TAG_PAYEE:
		return read_payee(r, words);
	case TAG_DESCRIPTION:
		return read_description(r, words);
	case TAG_METADATA:
		return read_metadata(r, words);
	case TAG_EXPIRY:
		return read_integer(r, words, UINT64_MAX, &i->expiry_s, &r->has_expiry);
	case TAG_CLTV:
		return read_cltv(r, words);
	case TAG_FEATURES:
		return read_features(r, words);
	case TAG_ROUTE:
		return read_route(r, words);
	case TAG_FALLBACK:
		read_fallback(r, words);
		return true;
	}
	keep_unknown(r, tag, words);
	return true;
}

static bool read_fields(struct reader *r, struct bytes words)
{
	struct cursor c = cursor_of(words);

	while (c.left) {
		uint8_t tag = cursor_u8(&c);
		size_t high = cursor_u8(&c), low = cursor_u8(&c);
		struct bytes field = cursor_bytes(&c, high << 5 | low);

		if (!cursor_ok(&c))
			return refuse(r, "a field is cut short");
		if (!read_field(r, tag, field))
			return false;
	}
	if (!r->has_hash)
		return refuse(r, "there is no payment hash");
	if (!r->has_secret) /* B11.tagged_fields.27 */
		return refuse(r, "there is no payment secret");
	/* B11.tagged_fields.19 */
	if (r->i->has_description == r->has_description_hash)
		return refuse(r, r->has_description_hash ? "there is a description and a description hash" :
							   "there is no description");
	return true;
}

/* SHA256 of the human-readable part and of the data as bytes, filled up with zeros (B11.data_part.2). */
static struct sha256 hash_of(const char *hrp, struct bytes words)
{
	struct buf b = BUF_EMPTY;
	struct sha256 hash;

	buf_add_string(&b, hrp);
	ASSERT(bech32_convert_bits(&b, 8, words.data, words.size, 5, true));
	hash = sha256(b.data, b.size);
	buf_release(&b);
	return hash;
}

static bool check_signature(struct reader *r, struct bytes words)
{
	struct invoice *i = r->i;
	struct bytes sig;

	if (!words_to_bytes(r->a, words, &sig) || sig.size != 65 || sig.data[64] > 3)
		return refuse(r, "the signature is malformed");
	memcpy(i->signature.v, sig.data, 64);
	i->recovery_id = sig.data[64];
	if (i->payee_named) {
		/* B11.tagged_fields.24; ecdsa_verify refuses a high S: B11.tagged_fields.25 */
		if (!ecdsa_verify(&i->signature, &i->hash, &i->payee))
			return refuse(r, "the signature is not the payee's");
		return true;
	}
	/* B11.tagged_fields.26 */
	if (!ecdsa_recover(&i->payee, sig.data, &i->hash))
		return refuse(r, "the signature is not valid");
	return true;
}

static struct bytes without_scheme(struct bytes text)
{
	static const char scheme[] = "lightning:";

	if (text.size < strlen(scheme))
		return text;
	for (size_t k = 0; k < strlen(scheme); k++) {
		uint8_t c = text.data[k];

		if (c >= 'A' && c <= 'Z')
			c = (uint8_t)(c - 'A' + 'a');
		if (c != (uint8_t)scheme[k])
			return text;
	}
	return BYTES(text.data + strlen(scheme), text.size - strlen(scheme));
}

void invoice_init(struct invoice *i, const struct network *n)
{
	memset(i, 0, sizeof(*i));
	i->network = n;
	i->expiry_s = INVOICE_EXPIRY_DEFAULT_S;
	i->min_final_cltv = INVOICE_CLTV_DEFAULT; /* B11.tagged_fields.29 */
}

bool invoice_decode(struct arena *a, struct invoice *out, const char **why, const struct network *expected,
		    struct bytes text)
{
	struct reader r = { .a = a, .i = out };
	struct bytes signed_words;
	struct bech32 b;

	invoice_init(out, NULL);
	/* B11.encoding_overview.3 and .4; the variant of BIP 350 is not an invoice's. */
	*why = "not bech32, or mistyped: the checksum is wrong";
	if (!bech32_decode(a, &b, without_scheme(text), INVOICE_TEXT_MAX) || b.variant != BECH32)
		return false;
	if (!invoice_hrp_decode(&out->network, &out->has_amount, &out->amount, why, expected, b.hrp))
		return false;
	*why = "the invoice is cut short";
	if (b.count < TIMESTAMP_WORDS + SIGNATURE_WORDS)
		return false;
	signed_words = BYTES(b.data, b.count - SIGNATURE_WORDS);
	out->hash = hash_of(b.hrp, signed_words);
	if (!words_to_integer(BYTES(b.data, TIMESTAMP_WORDS), &out->timestamp_s) ||
	    !read_fields(&r, BYTES(b.data + TIMESTAMP_WORDS, signed_words.size - TIMESTAMP_WORDS)) ||
	    !check_signature(&r, BYTES(b.data + signed_words.size, SIGNATURE_WORDS))) {
		*why = r.why;
		return false;
	}
	*why = NULL;
	return true;
}
