/* Schemas: peers. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_param connect_params[] = {
	{ .name = "id", .aliases = "node_id", .type = LAMPO_PEER, .flags = LAMPO_REQUIRED,
	  .doc = "The peer's public key; \"@host\" and \":port\" may follow." },
	{ .name = "host", .aliases = "addr", .type = LAMPO_STRING,
	  .doc = "Its address or name.  Without one, addresses that are known are tried." },
	{ .name = "port", .type = LAMPO_U16, .doc = "Its port.  Default: the network's usual one." },
};
static const struct lampo_result connect_results[] = {
	{ "id", LAMPO_PUBKEY, 0, "The peer." },
	{ "node_id", LAMPO_PUBKEY, 0, "The same." },
	{ "features", LAMPO_HEX, 0, "The features that it offers." },
	{ "direction", LAMPO_STRING, 0, "\"out\" if this node called, \"in\" if the peer did." },
	{ "address", LAMPO_OBJECT, 0, "Where the peer is." },
	{ "address.type", LAMPO_STRING, 0, "ipv4, ipv6, dns or torv3." },
	{ "address.address", LAMPO_STRING, 0, "The address." },
	{ "address.port", LAMPO_U16, 0, "Its port." },
	{ "addr", LAMPO_STRING, 0, "The address again." },
	{ "port", LAMPO_U16, 0, "The port again." },
};
static const struct lampo_error connect_errors[] = {
	{ 400, "No address of the peer is known." },
	{ 401, "No connection came about; the message says why." },
	{ 402, "The peer hung up while the connection was being made." },
};
const struct lampo_method schema_connect = {
	.name = "connect",
	.category = "peers",
	.summary = "Connect to a peer",
	.doc = "If the peer is connected already, that is the answer.",
	.params = connect_params,
	.param_count = ARRAY_COUNT(connect_params),
	.results = connect_results,
	.result_count = ARRAY_COUNT(connect_results),
	.errors = connect_errors,
	.error_count = ARRAY_COUNT(connect_errors),
};

static const struct lampo_param disconnect_params[] = {
	{ .name = "id", .aliases = "node_id", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "The peer." },
	{ .name = "force", .type = LAMPO_BOOL, .fallback = "false", .doc = "Also if there is a channel with it." },
};
static const struct lampo_error disconnect_errors[] = {
	{ -1, "The peer is not connected, or there is a channel and force is false." },
};
const struct lampo_method schema_disconnect = {
	.name = "disconnect",
	.category = "peers",
	.summary = "Hang up on a peer",
	.doc = "The node connects again by itself to a peer with which it has a channel.",
	.params = disconnect_params,
	.param_count = ARRAY_COUNT(disconnect_params),
	.errors = disconnect_errors,
	.error_count = ARRAY_COUNT(disconnect_errors),
};

static const struct lampo_param listpeers_params[] = {
	{ .name = "id", .aliases = "node_id peer_id", .type = LAMPO_PUBKEY, .doc = "Show this peer alone." },
	{ .name = "level", .type = LAMPO_STRING, .choices = "io trace debug info unusual",
	  .doc = "Taken for Core Lightning's clients: the log is in the daemon's log file." },
};
static const struct lampo_result listpeers_results[] = {
	{ "peers", LAMPO_ARRAY, 0, "Peers that are connected or have a channel." },
	{ "peers[].id", LAMPO_PUBKEY, 0, "The peer." },
	{ "peers[].connected", LAMPO_BOOL, 0, "Whether it is connected." },
	{ "peers[].num_channels", LAMPO_U32, 0, "Channels with it." },
	{ "peers[].direction", LAMPO_STRING, LAMPO_OPTIONAL, "\"out\" or \"in\": who called." },
	{ "peers[].netaddr", LAMPO_ARRAY, LAMPO_OPTIONAL, "Where it is: \"host:port\"." },
	{ "peers[].features", LAMPO_HEX, LAMPO_OPTIONAL, "The features that it offers." },
};
const struct lampo_method schema_listpeers = {
	.name = "listpeers",
	.category = "peers",
	.summary = "List peers",
	.params = listpeers_params,
	.param_count = ARRAY_COUNT(listpeers_params),
	.results = listpeers_results,
	.result_count = ARRAY_COUNT(listpeers_results),
};
