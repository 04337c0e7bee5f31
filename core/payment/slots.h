/* Who may take how much of an outgoing channel: limits against jamming.
 *
 * A channel carries so many HTLCs and so much value at a time.  Whoever holds payments open takes that from others, and
 * pays nothing for it.  So of the slots of each channel
 *
 *   own         are kept for payments of this node;
 *   small       are for HTLCs below `small`, and the rest for the others: neither class can crowd out the other;
 *   protected   of each class, the last ones, are for HTLCs from peers that have earned them;
 *   peer        is the share that HTLCs of one incoming peer may have of what is open to it, and of the value.
 *
 * A limit that protects others is no limit where there are none: with one peer besides that of the channel only the own
 * slots are kept, and a peer's share is never less than its part among all peers.  One HTLC at a time may be as large as
 * the channel carries.
 *
 * A peer has earned it when the fees of its payments that arrived, less what it cost to hold some of them, are at least
 * half of its part among all that was earned.  An HTLC that is held costs its own fee for each 90 seconds after the
 * first.  What is long ago counts less: half after two weeks.  It is stored, in the batch that ends the HTLC
 * (RECORD_EARNED), and forgotten with the peer's last channel: so there are no more of these records than peers with
 * channels.
 *
 * docs/FORWARDING.md has the defaults. */
#ifndef PAYMENT_SLOTS_H
#define PAYMENT_SLOTS_H

#include "base/amount.h"
#include "base/table.h"
#include "base/types.h"
#include "step/step.h"

#define SLOTS_HELD_MS 90000u            /* an HTLC that takes longer than that costs its fee again */
#define SLOTS_HALF_LIFE_MS 1209600000u  /* two weeks */

struct slot_limits {
	uint32_t own_percent;
	uint32_t small_percent;
	struct amount_msat small;       /* below it an HTLC is small; 0: none is, and all slots are for the others */
	uint32_t protected_percent;
	uint32_t peer_percent;          /* of the slots; 100: no limit */
	uint32_t peer_value_percent;    /* of the value */
};

enum slot_class { SLOT_SMALL, SLOT_REGULAR };
#define SLOT_CLASSES 2

struct slots {
	struct slot_limits limits;
	struct table channels;          /* by outgoing channel */
	struct table shares;            /* by outgoing channel and incoming peer */
	struct table peers;             /* what each incoming peer earned */
	uint64_t earned, earned_ms;     /* by all of them */
};

/* A channel that an HTLC may go out over, and whom it comes from. */
struct slot_question {
	uint64_t channel_key;
	const struct pubkey *from;
	uint32_t channel_slots;         /* that the channel has */
	struct amount_msat channel_value;
	uint32_t other_peers;           /* with channels, besides that of the channel: at least 1 */
	struct amount_msat amount;
	uint64_t now_ms;
};

/* Why an HTLC is not let in; NULL: it may go. */
MUST_USE const char *slots_refuse(const struct slots *s, const struct slot_question *q);

void slots_init(struct slots *s, const uint8_t seed16[16]);
void slots_release(struct slots *s);
void slots_take(struct slots *s, uint64_t channel_key, const struct pubkey *from, struct amount_msat amount);
/* Of one that was taken, as it was. */
void slots_give_back(struct slots *s, uint64_t channel_key, const struct pubkey *from, struct amount_msat amount);
/* How one ended.  held_ms: from when it came in; 0: not known.  Whether slots_store has something to store. */
bool slots_learn(struct slots *s, const struct pubkey *from, struct amount_msat fee, bool settled, uint64_t held_ms, uint64_t now_ms);
MUST_USE bool slots_has_earned(const struct slots *s, const struct pubkey *from, uint32_t peers, uint64_t now_ms);
/* RECORD_EARNED of that peer. */
void slots_store(const struct slots *s, struct step *step, const struct pubkey *peer);
MUST_USE bool slots_load(struct slots *s, struct bytes key, struct bytes value);
/* The peer has no channel any more. */
void slots_forget(struct slots *s, struct step *step, const struct pubkey *peer);
/* HTLCs that a channel carries for others. */
uint32_t slots_used(const struct slots *s, uint64_t channel_key);
/* Sums that must agree; ASSERTs. */
void slots_check(const struct slots *s);

#endif
