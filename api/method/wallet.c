/* newaddr, listfunds, withdraw. */
#include "api/method/inner.h"

#include <string.h>

#include "bitcoin/address.h"
#include "bitcoin/base64.h"
#include "bitcoin/script.h"

bool script_param(const struct methods *m, struct lampo_call *call, struct params *params, const char *name,
		  struct bytes *script)
{
	const struct network *network = methods_network(m);
	const char *why;

	if (address_decode(&params->arena, script, &why, network, bytes_from_string(params_string(params, name))))
		return true;
	rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter '%s' should be an address of %s: %s", name, network->name, why);
	return false;
}

struct outpoint *coins_param(struct params *params, const char *name, uint32_t *count)
{
	struct outpoint *coins;
	uint32_t i;

	*count = (uint32_t)params_count(params, name);
	coins = ARENA_ARRAY(&params->arena, struct outpoint, *count + 1);
	for (i = 0; i < *count; i++)
		coins[i] = params_element(params, name, i).u.outpoint;
	return coins;
}

static void order_address(struct methods *m, uint64_t id, enum address_kind kind)
{
	struct command command = { .kind = COMMAND_NEW_ADDRESS };

	command.u.new_address.kind = kind;
	m->port.command(m->port.context, id, &command);
}

static void release_json(void *json)
{
	json_decref(json);
}

/* "all" is two commands, one after the other: what the first gave waits with the call. */
void method_newaddr(void *context, struct lampo_call *call, struct params *params)
{
	const char *type = params_string(params, "addresstype");

	if (strcmp(type, "all") == 0)
		rpc_attach(call, json_new_object(), release_json);
	order_address(context, rpc_defer(call), strcmp(type, "p2tr") == 0 ? ADDRESS_P2TR : ADDRESS_P2WPKH);
}

json_t *reply_new_address(struct methods *m, struct lampo_call *call, uint64_t id, const struct reply *reply)
{
	json_t *both = rpc_attached(call), *o = both ? json_incref(both) : json_new_object();
	const char *text = reply->u.new_address.text;
	const bool taproot = reply->u.new_address.kind == ADDRESS_P2TR;

	json_add_string(o, taproot ? "p2tr" : "bech32", text);
	if (!json_object_get(o, "address"))
		json_add_string(o, "address", text);
	if (!both || taproot)
		return o;
	json_decref(o);
	order_address(m, id, ADDRESS_P2TR);
	return NULL;
}

static uint32_t confirmations(const struct methods *m, const struct wallet_coin *c)
{
	const uint32_t height = wallet_height(m->port.wallet);

	return c->height && c->height <= height ? height - c->height + 1 : 0;
}

static const char *coin_status(const struct methods *m, const struct wallet_coin *c)
{
	if (c->spent)
		return "spent";
	if (!c->height)
		return "unconfirmed";
	return c->coinbase && confirmations(m, c) < 100 ? "immature" : "confirmed";
}

static json_t *coin_json(const struct methods *m, const struct wallet_coin *c)
{
	char address[ADDRESS_SIZE];
	json_t *o = json_new_object();

	json_add_txid(o, "txid", &c->outpoint.txid);
	json_add_u64(o, "output", c->outpoint.index);
	json_add_sat_as_msat(o, "amount_msat", c->amount);
	json_add_hex(o, "scriptpubkey", c->script);
	if (address_encode(address, methods_network(m), c->script))
		json_add_string(o, "address", address);
	json_add_string(o, "status", coin_status(m, c));
	if (c->height)
		json_add_u64(o, "blockheight", c->height);
	json_add_bool(o, "reserved", c->reservation != 0);
	return o;
}

static json_t *coin_in_lampos_form(const struct methods *m, const struct wallet_coin *c)
{
	json_t *o = json_new_object();

	json_add_txid(o, "txid", &c->outpoint.txid);
	json_add_u64(o, "vout", c->outpoint.index);
	json_add_bool(o, "reserved", c->reservation != 0);
	json_add_u64(o, "confirmed", confirmations(m, c));
	json_add_sat_as_msat(o, "amount_msat", c->amount);
	return o;
}

static void add_coins(json_t *o, const struct methods *m, bool spent_too)
{
	json_t *outputs = json_new_array(), *transactions = json_new_array();
	struct wallet_coin c;
	uint32_t at = 0;

	while (m->port.wallet && wallet_view_coin(m->port.wallet, &at, &c)) {
		/* What others sign for is not ours to spend, what a reorganization took is not there. */
		if (c.chain == WALLET_FOREIGN || c.lost || (c.spent && !spent_too))
			continue;
		json_append(outputs, coin_json(m, &c));
		json_append(transactions, coin_in_lampos_form(m, &c));
	}
	json_add(o, "outputs", outputs);
	json_add(o, "transactions", transactions);
}

static json_t *fund_json(const struct methods *m, const struct channel *ch)
{
	const struct channel_record *r = channel_record_of(ch);
	struct peer_view peer;
	struct amount_sat pending;
	json_t *o = json_new_object();

	json_add_hex(o, "peer_id", BYTES_OF(r->peer.v));
	json_add_bool(o, "connected", node_view_peer_by_id(m->port.node, &r->peer, &peer) && peer.connected);
	json_add_string(o, "state", channel_state_name(r->state));
	json_add_hex(o, "channel_id", BYTES_OF(r->id.v));
	json_add_scid(o, "short_channel_id", r->scid);
	json_add_msat(o, "our_amount_msat", channel_to_us(ch));
	json_add_sat_as_msat(o, "amount_msat", r->funding_amount);
	json_add_txid(o, "funding_txid", &r->funding.txid);
	json_add_u64(o, "funding_output", r->funding.index);
	pending = onchain_pending(m, ch);
	if (pending.v)
		json_add_sat_as_msat(o, "pending_onchain_msat", pending);
	add_onchain(o, m, ch);
	return o;
}

static json_t *listfunds(const struct methods *m, struct params *params, struct refusal *refusal)
{
	json_t *o = json_new_object(), *channels = json_new_array();
	const struct channel *ch;
	struct node_info info;
	uint32_t at = 0;

	(void)refusal;
	add_coins(o, m, params_bool(params, "spent"));
	node_view_info(m->port.node, &info);
	json_add_sat_as_msat(o, "anchor_reserve_msat", info.anchor_reserve);
	while ((ch = node_view_channel(m->port.node, &at)))
		if (!channel_is_opening(ch))
			json_append(channels, fund_json(m, ch));
	json_add(o, "channels", channels);
	return o;
}

void method_listfunds(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, listfunds);
}

void method_withdraw(void *context, struct lampo_call *call, struct params *params)
{
	const struct methods *m = context;
	const struct value *amount = params_get(params, "satoshi");
	struct command command = { .kind = COMMAND_WITHDRAW };

	if (!script_param(m, call, params, "destination", &command.u.withdraw.script))
		return;
	if (!amount->all && SAT_LESS(amount->u.sat, script_dust_limit(command.u.withdraw.script))) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'satoshi' is below the dust limit of %llu: nobody would relay it",
			 (unsigned long long)script_dust_limit(command.u.withdraw.script).v);
		return;
	}
	command.u.withdraw.all = amount->all;
	if (!amount->all)
		command.u.withdraw.amount = amount->u.sat;
	command.u.withdraw.feerate = feerate_of(m, &params_get(params, "feerate")->u.feerate);
	command.u.withdraw.min_confirmations = (uint32_t)params_number(params, "minconf");
	command.u.withdraw.coins = coins_param(params, "utxos", &command.u.withdraw.coin_count);
	order(context, call, &command);
}

json_t *reply_withdraw(const struct methods *m, const struct reply *reply)
{
	struct buf psbt = BUF_EMPTY;
	json_t *o = json_new_object();

	(void)m;
	json_add_hex(o, "tx", reply->u.withdraw.tx);
	json_add_txid(o, "txid", &reply->u.withdraw.txid);
	base64_encode(&psbt, reply->u.withdraw.psbt);
	json_add_text(o, "psbt", buf_view(&psbt));
	buf_release(&psbt);
	return o;
}
