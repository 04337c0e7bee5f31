/* Schemas: being paid. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_param invoice_params[] = {
	{ .name = "amount_msat", .aliases = "amount", .type = LAMPO_MSAT_OR_ANY, .fallback = "any",
	  .doc = "How much; \"any\" leaves it to the payer." },
	{ .name = "label", .type = LAMPO_LABEL,
	  .doc = "A name of your own for the invoice, which nobody else sees.  Default: made up." },
	{ .name = "description", .type = LAMPO_STRING, .doc = "What is paid for: the payer reads it.  It must be given." },
	{ .name = "expiry", .aliases = "expiring_in", .type = LAMPO_U32, .fallback = "604800",
	  .doc = "Seconds for which it can be paid." },
	{ .name = "fallbacks", .type = LAMPO_ARRAY, .element = LAMPO_STRING, .doc = "Addresses, for payers without Lightning." },
	{ .name = "preimage", .type = LAMPO_HASH, .doc = "The preimage.  Default: random, as it should be." },
	{ .name = "exposeprivatechannels", .type = LAMPO_BOOL_OR_SCIDS,
	  .doc = "Whether unannounced channels are named, or which channels are.  Default: if there are no announced ones." },
	{ .name = "cltv", .type = LAMPO_U32, .doc = "Blocks that a payment must leave us." },
	{ .name = "deschashonly", .type = LAMPO_BOOL, .fallback = "false", .doc = "Put the description's hash in its place." },
};
static const struct lampo_result invoice_results[] = {
	{ "bolt11", LAMPO_STRING, 0, "The invoice, for the payer." },
	{ "payment_hash", LAMPO_HASH, 0, "Its payment hash." },
	{ "payment_secret", LAMPO_HASH, 0, "Its payment secret." },
	{ "expires_at", LAMPO_U64, 0, "Until when it can be paid, Unix time." },
	{ "created_index", LAMPO_U64, 0, "The how many-eth invoice it is." },
	{ "label", LAMPO_STRING, 0, "Its label." },
	{ "warning_capacity", LAMPO_STRING, LAMPO_OPTIONAL, "All channels together cannot take so much now." },
	{ "warning_offline", LAMPO_STRING, LAMPO_OPTIONAL, "They could if no peer were away." },
	{ "warning_deadends", LAMPO_STRING, LAMPO_OPTIONAL, "They could if each peer had other channels." },
	{ "warning_private_unused", LAMPO_STRING, LAMPO_OPTIONAL, "They could if unannounced channels were named." },
	{ "warning_mpp", LAMPO_STRING, LAMPO_OPTIONAL, "No channel alone can: it has to come in parts." },
};
static const struct lampo_error invoice_errors[] = {
	{ 900, "There is an invoice with that label." },
	{ 901, "There is an invoice with that preimage." },
	{ 902, "None of the channels in exposeprivatechannels can be named now." },
	{ -1, "Something else; the message says what." },
};
const struct lampo_method schema_invoice = {
	.name = "invoice",
	.category = "payments",
	.summary = "Ask for a payment",
	.params = invoice_params,
	.param_count = ARRAY_COUNT(invoice_params),
	.results = invoice_results,
	.result_count = ARRAY_COUNT(invoice_results),
	.errors = invoice_errors,
	.error_count = ARRAY_COUNT(invoice_errors),
};

/* The fields of one invoice, in a list or alone. */
#define INVOICE_RESULTS(path) \
	{ path "label", LAMPO_STRING, 0, "Its label." }, \
	{ path "description", LAMPO_STRING, LAMPO_OPTIONAL, "What is paid for." }, \
	{ path "payment_hash", LAMPO_HASH, 0, "Its payment hash." }, \
	{ path "status", LAMPO_STRING, 0, "unpaid, paid or expired." }, \
	{ path "created_at", LAMPO_U64, 0, "When it was made, Unix time." }, \
	{ path "expires_at", LAMPO_U64, 0, "Until when it can be paid, Unix time." }, \
	{ path "amount_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "How much, unless the payer chooses." }, \
	{ path "bolt11", LAMPO_STRING, LAMPO_OPTIONAL, "The invoice; a payment without one has none." }, \
	{ path "created_index", LAMPO_U64, 0, "The how many-eth invoice it is." }, \
	{ path "pay_index", LAMPO_U64, LAMPO_OPTIONAL, "Paid: the how many-eth to be paid." }, \
	{ path "amount_received_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "Paid: what came in." }, \
	{ path "paid_at", LAMPO_U64, LAMPO_OPTIONAL, "Paid: when, Unix time." }, \
	{ path "payment_preimage", LAMPO_HASH, LAMPO_OPTIONAL, "Paid: the preimage." }

static const struct lampo_param listinvoices_params[] = {
	{ .name = "label", .type = LAMPO_LABEL, .doc = "The invoice of this label alone." },
	{ .name = "invstring", .aliases = "bolt11", .type = LAMPO_STRING, .doc = "This invoice alone." },
	{ .name = "payment_hash", .type = LAMPO_HASH, .doc = "The invoice of this hash alone." },
	{ .name = "offer_id", .type = LAMPO_STRING, .flags = LAMPO_UNSUPPORTED, .doc = "There are no offers." },
	{ .name = "index", .type = LAMPO_STRING, .choices = "created", .doc = "What start counts in: created_index." },
	{ .name = "start", .type = LAMPO_U64, .fallback = "0", .doc = "From this created_index on." },
	{ .name = "limit", .type = LAMPO_U32, .doc = "At most so many." },
};
static const struct lampo_result listinvoices_results[] = {
	{ "invoices", LAMPO_ARRAY, 0, "The invoices, oldest first." },
	INVOICE_RESULTS("invoices[]."),
};
const struct lampo_method schema_listinvoices = {
	.name = "listinvoices",
	.category = "payments",
	.summary = "List invoices",
	.params = listinvoices_params,
	.param_count = ARRAY_COUNT(listinvoices_params),
	.results = listinvoices_results,
	.result_count = ARRAY_COUNT(listinvoices_results),
};

static const struct lampo_param waitinvoice_params[] = {
	{ .name = "label", .type = LAMPO_LABEL, .flags = LAMPO_REQUIRED, .doc = "The invoice." },
};
static const struct lampo_result waitinvoice_results[] = { INVOICE_RESULTS("") };
static const struct lampo_error waitinvoice_errors[] = {
	{ 903, "The invoice expired unpaid; data is the invoice." },
	{ -1, "There is no such invoice, or it was deleted." },
};
const struct lampo_method schema_waitinvoice = {
	.name = "waitinvoice",
	.category = "payments",
	.summary = "Wait until an invoice is paid",
	.params = waitinvoice_params,
	.param_count = ARRAY_COUNT(waitinvoice_params),
	.results = waitinvoice_results,
	.result_count = ARRAY_COUNT(waitinvoice_results),
	.errors = waitinvoice_errors,
	.error_count = ARRAY_COUNT(waitinvoice_errors),
};

static const struct lampo_param waitanyinvoice_params[] = {
	{ .name = "lastpay_index", .type = LAMPO_U64, .fallback = "0", .doc = "The pay_index behind which one is wanted." },
	{ .name = "timeout", .type = LAMPO_U32, .doc = "Seconds to wait; 0: not at all.  Default: until one is paid." },
};
static const struct lampo_error waitanyinvoice_errors[] = {
	{ 904, "No invoice was paid in time." },
};
const struct lampo_method schema_waitanyinvoice = {
	.name = "waitanyinvoice",
	.category = "payments",
	.summary = "Wait until any invoice is paid",
	.params = waitanyinvoice_params,
	.param_count = ARRAY_COUNT(waitanyinvoice_params),
	.results = waitinvoice_results,
	.result_count = ARRAY_COUNT(waitinvoice_results),
	.errors = waitanyinvoice_errors,
	.error_count = ARRAY_COUNT(waitanyinvoice_errors),
};

static const struct lampo_param delinvoice_params[] = {
	{ .name = "label", .type = LAMPO_LABEL, .flags = LAMPO_REQUIRED, .doc = "The invoice." },
	{ .name = "status", .type = LAMPO_STRING, .choices = "unpaid paid expired", .flags = LAMPO_REQUIRED,
	  .doc = "In which it must be: it may be paid at any moment." },
	{ .name = "desconly", .type = LAMPO_BOOL, .fallback = "false", .doc = "Remove its description alone." },
};
static const struct lampo_error delinvoice_errors[] = {
	{ 905, "There is no invoice of that label." },
	{ 906, "It has another status; data says which." },
	{ 908, "It has no description any more." },
};
const struct lampo_method schema_delinvoice = {
	.name = "delinvoice",
	.category = "payments",
	.summary = "Delete an invoice",
	.params = delinvoice_params,
	.param_count = ARRAY_COUNT(delinvoice_params),
	.results = waitinvoice_results,
	.result_count = ARRAY_COUNT(waitinvoice_results),
	.errors = delinvoice_errors,
	.error_count = ARRAY_COUNT(delinvoice_errors),
};

static const struct lampo_param decode_params[] = {
	{ .name = "string", .aliases = "invoice_str bolt11", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .doc = "The invoice." },
};
static const struct lampo_result decode_results[] = {
	{ "type", LAMPO_STRING, 0, "\"bolt11 invoice\"." },
	{ "valid", LAMPO_BOOL, 0, "It is well-formed and its signature is good." },
	{ "currency", LAMPO_STRING, 0, "bc, tb, tbs or bcrt." },
	{ "network", LAMPO_STRING, 0, "The Bitcoin network." },
	{ "created_at", LAMPO_U64, 0, "When it was made, Unix time." },
	{ "expiry", LAMPO_U64, 0, "Seconds for which it can be paid." },
	{ "expiry_time", LAMPO_U64, 0, "The same in milliseconds." },
	{ "payee", LAMPO_PUBKEY, 0, "Who is paid." },
	{ "issuer_id", LAMPO_PUBKEY, 0, "The same." },
	{ "amount_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "How much, unless the payer chooses." },
	{ "description", LAMPO_STRING, LAMPO_OPTIONAL, "What is paid for." },
	{ "description_hash", LAMPO_HASH, LAMPO_OPTIONAL, "The hash of what is paid for." },
	{ "min_final_cltv_expiry", LAMPO_U32, 0, "Blocks that the payment must leave the payee." },
	{ "payment_secret", LAMPO_HASH, 0, "The payment secret." },
	{ "payment_metadata", LAMPO_HEX, LAMPO_OPTIONAL, "What goes back to the payee with the payment." },
	{ "features", LAMPO_HEX, LAMPO_OPTIONAL, "BOLT 9 features." },
	{ "routes", LAMPO_ARRAY, 0, "Ways to the payee over channels that are not announced." },
	{ "routes[][].pubkey", LAMPO_PUBKEY, 0, "The node before the channel." },
	{ "routes[][].short_channel_id", LAMPO_SCID, 0, "The channel." },
	{ "routes[][].fee_base_msat", LAMPO_MSAT, 0, "The fee of a forward." },
	{ "routes[][].fee_proportional_millionths", LAMPO_U32, 0, "And its share of the amount." },
	{ "routes[][].cltv_expiry_delta", LAMPO_U16, 0, "Blocks that it adds." },
	{ "hints", LAMPO_ARRAY, 0, "The first node of each of these ways." },
	{ "fallbacks", LAMPO_ARRAY, LAMPO_OPTIONAL, "Addresses, for payers without Lightning." },
	{ "fallbacks[].type", LAMPO_STRING, 0, "P2PKH, P2SH, P2WPKH, P2WSH or P2TR." },
	{ "fallbacks[].addr", LAMPO_STRING, 0, "The address." },
	{ "fallbacks[].hex", LAMPO_HEX, 0, "Its script." },
	{ "extra", LAMPO_ARRAY, LAMPO_OPTIONAL, "Fields that this program does not know." },
	{ "extra[].tag", LAMPO_STRING, 0, "The field's letter." },
	{ "extra[].data", LAMPO_STRING, 0, "Its characters." },
	{ "payment_hash", LAMPO_HASH, 0, "The payment hash." },
	{ "signature", LAMPO_HEX, 0, "The payee's signature, in DER." },
};
static const struct lampo_error decode_errors[] = {
	{ -32602, "It is no invoice; the message says why." },
};
const struct lampo_method schema_decode = {
	.name = "decode",
	.aliases = "decodepay",
	.category = "payments",
	.summary = "Show what an invoice says",
	.params = decode_params,
	.param_count = ARRAY_COUNT(decode_params),
	.results = decode_results,
	.result_count = ARRAY_COUNT(decode_results),
	.errors = decode_errors,
	.error_count = ARRAY_COUNT(decode_errors),
};
