#include "tests/unit/payment_send_setup.h"

static struct path_hint_hop hint_over_a(void)
{
	return (struct path_hint_hop){ node_id(PEER_A), { 500 }, 1000, 100, 40 };
}

static struct path_hint_hop hint_over_b(void)
{
	return (struct path_hint_hop){ node_id(PEER_B), { 600 }, 2000, 100, 40 };
}

TEST(a_payment_over_a_direct_channel)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000);
	struct preimage preimage = preimage_of(1);
	struct send_offer *o;
	struct seen seen;
	const struct payment *p;

	q.has_metadata = true;
	q.metadata = BYTES("meta", 4);
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	o = only_offer(s);
	CHECK_EQ(o->kind, SEND_OFFER_HTLC);
	CHECK_EQ(o->channel_key, 7);
	CHECK_EQ(o->amount.v, 100000);
	CHECK_EQ(o->cltv_expiry, HEIGHT + 24 + SEND_CLTV_SLACK);
	/* B4.basic_multi_part_payments.1 B11.payer_payee_requirements.3 */
	CHECK(SAME(o->payment_hash, q.payment_hash));
	/* INV-S5: stored with its HTLC. */
	CHECK_EQ(count_records(s, RECORD_PART, false), 1);
	CHECK(send_owns(s->send, 7, 10));
	CHECK(!send_owns(s->send, 7, 11));
	CHECK(!send_owns(s->send, 8, 10));

	seen = open_at(s, o->onion, &q.payment_hash, PAYEE);
	CHECK(seen.payload.is_final);
	CHECK_EQ(seen.payload.amount.v, 100000);
	CHECK_EQ(seen.payload.cltv_expiry, o->cltv_expiry);
	/* B4.packet_structure.21 B4.packet_structure.22 B4.packet_structure.23 B11.tagged_fields.28 */
	CHECK(seen.payload.has_secret);
	CHECK(SAME(seen.payload.secret, q.secret));
	CHECK_EQ(seen.payload.total.v, 100000);
	/* B4.packet_structure.24 B11.tagged_fields.30 */
	CHECK(seen.payload.has_metadata && bytes_equal(seen.payload.metadata, q.metadata));

	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &preimage));
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_OK);
	CHECK_EQ(reply_to(&s->effects, 101)->kind, COMMAND_PAY);
	CHECK(SAME(reply_to(&s->effects, 101)->u.pay.preimage, preimage));
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.sent.v, 100000);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.amount.v, 100000);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.parts, 1);
	CHECK_EQ(count_records(s, RECORD_PAYMENT, false), 1);
	CHECK_EQ(count_records(s, RECORD_PART, true), 1);
	CHECK_EQ(count_effects(&s->effects, EFFECT_NOTIFY), 1);
	p = send_by_hash(s->send, &q.payment_hash);
	CHECK_EQ(p->r.state, PAYMENT_COMPLETE);
	CHECK(SAME(p->r.preimage, preimage));
	CHECK(bytes_equal(p->r.label, BYTES("tea", 3)));
	CHECK(!send_owns(s->send, 7, 10));
	CHECK_EQ(send_pending_count(s->send), 0);
	scene_release(s);
}

/* What an invoice asks for stays much, whatever is added to it. */
TEST(an_absurd_final_delta_stays_absurd)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000);

	q.min_final_cltv = UINT32_MAX;
	add_channel(s, 7, PAYEE, 500000);
	send_pay(s->send, &s->step, &q);
	ask(s);
	CHECK(only_question(s)->final_cltv > UINT32_MAX - SEND_CLTV_SLACK_MORE);
	scene_release(s);
}

TEST(a_payment_along_a_route_hint)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000);
	struct path_hint_hop hop = hint_over_a();
	struct path_hint hint = { &hop, 1 };
	struct send_offer *o;
	struct seen seen;

	q.hints = &hint;
	q.hint_count = 1;
	q.has_min_final_cltv = false;
	add_channel(s, 7, PEER_A, 500000);
	pay(s, &q);
	memset(&hop, 0, sizeof(hop)); /* the request was copied */
	o = only_offer(s);
	CHECK_EQ(o->amount.v, 100000 + 1000 + 10);
	/* B11.tagged_fields.29: at least 18 blocks where the invoice says nothing. */
	CHECK_EQ(o->cltv_expiry, HEIGHT + 18 + SEND_CLTV_SLACK + 40);
	seen = open_at(s, o->onion, &q.payment_hash, PEER_A);
	CHECK_EQ(seen.payload.scid.v, 500);
	CHECK_EQ(seen.payload.amount.v, 100000);
	CHECK_EQ(seen.payload.cltv_expiry, HEIGHT + 18 + SEND_CLTV_SLACK);
	seen = open_at(s, seen.next, &q.payment_hash, PAYEE);
	CHECK(seen.payload.is_final);
	CHECK_EQ(seen.payload.amount.v, 100000);
	scene_release(s);
}

TEST(the_same_invoice_is_paid_once)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000), again = request(1, 100000);
	struct preimage preimage = preimage_of(1);

	again.call = 200;
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	CHECK_EQ(count_offers(s), 1);
	/* INV-S2: while it is pending a second call only waits. */
	pay(s, &again);
	CHECK_EQ(count_offers(s), 0);
	CHECK(!send_wants_flush(s->send));
	CHECK(!find_reply(&s->effects, 200));
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &preimage));
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_OK);
	CHECK_EQ(reply_to(&s->effects, 200)->code, REPLY_OK);
	/* Afterwards it is answered at once, even when the invoice has expired. */
	again.call = 201;
	s->step.now_ms += 7200000;
	next_step(s);
	send_pay(s->send, &s->step, &again);
	CHECK_EQ(reply_to(&s->effects, 201)->code, REPLY_OK);
	CHECK(SAME(reply_to(&s->effects, 201)->u.pay.preimage, preimage));
	CHECK(!send_wants_flush(s->send));
	scene_release(s);
}

TEST(a_failed_payment_can_be_tried_again)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000);
	struct preimage preimage = preimage_of(1);
	uint32_t at = 0;

	pay(s, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_NO_ROUTE);
	CHECK(strstr(reply_to(&s->effects, 101)->message, "no channel of this node is usable"));
	CHECK_EQ(send_by_hash(s->send, &q.payment_hash)->r.state, PAYMENT_FAILED);
	CHECK_EQ(send_by_hash(s->send, &q.payment_hash)->group, 1);
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	CHECK_EQ(send_by_hash(s->send, &q.payment_hash)->group, 2);
	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &preimage));
	CHECK_EQ(send_by_hash(s->send, &q.payment_hash)->r.state, PAYMENT_COMPLETE);
	CHECK_EQ(send_next(s->send, &at)->r.state, PAYMENT_FAILED);
	CHECK_EQ(send_next(s->send, &at)->r.state, PAYMENT_COMPLETE);
	CHECK(send_next(s->send, &at) == NULL);
	scene_release(s);
}

TEST(requests_that_make_no_sense)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000);
	struct custom_record record = { 65535, BYTES("x", 1) };

	add_channel(s, 7, PAYEE, 5000000);
	/* B4.basic_multi_part_payments.5: at least the amount, at most twice. */
	q.amount = MSAT(99999);
	pay(s, &q);
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	q.amount = MSAT(200001);
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	/* B11.tagged_fields.27 B4.basic_multi_part_payments.9 */
	q = request(1, 100000);
	q.has_secret = false;
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	q = request(1, 0);
	q.any_amount = true;
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	q.amount = MSAT(SUPPLY_SAT * 1000 + 1);
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	q = request(1, 1000);
	q.kind = PAYMENT_KEYSEND;
	q.records = &record;
	q.record_count = 1;
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	CHECK_EQ(reply_to(&s->effects, 101)->kind, COMMAND_KEYSEND);
	record.type = PAYLOAD_KEYSEND;
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	q = request(1, 1000);
	q.kind = PAYMENT_KEYSEND;
	q.payee = node_id(PAYER);
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	/* B11.payer_payee_requirements.1 */
	q = request(1, 100000);
	q.expires_at_s = START_MS / 1000;
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_EXPIRED);
	CHECK(!send_wants_flush(s->send));
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 0);
	/* Twice the amount is as much as may be. */
	q = request(1, 100000);
	q.amount = MSAT(200000);
	pay(s, &q);
	CHECK_EQ(only_offer(s)->amount.v, 200000);
	scene_release(s);
}

TEST(an_invoice_without_amount)
{
	struct scene *s = scene();
	struct send_request q = request(1, 123);
	struct seen seen;

	q.any_amount = true;
	q.invoice_amount = MSAT(0);
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	seen = open_at(s, only_offer(s)->onion, &q.payment_hash, PAYEE);
	/* B4.basic_multi_part_payments.6 B4.basic_multi_part_payments.10 */
	CHECK_EQ(seen.payload.total.v, 123);
	CHECK_EQ(seen.payload.amount.v, 123);
	scene_release(s);
}

TEST(pending_payments_are_limited)
{
	struct scene *s = scene();
	struct send_request q;

	add_channel(s, 7, PAYEE, 5000000);
	for (uint8_t v = 1; v <= 5; v++) {
		q = request(v, 1000);
		send_pay(s->send, &s->step, &q);
	}
	q = request(6, 1000);
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 106)->code, REPLY_FAILED);
	CHECK_EQ(send_pending_count(s->send), 5);
	scene_release(s);
}

TEST(a_wrong_preimage_is_not_believed)
{
	struct scene *s = scene();
	struct send_request q = request(1, 1000);
	struct preimage wrong = preimage_of(2), right = preimage_of(1);

	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	next_step(s);
	CHECK(!send_fulfilled(s->send, &s->step, 7, 10, &wrong));
	CHECK_EQ(send_by_hash(s->send, &q.payment_hash)->r.state, PAYMENT_PENDING);
	CHECK(send_owns(s->send, 7, 10));
	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &right));
	scene_release(s);
}

TEST(our_own_invoice)
{
	struct scene *s = scene();
	struct send_request q = request(1, 1000), again = request(2, 1000);
	struct preimage preimage = preimage_of(1);

	q.payee = again.payee = node_id(PAYER);
	next_step(s);
	send_pay(s->send, &s->step, &q);
	flush(s);
	CHECK_EQ(only_offer(s)->kind, SEND_OFFER_SELF);
	CHECK_EQ(only_offer(s)->amount.v, 1000);
	CHECK(SAME(only_offer(s)->secret, q.secret));
	CHECK(SAME(only_offer(s)->payment_hash, q.payment_hash));
	send_self_paid(s->send, &s->step, only_offer(s), &preimage);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_OK);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.parts, 0);
	CHECK_EQ(send_by_hash(s->send, &q.payment_hash)->r.state, PAYMENT_COMPLETE);

	send_pay(s->send, &s->step, &again);
	flush(s);
	send_refused(s->send, &s->step, only_offer(s), "no such invoice");
	CHECK_EQ(reply_to(&s->effects, 102)->code, REPLY_PAY_DESTINATION);
	CHECK_STR(reply_to(&s->effects, 102)->message, "no such invoice");
	CHECK(!send_wants_flush(s->send));
	scene_release(s);
}

TEST(keysend_carries_its_preimage)
{
	struct scene *s = scene();
	struct send_request q = request(1, 1000), second;
	struct custom_record records[2] = { { 7629169, BYTES("b", 1) }, { 65537, BYTES("a", 1) } };
	struct send_offer *o;
	struct seen seen;
	struct sha256 hash;

	q.kind = PAYMENT_KEYSEND;
	q.basic_mpp = true;
	q.records = records;
	q.record_count = 2;
	q.expires_at_s = 0;
	second = q;
	second.call = 200;
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	o = only_offer(s);
	CHECK_EQ(o->cltv_expiry, HEIGHT + SEND_KEYSEND_CLTV + SEND_CLTV_SLACK);
	seen = open_at(s, o->onion, &o->payment_hash, PAYEE);
	CHECK(seen.payload.has_keysend && !seen.payload.has_secret);
	hash = sha256(seen.payload.keysend.v, 32);
	CHECK(SAME(hash, o->payment_hash));
	CHECK_EQ(seen.payload.custom_count, 2);
	CHECK_EQ(seen.payload.custom[0].type, 65537);
	CHECK_EQ(seen.payload.custom[1].type, 7629169);
	CHECK(bytes_equal(seen.payload.custom[1].value, BYTES("b", 1)));
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &seen.payload.keysend));
	CHECK_EQ(reply_to(&s->effects, 101)->kind, COMMAND_KEYSEND);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_OK);
	/* bLIP 3: a preimage is used once. */
	pay(s, &second);
	CHECK(!SAME(only_offer(s)->payment_hash, hash));
	/* A payee without invoice takes one HTLC: too much for the channel is too much. */
	second.amount = MSAT(600000);
	second.call = 300;
	add_channel(s, 8, PAYEE, 500000);
	pay(s, &second);
	CHECK_EQ(reply_to(&s->effects, 300)->code, REPLY_PAY_NO_ROUTE);
	scene_release(s);
}

TEST(a_call_that_is_gone_is_not_answered)
{
	struct scene *s = scene();
	struct send_request q = request(1, 1000), again = request(1, 1000);
	struct preimage preimage = preimage_of(1);

	again.call = 200;
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	send_pay(s->send, &s->step, &again);
	send_call_gone(s->send, 101);
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &preimage));
	CHECK(!find_reply(&s->effects, 101));
	CHECK_EQ(reply_to(&s->effects, 200)->code, REPLY_OK);
	scene_release(s);
}

TEST(an_amount_in_several_parts)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000);
	struct preimage preimage = preimage_of(1);
	struct send_offer *o;
	uint64_t delivered = 0;

	add_channel(s, 7, PAYEE, 60000);
	add_channel(s, 8, PAYEE, 70000);
	/* An invoice that does not offer it is paid in one part or not at all. */
	pay(s, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_NO_ROUTE);

	/* B4.basic_multi_part_payments.2 B4.basic_multi_part_payments.3: at once, over both channels. */
	q.basic_mpp = true;
	pay(s, &q);
	CHECK_EQ(count_offers(s), 2);
	for (o = s->offers.head; o; o = o->next) {
		struct seen seen = open_at(s, o->onion, &q.payment_hash, PAYEE);

		/* B4.basic_multi_part_payments.1 B4.basic_multi_part_payments.9 B4.basic_multi_part_payments.5 */
		CHECK(SAME(o->payment_hash, q.payment_hash));
		CHECK(seen.payload.has_secret && SAME(seen.payload.secret, q.secret));
		CHECK_EQ(seen.payload.total.v, 100000);
		CHECK_EQ(seen.payload.amount.v, o->amount.v);
		delivered += o->amount.v;
	}
	/* B4.basic_multi_part_payments.7 B4.basic_multi_part_payments.8 */
	CHECK_EQ(delivered, 100000);
	CHECK_EQ(s->offers.head->channel_key, 8);
	CHECK_EQ(s->offers.head->amount.v, 70000);
	CHECK_EQ(s->offers.last->channel_key, 7);
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 7, 11, &preimage));
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_OK);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.parts, 2);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.sent.v, 100000);
	/* The other part is still ours until its channel is done with it. */
	CHECK(send_owns(s->send, 8, 10));
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 8, 10, &preimage));
	CHECK(!send_owns(s->send, 8, 10));
	CHECK_EQ(count_effects(&s->effects, EFFECT_REPLY), 0);
	scene_release(s);
}

TEST(parts_are_limited_in_number)
{
	struct scene *s = scene();
	struct send_request q = request(1, SEND_PARTS_MAX * 1000 + 1);

	q.basic_mpp = true;
	for (uint64_t key = 0; key < 60; key++)
		add_channel(s, key, PAYEE, 1000);
	pay(s, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_NO_ROUTE);
	q.amount = q.invoice_amount = MSAT(SEND_PARTS_MAX * 1000);
	pay(s, &q);
	CHECK_EQ(count_offers(s), SEND_PARTS_MAX);
	scene_release(s);
}

TEST(fees_and_delay_are_considered_first)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000);
	struct path_hint_hop a = hint_over_a(), b = hint_over_b();
	struct path_hint hints[2] = { { &b, 1 }, { &a, 1 } };

	q.hints = hints;
	q.hint_count = 2;
	add_channel(s, 7, PEER_A, 500000);
	add_channel(s, 8, PEER_B, 500000);
	/* B11.payer_payee_requirements.2: the cheaper of two ways. */
	pay(s, &q);
	CHECK_EQ(only_offer(s)->channel_key, 7);
	scene_release(s);

	/* A limit below what the cheapest costs. */
	s = scene();
	q.has_fee_limit = true;
	q.fee_limit = MSAT(1009);
	add_channel(s, 7, PEER_A, 500000);
	pay(s, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_TOO_EXPENSIVE);
	CHECK_EQ(count_offers(s), 0);
	q.fee_limit = MSAT(1010);
	pay(s, &q);
	CHECK_EQ(only_offer(s)->amount.v, 101010);
	scene_release(s);

	/* The default: 0.5 %, at least 5000 msat. */
	s = scene();
	q.has_fee_limit = false;
	a.fee_base_msat = 4991;
	add_channel(s, 7, PEER_A, 500000);
	pay(s, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_TOO_EXPENSIVE);
	a.fee_base_msat = 4990;
	pay(s, &q);
	CHECK_EQ(only_offer(s)->amount.v, 105000);
	scene_release(s);

	s = scene();
	q.max_delay = 24 + SEND_CLTV_SLACK + 39;
	add_channel(s, 7, PEER_A, 500000);
	pay(s, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_TOO_EXPENSIVE);
	CHECK(strstr(reply_to(&s->effects, 101)->message, "longer than allowed"));
	q.max_delay++;
	pay(s, &q);
	CHECK_EQ(count_offers(s), 1);
	scene_release(s);
}

TEST(fees_of_all_parts_count_together)
{
	struct scene *s = scene();
	struct send_request q = request(1, 100000);
	struct path_hint_hop a = hint_over_a(), b = hint_over_b();
	struct path_hint hints[2] = { { &b, 1 }, { &a, 1 } };

	q.hints = hints;
	q.hint_count = 2;
	q.basic_mpp = true;
	q.has_fee_limit = true;
	q.fee_limit = MSAT(3008);
	add_channel(s, 7, PEER_A, 60000);
	add_channel(s, 8, PEER_B, 60000);
	pay(s, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_PAY_TOO_EXPENSIVE);
	q.fee_limit = MSAT(3009);
	pay(s, &q);
	CHECK_EQ(count_offers(s), 2);
	scene_release(s);
}

TEST(what_is_asked_is_what_was_ordered)
{
	const struct sciddir_or_pubkey exclude[2] = { { .is_pubkey = true, .pubkey = node_id(PEER_B) },
						      { .scid = { 500 }, .direction = 1 } };
	struct send_request q = request(1, 100000000);
	struct pubkey left_out = node_id(PEER_B);
	struct scene *s = scene();
	const struct send_question *asked;

	q.basic_mpp = true;
	q.exclude = exclude;
	q.exclude_count = 2;
	q.max_delay = 300;
	q.delay_ppb = 77;
	send_pay(s->send, &s->step, &q);
	ask(s);
	asked = only_question(s);
	CHECK(SAME(asked->payee, q.payee));
	CHECK_EQ(asked->amount.v, 100000000);
	CHECK_EQ(asked->fee_limit.v, 500000);
	CHECK_EQ(asked->part_min.v, SEND_PART_MIN.v);
	/* B11.payer_payee_requirements.2 */
	CHECK_EQ(asked->cltv_max, 300);
	CHECK_EQ(asked->final_cltv, 24 + SEND_CLTV_SLACK);
	CHECK_EQ(asked->delay_ppb, 77);
	CHECK_EQ(asked->parts_max, SEND_PARTS_MAX);
	CHECK_EQ(asked->limit_count, 2);
	CHECK(limit_of(asked, 0, &left_out) && limit_of(asked, 500, NULL)->direction == 1 && limit_of(asked, 500, NULL)->most.v == 0);
	/* Without an answer nothing happens, and a second call only waits. */
	q.call = 200;
	send_pay(s->send, &s->step, &q);
	CHECK(!send_wants_flush(s->send));
	scene_release(s);

	s = scene();
	q.exclude_count = SEND_EXCLUDE_MAX + 1;
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 200)->code, REPLY_INVALID);
	scene_release(s);
}

/* Somebody else pays the rest at the same time. */
TEST(a_part_of_an_invoice)
{
	struct send_request q = request(1, 100000);
	struct preimage preimage = preimage_of(1);
	struct scene *s = scene();
	struct seen seen;

	q.amount = MSAT(30000);
	q.total = MSAT(100000);
	add_channel(s, 7, PAYEE, 500000);
	/* B4.basic_multi_part_payments.10: a payee that takes no parts is told the amount that it gets. */
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	q.basic_mpp = true;
	pay(s, &q);
	CHECK_EQ(only_offer(s)->amount.v, 30000);
	seen = open_at(s, only_offer(s)->onion, &q.payment_hash, PAYEE);
	/* B4.basic_multi_part_payments.5: the total stays the invoice's. */
	CHECK_EQ(seen.payload.total.v, 100000);
	CHECK_EQ(seen.payload.amount.v, 30000);
	next_step(s);
	CHECK(send_fulfilled(s->send, &s->step, 7, 10, &preimage));
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.amount.v, 30000);
	scene_release(s);
	/* More than the whole is none. */
	s = scene();
	q.amount = MSAT(100001);
	next_step(s);
	send_pay(s->send, &s->step, &q);
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_INVALID);
	scene_release(s);
}

TEST(a_probe_is_nowhere_and_few_at_once)
{
	struct send_request q = request(1, 5000);
	struct scene *s = scene();
	struct sha256 hash;
	struct seen seen;
	uint32_t at = 0;

	q.kind = PAYMENT_PROBE;
	add_channel(s, 7, PAYEE, 500000);
	pay(s, &q);
	hash = only_offer(s)->payment_hash;
	CHECK(!SAME(hash, q.payment_hash));
	seen = open_at(s, only_offer(s)->onion, &hash, PAYEE);
	CHECK(!seen.payload.has_keysend && !seen.payload.has_secret);
	CHECK(SAME(only_offer(s)->part->shared[0], seen.secret));
	/* Nothing of it is stored or listed. */
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 0);
	CHECK(!send_next(s->send, &at) && !send_by_hash(s->send, &hash));
	CHECK(send_owns(s->send, 7, 10));
	{
		struct send_offer o = *only_offer(s);

		o.onion = arena_bytes(&s->arena, o.onion);
		next_step(s);
		fail_offer(s, &o, 10, (const uint8_t[]){ PAYEE }, 1, failure_payment_details(MSAT(5000), HEIGHT));
	}
	CHECK_EQ(reply_to(&s->effects, 101)->code, REPLY_OK);
	CHECK_EQ(reply_to(&s->effects, 101)->kind, COMMAND_PROBE);
	CHECK_EQ(reply_to(&s->effects, 101)->u.pay.try_count, 1);
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST) + count_effects(&s->effects, EFFECT_NOTIFY), 0);
	CHECK_EQ(send_pending_count(s->send), 0);
	/* The scene takes five pending payments; of probes there may be SEND_PROBES_MAX. */
	for (uint8_t v = 1; v <= 6; v++) {
		q.call = 200 + v;
		next_step(s);
		send_pay(s->send, &s->step, &q);
		CHECK_EQ(find_reply(&s->effects, q.call) != NULL, v == 6);
	}
	scene_release(s);
}
