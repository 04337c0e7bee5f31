/* How channels leave: spent, reorganized out, stale; and the log over it all. */
#include "tests/unit/gossip_world.h"

static struct chain chain;
static struct world *w;

static void start(void)
{
	memset(&chain, 0, sizeof(chain));
	w = world_new(&chain, 0);
	world_peer(w, 1, 9);
	w->sent_count = 0;
}

static void finish(void)
{
	world_free(w);
	mem_free(chain.at);
}

static const struct scid here = { ((uint64_t)700000 << 40) | 1 << 16 };
static const struct scid there = { ((uint64_t)700001 << 40) | 1 << 16 };

static void undo(uint32_t height)
{
	struct gossip_notes out = { 0 };

	gossip_block_undone(w->g, &w->step, &out, height);
	w->step.height = height - 1;
	world_settle(w, &out);
}

TEST(a_spent_channel_is_forgotten_after_72_blocks_and_not_before)
{
	struct own_update u = say_update(here, 1, 2, START_S + 1);
	int side = direction_of(1, 2);

	start();
	world_channel(w, here, 1, 2);
	world_channel(w, there, 2, 3);
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	/* B7.pruning_the_network_view.1 */
	world_block(w, &chain_output(&chain, here)->outpoint);
	CHECK_EQ(world_at(w, here)->spent_height, HEIGHT + 1);
	CHECK(!graph_usable(world_at(w, here), side) && !world_at(w, there)->spent_height);
	/* B7.channel_update.22: no update but one that disables. */
	world_hear(w, 1, sign_update(&u, 1));
	CHECK_EQ(world_at(w, here)->policy[side].timestamp, START_S);
	u.disabled = true;
	world_hear(w, 1, sign_update(&u, 1));
	CHECK_EQ(world_at(w, here)->policy[side].timestamp, START_S + 1);
	for (int i = 0; i < 71; i++)
		world_block(w, NULL);
	CHECK(world_at(w, here));
	world_block(w, NULL);
	/* B7.channel_announcement.26, B7.pruning_the_network_view.2 */
	CHECK(!world_at(w, here) && world_at(w, there));
	CHECK_EQ(w->step.height, HEIGHT + 1 + 72);
	/* It does not come back. */
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(!world_at(w, here) && w->lookups == 2);
	finish();
}

TEST(a_block_that_is_undone_spends_nothing)
{
	start();
	world_channel(w, here, 1, 2);
	world_block(w, &chain_output(&chain, here)->outpoint);
	CHECK(world_at(w, here)->spent_height);
	undo(HEIGHT + 1);
	CHECK(!world_at(w, here)->spent_height);
	for (int i = 0; i < 80; i++)
		world_block(w, NULL);
	CHECK(world_at(w, here));
	world_block(w, &chain_output(&chain, here)->outpoint);
	for (int i = 0; i < 72; i++)
		world_block(w, NULL);
	CHECK(!world_at(w, here));
	finish();
}

TEST(a_funding_transaction_that_is_undone)
{
	struct scid late = scid_at(HEIGHT - 5);

	start();
	world_channel(w, late, 1, 2);
	world_channel(w, here, 1, 2);
	for (uint32_t h = HEIGHT; h >= HEIGHT - 5; h--)
		undo(h);
	/* B7.channel_announcement.26: the same delay. */
	CHECK(world_at(w, late)->spent_height == HEIGHT - 5 && !world_at(w, here)->spent_height);
	for (int i = 0; i < 72; i++)
		world_block(w, NULL);
	CHECK(world_at(w, late));
	world_block(w, NULL);
	CHECK(!world_at(w, late));
	/* It may have come back into the very same place. */
	world_hear(w, 1, make_channel(late, 1, 2));
	CHECK(world_at(w, late));
	finish();
}

TEST(stale_channels_are_pruned)
{
	struct scid one_way = scid_at(600), bare = scid_at(601), half = scid_at(602);

	start();
	world_channel(w, here, 1, 2);
	world_channel(w, one_way, 1, 3);
	world_channel(w, bare, 1, 4);
	world_channel(w, half, 1, 5);
	world_hear(w, 1, make_update(here, 1, 2, START_S));
	world_hear(w, 1, make_update(here, 2, 1, START_S));
	world_hear(w, 1, make_update(one_way, 1, 3, START_S + 80000));
	world_hear(w, 1, make_update(half, 1, 5, START_S + 80000));
	world_hear(w, 1, make_update(half, 5, 1, START_S - STALE_S / 2));
	world_later(w, 0);
	CHECK(world_at(w, bare));
	/* An hour without a word from either. */
	world_later(w, PRUNE_MS);
	CHECK(!world_at(w, bare) && world_at(w, one_way));
	/* B7.recommendation_on_pruning_stale_entries.1: the older of the two decides. */
	world_later(w, (STALE_S / 2) * 1000ull);
	CHECK(!world_at(w, half) && world_at(w, here));
	world_later(w, (STALE_S / 2) * 1000ull - PRUNE_MS);
	CHECK(world_at(w, here));
	world_later(w, PRUNE_MS + 1000);
	CHECK(!world_at(w, here) && world_at(w, one_way));
	/* Whoever comes back to life is let in again. */
	world_hear(w, 1, make_channel(here, 1, 2));
	CHECK(world_at(w, here));
	finish();
}

/* ---- The log ---- */

static void same_graph(struct world *a, struct world *b)
{
	const struct graph *x = gossip_graph(a->g), *y = gossip_graph(b->g);

	CHECK_EQ(graph_channel_count(x), graph_channel_count(y));
	CHECK_EQ(graph_node_count(x), graph_node_count(y));
	for (uint32_t i = 0; i < graph_channel_limit(x); i++) {
		const struct graph_channel *c = graph_channel_at(x, i), *d;

		if (!c)
			continue;
		d = world_at(b, c->scid);
		CHECK(d && d->capacity.v == c->capacity.v && d->spent_height == c->spent_height && d->ref == c->ref);
		CHECK(d->funding == c->funding);
		for (int side = 0; side < 2; side++) {
			CHECK(d->policy[side].timestamp == c->policy[side].timestamp);
			CHECK(d->policy[side].ref == c->policy[side].ref && d->policy[side].checksum == c->policy[side].checksum);
			CHECK(graph_node_at(x, c->node[side])->timestamp == graph_node_at(y, d->node[side])->timestamp);
		}
	}
}

static void fill(void)
{
	for (uint32_t i = 0; i < 12; i++) {
		struct scid scid = scid_at(1000 + i);

		world_channel(w, scid, i, i + 1);
		if (i > 0)
			world_hear(w, 1, make_update(scid, i, i + 1, START_S + i));
		if (i % 2)
			world_hear(w, 1, make_update(scid, i + 1, i, START_S + i));
		if (i % 3)
			world_hear(w, 1, make_node(i, START_S + i, BYTES_NONE, BYTES_NONE));
	}
	world_block(w, &chain_output(&chain, scid_at(1003))->outpoint);
	for (int i = 0; i < 72; i++)
		world_block(w, NULL);
	world_block(w, &chain_output(&chain, scid_at(1004))->outpoint);
	CHECK(!world_at(w, scid_at(1003)) && world_at(w, scid_at(1004))->spent_height);
}

TEST(a_restart_reads_the_same_graph_and_verifies_nothing)
{
	struct world *again;

	start();
	fill();
	again = world_restart(w);
	same_graph(w, again);
	CHECK_EQ(again->checks, 0);
	/* What it knew it still knows: it is forgotten on time. */
	for (int i = 0; i < 72; i++)
		world_block(again, NULL);
	CHECK(!world_at(again, scid_at(1004)));
	world_free(again);
	finish();
}

TEST(a_log_that_is_cut_anywhere_is_still_a_log)
{
	size_t whole;

	start();
	fill();
	whole = w->log.size;
	for (size_t size = LOG_HEADER_SIZE; size < whole; size++) {
		struct world *again;
		struct log_reader r;

		w->log.size = size;
		again = world_restart(w);
		r = (struct log_reader){ .log = buf_view(&again->log) };
		CHECK(again->log.size <= size && size - again->log.size < 600);
		/* And goes on being written to: signatures take time, so not every time. */
		if (size % 37) {
			world_free(again);
			continue;
		}
		world_peer(again, 1, 9);
		world_channel(again, scid_at(5000), 20, 21);
		CHECK(world_at(again, scid_at(5000)));
		(void)r;
		world_free(again);
	}
	w->log.size = whole;
	finish();
}

/* A loss of power takes the end of the log, and no block comes twice. */
TEST(a_log_that_loses_its_end_forgets_no_spend)
{
	struct world *again;
	size_t before;

	start();
	world_channel(w, here, 1, 2);
	world_channel(w, there, 2, 3);
	before = w->log.size;
	world_block(w, &chain_output(&chain, here)->outpoint);
	w->log.size = before;
	again = world_restart(w);
	CHECK_EQ(world_at(again, here)->spent_height, HEIGHT + 1);
	CHECK(!world_at(again, there)->spent_height);
	for (int i = 0; i < 71; i++)
		world_block(again, NULL);
	CHECK(world_at(again, here));
	world_block(again, NULL);
	CHECK(!world_at(again, here));
	/* Nor does it forget that it forgot. */
	again->log.size = before;
	world_free(w);
	w = again;
	again = world_restart(w);
	CHECK(world_at(again, here));
	world_block(again, NULL);
	CHECK(!world_at(again, here) && world_at(again, there));
	/* The store keeps none of it for ever. */
	for (uint32_t i = 0; i < SPENT_KEPT_BLOCKS - FORGET_BLOCKS - 1; i++)
		world_block(again, NULL);
	CHECK_EQ(again->spent_count, 0);
	world_free(again);
	finish();
}

TEST(a_block_that_is_undone_takes_its_spends_off_the_store)
{
	struct world *again;

	start();
	world_channel(w, here, 1, 2);
	world_block(w, &chain_output(&chain, here)->outpoint);
	CHECK_EQ(w->spent_count, 1);
	undo(HEIGHT + 1);
	CHECK_EQ(w->spent_count, 0);
	again = world_restart(w);
	CHECK(!world_at(again, here)->spent_height);
	world_free(again);
	finish();
}

/* Before the store had it, the log said what was spent: such a log is read, and what it says moves to the store. */
TEST(what_an_old_log_says_of_spends)
{
	struct world *again;
	uint8_t fixed[12];

	start();
	world_channel(w, here, 1, 2);
	world_channel(w, there, 2, 3);
	store_be64(fixed, here.v);
	store_be32(fixed + 8, HEIGHT - 1);
	log_record_encode(LOG_SPENT, BYTES_OF(fixed), BYTES_NONE, &w->log);
	store_be64(fixed, there.v);
	log_record_encode(LOG_SPENT, BYTES_OF(fixed), BYTES_NONE, &w->log);
	store_be32(fixed + 8, 0);
	log_record_encode(LOG_SPENT, BYTES_OF(fixed), BYTES_NONE, &w->log);
	again = world_restart(w);
	CHECK_EQ(world_at(again, here)->spent_height, HEIGHT - 1);
	CHECK(!world_at(again, there)->spent_height && !again->spent_count);
	world_block(again, NULL);
	CHECK_EQ(again->spent_count, 1);
	world_free(again);
	finish();
}

/* What the edge does with GOSSIP_COMPACT. */
static void compact(struct world *x)
{
	struct gossip_notes out = { 0 };
	struct gossip_note *n = x->compact;
	struct buf fresh = BUF_EMPTY;
	uint32_t first;

	log_header_encode(buf_extend(&fresh, LOG_HEADER_SIZE), &(struct block_hash){ { 0 } });
	memcpy(fresh.data, x->log.data, LOG_HEADER_SIZE);
	for (uint32_t i = 0; i < n->count; i++) {
		n->moves[i].to = (uint32_t)fresh.size;
		buf_add_bytes(&fresh, world_record(x, n->moves[i].from));
	}
	first = (uint32_t)fresh.size;
	buf_add(&fresh, x->log.data + n->ref, x->log.size - n->ref);
	buf_release(&x->log);
	x->log = fresh;
	x->compact = NULL;
	gossip_compacted(x->g, &x->step, &out, n->moves, n->count, n->ref, first);
	world_settle(x, &out);
}

TEST(compaction_keeps_what_is_alive)
{
	struct world *again;
	size_t before;

	start();
	fill();
	store_dead(w->g, COMPACT_DEAD_MIN + 1);
	before = w->log.size;
	world_later(w, TICK_MS);
	CHECK(w->compact);
	/* Life goes on while the new log is written. */
	world_channel(w, scid_at(2000), 30, 31);
	world_hear(w, 1, make_update(scid_at(1005), 5, 6, START_S + 60));
	world_block(w, &chain_output(&chain, scid_at(1008))->outpoint);
	compact(w);
	CHECK(w->log.size < before + 1000);
	CHECK_EQ(gossip_figures(w->g).log_dead_bytes < 100, 1);
	world_channel(w, scid_at(2001), 31, 32);
	again = world_restart(w);
	same_graph(w, again);
	/* The places are right: a query is answered out of the new log. */
	{
		struct msg_query_short_channel_ids m = { .chain_hash = test_chain() };
		struct scid wanted[] = { scid_at(1005), scid_at(2000), scid_at(2001) };
		struct buf scids = BUF_EMPTY, raw = BUF_EMPTY;
		uint32_t from = w->sent_count;

		scids_encode(wanted, 3, &scids);
		m.encoded_short_ids = buf_view(&scids);
		msg_query_short_channel_ids_encode(&m, &raw);
		world_hear(w, 1, buf_view(&raw));
		CHECK_EQ(count_sent(w, from, 1, MSG_CHANNEL_ANNOUNCEMENT), 3);
		CHECK(bytes_equal(last_sent(w, 1, MSG_CHANNEL_ANNOUNCEMENT), make_channel(scid_at(2001), 31, 32)));
		CHECK_EQ(count_sent(w, from, 1, MSG_CHANNEL_UPDATE), 2);
		buf_release(&scids);
		buf_release(&raw);
	}
	world_free(again);
	finish();
}

TEST(records_of_the_log)
{
	static const uint8_t fixed[12] = { 1 };
	struct buf b = BUF_EMPTY;
	enum log_kind kind;
	struct bytes body;

	log_record_encode(LOG_SPENT, BYTES_OF(fixed), BYTES_NONE, &b);
	CHECK_EQ(log_record_size(b.data), b.size);
	CHECK(log_record_decode(buf_view(&b), &kind, &body) && kind == LOG_SPENT && bytes_equal(body, BYTES_OF(fixed)));
	for (size_t i = 0; i < b.size; i++) {
		b.data[i] ^= 0x10;
		CHECK(!log_record_decode(buf_view(&b), &kind, &body));
		b.data[i] ^= 0x10;
	}
	for (size_t i = 0; i < b.size; i++)
		CHECK(!log_record_decode(BYTES(b.data, i), &kind, &body));
	buf_release(&b);
	{
		uint8_t header[LOG_HEADER_SIZE];
		struct block_hash one = test_chain(), other = test_chain();

		other.v[0] ^= 1;
		log_header_encode(header, &one);
		CHECK(log_header_check(header, &one) && !log_header_check(header, &other));
		header[7]++;
		CHECK(!log_header_check(header, &one));
	}
}

static void check_place(const struct log_places *p, uint32_t generation, uint32_t ref, bool old, uint32_t at)
{
	bool is_old;
	uint32_t found;

	CHECK(log_places_find(p, generation, ref, &is_old, &found));
	CHECK_EQ(is_old, old);
	CHECK_EQ(found, at);
}

TEST(places_in_a_log_that_was_written_anew)
{
	struct log_places p = { 0 };
	uint32_t at;
	bool old;

	check_place(&p, 0, 5000, false, 5000);
	log_places_rewritten(&p, 3000, 400);
	check_place(&p, 1, 5000, false, 5000);
	check_place(&p, 0, 2999, true, 2999);
	check_place(&p, 0, 3000, false, 400);
	check_place(&p, 0, 3100, false, 500);
	log_places_rewritten(&p, 600, 700);
	check_place(&p, 1, 400, true, 400);
	check_place(&p, 1, 600, false, 700);
	check_place(&p, 2, 600, false, 600);
	CHECK(!log_places_find(&p, 0, 3100, &old, &at));
	CHECK(!log_places_find(&p, 3, 600, &old, &at));
}
