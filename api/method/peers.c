/* connect, disconnect, listpeers. */
#include "api/method/inner.h"

#include <string.h>

bool host_param(const struct methods *m, struct lampo_call *call, struct params *params, const char *peer_name,
		const char *host_name, const char *port_name, const char **host, uint16_t *port)
{
	const struct value *peer = params_get(params, peer_name), *number = params_get(params, port_name);
	const char *text = params_string_or_null(params, host_name);

	*host = peer->u.peer.host;
	*port = peer->u.peer.port;
	if (text && *host && strcmp(text, *host) != 0) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter '%s' is another host than the one in '%s'", host_name,
			 peer_name);
		return false;
	}
	if (text && !value_read_host(host, port, text, &params->arena)) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter '%s' should be an address or a host name", host_name);
		return false;
	}
	if (number && number->u.number == 0) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter '%s' should be a port from 1 to 65535", port_name);
		return false;
	}
	if (number)
		*port = (uint16_t)number->u.number;
	if (number && !*host) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter '%s' needs '%s' as well", port_name, host_name);
		return false;
	}
	if (*host && !*port)
		*port = methods_network(m)->lightning_port;
	return true;
}

void method_connect(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_CONNECT };

	command.u.connect.peer = params_get(params, "id")->u.peer.id;
	if (host_param(context, call, params, "id", "host", "port", &command.u.connect.host, &command.u.connect.port))
		order(context, call, &command);
}

json_t *reply_connect(const struct methods *m, const struct reply *reply)
{
	const char *host = reply->u.connect.host ? reply->u.connect.host : "";
	json_t *o = json_new_object();

	(void)m;
	json_add_hex(o, "id", BYTES_OF(reply->u.connect.peer.v));
	json_add_hex(o, "node_id", BYTES_OF(reply->u.connect.peer.v));
	json_add_hex(o, "features", reply->u.connect.features);
	json_add_string(o, "direction", reply->u.connect.outbound ? "out" : "in");
	json_add(o, "address", address_json(host, reply->u.connect.port));
	json_add_text(o, "addr", bytes_from_string(host));
	json_add_u64(o, "port", reply->u.connect.port);
	return o;
}

void method_disconnect(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_DISCONNECT };

	command.u.disconnect.peer = params_get(params, "id")->u.pubkey;
	command.u.disconnect.force = params_bool(params, "force");
	order(context, call, &command);
}

static json_t *peer_json(const struct peer_view *p)
{
	json_t *o = json_new_object(), *list;

	json_add_hex(o, "id", BYTES_OF(p->id.v));
	json_add_bool(o, "connected", p->connected);
	json_add_u64(o, "num_channels", p->channel_count);
	if (p->connected)
		json_add_string(o, "direction", p->outbound ? "out" : "in");
	if (p->host && *p->host) {
		list = json_new_array();
		json_append(list, json_sprintf(strchr(p->host, ':') ? "[%s]:%u" : "%s:%u", p->host, p->port));
		json_add(o, "netaddr", list);
	}
	if (p->features.size)
		json_add_hex(o, "features", p->features);
	return o;
}

static json_t *listpeers(const struct methods *m, struct params *params, struct refusal *refusal)
{
	const struct value *id = params_get(params, "id");
	json_t *o = json_new_object(), *list = json_new_array();
	struct peer_view p;
	uint32_t at = 0;

	(void)refusal;
	while (node_view_peer(m->port.node, &at, &p))
		if (!id || SAME(id->u.pubkey, p.id))
			json_append(list, peer_json(&p));
	json_add(o, "peers", list);
	return o;
}

void method_listpeers(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, listpeers);
}
