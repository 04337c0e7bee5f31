/* How long a plan takes on the network of 2026-02-03.
 *
 *	route_speed [--pairs N] [--nodes N] [--learned] [AMOUNT_SAT ...]
 *
 * Plans payments between pairs of the largest nodes (95 of them), with a fee limit
 * of 0.5 %, and prints a Markdown table: milliseconds of this thread's processor
 * at the median, the 99th percentile and the most.  Before it: what the snapshot holds, and how long it takes
 * to hand its channels in and to finish it.  --learned: with 20,000 channels' worth of facts from failures and successes.
 * The machine is not assumed quiet: time is the thread's own, not the clock's. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/clock.h"
#include "tests/route_world.h"

#define NODES_MAX 50000u

static uint32_t pairs = 1000, node_count = 95;
static bool learned;
static const struct route_graph *the_graph;

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Facts about random channels, as a node that has paid for a while has them. */
static struct liquidity *make_facts(const struct route_graph *g)
{
	const uint8_t seed[16] = { 3 };
	struct liquidity *l = liquidity_new(seed, LIQUIDITY_CHANNELS_MAX, LIQUIDITY_HALF_LIFE_S);
	uint64_t random = 11;

	for (uint32_t i = 0; i < 20000; i++) {
		const struct route_edge *e = &g->edges[route_world_random(&random) % g->edge_count];
		struct amount_msat amount = MSAT(1 + route_world_random(&random) % (e->capacity_sat * 1000));
		int direction = (int)(route_world_random(&random) & 1);
		uint64_t at = 1000000 - route_world_random(&random) % 20000;

		if (route_world_random(&random) & 1)
			liquidity_could(l, e->scid, direction, amount, at);
		else
			liquidity_could_not(l, e->scid, direction, amount, at);
	}
	return l;
}

static struct route_policy policy_of(const struct route_graph *g, uint32_t arc)
{
	const struct route_arc *a = &g->arcs[arc];

	if (arc == ROUTE_NONE)
		return (struct route_policy){ .enabled = false };
	return (struct route_policy){ true, a->fee_base_msat, a->fee_ppm, a->cltv_delta, MSAT(a->htlc_min_msat),
				      MSAT(a->htlc_max_msat) };
}

/* The same snapshot once more, as its owner would make it. */
static void measure_building(const struct route_graph *g)
{
	const uint8_t seed[16] = { 5 };
	struct route_builder *b = route_builder_new(seed);
	struct route_channel *channels = NEW_ARRAY(struct route_channel, g->edge_count);
	double began, handed;

	for (uint32_t i = 0; i < g->edge_count; i++) {
		const struct route_edge *e = &g->edges[i];

		channels[i] = (struct route_channel){ e->scid, { g->nodes[e->node[0]], g->nodes[e->node[1]] }, SAT(e->capacity_sat),
						      { policy_of(g, e->arc[0]), policy_of(g, e->arc[1]) } };
	}
	began = thread_cpu();
	for (uint32_t i = 0; i < g->edge_count; i++)
		if (!route_builder_add(b, &channels[i]))
			abort();
	handed = thread_cpu();
	route_graph_free(route_builder_finish(b));
	printf("%u channels, %u nodes, %u arcs; snapshot %.2f MiB; handed in in %.1f ms, finished in %.1f ms\n", g->edge_count,
	       g->node_count, g->arc_count, (double)route_graph_size(g) / 1048576, (handed - began) * 1e3, (thread_cpu() - handed) * 1e3);
	mem_free(channels);
}

struct tally {
	double *took;
	uint32_t count, found, parts, searches;
	double fee_ppm, chance;
};

static void one(struct route_planner *p, struct arena *a, const struct route_request *q, struct tally *t)
{
	struct route_plan plan;
	double began = thread_cpu();

	route_plan(p, &plan, a, q);
	t->took[t->count++] = (thread_cpu() - began) * 1e3;
	t->searches += plan.searches;
	if (plan.verdict == ROUTE_FOUND) {
		t->found++;
		t->parts += plan.part_count;
		t->fee_ppm += (double)plan.fee.v / (double)q->amount.v * 1e6;
		t->chance += (double)plan.chance_q30 / MODEL_ONE_Q30;
	}
	arena_reset(a);
}

static void measure(struct route_planner *p, const struct liquidity *facts, const uint32_t *nodes, uint64_t amount_sat)
{
	struct tally t = { .took = NEW_ARRAY(double, pairs) };
	uint64_t random = 5;
	struct arena a;

	arena_init(&a);
	for (uint32_t i = 0; i < pairs; i++) {
		uint32_t from = (uint32_t)(route_world_random(&random) % node_count);
		uint32_t to = (from + 1 + (uint32_t)(route_world_random(&random) % (node_count - 1))) % node_count;
		struct route_request q = {
			.source = the_graph->nodes[nodes[from]], .target = the_graph->nodes[nodes[to]],
			.amount = msat_of_sat(SAT(amount_sat)), .fee_limit = msat_ppm(msat_of_sat(SAT(amount_sat)), 5000),
			.final_cltv = 18, .cltv_max = 2016, .parts_max = 32, .part_min = MSAT(546000), .now_s = 1000000,
			.liquidity = facts, .seed = i,
		};

		one(p, &a, &q, &t);
	}
	qsort(t.took, t.count, sizeof(*t.took), compare_double);
	printf("| %llu | %.1f | %.2f | %.2f | %.2f | %.1f | %.2f | %.0f | %.3f |\n", (unsigned long long)amount_sat,
	       100.0 * t.found / t.count, t.took[t.count / 2], t.took[t.count * 99 / 100], t.took[t.count - 1],
	       (double)t.searches / t.count, t.found ? (double)t.parts / t.found : 0, t.found ? t.fee_ppm / t.found : 0,
	       t.found ? t.chance / t.found : 0);
	fflush(stdout);
	mem_free(t.took);
	arena_release(&a);
}

int main(int argc, char **argv)
{
	static const uint64_t usual[] = { 1000, 100000, 1000000, 10000000, 100000000 };
	static uint32_t nodes[NODES_MAX];
	struct route_graph *g;
	struct route_planner *p;
	struct liquidity *facts = NULL;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--learned"))
			learned = true;
		else if (!strcmp(argv[i], "--pairs") && i + 1 < argc)
			pairs = (uint32_t)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--nodes") && i + 1 < argc)
			node_count = (uint32_t)atoi(argv[++i]);
		else
			return fprintf(stderr, "usage: route_speed [--pairs N] [--nodes N] [--learned] [AMOUNT_SAT ...]\n"), 2;
	}
	g = route_world_load();
	if (!g || !pairs || node_count < 2 || node_count > NODES_MAX)
		return fprintf(stderr, "route_speed: no graph, nothing measured\n"), 1;
	the_graph = g;
	measure_building(g);
	node_count = route_world_largest(g, nodes, node_count);
	p = route_planner_new(g);
	if (learned)
		facts = make_facts(g);
	printf("\n| sat | found %% | median ms | p99 ms | most ms | searches | parts | fee ppm | chance |\n"
	       "|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	if (i < argc)
		for (; i < argc; i++)
			measure(p, facts, nodes, strtoull(argv[i], NULL, 10));
	else
		for (uint32_t k = 0; k < ARRAY_COUNT(usual); k++)
			measure(p, facts, nodes, usual[k]);
	printf("\nplanner %.2f MiB\n", (double)route_planner_size(p) / 1048576);
	route_planner_free(p);
	route_graph_free(g);
	liquidity_free(facts);
	return 0;
}
