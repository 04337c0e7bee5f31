/* Schemas: the askrene family. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_error layer_errors[] = {
	{ -32602, "There is no such layer, or that cannot be done to it." },
};
#define LAYER { .name = "layer", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .doc = "The name of the layer." }
#define SCID_DIR(what) \
	{ .name = "short_channel_id_dir", .type = LAMPO_SCID_DIR, .flags = LAMPO_REQUIRED, .doc = what }
#define BIAS \
	{ .name = "bias", .type = LAMPO_INTEGER, .flags = LAMPO_REQUIRED, \
	  .doc = "-100 (avoid it) to 100 (seek it); a difference of 20 halves or doubles what it seems to cost." }
#define DESCRIPTION { .name = "description", .type = LAMPO_STRING, .doc = "To be listed with it, less than 100 bytes." }
#define RELATIVE { .name = "relative", .type = LAMPO_BOOL, .fallback = "false", .doc = "Add the bias to the present one." }

#define LAYER_RESULTS \
	{ "layers", LAMPO_ARRAY, 0, "The layers." }, \
	{ "layers[].layer", LAMPO_STRING, 0, "Its name." }, \
	{ "layers[].persistent", LAMPO_BOOL, 0, "Whether it survives a restart." }, \
	{ "layers[].disabled_nodes", LAMPO_ARRAY, 0, "Ids of nodes that forward nothing here." }, \
	{ "layers[].created_channels", LAMPO_ARRAY, 0, "Channels that gossip need not know." }, \
	{ "layers[].created_channels[].source", LAMPO_PUBKEY, 0, "The lesser of the ids of its nodes." }, \
	{ "layers[].created_channels[].destination", LAMPO_PUBKEY, 0, "The greater." }, \
	{ "layers[].created_channels[].short_channel_id", LAMPO_SCID, 0, "Its name." }, \
	{ "layers[].created_channels[].capacity_msat", LAMPO_MSAT, 0, "Its capacity." }, \
	{ "layers[].channel_updates", LAMPO_ARRAY, 0, "What directions of channels ask for here; what is not said is as it was." }, \
	{ "layers[].channel_updates[].short_channel_id_dir", LAMPO_SCID_DIR, 0, "The direction." }, \
	{ "layers[].channel_updates[].enabled", LAMPO_BOOL, LAMPO_OPTIONAL, "Whether it can be used." }, \
	{ "layers[].channel_updates[].htlc_minimum_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "The smallest HTLC." }, \
	{ "layers[].channel_updates[].htlc_maximum_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "The largest HTLC." }, \
	{ "layers[].channel_updates[].fee_base_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "What it takes for each HTLC." }, \
	{ "layers[].channel_updates[].fee_proportional_millionths", LAMPO_U32, LAMPO_OPTIONAL, "What it takes of each million." }, \
	{ "layers[].channel_updates[].cltv_expiry_delta", LAMPO_U16, LAMPO_OPTIONAL, "Blocks between the expiries of both HTLCs." }, \
	{ "layers[].constraints", LAMPO_ARRAY, 0, "What is known of liquidity." }, \
	{ "layers[].constraints[].short_channel_id_dir", LAMPO_SCID_DIR, 0, "Where." }, \
	{ "layers[].constraints[].timestamp", LAMPO_U64, 0, "When it was told, Unix time." }, \
	{ "layers[].constraints[].minimum_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "So much is there." }, \
	{ "layers[].constraints[].maximum_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "No more is there." }, \
	{ "layers[].impressions", LAMPO_ARRAY, 0, "What payments moved since." }, \
	{ "layers[].impressions[].short_channel_id_dir", LAMPO_SCID_DIR, 0, "Where, and which way." }, \
	{ "layers[].impressions[].timestamp", LAMPO_U64, 0, "When the last of it was told." }, \
	{ "layers[].impressions[].amount_msat", LAMPO_MSAT, 0, "All of it together." }, \
	{ "layers[].biases", LAMPO_ARRAY, 0, "What directions of channels seem to cost more or less." }, \
	{ "layers[].biases[].short_channel_id_dir", LAMPO_SCID_DIR, 0, "The direction." }, \
	{ "layers[].biases[].timestamp", LAMPO_U64, 0, "When it was said." }, \
	{ "layers[].biases[].bias", LAMPO_INTEGER, 0, "-100 to 100." }, \
	{ "layers[].biases[].description", LAMPO_STRING, LAMPO_OPTIONAL, "What was said with it." }, \
	{ "layers[].node_biases", LAMPO_ARRAY, 0, "The same of all channels of a node." }, \
	{ "layers[].node_biases[].node", LAMPO_PUBKEY, 0, "The node." }, \
	{ "layers[].node_biases[].in_bias", LAMPO_INTEGER, 0, "Of what leads to it." }, \
	{ "layers[].node_biases[].out_bias", LAMPO_INTEGER, 0, "Of what leads away from it." }, \
	{ "layers[].node_biases[].description", LAMPO_STRING, LAMPO_OPTIONAL, "What was said with it." }, \
	{ "layers[].node_biases[].timestamp", LAMPO_U64, 0, "When it was last said." }

#define METHOD(id, method, words, long_words) \
	const struct lampo_method schema_##id = { \
		.name = method, .category = "layers", .summary = words, .doc = long_words, .params = id##_params, \
		.param_count = ARRAY_COUNT(id##_params), .errors = layer_errors, .error_count = ARRAY_COUNT(layer_errors), \
	}
#define METHOD_WITH_RESULTS(id, method, words, long_words) \
	const struct lampo_method schema_##id = { \
		.name = method, .category = "layers", .summary = words, .doc = long_words, .params = id##_params, \
		.param_count = ARRAY_COUNT(id##_params), .results = id##_results, .result_count = ARRAY_COUNT(id##_results), \
		.errors = layer_errors, .error_count = ARRAY_COUNT(layer_errors), \
	}

static const struct lampo_param askrene_create_layer_params[] = {
	{ .name = "layer", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED,
	  .doc = "Its name, at most 100 bytes; names that begin with auto. are taken." },
	{ .name = "persistent", .type = LAMPO_BOOL, .fallback = "false",
	  .doc = "Keep it across restarts.  One that is there already, and persistent, is no error then." },
};
static const struct lampo_result askrene_create_layer_results[] = { LAYER_RESULTS };
METHOD_WITH_RESULTS(askrene_create_layer, "askrene-create-layer", "Make a layer over the graph of the network",
		    "A layer is a set of rules that count where a request names it: `getroutes` and payments see the graph through it.  At "
		    "most 256 layers, of at most 10,000 rules each and 100,000 together.");

static const struct lampo_param askrene_remove_layer_params[] = { LAYER };
METHOD(askrene_remove_layer, "askrene-remove-layer", "Forget a layer", "With all its rules.");

static const struct lampo_param askrene_listlayers_params[] = {
	{ .name = "layer", .type = LAMPO_STRING, .doc = "Show this layer alone." },
};
static const struct lampo_result askrene_listlayers_results[] = { LAYER_RESULTS };
METHOD_WITH_RESULTS(askrene_listlayers, "askrene-listlayers", "List layers and their rules", "All of them, or one.");

static const struct lampo_param askrene_create_channel_params[] = {
	LAYER,
	{ .name = "source", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "One of its nodes." },
	{ .name = "destination", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "The other." },
	{ .name = "short_channel_id", .type = LAMPO_SCID, .flags = LAMPO_REQUIRED, .doc = "What it is to be called." },
	{ .name = "capacity_msat", .type = LAMPO_MSAT, .flags = LAMPO_REQUIRED, .doc = "Its capacity; what is less than a satoshi is cut off." },
};
METHOD(askrene_create_channel, "askrene-create-channel", "Put a channel into a layer",
       "It is of no use in a direction until `askrene-update-channel` has said what that asks for.");

static const struct lampo_param askrene_update_channel_params[] = {
	LAYER, SCID_DIR("The direction of a channel."),
	{ .name = "enabled", .type = LAMPO_BOOL, .doc = "Whether it can be used." },
	{ .name = "htlc_minimum_msat", .type = LAMPO_MSAT, .doc = "The smallest HTLC." },
	{ .name = "htlc_maximum_msat", .type = LAMPO_MSAT, .doc = "The largest HTLC." },
	{ .name = "fee_base_msat", .type = LAMPO_MSAT, .doc = "What it takes for each HTLC." },
	{ .name = "fee_proportional_millionths", .type = LAMPO_U32, .doc = "What it takes of each million." },
	{ .name = "cltv_expiry_delta", .type = LAMPO_U16, .doc = "Blocks between the expiries of both HTLCs." },
};
METHOD(askrene_update_channel, "askrene-update-channel", "Say in a layer what a direction of a channel asks for",
       "What is not said stays as gossip, the layers below, or earlier calls have it.");

static const struct lampo_param askrene_remove_channel_update_params[] = { LAYER, SCID_DIR("The direction of a channel.") };
METHOD(askrene_remove_channel_update, "askrene-remove-channel-update", "Take back what a layer says that a direction asks for",
       "All that `askrene-update-channel` has said of it.");

static const struct lampo_param askrene_inform_channel_params[] = {
	LAYER, SCID_DIR("The direction that was tried."),
	{ .name = "amount_msat", .type = LAMPO_MSAT, .flags = LAMPO_REQUIRED, .doc = "With how much." },
	{ .name = "inform", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .choices = "constrained unconstrained succeeded",
	  .doc = "constrained: it could not carry that; unconstrained: it could, though the payment failed; succeeded: it did, and so much has "
		 "moved to the other side." },
};
static const struct lampo_result askrene_inform_channel_results[] = {
	{ "constraints", LAMPO_ARRAY, 0, "What is known there now, unless it succeeded." },
	{ "constraints[].layer", LAMPO_STRING, 0, "The layer." },
	{ "constraints[].short_channel_id_dir", LAMPO_SCID_DIR, 0, "The direction." },
	{ "constraints[].timestamp", LAMPO_U64, 0, "Now." },
	{ "constraints[].minimum_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "So much is there." },
	{ "constraints[].maximum_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "No more is there." },
	{ "impressions", LAMPO_ARRAY, 0, "What moved, if it succeeded." },
	{ "impressions[].layer", LAMPO_STRING, 0, "The layer." },
	{ "impressions[].short_channel_id_dir", LAMPO_SCID_DIR, 0, "The direction." },
	{ "impressions[].timestamp", LAMPO_U64, 0, "Now." },
	{ "impressions[].amount_msat", LAMPO_MSAT, 0, "What was told." },
};
METHOD_WITH_RESULTS(askrene_inform_channel, "askrene-inform-channel", "Tell a layer what an attempt taught",
		    "Take back your own reservation first: what others have reserved there is added to the amount, for it was not at hand.");

static const struct lampo_param askrene_bias_channel_params[] = {
	LAYER, SCID_DIR("The direction of a channel."), BIAS, DESCRIPTION, RELATIVE,
};
static const struct lampo_result askrene_bias_channel_results[] = {
	{ "biases", LAMPO_ARRAY, 0, "What it is now." },
	{ "biases[].layer", LAMPO_STRING, 0, "The layer." },
	{ "biases[].short_channel_id_dir", LAMPO_SCID_DIR, 0, "The direction." },
	{ "biases[].bias", LAMPO_INTEGER, 0, "Its bias." },
	{ "biases[].description", LAMPO_STRING, LAMPO_OPTIONAL, "What was said with it." },
	{ "biases[].timestamp", LAMPO_U64, 0, "Now." },
};
METHOD_WITH_RESULTS(askrene_bias_channel, "askrene-bias-channel", "Make a direction of a channel seem cheaper or dearer",
		    "The biases of several layers add up, between -100 and 100.");

static const struct lampo_param askrene_bias_node_params[] = {
	LAYER,
	{ .name = "node", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "The node." },
	{ .name = "direction", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .choices = "in out", .doc = "Its channels towards it, or away." },
	BIAS, DESCRIPTION, RELATIVE,
};
static const struct lampo_result askrene_bias_node_results[] = {
	{ "node_biases", LAMPO_ARRAY, 0, "What it is now." },
	{ "node_biases[].layer", LAMPO_STRING, 0, "The layer." },
	{ "node_biases[].node", LAMPO_PUBKEY, 0, "The node." },
	{ "node_biases[].in_bias", LAMPO_INTEGER, 0, "Of what leads to it." },
	{ "node_biases[].out_bias", LAMPO_INTEGER, 0, "Of what leads away from it." },
	{ "node_biases[].description", LAMPO_STRING, LAMPO_OPTIONAL, "What was said with it." },
	{ "node_biases[].timestamp", LAMPO_U64, 0, "Now." },
};
METHOD_WITH_RESULTS(askrene_bias_node, "askrene-bias-node", "Make the channels of a node seem cheaper or dearer",
		    "As `askrene-bias-channel` does for one.");

static const struct lampo_param askrene_disable_node_params[] = {
	LAYER,
	{ .name = "node", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "The node; it need not exist." },
};
METHOD(askrene_disable_node, "askrene-disable-node", "Go through a node no more", "It can still be paid.");

#define PATH \
	{ .name = "path", .type = LAMPO_ARRAY, .flags = LAMPO_REQUIRED, \
	  .doc = "Hops with short_channel_id_dir and amount_msat, as `getroutes` gives them; with layer, a hop counts for that layer alone." }
static const struct lampo_param askrene_reserve_params[] = { PATH };
METHOD(askrene_reserve, "askrene-reserve", "Reserve what an attempt takes along its path",
       "What is reserved no other request or payment counts on.  Reservations end with the node's run.");

static const struct lampo_param askrene_unreserve_params[] = { PATH };
METHOD(askrene_unreserve, "askrene-unreserve", "Take back what was reserved along a path", "Each hop with the amount that was reserved.");

static const struct lampo_result askrene_listreservations_results[] = {
	{ "reservations", LAMPO_ARRAY, 0, "What `askrene-reserve` has reserved, oldest first." },
	{ "reservations[].short_channel_id_dir", LAMPO_SCID_DIR, 0, "Where." },
	{ "reservations[].amount_msat", LAMPO_MSAT, 0, "How much." },
	{ "reservations[].age_in_seconds", LAMPO_U64, 0, "For how long." },
	{ "reservations[].command_id", LAMPO_STRING, 0, "The id of the call that reserved it." },
};
const struct lampo_method schema_askrene_listreservations = {
	.name = "askrene-listreservations",
	.category = "layers",
	.summary = "List what is reserved",
	.doc = "Not among them is what payments of this node hold.",
	.results = askrene_listreservations_results,
	.result_count = ARRAY_COUNT(askrene_listreservations_results),
};

static const struct lampo_param askrene_age_params[] = {
	LAYER,
	{ .name = "cutoff", .type = LAMPO_U64, .flags = LAMPO_REQUIRED, .doc = "Unix time: what was told before is forgotten." },
};
static const struct lampo_result askrene_age_results[] = {
	{ "layer", LAMPO_STRING, 0, "The layer." },
	{ "num_removed", LAMPO_U64, 0, "How many rules are gone." },
};
METHOD_WITH_RESULTS(askrene_age, "askrene-age", "Forget what a layer was told long ago", "Constraints, impressions and biases.");
