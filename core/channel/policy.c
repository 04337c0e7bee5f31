#include "channel/policy.h"

#include "step/event.h"

#define PPM 1000000u

void channel_policy_default(struct channel_policy *p, const struct block_hash *chain_hash)
{
	*p = (struct channel_policy){
		.chain_hash = *chain_hash,
		/* B2.open_channel.17, B2.open_channel.18: what every output type relays with */
		.dust_limit = SAT(DUST_LIMIT_MIN_SAT),
		.htlc_minimum = MSAT(1),
		.in_flight_ppm = PPM,
		.max_accepted_htlcs = ACCEPTED_HTLCS_MAX,
		.to_self_delay = 144,
		.reserve_ppm = PPM / 100,
		.minimum_depth = 3,
		.minimum_depth_max = 6,
		.depth_amount = SAT(LARGE_CHANNEL_SAT),
		.funding_min = SAT(20000),
		.funding_max = SAT(SUPPLY_SAT),
		.dust_limit_max = SAT(1500),
		.htlc_minimum_max = MSAT(10000000),
		.peer_in_flight_min_ppm = PPM / 1000,
		.peer_reserve_max_ppm = PPM / 5,
		.peer_accepted_htlcs_min = 5,
		.to_self_delay_max = 2016,
		.peer_depth_max = 144,
		.feerate_low_percent = 50,
		.feerate_high_percent = 1000,
		.feerate_floor = FEERATE(FEERATE_FLOOR_PER_KW),
		.feerate_ceiling = FEERATE(250000),
		.feerate_taken = FEERATE(50000),
		.dust_exposure_max = MSAT(50000000),
		.closing_feerate_max = FEERATE(180000),
		.anchor_feerate_max = FEERATE(2500),
		.feerate_headroom_percent = 120,
		.closing_timeout_ms = 120000,
		.opening_timeout_ms = 120000,
	};
}

static struct amount_sat part_of(struct amount_sat whole, uint32_t ppm)
{
	return msat_to_sat(msat_ppm(msat_of_sat(whole), ppm));
}

struct amount_sat policy_reserve(const struct channel_policy *p, struct amount_sat funding, struct amount_sat their_dust_limit)
{
	struct amount_sat reserve = part_of(funding, p->reserve_ppm);

	/* B2.open_channel.7, B2.accept_channel.3: never below either side's dust limit */
	if (SAT_LESS(reserve, p->dust_limit))
		reserve = p->dust_limit;
	if (SAT_LESS(reserve, their_dust_limit))
		reserve = their_dust_limit;
	return reserve;
}

struct amount_msat policy_in_flight(const struct channel_policy *p, struct amount_sat funding)
{
	return msat_ppm(msat_of_sat(funding), p->in_flight_ppm);
}

uint32_t policy_depth(const struct channel_policy *p, struct amount_sat funding)
{
	uint32_t more = 0, range;
	struct amount_sat each, reached;

	if (p->minimum_depth_max <= p->minimum_depth)
		return p->minimum_depth;
	/* B2.accept_channel.2: the more is at stake, the dearer a double spend must be. */
	range = p->minimum_depth_max - p->minimum_depth;
	each = part_of(p->depth_amount, PPM / range);
	reached = each;
	while (more < range && !SAT_LESS(funding, reached) && sat_add(&reached, reached, each))
		more++;
	return p->minimum_depth + more;
}

static struct feerate percent_of(struct feerate rate, uint32_t percent)
{
	uint64_t v = (uint64_t)rate.per_kw * percent / 100;

	return FEERATE(v > UINT32_MAX ? UINT32_MAX : (uint32_t)v);
}

static struct feerate at_least(struct feerate rate, struct feerate floor)
{
	return rate.per_kw < floor.per_kw ? floor : rate;
}

struct feerate policy_feerate(const struct channel_policy *p, const struct step *s, enum commitment_type type)
{
	struct feerate rate = FEERATE(0);

	switch (type) {
	case COMMITMENT_STATIC_REMOTEKEY:
		/* B2.update_fee.1: nothing can be added later, so it pays for urgency now. */
		rate = percent_of(s->fees[FEE_URGENT], p->feerate_headroom_percent);
		break;
	case COMMITMENT_ANCHORS:
		rate = s->fees[FEE_NORMAL];
		if (rate.per_kw > p->anchor_feerate_max.per_kw)
			rate = at_least(p->anchor_feerate_max, percent_of(s->fees[FEE_MINIMUM], 100));
		break;
	}
	if (rate.per_kw == 0)
		return rate;
	rate = at_least(rate, p->feerate_floor);
	return rate.per_kw > p->feerate_ceiling.per_kw ? p->feerate_ceiling : rate;
}

struct feerate policy_feerate_low(const struct channel_policy *p, const struct step *s, enum commitment_type type)
{
	/* With anchors a child pays for what is missing: it only has to enter mempools. */
	if (type == COMMITMENT_ANCHORS)
		return p->feerate_floor;
	return at_least(percent_of(s->fees[FEE_SLOW], p->feerate_low_percent), p->feerate_floor);
}

bool policy_feerate_ok(const struct channel_policy *p, const struct step *s, struct feerate low, struct feerate rate,
		       const char **why)
{
	struct feerate high = p->feerate_ceiling, estimate;

	estimate = percent_of(s->fees[FEE_URGENT], p->feerate_high_percent);
	if (estimate.per_kw != 0 && estimate.per_kw < high.per_kw)
		high = at_least(estimate, p->feerate_taken);
	if (rate.per_kw < low.per_kw) {
		*why = arena_printf(&s->out->arena, "feerate %u per kw is too low, we want at least %u", rate.per_kw, low.per_kw);
		return false;
	}
	if (rate.per_kw > high.per_kw) {
		*why = arena_printf(&s->out->arena, "feerate %u per kw is too high, we take at most %u", rate.per_kw, high.per_kw);
		return false;
	}
	return true;
}
