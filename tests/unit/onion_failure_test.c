#include "onion/failure.h"

#include <jansson.h>

#include "crypto/hash.h"
#include "tests/test.h"
#include "tests/unit/onion_vectors.h"

static void fill(void *out, const char *hex, size_t size)
{
	struct bytes b = test_unhex(hex);

	CHECK_EQ(b.size, size);
	memcpy(out, b.data, size);
}

static void vector_secrets(struct secret32 secrets[5])
{
	for (int i = 0; i < 5; i++)
		fill(secrets[i].v, onion_vector_secrets[i], 32);
}

static struct bytes sealed(struct arena *a, const struct secret32 *secret, const struct failure *f)
{
	struct buf b = BUF_EMPTY;
	struct bytes out;

	failure_seal(&b, NULL, secret, f);
	out = arena_bytes(a, buf_view(&b));
	buf_release(&b);
	return out;
}

static void wrap(struct bytes b, const struct secret32 *secret)
{
	failure_wrap((uint8_t *)b.data, b.size, NULL, secret);
}

static struct bytes encoded(struct arena *a, const struct failure *f)
{
	struct buf b = BUF_EMPTY;
	struct bytes out;

	failure_encode(f, &b);
	out = arena_bytes(a, buf_view(&b));
	buf_release(&b);
	return out;
}

TEST(vector_error_is_made_and_wrapped)
{
	struct failure f = failure_plain(FAIL_TEMPORARY_NODE_FAILURE);
	struct secret32 secrets[5];
	struct arena a;
	struct bytes packet;

	arena_init(&a);
	vector_secrets(secrets);
	packet = sealed(&a, &secrets[4], &f);
	/* B4.erring_node.1 B4.erring_node.2: 2 bytes of message padded to 256. */
	CHECK_EQ(packet.size, FAILURE_PACKET_SIZE);
	/* B4.intermediate_nodes.4 */
	for (int i = 3; i >= 0; i--)
		wrap(packet, &secrets[i]);
	CHECK_HEX(packet, onion_vector_error);
	arena_release(&a);
}

TEST(vector_error_is_opened)
{
	struct failure_report report;
	struct secret32 secrets[5];
	struct failure f;
	struct arena a;

	arena_init(&a);
	vector_secrets(secrets);
	CHECK(failure_open(&a, &report, secrets, 5, test_unhex(onion_vector_error), BYTES_NONE));
	CHECK_EQ(report.hop, 4);
	CHECK_HEX(report.message, "2002");
	CHECK(failure_decode(&a, &f, report.message));
	CHECK_STR(failure_words(&a, &f), "temporary_node_failure");
	arena_release(&a);
}

TEST(shared_vector_file_agrees)
{
	struct bytes file = test_shared_file("specs/bolts/bolt04/onion-error-test.json");
	json_t *j = json_loadb((const char *)file.data, file.size, 0, NULL);
	json_t *generate = json_object_get(j, "generate"), *hops = json_object_get(generate, "hops");
	struct failure f;
	struct secret32 secrets[5];
	struct bytes packet;
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < 5; i++) {
		json_t *hop = json_array_get(hops, i);
		struct secret32 ammag;

		fill(secrets[i].v, json_string_value(json_object_get(hop, "hop_shared_secret")), 32);
		ammag = onion_key("ammag", &secrets[i]);
		CHECK_HEX(BYTES_OF(ammag.v), json_string_value(json_object_get(hop, "ammag_key")));
	}
	CHECK(failure_decode(&a, &f, test_unhex(json_string_value(json_object_get(generate, "failure_message")))));
	packet = sealed(&a, &secrets[4], &f);
	for (int i = 3; i >= 0; i--)
		wrap(packet, &secrets[i]);
	CHECK_HEX(packet, json_string_value(json_object_get(j, "errorpacket")));
	json_decref(j);
	arena_release(&a);
}

/* A message longer than 256 bytes with a record after its data, on its way back. */
TEST(vector_report_is_wrapped_and_opened)
{
	struct bytes raw = test_unhex(onion_vector_report);
	struct failure_report report;
	struct secret32 secrets[5], um;
	struct sha256 hmac;
	struct failure f;
	struct arena a;

	arena_init(&a);
	vector_secrets(secrets);
	um = onion_key("um", &secrets[4]);
	hmac = hmac_sha256(BYTES_OF(um.v), BYTES(raw.data + 32, raw.size - 32));
	CHECK(bytes_equal(BYTES_OF(hmac.v), BYTES(raw.data, 32)));
	for (int i = 4; i >= 0; i--) {
		wrap(raw, &secrets[i]);
		CHECK_HEX(raw, onion_vector_wrapped[4 - i]);
	}
	CHECK(failure_open(&a, &report, secrets, 5, raw, BYTES_NONE));
	CHECK_EQ(report.hop, 4);
	CHECK_EQ(report.message.size, 320);
	/* B4.receiving_failure_codes.1: 306 bytes follow the data. */
	CHECK(failure_decode(&a, &f, report.message));
	CHECK_EQ(f.code, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
	CHECK_EQ(f.u.payment_details.htlc_msat.v, 100);
	CHECK_EQ(f.u.payment_details.height, 800000);
	arena_release(&a);
}

TEST(every_hop_is_found)
{
	struct secret32 secrets[ONION_HOPS_MAX];
	struct failure f = failure_payment_details(MSAT(5), 6);
	struct failure_report report;
	struct arena a;

	arena_init(&a);
	for (uint32_t i = 0; i < ONION_HOPS_MAX; i++)
		memset(secrets[i].v, (int)i + 1, 32);
	for (uint32_t hop = 0; hop < ONION_HOPS_MAX; hop++) {
		struct bytes packet = sealed(&a, &secrets[hop], &f);

		for (uint32_t i = hop; i-- > 0;)
			wrap(packet, &secrets[i]);
		CHECK(failure_open(&a, &report, secrets, ONION_HOPS_MAX, packet, BYTES_NONE));
		CHECK_EQ(report.hop, hop);
		CHECK_HEX(report.message, "400f000000000000000500000006");
		/* B4.origin_node.2: the loop goes on to its 27th turn, and a later hop cannot take the blame over. */
		CHECK(failure_open(&a, &report, secrets, hop + 1, packet, BYTES_NONE));
		CHECK_EQ(report.hop, hop);
		CHECK(!failure_open(&a, &report, secrets, hop, packet, BYTES_NONE));
	}
	arena_release(&a);
}

TEST(a_packet_of_nobody_is_refused)
{
	static const struct secret32 nobody;
	struct failure f = failure_plain(FAIL_TEMPORARY_NODE_FAILURE);
	struct failure_report report;
	struct secret32 secrets[5];
	struct bytes packet;
	struct arena a;

	arena_init(&a);
	vector_secrets(secrets);
	packet = test_unhex(onion_vector_error);
	((uint8_t *)packet.data)[200] ^= 1;
	CHECK(!failure_open(&a, &report, secrets, 5, packet, BYTES_NONE));
	CHECK_EQ(report.message.size, 0);
	CHECK(!failure_open(&a, &report, secrets, 5, BYTES_NONE, BYTES_NONE));
	CHECK(!failure_open(&a, &report, secrets, 5, BYTES(packet.data, 31), BYTES_NONE));
	CHECK(!failure_open(&a, &report, secrets, 5, BYTES(packet.data, 32), BYTES_NONE));
	/* B4.origin_node.3: the constant keys beyond the route are no hop's: anybody could seal with them. */
	packet = sealed(&a, &nobody, &f);
	for (uint32_t i = 5; i-- > 0;)
		wrap(packet, &secrets[i]);
	CHECK(!failure_open(&a, &report, secrets, 5, packet, BYTES_NONE));
	arena_release(&a);
}

/* A hop that authenticates rubbish is found, and its message is empty. */
TEST(a_broken_frame_still_has_an_author)
{
	static const struct {
		const char *body;
		size_t message_size;
	} cases[] = { { "", 0 }, { "00", 0 }, { "0002aa", 0 }, { "0002aabb", 2 }, { "ffff00", 0 } };
	struct failure_report report;
	struct secret32 secrets[5];
	struct failure f;
	struct arena a;

	arena_init(&a);
	vector_secrets(secrets);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct bytes body = test_unhex(cases[i].body), packet;
		struct secret32 um = onion_key("um", &secrets[0]);
		struct sha256 hmac = hmac_sha256(BYTES_OF(um.v), body);
		uint8_t *raw = arena_alloc(&a, 32 + body.size);

		memcpy(raw, hmac.v, 32);
		memcpy(raw + 32, body.data, body.size);
		packet = BYTES(raw, 32 + body.size);
		wrap(packet, &secrets[0]);
		CHECK(failure_open(&a, &report, secrets, 5, packet, BYTES_NONE));
		CHECK_EQ(report.hop, 0);
		CHECK_EQ(report.message.size, cases[i].message_size);
		CHECK(!failure_decode(&a, &f, report.message));
	}
	arena_release(&a);
}

/* Every code with its data. */
TEST(messages_encode_as_specified)
{
	static const char hash[] = "abababababababababababababababababababababababababababababababab";
	struct failure f;
	struct sha256 h;
	struct arena a;

	arena_init(&a);
	memset(h.v, 0xab, 32);
	/* B4.failure_messages.3 B4.failure_messages.4: each code with the data of its type. */
	f = failure_plain(FAIL_TEMPORARY_NODE_FAILURE);
	CHECK_HEX(encoded(&a, &f), "2002");
	f = failure_plain(FAIL_PERMANENT_NODE_FAILURE);
	CHECK_HEX(encoded(&a, &f), "6002");
	f = failure_plain(FAIL_REQUIRED_NODE_FEATURE_MISSING);
	CHECK_HEX(encoded(&a, &f), "6003");
	f = failure_plain(FAIL_PERMANENT_CHANNEL_FAILURE);
	CHECK_HEX(encoded(&a, &f), "4008");
	f = failure_plain(FAIL_REQUIRED_CHANNEL_FEATURE_MISSING);
	CHECK_HEX(encoded(&a, &f), "4009");
	f = failure_plain(FAIL_UNKNOWN_NEXT_PEER);
	CHECK_HEX(encoded(&a, &f), "400a");
	f = failure_plain(FAIL_EXPIRY_TOO_FAR);
	CHECK_HEX(encoded(&a, &f), "0015");
	f = failure_plain(FAIL_MPP_TIMEOUT);
	CHECK_HEX(encoded(&a, &f), "0017");
	/* Without a channel_update its length is zero. */
	f = failure_plain(FAIL_TEMPORARY_CHANNEL_FAILURE);
	CHECK_HEX(encoded(&a, &f), "10070000");
	f = failure_plain(FAIL_EXPIRY_TOO_SOON);
	CHECK_HEX(encoded(&a, &f), "100e0000");
	f = failure_plain(FAIL_CHANNEL_DISABLED);
	CHECK_HEX(encoded(&a, &f), "101400000000");
	f = failure_plain(FAIL_AMOUNT_BELOW_MINIMUM);
	f.u.amount_below_minimum.htlc_msat = MSAT(7);
	f.u.amount_below_minimum.channel_update = test_unhex("aabb");
	CHECK_HEX(encoded(&a, &f), "100b00000000000000070002aabb");
	f = failure_plain(FAIL_FEE_INSUFFICIENT);
	f.u.fee_insufficient.htlc_msat = MSAT(0x0102);
	CHECK_HEX(encoded(&a, &f), "100c00000000000001020000");
	f = failure_plain(FAIL_INCORRECT_CLTV_EXPIRY);
	f.u.incorrect_cltv_expiry.cltv_expiry = 0x01020304;
	CHECK_HEX(encoded(&a, &f), "100d010203040000");
	f = failure_plain(FAIL_FINAL_INCORRECT_CLTV_EXPIRY);
	f.u.final_incorrect_cltv_expiry.cltv_expiry = 9;
	CHECK_HEX(encoded(&a, &f), "001200000009");
	f = failure_plain(FAIL_FINAL_INCORRECT_HTLC_AMOUNT);
	f.u.final_incorrect_htlc_amount.incoming_htlc_amt = MSAT(9);
	CHECK_HEX(encoded(&a, &f), "00130000000000000009");
	f = failure_payment_details(MSAT(100), 800000);
	CHECK_HEX(encoded(&a, &f), "400f0000000000000064000c3500");
	f = failure_invalid_payload(0x1234, 5);
	CHECK_HEX(encoded(&a, &f), "4016fd12340005");
	CHECK_STR(failure_words(&a, &f), "invalid_onion_payload (type 4660 at offset 5)");
	f = failure_from_malformed(FAIL_INVALID_ONION_BLINDING, &h);
	CHECK_HEX(encoded(&a, &f), arena_printf(&a, "c018%s", hash));
	CHECK_STR(failure_words(&a, &f), "invalid_onion_blinding");
	f = failure_from_malformed(0xc0ff, &h);
	CHECK_HEX(encoded(&a, &f), arena_printf(&a, "c0ff%s", hash));
	CHECK_STR(failure_words(&a, &f), "failure 0xc0ff");
	arena_release(&a);
}

/* len and the whole message, its type 258 first; to codes without the bit UPDATE it is nothing. */
TEST(a_channel_update_in_each_failure_that_takes_one)
{
	static const struct { uint16_t code; const char *hex; } with[] = {
		{ FAIL_TEMPORARY_CHANNEL_FAILURE, "100700040102abcd" },
		{ FAIL_AMOUNT_BELOW_MINIMUM, "100b000000000000000000040102abcd" },
		{ FAIL_FEE_INSUFFICIENT, "100c000000000000000000040102abcd" },
		{ FAIL_INCORRECT_CLTV_EXPIRY, "100d0000000000040102abcd" },
		{ FAIL_EXPIRY_TOO_SOON, "100e00040102abcd" },
		{ FAIL_CHANNEL_DISABLED, "1014000000040102abcd" },
	};
	const struct bytes update = test_unhex("0102abcd");
	uint32_t carriers = 0;
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < ARRAY_COUNT(bolt4_fail_codecs); i++) {
		struct failure f = { .code = bolt4_fail_codecs[i].type }, plain = f;

		failure_set_update(&f, update);
		CHECK_EQ(!bytes_equal(encoded(&a, &f), encoded(&a, &plain)), (f.code & FAIL_UPDATE) != 0);
		for (size_t k = 0; k < ARRAY_COUNT(with); k++) {
			if (with[k].code != f.code)
				continue;
			CHECK_HEX(encoded(&a, &f), with[k].hex);
			carriers++;
		}
	}
	CHECK_EQ(carriers, ARRAY_COUNT(with));
	arena_release(&a);
}

TEST(every_code_round_trips_and_notices_a_cut)
{
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < ARRAY_COUNT(bolt4_fail_codecs); i++) {
		struct failure f = failure_plain(bolt4_fail_codecs[i].type), back;
		struct bytes message;

		memset(&f.u, 0, sizeof(f.u));
		message = encoded(&a, &f);
		CHECK(failure_decode(&a, &back, message));
		CHECK_EQ(back.code, f.code);
		CHECK(bytes_equal(encoded(&a, &back), message));
		for (size_t size = 0; size < message.size; size++)
			CHECK(!failure_decode(&a, &back, BYTES(message.data, size)));
		CHECK_EQ(back.code, message.size > 2 ? f.code : 0);
	}
	arena_release(&a);
}

TEST(strangers_codes_are_kept)
{
	struct failure f;
	struct arena a;

	arena_init(&a);
	CHECK(!failure_decode(&a, &f, test_unhex("4011")));
	CHECK_EQ(f.code, 0x4011);
	CHECK(!failure_decode(&a, &f, BYTES_NONE));
	CHECK_EQ(f.code, 0);
	/* B4.receiving_failure_codes.1: an even record we do not know, and a broken one. */
	CHECK(failure_decode(&a, &f, test_unhex("00170200")));
	CHECK(failure_decode(&a, &f, test_unhex("001702ff")));
	arena_release(&a);
}

TEST(faults_become_failures)
{
	static const uint8_t packet[ONION_PACKET_SIZE] = { 1 };
	struct sha256 hash = sha256(packet, sizeof(packet));
	static const struct {
		enum onion_fault fault;
		uint16_t code;
	} cases[] = {
		/* B4.failure_messages.9 B4.failure_messages.10 B4.failure_messages.11 B4.overview.1 */
		{ ONION_BAD_VERSION, 0xc004 },
		{ ONION_BAD_HMAC, 0xc005 },
		{ ONION_BAD_KEY, 0xc006 },
	};
	struct failure f;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		f = failure_of_fault(cases[i].fault, BYTES_OF(packet));
		CHECK_EQ(f.code, cases[i].code);
		CHECK(failure_is_malformed(&f));
		CHECK(SAME(f.u.onion.sha256_of_onion, hash));
	}
	f = failure_of_fault(ONION_BAD_PAYLOAD, BYTES_OF(packet));
	CHECK_EQ(f.code, FAIL_INVALID_ONION_PAYLOAD);
	CHECK(!failure_is_malformed(&f));
}

/* BOLT 2: the upstream neighbour of a node that could not open the packet seals for it. */
TEST(a_malformed_report_reaches_the_origin)
{
	struct failure_report report;
	struct secret32 secrets[5];
	struct failure f, back;
	struct bytes packet;
	struct sha256 hash;
	struct arena a;

	arena_init(&a);
	vector_secrets(secrets);
	memset(hash.v, 0x5a, 32);
	f = failure_from_malformed(FAIL_INVALID_ONION_HMAC, &hash);
	packet = sealed(&a, &secrets[1], &f);
	wrap(packet, &secrets[0]);
	CHECK(failure_open(&a, &report, secrets, 5, packet, BYTES_NONE));
	CHECK_EQ(report.hop, 1);
	CHECK(failure_decode(&a, &back, report.message));
	CHECK_EQ(back.code, FAIL_INVALID_ONION_HMAC);
	CHECK(SAME(back.u.onion.sha256_of_onion, hash));
	arena_release(&a);
}

TEST(a_long_message_is_not_padded)
{
	struct failure f = failure_plain(FAIL_TEMPORARY_CHANNEL_FAILURE);
	struct failure_report report;
	struct secret32 secrets[5];
	struct bytes packet;
	struct arena a;

	arena_init(&a);
	vector_secrets(secrets);
	f.u.temporary_channel_failure.channel_update = BYTES(test_alloc(252), 252);
	packet = sealed(&a, &secrets[0], &f);
	CHECK_EQ(packet.size, FAILURE_PACKET_SIZE);
	f.u.temporary_channel_failure.channel_update = BYTES(test_alloc(300), 300);
	packet = sealed(&a, &secrets[0], &f);
	CHECK_EQ(packet.size, 32 + 2 + 304 + 2);
	CHECK(failure_open(&a, &report, secrets, 5, packet, BYTES_NONE));
	CHECK_EQ(report.message.size, 304);
	arena_release(&a);
}
