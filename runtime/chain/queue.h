/* Inside runtime/chain: what the loop and the chain thread give each other.
 *
 * Orders go to the thread, items come back, both in order, both under one
 * lock.  Items own what they point at. */
#ifndef RUNTIME_CHAIN_QUEUE_H
#define RUNTIME_CHAIN_QUEUE_H

#include <pthread.h>

#include "base/bytes.h"
#include "base/types.h"
#include "gossip/gossip.h"
#include "step/event.h"

#define QUEUE_BLOCKS_MAX 8u /* fetched ahead of the core */

enum item_kind { ITEM_BLOCK, ITEM_UNDONE, ITEM_SYNCED, ITEM_FEES, ITEM_BROADCAST, ITEM_LOOKUP };

struct item {
	struct item *next;
	enum item_kind kind;
	uint32_t height, best_height;
	struct block_hash hash, previous;
	struct buf raw; /* BLOCK */
	struct feerate rates[FEE_TARGETS];
	uint64_t id;
	bool accepted;
	char *reason;
	struct gossip_funding *fundings; /* LOOKUP, with their scripts */
	uint32_t count;
};

/* A broadcast that was ordered. */
struct order {
	struct order *next;
	uint64_t id;
	struct bytes *txs; /* owned, with their bytes */
	uint32_t count;
};

/* Funding outputs of one block. */
struct lookup_order {
	struct lookup_order *next;
	uint64_t id;
	uint32_t height, count;
	struct scid *scids; /* owned */
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* the thread waits on it */
	struct item *items, **items_tail;
	struct order *orders, **orders_tail;
	struct lookup_order *lookups, **lookups_tail; /* can wait: one between two rounds */
	uint32_t blocks; /* in items */
	bool stop, poked;
};

void queue_init(struct queue *q);
void queue_release(struct queue *q);

struct item *item_new(enum item_kind kind);
void item_free(struct item *i);
void order_free(struct order *o);
void lookup_order_free(struct lookup_order *o);

/* From the thread; takes the item. */
void queue_add(struct queue *q, struct item *i);
/* NULL: none.  The caller frees it. */
struct item *queue_take(struct queue *q);
void queue_order(struct queue *q, uint64_t id, const struct bytes *txs, uint32_t count);
struct order *queue_take_order(struct queue *q);
void queue_lookup(struct queue *q, uint64_t id, uint32_t height, const struct scid *scids, uint32_t count);
struct lookup_order *queue_take_lookup(struct queue *q);
void queue_poke(struct queue *q);
void queue_stop(struct queue *q);
MUST_USE bool queue_stopped(struct queue *q);
/* May another block be fetched? */
MUST_USE bool queue_has_room(struct queue *q);
/* The thread sleeps so long, or until there is an order, a poke, or the end; with `for_room` also until there is room. */
void queue_wait(struct queue *q, uint32_t ms, bool for_room);

#endif
