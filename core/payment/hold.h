/* Things that wait for somebody outside to decide: an HTLC before it is forwarded, a whole HTLC set before its invoice is
 * paid.
 *
 *	held --continue--> as if nobody had been asked
 *	     --resolve-->  fulfilled with the decider's preimage
 *	     --fail-->     failed with the decider's code
 *	     --deadline--> continued or failed, as its owner said when it was held
 *
 * The deadline is a block and a time, whichever comes first.  The block is so far from the HTLC's expiry that what
 * happens then is safe: a silent decider costs a payment, and never a channel.
 *
 * Nothing is stored: what is undecided is an HTLC of its channel, and after a restart it comes to the same point and
 * somebody is asked again, by the same name.  So a name that comes late means the same thing or nothing. */
#ifndef PAYMENT_HOLD_H
#define PAYMENT_HOLD_H

#include "base/table.h"
#include "step/step.h"

struct hold {
	uint8_t key[33]; /* of its name */
	struct held_thing what;
};

struct holds {
	struct table table;
};

void holds_init(struct holds *h, const uint8_t seed16[16]);
void holds_release(struct holds *h);
/* Asks for it: NOTIFY_HELD.  One of the same name is replaced. */
void hold_add(struct holds *h, struct step *s, const struct held_thing *what);
/* NULL: nothing is held by that name. */
const struct hold *hold_get(const struct holds *h, const struct hold_name *name);
/* Forgets it, if it is there. */
void hold_over(struct holds *h, const struct hold_name *name);
/* One whose deadline has come; NULL: none. */
const struct hold *hold_due(const struct holds *h, uint32_t height, uint64_t now_ms);
/* Unix milliseconds; UINT64_MAX: never. */
uint64_t holds_deadline(const struct holds *h);
static inline uint32_t holds_count(const struct holds *h) { return table_count(&h->table); }

/* Whether a decider may fail a thing of that kind with that code of BOLT 4: those without data of their own. */
MUST_USE bool hold_code_fits(enum hold_kind kind, uint16_t code);

#endif
