/* The edge of core/gossip: its file, its threads, and what it sends.
 *
 * Obeys the orders of EFFECT_GOSSIP as they are released and answers with
 * EVENT_GOSSIP.  Loop thread only. */
#ifndef RUNTIME_GOSSIP_EDGE_H
#define RUNTIME_GOSSIP_EDGE_H

#include "gossip/gossip.h"
#include "runtime/loop/loop.h"
#include "step/event.h"

#define GOSSIP_EDGE_ERROR_SIZE 512

struct gossip_edge;

struct gossip_edge_config {
	const char *directory;       /* where its file lies */
	struct block_hash chain;
	uint32_t threads;            /* that verify; 0: as many as make sense */
	const struct log_sink *log;
	void *context;
	void (*event)(void *context, const struct event *event);
	/* To a connection; and once all of it has left, gossip_edge_drained. */
	void (*send)(void *context, uint64_t connection, struct bytes message);
	/* Asks the chain for funding outputs; the answer is an event of its own. */
	void (*lookup)(void *context, uint64_t id, uint32_t height, const struct scid *scids, uint32_t count);
	void (*fatal)(void *context, const char *text); /* any thread; does not return */
};

/* NULL: error says why. */
MUST_USE struct gossip_edge *gossip_edge_new(struct loop *loop, const struct gossip_edge_config *config,
					     char error[GOSSIP_EDGE_ERROR_SIZE]);
void gossip_edge_free(struct gossip_edge *e);
/* Before anything else: each record, until `each` or the file says that there are no more.  Returns the end. */
uint32_t gossip_edge_load(struct gossip_edge *e, bool (*each)(void *context, uint32_t ref, struct bytes record), void *context);
void gossip_edge_obey(struct gossip_edge *e, const struct gossip_note *order);
/* The end of a batch: what was to be stored is written. */
void gossip_edge_flush(struct gossip_edge *e);
/* The message of a record of the newest generation: appended.  False: it is not there. */
MUST_USE bool gossip_edge_message(struct gossip_edge *e, uint32_t ref, struct buf *out);
void gossip_edge_drained(struct gossip_edge *e, uint64_t connection);

#endif
