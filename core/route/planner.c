/* The schedule of one request: which prices and which grain are tried, and which of the answers is given.
 *
 *   attempt(prices, chunks)   flow in chunks -> paths -> exact parts; what did not hold exactly goes round again
 *   under one set of prices   one chunk; several, if one is too risky or cannot carry it; the better of both
 *   prices                    the request's taste, then, as limits were hit, less for risk and more for fee or time */
#include "route/planner.h"

#include <stdlib.h>

#include "route/search.h"

/* What may be spent on finding out which limit stands in the way, beside what was spent on the plan. */
#define WORK_FOR_WORDS (ROUTE_WORK_MAX / 4)
#define ROUNDS_MAX 4u
#define SETTINGS_MAX 4u
/* Nats of risk under which one path is good enough, and what a hop that is not ours counts beside its liquidity. */
#define CALM_Q16 (MODEL_NAT_Q16 / 4)
#define HOP_Q16 (MODEL_NAT_Q16 / 100)
/* Into how many chunks a payment goes that one path should not carry. */
#define CHUNKS_SPLIT 8u

struct answer {
	bool found;
	bool too_many;            /* it was the parts that did not suffice */
	struct route_part *parts;
	uint32_t count;
	uint64_t fee, nats, score;
};

struct route_planner *route_planner_new(const struct route_graph *g)
{
	struct route_planner *p = NEW(struct route_planner);

	p->g = g;
	p->known = NEW_ARRAY(uint32_t, g->edge_count + 1);
	return p;
}

void route_planner_free(struct route_planner *p)
{
	if (!p)
		return;
	mem_free(p->mark);
	mem_free(p->states);
	mem_free(p->labels);
	mem_free(p->potential);
	mem_free(p->extra_in);
	mem_free(p->out);
	mem_free(p->node_bias);
	mem_free(p->node_bias_in);
	mem_free(p->node_excluded);
	mem_free(p->known);
	mem_free(p->heap);
	mem_free(p->finished);
	mem_free(p);
}

size_t route_planner_size(const struct route_planner *p)
{
	size_t node = sizeof(*p->labels) + sizeof(*p->potential) + sizeof(*p->extra_in) + sizeof(*p->out) +
		      sizeof(*p->node_bias) + sizeof(*p->node_bias_in) + sizeof(*p->node_excluded) + sizeof(*p->finished);

	return sizeof(*p) + p->node_capacity * node + p->mark_capacity * sizeof(*p->mark) +
	       p->state_capacity * sizeof(*p->states) + p->heap_capacity * sizeof(*p->heap) +
	       (p->g->edge_count + 1) * sizeof(*p->known);
}

/* --- prices --- */

static uint64_t clamped(unsigned __int128 v, uint64_t most)
{
	return v > most ? most : (uint64_t)v;
}

/* Setting 0 is the request's taste; each further one listens less to it and more to the limit that was hit. */
static struct prices prices_for(const struct route_planner *p, uint32_t setting, bool cheaper, bool shorter)
{
	const struct route_request *q = p->q;
	const struct route_taste *t = &q->taste;
	uint32_t ppm = t->failure_ppm ? t->failure_ppm : ROUTE_FAILURE_PPM_DEFAULT;
	uint32_t base = t->failure_base_msat ? t->failure_base_msat : ROUTE_FAILURE_BASE_DEFAULT;
	uint32_t ppb = t->delay_ppb ? t->delay_ppb : ROUTE_DELAY_PPB_DEFAULT;
	struct prices w = { .fee = COST_ONE };

	w.nat = clamped((unsigned __int128)q->amount.v * ppm / 1000000 + base, COST_NAT_MAX);
	w.block = clamped((unsigned __int128)q->amount.v * ppb * COST_ONE / 1000000000, COST_NAT_MAX);
	if (cheaper) {
		bool last = setting + 1 == SETTINGS_MAX;

		w.nat = last ? 0 : w.nat >> (4 * setting);
		w.block = last ? 0 : w.block >> (4 * setting);
	}
	w.hop = w.nat * HOP_Q16 >> 8;
	if (shorter) {
		w.block = clamped((unsigned __int128)(w.block + COST_ONE) << (6 * setting), COST_NAT_MAX);
		w.hop = clamped((unsigned __int128)(w.hop + COST_ONE) << (4 * setting), COST_NAT_MAX);
	}
	return w;
}

/* --- one attempt --- */

static void attempt_begin(struct route_planner *p)
{
	for (uint32_t i = 0; i < p->state_count; i++) {
		p->states[i].held = 0;
		p->states[i].held_htlcs = 0;
	}
	p->fee_left = p->fee_limit;
	search_reset(p);
}

/* Pushes an amount in so many chunks, in finer ones where those find no way; false if there is no flow of it. */
static bool push_all(struct route_planner *p, uint64_t amount, uint32_t chunks, uint32_t chunks_max)
{
	uint32_t pushed = 0;

	while (amount) {
		uint64_t chunk = amount / chunks + (amount % chunks != 0);

		if (p->work > p->work_max)
			return false;
		if (search_push(p, chunk)) {
			amount -= chunk;
			pushed++;
			chunks -= chunks > 1;
			continue;
		}
		if (pushed + 2 * chunks > chunks_max || amount / (2 * chunks) < 1 ||
		    (p->q->part_min.v && amount / (2 * chunks) < p->q->part_min.v))
			return false;
		chunks *= 2;
	}
	return true;
}

/* Turns the flow into parts; what of the amount they deliver. */
static uint64_t settle_all(struct route_planner *p, struct arena *a, struct answer *out, uint64_t amount)
{
	uint64_t delivered = 0;
	uint64_t least = p->q->amount.v < p->q->part_min.v ? p->q->amount.v : p->q->part_min.v;
	struct path path;

	while (out->count < p->q->parts_max && split_next(p, &path)) {
		if (split_settle(p, a, &out->parts[out->count], &path, least)) {
			delivered += out->parts[out->count].deliver.v;
			split_take(p, &path, out->parts[out->count].deliver.v);
			out->count++;
		} else {
			split_take(p, &path, path.deliver);
		}
	}
	out->too_many = delivered < amount && out->count == p->q->parts_max;
	return delivered;
}

static int compare_parts(const void *a, const void *b)
{
	const struct route_part *x = a, *y = b;
	int c = msat_cmp(y->deliver, x->deliver);

	if (!c)
		c = msat_cmp(x->send, y->send);
	for (uint32_t i = 0; !c && i < x->hop_count && i < y->hop_count; i++)
		c = x->hops[i].scid.v < y->hops[i].scid.v ? -1 : x->hops[i].scid.v > y->hops[i].scid.v;
	return c;
}

static void judge(struct route_planner *p, struct answer *out)
{
	const struct prices taste = prices_for(p, 0, false, false);
	unsigned __int128 risk;

	for (uint32_t i = 0; i < p->state_count; i++) {
		const struct arc_state *s = &p->states[i];
		struct model_range range = state_range(s);

		if (s->held)
			out->nats += model_cost_q16(&range, s->reserved + s->held) - model_cost_q16(&range, s->reserved);
	}
	for (uint32_t i = 0; i < out->count; i++)
		out->fee += out->parts[i].send.v - out->parts[i].deliver.v;
	risk = (unsigned __int128)taste.nat * (out->nats + (uint64_t)out->count * HOP_Q16) >> 16;
	out->score = out->fee + clamped(risk, UINT64_MAX / 2);
	out->found = true;
}

static uint32_t chunks_most(const struct route_request *q)
{
	return q->parts_max == 1 ? 1 : 4 * q->parts_max < CHUNKS_MAX ? 4 * q->parts_max : CHUNKS_MAX;
}

static uint64_t smallest_chunk(const struct route_request *q)
{
	uint64_t chunk = q->amount.v / chunks_most(q);

	chunk = chunk < q->part_min.v ? q->part_min.v : chunk;
	return chunk < 1 ? 1 : chunk < q->amount.v ? chunk : q->amount.v;
}

static struct answer attempt(struct route_planner *p, struct arena *a, uint32_t chunks, bool finer)
{
	struct answer out = { .parts = ARENA_ARRAY(a, struct route_part, p->q->parts_max) };
	uint64_t left = p->q->amount.v;
	uint32_t chunks_max = finer ? chunks_most(p->q) : chunks;

	attempt_begin(p);
	for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
		uint64_t delivered;

		if (!push_all(p, left, chunks, chunks_max))
			return out;
		delivered = settle_all(p, a, &out, left);
		left -= delivered;
		if (!left) {
			judge(p, &out);
			return out;
		}
		if (!delivered || out.too_many)
			return out;
		search_reset(p);
		chunks = 1;
	}
	return out;
}

/* --- the request --- */

static bool sane(const struct route_request *q)
{
	return q->amount.v && q->amount.v <= SEARCH_AMOUNT_MAX && q->parts_max && q->parts_max <= ROUTE_PARTS_MAX &&
	       q->hops_max <= ROUTE_HOPS_MAX && q->final_cltv <= q->cltv_max && q->final_cltv <= ROUTE_CLTV_MAX &&
	       !SAME(q->source, q->target) && q->own_count <= ROUTE_EDGES_MAX && q->hint_count <= ROUTE_EDGES_MAX &&
	       q->layer_count <= ROUTE_LAYERS_MAX;
}

/* Whether what leads into the target could carry the amount at all: most that cannot be paid shows here, and no search
 * has to find out in ever finer chunks. */
static bool target_takes(struct route_planner *p)
{
	uint64_t left = p->q->amount.v;
	uint32_t begin = p->target < p->g->node_count ? p->g->first_arc[p->target] : 0;
	uint32_t end = p->target < p->g->node_count ? p->g->first_arc[p->target + 1] : 0;

	for (uint32_t i = begin; i < end; i++) {
		const struct arc_state *s;
		uint64_t room;

		if (p->q->has_own && p->g->arcs[i].from == p->source)
			continue;
		s = arc_state_of(p, i);
		room = s->off || s->excluded || s->high < s->reserved ? 0 : s->high - s->reserved;
		if (room >= left)
			return true;
		left -= room;
	}
	for (uint32_t x = p->extra_in[p->target]; x; x = p->extras[x - 1].next_in) {
		const struct arc_state *s = arc_state_of(p, p->g->arc_count + x - 1);
		uint64_t room = s->off || s->excluded || s->high < s->reserved ? 0 : s->high - s->reserved;

		if (room >= left)
			return true;
		left -= room;
	}
	return false;
}

static uint32_t chunks_of(const struct route_request *q)
{
	uint32_t chunks = q->parts_max < CHUNKS_SPLIT ? q->parts_max : CHUNKS_SPLIT;

	while (chunks > 1 && q->amount.v / chunks < (q->part_min.v ? q->part_min.v : 1))
		chunks /= 2;
	return chunks;
}

/* The better of one path and several; *hopeless if no number of parts would do. */
static struct answer best_under(struct route_planner *p, struct arena *a, bool *too_many, bool *hopeless)
{
	struct answer one = attempt(p, a, 1, false), many;
	uint32_t chunks = chunks_of(p->q);

	if ((one.found && one.nats <= CALM_Q16) || p->q->parts_max == 1)
		return one;
	if (!one.found && *hopeless) {
		attempt_begin(p);
		*hopeless = !search_reaches(p, smallest_chunk(p->q));
		if (*hopeless)
			return one;
	}
	many = attempt(p, a, chunks, true);
	*too_many |= many.too_many;
	return many.found && (!one.found || many.score < one.score) ? many : one;
}

/* Which limit stands in the way: the one without which there is a plan.  That an arc was passed by for a limit says
 * little, for some arcs are beyond any. */
static enum route_verdict verdict_of(struct route_planner *p, struct arena *a, bool too_many, uint64_t *fee)
{
	const uint64_t fee_limit = p->fee_limit;
	const uint32_t cltv_max = p->cltv_max, hops_max = p->hops_max;
	enum route_verdict v = too_many ? ROUTE_TOO_MANY_PARTS : ROUTE_NO_WAY;
	struct answer x = { 0 };

	p->work_max = p->work + WORK_FOR_WORDS;
	if (p->hit_fee) {
		p->fee_limit = FEE_MAX;
		p->prices = prices_for(p, SETTINGS_MAX - 1, true, false);
		x = attempt(p, a, 1, true);
	}
	if (x.found) {
		*fee = x.fee;
		v = ROUTE_TOO_EXPENSIVE;
	} else if (p->hit_length) {
		p->cltv_max = ROUTE_CLTV_MAX;
		p->hops_max = ROUTE_HOPS_MAX;
		x = attempt(p, a, 1, true);
		v = x.found ? ROUTE_TOO_LONG : v;
	}
	p->fee_limit = fee_limit;
	p->cltv_max = cltv_max;
	p->hops_max = hops_max;
	return v;
}

static struct answer solve(struct route_planner *p, struct arena *a, enum route_verdict *verdict)
{
	bool cheaper = false, shorter = false, too_many = false;
	struct answer best = { 0 };

	p->hit_fee = p->hit_length = false;
	for (uint32_t setting = 0; setting < SETTINGS_MAX && !best.found; setting++) {
		bool hopeless = setting == 0;

		p->prices = prices_for(p, setting, cheaper, shorter);
		best = best_under(p, a, &too_many, &hopeless);
		cheaper |= p->hit_fee;
		shorter |= p->hit_length;
		if (hopeless || (!cheaper && !shorter) || p->work > p->work_max)
			break;
	}
	*verdict = best.found ? ROUTE_FOUND : verdict_of(p, a, too_many, &best.fee);
	return best;
}

/* INV-L4, checked on what is about to be given away. */
static void check_answer(const struct route_planner *p, const struct answer *x)
{
	struct amount_msat sum = MSAT(0);

	ASSERT(x->count && x->count <= p->q->parts_max);
	for (uint32_t i = 0; i < x->count; i++) {
		ASSERT(msat_add(&sum, sum, x->parts[i].deliver));
		ASSERT(x->parts[i].cltv <= p->cltv_max && x->parts[i].hop_count <= p->hops_max);
	}
	ASSERT(sum.v == p->q->amount.v && x->fee <= p->q->fee_limit.v);
}

void route_plan(struct route_planner *p, struct route_plan *out, struct arena *a, const struct route_request *q)
{
	struct answer x = { 0 };

	*out = (struct route_plan){ .verdict = ROUTE_BAD_REQUEST, .source = q->source };
	if (!sane(q))
		return;
	p->searches = 0;
	p->facts = false;
	p->work = 0;
	p->work_max = ROUTE_WORK_MAX;
	arcs_learn(p, q->liquidity);
	p->cltv_max = q->cltv_max < ROUTE_CLTV_MAX ? q->cltv_max : ROUTE_CLTV_MAX;
	p->fee_limit = q->fee_limit.v < FEE_MAX ? q->fee_limit.v : FEE_MAX;
	p->hops_max = q->hops_max ? q->hops_max : ROUTE_HOPS_DEFAULT;
	if (!arcs_begin(p, q)) {
		out->verdict = p->source == ROUTE_NONE ? ROUTE_UNKNOWN_SOURCE : ROUTE_UNKNOWN_TARGET;
	} else if (!target_takes(p)) {
		out->verdict = ROUTE_NO_WAY;
	} else {
		x = solve(p, a, &out->verdict);
	}
	if (x.found) {
		check_answer(p, &x);
		qsort(x.parts, x.count, sizeof(*x.parts), compare_parts);
		out->parts = x.parts;
		out->part_count = x.count;
		out->chance_q30 = model_exp_q30(x.nats);
	}
	out->fee = MSAT(x.fee);
	out->searches = p->searches;
	out->facts = p->facts;
	out->work = p->work;
	/* Leaves nothing of the flow in the lists of the nodes. */
	search_reset(p);
	arcs_end(p);
}

const char *route_verdict_words(enum route_verdict v)
{
	switch (v) {
	case ROUTE_FOUND:
		return "a way was found";
	case ROUTE_BAD_REQUEST:
		return "the amounts or limits of the request make no sense";
	case ROUTE_UNKNOWN_SOURCE:
		return "the source is not known";
	case ROUTE_UNKNOWN_TARGET:
		return "the destination is not known";
	case ROUTE_NO_WAY:
		return "no way to the destination has room for the amount";
	case ROUTE_TOO_EXPENSIVE:
		return "every way costs more than the fee limit";
	case ROUTE_TOO_LONG:
		return "every way takes more blocks or hops than the limits allow";
	case ROUTE_TOO_MANY_PARTS:
		return "the amount would take more parts than are allowed";
	}
	UNREACHABLE();
}
