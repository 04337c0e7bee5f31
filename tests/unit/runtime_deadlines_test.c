/* The clocks of HTLCs, at their last good block and at the one after it. */
#include "node/deadlines.h"
#include "tests/unit/node_three.h"

static const struct close_evidence *evidence(const struct channel *ch)
{
	return &channel_record_of(ch)->close;
}

static enum channel_state state_of(const struct channel *ch)
{
	return channel_state_of(ch);
}

/* An HTLC from a through b to c, which is cut off before it can answer.  Returns a's wait for it. */
static uint64_t stuck_at_c(struct way *w, uint64_t msat)
{
	struct bill bill;
	uint64_t call;

	bill = bill_of(&c, msat, NULL);
	*w = way_to_c(&bill);
	CHECK_EQ(row_code(&a, order_way(&a, w)), REPLY_OK);
	call = order_wait(&a, w, 0);
	/* b's commitment_signed is out, so the HTLC is in c's commitment; what c says to it does not arrive. */
	while (!rig_has_sent(&c, bc, MSG_REVOKE_AND_ACK))
		CHECK(row_deliver_one());
	rig_unlink_both(&b, &c, bc);
	row_pump();
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 1);
	CHECK(!rig_reply(&a, call));
	return call;
}

static uint32_t expiry_at(const struct rig *r, const struct rig *other, enum side owner)
{
	const struct channel_htlc *h = channel_htlc_next(channel_between(r, other), NULL);

	CHECK(h && h->owner == owner);
	return h->cltv_expiry;
}

TEST(the_numbers_are_those_of_the_text)
{
	/* BOLT 2 "cltv_expiry_delta Selection" with R=2, G=2, S=12 */
	CHECK_EQ(DEADLINE_CLTV_DELTA, 34);
	CHECK_EQ(DEADLINE_FULFIL_BLOCKS, 18);
	CHECK(DEADLINE_FINAL_BLOCKS > DEADLINE_TAKE_BLOCKS && DEADLINE_TAKE_BLOCKS > DEADLINE_FULFIL_BLOCKS);
}

TEST(an_offered_htlc_that_outlives_its_expiry)
{
	const struct channel *ch;
	uint32_t expiry;
	struct way w;

	row();
	(void)stuck_at_c(&w, 50000000);
	expiry = expiry_at(&b, &c, SIDE_LOCAL);
	/* B2.cltv_expiry_delta.1, B2.cltv_expiry_delta.2: expiry and two blocks of grace */
	row_blocks(expiry + 2 - b.height);
	ch = channel_between(&b, &c);
	CHECK_EQ(state_of(ch), CHANNELD_NORMAL);
	row_blocks(1);
	/* B2.cltv_expiry_delta.4, B5.failing_a_channel.4 */
	CHECK_EQ(state_of(ch), AWAITING_UNILATERAL);
	CHECK(rig_take(&b, EFFECT_BROADCAST));
	CHECK_EQ(evidence(ch)->cause, CLOSE_HTLC_EXPIRED);
	CHECK(evidence(ch)->has_htlc);
	CHECK_EQ(evidence(ch)->htlc_id, 0);
	CHECK_EQ(evidence(ch)->htlc_owner, SIDE_LOCAL);
	CHECK_EQ(evidence(ch)->htlc_expiry, expiry);
	CHECK_EQ(evidence(ch)->height, expiry + 3);
	/* The chain decides about it: nothing is failed upstream, and that channel has time (B2.forwarding_htlcs.2). */
	row_pump();
	CHECK_EQ(state_of(channel_between(&b, &a)), CHANNELD_NORMAL);
	CHECK_EQ(channel_htlc_count(channel_between(&b, &a)), 1);
	/* c has not fulfilled it: not its deadline. */
	CHECK_EQ(state_of(channel_between(&c, &b)), CHANNELD_NORMAL);
}

/* c knows the preimage and is ready to fulfil; b is away. */
static struct way fulfilled_at_c(uint64_t msat)
{
	struct bill bill;
	struct way w;

	row();
	bill = bill_of(&c, msat, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	while (!rig_has_sent(&c, bc, MSG_UPDATE_FULFILL_HTLC))
		CHECK(row_deliver_one());
	rig_unlink_both(&b, &c, bc);
	row_pump();
	CHECK_EQ(row_invoice_state(&c, &bill), INVOICE_PAID);
	return w;
}

TEST(a_fulfilled_htlc_must_be_gone_in_time)
{
	const struct channel *ch;
	uint32_t expiry;

	(void)fulfilled_at_c(50000000);
	ch = channel_between(&c, &b);
	expiry = expiry_at(&c, &b, SIDE_REMOTE);
	/* B2.cltv_expiry_delta.5: 18 blocks before the expiry */
	row_blocks(expiry - 19 - c.height);
	CHECK_EQ(state_of(ch), CHANNELD_NORMAL);
	row_blocks(1);
	CHECK_EQ(state_of(ch), AWAITING_UNILATERAL); /* B2.cltv_expiry_delta.8 */
	CHECK(rig_take(&c, EFFECT_BROADCAST));
	CHECK_EQ(evidence(ch)->cause, CLOSE_HTLC_UNCLAIMED);
	CHECK_EQ(evidence(ch)->htlc_owner, SIDE_REMOTE);
	CHECK_EQ(evidence(ch)->htlc_expiry, expiry);
	/* b's offer is not late. */
	CHECK_EQ(state_of(channel_between(&b, &c)), CHANNELD_NORMAL);
}

TEST(an_error_says_why_to_a_peer_that_is_there)
{
	struct msg_error e;
	struct arena arena;
	struct way w;

	row();
	(void)stuck_at_c(&w, 50000000);
	row_blocks(expiry_at(&b, &c, SIDE_LOCAL) + 2 - b.height);
	rig_unlink_both(&a, &b, ab);
	row_connect();
	/* c is there again, and says nothing but its init. */
	rig_message(&b, bc, rig_sent(&c, MSG_INIT));
	row_blocks(1);
	arena_init(&arena);
	/* B2.cltv_expiry_delta.3 */
	CHECK_EQ(msg_error_decode(rig_sent(&b, MSG_ERROR), &arena, &e), DECODE_OK);
	CHECK(SAME(e.channel_id, *channel_id_of(channel_between(&b, &c))));
	arena_release(&arena);
}

TEST(an_error_says_that_a_fulfilment_is_not_taken)
{
	struct msg_error e;
	struct arena arena;

	(void)fulfilled_at_c(50000000);
	row_blocks(expiry_at(&c, &b, SIDE_REMOTE) - 19 - c.height);
	rig_unlink_both(&a, &b, ab);
	row_connect();
	rig_message(&c, bc, rig_sent(&b, MSG_INIT));
	row_blocks(1);
	arena_init(&arena);
	/* B2.cltv_expiry_delta.7 */
	CHECK_EQ(msg_error_decode(rig_sent(&c, MSG_ERROR), &arena, &e), DECODE_OK);
	CHECK(SAME(e.channel_id, *channel_id_of(channel_between(&c, &b))));
	arena_release(&arena);
}

/* --- what is not worth the chain --- */

TEST(dust_is_failed_upstream_instead)
{
	const struct reply *reply;
	uint64_t call;
	struct way w;
	uint32_t expiry;

	row();
	call = stuck_at_c(&w, 300000);
	expiry = expiry_at(&b, &c, SIDE_LOCAL);
	row_blocks(expiry + 2 - b.height);
	row_pump();
	CHECK(!rig_reply(&a, call));
	row_blocks(1);
	row_pump();
	reply = rig_reply(&a, call);
	CHECK(reply);
	CHECK_EQ(reply->u.sendpay.failure_code, FAIL_TEMPORARY_CHANNEL_FAILURE);
	CHECK_EQ(reply->u.sendpay.erring_index, 1);
	CHECK_EQ(htlcs_of(&a), 0);
	/* However long it takes, nobody closes. */
	row_blocks(100);
	row_pump();
	CHECK_EQ(state_of(channel_between(&b, &c)), CHANNELD_NORMAL);
	CHECK_EQ(state_of(channel_between(&c, &b)), CHANNELD_NORMAL);
	CHECK_EQ(state_of(channel_between(&a, &b)), CHANNELD_NORMAL);
	rig_unlink_both(&a, &b, ab);
	row_connect();
	row_pump();
	row_is_quiet();
}

TEST(so_is_what_a_claim_would_cost_more_than)
{
	uint64_t call;
	struct way w;

	row();
	rig_fees(&b, 5000);
	row_pump();
	call = stuck_at_c(&w, 5000000); /* 6000 sat for 1200 units of weight */
	row_blocks(expiry_at(&b, &c, SIDE_LOCAL) + 3 - b.height);
	row_pump();
	CHECK(rig_reply(&a, call));
	CHECK_EQ(state_of(channel_between(&b, &c)), CHANNELD_NORMAL);
	row();
	rig_fees(&b, 5000);
	row_pump();
	call = stuck_at_c(&w, 6001000);
	row_blocks(expiry_at(&b, &c, SIDE_LOCAL) + 3 - b.height);
	row_pump();
	CHECK(!rig_reply(&a, call));
	CHECK_EQ(state_of(channel_between(&b, &c)), AWAITING_UNILATERAL);
}

TEST(a_crash_does_not_make_dust_dear)
{
	uint64_t call;
	struct way w;

	row();
	call = stuck_at_c(&w, 300000);
	row_blocks(expiry_at(&b, &c, SIDE_LOCAL) + 3 - b.height);
	/* What b has decided is stored; a has not heard of it. */
	rig_disconnected(&a, ab);
	rig_restart(&b);
	ab = 1000;
	rig_link(&a, &b, ab);
	(void)rig_pump_some(&a, &b, ab);
	CHECK(rig_reply(&a, call));
	CHECK_EQ(htlcs_of(&a), 0);
	CHECK_EQ(state_of(channel_between(&b, &c)), CHANNELD_NORMAL);
}

/* What the peer may gain by holding worthless ones is bounded: together they are worth a close. */
TEST(much_dust_is_worth_a_close)
{
	struct bill bill;
	struct way w;

	row_begin();
	b.config.dust_exposure_max = MSAT(1000000);
	row_start();
	rig_fees(&b, 5000);
	row_pump();
	/* c holds them all: the rest of the set does not come. */
	bill = bill_of(&c, 2000000, NULL);
	w = way_to_c(&bill);
	w.has_total = true;
	w.total = bill.amount;
	w.hops[1].amount = MSAT(450000);
	for (w.part = 1; w.part <= 3; w.part++)
		CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	row_pump();
	rig_unlink_both(&b, &c, bc);
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 3);
	row_blocks(expiry_at(&b, &c, SIDE_LOCAL) + 3 - b.height);
	CHECK_EQ(state_of(channel_between(&b, &c)), AWAITING_UNILATERAL);
	CHECK_EQ(evidence(channel_between(&b, &c))->cause, CLOSE_HTLC_EXPIRED);
}

TEST(fulfilled_dust_is_waited_for)
{
	uint32_t expiry;

	(void)fulfilled_at_c(300000);
	expiry = expiry_at(&c, &b, SIDE_REMOTE);
	row_blocks(expiry + 10 - c.height);
	CHECK_EQ(state_of(channel_between(&c, &b)), CHANNELD_NORMAL);
}

/* --- the last hop --- */

static enum reply_code pay_with_delay(uint32_t delay)
{
	struct route_hop hop = { .node = b.id, .amount = MSAT(1000000), .delay = delay };
	struct way w = { .bill = bill_of(&b, 1000000, NULL) };
	uint64_t call;

	CHECK_EQ(row_code(&a, order_hops(&a, &w, &hop, 1)), REPLY_OK);
	call = order_wait(&a, &w, 0);
	row_pump();
	return row_code(&a, call);
}

TEST(a_payment_must_leave_time_to_claim_it)
{
	row();
	/* The invoice asks for DEADLINE_FINAL_BLOCKS; a delay counts from the next block. */
	CHECK_EQ(pay_with_delay(DEADLINE_FINAL_BLOCKS - 2), REPLY_PAY_DESTINATION);
	CHECK_EQ(pay_with_delay(DEADLINE_FINAL_BLOCKS - 1), REPLY_OK);
	/* B2.cltv_expiry_delta.6 */
	CHECK(b.config.cltv_final_blocks > DEADLINE_FULFIL_BLOCKS);
}

/* A part that waits for the others of its set. */
TEST(an_undecided_htlc_is_failed_before_its_deadline)
{
	const struct reply *reply;
	struct bill bill;
	uint64_t call;
	uint32_t expiry;
	struct way w;

	row();
	bill = bill_of(&c, 8000000, NULL);
	w = way_to_c(&bill);
	w.has_total = true;
	w.total = bill.amount;
	w.part = 1;
	w.hops[1].amount = MSAT(4000000);
	w.hops[0].amount = MSAT(5000000);
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	call = order_wait(&a, &w, 0);
	row_pump();
	expiry = expiry_at(&c, &b, SIDE_REMOTE);
	row_blocks(expiry - 19 - c.height);
	row_pump();
	CHECK(!rig_reply(&a, call));
	row_blocks(1);
	row_pump();
	/* B2.forwarding_htlcs.3, B2.update_fulfill_htlc_update_fail_htlc.2 */
	reply = rig_reply(&a, call);
	CHECK(reply);
	CHECK_EQ(reply->u.sendpay.failure_code, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
	CHECK_EQ(reply->u.sendpay.erring_index, 2);
	row_is_quiet();
	/* The rest that comes now finds no set to join. */
	w.part = 2;
	CHECK_EQ(row_invoice_state(&c, &bill), INVOICE_UNPAID);
}

TEST(an_onion_that_nobody_opens_is_failed_before_its_deadline)
{
	struct way w;
	uint32_t expiry;
	uint64_t call;

	w = ready();
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	call = order_wait(&a, &w, 0);
	/* The next message to c makes it irrevocable, and c asks for its secret. */
	while (!rig_has_sent(&b, bc, MSG_REVOKE_AND_ACK))
		CHECK(row_deliver_one());
	c.signer_late = true;
	row_pump();
	row_blocks(1);
	CHECK(!rig_reply(&a, call));
	expiry = expiry_at(&c, &b, SIDE_REMOTE);
	row_blocks(expiry - 19 - c.height);
	row_pump();
	CHECK(!rig_reply(&a, call));
	c.signer_late = false;
	row_blocks(1);
	row_pump();
	CHECK(rig_reply(&a, call));
	row_is_quiet();
}
