/* Orders of users to a whole node: what answers they get, once, and with which codes. */
#include "tests/unit/node_pair.h"

#include "node/state.h"

/* --- invoices --- */

TEST(an_invoice_needs_a_label_of_its_own)
{
	struct command c = { .kind = COMMAND_INVOICE };
	uint64_t call;

	one();
	(void)bolt11_of(&a, order_invoice(&a, "one", 1000));
	call = order_invoice(&a, "one", 2000);
	CHECK_EQ(code_of(&a, call), REPLY_INVOICE_LABEL);
	/* Kept, and still taken, after a restart. */
	rig_restart(&a);
	CHECK_EQ(code_of(&a, order_invoice(&a, "one", 2000)), REPLY_INVOICE_LABEL);
	c.u.invoice.label = "two";
	c.u.invoice.description = "";
	c.u.invoice.amount = MSAT(1);
	c.u.invoice.expiry_s = 60;
	c.u.invoice.has_preimage = true;
	c.u.invoice.preimage.v[5] = 9;
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_OK);
	c.u.invoice.label = "three";
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_INVOICE_PREIMAGE);
}

TEST(two_invoices_being_signed_cannot_share_a_label)
{
	uint64_t first, second;

	one();
	a.signer_late = true;
	first = order_invoice(&a, "same", 1000);
	second = order_invoice(&a, "same", 1000);
	for (int i = 0; i < 20; i++)
		rig_signer_tick(&a);
	CHECK(code_of(&a, first) == REPLY_OK || code_of(&a, second) == REPLY_OK);
	CHECK(code_of(&a, first) == REPLY_INVOICE_LABEL || code_of(&a, second) == REPLY_INVOICE_LABEL);
	CHECK_EQ(table_count(&a.node->invoices), 0);
}

TEST(waiting_for_an_invoice_ends_with_it)
{
	struct command c = { .kind = COMMAND_WAIT_INVOICE };
	uint64_t waiting;

	one();
	c.u.wait_invoice.label = "nobody knows it";
	CHECK(reply_of(&a, rig_command(&a, &c))->u.invoice_entry.past); /* whoever asked may ask the store */
	(void)bolt11_of(&a, order_invoice(&a, "one", 1000));
	c.u.wait_invoice.label = "one";
	waiting = rig_command(&a, &c);
	CHECK(!rig_reply(&a, waiting));
	rig_tick(&a, 3599000);
	CHECK(!rig_reply(&a, waiting));
	rig_tick(&a, 2000);
	CHECK_EQ(code_of(&a, waiting), REPLY_INVOICE_EXPIRED);
	CHECK(reply_of(&a, rig_command(&a, &c))->u.invoice_entry.past);
}

/* Names are taken by invoices that no memory has any more, before and after a restart. */
TEST(an_invoice_of_the_past_keeps_its_names)
{
	struct command c = { .kind = COMMAND_INVOICE };
	struct sha256 hash;

	two();
	c.u.invoice.amount = MSAT(1000);
	c.u.invoice.label = "old";
	c.u.invoice.description = "cup";
	c.u.invoice.expiry_s = 3600;
	c.u.invoice.has_preimage = true;
	memset(c.u.invoice.preimage.v, 7, 32);
	hash = reply_of(&b, rig_command(&b, &c))->u.invoice.payment_hash;
	(void)bolt11_of(&b, order_invoice(&b, "paid", 1000));
	rig_tick(&b, 3601000);
	CHECK(!receive_by_hash(node_view_invoices(b.node), &hash));
	for (int restarts = 0; restarts < 2; restarts++) {
		CHECK_EQ(code_of(&b, rig_command(&b, &c)), REPLY_INVOICE_LABEL);
		c.u.invoice.label = "new";
		CHECK_EQ(code_of(&b, rig_command(&b, &c)), REPLY_INVOICE_PREIMAGE);
		c.u.invoice.label = "old";
		CHECK_EQ(code_of(&b, order_invoice(&b, "paid", 1000)), REPLY_INVOICE_LABEL);
		CHECK_EQ(table_count(&b.node->invoices), 0);
		rig_restart(&b);
		CHECK(!receive_next(node_view_invoices(b.node), &(uint32_t){ 0 }));
	}
	/* Names that were refused are free for others. */
	CHECK_EQ(code_of(&b, order_invoice(&b, "new", 1000)), REPLY_OK);
	/* A caller that has none gets one. */
	c.u.invoice.label = NULL;
	memset(c.u.invoice.preimage.v, 8, 32);
	CHECK_EQ(code_of(&b, rig_command(&b, &c)), REPLY_OK);
}

/* --- payments --- */

TEST(a_payment_is_made_once)
{
	uint64_t invoice, first, again;
	const char *bolt11;
	struct sha256 hash;

	two();
	invoice = order_invoice(&b, "cup", 5000000);
	bolt11 = bolt11_of(&b, invoice);
	hash = reply_of(&b, invoice)->u.invoice.payment_hash;
	first = order_pay(&a, bolt11, 0);
	again = order_pay(&a, bolt11, 0); /* while it is under way: waits for it */
	CHECK(!rig_reply(&a, first) && !rig_reply(&a, again));
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, first), REPLY_OK);
	CHECK_EQ(code_of(&a, again), REPLY_OK);
	CHECK(SAME(reply_of(&a, first)->u.pay.preimage, reply_of(&a, again)->u.pay.preimage));
	CHECK_EQ(invoice_state_of(&b, &hash), INVOICE_PAID);
	CHECK_EQ(channel_to_us(rig_channel(&b)).v, 5000000);
	/* Later, and after the invoice has expired: the same answer and no money. */
	rig_restart(&a);
	rig_tick(&a, 7200000);
	first = order_pay(&a, bolt11, 0);
	CHECK_EQ(code_of(&a, first), REPLY_OK);
	CHECK_EQ(channel_to_us(rig_channel(&a)).v, 995000000);
}

TEST(what_cannot_be_paid_says_why)
{
	struct command c = { .kind = COMMAND_PAY };
	const char *fixed, *open;

	two();
	fixed = bolt11_of(&b, order_invoice(&b, "fixed", 5000));
	open = bolt11_of(&b, order_invoice(&b, "open", 0));
	CHECK_EQ(code_of(&a, order_pay(&a, "lnbcrt1nonsense", 0)), REPLY_INVALID);
	CHECK_EQ(code_of(&a, order_pay(&a, "", 0)), REPLY_INVALID);
	CHECK_EQ(code_of(&a, order_pay(&a, fixed, 5001)), REPLY_INVALID);
	CHECK_EQ(code_of(&a, order_pay(&a, open, 0)), REPLY_INVALID);
	CHECK_EQ(code_of(&a, order_pay(&a, open, SUPPLY_SAT * 1000 + 1)), REPLY_INVALID);
	c.u.pay.bolt11 = fixed;
	c.u.pay.description = "another cup";
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_INVALID);
	/* More than there is. */
	CHECK_EQ(code_of(&a, order_pay(&a, open, 2000000000)), REPLY_PAY_NO_ROUTE);
	/* Nobody to pay over. */
	rig_unlink_both(&a, &b, 1);
	CHECK_EQ(code_of(&a, order_pay(&a, fixed, 0)), REPLY_PAY_NO_ROUTE);
	rig_tick(&a, 3601000);
	CHECK_EQ(code_of(&a, order_pay(&a, bolt11_of(&b, order_invoice(&b, "late", 7)), 0)), REPLY_PAY_EXPIRED);
	CHECK_EQ(send_pending_count(node_view_payments(a.node)), 0);
}

TEST(our_own_invoice_is_paid_without_anybody)
{
	uint64_t invoice, call;
	const char *bolt11;
	struct sha256 hash;

	one();
	invoice = order_invoice(&a, "self", 5000);
	bolt11 = bolt11_of(&a, invoice);
	hash = reply_of(&a, invoice)->u.invoice.payment_hash;
	call = order_pay(&a, bolt11, 0);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK_EQ(invoice_state_of(&a, &hash), INVOICE_PAID);
	CHECK_EQ(payment_state_of(&a, &hash), PAYMENT_COMPLETE);
	/* Both ends of it are stored in one batch. */
	rig_restart(&a);
	CHECK_EQ(invoice_state_of(&a, &hash), INVOICE_PAID);
	CHECK_EQ(payment_state_of(&a, &hash), PAYMENT_COMPLETE);
	CHECK_EQ(code_of(&a, order_pay(&a, bolt11, 0)), REPLY_OK);
	/* One that is not there any more. */
	rig_free(&b);
	rig_init(&b, 1);
	b.config.alias = "the same seed, an empty store";
	rig_start(&b);
	CHECK_EQ(code_of(&b, order_pay(&b, bolt11, 0)), REPLY_PAY_DESTINATION);
}

TEST(a_keysend_says_what_it_can_not)
{
	struct command c = { .kind = COMMAND_KEYSEND };
	struct custom_record low = { .type = 100, .value = BYTES("x", 1) };
	uint64_t call;

	two();
	c.u.keysend.destination = b.id;
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_INVALID); /* nothing */
	c.u.keysend.amount = MSAT(4000);
	c.u.keysend.records = &low;
	c.u.keysend.record_count = 1;
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_INVALID);
	c.u.keysend.record_count = 0;
	c.u.keysend.destination = a.id;
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_INVALID);
	c.u.keysend.destination = rig_stranger(5);
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_PAY_NO_ROUTE);
	c.u.keysend.destination = b.id;
	call = rig_command(&a, &c);
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK_EQ(channel_to_us(rig_channel(&b)).v, 4000);
}

/* --- the wallet --- */

TEST(addresses_and_withdrawals_are_the_wallets)
{
	struct command address = { .kind = COMMAND_NEW_ADDRESS }, c = { .kind = COMMAND_WITHDRAW };
	struct event e = { .kind = EVENT_BROADCAST };
	uint64_t call;

	one();
	address.u.new_address.kind = ADDRESS_P2WPKH;
	CHECK_EQ(code_of(&a, rig_command(&a, &address)), REPLY_OK);
	c.u.withdraw.script = test_unhex("00140102030405060708090a0b0c0d0e0f1011121314");
	c.u.withdraw.amount = SAT(10000);
	call = rig_command(&a, &c);
	CHECK(!rig_reply(&a, call)); /* not before the network has it */
	CHECK_EQ(a.spent, 1);
	CHECK(rig_accept_broadcasts(&a).size);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	/* The network says no: so does the answer, though the transaction stays on offer. */
	call = rig_command(&a, &c);
	e.u.broadcast.id = took(&a, EFFECT_BROADCAST)->id;
	e.u.broadcast.reason = "min relay fee not met";
	rig_event(&a, &e);
	CHECK_EQ(code_of(&a, call), REPLY_FUNDING_BROADCAST);
	CHECK(strstr(reply_of(&a, call)->message, "min relay fee"));
	rig_block(&a, NULL, 0);
	CHECK(rig_take(&a, EFFECT_BROADCAST)); /* INV-N4 */
	a.wallet_fails = true;
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_FUNDING_CANNOT_AFFORD);
	CHECK_EQ(a.released, 1);
	CHECK_EQ(code_of(&a, rig_command(&a, &address)), REPLY_FAILED);
	CHECK_EQ(table_count(&a.node->calls), 0);
}

/* --- opening --- */

TEST(opening_a_channel_says_why_it_failed)
{
	struct pubkey stranger = rig_stranger(3);
	struct command c = { .kind = COMMAND_FUND_CHANNEL };
	uint64_t call;

	two();
	CHECK_EQ(code_of(&a, order_open(&a, &stranger, 100000)), REPLY_CONNECT_UNKNOWN);
	c.u.fund_channel.peer = stranger;
	c.u.fund_channel.amount = SAT(100000);
	c.u.fund_channel.host = "10.0.0.9";
	c.u.fund_channel.port = 9735;
	call = rig_command(&a, &c);
	CHECK(!rig_reply(&a, call));
	rig_tick(&a, CALL_CONNECT_TIMEOUT_MS);
	CHECK_EQ(code_of(&a, call), REPLY_CONNECT_FAILED);
	/* The wallet has not so much. */
	a.wallet_fails = true;
	CHECK_EQ(code_of(&a, order_open(&a, &b.id, 100000)), REPLY_FAILED); /* not even an address */
	a.wallet_fails = false;
	a.wallet_late = true;
	call = order_open(&a, &b.id, 100000);
	CHECK(rig_wallet_answers(&a, 0)); /* the address */
	rig_pump(&a, &b, 1);
	a.wallet_fails = true;
	CHECK(rig_wallet_answers(&a, 0)); /* the coins */
	CHECK_EQ(code_of(&a, call), REPLY_FUNDING_CANNOT_AFFORD);
	a.wallet_fails = a.wallet_late = false;
	/* Too small for the peer. */
	rig_pump(&a, &b, 1);
	rig_forget(&b);
	call = order_open(&a, &b.id, 6000);
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_FUNDING_REFUSED);
	CHECK_EQ(table_count(&a.node->calls), 0);
	CHECK_EQ(table_count(&a.node->channels), 1);
	CHECK_EQ(table_count(&b.node->channels), 1);
}

/* A channel with anchors can be closed in time only by who can pay for it. */
TEST(the_wallets_reserve_is_kept_when_a_channel_is_opened)
{
	struct node_info info;
	uint64_t call;

	two(); /* the first channel; a second one makes the reserve twice as large */
	node_view_info(a.node, &info);
	CHECK_EQ(info.anchor_reserve.v, 25000);
	a.has_spendable = true;
	a.spendable = SAT(149999);
	call = order_open(&a, &b.id, 100000);
	CHECK_EQ(code_of(&a, call), REPLY_FUNDING_CANNOT_AFFORD);
	CHECK(strstr(reply_of(&a, call)->message, "50000 sat must stay"));
	CHECK(!rig_sent(&a, MSG_OPEN_CHANNEL).size); /* the peer was not troubled */
	a.spendable = SAT(150000);
	(void)open_one(1, 100000);
	node_view_info(a.node, &info);
	CHECK_EQ(info.anchor_reserve.v, 50000);
}

TEST(a_channel_of_a_peer_needs_the_reserve_where_that_is_wanted)
{
	uint64_t call;

	two();
	b.has_spendable = true;
	(void)open_one(1, 100000); /* of an empty wallet: as others do, by default */
	b.config.require_reserve = true;
	b.spendable = SAT(74999);
	call = order_open(&a, &b.id, 100000);
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_FUNDING_REFUSED);
	CHECK(strstr(reply_of(&a, call)->message, "too few coins"));
	CHECK_EQ(table_count(&b.node->channels), 2);
	rig_forget(&a);
	rig_forget(&b);
	b.spendable = SAT(75000);
	(void)open_one(1, 100000);
	CHECK_EQ(table_count(&b.node->channels), 3);
}

TEST(an_opening_that_nobody_answers_ends)
{
	uint64_t call;

	two();
	call = order_open(&a, &b.id, 200000);
	CHECK(rig_sent(&a, MSG_OPEN_CHANNEL).size);
	for (int i = 0; i < 60 && !rig_reply(&a, call); i++) {
		rig_tick(&a, 10000);
		if (rig_sent(&a, MSG_PING).size) /* it is there, and silent about the channel */
			rig_message(&a, 1, test_unhex("001300080000000000000000"));
	}
	CHECK(code_of(&a, call) != REPLY_OK);
	CHECK_EQ(table_count(&a.node->channels), 1);
	/* The peer leaves in the middle. */
	call = order_open(&a, &b.id, 200000);
	CHECK(!rig_reply(&a, call));
	rig_disconnected(&a, 1);
	CHECK(code_of(&a, call) != REPLY_OK);
	CHECK_EQ(table_count(&a.node->calls), 0);
	CHECK_EQ(table_count(&a.node->openings), 0);
}

TEST(an_order_waits_for_its_peer_to_connect)
{
	struct command c = { .kind = COMMAND_FUND_CHANNEL };
	uint64_t call;

	begin();
	rig_start(&a);
	rig_start(&b);
	c.u.fund_channel.peer = b.id;
	c.u.fund_channel.amount = SAT(100000);
	c.u.fund_channel.host = "127.0.0.1";
	c.u.fund_channel.port = 9735;
	call = rig_command(&a, &c);
	CHECK(SAME(took(&a, EFFECT_CONNECT)->peer, b.id));
	rig_link(&a, &b, 4);
	rig_pump(&a, &b, 4);
	CHECK(!rig_reply(&a, call));
	CHECK(rig_accept_broadcasts(&a).size);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK(SAME(reply_of(&a, call)->u.fund_channel.channel_id, *channel_id_of(rig_channel(&b))));
}

/* --- closing --- */

static uint64_t order_close(struct rig *r, const struct pubkey *peer, bool force)
{
	struct command c = { .kind = COMMAND_CLOSE };

	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = *peer;
	c.u.close.force = force;
	return rig_command(r, &c);
}

TEST(closing_answers_once_and_refuses_nonsense)
{
	struct pubkey stranger = rig_stranger(3);
	struct command by_id = { .kind = COMMAND_CLOSE };
	uint64_t call;

	two();
	CHECK_EQ(code_of(&a, order_close(&a, &stranger, false)), REPLY_INVALID);
	by_id.u.close.channel.by_id = true;
	CHECK_EQ(code_of(&a, rig_command(&a, &by_id)), REPLY_INVALID);
	by_id.u.close.channel.by_id = false;
	by_id.u.close.channel.by_scid = true; /* 0 names none */
	CHECK_EQ(code_of(&a, rig_command(&a, &by_id)), REPLY_INVALID);
	call = order_close(&a, &b.id, false);
	CHECK(!rig_reply(&a, call));
	CHECK_EQ(code_of(&a, order_close(&a, &b.id, false)), REPLY_FAILED);
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK(reply_of(&a, call)->u.close.mutual);
	CHECK(tx_parse(&a.kept, reply_of(&a, call)->u.close.tx));
	CHECK_EQ(code_of(&a, order_close(&a, &b.id, false)), REPLY_FAILED);
	CHECK_EQ(table_count(&a.node->calls), 0);
}

TEST(closing_by_force_publishes_our_commitment)
{
	uint64_t call;
	struct txid id;

	two();
	id = channel_commitment_txid(rig_channel(&a));
	call = order_close(&a, &b.id, true);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK(!reply_of(&a, call)->u.close.mutual);
	CHECK(SAME(reply_of(&a, call)->u.close.txid, id));
	CHECK(rig_sent(&a, MSG_ERROR).size); /* B1.error_warning.7: and it is failed */
	CHECK_EQ(channel_state_of(rig_channel(&a)), AWAITING_UNILATERAL);
	CHECK(rig_take(&a, EFFECT_BROADCAST));
}

TEST(a_peer_that_does_not_close_in_time_is_closed_without)
{
	struct command c = { .kind = COMMAND_CLOSE };
	uint64_t call;

	two();
	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = b.id;
	c.u.close.unilateral_timeout_s = 30;
	call = rig_command(&a, &c);
	rig_tick(&a, 29999);
	CHECK(!rig_reply(&a, call));
	rig_tick(&a, 1);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK(!reply_of(&a, call)->u.close.mutual);
	CHECK(rig_take(&a, EFFECT_BROADCAST));
}

TEST(a_close_that_waits_for_the_peer_gives_way_to_force)
{
	uint64_t patient, force;

	two();
	patient = order_close(&a, &b.id, false);
	CHECK(!rig_reply(&a, patient)); /* b says nothing */
	force = order_close(&a, &b.id, true);
	CHECK_EQ(code_of(&a, force), REPLY_OK);
	CHECK(!reply_of(&a, force)->u.close.mutual);
	CHECK_EQ(code_of(&a, patient), REPLY_FAILED);
	CHECK(rig_take(&a, EFFECT_BROADCAST));
	CHECK_EQ(channel_state_of(rig_channel(&a)), AWAITING_UNILATERAL);
}

TEST(an_opening_is_only_forgotten)
{
	uint64_t open, close;

	two();
	rig_unlink_both(&a, &b, 1);
	begin();
	meet();
	open = order_open(&a, &b.id, 100000);
	close = order_close(&a, &b.id, false);
	CHECK_EQ(code_of(&a, close), REPLY_OK);
	CHECK(reply_of(&a, close)->u.close.unopened);
	CHECK(code_of(&a, open) != REPLY_OK);
	CHECK_EQ(table_count(&a.node->channels), 0);
	CHECK_EQ(table_count(&a.node->calls), 0);
}

TEST(stop_is_said_and_answered)
{
	struct command c = { .kind = COMMAND_STOP };
	bool said = false;
	struct rig_item *i;

	one();
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_OK);
	while ((i = rig_take(&a, EFFECT_NOTIFY)))
		said |= i->notify == NOTIFY_STOP;
	CHECK(said);
}
