/* What is let into the graph, and what is not. */
#include "tests/unit/gossip_world.h"

static struct chain chain;
static struct world *w;

static void start(void)
{
	memset(&chain, 0, sizeof(chain));
	w = world_new(&chain, 0);
	world_peer(w, 1, 9);
	w->sent_count = 0;
}

static void finish(void)
{
	world_free(w);
	mem_free(chain.at);
}

static const struct scid here = { ((uint64_t)700000 << 40) | 1 << 16 };

TEST(a_channel_is_let_in_when_signatures_and_output_are_good)
{
	const struct graph_channel *c;

	start();
	CHECK(world_channel(w, here, 1, 2) != GRAPH_NONE);
	c = world_at(w, here);
	CHECK(c->capacity.v == 1000000 && !c->policy[0].timestamp && !c->flags);
	CHECK_EQ(w->checks, 4); /* B7.channel_announcement.15 */
	CHECK_EQ(w->lookups, 1);
	/* B7.channel_announcement.25, B7.rebroadcasting.2: the message itself is kept. */
	CHECK(bytes_equal(BYTES(w->log.data + c->ref + LOG_RECORD_HEADER + 40, 432), make_channel(here, 1, 2)));
	/* The same again costs nothing. */
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(w->checks == 4 && w->lookups == 1);
	CHECK_EQ(gossip_figures(w->g).held, 0);
	finish();
}

TEST(each_of_the_four_signatures_counts)
{
	for (int i = 0; i < 4; i++) {
		struct bytes raw;
		uint8_t *p;

		start();
		chain_fund(&chain, here, 1, 2);
		raw = make_channel(here, 1, 2);
		p = test_alloc(raw.size);
		memcpy(p, raw.data, raw.size);
		p[2 + 64 * i + 40] ^= 1;
		world_hear(w, 1, BYTES(p, raw.size));
		/* B7.channel_announcement.20, B7.channel_announcement.21 */
		CHECK(!world_at(w, here) && hung_up(w, 1));
		CHECK_EQ(count_sent(w, 0, 1, MSG_WARNING), 1);
		CHECK_EQ(w->lookups, 0);
		CHECK_EQ(gossip_figures(w->g).candidates, 0);
		finish();
	}
}

TEST(the_output_must_be_there)
{
	struct output *o;

	/* B7.channel_announcement.17, B7.channel_announcement.6: other keys than the output's. */
	start();
	chain_fund(&chain, here, 1, 3);
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(!world_at(w, here) && !hung_up(w, 1));
	/* It is not looked for twice. */
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK_EQ(w->lookups, 1);
	finish();
	/* No such output at all. */
	start();
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(!world_at(w, here) && w->lookups == 1);
	finish();
	/* Spent. */
	start();
	chain_fund(&chain, here, 1, 2);
	o = chain_output(&chain, here);
	o->spent = true;
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(!world_at(w, here));
	o->spent = false;
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(!world_at(w, here) && w->lookups == 1);
	finish();
	/* A chain source that cannot tell: neither believed nor condemned. */
	start();
	chain_fund(&chain, here, 1, 2);
	o = chain_output(&chain, here);
	o->hidden = true;
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(!world_at(w, here) && gossip_figures(w->g).deferred == 1);
	o->hidden = false;
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(world_at(w, here));
	finish();
}

TEST(six_confirmations_or_nearly)
{
	struct scid six = scid_at(HEIGHT - 5), near = scid_at(HEIGHT + 1), far = scid_at(HEIGHT + 2);

	start();
	CHECK(world_channel(w, six, 1, 2) != GRAPH_NONE);
	/* B7.channel_announcement.19: too far off is ignored, near enough waits for the blocks. */
	CHECK_EQ(world_channel(w, far, 1, 2), GRAPH_NONE);
	CHECK_EQ(gossip_figures(w->g).candidates, 0);
	CHECK_EQ(world_channel(w, near, 1, 2), GRAPH_NONE);
	CHECK_EQ(gossip_figures(w->g).candidates, 1);
	for (int blocks = 0; blocks < 6; blocks++) {
		CHECK(!world_at(w, near));
		world_block(w, NULL);
	}
	CHECK(world_at(w, near) && !world_at(w, far));
	finish();
}

TEST(another_chain_is_ignored)
{
	struct own_announcement o = ends_of(here, 1, 2);
	struct own_update u = say_update(here, 1, 2, START_S);
	struct buf raw = BUF_EMPTY;

	start();
	chain_fund(&chain, here, 1, 2);
	o.chain.v[0] ^= 1;
	own_announcement_build(&o, &raw);
	world_hear(w, 1, buf_view(&raw)); /* B7.channel_announcement.18 */
	CHECK(w->checks == 0 && !hung_up(w, 1));
	buf_release(&raw);
	CHECK(world_channel(w, here, 1, 2) != GRAPH_NONE);
	u.chain.v[0] ^= 1;
	world_hear(w, 1, sign_update(&u, 1)); /* B7.channel_update.27 */
	CHECK(!world_at(w, here)->policy[direction_of(1, 2)].timestamp && !hung_up(w, 1));
	finish();
}

TEST(features_of_a_channel)
{
	struct own_announcement o = ends_of(here, 1, 2);
	struct buf raw = BUF_EMPTY;
	struct sig64 node[2], funding[2];
	struct bytes what;

	start();
	chain_fund(&chain, here, 1, 2);
	o.features = test_unhex("4000000000000000000000000000000000");
	own_announcement_build(&o, &raw);
	what = channel_announcement_signed(buf_view(&raw));
	for (uint32_t i = 0; i < 2; i++) {
		node[i] = sign_with('n', 1 + i, what);
		funding[i] = sign_with('f', 1 + i, what);
	}
	own_announcement_sign(&o, &raw, node, funding);
	world_hear(w, 1, kept(&raw));
	CHECK(world_at(w, here));
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	/* B7.channel_announcement.16: known, but nothing goes through it. */
	CHECK(world_at(w, here)->policy[direction_of(1, 2)].timestamp == START_S);
	CHECK(!graph_usable(world_at(w, here), direction_of(1, 2)));
	finish();
}

TEST(two_announcements_of_one_output_convict_all_four)
{
	struct own_announcement o;
	struct buf raw = BUF_EMPTY;
	struct sig64 node[2], funding[2];
	struct bytes what;

	start();
	CHECK(world_channel(w, here, 1, 2) != GRAPH_NONE);
	CHECK(world_channel(w, scid_at(600), 1, 5) != GRAPH_NONE);
	CHECK(world_channel(w, scid_at(601), 5, 6) != GRAPH_NONE);
	/* The same funding keys in order, other nodes. */
	o = ends_of(here, 3, 4);
	if ((direction_of(1, 2) == 0) != (direction_of(3, 4) == 0)) {
		o.funding[0] = point_of('f', 2);
		o.funding[1] = point_of('f', 1);
	} else {
		o.funding[0] = point_of('f', 1);
		o.funding[1] = point_of('f', 2);
	}
	own_announcement_build(&o, &raw);
	what = channel_announcement_signed(buf_view(&raw));
	node[0] = sign_with('n', 3, what);
	node[1] = sign_with('n', 4, what);
	funding[0] = sign_with('f', SAME(o.funding[0], point_of('f', 1)) ? 1 : 2, what);
	funding[1] = sign_with('f', SAME(o.funding[1], point_of('f', 1)) ? 1 : 2, what);
	own_announcement_sign(&o, &raw, node, funding);
	what = kept(&raw);
	/* With a wrong signature nobody is convicted. */
	world_hear(w, 1, what);
	/* B7.channel_announcement.24 */
	CHECK(!world_at(w, here) && !world_at(w, scid_at(600)) && world_at(w, scid_at(601)));
	/* B7.channel_announcement.22 */
	CHECK_EQ(world_channel(w, scid_at(602), 3, 7), GRAPH_NONE);
	CHECK_EQ(world_channel(w, scid_at(603), 2, 7), GRAPH_NONE);
	CHECK(world_channel(w, scid_at(604), 6, 7) != GRAPH_NONE);
	finish();
}

/* ---- Updates ---- */

TEST(an_update_needs_its_channel)
{
	start();
	/* B7.channel_update.21 */
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	CHECK(w->checks == 0 && !world_at(w, here));
	/* One that comes while its channel is looked at waits for it. */
	chain_fund(&chain, here, 1, 2);
	w->no_verifying = true;
	world_hear(w, 1, make_channel(here, 1, 2));
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	world_hear(w, 1, make_update(here, 2, 1, START_S + 5));
	world_hear(w, 1, make_node(2, START_S, BYTES_NONE, BYTES_NONE));
	CHECK_EQ(gossip_figures(w->g).held, 4);
	w->no_verifying = false;
	{
		struct gossip_notes out = { 0 };

		world_verify(w, w->waiting_verify, &out);
		world_settle(w, &out);
	}
	CHECK_EQ(world_at(w, here)->policy[direction_of(1, 2)].timestamp, START_S);
	CHECK_EQ(world_at(w, here)->policy[direction_of(2, 1)].timestamp, START_S + 5);
	CHECK_EQ(graph_node_at(gossip_graph(w->g), world_at(w, here)->node[direction_of(2, 1)])->timestamp, START_S);
	CHECK_EQ(gossip_figures(w->g).held, 0);
	finish();
}

TEST(newer_updates_replace_older_ones)
{
	int side = direction_of(1, 2);
	struct own_update u;
	uint32_t checks;

	start();
	world_channel(w, here, 1, 2);
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	CHECK_EQ(world_at(w, here)->policy[side].fee_ppm, 10);
	CHECK(graph_usable(world_at(w, here), side)); /* B7.rebroadcasting.1, B7.channel_update.33 */
	CHECK_EQ(world_at(w, here)->policy[side].htlc_maximum.v, 900000000);
	checks = w->checks;
	/* B7.channel_update.28, B7.channel_update.29: equal, differing or not, and older. */
	u = say_update(here, 1, 2, START_S);
	u.fee_ppm = 99;
	world_hear(w, 1, sign_update(&u, 1));
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	u.timestamp--;
	world_hear(w, 1, sign_update(&u, 1));
	CHECK(w->checks == checks && world_at(w, here)->policy[side].fee_ppm == 10 && !hung_up(w, 1));
	u.timestamp = START_S + 1;
	world_hear(w, 1, sign_update(&u, 1));
	CHECK_EQ(world_at(w, here)->policy[side].fee_ppm, 99);
	/* One-way: the other end has said nothing. */
	CHECK(!world_at(w, here)->policy[!side].timestamp);
	/* Unreasonable times. */
	u.timestamp = START_S + FUTURE_S + 10;
	world_hear(w, 1, sign_update(&u, 1));
	u.timestamp = START_S - STALE_S - 1;
	world_hear(w, 1, make_update(here, 2, 1, START_S - STALE_S - 1));
	CHECK(world_at(w, here)->policy[side].timestamp == START_S + 1 && !world_at(w, here)->policy[!side].timestamp);
	finish();
}

TEST(an_update_by_somebody_else)
{
	struct own_update u = say_update(here, 1, 2, START_S);

	start();
	world_channel(w, here, 1, 2);
	world_hear(w, 1, sign_update(&u, 2));
	/* B7.channel_update.25, B7.channel_update.26 */
	CHECK(!world_at(w, here)->policy[direction_of(1, 2)].timestamp && hung_up(w, 1));
	CHECK_EQ(count_sent(w, 0, 1, MSG_WARNING), 1);
	finish();
}

TEST(what_a_policy_says_is_kept_though_not_used)
{
	int side = direction_of(1, 2);
	struct own_update u = say_update(here, 1, 2, START_S);

	start();
	world_channel(w, here, 1, 2);
	u.htlc_maximum = MSAT(1000000001); /* B7.channel_update.32 */
	world_hear(w, 1, sign_update(&u, 1));
	CHECK(world_at(w, here)->policy[side].timestamp && !graph_usable(world_at(w, here), side));
	u.timestamp++;
	u.htlc_maximum = MSAT(4);
	u.htlc_minimum = MSAT(5); /* B7.channel_update.31 */
	world_hear(w, 1, sign_update(&u, 1));
	CHECK(world_at(w, here)->policy[side].timestamp == START_S + 1 && !graph_usable(world_at(w, here), side));
	u.timestamp++;
	u.htlc_minimum = MSAT(4);
	world_hear(w, 1, sign_update(&u, 1));
	CHECK(graph_usable(world_at(w, here), side));
	u.timestamp++;
	u.disabled = true;
	world_hear(w, 1, sign_update(&u, 1));
	CHECK(!graph_usable(world_at(w, here), side));
	finish();
}

TEST(an_origin_may_not_say_something_new_all_the_time)
{
	int side = direction_of(1, 2);

	start();
	world_channel(w, here, 1, 2);
	for (uint32_t i = 0; i < 30; i++)
		world_hear(w, 1, make_update(here, 1, 2, START_S + i));
	CHECK_EQ(world_at(w, here)->policy[side].timestamp, START_S + ALLOWANCE_MAX - 1);
	CHECK_EQ(gossip_figures(w->g).over_rate, 30 - ALLOWANCE_MAX);
	/* By its own timestamps, whatever our clock says. */
	world_hear(w, 1, make_update(here, 1, 2, START_S + ALLOWANCE_MAX - 1 + ALLOWANCE_S));
	CHECK_EQ(world_at(w, here)->policy[side].timestamp, START_S + ALLOWANCE_MAX - 1 + ALLOWANCE_S);
	world_hear(w, 1, make_update(here, 1, 2, START_S + ALLOWANCE_MAX + ALLOWANCE_S));
	CHECK_EQ(gossip_figures(w->g).over_rate, 31 - ALLOWANCE_MAX);
	finish();
}

/* ---- Nodes ---- */

static const struct graph_node *node_at(uint32_t n)
{
	struct pubkey id = point_of('n', n);
	uint32_t node = graph_find_node(gossip_graph(w->g), &id);

	return node == GRAPH_NONE ? NULL : graph_node_at(gossip_graph(w->g), node);
}

TEST(a_node_needs_a_channel)
{
	start();
	world_hear(w, 1, make_node(1, START_S, BYTES_NONE, BYTES_NONE));
	CHECK(!node_at(1) && w->checks == 0); /* B7.node_announcement.27 */
	world_channel(w, here, 1, 2);
	CHECK(node_at(1) && !node_at(1)->timestamp);
	world_hear(w, 1, make_node(1, START_S, test_unhex("0100"), BYTES_NONE));
	CHECK(node_at(1)->timestamp == START_S && node_at(1)->features == 0x100);
	/* B7.node_announcement.27: not newer. */
	world_hear(w, 1, make_node(1, START_S, BYTES_NONE, BYTES_NONE));
	world_hear(w, 1, make_node(1, START_S - 1, BYTES_NONE, BYTES_NONE));
	CHECK(node_at(1)->features == 0x100 && !hung_up(w, 1));
	world_hear(w, 1, make_node(1, START_S + 1, BYTES_NONE, BYTES_NONE));
	CHECK(node_at(1)->timestamp == START_S + 1 && !node_at(1)->features);
	finish();
}

TEST(a_node_that_is_wrong)
{
	struct bytes raw;
	uint8_t *p;

	start();
	world_channel(w, here, 1, 2);
	raw = make_node(1, START_S, BYTES_NONE, BYTES_NONE);
	p = test_alloc(raw.size);
	memcpy(p, raw.data, raw.size);
	p[40] ^= 1;
	world_hear(w, 1, BYTES(p, raw.size));
	/* B7.node_announcement.19, B7.node_announcement.20 */
	CHECK(!node_at(1)->timestamp && hung_up(w, 1) && count_sent(w, 0, 1, MSG_WARNING) == 1);
	finish();
	/* B7.node_announcement.25: addresses that do not fit. */
	start();
	world_channel(w, here, 1, 2);
	world_hear(w, 1, make_node(1, START_S, BYTES_NONE, test_unhex("010102")));
	CHECK(!node_at(1)->timestamp && hung_up(w, 1) && count_sent(w, 0, 1, MSG_WARNING) == 1);
	finish();
	/* B7.node_announcement.17, B7.node_announcement.18: an id that is no key belongs to no channel that could be let
	 * in, so nothing of it is processed. */
	start();
	chain_fund(&chain, here, 1, 2);
	raw = make_channel(here, 1, 2);
	p = test_alloc(raw.size);
	memcpy(p, raw.data, raw.size);
	memset(p + 2 + 256 + 2 + 32 + 8 + 1, 0, 32);
	p[2 + 256 + 2 + 32 + 8] = 1;
	world_hear(w, 1, BYTES(p, raw.size));
	CHECK(!world_at(w, here) && hung_up(w, 1) && count_sent(w, 0, 1, MSG_WARNING) == 1);
	finish();
}

TEST(nodes_with_features_that_nobody_knows)
{
	start();
	world_channel(w, here, 1, 2);
	world_hear(w, 1, make_node(1, START_S, test_unhex("4000000000000000000000000000000000"), BYTES_NONE));
	/* B7.node_announcement.21, B7.node_announcement.22, B7.node_announcement.23: whoever connects, pays or routes
	 * reads this flag. */
	CHECK_EQ(node_at(1)->flags, GRAPH_NODE_UNKNOWN_FEATURE);
	world_hear(w, 1, make_node(1, START_S + 1, test_unhex("8000000000000000000000000000000000"), BYTES_NONE));
	CHECK_EQ(node_at(1)->flags, 0);
	finish();
}

/* ---- Bounds ---- */

TEST(what_a_peer_may_have_waiting_is_bounded)
{
	struct bytes raw = make_channel(here, 1, 2);
	uint32_t i;

	start();
	w->no_verifying = true;
	for (i = 0; i < 2000; i++) {
		uint8_t *p = test_alloc(raw.size);

		memcpy(p, raw.data, raw.size);
		store_be64(p + 2 + 256 + 2 + 32, here.v + ((uint64_t)(i + 1) << 16));
		world_hear(w, 1, BYTES(p, raw.size));
	}
	CHECK(gossip_figures(w->g).held_bytes <= HELD_ASKED_BYTES_MAX);
	/* Connection 2 was not asked for anything: less, but not nothing. */
	world_peer(w, 2, 8);
	i = gossip_figures(w->g).held;
	for (uint32_t k = 0; k < 2000; k++) {
		uint8_t *p = test_alloc(raw.size);

		memcpy(p, raw.data, raw.size);
		store_be64(p + 2 + 256 + 2 + 32, here.v + ((uint64_t)(k + 5000) << 16));
		world_hear(w, 2, BYTES(p, raw.size));
	}
	CHECK(gossip_figures(w->g).held > i);
	CHECK(gossip_figures(w->g).held - i <= HELD_PEER_BYTES_MAX / raw.size);
	CHECK(gossip_figures(w->g).over_bound > 0);
	/* Four lots are out, each of what had come by then; all the rest waits for the next. */
	CHECK_EQ(gossip_figures(w->g).checks_open, BATCHES_MAX * 4);
	CHECK_EQ(w->verify_lots, BATCHES_MAX);
	/* Nor is there a point in reading more of them. */
	CHECK(!gossip_has_room(w->g, 1));
	CHECK(!gossip_has_room(w->g, 2));
	world_peer(w, 3, 9);
	CHECK(gossip_has_room(w->g, 3));
	CHECK(gossip_has_room(w->g, 4711));
	finish();
}

TEST(malformed_messages_end_the_connection)
{
	static const uint16_t types[] = { 256, 257, 258, 259, 261, 263, 265 };

	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		uint8_t raw[5] = { (uint8_t)(types[i] >> 8), (uint8_t)types[i], 0, 0, 0 };

		start();
		world_hear(w, 1, BYTES_OF(raw));
		CHECK(hung_up(w, 1) && count_sent(w, 0, 1, MSG_WARNING) == 1);
		finish();
	}
}
