/* Inside runtime/chain: the funding outputs of one block, from any Backend. */
#ifndef RUNTIME_CHAIN_LOOKUP_H
#define RUNTIME_CHAIN_LOOKUP_H

#include "runtime/chain/queue.h"
#include "runtime/chain/source.h"

/* Reads the block once and asks for each output that is there whether it is unspent.  Whatever the Backend cannot do
 * makes the answer FUNDING_AWAY or FUNDING_UNKNOWN (the block was pruned) and nothing worse.  Returns owned: ITEM_LOOKUP. */
MUST_USE struct item *lookup_answer(const struct backend *b, const struct lookup_order *o);

#endif
