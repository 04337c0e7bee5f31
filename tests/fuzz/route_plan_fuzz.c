/* Any network, any request: limits, hints, own channels, layers and facts of every kind, built from the input's bytes.
 * Whatever is planned is held against its request by other code (tests/route_check.c), twice is the same, and
 * facts survive being stored.  INV-L1 INV-L2 INV-L3 INV-L4 */
#include "tests/route_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES 12u
#define LIST_MAX 24u

static const uint8_t seed16[16] = { 1 };

static struct pubkey node_of(struct cursor *c)
{
	struct pubkey p = { { 2 } };

	p.v[32] = (uint8_t)(cursor_u8(c) % NODES);
	return p;
}

/* Few channels, so that everything meets everything. */
static struct scid scid_of(struct cursor *c)
{
	return scid_make(1, cursor_u8(c) % 24, 0);
}

/* A number of any size from few bytes: a byte's worth, shifted. */
static uint64_t number(struct cursor *c)
{
	uint64_t v = cursor_u8(c);
	uint8_t shift = cursor_u8(c);

	return shift == 255 ? UINT64_MAX : v << (shift & 63);
}

static struct route_policy policy_of(struct cursor *c)
{
	struct route_policy p = { .enabled = cursor_u8(c) & 7, .fee_base_msat = cursor_u8(c), .fee_ppm = cursor_be16(c),
				  .cltv_delta = cursor_u8(c), .htlc_min = MSAT(cursor_u8(c)) };
	uint8_t wild = cursor_u8(c);

	if (wild & 1)
		p.htlc_max = MSAT(number(c));
	if (wild & 2)
		p.htlc_min = MSAT(number(c));
	if (wild & 4)
		p.fee_base_msat = (uint32_t)number(c);
	if (wild & 8)
		p.fee_ppm = (uint32_t)number(c);
	if (wild & 16)
		p.cltv_delta = (uint16_t)number(c);
	return p;
}

static struct route_channel channel_of(struct cursor *c)
{
	struct route_channel ch = { .scid = scid_of(c) };

	ch.node[0] = node_of(c);
	ch.node[1] = node_of(c);
	ch.capacity = SAT(number(c));
	ch.policy[0] = policy_of(c);
	ch.policy[1] = policy_of(c);
	return ch;
}

static struct route_graph *read_graph(struct cursor *c)
{
	struct route_builder *b = route_builder_new(seed16);

	for (uint32_t n = cursor_u8(c) % LIST_MAX; n; n--) {
		struct route_channel ch = channel_of(c);

		(void)!route_builder_add(b, &ch);
	}
	return route_builder_finish(b);
}

static void read_rule(struct cursor *c, struct route_layer *l)
{
	struct scid scid;
	struct pubkey node;
	struct amount_msat low, high;
	struct route_policy policy;
	struct route_channel channel;
	uint8_t kind = cursor_u8(c);
	int direction = kind >> 7;

	switch ((enum route_rule_kind)(kind % ROUTE_RULE_KINDS)) {
	case ROUTE_RULE_CREATE:
		channel = channel_of(c);
		(void)!route_layer_create(l, &channel);
		break;
	case ROUTE_RULE_UPDATE:
		scid = scid_of(c);
		policy = policy_of(c);
		(void)!route_layer_update(l, scid, direction, &policy, kind & 64 ? ROUTE_SETS_ALL : cursor_u8(c) & ROUTE_SETS_ALL);
		break;
	case ROUTE_RULE_CONSTRAIN:
		scid = scid_of(c);
		low = MSAT(number(c));
		high = MSAT(number(c));
		(void)!route_layer_constrain(l, scid, direction, kind & 32 ? &low : NULL, kind & 64 ? &high : NULL);
		break;
	case ROUTE_RULE_RESERVE:
		scid = scid_of(c);
		low = MSAT(number(c));
		(void)!route_layer_reserve(l, scid, direction, low);
		if (kind & 64)
			(void)!route_layer_release(l, scid, direction, MSAT(number(c)));
		break;
	case ROUTE_RULE_BIAS:
		scid = scid_of(c);
		(void)!route_layer_bias(l, scid, direction, (int8_t)cursor_u8(c), kind & 64 ? "why" : NULL);
		break;
	case ROUTE_RULE_MOVE:
		scid = scid_of(c);
		(void)!route_layer_move(l, scid, direction, MSAT(number(c)));
		break;
	case ROUTE_RULE_BIAS_NODE:
	case ROUTE_RULE_BIAS_NODE_IN:
		node = node_of(c);
		(void)!route_layer_bias_node(l, &node, kind & 64, (int8_t)cursor_u8(c), NULL);
		break;
	case ROUTE_RULE_EXCLUDE:
		(void)!route_layer_exclude(l, scid_of(c), direction);
		break;
	case ROUTE_RULE_EXCLUDE_NODE:
		node = node_of(c);
		(void)!route_layer_exclude_node(l, &node);
		break;
	case ROUTE_RULE_KINDS:
		break;
	}
}

static void read_fact(struct cursor *c, struct liquidity *l)
{
	uint8_t kind = cursor_u8(c);
	struct scid scid = scid_of(c);
	struct amount_msat amount = MSAT(number(c));
	uint64_t at = cursor_be16(c) * 8;

	switch (kind & 3) {
	case 0:
		liquidity_could(l, scid, kind >> 7, amount, at);
		break;
	case 1:
		liquidity_could_not(l, scid, kind >> 7, amount, at);
		break;
	case 2:
		liquidity_moved(l, scid, kind >> 7, amount, at);
		break;
	default:
		liquidity_forget(l, scid);
		break;
	}
	liquidity_check(l);
}

struct lists {
	struct route_own own[LIST_MAX];
	struct route_hint hints[LIST_MAX];
	struct route_layer *layers[3];
};

static void read_request(struct cursor *c, struct route_request *q, struct lists *s)
{
	*q = (struct route_request){ .source = node_of(c), .target = node_of(c), .amount = MSAT(number(c)),
				     .fee_limit = MSAT(number(c)), .final_cltv = cursor_u8(c), .cltv_max = cursor_be16(c),
				     .parts_max = cursor_u8(c) % (ROUTE_PARTS_MAX + 2), .hops_max = cursor_u8(c) % (ROUTE_HOPS_MAX + 2),
				     .part_min = MSAT(number(c)), .has_own = cursor_u8(c) & 1, .own = s->own, .hints = s->hints,
				     .layers = (const struct route_layer *const *)s->layers, .now_s = cursor_be16(c) * 8,
				     .seed = cursor_u8(c) };
	if (cursor_u8(c) & 1)
		q->taste = (struct route_taste){ (uint32_t)number(c), (uint32_t)number(c), (uint32_t)number(c) };
	q->own_count = cursor_u8(c) % LIST_MAX;
	for (uint32_t i = 0; i < q->own_count; i++)
		s->own[i] = (struct route_own){ .scid = scid_of(c), .peer = node_of(c), .spendable = MSAT(number(c)),
						.htlc_min = MSAT(cursor_u8(c)), .htlc_max = MSAT(number(c)), .htlcs = cursor_u8(c) };
	q->hint_count = cursor_u8(c) % LIST_MAX;
	for (uint32_t i = 0; i < q->hint_count; i++) {
		struct route_policy p;

		s->hints[i] = (struct route_hint){ .from = node_of(c), .to = node_of(c), .scid = scid_of(c) };
		p = policy_of(c);
		s->hints[i].fee_base_msat = p.fee_base_msat;
		s->hints[i].fee_ppm = p.fee_ppm;
		s->hints[i].cltv_delta = p.cltv_delta;
		s->hints[i].htlc_min = p.htlc_min;
		s->hints[i].htlc_max = p.htlc_max;
	}
	q->layer_count = cursor_u8(c) % (ARRAY_COUNT(s->layers) + 1);
	for (uint32_t i = 0; i < q->layer_count; i++)
		for (uint32_t n = cursor_u8(c) % LIST_MAX; n; n--)
			read_rule(c, s->layers[i]);
}

/* Stored and loaded, the facts say the same. */
static struct liquidity *through_records(struct liquidity *l)
{
	struct liquidity *back = liquidity_new(seed16, 16, LIQUIDITY_HALF_LIFE_S);
	struct effects effects;
	struct step step = { .out = &effects };

	effects_init(&effects);
	liquidity_flush(l, &step);
	for (struct effect *e = effects.head; e; e = e->next)
		if (!e->u.persist.remove)
			ASSERT(liquidity_load(back, e->u.persist.key, e->u.persist.value));
	effects_release(&effects);
	liquidity_check(back);
	ASSERT(liquidity_count(back) == liquidity_count(l));
	return back;
}

static void layer_through_records(const struct route_layer *l)
{
	struct route_layer *back = route_layer_new(seed16, "back");
	const struct route_rule *r, *o;

	for (uint64_t at = 0; (r = route_layer_next(l, &at));) {
		struct buf x = BUF_EMPTY, y = BUF_EMPTY;

		route_rule_encode(r, &x);
		ASSERT(route_layer_load(back, BYTES_OF(r->key), buf_view(&x)));
		o = route_layer_find(back, r->kind, r->scid, r->direction, &r->node);
		ASSERT(o);
		route_rule_encode(o, &y);
		ASSERT(bytes_equal(buf_view(&x), buf_view(&y)));
		buf_release(&x);
		buf_release(&y);
	}
	ASSERT(route_layer_count(back) == route_layer_count(l));
	route_layer_free(back);
}

static void plan_one(const struct route_graph *g, struct route_planner *p, const struct route_request *q)
{
	struct route_planner *fresh = route_planner_new(g);
	struct route_plan x, y;
	struct arena a;

	arena_init(&a);
	route_plan(p, &x, &a, q);
	ASSERT(route_world_check(g, q, &x) == NULL);
	route_plan(fresh, &y, &a, q);
	ASSERT(x.verdict == y.verdict && x.fee.v == y.fee.v && x.part_count == y.part_count && x.chance_q30 == y.chance_q30);
	arena_release(&a);
	route_planner_free(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(BYTES(data, size));
	struct route_graph *g = read_graph(&c);
	struct liquidity *l = liquidity_new(seed16, 16, LIQUIDITY_HALF_LIFE_S), *back;
	struct route_planner *p = route_planner_new(g);

	for (uint32_t round = 0; round < 4 && c.left; round++) {
		struct lists lists = { 0 };
		struct route_request q;

		for (uint32_t i = 0; i < ARRAY_COUNT(lists.layers); i++)
			lists.layers[i] = route_layer_new(seed16, "fuzz");
		for (uint32_t n = cursor_u8(&c) % LIST_MAX; n; n--)
			read_fact(&c, l);
		read_request(&c, &q, &lists);
		q.liquidity = cursor_u8(&c) & 1 ? l : NULL;
		plan_one(g, p, &q);
		for (uint32_t i = 0; i < ARRAY_COUNT(lists.layers); i++) {
			layer_through_records(lists.layers[i]);
			route_layer_free(lists.layers[i]);
		}
	}
	back = through_records(l);
	liquidity_free(back);
	liquidity_free(l);
	route_planner_free(p);
	route_graph_free(g);
	return 0;
}
