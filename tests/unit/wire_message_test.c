#include "tests/test.h"

#include <string.h>

#include "crypto/cipher.h"
#include "wire/message.h"

static struct arena arena;

static void start(void)
{
	arena_init(&arena);
}

static void finish(void)
{
	arena_release(&arena);
}

/* BOLT 1 Appendix C. */
TEST(init_extensions)
{
	struct msg_init m;

	start();
	CHECK_EQ(msg_init_decode(test_unhex("001000000000"), &arena, &m), DECODE_OK);
	CHECK(m.globalfeatures.size == 0 && m.features.size == 0 && !m.tlvs.networks && !m.tlvs.remote_addr);
	CHECK_EQ(msg_init_decode(test_unhex("001000000000c9012acb0104"), &arena, &m), DECODE_OK);
	/* B1.lightning_message_format.11: an extension that is invalid makes the message invalid */
	CHECK_EQ(msg_init_decode(test_unhex("00100000000001"), &arena, &m), DECODE_BAD_TLV);
	CHECK_EQ(msg_init_decode(test_unhex("001000000000ca012a"), &arena, &m), DECODE_UNKNOWN_EVEN_TLV);
	CHECK_EQ(msg_init_decode(test_unhex("001000000000c90101c90102"), &arena, &m), DECODE_BAD_TLV_ORDER);
	finish();
}

TEST(init_fields)
{
	static const char hex[] =
		"0010" "00020200" "0003" "0a8a51" "0140"
		"6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000"
		"43497fd7f826957108f4a30fd9cec3aeba79972084e90ead01ea330900000000"
		"0307" "017f0000012607";
	struct msg_init m;
	struct buf b = BUF_EMPTY;

	start();
	CHECK_EQ(msg_init_decode(test_unhex(hex), &arena, &m), DECODE_OK);
	CHECK_HEX(m.globalfeatures, "0200");
	CHECK_HEX(m.features, "0a8a51");
	CHECK(m.tlvs.networks && m.tlvs.networks->chains_count == 2);
	CHECK_HEX(BYTES_OF(m.tlvs.networks->chains[1].v), "43497fd7f826957108f4a30fd9cec3aeba79972084e90ead01ea330900000000");
	CHECK_HEX(*m.tlvs.remote_addr, "017f0000012607");
	msg_init_encode(&m, &b);
	CHECK_HEX(buf_view(&b), hex);
	buf_release(&b);
	/* Not a whole number of chains. */
	CHECK_EQ(msg_init_decode(test_unhex("001000000000" "0121"
		 "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d619000000000000"), &arena, &m), DECODE_BAD_TLV);
	finish();
}

/* Every field of open_channel has a value of its own, so a swapped pair shows. */
TEST(open_channel_layout)
{
	static const char hex[] =
		"0020"
		"06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f"
		"2222222222222222222222222222222222222222222222222222222222222222"
		"00000000000f4240" "00000000000003e8" "000000000000014a" "0000000000001388"
		"00000000000003e9" "0000000000000001" "000000fd" "0090" "01e3"
		"02a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
		"02b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
		"02c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"
		"02d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4"
		"02e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5"
		"02f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6"
		"01" "0000" "0103401000";
	struct msg_open_channel m;
	struct buf b = BUF_EMPTY;

	start();
	CHECK_EQ(msg_open_channel_decode(test_unhex(hex), &arena, &m), DECODE_OK);
	CHECK_EQ(m.chain_hash.v[0], 0x06);
	CHECK_EQ(m.temporary_channel_id.v[31], 0x22);
	CHECK_EQ(m.funding_satoshis.v, 1000000);
	CHECK_EQ(m.push_msat.v, 1000);
	CHECK_EQ(m.dust_limit_satoshis.v, 330);
	CHECK_EQ(m.max_htlc_value_in_flight_msat.v, 5000);
	CHECK_EQ(m.channel_reserve_satoshis.v, 1001);
	CHECK_EQ(m.htlc_minimum_msat.v, 1);
	CHECK_EQ(m.feerate_per_kw, 253);
	CHECK_EQ(m.to_self_delay, 144);
	CHECK_EQ(m.max_accepted_htlcs, 483);
	CHECK_EQ(m.funding_pubkey.v[1], 0xa1);
	CHECK_EQ(m.revocation_basepoint.v[1], 0xb2);
	CHECK_EQ(m.payment_basepoint.v[1], 0xc3);
	CHECK_EQ(m.delayed_payment_basepoint.v[1], 0xd4);
	CHECK_EQ(m.htlc_basepoint.v[1], 0xe5);
	CHECK_EQ(m.first_per_commitment_point.v[1], 0xf6);
	CHECK_EQ(m.channel_flags, 1);
	CHECK(m.tlvs.upfront_shutdown_script && m.tlvs.upfront_shutdown_script->size == 0);
	CHECK_HEX(*m.tlvs.channel_type, "401000");
	msg_open_channel_encode(&m, &b);
	CHECK_HEX(buf_view(&b), hex);
	CHECK_EQ(msg_accept_channel_decode(buf_view(&b), &arena, &(struct msg_accept_channel){ 0 }), DECODE_WRONG_TYPE);
	buf_release(&b);
	finish();
}

/* Arrays, optional records with several fields, and signed amounts. */
TEST(other_shapes)
{
	struct sig64 sigs[2] = { { { 1 } }, { { 2 } } };
	struct msg_commitment_signed cs = { .htlc_signature = sigs, .htlc_signature_count = 2 }, cs2;
	struct tlv_closing_signed_fee_range range = { SAT(5), SAT(9) };
	struct msg_closing_signed cl = { .fee_satoshis = SAT(7), .tlvs = { &range } }, cl2;
	struct msg_splice_init sp = { .funding_contribution_satoshis = -2, .tlvs = { true } }, sp2;
	struct buf b = BUF_EMPTY;

	start();
	msg_commitment_signed_encode(&cs, &b);
	CHECK_EQ(b.size, 2 + 32 + 64 + 2 + 128);
	CHECK_EQ(msg_commitment_signed_decode(buf_view(&b), &arena, &cs2), DECODE_OK);
	CHECK(cs2.htlc_signature_count == 2 && SAME(cs2.htlc_signature[1], sigs[1]));
	b.data[2 + 32 + 64 + 1] = 3; /* one signature more than follow */
	CHECK_EQ(msg_commitment_signed_decode(buf_view(&b), &arena, &cs2), DECODE_TRUNCATED);
	buf_clear(&b);
	msg_closing_signed_encode(&cl, &b);
	CHECK_EQ(msg_closing_signed_decode(buf_view(&b), &arena, &cl2), DECODE_OK);
	CHECK(cl2.tlvs.fee_range && cl2.tlvs.fee_range->min_fee_satoshis.v == 5 &&
	      cl2.tlvs.fee_range->max_fee_satoshis.v == 9);
	buf_clear(&b);
	msg_splice_init_encode(&sp, &b);
	CHECK_EQ(msg_splice_init_decode(buf_view(&b), &arena, &sp2), DECODE_OK);
	CHECK(sp2.funding_contribution_satoshis == -2 && sp2.tlvs.require_confirmed_inputs);
	buf_release(&b);
	finish();
}

/* Gossip and error keep their tail unread: what is signed must be passed on whole, and an error must be heard. */
TEST(tails_are_kept)
{
	struct msg_error m;
	struct buf b = BUF_EMPTY;
	const char *hex = "0011" "0000000000000000000000000000000000000000000000000000000000000000" "00026f6b" "0200ff";

	start();
	CHECK_EQ(msg_error_decode(test_unhex(hex), &arena, &m), DECODE_OK);
	CHECK_HEX(m.data, "6f6b");
	CHECK_HEX(m.extension, "0200ff");
	msg_error_encode(&m, &b);
	CHECK_HEX(buf_view(&b), hex);
	buf_release(&b);
	finish();
}

static bool keeps_tail(const struct codec *c)
{
	switch (c->type) {
	case MSG_ERROR:
	case MSG_WARNING:
	case MSG_CHANNEL_ANNOUNCEMENT:
	case MSG_NODE_ANNOUNCEMENT:
	case MSG_CHANNEL_UPDATE:
		return true;
	}
	return false;
}

/* The shortest message of a type (all zero): every shorter one is refused, it comes back as it was, and an
 * extension is read by BOLT 1's rules. */
static void check_codec(const struct codec *c, bool is_message)
{
	uint8_t *raw = test_alloc(4096);
	void *m = test_alloc(c->struct_size);
	struct buf b = BUF_EMPTY;
	size_t size = 0;

	memset(raw, 0, 4096);
	store_be16(raw, c->type);
	while (c->decode(BYTES(raw, size), &arena, m) != DECODE_OK) {
		/* B1.lightning_message_format.10 */
		CHECK_EQ(c->decode(BYTES(raw, size), &arena, m), DECODE_TRUNCATED);
		CHECK(++size < 2000);
	}
	CHECK(size >= 2);
	c->encode(m, &b);
	CHECK(bytes_equal(buf_view(&b), BYTES(raw, size)));

	raw[size] = 0xc9; /* unknown and odd */
	raw[size + 1] = 0;
	CHECK_EQ(c->decode(BYTES(raw, size + 2), &arena, m), DECODE_OK);
	raw[size] = 0xca; /* unknown and even */
	/* B1.lightning_message_format.11 */
	CHECK_EQ(c->decode(BYTES(raw, size + 2), &arena, m),
		 is_message && keeps_tail(c) ? DECODE_OK : DECODE_UNKNOWN_EVEN_TLV);

	store_be16(raw, c->type ^ 1);
	CHECK_EQ(c->decode(BYTES(raw, size), &arena, m), DECODE_WRONG_TYPE);
	buf_release(&b);
}

TEST(every_message_round_trips)
{
	const struct codec *c;
	uint32_t i;

	start();
	for (i = 0; (c = msg_codec_at(i)); i++) {
		check_codec(c, true);
		CHECK(msg_codec(c->type) == c); /* no type twice */
		CHECK_STR(msg_name(c->type), c->name);
	}
	CHECK(i >= 50);
	finish();
}

TEST(every_failure_round_trips)
{
	start();
	for (size_t i = 0; i < ARRAY_COUNT(bolt4_fail_codecs); i++) {
		check_codec(&bolt4_fail_codecs[i], false);
		CHECK(fail_codec(bolt4_fail_codecs[i].type) == &bolt4_fail_codecs[i]);
	}
	CHECK_EQ(FAIL_TEMPORARY_CHANNEL_FAILURE, FAIL_UPDATE | 7);
	CHECK_EQ(FAIL_INVALID_ONION_HMAC, FAIL_BADONION | FAIL_PERM | 5);
	CHECK_EQ(FAIL_PERMANENT_NODE_FAILURE, FAIL_PERM | FAIL_NODE | 2);
	CHECK_EQ(FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, FAIL_PERM | 15);
	CHECK_STR(fail_name(FAIL_PERM | 10), "unknown_next_peer");
	CHECK_STR(fail_name(0x7777), "unknown");
	finish();
}

/* Numbers that the network knows: a slip in spec/ would still round-trip. */
TEST(type_numbers)
{
	static const struct {
		uint16_t type;
		const char *name;
	} known[] = {
		{ 1, "warning" }, { 2, "stfu" }, { 7, "peer_storage" }, { 9, "peer_storage_retrieval" },
		{ 16, "init" }, { 17, "error" }, { 18, "ping" }, { 19, "pong" }, { 32, "open_channel" },
		{ 33, "accept_channel" }, { 34, "funding_created" }, { 35, "funding_signed" }, { 36, "channel_ready" },
		{ 38, "shutdown" }, { 39, "closing_signed" }, { 74, "tx_abort" }, { 128, "update_add_htlc" },
		{ 130, "update_fulfill_htlc" }, { 131, "update_fail_htlc" }, { 132, "commitment_signed" },
		{ 133, "revoke_and_ack" }, { 134, "update_fee" }, { 135, "update_fail_malformed_htlc" },
		{ 136, "channel_reestablish" }, { 256, "channel_announcement" }, { 257, "node_announcement" },
		{ 258, "channel_update" }, { 259, "announcement_signatures" }, { 261, "query_short_channel_ids" },
		{ 262, "reply_short_channel_ids_end" }, { 263, "query_channel_range" }, { 264, "reply_channel_range" },
		{ 265, "gossip_timestamp_filter" }, { 513, "onion_message" },
	};
	uint16_t type;

	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		CHECK_STR(msg_name(known[i].type), known[i].name);
	CHECK(msg_codec(32768) == NULL);
	CHECK_STR(msg_name(32768), "unknown");
	CHECK(!msg_type(test_unhex("00"), &type));
	CHECK(msg_type(test_unhex("0102ff"), &type) && type == 258);
}

/* Any bytes: a decoder that says OK gives what encodes to something that decodes to the same. */
TEST(random_bytes_are_survived)
{
	uint8_t seed[32] = { 1 }, raw[400];
	const struct codec *c;
	struct drbg d;

	drbg_init(&d, seed);
	for (uint32_t i = 0; (c = msg_codec_at(i)); i++) {
		void *m = test_alloc(c->struct_size);

		for (int round = 0; round < 300; round++) {
			uint16_t size;
			struct buf once = BUF_EMPTY, twice = BUF_EMPTY;

			start();
			drbg_fill(&d, &size, sizeof(size));
			size = (uint16_t)(2 + size % 399 - 1);
			drbg_fill(&d, raw, sizeof(raw));
			for (size_t k = 2; round % 2 && k < sizeof(raw); k++)
				raw[k] &= (uint8_t)(raw[k] >> 4 & 3);
			store_be16(raw, c->type);
			if (c->decode(BYTES(raw, size), &arena, m) == DECODE_OK) {
				c->encode(m, &once);
				CHECK_EQ(c->decode(buf_view(&once), &arena, m), DECODE_OK);
				c->encode(m, &twice);
				CHECK(bytes_equal(buf_view(&once), buf_view(&twice)));
			}
			buf_release(&once);
			buf_release(&twice);
			finish();
		}
	}
}
