/* What a batch writes: of several writes to one record only the last.
 *
 * The ops come sorted by kind and key, live in the effects' arena and view
 * the effects' bytes. */
#ifndef RUNTIME_EXEC_COALESCE_H
#define RUNTIME_EXEC_COALESCE_H

#include "runtime/store/store.h"
#include "step/effect.h"

const struct store_op *coalesce(struct effects *effects, uint32_t *count);

#endif
