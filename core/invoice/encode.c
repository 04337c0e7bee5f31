#include "invoice/invoice.h"

#include <string.h>

#include "bitcoin/bech32.h"
#include "bitcoin/script.h"
#include "invoice/amount.h"
#include "invoice/words.h"
#include "wire/utf8.h"

static void add_field(struct buf *out, uint8_t tag, struct bytes words)
{
	ASSERT(words.size < 1024);
	buf_add_u8(out, tag);
	words_add_integer(out, words.size, 2);
	buf_add_bytes(out, words);
}

static void add_bytes(struct buf *out, uint8_t tag, struct bytes b)
{
	struct buf words = BUF_EMPTY;

	words_add_bytes(&words, b);
	add_field(out, tag, buf_view(&words));
	buf_release(&words);
}

static void add_integer(struct buf *out, uint8_t tag, uint64_t v)
{
	struct buf words = BUF_EMPTY;

	words_add_integer(&words, v, 0);
	add_field(out, tag, buf_view(&words));
	buf_release(&words);
}

static void add_route(struct buf *out, const struct invoice_route *route)
{
	struct buf b = BUF_EMPTY;

	for (uint32_t h = 0; h < route->hop_count; h++) {
		const struct invoice_hop *hop = &route->hops[h];

		buf_add(&b, hop->node.v, sizeof(hop->node.v));
		buf_add_be64(&b, hop->scid.v);
		buf_add_be32(&b, hop->fee_base_msat);
		buf_add_be32(&b, hop->fee_proportional_millionths);
		buf_add_be16(&b, hop->cltv_expiry_delta);
	}
	add_bytes(out, TAG_ROUTE, buf_view(&b));
	buf_release(&b);
}

/* B11.tagged_fields.11.  False for a script that has no form in an f field. */
static bool fallback_of(struct bytes script, uint8_t *version, struct bytes *program)
{
	if (script_is_p2pkh(script)) {
		*version = FALLBACK_P2PKH;
		*program = BYTES(script.data + 3, 20);
		return true;
	}
	if (script_is_p2sh(script)) {
		*version = FALLBACK_P2SH;
		*program = BYTES(script.data + 2, 20);
		return true;
	}
	if (script_is_p2wpkh(script) || script_is_p2wsh(script) || script_is_witness_v1_up(script)) {
		*version = script.data[0] == OP_0 ? 0 : (uint8_t)(script.data[0] - OP_1 + 1);
		*program = BYTES(script.data + 2, script.size - 2);
		return true;
	}
	return false;
}

static void add_fallback(struct buf *out, struct bytes script)
{
	struct buf words = BUF_EMPTY;
	struct bytes program;
	uint8_t version;

	ASSERT(fallback_of(script, &version, &program));
	buf_add_u8(&words, version);
	words_add_bytes(&words, program);
	add_field(out, TAG_FALLBACK, buf_view(&words));
	buf_release(&words);
}

static void add_features(struct buf *out, struct bytes features)
{
	struct buf words = BUF_EMPTY;

	words_add_vector(&words, features);
	if (words.size) /* B11.tagged_fields.14 */
		add_field(out, TAG_FEATURES, buf_view(&words));
	buf_release(&words);
}

static const char *check_routes(const struct invoice *i)
{
	for (uint32_t k = 0; k < i->route_count; k++)
		if (i->routes[k].hop_count == 0 || i->routes[k].hop_count > INVOICE_HOPS_MAX)
			return "a route has no hops or more than 12";
	return NULL;
}

static const char *check_fallbacks(const struct invoice *i)
{
	struct bytes program;
	uint8_t version;

	for (uint32_t k = 0; k < i->fallback_count; k++)
		if (!fallback_of(i->fallbacks[k], &version, &program))
			return "a fallback is not the script of an address";
	return NULL;
}

/* Why i cannot be written, or NULL. */
static const char *check(const struct invoice *i)
{
	enum feature of, missing;
	const char *why;

	if (i->has_amount && (i->amount.v == 0 || i->amount.v > SUPPLY_SAT * 1000))
		return "the amount is zero or more than there is";
	if (i->timestamp_s >> 35)
		return "the time does not fit into an invoice";
	if (i->expiry_s >> 60)
		return "the expiry is too long";
	if (i->has_description && i->description.size > INVOICE_FIELD_MAX)
		return "the description is longer than 639 bytes: give its hash";
	if (i->has_description && !utf8_valid(i->description)) /* B11.tagged_fields.4 */
		return "the description is not UTF-8";
	if (i->has_metadata && i->metadata.size > INVOICE_FIELD_MAX)
		return "the metadata is longer than 639 bytes";
	/* B11.feature_bits.1 */
	if (!features_complete(i->features, &of, &missing))
		return "a feature is set without one that it depends on";
	if (features_trimmed(i->features).size > INVOICE_FIELD_MAX)
		return "the features do not fit into an invoice";
	why = check_routes(i);
	return why ? why : check_fallbacks(i);
}

static void add_fields(struct buf *out, const struct invoice *i)
{
	add_bytes(out, TAG_SECRET, BYTES_OF(i->payment_secret.v));     /* B11.tagged_fields.2 */
	add_bytes(out, TAG_PAYMENT_HASH, BYTES_OF(i->payment_hash.v)); /* B11.tagged_fields.1 */
	/* B11.tagged_fields.4: one of the two */
	if (i->has_description)
		add_bytes(out, TAG_DESCRIPTION, i->description);
	else
		add_bytes(out, TAG_DESCRIPTION_HASH, BYTES_OF(i->description_hash.v));
	if (i->has_metadata)
		add_bytes(out, TAG_METADATA, i->metadata);
	if (i->payee_named)
		add_bytes(out, TAG_PAYEE, BYTES_OF(i->payee.v)); /* B11.tagged_fields.10 */
	if (i->expiry_s != INVOICE_EXPIRY_DEFAULT_S)
		add_integer(out, TAG_EXPIRY, i->expiry_s); /* B11.tagged_fields.7 */
	/* Also where it is the default: payers of before 2021 take 9 for silence.  B11.tagged_fields.8, .9 */
	if (i->min_final_cltv)
		add_integer(out, TAG_CLTV, i->min_final_cltv);
	/* B11.tagged_fields.16: in the order of preference that the caller gave */
	for (uint32_t k = 0; k < i->fallback_count; k++)
		add_fallback(out, i->fallbacks[k]);
	for (uint32_t k = 0; k < i->route_count; k++)
		add_route(out, &i->routes[k]);
	add_features(out, i->features);
}

bool invoice_draft(struct arena *a, struct invoice_draft *out, const char **why, const struct invoice *i)
{
	struct buf hrp = BUF_EMPTY, words = BUF_EMPTY, payload = BUF_EMPTY;

	memset(out, 0, sizeof(*out));
	*why = check(i);
	if (*why)
		return false;
	invoice_hrp_encode(&hrp, i->network, i->has_amount, i->amount);
	buf_add_u8(&hrp, 0);
	out->hrp = arena_string(a, (const char *)hrp.data);
	words_add_integer(&words, i->timestamp_s, TIMESTAMP_WORDS); /* B11.data_part.1 */
	add_fields(&words, i);
	out->data5 = arena_copy(a, words.data, words.size);
	out->count = words.size;
	buf_add_string(&payload, out->hrp);
	ASSERT(bech32_convert_bits(&payload, 8, words.data, words.size, 5, true));
	out->payload = arena_bytes(a, buf_view(&payload));
	buf_release(&hrp);
	buf_release(&words);
	buf_release(&payload);
	return true;
}

void invoice_finish(const struct invoice_draft *d, const uint8_t sig65[65], struct buf *out)
{
	struct buf words = BUF_EMPTY;

	ASSERT(sig65[64] <= 3);
	buf_add(&words, d->data5, d->count);
	words_add_bytes(&words, BYTES(sig65, 65));
	bech32_encode(out, d->hrp, words.data, words.size, BECH32); /* B11.encoding_overview.1 */
	buf_release(&words);
}
