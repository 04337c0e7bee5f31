/* setchannel: on which terms others' payments go out over a channel. */
#include "api/method/inner.h"

#include <string.h>

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
