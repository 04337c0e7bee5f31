/* Properties over random networks, each plan held against its request by other code (tests/route_check.c). */
#include "tests/unit/route_setup.h"

static uint64_t state;

static uint64_t below(uint64_t n)
{
	return route_world_random(&state) % n;
}

/* Numbers of every size, extremes among them. */
static uint64_t wild(uint64_t most)
{
	uint64_t v = route_world_random(&state) >> below(64);

	return below(20) == 0 || v > most ? most : v;
}

static struct route_policy random_policy(bool hostile)
{
	struct route_policy p = { .enabled = below(8) != 0, .fee_base_msat = (uint32_t)below(2000), .fee_ppm = (uint32_t)below(3000),
				  .cltv_delta = (uint16_t)below(150), .htlc_min = MSAT(below(3000)) };

	if (below(3) == 0)
		p.htlc_max = MSAT(1 + below(2000000));
	if (hostile && below(2))
		p = (struct route_policy){ .enabled = true, .fee_base_msat = (uint32_t)wild(UINT32_MAX),
					   .fee_ppm = (uint32_t)wild(UINT32_MAX), .cltv_delta = (uint16_t)wild(UINT16_MAX),
					   .htlc_min = MSAT(wild(UINT64_MAX)), .htlc_max = MSAT(wild(UINT64_MAX)) };
	return p;
}

static struct route_graph *random_graph(uint32_t nodes, uint32_t channels, bool hostile)
{
	struct route_builder *b = route_builder_new(seed16);

	for (uint32_t i = 0; i < channels; i++) {
		uint32_t one = (uint32_t)below(nodes), other = (uint32_t)below(nodes);
		struct route_channel c = {
			.scid = scid_of(i + 1), .node = { node_id(one < other ? one : other), node_id(one < other ? other : one) },
			.capacity = SAT(hostile && below(4) == 0 ? wild(SUPPLY_SAT) : 1 + below(4000)),
			.policy = { random_policy(hostile), random_policy(hostile) },
		};

		/* Whatever is nonsense is refused here and in the planner alike. */
		if (!route_builder_add(b, &c))
			CHECK(one == other || c.capacity.v == 0);
	}
	return route_builder_finish(b);
}

static struct route_request random_request(uint32_t nodes, bool hostile)
{
	struct route_request q = request_of((uint32_t)below(nodes), (uint32_t)below(nodes), 1 + below(3000000));

	q.parts_max = 1 + (uint32_t)below(20);
	q.fee_limit = MSAT(below(4) ? q.amount.v / 20 : q.amount.v);
	q.cltv_max = 18 + (uint32_t)below(600);
	q.hops_max = 1 + (uint32_t)below(ROUTE_HOPS_MAX);
	q.part_min = MSAT(below(3) ? 0 : below(100000));
	q.seed = below(100);
	if (hostile) {
		q.amount = MSAT(wild(UINT64_MAX));
		q.fee_limit = MSAT(wild(UINT64_MAX));
		q.cltv_max = (uint32_t)wild(UINT32_MAX);
		q.taste = (struct route_taste){ (uint32_t)wild(UINT32_MAX), (uint32_t)wild(UINT32_MAX), (uint32_t)wild(UINT32_MAX) };
	}
	return q;
}

static void learn_something(struct liquidity *l, uint32_t channels)
{
	for (uint32_t i = 0; i < channels / 2; i++) {
		struct scid scid = scid_of(1 + (uint32_t)below(channels));
		struct amount_msat amount = MSAT(below(4000000));
		int direction = (int)below(2);

		switch (below(3)) {
		case 0:
			liquidity_could(l, scid, direction, amount, 1000000 - below(20000));
			break;
		case 1:
			liquidity_could_not(l, scid, direction, amount, 1000000 - below(20000));
			break;
		default:
			liquidity_moved(l, scid, direction, amount, 1000000);
			break;
		}
	}
}

static void check_plan(const struct route_graph *g, const struct route_request *q, const struct route_plan *plan_made)
{
	const char *wrong = route_world_check(g, q, plan_made);

	CHECK_STR(wrong ? wrong : "", "");
}

static uint32_t many_plans(uint32_t graphs, bool hostile)
{
	uint32_t found = 0;

	for (uint32_t k = 0; k < graphs; k++) {
		uint32_t nodes = 2 + (uint32_t)below(30), channels = (uint32_t)below(120);
		struct route_graph *g = random_graph(nodes, channels, hostile);
		struct route_planner *p = route_planner_new(g);
		struct liquidity *l = liquidity_new(seed16, 50, LIQUIDITY_HALF_LIFE_S);
		struct arena a;

		arena_init(&a);
		for (uint32_t i = 0; i < 20; i++) {
			struct route_request q = random_request(nodes, hostile);
			struct route_plan made;

			if (below(2))
				learn_something(l, channels + 1);
			q.liquidity = l;
			route_plan(p, &made, &a, &q);
			check_plan(g, &q, &made);
			found += made.verdict == ROUTE_FOUND;
		}
		arena_release(&a);
		liquidity_free(l);
		route_planner_free(p);
		route_graph_free(g);
	}
	return found;
}

/* INV-L1 INV-L2 INV-L3 INV-L4 */
TEST(plans_on_random_networks_hold)
{
	state = 1;
	CHECK(many_plans(300, false) > 2000);
}

/* INV-L3 INV-L4: fees, minimums, capacities and tastes at the edge of their types. */
TEST(plans_on_hostile_networks_hold)
{
	state = 2;
	CHECK(many_plans(300, true) > 100);
}

static bool same_plan(const struct route_plan *x, const struct route_plan *y)
{
	bool same = x->verdict == y->verdict && x->part_count == y->part_count && x->fee.v == y->fee.v &&
		    x->chance_q30 == y->chance_q30;

	for (uint32_t i = 0; same && i < x->part_count; i++) {
		same = x->parts[i].hop_count == y->parts[i].hop_count && x->parts[i].send.v == y->parts[i].send.v;
		for (uint32_t k = 0; same && k < x->parts[i].hop_count; k++)
			same = x->parts[i].hops[k].scid.v == y->parts[i].hops[k].scid.v &&
			       x->parts[i].hops[k].amount.v == y->parts[i].hops[k].amount.v;
	}
	return same;
}

TEST(one_seed_one_plan)
{
	struct route_graph *g;
	struct route_planner *used;
	struct arena a;

	state = 3;
	g = random_graph(20, 100, false);
	used = route_planner_new(g);
	arena_init(&a);
	for (uint32_t i = 0; i < 300; i++) {
		struct route_request q = random_request(20, false);
		struct route_planner *fresh = route_planner_new(g);
		struct route_plan x, y;
		bool same;

		/* What a planner did before does not show. */
		route_plan(used, &x, &a, &q);
		route_plan(fresh, &y, &a, &q);
		same = same_plan(&x, &y);
		route_planner_free(fresh);
		CHECK(same);
	}
	arena_release(&a);
	route_planner_free(used);
	route_graph_free(g);
}

TEST(among_equals_the_seed_decides)
{
	struct route_request q = request_of(1, 2, 100000);
	uint32_t taken[10] = { 0 }, ways = 0;
	struct lane lanes[20];
	struct scene s;

	for (uint32_t i = 0; i < 10; i++) {
		lanes[2 * i] = (struct lane){ 2 * i + 1, 1, 10 + i, 1000, { 0, 0 }, { 0, 0 } };
		lanes[2 * i + 1] = (struct lane){ 2 * i + 2, 2, 10 + i, 1000, { 0, 5 }, { 0, 5 } };
	}
	scene_open(&s, lanes, 20);
	for (q.seed = 0; q.seed < 100; q.seed++) {
		PLAN(&s, &q, ROUTE_FOUND);
		taken[load_be32(s.plan.parts[0].hops[0].node.v + 29) - 10]++;
	}
	for (uint32_t i = 0; i < 10; i++)
		ways += taken[i] > 0;
	CHECK(ways >= 5);
	scene_close(&s);
}

/* --- against what is best --- */

/* The least fee of a path, by trying all of them. */
static uint64_t cheapest_path(const struct route_graph *g, uint32_t node, uint32_t source, uint64_t amount, uint32_t visited,
			      uint64_t delivered)
{
	uint64_t best = UINT64_MAX;

	if (node == source)
		return amount - delivered;
	for (uint32_t i = g->first_arc[node]; i < g->first_arc[node + 1]; i++) {
		const struct route_arc *a = &g->arcs[i];
		uint64_t fee = a->from == source ? 0 : route_fee_msat(amount, a->fee_base_msat, a->fee_ppm), rest;

		if (visited >> a->from & 1 || amount < a->htlc_min_msat || amount > a->htlc_max_msat)
			continue;
		rest = cheapest_path(g, a->from, source, amount + fee, visited | 1u << a->from, delivered);
		best = rest < best ? rest : best;
	}
	return best;
}

TEST(where_only_fees_count_the_cheapest_path_is_found)
{
	uint32_t compared = 0;

	state = 4;
	for (uint32_t k = 0; k < 200; k++) {
		struct route_graph *g = random_graph(7, 14, false);
		struct scene s = { .g = g, .p = route_planner_new(g) };
		struct route_request q = request_of(0, 1, 1 + below(500000));
		uint32_t source = route_graph_node(g, &q.source), target = route_graph_node(g, &q.target);
		uint64_t best;

		arena_init(&s.a);
		if (source != ROUTE_NONE && target != ROUTE_NONE) {
			q.parts_max = 1;
			q.taste = (struct route_taste){ 1, 1, 1 };
			best = cheapest_path(g, target, source, q.amount.v, 1u << target, q.amount.v);
			q.fee_limit = MSAT(best == UINT64_MAX ? q.amount.v * 100 : best);
			CHECK_EQ(plan(&s, &q) == ROUTE_FOUND, best != UINT64_MAX);
			CHECK(best == UINT64_MAX || s.plan.fee.v == best);
			compared += best != UINT64_MAX;
			if (best && best != UINT64_MAX) {
				q.fee_limit = MSAT(best - 1);
				PLAN(&s, &q, ROUTE_TOO_EXPENSIVE);
				CHECK_EQ(s.plan.fee.v, best);
			}
		}
		scene_close(&s);
	}
	CHECK(compared > 80);
}

/* The largest flow there is, one step of augmentation after the other. */
static uint64_t push(const struct route_graph *g, uint64_t *flow, uint32_t node, uint32_t source, uint64_t most, uint64_t *visited)
{
	if (node == source)
		return most;
	*visited |= 1ull << node;
	for (uint32_t i = 0; i < g->arc_count; i++) {
		uint32_t from = g->arcs[i].from, to = g->edges[g->arcs[i].way >> 1].node[!(g->arcs[i].way & 1)];
		uint64_t room = to == node ? g->arcs[i].htlc_max_msat - flow[i] : from == node ? flow[i] : 0, got;
		uint32_t next = to == node ? from : to;

		if (!room || *visited >> next & 1)
			continue;
		got = push(g, flow, next, source, room < most ? room : most, visited);
		if (!got)
			continue;
		flow[i] = to == node ? flow[i] + got : flow[i] - got;
		return got;
	}
	return 0;
}

static uint64_t largest_flow(const struct route_graph *g, uint32_t source, uint32_t target)
{
	uint64_t flow[256] = { 0 }, sum = 0, got, visited = 0;

	CHECK(g->arc_count <= ARRAY_COUNT(flow));
	while ((got = push(g, flow, target, source, UINT64_MAX, &visited))) {
		sum += got;
		visited = 0;
	}
	return sum;
}

TEST(what_a_flow_can_carry_is_carried)
{
	uint32_t asked = 0, found = 0;

	state = 5;
	for (uint32_t k = 0; k < 200; k++) {
		struct lane lanes[40];
		struct route_request q = request_of(0, 1, 1);
		struct scene s;
		uint64_t most;
		uint32_t count = 0, source, target;

		for (uint32_t i = 0; i < ARRAY_COUNT(lanes); i++) {
			uint32_t one = (uint32_t)below(12), other = (uint32_t)below(12);

			if (one != other)
				lanes[count++] = (struct lane){ i + 1, one < other ? one : other, one < other ? other : one,
								100 + below(900), { 0, 0 }, { 0, 0 } };
		}
		scene_open(&s, lanes, count);
		source = route_graph_node(s.g, &q.source);
		target = route_graph_node(s.g, &q.target);
		most = source == ROUTE_NONE || target == ROUTE_NONE ? 0 : largest_flow(s.g, source, target);
		if (most) {
			q.parts_max = ROUTE_PARTS_MAX;
			q.cltv_max = 60000;
			q.amount = MSAT(most + 1);
			CHECK(plan(&s, &q) != ROUTE_FOUND);
			q.amount = MSAT(most - most / 20);
			asked++;
			found += plan(&s, &q) == ROUTE_FOUND;
		}
		scene_close(&s);
	}
	/* All but those whose last twentieth would take parts finer than there may be. */
	CHECK(asked > 150);
	CHECK(found >= asked - asked / 50);
}

/* What a flow costs at least, in ppm of a satoshi: successive cheapest paths by Bellman and Ford, over whole chunks.
 * UINT64_MAX if there is none. */
static uint64_t cheapest_flow(const struct route_graph *g, uint32_t source, uint32_t target, uint32_t chunks, uint64_t chunk_msat)
{
	uint64_t flow[256] = { 0 }, sum = 0;

	CHECK(g->arc_count <= ARRAY_COUNT(flow) && g->node_count <= 64);
	for (; chunks; chunks--) {
		int64_t cost[64];
		uint32_t via[64];

		for (uint32_t n = 0; n < 64; n++)
			cost[n] = INT64_MAX / 2;
		cost[target] = 0;
		for (uint32_t pass = 0; pass < g->node_count; pass++)
			for (uint32_t i = 0; i < 2 * g->arc_count; i++) {
				const struct route_arc *a = &g->arcs[i / 2];
				uint32_t to = g->edges[a->way >> 1].node[!(a->way & 1)];
				uint32_t tail = i & 1 ? to : a->from, head = i & 1 ? a->from : to;
				int64_t price = a->from == source ? 0 : a->fee_ppm;
				bool room = i & 1 ? flow[i / 2] > 0 : (flow[i / 2] + 1) * chunk_msat <= a->htlc_max_msat;

				if (room && cost[head] + (i & 1 ? -price : price) < cost[tail]) {
					cost[tail] = cost[head] + (i & 1 ? -price : price);
					via[tail] = i;
				}
			}
		if (cost[source] >= INT64_MAX / 2)
			return UINT64_MAX;
		sum += (uint64_t)cost[source];
		for (uint32_t n = source; n != target;) {
			const struct route_arc *a = &g->arcs[via[n] / 2];

			flow[via[n] / 2] = via[n] & 1 ? flow[via[n] / 2] - 1 : flow[via[n] / 2] + 1;
			n = via[n] & 1 ? a->from : g->edges[a->way >> 1].node[!(a->way & 1)];
		}
	}
	return sum;
}

/* Where only fees count the flow is the cheapest there is, which takes pushing chunks aside: without residual arcs some
 * of these are dearer and some do not exist. */
TEST(a_flow_is_the_cheapest_of_its_grain)
{
	const uint64_t chunk = 1000000;
	uint32_t compared = 0;

	state = 7;
	for (uint32_t k = 0; k < 300; k++) {
		struct route_request q = request_of(0, 1, 8 * chunk);
		struct lane lanes[26];
		uint32_t count = 0;
		uint64_t best;
		struct scene s;

		for (uint32_t i = 0; i < ARRAY_COUNT(lanes); i++) {
			uint32_t one = (uint32_t)below(9), other = (uint32_t)below(9);

			/* Whole chunks, and a little for the fees on fees. */
			if (one != other)
				lanes[count++] = (struct lane){ i + 1, one < other ? one : other, one < other ? other : one,
								1000 * (1 + below(5)) + 60, { 0, 0 },
								{ (uint32_t)below(2000), (uint32_t)below(2000) } };
		}
		scene_open(&s, lanes, count);
		q.parts_max = ROUTE_PARTS_MAX;
		q.taste = (struct route_taste){ 1, 1, 1 };
		q.cltv_max = 60000;
		q.source = s.g->nodes[0];
		q.target = s.g->nodes[1];
		best = cheapest_flow(s.g, 0, 1, 8, chunk);
		if (best != UINT64_MAX) {
			PLAN(&s, &q, ROUTE_FOUND);
			CHECK(s.plan.fee.v <= best * (chunk / 1000000) * 102 / 100 + 200);
			compared++;
		}
		scene_close(&s);
	}
	CHECK(compared > 60);
}

/* --- the network as it is --- */

TEST(plans_on_the_real_network_hold)
{
	struct scene s = { .g = route_world_load() };
	uint32_t nodes[95], found = 0, count;

	if (!s.g)
		test_skip("the graph's vectors or xz are not here");
	s.p = route_planner_new(s.g);
	arena_init(&s.a);
	count = route_world_largest(s.g, nodes, ARRAY_COUNT(nodes));
	state = 6;
	for (uint32_t i = 0; i < 200; i++) {
		struct route_request q = { .amount = MSAT(1000ull << below(27)), .final_cltv = 18, .cltv_max = 2016, .parts_max = 32,
					   .part_min = MSAT(354000), .now_s = 1000000, .seed = i };
		uint32_t from = (uint32_t)below(count), to = (uint32_t)below(count);

		q.source = s.g->nodes[nodes[from]];
		q.target = s.g->nodes[nodes[to]];
		q.fee_limit = msat_ppm(q.amount, 5000);
		if (from != to)
			found += plan(&s, &q) == ROUTE_FOUND;
	}
	CHECK(found > 150);
	for (uint32_t i = 0; i < 60; i++) {
		struct route_request q = request_of(0, 0, 1000ull << below(30));

		/* Anybody to anybody: much of it cannot be, and finding that out is bounded. */
		q.source = s.g->nodes[below(s.g->node_count)];
		q.target = s.g->nodes[below(s.g->node_count)];
		q.fee_limit = msat_ppm(q.amount, 5000);
		(void)plan(&s, &q);
		CHECK(s.plan.work < ROUTE_WORK_MAX + ROUTE_WORK_MAX / 4 + 4 * (s.g->arc_count + s.g->node_count));
	}
	scene_close(&s);
}
