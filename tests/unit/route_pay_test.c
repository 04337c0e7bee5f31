/* The payment engine and the planner together, over small networks whose liquidity is hidden. */
#include "tests/route_pay.h"

#include "crypto/keys.h"
#include "payment/send.h"
#include "tests/unit/route_setup.h"

static struct route_network net;
static struct route_graph *g;
static uint64_t *hidden, *in_flight;
static uint32_t *first_out, *out;

#define KEYS 16u

/* Onions are made for these: they are points, in the order of their numbers. */
static const struct pubkey *key(uint32_t n)
{
	static const uint8_t seed[32] = { 8 };
	static struct pubkey keys[KEYS];
	struct secp *s;

	for (s = keys[0].v[0] ? NULL : secp_new(seed); s;) {
		for (uint32_t i = 0; i < KEYS; i++) {
			struct secret32 secret = { { (uint8_t)(i + 1) } };

			pubkey_of(s, &keys[i], &secret);
		}
		for (uint32_t i = 1; i < KEYS; i++)
			for (uint32_t k = i; k && memcmp(keys[k - 1].v, keys[k].v, 33) > 0; k--) {
				struct pubkey swap = keys[k];

				keys[k] = keys[k - 1];
				keys[k - 1] = swap;
			}
		secp_free(s);
		s = NULL;
	}
	CHECK(n < KEYS);
	return &keys[n];
}

static struct route_graph *graph_of_keys(const struct lane *lanes, uint32_t count)
{
	struct route_builder *b = route_builder_new(seed16);

	for (uint32_t i = 0; i < count; i++) {
		struct route_channel c = channel_of(&lanes[i]);

		c.node[0] = *key(lanes[i].a);
		c.node[1] = *key(lanes[i].b);
		CHECK(route_builder_add(b, &c));
	}
	return route_builder_finish(b);
}

/* capacity x share / 256 is on the side of the lesser node of each channel. */
static void open_network(const struct lane *lanes, const uint8_t *share, uint32_t count)
{
	uint32_t at = 0;

	g = graph_of_keys(lanes, count);
	hidden = NEW_ARRAY(uint64_t, g->arc_count + 1);
	in_flight = NEW_ARRAY(uint64_t, g->arc_count + 1);
	first_out = NEW_ARRAY(uint32_t, g->node_count + 2);
	out = NEW_ARRAY(uint32_t, g->arc_count + 1);
	for (uint32_t i = 0; i < count; i++) {
		const struct route_edge *e = &g->edges[route_graph_edge(g, scid_of(lanes[i].channel))];
		uint64_t capacity = route_edge_capacity(e).v, side = capacity / 256 * share[i];

		hidden[e->arc[0]] = side;
		hidden[e->arc[1]] = capacity - side;
	}
	for (uint32_t n = 0; n < g->node_count; n++) {
		first_out[n] = at;
		for (uint32_t a = 0; a < g->arc_count; a++)
			if (g->arcs[a].from == n)
				out[at++] = a;
	}
	first_out[g->node_count] = at;
	net = (struct route_network){ g, hidden, in_flight, first_out, out };
}

static void close_network(void)
{
	for (uint32_t a = 0; a < g->arc_count; a++)
		CHECK_EQ(in_flight[a], 0);
	route_graph_free(g);
	mem_free(hidden);
	mem_free(in_flight);
	mem_free(first_out);
	mem_free(out);
}

static struct route_paid pay(struct route_payer *p, uint32_t from, uint32_t to, uint64_t sat)
{
	return route_payer_pay(p, route_graph_node(g, key(from)), route_graph_node(g, key(to)), MSAT(sat * 1000), MSAT(sat * 10));
}

/* 1 reaches 5 over 2 (cheap, and empty), over 3 and over 4. */
static const struct lane fan[] = {
	{ 12, 1, 2, 1000000, { 0, 0 }, { 0, 0 } }, { 25, 2, 5, 1000000, { 0, 0 }, { 10, 10 } },
	{ 13, 1, 3, 1000000, { 0, 0 }, { 0, 0 } }, { 35, 3, 5, 1000000, { 0, 0 }, { 1000, 1000 } },
	{ 14, 1, 4, 1000000, { 0, 0 }, { 0, 0 } }, { 45, 4, 5, 1000000, { 0, 0 }, { 2000, 2000 } },
};
static const uint8_t fan_share[] = { 255, 0, 255, 128, 255, 255 };

TEST(a_payment_goes_another_way_and_the_next_knows)
{
	struct route_payer *p;
	struct route_paid paid;

	open_network(fan, fan_share, ARRAY_COUNT(fan));
	p = route_payer_new(&net);
	paid = pay(p, 1, 5, 100000);
	CHECK(paid.complete && paid.tried > paid.parts && paid.plans > 1);
	/* B4.receiving_failure_codes.4: what it taught is a fact for the next payment, which tries nothing in vain. */
	paid = pay(p, 1, 5, 100000);
	CHECK(paid.complete);
	CHECK_EQ(paid.tried, paid.parts);
	CHECK_EQ(paid.plans, 1);
	/* Another payer has to find out. */
	route_payer_forget(p);
	paid = pay(p, 1, 5, 100000);
	CHECK(paid.complete && paid.tried > paid.parts && paid.plans > 1);
	route_payer_free(p);
	close_network();
}

TEST(what_no_single_way_carries_goes_in_parts)
{
	struct route_payer *p;
	struct route_paid paid;

	open_network(fan, fan_share, ARRAY_COUNT(fan));
	p = route_payer_new(&net);
	/* 500,000 over 3 and the rest over 4; nothing over 2. */
	paid = pay(p, 1, 5, 1400000);
	CHECK(paid.complete && paid.parts >= 2);
	CHECK(paid.fee.v >= 900000000 / 1000000 * 2000);
	route_payer_forget(p);
	paid = pay(p, 1, 5, 1600000);
	CHECK(!paid.complete && paid.tried);
	route_payer_free(p);
	close_network();
}

TEST(a_payment_costs_no_more_than_its_limit)
{
	struct route_payer *p;
	struct route_paid paid;

	open_network(fan, fan_share, ARRAY_COUNT(fan));
	p = route_payer_new(&net);
	/* Only the way over 2 is so cheap, and it is empty. */
	paid = route_payer_pay(p, route_graph_node(g, key(1)), route_graph_node(g, key(5)), MSAT(100000000), MSAT(99000));
	CHECK(!paid.complete);
	paid = route_payer_pay(p, route_graph_node(g, key(1)), route_graph_node(g, key(5)), MSAT(100000000), MSAT(100000));
	CHECK(paid.complete);
	/* Each part's fee is rounded down. */
	CHECK(paid.fee.v <= 100000 && paid.fee.v > 99900);
	route_payer_free(p);
	close_network();
}

/* Networks by chance: whoever is paid is paid what was asked, and nothing stays in flight. */
TEST(many_payments_over_networks_by_chance)
{
	uint64_t random = 11;
	uint32_t complete = 0, failed = 0;

	for (int round = 0; round < 30; round++) {
		struct lane lanes[24];
		uint8_t share[24];
		struct route_payer *p;

		for (uint32_t i = 0; i < ARRAY_COUNT(lanes); i++) {
			uint32_t a = 1 + (uint32_t)(route_world_random(&random) % 8), b = a + 1 + (uint32_t)(route_world_random(&random) % 3);

			lanes[i] = (struct lane){ i, i < 10 ? i + 1 : a, i < 10 ? i + 2 : b, 100000 + route_world_random(&random) % 1000000,
						  { (uint32_t)(route_world_random(&random) % 500), 0 },
						  { (uint32_t)(route_world_random(&random) % 1000), (uint32_t)(route_world_random(&random) % 1000) } };
			share[i] = (uint8_t)route_world_random(&random);
		}
		open_network(lanes, share, ARRAY_COUNT(lanes));
		p = route_payer_new(&net);
		for (int k = 0; k < 10; k++) {
			uint32_t from = 1 + (uint32_t)(route_world_random(&random) % 11), to = 1 + (uint32_t)(route_world_random(&random) % 11);

			if (from == to)
				continue;
			if (pay(p, from, to, 1000 + route_world_random(&random) % 300000).complete)
				complete++;
			else
				failed++;
			for (uint32_t a = 0; a < g->arc_count; a++)
				CHECK_EQ(in_flight[a], 0);
		}
		route_payer_free(p);
		close_network();
	}
	CHECK(complete > 50 && failed > 20);
}
