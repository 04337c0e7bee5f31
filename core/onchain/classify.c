/* Whose transaction it is, and what each of its outputs is. */
#include "onchain/state.h"

/* What can still be built of the channel's commitments. */
struct built {
	struct commitment *local, *remote, *remote_previous;
};

static struct commitment *build(struct step *s, const struct commitment_spec *spec)
{
	return spec ? commitment_build(&s->out->arena, spec) : NULL;
}

static bool is_it(const struct commitment *c, const struct txid *id)
{
	return c && SAME(c->txid, *id);
}

/* By its number alone: revoked, or from a future that we have forgotten. */
static enum onchain_spend by_number(const struct channel_record *r, uint64_t number)
{
	if (number < r->remote_revoked)
		return ONCHAIN_THEIR_REVOKED_COMMITMENT;
	return number > r->remote_number ? ONCHAIN_THEIR_FUTURE_COMMITMENT : ONCHAIN_UNKNOWN;
}

static bool is_close_script(const struct channel_side *side, struct bytes script)
{
	return (side->shutdown.size && bytes_equal(script, channel_script_view(&side->shutdown))) ||
	       (side->upfront_shutdown.size && bytes_equal(script, channel_script_view(&side->upfront_shutdown)));
}

/* A closing transaction pays nobody but the two shutdown scripts, whichever of those that were negotiated it is. */
static bool pays_only_shutdown_scripts(const struct channel_record *r, const struct tx *t)
{
	for (uint32_t i = 0; i < t->output_count; i++)
		if (!is_close_script(&r->side[SIDE_LOCAL], t->outputs[i].script) &&
		    !is_close_script(&r->side[SIDE_REMOTE], t->outputs[i].script))
			return false;
	return true;
}

static enum onchain_spend kind_of(const struct channel_record *r, const struct built *b, const struct tx *t,
				  const struct txid *id, uint64_t *number)
{
	if (is_it(b->local, id))
		return ONCHAIN_OUR_COMMITMENT;
	if (is_it(b->remote, id))
		return ONCHAIN_THEIR_COMMITMENT;
	if (is_it(b->remote_previous, id))
		return ONCHAIN_THEIR_PREVIOUS_COMMITMENT;
	if (commitment_number_of(t, channel_record_obscuring_factor(r), number))
		return by_number(r, *number);
	return pays_only_shutdown_scripts(r, t) ? ONCHAIN_MUTUAL_CLOSE : ONCHAIN_UNKNOWN;
}

static const struct commitment *commitment_of(const struct built *b, enum onchain_spend kind)
{
	switch (kind) {
	case ONCHAIN_OUR_COMMITMENT:
		return b->local;
	case ONCHAIN_THEIR_COMMITMENT:
		return b->remote;
	case ONCHAIN_THEIR_PREVIOUS_COMMITMENT:
		return b->remote_previous;
	case ONCHAIN_MUTUAL_CLOSE:
	case ONCHAIN_THEIR_REVOKED_COMMITMENT:
	case ONCHAIN_THEIR_FUTURE_COMMITMENT:
	case ONCHAIN_UNKNOWN:
		return NULL;
	}
	UNREACHABLE();
}

/* --- what each output is --- */

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* BIP 112: a block at height h may hold a spend with relative delay d of an output of block h - d.  Without one (bit
 * 31) the next block is early enough.  BIP 65: a locktime of n allows block n + 1. */
static uint32_t spendable_height(const struct onchain *o, uint32_t output)
{
	const struct onchain_output *v = &o->outputs[output];
	struct sweep_input in;
	uint32_t sequence;

	switch (o->ways[output].kind) {
	case WAY_NONE:
		return 0;
	case WAY_HTLC_TIMEOUT:
		return greater(v->height, v->cltv_expiry) + 1;
	case WAY_HTLC_SUCCESS:
		return v->height + 1;
	case WAY_DELAYED:
	case WAY_REVOKED_DELAYED:
	case WAY_TO_REMOTE_STATIC:
	case WAY_TO_REMOTE_ANCHORS:
	case WAY_PREIMAGE:
	case WAY_TIMEOUT:
	case WAY_REVOKED_HTLC:
		break;
	}
	in = onchain_sweep(o, output);
	sequence = sweep_sequence(&in);
	return greater(v->height + (sequence & 0x80000000u ? 1 : sequence & 0xffff), sweep_locktime(&in) + 1);
}

static uint32_t upstream_expiry(const struct onchain *o, uint64_t htlc_id)
{
	for (uint32_t i = 0; i < o->offered_count; i++)
		if (o->offered[i].htlc.id == htlc_id)
			return o->offered[i].htlc.upstream_expiry;
	return 0;
}

static uint32_t deadline_of(const struct onchain *o, uint32_t output)
{
	const struct onchain_output *v = &o->outputs[output];
	uint32_t upstream;

	switch (o->ways[output].kind) {
	case WAY_NONE:
	case WAY_DELAYED:
	case WAY_TO_REMOTE_STATIC:
	case WAY_TO_REMOTE_ANCHORS:
		return 0;
	case WAY_REVOKED_DELAYED:
	case WAY_REVOKED_HTLC:
		return v->height + o->terms.to_self_delay;
	case WAY_PREIMAGE:
	case WAY_HTLC_SUCCESS:
		return v->cltv_expiry;
	case WAY_TIMEOUT:
	case WAY_HTLC_TIMEOUT:
		/* Once the incoming HTLC expires, its owner takes that back, and the peer may still take this one. */
		upstream = upstream_expiry(o, v->htlc_id);
		return upstream ? upstream : v->cltv_expiry + ONCHAIN_TIMEOUT_BLOCKS;
	}
	UNREACHABLE();
}

void onchain_own(struct onchain *o, uint32_t output, enum way_kind kind, struct bytes witness_script)
{
	struct way *w = &o->ways[output];

	w->kind = kind;
	w->witness_script = arena_bytes(&o->memory, witness_script);
	o->outputs[output].ours = true;
	o->outputs[output].spendable_height = spendable_height(o, output);
	o->outputs[output].deadline = deadline_of(o, output);
}

static void mark(struct onchain *o, uint32_t index, enum onchain_what what)
{
	if (index < o->count)
		o->outputs[index].what = what;
}

static bool offered_by_us(enum onchain_spend kind, const struct commitment_htlc *h)
{
	return h->offered_by_broadcaster == (kind == ONCHAIN_OUR_COMMITMENT);
}

static void own_offered(struct onchain *o, const struct commitment_htlc_output *h)
{
	bool ours = o->kind == ONCHAIN_OUR_COMMITMENT;

	o->outputs[h->index].what = ONCHAIN_HTLC_OURS;
	/* B5.unilateral_close_handling_local_commitme.3, B5.unilateral_close_handling_remote_commitm.2 */
	onchain_own(o, h->index, ours ? WAY_HTLC_TIMEOUT : WAY_TIMEOUT, h->witness_script);
}

static const struct onchain_incoming *incoming_of(const struct onchain_facts *facts, uint64_t id)
{
	for (uint32_t i = 0; i < facts->incoming_count; i++)
		if (facts->incoming[i].id == id)
			return &facts->incoming[i];
	return NULL;
}

/* B5.unilateral_close_handling_local_commitme.4, B5.unilateral_close_handling_remote_commitm.3 */
static void own_incoming(struct onchain *o, const struct onchain_facts *facts, const struct commitment_htlc_output *h)
{
	const struct onchain_incoming *in = incoming_of(facts, h->htlc.id);
	struct way *w = &o->ways[h->index];

	o->outputs[h->index].what = ONCHAIN_HTLC_THEIRS;
	w->witness_script = arena_bytes(&o->memory, h->witness_script);
	/* B5.htlc_output_handling_local_commitment_re.4, B5.htlc_output_handling_remote_commitment_r.2 */
	w->committed = in && in->committed;
	if (!w->committed || !in->has_preimage)
		return;
	w->has_preimage = true;
	w->preimage = in->preimage;
	onchain_own(o, h->index, o->kind == ONCHAIN_OUR_COMMITMENT ? WAY_HTLC_SUCCESS : WAY_PREIMAGE, h->witness_script);
}

static void own_htlcs(struct onchain *o, const struct onchain_facts *facts, const struct commitment *c)
{
	bool ours = o->kind == ONCHAIN_OUR_COMMITMENT;
	const struct commit_sigs *sigs = facts->sigs;

	for (uint32_t i = 0; i < c->htlc_count; i++) {
		const struct commitment_htlc_output *h = &c->htlcs[i];

		o->outputs[h->index].cltv_expiry = h->htlc.cltv_expiry;
		o->outputs[h->index].htlc_id = h->htlc.id;
		o->ways[h->index].payment_hash = h->htlc.payment_hash;
		if (ours) {
			/* They came with the commitment, and were checked against it. */
			ASSERT(sigs && i < sigs->htlc_count);
			o->ways[h->index].countersignature = sigs->htlcs[i];
		}
		if (offered_by_us(o->kind, &h->htlc))
			own_offered(o, h);
		else
			own_incoming(o, facts, h);
	}
}

static void take_terms(struct onchain *o, const struct commitment *c)
{
	bool ours = o->kind == ONCHAIN_OUR_COMMITMENT;

	o->terms.type = c->type;
	o->terms.to_self_delay = c->to_self_delay;
	o->terms.point = c->keys.per_commitment_point;
	o->terms.number = ours ? o->record->local_number : 0;
	o->terms.delayed = c->keys.broadcaster_delayed;
	o->terms.htlc = ours ? c->keys.broadcaster_htlc : c->keys.countersignatory_htlc;
	o->terms.revocation = c->keys.revocation;
	if (ours)
		o->terms.stage_script = arena_bytes(&o->memory, c->to_local_script);
}

static void from_commitment(struct onchain *o, const struct onchain_facts *facts, const struct commitment *c)
{
	bool ours = o->kind == ONCHAIN_OUR_COMMITMENT, anchors = c->type == COMMITMENT_ANCHORS;

	take_terms(o, c);
	mark(o, c->local_anchor, ONCHAIN_ANCHOR);
	mark(o, c->remote_anchor, ONCHAIN_ANCHOR);
	mark(o, c->to_local, ours ? ONCHAIN_TO_US : ONCHAIN_TO_THEM);
	mark(o, c->to_remote, ours ? ONCHAIN_TO_THEM : ONCHAIN_TO_US);
	own_htlcs(o, facts, c);
	if (ours && c->to_local < o->count)
		onchain_own(o, c->to_local, WAY_DELAYED, c->to_local_script);
	if (!ours && c->to_remote < o->count)
		onchain_own(o, c->to_remote, anchors ? WAY_TO_REMOTE_ANCHORS : WAY_TO_REMOTE_STATIC, c->to_remote_script);
}

/* A commitment that we cannot build any more still pays our payment basepoint (B5.unilateral_close_handling_remote_commitm.1). */
static void find_to_remote(struct onchain *o, struct step *s, const struct tx *t)
{
	const struct channel_record *r = o->record;
	const struct pubkey *payment = &r->side[SIDE_LOCAL].points.payment;
	struct bytes script = to_remote_script_pubkey(&s->out->arena, r->type, payment);
	bool anchors = r->type == COMMITMENT_ANCHORS;

	for (uint32_t i = 0; i < o->count; i++) {
		if (!bytes_equal(t->outputs[i].script, script))
			continue;
		o->outputs[i].what = ONCHAIN_TO_US;
		onchain_own(o, i, anchors ? WAY_TO_REMOTE_ANCHORS : WAY_TO_REMOTE_STATIC,
			    anchors ? to_remote_witness_script(&s->out->arena, payment) : BYTES_NONE);
	}
}

static void find_anchors(struct onchain *o, struct step *s, const struct tx *t)
{
	struct arena *a = &s->out->arena;

	if (o->record->type != COMMITMENT_ANCHORS)
		return;
	for (int side = 0; side < 2; side++) {
		struct bytes script = script_p2wsh(a, anchor_witness_script(a, &o->record->side[side].points.funding));

		for (uint32_t i = 0; i < o->count; i++)
			if (bytes_equal(t->outputs[i].script, script))
				mark(o, i, ONCHAIN_ANCHOR);
	}
}

/* --- outgoing HTLCs --- */

/* Its output in c, or NOWHERE. */
static uint32_t output_in(const struct commitment *c, bool broadcaster_is_us, uint64_t htlc_id)
{
	for (uint32_t i = 0; c && i < c->htlc_count; i++)
		if (c->htlcs[i].htlc.offered_by_broadcaster == broadcaster_is_us && c->htlcs[i].htlc.id == htlc_id)
			return c->htlcs[i].index;
	return NOWHERE;
}

static void place_offered(struct onchain *o, const struct commitment *c)
{
	for (uint32_t i = 0; i < o->offered_count; i++) {
		struct offered *h = &o->offered[i];

		h->output = output_in(c, o->kind == ONCHAIN_OUR_COMMITMENT, h->htlc.id);
		h->depth = ONCHAIN_REASONABLE_DEPTH_BLOCKS;
	}
}

/* In a commitment that we cannot build any output of the right amount may be it: an HTLC's output has the HTLC's
 * amount in every commitment, and where there is none it is certainly not there. */
static void guess_offered(struct onchain *o, const struct tx *t)
{
	for (uint32_t i = 0; i < o->offered_count; i++) {
		struct offered *h = &o->offered[i];

		h->output = BY_AMOUNT;
		h->depth = ONCHAIN_DEPTH_BLOCKS;
		for (uint32_t j = 0; j < o->count; j++)
			if (o->outputs[j].what == ONCHAIN_OTHER && script_is_p2wsh(t->outputs[j].script) &&
			    sat_cmp(t->outputs[j].amount, msat_to_sat(h->htlc.amount)) == 0)
				o->outputs[j].what = ONCHAIN_HTLC_OURS;
	}
}

void onchain_classify(struct onchain *o, struct step *s, const struct onchain_facts *facts)
{
	struct built b = { build(s, facts->local), build(s, facts->remote), build(s, facts->remote_previous) };
	const struct commitment *c;
	uint64_t number = 0;

	o->terms.type = o->record->type;
	o->past_known = true;
	o->kind = kind_of(o->record, &b, facts->spend, &o->txid, &number);
	c = commitment_of(&b, o->kind);
	if (c || o->kind == ONCHAIN_MUTUAL_CLOSE) {
		if (c)
			from_commitment(o, facts, c);
		place_offered(o, c);
		return;
	}
	find_to_remote(o, s, facts->spend);
	find_anchors(o, s, facts->spend);
	if (o->kind == ONCHAIN_THEIR_REVOKED_COMMITMENT)
		onchain_revoked(o, s, facts, number);
	else
		guess_offered(o, facts->spend);
}
