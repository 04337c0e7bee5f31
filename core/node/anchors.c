/* Our commitments that wait for a block, and who pays for them (onchain/anchor.h). */
#include "node/state.h"

/* In our latest commitment, with an output. */
static bool has_output(const struct channel_htlc *h)
{
	return htlc_state_in(h->state, VIEW_LOCAL) && !(h->trimmed >> VIEW_LOCAL & 1);
}

/* The block that should hold the claim of an HTLC; 0: it needs none. */
static uint32_t claim_deadline(const struct node *n, const struct channel_htlc *h)
{
	uint32_t upstream;

	if (h->owner == SIDE_REMOTE)
		return h->resolution == HTLC_FULFILLED ? h->cltv_expiry : 0;
	if (h->has_preimage)
		return 0;
	upstream = node_upstream_expiry(n, h);
	return upstream ? upstream : h->cltv_expiry + ONCHAIN_TIMEOUT_BLOCKS;
}

/* The claims on it need blocks of their own. */
static struct anchor_stake stake_of(const struct node *n, const struct node_channel *c)
{
	struct anchor_stake stake = { .balance = msat_to_sat(channel_to_us(c->channel)) };

	for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(c->channel, h));) {
		uint32_t deadline = has_output(h) ? claim_deadline(n, h) : 0;

		if (!deadline)
			continue;
		deadline = deadline > ONCHAIN_SECURITY_BLOCKS ? deadline - ONCHAIN_SECURITY_BLOCKS : 1;
		if (!stake.deadline || deadline < stake.deadline)
			stake.deadline = deadline;
		ASSERT(sat_add(&stake.htlcs, stake.htlcs, msat_to_sat(h->amount)));
	}
	return stake;
}

void node_anchor_begin(struct node *n, struct step *s, struct node_channel *c, struct bytes commitment)
{
	struct anchor_stake stake = stake_of(n, c);
	struct onchain_notes notes;

	onchain_notes_init(&notes);
	if (c->anchor)
		anchor_wake(c->anchor, s, &notes, &stake);
	else
		c->anchor = anchor_new(s, channel_record_of(c->channel), &notes, commitment, &stake);
	node_route_onchain(n, s, c, &notes);
}

void node_anchor_spent(struct node *n, struct step *s, struct node_channel *c, const struct txid *spend)
{
	struct onchain_notes notes;

	if (!c->anchor)
		return;
	onchain_notes_init(&notes);
	anchor_sleep(c->anchor, s, &notes, spend);
	node_route_onchain(n, s, c, &notes);
}

void node_anchor_end(struct node *n, struct step *s, struct node_channel *c)
{
	struct onchain_notes notes;

	if (!c->anchor)
		return;
	onchain_notes_init(&notes);
	anchor_end(c->anchor, s, &notes);
	node_route_onchain(n, s, c, &notes);
	anchor_free(c->anchor);
	c->anchor = NULL;
}

void node_anchors_advance(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		struct anchor_stake stake;
		struct onchain_notes notes;

		if (!c->anchor || c->dead)
			continue;
		stake = stake_of(n, c);
		onchain_notes_init(&notes);
		anchor_advance(c->anchor, s, &notes, &stake);
		node_route_onchain(n, s, c, &notes);
	}
}
