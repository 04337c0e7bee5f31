/* Each bound on what strangers can make us hold, do and send: docs/GOSSIP.md "Bounds" lists them.  Those that are not here
 * are hit in gossip_ingest_test.c (updates of one origin, their timestamps), gossip_sync_test.c (silence, blocks asked for,
 * peers listened to), gossip_query_test.c (queries before the answer to the last one) and gossip_attack_test.c (walks). */
#include "tests/unit/gossip_world.h"

static struct chain chain;
static struct world *w;

/* Some channel, of which copies are made that differ in their scid. */
static struct bytes pattern;
static uint32_t copies;

static struct bytes padded(struct bytes message, size_t more)
{
	uint8_t *p = test_alloc(message.size + more);

	memset(p + message.size, 0, more);
	memcpy(p, message.data, message.size);
	return BYTES(p, message.size + more);
}

static void start(bool sync)
{
	struct gossip_config config = config_of(0);

	memset(&chain, 0, sizeof(chain));
	config.sync = sync;
	w = world_new_with(&chain, 0, &config);
	/* With so much behind it that bytes run out before candidates do. */
	pattern = padded(make_channel(scid_at(1000), 1, 2), 64);
	copies = 0;
}

static void finish(void)
{
	world_free(w);
	mem_free(chain.at);
}

/* Type, four signatures, no features, chain_hash. */
#define SCID_OFFSET (2 + 4 * 64 + 2 + 32)

/* Well formed and badly signed: waits as long as nothing is verified. */
static struct bytes another(void)
{
	struct bytes copy = padded(pattern, 0);

	store_be64((uint8_t *)copy.data + SCID_OFFSET, scid_make(1000, ++copies, 0).v);
	return copy;
}

static void hear(uint64_t connection, uint32_t count)
{
	while (count--)
		world_hear(w, connection, another());
}

static size_t charge(void)
{
	return sizeof(struct held) + pattern.size;
}

static uint64_t dropped(void)
{
	return gossip_figures(w->g).over_bound;
}

/* reply_channel_range: that many channels, each in a block of its own from `first` on. */
static void reply(uint64_t connection, uint32_t first, uint32_t count, bool last)
{
	struct msg_reply_channel_range m = { .chain_hash = test_chain(), .first_blocknum = first, .sync_complete = last };
	struct buf scids = BUF_EMPTY, raw = BUF_EMPTY;

	m.number_of_blocks = last ? UINT32_MAX - first : count;
	buf_add_u8(&scids, ENCODING_PLAIN);
	for (uint32_t i = 0; i < count; i++)
		buf_add_be64(&scids, scid_at(first + i).v);
	m.encoded_short_ids = buf_view(&scids);
	msg_reply_channel_range_encode(&m, &raw);
	world_hear(w, connection, kept(&raw));
	buf_release(&scids);
}

static void end_of_answer(uint64_t connection)
{
	struct msg_reply_short_channel_ids_end m = { .chain_hash = test_chain(), .full_information = 1 };
	struct buf raw = BUF_EMPTY;

	msg_reply_short_channel_ids_end_encode(&m, &raw);
	world_hear(w, connection, kept(&raw));
}

/* ---- What waits ---- */

TEST(bytes_of_one_peer_of_the_asked_one_and_of_all)
{
	uint32_t each, asked, all, peers;

	start(true);
	each = (uint32_t)(HELD_PEER_BYTES_MAX / charge());
	asked = (uint32_t)(HELD_ASKED_BYTES_MAX / charge());
	all = (uint32_t)(HELD_BYTES_MAX / charge());
	w->no_verifying = true;
	world_peer(w, 1, 100);
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_CHANNEL_RANGE), 1);
	/* The one that we ask. */
	hear(1, asked);
	CHECK_EQ(dropped(), 0);
	hear(1, 1);
	CHECK_EQ(dropped(), 1);
	/* Another: its own share is not touched by that. */
	world_peer(w, 2, 101);
	hear(2, each);
	CHECK_EQ(dropped(), 1);
	hear(2, 1);
	CHECK_EQ(dropped(), 2);
	CHECK_EQ(gossip_figures(w->g).held, asked + each);
	finish();

	start(false);
	w->no_verifying = true;
	for (peers = 0; gossip_figures(w->g).held + each <= all; peers++) {
		world_peer(w, 2 + peers, 101 + peers);
		hear(2 + peers, each);
	}
	world_peer(w, 1, 100);
	hear(1, all - peers * each);
	CHECK_EQ(dropped(), 0);
	CHECK(all - peers * each < each);
	hear(1, 1);
	CHECK(dropped() == 1 && gossip_figures(w->g).held == all);
	finish();
}

TEST(channels_whose_output_is_looked_for)
{
	uint32_t each, asked, left;

	start(true);
	each = (uint32_t)(HELD_PEER_BYTES_MAX / charge());
	asked = (uint32_t)(HELD_ASKED_BYTES_MAX / charge());
	w->no_verifying = true;
	world_peer(w, 1, 100);
	world_later(w, TICK_MS);
	hear(1, asked);
	for (uint32_t i = 0; (left = CANDIDATES_MAX - table_count(&w->g->candidates)); i++) {
		world_peer(w, 2 + i, 101 + i);
		hear(2 + i, left < each ? left : each);
	}
	CHECK_EQ(dropped(), 0);
	world_peer(w, 60, 200);
	hear(60, 1);
	CHECK_EQ(dropped(), 1);
	CHECK_EQ(table_count(&w->g->candidates), CANDIDATES_MAX);
	finish();
}

/* How many queries leave when that many candidates of the asked peer, and of others, wait. */
static uint32_t queries_with(uint32_t of_asked, uint32_t of_others)
{
	uint32_t each, queries;

	start(true);
	each = (uint32_t)(HELD_PEER_BYTES_MAX / charge());
	w->no_verifying = true;
	world_peer(w, 1, 100);
	world_later(w, TICK_MS);
	hear(1, of_asked);
	for (uint32_t i = 2; of_others; i++) {
		uint32_t now = of_others < each ? of_others : each;

		world_peer(w, i, 100 + i);
		hear(i, now);
		of_others -= now;
	}
	CHECK_EQ(dropped(), 0);
	reply(1, 1, 3, true);
	world_later(w, TICK_MS);
	queries = count_sent(w, 0, 1, MSG_QUERY_SHORT_CHANNEL_IDS);
	finish();
	return queries;
}

TEST(no_more_is_asked_for_than_can_be_looked_at)
{
	uint32_t half;

	start(true);
	half = (uint32_t)(HELD_ASKED_BYTES_MAX / 2 / charge());
	finish();
	CHECK(half < AHEAD_MAX);
	CHECK_EQ(queries_with(half, 0), 1);
	CHECK_EQ(queries_with(half + 1, 0), 0);
	CHECK_EQ(queries_with(0, AHEAD_MAX - 1), 1);
	CHECK_EQ(queries_with(0, AHEAD_MAX), 0);
}

TEST(verifications_in_one_lot)
{
	struct gossip_notes out = { 0 };

	start(false);
	world_peer(w, 1, 100);
	w->no_verifying = true;
	hear(1, 200);
	CHECK_EQ(w->verify_lots, BATCHES_MAX);
	CHECK_EQ(gossip_figures(w->g).checks_open, 4 * BATCHES_MAX);
	/* One comes back: the next has all that it may. */
	world_verify(w, w->waiting_verify, &out);
	world_settle(w, &out);
	CHECK_EQ(w->verify_lots, BATCHES_MAX + 1);
	CHECK_EQ(w->waiting_verify->count, BATCH_CHECKS_MAX);
	finish();
}

TEST(what_waits_for_a_channel)
{
	struct scid scid = scid_at(1000);

	start(false);
	world_peer(w, 1, 100);
	w->no_verifying = true;
	world_hear(w, 1, pattern);
	/* The newest of each. */
	for (uint32_t i = 0; i < 20; i++) {
		world_hear(w, 1, make_update(scid, 1, 2, START_S + i));
		world_hear(w, 1, make_update(scid, 2, 1, START_S + i));
		world_hear(w, 1, make_node(2, START_S + i, BYTES_NONE, BYTES_NONE));
	}
	CHECK_EQ(gossip_figures(w->g).held, 4);
	/* For at least ten minutes, and at most twenty. */
	world_later(w, PARKED_MS);
	CHECK_EQ(gossip_figures(w->g).held, 4);
	world_later(w, PARKED_MS);
	CHECK_EQ(gossip_figures(w->g).held, 1);
	finish();
}

/* ---- What is believed and remembered ---- */

TEST(a_node_may_not_say_something_new_all_the_time)
{
	struct pubkey id = point_of('n', 1);
	uint32_t said;

	start(false);
	world_peer(w, 1, 100);
	CHECK(world_channel(w, scid_at(1000), 1, 2) != GRAPH_NONE);
	for (uint32_t i = 0; i < 30; i++)
		world_hear(w, 1, make_node(1, START_S + i, BYTES_NONE, BYTES_NONE));
	said = graph_node_at(gossip_graph(w->g), graph_find_node(gossip_graph(w->g), &id))->timestamp;
	CHECK_EQ(said, START_S + ALLOWANCE_MAX - 1);
	CHECK_EQ(gossip_figures(w->g).over_rate, 30 - ALLOWANCE_MAX);
	world_hear(w, 1, make_node(1, said + ALLOWANCE_S, BYTES_NONE, BYTES_NONE));
	CHECK_EQ(gossip_figures(w->g).over_rate, 30 - ALLOWANCE_MAX);
	world_hear(w, 1, make_node(1, said + ALLOWANCE_S + 1, BYTES_NONE, BYTES_NONE));
	CHECK_EQ(gossip_figures(w->g).over_rate, 31 - ALLOWANCE_MAX);
	finish();
}

TEST(a_day_ahead_and_no_more)
{
	struct scid scid = scid_at(1000);

	start(false);
	world_peer(w, 1, 100);
	CHECK(world_channel(w, scid, 1, 2) != GRAPH_NONE);
	world_hear(w, 1, make_update(scid, 1, 2, START_S + FUTURE_S + 1));
	CHECK_EQ(world_at(w, scid)->policy[direction_of(1, 2)].timestamp, 0);
	world_hear(w, 1, make_update(scid, 1, 2, START_S + FUTURE_S));
	CHECK_EQ(world_at(w, scid)->policy[direction_of(1, 2)].timestamp, START_S + FUTURE_S);
	world_hear(w, 1, make_update(scid, 2, 1, START_S - STALE_S - 1));
	CHECK_EQ(world_at(w, scid)->policy[direction_of(2, 1)].timestamp, 0);
	world_hear(w, 1, make_update(scid, 2, 1, START_S - STALE_S));
	CHECK_EQ(world_at(w, scid)->policy[direction_of(2, 1)].timestamp, START_S - STALE_S);
	finish();
}

TEST(updates_without_a_channel)
{
	start(true);
	world_peer(w, 1, 100);
	for (uint32_t i = 0; i < CURIOUS_MAX + 50; i++)
		world_hear(w, 1, make_update(scid_at(1000 + i), 1, 2, START_S));
	CHECK_EQ(w->g->sync.curious_count, CURIOUS_MAX);
	world_hear(w, 1, make_update(scid_at(1000), 1, 2, START_S + 1)); /* known to be wanted */
	CHECK_EQ(w->g->sync.curious_count, CURIOUS_MAX);
	finish();
}

TEST(scids_that_are_not_worth_asking_for)
{
	static struct tombs t;
	const uint8_t seed[16] = { 9 };
	struct scid same[TOMBS_WAYS + 1];
	uint32_t count = 0;
	uint64_t bucket = 0;

	tombs_init(&t, seed);
	/* All of one bucket. */
	for (uint64_t v = 1; count <= TOMBS_WAYS; v++) {
		uint8_t key[8];
		uint64_t in;

		store_le64(key, v);
		in = siphash24(seed, BYTES_OF(key)) % TOMBS_BUCKETS;
		if (!count)
			bucket = in;
		if (in == bucket)
			same[count++].v = v;
	}
	for (uint32_t i = 0; i < TOMBS_WAYS; i++)
		tombs_put(&t, same[i], TOMB_SPENT);
	for (uint32_t i = 0; i < TOMBS_WAYS; i++)
		CHECK_EQ(tombs_get(&t, same[i]), TOMB_SPENT);
	/* The oldest goes, and nothing grows. */
	tombs_put(&t, same[TOMBS_WAYS], TOMB_INVALID);
	CHECK_EQ(tombs_get(&t, same[0]), TOMB_NONE);
	for (uint32_t i = 1; i < TOMBS_WAYS; i++)
		CHECK_EQ(tombs_get(&t, same[i]), TOMB_SPENT);
	CHECK_EQ(tombs_get(&t, same[TOMBS_WAYS]), TOMB_INVALID);
	CHECK_EQ(TOMBS_BUCKETS * TOMBS_WAYS, 16384);
}

TEST(nodes_that_are_not_believed)
{
	static struct blacklist b;
	struct pubkey id[BLACKLIST_MAX + 1];

	memset(id, 2, sizeof(id));
	for (uint32_t i = 0; i <= BLACKLIST_MAX; i++)
		store_be32(id[i].v + 1, i);
	for (uint32_t i = 0; i < BLACKLIST_MAX; i++)
		blacklist_put(&b, &id[i]);
	CHECK(blacklist_has(&b, &id[0]) && blacklist_has(&b, &id[BLACKLIST_MAX - 1]));
	blacklist_put(&b, &id[BLACKLIST_MAX]);
	CHECK(!blacklist_has(&b, &id[0]) && blacklist_has(&b, &id[1]) && blacklist_has(&b, &id[BLACKLIST_MAX]));
	CHECK_EQ(b.count, BLACKLIST_MAX);
}

TEST(channels_that_were_spent)
{
	start(false);
	world_peer(w, 1, 100);
	CHECK(world_channel(w, scid_at(1000), 1, 2) != GRAPH_NONE);
	world_block(w, &chain_output(&chain, scid_at(1000))->outpoint);
	for (uint32_t i = 0; i < SPENT_KEPT_BLOCKS; i++) {
		CHECK(w->spent_count == 1 && w->g->spent_count == 1);
		world_block(w, NULL);
	}
	CHECK(w->spent_count == 0 && w->g->spent_count == 0);
	finish();
}

/* ---- Queries ---- */

static struct bytes a_query(uint32_t count)
{
	struct msg_query_short_channel_ids m = { .chain_hash = test_chain() };
	struct scid *list = test_alloc(count * sizeof(*list));
	struct buf scids = BUF_EMPTY, raw = BUF_EMPTY;

	for (uint32_t i = 0; i < count; i++)
		list[i] = scid_at(1000 + i);
	scids_encode(list, count, &scids);
	m.encoded_short_ids = buf_view(&scids);
	msg_query_short_channel_ids_encode(&m, &raw);
	buf_release(&scids);
	return kept(&raw);
}

TEST(scids_in_one_query_of_theirs)
{
	start(false);
	world_peer(w, 1, 100);
	world_hear(w, 1, a_query(ANSWER_SCIDS_MAX));
	CHECK(!hung_up(w, 1));
	CHECK_EQ(count_sent(w, 0, 1, MSG_REPLY_SHORT_CHANNEL_IDS_END), 1);
	world_hear(w, 1, a_query(ANSWER_SCIDS_MAX + 1));
	CHECK(hung_up(w, 1));
	CHECK_EQ(count_sent(w, 0, 1, MSG_REPLY_SHORT_CHANNEL_IDS_END), 1);
	finish();
}

TEST(scids_in_one_query_of_ours)
{
	uint32_t asked = 0;

	start(true);
	world_peer(w, 1, 100);
	world_later(w, TICK_MS);
	reply(1, 1, 2 * QUERY_SCIDS_MAX + 7, true);
	for (uint32_t i = 1; i <= 3; i++) {
		struct msg_query_short_channel_ids m;

		world_later(w, TICK_MS);
		CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_SHORT_CHANNEL_IDS), i);
		CHECK_EQ(msg_query_short_channel_ids_decode(last_sent(w, 1, MSG_QUERY_SHORT_CHANNEL_IDS), &w->kept_arena, &m), DECODE_OK);
		CHECK_EQ(m.encoded_short_ids.size, 1 + 8 * (i < 3 ? QUERY_SCIDS_MAX : 7));
		asked += (uint32_t)m.encoded_short_ids.size / 8;
		end_of_answer(1);
	}
	CHECK_EQ(asked, 2 * QUERY_SCIDS_MAX + 7);
	finish();
}

/* 8,000 each, with no end to them. */
TEST(scids_that_one_sync_may_ask_for)
{
	const uint32_t each = 8000;

	start(true);
	world_peer(w, 1, 100);
	world_later(w, TICK_MS);
	for (uint32_t i = 0; i * each <= WANTED_MAX; i++) {
		struct msg_reply_channel_range m = { .chain_hash = test_chain(), .first_blocknum = i, .number_of_blocks = 1 };
		struct buf scids = BUF_EMPTY, raw = BUF_EMPTY;

		buf_add_u8(&scids, ENCODING_PLAIN);
		for (uint32_t k = 0; k < each; k++)
			buf_add_be64(&scids, scid_make(i, k, 0).v);
		m.encoded_short_ids = buf_view(&scids);
		msg_reply_channel_range_encode(&m, &raw);
		CHECK(raw.size <= MESSAGE_SIZE_MAX);
		world_hear(w, 1, buf_view(&raw));
		buf_release(&scids);
		buf_release(&raw);
	}
	CHECK(!hung_up(w, 1));
	CHECK_EQ(w->g->sync.wanted_count, WANTED_MAX);
	finish();
}

TEST(messages_in_one_answer_to_a_range)
{
	start(true);
	world_peer(w, 1, 100);
	world_later(w, TICK_MS);
	for (uint32_t i = 0; i < RANGE_REPLIES_MAX; i++)
		reply(1, i, 0, false);
	CHECK(!hung_up(w, 1));
	reply(1, RANGE_REPLIES_MAX, 0, false);
	CHECK(hung_up(w, 1));
	finish();
}

TEST(peers_asked_after_a_start)
{
	uint32_t answered = 0;

	start(true);
	for (uint32_t i = 1; i <= 3 * SYNC_PEERS; i++)
		world_peer(w, i, 100 + i);
	for (uint32_t t = 0; t < 100; t++) {
		world_later(w, TICK_MS);
		for (uint32_t i = 1; i <= 3 * SYNC_PEERS; i++)
			if (w->g->sync.phase == SYNC_RANGE && w->g->sync.connection == i) {
				reply(i, 0, 0, true);
				answered++;
			}
	}
	CHECK_EQ(answered, SYNC_PEERS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS);
	/* One more after six hours, or after ten minutes where a bound made us drop something or the chain source was away. */
	world_later(w, SYNC_LOST_MS);
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS);
	w->g->figures.over_bound++;
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS + 1);
	reply(w->g->sync.connection, 0, 0, true);
	chain_fund(&chain, scid_at(900), 1, 2);
	chain_output(&chain, scid_at(900))->away = true;
	world_hear(w, 1, make_channel(scid_at(900), 1, 2));
	CHECK_EQ(gossip_figures(w->g).deferred, 1);
	world_later(w, SYNC_LOST_MS - TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS + 1);
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS + 2);
	/* Away while the sync lasts: the same. */
	world_hear(w, 1, make_channel(scid_at(900), 1, 2));
	CHECK_EQ(gossip_figures(w->g).deferred, 2);
	reply(w->g->sync.connection, 0, 0, true);
	world_later(w, SYNC_LOST_MS - TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS + 2);
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS + 3);
	reply(w->g->sync.connection, 0, 0, true);
	world_later(w, SYNC_AGAIN_MS - TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS + 3);
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), SYNC_PEERS + 4);
	finish();
}

/* ---- What is sent ---- */

/* Into the graph, without chain and verification. */
static void put(struct scid scid)
{
	struct own_announcement o = ends_of(scid, 1, 2);
	struct own_update u = say_update(scid, 1, 2, START_S);
	struct gossip_notes out = { 0 };
	struct msg_channel_announcement m;
	struct msg_channel_update um;
	struct buf raw = BUF_EMPTY;
	uint32_t channel;

	own_announcement_build(&o, &raw);
	CHECK_EQ(msg_channel_announcement_decode(buf_view(&raw), &w->effects.arena, &m), DECODE_OK);
	channel = apply_channel(w->g, &w->step, &out, &m, buf_view(&raw), SAT(1000000), &(struct txid){ { 1 } });
	CHECK(channel != GRAPH_NONE);
	buf_clear(&raw);
	own_update_build(&u, &raw);
	CHECK_EQ(msg_channel_update_decode(buf_view(&raw), &w->effects.arena, &um), DECODE_OK);
	apply_update(w->g, &w->step, &out, channel, &um, buf_view(&raw));
	buf_release(&raw);
	world_settle(w, &out);
}

static void filter_of(uint64_t connection)
{
	struct msg_gossip_timestamp_filter m = { .chain_hash = test_chain(), .timestamp_range = UINT32_MAX };
	struct buf raw = BUF_EMPTY;

	msg_gossip_timestamp_filter_encode(&m, &raw);
	world_hear(w, connection, kept(&raw));
}

static uint64_t first_sent(uint64_t connection)
{
	for (uint32_t i = 0; i < w->sent_count; i++)
		if (w->sent[i].connection == connection && load_be16(w->sent[i].raw.data) == MSG_CHANNEL_ANNOUNCEMENT)
			return load_be64(w->sent[i].raw.data + SCID_OFFSET);
	return 0;
}

TEST(changes_that_are_remembered_for_listeners)
{
	const uint32_t more = 30, channels = RECENT_MAX / 2 + more; /* two changes each */

	start(false);
	world_peer(w, 1, 100);
	filter_of(1);
	w->sent_count = 0;
	for (uint32_t i = 0; i < channels; i++)
		put(scid_at(1000 + i));
	world_later(w, FLUSH_MS);
	CHECK(count_sent(w, 0, 1, MSG_CHANNEL_ANNOUNCEMENT) > 0);
	/* INV-G3: no more is on its way than the window, by one message. */
	CHECK(peer_of(w->g, 1)->in_flight >= WINDOW_BYTES && peer_of(w->g, 1)->in_flight < WINDOW_BYTES + SENT_CHANNEL);
	world_drained_dry(w, 1);
	/* What the ring has lost, this peer misses. */
	CHECK_EQ(count_sent(w, 0, 1, MSG_CHANNEL_ANNOUNCEMENT), RECENT_MAX / 2);
	CHECK_EQ(count_sent(w, 0, 1, MSG_CHANNEL_UPDATE), RECENT_MAX / 2);
	CHECK_EQ(first_sent(1), scid_at(1000 + more).v);
	finish();
}

TEST(dead_bytes_in_the_log)
{
	start(false);
	world_peer(w, 1, 100);
	put(scid_at(1000));
	store_dead(w->g, COMPACT_DEAD_MIN - 1);
	world_later(w, TICK_MS);
	CHECK(!w->compact);
	/* Half of a large log, and not less. */
	w->g->log_end = 2 * COMPACT_DEAD_MIN + 1;
	store_dead(w->g, 1);
	world_later(w, TICK_MS);
	CHECK(!w->compact);
	w->g->log_end = (uint32_t)w->log.size;
	world_later(w, TICK_MS);
	CHECK(w->compact);
	finish();
}

/* ---- The graph ---- */

static struct pubkey id_of(uint32_t n)
{
	struct pubkey id = { { 2 } };

	store_be32(id.v + 1, n);
	return id;
}

static uint32_t join(struct graph *g, uint32_t scid, uint32_t a, uint32_t b)
{
	struct pubkey ends[2] = { id_of(a), id_of(b) };
	struct graph_new_channel c = { .scid = { scid }, .node_id = { &ends[0], &ends[1] }, .funding = scid };

	return graph_add_channel(g, &c);
}

TEST(channels_and_nodes_in_the_graph)
{
	const uint8_t seed[32] = { 4 };
	struct graph *g = graph_new(seed);

	for (uint32_t i = 0; i < GRAPH_CHANNELS_MAX; i++)
		CHECK(join(g, i + 1, i % 1000, 1000 + i % 777) != GRAPH_NONE);
	CHECK_EQ(join(g, GRAPH_CHANNELS_MAX + 1, 1, 2), GRAPH_NONE);
	CHECK_EQ(graph_channel_count(g), GRAPH_CHANNELS_MAX);
	graph_remove_channel(g, graph_find_channel(g, (struct scid){ 7 }));
	CHECK(join(g, GRAPH_CHANNELS_MAX + 1, 1, 2) != GRAPH_NONE);
	graph_free(g);

	g = graph_new(seed);
	for (uint32_t i = 0; i < GRAPH_NODES_MAX / 2; i++)
		CHECK(join(g, i + 1, 2 * i, 2 * i + 1) != GRAPH_NONE);
	CHECK_EQ(graph_node_count(g), GRAPH_NODES_MAX);
	CHECK_EQ(join(g, GRAPH_NODES_MAX, GRAPH_NODES_MAX, GRAPH_NODES_MAX + 1), GRAPH_NONE);
	CHECK_EQ(graph_node_count(g), GRAPH_NODES_MAX);
	graph_free(g);
}

/* A graph that takes no more: the announcement is dropped and counted, and its channel forgotten. */
TEST(an_announcement_for_a_full_graph)
{
	start(false);
	world_peer(w, 1, 100);
	for (uint32_t i = 0; i < GRAPH_CHANNELS_MAX; i++)
		CHECK(join(w->g->graph, i + 1, i % 1000, 1000 + i % 777) != GRAPH_NONE);
	w->settled = 1; /* all of it is not to be read each time */
	CHECK_EQ(world_channel(w, scid_at(1000), 1, 2), GRAPH_NONE);
	CHECK_EQ(dropped(), 1);
	CHECK_EQ(gossip_figures(w->g).held, 0);
	finish();
}
