/* Inside runtime/chain: the thread that asks the Backend. */
#ifndef RUNTIME_CHAIN_THREAD_H
#define RUNTIME_CHAIN_THREAD_H

#include "runtime/chain/queue.h"
#include "runtime/chain/source.h"

struct chain_thread;

struct chain_thread_owner {
	void *context;
	void (*ring)(void *context); /* an item was added */
	void (*fatal)(void *context, const char *text);
	void *fatal_context;
};

/* Borrows all three. */
MUST_USE struct chain_thread *chain_thread_new(const struct source_config *config, struct queue *queue,
					       const struct chain_thread_owner *owner);
/* After queue_stop and the Backend's interrupt: joins. */
void chain_thread_free(struct chain_thread *t);

#endif
