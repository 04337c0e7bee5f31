/* sendpay, waitsendpay: payments along a route that the caller gives. */
#include "api/method/inner.h"

#include <string.h>

#include "onion/payload.h"
#include "onion/sphinx.h"

/* One field of a hop; false: it is missing or of another type. */
static bool field(const json_t *object, struct arena *a, const char *name, enum lampo_type type, struct value *out)
{
	const json_t *json = json_object_get(object, name);
	char why[RPC_WHY_SIZE];

	return json && value_read(out, type, json, a, why);
}

/* As getroutes gives them: what it says of the beginning of a hop, and under older names, means nothing here. */
static bool read_hop_of_path(struct route_hop *out, const json_t *json, struct arena *a)
{
	struct value amount, id, cltv, channel;

	if (!field(json, a, "node_id_out", LAMPO_PUBKEY, &id) || !field(json, a, "cltv_out", LAMPO_U32, &cltv) ||
	    !field(json, a, "amount_out_msat", LAMPO_MSAT, &amount) ||
	    !field(json, a, "short_channel_id_dir", LAMPO_SCID_DIR, &channel))
		return false;
	*out = (struct route_hop){ id.u.pubkey, channel.u.scid_dir.scid, amount.u.msat, (uint32_t)cltv.u.number };
	return true;
}

/* As getroute gives them. */
static bool read_hop(struct route_hop *out, const json_t *json, struct arena *a)
{
	struct value amount, id, delay, channel;

	if (!json_is_object(json))
		return false;
	if (json_object_get(json, "node_id_out"))
		return read_hop_of_path(out, json, a);
	if (!field(json, a, "id", LAMPO_PUBKEY, &id) || !field(json, a, "delay", LAMPO_U32, &delay) ||
	    !(field(json, a, "amount_msat", LAMPO_MSAT, &amount) || field(json, a, "msatoshi", LAMPO_MSAT, &amount)) ||
	    !field(json, a, "channel", LAMPO_SCID, &channel))
		return false;
	*out = (struct route_hop){ id.u.pubkey, channel.u.scid, amount.u.msat, (uint32_t)delay.u.number };
	return true;
}

MUST_USE static bool route_param(struct lampo_call *call, struct params *params, struct command *command)
{
	const json_t *route = params_get(params, "route")->u.json;
	size_t count = json_array_size(route);
	struct route_hop *hops = ARENA_ARRAY(&params->arena, struct route_hop, count + 1);

	for (size_t i = 0; i < count; i++) {
		if (count <= ONION_HOPS_MAX && read_hop(&hops[i], json_array_get(route, i), &params->arena))
			continue;
		rpc_fail(call, RPC_INVALID_PARAMS, NULL,
			 "parameter 'route' should be at most %u of {\"id\", \"channel\", \"amount_msat\", \"delay\"}, as getroute gives them, or a path of getroutes",
			 (unsigned)ONION_HOPS_MAX);
		return false;
	}
	command->u.sendpay.hops = hops;
	command->u.sendpay.hop_count = (uint32_t)count;
	return true;
}

void method_sendpay(void *context, struct lampo_call *call, struct params *params)
{
	const struct value *total = params_get(params, "amount_msat"), *secret = params_get(params, "payment_secret"),
			   *group = params_get(params, "groupid"), *metadata = params_get(params, "payment_metadata");
	struct command command = { .kind = COMMAND_SENDPAY };

	if (!route_param(call, params, &command))
		return;
	command.u.sendpay.payment_hash = params_get(params, "payment_hash")->u.hash;
	command.u.sendpay.has_secret = secret != NULL;
	if (secret)
		memcpy(command.u.sendpay.secret.v, secret->u.hash.v, sizeof(command.u.sendpay.secret.v));
	command.u.sendpay.has_metadata = metadata != NULL;
	if (metadata)
		command.u.sendpay.metadata = metadata->u.bytes;
	command.u.sendpay.has_total = total != NULL;
	if (total)
		command.u.sendpay.total = total->u.msat;
	command.u.sendpay.part = params_number(params, "partid");
	command.u.sendpay.has_group = group != NULL;
	if (group)
		command.u.sendpay.group = group->u.number;
	command.u.sendpay.label = params_string_or_null(params, "label");
	command.u.sendpay.bolt11 = params_string_or_null(params, "bolt11");
	order(context, call, &command);
}

void method_waitsendpay(void *context, struct lampo_call *call, struct params *params)
{
	const struct value *timeout = params_get(params, "timeout"), *group = params_get(params, "groupid");
	struct command command = { .kind = COMMAND_WAIT_SENDPAY };

	command.u.wait_sendpay.payment_hash = params_get(params, "payment_hash")->u.hash;
	command.u.wait_sendpay.has_timeout = timeout != NULL;
	if (timeout)
		command.u.wait_sendpay.timeout_s = (uint32_t)timeout->u.number;
	command.u.wait_sendpay.part = params_number(params, "partid");
	command.u.wait_sendpay.has_group = group != NULL;
	if (group)
		command.u.wait_sendpay.group = group->u.number;
	order(context, call, &command);
}

static json_t *payment(const struct reply *reply, const char *status)
{
	json_t *o = json_new_object();

	json_add_u64(o, "created_index", reply->u.sendpay.created_index);
	json_add_u64(o, "id", reply->u.sendpay.created_index);
	json_add_u64(o, "groupid", reply->u.sendpay.group);
	if (reply->u.sendpay.part)
		json_add_u64(o, "partid", reply->u.sendpay.part);
	json_add_hex(o, "payment_hash", BYTES_OF(reply->u.sendpay.payment_hash.v));
	json_add_string(o, "status", status);
	json_add_hex(o, "destination", BYTES_OF(reply->u.sendpay.destination.v));
	json_add_u64(o, "created_at", reply->u.sendpay.created_at_s);
	if (reply->u.sendpay.completed_at_s)
		json_add_u64(o, "completed_at", reply->u.sendpay.completed_at_s);
	json_add_msat(o, "amount_msat", reply->u.sendpay.amount);
	json_add_msat(o, "amount_sent_msat", reply->u.sendpay.sent);
	if (reply->u.sendpay.label)
		json_add_text(o, "label", bytes_from_string(reply->u.sendpay.label));
	if (reply->u.sendpay.bolt11)
		json_add_text(o, "bolt11", bytes_from_string(reply->u.sendpay.bolt11));
	if (reply->u.sendpay.complete)
		json_add_hex(o, "payment_preimage", BYTES_OF(reply->u.sendpay.preimage.v));
	return o;
}

json_t *reply_sendpay(const struct reply *reply)
{
	json_t *o = payment(reply, reply->u.sendpay.complete ? "complete" : "pending");

	if (!reply->u.sendpay.complete)
		json_add_string(o, "message", "Monitor status with listpays or waitsendpay");
	return o;
}

json_t *failed_sendpay(const struct reply *reply)
{
	json_t *o = payment(reply, "failed");

	if (!reply->u.sendpay.has_failure)
		return o;
	json_add_u64(o, "erring_index", reply->u.sendpay.erring_index);
	json_add_u64(o, "failcode", reply->u.sendpay.failure_code);
	if (fail_codec(reply->u.sendpay.failure_code))
		json_add_string(o, "failcodename", fail_name(reply->u.sendpay.failure_code));
	if (reply->u.sendpay.erring_index)
		json_add_hex(o, "erring_node", BYTES_OF(reply->u.sendpay.erring_node.v));
	if (reply->u.sendpay.erring_scid.v) {
		json_add_scid(o, "erring_channel", reply->u.sendpay.erring_scid);
		json_add_u64(o, "erring_direction", reply->u.sendpay.erring_direction);
	}
	if (reply->u.sendpay.failure_message.size)
		json_add_hex(o, "raw_message", reply->u.sendpay.failure_message);
	return o;
}
