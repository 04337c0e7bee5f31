/* fundchannel, listpeerchannels, listclosedchannels, close. */
#include "api/method/inner.h"
#include "api/method/stored.h"

#include <string.h>

#include "wire/features.h"

static struct bytes type_param(struct params *params)
{
	const size_t count = params_count(params, "channel_type");
	struct buf vector = BUF_EMPTY;
	struct bytes kept;
	size_t i;

	for (i = 0; i < count; i++)
		features_set_bit(&vector, (uint32_t)params_element(params, "channel_type", i).u.number);
	kept = arena_bytes(&params->arena, buf_view(&vector));
	buf_release(&vector);
	return kept;
}

/* A vector of a million bytes is no channel type. */
MUST_USE static bool type_plausible(struct lampo_call *call, struct params *params)
{
	const size_t count = params_count(params, "channel_type");
	size_t i;

	for (i = 0; i < count; i++)
		if (params_element(params, "channel_type", i).u.number > 1000) {
			rpc_fail(call, RPC_INVALID_PARAMS, NULL,
				 "parameter 'channel_type' should be feature bits such as [12] or [12,22]");
			return false;
		}
	return true;
}

static void fill_optional(const struct methods *m, struct command *command, struct params *params)
{
	const struct value *depth = params_get(params, "mindepth"), *reserve = params_get(params, "reserve");

	command->u.fund_channel.push = params_get(params, "push_msat")->u.msat;
	command->u.fund_channel.announce = params_bool(params, "announce");
	command->u.fund_channel.feerate = feerate_of(m, &params_get(params, "feerate")->u.feerate);
	command->u.fund_channel.min_confirmations = (uint32_t)params_number(params, "minconf");
	command->u.fund_channel.coins = coins_param(params, "utxos", &command->u.fund_channel.coin_count);
	command->u.fund_channel.has_channel_type = params_has(params, "channel_type");
	if (command->u.fund_channel.has_channel_type)
		command->u.fund_channel.channel_type = type_param(params);
	command->u.fund_channel.has_minimum_depth = depth != NULL;
	if (depth)
		command->u.fund_channel.minimum_depth = (uint32_t)depth->u.number;
	command->u.fund_channel.has_reserve = reserve != NULL;
	if (reserve)
		command->u.fund_channel.reserve = reserve->u.sat;
}

void method_fundchannel(void *context, struct lampo_call *call, struct params *params)
{
	const struct methods *m = context;
	const struct value *amount = params_get(params, "amount");
	struct command command = { .kind = COMMAND_FUND_CHANNEL };

	command.u.fund_channel.peer = params_get(params, "id")->u.peer.id;
	if (!host_param(m, call, params, "id", "addr", "port", &command.u.fund_channel.host, &command.u.fund_channel.port))
		return;
	if (!type_plausible(call, params))
		return;
	command.u.fund_channel.has_close_to = params_has(params, "close_to");
	if (command.u.fund_channel.has_close_to &&
	    !script_param(m, call, params, "close_to", &command.u.fund_channel.close_to))
		return;
	command.u.fund_channel.all = amount->all;
	if (!amount->all)
		command.u.fund_channel.amount = amount->u.sat;
	fill_optional(m, &command, params);
	order(context, call, &command);
}

json_t *reply_fund_channel(const struct methods *m, const struct reply *reply)
{
	const struct channel_name name = { .by_id = true, .id = reply->u.fund_channel.channel_id };
	const struct channel *ch = node_view_channel_named(m->port.node, &name);
	const struct channel_record *r = ch ? channel_record_of(ch) : NULL;
	json_t *o = json_new_object();

	json_add_hex(o, "tx", reply->u.fund_channel.tx);
	json_add_txid(o, "txid", &reply->u.fund_channel.txid);
	json_add_u64(o, "outnum", reply->u.fund_channel.output);
	json_add_hex(o, "channel_id", BYTES_OF(reply->u.fund_channel.channel_id.v));
	json_add(o, "channel_type", channel_type_json(reply->u.fund_channel.channel_type));
	if (reply->u.fund_channel.close_to.size)
		json_add_hex(o, "close_to", reply->u.fund_channel.close_to);
	json_add_u64(o, "mindepth", reply->u.fund_channel.minimum_depth);
	if (!r)
		return o;
	json_add_hex(o, "node_id", BYTES_OF(r->peer.v));
	json_add_u64(o, "amount", r->funding_amount.v);
	json_add_bool(o, "public", r->announce);
	json_add_msat(o, "push_msat", r->pushed);
	json_add_u64(o, "to_self_delay", r->side[SIDE_REMOTE].to_self_delay);
	return o;
}

MUST_USE static bool wanted(const struct channel_record *r, const struct params *params)
{
	const struct value *id = params_get(params, "id"), *scid = params_get(params, "short_channel_id"),
			   *channel_id = params_get(params, "channel_id");

	return (!id || SAME(id->u.pubkey, r->peer)) && (!channel_id || memcmp(channel_id->u.hash.v, r->id.v, 32) == 0) &&
	       (!scid || scid->u.scid.v == r->scid.v || scid->u.scid.v == r->alias_local.v);
}

static json_t *listpeerchannels(const struct methods *m, struct params *params, struct refusal *refusal)
{
	json_t *o = json_new_object(), *list = json_new_array();
	const struct channel *ch;
	uint32_t at = 0;

	(void)refusal;
	while ((ch = node_view_channel(m->port.node, &at)))
		if (wanted(channel_record_of(ch), params))
			json_append(list, channel_json(m, ch));
	json_add(o, "channels", list);
	return o;
}

void method_listpeerchannels(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, listpeerchannels);
}

static json_t *closed_json(const struct channel_record *r)
{
	struct buf vector = BUF_EMPTY;
	json_t *o = json_new_object();

	json_add_hex(o, "peer_id", BYTES_OF(r->peer.v));
	json_add_hex(o, "channel_id", BYTES_OF(r->id.v));
	json_add_scid(o, "short_channel_id", r->scid);
	if (r->alias_local.v || r->alias_remote.v) {
		json_t *alias = json_new_object();

		json_add_scid(alias, "local", r->alias_local);
		json_add_scid(alias, "remote", r->alias_remote);
		json_add(o, "alias", alias);
	}
	json_add_string(o, "opener", side_name(r->opener));
	if (r->has_closer)
		json_add_string(o, "closer", side_name(r->closer));
	json_add_bool(o, "private", !r->announce);
	channel_type_vector(&vector, r);
	json_add(o, "channel_type", channel_type_json(buf_view(&vector)));
	buf_release(&vector);
	json_add_u64(o, "total_local_commitments", r->local_number + 1);
	json_add_u64(o, "total_remote_commitments", r->remote_number + 1);
	json_add_u64(o, "total_htlcs_sent", r->counts[SIDE_LOCAL].offered);
	json_add_txid(o, "funding_txid", &r->funding.txid);
	json_add_u64(o, "funding_outnum", r->funding.index);
	json_add_sat_as_msat(o, "total_msat", r->funding_amount);
	json_add_msat(o, "final_to_us_msat", r->settled[SIDE_LOCAL]);
	json_add_msat(o, "min_to_us_msat", r->balance_min);
	json_add_msat(o, "max_to_us_msat", r->balance_max);
	json_add_bool(o, "leased", false);
	add_close_cause(o, r);
	return o;
}

static bool show_closed(const struct methods *m, struct params *params, const struct fetched *record, json_t **out)
{
	const struct value *id = params_get(params, "id");
	struct channel_record r;

	(void)m;
	if (!channel_record_decode(record->value, &r))
		return false;
	if (!id || SAME(id->u.pubkey, r.peer)) {
		*out = closed_json(&r);
		/* One that an older version left has no number yet: it is about to get one. */
		if (record->kind == RECORD_CLOSED_PAST)
			json_add_u64(*out, "closed_index", load_be64(record->key.data));
	}
	return true;
}

void method_listclosedchannels(void *context, struct lampo_call *call, struct params *params)
{
	static const struct stored_list channels = { "closedchannels", { RECORD_CLOSED_PAST, RECORD_CLOSED }, 2, show_closed, NULL };

	stored_list_ask(context, call, params, &channels, NULL);
}

/* Which channel a close was about: its answer names it, when the channel may be gone. */
struct closing {
	struct channel_id id;
	struct pubkey peer;
	struct outpoint funding;
};

static void remember_channel(const struct methods *m, struct lampo_call *call, const struct channel_name *name)
{
	const struct channel *ch = node_view_channel_named(m->port.node, name);
	struct closing *closing;

	if (!ch)
		return;
	closing = NEW(struct closing);
	closing->id = *channel_id_of(ch);
	closing->peer = *channel_peer(ch);
	closing->funding = *channel_funding(ch);
	rpc_attach(call, closing, mem_free);
}

MUST_USE static bool range_param(const struct methods *m, struct lampo_call *call, struct params *params, struct command *command)
{
	struct value ends[2];
	struct feerate low, high;

	if (!params_has(params, "feerange"))
		return true;
	if (params_count(params, "feerange") == 2) {
		ends[0] = params_element(params, "feerange", 0);
		ends[1] = params_element(params, "feerange", 1);
		low = feerate_of(m, &ends[0].u.feerate);
		high = feerate_of(m, &ends[1].u.feerate);
		command->u.close.has_fee_range = true;
		command->u.close.fee_low = low;
		command->u.close.fee_high = high;
		if (low.per_kw <= high.per_kw)
			return true;
	}
	rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'feerange' should be the lowest and the highest fee rate, in this order");
	return false;
}

void method_close(void *context, struct lampo_call *call, struct params *params)
{
	const struct methods *m = context;
	const struct value *channel_id = params_get(params, "channel_id");
	struct command command = { .kind = COMMAND_CLOSE };

	command.u.close.channel = params_get(params, "id")->u.channel;
	if (channel_id) {
		command.u.close.channel = (struct channel_name){ .by_id = true };
		memcpy(command.u.close.channel.id.v, channel_id->u.hash.v, sizeof(channel_id->u.hash.v));
	}
	command.u.close.unilateral_timeout_s = (uint32_t)params_number(params, "unilateraltimeout");
	command.u.close.force = params_bool(params, "force");
	command.u.close.has_destination = params_has(params, "destination");
	if (command.u.close.has_destination && !script_param(m, call, params, "destination", &command.u.close.destination))
		return;
	if (!range_param(m, call, params, &command))
		return;
	remember_channel(m, call, &command.u.close.channel);
	order(context, call, &command);
}

static void add_closing(json_t *o, const struct closing *closing)
{
	json_t *txid = json_new_object();

	json_add_hex(o, "channel_id", BYTES_OF(closing->id.v));
	json_add_hex(o, "peer_id", BYTES_OF(closing->peer.v));
	json_add_txid(txid, "v", &closing->funding.txid);
	json_add_printf(o, "funding_utxo", "%s:%u", json_string_value(json_object_get(txid, "v")), closing->funding.index);
	json_decref(txid);
}

json_t *reply_close(const struct methods *m, const struct lampo_call *call, const struct reply *reply)
{
	const struct closing *closing = rpc_attached(call);
	const bool unopened = reply->u.close.unopened, mutual = reply->u.close.mutual;
	json_t *o = json_new_object(), *txs, *txids;

	(void)m;
	json_add_string(o, "type", unopened ? "unopened" : mutual ? "mutual" : "unilateral");
	if (reply->u.close.tx.size) {
		json_add_hex(o, "tx", reply->u.close.tx);
		json_add_txid(o, "txid", &reply->u.close.txid);
		txs = json_new_array();
		txids = json_new_array();
		json_append(txs, json_incref(json_object_get(o, "tx")));
		json_append(txids, json_incref(json_object_get(o, "txid")));
		json_add(o, "txs", txs);
		json_add(o, "txids", txids);
	}
	if (closing)
		add_closing(o, closing);
	json_add_string(o, "message",
			unopened ? "the channel was never paid for and is forgotten" :
			mutual	 ? "both sides agreed; the closing transaction is on its way" :
				   "our commitment transaction is on its way");
	return o;
}
