/* An index from numbers that may be anybody's choice (short channel ids and aliases) to objects.
 *
 * An object has slots, one for each number that it is called by; several slots may have one number, and are found in
 * the order in which they took it.  The index borrows the slots: they must not move while they are set.  Keyed against
 * collision attacks, as base/table.h is. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include "base/table.h"

/* All zero: not set. */
struct name {
	uint8_t key[8];
	void *object;
	struct name *next; /* of the same number */
};

struct names {
	struct table table; /* the first slot of each number */
};

void names_init(struct names *n, const uint8_t seed16[16]);
void names_release(struct names *n);
/* The number that a slot has from now on; 0: none. */
void names_set(struct names *n, struct name *slot, void *object, uint64_t number);
/* for (s = names_find(n, number); s; s = s->next): s->object */
const struct name *names_find(const struct names *n, uint64_t number);
static inline uint64_t name_number(const struct name *slot) { return load_be64(slot->key); }

#endif
