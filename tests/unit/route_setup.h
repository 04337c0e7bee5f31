/* Small networks for the tests of core/route: nodes are numbers, channels a line each. */
#ifndef TESTS_UNIT_ROUTE_SETUP_H
#define TESTS_UNIT_ROUTE_SETUP_H

#include "tests/route_world.h"
#include "tests/test.h"

static const uint8_t seed16[16] = { 9, 8, 7 };

/* Ids in the order of their numbers. */
static inline struct pubkey node_id(uint32_t n)
{
	struct pubkey p = { { 2 } };

	store_be32(p.v + 29, n);
	return p;
}

static inline struct scid scid_of(uint32_t n)
{
	return scid_make(100, n, 0);
}

struct lane { /* a channel between nodes a < b; fees as a and b ask them */
	uint32_t channel, a, b;
	uint64_t capacity_sat;
	uint32_t base_msat[2], ppm[2];
};

static inline struct route_policy policy_of(uint32_t base_msat, uint32_t ppm)
{
	return (struct route_policy){ .enabled = true, .fee_base_msat = base_msat, .fee_ppm = ppm, .cltv_delta = 40,
				      .htlc_min = MSAT(1) };
}

static inline struct route_channel channel_of(const struct lane *l)
{
	return (struct route_channel){ .scid = scid_of(l->channel), .node = { node_id(l->a), node_id(l->b) },
				       .capacity = SAT(l->capacity_sat),
				       .policy = { policy_of(l->base_msat[0], l->ppm[0]), policy_of(l->base_msat[1], l->ppm[1]) } };
}

static inline struct route_graph *graph_of(const struct lane *lanes, uint32_t count)
{
	struct route_builder *b = route_builder_new(seed16);

	for (uint32_t i = 0; i < count; i++) {
		struct route_channel c = channel_of(&lanes[i]);

		CHECK(route_builder_add(b, &c));
	}
	return route_builder_finish(b);
}

static inline struct route_request request_of(uint32_t source, uint32_t target, uint64_t amount_msat)
{
	return (struct route_request){ .source = node_id(source), .target = node_id(target), .amount = MSAT(amount_msat),
				       .fee_limit = MSAT(amount_msat), .final_cltv = 18, .cltv_max = 2016, .parts_max = 16,
				       .now_s = 1000000 };
}

struct scene {
	struct route_graph *g;
	struct route_planner *p;
	struct arena a;
	struct route_plan plan;
};

static inline void scene_open(struct scene *s, const struct lane *lanes, uint32_t count)
{
	*s = (struct scene){ .g = graph_of(lanes, count) };
	s->p = route_planner_new(s->g);
	arena_init(&s->a);
}

static inline void scene_close(struct scene *s)
{
	route_planner_free(s->p);
	route_graph_free(s->g);
	arena_release(&s->a);
}

/* Plans, and holds the plan against the request. */
static inline enum route_verdict plan(struct scene *s, const struct route_request *q)
{
	const char *wrong;

	route_plan(s->p, &s->plan, &s->a, q);
	wrong = route_world_check(s->g, q, &s->plan);
	CHECK_STR(wrong ? wrong : "", "");
	return s->plan.verdict;
}

#define PLAN(s, q, v) CHECK_EQ(plan((s), (q)), (v))

#endif
