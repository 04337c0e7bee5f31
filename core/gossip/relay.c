/* Telling peers: what is new, at their next flush, and what there was before, if their filter asks for it.
 *
 * Changes go through one ring for all peers; each has a place in it.  A peer that
 * reads so slowly that the ring has gone round it misses what is gone, and can
 * still ask for it. */
#include "gossip/state.h"

void relay_push(struct gossip *g, uint32_t thing, uint32_t ref)
{
	g->recent[g->recent_head % RECENT_MAX] = (struct recent){ thing, ref };
	g->recent_head++;
}

/* What we generated goes to everybody at once, whatever their filter (B7.gossip_timestamp_filter.4). */
void relay_own(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t ref)
{
	struct gossip_peer *p;
	uint32_t at = 0;

	while ((p = table_next(&g->peers, &at)))
		if (!p->other_chain)
			note_send_stored(g, s, out, p->connection, ref);
}

/* ---- What a filter lets through ---- */

static bool in_range(const struct gossip_peer *p, uint32_t timestamp)
{
	return timestamp >= p->filter_first && timestamp < p->filter_end;
}

/* B7.gossip_timestamp_filter.6, .7, .8: a channel has the time of either update, and none without one. */
static bool channel_wanted(const struct gossip_peer *p, const struct graph_channel *c)
{
	if (c->spent_height) /* B7.channel_announcement.27 */
		return false;
	return (c->policy[0].timestamp && in_range(p, c->policy[0].timestamp)) ||
	       (c->policy[1].timestamp && in_range(p, c->policy[1].timestamp));
}

static bool policy_wanted(const struct gossip_peer *p, const struct graph_channel *c, int direction)
{
	const struct graph_policy *policy = &c->policy[direction];

	/* B7.channel_update.23 */
	if (!policy->timestamp || (c->spent_height && !(policy->flags & GRAPH_DISABLED)))
		return false;
	return in_range(p, policy->timestamp);
}

/* A node is told of only where somebody can know of a channel of it. */
static bool node_wanted(const struct gossip *g, const struct gossip_peer *p, uint32_t node)
{
	const struct graph_node *n = graph_node_at(g->graph, node);
	uint32_t next;

	if (!n->timestamp || (n->flags & GRAPH_NODE_NOT_FORWARDED) || !in_range(p, n->timestamp))
		return false;
	for (uint32_t i = n->first; i != GRAPH_NONE; i = next) {
		const struct graph_channel *c = graph_channel_at(g->graph, i);

		if (c->policy[0].timestamp || c->policy[1].timestamp)
			return true;
		next = graph_next(c, node);
	}
	return false;
}

/* ---- What is new ---- */

static void send_recent(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, const struct recent *r)
{
	uint32_t number = r->thing >> 2, which = r->thing & 3;

	if (r->thing == GRAPH_NONE || !thing_current(g, r->thing, r->ref))
		return;
	if (which == 3) {
		if (node_wanted(g, p, number))
			window_send_stored(g, s, out, p, r->ref, SENT_NODE);
	} else if (which == 0) {
		if (channel_wanted(p, graph_channel_at(g->graph, number)))
			window_send_stored(g, s, out, p, r->ref, SENT_CHANNEL);
	} else if (policy_wanted(p, graph_channel_at(g->graph, number), (int)which - 1)) {
		window_send_stored(g, s, out, p, r->ref, SENT_UPDATE);
	}
}

/* False: the window is full. */
static bool pump_recent(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	if (g->recent_head - p->recent_at > RECENT_MAX)
		p->recent_at = g->recent_head - RECENT_MAX;
	for (; p->recent_at < p->recent_end; p->recent_at++) {
		if (!window_open(p))
			return false;
		send_recent(g, s, out, p, &g->recent[p->recent_at % RECENT_MAX]);
	}
	return true;
}

/* ---- What there was before ---- */

static void backlog_channel(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, uint32_t channel)
{
	const struct graph_channel *c = graph_channel_at(g->graph, channel);

	if (!channel_wanted(p, c))
		return;
	/* B7.gossip_timestamp_filter.10 */
	window_send_stored(g, s, out, p, c->ref, SENT_CHANNEL);
	for (int direction = 0; direction < 2; direction++)
		if (policy_wanted(p, c, direction))
			window_send_stored(g, s, out, p, c->policy[direction].ref, SENT_UPDATE);
}

static void backlog_channels(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	uint32_t at;

	order_ready(&g->order);
	for (at = order_from(&g->order, p->backlog_scid); at < g->order.count && window_open(p); at++) {
		uint32_t channel = graph_find_channel(g->graph, g->order.at[at]);

		if (channel != GRAPH_NONE)
			backlog_channel(g, s, out, p, channel);
	}
	if (at < g->order.count) {
		p->backlog_scid = g->order.at[at];
		return;
	}
	p->backlog = BACKLOG_NODES;
	p->backlog_node = 0;
}

static void backlog_nodes(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	for (; p->backlog_node < graph_node_limit(g->graph) && window_open(p); p->backlog_node++)
		if (graph_node_at(g->graph, p->backlog_node) && node_wanted(g, p, p->backlog_node))
			window_send_stored(g, s, out, p, graph_node_at(g->graph, p->backlog_node)->ref, SENT_NODE);
	if (p->backlog_node >= graph_node_limit(g->graph))
		p->backlog = BACKLOG_NONE;
}

/* A filter costs its sender 42 bytes and us a walk over the whole graph, whether anything of it is wanted or not.  So a
 * peer that sends one after the other has its walks now and then; the last filter is the one that counts. */
static bool backlog_may_begin(const struct step *s, struct gossip_peer *p)
{
	if (p->backlog != BACKLOG_CHANNELS || p->backlog_scid.v)
		return true;
	if (s->now_ms < p->walk_ms)
		return false;
	p->walk_ms = s->now_ms + WALK_MS;
	return true;
}

void relay_pump(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	if (p->other_chain || !window_open(p))
		return;
	if (!answer_pump(g, s, out, p))
		return;
	/* B7.query_messages.2, B7.rebroadcasting.3: nothing of others before the filter. */
	if (!p->has_filter || !pump_recent(g, s, out, p))
		return;
	if (!backlog_may_begin(s, p))
		return;
	if (p->backlog == BACKLOG_CHANNELS)
		backlog_channels(g, s, out, p);
	if (p->backlog == BACKLOG_NODES)
		backlog_nodes(g, s, out, p);
}

void gossip_drained(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection)
{
	struct gossip_peer *p = peer_of(g, connection);

	if (!p)
		return;
	p->in_flight = 0;
	relay_pump(g, s, out, p);
}

/* ---- Filters and flushes ---- */

void relay_filter(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw)
{
	struct msg_gossip_timestamp_filter m;

	if (msg_gossip_timestamp_filter_decode(raw, &s->out->arena, &m) != DECODE_OK) {
		note_refuse(g, s, out, p->connection, "gossip_timestamp_filter: malformed");
		return;
	}
	if (!SAME(m.chain_hash, g->config.chain) || p->other_chain)
		return;
	p->has_filter = true;
	p->filter_first = m.first_timestamp;
	p->filter_end = (uint64_t)m.first_timestamp + m.timestamp_range;
	/* B7.gossip_timestamp_filter.3: all there is in that time; what is new from now on comes with the flushes. */
	p->recent_at = p->recent_end = g->recent_head;
	p->backlog = m.timestamp_range && m.first_timestamp <= now_s(s) + FUTURE_S ? BACKLOG_CHANNELS : BACKLOG_NONE;
	p->backlog_scid.v = 0;
	relay_pump(g, s, out, p);
}

void relay_tick(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct gossip_peer *p;
	uint32_t at = 0;

	while ((p = table_next(&g->peers, &at))) {
		if (s->now_ms < p->flush_ms) {
			if (p->backlog == BACKLOG_CHANNELS && !p->backlog_scid.v)
				relay_pump(g, s, out, p);
			continue;
		}
		/* B7.rebroadcasting.4: every minute, at a moment of its own for each peer. */
		p->flush_ms = s->now_ms + FLUSH_MS;
		p->recent_end = g->recent_head;
		relay_pump(g, s, out, p);
	}
}
