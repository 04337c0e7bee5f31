/* Disclosed attacks on gossip.  docs/ATTACKS.md tells of each. */
#include "tests/unit/gossip_world.h"

static struct chain chain;
static struct world *w;

#define CHANNELS 700u
#define FLOOD 8000u

/* Without chain and verification: as if the log had had it. */
static void put(struct scid scid)
{
	struct own_announcement o = ends_of(scid, 1, 2);
	struct gossip_notes out = { 0 };
	struct msg_channel_announcement m;
	struct msg_channel_update um;
	struct own_update u = say_update(scid, 1, 2, START_S);
	struct buf raw = BUF_EMPTY;
	uint32_t channel;

	own_announcement_build(&o, &raw);
	CHECK_EQ(msg_channel_announcement_decode(buf_view(&raw), &w->effects.arena, &m), DECODE_OK);
	channel = apply_channel(w->g, &w->step, &out, &m, buf_view(&raw), SAT(1000000), &(struct txid){ { 1 } });
	buf_release(&raw);
	own_update_build(&u, &raw);
	CHECK_EQ(msg_channel_update_decode(buf_view(&raw), &w->effects.arena, &um), DECODE_OK);
	apply_update(w->g, &w->step, &out, channel, &um, buf_view(&raw));
	buf_release(&raw);
	world_settle(w, &out);
}

/* A node that knows a network, and a stranger on connection 2. */
static void start(void)
{
	memset(&chain, 0, sizeof(chain));
	w = world_new(&chain, 0);
	for (uint32_t i = 0; i < CHANNELS; i++)
		put(scid_make(50 + i, 0, 0));
	world_peer(w, 2, 8);
	w->sent_count = 0;
}

static void finish(void)
{
	world_free(w);
	mem_free(chain.at);
}

static size_t bytes_sent(void)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < w->sent_count; i++)
		sum += w->sent[i].raw.size;
	return sum;
}

static struct bytes a_filter(uint32_t first, uint32_t range)
{
	struct msg_gossip_timestamp_filter m = { .chain_hash = test_chain(), .first_timestamp = first, .timestamp_range = range };
	struct buf raw = BUF_EMPTY;

	msg_gossip_timestamp_filter_encode(&m, &raw);
	return kept(&raw);
}

static struct bytes a_range(struct block_hash of)
{
	struct msg_query_channel_range m = { .chain_hash = of, .first_blocknum = 0, .number_of_blocks = UINT32_MAX };
	struct buf raw = BUF_EMPTY;

	msg_query_channel_range_encode(&m, &raw);
	return kept(&raw);
}

/* All channels, again and again until there are 8,000. */
static struct bytes scids(struct block_hash of)
{
	static struct scid list[8000];
	struct msg_query_short_channel_ids m = { .chain_hash = of };
	struct buf ids = BUF_EMPTY, raw = BUF_EMPTY;

	for (uint32_t i = 0; i < ARRAY_COUNT(list); i++)
		list[i] = scid_make(50 + i % CHANNELS, 0, 0);
	scids_encode(list, ARRAY_COUNT(list), &ids);
	m.encoded_short_ids = buf_view(&ids);
	msg_query_short_channel_ids_encode(&m, &raw);
	buf_release(&ids);
	return kept(&raw);
}

static struct block_hash another_chain(void)
{
	struct block_hash h = test_chain();

	h.v[3] ^= 1;
	return h;
}

/* The peer sends this and reads nothing; it stops once it is hung up on.  Returns the bytes that wait for it. */
static size_t flood_a_slow_reader(struct bytes message)
{
	size_t sum;

	start();
	for (uint32_t i = 0; i < FLOOD && !hung_up(w, 2); i++)
		world_hear(w, 2, message);
	sum = bytes_sent();
	return sum;
}

TEST(query_flood_by_a_slow_reader)
{
	const size_t most = WINDOW_BYTES + 65535 + 64;
	struct bytes floods[] = { a_range(test_chain()), scids(test_chain()), a_range(another_chain()), scids(another_chain()) };

	for (size_t i = 0; i < ARRAY_COUNT(floods); i++) {
		CHECK(flood_a_slow_reader(floods[i]) <= most);
		CHECK(hung_up(w, 2));
		finish();
	}
}

TEST(gossip_timestamp_filter_flood_by_a_slow_reader)
{
	size_t said = flood_a_slow_reader(a_filter(0, UINT32_MAX));

	CHECK(said > 0 && said <= WINDOW_BYTES + 1024);
	/* Time alone brings no more. */
	for (uint32_t i = 0; i < 100; i++)
		world_later(w, TICK_MS);
	CHECK(bytes_sent() <= WINDOW_BYTES + 1024);
	finish();
}

/* One that reads: each filter would have us walk the graph, and send it again. */
TEST(gossip_timestamp_filter_flood_by_a_reader)
{
	uint32_t once;

	start();
	for (uint32_t i = 0; i < 200; i++) {
		world_hear(w, 2, a_filter(0, UINT32_MAX));
		world_drained_dry(w, 2);
	}
	once = count_sent(w, 0, 2, MSG_CHANNEL_ANNOUNCEMENT);
	CHECK_EQ(once, CHANNELS);
	/* The last of them is obeyed, a little later. */
	for (uint32_t t = 0; t < WALK_MS + TICK_MS; t += TICK_MS) {
		world_later(w, TICK_MS);
		world_drained_dry(w, 2);
	}
	CHECK_EQ(count_sent(w, 0, 2, MSG_CHANNEL_ANNOUNCEMENT), 2 * CHANNELS);
	CHECK(!hung_up(w, 2));
	finish();
}

/* 1 MB of zeros, deflated, has a thousand bytes.  Nothing is inflated, in no place where a list may say that it is
 * compressed; who sends one is hung up on, and no memory was taken for what it claims. */
TEST(zlib_bombs_in_lists)
{
	static const uint8_t bomb[1024] = { 1, 0x78, 0xda };
	struct tlv_query_short_channel_ids_query_flags flags = { .encoding_type = 1, .encoded_query_flags = BYTES_OF(bomb) };
	struct tlv_reply_channel_range_timestamps_tlv times = { .encoding_type = 1, .encoded_timestamps = BYTES_OF(bomb) };
	struct msg_query_short_channel_ids query = { .chain_hash = test_chain(), .encoded_short_ids = BYTES_OF(bomb) };
	struct msg_reply_channel_range reply = { .chain_hash = test_chain(), .number_of_blocks = UINT32_MAX, .sync_complete = 1,
						 .encoded_short_ids = BYTES_OF(bomb) };

	for (int i = 0; i < 4; i++) {
		struct gossip_notes out = { 0 };
		struct buf raw = BUF_EMPTY;
		struct bytes message;

		start();
		world_later(w, TICK_MS);
		if (i == 1) {
			query.encoded_short_ids = test_unhex("000000320000000000");
			query.tlvs.query_flags = &flags;
		}
		if (i == 3) {
			reply.encoded_short_ids = test_unhex("000000320000000000");
			reply.tlvs.timestamps_tlv = &times;
		}
		if (i < 2)
			msg_query_short_channel_ids_encode(&query, &raw);
		else
			msg_reply_channel_range_encode(&reply, &raw);
		message = kept(&raw);
		effects_reset(&w->effects);
		gossip_message(w->g, &w->step, &out, 2, message);
		CHECK(w->effects.arena.used <= 16384);
		world_settle(w, &out);
		CHECK(hung_up(w, 2));
		finish();
	}
}

/* ---- What is made up keeps nothing true out ---- */

static const struct scid here = { ((uint64_t)700000 << 40) | 1 << 16 };

/* An honest peer on connection 1, and the stranger on 2. */
static void start_with_both(void)
{
	memset(&chain, 0, sizeof(chain));
	w = world_new(&chain, 0);
	world_peer(w, 1, 9);
	world_peer(w, 2, 8);
	w->sent_count = 0;
}

static void verify_now(const struct gossip_note *n)
{
	struct gossip_notes out = { 0 };

	world_verify(w, n, &out);
	world_settle(w, &out);
}

/* Says what node 1 never said, a day from now. */
static struct bytes false_update(void)
{
	struct own_update u = say_update(here, 1, 2, START_S + 80000);

	return sign_update(&u, 7);
}

/* LND before 0.15, by Niklas Goegge, December 2023: updates were counted and dropped before anybody looked at their
 * signatures, so that made-up ones censored a channel's. */
TEST(premature_update_censorship_while_a_signature_is_verified)
{
	const struct gossip_note *first;

	start_with_both();
	CHECK(world_channel(w, here, 1, 2) != GRAPH_NONE);
	w->no_verifying = true;
	world_hear(w, 2, false_update());
	first = w->waiting_verify;
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	CHECK(w->waiting_verify != first);
	/* The same message from one more peer is verified once. */
	world_peer(w, 3, 7);
	world_hear(w, 3, make_update(here, 1, 2, START_S));
	CHECK_EQ(w->waiting_verify->count, 1);
	CHECK_EQ(gossip_figures(w->g).held, 2);
	verify_now(first);
	verify_now(w->waiting_verify);
	CHECK_EQ(world_at(w, here)->policy[direction_of(1, 2)].timestamp, START_S);
	CHECK(hung_up(w, 2) && !hung_up(w, 1) && !hung_up(w, 3));
	/* A hundred of them cost the origin none of its allowance. */
	w->no_verifying = false;
	for (uint64_t i = 0; i < 100; i++) {
		world_peer_gone(w, 2);
		world_peer(w, 2, 8);
		w->hung_up_count = 0;
		world_hear(w, 2, false_update());
		CHECK(hung_up(w, 2));
	}
	CHECK_EQ(gossip_figures(w->g).over_rate, 0);
	world_hear(w, 1, make_update(here, 1, 2, START_S + 1));
	CHECK_EQ(world_at(w, here)->policy[direction_of(1, 2)].timestamp, START_S + 1);
	finish();
}

TEST(premature_update_censorship_while_a_channel_is_looked_at)
{
	struct own_node node = { .id = point_of('n', 1), .timestamp = START_S + 80000 };
	struct sig64 sig;
	struct buf raw = BUF_EMPTY;
	struct bytes false_node;

	start_with_both();
	own_node_build(&node, &raw);
	sig = sign_with('n', 7, node_announcement_signed(buf_view(&raw)));
	own_message_sign(&raw, &sig);
	false_node = kept(&raw);
	chain_fund(&chain, here, 1, 2);
	w->no_verifying = true;
	world_hear(w, 1, make_channel(here, 1, 2));
	/* Before the true ones and after them. */
	world_hear(w, 2, false_update());
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	world_hear(w, 1, make_node(1, START_S, BYTES_NONE, BYTES_NONE));
	world_hear(w, 2, false_node);
	CHECK_EQ(gossip_figures(w->g).held, 5);
	/* One of each peer: a newer one takes the place of its own. */
	world_hear(w, 1, make_update(here, 1, 2, START_S + 2));
	world_hear(w, 1, make_update(here, 1, 2, START_S + 1));
	CHECK_EQ(gossip_figures(w->g).held, 5);
	w->no_verifying = false;
	verify_now(w->waiting_verify);
	CHECK_EQ(world_at(w, here)->policy[direction_of(1, 2)].timestamp, START_S + 2);
	CHECK_EQ(graph_node_at(gossip_graph(w->g), world_at(w, here)->node[direction_of(1, 2)])->timestamp, START_S);
	CHECK_EQ(gossip_figures(w->g).held, 0);
	CHECK(hung_up(w, 2) && !hung_up(w, 1));
	finish();
}

/* What waits for a channel that never comes is dropped, whoever sent it and however much of it there is. */
TEST(premature_update_flood)
{
	start_with_both();
	chain_fund(&chain, here, 1, 2);
	w->no_verifying = true;
	world_hear(w, 1, make_channel(here, 1, 2));
	for (uint32_t i = 0; i < 50; i++) {
		world_hear(w, 1, make_update(here, 1, 2, START_S + i));
		world_hear(w, 2, make_update(here, 1, 2, START_S + 100 + i));
	}
	CHECK_EQ(gossip_figures(w->g).held, 3);
	world_later(w, PARKED_MS);
	world_hear(w, 2, make_update(here, 2, 1, START_S));
	world_hear(w, 2, make_update(here, 1, 2, START_S + 1000));
	world_later(w, PARKED_MS);
	world_later(w, PARKED_MS);
	CHECK_EQ(gossip_figures(w->g).held, 1);
	finish();
}

/* Whoever announces an output first with keys of its own does not keep its owners from announcing it. */
TEST(an_announcement_by_others_censors_no_channel)
{
	struct gossip_notes out = { 0 };

	start_with_both();
	chain_fund(&chain, here, 1, 2);
	w->no_lookups = true;
	world_hear(w, 2, make_channel(here, 5, 6));
	CHECK(w->waiting_lookup);
	/* While the chain is asked the true one is one too many. */
	world_hear(w, 1, make_channel(here, 1, 2));
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	world_lookup(w, w->waiting_lookup, &out);
	world_settle(w, &out);
	CHECK(!world_at(w, here));
	/* So it is asked for. */
	CHECK(w->g->sync.curious_count == 1 && w->g->sync.curious[0].v == here.v);
	w->no_lookups = false;
	/* The lie is not looked at again; another one with other keys is. */
	world_hear(w, 2, make_channel(here, 5, 6));
	CHECK_EQ(w->lookups, 1);
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(world_at(w, here));
	finish();
	/* With signatures that are wrong. */
	start_with_both();
	chain_fund(&chain, here, 1, 2);
	w->no_verifying = true;
	{
		struct bytes bad = make_channel(here, 5, 6);

		((uint8_t *)bad.data)[2] ^= 1;
		world_hear(w, 2, bad);
	}
	world_hear(w, 1, make_channel(here, 1, 2));
	w->no_verifying = false;
	verify_now(w->waiting_verify);
	CHECK(hung_up(w, 2) && w->g->sync.curious_count == 1);
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(world_at(w, here));
	finish();
}

/* LND before 0.18.3, September 2024: announcements of outputs that are not there, each of which costs a block to find out. */
TEST(announcements_that_cost_a_block_each)
{
	uint32_t heard = 0;

	start_with_both();
	/* What was spent is no lie, whoever passes it on. */
	for (uint32_t i = 0; i < LIES_MAX + 10; i++) {
		const struct scid scid = scid_make(600000 + i, 0, 0);

		chain_fund(&chain, scid, 1, 2);
		chain_output(&chain, scid)->spent = true;
		world_hear(w, 1, make_channel(scid, 1, 2));
	}
	CHECK(!hung_up(w, 1));
	/* Every second one is there, and not theirs. */
	while (!hung_up(w, 2)) {
		const struct scid scid = scid_make(610000 + heard, 0, 0);

		if (heard % 2)
			chain_fund(&chain, scid, 1, 2);
		world_hear(w, 2, make_channel(scid, 5, 6));
		CHECK(++heard <= LIES_MAX);
	}
	CHECK_EQ(heard, LIES_MAX);
	CHECK_EQ(w->lookups, 2 * LIES_MAX + 10);
	/* Told once, whatever else was on its way. */
	world_hear(w, 2, make_channel(scid_make(620000, 0, 0), 5, 6));
	CHECK_EQ(w->hung_up_count, 1);
	finish();
}
