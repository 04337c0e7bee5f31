/* The clock of every HTLC, read at each block.
 *
 *  ours, at its expiry + G, unresolved:         the channel goes to the chain; if that costs more than it could bring,
 *                                               the HTLC is failed upstream instead
 *  fulfilled by us, 2R + G + S before expiry:   the channel goes to the chain; the same exception: we wait
 *  undecided, 2R + G + S before expiry:         it could not be fulfilled safely any more: it is failed
 *  undecided, forwarded:                        the outgoing HTLC decides: its own clock runs out a cltv_delta earlier
 *
 * BOLT 2 "cltv_expiry_delta Selection", "Forwarding HTLCs"; BOLT 5 "Failing a Channel". */
#include "node/deadlines.h"

#include "node/state.h"

/* Whether the chain could bring back more of the HTLC than it would cost. */
static bool is_worth_a_claim(const struct step *s, const struct channel *ch, const struct channel_htlc *h)
{
	struct amount_sat cost = fee_of_weight(s->fees[FEE_NORMAL], DEADLINE_CLAIM_WEIGHT);

	return channel_htlc_has_output(ch, h) && SAT_LESS(cost, msat_to_sat(h->amount));
}

/* B2.cltv_expiry_delta.1, B2.cltv_expiry_delta.2 */
static bool is_late_offer(const struct channel_htlc *h, uint32_t height)
{
	return h->owner == SIDE_LOCAL && htlc_state_live(h->state) && height > h->cltv_expiry + DEADLINE_GRACE_BLOCKS;
}

/* B2.cltv_expiry_delta.5 */
static bool is_late_fulfilment(const struct channel_htlc *h, uint32_t height)
{
	return h->owner == SIDE_REMOTE && htlc_state_live(h->state) && h->resolution == HTLC_FULFILLED &&
	       height + DEADLINE_FULFIL_BLOCKS >= h->cltv_expiry;
}

/* B2.cltv_expiry_delta.4, B2.cltv_expiry_delta.8, B5.failing_a_channel.4 */
static void close_for(struct node *n, struct step *s, struct node_channel *c, const struct channel_htlc *h)
{
	struct channel_notes notes;

	channel_notes_init(&notes);
	channel_fail_for(c->channel, s, &notes, h->owner == SIDE_LOCAL ? CLOSE_HTLC_EXPIRED : CLOSE_HTLC_UNCLAIMED, h,
			 arena_printf(&s->out->arena, "HTLC %llu with expiry %u is not resolved at height %u",
				      (unsigned long long)h->id, h->cltv_expiry, s->height));
	node_touch(n, c);
	node_route(n, s, &notes);
}

/* Worthless one by one they may be worth something together: what a peer can gain by holding them stays within the limit
 * for dust. */
static bool is_bearable(const struct node *n, struct amount_msat *sum, struct amount_msat more)
{
	return msat_add(sum, *sum, more) && !MSAT_LESS(n->config->dust_exposure_max, *sum);
}

static void judge(struct node *n, struct step *s, struct node_channel *c)
{
	struct amount_msat worthless = MSAT(0);

	for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(c->channel, h));) {
		bool late = is_late_offer(h, s->height);

		if (!late && !is_late_fulfilment(h, s->height))
			continue;
		if (is_worth_a_claim(s, c->channel, h) || !is_bearable(n, &worthless, h->amount)) {
			close_for(n, s, c, h);
			return;
		}
		/* CLOSE_DUST_EXPIRED: the remedy.  CLOSE_DUST_UNCLAIMED: there is nothing to do but to wait. */
		if (late)
			node_forward_give_up(n, s, c, h->id);
	}
}

void node_deadlines_block(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_channel *c;

	while ((c = table_next(&n->channels, &at)))
		if (!c->dead && channel_state_of(c->channel) != OPENINGD && channel_state_of(c->channel) < AWAITING_UNILATERAL)
			judge(n, s, c);
	node_onions_expire(n, s);
	node_forwards_expire(n, s);
}

bool node_deadline_passed(const struct step *s, uint32_t cltv_expiry)
{
	return s->height + DEADLINE_FULFIL_BLOCKS >= cltv_expiry;
}

/* Whether an incoming HTLC of a channel that goes to the chain could still be claimed there, if we had its preimage now:
 * it must have an output in the transaction that spent the funding output, or in each that might. */
bool node_htlc_claimable(const struct node *n, const struct step *s, const struct node_channel *c, uint64_t htlc_id)
{
	const struct channel_htlc *h = channel_htlc_get(c->channel, SIDE_REMOTE, htlc_id);
	const struct onchain_output *v;
	uint32_t count;

	if (!node_htlc_undecided(n, channel_key(c->channel), htlc_id) || node_deadline_passed(s, h->cltv_expiry))
		return false;
	if (!c->onchain)
		return !channel_record_of(c->channel)->data_lost && channel_htlc_has_output(c->channel, h);
	switch (onchain_kind(c->onchain)) {
	case ONCHAIN_OUR_COMMITMENT:
	case ONCHAIN_THEIR_COMMITMENT:
	case ONCHAIN_THEIR_PREVIOUS_COMMITMENT:
		break;
	case ONCHAIN_MUTUAL_CLOSE:
	case ONCHAIN_THEIR_REVOKED_COMMITMENT:
	case ONCHAIN_THEIR_FUTURE_COMMITMENT:
	case ONCHAIN_UNKNOWN:
		return false;
	}
	v = onchain_outputs(c->onchain, &count);
	for (uint32_t i = 0; i < count; i++)
		if (v[i].what == ONCHAIN_HTLC_THEIRS && v[i].htlc_id == htlc_id && !v[i].spent_height)
			return true;
	return false;
}
