/* Memory that cannot run out quietly.
 *
 * mem_alloc and mem_realloc abort the process when there is no memory left:
 * the environment's faults are fatal and the node restarts from disk.  What
 * they return is owned by the caller and released with mem_free.  mem_alloc
 * zeroes. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

MUST_USE void *mem_alloc(size_t size);
MUST_USE void *mem_alloc_array(size_t count, size_t size);
MUST_USE void *mem_realloc(void *p, size_t count, size_t size);
void mem_free(void *p);

/* Overwrites in a way that no optimiser removes. */
void mem_wipe(void *p, size_t size);
/* Wipes, then frees: for objects that held secrets. */
void mem_wipe_free(void *p, size_t size);
/* Compares secrets in constant time. */
MUST_USE bool mem_equal_secret(const void *a, const void *b, size_t size);

#define NEW(type) ((type *)mem_alloc(sizeof(type)))
#define NEW_ARRAY(type, count) ((type *)mem_alloc_array((count), sizeof(type)))
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
