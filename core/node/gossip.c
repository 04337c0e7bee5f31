/* Gossip among the other machines: whose messages it gets, what it hears of our channels and of the chain, and its
 * orders on their way to the edge. */
#include <string.h>

#include "gossip/gossip.h"
#include "node/state.h"
#include "node/view.h"
#include "peer/address.h"
#include "wire/descriptor.h"

#define ANNOUNCE_MAX 16u

/* ---- What our node_announcement says ---- */

/* Appends in any order; what is neither a literal that others could dial nor a name is left out. */
static void add_address(struct buf *out, const struct node_address *a)
{
	uint8_t onion[DESCRIPTOR_TOR_V3_SIZE];
	struct descriptor d = { .port = a->port };

	if (address_descriptor(out, a->host, a->port))
		return;
	if (descriptor_onion_decode(onion, a->host)) {
		d.kind = DESCRIPTOR_TOR_V3;
		d.host = BYTES_OF(onion);
	} else {
		d.kind = DESCRIPTOR_DNS;
		d.host = bytes_from_string(a->host);
		/* Digits, dots and colons only: an address that was not good enough above, and no name. */
		if (strspn(a->host, "0123456789abcdefABCDEF.:") == strlen(a->host))
			return;
	}
	if (descriptor_announceable(&d))
		descriptor_encode(&d, out);
}

static void fill_addresses(struct node *n)
{
	struct descriptor list[ANNOUNCE_MAX];
	struct descriptor_reader r;
	struct buf any = BUF_EMPTY;
	uint32_t count = 0;

	for (uint32_t i = 0; i < n->config->announce_count && i < ANNOUNCE_MAX; i++)
		add_address(&any, &n->config->announce[i]);
	r = descriptor_reader_of(buf_view(&any));
	while (count < ANNOUNCE_MAX && descriptor_next(&r, &list[count]))
		count++;
	(void)descriptor_list_encode(list, count, &n->gossip_addresses);
	buf_release(&any);
}

void node_gossip_init(struct node *n)
{
	struct gossip_config c = {
		.chain = n->config->network->genesis,
		.node_id = n->config->node_id,
		.gather_ms = 1000,
		.sync = true,
		.dead_max = n->config->gossip_dead_max,
		.away_ms = n->config->disable_after_ms,
		.features = buf_view(&n->features_node),
		.alias = bytes_from_string(n->config->alias),
	};
	uint8_t seed[32];

	if (!n->config->gossip)
		return;
	fill_addresses(n);
	c.addresses = buf_view(&n->gossip_addresses);
	memcpy(c.rgb, n->config->color, sizeof(c.rgb));
	drbg_fill(&n->entropy, seed, sizeof(seed));
	n->gossip = gossip_new(&c, seed);
}

void node_gossip_free(struct node *n)
{
	gossip_free(n->gossip);
	buf_release(&n->gossip_addresses);
}

bool node_load_gossip(struct node *n, uint32_t ref, struct bytes record)
{
	struct arena a; /* announcements are read as views: it stays empty */
	bool good;

	arena_init(&a);
	good = gossip_load(n->gossip, &a, ref, record);
	arena_release(&a);
	return good;
}

/* A node that does not gossip has no use for it, and keeps it for when it does. */
bool node_load_spent(struct node *n, struct bytes key, struct bytes value)
{
	return !n->gossip || gossip_load_spent(n->gossip, key, value);
}

void node_gossip_loaded(struct node *n, uint32_t end)
{
	gossip_loaded(n->gossip, end);
}

/* ---- Its orders ---- */

static void route(struct node *n, struct step *s, struct gossip_notes *notes)
{
	for (const struct gossip_note *note = notes->head; note; note = note->next) {
		struct node_peer *p;

		switch (note->kind) {
		case GOSSIP_SEND:
		case GOSSIP_SEND_STORED:
		case GOSSIP_VERIFY:
		case GOSSIP_LOOKUP:
		case GOSSIP_STORE:
		case GOSSIP_COMPACT:
			effect_add(s->out, EFFECT_GOSSIP)->u.gossip = note;
			break;
		case GOSSIP_HANG_UP:
			p = node_peer_by_connection(n, note->connection);
			if (p)
				node_hang_up(n, s, p, note->text);
			break;
		case GOSSIP_PEER_POLICY: {
			struct node_channel *c = node_channel_by_key(n, note->channel_key);

			if (c) {
				c->peer_policy = note->policy;
				c->has_peer_policy = true;
			}
			break;
		}
		case GOSSIP_ANNOUNCED:
			break;
		}
	}
}

void node_gossip_answered(struct node *n, struct step *s, const struct gossip_answer *a)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	gossip_answer(n->gossip, s, &notes, a);
	route(n, s, &notes);
}

void node_gossip_signed(struct node *n, struct step *s, uint64_t owner, const struct sign_answer *a)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	gossip_signed(n->gossip, s, &notes, owner, a);
	route(n, s, &notes);
}

/* ---- Peers ---- */

bool node_gossip_takes(const struct node *n, uint16_t type)
{
	return n->gossip && type >= MSG_CHANNEL_ANNOUNCEMENT && type <= MSG_GOSSIP_TIMESTAMP_FILTER;
}

void node_gossip_message(struct node *n, struct step *s, const struct node_peer *p, uint16_t type, struct bytes message)
{
	struct gossip_notes notes = { 0 };

	/* These two are about channels of ours with this peer, and may have come in one read with the
	 * channel_reestablish or channel_ready that they rest on: the flush has not told of it yet. */
	if (type == MSG_CHANNEL_UPDATE || type == MSG_ANNOUNCEMENT_SIGNATURES)
		for (const struct node_channel *c = p->channels; c; c = c->next)
			node_gossip_channel(n, s, c);
	gossip_message(n->gossip, s, &notes, p->peer->connection, message);
	route(n, s, &notes);
}

void node_gossip_peer_ready(struct node *n, struct step *s, const struct node_peer *p)
{
	/* A peer of other networks alone was hung up on: B1.init. */
	struct gossip_link link = { .connection = p->peer->connection, .id = p->peer->id,
				    .features = buf_view(&p->peer->features) };
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	gossip_peer_up(n->gossip, s, &notes, &link);
	route(n, s, &notes);
}

void node_gossip_peer_left(struct node *n, struct step *s, uint64_t connection)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	gossip_peer_down(n->gossip, s, &notes, connection);
	route(n, s, &notes);
}

/* ---- Our channels ---- */

static void tell_channel(struct node *n, struct step *s, const struct node_channel *c, struct gossip_notes *notes)
{
	const struct channel_record *r = channel_record_of(c->channel);
	const struct forward_policy p = node_channel_policy(n, c);
	struct gossip_own o;

	/* Compared as a whole by who gets it. */
	memset(&o, 0, sizeof(o));
	o.key = r->key;
	o.connection = channel_is_connected(c->channel) ? c->peer->peer->connection : 0;
	o.channel_id = r->id;
	o.peer = r->peer;
	o.funding_local = r->side[SIDE_LOCAL].points.funding;
	o.funding_remote = r->side[SIDE_REMOTE].points.funding;
	o.scid = r->scid;
	o.alias_local = r->alias_local;
	o.alias_remote = r->alias_remote;
	o.funding = r->funding;
	o.capacity = r->funding_amount;
	o.depth = r->funding_height && n->height >= r->funding_height ? n->height - r->funding_height + 1 : 0;
	/* Deeper makes no difference, and a change of nothing is no news. */
	o.depth = o.depth > 6 ? 6 : o.depth;
	o.announce = r->announce;
	o.ready_sent = r->ready_sent;
	o.ready_received = r->ready_received;
	o.signatures_wanted = channel_signatures_wanted(c->channel);
	o.closing = r->state > CHANNELD_NORMAL;
	o.cltv_delta = (uint16_t)p.cltv_delta;
	o.fee_base_msat = (uint32_t)p.fee_base.v;
	o.fee_ppm = p.fee_ppm;
	o.htlc_minimum = p.htlc_min;
	o.htlc_maximum = p.htlc_max;
	o.in_flight_max = r->side[SIDE_REMOTE].max_in_flight;
	gossip_own_set(n->gossip, s, notes, &o);
}

void node_gossip_channel(struct node *n, struct step *s, const struct node_channel *c)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip || c->dead || channel_record_of(c->channel)->state == OPENINGD)
		return;
	tell_channel(n, s, c, &notes);
	route(n, s, &notes);
}

void node_gossip_channel_gone(struct node *n, struct step *s, uint64_t key)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	gossip_own_gone(n->gossip, s, &notes, key);
	route(n, s, &notes);
}

static void tell_channels(struct node *n, struct step *s)
{
	struct node_channel *c;
	uint32_t at = 0;

	while ((c = table_next(&n->channels, &at)))
		node_gossip_channel(n, s, c);
}

/* ---- The chain ---- */

void node_gossip_block(struct node *n, struct step *s, const struct event *e)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	for (uint32_t i = 0; i < e->u.block.spent_count; i++)
		gossip_spent(n->gossip, s, &notes, &e->u.block.spent[i]);
	gossip_block(n->gossip, s, &notes);
	route(n, s, &notes);
	tell_channels(n, s);
}

void node_gossip_undone(struct node *n, struct step *s, uint32_t height)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	gossip_block_undone(n->gossip, s, &notes, height);
	route(n, s, &notes);
	tell_channels(n, s);
}

/* ---- Time ---- */

void node_gossip_start(struct node *n, struct step *s)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	tell_channels(n, s);
	/* What should have gone by this height may have come back: the log had lost its end. */
	gossip_block(n->gossip, s, &notes);
	route(n, s, &notes);
}

void node_gossip_flush(struct node *n, struct step *s)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	gossip_flush(n->gossip, s, &notes);
	route(n, s, &notes);
}

void node_gossip_tick(struct node *n, struct step *s)
{
	struct gossip_notes notes = { 0 };

	if (!n->gossip)
		return;
	gossip_tick(n->gossip, s, &notes);
	route(n, s, &notes);
}

uint64_t node_gossip_deadline(const struct node *n)
{
	return n->gossip ? gossip_deadline(n->gossip) : UINT64_MAX;
}

/* ---- Views ---- */

bool node_view_own_policy(const struct node *n, const struct channel *ch, struct graph_policy *out)
{
	return n->gossip && gossip_own_policy(n->gossip, channel_key(ch), out);
}

bool node_view_peer_policy(const struct node *n, const struct channel *ch, struct graph_policy *out)
{
	const struct node_channel *c = node_channel_by_key(n, channel_key(ch));
	const struct channel_record *r = channel_record_of(ch);
	const struct graph *g;
	uint32_t channel;
	int direction;

	if (c && c->has_peer_policy) {
		*out = c->peer_policy;
		return true;
	}
	if (!n->gossip)
		return false;
	/* From the log, after a restart. */
	g = gossip_graph(n->gossip);
	channel = graph_find_channel(g, r->scid);
	if (channel == GRAPH_NONE)
		return false;
	direction = memcmp(r->peer.v, n->config->node_id.v, sizeof(r->peer.v)) < 0 ? 0 : 1;
	*out = graph_channel_at(g, channel)->policy[direction];
	return out->timestamp != 0;
}
