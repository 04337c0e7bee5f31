/* COMMAND_LAYER: layers are made and removed, and their rules set, dropped and aged. */
#include "node/layers.h"

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
	node_layer_persist(s, l, r);
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
	return set(n, s, l, has_room(n) && route_layer_create(node_layer_rules(l, s), &c), before, ROUTE_RULE_CREATE, NULL, cmd);
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
	return set(n, s, l, has_room(n) && route_layer_update(node_layer_rules(l, s), cmd->u.layer.scid, cmd->u.layer.direction, &p, sets),
		   before, ROUTE_RULE_UPDATE, NULL, cmd);
}

/* Drops a rule, and what is stored of it. */
static bool drop(struct node *n, struct step *s, struct named_layer *l, const struct route_rule *r)
{
	struct route_rule gone = *r;

	node_layer_persist_gone(s, l, r);
	n->layers->rule_count--;
	return route_layer_drop(node_layer_rules(l, s), gone.kind, gone.scid, gone.direction, &gone.node);
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
	return route_layer_constrain(node_layer_rules(l, s), cmd->u.layer.scid, cmd->u.layer.direction, has_low ? &low : NULL,
				     has_high ? &high : NULL);
}

/* What had moved before a bound was told is forgotten with the rules about it. */
static void moves_gone(struct step *s, const struct named_layer *l, struct scid scid)
{
	for (int d = 0; d < 2; d++) {
		const struct route_rule *r = route_layer_find(l->held->rules, ROUTE_RULE_MOVE, scid, d, NULL);

		if (r)
			node_layer_persist_gone(s, l, r);
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
	done = moved ? route_layer_move(node_layer_rules(l, s), cmd->u.layer.scid, cmd->u.layer.direction, amount) : constrain(l, s, cmd, amount);
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
	wrong = set(n, s, l, has_room(n) && route_layer_bias(node_layer_rules(l, s), cmd->u.layer.scid, cmd->u.layer.direction, bias, cmd->u.layer.note),
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
	wrong = set(n, s, l, has_room(n) && route_layer_bias_node(node_layer_rules(l, s), node, cmd->u.layer.in, bias, cmd->u.layer.note), before, kind,
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
	return set(n, s, l, has_room(n) && route_layer_exclude_node(node_layer_rules(l, s), &cmd->u.layer.node), before, ROUTE_RULE_EXCLUDE_NODE,
		   &cmd->u.layer.node, cmd);
}

static bool ages(enum route_rule_kind kind)
{
	return kind == ROUTE_RULE_CONSTRAIN || kind == ROUTE_RULE_MOVE || kind == ROUTE_RULE_BIAS || kind == ROUTE_RULE_BIAS_NODE ||
	       kind == ROUTE_RULE_BIAS_NODE_IN;
}

static const char *age(struct node *n, struct step *s, struct named_layer *l, const struct command *cmd, struct reply *r)
{
	const struct route_layer *rules = node_layer_rules(l, s);
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
	l = node_layer_get(n, name);
	if (l)
		return l->persistent && cmd->u.layer.persistent ? NULL : "there is a layer of that name";
	if (table_count(&n->layers->by_name) == LAYERS_MAX)
		return "there are 256 layers already";
	l = node_layer_make(n, bytes_from_string(name));
	l->persistent = cmd->u.layer.persistent;
	l->created_at_s = s->now_ms / 1000;
	node_layer_persist(s, l, NULL);
	return NULL;
}

static void remove_layer(struct node *n, struct step *s, struct named_layer *l)
{
	const struct route_rule *r;

	for (uint64_t at = 0; (r = route_layer_next(l->held->rules, &at));)
		if (r->kind != ROUTE_RULE_RESERVE) {
			node_layer_persist_gone(s, l, r);
			n->layers->rule_count--;
		}
	node_layer_persist_gone(s, l, NULL);
	ASSERT(table_remove(&n->layers->by_name, bytes_from_string(l->name)) == l);
	node_layer_free(l);
}

void node_layer_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	static layer_verb *const verbs[] = {
		[LAYER_CREATE_CHANNEL] = create_channel, [LAYER_UPDATE_CHANNEL] = update_channel,
		[LAYER_REMOVE_UPDATE] = remove_update, [LAYER_INFORM] = inform, [LAYER_BIAS_CHANNEL] = bias_channel,
		[LAYER_BIAS_NODE] = bias_node, [LAYER_DISABLE_NODE] = disable_node, [LAYER_AGE] = age,
	};
	struct reply *r = ARENA_NEW(&s->out->arena, struct reply);
	struct named_layer *l = node_layer_get(n, cmd->u.layer.layer);
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
