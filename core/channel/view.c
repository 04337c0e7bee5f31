#include "channel/view.h"

#include "channel/machine.h"

const struct channel_record *channel_record_of(const struct channel *ch)
{
	return &ch->r;
}

bool channel_takes_attribution(const struct channel *ch)
{
	return ch->attribution_offered || ch->link == LINK_DOWN;
}

bool channel_is_connected(const struct channel *ch)
{
	return !ch->dead && ch->link == LINK_UP;
}

bool channel_is_usable(const struct channel *ch)
{
	return channel_is_connected(ch) && ch->r.state == CHANNELD_NORMAL && !ch->shutdown_wanted;
}

bool channel_is_busy(const struct channel *ch)
{
	return ch->ask != ASK_NONE || ch->r.remote_number > ch->r.remote_revoked || ch->r.local_number > ch->r.local_revoked ||
	       commit_needed(ch);
}

bool channel_is_opening(const struct channel *ch)
{
	return ch->r.state == OPENINGD;
}

struct amount_msat channel_to_us(const struct channel *ch)
{
	return ch->views[VIEW_LOCAL].left[SIDE_LOCAL];
}

/* The greatest amount for which the checks pass: they turn once, from yes to no. */
struct amount_msat channel_spendable(const struct channel *ch, const struct step *s)
{
	struct amount_msat low = MSAT(0), high = ch->views[VIEW_REMOTE_NEXT].left[SIDE_LOCAL], middle;

	(void)s;
	while (MSAT_LESS(low, high)) {
		struct amount_msat half = msat_ppm(msat_sub_or_zero(high, low), 500000);

		if (!msat_add(&middle, low, half) || !msat_add(&middle, middle, MSAT(1)))
			break;
		/* Half of an odd gap is rounded down, so middle is above low. */
		if (MSAT_LESS(high, middle))
			middle = high;
		if (update_may_afford(ch, middle))
			low = middle;
		else
			high = msat_sub_or_zero(middle, MSAT(1));
	}
	return update_may_afford(ch, low) ? low : MSAT(0);
}

uint32_t channel_htlcs_left(const struct channel *ch)
{
	uint32_t most = ch->r.side[SIDE_REMOTE].max_accepted_htlcs, next = ch->views[VIEW_REMOTE_NEXT].count[SIDE_LOCAL];
	uint32_t full = ch->views[VIEW_LOCAL_FULL].count[SIDE_LOCAL], count = next > full ? next : full;

	return count < most ? most - count : 0;
}

struct amount_msat channel_receivable(const struct channel *ch)
{
	const struct balance *b = &ch->views[VIEW_LOCAL_FULL];
	const struct channel_side *ours = &ch->r.side[SIDE_LOCAL];
	struct amount_msat can = msat_sub_or_zero(b->left[SIDE_REMOTE], msat_of_sat(ours->reserve));

	if (ch->r.opener == SIDE_REMOTE)
		can = msat_sub_or_zero(can, view_cost(ch, VIEW_LOCAL_FULL, b->feerate, 1));
	can = msat_min(can, msat_sub_or_zero(ours->max_in_flight, b->offered[SIDE_REMOTE]));
	return MSAT_LESS(can, ours->htlc_minimum) || b->count[SIDE_REMOTE] >= ours->max_accepted_htlcs ? MSAT(0) : can;
}

static enum htlc_view view_of(enum side commitment)
{
	return commitment == SIDE_LOCAL ? VIEW_LOCAL : VIEW_REMOTE;
}

struct feerate channel_feerate(const struct channel *ch, enum side commitment)
{
	return ch->views[view_of(commitment)].feerate;
}

struct amount_sat channel_commitment_fee(const struct channel *ch, enum side commitment)
{
	const struct balance *b = &ch->views[view_of(commitment)];

	return commitment_fee(ch->r.type, b->feerate, b->untrimmed);
}

struct txid channel_commitment_txid(const struct channel *ch)
{
	struct txid id = ch->commitment_txid;
	struct commitment *c;
	struct arena a;

	if (ch->has_commitment_txid)
		return id;
	arena_init(&a);
	c = commitment_build(&a, channel_commitment_spec(ch, COMMITMENT_LOCAL, &a));
	if (c)
		id = c->txid;
	arena_release(&a);
	return id;
}

struct bytes channel_closing_tx(const struct channel *ch)
{
	return buf_view(&ch->closing_tx);
}

struct amount_msat channel_dust(const struct channel *ch, enum side commitment)
{
	return ch->views[view_of(commitment)].dust;
}

struct scid channel_incoming_scid(const struct channel *ch)
{
	/* B2.channel_ready.12; the peer's alias for us is what others must use towards it */
	if (ch->r.scid_alias || ch->r.scid.v == 0)
		return ch->r.alias_remote;
	return ch->r.scid;
}

bool channel_signatures_wanted(const struct channel *ch)
{
	return ch->signatures_wanted;
}

bool channel_answers_to(const struct channel *ch, struct scid scid)
{
	if (scid.v == 0)
		return false;
	/* B2.channel_ready.8 */
	if (scid.v == ch->r.alias_local.v)
		return true;
	/* B2.channel_ready.9 */
	return !ch->r.scid_alias && scid.v == ch->r.scid.v;
}

static const struct channel_htlc *first_from(const struct channel *ch, int state)
{
	for (; state < HTLC_STATES; state++)
		if (ch->lists[state].head)
			return ch->lists[state].head;
	return NULL;
}

const struct channel_htlc *channel_htlc_next(const struct channel *ch, const struct channel_htlc *after)
{
	if (!after)
		return first_from(ch, 0);
	return after->next ? after->next : first_from(ch, after->state + 1);
}

uint32_t channel_htlc_count(const struct channel *ch)
{
	return table_count(&ch->htlcs);
}

const struct channel_htlc *channel_htlc_get(const struct channel *ch, enum side owner, uint64_t id)
{
	return htlc_find(ch, owner, id);
}

bool channel_htlc_has_output(const struct channel *ch, const struct channel_htlc *h)
{
	static const enum htlc_view published[] = { VIEW_LOCAL, VIEW_REMOTE };

	for (size_t i = 0; i < ARRAY_COUNT(published); i++)
		if (htlc_state_in(h->state, published[i]) && !(h->trimmed >> published[i] & 1))
			return true;
	/* The one before theirs, while it is not revoked. */
	return ch->r.remote_number > ch->r.remote_revoked && htlc_state_in_remote_previous(h->state) && h->remote_untrimmed;
}

const struct commit_sigs *channel_commit_sigs(const struct channel *ch)
{
	return &ch->sigs;
}

const struct shachain *channel_secrets(const struct channel *ch)
{
	return &ch->secrets;
}
