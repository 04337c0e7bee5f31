/* Step memory: many small allocations that die together.
 *
 * An arena hands out zeroed, maximally aligned memory and frees all of it at
 * arena_reset or arena_release.  Decoded messages and effects live in one.
 * After arena_reset one chunk is kept, so a steady load allocates nothing. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *head;
	size_t used; /* bytes handed out since the last reset */
};

void arena_init(struct arena *a);
void arena_reset(struct arena *a);
void arena_release(struct arena *a);
/* Overwrites everything that it has handed out; before arena_release, where there were secrets in it. */
void arena_wipe(struct arena *a);

MUST_USE void *arena_alloc(struct arena *a, size_t size);
MUST_USE void *arena_array(struct arena *a, size_t count, size_t size);
/* Copies; the copy has the arena's lifetime. */
MUST_USE void *arena_copy(struct arena *a, const void *p, size_t size);
MUST_USE struct bytes arena_bytes(struct arena *a, struct bytes b);
MUST_USE char *arena_string(struct arena *a, const char *s);
MUST_USE char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_array((a), (count), sizeof(type)))

#endif
