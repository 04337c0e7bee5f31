/* Money.
 *
 * Two units that never mix: struct amount_sat (on chain) and struct
 * amount_msat (in channels; 1 sat = 1000 msat).  Arithmetic is checked: the
 * functions that can overflow or go below zero return false and leave the
 * output as it was.  Nothing outside base/ and bitcoin/ touches .v for
 * arithmetic. */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"

struct amount_sat {
	uint64_t v;
};
struct amount_msat {
	uint64_t v;
};
/* Satoshi per 1000 weight units: BOLT 2 feerate_per_kw. */
struct feerate {
	uint32_t per_kw;
};

/* No more than this many satoshi will ever exist. */
#define SUPPLY_SAT 2100000000000000ull
#define FEERATE_FLOOR_PER_KW 253u /* 1 sat/vB, rounded up: BOLT 3 */

#define SAT(x) ((struct amount_sat){ (x) })
#define MSAT(x) ((struct amount_msat){ (x) })
#define FEERATE(x) ((struct feerate){ (x) })

MUST_USE bool sat_add(struct amount_sat *out, struct amount_sat a, struct amount_sat b);
MUST_USE bool sat_sub(struct amount_sat *out, struct amount_sat a, struct amount_sat b);
MUST_USE bool msat_add(struct amount_msat *out, struct amount_msat a, struct amount_msat b);
MUST_USE bool msat_sub(struct amount_msat *out, struct amount_msat a, struct amount_msat b);
MUST_USE bool sat_to_msat(struct amount_msat *out, struct amount_sat a);
/* Rounds down, as outputs of a commitment do (BOLT 3 "Commitment Transaction Outputs"). */
struct amount_sat msat_to_sat(struct amount_msat a);
struct amount_sat msat_to_sat_up(struct amount_msat a);
/* For amounts that are known to fit (below the supply): asserts. */
struct amount_msat msat_of_sat(struct amount_sat a);
struct amount_sat sat_sub_or_zero(struct amount_sat a, struct amount_sat b);
struct amount_msat msat_sub_or_zero(struct amount_msat a, struct amount_msat b);

static inline int sat_cmp(struct amount_sat a, struct amount_sat b)
{
	return a.v < b.v ? -1 : a.v > b.v;
}
static inline int msat_cmp(struct amount_msat a, struct amount_msat b)
{
	return a.v < b.v ? -1 : a.v > b.v;
}
#define SAT_LESS(a, b) (sat_cmp((a), (b)) < 0)
#define MSAT_LESS(a, b) (msat_cmp((a), (b)) < 0)
static inline struct amount_sat sat_min(struct amount_sat a, struct amount_sat b)
{
	return SAT_LESS(a, b) ? a : b;
}
static inline struct amount_msat msat_min(struct amount_msat a, struct amount_msat b)
{
	return MSAT_LESS(a, b) ? a : b;
}

/* Fee of weight units at a rate, rounded down (BOLT 3 "Fee Calculation"). */
struct amount_sat fee_of_weight(struct feerate rate, uint64_t weight);
/* a * ppm / 1,000,000, rounded down, for any a up to the supply (asserted); the largest amount there is where the
 * product does not fit, which no addition accepts. */
struct amount_msat msat_ppm(struct amount_msat a, uint32_t ppm);
/* The largest b with b + msat_ppm(b, ppm) <= a: what is left once a fee in proportion to the rest is paid. */
struct amount_msat msat_before_ppm(struct amount_msat a, uint32_t ppm);
/* The smallest b with b * (1,000,000 + ppm) >= a * 1,000,000: the same, rounded up. */
struct amount_msat msat_before_ppm_up(struct amount_msat a, uint32_t ppm);
struct amount_msat msat_half(struct amount_msat a); /* rounds down */

#endif
