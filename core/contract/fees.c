/* What the transactions of a channel cost, and which HTLCs are too small for
 * an output: BOLT 3 "Fees" and "Trimmed Outputs". */
#include "contract/htlc_tx.h"

/* BOLT 3 "Expected Weight of HTLC-timeout and HTLC-success Transactions". */
#define HTLC_TIMEOUT_WEIGHT 663u
#define HTLC_SUCCESS_WEIGHT 703u
#define HTLC_ANCHORS_EXTRA_WEIGHT 3u
/* BOLT 3 "Expected Weight of the Commitment Transaction". */
#define COMMITMENT_WEIGHT 724u
#define COMMITMENT_ANCHORS_WEIGHT 1124u
#define COMMITMENT_HTLC_WEIGHT 172u

uint64_t htlc_tx_weight(enum commitment_type type, bool success)
{
	uint64_t weight = success ? HTLC_SUCCESS_WEIGHT : HTLC_TIMEOUT_WEIGHT;

	switch (type) {
	case COMMITMENT_STATIC_REMOTEKEY:
		return weight;
	case COMMITMENT_ANCHORS:
		return weight + HTLC_ANCHORS_EXTRA_WEIGHT;
	}
	UNREACHABLE();
}

static struct amount_sat second_stage_fee(enum commitment_type type, struct feerate feerate, bool success)
{
	switch (type) {
	case COMMITMENT_STATIC_REMOTEKEY:
		/* B3.fee_calculation.2 (timeout), B3.fee_calculation.4 (success) */
		return fee_of_weight(feerate, htlc_tx_weight(type, success));
	case COMMITMENT_ANCHORS:
		/* B3.fee_calculation.1 (timeout), B3.fee_calculation.3 (success) */
		return SAT(0);
	}
	UNREACHABLE();
}

struct amount_sat htlc_timeout_fee(enum commitment_type type, struct feerate feerate)
{
	return second_stage_fee(type, feerate, false);
}

struct amount_sat htlc_success_fee(enum commitment_type type, struct feerate feerate)
{
	return second_stage_fee(type, feerate, true);
}

bool htlc_is_trimmed(enum commitment_type type, struct feerate feerate, struct amount_sat dust_limit,
		     bool offered_by_broadcaster, struct amount_msat amount)
{
	/* B3.trimmed_outputs.6 (offered: its timeout), B3.trimmed_outputs.8 (received: its success) */
	struct amount_sat fee = second_stage_fee(type, feerate, !offered_by_broadcaster);
	struct amount_sat rest;

	return !sat_sub(&rest, msat_to_sat(amount), fee) || SAT_LESS(rest, dust_limit);
}

uint32_t commitment_untrimmed_count(const struct commitment_spec *spec)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < spec->htlc_count; i++)
		count += !htlc_is_trimmed(spec->type, spec->feerate, spec->dust_limit,
					  spec->htlcs[i].offered_by_broadcaster, spec->htlcs[i].amount);
	return count;
}

uint64_t commitment_weight(enum commitment_type type, uint32_t untrimmed)
{
	uint64_t htlcs = (uint64_t)COMMITMENT_HTLC_WEIGHT * untrimmed;

	switch (type) {
	case COMMITMENT_STATIC_REMOTEKEY:
		return COMMITMENT_WEIGHT + htlcs;
	case COMMITMENT_ANCHORS:
		return COMMITMENT_ANCHORS_WEIGHT + htlcs;
	}
	UNREACHABLE();
}

/* B3.fee_calculation.5 */
struct amount_sat commitment_fee(enum commitment_type type, struct feerate feerate, uint32_t untrimmed)
{
	return fee_of_weight(feerate, commitment_weight(type, untrimmed));
}

struct amount_sat commitment_cost(enum commitment_type type, struct feerate feerate, uint32_t untrimmed)
{
	struct amount_sat cost = commitment_fee(type, feerate, untrimmed);

	switch (type) {
	case COMMITMENT_STATIC_REMOTEKEY:
		return cost;
	case COMMITMENT_ANCHORS:
		/* Both, whether or not both are made: BOLT 3 "Fee Payment". */
		ASSERT(sat_add(&cost, cost, SAT(2 * ANCHOR_SAT)));
		return cost;
	}
	UNREACHABLE();
}
