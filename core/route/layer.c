#include "route/layer.h"

#include "base/table.h"

#define NAME_MAX_SIZE 128

/* A table for each kind: the planner applies kind after kind, and each in order of creation. */
struct route_layer {
	struct table rules[ROUTE_RULE_KINDS];
	uint32_t count;
	uint8_t seed[16];
	char name[NAME_MAX_SIZE];
};

static struct bytes rule_key(const void *object)
{
	return BYTES_OF(((const struct route_rule *)object)->key);
}

struct route_layer *route_layer_new(const uint8_t seed16[16], const char *name)
{
	struct route_layer *l = NEW(struct route_layer);

	memcpy(l->seed, seed16, sizeof(l->seed));
	for (int k = 0; k < ROUTE_RULE_KINDS; k++)
		table_init(&l->rules[k], rule_key, seed16);
	memcpy(l->name, name, strnlen(name, sizeof(l->name) - 1));
	return l;
}

struct route_layer *route_layer_clone(const struct route_layer *l)
{
	struct route_layer *copy = route_layer_new(l->seed, l->name);
	const struct route_rule *r;

	for (uint64_t at = 0; (r = route_layer_next(l, &at));) {
		struct route_rule *own = NEW(struct route_rule);

		*own = *r;
		table_add(&copy->rules[own->kind], own);
		copy->count++;
	}
	return copy;
}

void route_layer_free(struct route_layer *l)
{
	struct route_rule *r;

	if (!l)
		return;
	for (int k = 0; k < ROUTE_RULE_KINDS; k++) {
		for (uint32_t at = 0; (r = table_next(&l->rules[k], &at));)
			mem_free(r);
		table_release(&l->rules[k]);
	}
	mem_free(l);
}

const char *route_layer_name(const struct route_layer *l)
{
	return l->name;
}

uint32_t route_layer_count(const struct route_layer *l)
{
	return l->count;
}

static struct route_rule rule_of(enum route_rule_kind kind, struct scid scid, int direction, const struct pubkey *node)
{
	struct route_rule r = { .kind = kind, .scid = scid, .direction = (uint8_t)direction };

	ASSERT(direction == 0 || direction == 1);
	if (node)
		r.node = *node;
	r.key[0] = (uint8_t)kind;
	store_be64(r.key + 1, scid.v);
	r.key[9] = r.direction;
	memcpy(r.key + 10, r.node.v, sizeof(r.node.v));
	return r;
}

/* The rule about that thing, made if there is none; NULL if the layer is full. */
static struct route_rule *rule_for(struct route_layer *l, const struct route_rule *like)
{
	struct table *t = &l->rules[like->kind];
	struct route_rule *r = table_get(t, BYTES_OF(like->key));

	if (r || l->count == ROUTE_LAYER_RULES_MAX)
		return r;
	r = NEW(struct route_rule);
	*r = *like;
	table_add(t, r);
	l->count++;
	return r;
}

static bool set(struct route_layer *l, const struct route_rule *rule)
{
	struct route_rule *r = rule_for(l, rule);

	if (r)
		r->u = rule->u;
	return r;
}

bool route_layer_create(struct route_layer *l, const struct route_channel *c)
{
	struct route_rule r = rule_of(ROUTE_RULE_CREATE, c->scid, 0, NULL);

	if (memcmp(c->node[0].v, c->node[1].v, sizeof(c->node[0].v)) >= 0 || c->capacity.v == 0 ||
	    SAT_LESS(SAT(SUPPLY_SAT), c->capacity))
		return false;
	r.u.create = *c;
	return set(l, &r);
}

bool route_layer_update(struct route_layer *l, struct scid scid, int direction, const struct route_policy *p)
{
	struct route_rule r = rule_of(ROUTE_RULE_UPDATE, scid, direction, NULL);

	r.u.update = *p;
	return set(l, &r);
}

bool route_layer_constrain(struct route_layer *l, struct scid scid, int direction, const struct amount_msat *low,
			   const struct amount_msat *high)
{
	struct route_rule r = rule_of(ROUTE_RULE_CONSTRAIN, scid, direction, NULL);

	if (low && high && MSAT_LESS(*high, *low))
		return false;
	r.u.constrain.has_low = low;
	r.u.constrain.has_high = high;
	r.u.constrain.low = low ? *low : MSAT(0);
	r.u.constrain.high = high ? *high : MSAT(0);
	return set(l, &r);
}

static bool set_bias(struct route_layer *l, struct route_rule *r, int bias)
{
	r->u.bias = bias;
	return bias >= -100 && bias <= 100 && set(l, r);
}

bool route_layer_bias(struct route_layer *l, struct scid scid, int direction, int bias)
{
	struct route_rule r = rule_of(ROUTE_RULE_BIAS, scid, direction, NULL);

	return set_bias(l, &r, bias);
}

bool route_layer_bias_node(struct route_layer *l, const struct pubkey *node, int bias)
{
	struct route_rule r = rule_of(ROUTE_RULE_BIAS_NODE, (struct scid){ 0 }, 0, node);

	return set_bias(l, &r, bias);
}

bool route_layer_exclude(struct route_layer *l, struct scid scid, int direction)
{
	struct route_rule r = rule_of(ROUTE_RULE_EXCLUDE, scid, direction, NULL);

	return set(l, &r);
}

bool route_layer_exclude_node(struct route_layer *l, const struct pubkey *node)
{
	struct route_rule r = rule_of(ROUTE_RULE_EXCLUDE_NODE, (struct scid){ 0 }, 0, node);

	return set(l, &r);
}

bool route_layer_reserve(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount)
{
	struct route_rule like = rule_of(ROUTE_RULE_RESERVE, scid, direction, NULL), *r;
	struct amount_msat sum;

	r = table_get(&l->rules[ROUTE_RULE_RESERVE], BYTES_OF(like.key));
	if (!msat_add(&sum, r ? r->u.reserve : MSAT(0), amount) || MSAT_LESS(msat_of_sat(SAT(SUPPLY_SAT)), sum))
		return false;
	like.u.reserve = sum;
	return set(l, &like);
}

bool route_layer_release(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount)
{
	struct route_rule like = rule_of(ROUTE_RULE_RESERVE, scid, direction, NULL), *r;

	r = table_get(&l->rules[ROUTE_RULE_RESERVE], BYTES_OF(like.key));
	if (!r || !msat_sub(&r->u.reserve, r->u.reserve, amount))
		return false;
	return r->u.reserve.v || route_layer_drop(l, ROUTE_RULE_RESERVE, scid, direction, NULL);
}

bool route_layer_drop(struct route_layer *l, enum route_rule_kind kind, struct scid scid, int direction,
		      const struct pubkey *node)
{
	struct route_rule like = rule_of(kind, scid, direction, node);
	struct route_rule *r = table_remove(&l->rules[kind], BYTES_OF(like.key));

	if (!r)
		return false;
	mem_free(r);
	l->count--;
	return true;
}

const struct route_rule *route_layer_find(const struct route_layer *l, enum route_rule_kind kind, struct scid scid,
					  int direction, const struct pubkey *node)
{
	struct route_rule like = rule_of(kind, scid, direction, node);

	return table_get(&l->rules[kind], BYTES_OF(like.key));
}

const struct route_rule *route_layer_next(const struct route_layer *l, uint64_t *at)
{
	uint32_t kind = (uint32_t)(*at >> 32), position = (uint32_t)*at;
	const struct route_rule *r = NULL;

	while (kind < ROUTE_RULE_KINDS && !(r = table_next(&l->rules[kind], &position))) {
		kind++;
		position = 0;
	}
	*at = (uint64_t)kind << 32 | position;
	return r;
}
