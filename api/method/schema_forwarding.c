/* Schemas: forwarding. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_param setchannel_params[] = {
	{ .name = "id", .type = LAMPO_CHANNEL_OR_ALL, .flags = LAMPO_REQUIRED,
	  .doc = "The channel; of a peer all that are open or being opened; or all channels." },
	{ .name = "feebase", .type = LAMPO_MSAT, .doc = "What each forwarded payment costs." },
	{ .name = "feeppm", .type = LAMPO_U32, .doc = "What it costs besides, in millionths of what goes on." },
	{ .name = "htlcmin", .type = LAMPO_MSAT, .doc = "The smallest HTLC that is forwarded." },
	{ .name = "htlcmax", .type = LAMPO_MSAT, .doc = "The largest." },
	{ .name = "enforcedelay", .type = LAMPO_U32, .fallback = "600",
	  .doc = "Seconds for which the terms of before are still enough." },
	{ .name = "ignorefeelimits", .type = LAMPO_BOOL,
	  .doc = "Whether the peer may set any fee rate for the commitment transactions.  Dangerous: with too low a rate they "
		 "cannot be relayed, with too high a one small HTLCs cannot be enforced." },
	{ .name = "cltvdelta", .type = LAMPO_U16, .doc = "Blocks between the expiries of the incoming and the outgoing HTLC: 18 to 2016." },
};
static const struct lampo_result setchannel_results[] = {
	{ "channels", LAMPO_ARRAY, 0, "The channels that were set." },
	{ "channels[].peer_id", LAMPO_PUBKEY, 0, "The peer." },
	{ "channels[].channel_id", LAMPO_HASH, 0, "The channel's id." },
	{ "channels[].short_channel_id", LAMPO_SCID, LAMPO_OPTIONAL, "Its place in the chain, once it is confirmed." },
	{ "channels[].fee_base_msat", LAMPO_MSAT, 0, "What each forwarded payment costs now." },
	{ "channels[].fee_proportional_millionths", LAMPO_U32, 0, "What it costs besides." },
	{ "channels[].cltv_expiry_delta", LAMPO_U32, 0, "Blocks between the two expiries." },
	{ "channels[].ignore_fee_limits", LAMPO_BOOL, 0, "Whether the peer may set any fee rate." },
	{ "channels[].minimum_htlc_out_msat", LAMPO_MSAT, 0, "The smallest HTLC that is forwarded." },
	{ "channels[].warning_htlcmin_too_low", LAMPO_STRING, LAMPO_OPTIONAL, "The peer takes nothing as small as was asked." },
	{ "channels[].maximum_htlc_out_msat", LAMPO_MSAT, 0, "The largest." },
	{ "channels[].warning_htlcmax_too_high", LAMPO_STRING, LAMPO_OPTIONAL, "The channel carries nothing as large as was asked." },
};
static const struct lampo_error setchannel_errors[] = {
	{ -32602, "No such channel is open or being opened, or the terms make no sense for it; then none is set." },
};
const struct lampo_method schema_setchannel = {
	.name = "setchannel",
	.category = "channels",
	.summary = "Set the terms on which others' payments go out over a channel",
	.doc = "What is not given stays as it is; what was never set for a channel follows the configuration.  The new terms are "
	       "announced at once, and those of before are good for enforcedelay seconds more.  Payments of our own do not "
	       "care for them.",
	.params = setchannel_params,
	.param_count = ARRAY_COUNT(setchannel_params),
	.results = setchannel_results,
	.result_count = ARRAY_COUNT(setchannel_results),
	.errors = setchannel_errors,
	.error_count = ARRAY_COUNT(setchannel_errors),
};
