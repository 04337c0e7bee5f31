/* What the end of a part teaches: who is to blame, what its channels could carry, and the words for it.
 *
 *	from       code                              blame
 *	payee      PERM                              the payee: the payment has failed (B4.receiving_failure_codes.2)
 *	payee      mpp_timeout                       nobody: the rest of the set did not come
 *	payee      anything else                     the channel into it
 *	on the way NODE, or what only a payee says   the node (B4.receiving_failure_codes.3)
 *	on the way invalid_onion_payload             the node
 *	on the way temporary_channel_failure         the channel behind it, for so much; for any amount, if it said so before and
 *	                                             this was half of that or less: its far end is offline
 *	on the way expiry_too_soon                   our height, the first time; then the channel behind it
 *	on the way anything else                     the channel behind it: its policy is not what we know, or it is gone
 *	our peer   update_fail_malformed_htlc        the peer, or the channel if it is the payee
 *	nobody     a packet that nobody made         the channel where it was changed, if attribution_data show it; else one
 *	                                             of those that are left, by chance: more tries find the one
 *	ourselves  the HTLC never left, or the chain nobody: what our channels can do is asked each time
 *
 * A channel_update in a failure is not even read: a channel whose policy has changed is out for this payment, and
 * gossip will tell (B4.receiving_failure_codes.5).  Inside payment/ only. */
#ifndef PAYMENT_LEARN_H
#define PAYMENT_LEARN_H

#include "payment/plan.h"

enum blame { BLAME_NOBODY, BLAME_CHANNEL, BLAME_NODE, BLAME_PAYEE };

struct lesson {
	struct record_payment_try said; /* of it what is said about the failure; words and message: in the arena */
	enum blame blame;
	uint32_t hop;             /* CHANNEL: the one into that hop; NODE: that hop itself */
	bool full;                /* CHANNEL: it lacked liquidity; less may pass */
	bool more_time;           /* CHANNEL: or the expiry was too near */
	uint32_t carried;         /* so many channels of the way, from the first, carried their HTLC */
};

/* The hold times of a payment that arrived, of so many hops as are sure; in the arena. */
const uint32_t *learn_hold_times(const struct send *s, struct arena *a, struct payment_part *part, struct bytes attribution,
				 uint32_t *count);
void learn_read(struct lesson *out, const struct send *s, struct arena *a, struct drbg *entropy,
		struct payment_part *part, const struct send_failure *f);
/* Into the payment's own limits.  Not for BLAME_PAYEE. */
void learn_limits(struct payment_part *part, const struct lesson *l, const struct pubkey *self);

#endif
