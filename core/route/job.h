/* Work for a worker: a snapshot to be finished, a way to be found.
 *
 * A desk is where the work is done: the snapshot of the graph, a planner for
 * it, a copy of the facts about liquidity, and what is reserved.  It is touched by the jobs
 * alone, which run one after the other in the order in which they were made, on
 * whatever thread.  So nothing is shared: whoever makes a job puts into it what
 * has changed since the last one, and the desk catches up before it does the job.
 *
 * A job is self-contained; between route_job_run and its return nobody else looks at
 * it.  Running it needs no clock and no entropy: the same jobs give the same
 * plans.
 *
 * Plans that will be paid for compete: until its owner has said what became of
 * one (job.settled), the desk holds its parts as reserved, so that two questions which
 * are asked at once do not count on the same liquidity. */
#ifndef ROUTE_JOB_H
#define ROUTE_JOB_H

#include "route/planner.h"

struct route_desk;

/* An empty graph, no facts.  Returns owned. */
MUST_USE struct route_desk *route_desk_new(const uint8_t seed16[16]);
/* Every job has run, or never will. */
void route_desk_free(struct route_desk *d);

enum route_job_kind {
	ROUTE_JOB_BUILD, /* the builder's channels become the desk's snapshot */
	ROUTE_JOB_PLAN,
};

/* So much more, or with `back` less, is in flight there. */
struct route_reservation {
	struct scid scid;
	uint8_t direction;
	bool back;
	struct amount_msat amount;
};

struct route_job {
	enum route_job_kind kind;
	struct route_desk *desk;
	struct arena memory; /* of all that the job points at, and of the plan */
	/* What has changed since the last job. */
	struct liquidity_entry *learned; /* oldest change first */
	uint32_t learned_count;
	struct route_reservation *reserved; /* in order */
	uint32_t reserved_count;
	bool reserved_anew;  /* and nothing else is reserved */
	uint64_t settled;    /* of plans up to this number the desk holds nothing any more */
	/* BUILD. */
	struct route_builder *builder; /* owned until the job has run */
	/* PLAN.  Of the request's layers there are at most ROUTE_JOB_LAYERS_MAX, and its liquidity is the desk's or none. */
	uint64_t number;     /* grows from plan to plan */
	bool binding;        /* its parts will be sent: they are held */
	bool without_facts;
	bool include_fees;   /* the request's amount is what is sent: fees come off what arrives.  Not for binding plans */
	struct route_request request;
	/* The answer. */
	uint32_t channels, nodes; /* of the snapshot */
	size_t size;              /* bytes of snapshot, planner and facts */
	struct route_plan plan;
};

/* The others are the desk's own. */
#define ROUTE_JOB_LAYERS_MAX (ROUTE_LAYERS_MAX - 2)

/* Returns owned. */
MUST_USE struct route_job *route_job_new(struct route_desk *d, enum route_job_kind kind);
void route_job_free(struct route_job *j);
void route_job_run(struct route_job *j);

#endif
