/* What we say of our own channels: the latest channel_update of each, told to the world or to the peer alone, renewed when
 * it says something new, and at hand for the failures of payments that did not know it.
 *
 * Two of them may exist.  An unannounced channel goes by the alias of the peer towards the peer, and by ours towards
 * whoever pays through it: what is in a failure must name the channel as the onion did (B4.failure_messages.41).  So
 * the same words are signed once more with our alias, at once and not when a payment fails: how often that happens is
 * for others to choose. */
#include <string.h>

#include "gossip/state.h"

int own_direction(const struct gossip *g, const struct own *o)
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
	u->disabled = f->closing || (o->announced && !f->connection && s->now_ms >= o->away_since_ms + g->config.away_ms);
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
	effect_sign(s->out, step_ask(s, OWNER_GOSSIP, own_owner(o, ASKED_UPDATE)), r);
}

static void advance_said(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o)
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

void own_update_signed(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o, const struct sig64 *signature)
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
	const struct own *o = own_by_key(g, key);
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

/* ---- As the failures of payments name it ---- */

static struct scid update_scid(struct bytes raw)
{
	ASSERT(raw.size >= UPDATE_SCID_AT + 8);
	return (struct scid){ load_be64(raw.data + UPDATE_SCID_AT) };
}

/* The same, whoever signed it. */
static bool same_words(struct bytes one, struct bytes other)
{
	return one.size && other.size && bytes_equal(channel_update_signed(one), channel_update_signed(other));
}

/* An announced channel is paid through by its place in the chain, and the update for the world says that. */
static void advance_by_alias(struct step *s, struct own *o)
{
	struct sign_request *r;
	struct buf b = BUF_EMPTY;

	if (o->announced)
		buf_clear(&o->by_alias);
	if (o->announced || o->asked_by_alias || o->asked_update || !o->update.size || !o->facts.alias_local.v)
		return;
	buf_add_bytes(&b, buf_view(&o->update));
	store_be64(b.data + UPDATE_SCID_AT, o->facts.alias_local.v);
	if (!same_words(buf_view(&b), buf_view(&o->by_alias))) {
		r = step_sign_request(s, SIGN_GOSSIP, o->facts.key, &o->facts.peer);
		r->u.message = arena_bytes(&s->out->arena, channel_update_signed(buf_view(&b)));
		o->asked_by_alias = true;
		effect_sign(s->out, step_ask(s, OWNER_GOSSIP, own_owner(o, ASKED_BY_ALIAS)), r);
		buf_release(&o->unsigned_by_alias);
		o->unsigned_by_alias = b;
	} else {
		buf_release(&b);
	}
}

void own_by_alias_signed(struct own *o, const struct sig64 *signature)
{
	struct buf b = o->by_alias;

	own_message_sign(&o->unsigned_by_alias, signature);
	o->by_alias = o->unsigned_by_alias;
	o->unsigned_by_alias = b;
}

void own_update_advance(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o)
{
	advance_said(g, s, out, o);
	advance_by_alias(s, o);
}

struct bytes gossip_own_update(const struct gossip *g, uint64_t key, struct scid scid)
{
	const struct own *o = own_by_key(g, key);

	if (o && o->update.size && update_scid(buf_view(&o->update)).v == scid.v)
		return buf_view(&o->update);
	if (o && o->by_alias.size && update_scid(buf_view(&o->by_alias)).v == scid.v)
		return buf_view(&o->by_alias);
	return BYTES_NONE;
}

/* ---- The log at start ---- */

static struct bytes loaded_key(const void *p)
{
	return BYTES_OF(((const struct own_loaded *)p)->key);
}

void own_loaded_init(struct gossip *g)
{
	table_init(&g->own_loaded, loaded_key, g->seed);
}

static void loaded_free(struct own_loaded *l)
{
	buf_release(&l->update);
	mem_free(l);
}

void own_loaded_release(struct gossip *g)
{
	struct own_loaded *l;
	uint32_t at = 0;

	while ((l = table_next(&g->own_loaded, &at)))
		loaded_free(l);
	table_release(&g->own_loaded);
}

void own_update_loaded(struct gossip *g, struct scid scid, struct bytes raw)
{
	uint8_t key[8];
	struct own_loaded *l;

	store_be64(key, scid.v);
	l = table_get(&g->own_loaded, BYTES_OF(key));
	if (!l) {
		l = NEW(struct own_loaded);
		memcpy(l->key, key, sizeof(key));
		table_add(&g->own_loaded, l);
	}
	buf_clear(&l->update);
	buf_add_bytes(&l->update, raw);
}

void own_update_recall(struct gossip *g, struct own *o)
{
	uint8_t key[8];
	struct own_loaded *l;

	store_be64(key, o->facts.scid.v);
	l = table_remove(&g->own_loaded, BYTES_OF(key));
	if (!l)
		return;
	buf_clear(&o->update);
	buf_add_bytes(&o->update, buf_view(&l->update));
	loaded_free(l);
}
