/* listsendpays, delpay: payments part by part. */
#include "api/method/inner.h"

#include <string.h>

#include "api/method/stored.h"

static json_t *part_json(const struct sha256 *hash, uint64_t group, const struct record_payment *r,
			 const struct record_payment_try *t)
{
	json_t *o = json_new_object();

	json_add_u64(o, "created_index", r->created_index);
	json_add_u64(o, "id", r->created_index);
	json_add_hex(o, "payment_hash", BYTES_OF(hash->v));
	json_add_u64(o, "groupid", group);
	if (t->part)
		json_add_u64(o, "partid", t->part);
	json_add_string(o, "status", payment_status(t->state));
	json_add_hex(o, "destination", BYTES_OF(r->payee.v));
	json_add_u64(o, "created_at", t->created_at_s);
	if (t->completed_at_s)
		json_add_u64(o, "completed_at", t->completed_at_s);
	json_add_msat(o, "amount_msat", t->amount);
	json_add_msat(o, "amount_sent_msat", t->sent);
	if (r->label.size)
		json_add_text(o, "label", r->label);
	if (r->bolt11.size)
		json_add_text(o, "bolt11", r->bolt11);
	if (t->state == PAYMENT_COMPLETE)
		json_add_hex(o, "payment_preimage", BYTES_OF(r->preimage.v));
	if (t->state == PAYMENT_FAILED && t->words.size)
		json_add_text(o, "error", t->words);
	add_hold_times(o, t);
	return o;
}

/* What is known of a payment's parts: of a pending one in memory. */
static const struct record_payment_try *tries_of(const struct methods *m, struct arena *a, const struct sha256 *hash,
						 uint64_t group, const struct record_payment *r, uint32_t *count)
{
	const struct payment *p = r->state == PAYMENT_PENDING ? send_get(node_view_payments(m->port.node), hash, group) : NULL;

	*count = r->tries_count;
	return p ? send_tries(p, a, count) : r->tries;
}

static bool is_wanted(struct params *params, const struct sha256 *hash, const struct record_payment_try *t)
{
	const char *status = params_string_or_null(params, "status");
	struct sha256 wanted;
	bool any;

	return hash_wanted(params, &any, &wanted) && (any || SAME(wanted, *hash)) &&
	       (!status || strcmp(status, payment_status(t->state)) == 0);
}

/* Those of a payment that the call asks for; NULL: none. */
static json_t *parts_json(struct params *params, const struct sha256 *hash, uint64_t group, const struct record_payment *r,
			  const struct record_payment_try *tries, uint32_t count)
{
	json_t *list = NULL;

	for (uint32_t i = 0; i < count; i++) {
		if (!is_wanted(params, hash, &tries[i]))
			continue;
		if (!list)
			list = json_new_array();
		json_append(list, part_json(hash, group, r, &tries[i]));
	}
	return list;
}

static bool show_parts(const struct methods *m, struct params *params, const struct fetched *record, json_t **out)
{
	const struct record_payment_try *tries;
	struct record_payment r;
	struct sha256 hash;
	struct arena memory;
	uint64_t group;
	uint32_t count;
	bool good;

	arena_init(&memory);
	good = record->key.size == 48 && record_payment_decode(record->value, &memory, &r);
	if (good) {
		memcpy(hash.v, record->key.data + 8, sizeof(hash.v));
		group = load_be64(record->key.data + 40);
		tries = tries_of(m, &memory, &hash, group, &r, &count);
		*out = parts_json(params, &hash, group, &r, tries, count);
	}
	arena_release(&memory);
	return good;
}

/* Of the hash that is asked for, what memory has. */
static json_t *live_parts(const struct methods *m, struct params *params, uint64_t *number)
{
	const struct record_payment_try *tries;
	const struct payment *p;
	struct sha256 hash = { { 0 } };
	struct arena memory;
	json_t *list;
	uint32_t count;
	bool any;

	if (!hash_wanted(params, &any, &hash))
		return NULL;
	p = send_by_hash(node_view_payments(m->port.node), &hash);
	if (!p)
		return NULL;
	arena_init(&memory);
	tries = send_tries(p, &memory, &count);
	*number = p->r.created_index;
	list = parts_json(params, &hash, p->group, &p->r, tries, count);
	arena_release(&memory);
	return list;
}

void method_listsendpays(void *context, struct lampo_call *call, struct params *params)
{
	static const struct stored_list payments = {
		"payments", { RECORD_PAYMENT, RECORD_PAYMENT_PAST }, 2, show_parts, live_parts,
	};
	static const struct stored_list pending = { "payments", { RECORD_PAYMENT }, 1, show_parts, live_parts };
	struct sha256 hash = { { 0 } };
	const struct record_range index = { .kind = RECORD_PAYMENT_INDEX, .prefix = BYTES_OF(hash.v) };
	bool any;

	if (hash_wanted(params, &any, &hash))
		stored_list_ask(context, call, params, any && pending_wanted(params) ? &pending : &payments, any ? NULL : &index);
	else
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'bolt11' is no BOLT 11 invoice, or not that of 'payment_hash'");
}

void method_delpay(void *context, struct lampo_call *call, struct params *params)
{
	const struct value *part = params_get(params, "partid"), *group = params_get(params, "groupid");
	struct command command = { .kind = COMMAND_DELPAY };

	command.u.delpay.payment_hash = params_get(params, "payment_hash")->u.hash;
	command.u.delpay.complete = strcmp(params_string(params, "status"), "complete") == 0;
	command.u.delpay.has_part = part != NULL;
	if (part)
		command.u.delpay.part = part->u.number;
	command.u.delpay.has_group = group != NULL;
	if (group)
		command.u.delpay.group = group->u.number;
	order(context, call, &command);
}

json_t *reply_delpay(const struct reply *reply)
{
	json_t *o = json_new_object(), *list = json_new_array();

	for (uint32_t i = 0; i < reply->u.delpay.count; i++) {
		const struct deleted_payment *d = &reply->u.delpay.payments[i];

		for (uint32_t k = 0; k < d->r.tries_count; k++)
			json_append(list, part_json(&reply->u.delpay.payment_hash, d->group, &d->r, &d->r.tries[k]));
	}
	json_add(o, "payments", list);
	return o;
}
