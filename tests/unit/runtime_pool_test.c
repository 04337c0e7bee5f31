/* The pool does each part once, on several threads, and gives back only when all are done. */
#include "runtime/pool/pool.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "tests/test.h"

#define PARTS 200u

struct counted {
	uint32_t times[PARTS];
	uint64_t product[PARTS];
};

static void count_part(void *job, uint32_t i)
{
	struct counted *c = job;
	uint64_t x = i + 1;

	for (uint32_t k = 0; k < 1000; k++)
		x = x * 6364136223846793005ull + i;
	c->product[i] = x;
	c->times[i]++;
}

TEST(each_part_is_done_once)
{
	struct counted want = { .times = { 0 } }, got;

	runner_run(NULL, count_part, &want, PARTS);
	for (uint32_t threads = 0; threads <= 3; threads++) {
		struct pool *p = pool_new(threads);

		for (uint32_t round = 0; round < 300; round++) {
			uint32_t count = round % (PARTS + 1);

			memset(&got, 0, sizeof(got));
			runner_run(pool_runner(p), count_part, &got, count);
			/* Not atomic: whatever a thread wrote is there once the call returns. */
			for (uint32_t i = 0; i < PARTS; i++)
				CHECK_EQ(got.times[i], i < count);
			CHECK(memcmp(got.product, want.product, count * sizeof(got.product[0])) == 0);
		}
		pool_free(p);
	}
}

/* Two parts that are done only when both have begun. */
struct meeting {
	atomic_uint here;
	atomic_bool met;
};

static void meet(void *job, uint32_t i)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct meeting *m = job;

	(void)i;
	if (atomic_fetch_add(&m->here, 1) == 1)
		atomic_store(&m->met, true);
	for (uint32_t k = 0; k < 20000 && !atomic_load(&m->met); k++)
		nanosleep(&moment, NULL);
}

TEST(parts_are_done_at_the_same_time)
{
	struct pool *p = pool_new(1);

	for (uint32_t round = 0; round < 20; round++) {
		struct meeting m = { 0, false };

		runner_run(pool_runner(p), meet, &m, 2);
		CHECK(atomic_load(&m.met));
	}
	pool_free(p);
}

TEST(a_pool_that_is_not_used_ends)
{
	for (uint32_t threads = 0; threads <= POOL_THREADS_MAX; threads++)
		pool_free(pool_new(threads));
	pool_free(NULL);
	CHECK(pool_threads_default() <= POOL_THREADS_MAX);
}
