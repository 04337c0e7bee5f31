/* listchannels, listnodes: the network as gossip tells it. */
#include "api/method/inner.h"

#include "gossip/gossip.h"
#include "wire/descriptor.h"

/* One direction of a channel, as Core Lightning shows it. */
static json_t *half_json(const struct graph *g, const struct graph_channel *c, int direction)
{
	const struct graph_policy *p = &c->policy[direction];
	bool disabled = p->flags & GRAPH_DISABLED;
	json_t *o = json_new_object();

	json_add_hex(o, "source", BYTES_OF(graph_node_at(g, c->node[direction])->id.v));
	json_add_hex(o, "destination", BYTES_OF(graph_node_at(g, c->node[!direction])->id.v));
	json_add_scid(o, "short_channel_id", c->scid);
	json_add_u64(o, "direction", (uint64_t)direction);
	json_add_bool(o, "public", true);
	json_add_msat(o, "amount_msat", msat_of_sat(c->capacity));
	json_add_u64(o, "message_flags", 1);
	json_add_u64(o, "channel_flags", (uint64_t)direction | (disabled ? 2 : 0));
	json_add_bool(o, "active", !disabled && !c->spent_height);
	json_add_u64(o, "last_update", p->timestamp);
	json_add_u64(o, "base_fee_millisatoshi", p->fee_base_msat);
	json_add_u64(o, "fee_per_millionth", p->fee_ppm);
	json_add_u64(o, "delay", p->cltv_delta);
	json_add_msat(o, "htlc_minimum_msat", p->htlc_minimum);
	json_add_msat(o, "htlc_maximum_msat", p->htlc_maximum);
	return o;
}

static void add_halves(json_t *list, const struct graph *g, uint32_t channel, const struct value *source,
		       const struct value *destination)
{
	const struct graph_channel *c = graph_channel_at(g, channel);

	for (int direction = 0; c && direction < 2; direction++) {
		if (!c->policy[direction].timestamp)
			continue;
		if (source && !SAME(source->u.pubkey, graph_node_at(g, c->node[direction])->id))
			continue;
		if (destination && !SAME(destination->u.pubkey, graph_node_at(g, c->node[!direction])->id))
			continue;
		json_append(list, half_json(g, c, direction));
	}
}

/* The channels of a node alone, rather than all of the network to find them. */
static void add_channels_of(json_t *list, const struct graph *g, const struct pubkey *id, const struct value *source,
			    const struct value *destination)
{
	uint32_t node = graph_find_node(g, id);

	if (node == GRAPH_NONE)
		return;
	for (uint32_t i = graph_node_at(g, node)->first; i != GRAPH_NONE; i = graph_next(graph_channel_at(g, i), node))
		add_halves(list, g, i, source, destination);
}

static json_t *listchannels(const struct methods *m, struct params *params, struct refusal *refusal)
{
	const struct value *scid = params_get(params, "short_channel_id"), *source = params_get(params, "source"),
			   *destination = params_get(params, "destination");
	const struct gossip *gossip = node_view_gossip(m->port.node);
	const struct graph *g = gossip ? gossip_graph(gossip) : NULL;
	json_t *o = json_new_object(), *list = json_new_array();
	uint32_t channel;

	(void)refusal;
	json_add(o, "channels", list);
	if (!g)
		return o;
	if (scid) {
		channel = graph_find_channel(g, scid->u.scid);
		if (channel != GRAPH_NONE)
			add_halves(list, g, channel, source, destination);
	} else if (source || destination) {
		add_channels_of(list, g, &(source ? source : destination)->u.pubkey, source, destination);
	} else {
		for (channel = 0; channel < graph_channel_limit(g); channel++)
			add_halves(list, g, channel, NULL, NULL);
	}
	return o;
}

void method_listchannels(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, listchannels);
}

/* ---- listnodes ---- */

static json_t *announced_addresses(struct bytes addresses)
{
	static const char *const types[] = { "", "ipv4", "ipv6", "torv2", "torv3", "dns" };
	struct descriptor_reader r = descriptor_reader_of(addresses);
	char text[DESCRIPTOR_TEXT_MAX];
	json_t *list = json_new_array();
	struct descriptor d;

	while (descriptor_next(&r, &d)) {
		json_t *o = json_new_object();

		descriptor_text(text, &d);
		json_add_string(o, "type", types[d.kind]);
		json_add_text(o, "address", bytes_from_string(text));
		json_add_u64(o, "port", d.port);
		json_append(list, o);
	}
	return list;
}

/* What a node says of itself: nobody vouches for it, and the alias may hold any bytes (B7.node_announcement.29). */
static void add_announcement(json_t *o, struct bytes raw)
{
	struct msg_node_announcement a;
	struct arena arena;
	size_t size = sizeof(a.alias);

	arena_init(&arena);
	if (msg_node_announcement_decode(raw, &arena, &a) == DECODE_OK) {
		while (size && a.alias[size - 1] == 0)
			size--;
		json_add_text(o, "alias", BYTES(a.alias, size));
		json_add_hex(o, "color", BYTES_OF(a.rgb_color));
		json_add_hex(o, "features", a.features);
		json_add(o, "addresses", announced_addresses(a.addresses));
	}
	arena_release(&arena);
}

static json_t *node_json(const struct methods *m, const struct graph_node *n)
{
	json_t *o = json_new_object();
	struct buf raw = BUF_EMPTY;

	json_add_hex(o, "nodeid", BYTES_OF(n->id.v));
	if (n->timestamp) {
		json_add_u64(o, "last_timestamp", n->timestamp);
		if (m->port.gossip_message && m->port.gossip_message(m->port.context, n->ref, &raw))
			add_announcement(o, buf_view(&raw));
	}
	buf_release(&raw);
	return o;
}

static json_t *listnodes(const struct methods *m, struct params *params, struct refusal *refusal)
{
	const struct value *id = params_get(params, "id");
	const struct gossip *gossip = node_view_gossip(m->port.node);
	const struct graph *g = gossip ? gossip_graph(gossip) : NULL;
	json_t *o = json_new_object(), *list = json_new_array();
	uint32_t node;

	(void)refusal;
	json_add(o, "nodes", list);
	if (!g)
		return o;
	if (id) {
		node = graph_find_node(g, &id->u.pubkey);
		if (node != GRAPH_NONE)
			json_append(list, node_json(m, graph_node_at(g, node)));
	} else {
		for (node = 0; node < graph_node_limit(g); node++)
			if (graph_node_at(g, node))
				json_append(list, node_json(m, graph_node_at(g, node)));
	}
	return o;
}

void method_listnodes(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, listnodes);
}

/* ---- getinfo ---- */

json_t *gossip_json(const struct gossip *gossip)
{
	const struct gossip_figures f = gossip_figures(gossip);
	json_t *o = json_new_object();

	json_add_u64(o, "channels", f.channels);
	json_add_u64(o, "nodes", f.nodes);
	json_add_bool(o, "synced", f.synced);
	json_add_u64(o, "sync_wanted", f.sync_wanted);
	json_add_u64(o, "verifying", f.held);
	json_add_u64(o, "awaiting_chain", f.candidates);
	json_add_u64(o, "listening_to", f.listening);
	json_add_u64(o, "accepted", f.accepted);
	json_add_u64(o, "dropped", f.over_bound + f.over_rate);
	json_add_u64(o, "log_bytes", f.log_bytes);
	return o;
}
