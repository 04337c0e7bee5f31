/* Jobs and the desk they are done at: what it hears, what it holds for plans that nobody has spoken of yet. */
#include "route/job.h"

#include "tests/unit/route_setup.h"

#define NOW_S 1000000u

/* 1 - 2 - 4 over channel 24 of 100,000 sat, and the dearer 1 - 3 - 4 over 34. */
static const struct lane lanes[] = {
	{ 12, 1, 2, 1000000, { 0, 0 }, { 0, 0 } },
	{ 13, 1, 3, 1000000, { 0, 0 }, { 0, 0 } },
	{ 24, 2, 4, 100000, { 0, 0 }, { 10, 10 } },
	{ 34, 3, 4, 100000, { 0, 0 }, { 500, 500 } },
};

static struct route_desk *desk;
static uint64_t number;

/* The desk's next snapshot. */
static struct route_job *build(void)
{
	struct route_job *j = route_job_new(desk, ROUTE_JOB_BUILD);

	j->builder = route_builder_new(seed16);
	for (size_t i = 0; i < ARRAY_COUNT(lanes); i++) {
		struct route_channel c = channel_of(&lanes[i]);

		CHECK(route_builder_add(j->builder, &c));
	}
	route_job_run(j);
	return j;
}

static void open_desk(void)
{
	struct route_job *j;

	desk = route_desk_new(seed16);
	number = 0;
	j = build();
	CHECK_EQ(j->channels, 4);
	CHECK_EQ(j->nodes, 4);
	CHECK(!j->builder && j->size);
	route_job_free(j);
}

static struct route_job *question(uint64_t sat)
{
	struct route_job *j = route_job_new(desk, ROUTE_JOB_PLAN);

	j->number = ++number;
	j->settled = number - 1;
	j->binding = true;
	j->request = request_of(1, 4, sat * 1000);
	j->request.parts_max = 1;
	j->request.taste = (struct route_taste){ 1, 1, 1 };
	return j;
}

/* Where the first part of the plan goes; 0: no plan. */
static uint32_t way(struct route_job *j)
{
	uint32_t channel = 0;

	route_job_run(j);
	if (j->plan.verdict == ROUTE_FOUND) {
		CHECK_EQ(j->plan.part_count, 1);
		channel = scid_tx_index(j->plan.parts[0].hops[1].scid);
	}
	route_job_free(j);
	return channel;
}

TEST(two_questions_at_once_do_not_count_on_the_same_liquidity)
{
	struct route_job *j;

	open_desk();
	CHECK_EQ(way(question(70000)), 24);
	/* The first is settled: it was not wanted. */
	CHECK_EQ(way(question(70000)), 24);
	j = question(70000);
	j->settled = 1;
	CHECK_EQ(way(j), 34);
	j = question(70000);
	j->settled = 1;
	CHECK_EQ(way(j), 0);
	/* Plans end in their order; 2 is over, 3 still goes over 34. */
	j = question(70000);
	j->settled = 2;
	CHECK_EQ(way(j), 24);
	j = question(70000);
	CHECK_EQ(way(j), 24);
	route_desk_free(desk);
}

TEST(a_plan_that_binds_nobody_holds_nothing)
{
	struct route_job *j;

	open_desk();
	j = question(70000);
	j->binding = false;
	CHECK_EQ(way(j), 24);
	j = question(70000);
	j->settled = 0;
	CHECK_EQ(way(j), 24);
	route_desk_free(desk);
}

TEST(what_is_in_flight_is_heard_of)
{
	struct route_reservation r[] = { { scid_of(24), 0, false, MSAT(60000000) }, { scid_of(24), 0, false, MSAT(20000000) } };
	struct route_job *j;

	open_desk();
	j = question(70000);
	j->reserved = r;
	j->reserved_count = 2;
	CHECK_EQ(way(j), 34);
	/* It is kept until it is taken back. */
	CHECK_EQ(way(question(70000)), 34);
	r[0].back = true;
	j = question(70000);
	j->reserved = r;
	j->reserved_count = 1;
	CHECK_EQ(way(j), 24);
	/* All of it anew. */
	r[0] = (struct route_reservation){ scid_of(24), 0, false, MSAT(90000000) };
	j = question(70000);
	j->reserved = r;
	j->reserved_count = 1;
	j->reserved_anew = true;
	CHECK_EQ(way(j), 34);
	j = question(10000);
	CHECK_EQ(way(j), 24);
	route_desk_free(desk);
}

/* What has changed since, oldest first, as an owner tells it. */
static uint64_t tell(struct route_job *j, const struct liquidity *l, uint64_t told)
{
	const struct liquidity_entry *e = NULL;

	while ((e = liquidity_next(l, e)) && e->changed > told)
		j->learned_count++;
	j->learned = ARENA_ARRAY(&j->memory, struct liquidity_entry, j->learned_count);
	e = NULL;
	for (uint32_t i = j->learned_count; i; i--) {
		e = liquidity_next(l, e);
		j->learned[i - 1] = *e;
	}
	return liquidity_changed(l);
}

TEST(facts_are_heard_of_as_they_change)
{
	struct liquidity *l = liquidity_new(seed16, 100, LIQUIDITY_HALF_LIFE_S);
	struct route_job *j;
	uint64_t told;

	open_desk();
	liquidity_could_not(l, scid_of(24), 0, MSAT(50000000), NOW_S);
	j = question(70000);
	told = tell(j, l, 0);
	CHECK_EQ(j->learned_count, 1);
	CHECK_EQ(way(j), 34);
	CHECK_EQ(way(question(70000)), 34);
	/* Another snapshot is another planner: it knows the same. */
	j = build();
	route_job_free(j);
	CHECK_EQ(way(question(70000)), 34);
	liquidity_could(l, scid_of(24), 0, MSAT(95000000), NOW_S);
	liquidity_could_not(l, scid_of(34), 0, MSAT(5000000), NOW_S);
	j = question(70000);
	told = tell(j, l, told);
	CHECK_EQ(j->learned_count, 2);
	CHECK_EQ(way(j), 24);
	j = question(70000);
	told = tell(j, l, told);
	CHECK_EQ(j->learned_count, 0);
	CHECK_EQ(way(j), 24);
	liquidity_free(l);
	route_desk_free(desk);
}

/* A table that forgets and its copy forget the same. */
TEST(a_copy_of_the_facts_follows_whatever_is_dropped)
{
	struct liquidity *l = liquidity_new(seed16, 20, LIQUIDITY_HALF_LIFE_S), *copy = liquidity_new(seed16, 20, LIQUIDITY_HALF_LIFE_S);
	uint64_t random = 5, told = 0;

	for (int round = 0; round < 500; round++) {
		struct liquidity_entry changed[20];
		const struct liquidity_entry *e = NULL, *own;
		uint32_t count = 0;

		for (uint64_t k = route_world_random(&random) % 30; k; k--)
			liquidity_could(l, scid_of((uint32_t)(route_world_random(&random) % 60)), (int)(k & 1),
					MSAT(1 + route_world_random(&random) % 1000), NOW_S + (uint64_t)round);
		while ((e = liquidity_next(l, e)) && e->changed > told)
			changed[count++] = *e;
		while (count)
			liquidity_put(copy, &changed[--count]);
		told = liquidity_changed(l);
		liquidity_check(copy);
		CHECK_EQ(liquidity_count(copy), liquidity_count(l));
		for (e = NULL; (e = liquidity_next(l, e));) {
			own = liquidity_find(copy, e->scid);
			CHECK(own && !memcmp(own->side, e->side, sizeof(e->side)));
		}
	}
	liquidity_free(l);
	liquidity_free(copy);
}
