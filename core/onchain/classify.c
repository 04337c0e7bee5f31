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

/* A closing transaction pays nobody but the two shutdown scripts. */
static bool pays_only_shutdown_scripts(const struct channel_record *r, const struct tx *t)
{
	for (uint32_t i = 0; i < t->output_count; i++)
		if (!is_close_script(&r->side[SIDE_LOCAL], t->outputs[i].script) &&
		    !is_close_script(&r->side[SIDE_REMOTE], t->outputs[i].script))
			return false;
	return true;
}

static enum onchain_spend kind_of(const struct channel_record *r, const struct built *b, const struct tx *t,
				  const struct txid *id)
{
	uint64_t number;

	if (is_it(b->local, id))
		return ONCHAIN_OUR_COMMITMENT;
	if (is_it(b->remote, id))
		return ONCHAIN_THEIR_COMMITMENT;
	if (is_it(b->remote_previous, id))
		return ONCHAIN_THEIR_PREVIOUS_COMMITMENT;
	if (commitment_number_of(t, channel_record_obscuring_factor(r), &number))
		return by_number(r, number);
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

static void own(struct onchain *o, const struct sweep_input *in, uint64_t number)
{
	struct onchain_output *v = &o->outputs[in->prev.index];
	struct claim *c = &o->claims[in->prev.index];
	uint32_t sequence = sweep_sequence(in);

	v->what = ONCHAIN_TO_US;
	v->ours = true;
	/* BIP 112: a block at height h may hold a spend with relative delay d of an output of block h - d.  Without one
	 * (bit 31) the next block is early enough. */
	v->spendable_height = o->height + (sequence & 0x80000000u ? 1 : sequence & 0xffff);
	c->kind = in->kind;
	c->type = in->type;
	c->to_self_delay = in->to_self_delay;
	c->point = in->per_commitment_point;
	c->key = in->key;
	c->number = number;
	c->witness_script = arena_bytes(&o->memory, in->witness_script);
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

static void mark_htlcs(struct onchain *o, const struct commitment *c)
{
	for (uint32_t i = 0; i < c->htlc_count; i++) {
		const struct commitment_htlc_output *h = &c->htlcs[i];

		mark(o, h->index, offered_by_us(o->kind, &h->htlc) ? ONCHAIN_HTLC_OURS : ONCHAIN_HTLC_THEIRS);
		o->outputs[h->index].cltv_expiry = h->htlc.cltv_expiry;
	}
}

static void from_commitment(struct onchain *o, const struct commitment *c)
{
	bool ours = o->kind == ONCHAIN_OUR_COMMITMENT;
	struct sweep_input in;

	mark(o, c->local_anchor, ONCHAIN_ANCHOR);
	mark(o, c->remote_anchor, ONCHAIN_ANCHOR);
	mark(o, c->to_local, ours ? ONCHAIN_TO_US : ONCHAIN_TO_THEM);
	mark(o, c->to_remote, ours ? ONCHAIN_TO_THEM : ONCHAIN_TO_US);
	mark_htlcs(o, c);
	if (ours ? sweep_to_local(&in, c) : sweep_to_remote(&in, c))
		own(o, &in, ours ? o->record->local_number : 0);
}

/* A commitment that we cannot build any more still pays our payment basepoint (B5.unilateral_close_handling_remote_commitm.1). */
static void find_to_remote(struct onchain *o, struct step *s, const struct tx *t)
{
	const struct channel_record *r = o->record;
	const struct pubkey *payment = &r->side[SIDE_LOCAL].points.payment;
	struct bytes script = to_remote_script_pubkey(&s->out->arena, r->type, payment);
	bool anchors = r->type == COMMITMENT_ANCHORS;

	for (uint32_t i = 0; i < o->count; i++) {
		struct sweep_input in = {
			.kind = anchors ? SWEEP_TO_REMOTE_ANCHORS : SWEEP_TO_REMOTE_STATIC,
			.type = r->type,
			.prev = { o->txid, i },
			.amount = t->outputs[i].amount,
			.key = *payment,
		};

		if (!bytes_equal(t->outputs[i].script, script))
			continue;
		if (anchors)
			in.witness_script = to_remote_witness_script(&s->out->arena, payment);
		own(o, &in, 0);
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

static bool has_output_somewhere(const struct built *b, uint64_t htlc_id)
{
	return output_in(b->local, true, htlc_id) != NOWHERE || output_in(b->remote, false, htlc_id) != NOWHERE ||
	       output_in(b->remote_previous, false, htlc_id) != NOWHERE;
}

static void place_offered(struct onchain *o, const struct built *b, const struct commitment *c)
{
	for (uint32_t i = 0; i < o->offered_count; i++) {
		struct offered *h = &o->offered[i];

		h->output = output_in(c, o->kind == ONCHAIN_OUR_COMMITMENT, h->htlc.id);
		h->depth = has_output_somewhere(b, h->htlc.id) ? ONCHAIN_DEPTH_BLOCKS : ONCHAIN_DUST_DEPTH_BLOCKS;
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

	o->kind = kind_of(o->record, &b, facts->spend, &o->txid);
	c = commitment_of(&b, o->kind);
	if (c || o->kind == ONCHAIN_MUTUAL_CLOSE) {
		if (c)
			from_commitment(o, c);
		place_offered(o, &b, c);
		return;
	}
	find_to_remote(o, s, facts->spend);
	find_anchors(o, s, facts->spend);
	guess_offered(o, facts->spend);
}
