#include "gossip/gossip.h"

#include <string.h>

#include "gossip/state.h"
#include "wire/features.h"

/* ---- Life ---- */

static struct bytes peer_key(const void *p)
{
	return BYTES_OF(((const struct gossip_peer *)p)->key);
}

static struct bytes held_table_key(const void *p)
{
	return held_key(p);
}

static struct bytes lookup_key(const void *p)
{
	return BYTES_OF(((const struct lookup *)p)->key);
}

static struct bytes own_key(const void *p)
{
	return BYTES_OF(((const struct own *)p)->key);
}

struct gossip *gossip_new(const struct gossip_config *config, const uint8_t seed32[32])
{
	struct gossip *g = NEW(struct gossip);

	g->config = *config;
	if (!g->config.away_ms)
		g->config.away_ms = AWAY_MS;
	memcpy(g->seed, seed32, 32);
	g->graph = graph_new(seed32 + 16);
	order_init(&g->order);
	tombs_init(&g->tombs, seed32);
	table_init(&g->peers, peer_key, seed32);
	table_init(&g->verifying, held_table_key, seed32);
	table_init(&g->parked, held_table_key, seed32);
	table_init(&g->candidates, held_table_key, seed32);
	table_init(&g->lookups, lookup_key, seed32);
	table_init(&g->owns, own_key, seed32);
	names_init(&g->own_names, seed32);
	own_loaded_init(g);
	g->queue_end = &g->queue;
	g->next_id = 1;
	g->log_end = LOG_HEADER_SIZE;
	for (uint32_t i = 0; i < RECENT_MAX; i++)
		g->recent[i].thing = GRAPH_NONE;
	buf_init(&g->node_unsigned);
	return g;
}

static void free_batches(struct gossip *g)
{
	for (uint32_t i = 0; i < BATCHES_MAX; i++) {
		struct batch *b = g->batches[i];

		if (!b)
			continue;
		/* Candidates are freed from their own table. */
		for (uint32_t k = 0; k < b->count; k++)
			if (b->items[k]->kind != HELD_CHANNEL)
				mem_free(b->items[k]);
		mem_free(b->items);
		mem_free(b->checks);
		mem_free(b);
	}
}

static void free_held(struct gossip *g)
{
	struct held *h, *next;
	uint32_t at = 0;

	for (h = g->queue; h; h = next) {
		next = h->next;
		if (h->kind != HELD_CHANNEL)
			mem_free(h);
	}
	free_batches(g);
	while ((h = table_next(&g->candidates, &at)))
		mem_free(h);
	at = 0;
	while ((h = table_next(&g->parked, &at)))
		for (; h; h = next) {
			next = h->next;
			mem_free(h);
		}
	table_release(&g->verifying);
	table_release(&g->parked);
	table_release(&g->candidates);
}

void gossip_free(struct gossip *g)
{
	struct gossip_peer *p;
	struct own *o;
	uint32_t at = 0;

	if (!g)
		return;
	free_held(g);
	funding_free(g);
	while ((p = table_next(&g->peers, &at))) {
		answer_clear(&p->answer);
		mem_free(p);
	}
	at = 0;
	while ((o = table_next(&g->owns, &at)))
		own_free(o);
	table_release(&g->peers);
	table_release(&g->owns);
	names_release(&g->own_names);
	own_loaded_release(g);
	graph_free(g->graph);
	order_release(&g->order);
	mem_free(g->spent);
	mem_free(g->sync.wanted);
	buf_release(&g->node_unsigned);
	mem_free(g);
}

const struct graph *gossip_graph(const struct gossip *g)
{
	return g->graph;
}

/* ---- Peers ---- */

void gossip_peer_up(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_link *link)
{
	struct gossip_peer *p = NEW(struct gossip_peer);

	ASSERT(!peer_of(g, link->connection));
	p->connection = link->connection;
	store_be64(p->key, link->connection);
	p->id = link->id;
	p->queries = features_offered(link->features, FEATURE_GOSSIP_QUERIES);
	p->queries_ex = features_offered(link->features, FEATURE_GOSSIP_QUERIES_EX);
	p->other_chain = link->other_chain;
	p->recent_at = p->recent_end = g->recent_head;
	/* Each peer has a moment of the minute of its own, so that no burst goes to all at once. */
	p->flush_ms = s->now_ms + siphash24(g->seed, BYTES_OF(p->key)) % FLUSH_MS;
	table_add(&g->peers, p);
	sync_peer_up(g, s, out, p);
}

void gossip_peer_down(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection)
{
	struct gossip_peer *p = peer_of(g, connection);

	if (!p)
		return;
	sync_peer_down(g, s, out, p);
	ASSERT(table_remove(&g->peers, BYTES_OF(p->key)) == p);
	answer_clear(&p->answer);
	mem_free(p);
}

void gossip_message(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw)
{
	struct gossip_peer *p = peer_of(g, connection);
	uint16_t type;

	if (!p || !msg_type(raw, &type))
		return;
	sync_heard(g, s, connection);
	switch (type) {
	case MSG_CHANNEL_ANNOUNCEMENT:
		ingest_channel(g, s, out, connection, raw);
		return;
	case MSG_NODE_ANNOUNCEMENT:
		ingest_node(g, s, out, connection, raw);
		return;
	case MSG_CHANNEL_UPDATE:
		ingest_update(g, s, out, connection, raw);
		return;
	case MSG_ANNOUNCEMENT_SIGNATURES:
		own_signatures(g, s, out, connection, raw);
		return;
	case MSG_QUERY_SHORT_CHANNEL_IDS:
		answer_scids(g, s, out, p, raw);
		return;
	case MSG_REPLY_SHORT_CHANNEL_IDS_END:
		sync_scids_end(g, s, out, p, raw);
		return;
	case MSG_QUERY_CHANNEL_RANGE:
		answer_range(g, s, out, p, raw);
		return;
	case MSG_REPLY_CHANNEL_RANGE:
		sync_range_reply(g, s, out, p, raw);
		return;
	case MSG_GOSSIP_TIMESTAMP_FILTER:
		relay_filter(g, s, out, p, raw);
		return;
	}
}

void gossip_answer(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_answer *a)
{
	switch (a->kind) {
	case GOSSIP_VERIFIED:
		gossip_verified(g, s, out, a->id, a->good, a->count);
		return;
	case GOSSIP_FUNDED:
		gossip_funding(g, s, out, a->id, a->fundings, a->count);
		return;
	case GOSSIP_DRAINED:
		gossip_drained(g, s, out, a->connection);
		return;
	case GOSSIP_COMPACTED:
		gossip_compacted(g, s, out, a->moves, a->count, a->start, a->first_new);
		return;
	}
	UNREACHABLE();
}

/* ---- Time ---- */

void gossip_flush(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	sync_flush(g, s, out);
	held_flush(g, s, out);
	funding_flush(g, s, out);
}

void gossip_tick(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	if (s->now_ms < g->tick_ms)
		return;
	g->tick_ms = s->now_ms + TICK_MS;
	overdue_tick(g, s);
	sync_tick(g, s, out);
	relay_tick(g, s, out);
	own_tick(g, s, out);
	store_tick(g, s, out);
	if (s->now_ms >= g->parked_ms) {
		g->parked_ms = s->now_ms + PARKED_MS;
		held_unpark_old(g);
	}
	if (s->now_ms >= g->prune_ms) {
		g->prune_ms = s->now_ms + PRUNE_MS;
		prune(g, s, out);
	}
}

uint64_t gossip_deadline(const struct gossip *g)
{
	/* Alone, it has nothing to do but grow old. */
	if (!table_count(&g->peers) && !table_count(&g->owns))
		return g->prune_ms;
	return g->tick_ms;
}

/* ---- Views ---- */

struct gossip_figures gossip_figures(const struct gossip *g)
{
	struct gossip_figures f = g->figures;
	const struct gossip_peer *p;
	uint32_t at = 0;

	f.channels = graph_channel_count(g->graph);
	f.nodes = graph_node_count(g->graph);
	f.peers = table_count(&g->peers);
	while ((p = table_next(&g->peers, &at)))
		f.listening += p->listening;
	f.held = g->held_count;
	f.candidates = table_count(&g->candidates);
	for (uint32_t i = 0; i < LOOKUPS_MAX; i++)
		f.lookups_open += g->open[i] != NULL;
	for (uint32_t i = 0; i < BATCHES_MAX; i++)
		f.checks_open += g->batches[i] ? g->batches[i]->check_count : 0;
	f.held_bytes = g->held_bytes + g->asked_bytes;
	f.graph_bytes = graph_memory(g->graph);
	f.log_bytes = g->log_end;
	f.log_dead_bytes = g->log_dead;
	f.synced = g->sync.rounds > 0;
	f.syncing = g->sync.phase != SYNC_IDLE && !g->sync.curiosity;
	f.sync_asked = g->sync.wanted_at;
	f.sync_wanted = g->sync.wanted_count - g->sync.wanted_at;
	return f;
}

/* INV-G1 */
static void check_held(const struct gossip *g)
{
	const struct gossip_peer *p;
	size_t total = 0;
	uint32_t at = 0;

	while ((p = table_next(&g->peers, &at))) {
		ASSERT(p->held_bytes <= HELD_ASKED_BYTES_MAX);
		/* INV-G3: a window and at most what one message or reply is over it. */
		ASSERT(p->in_flight < WINDOW_BYTES + MESSAGE_SIZE_MAX + 2 * SENT_CHANNEL);
		total += p->held_bytes;
	}
	ASSERT(total <= g->held_bytes + g->asked_bytes);
	ASSERT(g->held_bytes <= HELD_BYTES_MAX);
	ASSERT(table_count(&g->candidates) <= CANDIDATES_MAX);
	ASSERT(table_count(&g->candidates) + table_count(&g->parked) <= g->held_count);
	ASSERT(g->held_count || !(g->held_bytes + g->asked_bytes));
}

void gossip_check_invariants(const struct gossip *g)
{
	graph_check(g->graph);
	check_held(g);
	own_check(g);
	/* INV-G2 */
	ASSERT(!g->sync.open || (g->sync.phase == SYNC_QUERY && peer_of(g, g->sync.connection)));
	ASSERT(g->sync.wanted_at <= g->sync.wanted_count);
	ASSERT(g->sync.phase == SYNC_IDLE || peer_of(g, g->sync.connection));
}
