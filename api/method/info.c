/* getinfo, stop, and how addresses look. */
#include "api/method/inner.h"

#include <string.h>

const struct network *methods_network(const struct methods *m)
{
	struct node_info info;

	node_view_info(m->port.node, &info);
	return info.config->network;
}

struct feerate feerate_of(const struct methods *m, const struct feerate_choice *choice)
{
	struct node_info info;

	if (!choice->estimated)
		return choice->rate;
	node_view_info(m->port.node, &info);
	return info.fees[choice->target];
}

const char *address_type(const char *host)
{
	const size_t size = strlen(host);

	if (strchr(host, ':'))
		return "ipv6";
	if (size > 6 && strcmp(host + size - 6, ".onion") == 0)
		return "torv3";
	return size && strspn(host, "0123456789.") == size ? "ipv4" : "dns";
}

json_t *address_json(const char *host, uint16_t port)
{
	json_t *o = json_new_object();

	json_add_string(o, "type", address_type(host));
	json_add_text(o, "address", bytes_from_string(host));
	json_add_u64(o, "port", port);
	return o;
}

static json_t *addresses(const struct node_address *list, uint32_t count, uint16_t port)
{
	json_t *array = json_new_array();
	uint32_t i;

	for (i = 0; i < count; i++)
		json_append(array, address_json(list[i].host, list[i].port ? list[i].port : port));
	return array;
}

static void add_identity(json_t *o, const struct methods *m, const struct node_info *info)
{
	const struct node_config *c = info->config;
	const uint32_t channels = info->channels_pending + info->channels_active + info->channels_inactive;
	json_t *features = json_new_object();

	json_add_hex(o, "id", BYTES_OF(c->node_id.v));
	json_add_hex(o, "node_id", BYTES_OF(c->node_id.v));
	json_add_text(o, "alias", bytes_from_string(c->alias ? c->alias : ""));
	json_add_hex(o, "color", BYTES_OF(c->color));
	json_add_u64(o, "num_peers", info->peers_connected);
	json_add_u64(o, "peers", info->peers_connected);
	json_add_u64(o, "num_pending_channels", info->channels_pending);
	json_add_u64(o, "num_active_channels", info->channels_active);
	json_add_u64(o, "num_inactive_channels", info->channels_inactive);
	json_add_u64(o, "channels", channels);
	json_add_text(o, "version", bytes_from_string(c->version ? c->version : LAMPO_VERSION));
	json_add_text(o, "lightning-dir", bytes_from_string(m->port.directory));
	json_add_text(o, "lampo_dir", bytes_from_string(m->port.directory));
	json_add_hex(features, "init", info->features_init);
	json_add_hex(features, "node", info->features_node);
	json_add_hex(features, "channel", info->features_channel);
	json_add_hex(features, "invoice", info->features_invoice);
	json_add(o, "our_features", features);
}

static void add_chain(json_t *o, const struct methods *m, const struct node_info *info)
{
	const struct node_config *c = info->config;
	const uint32_t wallet = m->port.wallet ? wallet_height(m->port.wallet) : info->height;
	const uint32_t percent = info->best_height > info->height ?
					 (uint32_t)((uint64_t)info->height * 100 / info->best_height) :
					 100;

	json_add_u64(o, "blockheight", info->height);
	json_add_block_hash(o, "block_hash", &info->tip);
	json_add_string(o, "network", c->network->name);
	json_add_string(o, "chain", c->network->name);
	/* This node does not forward yet, so it has earned nothing. */
	json_add_msat(o, "fees_collected_msat", MSAT(0));
	json_add(o, "address", addresses(c->announce, c->announce_count, c->port));
	json_add(o, "binding", addresses(m->port.bindings, m->port.binding_count, c->port));
	if (!info->best_height)
		json_add_string(o, "warning_bitcoind_sync", "bitcoind has not answered yet");
	if (!info->synced)
		json_add_string(o, "warning_lightningd_sync", "still reading blocks from bitcoind");
	json_add_u64(o, "wallet_height", wallet);
	json_add_u64(o, "wallet_scan_height", wallet);
	if (node_view_gossip(m->port.node))
		json_add(o, "gossip", gossip_json(node_view_gossip(m->port.node)));
	json_add_bool(o, "sync_in_progress", !info->synced);
	json_add_u64(o, "sync_progress_percent", info->synced ? 100 : percent);
}

static json_t *getinfo(const struct methods *m, struct params *params, struct refusal *refusal)
{
	json_t *o = json_new_object();
	struct node_info info;

	(void)params;
	(void)refusal;
	node_view_info(m->port.node, &info);
	add_identity(o, m, &info);
	add_chain(o, m, &info);
	return o;
}

void method_getinfo(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, getinfo);
}

void method_stop(void *context, struct lampo_call *call, struct params *params)
{
	const struct command command = { .kind = COMMAND_STOP };

	(void)params;
	order(context, call, &command);
}
