/* What a signer may sign for one channel: the rules of policy.h as functions
 * over a small state that is learnt from the requests alone.
 *
 * Invariants of the state:
 *  P-1  A secret is released only for next_release, and then next_release
 *       grows by one: released are exactly those below it.
 *  P-2  A secret is released only against its successor with the peer's valid
 *       signatures, and never for a commitment that was signed for broadcast
 *       or a later one.
 *  P-3  Of each number one remote commitment is signed, and number n only
 *       after n - 1, and after n - 2 was revoked.
 *  P-4  All commitments of a channel have the same terms, and their amounts
 *       add up to the channel's.
 *  P-5  A close gives us what the last commitments did, less a bounded fee.
 *
 * Each check returns NULL or the reason for a refusal, and changes the state
 * only where it allows. */
#ifndef RUNTIME_SIGNER_POLICY_RULES_H
#define RUNTIME_SIGNER_POLICY_RULES_H

#include "contract/commitment.h"
#include "contract/memo.h"
#include "step/sign.h"

struct policy_limits {
	struct feerate feerate_min, feerate_max; /* of commitments; the higher one bounds every fee */
	struct amount_sat dust_limit_max;        /* either side's */
	uint16_t our_delay_max;                  /* blocks that we wait for our own money */
	uint16_t their_delay_min;                /* blocks that we have to punish in */
	/* Check the peer's signatures before a secret is released.  False leaves that to the core, which has
	 * checked them, and saves its cost a second time. */
	bool verify_signatures;
	/* Borrowed.  What was computed in this process already, by whomever shares it; NULL: all is computed here. */
	struct memo *memo;
};

/* What does not change in a channel's life; each side's part is taken from the first commitment of it. */
struct policy_terms {
	bool known, side_known[2];
	enum commitment_type type;
	struct outpoint funding;
	struct amount_sat funding_amount;
	struct basepoints points[2]; /* by enum side */
	bool local_is_opener;
	struct amount_sat dust_limit[2];
	uint16_t to_self_delay[2]; /* that this side's own output waits */
};

/* What one side's last commitment gives us. */
struct policy_view {
	bool known;
	struct amount_msat balance;
	uint32_t htlc_count;
};

struct policy_channel {
	uint8_t key8[8];
	bool fresh;      /* seen from its first request: nothing is taken on trust */
	bool has_points; /* points[SIDE_LOCAL] are the inner signer's own words */
	struct policy_terms terms;
	struct policy_view view[2]; /* by enum side: whose commitment */

	bool remote_known;
	uint64_t remote_number;            /* the last one signed */
	struct sha256 remote_fingerprint;  /* of all that was signed for it */
	struct pubkey remote_point, remote_previous_point; /* of remote_number and the one before */
	bool has_previous_point;

	bool local_known;
	uint64_t next_release;
	bool broadcast;            /* a commitment of ours was signed: */
	uint64_t broadcast_number; /* the lowest such number */
	struct {
		bool known;
		uint64_t number;
		struct pubkey point;
	} local_points[4]; /* by number modulo 4, as the inner signer told them */
};

/* The keys of a commitment, derived here and not taken from the core, are left in *keys. */
const char *policy_check_remote(struct policy_channel *ch, const struct policy_limits *limits, struct arena *scratch,
				const struct sign_request *r, struct commitment_keys *keys);
const char *policy_check_local(struct policy_channel *ch, const struct commitment_spec *spec);
const char *policy_check_revoke(struct policy_channel *ch, const struct policy_limits *limits, struct arena *scratch,
				const struct sign_revoke *revoke);
const char *policy_check_close(const struct policy_channel *ch, const struct policy_limits *limits,
			       const struct sign_request *r);
const char *policy_check_spend_input(const struct policy_channel *ch, const struct spend_input *in);
/* The fee of a whole spend, where all its inputs are known. */
const char *policy_check_spend_fee(const struct policy_limits *limits, const struct sign_request *r);

/* What the inner signer answered. */
void policy_learn_points(struct policy_channel *ch, const struct basepoints *points);
void policy_learn_point(struct policy_channel *ch, uint64_t number, const struct pubkey *point);

#endif
