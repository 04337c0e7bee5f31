/* Whom we ask and listen to, and two machines that learn from one another. */
#include "tests/unit/gossip_world.h"

static struct chain chain;
static struct world *w;

static void start(void)
{
	memset(&chain, 0, sizeof(chain));
	w = world_new(&chain, 0);
}

static void finish(void)
{
	world_free(w);
	mem_free(chain.at);
}

static struct msg_gossip_timestamp_filter filter_to(uint64_t connection)
{
	struct msg_gossip_timestamp_filter m;

	CHECK_EQ(msg_gossip_timestamp_filter_decode(last_sent(w, connection, MSG_GOSSIP_TIMESTAMP_FILTER), &w->kept_arena, &m), DECODE_OK);
	return m;
}

static bool wants_news_of(uint32_t connection)
{
	return count_sent(w, 0, connection, MSG_GOSSIP_TIMESTAMP_FILTER) && filter_to(connection).timestamp_range;
}

TEST(some_peers_are_listened_to)
{
	uint32_t listening = 0;

	start();
	world_peer(w, 12, 12);
	/* First a sync. */
	CHECK_EQ(count_sent(w, 0, 12, MSG_GOSSIP_TIMESTAMP_FILTER), 0);
	world_peer_gone(w, 12);
	w->g->sync.rounds = 1;
	world_peer_features(w, 1, 1, BYTES_NONE, false);
	/* B7.gossip_timestamp_filter.2: not worth listening to. */
	CHECK(filter_to(1).first_timestamp == UINT32_MAX && filter_to(1).timestamp_range == 0);
	for (uint32_t i = 2; i < 12; i++) {
		world_peer(w, i, i);
		if (!wants_news_of(i))
			continue;
		CHECK(SAME(filter_to(i).chain_hash, test_chain())); /* B7.gossip_timestamp_filter.1 */
		listening++;
	}
	CHECK(listening == LISTENERS_MAX && gossip_figures(w->g).listening == LISTENERS_MAX);
	/* One that goes is replaced at the next tick. */
	for (uint32_t i = 2; i < 12; i++)
		if (wants_news_of(i)) {
			world_peer_gone(w, i);
			break;
		}
	CHECK_EQ(gossip_figures(w->g).listening, LISTENERS_MAX - 1);
	world_later(w, TICK_MS);
	CHECK_EQ(gossip_figures(w->g).listening, LISTENERS_MAX);
	finish();
}

TEST(the_least_useful_is_replaced)
{
	uint32_t heard = 0, other = 0;

	start();
	w->g->sync.rounds = 1;
	for (uint32_t i = 1; i <= LISTENERS_MAX + 1; i++)
		world_peer(w, i, i + 50);
	for (uint32_t i = 1; i <= LISTENERS_MAX + 1; i++)
		if (!wants_news_of(i))
			other = i;
	CHECK(other);
	world_later(w, TICK_MS); /* the clock of the rotation starts */
	world_later(w, TICK_MS);
	CHECK_EQ(gossip_figures(w->g).listening, LISTENERS_MAX);
	/* All but one bring something. */
	for (uint32_t i = 1; i <= LISTENERS_MAX + 1; i++) {
		struct scid scid = scid_at(100 + i);

		if (!wants_news_of(i) || ++heard == LISTENERS_MAX)
			continue;
		chain_fund(&chain, scid, 1, 2 + i);
		world_hear(w, i, make_channel(scid, 1, 2 + i));
		CHECK(world_at(w, scid));
	}
	heard = 0;
	for (uint32_t i = 1; i <= LISTENERS_MAX + 1; i++)
		heard += peer_of(w->g, i)->listening && !peer_of(w->g, i)->useful ? i : 0;
	world_later(w, ROTATE_MS);
	CHECK_EQ(gossip_figures(w->g).listening, LISTENERS_MAX);
	CHECK(!wants_news_of(heard));
	finish();
}

static struct msg_query_channel_range range_to(uint64_t connection)
{
	struct msg_query_channel_range m;

	CHECK_EQ(msg_query_channel_range_decode(last_sent(w, connection, MSG_QUERY_CHANNEL_RANGE), &w->kept_arena, &m), DECODE_OK);
	return m;
}

TEST(a_peer_without_gossip_is_not_asked)
{
	start();
	world_peer_features(w, 1, 1, BYTES_NONE, false);
	world_peer_features(w, 2, 2, test_unhex(QUERIES), true);
	world_later(w, TICK_MS);
	world_later(w, TICK_MS);
	/* B7.query_channel_range_reply_channel_range.1, B7.query_short_channel_ids_reply_short_chan.1 */
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), 0);
	world_peer_features(w, 3, 3, test_unhex("40"), false);
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 3, MSG_QUERY_CHANNEL_RANGE), 1);
	/* B7.query_channel_range_reply_channel_range.3, B7.query_channel_range_reply_channel_range.4,
	 * B7.query_channel_range_reply_channel_range.5; no extension for one that does not know it. */
	CHECK(SAME(range_to(3).chain_hash, test_chain()) && range_to(3).first_blocknum == 0);
	CHECK(range_to(3).number_of_blocks >= 1 && !range_to(3).tlvs.query_option);
	finish();
}

TEST(one_query_at_a_time_and_silence_ends_it)
{
	start();
	world_peer(w, 1, 1);
	world_peer(w, 2, 2);
	for (int i = 0; i < 30; i++)
		world_later(w, TICK_MS);
	/* B7.query_channel_range_reply_channel_range.2 */
	CHECK_EQ(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE), 1);
	for (int i = 0; i < 40; i++)
		world_later(w, TICK_MS);
	/* The other one. */
	CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_CHANNEL_RANGE), 1);
	CHECK_EQ(count_sent(w, 0, 2, MSG_QUERY_CHANNEL_RANGE), 1);
	/* Both fail, both are tried again later. */
	for (int i = 0; i < 200; i++)
		world_later(w, TICK_MS);
	CHECK(count_sent(w, 0, 0, MSG_QUERY_CHANNEL_RANGE) > 2);
	finish();
}

/* A reply that says first, number and these scids. */
static struct bytes reply(uint32_t first, uint32_t number, const char *array, const char *tlvs)
{
	struct msg_reply_channel_range m = { .chain_hash = test_chain(), .first_blocknum = first, .number_of_blocks = number,
					     .sync_complete = 1, .encoded_short_ids = test_unhex(array) };
	struct buf raw = BUF_EMPTY;
	struct bytes more = test_unhex(tlvs);

	msg_reply_channel_range_encode(&m, &raw);
	buf_add_bytes(&raw, more);
	return kept(&raw);
}

/* As LDK does. */
TEST(a_peer_that_answers_no_query_of_channels_is_sent_a_filter)
{
	start();
	world_peer(w, 1, 1);
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_CHANNEL_RANGE), 1);
	world_hear(w, 1, reply(0, UINT32_MAX, "00" "0000060000010000", ""));
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_SHORT_CHANNEL_IDS), 1);
	/* The first filter of a connection must be the one that asks for all: LDK heeds no other. */
	CHECK_EQ(count_sent(w, 0, 1, MSG_GOSSIP_TIMESTAMP_FILTER), 0);
	for (uint32_t ms = 0; ms < MUTE_MS; ms += TICK_MS)
		world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 1, MSG_GOSSIP_TIMESTAMP_FILTER), 1);
	CHECK(filter_to(1).first_timestamp == 0 && filter_to(1).timestamp_range == UINT32_MAX);
	/* It is asked no more, and news of others is welcome. */
	world_peer(w, 2, 2);
	CHECK(filter_to(2).first_timestamp > 0 && filter_to(2).timestamp_range == UINT32_MAX);
	for (int i = 0; i < 200; i++)
		world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_CHANNEL_RANGE), 1);
	CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_SHORT_CHANNEL_IDS), 1);
	CHECK(count_sent(w, 0, 2, MSG_QUERY_CHANNEL_RANGE) > 1);
	finish();
}

TEST(replies_that_are_wrong)
{
	static const struct {
		uint32_t first, number;
		const char *array, *tlvs;
	} wrong[] = {
		{ 5, 10, "01789c", "" },                       /* B7.query_messages.1 */
		{ 5, 10, "000000", "" },                       /* half a scid */
		{ 5, 10, "00" "0000060000010000", "010500" "00000001" }, /* timestamps for half of it */
		{ 5, 10, "00" "0000060000010000", "0300" },    /* no checksums in the record for them */
		{ 4, 10, "00", "" },                           /* before the last one */
	};

	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		start();
		world_peer(w, 1, 1);
		world_later(w, TICK_MS);
		world_hear(w, 1, reply(5, 6, "00", ""));
		CHECK(!hung_up(w, 1));
		world_hear(w, 1, reply(wrong[i].first, wrong[i].number, wrong[i].array, wrong[i].tlvs));
		CHECK(hung_up(w, 1));
		finish();
	}
}

static struct msg_query_short_channel_ids query_to(uint64_t connection)
{
	struct msg_query_short_channel_ids m;

	CHECK_EQ(msg_query_short_channel_ids_decode(last_sent(w, connection, MSG_QUERY_SHORT_CHANNEL_IDS), &w->kept_arena, &m), DECODE_OK);
	return m;
}

TEST(only_what_is_missing_or_old_is_asked_for)
{
	struct scid known = scid_at(100), old = scid_at(101), same = scid_at(102), missing = scid_at(103), dead = scid_at(104);
	uint32_t a = direction_of(1, 2) == 0 ? 1 : 2, b = 3 - a;
	struct msg_query_short_channel_ids q;
	struct msg_reply_channel_range m = { .chain_hash = test_chain(), .number_of_blocks = UINT32_MAX, .sync_complete = 1 };
	struct tlv_reply_channel_range_timestamps_tlv times = { 0 };
	struct wire_channel_update_checksums sums[5];
	struct tlv_reply_channel_range_checksums_tlv checksums = { sums, 5 };
	struct scid list[5] = { known, old, same, missing, dead };
	struct buf scids = BUF_EMPTY, stamps = BUF_EMPTY, raw = BUF_EMPTY;

	start();
	world_peer(w, 1, 9);
	for (int i = 0; i < 3; i++) {
		world_channel(w, list[i], 1, 2);
		world_hear(w, 1, make_update(list[i], a, b, START_S));
		world_hear(w, 1, make_update(list[i], b, a, START_S));
	}
	world_hear(w, 1, make_node(a, START_S, BYTES_NONE, BYTES_NONE));
	world_hear(w, 1, make_node(b, START_S, BYTES_NONE, BYTES_NONE));
	world_later(w, TICK_MS);
	scids_encode(list, 5, &scids);
	for (int i = 0; i < 5; i++) {
		bool newer = list[i].v == old.v || list[i].v == same.v, stale = list[i].v == dead.v;

		buf_add_be32(&stamps, stale ? START_S - STALE_S - 10 : START_S);
		buf_add_be32(&stamps, stale ? START_S - STALE_S - 10 : START_S + newer);
		sums[i].checksum_node_id_1 = 5;
		sums[i].checksum_node_id_2 = list[i].v == same.v ? world_at(w, same)->policy[1].checksum : 6;
	}
	times.encoded_timestamps = buf_view(&stamps);
	m.encoded_short_ids = buf_view(&scids);
	m.tlvs.timestamps_tlv = &times;
	m.tlvs.checksums_tlv = &checksums;
	msg_reply_channel_range_encode(&m, &raw);
	world_hear(w, 1, buf_view(&raw));
	q = query_to(1);
	/* B7.query_short_channel_ids_reply_short_chan.3, B7.query_short_channel_ids_reply_short_chan.4,
	 * B7.query_short_channel_ids_reply_short_chan.5, B7.query_short_channel_ids_reply_short_chan.7,
	 * B7.query_short_channel_ids_reply_short_chan.8: newer and other, and unknown with somebody alive. */
	CHECK(SAME(q.chain_hash, test_chain()));
	CHECK_HEX(q.encoded_short_ids, "00" "0000650000010000" "0000670000010000");
	CHECK(q.tlvs.query_flags && q.tlvs.query_flags->encoding_type == 0);
	CHECK_HEX(q.tlvs.query_flags->encoded_query_flags, "04" "1f");
	buf_release(&scids);
	buf_release(&stamps);
	buf_release(&raw);
	finish();
}

/* ---- Two machines ---- */

static void wire_up(struct world *a, struct world *b, uint64_t connection)
{
	a->wire[connection] = b;
	b->wire[connection] = a;
	world_peer(a, connection, b->me);
	world_peer(b, connection, a->me);
}

static bool deliver(struct world *x)
{
	bool any = false;

	while (x->delivered < x->sent_count) {
		struct sent m = x->sent[x->delivered++];

		if (!x->wire[m.connection])
			continue;
		world_hear(x->wire[m.connection], m.connection, m.raw);
		any = true;
	}
	for (uint64_t c = 0; c < ARRAY_COUNT(x->wire); c++)
		if (x->wire[c] && peer_of(x->g, c) && peer_of(x->g, c)->in_flight)
			world_drained(x, c);
	if (x->delivered == x->sent_count)
		x->delivered = x->sent_count = 0;
	return any;
}

static void run(struct world **list, uint32_t count, uint32_t seconds)
{
	for (uint32_t t = 0; t < seconds; t++) {
		bool any = true;

		while (any) {
			any = false;
			for (uint32_t i = 0; i < count; i++)
				any |= deliver(list[i]);
		}
		for (uint32_t i = 0; i < count; i++)
			world_later(list[i], TICK_MS);
	}
}

/* Its channel is known and nobody repeats its announcement: it is asked for by name of the channel. */
TEST(a_node_that_was_missed_is_asked_for)
{
	struct world *full, *list[2];
	struct scid scid = scid_at(100);
	struct pubkey id = point_of('n', 2);

	start();
	full = world_new(&chain, 100);
	world_peer(w, 1, 99);
	world_peer(full, 1, 99);
	world_channel(full, scid, 1, 2);
	world_channel(w, scid, 1, 2);
	for (int i = 0; i < 2; i++) {
		world_hear(i ? w : full, 1, make_update(scid, 1, 2, START_S));
		world_hear(i ? w : full, 1, make_node(1, START_S, BYTES_NONE, BYTES_NONE));
	}
	world_hear(full, 1, make_node(2, START_S, BYTES_NONE, BYTES_NONE));
	world_peer_gone(w, 1);
	world_peer_gone(full, 1);
	w->sent_count = full->sent_count = 0;
	w->g->sync.listen_ms = UINT64_MAX; /* by the query alone, not by the filter */
	wire_up(w, full, 2);
	list[0] = w;
	list[1] = full;
	for (int i = 0; i < 5 && !w->g->sync.rounds; i++)
		run(list, 2, 1);
	CHECK_EQ(graph_node_at(gossip_graph(w->g), graph_find_node(gossip_graph(w->g), &id))->timestamp, START_S);
	world_free(full);
	finish();
}

/* LDK sends what it announces to those alone whose filter it has, and never again. */
TEST(a_sync_that_brings_nothing_is_followed_by_the_filter_at_once)
{
	start();
	world_peer(w, 1, 9);
	world_later(w, TICK_MS);
	CHECK(!peer_of(w->g, 1)->listening);
	world_hear(w, 1, reply(0, UINT32_MAX, "00", ""));
	CHECK_EQ(w->g->sync.rounds, 1);
	CHECK(peer_of(w->g, 1)->listening);
	finish();
}

/* B7.query_short_channel_ids_reply_short_chan.6 */
TEST(what_is_known_to_be_spent_is_not_asked_for)
{
	struct scid gone = scid_at(100);

	start();
	world_peer(w, 1, 9);
	chain_fund(&chain, gone, 1, 2);
	chain_output(&chain, gone)->spent = true;
	world_hear(w, 1, make_channel(gone, 1, 2));
	world_later(w, TICK_MS);
	world_hear(w, 1, reply(0, UINT32_MAX, "00" "0000640000010000" "0000650000010000", ""));
	CHECK_HEX(query_to(1).encoded_short_ids, "00" "0000650000010000");
	finish();
}

#define NET 1200u

static void fill(struct world *x)
{
	for (uint32_t i = 0; i < NET; i++) {
		struct scid scid = scid_make(500000 + i / 3, i, 0);
		uint32_t a = 1 + i % 40, b = 41 + i % 37;

		world_channel(x, scid, a, b);
		world_hear(x, 1, make_update(scid, a, b, START_S));
		if (i % 2)
			world_hear(x, 1, make_update(scid, b, a, START_S + 1));
	}
	for (uint32_t i = 0; i < 77; i++)
		world_hear(x, 1, make_node(1 + i, START_S, BYTES_NONE, BYTES_NONE));
	CHECK_EQ(graph_channel_count(gossip_graph(x->g)), NET);
	x->sent_count = 0;
}

static void same(struct world *a, struct world *b)
{
	const struct graph *x = gossip_graph(a->g), *y = gossip_graph(b->g);

	CHECK_EQ(graph_channel_count(x), graph_channel_count(y));
	CHECK_EQ(graph_node_count(x), graph_node_count(y));
	for (uint32_t i = 0; i < graph_channel_limit(x); i++) {
		const struct graph_channel *c = graph_channel_at(x, i), *d = c ? world_at(b, c->scid) : NULL;

		if (!c)
			continue;
		CHECK(d);
		for (int side = 0; side < 2; side++) {
			CHECK(c->policy[side].timestamp == d->policy[side].timestamp);
			CHECK(graph_node_at(x, c->node[side])->timestamp == graph_node_at(y, d->node[side])->timestamp);
		}
	}
}

TEST(an_empty_node_learns_everything)
{
	struct world *full, *list[2];
	uint32_t blocks = NET / 3, twice = 0;
	struct gossip_config config;

	start();
	gossip_free(w->g);
	config = config_of(0);
	config.gather_ms = 1000;
	w->g = gossip_new(&config, config.node_id.v);
	full = world_new(&chain, 100);
	world_peer(full, 1, 99);
	fill(full);
	wire_up(w, full, 2);
	list[0] = w;
	list[1] = full;
	run(list, 2, 10);
	same(full, w);
	CHECK(gossip_figures(w->g).synced);
	/* No block was read twice, and each signature was verified once. */
	CHECK(w->lookups <= ARRAY_COUNT(w->heights));
	for (uint32_t i = 0; i < w->lookups; i++)
		for (uint32_t k = 0; k < i; k++)
			twice += w->heights[i] == w->heights[k];
	CHECK_EQ(twice, 0);
	CHECK_EQ(w->lookups, blocks);
	CHECK_EQ(w->lookup_scids, NET);
	CHECK_EQ(w->checks, 4 * NET + NET + NET / 2 + 77);
	CHECK_EQ(gossip_figures(w->g).held, 0);
	CHECK(!w->hung_up_count && !full->hung_up_count);
	/* What is new comes by itself, from now on. */
	CHECK(peer_of(w->g, 2)->listening && peer_of(full->g, 2)->has_filter);
	world_hear(full, 1, make_update(scid_make(500000, 1, 0), 2, 42, START_S + 30));
	run(list, 2, 70);
	same(full, w);
	CHECK_EQ(world_at(w, scid_make(500000, 1, 0))->policy[direction_of(2, 42)].timestamp, START_S + 30);
	world_free(full);
	finish();
}

TEST(updates_that_were_missed_are_found)
{
	struct world *other, *list[2];

	start();
	other = world_new(&chain, 100);
	world_peer(w, 1, 99);
	world_peer(other, 1, 99);
	fill(w);
	for (uint32_t i = 0; i < NET; i++) {
		struct scid scid = scid_make(500000 + i / 3, i, 0);

		if (i == 7)
			continue;
		world_hear(other, 1, make_channel(scid, 1 + i % 40, 41 + i % 37));
		world_hear(other, 1, make_update(scid, 1 + i % 40, 41 + i % 37, i % 100 ? START_S : START_S - 500000));
		world_hear(other, 1, make_update(scid, 41 + i % 37, 1 + i % 40, START_S + 1));
	}
	world_peer_gone(w, 1);
	world_peer_gone(other, 1);
	w->sent_count = other->sent_count = 0;
	wire_up(w, other, 2);
	list[0] = w;
	list[1] = other;
	run(list, 2, 10);
	CHECK(world_at(other, scid_make(500002, 7, 0)));
	for (uint32_t i = 0; i < NET; i++) {
		struct scid scid = scid_make(500000 + i / 3, i, 0);

		CHECK(world_at(w, scid)->policy[0].timestamp && world_at(w, scid)->policy[1].timestamp);
		CHECK(i == 7 || world_at(other, scid)->policy[direction_of(1 + i % 40, 41 + i % 37)].timestamp >= START_S);
	}
	world_free(other);
	finish();
}

TEST(a_backend_that_is_slow_slows_the_sync_and_nothing_else)
{
	struct world *full, *list[2];

	start();
	full = world_new(&chain, 100);
	world_peer(full, 1, 99);
	fill(full);
	w->no_lookups = true;
	wire_up(w, full, 2);
	list[0] = w;
	list[1] = full;
	run(list, 2, 300);
	CHECK_EQ(gossip_figures(w->g).lookups_open, LOOKUPS_MAX);
	CHECK_EQ(graph_channel_count(gossip_graph(w->g)), 0);
	CHECK(!w->hung_up_count);
	world_free(full);
	finish();
}

TEST(an_update_for_nothing_known_makes_curious)
{
	struct scid scid = scid_at(100);

	start();
	world_peer(w, 1, 9);
	/* The one sync that there is with this peer ends at once. */
	world_later(w, TICK_MS);
	world_hear(w, 1, reply(0, UINT32_MAX, "00", ""));
	world_later(w, TICK_MS);
	world_hear(w, 1, make_update(scid, 1, 2, START_S));
	CHECK(!world_at(w, scid));
	world_later(w, TICK_MS);
	world_later(w, TICK_MS);
	CHECK_HEX(query_to(1).encoded_short_ids, "00" "0000640000010000");
	/* B7.query_short_channel_ids_reply_short_chan.2: none after it before the end of its answer. */
	world_hear(w, 1, make_update(scid_at(101), 1, 2, START_S));
	for (int i = 0; i < 50; i++)
		world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_SHORT_CHANNEL_IDS), 1);
	finish();
}

/* ---- What was refused because it came too soon ---- */

static struct scid busy_scid(void)
{
	return scid_at(1000);
}

/* One peer, whose sync is over, and a channel of nodes 1 and 2. */
static void start_synced(void)
{
	start();
	world_peer(w, 1, 9);
	world_later(w, TICK_MS);
	world_hear(w, 1, reply(0, UINT32_MAX, "00", ""));
	world_later(w, TICK_MS);
	CHECK(world_channel(w, busy_scid(), 1, 2) != GRAPH_NONE);
}

TEST(the_last_update_of_a_busy_origin_is_asked_for)
{
	int side = direction_of(1, 2);
	struct bytes last = make_update(busy_scid(), 1, 2, START_S + 29);

	start_synced();
	for (uint32_t i = 0; i < 29; i++)
		world_hear(w, 1, make_update(busy_scid(), 1, 2, START_S + i));
	world_hear(w, 1, last);
	CHECK_EQ(world_at(w, busy_scid())->policy[side].timestamp, START_S + ALLOWANCE_MAX - 1);
	/* Not before its time, and not for saying it again. */
	world_later(w, ALLOWANCE_S * 1000ull - 1);
	world_hear(w, 1, last);
	CHECK_EQ(world_at(w, busy_scid())->policy[side].timestamp, START_S + ALLOWANCE_MAX - 1);
	CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_SHORT_CHANNEL_IDS), 0);
	world_later(w, TICK_MS);
	CHECK_HEX(query_to(1).encoded_short_ids, "00" "0003e80000010000");
	CHECK_HEX(query_to(1).tlvs.query_flags->encoded_query_flags, side ? "04" : "02");
	world_hear(w, 1, last);
	CHECK_EQ(world_at(w, busy_scid())->policy[side].timestamp, START_S + 29);
	/* One thing, and not all that it might say. */
	world_hear(w, 1, make_update(busy_scid(), 1, 2, START_S + 30));
	CHECK_EQ(world_at(w, busy_scid())->policy[side].timestamp, START_S + 29);
	finish();
}

TEST(the_last_announcement_of_a_busy_node_is_asked_for)
{
	struct pubkey id = point_of('n', 1);
	struct bytes last = make_node(1, START_S + 29, BYTES_NONE, BYTES_NONE);
	const struct graph_node *n;

	start_synced();
	for (uint32_t i = 0; i < 29; i++)
		world_hear(w, 1, make_node(1, START_S + i, BYTES_NONE, BYTES_NONE));
	world_hear(w, 1, last);
	n = graph_node_at(gossip_graph(w->g), graph_find_node(gossip_graph(w->g), &id));
	CHECK_EQ(n->timestamp, START_S + ALLOWANCE_MAX - 1);
	world_later(w, ALLOWANCE_S * 1000ull);
	CHECK_HEX(query_to(1).encoded_short_ids, "00" "0003e80000010000");
	CHECK_HEX(query_to(1).tlvs.query_flags->encoded_query_flags, direction_of(1, 2) ? "10" : "08");
	world_hear(w, 1, last);
	CHECK_EQ(n->timestamp, START_S + 29);
	finish();
}

TEST(origins_whose_last_word_was_refused_are_bounded)
{
	start_synced();
	for (uint32_t i = 0; i < OVERDUE_MAX + 50; i++)
		overdue_put(w->g, &w->step, i << 2 | 3, START_S);
	CHECK_EQ(w->g->overdue_count, OVERDUE_MAX);
	/* Those of nothing that there is (any more) are forgotten. */
	world_later(w, TICK_MS);
	CHECK_EQ(w->g->overdue_count, 2);
	world_later(w, ALLOWANCE_S * 1000ull);
	CHECK_HEX(query_to(1).encoded_short_ids, "00" "0003e80000010000" "0003e80000010000");
	finish();
}

/* Whoever was asked first may not have had it yet. */
TEST(a_last_word_is_asked_for_until_it_comes)
{
	struct msg_reply_short_channel_ids_end end = { .chain_hash = test_chain(), .full_information = 1 };
	struct buf b = BUF_EMPTY;
	uint32_t asked;

	start_synced();
	msg_reply_short_channel_ids_end_encode(&end, &b);
	world_hear(w, 1, make_update(busy_scid(), 1, 2, START_S)); /* or it would be forgotten before the end */
	world_hear(w, 1, make_node(1, START_S, BYTES_NONE, BYTES_NONE));
	for (uint32_t n = 1; n <= 2; n++) {
		struct pubkey id = point_of('n', n);

		overdue_put(w->g, &w->step, graph_find_node(gossip_graph(w->g), &id) << 2 | 3, START_S + 1);
	}
	world_later(w, ALLOWANCE_S * 1000ull);
	for (asked = 1; w->g->overdue_count && asked < 2 * OVERDUE_ASK_MAX; asked++) {
		CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_SHORT_CHANNEL_IDS), asked);
		world_hear(w, 1, buf_view(&b));
		world_later(w, OVERDUE_ASK_MS - 1);
		CHECK_EQ(count_sent(w, 0, 1, MSG_QUERY_SHORT_CHANNEL_IDS), asked);
		if (asked == 3)
			world_hear(w, 1, make_node(1, START_S + 1, BYTES_NONE, BYTES_NONE));
		world_later(w, TICK_MS);
		CHECK(w->g->overdue_count == (asked < 3 ? 2 : asked < OVERDUE_ASK_MAX ? 1 : 0));
	}
	CHECK_EQ(asked, OVERDUE_ASK_MAX + 1);
	buf_release(&b);
	finish();
}
