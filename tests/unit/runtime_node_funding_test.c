/* Funding outpoints that somebody lies about (CVE-2019-12998 and what follows from it): whole nodes. */
#include "tests/unit/node_pair.h"

#include "node/state.h"

static struct rig liar;

static void three(void)
{
	two();
	rig_free(&liar);
	rig_init(&liar, 3);
	rig_start(&liar);
	rig_link(&liar, &a, 9);
	rig_pump(&liar, &a, 9);
}

/* The liar opens to a, and says that this output is its funding. */
static void lie(const struct outpoint *stolen)
{
	liar.has_fake = true;
	liar.fake = *stolen;
	(void)order_open(&liar, &a.id, 1000000);
	rig_pump(&liar, &a, 9);
}

static uint32_t channels_with(struct rig *r, const struct pubkey *peer)
{
	struct peer_view p;

	return node_view_peer_by_id(r->node, peer, &p) ? p.channel_count : 0;
}

static void check_ours_is_whole(const struct outpoint *funding)
{
	struct node_channel *c = node_channel_by_funding(a.node, funding);

	CHECK(c && SAME(*channel_peer(c->channel), b.id));
	node_check(a.node);
	rig_restart(&a);
	c = node_channel_by_funding(a.node, funding);
	CHECK(c && SAME(*channel_peer(c->channel), b.id));
}

TEST(a_funding_transaction_pays_what_blocks_cost)
{
	two();
	rig_fees(&a, 7000);
	(void)order_open(&a, &b.id, 500000);
	rig_pump(&a, &b, 1);
	CHECK_EQ(a.built_at.per_kw, 7000); /* B2.funding_created.6 */
	CHECK(rig_sent(&a, MSG_FUNDING_CREATED).size || channels_with(&a, &b.id) == 2);
}

TEST(nobody_else_can_have_the_funding_output_of_a_channel)
{
	struct outpoint funding;

	three();
	funding = *channel_funding(rig_channel(&a));
	lie(&funding);
	CHECK_EQ(channels_with(&a, &liar.id), 0);
	CHECK(rig_is_ready(&a, &liar.id));
	check_ours_is_whole(&funding);
}

/* The liar is in league with b, which knows the outpoint before we have the channel. */
TEST(a_lie_that_comes_first_does_not_keep_our_channel_from_its_funding)
{
	struct bytes funding, signed_;
	struct outpoint point;

	three();
	(void)order_open(&a, &b.id, 500000);
	rig_message(&b, 1, rig_sent(&a, MSG_OPEN_CHANNEL));
	rig_message(&a, 1, rig_sent(&b, MSG_ACCEPT_CHANNEL));
	funding = rig_sent(&a, MSG_FUNDING_CREATED);
	CHECK(funding.size);
	memcpy(point.txid.v, funding.data + 2 + 32, 32);
	point.index = load_be16(funding.data + 2 + 64);
	rig_message(&b, 1, funding);
	signed_ = rig_sent(&b, MSG_FUNDING_SIGNED);
	CHECK(signed_.size);
	lie(&point);
	CHECK_EQ(channels_with(&a, &liar.id), 1);
	rig_message(&a, 1, signed_);
	CHECK_EQ(channels_with(&a, &liar.id), 0);
	CHECK_EQ(channels_with(&a, &b.id), 2);
	check_ours_is_whole(&point);
}

TEST(channels_that_nobody_pays_for_are_few_and_forgotten)
{
	struct outpoint nowhere = { .txid = { { 7 } } };

	three();
	for (uint32_t i = 0; i < 2 * a.config.openings_per_peer_max; i++) {
		nowhere.index = i;
		lie(&nowhere);
	}
	/* Their funding was signed for, so they are not openings any more: all the same nobody has paid. */
	CHECK_EQ(channels_with(&a, &liar.id), a.config.openings_per_peer_max);
	rig_restart(&a);
	rig_link(&liar, &a, 10);
	rig_pump(&liar, &a, 10);
	CHECK_EQ(channels_with(&a, &liar.id), a.config.openings_per_peer_max);
	rig_blocks(&a, 2016);
	CHECK_EQ(channels_with(&a, &liar.id), 0);
	node_check(a.node);
}
