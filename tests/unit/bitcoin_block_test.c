#include "tests/test.h"

#include <string.h>

#include "bitcoin/block.h"
#include "bitcoin/network.h"
#include "crypto/hash.h"

static struct arena arena;

/* The header fields that Bitcoin Core's chainparams.cpp gives for each genesis block. */
static const struct {
	const char *network, *merkle_root;
	uint32_t time, bits, nonce;
} genesis[] = {
	{ "bitcoin", "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", 1231006505, 0x1d00ffff, 2083236893 },
	{ "testnet", "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", 1296688602, 0x1d00ffff, 414098458 },
	{ "testnet4", "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e", 1714777860, 0x1d00ffff, 393743547 },
	{ "signet", "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", 1598918400, 0x1e0377ae, 52613770 },
	{ "regtest", "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", 1296688602, 0x207fffff, 2 },
};

/* Each network's genesis hash in the table is the hash of a header with proof of work. */
TEST(genesis_headers_hash_to_their_networks)
{
	for (size_t i = 0; i < ARRAY_COUNT(genesis); i++) {
		const struct network *n = network_by_name(genesis[i].network);
		struct block_header h = { .version = 1, .time = genesis[i].time, .bits = genesis[i].bits, .nonce = genesis[i].nonce };
		struct block_header back;
		struct block_hash hash;
		struct cursor c;
		uint8_t raw[BLOCK_HEADER_SIZE];

		CHECK(hash_from_hex(h.merkle_root.v, genesis[i].merkle_root));
		hash = block_header_hash(&h);
		CHECK(SAME(hash, n->genesis));
		CHECK(block_work_proved(&hash, h.bits, n->pow_limit_bits));
		block_header_encode(raw, &h);
		c = cursor_of(BYTES_OF(raw));
		block_header_read(&back, &c);
		CHECK(cursor_done(&c) && memcmp(&back, &h, sizeof(h)) == 0);
		h.nonce++;
		hash = block_header_hash(&h);
		CHECK(i == 4 || !block_work_proved(&hash, h.bits, n->pow_limit_bits));
	}
}

/* An easier target than the network's is no proof, however little work the hash shows. */
TEST(targets_above_the_limit_are_refused)
{
	struct block_hash zero = { { 0 } };

	CHECK(block_work_proved(&zero, 0x1d00ffff, 0x1d00ffff));
	CHECK(!block_work_proved(&zero, 0x1d010000, 0x1d00ffff));
	CHECK(!block_work_proved(&zero, 0x207fffff, 0x1d00ffff));
	CHECK(block_work_proved(&zero, 0x1c7fffff, 0x1d00ffff));
	/* A hash that is the target itself is enough; one more is not. */
	zero.v[27] = zero.v[26] = 0xff;
	CHECK(block_work_proved(&zero, 0x1d00ffff, 0x1d00ffff));
	zero.v[0] = 1;
	CHECK(!block_work_proved(&zero, 0x1d00ffff, 0x1d00ffff));
}

static void check_target(uint32_t bits, const char *hex)
{
	struct u256 t;
	uint8_t raw[32];

	CHECK(block_target(&t, bits));
	u256_store_be(raw, &t);
	CHECK_HEX(BYTES_OF(raw), hex);
}

TEST(compact_targets)
{
	static const uint32_t bad[] = { 0, 0x00123456, 0x01003456, 0x02000056, 0x03000000, 0x04000000, 0x01fedcba, 0x04923456,
					0xff123456, 0x23000001, 0x22000100, 0x21010000, 0x237fffff, 0x227fffff,
					0x217fffff };
	struct u256 t;

	check_target(0x1d00ffff, "00000000ffff0000000000000000000000000000000000000000000000000000");
	check_target(0x207fffff, "7fffff0000000000000000000000000000000000000000000000000000000000");
	check_target(0x01123456, "0000000000000000000000000000000000000000000000000000000000000012");
	check_target(0x02123456, "0000000000000000000000000000000000000000000000000000000000001234");
	check_target(0x05009234, "0000000000000000000000000000000000000000000000000000000092340000");
	check_target(0x20123456, "1234560000000000000000000000000000000000000000000000000000000000");
	check_target(0x220000ff, "ff00000000000000000000000000000000000000000000000000000000000000");
	check_target(0x2100ffff, "ffff000000000000000000000000000000000000000000000000000000000000");
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		CHECK(!block_target(&t, bad[i]));
}

static void check_work(uint32_t bits, uint64_t high, uint64_t low)
{
	struct u256 w = block_work(bits);

	CHECK(w.limb[0] == 0 && w.limb[1] == 0 && w.limb[2] == high && w.limb[3] == low);
}

TEST(work_is_what_bitcoin_core_adds)
{
	struct u256 sum = { { 0 } }, max = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } }, one = { { 0, 0, 0, 1 } };

	/* chainwork of the first block of the main chain, of regtest, and a recent difficulty (floor(2^256 / (t + 1))). */
	check_work(0x1d00ffff, 0, 0x100010001);
	check_work(0x207fffff, 0, 2);
	check_work(0x1e0377ae, 0, 0x49d414);
	check_work(0x1700ffff, 0x10001, 0x0001000100010001);
	check_work(0x01003456, 0, 0); /* no target, no work */
	CHECK(block_work(0x01010000).limb[0] == 0x8000000000000000 && block_work(0x01010000).limb[3] == 0); /* target 1 */
	CHECK(block_work(0x01123456).limb[0] == 0xd79435e50d79435 && block_work(0x01123456).limb[3] == 0x9435e50d79435e50);
	for (int i = 0; i < 3; i++) {
		struct u256 w = block_work(0x1d00ffff);

		CHECK(u256_add(&sum, &sum, &w));
	}
	CHECK(sum.limb[3] == 0x300030003 && u256_cmp(&sum, &one) > 0 && u256_cmp(&one, &sum) < 0 && u256_cmp(&sum, &sum) == 0);
	CHECK(!u256_add(&sum, &max, &one) && sum.limb[3] == 0x300030003);
}

/* Block 100,000 of the main chain: four transactions. */
TEST(merkle_root_of_a_known_block)
{
	static const char *const ids[] = {
		"8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
		"fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
		"6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
		"e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
	};
	struct merkle m;
	struct sha256 root;
	char hex[65];

	merkle_init(&m);
	for (size_t i = 0; i < 4; i++) {
		struct txid id;

		CHECK(txid_from_hex(&id, ids[i]));
		merkle_add(&m, &id);
	}
	root = merkle_root(&m);
	hash_to_hex(hex, root.v);
	CHECK_STR(hex, "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766");
	CHECK(!m.mutated);
}

/* The definition, level by level, for the streaming form to agree with. */
static struct sha256 slow_root(struct sha256 *h, size_t count)
{
	while (count > 1) {
		if (count % 2) {
			h[count] = h[count - 1];
			count++;
		}
		for (size_t i = 0; i < count; i += 2) {
			uint8_t both[64];

			memcpy(both, h[i].v, 32);
			memcpy(both + 32, h[i + 1].v, 32);
			h[i / 2] = sha256d(both, 64);
		}
		count /= 2;
	}
	return h[0];
}

TEST(merkle_root_of_any_count)
{
	for (uint32_t count = 1; count <= 130; count++) {
		struct sha256 slow[132], want, got;
		struct merkle m;

		merkle_init(&m);
		for (uint32_t i = 0; i < count; i++) {
			struct txid id = { { (uint8_t)i, (uint8_t)(i >> 8), 1 } };

			memcpy(slow[i].v, id.v, 32);
			merkle_add(&m, &id);
		}
		want = slow_root(slow, count);
		got = merkle_root(&m);
		CHECK(SAME(got, want));
		CHECK(!m.mutated);
	}
}

static void add_leaves(struct merkle *m, const char *leaves)
{
	merkle_init(m);
	for (const char *p = leaves; *p; p++) {
		struct txid id = { { (uint8_t)*p } };

		merkle_add(m, &id);
	}
}

/* CVE-2012-2459: a list with its tail repeated has the same root; a node that took it would forget the real one. */
TEST(repeated_tails_are_seen)
{
	static const char *const pairs[][2] = { { "abc", "abcc" }, { "abcdef", "abcdefef" }, { "abcde", "abcdeeee" } };

	for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
		struct merkle honest, forged;
		struct sha256 a, b;

		add_leaves(&honest, pairs[i][0]);
		add_leaves(&forged, pairs[i][1]);
		a = merkle_root(&honest);
		b = merkle_root(&forged);
		CHECK(SAME(a, b));
		CHECK(!honest.mutated);
		CHECK(forged.mutated);
	}
}

/* A block of so many transactions, distinct by their locktimes. */
static void make_block(struct buf *out, uint32_t count)
{
	struct block_header h = { .version = 4, .bits = 0x207fffff };
	struct merkle m;
	struct buf txs = BUF_EMPTY;
	uint8_t raw[BLOCK_HEADER_SIZE];

	merkle_init(&m);
	for (uint32_t i = 0; i < count; i++) {
		struct tx *t = tx_new(&arena, 2, 1, 1, i);
		struct txid id;

		t->outputs[0].amount = SAT(i);
		if (i % 2)
			tx_set_witness(&arena, t, 0, (struct bytes[]){ { (const uint8_t *)"w", 1 } }, 1);
		tx_encode(t, &txs);
		id = tx_id(t);
		merkle_add(&m, &id);
	}
	h.merkle_root = merkle_root(&m);
	block_header_encode(raw, &h);
	buf_add(out, raw, sizeof(raw));
	buf_add_varint(out, count);
	buf_add_bytes(out, buf_view(&txs));
	buf_release(&txs);
}

static bool read_block(struct bytes raw, uint32_t *count)
{
	struct block_reader r;
	struct arena one;
	struct tx *t;
	struct txid id, want;
	bool good;

	*count = 0;
	if (!block_open(&r, raw))
		return false;
	arena_init(&one);
	while ((t = block_next(&r, &one, &id))) {
		want = tx_id(t);
		if (!SAME(id, want) || t->locktime != *count)
			break;
		(*count)++;
		arena_reset(&one);
	}
	good = block_complete(&r);
	arena_release(&one);
	return good;
}

TEST(blocks_are_read_one_transaction_at_a_time)
{
	struct buf b = BUF_EMPTY;
	uint32_t count;
	bool whole, cut, longer, changed, fewer;

	make_block(&b, 301);
	whole = read_block(buf_view(&b), &count) && count == 301;
	cut = read_block(BYTES(b.data, b.size - 1), &count);
	buf_add_u8(&b, 0);
	longer = read_block(buf_view(&b), &count);
	b.size--;
	b.data[b.size - 1] ^= 1; /* the last locktime: still a transaction */
	changed = read_block(buf_view(&b), &count);
	b.data[b.size - 1] ^= 1;
	store_le32(b.data + 81, load_le32(b.data + 81) - 1); /* a count of 300 */
	fewer = read_block(buf_view(&b), &count);
	buf_release(&b);
	arena_release(&arena);
	CHECK(whole);
	CHECK(!cut && !longer && !changed && !fewer);
}

TEST(no_block_is_empty_or_larger_than_its_bytes)
{
	uint8_t raw[BLOCK_HEADER_SIZE + 9] = { 0 };
	struct block_reader r;

	CHECK(!block_open(&r, BYTES(raw, BLOCK_HEADER_SIZE + 1)));
	raw[BLOCK_HEADER_SIZE] = 2;
	CHECK(!block_open(&r, BYTES(raw, sizeof(raw))));
	memset(raw + BLOCK_HEADER_SIZE, 0xff, 9);
	CHECK(!block_open(&r, BYTES(raw, sizeof(raw))));
	CHECK(!block_open(&r, BYTES(raw, 79)));
}

/* --- what consensus allows and parsers have choked on --- */

struct grown {
	struct buf raw;
	struct txid id;
	bool read;
	uint32_t witness_count, input_count, output_count;
	size_t item_size;
};

/* A block of that one transaction, which must be read as it is. */
static struct grown block_of_one(struct tx *t)
{
	struct block_header h = { .version = 0x20000000, .bits = 0x207fffff };
	struct grown g = { .raw = BUF_EMPTY, .id = tx_id(t) };
	uint8_t raw[BLOCK_HEADER_SIZE];
	struct block_reader r;
	const struct tx *got;
	struct txid id;

	memcpy(h.merkle_root.v, g.id.v, 32); /* a tree of one leaf is the leaf */
	block_header_encode(raw, &h);
	buf_add(&g.raw, raw, sizeof(raw));
	buf_add_varint(&g.raw, 1);
	tx_encode(t, &g.raw);
	if (!block_open(&r, buf_view(&g.raw)) || !(got = block_next(&r, &arena, &id)))
		return g;
	g.read = SAME(id, g.id) && !block_next(&r, &arena, &id) && block_complete(&r) && tx_weight(got) == tx_weight(t);
	g.witness_count = got->inputs[0].witness_count;
	g.item_size = got->inputs[0].witness_count ? got->inputs[0].witness[0].size : 0;
	g.input_count = got->input_count;
	g.output_count = got->output_count;
	return g;
}

static void end_growing(struct grown *g)
{
	buf_release(&g->raw);
	arena_release(&arena);
}

/* LND before 0.15.4 (CVE-2022-44797): btcd's wire code took no witness of more than 500,000 items, so a block that
 * everybody else followed stopped the node, and breaches behind it went unseen. */
TEST(attack_a_witness_of_more_than_500000_items)
{
	uint32_t count = 500003;
	struct tx *t = tx_new(&arena, 2, 1, 1, 0);
	struct grown g;

	t->outputs[0].script = BYTES("\x51", 1);
	tx_set_witness(&arena, t, 0, ARENA_ARRAY(&arena, struct bytes, count), count);
	g = block_of_one(t);
	CHECK(g.read);
	CHECK_EQ(g.witness_count, count);
	end_growing(&g);
}

/* LND before 0.15.2 (CVE-2022-39389): a witness item of more than 11,000 bytes, which tapscript allows. */
TEST(attack_a_witness_item_of_more_than_11000_bytes)
{
	size_t size = 3999000; /* nearly the whole block */
	struct bytes item = BYTES(arena_alloc(&arena, size), size);
	struct tx *t = tx_new(&arena, 2, 1, 1, 0);
	struct grown g;

	tx_set_witness(&arena, t, 0, &item, 1);
	g = block_of_one(t);
	CHECK(g.read);
	CHECK_EQ(g.item_size, size);
	end_growing(&g);
}

/* Scripts that can never run may be in a block: of outputs, and of the coinbase's input none is ever looked at. */
TEST(attack_scripts_longer_than_can_run)
{
	size_t size = 990000;
	struct tx *t = tx_new(&arena, -1, 1, 2, UINT32_MAX);
	struct grown g;

	t->inputs[0].prev.index = UINT32_MAX;
	t->inputs[0].script_sig = BYTES(arena_alloc(&arena, 100), 100);
	t->outputs[0].script = BYTES(arena_alloc(&arena, size), size);
	t->outputs[1].amount = SAT(2100000000000000);
	g = block_of_one(t);
	CHECK(g.read);
	end_growing(&g);
}

TEST(attack_as_many_inputs_and_outputs_as_a_block_holds)
{
	struct tx *t = tx_new(&arena, 2, 1, 111000, 0);
	struct grown g;

	g = block_of_one(t);
	CHECK(g.read);
	CHECK_EQ(g.output_count, 111000);
	end_growing(&g);
	t = tx_new(&arena, 2, 24380, 1, 0);
	g = block_of_one(t);
	CHECK(g.read);
	CHECK_EQ(g.input_count, 24380);
	end_growing(&g);
}
