/* The executor: the law that stands between the core and the world.
 *
 *	1 step every event as it comes; once none is pending, flush the core
 *	2 hand SIGN, FUNDS and COMPUTE to their ports; what they answer at once is stepped too, until it is quiet
 *	3 commit every PERSIST of the batch in one transaction
 *	4 only then release the other effects, in order
 *
 * A signer that remembers across our crashes gets its questions in 4 instead of 2: what it is asked rests on what is
 * stored.
 *
 * While one batch is being committed the next one fills; it is closed when the
 * commit is done.  So at most two batches live, and effects leave in the order
 * of batches.  A commit that fails never reports: the process ends.
 *
 * The executor has no clock, descriptor or thread: runtime/loop drives it with
 * libuv, tests/sim with a virtual clock.  One thread. */
#ifndef RUNTIME_EXEC_EXEC_H
#define RUNTIME_EXEC_EXEC_H

#include "runtime/signer/port.h"
#include "runtime/store/store.h"
#include "step/effect.h"
#include "step/event.h"

struct exec;

/* What is executed: the node, or a stand-in of a test. */
struct core_port {
	void *context;
	void (*step)(void *context, const struct event *event, struct effects *out);
	/* No event is pending: the core may start what it had put off to share. */
	void (*flush)(void *context, uint64_t now_ms, struct effects *out);
	uint64_t (*deadline)(void *context); /* UINT64_MAX: none */
	/* Nothing is to do: the core may compute a piece of what it will need.  False: there is nothing left.  May be
	 * NULL. */
	bool (*ahead)(void *context);
};

/* The wallet.  Requests are answered with exec_funded, at once or later; they live until `request` returns.
 * It may add to the batch in which it is called (exec_persist, exec_watch). */
struct funds_port {
	void *context;
	void (*request)(void *context, uint64_t id, const struct funds_request *request, struct exec *exec);
	/* EVENT_BLOCK and EVENT_BLOCK_UNDONE, before the core sees them. */
	void (*block)(void *context, const struct event *event, struct exec *exec);
};

/* Runs the core's jobs in the order in which they come, and says EVENT_COMPUTED after each, at once or later. */
struct compute_port {
	void *context;
	void (*start)(void *context, uint64_t id, struct route_job *job);
};

/* Commits the ops (alive until then) and calls exec_committed, at once or later on the executor's thread. */
struct commit_port {
	void *context;
	void (*commit)(void *context, const struct store_op *ops, uint32_t count, struct exec *exec);
};

/* Takes the effects that go out: all kinds but PERSIST, SIGN, FUNDS and COMPUTE. */
struct release_port {
	void *context;
	void (*release)(void *context, const struct effect *effect);
	void (*end)(void *context); /* of a batch: time to write what was queued */
};

struct exec_ports {
	struct core_port core;
	struct signer_port signer;
	struct funds_port funds;
	struct compute_port compute;
	struct commit_port commit;
	struct release_port release;
};

/* Reading: `evaluate` runs on a quiet core, `release` after the commit of everything that it could see. */
struct exec_query {
	void *context;
	void (*evaluate)(void *context);
	void (*release)(void *context);
};

struct exec *exec_new(const struct exec_ports *ports); /* returns owned */
/* Drops what was not released, as a crash would. */
void exec_free(struct exec *e);

/* The effects of node_start go here, before the first event. */
struct effects *exec_effects(struct exec *e);

/* Steps the event now; its effects join the batch that fills.  Nothing is kept of it. */
void exec_event(struct exec *e, const struct event *event);
void exec_query(struct exec *e, const struct exec_query *query);
/* Closes the batch and begins its commit, unless one is under way.  Call when no event is pending, and after
 * exec_committed. */
void exec_run(struct exec *e, uint64_t now_ms);
/* The batch under way is durable: releases it. */
void exec_committed(struct exec *e);

/* For the funds port. */
void exec_funded(struct exec *e, uint64_t id, const struct funds_answer *answer);
void exec_persist(struct exec *e, enum record_kind kind, struct bytes key, struct bytes value);
void exec_remove(struct exec *e, enum record_kind kind, struct bytes key);
void exec_watch(struct exec *e, const struct watch *watch);

/* When no event is pending: lets the core, or the signer, work ahead for a moment, unless something waits to be run or committed.
 * True: there is more. */
MUST_USE bool exec_ahead(struct exec *e);
uint64_t exec_deadline(const struct exec *e);
/* Bytes of effects that wait for a commit: whoever feeds events slows down when they are many. */
size_t exec_backlog(const struct exec *e);
/* Nothing waits to be run, committed or released. */
MUST_USE bool exec_quiet(const struct exec *e);
/* Number of the batch that fills now; counts from 1.  What is stepped now is released with it. */
uint64_t exec_batch(const struct exec *e);

/* A crash, for the simulator: may be called inside any port; from then on nothing is committed or released. */
void exec_halt(struct exec *e);

#endif
