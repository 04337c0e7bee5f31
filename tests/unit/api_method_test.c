#include "node/state.h"
#include "tests/unit/method_world.h"

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static long long int_at(const json_t *o, const char *key)
{
	CHECK(json_is_integer(json_object_get(o, key)));
	return json_integer_value(json_object_get(o, key));
}

static json_t *only(const json_t *o, const char *key)
{
	CHECK_EQ(json_array_size(json_object_get(o, key)), 1);
	return json_array_get(json_object_get(o, key), 0);
}

TEST(getinfo)
{
	struct world *w = world_new();
	json_t *o = world_call(w, 0, "getinfo", "{}");

	CHECK_STR(text_at(o, "id"), w->nodes[0].id_hex);
	CHECK_STR(text_at(o, "node_id"), w->nodes[0].id_hex);
	CHECK_STR(text_at(o, "alias"), "alice");
	CHECK_STR(text_at(o, "network"), "regtest");
	CHECK_STR(text_at(o, "chain"), "regtest");
	CHECK_STR(text_at(o, "lightning-dir"), "/nowhere");
	CHECK_EQ(int_at(o, "blockheight"), 101);
	CHECK_EQ(int_at(o, "num_peers"), 0);
	CHECK(json_is_false(json_object_get(o, "sync_in_progress")));
	CHECK_STR(text_at(only(o, "address"), "type"), "dns");
	CHECK_EQ(int_at(only(o, "address"), "port"), 9735);
	CHECK_STR(text_at(only(o, "binding"), "type"), "ipv4");
	CHECK_EQ(int_at(only(o, "binding"), "port"), 9000);
	json_decref(o);
	world_refused(w, 0, "getinfo", "{'colour':'blue'}", -32602, "getinfo has no parameter 'colour'");
	world_free(w);
}

TEST(connect_and_disconnect)
{
	struct world *w = world_new();
	const char *bob = w->nodes[1].id_hex;
	json_t *o;

	world_refused(w, 0, "connect", world_text(w, "['%s']", bob), 400, "address");
	world_refused(w, 0, "connect", world_text(w, "['%s','a b']", bob), -32602, "'host'");
	world_refused(w, 0, "connect", world_text(w, "['%s@::1','127.0.0.1']", bob), -32602, "another host");
	world_refused(w, 0, "connect", world_text(w, "{'id':'%s','port':9735}", bob), -32602, "needs 'host'");
	world_refused(w, 0, "connect", world_text(w, "['%s','127.0.0.2',1]", bob), 401, "");
	o = world_call(w, 0, "connect", world_text(w, "['%s','127.0.0.1',9735]", bob));
	CHECK_STR(text_at(o, "id"), bob);
	CHECK_STR(text_at(o, "direction"), "out");
	CHECK_STR(text_at(json_object_get(o, "address"), "address"), "127.0.0.1");
	json_decref(o);
	o = world_call(w, 0, "listpeers", "{}");
	CHECK_STR(text_at(only(o, "peers"), "id"), bob);
	CHECK(json_is_true(json_object_get(only(o, "peers"), "connected")));
	CHECK_STR(json_string_value(json_array_get(json_object_get(only(o, "peers"), "netaddr"), 0)), "127.0.0.1:9735");
	json_decref(o);
	o = world_call(w, 1, "listpeers", world_text(w, "['%s']", bob));
	CHECK_EQ(json_array_size(json_object_get(o, "peers")), 0);
	json_decref(o);
	json_decref(world_call(w, 0, "disconnect", world_text(w, "['%s']", bob)));
	o = world_call(w, 1, "listpeers", "{}");
	CHECK_EQ(json_array_size(json_object_get(o, "peers")), 0);
	json_decref(o);
	world_refused(w, 0, "disconnect", world_text(w, "['%s']", bob), -1, "not connected");
	/* In one word, and by Lampo's names. */
	json_decref(world_call(w, 0, "connect", world_text(w, "['%s@127.0.0.1:9735']", bob)));
	json_decref(world_call(w, 0, "disconnect", world_text(w, "{'node_id':'%s'}", bob)));
	json_decref(world_call(w, 0, "connect", world_text(w, "{'node_id':'%s','addr':'127.0.0.1','port':9735}", bob)));
	world_free(w);
}

TEST(coins)
{
	struct world *w = world_new();
	json_t *o = world_call(w, 0, "newaddr", "{}"), *coin;

	CHECK(strncmp(text_at(o, "bech32"), "bcrt1q", 6) == 0 && strncmp(text_at(o, "p2tr"), "bcrt1p", 6) == 0);
	CHECK_STR(text_at(o, "address"), text_at(o, "bech32"));
	json_decref(o);
	o = world_call(w, 0, "new_addr", "['p2tr']");
	CHECK(!json_object_get(o, "bech32") && strncmp(text_at(o, "address"), "bcrt1p", 6) == 0);
	json_decref(o);
	world_refused(w, 0, "newaddr", "['p2sh']", -32602, "'addresstype' should be one of");
	world_refused(w, 0, "withdraw", "['bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080', 100000]", 301, "");
	world_pay_wallet(w, 0, SAT(1000000));
	o = world_call(w, 0, "listfunds", "{}");
	coin = only(o, "outputs");
	CHECK_EQ(int_at(coin, "amount_msat"), 1000000000);
	CHECK_STR(text_at(coin, "status"), "confirmed");
	CHECK_EQ(int_at(coin, "blockheight"), 102);
	CHECK_EQ(int_at(only(o, "transactions"), "confirmed"), 1);
	CHECK_EQ(int_at(only(o, "transactions"), "amount_msat"), 1000000000);
	json_decref(o);
	world_refused(w, 0, "withdraw", "['tea', 1000]", -32602, "'destination' should be an address of regtest");
	world_refused(w, 0, "withdraw", "['bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', 1000]", -32602, "regtest");
	world_refused(w, 0, "withdraw", "['bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080', 293]", -32602, "dust");
	o = world_call(w, 0, "withdraw", "['bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080', '0.005btc', '2000perkw']");
	CHECK(strlen(text_at(o, "tx")) > 100 && strncmp(text_at(o, "psbt"), "cHNidP8B", 8) == 0);
	json_decref(o);
	CHECK_EQ(w->mempool_count, 1);
	world_mine(w, 1);
	o = world_call(w, 0, "funds", "{'spent':true}");
	CHECK_EQ(json_array_size(json_object_get(o, "outputs")), 2);
	json_decref(o);
	o = world_call(w, 0, "funds", "{}");
	CHECK(int_at(only(o, "outputs"), "amount_msat") < 500000000);
	json_decref(o);
	world_free(w);
}

TEST(invoices)
{
	struct world *w = world_new();
	json_t *o = world_call(w, 0, "invoice", "['5sat','tea','a cup of tea']"), *decoded, *one;

	CHECK(strncmp(text_at(o, "bolt11"), "lnbcrt50n1", 10) == 0);
	CHECK_EQ(int_at(o, "expires_at"), WORLD_BEGIN_MS / 1000 + 604800);
	CHECK_STR(text_at(o, "label"), "tea");
	CHECK(json_object_get(o, "warning_capacity"));
	decoded = world_call(w, 1, "decode", world_text(w, "['%s']", text_at(o, "bolt11")));
	CHECK_STR(text_at(decoded, "payee"), w->nodes[0].id_hex);
	CHECK_STR(text_at(decoded, "description"), "a cup of tea");
	CHECK_STR(text_at(decoded, "currency"), "bcrt");
	CHECK_STR(text_at(decoded, "payment_hash"), text_at(o, "payment_hash"));
	CHECK_STR(text_at(decoded, "payment_secret"), text_at(o, "payment_secret"));
	CHECK_EQ(int_at(decoded, "amount_msat"), 5000);
	json_decref(decoded);
	one = world_call(w, 0, "listinvoices", world_text(w, "{'invstring':'%s'}", text_at(o, "bolt11")));
	CHECK_STR(text_at(only(one, "invoices"), "status"), "unpaid");
	json_decref(one);
	json_decref(o);
	world_refused(w, 0, "invoice", "[1,'tea','again']", 900, "label");
	world_refused(w, 0, "invoice", "[1]", -32602, "'label' and 'description' are missing");
	world_refused(w, 0, "invoice", "[1,'x']", -32602, "'description' is missing");
	world_refused(w, 0, "invoice", "[0,'x','y']", -32602, "more than 0");
	world_refused(w, 0, "invoice", "{'amount_msat':1,'label':'x','description':'y','fallbacks':['tea']}", -32602, "element 1");
	/* Lampo's way: no label. */
	o = world_call(w, 0, "invoice", "{'amount_msat':7,'description':'coffee','expiring_in':60}");
	CHECK(strncmp(text_at(o, "label"), "invoice-1700000", 15) == 0);
	CHECK_EQ(int_at(o, "expires_at"), WORLD_BEGIN_MS / 1000 + 60);
	json_decref(o);
	json_decref(world_call(w, 0, "invoice", "['any',7,'open',60,['bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080']]"));
	o = world_call(w, 0, "listinvoices", "{'start':2,'limit':1}");
	CHECK_STR(text_at(only(o, "invoices"), "description"), "coffee");
	json_decref(o);
	o = world_call(w, 0, "listinvoices", "['7']");
	CHECK(!json_object_get(only(o, "invoices"), "amount_msat"));
	json_decref(o);
	world_refused(w, 0, "waitinvoice", "['none']", -1, "no invoice");
	world_free(w);
}

TEST(waiting_for_an_invoice_that_expires)
{
	struct world *w = world_new();
	json_t *answer, *o;

	json_decref(world_call(w, 0, "invoice", "{'amount_msat':1,'label':'w','description':'x','expiry':60}"));
	world_send(w, 0, "waitinvoice", "['w']");
	CHECK(!world_answer(w, 0));
	json_decref(world_call(w, 0, "getinfo", "{}"));
	world_wait(w, 70000);
	answer = world_answer(w, 0);
	o = json_object_get(answer, "error");
	CHECK_EQ(int_at(o, "code"), 903);
	CHECK_STR(text_at(json_object_get(o, "data"), "label"), "w");
	CHECK_STR(text_at(json_object_get(o, "data"), "status"), "expired");
	json_decref(answer);
	world_free(w);
}

TEST(a_client_that_leaves_is_not_answered)
{
	struct world *w = world_new();

	json_decref(world_call(w, 0, "invoice", "{'amount_msat':1,'label':'w','description':'x','expiry':60}"));
	world_send(w, 0, "waitinvoice", "['w']");
	rpc_client_free(w->nodes[0].client);
	world_settle(w);
	w->nodes[0].client = rpc_client_new(w->nodes[0].rpc, world_ready, NULL);
	world_wait(w, 70000);
	CHECK(!world_answer(w, 0));
	world_free(w);
}

/* A channel of a million satoshi from alice to bob, usable. */
static struct world *world_with_channel(void)
{
	struct world *w = world_new();
	json_t *o;

	world_pay_wallet(w, 0, SAT(10000000));
	json_decref(world_call(w, 0, "connect", world_text(w, "['%s','127.0.0.1',9735]", w->nodes[1].id_hex)));
	o = world_call(w, 0, "fundchannel", world_text(w, "{'id':'%s','amount':1000000,'push_msat':'1000sat'}", w->nodes[1].id_hex));
	CHECK_EQ(int_at(o, "amount"), 1000000);
	CHECK_EQ(int_at(o, "push_msat"), 1000000);
	CHECK_STR(text_at(o, "node_id"), w->nodes[1].id_hex);
	CHECK(json_is_true(json_object_get(o, "public")));
	CHECK_EQ(int_at(o, "to_self_delay"), 144);
	json_decref(o);
	world_mine(w, 6);
	return w;
}

TEST(opening_a_channel)
{
	struct world *w = world_new();
	const char *bob = w->nodes[1].id_hex;
	json_t *o, *c;

	world_refused(w, 0, "fundchannel", world_text(w, "['%s',1000000]", bob), 400, "");
	json_decref(world_call(w, 0, "connect", world_text(w, "['%s','127.0.0.1',9735]", bob)));
	world_refused(w, 0, "fundchannel", world_text(w, "['%s',1000000]", bob), 301, "");
	world_refused(w, 0, "fundchannel", world_text(w, "{'id':'%s','amount':1000000,'close_to':'tea'}", bob), -32602, "'close_to'");
	world_refused(w, 0, "fundchannel", world_text(w, "{'id':'%s','amount':1000000,'channel_type':[99999999]}", bob), -32602, "channel_type");
	world_refused(w, 0, "fundchannel", world_text(w, "{'id':'%s','amount':1000000,'request_amt':1}", bob), -32602, "not supported");
	world_pay_wallet(w, 0, SAT(10000000));
	world_send(w, 0, "fundchannel", world_text(w, "{'node_id':'%s','addr':'127.0.0.1','port':9735,'amount':1000000,'public':false,"
						    "'channel_type':[12]}", bob));
	o = world_result(w, 0, world_answer(w, 0));
	CHECK_EQ(json_integer_value(json_array_get(json_object_get(json_object_get(o, "channel_type"), "bits"), 0)), 12);
	CHECK_STR(json_string_value(json_array_get(json_object_get(json_object_get(o, "channel_type"), "names"), 0)),
		  "static_remotekey/even");
	c = world_call(w, 1, "channels", world_text(w, "{'channel_id':'%s'}", text_at(o, "channel_id")));
	CHECK_STR(text_at(only(c, "channels"), "state"), "CHANNELD_AWAITING_LOCKIN");
	CHECK_STR(text_at(only(c, "channels"), "opener"), "remote");
	CHECK(json_is_true(json_object_get(only(c, "channels"), "private")));
	json_decref(c);
	json_decref(o);
	world_free(w);
}

TEST(channels_and_payments)
{
	struct world *w = world_with_channel();
	json_t *o, *c, *invoice, *answer;

	o = world_call(w, 0, "listpeerchannels", world_text(w, "['%s']", w->nodes[1].id_hex));
	c = only(o, "channels");
	CHECK_STR(text_at(c, "state"), "CHANNELD_NORMAL");
	CHECK_STR(text_at(c, "short_channel_id"), "103x1x0");
	CHECK_EQ(int_at(c, "to_us_msat"), 999000000);
	CHECK_EQ(int_at(c, "total_msat"), 1000000000);
	CHECK_EQ(int_at(c, "our_reserve_msat"), 10000000);
	CHECK_EQ(int_at(c, "our_to_self_delay"), 144);
	CHECK_EQ(int_at(json_object_get(c, "funding"), "pushed_msat"), 1000000);
	CHECK(int_at(c, "spendable_msat") > 900000000 && int_at(c, "spendable_msat") < 989000000);
	json_decref(o);
	invoice = world_call(w, 1, "invoice", "['100000sat','tea','a cup of tea']");
	CHECK(!json_object_get(invoice, "warning_capacity"));
	world_send(w, 1, "waitinvoice", "['tea']");
	o = world_call(w, 0, "pay", world_text(w, "{'bolt11':'%s','label':'my tea'}", text_at(invoice, "bolt11")));
	CHECK_STR(text_at(o, "status"), "complete");
	CHECK_STR(text_at(o, "payment_hash"), text_at(invoice, "payment_hash"));
	CHECK_STR(text_at(o, "destination"), w->nodes[1].id_hex);
	CHECK_EQ(int_at(o, "amount_msat"), 100000000);
	answer = world_result(w, 1, world_answer(w, 1));
	CHECK_STR(text_at(answer, "status"), "paid");
	CHECK_STR(text_at(answer, "payment_preimage"), text_at(o, "payment_preimage"));
	CHECK_EQ(int_at(answer, "amount_received_msat"), 100000000);
	json_decref(answer);
	c = world_call(w, 0, "listpays", world_text(w, "['%s']", text_at(invoice, "bolt11")));
	CHECK_STR(text_at(only(c, "pays"), "preimage"), text_at(o, "payment_preimage"));
	CHECK_STR(text_at(only(c, "pays"), "label"), "my tea");
	CHECK_EQ(int_at(only(c, "pays"), "amount_sent_msat"), 100000000);
	json_decref(c);
	json_decref(o);
	o = world_call(w, 0, "keysend", world_text(w, "{'destination':'%s','amount_msat':5000,'extratlvs':{'133773311':'68656c6c6f'}}",
						 w->nodes[1].id_hex));
	CHECK_EQ(int_at(o, "amount_msat"), 5000);
	json_decref(o);
	world_settle(w);
	o = world_call(w, 0, "listpeerchannels", "{}");
	c = only(o, "channels");
	CHECK_EQ(int_at(c, "to_us_msat"), 999000000 - 100000000 - 5000);
	CHECK_EQ(int_at(c, "out_payments_fulfilled"), 2);
	CHECK_EQ(int_at(c, "out_fulfilled_msat"), 100005000);
	json_decref(o);
	o = world_call(w, 1, "listinvoices", "{}");
	CHECK_EQ(json_array_size(json_object_get(o, "invoices")), 2);
	json_decref(o);
	json_decref(invoice);
	world_free(w);
}

TEST(payments_that_are_refused)
{
	struct world *w = world_with_channel();
	json_t *o, *invoice = world_call(w, 1, "invoice", "['any','open','any amount']");
	const char *bolt11 = world_text(w, "%s", text_at(invoice, "bolt11"));

	world_refused(w, 0, "pay", "['lnbcrt1nonsense']", -32602, "'bolt11' is no invoice");
	world_refused(w, 0, "pay", world_text(w, "['%s']", bolt11), -32602, "amount_msat");
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','amount_msat':1,'maxfee':1,'maxfeepercent':1}", bolt11), -32602, "maxfee");
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','amount_msat':1,'localinvreqid':'00'}", bolt11), -32602, "not supported");
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','amount_msat':1,'partial_msat':2}", bolt11), -32602, "at most the whole");
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','amount_msat':1,'exclude':['1x2']}", bolt11), -32602, "'exclude'");
	world_refused(w, 0, "keysend", world_text(w, "{'destination':'%s','amount_msat':1,'extratlvs':{'5':'00'}}", w->nodes[1].id_hex),
		      -32602, "extratlvs");
	world_refused(w, 0, "keysend", world_text(w, "{'destination':'%s','amount_msat':1,'routehints':[{'id':1}]}", w->nodes[1].id_hex),
		      -32602, "routehints");
	world_refused(w, 0, "keysend", world_text(w, "{'destination':'%s','amount_msat':1,'routehints':[[{'id':'%s','scid':'1x2x3','feebase':0,"
						     "'feeprop':0,'expirydelta':65536}]]}", w->nodes[1].id_hex, w->nodes[1].id_hex),
		      -32602, "routehints");
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','amount_msat':'1000000sat','retry_for':1}", bolt11), 205, "");
	o = world_call(w, 0, "listpays", "{'status':'failed'}");
	CHECK_EQ(int_at(only(o, "pays"), "error_code"), 205);
	CHECK(*text_at(only(o, "pays"), "error"));
	json_decref(o);
	world_refused(w, 0, "listpays", "['nonsense']", -32602, "'bolt11'");
	json_decref(world_call(w, 0, "pay", world_text(w, "{'invoice_str':'%s','amount':4321,'timeout':'fast'}", bolt11)));
	json_decref(invoice);
	world_free(w);
}

TEST(payments_along_a_route)
{
	struct world *w = world_with_channel();
	json_t *o, *invoice = world_call(w, 1, "invoice", "[7000,'route','along a route']");
	const char *hash = world_text(w, "%s", text_at(invoice, "payment_hash")), *secret = world_text(w, "%s", text_at(invoice, "payment_secret"));
	const char *way = world_text(w, "[{'id':'%s','channel':'103x1x0','amount_msat':7000,'delay':40}]", w->nodes[1].id_hex);

	world_refused(w, 0, "sendpay", world_text(w, "{'route':[],'payment_hash':'%s'}", hash), -32602, "1 and 27");
	world_refused(w, 0, "sendpay", world_text(w, "{'route':[{'id':'%s'}],'payment_hash':'%s'}", w->nodes[1].id_hex, hash), -32602, "'route'");
	world_refused(w, 0, "waitsendpay", world_text(w, "['%s']", hash), 208, "");
	/* Without the secret the payee refuses. */
	o = world_call(w, 0, "sendpay", world_text(w, "{'route':%s,'payment_hash':'%s'}", way, hash));
	CHECK_STR(text_at(o, "status"), "pending");
	CHECK_EQ(int_at(o, "amount_sent_msat"), 7000);
	json_decref(o);
	world_send(w, 0, "waitsendpay", world_text(w, "['%s']", hash));
	o = world_answer(w, 0);
	CHECK_EQ(int_at(json_object_get(o, "error"), "code"), 203);
	CHECK_EQ(int_at(json_object_get(json_object_get(o, "error"), "data"), "failcode"), 16399);
	CHECK_STR(text_at(json_object_get(json_object_get(o, "error"), "data"), "failcodename"), "incorrect_or_unknown_payment_details");
	CHECK_EQ(int_at(json_object_get(json_object_get(o, "error"), "data"), "erring_index"), 1);
	CHECK_STR(text_at(json_object_get(json_object_get(o, "error"), "data"), "erring_channel"), "103x1x0");
	CHECK_EQ(int_at(json_object_get(json_object_get(o, "error"), "data"), "erring_direction"),
		 strcmp(w->nodes[0].id_hex, w->nodes[1].id_hex) > 0);
	json_decref(o);
	o = world_call(w, 0, "sendpay", world_text(w, "{'route':%s,'payment_hash':'%s','payment_secret':'%s','label':'way'}", way, hash, secret));
	CHECK_EQ(int_at(o, "groupid"), 2);
	json_decref(o);
	o = world_call(w, 0, "waitsendpay", world_text(w, "['%s']", hash));
	CHECK_STR(text_at(o, "status"), "complete");
	CHECK_STR(text_at(o, "label"), "way");
	CHECK_EQ(strlen(text_at(o, "payment_preimage")), 64);
	json_decref(o);
	/* The same again changes nothing; another amount under that hash is an error. */
	o = world_call(w, 0, "sendpay", world_text(w, "{'route':%s,'payment_hash':'%s'}", way, hash));
	CHECK_STR(text_at(o, "status"), "complete");
	json_decref(o);
	world_refused(w, 0, "sendpay", world_text(w, "{'route':%s,'payment_hash':'%s','amount_msat':7001}", way, hash), 201, "already");
	json_decref(invoice);
	world_free(w);
}

/* What getroutes says of the beginning of a hop is there too, and must not be taken for what arrives. */
TEST(a_path_of_getroutes_is_a_route)
{
	struct world *w = world_with_channel();
	json_t *o, *invoice = world_call(w, 1, "invoice", "[7000,'path','along a path']");
	const char *hash = world_text(w, "%s", text_at(invoice, "payment_hash")), *secret = world_text(w, "%s", text_at(invoice, "payment_secret"));
	const char *id = w->nodes[1].id_hex;
	const char *path = world_text(w, "[{'short_channel_id_dir':'103x1x0/0','node_id_in':'%s','node_id_out':'%s','amount_in_msat':8000,"
				      "'amount_out_msat':7000,'cltv_in':90,'cltv_out':40,'next_node_id':'%s','amount_msat':8000,'delay':90}]",
				      w->nodes[0].id_hex, id, id);

	world_refused(w, 0, "sendpay", world_text(w, "{'route':[{'node_id_out':'%s','id':'%s'}],'payment_hash':'%s'}", id, id, hash),
		      -32602, "getroutes");
	o = world_call(w, 0, "sendpay", world_text(w, "{'route':%s,'payment_hash':'%s','payment_secret':'%s'}", path, hash, secret));
	CHECK_EQ(int_at(o, "amount_sent_msat"), 7000);
	json_decref(o);
	o = world_call(w, 0, "waitsendpay", world_text(w, "['%s']", hash));
	CHECK_STR(text_at(o, "status"), "complete");
	json_decref(o);
	json_decref(invoice);
	world_free(w);
}

TEST(payments_part_by_part)
{
	struct world *w = world_with_channel();
	json_t *o, *invoice = world_call(w, 1, "invoice", "[7000,'parts','part by part']");
	const char *hash = world_text(w, "%s", text_at(invoice, "payment_hash"));
	const char *bolt11 = world_text(w, "%s", text_at(invoice, "bolt11"));
	const char *way = world_text(w, "[{'id':'%s','channel':'103x1x0','amount_msat':7000,'delay':40}]", w->nodes[1].id_hex);

	/* Without the secret the payee refuses; then it is paid. */
	json_decref(world_call(w, 0, "sendpay", world_text(w, "{'route':%s,'payment_hash':'%s'}", way, hash)));
	o = world_call(w, 0, "listsendpays", "{}");
	CHECK_EQ(int_at(only(o, "payments"), "groupid"), 1);
	CHECK_STR(text_at(only(o, "payments"), "status"), "failed");
	CHECK(strstr(text_at(only(o, "payments"), "error"), "incorrect_or_unknown_payment_details"));
	json_decref(o);
	json_decref(world_call(w, 0, "pay", world_text(w, "{'bolt11':'%s','riskfactor':10,'label':'two'}", bolt11)));
	o = world_call(w, 0, "listsendpays", world_text(w, "{'bolt11':'%s','status':'complete'}", bolt11));
	CHECK_EQ(int_at(only(o, "payments"), "created_index"), 2);
	CHECK_EQ(int_at(only(o, "payments"), "partid"), 1);
	CHECK_EQ(int_at(only(o, "payments"), "amount_msat"), 7000);
	CHECK_EQ(strlen(text_at(only(o, "payments"), "payment_preimage")), 64);
	CHECK_STR(text_at(only(o, "payments"), "label"), "two");
	json_decref(o);
	o = world_call(w, 0, "listsendpays", "{'limit':1}");
	CHECK_EQ(int_at(only(o, "payments"), "created_index"), 1);
	json_decref(o);
	o = world_call(w, 0, "listsendpays", world_text(w, "{'payment_hash':'%s','index':'created','start':2}", hash));
	CHECK_EQ(int_at(only(o, "payments"), "created_index"), 2);
	json_decref(o);
	world_refused(w, 0, "listsendpays", "['nonsense']", -32602, "'bolt11'");

	world_refused(w, 0, "delpay", world_text(w, "['%s','pending']", hash), -32602, "status");
	world_refused(w, 0, "delpay", world_text(w, "{'payment_hash':'%s','status':'failed','partid':0}", hash), -32602, "group");
	world_refused(w, 0, "delpay", world_text(w, "['%064d','failed']", 1), 208, "no such payment");
	world_refused(w, 0, "delpay", world_text(w, "{'payment_hash':'%s','status':'complete','groupid':1}", hash), 211, "ended");
	o = world_call(w, 0, "delpay", world_text(w, "{'payment_hash':'%s','status':'complete','partid':1,'groupid':2}", hash));
	CHECK_EQ(int_at(only(o, "payments"), "groupid"), 2);
	json_decref(o);
	o = world_call(w, 0, "listpays", "{}");
	CHECK_EQ(int_at(only(o, "pays"), "created_index"), 1);
	json_decref(o);
	o = world_call(w, 0, "delpay", world_text(w, "['%s','failed']", hash));
	CHECK_STR(text_at(only(o, "payments"), "status"), "failed");
	json_decref(o);
	o = world_call(w, 0, "listpays", "{}");
	CHECK_EQ(json_array_size(json_object_get(o, "pays")), 0);
	json_decref(o);
	json_decref(invoice);
	world_free(w);
}

TEST(probes)
{
	struct world *w = world_with_channel();
	const char *id = world_text(w, "%s", w->nodes[1].id_hex);
	json_t *o = world_call(w, 0, "probe", world_text(w, "['%s','1000sat']", id)), *data;

	CHECK_STR(text_at(o, "status"), "reached");
	CHECK_STR(text_at(o, "destination"), id);
	CHECK_EQ(int_at(o, "amount_sent_msat"), 1000000);
	CHECK_STR(text_at(only(o, "attempts"), "status"), "failed");
	CHECK_STR(text_at(only(o, "attempts"), "failcodename"), "incorrect_or_unknown_payment_details");
	CHECK_EQ(int_at(only(o, "attempts"), "erring_index"), 1);
	json_decref(o);
	o = world_call(w, 0, "listpays", "{}");
	CHECK_EQ(json_array_size(json_object_get(o, "pays")), 0);
	json_decref(o);
	world_refused(w, 0, "probe", world_text(w, "['%s',0]", id), -32602, "");
	world_refused(w, 0, "probe", world_text(w, "['%s',5]", w->nodes[0].id_hex), -32602, "moves nothing");
	world_send(w, 0, "probe", world_text(w, "{'destination':'%s','amount_msat':5,'exclude':['103x1x0/0','103x1x0/1']}", id));
	o = world_answer(w, 0);
	CHECK_EQ(int_at(json_object_get(o, "error"), "code"), 205);
	data = json_object_get(json_object_get(o, "error"), "data");
	CHECK_STR(text_at(data, "destination"), id);
	CHECK_EQ(json_array_size(json_object_get(data, "attempts")), 0);
	json_decref(o);
	world_free(w);
}

TEST(terms_of_a_channel)
{
	struct world *w = world_with_channel();
	json_t *o = world_call(w, 0, "listpeerchannels", "{}"), *c = only(o, "channels");
	const char *id = world_text(w, "%s", text_at(c, "channel_id"));

	CHECK_EQ(int_at(c, "fee_base_msat"), 1);
	CHECK_EQ(int_at(c, "fee_proportional_millionths"), 10);
	json_decref(o);
	o = world_call(w, 0, "setchannel", world_text(w, "['%s','2sat',300,0,'10btc',60,true,50]", id));
	c = only(o, "channels");
	CHECK_STR(text_at(c, "channel_id"), id);
	CHECK_STR(text_at(c, "peer_id"), w->nodes[1].id_hex);
	CHECK_EQ(int_at(c, "fee_base_msat"), 2000);
	CHECK_EQ(int_at(c, "fee_proportional_millionths"), 300);
	CHECK_EQ(int_at(c, "cltv_expiry_delta"), 50);
	CHECK(json_is_true(json_object_get(c, "ignore_fee_limits")));
	CHECK(!json_object_get(c, "warning_htlcmin_too_low"));
	CHECK(text_at(c, "warning_htlcmax_too_high"));
	json_decref(o);
	/* What is not given stays. */
	json_decref(world_call(w, 0, "setchannel", "{'id':'all','htlcmin':5000,'htlcmax':'20sat'}"));
	o = world_call(w, 0, "listpeerchannels", "{}");
	c = only(o, "channels");
	CHECK_EQ(int_at(c, "fee_base_msat"), 2000);
	CHECK_EQ(int_at(c, "minimum_htlc_out_msat"), 5000);
	CHECK_EQ(int_at(c, "maximum_htlc_out_msat"), 20000);
	CHECK(json_is_true(json_object_get(c, "ignore_fee_limits")));
	json_decref(o);
	world_refused(w, 0, "setchannel", "['103x9x9',1]", -32602, "no such channel");
	world_refused(w, 0, "setchannel", "{'id':'all','htlcmax':4999}", -32602, "htlcmin");
	world_refused(w, 0, "setchannel", "{'id':'all','cltvdelta':27}", -32602, "cltvdelta");
	o = world_call(w, 0, "setchannel", "{'id':'all','cltvdelta':33}");
	CHECK(text_at(only(o, "channels"), "warning_cltvdelta_too_low"));
	json_decref(o);
	o = world_call(w, 0, "setchannel", "{'id':'all','cltvdelta':34}");
	CHECK(!json_object_get(only(o, "channels"), "warning_cltvdelta_too_low"));
	json_decref(o);
	world_refused(w, 0, "setchannel", "{'feeppm':5}", -32602, "'id'");
	o = world_call(w, 0, "setchannel", world_text(w, "{'id':'%s'}", w->nodes[1].id_hex));
	CHECK_EQ(int_at(only(o, "channels"), "maximum_htlc_out_msat"), 20000);
	json_decref(o);
	world_free(w);
}

TEST(what_was_forwarded)
{
	struct world *w = world_with_channel();
	struct history_entry e = { .status = HISTORY_SETTLED, .in_channel = { 0x0000670000010000 }, .in_htlc_id = 3, .in_amount = MSAT(1100),
				   .out_channel = { 0x0000680000020001 }, .has_out_htlc = true, .out_htlc_id = 4, .out_amount = MSAT(1000),
				   .received_ms = 5900, .resolved_ms = 7000 };
	struct store_op op = { .kind = RECORD_FORWARD };
	struct buf value = BUF_EMPTY;
	uint8_t key[8], index_key[HISTORY_INDEX_KEY];
	json_t *o = world_call(w, 0, "listforwards", "{}"), *f;

	CHECK_EQ(json_array_size(json_object_get(o, "forwards")), 0);
	json_decref(o);
	for (uint64_t i = 1; i <= 4; i++) {
		store_be64(key, i);
		e.fail_code = i == 3 ? FAIL_UNKNOWN_NEXT_PEER : 0;
		e.status = i == 3 ? HISTORY_LOCAL_FAILED : HISTORY_SETTLED;
		e.has_out_htlc = i != 3;
		buf_clear(&value);
		history_encode(&e, &value);
		op.key = BYTES_OF(key);
		op.value = buf_view(&value);
		CHECK(w->nodes[0].store->commit(w->nodes[0].store, &op, 1));
		/* All four came in as the same HTLC of channels that were called the same. */
		e.index = i;
		history_index_key(index_key, &e);
		CHECK(w->nodes[0].store->commit(w->nodes[0].store, &(struct store_op){ RECORD_FORWARD_INDEX, false, BYTES_OF(index_key),
										       BYTES_OF(key) }, 1));
	}
	buf_release(&value);
	w->nodes[0].node->history_last = 3; /* the fourth came after the question */
	o = world_call(w, 0, "listforwards", "{}");
	CHECK_EQ(json_array_size(json_object_get(o, "forwards")), 3);
	f = json_array_get(json_object_get(o, "forwards"), 0);
	CHECK(int_at(f, "created_index") == 1 && int_at(f, "updated_index") == 1);
	CHECK_STR(text_at(f, "in_channel"), "103x1x0");
	CHECK_STR(text_at(f, "out_channel"), "104x2x1");
	CHECK(int_at(f, "in_msat") == 1100 && int_at(f, "out_msat") == 1000 && int_at(f, "fee_msat") == 100);
	CHECK(int_at(f, "in_htlc_id") == 3 && int_at(f, "out_htlc_id") == 4);
	CHECK(int_at(f, "received_time") == 5 && int_at(f, "resolved_time") == 7);
	CHECK_STR(text_at(f, "status"), "settled");
	json_decref(o);
	o = world_call(w, 0, "listforwards", "['local_failed']");
	f = only(o, "forwards");
	CHECK_STR(text_at(f, "failreason"), "WIRE_UNKNOWN_NEXT_PEER");
	CHECK_EQ(int_at(f, "failcode"), FAIL_UNKNOWN_NEXT_PEER);
	json_decref(o);
	o = world_call(w, 0, "listforwards", "{'index':'updated','start':2,'limit':1}");
	CHECK_EQ(int_at(only(o, "forwards"), "updated_index"), 2);
	json_decref(o);
	o = world_call(w, 0, "listforwards", "{'in_channel':'1x1x1'}");
	CHECK_EQ(json_array_size(json_object_get(o, "forwards")), 0);
	json_decref(o);
	o = world_call(w, 0, "listforwards", "['offered']"); /* the store is not read for it */
	CHECK_EQ(json_array_size(json_object_get(o, "forwards")), 0);
	json_decref(o);
	world_refused(w, 0, "listforwards", "['paid']", -32602, "'status'");
	world_refused(w, 0, "delforward", "['103x1x0',3,'offered']", -32602, "'status'");
	world_refused(w, 0, "delforward", "['103x1x0',9,'settled']", 1401, "");
	json_decref(world_call(w, 0, "delforward", "['103x1x0',3,'local_failed']"));
	world_refused(w, 0, "delforward", "['103x1x0',3,'local_failed']", 1401, "");
	world_free(w);
}

TEST(closing_a_channel)
{
	struct world *w = world_with_channel();
	json_t *o = world_call(w, 0, "listpeerchannels", "{}"), *c;
	const char *id = world_text(w, "%s", text_at(only(o, "channels"), "channel_id"));

	json_decref(o);
	world_refused(w, 0, "close", "['103x9x9']", -32602, "");
	world_refused(w, 0, "close", world_text(w, "{'id':'%s','destination':'tea'}", id), -32602, "'destination'");
	world_refused(w, 0, "close", world_text(w, "{'id':'%s','feerange':['2000perkw','1000perkw']}", id), -32602, "'feerange'");
	o = world_call(w, 0, "close", world_text(w, "{'node_id':'%s','channel_id':'%s'}", w->nodes[1].id_hex, id));
	CHECK_STR(text_at(o, "type"), "mutual");
	CHECK_STR(text_at(o, "channel_id"), id);
	CHECK_STR(text_at(o, "peer_id"), w->nodes[1].id_hex);
	CHECK_STR(json_string_value(json_array_get(json_object_get(o, "txids"), 0)), text_at(o, "txid"));
	json_decref(o);
	world_mine(w, 1);
	o = world_call(w, 1, "listpeerchannels", "{}");
	c = only(o, "channels");
	CHECK_STR(text_at(c, "closer"), "remote");
	CHECK(strcmp(text_at(c, "state"), "ONCHAIN") == 0 || strcmp(text_at(c, "state"), "FUNDING_SPEND_SEEN") == 0);
	json_decref(o);
	world_mine(w, 101);
	o = world_call(w, 0, "listpeerchannels", "{}");
	CHECK_EQ(json_array_size(json_object_get(o, "channels")), 0);
	json_decref(o);
	o = world_call(w, 0, "listclosedchannels", "{}");
	CHECK_STR(text_at(only(o, "closedchannels"), "channel_id"), id);
	CHECK_EQ(int_at(only(o, "closedchannels"), "total_msat"), 1000000000);
	CHECK_EQ(int_at(only(o, "closedchannels"), "closed_index"), 1);
	json_decref(o);
	for (int all = 0; all < 2; all++) {
		o = world_call(w, 0, "listclosedchannels", all ? "{'start':1,'limit':5}" : "{'start':2,'limit':5}");
		CHECK_EQ(json_array_size(json_object_get(o, "closedchannels")), all);
		json_decref(o);
	}
	o = world_call(w, 0, "listclosedchannels", world_text(w, "['%s']", w->nodes[0].id_hex));
	CHECK_EQ(json_array_size(json_object_get(o, "closedchannels")), 0);
	json_decref(o);
	world_free(w);
}

/* The output of that kind in a list of sweeps; NULL if there is none. */
static json_t *sweep_of(const json_t *o, const char *kind)
{
	json_t *one, *found = NULL;
	size_t i;

	json_array_foreach(json_object_get(o, "sweeps"), i, one) {
		if (strcmp(text_at(one, "kind"), kind) == 0)
			found = one;
	}
	return found;
}

TEST(what_a_unilateral_close_leaves_on_the_chain_is_listed)
{
	struct world *w = world_with_channel();
	json_t *o = world_call(w, 0, "listpeerchannels", "{}"), *c, *sweep;
	const char *id = world_text(w, "%s", text_at(only(o, "channels"), "channel_id"));
	json_int_t ours;

	CHECK(!json_object_get(only(o, "channels"), "close_cause") && !json_object_get(only(o, "channels"), "sweeps"));
	json_decref(o);
	o = world_call(w, 0, "listsweeps", "{}");
	CHECK_EQ(json_array_size(json_object_get(o, "sweeps")), 0);
	json_decref(o);
	o = world_call(w, 0, "close", world_text(w, "{'id':'%s','force':true}", id));
	CHECK_STR(text_at(o, "type"), "unilateral");
	json_decref(o);
	/* Not in a block yet: who pays for it. */
	o = world_call(w, 0, "listsweeps", "{}");
	sweep = sweep_of(o, "commitment_fee");
	CHECK(sweep && json_is_true(json_object_get(sweep, "ours")));
	CHECK_STR(text_at(sweep, "channel_id"), id);
	json_decref(o);
	o = world_call(w, 0, "listfunds", "{}"); /* now it is needed */
	CHECK_EQ(int_at(o, "anchor_reserve_msat"), 25000000);
	json_decref(o);
	world_mine(w, 1);
	o = world_call(w, 0, "listpeerchannels", "{}");
	c = only(o, "channels");
	CHECK_STR(text_at(c, "close_cause"), "user");
	CHECK_STR(text_at(json_object_get(c, "close_evidence"), "cause"), "user");
	CHECK_EQ(int_at(json_object_get(c, "close_evidence"), "height"), w->height - 1);
	CHECK_STR(text_at(json_object_get(c, "spent_by"), "kind"), "our commitment");
	sweep = sweep_of(c, "to_us");
	CHECK(sweep);
	CHECK_STR(text_at(sweep, "status"), "waiting");
	CHECK_EQ(int_at(sweep, "confirmed_height"), w->height);
	CHECK_EQ(int_at(sweep, "until_height"), w->height + 144); /* to_self_delay */
	CHECK(!sweep_of(c, "anchor") && !sweep_of(c, "to_them"));
	ours = int_at(sweep, "amount_msat");
	json_decref(o);
	o = world_call(w, 0, "listfunds", "{}");
	CHECK_EQ(int_at(only(o, "channels"), "pending_onchain_msat"), ours);
	CHECK_EQ(int_at(o, "anchor_reserve_msat"), 0); /* no HTLC is left to claim */
	json_decref(o);
	o = world_call(w, 0, "listsweeps", world_text(w, "{'channel_id':'%s','all':true}", id));
	CHECK(sweep_of(o, "anchor") && sweep_of(o, "to_us"));
	json_decref(o);
	o = world_call(w, 0, "listsweeps", world_text(w, "{'channel_id':'%064d'}", 1));
	CHECK_EQ(json_array_size(json_object_get(o, "sweeps")), 0);
	json_decref(o);
	/* The delay is over: the claim is on its way, and then in a block. */
	world_mine(w, 143);
	w->mempool_count = 0; /* the miners overlook it */
	o = world_call(w, 0, "listsweeps", "{}");
	sweep = sweep_of(o, "to_us");
	CHECK(sweep);
	CHECK_STR(text_at(sweep, "status"), "claimed");
	CHECK_EQ(strlen(text_at(sweep, "claim_txid")), 64);
	CHECK(int_at(json_object_get(sweep, "feerate"), "perkw") >= 253);
	json_decref(o);
	world_mine(w, 2);
	o = world_call(w, 0, "listsweeps", "{}");
	sweep = sweep_of(o, "to_us");
	CHECK(sweep);
	CHECK_STR(text_at(sweep, "status"), "spent");
	CHECK(json_is_true(json_object_get(sweep, "spent_by_us")));
	CHECK_EQ(int_at(sweep, "until_height"), int_at(sweep, "spent_height") + 100);
	json_decref(o);
	world_mine(w, 101);
	o = world_call(w, 0, "listclosedchannels", "{}");
	c = only(o, "closedchannels");
	CHECK_STR(text_at(c, "close_cause"), "user");
	CHECK_STR(text_at(json_object_get(c, "close_evidence"), "words"), "our user closed it alone");
	json_decref(o);
	o = world_call(w, 1, "listclosedchannels", "{}");
	CHECK_STR(text_at(json_object_get(only(o, "closedchannels"), "close_evidence"), "cause"), "peer_error");
	CHECK_STR(text_at(only(o, "closedchannels"), "close_cause"), "remote");
	json_decref(o);
	world_free(w);
}

/* A channel with anchors can be closed in time only by who can pay for it. */
TEST(withdrawals_leave_the_reserve)
{
	struct world *w = world_with_channel();
	json_t *o = world_call(w, 0, "listfunds", "{}"), *one;
	json_int_t sum = 0;
	size_t i;

	CHECK_EQ(int_at(o, "anchor_reserve_msat"), 25000000);
	json_array_foreach(json_object_get(o, "outputs"), i, one)
		sum += int_at(one, "amount_msat");
	json_decref(o);
	world_refused(w, 0, "withdraw", world_text(w, "['bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080', '%lldmsat']",
						    (long long)(sum - 20000000)), 301, "must stay for fees of channels");
	json_decref(world_call(w, 0, "withdraw", "['bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080', 'all']"));
	world_mine(w, 1);
	sum = 0;
	o = world_call(w, 0, "listfunds", "{}");
	json_array_foreach(json_object_get(o, "outputs"), i, one)
		sum += int_at(one, "amount_msat");
	CHECK_EQ(sum, 25000000);
	json_decref(o);
	world_refused(w, 0, "fundchannel", world_text(w, "{'id':'%s','amount':'20000sat'}", w->nodes[1].id_hex), 301, "must stay");
	world_free(w);
}

TEST(backups_of_channels)
{
	struct world *w = world_with_channel();
	json_t *o = world_call(w, 0, "staticbackup", "{}"), *scb = json_object_get(o, "scb"), *r;
	const char *text;

	CHECK_EQ(json_array_size(scb), 1);
	text = world_text(w, "%s", json_string_value(json_array_get(scb, 0)));
	json_decref(o);
	r = world_call(w, 0, "recoverchannel", world_text(w, "[['%s']]", text));
	CHECK_EQ(json_array_size(json_object_get(r, "stubs")), 0); /* it is here */
	json_decref(r);
	world_refused(w, 0, "recoverchannel", "[['00']]", -1, "staticbackup");
	world_refused(w, 0, "recoverchannel", "[['tea']]", -32602, "hex");
	world_refused(w, 0, "emergencyrecover", "{}", -1, "there is no backup");
	world_free(w);
}

TEST(stop_says_so_and_tells_the_daemon)
{
	struct world *w = world_new();
	json_t *o = world_call(w, 0, "stop", "{}");

	CHECK_STR(json_string_value(o), "Shutdown complete");
	CHECK(w->notified_stop);
	json_decref(o);
	world_free(w);
}
