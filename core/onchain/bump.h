/* What a transaction that must confirm pays: one pure function for claims and
 * for the children of commitments.
 *
 * The schedule is anchored at the height at which the transaction was first
 * wanted.  It never begins anew: not after a replacement, a split or a restart
 * (LND's replacement stalling, 2023), so the anchor and what was paid last are
 * stored by the caller.
 *
 * With a deadline the rate is at least what the estimates ask for so many
 * blocks, and on top of that grows with the fourth power of the time that has
 * passed, up to the whole budget in the last block: whatever the estimates say,
 * something tries every rate that the money is worth.  Without one it is the
 * normal rate, raised now and then, and never above the urgent one.
 *
 * Estimates are by enum fee_target (step/event.h). */
#ifndef ONCHAIN_BUMP_H
#define ONCHAIN_BUMP_H

#include "base/amount.h"

/* BIP 125 rule 4: a replacement pays the relay of its own size on top. */
#define BUMP_STEP_PER_KW 253u
/* So long a transaction is left alone where nothing else moves the rate. */
#define BUMP_PATIENCE_BLOCKS 6u
/* From here on a deadline asks for the urgent estimate at least; from there on, and further away, for the normal one. */
#define BUMP_URGENT_BLOCKS 6u
#define BUMP_NORMAL_BLOCKS 144u
/* In the last blocks any permitted raise is made; before, only one of an eighth. */
#define BUMP_HURRY_BLOCKS 3u
/* A deadline that has passed already is followed by a ramp of so many blocks. */
#define BUMP_LATE_BLOCKS 6u

struct bump {
	uint32_t start;           /* height at which it was first wanted */
	uint32_t deadline;        /* the last block that should hold it; 0: none */
	uint64_t weight;          /* of all that the fee carries; not 0 */
	struct amount_sat budget; /* the most that all of it may pay */
	struct feerate floor;     /* paid before for the same outputs, in a transaction that is no more */
	/* Of the transaction that waits now; 0: none. */
	struct feerate paid;
	uint32_t paid_height;
};

/* The rate to pay at this height whatever was paid; 0: the budget does not even reach the relay fee. */
struct feerate bump_target(const struct bump *b, uint32_t height, const struct feerate *fees4);
/* The rate of the transaction to make now; 0: none is to be made. */
struct feerate bump_next(const struct bump *b, uint32_t height, const struct feerate *fees4);

#endif
