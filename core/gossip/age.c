/* How channels leave the graph: spent, stale, or never true. */
#include "gossip/state.h"

#include <string.h>

uint64_t funding_hash(const struct gossip *g, const struct outpoint *o)
{
	uint8_t key[36];

	memcpy(key, o->txid.v, 32);
	store_le32(key + 32, o->index);
	return siphash24(g->seed, BYTES_OF(key));
}

/* What the records of a channel take in the log, about. */
static uint32_t records_of(const struct graph_channel *c)
{
	return SENT_CHANNEL + (c->policy[0].timestamp ? SENT_UPDATE : 0) + (c->policy[1].timestamp ? SENT_UPDATE : 0);
}

void forget_channel(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t channel, enum tomb why)
{
	const struct graph_channel *c = graph_channel_at(g->graph, channel);
	uint8_t fixed[8];

	store_be64(fixed, c->scid.v);
	if (why != TOMB_NONE)
		tombs_put(&g->tombs, c->scid, why);
	store_dead(g, records_of(c) + LOG_RECORD_HEADER + sizeof(fixed));
	(void)store_append(g, s, out, LOG_FORGET, BYTES_OF(fixed), BYTES_NONE);
	order_removed(&g->order);
	graph_remove_channel(g->graph, channel);
}

void forget_node(struct gossip *g, struct step *s, struct gossip_notes *out, const struct pubkey *id)
{
	uint32_t node = graph_find_node(g->graph, id), next;

	if (node == GRAPH_NONE)
		return;
	for (uint32_t i = graph_node_at(g->graph, node)->first; i != GRAPH_NONE; i = next) {
		next = graph_next(graph_channel_at(g->graph, i), node);
		if (!(graph_channel_at(g->graph, i)->flags & GRAPH_OWN))
			forget_channel(g, s, out, i, TOMB_STALE);
	}
}

/* ---- Spent and reorganized out ---- */

static void store_spent(struct gossip *g, struct step *s, struct gossip_notes *out, struct scid scid, uint32_t height)
{
	uint8_t fixed[12];

	store_be64(fixed, scid.v);
	store_be32(fixed + 8, height);
	(void)store_append(g, s, out, LOG_SPENT, BYTES_OF(fixed), BYTES_NONE);
	store_dead(g, LOG_RECORD_HEADER + sizeof(fixed));
}

void spent_remember(struct gossip *g, struct scid scid)
{
	if (g->spent_count == g->spent_capacity) {
		g->spent_capacity = g->spent_capacity ? g->spent_capacity * 2 : 16;
		g->spent = mem_realloc(g->spent, g->spent_capacity, sizeof(*g->spent));
	}
	g->spent[g->spent_count++] = scid;
}

static void mark_spent(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t channel, uint32_t height)
{
	struct scid scid = graph_channel_at(g->graph, channel)->scid;

	graph_set_spent(g->graph, channel, height);
	spent_remember(g, scid);
	store_spent(g, s, out, scid, height);
}

/* B7.pruning_the_network_view.1 */
void gossip_spent(struct gossip *g, struct step *s, struct gossip_notes *out, const struct outpoint *o)
{
	uint32_t channel = graph_find_funding(g->graph, funding_hash(g, o));

	if (channel != GRAPH_NONE && !graph_channel_at(g->graph, channel)->spent_height)
		mark_spent(g, s, out, channel, s->height);
}

/* Whether a channel on the list is to stay on it. */
static bool still_waits(struct gossip *g, struct step *s, struct gossip_notes *out, struct scid scid)
{
	uint32_t channel = graph_find_channel(g->graph, scid);
	const struct graph_channel *c;

	if (channel == GRAPH_NONE)
		return false;
	c = graph_channel_at(g->graph, channel);
	if (!c->spent_height)
		return false;
	/* B7.channel_announcement.26, B7.pruning_the_network_view.2: a splice has this long to be announced. */
	if (s->height < c->spent_height + FORGET_BLOCKS)
		return true;
	forget_channel(g, s, out, channel, c->flags & GRAPH_REORGED ? TOMB_NONE : TOMB_SPENT);
	return false;
}

void gossip_block(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < g->spent_count; i++)
		if (still_waits(g, s, out, g->spent[i]))
			g->spent[kept++] = g->spent[i];
	g->spent_count = kept;
	own_tick(g, s, out);
}

/* What that block spent is unspent again.  A channel whose funding transaction was in it is on its way out: it counts
 * as spent there, and if it comes back in another place it has another scid. */
void gossip_block_undone(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t height)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < g->spent_count; i++) {
		uint32_t channel = graph_find_channel(g->graph, g->spent[i]);
		const struct graph_channel *c = channel == GRAPH_NONE ? NULL : graph_channel_at(g->graph, channel);

		if (c && c->spent_height >= height && !(c->flags & GRAPH_REORGED)) {
			graph_set_spent(g->graph, channel, 0);
			store_spent(g, s, out, g->spent[i], 0);
			continue;
		}
		g->spent[kept++] = g->spent[i];
	}
	g->spent_count = kept;
	order_ready(&g->order);
	for (uint32_t i = order_from(&g->order, scid_make(height, 0, 0));
	     i < g->order.count && scid_height(g->order.at[i]) == height; i++) {
		uint32_t channel = graph_find_channel(g->graph, g->order.at[i]);

		if (channel == GRAPH_NONE || graph_channel_at(g->graph, channel)->spent_height)
			continue;
		graph_set_flags(g->graph, channel, graph_channel_at(g->graph, channel)->flags | GRAPH_REORGED);
		mark_spent(g, s, out, channel, height);
	}
}

/* ---- Stale ---- */

static bool is_stale(const struct graph_policy *p, uint32_t now)
{
	return p->timestamp && p->timestamp < now && now - p->timestamp > STALE_S;
}

/* B7.recommendation_on_pruning_stale_entries.1: the older of the two decides, since both ends must be there for the
 * channel to be of use.  An end that has never said anything does not count: the other may be enough. */
static bool to_prune(struct gossip *g, uint32_t channel, uint32_t now)
{
	const struct graph_channel *c = graph_channel_at(g->graph, channel);

	if ((c->flags & GRAPH_OWN) || c->spent_height)
		return false;
	if (is_stale(&c->policy[0], now) || is_stale(&c->policy[1], now))
		return true;
	if (c->policy[0].timestamp || c->policy[1].timestamp)
		return false;
	/* Nothing at all from either: one interval to come, and then it goes. */
	if (c->flags & GRAPH_BARE)
		return true;
	graph_set_flags(g->graph, channel, c->flags | GRAPH_BARE);
	return false;
}

static bool in_graph(const void *context, struct scid scid)
{
	return graph_find_channel(context, scid) != GRAPH_NONE;
}

void prune(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	uint32_t now = now_s(s), gone = 0;

	for (uint32_t i = 0; i < graph_channel_limit(g->graph); i++)
		if (graph_channel_at(g->graph, i) && to_prune(g, i, now)) {
			forget_channel(g, s, out, i, TOMB_STALE);
			gone++;
		}
	order_drop(&g->order, in_graph, g->graph);
	if (gone)
		log_write(s->log, LOG_INFO, "gossip", "%u channels were not heard of for two weeks and are forgotten", gone);
}
