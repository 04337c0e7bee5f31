#include "route/job.h"

/* What a plan that is not settled yet takes. */
struct promise {
	uint64_t number;
	struct scid scid;
	uint8_t direction;
	struct amount_msat amount;
};

struct route_desk {
	struct route_graph *graph;
	struct route_planner *planner;
	struct liquidity *facts;
	struct route_layer *reserved, *promised;
	struct promise *promises; /* in order of their numbers */
	uint32_t promise_count, promise_capacity;
	uint8_t seed[16];
};

static void seat(struct route_desk *d, struct route_graph *g)
{
	route_planner_free(d->planner);
	route_graph_free(d->graph);
	d->graph = g;
	d->planner = route_planner_new(g);
}

struct route_desk *route_desk_new(const uint8_t seed16[16])
{
	struct route_desk *d = NEW(struct route_desk);

	memcpy(d->seed, seed16, sizeof(d->seed));
	seat(d, route_builder_finish(route_builder_new(seed16)));
	d->facts = liquidity_new(seed16, LIQUIDITY_CHANNELS_MAX, LIQUIDITY_HALF_LIFE_S);
	d->reserved = route_layer_new(seed16, "in flight");
	d->promised = route_layer_new(seed16, "promised");
	return d;
}

void route_desk_free(struct route_desk *d)
{
	if (!d)
		return;
	route_planner_free(d->planner);
	route_graph_free(d->graph);
	liquidity_free(d->facts);
	route_layer_free(d->reserved);
	route_layer_free(d->promised);
	mem_free(d->promises);
	mem_free(d);
}

struct route_job *route_job_new(struct route_desk *d, enum route_job_kind kind)
{
	struct route_job *j = NEW(struct route_job);

	j->kind = kind;
	j->desk = d;
	arena_init(&j->memory);
	return j;
}

void route_job_free(struct route_job *j)
{
	if (!j)
		return;
	route_builder_free(j->builder);
	arena_release(&j->memory);
	mem_free(j);
}

/* --- before the work --- */

/* Plans are settled in the order in which they were asked for: promises go from the front. */
static void settle(struct route_desk *d, uint64_t settled)
{
	uint32_t gone = 0;

	for (; gone < d->promise_count && d->promises[gone].number <= settled; gone++) {
		const struct promise *p = &d->promises[gone];

		ASSERT(route_layer_release(d->promised, p->scid, p->direction, p->amount));
	}
	if (!gone)
		return;
	d->promise_count -= gone;
	if (gone)
		memmove(d->promises, d->promises + gone, d->promise_count * sizeof(*d->promises));
}

static void catch_up(struct route_desk *d, const struct route_job *j)
{
	for (uint32_t i = 0; i < j->learned_count; i++)
		liquidity_put(d->facts, &j->learned[i]);
	if (j->reserved_anew) {
		route_layer_free(d->reserved);
		d->reserved = route_layer_new(d->seed, "in flight");
	}
	for (uint32_t i = 0; i < j->reserved_count; i++) {
		const struct route_reservation *r = &j->reserved[i];

		/* A full layer takes no more, and then it lacks what comes back: reservations are advice. */
		if (r->back)
			(void)!route_layer_release(d->reserved, r->scid, r->direction, r->amount);
		else
			(void)!route_layer_reserve(d->reserved, r->scid, r->direction, r->amount);
	}
	settle(d, j->settled);
}

/* --- planning --- */

static void promise(struct route_desk *d, uint64_t number, const struct route_leg *h)
{
	if (!route_layer_reserve(d->promised, h->scid, h->direction, h->amount))
		return;
	if (d->promise_count == d->promise_capacity) {
		d->promise_capacity = d->promise_capacity ? 2 * d->promise_capacity : 64;
		d->promises = mem_realloc(d->promises, d->promise_capacity, sizeof(*d->promises));
	}
	d->promises[d->promise_count++] = (struct promise){ number, h->scid, h->direction, h->amount };
}

#define INCLUDE_ROUNDS_MAX 8u

/* What arrives is sought from below: so much less than is sent as fees may take at most, then so much less as they did take.
 * Fees are rounded, so what is sent may be a few millisatoshi less than was asked for, and never more. */
static void plan_fees_inside(struct route_desk *d, struct route_job *j, struct route_request *q)
{
	const struct amount_msat sent = q->amount, half = msat_half(sent);
	struct amount_msat all, next;
	struct route_plan p = { 0 };

	q->amount = msat_sub_or_zero(sent, msat_min(q->fee_limit, half));
	route_plan(d->planner, &p, &j->memory, q);
	j->plan = p;
	for (uint32_t round = 0; j->plan.verdict == ROUTE_FOUND && round < INCLUDE_ROUNDS_MAX; round++) {
		next = msat_sub_or_zero(sent, p.fee);
		if (next.v == q->amount.v || next.v == 0)
			break;
		q->amount = next;
		route_plan(d->planner, &p, &j->memory, q);
		if (p.verdict != ROUTE_FOUND)
			break;
		if (msat_add(&all, next, p.fee) && !MSAT_LESS(sent, all))
			j->plan = p;
	}
}

static void plan(struct route_desk *d, struct route_job *j)
{
	const struct route_layer *layers[ROUTE_LAYERS_MAX];
	struct route_request q = j->request;

	ASSERT(q.layer_count <= ROUTE_JOB_LAYERS_MAX);
	for (uint32_t i = 0; i < q.layer_count; i++)
		layers[i] = q.layers[i];
	layers[q.layer_count++] = d->reserved;
	layers[q.layer_count++] = d->promised;
	q.layers = layers;
	q.liquidity = j->without_facts ? NULL : d->facts;
	if (j->include_fees)
		plan_fees_inside(d, j, &q);
	else
		route_plan(d->planner, &j->plan, &j->memory, &q);
	if (!j->binding)
		return;
	for (uint32_t i = 0; i < j->plan.part_count; i++)
		for (uint32_t k = 0; k < j->plan.parts[i].hop_count; k++)
			promise(d, j->number, &j->plan.parts[i].hops[k]);
}

void route_job_run(struct route_job *j)
{
	struct route_desk *d = j->desk;

	catch_up(d, j);
	switch (j->kind) {
	case ROUTE_JOB_BUILD:
		seat(d, route_builder_finish(j->builder));
		j->builder = NULL;
		break;
	case ROUTE_JOB_PLAN:
		plan(d, j);
		break;
	}
	j->channels = d->graph->edge_count;
	j->nodes = d->graph->node_count;
	j->size = route_graph_size(d->graph) + route_planner_size(d->planner) +
		  liquidity_count(d->facts) * sizeof(struct liquidity_entry);
}
