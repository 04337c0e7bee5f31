/* A chain source: whoever knows Bitcoin's best chain and takes transactions.
 *
 * All functions but interrupt are called from the chain thread, one at a time,
 * and may block.  They tell four things apart; `error` (BACKEND_ERROR_SIZE
 * bytes) gets a sentence with everything but OK.  The blocks need not be
 * trusted: runtime/chain checks that they are what their hash says. */
#ifndef RUNTIME_CHAIN_BACKEND_H
#define RUNTIME_CHAIN_BACKEND_H

#include "base/amount.h"
#include "base/bytes.h"
#include "base/types.h"

#define BACKEND_ERROR_SIZE 512

enum backend_result {
	BACKEND_OK,
	BACKEND_AWAY,  /* not reachable or not ready: ask again later */
	BACKEND_NO,    /* the answer is no: no such block, transaction refused, no estimate */
	BACKEND_WRONG, /* it can never serve us: another network, a block that was pruned */
};

struct backend_tip {
	uint32_t height; /* of the best chain, whose blocks can be had */
	struct block_hash hash;
	uint32_t headers; /* the height that it knows to exist; more than height while it is syncing itself */
};

struct backend {
	void *context;
	enum backend_result (*tip)(void *context, struct backend_tip *out, char *error);
	/* Of the best chain; NO above its tip. */
	enum backend_result (*block_hash)(void *context, uint32_t height, struct block_hash *out, char *error);
	/* Appends the whole block with witnesses. */
	enum backend_result (*block)(void *context, const struct block_hash *hash, struct buf *raw, char *error);
	/* Parents first; several are a package, whose child may pay for its parents.  OK: all are in the mempool or in the
	 * chain, now or already. */
	enum backend_result (*broadcast)(void *context, const struct bytes *txs, uint32_t count, char *error);
	/* To confirm within so many blocks; 0: the least that is relayed at all.  NO: no estimate. */
	enum backend_result (*feerate)(void *context, uint32_t blocks, struct feerate *out, char *error);
	/* An unspent output of the best chain: appends its script.  NO: spent, or never there.  NULL: a light client, which
	 * knows blocks and not what is unspent. */
	enum backend_result (*utxo)(void *context, const struct outpoint *o, struct amount_sat *amount, struct buf *script,
				    char *error);
	/* From any thread: what is under way, and all that follows, ends soon. */
	void (*interrupt)(void *context);
	void (*free)(void *context);
};

#endif
