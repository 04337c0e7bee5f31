#include "onchain/bump.h"

#include "step/event.h"

#define ONE 1024u /* of the fixed-point fractions below */

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t normal_rate(const struct feerate *fees)
{
	return greater(fees[FEE_NORMAL].per_kw, FEERATE_FLOOR_PER_KW);
}

static uint32_t urgent_rate(const struct feerate *fees)
{
	return greater(fees[FEE_URGENT].per_kw, normal_rate(fees));
}

/* The highest rate that the budget allows. */
static uint32_t cap_of(const struct bump *b)
{
	uint64_t per_kw;

	ASSERT(b->weight);
	/* No budget exceeds the supply, so this does not overflow. */
	ASSERT(b->budget.v <= SUPPLY_SAT);
	per_kw = b->budget.v * 1000 / b->weight;
	return per_kw > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)per_kw;
}

static uint32_t deadline_of(const struct bump *b)
{
	return b->deadline > b->start ? b->deadline : b->start + BUMP_LATE_BLOCKS;
}

/* Blocks that may still hold it. */
static uint32_t left_at(const struct bump *b, uint32_t height)
{
	uint32_t deadline = deadline_of(b);

	return deadline > height ? deadline - height : 0;
}

/* Between the urgent and the normal estimate, by the blocks that are left. */
static uint32_t estimate(const struct feerate *fees, uint32_t left)
{
	uint64_t normal = normal_rate(fees), urgent = urgent_rate(fees);

	if (left <= BUMP_URGENT_BLOCKS)
		return (uint32_t)urgent;
	if (left >= BUMP_NORMAL_BLOCKS)
		return (uint32_t)normal;
	return (uint32_t)(urgent - (urgent - normal) * (left - BUMP_URGENT_BLOCKS) / (BUMP_NORMAL_BLOCKS - BUMP_URGENT_BLOCKS));
}

/* From base in the first block to cap in the last one. */
static uint32_t ramp(const struct bump *b, uint32_t height, uint32_t base, uint32_t cap)
{
	uint64_t span = deadline_of(b) - b->start, elapsed = height > b->start ? height - b->start : 0, p;

	if (elapsed + 1 >= span)
		return cap;
	p = elapsed * ONE / (span - 1);
	p = p * p / ONE;
	p = p * p / ONE;
	return (uint32_t)(base + (uint64_t)(cap - base) * p / ONE);
}

struct feerate bump_target(const struct bump *b, uint32_t height, const struct feerate *fees)
{
	uint32_t cap = cap_of(b), rate;

	if (cap < FEERATE_FLOOR_PER_KW)
		return FEERATE(0);
	rate = b->deadline ? estimate(fees, left_at(b, height)) : normal_rate(fees);
	if (b->deadline && rate < cap)
		rate = ramp(b, height, rate, cap);
	rate = greater(rate, b->floor.per_kw);
	return FEERATE(rate < cap ? rate : cap);
}

/* A quarter more now and then, or what is normal now if that is more, up to what an urgent transaction pays. */
static uint32_t patient(const struct bump *b, uint32_t height, const struct feerate *fees)
{
	uint32_t wanted = greater(b->paid.per_kw + b->paid.per_kw / 4, normal_rate(fees)), ceiling = urgent_rate(fees);

	if (height < b->paid_height + BUMP_PATIENCE_BLOCKS)
		return 0;
	wanted = greater(wanted, b->paid.per_kw + BUMP_STEP_PER_KW);
	return wanted < ceiling ? wanted : ceiling;
}

static uint32_t hurried(const struct bump *b, uint32_t height, const struct feerate *fees)
{
	uint32_t target = bump_target(b, height, fees).per_kw;

	/* Whatever keeps it from confirming, the next one may not have: another coin, another peer. */
	if (height >= b->paid_height + BUMP_PATIENCE_BLOCKS)
		return greater(target, b->paid.per_kw + BUMP_STEP_PER_KW);
	if (left_at(b, height) > BUMP_HURRY_BLOCKS && target < b->paid.per_kw + b->paid.per_kw / 8)
		return 0;
	return target;
}

struct feerate bump_next(const struct bump *b, uint32_t height, const struct feerate *fees)
{
	uint32_t cap = cap_of(b), rate;

	if (!b->paid.per_kw)
		return bump_target(b, height, fees);
	rate = b->deadline ? hurried(b, height, fees) : patient(b, height, fees);
	if (rate > cap)
		rate = cap;
	/* BIP 125 rule 4; never less than before. */
	return FEERATE(rate < b->paid.per_kw + BUMP_STEP_PER_KW ? 0 : rate);
}
