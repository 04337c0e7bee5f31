/* invoice, listinvoices, waitinvoice. */
#include "api/method/inner.h"
#include "api/method/stored.h"

#include <stdio.h>
#include <string.h>

#include "bitcoin/address.h"
#include "invoice/invoice.h"

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

static void expose_param(struct command *command, const struct value *v)
{
	command->u.invoice.expose = v->u.scids.listed ? EXPOSE_LISTED : v->u.scids.all ? EXPOSE_ALL : EXPOSE_NONE;
	command->u.invoice.exposed = v->u.scids.list;
	command->u.invoice.exposed_count = v->u.scids.count;
}

void method_invoice(void *context, struct lampo_call *call, struct params *params)
{
	const struct methods *m = context;
	const struct value *amount = params_get(params, "amount_msat"), *preimage = params_get(params, "preimage"),
			   *expose = params_get(params, "exposeprivatechannels"), *cltv = params_get(params, "cltv");
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
	command.u.invoice.label = params_string_or_null(params, "label");
	command.u.invoice.description = params_string(params, "description");
	command.u.invoice.hash_description = params_bool(params, "deschashonly");
	command.u.invoice.expiry_s = (uint32_t)params_number(params, "expiry");
	command.u.invoice.min_final_cltv = cltv ? (uint32_t)cltv->u.number : 0;
	command.u.invoice.has_preimage = preimage != NULL;
	if (preimage)
		memcpy(command.u.invoice.preimage.v, preimage->u.hash.v, sizeof(preimage->u.hash.v));
	if (expose)
		expose_param(&command, expose);
	order(context, call, &command);
}

static void add_warning(json_t *o, enum invoice_warning warning)
{
	switch (warning) {
	case WARN_NOTHING:
		return;
	case WARN_CAPACITY:
		json_add_string(o, "warning_capacity", "all channels together cannot take a payment of this size now");
		return;
	case WARN_OFFLINE:
		json_add_string(o, "warning_offline", "the channels could take it if all their peers were connected");
		return;
	case WARN_DEAD_ENDS:
		json_add_string(o, "warning_deadends", "the channels that could take it are to peers that nobody else is known to reach");
		return;
	case WARN_PRIVATE_UNUSED:
		json_add_string(o, "warning_private_unused", "the channels could take it if those were named that are not announced");
		return;
	case WARN_MPP:
		json_add_string(o, "warning_mpp", "no channel alone can take it: it has to be paid in parts");
		return;
	}
	UNREACHABLE();
}

json_t *reply_invoice(const struct reply *reply)
{
	json_t *o = json_new_object();

	json_add_string(o, "bolt11", reply->u.invoice.bolt11);
	json_add_hex(o, "payment_hash", BYTES_OF(reply->u.invoice.payment_hash.v));
	json_add_hex(o, "payment_secret", BYTES_OF(reply->u.invoice.payment_secret.v));
	json_add_u64(o, "expires_at", reply->u.invoice.expires_at_s);
	json_add_u64(o, "created_index", reply->u.invoice.created_index);
	json_add_text(o, "label", bytes_from_string(reply->u.invoice.label));
	add_warning(o, reply->u.invoice.warning);
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

static json_t *invoice_json(const struct sha256 *hash, const struct record_invoice *r, uint64_t now_ms)
{
	const enum invoice_state state = receive_record_state(r, now_ms);
	json_t *o = json_new_object();

	json_add_text(o, "label", r->label);
	if (r->description.size)
		json_add_text(o, "description", r->description);
	json_add_hex(o, "payment_hash", BYTES_OF(hash->v));
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

static uint64_t now_of(const struct methods *m)
{
	return m->port.now_ms(m->port.context);
}

/* --- lists --- */

static bool show_invoice(const struct methods *m, struct params *params, const struct fetched *record, json_t **out)
{
	struct record_invoice r;
	struct sha256 hash;

	if (!receive_read(record->key, record->value, &params->arena, &hash, &r))
		return false;
	*out = invoice_json(&hash, &r, now_of(m));
	return true;
}

/* The hash that the call names; false: by no hash, or by an invoice that is none. */
static bool hash_named(struct params *params, struct sha256 *out)
{
	const struct value *hash = params_get(params, "payment_hash");
	const char *text = params_string_or_null(params, "invstring"), *why;
	struct invoice decoded;

	if (hash) {
		*out = hash->u.hash;
		return true;
	}
	if (!text || !invoice_decode(&params->arena, &decoded, &why, NULL, bytes_from_string(text)))
		return false;
	*out = decoded.payment_hash;
	return true;
}

static json_t *live_invoice(const struct methods *m, struct params *params, uint64_t *number)
{
	const struct receive *invoices = node_view_invoices(m->port.node);
	const char *label = params_string_or_null(params, "label");
	const struct received_invoice *i = NULL;
	struct sha256 hash;

	if (label)
		i = receive_by_label(invoices, label);
	else if (hash_named(params, &hash))
		i = receive_by_hash(invoices, &hash);
	if (!i)
		return NULL;
	*number = i->r.created_index;
	return invoice_json(&i->payment_hash, &i->r, now_of(m));
}

static const struct stored_list invoices = { "invoices", { RECORD_INVOICE, RECORD_INVOICE_PAST }, 2, show_invoice, live_invoice };

static struct record_range label_range(struct buf *key, const char *label)
{
	receive_index_key(key, RECEIVE_INDEX_LABEL, bytes_from_string(label));
	return (struct record_range){ .kind = RECORD_INVOICE_INDEX, .prefix = buf_view(key) };
}

/* One is meant, by whatever names it. */
static void list_named(struct methods *m, struct lampo_call *call, struct params *params)
{
	const char *label = params_string_or_null(params, "label");
	struct record_range range = { .kind = RECORD_INVOICE_INDEX };
	struct buf key = BUF_EMPTY;
	struct sha256 hash = { { 0 } };

	if (label) {
		range = label_range(&key, label);
	} else {
		/* Text that is no invoice names none. */
		if (hash_named(params, &hash))
			receive_index_key(&key, RECEIVE_INDEX_HASH, BYTES_OF(hash.v));
		else
			buf_add_u8(&key, 0);
		range.prefix = buf_view(&key);
	}
	stored_list_ask(m, call, params, &invoices, &range);
	buf_release(&key);
}

void method_listinvoices(void *context, struct lampo_call *call, struct params *params)
{
	if (params_has(params, "label") || params_has(params, "invstring") || params_has(params, "payment_hash"))
		list_named(context, call, params);
	else
		stored_list_ask(context, call, params, &invoices, NULL);
}

/* --- waiting and deleting --- */

/* What a call about an invoice still has to know when the node says that the store must be asked. */
struct invoice_ask {
	struct buf label;
	uint64_t deadline_ms;
	uint64_t last_paid_index;  /* waitanyinvoice: as the call gave it */
	uint64_t paid_until;       /* and as the node said */
	enum invoice_state state;  /* delinvoice */
	bool description_only;
};

static void ask_free(void *attached)
{
	struct invoice_ask *a = attached;

	buf_release(&a->label);
	mem_free(a);
}

static struct invoice_ask *ask_new(struct lampo_call *call, const char *label)
{
	struct invoice_ask *a = NEW(struct invoice_ask);

	buf_add_string(&a->label, label);
	buf_add_u8(&a->label, 0);
	a->deadline_ms = UINT64_MAX;
	rpc_attach(call, a, ask_free);
	return a;
}

static const char *label_of(const struct invoice_ask *a)
{
	return (const char *)a->label.data;
}

void method_waitinvoice(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_WAIT_INVOICE };

	command.u.wait_invoice.label = label_of(ask_new(call, params_string(params, "label")));
	order(context, call, &command);
}

static void order_wait_any(struct methods *m, uint64_t id, const struct invoice_ask *a, uint64_t behind)
{
	struct command command = { .kind = COMMAND_WAIT_ANY_INVOICE };
	const uint64_t now_ms = now_of(m);

	command.u.wait_any_invoice.last_paid_index = behind;
	command.u.wait_any_invoice.has_timeout = a->deadline_ms != UINT64_MAX;
	if (a->deadline_ms != UINT64_MAX && a->deadline_ms > now_ms)
		command.u.wait_any_invoice.timeout_s = (uint32_t)((a->deadline_ms - now_ms + 999) / 1000);
	m->port.command(m->port.context, id, &command);
}

void method_waitanyinvoice(void *context, struct lampo_call *call, struct params *params)
{
	struct methods *m = context;
	const struct value *timeout = params_get(params, "timeout");
	struct invoice_ask *a = ask_new(call, "");

	a->last_paid_index = params_number(params, "lastpay_index");
	if (timeout)
		a->deadline_ms = now_of(m) + 1000 * timeout->u.number;
	order_wait_any(m, rpc_defer(call), a, a->last_paid_index);
}

static void order_delete(struct methods *m, uint64_t id, const struct invoice_ask *a, const struct fetched *record)
{
	struct command command = { .kind = COMMAND_DELETE_INVOICE };

	command.u.delete_invoice.label = label_of(a);
	command.u.delete_invoice.state = (uint8_t)a->state;
	command.u.delete_invoice.description_only = a->description_only;
	if (record) {
		command.u.delete_invoice.key = record->key;
		command.u.delete_invoice.value = record->value;
	}
	m->port.command(m->port.context, id, &command);
}

void method_delinvoice(void *context, struct lampo_call *call, struct params *params)
{
	const char *status = params_string(params, "status");
	struct invoice_ask *a = ask_new(call, params_string(params, "label"));

	a->state = strcmp(status, "paid") == 0 ? INVOICE_PAID : strcmp(status, "expired") == 0 ? INVOICE_EXPIRED : INVOICE_UNPAID;
	a->description_only = params_bool(params, "desconly");
	order_delete(context, rpc_defer(call), a, NULL);
}

/* What the store has under the label that is waited for: it is over, or was never there. */
static void found_waited(struct methods *m, struct lampo_call *call, uint64_t id, const struct fetched *record)
{
	struct record_invoice r;
	struct sha256 hash;
	struct arena memory;

	(void)id;
	arena_init(&memory);
	if (!record || !receive_read(record->key, record->value, &memory, &hash, &r))
		rpc_fail(call, RPC_FAILED, NULL, "there is no invoice of that label");
	else if (r.state == INVOICE_PAID)
		rpc_reply(call, invoice_json(&hash, &r, now_of(m)));
	else
		rpc_fail(call, REPLY_INVOICE_EXPIRED, invoice_json(&hash, &r, now_of(m)), "the invoice expired unpaid");
	arena_release(&memory);
}

/* All that were paid since may have been deleted: then the next one counts. */
static void found_any(struct methods *m, struct lampo_call *call, uint64_t id, const struct fetched *record)
{
	const struct invoice_ask *a = rpc_attached(call);

	if (record)
		found_waited(m, call, id, record);
	else
		order_wait_any(m, id, a, a->paid_until);
}

static void found_to_delete(struct methods *m, struct lampo_call *call, uint64_t id, const struct fetched *record)
{
	if (record)
		order_delete(m, id, rpc_attached(call), record);
	else
		rpc_fail(call, REPLY_INVOICE_UNKNOWN, NULL, "there is no invoice of that label");
}

static void look_in_store(struct methods *m, struct lampo_call *call, uint64_t id, const struct reply *reply)
{
	struct invoice_ask *a = rpc_attached(call);
	struct buf key = BUF_EMPTY, from = BUF_EMPTY;
	struct record_range range;

	if (reply->kind == COMMAND_WAIT_ANY_INVOICE) {
		a->paid_until = reply->u.invoice_entry.last_paid_index;
		receive_index_key(&key, RECEIVE_INDEX_PAID, BYTES_NONE);
		buf_add_bytes(&from, buf_view(&key));
		buf_add_be64(&from, a->last_paid_index + 1);
		range = (struct record_range){ .kind = RECORD_INVOICE_INDEX, .prefix = buf_view(&key), .from = buf_view(&from) };
	} else {
		range = label_range(&key, label_of(a));
	}
	range.limit = 1;
	stored_find(m, id, &invoices, &range, reply->kind == COMMAND_WAIT_ANY_INVOICE ? found_any :
		    reply->kind == COMMAND_WAIT_INVOICE ? found_waited : found_to_delete);
	buf_release(&key);
	buf_release(&from);
}

static json_t *entry_json(const struct methods *m, const struct reply *reply)
{
	struct record_invoice r;
	struct sha256 hash;
	struct arena memory;
	json_t *o = NULL;

	arena_init(&memory);
	if (receive_read(reply->u.invoice_entry.key, reply->u.invoice_entry.value, &memory, &hash, &r))
		o = invoice_json(&hash, &r, now_of(m));
	arena_release(&memory);
	return o;
}

json_t *reply_invoice_entry(struct methods *m, struct lampo_call *call, uint64_t id, const struct reply *reply)
{
	if (!reply->u.invoice_entry.past)
		return entry_json(m, reply);
	look_in_store(m, call, id, reply);
	return NULL;
}

json_t *failed_invoice_entry(const struct methods *m, const struct lampo_call *call, const struct reply *reply)
{
	const struct invoice_ask *a = rpc_attached(call);
	json_t *entry = entry_json(m, reply), *o = entry;

	if (entry && reply->code == REPLY_INVOICE_STATE) {
		o = json_new_object();
		json_add(o, "current_status", json_incref(json_object_get(entry, "status")));
		json_add_string(o, "expected_status", state_name(a->state));
		json_decref(entry);
	}
	return o;
}
