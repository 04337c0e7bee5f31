/* update_fee both ways: BOLT 2 "Updating Fees". */
#include "channel/machine.h"

/* B2.shutdown.6: nothing moves any more once shutdown is said and no HTLC remains.  Of the peer's shutdown only one in
 * this connection counts: what was lost in an earlier one comes again before it. */
bool fee_may_move(const struct channel *ch, bool ours)
{
	bool closing = ours ? ch->r.side[SIDE_LOCAL].shutdown.size > 0 || ch->r.side[SIDE_REMOTE].shutdown.size > 0
			    : ch->talk.shutdown_received;

	return channel_operating(ch) && (!closing || table_count(&ch->htlcs) > 0);
}

/* The newest feerate that anybody has proposed. */
static struct feerate latest(const struct channel *ch)
{
	return ch->views[VIEW_LOCAL_FULL].feerate;
}

/* Whether the opener can pay for a view at a rate above its reserve, with what is trimmed then within the limit. */
static const char *refuse_in_view(const struct channel *ch, enum htlc_view v, struct feerate rate)
{
	enum side opener = ch->r.opener;
	struct amount_msat reserve = msat_of_sat(ch->r.side[side_other(opener)].reserve), dust, cost, rest;
	uint32_t untrimmed;

	view_at_feerate(ch, v, rate, &untrimmed, &dust);
	cost = msat_of_sat(commitment_cost(ch->r.type, rate, untrimmed));
	if (!msat_sub(&rest, ch->views[v].left[opener], cost) || MSAT_LESS(rest, reserve))
		return "the opener cannot afford this feerate";
	if (ch->r.type != COMMITMENT_ANCHORS && rate.per_kw > latest(ch).per_kw && MSAT_LESS(ch->policy->dust_exposure_max, dust))
		return "this feerate turns too many HTLCs into dust";
	return NULL;
}

bool channel_set_feerate(struct channel *ch, struct step *s, struct feerate feerate)
{
	/* B2.update_fee.2 */
	if (ch->dead || ch->r.opener != SIDE_LOCAL || ch->link != LINK_UP || !fee_may_move(ch, true))
		return false;
	if (feerate.per_kw < ch->policy->feerate_floor.per_kw || feerate.per_kw == latest(ch).per_kw)
		return false;
	if (refuse_in_view(ch, VIEW_REMOTE_NEXT, feerate) || refuse_in_view(ch, VIEW_REMOTE_FULL, feerate) ||
	    refuse_in_view(ch, VIEW_LOCAL_FULL, feerate))
		return false;
	feerates_set(ch, 0, feerate);
	channel_finish(ch, s);
	return true;
}

/* The opener signs for a feerate with the link that takes it to us: if that breaks, the same update_fee comes again, however
 * long afterwards, and refused it would come for ever (B2.message_retransmission.32, B2.update_fee.4).  So what counts is
 * not the limit of the moment in which it arrives but any since the last signature of the opener's that we have.  It gains
 * nothing by that: it could have lowered the rate at the time and left it there. */
static struct feerate low_limit(const struct channel *ch, const struct step *s)
{
	struct feerate now = policy_feerate_low(ch->policy, s, ch->r.type);

	return ch->r.feerate_low.per_kw && ch->r.feerate_low.per_kw < now.per_kw ? ch->r.feerate_low : now;
}

static bool low_matters(const struct channel *ch, const struct step *s)
{
	return ch->r.opener == SIDE_REMOTE && ch->r.type != COMMITMENT_ANCHORS && s->fees[FEE_SLOW].per_kw;
}

void fee_signed(struct channel *ch, const struct step *s)
{
	if (low_matters(ch, s))
		ch->r.feerate_low = policy_feerate_low(ch->policy, s, ch->r.type);
}

bool channel_fees_moved(struct channel *ch, struct step *s)
{
	struct feerate low;

	if (ch->dead || !channel_operating(ch) || !low_matters(ch, s))
		return false;
	low = low_limit(ch, s);
	if (low.per_kw == ch->r.feerate_low.per_kw)
		return false;
	ch->r.feerate_low = low;
	ch->record_dirty = true;
	channel_finish(ch, s);
	return true;
}

void channel_ignore_fee_limits(struct channel *ch, bool ignore)
{
	ch->ignore_fee_limits = ignore;
}

void fee_send(struct channel *ch, struct step *s, struct feerate rate)
{
	struct msg_update_fee m = { .channel_id = ch->r.id, .feerate_per_kw = rate.per_kw };
	struct buf b = BUF_EMPTY;

	msg_update_fee_encode(&m, &b);
	channel_send(ch, s, &b);
}

void fee_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_update_fee m;
	const char *why = NULL;

	if (msg_update_fee_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed update_fee");
		return;
	}
	/* B2.update_fee.5 */
	if (ch->r.opener != SIDE_REMOTE)
		why = "update_fee from the side that does not pay the fee";
	else if (!fee_may_move(ch, false))
		why = "update_fee out of place";
	/* B2.update_fee.4 */
	else if (ch->ignore_fee_limits || policy_feerate_ok(ch->policy, s, low_limit(ch, s), FEERATE(m.feerate_per_kw), &why))
		/* B2.update_fee.6 */
		why = refuse_in_view(ch, VIEW_LOCAL_NEXT, FEERATE(m.feerate_per_kw));
	if (why) {
		/* B2.update_fee.4 and .6 leave the choice between a warning and an error: nobody's money needs the chain for it. */
		channel_broken_but(ch, s, notes, CLOSE_FEE_DISAGREEMENT, why);
		return;
	}
	feerates_set(ch, 0, FEERATE(m.feerate_per_kw));
}
