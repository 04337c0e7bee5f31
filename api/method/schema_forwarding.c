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
	{ .name = "cltvdelta", .type = LAMPO_U16,
	  .doc = "Blocks between the expiries of the incoming and the outgoing HTLC: 28 to 2016.  With "
		 "fewer than 34 a reorganization could cost a payment." },
};
static const struct lampo_result setchannel_results[] = {
	{ "channels", LAMPO_ARRAY, 0, "The channels that were set." },
	{ "channels[].peer_id", LAMPO_PUBKEY, 0, "The peer." },
	{ "channels[].channel_id", LAMPO_HASH, 0, "The channel's id." },
	{ "channels[].short_channel_id", LAMPO_SCID, LAMPO_OPTIONAL, "Its place in the chain, once it is confirmed." },
	{ "channels[].fee_base_msat", LAMPO_MSAT, 0, "What each forwarded payment costs now." },
	{ "channels[].fee_proportional_millionths", LAMPO_U32, 0, "What it costs besides." },
	{ "channels[].cltv_expiry_delta", LAMPO_U32, 0, "Blocks between the two expiries." },
	{ "channels[].warning_cltvdelta_too_low", LAMPO_STRING, LAMPO_OPTIONAL, "They are fewer than the 34 of BOLT 2." },
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

static const struct lampo_param listforwards_params[] = {
	{ .name = "status", .type = LAMPO_STRING, .choices = "offered settled local_failed failed", .doc = "Those alone." },
	{ .name = "in_channel", .type = LAMPO_SCID, .doc = "Those alone that came in over this channel." },
	{ .name = "out_channel", .type = LAMPO_SCID, .doc = "Those alone that went, or were to go, out over this one." },
	{ .name = "index", .type = LAMPO_STRING, .choices = "created updated",
	  .doc = "Which number `start` means; here they are the same." },
	{ .name = "start", .type = LAMPO_U64, .doc = "From this number on." },
	{ .name = "limit", .type = LAMPO_U32, .doc = "At most so many." },
};
#define FORWARD(name) "forwards[]." name
static const struct lampo_result listforwards_results[] = {
	{ "forwards", LAMPO_ARRAY, 0, "In the order in which they ended; those under way last." },
	{ FORWARD("created_index"), LAMPO_U64, LAMPO_OPTIONAL, "Its number, which it takes when it ends, and which never changes." },
	{ FORWARD("updated_index"), LAMPO_U64, LAMPO_OPTIONAL, "The same." },
	{ FORWARD("in_channel"), LAMPO_SCID, 0, "The channel that it came in over; our alias, if it was not in the chain then." },
	{ FORWARD("in_htlc_id"), LAMPO_U64, 0, "The HTLC's number there." },
	{ FORWARD("in_msat"), LAMPO_MSAT, 0, "What came in." },
	{ FORWARD("out_channel"), LAMPO_SCID, LAMPO_OPTIONAL, "The channel that it went out over; of local_failed the one that was named." },
	{ FORWARD("out_htlc_id"), LAMPO_U64, LAMPO_OPTIONAL, "The HTLC's number there." },
	{ FORWARD("out_msat"), LAMPO_MSAT, 0, "What went out, or should have." },
	{ FORWARD("fee_msat"), LAMPO_MSAT, 0, "What stays here." },
	{ FORWARD("status"), LAMPO_STRING, 0,
	  "offered: under way; settled: paid; local_failed: refused here; failed: it went on and came back." },
	{ FORWARD("style"), LAMPO_STRING, 0, "Always tlv: the form of the onion." },
	{ FORWARD("failcode"), LAMPO_U32, LAMPO_OPTIONAL, "BOLT 4's code of a failure of ours; others only the sender can read." },
	{ FORWARD("failreason"), LAMPO_STRING, LAMPO_OPTIONAL, "Its name." },
	{ FORWARD("received_time"), LAMPO_U64, 0, "When it came in, in seconds since 1970; 0: before the last start." },
	{ FORWARD("resolved_time"), LAMPO_U64, LAMPO_OPTIONAL, "When it ended." },
};
static const struct lampo_error listforwards_errors[] = {
	{ -32602, "There are more than 10000: ask for pieces, with `start` and `limit`." },
};
const struct lampo_method schema_listforwards = {
	.name = "listforwards",
	.category = "channels",
	.summary = "List what this node forwarded, or refused to",
	.doc = "To follow them, ask with `start` one greater than the last number that you have seen.",
	.params = listforwards_params,
	.param_count = ARRAY_COUNT(listforwards_params),
	.results = listforwards_results,
	.result_count = ARRAY_COUNT(listforwards_results),
	.errors = listforwards_errors,
	.error_count = ARRAY_COUNT(listforwards_errors),
};

static const struct lampo_param delforward_params[] = {
	{ .name = "in_channel", .type = LAMPO_SCID, .flags = LAMPO_REQUIRED, .doc = "The channel that it came in over." },
	{ .name = "in_htlc_id", .type = LAMPO_U64, .flags = LAMPO_REQUIRED, .doc = "The HTLC's number there." },
	{ .name = "status", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .choices = "settled local_failed failed", .doc = "Its status." },
};
static const struct lampo_error delforward_errors[] = {
	{ 1401, "There is no such forward." },
	{ -1, "Too many are being looked for at once, or entries of an older version are still being indexed: try again." },
};
const struct lampo_method schema_delforward = {
	.name = "delforward",
	.category = "channels",
	.summary = "Delete an entry of listforwards",
	.params = delforward_params,
	.param_count = ARRAY_COUNT(delforward_params),
	.errors = delforward_errors,
	.error_count = ARRAY_COUNT(delforward_errors),
};
