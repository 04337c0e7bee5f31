/* The chain as events: a thread asks the Backend, the loop hands out what came.
 *
 *	EVENT_BLOCK, EVENT_BLOCK_UNDONE   one at a time: the next only after source_released, because a block
 *	                                  may make the core watch for something in the next one
 *	EVENT_CHAIN_SYNCED                there is nothing newer for now
 *	EVENT_FEES                        when they have changed
 *	EVENT_BROADCAST                   the answer to source_broadcast
 *	EVENT_GOSSIP (FUNDED)             the answer to source_lookup
 *
 * A Backend that is away is asked again and again; one that can never serve us
 * ends the process through `fatal`. */
#ifndef RUNTIME_CHAIN_SOURCE_H
#define RUNTIME_CHAIN_SOURCE_H

#include "bitcoin/network.h"
#include "chain/follow.h"
#include "runtime/chain/backend.h"
#include "runtime/loop/loop.h"
#include "step/effect.h"
#include "step/event.h"

struct source;

struct source_config {
	struct backend backend;    /* the source frees it */
	const struct network *network;
	struct follow stored;      /* what we had followed; not started: a new node */
	bool has_birthday;         /* a new node begins with this block instead of the tip: its wallet is older */
	uint32_t birthday_height;
	uint32_t poll_ms, fees_ms; /* 0: chosen by the network */
	bool held;                 /* nothing comes before the first source_released: what the core watches for from its
	                            * start on is not known yet, and the next block may already hold it */
	const struct log_sink *log; /* used from the chain thread too */
	void *context;
	void (*event)(void *context, const struct event *event);
	void (*fatal)(void *context, const char *text); /* any thread; does not return */
};

/* Copies the configuration.  Nothing happens before source_start. */
MUST_USE struct source *source_new(struct loop *loop, const struct source_config *config);
void source_start(struct source *s);
/* Ends the thread, which may take a second; the Backend is gone. */
void source_free(struct source *s);

void source_watch(struct source *s, const struct watch *watch);
void source_broadcast(struct source *s, uint64_t id, const struct bytes *txs, uint32_t count);
/* Funding outputs of one block of the best chain. */
void source_lookup(struct source *s, uint64_t id, uint32_t height, const struct scid *scids, uint32_t count);
/* The effects of the start (if held), or of the last BLOCK or BLOCK_UNDONE, are out: the watches are as they shall be
 * for the next. */
void source_released(struct source *s);
/* There may be a new block: look now instead of at the next poll.  Any thread. */
void source_poke(struct source *s);

#endif
