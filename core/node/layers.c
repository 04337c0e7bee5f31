/* Layers that have a name (route/layer.h), kept for users and plugins, and what they reserve for payments of their own.
 *
 * The rules of a layer that a question holds are never changed: who changes the layer then changes a copy.  A persistent
 * layer is stored rule by rule (RECORD_LAYER) with the command that changed it; reservations die with the process. */
#include "node/layers.h"
#include "node/view.h"
#include "wire/records_route.h"

static struct bytes layer_name(const void *p)
{
	return bytes_from_string(((const struct named_layer *)p)->name);
}

void node_layers_init(struct node *n, const uint8_t seed16[16])
{
	struct layers *l = NEW(struct layers);

	memcpy(l->seed, seed16, sizeof(l->seed));
	table_init(&l->by_name, layer_name, seed16);
	l->last = &l->reserved;
	n->layers = l;
}

/* --- rules that are held --- */

static struct held_rules *held_new(struct route_layer *rules)
{
	struct held_rules *h = NEW(struct held_rules);

	h->rules = rules;
	h->holders = 1;
	return h;
}

void held_rules_let_go(struct held_rules *h)
{
	if (--h->holders)
		return;
	route_layer_free(h->rules);
	mem_free(h);
}

struct named_layer *node_layer_get(const struct node *n, const char *name)
{
	return table_get(&n->layers->by_name, bytes_from_string(name));
}

struct held_rules *node_layers_hold(struct node *n, const char *name)
{
	const struct named_layer *l = node_layer_get(n, name);

	if (!l)
		return NULL;
	l->held->holders++;
	return l->held;
}

/* To be changed now. */
struct route_layer *node_layer_rules(struct named_layer *l, const struct step *s)
{
	if (l->held->holders > 1) {
		struct held_rules *copy = held_new(route_layer_clone(l->held->rules));

		held_rules_let_go(l->held);
		l->held = copy;
	}
	route_layer_at(l->held->rules, s->now_ms / 1000);
	return l->held->rules;
}

void node_layer_free(struct named_layer *l)
{
	held_rules_let_go(l->held);
	mem_free(l);
}

void node_layers_free(struct node *n)
{
	struct layers *ls = n->layers;
	struct user_reservation *u;
	struct named_layer *l;

	for (uint32_t at = 0; (l = table_next(&ls->by_name, &at));)
		node_layer_free(l);
	table_release(&ls->by_name);
	while ((u = ls->reserved)) {
		ls->reserved = u->next;
		mem_free(u);
	}
	mem_free(ls);
}

struct named_layer *node_layer_make(struct node *n, struct bytes name)
{
	struct named_layer *l = NEW(struct named_layer);

	ASSERT(name.size && name.size <= LAYERS_NAME_MAX);
	memcpy(l->name, name.data, name.size);
	l->held = held_new(route_layer_new(n->layers->seed, l->name));
	table_add(&n->layers->by_name, l);
	return l;
}

/* --- records --- */

static void record_key(struct buf *out, const struct named_layer *l, const struct route_rule *r)
{
	buf_add_u8(out, (uint8_t)strlen(l->name));
	buf_add_bytes(out, bytes_from_string(l->name));
	if (r)
		buf_add_bytes(out, BYTES_OF(r->key));
}

/* r: NULL is the layer itself. */
void node_layer_persist(struct step *s, const struct named_layer *l, const struct route_rule *r)
{
	struct buf key = BUF_EMPTY, value = BUF_EMPTY;
	struct record_layer k = { l->created_at_s };

	if (!l->persistent)
		return;
	record_key(&key, l, r);
	if (r)
		route_rule_encode(r, &value);
	else
		record_layer_encode(&k, &value);
	effect_persist(s->out, RECORD_LAYER, buf_view(&key), buf_view(&value));
	buf_release(&key);
	buf_release(&value);
}

void node_layer_persist_gone(struct step *s, const struct named_layer *l, const struct route_rule *r)
{
	struct buf key = BUF_EMPTY;

	if (!l->persistent)
		return;
	record_key(&key, l, r);
	effect_remove(s->out, RECORD_LAYER, buf_view(&key));
	buf_release(&key);
}

/* A rule may come before its layer. */
bool node_layers_load(struct node *n, struct bytes key, struct bytes value)
{
	struct cursor c = cursor_of(key);
	struct bytes name = cursor_bytes(&c, cursor_u8(&c));
	struct record_layer k;
	struct named_layer *l;
	struct arena a;
	bool good;

	if (c.failed || !name.size || name.size > LAYERS_NAME_MAX || memchr(name.data, 0, name.size))
		return false;
	l = table_get(&n->layers->by_name, name);
	if (!l)
		l = node_layer_make(n, name);
	l->persistent = true;
	if (c.left) {
		good = route_layer_load(l->held->rules, cursor_bytes(&c, c.left), value);
		n->layers->rule_count += good;
		return good;
	}
	arena_init(&a);
	good = record_layer_decode(value, &a, &k);
	if (good)
		l->created_at_s = k.created_at_s;
	arena_release(&a);
	return good;
}

/* --- views --- */

bool node_view_layer(const struct node *n, uint32_t *at, struct layer_view *out)
{
	const struct named_layer *l = table_next(&n->layers->by_name, at);

	if (l)
		*out = (struct layer_view){ l->name, l->persistent, l->held->rules };
	return l;
}

bool node_view_layer_named(const struct node *n, const char *name, struct layer_view *out)
{
	const struct named_layer *l = node_layer_get(n, name);

	if (l)
		*out = (struct layer_view){ l->name, l->persistent, l->held->rules };
	return l;
}

bool node_view_reservation(const struct node *n, const void **after, struct reservation_view *out)
{
	const struct user_reservation *last = *after, *u = last ? last->next : n->layers->reserved;

	*after = u;
	if (u)
		*out = (struct reservation_view){ u->scid, u->direction, u->amount, u->at_ms, u->command_id };
	return u;
}

void node_layers_check(const struct node *n)
{
	const struct user_reservation *u = n->layers->reserved;
	const struct named_layer *l;
	uint32_t rules = 0, reserved = 0;

	for (uint32_t at = 0; (l = table_next(&n->layers->by_name, &at));) {
		const struct route_rule *r;

		ASSERT(l->held->holders);
		for (uint64_t k = 0; (r = route_layer_next(l->held->rules, &k));)
			rules += r->kind != ROUTE_RULE_RESERVE;
	}
	for (; u; u = u->next)
		reserved++;
	ASSERT(rules == n->layers->rule_count && rules <= LAYERS_RULES_MAX + LAYERS_MAX);
	ASSERT(reserved == n->layers->reserved_count);
}
