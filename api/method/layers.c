/* The askrene family: layers over the graph, and what users reserve in it. */
#include "api/method/inner.h"

#include <string.h>

#include "route/layer.h"

#define PATH_MAX_HOPS 27u

/* --- orders --- */

static struct command layer_order(const struct params *params, enum layer_order what)
{
	struct command c = { .kind = COMMAND_LAYER };

	c.u.layer.order = what;
	c.u.layer.layer = params_string(params, "layer");
	return c;
}

static void scid_dir_param(struct command *c, const struct params *params)
{
	const struct value *v = params_get(params, "short_channel_id_dir");

	c->u.layer.scid = v->u.scid_dir.scid;
	c->u.layer.direction = v->u.scid_dir.direction;
}

void method_askrene_create_layer(void *context, struct lampo_call *call, struct params *params)
{
	struct command c = layer_order(params, LAYER_CREATE);

	c.u.layer.persistent = params_bool(params, "persistent");
	order(context, call, &c);
}

void method_askrene_remove_layer(void *context, struct lampo_call *call, struct params *params)
{
	struct command c = layer_order(params, LAYER_REMOVE);

	order(context, call, &c);
}

void method_askrene_create_channel(void *context, struct lampo_call *call, struct params *params)
{
	struct command c = layer_order(params, LAYER_CREATE_CHANNEL);

	c.u.layer.node = params_get(params, "source")->u.pubkey;
	c.u.layer.other = params_get(params, "destination")->u.pubkey;
	c.u.layer.scid = params_get(params, "short_channel_id")->u.scid;
	c.u.layer.amount = params_get(params, "capacity_msat")->u.msat;
	order(context, call, &c);
}

void method_askrene_update_channel(void *context, struct lampo_call *call, struct params *params)
{
	const struct value *enabled = params_get(params, "enabled"), *low = params_get(params, "htlc_minimum_msat"),
			   *high = params_get(params, "htlc_maximum_msat"), *base = params_get(params, "fee_base_msat"),
			   *ppm = params_get(params, "fee_proportional_millionths"), *delta = params_get(params, "cltv_expiry_delta");
	struct command c = layer_order(params, LAYER_UPDATE_CHANNEL);

	scid_dir_param(&c, params);
	c.u.layer.has_enabled = enabled != NULL;
	c.u.layer.enabled = enabled && enabled->u.boolean;
	c.u.layer.has_htlc_min = low != NULL;
	c.u.layer.htlc_min = low ? low->u.msat : MSAT(0);
	c.u.layer.has_htlc_max = high != NULL;
	c.u.layer.htlc_max = high ? high->u.msat : MSAT(0);
	c.u.layer.has_fee_base = base != NULL;
	c.u.layer.has_fee_ppm = ppm != NULL;
	c.u.layer.fee_ppm = ppm ? (uint32_t)ppm->u.number : 0;
	c.u.layer.has_cltv_delta = delta != NULL;
	c.u.layer.cltv_delta = delta ? (uint16_t)delta->u.number : 0;
	if (base && MSAT_LESS(MSAT(UINT32_MAX), base->u.msat)) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'fee_base_msat' is at most %umsat", UINT32_MAX);
		return;
	}
	c.u.layer.fee_base_msat = base ? (uint32_t)base->u.msat.v : 0;
	order(context, call, &c);
}

void method_askrene_remove_channel_update(void *context, struct lampo_call *call, struct params *params)
{
	struct command c = layer_order(params, LAYER_REMOVE_UPDATE);

	scid_dir_param(&c, params);
	order(context, call, &c);
}

void method_askrene_inform_channel(void *context, struct lampo_call *call, struct params *params)
{
	const char *what = params_string(params, "inform");
	struct command c = layer_order(params, LAYER_INFORM);

	scid_dir_param(&c, params);
	c.u.layer.amount = params_get(params, "amount_msat")->u.msat;
	c.u.layer.what = !strcmp(what, "constrained")   ? INFORM_CONSTRAINED :
			 !strcmp(what, "unconstrained") ? INFORM_UNCONSTRAINED :
							  INFORM_SUCCEEDED;
	order(context, call, &c);
}

/* False: the call was failed. */
MUST_USE static bool bias_param(struct lampo_call *call, struct command *c, const struct params *params)
{
	int64_t bias = params_get(params, "bias")->u.integer;

	c->u.layer.note = params_string_or_null(params, "description");
	c->u.layer.relative = params_bool(params, "relative");
	c->u.layer.bias = (int)bias;
	if (bias >= -200 && bias <= 200 && (!c->u.layer.note || strlen(c->u.layer.note) < ROUTE_NOTE_SIZE))
		return true;
	rpc_fail(call, RPC_INVALID_PARAMS, NULL, "a bias is between -100 and 100, and its description shorter than %u bytes",
		 ROUTE_NOTE_SIZE);
	return false;
}

void method_askrene_bias_channel(void *context, struct lampo_call *call, struct params *params)
{
	struct command c = layer_order(params, LAYER_BIAS_CHANNEL);

	scid_dir_param(&c, params);
	if (bias_param(call, &c, params))
		order(context, call, &c);
}

void method_askrene_bias_node(void *context, struct lampo_call *call, struct params *params)
{
	struct command c = layer_order(params, LAYER_BIAS_NODE);

	c.u.layer.node = params_get(params, "node")->u.pubkey;
	c.u.layer.in = !strcmp(params_string(params, "direction"), "in");
	if (bias_param(call, &c, params))
		order(context, call, &c);
}

void method_askrene_disable_node(void *context, struct lampo_call *call, struct params *params)
{
	struct command c = layer_order(params, LAYER_DISABLE_NODE);

	c.u.layer.node = params_get(params, "node")->u.pubkey;
	order(context, call, &c);
}

void method_askrene_age(void *context, struct lampo_call *call, struct params *params)
{
	struct command c = layer_order(params, LAYER_AGE);

	c.u.layer.before_s = params_number(params, "cutoff");
	order(context, call, &c);
}

static bool read_hop(struct reserved_hop *out, const json_t *hop, struct arena *a)
{
	const json_t *where = json_object_get(hop, "short_channel_id_dir"), *amount = json_object_get(hop, "amount_msat");
	const json_t *layer = json_object_get(hop, "layer");
	struct value channel, msat;
	char why[RPC_WHY_SIZE];

	if (!where || !amount || !value_read(&channel, LAMPO_SCID_DIR, where, a, why) || !value_read(&msat, LAMPO_MSAT, amount, a, why) ||
	    (layer && !json_is_string(layer)))
		return false;
	*out = (struct reserved_hop){ channel.u.scid_dir.scid, channel.u.scid_dir.direction, msat.u.msat,
				      layer ? json_string_value(layer) : NULL };
	return true;
}

static void reserve(void *context, struct lampo_call *call, struct params *params, bool back)
{
	const json_t *path = params_get(params, "path")->u.json, *id = rpc_call_id(call);
	size_t count = json_array_size(path);
	struct reserved_hop *hops = ARENA_ARRAY(&params->arena, struct reserved_hop, count);
	struct command c = { .kind = COMMAND_RESERVE };
	struct buf text = BUF_EMPTY;

	for (size_t i = 0; i < count; i++)
		if (count > PATH_MAX_HOPS || !read_hop(&hops[i], json_array_get(path, i), &params->arena)) {
			rpc_fail(call, RPC_INVALID_PARAMS, NULL,
				 "parameter 'path' should be at most %u of {\"short_channel_id_dir\", \"amount_msat\"}, as getroutes gives them",
				 PATH_MAX_HOPS);
			return;
		}
	if (id && !json_is_string(id))
		json_write(&text, id);
	buf_add_u8(&text, 0);
	c.u.reserve.back = back;
	c.u.reserve.hops = hops;
	c.u.reserve.hop_count = (uint32_t)count;
	c.u.reserve.command_id = json_is_string(id) ? json_string_value(id) : (const char *)text.data;
	order(context, call, &c);
	buf_release(&text);
}

void method_askrene_reserve(void *context, struct lampo_call *call, struct params *params)
{
	reserve(context, call, params, false);
}

void method_askrene_unreserve(void *context, struct lampo_call *call, struct params *params)
{
	reserve(context, call, params, true);
}

/* --- a layer as it is shown --- */

static json_t *created_json(const struct route_rule *r)
{
	json_t *o = json_new_object();

	json_add_hex(o, "source", BYTES_OF(r->u.create.node[0].v));
	json_add_hex(o, "destination", BYTES_OF(r->u.create.node[1].v));
	json_add_scid(o, "short_channel_id", r->scid);
	json_add_sat_as_msat(o, "capacity_msat", r->u.create.capacity);
	return o;
}

static json_t *update_json(const struct route_rule *r)
{
	const struct route_policy *p = &r->u.update.policy;
	uint8_t sets = r->u.update.sets;
	json_t *o = json_new_object();

	add_scid_dir(o, r->scid, r->direction);
	if (sets & ROUTE_SETS_ENABLED)
		json_add_bool(o, "enabled", p->enabled);
	if (sets & ROUTE_SETS_HTLC_MIN)
		json_add_msat(o, "htlc_minimum_msat", p->htlc_min);
	if (sets & ROUTE_SETS_HTLC_MAX)
		json_add_msat(o, "htlc_maximum_msat", p->htlc_max);
	if (sets & ROUTE_SETS_FEE_BASE)
		json_add_msat(o, "fee_base_msat", MSAT(p->fee_base_msat));
	if (sets & ROUTE_SETS_FEE_PPM)
		json_add_u64(o, "fee_proportional_millionths", p->fee_ppm);
	if (sets & ROUTE_SETS_CLTV_DELTA)
		json_add_u64(o, "cltv_expiry_delta", p->cltv_delta);
	return o;
}

static json_t *channel_fact(const char *layer, struct scid scid, uint8_t direction, uint64_t at_s)
{
	json_t *o = json_new_object();

	if (layer)
		json_add_string(o, "layer", layer);
	add_scid_dir(o, scid, direction);
	json_add_u64(o, "timestamp", at_s);
	return o;
}

static json_t *constraint_json(const struct route_rule *r)
{
	json_t *o = channel_fact(NULL, r->scid, r->direction, r->at_s);

	if (r->u.constrain.has_low)
		json_add_msat(o, "minimum_msat", r->u.constrain.low);
	if (r->u.constrain.has_high)
		json_add_msat(o, "maximum_msat", r->u.constrain.high);
	return o;
}

static json_t *impression_json(const struct route_rule *r)
{
	json_t *o = channel_fact(NULL, r->scid, r->direction, r->at_s);

	json_add_msat(o, "amount_msat", r->u.moved);
	return o;
}

static json_t *bias_json(const struct route_rule *r)
{
	json_t *o = channel_fact(NULL, r->scid, r->direction, r->at_s);

	json_add(o, "bias", json_integer(r->u.bias.v));
	if (r->u.bias.note[0])
		json_add_string(o, "description", r->u.bias.note);
	return o;
}

/* A node that is liked or not both ways is one entry: `other` is the rule about the other way, or NULL. */
static json_t *node_bias_json(const struct route_rule *r, const struct route_rule *other)
{
	bool in = r->kind == ROUTE_RULE_BIAS_NODE_IN;
	const struct route_rule *noted = r->u.bias.note[0] ? r : other && other->u.bias.note[0] ? other : NULL;
	json_t *o = json_new_object();

	json_add_hex(o, "node", BYTES_OF(r->node.v));
	json_add(o, "in_bias", json_integer(in ? r->u.bias.v : other ? other->u.bias.v : 0));
	json_add(o, "out_bias", json_integer(in ? (other ? other->u.bias.v : 0) : r->u.bias.v));
	if (noted)
		json_add_string(o, "description", noted->u.bias.note);
	json_add_u64(o, "timestamp", other && other->at_s > r->at_s ? other->at_s : r->at_s);
	return o;
}

struct layer_lists {
	json_t *nodes, *created, *updates, *constraints, *impressions, *biases, *node_biases;
};

static void add_rule(struct layer_lists *l, const struct route_layer *rules, const struct route_rule *r)
{
	const struct route_rule *other = NULL;
	json_t *id;

	switch (r->kind) {
	case ROUTE_RULE_CREATE:
		json_append(l->created, created_json(r));
		return;
	case ROUTE_RULE_UPDATE:
		json_append(l->updates, update_json(r));
		return;
	case ROUTE_RULE_CONSTRAIN:
		json_append(l->constraints, constraint_json(r));
		return;
	case ROUTE_RULE_MOVE:
		json_append(l->impressions, impression_json(r));
		return;
	case ROUTE_RULE_BIAS:
		json_append(l->biases, bias_json(r));
		return;
	case ROUTE_RULE_BIAS_NODE:
		other = route_layer_find(rules, ROUTE_RULE_BIAS_NODE_IN, r->scid, 0, &r->node);
		json_append(l->node_biases, node_bias_json(r, other));
		return;
	case ROUTE_RULE_BIAS_NODE_IN:
		/* With the other way, if there is a rule about it. */
		if (!route_layer_find(rules, ROUTE_RULE_BIAS_NODE, r->scid, 0, &r->node))
			json_append(l->node_biases, node_bias_json(r, NULL));
		return;
	case ROUTE_RULE_EXCLUDE_NODE:
		id = json_new_object();
		json_add_hex(id, "id", BYTES_OF(r->node.v));
		json_append(l->nodes, json_incref(json_object_get(id, "id")));
		json_decref(id);
		return;
	case ROUTE_RULE_RESERVE: /* askrene-listreservations has them */
	case ROUTE_RULE_EXCLUDE: /* no user makes one */
	case ROUTE_RULE_KINDS:
		return;
	}
}

static json_t *layer_json(const struct layer_view *v)
{
	struct layer_lists l = { json_new_array(), json_new_array(), json_new_array(), json_new_array(),
				 json_new_array(), json_new_array(), json_new_array() };
	const struct route_rule *r;
	json_t *o = json_new_object();

	for (uint64_t at = 0; (r = route_layer_next(v->rules, &at));)
		add_rule(&l, v->rules, r);
	json_add_string(o, "layer", v->name);
	json_add_bool(o, "persistent", v->persistent);
	json_add(o, "disabled_nodes", l.nodes);
	json_add(o, "created_channels", l.created);
	json_add(o, "channel_updates", l.updates);
	json_add(o, "constraints", l.constraints);
	json_add(o, "impressions", l.impressions);
	json_add(o, "biases", l.biases);
	json_add(o, "node_biases", l.node_biases);
	return o;
}

/* name: NULL is all of them. */
static json_t *layers_json(const struct methods *m, const char *name)
{
	json_t *o = json_new_object(), *list = json_new_array();
	struct layer_view v;
	uint32_t at = 0;

	json_add(o, "layers", list);
	if (name && node_view_layer_named(m->port.node, name, &v))
		json_append(list, layer_json(&v));
	while (!name && node_view_layer(m->port.node, &at, &v))
		json_append(list, layer_json(&v));
	return o;
}

static json_t *listlayers(const struct methods *m, struct params *params, struct refusal *refusal)
{
	const char *name = params_string_or_null(params, "layer");
	struct layer_view v;

	if (name && !node_view_layer_named(m->port.node, name, &v))
		return refuse(refusal, RPC_INVALID_PARAMS, "there is no layer of that name");
	return layers_json(m, name);
}

void method_askrene_listlayers(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, listlayers);
}

static json_t *listreservations(const struct methods *m, struct params *params, struct refusal *refusal)
{
	uint64_t now_ms = m->port.now_ms(m->port.context);
	json_t *o = json_new_object(), *list = json_new_array();
	struct reservation_view v;
	const void *after = NULL;

	(void)params;
	(void)refusal;
	while (node_view_reservation(m->port.node, &after, &v)) {
		json_t *r = json_new_object();

		add_scid_dir(r, v.scid, v.direction);
		json_add_msat(r, "amount_msat", v.amount);
		json_add_u64(r, "age_in_seconds", now_ms > v.at_ms ? (now_ms - v.at_ms) / 1000 : 0);
		json_add_text(r, "command_id", bytes_from_string(v.command_id));
		json_append(list, r);
	}
	json_add(o, "reservations", list);
	return o;
}

void method_askrene_listreservations(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, listreservations);
}

/* --- answers to orders --- */

static json_t *informed(const struct reply *r)
{
	json_t *o = json_new_object(), *constraints = json_new_array(), *impressions = json_new_array();
	json_t *fact = channel_fact(r->u.layer.layer, r->u.layer.scid, r->u.layer.direction, r->u.layer.at_s);
	bool moved = !r->u.layer.has_low && !r->u.layer.has_high;

	if (moved)
		json_add_msat(fact, "amount_msat", r->u.layer.moved);
	if (r->u.layer.has_low)
		json_add_msat(fact, "minimum_msat", r->u.layer.low);
	if (r->u.layer.has_high)
		json_add_msat(fact, "maximum_msat", r->u.layer.high);
	json_append(moved ? impressions : constraints, fact);
	json_add(o, "constraints", constraints);
	json_add(o, "impressions", impressions);
	return o;
}

static json_t *biased(const struct reply *r, bool node)
{
	json_t *o = json_new_object(), *list = json_new_array(), *bias = json_new_object();

	json_add_string(bias, "layer", r->u.layer.layer);
	if (node) {
		json_add_hex(bias, "node", BYTES_OF(r->u.layer.node.v));
		json_add(bias, "in_bias", json_integer(r->u.layer.bias_in));
		json_add(bias, "out_bias", json_integer(r->u.layer.bias));
	} else {
		add_scid_dir(bias, r->u.layer.scid, r->u.layer.direction);
		json_add(bias, "bias", json_integer(r->u.layer.bias));
	}
	if (r->u.layer.note[0])
		json_add_string(bias, "description", r->u.layer.note);
	json_add_u64(bias, "timestamp", r->u.layer.at_s);
	json_append(list, bias);
	json_add(o, node ? "node_biases" : "biases", list);
	return o;
}

json_t *reply_layer(const struct methods *m, const struct reply *r)
{
	json_t *o;

	switch (r->u.layer.order) {
	case LAYER_CREATE:
		return layers_json(m, r->u.layer.layer);
	case LAYER_INFORM:
		return informed(r);
	case LAYER_BIAS_CHANNEL:
	case LAYER_BIAS_NODE:
		return biased(r, r->u.layer.order == LAYER_BIAS_NODE);
	case LAYER_AGE:
		o = json_new_object();
		json_add_string(o, "layer", r->u.layer.layer);
		json_add_u64(o, "num_removed", r->u.layer.removed);
		return o;
	case LAYER_REMOVE:
	case LAYER_CREATE_CHANNEL:
	case LAYER_UPDATE_CHANNEL:
	case LAYER_REMOVE_UPDATE:
	case LAYER_DISABLE_NODE:
		return json_new_object();
	}
	UNREACHABLE();
}
