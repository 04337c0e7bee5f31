#include "node/view.h"

#include "node/state.h"

static void count_channels(const struct node *n, struct node_info *out)
{
	uint32_t at = 0;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		enum channel_state state = channel_state_of(c->channel);

		if (c->dead)
			continue;
		if (state == OPENINGD || state == CHANNELD_AWAITING_LOCKIN)
			out->channels_pending++;
		else if (channel_is_usable(c->channel))
			out->channels_active++;
		else
			out->channels_inactive++;
	}
}

void node_view_info(const struct node *n, struct node_info *out)
{
	uint32_t at = 0;
	const struct node_peer *p;

	*out = (struct node_info){
		.config = n->config,
		.height = n->height,
		.tip = n->tip,
		.synced = n->synced,
		.best_height = n->best_height,
		.anchor_reserve = node_anchor_reserve(n, 0),
		.features_init = buf_view(&n->features_init),
		.features_node = buf_view(&n->features_node),
		.features_channel = buf_view(&n->features_channel),
		.features_invoice = buf_view(&n->features_invoice),
	};
	memcpy(out->fees, n->fees, sizeof(out->fees));
	while ((p = table_next(&n->peers, &at)))
		out->peers_connected += p->peer->state == PEER_READY;
	count_channels(n, out);
}

static void fill_peer(const struct node_peer *p, struct peer_view *out)
{
	const struct peer *q = p->peer;

	*out = (struct peer_view){
		.id = q->id,
		.connected = q->state == PEER_READY,
		.outbound = q->outbound,
		.host = q->state != PEER_AWAY ? q->host : q->has_address ? q->dial_host : "",
		.port = q->state != PEER_AWAY ? q->port : q->dial_port,
		.features = buf_view(&q->features),
		.channel_count = p->channel_count,
	};
}

/* Peers that are there, and those with channels: others are mere addresses. */
bool node_view_peer(const struct node *n, uint32_t *at, struct peer_view *out)
{
	const struct node_peer *p;

	while ((p = table_next(&n->peers, at))) {
		if (p->peer->state != PEER_READY && !p->channels)
			continue;
		fill_peer(p, out);
		return true;
	}
	return false;
}

bool node_view_peer_by_id(const struct node *n, const struct pubkey *id, struct peer_view *out)
{
	const struct node_peer *p = node_peer_get(n, id);

	if (!p)
		return false;
	fill_peer(p, out);
	return true;
}

const struct channel *node_view_channel(const struct node *n, uint32_t *at)
{
	const struct node_channel *c;

	while ((c = table_next(&n->channels, at)))
		if (!c->dead)
			return c->channel;
	return NULL;
}

const struct channel *node_view_channel_named(const struct node *n, const struct channel_name *name)
{
	const struct node_channel *c = node_channel_named(n, name);

	return c ? c->channel : NULL;
}

const struct onchain *node_view_onchain(const struct node *n, const struct channel *ch)
{
	const struct node_channel *c = node_channel_by_key(n, channel_key(ch));

	return c ? c->onchain : NULL;
}

bool node_view_anchor(const struct node *n, const struct channel *ch, struct anchor_view *out)
{
	const struct node_channel *c = node_channel_by_key(n, channel_key(ch));

	if (!c || !c->anchor)
		return false;
	*out = anchor_view(c->anchor);
	return true;
}

const struct receive *node_view_invoices(const struct node *n)
{
	return n->receive;
}

const struct send *node_view_payments(const struct node *n)
{
	return n->send;
}

const struct gossip *node_view_gossip(const struct node *n)
{
	return n->gossip;
}

struct step node_view_step(const struct node *n)
{
	struct step s = { .now_ms = n->now_ms, .height = n->height, .log = n->log };

	memcpy(s.fees, n->fees, sizeof(s.fees));
	return s;
}
