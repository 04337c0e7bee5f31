#include "gossip/graph.h"

#include <string.h>

#include "base/table.h"

/* Things live in pages that never move, so that growing copies nothing and the readers' pointers stay good. */
#define PAGE_ITEMS 512u

struct page_channels {
	struct graph_channel item[PAGE_ITEMS];
};

struct page_nodes {
	struct graph_node item[PAGE_ITEMS];
};

/* An open-addressed hash table of numbers, at most half full. */
struct slots {
	uint32_t *at; /* GRAPH_NONE: empty */
	uint32_t count, live;
};

struct graph {
	struct page_channels **channels;
	struct page_nodes **nodes;
	uint32_t channel_pages, node_pages;
	uint32_t channel_limit, node_limit; /* numbers ever used */
	uint32_t free_channel, free_node;   /* lists through next[0] and first */
	struct slots by_scid, by_id, by_funding;
	uint64_t version;
	uint8_t seed[16];
};

static struct graph_channel *channel_of(const struct graph *g, uint32_t number)
{
	ASSERT(number < g->channel_limit);
	return &g->channels[number / PAGE_ITEMS]->item[number % PAGE_ITEMS];
}

static struct graph_node *node_of(const struct graph *g, uint32_t number)
{
	ASSERT(number < g->node_limit);
	return &g->nodes[number / PAGE_ITEMS]->item[number % PAGE_ITEMS];
}

/* A free channel has no nodes, a free node no channels. */
static bool channel_live(const struct graph_channel *c)
{
	return c->node[0] != GRAPH_NONE;
}

static bool node_live(const struct graph_node *n)
{
	return n->channel_count > 0;
}

/* ---- Hash tables ---- */

static uint32_t hash_scid(const struct graph *g, struct scid scid)
{
	uint8_t key[8];

	store_le64(key, scid.v);
	return (uint32_t)siphash24(g->seed, BYTES_OF(key));
}

static uint32_t hash_id(const struct graph *g, const struct pubkey *id)
{
	return (uint32_t)siphash24(g->seed, BYTES_OF(id->v));
}

static uint32_t hash_of(const struct graph *g, const struct slots *s, uint32_t number)
{
	if (s == &g->by_funding)
		return (uint32_t)channel_of(g, number)->funding;
	return s == &g->by_scid ? hash_scid(g, channel_of(g, number)->scid) : hash_id(g, &node_of(g, number)->id);
}

static void slots_put(struct slots *s, uint32_t hash, uint32_t number)
{
	uint32_t mask = s->count - 1, i = hash & mask;

	while (s->at[i] != GRAPH_NONE)
		i = (i + 1) & mask;
	s->at[i] = number;
}

static void slots_grow(const struct graph *g, struct slots *s)
{
	struct slots old = *s;

	s->count = old.count ? old.count * 2 : 16;
	s->at = mem_alloc_array(s->count, sizeof(*s->at));
	memset(s->at, 0xff, s->count * sizeof(*s->at));
	for (uint32_t i = 0; i < old.count; i++)
		if (old.at[i] != GRAPH_NONE)
			slots_put(s, hash_of(g, s, old.at[i]), old.at[i]);
	mem_free(old.at);
}

static void slots_add(const struct graph *g, struct slots *s, uint32_t number)
{
	if ((s->live + 1) * 2 > s->count)
		slots_grow(g, s);
	slots_put(s, hash_of(g, s, number), number);
	s->live++;
}

/* Closes the gap by moving back what probed over it, so that no marks of the dead pile up. */
static void slots_remove(const struct graph *g, struct slots *s, uint32_t number)
{
	uint32_t mask = s->count - 1, hole = hash_of(g, s, number) & mask;

	while (s->at[hole] != number) {
		ASSERT(s->at[hole] != GRAPH_NONE);
		hole = (hole + 1) & mask;
	}
	for (uint32_t i = (hole + 1) & mask; s->at[i] != GRAPH_NONE; i = (i + 1) & mask) {
		uint32_t home = hash_of(g, s, s->at[i]) & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			s->at[hole] = s->at[i];
			hole = i;
		}
	}
	s->at[hole] = GRAPH_NONE;
	s->live--;
}

uint32_t graph_find_channel(const struct graph *g, struct scid scid)
{
	uint32_t mask = g->by_scid.count - 1, number;

	if (!g->by_scid.count)
		return GRAPH_NONE;
	for (uint32_t i = hash_scid(g, scid) & mask; (number = g->by_scid.at[i]) != GRAPH_NONE; i = (i + 1) & mask)
		if (channel_of(g, number)->scid.v == scid.v)
			break;
	return number;
}

uint32_t graph_find_node(const struct graph *g, const struct pubkey *id)
{
	uint32_t mask = g->by_id.count - 1, number;

	if (!g->by_id.count)
		return GRAPH_NONE;
	for (uint32_t i = hash_id(g, id) & mask; (number = g->by_id.at[i]) != GRAPH_NONE; i = (i + 1) & mask)
		if (SAME(node_of(g, number)->id, *id))
			break;
	return number;
}

uint32_t graph_find_funding(const struct graph *g, uint64_t funding)
{
	uint32_t mask = g->by_funding.count - 1, number;

	if (!g->by_funding.count)
		return GRAPH_NONE;
	for (uint32_t i = (uint32_t)funding & mask; (number = g->by_funding.at[i]) != GRAPH_NONE; i = (i + 1) & mask)
		if (channel_of(g, number)->funding == funding)
			break;
	return number;
}

/* ---- Reading ---- */

uint32_t graph_channel_count(const struct graph *g)
{
	return g->by_scid.live;
}

uint32_t graph_node_count(const struct graph *g)
{
	return g->by_id.live;
}

uint32_t graph_channel_limit(const struct graph *g)
{
	return g->channel_limit;
}

uint32_t graph_node_limit(const struct graph *g)
{
	return g->node_limit;
}

const struct graph_channel *graph_channel_at(const struct graph *g, uint32_t number)
{
	const struct graph_channel *c = channel_of(g, number);

	return channel_live(c) ? c : NULL;
}

const struct graph_node *graph_node_at(const struct graph *g, uint32_t number)
{
	const struct graph_node *n = node_of(g, number);

	return node_live(n) ? n : NULL;
}

uint64_t graph_version(const struct graph *g)
{
	return g->version;
}

size_t graph_memory(const struct graph *g)
{
	return sizeof(*g) + g->channel_pages * (sizeof(struct page_channels) + sizeof(void *)) +
	       g->node_pages * (sizeof(struct page_nodes) + sizeof(void *)) +
	       (g->by_scid.count + g->by_id.count + g->by_funding.count) * sizeof(uint32_t);
}

/* ---- Life ---- */

struct graph *graph_new(const uint8_t seed16[16])
{
	struct graph *g = NEW(struct graph);

	memcpy(g->seed, seed16, 16);
	g->free_channel = g->free_node = GRAPH_NONE;
	return g;
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->channel_pages; i++)
		mem_free(g->channels[i]);
	for (uint32_t i = 0; i < g->node_pages; i++)
		mem_free(g->nodes[i]);
	mem_free(g->channels);
	mem_free(g->nodes);
	mem_free(g->by_scid.at);
	mem_free(g->by_id.at);
	mem_free(g->by_funding.at);
	mem_free(g);
}

static uint32_t new_channel_number(struct graph *g)
{
	uint32_t number = g->free_channel;

	if (number != GRAPH_NONE) {
		g->free_channel = channel_of(g, number)->next[0];
		return number;
	}
	number = g->channel_limit++;
	if (number / PAGE_ITEMS == g->channel_pages) {
		g->channels = mem_realloc(g->channels, g->channel_pages + 1, sizeof(*g->channels));
		g->channels[g->channel_pages++] = NEW(struct page_channels);
	}
	return number;
}

static uint32_t new_node_number(struct graph *g)
{
	uint32_t number = g->free_node;

	if (number != GRAPH_NONE) {
		g->free_node = node_of(g, number)->first;
		return number;
	}
	number = g->node_limit++;
	if (number / PAGE_ITEMS == g->node_pages) {
		g->nodes = mem_realloc(g->nodes, g->node_pages + 1, sizeof(*g->nodes));
		g->nodes[g->node_pages++] = NEW(struct page_nodes);
	}
	return number;
}

static uint32_t node_for(struct graph *g, const struct pubkey *id)
{
	uint32_t number = graph_find_node(g, id);
	struct graph_node *n;

	if (number != GRAPH_NONE)
		return number;
	number = new_node_number(g);
	n = node_of(g, number);
	memset(n, 0, sizeof(*n));
	n->id = *id;
	n->first = GRAPH_NONE;
	slots_add(g, &g->by_id, number);
	return number;
}

static void link_channel(struct graph *g, uint32_t channel, int side)
{
	struct graph_channel *c = channel_of(g, channel);
	struct graph_node *n = node_of(g, c->node[side]);

	c->previous[side] = GRAPH_NONE;
	c->next[side] = n->first;
	if (n->first != GRAPH_NONE) {
		struct graph_channel *after = channel_of(g, n->first);

		after->previous[graph_side(after, c->node[side])] = channel;
	}
	n->first = channel;
	n->channel_count++;
}

static void unlink_channel(struct graph *g, const struct graph_channel *c, int side)
{
	uint32_t node = c->node[side];
	struct graph_node *n = node_of(g, node);

	if (c->previous[side] == GRAPH_NONE) {
		n->first = c->next[side];
	} else {
		struct graph_channel *before = channel_of(g, c->previous[side]);

		before->next[graph_side(before, node)] = c->next[side];
	}
	if (c->next[side] != GRAPH_NONE) {
		struct graph_channel *after = channel_of(g, c->next[side]);

		after->previous[graph_side(after, node)] = c->previous[side];
	}
	n->channel_count--;
	if (n->channel_count == 0) {
		slots_remove(g, &g->by_id, node);
		n->first = g->free_node;
		g->free_node = node;
	}
}

uint32_t graph_add_channel(struct graph *g, const struct graph_new_channel *new)
{
	struct graph_channel *c;
	uint32_t number;

	ASSERT(graph_find_channel(g, new->scid) == GRAPH_NONE);
	ASSERT(memcmp(new->node_id[0]->v, new->node_id[1]->v, sizeof(new->node_id[0]->v)) < 0);
	if (g->by_scid.live >= GRAPH_CHANNELS_MAX || g->by_id.live + 2 > GRAPH_NODES_MAX)
		return GRAPH_NONE;
	number = new_channel_number(g);
	c = channel_of(g, number);
	memset(c, 0, sizeof(*c));
	c->scid = new->scid;
	c->capacity = new->capacity;
	c->funding = new->funding;
	c->ref = new->ref;
	c->flags = new->flags;
	for (int side = 0; side < 2; side++) {
		c->node[side] = node_for(g, new->node_id[side]);
		link_channel(g, number, side);
	}
	slots_add(g, &g->by_scid, number);
	slots_add(g, &g->by_funding, number);
	g->version++;
	return number;
}

void graph_remove_channel(struct graph *g, uint32_t channel)
{
	struct graph_channel *c = channel_of(g, channel);

	ASSERT(channel_live(c));
	slots_remove(g, &g->by_scid, channel);
	slots_remove(g, &g->by_funding, channel);
	for (int side = 0; side < 2; side++)
		unlink_channel(g, c, side);
	c->node[0] = c->node[1] = GRAPH_NONE;
	c->next[0] = g->free_channel;
	g->free_channel = channel;
	g->version++;
}

/* ---- Changing ---- */

void graph_set_policy(struct graph *g, uint32_t channel, int direction, const struct graph_policy *p)
{
	struct graph_channel *c = channel_of(g, channel);
	struct amount_msat capacity = msat_of_sat(c->capacity);

	ASSERT(channel_live(c) && p->timestamp);
	c->policy[direction] = *p;
	c->policy[direction].flags &= (uint8_t)~GRAPH_ABSURD;
	if (MSAT_LESS(p->htlc_maximum, p->htlc_minimum) || MSAT_LESS(capacity, p->htlc_maximum))
		c->policy[direction].flags |= GRAPH_ABSURD;
	g->version++;
}

void graph_clear_policy(struct graph *g, uint32_t channel, int direction)
{
	memset(&channel_of(g, channel)->policy[direction], 0, sizeof(struct graph_policy));
	g->version++;
}

void graph_set_spent(struct graph *g, uint32_t channel, uint32_t height)
{
	channel_of(g, channel)->spent_height = height;
	g->version++;
}

void graph_set_channel_ref(struct graph *g, uint32_t channel, uint32_t ref)
{
	channel_of(g, channel)->ref = ref;
}

void graph_set_policy_ref(struct graph *g, uint32_t channel, int direction, uint32_t ref)
{
	channel_of(g, channel)->policy[direction].ref = ref;
}

void graph_set_policy_allowance(struct graph *g, uint32_t channel, int direction, uint8_t allowance)
{
	channel_of(g, channel)->policy[direction].allowance = allowance;
}

void graph_set_flags(struct graph *g, uint32_t channel, uint32_t flags)
{
	channel_of(g, channel)->flags = flags;
}

void graph_set_node(struct graph *g, uint32_t node, const struct graph_announcement *a)
{
	struct graph_node *n = node_of(g, node);

	ASSERT(node_live(n));
	n->features = a->features;
	n->timestamp = a->timestamp;
	n->ref = a->ref;
	n->flags = a->flags;
	n->allowance = a->allowance;
	g->version++;
}

void graph_set_node_ref(struct graph *g, uint32_t node, uint32_t ref)
{
	node_of(g, node)->ref = ref;
}

void graph_set_node_allowance(struct graph *g, uint32_t node, uint8_t allowance)
{
	node_of(g, node)->allowance = allowance;
}

/* ---- Checking ---- */

static void check_node(const struct graph *g, uint32_t node)
{
	const struct graph_node *n = node_of(g, node);
	uint32_t count = 0, previous = GRAPH_NONE;

	ASSERT(graph_find_node(g, &n->id) == node);
	for (uint32_t i = n->first; i != GRAPH_NONE; i = graph_next(channel_of(g, i), node)) {
		const struct graph_channel *c = channel_of(g, i);

		ASSERT(channel_live(c) && (c->node[0] == node || c->node[1] == node));
		ASSERT(c->previous[graph_side(c, node)] == previous);
		previous = i;
		count++;
	}
	ASSERT(count == n->channel_count);
}

void graph_check(const struct graph *g)
{
	uint32_t channels = 0, nodes = 0;

	for (uint32_t i = 0; i < g->channel_limit; i++) {
		const struct graph_channel *c = graph_channel_at(g, i);

		if (!c)
			continue;
		channels++;
		ASSERT(graph_find_channel(g, c->scid) == i);
		ASSERT(node_live(node_of(g, c->node[0])) && node_live(node_of(g, c->node[1])));
		ASSERT(memcmp(node_of(g, c->node[0])->id.v, node_of(g, c->node[1])->id.v, 33) < 0);
	}
	for (uint32_t i = 0; i < g->node_limit; i++)
		if (graph_node_at(g, i)) {
			nodes++;
			check_node(g, i);
		}
	ASSERT(channels == g->by_scid.live && nodes == g->by_id.live);
}
