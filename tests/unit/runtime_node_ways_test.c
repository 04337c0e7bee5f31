/* Questions for ways, as the payments of a whole node ask them. */
#include "tests/unit/node_pair.h"

#include "gossip/log.h"
#include "node/state.h"

/* --- what gossip has: b, node 1 of a row of others, each with a channel to the next --- */

static uint32_t row_count;
static uint32_t heard; /* channel_updates so far: each is newer */

static struct pubkey row_node(uint32_t n)
{
	struct pubkey p = { { 2 } };

	store_be32(p.v + 29, n);
	return n == 1 ? b.id : p;
}

static struct scid row_scid(uint32_t n)
{
	return scid_make(100, n, 0);
}

static void add_update(struct buf *out, uint32_t n, int back, uint32_t fee_ppm)
{
	struct pubkey from = row_node(n + (uint32_t)back), to = row_node(n + !back);
	struct msg_channel_update u = {
		.chain_hash = a.config.network->genesis, .short_channel_id = row_scid(n),
		.timestamp = (uint32_t)(a.now_ms / 1000) - 1000 + heard++, .message_flags = 1,
		.channel_flags = memcmp(from.v, to.v, 33) < 0 ? 0 : 1, .cltv_expiry_delta = 40, .htlc_minimum_msat = MSAT(1),
		.fee_proportional_millionths = fee_ppm, .htlc_maximum_msat = MSAT(90000000),
	};

	msg_channel_update_encode(&u, out);
}

static void load_row(struct rig *r)
{
	struct buf log = BUF_EMPTY, raw = BUF_EMPTY;
	struct log_reader reader;
	struct bytes record;
	uint32_t ref;

	log_header_encode(buf_extend(&log, LOG_HEADER_SIZE), &r->config.network->genesis);
	for (uint32_t n = 1; n < row_count; n++) {
		struct pubkey one = row_node(n), other = row_node(n + 1);
		bool order = memcmp(one.v, other.v, 33) < 0;
		struct msg_channel_announcement c = { .chain_hash = r->config.network->genesis, .short_channel_id = row_scid(n),
						      .node_id_1 = order ? one : other, .node_id_2 = order ? other : one };
		uint8_t fixed[40] = { 0 };

		store_be64(fixed, 100000);
		store_be64(fixed + 8, c.short_channel_id.v);
		buf_clear(&raw);
		msg_channel_announcement_encode(&c, &raw);
		log_record_encode(LOG_CHANNEL, BYTES_OF(fixed), buf_view(&raw), &log);
		for (int back = 0; back < 2; back++) {
			buf_clear(&raw);
			add_update(&raw, n, back, 100);
			log_record_encode(LOG_UPDATE, BYTES_NONE, buf_view(&raw), &log);
		}
	}
	for (reader = (struct log_reader){ .log = buf_view(&log) }; log_next(&reader, &ref, &record);)
		CHECK(node_load_gossip(r->node, ref, record));
	node_gossip_loaded(r->node, reader.at);
	buf_release(&log);
	buf_release(&raw);
}

/* Every signature is good; nothing else is obeyed. */
static void believe(struct rig *r, const struct gossip_note *n)
{
	struct event e = { .kind = EVENT_GOSSIP, .now_ms = r->now_ms };
	bool good[16];
	struct gossip_answer what = { .kind = GOSSIP_VERIFIED, .id = n->id, .good = good, .count = n->count };

	if (n->kind != GOSSIP_VERIFY)
		return;
	CHECK(n->count <= ARRAY_COUNT(good));
	memset(good, 1, sizeof(good));
	e.u.gossip = &what;
	exec_event(r->exec, &e);
}

/* Two with a channel, and a knows the row; it begins again so that it is loaded. */
static void two_and_row(uint32_t count)
{
	two();
	row_count = count;
	heard = 0;
	a.config.gossip = true;
	a.gossip = believe;
	a.gossip_load = load_row;
	rig_disconnected(&b, 1);
	rig_restart(&a);
	rig_link(&a, &b, 2);
	rig_pump(&a, &b, 2);
	CHECK(channel_is_usable(rig_channel(&a)));
}

/* b says what it asks for on the way from n to n + 1. */
static void hear(uint32_t n, uint32_t fee_ppm)
{
	struct buf raw = BUF_EMPTY;

	add_update(&raw, n, 0, fee_ppm);
	rig_message(&a, 2, buf_view(&raw));
	rig_tick(&a, 0);
	buf_release(&raw);
}

/* --- questions --- */

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

TEST(the_graph_is_there_before_the_first_question)
{
	struct pubkey far, none = { { 2, 9 } };
	struct ways_question q;

	two_and_row(8);
	CHECK_EQ(node_ways_figures(a.node).channels, 7);
	CHECK_EQ(node_ways_figures(a.node).nodes, 8);
	far = row_node(6);
	q = question(&far, 5000000);
	ask(&a, &q);
	CHECK_EQ(got.verdict, ROUTE_FOUND);
	CHECK_EQ(got.hops, 6);
	CHECK(got.send.v >= 5000000 + 5 * 500 && got.send.v < 5000000 + 5 * 505);
	CHECK_EQ(got.first.cltv, 18 + 5 * 40);
	CHECK(node_ways_channel(a.node, &got.first)->channel == rig_channel(&a));
	q = question(&none, 1000);
	ask(&a, &q);
	CHECK_EQ(got.verdict, ROUTE_UNKNOWN_TARGET);
}

/* A snapshot is built again a while after gossip changed the graph, and what is asked meanwhile is answered from the one
 * before. */
TEST(the_graph_follows_gossip)
{
	struct pubkey far;
	struct ways_question q;

	two_and_row(4);
	far = row_node(3);
	q = question(&far, 5000000);
	q.fee_limit = MSAT(50000);
	CHECK_EQ(node_ways_figures(a.node).builds, 1);
	rig_tick(&a, WAYS_REST_MS);
	rig_tick(&a, 10000);
	/* Nothing has changed. */
	CHECK_EQ(node_ways_figures(a.node).builds, 1);
	a.worker_late = true;
	hear(2, 2000);
	rig_tick(&a, 1);
	CHECK_EQ(a.job_count, 1);
	hear(1, 3000);
	rig_tick(&a, 10000);
	/* One at a time. */
	CHECK_EQ(a.job_count, 1);
	ask(&a, &q);
	ask(&a, &q);
	CHECK(rig_worker_tick(&a));
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.verdict, ROUTE_FOUND);
	/* Of channel 2 it has heard, of channel 1 not yet. */
	CHECK_EQ(got.send.v, 5000000 + 5000000 / 1000 * 2 + 501);
	/* And now it has. */
	rig_tick(&a, 1);
	CHECK_EQ(a.job_count, 2);
	a.worker_late = false;
	while (rig_worker_tick(&a))
		;
	CHECK_EQ(node_ways_figures(a.node).builds, 3);
	ask(&a, &q);
	CHECK_EQ(got.send.v, 5000000 + 5000000 / 1000 * 2 + 5010000 / 1000 * 3);
	node_check(a.node);
}

/* Who finds nothing on a snapshot that is behind is told so only when a new one has nothing either. */
TEST(what_gossip_has_learned_is_a_way_at_once)
{
	struct pubkey far;
	struct ways_question q;

	two_and_row(4);
	far = row_node(3);
	q = question(&far, 5000000);
	q.fee_limit = MSAT(5000);
	rig_tick(&a, 10000);
	hear(1, 3000);
	rig_tick(&a, 1);
	CHECK_EQ(node_ways_figures(a.node).builds, 2);
	/* The graph is as the snapshot is. */
	memset(&got, 0, sizeof(got));
	ask(&a, &q);
	CHECK_EQ(got.verdict, ROUTE_TOO_EXPENSIVE);
	CHECK_EQ(node_ways_figures(a.node).builds, 2);
	a.worker_late = true;
	hear(1, 100);
	ask(&a, &q);
	ask(&a, &q);
	CHECK(rig_worker_tick(&a));
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.count, 1);
	CHECK_EQ(node_ways_figures(a.node).questions, 2);
	/* The new one has not rested, and is built; both are planned behind it. */
	rig_tick(&a, 0);
	CHECK_EQ(a.job_count, 3);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(node_ways_figures(a.node).builds, 3);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.count, 2);
	CHECK_EQ(got.verdict, ROUTE_FOUND);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.count, 3);
	CHECK_EQ(node_ways_figures(a.node).questions, 0);
	CHECK_EQ(got.send.v, 5000000 + 500 + 500);
	node_check(a.node);
}

/* Once, however much gossip goes on changing. */
TEST(a_question_waits_for_one_snapshot_and_no_more)
{
	struct pubkey none = { { 2, 9 } };
	struct ways_question q;

	two_and_row(4);
	q = question(&none, 5000000);
	rig_tick(&a, 10000);
	hear(1, 100);
	rig_tick(&a, 1);
	a.worker_late = true;
	memset(&got, 0, sizeof(got));
	hear(1, 200);
	ask(&a, &q);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.count, 0);
	rig_tick(&a, 0);
	hear(1, 300);
	CHECK(rig_worker_tick(&a));
	hear(1, 400);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.count, 1);
	CHECK_EQ(got.verdict, ROUTE_UNKNOWN_TARGET);
	/* Another one, whose answer comes when a snapshot of all that is on its way already, is put behind that. */
	ask(&a, &q);
	rig_tick(&a, 10000);
	rig_tick(&a, 1);
	CHECK_EQ(a.job_count, 2);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(a.job_count, 2);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.count, 1);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.count, 2);
	CHECK(!rig_worker_tick(&a));
	/* And one that nobody answers is lost with its node. */
	hear(1, 500);
	ask(&a, &q);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(node_ways_figures(a.node).questions, 1);
	rig_restart(&a);
	CHECK_EQ(node_ways_figures(a.node).questions, 0);
	CHECK_EQ(got.count, 2);
}

/* Twenty slices; gossip goes on changing, and payments are asked for, between them. */
TEST(a_large_graph_is_gathered_in_slices)
{
	struct pubkey near;
	struct ways_question q;
	uint32_t ticks = 0;
	uint64_t rest;

	two_and_row(20001);
	near = row_node(3);
	q = question(&near, 5000000);
	CHECK_EQ(node_ways_figures(a.node).channels, 20000);
	rest = WAYS_REST_MS + 20000 / 5;
	hear(2, 200);
	rig_tick(&a, 1);
	CHECK_EQ(node_ways_figures(a.node).builds, 1);
	CHECK_EQ(node_ways_deadline(a.node), a.now_ms - 1 + rest);
	for (rig_tick(&a, rest); node_ways_figures(a.node).builds == 1; ticks++) {
		hear(1 + ticks % 3, 300 + ticks);
		ask(&a, &q);
		CHECK_EQ(got.verdict, ROUTE_FOUND);
	}
	/* Each `hear` has ticked once. */
	CHECK_EQ(ticks, 20 - 1);
	CHECK_EQ(node_ways_figures(a.node).channels, 20000);
	/* It was not asked again for what came while it was gathered before it has rested. */
	rig_tick(&a, 1);
	CHECK_EQ(node_ways_figures(a.node).builds, 2);
	rig_tick(&a, rest);
	while (node_ways_deadline(a.node) <= a.now_ms)
		rig_tick(&a, 1);
	CHECK_EQ(node_ways_figures(a.node).builds, 3);
	rig_tick(&a, 100000);
	CHECK_EQ(node_ways_figures(a.node).builds, 3);
	CHECK_EQ(node_ways_deadline(a.node), UINT64_MAX);
}

/* --- what payments taught --- */

static uint64_t sendable(struct rig *r, const struct pubkey *payee)
{
	uint64_t low = 0, high = 100000000;

	while (low < high) {
		uint64_t middle = (low + high + 1) / 2;
		struct ways_question q = question(payee, middle);

		q.parts_max = 1;
		q.fee_limit = MSAT(middle);
		ask(r, &q);
		if (got.verdict == ROUTE_FOUND)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

TEST(what_a_payment_taught_is_used_by_the_next)
{
	struct pubkey two_on;
	struct step s;
	int direction;

	two_and_row(4);
	two_on = row_node(2);
	direction = memcmp(b.id.v, two_on.v, 33) < 0 ? 0 : 1;
	/* htlc_maximum_msat. */
	CHECK_EQ(sendable(&a, &two_on), 90000000);
	s = step_of(&a);
	node_ways_could_not(a.node, &s, row_scid(1), direction, MSAT(50000000));
	CHECK_EQ(sendable(&a, &two_on), 49999999);
	/* What others of ours hold there comes off, and off what a failure says too. */
	node_ways_reserve(a.node, row_scid(1), direction, MSAT(20000000));
	CHECK_EQ(sendable(&a, &two_on), 29999999);
	s = step_of(&a);
	node_ways_could_not(a.node, &s, row_scid(1), direction, MSAT(25000000));
	CHECK_EQ(sendable(&a, &two_on), 24999999);
	node_ways_release(a.node, row_scid(1), direction, MSAT(20000000));
	CHECK_EQ(sendable(&a, &two_on), 44999999);
	/* A payment that is fulfilled moves it: so much less is there, and so much more the other way. */
	s = step_of(&a);
	node_ways_moved(a.node, &s, row_scid(1), direction, MSAT(4000000));
	CHECK_EQ(sendable(&a, &two_on), 40999999);
	/* It passed after all. */
	s = step_of(&a);
	node_ways_could(a.node, &s, row_scid(1), direction, MSAT(60000000));
	CHECK_EQ(sendable(&a, &two_on), 90000000);
}

TEST(what_was_learned_is_there_after_a_restart)
{
	struct pubkey two_on;
	struct step s;
	int direction;

	two_and_row(4);
	two_on = row_node(2);
	direction = memcmp(b.id.v, two_on.v, 33) < 0 ? 0 : 1;
	s = step_of(&a);
	node_ways_could_not(a.node, &s, row_scid(1), direction, MSAT(50000000));
	node_ways_could(a.node, &s, row_scid(3), 0, MSAT(7000000));
	node_ways_reserve(a.node, row_scid(1), direction, MSAT(20000000));
	CHECK_EQ(sendable(&a, &two_on), 29999999);
	CHECK_EQ(node_ways_figures(a.node).facts, 2);
	rig_disconnected(&b, 2);
	rig_restart(&a);
	rig_link(&a, &b, 3);
	rig_pump(&a, &b, 3);
	CHECK_EQ(node_ways_figures(a.node).facts, 2);
	/* Nothing is in flight, as far as the new run knows. */
	CHECK_EQ(sendable(&a, &two_on), 49999999);
	/* It fades. */
	rig_tick(&a, 2 * LIQUIDITY_HALF_LIFE_S * 1000ull);
	CHECK(sendable(&a, &two_on) > 60000000);
	node_check(a.node);
}

TEST(many_changes_of_what_is_in_flight_are_heard_of_too)
{
	struct pubkey two_on;
	int direction;

	two_and_row(4);
	two_on = row_node(2);
	direction = memcmp(b.id.v, two_on.v, 33) < 0 ? 0 : 1;
	for (uint32_t i = 0; i < 3 * WAYS_CHANGES_MAX; i++) {
		node_ways_reserve(a.node, row_scid(1), direction, MSAT(10000));
		if (i % 3)
			node_ways_release(a.node, row_scid(1), direction, MSAT(10000));
	}
	CHECK_EQ(sendable(&a, &two_on), 90000000 < 100000000 - WAYS_CHANGES_MAX * 10000 ? 90000000 : 100000000 - WAYS_CHANGES_MAX * 10000);
	node_ways_release(a.node, row_scid(1), direction, MSAT(10000));
	node_ways_reserve(a.node, row_scid(1), direction, MSAT(20010000));
	CHECK_EQ(sendable(&a, &two_on), 100000000 - WAYS_CHANGES_MAX * 10000 - 20000000);
}

/* --- many at once --- */

TEST(a_flood_of_questions_is_bounded)
{
	struct pubkey far;
	struct ways_question q;

	two_and_row(8);
	far = row_node(6);
	q = question(&far, 1000000);
	q.binding = true;
	a.worker_late = true;
	memset(&got, 0, sizeof(got));
	for (uint32_t i = 0; i < WAYS_QUESTIONS_MAX; i++) {
		CHECK_EQ(node_ways_room(a.node), WAYS_QUESTIONS_MAX - i);
		ask(&a, &q);
	}
	CHECK_EQ(node_ways_room(a.node), 0);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(node_ways_room(a.node), 1);
	CHECK_EQ(got.verdict, ROUTE_FOUND);
	while (rig_worker_tick(&a))
		node_check(a.node);
	CHECK_EQ(got.count, WAYS_QUESTIONS_MAX);
	CHECK_EQ(node_ways_room(a.node), WAYS_QUESTIONS_MAX);
	/* A hundred thousand sat on the narrowest channel: the questions behind do not count on what the first were given. */
	CHECK_EQ(got.verdict, ROUTE_NO_WAY);
	ask(&a, &q);
	CHECK(rig_worker_tick(&a));
	CHECK_EQ(got.verdict, ROUTE_FOUND);
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
