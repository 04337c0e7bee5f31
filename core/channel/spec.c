/* From a channel's record and HTLCs to the specification of a commitment
 * transaction.  The one place that says what is in which commitment at which
 * price; onchain/ uses it with records alone. */
#include "channel/machine.h"
#include "contract/scripts.h"

/* Which HTLCs: a view, or the peer's commitment before it. */
struct choice {
	bool previous;
	enum htlc_view view;
};

static bool chosen(enum htlc_state s, struct choice c)
{
	return c.previous ? htlc_state_in_remote_previous(s) : htlc_state_in(s, c.view);
}

static struct feerate feerate_of(const struct channel_record *r, struct choice c)
{
	enum htlc_state first = r->opener == SIDE_LOCAL ? SENT_ADD_HTLC : RCVD_ADD_HTLC;

	/* The youngest one counts. */
	for (int i = 0; i < 5; i++)
		if (r->feerates[i].per_kw != 0 && chosen(first + i, c))
			return r->feerates[i];
	return FEERATE(0);
}

struct feerate channel_record_feerate(const struct channel_record *r, enum htlc_view v)
{
	return feerate_of(r, (struct choice){ false, v });
}

uint64_t channel_record_obscuring_factor(const struct channel_record *r)
{
	return commitment_obscuring_factor(&r->side[r->opener].points.payment,
					   &r->side[side_other(r->opener)].points.payment);
}

struct bytes channel_record_funding_script(const struct channel_record *r, struct arena *a)
{
	return funding_script_pubkey(a, &r->side[SIDE_LOCAL].points.funding, &r->side[SIDE_REMOTE].points.funding);
}

/* Adds one HTLC's part to the balances; true if it is in the commitment. */
static bool apply_htlc(const struct channel_htlc *h, struct choice c, struct amount_msat left[2])
{
	bool in = chosen(h->state, c);

	if (!in && !(htlc_state_removing(h->state) && h->resolution == HTLC_FULFILLED))
		return false;
	ASSERT(msat_sub(&left[h->owner], left[h->owner], h->amount));
	if (!in)
		ASSERT(msat_add(&left[side_other(h->owner)], left[side_other(h->owner)], h->amount));
	return in;
}

/* Credits before debits: a new HTLC may spend what a removed one has paid. */
static void gather(const struct channel_htlc *const *htlcs, uint32_t count, struct choice c, enum side broadcaster,
		   struct commitment_htlc *out, uint32_t *out_count, struct amount_msat left[2])
{
	*out_count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (!chosen(htlcs[i]->state, c))
			(void)apply_htlc(htlcs[i], c, left);
	for (uint32_t i = 0; i < count; i++) {
		const struct channel_htlc *h = htlcs[i];

		if (chosen(h->state, c) && apply_htlc(h, c, left))
			out[(*out_count)++] = (struct commitment_htlc){ h->id, h->owner == broadcaster, h->amount,
									h->payment_hash, h->cltv_expiry };
	}
}

static struct basepoints *copy_points(struct arena *a, const struct basepoints *b)
{
	return arena_copy(a, b, sizeof(*b));
}

static struct commitment_spec *spec_of(const struct channel_record *r, const struct channel_htlc *const *htlcs,
				       uint32_t count, struct choice c, uint64_t number, const struct pubkey *point,
				       struct arena *a)
{
	struct commitment_spec *spec = ARENA_NEW(a, struct commitment_spec);
	enum side owner = c.previous ? SIDE_REMOTE : view_side(c.view), other = side_other(owner);
	struct commitment_htlc *list = ARENA_ARRAY(a, struct commitment_htlc, count);
	struct amount_msat left[2] = { r->settled[0], r->settled[1] };

	gather(htlcs, count, c, owner, list, &spec->htlc_count, left);
	spec->htlcs = list;
	spec->type = r->type;
	spec->funding = r->funding;
	spec->funding_amount = r->funding_amount;
	spec->broadcaster = copy_points(a, &r->side[owner].points);
	spec->countersignatory = copy_points(a, &r->side[other].points);
	spec->per_commitment_point = *point;
	spec->broadcaster_is_opener = r->opener == owner;
	spec->number = number;
	spec->feerate = feerate_of(r, c);
	spec->dust_limit = r->side[owner].dust_limit;
	/* The delay is what the other side asked for. */
	spec->to_self_delay = r->side[other].to_self_delay;
	spec->broadcaster_balance = left[owner];
	spec->countersignatory_balance = left[other];
	return spec;
}

struct commitment_spec *channel_record_spec(const struct channel_record *r, const struct channel_htlc *const *htlcs,
					    uint32_t htlc_count, enum commitment_choice which, struct arena *a)
{
	uint64_t number;

	switch (which) {
	case COMMITMENT_LOCAL:
		number = r->local_number;
		return spec_of(r, htlcs, htlc_count, (struct choice){ false, VIEW_LOCAL }, number,
			       &r->local_points[number - r->local_revoked], a);
	case COMMITMENT_REMOTE:
		number = r->remote_number;
		return spec_of(r, htlcs, htlc_count, (struct choice){ false, VIEW_REMOTE }, number,
			       &r->remote_points[number - r->remote_revoked], a);
	case COMMITMENT_REMOTE_PREVIOUS:
		if (r->remote_number == r->remote_revoked)
			return NULL;
		return spec_of(r, htlcs, htlc_count, (struct choice){ true, VIEW_REMOTE }, r->remote_revoked,
			       &r->remote_points[0], a);
	}
	UNREACHABLE();
}

static const struct channel_htlc **all_htlcs(const struct channel *ch, struct arena *a, uint32_t *count)
{
	const struct channel_htlc **all = ARENA_ARRAY(a, const struct channel_htlc *, table_count(&ch->htlcs));

	*count = 0;
	for (int i = 0; i < HTLC_STATES; i++)
		for (const struct channel_htlc *h = ch->lists[i].head; h; h = h->next)
			all[(*count)++] = h;
	ASSERT(*count == table_count(&ch->htlcs));
	return all;
}

struct commitment_spec *channel_spec(const struct channel *ch, enum htlc_view v, uint64_t number,
				     const struct pubkey *point, struct arena *a)
{
	uint32_t count;
	const struct channel_htlc **all = all_htlcs(ch, a, &count);
	struct commitment_spec *spec = spec_of(&ch->r, all, count, (struct choice){ false, v }, number, point, a);
	enum side owner = view_side(v);
	struct commitment_keys *keys = ARENA_NEW(a, struct commitment_keys);

	/* Who builds it finds out what is wrong with points that make no keys. */
	if (memo_keys(ch->policy->memo, keys, spec->broadcaster, spec->countersignatory, point))
		spec->keys = keys;
	/* INV-C2 from the other end: the running sums say the same. */
	ASSERT(msat_cmp(spec->broadcaster_balance, ch->views[v].left[owner]) == 0);
	ASSERT(msat_cmp(spec->countersignatory_balance, ch->views[v].left[side_other(owner)]) == 0);
	ASSERT(spec->htlc_count == ch->views[v].count[0] + ch->views[v].count[1]);
	return spec;
}

bool channel_ahead(struct channel *ch)
{
	for (int i = 0; i < 2; i++) {
		enum side owner = i ? SIDE_REMOTE : SIDE_LOCAL;
		const struct pubkey *next = owner == SIDE_LOCAL ? &ch->r.local_points[1] : &ch->r.remote_points[1];
		const struct basepoints *broadcaster = &ch->r.side[owner].points, *other = &ch->r.side[side_other(owner)].points;
		struct commitment_keys keys;

		if (!ch->ahead[owner] || ch->dead || !ch->policy->memo)
			continue;
		ch->ahead[owner] = false;
		if (!memo_has_keys(ch->policy->memo, broadcaster, other, next))
			return memo_keys(ch->policy->memo, &keys, broadcaster, other, next);
	}
	return false;
}

struct commitment_spec *channel_commitment_spec(const struct channel *ch, enum commitment_choice which, struct arena *a)
{
	uint32_t count;
	const struct channel_htlc **all = all_htlcs(ch, a, &count);

	return channel_record_spec(&ch->r, all, count, which, a);
}
