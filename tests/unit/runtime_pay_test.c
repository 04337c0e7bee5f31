/* pay over whole nodes: along ways that a worker finds, in parts, to a payee behind a hint, around what fails, and
 * through restarts. */
#include "tests/unit/node_net.h"

TEST(a_payment_over_a_forwarder)
{
	const uint64_t msat = 50000000;
	const struct reply *reply;
	struct net_bill bill;
	uint64_t before, fee;

	net_square();
	bill = net_bill(3, msat);
	before = net_msat(0);
	fee = net_fee(1, msat);
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK_EQ(reply->u.pay.parts, 1);
	CHECK_EQ(reply->u.pay.sent.v, msat + fee);
	CHECK_EQ(before - net_msat(0), msat + fee);
	CHECK(net_paid(3, &bill));
	net_is_quiet();
}

/* No channel carries so much. */
TEST(parts_over_two_forwarders)
{
	const uint64_t msat = 1500000000;
	struct net_bill bill;
	uint64_t before[4], earned = 0;
	const struct reply *reply;

	net_square();
	bill = net_bill(3, msat);
	for (uint32_t i = 0; i < 4; i++)
		before[i] = net_msat(i);
	reply = net_pay(&bill);
	/* B4.basic_multi_part_payments.1 B4.basic_multi_part_payments.3 B4.basic_multi_part_payments.7 */
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK_EQ(reply->u.pay.parts, 2);
	CHECK_EQ(net_msat(3) - before[3], msat);
	for (uint32_t i = 1; i < 3; i++) {
		CHECK(net_msat(i) > before[i]);
		earned += net_msat(i) - before[i];
	}
	CHECK_EQ(before[0] - net_msat(0), msat + earned);
	CHECK_EQ(reply->u.pay.sent.v, msat + earned);
	net_is_quiet();
	/* Nothing more is there to be sent. */
	bill = net_bill(3, msat);
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_PAY_NO_ROUTE);
	CHECK(strstr(reply->message, "no way to the payee"));
	net_is_quiet();
}

TEST(a_payee_behind_a_private_channel)
{
	const uint64_t msat = 20000000;
	const struct reply *reply;
	struct net_bill bill;

	net_square();
	net_private[3][4] = true;
	net_link(3, 4);
	net_pump();
	net_open(3, 4, NET_SAT);
	net_restart(0);
	net_pump();
	bill = net_bill(4, msat);
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_PAY_NO_ROUTE);
	CHECK(strstr(reply->message, "neither gossip nor a hint"));
	net_add_hint(&bill, 4, 3);
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK(net_paid(4, &bill));
	CHECK_EQ(reply->u.pay.sent.v, msat + net_fee(3, msat) + net_fee(1, msat + net_fee(3, msat)));
	net_is_quiet();
}

/* The way over 1 is the cheaper one, and has nothing left behind it. */
static void drained(void)
{
	struct net_bill bill;
	uint64_t call;

	net_begin();
	net[2].config.forward_fee_ppm = 1000;
	net_start();
	bill = net_bill(3, 900000000);
	call = net_order(1, &bill);
	net_pump();
	CHECK_EQ(rig_reply(&net[1], call)->code, REPLY_OK);
}

TEST(a_failure_leads_elsewhere_and_is_remembered)
{
	const uint64_t msat = 300000000;
	const struct reply *reply;
	struct net_bill bill;

	drained();
	bill = net_bill(3, msat);
	reply = net_pay(&bill);
	/* B4.receiving_failure_codes.6 */
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK_EQ(reply->u.pay.try_count, 2);
	CHECK_EQ(reply->u.pay.parts, 1);
	CHECK_EQ(net_payment(&bill)->tries[0].failure_code, FAIL_TEMPORARY_CHANNEL_FAILURE);
	CHECK(SAME(net_payment(&bill)->tries[0].erring_node, net[1].id));
	CHECK_EQ(net_payment(&bill)->tries[0].erring_scid.v, net_scid(1, 3).v);
	CHECK_EQ(net_payment(&bill)->tries[1].state, PAYMENT_COMPLETE);
	/* The next payment goes there at once, after a restart too: what was learned is stored. */
	net_restart(0);
	net_pump();
	bill = net_bill(3, msat);
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK_EQ(reply->u.pay.try_count, 1);
	net_is_quiet();
}

static const char *words_of_try(const struct net_bill *bill, uint32_t i)
{
	const struct bytes words = net_payment(bill)->tries[i].words;

	return arena_printf(&net[0].kept, "%.*s", (int)words.size, (const char *)words.data);
}

TEST(a_failure_says_what_was_tried)
{
	uint64_t began;
	const struct reply *reply;
	struct net_bill bill;

	drained();
	net_cut(2, 3);
	bill = net_bill(3, 300000000);
	began = net[0].now_ms;
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_PAY_STOPPED);
	CHECK(strstr(reply->message, "no way to the payee carries what is missing; after 4 tries, the last: "));
	CHECK(strstr(words_of_try(&bill, 0), "said temporary_channel_failure about "));
	CHECK_EQ(net_payment(&bill)->state, PAYMENT_FAILED);
	/* All of it over either, then a share over either: who does not carry half of what he did not carry is not asked for an
	 * eighth, and nothing waits at the payee for what will not come. */
	CHECK_EQ(reply->u.pay.try_count, 4);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ(net_payment(&bill)->tries[i].failure_code, FAIL_TEMPORARY_CHANNEL_FAILURE);
	CHECK_EQ(net[0].now_ms, began);
	net_is_quiet();
}

/* Facts advise and do not forbid. */
TEST(a_payee_that_was_offline_is_tried_again)
{
	const struct reply *reply;
	struct net_bill bill;

	net_square();
	net_private[3][4] = true;
	net_link(3, 4);
	net_pump();
	net_open(3, 4, NET_SAT);
	net_restart(0);
	net_pump();
	net_cut(3, 4);
	bill = net_bill(4, 20000000);
	net_add_hint(&bill, 4, 3);
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_PAY_STOPPED);
	CHECK_EQ(reply->u.pay.try_count, 1);
	CHECK_EQ(net_payment(&bill)->tries[0].failure_code, FAIL_TEMPORARY_CHANNEL_FAILURE);
	/* Another payment asks again, and the payment after the payee is back gets there. */
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_PAY_STOPPED);
	CHECK_EQ(reply->u.pay.try_count, 1);
	net_link(3, 4);
	net_pump();
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK(net_paid(4, &bill));
	net_is_quiet();
}

TEST(a_probe_teaches_and_costs_nothing)
{
	struct command c = { .kind = COMMAND_PROBE };
	const struct reply *reply;
	struct net_bill bill;
	uint64_t call, before;
	uint32_t at = 0;

	drained();
	before = net_msat(0);
	c.u.probe.destination = net[3].id;
	c.u.probe.amount = MSAT(300000000);
	call = rig_command(&net[0], &c);
	net_pump();
	reply = rig_reply(&net[0], call);
	CHECK(reply);
	CHECK_EQ(reply->kind, COMMAND_PROBE);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK_EQ(reply->u.pay.try_count, 2);
	CHECK_EQ(net_msat(0), before);
	CHECK(!send_next(node_view_payments(net[0].node), &at));
	net_is_quiet();
	/* The payment that follows need not find out again. */
	bill = net_bill(3, 300000000);
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK_EQ(reply->u.pay.try_count, 1);
}

/* --- what users may ask --- */

TEST(a_node_and_a_channel_are_excluded)
{
	struct sciddir_or_pubkey exclude = { .is_pubkey = true };
	struct command c = { .kind = COMMAND_PAY };
	struct net_bill bill;
	uint64_t before, call;

	net_begin();
	net[2].config.forward_fee_ppm = 1000;
	net_start();
	bill = net_bill(3, 10000000);
	before = net_msat(2);
	exclude.pubkey = net[1].id;
	c.u.pay.bolt11 = bill.bolt11;
	c.u.pay.exclude = &exclude;
	c.u.pay.exclude_count = 1;
	call = rig_command(&net[0], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], call)->code, REPLY_OK);
	CHECK(net_msat(2) > before);
	bill = net_bill(3, 10000000);
	before = net_msat(2);
	exclude = (struct sciddir_or_pubkey){ .scid = net_scid(0, 1), .direction = path_direction(&net[0].id, &net[1].id) };
	c.u.pay.bolt11 = bill.bolt11;
	call = rig_command(&net[0], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], call)->code, REPLY_OK);
	CHECK(net_msat(2) > before);
}

/* 0 and 1 share a bill: each alone is too little. */
TEST(two_nodes_pay_one_invoice)
{
	struct command c = { .kind = COMMAND_PAY };
	struct net_bill bill;
	uint64_t calls[2], before;

	net_square();
	bill = net_bill(3, 10000000);
	before = net_msat(3);
	c.u.pay.bolt11 = bill.bolt11;
	c.u.pay.has_partial = true;
	c.u.pay.partial = MSAT(4000000);
	calls[0] = rig_command(&net[0], &c);
	net_pump();
	CHECK(!rig_reply(&net[0], calls[0]));
	c.u.pay.partial = MSAT(6000000);
	calls[1] = rig_command(&net[1], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], calls[0])->code, REPLY_OK);
	CHECK_EQ(rig_reply(&net[1], calls[1])->code, REPLY_OK);
	CHECK_EQ(net_msat(3) - before, 10000000);
	net_is_quiet();
}

TEST(a_keysend_over_a_forwarder)
{
	struct command c = { .kind = COMMAND_KEYSEND };
	uint64_t call, before;

	net_square();
	before = net_msat(3);
	c.u.keysend.destination = net[3].id;
	c.u.keysend.amount = MSAT(7000000);
	call = rig_command(&net[0], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], call)->code, REPLY_OK);
	CHECK_EQ(net_msat(3) - before, 7000000);
	/* A payee without invoice takes no parts. */
	c.u.keysend.amount = MSAT(1500000000);
	call = rig_command(&net[0], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], call)->code, REPLY_PAY_NO_ROUTE);
	net_is_quiet();
}

/* To 4, which gossip does not know, over 3. */
static struct command keysend_over_hint(struct record_payment_hint *hint)
{
	struct command c = { .kind = COMMAND_KEYSEND };

	net_square();
	net_private[3][4] = true;
	net_link(3, 4);
	net_pump();
	net_open(3, 4, NET_SAT);
	net_restart(0);
	net_pump();
	*hint = (struct record_payment_hint){ 0, net[3].id, net_scid(3, 4), (uint32_t)net[3].config.forward_fee_base.v,
					      net[3].config.forward_fee_ppm, (uint16_t)net[3].config.forward_cltv_delta };
	c.u.keysend.destination = net[4].id;
	c.u.keysend.amount = MSAT(7000000);
	return c;
}

TEST(a_keysend_over_a_hint)
{
	struct record_payment_hint hint;
	struct command c = keysend_over_hint(&hint);
	uint64_t call, before = net_msat(4);

	call = rig_command(&net[0], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], call)->code, REPLY_PAY_NO_ROUTE);
	c.u.keysend.hints = &hint;
	c.u.keysend.hint_count = 1;
	call = rig_command(&net[0], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], call)->code, REPLY_OK);
	CHECK_EQ(net_msat(4) - before, 7000000);
	net_is_quiet();
}

/* The hint is the record's: a payment whose HTLC died with its node goes out again. */
TEST(a_keysend_over_a_hint_carries_on)
{
	for (uint32_t messages = 0; messages < 6; messages++) {
		struct record_payment_hint hint;
		struct command c = keysend_over_hint(&hint);
		uint64_t before = net_msat(4);
		const struct payment *p;
		struct sha256 hash;
		uint32_t at = 0;

		c.u.keysend.hints = &hint;
		c.u.keysend.hint_count = 1;
		(void)rig_command(&net[0], &c);
		for (uint32_t i = 0; i < messages; i++)
			CHECK(net_deliver_one());
		p = send_next(node_view_payments(net[0].node), &at);
		CHECK(p);
		hash = p->payment_hash;
		net_restart(0);
		net_pump();
		for (uint32_t i = 0; i < 20; i++) {
			net_tick(1000);
			net_pump();
		}
		CHECK_EQ(rig_payment(&net[0], &hash)->state, PAYMENT_COMPLETE);
		CHECK_EQ(net_msat(4) - before, 7000000);
		net_is_quiet();
	}
}

/* One that names a layer carries on only where that is still there. */
TEST(a_layer_that_is_gone_ends_a_payment)
{
	for (int persistent = 0; persistent < 2; persistent++) {
		const char *const names[] = { "mine", SEND_LAYER_ONE_PART };
		struct command layer = { .kind = COMMAND_LAYER }, c = { .kind = COMMAND_PAY };
		struct net_bill bill;

		net_square();
		layer.u.layer.order = LAYER_CREATE;
		layer.u.layer.layer = "mine";
		layer.u.layer.persistent = persistent;
		(void)rig_command(&net[0], &layer);
		bill = net_bill(3, 10000000);
		c.u.pay.bolt11 = bill.bolt11;
		c.u.pay.layers = names;
		c.u.pay.layer_count = 2;
		net[0].worker_late = true;
		(void)rig_command(&net[0], &c);
		net_restart(0);
		net[0].worker_late = false;
		while (rig_worker_tick(&net[0]))
			;
		net_pump();
		for (uint32_t i = 0; i < 20; i++) {
			net_tick(1000);
			net_pump();
		}
		CHECK_EQ(net_payment(&bill)->state, persistent ? PAYMENT_COMPLETE : PAYMENT_FAILED);
		CHECK_EQ(net_paid(3, &bill), persistent);
		net_is_quiet();
	}
}

/* No channel carries so much: two parts do, which the user does not want. */
TEST(one_part_where_the_user_wants_no_more)
{
	const char *const name = SEND_LAYER_ONE_PART;
	struct command c = { .kind = COMMAND_PAY };
	struct net_bill bill;
	uint64_t call;

	net_square();
	bill = net_bill(3, 1500000000);
	c.u.pay.bolt11 = bill.bolt11;
	c.u.pay.layers = &name;
	c.u.pay.layer_count = 1;
	call = rig_command(&net[0], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], call)->code, REPLY_PAY_NO_ROUTE);
	c.u.pay.layer_count = 0;
	call = rig_command(&net[0], &c);
	net_pump();
	CHECK_EQ(rig_reply(&net[0], call)->u.pay.parts, 2);
	net_is_quiet();
}

/* Whoever plans by himself teaches the planner too. */
TEST(what_sendpay_learns_pay_knows)
{
	struct command order = { .kind = COMMAND_SENDPAY };
	struct route_hop hops[2] = { 0 };
	struct net_bill bill;

	drained();
	bill = net_bill(3, 300000000);
	hops[1] = (struct route_hop){ net[3].id, net_scid(1, 3), MSAT(300000000), 60 };
	hops[0] = (struct route_hop){ net[1].id, { 0 }, MSAT(300000000 + net_fee(1, 300000000)), 60 + net[1].config.forward_cltv_delta };
	order.u.sendpay.hops = hops;
	order.u.sendpay.hop_count = 2;
	memset(order.u.sendpay.payment_hash.v, 5, 32);
	(void)rig_command(&net[0], &order);
	net_pump();
	CHECK_EQ(rig_payment(&net[0], &order.u.sendpay.payment_hash)->tries[0].failure_code,
		 FAIL_TEMPORARY_CHANNEL_FAILURE);
	CHECK_EQ(net_pay(&bill)->u.pay.try_count, 1);
	net_is_quiet();
}

/* --- restarts --- */

/* Node 0 dies after so many messages of a payment in parts; false: the payment was over before. */
static bool dies_after(uint32_t messages)
{
	const uint64_t msat = 1500000000;
	struct net_bill bill;
	uint64_t before[4];
	bool died;

	net_square();
	bill = net_bill(3, msat);
	for (uint32_t i = 0; i < 4; i++)
		before[i] = net_msat(i);
	(void)net_order(0, &bill);
	while (messages && net_deliver_one())
		messages--;
	died = messages == 0;
	net_restart(0);
	net_pump();
	for (uint32_t i = 0; i < 90 && net_payment(&bill)->state == PAYMENT_PENDING; i++) {
		net_tick(1000);
		net_pump();
	}
	/* B4.basic_multi_part_payments.8: all of it and not a millisatoshi twice. */
	CHECK_EQ(net_payment(&bill)->state, PAYMENT_COMPLETE);
	CHECK(net_paid(3, &bill));
	CHECK_EQ(net_msat(3) - before[3], msat);
	CHECK_EQ(before[0] - net_msat(0), net_payment(&bill)->sent.v);
	net_is_quiet();
	return died;
}

TEST(a_restart_in_the_middle_carries_on)
{
	uint32_t messages = 0;

	while (dies_after(messages))
		messages++;
	CHECK(messages > 20);
}

/* --- stuck parts --- */

/* The line to 2 is cut when the part over it is committed there, so nobody knows its end. */
TEST(beside_a_stuck_part_only_the_rest_is_sent)
{
	const uint64_t msat = 1500000000;
	struct net_bill bill;
	uint64_t before, call;

	net_square();
	bill = net_bill(3, msat);
	before = net_msat(3);
	net_cut(2, 3);
	net[2].config.forward_fee_base = MSAT(1);
	call = net_order(0, &bill);
	while (!channel_htlc_count(net_channel(2, 0)) || !channel_htlc_count(net_channel(0, 2)))
		CHECK(net_deliver_one());
	net_cut(0, 2);
	net_link(2, 3);
	net_pump();
	/* The payee gives the other part back after a minute, and it is sent again. */
	for (uint32_t i = 0; i < 50; i++) {
		net_tick(1000);
		net_pump();
	}
	CHECK_EQ(net_payment(&bill)->state, PAYMENT_PENDING);
	CHECK(!rig_reply(&net[0], call));
	/* INV-S1 */
	send_check_invariants(node_view_payments(net[0].node));
	for (uint32_t i = 0; i < 30; i++) {
		net_tick(1000);
		net_pump();
	}
	net_link(0, 2);
	for (uint32_t i = 0; i < 90 && net_payment(&bill)->state == PAYMENT_PENDING; i++) {
		net_tick(1000);
		net_pump();
	}
	/* INV-S3: one end, whichever, and the payee has all or nothing. */
	CHECK(net_payment(&bill)->state != PAYMENT_PENDING);
	CHECK_EQ(net_msat(3) - before, net_payment(&bill)->state == PAYMENT_COMPLETE ? msat : 0);
	CHECK(rig_reply(&net[0], call));
	net_is_quiet();
}
