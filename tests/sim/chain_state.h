/* The inside of the simulator's chain: what chain.c, mempool.c, policy.c and mine.c share. */
#ifndef TESTS_SIM_CHAIN_STATE_H
#define TESTS_SIM_CHAIN_STATE_H

#include "base/arena.h"
#include "base/table.h"
#include "bitcoin/block.h"
#include "crypto/hash.h"
#include "tests/sim/chain.h"

#define COINBASE_MATURITY 100u
#define NOTICES_MAX 65536u

/* A transaction that was taken at any time.  It is kept: its scripts are judged once, whatever the chain does.
 * "Live" is in the mempool or the best chain. */
struct entry {
	struct sim_tx t;        /* first: the public face */
	struct entry **spenders; /* of each output: the live transaction that spends it */
	bool coinbase;
	bool standard;          /* its scripts passed under the mempool's flags, and so under consensus */
	bool consensus;         /* they passed under consensus */
	uint64_t mark;          /* of the walk that saw it last */
	uint64_t fee_ancestors, weight_ancestors; /* mine.c: of it with its ancestors that are not in the block yet */
	uint32_t version;       /* mine.c: of these sums */
	enum { ENTRY_FREE, ENTRY_TAKEN, ENTRY_REFUSED } place; /* mine.c: in the block that is made */
};

#define RELAY_PER_KVB 1000u       /* minrelaytxfee */
#define INCREMENTAL_PER_KVB 1000u /* incrementalrelayfee */

struct notice {
	const struct entry *e;
	const char *why; /* NULL: accepted */
};

/* Everything that was asked of the chain, for replay. */
struct trace_event {
	enum { TRACE_OFFER, TRACE_BLOCK, TRACE_REORG, TRACE_LIMIT } kind;
	struct entry **list;   /* OFFER */
	uint32_t count;
	const char *why;       /* OFFER: NULL if taken */
	const struct sim_block *block; /* mined, or the lowest that left */
	uint32_t pool_count;   /* of the mempool then, and all its ids xored */
	struct txid pool_sum;
};

struct sim_chain {
	struct arena memory;
	uint8_t seed[16];
	uint64_t serial;         /* makes coinbases differ */
	struct table known;      /* every entry by wtxid */
	struct table live;       /* by txid */
	struct sim_block **blocks; /* index is height */
	uint32_t count, capacity;
	struct entry **pool;     /* in order of arrival */
	uint32_t pool_count, pool_capacity;
	uint64_t pool_weight;
	struct txid pool_sum;    /* of all ids in it, xored */
	uint64_t stamp;          /* of walks */
	uint32_t floor_per_kw;   /* of miners */
	uint64_t limit_weight;   /* of the mempool; 0: none */
	uint64_t minimum_per_kvb; /* that evictions left */
	struct bytes faucet_script;
	struct outpoint *faucet; /* what the faucet was paid, oldest first */
	uint32_t faucet_count, faucet_capacity;
	struct sim_watcher watchers[SIM_WATCHERS_MAX];
	uint32_t watcher_count;
	struct trace_event *trace;
	uint32_t trace_count, trace_capacity;
	struct notice *notices;
	uint32_t notice_count, notice_capacity;
	bool telling;
	uint32_t reorgs;         /* in all */
};

/* A growing list of entries, for walks. */
struct entries {
	struct entry **list;
	uint32_t count, capacity;
};

void entries_add(struct entries *s, struct entry *e);
void entries_release(struct entries *s);

/* chain.c */
struct entry *chain_live(const struct sim_chain *c, const struct txid *id);
/* The entry of these bytes, made if need be; NULL if they are no transaction. */
struct entry *chain_entry(struct sim_chain *c, struct bytes raw, uint64_t from);
/* Median of the times of the eleven blocks up to that height (BIP 113). */
uint32_t chain_median_time(const struct sim_chain *c, uint32_t height);
/* Its outputs are there, its inputs' outputs are spent by it, from here on. */
void chain_enter(struct sim_chain *c, struct entry *e);
void chain_leave(struct sim_chain *c, struct entry *e);
/* NULL, or what is wrong whatever the chain. */
const char *chain_check_shape(const struct entry *e);
/* NULL, or why consensus refuses e in the next block: its shape, inputs missing, spent or immature, amounts, lock time,
 * BIP 68; all but scripts.  Sets the fee.  Inputs that live in the mempool count as mined in that block; who else in
 * the mempool spends one is for the caller to see. */
const char *chain_check(struct sim_chain *c, struct entry *e);
/* The same of scripts, judged once. */
const char *chain_check_scripts(struct sim_chain *c, struct entry *e, bool standard);
/* faucet.c */
void faucet_add(struct sim_chain *c, const struct txid *id, uint32_t index);

/* trace.c: with the mempool as it is now. */
void trace_offer(struct sim_chain *c, struct entry *const *list, uint32_t count, const char *why);
void trace_block(struct sim_chain *c, const struct sim_block *b);
void trace_reorg(struct sim_chain *c, const struct sim_block *lowest);
void trace_limit(struct sim_chain *c);

/* policy.c: standardness that needs no mempool.  NULL or words. */
const char *policy_check(const struct entry *e);
const char *policy_check_inputs(const struct sim_chain *c, const struct entry *e);
uint64_t policy_sigop_cost(const struct sim_chain *c, const struct entry *e); /* what it spends is live */
/* BIP 141's virtual size, and Bitcoin Core's fee of it at a rate: rounded up. */
uint64_t policy_vsize(uint64_t weight);
uint64_t policy_fee(uint64_t per_kvb, uint64_t vsize);

static inline uint64_t entry_vsize(const struct entry *e)
{
	return policy_vsize(e->t.weight);
}

/* mempool.c */
void pool_add(struct sim_chain *c, struct entry *e); /* it is live already */
/* e, which may be in no mempool, and its descendants leave; they go to `out`, in order of arrival. */
void pool_take_tree(struct sim_chain *c, struct entry *e, struct entries *out);
void pool_notice(struct sim_chain *c, const struct entry *e, const char *why); /* NULL: accepted */
uint64_t pool_minimum_per_kvb(const struct sim_chain *c);
/* e and what descends from it leave.  why NULL: nobody is told. */
void pool_remove_tree(struct sim_chain *c, struct entry *e, const char *why);
void pool_mined(struct sim_chain *c); /* what a block took (height set) is no longer waiting */
void pool_sink(struct sim_chain *c);  /* with each block the minimum to enter does */
/* The transactions of blocks that are gone, oldest first, still live, go before all others; what the new tip makes
 * invalid leaves. */
void pool_return(struct sim_chain *c, struct entry *const *list, uint32_t count);
void pool_trim(struct sim_chain *c);
void pool_tell(struct sim_chain *c);
/* In the mempool, without e. */
void pool_ancestors(struct sim_chain *c, const struct entry *e, struct entries *out);
void pool_descendants(struct sim_chain *c, const struct entry *e, struct entries *out);

#endif
