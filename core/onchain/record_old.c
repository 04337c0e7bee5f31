/* RECORD_ONCHAIN of version 1: one claim an output, and none of HTLCs.
 *
 * What it knew goes on; HTLC outputs that it could not claim have no keys in it, and stay watched until somebody
 * spends them. */
#include "onchain/state.h"

static struct bytes read_script(struct onchain *o, struct cursor *c)
{
	return arena_bytes(&o->memory, cursor_bytes(c, cursor_be16(c)));
}

static void read_claim(struct onchain *o, uint32_t i, enum way_kind kind, struct cursor *c)
{
	struct onchain_output *v = &o->outputs[i];
	struct pubkey key;

	o->ways[i].kind = kind;
	v->ours = true;
	v->spendable_height = cursor_be32(c);
	cursor_copy(c, v->claim.v, 32);
	v->claim_feerate = FEERATE(cursor_be32(c));
	v->claim_height = cursor_be32(c);
	o->terms.type = (enum commitment_type)onchain_in_range(c, cursor_u8(c), COMMITMENT_STATIC_REMOTEKEY, COMMITMENT_ANCHORS);
	o->terms.to_self_delay = cursor_be16(c);
	cursor_copy(c, o->terms.point.v, 33);
	cursor_copy(c, key.v, 33);
	if (kind == WAY_DELAYED)
		o->terms.delayed = key;
	o->terms.number = cursor_be64(c);
	o->ways[i].witness_script = read_script(o, c);
	if (v->claim_feerate.per_kw > UINT32_MAX / 2)
		cursor_fail(c);
	if (!cursor_ok(c) || bytes_all_zero(BYTES_OF(v->claim.v)))
		return;
	/* The claim of this output alone. */
	o->ways[i].start = v->claim_height;
	o->ways[i].floor = v->claim_feerate;
	{
		struct claim *k = onchain_claim_new(o);

		k->out = true;
		k->txid = v->claim;
		k->feerate = v->claim_feerate;
		k->height = v->claim_height;
		onchain_claim_add(o, k, i);
	}
}

static void read_output(struct onchain *o, struct cursor *c)
{
	uint32_t i = onchain_append(o, &(struct outpoint){ o->txid, o->count }, SAT(cursor_be64(c)), o->height);
	struct onchain_output *v = &o->outputs[i];
	uint8_t kind;

	v->what = (enum onchain_what)onchain_in_range(c, cursor_u8(c), ONCHAIN_OTHER, ONCHAIN_HTLC_THEIRS);
	v->cltv_expiry = cursor_be32(c);
	v->spent_height = cursor_be32(c);
	if (v->spent_height) {
		onchain_in_range(c, v->spent_height, o->height, UINT32_MAX);
		cursor_copy(c, v->spent_by.v, 32);
	}
	if (v->amount.v > SUPPLY_SAT)
		cursor_fail(c);
	kind = cursor_u8(c);
	if (!kind)
		return;
	if ((kind != WAY_DELAYED && kind != WAY_TO_REMOTE_STATIC && kind != WAY_TO_REMOTE_ANCHORS) || v->what != ONCHAIN_TO_US)
		cursor_fail(c);
	if (cursor_ok(c))
		read_claim(o, i, (enum way_kind)kind, c);
}

static void read_offered(struct onchain *o, uint32_t i, struct cursor *c)
{
	struct offered *h = &o->offered[i];

	h->htlc.id = cursor_be64(c);
	h->htlc.amount = MSAT(cursor_be64(c));
	cursor_copy(c, h->htlc.payment_hash.v, 32);
	h->output = cursor_be32(c);
	if (h->output < o->count ? o->outputs[h->output].what != ONCHAIN_HTLC_OURS :
				   h->output != NOWHERE && h->output != BY_AMOUNT)
		cursor_fail(c);
	h->depth = cursor_u8(c);
	h->fate = (enum htlc_fate)onchain_in_range(c, cursor_u8(c), FATE_OPEN, FATE_GONE);
}

static bool read_body(struct onchain *o, struct cursor *c)
{
	uint32_t count;

	o->kind = (enum onchain_spend)onchain_in_range(c, cursor_u8(c), ONCHAIN_MUTUAL_CLOSE, ONCHAIN_UNKNOWN);
	o->height = cursor_be32(c);
	cursor_copy(c, o->txid.v, 32);
	o->destination = read_script(o, c);
	count = onchain_in_range(c, cursor_be16(c), 0, SPEND_OUTPUTS_MAX);
	for (uint32_t i = 0; i < count && cursor_ok(c); i++)
		read_output(o, c);
	o->base_count = o->count;
	o->offered_count = cursor_be16(c);
	if (!cursor_ok(c)) {
		o->offered_count = 0;
		return false;
	}
	o->offered = NEW_ARRAY(struct offered, o->offered_count);
	for (uint32_t i = 0; i < o->offered_count && cursor_ok(c); i++)
		read_offered(o, i, c);
	return cursor_done(c);
}

struct onchain *onchain_load_version_1(const struct channel_record *r, struct cursor *c)
{
	struct onchain *o = onchain_alloc(r);

	if (read_body(o, c))
		return o;
	onchain_free(o);
	return NULL;
}
