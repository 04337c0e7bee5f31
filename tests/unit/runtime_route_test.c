/* The worker's thread: jobs run in their order, each is reported once, and an end in the middle loses them quietly. */
#include "runtime/route/worker.h"

#include "tests/route_world.h"
#include "tests/test.h"

#define JOBS 400u

static struct {
	struct loop *loop;
	struct route_worker *worker;
	struct route_desk *desk;
	struct route_job *jobs[JOBS];
	uint32_t put, done;
	uint32_t batch; /* put at once */
} t;

static const uint8_t seed16[16] = { 3 };

static struct pubkey node_id(uint32_t n)
{
	struct pubkey p = { { 2 } };

	store_be32(p.v + 29, n);
	return p;
}

/* A row of nodes, each with a channel to the next. */
static struct route_job *build(uint32_t nodes)
{
	struct route_job *j = route_job_new(t.desk, ROUTE_JOB_BUILD);

	j->builder = route_builder_new(seed16);
	for (uint32_t i = 1; i < nodes; i++) {
		struct route_policy p = { true, 10, 10, 40, MSAT(1), MSAT(0) };
		struct route_channel c = { scid_make(1, i, 0), { node_id(i), node_id(i + 1) }, SAT(1000000), { p, p } };

		CHECK(route_builder_add(j->builder, &c));
	}
	return j;
}

static struct route_job *question(uint32_t number)
{
	struct route_job *j = route_job_new(t.desk, ROUTE_JOB_PLAN);

	j->number = number;
	j->settled = number ? number - 1 : 0;
	j->binding = true;
	j->request = (struct route_request){ .source = node_id(1), .target = node_id(2 + number % 15), .amount = MSAT(1000 + number),
					     .fee_limit = MSAT(100000), .final_cltv = 18, .cltv_max = 2016, .parts_max = 4,
					     .now_s = 1000, .seed = number };
	return j;
}

static void put_some(void)
{
	for (uint32_t i = 0; i < t.batch && t.put < JOBS; i++) {
		/* Now and then another snapshot, which has two nodes more. */
		t.jobs[t.put] = t.put % 100 ? question(t.put) : build(20 + t.put / 50);
		route_worker_put(t.worker, t.put, t.jobs[t.put]);
		t.put++;
	}
}

static void done(void *context, uint64_t id)
{
	CHECK(context == &t);
	CHECK_EQ(id, t.done);
	CHECK(t.jobs[id]->nodes == 20 + id / 100 * 2);
	if (t.jobs[id]->kind == ROUTE_JOB_PLAN)
		CHECK(t.jobs[id]->plan.verdict == ROUTE_FOUND && t.jobs[id]->plan.parts[0].hop_count == 1 + id % 15);
	route_job_free(t.jobs[id]);
	t.jobs[id] = NULL;
	if (++t.done == t.put)
		put_some();
	if (t.done == JOBS)
		loop_stop(t.loop);
}

static void turn(void *context, uint64_t now_ms)
{
	(void)context;
	(void)now_ms;
}

static uint64_t never(void *context)
{
	(void)context;
	return UINT64_MAX;
}

static void open_worker(uint32_t batch)
{
	const struct loop_client client = { .context = &t, .turn = turn, .deadline = never };
	const struct route_worker_owner owner = { &t, done };

	t.loop = loop_new(&client);
	t.worker = route_worker_new(t.loop, &owner);
	t.desk = route_desk_new(seed16);
	t.put = t.done = 0;
	t.batch = batch;
	put_some();
}

static void close_worker(void)
{
	route_worker_free(t.worker);
	for (uint32_t i = 0; i < t.put; i++) {
		route_job_free(t.jobs[i]);
		t.jobs[i] = NULL;
	}
	route_desk_free(t.desk);
	loop_free(t.loop);
}

TEST(jobs_are_done_in_their_order)
{
	static const uint32_t batches[] = { 1, 3, 90, JOBS };

	for (size_t i = 0; i < ARRAY_COUNT(batches); i++) {
		open_worker(batches[i]);
		loop_run(t.loop);
		CHECK_EQ(t.done, JOBS);
		close_worker();
	}
}

TEST(what_is_not_done_at_the_end_is_not_told)
{
	open_worker(JOBS);
	/* Nobody runs the loop: whatever has been done by now is not told, and the rest is not begun. */
	close_worker();
	CHECK_EQ(t.done, 0);
}
