/* Methods about invoices that are over: they are in the store alone. */
#include "tests/unit/method_world.h"

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static uint64_t int_at(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* The one invoice of that answer; owned. */
static json_t *listed(struct world *w, const char *params)
{
	json_t *o = world_call(w, 0, "listinvoices", params), *list = json_object_get(o, "invoices"), *one;

	CHECK_EQ(json_array_size(list), 1);
	one = json_incref(json_array_get(list, 0));
	json_decref(o);
	return one;
}

static uint32_t count_listed(struct world *w, const char *params)
{
	json_t *o = world_call(w, 0, "listinvoices", params);
	uint32_t count = (uint32_t)json_array_size(json_object_get(o, "invoices"));

	json_decref(o);
	return count;
}

/* Made, and if so paid by ourselves; its text and hash in the world's memory. */
static const char *make(struct world *w, const char *label, bool pay, const char **hash)
{
	json_t *o = world_call(w, 0, "invoice", world_text(w, "[1000,'%s','cup',3600]", label));
	const char *bolt11 = world_text(w, "%s", text_at(o, "bolt11"));

	if (hash)
		*hash = world_text(w, "%s", text_at(o, "payment_hash"));
	json_decref(o);
	if (pay)
		json_decref(world_call(w, 0, "pay", world_text(w, "['%s']", bolt11)));
	return bolt11;
}

static void check_listed(struct world *w, const char *params, const char *label, const char *status)
{
	json_t *i = listed(w, params);

	CHECK_STR(text_at(i, "label"), label);
	CHECK_STR(text_at(i, "status"), status);
	json_decref(i);
}

TEST(what_is_over_is_found_by_every_name)
{
	struct world *w = world_new();
	const char *hash, *bolt11 = make(w, "paid", true, &hash);

	make(w, "late", false, NULL);
	make(w, "pai", false, NULL); /* no name is another's beginning */
	world_wait(w, 3601000);
	make(w, "live", false, NULL);
	CHECK(receive_by_label(node_view_invoices(w->nodes[0].node), "live"));
	CHECK(!receive_by_label(node_view_invoices(w->nodes[0].node), "paid"));
	check_listed(w, "['paid']", "paid", "paid");
	check_listed(w, "['late']", "late", "expired");
	check_listed(w, "['live']", "live", "unpaid");
	check_listed(w, "['pai']", "pai", "expired");
	check_listed(w, world_text(w, "{'payment_hash':'%s'}", hash), "paid", "paid");
	check_listed(w, world_text(w, "{'invstring':'%s'}", bolt11), "paid", "paid");
	check_listed(w, "{'start':4}", "live", "unpaid");
	check_listed(w, "{'start':2,'limit':1}", "late", "expired");
	CHECK_EQ(count_listed(w, "{}"), 4);
	CHECK_EQ(count_listed(w, "['none']"), 0);
	CHECK_EQ(count_listed(w, "{'invstring':'lnbcrt1nonsense'}"), 0);
	world_refused(w, 0, "invoice", "[1,'paid','again']", 900, "label");
	world_free(w);
}

TEST(waiting_for_what_is_over)
{
	struct world *w = world_new();
	json_t *o;

	make(w, "paid", true, NULL);
	make(w, "late", false, NULL);
	world_wait(w, 3601000);
	o = world_call(w, 0, "waitinvoice", "['paid']");
	CHECK_EQ(int_at(o, "pay_index"), 1);
	json_decref(o);
	world_refused(w, 0, "waitinvoice", "['late']", 903, "expired");
	world_refused(w, 0, "waitinvoice", "['none']", -1, "no invoice");
	world_free(w);
}

static void check_any(struct world *w, const char *params, const char *label, uint64_t index)
{
	json_t *o = world_call(w, 0, "waitanyinvoice", params);

	CHECK_STR(text_at(o, "label"), label);
	CHECK_EQ(int_at(o, "pay_index"), index);
	json_decref(o);
}

TEST(waiting_for_any_invoice)
{
	struct world *w = world_new();
	const char *bolt11;
	json_t *o;

	world_refused(w, 0, "waitanyinvoice", "[0,0]", 904, "in time");
	bolt11 = make(w, "third", false, NULL);
	make(w, "first", true, NULL);
	make(w, "second", true, NULL);
	check_any(w, "{}", "first", 1);
	check_any(w, "[1]", "second", 2);
	world_refused(w, 0, "waitanyinvoice", "[2,0]", 904, "in time");
	world_send(w, 0, "waitanyinvoice", "[2,100]");
	CHECK(!world_answer(w, 0));
	json_decref(world_call(w, 1, "getinfo", "{}"));
	world_send(w, 0, "pay", world_text(w, "['%s']", bolt11));
	o = world_result(w, 0, world_answer(w, 0));
	CHECK_STR(text_at(o, "label"), "third");
	json_decref(o);
	json_decref(world_answer(w, 0)); /* pay's */
	/* What was deleted is passed over, and behind the last the next one counts. */
	json_decref(world_call(w, 0, "delinvoice", "['second','paid']"));
	check_any(w, "[1]", "third", 3);
	json_decref(world_call(w, 0, "delinvoice", "['third','paid']"));
	world_send(w, 0, "waitanyinvoice", "[1,100]");
	CHECK(!world_answer(w, 0));
	world_wait(w, 101000);
	o = world_answer(w, 0);
	CHECK_EQ(int_at(json_object_get(o, "error"), "code"), 904);
	json_decref(o);
	world_free(w);
}

TEST(deleting_invoices)
{
	struct world *w = world_new();
	json_t *o;

	make(w, "paid", true, NULL);
	make(w, "live", false, NULL);
	world_refused(w, 0, "delinvoice", "['none','paid']", 905, "no invoice");
	world_refused(w, 0, "delinvoice", "['live','paid']", 906, "another state");
	world_refused(w, 0, "delinvoice", "['paid','expired']", 906, "another state");
	world_send(w, 0, "delinvoice", "['paid','unpaid']");
	o = world_answer(w, 0);
	CHECK_STR(text_at(json_object_get(json_object_get(o, "error"), "data"), "current_status"), "paid");
	CHECK_STR(text_at(json_object_get(json_object_get(o, "error"), "data"), "expected_status"), "unpaid");
	json_decref(o);
	o = world_call(w, 0, "delinvoice", "['paid','paid',true]");
	CHECK_STR(text_at(o, "label"), "paid");
	json_decref(o);
	o = listed(w, "['paid']");
	CHECK(!json_object_get(o, "description"));
	json_decref(o);
	world_refused(w, 0, "delinvoice", "['paid','paid',true]", 908, "no description");
	json_decref(world_call(w, 0, "delinvoice", "['paid','paid']"));
	json_decref(world_call(w, 0, "delinvoice", "['live','unpaid']"));
	CHECK_EQ(count_listed(w, "{}"), 0);
	/* Their names are free again, their numbers are not. */
	make(w, "paid", true, NULL);
	make(w, "live", false, NULL);
	o = listed(w, "['paid']");
	CHECK_EQ(int_at(o, "created_index"), 3);
	CHECK_EQ(int_at(o, "pay_index"), 2);
	json_decref(o);
	world_free(w);
}

TEST(what_is_old_is_deleted_by_order)
{
	struct world *w = world_new();
	json_t *o, *all, *one;

	make(w, "paid", true, NULL);
	make(w, "late", false, NULL);
	world_wait(w, 3601000);
	world_refused(w, 0, "autoclean-once", "['paidinvoices',0]", -32602, "more than 0");
	world_refused(w, 0, "autoclean-once", "['dishes',1]", -32602, "'subsystem'");
	o = world_call(w, 0, "autoclean-once", "['paidinvoices',60]");
	one = json_object_get(json_object_get(o, "autoclean"), "paidinvoices");
	CHECK_EQ(int_at(one, "cleaned"), 1);
	CHECK_EQ(int_at(one, "uncleaned"), 0);
	json_decref(o);
	o = world_call(w, 0, "autoclean-once", "['expiredinvoices',60]");
	one = json_object_get(json_object_get(o, "autoclean"), "expiredinvoices");
	CHECK_EQ(int_at(one, "cleaned"), 0);
	CHECK_EQ(int_at(one, "uncleaned"), 1);
	json_decref(o);
	CHECK_EQ(count_listed(w, "{}"), 1);
	o = world_call(w, 0, "autoclean-status", "{}");
	all = json_object_get(o, "autoclean");
	CHECK_EQ(json_object_size(all), 6);
	CHECK_EQ(int_at(json_object_get(all, "paidinvoices"), "cleaned"), 1);
	CHECK(json_is_false(json_object_get(json_object_get(all, "paidinvoices"), "enabled")));
	json_decref(o);
	w->nodes[0].config.autoclean_age_s[CLEAN_FAILED_PAYS] = 77;
	o = world_call(w, 0, "autoclean-status", "['failedpays']");
	all = json_object_get(o, "autoclean");
	CHECK_EQ(json_object_size(all), 1);
	CHECK_EQ(int_at(json_object_get(all, "failedpays"), "age"), 77);
	json_decref(o);
	world_free(w);
}
