/* What this node asks of a channel and what it accepts: every limit is a parameter. */
#ifndef CHANNEL_POLICY_H
#define CHANNEL_POLICY_H

#include "bitcoin/tx.h"
#include "channel/record.h"
#include "contract/memo.h"
#include "step/step.h"

#define ACCEPTED_HTLCS_MAX 483u          /* BOLT 2 */
#define DUST_LIMIT_MIN_SAT 354u          /* BOLT 3 "Dust Limits" */
#define LARGE_CHANNEL_SAT 16777216u      /* 2^24: option_support_large_channel */
#define CLTV_EXPIRY_LIMIT 500000000u
#define COMMITMENT_NUMBER_LIMIT (1ull << 48)
#define FUNDING_TIMEOUT_BLOCKS 2016u

struct channel_policy {
	struct block_hash chain_hash;

	/* What we announce. */
	struct amount_sat dust_limit;
	struct amount_msat htlc_minimum;
	uint32_t in_flight_ppm;              /* of the capacity, that the peer may offer at a time */
	uint16_t max_accepted_htlcs;
	uint16_t to_self_delay;
	uint32_t reserve_ppm;                /* of the capacity; never below either dust limit */
	uint32_t minimum_depth;              /* blocks, as fundee, for the smallest channel ... */
	uint32_t minimum_depth_max;          /* ... rising to this at depth_amount */
	struct amount_sat depth_amount;

	/* What we accept. */
	struct amount_sat funding_min, funding_max;
	struct amount_sat dust_limit_max;
	struct amount_msat htlc_minimum_max;
	uint32_t peer_in_flight_min_ppm;     /* of the capacity */
	uint32_t peer_reserve_max_ppm;       /* of the capacity */
	uint16_t peer_accepted_htlcs_min;
	uint16_t to_self_delay_max;          /* that the peer may impose */
	uint32_t peer_depth_max;             /* that a fundee may ask for */
	/* The peer's feerate: at least low_percent of our slowest estimate, at most high_percent of our most urgent. */
	uint32_t feerate_low_percent, feerate_high_percent;
	struct feerate feerate_floor, feerate_ceiling; /* whatever the estimates are; ceiling without estimates */
	/* Never too high: the opener pays it.  Fees fall tenfold in an hour, and an update_fee that was signed before, and
	 * got lost, must be sent again whatever it says: refused, it would come back for ever. */
	struct feerate feerate_taken;

	struct amount_msat dust_exposure_max;   /* sum of trimmed HTLCs of either commitment */
	struct feerate closing_feerate_max;     /* of a close that the opener pays: what signers sign without one of its outputs (P-5) */
	struct feerate anchor_feerate_max;      /* a commitment with anchors needs no more than to enter mempools */
	uint32_t feerate_headroom_percent;      /* without anchors: our commitments pay so much of the urgent rate */

	struct memo *memo;                   /* borrowed; NULL: everything is computed anew */

	uint64_t closing_timeout_ms;         /* without an answer to closing_signed */
	uint64_t opening_timeout_ms;         /* without an answer while opening */
};

void channel_policy_default(struct channel_policy *p, const struct block_hash *chain_hash);

/* What we ask of the other side of a channel of this size. */
struct amount_sat policy_reserve(const struct channel_policy *p, struct amount_sat funding, struct amount_sat their_dust_limit);
struct amount_msat policy_in_flight(const struct channel_policy *p, struct amount_sat funding);
uint32_t policy_depth(const struct channel_policy *p, struct amount_sat funding);

/* The feerate that a commitment of this type should have now; 0: we know none. */
struct feerate policy_feerate(const struct channel_policy *p, const struct step *s, enum commitment_type type);
/* The least that we take of the peer now: what is lower comes into no block in time. */
struct feerate policy_feerate_low(const struct channel_policy *p, const struct step *s, enum commitment_type type);
/* Whether the peer's feerate is at least `low` and not unreasonably large; else why in words. */
MUST_USE bool policy_feerate_ok(const struct channel_policy *p, const struct step *s, struct feerate low, struct feerate rate,
				const char **why);

#endif
