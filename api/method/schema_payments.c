/* Schemas: paying. */
#include "api/method/schemas.h"

#include "base/mem.h"

/* What both ways to pay take and answer. */
#define MAXFEE_PERCENT { .name = "maxfeepercent", .type = LAMPO_PERCENT, \
	.doc = "The most that may go to fees, of the amount.  Default: 0.5." }
#define EXEMPTFEE { .name = "exemptfee", .type = LAMPO_MSAT, \
	.doc = "Fees up to this are taken whatever their share is.  Default: 5sat." }
#define MAXFEE { .name = "maxfee", .type = LAMPO_MSAT, .doc = "The most that may go to fees, in place of both." }
#define RETRY_FOR { .name = "retry_for", .type = LAMPO_U32, .doc = "Seconds for which new tries are made.  Default: 60." }
#define TIMEOUT { .name = "timeout", .type = LAMPO_STRING, .choices = "fast medium large", \
	.doc = "The same in words: 30, 120 or 600 seconds." }

#define MAXDELAY { .name = "maxdelay", .type = LAMPO_U32, \
	.doc = "The most blocks for which money may be held up.  Default: 2016." }
#define EXCLUDE { .name = "exclude", .type = LAMPO_ARRAY, \
	.doc = "Nodes and channels not to use: ids of nodes, or short channel ids with a direction as in \"1x2x3/0\"." }

#define LAYERS { .name = "layers", .type = LAMPO_ARRAY, .element = LAMPO_STRING, \
	.doc = "Layers to lay over the graph, as `askrene-create-layer` makes them, at most 12.  Of those that make themselves " \
	       "auto.no_mpp_support lets the payment go in one part alone; auto.localchans and auto.sourcefree hold in any case.  After a " \
	       "restart a payment whose layer is gone makes no new parts." }

static const struct lampo_result paid_results[] = {
	{ "payment_preimage", LAMPO_HASH, 0, "The receipt." },
	{ "payment_hash", LAMPO_HASH, 0, "What it proves to be paid." },
	{ "destination", LAMPO_PUBKEY, 0, "Who was paid." },
	{ "created_at", LAMPO_U64, 0, "When the payment was begun, Unix time." },
	{ "parts", LAMPO_U32, 0, "How many parts arrived." },
	{ "amount_msat", LAMPO_MSAT, 0, "What arrived." },
	{ "amount_sent_msat", LAMPO_MSAT, 0, "What left, fees included." },
	{ "status", LAMPO_STRING, 0, "\"complete\"." },
	{ "warning_partial_completion", LAMPO_STRING, LAMPO_OPTIONAL, "Some parts are not claimed yet; the payee can claim them all." },
	{ "state", LAMPO_STRING, 0, "\"Success\"." },
};
static const struct lampo_error pay_errors[] = {
	{ -32602, "The invoice cannot be read or asks for what this node cannot do." },
	{ 201, "It is paid already, with another amount or to somebody else." },
	{ 203, "The payee refused; the message says why." },
	{ 205, "There is no way to the payee that can carry it." },
	{ 206, "Every way costs more than the limits allow." },
	{ 207, "The invoice is expired." },
	{ 210, "No way worked in the time given.  Here as with 203, 205 and 206 data has attempts: what was tried, part by part, and "
	       "who said what." },
	{ -1, "Something else; the message says what." },
};

static const struct lampo_param pay_params[] = {
	{ .name = "bolt11", .aliases = "invoice_str invstring", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .doc = "The invoice." },
	{ .name = "amount_msat", .aliases = "amount", .type = LAMPO_MSAT, .doc = "How much, if the invoice leaves it open." },
	{ .name = "label", .type = LAMPO_STRING, .doc = "A name of your own for the payment." },
	{ .name = "riskfactor", .type = LAMPO_PERCENT,
	  .doc = "What it is worth, per cent a year, that money is not stuck.  Default: about 0.5." },
	MAXFEE_PERCENT,
	RETRY_FOR,
	MAXDELAY,
	EXEMPTFEE,
	{ .name = "localinvreqid", .type = LAMPO_HEX, .flags = LAMPO_UNSUPPORTED, .doc = "There are no offers." },
	EXCLUDE,
	MAXFEE,
	{ .name = "description", .type = LAMPO_STRING, .doc = "The description, if the invoice has its hash alone." },
	{ .name = "partial_msat", .type = LAMPO_MSAT,
	  .doc = "Pay this much of it alone: somebody else pays the rest at the same time, or the payee gives all of it back." },
	TIMEOUT,
	LAYERS,
};
const struct lampo_method schema_pay = {
	.name = "pay",
	.category = "payments",
	.summary = "Pay an invoice",
	.doc = "The payment goes in one part or in several, over whatever channels can carry it; parts that fail are tried elsewhere "
	       "until retry_for is over.  Answers when the payment has succeeded or failed for good: while a part is on its way it "
	       "has done neither, however long that takes.  A restart does not end it.  To pay again what is paid costs nothing and "
	       "gives the same answer.",
	.params = pay_params,
	.param_count = ARRAY_COUNT(pay_params),
	.results = paid_results,
	.result_count = ARRAY_COUNT(paid_results),
	.errors = pay_errors,
	.error_count = ARRAY_COUNT(pay_errors),
};

static const struct lampo_param keysend_params[] = {
	{ .name = "destination", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "The node to pay." },
	{ .name = "amount_msat", .aliases = "amount", .type = LAMPO_MSAT, .flags = LAMPO_REQUIRED, .doc = "How much." },
	{ .name = "label", .type = LAMPO_STRING, .doc = "A name of your own for the payment." },
	MAXFEE_PERCENT,
	RETRY_FOR,
	MAXDELAY,
	EXEMPTFEE,
	{ .name = "routehints", .type = LAMPO_ARRAY,
	  .doc = "Ways to the node that gossip need not know, each a list of hops with id, scid, feebase, feeprop and expirydelta: the node "
		 "id takes that to forward over scid.  At most 100 hops together." },
	{ .name = "extratlvs", .type = LAMPO_OBJECT, .doc = "Records for the payee: {\"number\": \"hex\"}, from 65536 on." },
	MAXFEE,
	TIMEOUT,
	EXCLUDE,
	LAYERS,
};
const struct lampo_method schema_keysend = {
	.name = "keysend",
	.category = "payments",
	.summary = "Pay a node without an invoice",
	.params = keysend_params,
	.param_count = ARRAY_COUNT(keysend_params),
	.results = paid_results,
	.result_count = ARRAY_COUNT(paid_results),
	.errors = pay_errors,
	.error_count = ARRAY_COUNT(pay_errors),
};

static const struct lampo_param probe_params[] = {
	{ .name = "destination", .type = LAMPO_PUBKEY, .flags = LAMPO_REQUIRED, .doc = "The node to reach." },
	{ .name = "amount_msat", .aliases = "amount", .type = LAMPO_MSAT, .flags = LAMPO_REQUIRED, .doc = "With how much." },
	MAXFEE_PERCENT,
	RETRY_FOR,
	MAXDELAY,
	EXEMPTFEE,
	EXCLUDE,
	MAXFEE,
	TIMEOUT,
};
#define TRY(name) "attempts[]." name
static const struct lampo_result probe_results[] = {
	{ "destination", LAMPO_PUBKEY, 0, "The node that was reached." },
	{ "status", LAMPO_STRING, 0, "\"reached\"." },
	{ "amount_msat", LAMPO_MSAT, 0, "What arrived there, and came back." },
	{ "amount_sent_msat", LAMPO_MSAT, 0, "What would have left for it, fees included." },
	{ "attempts", LAMPO_ARRAY, 0, "What was tried, oldest first; the last one arrived." },
	{ TRY("partid"), LAMPO_U64, 0, "Its number." },
	{ TRY("status"), LAMPO_STRING, 0, "failed, as a probe must." },
	{ TRY("amount_msat"), LAMPO_MSAT, 0, "What was to arrive." },
	{ TRY("amount_sent_msat"), LAMPO_MSAT, 0, "What left." },
	{ TRY("hops"), LAMPO_U32, 0, "How many nodes the way had, the last included." },
	{ TRY("created_at"), LAMPO_U64, 0, "When it left, Unix time." },
	{ TRY("completed_at"), LAMPO_U64, LAMPO_OPTIONAL, "When it came back, Unix time." },
	{ TRY("message"), LAMPO_STRING, LAMPO_OPTIONAL, "How, in words." },
	{ TRY("erring_index"), LAMPO_U32, LAMPO_OPTIONAL, "Who said so: 0 this node, 1 its peer." },
	{ TRY("erring_node"), LAMPO_PUBKEY, LAMPO_OPTIONAL, "The same by its id." },
	{ TRY("erring_channel"), LAMPO_SCID, LAMPO_OPTIONAL, "The channel that it did not get through; or the last one." },
	{ TRY("erring_direction"), LAMPO_U32, LAMPO_OPTIONAL, "In which direction." },
	{ TRY("failcode"), LAMPO_U32, LAMPO_OPTIONAL, "BOLT 4's code." },
	{ TRY("failcodename"), LAMPO_STRING, LAMPO_OPTIONAL, "Its name." },
	{ TRY("hold_times_ms"), LAMPO_ARRAY, LAMPO_OPTIONAL, "How long each hop held it, by its own word, the peer first." },
};
static const struct lampo_error probe_errors[] = {
	{ 205, "There is no way to the node that can carry it." },
	{ 206, "Every way costs more than the limits allow." },
	{ 210, "No way worked in the time given.  data has attempts, as here." },
	{ -1, "Something else; the message says what." },
};
const struct lampo_method schema_probe = {
	.name = "probe",
	.category = "payments",
	.summary = "See whether an amount would get to a node",
	.doc = "Sends an HTLC with a random payment hash, of which nobody knows the preimage: the node must give it back, so nothing "
	       "can be lost but time.  What it shows of the channels on the way is remembered for payments.  Ways that fail are "
	       "followed by others until retry_for is over.  A probe is in no list, and a restart ends it.",
	.params = probe_params,
	.param_count = ARRAY_COUNT(probe_params),
	.results = probe_results,
	.result_count = ARRAY_COUNT(probe_results),
	.errors = probe_errors,
	.error_count = ARRAY_COUNT(probe_errors),
};

static const struct lampo_param listpays_params[] = {
	{ .name = "bolt11", .aliases = "invstring", .type = LAMPO_STRING, .doc = "Payments of this invoice alone." },
	{ .name = "payment_hash", .type = LAMPO_HASH, .doc = "Payments of this hash alone." },
	{ .name = "status", .type = LAMPO_STRING, .choices = "pending complete failed", .doc = "Payments with this status alone." },
	{ .name = "index", .type = LAMPO_STRING, .choices = "created", .doc = "What start counts in: created_index." },
	{ .name = "start", .type = LAMPO_U64, .fallback = "0", .doc = "From this created_index on." },
	{ .name = "limit", .type = LAMPO_U32, .doc = "At most so many." },
};
#define IN(name) "pays[]." name
static const struct lampo_result listpays_results[] = {
	{ "pays", LAMPO_ARRAY, 0, "Payments, oldest first." },
	{ IN("payment_hash"), LAMPO_HASH, 0, "The payment hash." },
	{ IN("status"), LAMPO_STRING, 0, "pending, complete or failed." },
	{ IN("destination"), LAMPO_PUBKEY, 0, "Who is paid." },
	{ IN("created_at"), LAMPO_U64, 0, "When it was begun, Unix time." },
	{ IN("completed_at"), LAMPO_U64, LAMPO_OPTIONAL, "When it ended, Unix time." },
	{ IN("label"), LAMPO_STRING, LAMPO_OPTIONAL, "Its label." },
	{ IN("bolt11"), LAMPO_STRING, LAMPO_OPTIONAL, "The invoice; a payment without one has none." },
	{ IN("created_index"), LAMPO_U64, 0, "The how many-eth payment it is." },
	{ IN("amount_msat"), LAMPO_MSAT, 0, "What is to arrive, or arrived." },
	{ IN("amount_sent_msat"), LAMPO_MSAT, 0, "What left, fees included." },
	{ IN("preimage"), LAMPO_HASH, LAMPO_OPTIONAL, "Complete: the receipt." },
	{ IN("number_of_parts"), LAMPO_U64, LAMPO_OPTIONAL, "Complete: how many parts arrived." },
	{ IN("error_code"), LAMPO_INTEGER, LAMPO_OPTIONAL, "Failed: the code that pay gave." },
	{ IN("error"), LAMPO_STRING, LAMPO_OPTIONAL, "Failed: why." },
};
const struct lampo_method schema_listpays = {
	.name = "listpays",
	.category = "payments",
	.summary = "List payments that were made",
	.params = listpays_params,
	.param_count = ARRAY_COUNT(listpays_params),
	.results = listpays_results,
	.result_count = ARRAY_COUNT(listpays_results),
};
