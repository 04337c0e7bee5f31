/* The loop thread: libuv, the clock, and when the executor runs.
 *
 * All sockets that are readable are read before the executor runs, so that
 * many messages share a commit.  Other threads reach the loop through a
 * loop_wake. */
#ifndef RUNTIME_LOOP_LOOP_H
#define RUNTIME_LOOP_LOOP_H

#include <uv.h>

#include "base/log.h"

struct loop;

struct loop_client {
	void *context;
	/* Everything readable was read: time to act on it.  Called once a turn, before the loop sleeps. */
	void (*turn)(void *context, uint64_t now_ms);
	/* Nothing that was read is left to act on: a piece of work that can wait.  True: there is more, and the loop
	 * looks at its sockets before it asks again.  May be NULL. */
	bool (*idle)(void *context);
	/* The next moment, Unix milliseconds, at which `tick` is wanted; UINT64_MAX: never. */
	uint64_t (*deadline)(void *context);
	void (*tick)(void *context, uint64_t now_ms);
	/* SIGINT or SIGTERM: end gracefully.  NULL: signals are not touched. */
	void (*terminate)(void *context);
	/* SIGHUP.  NULL: not touched. */
	void (*hangup)(void *context);
};

MUST_USE struct loop *loop_new(const struct loop_client *client); /* returns owned */
/* Every handle of others must be closed or closing. */
void loop_free(struct loop *l);
uv_loop_t *loop_uv(struct loop *l);

/* Unix time in milliseconds that never goes back while the process lives. */
uint64_t loop_now_ms(struct loop *l);

/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* A bell that any thread may ring; several rings may come as one. */
struct loop_wake;
MUST_USE struct loop_wake *loop_wake_new(struct loop *l, void (*call)(void *context), void *context);
void loop_wake_ring(struct loop_wake *w);
/* On the loop thread; nobody may ring any more. */
void loop_wake_free(struct loop_wake *w);

#endif
