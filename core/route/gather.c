#include "route/gather.h"

static struct route_policy policy_of(const struct graph *g, const struct graph_channel *c, int direction)
{
	const struct graph_policy *p = &c->policy[direction];
	const struct graph_node *from = graph_node_at(g, c->node[direction]);

	/* B7.node_announcement.23; what leads to that node stays, for it may be paid (B7.node_announcement.22). */
	if (!graph_usable(c, direction) || from->flags & GRAPH_NODE_UNKNOWN_FEATURE)
		return (struct route_policy){ .enabled = false };
	return (struct route_policy){ true, p->fee_base_msat, p->fee_ppm, p->cltv_delta, p->htlc_minimum, p->htlc_maximum };
}

uint32_t route_gather(struct route_builder *b, const struct graph *g, uint32_t begin, uint32_t count)
{
	uint32_t limit = graph_channel_limit(g), end = begin < limit && count < limit - begin ? begin + count : limit;

	for (uint32_t i = begin; i < end; i++) {
		const struct graph_channel *c = graph_channel_at(g, i);
		struct route_channel out;

		if (!c)
			continue;
		out = (struct route_channel){ c->scid, { graph_node_at(g, c->node[0])->id, graph_node_at(g, c->node[1])->id },
					      c->capacity, { policy_of(g, c, 0), policy_of(g, c, 1) } };
		/* Beyond the builder's bound there is nothing to be done but to go without. */
		if (!route_builder_add(b, &out))
			break;
	}
	return end;
}
