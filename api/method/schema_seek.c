/* Schemas: ways through the network. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_error seek_errors[] = {
	{ -32602, "The request makes no sense, or names a layer that is not there." },
	{ 205, "There is no way that can carry it." },
	{ 206, "Every way costs more, or takes longer, than the limits allow." },
	{ -1, "Something else; the message says what." },
};

static const struct lampo_param getroute_params[] = {
	{ .name = "id", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "The node to reach." },
	{ .name = "amount_msat", .aliases = "msatoshi", .type = LAMPO_MSAT, .flags = LAMPO_REQUIRED, .doc = "What is to arrive there." },
	{ .name = "riskfactor", .type = LAMPO_PERCENT, .flags = LAMPO_REQUIRED,
	  .doc = "What money that is stuck costs, in per cent a year." },
	{ .name = "cltv", .type = LAMPO_U32, .fallback = "9", .doc = "Blocks that the node wants to have." },
	{ .name = "fromid", .type = LAMPO_PUBKEY, .doc = "Where the route begins.  Default: here, over our channels as they are now." },
	{ .name = "fuzzpercent", .type = LAMPO_PERCENT, .flags = LAMPO_UNSUPPORTED, .doc = "It never did anything." },
	{ .name = "exclude", .type = LAMPO_ARRAY,
	  .doc = "Nodes and channels not to use: ids of nodes, or short channel ids with a direction as in \"1x2x3/0\"." },
	{ .name = "maxhops", .type = LAMPO_U32, .fallback = "20", .doc = "The most channels on the route." },
};
static const struct lampo_result getroute_results[] = {
	{ "route", LAMPO_ARRAY, 0, "The hops, as `sendpay` takes them." },
	{ "route[].id", LAMPO_PUBKEY, 0, "The node at the end of this hop." },
	{ "route[].channel", LAMPO_SCID, 0, "The channel into it." },
	{ "route[].direction", LAMPO_U32, 0, "0 if it leads from the lesser of the two node ids to the greater, else 1." },
	{ "route[].amount_msat", LAMPO_MSAT, 0, "What arrives at that node." },
	{ "route[].delay", LAMPO_U32, 0, "The blocks until that expires." },
	{ "route[].style", LAMPO_STRING, 0, "\"tlv\"." },
};
const struct lampo_method schema_getroute = {
	.name = "getroute",
	.category = "payments",
	.summary = "Find one route to a node",
	.doc = "One path, by fees, delay and the chance that it carries the amount, as far as that is known.  `getroutes` finds several that "
	       "do it together.",
	.params = getroute_params,
	.param_count = ARRAY_COUNT(getroute_params),
	.results = getroute_results,
	.result_count = ARRAY_COUNT(getroute_results),
	.errors = seek_errors,
	.error_count = ARRAY_COUNT(seek_errors),
};

static const struct lampo_param getroutes_params[] = {
	{ .name = "source", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "Where the routes begin." },
	{ .name = "destination", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "Where they end." },
	{ .name = "amount_msat", .type = LAMPO_MSAT, .flags = LAMPO_REQUIRED, .doc = "What is to arrive, over all of them together." },
	{ .name = "layers", .type = LAMPO_ARRAY, .element = LAMPO_STRING, .flags = LAMPO_REQUIRED,
	  .doc = "Layers to lay over the graph, the later over the earlier.  Of those that make themselves: auto.localchans, this node's "
		 "channels as they are now, where the source is this node; auto.no_mpp_support, one route alone; auto.sourcefree, which "
		 "changes nothing: what leaves the source is free in any case; auto.include_fees, by which amount_msat is what is sent, and fees "
		 "come off what arrives." },
	{ .name = "maxfee_msat", .type = LAMPO_MSAT, .flags = LAMPO_REQUIRED, .doc = "The most that may go to fees." },
	{ .name = "final_cltv", .type = LAMPO_U32, .flags = LAMPO_REQUIRED, .doc = "Blocks that the destination wants to have." },
	{ .name = "maxdelay", .type = LAMPO_U32, .fallback = "2016", .doc = "The most blocks that a route may take, at most 2016." },
	{ .name = "maxparts", .type = LAMPO_U32, .fallback = "64", .doc = "The most routes.  More than 64 are as 64." },
};
#define HOP(name) "routes[].path[]." name
static const struct lampo_result getroutes_results[] = {
	{ "probability_ppm", LAMPO_U64, 0, "The chance that all of them carry what they should, in millionths." },
	{ "routes", LAMPO_ARRAY, 0, "The routes, largest first." },
	{ "routes[].probability_ppm", LAMPO_U64, 0, "The chance of this one alone." },
	{ "routes[].amount_msat", LAMPO_MSAT, 0, "What arrives over it." },
	{ "routes[].final_cltv", LAMPO_U32, 0, "Blocks for the destination, as was asked." },
	{ "routes[].path", LAMPO_ARRAY, 0, "The hops, from the source on." },
	{ HOP("short_channel_id_dir"), LAMPO_SCID_DIR, 0, "The channel of this hop, and which way it is gone." },
	{ HOP("node_id_in"), LAMPO_PUBKEY, 0, "Where the hop begins." },
	{ HOP("node_id_out"), LAMPO_PUBKEY, 0, "Where it ends." },
	{ HOP("amount_in_msat"), LAMPO_MSAT, 0, "What reaches the beginning." },
	{ HOP("amount_out_msat"), LAMPO_MSAT, 0, "What reaches the end." },
	{ HOP("cltv_in"), LAMPO_U32, 0, "Blocks until that which reaches the beginning expires." },
	{ HOP("cltv_out"), LAMPO_U32, 0, "Blocks until that which reaches the end expires." },
	{ HOP("next_node_id"), LAMPO_PUBKEY, 0, "The same as node_id_out." },
	{ HOP("amount_msat"), LAMPO_MSAT, 0, "The same as amount_in_msat." },
	{ HOP("delay"), LAMPO_U32, 0, "The same as cltv_in." },
};
const struct lampo_method schema_getroutes = {
	.name = "getroutes",
	.category = "payments",
	.summary = "Find routes that together carry an amount",
	.doc = "The plan that a payment would begin with: it takes into account what this node knows of the liquidity of channels, what its "
	       "payments hold there, what `askrene-reserve` has reserved, and the layers that are named.",
	.params = getroutes_params,
	.param_count = ARRAY_COUNT(getroutes_params),
	.results = getroutes_results,
	.result_count = ARRAY_COUNT(getroutes_results),
	.errors = seek_errors,
	.error_count = ARRAY_COUNT(seek_errors),
};
