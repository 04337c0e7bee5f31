#include "wire/features.h"

#include <string.h>

#define NO_DEPENDENCY 255

/* The table of BOLT 9.  ASSUMED features have no context there any more; they keep the one that earlier
 * revisions gave them, because peers still check that a vector holds what its features depend on. */
static const struct row {
	uint8_t bit, depends_on;
	bool assumed;	 /* every node has it: never a reason to hang up */
	bool harmless;	 /* required by the other side, asks nothing of us */
	uint8_t contexts;
	uint8_t stand;	 /* default */
	const char *name;
} table[] = {
	{ FEATURE_DATA_LOSS_PROTECT, NO_DEPENDENCY, true, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_REQUIRED, "option_data_loss_protect" },
	{ FEATURE_UPFRONT_SHUTDOWN_SCRIPT, NO_DEPENDENCY, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OPTIONAL, "option_upfront_shutdown_script" },
	/* "Peer has useful gossip to share": off until there is a graph to share.  A peer that demands it of
	 * us only promises to have gossip itself. */
	{ FEATURE_GOSSIP_QUERIES, NO_DEPENDENCY, false, true, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OFF, "gossip_queries" },
	{ FEATURE_VAR_ONION, NO_DEPENDENCY, true, false, FEATURES_INIT | FEATURES_NODE | FEATURES_INVOICE,
	  FEATURE_REQUIRED, "var_onion_optin" },
	{ FEATURE_GOSSIP_QUERIES_EX, NO_DEPENDENCY, false, true, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OFF, "gossip_queries_ex" },
	{ FEATURE_STATIC_REMOTEKEY, NO_DEPENDENCY, true, false,
	  FEATURES_INIT | FEATURES_NODE | FEATURES_CHANNEL_TYPE, FEATURE_REQUIRED, "option_static_remotekey" },
	{ FEATURE_PAYMENT_SECRET, NO_DEPENDENCY, true, false,
	  FEATURES_INIT | FEATURES_NODE | FEATURES_INVOICE, FEATURE_REQUIRED, "payment_secret" },
	{ FEATURE_BASIC_MPP, FEATURE_PAYMENT_SECRET, false, false,
	  FEATURES_INIT | FEATURES_NODE | FEATURES_INVOICE, FEATURE_OPTIONAL, "basic_mpp" },
	{ FEATURE_LARGE_CHANNEL, NO_DEPENDENCY, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OPTIONAL, "option_support_large_channel" },
	{ FEATURE_ANCHORS, NO_DEPENDENCY, false, false,
	  FEATURES_INIT | FEATURES_NODE | FEATURES_CHANNEL_TYPE, FEATURE_OPTIONAL, "option_anchors" },
	{ FEATURE_ROUTE_BLINDING, NO_DEPENDENCY, false, false,
	  FEATURES_INIT | FEATURES_NODE | FEATURES_INVOICE, FEATURE_OFF, "option_route_blinding" },
	{ FEATURE_SHUTDOWN_ANYSEGWIT, NO_DEPENDENCY, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OPTIONAL, "option_shutdown_anysegwit" },
	{ FEATURE_DUAL_FUND, NO_DEPENDENCY, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OFF, "option_dual_fund" },
	{ FEATURE_QUIESCE, NO_DEPENDENCY, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OFF, "option_quiesce" },
	{ FEATURE_ATTRIBUTION_DATA, NO_DEPENDENCY, false, false,
	  FEATURES_INIT | FEATURES_NODE | FEATURES_INVOICE, FEATURE_OPTIONAL, "option_attribution_data" },
	{ FEATURE_ONION_MESSAGES, NO_DEPENDENCY, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OFF, "option_onion_messages" },
	{ FEATURE_PROVIDE_STORAGE, NO_DEPENDENCY, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OPTIONAL, "option_provide_storage" },
	{ FEATURE_CHANNEL_TYPE, NO_DEPENDENCY, true, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_REQUIRED, "option_channel_type" },
	{ FEATURE_SCID_ALIAS, NO_DEPENDENCY, false, false,
	  FEATURES_INIT | FEATURES_NODE | FEATURES_CHANNEL_TYPE, FEATURE_OPTIONAL, "option_scid_alias" },
	/* Paying with it is all that it asks for, and payers copy it (B11.tagged_fields.30). */
	{ FEATURE_PAYMENT_METADATA, NO_DEPENDENCY, false, true, FEATURES_INVOICE,
	  FEATURE_OFF, "option_payment_metadata" },
	{ FEATURE_ZEROCONF, FEATURE_SCID_ALIAS, false, false,
	  FEATURES_INIT | FEATURES_NODE | FEATURES_CHANNEL_TYPE, FEATURE_OFF, "option_zeroconf" },
	{ FEATURE_KEYSEND, NO_DEPENDENCY, false, false, FEATURES_NODE,
	  FEATURE_OPTIONAL, "keysend" },
	{ FEATURE_SIMPLE_CLOSE, FEATURE_SHUTDOWN_ANYSEGWIT, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OFF, "option_simple_close" },
	{ FEATURE_SPLICE, NO_DEPENDENCY, false, false, FEATURES_INIT | FEATURES_NODE,
	  FEATURE_OFF, "option_splice" },
};

static const struct row *row_of(uint32_t bit)
{
	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		if (table[i].bit == (bit & ~1u))
			return &table[i];
	return NULL;
}

const char *feature_name(uint32_t bit)
{
	const struct row *r = row_of(bit);

	return r ? r->name : NULL;
}

struct feature_policy feature_policy_default(void)
{
	struct feature_policy p;

	memset(&p, 0, sizeof(p));
	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		p.stand[table[i].bit / 2] = table[i].stand;
	return p;
}

void feature_policy_set(struct feature_policy *p, enum feature f, enum feature_stand stand)
{
	ASSERT(row_of(f) && f % 2 == 0);
	p->stand[f / 2] = (uint8_t)stand;
}

enum feature_stand feature_policy_get(const struct feature_policy *p, enum feature f)
{
	return (enum feature_stand)p->stand[f / 2];
}

bool feature_policy_missing(const struct feature_policy *p, enum feature *of, enum feature *missing)
{
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		const struct row *r = &table[i];

		if (r->depends_on != NO_DEPENDENCY && p->stand[r->bit / 2] != FEATURE_OFF &&
		    p->stand[r->depends_on / 2] == FEATURE_OFF) {
			*of = r->bit;
			*missing = r->depends_on;
			return true;
		}
	}
	return false;
}

void features_build(const struct feature_policy *p, enum feature_context context, struct buf *out)
{
	enum feature of, missing;
	struct buf v = BUF_EMPTY;

	/* B9.bolt_9_assigned_feature_flags.6 */
	ASSERT(!feature_policy_missing(p, &of, &missing));
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		const struct row *r = &table[i];

		if (!(r->contexts & context)) /* B9.bolt_9_assigned_feature_flags.4 */
			continue;
		/* B9.bolt_9_assigned_feature_flags.5: one bit of a pair, never both. */
		if (p->stand[r->bit / 2] == FEATURE_REQUIRED)
			features_set_bit(&v, r->bit);
		else if (p->stand[r->bit / 2] == FEATURE_OPTIONAL)
			features_set_bit(&v, r->bit + 1u);
	}
	buf_add_bytes(out, buf_view(&v));
	buf_release(&v);
}

bool features_bit(struct bytes v, uint32_t bit)
{
	size_t from_end = bit / 8;

	return from_end < v.size && (v.data[v.size - 1 - from_end] >> bit % 8 & 1);
}

bool features_offered(struct bytes v, enum feature f)
{
	return features_bit(v, f) || features_bit(v, f + 1u);
}

bool features_required(struct bytes v, enum feature f)
{
	return features_bit(v, f);
}

bool features_negotiated(struct bytes ours, struct bytes theirs, enum feature f)
{
	return features_required(ours, f) || (features_offered(ours, f) && features_offered(theirs, f));
}

bool features_unknown_required(struct bytes v, const struct feature_policy *p, uint32_t *bit)
{
	for (uint32_t b = 0; b < v.size * 8; b += 2) {
		const struct row *r;

		if (!features_bit(v, b))
			continue;
		r = row_of(b);
		if (r && (r->assumed || r->harmless || p->stand[b / 2] != FEATURE_OFF))
			continue;
		*bit = b;
		return true;
	}
	return false;
}

/* No chain of dependencies needs more than one look at each row: all rows are looked at. */
bool features_complete(struct bytes v, enum feature *of, enum feature *missing)
{
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		const struct row *r = &table[i];

		if (r->depends_on != NO_DEPENDENCY && features_offered(v, r->bit) &&
		    !features_offered(v, r->depends_on)) {
			*of = r->bit;
			*missing = r->depends_on;
			return false;
		}
	}
	return true;
}

struct bytes features_trimmed(struct bytes v)
{
	while (v.size && v.data[0] == 0)
		v = BYTES(v.data + 1, v.size - 1);
	return v;
}

bool features_equal(struct bytes a, struct bytes b)
{
	return bytes_equal(features_trimmed(a), features_trimmed(b));
}

bool features_none(struct bytes v)
{
	return features_trimmed(v).size == 0;
}

static void grow_to(struct buf *out, size_t size)
{
	size_t old = out->size;

	if (old >= size)
		return;
	(void)buf_extend(out, size - old);
	memmove(out->data + (size - old), out->data, old);
	memset(out->data, 0, size - old);
}

void features_set_bit(struct buf *out, uint32_t bit)
{
	grow_to(out, bit / 8 + 1);
	out->data[out->size - 1 - bit / 8] |= (uint8_t)(1u << bit % 8);
}

void features_merge(struct buf *out, struct bytes v)
{
	v = features_trimmed(v);
	grow_to(out, v.size);
	for (size_t i = 0; i < v.size; i++)
		out->data[out->size - 1 - i] |= v.data[v.size - 1 - i];
}

bool channel_type_decode(struct bytes v, struct channel_type *out)
{
	struct buf again = BUF_EMPTY;
	bool same;

	out->anchors = features_bit(v, FEATURE_ANCHORS);
	out->scid_alias = features_bit(v, FEATURE_SCID_ALIAS);
	out->zeroconf = features_bit(v, FEATURE_ZEROCONF);
	channel_type_encode(out, &again);
	/* Any bit besides these, or a missing static_remotekey, is a type that we do not know. */
	same = features_equal(v, buf_view(&again));
	buf_release(&again);
	return same;
}

void channel_type_encode(const struct channel_type *t, struct buf *out)
{
	struct buf v = BUF_EMPTY;

	features_set_bit(&v, FEATURE_STATIC_REMOTEKEY);
	if (t->anchors)
		features_set_bit(&v, FEATURE_ANCHORS);
	if (t->scid_alias)
		features_set_bit(&v, FEATURE_SCID_ALIAS);
	if (t->zeroconf)
		features_set_bit(&v, FEATURE_ZEROCONF);
	buf_add_bytes(out, buf_view(&v));
	buf_release(&v);
}
