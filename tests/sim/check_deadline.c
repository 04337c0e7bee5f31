/* No HTLC of ours passes its deadline unresolved.
 *
 * At each block that a node has taken:
 *  - one that it offered and that is worth a claim is not left in a living channel beyond its expiry and a grace;
 *  - one that it fulfilled is not left there until the peer could take it back;
 *  - what it can claim on chain is spent by the block that its deadline names, or by the ones right after it where
 *    blocks came empty. */
#include "channel/view.h"
#include "tests/sim/check.h"

#define WORTH_SAT 20000u      /* below it fees may eat the claim, and the remedy is another */
#define OFFERED_GRACE 4u      /* blocks beyond the expiry of an HTLC that we offered */
#define FULFILLED_MARGIN 1u   /* blocks before the expiry of one that we fulfilled */

static void check_living(struct checks *k, const struct sim_node *n, const struct channel *ch, uint32_t height)
{
	const struct channel_htlc *h = NULL;

	while ((h = channel_htlc_next(ch, h))) {
		if (h->amount.v < WORTH_SAT * 1000ull)
			continue;
		if (h->owner == SIDE_LOCAL && height > h->cltv_expiry + OFFERED_GRACE)
			world_fail(k->w, "%s leaves HTLC %llu, offered until %u, in a living channel at %u", n->name,
				   (unsigned long long)h->id, h->cltv_expiry, height);
		if (h->owner == SIDE_REMOTE && h->resolution == HTLC_FULFILLED && height + FULFILLED_MARGIN > h->cltv_expiry)
			world_fail(k->w, "%s leaves HTLC %llu, fulfilled and expiring at %u, in a living channel at %u", n->name,
				   (unsigned long long)h->id, h->cltv_expiry, height);
	}
}

static void check_claims(struct checks *k, const struct sim_node *n, const struct onchain *o, uint32_t height)
{
	uint32_t count;
	const struct onchain_output *v = onchain_outputs(o, &count);

	for (uint32_t i = 0; i < count; i++)
		if (v[i].ours && !v[i].spent_height && v[i].deadline && height > v[i].deadline + k->lost_blocks &&
		    v[i].amount.v >= WORTH_SAT)
			world_fail(k->w, "%s has not claimed %llu sat (kind %d) by %u, and it is %u", n->name,
				   (unsigned long long)v[i].amount.v, v[i].what, v[i].deadline, height);
}

void check_deadline_node(struct checks *k, const struct sim_node *n)
{
	const struct channel *ch;
	uint32_t at = 0, height = n->follow.height;

	if (height != sim_chain_height(k->w->chain) || k->deadline_height[n->index] == height)
		return;
	k->deadline_height[n->index] = height;
	while ((ch = node_view_channel(n->node, &at))) {
		const struct onchain *o = node_view_onchain(n->node, ch);

		if (o)
			check_claims(k, n, o, height);
		else if (channel_state_of(ch) < AWAITING_UNILATERAL)
			check_living(k, n, ch, height);
	}
}
