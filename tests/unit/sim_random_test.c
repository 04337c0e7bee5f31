/* Anything at all happens to the simulator's chain: its invariants hold after each event. */
#include "tests/unit/sim_setup.h"

#define EVENTS 400u
#define COINS_MAX 4096u

struct play {
	struct setup s;
	uint64_t state;
	struct coin coins[COINS_MAX]; /* outputs that were ever offered */
	uint32_t coin_count;
	uint32_t taken, refused;
};

/* splitmix64 */
static uint64_t pick(struct play *p, uint64_t below)
{
	uint64_t z = (p->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) % below;
}

static void remember(struct play *p, const struct tx *t)
{
	for (uint32_t i = 0; i < t->output_count && p->coin_count < COINS_MAX; i++)
		if (t->outputs[i].amount.v > 20000)
			p->coins[p->coin_count++] = coin_of(t, i);
}

static struct coin some_coin(struct play *p)
{
	uint32_t newest = p->coin_count < 40 ? p->coin_count : 40;

	/* Mostly of the newest, so that families and conflicts happen. */
	return p->coins[pick(p, 4) ? p->coin_count - 1 - pick(p, newest) : pick(p, p->coin_count)];
}

static struct tx *some_spend(struct play *p, const struct coin *first)
{
	struct coin coins[3];
	struct how h = { .coins = coins, .coin_count = 1 + (uint32_t)(pick(p, 4) == 0) + (uint32_t)(pick(p, 8) == 0) };
	uint64_t rate = pick(p, 6) ? 1 + pick(p, 12) : pick(p, 200);
	struct tx *t;

	for (uint32_t i = 0; i < h.coin_count; i++)
		coins[i] = i == 0 && first ? *first : some_coin(p);
	h.output_count = 1 + (uint32_t)pick(p, 4);
	h.version = pick(p, 12) ? 2 : 1 + 2 * (int32_t)pick(p, 2);
	h.sequence = pick(p, 10) ? 0xfffffffd : (uint32_t)pick(p, 4);
	h.locktime = pick(p, 20) ? 0 : sim_chain_height(p->s.c) - 3 + (uint32_t)pick(p, 6);
	h.inflate = pick(p, 20) ? 0 : (uint32_t)pick(p, 8);
	h.fee = 0;
	t = spend(&p->s, &h);
	h.fee = fee_at(t, rate);
	return spend(&p->s, &h);
}

/* What was refused is seldom built upon. */
static void count(struct play *p, const struct tx *t, const char *why)
{
	p->taken += !why;
	p->refused += why != NULL;
	if (!why || pick(p, 20) == 0)
		remember(p, t);
}

static void offer_some(struct play *p)
{
	struct tx *t = some_spend(p, NULL), *child;
	struct coin change = coin_of(t, 0);

	if (pick(p, 4) || change.sat < 40000) {
		count(p, t, offer(&p->s, t));
		return;
	}
	child = some_spend(p, &change);
	count(p, child, offer_two(&p->s, t, child));
	if (in_mempool(&p->s, t))
		remember(p, t);
}

static bool toss(void *context, const struct sim_tx *t)
{
	(void)t;
	return pick(context, 3);
}

static void mine_some(struct play *p)
{
	struct sim_mine how = { .empty = pick(p, 6) == 0, .floor_per_kw = pick(p, 3) ? 0 : 250 * (uint32_t)pick(p, 12),
				.time = sim_chain_tip(p->s.c)->time + (uint32_t)pick(p, 1800) };

	if (pick(p, 2)) {
		how.include = toss;
		how.context = p;
	}
	sim_chain_mine(p->s.c, &how);
}

static void reorganize(struct play *p)
{
	uint32_t depth = 1 + (uint32_t)pick(p, 3);

	if (sim_chain_height(p->s.c) < SIM_FIRST_HEIGHT + 10)
		return;
	sim_chain_reorg(p->s.c, depth);
	sim_chain_check(p->s.c);
	while (depth--)
		mine_some(p);
	mine_some(p);
}

static void play(struct play *p, uint64_t seed, bool limits)
{
	memset(p, 0, sizeof(*p));
	p->state = seed;
	setup_init(&p->s);
	for (int i = 0; i < 8; i++)
		p->coins[p->coin_count++] = grant(&p->s, 3000000);
	for (uint32_t i = 0; i < EVENTS; i++) {
		uint64_t what = pick(p, 40);

		if (what < 3)
			mine_some(p);
		else if (what == 3 && pick(p, 3) == 0)
			reorganize(p);
		else if (what == 4 && limits)
			sim_chain_set_limit(p->s.c, pick(p, 2) ? 0 : 2000 + pick(p, 20000));
		else
			offer_some(p);
		sim_chain_check(p->s.c);
	}
	CHECK(p->taken > 20 && p->refused > 20);
	setup_release(&p->s);
}

TEST(whatever_happens)
{
	static struct play p;

	for (uint64_t seed = 1; seed <= 6; seed++)
		play(&p, seed, false);
}

TEST(whatever_happens_to_a_small_mempool)
{
	static struct play p;

	if (getenv("LAMPO_SIM_TRACE"))
		test_skip("Bitcoin Core's mempool has no such limit");
	for (uint64_t seed = 101; seed <= 106; seed++)
		play(&p, seed, true);
}
