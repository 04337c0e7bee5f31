/* The thread that finds ways: runs the core's jobs (route/job.h) one after
 * another, in the order in which they were put, and says on the loop's thread
 * when each is done.  A payment waits for it, so it has the priority of the loop,
 * and each job costs one wake-up there and one back. */
#ifndef RUNTIME_ROUTE_WORKER_H
#define RUNTIME_ROUTE_WORKER_H

#include "route/job.h"
#include "runtime/loop/loop.h"

struct route_worker;

struct route_worker_owner {
	void *context;
	void (*done)(void *context, uint64_t id); /* on the loop's thread, in order */
};

/* Returns owned. */
MUST_USE struct route_worker *route_worker_new(struct loop *loop, const struct route_worker_owner *owner);
/* Waits for the job that runs; of the others nothing is said any more.  Jobs are their owner's. */
void route_worker_free(struct route_worker *w);
void route_worker_put(struct route_worker *w, uint64_t id, struct route_job *job);

#endif
