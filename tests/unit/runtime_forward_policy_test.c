/* By which names channels are found for forwarding, and on which terms: setchannel, its grace, and what the world and
 * the peer are told. */
#include "tests/unit/node_three.h"

static const struct channel_record *record_of_bc(void)
{
	return channel_record_of(channel_between(&b, &c));
}

/* --- names --- */

TEST(a_channel_is_found_by_its_place_in_the_chain_as_it_is_now)
{
	struct command order = { .kind = COMMAND_FUND_CHANNEL };
	struct bytes funding;
	struct bill bill;
	struct scid before;
	struct way w;

	row_begin();
	rig_start(&a);
	rig_start(&b);
	rig_start(&c);
	row_connect();
	row_pump();
	row_open(&a, &b, ROW_SAT);
	order.u.fund_channel.peer = c.id;
	order.u.fund_channel.amount = SAT(ROW_SAT);
	(void)rig_command(&b, &order);
	row_pump();
	funding = rig_accept_broadcasts(&b);
	rig_block(&a, &funding, 1);
	rig_block(&b, &funding, 1);
	rig_block(&c, &funding, 1);
	row_blocks(5);
	row_pump();
	bill = bill_of(&c, 5000000, NULL);
	w = way_to_c(&bill);
	before = w.hops[1].scid;
	CHECK(before.v && record_of_bc()->alias_local.v);
	/* The block with it goes, and it is in the second that comes instead. */
	for (int i = 0; i < 6; i++) {
		rig_undo(&b);
		rig_undo(&c);
	}
	CHECK_EQ(record_of_bc()->scid.v, 0);
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_UNKNOWN_NEXT_PEER);
	/* B2.channel_ready.8: the alias stays. */
	w.hops[1].scid = record_of_bc()->alias_local;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	rig_block(&b, NULL, 0);
	rig_block(&c, NULL, 0);
	rig_block(&b, &funding, 1);
	rig_block(&c, &funding, 1);
	rig_blocks(&b, 4);
	rig_blocks(&c, 4);
	row_pump();
	bill = bill_of(&c, 5000000, NULL);
	w = way_to_c(&bill);
	CHECK(w.hops[1].scid.v && w.hops[1].scid.v != before.v); /* INV-N6 */
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	bill = bill_of(&c, 5000000, NULL);
	w.bill = bill;
	w.hops[1].scid = before;
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_UNKNOWN_NEXT_PEER);
}

/* b's channel to c, of a type with option_scid_alias and not announced. */
static void open_hidden(void)
{
	static const uint8_t type[] = { 0x40, 0, 0, 0x40, 0x10, 0 }; /* bits 12, 22 and 46 */
	struct command order = { .kind = COMMAND_FUND_CHANNEL };
	struct bytes funding;

	order.u.fund_channel.peer = c.id;
	order.u.fund_channel.amount = SAT(ROW_SAT);
	order.u.fund_channel.has_channel_type = true;
	order.u.fund_channel.channel_type = BYTES_OF(type);
	(void)rig_command(&b, &order);
	row_pump();
	funding = rig_accept_broadcasts(&b);
	CHECK(funding.size);
	rig_block(&a, &funding, 1);
	rig_block(&b, &funding, 1);
	rig_block(&c, &funding, 1);
	row_blocks(5);
	row_pump();
}

TEST(a_hidden_channel_answers_to_its_alias_alone)
{
	struct command order = { .kind = COMMAND_CLOSE };
	struct bill bill;
	struct scid alias, place;
	struct bytes closing;
	struct way w;

	row_begin();
	b.config.trust_zeroconf = c.config.trust_zeroconf = true;
	rig_start(&a);
	rig_start(&b);
	rig_start(&c);
	row_connect();
	row_pump();
	row_open(&a, &b, ROW_SAT);
	open_hidden();
	CHECK(channel_is_usable(channel_between(&b, &c)) && record_of_bc()->scid_alias);
	bill = bill_of(&c, 5000000, NULL);
	w = way_to_c(&bill);
	alias = record_of_bc()->alias_local;
	place = record_of_bc()->scid;
	/* B2.channel_ready.9: as if there were none such. */
	CHECK(w.hops[1].scid.v == place.v && place.v);
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_UNKNOWN_NEXT_PEER);
	w.hops[1].scid = alias; /* B2.channel_ready.8 */
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	/* Closed, it still tells nobody where it was. */
	order.u.close.channel.by_peer = true;
	order.u.close.channel.peer = c.id;
	(void)rig_command(&b, &order);
	row_pump();
	closing = rig_accept_broadcasts(&b);
	CHECK(closing.size);
	bill = bill_of(&c, 5000000, NULL);
	w.bill = bill;
	for (int deep = 0; deep < 2; deep++) {
		struct amount_msat ours = channel_to_us(channel_between(&a, &b));

		w.hops[1].scid = alias; /* B4.failure_messages.13 */
		CHECK_EQ(pay_way(&a, &w)->u.sendpay.failure_code, FAIL_PERMANENT_CHANNEL_FAILURE);
		w.hops[1].scid = place; /* B4.failure_messages.15 */
		CHECK_EQ(pay_way(&a, &w)->u.sendpay.failure_code, FAIL_UNKNOWN_NEXT_PEER);
		CHECK_EQ(channel_to_us(channel_between(&a, &b)).v, ours.v);
		if (!deep) {
			rig_block(&b, &closing, 1);
			rig_blocks(&b, 100);
			CHECK(!channel_between(&b, &c)); /* it is history */
			row_restart(&b);
			row_pump();
		}
	}
}
