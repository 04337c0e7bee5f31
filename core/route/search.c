/* One chunk: Dijkstra from the target backwards, so that amounts and fees are known on the way, over the residual
 * graph of the flow so far.  Potentials keep reduced costs from going below zero; where chunks differ in size or fees
 * accumulate they would by a little, and are cut at zero: the path is then that little dearer than the best. */
#include "route/search.h"

/* --- a heap of four children --- */

static void heap_push(struct route_planner *p, uint64_t cost, uint32_t node)
{
	uint32_t i = p->heap_count++;

	if (i == p->heap_capacity) {
		p->heap_capacity = p->heap_capacity ? p->heap_capacity * 2 : 1024;
		p->heap = mem_realloc(p->heap, p->heap_capacity, sizeof(*p->heap));
	}
	while (i && cost < p->heap[(i - 1) / 4].cost) {
		p->heap[i] = p->heap[(i - 1) / 4];
		i = (i - 1) / 4;
	}
	p->heap[i] = (struct heap_entry){ cost, node };
}

static struct heap_entry heap_pop(struct route_planner *p)
{
	struct heap_entry top = p->heap[0], last = p->heap[--p->heap_count];
	uint32_t i = 0, count = p->heap_count;

	for (;;) {
		uint32_t child = 4 * i + 1, end = child + 4 < count ? child + 4 : count, least = child;

		if (child >= count)
			break;
		for (uint32_t k = child + 1; k < end; k++)
			if (p->heap[k].cost < p->heap[least].cost)
				least = k;
		if (p->heap[least].cost >= last.cost)
			break;
		p->heap[i] = p->heap[least];
		i = least;
	}
	p->heap[i] = last;
	return top;
}

/* --- prices --- */

struct price {
	uint64_t cost, fee;
};

/* Risks that are equal differ by the seed, up to a 64th: payers do not all crowd one channel.  Fees never do. */
static inline uint64_t jitter(const struct route_planner *p, uint32_t arc, uint64_t risk)
{
	uint64_t x = (p->q->seed ^ arc) * 0x9e3779b97f4a7c15u;

	return risk + (risk >> 12) * (x >> 58);
}

static inline uint64_t biased(uint64_t cost, int bias)
{
	uint32_t factor;

	if (!bias)
		return cost;
	factor = model_bias_q16(bias < -100 ? -100 : bias > 100 ? 100 : bias);
	if (cost > COST_ARC_MAX / 32)
		cost = COST_ARC_MAX / 32;
	return (cost >> 16) * factor + ((cost & 0xffff) * factor >> 16);
}

/* What the chance costs of an arc that something is known of; false if it cannot carry so much.  INV-L2 */
static bool known_nats(const struct route_planner *p, uint32_t mark, uint64_t amount, uint32_t *nats, int *bias)
{
	const struct arc_state *s = &p->states[mark - 1];
	struct model_range range = state_range(s);
	uint64_t load = state_load(s);

	if (s->off || s->excluded || load > s->high || amount > s->high - load || s->held_htlcs >= s->htlcs)
		return false;
	*nats = amount + load <= s->low ? 0 : model_cost_q16(&range, load + amount) - model_cost_q16(&range, load);
	*bias = s->bias;
	return true;
}

static inline uint64_t capacity_of(const struct route_planner *p, const struct route_arc *a)
{
	return a->capacity_sat == UINT32_MAX ? route_edge_capacity(&p->g->edges[a->way >> 1]).v :
					       (uint64_t)a->capacity_sat * 1000;
}

static inline bool price(struct route_planner *p, uint32_t arc, const struct route_arc *a, uint64_t amount, struct price *out)
{
	uint32_t mark = p->mark[arc], nats;
	uint64_t risk = 0;
	int bias = 0;

	*out = (struct price){ 0, 0 };
	if (a->from != p->source) {
		/* B7.htlc_fees.1 */
		out->fee = route_fee_msat(amount, p->rates_only ? 0 : a->fee_base_msat, a->fee_ppm);
		if (out->fee > p->fee_left) {
			p->hit_fee = true;
			return false;
		}
		out->cost = out->fee * p->prices.fee + p->prices.block * a->cltv_delta;
		risk = p->prices.hop;
	}
	if (!mark && !arc_is_extra(p, arc) && p->known[a->way >> 1]) {
		(void)arc_state_of(p, arc);
		mark = p->mark[arc];
	}
	if (mark) {
		if (!known_nats(p, mark, amount, &nats, &bias))
			return false;
	} else {
		struct model_range r = { 0, capacity_of(p, a), 0 };

		r.capacity = r.high;
		nats = model_cost_q16(&r, amount);
	}
	risk += p->prices.nat * nats >> 8;
	if (p->has_node_rules)
		bias += p->node_bias[a->from] + p->node_bias_in[arc_to(p, arc)];
	out->cost = biased(out->cost + jitter(p, arc, risk), bias);
	if (out->cost > COST_ARC_MAX)
		out->cost = COST_ARC_MAX;
	return true;
}

/* --- the search --- */

static inline uint64_t reduced(const struct route_planner *p, int64_t cost, uint32_t from, uint32_t to)
{
	int64_t r = cost + p->potential[to] - p->potential[from];

	return r > 0 ? (uint64_t)r : 0;
}

static inline void improve(struct route_planner *p, uint32_t node, const struct label *l)
{
	if (l->cost >= p->labels[node].cost)
		return;
	p->labels[node] = *l;
	heap_push(p, l->cost, node);
}

static inline void relax(struct route_planner *p, const struct label *at, uint32_t to, uint32_t arc, const struct route_arc *a,
			 uint64_t amount)
{
	uint32_t from = a->from, cltv = at->cltv + (from == p->source ? 0 : a->cltv_delta);
	struct price cost;
	struct label l;

	/* Whatever it costs, this is no better; and most arcs end here. */
	if (p->labels[from].cost <= at->cost || p->labels[from].done)
		return;
	if ((at->amount < a->htlc_min_msat && !p->rates_only) || !price(p, arc, a, at->amount, &cost))
		return;
	l = (struct label){ .cost = at->cost + reduced(p, (int64_t)cost.cost, from, to), .amount = at->amount + cost.fee,
			    .arc = arc, .hops = (uint8_t)(at->hops + 1) };
	if (l.cost >= p->labels[from].cost)
		return;
	if (cltv > p->cltv_max || l.hops > p->hops_max) {
		p->hit_length = true;
		return;
	}
	if (l.amount - amount > p->fee_left) {
		p->hit_fee = true;
		return;
	}
	l.cltv = (uint16_t)cltv;
	improve(p, from, &l);
}

static bool may_leave(const struct route_planner *p, uint32_t from, bool own)
{
	if (from == p->source)
		return own || !p->q->has_own;
	return !p->has_node_rules || !p->node_excluded[from];
}

static void relax_into(struct route_planner *p, uint32_t to, uint64_t amount)
{
	const struct label at = p->labels[to];
	bool plain = !p->has_node_rules && !p->q->has_own;
	uint32_t begin = p->g->first_arc[to < p->g->node_count ? to : p->g->node_count], i = begin;
	uint32_t end = to < p->g->node_count ? p->g->first_arc[to + 1] : begin;

	for (; i < end && p->g->arcs[i].htlc_max_msat >= at.amount; i++)
		if (plain || may_leave(p, p->g->arcs[i].from, false))
			relax(p, &at, to, i, &p->g->arcs[i], amount);
	p->work += i - begin + 1;
	for (uint32_t x = p->extra_in[to]; x; x = p->extras[x - 1].next_in)
		if (p->extras[x - 1].arc.htlc_max_msat >= at.amount && may_leave(p, p->extras[x - 1].arc.from, p->extras[x - 1].own))
			relax(p, &at, to, p->g->arc_count + x - 1, &p->extras[x - 1].arc, amount);
}

/* What is saved by taking an amount off an arc that carries it: what it would cost again. */
static int64_t saved(struct route_planner *p, uint32_t arc, uint64_t amount)
{
	struct arc_state *s = arc_state_of(p, arc);
	struct price back = { 0, 0 };
	bool can;

	s->flow -= amount;
	can = price(p, arc, arc_at(p, arc), amount, &back);
	s->flow += amount;
	return can ? (int64_t)back.cost : 0;
}

/* Flow that leaves this node may be pushed back: whoever got it gets the chunk instead. */
static void relax_back(struct route_planner *p, uint32_t node, uint64_t amount)
{
	const struct label at = p->labels[node];

	for (uint32_t i = p->out[node]; i; i = p->states[i - 1].next_out) {
		uint32_t arc = p->states[i - 1].arc, to = arc_to(p, arc);
		struct label l = at;

		if (p->states[i - 1].flow < amount || p->labels[to].done || to == p->target || at.hops == p->hops_max)
			continue;
		l.cost = at.cost + reduced(p, -saved(p, arc, amount), to, node);
		l.arc = arc | ARC_BACK;
		l.hops++;
		l.done = false;
		improve(p, to, &l);
	}
}

static bool find(struct route_planner *p, uint64_t amount)
{
	uint32_t total = node_total(p);

	for (uint32_t n = 0; n < total; n++) {
		p->labels[n].cost = UINT64_MAX;
		p->labels[n].done = false;
	}
	p->heap_count = p->finished_count = 0;
	p->searches++;
	p->work += total / 8;
	p->labels[p->target] = (struct label){ .amount = amount, .arc = ROUTE_NONE, .cltv = (uint16_t)p->q->final_cltv };
	heap_push(p, 0, p->target);
	while (p->heap_count) {
		struct heap_entry e = heap_pop(p);

		if (p->labels[e.node].done)
			continue;
		p->labels[e.node].done = true;
		p->finished[p->finished_count++] = e.node;
		if (e.node == p->source)
			return true;
		relax_into(p, e.node, amount);
		if (p->out[e.node])
			relax_back(p, e.node, amount);
	}
	return false;
}

/* --- the flow --- */

static void add_flow(struct route_planner *p, uint32_t arc, uint64_t amount)
{
	struct arc_state *s = arc_state_of(p, arc);

	s->flow += amount;
	if (!s->has_flow) {
		uint32_t from = arc_at(p, arc)->from;

		s->has_flow = true;
		s->next_out = p->out[from];
		p->out[from] = p->mark[arc];
	}
}

/* INV-L1: each node on the way takes in what it gives on. */
bool search_push(struct route_planner *p, uint64_t amount)
{
	uint64_t whole;
	uint32_t node = p->source;

	if (!find(p, amount))
		return false;
	whole = p->labels[p->source].cost;
	for (uint32_t i = 0; i < p->finished_count; i++)
		p->potential[p->finished[i]] -= (int64_t)(whole - p->labels[p->finished[i]].cost);
	while (node != p->target) {
		uint32_t arc = p->labels[node].arc;

		if (arc & ARC_BACK) {
			struct arc_state *s = arc_state_of(p, arc & ~ARC_BACK);

			ASSERT(s->flow >= amount);
			s->flow -= amount;
			node = arc_at(p, arc & ~ARC_BACK)->from;
		} else {
			add_flow(p, arc, amount);
			node = arc_to(p, arc);
		}
	}
	return true;
}

bool search_reaches(struct route_planner *p, uint64_t amount)
{
	uint64_t fee_left = p->fee_left;
	struct prices prices = p->prices;
	bool found, hit_length = p->hit_length;

	p->fee_left = (uint64_t)((unsigned __int128)fee_left * amount / p->q->amount.v) + 1;
	p->prices = (struct prices){ .fee = COST_ONE };
	p->rates_only = true;
	found = find(p, amount);
	p->rates_only = false;
	p->prices = prices;
	p->fee_left = fee_left;
	/* Not reached for its length: that is for the other searches to say. */
	found |= p->hit_length && !hit_length;
	return found;
}

void search_reset(struct route_planner *p)
{
	for (uint32_t i = 0; i < p->state_count; i++) {
		struct arc_state *s = &p->states[i];

		if (s->has_flow)
			p->out[arc_at(p, s->arc)->from] = 0;
		s->has_flow = false;
		s->flow = 0;
	}
	memset(p->potential, 0, node_total(p) * sizeof(*p->potential));
}
