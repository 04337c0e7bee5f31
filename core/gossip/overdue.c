/* Last words that came too soon.
 *
 * Who says something new more often than it may is not listened to (ingest.c).  Were that all, the last of what it said
 * would be lost for as long as it says nothing else, which may be twelve days: its own timestamps, which fill its
 * allowance up again, stand still.  So it is remembered that there was more, not what: after ALLOWANCE_S of our clock
 * its origin may say one thing again, and a peer is asked for what that is.
 *
 *   refused --ALLOWANCE_S--> granted --it has come, or was asked for OVERDUE_ASK_MAX times--> forgotten
 *   granted --another one too many--> refused
 *
 * Others have refused it too, so whoever is asked may have to ask himself first; and news of it goes to nobody whose
 * filter begins after it.  That is why it is asked for more than once.
 *
 * Whether it was the origin that spoke nobody has verified, and need not: all that comes of it is a question, and an
 * allowance for what will be verified.  What finds no place is asked for by a later sync, and finds one then. */
#include "gossip/state.h"

/* It has come, its channel or node is gone, or nobody has it. */
static bool is_over(const struct gossip *g, const struct overdue *v)
{
	uint32_t number = v->thing >> 2, which = v->thing & 3;

	if (v->asked == OVERDUE_ASK_MAX)
		return true;
	if (which == 3)
		return number >= graph_node_limit(g->graph) || !graph_node_at(g->graph, number) ||
		       graph_node_at(g->graph, number)->timestamp >= v->timestamp;
	return number >= graph_channel_limit(g->graph) || !graph_channel_at(g->graph, number) ||
	       graph_channel_at(g->graph, number)->policy[which - 1].timestamp >= v->timestamp;
}

void overdue_put(struct gossip *g, const struct step *s, uint32_t thing, uint32_t timestamp)
{
	struct overdue *v = NULL;

	for (uint32_t i = 0; i < g->overdue_count; i++)
		if (g->overdue[i].thing == thing)
			v = &g->overdue[i];
	if (v && !v->granted) {
		if (timestamp > v->timestamp)
			v->timestamp = timestamp;
		return;
	}
	if (!v) {
		if (g->overdue_count == OVERDUE_MAX)
			return;
		v = &g->overdue[g->overdue_count++];
	}
	*v = (struct overdue){ .thing = thing, .timestamp = timestamp, .at_ms = s->now_ms + ALLOWANCE_S * 1000ull };
}

static void grant(struct gossip *g, uint32_t thing)
{
	uint32_t number = thing >> 2, which = thing & 3;

	if (which == 3) {
		if (!graph_node_at(g->graph, number)->allowance)
			graph_set_node_allowance(g->graph, number, 1);
	} else if (!graph_channel_at(g->graph, number)->policy[which - 1].allowance) {
		graph_set_policy_allowance(g->graph, number, (int)which - 1, 1);
	}
}

void overdue_tick(struct gossip *g, const struct step *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < g->overdue_count; i++) {
		struct overdue *v = &g->overdue[i];

		if (is_over(g, v))
			continue;
		if (!v->granted && s->now_ms >= v->at_ms) {
			grant(g, v->thing);
			v->granted = true;
		}
		g->overdue[kept++] = *v;
	}
	g->overdue_count = kept;
}

static bool is_due(const struct gossip *g, const struct step *s, const struct overdue *v)
{
	return v->granted && s->now_ms >= v->at_ms && !is_over(g, v);
}

bool overdue_any(const struct gossip *g, const struct step *s)
{
	for (uint32_t i = 0; i < g->overdue_count; i++)
		if (is_due(g, s, &g->overdue[i]))
			return true;
	return false;
}

/* A node is asked about by the first of its channels. */
static struct wanted question(const struct gossip *g, uint32_t thing)
{
	uint32_t number = thing >> 2, which = thing & 3;
	const struct graph_channel *c;

	if (which == 3) {
		c = graph_channel_at(g->graph, graph_node_at(g->graph, number)->first);
		return (struct wanted){ c->scid, c->node[0] == number ? QUERY_NODE_1 : QUERY_NODE_2 };
	}
	c = graph_channel_at(g->graph, number);
	return (struct wanted){ c->scid, which == 1 ? QUERY_UPDATE_1 : QUERY_UPDATE_2 };
}

bool overdue_take(struct gossip *g, const struct step *s, struct wanted *out)
{
	for (uint32_t i = 0; i < g->overdue_count; i++) {
		struct overdue *v = &g->overdue[i];

		if (!is_due(g, s, v))
			continue;
		v->asked++;
		v->at_ms = s->now_ms + OVERDUE_ASK_MS;
		*out = question(g, v->thing);
		return true;
	}
	return false;
}
