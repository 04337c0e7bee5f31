#include "tests/test.h"

#include <string.h>

#include "crypto/cipher.h"
#include "wallet/select.h"

static uint64_t sum_chosen(const struct select_coin *coins, uint32_t count, uint32_t *chosen)
{
	uint64_t sum = 0;

	*chosen = 0;
	for (uint32_t i = 0; i < count; i++)
		if (coins[i].chosen) {
			sum += coins[i].effective;
			(*chosen)++;
		}
	return sum;
}

static uint32_t fill(struct select_coin *coins, const uint64_t *values, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		coins[i] = (struct select_coin){ .effective = values[i], .index = i };
	return count;
}

TEST(exact_sums_need_no_change)
{
	static const uint64_t values[] = { 100, 250, 400, 1000, 5000, 70, 33 };
	struct select_want want = { .target = 720, .excess_max = 0, .change_need = 50, .count_max = 100 };
	struct select_coin coins[7];
	uint32_t chosen;

	CHECK_EQ(select_coins(coins, fill(coins, values, 7), &want), SELECT_EXACT);
	CHECK_EQ(sum_chosen(coins, 7, &chosen), 720);
	CHECK_EQ(chosen, 3); /* 400 + 250 + 70 */
}

/* The least excess wins, not the first that is allowed. */
TEST(least_excess_is_found)
{
	static const uint64_t values[] = { 1009, 1004, 990, 14 };
	struct select_want want = { .target = 1000, .excess_max = 20, .change_need = 50, .count_max = 100 };
	struct select_coin coins[4];
	uint32_t chosen;

	CHECK_EQ(select_coins(coins, fill(coins, values, 4), &want), SELECT_EXACT);
	CHECK_EQ(sum_chosen(coins, 4, &chosen), 1004);
}

TEST(one_coin_that_is_enough_is_taken_alone)
{
	static const uint64_t values[] = { 90000, 3000, 50000, 2000 };
	struct select_want want = { .target = 10000, .excess_max = 10, .change_need = 500, .count_max = 100 };
	struct select_coin coins[4];
	uint32_t chosen;

	CHECK_EQ(select_coins(coins, fill(coins, values, 4), &want), SELECT_CHANGE);
	CHECK_EQ(sum_chosen(coins, 4, &chosen), 50000);
	CHECK_EQ(chosen, 1);
}

TEST(few_large_coins_rather_than_many_small_ones)
{
	static const uint64_t values[] = { 10, 20, 30, 700, 600, 40, 50 };
	struct select_want want = { .target = 1100, .excess_max = 0, .change_need = 100, .count_max = 100 };
	struct select_coin coins[7];
	uint32_t chosen;

	CHECK_EQ(select_coins(coins, fill(coins, values, 7), &want), SELECT_CHANGE);
	CHECK_EQ(sum_chosen(coins, 7, &chosen), 1300);
	CHECK_EQ(chosen, 2);
}

/* Enough for the target but not for change: better a larger fee than no payment. */
TEST(target_without_room_for_change)
{
	static const uint64_t values[] = { 600, 500 };
	struct select_want want = { .target = 1000, .excess_max = 10, .change_need = 500, .count_max = 100 };
	struct select_coin coins[2];
	uint32_t chosen;

	CHECK_EQ(select_coins(coins, fill(coins, values, 2), &want), SELECT_CHANGE);
	CHECK_EQ(sum_chosen(coins, 2, &chosen), 1100);
}

TEST(too_few_and_too_many)
{
	static const uint64_t values[] = { 100, 100, 100, 100 };
	struct select_want want = { .target = 350, .excess_max = 0, .change_need = 10, .count_max = 3 };
	struct select_coin coins[4];
	uint32_t chosen;

	CHECK_EQ(select_coins(coins, fill(coins, values, 4), &want), SELECT_TOO_MANY);
	CHECK_EQ(sum_chosen(coins, 4, &chosen), 0);
	want.count_max = 4;
	want.target = 401;
	CHECK_EQ(select_coins(coins, fill(coins, values, 4), &want), SELECT_TOO_FEW);
	CHECK_EQ(sum_chosen(coins, 4, &chosen), 0);
	CHECK_EQ(select_coins(coins, 0, &want), SELECT_TOO_FEW);
	want.target = 300;
	want.count_max = 3;
	CHECK_EQ(select_coins(coins, fill(coins, values, 4), &want), SELECT_EXACT);
	want.count_max = 2;
	want.target = 200;
	CHECK_EQ(select_coins(coins, fill(coins, values, 4), &want), SELECT_EXACT);
	CHECK_EQ(sum_chosen(coins, 4, &chosen), 200);
}

/* Against every subset of small sets: an exact solution is found if there is one, and it is the best. */
TEST(branch_and_bound_agrees_with_trying_all)
{
	uint8_t seed[32] = { 5 };
	struct drbg d;
	int exact = 0;

	drbg_init(&d, seed);
	for (int round = 0; round < 2000; round++) {
		uint8_t raw[12];
		struct select_coin coins[10];
		struct select_want want = { .excess_max = 3, .change_need = 1000, .count_max = 100 };
		uint64_t best = UINT64_MAX, total = 0;
		uint32_t chosen;

		drbg_fill(&d, raw, sizeof(raw));
		for (uint32_t i = 0; i < 10; i++) {
			coins[i] = (struct select_coin){ .effective = 1 + raw[i], .index = i };
			total += coins[i].effective;
		}
		want.target = 1 + (uint64_t)(raw[10] | raw[11] << 8) % (total + 20);
		for (uint32_t set = 0; set < 1024; set++) {
			uint64_t sum = 0;

			for (uint32_t i = 0; i < 10; i++)
				sum += set >> i & 1 ? coins[i].effective : 0;
			if (sum >= want.target && sum <= want.target + 3 && sum < best)
				best = sum;
		}
		enum select_result r = select_coins(coins, 10, &want);

		CHECK((r == SELECT_EXACT) == (best != UINT64_MAX));
		if (r == SELECT_EXACT) {
			CHECK_EQ(sum_chosen(coins, 10, &chosen), best);
			exact++;
		}
		CHECK((r == SELECT_TOO_FEW) == (total < want.target));
	}
	CHECK(exact > 200 && exact < 1900);
}

/* Thousands of alike coins must not take for ever. */
TEST(many_coins_are_no_trouble)
{
	static struct select_coin coins[20000];
	struct select_want want = { .target = 77777777, .excess_max = 0, .change_need = 1000, .count_max = 1400 };
	uint32_t chosen;

	for (uint32_t i = 0; i < 20000; i++)
		coins[i] = (struct select_coin){ .effective = 100000 + i % 7 * 10, .index = i };
	CHECK(select_coins(coins, 20000, &want) != SELECT_TOO_FEW);
	CHECK(sum_chosen(coins, 20000, &chosen) >= 77777777);
	CHECK(chosen <= 1400);
}
