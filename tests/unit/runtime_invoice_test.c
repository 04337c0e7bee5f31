/* What a node writes into its invoices: BOLT 11 "Tagged Fields". */
#include "invoice/invoice.h"
#include "tests/unit/node_pair.h"

static struct arena arena;

static struct invoice read_of(const char *bolt11)
{
	struct invoice i;
	const char *why;

	CHECK(invoice_decode(&arena, &i, &why, a.config.network, bytes_from_string(bolt11)));
	return i;
}

/* An invoice of b with that description, read. */
static struct invoice invoice_about(const char *label, const char *description, bool hashed, const char **bolt11)
{
	struct command order = { .kind = COMMAND_INVOICE };

	order.u.invoice.amount = MSAT(1000000);
	order.u.invoice.label = label;
	order.u.invoice.description = description;
	order.u.invoice.hash_description = hashed;
	order.u.invoice.expiry_s = 3600;
	*bolt11 = bolt11_of(&b, rig_command(&b, &order));
	return read_of(*bolt11);
}

static struct preimage paid(const char *bolt11)
{
	uint64_t call = order_pay(&a, bolt11, 0);

	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	return reply_of(&a, call)->u.pay.preimage;
}

TEST(the_hash_is_that_of_the_preimage)
{
	struct command order = { .kind = COMMAND_INVOICE };
	struct preimage own = { { 8, 9 } }, got;
	struct sha256 hash;
	struct invoice i;
	const char *bolt11;

	arena_init(&arena);
	two();
	i = invoice_about("one", "a cup", false, &bolt11);
	got = paid(bolt11);
	/* B11.tagged_fields.3 */
	hash = sha256(got.v, sizeof(got.v));
	CHECK(SAME(i.payment_hash, hash));
	/* Of the user's own as well. */
	order.u.invoice.amount = MSAT(1000000);
	order.u.invoice.label = "two";
	order.u.invoice.description = "another";
	order.u.invoice.expiry_s = 3600;
	order.u.invoice.has_preimage = true;
	order.u.invoice.preimage = own;
	bolt11 = bolt11_of(&b, rig_command(&b, &order));
	i = read_of(bolt11);
	hash = sha256(own.v, sizeof(own.v));
	CHECK(SAME(i.payment_hash, hash));
	got = paid(bolt11);
	CHECK(SAME(got, own));
	arena_release(&arena);
}

TEST(descriptions_are_whole)
{
	char text[INVOICE_FIELD_MAX + 2];
	struct command order = { .kind = COMMAND_INVOICE };
	const struct received_invoice *kept;
	struct sha256 hash;
	const char *bolt11;
	struct invoice i;

	arena_init(&arena);
	two();
	memset(text, 'x', sizeof(text));
	text[INVOICE_FIELD_MAX] = 0;
	i = invoice_about("long", text, false, &bolt11);
	/* B11.tagged_fields.5: to the last letter */
	CHECK(i.has_description && bytes_equal(i.description, bytes_from_string(text)));
	/* One letter more does not fit, and is not cut off. */
	text[INVOICE_FIELD_MAX] = 'x';
	text[INVOICE_FIELD_MAX + 1] = 0;
	order.u.invoice.amount = MSAT(1);
	order.u.invoice.label = "longer";
	order.u.invoice.description = text;
	order.u.invoice.expiry_s = 3600;
	CHECK(code_of(&b, rig_command(&b, &order)) != REPLY_OK);
	/* B11.tagged_fields.6: what the hash stands for is kept beside the invoice, whole. */
	i = invoice_about("hashed", text, true, &bolt11);
	hash = sha256(text, strlen(text));
	CHECK(!i.has_description && SAME(i.description_hash, hash));
	kept = receive_by_hash(node_view_invoices(b.node), &i.payment_hash);
	CHECK(kept && bytes_equal(kept->r.description, bytes_from_string(text)));
	rig_restart(&b);
	kept = receive_by_hash(node_view_invoices(b.node), &i.payment_hash);
	CHECK(kept && bytes_equal(kept->r.description, bytes_from_string(text)));
	arena_release(&arena);
}
