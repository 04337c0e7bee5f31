/* Blocks built here, and what is found in them. */
#include "chain/match.h"

#include <string.h>

#include "bitcoin/block.h"
#include "bitcoin/script.h"
#include "tests/test.h"

#define TXS 5

struct made {
	struct arena arena;
	struct tx *txs[TXS];
	struct buf raw;
	struct block_hash hash;
};

static struct bytes script_of(const char *text)
{
	return bytes_from_string(text);
}

/* One input, two outputs: to `script` and to nobody. */
static struct tx *spend(struct arena *a, const struct outpoint *prev, const char *script)
{
	struct tx *t = tx_new(a, 2, 1, 2, 0);
	struct bytes witness = BYTES("witness", 7);

	t->inputs[0].prev = *prev;
	tx_set_witness(a, t, 0, &witness, 1);
	t->outputs[0].amount = SAT(1000);
	t->outputs[0].script = script_of(script);
	t->outputs[1].amount = SAT(2000);
	t->outputs[1].script = script_of("nobody");
	return t;
}

static struct outpoint output_of(const struct tx *t, uint32_t index)
{
	return (struct outpoint){ tx_id(t), index };
}

static struct outpoint elsewhere(uint8_t n)
{
	struct outpoint o = { .index = n };

	memset(o.txid.v, n, 32);
	return o;
}

/* 0: coinbase-like; 1: pays "alice"; 2: spends 1; 3: spends elsewhere(3); 4: spends 3's second output */
static void make(struct made *m)
{
	struct block_header h = { .version = 4, .time = 1234567, .bits = 0x207fffff };
	struct merkle merkle;
	uint8_t header[BLOCK_HEADER_SIZE];
	struct outpoint o;

	arena_init(&m->arena);
	buf_init(&m->raw);
	o = elsewhere(0);
	m->txs[0] = spend(&m->arena, &o, "miner");
	o = elsewhere(1);
	m->txs[1] = spend(&m->arena, &o, "alice");
	o = output_of(m->txs[1], 0);
	m->txs[2] = spend(&m->arena, &o, "bob");
	o = elsewhere(3);
	m->txs[3] = spend(&m->arena, &o, "carol");
	o = output_of(m->txs[3], 1);
	m->txs[4] = spend(&m->arena, &o, "dave");
	merkle_init(&merkle);
	for (int i = 0; i < TXS; i++) {
		struct txid id = tx_id(m->txs[i]);

		merkle_add(&merkle, &id);
	}
	h.merkle_root = merkle_root(&merkle);
	memset(h.prev.v, 0x77, 32);
	m->hash = block_header_hash(&h);
	block_header_encode(header, &h);
	buf_add(&m->raw, header, sizeof(header));
	buf_add_varint(&m->raw, TXS);
	for (int i = 0; i < TXS; i++)
		tx_encode(m->txs[i], &m->raw);
}

static void unmake(struct made *m)
{
	buf_release(&m->raw);
	arena_release(&m->arena);
}

static const uint8_t seed[16] = { 5 };

static void watch_script(struct watches *w, const char *script)
{
	struct watch x = { .script = script_of(script) };

	watches_apply(w, &x);
}

static void watch_outpoint(struct watches *w, struct outpoint o, bool remove)
{
	struct watch x = { .remove = remove, .is_outpoint = true, .outpoint = o };

	watches_apply(w, &x);
}

/* Which transactions match, as a string of their indices. */
static const char *found(const struct made *m, const struct watches *w)
{
	struct event e;
	struct arena a;
	char *text = test_alloc(TXS + 1);

	arena_init(&a);
	CHECK(match_block(&e, &a, w, buf_view(&m->raw), &m->hash));
	CHECK_EQ(e.kind, EVENT_BLOCK);
	CHECK_EQ(e.u.block.time, 1234567);
	CHECK(SAME(e.u.block.hash, m->hash));
	CHECK_EQ(e.u.block.previous.v[0], 0x77);
	for (uint32_t i = 0; i < e.u.block.tx_count; i++) {
		struct buf raw = BUF_EMPTY;

		tx_encode(m->txs[e.u.block.txs[i].index], &raw);
		CHECK(bytes_equal(buf_view(&raw), e.u.block.txs[i].raw));
		buf_release(&raw);
		text[i] = (char)('0' + e.u.block.txs[i].index);
	}
	text[e.u.block.tx_count] = 0;
	arena_release(&a);
	return text;
}

TEST(scripts_and_outpoints_are_found)
{
	struct made m;
	struct watches w;

	make(&m);
	watches_init(&w, seed);
	CHECK_STR(found(&m, &w), "");
	watch_script(&w, "carol");
	CHECK_STR(found(&m, &w), "3");
	watch_outpoint(&w, output_of(m.txs[1], 0), false);
	CHECK_STR(found(&m, &w), "23");
	watch_outpoint(&w, output_of(m.txs[3], 0), false); /* nobody spends that one */
	CHECK_STR(found(&m, &w), "23");
	watch_outpoint(&w, output_of(m.txs[3], 1), false);
	CHECK_STR(found(&m, &w), "234");
	watches_release(&w);
	unmake(&m);
}

TEST(what_the_same_block_creates_and_spends_is_found)
{
	struct made m;
	struct watches w;

	make(&m);
	watches_init(&w, seed);
	watch_script(&w, "alice");
	CHECK_STR(found(&m, &w), "12");
	watches_release(&w);
	unmake(&m);
}

/* A commitment and the claim of its HTLC in one block: the claim shows the preimage. */
TEST(what_the_spend_of_a_watched_outpoint_creates_is_followed_in_its_block)
{
	struct made m;
	struct watches w;

	make(&m);
	watches_init(&w, seed);
	watch_outpoint(&w, elsewhere(3), false);
	CHECK_STR(found(&m, &w), "34");
	CHECK_EQ(watches_count(&w), 1); /* for that block only */
	watches_release(&w);
	unmake(&m);
}

TEST(a_thing_watched_twice_is_forgotten_at_the_second_letting_go)
{
	struct made m;
	struct watches w;

	make(&m);
	watches_init(&w, seed);
	watch_outpoint(&w, elsewhere(3), false);
	watch_outpoint(&w, elsewhere(3), false);
	CHECK_EQ(watches_count(&w), 1);
	watch_outpoint(&w, elsewhere(3), true);
	CHECK_STR(found(&m, &w), "34");
	watch_outpoint(&w, elsewhere(3), true);
	CHECK_STR(found(&m, &w), "");
	watch_outpoint(&w, elsewhere(3), true);
	CHECK_EQ(watches_count(&w), 0);
	watches_release(&w);
	unmake(&m);
}

TEST(a_damaged_block_is_refused)
{
	struct made m;
	struct watches w;
	struct event e;
	struct arena a;
	struct block_hash other;

	make(&m);
	watches_init(&w, seed);
	arena_init(&a);
	memset(&other, 1, sizeof(other));
	CHECK(!match_block(&e, &a, &w, buf_view(&m.raw), &other));
	for (size_t size = 0; size < m.raw.size; size++)
		CHECK(!match_block(&e, &a, &w, BYTES(m.raw.data, size), &m.hash));
	buf_add_u8(&m.raw, 0);
	CHECK(!match_block(&e, &a, &w, buf_view(&m.raw), &m.hash));
	m.raw.size--;
	m.raw.data[m.raw.size - 4] ^= 1; /* a locktime: another txid, another root */
	CHECK(!match_block(&e, &a, &w, buf_view(&m.raw), &m.hash));
	arena_release(&a);
	watches_release(&w);
	unmake(&m);
}

/* Watched or not, of every transaction but the first; gossip asks for nothing else. */
TEST(every_input_is_told)
{
	struct watches w;
	struct event e;
	struct made m;
	struct arena a;

	make(&m);
	watches_init(&w, seed);
	arena_init(&a);
	CHECK(match_block(&e, &a, &w, buf_view(&m.raw), &m.hash));
	CHECK_EQ(e.u.block.tx_count, 0);
	CHECK_EQ(e.u.block.spent_count, TXS - 1);
	for (uint32_t i = 1; i < TXS; i++)
		CHECK(outpoint_equal(&e.u.block.spent[i - 1], &m.txs[i]->inputs[0].prev));
	arena_release(&a);
	watches_release(&w);
	unmake(&m);
}
