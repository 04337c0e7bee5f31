/* Queries of others, answered; filters, and what goes out by them. */
#include "tests/unit/gossip_world.h"

static struct chain chain;
static struct world *w;

static void start(void)
{
	memset(&chain, 0, sizeof(chain));
	w = world_new(&chain, 0);
	world_peer(w, 1, 9);
	world_peer(w, 2, 8);
	w->sent_count = 0;
}

static void finish(void)
{
	world_free(w);
	mem_free(chain.at);
}

static void query_range(uint64_t connection, uint32_t first, uint32_t number, uint64_t options)
{
	struct msg_query_channel_range m = { .chain_hash = test_chain(), .first_blocknum = first, .number_of_blocks = number };
	struct buf raw = BUF_EMPTY;

	m.tlvs.query_option = options ? &options : NULL;
	msg_query_channel_range_encode(&m, &raw);
	world_hear(w, connection, kept(&raw));
}

static void query_scids(uint64_t connection, const struct scid *list, uint32_t count, const char *flags)
{
	struct tlv_query_short_channel_ids_query_flags tlv = { .encoding_type = 0 };
	struct msg_query_short_channel_ids m = { .chain_hash = test_chain() };
	struct buf scids = BUF_EMPTY, raw = BUF_EMPTY;

	scids_encode(list, count, &scids);
	m.encoded_short_ids = buf_view(&scids);
	if (flags) {
		tlv.encoded_query_flags = test_unhex(flags);
		m.tlvs.query_flags = &tlv;
	}
	msg_query_short_channel_ids_encode(&m, &raw);
	buf_release(&scids);
	world_hear(w, connection, kept(&raw));
}

static void filter(uint64_t connection, uint32_t first, uint32_t range)
{
	struct msg_gossip_timestamp_filter m = { .chain_hash = test_chain(), .first_timestamp = first, .timestamp_range = range };
	struct buf raw = BUF_EMPTY;

	msg_gossip_timestamp_filter_encode(&m, &raw);
	world_hear(w, connection, kept(&raw));
}

static struct msg_reply_channel_range reply_at(uint32_t from, uint32_t nth)
{
	static struct arena arena;
	struct msg_reply_channel_range m;

	for (uint32_t i = from; i < w->sent_count; i++)
		if (load_be16(w->sent[i].raw.data) == MSG_REPLY_CHANNEL_RANGE && nth-- == 0) {
			CHECK_EQ(msg_reply_channel_range_decode(w->sent[i].raw, &arena, &m), DECODE_OK);
			return m;
		}
	test_failed(__FILE__, __LINE__, "no such reply");
}

/* Without chain and verification: as if the log had had it. */
static void put(struct scid scid, uint32_t a, uint32_t b, bool updates)
{
	struct gossip_notes out = { 0 };
	struct msg_channel_announcement m;
	struct own_announcement o = ends_of(scid, a, b);
	struct buf raw = BUF_EMPTY;
	uint32_t channel;

	own_announcement_build(&o, &raw);
	CHECK_EQ(msg_channel_announcement_decode(buf_view(&raw), &w->effects.arena, &m), DECODE_OK);
	channel = apply_channel(w->g, &w->step, &out, &m, buf_view(&raw), SAT(1000000), &(struct txid){ { 1 } });
	buf_release(&raw);
	for (int i = 0; updates && i < 2; i++) {
		struct own_update u = say_update(scid, i ? b : a, i ? a : b, START_S + (uint32_t)i);
		struct msg_channel_update um;

		own_update_build(&u, &raw);
		CHECK_EQ(msg_channel_update_decode(buf_view(&raw), &w->effects.arena, &um), DECODE_OK);
		apply_update(w->g, &w->step, &out, channel, &um, buf_view(&raw));
		buf_release(&raw);
	}
	world_settle(w, &out);
}

/* ---- query_channel_range ---- */

TEST(a_range_in_one_reply)
{
	struct msg_reply_channel_range m;
	const struct graph_channel *c;

	start();
	put(scid_at(100), 1, 2, true);
	put(scid_at(200), 1, 3, false);
	put(scid_at(199), 1, 4, true);
	put(scid_at(300), 1, 5, true);
	query_range(1, 150, 150, RANGE_TIMESTAMPS | RANGE_CHECKSUMS);
	CHECK_EQ(count_sent(w, 0, 1, MSG_REPLY_CHANNEL_RANGE), 1);
	m = reply_at(0, 0);
	/* B7.query_channel_range_reply_channel_range.6 */
	CHECK(SAME(m.chain_hash, test_chain()));
	/* B7.query_channel_range_reply_channel_range.9, B7.query_channel_range_reply_channel_range.10,
	 * B7.query_channel_range_reply_channel_range.13, B7.query_channel_range_reply_channel_range.14 */
	CHECK(m.first_blocknum == 150 && m.number_of_blocks == 150 && m.sync_complete == 1);
	CHECK_HEX(m.encoded_short_ids, "00" "0000c70000010000" "0000c80000010000");
	c = world_at(w, scid_at(199));
	CHECK(load_be32(m.tlvs.timestamps_tlv->encoded_timestamps.data) == c->policy[0].timestamp);
	CHECK(load_be32(m.tlvs.timestamps_tlv->encoded_timestamps.data + 4) == c->policy[1].timestamp);
	CHECK_EQ(load_be32(m.tlvs.timestamps_tlv->encoded_timestamps.data + 8), 0);
	CHECK(m.tlvs.checksums_tlv->checksums_count == 2 &&
	      m.tlvs.checksums_tlv->checksums[0].checksum_node_id_1 == c->policy[0].checksum &&
	      m.tlvs.checksums_tlv->checksums[1].checksum_node_id_1 == 0);
	/* What was not asked for is not there; to the end of numbers. */
	query_range(1, 300, UINT32_MAX, 0);
	m = reply_at(0, 1);
	CHECK(!m.tlvs.timestamps_tlv && !m.tlvs.checksums_tlv && m.encoded_short_ids.size == 9);
	CHECK(m.first_blocknum == 300 && m.number_of_blocks == UINT32_MAX && m.sync_complete == 1);
	query_range(1, UINT32_MAX, 1, RANGE_TIMESTAMPS);
	m = reply_at(0, 2);
	CHECK(m.encoded_short_ids.size == 1 && m.first_blocknum == UINT32_MAX && m.number_of_blocks == 1);
	CHECK(!hung_up(w, 1));
	finish();
}

TEST(a_chain_that_we_do_not_know)
{
	struct msg_query_channel_range m = { .first_blocknum = 5, .number_of_blocks = 6 };
	struct msg_query_short_channel_ids q = { .encoded_short_ids = BYTES("\0", 1) };
	struct msg_reply_channel_range r;
	struct msg_reply_short_channel_ids_end e;
	struct buf raw = BUF_EMPTY;

	start();
	put(scid_at(6), 1, 2, true);
	m.chain_hash.v[3] = 9;
	q.chain_hash = m.chain_hash;
	msg_query_channel_range_encode(&m, &raw);
	world_hear(w, 1, kept(&raw));
	r = reply_at(0, 0);
	/* B7.query_channel_range_reply_channel_range.6 */
	CHECK(SAME(r.chain_hash, m.chain_hash) && r.encoded_short_ids.size == 1);
	CHECK(r.first_blocknum == 5 && r.number_of_blocks == 6 && r.sync_complete == 1);
	msg_query_short_channel_ids_encode(&q, &raw);
	world_hear(w, 1, kept(&raw));
	CHECK_EQ(msg_reply_short_channel_ids_end_decode(last_sent(w, 1, MSG_REPLY_SHORT_CHANNEL_IDS_END), &w->kept_arena, &e), DECODE_OK);
	/* B7.query_short_channel_ids_reply_short_chan.20 */
	CHECK(e.full_information == 0 && SAME(e.chain_hash, m.chain_hash));
	finish();
}

#define MANY 7000u

TEST(a_range_in_many_replies)
{
	uint32_t seen = 0, replies, last_block = 0, blocks_split = 0;
	uint64_t last_scid = 0;

	start();
	/* Three a block, but one block that no reply can hold. */
	for (uint32_t i = 0; i < MANY; i++)
		put(i < 3000 ? scid_make(50 + i / 3, i % 3, 0) : scid_make(2000, i, 0), 1, 2, i % 5 == 0);
	w->sent_count = 0;
	query_range(1, 10, 5000, RANGE_TIMESTAMPS | RANGE_CHECKSUMS);
	for (int i = 0; i < 10; i++)
		world_drained(w, 1);
	replies = count_sent(w, 0, 1, MSG_REPLY_CHANNEL_RANGE);
	CHECK(replies >= 3);
	for (uint32_t i = 0; i < replies; i++) {
		struct msg_reply_channel_range m = reply_at(0, i);

		/* B7.query_channel_range_reply_channel_range.7: it fits. */
		CHECK(w->sent[i].raw.size <= MESSAGE_SIZE_MAX);
		/* B7.query_channel_range_reply_channel_range.9 */
		CHECK(i || m.first_blocknum == 10);
		/* B7.query_channel_range_reply_channel_range.11 */
		CHECK(m.first_blocknum >= last_block);
		last_block = m.first_blocknum;
		/* B7.query_channel_range_reply_channel_range.12 */
		CHECK_EQ(m.sync_complete, i == replies - 1);
		for (size_t k = 1; k < m.encoded_short_ids.size; k += 8) {
			struct scid scid = { load_be64(m.encoded_short_ids.data + k) };

			CHECK(scid.v > last_scid);
			last_scid = scid.v;
			CHECK(scid_height(scid) >= m.first_blocknum && scid_height(scid) < m.first_blocknum + m.number_of_blocks);
			seen++;
		}
		if (i && reply_at(0, i - 1).first_blocknum + reply_at(0, i - 1).number_of_blocks > m.first_blocknum)
			blocks_split++;
		/* B7.query_channel_range_reply_channel_range.8: without a hole between two. */
		CHECK(!i || reply_at(0, i - 1).first_blocknum + reply_at(0, i - 1).number_of_blocks >= m.first_blocknum);
		/* B7.query_channel_range_reply_channel_range.13 */
		CHECK(i < replies - 1 || m.first_blocknum + m.number_of_blocks == 5010);
	}
	CHECK_EQ(seen, MANY);
	/* Only the block that is too large is split. */
	CHECK_EQ(blocks_split, 1);
	finish();
}

TEST(a_slow_reader_is_not_buried)
{
	uint32_t before;
	struct scid *list;

	start();
	for (uint32_t i = 0; i < MANY; i++)
		put(scid_make(50 + i, 0, 0), 1, 2, true);
	w->sent_count = 0;
	list = test_alloc(MANY * sizeof(*list));
	for (uint32_t i = 0; i < MANY; i++)
		list[i] = scid_make(50 + i, 0, 0);
	query_scids(1, list, MANY, NULL);
	/* INV-G3 */
	before = w->sent_count;
	CHECK(before > 0 && before < 3 * MANY);
	CHECK(count_sent(w, 0, 1, MSG_REPLY_SHORT_CHANNEL_IDS_END) == 0);
	for (int i = 0; i < 20; i++)
		world_later(w, 1000);
	CHECK_EQ(count_sent(w, 0, 1, MSG_CHANNEL_ANNOUNCEMENT) + count_sent(w, 0, 1, MSG_CHANNEL_UPDATE), before);
	/* Another query now is one too many. */
	query_range(1, 1, 10, 0);
	CHECK(hung_up(w, 1) && count_sent(w, 0, 1, MSG_REPLY_CHANNEL_RANGE) == 0);
	for (int i = 0; i < 1000; i++)
		world_drained(w, 1);
	CHECK_EQ(count_sent(w, 0, 1, MSG_CHANNEL_ANNOUNCEMENT), MANY);
	CHECK_EQ(count_sent(w, 0, 1, MSG_CHANNEL_UPDATE), 2 * MANY);
	CHECK_EQ(count_sent(w, 0, 1, MSG_REPLY_SHORT_CHANNEL_IDS_END), 1);
	finish();
}

/* ---- query_short_channel_ids ---- */

TEST(channels_by_scid)
{
	struct msg_reply_short_channel_ids_end e;
	struct scid list[3] = { { 0 } };

	start();
	list[0] = scid_at(100);
	list[1] = scid_at(101);
	list[2] = scid_at(102);
	world_channel(w, list[0], 1, 2);
	world_channel(w, list[1], 1, 3);
	world_hear(w, 1, make_update(list[0], 1, 2, START_S));
	world_hear(w, 1, make_update(list[0], 2, 1, START_S));
	world_hear(w, 1, make_node(1, START_S, BYTES_NONE, BYTES_NONE));
	world_hear(w, 1, make_node(2, START_S, BYTES_NONE, BYTES_NONE));
	w->sent_count = 0;
	/* The third is not known. */
	query_scids(2, list, 3, NULL);
	/* B7.query_short_channel_ids_reply_short_chan.9: announcement and both updates, in this order. */
	CHECK_EQ(load_be16(w->sent[0].raw.data), MSG_CHANNEL_ANNOUNCEMENT);
	CHECK_EQ(load_be16(w->sent[1].raw.data), MSG_CHANNEL_UPDATE);
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_ANNOUNCEMENT), 2);
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_UPDATE), 2);
	/* B7.query_short_channel_ids_reply_short_chan.10, and once each: B7.query_short_channel_ids_reply_short_chan.18 */
	CHECK_EQ(count_sent(w, 0, 2, MSG_NODE_ANNOUNCEMENT), 2);
	/* B7.query_short_channel_ids_reply_short_chan.19: last, and B7.query_short_channel_ids_reply_short_chan.17: all
	 * of it at once. */
	CHECK_EQ(load_be16(w->sent[w->sent_count - 1].raw.data), MSG_REPLY_SHORT_CHANNEL_IDS_END);
	CHECK_EQ(msg_reply_short_channel_ids_end_decode(w->sent[w->sent_count - 1].raw, &w->kept_arena, &e), DECODE_OK);
	/* B7.query_short_channel_ids_reply_short_chan.21 */
	CHECK_EQ(e.full_information, 1);
	CHECK(bytes_equal(w->sent[0].raw, make_channel(list[0], 1, 2)));
	finish();
}

TEST(flags_say_what_is_wanted)
{
	/* Which messages each bit alone brings; node 1 of the channel is `first`. */
	static const char *const flags[] = { "01", "02", "04", "08", "10", "00" };
	static const uint16_t types[] = { MSG_CHANNEL_ANNOUNCEMENT, MSG_CHANNEL_UPDATE, MSG_CHANNEL_UPDATE,
					  MSG_NODE_ANNOUNCEMENT, MSG_NODE_ANNOUNCEMENT, 0 };
	struct scid scid = scid_at(100);
	uint32_t first = direction_of(1, 2) == 0 ? 1 : 2, second = 3 - first;
	struct bytes want[6];

	start();
	world_channel(w, scid, 1, 2);
	/* B7.query_short_channel_ids_reply_short_chan.13 to .16: only if there is one. */
	query_scids(2, &scid, 1, "1e");
	CHECK_EQ(w->sent_count, 1);
	world_hear(w, 1, want[1] = make_update(scid, first, second, START_S));
	world_hear(w, 1, want[2] = make_update(scid, second, first, START_S));
	world_hear(w, 1, want[3] = make_node(first, START_S, BYTES_NONE, BYTES_NONE));
	world_hear(w, 1, want[4] = make_node(second, START_S, BYTES_NONE, BYTES_NONE));
	want[0] = make_channel(scid, 1, 2);
	/* B7.query_short_channel_ids_reply_short_chan.11, B7.query_short_channel_ids_reply_short_chan.12,
	 * B7.query_short_channel_ids_reply_short_chan.13, B7.query_short_channel_ids_reply_short_chan.14,
	 * B7.query_short_channel_ids_reply_short_chan.15, B7.query_short_channel_ids_reply_short_chan.16 */
	for (int i = 0; i < 6; i++) {
		w->sent_count = 0;
		query_scids(2, &scid, 1, flags[i]);
		CHECK_EQ(w->sent_count, types[i] ? 2 : 1);
		CHECK(!types[i] || bytes_equal(w->sent[0].raw, want[i]));
		CHECK_EQ(load_be16(w->sent[w->sent_count - 1].raw.data), MSG_REPLY_SHORT_CHANNEL_IDS_END);
	}
	finish();
}

TEST(zlib_is_refused)
{
	start();
	/* B7.query_messages.1 */
	world_hear(w, 1, test_unhex("0105" "0606060606060606060606060606060606060606060606060606060606060606"
				    "001801789c63600001c12b608a69e73e30edbaec0800203b040e"));
	CHECK(hung_up(w, 1) && count_sent(w, 0, 1, MSG_WARNING) == 1);
	CHECK_EQ(count_sent(w, 0, 1, MSG_REPLY_SHORT_CHANNEL_IDS_END), 0);
	finish();
}

/* ---- Filters ---- */

static void a_minute(void)
{
	world_later(w, FLUSH_MS);
	world_later(w, TICK_MS);
}

TEST(nothing_of_others_before_a_filter)
{
	struct scid scid = scid_at(100);

	start();
	world_channel(w, scid, 1, 2);
	world_hear(w, 1, make_update(scid, 1, 2, START_S));
	a_minute();
	a_minute();
	/* B7.query_messages.2, B7.rebroadcasting.3 */
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_UPDATE) + count_sent(w, 0, 2, MSG_CHANNEL_ANNOUNCEMENT), 0);
	filter(2, 0, UINT32_MAX);
	/* B7.gossip_timestamp_filter.3: what there is comes. */
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_ANNOUNCEMENT), 1);
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_UPDATE), 1);
	a_minute();
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_UPDATE), 1);
	/* Peer 1 has set none. */
	CHECK_EQ(count_sent(w, 0, 1, MSG_CHANNEL_UPDATE), 0);
	finish();
}

TEST(news_leaves_once_a_minute)
{
	struct scid scid = scid_at(100);
	uint32_t from;

	start();
	filter(2, START_S - 100, UINT32_MAX);
	world_channel(w, scid, 1, 2);
	a_minute();
	/* B7.gossip_timestamp_filter.6: without an update it is not told of. */
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_ANNOUNCEMENT), 0);
	from = w->sent_count;
	world_hear(w, 1, make_node(1, START_S, BYTES_NONE, BYTES_NONE));
	world_hear(w, 1, make_update(scid, 1, 2, START_S));
	world_hear(w, 1, make_update(scid, 1, 2, START_S + 1));
	world_hear(w, 1, make_update(scid, 2, 1, START_S));
	/* B7.rebroadcasting.4 */
	CHECK_EQ(w->sent_count, from);
	a_minute();
	/* B7.gossip_timestamp_filter.8, B7.gossip_timestamp_filter.9, B7.channel_announcement.23, B7.channel_update.30,
	 * B7.node_announcement.28; the update that was replaced meanwhile is not sent. */
	CHECK_EQ(count_sent(w, from, 2, MSG_CHANNEL_ANNOUNCEMENT), 1);
	CHECK_EQ(count_sent(w, from, 2, MSG_CHANNEL_UPDATE), 2);
	CHECK(bytes_equal(last_sent(w, 2, MSG_CHANNEL_ANNOUNCEMENT), make_channel(scid, 1, 2)));
	/* B7.gossip_timestamp_filter.10: before every update. */
	for (uint32_t i = from; i < w->sent_count; i++) {
		if (load_be16(w->sent[i].raw.data) == MSG_CHANNEL_ANNOUNCEMENT)
			break;
		CHECK(load_be16(w->sent[i].raw.data) != MSG_CHANNEL_UPDATE);
	}
	from = w->sent_count;
	a_minute();
	CHECK_EQ(count_sent(w, from, 2, MSG_CHANNEL_UPDATE), 0);
	finish();
}

TEST(a_filter_is_a_range_of_time)
{
	struct scid one = scid_at(100), two = scid_at(101), gone = scid_at(102);

	start();
	world_channel(w, one, 1, 2);
	world_channel(w, two, 3, 4);
	world_channel(w, gone, 5, 6);
	world_hear(w, 1, make_update(one, 1, 2, START_S));
	world_hear(w, 1, make_update(one, 2, 1, START_S + 10));
	world_hear(w, 1, make_update(two, 3, 4, START_S + 20));
	world_hear(w, 1, make_update(gone, 5, 6, START_S));
	world_hear(w, 1, make_node(1, START_S + 5, BYTES_NONE, BYTES_NONE));
	world_hear(w, 1, make_node(2, START_S + 30, BYTES_NONE, BYTES_NONE));
	world_block(w, &chain_output(&chain, gone)->outpoint);
	w->sent_count = 0;
	filter(2, START_S, 10);
	/* B7.gossip_timestamp_filter.3: from the first on, up to the last and not it. B7.gossip_timestamp_filter.7,
	 * B7.channel_announcement.27, B7.channel_update.23: what is spent is not told. */
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_ANNOUNCEMENT), 1);
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_UPDATE), 1);
	CHECK(bytes_equal(last_sent(w, 2, MSG_CHANNEL_UPDATE), make_update(one, 1, 2, START_S)));
	CHECK_EQ(count_sent(w, 0, 2, MSG_NODE_ANNOUNCEMENT), 1);
	/* B7.gossip_timestamp_filter.5: also from now on. */
	w->sent_count = 0;
	world_hear(w, 1, make_update(two, 4, 3, START_S + 9));
	world_hear(w, 1, make_update(one, 1, 2, START_S + 11));
	a_minute();
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_UPDATE), 1);
	CHECK(bytes_equal(last_sent(w, 2, MSG_CHANNEL_UPDATE), make_update(two, 4, 3, START_S + 9)));
	/* Another filter takes the place of the first. */
	w->sent_count = 0;
	filter(2, UINT32_MAX, 0);
	world_hear(w, 1, make_update(two, 4, 3, START_S + 12));
	a_minute();
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_UPDATE), 0);
	finish();
}

TEST(peers_of_another_chain_hear_nothing)
{
	struct scid scid = scid_at(100);

	start();
	world_peer_features(w, 3, 7, test_unhex(QUERIES), true);
	filter(3, 0, UINT32_MAX);
	world_channel(w, scid, 1, 2);
	world_hear(w, 1, make_update(scid, 1, 2, START_S));
	a_minute();
	CHECK_EQ(count_sent(w, 0, 3, MSG_CHANNEL_UPDATE), 0); /* B7.rebroadcasting.5 */
	finish();
}

TEST(a_node_with_two_names_is_not_passed_on)
{
	struct scid scid = scid_at(100);

	start();
	filter(2, 0, UINT32_MAX);
	world_channel(w, scid, 1, 2);
	world_hear(w, 1, make_update(scid, 1, 2, START_S));
	world_hear(w, 1, make_node(1, START_S, BYTES_NONE, test_unhex("0501610001" "0501620001")));
	world_hear(w, 1, make_node(2, START_S, BYTES_NONE, test_unhex("0501610001")));
	a_minute();
	/* B7.node_announcement.32 */
	CHECK_EQ(count_sent(w, 0, 2, MSG_NODE_ANNOUNCEMENT), 1);
	CHECK(bytes_equal(last_sent(w, 2, MSG_NODE_ANNOUNCEMENT), make_node(2, START_S, BYTES_NONE, test_unhex("0501610001"))));
	query_scids(1, &scid, 1, NULL);
	CHECK_EQ(count_sent(w, 0, 1, MSG_NODE_ANNOUNCEMENT), 1);
	finish();
}

TEST(what_was_for_the_peer_alone_is_not_passed_on)
{
	struct scid scid = scid_at(100);
	struct own_update u = say_update(scid, 1, 2, START_S);

	start();
	filter(2, 0, UINT32_MAX);
	world_channel(w, scid, 1, 2);
	u.to_peer_only = true;
	world_hear(w, 1, sign_update(&u, 1));
	a_minute();
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_UPDATE), 0);
	finish();
}
