/* Layers that have a name (route/layer.h), kept for users and plugins, and what they reserve for payments of their own.
 *
 * The rules of a layer that a question holds are never changed: who changes the layer then changes a copy.  A persistent
 * layer is stored rule by rule (RECORD_LAYER) with the command that changed it; reservations die with the process. */
#include "node/state.h"
#include "node/view.h"
#include "wire/records_route.h"

struct named_layer {
	char name[LAYERS_NAME_MAX + 1];
	bool persistent;
	uint64_t created_at_s;
	struct held_rules *held;
};

/* One hop of a path that a user reserved. */
struct user_reservation {
	struct user_reservation *next;
	struct scid scid;
	uint8_t direction;
	struct amount_msat amount;
	uint64_t at_ms;
	char layer[LAYERS_NAME_MAX + 1]; /* empty: for all */
	char command_id[LAYERS_NAME_MAX + 1];
};

struct layers {
	struct table by_name;
	uint32_t rule_count;
	struct user_reservation *reserved, **last;
	uint32_t reserved_count;
	uint8_t seed[16];
};

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

static struct named_layer *layer_get(const struct node *n, const char *name)
{
	return table_get(&n->layers->by_name, bytes_from_string(name));
}

struct held_rules *node_layers_hold(struct node *n, const char *name)
{
	const struct named_layer *l = layer_get(n, name);

	if (!l)
		return NULL;
	l->held->holders++;
	return l->held;
}

/* To be changed now. */
static struct route_layer *rules_of(struct named_layer *l, const struct step *s)
{
	if (l->held->holders > 1) {
		struct held_rules *copy = held_new(route_layer_clone(l->held->rules));

		held_rules_let_go(l->held);
		l->held = copy;
	}
	route_layer_at(l->held->rules, s->now_ms / 1000);
	return l->held->rules;
}

static void layer_free(struct named_layer *l)
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
		layer_free(l);
	table_release(&ls->by_name);
	while ((u = ls->reserved)) {
		ls->reserved = u->next;
		mem_free(u);
	}
	mem_free(ls);
}

static struct named_layer *layer_make(struct node *n, struct bytes name)
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
static void persist(struct step *s, const struct named_layer *l, const struct route_rule *r)
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

static void persist_gone(struct step *s, const struct named_layer *l, const struct route_rule *r)
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
		l = layer_make(n, name);
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

/* --- what a command does to a layer --- */

/* What went wrong, or NULL. */
typedef const char *layer_verb(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r);

static const char too_many[] = "there are too many rules in this layer, or in all of them together";

/* Whether another rule may be made. */
static bool has_room(const struct node *n)
{
	return n->layers->rule_count < LAYERS_RULES_MAX;
}

/* A rule of the layer was set, or was not: what was counted before, and what is stored. */
static const char *set(struct node *n, struct step *s, struct named_layer *l, bool done, uint32_t before, enum route_rule_kind kind,
		       const struct pubkey *node, const struct command *cmd)
{
	const struct route_rule *r;

	/* Less where a bound took the place of what had moved. */
	n->layers->rule_count += route_layer_count(l->held->rules) - before;
	if (!done)
		return too_many;
	r = route_layer_find(l->held->rules, kind, node ? (struct scid){ 0 } : cmd->u.layer.scid, node ? 0 : cmd->u.layer.direction, node);
	ASSERT(r);
	persist(s, l, r);
	return NULL;
}

static const char *create_channel(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	bool swap = memcmp(cmd->u.layer.node.v, cmd->u.layer.other.v, sizeof(cmd->u.layer.node.v)) > 0;
	struct route_channel c = { .scid = cmd->u.layer.scid, .capacity = msat_to_sat(cmd->u.layer.amount),
				   .node = { swap ? cmd->u.layer.other : cmd->u.layer.node, swap ? cmd->u.layer.node : cmd->u.layer.other } };
	const struct route_rule *was = route_layer_find(l->held->rules, ROUTE_RULE_CREATE, c.scid, 0, NULL);
	uint32_t before = route_layer_count(l->held->rules);

	(void)r;
	if (was && (!SAME(was->u.create.node[0], c.node[0]) || !SAME(was->u.create.node[1], c.node[1]) ||
		    was->u.create.capacity.v != c.capacity.v))
		return "the layer has a channel of that id between other nodes, or with another capacity";
	if (was)
		return NULL;
	if (SAME(c.node[0], c.node[1]) || !c.capacity.v || SAT_LESS(SAT(SUPPLY_SAT), c.capacity))
		return "a channel is between two nodes, and has a capacity of one satoshi or more";
	return set(n, s, l, has_room(n) && route_layer_create(rules_of(l, s), &c), before, ROUTE_RULE_CREATE, NULL, cmd);
}

static uint8_t sets_of(const struct command *cmd)
{
	return (uint8_t)((cmd->u.layer.has_enabled ? ROUTE_SETS_ENABLED : 0) | (cmd->u.layer.has_htlc_min ? ROUTE_SETS_HTLC_MIN : 0) |
			 (cmd->u.layer.has_htlc_max ? ROUTE_SETS_HTLC_MAX : 0) | (cmd->u.layer.has_fee_base ? ROUTE_SETS_FEE_BASE : 0) |
			 (cmd->u.layer.has_fee_ppm ? ROUTE_SETS_FEE_PPM : 0) | (cmd->u.layer.has_cltv_delta ? ROUTE_SETS_CLTV_DELTA : 0));
}

static const char *update_channel(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	struct route_policy p = { cmd->u.layer.enabled, cmd->u.layer.fee_base_msat, cmd->u.layer.fee_ppm, cmd->u.layer.cltv_delta,
				  cmd->u.layer.htlc_min, cmd->u.layer.htlc_max };
	uint32_t before = route_layer_count(l->held->rules);
	uint8_t sets = sets_of(cmd);

	(void)r;
	/* A channel that the layer made is of use once it has a policy. */
	if (!cmd->u.layer.has_enabled && route_layer_find(l->held->rules, ROUTE_RULE_CREATE, cmd->u.layer.scid, 0, NULL) &&
	    !route_layer_find(l->held->rules, ROUTE_RULE_UPDATE, cmd->u.layer.scid, cmd->u.layer.direction, NULL)) {
		p.enabled = true;
		sets |= ROUTE_SETS_ENABLED;
	}
	return set(n, s, l, has_room(n) && route_layer_update(rules_of(l, s), cmd->u.layer.scid, cmd->u.layer.direction, &p, sets),
		   before, ROUTE_RULE_UPDATE, NULL, cmd);
}

/* Drops a rule, and what is stored of it. */
static bool drop(struct node *n, struct step *s, struct named_layer *l, const struct route_rule *r)
{
	struct route_rule gone = *r;

	persist_gone(s, l, r);
	n->layers->rule_count--;
	return route_layer_drop(rules_of(l, s), gone.kind, gone.scid, gone.direction, &gone.node);
}

static const char *remove_update(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	const struct route_rule *was =
		route_layer_find(l->held->rules, ROUTE_RULE_UPDATE, cmd->u.layer.scid, cmd->u.layer.direction, NULL);

	(void)r;
	return was && drop(n, s, l, was) ? NULL : "the layer has no update of that channel";
}

static struct amount_msat reserved_there(const struct node *n, const struct named_layer *l, const struct command *cmd)
{
	const struct route_rule *own =
		route_layer_find(l->held->rules, ROUTE_RULE_RESERVE, cmd->u.layer.scid, cmd->u.layer.direction, NULL);
	struct amount_msat sum = node_ways_reserved(n, cmd->u.layer.scid, cmd->u.layer.direction);

	return own && !msat_add(&sum, sum, own->u.reserve) ? MSAT(0) : sum;
}

/* A newer bound that contradicts an older one is the one that counts. */
static bool constrain(struct named_layer *l, const struct step *s, const struct command *cmd, struct amount_msat amount)
{
	const struct route_rule *was =
		route_layer_find(l->held->rules, ROUTE_RULE_CONSTRAIN, cmd->u.layer.scid, cmd->u.layer.direction, NULL);
	struct amount_msat low = MSAT(0), high = MSAT(0);
	bool has_low = was && was->u.constrain.has_low, has_high = was && was->u.constrain.has_high;

	if (was) {
		low = was->u.constrain.low;
		high = was->u.constrain.high;
	}
	if (cmd->u.layer.what == INFORM_CONSTRAINED) {
		high = msat_sub_or_zero(amount, MSAT(1));
		has_low = has_low && !MSAT_LESS(high, low);
		has_high = true;
	} else {
		low = amount;
		has_high = has_high && !MSAT_LESS(high, low);
		has_low = true;
	}
	return route_layer_constrain(rules_of(l, s), cmd->u.layer.scid, cmd->u.layer.direction, has_low ? &low : NULL,
				     has_high ? &high : NULL);
}

/* What had moved before a bound was told is forgotten with the rules about it. */
static void moves_gone(struct step *s, const struct named_layer *l, struct scid scid)
{
	for (int d = 0; d < 2; d++) {
		const struct route_rule *r = route_layer_find(l->held->rules, ROUTE_RULE_MOVE, scid, d, NULL);

		if (r)
			persist_gone(s, l, r);
	}
}

static const char *inform(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	struct amount_msat amount = cmd->u.layer.amount;
	bool moved = cmd->u.layer.what == INFORM_SUCCEEDED, done;
	uint32_t before = route_layer_count(l->held->rules);
	const struct route_rule *rule;
	const char *wrong;

	if (!moved && !msat_add(&amount, amount, reserved_there(n, l, cmd)))
		return "the amount is more than there is";
	if (!has_room(n) || before >= ROUTE_LAYER_RULES_MAX)
		return too_many;
	if (!moved)
		moves_gone(s, l, cmd->u.layer.scid);
	done = moved ? route_layer_move(rules_of(l, s), cmd->u.layer.scid, cmd->u.layer.direction, amount) : constrain(l, s, cmd, amount);
	wrong = set(n, s, l, done, before, moved ? ROUTE_RULE_MOVE : ROUTE_RULE_CONSTRAIN, NULL, cmd);
	if (wrong)
		return wrong;
	rule = route_layer_find(l->held->rules, moved ? ROUTE_RULE_MOVE : ROUTE_RULE_CONSTRAIN, cmd->u.layer.scid,
				cmd->u.layer.direction, NULL);
	if (moved) {
		r->u.layer.moved = amount;
	} else {
		r->u.layer.has_low = rule->u.constrain.has_low;
		r->u.layer.has_high = rule->u.constrain.has_high;
		r->u.layer.low = rule->u.constrain.low;
		r->u.layer.high = rule->u.constrain.high;
	}
	return NULL;
}

/* False: beyond what a bias may be. */
static bool bias_of(int *out, const struct route_rule *was, const struct command *cmd)
{
	*out = cmd->u.layer.bias + (cmd->u.layer.relative && was ? was->u.bias.v : 0);
	return *out >= -100 && *out <= 100;
}

static const char out_of_range[] = "a bias is between -100 and 100";

static const char *bias_channel(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	const struct route_rule *was = route_layer_find(l->held->rules, ROUTE_RULE_BIAS, cmd->u.layer.scid, cmd->u.layer.direction, NULL);
	uint32_t before = route_layer_count(l->held->rules);
	const char *wrong;
	int bias;

	if (!bias_of(&bias, was, cmd))
		return out_of_range;
	wrong = set(n, s, l, has_room(n) && route_layer_bias(rules_of(l, s), cmd->u.layer.scid, cmd->u.layer.direction, bias, cmd->u.layer.note),
		    before, ROUTE_RULE_BIAS, NULL, cmd);
	if (wrong)
		return wrong;
	was = route_layer_find(l->held->rules, ROUTE_RULE_BIAS, cmd->u.layer.scid, cmd->u.layer.direction, NULL);
	r->u.layer.bias = bias;
	r->u.layer.note = arena_string(&s->out->arena, was->u.bias.note);
	return NULL;
}

static const char *bias_node(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	enum route_rule_kind kind = cmd->u.layer.in ? ROUTE_RULE_BIAS_NODE_IN : ROUTE_RULE_BIAS_NODE;
	enum route_rule_kind other = cmd->u.layer.in ? ROUTE_RULE_BIAS_NODE : ROUTE_RULE_BIAS_NODE_IN;
	const struct pubkey *node = &cmd->u.layer.node;
	const struct route_rule *was = route_layer_find(l->held->rules, kind, (struct scid){ 0 }, 0, node);
	uint32_t before = route_layer_count(l->held->rules);
	const char *wrong;
	int bias;

	if (!bias_of(&bias, was, cmd))
		return out_of_range;
	wrong = set(n, s, l, has_room(n) && route_layer_bias_node(rules_of(l, s), node, cmd->u.layer.in, bias, cmd->u.layer.note), before, kind,
		    node, cmd);
	if (wrong)
		return wrong;
	was = route_layer_find(l->held->rules, kind, (struct scid){ 0 }, 0, node);
	r->u.layer.note = arena_string(&s->out->arena, was->u.bias.note);
	was = route_layer_find(l->held->rules, other, (struct scid){ 0 }, 0, node);
	r->u.layer.bias = cmd->u.layer.in ? (was ? was->u.bias.v : 0) : bias;
	r->u.layer.bias_in = cmd->u.layer.in ? bias : (was ? was->u.bias.v : 0);
	return NULL;
}

static const char *disable_node(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	uint32_t before = route_layer_count(l->held->rules);

	(void)r;
	return set(n, s, l, has_room(n) && route_layer_exclude_node(rules_of(l, s), &cmd->u.layer.node), before, ROUTE_RULE_EXCLUDE_NODE,
		   &cmd->u.layer.node, cmd);
}

static bool ages(enum route_rule_kind kind)
{
	return kind == ROUTE_RULE_CONSTRAIN || kind == ROUTE_RULE_MOVE || kind == ROUTE_RULE_BIAS || kind == ROUTE_RULE_BIAS_NODE ||
	       kind == ROUTE_RULE_BIAS_NODE_IN;
}

static const char *age(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	const struct route_layer *rules = rules_of(l, s);
	const struct route_rule *rule;

	for (uint64_t at = 0; (rule = route_layer_next(rules, &at));)
		if (ages(rule->kind) && rule->at_s < cmd->u.layer.before_s)
			r->u.layer.removed += drop(n, s, l, rule);
	return NULL;
}

/* --- the layers themselves --- */

static const char *create(struct node *n, struct step *s, const struct command *cmd)
{
	const char *name = cmd->u.layer.layer;
	size_t size = strnlen(name, LAYERS_NAME_MAX + 1);
	struct named_layer *l;

	if (!size || size > LAYERS_NAME_MAX)
		return "the name of a layer has 1 to 100 bytes";
	if (!strncmp(name, "auto.", 5))
		return "names that begin with auto. are kept for layers that make themselves";
	l = layer_get(n, name);
	if (l)
		return l->persistent && cmd->u.layer.persistent ? NULL : "there is a layer of that name";
	if (table_count(&n->layers->by_name) == LAYERS_MAX)
		return "there are 256 layers already";
	l = layer_make(n, bytes_from_string(name));
	l->persistent = cmd->u.layer.persistent;
	l->created_at_s = s->now_ms / 1000;
	persist(s, l, NULL);
	return NULL;
}

static void remove_layer(struct node *n, struct step *s, struct named_layer *l)
{
	const struct route_rule *r;

	for (uint64_t at = 0; (r = route_layer_next(l->held->rules, &at));)
		if (r->kind != ROUTE_RULE_RESERVE) {
			persist_gone(s, l, r);
			n->layers->rule_count--;
		}
	persist_gone(s, l, NULL);
	ASSERT(table_remove(&n->layers->by_name, bytes_from_string(l->name)) == l);
	layer_free(l);
}

static void layer_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	static layer_verb *const verbs[] = {
		[LAYER_CREATE_CHANNEL] = create_channel, [LAYER_UPDATE_CHANNEL] = update_channel,
		[LAYER_REMOVE_UPDATE] = remove_update, [LAYER_INFORM] = inform, [LAYER_BIAS_CHANNEL] = bias_channel,
		[LAYER_BIAS_NODE] = bias_node, [LAYER_DISABLE_NODE] = disable_node, [LAYER_AGE] = age,
	};
	struct reply *r = ARENA_NEW(&s->out->arena, struct reply);
	struct named_layer *l = layer_get(n, cmd->u.layer.layer);
	const char *wrong = NULL;

	r->kind = COMMAND_LAYER;
	r->u.layer.order = cmd->u.layer.order;
	r->u.layer.layer = arena_string(&s->out->arena, cmd->u.layer.layer);
	r->u.layer.scid = cmd->u.layer.scid;
	r->u.layer.direction = cmd->u.layer.direction;
	r->u.layer.node = cmd->u.layer.node;
	r->u.layer.at_s = s->now_ms / 1000;
	if (cmd->u.layer.order == LAYER_CREATE)
		wrong = create(n, s, cmd);
	else if (!l)
		wrong = "there is no layer of that name";
	else if (cmd->u.layer.order == LAYER_REMOVE)
		remove_layer(n, s, l);
	else
		wrong = verbs[cmd->u.layer.order](n, s, l, cmd, r);
	if (wrong)
		node_reply_error(s, call, COMMAND_LAYER, REPLY_INVALID, wrong);
	else
		effect_reply(s->out, call, r);
}

/* --- what users reserve --- */

static struct user_reservation **find_reservation(struct layers *ls, const struct reserved_hop *h)
{
	struct user_reservation **at = &ls->reserved;

	while (*at && ((*at)->scid.v != h->scid.v || (*at)->direction != h->direction || msat_cmp((*at)->amount, h->amount) ||
		       strcmp((*at)->layer, h->layer ? h->layer : "") != 0))
		at = &(*at)->next;
	return at;
}

static bool put_reservation(struct node *n, const struct step *s, const struct reserved_hop *h, const char *command_id)
{
	struct named_layer *l = h->layer ? layer_get(n, h->layer) : NULL;
	struct layers *ls = n->layers;
	struct user_reservation *u;

	if (ls->reserved_count == LAYERS_RESERVED_MAX || (h->layer && !l))
		return false;
	if (l && !route_layer_reserve(rules_of(l, s), h->scid, h->direction, h->amount))
		return false;
	if (!l)
		node_ways_reserve(n, h->scid, h->direction, h->amount);
	u = NEW(struct user_reservation);
	u->scid = h->scid;
	u->direction = h->direction;
	u->amount = h->amount;
	u->at_ms = s->now_ms;
	if (h->layer)
		memcpy(u->layer, h->layer, strnlen(h->layer, LAYERS_NAME_MAX));
	memcpy(u->command_id, command_id, strnlen(command_id, LAYERS_NAME_MAX));
	*ls->last = u;
	ls->last = &u->next;
	ls->reserved_count++;
	return true;
}

static bool take_reservation(struct node *n, const struct step *s, const struct reserved_hop *h)
{
	struct layers *ls = n->layers;
	struct user_reservation **at = find_reservation(ls, h), *u = *at;
	struct named_layer *l = h->layer ? layer_get(n, h->layer) : NULL;

	if (!u)
		return false;
	/* The layer may have gone meanwhile, and come again. */
	if (l)
		(void)!route_layer_release(rules_of(l, s), h->scid, h->direction, h->amount);
	else if (!h->layer)
		node_ways_release(n, h->scid, h->direction, h->amount);
	*at = u->next;
	if (!*at)
		ls->last = at;
	ls->reserved_count--;
	mem_free(u);
	return true;
}

/* All of a path is reserved, or nothing of it. */
static bool reserve_path(struct node *n, const struct step *s, const struct command *cmd)
{
	uint32_t i = 0;

	while (i < cmd->u.reserve.hop_count && put_reservation(n, s, &cmd->u.reserve.hops[i], cmd->u.reserve.command_id))
		i++;
	if (i == cmd->u.reserve.hop_count)
		return true;
	while (i--)
		ASSERT(take_reservation(n, s, &cmd->u.reserve.hops[i]));
	return false;
}

/* What of it is reserved is taken back. */
static bool unreserve_path(struct node *n, const struct step *s, const struct command *cmd)
{
	bool all = true;

	for (uint32_t i = 0; i < cmd->u.reserve.hop_count; i++)
		all &= take_reservation(n, s, &cmd->u.reserve.hops[i]);
	return all;
}

static void reserve_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	if (cmd->u.reserve.back ? unreserve_path(n, s, cmd) : reserve_path(n, s, cmd))
		node_reply(s, call, COMMAND_RESERVE);
	else
		node_reply_error(s, call, COMMAND_RESERVE, REPLY_INVALID,
				 cmd->u.reserve.back ?
					 "a hop of the path was not reserved with that amount; what was is reserved no more" :
					 "a hop of the path cannot be reserved: too much, too many, or its layer is not there");
}

void node_layers_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	if (cmd->kind == COMMAND_LAYER)
		layer_command(n, s, call, cmd);
	else
		reserve_command(n, s, call, cmd);
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
	const struct named_layer *l = layer_get(n, name);

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
