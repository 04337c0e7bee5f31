/* pay, keysend, probe, listpays. */
#include "api/method/inner.h"
#include "api/method/stored.h"

#include <string.h>

#include "api/rpc/value_read.h"
#include "invoice/invoice.h"
#include "onion/payload.h"

#define EXEMPT_DEFAULT MSAT(5000)
#define FEE_PPM_DEFAULT 5000u
/* Of ten minutes each. */
#define BLOCKS_OF_A_YEAR 52596u

/* Core Lightning's words for the limit on fees: an amount, or a share with an
 * amount that is always allowed. */
MUST_USE static bool fee_limit_param(struct lampo_call *call, const struct params *params, bool has_amount,
				     struct amount_msat amount, bool *has_limit, struct amount_msat *limit)
{
	const struct value *maxfee = params_get(params, "maxfee"), *percent = params_get(params, "maxfeepercent"),
			   *exempt = params_get(params, "exemptfee");
	struct amount_msat share, always = exempt ? exempt->u.msat : EXEMPT_DEFAULT;

	*has_limit = maxfee || percent || exempt;
	if (maxfee && (percent || exempt)) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'maxfee' replaces 'maxfeepercent' and 'exemptfee': give one or the others");
		return false;
	}
	if (maxfee) {
		*limit = maxfee->u.msat;
		return true;
	}
	/* Without an amount the core refuses the call anyway, and says why. */
	share = has_amount ? msat_ppm(amount, percent ? percent->u.ppm : FEE_PPM_DEFAULT) : MSAT(0);
	*limit = MSAT_LESS(share, always) ? always : share;
	return true;
}

/* Seconds for tries; 0: the core's default. */
static uint32_t retry_param(const struct params *params)
{
	const struct value *seconds = params_get(params, "retry_for");
	const char *timeout = params_string_or_null(params, "timeout");

	if (seconds)
		return (uint32_t)seconds->u.number;
	if (!timeout)
		return 0;
	return strcmp(timeout, "fast") == 0 ? 30 : strcmp(timeout, "large") == 0 ? 600 : 120;
}

/* "02ab...": a node; "1x2x3/0": a channel in one direction. */
MUST_USE static bool read_exclusion(struct sciddir_or_pubkey *out, const char *text)
{
	memset(out, 0, sizeof(*out));
	if (!text)
		return false;
	out->is_pubkey = !strchr(text, '/');
	return out->is_pubkey ? read_pubkey(&out->pubkey, text) : read_scid_dir(&out->scid, &out->direction, text);
}

bool exclude_param(struct lampo_call *call, struct params *params, const struct sciddir_or_pubkey **list, uint32_t *count)
{
	const struct value *value = params_get(params, "exclude");
	const size_t size = value ? json_array_size(value->u.json) : 0;
	struct sciddir_or_pubkey *out = ARENA_ARRAY(&params->arena, struct sciddir_or_pubkey, size + 1);

	for (size_t i = 0; i < size; i++)
		if (size > SEND_EXCLUDE_MAX || !read_exclusion(&out[i], json_string_value(json_array_get(value->u.json, i)))) {
			rpc_fail(call, RPC_INVALID_PARAMS, NULL,
				 "parameter 'exclude' should be at most %u node ids or channels with a direction, as in \"1x2x3/0\"",
				 SEND_EXCLUDE_MAX);
			return false;
		}
	*list = out;
	*count = (uint32_t)size;
	return true;
}

uint32_t delay_param(const struct params *params)
{
	const struct value *risk = params_get(params, "riskfactor");

	return risk ? (uint32_t)(risk->u.ppm * 1000ull / BLOCKS_OF_A_YEAR) : 0;
}

static const char *const *layers_param(struct params *params, uint32_t *count)
{
	const size_t size = params_count(params, "layers");
	const char **names = ARENA_ARRAY(&params->arena, const char *, size);

	for (size_t i = 0; i < size; i++)
		names[i] = params_element(params, "layers", i).u.string;
	*count = (uint32_t)size;
	return names;
}

static uint32_t max_delay_param(const struct params *params)
{
	const struct value *delay = params_get(params, "maxdelay");

	return delay ? (uint32_t)delay->u.number : 0;
}

void method_pay(void *context, struct lampo_call *call, struct params *params)
{
	const struct methods *m = context;
	const struct value *amount = params_get(params, "amount_msat"), *partial = params_get(params, "partial_msat");
	struct command command = { .kind = COMMAND_PAY };
	struct amount_msat due = amount ? amount->u.msat : MSAT(0);
	bool has_due = amount != NULL;
	struct invoice v;
	const char *why;

	command.u.pay.bolt11 = params_string(params, "bolt11");
	/* The core reads the invoice, and its signature costs something: here only for a share of its amount. */
	if ((params_get(params, "maxfeepercent") || params_get(params, "exemptfee")) &&
	    invoice_decode(&params->arena, &v, &why, methods_network(m), bytes_from_string(command.u.pay.bolt11)) && v.has_amount) {
		due = v.amount;
		has_due = true;
	}
	command.u.pay.has_amount = amount != NULL;
	if (amount)
		command.u.pay.amount = amount->u.msat;
	command.u.pay.label = params_string_or_null(params, "label");
	command.u.pay.description = params_string_or_null(params, "description");
	command.u.pay.retry_for_s = retry_param(params);
	command.u.pay.max_delay = max_delay_param(params);
	command.u.pay.delay_ppb = delay_param(params);
	command.u.pay.has_partial = partial != NULL;
	if (partial)
		command.u.pay.partial = due = partial->u.msat;
	command.u.pay.layers = layers_param(params, &command.u.pay.layer_count);
	if (exclude_param(call, params, &command.u.pay.exclude, &command.u.pay.exclude_count) &&
	    fee_limit_param(call, params, has_due || partial, due, &command.u.pay.has_fee_limit, &command.u.pay.fee_limit))
		order(context, call, &command);
}

/* {"133773310": "68656c6c6f"}: records for the payee. */
MUST_USE static bool records_param(struct lampo_call *call, struct params *params, struct command *command)
{
	const struct value *object = params_get(params, "extratlvs");
	const size_t count = object ? json_object_size(object->u.json) : 0;
	struct custom_record *records = ARENA_ARRAY(&params->arena, struct custom_record, count + 1);
	char why[RPC_WHY_SIZE];
	const char *key;
	json_t *json;
	struct value hex;

	command->u.keysend.records = records;
	if (!object)
		return true;
	json_object_foreach((json_t *)object->u.json, key, json) {
		struct custom_record *r = &records[command->u.keysend.record_count++];

		if (!read_number(&r->type, key, UINT64_MAX) || r->type < PAYLOAD_CUSTOM_MIN ||
		    !value_read(&hex, LAMPO_HEX, json, &params->arena, why)) {
			rpc_fail(call, RPC_INVALID_PARAMS, NULL,
				 "parameter 'extratlvs' should be {\"number from 65536 on\": \"hex digits\"}");
			return false;
		}
		r->value = hex.u.bytes;
	}
	return true;
}

/* One field of a hop; false: it is missing or of another type. */
static bool hint_field(const json_t *hop, struct arena *a, const char *name, enum lampo_type type, struct value *out)
{
	const json_t *json = json_object_get(hop, name);
	char why[RPC_WHY_SIZE];

	return json && value_read(out, type, json, a, why);
}

static bool read_hint_hop(struct record_payment_hint *out, uint32_t way, const json_t *hop, struct arena *a)
{
	struct value id, scid, base, ppm, delta;

	if (!json_is_object(hop) || !hint_field(hop, a, "id", LAMPO_PUBKEY, &id) || !hint_field(hop, a, "scid", LAMPO_SCID, &scid) ||
	    !hint_field(hop, a, "feebase", LAMPO_MSAT, &base) || !hint_field(hop, a, "feeprop", LAMPO_U32, &ppm) ||
	    !hint_field(hop, a, "expirydelta", LAMPO_U16, &delta) || MSAT_LESS(MSAT(UINT32_MAX), base.u.msat))
		return false;
	*out = (struct record_payment_hint){ way, id.u.pubkey, scid.u.scid, (uint32_t)base.u.msat.v, (uint32_t)ppm.u.number,
					     (uint16_t)delta.u.number };
	return true;
}

/* [[{"id", "scid", "feebase", "feeprop", "expirydelta"}, ...], ...]: hops of ways to the node. */
MUST_USE static bool hints_param(struct lampo_call *call, struct params *params, struct command *command)
{
	const struct value *value = params_get(params, "routehints");
	struct record_payment_hint *hints = ARENA_ARRAY(&params->arena, struct record_payment_hint, SEND_HINT_HOPS_MAX);
	const size_t ways = value ? json_array_size(value->u.json) : 0;

	command->u.keysend.hints = hints;
	for (size_t i = 0; i < ways; i++) {
		const json_t *way = json_array_get(value->u.json, i);

		for (size_t k = 0; k < json_array_size(way) || !json_is_array(way); k++) {
			if (json_is_array(way) && command->u.keysend.hint_count < SEND_HINT_HOPS_MAX &&
			    read_hint_hop(&hints[command->u.keysend.hint_count++], (uint32_t)i, json_array_get(way, k), &params->arena))
				continue;
			rpc_fail(call, RPC_INVALID_PARAMS, NULL,
				 "parameter 'routehints' should be ways of {\"id\", \"scid\", \"feebase\", \"feeprop\", \"expirydelta\"}, "
				 "of at most %u hops together", SEND_HINT_HOPS_MAX);
			return false;
		}
	}
	return true;
}

void method_keysend(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_KEYSEND };

	command.u.keysend.destination = params_get(params, "destination")->u.pubkey;
	command.u.keysend.amount = params_get(params, "amount_msat")->u.msat;
	command.u.keysend.label = params_string_or_null(params, "label");
	command.u.keysend.retry_for_s = retry_param(params);
	command.u.keysend.max_delay = max_delay_param(params);
	command.u.keysend.layers = layers_param(params, &command.u.keysend.layer_count);
	if (records_param(call, params, &command) && hints_param(call, params, &command) &&
	    exclude_param(call, params, &command.u.keysend.exclude, &command.u.keysend.exclude_count) &&
	    fee_limit_param(call, params, true, command.u.keysend.amount, &command.u.keysend.has_fee_limit,
			    &command.u.keysend.fee_limit))
		order(context, call, &command);
}

void method_probe(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_PROBE };

	command.u.probe.destination = params_get(params, "destination")->u.pubkey;
	command.u.probe.amount = params_get(params, "amount_msat")->u.msat;
	command.u.probe.retry_for_s = retry_param(params);
	command.u.probe.max_delay = max_delay_param(params);
	if (exclude_param(call, params, &command.u.probe.exclude, &command.u.probe.exclude_count) &&
	    fee_limit_param(call, params, true, command.u.probe.amount, &command.u.probe.has_fee_limit, &command.u.probe.fee_limit))
		order(context, call, &command);
}

const char *payment_status(uint8_t state)
{
	switch ((enum payment_state)state) {
	case PAYMENT_PENDING: return "pending";
	case PAYMENT_COMPLETE: return "complete";
	case PAYMENT_FAILED: return "failed";
	}
	UNREACHABLE();
}

void add_hold_times(json_t *o, const struct record_payment_try *t)
{
	json_t *list;

	if (!t->hold_times_count)
		return;
	list = json_new_array();
	for (uint32_t i = 0; i < t->hold_times_count; i++)
		json_append(list, json_integer((json_int_t)t->hold_times[i] * ATTRIBUTION_UNIT_MS));
	json_add(o, "hold_times_ms", list);
}

static void add_erring(json_t *o, const struct record_payment_try *t)
{
	if (t->words.size)
		json_add_text(o, "message", t->words);
	if (!t->has_report)
		return;
	json_add_u64(o, "erring_index", t->erring_index);
	if (t->erring_index)
		json_add_hex(o, "erring_node", BYTES_OF(t->erring_node.v));
	if (t->erring_scid.v) {
		json_add_scid(o, "erring_channel", t->erring_scid);
		json_add_u64(o, "erring_direction", t->erring_direction);
	}
	if (!t->failure_code)
		return;
	json_add_u64(o, "failcode", t->failure_code);
	if (fail_codec(t->failure_code))
		json_add_string(o, "failcodename", fail_name(t->failure_code));
}

/* What was tried, part by part. */
static json_t *tries_json(const struct record_payment_try *tries, uint32_t count)
{
	json_t *list = json_new_array();

	for (uint32_t i = 0; i < count; i++) {
		const struct record_payment_try *t = &tries[i];
		json_t *o = json_new_object();

		json_add_u64(o, "partid", t->part);
		json_add_string(o, "status", payment_status(t->state));
		json_add_msat(o, "amount_msat", t->amount);
		json_add_msat(o, "amount_sent_msat", t->sent);
		json_add_u64(o, "hops", t->hops);
		json_add_u64(o, "created_at", t->created_at_s);
		if (t->completed_at_s)
			json_add_u64(o, "completed_at", t->completed_at_s);
		if (t->state == PAYMENT_FAILED)
			add_erring(o, t);
		add_hold_times(o, t);
		json_append(list, o);
	}
	return list;
}

json_t *failed_pay(const struct reply *reply)
{
	json_t *o = json_new_object();

	json_add_hex(o, "payment_hash", BYTES_OF(reply->u.pay.payment_hash.v));
	json_add_hex(o, "destination", BYTES_OF(reply->u.pay.destination.v));
	json_add_msat(o, "amount_msat", reply->u.pay.amount);
	json_add_u64(o, "created_at", reply->u.pay.created_at_s);
	json_add_string(o, "status", "failed");
	json_add(o, "attempts", tries_json(reply->u.pay.tries, reply->u.pay.try_count));
	return o;
}

json_t *reply_probe(const struct reply *reply)
{
	json_t *o = json_new_object();

	json_add_hex(o, "destination", BYTES_OF(reply->u.pay.destination.v));
	json_add_string(o, "status", "reached");
	json_add_msat(o, "amount_msat", reply->u.pay.amount);
	json_add_msat(o, "amount_sent_msat", reply->u.pay.sent);
	json_add(o, "attempts", tries_json(reply->u.pay.tries, reply->u.pay.try_count));
	return o;
}

json_t *reply_paid(const struct methods *m, const struct reply *reply)
{
	json_t *o = json_new_object();

	(void)m;
	json_add_hex(o, "payment_preimage", BYTES_OF(reply->u.pay.preimage.v));
	json_add_hex(o, "payment_hash", BYTES_OF(reply->u.pay.payment_hash.v));
	json_add_hex(o, "destination", BYTES_OF(reply->u.pay.destination.v));
	json_add_u64(o, "created_at", reply->u.pay.created_at_s);
	json_add_u64(o, "parts", reply->u.pay.parts);
	json_add_msat(o, "amount_msat", reply->u.pay.amount);
	json_add_msat(o, "amount_sent_msat", reply->u.pay.sent);
	json_add_string(o, "status", "complete");
	if (reply->u.pay.partial)
		json_add_string(o, "warning_partial_completion",
				"Not all parts have been claimed yet, but the payee has shown the preimage: it can claim all of them");
	json_add_string(o, "state", "Success");
	return o;
}

static json_t *payment_json(const struct sha256 *hash, const struct record_payment *r)
{
	json_t *o = json_new_object();

	json_add_hex(o, "payment_hash", BYTES_OF(hash->v));
	json_add_string(o, "status", payment_status(r->state));
	json_add_hex(o, "destination", BYTES_OF(r->payee.v));
	json_add_u64(o, "created_at", r->created_at_s);
	if (r->completed_at_s)
		json_add_u64(o, "completed_at", r->completed_at_s);
	if (r->label.size)
		json_add_text(o, "label", r->label);
	if (r->bolt11.size)
		json_add_text(o, "bolt11", r->bolt11);
	json_add_u64(o, "created_index", r->created_index);
	json_add_msat(o, "amount_msat", r->amount);
	json_add_msat(o, "amount_sent_msat", r->sent);
	if (r->state == PAYMENT_COMPLETE) {
		json_add_hex(o, "preimage", BYTES_OF(r->preimage.v));
		json_add_u64(o, "number_of_parts", r->parts);
	}
	if (r->state == PAYMENT_FAILED) {
		json_add(o, "error_code", json_integer(r->fail_code));
		json_add_text(o, "error", r->fail_words);
	}
	return o;
}

bool hash_wanted(struct params *params, bool *any, struct sha256 *hash)
{
	const struct value *value = params_get(params, "payment_hash");
	const char *text = params_string_or_null(params, "bolt11"), *why;
	struct invoice v;

	*any = !value && !text;
	if (value)
		*hash = value->u.hash;
	if (!text)
		return true;
	if (!invoice_decode(&params->arena, &v, &why, NULL, bytes_from_string(text)))
		return false;
	*hash = v.payment_hash;
	return !value || SAME(value->u.hash, v.payment_hash);
}

/* Then nothing of the past is meant, however much there is of it. */
bool pending_wanted(const struct params *params)
{
	const char *status = params_string_or_null(params, "status");

	return status && strcmp(status, payment_status(PAYMENT_PENDING)) == 0;
}

/* What the call wants beyond start and limit. */
static bool is_wanted(struct params *params, const struct record_payment *r)
{
	const char *status = params_string_or_null(params, "status");

	return !status || strcmp(status, payment_status(r->state)) == 0;
}

static bool show_payment(const struct methods *m, struct params *params, const struct fetched *record, json_t **out)
{
	struct record_payment r;
	struct sha256 hash;
	struct arena memory;
	bool good;

	(void)m;
	arena_init(&memory);
	good = record->key.size == 48 && record_payment_decode(record->value, &memory, &r);
	if (good) {
		memcpy(hash.v, record->key.data + 8, sizeof(hash.v));
		if (is_wanted(params, &r))
			*out = payment_json(&hash, &r);
	}
	arena_release(&memory);
	return good;
}

static json_t *live_payment(const struct methods *m, struct params *params, uint64_t *number)
{
	const struct payment *p;
	struct sha256 hash = { { 0 } };
	bool any;

	if (!hash_wanted(params, &any, &hash))
		return NULL;
	p = send_by_hash(node_view_payments(m->port.node), &hash);
	if (!p || !is_wanted(params, &p->r))
		return NULL;
	*number = p->r.created_index;
	return payment_json(&p->payment_hash, &p->r);
}

void method_listpays(void *context, struct lampo_call *call, struct params *params)
{
	static const struct stored_list payments = {
		"pays", { RECORD_PAYMENT, RECORD_PAYMENT_PAST }, 2, show_payment, live_payment,
	};
	static const struct stored_list pending = { "pays", { RECORD_PAYMENT }, 1, show_payment, live_payment };
	struct sha256 hash = { { 0 } };
	const struct record_range index = { .kind = RECORD_PAYMENT_INDEX, .prefix = BYTES_OF(hash.v) };
	bool any;

	if (!hash_wanted(params, &any, &hash))
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'bolt11' is no BOLT 11 invoice, or not that of 'payment_hash'");
	else
		stored_list_ask(context, call, params, any && pending_wanted(params) ? &pending : &payments, any ? NULL : &index);
}
