/* lampo-methods(7): every method, from its schema. */
#ifndef API_RPC_MANUAL_H
#define API_RPC_MANUAL_H

#include "api/rpc/rpc.h"

void manual_methods(struct buf *out, const struct rpc *rpc);

#endif
