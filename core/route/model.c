#include "route/model.h"

/* The chance that a share of at least i/64 of the capacity is on our side:
 * (1 - t) / 2 + B(t) / 2, with B(t) = 1 - (1 - e^(-t/s) + e^((t-1)/s) - e^(-1/s)) / (2 - 2 e^(-1/s)), s = 0.1. */
static const uint32_t survival_q30[65] = {
	1073741824, 1026518949, 984912985, 948111311, 915418836, 886240995, 860069206, 836468424, 815066503,
	795545088, 777631828, 761093714, 745731379, 731374219, 717876221, 705112389, 692975690, 681374431, 670230018,
	659475034, 649051588, 638909901, 629007085, 619306098, 609774834, 600385338, 591113126, 581936581, 572836428,
	563795258, 554797109, 545827068, 536870912, 527914756, 518944715, 509946566, 500905396, 491805243, 482628698,
	473356486, 463966990, 454435726, 444734739, 434831923, 424690236, 414266790, 403511806, 392367393, 380766134,
	368629435, 355865603, 342367605, 328010445, 312648110, 296109996, 278196736, 258675321, 237273400, 213672618,
	187500829, 158322988, 125630513, 88828839, 47222875, 0,
};

/* -ln of the same at i/128: what the search asks most, straight between two entries. */
static const uint32_t cost_q16[129] = {
	0, 1505, 2948, 4332, 5659, 6933, 8155, 9328, 10455, 11537, 12577, 13578, 14542, 15470, 16365, 17229, 18064,
	18871, 19653, 20410, 21145, 21859, 22554, 23231, 23890, 24535, 25164, 25781, 26385, 26978, 27561, 28134,
	28699, 29256, 29805, 30349, 30886, 31418, 31946, 32470, 32990, 33508, 34022, 34535, 35046, 35556, 36065,
	36573, 37081, 37590, 38098, 38608, 39118, 39630, 40144, 40659, 41177, 41697, 42219, 42745, 43274, 43806,
	44342, 44882, 45426, 45975, 46529, 47087, 47652, 48222, 48798, 49381, 49970, 50567, 51172, 51785, 52406,
	53037, 53678, 54329, 54991, 55665, 56351, 57051, 57765, 58495, 59241, 60005, 60788, 61591, 62416, 63265,
	64140, 65043, 65975, 66941, 67942, 68983, 70065, 71195, 72375, 73611, 74909, 76275, 77716, 79242, 80860,
	82583, 84422, 86392, 88511, 90799, 93279, 95981, 98939, 102196, 105805, 109834, 114368, 119523, 125453,
	132377, 140611, 150652, 163328, 180193, 204736, 248091, 635965,
};

/* ln(1 + i/64) */
static const uint32_t ln_q16[65] = {
	0, 1016, 2017, 3002, 3973, 4930, 5873, 6802, 7719, 8623, 9515, 10394, 11262, 12119, 12965, 13800, 14624,
	15438, 16242, 17037, 17821, 18597, 19364, 20121, 20870, 21611, 22343, 23067, 23783, 24492, 25193, 25886,
	26573, 27252, 27924, 28589, 29248, 29900, 30546, 31185, 31818, 32445, 33067, 33682, 34292, 34896, 35494,
	36087, 36675, 37258, 37835, 38407, 38975, 39537, 40095, 40648, 41196, 41740, 42280, 42815, 43345, 43872,
	44394, 44912, 45426,
};

/* 2^(i/20) */
static const uint32_t bias_q16[20] = {
	65536, 67847, 70240, 72717, 75281, 77936, 80684, 83530, 86475, 89525, 92682, 95950, 99334, 102837, 106464,
	110218, 114105, 118129, 122295, 126607,
};

#define LN2_Q16 45426u

/* part / whole in 2^-30; part <= whole, whole not 0.  Large numbers lose low bits that no table would show. */
static uint32_t share_q30(uint64_t part, uint64_t whole)
{
	int drop = part >> 34 ? 30 - __builtin_clzll(part) : 0;

	ASSERT(part <= whole && whole);
	return (uint32_t)(((part >> drop) << 30) / (whole >> drop));
}

static uint32_t between(const uint32_t *table, int bits, uint32_t share)
{
	uint32_t i = share >> (30 - bits), rest = share & ((1u << (30 - bits)) - 1);
	int64_t a = table[i];

	if (!rest)
		return table[i];
	return (uint32_t)(a + (((int64_t)table[i + 1] - a) * (int64_t)rest >> (30 - bits)));
}

static uint32_t survival(uint64_t amount, uint64_t capacity)
{
	return between(survival_q30, 6, share_q30(amount, capacity));
}

uint32_t model_chance_q30(const struct model_range *r, uint64_t amount)
{
	uint32_t at, low, high;

	if (amount <= r->low)
		return MODEL_ONE_Q30;
	if (amount > r->high)
		return 0;
	at = survival(amount, r->capacity);
	if (r->low == 0 && r->high == r->capacity)
		return at;
	low = survival(r->low, r->capacity);
	high = survival(r->high, r->capacity);
	/* A range too narrow for the table: straight between its ends. */
	if (low - high < 64)
		return share_q30(r->high - amount, r->high - r->low);
	return (uint32_t)(((uint64_t)(at - high) << 30) / (low - high));
}

uint32_t model_cost_q16(const struct model_range *r, uint64_t amount)
{
	if (amount <= r->low)
		return 0;
	if (r->low == 0 && r->high == r->capacity && amount <= r->high)
		return between(cost_q16, 7, share_q30(amount, r->capacity));
	return model_log_q16(model_chance_q30(r, amount));
}

uint32_t model_log_q16(uint32_t p_q30)
{
	int zeros;
	uint32_t mantissa;

	ASSERT(p_q30 <= MODEL_ONE_Q30);
	if (p_q30 < 1u << 16)
		return MODEL_COST_MAX_Q16;
	zeros = __builtin_clz(p_q30) - 1; /* p = 2^-zeros * (1 + mantissa / 2^30) */
	mantissa = (p_q30 << zeros) & (MODEL_ONE_Q30 - 1);
	return (uint32_t)zeros * LN2_Q16 - between(ln_q16, 6, mantissa);
}

uint32_t model_exp_q30(uint64_t cost)
{
	uint64_t halves = cost / LN2_Q16, rest = cost % LN2_Q16;
	uint64_t x = (rest << 14) & (MODEL_ONE_Q30 - 1), term, sum;

	if (halves >= 30)
		return 0;
	/* e^-x for x below ln 2: five terms are right to a thousandth. */
	sum = MODEL_ONE_Q30 - x;
	term = x * x >> 31;
	sum += term;
	term = (term * x >> 30) / 3;
	sum -= term;
	term = (term * x >> 30) / 4;
	sum += term;
	return (uint32_t)(sum >> halves);
}

uint32_t model_memory_q16(uint64_t age_s, uint32_t half_life_s)
{
	uint64_t halves = age_s / half_life_s, rest = age_s % half_life_s;

	if (halves >= 17)
		return 0;
	return (uint32_t)((65536 - (rest << 15) / half_life_s) >> halves);
}

uint64_t model_scale(uint64_t part, uint32_t weight_q16)
{
	ASSERT(weight_q16 <= 65536);
	return (part >> 16) * weight_q16 + ((part & 0xffff) * weight_q16 >> 16);
}

uint32_t model_bias_q16(int bias)
{
	int steps = bias < 0 ? -bias : bias;

	ASSERT(steps <= 100);
	if (bias <= 0)
		return bias_q16[steps % 20] << (steps / 20);
	return (uint32_t)((65536ull << 16) / ((uint64_t)bias_q16[steps % 20] << (steps / 20)));
}
