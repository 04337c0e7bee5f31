#include "wallet/select.h"

#include <stdlib.h>

#define TRIES_MAX 100000u

static int larger_first(const void *a, const void *b)
{
	const struct select_coin *x = a, *y = b;

	if (x->effective != y->effective)
		return x->effective > y->effective ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void choose_none(struct select_coin *coins, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		coins[i].chosen = false;
}

/* A walk over the choices to take or leave each coin, larger ones first, cut off where the rest can not reach the
 * target any more or the sum is past what is allowed. */
struct search {
	struct select_coin *coins;
	uint32_t count, at, tries, chosen;
	uint64_t sum, rest; /* rest: effective values from `at` on */
};

/* Back to the last coin that was taken, which is left this time.  False at the end of the tree. */
static bool backtrack(struct search *s)
{
	while (s->at > 0) {
		struct select_coin *c = &s->coins[--s->at];

		s->rest += c->effective;
		if (!c->chosen)
			continue;
		c->chosen = false;
		s->chosen--;
		s->sum -= c->effective;
		s->rest -= c->effective;
		s->at++;
		return true;
	}
	return false;
}

/* Whether taking this coin was tried already: its twin before it was left. */
static bool twin_left(const struct search *s)
{
	return s->at > 0 && !s->coins[s->at - 1].chosen && s->coins[s->at - 1].effective == s->coins[s->at].effective;
}

static void step_down(struct search *s)
{
	struct select_coin *c = &s->coins[s->at];
	bool take = !twin_left(s);

	s->rest -= c->effective;
	if (take) {
		c->chosen = true;
		s->chosen++;
		s->sum += c->effective;
	}
	s->at++;
}

/* The smallest sum between target and target + excess_max that is found in so many tries. */
static bool branch_and_bound(struct select_coin *coins, uint32_t count, const struct select_want *want, bool *best)
{
	struct search s = { .coins = coins, .count = count };
	uint64_t most = want->target + want->excess_max;
	bool found = false;

	for (uint32_t i = 0; i < count; i++)
		s.rest += coins[i].effective;
	while (s.tries++ < TRIES_MAX) {
		bool hit = s.sum >= want->target && s.sum <= most && s.chosen <= want->count_max;

		if (hit) {
			for (uint32_t i = 0; i < count; i++)
				best[i] = coins[i].chosen;
			found = true;
			if (s.sum == want->target)
				break;
			most = s.sum - 1; /* only better ones from here */
		}
		if (hit || s.sum > most || s.sum + s.rest < want->target || s.at == count || s.chosen == want->count_max) {
			if (!backtrack(&s))
				break;
			continue;
		}
		step_down(&s);
	}
	choose_none(coins, count);
	return found;
}

/* The smallest coin that is enough alone. */
static bool choose_one(struct select_coin *coins, uint32_t count, uint64_t need)
{
	for (uint32_t i = count; i > 0; i--)
		if (coins[i - 1].effective >= need) {
			coins[i - 1].chosen = true;
			return true;
		}
	return false;
}

/* The largest ones until they reach need, which is above the target: it may stay out of reach. */
static enum select_result choose_largest(struct select_coin *coins, uint32_t count, const struct select_want *want,
					 uint64_t need)
{
	uint64_t sum = 0;
	uint32_t chosen = 0;

	while (chosen < count && chosen < want->count_max && sum < need) {
		coins[chosen].chosen = true;
		sum += coins[chosen++].effective;
	}
	if (sum >= want->target)
		return SELECT_CHANGE;
	choose_none(coins, count);
	return chosen < count ? SELECT_TOO_MANY : SELECT_TOO_FEW;
}

enum select_result select_coins(struct select_coin *coins, uint32_t count, const struct select_want *want)
{
	uint64_t need = want->target + want->change_need;
	bool *best = mem_alloc_array(count ? count : 1, sizeof(*best));
	bool exact;

	choose_none(coins, count);
	if (count)
		qsort(coins, count, sizeof(*coins), larger_first);
	exact = branch_and_bound(coins, count, want, best);
	for (uint32_t i = 0; exact && i < count; i++)
		coins[i].chosen = best[i];
	mem_free(best);
	if (exact)
		return SELECT_EXACT;
	if (want->count_max && choose_one(coins, count, need))
		return SELECT_CHANGE;
	return choose_largest(coins, count, want, need);
}
