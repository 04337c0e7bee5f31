#include "route/gather.h"

#include "tests/unit/route_setup.h"

static uint32_t add(struct graph *g, uint32_t channel, uint32_t a, uint32_t b, uint32_t flags)
{
	struct pubkey id[2] = { node_id(a), node_id(b) };
	const struct graph_new_channel c = { .scid = scid_of(channel), .node_id = { &id[0], &id[1] }, .capacity = SAT(1000),
					     .funding = channel, .flags = flags };
	const struct graph_policy p = { .htlc_minimum = MSAT(7), .htlc_maximum = MSAT(900000), .timestamp = 5,
					.fee_base_msat = 1000 + channel, .fee_ppm = 30, .cltv_delta = 40 };
	uint32_t n = graph_add_channel(g, &c);

	graph_set_policy(g, n, 0, &p);
	graph_set_policy(g, n, 1, &p);
	return n;
}

static struct route_graph *gather(const struct graph *g, uint32_t step)
{
	struct route_builder *b = route_builder_new(seed16);
	uint32_t at = 0;

	while (at < graph_channel_limit(g))
		at = route_gather(b, g, at, step);
	return route_builder_finish(b);
}

static uint32_t arc_of(const struct route_graph *g, uint32_t channel, int direction)
{
	uint32_t edge = route_graph_edge(g, scid_of(channel));

	CHECK(edge != ROUTE_NONE);
	return g->edges[edge].arc[direction];
}

TEST(a_snapshot_says_what_gossip_says)
{
	struct graph *g = graph_new(seed16);
	struct route_graph *r;
	const struct route_arc *a;

	for (uint32_t i = 1; i <= 10; i++)
		(void)add(g, i, i, i + 1, 0);
	graph_remove_channel(g, graph_find_channel(g, scid_of(4)));
	r = gather(g, 3);
	CHECK_EQ(r->edge_count, 9);
	CHECK_EQ(r->arc_count, 18);
	CHECK_EQ(r->node_count, 11);
	CHECK_EQ(route_graph_edge(r, scid_of(4)), ROUTE_NONE);
	a = &r->arcs[arc_of(r, 6, 0)];
	CHECK_EQ(a->fee_base_msat, 1006);
	CHECK_EQ(a->fee_ppm, 30);
	CHECK_EQ(a->cltv_delta, 40);
	CHECK_EQ(a->htlc_min_msat, 7);
	CHECK_EQ(a->htlc_max_msat, 900000);
	CHECK_EQ(a->capacity_sat, 1000);
	CHECK_EQ(r->nodes[a->from].v[32], 6);
	route_graph_free(r);
	graph_free(g);
}

TEST(what_may_not_be_routed_through_stays_out)
{
	struct graph *g = graph_new(seed16);
	const struct graph_announcement strange = { .timestamp = 5, .flags = GRAPH_NODE_UNKNOWN_FEATURE };
	struct graph_policy off = { .htlc_minimum = MSAT(7), .htlc_maximum = MSAT(900), .timestamp = 6, .flags = GRAPH_DISABLED };
	struct pubkey three = node_id(3);
	struct route_graph *r;
	uint32_t disabled, spent;

	disabled = add(g, 1, 1, 2, 0);
	graph_set_policy(g, disabled, 0, &off);
	(void)add(g, 2, 2, 3, 0);
	(void)add(g, 3, 3, 4, 0);
	(void)add(g, 4, 1, 4, GRAPH_UNKNOWN_FEATURE);
	spent = add(g, 5, 2, 4, 0);
	graph_set_spent(g, spent, 100);
	graph_clear_policy(g, add(g, 6, 1, 5, 0), 1);
	graph_set_node(g, graph_find_node(g, &three), &strange);
	r = gather(g, 1000);
	CHECK_EQ(r->edge_count, 6);
	CHECK_EQ(arc_of(r, 1, 0), ROUTE_NONE);
	CHECK(arc_of(r, 1, 1) != ROUTE_NONE);
	/* B7.node_announcement.23: nothing leaves node 3, B7.node_announcement.22: it may be paid. */
	CHECK(arc_of(r, 2, 0) != ROUTE_NONE);
	CHECK_EQ(arc_of(r, 2, 1), ROUTE_NONE);
	CHECK_EQ(arc_of(r, 3, 0), ROUTE_NONE);
	CHECK(arc_of(r, 3, 1) != ROUTE_NONE);
	/* B7.channel_announcement.16 */
	CHECK(arc_of(r, 4, 0) == ROUTE_NONE && arc_of(r, 4, 1) == ROUTE_NONE);
	CHECK(arc_of(r, 5, 0) == ROUTE_NONE && arc_of(r, 5, 1) == ROUTE_NONE);
	CHECK(arc_of(r, 6, 0) != ROUTE_NONE && arc_of(r, 6, 1) == ROUTE_NONE);
	route_graph_free(r);
	graph_free(g);
}

TEST(nothing_gives_nothing)
{
	struct graph *g = graph_new(seed16);
	struct route_graph *r = gather(g, 10);

	CHECK_EQ(r->node_count, 0);
	route_graph_free(r);
	graph_free(g);
}
