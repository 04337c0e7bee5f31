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

/* Stored beside the chain's tip, and not in the log: a crash may take the end of the log, and no block comes twice. */
static void store_spent(struct step *s, const struct spent *v)
{
	uint8_t key[8], value[5];

	store_be64(key, v->scid.v);
	store_be32(value, v->height);
	value[4] = v->reorged;
	effect_persist(s->out, RECORD_SPENT, BYTES_OF(key), BYTES_OF(value));
}

static void unstore_spent(struct step *s, const struct spent *v)
{
	uint8_t key[8];

	store_be64(key, v->scid.v);
	effect_remove(s->out, RECORD_SPENT, BYTES_OF(key));
}

void spent_remember(struct gossip *g, const struct spent *v)
{
	if (g->spent_count == g->spent_capacity) {
		g->spent_capacity = g->spent_capacity ? g->spent_capacity * 2 : 16;
		g->spent = mem_realloc(g->spent, g->spent_capacity, sizeof(*g->spent));
	}
	g->spent[g->spent_count++] = *v;
}

struct spent *spent_find(const struct gossip *g, struct scid scid)
{
	for (uint32_t i = 0; i < g->spent_count; i++)
		if (g->spent[i].scid.v == scid.v)
			return &g->spent[i];
	return NULL;
}

void spent_drop(struct gossip *g, struct step *s, struct scid scid)
{
	struct spent *v = spent_find(g, scid);

	if (!v)
		return;
	unstore_spent(s, v);
	*v = g->spent[--g->spent_count];
}

bool gossip_load_spent(struct gossip *g, struct bytes key, struct bytes value)
{
	struct spent v = { .stored = true };

	if (key.size != 8 || value.size != 5)
		return false;
	v.scid.v = load_be64(key.data);
	v.height = load_be32(value.data);
	v.reorged = value.data[4] != 0;
	spent_remember(g, &v);
	return true;
}

/* What the store says of a channel that is in the log. */
void spent_loaded(struct gossip *g)
{
	for (uint32_t i = 0; i < g->spent_count; i++) {
		uint32_t channel = graph_find_channel(g->graph, g->spent[i].scid);

		if (channel == GRAPH_NONE)
			continue;
		graph_set_spent(g->graph, channel, g->spent[i].height);
		if (g->spent[i].reorged)
			graph_set_flags(g->graph, channel, graph_channel_at(g->graph, channel)->flags | GRAPH_REORGED);
	}
}

static void mark_spent(struct gossip *g, uint32_t channel, uint32_t height, bool reorged)
{
	const struct graph_channel *c = graph_channel_at(g->graph, channel);
	const struct spent v = { .scid = c->scid, .height = height, .reorged = reorged };

	graph_set_spent(g->graph, channel, height);
	if (reorged)
		graph_set_flags(g->graph, channel, c->flags | GRAPH_REORGED);
	spent_remember(g, &v);
}

static void store_new_spent(struct gossip *g, struct step *s)
{
	for (uint32_t i = 0; i < g->spent_count; i++) {
		if (g->spent[i].stored)
			continue;
		store_spent(s, &g->spent[i]);
		g->spent[i].stored = true;
	}
}

/* B7.pruning_the_network_view.1 */
void gossip_spent(struct gossip *g, struct step *s, struct gossip_notes *out, const struct outpoint *o)
{
	uint32_t channel = graph_find_funding(g->graph, funding_hash(g, o));

	(void)out;
	if (channel != GRAPH_NONE && !graph_channel_at(g->graph, channel)->spent_height)
		mark_spent(g, channel, s->height, false);
}

/* Whether it is to stay on the list: until it is forgotten, and for some time after that, since the log may lose that. */
static bool still_waits(struct gossip *g, struct step *s, struct gossip_notes *out, const struct spent *v)
{
	uint32_t channel = graph_find_channel(g->graph, v->scid);

	/* B7.channel_announcement.26, B7.pruning_the_network_view.2: a splice has this long to be announced. */
	if (s->height < v->height + FORGET_BLOCKS)
		return true;
	if (channel != GRAPH_NONE)
		forget_channel(g, s, out, channel, v->reorged ? TOMB_NONE : TOMB_SPENT);
	if (s->height < v->height + SPENT_KEPT_BLOCKS)
		return true;
	unstore_spent(s, v);
	return false;
}

void gossip_block(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < g->spent_count; i++)
		if (still_waits(g, s, out, &g->spent[i]))
			g->spent[kept++] = g->spent[i];
	g->spent_count = kept;
	store_new_spent(g, s);
	own_tick(g, s, out);
}

/* What that block spent is unspent again.  A channel whose funding transaction was in it is on its way out: it counts
 * as spent there, and if it comes back in another place it has another scid. */
void gossip_block_undone(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t height)
{
	uint32_t kept = 0;

	(void)out;
	for (uint32_t i = 0; i < g->spent_count; i++) {
		uint32_t channel = graph_find_channel(g->graph, g->spent[i].scid);

		if (g->spent[i].height < height || g->spent[i].reorged) {
			g->spent[kept++] = g->spent[i];
			continue;
		}
		if (channel != GRAPH_NONE)
			graph_set_spent(g->graph, channel, 0);
		unstore_spent(s, &g->spent[i]);
	}
	g->spent_count = kept;
	order_ready(&g->order);
	for (uint32_t i = order_from(&g->order, scid_make(height, 0, 0));
	     i < g->order.count && scid_height(g->order.at[i]) == height; i++) {
		uint32_t channel = graph_find_channel(g->graph, g->order.at[i]);

		if (channel != GRAPH_NONE && !graph_channel_at(g->graph, channel)->spent_height)
			mark_spent(g, channel, height, true);
	}
	store_new_spent(g, s);
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
