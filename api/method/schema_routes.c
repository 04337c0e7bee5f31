/* Schemas: paying along a given route. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_error route_errors[] = {
	{ -32602, "The route makes no sense." },
	{ 200, "Another payment of that hash is pending, or the time to wait is over." },
	{ 201, "It was paid already, with another amount or to another node." },
	{ 202, "The route failed, and nobody on it says why readably." },
	{ 203, "The destination refused for good; data says how." },
	{ 204, "A node or channel on the route did not carry it; data says which." },
	{ 208, "No such payment was ever made." },
	{ 209, "It failed before; only the message is known any more." },
	{ -1, "Something else; the message says what." },
};
#define PAYMENT_RESULTS \
	{ "created_index", LAMPO_U64, 0, "The how many-eth payment it is." }, \
	{ "id", LAMPO_U64, 0, "The same." }, \
	{ "groupid", LAMPO_U64, 0, "Which try of that payment hash it is." }, \
	{ "partid", LAMPO_U64, LAMPO_OPTIONAL, "Which part of it, if there may be several." }, \
	{ "payment_hash", LAMPO_HASH, 0, "What its preimage will prove." }, \
	{ "status", LAMPO_STRING, 0, "pending or complete." }, \
	{ "destination", LAMPO_PUBKEY, 0, "Who is paid." }, \
	{ "created_at", LAMPO_U64, 0, "When it was begun, Unix time." }, \
	{ "completed_at", LAMPO_U64, LAMPO_OPTIONAL, "When it ended, Unix time." }, \
	{ "amount_msat", LAMPO_MSAT, 0, "What is to arrive, of this part while it is pending." }, \
	{ "amount_sent_msat", LAMPO_MSAT, 0, "What left, fees included." }, \
	{ "label", LAMPO_STRING, LAMPO_OPTIONAL, "Its label." }, \
	{ "bolt11", LAMPO_STRING, LAMPO_OPTIONAL, "The invoice that was given with it." }, \
	{ "payment_preimage", LAMPO_HASH, LAMPO_OPTIONAL, "Complete: the receipt." }

static const struct lampo_param sendpay_params[] = {
	{ .name = "route", .type = LAMPO_ARRAY, .flags = LAMPO_REQUIRED,
	  .doc = "Hops, our peer first, as `getroute` gives them: the node's id, the channel into it, amount_msat that arrives there, and "
		 "delay, the blocks until that expires; or a path of `getroutes`, of which node_id_out, short_channel_id_dir, "
		 "amount_out_msat and cltv_out count." },
	{ .name = "payment_hash", .type = LAMPO_HASH, .flags = LAMPO_REQUIRED, .doc = "Of the preimage that the destination has." },
	{ .name = "label", .type = LAMPO_LABEL, .doc = "A name of your own for the payment." },
	{ .name = "amount_msat", .aliases = "amount", .type = LAMPO_MSAT,
	  .doc = "The whole payment, where this is a part of it.  Default: what arrives over this route." },
	{ .name = "bolt11", .type = LAMPO_STRING, .doc = "The invoice, to be listed with the payment; it is not read." },
	{ .name = "payment_secret", .type = LAMPO_HASH, .doc = "Of the invoice; almost every destination wants it." },
	{ .name = "partid", .type = LAMPO_U64, .fallback = "0",
	  .doc = "A number for this part, not 0, if the payment has several; amount_msat is the whole then." },
	{ .name = "localinvreqid", .type = LAMPO_HEX, .flags = LAMPO_UNSUPPORTED, .doc = "There are no offers." },
	{ .name = "groupid", .type = LAMPO_U64, .doc = "A number that parts of one try share.  Default: the pending one's, or the next." },
	{ .name = "payment_metadata", .type = LAMPO_HEX, .doc = "Of the invoice, for the destination." },
	{ .name = "description", .type = LAMPO_STRING, .flags = LAMPO_UNSUPPORTED, .doc = "The invoice is not read." },
};
static const struct lampo_result sendpay_results[] = {
	PAYMENT_RESULTS,
	{ "message", LAMPO_STRING, LAMPO_OPTIONAL, "Pending: how to learn its end." },
};
const struct lampo_method schema_sendpay = {
	.name = "sendpay",
	.category = "payments",
	.summary = "Send a payment along a given route",
	.doc = "Answers as soon as the payment is on its way and stored; `waitsendpay` answers when it has ended.  Nothing is tried "
	       "again: that is for whoever chose the route.  The same part again while it is pending, or once it is complete, changes "
	       "nothing and gives the same answer.",
	.params = sendpay_params,
	.param_count = ARRAY_COUNT(sendpay_params),
	.results = sendpay_results,
	.result_count = ARRAY_COUNT(sendpay_results),
	.errors = route_errors,
	.error_count = ARRAY_COUNT(route_errors),
};

static const struct lampo_param waitsendpay_params[] = {
	{ .name = "payment_hash", .type = LAMPO_HASH, .flags = LAMPO_REQUIRED, .doc = "Of the payment." },
	{ .name = "timeout", .type = LAMPO_U32, .doc = "Seconds to wait.  Default: however long it takes." },
	{ .name = "partid", .type = LAMPO_U64, .fallback = "0", .doc = "The part, as sendpay was told." },
	{ .name = "groupid", .type = LAMPO_U64, .doc = "The try, as sendpay was told.  Default: the latest." },
};
static const struct lampo_result waitsendpay_results[] = { PAYMENT_RESULTS };
const struct lampo_method schema_waitsendpay = {
	.name = "waitsendpay",
	.category = "payments",
	.summary = "Wait for the end of a payment that sendpay began",
	.doc = "The data of a failure has the payment's fields and erring_index (0: this node, 1: its peer), erring_node, "
	       "erring_channel, erring_direction, failcode, failcodename and raw_message, as far as they are known.",
	.params = waitsendpay_params,
	.param_count = ARRAY_COUNT(waitsendpay_params),
	.results = waitsendpay_results,
	.result_count = ARRAY_COUNT(waitsendpay_results),
	.errors = route_errors,
	.error_count = ARRAY_COUNT(route_errors),
};

#define PART_RESULTS \
	{ "payments", LAMPO_ARRAY, 0, "Parts, oldest payment first, those of one payment together." }, \
	{ "payments[].created_index", LAMPO_U64, 0, "The how many-eth payment it is a part of." }, \
	{ "payments[].id", LAMPO_U64, 0, "The same." }, \
	{ "payments[].payment_hash", LAMPO_HASH, 0, "What its preimage proves." }, \
	{ "payments[].groupid", LAMPO_U64, 0, "Which try of that payment hash it belongs to." }, \
	{ "payments[].partid", LAMPO_U64, LAMPO_OPTIONAL, "Which part of it, if there may be several." }, \
	{ "payments[].status", LAMPO_STRING, 0, "pending, complete or failed." }, \
	{ "payments[].destination", LAMPO_PUBKEY, 0, "Who is paid." }, \
	{ "payments[].created_at", LAMPO_U64, 0, "When it left, Unix time." }, \
	{ "payments[].completed_at", LAMPO_U64, LAMPO_OPTIONAL, "When it ended, Unix time." }, \
	{ "payments[].amount_msat", LAMPO_MSAT, 0, "What it delivers, or was to." }, \
	{ "payments[].amount_sent_msat", LAMPO_MSAT, 0, "What left, fees included." }, \
	{ "payments[].label", LAMPO_STRING, LAMPO_OPTIONAL, "The payment's label." }, \
	{ "payments[].bolt11", LAMPO_STRING, LAMPO_OPTIONAL, "The invoice." }, \
	{ "payments[].payment_preimage", LAMPO_HASH, LAMPO_OPTIONAL, "Complete: the receipt." }, \
	{ "payments[].error", LAMPO_STRING, LAMPO_OPTIONAL, "Failed: who said what." }, \
	{ "payments[].hold_times_ms", LAMPO_ARRAY, LAMPO_OPTIONAL, \
	  "How long each hop held it, by its own word, the peer first: as many as reported it and cannot have been changed." }

static const struct lampo_param listsendpays_params[] = {
	{ .name = "bolt11", .aliases = "invstring", .type = LAMPO_STRING, .doc = "Parts for this invoice alone." },
	{ .name = "payment_hash", .type = LAMPO_HASH, .doc = "Parts with this hash alone." },
	{ .name = "status", .type = LAMPO_STRING, .choices = "pending complete failed", .doc = "Parts with this status alone." },
	{ .name = "index", .type = LAMPO_STRING, .choices = "created", .doc = "What start counts in: created_index." },
	{ .name = "start", .type = LAMPO_U64, .fallback = "0", .doc = "From this created_index on." },
	{ .name = "limit", .type = LAMPO_U32, .doc = "The parts of at most so many payments." },
};
static const struct lampo_result listsendpays_results[] = { PART_RESULTS };
const struct lampo_method schema_listsendpays = {
	.name = "listsendpays",
	.category = "payments",
	.summary = "List the parts of payments, one by one",
	.doc = "Of a payment that has ended up to 100 failed parts are known; of one that is pending those since the last start, and "
	       "those that are on their way.",
	.params = listsendpays_params,
	.param_count = ARRAY_COUNT(listsendpays_params),
	.results = listsendpays_results,
	.result_count = ARRAY_COUNT(listsendpays_results),
};

static const struct lampo_param delpay_params[] = {
	{ .name = "payment_hash", .type = LAMPO_HASH, .flags = LAMPO_REQUIRED, .doc = "Of the payment." },
	{ .name = "status", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .choices = "complete failed", .doc = "How it ended." },
	{ .name = "partid", .type = LAMPO_U64, .doc = "That part alone; with groupid." },
	{ .name = "groupid", .type = LAMPO_U64, .doc = "That try alone.  Default: all with that end." },
};
static const struct lampo_error delpay_errors[] = {
	{ -32602, "A part without its group." },
	{ 208, "There is no such payment." },
	{ 211, "It ended otherwise, or not yet; or a part of it is still in flight." },
};
static const struct lampo_result delpay_results[] = { PART_RESULTS };
const struct lampo_method schema_delpay = {
	.name = "delpay",
	.category = "payments",
	.summary = "Forget a payment that has ended",
	.doc = "The answer is what is forgotten.  Beware: an invoice whose payment is forgotten can be paid again.",
	.params = delpay_params,
	.param_count = ARRAY_COUNT(delpay_params),
	.results = delpay_results,
	.result_count = ARRAY_COUNT(delpay_results),
	.errors = delpay_errors,
	.error_count = ARRAY_COUNT(delpay_errors),
};
