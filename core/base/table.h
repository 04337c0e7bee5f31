/* A hash table from byte keys to objects, keyed against collision attacks.
 *
 * The table borrows the objects and the keys inside them: an object must not
 * change its key, move or be freed while it is in the table.  SipHash-2-4 under
 * the table's own 16-byte seed decides the place; give different seeds to
 * tables that hold what strangers choose.  Iteration order is the order of
 * insertion, so a simulation replays exactly. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/bytes.h"

struct table_entry;

struct table {
	struct bytes (*key)(const void *object);
	struct table_entry *entries; /* in insertion order, with holes */
	uint32_t *slots;
	uint32_t entry_count, entry_capacity, slot_count, live;
	uint8_t seed[16];
};

void table_init(struct table *t, struct bytes (*key)(const void *object), const uint8_t seed16[16]);
void table_release(struct table *t);
/* The key must not be present. */
void table_add(struct table *t, void *object);
void *table_get(const struct table *t, struct bytes key);
/* Returns the object that was removed, or NULL. */
void *table_remove(struct table *t, struct bytes key);
static inline uint32_t table_count(const struct table *t) { return t->live; }

/* for (i = 0; (p = table_next(t, &i)); ): removing the object just returned is allowed, adding is not. */
void *table_next(const struct table *t, uint32_t *position);

uint64_t siphash24(const uint8_t seed16[16], struct bytes b);

#endif
