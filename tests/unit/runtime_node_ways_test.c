/* Questions for ways, as the payments of a whole node ask them. */
#include "tests/unit/node_pair.h"

#include "node/state.h"

/* The answer to the last question. */
static struct {
	uint32_t count;
	uint64_t id;
	enum route_verdict verdict;
	uint32_t parts, hops;
	struct amount_msat deliver, send, fee;
	struct route_leg first, last;
} got;

static void answered(struct node *n, struct step *s, uint64_t id, const struct route_plan *plan)
{
	(void)n;
	(void)s;
	got.count++;
	got.id = id;
	got.verdict = plan->verdict;
	got.parts = plan->part_count;
	got.fee = plan->fee;
	if (!plan->part_count)
		return;
	got.hops = plan->parts[0].hop_count;
	got.deliver = plan->parts[0].deliver;
	got.send = plan->parts[0].send;
	got.first = plan->parts[0].hops[0];
	got.last = plan->parts[0].hops[got.hops - 1];
}

static struct ways_question question(const struct pubkey *payee, uint64_t msat)
{
	return (struct ways_question){ .id = 7, .answer = answered, .payee = *payee, .amount = MSAT(msat),
				       .fee_limit = msat_ppm(MSAT(msat), 5000), .final_cltv = 18, .cltv_max = 2016, .parts_max = 16 };
}

static struct step step_of(struct rig *r)
{
	struct step s = node_view_step(r->node);

	s.now_ms = r->now_ms;
	s.out = exec_effects(r->exec);
	s.entropy = &r->node->entropy;
	return s;
}

static void ask(struct rig *r, const struct ways_question *q)
{
	struct step s = step_of(r);

	node_ways_ask(r->node, &s, q);
	exec_run(r->exec, r->now_ms);
	node_check(r->node);
}

TEST(a_channel_of_ours_is_a_way)
{
	struct ways_question q;

	two();
	q = question(&b.id, 5000000);
	memset(&got, 0, sizeof(got));
	ask(&a, &q);
	CHECK_EQ(got.count, 1);
	CHECK_EQ(got.id, 7);
	CHECK_EQ(got.verdict, ROUTE_FOUND);
	CHECK_EQ(got.parts, 1);
	CHECK_EQ(got.hops, 1);
	CHECK_EQ(got.send.v, 5000000);
	CHECK_EQ(got.first.cltv, 18);
	CHECK(SAME(got.first.node, b.id));
	CHECK(node_ways_channel(a.node, &got.first)->channel == rig_channel(&a));
	/* What it cannot send it is not asked to. */
	q = question(&b.id, 999999000);
	ask(&a, &q);
	CHECK_EQ(got.verdict, ROUTE_NO_WAY);
	/* b has nothing there yet. */
	q = question(&a.id, 1000);
	ask(&b, &q);
	CHECK_EQ(got.verdict, ROUTE_NO_WAY);
}

TEST(a_hint_goes_on_from_our_peer)
{
	struct path_hint_hop hop = { .scid = { 77 }, .fee_base_msat = 1000, .fee_ppm = 100, .cltv_delta = 40 };
	struct path_hint hint = { &hop, 1 };
	struct pubkey payee = { { 2, 5 } };
	struct ways_question q;

	two();
	hop.node_id = b.id;
	q = question(&payee, 5000000);
	q.hints = &hint;
	q.hint_count = 1;
	ask(&a, &q);
	CHECK_EQ(got.verdict, ROUTE_FOUND);
	CHECK_EQ(got.hops, 2);
	CHECK_EQ(got.send.v, 5000000 + 1000 + 500);
	CHECK_EQ(got.first.cltv, 58);
	CHECK_EQ(got.last.scid.v, 77);
	CHECK(SAME(got.last.node, payee));
	q.hint_count = 0;
	ask(&a, &q);
	CHECK_EQ(got.verdict, ROUTE_UNKNOWN_TARGET);
}

TEST(a_question_is_lost_with_its_node)
{
	struct ways_question q;

	two();
	a.worker_late = true;
	q = question(&b.id, 5000000);
	memset(&got, 0, sizeof(got));
	ask(&a, &q);
	ask(&a, &q);
	CHECK_EQ(node_ways_figures(a.node).questions, 2);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.count, 1);
	rig_restart(&a);
	CHECK(!rig_worker_tick(&a));
	CHECK_EQ(got.count, 1);
	CHECK_EQ(node_ways_figures(a.node).questions, 0);
}
