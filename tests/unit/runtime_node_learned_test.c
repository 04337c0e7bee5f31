/* What real HTLCs teach a node about channels of others: whole nodes in a row, a - b - c, and a's facts about b - c. */
#include "tests/unit/node_three.h"

#include "node/state.h"

static struct scid far(void)
{
	return channel_record_of(channel_between(&b, &c))->scid;
}

static int towards_c(void)
{
	return memcmp(b.id.v, c.id.v, 33) < 0 ? 0 : 1;
}

static enum reply_code pay(uint64_t msat)
{
	struct bill bill = bill_of(&c, msat, NULL);
	struct way w = way_to_c(&bill);

	return pay_way(&a, &w)->code;
}

/* The answer to how much more could be sent to c along a hint. */
static uint64_t told;

static void answered(struct node *n, struct step *s, uint64_t id, const struct route_plan *plan)
{
	(void)n;
	(void)s;
	(void)id;
	told = plan->verdict == ROUTE_FOUND;
}

static bool would_send(uint64_t msat)
{
	struct path_hint_hop hop = { .node_id = b.id, .scid = far(), .fee_base_msat = 1, .fee_ppm = 10, .cltv_delta = 34 };
	struct path_hint hint = { &hop, 1 };
	struct ways_question q = { .id = 1, .answer = answered, .payee = c.id, .amount = MSAT(msat), .fee_limit = MSAT(msat),
				   .final_cltv = 18, .cltv_max = 2016, .parts_max = 1, .hints = &hint, .hint_count = 1 };
	struct step s = node_view_step(a.node);

	told = 2;
	s.now_ms = a.now_ms;
	s.out = exec_effects(a.exec);
	s.entropy = &a.node->entropy;
	node_ways_ask(a.node, &s, &q);
	exec_run(a.exec, a.now_ms);
	CHECK(told < 2);
	return told;
}

TEST(an_htlc_that_lacked_liquidity_is_a_fact_that_is_stored)
{
	row();
	/* b pays c, so that less is left there than a can send to b. */
	{
		struct bill bill = bill_of(&c, 600000000, NULL);
		struct route_hop hop = { .node = c.id, .scid = far(), .amount = bill.amount, .delay = LAST_DELAY };
		struct way w = { .hops = { hop }, .bill = bill };
		struct command order = { .kind = COMMAND_SENDPAY };

		order.u.sendpay.hops = w.hops;
		order.u.sendpay.hop_count = 1;
		order.u.sendpay.payment_hash = bill.hash;
		order.u.sendpay.has_secret = true;
		order.u.sendpay.secret = bill.secret;
		CHECK_EQ(row_code(&b, rig_command(&b, &order)), REPLY_OK);
		row_pump();
	}
	CHECK_EQ(node_ways_figures(a.node).facts, 0);
	CHECK(would_send(500000000));
	CHECK_EQ(pay(500000000), REPLY_PAY_TRY_OTHER_ROUTE);
	CHECK_EQ(node_ways_figures(a.node).facts, 1);
	CHECK_EQ(node_ways_reserved(a.node, far(), towards_c()).v, 0);
	CHECK(!would_send(500000000) && would_send(400000000));
	/* Another run knows it. */
	row_restart(&a);
	row_pump();
	CHECK_EQ(node_ways_figures(a.node).facts, 1);
	CHECK(!would_send(500000000) && would_send(400000000));
	node_check(a.node);
}

TEST(what_is_in_flight_is_reserved_until_it_is_over)
{
	struct bill bill;
	struct way w;
	uint64_t call;

	row();
	bill = bill_of(&c, 1000000, NULL);
	w = way_to_c(&bill);
	call = order_way(&a, &w);
	CHECK_EQ(row_code(&a, call), REPLY_OK);
	CHECK_EQ(node_ways_reserved(a.node, far(), towards_c()).v, 1000000);
	/* Our own channel says by itself what it has left. */
	CHECK_EQ(node_ways_reserved(a.node, channel_record_of(channel_between(&a, &b))->scid, memcmp(a.id.v, b.id.v, 33) < 0 ? 0 : 1).v, 0);
	row_pump();
	CHECK_EQ(node_ways_reserved(a.node, far(), towards_c()).v, 0);
	/* It was paid: so much can come back that way. */
	CHECK_EQ(node_ways_figures(a.node).facts, 1);
	node_check(a.node);
}
