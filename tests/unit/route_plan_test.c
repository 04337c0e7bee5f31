#include "tests/unit/route_setup.h"

/* --- one path --- */

TEST(amounts_and_delays_are_computed_backwards)
{
	/* 1 - 2 - 3 - 4; what 2 and 3 ask counts, what 1 asks does not. */
	const struct lane lanes[] = { { 12, 1, 2, 1000000, { 77, 0 }, { 77, 0 } }, { 23, 2, 3, 1000000, { 1000, 0 }, { 100, 0 } },
				      { 34, 3, 4, 1000000, { 5, 0 }, { 2500, 0 } } };
	struct route_request q = request_of(1, 4, 10000001);
	const struct route_part *p;
	struct scene s;

	scene_open(&s, lanes, 3);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.part_count, 1);
	p = &s.plan.parts[0];
	CHECK_EQ(p->hop_count, 3);
	/* B7.htlc_fees.1: rounded down at each hop, on what that hop forwards. */
	CHECK_EQ(p->hops[2].amount.v, 10000001);
	CHECK_EQ(p->hops[1].amount.v, 10000001 + 5 + 25000);
	CHECK_EQ(p->hops[0].amount.v, 10025006 + 1000 + 1002);
	CHECK_EQ(p->send.v, 10027008);
	CHECK_EQ(s.plan.fee.v, 27007);
	CHECK_EQ(p->hops[2].cltv, 18);
	CHECK_EQ(p->hops[1].cltv, 58);
	CHECK_EQ(p->cltv, 98);
	CHECK_EQ(p->hops[0].scid.v, scid_of(12).v);
	CHECK_EQ(p->hops[0].direction, 0);
	scene_close(&s);
}

TEST(a_cheaper_way_is_taken_and_a_dearer_one_if_it_must)
{
	const struct lane lanes[] = { { 12, 1, 2, 1000000, { 0, 0 }, { 0, 0 } }, { 24, 2, 4, 1000000, { 0, 0 }, { 3000, 0 } },
				      { 13, 1, 3, 1000000, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 1000000, { 0, 0 }, { 200, 0 } } };
	struct route_layer *layer = route_layer_new(seed16, "no");
	const struct route_layer *const layers[] = { layer };
	struct route_request q = request_of(1, 4, 1000000);
	struct scene s;

	scene_open(&s, lanes, 4);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 200);
	q.layers = layers;
	q.layer_count = 1;
	CHECK(route_layer_exclude(layer, scid_of(34), 0));
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 3000);
	q.fee_limit = MSAT(2999);
	PLAN(&s, &q, ROUTE_TOO_EXPENSIVE);
	CHECK_EQ(s.plan.fee.v, 3000);
	CHECK_EQ(s.plan.part_count, 0);
	/* The request before leaves nothing behind. */
	q.layer_count = 0;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 200);
	route_layer_free(layer);
	scene_close(&s);
}

TEST(what_makes_no_sense_is_refused)
{
	const struct lane lanes[] = { { 12, 1, 2, 1000, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 1000, { 0, 0 }, { 0, 0 } } };
	const struct route_request fine = request_of(1, 2, 1000);
	struct route_request q = fine;
	struct scene s;

	scene_open(&s, lanes, 2);
	PLAN(&s, &q, ROUTE_FOUND);
	q.amount = MSAT(0);
	PLAN(&s, &q, ROUTE_BAD_REQUEST);
	q.amount = MSAT(UINT64_MAX);
	PLAN(&s, &q, ROUTE_BAD_REQUEST);
	q = fine;
	q.parts_max = 0;
	PLAN(&s, &q, ROUTE_BAD_REQUEST);
	q.parts_max = ROUTE_PARTS_MAX + 1;
	PLAN(&s, &q, ROUTE_BAD_REQUEST);
	q = fine;
	q.target = q.source;
	PLAN(&s, &q, ROUTE_BAD_REQUEST);
	q = fine;
	q.final_cltv = q.cltv_max + 1;
	PLAN(&s, &q, ROUTE_BAD_REQUEST);
	q = request_of(1, 9, 1000);
	PLAN(&s, &q, ROUTE_UNKNOWN_TARGET);
	q = request_of(9, 1, 1000);
	PLAN(&s, &q, ROUTE_UNKNOWN_SOURCE);
	q = request_of(1, 4, 1000);
	PLAN(&s, &q, ROUTE_NO_WAY);
	q = request_of(1, 2, 1000001);
	PLAN(&s, &q, ROUTE_NO_WAY);
	for (int v = ROUTE_FOUND; v <= ROUTE_TOO_MANY_PARTS; v++)
		CHECK(route_verdict_words((enum route_verdict)v)[0]);
	scene_close(&s);
}

/* --- limits --- */

TEST(blocks_and_hops_are_limited)
{
	/* Short and dear, or long and free. */
	const struct lane lanes[] = { { 12, 1, 2, 1000, { 0, 0 }, { 0, 0 } }, { 23, 2, 3, 1000, { 0, 0 }, { 0, 0 } },
				      { 34, 3, 4, 1000, { 0, 0 }, { 0, 0 } }, { 45, 4, 5, 1000, { 0, 0 }, { 0, 0 } },
				      { 25, 2, 5, 1000, { 400, 0 }, { 0, 0 } } };
	struct route_request q = request_of(1, 5, 1000);
	struct scene s;

	scene_open(&s, lanes, 5);
	q.taste = (struct route_taste){ 1, 1, 1 };
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.parts[0].cltv, 18 + 3 * 40);
	q.cltv_max = 18 + 2 * 40;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 400);
	q.cltv_max = 18 + 39;
	PLAN(&s, &q, ROUTE_TOO_LONG);
	q.cltv_max = 2016;
	q.hops_max = 3;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.parts[0].hop_count, 2);
	q.hops_max = 1;
	PLAN(&s, &q, ROUTE_TOO_LONG);
	scene_close(&s);
}

TEST(a_limit_that_the_best_path_breaks_is_kept_by_another)
{
	/* The sure way is dear, the cheap one narrow: under the limit the narrow one is taken. */
	const struct lane lanes[] = { { 12, 1, 2, 100000000, { 0, 0 }, { 0, 0 } }, { 24, 2, 4, 100000000, { 0, 0 }, { 900, 0 } },
				      { 13, 1, 3, 100000000, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 1200000, { 0, 0 }, { 10, 0 } } };
	struct route_request q = request_of(1, 4, 1000000000);
	struct scene s;

	scene_open(&s, lanes, 4);
	q.parts_max = 1;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 900000);
	q.fee_limit = MSAT(899999);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 10000);
	q.fee_limit = MSAT(9999);
	PLAN(&s, &q, ROUTE_TOO_EXPENSIVE);
	CHECK_EQ(s.plan.fee.v, 10000);
	scene_close(&s);
}

TEST(minimum_and_maximum_of_an_htlc)
{
	struct lane lane = { 12, 1, 2, 1000, { 0, 0 }, { 0, 0 } };
	struct route_channel c = channel_of(&lane);
	struct route_builder *b = route_builder_new(seed16);
	struct route_request q = request_of(1, 2, 100000);
	struct scene s = { 0 };

	c.policy[0].htlc_min = MSAT(50000);
	c.policy[0].htlc_max = MSAT(200000);
	CHECK(route_builder_add(b, &c));
	s.g = route_builder_finish(b);
	s.p = route_planner_new(s.g);
	arena_init(&s.a);
	PLAN(&s, &q, ROUTE_FOUND);
	q.amount = MSAT(49999);
	PLAN(&s, &q, ROUTE_NO_WAY);
	q.amount = MSAT(50000);
	PLAN(&s, &q, ROUTE_FOUND);
	/* More than one HTLC may carry: several over the same channel. */
	q.amount = MSAT(500001);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK(s.plan.part_count >= 3);
	q.parts_max = 2;
	PLAN(&s, &q, ROUTE_TOO_MANY_PARTS);
	q.parts_max = 1;
	PLAN(&s, &q, ROUTE_NO_WAY);
	scene_close(&s);
}

/* --- parts --- */

TEST(parts_go_where_one_path_is_too_narrow)
{
	const struct lane lanes[] = { { 12, 1, 2, 700, { 0, 0 }, { 0, 0 } }, { 24, 2, 4, 700, { 1, 0 }, { 100, 0 } },
				      { 13, 1, 3, 600, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 600, { 1, 0 }, { 100, 0 } } };
	struct route_request q = request_of(1, 4, 1000000);
	struct scene s;

	scene_open(&s, lanes, 4);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK(s.plan.part_count >= 2);
	CHECK(!MSAT_LESS(s.plan.parts[0].deliver, s.plan.parts[1].deliver));
	q.parts_max = 1;
	PLAN(&s, &q, ROUTE_NO_WAY);
	q.parts_max = 16;
	/* Nearly all there is, with room for the fees. */
	q.amount = MSAT(1290000);
	PLAN(&s, &q, ROUTE_FOUND);
	q.amount = MSAT(1300000);
	PLAN(&s, &q, ROUTE_NO_WAY);
	scene_close(&s);
}

TEST(a_later_chunk_pushes_an_earlier_one_aside)
{
	/* The cheapest first path, 1-2-5-6, blocks both of the two that fit side by side: 1-2-4-6 and 1-3-5-6. */
	const struct lane lanes[] = { { 12, 1, 2, 1000, { 0, 0 }, { 0, 0 } }, { 25, 2, 5, 1000, { 0, 0 }, { 0, 0 } },
				      { 56, 5, 6, 1000, { 0, 0 }, { 0, 0 } }, { 24, 2, 4, 1000, { 0, 0 }, { 5000, 0 } },
				      { 46, 4, 6, 1000, { 0, 0 }, { 5000, 0 } }, { 13, 1, 3, 1000, { 0, 0 }, { 0, 0 } },
				      { 35, 3, 5, 1000, { 0, 0 }, { 5000, 0 } } };
	struct route_request q = request_of(1, 6, 1800000);
	struct scene s;

	scene_open(&s, lanes, 7);
	/* Fees alone count, so that the first path is filled to the brim. */
	q.taste = (struct route_taste){ 1, 1, 1 };
	PLAN(&s, &q, ROUTE_FOUND);
	scene_close(&s);
}

TEST(risk_is_shared_out)
{
	const struct lane lanes[] = { { 12, 1, 2, 1000, { 0, 0 }, { 0, 0 } }, { 24, 2, 4, 1000, { 0, 0 }, { 0, 0 } },
				      { 13, 1, 3, 1000, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 1000, { 0, 0 }, { 0, 0 } } };
	struct route_request q = request_of(1, 4, 950000);
	uint32_t alone;
	struct scene s;

	scene_open(&s, lanes, 4);
	q.parts_max = 1;
	PLAN(&s, &q, ROUTE_FOUND);
	alone = s.plan.chance_q30;
	q.parts_max = 8;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.part_count, 2);
	CHECK(s.plan.chance_q30 > alone + alone / 4);
	/* The chance of the whole is that of the parts together, for they share nothing. */
	alone = (uint32_t)((uint64_t)s.plan.parts[0].chance_q30 * s.plan.parts[1].chance_q30 >> 30);
	CHECK(s.plan.chance_q30 > alone - alone / 100 && s.plan.chance_q30 < alone + alone / 100);
	scene_close(&s);
}

TEST(a_minimum_that_is_not_met_sends_another_way)
{
	const struct lane lane_list[] = { { 12, 1, 2, 1000, { 0, 0 }, { 0, 0 } }, { 23, 2, 3, 1000, { 50, 0 }, { 0, 0 } } };
	struct route_layer *layer = route_layer_new(seed16, "minimum");
	const struct route_layer *const layers[] = { layer };
	struct route_policy cheap = policy_of(0, 0);
	struct lane cheaper = { 32, 2, 3, 1000, { 0, 0 }, { 0, 0 } };
	struct route_channel c = channel_of(&cheaper);
	struct route_request q = request_of(1, 3, 10000);
	struct scene s;

	scene_open(&s, lane_list, 2);
	cheap.htlc_min = MSAT(10001);
	c.policy[0] = cheap;
	CHECK(route_layer_create(layer, &c));
	q.layers = layers;
	q.layer_count = 1;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 50);
	q.amount = MSAT(10001);
	q.taste = (struct route_taste){ 1, 1, 1 };
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 0);
	route_layer_free(layer);
	scene_close(&s);
}

TEST(no_part_is_dust)
{
	const struct lane lanes[] = { { 12, 1, 2, 1000, { 0, 0 }, { 0, 0 } }, { 24, 2, 4, 1000, { 0, 0 }, { 0, 0 } },
				      { 13, 1, 3, 1000, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 1000, { 0, 0 }, { 0, 0 } } };
	struct route_request q = request_of(1, 4, 1000500);
	struct scene s;

	scene_open(&s, lanes, 4);
	q.part_min = MSAT(354000);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.part_count, 2);
	q.part_min = MSAT(600000);
	PLAN(&s, &q, ROUTE_NO_WAY);
	/* A payment that is dust itself goes in one. */
	q.amount = MSAT(1000);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.part_count, 1);
	scene_close(&s);
}

TEST(parallel_channels_are_used_together)
{
	const struct lane lanes[] = { { 1, 1, 2, 500, { 0, 0 }, { 0, 0 } }, { 2, 1, 2, 400, { 0, 0 }, { 0, 0 } },
				      { 3, 1, 2, 300, { 0, 0 }, { 0, 0 } }, { 4, 2, 3, 100000, { 0, 0 }, { 0, 0 } } };
	struct route_request q = request_of(1, 3, 1100000);
	struct scene s;

	scene_open(&s, lanes, 4);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK(s.plan.part_count >= 3);
	scene_close(&s);
}

/* --- our own channels --- */

static struct route_own own_of(uint32_t channel, uint32_t peer, uint64_t spendable_msat)
{
	return (struct route_own){ .scid = scid_of(channel), .peer = node_id(peer), .spendable = MSAT(spendable_msat),
				   .htlc_min = MSAT(1), .htlc_max = MSAT(spendable_msat), .htlcs = 10 };
}

TEST(our_own_channels_are_known_exactly)
{
	/* The graph thinks that 1 has a wide channel to 3; there is next to nothing in it. */
	const struct lane lanes[] = { { 13, 1, 3, 1000000, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 1000000, { 1, 0 }, { 0, 0 } },
				      { 24, 2, 4, 1000000, { 2000, 0 }, { 0, 0 } } };
	struct route_own own[] = { own_of(13, 3, 5000), own_of(12, 2, 2000000) };
	struct route_request q = request_of(1, 4, 100000);
	struct scene s;

	scene_open(&s, lanes, 3);
	q.has_own = true;
	q.own = own;
	q.own_count = 2;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.parts[0].hops[0].scid.v, scid_of(12).v);
	CHECK_EQ(s.plan.fee.v, 2000);
	q.amount = MSAT(2004000);
	PLAN(&s, &q, ROUTE_NO_WAY);
	/* All that is spendable, less the fee. */
	q.amount = MSAT(1998000);
	q.parts_max = 1;
	PLAN(&s, &q, ROUTE_FOUND);
	q.amount = MSAT(1998001);
	PLAN(&s, &q, ROUTE_NO_WAY);
	/* A node that gossip does not know can pay. */
	q = request_of(77, 4, 100000);
	q.has_own = true;
	q.own = own + 1;
	q.own_count = 1;
	PLAN(&s, &q, ROUTE_FOUND);
	q.own_count = 0;
	PLAN(&s, &q, ROUTE_NO_WAY);
	scene_close(&s);
}

TEST(a_channel_has_so_many_slots)
{
	const struct lane lanes[] = { { 24, 2, 4, 300, { 0, 0 }, { 0, 0 } }, { 25, 2, 5, 300, { 0, 0 }, { 0, 0 } },
				      { 26, 2, 6, 300, { 0, 0 }, { 0, 0 } }, { 47, 4, 7, 300, { 0, 0 }, { 0, 0 } },
				      { 57, 5, 7, 300, { 0, 0 }, { 0, 0 } }, { 67, 6, 7, 300, { 0, 0 }, { 0, 0 } } };
	struct route_own own[] = { own_of(12, 2, 2000000) };
	struct route_request q = request_of(1, 7, 700000);
	struct scene s;

	scene_open(&s, lanes, 6);
	q.has_own = true;
	q.own = own;
	q.own_count = 1;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK(s.plan.part_count >= 3);
	own[0].htlcs = 2;
	CHECK(plan(&s, &q) != ROUTE_FOUND);
	own[0].htlcs = 0;
	PLAN(&s, &q, ROUTE_NO_WAY);
	scene_close(&s);
}

/* --- hints --- */

static struct route_hint hint_of(uint32_t channel, uint32_t from, uint32_t to, uint32_t base_msat)
{
	return (struct route_hint){ .from = node_id(from), .to = node_id(to), .scid = scid_of(channel), .fee_base_msat = base_msat,
				    .cltv_delta = 34 };
}

TEST(hints_lead_on_where_gossip_ends)
{
	const struct lane lanes[] = { { 12, 1, 2, 1000000, { 0, 0 }, { 0, 0 } }, { 13, 1, 3, 1000000, { 0, 0 }, { 0, 0 } } };
	/* Two ways to node 9, one of them over a node that nobody knows. */
	const struct route_hint hints[] = { hint_of(29, 2, 9, 500), hint_of(38, 3, 8, 100), hint_of(89, 8, 9, 100) };
	struct route_request q = request_of(1, 9, 100000);
	struct scene s;

	scene_open(&s, lanes, 2);
	PLAN(&s, &q, ROUTE_UNKNOWN_TARGET);
	q.hints = hints;
	q.hint_count = 1;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 500);
	CHECK_EQ(s.plan.parts[0].cltv, 18 + 34);
	q.hint_count = 3;
	q.taste = (struct route_taste){ 1, 1, 1 };
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 200);
	CHECK_EQ(s.plan.parts[0].hop_count, 3);
	scene_close(&s);
}

TEST(hints_that_lie_or_loop_do_no_harm)
{
	const struct lane lanes[] = { { 12, 1, 2, 1000000, { 0, 0 }, { 0, 0 } }, { 23, 2, 3, 1000000, { 800, 0 }, { 0, 0 } } };
	struct route_hint hints[] = { hint_of(23, 2, 3, 1), hint_of(7, 3, 3, 0), hint_of(8, 3, 1, 0), hint_of(9, 3, 2, 0),
				      hint_of(10, 2, 3, UINT32_MAX) };
	struct route_request q = request_of(1, 3, 100000);
	struct scene s;

	scene_open(&s, lanes, 2);
	q.hints = hints;
	q.hint_count = 5;
	PLAN(&s, &q, ROUTE_FOUND);
	/* What gossip says of a channel is signed: the hint's fee of 1 is not believed. */
	CHECK_EQ(s.plan.fee.v, 800);
	scene_close(&s);
}

TEST(a_hint_that_failed_is_not_tried_again)
{
	const struct lane lanes[] = { { 12, 1, 2, 1000000, { 0, 0 }, { 0, 0 } }, { 13, 1, 3, 1000000, { 0, 0 }, { 0, 0 } } };
	const struct route_hint hints[] = { hint_of(29, 2, 9, 1), hint_of(39, 3, 9, 5000) };
	struct liquidity *l = liquidity_new(seed16, 10, LIQUIDITY_HALF_LIFE_S);
	struct route_request q = request_of(1, 9, 100000);
	struct scene s;

	scene_open(&s, lanes, 2);
	q.hints = hints;
	q.hint_count = 2;
	q.liquidity = l;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 1);
	liquidity_could_not(l, scid_of(29), 0, MSAT(100000), q.now_s);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 5000);
	q.now_s += LIQUIDITY_HALF_LIFE_S;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 1);
	scene_close(&s);
	liquidity_free(l);
}

/* --- learning --- */

TEST(what_failed_is_avoided_and_what_passed_preferred)
{
	const struct lane lanes[] = { { 12, 1, 2, 100000, { 0, 0 }, { 0, 0 } }, { 24, 2, 4, 2000, { 0, 0 }, { 100, 0 } },
				      { 13, 1, 3, 100000, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 2000, { 0, 0 }, { 150, 0 } } };
	struct liquidity *l = liquidity_new(seed16, 10, LIQUIDITY_HALF_LIFE_S);
	struct route_request q = request_of(1, 4, 1000000);
	uint32_t before;
	struct scene s;

	scene_open(&s, lanes, 4);
	q.parts_max = 1;
	q.liquidity = l;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 100);
	before = s.plan.chance_q30;
	liquidity_could_not(l, scid_of(24), 0, MSAT(900000), q.now_s);
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 150);
	liquidity_could(l, scid_of(24), 0, MSAT(1000000), q.now_s + 1);
	q.now_s++;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.fee.v, 100);
	CHECK(s.plan.chance_q30 > before);
	/* A part of what is missing elsewhere goes where there is room for a part. */
	liquidity_could_not(l, scid_of(24), 0, MSAT(700001), q.now_s + 1);
	liquidity_could_not(l, scid_of(34), 0, MSAT(700001), q.now_s + 1);
	q.now_s++;
	q.parts_max = 4;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.part_count, 2);
	q.parts_max = 1;
	PLAN(&s, &q, ROUTE_NO_WAY);
	/* And all that is forgotten in time. */
	q.now_s += 40 * LIQUIDITY_HALF_LIFE_S;
	PLAN(&s, &q, ROUTE_FOUND);
	CHECK_EQ(s.plan.chance_q30, before);
	scene_close(&s);
	liquidity_free(l);
}

TEST(a_slot_that_was_used_again_is_not_believed)
{
	const struct lane lanes[] = { { 12, 1, 2, 2000, { 0, 0 }, { 0, 0 } }, { 13, 1, 3, 2000, { 0, 0 }, { 0, 0 } } };
	struct liquidity *l = liquidity_new(seed16, 1, LIQUIDITY_HALF_LIFE_S);
	struct route_request q = request_of(1, 2, 1000000);
	struct scene s;

	scene_open(&s, lanes, 2);
	q.liquidity = l;
	liquidity_could_not(l, scid_of(12), 0, MSAT(1000), q.now_s);
	PLAN(&s, &q, ROUTE_NO_WAY);
	/* The one entry is now about another channel. */
	liquidity_could_not(l, scid_of(13), 0, MSAT(1000), q.now_s);
	PLAN(&s, &q, ROUTE_FOUND);
	q = request_of(1, 3, 1000000);
	q.liquidity = l;
	PLAN(&s, &q, ROUTE_NO_WAY);
	scene_close(&s);
	liquidity_free(l);
}
