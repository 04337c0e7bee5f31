#include "route/search.h"

/* --- finding --- */

static struct bytes extra_key(const void *object)
{
	return BYTES_OF(((const struct extra_arc *)object)->key);
}

static struct bytes extra_node_key(const void *object)
{
	return BYTES_OF(((const struct pubkey *)object)->v);
}

uint32_t arc_to(const struct route_planner *p, uint32_t arc)
{
	const struct route_arc *a;

	if (arc_is_extra(p, arc))
		return p->extras[arc - p->g->arc_count].to;
	a = &p->g->arcs[arc];
	return p->g->edges[a->way >> 1].node[!(a->way & 1)];
}

struct scid arc_scid(const struct route_planner *p, uint32_t arc)
{
	return arc_is_extra(p, arc) ? p->extras[arc - p->g->arc_count].scid : p->g->edges[p->g->arcs[arc].way >> 1].scid;
}

struct pubkey node_id_of(const struct route_planner *p, uint32_t node)
{
	return node < p->g->node_count ? p->g->nodes[node] : p->extra_nodes[node - p->g->node_count];
}

static uint32_t node_find(const struct route_planner *p, const struct pubkey *id)
{
	uint32_t n = route_graph_node(p->g, id);
	const struct pubkey *extra;

	if (n != ROUTE_NONE || !p->extra_node_count)
		return n;
	extra = table_get(&p->extra_node_index, BYTES_OF(id->v));
	return extra ? p->g->node_count + (uint32_t)(extra - p->extra_nodes) : ROUTE_NONE;
}

static uint32_t node_made(struct route_planner *p, const struct pubkey *id)
{
	uint32_t n = node_find(p, id);

	if (n != ROUTE_NONE)
		return n;
	p->extra_nodes[p->extra_node_count] = *id;
	table_add(&p->extra_node_index, &p->extra_nodes[p->extra_node_count]);
	return p->g->node_count + p->extra_node_count++;
}

static void key_of(uint8_t key[9], struct scid scid, int direction)
{
	store_be64(key, scid.v);
	key[8] = (uint8_t)direction;
}

/* What the request brought goes before what the graph has. */
static uint32_t arc_find(const struct route_planner *p, struct scid scid, int direction)
{
	uint8_t key[9];
	const struct extra_arc *x = NULL;
	uint32_t edge;

	if (p->extra_count) {
		key_of(key, scid, direction);
		x = table_get(&p->extra_index, BYTES_OF(key));
	}
	if (x)
		return p->g->arc_count + (uint32_t)(x - p->extras);
	edge = route_graph_edge(p->g, scid);
	return edge == ROUTE_NONE ? ROUTE_NONE : p->g->edges[edge].arc[direction];
}

/* --- what is known of an arc --- */

void arcs_learn(struct route_planner *p, const struct liquidity *l)
{
	const struct liquidity_entry *e = NULL;

	p->liquidity = l;
	if (!l)
		return;
	while ((e = liquidity_next(l, e)) && e->changed > p->known_changed) {
		uint32_t edge = route_graph_edge(p->g, e->scid);

		if (edge != ROUTE_NONE)
			p->known[edge] = 1 + liquidity_slot(l, e);
	}
	p->known_changed = liquidity_changed(l);
}

static struct model_range range_of(struct route_planner *p, uint32_t arc)
{
	const struct route_arc *a = &p->g->arcs[arc];
	const struct route_edge *edge = &p->g->edges[a->way >> 1];
	const struct liquidity_entry *e;
	uint64_t capacity = route_edge_capacity(edge).v;

	if (p->liquidity && p->known[a->way >> 1]) {
		e = liquidity_at(p->liquidity, p->known[a->way >> 1] - 1);
		/* The slot may be another channel's by now. */
		if (e && e->scid.v == edge->scid.v) {
			struct model_range r = liquidity_range(p->liquidity, e, a->way & 1, MSAT(capacity), p->q->now_s);

			p->facts |= r.high < capacity;
			return r;
		}
	}
	return (struct model_range){ 0, capacity, capacity };
}

static struct arc_state *state_new(struct route_planner *p, uint32_t arc, struct model_range range)
{
	struct arc_state *s;

	if (p->state_count == p->state_capacity) {
		p->state_capacity = p->state_capacity ? p->state_capacity * 2 : 256;
		p->states = mem_realloc(p->states, p->state_capacity, sizeof(*p->states));
	}
	s = &p->states[p->state_count++];
	*s = (struct arc_state){ .arc = arc, .low = range.low, .high = range.high, .capacity = range.capacity,
				 .htlcs = UINT32_MAX };
	p->mark[arc] = p->state_count;
	return s;
}

struct arc_state *arc_state_of(struct route_planner *p, uint32_t arc)
{
	if (p->mark[arc])
		return &p->states[p->mark[arc] - 1];
	return state_new(p, arc, range_of(p, arc));
}

/* --- what a request brings --- */

struct extra_terms {
	struct scid scid;
	uint32_t from, to;
	int direction;
	struct route_policy policy; /* htlc_max: set */
	struct model_range range;
};

static struct arc_state *extra_add(struct route_planner *p, const struct extra_terms *t)
{
	struct extra_arc *x = &p->extras[p->extra_count];
	uint64_t capacity_sat = t->range.capacity / 1000;

	ASSERT(p->extra_count < p->extra_capacity);
	*x = (struct extra_arc){
		.arc = { .htlc_min_msat = t->policy.htlc_min.v, .htlc_max_msat = t->policy.htlc_max.v, .from = t->from,
			 .way = (uint32_t)t->direction, .fee_base_msat = t->policy.fee_base_msat,
			 .fee_ppm = t->policy.fee_ppm, .cltv_delta = t->policy.cltv_delta,
			 .capacity_sat = capacity_sat < UINT32_MAX ? (uint32_t)capacity_sat : UINT32_MAX },
		.scid = t->scid, .to = t->to, .capacity_msat = t->range.capacity, .next_in = p->extra_in[t->to],
	};
	key_of(x->key, t->scid, t->direction);
	table_add(&p->extra_index, x);
	p->extra_in[t->to] = ++p->extra_count;
	return state_new(p, p->g->arc_count + p->extra_count - 1, t->range);
}

static int direction_of(const struct pubkey *from, const struct pubkey *to)
{
	return memcmp(from->v, to->v, sizeof(from->v)) < 0 ? 0 : 1;
}

static void add_own(struct route_planner *p, const struct route_own *o)
{
	uint64_t spendable = o->spendable.v;
	int direction = direction_of(&p->q->source, &o->peer);
	struct arc_state *s;
	struct extra_terms t = {
		.scid = o->scid, .from = p->source, .to = node_made(p, &o->peer), .direction = direction,
		.policy = { .enabled = true, .htlc_min = o->htlc_min, .htlc_max = msat_min(o->htlc_max, o->spendable) },
		.range = { spendable, spendable, spendable },
	};
	uint32_t edge = route_graph_edge(p->g, o->scid);
	uint8_t key[9];

	key_of(key, o->scid, direction);
	/* An alias that is the id of a channel between others would take that one's rules and facts. */
	if (edge != ROUTE_NONE && (p->g->edges[edge].node[direction] != p->source || p->g->edges[edge].node[!direction] != t.to))
		return;
	if (!spendable || !o->htlcs || t.to == p->source || MSAT_LESS(t.policy.htlc_max, o->htlc_min) ||
	    table_get(&p->extra_index, BYTES_OF(key)))
		return;
	s = extra_add(p, &t);
	s->htlcs = o->htlcs;
	p->extras[p->extra_count - 1].own = true;
}

/* Its capacity is nobody's word, so it counts as certain until it has failed lately. */
static struct model_range hint_range(struct route_planner *p, const struct route_hint *h, int direction)
{
	uint64_t most = h->htlc_max.v ? h->htlc_max.v : SEARCH_AMOUNT_MAX;
	struct model_range r = { most, most, most };
	const struct liquidity_entry *e = p->liquidity ? liquidity_find(p->liquidity, h->scid) : NULL;
	const struct liquidity_side *s = e ? &e->side[direction] : NULL;

	if (s && s->could_not.v && s->could_not.v <= most && s->could_not_at_s + LIQUIDITY_HALF_LIFE_S > p->q->now_s)
		r.low = r.high = s->could_not.v - 1;
	p->facts |= r.high < most;
	return r;
}

static bool is_created(const struct route_request *q, struct scid scid)
{
	for (uint32_t i = 0; i < q->layer_count; i++)
		if (route_layer_find(q->layers[i], ROUTE_RULE_CREATE, scid, 0, NULL))
			return true;
	return false;
}

static void add_hint(struct route_planner *p, const struct route_hint *h)
{
	int direction = direction_of(&h->from, &h->to);
	struct extra_terms t = {
		.scid = h->scid, .direction = direction,
		.policy = { true, h->fee_base_msat, h->fee_ppm, h->cltv_delta, h->htlc_min, h->htlc_max },
	};

	/* What gossip says is signed by the node that forwards, and what a layer says is ours; an invoice is neither. */
	if (SAME(h->from, h->to) || arc_find(p, h->scid, direction) != ROUTE_NONE || is_created(p->q, h->scid))
		return;
	t.range = hint_range(p, h, direction);
	t.policy.htlc_max = MSAT(t.range.capacity);
	t.from = node_made(p, &h->from);
	t.to = node_made(p, &h->to);
	if (t.range.high && !MSAT_LESS(t.policy.htlc_max, h->htlc_min))
		(void)extra_add(p, &t);
}

/* --- layers --- */

static void put_policy(struct extra_arc *x, struct arc_state *s, const struct route_policy *policy)
{
	uint64_t most = policy->htlc_max.v && policy->htlc_max.v < x->capacity_msat ? policy->htlc_max.v : x->capacity_msat;

	x->arc.fee_base_msat = policy->fee_base_msat;
	x->arc.fee_ppm = policy->fee_ppm;
	x->arc.cltv_delta = policy->cltv_delta;
	x->arc.htlc_min_msat = policy->htlc_min.v;
	x->arc.htlc_max_msat = most;
	s->off = !policy->enabled || policy->htlc_min.v > most;
}

/* An arc of the request in the place of one of the graph, which may be none; what is known of that one is known. */
static void replace_arc(struct route_planner *p, const struct extra_terms *t, uint32_t old)
{
	struct extra_terms terms = *t;
	struct arc_state *s;

	if (old != ROUTE_NONE) {
		s = arc_state_of(p, old);
		s->off = true;
		terms.range = state_range(s);
	}
	s = extra_add(p, &terms);
	put_policy(&p->extras[p->extra_count - 1], s, &t->policy);
}

static void rule_create(struct route_planner *p, const struct route_channel *c)
{
	uint64_t capacity = msat_of_sat(c->capacity).v;
	uint32_t edge = route_graph_edge(p->g, c->scid);

	for (int d = 0; d < 2; d++) {
		uint32_t old = arc_find(p, c->scid, d);
		const struct extra_arc *x = old != ROUTE_NONE && arc_is_extra(p, old) ? &p->extras[old - p->g->arc_count] : NULL;
		struct extra_terms t = { .scid = c->scid, .direction = d, .policy = c->policy[d] };

		if (x && x->own)
			continue;
		t.from = node_made(p, &c->node[d]);
		t.to = node_made(p, &c->node[!d]);
		/* The id of a channel between others is not to be had. */
		if (edge != ROUTE_NONE && (p->g->edges[edge].node[d] != t.from || p->g->edges[edge].node[!d] != t.to))
			continue;
		if (x && (x->arc.from != t.from || x->to != t.to))
			continue;
		if (edge != ROUTE_NONE)
			capacity = route_edge_capacity(&p->g->edges[edge]).v;
		t.range = (struct model_range){ 0, capacity, capacity };
		if (x)
			put_policy(&p->extras[old - p->g->arc_count], arc_state_of(p, old), &c->policy[d]);
		else
			replace_arc(p, &t, old);
	}
}

/* What an arc says now; nothing for none. */
static struct route_policy policy_at(struct route_planner *p, uint32_t arc)
{
	const struct route_arc *a;

	if (arc == ROUTE_NONE)
		return (struct route_policy){ .enabled = false };
	a = arc_at(p, arc);
	return (struct route_policy){ !arc_state_of(p, arc)->off, a->fee_base_msat, a->fee_ppm, a->cltv_delta, MSAT(a->htlc_min_msat),
				      MSAT(a->htlc_max_msat) };
}

static void rule_update(struct route_planner *p, const struct route_rule *r)
{
	uint32_t old = arc_find(p, r->scid, r->direction), edge = route_graph_edge(p->g, r->scid);
	struct extra_terms t = { .scid = r->scid, .direction = r->direction, .policy = policy_at(p, old) };

	route_policy_set(&t.policy, &r->u.update.policy, r->u.update.sets);
	if (old != ROUTE_NONE && arc_is_extra(p, old)) {
		/* Terms of our own channels are what they are, but the user may shut them. */
		if (p->extras[old - p->g->arc_count].own)
			arc_state_of(p, old)->off = (r->u.update.sets & ROUTE_SETS_ENABLED) && !r->u.update.policy.enabled;
		else
			put_policy(&p->extras[old - p->g->arc_count], arc_state_of(p, old), &t.policy);
		return;
	}
	if (edge == ROUTE_NONE)
		return;
	if (!t.policy.enabled) {
		if (old != ROUTE_NONE)
			arc_state_of(p, old)->off = true;
		return;
	}
	t.from = p->g->edges[edge].node[r->direction];
	t.to = p->g->edges[edge].node[!r->direction];
	t.range.capacity = t.range.high = route_edge_capacity(&p->g->edges[edge]).v;
	replace_arc(p, &t, old);
}

static void rule_constrain(struct route_planner *p, uint32_t arc, const struct route_rule *r)
{
	struct arc_state *s = arc_state_of(p, arc);
	uint64_t low = r->u.constrain.low.v, high = r->u.constrain.high.v;
	bool own = arc_is_extra(p, arc) && p->extras[arc - p->g->arc_count].own;

	/* What our own channels can send we know better. */
	if (r->u.constrain.has_high && (!own || high < s->high)) {
		s->high = high < s->capacity ? high : s->capacity;
		s->low = s->low < s->high ? s->low : s->high;
	}
	if (r->u.constrain.has_low && !own) {
		s->low = low < s->capacity ? low : s->capacity;
		s->high = s->high > s->low ? s->high : s->low;
	}
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Either arc may be none. */
static void rule_move(struct route_planner *p, const struct route_rule *r)
{
	uint64_t moved = r->u.moved.v;

	for (int back = 0; back < 2; back++) {
		uint32_t arc = arc_find(p, r->scid, r->direction ^ back);
		struct arc_state *s;

		if (arc == ROUTE_NONE || (arc_is_extra(p, arc) && p->extras[arc - p->g->arc_count].own))
			continue;
		s = arc_state_of(p, arc);
		s->low = back ? (s->low + moved < s->capacity ? s->low + moved : s->capacity) : less(s->low, moved);
		s->high = back ? (s->high + moved < s->capacity ? s->high + moved : s->capacity) : less(s->high, moved);
	}
}

static void add_clamped(uint64_t *sum, uint64_t v)
{
	*sum = *sum > SEARCH_AMOUNT_MAX - v ? SEARCH_AMOUNT_MAX : *sum + v;
}

static void rule_node(struct route_planner *p, const struct route_rule *r)
{
	uint32_t n = node_find(p, &r->node);

	if (n == ROUTE_NONE)
		return;
	p->has_node_rules = true;
	if (r->kind == ROUTE_RULE_EXCLUDE_NODE)
		p->node_excluded[n] = true;
	else if (r->kind == ROUTE_RULE_BIAS_NODE)
		p->node_bias[n] = (int16_t)(p->node_bias[n] + r->u.bias.v);
	else
		p->node_bias_in[n] = (int16_t)(p->node_bias_in[n] + r->u.bias.v);
}

static void rule_on_arc(struct route_planner *p, uint32_t arc, const struct route_rule *r)
{
	struct arc_state *s;

	if (arc == ROUTE_NONE)
		return;
	s = arc_state_of(p, arc);
	if (r->kind == ROUTE_RULE_CONSTRAIN)
		rule_constrain(p, arc, r);
	else if (r->kind == ROUTE_RULE_RESERVE)
		add_clamped(&s->reserved, r->u.reserve.v);
	else if (r->kind == ROUTE_RULE_BIAS)
		s->bias = (int16_t)(s->bias + r->u.bias.v);
	else
		s->excluded = true;
}

static void apply_rule(struct route_planner *p, const struct route_rule *r)
{
	switch (r->kind) {
	case ROUTE_RULE_CREATE:
		rule_create(p, &r->u.create);
		return;
	case ROUTE_RULE_UPDATE:
		rule_update(p, r);
		return;
	case ROUTE_RULE_MOVE:
		rule_move(p, r);
		return;
	case ROUTE_RULE_BIAS_NODE:
	case ROUTE_RULE_BIAS_NODE_IN:
	case ROUTE_RULE_EXCLUDE_NODE:
		rule_node(p, r);
		return;
	case ROUTE_RULE_CONSTRAIN:
	case ROUTE_RULE_RESERVE:
	case ROUTE_RULE_BIAS:
	case ROUTE_RULE_EXCLUDE:
	case ROUTE_RULE_KINDS:
		break;
	}
	rule_on_arc(p, arc_find(p, r->scid, r->direction), r);
}

/* --- the beginning and the end of a request --- */

/* Room for all that the request can bring, so that nothing moves while it is at work. */
static void make_room(struct route_planner *p, const struct route_request *q)
{
	uint32_t extras = q->own_count + q->hint_count, nodes, arcs;
	const struct route_rule *r;
	uint8_t seed[16] = { 0 };

	for (uint32_t i = 0; i < q->layer_count; i++)
		for (uint64_t at = 0; (r = route_layer_next(q->layers[i], &at)) && r->kind <= ROUTE_RULE_UPDATE;)
			extras += r->kind == ROUTE_RULE_CREATE ? 2 : 1;
	nodes = p->g->node_count + 2 * extras + 2;
	arcs = p->g->arc_count + extras;
	ASSERT(arcs < ARCS_MAX);
	if (nodes > p->node_capacity) {
		p->node_capacity = nodes;
		p->labels = mem_realloc(p->labels, nodes, sizeof(*p->labels));
		p->potential = mem_realloc(p->potential, nodes, sizeof(*p->potential));
		p->extra_in = mem_realloc(p->extra_in, nodes, sizeof(*p->extra_in));
		p->out = mem_realloc(p->out, nodes, sizeof(*p->out));
		p->node_bias = mem_realloc(p->node_bias, nodes, sizeof(*p->node_bias));
		p->node_bias_in = mem_realloc(p->node_bias_in, nodes, sizeof(*p->node_bias_in));
		p->node_excluded = mem_realloc(p->node_excluded, nodes, sizeof(*p->node_excluded));
		p->finished = mem_realloc(p->finished, nodes, sizeof(*p->finished));
		memset(p->extra_in, 0, nodes * sizeof(*p->extra_in));
		memset(p->out, 0, nodes * sizeof(*p->out));
		memset(p->node_bias, 0, nodes * sizeof(*p->node_bias));
		memset(p->node_bias_in, 0, nodes * sizeof(*p->node_bias_in));
		memset(p->node_excluded, 0, nodes * sizeof(*p->node_excluded));
	}
	if (arcs > p->mark_capacity) {
		p->mark = mem_realloc(p->mark, arcs, sizeof(*p->mark));
		memset(p->mark + p->mark_capacity, 0, (arcs - p->mark_capacity) * sizeof(*p->mark));
		p->mark_capacity = arcs;
	}
	p->extra_capacity = extras;
	p->extras = NEW_ARRAY(struct extra_arc, extras + 1);
	p->extra_nodes = NEW_ARRAY(struct pubkey, 2 * extras + 2);
	store_le64(seed, q->seed);
	table_init(&p->extra_index, extra_key, seed);
	table_init(&p->extra_node_index, extra_node_key, seed);
}

bool arcs_begin(struct route_planner *p, const struct route_request *q)
{
	const struct route_rule *r;

	p->q = q;
	make_room(p, q);
	/* Own channels and hints may bring in nodes that gossip does not know. */
	p->source = q->has_own ? node_made(p, &q->source) : node_find(p, &q->source);
	if (q->has_own)
		for (uint32_t i = 0; i < q->own_count; i++)
			add_own(p, &q->own[i]);
	for (uint32_t i = 0; i < q->hint_count; i++)
		add_hint(p, &q->hints[i]);
	/* What there is comes before what is said of it, in whatever layer. */
	for (int about = 0; about < 2; about++)
		for (uint32_t i = 0; i < q->layer_count; i++)
			for (uint64_t at = 0; (r = route_layer_next(q->layers[i], &at));)
				if ((r->kind > ROUTE_RULE_UPDATE) == about)
					apply_rule(p, r);
	if (p->source == ROUTE_NONE)
		p->source = node_find(p, &q->source);
	p->target = node_find(p, &q->target);
	return p->source != ROUTE_NONE && p->target != ROUTE_NONE;
}

void arcs_end(struct route_planner *p)
{
	for (uint32_t i = 0; i < p->state_count; i++)
		p->mark[p->states[i].arc] = 0;
	p->state_count = 0;
	for (uint32_t i = 0; i < p->extra_count; i++)
		p->extra_in[p->extras[i].to] = 0;
	if (p->has_node_rules) {
		memset(p->node_bias, 0, node_total(p) * sizeof(*p->node_bias));
		memset(p->node_bias_in, 0, node_total(p) * sizeof(*p->node_bias_in));
		memset(p->node_excluded, 0, node_total(p) * sizeof(*p->node_excluded));
		p->has_node_rules = false;
	}
	p->extra_count = p->extra_node_count = p->extra_capacity = 0;
	table_release(&p->extra_index);
	table_release(&p->extra_node_index);
	mem_free(p->extras);
	mem_free(p->extra_nodes);
	p->extras = NULL;
	p->extra_nodes = NULL;
	p->q = NULL;
}
