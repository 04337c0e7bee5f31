#include "tests/test.h"

#include <string.h>

#include "crypto/cipher.h"
#include "noise/noise.h"

/* BOLT 8 Appendix A, typed in. */
#define RS_PUB "028d7500dd4c12685d1f568b4c2b5048e8534b873319f3a8daa612b469132ec7f7"
#define LS_PUB "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"
#define ACT1 "00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f7" "0df6086551151f58b8afe6c195782c6a"
#define ACT2 "0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27" "6e2470b93aac583c9ef6eafca3f730ae"
#define ACT3 "00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c3822" \
	"8dc68b1c466263b47fdf31e560e139ba"
#define SK "969ab31b4d288cedf6218839b27a3e2140827047f2c0f01bf5c04435d43511a9"
#define RK "bb9020b8965f4df047e07f955f3c4b88418984aadc5cdb35096b9ea8fa5c3442"

static struct secp *secp;
static struct noise n;
static struct buf out;
static struct secret32 node_key;

static struct pubkey point(const char *hex)
{
	struct pubkey p;

	memcpy(p.v, test_unhex(hex).data, sizeof(p.v));
	return p;
}

static struct secret32 repeat(uint8_t byte)
{
	struct secret32 s;

	memset(s.v, byte, sizeof(s.v));
	return s;
}

static void start(uint8_t key_byte)
{
	uint8_t seed[32] = { 7 };

	secp = secp_new(seed);
	buf_init(&out);
	node_key = repeat(key_byte);
}

static void finish(void)
{
	noise_release(&n);
	buf_release(&out);
	secp_free(secp);
}

static void start_initiator(void)
{
	struct pubkey local = point(LS_PUB), remote = point(RS_PUB);
	struct secret32 e = repeat(0x12);

	start(0x11);
	CHECK(noise_init_initiator(&n, secp, &local, &remote, &e, &out));
	CHECK_HEX(buf_view(&out), ACT1);
	buf_clear(&out);
}

static void start_responder(void)
{
	struct pubkey local = point(RS_PUB);
	struct secret32 e = repeat(0x22);

	start(0x21);
	CHECK(noise_init_responder(&n, secp, &local, &e));
	CHECK_EQ(out.size, 0);
}

/* Feeds hex whole; whatever is left must be nothing. */
static enum noise_event feed(const char *hex)
{
	struct bytes in = test_unhex(hex), message;
	enum noise_event e = noise_input(&n, &in, &message);

	CHECK_EQ(in.size, 0);
	return e;
}

/* Does what the signer does. */
static enum noise_event answer(void)
{
	struct secret32 secret;
	struct pubkey p;

	CHECK(noise_need_ecdh(&n, &p));
	CHECK(ecdh(secp, &secret, &p, &node_key));
	return noise_ecdh_answer(&n, &secret, &out);
}

TEST(initiator_succeeds)
{
	struct pubkey p;

	start_initiator();
	CHECK(!noise_need_ecdh(&n, &p));
	CHECK_EQ(feed(ACT2), NOISE_NEED_ECDH);
	CHECK_EQ(answer(), NOISE_READY);
	CHECK_HEX(buf_view(&out), ACT3);
	CHECK_EQ(n.state, NOISE_OPEN);
	CHECK_HEX(BYTES_OF(n.send.key.v), SK);
	CHECK_HEX(BYTES_OF(n.receive.key.v), RK);
	/* The handshake's secrets are gone. */
	CHECK(bytes_all_zero(BYTES_OF(n.ephemeral_secret.v)) && bytes_all_zero(BYTES_OF(n.temp.v)) &&
	      bytes_all_zero(BYTES_OF(n.chain.v)));
	finish();
}

TEST(responder_succeeds)
{
	start_responder();
	CHECK_EQ(feed(ACT1), NOISE_NEED_ECDH);
	CHECK_EQ(answer(), NOISE_MORE);
	CHECK_HEX(buf_view(&out), ACT2);
	buf_clear(&out);
	CHECK_EQ(feed(ACT3), NOISE_READY);
	CHECK_EQ(out.size, 0);
	CHECK_HEX(BYTES_OF(n.remote.v), LS_PUB);
	CHECK_HEX(BYTES_OF(n.receive.key.v), SK);
	CHECK_HEX(BYTES_OF(n.send.key.v), RK);
	CHECK(bytes_all_zero(BYTES_OF(n.ephemeral_secret.v)) && bytes_all_zero(BYTES_OF(n.temp.v)));
	finish();
}

static void stays_failed(enum noise_fault why)
{
	struct bytes in = test_unhex(ACT2 ACT3), message;

	CHECK_EQ(n.state, NOISE_FAILED);
	CHECK_EQ(n.fault, why);
	CHECK_EQ(out.size, 0); /* not another byte */
	CHECK_EQ(noise_input(&n, &in, &message), NOISE_FAIL);
	CHECK(bytes_all_zero(BYTES_OF(n.ephemeral_secret.v)) && bytes_all_zero(BYTES_OF(n.chain.v)));
	finish();
}

TEST(initiator_act2_short_read)
{
	start_initiator();
	CHECK_EQ(feed("0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27"
		      "6e2470b93aac583c9ef6eafca3f730"), NOISE_MORE);
	CHECK_EQ(n.state, NOISE_ACT2);
	CHECK_EQ(out.size, 0);
	CHECK_EQ(feed("ae"), NOISE_NEED_ECDH);
	finish();
}

TEST(initiator_act2_bad_version)
{
	start_initiator();
	CHECK_EQ(feed("01" "02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27"
		      "6e2470b93aac583c9ef6eafca3f730ae"), NOISE_FAIL);
	stays_failed(NOISE_BAD_VERSION);
}

TEST(initiator_act2_bad_key)
{
	start_initiator();
	CHECK_EQ(feed("00" "04466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27"
		      "6e2470b93aac583c9ef6eafca3f730ae"), NOISE_FAIL);
	stays_failed(NOISE_BAD_PUBKEY);
}

TEST(initiator_act2_bad_mac)
{
	start_initiator();
	/* B8.act_two.1 */
	CHECK_EQ(feed("00" "02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27"
		      "6e2470b93aac583c9ef6eafca3f730af"), NOISE_FAIL);
	stays_failed(NOISE_BAD_TAG);
}

TEST(responder_act1_short_read)
{
	start_responder();
	CHECK_EQ(feed("00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f7"
		      "0df6086551151f58b8afe6c195782c"), NOISE_MORE);
	CHECK_EQ(n.state, NOISE_ACT1);
	CHECK_EQ(feed("6a"), NOISE_NEED_ECDH);
	finish();
}

TEST(responder_act1_bad_version)
{
	start_responder();
	CHECK_EQ(feed("01" "036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f7"
		      "0df6086551151f58b8afe6c195782c6a"), NOISE_FAIL);
	stays_failed(NOISE_BAD_VERSION);
}

TEST(responder_act1_bad_key)
{
	struct pubkey p;

	start_responder();
	CHECK_EQ(feed("00" "046360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f7"
		      "0df6086551151f58b8afe6c195782c6a"), NOISE_FAIL);
	CHECK(!noise_need_ecdh(&n, &p)); /* the signer never meets it */
	stays_failed(NOISE_BAD_PUBKEY);
}

TEST(responder_act1_bad_mac)
{
	start_responder();
	CHECK_EQ(feed("00" "036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f7"
		      "0df6086551151f58b8afe6c195782c6b"), NOISE_NEED_ECDH);
	/* B8.act_one.1: no act two for whoever does not know our key */
	CHECK_EQ(answer(), NOISE_FAIL);
	stays_failed(NOISE_BAD_TAG);
}

static void start_at_act_three(void)
{
	start_responder();
	CHECK_EQ(feed(ACT1), NOISE_NEED_ECDH);
	CHECK_EQ(answer(), NOISE_MORE);
	buf_clear(&out);
}

TEST(responder_act3_bad_version)
{
	start_at_act_three();
	CHECK_EQ(feed("01b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38"
		      "228dc68b1c466263b47fdf31e560e139ba"), NOISE_FAIL);
	stays_failed(NOISE_BAD_VERSION);
}

TEST(responder_act3_short_read)
{
	start_at_act_three();
	CHECK_EQ(feed("00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38"
		      "228dc68b1c466263b47fdf31e560e139"), NOISE_MORE);
	CHECK_EQ(n.state, NOISE_ACT3);
	finish();
}

TEST(responder_act3_bad_ciphertext)
{
	start_at_act_three();
	/* B8.act_three.1 */
	CHECK_EQ(feed("00c9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38"
		      "228dc68b1c466263b47fdf31e560e139ba"), NOISE_FAIL);
	stays_failed(NOISE_BAD_TAG);
}

TEST(responder_act3_bad_static_key)
{
	start_at_act_three();
	CHECK_EQ(feed("00bfe3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa2235536ad09a8ee351870c2bb7f78b754a26c"
		      "6cef79a98d25139c856d7efd252c2ae73c"), NOISE_FAIL);
	stays_failed(NOISE_BAD_PUBKEY);
}

TEST(responder_act3_bad_mac)
{
	start_at_act_three();
	/* B8.act_three.2 */
	CHECK_EQ(feed("00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38"
		      "228dc68b1c466263b47fdf31e560e139bb"), NOISE_FAIL);
	stays_failed(NOISE_BAD_TAG);
}

TEST(the_signer_may_refuse)
{
	start_responder();
	CHECK_EQ(feed(ACT1), NOISE_NEED_ECDH);
	CHECK_EQ(noise_ecdh_answer(&n, NULL, &out), NOISE_FAIL);
	stays_failed(NOISE_REFUSED);
}

/* An eager initiator may send act three's bytes only after act two, but a stream knows no borders: what comes
 * while the signer thinks waits outside. */
TEST(nothing_is_taken_while_the_signer_thinks)
{
	struct bytes in = test_unhex(ACT1 "aabbcc"), message;

	start_responder();
	CHECK_EQ(noise_input(&n, &in, &message), NOISE_NEED_ECDH);
	CHECK_EQ(in.size, 3);
	CHECK_EQ(noise_input(&n, &in, &message), NOISE_NEED_ECDH);
	CHECK_EQ(in.size, 3);
	CHECK_EQ(answer(), NOISE_MORE);
	CHECK_EQ(noise_input(&n, &in, &message), NOISE_MORE);
	CHECK_EQ(in.size, 0);
	finish();
}

TEST(keys_are_checked_at_the_start)
{
	struct pubkey local = point(LS_PUB), remote = point(RS_PUB), bad = remote;
	struct secret32 zero = repeat(0), over = repeat(0xff), e = repeat(0x12);

	start(0x11);
	bad.v[0] = 4;
	CHECK(!noise_init_initiator(&n, secp, &local, &remote, &zero, &out));
	CHECK_EQ(n.fault, NOISE_BAD_EPHEMERAL);
	CHECK(!noise_init_responder(&n, secp, &local, &over));
	CHECK_EQ(n.fault, NOISE_BAD_EPHEMERAL);
	CHECK(!noise_init_initiator(&n, secp, &local, &bad, &e, &out));
	stays_failed(NOISE_BAD_PUBKEY);
}

/* B8.handshake_state.1: the ephemeral key is the caller's, and each one gives another act one. */
TEST(each_session_has_its_own_ephemeral)
{
	struct pubkey local = point(LS_PUB), remote = point(RS_PUB);
	struct secret32 e1 = repeat(0x12), e2 = repeat(0x13);
	struct buf other = BUF_EMPTY;

	start(0x11);
	CHECK(noise_init_initiator(&n, secp, &local, &remote, &e1, &out));
	noise_release(&n);
	CHECK(noise_init_initiator(&n, secp, &local, &remote, &e2, &other));
	CHECK(!bytes_equal(BYTES(out.data + 1, 33), BYTES(other.data + 1, 33)));
	buf_release(&other);
	finish();
}

/* 1002 messages, two rotations. */
TEST(messages_and_rotation)
{
	static const struct {
		int index;
		const char *hex;
	} want[] = {
		{ 0, "cf2b30ddf0cf3f80e7c35a6e6730b59fe802473180f396d88a8fb0db8cbcf25d2f214cf9ea1d95" },
		{ 1, "72887022101f0b6753e0c7de21657d35a4cb2a1f5cde2650528bbc8f837d0f0d7ad833b1a256a1" },
		{ 500, "178cb9d7387190fa34db9c2d50027d21793c9bc2d40b1e14dcf30ebeeeb220f48364f7a4c68bf8" },
		{ 501, "1b186c57d44eb6de4c057c49940d79bb838a145cb528d6e8fd26dbe50a60ca2c104b56b60e45bd" },
		{ 1000, "4a2f3cc3b5e78ddb83dcb426d9863d9d9a723b0337c89dd0b005d89f8d3c05c52b76b29b740f09" },
		{ 1001, "2ecd8c8a5629d0d02ab457a0fdd0f7b90a192cd46be5ecb6ca570bfc5e268338b1a16cf4ef2d36" },
	};
	struct noise receiver;
	size_t seen = 0;

	start_at_act_three();
	CHECK_EQ(feed(ACT3), NOISE_READY);
	receiver = n;
	memset(&n, 0, sizeof(n));
	buf_release(&out);
	secp_free(secp);
	start_initiator();
	CHECK_EQ(feed(ACT2), NOISE_NEED_ECDH);
	CHECK_EQ(answer(), NOISE_READY);
	receiver.secp = secp;
	for (int i = 0; i <= 1001; i++) {
		struct bytes in, message;

		buf_clear(&out);
		noise_encrypt(&n, BYTES("hello", 5), &out);
		/* B8.encrypting_and_sending_messages.1 and B8.encrypting_and_sending_messages.2: both nonces
		 * counted, or the second message would not be this one; rotated at 1000, or the 501st not. */
		if (want[seen].index == i)
			CHECK_HEX(buf_view(&out), want[seen++].hex);
		in = buf_view(&out);
		CHECK_EQ(noise_input(&receiver, &in, &message), NOISE_MESSAGE);
		/* B8.receiving_and_decrypting_messages.1 and B8.receiving_and_decrypting_messages.2: counted and
		 * rotated in step with the sender, or its tags would be wrong. */
		CHECK(in.size == 0 && bytes_equal(message, BYTES("hello", 5)));
		CHECK_EQ(receiver.receive.nonce, (2 * (i + 1)) % 1000);
		CHECK_EQ(n.send.nonce, (2 * (i + 1)) % 1000);
		CHECK_EQ(n.receive.nonce, 0); /* the other direction has its own */
	}
	CHECK_EQ(seen, ARRAY_COUNT(want));
	noise_release(&receiver);
	finish();
}

/* Two machines joined by their output, one byte at a time. */
static void join(struct noise *a, struct noise *b, struct secret32 a_key, struct secret32 b_key)
{
	struct pubkey a_pub, b_pub, p;
	struct secret32 ea = repeat(0x31), eb = repeat(0x32), secret;
	struct bytes in, message;

	pubkey_of(secp, &a_pub, &a_key);
	pubkey_of(secp, &b_pub, &b_key);
	buf_clear(&out);
	CHECK(noise_init_initiator(a, secp, &a_pub, &b_pub, &ea, &out));
	CHECK(noise_init_responder(b, secp, &b_pub, &eb));
	for (size_t i = 0; i < out.size; i++) {
		in = BYTES(out.data + i, 1);
		CHECK_EQ(noise_input(b, &in, &message), i == NOISE_ACT1_SIZE - 1 ? NOISE_NEED_ECDH : NOISE_MORE);
	}
	CHECK(noise_need_ecdh(b, &p) && ecdh(secp, &secret, &p, &b_key));
	buf_clear(&out);
	CHECK_EQ(noise_ecdh_answer(b, &secret, &out), NOISE_MORE);
	for (size_t i = 0; i < out.size; i++) {
		in = BYTES(out.data + i, 1);
		CHECK_EQ(noise_input(a, &in, &message), i == NOISE_ACT2_SIZE - 1 ? NOISE_NEED_ECDH : NOISE_MORE);
	}
	CHECK(noise_need_ecdh(a, &p) && ecdh(secp, &secret, &p, &a_key));
	buf_clear(&out);
	CHECK_EQ(noise_ecdh_answer(a, &secret, &out), NOISE_READY);
	for (size_t i = 0; i < out.size; i++) {
		in = BYTES(out.data + i, 1);
		CHECK_EQ(noise_input(b, &in, &message), i == NOISE_ACT3_SIZE - 1 ? NOISE_READY : NOISE_MORE);
	}
	CHECK(SAME(a->local, b->remote) && SAME(b->local, a->remote));
	buf_clear(&out);
}

TEST(streams_are_cut_anywhere)
{
	static const size_t sizes[] = { 0, 1, 2, 65535, 300, 0 };
	struct noise b;
	struct buf plain = BUF_EMPTY;
	struct bytes message;
	size_t got = 0;

	start(1);
	join(&n, &b, repeat(0x41), repeat(0x42));
	memset(buf_extend(&plain, 65535), 0x5a, 65535);
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
		noise_encrypt(&b, BYTES(plain.data, sizes[i]), &out);
	for (size_t at = 0, step; at < out.size; at += step) {
		struct bytes left;
		enum noise_event e;

		step = out.size - at < 777 ? out.size - at : 777;
		left = BYTES(out.data + at, step);
		do {
			e = noise_input(&n, &left, &message);
			CHECK(n.in.size <= NOISE_MESSAGE_MAX + AEAD_TAG_SIZE); /* INV-T3 */
			if (e == NOISE_MESSAGE) {
				CHECK_EQ(message.size, sizes[got]);
				CHECK(bytes_equal(message, BYTES(plain.data, sizes[got])));
				got++;
			}
		} while (e == NOISE_MESSAGE);
		CHECK_EQ(e, NOISE_MORE);
		CHECK_EQ(left.size, 0);
	}
	CHECK_EQ(got, ARRAY_COUNT(sizes));
	buf_release(&plain);
	noise_release(&b);
	finish();
}

/* Every bit of a packet is authenticated; a message cannot be repeated, dropped or swapped. */
TEST(tampering_fails)
{
	struct noise b;
	struct bytes in, message;

	start(1);
	for (size_t byte = 0; byte < NOISE_HEADER_SIZE + 2 + AEAD_TAG_SIZE; byte++) {
		join(&n, &b, repeat(0x41), repeat(0x42));
		noise_encrypt(&n, BYTES("ok", 2), &out);
		out.data[byte] ^= 0x10;
		in = buf_view(&out);
		CHECK_EQ(noise_input(&b, &in, &message), NOISE_FAIL);
		CHECK_EQ(b.fault, NOISE_BAD_TAG);
		CHECK_EQ(message.size, 0);
		noise_release(&b);
		noise_release(&n);
	}
	join(&n, &b, repeat(0x41), repeat(0x42));
	noise_encrypt(&n, BYTES("ok", 2), &out);
	in = buf_view(&out);
	CHECK_EQ(noise_input(&b, &in, &message), NOISE_MESSAGE);
	in = buf_view(&out);
	CHECK_EQ(noise_input(&b, &in, &message), NOISE_FAIL);
	noise_release(&b);
	finish();
}
