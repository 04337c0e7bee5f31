#include "route/layer.h"

#include "base/table.h"
#include "wire/records_route.h"

#define NAME_MAX_SIZE 128

/* A table for each kind: the planner applies kind after kind, and each in order of creation. */
struct route_layer {
	struct table rules[ROUTE_RULE_KINDS];
	uint32_t count;
	uint64_t now_s;
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

void route_layer_at(struct route_layer *l, uint64_t now_s)
{
	l->now_s = now_s;
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

	if (r) {
		r->u = rule->u;
		r->at_s = l->now_s;
	}
	return r;
}

static struct route_rule *rule_at(const struct route_layer *l, const struct route_rule *like)
{
	return table_get(&l->rules[like->kind], BYTES_OF(like->key));
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

void route_policy_set(struct route_policy *p, const struct route_policy *with, uint8_t sets)
{
	if (sets & ROUTE_SETS_ENABLED)
		p->enabled = with->enabled;
	if (sets & ROUTE_SETS_HTLC_MIN)
		p->htlc_min = with->htlc_min;
	if (sets & ROUTE_SETS_HTLC_MAX)
		p->htlc_max = with->htlc_max;
	if (sets & ROUTE_SETS_FEE_BASE)
		p->fee_base_msat = with->fee_base_msat;
	if (sets & ROUTE_SETS_FEE_PPM)
		p->fee_ppm = with->fee_ppm;
	if (sets & ROUTE_SETS_CLTV_DELTA)
		p->cltv_delta = with->cltv_delta;
}

bool route_layer_update(struct route_layer *l, struct scid scid, int direction, const struct route_policy *p, uint8_t sets)
{
	struct route_rule r = rule_of(ROUTE_RULE_UPDATE, scid, direction, NULL), *was = rule_at(l, &r);

	if (was)
		r.u.update = was->u.update;
	route_policy_set(&r.u.update.policy, p, sets);
	r.u.update.sets |= sets;
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
	if (!set(l, &r))
		return false;
	for (int d = 0; d < 2; d++)
		(void)!route_layer_drop(l, ROUTE_RULE_MOVE, scid, d, NULL);
	return true;
}

bool route_layer_move(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount)
{
	struct route_rule like = rule_of(ROUTE_RULE_MOVE, scid, direction, NULL), *r = rule_at(l, &like);

	if (!msat_add(&like.u.moved, r ? r->u.moved : MSAT(0), amount) || MSAT_LESS(msat_of_sat(SAT(SUPPLY_SAT)), like.u.moved))
		return false;
	return set(l, &like);
}

static bool set_bias(struct route_layer *l, struct route_rule *r, int bias, const char *note)
{
	const struct route_rule *was = rule_at(l, r);

	if (was)
		r->u.bias = was->u.bias;
	r->u.bias.v = bias;
	if (note) {
		memset(r->u.bias.note, 0, sizeof(r->u.bias.note));
		memcpy(r->u.bias.note, note, strnlen(note, sizeof(r->u.bias.note) - 1));
	}
	return bias >= -100 && bias <= 100 && set(l, r);
}

bool route_layer_bias(struct route_layer *l, struct scid scid, int direction, int bias, const char *note)
{
	struct route_rule r = rule_of(ROUTE_RULE_BIAS, scid, direction, NULL);

	return set_bias(l, &r, bias, note);
}

bool route_layer_bias_node(struct route_layer *l, const struct pubkey *node, bool in, int bias, const char *note)
{
	struct route_rule r = rule_of(in ? ROUTE_RULE_BIAS_NODE_IN : ROUTE_RULE_BIAS_NODE, (struct scid){ 0 }, 0, node);

	return set_bias(l, &r, bias, note);
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
	struct route_rule like = rule_of(ROUTE_RULE_RESERVE, scid, direction, NULL), *r = rule_at(l, &like);
	struct amount_msat sum;

	if (!msat_add(&sum, r ? r->u.reserve : MSAT(0), amount) || MSAT_LESS(msat_of_sat(SAT(SUPPLY_SAT)), sum))
		return false;
	like.u.reserve = sum;
	return set(l, &like);
}

bool route_layer_release(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount)
{
	struct route_rule like = rule_of(ROUTE_RULE_RESERVE, scid, direction, NULL), *r = rule_at(l, &like);

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

/* --- records --- */

enum { FLAG_LOW = 1, FLAG_HIGH = 2 };

static struct record_layer_policy record_of(const struct route_policy *p)
{
	return (struct record_layer_policy){ p->enabled, p->htlc_min, p->htlc_max, p->fee_base_msat, p->fee_ppm, p->cltv_delta };
}

static struct route_policy policy_of(const struct record_layer_policy *p)
{
	return (struct route_policy){ p->enabled != 0, p->fee_base_msat, p->fee_ppm, p->cltv_delta, p->htlc_min, p->htlc_max };
}

void route_rule_encode(const struct route_rule *r, struct buf *out)
{
	struct record_layer_policy policies[2];
	struct pubkey nodes[2] = { r->u.create.node[0], r->u.create.node[1] };
	struct record_layer_rule k = { .at_s = r->at_s, .policies = policies, .nodes = nodes };

	switch (r->kind) {
	case ROUTE_RULE_CREATE:
		k.amount_1 = msat_of_sat(r->u.create.capacity);
		k.nodes_count = k.policies_count = 2;
		policies[0] = record_of(&r->u.create.policy[0]);
		policies[1] = record_of(&r->u.create.policy[1]);
		break;
	case ROUTE_RULE_UPDATE:
		k.flags = r->u.update.sets;
		k.policies_count = 1;
		policies[0] = record_of(&r->u.update.policy);
		break;
	case ROUTE_RULE_CONSTRAIN:
		k.flags = (uint8_t)((r->u.constrain.has_low ? FLAG_LOW : 0) | (r->u.constrain.has_high ? FLAG_HIGH : 0));
		k.amount_1 = r->u.constrain.low;
		k.amount_2 = r->u.constrain.high;
		break;
	case ROUTE_RULE_MOVE:
		k.amount_1 = r->u.moved;
		break;
	case ROUTE_RULE_RESERVE:
		k.amount_1 = r->u.reserve;
		break;
	case ROUTE_RULE_BIAS:
	case ROUTE_RULE_BIAS_NODE:
	case ROUTE_RULE_BIAS_NODE_IN:
		k.number = (uint32_t)(r->u.bias.v + 100);
		k.note = bytes_from_string(r->u.bias.note);
		break;
	case ROUTE_RULE_EXCLUDE:
	case ROUTE_RULE_EXCLUDE_NODE:
	case ROUTE_RULE_KINDS:
		break;
	}
	record_layer_rule_encode(&k, out);
}

/* What a setter would have let in, and no more. */
static bool rule_decode(struct route_rule *r, const struct record_layer_rule *k)
{
	const struct amount_msat most = msat_of_sat(SAT(SUPPLY_SAT));

	if (r->kind != ROUTE_RULE_CONSTRAIN && MSAT_LESS(most, k->amount_1))
		return false;
	switch (r->kind) {
	case ROUTE_RULE_CREATE:
		if (k->nodes_count != 2 || k->policies_count != 2 || memcmp(k->nodes[0].v, k->nodes[1].v, sizeof(k->nodes[0].v)) >= 0)
			return false;
		r->u.create = (struct route_channel){ r->scid, { k->nodes[0], k->nodes[1] }, msat_to_sat(k->amount_1),
						      { policy_of(&k->policies[0]), policy_of(&k->policies[1]) } };
		return r->u.create.capacity.v != 0;
	case ROUTE_RULE_UPDATE:
		if (k->policies_count != 1)
			return false;
		r->u.update.sets = k->flags & ROUTE_SETS_ALL;
		r->u.update.policy = policy_of(&k->policies[0]);
		return true;
	case ROUTE_RULE_CONSTRAIN:
		r->u.constrain.has_low = k->flags & FLAG_LOW;
		r->u.constrain.has_high = k->flags & FLAG_HIGH;
		r->u.constrain.low = k->amount_1;
		r->u.constrain.high = k->amount_2;
		return !(k->flags & FLAG_LOW && k->flags & FLAG_HIGH && MSAT_LESS(k->amount_2, k->amount_1));
	case ROUTE_RULE_MOVE:
		r->u.moved = k->amount_1;
		return true;
	case ROUTE_RULE_RESERVE:
		r->u.reserve = k->amount_1;
		return true;
	case ROUTE_RULE_BIAS:
	case ROUTE_RULE_BIAS_NODE:
	case ROUTE_RULE_BIAS_NODE_IN:
		if (k->number > 200 || k->note.size >= ROUTE_NOTE_SIZE)
			return false;
		r->u.bias.v = (int)k->number - 100;
		memcpy(r->u.bias.note, k->note.data, k->note.size);
		return true;
	case ROUTE_RULE_EXCLUDE:
	case ROUTE_RULE_EXCLUDE_NODE:
		return true;
	case ROUTE_RULE_KINDS:
		break;
	}
	return false;
}

bool route_layer_load(struct route_layer *l, struct bytes key, struct bytes value)
{
	struct record_layer_rule k;
	struct route_rule r, *own = NULL;
	struct pubkey node;
	struct arena memory_of_record;

	if (key.size != ROUTE_KEY_SIZE || key.data[0] >= ROUTE_RULE_KINDS || key.data[9] > 1)
		return false;
	memcpy(node.v, key.data + 10, sizeof(node.v));
	r = rule_of(key.data[0], (struct scid){ load_be64(key.data + 1) }, key.data[9], &node);
	arena_init(&memory_of_record);
	if (record_layer_rule_decode(value, &memory_of_record, &k) && rule_decode(&r, &k)) {
		r.at_s = k.at_s;
		own = rule_for(l, &r);
		if (own)
			*own = r;
	}
	arena_release(&memory_of_record);
	return own;
}
