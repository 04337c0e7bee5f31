/* How well payments go on the network of 2026-02-03 if the liquidity is hidden.
 *
 *	route_quality [--pairs N] [--tries N] [--nodes N] [--fee-ppm N] [--keep] [--only uniform|bimodal] [--way NAME] [AMOUNT_SAT ...]
 *
 * Draws for each channel what lies on which side (uniform, or bimodal: near either
 * end), then pays N random pairs of nodes at each amount, fee limit 5000 ppm, in three ways:
 *
 *   engine    the payments of a node: core/payment/send over core/route, learning from what comes back (tests/route_pay.h)
 *   cheapest  one path, the cheapest that has not failed in this payment: Dijkstra without memory
 *   oracle    the best that the planner does if every channel's liquidity is told in advance
 *
 * and counts how many of them any flow could carry (a maximum flow that ignores fees and delays, with as
 * many HTLCs of its maximum in a channel as a payment may have parts).  A part passes a hop if the hidden
 * liquidity, less what this payment holds there, suffices; parts that arrived are held until
 * all have.  Of the other two, payments are played here and give up after --tries parts; the engine has limits of its own.
 * Liquidity is the same for every payment: none settles.
 * --nodes N: pairs of the N nodes with most capacity, not of all.
 * --keep: what the engine learned stays for its next payment, as if one node paid from everywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "payment/send.h"
#include "tests/route_pay.h"
#include "tests/route_world.h"

#define NOW_S 1000000u
#define OWN_MAX ROUTE_EDGES_MAX
#define PARTS_MAX SEND_PARTS_MAX
#define HTLCS_A_CHANNEL PARTS_MAX /* of its maximum, in the flow that counts as possible */

enum way { ENGINE, CHEAPEST, ORACLE };
static const char *const way_names[] = { "engine", "cheapest", "oracle" };

struct out_arcs { /* the arcs out of each node */
	uint32_t *first, *arcs;
};

static struct route_graph *g;
static struct out_arcs out_of;
static uint64_t *hidden, *in_flight; /* by arc, msat */
static uint32_t pairs = 1000, tries = SEND_ATTEMPTS_MAX, fee_ppm = 5000, node_count = UINT32_MAX, *nodes;
static const char *only_way;
static bool keep;
static const uint8_t seed[16] = { 1, 2, 3 };

static void index_out(void)
{
	uint32_t *next = NEW_ARRAY(uint32_t, g->node_count + 1);

	out_of.first = NEW_ARRAY(uint32_t, g->node_count + 1);
	out_of.arcs = NEW_ARRAY(uint32_t, g->arc_count + 1);
	for (uint32_t a = 0; a < g->arc_count; a++)
		out_of.first[g->arcs[a].from + 1]++;
	for (uint32_t n = 0; n < g->node_count; n++) {
		out_of.first[n + 1] += out_of.first[n];
		next[n] = out_of.first[n];
	}
	for (uint32_t a = 0; a < g->arc_count; a++)
		out_of.arcs[next[g->arcs[a].from]++] = a;
	mem_free(next);
}

static uint32_t head_of(uint32_t arc)
{
	return g->edges[g->arcs[arc].way >> 1].node[!(g->arcs[arc].way & 1)];
}

/* Bimodal: how far from an end falls off as the fourth power of a uniform share. */
static void hide(bool bimodal)
{
	uint64_t random = 77;

	for (uint32_t e = 0; e < g->edge_count; e++) {
		uint64_t capacity = route_edge_capacity(&g->edges[e]).v, side;
		double share = (double)(route_world_random(&random) >> 11) / 9007199254740992.0;

		if (bimodal) {
			share = share * share * share * share / 2;
			if (route_world_random(&random) & 1)
				share = 1 - share;
		}
		side = (uint64_t)(share * (double)capacity);
		for (int d = 0; d < 2; d++)
			if (g->edges[e].arc[d] != ROUTE_NONE)
				hidden[g->edges[e].arc[d]] = d ? capacity - side : side;
	}
}

static struct liquidity *tell_all(void)
{
	struct liquidity *l = liquidity_new(seed, g->edge_count, LIQUIDITY_HALF_LIFE_S);

	for (uint32_t a = 0; a < g->arc_count; a++) {
		struct scid scid = g->edges[g->arcs[a].way >> 1].scid;

		liquidity_could(l, scid, g->arcs[a].way & 1, MSAT(hidden[a]), NOW_S);
		liquidity_could_not(l, scid, g->arcs[a].way & 1, MSAT(hidden[a] + 1), NOW_S);
	}
	return l;
}

/* --- one payment --- */

struct played {
	enum way way;
	struct route_planner *planner;
	struct liquidity *known;
	struct route_layer *layer; /* reservations; failed channels for CHEAPEST */
	uint32_t source, target;
	uint64_t amount, left, fee_left, fee;
	uint32_t tried, arrived, rounds;
};

static uint32_t own_channels(const struct played *m, struct route_own *own)
{
	uint32_t count = 0;

	for (uint32_t i = out_of.first[m->source]; i < out_of.first[m->source + 1] && count < OWN_MAX; i++) {
		uint32_t a = out_of.arcs[i];

		if (hidden[a] > in_flight[a])
			own[count++] = (struct route_own){
				.scid = g->edges[g->arcs[a].way >> 1].scid, .peer = g->nodes[head_of(a)],
				.spendable = MSAT(hidden[a] - in_flight[a]), .htlc_min = MSAT(g->arcs[a].htlc_min_msat),
				.htlc_max = MSAT(g->arcs[a].htlc_max_msat), .htlcs = 483,
			};
	}
	return count;
}

static uint32_t arc_of(const struct route_leg *h)
{
	uint32_t edge = route_graph_edge(g, h->scid);

	ASSERT(edge != ROUTE_NONE && g->edges[edge].arc[h->direction] != ROUTE_NONE);
	return g->edges[edge].arc[h->direction];
}

/* Hop by hop; what is learned on the way is learned. */
static void try_part(struct played *m, const struct route_part *part)
{
	uint32_t i = 0;

	m->tried++;
	for (; i < part->hop_count; i++) {
		const struct route_leg *h = &part->hops[i];
		uint32_t a = arc_of(h);
		struct amount_msat total = MSAT(h->amount.v + in_flight[a]);

		if (hidden[a] < total.v) {
			if (m->way == CHEAPEST)
				(void)!route_layer_exclude(m->layer, h->scid, h->direction);
			else
				liquidity_could_not(m->known, h->scid, h->direction, total, NOW_S);
			return;
		}
	}
	for (i = 0; i < part->hop_count; i++) {
		in_flight[arc_of(&part->hops[i])] += part->hops[i].amount.v;
		/* What our own channels can send says so itself. */
		if (i && !route_layer_reserve(m->layer, part->hops[i].scid, part->hops[i].direction, part->hops[i].amount))
			abort();
	}
	m->arrived++;
	m->left -= part->deliver.v;
	m->fee += part->send.v - part->deliver.v;
	m->fee_left -= part->send.v - part->deliver.v;
}

static bool pay(struct played *m)
{
	static struct route_own own[OWN_MAX];
	struct arena a;
	bool going = true;

	arena_init(&a);
	while (m->left && going && m->tried < tries) {
		const struct route_layer *const layers[] = { m->layer };
		struct route_plan plan;
		struct route_request q = {
			.source = g->nodes[m->source], .target = g->nodes[m->target], .amount = MSAT(m->left),
			.fee_limit = MSAT(m->fee_left), .final_cltv = 18, .cltv_max = 2016,
			.parts_max = m->way == CHEAPEST ? 1 : PARTS_MAX - m->arrived, .part_min = SEND_PART_MIN,
			.has_own = true, .own = own, .own_count = own_channels(m, own), .layers = layers, .layer_count = 1,
			.liquidity = m->known, .now_s = NOW_S, .seed = 1,
		};

		if (m->way == CHEAPEST)
			q.taste = (struct route_taste){ 1, 1, 1 };
		if (!q.parts_max)
			break;
		route_plan(m->planner, &plan, &a, &q);
		going = plan.verdict == ROUTE_FOUND;
		m->rounds++;
		for (uint32_t i = 0; i < plan.part_count && m->tried < tries; i++)
			try_part(m, &plan.parts[i]);
		arena_reset(&a);
	}
	arena_release(&a);
	return !m->left;
}

/* --- what could be carried at all --- */

static uint64_t most_of(uint32_t arc)
{
	uint64_t most = g->arcs[arc].htlc_max_msat * HTLCS_A_CHANNEL;

	return most < hidden[arc] ? most : hidden[arc];
}

static uint64_t push_some(uint32_t source, uint32_t target, uint64_t *flow, uint32_t *via, uint32_t *queue, uint64_t want)
{
	uint32_t head = 0, tail = 0;
	uint64_t most = want;

	memset(via, 0xff, g->node_count * sizeof(*via));
	queue[tail++] = target;
	while (head < tail && via[source] == UINT32_MAX) {
		uint32_t n = queue[head++];

		for (uint32_t a = g->first_arc[n]; a < g->first_arc[n + 1]; a++) {
			uint32_t from = g->arcs[a].from;

			if (from != target && via[from] == UINT32_MAX && flow[a] < most_of(a)) {
				via[from] = a;
				queue[tail++] = from;
			}
		}
		for (uint32_t i = out_of.first[n]; i < out_of.first[n + 1]; i++) {
			uint32_t a = out_of.arcs[i], to = head_of(a);

			if (to != target && via[to] == UINT32_MAX && flow[a]) {
				via[to] = a | 1u << 31;
				queue[tail++] = to;
			}
		}
	}
	if (via[source] == UINT32_MAX)
		return 0;
	for (int pass = 0; pass < 2; pass++)
		for (uint32_t n = source; n != target;) {
			uint32_t a = via[n] & ~(1u << 31);
			bool back = via[n] >> 31;
			uint64_t room = back ? flow[a] : most_of(a) - flow[a];

			if (!pass)
				most = room < most ? room : most;
			else
				flow[a] = back ? flow[a] - most : flow[a] + most;
			n = back ? g->arcs[a].from : head_of(a);
		}
	return most;
}

static bool any_flow(uint32_t source, uint32_t target, uint64_t amount)
{
	uint64_t *flow = NEW_ARRAY(uint64_t, g->arc_count), got;
	uint32_t *via = NEW_ARRAY(uint32_t, g->node_count), *queue = NEW_ARRAY(uint32_t, 2 * g->node_count);

	while (amount && (got = push_some(source, target, flow, via, queue, amount)))
		amount -= got;
	mem_free(flow);
	mem_free(via);
	mem_free(queue);
	return !amount;
}

/* --- many payments --- */

struct tally {
	uint32_t count, done, first, tried, rounds, parts;
	double fee_ppm;
};

static void draw_pair(uint64_t *random, uint32_t *source, uint32_t *target)
{
	do
		*source = nodes[route_world_random(random) % node_count];
	while (out_of.first[*source] == out_of.first[*source + 1]);
	do
		*target = nodes[route_world_random(random) % node_count];
	while (*target == *source || g->first_arc[*target] == g->first_arc[*target + 1]);
}

static void count_paid(struct tally *t, const struct route_paid *p, uint64_t amount_msat)
{
	t->done++;
	t->first += p->plans == 1 && p->tried == p->parts;
	t->parts += p->parts;
	t->tried += p->tried;
	t->rounds += p->plans;
	t->fee_ppm += (double)p->fee.v / (double)amount_msat * 1e6;
}

static struct tally run_engine(uint64_t amount_msat)
{
	const struct route_network net = { g, hidden, in_flight, out_of.first, out_of.arcs };
	struct route_payer *payer = route_payer_new(&net);
	struct tally t = { 0 };
	uint64_t random = 99;

	memset(in_flight, 0, g->arc_count * sizeof(*in_flight));
	for (uint32_t i = 0; i < pairs; i++) {
		struct route_paid paid;
		uint32_t source, target;

		draw_pair(&random, &source, &target);
		paid = route_payer_pay(payer, source, target, MSAT(amount_msat), msat_ppm(MSAT(amount_msat), fee_ppm));
		t.count++;
		if (paid.complete)
			count_paid(&t, &paid, amount_msat);
		if (!keep)
			route_payer_forget(payer); /* the next payer is somebody else and knows nothing */
	}
	route_payer_free(payer);
	return t;
}

static struct tally run(enum way way, uint64_t amount_msat, const struct liquidity *all)
{
	struct tally t = { 0 };
	struct route_planner *planner = route_planner_new(g);
	struct liquidity *known = all ? liquidity_clone(all) : liquidity_new(seed, LIQUIDITY_CHANNELS_MAX, LIQUIDITY_HALF_LIFE_S);
	uint64_t random = 99;

	for (uint32_t i = 0; i < pairs; i++) {
		struct played m = { .way = way, .planner = planner, .known = known, .amount = amount_msat, .left = amount_msat,
				     .fee_left = msat_ppm(MSAT(amount_msat), fee_ppm).v, .layer = route_layer_new(seed, "payment") };

		draw_pair(&random, &m.source, &m.target);
		memset(in_flight, 0, g->arc_count * sizeof(*in_flight));
		t.count++;
		if (pay(&m)) {
			struct route_paid paid = { true, m.tried, m.arrived, m.rounds, MSAT(m.fee) };

			count_paid(&t, &paid, amount_msat);
		}
		route_layer_free(m.layer);
	}
	route_planner_free(planner);
	liquidity_free(known);
	return t;
}

static void compare(const char *name, uint64_t amount_sat, const struct liquidity *all)
{
	uint64_t random = 99, amount = amount_sat * 1000;
	uint32_t possible = 0, source, target;

	for (uint32_t i = 0; i < pairs; i++) {
		draw_pair(&random, &source, &target);
		possible += any_flow(source, target, amount);
	}
	for (int w = ENGINE; w <= ORACLE; w++) {
		struct tally t;
		double done;

		if (only_way && strcmp(only_way, way_names[w]) != 0)
			continue;
		t = w == ENGINE ? run_engine(amount) : run((enum way)w, amount, w == ORACLE ? all : NULL);
		done = t.done ? t.done : 1;

		printf("| %s | %llu | %s | %.1f | %.1f | %.1f | %.2f | %.2f | %.2f | %.0f |\n", name, (unsigned long long)amount_sat,
		       way_names[w], 100.0 * possible / pairs, 100.0 * t.done / t.count, 100.0 * t.first / t.count, t.tried / done,
		       t.rounds / done, t.parts / done, t.fee_ppm / done);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static const char *const usual[] = { "1000", "100000", "1000000", "10000000", "100000000" };
	const char *const *amounts = usual, *only = NULL;
	int count = (int)ARRAY_COUNT(usual), i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--keep"))
			keep = true;
		else if (!strcmp(argv[i], "--pairs") && i + 1 < argc)
			pairs = (uint32_t)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--tries") && i + 1 < argc)
			tries = (uint32_t)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--nodes") && i + 1 < argc)
			node_count = (uint32_t)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--fee-ppm") && i + 1 < argc)
			fee_ppm = (uint32_t)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--way") && i + 1 < argc)
			only_way = argv[++i];
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			only = argv[++i];
		else
			return fprintf(stderr, "usage: route_quality [--pairs N] [--tries N] [--nodes N] [--fee-ppm N] [--keep] [--only NAME] [--way NAME] [AMOUNT_SAT ...]\n"), 2;
	}
	if (i < argc) {
		amounts = (const char *const *)(argv + i);
		count = argc - i;
	}
	g = route_world_load();
	if (!g || !pairs || node_count < 2)
		return fprintf(stderr, "route_quality: no graph, nothing measured\n"), 1;
	hidden = NEW_ARRAY(uint64_t, g->arc_count);
	in_flight = NEW_ARRAY(uint64_t, g->arc_count);
	index_out();
	nodes = NEW_ARRAY(uint32_t, g->node_count + 1);
	node_count = route_world_largest(g, nodes, node_count);
	printf("%u pairs of the %u largest nodes at each amount, at most %u parts tried, fee limit %u ppm, facts %s\n\n"
	       "| liquidity | sat | way | possible %% | delivered %% | at once %% | parts tried | plans | parts | fee ppm |\n"
	       "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|\n", pairs, node_count, tries, fee_ppm, keep ? "kept" : "forgotten after each payment");
	for (int bimodal = 0; bimodal < 2; bimodal++) {
		const char *name = bimodal ? "bimodal" : "uniform";
		struct liquidity *all;

		if (only && strcmp(only, name) != 0)
			continue;
		hide(bimodal);
		all = tell_all();
		for (int k = 0; k < count; k++)
			compare(name, strtoull(amounts[k], NULL, 10), all);
		liquidity_free(all);
	}
	mem_free(hidden);
	mem_free(in_flight);
	mem_free(nodes);
	mem_free(out_of.first);
	mem_free(out_of.arcs);
	route_graph_free(g);
	return 0;
}
