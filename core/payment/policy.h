/* What this node asks for carrying an HTLC of others out over a channel, and how that changes.
 *
 * A channel follows the configuration in all that nobody set for it.  Terms that changed are still good for a while,
 * as senders learn late of the new ones (B7.channel_update.20): `before` has them, with the end of that while.
 *
 * Sources: BOLT 7 "The channel_update Message", "HTLC Fees". */
#ifndef PAYMENT_POLICY_H
#define PAYMENT_POLICY_H

#include "step/command.h"

/* Earlier terms that are good at the same time; of more changes in that while the oldest are over sooner. */
#define POLICY_BEFORE_MAX 4u
#define POLICY_GRACE_MS 600000u /* B7.channel_update.20, B7.htlc_fees.2 */

struct policy_before {
	struct forward_policy policy;
	uint64_t until_ms;
};

struct channel_terms {
	uint8_t set;                  /* of enum policy_field: what `own` is good for */
	struct forward_policy own;
	bool ignore_fee_limits;       /* the peer may set any feerate for the commitments */
	struct policy_before before[POLICY_BEFORE_MAX]; /* oldest first */
	uint32_t before_count;
};

/* terms: NULL for a channel without any. */
struct forward_policy policy_of_terms(const struct channel_terms *terms, const struct forward_policy *fallback);
/* Takes those fields of `own`. */
void terms_set(struct channel_terms *t, uint8_t fields, const struct forward_policy *own);
MUST_USE bool policy_same(const struct forward_policy *a, const struct forward_policy *b);
/* Other terms hold from now on.  What held before is good for grace_ms more, and so is at most what held before that. */
void terms_changed(struct channel_terms *t, const struct forward_policy *before, uint64_t now_ms, uint64_t grace_ms);
/* The terms that an HTLC may keep to: now, and those of before that are still good.  Returns how many: at least 1. */
uint32_t terms_good(const struct channel_terms *terms, const struct forward_policy *now, uint64_t now_ms,
		    struct forward_policy out[1 + POLICY_BEFORE_MAX]);

/* RECORD_POLICY. */
void terms_encode(const struct channel_terms *t, struct buf *out);
MUST_USE bool terms_decode(struct bytes value, struct channel_terms *out);

#endif
