/* Whole nodes: payments that are held at their end take the slots of a channel in between. */
#include "node/state.h"
#include "tests/unit/node_three.h"

static struct rig d;

#define BD 900u

static void pump_all(void)
{
	bool moved = true;

	while (moved) {
		moved = rig_pump_some(&b, &d, BD);
		row_pump();
		moved = rig_pump_some(&b, &d, BD) || moved;
	}
}

static void blocks_of_all(const struct bytes *tx, uint32_t count)
{
	struct rig *rigs[] = { &a, &b, &c, &d };

	for (size_t i = 0; i < ARRAY_COUNT(rigs); i++) {
		rig_block(rigs[i], tx, tx ? 1 : 0);
		rig_blocks(rigs[i], count - 1);
	}
}

static void open_to(struct rig *from, struct rig *to)
{
	struct command order = { .kind = COMMAND_FUND_CHANNEL };
	struct bytes funding;

	order.u.fund_channel.peer = to->id;
	order.u.fund_channel.amount = SAT(ROW_SAT);
	(void)rig_command(from, &order);
	pump_all();
	funding = rig_accept_broadcasts(from);
	CHECK(funding.size);
	blocks_of_all(&funding, 6);
	pump_all();
}

/* a and d have channels to b, and b has one to c, which takes ten HTLCs. */
static void star(uint32_t peer_percent)
{
	row_begin();
	rig_free(&d);
	rig_init(&d, 4);
	c.config.htlcs_max = 10;
	b.config.slots_own_percent = 10;
	b.config.slots_small = MSAT(0);
	b.config.slots_protected_percent = peer_percent == 100 ? 0 : 25;
	b.config.slots_peer_percent = peer_percent;
	rig_start(&a);
	rig_start(&b);
	rig_start(&c);
	rig_start(&d);
	row_connect();
	rig_link(&b, &d, BD);
	pump_all();
	open_to(&a, &b);
	open_to(&d, &b);
	open_to(&b, &c);
	CHECK(channel_is_usable(channel_between(&b, &c)) && channel_is_usable(channel_between(&d, &b)));
}

/* Where many are held, an update waits a few milliseconds for others. */
static void let_pass(void)
{
	row_tick(20);
	pump_all();
}

/* Parts of a payment that never comes whole: c holds each for a minute. */
static uint32_t jam(uint32_t tries)
{
	struct bill bill = bill_of(&c, 90000000, NULL);
	struct way w = way_to_c(&bill);

	w.has_total = true;
	w.total = bill.amount;
	w.hops[1].amount = MSAT(1000000);
	w.hops[0].amount = MSAT(1000000 + fee_of_b(MSAT(1000000)).v);
	for (uint32_t i = 1; i <= tries; i++) {
		w.part = i;
		CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
		pump_all();
		let_pass();
	}
	return channel_htlc_count(channel_between(&b, &c));
}

static const struct reply *pays_c(struct rig *r)
{
	struct bill bill = bill_of(&c, 2000000, NULL);
	struct way w = way_to_c(&bill);
	uint64_t waits;

	CHECK_EQ(row_code(r, order_way(r, &w)), REPLY_OK);
	waits = order_wait(r, &w, 0);
	pump_all();
	return rig_reply(r, waits);
}

TEST(held_payments_of_one_peer_leave_room_for_another)
{
	const struct reply *reply;

	star(50);
	/* Of ten slots one is ours, and of the seven that are not protected half. */
	CHECK_EQ(jam(9), 3);
	reply = pays_c(&d);
	CHECK(reply && reply->code == REPLY_OK);
	/* d has earned what is protected; a has not. */
	reply = pays_c(&a);
	CHECK(reply && reply->u.sendpay.failure_code == FAIL_TEMPORARY_CHANNEL_FAILURE); /* B4.failure_messages.12 */
	CHECK_EQ(reply->u.sendpay.erring_index, 1);
	CHECK(slots_has_earned(&b.node->forwards.slots, &d.id, 2, b.now_ms) && !slots_has_earned(&b.node->forwards.slots, &a.id, 2, b.now_ms));
	CHECK_EQ(count_records(&b, RECORD_EARNED), 1); /* what only failed at once is no record */
	/* What is held is counted after a restart as well, and what was earned is not forgotten. */
	row_restart(&b);
	CHECK(slots_has_earned(&b.node->forwards.slots, &d.id, 2, b.now_ms) && !slots_has_earned(&b.node->forwards.slots, &a.id, 2, b.now_ms));
	rig_unlink_both(&b, &d, BD);
	rig_link(&b, &d, BD);
	pump_all();
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 3);
	reply = pays_c(&a);
	CHECK(reply && reply->code != REPLY_OK);
	reply = pays_c(&d);
	CHECK(reply && reply->code == REPLY_OK);
}

TEST(without_limits_one_peer_takes_all_but_ours)
{
	const struct reply *reply;
	struct bill bill;
	struct way w;
	uint64_t waits;

	star(100);
	CHECK_EQ(jam(12), 9);
	reply = pays_c(&d);
	CHECK(reply && reply->u.sendpay.failure_code == FAIL_TEMPORARY_CHANNEL_FAILURE);
	/* The last slot is for b's own payment. */
	bill = bill_of(&c, 2000000, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(row_code(&b, order_hops(&b, &w, &w.hops[1], 1)), REPLY_OK);
	waits = order_wait(&b, &w, 0);
	pump_all();
	let_pass();
	CHECK_EQ(row_code(&b, waits), REPLY_OK);
}
