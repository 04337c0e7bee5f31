#include "route/graph.h"

#include <stdlib.h>

#include "base/table.h"

struct builder_node {
	struct pubkey id;
	uint32_t index;
};

struct builder_edge {
	struct scid scid;
	uint64_t capacity_sat;
	uint32_t serial;
	struct builder_node *node[2];
	struct route_policy policy[2];
};

struct route_builder {
	struct table nodes; /* id -> struct builder_node, owned */
	struct builder_edge *edges;
	uint32_t count, capacity;
};

static struct bytes node_key(const void *object)
{
	return BYTES_OF(((const struct builder_node *)object)->id.v);
}

struct route_builder *route_builder_new(const uint8_t seed16[16])
{
	struct route_builder *b = NEW(struct route_builder);

	table_init(&b->nodes, node_key, seed16);
	return b;
}

void route_builder_free(struct route_builder *b)
{
	struct builder_node *n;

	if (!b)
		return;
	for (uint32_t at = 0; (n = table_next(&b->nodes, &at));)
		mem_free(n);
	table_release(&b->nodes);
	mem_free(b->edges);
	mem_free(b);
}

static struct builder_node *node_of(struct route_builder *b, const struct pubkey *id)
{
	struct builder_node *n = table_get(&b->nodes, BYTES_OF(id->v));

	if (n)
		return n;
	n = NEW(struct builder_node);
	n->id = *id;
	table_add(&b->nodes, n);
	return n;
}

bool route_builder_add(struct route_builder *b, const struct route_channel *c)
{
	struct builder_edge *e;

	if (b->count == ROUTE_CHANNELS_MAX || memcmp(c->node[0].v, c->node[1].v, sizeof(c->node[0].v)) >= 0 ||
	    c->capacity.v == 0 || SAT_LESS(SAT(SUPPLY_SAT), c->capacity))
		return false;
	if (b->count == b->capacity) {
		b->capacity = b->capacity ? b->capacity * 2 : 64;
		b->edges = mem_realloc(b->edges, b->capacity, sizeof(*b->edges));
	}
	e = &b->edges[b->count];
	*e = (struct builder_edge){ .scid = c->scid, .capacity_sat = c->capacity.v, .serial = b->count++,
				    .policy = { c->policy[0], c->policy[1] } };
	for (int d = 0; d < 2; d++)
		e->node[d] = node_of(b, &c->node[d]);
	return true;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* The first of one scid stays first: what qsort does with equals must not show in the result. */
static int compare_edges(const void *a, const void *b)
{
	const struct builder_edge *x = a, *y = b;
	int c = compare_u64(x->scid.v, y->scid.v);

	return c ? c : compare_u64(x->serial, y->serial);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct builder_node *const *x = a, *const *y = b;

	return memcmp((*x)->id.v, (*y)->id.v, sizeof((*x)->id.v));
}

/* Largest HTLC first; then by channel, so that one network has one snapshot. */
static int compare_arcs(const void *a, const void *b)
{
	const struct route_arc *x = a, *y = b;
	int c = compare_u64(y->htlc_max_msat, x->htlc_max_msat);

	return c ? c : compare_u64(x->way, y->way);
}

static void sort_edges(struct route_builder *b)
{
	uint32_t kept = 0;

	for (uint32_t i = 1; i < b->count; i++)
		if (compare_edges(&b->edges[i - 1], &b->edges[i]) > 0) {
			qsort(b->edges, b->count, sizeof(*b->edges), compare_edges);
			break;
		}
	for (uint32_t i = 0; i < b->count; i++)
		if (!kept || b->edges[kept - 1].scid.v != b->edges[i].scid.v)
			b->edges[kept++] = b->edges[i];
	b->count = kept;
}

static void place_nodes(struct route_graph *g, struct route_builder *b)
{
	struct builder_node **sorted = NEW_ARRAY(struct builder_node *, table_count(&b->nodes) + 1), *n;

	for (uint32_t at = 0; (n = table_next(&b->nodes, &at));)
		sorted[g->node_count++] = n;
	qsort(sorted, g->node_count, sizeof(*sorted), compare_nodes);
	g->nodes = NEW_ARRAY(struct pubkey, g->node_count + 1);
	for (uint32_t i = 0; i < g->node_count; i++) {
		g->nodes[i] = sorted[i]->id;
		sorted[i]->index = i;
	}
	mem_free(sorted);
}

static uint64_t htlc_max_of(const struct builder_edge *e, const struct route_policy *p)
{
	uint64_t capacity_msat = e->capacity_sat * 1000;

	return p->htlc_max.v && p->htlc_max.v < capacity_msat ? p->htlc_max.v : capacity_msat;
}

static bool has_arc(const struct builder_edge *e, int direction)
{
	const struct route_policy *p = &e->policy[direction];

	/* B7.channel_update.31 B7.channel_update.32 B7.channel_update.33 */
	return p->enabled && p->htlc_max.v <= e->capacity_sat * 1000 && p->htlc_min.v <= htlc_max_of(e, p);
}

static void place_arc(struct route_graph *g, const struct builder_edge *e, uint32_t edge, int direction, uint32_t at)
{
	const struct route_policy *p = &e->policy[direction];

	g->arcs[at] = (struct route_arc){
		.htlc_min_msat = p->htlc_min.v, .htlc_max_msat = htlc_max_of(e, p), .from = e->node[direction]->index,
		.way = edge << 1 | (uint32_t)direction, .fee_base_msat = p->fee_base_msat, .fee_ppm = p->fee_ppm,
		.capacity_sat = e->capacity_sat < UINT32_MAX ? (uint32_t)e->capacity_sat : UINT32_MAX,
		.cltv_delta = p->cltv_delta,
	};
}

/* Counts the arcs into each node, then puts each where its node's begin. */
static void place_arcs(struct route_graph *g, const struct route_builder *b)
{
	uint32_t *next = NEW_ARRAY(uint32_t, g->node_count + 1);

	g->first_arc = NEW_ARRAY(uint32_t, g->node_count + 1);
	for (uint32_t i = 0; i < b->count; i++)
		for (int d = 0; d < 2; d++)
			if (has_arc(&b->edges[i], d))
				g->first_arc[b->edges[i].node[!d]->index + 1]++;
	for (uint32_t n = 0; n < g->node_count; n++) {
		g->first_arc[n + 1] += g->first_arc[n];
		next[n] = g->first_arc[n];
	}
	g->arc_count = g->first_arc[g->node_count];
	g->arcs = NEW_ARRAY(struct route_arc, g->arc_count + 1);
	for (uint32_t i = 0; i < b->count; i++)
		for (int d = 0; d < 2; d++)
			if (has_arc(&b->edges[i], d))
				place_arc(g, &b->edges[i], i, d, next[b->edges[i].node[!d]->index]++);
	mem_free(next);
}

static void place_edges(struct route_graph *g, const struct route_builder *b)
{
	g->edge_count = b->count;
	g->edges = NEW_ARRAY(struct route_edge, g->edge_count + 1);
	for (uint32_t i = 0; i < b->count; i++) {
		const struct builder_edge *e = &b->edges[i];

		g->edges[i] = (struct route_edge){ e->scid, e->capacity_sat, { e->node[0]->index, e->node[1]->index },
						   { ROUTE_NONE, ROUTE_NONE } };
	}
	for (uint32_t n = 0; n < g->node_count; n++)
		qsort(&g->arcs[g->first_arc[n]], g->first_arc[n + 1] - g->first_arc[n], sizeof(*g->arcs), compare_arcs);
	for (uint32_t a = 0; a < g->arc_count; a++)
		g->edges[g->arcs[a].way >> 1].arc[g->arcs[a].way & 1] = a;
}

struct route_graph *route_builder_finish(struct route_builder *b)
{
	struct route_graph *g = NEW(struct route_graph);

	sort_edges(b);
	place_nodes(g, b);
	place_arcs(g, b);
	place_edges(g, b);
	route_builder_free(b);
	return g;
}

void route_graph_free(struct route_graph *g)
{
	if (!g)
		return;
	mem_free(g->nodes);
	mem_free(g->first_arc);
	mem_free(g->edges);
	mem_free(g->arcs);
	mem_free(g);
}

uint32_t route_graph_node(const struct route_graph *g, const struct pubkey *id)
{
	uint32_t low = 0, high = g->node_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int c = memcmp(g->nodes[middle].v, id->v, sizeof(id->v));

		if (c == 0)
			return middle;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return ROUTE_NONE;
}

uint32_t route_graph_edge(const struct route_graph *g, struct scid scid)
{
	uint32_t low = 0, high = g->edge_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (g->edges[middle].scid.v == scid.v)
			return middle;
		if (g->edges[middle].scid.v < scid.v)
			low = middle + 1;
		else
			high = middle;
	}
	return ROUTE_NONE;
}

struct amount_msat route_edge_capacity(const struct route_edge *e)
{
	return msat_of_sat(SAT(e->capacity_sat));
}

size_t route_graph_size(const struct route_graph *g)
{
	return sizeof(*g) + (g->node_count + 1) * (sizeof(*g->nodes) + sizeof(*g->first_arc)) +
	       (g->edge_count + 1) * sizeof(*g->edges) + (g->arc_count + 1) * sizeof(*g->arcs);
}
