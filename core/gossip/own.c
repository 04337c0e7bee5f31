/* Our own channels: announcement_signatures, and what we say of them.
 *
 * Nothing of it is stored but in the log of gossip: after a restart a channel
 * that is in the graph is announced, and signatures that were exchanged without
 * effect are exchanged again.
 *
 *   ready, 6 deep, not closing:  ask our signer --> send, each time the peer is back
 *   theirs, found good, and ours --> the announcement: graph, log, everybody
 *   what it says differs from what we last said, or that is twelve days old --> a new channel_update (own_update.c)
 */
#include <string.h>

#include "crypto/hash.h"
#include "gossip/state.h"

uint64_t own_owner(const struct own *o, enum own_asked what)
{
	return o->facts.key << 2 | (uint64_t)what;
}

struct own *own_by_key(const struct gossip *g, uint64_t key)
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
	buf_release(&o->by_alias);
	buf_release(&o->unsigned_by_alias);
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
	effect_sign(s->out, step_ask(s, OWNER_GOSSIP, own_owner(o, ASKED_ANNOUNCEMENT)), r);
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
	struct own *o = own_by_key(g, load_be64(h->key + 1));
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

static bool can_judge(const struct gossip_own *f)
{
	return f->ready_sent && f->scid.v;
}

/* Now, or once it can be judged: B7.announcement_signatures.10. */
static void handle_signatures(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o, struct bytes raw)
{
	struct msg_announcement_signatures m;
	uint8_t key[8];
	struct held *h;

	ASSERT(msg_announcement_signatures_decode(raw, &s->out->arena, &m) == DECODE_OK);
	/* A peer that has seen the channel move (a reorganization, one day a splice) may be quicker than we are: what is of no
	 * funding transaction that we know of is kept until there is one (B7.announcement_signatures.11). */
	if (!can_judge(&o->facts) || m.short_channel_id.v != o->facts.scid.v) {
		if (can_judge(&o->facts)) /* B7.announcement_signatures.8 */
			note_warn(s, out, o->facts.connection, "announcement_signatures: not the scid of this channel");
		buf_clear(&o->deferred);
		buf_add_bytes(&o->deferred, raw);
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
	struct own *o = own_by_key(g, load_be64(h->key + 1));
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

/* ---- Facts ---- */

static void advance(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o)
{
	advance_announcement(g, s, out, o);
	own_update_advance(g, s, out, o);
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
	own_update_recall(g, o);
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
	/* B7.announcement_signatures.7 */
	if (now->signatures_wanted && !(o->facts.signatures_wanted && o->facts.connection == now->connection))
		o->reply_wanted = !o->sent_signatures;
	memcpy(&o->facts, now, sizeof(o->facts)); /* with its padding: facts are compared byte by byte */
}

void gossip_own_set(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_own *facts)
{
	struct own *o = own_by_key(g, facts->key);
	struct buf deferred = BUF_EMPTY;
	bool again;

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
	again = !can_judge(&o->facts) || o->facts.scid.v != facts->scid.v;
	facts_changed(s, o, facts);
	names_set(&g->own_names, &o->names[0], o, o->facts.scid.v);
	names_set(&g->own_names, &o->names[1], o, o->facts.alias_local.v);
	recall(g, o);
	if (again && o->deferred.size && can_judge(&o->facts)) {
		deferred = o->deferred;
		o->deferred = BUF_EMPTY;
		handle_signatures(g, s, out, o, buf_view(&deferred));
		buf_release(&deferred);
	}
	advance(g, s, out, o);
}

void gossip_own_gone(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t key)
{
	struct own *o = own_by_key(g, key);

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
	struct own *o = own_by_key(g, owner >> 2);

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
	} else if ((owner & 3) == ASKED_UPDATE) {
		o->asked_update = false;
		own_update_signed(g, s, out, o, &answer->signature);
	} else {
		o->asked_by_alias = false;
		own_by_alias_signed(o, &answer->signature);
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
