/* What the core wants to hear about, and which transactions of a block that is.
 *
 * A transaction matches if it creates a watched script, spends a watched
 * outpoint, or spends an output that an earlier transaction of the same block
 * created: one of a watched script, or any one of a transaction that itself
 * spends a watched outpoint.  Watches are counted: several owners
 * may watch one thing, and it is forgotten when the last lets go.  Besides, the
 * event says what every input of the block spends: gossip looks each up. */
#ifndef CHAIN_MATCH_H
#define CHAIN_MATCH_H

#include "base/table.h"
#include "step/effect.h"
#include "step/event.h"

struct watches {
	struct table things; /* struct watched */
};

void watches_init(struct watches *w, const uint8_t seed16[16]);
void watches_release(struct watches *w);
void watches_apply(struct watches *w, const struct watch *watch);
static inline uint32_t watches_count(const struct watches *w) { return table_count(&w->things); }

/* Fills event (kind, u.block but not the height) from a raw block; what it points at lives in raw and the arena.
 * False: raw is not the whole of the block with this hash. */
MUST_USE bool match_block(struct event *event, struct arena *a, const struct watches *w, struct bytes raw,
			  const struct block_hash *hash);

#endif
