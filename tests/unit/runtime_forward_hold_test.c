/* Somebody outside decides: about each HTLC before it is forwarded, and about whole sets before their invoice is paid. */
#include "crypto/hash.h"
#include "tests/unit/node_three.h"

static struct held_thing last;
static uint32_t asked;

/* What b or c asks its decider. */
static void take_asked(struct rig *r)
{
	asked = 0;
	for (struct rig_item *i = r->head, *next; i; i = next) {
		next = i->next;
		if (i->kind != EFFECT_NOTIFY || i->notify != NOTIFY_HELD)
			continue;
		last = i->held;
		asked++;
		rig_unlink(r, i);
	}
}

static enum reply_code answer(struct rig *r, enum hold_action action, const struct preimage *preimage, uint16_t code)
{
	struct command order = { .kind = COMMAND_HOLD };

	order.u.hold.name = last.name;
	order.u.hold.action = action;
	order.u.hold.code = code;
	if (preimage)
		order.u.hold.preimage = *preimage;
	return row_code(r, rig_command(r, &order));
}

/* a is on its way to pay an invoice of c, which the decider of `asking` is asked about.  Returns the call that waits. */
static uint64_t ask_about_one(struct way *w, struct rig *asking, const struct preimage *preimage)
{
	struct bill bill = bill_of(&c, 5000000, preimage);

	*w = way_to_c(&bill);
	CHECK_EQ(row_code(&a, order_way(&a, w)), REPLY_OK);
	row_pump();
	take_asked(asking);
	CHECK_EQ(asked, 1);
	return order_wait(&a, w, 0);
}

/* A payment that b holds. */
static uint64_t held_way(struct way *w, bool fail_by_default)
{
	uint64_t waits;

	row_begin();
	b.config.hold_forwards = true;
	b.config.hold_forwards_fail = fail_by_default;
	row_start();
	waits = ask_about_one(w, &b, NULL);
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 0);
	return waits;
}

TEST(a_forward_waits_until_it_is_let_go)
{
	struct way w;
	uint64_t waits = held_way(&w, true);

	CHECK(last.name.kind == HOLD_FORWARD && SAME(last.payment_hash, w.bill.hash));
	CHECK(last.in_amount.v == w.hops[0].amount.v && last.out_amount.v == w.hops[1].amount.v);
	CHECK_EQ(last.out_channel.v, w.hops[1].scid.v);
	/* The last block at which it is forwarded: that of the outgoing expiry, here. */
	CHECK_EQ(last.deadline_height, last.out_expiry - b.config.forward_expiry_min_blocks);
	CHECK(last.deadline_height <= last.in_expiry - b.config.forward_cltv_delta);
	CHECK_EQ(last.deadline_ms, b.now_ms + b.config.hold_forwards_ms);
	CHECK(last.otherwise == HOLD_FAIL && last.parts == 1);
	CHECK_EQ(answer(&b, HOLD_CONTINUE, NULL, 0), REPLY_OK);
	row_pump();
	CHECK_EQ(row_code(&a, waits), REPLY_OK);
	CHECK_EQ(answer(&b, HOLD_CONTINUE, NULL, 0), REPLY_HOLD_UNKNOWN);
	take_asked(&b);
	CHECK_EQ(asked, 0);
	row_is_quiet();
}

TEST(a_forward_is_failed_with_the_code_of_the_decider)
{
	/* Codes that nothing in this node finds a reason for: B4.failure_messages.9 and on. */
	static const uint16_t codes[] = { FAIL_PERMANENT_NODE_FAILURE, FAIL_REQUIRED_NODE_FEATURE_MISSING, FAIL_TEMPORARY_NODE_FAILURE,
					  FAIL_REQUIRED_CHANNEL_FEATURE_MISSING, FAIL_PERMANENT_CHANNEL_FAILURE, FAIL_UNKNOWN_NEXT_PEER };

	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		struct way w;
		uint64_t waits = held_way(&w, false);
		const struct reply *reply;

		/* Those that are not a forwarder's, or need data of their own. */
		CHECK_EQ(answer(&b, HOLD_FAIL, NULL, FAIL_MPP_TIMEOUT), REPLY_INVALID);
		CHECK_EQ(answer(&b, HOLD_FAIL, NULL, FAIL_INVALID_ONION_HMAC), REPLY_INVALID);
		CHECK_EQ(answer(&b, HOLD_FAIL, NULL, FAIL_FEE_INSUFFICIENT), REPLY_INVALID);
		CHECK_EQ(answer(&b, HOLD_FAIL, NULL, codes[i]), REPLY_OK);
		row_pump();
		reply = rig_reply(&a, waits);
		CHECK(reply && reply->u.sendpay.failure_code == codes[i]);
		CHECK_EQ(reply->u.sendpay.erring_index, 1);
		row_is_quiet();
	}
}

TEST(a_forward_is_resolved_with_a_preimage)
{
	struct preimage preimage = { { 7 } }, wrong = { { 8 } };
	struct way w;
	uint64_t waits;

	row_begin();
	b.config.hold_forwards = true;
	row_start();
	waits = ask_about_one(&w, &b, &preimage);
	CHECK_EQ(answer(&b, HOLD_RESOLVE, &wrong, 0), REPLY_INVALID);
	CHECK_EQ(answer(&b, HOLD_RESOLVE, &preimage, 0), REPLY_OK);
	row_pump();
	CHECK_EQ(row_code(&a, waits), REPLY_OK);
	CHECK_EQ(channel_to_us(channel_between(&b, &a)).v, w.hops[0].amount.v);
	CHECK_EQ(row_invoice_state(&c, &w.bill), INVOICE_UNPAID);
	row_is_quiet();
}

TEST(a_decider_that_keeps_silent)
{
	for (int fail = 0; fail < 2; fail++) {
		struct way w;
		uint64_t waits = held_way(&w, fail);
		const struct reply *reply;

		rig_tick(&b, b.config.hold_forwards_ms - 1);
		row_pump();
		CHECK(!rig_reply(&a, waits));
		CHECK(node_deadline(b.node) <= b.now_ms + 1);
		rig_tick(&b, 1);
		row_pump();
		reply = rig_reply(&a, waits);
		CHECK(reply && reply->code == (fail ? REPLY_PAY_TRY_OTHER_ROUTE : REPLY_OK));
		if (fail)
			CHECK_EQ(reply->u.sendpay.failure_code, FAIL_TEMPORARY_CHANNEL_FAILURE);
		row_is_quiet();
	}
}

/* At the last block at which it may still go on: later it would be too near to its expiry. */
TEST(a_forward_whose_blocks_run_out)
{
	for (int fail = 0; fail < 2; fail++) {
		struct way w;
		uint64_t waits = held_way(&w, fail);
		const struct reply *reply;

		while (b.height + 1 < last.deadline_height)
			rig_block(&b, NULL, 0);
		row_pump();
		CHECK_EQ(channel_htlc_count(channel_between(&b, &a)), 1);
		CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 0);
		rig_block(&b, NULL, 0);
		row_pump();
		reply = rig_reply(&a, waits);
		CHECK(reply && reply->code == (fail ? REPLY_PAY_TRY_OTHER_ROUTE : REPLY_OK));
		CHECK(channel_is_usable(channel_between(&b, &a)) && channel_is_usable(channel_between(&b, &c)));
		row_is_quiet();
	}
}

TEST(a_restart_asks_again_by_the_same_name)
{
	struct way w;
	struct hold_name before;
	uint64_t waits = held_way(&w, true);

	before = last.name;
	row_restart(&b);
	row_pump();
	take_asked(&b);
	CHECK_EQ(asked, 1);
	CHECK(last.name.channel_key == before.channel_key && last.name.htlc_id == before.htlc_id);
	CHECK_EQ(answer(&b, HOLD_CONTINUE, NULL, 0), REPLY_OK);
	/* It was let go, and goes on after a crash as any forward does. */
	row_pump();
	CHECK_EQ(row_code(&a, waits), REPLY_OK);
	row_is_quiet();
}

TEST(what_has_changed_meanwhile_is_judged_again)
{
	struct way w;
	uint64_t waits = held_way(&w, false);
	const struct reply *reply;

	rig_unlink_both(&b, &c, bc);
	CHECK_EQ(answer(&b, HOLD_CONTINUE, NULL, 0), REPLY_OK);
	(void)rig_pump_some(&a, &b, ab);
	row_pump();
	reply = rig_reply(&a, waits);
	CHECK(reply && reply->u.sendpay.failure_code == FAIL_TEMPORARY_CHANNEL_FAILURE);
}

/* On chain nothing is forwarded any more; a preimage that comes then still pays. */
TEST(a_held_forward_whose_channel_goes_on_chain)
{
	for (int resolved = 0; resolved < 2; resolved++) {
		struct preimage preimage = { { 3 } };
		struct command order = { .kind = COMMAND_CLOSE };
		struct way w;

		row_begin();
		b.config.hold_forwards = true;
		row_start();
		(void)ask_about_one(&w, &b, &preimage);
		order.u.close.channel.by_peer = true;
		order.u.close.channel.peer = a.id;
		order.u.close.force = true;
		(void)rig_command(&b, &order);
		row_pump();
		CHECK_EQ(answer(&b, resolved ? HOLD_RESOLVE : HOLD_CONTINUE, &preimage, 0), REPLY_OK);
		row_pump();
		CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 0);
		CHECK_EQ(answer(&b, HOLD_CONTINUE, NULL, 0), REPLY_HOLD_UNKNOWN);
		rig_tick(&b, 3600000);
	}
}

/* Asking costs nothing where nobody is to be asked: nothing is held, nothing is told. */
TEST(nobody_is_asked_by_default)
{
	struct way w = ready();

	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	take_asked(&b);
	CHECK_EQ(asked, 0);
	take_asked(&c);
	CHECK_EQ(asked, 0);
}

/* --- invoices --- */

/* Half of it in each of two parts; c holds the set once it is whole. */
static void held_set(struct way *one, struct way *other, uint64_t waits[2])
{
	struct bill bill;

	row_begin();
	c.config.hold_invoices = true;
	row_start();
	bill = bill_of(&c, 8000000, NULL);
	*one = way_to_c(&bill);
	one->has_total = true;
	one->total = bill.amount;
	one->hops[1].amount = MSAT(4000000);
	one->hops[0].amount = MSAT(4000000 + fee_of_b(MSAT(4000000)).v);
	one->part = 1;
	*other = *one;
	other->part = 2;
	CHECK_EQ(row_code(&a, order_way(&a, one)), REPLY_OK);
	row_pump();
	take_asked(&c);
	CHECK_EQ(asked, 0); /* not of a part */
	CHECK_EQ(row_code(&a, order_way(&a, other)), REPLY_OK);
	row_pump();
	waits[0] = order_wait(&a, one, 0);
	waits[1] = order_wait(&a, other, 0);
	take_asked(&c);
	CHECK_EQ(asked, 1);
	CHECK(last.name.kind == HOLD_INVOICE && SAME(last.name.payment_hash, bill.hash) && last.parts == 2);
	CHECK_EQ(last.in_amount.v, 8000000);
	CHECK_EQ(last.deadline_height, last.in_expiry - DEADLINE_TAKE_BLOCKS);
}

TEST(a_whole_set_waits_longer_than_a_minute)
{
	struct way one, other;
	uint64_t waits[2];

	held_set(&one, &other, waits);
	rig_tick(&c, 3600000);
	row_pump();
	CHECK(!rig_reply(&a, waits[0]));
	CHECK_EQ(row_invoice_state(&c, &one.bill), INVOICE_UNPAID);
	CHECK_EQ(answer(&c, HOLD_CONTINUE, NULL, 0), REPLY_OK);
	row_pump();
	CHECK_EQ(row_code(&a, waits[0]), REPLY_OK);
	CHECK_EQ(row_code(&a, waits[1]), REPLY_OK);
	CHECK_EQ(row_invoice_state(&c, &one.bill), INVOICE_PAID);
	CHECK_EQ(answer(&c, HOLD_FAIL, NULL, 0), REPLY_HOLD_UNKNOWN);
	row_is_quiet();
}

TEST(a_set_is_refused_whole)
{
	static const uint16_t codes[] = { 0, FAIL_TEMPORARY_NODE_FAILURE, FAIL_PERMANENT_NODE_FAILURE, FAIL_REQUIRED_NODE_FEATURE_MISSING };

	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		const uint16_t told = codes[i] ? codes[i] : FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;
		struct way one, other;
		uint64_t waits[2];

		held_set(&one, &other, waits);
		CHECK_EQ(answer(&c, HOLD_FAIL, NULL, FAIL_UNKNOWN_NEXT_PEER), REPLY_INVALID);
		CHECK_EQ(answer(&c, HOLD_FAIL, NULL, codes[i]), REPLY_OK);
		row_pump();
		for (int k = 0; k < 2; k++) {
			const struct reply *reply = rig_reply(&a, waits[k]);

			CHECK(reply && reply->u.sendpay.failure_code == told && reply->u.sendpay.erring_index == 2);
		}
		CHECK_EQ(row_invoice_state(&c, &one.bill), INVOICE_UNPAID);
		row_is_quiet();
	}
}

/* In time for the peer to take it off its commitment: no channel closes. */
TEST(a_set_is_failed_before_its_channel_would_have_to_close)
{
	struct way one, other;
	uint64_t waits[2];

	held_set(&one, &other, waits);
	while (c.height + 1 < last.deadline_height)
		rig_block(&c, NULL, 0);
	row_pump();
	CHECK_EQ(channel_htlc_count(channel_between(&c, &b)), 2);
	rig_block(&c, NULL, 0);
	row_pump();
	CHECK_EQ(channel_htlc_count(channel_between(&c, &b)), 0);
	CHECK(channel_is_usable(channel_between(&c, &b)));
	CHECK_EQ(rig_reply(&a, waits[0])->u.sendpay.failure_code, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
	row_is_quiet();
}

TEST(a_set_is_asked_about_again_after_a_restart)
{
	struct preimage preimage = { { 9 } };
	struct way w;
	uint64_t waits;

	row_begin();
	c.config.hold_invoices = true;
	row_start();
	waits = ask_about_one(&w, &c, &preimage);
	row_restart(&c);
	row_pump();
	take_asked(&c);
	CHECK_EQ(asked, 1);
	CHECK_EQ(answer(&c, HOLD_RESOLVE, &preimage, 0), REPLY_OK);
	row_pump();
	CHECK_EQ(row_code(&a, waits), REPLY_OK);
	CHECK_EQ(row_invoice_state(&c, &w.bill), INVOICE_PAID);
	row_is_quiet();
}
