#include "tests/unit/route_setup.h"

static bool add(struct route_builder *b, uint32_t channel, uint32_t a_node, uint32_t b_node, uint64_t capacity_sat)
{
	struct lane l = { channel, a_node, b_node, capacity_sat, { 0, 0 }, { 0, 0 } };
	struct route_channel c = channel_of(&l);

	return route_builder_add(b, &c);
}

TEST(channels_in_any_order_give_one_snapshot)
{
	const struct lane forth[] = { { 1, 1, 2, 500, { 1, 2 }, { 3, 4 } }, { 2, 2, 3, 700, { 5, 6 }, { 7, 8 } },
				      { 3, 1, 3, 900, { 0, 0 }, { 0, 0 } } };
	const struct lane back[] = { forth[2], forth[0], forth[1] };
	struct route_graph *x = graph_of(forth, 3), *y = graph_of(back, 3);

	CHECK_EQ(x->node_count, 3);
	CHECK_EQ(x->edge_count, 3);
	CHECK_EQ(x->arc_count, 6);
	CHECK(memcmp(x->nodes, y->nodes, 3 * sizeof(*x->nodes)) == 0);
	CHECK(memcmp(x->first_arc, y->first_arc, 4 * sizeof(*x->first_arc)) == 0);
	for (uint32_t i = 0; i < 6; i++) {
		CHECK_EQ(x->arcs[i].way, y->arcs[i].way);
		CHECK_EQ(x->arcs[i].fee_base_msat, y->arcs[i].fee_base_msat);
	}
	route_graph_free(x);
	route_graph_free(y);
}

TEST(a_channel_is_found_with_its_terms)
{
	const struct lane lanes[] = { { 5, 1, 2, 500, { 10, 20 }, { 30, 40 } } };
	struct route_graph *g = graph_of(lanes, 1);
	uint32_t e = route_graph_edge(g, scid_of(5));
	struct pubkey one = node_id(1), other = node_id(3);
	const struct route_arc *a;

	CHECK_EQ(e, 0);
	CHECK_EQ(route_graph_edge(g, scid_of(4)), ROUTE_NONE);
	CHECK_EQ(route_graph_edge(g, scid_of(6)), ROUTE_NONE);
	CHECK_EQ(route_graph_node(g, &one), 0);
	CHECK_EQ(route_graph_node(g, &other), ROUTE_NONE);
	a = &g->arcs[g->edges[e].arc[0]];
	/* B7.channel_update.17 B7.channel_update.18: direction 0 is what node_id_1 asks. */
	CHECK_EQ(a->fee_base_msat, 10);
	CHECK_EQ(a->fee_ppm, 30);
	CHECK_EQ(a->from, 0);
	CHECK_EQ(a->htlc_max_msat, 500000);
	CHECK_EQ(g->arcs[g->edges[e].arc[1]].fee_base_msat, 20);
	CHECK_EQ(g->arcs[g->edges[e].arc[1]].from, 1);
	route_graph_free(g);
}

TEST(nonsense_is_refused)
{
	struct route_builder *b = route_builder_new(seed16);
	struct route_graph *g;

	CHECK(!add(b, 1, 1, 2, 0));
	CHECK(!add(b, 1, 2, 1, 100));
	CHECK(!add(b, 1, 2, 2, 100));
	CHECK(!add(b, 1, 1, 2, SUPPLY_SAT + 1));
	CHECK(add(b, 1, 1, 2, SUPPLY_SAT));
	/* The first of one scid counts. */
	CHECK(add(b, 1, 3, 4, 100));
	g = route_builder_finish(b);
	CHECK_EQ(g->edge_count, 1);
	CHECK_EQ(g->edges[0].capacity_sat, SUPPLY_SAT);
	route_graph_free(g);
}

TEST(directions_that_carry_nothing_have_no_arc)
{
	struct lane l = { 1, 1, 2, 100, { 0, 0 }, { 0, 0 } };
	struct route_channel c = channel_of(&l);
	struct route_builder *b = route_builder_new(seed16);
	struct route_graph *g;

	c.policy[0].enabled = false;
	CHECK(route_builder_add(b, &c));
	/* B7.channel_update.31 */
	c.scid = scid_of(2);
	c.policy[0] = policy_of(0, 0);
	c.policy[0].htlc_min = MSAT(5000);
	c.policy[0].htlc_max = MSAT(4999);
	CHECK(route_builder_add(b, &c));
	/* B7.channel_update.32 */
	c.scid = scid_of(3);
	c.policy[0] = policy_of(0, 0);
	c.policy[0].htlc_max = MSAT(100001);
	CHECK(route_builder_add(b, &c));
	g = route_builder_finish(b);
	CHECK_EQ(g->arc_count, 3);
	for (uint32_t e = 0; e < 3; e++) {
		CHECK_EQ(g->edges[e].arc[0], ROUTE_NONE);
		CHECK(g->edges[e].arc[1] != ROUTE_NONE);
	}
	route_graph_free(g);
}

TEST(the_widest_arcs_into_a_node_come_first)
{
	const struct lane lanes[] = { { 1, 1, 9, 300, { 0, 0 }, { 0, 0 } }, { 2, 2, 9, 900, { 0, 0 }, { 0, 0 } },
				      { 3, 3, 9, 600, { 0, 0 }, { 0, 0 } }, { 4, 4, 9, 600, { 0, 0 }, { 0, 0 } } };
	struct route_graph *g = graph_of(lanes, 4);
	struct pubkey id = node_id(9);
	uint32_t n = route_graph_node(g, &id), first = g->first_arc[n];

	CHECK_EQ(g->first_arc[n + 1] - first, 4);
	CHECK_EQ(g->arcs[first].htlc_max_msat, 900000);
	CHECK_EQ(g->arcs[first + 1].way >> 1, 2);
	CHECK_EQ(g->arcs[first + 2].way >> 1, 3);
	CHECK_EQ(g->arcs[first + 3].htlc_max_msat, 300000);
	route_graph_free(g);
}

TEST(an_empty_graph)
{
	struct route_graph *g = route_builder_finish(route_builder_new(seed16));
	struct route_planner *p = route_planner_new(g);
	struct route_request q = request_of(1, 2, 1000);
	struct route_plan plan_of_nothing;
	struct arena a;

	arena_init(&a);
	route_plan(p, &plan_of_nothing, &a, &q);
	CHECK_EQ(plan_of_nothing.verdict, ROUTE_UNKNOWN_SOURCE);
	arena_release(&a);
	route_planner_free(p);
	route_graph_free(g);
}

/* B7.htlc_fees.1 */
TEST(fees_in_wide_numbers)
{
	CHECK_EQ(route_fee_msat(1000000, 1000, 1), 1001);
	CHECK_EQ(route_fee_msat(999999, 0, 1), 0);
	CHECK_EQ(route_fee_msat(1234567891, 1, 250), 308642);
	CHECK(route_fee_msat(SUPPLY_SAT * 1000, UINT32_MAX, UINT32_MAX) == UINT64_MAX);
	CHECK(route_fee_msat(1ull << 40, 7, UINT32_MAX) == (uint64_t)((unsigned __int128)(1ull << 40) * UINT32_MAX / 1000000 + 7));
}

TEST(the_network_fits_in_a_few_mebibytes)
{
	struct route_graph *g = route_world_load();

	if (!g)
		test_skip("the graph's vectors or xz are not here");
	CHECK_EQ(g->edge_count, 50808);
	CHECK_EQ(g->node_count, 17324);
	CHECK(route_graph_size(g) < 6u << 20);
	for (uint32_t n = 0; n + 1 < g->node_count; n++)
		CHECK(memcmp(g->nodes[n].v, g->nodes[n + 1].v, 33) < 0);
	for (uint32_t e = 0; e < g->edge_count; e++)
		for (uint32_t d = 0; d < 2; d++)
			if (g->edges[e].arc[d] != ROUTE_NONE)
				CHECK_EQ(g->arcs[g->edges[e].arc[d]].way, e << 1 | d);
	route_graph_free(g);
}
