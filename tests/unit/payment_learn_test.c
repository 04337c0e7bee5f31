/* What each failure of BOLT 4 teaches a payment, from every place on its way. */
#include "payment/plan.h"
#include "tests/unit/payment_send_setup.h"

/* 0 - A - far - payee: our channel 7, then 500 and 501. */
static const uint8_t way[] = { PEER_A, FAR_NODE, PAYEE };
#define MSAT_PAID 100000u

static struct path_hint_hop hops[2];
static struct path_hint hint = { hops, 2 };

static struct send_request request_along_the_way(void)
{
	struct send_request q = request(1, MSAT_PAID);

	hops[0] = (struct path_hint_hop){ node_id(PEER_A), { 500 }, 20, 0, 10 };
	hops[1] = (struct path_hint_hop){ node_id(FAR_NODE), { 501 }, 10, 0, 10 };
	q.hints = &hint;
	q.hint_count = 1;
	return q;
}

static struct scene *under_way(struct send_offer *o)
{
	struct send_request q = request_along_the_way();
	struct scene *s = scene();

	add_channel(s, 7, PEER_A, 500000);
	pay(s, &q);
	*o = *only_offer(s);
	o->onion = arena_bytes(&s->arena, o->onion);
	CHECK(has_fact(s, SEND_FACT_TAKEN, 500, MSAT_PAID + 10) && has_fact(s, SEND_FACT_TAKEN, 501, MSAT_PAID));
	CHECK_EQ(count_facts(s, SEND_FACT_TAKEN), 2);
	next_step(s);
	return s;
}

static struct failure failure_of(uint16_t code)
{
	const struct sha256 onion = { { 1 } };

	if (code & FAIL_BADONION)
		return failure_from_malformed(code, &onion);
	if (code == FAIL_INVALID_ONION_PAYLOAD)
		return failure_invalid_payload(6, 3);
	if (code == FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS)
		return failure_payment_details(MSAT(MSAT_PAID), HEIGHT);
	return failure_plain(code);
}

enum expected { CHANNEL, FULL, NODE, LATER };

static const struct {
	uint16_t code;
	enum expected forwarder; /* what it means from a node on the way */
} codes[] = {
	{ FAIL_TEMPORARY_NODE_FAILURE, NODE },
	{ FAIL_PERMANENT_NODE_FAILURE, NODE },
	{ FAIL_REQUIRED_NODE_FEATURE_MISSING, NODE },
	{ FAIL_INVALID_ONION_VERSION, CHANNEL },
	{ FAIL_INVALID_ONION_HMAC, CHANNEL },
	{ FAIL_INVALID_ONION_KEY, CHANNEL },
	{ FAIL_TEMPORARY_CHANNEL_FAILURE, FULL },
	{ FAIL_PERMANENT_CHANNEL_FAILURE, CHANNEL },
	{ FAIL_REQUIRED_CHANNEL_FEATURE_MISSING, CHANNEL },
	{ FAIL_UNKNOWN_NEXT_PEER, CHANNEL },
	{ FAIL_AMOUNT_BELOW_MINIMUM, CHANNEL },
	{ FAIL_FEE_INSUFFICIENT, CHANNEL },
	{ FAIL_INCORRECT_CLTV_EXPIRY, CHANNEL },
	{ FAIL_EXPIRY_TOO_SOON, LATER },
	{ FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, NODE },
	{ FAIL_FINAL_INCORRECT_CLTV_EXPIRY, NODE },
	{ FAIL_FINAL_INCORRECT_HTLC_AMOUNT, NODE },
	{ FAIL_CHANNEL_DISABLED, CHANNEL },
	{ FAIL_EXPIRY_TOO_FAR, CHANNEL },
	{ FAIL_INVALID_ONION_PAYLOAD, NODE },
	{ FAIL_MPP_TIMEOUT, NODE },
	{ FAIL_INVALID_ONION_BLINDING, CHANNEL },
};

/* The only part failed at that node of the way; what is asked next. */
static void check_forwarder(uint16_t code, uint32_t hop, enum expected expected)
{
	const uint64_t behind = 500 + hop, carried = hop ? MSAT_PAID : MSAT_PAID + 10;
	const struct pubkey node = node_id(way[hop]);
	const struct send_question *q;
	const struct send_limit *limit;
	struct send_offer o;
	struct scene *s = under_way(&o);

	fail_offer(s, &o, 10, way, hop + 1, failure_of(code));
	/* What it got through it could. */
	CHECK_EQ(count_facts(s, SEND_FACT_FREED), 2);
	CHECK_EQ(count_facts(s, SEND_FACT_COULD), hop);
	CHECK(!hop || has_fact(s, SEND_FACT_COULD, 500, MSAT_PAID + 10));
	CHECK_EQ(count_facts(s, SEND_FACT_COULD_NOT), expected == FULL);
	CHECK(expected != FULL || has_fact(s, SEND_FACT_COULD_NOT, behind, carried));
	CHECK_EQ(count_facts(s, SEND_FACT_MOVED), 0);
	/* B4.receiving_failure_codes.5 */
	CHECK_EQ(count_effects(&s->effects, EFFECT_SEND), 0);
	/* B4.receiving_failure_codes.6 */
	ask(s);
	q = only_question(s);
	CHECK_EQ(q->limit_count, expected != LATER);
	CHECK_EQ(q->final_cltv, 24 + (expected == LATER ? SEND_CLTV_SLACK_MORE : SEND_CLTV_SLACK));
	limit = limit_of(q, behind, NULL);
	/* B4.receiving_failure_codes.3 */
	CHECK_EQ(limit_of(q, 0, &node) != NULL, expected == NODE);
	CHECK_EQ(limit != NULL, expected == CHANNEL || expected == FULL);
	CHECK(!limit || limit->most.v == (expected == FULL ? carried - 1 : 0));
	scene_release(s);
}

TEST(each_failure_of_a_node_on_the_way)
{
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++)
		for (uint32_t hop = 0; hop < 2; hop++)
			check_forwarder(codes[i].code, hop, codes[i].forwarder);
}

TEST(each_failure_of_the_payee)
{
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		const uint16_t code = codes[i].code;
		const bool final = code & FAIL_PERM && !(code & FAIL_BADONION);
		struct send_offer o;
		struct scene *s = under_way(&o);

		fail_offer(s, &o, 10, way, 3, failure_of(code));
		CHECK(has_fact(s, SEND_FACT_COULD, 500, MSAT_PAID + 10) && has_fact(s, SEND_FACT_COULD, 501, MSAT_PAID));
		CHECK_EQ(count_facts(s, SEND_FACT_COULD_NOT), 0);
		/* B4.receiving_failure_codes.2 */
		CHECK_EQ(find_reply(&s->effects, 101) != NULL, final);
		if (final) {
			CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_DESTINATION);
			CHECK(strstr(reply_to(&s->effects, 101)->message, fail_name(code)));
			CHECK_EQ(reply_to(&s->effects, 101)->u.pay.try_count, 1);
			CHECK_EQ(reply_to(&s->effects, 101)->u.pay.tries[0].failure_code, code);
			/* B4.origin_node.1 */
			CHECK_EQ(load_be16(reply_to(&s->effects, 101)->u.pay.tries[0].message.data), code);
			scene_release(s);
			continue;
		}
		ask(s);
		CHECK_EQ(only_question(s)->limit_count, code != FAIL_MPP_TIMEOUT);
		CHECK(code == FAIL_MPP_TIMEOUT || limit_of(only_question(s), 501, NULL)->most.v == 0);
		scene_release(s);
	}
}

static uint64_t most_after(struct payment_plan *plan, uint64_t failed, uint64_t part, uint64_t next_part)
{
	const uint32_t before = plan->limit_count;

	plan_limit_full(plan, (struct scid){ 500 }, 1, MSAT(failed), part, next_part);
	CHECK_EQ(plan->limit_count, before ? before : 1);
	return plan->limits[0].most.v;
}

/* An offline peer is told from a lack of liquidity by asking for less: once. */
TEST(a_channel_that_does_not_carry_half_is_left)
{
	struct send_request q = request(1, MSAT_PAID);
	struct payment_plan *plan = plan_new(&q, q.amount);

	CHECK_EQ(most_after(plan, 1000, 1, 2), 999);
	CHECK_EQ(most_after(plan, 501, 2, 3), 500);
	CHECK_EQ(most_after(plan, 500, 3, 4), 0);
	plan_free(plan);
	/* Three of one plan come back, each with fewer beside it: nothing was tried again yet. */
	plan = plan_new(&q, q.amount);
	CHECK_EQ(most_after(plan, 1000, 2, 4), 999);
	CHECK_EQ(most_after(plan, 700, 1, 4), 699);
	CHECK_EQ(most_after(plan, 300, 3, 4), 299);
	CHECK_EQ(most_after(plan, 299, 4, 5), 0);
	/* What is closed for another reason stays so. */
	CHECK_EQ(most_after(plan, 700, 5, 6), 0);
	plan_free(plan);
}

/* A channel_update that a failure brings is not read (B4.receiving_failure_codes.5), and not all of it is kept. */
TEST(an_endless_failure)
{
	struct failure f = failure_plain(FAIL_TEMPORARY_CHANNEL_FAILURE);
	struct send_offer o;
	struct scene *s = under_way(&o);

	f.u.temporary_channel_failure.channel_update = BYTES(test_alloc(30000), 30000);
	fail_offer(s, &o, 10, way, 1, f);
	CHECK(has_fact(s, SEND_FACT_COULD_NOT, 500, MSAT_PAID + 10));
	flush(s);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.tries[0].failure_code, FAIL_TEMPORARY_CHANNEL_FAILURE);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.tries[0].message.size, 1024);
	scene_release(s);
}

/* Their chain is ahead: a few blocks more, and if that is not it, elsewhere. */
TEST(an_expiry_that_was_too_soon)
{
	struct send_offer o;
	struct scene *s = under_way(&o);

	fail_offer(s, &o, 10, way, 1, failure_of(FAIL_EXPIRY_TOO_SOON));
	flush(s);
	o = *only_offer(s);
	o.onion = arena_bytes(&s->arena, o.onion);
	CHECK_EQ(o.cltv_expiry, HEIGHT + 24 + SEND_CLTV_SLACK_MORE + 20);
	send_offered(s->send, &s->step, &o, 11);
	next_step(s);
	fail_offer(s, &o, 11, way, 1, failure_of(FAIL_EXPIRY_TOO_SOON));
	ask(s);
	CHECK_EQ(only_question(s)->limit_count, 1);
	CHECK_EQ(limit_of(only_question(s), 500, NULL)->most.v, 0);
	scene_release(s);
}

/* What nobody made says nothing of who is bad: one of the channels that are not ours is left out, in the end each. */
TEST(a_packet_that_nobody_made)
{
	struct send_failure f = { .kind = SEND_FAILURE_REPORT, .reason = BYTES(test_alloc(292), 292) };
	bool left_out[2] = { false };

	for (uint32_t i = 0; i < 40; i++) {
		uint8_t skip[8];
		struct send_offer o;
		struct scene *s = under_way(&o);

		for (uint32_t k = 0; k < i; k++)
			drbg_fill(s->step.entropy, skip, sizeof(skip));
		send_failed(s->send, &s->step, 7, 10, &f);
		CHECK_EQ(count_facts(s, SEND_FACT_COULD) + count_facts(s, SEND_FACT_COULD_NOT), 0);
		ask(s);
		CHECK_EQ(only_question(s)->limit_count, 1);
		CHECK(!limit_of(only_question(s), own_scid(7).v, NULL));
		left_out[limit_of(only_question(s), 501, NULL) != NULL] = true;
		scene_release(s);
	}
	CHECK(left_out[0] && left_out[1]);
}

/* What each node of the way has in common with the payer, as it finds it itself. */
static void secrets_of_nodes(struct scene *s, const struct send_offer *o, struct secret32 out[3])
{
	struct bytes onion = o->onion;

	for (uint32_t i = 0; i < 3; i++) {
		struct seen seen = open_at(s, onion, &o->payment_hash, way[i]);

		out[i] = seen.secret;
		onion = seen.next;
	}
}

/* Who changed a report that nobody can read, on its way back through hops that all hold it for a while. */
struct garbled {
	uint32_t behind; /* behind what this hop sent; 3: nobody, the payee sent it so */
	bool dropped;    /* and its attribution data is gone */
};

static void come_back(struct scene *s, const struct send_offer *o, const struct garbled *g)
{
	uint8_t *reason = test_alloc(FAILURE_PACKET_SIZE);
	struct failure_attribution attribution = { .hold_time = 0 };
	struct send_failure f = { .kind = SEND_FAILURE_REPORT, .reason = BYTES(reason, FAILURE_PACKET_SIZE) };
	struct secret32 secrets[3];

	secrets_of_nodes(s, o, secrets);
	for (uint32_t i = 3; i-- > 0;) {
		attribution.hold_time = i + 1;
		failure_wrap(reason, FAILURE_PACKET_SIZE, &attribution, &secrets[i]);
		if (i != g->behind)
			continue;
		reason[100] ^= 1;
		if (g->dropped)
			memset(&attribution.data, 0, sizeof(attribution.data));
	}
	f.attribution = BYTES_OF(attribution.data.v);
	send_failed(s->send, &s->step, 7, 10, &f);
}

/* The one limit that it taught: of our channel, of 500, of 501. */
static uint32_t channel_left_out(struct scene *s)
{
	const struct send_question *q;

	ask(s);
	q = only_question(s);
	CHECK_EQ(q->limit_count, 1);
	return limit_of(q, own_scid(7).v, NULL) ? 0 : limit_of(q, 500, NULL) ? 1 : limit_of(q, 501, NULL) ? 2 : 3;
}

/* B4.origin_node.4: the channel between the two who are to blame is out, whichever end of it did it. */
TEST(a_packet_that_somebody_changed)
{
	for (uint32_t behind = 0; behind <= 3; behind++) {
		const struct garbled g = { behind, false };
		const struct record_payment_try *tries;
		struct send_offer o;
		struct scene *s = under_way(&o);
		uint32_t count;

		come_back(s, &o, &g);
		CHECK_EQ(count_facts(s, SEND_FACT_COULD), behind > 1 ? behind - 1 : 0);
		CHECK_EQ(channel_left_out(s), behind < 3 ? behind : 2);
		tries = send_tries(send_by_hash(s->send, &o.payment_hash), &s->arena, &count);
		CHECK_EQ(count, 1);
		CHECK_EQ(tries[0].hold_times_count, behind);
		for (uint32_t i = 0; i < behind; i++)
			CHECK_EQ(tries[0].hold_times[i], i + 1);
		scene_release(s);
	}
}

/* A node that takes no part in it shields all behind it: one of their channels, by chance, and none before. */
TEST(a_packet_that_somebody_changed_behind_a_silent_node)
{
	const struct garbled g = { 1, true };
	bool left_out[4] = { false };

	for (uint32_t i = 0; i < 40; i++) {
		struct send_offer o;
		struct scene *s = under_way(&o);
		uint8_t skip[8];

		for (uint32_t k = 0; k < i; k++)
			drbg_fill(s->step.entropy, skip, sizeof(skip));
		come_back(s, &o, &g);
		left_out[channel_left_out(s)] = true;
		scene_release(s);
	}
	CHECK(!left_out[0] && left_out[1] && left_out[2] && !left_out[3]);
}

static bool holds(struct bytes b, const struct secret32 *secret)
{
	for (size_t i = 0; i + sizeof(secret->v) <= b.size; i++)
		if (!memcmp(b.data + i, secret->v, sizeof(secret->v)))
			return true;
	return false;
}

/* All stored records of this step in another run, which knows nothing else. */
static struct send *restarted(struct scene *s, const struct secret32 secrets[3])
{
	const struct send_config c = { .self = node_id(PAYER), .pending_max = 5 };
	static const uint8_t seed[32] = { 6 };
	struct send *next = send_new(&c, seed);
	uint32_t parts = 0;

	for (struct effect *e = s->effects.head; e; e = e->next) {
		if (e->kind != EFFECT_PERSIST || (e->u.persist.kind != RECORD_PAYMENT && e->u.persist.kind != RECORD_PART))
			continue;
		for (uint32_t i = 0; i < 3; i++)
			CHECK(!holds(e->u.persist.value, &secrets[i]));
		parts += e->u.persist.kind == RECORD_PART;
		CHECK(send_load(next, e->u.persist.kind, e->u.persist.key, e->u.persist.value));
	}
	CHECK_EQ(parts, 1);
	return next;
}

static bool every_htlc(const void *context, uint64_t channel_key, uint64_t htlc_id)
{
	(void)context;
	(void)channel_key;
	(void)htlc_id;
	return true;
}

/* The secrets of a part in flight stay with it and are not derived a second time: with one spoiled nothing is readable. */
TEST(what_an_onion_was_made_with_opens_what_comes_back)
{
	for (uint32_t spoiled = 0; spoiled < 2; spoiled++) {
		const struct record_payment_try *tries;
		struct secret32 secrets[3];
		struct send_offer o;
		struct scene *s = under_way(&o);
		uint32_t count;

		secrets_of_nodes(s, &o, secrets);
		CHECK(o.part->shared && !memcmp(o.part->shared, secrets, sizeof(secrets)));
		o.part->shared[1].v[0] ^= (uint8_t)spoiled;
		fail_offer(s, &o, 10, way, 3, failure_of(FAIL_MPP_TIMEOUT));
		tries = send_tries(send_by_hash(s->send, &o.payment_hash), &s->arena, &count);
		CHECK_EQ(count, 1);
		CHECK_EQ(tries[0].code, spoiled ? REPLY_PAY_UNREADABLE : REPLY_PAY_TRY_OTHER_ROUTE);
		CHECK(!send_owns(s->send, 7, 10));
		scene_release(s);
	}
}

/* They are in no record: the next run derives them when it wants them, once, and finds the same. */
TEST(after_a_restart_its_secrets_are_derived)
{
	struct attribution attribution = { { 0 } };
	struct preimage preimage = preimage_of(1);
	struct send_request q = request_along_the_way();
	struct scene *s = scene();
	struct payment_part *part;
	struct secret32 secrets[3];
	struct send *old = s->send;
	struct send_offer o;

	add_channel(s, 7, PEER_A, 500000);
	/* All in one step. */
	send_pay(s->send, &s->step, &q);
	send_flush(s->send, &s->step, 256, &s->questions, &s->offers);
	answer(s, only_question(s));
	o = *only_offer(s);
	send_offered(s->send, &s->step, &o, 10);
	secrets_of_nodes(s, &o, secrets);
	s->send = restarted(s, secrets);
	CHECK(send_resume(s->send, &s->step, every_htlc, NULL));
	send_free(old);
	part = send_by_hash(s->send, &o.payment_hash)->parts;
	CHECK(part && !part->shared);
	for (uint32_t i = 3; i-- > 0;)
		attribution_add(&attribution, &secrets[i], i + 1, BYTES_NONE);
	send_attributed(s->send, &s->step, 7, 10, BYTES_OF(attribution.v));
	CHECK_EQ(part->hold_time_count, 3);
	CHECK_EQ(part->hold_times[2], 3);
	CHECK(!memcmp(part->shared, secrets, sizeof(secrets)));
	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &preimage));
	scene_release(s);
}

TEST(our_peer_cannot_open_the_onion)
{
	struct send_failure f = { .kind = SEND_FAILURE_MALFORMED, .code = FAIL_INVALID_ONION_KEY };
	struct pubkey peer = node_id(PEER_A);
	struct send_offer o;
	struct scene *s = under_way(&o);

	send_failed(s->send, &s->step, 7, 10, &f);
	CHECK_EQ(count_facts(s, SEND_FACT_COULD), 0);
	ask(s);
	CHECK(limit_of(only_question(s), 0, &peer));
	CHECK_EQ(only_question(s)->limit_count, 1);
	answer(s, only_question(s));
	CHECK(strstr(reply_to(&s->effects, 101)->message, "invalid_onion_key"));
	scene_release(s);
}

TEST(what_was_paid_has_moved)
{
	struct preimage preimage = preimage_of(1);
	struct send_offer o;
	struct scene *s = under_way(&o);

	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &preimage));
	CHECK(has_fact(s, SEND_FACT_FREED, 500, MSAT_PAID + 10) && has_fact(s, SEND_FACT_MOVED, 500, MSAT_PAID + 10));
	CHECK(has_fact(s, SEND_FACT_FREED, 501, MSAT_PAID) && has_fact(s, SEND_FACT_MOVED, 501, MSAT_PAID));
	CHECK_EQ(s->facts[0].kind, SEND_FACT_FREED);
	scene_release(s);
}

/* An answer that was asked for before something was learned is taken as far as it still holds. */
TEST(a_late_answer_is_checked_against_what_was_learned)
{
	struct send_request q = request(1, MSAT_PAID);
	struct scene *s = scene();
	struct send_question late;
	struct send_offer o;

	hops[0] = (struct path_hint_hop){ node_id(PEER_A), { 500 }, 20, 0, 10 };
	hops[1] = (struct path_hint_hop){ node_id(FAR_NODE), { 501 }, 10, 0, 10 };
	q.hints = &hint;
	q.hint_count = 1;
	q.basic_mpp = true;
	add_channel(s, 7, PEER_A, 60020);
	add_channel(s, 8, PEER_A, 60020);
	pay(s, &q);
	CHECK_EQ(count_offers(s), 2);
	o = *s->offers.head;
	o.onion = arena_bytes(&s->arena, o.onion);
	next_step(s);
	/* One part comes back for want of time, and while the next answer is awaited the other shows that 501 is closed. */
	fail_offer(s, &o, 10, way, 3, failure_of(FAIL_MPP_TIMEOUT));
	send_flush(s->send, &s->step, 256, &s->questions, &s->offers);
	late = *only_question(s);
	send_failed(s->send, &s->step, 8, 11, &(struct send_failure){ .kind = SEND_FAILURE_MALFORMED, .code = FAIL_INVALID_ONION_KEY });
	CHECK(!send_wants_flush(s->send));
	answer(s, &late);
	CHECK_EQ(count_offers(s), 0);
	CHECK(send_wants_flush(s->send));
	ask(s);
	CHECK_EQ(only_question(s)->amount.v, MSAT_PAID);
	/* An answer to a payment that is over is dropped. */
	late = *only_question(s);
	answer(s, &late);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_STOPPED);
	late.hint_count = 0; /* The hints went with the payment. */
	answer(s, &late);
	CHECK_EQ(count_offers(s), 0);
	scene_release(s);
}
