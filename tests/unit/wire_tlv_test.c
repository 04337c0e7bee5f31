#include "tests/test.h"

#include <string.h>

#include "wire/message.h"
#include "wire/utf8.h"
#include "wire/vectors.h"

/* BOLT 1 Appendices A, B and D, typed in.  The second string of a pair is the vector's own explanation. */

static const struct {
	const char *hex;
	uint64_t value;
	bool good;
} bigsizes[] = {
	{ "00", 0ull, true }, /* zero */
	{ "fc", 252ull, true }, /* one byte high */
	{ "fd00fd", 253ull, true }, /* two byte low */
	{ "fdffff", 65535ull, true }, /* two byte high */
	{ "fe00010000", 65536ull, true }, /* four byte low */
	{ "feffffffff", 4294967295ull, true }, /* four byte high */
	{ "ff0000000100000000", 4294967296ull, true }, /* eight byte low */
	{ "ffffffffffffffffff", 18446744073709551615ull, true }, /* eight byte high */
	{ "fd00fc", 0ull, false }, /* two byte not canonical */
	{ "fe0000ffff", 0ull, false }, /* four byte not canonical */
	{ "ff00000000ffffffff", 0ull, false }, /* eight byte not canonical */
	{ "fd00", 0ull, false }, /* two byte short read */
	{ "feffff", 0ull, false }, /* four byte short read */
	{ "ffffffffff", 0ull, false }, /* eight byte short read */
	{ "", 0ull, false }, /* one byte no read */
	{ "fd", 0ull, false }, /* two byte no read */
	{ "fe", 0ull, false }, /* four byte no read */
	{ "ff", 0ull, false }, /* eight byte no read */
};

static const struct {
	const char *hex;
	int64_t value;
} signeds[] = {
	{ "00", 0ll },
	{ "2a", 42ll },
	{ "d6", -42ll },
	{ "7f", 127ll },
	{ "80", -128ll },
	{ "0080", 128ll },
	{ "ff7f", -129ll },
	{ "3a98", 15000ll },
	{ "c568", -15000ll },
	{ "7fff", 32767ll },
	{ "8000", -32768ll },
	{ "00008000", 32768ll },
	{ "ffff7fff", -32769ll },
	{ "01406f40", 21000000ll },
	{ "febf90c0", -21000000ll },
	{ "7fffffff", 2147483647ll },
	{ "80000000", -2147483648ll },
	{ "0000000080000000", 2147483648ll },
	{ "ffffffff7fffffff", -2147483649ll },
	{ "000000746a528800", 500000000000ll },
	{ "ffffff8b95ad7800", -500000000000ll },
	{ "7fffffffffffffff", 9223372036854775807ll },
	{ "8000000000000000", INT64_MIN },
};

static const char *const bad_any[][2] = {
	{ "fd", "type truncated" },
	{ "fd01", "type truncated" },
	{ "fd000100", "not minimally encoded type" },
	{ "fd0101", "missing length" },
	{ "0ffd", "length truncated" },
	{ "0ffd26", "length truncated" },
	{ "0ffd2602", "missing value" },
	{ "0ffd000100", "not minimally encoded length" },
};

static const char *const bad_either[][2] = {
	{ "1200", "unknown even type" },
	{ "fd010200", "unknown even type" },
	{ "fe0100000200", "unknown even type" },
	{ "ff010000000000000200", "unknown even type" },
};

static const char *const bad_n1[][2] = {
	{ "0109ffffffffffffffffff", "greater than encoding length for n1s tlv1" },
	{ "010100", "encoding for n1s tlv1s amount_msat is not minimal" },
	{ "01020001", "encoding for n1s tlv1s amount_msat is not minimal" },
	{ "0103000100", "encoding for n1s tlv1s amount_msat is not minimal" },
	{ "010400010000", "encoding for n1s tlv1s amount_msat is not minimal" },
	{ "01050001000000", "encoding for n1s tlv1s amount_msat is not minimal" },
	{ "0106000100000000", "encoding for n1s tlv1s amount_msat is not minimal" },
	{ "010700010000000000", "encoding for n1s tlv1s amount_msat is not minimal" },
	{ "01080001000000000000", "encoding for n1s tlv1s amount_msat is not minimal" },
	{ "020701010101010101", "less than encoding length for n1s tlv2" },
	{ "0209010101010101010101", "greater than encoding length for n1s tlv2" },
	{ "0321023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb", "less than encoding length for n1s tlv3" },
	{ "0329023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb0000000000000001", "less than encoding length for n1s tlv3" },
	{ "0330023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb000000000000000100000000000001", "less than encoding length for n1s tlv3" },
	{ "0331043da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb00000000000000010000000000000002", "n1s node_id is not a valid point" },
	{ "0332023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb0000000000000001000000000000000001", "greater than encoding length for n1s tlv3" },
	{ "fd00fe00", "less than encoding length for n1s tlv4" },
	{ "fd00fe0101", "less than encoding length for n1s tlv4" },
	{ "fd00fe03010101", "greater than encoding length for n1s tlv4" },
	{ "0000", "unknown even field for n1s namespace" },
};

static const char *const good_ignored[][2] = {
	{ "", "empty message" },
	{ "2100", "Unknown odd type" },
	{ "fd020100", "Unknown odd type" },
	{ "fd00fd00", "Unknown odd type" },
	{ "fd00ff00", "Unknown odd type" },
	{ "fe0200000100", "Unknown odd type" },
	{ "ff020000000000000100", "Unknown odd type" },
};

static const char *const good_n1[][2] = {
	{ "0100", "tlv1 amount_msat=0" },
	{ "010101", "tlv1 amount_msat=1" },
	{ "01020100", "tlv1 amount_msat=256" },
	{ "0103010000", "tlv1 amount_msat=65536" },
	{ "010401000000", "tlv1 amount_msat=16777216" },
	{ "01050100000000", "tlv1 amount_msat=4294967296" },
	{ "0106010000000000", "tlv1 amount_msat=1099511627776" },
	{ "010701000000000000", "tlv1 amount_msat=281474976710656" },
	{ "01080100000000000000", "tlv1 amount_msat=72057594037927936" },
	{ "02080000000000000226", "tlv2 scid=0x0x550" },
	{ "0331023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb00000000000000010000000000000002", "tlv3 node_id=023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb amount_msat_1=1 amount_msat_2=2" },
	{ "fd00fe020226", "tlv4 cltv_delta=550" },
};

static const char *const bad_order_n1[][2] = {
	{ "0208000000000000022601012a", "valid TLV records but invalid ordering" },
	{ "0208000000000000023102080000000000000451", "duplicate TLV type" },
	{ "1f000f012a", "valid (ignored) TLV records but invalid ordering" },
	{ "1f001f012a", "duplicate TLV type (ignored" },
};

static const char *const bad_n2[][2] = {
	{ "ffffffffffffffffff000000", "valid TLV records but invalid ordering" },
};

static struct arena arena;

static void start(void)
{
	arena_init(&arena);
}

static void finish(void)
{
	arena_release(&arena);
}

static enum decode_result decode_n1(struct bytes stream, struct tlvs_n1 *out)
{
	return tlvs_n1_decode(stream, &arena, out, NULL);
}

static enum decode_result decode_n2(struct bytes stream)
{
	struct tlvs_n2 out;

	return tlvs_n2_decode(stream, &arena, &out, NULL);
}

TEST(bigsize_vectors)
{
	for (size_t i = 0; i < ARRAY_COUNT(bigsizes); i++) {
		struct bytes raw = test_unhex(bigsizes[i].hex);
		struct cursor c = cursor_of(raw);
		struct buf again = BUF_EMPTY;

		CHECK_EQ(cursor_bigsize(&c), bigsizes[i].value);
		CHECK_EQ(cursor_done(&c), bigsizes[i].good);
		if (!bigsizes[i].good)
			continue;
		buf_add_bigsize(&again, bigsizes[i].value);
		CHECK_HEX(buf_view(&again), bigsizes[i].hex);
		CHECK_EQ(bigsize_size(bigsizes[i].value), again.size);
		buf_release(&again);
	}
}

/* Two's complement, big endian: the eight-byte form of each value, and the short form as its tail. */
TEST(signed_integers_are_twos_complement)
{
	for (size_t i = 0; i < ARRAY_COUNT(signeds); i++) {
		struct bytes raw = test_unhex(signeds[i].hex), back;
		struct record_vector_new in, out;
		struct buf b = BUF_EMPTY;

		start();
		memset(&in, 0, sizeof(in));
		in.delta = signeds[i].value;
		record_vector_new_encode(&in, &b);
		back = BYTES(b.data + b.size - raw.size, raw.size); /* delta is the last field */
		CHECK(bytes_equal(back, raw));
		CHECK(record_vector_new_decode(buf_view(&b), &arena, &out));
		CHECK(out.delta == signeds[i].value);
		buf_release(&b);
		finish();
	}
}

TEST(streams_that_no_namespace_accepts)
{
	struct tlvs_n1 out;
	struct buf cut = BUF_EMPTY;

	start();
	for (size_t i = 0; i < ARRAY_COUNT(bad_any); i++) {
		/* B1.type_length_value_format.8 and .10: not minimal, or longer than what is there */
		CHECK_EQ(decode_n1(test_unhex(bad_any[i][0]), &out), DECODE_BAD_TLV);
		CHECK_EQ(decode_n2(test_unhex(bad_any[i][0])), DECODE_BAD_TLV);
		CHECK_EQ(decode_extension(test_unhex(bad_any[i][0])), DECODE_BAD_TLV);
	}
	/* 0ffd0201 and 0x200 zeros: one byte of the value is missing. */
	buf_add_bytes(&cut, test_unhex("0ffd0201"));
	memset(buf_extend(&cut, 0x200), 0, 0x200);
	CHECK_EQ(decode_n1(buf_view(&cut), &out), DECODE_BAD_TLV); /* B1.type_length_value_format.10 */
	buf_add_u8(&cut, 0);
	CHECK_EQ(decode_n1(buf_view(&cut), &out), DECODE_OK);
	/* A length near 2^64 must not wrap around any sum. */
	CHECK_EQ(decode_n1(test_unhex("0fffffffffffffffffff"), &out), DECODE_BAD_TLV);
	buf_release(&cut);
	finish();
}

TEST(unknown_even_records_fail)
{
	struct tlvs_n1 out;

	start();
	for (size_t i = 0; i < ARRAY_COUNT(bad_either); i++) {
		/* B1.type_length_value_format.14 */
		CHECK_EQ(decode_n1(test_unhex(bad_either[i][0]), &out), DECODE_UNKNOWN_EVEN_TLV);
		CHECK_EQ(decode_n2(test_unhex(bad_either[i][0])), DECODE_UNKNOWN_EVEN_TLV);
	}
	CHECK_EQ(decode_n1(test_unhex("0000"), &out), DECODE_UNKNOWN_EVEN_TLV); /* known to n2 alone */
	CHECK_EQ(decode_n2(test_unhex("0000")), DECODE_OK);
	finish();
}

TEST(known_records_must_fit_their_encoding)
{
	struct tlvs_n1 out;

	start();
	for (size_t i = 0; i < ARRAY_COUNT(bad_n1); i++) {
		enum decode_result want = strcmp(bad_n1[i][0], "0000") == 0 ? DECODE_UNKNOWN_EVEN_TLV : DECODE_BAD_TLV;

		/* B1.type_length_value_format.12: length; B1.type_length_value_format.13: not minimal */
		CHECK_EQ(decode_n1(test_unhex(bad_n1[i][0]), &out), want);
	}
	finish();
}

TEST(unknown_odd_records_are_discarded)
{
	struct tlvs_n1 out;

	start();
	for (size_t i = 0; i < ARRAY_COUNT(good_ignored); i++) {
		/* B1.type_length_value_format.7: the empty stream is one of these */
		CHECK_EQ(decode_n1(test_unhex(good_ignored[i][0]), &out), DECODE_OK);
		CHECK(!out.tlv1 && !out.tlv2 && !out.tlv3 && !out.tlv4);
		CHECK_EQ(decode_n2(test_unhex(good_ignored[i][0])), DECODE_OK);
	}
	/* B1.type_length_value_format.15: exactly its length is skipped, what follows is read. */
	CHECK_EQ(decode_n1(test_unhex("2103010203fd00fe020226"), &out), DECODE_OK);
	CHECK(out.tlv4 && *out.tlv4 == 550);
	finish();
}

TEST(n1_values)
{
	static const uint64_t amounts[] = { 0, 1, 256, 65536, 16777216, 4294967296ull, 1099511627776ull,
					    281474976710656ull, 72057594037927936ull };
	struct tlvs_n1 out;

	start();
	for (size_t i = 0; i < ARRAY_COUNT(good_n1); i++) {
		struct buf again = BUF_EMPTY;

		/* B1.type_length_value_format.11 */
		CHECK_EQ(decode_n1(test_unhex(good_n1[i][0]), &out), DECODE_OK);
		if (i < ARRAY_COUNT(amounts)) {
			CHECK(out.tlv1 && out.tlv1->v == amounts[i]);
			CHECK(!out.tlv2 && !out.tlv3 && !out.tlv4);
		} else {
			CHECK(!out.tlv1);
		}
		/* B1.type_length_value_format.2: type and length minimal, and B1.fundamental_types.3: a tu64
		 * without its leading zeros, or these would not come out as they went in. */
		tlvs_n1_encode(&out, &again);
		CHECK_HEX(buf_view(&again), good_n1[i][0]);
		buf_release(&again);
	}
	CHECK_EQ(decode_n1(test_unhex("02080000000000000226"), &out), DECODE_OK);
	CHECK(out.tlv2 && scid_height(*out.tlv2) == 0 && scid_output(*out.tlv2) == 550);
	CHECK_EQ(decode_n1(test_unhex("0331023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb0000000000"
				      "0000010000000000000002"), &out), DECODE_OK);
	CHECK(out.tlv3 && out.tlv3->amount_msat_1.v == 1 && out.tlv3->amount_msat_2.v == 2);
	CHECK_HEX(BYTES_OF(out.tlv3->node_id.v), "023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb");
	CHECK_EQ(decode_n1(test_unhex("fd00fe020226"), &out), DECODE_OK);
	CHECK(out.tlv4 && *out.tlv4 == 550);
	finish();
}

static struct bytes join(const char *a, const char *b)
{
	struct bytes x = test_unhex(a), y = test_unhex(b);
	uint8_t *both = test_alloc(x.size + y.size + 1);

	if (x.size)
		memcpy(both, x.data, x.size);
	if (y.size)
		memcpy(both + x.size, y.data, y.size);
	return BYTES(both, x.size + y.size);
}

static uint64_t type_of(const char *hex)
{
	struct cursor c = cursor_of(test_unhex(hex));

	return cursor_bigsize(&c);
}

TEST(streams_must_increase)
{
	struct tlvs_n1 out;

	start();
	for (size_t i = 0; i < ARRAY_COUNT(bad_order_n1); i++)
		CHECK_EQ(decode_n1(test_unhex(bad_order_n1[i][0]), &out), DECODE_BAD_TLV_ORDER); /* B1.type_length_value_format.9 */
	for (size_t i = 0; i < ARRAY_COUNT(bad_n2); i++)
		CHECK_EQ(decode_n2(test_unhex(bad_n2[i][0])), DECODE_BAD_TLV_ORDER);
	for (size_t i = 0; i < ARRAY_COUNT(good_n1); i++) {
		for (size_t k = 0; k < ARRAY_COUNT(bad_n1); k++)
			CHECK(decode_n1(join(good_n1[i][0], bad_n1[k][0]), &out) != DECODE_OK);
		for (size_t k = 0; k < ARRAY_COUNT(good_n1); k++)
			/* B1.type_length_value_format.9: two of one type are no better than a wrong order */
			CHECK_EQ(decode_n1(join(good_n1[i][0], good_n1[k][0]), &out),
				 type_of(good_n1[i][0]) < type_of(good_n1[k][0]) ? DECODE_OK : DECODE_BAD_TLV_ORDER);
	}
	finish();
}

TEST(a_fault_says_where)
{
	struct decode_fault fault = { 77, 77 };
	struct tlvs_onion_payload p;

	start();
	CHECK_EQ(tlvs_onion_payload_decode(test_unhex("02010a0401050c00"), &arena, &p, &fault), DECODE_BAD_TLV);
	CHECK_EQ(fault.tlv_type, 12);
	CHECK_EQ(fault.offset, 6);
	CHECK_EQ(tlvs_onion_payload_decode(test_unhex("02010afd0100020001"), &arena, &p, &fault),
		 DECODE_UNKNOWN_EVEN_TLV);
	CHECK_EQ(fault.tlv_type, 256);
	CHECK_EQ(fault.offset, 3);
	finish();
}

/* Streams that keep what they do not know: custom records of an onion. */
TEST(kept_records_come_back_in_order)
{
	struct tlvs_onion_payload p;
	struct buf again = BUF_EMPTY;
	const char *good = "02010a" "0500" "1000" "130161" "fe0001000101aa" "ff000000014700000102beef"
			   "ffffffffffffffffff00"; /* the highest type there is */

	start();
	CHECK_EQ(tlvs_onion_payload_decode(test_unhex(good), &arena, &p, NULL), DECODE_OK);
	CHECK_EQ(p.unknown_count, 5);
	CHECK_EQ(p.unknown[3].type, 0x147000001ull);
	CHECK_HEX(p.unknown[3].value, "beef");
	CHECK(p.payment_metadata && p.payment_metadata->size == 0);
	/* B1.type_length_value_format.1: known and kept records interleave in strictly increasing order. */
	tlvs_onion_payload_encode(&p, &again);
	CHECK_HEX(buf_view(&again), good);
	buf_release(&again);
	/* keysend: a known even record far above the others */
	CHECK_EQ(tlvs_onion_payload_decode(join("ff0000000146c6616c20",
		 "0101010101010101010101010101010101010101010101010101010101010101"), &arena, &p, NULL), DECODE_OK);
	CHECK(p.keysend_preimage && p.keysend_preimage->v[31] == 1);
	finish();
}

TEST(raw_lists)
{
	struct tlv_record *list;
	struct decode_fault fault;
	struct buf b = BUF_EMPTY;
	uint32_t count;

	start();
	CHECK_EQ(tlv_list_decode(test_unhex("020107fd010000fe0001000002aabb"), &arena, &list, &count, &fault), DECODE_OK);
	CHECK_EQ(count, 3);
	CHECK(tlv_list_find(list, count, 256) == &list[1]);
	CHECK(tlv_list_find(list, count, 3) == NULL);
	tlv_list_encode(list, count, &b);
	CHECK_HEX(buf_view(&b), "020107fd010000fe0001000002aabb");
	CHECK_EQ(tlv_list_decode(test_unhex("0200010100"), &arena, &list, &count, &fault), DECODE_BAD_TLV_ORDER);
	CHECK_EQ(fault.tlv_type, 1);
	buf_release(&b);
	finish();
}

TEST(a_long_record_gets_a_long_length)
{
	struct tlv_record *list;
	struct buf b = BUF_EMPTY, value = BUF_EMPTY;
	uint32_t count;
	size_t at;

	start();
	memset(buf_extend(&value, 70000), 0x5a, 70000);
	at = tlv_begin(&b, 0xfd);
	buf_add_bytes(&b, buf_view(&value));
	tlv_end(&b, at);
	CHECK_HEX(BYTES(b.data, 8), "fd00fdfe00011170"); /* B1.type_length_value_format.2 */
	CHECK_EQ(tlv_list_decode(buf_view(&b), &arena, &list, &count, NULL), DECODE_OK);
	CHECK(count == 1 && bytes_equal(list[0].value, buf_view(&value)));
	buf_release(&b);
	buf_release(&value);
	finish();
}

TEST(truncated_integers)
{
	static const struct {
		const char *hex;
		uint64_t value;
		int bits; /* the smallest type that holds it */
		bool good;
	} cases[] = {
		{ "", 0, 16, true }, { "01", 1, 16, true }, { "0100", 256, 16, true }, { "ffff", 65535, 16, true },
		{ "010000", 65536, 32, true }, { "ffffffff", 4294967295, 32, true },
		{ "0100000000", 4294967296, 64, true }, { "ffffffffffffffff", UINT64_MAX, 64, true },
		{ "00", 0, 16, false }, { "0001", 0, 16, false }, { "000001", 0, 32, false },
		{ "0000000001", 0, 64, false }, { "010000000000000000", 0, 64, false },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct bytes raw = test_unhex(cases[i].hex);
		struct cursor c16 = cursor_of(raw), c32 = cursor_of(raw), c64 = cursor_of(raw);
		struct buf b = BUF_EMPTY;
		bool fits16 = cases[i].good && cases[i].bits <= 16, fits32 = cases[i].good && cases[i].bits <= 32;

		CHECK_EQ(cursor_tu16(&c16), fits16 ? cases[i].value : 0);
		CHECK_EQ(cursor_done(&c16), fits16); /* B1.fundamental_types.1 */
		CHECK_EQ(cursor_tu32(&c32), fits32 ? cases[i].value : 0);
		CHECK_EQ(cursor_done(&c32), fits32); /* B1.fundamental_types.2 */
		CHECK(cursor_tu64(&c64) == cases[i].value);
		CHECK_EQ(cursor_done(&c64), cases[i].good); /* B1.fundamental_types.3 */
		if (cases[i].good) {
			buf_add_tu64(&b, cases[i].value);
			CHECK_HEX(buf_view(&b), cases[i].hex);
		}
		buf_release(&b);
	}
}

TEST(amounts_stay_below_the_supply)
{
	struct cursor c = cursor_of(test_unhex("0775f05a074000"));

	CHECK(cursor_tu64_sat(&c).v == SUPPLY_SAT && cursor_done(&c));
	c = cursor_of(test_unhex("0775f05a074001")); /* B1.fundamental_types.4 */
	CHECK(cursor_tu64_sat(&c).v == 0 && !cursor_done(&c));
	c = cursor_of(test_unhex("1d24b2dfac520000"));
	CHECK(cursor_tu64_msat(&c).v == SUPPLY_SAT * 1000 && cursor_done(&c));
	c = cursor_of(test_unhex("1d24b2dfac520001")); /* B1.fundamental_types.5 */
	CHECK(cursor_tu64_msat(&c).v == 0 && !cursor_done(&c));
}

TEST(scid_with_direction_or_point)
{
	static const char *const good[] = {
		"000000010000020003", "010000010000020003",
		"023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb",
	};
	static const char *const bad[] = {
		"", "00", "0000000100000200", "02", "023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54",
		"043da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb", "ff0000010000020003",
	};

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		struct cursor c = cursor_of(test_unhex(good[i]));
		struct sciddir_or_pubkey s = cursor_sciddir_or_pubkey(&c);
		struct buf b = BUF_EMPTY;

		CHECK(cursor_done(&c));
		CHECK_EQ(s.is_pubkey, i == 2);
		CHECK_EQ(s.direction, i == 1);
		CHECK_EQ(s.scid.v, i == 2 ? 0 : 0x010000020003);
		buf_add_sciddir_or_pubkey(&b, &s);
		CHECK_HEX(buf_view(&b), good[i]);
		buf_release(&b);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct cursor c = cursor_of(test_unhex(bad[i]));

		(void)cursor_sciddir_or_pubkey(&c);
		CHECK(!cursor_ok(&c));
	}
}

TEST(utf8_is_strict)
{
	static const struct {
		const char *hex;
		bool good;
	} cases[] = {
		{ "", true }, { "61", true }, { "7f", true }, { "c280", true }, { "dfbf", true }, { "e0a080", true },
		{ "ed9fbf", true }, { "ee8080", true }, { "f0908080", true }, { "f48fbfbf", true }, { "00", true },
		{ "80", false }, { "c0af", false }, { "c1bf", false }, { "c2", false }, { "c261", false },
		{ "e09fbf", false }, { "eda080", false }, { "edbfbf", false }, { "e282", false },
		{ "f08fbfbf", false }, { "f4908080", false }, { "f5808080", false }, { "f09080", false }, { "ff", false },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		CHECK_EQ(utf8_valid(test_unhex(cases[i].hex)), cases[i].good);
}

TEST(text_in_records_is_utf8)
{
	struct tlvs_text t;
	struct buf b = BUF_EMPTY;

	start();
	CHECK_EQ(tlvs_text_decode(test_unhex("0103e282ac" "030502c3a4ff00"), &arena, &t, NULL), DECODE_OK);
	CHECK_HEX(*t.whole, "e282ac");
	CHECK_HEX(t.counted->text, "c3a4");
	CHECK_HEX(t.counted->rest, "ff00");
	/* B1.type_length_value_format.6: text that fills a record carries no length of its own */
	tlvs_text_encode(&t, &b);
	CHECK_HEX(buf_view(&b), "0103e282ac" "030502c3a4ff00");
	/* B1.fundamental_types.6: neither text is taken unless it is UTF-8; what follows it may be anything */
	CHECK_EQ(tlvs_text_decode(test_unhex("0103e282ff"), &arena, &t, NULL), DECODE_BAD_TLV);
	CHECK_EQ(tlvs_text_decode(test_unhex("030501c3a4ff00"), &arena, &t, NULL), DECODE_BAD_TLV);
	CHECK_EQ(tlvs_text_decode(test_unhex("030509c3a4ff00"), &arena, &t, NULL), DECODE_BAD_TLV);
	buf_release(&b);
	finish();
}

/* Stored records: an older program's bytes decode with zeros for what came later. */
TEST(records_grow_at_the_end)
{
	struct record_vector_old old;
	struct record_vector_new in, out;
	struct record_vector_leaf leaves[2] = { { 7, BYTES("ab", 2) }, { 8, BYTES("", 0) } };
	struct pubkey keys[3] = { { { 2 } }, { { 3 } }, { { 2, 9 } } };
	struct buf b = BUF_EMPTY;

	start();
	memset(&old, 0, sizeof(old));
	old.flag = true;
	old.amount_msat = MSAT(12345);
	old.script = BYTES("xyz", 3);
	record_vector_old_encode(&old, &b);
	memset(&out, 0xff, sizeof(out));
	CHECK(record_vector_new_decode(buf_view(&b), &arena, &out));
	CHECK(out.flag && out.amount_msat.v == 12345 && bytes_equal(out.script, old.script));
	CHECK(out.keys_count == 0 && out.leaves_count == 0 && out.feerate.per_kw == 0 && out.delta == 0);
	CHECK(out.point.index == 0 && bytes_all_zero(BYTES_OF(out.seed)) && out.leaf.id == 0);

	memset(&in, 0, sizeof(in));
	in.flag = true;
	in.script = BYTES("s", 1);
	in.point.index = 5;
	in.point.txid.v[0] = 0x11;
	in.keys = keys;
	in.keys_count = 3;
	in.leaves = leaves;
	in.leaves_count = 2;
	in.leaf = leaves[0];
	in.feerate = FEERATE(253);
	in.seed[15] = 4;
	in.delta = -3;
	buf_clear(&b);
	record_vector_new_encode(&in, &b);
	CHECK(record_vector_new_decode(buf_view(&b), &arena, &out));
	CHECK(out.keys_count == 3 && SAME(out.keys[2], keys[2]));
	CHECK(out.leaves_count == 2 && out.leaves[1].id == 8 && bytes_equal(out.leaves[0].note, leaves[0].note));
	CHECK(outpoint_equal(&out.point, &in.point));
	CHECK(out.leaf.id == 7 && out.feerate.per_kw == 253 && out.seed[15] == 4 && out.delta == -3);
	/* A record of a newer program is not guessed at; nor is one that is cut short or has a tail. */
	CHECK(!record_vector_old_decode(buf_view(&b), &arena, &old));
	for (size_t size = 0; size < b.size; size++)
		CHECK(!record_vector_new_decode(BYTES(b.data, size), &arena, &out));
	buf_add_u8(&b, 0);
	CHECK(!record_vector_new_decode(buf_view(&b), &arena, &out));
	buf_release(&b);
	finish();
}

/* A count is believed only as far as bytes follow: no memory for what was not sent. */
TEST(counts_are_paid_for)
{
	struct record_vector_new out;
	struct buf b = BUF_EMPTY;

	start();
	CHECK(buf_add_unhex(&b, "0002" "00" "0000000000000000" "00000000", 30));
	memset(buf_extend(&b, 36), 0, 36);
	buf_add_be32(&b, 0xffffffff);
	CHECK(!record_vector_new_decode(buf_view(&b), &arena, &out));
	CHECK(arena.used < 4096);
	buf_release(&b);
	finish();
}
