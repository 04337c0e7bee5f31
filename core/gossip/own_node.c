/* Our node_announcement: once there is a channel that the world knows, at each start, and before it grows old. */
#include <string.h>

#include "gossip/state.h"

static bool node_due(const struct gossip *g, const struct step *s, uint32_t *node)
{
	*node = graph_find_node(g->graph, &g->config.node_id);
	if (*node == GRAPH_NONE || g->asked_node)
		return false;
	return !g->node_told || now_s(s) > g->node_timestamp + REFRESH_S;
}

void own_node_tick(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct own_node n = { .id = g->config.node_id, .features = g->config.features, .addresses = g->config.addresses };
	struct sign_request *r;
	uint32_t node;

	(void)out;
	if (!node_due(g, s, &node))
		return;
	memcpy(n.rgb, g->config.rgb, sizeof(n.rgb));
	/* An alias that is no text was refused where it was configured; nothing is said in its place. */
	(void)!own_node_alias(n.alias, g->config.alias);
	/* B7.node_announcement.3 */
	n.timestamp = now_s(s) > g->node_timestamp ? now_s(s) : g->node_timestamp + 1;
	buf_clear(&g->node_unsigned);
	own_node_build(&n, &g->node_unsigned);
	r = step_sign_request(s, SIGN_GOSSIP, 0, &g->config.node_id);
	r->u.message = arena_bytes(&s->out->arena, node_announcement_signed(buf_view(&g->node_unsigned)));
	g->asked_node = true;
	effect_sign(s->out, step_ask(s, OWNER_GOSSIP, 0), r);
}

void own_node_signed(struct gossip *g, struct step *s, struct gossip_notes *out, const struct sign_answer *answer)
{
	struct msg_node_announcement m;
	uint32_t node = graph_find_node(g->graph, &g->config.node_id);

	/* A signer that refuses is not asked again before a restart. */
	if (answer->refused)
		return;
	g->asked_node = false;
	own_message_sign(&g->node_unsigned, &answer->signature);
	ASSERT(msg_node_announcement_decode(buf_view(&g->node_unsigned), &s->out->arena, &m) == DECODE_OK);
	g->node_timestamp = m.timestamp;
	/* Our last channel may have gone meanwhile. */
	if (node == GRAPH_NONE)
		return;
	g->node_told = true;
	apply_node(g, s, out, node, &m, buf_view(&g->node_unsigned));
	relay_own(g, s, out, graph_node_at(g->graph, node)->ref);
}
