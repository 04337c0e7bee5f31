/* getroute, getroutes: ways through the network, without paying. */
#include "api/method/inner.h"

#include <string.h>

#include "route/planner.h"

#define DELAY_MAX 2016u

void add_scid_dir(json_t *o, struct scid scid, uint8_t direction)
{
	json_add_printf(o, "short_channel_id_dir", "%ux%ux%u/%u", scid_height(scid), scid_tx_index(scid), scid_output(scid), direction);
}

/* Layers that Core Lightning makes up by itself.  What leaves the source takes no fees and no blocks here in any case: whoever
 * plans from there owns it. */
static bool automatic(struct command *command, const char *name, const struct pubkey *self)
{
	if (!strcmp(name, "auto.sourcefree"))
		return true;
	if (!strcmp(name, "auto.no_mpp_support")) {
		command->u.routes.parts_max = 1;
		return true;
	}
	if (!strcmp(name, "auto.include_fees")) {
		command->u.routes.include_fees = true;
		return true;
	}
	if (!strcmp(name, "auto.localchans")) {
		command->u.routes.own = SAME(command->u.routes.source, *self);
		return true;
	}
	return false;
}

static void layers_param(const struct pubkey *self, struct params *params, struct command *command)
{
	size_t count = params_count(params, "layers");
	const char **names = ARENA_ARRAY(&params->arena, const char *, count);

	for (size_t i = 0; i < count; i++) {
		const char *name = params_element(params, "layers", i).u.string;

		if (automatic(command, name, self))
			continue;
		names[command->u.routes.layer_count++] = name;
	}
	command->u.routes.layers = names;
}

void method_getroutes(void *context, struct lampo_call *call, struct params *params)
{
	const struct methods *m = context;
	uint64_t parts = params_number(params, "maxparts");
	struct command command = { .kind = COMMAND_ROUTES };
	struct node_info info;

	node_view_info(m->port.node, &info);
	command.u.routes.source = params_get(params, "source")->u.pubkey;
	command.u.routes.destination = params_get(params, "destination")->u.pubkey;
	command.u.routes.amount = params_get(params, "amount_msat")->u.msat;
	command.u.routes.fee_limit = params_get(params, "maxfee_msat")->u.msat;
	command.u.routes.final_cltv = (uint32_t)params_number(params, "final_cltv");
	command.u.routes.cltv_max = (uint32_t)params_number(params, "maxdelay");
	command.u.routes.parts_max = parts < ROUTE_PARTS_MAX ? (uint32_t)parts : ROUTE_PARTS_MAX;
	if (command.u.routes.cltv_max > DELAY_MAX) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'maxdelay' is at most %u", DELAY_MAX);
		return;
	}
	layers_param(&info.config->node_id, params, &command);
	order(context, call, &command);
}

void method_getroute(void *context, struct lampo_call *call, struct params *params)
{
	const struct methods *m = context;
	const struct value *from = params_get(params, "fromid");
	uint64_t hops = params_number(params, "maxhops");
	struct command command = { .kind = COMMAND_ROUTES };
	struct node_info info;

	node_view_info(m->port.node, &info);
	command.u.routes.source = from ? from->u.pubkey : info.config->node_id;
	command.u.routes.own = SAME(command.u.routes.source, info.config->node_id);
	command.u.routes.destination = params_get(params, "id")->u.pubkey;
	command.u.routes.amount = params_get(params, "amount_msat")->u.msat;
	/* This one knows no limit. */
	command.u.routes.fee_limit = msat_of_sat(SAT(SUPPLY_SAT));
	command.u.routes.final_cltv = (uint32_t)params_number(params, "cltv");
	command.u.routes.cltv_max = DELAY_MAX;
	command.u.routes.parts_max = 1;
	command.u.routes.hops_max = hops < ROUTE_HOPS_MAX ? (uint32_t)hops : ROUTE_HOPS_MAX;
	/* Of 0 per cent the least there is. */
	command.u.routes.delay_ppb = delay_param(params) ? delay_param(params) : 1;
	if (!hops) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'maxhops' is at least 1");
		return;
	}
	if (exclude_param(call, params, &command.u.routes.exclude, &command.u.routes.exclude_count))
		order(context, call, &command);
}

/* As sendpay takes it: what arrives at the end of each hop. */
static json_t *single(const struct found_route *r)
{
	json_t *o = json_new_object(), *list = json_new_array();

	for (uint32_t i = 0; i < r->hop_count; i++) {
		const struct found_hop *h = &r->hops[i];
		json_t *hop = json_new_object();

		json_add_hex(hop, "id", BYTES_OF(h->to.v));
		json_add_scid(hop, "channel", h->scid);
		json_add_u64(hop, "direction", h->direction);
		json_add_msat(hop, "amount_msat", h->amount_out);
		json_add_u64(hop, "delay", h->cltv_out);
		json_add_string(hop, "style", "tlv");
		json_append(list, hop);
	}
	json_add(o, "route", list);
	return o;
}

static json_t *path_json(const struct found_route *r)
{
	json_t *list = json_new_array();

	for (uint32_t i = 0; i < r->hop_count; i++) {
		const struct found_hop *h = &r->hops[i];
		json_t *hop = json_new_object();

		add_scid_dir(hop, h->scid, h->direction);
		json_add_hex(hop, "node_id_in", BYTES_OF(h->from.v));
		json_add_hex(hop, "node_id_out", BYTES_OF(h->to.v));
		json_add_msat(hop, "amount_in_msat", h->amount_in);
		json_add_msat(hop, "amount_out_msat", h->amount_out);
		json_add_u64(hop, "cltv_in", h->cltv_in);
		json_add_u64(hop, "cltv_out", h->cltv_out);
		json_add_hex(hop, "next_node_id", BYTES_OF(h->to.v));
		json_add_msat(hop, "amount_msat", h->amount_in);
		json_add_u64(hop, "delay", h->cltv_in);
		json_append(list, hop);
	}
	return list;
}

json_t *reply_routes(const struct lampo_call *call, const struct reply *reply)
{
	json_t *o, *list;

	if (!strcmp(rpc_call_method(call), "getroute"))
		return single(&reply->u.routes.routes[0]);
	o = json_new_object();
	list = json_new_array();
	json_add_u64(o, "probability_ppm", reply->u.routes.chance_ppm);
	for (uint32_t i = 0; i < reply->u.routes.count; i++) {
		const struct found_route *r = &reply->u.routes.routes[i];
		json_t *route = json_new_object();

		json_add_u64(route, "probability_ppm", r->chance_ppm);
		json_add_msat(route, "amount_msat", r->deliver);
		json_add_u64(route, "final_cltv", r->hops[r->hop_count - 1].cltv_out);
		json_add(route, "path", path_json(r));
		json_append(list, route);
	}
	json_add(o, "routes", list);
	return o;
}
