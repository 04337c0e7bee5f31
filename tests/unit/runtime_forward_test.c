/* Forwarding between whole nodes: payments through b, each failure that b can give, twins, and crashes at every
 * message. */
#include "tests/unit/node_three.h"

TEST(a_payment_goes_through_the_middle)
{
	const struct reply *reply;
	struct way w;

	w = ready();
	reply = pay_way(&a, &w);
	CHECK(reply);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK(reply->u.sendpay.complete);
	CHECK_EQ(reply->u.sendpay.sent.v, w.hops[0].amount.v);
	CHECK_EQ(row_invoice_state(&c, &w.bill), INVOICE_PAID);
	row_is_quiet();
	/* b has earned its fee. */
	CHECK_EQ(channel_to_us(channel_between(&b, &a)).v, w.hops[0].amount.v);
	CHECK_EQ(channel_to_us(channel_between(&b, &c)).v, ROW_SAT * 1000ull - w.bill.amount.v);
}

/* --- refusals --- */

TEST(a_fee_must_be_paid)
{
	struct way w = ready();

	w.hops[0].amount.v--;
	/* B4.failure_messages.18, B4.failure_messages.19, B4.packet_structure.52 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
	w.hops[0].amount.v++;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK); /* B7.htlc_fees.1: not a millisatoshi more */
}

TEST(blocks_between_the_two_expiries_must_be_given)
{
	struct way w = ready();

	w.hops[0].delay--;
	/* B4.failure_messages.20, B4.failure_messages.21, B4.packet_structure.53 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_INCORRECT_CLTV_EXPIRY);
	w.hops[0].delay++;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

TEST(an_expiry_is_neither_too_soon_nor_too_far)
{
	struct way w = ready();
	uint32_t delta = b.config.forward_cltv_delta;

	w.hops[1].delay = 1;
	w.hops[0].delay = 1 + delta;
	/* B4.failure_messages.22, B4.failure_messages.23 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_EXPIRY_TOO_SOON);
	/* B4.failure_messages.24, B2.forwarding_htlcs.4: one more block than 2016 */
	w.hops[1].delay = LAST_DELAY;
	w.hops[0].delay = 2016;
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_EXPIRY_TOO_FAR);
	w.hops[0].delay = 2015;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

TEST(a_channel_must_be_known_and_alive)
{
	struct command order = { .kind = COMMAND_CLOSE };
	struct way w = ready();
	struct scid good = w.hops[1].scid;

	w.hops[1].scid.v++;
	/* B4.failure_messages.15, B4.packet_structure.51 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_UNKNOWN_NEXT_PEER);
	w.hops[1].scid = good;
	/* B4.failure_messages.12: c is away */
	rig_unlink_both(&b, &c, bc);
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_TEMPORARY_CHANNEL_FAILURE);
	row_reconnect();
	row_pump();
	/* B4.failure_messages.13 */
	order.u.close.channel.by_peer = true;
	order.u.close.channel.peer = c.id;
	order.u.close.force = true;
	(void)rig_command(&b, &order);
	row_pump();
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_PERMANENT_CHANNEL_FAILURE);
}

TEST(small_and_great_amounts)
{
	struct bill small, great;
	struct way w;

	row_begin();
	b.config.forward_htlc_min = MSAT(2000);
	row_start();
	small = bill_of(&c, 1999, NULL);
	w = way_to_c(&small);
	w.hops[0].amount.v = 5000;
	/* B4.failure_messages.16, B4.failure_messages.17 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_AMOUNT_BELOW_MINIMUM);
	small = bill_of(&c, 2000, NULL);
	w = way_to_c(&small);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	/* What b's channel cannot carry, since b has paid c already. */
	great = bill_of(&c, 600000000, NULL);
	w = way_to_c(&great);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	row_open(&a, &b, ROW_SAT);
	great = bill_of(&c, 500000000, NULL);
	w = way_to_c(&great);
	/* B4.failure_messages.12 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_TEMPORARY_CHANNEL_FAILURE);
}

/* b's channel to c is nearly as full of dust as it may be: what is held there is b's own. */
TEST(dust_beyond_the_limit_is_failed_upstream)
{
	struct command order = { .kind = COMMAND_SENDPAY };
	struct bill held, bill;
	struct way own, w;

	row_begin();
	b.config.dust_exposure_max = MSAT(300000);
	row_start();
	held = bill_of(&c, 400000, NULL);
	own = way_to_c(&held);
	own.hops[1].amount = MSAT(200000); /* a part: c waits for the rest */
	order.u.sendpay.hops = &own.hops[1];
	order.u.sendpay.hop_count = 1;
	order.u.sendpay.payment_hash = held.hash;
	order.u.sendpay.has_secret = true;
	order.u.sendpay.secret = held.secret;
	order.u.sendpay.has_total = true;
	order.u.sendpay.total = held.amount;
	order.u.sendpay.part = 1;
	CHECK_EQ(row_code(&b, rig_command(&b, &order)), REPLY_OK);
	row_pump();
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 1);
	bill = bill_of(&c, 100001, NULL);
	w = way_to_c(&bill);
	/* B2.max_dust_htlc_exposure_msat.6, B2.max_dust_htlc_exposure_msat.8: no output on either side, and one too many. */
	way_ends(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_TEMPORARY_CHANNEL_FAILURE);
	CHECK_EQ(channel_htlc_count(channel_between(&a, &b)), 0);
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 1);
	bill = bill_of(&c, 100000, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

TEST(dust_that_comes_in_beyond_the_limit_is_not_forwarded)
{
	struct bill bill;
	struct way w;

	row_begin();
	b.config.dust_exposure_max = MSAT(150000);
	row_start();
	bill = bill_of(&c, 200000, NULL);
	w = way_to_c(&bill);
	/* B2.max_dust_htlc_exposure_msat.1, B2.max_dust_htlc_exposure_msat.3 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_TEMPORARY_NODE_FAILURE);
	bill = bill_of(&c, 100000, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

TEST(what_comes_after_our_shutdown_is_not_forwarded)
{
	struct command order = { .kind = COMMAND_CLOSE };
	const struct reply *reply;
	struct way w = ready();
	uint64_t waits;

	/* The two cross: a has not heard of it yet. */
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	waits = order_wait(&a, &w, 0);
	order.u.close.channel.by_peer = true;
	order.u.close.channel.peer = a.id;
	(void)rig_command(&b, &order);
	row_pump();
	reply = rig_reply(&a, waits);
	/* B2.shutdown.7 */
	CHECK(reply && reply->u.sendpay.failure_code == FAIL_TEMPORARY_NODE_FAILURE);
	CHECK_EQ(reply->u.sendpay.erring_index, 1);
	row_is_quiet();
}

TEST(what_the_payee_says_comes_back_wrapped)
{
	struct way w = ready();
	struct way unknown = w;

	unknown.bill.hash.v[0] ^= 1;
	CHECK_EQ(pay_way(&a, &unknown)->code, REPLY_PAY_DESTINATION);
	/* B4.intermediate_nodes.4, B4.intermediate_nodes.5 */
	w.bill.secret.v[0] ^= 1;
	way_fails(&w, REPLY_PAY_DESTINATION, 2, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
	/* The one before it did not keep to the onion: the last delay is c's own to check. */
	w.bill.secret.v[0] ^= 1;
	w.hops[1].delay = 10;
	way_fails(&w, REPLY_PAY_DESTINATION, 2, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
}

TEST(an_onion_that_the_next_one_cannot_open)
{
	struct way w = ready();

	/* Its layer is for another node: c's HMAC fails. */
	w.hops[1].node = a.id;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	row_pump();
	row_is_quiet();
	w.hops[1].node = c.id;
	/* B2.update_fulfill_htlc_update_fail_htlc.13: told on b's behalf */
	CHECK_EQ(rig_payment(&a, &w.bill.hash)->fail_code, REPLY_PAY_TRY_OTHER_ROUTE);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

TEST(no_circle_through_one_channel)
{
	struct way w = ready();

	w.bill = bill_of(&a, 5000000, NULL);
	w.hops[1].node = a.id;
	w.hops[1].scid = channel_record_of(channel_between(&a, &b))->scid;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_PAY_TRY_OTHER_ROUTE);
	row_is_quiet();
}

TEST(another_channel_to_the_same_peer_will_do)
{
	struct way w = ready();
	struct bill bill;

	/* BOLT 4 "Non-strict Forwarding": the named one is empty. */
	bill = bill_of(&c, 700000000, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	row_open(&a, &b, ROW_SAT);
	row_open(&b, &c, ROW_SAT);
	bill = bill_of(&c, 600000000, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	CHECK_EQ(row_invoice_state(&c, &bill), INVOICE_PAID);
}

/* --- twins and collisions --- */

TEST(twins_are_told_apart)
{
	struct bill bill;
	struct way one, other;
	uint64_t waits[2];

	row();
	/* Two HTLCs of one hash and one amount through b: parts of one payment. */
	bill = bill_of(&c, 8000000, NULL);
	one = way_to_c(&bill);
	one.has_total = true;
	one.total = bill.amount;
	one.hops[1].amount = MSAT(4000000);
	one.hops[0].amount = MSAT(4000000 + fee_of_b(MSAT(4000000)).v);
	one.part = 1;
	other = one;
	other.part = 2;
	CHECK_EQ(row_code(&a, order_way(&a, &one)), REPLY_OK);
	CHECK_EQ(row_code(&a, order_way(&a, &other)), REPLY_OK);
	waits[0] = order_wait(&a, &one, 0);
	waits[1] = order_wait(&a, &other, 0);
	row_pump();
	CHECK_EQ(row_code(&a, waits[0]), REPLY_OK);
	CHECK_EQ(row_code(&a, waits[1]), REPLY_OK);
	row_is_quiet();
	/* INV-W2: both were paid, once each. */
	CHECK_EQ(channel_to_us(channel_between(&b, &a)).v, 2 * one.hops[0].amount.v);
	CHECK_EQ(channel_to_us(channel_between(&c, &b)).v, bill.amount.v);
}

TEST(one_twin_fails_alone)
{
	struct bill bill;
	struct way one, other;
	uint64_t waits[2];
	const struct reply *reply;

	row();
	bill = bill_of(&c, 8000000, NULL);
	one = way_to_c(&bill);
	one.has_total = true;
	one.total = bill.amount;
	one.hops[1].amount = MSAT(4000000);
	one.hops[0].amount = MSAT(4000000 + fee_of_b(MSAT(4000000)).v);
	one.part = 1;
	other = one;
	other.part = 2;
	other.hops[0].amount.v--; /* b refuses it */
	CHECK_EQ(row_code(&a, order_way(&a, &one)), REPLY_OK);
	CHECK_EQ(row_code(&a, order_way(&a, &other)), REPLY_OK);
	waits[0] = order_wait(&a, &one, 0);
	waits[1] = order_wait(&a, &other, 0);
	row_pump();
	CHECK(!rig_reply(&a, waits[0]));
	reply = rig_reply(&a, waits[1]);
	CHECK(reply);
	CHECK_EQ(reply->u.sendpay.failure_code, FAIL_FEE_INSUFFICIENT);
	CHECK_EQ(htlcs_of(&b), 2);
	/* The same part again, with what it takes. */
	other.hops[0].amount.v++;
	CHECK_EQ(row_code(&a, order_way(&a, &other)), REPLY_OK);
	waits[1] = order_wait(&a, &other, 0);
	row_pump();
	CHECK_EQ(row_code(&a, waits[0]), REPLY_OK);
	CHECK_EQ(row_code(&a, waits[1]), REPLY_OK);
	row_is_quiet();
}

/* CVE-2020-26896: b has an invoice of the very hash that it is asked to forward.  Its preimage must not pay for a
 * forward; only what the next node reveals may. */
TEST(cve_2020_26896_no_preimage_of_ours_for_a_colliding_forward)
{
	struct preimage preimage = { { 42 } };
	struct bill of_b, of_c;
	struct way w;
	const struct reply *reply;

	row();
	of_b = bill_of(&b, 5000000, &preimage);
	of_c = bill_of(&c, 5000000, &preimage);
	w = way_to_c(&of_c);
	/* c does not take it; b knows the preimage all the same. */
	w.bill.secret = of_b.secret;
	reply = pay_way(&a, &w);
	CHECK_EQ(reply->code, REPLY_PAY_DESTINATION);
	CHECK_EQ(reply->u.sendpay.erring_index, 2); /* INV-W4 */
	CHECK_EQ(row_invoice_state(&b, &of_b), INVOICE_UNPAID);
	row_is_quiet();
	w.bill = of_c;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	CHECK_EQ(row_invoice_state(&b, &of_b), INVOICE_UNPAID);
	CHECK_EQ(row_invoice_state(&c, &of_c), INVOICE_PAID);
}

/* --- crashes --- */

enum ending { PAID, REFUSED };

/* One payment with a crash of `who` after `steps` messages.  False if it ended before. */
static bool crash_after(int who, uint32_t steps, enum ending ending, bool slow_signer)
{
	struct rig *rigs[] = { &a, &b, &c };
	enum payment_state state;
	struct way w = ready();
	uint64_t total;
	bool early = false;

	if (ending == REFUSED)
		w.bill.secret.v[0] ^= 1;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	while (steps-- && !early)
		early = !row_deliver_one();
	b.signer_late = slow_signer;
	row_restart(rigs[who]);
	row_pump();
	for (uint32_t i = 0; slow_signer && i < 40; i++) {
		(void)rig_signer_tick(&b);
		row_pump();
	}
	CHECK(rig_payment(&a, &w.bill.hash));
	state = (enum payment_state)rig_payment(&a, &w.bill.hash)->state;
	CHECK(state != PAYMENT_PENDING);
	row_is_quiet();
	CHECK_EQ(row_invoice_state(&c, &w.bill) == INVOICE_PAID, state == PAYMENT_COMPLETE);
	CHECK(ending == PAID || state == PAYMENT_FAILED);
	/* Whatever happened, it happened on both sides of b. */
	total = channel_to_us(channel_between(&b, &a)).v + channel_to_us(channel_between(&b, &c)).v;
	CHECK_EQ(total, ROW_SAT * 1000ull + (state == PAYMENT_COMPLETE ? fee_of_b(w.bill.amount).v : 0));
	return !early;
}

static void crash_everywhere(enum ending ending, bool slow_signer)
{
	for (int who = 0; who < 3; who++) {
		uint32_t steps = 0;

		while (crash_after(who, steps, ending, slow_signer))
			steps++;
		CHECK(steps > 10);
	}
}

TEST(a_crash_at_every_message_of_a_payment)
{
	crash_everywhere(PAID, false);
}

TEST(a_crash_at_every_message_of_a_failure)
{
	crash_everywhere(REFUSED, false);
}

/* The shared secret for the failure comes late. */
TEST(a_crash_at_every_message_with_a_slow_signer)
{
	crash_everywhere(PAID, true);
	crash_everywhere(REFUSED, true);
}

/* An offer that was never signed for never was: its end is told at once (B2.forwarding_htlcs.2). */
TEST(an_offer_that_was_dropped_fails_upstream)
{
	struct way w = ready();
	const struct reply *reply;
	uint64_t call;

	/* c does not answer b's commitment, so that the next offer waits for it. */
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	(void)rig_pump_some(&a, &b, ab);
	w.bill = bill_of(&c, 5000000, NULL);
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	call = order_wait(&a, &w, 0);
	(void)rig_pump_some(&a, &b, ab);
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 2);
	rig_unlink_both(&b, &c, bc);
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 1);
	(void)rig_pump_some(&a, &b, ab);
	reply = rig_reply(&a, call);
	CHECK(reply);
	CHECK_EQ(reply->u.sendpay.failure_code, FAIL_TEMPORARY_CHANNEL_FAILURE);
	CHECK_EQ(reply->u.sendpay.erring_index, 1);
	/* The one that was signed for waits (B2.forwarding_htlcs.2). */
	CHECK_EQ(channel_htlc_count(channel_between(&a, &b)), 1);
	rig_unlink_both(&a, &b, ab);
	row_connect();
	row_pump();
	row_is_quiet();
}
