/* Schemas: the network. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_param listchannels_params[] = {
	{ .name = "short_channel_id", .type = LAMPO_SCID, .doc = "Show this channel alone." },
	{ .name = "source", .type = LAMPO_PUBKEY, .doc = "Show only what leads away from this node." },
	{ .name = "destination", .type = LAMPO_PUBKEY, .doc = "Show only what leads to this node." },
};
static const struct lampo_result listchannels_results[] = {
	{ "channels", LAMPO_ARRAY, 0, "Each direction of a channel that its origin has described." },
	{ "channels[].source", LAMPO_PUBKEY, 0, "The node that it leads away from." },
	{ "channels[].destination", LAMPO_PUBKEY, 0, "The node that it leads to." },
	{ "channels[].short_channel_id", LAMPO_SCID, 0, "The channel." },
	{ "channels[].direction", LAMPO_U32, 0, "0 if the source is the lesser of both ids, else 1." },
	{ "channels[].public", LAMPO_BOOL, 0, "Always true." },
	{ "channels[].amount_msat", LAMPO_MSAT, 0, "The channel's capacity." },
	{ "channels[].message_flags", LAMPO_U32, 0, "As in channel_update." },
	{ "channels[].channel_flags", LAMPO_U32, 0, "As in channel_update." },
	{ "channels[].active", LAMPO_BOOL, 0, "Neither disabled nor spent." },
	{ "channels[].last_update", LAMPO_U32, 0, "When the source described it, in its own time." },
	{ "channels[].base_fee_millisatoshi", LAMPO_U32, 0, "What it takes for each HTLC." },
	{ "channels[].fee_per_millionth", LAMPO_U32, 0, "What it takes of each million." },
	{ "channels[].delay", LAMPO_U32, 0, "Blocks between the expiries of the incoming and the outgoing HTLC." },
	{ "channels[].htlc_minimum_msat", LAMPO_MSAT, 0, "The smallest HTLC." },
	{ "channels[].htlc_maximum_msat", LAMPO_MSAT, 0, "The largest HTLC." },
	{ "channels[].features", LAMPO_HEX, 0, "BOLT 9 features that the channel was announced with." },
};
const struct lampo_method schema_listchannels = {
	.name = "listchannels",
	.category = "network",
	.summary = "List public channels of the network",
	.doc = "Channels of this node are among them once they are announced; `listpeerchannels` has all of these.  The whole network is "
	       "listed in pieces between which payments go on; what changes meanwhile may be in the answer or not.",
	.params = listchannels_params,
	.param_count = ARRAY_COUNT(listchannels_params),
	.results = listchannels_results,
	.result_count = ARRAY_COUNT(listchannels_results),
};

static const struct lampo_result networkchannels_results[] = {
	{ "channels", LAMPO_ARRAY, 0, "Each channel once, whether its ends have described it or not." },
	{ "channels[].node_one", LAMPO_PUBKEY, 0, "The lesser of the ids of its nodes." },
	{ "channels[].node_two", LAMPO_PUBKEY, 0, "The greater." },
	{ "channels[].short_channel_id", LAMPO_SCID, 0, "Its place in the chain." },
	{ "channels[].amount_msat", LAMPO_MSAT, 0, "Its capacity." },
};
const struct lampo_method schema_networkchannels = {
	.name = "networkchannels",
	.category = "network",
	.summary = "List who has public channels with whom",
	.doc = "`listchannels` has what each end asks for.",
	.results = networkchannels_results,
	.result_count = ARRAY_COUNT(networkchannels_results),
};

static const struct lampo_param listnodes_params[] = {
	{ .name = "id", .aliases = "node_id", .type = LAMPO_PUBKEY, .doc = "Show this node alone." },
};
static const struct lampo_result listnodes_results[] = {
	{ "nodes", LAMPO_ARRAY, 0, "Nodes with a public channel." },
	{ "nodes[].nodeid", LAMPO_PUBKEY, 0, "The node." },
	{ "nodes[].last_timestamp", LAMPO_U32, LAMPO_OPTIONAL, "When it announced itself, in its own time; what follows is its own word." },
	{ "nodes[].alias", LAMPO_STRING, LAMPO_OPTIONAL, "The name that it gives itself; any node may take any name." },
	{ "nodes[].color", LAMPO_HEX, LAMPO_OPTIONAL, "Its colour, RGB." },
	{ "nodes[].features", LAMPO_HEX, LAMPO_OPTIONAL, "BOLT 9 features that it offers." },
	{ "nodes[].addresses", LAMPO_ARRAY, LAMPO_OPTIONAL, "Where it says that it can be reached." },
	{ "nodes[].addresses[].type", LAMPO_STRING, 0, "ipv4, ipv6, torv3 or dns." },
	{ "nodes[].addresses[].address", LAMPO_STRING, 0, "The address." },
	{ "nodes[].addresses[].port", LAMPO_U16, 0, "Its port." },
};
const struct lampo_method schema_listnodes = {
	.name = "listnodes",
	.category = "network",
	.summary = "List nodes of the network",
	.params = listnodes_params,
	.param_count = ARRAY_COUNT(listnodes_params),
	.results = listnodes_results,
	.result_count = ARRAY_COUNT(listnodes_results),
};
