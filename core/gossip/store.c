/* The machine's side of its log: what is written, read back at start and compacted. */
#include <stdlib.h>
#include <string.h>

#include "gossip/state.h"

/* ---- Writing ---- */

uint32_t store_append(struct gossip *g, struct step *s, struct gossip_notes *out, enum log_kind kind, struct bytes fixed,
		      struct bytes message)
{
	struct gossip_note *n = note_add(s, out, GOSSIP_STORE);
	struct buf record = BUF_EMPTY;

	log_record_encode(kind, fixed, message, &record);
	/* Compaction begins long before; a log that cannot be compacted stops the node rather than overwrite itself. */
	ASSERT(g->log_end <= LOG_SIZE_MAX - record.size);
	n->ref = g->log_end;
	n->generation = g->log_generation;
	n->message = arena_bytes(&s->out->arena, buf_view(&record));
	g->log_end += (uint32_t)record.size;
	buf_release(&record);
	return n->ref;
}

void store_dead(struct gossip *g, uint32_t bytes)
{
	g->log_dead += bytes;
}

/* ---- Compaction ---- */

static uint32_t list_moves(const struct gossip *g, struct gossip_move *moves)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < graph_channel_limit(g->graph); i++) {
		const struct graph_channel *c = graph_channel_at(g->graph, i);

		if (!c)
			continue;
		moves[count++] = (struct gossip_move){ .thing = i << 2, .from = c->ref };
		for (uint32_t side = 0; side < 2; side++)
			if (c->policy[side].timestamp)
				moves[count++] = (struct gossip_move){ .thing = i << 2 | (1 + side), .from = c->policy[side].ref };
	}
	/* Nodes after every channel: they are read back in this order. */
	for (uint32_t i = 0; i < graph_node_limit(g->graph); i++) {
		const struct graph_node *n = graph_node_at(g->graph, i);

		if (n && n->timestamp)
			moves[count++] = (struct gossip_move){ .thing = i << 2 | 3, .from = n->ref };
	}
	return count;
}

void store_tick(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	uint32_t most = graph_channel_count(g->graph) * 3 + graph_node_count(g->graph);
	uint64_t dead_max = g->config.dead_max ? g->config.dead_max : COMPACT_DEAD_MIN;
	struct gossip_note *n;

	if (g->compacting || g->log_dead < dead_max || g->log_dead * 2 < g->log_end)
		return;
	n = note_add(s, out, GOSSIP_COMPACT);
	n->ref = g->log_end;
	n->generation = g->log_generation;
	n->moves = ARENA_ARRAY(&s->out->arena, struct gossip_move, most);
	n->count = list_moves(g, n->moves);
	g->compacting = true;
}

bool thing_current(const struct gossip *g, uint32_t thing, uint32_t ref)
{
	uint32_t number = thing >> 2, which = thing & 3;

	if (which == 3) {
		const struct graph_node *n = number < graph_node_limit(g->graph) ? graph_node_at(g->graph, number) : NULL;

		return n && n->timestamp && n->ref == ref;
	} else {
		const struct graph_channel *c = number < graph_channel_limit(g->graph) ? graph_channel_at(g->graph, number) : NULL;

		if (!c)
			return false;
		return which == 0 ? c->ref == ref : c->policy[which - 1].timestamp && c->policy[which - 1].ref == ref;
	}
}

static uint32_t thing_ref(const struct gossip *g, uint32_t thing)
{
	uint32_t number = thing >> 2, which = thing & 3;

	if (which == 3)
		return graph_node_at(g->graph, number)->ref;
	return which == 0 ? graph_channel_at(g->graph, number)->ref : graph_channel_at(g->graph, number)->policy[which - 1].ref;
}

static void thing_set_ref(struct gossip *g, uint32_t thing, uint32_t ref)
{
	uint32_t number = thing >> 2, which = thing & 3;

	if (which == 3)
		graph_set_node_ref(g->graph, number, ref);
	else if (which == 0)
		graph_set_channel_ref(g->graph, number, ref);
	else
		graph_set_policy_ref(g->graph, number, (int)which - 1, ref);
}

/* Whatever was written while the new log was being made stands behind `start` in the old one and was copied whole. */
static void shift(struct gossip *g, uint32_t thing, uint32_t start, uint32_t first_new)
{
	uint32_t ref = thing_ref(g, thing);

	if (ref >= start)
		thing_set_ref(g, thing, ref - start + first_new);
}

static void shift_all(struct gossip *g, uint32_t start, uint32_t first_new)
{
	for (uint32_t i = 0; i < graph_channel_limit(g->graph); i++) {
		const struct graph_channel *c = graph_channel_at(g->graph, i);

		if (!c)
			continue;
		shift(g, i << 2, start, first_new);
		for (uint32_t side = 0; side < 2; side++)
			if (c->policy[side].timestamp)
				shift(g, i << 2 | (1 + side), start, first_new);
	}
	for (uint32_t i = 0; i < graph_node_limit(g->graph); i++)
		if (graph_node_at(g->graph, i) && graph_node_at(g->graph, i)->timestamp)
			shift(g, i << 2 | 3, start, first_new);
}

void gossip_compacted(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_move *moves,
		      uint32_t count, uint32_t start, uint32_t first_new)
{
	bool *moved = NEW_ARRAY(bool, count ? count : 1), *current = NEW_ARRAY(bool, RECENT_MAX);

	(void)s;
	(void)out;
	ASSERT(g->compacting);
	for (uint32_t i = 0; i < RECENT_MAX; i++)
		current[i] = thing_current(g, g->recent[i].thing, g->recent[i].ref);
	/* First who moves, by the old places; then everybody else; then the new places: so that an old place is never
	 * mistaken for a new one. */
	for (uint32_t i = 0; i < count; i++)
		moved[i] = thing_current(g, moves[i].thing, moves[i].from);
	shift_all(g, start, first_new);
	for (uint32_t i = 0; i < count; i++)
		if (moved[i])
			thing_set_ref(g, moves[i].thing, moves[i].to);
	relay_moved(g, current);
	mem_free(moved);
	mem_free(current);
	g->log_end = g->log_end - start + first_new;
	g->log_generation++;
	g->log_dead = 0;
	g->compacting = false;
}

void relay_moved(struct gossip *g, const bool *current)
{
	for (uint32_t i = 0; i < RECENT_MAX; i++) {
		if (current[i])
			g->recent[i].ref = thing_ref(g, g->recent[i].thing);
		else
			g->recent[i].thing = GRAPH_NONE;
	}
}

/* ---- Reading back ----
 *
 * A record that contradicts what came before is passed over: it costs at most a question to a peer later. */

static void load_channel(struct gossip *g, struct arena *a, uint32_t ref, struct bytes body)
{
	struct bytes raw = log_message(LOG_CHANNEL, body);
	struct graph_new_channel new = { .ref = ref };
	struct msg_channel_announcement m;
	struct outpoint funding;
	uint32_t channel;

	if (msg_channel_announcement_decode(raw, a, &m) != DECODE_OK || !SAME(m.chain_hash, g->config.chain) ||
	    memcmp(m.node_id_1.v, m.node_id_2.v, sizeof(m.node_id_1.v)) >= 0 ||
	    graph_find_channel(g->graph, m.short_channel_id) != GRAPH_NONE)
		return;
	new.scid = m.short_channel_id;
	new.node_id[0] = &m.node_id_1;
	new.node_id[1] = &m.node_id_2;
	new.capacity = SAT(load_be64(body.data));
	memcpy(funding.txid.v, body.data + 8, 32);
	funding.index = scid_output(m.short_channel_id);
	new.funding = funding_hash(g, &funding);
	if (new.capacity.v > SUPPLY_SAT)
		return;
	new.flags = channel_flags(g, &m);
	channel = graph_add_channel(g->graph, &new);
	if (channel == GRAPH_NONE)
		return;
	order_add(&g->order, m.short_channel_id);
}

static void load_update(struct gossip *g, struct arena *a, uint32_t ref, struct bytes raw)
{
	struct msg_channel_update m;
	const struct graph_policy *last;
	struct graph_policy p;
	uint32_t channel;
	int direction;

	if (msg_channel_update_decode(raw, a, &m) != DECODE_OK || m.timestamp == 0)
		return;
	channel = graph_find_channel(g->graph, m.short_channel_id);
	if (channel == GRAPH_NONE)
		return;
	direction = m.channel_flags & UPDATE_DIRECTION;
	last = &graph_channel_at(g->graph, channel)->policy[direction];
	if (last->timestamp)
		store_dead(g, (uint32_t)raw.size + LOG_RECORD_HEADER);
	p = channel_update_policy(&m, raw);
	p.allowance = ALLOWANCE_MAX - 1;
	p.ref = ref;
	graph_set_policy(g->graph, channel, direction, &p);
	if (SAME(graph_node_at(g->graph, graph_channel_at(g->graph, channel)->node[direction])->id, g->config.node_id))
		own_update_loaded(g, m.short_channel_id, raw);
}

static void load_node(struct gossip *g, struct arena *a, uint32_t ref, struct bytes raw)
{
	struct graph_announcement n = { .ref = ref, .allowance = ALLOWANCE_MAX - 1 };
	struct msg_node_announcement m;
	uint32_t node;

	if (msg_node_announcement_decode(raw, a, &m) != DECODE_OK)
		return;
	node = graph_find_node(g->graph, &m.node_id);
	/* Its channels may all have gone since. */
	if (node == GRAPH_NONE) {
		store_dead(g, (uint32_t)raw.size + LOG_RECORD_HEADER);
		return;
	}
	n.timestamp = m.timestamp;
	n.features = features_low(m.features);
	n.flags = node_flags(&m);
	if (SAME(m.node_id, g->config.node_id) && m.timestamp > g->node_timestamp)
		g->node_timestamp = m.timestamp;
	if (graph_node_at(g->graph, node)->timestamp)
		store_dead(g, (uint32_t)raw.size + LOG_RECORD_HEADER);
	graph_set_node(g->graph, node, &n);
}

static void load_forget(struct gossip *g, struct bytes body)
{
	uint32_t channel = graph_find_channel(g->graph, (struct scid){ load_be64(body.data) });

	if (channel == GRAPH_NONE)
		return;
	graph_remove_channel(g->graph, channel);
	order_removed(&g->order);
	store_dead(g, SENT_CHANNEL + 2 * SENT_UPDATE);
}

/* Logs of before the store had this.  What it says is stored with the next block. */
static void load_spent(struct gossip *g, struct bytes body)
{
	const struct spent v = { .scid = { load_be64(body.data) }, .height = load_be32(body.data + 8) };
	struct spent *known = spent_find(g, v.scid);

	if (v.height && !known)
		spent_remember(g, &v);
	else if (!v.height && known && !known->stored)
		*known = g->spent[--g->spent_count];
}

bool gossip_load(struct gossip *g, struct arena *a, uint32_t ref, struct bytes record)
{
	enum log_kind kind;
	struct bytes body;

	if (!log_record_open(record, &kind, &body))
		return false;
	switch (kind) {
	case LOG_CHANNEL:
		load_channel(g, a, ref, body);
		break;
	case LOG_UPDATE:
		load_update(g, a, ref, body);
		break;
	case LOG_NODE:
		load_node(g, a, ref, body);
		break;
	case LOG_FORGET:
		load_forget(g, body);
		break;
	case LOG_SPENT:
		load_spent(g, body);
		break;
	}
	return true;
}

void gossip_loaded(struct gossip *g, uint32_t end)
{
	ASSERT(end >= LOG_HEADER_SIZE);
	g->log_end = end;
	order_ready(&g->order);
	spent_loaded(g);
}
