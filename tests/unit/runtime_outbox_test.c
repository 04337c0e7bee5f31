/* core/node/outbox: what is stored of it, packages, and conflicts. */
#include <string.h>

#include "node/node.h"
#include "tests/test.h"

static struct node_config config;
static struct effects out;
static struct arena arena;
static struct log_sink silent;

static struct node *fresh(void)
{
	static const uint8_t seed[32] = { 1 };

	node_config_default(&config, network_by_name("regtest"));
	effects_release(&out);
	effects_init(&out);
	silent.level = LOG_ERROR;
	return node_new(&config, seed, &silent);
}

static struct bytes bytes_of(const struct tx *t)
{
	struct buf raw = BUF_EMPTY;
	struct bytes v;

	tx_encode(t, &raw);
	v = arena_bytes(&arena, buf_view(&raw));
	buf_release(&raw);
	return v;
}

/* A transaction with two inputs that differ with `tag`. */
static struct tx *some_tx(uint8_t tag)
{
	struct tx *t = tx_new(&arena, 2, 2, 1, 0);

	t->inputs[0].prev.txid.v[0] = tag;
	t->inputs[1].prev.txid.v[1] = tag;
	t->outputs[0] = (struct tx_output){ SAT(1000), script_p2wpkh(&arena, &(struct pubkey){ { 2, tag } }) };
	return t;
}

static struct bytes version_1(struct bytes tx, uint32_t height)
{
	struct buf b = BUF_EMPTY;
	struct bytes v;

	buf_add_be32(&b, height);
	buf_add_bytes(&b, tx);
	v = arena_bytes(&arena, buf_view(&b));
	buf_release(&b);
	return v;
}

static struct bytes version_2(struct bytes tx, const struct txid *parent)
{
	struct buf b = BUF_EMPTY;
	struct bytes v;

	buf_add_be32(&b, UINT32_MAX);
	buf_add_u8(&b, 2);
	buf_add_be32(&b, 0);
	buf_add_u8(&b, parent != NULL);
	if (parent)
		buf_add(&b, parent->v, 32);
	buf_add_bytes(&b, tx);
	v = arena_bytes(&arena, buf_view(&b));
	buf_release(&b);
	return v;
}

static bool load(struct node *n, uint64_t id, struct bytes value)
{
	uint8_t key[8];

	store_be64(key, id);
	return node_load_record(n, RECORD_OUTBOX, BYTES_OF(key), value);
}

/* The broadcast of number `at`; NULL: there are not so many. */
static const struct effect *broadcast(uint32_t at)
{
	for (const struct effect *f = out.head; f; f = f->next)
		if (f->kind == EFFECT_BROADCAST && at-- == 0)
			return f;
	return NULL;
}

static void block(struct node *n, uint32_t height, const struct tx *t)
{
	struct event e = { .kind = EVENT_BLOCK, .now_ms = 2 };
	struct block_tx in = { .index = 1 };

	effects_reset(&out);
	e.u.block.height = height;
	if (t) {
		in.raw = bytes_of(t);
		e.u.block.txs = &in;
		e.u.block.tx_count = 1;
	}
	node_step(n, &e, &out);
}

static void synced(struct node *n, uint32_t height)
{
	struct event e = { .kind = EVENT_CHAIN_SYNCED, .now_ms = 1 };

	e.u.synced.height = e.u.synced.best_height = height;
	node_step(n, &e, &out);
}

TEST(records_of_the_first_version_are_still_read)
{
	struct bytes tx = bytes_of(some_tx(7));
	struct node *n = fresh();

	CHECK(load(n, 1, version_1(tx, 0)));
	CHECK(load(n, 2, version_1(bytes_of(some_tx(8)), 50))); /* confirmed */
	CHECK(node_start(n, 1, &out));
	CHECK(broadcast(0) && bytes_equal(broadcast(0)->u.broadcast.txs[0], tx));
	CHECK(!broadcast(1));
	node_free(n);
}

TEST(damaged_records_are_refused)
{
	struct txid parent = tx_id(some_tx(1));
	struct bytes good = version_2(bytes_of(some_tx(7)), &parent);
	struct node *n = fresh();

	for (size_t size = 0; size < good.size; size++)
		CHECK(!load(n, 1, BYTES(good.data, size)));
	((uint8_t *)good.data)[4] = 3;
	CHECK(!load(n, 1, good));
	((uint8_t *)good.data)[4] = 2;
	((uint8_t *)good.data)[9] = 2;
	CHECK(!load(n, 1, good));
	CHECK(!load(n, 1, version_1(bytes_of(tx_new(&arena, 2, 0, 0, 0)), 0)));
	node_free(n);
}

/* B5.failing_a_channel.5 */
TEST(a_child_is_offered_with_its_parent_until_that_is_in_a_block)
{
	struct tx *parent = some_tx(1), *child = some_tx(2);
	struct txid id = tx_id(parent);
	struct node *n = fresh();

	child->inputs[0].prev.txid = id;
	CHECK(load(n, 1, version_2(bytes_of(parent), NULL)));
	CHECK(load(n, 2, version_2(bytes_of(child), &id)));
	CHECK(node_start(n, 1, &out));
	CHECK_EQ(broadcast(0)->u.broadcast.count, 1);
	CHECK_EQ(broadcast(1)->u.broadcast.count, 2);
	CHECK(bytes_equal(broadcast(1)->u.broadcast.txs[0], bytes_of(parent)));
	CHECK(bytes_equal(broadcast(1)->u.broadcast.txs[1], bytes_of(child)));
	CHECK(!broadcast(2));
	block(n, 100, NULL);
	synced(n, 100);
	block(n, 101, parent);
	CHECK(broadcast(0)); /* INV-N4 */
	CHECK_EQ(broadcast(0)->u.broadcast.count, 1);
	CHECK(bytes_equal(broadcast(0)->u.broadcast.txs[0], bytes_of(child)));
	CHECK(!broadcast(1));
	node_free(n);
}

TEST(a_conflict_on_any_input_ends_the_offer)
{
	struct tx *ours = some_tx(7), *other = some_tx(9);
	struct node *n = fresh();

	CHECK(load(n, 1, version_2(bytes_of(ours), NULL)));
	CHECK(node_start(n, 1, &out));
	other->inputs[0].prev = ours->inputs[1].prev;
	block(n, 100, NULL);
	synced(n, 100);
	block(n, 101, other);
	CHECK(!broadcast(0));
	/* Until it is undone. */
	{
		struct event e = { .kind = EVENT_BLOCK_UNDONE, .now_ms = 3 };

		effects_reset(&out);
		e.u.undone.height = 101;
		node_step(n, &e, &out);
	}
	CHECK(broadcast(0));
	node_free(n);
}

/* CVE-2023-40231 to 40234, replacement cycling: what the attacker's claim replaced has left the mempool, and no block
 * tells of it.  The claim comes back with every block, whatever the mempool says to it and whatever else the attacker
 * spends, until one of its inputs is really spent. */
TEST(attack_replacement_cycling_an_evicted_claim_comes_back_with_every_block)
{
	struct tx *ours = some_tx(7), *coin = some_tx(9), *theirs = some_tx(10);
	struct node *n = fresh();

	CHECK(load(n, 1, version_2(bytes_of(ours), NULL)));
	CHECK(node_start(n, 1, &out));
	block(n, 100, NULL);
	synced(n, 100);
	for (uint32_t h = 101; h < 200; h++) {
		struct event e = { .kind = EVENT_BROADCAST, .now_ms = 3 };

		block(n, h, h % 3 ? NULL : coin);
		CHECK(broadcast(0) && bytes_equal(broadcast(0)->u.broadcast.txs[0], bytes_of(ours)));
		CHECK(!broadcast(1));
		e.u.broadcast.id = broadcast(0)->u.broadcast.id;
		e.u.broadcast.accepted = h % 2;
		e.u.broadcast.reason = "insufficient fee";
		node_step(n, &e, &out);
	}
	theirs->inputs[1].prev = ours->inputs[0].prev;
	block(n, 200, theirs);
	CHECK(!broadcast(0));
	block(n, 201, NULL);
	CHECK(!broadcast(0));
	node_free(n);
}
