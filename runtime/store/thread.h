/* Commits on a thread of their own, one at a time, and reads between them.
 *
 * store_thread_commit hands a batch over; when it is durable `wake` is called
 * on the store's thread, and the owner's thread then takes the result with
 * store_thread_done.  The same for store_thread_fetch and store_thread_fetched;
 * commits go first.  What fails calls `fatal`, which must not return. */
#ifndef RUNTIME_STORE_THREAD_H
#define RUNTIME_STORE_THREAD_H

#include "runtime/store/fetch.h"

struct store_thread;

struct store_thread_owner {
	void *context;
	void (*wake)(void *context);
	void (*fatal)(void *context, const char *error); /* does not return */
};

/* Borrows the store; loading must be over. */
MUST_USE struct store_thread *store_thread_new(struct store *store, const struct store_thread_owner *owner);
/* Waits for the commit that is under way; reads that nobody has taken are forgotten. */
void store_thread_free(struct store_thread *t);

/* The ops stay the caller's and unchanged until store_thread_done says true. */
void store_thread_commit(struct store_thread *t, const struct store_op *ops, uint32_t count);
/* True once for each commit that has become durable. */
MUST_USE bool store_thread_done(struct store_thread *t);

/* Who wants a read, and under which number of theirs. */
struct store_reader {
	void *context;
	uint64_t id;
};

/* Reads, after every commit that was handed over before.  The ranges are copied. */
void store_thread_fetch(struct store_thread *t, const struct store_reader *reader, const struct record_range *ranges,
			uint32_t count);
/* Once for each read that is done, in order: false if there is none.  The caller releases out. */
MUST_USE bool store_thread_fetched(struct store_thread *t, struct store_reader *reader, struct fetch *out);

#endif
