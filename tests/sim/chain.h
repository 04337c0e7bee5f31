/* The simulator's Bitcoin: one chain of real regtest blocks and one mempool, all from one seed.
 *
 * Every block could be given to Bitcoin Core's submitblock, and would be taken: the genesis is regtest's, headers carry
 * work, coinbases their height (BIP 34) and the witness commitment (BIP 141).  The chain does not trust its callers:
 * each transaction is checked whole before it enters the mempool or a block - amounts, locktimes, BIP 68, maturity and
 * every script, by tests/script.  The mempool's rules are those of Bitcoin Core that an adversary or a fee spike
 * could use against a Lightning node.
 *
 * What is returned belongs to the chain and lives as long as it.  Deterministic: the same calls give the same hashes.
 * Sources: BIP 34, 65, 68, 112, 113, 125, 141, 431 and Bitcoin Core's doc/policy. */
#ifndef TESTS_SIM_CHAIN_H
#define TESTS_SIM_CHAIN_H

#include "bitcoin/tx.h"

struct sim_chain;

/* A chain begins with so many blocks after the genesis, so that the faucet has ripe coins; the last of them is ten
 * minutes older than this Unix time. */
#define SIM_FIRST_HEIGHT 110u
#define SIM_START_TIME 1700000000u
#define SIM_BLOCK_SECONDS 600u
#define SIM_FROM_FAUCET UINT64_MAX

struct sim_tx {
	struct txid id, wtxid;
	struct bytes raw;
	const struct tx *tx;
	struct amount_sat fee; /* 0 for a coinbase */
	uint64_t weight;
	uint64_t from;         /* who offered it first */
	uint32_t height;       /* of its block in the best chain; 0: none */
	bool in_mempool;
};

struct sim_block {
	uint32_t height, time;
	struct block_hash hash, prev;
	uint8_t header[80];
	struct bytes *txs;           /* the coinbase is the first */
	const struct sim_tx **list;  /* the same */
	uint32_t count;
};

/* As submitblock takes it. */
void sim_block_encode(const struct sim_block *b, struct buf *out);

MUST_USE struct sim_chain *sim_chain_new(uint64_t seed); /* returns owned */
void sim_chain_free(struct sim_chain *c);

/* One transaction, or a package with the parents first and one child of them all at its end.  NULL if all are in the
 * mempool or the best chain now; otherwise Bitcoin Core's words for why not, though part of a package may be in.  A mined
 * transaction whose outputs are all spent is refused, for Bitcoin Core has forgotten it.  `from` is the
 * caller's own name for who offers, for adversaries and checkers. */
MUST_USE const char *sim_chain_offer(struct sim_chain *c, const struct bytes *txs, uint32_t count, uint64_t from);

struct sim_mine {
	bool empty;              /* nothing but the coinbase */
	uint32_t floor_per_kw;   /* nothing below, packages counted whole; 0: what sim_chain_set_floor said */
	uint64_t max_weight;     /* 0: BLOCK_WEIGHT_USUAL */
	/* False leaves a transaction and its descendants out. */
	bool (*include)(void *context, const struct sim_tx *t);
	void *context;
	/* Put in first, past the mempool's rules but not past consensus: a miner in league with an adversary.  What
	 * conflicts with them leaves the mempool.  Each must be valid in its place (asserted). */
	const struct bytes *extra;
	uint32_t extra_count;
	struct bytes coinbase_script; /* empty: the faucet's */
	uint32_t time;           /* 0: ten minutes after the last; never at or below the median of the last eleven */
};

#define BLOCK_WEIGHT_USUAL 3996000u

/* how NULL: everything that fits, best paid first. */
void sim_chain_mine(struct sim_chain *c, const struct sim_mine *how);
/* Takes the last blocks off; their transactions go back to the mempool where they may.  What is mined next has other
 * hashes, and what it includes is for `include` to say.  Never below SIM_FIRST_HEIGHT. */
void sim_chain_reorg(struct sim_chain *c, uint32_t depth);

uint32_t sim_chain_height(const struct sim_chain *c);
/* How often blocks left it. */
uint32_t sim_chain_reorgs(const struct sim_chain *c);
/* Height 0 is the genesis.  A block stays what it is; after a reorganization another is at its height. */
const struct sim_block *sim_chain_block(const struct sim_chain *c, uint32_t height);
const struct sim_block *sim_chain_tip(const struct sim_chain *c);

/* The mempool in order of arrival: 0 to count - 1, any change renumbers. */
uint32_t sim_chain_mempool(const struct sim_chain *c);
const struct sim_tx *sim_chain_mempool_at(const struct sim_chain *c, uint32_t index);
/* In the mempool or the best chain, or NULL. */
const struct sim_tx *sim_chain_find(const struct sim_chain *c, const struct txid *id);
/* Who spends it in the mempool or the best chain, or NULL. */
const struct sim_tx *sim_chain_spender(const struct sim_chain *c, const struct outpoint *o);
/* The output, if its transaction is in the mempool or the best chain; spent or not. */
const struct tx_output *sim_chain_output(const struct sim_chain *c, const struct outpoint *o);
/* In the best chain and unspent there: Bitcoin Core's gettxout without the mempool. */
MUST_USE bool sim_chain_unspent(const struct sim_chain *c, const struct outpoint *o);

/* Asserts the invariants of the chain and the mempool, down to the last satoshi; it reads all of both. */
void sim_chain_check(struct sim_chain *c);

/* --- fees --- */

/* Miners ask for so much from here on (a spike, or its end); 0: anything. */
void sim_chain_set_floor(struct sim_chain *c, uint32_t per_kw);
/* The mempool holds no more than so much weight: what pays least leaves, and the minimum to enter rises above it and
 * sinks again with the blocks.  0: no limit. */
void sim_chain_set_limit(struct sim_chain *c, uint64_t max_weight);
/* What the mempool asks for now (Bitcoin Core's mempoolminfee), at least the relay fee. */
struct feerate sim_chain_minimum(const struct sim_chain *c);
/* What gets a transaction into one of the next `blocks` blocks as things stand: the floor, or more where they would be
 * full of better paid ones. */
struct feerate sim_chain_estimate(const struct sim_chain *c, uint32_t blocks);

/* --- those who look on --- */

/* Told once the chain is at rest again, in order; may offer transactions, which are told in turn, but not mine. */
struct sim_watcher {
	void *context;
	void (*accepted)(void *context, struct sim_chain *c, const struct sim_tx *t);
	/* Out of the mempool without a block: why is "replaced", "evicted", "conflict" or "reorg". */
	void (*dropped)(void *context, struct sim_chain *c, const struct sim_tx *t, const char *why);
};

#define SIM_WATCHERS_MAX 16
void sim_chain_watch(struct sim_chain *c, const struct sim_watcher *w);

/* --- money and replay --- */

/* Coinbases go to a script that anybody can spend; this spends ripe ones to pay `count` outputs of `each` to the scripts,
 * by a transaction in the mempool. */
void sim_chain_grant(struct sim_chain *c, const struct bytes *scripts, uint32_t count, struct amount_sat each);
/* Appends to `path` every block but the genesis in the order in which they were mined, one in hex a line, those that a
 * reorganization took as well: what submitblock must take, one by one, to come to the same tip.  False if it can not
 * be written. */
MUST_USE bool sim_chain_write(const struct sim_chain *c, const char *path);
/* Appends everything that happened, a line each, after a line "begin":
 *	block COUNT SUM HEX           a block was mined
 *	offer COUNT SUM WHY HEX,HEX   transactions were offered; WHY is "ok" or words with _ for blanks
 *	reorg COUNT SUM HASH          this block and what lay on it left the chain
 *	limit COUNT SUM               the mempool's size was limited, which Bitcoin Core's can not be in this way
 * COUNT and SUM are of the mempool after it: its size and its ids, as RPC shows them, xored.  So another mempool can be
 * asked what it would have said. */
MUST_USE bool sim_chain_write_trace(const struct sim_chain *c, const char *path);

#endif
