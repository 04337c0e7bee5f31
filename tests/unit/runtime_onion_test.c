/* Onions in HTLCs between whole nodes: what the middle one refuses to be used for. */
#include "onion/failure.h"
#include "wire/features.h"
#include "tests/unit/node_three.h"

#define ONION_OFFSET (2 + 32 + 8 + 8 + 32 + 4)

/* The next HTLC that a offers to b, still on its way. */
static struct bytes add_of_a(void)
{
	uint16_t type;

	for (const struct rig_item *i = a.head; i; i = i->next)
		if (i->kind == EFFECT_SEND && i->id == ab && msg_type(i->data, &type) && type == MSG_UPDATE_ADD_HTLC)
			return i->data;
	return BYTES_NONE;
}

static uint8_t *onion_of(struct bytes add)
{
	CHECK_EQ(add.size, ONION_OFFSET + ONION_PACKET_SIZE);
	return (uint8_t *)add.data + ONION_OFFSET;
}

/* a offers the same payment again, with the onion of the first time. */
static const struct reply *replay(const struct way *w, const uint8_t *onion)
{
	uint64_t call;

	CHECK_EQ(row_code(&a, order_way(&a, w)), REPLY_OK);
	call = order_wait(&a, w, 0);
	memcpy(onion_of(add_of_a()), onion, ONION_PACKET_SIZE);
	row_pump();
	return rig_reply(&a, call);
}

/* An onion that has been here is not opened for another HTLC: neither while its own is under way nor afterwards. */
TEST(attack_an_onion_is_handed_in_again)
{
	uint8_t onion[ONION_PACKET_SIZE];
	const struct reply *reply;
	struct way w;

	w = ready();
	w.has_total = true;
	w.total = MSAT(5000000);
	w.hops[1].amount = MSAT(2000000); /* c waits for more */
	w.part = 1;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	memcpy(onion, onion_of(add_of_a()), ONION_PACKET_SIZE);
	row_pump();
	CHECK_EQ(htlcs_of(&c), 1);
	w.part = 2;
	reply = replay(&w, onion);
	/* B4.onion_decryption.3 */
	CHECK(reply && reply->code != REPLY_OK);
	CHECK_EQ(htlcs_of(&c), 1);
	CHECK(strstr(b.last_log, "an onion that came before") && strstr(b.last_log, "1 since"));
	/* Once a minute, however often it comes. */
	b.last_log[0] = '\0';
	for (w.part = 10; w.part < 13; w.part++)
		CHECK(replay(&w, onion)->code != REPLY_OK);
	CHECK(!strstr(b.last_log, "an onion that came before"));
	row_tick(59000);
	w.part = 13;
	CHECK(replay(&w, onion)->code != REPLY_OK);
	CHECK(!strstr(b.last_log, "an onion that came before"));
	/* The first one is not touched by that: b forgets nothing over a restart, and fails it with what c says. */
	row_restart(&b);
	row_pump();
	CHECK_EQ(htlcs_of(&c), 1);
	w.part = 3;
	reply = replay(&w, onion);
	CHECK(reply && reply->code != REPLY_OK); /* B4.onion_decryption.3 */
	CHECK_EQ(htlcs_of(&c), 1);
	row_tick(61000);
	row_pump();
	row_is_quiet();
	w.part = 4;
	reply = replay(&w, onion);
	CHECK(reply && reply->code != REPLY_OK); /* B4.onion_decryption.3 */
	row_is_quiet();
	/* With an onion of its own it goes. */
	w.part = 5;
	w.hops[1].amount = w.bill.amount;
	w.hops[0].amount = MSAT(w.bill.amount.v + fee_of_b(w.bill.amount).v);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	row_is_quiet();
}

/* --- onions that b has no use for --- */

/* What b answers to an HTLC of a with an onion of the test's own. */
struct scene {
	struct way w;
	struct sha256 onion_hash;
	struct secret32 secrets[2];
	struct arena arena;
};

static struct rig_item *item_of(struct rig *r, uint64_t connection, uint16_t type)
{
	uint16_t t;

	for (struct rig_item *i = r->head; i; i = i->next)
		if (i->kind == EFFECT_SEND && i->id == connection && msg_type(i->data, &t) && t == type)
			return i;
	return NULL;
}

/* Until b has that message for a, or nobody has anything. */
static struct bytes told_to_a(uint16_t type)
{
	while (!item_of(&b, ab, type))
		if (!row_deliver_one())
			return BYTES_NONE;
	return item_of(&b, ab, type)->data;
}

/* tail: appended to update_add_htlc, its TLVs. */
static void offer(struct scene *s, const char *payload, bool is_final, struct bytes tail)
{
	static struct secp *secp;
	static const uint8_t seed[32] = { 9 };
	struct onion_hop hops[2] = { { b.id, test_unhex(payload) }, { c.id, test_unhex("020101040102") } };
	struct onion_request request = { .hops = hops, .hop_count = is_final ? 1 : 2, .packet_size = ONION_PACKET_SIZE };
	struct buf add = BUF_EMPTY, packet = BUF_EMPTY;
	struct bill bill;
	struct rig_item *i;

	if (!secp)
		secp = secp_new(seed);
	row();
	arena_init(&s->arena);
	bill = bill_of(&c, 5000000, NULL);
	s->w = way_to_c(&bill);
	CHECK_EQ(row_code(&a, order_way(&a, &s->w)), REPLY_OK);
	memset(request.session_key.v, 5, 32);
	request.associated = BYTES_OF(s->w.bill.hash.v);
	CHECK(onion_build(&packet, s->secrets, secp, &request));
	s->onion_hash = sha256(packet.data, packet.size);
	i = item_of(&a, ab, MSG_UPDATE_ADD_HTLC);
	memcpy(onion_of(i->data), packet.data, packet.size);
	buf_add_bytes(&add, i->data);
	buf_add_bytes(&add, tail);
	i->data = arena_bytes(&a.kept, buf_view(&add));
	buf_release(&packet);
	buf_release(&add);
}

static struct failure sealed(struct scene *s)
{
	struct msg_update_fail_htlc m;
	struct failure_report report;
	struct failure f;

	CHECK_EQ(msg_update_fail_htlc_decode(told_to_a(MSG_UPDATE_FAIL_HTLC), &s->arena, &m), DECODE_OK);
	CHECK(failure_open(&s->arena, &report, s->secrets, 1, m.reason, BYTES_NONE));
	CHECK(failure_decode(&s->arena, &f, report.message));
	return f;
}

static struct msg_update_fail_malformed_htlc malformed(struct scene *s)
{
	struct msg_update_fail_malformed_htlc m;

	CHECK_EQ(msg_update_fail_malformed_htlc_decode(told_to_a(MSG_UPDATE_FAIL_MALFORMED_HTLC), &s->arena, &m), DECODE_OK);
	return m;
}

static void scene_end(struct scene *s)
{
	row_pump();
	row_is_quiet();
	arena_release(&s->arena);
}

TEST(payloads_that_say_nothing_useful)
{
	struct scene s;
	struct failure f;

	/* B2.update_add_htlc.22: an even record that nobody knows, and no stream at all */
	offer(&s, "02010104010206080000000000000001fe0001000200", false, BYTES_NONE);
	f = sealed(&s);
	CHECK_EQ(f.code, FAIL_INVALID_ONION_PAYLOAD);
	CHECK_EQ(f.u.invalid_onion_payload.type, 65538);
	scene_end(&s);
	offer(&s, "0209", false, BYTES_NONE);
	CHECK_EQ(sealed(&s).code, FAIL_INVALID_ONION_PAYLOAD); /* B2.update_add_htlc.22 */
	scene_end(&s);
	/* B2.update_add_htlc.23: no amount, B4.packet_structure.49 */
	offer(&s, "04010206080000000000000001", false, BYTES_NONE);
	f = sealed(&s);
	CHECK_EQ(f.code, FAIL_INVALID_ONION_PAYLOAD);
	CHECK_EQ(f.u.invalid_onion_payload.type, 2);
	scene_end(&s);
	/* B4.onion_decryption.15: there is nobody to hand it on to. */
	offer(&s, "02010104010206080000000000000001", false, BYTES_NONE);
	CHECK_EQ(sealed(&s).code, FAIL_UNKNOWN_NEXT_PEER);
	scene_end(&s);
}

TEST(an_onion_that_cannot_be_decrypted)
{
	struct msg_update_fail_malformed_htlc m;
	struct scene s;
	uint8_t *onion;

	offer(&s, "02010104010206080000000000000001", false, BYTES_NONE);
	onion = onion_of(item_of(&a, ab, MSG_UPDATE_ADD_HTLC)->data);
	onion[99] ^= 1;
	s.onion_hash = sha256(onion, ONION_PACKET_SIZE);
	m = malformed(&s);
	CHECK_EQ(m.failure_code, FAIL_INVALID_ONION_HMAC); /* B2.update_add_htlc.22 */
	CHECK(SAME(m.sha256_of_onion, s.onion_hash));
	scene_end(&s);
}

/* Nobody can put b on a blinded path, and nobody learns more from it than that. */
TEST(blinded_paths_end_here)
{
	struct msg_update_fail_malformed_htlc m;
	struct buf tail = BUF_EMPTY;
	struct failure f;
	struct scene s;

	/* b would be the first of a path. */
	offer(&s, "0a02aabb0c2102eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619", false, BYTES_NONE);
	f = sealed(&s); /* B2.update_fulfill_htlc_update_fail_htlc.4 */
	CHECK_EQ(f.code, FAIL_INVALID_ONION_BLINDING);
	CHECK(SAME(f.u.onion.sha256_of_onion, s.onion_hash)); /* B2.update_fulfill_htlc_update_fail_htlc.5 */
	scene_end(&s);
	/* b would be in the middle of one. */
	buf_add_u8(&tail, 0);
	buf_add_u8(&tail, 33);
	buf_add(&tail, a.id.v, 33);
	offer(&s, "0a02aabb", false, buf_view(&tail));
	m = malformed(&s); /* B2.update_fulfill_htlc_update_fail_htlc.7 */
	CHECK_EQ(m.failure_code, FAIL_INVALID_ONION_BLINDING);
	CHECK(SAME(m.sha256_of_onion, s.onion_hash)); /* B2.update_fulfill_htlc_update_fail_htlc.8 */
	scene_end(&s);
	/* B4.packet_structure.48: a path key for a payload that is on no path */
	offer(&s, "02010104010206080000000000000001", false, buf_view(&tail));
	CHECK_EQ(malformed(&s).failure_code, FAIL_INVALID_ONION_BLINDING);
	scene_end(&s);
	buf_release(&tail);
}

/* --- option_attribution_data --- */

static struct msg_update_fail_htlc fail_of(struct bytes message, struct arena *arena)
{
	struct msg_update_fail_htlc m;

	CHECK_EQ(msg_update_fail_htlc_decode(message, arena, &m), DECODE_OK);
	return m;
}

static struct msg_update_fulfill_htlc fulfill_of(struct bytes message, struct arena *arena)
{
	struct msg_update_fulfill_htlc m;

	CHECK_EQ(msg_update_fulfill_htlc_decode(message, arena, &m), DECODE_OK);
	return m;
}

/* How the first of a payment's tries ended, as a has stored it. */
static const struct record_payment_try *try_of(const struct way *w)
{
	const struct record_payment *r = rig_payment(&a, &w->bill.hash);

	CHECK(r && r->tries_count == 1);
	return &r->tries[0];
}

/* Until b holds what a has sent on to c. */
static void until_c_is_asked(void)
{
	while (!item_of(&b, bc, MSG_UPDATE_ADD_HTLC))
		CHECK(row_deliver_one());
}

static void until_c_says(uint16_t type)
{
	while (!item_of(&c, bc, type))
		CHECK(row_deliver_one());
}

TEST(attribution_data_is_offered)
{
	struct node_info info;

	row_begin();
	rig_start(&a);
	node_view_info(a.node, &info);
	CHECK(features_offered(info.features_init, FEATURE_ATTRIBUTION_DATA));
	CHECK(!features_required(info.features_init, FEATURE_ATTRIBUTION_DATA));
}

/* Each node on the way back says how long it has held the HTLC, and the payer keeps it. */
TEST(hold_times_come_back_with_a_failure)
{
	struct arena arena;
	struct way w = ready();

	arena_init(&arena);
	w.bill.secret.v[0] ^= 1;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	until_c_is_asked();
	row_tick(1230);
	until_c_says(MSG_UPDATE_FAIL_HTLC);
	/* B4.erring_node.3, B2.update_fulfill_htlc_update_fail_htlc.9 */
	CHECK(fail_of(item_of(&c, bc, MSG_UPDATE_FAIL_HTLC)->data, &arena).tlvs.attribution_data);
	row_tick(500);
	/* B4.intermediate_nodes.1, B4.intermediate_nodes.3 */
	CHECK(fail_of(told_to_a(MSG_UPDATE_FAIL_HTLC), &arena).tlvs.attribution_data);
	row_pump();
	row_is_quiet();
	CHECK(try_of(&w)->has_report);
	CHECK_EQ(try_of(&w)->hold_times_count, 2);
	CHECK_EQ(try_of(&w)->hold_times[0], 17);
	CHECK_EQ(try_of(&w)->hold_times[1], 0);
	arena_release(&arena);
}

TEST(hold_times_come_back_with_a_preimage)
{
	struct arena arena;
	struct way w = ready();

	arena_init(&arena);
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	until_c_is_asked();
	row_tick(400);
	/* B2.update_fulfill_htlc_update_fail_htlc.9 */
	until_c_says(MSG_UPDATE_FULFILL_HTLC);
	CHECK(fulfill_of(item_of(&c, bc, MSG_UPDATE_FULFILL_HTLC)->data, &arena).tlvs.attribution_data);
	CHECK(fulfill_of(told_to_a(MSG_UPDATE_FULFILL_HTLC), &arena).tlvs.attribution_data);
	row_pump();
	row_is_quiet();
	CHECK_EQ(try_of(&w)->state, PAYMENT_COMPLETE);
	CHECK_EQ(try_of(&w)->hold_times_count, 2);
	CHECK_EQ(try_of(&w)->hold_times[0], 4);
	CHECK_EQ(try_of(&w)->hold_times[1], 0);
	arena_release(&arena);
}

/* A hold time counts from before a restart, and what was decided before one is said after it as it was. */
TEST(a_restart_forgets_no_hold_time)
{
	struct way w = ready();
	uint8_t said[ATTRIBUTION_SIZE];
	struct arena arena;

	arena_init(&arena);
	w.bill.secret.v[0] ^= 1;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	until_c_is_asked();
	row_tick(700);
	row_restart(&b);
	row_pump();
	row_is_quiet();
	CHECK_EQ(try_of(&w)->hold_times_count, 2);
	CHECK_EQ(try_of(&w)->hold_times[0], 7);

	w = way_to_c(&w.bill);
	w.bill = bill_of(&c, 5000000, NULL);
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	until_c_is_asked();
	row_tick(300);
	memcpy(said, fulfill_of(told_to_a(MSG_UPDATE_FULFILL_HTLC), &arena).tlvs.attribution_data, sizeof(said));
	row_tick(60000);
	row_restart(&b);
	CHECK(memcmp(said, fulfill_of(told_to_a(MSG_UPDATE_FULFILL_HTLC), &arena).tlvs.attribution_data, sizeof(said)) == 0);
	row_pump();
	row_is_quiet();
	CHECK_EQ(try_of(&w)->hold_times[0], 3);
	arena_release(&arena);
}

/* B4.intermediate_nodes.2: c says nothing; b begins with zeros, and a knows of b alone. */
TEST(a_node_that_takes_no_part)
{
	struct msg_update_fail_htlc said;
	struct way w = ready();
	struct buf bare = BUF_EMPTY;
	struct rig_item *i;
	struct arena arena;

	arena_init(&arena);
	w.bill.secret.v[0] ^= 1;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	until_c_says(MSG_UPDATE_FAIL_HTLC);
	i = item_of(&c, bc, MSG_UPDATE_FAIL_HTLC);
	said = fail_of(i->data, &arena);
	said.tlvs.attribution_data = NULL;
	msg_update_fail_htlc_encode(&said, &bare);
	i->data = arena_bytes(&c.kept, buf_view(&bare));
	row_tick(200);
	row_pump();
	row_is_quiet();
	CHECK(try_of(&w)->has_report);
	CHECK_EQ(try_of(&w)->erring_index, 2);
	CHECK_EQ(try_of(&w)->hold_times_count, 1);
	CHECK_EQ(try_of(&w)->hold_times[0], 2);
	buf_release(&bare);
	arena_release(&arena);
}

/* B4.origin_node.4: c garbles its failure, and it is known to be between b and c. */
TEST(a_failure_that_is_garbled)
{
	struct way w = ready();
	struct rig_item *i;

	w.bill.secret.v[0] ^= 1;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	until_c_says(MSG_UPDATE_FAIL_HTLC);
	i = item_of(&c, bc, MSG_UPDATE_FAIL_HTLC);
	((uint8_t *)i->data.data)[2 + 32 + 8 + 2 + 40] ^= 1;
	row_pump();
	row_is_quiet();
	CHECK_EQ(try_of(&w)->code, REPLY_PAY_UNREADABLE);
	CHECK_EQ(try_of(&w)->hold_times_count, 1);
	CHECK_STR(arena_printf(&a.kept, "%.*s", (int)try_of(&w)->words.size, (const char *)try_of(&w)->words.data),
		  "the way failed and what came back is not readable: it was changed between hop 1 and hop 2 of 2");
}

/* An init that does not offer it. */
static void silence_init(struct rig *r, uint64_t connection)
{
	struct rig_item *i = item_of(r, connection, MSG_INIT);
	struct buf again = BUF_EMPTY;
	struct msg_init init;
	struct arena arena;

	CHECK(i);
	arena_init(&arena);
	CHECK_EQ(msg_init_decode(i->data, &arena, &init), DECODE_OK);
	CHECK(features_offered(init.features, FEATURE_ATTRIBUTION_DATA));
	init.features = arena_bytes(&arena, init.features);
	((uint8_t *)init.features.data)[init.features.size - 1 - (FEATURE_ATTRIBUTION_DATA + 1) / 8] &=
		(uint8_t)~(1u << (FEATURE_ATTRIBUTION_DATA + 1) % 8);
	msg_init_encode(&init, &again);
	i->data = arena_bytes(&r->kept, buf_view(&again));
	buf_release(&again);
	arena_release(&arena);
}

/* B2.update_fulfill_htlc_update_fail_htlc.9 asks what we offer, not what the peer does, and LDK 0.2 reads it unoffered. */
TEST(who_has_not_offered_it_gets_it_all_the_same)
{
	struct way w = ready();
	struct arena arena;

	arena_init(&arena);
	row_reconnect();
	silence_init(&a, ab);
	row_pump();
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	until_c_says(MSG_UPDATE_FULFILL_HTLC);
	CHECK(fulfill_of(item_of(&c, bc, MSG_UPDATE_FULFILL_HTLC)->data, &arena).tlvs.attribution_data);
	CHECK(fulfill_of(told_to_a(MSG_UPDATE_FULFILL_HTLC), &arena).tlvs.attribution_data);
	row_pump();
	row_is_quiet();
	CHECK_EQ(try_of(&w)->hold_times_count, 2);
	arena_release(&arena);
}

/* B2.update_fulfill_htlc_update_fail_htlc.9, B4.erring_node.3: on a blinded path nobody learns about times. */
TEST(no_hold_times_from_a_blinded_path)
{
	struct buf tail = BUF_EMPTY;
	struct scene s;

	buf_add_u8(&tail, 0);
	buf_add_u8(&tail, 33);
	buf_add(&tail, a.id.v, 33);
	offer(&s, "0a02aabb", false, buf_view(&tail));
	/* update_fail_malformed_htlc has no place for them. */
	CHECK_EQ(malformed(&s).failure_code, FAIL_INVALID_ONION_BLINDING);
	CHECK(!item_of(&b, ab, MSG_UPDATE_FAIL_HTLC));
	scene_end(&s);
	buf_release(&tail);
}

/* What came from c as malformed is told in b's name, with b's time. */
TEST(a_malformed_failure_gets_attribution_data)
{
	struct way w = ready();
	struct rig_item *i;
	struct arena arena;

	arena_init(&arena);
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	until_c_is_asked();
	i = item_of(&b, bc, MSG_UPDATE_ADD_HTLC);
	onion_of(i->data)[99] ^= 1;
	until_c_says(MSG_UPDATE_FAIL_MALFORMED_HTLC);
	row_tick(900);
	CHECK(fail_of(told_to_a(MSG_UPDATE_FAIL_HTLC), &arena).tlvs.attribution_data);
	row_pump();
	row_is_quiet();
	CHECK_EQ(try_of(&w)->failure_code, FAIL_INVALID_ONION_HMAC);
	CHECK_EQ(try_of(&w)->hold_times_count, 1);
	CHECK_EQ(try_of(&w)->hold_times[0], 9);
	arena_release(&arena);
}

/* --- what a failure said --- */

TEST(the_message_of_a_failure_is_kept)
{
	const struct reply *reply;
	struct arena arena;
	struct failure f;
	struct way w;

	arena_init(&arena);
	w = ready();
	w.bill.secret.v[0] ^= 1;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_PAY_DESTINATION);
	row_restart(&a);
	row_pump();
	/* B4.origin_node.1: from the store, with all that the payee put into it. */
	reply = rig_reply(&a, order_wait(&a, &w, 1));
	CHECK(reply && reply->u.sendpay.has_failure);
	CHECK(failure_decode(&arena, &f, reply->u.sendpay.failure_message));
	CHECK_EQ(f.code, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
	CHECK_EQ(f.u.payment_details.htlc_msat.v, w.bill.amount.v);
	CHECK_EQ(f.u.payment_details.height, c.height);
	arena_release(&arena);
}
