/* What failures, refusals and restarts make of a payment. */
#include "tests/unit/payment_send_setup.h"

static const uint8_t way_a[] = { PEER_A, PAYEE }, way_b[] = { PEER_B, PAYEE }, direct[] = { PAYEE };

/* A payee behind both peers; A is the cheaper way. */
struct hints {
	struct path_hint_hop a[1], b[1];
	struct path_hint hints[2];
};

static struct send_request request_over_hints(struct hints *h, uint64_t amount)
{
	struct send_request q = request(1, amount);

	h->a[0] = (struct path_hint_hop){ node_id(PEER_A), { 500 }, 1000, 100, 40 };
	h->b[0] = (struct path_hint_hop){ node_id(PEER_B), { 600 }, 2000, 100, 40 };
	h->hints[0] = (struct path_hint){ h->a, 1 };
	h->hints[1] = (struct path_hint){ h->b, 1 };
	q.hints = h->hints;
	q.hint_count = 2;
	return q;
}

static struct scene *scene_with_peers(uint64_t spendable_a, uint64_t spendable_b)
{
	struct scene *s = scene();

	add_channel(s, 7, PEER_A, spendable_a);
	add_channel(s, 8, PEER_B, spendable_b);
	return s;
}

/* The only offer, out of reach of the next flush. */
static struct send_offer keep_offer(struct scene *s)
{
	struct send_offer o = *only_offer(s);

	o.onion = arena_bytes(&s->arena, o.onion);
	return o;
}

static enum payment_state state_of(const struct scene *s, uint8_t v)
{
	struct sha256 hash = hash_of(v);

	return (enum payment_state)send_by_hash(s->send, &hash)->r.state;
}

TEST(the_payee_refuses_for_good)
{
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);
	struct scene *s = scene_with_peers(500000, 500000);
	struct send_offer o;

	pay(s, &q);
	o = keep_offer(s);
	next_step(s);
	fail_offer(s, &o, 10, way_a, 2, failure_payment_details(MSAT(100000), HEIGHT));
	/* B4.receiving_failure_codes.2: PERM from the payee, so the other way is not tried. */
	CHECK(!send_wants_flush(s->send));
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_DESTINATION);
	CHECK(strstr(reply_to(&s->effects, 101)->message, "incorrect_or_unknown_payment_details (hop 2 of 2)"));
	CHECK_EQ(count_records(s, RECORD_PART, true), 1);
	CHECK_EQ(count_records(s, RECORD_PAYMENT, false), 1);
	CHECK_EQ(state_of(s, 1), PAYMENT_FAILED);
	scene_release(s);
}

/* Fails the first try over A at its first node with the code, and sees whether the second goes over B. */
static void check_second_way(uint16_t code, const char *words)
{
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);
	struct scene *s = scene_with_peers(500000, 500000);
	struct send_offer o;

	pay(s, &q);
	o = keep_offer(s);
	CHECK_EQ(o.channel_key, 7);
	next_step(s);
	fail_offer(s, &o, 10, way_a, 1, failure_plain(code));
	/* B4.receiving_failure_codes.6 B4.basic_multi_part_payments.4 */
	CHECK(send_wants_flush(s->send));
	CHECK_EQ(state_of(s, 1), PAYMENT_PENDING);
	flush(s);
	o = keep_offer(s);
	CHECK_EQ(o.channel_key, 8);
	send_offered(s->send, &s->step, &o, 20);
	/* When the second fails the same way there is no third. */
	next_step(s);
	fail_offer(s, &o, 20, way_b, 1, failure_plain(code));
	flush(s);
	CHECK_EQ(count_offers(s), 0);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_STOPPED);
	CHECK(strstr(reply_to(&s->effects, 101)->message, words));
	scene_release(s);
}

TEST(a_node_on_the_way_fails)
{
	check_second_way(FAIL_TEMPORARY_CHANNEL_FAILURE, "temporary_channel_failure about 0x0x600/");
	check_second_way(FAIL_PERMANENT_CHANNEL_FAILURE, "permanent_channel_failure");
	check_second_way(FAIL_UNKNOWN_NEXT_PEER, "unknown_next_peer");
	check_second_way(FAIL_FEE_INSUFFICIENT, "fee_insufficient");
	check_second_way(FAIL_CHANNEL_DISABLED, "channel_disabled");
	/* B4.receiving_failure_codes.3: NODE. */
	check_second_way(FAIL_TEMPORARY_NODE_FAILURE, "temporary_node_failure");
	check_second_way(FAIL_PERMANENT_NODE_FAILURE, "permanent_node_failure");
	check_second_way(FAIL_REQUIRED_NODE_FEATURE_MISSING, "required_node_feature_missing");
}

/* B4.receiving_failure_codes.3: all channels of the node, not only the one that failed. */
TEST(a_node_failure_excludes_its_channels)
{
	struct path_hint_hop a[2] = {
		{ node_id(PEER_A), { 500 }, 0, 0, 10 }, { node_id(FAR_NODE), { 501 }, 0, 0, 10 },
	};
	struct path_hint_hop b[2] = {
		{ node_id(PEER_B), { 600 }, 1, 0, 10 }, { node_id(FAR_NODE), { 601 }, 1, 0, 10 },
	};
	struct path_hint hints[2] = { { a, 2 }, { b, 2 } };
	static const uint8_t way[] = { PEER_A, FAR_NODE };
	static const uint16_t codes[] = { FAIL_TEMPORARY_NODE_FAILURE, FAIL_TEMPORARY_CHANNEL_FAILURE };

	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		struct send_request q = request(1, 100000);
		struct scene *s = scene_with_peers(500000, 500000);
		struct send_offer o;

		q.hints = hints;
		q.hint_count = 2;
		pay(s, &q);
		o = keep_offer(s);
		fail_offer(s, &o, 10, way, 2, failure_plain(codes[i]));
		flush(s);
		/* Another channel of the same node may still do, the node itself may not. */
		CHECK_EQ(count_offers(s), codes[i] == FAIL_TEMPORARY_CHANNEL_FAILURE);
		scene_release(s);
	}
}

/* Limits are the payment's own: the next one finds everything open again. */
TEST(failures_are_forgotten_with_the_payment)
{
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);
	struct scene *s = scene_with_peers(500000, 500000);
	struct send_offer o;

	q.hint_count = 1;
	pay(s, &q);
	o = keep_offer(s);
	next_step(s);
	fail_offer(s, &o, 10, way_a, 1, failure_plain(FAIL_TEMPORARY_CHANNEL_FAILURE));
	/* B4.receiving_failure_codes.5: nothing of the failure goes to anybody else. */
	CHECK_EQ(count_effects(&s->effects, EFFECT_SEND), 0);
	flush(s);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_STOPPED);
	/* B4.receiving_failure_codes.4 */
	pay(s, &q);
	CHECK_EQ(only_offer(s)->channel_key, 7);
	scene_release(s);
}

TEST(a_channel_that_is_too_full_takes_less)
{
	struct path_hint_hop a1 = { node_id(PEER_A), { 500 }, 0, 0, 10 }, a2 = { node_id(PEER_A), { 501 }, 1, 0, 10 };
	struct path_hint hints[2] = { { &a1, 1 }, { &a2, 1 } };
	struct send_request q = request(1, 100000);
	struct scene *s = scene_with_peers(500000, 0);
	const struct send_limit *limit;
	struct send_offer o;

	q.hints = hints;
	q.hint_count = 2;
	q.basic_mpp = true;
	pay(s, &q);
	CHECK(has_fact(s, SEND_FACT_TAKEN, 500, 100000));
	o = keep_offer(s);
	next_step(s);
	fail_offer(s, &o, 10, way_a, 1, failure_plain(FAIL_TEMPORARY_CHANNEL_FAILURE));
	/* Everybody learns that this channel cannot carry so much now. */
	CHECK(has_fact(s, SEND_FACT_FREED, 500, 100000));
	CHECK(has_fact(s, SEND_FACT_COULD_NOT, 500, 100000));
	CHECK_EQ(count_facts(s, SEND_FACT_COULD), 0);
	ask(s);
	limit = limit_of(only_question(s), 500, NULL);
	CHECK(limit && limit->most.v == 99999);
	answer(s, only_question(s));
	CHECK_EQ(only_offer(s)->amount.v, 100001);
	o = keep_offer(s);
	send_offered(s->send, &s->step, &o, 20);
	next_step(s);
	fail_offer(s, &o, 20, way_a, 1, failure_plain(FAIL_TEMPORARY_CHANNEL_FAILURE));
	/* B4.basic_multi_part_payments.3 B4.basic_multi_part_payments.4: now over both. */
	flush(s);
	CHECK_EQ(count_offers(s), 2);
	CHECK(s->offers.head->amount.v < 100000 && s->offers.last->amount.v < 100000);
	send_offered(s->send, &s->step, s->offers.head, 21);
	send_offered(s->send, &s->step, s->offers.last, 22);
	scene_release(s);
}

TEST(only_the_missing_part_is_tried_again)
{
	struct send_request q = request(1, 100000);
	struct scene *s = scene();
	struct send_offer o;
	struct preimage preimage = preimage_of(1);

	q.basic_mpp = true;
	add_channel(s, 7, PAYEE, 60000);
	add_channel(s, 8, PAYEE, 70000);
	pay(s, &q);
	CHECK_EQ(count_offers(s), 2);
	o = *s->offers.last;
	o.onion = arena_bytes(&s->arena, o.onion);
	CHECK_EQ(o.amount.v, 30000);
	fail_offer(s, &o, 11, direct, 1, failure_plain(FAIL_MPP_TIMEOUT));
	/* 70000 are in flight: B4.basic_multi_part_payments.8 */
	flush(s);
	CHECK_EQ(only_offer(s)->amount.v, 30000);
	send_offered(s->send, &s->step, only_offer(s), 12);
	flush(s);
	CHECK_EQ(count_offers(s), 0);
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 8, 10, &preimage));
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.sent.v, 100000);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.parts, 2);
	scene_release(s);
}

/* A part that fails after the payment is complete is no reason to send another. */
TEST(nothing_is_tried_after_the_preimage)
{
	struct send_request q = request(1, 100000);
	struct scene *s = scene();
	struct send_offer o;
	struct preimage preimage = preimage_of(1);

	q.basic_mpp = true;
	add_channel(s, 7, PAYEE, 60000);
	add_channel(s, 8, PAYEE, 70000);
	pay(s, &q);
	o = *s->offers.last;
	o.onion = arena_bytes(&s->arena, o.onion);
	CHECK(send_fulfilled(s->send, &s->step, 8, 10, &preimage));
	next_step(s);
	fail_offer(s, &o, 11, direct, 1, failure_plain(FAIL_MPP_TIMEOUT));
	CHECK(!send_wants_flush(s->send));
	CHECK_EQ(count_records(s, RECORD_PART, true), 1);
	CHECK_EQ(count_effects(&s->effects, EFFECT_REPLY), 0);
	CHECK_EQ(state_of(s, 1), PAYMENT_COMPLETE);
	scene_release(s);
}

TEST(a_payment_fails_when_nothing_is_in_flight)
{
	struct send_request q = request(1, 100000);
	struct scene *s = scene();
	struct send_offer first, second;

	q.basic_mpp = true;
	add_channel(s, 7, PAYEE, 60000);
	add_channel(s, 8, PAYEE, 70000);
	pay(s, &q);
	first = *s->offers.head;
	second = *s->offers.last;
	first.onion = arena_bytes(&s->arena, first.onion);
	second.onion = arena_bytes(&s->arena, second.onion);
	next_step(s);
	fail_offer(s, &second, 11, direct, 1, failure_payment_details(MSAT(1), 1));
	/* INV-S3: the other part could still bring the preimage. */
	CHECK(!find_reply(&s->effects, 101));
	CHECK_EQ(state_of(s, 1), PAYMENT_PENDING);
	flush(s);
	CHECK_EQ(count_offers(s), 0);
	fail_offer(s, &first, 10, direct, 1, failure_plain(FAIL_MPP_TIMEOUT));
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_DESTINATION);
	CHECK_EQ(state_of(s, 1), PAYMENT_FAILED);
	scene_release(s);
}

TEST(the_payee_fails_for_now)
{
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);
	static const uint16_t codes[] = { FAIL_FINAL_INCORRECT_CLTV_EXPIRY, FAIL_FINAL_INCORRECT_HTLC_AMOUNT,
					  FAIL_TEMPORARY_NODE_FAILURE };

	/* Not PERM: another way may do, the same one would not. */
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		struct scene *s = scene_with_peers(500000, 500000);
		struct send_offer o;

		pay(s, &q);
		o = keep_offer(s);
		fail_offer(s, &o, 10, way_a, 2, failure_plain(codes[i]));
		flush(s);
		CHECK_EQ(only_offer(s)->channel_key, 8);
		scene_release(s);
	}
}

TEST(a_failure_that_nobody_made)
{
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);
	struct scene *s = scene_with_peers(500000, 500000);
	struct send_failure f = { .kind = SEND_FAILURE_REPORT, .reason = BYTES(test_alloc(292), 292) };
	struct send_offer o;

	pay(s, &q);
	send_failed(s->send, &s->step, 7, 10, &f);
	flush(s);
	o = keep_offer(s);
	CHECK_EQ(o.channel_key, 8);
	send_offered(s->send, &s->step, &o, 20);
	f.reason = BYTES_NONE;
	next_step(s);
	send_failed(s->send, &s->step, 8, 20, &f);
	flush(s);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_STOPPED);
	CHECK(strstr(reply_to(&s->effects, 101)->message, "not readable"));
	scene_release(s);
}

/* B4.receiving_failure_codes.1 and codes from the future: the flags decide. */
TEST(unknown_codes_are_judged_by_their_flags)
{
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);
	struct sha256 hash = { { 1 } };
	struct scene *s = scene_with_peers(500000, 500000);
	struct send_offer o;

	pay(s, &q);
	o = keep_offer(s);
	/* The only unknown codes that we can seal are those about the onion; PERM does not end it, for they speak of
	 * the node behind. */
	fail_offer(s, &o, 10, way_a, 1, failure_from_malformed(0xc0ff, &hash));
	flush(s);
	CHECK_EQ(only_offer(s)->channel_key, 8);
	scene_release(s);
}

TEST(our_own_channel_fails)
{
	static const enum send_failure_kind kinds[] = { SEND_FAILURE_MALFORMED, SEND_FAILURE_LOCAL };
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct scene *s = scene_with_peers(500000, 500000);
		struct send_failure f = { .kind = kinds[i], .code = FAIL_INVALID_ONION_HMAC, .text = "timed out on chain" };
		struct send_offer o;

		pay(s, &q);
		send_failed(s->send, &s->step, 7, 10, &f);
		flush(s);
		o = keep_offer(s);
		/* What our channel can do now is asked anew; a peer that cannot read our onions is not. */
		CHECK_EQ(o.channel_key, kinds[i] == SEND_FAILURE_LOCAL ? 7 : 8);
		send_offered(s->send, &s->step, &o, 20);
		s->channel_count = 0;
		next_step(s);
		send_failed(s->send, &s->step, o.channel_key, 20, &f);
		flush(s);
		CHECK(strstr(reply_to(&s->effects, 101)->message,
			     kinds[i] == SEND_FAILURE_LOCAL ? "timed out on chain" : "invalid_onion_hmac"));
		scene_release(s);
	}
}

TEST(a_channel_refuses_an_offer)
{
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);
	struct scene *s = scene_with_peers(500000, 500000);

	send_pay(s->send, &s->step, &q);
	flush(s);
	CHECK_EQ(only_offer(s)->channel_key, 7);
	send_refused(s->send, &s->step, only_offer(s), "too many HTLCs");
	CHECK(send_wants_flush(s->send));
	CHECK_EQ(count_records(s, RECORD_PART, false), 0);
	flush(s);
	CHECK_EQ(only_offer(s)->channel_key, 8);
	send_refused(s->send, &s->step, only_offer(s), "too many HTLCs");
	flush(s);
	CHECK_EQ(count_offers(s), 0);
	CHECK(strstr(reply_to(&s->effects, 101)->message, "after 2 tries, the last: too many HTLCs"));
	CHECK_EQ(count_records(s, RECORD_PART, true), 0);
	scene_release(s);
}

TEST(time_and_tries_are_limited)
{
	struct send_request q = request(1, 100000);
	struct scene *s = scene();
	struct send_offer o;
	uint32_t tries = 0;

	add_channel(s, 7, PAYEE, 500000);
	/* mpp_timeout leaves the way open: it would go on for ever. */
	send_pay(s->send, &s->step, &q);
	for (;;) {
		flush(s);
		if (!count_offers(s))
			break;
		tries++;
		o = keep_offer(s);
		send_offered(s->send, &s->step, &o, tries);
		fail_offer(s, &o, tries, direct, 1, failure_plain(FAIL_MPP_TIMEOUT));
	}
	CHECK_EQ(tries, SEND_ATTEMPTS_MAX);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_STOPPED);
	scene_release(s);

	/* Sixty seconds by default. */
	s = scene();
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	o = keep_offer(s);
	s->step.now_ms += 59999;
	fail_offer(s, &o, 10, direct, 1, failure_plain(FAIL_MPP_TIMEOUT));
	flush(s);
	o = keep_offer(s);
	send_offered(s->send, &s->step, &o, 11);
	s->step.now_ms++;
	fail_offer(s, &o, 11, direct, 1, failure_plain(FAIL_MPP_TIMEOUT));
	flush(s);
	CHECK_EQ(count_offers(s), 0);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_STOPPED);
	scene_release(s);

	/* B11.payer_payee_requirements.1: no try after the invoice's end, however long we may try. */
	s = scene();
	q.retry_for_s = 100000;
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	o = keep_offer(s);
	s->step.now_ms += 3600000;
	fail_offer(s, &o, 10, direct, 1, failure_plain(FAIL_MPP_TIMEOUT));
	flush(s);
	CHECK_EQ(count_offers(s), 0);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_EXPIRED);
	scene_release(s);
}

TEST(a_way_that_takes_no_onion_is_left_out)
{
	struct hints h;
	struct send_request q = request_over_hints(&h, 100000);
	struct scene *s = scene_with_peers(500000, 500000);

	/* Two hops do not hold such metadata, one does. */
	q.has_metadata = true;
	q.metadata = BYTES(test_alloc(1170), 1170);
	h.a[0].fee_base_msat = h.a[0].fee_ppm = 0;
	send_pay(s->send, &s->step, &q);
	flush(s);
	CHECK_EQ(count_offers(s), 0);
	ask(s);
	CHECK_EQ(only_question(s)->hops_max, 1);
	answer(s, only_question(s));
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_NO_ROUTE);
	add_channel(s, 9, PAYEE, 400000);
	pay(s, &q);
	CHECK_EQ(only_offer(s)->channel_key, 9);
	scene_release(s);

	/* Nor does one that much. */
	s = scene();
	q.metadata = BYTES(test_alloc(1290), 1290);
	add_channel(s, 9, PAYEE, 400000);
	pay(s, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_NO_ROUTE);
	CHECK(strstr(reply_to(&s->effects, 101)->message, "cannot be made"));
	scene_release(s);
}

/* Records of one run, as the store would give them back. */
struct store {
	struct {
		enum record_kind kind;
		struct bytes key, value;
		bool gone;
	} records[20];
	uint32_t count;
	struct arena arena;
};

static void store_step(struct store *t, const struct scene *s)
{
	for (struct effect *e = s->effects.head; e; e = e->next) {
		uint32_t i = 0;

		if (e->kind != EFFECT_PERSIST)
			continue;
		while (i < t->count && (t->records[i].kind != e->u.persist.kind ||
					!bytes_equal(t->records[i].key, e->u.persist.key)))
			i++;
		CHECK(i < ARRAY_COUNT(t->records));
		t->records[i].kind = e->u.persist.kind;
		t->records[i].key = arena_bytes(&t->arena, e->u.persist.key);
		t->records[i].value = arena_bytes(&t->arena, e->u.persist.value);
		t->records[i].gone = e->u.persist.remove;
		if (i == t->count)
			t->count++;
	}
}

/* Parts before payments, which a store may well do. */
static bool load_all(const struct store *t, struct scene *s)
{
	for (uint32_t i = t->count; i-- > 0;)
		if (!t->records[i].gone && !send_load(s->send, t->records[i].kind, t->records[i].key, t->records[i].value))
			return false;
	return true;
}

static bool every_htlc(const void *context, uint64_t channel_key, uint64_t htlc_id)
{
	(void)context;
	(void)channel_key;
	(void)htlc_id;
	return true;
}

static bool only_htlc_10(const void *context, uint64_t channel_key, uint64_t htlc_id)
{
	(void)context;
	(void)channel_key;
	return htlc_id == 10;
}

static bool no_htlc(const void *context, uint64_t channel_key, uint64_t htlc_id)
{
	(void)context;
	(void)channel_key;
	(void)htlc_id;
	return false;
}

/* The next run: with the owner who reads the invoice again, or without. */
static bool resume(struct scene *s, bool (*has_htlc)(const void *, uint64_t, uint64_t), bool carry_on)
{
	const struct payment *p;
	uint32_t at = 0;

	if (!send_resume(s->send, &s->step, has_htlc, NULL))
		return false;
	while (carry_on && (p = send_interrupted(s->send, &s->step, &at))) {
		struct send_request q = request(1, p->r.amount.v);

		q.kind = p->r.kind;
		q.basic_mpp = true;
		send_carry_on(s->send, &s->step, p, &q);
	}
	send_resumed(s->send, &s->step);
	send_check_invariants(s->send);
	return true;
}

/* A run that has two parts of a payment in flight. */
static struct scene *run_with_two_parts(struct store *t, struct send_offers *offers)
{
	struct send_request q = request(1, 100000);
	struct scene *s = scene();

	q.basic_mpp = true;
	add_channel(s, 7, PAYEE, 60000);
	add_channel(s, 8, PAYEE, 70000);
	send_pay(s->send, &s->step, &q);
	store_step(t, s);
	flush(s);
	send_offered(s->send, &s->step, s->offers.head, 10);
	send_offered(s->send, &s->step, s->offers.last, 11);
	store_step(t, s);
	*offers = s->offers;
	return s;
}

TEST(a_restart_waits_for_what_is_in_flight)
{
	struct store *t = test_alloc(sizeof(*t));
	struct send_offers offers;
	struct scene *before, *s = scene();
	struct send_request again = request(1, 100000);
	struct preimage preimage = preimage_of(1);

	arena_init(&t->arena);
	before = run_with_two_parts(t, &offers);
	CHECK(load_all(t, s));
	CHECK(resume(s, every_htlc, false));
	send_check_invariants(s->send);
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 0);
	CHECK_EQ(send_pending_count(s->send), 1);
	CHECK(send_owns(s->send, 8, 10) && send_owns(s->send, 7, 11));
	/* Nothing new is sent: the payee's set has all it needs. */
	add_channel(s, 9, PAYEE, 500000);
	CHECK(!send_wants_flush(s->send));
	again.call = 200;
	pay(s, &again);
	CHECK_EQ(count_offers(s), 0);
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 7, 11, &preimage));
	CHECK_EQ(reply_to(&s->effects, 200)->code, REPLY_OK);
	CHECK_EQ(reply_to(&s->effects, 200)->u.pay.sent.v, 100000);
	store_step(t, s);
	scene_release(s);

	/* And again, with the payment complete and one part still there. */
	s = scene();
	CHECK(load_all(t, s));
	CHECK(resume(s, every_htlc, false));
	CHECK_EQ(state_of(s, 1), PAYMENT_COMPLETE);
	CHECK(send_owns(s->send, 8, 10) && !send_owns(s->send, 7, 11));
	CHECK(send_fulfilled(s->send, &s->step, 8, 10, &preimage));
	scene_release(s);
	scene_release(before);
	arena_release(&t->arena);
}

/* INV-S6: what is missing after a restart is sent anew, beside what is in flight and within the old limits. */
TEST(a_restart_carries_on)
{
	struct store *t = test_alloc(sizeof(*t));
	struct send_offers offers;
	struct scene *before, *s = scene();
	struct preimage preimage = preimage_of(1);
	struct sha256 last_hash = hash_of(1);
	struct seen seen;

	arena_init(&t->arena);
	before = run_with_two_parts(t, &offers);
	CHECK(load_all(t, s));
	CHECK(resume(s, only_htlc_10, true));
	CHECK_EQ(state_of(s, 1), PAYMENT_PENDING);
	CHECK(send_wants_flush(s->send));
	/* The channels are not back yet: it asks again in a while. */
	flush(s);
	CHECK_EQ(count_offers(s), 0);
	CHECK(!send_wants_flush(s->send));
	CHECK_EQ(send_deadline(s->send), s->step.now_ms + SEND_ASK_AGAIN_MS);
	send_tick(s->send, &s->step);
	CHECK(!send_wants_flush(s->send));
	add_channel(s, 9, PAYEE, 500000);
	next_step(s);
	fail_offer(s, offers.head, 10, direct, 1, failure_plain(FAIL_MPP_TIMEOUT));
	ask(s);
	CHECK_EQ(only_question(s)->amount.v, 100000);
	CHECK_EQ(only_question(s)->fee_limit.v, 5000);
	answer(s, only_question(s));
	CHECK_EQ(only_offer(s)->channel_key, 9);
	/* B4.basic_multi_part_payments.1 B4.basic_multi_part_payments.8: the same set. */
	seen = open_at(s, only_offer(s)->onion, &only_offer(s)->payment_hash, PAYEE);
	CHECK_EQ(seen.payload.total.v, 100000);
	send_offered(s->send, &s->step, only_offer(s), 12);
	store_step(t, s);
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 9, 12, &preimage));
	CHECK_EQ(state_of(s, 1), PAYMENT_COMPLETE);
	store_step(t, s);
	scene_release(s);

	/* Without channels until the time is over it has failed. */
	scene_release(before);
	arena_release(&t->arena);
	memset(t, 0, sizeof(*t));
	arena_init(&t->arena);
	before = run_with_two_parts(t, &offers);
	s = scene();
	CHECK(load_all(t, s));
	CHECK(resume(s, no_htlc, true));
	for (uint32_t i = 0; i < 60 && state_of(s, 1) == PAYMENT_PENDING; i++) {
		flush(s);
		CHECK(i == 59 || send_deadline(s->send) == s->step.now_ms + SEND_ASK_AGAIN_MS);
		s->step.now_ms += SEND_ASK_AGAIN_MS;
		send_tick(s->send, &s->step);
	}
	CHECK_EQ(state_of(s, 1), PAYMENT_FAILED);
	CHECK_EQ(send_by_hash(s->send, &last_hash)->r.fail_code, REPLY_PAY_NO_ROUTE);
	scene_release(s);

	/* Too late, it makes no new parts. */
	s = scene();
	s->step.now_ms += 60000;
	add_channel(s, 9, PAYEE, 500000);
	CHECK(load_all(t, s));
	CHECK(resume(s, only_htlc_10, true));
	CHECK(!send_wants_flush(s->send));
	scene_release(s);
	scene_release(before);
	arena_release(&t->arena);
}

/* bLIP 3: the hash is the payer's own, so the preimage and the records are in the payment's record. */
TEST(a_keysend_carries_on_after_a_restart)
{
	struct custom_record records[2] = { { 65539, BYTES("a", 1) }, { 65537, BYTES("bc", 2) } };
	struct store *t = test_alloc(sizeof(*t));
	struct send_request q = request(1, 5000);
	struct scene *before = scene(), *s = scene();
	struct send_failure f = { .kind = SEND_FAILURE_LOCAL, .text = "the peer left" };
	struct preimage keysend;
	struct sha256 hash;
	struct seen seen;

	arena_init(&t->arena);
	q.kind = PAYMENT_KEYSEND;
	q.records = records;
	q.record_count = 2;
	add_channel(before, 7, PAYEE, 60000);
	send_pay(before->send, &before->step, &q);
	store_step(t, before);
	flush(before);
	send_offered(before->send, &before->step, only_offer(before), 10);
	hash = only_offer(before)->payment_hash;
	keysend = open_at(before, only_offer(before)->onion, &hash, PAYEE).payload.keysend;
	store_step(t, before);
	CHECK(load_all(t, s));
	CHECK(resume(s, only_htlc_10, true));
	add_channel(s, 7, PAYEE, 60000);
	next_step(s);
	send_failed(s->send, &s->step, 7, 10, &f);
	flush(s);
	CHECK(SAME(only_offer(s)->payment_hash, hash));
	seen = open_at(s, only_offer(s)->onion, &hash, PAYEE);
	CHECK(seen.payload.has_keysend && SAME(seen.payload.keysend, keysend));
	CHECK_EQ(seen.payload.custom_count, 2);
	CHECK_EQ(seen.payload.custom[0].type, 65537);
	CHECK(bytes_equal(seen.payload.custom[1].value, records[0].value));
	send_offered(s->send, &s->step, only_offer(s), 11);
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 7, 11, &keysend));
	CHECK_EQ(send_pending_count(s->send), 0);
	scene_release(s);
	scene_release(before);
	arena_release(&t->arena);
}

TEST(a_restart_fails_what_was_never_sent)
{
	struct store *t = test_alloc(sizeof(*t));
	struct send_offers offers;
	struct scene *before, *s = scene();
	struct send_failure f = { .kind = SEND_FAILURE_LOCAL, .text = "timed out" };

	arena_init(&t->arena);
	before = run_with_two_parts(t, &offers);
	CHECK(load_all(t, s));
	CHECK(resume(s, only_htlc_10, false));
	CHECK_EQ(count_records(s, RECORD_PART, true), 1);
	CHECK_EQ(state_of(s, 1), PAYMENT_PENDING);
	next_step(s);
	send_failed(s->send, &s->step, 8, 10, &f);
	CHECK_EQ(state_of(s, 1), PAYMENT_FAILED);
	CHECK_EQ(count_records(s, RECORD_PAYMENT, false), 1);
	scene_release(s);

	s = scene();
	CHECK(load_all(t, s));
	CHECK(resume(s, no_htlc, false));
	CHECK_EQ(count_records(s, RECORD_PART, true), 2);
	CHECK_EQ(state_of(s, 1), PAYMENT_FAILED);
	store_step(t, s);
	scene_release(s);

	/* It stays failed, and can be paid again under the next group. */
	s = scene();
	CHECK(load_all(t, s));
	CHECK(resume(s, no_htlc, false));
	CHECK_EQ(state_of(s, 1), PAYMENT_FAILED);
	add_channel(s, 9, PAYEE, 500000);
	pay(s, &(struct send_request){ .call = 5, .kind = PAYMENT_BOLT11, .payee = node_id(PAYEE), .amount = MSAT(5),
				       .payment_hash = hash_of(1), .any_amount = true, .has_secret = true,
				       .expires_at_s = UINT64_MAX });
	CHECK_EQ(count_offers(s), 1);
	CHECK(send_owns(s->send, 9, 10));
	scene_release(s);
	scene_release(before);
	arena_release(&t->arena);
}

TEST(records_that_contradict_one_another)
{
	struct store *t = test_alloc(sizeof(*t)), *u = test_alloc(sizeof(*u));
	struct send_offers offers;
	struct scene *before, *s;
	struct record_payment book;
	struct record_part part;
	struct buf b = BUF_EMPTY;
	uint32_t payment = 0;

	arena_init(&t->arena);
	before = run_with_two_parts(t, &offers);
	CHECK_EQ(t->count, 3);
	CHECK_EQ(t->records[payment].kind, RECORD_PAYMENT);

	/* A part without its payment. */
	*u = *t;
	u->records[payment].gone = true;
	s = scene();
	CHECK(load_all(u, s));
	CHECK(!resume(s, every_htlc, false));
	send_free(s->send);
	effects_release(&s->effects);

	/* Two parts of one HTLC. */
	*u = *t;
	u->records[2].value = u->records[1].value;
	s = scene();
	CHECK(load_all(u, s));
	CHECK(!resume(s, every_htlc, false));
	send_free(s->send);
	effects_release(&s->effects);

	/* More in flight than the payment is. */
	*u = *t;
	CHECK(record_part_decode(t->records[1].value, &t->arena, &part));
	part.amount = part.sent = MSAT(80000);
	record_part_encode(&part, &b);
	u->records[1].value = buf_view(&b);
	s = scene();
	CHECK(load_all(u, s));
	CHECK(!resume(s, every_htlc, false));
	send_free(s->send);
	effects_release(&s->effects);

	/* A failed payment with parts in flight. */
	*u = *t;
	CHECK(record_payment_decode(t->records[payment].value, &t->arena, &book));
	book.state = PAYMENT_FAILED;
	book.fail_code = REPLY_PAY_STOPPED;
	buf_clear(&b);
	record_payment_encode(&book, &b);
	u->records[payment].value = buf_view(&b);
	s = scene();
	CHECK(load_all(u, s));
	CHECK(!resume(s, every_htlc, false));
	send_free(s->send);
	effects_release(&s->effects);

	/* A complete one whose preimage is another's. */
	book.state = PAYMENT_COMPLETE;
	buf_clear(&b);
	record_payment_encode(&book, &b);
	s = scene();
	CHECK(!send_load(s->send, RECORD_PAYMENT, t->records[payment].key, buf_view(&b)));
	scene_release(s);
	buf_release(&b);

	/* Cut short, each in turn. */
	for (uint32_t i = 0; i < t->count; i++) {
		s = scene();
		for (size_t size = 0; size < t->records[i].value.size; size++)
			CHECK(!send_load(s->send, t->records[i].kind, t->records[i].key,
					 BYTES(t->records[i].value.data, size)));
		CHECK(!send_load(s->send, t->records[i].kind, BYTES(t->records[i].key.data, 39), t->records[i].value));
		scene_release(s);
	}
	/* The same payment twice. */
	s = scene();
	CHECK(load_all(t, s));
	CHECK(!send_load(s->send, RECORD_PAYMENT, t->records[0].key, t->records[0].value));
	CHECK(resume(s, every_htlc, false));
	scene_release(s);
	scene_release(before);
	arena_release(&t->arena);
}

/* The record as an older version had it: without what came later, which is empty here. */
static struct bytes as_version(uint16_t old, uint16_t now, struct buf *record, size_t later)
{
	CHECK_EQ(load_be16(record->data), now);
	store_be16(record->data, old);
	return BYTES(record->data, record->size - later);
}

/* Before there were hints and layers in it: the payment carries on. */
TEST(payments_of_version_2)
{
	struct store *t = test_alloc(sizeof(*t));
	struct send_offers offers;
	struct scene *before, *s = scene();
	struct record_payment book;
	struct buf b = BUF_EMPTY;

	arena_init(&t->arena);
	before = run_with_two_parts(t, &offers);
	CHECK(record_payment_decode(t->records[0].value, &t->arena, &book));
	record_payment_encode(&book, &b);
	t->records[0].value = as_version(2, RECORD_PAYMENT_VERSION, &b, 4 + 4);
	CHECK(load_all(t, s));
	CHECK(resume(s, every_htlc, true));
	CHECK(send_wants_flush(s->send));
	CHECK_EQ(state_of(s, 1), PAYMENT_PENDING);
	scene_release(s);
	scene_release(before);
	buf_release(&b);
	arena_release(&t->arena);
}

/* What 0.1 stored: the payment waits for what is in flight and makes no new parts. */
TEST(records_of_version_1)
{
	struct store *t = test_alloc(sizeof(*t));
	struct send_offers offers;
	struct scene *before, *s = scene();
	struct preimage preimage = preimage_of(1);
	struct send_failure f = { .kind = SEND_FAILURE_LOCAL, .text = "timed out" };
	struct record_payment book;
	struct record_part part;
	struct buf b = BUF_EMPTY, c = BUF_EMPTY;

	arena_init(&t->arena);
	before = run_with_two_parts(t, &offers);
	CHECK(record_payment_decode(t->records[0].value, &t->arena, &book));
	book.total = MSAT(0);
	book.retry_until_ms = 0;
	book.max_delay = book.delay_ppb = 0;
	record_payment_encode(&book, &b);
	t->records[0].value = as_version(1, RECORD_PAYMENT_VERSION, &b, 8 + 8 + 4 + 4 + 4 + 4 + 4 + 4 + 4);
	CHECK(record_part_decode(t->records[1].value, &t->arena, &part));
	part.created_at_s = 0;
	part.scids_count = part.amounts_count = 0;
	record_part_encode(&part, &c);
	t->records[1].value = as_version(1, RECORD_PART_VERSION, &c, 8 + 4 + 4);
	CHECK(load_all(t, s));
	CHECK(resume(s, every_htlc, true));
	CHECK(!send_wants_flush(s->send));
	send_failed(s->send, &s->step, 7, 11, &f);
	CHECK(!send_wants_flush(s->send));
	CHECK_EQ(state_of(s, 1), PAYMENT_PENDING);
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 8, 10, &preimage));
	CHECK_EQ(state_of(s, 1), PAYMENT_COMPLETE);
	/* It teaches nothing: the channels on its way are not known. */
	CHECK_EQ(count_facts(s, SEND_FACT_MOVED), 0);
	scene_release(s);
	scene_release(before);
	buf_release(&b);
	buf_release(&c);
	arena_release(&t->arena);
}

/* INV-S2 over a restart: a payment that is alive is the latest of its hash. */
TEST(two_living_payments_of_one_hash_are_refused)
{
	struct store *t = test_alloc(sizeof(*t));
	struct send_request q = request(1, 1000);
	struct scene *before = scene(), *s = scene();
	uint8_t key[48];

	arena_init(&t->arena);
	send_pay(before->send, &before->step, &q);
	store_step(t, before);
	CHECK(load_all(t, s));
	memcpy(key, t->records[0].key.data, 48);
	key[47]++;
	CHECK(send_load(s->send, RECORD_PAYMENT, BYTES_OF(key), t->records[0].value));
	CHECK(!resume(s, every_htlc, false));
	send_free(s->send);
	effects_release(&s->effects);
	scene_release(before);
	arena_release(&t->arena);
}
