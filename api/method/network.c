/* listchannels, networkchannels, listnodes: the network as gossip tells it. */
#include "api/method/walk.h"

#include "gossip/gossip.h"
#include "wire/descriptor.h"

/* What a channel is announced with: hardly any has features, so only these are looked up in the log. */
static void add_channel_features(json_t *o, const struct methods *m, const struct graph_channel *c)
{
	struct msg_channel_announcement a = { .features = BYTES_NONE };
	struct buf raw = BUF_EMPTY;
	struct arena arena;

	arena_init(&arena);
	if ((c->flags & GRAPH_FEATURES) && m->port.gossip_message && m->port.gossip_message(m->port.context, c->ref, &raw) &&
	    msg_channel_announcement_decode(buf_view(&raw), &arena, &a) != DECODE_OK)
		a.features = BYTES_NONE;
	json_add_hex(o, "features", a.features);
	arena_release(&arena);
	buf_release(&raw);
}

/* One direction of a channel, as Core Lightning shows it. */
static json_t *half_json(const struct methods *m, const struct graph *g, const struct graph_channel *c, int direction)
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
	add_channel_features(o, m, c);
	return o;
}

/* ---- Walking over the network ---- */

/* Of one piece: entries shown, and things looked at to find them. */
#define SHOWN_MAX 64u
#define SEEN_MAX 8192u

struct piece {
	uint32_t shown, seen;
};

MUST_USE static bool piece_full(const struct piece *p)
{
	return p->shown >= SHOWN_MAX || p->seen >= SEEN_MAX;
}

static const struct graph *graph_of(const struct methods *m)
{
	const struct gossip *gossip = node_view_gossip(m->port.node);

	return gossip ? gossip_graph(gossip) : NULL;
}

/* A node that the call names, anew for each piece: numbers are given again when a node is gone.  False: nobody knows it. */
MUST_USE static bool node_wanted(const struct graph *g, const struct value *id, uint32_t *node)
{
	*node = id ? graph_find_node(g, &id->u.pubkey) : GRAPH_NONE;
	return !id || *node != GRAPH_NONE;
}

/* ---- listchannels ---- */

static void show_halves(const struct methods *m, struct lampo_call *call, const struct graph *g, uint32_t channel, uint32_t source,
			uint32_t destination, struct piece *p)
{
	const struct graph_channel *c = graph_channel_at(g, channel);

	p->seen++;
	for (int direction = 0; c && direction < 2; direction++) {
		if (!c->policy[direction].timestamp || (source != GRAPH_NONE && source != c->node[direction]) ||
		    (destination != GRAPH_NONE && destination != c->node[!direction]))
			continue;
		rpc_list_add(call, half_json(m, g, c, direction));
		p->shown++;
	}
}

static bool channels_piece(const struct methods *m, struct params *params, struct lampo_call *call, uint32_t *at)
{
	const struct value *scid = params_get(params, "short_channel_id");
	const struct graph *g = graph_of(m);
	struct piece p = { 0 };
	uint32_t source, destination, channel;

	if (!g || !node_wanted(g, params_get(params, "source"), &source) ||
	    !node_wanted(g, params_get(params, "destination"), &destination))
		return false;
	if (scid) {
		channel = graph_find_channel(g, scid->u.scid);
		if (channel != GRAPH_NONE)
			show_halves(m, call, g, channel, source, destination, &p);
		return false;
	}
	for (; *at < graph_channel_limit(g) && !piece_full(&p); (*at)++)
		show_halves(m, call, g, *at, source, destination, &p);
	return *at < graph_channel_limit(g);
}

void method_listchannels(void *context, struct lampo_call *call, struct params *params)
{
	walk_ask(context, call, params, "channels", channels_piece);
}

/* ---- networkchannels ---- */

static json_t *channel_of_network(const struct graph *g, const struct graph_channel *c)
{
	json_t *o = json_new_object();

	json_add_hex(o, "node_one", BYTES_OF(graph_node_at(g, c->node[0])->id.v));
	json_add_hex(o, "node_two", BYTES_OF(graph_node_at(g, c->node[1])->id.v));
	json_add_scid(o, "short_channel_id", c->scid);
	json_add_msat(o, "amount_msat", msat_of_sat(c->capacity));
	return o;
}

static bool network_piece(const struct methods *m, struct params *params, struct lampo_call *call, uint32_t *at)
{
	const struct graph *g = graph_of(m);
	struct piece p = { 0 };

	(void)params;
	for (; g && *at < graph_channel_limit(g) && !piece_full(&p); (*at)++, p.seen++) {
		if (!graph_channel_at(g, *at))
			continue;
		rpc_list_add(call, channel_of_network(g, graph_channel_at(g, *at)));
		p.shown++;
	}
	return g && *at < graph_channel_limit(g);
}

void method_networkchannels(void *context, struct lampo_call *call, struct params *params)
{
	walk_ask(context, call, params, "channels", network_piece);
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

static bool nodes_piece(const struct methods *m, struct params *params, struct lampo_call *call, uint32_t *at)
{
	const struct graph *g = graph_of(m);
	struct piece p = { 0 };
	uint32_t wanted;

	if (!g || !node_wanted(g, params_get(params, "id"), &wanted))
		return false;
	if (wanted != GRAPH_NONE) {
		rpc_list_add(call, node_json(m, graph_node_at(g, wanted)));
		return false;
	}
	for (; *at < graph_node_limit(g) && !piece_full(&p); (*at)++, p.seen++) {
		if (!graph_node_at(g, *at))
			continue;
		rpc_list_add(call, node_json(m, graph_node_at(g, *at)));
		p.shown++;
	}
	return *at < graph_node_limit(g);
}

void method_listnodes(void *context, struct lampo_call *call, struct params *params)
{
	walk_ask(context, call, params, "nodes", nodes_piece);
}

/* ---- getinfo ---- */

json_t *gossip_json(const struct gossip *gossip)
{
	const struct gossip_figures f = gossip_figures(gossip);
	json_t *o = json_new_object();

	json_add_u64(o, "channels", f.channels);
	json_add_u64(o, "nodes", f.nodes);
	json_add_bool(o, "synced", f.synced);
	json_add_bool(o, "syncing", f.syncing);
	json_add_u64(o, "sync_asked", f.sync_asked);
	json_add_u64(o, "sync_wanted", f.sync_wanted);
	json_add_u64(o, "verifying", f.held);
	json_add_u64(o, "awaiting_chain", f.candidates);
	json_add_u64(o, "listening_to", f.listening);
	json_add_u64(o, "accepted", f.accepted);
	json_add_u64(o, "deferred", f.deferred);
	json_add_u64(o, "dropped", f.over_bound + f.over_rate);
	json_add_u64(o, "log_bytes", f.log_bytes);
	return o;
}
