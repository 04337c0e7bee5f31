/* Inside the Bitcoin Core backend: one JSON-RPC call. */
#ifndef RUNTIME_CHAIN_CORE_RPC_H
#define RUNTIME_CHAIN_CORE_RPC_H

#include <jansson.h>

#include "runtime/chain/core.h"

/* Bitcoin Core's error codes that mean something to us (src/rpc/protocol.h). */
enum {
	CORE_METHOD_NOT_FOUND = -32601,
	CORE_WARMING_UP = -28,
	CORE_ALREADY_IN_CHAIN = -27,
	CORE_MISC = -1,
	CORE_NOT_FOUND = -5,
};

struct core_rpc;

/* NULL: error says what is wrong with its URL. */
MUST_USE struct core_rpc *core_rpc_new(const struct core_config *config, char error[BACKEND_ERROR_SIZE]);
void core_rpc_free(struct core_rpc *r);
void core_rpc_interrupt(struct core_rpc *r);
/* Bitcoind may have been another one since: true once after it was away. */
MUST_USE bool core_rpc_was_away(struct core_rpc *r);

/* Takes params (an array; NULL: none).  OK: *result, if wanted, is owned by the caller.  NO: *code is Bitcoin Core's. */
MUST_USE enum backend_result core_rpc_call(struct core_rpc *r, const char *method, json_t *params, json_t **result,
					   int *code, char *error);

#endif
