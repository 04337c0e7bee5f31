/* Our own channels: announcement_signatures, and what we say of them.
 *
 * Nothing of it is stored but in the log of gossip: after a restart a channel
 * that is in the graph is announced, and signatures that were exchanged without
 * effect are exchanged again.
 *
 *   ready, 6 deep, not closing:  ask our signer --> send, each time the peer is back
 *   theirs, found good, and ours --> the announcement: graph, log, everybody
 *   what it says differs from what we last said, or that is twelve days old --> a new channel_update
 */
#include <string.h>

#include "crypto/hash.h"
#include "gossip/state.h"

/* Whose answer it is that the signer gives: the channel's key and which of its questions. */
enum asked { ASKED_NODE = 0, ASKED_ANNOUNCEMENT = 1, ASKED_UPDATE = 2 };

static uint64_t owner_of(const struct own *o, enum asked what)
{
	return o->facts.key << 2 | (uint64_t)what;
}

static struct own *own_of(const struct gossip *g, uint64_t key)
{
	uint8_t be[8];

	store_be64(be, key);
	return table_get(&g->owns, BYTES_OF(be));
}

struct own *own_by_scid(const struct gossip *g, struct scid scid)
{
	const struct name *found = names_find(&g->own_names, scid.v);

	return found ? found->object : NULL;
}

static struct own *own_by_channel_id(const struct gossip *g, uint64_t connection, const struct channel_id *id)
{
	struct own *o;
	uint32_t at = 0;

	while ((o = table_next(&g->owns, &at)))
		if (o->facts.connection == connection && SAME(o->facts.channel_id, *id))
			return o;
	return NULL;
}

static bool about_to_announce(const struct own *o)
{
	return o->facts.announce && !o->announced && !o->facts.closing && o->facts.scid.v;
}

bool own_expects(const struct gossip *g, const struct pubkey *peer)
{
	const struct own *o;
	uint32_t at = 0;

	while ((o = table_next(&g->owns, &at)))
		if (about_to_announce(o) && SAME(o->facts.peer, *peer))
			return true;
	return false;
}

bool own_expects_any(const struct gossip *g)
{
	const struct own *o;
	uint32_t at = 0;

	while ((o = table_next(&g->owns, &at)))
		if (about_to_announce(o))
			return true;
	return false;
}

void own_free(struct own *o)
{
	buf_release(&o->deferred);
	buf_release(&o->update);
	buf_release(&o->unsigned_update);
	mem_free(o);
}

/* ---- The announcement ---- */

static struct own_announcement announcement_of(const struct gossip *g, const struct own *o)
{
	return (struct own_announcement){ .chain = g->config.chain, .scid = o->facts.scid,
					  .node = { g->config.node_id, o->facts.peer },
					  .funding = { o->facts.funding_local, o->facts.funding_remote } };
}

/* B7.announcement_signatures.1, .3; six confirmations are enough to be sure of. */
static bool may_announce(const struct own *o)
{
	const struct gossip_own *f = &o->facts;

	return f->announce && f->ready_sent && f->ready_received && !f->closing && f->depth >= DEPTH_MIN && f->scid.v;
}

static void ask_announcement(struct gossip *g, struct step *s, struct own *o)
{
	struct sign_request *r = step_sign_request(s, SIGN_ANNOUNCEMENT, o->facts.key, &o->facts.peer);
	struct own_announcement a = announcement_of(g, o);
	struct buf b = BUF_EMPTY;

	own_announcement_build(&a, &b);
	r->u.message = arena_bytes(&s->out->arena, channel_announcement_signed(buf_view(&b)));
	o->signed_scid = o->facts.scid;
	o->asked_announcement = true;
	effect_sign(s->out, step_ask(s, OWNER_GOSSIP, owner_of(o, ASKED_ANNOUNCEMENT)), r);
	buf_release(&b);
}

static void send_signatures(struct step *s, struct gossip_notes *out, struct own *o)
{
	struct msg_announcement_signatures m = { .channel_id = o->facts.channel_id, .short_channel_id = o->facts.scid,
						 .node_signature = o->node_signature[0],
						 .bitcoin_signature = o->funding_signature[0] };
	struct buf b = BUF_EMPTY;

	msg_announcement_signatures_encode(&m, &b);
	note_send(s, out, o->facts.connection, buf_view(&b));
	o->sent_signatures = true;
	o->reply_wanted = false;
	buf_release(&b);
}

/* B7.announcement_signatures.9 */
static void announce(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o)
{
	struct own_announcement a = announcement_of(g, o);
	struct msg_channel_announcement m;
	struct buf b = BUF_EMPTY;

	own_announcement_build(&a, &b);
	own_announcement_sign(&a, &b, o->node_signature, o->funding_signature);
	ASSERT(msg_channel_announcement_decode(buf_view(&b), &s->out->arena, &m) == DECODE_OK);
	/* INV-G4: our signatures, theirs that were verified, and a funding transaction that we followed into its block. */
	if (apply_channel(g, s, out, &m, buf_view(&b), o->facts.capacity, &o->facts.funding.txid) != GRAPH_NONE) {
		o->announced = true;
		/* The update that only the peer was to have is said anew, to everybody. */
		o->checksum = 0;
		note_add(s, out, GOSSIP_ANNOUNCED)->channel_key = o->facts.key;
		let_in(g, s, out, &m);
		log_write(s->log, LOG_INFO, "gossip", "channel %llu is announced", (unsigned long long)o->facts.key);
	}
	buf_release(&b);
}

static void advance_announcement(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o)
{
	bool wanted = o->announced ? o->reply_wanted : may_announce(o);

	/* Our own signatures are for one scid; after a reorganization they are made anew. */
	if (o->have_local && o->signed_scid.v != o->facts.scid.v)
		o->have_local = o->have_remote = o->sent_signatures = false;
	if (!wanted || !may_announce(o))
		return;
	if (!o->have_local) {
		if (!o->asked_announcement)
			ask_announcement(g, s, o);
		return;
	}
	/* B7.announcement_signatures.4, .5 */
	if (o->facts.connection && !o->sent_signatures)
		send_signatures(s, out, o);
	if (o->sent_signatures && o->have_remote && !o->announced)
		announce(g, s, out, o);
}

/* ---- announcement_signatures ---- */

static void advance(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o);

uint32_t own_checks(const struct gossip *g, const struct held *h, struct gossip_check *checks)
{
	struct own *o = own_of(g, load_be64(h->key + 1));
	struct msg_announcement_signatures m;
	struct own_announcement a;
	struct buf b = BUF_EMPTY;
	struct bytes s;
	struct arena arena;

	if (!o)
		return 0;
	arena_init(&arena);
	ASSERT(msg_announcement_signatures_decode(held_raw(h), &arena, &m) == DECODE_OK);
	arena_release(&arena);
	a = announcement_of(g, o);
	own_announcement_build(&a, &b);
	s = channel_announcement_signed(buf_view(&b));
	checks[0].hash = checks[1].hash = sha256d(s.data, s.size);
	checks[0].signature = m.node_signature;
	checks[0].key = o->facts.peer;
	checks[1].signature = m.bitcoin_signature;
	checks[1].key = o->facts.funding_remote;
	buf_release(&b);
	return 2;
}

/* Now, or once it can be judged: B7.announcement_signatures.10. */
static void handle_signatures(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o, struct bytes raw)
{
	struct msg_announcement_signatures m;
	uint8_t key[8];
	struct held *h;

	ASSERT(msg_announcement_signatures_decode(raw, &s->out->arena, &m) == DECODE_OK);
	if (!o->facts.ready_sent || !o->facts.scid.v) {
		buf_clear(&o->deferred);
		buf_add_bytes(&o->deferred, raw);
		return;
	}
	if (m.short_channel_id.v != o->facts.scid.v) {
		note_warn(s, out, o->facts.connection, "announcement_signatures: not the scid of this channel"); /* .8 */
		return;
	}
	/* Once on each connection answers every one of theirs. */
	o->reply_wanted = !o->sent_signatures;
	if (o->announced || o->have_remote) {
		advance_announcement(g, s, out, o);
		return;
	}
	store_be64(key, o->facts.key);
	h = held_new(g, o->facts.connection, HELD_SIGNATURES, raw);
	if (!h) {
		g->figures.over_bound++;
		return;
	}
	held_set_key(h, HELD_SIGNATURES, BYTES_OF(key));
	held_verify(g, h);
}

void own_signatures(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw)
{
	struct msg_announcement_signatures m;
	struct own *o;

	if (msg_announcement_signatures_decode(raw, &s->out->arena, &m) != DECODE_OK) {
		note_refuse(g, s, out, connection, "announcement_signatures: malformed");
		return;
	}
	o = own_by_channel_id(g, connection, &m.channel_id);
	if (!o) {
		note_warn(s, out, connection, "announcement_signatures: no such channel"); /* B7.announcement_signatures.8 */
		return;
	}
	handle_signatures(g, s, out, o, raw);
}

void own_verified(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h, bool good)
{
	struct own *o = own_of(g, load_be64(h->key + 1));
	struct msg_announcement_signatures m;

	ASSERT(msg_announcement_signatures_decode(held_raw(h), &s->out->arena, &m) == DECODE_OK);
	if (o && m.short_channel_id.v == o->facts.scid.v) {
		if (good) {
			o->node_signature[1] = m.node_signature;
			o->funding_signature[1] = m.bitcoin_signature;
			o->have_remote = true;
			advance(g, s, out, o);
		} else {
			note_refuse(g, s, out, h->connection, "announcement_signatures: a signature is wrong");
		}
	}
	held_free(g, h);
}

/* ---- channel_update ---- */

static int own_direction(const struct gossip *g, const struct own *o)
{
	return memcmp(g->config.node_id.v, o->facts.peer.v, sizeof(o->facts.peer.v)) < 0 ? 0 : 1;
}

/* What we would say now, but for its time.  False: nothing yet. */
static bool update_of(const struct gossip *g, const struct step *s, const struct own *o, struct own_update *u)
{
	const struct gossip_own *f = &o->facts;
	struct amount_msat most = msat_min(msat_of_sat(f->capacity), f->in_flight_max);

	memset(u, 0, sizeof(*u));
	/* B7.channel_update.1 */
	if (!f->ready_received || !f->ready_sent)
		return false;
	u->chain = g->config.chain;
	u->to_peer_only = !o->announced;
	/* B7.channel_update.2, .6 */
	u->scid = o->announced || !f->alias_remote.v ? f->scid : f->alias_remote;
	if (!u->scid.v)
		return false;
	u->node[0] = g->config.node_id;
	u->node[1] = f->peer;
	u->cltv_delta = f->cltv_delta;
	u->fee_base_msat = f->fee_base_msat;
	u->fee_ppm = f->fee_ppm;
	u->disabled = f->closing || (o->announced && !f->connection && s->now_ms >= o->away_since_ms + AWAY_MS);
	u->htlc_minimum = f->htlc_minimum;
	u->htlc_maximum = msat_min(f->htlc_maximum, most); /* B7.channel_update.9, .10 */
	if (MSAT_LESS(u->htlc_maximum, u->htlc_minimum)) {
		/* No HTLC at all can be sent: B7.channel_update.11, .16 */
		u->htlc_minimum = u->htlc_maximum;
		u->disabled = true;
	}
	return true;
}

/* B7.channel_update.19: only what is new, or would be called stale soon. */
static bool update_due(const struct step *s, const struct own *o, uint32_t checksum)
{
	return checksum != o->checksum || !o->timestamp || (o->announced && now_s(s) > o->timestamp + REFRESH_S);
}

static void ask_update(struct step *s, struct own *o, const struct own_update *u)
{
	struct sign_request *r = step_sign_request(s, SIGN_GOSSIP, o->facts.key, &o->facts.peer);

	buf_clear(&o->unsigned_update);
	own_update_build(u, &o->unsigned_update);
	r->u.message = arena_bytes(&s->out->arena, channel_update_signed(buf_view(&o->unsigned_update)));
	o->asked_update = true;
	effect_sign(s->out, step_ask(s, OWNER_GOSSIP, owner_of(o, ASKED_UPDATE)), r);
}

static void advance_update(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o)
{
	struct own_update u;
	struct buf b = BUF_EMPTY;
	uint32_t checksum;

	if (o->asked_update || !update_of(g, s, o, &u))
		return;
	u.timestamp = 1;
	own_update_build(&u, &b);
	checksum = channel_update_checksum(buf_view(&b));
	buf_release(&b);
	if (update_due(s, o, checksum)) {
		/* B7.channel_update.14 */
		u.timestamp = now_s(s) > o->timestamp ? now_s(s) : o->timestamp + 1;
		ask_update(s, o, &u);
	} else if (!o->announced && o->update.size && o->facts.connection && !o->private_sent) {
		note_send(s, out, o->facts.connection, buf_view(&o->update));
		o->private_sent = true;
	}
}

/* The first update takes the announcement along: B7.gossip_timestamp_filter.10. */
static void publish(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o, const struct msg_channel_update *m)
{
	uint32_t channel = graph_find_channel(g->graph, m->short_channel_id);
	const struct graph_channel *c;

	if (channel == GRAPH_NONE)
		return;
	apply_update(g, s, out, channel, m, buf_view(&o->update));
	c = graph_channel_at(g->graph, channel);
	if (!o->told)
		relay_own(g, s, out, c->ref);
	o->told = true;
	relay_own(g, s, out, c->policy[own_direction(g, o)].ref);
	own_node_tick(g, s, out);
}

static void update_signed(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o, const struct sig64 *signature)
{
	struct msg_channel_update m;
	struct buf b = o->update;

	own_message_sign(&o->unsigned_update, signature);
	o->update = o->unsigned_update;
	o->unsigned_update = b;
	ASSERT(msg_channel_update_decode(buf_view(&o->update), &s->out->arena, &m) == DECODE_OK);
	o->timestamp = m.timestamp;
	o->checksum = channel_update_checksum(buf_view(&o->update));
	o->private_sent = false;
	if (!(m.message_flags & UPDATE_DONT_FORWARD)) {
		publish(g, s, out, o, &m);
	} else if (o->facts.connection) {
		note_send(s, out, o->facts.connection, buf_view(&o->update)); /* B7.channel_update.4 */
		o->private_sent = true;
	}
}

bool gossip_own_policy(const struct gossip *g, uint64_t key, struct graph_policy *out)
{
	const struct own *o = own_of(g, key);
	struct msg_channel_update m;
	struct arena a;
	bool good;

	if (!o)
		return false;
	/* After a restart only the graph has what was said to everybody. */
	if (o->announced) {
		uint32_t channel = graph_find_channel(g->graph, o->facts.scid);

		if (channel == GRAPH_NONE)
			return false;
		*out = graph_channel_at(g->graph, channel)->policy[own_direction(g, o)];
		return out->timestamp != 0;
	}
	if (!o->update.size)
		return false;
	arena_init(&a);
	good = msg_channel_update_decode(buf_view(&o->update), &a, &m) == DECODE_OK;
	if (good)
		*out = channel_update_policy(&m, buf_view(&o->update));
	arena_release(&a);
	return good;
}

/* ---- Facts ---- */

static void advance(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o)
{
	advance_announcement(g, s, out, o);
	advance_update(g, s, out, o);
}

/* What the log knows of it. */
static void recall(struct gossip *g, struct own *o)
{
	uint32_t channel = o->facts.scid.v ? graph_find_channel(g->graph, o->facts.scid) : GRAPH_NONE;
	const struct graph_policy *p;

	if (channel == GRAPH_NONE || o->announced)
		return;
	o->announced = o->told = true;
	p = &graph_channel_at(g->graph, channel)->policy[own_direction(g, o)];
	o->timestamp = p->timestamp;
	o->checksum = p->timestamp ? p->checksum : 0;
	o->told = p->timestamp != 0;
}

static void facts_changed(struct step *s, struct own *o, const struct gossip_own *now)
{
	/* Reorganized into another place (or spliced): what was announced is another channel to the world. */
	if (o->facts.scid.v != now->scid.v)
		o->announced = o->told = false;
	if (o->facts.connection != now->connection) {
		o->sent_signatures = o->private_sent = o->reply_wanted = false;
		if (!now->connection)
			o->away_since_ms = s->now_ms;
		/* Signatures that were being verified, or waited, come again (B7.announcement_signatures.4). */
		buf_clear(&o->deferred);
	}
	memcpy(&o->facts, now, sizeof(o->facts)); /* with its padding: facts are compared byte by byte */
}

void gossip_own_set(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_own *facts)
{
	struct own *o = own_of(g, facts->key);
	struct buf deferred = BUF_EMPTY;

	/* Told after every message of a channel: most of the time nothing that matters here has changed. */
	if (o && memcmp(&o->facts, facts, sizeof(*facts)) == 0)
		return;
	if (!o) {
		o = NEW(struct own);
		store_be64(o->key, facts->key);
		o->away_since_ms = s->now_ms;
		o->facts.key = facts->key;
		table_add(&g->owns, o);
	}
	facts_changed(s, o, facts);
	names_set(&g->own_names, &o->names[0], o, o->facts.scid.v);
	names_set(&g->own_names, &o->names[1], o, o->facts.alias_local.v);
	recall(g, o);
	if (o->deferred.size && o->facts.ready_sent && o->facts.scid.v) {
		deferred = o->deferred;
		o->deferred = BUF_EMPTY;
		handle_signatures(g, s, out, o, buf_view(&deferred));
		buf_release(&deferred);
	}
	advance(g, s, out, o);
}

void gossip_own_gone(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t key)
{
	struct own *o = own_of(g, key);

	(void)s;
	(void)out;
	if (!o)
		return;
	ASSERT(table_remove(&g->owns, BYTES_OF(o->key)) == o);
	names_set(&g->own_names, &o->names[0], o, 0);
	names_set(&g->own_names, &o->names[1], o, 0);
	own_free(o);
}

void gossip_signed(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t owner, const struct sign_answer *answer)
{
	struct own *o = own_of(g, owner >> 2);

	if (answer->refused)
		log_write(s->log, LOG_ERROR, "gossip", "the signer will not sign gossip: %s", answer->reason);
	if ((owner & 3) == ASKED_NODE) {
		own_node_signed(g, s, out, answer);
		return;
	}
	if (!o)
		return;
	/* A refusal is not asked about again before a restart: asked_* stays. */
	if (answer->refused)
		return;
	if ((owner & 3) == ASKED_ANNOUNCEMENT) {
		o->asked_announcement = false;
		o->have_local = o->signed_scid.v == o->facts.scid.v;
		o->node_signature[0] = answer->signature;
		o->funding_signature[0] = answer->signature2;
	} else {
		o->asked_update = false;
		update_signed(g, s, out, o, &answer->signature);
	}
	advance(g, s, out, o);
}

void own_check(const struct gossip *g)
{
	const struct own *o;
	uint32_t at = 0;

	while ((o = table_next(&g->owns, &at))) {
		ASSERT(name_number(&o->names[0]) == o->facts.scid.v && name_number(&o->names[1]) == o->facts.alias_local.v);
		ASSERT(!o->facts.scid.v || own_by_scid(g, o->facts.scid));
	}
}

void own_tick(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct own *o;
	uint32_t at = 0;

	while ((o = table_next(&g->owns, &at)))
		advance(g, s, out, o);
	own_node_tick(g, s, out);
}
