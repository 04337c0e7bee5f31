/* invoice, listinvoices, waitinvoice. */
#include "api/method/inner.h"
#include "api/method/stored.h"

#include <stdio.h>
#include <string.h>

#include "bitcoin/address.h"
#include "invoice/invoice.h"

/* A label for a caller that gave none: unlike every other, and of no meaning. */
static const char *made_up_label(const struct methods *m, struct params *params)
{
	const uint64_t now_ms = m->port.now_ms(m->port.context);
	char label[64];
	unsigned n;

	for (n = 0;; n++) {
		snprintf(label, sizeof(label), "invoice-%llu-%u", (unsigned long long)now_ms, n);
		if (!receive_by_label(node_view_invoices(m->port.node), label))
			return arena_string(&params->arena, label);
	}
}

/* Core Lightning asks for label and description, Lampo for a description alone. */
MUST_USE static bool words_given(struct lampo_call *call, const struct params *params)
{
	const bool label = params_has(params, "label");

	if (params_has(params, "description"))
		return true;
	rpc_fail(call, RPC_INVALID_PARAMS, NULL,
		 label ? "parameter 'description' is missing: what is paid for" :
			 "parameters 'label' and 'description' are missing: a name of your own, and what is paid for");
	return false;
}

MUST_USE static bool fallbacks_param(const struct methods *m, struct lampo_call *call, struct params *params,
				     struct command *command)
{
	const size_t count = params_count(params, "fallbacks");
	const struct network *network = methods_network(m);
	struct bytes *scripts = ARENA_ARRAY(&params->arena, struct bytes, count + 1);
	const char *why;
	size_t i;

	for (i = 0; i < count; i++) {
		const char *text = params_element(params, "fallbacks", i).u.string;

		if (!address_decode(&params->arena, &scripts[i], &why, network, bytes_from_string(text))) {
			rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'fallbacks', element %zu should be an address of %s: %s",
				 i + 1, network->name, why);
			return false;
		}
	}
	command->u.invoice.fallbacks = scripts;
	command->u.invoice.fallback_count = (uint32_t)count;
	return true;
}

static void release_label(void *label)
{
	mem_free(label);
}

/* The answer repeats the label, which may be one that was made up. */
static void remember_label(struct lampo_call *call, const char *label)
{
	char *copy = mem_alloc(strlen(label) + 1);

	memcpy(copy, label, strlen(label));
	rpc_attach(call, copy, release_label);
}

void method_invoice(void *context, struct lampo_call *call, struct params *params)
{
	const struct methods *m = context;
	const struct value *amount = params_get(params, "amount_msat"), *preimage = params_get(params, "preimage"),
			   *expose = params_get(params, "exposeprivatechannels"), *cltv = params_get(params, "cltv");
	const char *label = params_string_or_null(params, "label");
	struct command command = { .kind = COMMAND_INVOICE };

	if (!words_given(call, params) || !fallbacks_param(m, call, params, &command))
		return;
	command.u.invoice.any_amount = amount->all;
	if (!amount->all)
		command.u.invoice.amount = amount->u.msat;
	if (!amount->all && amount->u.msat.v == 0) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'amount_msat' should be more than 0, or \"any\"");
		return;
	}
	command.u.invoice.label = label ? label : made_up_label(m, params);
	command.u.invoice.description = params_string(params, "description");
	command.u.invoice.hash_description = params_bool(params, "deschashonly");
	command.u.invoice.expiry_s = (uint32_t)params_number(params, "expiry");
	command.u.invoice.min_final_cltv = cltv ? (uint32_t)cltv->u.number : 0;
	command.u.invoice.has_preimage = preimage != NULL;
	if (preimage)
		memcpy(command.u.invoice.preimage.v, preimage->u.hash.v, sizeof(preimage->u.hash.v));
	command.u.invoice.expose_private = expose && expose->u.boolean;
	remember_label(call, command.u.invoice.label);
	order(context, call, &command);
}

json_t *reply_invoice(const struct methods *m, const struct lampo_call *call, const struct reply *reply)
{
	const char *label = rpc_attached(call);
	json_t *o = json_new_object();

	(void)m;
	json_add_string(o, "bolt11", reply->u.invoice.bolt11);
	json_add_hex(o, "payment_hash", BYTES_OF(reply->u.invoice.payment_hash.v));
	json_add_hex(o, "payment_secret", BYTES_OF(reply->u.invoice.payment_secret.v));
	json_add_u64(o, "expires_at", reply->u.invoice.expires_at_s);
	json_add_u64(o, "created_index", reply->u.invoice.created_index);
	json_add_text(o, "label", bytes_from_string(label));
	if (reply->u.invoice.warn_capacity)
		json_add_string(o, "warning_capacity", "no channel can take a payment of this size now");
	return o;
}

static const char *state_name(enum invoice_state state)
{
	switch (state) {
	case INVOICE_UNPAID: return "unpaid";
	case INVOICE_PAID: return "paid";
	case INVOICE_EXPIRED: return "expired";
	}
	UNREACHABLE();
}

json_t *invoice_json(const struct received_invoice *i, uint64_t now_ms)
{
	const struct record_invoice *r = &i->r;
	const enum invoice_state state = receive_state(i, now_ms);
	json_t *o = json_new_object();

	json_add_text(o, "label", r->label);
	if (r->description.size)
		json_add_text(o, "description", r->description);
	json_add_hex(o, "payment_hash", BYTES_OF(i->payment_hash.v));
	json_add_string(o, "status", state_name(state));
	json_add_u64(o, "created_at", r->created_at_s);
	json_add_u64(o, "expires_at", r->expires_at_s);
	if (!r->any_amount)
		json_add_msat(o, "amount_msat", r->amount);
	if (r->bolt11.size)
		json_add_text(o, "bolt11", r->bolt11);
	json_add_u64(o, "created_index", r->created_index);
	if (state != INVOICE_PAID)
		return o;
	json_add_u64(o, "pay_index", r->paid_index);
	json_add_msat(o, "amount_received_msat", r->received);
	json_add_u64(o, "paid_at", r->paid_at_s);
	json_add_hex(o, "payment_preimage", BYTES_OF(r->preimage.v));
	return o;
}

/* What identifies one invoice: label, hash, or the invoice's own text. */
static const struct received_invoice *named(const struct methods *m, struct params *params)
{
	const struct receive *invoices = node_view_invoices(m->port.node);
	const char *label = params_string_or_null(params, "label"), *text = params_string_or_null(params, "invstring");
	const struct value *hash = params_get(params, "payment_hash");
	struct invoice decoded;
	const char *why;

	if (label)
		return receive_by_label(invoices, label);
	if (hash)
		return receive_by_hash(invoices, &hash->u.hash);
	if (text && invoice_decode(&params->arena, &decoded, &why, NULL, bytes_from_string(text)))
		return receive_by_hash(invoices, &decoded.payment_hash);
	return NULL;
}

static bool show_invoice(const struct methods *m, struct params *params, const struct fetched *record, json_t **out)
{
	struct received_invoice i = { 0 };

	if (record->key.size != 40 || !record_invoice_decode(record->value, &params->arena, &i.r))
		return false;
	memcpy(i.payment_hash.v, record->key.data + 8, sizeof(i.payment_hash.v));
	*out = invoice_json(&i, m->port.now_ms(m->port.context));
	return true;
}

static json_t *one_invoice(const struct methods *m, struct params *params, struct refusal *refusal)
{
	const struct received_invoice *i = named(m, params);
	json_t *o = json_new_object(), *list = json_new_array();

	(void)refusal;
	if (i)
		json_append(list, invoice_json(i, m->port.now_ms(m->port.context)));
	json_add(o, "invoices", list);
	return o;
}

void method_listinvoices(void *context, struct lampo_call *call, struct params *params)
{
	static const struct stored_list invoices = { "invoices", { RECORD_INVOICE }, 1, show_invoice };

	if (params_has(params, "label") || params_has(params, "invstring") || params_has(params, "payment_hash"))
		query_ask(context, call, params, one_invoice);
	else
		stored_list_ask(context, call, params, &invoices, NULL);
}

void method_waitinvoice(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_WAIT_INVOICE };

	command.u.wait_invoice.label = params_string(params, "label");
	order(context, call, &command);
}

json_t *reply_wait_invoice(const struct methods *m, const struct reply *reply, struct refusal *refusal)
{
	const struct received_invoice *i =
		receive_by_hash(node_view_invoices(m->port.node), &reply->u.wait_invoice.payment_hash);

	if (!i)
		return refuse(refusal, REPLY_INVOICE_UNKNOWN, "the invoice is gone");
	return invoice_json(i, m->port.now_ms(m->port.context));
}
