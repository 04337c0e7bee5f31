#include "tests/test.h"

#include <jansson.h>
#include <string.h>

#include "bitcoin/script.h"
#include "bitcoin/tx.h"
#include "crypto/hash.h"

/* BIP 143 "Native P2WPKH", signed. */
#define SEGWIT_TX \
	"01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26ba6a9cb" \
	"62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed" \
	"01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9" \
	"148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac00" \
	"0247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f5" \
	"1928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000"

static struct arena arena;

static void check_round_trip(struct bytes raw)
{
	struct tx *t = tx_parse(&arena, raw), *copy;
	struct buf again = BUF_EMPTY, stripped = BUF_EMPTY;
	bool same, weighed, copied;

	CHECK(t);
	tx_encode(t, &again);
	tx_encode_stripped(t, &stripped);
	same = bytes_equal(buf_view(&again), raw);
	weighed = tx_weight(t) == 3 * stripped.size + again.size;
	copy = tx_copy(&arena, t);
	buf_clear(&again);
	tx_encode(copy, &again);
	copied = bytes_equal(buf_view(&again), raw);
	buf_release(&again);
	buf_release(&stripped);
	CHECK(same);
	CHECK(weighed);
	CHECK(copied);
}

TEST(segwit_transaction_reads_and_writes)
{
	struct bytes raw = test_unhex(SEGWIT_TX);
	struct tx *t;

	arena_release(&arena);
	check_round_trip(raw);
	t = tx_parse(&arena, raw);
	CHECK_EQ(t->version, 1);
	CHECK_EQ(t->input_count, 2);
	CHECK_EQ(t->output_count, 2);
	CHECK_EQ(t->locktime, 17);
	CHECK_EQ(t->inputs[0].sequence, 0xffffffee);
	CHECK_EQ(t->inputs[0].witness_count, 0);
	CHECK_EQ(t->inputs[1].witness_count, 2);
	CHECK_EQ(t->inputs[1].prev.index, 1);
	CHECK_EQ(t->outputs[0].amount.v, 112340000);
	CHECK(script_is_p2pkh(t->outputs[1].script));
	CHECK_EQ(tx_weight(t), 3 * (raw.size - 2 - 108) + raw.size);
	arena_release(&arena);
}

/* Every prefix of a transaction and every transaction with a tail is none. */
TEST(cut_and_extended_transactions_are_refused)
{
	struct bytes raw = test_unhex(SEGWIT_TX);
	uint8_t *longer = test_alloc(raw.size + 1);

	for (size_t size = 0; size < raw.size; size++)
		CHECK(!tx_parse(&arena, BYTES(raw.data, size)));
	memcpy(longer, raw.data, raw.size);
	CHECK(tx_parse(&arena, BYTES(longer, raw.size)));
	CHECK(!tx_parse(&arena, BYTES(longer, raw.size + 1)));
	arena_release(&arena);
}

/* BIP 144 and Bitcoin Core: one serialization for each transaction. */
TEST(second_forms_of_a_transaction_are_refused)
{
	/* The marker and flag with no witness in it. */
	CHECK(!tx_parse(&arena, test_unhex("0100000000010100000000000000000000000000000000000000000000000000000000000000000000000000"
					   "ffffffff0100000000000000000000" "00000000")));
	/* An unknown flag. */
	CHECK(!tx_parse(&arena, test_unhex("0100000000020100000000000000000000000000000000000000000000000000000000000000000000000000"
					   "ffffffff0100000000000000000000" "00000000")));
	/* A count of one input in three bytes. */
	CHECK(!tx_parse(&arena, test_unhex("01000000fd0100" "0000000000000000000000000000000000000000000000000000000000000000"
					   "0000000000ffffffff0100000000000000000000000000")));
	/* The same in one byte. */
	CHECK(tx_parse(&arena, test_unhex("0100000001" "0000000000000000000000000000000000000000000000000000000000000000"
					  "0000000000ffffffff0100000000000000000000000000")));
	/* No inputs, no outputs: the flag is the count of outputs. */
	CHECK(tx_parse(&arena, test_unhex("01000000000000000000")));
	arena_release(&arena);
}

/* PSBT's unsigned transaction without inputs would be read as a witness form. */
TEST(stripped_form_reads_without_inputs)
{
	struct bytes raw = test_unhex("02000000000100e1f505000000000000000000");
	struct cursor c = cursor_of(raw);
	struct tx *t = tx_decode_stripped(&arena, &c);

	CHECK(t && cursor_done(&c));
	CHECK_EQ(t->input_count, 0);
	CHECK_EQ(t->outputs[0].amount.v, 100000000);
	CHECK(!tx_parse(&arena, raw));
	arena_release(&arena);
}

/* A claim of four billion inputs must not take memory for them. */
TEST(counts_are_bounded_by_the_bytes_there)
{
	arena_release(&arena);
	CHECK(!tx_parse(&arena, test_unhex("01000000feffffffff00000000000000000000000000000000")));
	CHECK(!tx_parse(&arena, test_unhex("01000000ffffffffffffffffff")));
	CHECK(arena.used < 4096);
	arena_release(&arena);
}

/* CVE-2022-44797 and its like: what consensus takes must parse, however large its witness. */
TEST(witness_of_half_a_million_items_parses)
{
	struct tx *t = tx_new(&arena, 2, 1, 1, 0), *again;
	struct buf b = BUF_EMPTY;

	t->inputs[0].witness_count = 500001;
	t->inputs[0].witness = ARENA_ARRAY(&arena, struct bytes, 500001);
	t->outputs[0].amount = SAT(1);
	tx_encode(t, &b);
	again = tx_parse(&arena, buf_view(&b));
	CHECK(again && again->inputs[0].witness_count == 500001);
	CHECK_EQ(tx_weight(again), b.size + 3 * (b.size - 2 - 500001 - 5));
	buf_release(&b);
	arena_release(&arena);
}

TEST(txid_is_shown_reversed)
{
	struct txid id, back;
	struct tx *t = tx_parse(&arena, test_unhex(SEGWIT_TX));
	char hex[65];

	id = tx_id(t);
	txid_to_hex(hex, &id);
	CHECK(txid_from_hex(&back, hex) && SAME(back, id));
	CHECK_EQ(back.v[0], test_unhex(hex).data[31]);
	CHECK(!txid_from_hex(&back, "00"));
	/* The genesis coinbase: known to everyone. */
	t = tx_parse(&arena, test_unhex("01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d01"
					"04455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f6620"
					"7365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548"
					"271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b"
					"8d578a4c702b6bf11d5fac00000000"));
	id = tx_id(t);
	txid_to_hex(hex, &id);
	CHECK_STR(hex, "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b");
	id = tx_witness_id(t);
	txid_to_hex(hex, &id);
	CHECK_STR(hex, "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b");
	arena_release(&arena);
}

TEST(varint_takes_the_shortest_form_only)
{
	static const uint64_t edges[] = { 0, 0xfc, 0xfd, 0xffff, 0x10000, 0xffffffff, 0x100000000, UINT64_MAX };
	static const char *const longer[] = { "fdfc00", "feffff0000", "ffffffffff00000000" };

	for (size_t i = 0; i < ARRAY_COUNT(edges); i++) {
		struct buf b = BUF_EMPTY;
		struct cursor c;
		uint64_t v;
		size_t size;

		buf_add_varint(&b, edges[i]);
		size = b.size;
		c = cursor_of(buf_view(&b));
		v = cursor_varint(&c);
		buf_release(&b);
		CHECK(v == edges[i]);
		CHECK_EQ(size, varint_size(edges[i]));
	}
	for (size_t i = 0; i < ARRAY_COUNT(longer); i++) {
		struct cursor c = cursor_of(test_unhex(longer[i]));

		CHECK_EQ(cursor_varint(&c), 0);
		CHECK(!cursor_ok(&c));
	}
}

static void round_trip_core_file(const char *name, size_t least)
{
	struct bytes text = test_shared_file(name);
	json_t *all = json_loadb((const char *)text.data, text.size, 0, NULL), *entry;
	size_t i, count = 0;

	CHECK(all);
	json_array_foreach(all, i, entry)
		if (json_array_size(entry) == 3) {
			check_round_trip(test_unhex(json_string_value(json_array_get(entry, 1))));
			count++;
		}
	json_decref(all);
	arena_release(&arena);
	CHECK(count >= least);
}

TEST(core_valid_transactions_round_trip)
{
	round_trip_core_file("vectors/bitcoin/tx_valid.json", 100);
}

/* Invalid by their scripts or amounts, not by their bytes. */
TEST(core_invalid_transactions_round_trip)
{
	round_trip_core_file("vectors/bitcoin/tx_invalid.json", 90);
}

static void check_script(struct buf *b, const char *hex)
{
	struct bytes copy = arena_bytes(&arena, buf_view(b));

	buf_release(b);
	CHECK_HEX(copy, hex);
}

TEST(numbers_and_pushes_are_minimal)
{
	static const struct {
		int64_t n;
		const char *hex;
	} numbers[] = {
		{ 0, "00" }, { 1, "51" }, { 16, "60" }, { 17, "0111" }, { -1, "4f" }, { -2, "0182" }, { 127, "017f" },
		{ 128, "028000" }, { -128, "028080" }, { 144, "029000" }, { 255, "02ff00" }, { 256, "020001" },
		{ 32767, "02ff7f" }, { 32768, "03008000" }, { 500000000, "040065cd1d" }, { 0x7fffffff, "04ffffff7f" },
		{ 0xffffffff, "05ffffffff00" },
	};
	static uint8_t data[70000];
	struct buf b = BUF_EMPTY;

	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		script_number(&b, numbers[i].n);
		check_script(&b, numbers[i].hex);
	}
	script_push(&b, BYTES_NONE);
	check_script(&b, "00");
	script_push(&b, BYTES(data, 75));
	CHECK_EQ(b.data[0], 75);
	buf_clear(&b);
	script_push(&b, BYTES(data, 76));
	CHECK(b.size == 78 && b.data[0] == 0x4c && b.data[1] == 76);
	buf_clear(&b);
	script_push(&b, BYTES(data, 256));
	CHECK(b.size == 259 && b.data[0] == 0x4d && b.data[1] == 0 && b.data[2] == 1);
	buf_clear(&b);
	script_push(&b, BYTES(data, 65535));
	CHECK(b.size == 65538 && b.data[0] == 0x4d && b.data[1] == 0xff && b.data[2] == 0xff);
	buf_clear(&b);
	script_push(&b, BYTES(data, 70000));
	CHECK(b.size == 70005 && b.data[0] == 0x4e);
	buf_release(&b);
	arena_release(&arena);
}

TEST(scripts_are_read_opcode_by_opcode)
{
	struct bytes push;
	struct cursor c;
	uint8_t op;

	/* OP_0, a push of one, PUSHDATA1 of two, PUSHDATA2 of none, PUSHDATA4 of one, OP_CHECKSIG */
	c = cursor_of(test_unhex("00" "01aa" "4c02bbcc" "4d0000" "4e01000000dd" "ac"));
	CHECK(script_read(&c, &op, &push) && op == OP_0 && push.size == 0);
	CHECK(script_read(&c, &op, &push) && op == 1 && push.size == 1 && push.data[0] == 0xaa);
	CHECK(script_read(&c, &op, &push) && op == OP_PUSHDATA1 && push.size == 2 && push.data[1] == 0xcc);
	CHECK(script_read(&c, &op, &push) && op == 0x4d && push.size == 0);
	CHECK(script_read(&c, &op, &push) && op == 0x4e && push.size == 1 && push.data[0] == 0xdd);
	CHECK(script_read(&c, &op, &push) && op == OP_CHECKSIG && push.size == 0);
	CHECK(!script_read(&c, &op, &push) && cursor_ok(&c));
	for (size_t size = 1; size < 4; size++) {
		c = cursor_of(BYTES(test_unhex("4c02bbcc").data, size));
		CHECK(!script_read(&c, &op, &push) && !cursor_ok(&c) && !script_read(&c, &op, &push));
	}
}

/* BIP 143's key and the programs that BIP 173 shows for BIP 84's first key. */
TEST(templates_are_built_and_known)
{
	struct pubkey p;
	struct hash160 h = { { 7 } };
	struct xonly x = { { 9 } };
	struct bytes wpkh, wsh, tr, pkh, sh, none = BYTES_NONE;

	memcpy(p.v, test_unhex("025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357").data, 33);
	wpkh = script_p2wpkh(&arena, &p);
	CHECK_HEX(wpkh, "00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1");
	CHECK_HEX(script_code_p2wpkh(&arena, &p), "76a9141d0f172a0ecb48aee1be1f2687d2963ae33f71a188ac");
	wsh = script_p2wsh(&arena, test_unhex("21026dccc749adc2a9d0d89497ac511f760f45c47dc5ed9cf352a58ac706453880aeadab"
					      "210255a9626aebf5e29c0e6538428ba0d1dcf6ca98ffdf086aa8ced5e0d0215ea465ac"));
	CHECK_HEX(wsh, "00205d1b56b63d714eebe542309525f484b7e9d6f686b3781b6f61ef925d66d6f6a0");
	tr = script_p2tr(&arena, &x);
	pkh = script_p2pkh(&arena, &h);
	sh = script_p2sh(&arena, &h);
	CHECK(script_is_p2wpkh(wpkh) && !script_is_p2wpkh(wsh) && !script_is_p2wpkh(none));
	CHECK(script_is_p2wsh(wsh) && !script_is_p2wsh(tr) && !script_is_p2wsh(none));
	CHECK(script_is_p2tr(tr) && !script_is_p2tr(wsh) && !script_is_p2tr(none));
	CHECK(script_is_p2pkh(pkh) && !script_is_p2pkh(sh) && !script_is_p2pkh(none));
	CHECK(script_is_p2sh(sh) && !script_is_p2sh(pkh) && !script_is_p2sh(none));
	CHECK(script_is_witness_v1_up(tr) && !script_is_witness_v1_up(wsh) && script_is_witness(wsh));
	CHECK(script_is_witness_v1_up(test_unhex("51024e73")) && script_is_witness_v1_up(test_unhex("6002abcd")));
	CHECK(!script_is_witness_v1_up(test_unhex("5101ab")) && !script_is_witness_v1_up(test_unhex("6102abcd")));
	CHECK(!script_is_witness_v1_up(test_unhex("5103abcd")) && !script_is_witness_v1_up(none));
	arena_release(&arena);
}

/* BOLT 3 "Dust Limits" lists these. */
TEST(dust_limits_are_those_of_bolt_3)
{
	CHECK_EQ(script_dust_limit(test_unhex("76a914010101010101010101010101010101010101010188ac")).v, 546);
	CHECK_EQ(script_dust_limit(test_unhex("a914010101010101010101010101010101010101010187")).v, 540);
	CHECK_EQ(script_dust_limit(test_unhex("00140101010101010101010101010101010101010101")).v, 294);
	CHECK_EQ(script_dust_limit(test_unhex("00200101010101010101010101010101010101010101010101010101010101010101")).v, 330);
	CHECK_EQ(script_dust_limit(test_unhex("6028010101010101010101010101010101010101010101010101010101010101010101010101010101"
					      "01")).v, 354);
	CHECK_EQ(script_dust_limit(test_unhex("51024e73")).v, 240);
	CHECK_EQ(script_dust_limit(test_unhex("6a0568656c6c6f")).v, 0);
}
