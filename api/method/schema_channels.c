/* Schemas: channels. */
#include "api/method/schemas.h"

#include "base/mem.h"

#define TYPE_RESULTS(path) \
	{ path "channel_type", LAMPO_OBJECT, 0, "The channel's type." }, \
	{ path "channel_type.bits", LAMPO_ARRAY, 0, "Its feature bits." }, \
	{ path "channel_type.names", LAMPO_ARRAY, 0, "Their names." }

static const struct lampo_param fundchannel_params[] = {
	{ .name = "id", .aliases = "node_id", .type = LAMPO_PEER, .flags = LAMPO_REQUIRED,
	  .doc = "The peer; with \"@host:port\" it is called first." },
	{ .name = "amount", .type = LAMPO_SAT_OR_ALL, .flags = LAMPO_REQUIRED, .doc = "The channel's size; \"all\": everything." },
	{ .name = "feerate", .type = LAMPO_FEERATE, .fallback = "normal", .doc = "The fee rate of the funding transaction." },
	{ .name = "announce", .aliases = "public", .type = LAMPO_BOOL, .fallback = "true", .doc = "Whether others may learn of it." },
	{ .name = "minconf", .type = LAMPO_U32, .fallback = "1", .doc = "Spend coins with so many confirmations." },
	{ .name = "push_msat", .type = LAMPO_MSAT, .fallback = "0", .doc = "A gift to the peer, for good." },
	{ .name = "close_to", .type = LAMPO_STRING, .doc = "An address: a close pays our part there and nowhere else." },
	{ .name = "request_amt", .type = LAMPO_SAT, .flags = LAMPO_UNSUPPORTED, .doc = "Liquidity to lease." },
	{ .name = "compact_lease", .type = LAMPO_STRING, .flags = LAMPO_UNSUPPORTED, .doc = "Terms of a lease." },
	{ .name = "utxos", .type = LAMPO_ARRAY, .element = LAMPO_OUTPOINT, .doc = "Spend exactly these coins." },
	{ .name = "mindepth", .type = LAMPO_U32, .doc = "Confirmations that we wait for." },
	{ .name = "reserve", .type = LAMPO_SAT, .doc = "What the peer must keep in the channel." },
	{ .name = "channel_type", .type = LAMPO_ARRAY, .element = LAMPO_U32,
	  .doc = "Feature bits: [12] static_remotekey, [12,22] anchors.  Default: the best that both know." },
	{ .name = "addr", .aliases = "host", .type = LAMPO_STRING, .doc = "Where to call the peer first." },
	{ .name = "port", .type = LAMPO_U16, .doc = "Its port." },
};
static const struct lampo_result fundchannel_results[] = {
	{ "tx", LAMPO_HEX, 0, "The funding transaction, which is on its way." },
	{ "txid", LAMPO_TXID, 0, "Its id." },
	{ "outnum", LAMPO_U32, 0, "Its output that is the channel." },
	{ "channel_id", LAMPO_HASH, 0, "The channel." },
	TYPE_RESULTS(""),
	{ "close_to", LAMPO_HEX, LAMPO_OPTIONAL, "The script that a close pays." },
	{ "mindepth", LAMPO_U32, LAMPO_OPTIONAL, "Confirmations that are waited for." },
	{ "node_id", LAMPO_PUBKEY, LAMPO_OPTIONAL, "The peer." },
	{ "amount", LAMPO_SAT, LAMPO_OPTIONAL, "The channel's size in satoshi." },
	{ "public", LAMPO_BOOL, LAMPO_OPTIONAL, "Whether others may learn of it." },
	{ "push_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "What was given to the peer." },
	{ "to_self_delay", LAMPO_U16, LAMPO_OPTIONAL, "Blocks for which our money waits after a close of ours alone." },
};
static const struct lampo_error fundchannel_errors[] = {
	{ 300, "The channel would be larger than both sides can handle." },
	{ 301, "There is not enough money, fee and reserve included." },
	{ 302, "The amount is too small for a channel." },
	{ 303, "The funding transaction was not accepted by the network." },
	{ 305, "The peer is not connected." },
	{ 312, "The peer refused; the message says why." },
	{ 400, "No address of the peer is known." },
	{ 401, "No connection came about; the message says why." },
	{ -1, "Something else; the message says what." },
};
const struct lampo_method schema_fundchannel = {
	.name = "fundchannel",
	.category = "channels",
	.summary = "Open a channel with coins of the wallet",
	.doc = "Answers when the peer has agreed and the funding transaction is on its way.  "
	       "The channel can be used when it has its confirmations.",
	.params = fundchannel_params,
	.param_count = ARRAY_COUNT(fundchannel_params),
	.results = fundchannel_results,
	.result_count = ARRAY_COUNT(fundchannel_results),
	.errors = fundchannel_errors,
	.error_count = ARRAY_COUNT(fundchannel_errors),
};

static const struct lampo_param channels_params[] = {
	{ .name = "id", .aliases = "node_id peer_id", .type = LAMPO_PUBKEY, .doc = "Channels with this peer alone." },
	{ .name = "short_channel_id", .type = LAMPO_SCID, .doc = "This channel alone." },
	{ .name = "channel_id", .type = LAMPO_HASH, .doc = "This channel alone." },
};
#define IN(name) "channels[]." name
#define UPDATE_RESULTS(path, doc) \
	{ IN(path), LAMPO_OBJECT, LAMPO_OPTIONAL, doc }, \
	{ IN(path) ".htlc_minimum_msat", LAMPO_MSAT, 0, "The smallest HTLC." }, \
	{ IN(path) ".htlc_maximum_msat", LAMPO_MSAT, 0, "The largest HTLC." }, \
	{ IN(path) ".cltv_expiry_delta", LAMPO_U32, 0, "Blocks between the expiries of the incoming and the outgoing HTLC." }, \
	{ IN(path) ".fee_base_msat", LAMPO_MSAT, 0, "What it takes for each HTLC." }, \
	{ IN(path) ".fee_proportional_millionths", LAMPO_U32, 0, "What it takes of each million." }
static const struct lampo_result channels_results[] = {
	{ "channels", LAMPO_ARRAY, 0, "The channels." },
	{ IN("peer_id"), LAMPO_PUBKEY, 0, "The peer." },
	{ IN("peer_connected"), LAMPO_BOOL, 0, "Whether it is connected." },
	{ IN("reestablished"), LAMPO_BOOL, LAMPO_OPTIONAL, "If connected: whether both sides have found each other again." },
	{ IN("state"), LAMPO_STRING, 0, "The state, by Core Lightning's name: CHANNELD_NORMAL and so on." },
	{ IN("ready"), LAMPO_BOOL, 0, "Payments can go through it now." },
	{ IN("scratch_txid"), LAMPO_TXID, LAMPO_OPTIONAL, "Our latest commitment transaction." },
	{ IN("last_tx_fee_msat"), LAMPO_MSAT, LAMPO_OPTIONAL, "Its fee." },
	TYPE_RESULTS("channels[]."),
	{ IN("lost_state"), LAMPO_BOOL, 0, "The peer proved that our data is old: the close is its to do." },
	{ IN("feerate"), LAMPO_OBJECT, LAMPO_OPTIONAL, "The fee rate of our commitment transaction." },
	{ IN("feerate.perkw"), LAMPO_U32, 0, "Per 1000 units of weight." },
	{ IN("feerate.perkb"), LAMPO_U32, 0, "Per 1000 virtual bytes." },
	{ IN("short_channel_id"), LAMPO_SCID, LAMPO_OPTIONAL, "Its place in the chain, once it is confirmed." },
	{ IN("direction"), LAMPO_U32, LAMPO_OPTIONAL, "0 if our key is the lesser of the two, else 1." },
	{ IN("channel_id"), LAMPO_HASH, 0, "The channel's id." },
	{ IN("funding_txid"), LAMPO_TXID, LAMPO_OPTIONAL, "The funding transaction." },
	{ IN("funding_outnum"), LAMPO_U32, LAMPO_OPTIONAL, "Which of its outputs." },
	{ IN("close_to"), LAMPO_HEX, LAMPO_OPTIONAL, "The script that a close pays our part to." },
	{ IN("close_to_addr"), LAMPO_STRING, LAMPO_OPTIONAL, "The same as an address." },
	{ IN("private"), LAMPO_BOOL, 0, "It is not announced." },
	{ IN("public"), LAMPO_BOOL, 0, "It is, or will be." },
	{ IN("opener"), LAMPO_STRING, 0, "local or remote." },
	{ IN("closer"), LAMPO_STRING, LAMPO_OPTIONAL, "local or remote: who wanted the end." },
	{ IN("features"), LAMPO_ARRAY, 0, "Names of the channel's features." },
	{ IN("updates"), LAMPO_OBJECT, 0, "What each end's channel_update says." },
	UPDATE_RESULTS("updates.local", "Ours, once there is one."),
	UPDATE_RESULTS("updates.remote", "The peer's, once it has told us."),
	{ IN("funding"), LAMPO_OBJECT, 0, "Who paid for it." },
	{ IN("funding.local_funds_msat"), LAMPO_MSAT, 0, "Ours." },
	{ IN("funding.remote_funds_msat"), LAMPO_MSAT, 0, "The peer's." },
	{ IN("funding.pushed_msat"), LAMPO_MSAT, 0, "What the opener gave to the other." },
	{ IN("to_us_msat"), LAMPO_MSAT, 0, "Ours, settled." },
	{ IN("min_to_us_msat"), LAMPO_MSAT, 0, "The least that it has ever been." },
	{ IN("max_to_us_msat"), LAMPO_MSAT, 0, "The most." },
	{ IN("total_msat"), LAMPO_MSAT, 0, "The channel's size." },
	{ IN("amount_msat"), LAMPO_MSAT, 0, "The same." },
	{ IN("amount"), LAMPO_SAT, 0, "The same in satoshi." },
	{ IN("dust_limit_msat"), LAMPO_MSAT, 0, "Outputs below this are left out of our transactions." },
	{ IN("our_max_htlc_value_in_flight_msat"), LAMPO_MSAT, 0, "Our limit: what the peer may have in flight at once." },
	{ IN("their_max_htlc_value_in_flight_msat"), LAMPO_MSAT, 0, "The peer's limit: what we may." },
	{ IN("their_reserve_msat"), LAMPO_MSAT, 0, "What the peer must keep." },
	{ IN("our_reserve_msat"), LAMPO_MSAT, 0, "What we must keep." },
	{ IN("spendable_msat"), LAMPO_MSAT, 0, "The largest payment that we could send through it now." },
	{ IN("available_balance_for_send_msat"), LAMPO_MSAT, 0, "The same." },
	{ IN("receivable_msat"), LAMPO_MSAT, 0, "The largest that could come in." },
	{ IN("available_balance_for_recv_msat"), LAMPO_MSAT, 0, "The same." },
	{ IN("fee_base_msat"), LAMPO_MSAT, 0, "What each forwarded payment that goes out over it costs." },
	{ IN("fee_proportional_millionths"), LAMPO_U32, 0, "What it costs besides." },
	{ IN("ignore_fee_limits"), LAMPO_BOOL, 0, "Whether the peer may set any fee rate: setchannel." },
	{ IN("minimum_htlc_in_msat"), LAMPO_MSAT, 0, "The smallest HTLC that we take." },
	{ IN("minimum_htlc_out_msat"), LAMPO_MSAT, 0, "The smallest that we forward and the peer takes." },
	{ IN("maximum_htlc_out_msat"), LAMPO_MSAT, 0, "The largest that we forward." },
	{ IN("their_to_self_delay"), LAMPO_U32, 0, "Blocks for which the peer's money waits after a close of its own." },
	{ IN("our_to_self_delay"), LAMPO_U32, 0, "Blocks for which ours does." },
	{ IN("max_accepted_htlcs"), LAMPO_U32, 0, "HTLCs that the peer may offer at once." },
	{ IN("alias"), LAMPO_OBJECT, LAMPO_OPTIONAL, "Short channel ids that are not a place in the chain." },
	{ IN("alias.local"), LAMPO_SCID, LAMPO_OPTIONAL, "Ours." },
	{ IN("alias.remote"), LAMPO_SCID, LAMPO_OPTIONAL, "The peer's." },
	{ IN("status"), LAMPO_ARRAY, 0, "The state in words." },
	{ IN("in_payments_offered"), LAMPO_U64, 0, "HTLCs that came in, ever." },
	{ IN("in_offered_msat"), LAMPO_MSAT, 0, "Their sum." },
	{ IN("in_payments_fulfilled"), LAMPO_U64, 0, "Those that we took." },
	{ IN("in_fulfilled_msat"), LAMPO_MSAT, 0, "Their sum." },
	{ IN("out_payments_offered"), LAMPO_U64, 0, "HTLCs that went out, ever." },
	{ IN("out_offered_msat"), LAMPO_MSAT, 0, "Their sum." },
	{ IN("out_payments_fulfilled"), LAMPO_U64, 0, "Those that arrived." },
	{ IN("out_fulfilled_msat"), LAMPO_MSAT, 0, "Their sum." },
	{ IN("htlcs"), LAMPO_ARRAY, 0, "HTLCs in flight." },
	{ IN("htlcs[].direction"), LAMPO_STRING, 0, "in or out." },
	{ IN("htlcs[].id"), LAMPO_U64, 0, "Its number." },
	{ IN("htlcs[].amount_msat"), LAMPO_MSAT, 0, "Its amount." },
	{ IN("htlcs[].expiry"), LAMPO_U32, 0, "The block height at which it ends." },
	{ IN("htlcs[].payment_hash"), LAMPO_HASH, 0, "Its payment hash." },
	{ IN("htlcs[].state"), LAMPO_STRING, 0, "Its state, by Core Lightning's name." },
	{ IN("close_cause"), LAMPO_STRING, LAMPO_OPTIONAL, "Who or what ends it: user, local, remote, protocol or onchain." },
	CAUSE_RESULTS("channels[]."),
	{ IN("spent_by"), LAMPO_OBJECT, LAMPO_OPTIONAL, "The transaction in a block that spent the funding output." },
	{ IN("spent_by.txid"), LAMPO_TXID, 0, "Its id." },
	{ IN("spent_by.kind"), LAMPO_STRING, 0, "Whose it is, in words." },
	{ IN("spent_by.height"), LAMPO_U32, 0, "The block." },
	{ IN("sweeps"), LAMPO_ARRAY, LAMPO_OPTIONAL, "What the end left on the chain and is not settled." },
	SWEEP_RESULTS("channels[].sweeps[]."),
};
const struct lampo_method schema_listpeerchannels = {
	.name = "listpeerchannels",
	.aliases = "channels",
	.category = "channels",
	.summary = "List channels",
	.params = channels_params,
	.param_count = ARRAY_COUNT(channels_params),
	.results = channels_results,
	.result_count = ARRAY_COUNT(channels_results),
};

static const struct lampo_param closed_params[] = {
	{ .name = "id", .type = LAMPO_PUBKEY, .doc = "Channels with this peer alone." },
	{ .name = "start", .type = LAMPO_U64, .doc = "From this closed_index on." },
	{ .name = "limit", .type = LAMPO_U32, .doc = "At most so many." },
};
#define WAS(name) "closedchannels[]." name
static const struct lampo_result closed_results[] = {
	{ "closedchannels", LAMPO_ARRAY, 0, "Channels that are history, in the order in which they became it." },
	{ WAS("closed_index"), LAMPO_U64, LAMPO_OPTIONAL,
	  "Its number in that order.  Not there in the first moments after an update from a version that gave none." },
	{ WAS("peer_id"), LAMPO_PUBKEY, 0, "The peer." },
	{ WAS("channel_id"), LAMPO_HASH, 0, "The channel's id." },
	{ WAS("short_channel_id"), LAMPO_SCID, LAMPO_OPTIONAL, "Its place in the chain." },
	{ WAS("alias"), LAMPO_OBJECT, LAMPO_OPTIONAL, "Short channel ids that were not a place in the chain." },
	{ WAS("alias.local"), LAMPO_SCID, LAMPO_OPTIONAL, "Ours." },
	{ WAS("alias.remote"), LAMPO_SCID, LAMPO_OPTIONAL, "The peer's." },
	{ WAS("opener"), LAMPO_STRING, 0, "local or remote." },
	{ WAS("closer"), LAMPO_STRING, LAMPO_OPTIONAL, "local or remote: who wanted the end." },
	{ WAS("private"), LAMPO_BOOL, 0, "It was not announced." },
	TYPE_RESULTS("closedchannels[]."),
	{ WAS("total_local_commitments"), LAMPO_U64, 0, "Commitments of ours, ever." },
	{ WAS("total_remote_commitments"), LAMPO_U64, 0, "Commitments of the peer's." },
	{ WAS("total_htlcs_sent"), LAMPO_U64, 0, "HTLCs that went out." },
	{ WAS("funding_txid"), LAMPO_TXID, 0, "The funding transaction." },
	{ WAS("funding_outnum"), LAMPO_U32, 0, "Which of its outputs." },
	{ WAS("total_msat"), LAMPO_MSAT, 0, "The channel's size." },
	{ WAS("final_to_us_msat"), LAMPO_MSAT, 0, "Ours in the end." },
	{ WAS("min_to_us_msat"), LAMPO_MSAT, 0, "The least that it has ever been." },
	{ WAS("max_to_us_msat"), LAMPO_MSAT, 0, "The most." },
	{ WAS("leased"), LAMPO_BOOL, 0, "Always false: there are no leases." },
	{ WAS("close_cause"), LAMPO_STRING, 0, "Who or what ended it: user, local, remote, protocol, onchain or unknown." },
	CAUSE_RESULTS("closedchannels[]."),
};
static const struct lampo_error closed_errors[] = {
	{ -32602, "There are more than 10000: ask for pieces, with `start` and `limit`." },
};
const struct lampo_method schema_listclosedchannels = {
	.name = "listclosedchannels",
	.category = "channels",
	.summary = "List channels that are history",
	.doc = "A channel is history once a hundred blocks lie on everything that settled it.  To follow them, ask with `start` one "
	       "greater than the last number that you have seen.",
	.params = closed_params,
	.param_count = ARRAY_COUNT(closed_params),
	.results = closed_results,
	.result_count = ARRAY_COUNT(closed_results),
	.errors = closed_errors,
	.error_count = ARRAY_COUNT(closed_errors),
};

static const struct lampo_param close_params[] = {
	{ .name = "id", .aliases = "node_id", .type = LAMPO_CHANNEL, .flags = LAMPO_REQUIRED,
	  .doc = "The channel, or a peer with one channel." },
	{ .name = "unilateraltimeout", .type = LAMPO_U32, .fallback = "172800",
	  .doc = "Seconds to wait for the peer before the close is ours alone; 0: wait for ever." },
	{ .name = "destination", .type = LAMPO_STRING, .doc = "An address for our part.  Default: the wallet." },
	{ .name = "fee_negotiation_step", .type = LAMPO_STRING, .flags = LAMPO_UNSUPPORTED,
	  .doc = "The fee is agreed on by ranges." },
	{ .name = "wrong_funding", .type = LAMPO_OUTPOINT, .flags = LAMPO_UNSUPPORTED, .doc = "Another output to spend." },
	{ .name = "force_lease_closed", .type = LAMPO_BOOL, .flags = LAMPO_UNSUPPORTED, .doc = "There are no leases." },
	{ .name = "feerange", .type = LAMPO_ARRAY, .element = LAMPO_FEERATE, .doc = "The lowest and the highest fee rate." },
	{ .name = "channel_id", .type = LAMPO_HASH, .doc = "The channel, if id names a peer with several." },
	{ .name = "force", .type = LAMPO_BOOL, .fallback = "false", .doc = "Close alone and at once." },
};
static const struct lampo_result close_results[] = {
	{ "type", LAMPO_STRING, 0, "mutual, unilateral or unopened." },
	{ "tx", LAMPO_HEX, LAMPO_OPTIONAL, "The transaction that ends the channel." },
	{ "txid", LAMPO_TXID, LAMPO_OPTIONAL, "Its id." },
	{ "txs", LAMPO_ARRAY, LAMPO_OPTIONAL, "The same transaction, in a list." },
	{ "txids", LAMPO_ARRAY, LAMPO_OPTIONAL, "Its id, in a list." },
	{ "channel_id", LAMPO_HASH, LAMPO_OPTIONAL, "The channel." },
	{ "peer_id", LAMPO_PUBKEY, LAMPO_OPTIONAL, "The peer." },
	{ "funding_utxo", LAMPO_OUTPOINT, LAMPO_OPTIONAL, "The output that the channel was." },
	{ "message", LAMPO_STRING, 0, "What happened, in words." },
};
static const struct lampo_error close_errors[] = {
	{ -32602, "There is no such channel, or the peer has several." },
	{ -1, "It cannot be closed so; the message says why." },
};
const struct lampo_method schema_close = {
	.name = "close",
	.category = "channels",
	.summary = "Close a channel",
	.doc = "Answers when the closing transaction is on its way.",
	.params = close_params,
	.param_count = ARRAY_COUNT(close_params),
	.results = close_results,
	.result_count = ARRAY_COUNT(close_results),
	.errors = close_errors,
	.error_count = ARRAY_COUNT(close_errors),
};
