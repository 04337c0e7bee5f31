/* setchannel, listforwards, delforward: others' payments, on which terms they go out over a channel and what became of
 * them. */
#include "api/method/inner.h"
#include "api/method/stored.h"

#include <ctype.h>
#include <string.h>

#include "payment/history.h"
#include "wire/message.h"

static void take_msat(const struct params *params, const char *name, struct amount_msat *out, uint8_t *fields, enum policy_field field)
{
	if (!params_has(params, name))
		return;
	*out = params_get(params, name)->u.msat;
	*fields |= (uint8_t)field;
}

static void take_number(const struct params *params, const char *name, uint32_t *out, uint8_t *fields, enum policy_field field)
{
	if (!params_has(params, name))
		return;
	*out = (uint32_t)params_number(params, name);
	*fields |= (uint8_t)field;
}

void method_setchannel(void *context, struct lampo_call *call, struct params *params)
{
	const struct value *id = params_get(params, "id");
	struct command command = { .kind = COMMAND_SET_CHANNEL };
	struct forward_policy *own = &command.u.set_channel.own;
	uint8_t fields = 0;

	command.u.set_channel.all = id->all;
	if (!id->all)
		command.u.set_channel.channel = id->u.channel;
	take_msat(params, "feebase", &own->fee_base, &fields, POLICY_FEE_BASE);
	take_number(params, "feeppm", &own->fee_ppm, &fields, POLICY_FEE_PPM);
	take_msat(params, "htlcmin", &own->htlc_min, &fields, POLICY_HTLC_MIN);
	take_msat(params, "htlcmax", &own->htlc_max, &fields, POLICY_HTLC_MAX);
	take_number(params, "cltvdelta", &own->cltv_delta, &fields, POLICY_CLTV_DELTA);
	command.u.set_channel.fields = fields;
	command.u.set_channel.enforce_delay_s = (uint32_t)params_number(params, "enforcedelay");
	command.u.set_channel.has_ignore_fee_limits = params_has(params, "ignorefeelimits");
	if (command.u.set_channel.has_ignore_fee_limits)
		command.u.set_channel.ignore_fee_limits = params_bool(params, "ignorefeelimits");
	order(context, call, &command);
}

static json_t *set_json(const struct channel_set *c)
{
	json_t *o = json_new_object();

	json_add_hex(o, "peer_id", BYTES_OF(c->peer.v));
	json_add_hex(o, "channel_id", BYTES_OF(c->id.v));
	json_add_scid(o, "short_channel_id", c->scid);
	json_add_msat(o, "fee_base_msat", c->policy.fee_base);
	json_add_u64(o, "fee_proportional_millionths", c->policy.fee_ppm);
	json_add_u64(o, "cltv_expiry_delta", c->policy.cltv_delta);
	if (c->cltv_delta_tight)
		json_add_string(o, "warning_cltvdelta_too_low", "fewer blocks than BOLT 2 derives: a reorganization could cost a forwarded payment");
	json_add_bool(o, "ignore_fee_limits", c->ignore_fee_limits);
	json_add_msat(o, "minimum_htlc_out_msat", c->policy.htlc_min);
	if (c->htlc_min_raised)
		json_add_string(o, "warning_htlcmin_too_low", "the peer takes nothing smaller: it is set to the peer's minimum");
	json_add_msat(o, "maximum_htlc_out_msat", c->policy.htlc_max);
	if (c->htlc_max_cut)
		json_add_string(o, "warning_htlcmax_too_high", "the channel carries no more at once: it is set to that");
	return o;
}

json_t *reply_set_channel(const struct reply *reply)
{
	json_t *o = json_new_object(), *list = json_new_array();

	for (uint32_t i = 0; i < reply->u.set_channel.count; i++)
		json_append(list, set_json(&reply->u.set_channel.channels[i]));
	json_add(o, "channels", list);
	return o;
}

/* --- what became of them --- */

MUST_USE static bool asked_for(struct params *params, const struct history_entry *e)
{
	const struct value *in = params_get(params, "in_channel"), *out = params_get(params, "out_channel");

	return (!params_has(params, "status") || strcmp(params_string(params, "status"), history_status_name(e->status)) == 0) &&
	       (!in || in->u.scid.v == e->in_channel.v) && (!out || out->u.scid.v == e->out_channel.v);
}

/* Core Lightning's: WIRE_FEE_INSUFFICIENT. */
static void add_reason(json_t *o, uint16_t code)
{
	const struct codec *codec = fail_codec(code);
	struct buf name = BUF_EMPTY;

	json_add_u64(o, "failcode", code);
	if (!codec)
		return;
	buf_add_string(&name, "WIRE_");
	for (const char *c = codec->name; *c; c++)
		buf_add_u8(&name, (uint8_t)toupper((unsigned char)*c));
	json_add_printf(o, "failreason", "%.*s", (int)name.size, (const char *)name.data);
	buf_release(&name);
}

static json_t *entry_json(const struct history_entry *e)
{
	json_t *o = json_new_object();

	if (e->index) {
		json_add_u64(o, "created_index", e->index);
		json_add_u64(o, "updated_index", e->index);
	}
	json_add_scid(o, "in_channel", e->in_channel);
	json_add_u64(o, "in_htlc_id", e->in_htlc_id);
	json_add_msat(o, "in_msat", e->in_amount);
	json_add_scid(o, "out_channel", e->out_channel);
	if (e->has_out_htlc)
		json_add_u64(o, "out_htlc_id", e->out_htlc_id);
	json_add_msat(o, "out_msat", e->out_amount);
	/* Of one that was refused because it did not pay: nothing. */
	json_add_msat(o, "fee_msat", msat_sub_or_zero(e->in_amount, e->out_amount));
	json_add_string(o, "status", history_status_name(e->status));
	json_add_string(o, "style", "tlv");
	if (e->fail_code)
		add_reason(o, e->fail_code);
	json_add_u64(o, "received_time", e->received_ms / 1000);
	if (e->index)
		json_add_u64(o, "resolved_time", e->resolved_ms / 1000);
	return o;
}

static bool show_forward(const struct methods *m, struct params *params, const struct fetched *record, json_t **out)
{
	struct history_entry e;

	(void)m;
	if (!history_decode(record->key, record->value, &e))
		return false;
	*out = asked_for(params, &e) ? entry_json(&e) : NULL;
	return true;
}

static json_t *live_forwards(const struct methods *m, struct params *params, uint64_t *last)
{
	json_t *list = json_new_array();
	struct history_entry e;
	uint32_t at = 0;

	while (node_view_forward(m->port.node, &at, &e))
		if (asked_for(params, &e))
			json_append(list, entry_json(&e));
	*last = node_view_history_last(m->port.node);
	return list;
}

void method_listforwards(void *context, struct lampo_call *call, struct params *params)
{
	static const struct stored_list forwards = { "forwards", { RECORD_FORWARD }, 1, show_forward, NULL };
	static const struct stored_list offered = { "forwards", { RECORD_FORWARD }, 0, show_forward, NULL };
	const char *status = params_string_or_null(params, "status");
	/* What is under way is in memory alone. */
	const bool live = status && strcmp(status, history_status_name(HISTORY_OFFERED)) == 0;

	stored_list_ask_live(context, call, params, live ? &offered : &forwards, live_forwards);
}

void method_delforward(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_DEL_FORWARD };
	enum history_status status = HISTORY_SETTLED;

	ASSERT(history_status_read(&status, params_string(params, "status")));
	command.u.del_forward.in_channel = params_get(params, "in_channel")->u.scid;
	command.u.del_forward.in_htlc_id = params_get(params, "in_htlc_id")->u.number;
	command.u.del_forward.status = (uint8_t)status;
	order(context, call, &command);
}
