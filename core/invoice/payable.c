#include "invoice/invoice.h"

#include <string.h>

#include "crypto/hash.h"

uint64_t invoice_expires_at_s(const struct invoice *i)
{
	uint64_t at = i->timestamp_s + i->expiry_s;

	return at < i->timestamp_s ? UINT64_MAX : at;
}

bool invoice_allows_parts(const struct invoice *i)
{
	return features_offered(i->features, FEATURE_BASIC_MPP);
}

bool invoice_describes(const struct invoice *i, struct bytes text)
{
	struct sha256 h;

	if (i->has_description)
		return bytes_equal(i->description, text);
	h = sha256(text.data, text.size);
	return SAME(h, i->description_hash); /* B11.tagged_fields.23 */
}

bool invoice_payable(struct arena *a, const struct invoice *i, const struct feature_policy *policy, uint64_t now_s,
		     const char **why)
{
	enum feature of, missing;
	uint32_t bit;

	*why = NULL;
	if (i->bad_length) { /* B11.tagged_fields.18 */
		*why = "the invoice has a field of the wrong length";
		return false;
	}
	/* B11.tagged_fields.21, and B11.tagged_fields.22: the bit is named. */
	if (features_unknown_required(i->features, policy, &bit)) {
		*why = arena_printf(a, "the invoice needs feature %u (%s), which this node does not have", bit,
				    feature_name(bit) ? feature_name(bit) : "unknown");
		return false;
	}
	if (!features_complete(i->features, &of, &missing)) { /* B11.feature_bits.2 */
		*why = arena_printf(a, "the invoice has feature %s without %s", feature_name(of), feature_name(missing));
		return false;
	}
	if (now_s > invoice_expires_at_s(i)) { /* B11.payer_payee_requirements.1 */
		*why = "the invoice has expired";
		return false;
	}
	return true;
}
