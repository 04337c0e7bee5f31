/* Logs of gossip: as they are, and with records that are well formed, of whatever order and content, torn and damaged at any place.
 *
 * What is read is a whole log of its own: read again it gives the same graph, and it can be written on. */
#include <string.h>

#include "base/cursor.h"
#include "gossip/gossip.h"
#include "gossip/log.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES 7u
#define CHANNELS 12u

static struct cursor in;

static uint8_t take8(void)
{
	return in.left ? cursor_u8(&in) : 0;
}

static struct bytes take_some(size_t most)
{
	size_t size = take8() % (most + 1);

	return cursor_bytes(&in, size < in.left ? size : in.left);
}

/* Seldom one that need not be: numbers are clamped to what has a meaning, but for some. */
static uint32_t take_time(void)
{
	uint8_t v = take8();

	return v == 0xff ? UINT32_MAX : v;
}

static struct pubkey node_of(uint8_t n)
{
	struct pubkey p = { { 2 } };

	p.v[32] = n % NODES;
	return p;
}

static struct scid any_scid(void)
{
	return scid_make(500 + take8() % CHANNELS, 1, 0);
}

/* ---- Records ---- */

static void add(struct buf *log, enum log_kind kind, struct bytes fixed, struct buf *message)
{
	log_record_encode(kind, fixed, buf_view(message), log);
	buf_release(message);
}

static void add_channel(struct buf *log)
{
	uint8_t ends = take8(), fixed[40] = { 0 };
	struct msg_channel_announcement m = { .short_channel_id = any_scid(), .node_id_1 = node_of(ends & 15), .node_id_2 = node_of(ends >> 4) };
	struct buf raw = BUF_EMPTY;

	m.features = take_some(9);
	m.chain_hash.v[0] = take8() == 0xff;
	store_be64(fixed, (uint64_t)take8() << take8() % 57);
	fixed[8] = take8();
	msg_channel_announcement_encode(&m, &raw);
	add(log, LOG_CHANNEL, BYTES_OF(fixed), &raw);
}

static void add_update(struct buf *log)
{
	struct msg_channel_update m = {
		.short_channel_id = any_scid(), .timestamp = take_time(), .message_flags = take8(), .channel_flags = take8(),
		.cltv_expiry_delta = take8(), .htlc_minimum_msat = MSAT((uint64_t)take8() << take8() % 57), .fee_base_msat = take8(),
		.fee_proportional_millionths = take8(),
	};
	struct buf raw = BUF_EMPTY;

	m.htlc_maximum_msat = MSAT((uint64_t)take8() << take8() % 57);
	msg_channel_update_encode(&m, &raw);
	buf_add_bytes(&raw, take_some(5));
	add(log, LOG_UPDATE, BYTES_NONE, &raw);
}

static void add_node(struct buf *log)
{
	struct msg_node_announcement m = { .timestamp = take_time(), .node_id = node_of(take8()) };
	struct buf raw = BUF_EMPTY;

	m.features = take_some(9);
	m.addresses = take_some(60);
	msg_node_announcement_encode(&m, &raw);
	add(log, LOG_NODE, BYTES_NONE, &raw);
}

static void add_end(struct buf *log, enum log_kind kind)
{
	uint8_t fixed[12] = { 0 };
	struct buf none = BUF_EMPTY;

	store_be64(fixed, any_scid().v);
	store_be32(fixed + 8, take8());
	add(log, kind, BYTES(fixed, kind == LOG_FORGET ? 8 : 12), &none);
}

/* Whatever stands there, under a good checksum. */
static void add_raw(struct buf *log)
{
	log_record_encode((enum log_kind)(1 + take8() % 5), BYTES_NONE, take_some(255), log);
}

/* A bit is wrong, or the end is torn off. */
static void damage(struct buf *log, bool bit)
{
	size_t body = log->size - LOG_HEADER_SIZE;

	if (bit && body)
		log->data[LOG_HEADER_SIZE + (take8() << 8 | take8()) % body] ^= 1;
	else
		log->size -= take8() % (body + 1);
}

static void build(struct buf *log)
{
	struct block_hash chain = { { 0 } };

	log_header_encode(buf_extend(log, LOG_HEADER_SIZE), &chain);
	while (in.left) {
		uint8_t what = take8();

		if (what % 8 < 3)
			add_channel(log);
		else if (what % 8 < 5)
			add_update(log);
		else if (what % 8 == 5)
			add_node(log);
		else if (what % 8 == 6)
			add_end(log, what & 8 ? LOG_FORGET : LOG_SPENT);
		else if (what & 8)
			add_raw(log);
		else
			damage(log, what & 16);
	}
}

/* ---- Reading ---- */

static struct gossip *read_all(struct bytes log, uint32_t *end)
{
	static const uint8_t seed[32] = { 5 };
	struct gossip_config config = { .sync = true };
	struct gossip *g = gossip_new(&config, seed);
	struct log_reader r = { .log = log };
	struct bytes record;
	struct arena a;
	uint32_t ref, last = 0;

	arena_init(&a);
	while (log_next(&r, &ref, &record)) {
		ASSERT(ref > last && ref >= LOG_HEADER_SIZE && record.data == log.data + ref);
		last = ref;
		ASSERT(gossip_load(g, &a, ref, record));
		arena_reset(&a);
	}
	ASSERT(r.at <= log.size || r.at == LOG_HEADER_SIZE);
	gossip_loaded(g, r.at);
	gossip_check_invariants(g);
	arena_release(&a);
	*end = r.at;
	return g;
}

static void load(struct bytes log)
{
	uint32_t end, again;
	struct gossip *g = read_all(log, &end), *h;

	/* What a torn end is cut off of is the same log. */
	if (end < log.size) {
		h = read_all(BYTES(log.data, end), &again);
		ASSERT(again == end && graph_channel_count(gossip_graph(h)) == graph_channel_count(gossip_graph(g)));
		ASSERT(graph_node_count(gossip_graph(h)) == graph_node_count(gossip_graph(g)));
		gossip_free(h);
	}
	gossip_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf log = BUF_EMPTY;

	if (size && data[0] == 0xff) {
		load(BYTES(data + 1, size - 1));
		return 0;
	}
	in = cursor_of(BYTES(data, size));
	build(&log);
	load(buf_view(&log));
	buf_release(&log);
	return 0;
}
