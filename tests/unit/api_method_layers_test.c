/* Ways that are sought, and layers, as clients see them.  Answers are held to their schemas by method_world.h. */
#include "tests/unit/method_world.h"

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long int_at(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const json_t *only(const json_t *o, const char *key)
{
	const json_t *list = json_object_get(o, key);

	CHECK_EQ(json_array_size(list), 1);
	return json_array_get(list, 0);
}

static struct world *with_channel(void)
{
	struct world *w = world_new();

	world_pay_wallet(w, 0, SAT(10000000));
	json_decref(world_call(w, 0, "connect", world_text(w, "['%s','127.0.0.1',9735]", w->nodes[1].id_hex)));
	json_decref(world_call(w, 0, "fundchannel", world_text(w, "{'id':'%s','amount':1000000}", w->nodes[1].id_hex)));
	world_mine(w, 6);
	return w;
}

/* A node that nobody has a channel with but in layers. */
static const char far_hex[] = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";

static void extend(struct world *w)
{
	json_decref(world_call(w, 0, "askrene-create-layer", "{'layer':'more','persistent':true}"));
	json_decref(world_call(w, 0, "askrene-create-channel",
			       world_text(w, "['more','%s','%s','500x1x0','900000sat']", w->nodes[1].id_hex, far_hex)));
	json_decref(world_call(w, 0, "askrene-update-channel",
			       world_text(w, "{'layer':'more','short_channel_id_dir':'500x1x0/%d','fee_base_msat':'1sat',"
					     "'fee_proportional_millionths':100,'cltv_expiry_delta':34,'htlc_minimum_msat':1}",
					  strcmp(w->nodes[1].id_hex, far_hex) < 0 ? 0 : 1)));
}

static json_t *routes(struct world *w, const char *to, const char *msat, const char *more)
{
	return world_call(w, 0, "getroutes",
			  world_text(w, "{'source':'%s','destination':'%s','amount_msat':'%s','layers':['auto.localchans','auto.sourcefree'%s],"
					"'maxfee_msat':100000,'final_cltv':20}", w->nodes[0].id_hex, to, msat, more));
}

TEST(one_route)
{
	struct world *w = with_channel();
	const char *bob = w->nodes[1].id_hex;
	json_t *o = world_call(w, 0, "getroute", world_text(w, "['%s',7000,10]", bob));
	const json_t *hop = only(o, "route");

	CHECK_STR(text_at(hop, "id"), bob);
	CHECK_STR(text_at(hop, "channel"), "103x1x0");
	CHECK_EQ(int_at(hop, "amount_msat"), 7000);
	CHECK_EQ(int_at(hop, "delay"), 9);
	CHECK_EQ(int_at(hop, "direction"), strcmp(w->nodes[0].id_hex, bob) < 0 ? 0 : 1);
	json_decref(o);
	/* It is a route that sendpay takes. */
	o = world_call(w, 0, "getroute", world_text(w, "{'id':'%s','amount_msat':7000,'riskfactor':0,'cltv':40,'maxhops':1}", bob));
	CHECK_EQ(int_at(only(o, "route"), "delay"), 40);
	json_decref(o);
	world_refused(w, 0, "getroute", world_text(w, "['%s','1000000sat',10]", bob), 205, "room");
	world_refused(w, 0, "getroute", world_text(w, "['%s',7000,10]", far_hex), 205, "not known");
	world_refused(w, 0, "getroute", world_text(w, "['%s',7000,10]", w->nodes[0].id_hex), -32602, "");
	world_refused(w, 0, "getroute", world_text(w, "{'id':'%s','amount_msat':7000,'riskfactor':1,'maxhops':0}", bob), -32602, "'maxhops'");
	world_refused(w, 0, "getroute", world_text(w, "{'id':'%s','amount_msat':7000,'riskfactor':1,'exclude':['%s']}", bob, "tea"), -32602, "'exclude'");
	world_refused(w, 0, "getroute",
		      world_text(w, "{'id':'%s','amount_msat':7000,'riskfactor':1,'exclude':['103x1x0/%d']}", bob,
				 strcmp(w->nodes[0].id_hex, bob) < 0 ? 0 : 1), 205, "");
	/* From another node: of what is not public nothing is known. */
	world_refused(w, 0, "getroute", world_text(w, "{'id':'%s','amount_msat':7000,'riskfactor':1,'fromid':'%s'}", w->nodes[0].id_hex, bob), 205, "");
	world_free(w);
}

TEST(routes_over_layers)
{
	struct world *w = with_channel();
	json_t *o;
	const json_t *r, *hop;
	uint64_t spendable;

	o = world_call(w, 0, "listpeerchannels", "{}");
	spendable = (uint64_t)int_at(only(o, "channels"), "spendable_msat");
	json_decref(o);
	o = routes(w, w->nodes[1].id_hex, "5000sat", "");
	r = only(o, "routes");
	CHECK_EQ(int_at(r, "amount_msat"), 5000000);
	CHECK_EQ(int_at(r, "final_cltv"), 20);
	CHECK_EQ(int_at(r, "probability_ppm"), 1000000);
	json_decref(o);
	extend(w);
	o = routes(w, far_hex, "5000sat", ",'more'");
	r = only(o, "routes");
	CHECK_EQ(json_array_size(json_object_get(r, "path")), 2);
	hop = json_array_get(json_object_get(r, "path"), 0);
	CHECK_STR(text_at(hop, "node_id_in"), w->nodes[0].id_hex);
	CHECK_STR(text_at(hop, "node_id_out"), w->nodes[1].id_hex);
	CHECK_EQ(int_at(hop, "amount_in_msat"), 5001500);
	CHECK_EQ(int_at(hop, "amount_out_msat"), 5001500);
	CHECK_EQ(int_at(hop, "cltv_in"), 54);
	CHECK_EQ(int_at(hop, "cltv_out"), 54);
	hop = json_array_get(json_object_get(r, "path"), 1);
	CHECK_EQ(int_at(hop, "amount_in_msat"), 5001500);
	CHECK_EQ(int_at(hop, "amount_out_msat"), 5000000);
	CHECK_EQ(int_at(hop, "amount_msat"), 5001500);
	CHECK_EQ(int_at(hop, "delay"), 54);
	CHECK_EQ(int_at(hop, "cltv_out"), 20);
	CHECK_STR(text_at(hop, "next_node_id"), far_hex);
	json_decref(o);
	/* Fees come off what arrives: 4998501 and 1000 + 499. */
	o = routes(w, far_hex, "5000sat", ",'more','auto.include_fees'");
	r = only(o, "routes");
	CHECK_EQ(int_at(r, "amount_msat"), 4998501);
	hop = json_array_get(json_object_get(r, "path"), 0);
	CHECK_EQ(int_at(hop, "amount_in_msat"), 5000000);
	json_decref(o);
	world_refused(w, 0, "getroutes", world_text(w, "['%s','%s','5000sat',['auto.localchans','more','auto.include_fees'],1498,20]",
						    w->nodes[0].id_hex, far_hex), 206, "");
	o = routes(w, far_hex, "5000sat", ",'more'");
	hop = json_array_get(json_object_get(only(o, "routes"), "path"), 1);
	/* What a path takes can be reserved as it came. */
	json_decref(world_call(w, 0, "askrene-reserve", world_text(w, "{'path':[{'short_channel_id_dir':'%s','amount_msat':%llu}]}",
								 text_at(hop, "short_channel_id_dir"), 896000000ull)));
	json_decref(o);
	world_refused(w, 0, "getroutes", world_text(w, "['%s','%s','5000sat',['auto.localchans','more'],100000,20]", w->nodes[0].id_hex, far_hex), 205, "room");
	/* Over nothing that is public there is no way from here. */
	world_refused(w, 0, "getroutes", world_text(w, "['%s','%s','5000sat',[],100000,20]", w->nodes[0].id_hex, w->nodes[1].id_hex), 205, "");
	world_refused(w, 0, "getroutes", world_text(w, "['%s','%s','5000sat',['none'],100000,20]", w->nodes[0].id_hex, far_hex), -32602, "no layer of the name none");
	world_refused(w, 0, "getroutes", world_text(w, "['%s','%s','5000sat',[],1,20,2017]", w->nodes[0].id_hex, far_hex), -32602, "'maxdelay'");
	world_refused(w, 0, "getroutes", world_text(w, "['%s','%s','3000sat',['auto.localchans','more'],1,20]", w->nodes[0].id_hex, far_hex), 206, "1300 msat");
	world_refused(w, 0, "getroutes", world_text(w, "['%s','%s','3000sat',['auto.localchans','more'],9999,20,50]", w->nodes[0].id_hex, far_hex), 206, "");
	/* Our own channel's real capacity is the limit. */
	json_decref(routes(w, w->nodes[1].id_hex, world_text(w, "%llumsat", (unsigned long long)spendable), ",'auto.no_mpp_support'"));
	world_refused(w, 0, "getroutes",
		      world_text(w, "['%s','%s','%llumsat',['auto.localchans'],1,20]", w->nodes[0].id_hex, w->nodes[1].id_hex,
				 (unsigned long long)spendable + 1), 205, "");
	world_free(w);
}

TEST(payments_name_layers)
{
	struct world *w = with_channel();
	const char *bob = w->nodes[1].id_hex;
	json_t *invoice = world_call(w, 1, "invoice", "[5000,'layered','of layers']"), *o;
	const char *bolt11 = world_text(w, "%s", text_at(invoice, "bolt11"));
	const int direction = strcmp(w->nodes[0].id_hex, bob) < 0 ? 0 : 1;

	json_decref(world_call(w, 0, "askrene-create-layer", "['closed']"));
	json_decref(world_call(w, 0, "askrene-update-channel",
			       world_text(w, "{'layer':'closed','short_channel_id_dir':'103x1x0/%d','enabled':false}", direction)));
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','layers':['closed']}", bolt11), 205, "");
	world_refused(w, 0, "keysend", world_text(w, "{'destination':'%s','amount_msat':5000,'layers':['closed']}", bob), 205, "");
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','layers':['opened']}", bolt11), -32602, "no layer of the name opened");
	world_refused(w, 0, "keysend", world_text(w, "{'destination':'%s','amount_msat':5000,'layers':['auto.sun']}", bob), -32602,
		      "no layer of the name auto.sun");
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','layers':['auto.include_fees']}", bolt11), -32602, "no less than its invoice");
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','layers':['closed','closed','closed','closed','closed','closed','closed',"
						 "'closed','closed','closed','closed','closed','closed']}", bolt11), -32602, "so many layers");
	o = world_call(w, 0, "pay", world_text(w, "{'bolt11':'%s','layers':['auto.localchans','auto.sourcefree','auto.no_mpp_support']}", bolt11));
	CHECK_EQ(int_at(o, "parts"), 1);
	json_decref(o);
	json_decref(invoice);
	world_free(w);
}

TEST(layers_are_listed_as_they_were_made)
{
	struct world *w = with_channel();
	const char *bob = w->nodes[1].id_hex;
	json_t *o = world_call(w, 0, "askrene-create-layer", "['mine']");
	const json_t *l = only(o, "layers"), *x;

	CHECK_STR(text_at(l, "layer"), "mine");
	CHECK(json_is_false(json_object_get(l, "persistent")));
	json_decref(o);
	world_refused(w, 0, "askrene-create-layer", "['mine']", -32602, "there is a layer");
	world_refused(w, 0, "askrene-listlayers", "['other']", -32602, "no layer");
	world_refused(w, 0, "askrene-disable-node", world_text(w, "['other','%s']", bob), -32602, "no layer");
	extend(w);
	o = world_call(w, 0, "askrene-inform-channel", "['mine','500x1x0/1','500sat','constrained']");
	x = only(o, "constraints");
	CHECK_EQ(int_at(x, "maximum_msat"), 499999);
	CHECK(!json_object_get(x, "minimum_msat"));
	CHECK_STR(text_at(x, "layer"), "mine");
	CHECK(int_at(x, "timestamp") > 0 && json_array_size(json_object_get(o, "impressions")) == 0);
	json_decref(o);
	o = world_call(w, 0, "askrene-inform-channel", "['mine','500x1x0/0','300sat','unconstrained']");
	CHECK_EQ(int_at(only(o, "constraints"), "minimum_msat"), 300000);
	json_decref(o);
	o = world_call(w, 0, "askrene-inform-channel", "['mine','500x1x0/0','20sat','succeeded']");
	CHECK_EQ(int_at(only(o, "impressions"), "amount_msat"), 20000);
	CHECK_EQ(json_array_size(json_object_get(o, "constraints")), 0);
	json_decref(o);
	world_refused(w, 0, "askrene-inform-channel", "['mine','500x1x0','500sat','constrained']", -32602, "'short_channel_id_dir'");
	world_refused(w, 0, "askrene-inform-channel", "['mine','500x1x0/0','500sat','perhaps']", -32602, "'inform'");
	o = world_call(w, 0, "askrene-bias-channel", "['mine','500x1x0/1',-5,'slow']");
	CHECK_EQ(int_at(only(o, "biases"), "bias"), -5);
	CHECK_STR(text_at(only(o, "biases"), "description"), "slow");
	json_decref(o);
	o = world_call(w, 0, "askrene-bias-channel", "{'layer':'mine','short_channel_id_dir':'500x1x0/1','bias':-6,'relative':true}");
	CHECK_EQ(int_at(only(o, "biases"), "bias"), -11);
	json_decref(o);
	world_refused(w, 0, "askrene-bias-channel", "['mine','500x1x0/1',101]", -32602, "bias");
	world_refused(w, 0, "askrene-bias-channel", "['mine','500x1x0/1',4294967297]", -32602, "bias");
	o = world_call(w, 0, "askrene-bias-node", world_text(w, "['mine','%s','out',7]", bob));
	CHECK_EQ(int_at(only(o, "node_biases"), "out_bias"), 7);
	json_decref(o);
	o = world_call(w, 0, "askrene-bias-node", world_text(w, "['mine','%s','in',-7,'odd']", bob));
	CHECK_EQ(int_at(only(o, "node_biases"), "in_bias"), -7);
	CHECK_EQ(int_at(only(o, "node_biases"), "out_bias"), 7);
	json_decref(o);
	world_refused(w, 0, "askrene-bias-node", world_text(w, "['mine','%s','up',7]", bob), -32602, "'direction'");
	json_decref(world_call(w, 0, "askrene-disable-node", world_text(w, "['mine','%s']", far_hex)));
	json_decref(world_call(w, 0, "askrene-update-channel", "{'layer':'mine','short_channel_id_dir':'500x1x0/0','enabled':false,'htlc_maximum_msat':9}"));
	world_refused(w, 0, "askrene-update-channel", "{'layer':'mine','short_channel_id_dir':'1x1x1/0','fee_base_msat':4294967296}", -32602, "'fee_base_msat'");
	o = world_call(w, 0, "askrene-listlayers", "['mine']");
	l = only(o, "layers");
	CHECK_STR(json_string_value(only(l, "disabled_nodes")), far_hex);
	CHECK_EQ(json_array_size(json_object_get(l, "constraints")), 2);
	CHECK_EQ(int_at(only(l, "impressions"), "amount_msat"), 20000);
	CHECK_EQ(int_at(only(l, "biases"), "bias"), -11);
	CHECK_STR(text_at(only(l, "biases"), "description"), "slow");
	x = only(l, "node_biases");
	CHECK(int_at(x, "in_bias") == -7 && int_at(x, "out_bias") == 7);
	CHECK_STR(text_at(x, "description"), "odd");
	x = only(l, "channel_updates");
	CHECK(json_is_false(json_object_get(x, "enabled")) && int_at(x, "htlc_maximum_msat") == 9 && !json_object_get(x, "fee_base_msat"));
	json_decref(o);
	o = world_call(w, 0, "askrene-listlayers", "[]");
	CHECK_EQ(json_array_size(json_object_get(o, "layers")), 2);
	l = json_array_get(json_object_get(o, "layers"), 1);
	CHECK_STR(text_at(l, "layer"), "more");
	CHECK_EQ(int_at(only(l, "created_channels"), "capacity_msat"), 900000000);
	x = only(l, "channel_updates");
	CHECK(json_is_true(json_object_get(x, "enabled")) && int_at(x, "fee_base_msat") == 1000 && int_at(x, "cltv_expiry_delta") == 34 &&
	      int_at(x, "fee_proportional_millionths") == 100 && int_at(x, "htlc_minimum_msat") == 1);
	json_decref(o);
	json_decref(world_call(w, 0, "askrene-remove-channel-update", "['mine','500x1x0/0']"));
	world_refused(w, 0, "askrene-remove-channel-update", "['mine','500x1x0/0']", -32602, "no update");
	o = world_call(w, 0, "askrene-age", "['mine',99999999999]");
	CHECK_EQ(int_at(o, "num_removed"), 6);
	CHECK_STR(text_at(o, "layer"), "mine");
	json_decref(o);
	json_decref(world_call(w, 0, "askrene-remove-layer", "['mine']"));
	world_refused(w, 0, "askrene-remove-layer", "['mine']", -32602, "no layer");
	world_free(w);
}

TEST(reservations_are_listed)
{
	struct world *w = with_channel();
	json_t *o;
	const json_t *x;

	json_decref(world_call(w, 0, "askrene-reserve", "[[{'short_channel_id_dir':'500x1x0/1','amount_msat':'5sat','node_id_in':'whatever'}]]"));
	world_refused(w, 0, "askrene-reserve", "[[{'short_channel_id_dir':'500x1x0/1'}]]", -32602, "'path'");
	world_refused(w, 0, "askrene-reserve", "[[{'short_channel_id_dir':'500x1x0/1','amount_msat':1,'layer':'none'}]]", -32602, "layer");
	w->now_ms += 3000;
	o = world_call(w, 0, "askrene-listreservations", "[]");
	x = only(o, "reservations");
	CHECK_STR(text_at(x, "short_channel_id_dir"), "500x1x0/1");
	CHECK_EQ(int_at(x, "amount_msat"), 5000);
	CHECK_EQ(int_at(x, "age_in_seconds"), 3);
	CHECK(*text_at(x, "command_id"));
	json_decref(o);
	world_refused(w, 0, "askrene-unreserve", "[[{'short_channel_id_dir':'500x1x0/1','amount_msat':'4sat'}]]", -32602, "not reserved");
	json_decref(world_call(w, 0, "askrene-unreserve", "[[{'short_channel_id_dir':'500x1x0/1','amount_msat':'5sat'}]]"));
	o = world_call(w, 0, "askrene-listreservations", "[]");
	CHECK_EQ(json_array_size(json_object_get(o, "reservations")), 0);
	json_decref(o);
	world_free(w);
}
