/* core/onchain/bump: the schedule of fees, for every height of many terms. */
#include "onchain/bump.h"

#include "step/event.h"
#include "tests/test.h"

#define START 1000u

static struct feerate fees[FEE_TARGETS];

static void estimates(uint32_t urgent, uint32_t normal)
{
	fees[FEE_URGENT] = FEERATE(urgent);
	fees[FEE_NORMAL] = FEERATE(normal);
	fees[FEE_SLOW] = fees[FEE_MINIMUM] = FEERATE(253);
}

static struct bump terms(uint32_t span, uint64_t budget)
{
	return (struct bump){ .start = START, .deadline = span ? START + span : 0, .weight = 600, .budget = SAT(budget) };
}

/* Plays the caller from the first block to the deadline and returns what is paid in the last one. */
static uint32_t play(struct bump b, uint32_t blocks)
{
	uint32_t cap = (uint32_t)(b.budget.v * 1000 / b.weight);

	for (uint32_t h = START; h < START + blocks; h++) {
		struct feerate next = bump_next(&b, h, fees), target = bump_target(&b, h, fees);

		CHECK(target.per_kw <= cap);
		if (!next.per_kw)
			continue;
		CHECK(next.per_kw >= FEERATE_FLOOR_PER_KW && next.per_kw <= cap);
		/* BIP 125 rule 4, and never less than before. */
		CHECK(!b.paid.per_kw || next.per_kw >= b.paid.per_kw + BUMP_STEP_PER_KW);
		b.paid = next;
		b.paid_height = h;
	}
	return b.paid.per_kw;
}

TEST(every_deadline_ends_with_the_whole_budget)
{
	static const uint64_t budgets[] = { 200, 1000, 50000, 100000000, SUPPLY_SAT };

	for (uint32_t span = 1; span <= 300; span++)
		for (size_t i = 0; i < ARRAY_COUNT(budgets); i++) {
			struct bump b = terms(span, budgets[i]);
			uint64_t cap = budgets[i] * 1000 / b.weight;
			uint32_t paid;

			estimates(5000, 1000);
			if (cap > UINT32_MAX / 2)
				cap = UINT32_MAX / 2;
			CHECK_EQ(bump_target(&b, START + span - 1, fees).per_kw, cap);
			if (budgets[i] == SUPPLY_SAT)
				continue;
			paid = play(b, span);
			/* Less than one step below it. */
			CHECK(paid <= cap && paid + BUMP_STEP_PER_KW > cap);
		}
}

TEST(the_target_never_falls_while_time_passes)
{
	for (uint32_t span = 1; span <= 300; span++) {
		struct bump b = terms(span, 1000000);
		uint32_t before = 0;

		estimates(8000, 500);
		for (uint32_t h = START; h < START + span + 20; h++) {
			uint32_t now = bump_target(&b, h, fees).per_kw;

			CHECK(now >= before);
			before = now;
		}
	}
}

TEST(a_far_deadline_pays_what_is_normal_and_a_near_one_what_is_urgent)
{
	struct bump far = terms(1000, 100000), near = terms(6, 100000);

	estimates(5000, 1000);
	CHECK_EQ(bump_target(&far, START, fees).per_kw, 1000);
	/* Aware from the first block. */
	CHECK_EQ(bump_target(&near, START, fees).per_kw, 5000);
	/* In between there is no step. */
	for (uint32_t span = BUMP_URGENT_BLOCKS; span < BUMP_NORMAL_BLOCKS; span++) {
		struct bump a = terms(span, 100000), b = terms(span + 1, 100000);
		uint32_t one = bump_target(&a, START, fees).per_kw, other = bump_target(&b, START, fees).per_kw;

		CHECK(one >= other && one - other < 100);
	}
}

TEST(half_the_time_costs_a_sixteenth)
{
	struct bump b = terms(101, 600000);

	estimates(253, 253);
	CHECK(bump_target(&b, START + 50, fees).per_kw < 1000000 / 15);
	CHECK(bump_target(&b, START + 50, fees).per_kw > 1000000 / 17);
	CHECK(bump_target(&b, START + 5, fees).per_kw < 300);
}

/* LND's replacement stalling: what was paid, when, and how often it was begun again change nothing. */
TEST(the_schedule_never_begins_anew)
{
	struct bump b = terms(100, 600000), again = b;

	estimates(2000, 1000);
	for (uint32_t h = START; h < START + 100; h++) {
		struct feerate one = bump_target(&b, h, fees);

		again.paid = one;
		again.paid_height = h;
		again.floor = one;
		CHECK_EQ(bump_target(&again, h, fees).per_kw, one.per_kw);
		/* A split or a second try is not cheaper than what it replaces. */
		b.floor = FEERATE(one.per_kw + 10);
		CHECK(bump_target(&b, h, fees).per_kw >= one.per_kw);
		b.floor = FEERATE(0);
	}
}

TEST(estimates_are_followed_at_once)
{
	struct bump b = terms(200, 10000000);

	estimates(5000, 1000);
	b.paid = bump_next(&b, START, fees);
	b.paid_height = START;
	CHECK_EQ(b.paid.per_kw, 1000);
	CHECK_EQ(bump_next(&b, START + 1, fees).per_kw, 0);
	estimates(50000, 10000);
	CHECK(bump_next(&b, START + 1, fees).per_kw >= 10000);
	/* They fall again: nothing is taken back, and nothing is added soon. */
	b.paid = FEERATE(10000);
	b.paid_height = START + 1;
	estimates(5000, 1000);
	CHECK_EQ(bump_next(&b, START + 2, fees).per_kw, 0);
	/* But what waits for long gets another chance. */
	CHECK_EQ(bump_next(&b, START + 1 + BUMP_PATIENCE_BLOCKS, fees).per_kw, 10000 + BUMP_STEP_PER_KW);
}

TEST(without_a_deadline_nothing_hurries)
{
	struct bump b = terms(0, 1000000);
	uint32_t rounds = 0;

	estimates(3000, 1000);
	b.paid = bump_next(&b, START, fees);
	b.paid_height = START;
	CHECK_EQ(b.paid.per_kw, 1000);
	for (uint32_t h = START; h < START + 1000; h++) {
		struct feerate next = bump_next(&b, h, fees);

		if (!next.per_kw)
			continue;
		CHECK(h >= b.paid_height + BUMP_PATIENCE_BLOCKS);
		CHECK(next.per_kw >= b.paid.per_kw + BUMP_STEP_PER_KW && next.per_kw <= 3000);
		b.paid = next;
		b.paid_height = h;
		rounds++;
	}
	CHECK(rounds >= 3);
	CHECK(b.paid.per_kw <= 3000);
}

TEST(a_deadline_that_has_passed_is_a_short_one)
{
	struct bump b = { .start = START, .deadline = START - 500, .weight = 600, .budget = SAT(600000) };

	estimates(5000, 1000);
	CHECK_EQ(bump_target(&b, START, fees).per_kw, 5000);
	CHECK_EQ(bump_target(&b, START + BUMP_LATE_BLOCKS - 1, fees).per_kw, 1000000);
	CHECK_EQ(bump_target(&b, START + 5000, fees).per_kw, 1000000);
}

TEST(a_budget_bounds_everything)
{
	struct bump b = terms(10, 151);

	/* 151 sat for 600: not even the relay fee. */
	estimates(5000, 1000);
	CHECK_EQ(bump_target(&b, START, fees).per_kw, 0);
	CHECK_EQ(bump_next(&b, START, fees).per_kw, 0);
	b.budget = SAT(152);
	CHECK_EQ(bump_next(&b, START, fees).per_kw, 253);
	b.paid = FEERATE(253);
	CHECK_EQ(bump_next(&b, START + 9, fees).per_kw, 0);
	/* No estimates at all. */
	estimates(0, 0);
	b = terms(100, 1000000);
	CHECK_EQ(bump_target(&b, START, fees).per_kw, FEERATE_FLOOR_PER_KW);
}
