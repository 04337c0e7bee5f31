/* Answering queries: as fast as the peer reads, one query of it at a time. */
#include <string.h>

#include "gossip/state.h"

void answer_clear(struct answer *a)
{
	mem_free(a->scids);
	mem_free(a->flags);
	mem_free(a->nodes_sent);
	memset(a, 0, sizeof(*a));
}

static void send_message(struct step *s, struct gossip_notes *out, struct gossip_peer *p, const struct buf *b)
{
	note_send(s, out, p->connection, buf_view(b));
	p->in_flight += b->size;
}

/* One query at a time: the next is refused while we answer.  One for another chain is answered at once, which needs
 * room: who asks for more than it reads is refused too. */
static bool busy(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	if (p->answer.kind == ANSWER_NONE)
		return false;
	note_refuse(g, s, out, p->connection, "a query before the answer to the last one");
	return true;
}

static bool no_room(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	if (window_open(p))
		return false;
	note_refuse(g, s, out, p->connection, "queries, and the answers are not read");
	return true;
}

/* ---- query_short_channel_ids ---- */

static void send_scids_end(struct step *s, struct gossip_notes *out, struct gossip_peer *p, const struct block_hash *chain, bool full)
{
	struct msg_reply_short_channel_ids_end m = { .chain_hash = *chain, .full_information = full };
	struct buf b = BUF_EMPTY;

	msg_reply_short_channel_ids_end_encode(&m, &b);
	send_message(s, out, p, &b);
	buf_release(&b);
}

/* Whether we keep the graph up to date: B7.query_short_channel_ids_reply_short_chan.20, .21 */
static bool full_information(const struct gossip *g)
{
	return g->config.sync;
}

void answer_scids(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw)
{
	struct msg_query_short_channel_ids m;
	struct answer *a = &p->answer;
	struct scid *scids;
	uint64_t *flags = NULL;
	uint32_t count;

	if (busy(g, s, out, p))
		return;
	if (msg_query_short_channel_ids_decode(raw, &s->out->arena, &m) != DECODE_OK ||
	    !scids_decode(m.encoded_short_ids, &s->out->arena, &scids, &count) || count > ANSWER_SCIDS_MAX ||
	    (m.tlvs.query_flags && !query_flags_decode(m.tlvs.query_flags, &s->out->arena, count, &flags))) {
		note_refuse(g, s, out, p->connection, "query_short_channel_ids: malformed");
		return;
	}
	if (!SAME(m.chain_hash, g->config.chain)) {
		if (no_room(g, s, out, p))
			return;
		send_scids_end(s, out, p, &m.chain_hash, false);
		return;
	}
	a->kind = ANSWER_SCIDS;
	a->count = count;
	a->scids = NEW_ARRAY(struct scid, count ? count : 1);
	memcpy(a->scids, scids, count * sizeof(*scids));
	if (flags) {
		a->flags = NEW_ARRAY(uint64_t, count ? count : 1);
		memcpy(a->flags, flags, count * sizeof(*flags));
	}
	a->nodes_size = graph_node_limit(g->graph) / 8 + 1;
	a->nodes_sent = mem_alloc(a->nodes_size);
	/* B7.query_short_channel_ids_reply_short_chan.17: not at the next flush, but now. */
	relay_pump(g, s, out, p);
}

/* B7.query_short_channel_ids_reply_short_chan.18: each node once a query. */
static void send_node_once(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, uint32_t node)
{
	const struct graph_node *n = graph_node_at(g->graph, node);
	struct answer *a = &p->answer;

	/* One that appeared since the query began has no bit and is sent again rather than not at all. */
	if (!n->timestamp || (n->flags & GRAPH_NODE_NOT_FORWARDED) ||
	    (node / 8 < a->nodes_size && a->nodes_sent[node / 8] & 1u << node % 8))
		return;
	if (node / 8 < a->nodes_size)
		a->nodes_sent[node / 8] |= (uint8_t)(1u << node % 8);
	window_send_stored(g, s, out, p, n->ref, SENT_NODE);
}

/* B7.query_short_channel_ids_reply_short_chan.9 to .16 */
static void send_channel(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, uint32_t channel,
			 uint64_t flags)
{
	const struct graph_channel *c = graph_channel_at(g->graph, channel);

	if (flags & QUERY_ANNOUNCEMENT)
		window_send_stored(g, s, out, p, c->ref, SENT_CHANNEL);
	if (flags & QUERY_UPDATE_1 && c->policy[0].timestamp)
		window_send_stored(g, s, out, p, c->policy[0].ref, SENT_UPDATE);
	if (flags & QUERY_UPDATE_2 && c->policy[1].timestamp)
		window_send_stored(g, s, out, p, c->policy[1].ref, SENT_UPDATE);
	if (flags & QUERY_NODE_1)
		send_node_once(g, s, out, p, c->node[0]);
	if (flags & QUERY_NODE_2)
		send_node_once(g, s, out, p, c->node[1]);
}

static bool pump_scids(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	struct answer *a = &p->answer;

	for (; a->at < a->count; a->at++) {
		uint32_t channel = graph_find_channel(g->graph, a->scids[a->at]);

		if (!window_open(p))
			return false;
		if (channel != GRAPH_NONE)
			send_channel(g, s, out, p, channel, a->flags ? a->flags[a->at] : QUERY_ALL);
	}
	/* B7.query_short_channel_ids_reply_short_chan.19 */
	send_scids_end(s, out, p, &g->config.chain, full_information(g));
	answer_clear(a);
	return true;
}

/* ---- query_channel_range ---- */

static void send_range(struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct msg_reply_channel_range *m,
		       const struct graph_channel *const *channels, uint32_t count, uint64_t options)
{
	struct tlv_reply_channel_range_timestamps_tlv timestamps = { .encoding_type = ENCODING_PLAIN };
	struct tlv_reply_channel_range_checksums_tlv checksums = { .checksums_count = count };
	struct buf scids = BUF_EMPTY, times = BUF_EMPTY, b = BUF_EMPTY;

	buf_add_u8(&scids, ENCODING_PLAIN);
	checksums.checksums = ARENA_ARRAY(&s->out->arena, struct wire_channel_update_checksums, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct graph_policy *one = &channels[i]->policy[0], *two = &channels[i]->policy[1];

		buf_add_be64(&scids, channels[i]->scid.v);
		buf_add_be32(&times, one->timestamp);
		buf_add_be32(&times, two->timestamp);
		checksums.checksums[i].checksum_node_id_1 = one->timestamp ? one->checksum : 0;
		checksums.checksums[i].checksum_node_id_2 = two->timestamp ? two->checksum : 0;
	}
	m->encoded_short_ids = buf_view(&scids);
	timestamps.encoded_timestamps = buf_view(&times);
	m->tlvs.timestamps_tlv = options & RANGE_TIMESTAMPS ? &timestamps : NULL;
	m->tlvs.checksums_tlv = options & RANGE_CHECKSUMS ? &checksums : NULL;
	msg_reply_channel_range_encode(m, &b);
	send_message(s, out, p, &b);
	buf_release(&scids);
	buf_release(&times);
	buf_release(&b);
}

void answer_range(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw)
{
	struct msg_query_channel_range m;
	struct answer *a = &p->answer;

	if (busy(g, s, out, p))
		return;
	if (msg_query_channel_range_decode(raw, &s->out->arena, &m) != DECODE_OK || m.number_of_blocks == 0) {
		note_refuse(g, s, out, p->connection, "query_channel_range: malformed");
		return;
	}
	if (!SAME(m.chain_hash, g->config.chain)) {
		struct msg_reply_channel_range none = { .chain_hash = m.chain_hash, .first_blocknum = m.first_blocknum,
							.number_of_blocks = m.number_of_blocks, .sync_complete = 1 };

		if (no_room(g, s, out, p))
			return;
		send_range(s, out, p, &none, NULL, 0, 0);
		return;
	}
	a->kind = ANSWER_RANGE;
	a->block = m.first_blocknum;
	a->end = (uint64_t)m.first_blocknum + m.number_of_blocks;
	a->options = m.tlvs.query_option ? *m.tlvs.query_option : 0;
	/* A scid has three bytes for its block. */
	a->from = m.first_blocknum > 0xffffff ? (struct scid){ UINT64_MAX } : scid_make(m.first_blocknum, 0, 0);
	relay_pump(g, s, out, p);
}

/* Collects up to REPLY_SCIDS_MAX channels from a->from on.  Returns how many; *next: the first that is left, if *more.
 * A block is not split over two replies where it fits into one. */
static uint32_t collect(struct gossip *g, const struct answer *a, const struct graph_channel **channels, bool *more,
			struct scid *next)
{
	uint32_t count = 0, at, whole = 0;

	*more = false;
	order_ready(&g->order);
	for (at = order_from(&g->order, a->from); at < g->order.count && scid_height(g->order.at[at]) < a->end; at++) {
		uint32_t channel = graph_find_channel(g->graph, g->order.at[at]);
		const struct graph_channel *c = channel == GRAPH_NONE ? NULL : graph_channel_at(g->graph, channel);

		if (!c || c->spent_height)
			continue;
		if (count && scid_height(channels[count - 1]->scid) != scid_height(c->scid))
			whole = count;
		if (count == REPLY_SCIDS_MAX) {
			*more = true;
			*next = c->scid;
			if (whole && whole < count) {
				*next = channels[whole]->scid;
				count = whole;
			}
			break;
		}
		channels[count++] = c;
	}
	return count;
}

static bool pump_range(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	const struct graph_channel **channels = ARENA_ARRAY(&s->out->arena, const struct graph_channel *, REPLY_SCIDS_MAX + 1);
	struct answer *a = &p->answer;

	while (window_open(p)) {
		struct msg_reply_channel_range m = { .chain_hash = g->config.chain, .first_blocknum = a->block };
		struct scid next = { 0 };
		bool more;
		uint32_t count = collect(g, a, channels, &more, &next), last;

		/* What this reply speaks of ends where the next one begins. */
		last = more ? scid_height(next) : 0;
		if (more && count && scid_height(channels[count - 1]->scid) == last)
			last++;
		m.number_of_blocks = more ? last - a->block : (uint32_t)(a->end - a->block);
		m.sync_complete = !more;
		send_range(s, out, p, &m, channels, count, a->options);
		if (!more) {
			answer_clear(a);
			return true;
		}
		a->block = scid_height(next);
		a->from = next;
	}
	return false;
}

bool answer_pump(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p)
{
	switch (p->answer.kind) {
	case ANSWER_NONE:
		return true;
	case ANSWER_RANGE:
		return pump_range(g, s, out, p);
	case ANSWER_SCIDS:
		return pump_scids(g, s, out, p);
	}
	UNREACHABLE();
}
