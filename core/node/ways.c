/* The questions of payments on their way to a worker and back, and what the worker must know for them. */
#include "node/ways.h"

#include "node/state.h"
#include "route/gather.h"

/* A job that runs, with whom its answer is for. */
struct ways_job {
	struct route_job *job;
	uint8_t key[8];
	uint64_t id; /* the asker's */
	void (*answer)(struct node *n, struct step *s, uint64_t id, const struct route_plan *plan);
	struct route_layer *exclusions; /* owned */
	struct held_rules **held;       /* by name, as they were asked for; in the job's memory */
	uint32_t held_count;
	uint64_t version;               /* PLAN: of gossip's graph, as the snapshot has it that it runs on; once it waits: as it must be */
	bool again;                     /* it has waited for a newer snapshot */
	struct ways_job *next;          /* of those that wait */
};

struct ways {
	struct route_desk *desk;
	struct liquidity *facts;
	struct route_layer *in_flight; /* reservations alone */
	struct table jobs;       /* by the id of their effect */
	uint64_t next_job, next_plan;
	uint32_t questions;      /* jobs that plan */
	/* What the desk has heard. */
	uint64_t told;           /* of the facts: liquidity_changed when they were last told */
	uint64_t settled;        /* the last binding plan that was answered */
	struct route_reservation *changes; /* of reservations, not told yet */
	uint32_t change_count;
	bool too_many;           /* of them: all reservations are to be told */
	/* The snapshot: its builder while channels are handed to it, and the job while it is finished. */
	struct route_builder *builder;
	bool finishing;
	uint32_t gathered;       /* where the next slice begins */
	uint64_t version;        /* of gossip's graph, when the latest snapshot was begun */
	uint64_t seated;         /* the same of the latest that a worker has been given */
	struct ways_job *waiting, **last_waiting; /* for a snapshot of their version; first come first */
	uint64_t begun_ms, due_ms; /* due: when the next slice is wanted, or the next snapshot; UINT64_MAX: nothing is */
	struct ways_figures figures;
};

static struct bytes job_key(const void *p)
{
	return BYTES_OF(((const struct ways_job *)p)->key);
}

void node_ways_init(struct node *n)
{
	struct ways *w = NEW(struct ways);
	uint8_t seed[16];

	drbg_fill(&n->entropy, seed, sizeof(seed));
	w->desk = route_desk_new(seed);
	w->facts = liquidity_new(seed, LIQUIDITY_CHANNELS_MAX, LIQUIDITY_HALF_LIFE_S);
	w->in_flight = route_layer_new(seed, "in flight");
	w->changes = NEW_ARRAY(struct route_reservation, WAYS_CHANGES_MAX);
	table_init(&w->jobs, job_key, seed);
	w->last_waiting = &w->waiting;
	node_layers_init(n, seed);
	w->due_ms = UINT64_MAX;
	n->ways = w;
}

static void job_free(struct ways_job *j)
{
	for (uint32_t i = 0; i < j->held_count; i++)
		held_rules_let_go(j->held[i]);
	route_job_free(j->job);
	route_layer_free(j->exclusions);
	mem_free(j);
}

/* Nobody runs a job any more. */
void node_ways_free(struct node *n)
{
	struct ways *w = n->ways;
	struct ways_job *j;

	for (uint32_t at = 0; (j = table_next(&w->jobs, &at));)
		job_free(j);
	while ((j = w->waiting)) {
		w->waiting = j->next;
		job_free(j);
	}
	table_release(&w->jobs);
	node_layers_free(n);
	route_builder_free(w->builder);
	route_desk_free(w->desk);
	liquidity_free(w->facts);
	route_layer_free(w->in_flight);
	mem_free(w->changes);
	mem_free(w);
}

bool node_ways_load(struct node *n, struct bytes key, struct bytes value)
{
	return liquidity_load(n->ways->facts, key, value);
}

/* --- jobs --- */

/* From the latest change backwards, and so into the array from its end. */
static void tell_facts(struct ways *w, struct route_job *j)
{
	const struct liquidity_entry *e = NULL;
	uint32_t count = 0;

	while ((e = liquidity_next(w->facts, e)) && e->changed > w->told)
		count++;
	j->learned = ARENA_ARRAY(&j->memory, struct liquidity_entry, count);
	j->learned_count = count;
	for (e = NULL; count;) {
		e = liquidity_next(w->facts, e);
		j->learned[--count] = *e;
	}
	w->told = liquidity_changed(w->facts);
}

static void tell_reservations(struct ways *w, struct route_job *j)
{
	const struct route_rule *r;
	uint32_t count = 0;

	if (!w->too_many) {
		j->reserved = arena_copy(&j->memory, w->changes, w->change_count * sizeof(*w->changes));
		j->reserved_count = w->change_count;
	} else {
		j->reserved_anew = true;
		j->reserved = ARENA_ARRAY(&j->memory, struct route_reservation, route_layer_count(w->in_flight));
		for (uint64_t at = 0; (r = route_layer_next(w->in_flight, &at));)
			j->reserved[count++] = (struct route_reservation){ r->scid, r->direction, false, r->u.reserve };
		j->reserved_count = count;
	}
	w->too_many = false;
	w->change_count = 0;
}

static void start_job(struct ways *w, struct step *s, struct ways_job *j)
{
	struct route_job *job = j->job;

	tell_facts(w, job);
	tell_reservations(w, job);
	job->settled = w->settled;
	j->version = w->seated;
	store_be64(j->key, ++w->next_job);
	table_add(&w->jobs, j);
	effect_compute(s->out, w->next_job, job);
}

static struct ways_job *job_new(struct ways *w, enum route_job_kind kind)
{
	struct ways_job *j = NEW(struct ways_job);

	j->job = route_job_new(w->desk, kind);
	return j;
}

static void own_channels(struct node *n, struct step *s, struct route_job *j)
{
	struct route_own *own = ARENA_ARRAY(&j->memory, struct route_own, table_count(&n->channels));
	struct node_channel *c;
	uint32_t at = 0, count = 0;

	while ((c = table_next(&n->channels, &at)) && count < ROUTE_EDGES_MAX) {
		const struct channel_record *r = channel_record_of(c->channel);

		if (c->dead || !channel_is_usable(c->channel))
			continue;
		if (!c->has_spendable) {
			c->spendable = channel_spendable(c->channel, s);
			c->has_spendable = true;
		}
		own[count++] = (struct route_own){ node_channel_scid(c), r->peer, c->spendable, r->side[SIDE_REMOTE].htlc_minimum,
						   c->spendable, channel_htlcs_left(c->channel) };
	}
	j->request.has_own = true;
	j->request.own = own;
	j->request.own_count = count;
}

/* Those whose snapshot a worker has, or has been given to finish before them. */
static void plan_again(struct node *n, struct step *s)
{
	struct ways *w = n->ways;
	struct ways_job *j;

	while ((j = w->waiting) && j->version <= w->seated) {
		w->waiting = j->next;
		if (!w->waiting)
			w->last_waiting = &w->waiting;
		j->next = NULL;
		j->job->number = ++w->next_plan;
		if (j->job->request.has_own)
			own_channels(n, s, j->job);
		start_job(w, s, j);
	}
}

/* Whether the graph may know a way that the plan's snapshot did not. */
static bool is_behind(const struct node *n, const struct ways_job *j)
{
	if (!n->gossip || j->again || j->version == graph_version(gossip_graph(n->gossip)))
		return false;
	switch (j->job->plan.verdict) {
	case ROUTE_FOUND:
	case ROUTE_BAD_REQUEST:
		return false;
	case ROUTE_UNKNOWN_SOURCE:
		/* Our own channels are looked up anyway. */
		return !j->job->request.has_own;
	case ROUTE_UNKNOWN_TARGET:
	case ROUTE_NO_WAY:
	case ROUTE_TOO_EXPENSIVE:
	case ROUTE_TOO_LONG:
	case ROUTE_TOO_MANY_PARTS:
		return true;
	}
	UNREACHABLE();
}

/* It is planned once more on a snapshot of the graph as it is now, which is built for it. */
static void wait_for_snapshot(struct node *n, struct step *s, struct ways_job *j)
{
	struct ways *w = n->ways;

	j->again = true;
	j->version = graph_version(gossip_graph(n->gossip));
	*w->last_waiting = j;
	w->last_waiting = &j->next;
	plan_again(n, s);
}

void node_ways_computed(struct node *n, struct step *s, uint64_t id)
{
	struct ways *w = n->ways;
	struct ways_job *j;
	uint8_t key[8];

	store_be64(key, id);
	j = table_remove(&w->jobs, BYTES_OF(key));
	ASSERT(j);
	w->figures.channels = j->job->channels;
	w->figures.nodes = j->job->nodes;
	w->figures.size = j->job->size;
	if (j->job->kind == ROUTE_JOB_BUILD) {
		w->finishing = false;
		w->figures.builds++;
		job_free(j);
		return;
	}
	w->figures.plans++;
	if (is_behind(n, j)) {
		/* It was given nothing that it could hold. */
		w->settled = j->job->number;
		wait_for_snapshot(n, s, j);
		return;
	}
	w->questions--;
	j->answer(n, s, j->id, &j->job->plan);
	w->settled = j->job->number;
	job_free(j);
}

/* --- the snapshot --- */

static void begin_snapshot(struct node *n, const struct step *s)
{
	struct ways *w = n->ways;
	uint8_t seed[16];

	drbg_fill(s->entropy, seed, sizeof(seed));
	w->builder = route_builder_new(seed);
	w->gathered = 0;
	w->version = graph_version(gossip_graph(n->gossip));
	w->begun_ms = w->due_ms = s->now_ms;
}

static void gather(struct node *n, struct step *s, uint32_t count)
{
	const struct graph *g = gossip_graph(n->gossip);
	struct ways *w = n->ways;
	struct ways_job *j;

	w->gathered = route_gather(w->builder, g, w->gathered, count);
	if (w->gathered < graph_channel_limit(g))
		return;
	j = job_new(w, ROUTE_JOB_BUILD);
	j->job->builder = w->builder;
	w->builder = NULL;
	w->finishing = true;
	w->due_ms = UINT64_MAX;
	start_job(w, s, j);
	w->seated = w->version;
	plan_again(n, s);
}

/* What the log of gossip had is there before the first payment. */
void node_ways_start(struct node *n, struct step *s)
{
	if (!n->gossip || !graph_channel_count(gossip_graph(n->gossip)))
		return;
	begin_snapshot(n, s);
	gather(n, s, UINT32_MAX);
}

static void plan_snapshot(struct node *n)
{
	struct ways *w = n->ways;
	uint64_t rest = WAYS_REST_MS;

	if (w->builder || w->finishing || w->due_ms != UINT64_MAX || graph_version(gossip_graph(n->gossip)) == w->version)
		return;
	rest += graph_channel_count(gossip_graph(n->gossip)) / 5;
	w->due_ms = w->figures.builds ? w->begun_ms + rest : 0;
}

/* Who waits for it waits no longer than it takes: what that costs is less than the search that found nothing. */
static void hurry_snapshot(struct node *n)
{
	struct ways *w = n->ways;

	if (w->waiting && !w->builder && !w->finishing)
		w->due_ms = 0;
}

void node_ways_tick(struct node *n, struct step *s)
{
	struct ways *w = n->ways;

	if (s->now_ms < w->due_ms)
		return;
	if (!w->builder)
		begin_snapshot(n, s);
	gather(n, s, WAYS_SLICE);
}

uint64_t node_ways_deadline(const struct node *n)
{
	return n->ways->due_ms;
}

void node_ways_flush(struct node *n, struct step *s)
{
	liquidity_flush(n->ways->facts, s);
	if (!n->gossip)
		return;
	plan_snapshot(n);
	hurry_snapshot(n);
}

/* --- questions --- */

uint32_t node_ways_room(const struct node *n)
{
	return WAYS_QUESTIONS_MAX - n->ways->questions;
}

/* A hint is a chain of channels that ends at the payee.  What begins at ourselves is a channel of ours, and known. */
static void hops_of_hints(const struct node *n, const struct ways_question *q, struct route_job *j)
{
	uint32_t most = 0, count = 0;
	struct route_hint *out;

	for (uint32_t i = 0; i < q->hint_count; i++)
		most += q->hints[i].count;
	out = ARENA_ARRAY(&j->memory, struct route_hint, most);
	for (uint32_t i = 0; i < q->hint_count; i++)
		for (uint32_t k = 0; k < q->hints[i].count && count < ROUTE_EDGES_MAX; k++) {
			const struct path_hint_hop *h = &q->hints[i].hops[k];

			if (SAME(h->node_id, n->config->node_id))
				continue;
			out[count++] = (struct route_hint){
				.from = h->node_id, .to = k + 1 < q->hints[i].count ? h[1].node_id : q->payee, .scid = h->scid,
				.fee_base_msat = h->fee_base_msat, .fee_ppm = h->fee_ppm, .cltv_delta = h->cltv_delta,
			};
		}
	j->request.hints = out;
	j->request.hint_count = count;
}

static void layers_of(struct node *n, struct ways_job *j, const struct ways_question *q)
{
	const struct route_layer **layers = ARENA_ARRAY(&j->job->memory, const struct route_layer *, ROUTE_JOB_LAYERS_MAX);
	uint32_t count = 0;

	ASSERT(q->layer_count < ROUTE_JOB_LAYERS_MAX);
	j->held = ARENA_ARRAY(&j->job->memory, struct held_rules *, q->layer_count);
	for (uint32_t i = 0; i < q->layer_count; i++) {
		struct held_rules *held = node_layers_hold(n, q->layers[i]);

		if (!held)
			continue;
		j->held[j->held_count++] = held;
		layers[count++] = held->rules;
	}
	j->exclusions = q->exclusions;
	if (q->exclusions)
		layers[count++] = q->exclusions;
	j->job->request.layers = layers;
	j->job->request.layer_count = count;
}

struct route_layer *node_ways_limits(const uint8_t seed16[16], const struct send_question *q)
{
	struct route_layer *l = route_layer_new(seed16, "payment");

	for (uint32_t i = 0; i < q->limit_count; i++) {
		const struct send_limit *limit = &q->limits[i];

		/* A payment has far fewer limits than a layer may have rules. */
		if (limit->is_node)
			ASSERT(route_layer_exclude_node(l, &limit->node));
		else if (limit->most.v == 0)
			ASSERT(route_layer_exclude(l, limit->scid, limit->direction));
		else
			ASSERT(route_layer_constrain(l, limit->scid, limit->direction, NULL, &limit->most));
	}
	return l;
}

void node_ways_ask(struct node *n, struct step *s, const struct ways_question *q)
{
	struct ways *w = n->ways;
	struct ways_job *j = job_new(w, ROUTE_JOB_PLAN);
	uint8_t seed[8];

	ASSERT(w->questions < WAYS_QUESTIONS_MAX && q->answer);
	w->questions++;
	drbg_fill(s->entropy, seed, sizeof(seed));
	j->id = q->id;
	j->answer = q->answer;
	j->job->number = ++w->next_plan;
	j->job->binding = q->binding;
	j->job->without_facts = q->without_facts;
	j->job->include_fees = q->include_fees;
	j->job->request = (struct route_request){
		.source = q->from_graph ? q->source : n->config->node_id, .target = q->payee, .amount = q->amount, .fee_limit = q->fee_limit,
		.final_cltv = q->final_cltv, .cltv_max = q->cltv_max, .parts_max = q->parts_max, .hops_max = q->hops_max,
		.part_min = q->part_min,
		.taste = q->taste, .now_s = s->now_ms / 1000, .seed = load_be64(seed),
	};
	if (!q->from_graph)
		own_channels(n, s, j->job);
	hops_of_hints(n, q, j->job);
	layers_of(n, j, q);
	start_job(w, s, j);
}

struct node_channel *node_ways_channel(const struct node *n, const struct route_leg *first)
{
	const struct node_peer *p = node_peer_get(n, &first->node);
	struct node_channel *c = p ? p->channels : NULL;

	while (c && node_channel_scid(c).v != first->scid.v)
		c = c->next;
	return c && !c->dead ? c : NULL;
}

/* --- facts --- */

static void tell_reservation(struct ways *w, struct route_reservation r)
{
	w->too_many |= w->change_count == WAYS_CHANGES_MAX;
	if (!w->too_many)
		w->changes[w->change_count++] = r;
}

/* The layer is full only where ten thousand channels carry HTLCs of ours: what is beyond is not counted, here or
 * at the desk. */
void node_ways_reserve(struct node *n, struct scid scid, int direction, struct amount_msat amount)
{
	if (route_layer_reserve(n->ways->in_flight, scid, direction, amount))
		tell_reservation(n->ways, (struct route_reservation){ scid, (uint8_t)direction, false, amount });
}

void node_ways_release(struct node *n, struct scid scid, int direction, struct amount_msat amount)
{
	if (route_layer_release(n->ways->in_flight, scid, direction, amount))
		tell_reservation(n->ways, (struct route_reservation){ scid, (uint8_t)direction, true, amount });
}

struct amount_msat node_ways_reserved(const struct node *n, struct scid scid, int direction)
{
	const struct route_rule *r = route_layer_find(n->ways->in_flight, ROUTE_RULE_RESERVE, scid, direction, NULL);

	return r ? r->u.reserve : MSAT(0);
}

void node_ways_could(struct node *n, const struct step *s, struct scid scid, int direction, struct amount_msat amount)
{
	liquidity_could(n->ways->facts, scid, direction, amount, s->now_ms / 1000);
}

void node_ways_could_not(struct node *n, const struct step *s, struct scid scid, int direction, struct amount_msat amount)
{
	/* What else of ours is there may be what it lacked. */
	if (!msat_add(&amount, amount, node_ways_reserved(n, scid, direction)))
		return;
	liquidity_could_not(n->ways->facts, scid, direction, amount, s->now_ms / 1000);
}

void node_ways_moved(struct node *n, const struct step *s, struct scid scid, int direction, struct amount_msat amount)
{
	liquidity_could(n->ways->facts, scid, direction, amount, s->now_ms / 1000);
	liquidity_moved(n->ways->facts, scid, direction, amount, s->now_ms / 1000);
}

/* --- for getinfo and tests --- */

struct ways_figures node_ways_figures(const struct node *n)
{
	struct ways_figures f = n->ways->figures;

	f.facts = liquidity_count(n->ways->facts);
	f.questions = n->ways->questions;
	return f;
}

void node_ways_check(const struct node *n)
{
	const struct ways *w = n->ways;
	const struct ways_job *j;
	uint32_t plans = 0, builds = 0;

	liquidity_check(w->facts);
	for (uint32_t at = 0; (j = table_next(&w->jobs, &at));) {
		plans += j->job->kind == ROUTE_JOB_PLAN;
		builds += j->job->kind == ROUTE_JOB_BUILD;
	}
	for (j = w->waiting; j; j = j->next)
		plans++;
	ASSERT(plans == w->questions && plans <= WAYS_QUESTIONS_MAX);
	ASSERT(builds == w->finishing && !(w->finishing && w->builder));
	node_layers_check(n);
	ASSERT(w->told <= liquidity_changed(w->facts) && w->settled <= w->next_plan);
}
