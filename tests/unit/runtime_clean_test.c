/* What is over and old is deleted. */
#include "node/state.h"
#include "node/view.h"
#include "tests/unit/node_pair.h"

static uint64_t order_clean(struct rig *r, enum clean_subsystem subsystem, uint64_t age_s)
{
	struct command c = { .kind = COMMAND_CLEAN };

	c.u.clean.subsystem = subsystem;
	c.u.clean.age_s = age_s;
	return rig_command(r, &c);
}

static void check_cleaned(struct rig *r, uint64_t call, enum clean_subsystem subsystem, uint64_t cleaned, uint64_t left)
{
	const struct reply *reply = reply_of(r, call);

	CHECK_EQ(reply->code, REPLY_OK);
	CHECK_EQ(reply->u.clean.subsystem, subsystem);
	CHECK_EQ(reply->u.clean.cleaned, cleaned);
	CHECK_EQ(reply->u.clean.left, left);
}

/* a has paid b once, and b has an invoice that is open. */
static void begin_paid(void)
{
	uint64_t call;

	two();
	call = order_pay(&a, bolt11_of(&b, order_invoice(&b, "paid", 5000000)), 0);
	(void)order_invoice(&b, "open", 1000);
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
}

TEST(an_order_deletes_what_is_old_enough_with_what_it_is_found_by)
{
	begin_paid();
	CHECK_EQ(count_records(&b, RECORD_INVOICE_INDEX), 3);
	check_cleaned(&b, order_clean(&b, CLEAN_PAID_INVOICES, 100), CLEAN_PAID_INVOICES, 0, 1);
	check_cleaned(&b, order_clean(&b, CLEAN_EXPIRED_INVOICES, 100), CLEAN_EXPIRED_INVOICES, 0, 0);
	rig_tick(&b, 200000);
	check_cleaned(&b, order_clean(&b, CLEAN_EXPIRED_INVOICES, 100), CLEAN_EXPIRED_INVOICES, 0, 0);
	check_cleaned(&b, order_clean(&b, CLEAN_PAID_INVOICES, 100), CLEAN_PAID_INVOICES, 1, 0);
	CHECK_EQ(count_records(&b, RECORD_INVOICE_INDEX), 0);
	CHECK_EQ(count_records(&b, RECORD_INVOICE_PAST), 0);
	CHECK_EQ(count_records(&b, RECORD_INVOICE), 1);
	/* Its name is free, its numbers are not. */
	CHECK_EQ(reply_of(&b, order_invoice(&b, "paid", 1000))->u.invoice.created_index, 3);
	rig_tick(&b, 3700000);
	check_cleaned(&b, order_clean(&b, CLEAN_EXPIRED_INVOICES, 10), CLEAN_EXPIRED_INVOICES, 2, 0);
	/* Of the payer the same. */
	check_cleaned(&a, order_clean(&a, CLEAN_FAILED_PAYS, 1), CLEAN_FAILED_PAYS, 0, 0);
	rig_tick(&a, 200000);
	check_cleaned(&a, order_clean(&a, CLEAN_SUCCEEDED_PAYS, 100), CLEAN_SUCCEEDED_PAYS, 1, 0);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), 0);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_INDEX), 0);
	check_cleaned(&a, order_clean(&a, CLEAN_SUCCEEDED_FORWARDS, 1), CLEAN_SUCCEEDED_FORWARDS, 0, 0);
	/* What was done is counted over all lives. */
	CHECK_EQ(node_view_cleaned(b.node, CLEAN_EXPIRED_INVOICES), 2);
	rig_restart(&b);
	CHECK_EQ(node_view_cleaned(b.node, CLEAN_EXPIRED_INVOICES), 2);
	CHECK_EQ(node_view_cleaned(b.node, CLEAN_PAID_INVOICES), 1);
}

TEST(a_sweep_looks_at_so_many_records_a_batch)
{
	uint64_t first, second;
	uint32_t pages = 0;

	one();
	for (uint32_t i = 0; i < 450; i++) {
		char label[8];

		snprintf(label, sizeof(label), "n%u", i);
		(void)order_invoice(&a, label, 1000);
	}
	rig_tick(&a, 3601000);
	CHECK_EQ(count_records(&a, RECORD_INVOICE_PAST), 450);
	a.store_late = true;
	first = order_clean(&a, CLEAN_EXPIRED_INVOICES, 1000);
	second = order_clean(&a, CLEAN_PAID_INVOICES, 1000);
	for (; !rig_reply(&a, first); pages++)
		CHECK(rig_store_answers(&a));
	CHECK_EQ(pages, 3);
	check_cleaned(&a, first, CLEAN_EXPIRED_INVOICES, 0, 450);
	/* The next one has its turn behind it. */
	CHECK(!rig_reply(&a, second));
	while (rig_store_answers(&a))
		;
	check_cleaned(&a, second, CLEAN_PAID_INVOICES, 0, 0);
	a.store_late = false;
	rig_tick(&a, 1000000);
	check_cleaned(&a, order_clean(&a, CLEAN_EXPIRED_INVOICES, 1000), CLEAN_EXPIRED_INVOICES, 450, 0);
	CHECK_EQ(count_records(&a, RECORD_INVOICE_PAST), 0);
	CHECK_EQ(count_records(&a, RECORD_INVOICE_INDEX), 0);
}

TEST(the_configuration_cleans_by_itself_once_a_cycle)
{
	begin();
	a.config.autoclean_age_s[CLEAN_EXPIRED_INVOICES] = 1000;
	a.config.autoclean_cycle_s = 600;
	rig_start(&a);
	(void)order_invoice(&a, "one", 1000);
	rig_tick(&a, 3601000);
	rig_tick(&a, 599000);
	CHECK_EQ(count_records(&a, RECORD_INVOICE_PAST), 1);
	rig_tick(&a, 600000);
	CHECK_EQ(count_records(&a, RECORD_INVOICE_PAST), 0);
	CHECK_EQ(node_view_cleaned(a.node, CLEAN_EXPIRED_INVOICES), 1);
	CHECK(node_clean_deadline(a.node) > a.now_ms);
	/* Nothing is wanted: nobody is waked. */
	begin();
	rig_start(&a);
	CHECK_EQ(node_clean_deadline(a.node), UINT64_MAX);
}
