/* channel_announcement, channel_update and node_announcement: what is let in.
 *
 * Each message is judged twice: when it comes, by what costs nothing, and again
 * after its signatures were found good, because the graph may have moved on. */
#include <string.h>

#include "gossip/state.h"
#include "wire/descriptor.h"

enum verdict {
	IGNORE,
	REFUSE, /* `why` says what is wrong with it: warn and hang up */
	PARK,   /* its channel is a candidate */
	VERIFY, /* or, the second time: take it */
};

static bool our_chain(const struct gossip *g, const struct block_hash *chain)
{
	return SAME(*chain, g->config.chain);
}

static bool take(struct gossip *g, struct held *h, struct bytes key)
{
	if (!h) {
		g->figures.over_bound++;
		return false;
	}
	memcpy(h->key, key.data, key.size);
	h->key_size = (uint8_t)key.size;
	return true;
}

/* An update or a node_announcement: waits for its channel, or for a thread that verifies it. */
static void hold(struct gossip *g, enum held_kind kind, uint64_t connection, struct bytes raw, struct bytes key,
		 enum verdict verdict)
{
	struct held *h = held_new(g, connection, kind, raw);

	if (!take(g, h, key))
		return;
	if (verdict == PARK)
		held_park(g, h);
	else
		held_verify(g, h);
}

/* ---- channel_announcement ---- */

static enum verdict judge_channel(const struct gossip *g, const struct step *s, const struct msg_channel_announcement *m,
				  bool *conflict, const char **why)
{
	uint32_t channel = graph_find_channel(g->graph, m->short_channel_id);
	uint8_t key[HELD_KEY_MAX];

	*conflict = false;
	if (!our_chain(g, &m->chain_hash)) /* B7.channel_announcement.18 */
		return IGNORE;
	if (memcmp(m->node_id_1.v, m->node_id_2.v, sizeof(m->node_id_1.v)) >= 0) {
		*why = "channel_announcement: node ids not in order";
		return REFUSE;
	}
	/* B7.channel_announcement.19: near enough waits in the lookup for the blocks that we do not have yet. */
	if (scid_height(m->short_channel_id) + DEPTH_MIN - 1 > s->height + DEPTH_SLACK)
		return IGNORE;
	/* B7.channel_announcement.22 */
	if (blacklist_has(&g->blacklist, &m->node_id_1) || blacklist_has(&g->blacklist, &m->node_id_2))
		return IGNORE;
	/* Ours are announced by us, from what we know of them. */
	if (SAME(m->node_id_1, g->config.node_id) || SAME(m->node_id_2, g->config.node_id))
		return IGNORE;
	if (table_get(&g->candidates, held_key_of_scid(key, HELD_CHANNEL, m->short_channel_id, 0)))
		return IGNORE;
	if (channel != GRAPH_NONE) {
		const struct graph_channel *c = graph_channel_at(g->graph, channel);

		if (SAME(graph_node_at(g->graph, c->node[0])->id, m->node_id_1) &&
		    SAME(graph_node_at(g->graph, c->node[1])->id, m->node_id_2))
			return IGNORE;
		*conflict = true;
		return VERIFY;
	}
	/* B7.channel_announcement.21 */
	if (tombs_get(&g->tombs, tombs_name(&g->tombs, m->short_channel_id, &m->bitcoin_key_1, &m->bitcoin_key_2)) == TOMB_INVALID)
		return IGNORE;
	switch (tombs_get(&g->tombs, m->short_channel_id)) {
	case TOMB_SPENT:
	case TOMB_INVALID:
		return IGNORE;
	case TOMB_NONE:
	case TOMB_STALE:
		break;
	}
	return VERIFY;
}

void ingest_channel(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw)
{
	struct msg_channel_announcement m;
	uint8_t key[HELD_KEY_MAX];
	const char *why = NULL;
	struct held *h;
	bool conflict;

	if (msg_channel_announcement_decode(raw, &s->out->arena, &m) != DECODE_OK) {
		note_refuse(g, s, out, connection, "channel_announcement: malformed");
		return;
	}
	switch (judge_channel(g, s, &m, &conflict, &why)) {
	case REFUSE:
		note_refuse(g, s, out, connection, why);
		return;
	case IGNORE:
	case PARK:
		g->figures.ignored++;
		return;
	case VERIFY:
		break;
	}
	if (table_count(&g->candidates) >= CANDIDATES_MAX) {
		g->figures.over_bound++;
		return;
	}
	h = held_new(g, connection, HELD_CHANNEL, raw);
	if (!take(g, h, held_key_of_scid(key, HELD_CHANNEL, m.short_channel_id, 0)))
		return;
	h->conflict = conflict;
	funding_expect(g, h, m.short_channel_id);
	held_verify(g, h);
}

uint32_t channel_flags(const struct gossip *g, const struct msg_channel_announcement *m)
{
	uint32_t flags = m->features.size ? GRAPH_FEATURES : 0;

	if (features_unknown_even(m->features)) /* B7.channel_announcement.16 */
		flags |= GRAPH_UNKNOWN_FEATURE;
	if (SAME(m->node_id_1, g->config.node_id) || SAME(m->node_id_2, g->config.node_id))
		flags |= GRAPH_OWN;
	return flags;
}

uint32_t apply_channel(struct gossip *g, struct step *s, struct gossip_notes *out, const struct msg_channel_announcement *m,
		       struct bytes raw, struct amount_sat capacity, const struct txid *txid)
{
	struct outpoint funding = { *txid, scid_output(m->short_channel_id) };
	struct graph_new_channel new = { .scid = m->short_channel_id, .node_id = { &m->node_id_1, &m->node_id_2 },
					 .capacity = capacity, .funding = funding_hash(g, &funding),
					 .flags = channel_flags(g, m) };
	struct buf fixed = BUF_EMPTY;
	uint32_t channel;

	channel = graph_add_channel(g->graph, &new);
	if (channel == GRAPH_NONE) {
		g->figures.over_bound++;
		return channel;
	}
	buf_add_be64(&fixed, capacity.v);
	buf_add(&fixed, txid->v, 32);
	/* B7.channel_announcement.25, B7.rebroadcasting.2 */
	graph_set_channel_ref(g->graph, channel, store_append(g, s, out, LOG_CHANNEL, buf_view(&fixed), raw));
	buf_release(&fixed);
	order_add(&g->order, m->short_channel_id);
	tombs_remove(&g->tombs, m->short_channel_id);
	spent_drop(g, s, m->short_channel_id);
	g->figures.accepted++;
	return channel;
}

/* ---- channel_update ---- */

/* What an origin may still send once this update is taken; false if it has sent too much already.  The origin's own
 * timestamps fill it up again, so that whoever speaks of the past gains nothing; and our clock, for the last of what
 * was refused (overdue.c). */
static bool allowance_after(uint8_t allowance, uint32_t last, uint32_t now, uint8_t *left)
{
	uint32_t more = last ? (now - last) / ALLOWANCE_S : ALLOWANCE_MAX;
	uint32_t have = more >= ALLOWANCE_MAX ? ALLOWANCE_MAX : allowance + more;

	if (have > ALLOWANCE_MAX)
		have = ALLOWANCE_MAX;
	if (have == 0)
		return false;
	*left = (uint8_t)(have - 1);
	return true;
}

static enum verdict judge_known_update(struct gossip *g, const struct step *s, const struct graph_channel *c,
				       const struct msg_channel_update *m)
{
	int direction = m->channel_flags & UPDATE_DIRECTION;
	const struct graph_policy *p = &c->policy[direction];
	uint32_t now = now_s(s);
	uint8_t left;

	/* Our own word comes from us. */
	if ((c->flags & GRAPH_OWN) && SAME(graph_node_at(g->graph, c->node[direction])->id, g->config.node_id))
		return IGNORE;

	/* B7.channel_update.22 */
	if (c->spent_height && !(m->channel_flags & UPDATE_DISABLE))
		return IGNORE;
	/* B7.channel_update.28, .29: equal is either the same again or somebody's mistake. */
	if (m->timestamp <= p->timestamp)
		return IGNORE;
	if (m->timestamp > now && m->timestamp - now > FUTURE_S)
		return IGNORE;
	if (m->timestamp < now && now - m->timestamp > STALE_S)
		return IGNORE;
	if (!(c->flags & GRAPH_OWN) && !allowance_after(p->allowance, p->timestamp, m->timestamp, &left)) {
		g->figures.over_rate++;
		overdue_put(g, s, graph_find_channel(g->graph, c->scid) << 2 | (uint32_t)(1 + direction), m->timestamp);
		return IGNORE;
	}
	return VERIFY;
}

/* For a channel of ours that the world does not know: from the peer itself, about its own direction. */
static enum verdict judge_private_update(const struct gossip *g, const struct own *o, uint64_t connection,
					 const struct msg_channel_update *m)
{
	int direction = memcmp(o->facts.peer.v, g->config.node_id.v, sizeof(o->facts.peer.v)) < 0 ? 0 : 1;

	if (o->facts.connection != connection || (m->channel_flags & UPDATE_DIRECTION) != direction ||
	    m->timestamp <= o->peer_timestamp)
		return IGNORE;
	return VERIFY;
}

static enum verdict judge_update(struct gossip *g, const struct step *s, uint64_t connection,
				 const struct msg_channel_update *m)
{
	struct own *o;
	uint32_t channel = graph_find_channel(g->graph, m->short_channel_id);
	uint8_t key[HELD_KEY_MAX];

	if (!our_chain(g, &m->chain_hash)) /* B7.channel_update.27 */
		return IGNORE;
	if (m->timestamp == 0)
		return IGNORE;
	if (channel != GRAPH_NONE)
		return judge_known_update(g, s, graph_channel_at(g->graph, channel), m);
	o = own_by_scid(g, m->short_channel_id);
	/* The peer may have announced the channel a moment before us, and speaks to the world already. */
	if (o && !(m->message_flags & UPDATE_DONT_FORWARD) && m->short_channel_id.v == o->facts.scid.v &&
	    own_expects(g, &o->facts.peer))
		return PARK;
	if (o) /* B7.channel_update.24 */
		return judge_private_update(g, o, connection, m);
	/* B7.channel_update.21 */
	if (table_get(&g->candidates, held_key_of_scid(key, HELD_CHANNEL, m->short_channel_id, 0)))
		return PARK;
	if (!(m->message_flags & UPDATE_DONT_FORWARD) && tombs_get(&g->tombs, m->short_channel_id) < TOMB_SPENT)
		sync_curious(g, m->short_channel_id);
	return IGNORE;
}

static uint32_t timestamp_of(const struct held *h)
{
	struct cursor c;

	/* Behind type, signature, chain_hash, scid. */
	if (h->kind == HELD_UPDATE)
		return load_be32(h->raw + 2 + 64 + 32 + 8);
	ASSERT(h->kind == HELD_NODE);
	c = cursor_of(BYTES(h->raw + 66, h->size - 66));
	(void)cursor_bytes(&c, cursor_be16(&c));
	return cursor_be32(&c);
}

/* That very message waits already, or the same peer has said something as new.  What another peer says is no reason while
 * nobody knows whether it is true: made up, with a time of tomorrow, it would keep the true one out. */
static bool makes_late(const struct held *other, uint64_t connection, struct bytes raw, uint32_t timestamp)
{
	return bytes_equal(held_raw(other), raw) || (other->connection == connection && timestamp_of(other) >= timestamp);
}

static bool is_late(const struct gossip *g, enum verdict verdict, struct bytes key, uint64_t connection, struct bytes raw,
		    uint32_t timestamp)
{
	const struct held *other = table_get(verdict == PARK ? &g->parked : &g->verifying, key);

	if (verdict != PARK)
		return other && makes_late(other, connection, raw, timestamp);
	for (; other; other = other->next)
		if (makes_late(other, connection, raw, timestamp))
			return true;
	return false;
}

void ingest_update(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw)
{
	struct msg_channel_update m;
	uint8_t key_place[HELD_KEY_MAX];
	enum verdict verdict;
	struct bytes key;

	if (msg_channel_update_decode(raw, &s->out->arena, &m) != DECODE_OK) {
		note_refuse(g, s, out, connection, "channel_update: malformed");
		return;
	}
	verdict = judge_update(g, s, connection, &m);
	key = held_key_of_scid(key_place, HELD_UPDATE, m.short_channel_id, m.channel_flags & UPDATE_DIRECTION);
	if ((verdict != VERIFY && verdict != PARK) || is_late(g, verdict, key, connection, raw, m.timestamp)) {
		g->figures.ignored++;
		return;
	}
	hold(g, HELD_UPDATE, connection, raw, key, verdict);
}

void apply_update(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t channel,
		  const struct msg_channel_update *m, struct bytes raw)
{
	const struct graph_channel *c = graph_channel_at(g->graph, channel);
	int direction = m->channel_flags & UPDATE_DIRECTION;
	struct graph_policy p = channel_update_policy(m, raw);
	const struct graph_policy *last = &c->policy[direction];
	bool first = !c->policy[0].timestamp && !c->policy[1].timestamp;

	if (last->timestamp)
		store_dead(g, (uint32_t)raw.size + LOG_RECORD_HEADER);
	p.allowance = ALLOWANCE_MAX - 1;
	if (!allowance_after(last->allowance, last->timestamp, m->timestamp, &p.allowance))
		p.allowance = 0;
	p.ref = store_append(g, s, out, LOG_UPDATE, BYTES_NONE, raw);
	graph_set_policy(g->graph, channel, direction, &p); /* B7.rebroadcasting.1 */
	g->figures.accepted++;
	/* Nobody is told what is meant for the peer alone; what is ours, own.c tells everybody at once. */
	if ((m->message_flags & UPDATE_DONT_FORWARD) ||
	    SAME(graph_node_at(g->graph, c->node[direction])->id, g->config.node_id))
		return;
	/* B7.gossip_timestamp_filter.9, B7.gossip_timestamp_filter.10: with its first update a channel may be told of,
	 * and it goes first. */
	if (first)
		relay_push(g, channel << 2, c->ref);
	relay_push(g, channel << 2 | (uint32_t)(1 + direction), p.ref); /* B7.channel_update.30, B7.channel_announcement.23 */
}

/* ---- node_announcement ---- */

/* B7.node_announcement.25; sets what the graph remembers of the addresses. */
static bool read_addresses(struct bytes addresses, uint8_t *flags)
{
	struct descriptor_reader r = descriptor_reader_of(addresses);
	struct descriptor d;

	while (descriptor_next(&r, &d))
		;
	if (r.more_names)
		*flags |= GRAPH_NODE_NOT_FORWARDED;
	return !descriptor_reader_failed(&r);
}

uint8_t node_flags(const struct msg_node_announcement *m)
{
	uint8_t flags = features_unknown_even(m->features) ? GRAPH_NODE_UNKNOWN_FEATURE : 0;

	(void)read_addresses(m->addresses, &flags);
	return flags; /* B7.node_announcement.21, .22, .23 */
}

static enum verdict judge_node(struct gossip *g, const struct step *s, const struct msg_node_announcement *m, const char **why)
{
	uint32_t node = graph_find_node(g->graph, &m->node_id), now = now_s(s);
	const struct graph_node *n;
	uint8_t flags = 0, left;

	if (m->timestamp > now && m->timestamp - now > FUTURE_S)
		return IGNORE;
	if (!read_addresses(m->addresses, &flags)) {
		*why = "node_announcement: addresses cut short";
		return REFUSE;
	}
	if (SAME(m->node_id, g->config.node_id) || blacklist_has(&g->blacklist, &m->node_id))
		return IGNORE;
	/* B7.node_announcement.27: only with a channel, or one on its way. */
	if (node == GRAPH_NONE)
		return table_count(&g->candidates) || own_expects(g, &m->node_id) ? PARK : IGNORE;
	n = graph_node_at(g->graph, node);
	if (m->timestamp <= n->timestamp)
		return IGNORE;
	if (!allowance_after(n->allowance, n->timestamp, m->timestamp, &left)) {
		g->figures.over_rate++;
		overdue_put(g, s, node << 2 | 3, m->timestamp);
		return IGNORE;
	}
	return VERIFY;
}

void ingest_node(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw)
{
	struct msg_node_announcement m;
	uint8_t key_place[HELD_KEY_MAX];
	const char *why = NULL;
	enum verdict verdict;
	struct bytes key;

	if (msg_node_announcement_decode(raw, &s->out->arena, &m) != DECODE_OK) {
		note_refuse(g, s, out, connection, "node_announcement: malformed");
		return;
	}
	verdict = judge_node(g, s, &m, &why);
	if (verdict == REFUSE) {
		note_refuse(g, s, out, connection, why);
		return;
	}
	key = held_key_of_node(key_place, &m.node_id);
	if (verdict == IGNORE || is_late(g, verdict, key, connection, raw, m.timestamp)) {
		g->figures.ignored++;
		return;
	}
	hold(g, HELD_NODE, connection, raw, key, verdict);
}

void apply_node(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t node,
		const struct msg_node_announcement *m, struct bytes raw)
{
	const struct graph_node *n = graph_node_at(g->graph, node);
	struct graph_announcement a = { .features = features_low(m->features), .timestamp = m->timestamp,
					.allowance = ALLOWANCE_MAX - 1 };

	if (n->timestamp)
		store_dead(g, (uint32_t)raw.size + LOG_RECORD_HEADER);
	if (!allowance_after(n->allowance, n->timestamp, m->timestamp, &a.allowance))
		a.allowance = 0;
	a.flags = node_flags(m);
	a.ref = store_append(g, s, out, LOG_NODE, BYTES_NONE, raw);
	graph_set_node(g->graph, node, &a);
	g->figures.accepted++;
	/* B7.node_announcement.32; ours is told by own_node.c. */
	if (!(a.flags & GRAPH_NODE_NOT_FORWARDED) && !SAME(m->node_id, g->config.node_id))
		relay_push(g, node << 2 | 3, a.ref); /* B7.node_announcement.28 */
}

/* ---- After the verification ---- */

/* Its channel came. */
void ingest_parked(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h)
{
	for (struct held *next; h; h = next) {
		next = h->next;
		if (h->kind == HELD_UPDATE)
			ingest_update(g, s, out, h->connection, held_raw(h));
		else
			ingest_node(g, s, out, h->connection, held_raw(h));
		held_free(g, h);
	}
}

static void verified_channel(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h, bool good)
{
	struct scid scid = held_scid(h);

	if (good) {
		funding_want(g, s, h, scid);
		return;
	}
	/* B7.channel_announcement.20, B7.channel_announcement.21, B7.channel_announcement.15 */
	note_refuse(g, s, out, h->connection, "channel_announcement: a signature is wrong");
	funding_drop(g, h, scid);
	/* A true one may have come meanwhile. */
	sync_curious(g, scid);
}

/* What the peer of a channel of ours asks for, before the world knows of that channel or without its ever knowing. */
static void learn_peer_policy(struct step *s, struct gossip_notes *out, struct own *o, const struct msg_channel_update *m,
			      struct bytes raw)
{
	struct gossip_note *n = note_add(s, out, GOSSIP_PEER_POLICY);

	o->peer_timestamp = m->timestamp;
	n->channel_key = o->facts.key;
	n->policy = channel_update_policy(m, raw);
}

static void verified_update(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h, bool good)
{
	struct msg_channel_update m;
	uint32_t channel;
	struct own *o;

	ASSERT(msg_channel_update_decode(held_raw(h), &s->out->arena, &m) == DECODE_OK);
	if (!good) {
		/* B7.channel_update.25, B7.channel_update.26 */
		note_refuse(g, s, out, h->connection, "channel_update: the signature is wrong");
	} else if (judge_update(g, s, h->connection, &m) == VERIFY) {
		channel = graph_find_channel(g->graph, m.short_channel_id);
		o = own_by_scid(g, m.short_channel_id);
		if (channel != GRAPH_NONE)
			apply_update(g, s, out, channel, &m, held_raw(h));
		sync_useful(g, h->connection);
		if (o)
			learn_peer_policy(s, out, o, &m, held_raw(h));
	}
	held_free(g, h);
}

static void verified_node(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h, bool good)
{
	struct msg_node_announcement m;
	const char *why = NULL;

	ASSERT(msg_node_announcement_decode(held_raw(h), &s->out->arena, &m) == DECODE_OK);
	if (!good) {
		/* B7.node_announcement.17 to .20: a key that is none verifies nothing. */
		note_refuse(g, s, out, h->connection, "node_announcement: the signature is wrong");
	} else if (judge_node(g, s, &m, &why) == VERIFY) {
		apply_node(g, s, out, graph_find_node(g->graph, &m.node_id), &m, held_raw(h));
		sync_useful(g, h->connection);
	}
	held_free(g, h);
}

void ingest_verified(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h, bool good)
{
	switch (h->kind) {
	case HELD_CHANNEL:
		verified_channel(g, s, out, h, good);
		return;
	case HELD_UPDATE:
		verified_update(g, s, out, h, good);
		return;
	case HELD_NODE:
		verified_node(g, s, out, h, good);
		return;
	case HELD_SIGNATURES:
		own_verified(g, s, out, h, good);
		return;
	}
	UNREACHABLE();
}
