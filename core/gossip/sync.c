/* Asking: one peer at a time for all it knows, a few for what is new.
 *
 * After a start SYNC_PEERS peers are asked for everything, one after the other,
 * each chosen at random among those that offer gossip_queries and were not asked
 * yet; later one of them every SYNC_AGAIN_MS.  A sync is a range query, then the
 * channels that we lack, in ascending order and cut at the borders of blocks, as
 * fast as they can be verified.
 *
 *   IDLE --a peer, and time--> RANGE --last reply--> QUERY --nothing left--> IDLE
 *   RANGE, QUERY --silence for REPLY_TIMEOUT_MS, nonsense, disconnected--> IDLE, another peer
 *   QUERY --the first is not answered for MUTE_MS--> IDLE, a filter for all there is, another peer
 *
 * LDK answers no query_short_channel_ids, whatever it offers: what it knows it says when it is sent a filter.
 *
 * News is taken from LISTENERS_MAX peers, once there has been a sync; every
 * ROTATE_MS the one that brought least of it makes room for another. */
#include <string.h>

#include "crypto/cipher.h"
#include "gossip/state.h"

static uint32_t pick(struct step *s, uint32_t count)
{
	uint32_t r;

	drbg_fill(s->entropy, &r, sizeof(r));
	return r % count;
}

/* ---- In the log ---- */

static void tell_peer(const struct step *s, enum log_level level, const char *what, const struct gossip_peer *p)
{
	char id[67];

	hex_encode(id, p->id.v, sizeof(p->id.v));
	log_write(s->log, level, "gossip", "%s %s", what, id);
}

static void tell_progress(struct gossip *g, const struct step *s)
{
	struct sync *y = &g->sync;

	if (y->curiosity || s->now_ms < y->told_ms + SYNC_TOLD_MS)
		return;
	y->told_ms = s->now_ms;
	log_write(s->log, LOG_INFO, "gossip", "sync %u: asked for %u of %u channels; known are %u, and %u wait to be verified or for the chain",
		  y->rounds + 1, y->wanted_at, y->wanted_count, graph_channel_count(g->graph), table_count(&g->candidates));
}

static void tell_end(struct gossip *g, const struct step *s)
{
	log_write(s->log, LOG_INFO, "gossip", "sync %u is done: %u channels, %u nodes; %u more wait to be verified or for the chain",
		  g->sync.rounds, graph_channel_count(g->graph), graph_node_count(g->graph), table_count(&g->candidates));
	g->sync.settling = true;
}

/* Once the chain has answered for the last of them. */
static void tell_deferred(struct gossip *g, const struct step *s)
{
	uint64_t deferred = g->figures.deferred - g->sync.deferred;

	if (!g->sync.settling || table_count(&g->candidates))
		return;
	g->sync.settling = false;
	g->sync.deferred = g->figures.deferred;
	if (deferred)
		log_write(s->log, LOG_WARN, "gossip",
			  "%llu channels are left out: the chain source could not show the block of their funding output, or was away (a "
			  "pruned node has no old blocks); they are asked for again in a later sync", (unsigned long long)deferred);
}

/* ---- Whom to listen to ---- */

enum listening { LISTEN_NOT, LISTEN_NEWS, LISTEN_ALL };

static void send_filter(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, enum listening to)
{
	struct msg_gossip_timestamp_filter m = { .chain_hash = g->config.chain, .first_timestamp = UINT32_MAX };
	struct buf b = BUF_EMPTY;

	/* Closed: B7.gossip_timestamp_filter.2; B7.gossip_timestamp_filter.1 */
	if (to != LISTEN_NOT) {
		m.first_timestamp = to == LISTEN_NEWS && now_s(s) > LISTEN_BACK_S ? now_s(s) - LISTEN_BACK_S : 0;
		m.timestamp_range = UINT32_MAX;
	}
	msg_gossip_timestamp_filter_encode(&m, &b);
	note_send(s, out, p->connection, buf_view(&b));
	buf_release(&b);
	p->listening = to != LISTEN_NOT;
	p->useful = 0;
}

static uint32_t listeners(const struct gossip *g)
{
	struct gossip_peer *p;
	uint32_t at = 0, count = 0;

	while ((p = table_next(&g->peers, &at)))
		count += p->listening;
	return count;
}

static bool may_ask(const struct gossip_peer *p)
{
	return p->queries && !p->other_chain;
}

/* One at random among those for which want is true; NULL. */
static struct gossip_peer *choose(const struct gossip *g, struct step *s, bool (*want)(const struct gossip_peer *p))
{
	struct gossip_peer *p;
	uint32_t at = 0, count = 0, nth;

	while ((p = table_next(&g->peers, &at)))
		count += want(p);
	if (!count)
		return NULL;
	nth = pick(s, count);
	at = 0;
	while ((p = table_next(&g->peers, &at)))
		if (want(p) && nth-- == 0)
			return p;
	UNREACHABLE();
}

static bool could_listen(const struct gossip_peer *p)
{
	return may_ask(p) && !p->listening;
}

static bool could_ask(const struct gossip_peer *p)
{
	return may_ask(p) && !p->tried && !p->mute;
}

static bool listens(const struct gossip_peer *p)
{
	return p->listening && !p->mute;
}

/* What is news to somebody who knows nothing is everything: first the sync, which comes in an order and at a pace. */
static bool time_to_listen(const struct gossip *g, const struct step *s)
{
	return g->sync.rounds > 0 || s->now_ms >= g->sync.listen_ms;
}

static void rotate(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct gossip_peer *p, *least = NULL, *other;
	uint32_t at = 0, have = listeners(g);

	if (!time_to_listen(g, s))
		return;

	while (have < LISTENERS_MAX && (other = choose(g, s, could_listen))) {
		tell_peer(s, LOG_DEBUG, "listening to", other);
		send_filter(g, s, out, other, LISTEN_NEWS);
		have++;
	}
	if (s->now_ms < g->sync.rotate_ms)
		return;
	g->sync.rotate_ms = s->now_ms + ROTATE_MS;
	other = choose(g, s, could_listen);
	if (!other)
		return;
	while ((p = table_next(&g->peers, &at)))
		if (p->listening && (!least || p->useful < least->useful))
			least = p;
	tell_peer(s, LOG_DEBUG, "the peer that brought least is listened to no more:", least);
	tell_peer(s, LOG_DEBUG, "in its place", other);
	send_filter(g, s, out, least, LISTEN_NOT);
	send_filter(g, s, out, other, LISTEN_NEWS);
	at = 0;
	while ((p = table_next(&g->peers, &at)))
		p->useful = 0;
}

void sync_useful(struct gossip *g, uint64_t connection)
{
	struct gossip_peer *p = peer_of(g, connection);

	if (p)
		p->useful++;
}

/* ---- Life of a sync ---- */

static void end_sync(struct gossip *g, struct step *s, bool well)
{
	struct sync *y = &g->sync;
	struct gossip_peer *p = peer_of(g, y->connection);

	if (p && !y->curiosity)
		p->tried = true;
	if (well && !y->curiosity) {
		y->rounds++;
		tell_end(g, s);
	}
	y->phase = SYNC_IDLE;
	y->done_ms = s->now_ms;
	y->lost = g->figures.over_bound;
	y->open = false;
	y->connection = 0;
	mem_free(y->wanted);
	y->wanted = NULL;
	y->wanted_count = y->wanted_capacity = y->wanted_at = 0;
	y->again_ms = s->now_ms + SYNC_RETRY_MS;
}

static void begin(struct gossip *g, struct step *s, struct gossip_peer *p, enum sync_phase phase)
{
	g->sync.phase = phase;
	g->sync.connection = p->connection;
	g->sync.deadline_ms = s->now_ms + REPLY_TIMEOUT_MS;
	g->sync.curiosity = phase == SYNC_QUERY;
	g->sync.answered = false;
	g->sync.replies = 0;
	g->sync.range_first = 0;
}

static void begin_range(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	uint64_t options = RANGE_TIMESTAMPS | RANGE_CHECKSUMS;
	/* B7.query_channel_range_reply_channel_range.3, .4, .5 */
	struct msg_query_channel_range m = { .chain_hash = g->config.chain, .number_of_blocks = UINT32_MAX };
	struct buf b = BUF_EMPTY;

	begin(g, s, p, SYNC_RANGE);
	g->sync.away = g->figures.away;
	g->sync.told_ms = s->now_ms;
	tell_peer(s, LOG_INFO, "asking for all it knows:", p);
	g->sync.range_end = UINT32_MAX;
	m.tlvs.query_option = p->queries_ex ? &options : NULL;
	msg_query_channel_range_encode(&m, &b);
	note_send(s, out, p->connection, buf_view(&b));
	buf_release(&b);
}

/* ---- What to ask for ---- */

static void want(struct sync *y, struct scid scid, uint8_t flags)
{
	if (y->wanted_count >= WANTED_MAX)
		return;
	if (y->wanted_count == y->wanted_capacity) {
		y->wanted_capacity += 1024 + y->wanted_capacity / 2;
		y->wanted = mem_realloc(y->wanted, y->wanted_capacity, sizeof(*y->wanted));
	}
	y->wanted[y->wanted_count++] = (struct wanted){ scid, flags };
}

static bool is_fresh(uint32_t timestamp, uint32_t now)
{
	return timestamp && (timestamp >= now || now - timestamp <= STALE_S);
}

/* Whether the peer's update is worth a question: newer, and other than ours or ours getting old. */
static bool update_wanted(const struct graph_policy *p, uint32_t timestamp, const uint32_t *checksum, uint32_t now)
{
	if (timestamp <= p->timestamp || !is_fresh(timestamp, now) || (timestamp > now && timestamp - now > FUTURE_S))
		return false;
	return !p->timestamp || !checksum || *checksum != p->checksum || now - p->timestamp > STALE_S / 2;
}

/* Nodes of the channel that have never announced themselves to us, each by the channel that leads its list: asked for
 * now and then, for nothing else would bring what was missed once. */
static uint8_t silent_nodes(const struct gossip *g, uint32_t channel)
{
	const struct graph_channel *c = graph_channel_at(g->graph, channel);
	uint8_t flags = 0;

	for (int side = 0; side < 2; side++) {
		const struct graph_node *n = graph_node_at(g->graph, c->node[side]);

		if (!n->timestamp && n->first == channel && !SAME(n->id, g->config.node_id))
			flags |= (uint8_t)(side ? QUERY_NODE_2 : QUERY_NODE_1);
	}
	return flags;
}

/* times, sums: of both directions; NULL: not told. */
static void consider(struct gossip *g, const struct step *s, struct scid scid, const uint32_t *times, const uint32_t *sums)
{
	uint32_t channel = graph_find_channel(g->graph, scid), now = now_s(s);
	enum tomb tomb = tombs_get(&g->tombs, scid);
	uint8_t key[HELD_KEY_MAX], flags = 0;

	if (channel != GRAPH_NONE) {
		const struct graph_channel *c = graph_channel_at(g->graph, channel);

		for (int i = 0; times && i < 2; i++)
			if (update_wanted(&c->policy[i], times[i], sums ? &sums[i] : NULL, now))
				flags |= (uint8_t)(i ? QUERY_UPDATE_2 : QUERY_UPDATE_1);
		if (times)
			flags |= silent_nodes(g, channel);
		if (flags && !c->spent_height)
			want(&g->sync, scid, flags);
		return;
	}
	/* B7.query_short_channel_ids_reply_short_chan.6 */
	if (tomb == TOMB_SPENT || tomb == TOMB_INVALID)
		return;
	if (tomb == TOMB_STALE && !(times && is_fresh(times[0], now) && is_fresh(times[1], now)))
		return;
	/* Neither end has been heard of for two weeks: it would be pruned as soon as it came. */
	if (times && (times[0] || times[1]) && !is_fresh(times[0], now) && !is_fresh(times[1], now))
		return;
	if (scid_height(scid) + DEPTH_MIN - 1 > s->height ||
	    table_get(&g->candidates, held_key_of_scid(key, HELD_CHANNEL, scid, 0)))
		return;
	want(&g->sync, scid, QUERY_ALL);
}

/* ---- reply_channel_range ---- */

static void give_up(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, const char *why)
{
	end_sync(g, s, false);
	note_refuse(g, s, out, p->connection, why);
}

static const char *judge_reply(const struct gossip *g, const struct msg_reply_channel_range *m, uint32_t count)
{
	const struct tlv_reply_channel_range_timestamps_tlv *t = m->tlvs.timestamps_tlv;

	if (!SAME(m->chain_hash, g->config.chain))
		return "reply_channel_range: another chain";
	if (g->sync.replies >= RANGE_REPLIES_MAX)
		return "reply_channel_range: without end";
	if (m->first_blocknum < g->sync.range_first)
		return "reply_channel_range: out of order";
	if (t && (t->encoding_type != ENCODING_PLAIN || t->encoded_timestamps.size != 8 * (size_t)count))
		return "reply_channel_range: timestamps do not fit";
	if (m->tlvs.checksums_tlv && m->tlvs.checksums_tlv->checksums_count != count)
		return "reply_channel_range: checksums do not fit";
	return NULL;
}

void sync_range_reply(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw)
{
	struct msg_reply_channel_range m;
	struct scid *scids;
	const char *why;
	uint32_t count;

	if (g->sync.phase != SYNC_RANGE || g->sync.connection != p->connection)
		return; /* nobody asked */
	if (msg_reply_channel_range_decode(raw, &s->out->arena, &m) != DECODE_OK ||
	    !scids_decode(m.encoded_short_ids, &s->out->arena, &scids, &count)) {
		give_up(g, s, out, p, "reply_channel_range: malformed"); /* B7.query_messages.1 */
		return;
	}
	why = judge_reply(g, &m, count);
	if (why) {
		give_up(g, s, out, p, why);
		return;
	}
	g->sync.replies++;
	g->sync.range_first = m.first_blocknum;
	for (uint32_t i = 0; i < count; i++) {
		const struct tlv_reply_channel_range_checksums_tlv *t = m.tlvs.checksums_tlv;
		uint32_t times[2] = { 0 }, sums[2] = { 0 };

		if (m.tlvs.timestamps_tlv) {
			times[0] = load_be32(m.tlvs.timestamps_tlv->encoded_timestamps.data + 8 * i);
			times[1] = load_be32(m.tlvs.timestamps_tlv->encoded_timestamps.data + 8 * i + 4);
		}
		if (t) {
			sums[0] = t->checksums[i].checksum_node_id_1;
			sums[1] = t->checksums[i].checksum_node_id_2;
		}
		consider(g, s, scids[i], m.tlvs.timestamps_tlv ? times : NULL, t ? sums : NULL);
	}
	/* The text's own rule for the last one. */
	if ((uint64_t)m.first_blocknum + m.number_of_blocks >= g->sync.range_end) {
		g->sync.phase = SYNC_QUERY;
		log_write(s->log, LOG_DEBUG, "gossip", "%u channels to ask for", g->sync.wanted_count);
	}
}

/* ---- query_short_channel_ids ---- */

/* The next of the list: up to QUERY_SCIDS_MAX, and no block in two queries if it fits into one. */
static uint32_t next_lot(const struct sync *y)
{
	uint32_t left = y->wanted_count - y->wanted_at, count = left < QUERY_SCIDS_MAX ? left : QUERY_SCIDS_MAX, cut = count;
	const struct wanted *w = y->wanted + y->wanted_at;

	if (count == left)
		return count;
	while (cut && scid_height(w[cut - 1].scid) == scid_height(w[count].scid))
		cut--;
	return cut ? cut : count;
}

static void query(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	struct sync *y = &g->sync;
	struct tlv_query_short_channel_ids_query_flags tlv = { .encoding_type = ENCODING_PLAIN };
	struct msg_query_short_channel_ids m = { .chain_hash = g->config.chain };
	struct buf scids = BUF_EMPTY, flags = BUF_EMPTY, b = BUF_EMPTY;
	uint32_t count = next_lot(y);

	buf_add_u8(&scids, ENCODING_PLAIN);
	y->low = UINT32_MAX;
	y->high = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct wanted *w = &y->wanted[y->wanted_at + i];
		uint32_t height = scid_height(w->scid);

		buf_add_be64(&scids, w->scid.v);
		buf_add_bigsize(&flags, w->flags); /* B7.query_short_channel_ids_reply_short_chan.7, .8 */
		y->low = height < y->low ? height : y->low;
		y->high = height > y->high ? height : y->high;
	}
	m.encoded_short_ids = buf_view(&scids);
	tlv.encoded_query_flags = buf_view(&flags);
	m.tlvs.query_flags = p->queries_ex ? &tlv : NULL;
	msg_query_short_channel_ids_encode(&m, &b);
	note_send(s, out, p->connection, buf_view(&b));
	y->wanted_at += count;
	tell_progress(g, s);
	y->open = true; /* INV-G2 */
	y->deadline_ms = s->now_ms + (y->answered ? REPLY_TIMEOUT_MS : MUTE_MS);
	buf_release(&scids);
	buf_release(&flags);
	buf_release(&b);
}

void sync_scids_end(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw)
{
	struct msg_reply_short_channel_ids_end m;

	if (msg_reply_short_channel_ids_end_decode(raw, &s->out->arena, &m) != DECODE_OK) {
		note_refuse(g, s, out, p->connection, "reply_short_channel_ids_end: malformed");
		return;
	}
	if (g->sync.phase != SYNC_QUERY || g->sync.connection != p->connection || !g->sync.open)
		return;
	g->sync.open = false;
	g->sync.answered = true;
}

bool sync_covers(const struct gossip *g, uint32_t height)
{
	return g->sync.open && height >= g->sync.low && height <= g->sync.high;
}

/* Goes on where nothing is open: B7.query_short_channel_ids_reply_short_chan.2 */
void sync_flush(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct sync *y = &g->sync;
	struct gossip_peer *p;

	if (y->phase != SYNC_QUERY || y->open)
		return;
	if (y->wanted_at == y->wanted_count) {
		end_sync(g, s, true);
		/* What LDK announces before our filter it never sends again.  Where much waits, the next tick is early enough. */
		if (!g->held_count)
			rotate(g, s, out);
		return;
	}
	p = peer_of(g, y->connection);
	/* No more is asked for than can be looked at. */
	if (table_count(&g->candidates) >= AHEAD_MAX || p->held_bytes * 2 > HELD_ASKED_BYTES_MAX) {
		y->deadline_ms = s->now_ms + REPLY_TIMEOUT_MS;
		return;
	}
	query(g, s, out, p);
}

/* ---- Curiosity ---- */

void sync_curious(struct gossip *g, struct scid scid)
{
	struct sync *y = &g->sync;

	for (uint32_t i = 0; i < y->curious_count; i++)
		if (y->curious[i].v == scid.v)
			return;
	if (y->curious_count < CURIOUS_MAX)
		y->curious[y->curious_count++] = scid;
}

static void satisfy_curiosity(struct gossip *g, struct step *s, struct gossip_peer *p)
{
	struct sync *y = &g->sync;
	struct wanted w;

	for (uint32_t i = 0; i < y->curious_count; i++)
		consider(g, s, y->curious[i], NULL, NULL);
	y->curious_count = 0;
	while (overdue_take(g, s, &w))
		want(y, w.scid, w.flags);
	if (y->wanted_count)
		begin(g, s, p, SYNC_QUERY);
}

/* ---- Peers and time ---- */

void sync_heard(struct gossip *g, struct step *s, uint64_t connection)
{
	if (g->sync.phase != SYNC_IDLE && g->sync.connection == connection)
		g->sync.deadline_ms = s->now_ms + REPLY_TIMEOUT_MS;
}

void sync_peer_up(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	if (!g->config.sync || p->other_chain)
		return;
	if (!g->sync.listen_ms)
		g->sync.listen_ms = s->now_ms + LISTEN_AT_LAST_MS;
	/* LDK heeds but the first filter of a connection, and nobody sends gossip of others before one
	 * (B7.rebroadcasting.3): so there is none before it is known what is wanted. */
	if (!may_ask(p))
		send_filter(g, s, out, p, LISTEN_NOT);
	else if (time_to_listen(g, s) && listeners(g) < LISTENERS_MAX)
		send_filter(g, s, out, p, LISTEN_NEWS);
}

void sync_peer_down(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	if (g->sync.phase != SYNC_IDLE && g->sync.connection == p->connection)
		end_sync(g, s, false);
	p->listening = false;
	(void)out;
}

static uint64_t pause_of(const struct gossip *g)
{
	/* Where everybody failed, everybody is tried again. */
	if (!g->sync.rounds)
		return FLUSH_MS;
	return g->figures.over_bound != g->sync.lost || g->figures.away != g->sync.away ? SYNC_LOST_MS : SYNC_AGAIN_MS;
}

static void begin_if_due(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct sync *y = &g->sync;
	bool again = s->now_ms >= y->done_ms + pause_of(g);
	struct gossip_peer *p;
	uint32_t at = 0;

	/* Without the chain nothing could be judged. */
	if (y->phase != SYNC_IDLE || s->now_ms < y->again_ms || !s->height)
		return;
	if (again)
		while ((p = table_next(&g->peers, &at)))
			p->tried = false;
	p = y->rounds < SYNC_PEERS || again ? choose(g, s, could_ask) : NULL;
	if (p) {
		begin_range(g, s, out, p);
		return;
	}
	p = y->curious_count || overdue_any(g, s) ? choose(g, s, listens) : NULL;
	if (p) {
		satisfy_curiosity(g, s, p);
		y->again_ms = s->now_ms + FLUSH_MS;
	}
}

/* From a mute peer news is taken at once, for there may be no other. */
static void silence(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct gossip_peer *p = peer_of(g, g->sync.connection);
	bool mute = g->sync.open && !g->sync.answered;

	log_write(s->log, LOG_DEBUG, "gossip", "a peer does not answer%s: another is asked", mute ? " queries of channels" : "");
	end_sync(g, s, false);
	if (!mute)
		return;
	p->mute = true;
	g->sync.listen_ms = s->now_ms;
	if (p->listening || listeners(g) < LISTENERS_MAX)
		send_filter(g, s, out, p, LISTEN_ALL);
}

void sync_tick(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	if (!g->config.sync)
		return;
	if (g->sync.phase != SYNC_IDLE && s->now_ms >= g->sync.deadline_ms)
		silence(g, s, out);
	tell_deferred(g, s);
	rotate(g, s, out);
	begin_if_due(g, s, out);
	sync_flush(g, s, out);
}
