/* Which of our channels an invoice names, and whether it can be paid at all.
 *
 * A payer finds announced channels by itself; the others it must be told of (B11.tagged_fields.12).  Named are channels
 * whose peer is there and has told us its terms, by the alias that the peer gave them, those that can take the most
 * first: enough of them for the amount twice over, HINTS_MAX at most.  Of those that our user lists, all. */
#include "node/state.h"

#include "invoice/invoice.h"

#define HINTS_MAX 8u
/* Where the payer chooses the amount. */
#define HINTS_ANY_AMOUNT 4u
/* Confirmations of an announcement (BOLT 7). */
#define ANNOUNCED_DEPTH 6u

struct candidate {
	const struct node_channel *channel;
	struct scid scid;
	struct amount_msat capacity;
	bool dead_end;
};

struct survey {
	const struct node *n;
	struct arena *memory;
	const struct command *cmd;
	struct candidate *candidates;
	uint32_t count;
	bool has_public;
	/* What comes in over channels that a payer can use; and over the others, by why it cannot. */
	uint64_t usable, biggest, unused, dead_ends, offline;
};

static bool is_public(const struct node *n, const struct channel_record *r)
{
	return r->announce && r->funding_height && n->height + 1 >= r->funding_height + ANNOUNCED_DEPTH;
}

/* Nobody but us is known to reach the peer.  Where nothing is known of the network nothing is said. */
static bool is_dead_end(const struct node *n, const struct channel_record *r)
{
	const struct graph *g = n->gossip ? gossip_graph(n->gossip) : NULL;
	uint32_t peer, at;

	if (!g || !graph_channel_count(g))
		return false;
	peer = graph_find_node(g, &r->peer);
	if (peer == GRAPH_NONE)
		return true;
	for (at = graph_node_at(g, peer)->first; at != GRAPH_NONE; at = graph_next(graph_channel_at(g, at), peer))
		if (!(graph_channel_at(g, at)->flags & GRAPH_OWN))
			return false;
	return true;
}

/* B2.channel_ready.12; the peer's own name for it says nothing to anybody else. */
static struct scid name_of(const struct channel_record *r)
{
	return r->alias_remote.v ? r->alias_remote : r->scid_alias ? (struct scid){ 0 } : r->scid;
}

static bool is_listed(const struct command *cmd, const struct channel_record *r)
{
	for (uint32_t i = 0; i < cmd->u.invoice.exposed_count; i++) {
		const uint64_t v = cmd->u.invoice.exposed[i].v;

		if (v && (v == r->scid.v || v == r->alias_local.v || v == r->alias_remote.v))
			return true;
	}
	return false;
}

/* Whether an invoice may name it at all. */
static bool may_name(const struct survey *v, const struct channel_record *r)
{
	switch (v->cmd->u.invoice.expose) {
	case EXPOSE_DEFAULT: return !v->has_public && !is_public(v->n, r);
	case EXPOSE_ALL: return !is_public(v->n, r);
	case EXPOSE_NONE: return false;
	case EXPOSE_LISTED: return is_listed(v->cmd, r);
	}
	UNREACHABLE();
}

static void count(struct survey *v, const struct node_channel *c)
{
	const struct channel_record *r = channel_record_of(c->channel);
	const struct amount_msat capacity = channel_receivable(c->channel);
	const bool named = may_name(v, r) && name_of(r).v && c->has_peer_policy && !(c->peer_policy.flags & GRAPH_DISABLED);
	const bool dead_end = is_dead_end(v->n, r) && v->cmd->u.invoice.expose != EXPOSE_LISTED;

	if (!channel_is_usable(c->channel)) {
		v->offline += capacity.v;
		return;
	}
	if (named)
		v->candidates[v->count++] = (struct candidate){ c, name_of(r), capacity, dead_end };
	if (dead_end) {
		v->dead_ends += capacity.v;
	} else if (!named && !is_public(v->n, r)) {
		v->unused += capacity.v;
	} else {
		v->usable += capacity.v;
		v->biggest = capacity.v > v->biggest ? capacity.v : v->biggest;
	}
}

static void look(struct survey *v)
{
	uint32_t at = 0;
	const struct node_channel *c;

	v->candidates = ARENA_ARRAY(v->memory, struct candidate, table_count(&v->n->channels) + 1);
	while ((c = table_next(&v->n->channels, &at)))
		v->has_public |= !c->dead && !c->onchain && channel_state_of(c->channel) == CHANNELD_NORMAL &&
				 is_public(v->n, channel_record_of(c->channel));
	for (at = 0; (c = table_next(&v->n->channels, &at));)
		if (!c->dead && !c->onchain && channel_state_of(c->channel) == CHANNELD_NORMAL)
			count(v, c);
}

/* Dead ends come last: perhaps we know too little. */
static bool is_better(const struct candidate *a, const struct candidate *b)
{
	return a->dead_end != b->dead_end ? b->dead_end : a->capacity.v > b->capacity.v;
}

static struct candidate take_best(struct survey *v)
{
	uint32_t best = 0;
	struct candidate taken;

	for (uint32_t i = 1; i < v->count; i++)
		if (is_better(&v->candidates[i], &v->candidates[best]))
			best = i;
	taken = v->candidates[best];
	v->candidates[best] = v->candidates[--v->count];
	return taken;
}

static void name_channel(struct survey *v, struct node_hints *out, const struct candidate *c)
{
	struct invoice_hop *hop = ARENA_NEW(v->memory, struct invoice_hop);
	const struct graph_policy *p = &c->channel->peer_policy;

	*hop = (struct invoice_hop){ channel_record_of(c->channel->channel)->peer, c->scid, p->fee_base_msat, p->fee_ppm, p->cltv_delta };
	out->routes[out->count++] = (struct invoice_route){ hop, 1 };
}

static void choose(struct survey *v, struct node_hints *out)
{
	const bool any = v->cmd->u.invoice.any_amount, listed = v->cmd->u.invoice.expose == EXPOSE_LISTED;
	const uint64_t amount = v->cmd->u.invoice.amount.v, most = any && !listed ? HINTS_ANY_AMOUNT : HINTS_MAX;
	uint64_t sum = 0;
	bool better = false;

	out->routes = ARENA_ARRAY(v->memory, struct invoice_route, HINTS_MAX);
	while (v->count && out->count < most && (any || listed || sum < 2 * amount)) {
		const struct candidate c = take_best(v);

		/* A dead end is named only where there is nothing else. */
		if (c.dead_end && better)
			break;
		better |= !c.dead_end;
		name_channel(v, out, &c);
		sum += c.capacity.v;
	}
}

/* Core Lightning's words for what is in the way, in its order. */
static enum invoice_warning warn(const struct survey *v)
{
	const uint64_t amount = v->cmd->u.invoice.any_amount ? 1 : v->cmd->u.invoice.amount.v;
	uint64_t sum = v->usable;

	if (sum >= amount)
		return v->biggest < amount ? WARN_MPP : WARN_NOTHING;
	sum += v->unused;
	if (sum >= amount)
		return WARN_PRIVATE_UNUSED;
	sum += v->dead_ends;
	if (sum >= amount)
		return WARN_DEAD_ENDS;
	return sum + v->offline >= amount ? WARN_OFFLINE : WARN_CAPACITY;
}

bool node_hints_choose(const struct node *n, const struct command *cmd, struct arena *memory, struct node_hints *out)
{
	struct survey v = { .n = n, .memory = memory, .cmd = cmd };

	*out = (struct node_hints){ 0 };
	look(&v);
	out->warning = warn(&v);
	if (cmd->u.invoice.expose == EXPOSE_LISTED && !v.count)
		return false;
	choose(&v, out);
	return true;
}
