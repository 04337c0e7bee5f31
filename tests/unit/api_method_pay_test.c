/* pay and keysend as clients see them: limits, answers and errors.  Answers are held to their schemas by method_world.h. */
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

static struct world *with_channels(uint32_t count)
{
	struct world *w = world_new();

	world_pay_wallet(w, 0, SAT(10000000));
	json_decref(world_call(w, 0, "connect", world_text(w, "['%s','127.0.0.1',9735]", w->nodes[1].id_hex)));
	for (uint32_t i = 0; i < count; i++) {
		json_decref(world_call(w, 0, "fundchannel", world_text(w, "{'id':'%s','amount':1000000}", w->nodes[1].id_hex)));
		world_mine(w, 6);
	}
	return w;
}

/* --- limits --- */

/* Behind the second node, over a channel that there is not: 1000 msat and 100 millionths, 34 blocks. */
static const char far_hex[] = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
#define FEE_OF_5000_SAT 1500
#define BLOCKS (42 + 3 + 34)

/* The code of a keysend of 5000 sat there: 206 if a limit forbids it, 210 if it was sent, and then came back. */
static int code_with(struct world *w, const char *limits)
{
	json_t *o, *error;
	int code;

	world_send(w, 0, "keysend",
		   world_text(w, "{'destination':'%s','amount_msat':'5000sat','routehints':[[{'id':'%s','scid':'500x1x0','feebase':1000,"
				 "'feeprop':100,'expirydelta':34}]]%s}", far_hex, w->nodes[1].id_hex, limits));
	o = world_answer(w, 0);
	error = json_object_get(o, "error");
	code = (int)int_at(error, "code");
	if (code == 210) {
		const json_t *data = json_object_get(error, "data"), *tried = json_array_get(json_object_get(data, "attempts"), 0);

		CHECK_STR(text_at(data, "destination"), far_hex);
		CHECK_STR(text_at(data, "status"), "failed");
		CHECK_EQ(int_at(data, "amount_msat"), 5000000);
		CHECK_EQ(strlen(text_at(data, "payment_hash")), 64);
		CHECK_EQ(int_at(tried, "amount_sent_msat"), 5000000 + FEE_OF_5000_SAT);
		CHECK_EQ(int_at(tried, "erring_index"), 1);
		CHECK_STR(text_at(tried, "erring_node"), w->nodes[1].id_hex);
		CHECK_STR(text_at(tried, "erring_channel"), "500x1x0");
		CHECK_STR(text_at(tried, "failcodename"), "unknown_next_peer");
		CHECK(strstr(text_at(error, "message"), "unknown_next_peer"));
	}
	json_decref(o);
	return code;
}

TEST(limits_of_fees_and_blocks)
{
	struct world *w = with_channels(1);

	/* Half a per cent is 25 sat. */
	CHECK_EQ(code_with(w, ""), 210);
	CHECK_EQ(code_with(w, ",'maxfee':1500"), 210);
	CHECK_EQ(code_with(w, ",'maxfee':1499"), 206);
	/* What is below exemptfee, 5 sat if it is not given, is never too much. */
	CHECK_EQ(code_with(w, ",'maxfeepercent':0.02"), 210);
	CHECK_EQ(code_with(w, ",'maxfeepercent':0.02,'exemptfee':1499"), 206);
	CHECK_EQ(code_with(w, ",'maxfeepercent':0.02,'exemptfee':1500"), 210);
	CHECK_EQ(code_with(w, ",'maxfeepercent':0.03,'exemptfee':0"), 210);
	CHECK_EQ(code_with(w, ",'maxfeepercent':0.0299,'exemptfee':0"), 206);
	CHECK_EQ(code_with(w, world_text(w, ",'maxdelay':%d", BLOCKS)), 210);
	CHECK_EQ(code_with(w, world_text(w, ",'maxdelay':%d", BLOCKS - 1)), 206);
	world_free(w);
}

/* --- what an invoice says --- */

TEST(a_description_that_is_a_hash)
{
	struct world *w = with_channels(1);
	json_t *invoice = world_call(w, 1, "invoice", "{'amount_msat':5000,'label':'a','description':'a long story','deschashonly':true}");
	const char *bolt11 = world_text(w, "%s", text_at(invoice, "bolt11"));

	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','description':'a short story'}", bolt11), -32602, "another description");
	json_decref(world_call(w, 0, "pay", world_text(w, "{'bolt11':'%s','description':'a long story'}", bolt11)));
	json_decref(invoice);
	invoice = world_call(w, 1, "invoice", "[5000,'b','in plain words']");
	bolt11 = world_text(w, "%s", text_at(invoice, "bolt11"));
	world_refused(w, 0, "pay", world_text(w, "{'bolt11':'%s','description':'in others'}", bolt11), -32602, "another description");
	json_decref(world_call(w, 0, "pay", world_text(w, "{'bolt11':'%s','description':'in plain words'}", bolt11)));
	json_decref(invoice);
	world_free(w);
}

/* --- the answer --- */

TEST(what_is_answered)
{
	struct world *w = with_channels(2);
	json_t *invoice = world_call(w, 1, "invoice", "['1500000sat','large','more than a channel has']"), *o, *again, *list;
	const char *bolt11 = world_text(w, "%s", text_at(invoice, "bolt11"));

	o = world_call(w, 0, "pay", world_text(w, "['%s']", bolt11));
	CHECK_STR(text_at(o, "payment_hash"), text_at(invoice, "payment_hash"));
	CHECK_STR(text_at(o, "destination"), w->nodes[1].id_hex);
	CHECK_STR(text_at(o, "status"), "complete");
	CHECK_EQ(int_at(o, "parts"), 2);
	CHECK_EQ(int_at(o, "amount_msat"), 1500000000);
	CHECK_EQ(int_at(o, "amount_sent_msat"), 1500000000);
	CHECK(int_at(o, "created_at") > 0);
	CHECK_EQ(strlen(text_at(o, "payment_preimage")), 64);
	/* The first of two preimages is the receipt for both. */
	CHECK(strstr(text_at(o, "warning_partial_completion"), "can claim all"));
	world_settle(w);
	again = world_call(w, 0, "pay", world_text(w, "['%s']", bolt11));
	CHECK_STR(text_at(again, "payment_preimage"), text_at(o, "payment_preimage"));
	CHECK(!json_object_get(again, "warning_partial_completion"));
	/* One payment, of two parts. */
	list = world_call(w, 0, "listpays", world_text(w, "['%s']", bolt11));
	CHECK_EQ(json_array_size(json_object_get(list, "pays")), 1);
	CHECK_EQ(int_at(json_array_get(json_object_get(list, "pays"), 0), "number_of_parts"), 2);
	json_decref(list);
	list = world_call(w, 0, "listsendpays", world_text(w, "['%s']", bolt11));
	CHECK_EQ(json_array_size(json_object_get(list, "payments")), 2);
	json_decref(list);
	json_decref(again);
	json_decref(o);
	json_decref(invoice);
	world_free(w);
}

TEST(a_single_part_is_claimed_when_it_is_answered)
{
	struct world *w = with_channels(1);
	json_t *invoice = world_call(w, 1, "invoice", "['5sat','small','one part']"), *o;

	o = world_call(w, 0, "pay", world_text(w, "['%s']", text_at(invoice, "bolt11")));
	CHECK_EQ(int_at(o, "parts"), 1);
	CHECK(!json_object_get(o, "warning_partial_completion"));
	json_decref(o);
	json_decref(invoice);
	world_free(w);
}
