/* BOLT 1 over a connection: core/peer. */
#include "tests/test.h"

#include <string.h>

#include "peer/address.h"
#include "peer/peer.h"
#include "wire/message.h"

static struct effects out;
static struct drbg entropy;
static struct table asked;
static uint64_t next_ask;
static struct step step;
static struct buf features;
static struct feature_policy known;
static struct peer_policy policy;

static void begin(void)
{
	uint8_t seed[32] = { 7 };

	effects_release(&out);
	effects_init(&out);
	drbg_init(&entropy, seed);
	step = (struct step){ .out = &out, .now_ms = 1000000, .entropy = &entropy, .asked = &asked, .next_ask = &next_ask };
	known = feature_policy_default();
	buf_clear(&features);
	features_build(&known, FEATURES_INIT, &features);
	policy = (struct peer_policy){ .features = buf_view(&features), .known = &known, .ping_interval_ms = 60000,
				       .reconnect_max_ms = 300000 };
	memset(policy.chain.v, 0x11, 32);
}

static struct peer *fresh(bool outbound, const char *host)
{
	struct pubkey id = { { 2, 9 } };
	struct peer *p = peer_new(&id);

	peer_connected(p, &step, &policy, 5, outbound, host, 9735);
	return p;
}

/* The only SEND there is, and forgets all effects seen so far. */
static struct bytes sent(uint16_t type)
{
	struct bytes found = BYTES_NONE;
	uint16_t t;

	for (struct effect *f = out.head; f; f = f->next)
		if (f->kind == EFFECT_SEND && msg_type(f->u.send.message, &t) && t == type) {
			CHECK(!found.size);
			found = f->u.send.message;
		}
	out.head = NULL;
	out.tail = &out.head;
	return found;
}

static struct peer_result say(struct peer *p, const struct buf *b)
{
	return peer_message(p, &step, &policy, buf_view(b));
}

static struct peer_result say_init(struct peer *p, const char *global, const char *local, const struct block_hash *chain)
{
	struct msg_init m = { .globalfeatures = test_unhex(global), .features = test_unhex(local) };
	struct tlv_init_networks networks = { (struct block_hash *)chain, 1 };
	struct buf b = BUF_EMPTY;
	struct peer_result r;

	if (chain)
		m.tlvs.networks = &networks;
	msg_init_encode(&m, &b);
	r = say(p, &b);
	buf_release(&b);
	return r;
}

static struct peer *ready(void)
{
	struct peer *p;

	begin();
	p = fresh(true, "10.0.0.1");
	CHECK_EQ(say_init(p, "", "", NULL).verdict, PEER_BECAME_READY);
	sent(MSG_INIT);
	return p;
}

TEST(init_is_the_first_message_and_says_what_it_must)
{
	struct msg_init m;
	struct peer *p;

	begin();
	p = fresh(false, "8.8.4.4");
	/* B1.init.1: the first and only thing that was sent; B1.init.10: nothing else before theirs */
	CHECK_EQ(out.count, 1);
	CHECK(msg_init_decode(sent(MSG_INIT), &out.arena, &m) == DECODE_OK);
	/* B1.init.4 */
	CHECK_EQ(m.globalfeatures.size, 0);
	/* B1.init.2, B1.init.3: exactly the policy's bits; B1.init.5: minimal */
	CHECK(bytes_equal(m.features, buf_view(&features)));
	CHECK(m.features.size && m.features.data[0] != 0);
	/* B1.init.6 */
	CHECK_EQ(m.tlvs.networks->chains_count, 1);
	CHECK(SAME(m.tlvs.networks->chains[0], policy.chain));
	/* B1.init.7, B1.init.8: type 1, address, port */
	CHECK_HEX(*m.tlvs.remote_addr, "01080804042607");
	peer_free(p);
}

TEST(private_addresses_are_not_told)
{
	static const char *const private[] = { "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.20.0.1", "169.254.0.9",
					       "100.64.0.1", "::1", "fe80::1", "fd00::1", "2001:db8::1", "example.com" };
	struct buf b = BUF_EMPTY;
	struct msg_init m;
	struct peer *p;

	/* B1.init.9 */
	for (size_t i = 0; i < ARRAY_COUNT(private); i++)
		CHECK(!address_descriptor(&b, private[i], 1));
	CHECK(address_descriptor(&b, "2a00::1", 0x1234));
	CHECK_HEX(buf_view(&b), "022a000000000000000000000000000001"
				"1234");
	buf_release(&b);
	begin();
	p = fresh(false, "192.168.0.2");
	CHECK(msg_init_decode(sent(MSG_INIT), &out.arena, &m) == DECODE_OK);
	CHECK(!m.tlvs.remote_addr);
	peer_free(p);
	/* Only the one who was called tells. */
	begin();
	p = fresh(true, "8.8.4.4");
	CHECK(msg_init_decode(sent(MSG_INIT), &out.arena, &m) == DECODE_OK);
	CHECK(!m.tlvs.remote_addr);
	peer_free(p);
}

TEST(both_feature_fields_count_as_one)
{
	struct peer *p;

	begin();
	p = fresh(true, "h");
	/* B1.init.11: bits 9 and 13 from one field, 1 from the other */
	CHECK_EQ(say_init(p, "2200", "02", NULL).verdict, PEER_BECAME_READY);
	CHECK_HEX(buf_view(&p->features), "2202");
	peer_free(p);
}

TEST(unknown_feature_bits)
{
	struct peer *p;

	begin();
	p = fresh(true, "h");
	/* B1.init.13: odd bit 201 */
	CHECK_EQ(say_init(p, "", "02000000000000000000000000000000000000000000000000"
				 "00", NULL).verdict, PEER_BECAME_READY);
	peer_free(p);
	begin();
	p = fresh(true, "h");
	/* B1.init.14: even bit 200; and so B1.init.12 */
	CHECK_EQ(say_init(p, "", "01000000000000000000000000000000000000000000000000"
				 "00", NULL).verdict, PEER_HANG_UP);
	peer_free(p);
	begin();
	p = fresh(true, "h");
	/* B1.init.15: zeroconf (51) without scid_alias */
	CHECK_EQ(say_init(p, "", "08000000000000", NULL).verdict, PEER_HANG_UP);
	peer_free(p);
}

TEST(another_chain_is_no_peer)
{
	struct block_hash other = { { 9 } }, same;
	struct peer *p;

	begin();
	same = policy.chain;
	p = fresh(true, "h");
	CHECK_EQ(say_init(p, "", "", &other).verdict, PEER_HANG_UP);
	peer_free(p);
	begin();
	p = fresh(true, "h");
	CHECK_EQ(say_init(p, "", "", &same).verdict, PEER_BECAME_READY);
	peer_free(p);
}

TEST(nothing_goes_before_init)
{
	struct msg_ping ping = { .num_pong_bytes = 1 };
	struct buf b = BUF_EMPTY;
	struct peer *p;

	begin();
	p = fresh(true, "h");
	msg_ping_encode(&ping, &b);
	CHECK_EQ(say(p, &b).verdict, PEER_HANG_UP);
	buf_release(&b);
	step.now_ms += PEER_INIT_TIMEOUT_MS;
	CHECK_EQ(peer_deadline(p, &policy), step.now_ms);
	CHECK_EQ(peer_tick(p, &step, &policy).verdict, PEER_HANG_UP);
	peer_free(p);
}

TEST(pings_are_answered_as_they_ask)
{
	struct msg_ping ping = { 0 };
	struct msg_pong pong;
	struct buf b = BUF_EMPTY;
	struct peer *p = ready();
	static const uint16_t sizes[] = { 0, 1, 1000, 65531 };

	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		ping.num_pong_bytes = sizes[i];
		buf_clear(&b);
		msg_ping_encode(&ping, &b);
		CHECK_EQ(say(p, &b).verdict, PEER_DONE);
		CHECK(msg_pong_decode(sent(MSG_PONG), &out.arena, &pong) == DECODE_OK);
		/* B1.ping_pong.6 */
		CHECK_EQ(pong.ignored.size, sizes[i]);
		/* B1.ping_pong.4, B1.ping_pong.5 */
		CHECK(bytes_all_zero(pong.ignored));
	}
	/* B1.ping_pong.7 */
	for (uint32_t n = 65532; n <= 65535; n++) {
		ping.num_pong_bytes = (uint16_t)n;
		buf_clear(&b);
		msg_ping_encode(&ping, &b);
		CHECK_EQ(say(p, &b).verdict, PEER_DONE);
		CHECK(!sent(MSG_PONG).size);
	}
	/* A flood of them ends the connection. */
	for (uint32_t i = 8; i < PEER_PINGS_MAX; i++)
		CHECK_EQ(say(p, &b).verdict, PEER_DONE);
	CHECK_EQ(say(p, &b).verdict, PEER_HANG_UP);
	buf_release(&b);
	peer_free(p);
}

TEST(our_pings_and_their_pongs)
{
	struct msg_pong pong = { 0 };
	struct msg_ping ping;
	struct buf b = BUF_EMPTY;
	struct peer *p = ready();
	uint8_t zeros[64] = { 0 };

	step.now_ms += policy.ping_interval_ms;
	CHECK_EQ(peer_deadline(p, &policy), step.now_ms);
	CHECK_EQ(peer_tick(p, &step, &policy).verdict, PEER_DONE);
	CHECK(msg_ping_decode(sent(MSG_PING), &out.arena, &ping) == DECODE_OK);
	/* B1.ping_pong.1, B1.ping_pong.2 */
	CHECK(bytes_all_zero(ping.ignored));
	CHECK(ping.num_pong_bytes < 65532);
	pong.ignored = BYTES(zeros, ping.num_pong_bytes);
	msg_pong_encode(&pong, &b);
	CHECK_EQ(say(p, &b).verdict, PEER_DONE);
	step.now_ms += policy.ping_interval_ms;
	CHECK_EQ(peer_tick(p, &step, &policy).verdict, PEER_DONE);
	CHECK(sent(MSG_PING).size);
	/* B1.ping_pong.3: the connection goes; channels are not this room's, so nothing can fail them. */
	step.now_ms += PEER_PONG_TIMEOUT_MS;
	CHECK_EQ(peer_tick(p, &step, &policy).verdict, PEER_HANG_UP);
	buf_release(&b);
	peer_free(p);
}

TEST(unknown_messages)
{
	struct peer *p = ready();
	struct buf b = BUF_EMPTY;

	buf_add_be16(&b, 40001);
	/* B1.lightning_message_format.8 */
	CHECK_EQ(say(p, &b).verdict, PEER_DONE);
	CHECK(!out.head);
	buf_clear(&b);
	buf_add_be16(&b, 40000);
	/* B1.lightning_message_format.9 */
	CHECK_EQ(say(p, &b).verdict, PEER_HANG_UP);
	buf_clear(&b);
	buf_add_u8(&b, 1);
	CHECK_EQ(say(p, &b).verdict, PEER_HANG_UP);
	buf_clear(&b);
	buf_add_be16(&b, MSG_PING);
	buf_add_u8(&b, 0);
	/* B1.lightning_message_format.10 */
	CHECK_EQ(say(p, &b).verdict, PEER_HANG_UP);
	buf_release(&b);
	peer_free(p);
}

TEST(a_bad_extension_of_init_hangs_up)
{
	struct peer *p;
	struct buf b = BUF_EMPTY;

	begin();
	p = fresh(true, "h");
	buf_add_be16(&b, MSG_INIT);
	buf_add_be32(&b, 0);
	buf_add(&b, "\x02\x00", 2); /* an unknown even record */
	/* B1.lightning_message_format.11 */
	CHECK_EQ(say(p, &b).verdict, PEER_HANG_UP);
	buf_release(&b);
	peer_free(p);
}

TEST(complaints_are_told_in_printable_words)
{
	struct msg_error m = { .data = bytes_from_string("no\033[2J\n") };
	struct msg_warning w = { .data = bytes_from_string("careful") };
	struct buf b = BUF_EMPTY;
	struct peer *p = ready();
	struct peer_result r;

	memset(m.channel_id.v, 3, 32);
	msg_error_encode(&m, &b);
	r = say(p, &b);
	CHECK_EQ(r.verdict, PEER_ERROR);
	CHECK(SAME(r.channel, m.channel_id));
	/* B1.error_warning.13 */
	CHECK_STR(r.text, "no\\x1b[2J\\x0a");
	buf_clear(&b);
	msg_warning_encode(&w, &b);
	/* A warning fails nothing. */
	CHECK_EQ(say(p, &b).verdict, PEER_WARNING);
	buf_release(&b);
	peer_free(p);
}

TEST(redialling_backs_off_to_the_ceiling)
{
	struct peer *p = ready();
	uint64_t waited, before = 0;

	CHECK(p->has_address);
	p->keep = true;
	peer_disconnected(p, &step, &policy);
	for (int i = 0; i < 14; i++) {
		waited = p->dial_at_ms - step.now_ms;
		CHECK(waited > before * 3 / 4 && waited <= policy.reconnect_max_ms);
		before = waited;
		step.now_ms = peer_deadline(p, &policy);
		CHECK(peer_dial(p, &step, NULL, 0));
		CHECK(p->dialing);
		peer_dial_failed(p, &step, &policy);
	}
	CHECK(before >= policy.reconnect_max_ms * 3 / 4);
	peer_free(p);
}

TEST(records_of_peers_come_back)
{
	struct peer *p = ready(), *q;
	struct buf b = BUF_EMPTY;

	p->keep = true;
	peer_encode(p, &b);
	q = peer_decode(BYTES_OF(p->id.v), buf_view(&b));
	CHECK(q && q->keep && q->has_address && q->dial_port == 9735);
	CHECK_STR(q->dial_host, "10.0.0.1");
	peer_free(q);
	for (size_t cut = 0; cut < b.size; cut++)
		CHECK(!peer_decode(BYTES_OF(p->id.v), BYTES(b.data, cut)));
	buf_release(&b);
	peer_free(p);
}
