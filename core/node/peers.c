/* Connections, and which peer each belongs to. */
#include "node/state.h"

#include <string.h>

#include "wire/message.h"

struct node_peer *node_peer_get(const struct node *n, const struct pubkey *id)
{
	return table_get(&n->peers, BYTES_OF(id->v));
}

struct node_peer *node_peer_make(struct node *n, const struct pubkey *id)
{
	struct node_peer *p = node_peer_get(n, id);

	if (p)
		return p;
	p = NEW(struct node_peer);
	p->peer = peer_new(id);
	node_storage_init(p);
	table_add(&n->peers, p);
	return p;
}

void node_peer_persist(struct step *s, const struct node_peer *p)
{
	struct buf b = BUF_EMPTY;

	peer_encode(p->peer, &b);
	effect_persist(s->out, RECORD_PEER, BYTES_OF(p->peer->id.v), buf_view(&b));
	buf_release(&b);
}

struct node_peer *node_peer_by_connection(const struct node *n, uint64_t connection)
{
	uint8_t key[8];

	store_be64(key, connection);
	return table_get(&n->connections, BYTES_OF(key));
}

static void detach(struct node *n, struct node_peer *p)
{
	ASSERT(p->connected && table_remove(&n->connections, BYTES_OF(p->connection_key)) == p);
	p->connected = false;
}

static void notify_peer(struct step *s, enum notify_kind kind, const struct pubkey *id, const char *text)
{
	struct effect *f = effect_add(s->out, EFFECT_NOTIFY);

	f->u.notify.kind = kind;
	f->u.notify.peer = *id;
	f->u.notify.text = text;
}

/* The connection is over, or never was good: the channels that talked over it hear so. */
static void left(struct node *n, struct step *s, struct node_peer *p, const char *why)
{
	bool was_ready = p->peer->state == PEER_READY;
	uint64_t connection = p->peer->connection;

	detach(n, p);
	n->some_left = true;
	peer_disconnected(p->peer, s, &n->peer_policy);
	node_storage_disconnected(p);
	for (struct node_channel *c = p->channels, *next; c; c = next) {
		struct channel_notes notes;

		next = c->next;
		channel_notes_init(&notes);
		channel_disconnected(c->channel, s, &notes);
		node_touch(n, c); /* the flush tells gossip that nobody can use it */
		node_route(n, s, &notes);
	}
	if (was_ready) {
		node_gossip_peer_left(n, s, connection);
		notify_peer(s, NOTIFY_DISCONNECTED, &p->peer->id, why);
	}
}

void node_hang_up(struct node *n, struct step *s, struct node_peer *p, const char *why)
{
	static const struct channel_id everything;
	char id[67];

	if (!p->connected)
		return;
	hex_encode(id, p->peer->id.v, 33);
	log_write(s->log, LOG_INFO, "peer", "%s: hanging up: %s", id, why);
	peer_send_warning(p->peer, s, &everything, why);
	effect_disconnect(s->out, p->peer->connection);
	left(n, s, p, why);
	node_calls_peer_gone(n, s, &p->peer->id, REPLY_CONNECT_GONE, why);
}

/* A peer that we owe nothing and that nobody asked for is forgotten when it has left.  Addresses that we called
 * ourselves stay: they make `connect ID` work. */
void node_forget_strangers(struct node *n)
{
	uint32_t at = 0;
	struct node_peer *p;

	if (!n->some_left)
		return;
	n->some_left = false;
	while ((p = table_next(&n->peers, &at))) {
		if (p->connected || p->channels || p->peer->keep || p->peer->dialing || p->peer->has_address
		    || p->storage.has)
			continue;
		ASSERT(table_remove(&n->peers, BYTES_OF(p->peer->id.v)) == p);
		node_storage_release(p);
		peer_free(p->peer);
		mem_free(p);
	}
}

/* Its money is in a block, or ours: nobody pays for such a channel only to use up room. */
bool node_channel_is_funded(const struct node_channel *c)
{
	const struct channel_record *r = channel_record_of(c->channel);

	return r->opener == SIDE_LOCAL || r->funding_height || r->state >= CHANNELD_NORMAL;
}

static bool is_stranger(const struct node_peer *p)
{
	for (const struct node_channel *c = p ? p->channels : NULL; c; c = c->next)
		if (node_channel_is_funded(c))
			return false;
	return true;
}

static uint32_t strangers_connected(const struct node *n)
{
	uint32_t at = 0, count = 0;
	const struct node_peer *p;

	while ((p = table_next(&n->connections, &at)))
		count += is_stranger(p);
	return count;
}

void node_on_connected(struct node *n, struct step *s, const struct event *e)
{
	struct node_peer *p = node_peer_get(n, &e->u.connected.peer);
	bool us = SAME(e->u.connected.peer, n->config->node_id);

	if (us || (is_stranger(p) && !(p && p->connected) && !e->u.connected.outbound &&
		   strangers_connected(n) >= n->config->peers_max)) {
		log_write(s->log, LOG_INFO, "peer", us ? "refused a connection to ourselves" : "refused a connection: too many peers");
		effect_disconnect(s->out, e->u.connected.connection);
		return;
	}
	p = node_peer_make(n, &e->u.connected.peer);
	if (p->connected) {
		/* BOLT 1 allows one connection: the newer one is the one that still works.  Calls go on over it. */
		effect_disconnect(s->out, p->peer->connection);
		left(n, s, p, "a newer connection took its place");
	}
	peer_connected(p->peer, s, &n->peer_policy, e->u.connected.connection, e->u.connected.outbound,
		       e->u.connected.host, e->u.connected.port);
	store_be64(p->connection_key, e->u.connected.connection);
	table_add(&n->connections, p);
	p->connected = true;
	node_storage_connected(s, p);
}

void node_on_connect_failed(struct node *n, struct step *s, const struct event *e)
{
	struct node_peer *p = node_peer_get(n, &e->u.connect_failed.peer);

	if (!p || !p->peer->dialing)
		return;
	peer_dial_failed(p->peer, s, &n->peer_policy);
	n->some_left = true;
	node_calls_peer_gone(n, s, &e->u.connect_failed.peer, REPLY_CONNECT_FAILED, e->u.connect_failed.reason);
}

void node_on_disconnected(struct node *n, struct step *s, const struct event *e)
{
	struct node_peer *p = node_peer_by_connection(n, e->u.disconnected.connection);

	if (!p)
		return;
	left(n, s, p, e->u.disconnected.reason);
	node_calls_peer_gone(n, s, &p->peer->id, REPLY_CONNECT_GONE, e->u.disconnected.reason);
}

static void peer_ready(struct node *n, struct step *s, struct node_peer *p)
{
	p->peer->keep |= p->channels != NULL;
	if (p->peer->keep)
		node_peer_persist(s, p);
	node_backup_address(n, p);
	node_storage_ready(n, s, p);
	notify_peer(s, NOTIFY_CONNECTED, &p->peer->id, p->peer->host);
	node_gossip_peer_ready(n, s, p);
	for (struct node_channel *c = p->channels, *next; c && p->connected; c = next) {
		struct channel_notes notes;

		next = c->next;
		if (c->dead)
			continue;
		channel_notes_init(&notes);
		channel_connected(c->channel, s, &notes, p->peer->connection, n->peer_policy.features,
				  buf_view(&p->peer->features));
		node_touch(n, c);
		node_route(n, s, &notes);
	}
	if (p->connected) /* else a channel had a reason to hang up */
		node_calls_peer_ready(n, s, p);
}

/* lnd says this of a channel when it is told to stop in the middle of an update, and comes back with the channel in
 * good order (lnd issue 7628; still so in 0.21).  Who goes to the chain for it loses a channel with each restart of
 * the peer.  If the peer means it, its own commitment is in the chain soon, and we see that. */
static bool means_come_back(const struct peer_result *r)
{
	return strcmp(r->text, "internal error") == 0;
}

/* BOLT 1: all zero means every channel of the peer. */
static void take_error(struct node *n, struct step *s, struct node_peer *p, const struct peer_result *r)
{
	bool all = bytes_all_zero(BYTES_OF(r->channel.v));
	char id[67];

	hex_encode(id, p->peer->id.v, 33);
	log_write(s->log, LOG_WARN, "peer", "%s said error: %s", id, r->text);
	/* A departure from B1.error_warning.10: the next connection begins with channel_reestablish. */
	if (!all && means_come_back(r)) {
		node_hang_up(n, s, p, "the peer has an internal error");
		return;
	}
	for (struct node_channel *c = p->channels, *next; c; c = next) {
		struct channel_notes notes;

		next = c->next;
		if (c->dead || (!all && !SAME(*channel_id_of(c->channel), r->channel))) /* B1.error_warning.12 */
			continue;
		channel_notes_init(&notes);
		channel_peer_error(c->channel, s, &notes, r->text); /* B1.error_warning.9, 10 */
		node_touch(n, c);
		node_route(n, s, &notes);
	}
	if (all)
		node_calls_peer_gone(n, s, &p->peer->id, REPLY_CONNECT_GONE, r->text);
}

static void take_warning(struct step *s, const struct node_peer *p, const struct peer_result *r)
{
	char id[67];

	hex_encode(id, p->peer->id.v, 33);
	log_write(s->log, LOG_WARN, "peer", "%s said warning: %s", id, r->text); /* B1.error_warning.11 */
}

static void take_passed(struct node *n, struct step *s, struct node_peer *p, uint16_t type, struct bytes message)
{
	if (type == MSG_PEER_STORAGE)
		node_storage_received(n, s, p, message);
	else if (type == MSG_PEER_STORAGE_RETRIEVAL)
		node_storage_retrieved(n, s, p, message);
	else if (node_gossip_takes(n, type))
		node_gossip_message(n, s, p, type, message);
	else
		node_channel_message(n, s, p, type, message);
}

void node_peer_message(struct node *n, struct step *s, struct node_peer *p, struct bytes message)
{
	struct peer_result r = peer_message(p->peer, s, &n->peer_policy, message);

	switch (r.verdict) {
	case PEER_DONE:
		return;
	case PEER_BECAME_READY:
		peer_ready(n, s, p);
		return;
	case PEER_PASS:
		take_passed(n, s, p, r.type, message);
		return;
	case PEER_ERROR:
		take_error(n, s, p, &r);
		return;
	case PEER_WARNING:
		take_warning(s, p, &r);
		return;
	case PEER_HANG_UP:
		node_hang_up(n, s, p, r.text);
		return;
	}
	UNREACHABLE();
}

void node_on_message(struct node *n, struct step *s, const struct event *e)
{
	struct node_peer *p = node_peer_by_connection(n, e->u.message.connection);

	if (!p) /* It was on its way when we hung up. */
		return;
	if (!node_storage_holds(n, s, p, e->u.message.message))
		node_peer_message(n, s, p, e->u.message.message);
}

void node_peers_tick(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_peer *p;

	while ((p = table_next(&n->peers, &at))) {
		struct peer_result r;

		if (peer_deadline(p->peer, &n->peer_policy) > s->now_ms)
			continue;
		r = peer_tick(p->peer, s, &n->peer_policy);
		if (r.verdict == PEER_HANG_UP) {
			node_hang_up(n, s, p, r.text);
		} else if (p->peer->state == PEER_AWAY && p->peer->keep && p->peer->dial_at_ms <= s->now_ms) {
			/* False only without an address: then it is for the other side to call. */
			if (!peer_dial(p->peer, s, NULL, 0))
				p->peer->dial_at_ms = UINT64_MAX;
		}
	}
}

uint64_t node_peers_deadline(const struct node *n)
{
	uint64_t first = UINT64_MAX;
	uint32_t at = 0;
	const struct node_peer *p;

	while ((p = table_next(&n->peers, &at))) {
		uint64_t t = peer_deadline(p->peer, &n->peer_policy);

		if (t < first)
			first = t;
	}
	return first;
}
