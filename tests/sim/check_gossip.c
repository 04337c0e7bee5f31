/* What nodes know and tell of the network (BOLT 7).
 *
 *  - Nobody's graph has a channel that is private, that nobody opened, or that is of others than it says.
 *  - A channel is forgotten with the 72nd block after the one that spent it, and not before.
 *  - On the wire nobody names a private channel but to its other end, and then says that it is for that one alone.
 *  - At rest all who can reach one another know the same public channels, with what their ends last said of them, and
 *    what the nodes last said of themselves.
 *  - What waits, and the log, stay within the bounds of docs/GOSSIP.md. */
#include <stdio.h>

#include "bitcoin/tx.h"
#include "channel/view.h"
#include "tests/sim/check.h"
#include "wire/message.h"

#define FORGET_BLOCKS 72u
#define ANNOUNCE_DEPTH 6u
/* docs/GOSSIP.md, "Bounds" */
#define HELD_BYTES_MAX ((4u << 20) + (2u << 20))
#define CANDIDATES_MAX 8192u
#define LOOKUPS_MAX 16u
#define LOG_LATE_MAX (64u << 10)
#define GRAPH_BYTES_MAX (1u << 20) /* of the small networks of a run */

/* A channel that a node knew when it was looked at last. */
struct known {
	struct scid scid;
	bool bare; /* neither end had said anything of it: it may be forgotten */
};

/* One node's graph, as it was then. */
struct graph_seen {
	uint32_t life, height, count, capacity;
	uint64_t version;
	struct known *list;
};

struct gossip_checks {
	struct graph_seen of[SIM_NODES_MAX];
};

static const struct graph *graph_of(const struct sim_node *n)
{
	const struct gossip *g = n->node ? node_view_gossip(n->node) : NULL;

	return g ? gossip_graph(g) : NULL;
}

/* What the best chain has in that place; NULL: nothing. */
static struct book_channel *channel_at(const struct checks *k, struct scid scid)
{
	const struct sim_block *b;
	struct outpoint o;

	if (scid_height(scid) > sim_chain_height(k->w->chain))
		return NULL;
	b = sim_chain_block(k->w->chain, scid_height(scid));
	if (scid_tx_index(scid) >= b->count)
		return NULL;
	o = (struct outpoint){ b->list[scid_tx_index(scid)]->id, scid_output(scid) };
	return book_by_funding(k->b, &o);
}

/* The height at which it was spent in the best chain; 0: it is not. */
static uint32_t spent_at(const struct checks *k, const struct book_channel *c)
{
	const struct sim_tx *t = sim_chain_spender(k->w->chain, &c->funding);

	return t ? t->height : 0;
}

/* --- what is in a graph --- */

static void check_known(struct checks *k, const struct sim_node *n, const struct graph *g, const struct graph_channel *gc)
{
	const struct book_channel *c = channel_at(k, gc->scid);
	uint32_t spent;

	if (!c) { /* its funding transaction left the chain: of others than the miner's nobody asks where it went */
		if (!k->reorganized)
			world_fail(k->w, "%s knows of channel %llu, which nobody opened", n->name, (unsigned long long)gc->scid.v);
		return;
	}
	if (!c->announce)
		world_fail(k->w, "%s knows of channel %llu, which is private", n->name, (unsigned long long)gc->scid.v);
	for (int i = 0; i < 2; i++) {
		int end = world_index(k->w, &graph_node_at(g, gc->node[i])->id);

		if (end < 0 || (c->end[0] >= 0 && c->end[1] >= 0 && end != c->end[0] && end != c->end[1]))
			world_fail(k->w, "%s takes channel %llu for another's", n->name, (unsigned long long)gc->scid.v);
	}
	spent = spent_at(k, c);
	if (spent && n->follow.height == sim_chain_height(k->w->chain) && n->follow.height >= spent + FORGET_BLOCKS)
		world_fail(k->w, "%s still knows channel %llu at %u, and it was spent at %u", n->name, (unsigned long long)gc->scid.v,
			   n->follow.height, spent);
}

static void check_forgotten(struct checks *k, const struct sim_node *n, const struct known *was)
{
	const struct book_channel *c = channel_at(k, was->scid);
	uint32_t spent = c ? spent_at(k, c) : 0;

	if (!c || was->bare || (spent && n->follow.height >= spent + FORGET_BLOCKS))
		return;
	world_fail(k->w, "%s forgets channel %llu at %u, and it %s %u", n->name, (unsigned long long)was->scid.v, n->follow.height,
		   spent ? "was spent at" : "is unspent at", spent ? spent : sim_chain_height(k->w->chain));
}

static void remember(struct graph_seen *s, const struct graph_channel *c)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 16;
		s->list = mem_realloc(s->list, s->capacity, sizeof(*s->list));
	}
	s->list[s->count++] = (struct known){ c->scid, !c->policy[0].timestamp && !c->policy[1].timestamp };
}

void check_gossip_node(struct checks *k, const struct sim_node *n)
{
	const struct graph *g = graph_of(n);
	struct graph_seen *s;

	if (!g)
		return;
	s = &k->gossip->of[n->index];
	if (s->life == n->life && s->version == graph_version(g) && s->height == n->follow.height)
		return;
	for (uint32_t i = 0; s->life == n->life && i < s->count; i++)
		if (graph_find_channel(g, s->list[i].scid) == GRAPH_NONE)
			check_forgotten(k, n, &s->list[i]);
	s->count = 0;
	for (uint32_t i = 0; i < graph_channel_limit(g); i++) {
		const struct graph_channel *c = graph_channel_at(g, i);

		if (!c)
			continue;
		check_known(k, n, g, c);
		remember(s, c);
	}
	s->life = n->life;
	s->version = graph_version(g);
	s->height = n->follow.height;
}

/* --- what is on the wire --- */

static const struct book_channel *private_named(const struct checks *k, struct scid scid)
{
	for (uint32_t i = 0; i < k->b->channel_count; i++) {
		const struct book_channel *c = &k->b->channels[i];

		if (!c->announce && scid.v && (c->scid.v == scid.v || c->alias[0].v == scid.v || c->alias[1].v == scid.v))
			return c;
	}
	return NULL;
}

static void check_update(struct checks *k, int from, int to, const struct msg_channel_update *m)
{
	const struct book_channel *c = private_named(k, m->short_channel_id);

	if (!c)
		return;
	if (to != c->end[0] && to != c->end[1])
		world_fail(k->w, "node%d tells node%d of a private channel", from, to);
	if (!(m->message_flags & UPDATE_DONT_FORWARD))
		world_fail(k->w, "node%d lets node%d forward what it says of a private channel", from, to);
}

static void check_list(struct checks *k, int from, struct bytes encoded)
{
	for (size_t at = 1; at + 8 <= encoded.size; at += 8)
		if (private_named(k, (struct scid){ load_be64(encoded.data + at) }))
			world_fail(k->w, "node%d lists a private channel", from);
}

void check_gossip_message(struct checks *k, int from, int to, struct bytes message)
{
	union {
		struct msg_channel_announcement announcement;
		struct msg_channel_update update;
		struct msg_query_short_channel_ids query;
		struct msg_reply_channel_range reply;
	} m;
	struct arena a;
	uint16_t type;

	if (!msg_type(message, &type) || k->w->nodes[from].adversary)
		return;
	arena_init(&a);
	if (type == MSG_CHANNEL_UPDATE && msg_channel_update_decode(message, &a, &m.update) == DECODE_OK)
		check_update(k, from, to, &m.update);
	else if (type == MSG_CHANNEL_ANNOUNCEMENT && msg_channel_announcement_decode(message, &a, &m.announcement) == DECODE_OK &&
		 private_named(k, m.announcement.short_channel_id))
		world_fail(k->w, "node%d announces a private channel", from);
	else if (type == MSG_QUERY_SHORT_CHANNEL_IDS && msg_query_short_channel_ids_decode(message, &a, &m.query) == DECODE_OK)
		check_list(k, from, m.query.encoded_short_ids);
	else if (type == MSG_REPLY_CHANNEL_RANGE && msg_reply_channel_range_decode(message, &a, &m.reply) == DECODE_OK)
		check_list(k, from, m.reply.encoded_short_ids);
	arena_release(&a);
}

/* --- bounds --- */

void check_gossip_bounds(struct checks *k, const struct sim_node *n)
{
	const struct gossip *g = node_view_gossip(n->node);
	struct gossip_figures f;

	if (!g)
		return;
	f = gossip_figures(g);
	if (f.held_bytes > HELD_BYTES_MAX || f.candidates > CANDIDATES_MAX || f.lookups_open > LOOKUPS_MAX)
		world_fail(k->w, "%s lets %zu bytes of gossip wait, with %u candidates and %u look-ups", n->name, f.held_bytes,
			   f.candidates, f.lookups_open);
	if (f.graph_bytes > GRAPH_BYTES_MAX)
		world_fail(k->w, "%s keeps a graph of %u channels in %zu bytes", n->name, f.channels, f.graph_bytes);
	/* It is written anew a second after it should be, and takes what comes until that is done. */
	if (k->w->o.gossip_dead_max && f.log_dead_bytes > k->w->o.gossip_dead_max + LOG_LATE_MAX && f.log_dead_bytes > f.log_bytes / 2)
		world_fail(k->w, "%s lets its log of gossip grow to %zu bytes, %zu of no use", n->name, f.log_bytes, f.log_dead_bytes);
	gossip_check_invariants(g);
}

/* --- agreement --- */

/* Bits of the nodes that can reach one another over links that are up, this one among them. */
static uint32_t reachable(const struct checks *k, int from)
{
	uint32_t found = 1u << from, before;

	do {
		before = found;
		for (int i = 0; i < k->w->node_count; i++)
			for (int j = 0; found >> i & 1 && j < k->w->node_count; j++)
				if (world_linked(k->w, i, j) && !k->w->nodes[j].adversary)
					found |= 1u << j;
	} while (found != before);
	return found;
}

static bool is_public(const struct checks *k, const struct book_channel *c)
{
	const struct sim_tx *t = sim_chain_find(k->w->chain, &c->funding.txid);

	return c->announce && check_honest(k, c) && t && t->height &&
	       t->height + ANNOUNCE_DEPTH - 1 <= sim_chain_height(k->w->chain) && !spent_at(k, c) && book_usable(k->b, c);
}

static int side_of(const struct graph *g, const struct graph_channel *c, const struct pubkey *id)
{
	return SAME(graph_node_at(g, c->node[0])->id, *id) ? 0 : 1;
}

static const struct graph_channel *known_channel(const struct graph *g, struct scid scid)
{
	uint32_t number = graph_find_channel(g, scid);

	return number == GRAPH_NONE ? NULL : graph_channel_at(g, number);
}

/* n knows of c, and what its ends last said of it and of themselves. */
static const char *disagreement(const struct checks *k, const struct book_channel *c, const struct sim_node *n)
{
	const struct graph *g = graph_of(n);
	const struct graph_channel *here = known_channel(g, c->scid);

	if (!here)
		return "a channel is not known";
	for (int i = 0; i < 2; i++) {
		const struct sim_node *end = &k->w->nodes[c->end[i]];
		const struct graph *theirs = graph_of(end);
		const struct graph_channel *there = known_channel(theirs, c->scid);
		const struct graph_policy *p = &here->policy[side_of(g, here, &end->id)], *q;
		const struct graph_node *node, *self;

		if (!there)
			return "a channel is not known to its own end";
		q = &there->policy[side_of(theirs, there, &end->id)];
		if (!q->timestamp || p->timestamp != q->timestamp || p->checksum != q->checksum)
			return "the last channel_update is not known";
		node = graph_node_at(g, here->node[side_of(g, here, &end->id)]);
		self = graph_node_at(theirs, there->node[side_of(theirs, there, &end->id)]);
		if (!self->timestamp || node->timestamp != self->timestamp)
			return "the last node_announcement is not known";
	}
	return NULL;
}

const char *check_gossip_agreement(const struct checks *k)
{
	static char words[160];

	for (uint32_t i = 0; i < k->b->channel_count; i++) {
		const struct book_channel *c = &k->b->channels[i];
		uint32_t who;

		if (!is_public(k, c))
			continue;
		who = reachable(k, c->end[0]) | reachable(k, c->end[1]);
		for (int j = 0; j < k->w->node_count; j++) {
			const struct sim_node *n = &k->w->nodes[j];
			const char *why;

			/* A chain source that forgets blocks lets nobody believe what stands in them. */
			if (!(who >> j & 1) || n->pruned || n->adversary || !graph_of(n))
				continue;
			why = disagreement(k, c, n);
			if (!why)
				continue;
			snprintf(words, sizeof(words), "%s: channel %llu of node%d and node%d: %s", n->name, (unsigned long long)c->scid.v,
				 c->end[0], c->end[1], why);
			return words;
		}
	}
	return NULL;
}

struct gossip_checks *gossip_checks_new(void)
{
	return NEW(struct gossip_checks);
}

void gossip_checks_free(struct gossip_checks *g)
{
	for (int i = 0; i < SIM_NODES_MAX; i++)
		mem_free(g->of[i].list);
	mem_free(g);
}
