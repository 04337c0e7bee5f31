/* What we believe about the liquidity of a channel, in numbers.
 *
 * All of it is integers, so that every machine finds the same route: shares and
 * probabilities are in units of 2^-30, logarithms in 2^-16.
 *
 * The prior.  Of a channel of which we know nothing, the share of the capacity
 * that lies on our side is drawn from a mixture: one half spread evenly, one
 * half near either end (exponential, with a tenth of the capacity as its
 * scale), because channels that nobody rebalances run full or empty.  What
 * failures and successes taught cuts the prior to the range that is left.
 *
 * Forgetting.  A bound weakens toward knowing nothing with a half-life: it is
 * worth 2^(-age / half-life), straight between the halves. */
#ifndef ROUTE_MODEL_H
#define ROUTE_MODEL_H

#include <stdint.h>

#include "base/assert.h"

#define MODEL_ONE_Q30 (1u << 30)
#define MODEL_NAT_Q16 (1u << 16)
/* What has no chance at all still has a price: -ln of 2^-14. */
#define MODEL_COST_MAX_Q16 635965u

/* A range of liquidity: surely `low`, never more than `high`, of `capacity`; low <= high <= capacity, capacity not 0. */
struct model_range {
	uint64_t low, high, capacity;
};

/* The chance that the channel carries an amount; 0 above the range's end. */
uint32_t model_chance_q30(const struct model_range *r, uint64_t amount);
/* -ln of it: grows with the amount, 0 up to `low`; MODEL_COST_MAX_Q16 where there is none. */
uint32_t model_cost_q16(const struct model_range *r, uint64_t amount);
/* -ln of a chance; p up to MODEL_ONE_Q30. */
uint32_t model_log_q16(uint32_t p_q30);
/* e^-x: the chance behind a sum of costs. */
uint32_t model_exp_q30(uint64_t cost_q16);
/* What a bound that is so old still counts, in 2^-16; half_life not 0. */
uint32_t model_memory_q16(uint64_t age_s, uint32_t half_life_s);
/* part * weight, weight up to 2^16. */
uint64_t model_scale(uint64_t part, uint32_t weight_q16);
/* What a bias of -100 to 100 makes of a cost: 2^(-bias / 20) in 2^-16. */
uint32_t model_bias_q16(int bias);

#endif
