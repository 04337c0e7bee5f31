/* What payments and probes taught about where the liquidity lies.
 *
 * For each direction of a channel two facts, each with its time: it *could*
 * carry an amount (an HTLC passed it, though the payment may have failed
 * later), and it *could not* carry an amount (the node before it said so).  A
 * settled payment moves liquidity from one direction to the other.  Facts speak of
 * all we have in flight through the channel together, not of one HTLC alone.
 *
 * Reading the facts gives a range: what one direction has the other has not, a
 * fact weakens with its age (route/model.h), and of two that contradict each
 * other the newer counts.
 *
 * Bounded: at most channels_max channels; the one that was touched longest ago
 * goes first.  Stored one record a channel, so that a restart forgets nothing.
 * A clone is a plain copy for a worker to read. */
#ifndef ROUTE_LIQUIDITY_H
#define ROUTE_LIQUIDITY_H

#include "base/amount.h"
#include "base/types.h"
#include "route/model.h"
#include "step/step.h"

#define LIQUIDITY_CHANNELS_MAX 50000u
#define LIQUIDITY_HALF_LIFE_S 7200u

struct liquidity_side {
	struct amount_msat could;     /* at least */
	struct amount_msat could_not; /* less than; 0: nothing known */
	uint64_t could_at_s, could_not_at_s;
};

struct liquidity_entry {
	struct scid scid;
	struct liquidity_side side[2]; /* by direction */
	uint64_t changed;              /* grows with every change of any entry */
	uint32_t newer, older;         /* in order of `changed` */
	uint32_t next;                 /* of one bucket, or of those that are free */
	bool stored;
};

struct liquidity;

/* channels_max, half_life_s: not 0. */
MUST_USE struct liquidity *liquidity_new(const uint8_t seed16[16], uint32_t channels_max, uint32_t half_life_s);
MUST_USE struct liquidity *liquidity_clone(const struct liquidity *l);
void liquidity_free(struct liquidity *l);

/* Amounts are with what else we have in flight there; direction 0 or 1. */
void liquidity_could(struct liquidity *l, struct scid scid, int direction, struct amount_msat amount, uint64_t now_s);
void liquidity_could_not(struct liquidity *l, struct scid scid, int direction, struct amount_msat amount, uint64_t now_s);
/* An HTLC of that amount was fulfilled across it. */
void liquidity_moved(struct liquidity *l, struct scid scid, int direction, struct amount_msat amount, uint64_t now_s);
void liquidity_forget(struct liquidity *l, struct scid scid);
/* Takes over what another table knows of a channel.  A copy that is given everything that changed since it was last
 * brought up to date, oldest change first, knows the same, drops the same, and counts its changes by itself. */
void liquidity_put(struct liquidity *l, const struct liquidity_entry *e);

/* What is known of a direction of a channel now.  capacity: not 0. */
struct model_range liquidity_range(const struct liquidity *l, const struct liquidity_entry *e, int direction,
				   struct amount_msat capacity, uint64_t now_s);
const struct liquidity_entry *liquidity_find(const struct liquidity *l, struct scid scid); /* or NULL */
uint32_t liquidity_count(const struct liquidity *l);
/* The number of the last change; 0: none yet. */
uint64_t liquidity_changed(const struct liquidity *l);
/* for (e = NULL; (e = liquidity_next(l, e)); ): from the latest change to the oldest. */
const struct liquidity_entry *liquidity_next(const struct liquidity *l, const struct liquidity_entry *e);
/* Where an entry stands: below channels_max, and stable until it is forgotten. */
uint32_t liquidity_slot(const struct liquidity *l, const struct liquidity_entry *e);
const struct liquidity_entry *liquidity_at(const struct liquidity *l, uint32_t slot);

/* Persists what changed since the last flush (RECORD_LIQUIDITY). */
void liquidity_flush(struct liquidity *l, struct step *step);
/* One stored record, in any order.  False if it is damaged. */
MUST_USE bool liquidity_load(struct liquidity *l, struct bytes key, struct bytes value);
/* Asserts that order, index and bounds hold; for tests. */
void liquidity_check(const struct liquidity *l);

#endif
