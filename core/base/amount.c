#include "base/amount.h"

bool sat_add(struct amount_sat *out, struct amount_sat a, struct amount_sat b)
{
	uint64_t v;

	if (__builtin_add_overflow(a.v, b.v, &v))
		return false;
	out->v = v;
	return true;
}

bool sat_sub(struct amount_sat *out, struct amount_sat a, struct amount_sat b)
{
	if (a.v < b.v)
		return false;
	out->v = a.v - b.v;
	return true;
}

bool msat_add(struct amount_msat *out, struct amount_msat a, struct amount_msat b)
{
	uint64_t v;

	if (__builtin_add_overflow(a.v, b.v, &v))
		return false;
	out->v = v;
	return true;
}

bool msat_sub(struct amount_msat *out, struct amount_msat a, struct amount_msat b)
{
	if (a.v < b.v)
		return false;
	out->v = a.v - b.v;
	return true;
}

bool sat_to_msat(struct amount_msat *out, struct amount_sat a)
{
	if (a.v > UINT64_MAX / 1000)
		return false;
	out->v = a.v * 1000;
	return true;
}

struct amount_sat msat_to_sat(struct amount_msat a)
{
	return SAT(a.v / 1000);
}

struct amount_sat msat_to_sat_up(struct amount_msat a)
{
	return SAT(a.v / 1000 + (a.v % 1000 != 0));
}

struct amount_msat msat_of_sat(struct amount_sat a)
{
	ASSERT(a.v <= UINT64_MAX / 1000);
	return MSAT(a.v * 1000);
}

struct amount_sat sat_sub_or_zero(struct amount_sat a, struct amount_sat b)
{
	return SAT(a.v > b.v ? a.v - b.v : 0);
}

struct amount_msat msat_sub_or_zero(struct amount_msat a, struct amount_msat b)
{
	return MSAT(a.v > b.v ? a.v - b.v : 0);
}

struct amount_sat fee_of_weight(struct feerate rate, uint64_t weight)
{
	uint64_t v;

	ASSERT(!__builtin_mul_overflow((uint64_t)rate.per_kw, weight, &v));
	return SAT(v / 1000);
}

struct amount_msat msat_ppm(struct amount_msat a, uint32_t ppm)
{
	unsigned __int128 v = (unsigned __int128)a.v * ppm / 1000000;

	ASSERT(a.v <= SUPPLY_SAT * 1000);
	return MSAT(v > UINT64_MAX ? UINT64_MAX : (uint64_t)v);
}

struct amount_msat msat_before_ppm(struct amount_msat a, uint32_t ppm)
{
	struct amount_msat b;

	ASSERT(a.v <= SUPPLY_SAT * 1000);
	b.v = (uint64_t)((unsigned __int128)a.v * 1000000 / (1000000 + (uint64_t)ppm));
	/* The fee is rounded down, so one more may still fit. */
	while (b.v < a.v && b.v + 1 + msat_ppm(MSAT(b.v + 1), ppm).v <= a.v)
		b.v++;
	return b;
}

struct amount_msat msat_before_ppm_up(struct amount_msat a, uint32_t ppm)
{
	uint64_t divisor = 1000000 + (uint64_t)ppm;

	ASSERT(a.v <= SUPPLY_SAT * 1000);
	return MSAT((uint64_t)(((unsigned __int128)a.v * 1000000 + divisor - 1) / divisor));
}

struct amount_msat msat_half(struct amount_msat a)
{
	return MSAT(a.v / 2);
}
