/* By which names channels are found for forwarding, and on which terms: setchannel, its grace, and what the world and
 * the peer are told. */
#include "gossip/message.h"
#include "onion/failure.h"
#include "tests/unit/node_gossip.h"
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
	row_meet();
	row_open(&a, &b, ROW_SAT);
	order.u.fund_channel.peer = c.id;
	order.u.fund_channel.amount = SAT(ROW_SAT);
	(void)rig_command(&b, &order);
	funding = row_confirm(&b, 5);
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

	order.u.fund_channel.peer = c.id;
	order.u.fund_channel.amount = SAT(ROW_SAT);
	order.u.fund_channel.has_channel_type = true;
	order.u.fund_channel.channel_type = BYTES_OF(type);
	(void)rig_command(&b, &order);
	(void)row_confirm(&b, 5);
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
	row_meet();
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

/* --- terms --- */

static const struct reply *set(struct rig *r, const struct command *order)
{
	struct command copy = *order;

	return rig_reply(r, rig_command(r, &copy));
}

/* An order of b for its channel to c. */
static struct command terms(uint8_t fields, struct forward_policy own, uint32_t delay_s)
{
	struct command order = { .kind = COMMAND_SET_CHANNEL };

	order.u.set_channel.channel.by_id = true;
	order.u.set_channel.channel.id = record_of_bc()->id;
	order.u.set_channel.fields = fields;
	order.u.set_channel.own = own;
	order.u.set_channel.enforce_delay_s = delay_s;
	return order;
}

static void set_terms(uint8_t fields, struct forward_policy own, uint32_t delay_s)
{
	const struct command order = terms(fields, own, delay_s);

	CHECK_EQ(set(&b, &order)->code, REPLY_OK);
}

static struct way another(uint64_t msat)
{
	const struct bill bill = bill_of(&c, msat, NULL);

	return way_to_c(&bill);
}

TEST(channels_are_named_in_every_way)
{
	const struct channel_record *r;
	const struct reply *reply;
	struct command order;

	row();
	r = record_of_bc();
	order = terms(POLICY_FEE_BASE | POLICY_FEE_PPM, (struct forward_policy){ .fee_base = MSAT(7), .fee_ppm = 8 }, 0);
	reply = set(&b, &order);
	CHECK(reply->code == REPLY_OK && reply->u.set_channel.count == 1);
	CHECK(SAME(reply->u.set_channel.channels[0].peer, c.id) && SAME(reply->u.set_channel.channels[0].id, r->id));
	CHECK_EQ(reply->u.set_channel.channels[0].scid.v, r->scid.v);
	CHECK_EQ(reply->u.set_channel.channels[0].policy.fee_base.v, 7);
	CHECK_EQ(reply->u.set_channel.channels[0].policy.fee_ppm, 8);
	/* What was not given follows the configuration. */
	CHECK_EQ(reply->u.set_channel.channels[0].policy.cltv_delta, b.config.forward_cltv_delta);
	order.u.set_channel.fields = POLICY_FEE_PPM;
	order.u.set_channel.own.fee_ppm = 9;
	order.u.set_channel.channel = (struct channel_name){ .by_scid = true, .scid = r->scid };
	reply = set(&b, &order);
	CHECK_EQ(reply->u.set_channel.channels[0].policy.fee_base.v, 7); /* and stays as it was set */
	CHECK_EQ(reply->u.set_channel.channels[0].policy.fee_ppm, 9);
	order.u.set_channel.channel.scid = r->alias_local;
	CHECK_EQ(set(&b, &order)->u.set_channel.count, 1);
	order.u.set_channel.channel = (struct channel_name){ .by_peer = true, .peer = c.id };
	CHECK_EQ(set(&b, &order)->u.set_channel.count, 1);
	order.u.set_channel.all = true;
	CHECK_EQ(set(&b, &order)->u.set_channel.count, 2);
	order.u.set_channel.all = false;
	order.u.set_channel.channel = (struct channel_name){ .by_scid = true, .scid = { 5 } };
	CHECK_EQ(set(&b, &order)->code, REPLY_INVALID);
	order.u.set_channel.channel = (struct channel_name){ .by_peer = true, .peer = b.id };
	CHECK_EQ(set(&b, &order)->code, REPLY_INVALID);
	order.u.set_channel.channel = (struct channel_name){ .by_peer = true, .peer = c.id };
	row_open(&b, &c, ROW_SAT);
	CHECK_EQ(set(&b, &order)->u.set_channel.count, 2);
}

TEST(terms_without_sense_change_nothing)
{
	const struct forward_policy wide = { .htlc_min = MSAT(5000), .htlc_max = MSAT(4999), .cltv_delta = 27,
					     .fee_base = MSAT(1ull << 32) };
	static const uint8_t bad[] = { POLICY_FEE_BASE, POLICY_CLTV_DELTA, POLICY_HTLC_MIN | POLICY_HTLC_MAX };
	struct command order;
	struct way w = ready();

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		order = terms(bad[i], wide, 0);
		order.u.set_channel.all = true;
		CHECK_EQ(set(&b, &order)->code, REPLY_INVALID);
	}
	order = terms(POLICY_CLTV_DELTA, (struct forward_policy){ .cltv_delta = 2017 }, 0);
	CHECK_EQ(set(&b, &order)->code, REPLY_INVALID);
	order = terms(POLICY_HTLC_MIN, (struct forward_policy){ .htlc_min = MSAT(ROW_SAT * 1000ull) }, 0);
	CHECK_EQ(set(&b, &order)->code, REPLY_INVALID);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

/* BOLT 2 "cltv_expiry_delta Selection": what withstands no reorganization is said, what loses without one refused. */
TEST(few_blocks_between_the_expiries_are_warned_of)
{
	struct command order;
	const struct reply *reply;

	CHECK_EQ(DEADLINE_CLTV_DELTA_MIN, 28);
	row_begin();
	b.config.forward_cltv_delta = 20; /* as an embedder may have it, and as versions before took it */
	row_start();
	order = terms(POLICY_FEE_BASE, (struct forward_policy){ .fee_base = MSAT(7) }, 0);
	reply = set(&b, &order);
	CHECK_EQ(reply->u.set_channel.channels[0].policy.cltv_delta, DEADLINE_CLTV_DELTA_MIN);
	CHECK(reply->u.set_channel.channels[0].cltv_delta_tight);
	order = terms(POLICY_CLTV_DELTA, (struct forward_policy){ .cltv_delta = DEADLINE_CLTV_DELTA - 1 }, 0);
	CHECK(set(&b, &order)->u.set_channel.channels[0].cltv_delta_tight);
	order = terms(POLICY_CLTV_DELTA, (struct forward_policy){ .cltv_delta = DEADLINE_CLTV_DELTA }, 0);
	CHECK(!set(&b, &order)->u.set_channel.channels[0].cltv_delta_tight);
}

TEST(what_a_channel_cannot_do_is_set_to_what_it_can)
{
	const struct reply *reply;
	struct command order;

	row_begin();
	c.config.htlc_min = MSAT(3000); /* what c takes */
	row_start();
	order = terms(POLICY_HTLC_MIN | POLICY_HTLC_MAX, (struct forward_policy){ .htlc_min = MSAT(1), .htlc_max = MSAT(UINT64_MAX) }, 0);
	reply = set(&b, &order);
	CHECK(reply->u.set_channel.channels[0].htlc_min_raised && reply->u.set_channel.channels[0].htlc_max_cut);
	CHECK_EQ(reply->u.set_channel.channels[0].policy.htlc_min.v, 3000);
	CHECK(reply->u.set_channel.channels[0].policy.htlc_max.v < ROW_SAT * 1000ull);
	order = terms(POLICY_HTLC_MIN | POLICY_HTLC_MAX, (struct forward_policy){ .htlc_min = MSAT(4000), .htlc_max = MSAT(5000) }, 0);
	reply = set(&b, &order);
	CHECK(!reply->u.set_channel.channels[0].htlc_min_raised && !reply->u.set_channel.channels[0].htlc_max_cut);
}

TEST(amounts_that_a_channel_may_carry)
{
	struct way w;

	row();
	set_terms(POLICY_HTLC_MIN | POLICY_HTLC_MAX, (struct forward_policy){ .htlc_min = MSAT(4000), .htlc_max = MSAT(9000) }, 0);
	w = another(3999);
	/* B4.failure_messages.16, B4.failure_messages.17 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_AMOUNT_BELOW_MINIMUM);
	w = another(4000);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	w = another(9001);
	/* B4.failure_messages.12 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_TEMPORARY_CHANNEL_FAILURE);
	w = another(9000);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

/* B7.channel_update.20, B7.htlc_fees.2 */
TEST(the_terms_of_before_are_good_for_ten_minutes)
{
	const struct forward_policy dear = { .fee_base = MSAT(50000), .cltv_delta = 60 };
	struct way old, dearer, mixed;

	row();
	set_terms(POLICY_FEE_BASE | POLICY_CLTV_DELTA, dear, 600);
	old = another(5000000);
	CHECK_EQ(pay_way(&a, &old)->code, REPLY_OK);
	dearer = another(5000000);
	dearer.hops[0].amount.v = 5000000 + 50000 + 5000000 * b.config.forward_fee_ppm / 1000000;
	dearer.hops[0].delay = LAST_DELAY + 60;
	CHECK_EQ(pay_way(&a, &dearer)->code, REPLY_OK);
	/* Whoever knows of the new fee and of the old delta alone has the delta to learn: by the terms of before he pays. */
	mixed = another(5000000);
	mixed.hops[0].amount = dearer.hops[0].amount;
	CHECK_EQ(pay_way(&a, &mixed)->code, REPLY_OK);
	row_tick(599000);
	old = another(5000000);
	CHECK_EQ(pay_way(&a, &old)->code, REPLY_OK);
	/* A restart does not forget it. */
	row_restart(&b);
	row_pump();
	old = another(5000000);
	CHECK_EQ(pay_way(&a, &old)->code, REPLY_OK);
	row_tick(2000);
	old = another(5000000);
	way_fails(&old, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
	dearer.bill = old.bill;
	dearer.hops[0].delay--;
	way_fails(&dearer, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_INCORRECT_CLTV_EXPIRY);
	dearer.hops[0].delay++;
	CHECK_EQ(pay_way(&a, &dearer)->code, REPLY_OK);
}

TEST(no_grace_where_none_is_wanted)
{
	struct way w;

	row();
	set_terms(POLICY_FEE_BASE, (struct forward_policy){ .fee_base = MSAT(2000) }, 600);
	/* Everything of before ends with it. */
	set_terms(POLICY_FEE_BASE, (struct forward_policy){ .fee_base = MSAT(3000) }, 0);
	w = another(5000000);
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
	w.hops[0].amount.v = 5000000 + 2000 + 50;
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
	w.hops[0].amount.v = 5000000 + 3000 + 50;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

TEST(terms_are_stored_and_go_with_their_channel)
{
	struct command order = { .kind = COMMAND_CLOSE };
	struct bytes closing;
	struct way w;
	bool ignore;

	row();
	order = terms(POLICY_FEE_PPM, (struct forward_policy){ .fee_ppm = 1234 }, 0);
	order.u.set_channel.has_ignore_fee_limits = order.u.set_channel.ignore_fee_limits = true;
	CHECK_EQ(set(&b, &order)->code, REPLY_OK);
	row_restart(&b);
	row_pump();
	CHECK_EQ(node_view_policy(b.node, channel_between(&b, &c), &ignore).fee_ppm, 1234);
	CHECK(ignore);
	w = another(5000000);
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
	order = (struct command){ .kind = COMMAND_CLOSE };
	order.u.close.channel.by_peer = true;
	order.u.close.channel.peer = c.id;
	(void)rig_command(&b, &order);
	row_pump();
	closing = rig_accept_broadcasts(&b);
	rig_block(&b, &closing, 1);
	rig_blocks(&b, 100);
	CHECK(!channel_between(&b, &c));
	rig_restart(&b); /* nothing is left that belongs to no channel */
}

/* Another channel to the same peer carries an HTLC by its own terms. */
TEST(another_channel_has_terms_of_its_own)
{
	struct command order = { .kind = COMMAND_SET_CHANNEL };
	const struct channel_record *second = NULL;
	const struct channel *ch;
	uint32_t at = 0;
	struct way w;

	row();
	w = another(700000000);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	row_open(&a, &b, ROW_SAT);
	w = another(600000000); /* by the name of the first one, which is empty */
	row_open(&b, &c, ROW_SAT);
	while ((ch = node_view_channel(b.node, &at)))
		if (SAME(*channel_peer(ch), c.id) && channel_record_of(ch)->scid.v != w.hops[1].scid.v)
			second = channel_record_of(ch);
	CHECK(second);
	order.u.set_channel.channel = (struct channel_name){ .by_scid = true, .scid = second->scid };
	order.u.set_channel.fields = POLICY_FEE_BASE;
	order.u.set_channel.own.fee_base = MSAT(100000);
	CHECK_EQ(set(&b, &order)->code, REPLY_OK);
	CHECK_EQ(pay_way(&a, &w)->u.sendpay.failure_code, FAIL_TEMPORARY_CHANNEL_FAILURE);
	w.hops[0].amount.v += 100000;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

/* --- what the world is told --- */

/* None of the three needs the chain for its own channels. */
static void look_up(struct rig *r, const struct gossip_note *n)
{
	struct gossip_funding *f = test_alloc(n->count * sizeof(*f));
	struct gossip_answer answered = { .kind = GOSSIP_FUNDED, .id = n->id, .fundings = f, .count = n->count };

	for (uint32_t i = 0; i < n->count; i++)
		f[i].state = FUNDING_UNKNOWN;
	answer(r, &answered);
}

static void open_public(struct rig *from, struct rig *to)
{
	struct command order = { .kind = COMMAND_FUND_CHANNEL };

	order.u.fund_channel.peer = to->id;
	order.u.fund_channel.amount = SAT(ROW_SAT);
	order.u.fund_channel.announce = true;
	(void)rig_command(from, &order);
	(void)row_confirm(from, 6);
}

static void public_row(void)
{
	row_begin();
	turn_on(&a);
	turn_on(&b);
	turn_on(&c);
	row_meet();
	open_public(&a, &b);
	open_public(&b, &c);
	CHECK(channel_is_usable(channel_between(&b, &c)));
}

TEST(a_channel_that_was_called_disabled_says_so)
{
	struct graph_policy said;
	struct way w;

	public_row();
	w = another(5000000);
	CHECK(node_view_own_policy(b.node, channel_between(&b, &c), &said) && !(said.flags & GRAPH_DISABLED));
	rig_unlink_both(&b, &c, bc);
	/* B4.failure_messages.12: nobody could know of it yet. */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_TEMPORARY_CHANNEL_FAILURE);
	for (int minutes = 0; minutes < 11; minutes++) {
		row_tick(60000);
		row_pump();
	}
	CHECK(node_view_own_policy(b.node, channel_between(&b, &c), &said) && (said.flags & GRAPH_DISABLED));
	/* B4.failure_messages.25, B4.failure_messages.26 */
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_CHANNEL_DISABLED);
	row_reconnect();
	row_pump();
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}

/* B7.channel_update.20: whoever changes the configuration has changed what was announced. */
TEST(another_configuration_is_a_change_of_terms)
{
	struct way w;

	public_row();
	w = another(5000000);
	b.config.forward_fee_base = MSAT(70000);
	row_restart(&b);
	row_pump();
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	row_tick(601000);
	w = another(5000000);
	CHECK_EQ(w.hops[0].amount.v, 5000000 + 70000 + 50);
	w.hops[0].amount.v--;
	way_fails(&w, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
}

/* --- what a failure tells --- */

/* The channel_update in b's refusal of this way; empty: none. */
static struct bytes told(const struct way *w, uint16_t code)
{
	const struct reply *reply = pay_way(&a, w);
	struct failure f;

	CHECK(reply->u.sendpay.has_failure && reply->u.sendpay.erring_index == 1);
	CHECK(failure_decode(&a.kept, &f, reply->u.sendpay.failure_message));
	CHECK_EQ(f.code, code);
	row_is_quiet();
	switch (code) {
	case FAIL_TEMPORARY_CHANNEL_FAILURE:
		return f.u.temporary_channel_failure.channel_update;
	case FAIL_AMOUNT_BELOW_MINIMUM:
		CHECK_EQ(f.u.amount_below_minimum.htlc_msat.v, w->hops[1].amount.v);
		return f.u.amount_below_minimum.channel_update;
	case FAIL_FEE_INSUFFICIENT:
		CHECK_EQ(f.u.fee_insufficient.htlc_msat.v, w->hops[0].amount.v);
		return f.u.fee_insufficient.channel_update;
	case FAIL_INCORRECT_CLTV_EXPIRY:
		CHECK(f.u.incorrect_cltv_expiry.cltv_expiry);
		return f.u.incorrect_cltv_expiry.channel_update;
	case FAIL_EXPIRY_TOO_SOON:
		return f.u.expiry_too_soon.channel_update;
	case FAIL_CHANNEL_DISABLED:
		CHECK_EQ(f.u.channel_disabled.disabled_flags, 0);
		return f.u.channel_disabled.channel_update;
	}
	CHECK(false);
	return BYTES_NONE;
}

/* The terms in it: b's, of the channel as the onion called it (B4.failure_messages.41), under b's signature. */
static struct msg_channel_update terms_told(const struct way *w, uint16_t code)
{
	struct bytes raw = told(w, code);
	struct msg_channel_update m;
	struct gossip_check check;

	/* Type, then the message: as lnd, LDK and Core Lightning write it and read it. */
	CHECK(raw.size && load_be16(raw.data) == MSG_CHANNEL_UPDATE);
	CHECK_EQ(msg_channel_update_decode(raw, &a.kept, &m), DECODE_OK);
	CHECK_EQ(m.short_channel_id.v, w->hops[1].scid.v);
	CHECK_EQ(channel_update_checks(&check, &m, raw, &b.id), 1);
	CHECK(ecdsa_verify(&check.signature, &check.hash, &check.key));
	return m;
}

TEST(a_failure_tells_the_terms_of_now)
{
	const struct forward_policy dear = { .fee_base = MSAT(60000), .cltv_delta = 60, .htlc_min = MSAT(4000), .htlc_max = MSAT(9000000) };
	struct msg_channel_update m;
	struct way w, small, large;

	public_row();
	/* Nobody has heard of it yet: the failure is the first to tell. */
	set_terms(POLICY_FEE_BASE | POLICY_CLTV_DELTA | POLICY_HTLC_MIN | POLICY_HTLC_MAX, dear, 0);
	w = another(5000000);
	small = another(3999);
	large = another(9000001);
	for (int again = 0; again < 2; again++) {
		m = terms_told(&w, FAIL_FEE_INSUFFICIENT);
		CHECK(m.fee_base_msat == 60000 && m.cltv_expiry_delta == 60 && m.message_flags == 1);
		m = terms_told(&small, FAIL_AMOUNT_BELOW_MINIMUM);
		CHECK_EQ(m.htlc_minimum_msat.v, 4000);
		m = terms_told(&large, FAIL_TEMPORARY_CHANNEL_FAILURE);
		CHECK_EQ(m.htlc_maximum_msat.v, 9000000);
		/* After a restart it is what the log has, to the bit. */
		if (again)
			break;
		row_restart(&b);
		row_pump();
		row_reconnect();
		row_pump();
	}
	/* What it was told is all that the sender needs. */
	w.hops[0].amount.v = 5000000 + m.fee_base_msat + 5000000ull * m.fee_proportional_millionths / 1000000;
	(void)terms_told(&w, FAIL_INCORRECT_CLTV_EXPIRY);
	w.hops[0].delay = LAST_DELAY + m.cltv_expiry_delta;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	w = another(5000000);
	w.hops[0].amount.v += 100000;
	w.hops[1].delay = 1;
	w.hops[0].delay = 1 + 60;
	(void)terms_told(&w, FAIL_EXPIRY_TOO_SOON);
}

TEST(a_failure_of_a_disabled_channel_says_that_too)
{
	struct way w;

	public_row();
	w = another(5000000);
	rig_unlink_both(&b, &c, bc);
	CHECK(!(terms_told(&w, FAIL_TEMPORARY_CHANNEL_FAILURE).channel_flags & UPDATE_DISABLE));
	for (int minutes = 0; minutes < 11; minutes++) {
		row_tick(60000);
		row_pump();
	}
	CHECK(terms_told(&w, FAIL_CHANNEL_DISABLED).channel_flags & UPDATE_DISABLE);
}

TEST(a_failure_tells_nothing_where_that_is_wanted)
{
	struct way w;

	row_begin();
	b.config.failure_update = false;
	turn_on(&a);
	turn_on(&b);
	turn_on(&c);
	row_meet();
	open_public(&a, &b);
	open_public(&b, &c);
	w = another(5000000);
	w.hops[0].amount.v = 5000000;
	CHECK_EQ(told(&w, FAIL_FEE_INSUFFICIENT).size, 0);
}

/* B4.failure_messages.41: neither the alias of an announced channel nor the place of a hidden one is told. */
TEST(a_failure_tells_of_no_other_name)
{
	struct msg_channel_update m;
	struct way w;

	public_row();
	w = another(5000000);
	w.hops[0].amount.v = 5000000;
	(void)terms_told(&w, FAIL_FEE_INSUFFICIENT);
	w.hops[1].scid = record_of_bc()->alias_local;
	CHECK_EQ(told(&w, FAIL_FEE_INSUFFICIENT).size, 0);

	row_begin();
	turn_on(&a);
	turn_on(&b);
	turn_on(&c);
	row_start(); /* channels that nobody announces */
	w = another(5000000);
	CHECK_EQ(w.hops[1].scid.v, record_of_bc()->scid.v);
	w.hops[0].amount.v = 5000000;
	CHECK_EQ(told(&w, FAIL_FEE_INSUFFICIENT).size, 0);
	w.hops[1].scid = record_of_bc()->alias_local;
	m = terms_told(&w, FAIL_FEE_INSUFFICIENT);
	CHECK(m.fee_base_msat == b.config.forward_fee_base.v && m.message_flags == (UPDATE_MUST_BE_ONE | UPDATE_DONT_FORWARD));
	set_terms(POLICY_FEE_BASE, (struct forward_policy){ .fee_base = MSAT(7777) }, 0);
	CHECK_EQ(terms_told(&w, FAIL_FEE_INSUFFICIENT).fee_base_msat, 7777);
	row_restart(&b);
	row_pump();
	row_reconnect();
	row_pump();
	CHECK_EQ(terms_told(&w, FAIL_FEE_INSUFFICIENT).fee_base_msat, 7777);
}
