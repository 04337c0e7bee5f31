/* The scids of the graph in ascending order: what ranges are read from.
 *
 * New ones gather at the end and are sorted in when somebody next reads, so a
 * flood of announcements costs one merge and not a sort for each query.  Those
 * that have left the graph stay until order_drop: whoever reads looks each up. */
#ifndef GOSSIP_ORDER_H
#define GOSSIP_ORDER_H

#include "base/bytes.h"
#include "base/types.h"

struct order {
	struct scid *at;
	uint32_t count, capacity;
	uint32_t sorted; /* of count */
	uint32_t gone;   /* left the graph since the last order_drop */
};

void order_init(struct order *o);
void order_release(struct order *o);
void order_add(struct order *o, struct scid scid);
void order_removed(struct order *o);
/* Sorts, without doubles. */
void order_ready(struct order *o);
/* After order_ready: the first index whose scid is at or above. */
MUST_USE uint32_t order_from(const struct order *o, struct scid scid);
/* Drops, once they are many, those for which keep is false. */
void order_drop(struct order *o, bool (*keep)(const void *context, struct scid scid), const void *context);

#endif
