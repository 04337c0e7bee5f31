/* The whole machine: peers come and go, say anything, and verdicts, blocks and time arrive in any order.
 *
 * Messages are either raw or of the right form with fields from the input; a verdict is what the input says, so that
 * no signature has to be found. */
#include <string.h>

#include "contract/scripts.h"
#include "gossip/gossip.h"
#include "gossip/log.h"
#include "gossip/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scene {
	struct gossip *g;
	struct step step;
	struct effects effects;
	struct drbg entropy;
	struct table asked;
	uint64_t next_ask;
	struct log_sink sink;
	struct cursor in;
	struct gossip_note *waiting[32]; /* VERIFY and LOOKUP, owned with what they point at */
	uint32_t waiting_count;
	uint64_t connection; /* the last one given out */
	struct buf log;
	struct gossip_note *compact; /* not answered yet */
	struct arena kept;
};

static struct pubkey point(uint8_t n)
{
	struct pubkey p = { { 2 } };

	p.v[32] = n % 12;
	return p;
}

static struct scid scid_of(struct scene *f)
{
	uint8_t v = cursor_u8(&f->in);

	return scid_make(1000 + v % 16, v / 16, 0);
}

static void keep(struct scene *f, const struct gossip_note *n)
{
	struct gossip_note *k = arena_copy(&f->kept, n, sizeof(*n));

	/* Only the numbers are used. */
	k->checks = NULL;
	k->scids = NULL;
	ASSERT(f->waiting_count < ARRAY_COUNT(f->waiting));
	f->waiting[f->waiting_count++] = k;
}

/* Whole, wherever the machine says that one is. */
static struct bytes record_at(const struct scene *f, uint32_t ref)
{
	struct bytes body;
	enum log_kind kind;
	uint32_t size;

	ASSERT(ref >= LOG_HEADER_SIZE && ref + LOG_RECORD_HEADER <= f->log.size);
	size = log_record_size(f->log.data + ref);
	ASSERT(size && ref + size <= f->log.size);
	ASSERT(log_record_decode(BYTES(f->log.data + ref, size), &kind, &body));
	return BYTES(f->log.data + ref, size);
}

/* As the edge does it: what lives into a new log, and behind it what was written since. */
static void compact(struct scene *f, struct gossip_notes *out)
{
	struct gossip_note *n = f->compact;
	struct buf fresh = BUF_EMPTY;
	uint32_t first;

	if (!n)
		return;
	buf_add(&fresh, f->log.data, LOG_HEADER_SIZE);
	for (uint32_t i = 0; i < n->count; i++) {
		n->moves[i].to = (uint32_t)fresh.size;
		buf_add_bytes(&fresh, record_at(f, n->moves[i].from));
	}
	first = (uint32_t)fresh.size;
	buf_add(&fresh, f->log.data + n->ref, f->log.size - n->ref);
	buf_release(&f->log);
	f->log = fresh;
	f->compact = NULL;
	gossip_compacted(f->g, &f->step, out, n->moves, n->count, n->ref, first);
}

static void notes(struct scene *f, struct gossip_notes *out)
{
	for (struct gossip_note *n = out->head; n; n = n->next)
		switch (n->kind) {
		case GOSSIP_SEND:
			ASSERT(n->message.size <= MESSAGE_SIZE_MAX);
			break;
		case GOSSIP_SEND_STORED:
			(void)record_at(f, n->ref);
			break;
		case GOSSIP_STORE:
			ASSERT(n->ref == f->log.size);
			buf_add_bytes(&f->log, n->message);
			break;
		case GOSSIP_COMPACT:
			ASSERT(n->ref == f->log.size && !f->compact);
			f->compact = arena_copy(&f->kept, n, sizeof(*n));
			f->compact->moves = arena_copy(&f->kept, n->moves, n->count * sizeof(*n->moves));
			break;
		case GOSSIP_VERIFY:
		case GOSSIP_LOOKUP:
			keep(f, n);
			break;
		case GOSSIP_HANG_UP:
		case GOSSIP_PEER_POLICY:
		case GOSSIP_ANNOUNCED:
			break;
		}
	out->head = out->last = NULL;
}

static void answer(struct scene *f, struct gossip_notes *out)
{
	uint32_t which = f->waiting_count ? cursor_u8(&f->in) % f->waiting_count : 0;
	uint8_t how = cursor_u8(&f->in);
	struct gossip_note *n;

	if (!f->waiting_count)
		return;
	n = f->waiting[which];
	f->waiting[which] = f->waiting[--f->waiting_count];
	if (n->kind == GOSSIP_VERIFY) {
		bool *good = NEW_ARRAY(bool, n->count ? n->count : 1);

		for (uint32_t i = 0; i < n->count; i++)
			good[i] = how & 3 || (i & 7) != how >> 5;
		gossip_verified(f->g, &f->step, out, n->id, good, n->count);
		mem_free(good);
		return;
	}
	struct gossip_funding *answers = ARENA_ARRAY(&f->effects.arena, struct gossip_funding, n->count);
	struct pubkey none = { { 0 } };

	for (uint32_t i = 0; i < n->count; i++) {
		answers[i].state = how & 8 ? FUNDING_UNSPENT : (enum gossip_funding_state)(how & 3);
		answers[i].amount = SAT(1000);
		answers[i].txid.v[0] = (uint8_t)n->height;
		/* The announcements made here name no funding keys. */
		answers[i].script = funding_script_pubkey(&f->effects.arena, &none, &none);
	}
	gossip_funding(f->g, &f->step, out, n->id, answers, n->count);
}

/* A channel that is in the graph without its way there. */
static void put_channel(struct scene *f, struct gossip_notes *out)
{
	struct msg_channel_announcement m = { .chain_hash = f->g->config.chain, .short_channel_id = scid_of(f) };
	uint8_t a = cursor_u8(&f->in) % 12, b = cursor_u8(&f->in) % 12;
	struct buf raw = BUF_EMPTY;
	struct txid txid = { { (uint8_t)m.short_channel_id.v, (uint8_t)(m.short_channel_id.v >> 16) } };
	uint8_t key[HELD_KEY_MAX];

	m.node_id_1 = point(a < b ? a : b);
	m.node_id_2 = point(a < b ? b : a);
	if (a == b || graph_find_channel(f->g->graph, m.short_channel_id) != GRAPH_NONE ||
	    table_get(&f->g->candidates, held_key_of_scid(key, HELD_CHANNEL, m.short_channel_id, 0)))
		return;
	msg_channel_announcement_encode(&m, &raw);
	(void)apply_channel(f->g, &f->step, out, &m, buf_view(&raw), SAT(5000), &txid);
	buf_release(&raw);
}

static void made_message(struct scene *f, struct buf *raw)
{
	uint32_t now = (uint32_t)(f->step.now_ms / 1000);

	switch (cursor_u8(&f->in) % 10) {
	case 0: {
		struct msg_channel_announcement m = { .chain_hash = f->g->config.chain, .short_channel_id = scid_of(f),
						      .node_id_1 = point(cursor_u8(&f->in)), .node_id_2 = point(cursor_u8(&f->in)) };
		msg_channel_announcement_encode(&m, raw);
		return;
	}
	case 1:
	case 2: {
		struct msg_channel_update m = { .chain_hash = f->g->config.chain, .short_channel_id = scid_of(f) };

		m.channel_flags = cursor_u8(&f->in) & 3;
		m.message_flags = cursor_u8(&f->in);
		m.timestamp = now + cursor_u8(&f->in) - 100;
		msg_channel_update_encode(&m, raw);
		return;
	}
	case 3: {
		struct msg_node_announcement m = { .node_id = point(cursor_u8(&f->in)) };

		m.timestamp = now + cursor_u8(&f->in) - 100;
		m.addresses = cursor_bytes(&f->in, cursor_u8(&f->in) % 16);
		msg_node_announcement_encode(&m, raw);
		return;
	}
	case 4: {
		struct msg_query_channel_range m = { .chain_hash = f->g->config.chain };
		uint64_t options = cursor_u8(&f->in);

		m.first_blocknum = 990 + cursor_u8(&f->in);
		m.number_of_blocks = cursor_u8(&f->in);
		m.tlvs.query_option = options ? &options : NULL;
		msg_query_channel_range_encode(&m, raw);
		return;
	}
	case 5: {
		struct msg_query_short_channel_ids m = { .chain_hash = f->g->config.chain };
		struct scid list[4] = { scid_of(f), scid_of(f), scid_of(f), scid_of(f) };
		struct tlv_query_short_channel_ids_query_flags flags = { .encoding_type = cursor_u8(&f->in) };
		struct buf b = BUF_EMPTY;

		flags.encoded_query_flags = cursor_bytes(&f->in, 4);
		m.tlvs.query_flags = flags.encoding_type < 2 ? &flags : NULL;
		scids_encode(list, 4, &b);
		m.encoded_short_ids = buf_view(&b);
		msg_query_short_channel_ids_encode(&m, raw);
		buf_release(&b);
		return;
	}
	case 6: {
		struct msg_reply_channel_range m = { .chain_hash = f->g->config.chain };
		struct scid list[3] = { scid_of(f), scid_of(f), scid_of(f) };
		struct tlv_reply_channel_range_timestamps_tlv times = { .encoding_type = 0 };
		struct wire_channel_update_checksums sums[3] = { { 0 } };
		struct tlv_reply_channel_range_checksums_tlv checksums = { .checksums = sums };
		uint8_t what = cursor_u8(&f->in);
		uint8_t stamps[24];
		struct buf b = BUF_EMPTY;

		for (uint32_t i = 0; i < 6; i++)
			store_be32(stamps + 4 * i, what & 1 << i ? now + cursor_u8(&f->in) - 100 : 0);
		times.encoded_timestamps = BYTES(stamps, what & 64 ? 24 : 23);
		checksums.checksums_count = what & 128 ? 3 : 2;
		m.tlvs.timestamps_tlv = what % 3 ? &times : NULL;
		m.tlvs.checksums_tlv = what % 5 ? &checksums : NULL;
		scids_encode(list, 3, &b);
		m.encoded_short_ids = buf_view(&b);
		m.first_blocknum = cursor_u8(&f->in);
		m.number_of_blocks = cursor_u8(&f->in) & 1 ? UINT32_MAX : 1;
		msg_reply_channel_range_encode(&m, raw);
		buf_release(&b);
		return;
	}
	case 7: {
		struct msg_gossip_timestamp_filter m = { .chain_hash = f->g->config.chain };

		m.first_timestamp = now - 2 * cursor_u8(&f->in);
		m.timestamp_range = cursor_u8(&f->in) * 3u;
		msg_gossip_timestamp_filter_encode(&m, raw);
		return;
	}
	case 8: {
		struct msg_reply_short_channel_ids_end m = { .chain_hash = f->g->config.chain, .full_information = cursor_u8(&f->in) };

		msg_reply_short_channel_ids_end_encode(&m, raw);
		return;
	}
	case 9: {
		struct msg_announcement_signatures m = { .short_channel_id = scid_make(1000, 99 + cursor_u8(&f->in) % 2, 0) };

		m.node_signature.v[0] = m.bitcoin_signature.v[0] = cursor_u8(&f->in);
		msg_announcement_signatures_encode(&m, raw);
		return;
	}
	}
}

static uint64_t some_connection(struct scene *f)
{
	return f->connection ? 1 + cursor_u8(&f->in) % f->connection : 0;
}

static void own(struct scene *f, struct gossip_notes *out)
{
	uint8_t flags = cursor_u8(&f->in);
	struct gossip_own o = { .key = 1 + flags % 2, .connection = flags & 2 ? some_connection(f) : 0, .peer = point(3),
				.capacity = SAT(4000), .depth = flags & 4 ? 6 : 1, .announce = flags & 8, .ready_sent = flags & 16,
				.ready_received = flags & 32, .signatures_wanted = (flags & 48) == 48, .closing = flags & 64, .htlc_maximum = MSAT(1000 * flags),
				.in_flight_max = MSAT(90000) };

	o.funding_local = point(5);
	o.funding_remote = point(6);
	o.scid = flags & 128 ? scid_make(1000, 99 + (uint32_t)(flags % 2), 0) : (struct scid){ 0 };
	if (cursor_u8(&f->in) % 8 == 0)
		gossip_own_gone(f->g, &f->step, out, o.key);
	else
		gossip_own_set(f->g, &f->step, out, &o);
}

static void connect(struct scene *f, struct gossip_notes *out, bool queries, bool other_chain)
{
	static const uint8_t features[2] = { 4, 0x40 };
	struct gossip_link link = { .connection = ++f->connection, .id = point((uint8_t)f->connection),
				    .features = queries ? BYTES_OF(features) : BYTES_NONE, .other_chain = other_chain };

	if (f->connection < 100)
		gossip_peer_up(f->g, &f->step, out, &link);
}

static void act(struct scene *f, struct gossip_notes *out)
{
	struct buf raw = BUF_EMPTY;

	switch (cursor_u8(&f->in) % 15) {
	case 0: {
		bool queries = cursor_u8(&f->in) & 3, other_chain = cursor_u8(&f->in) % 16 == 0;

		connect(f, out, queries, other_chain);
		break;
	}
	case 1:
		gossip_peer_down(f->g, &f->step, out, some_connection(f));
		break;
	case 2:
		buf_add_be16(&raw, (uint16_t)(256 + cursor_u8(&f->in) % 10));
		buf_add_bytes(&raw, cursor_bytes(&f->in, cursor_u8(&f->in)));
		gossip_message(f->g, &f->step, out, some_connection(f), buf_view(&raw));
		break;
	case 3:
	case 4:
	case 5:
		made_message(f, &raw);
		gossip_message(f->g, &f->step, out, some_connection(f), buf_view(&raw));
		break;
	case 6:
		answer(f, out);
		break;
	case 7:
		f->step.now_ms += 1000ull << cursor_u8(&f->in) % 20;
		gossip_tick(f->g, &f->step, out);
		break;
	case 8:
		gossip_drained(f->g, &f->step, out, some_connection(f));
		break;
	case 9: {
		struct scid scid = scid_of(f);
		struct outpoint o = { { { (uint8_t)scid.v, (uint8_t)(scid.v >> 16) } }, 0 };

		f->step.height++;
		gossip_spent(f->g, &f->step, out, &o);
		gossip_block(f->g, &f->step, out);
		break;
	}
	case 10:
		gossip_block_undone(f->g, &f->step, out, f->step.height);
		f->step.height--;
		break;
	case 11:
		put_channel(f, out);
		break;
	case 12:
		own(f, out);
		break;
	case 13:
		/* As if there had been much that is of no use any more. */
		if (gossip_figures(f->g).log_dead_bytes < COMPACT_DEAD_MIN)
			store_dead(f->g, COMPACT_DEAD_MIN);
		break;
	case 14:
		compact(f, out);
		break;
	}
	buf_release(&raw);
}

static void sign(struct scene *f, struct gossip_notes *out)
{
	struct effect *list = f->effects.head;

	f->effects.head = NULL;
	f->effects.tail = &f->effects.head;
	for (struct effect *e = list; e; e = e->next) {
		struct sign_answer a = { .refused = cursor_u8(&f->in) == 1, .reason = "no" };
		enum owner_kind kind;
		uint64_t owner;

		if (e->kind == EFFECT_PERSIST) {
			ASSERT(e->u.persist.kind == RECORD_SPENT);
			continue;
		}
		ASSERT(e->kind == EFFECT_SIGN && step_take(&f->step, e->u.sign.id, &kind, &owner));
		gossip_signed(f->g, &f->step, out, owner, &a);
	}
}

static void quiet(void *context, enum log_level level, const char *room, const char *text)
{
	(void)context;
	(void)level;
	(void)room;
	(void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[32] = { 5 };
	struct gossip_config config = { .sync = true, .node_id = point(0) };
	struct gossip_notes out = { 0 };
	struct scene f;

	if (size > 4096)
		return 0;
	memset(&f, 0, sizeof(f));
	f.g = gossip_new(&config, seed);
	f.in = cursor_of(BYTES(data, size));
	log_header_encode(buf_extend(&f.log, LOG_HEADER_SIZE), &config.chain);
	effects_init(&f.effects);
	arena_init(&f.kept);
	drbg_init(&f.entropy, seed);
	step_asked_init(&f.asked, seed);
	f.sink = (struct log_sink){ quiet, NULL, LOG_ERROR };
	f.step = (struct step){ .out = &f.effects, .now_ms = 1700000000000, .height = 1100, .entropy = &f.entropy,
				.log = &f.sink, .asked = &f.asked, .next_ask = &f.next_ask };
	connect(&f, &out, true, false);
	connect(&f, &out, true, false);
	while (f.in.left && cursor_ok(&f.in)) {
		act(&f, &out);
		notes(&f, &out);
		sign(&f, &out);
		notes(&f, &out);
		gossip_flush(f.g, &f.step, &out);
		notes(&f, &out);
		gossip_check_invariants(f.g);
		effects_reset(&f.effects);
	}
	gossip_free(f.g);
	effects_release(&f.effects);
	arena_release(&f.kept);
	buf_release(&f.log);
	step_asked_release(&f.asked);
	return 0;
}
