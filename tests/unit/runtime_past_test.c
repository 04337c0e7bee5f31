/* Payments that are over, and are asked about again: they are in the store alone. */
#include "node/state.h"
#include "tests/unit/node_pair.h"

static void memory_is_empty(const struct rig *r)
{
	CHECK(!send_next(node_view_payments(r->node), &(uint32_t){ 0 }));
	CHECK_EQ(table_count(&r->node->recalls), 0);
}

static const char *bill(const char *label, struct sha256 *hash)
{
	uint64_t call = order_invoice(&b, label, 5000000);

	*hash = reply_of(&b, call)->u.invoice.payment_hash;
	return bolt11_of(&b, call);
}

static void pay(const char *bolt11)
{
	uint64_t call = order_pay(&a, bolt11, 0);

	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
}

/* INV-S2, over all that was ever paid. */
TEST(what_was_paid_is_paid_once_without_being_remembered)
{
	struct sha256 hash;
	const char *bolt11;
	uint64_t first, second;

	two();
	bolt11 = bill("cup", &hash);
	pay(bolt11);
	memory_is_empty(&a);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT), 0);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), 1);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_INDEX), 1);
	CHECK_EQ(count_records(&a, RECORD_PART), 0);
	for (int restarts = 0; restarts < 2; restarts++) {
		first = order_pay(&a, bolt11, 0);
		second = order_pay(&a, bolt11, 0);
		CHECK_EQ(code_of(&a, first), REPLY_OK);
		CHECK_EQ(code_of(&a, second), REPLY_OK);
		CHECK_EQ(reply_of(&a, first)->u.pay.sent.v, 5000000);
		CHECK_EQ(channel_to_us(rig_channel(&a)).v, 995000000);
		memory_is_empty(&a);
		rig_restart(&a);
		memory_is_empty(&a);
	}
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), 1);
}

/* Whoever asks while the store is being asked stands in the same line, and one answer serves them all: none of them acts
 * on what was true before another has paid. */
TEST(a_slow_store_makes_nobody_pay_twice)
{
	struct sha256 hash;
	const char *bolt11;
	uint64_t calls[3];

	two();
	bolt11 = bill("cup", &hash);
	a.store_late = true;
	for (int i = 0; i < 3; i++)
		calls[i] = order_pay(&a, bolt11, 0);
	CHECK_EQ(table_count(&a.node->recalls), 1);
	CHECK(rig_store_answers(&a));
	CHECK(!rig_store_answers(&a));
	rig_pump(&a, &b, 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(code_of(&a, calls[i]), REPLY_OK);
	CHECK_EQ(channel_to_us(rig_channel(&a)).v, 995000000);
	/* And again, now that it is past: index, then record. */
	for (int i = 0; i < 3; i++)
		calls[i] = order_pay(&a, bolt11, 0);
	CHECK(rig_store_answers(&a) && rig_store_answers(&a));
	CHECK(!rig_store_answers(&a));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(code_of(&a, calls[i]), REPLY_OK);
	CHECK_EQ(channel_to_us(rig_channel(&a)).v, 995000000);
	memory_is_empty(&a);
	/* A node that dies while it asks has begun nothing. */
	bolt11 = bill("pot", &hash);
	(void)order_pay(&a, bolt11, 0);
	rig_restart(&a);
	memory_is_empty(&a);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT), 0);
}

/* INV-S2: a record that cannot be read may be of a payment that was made. */
TEST(what_may_have_been_paid_is_not_paid)
{
	const struct record_range all = { .kind = RECORD_PAYMENT_PAST };
	struct store_op op = { .kind = RECORD_PAYMENT_PAST };
	struct sha256 hash;
	const char *bolt11;
	struct fetch got;

	two();
	bolt11 = bill("cup", &hash);
	pay(bolt11);
	CHECK(fetch_read(&got, a.store, &all, 1));
	op.key = got.records[0].key;
	for (int lost = 0; lost < 2; lost++) {
		op.value = lost ? BYTES_NONE : BYTES(got.records[0].value.data, 3);
		op.remove = lost;
		CHECK(a.store->commit(a.store, &op, 1));
		CHECK_EQ(code_of(&a, order_pay(&a, bolt11, 0)), REPLY_FAILED);
		CHECK_EQ(channel_to_us(rig_channel(&a)).v, 995000000);
		memory_is_empty(&a);
	}
	fetch_release(&got);
}

static uint64_t order_wait(struct rig *r, const struct sha256 *hash, uint64_t group)
{
	struct command c = { .kind = COMMAND_WAIT_SENDPAY };

	c.u.wait_sendpay.payment_hash = *hash;
	c.u.wait_sendpay.has_group = group != 0;
	c.u.wait_sendpay.group = group;
	return rig_command(r, &c);
}

/* What is deleted between the index's answer and its own is over and gone: it is no damage. */
TEST(what_is_deleted_meanwhile_is_unknown_and_not_damaged)
{
	struct command del = { .kind = COMMAND_DELPAY };
	struct sha256 hash;
	const char *bolt11;
	uint64_t deleted, call;

	two();
	bolt11 = bill("cup", &hash);
	pay(bolt11);
	del.u.delpay.payment_hash = hash;
	del.u.delpay.complete = true;
	a.store_late = true;
	deleted = rig_command(&a, &del);
	call = order_wait(&a, &hash, 1);
	CHECK(rig_store_answers(&a) && rig_store_answers(&a)); /* the index, to both */
	CHECK(rig_store_answers(&a));                          /* the record: it is deleted */
	CHECK_EQ(code_of(&a, deleted), REPLY_OK);
	CHECK(rig_store_answers(&a)); /* no record */
	CHECK(rig_store_answers(&a)); /* no entry of the index either */
	CHECK(!rig_store_answers(&a));
	CHECK_EQ(code_of(&a, call), REPLY_PAY_UNKNOWN);
	memory_is_empty(&a);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), 0);
}

/* A payment that failed is tried again under the next group, whatever memory has. */
TEST(groups_go_on_where_the_past_left_them)
{
	struct sha256 hash;
	const char *bolt11;
	uint64_t call;

	two();
	bolt11 = bill("cup", &hash);
	rig_unlink_both(&a, &b, 1);
	for (int i = 0; i < 2; i++) {
		call = order_pay(&a, bolt11, 0);
		CHECK(code_of(&a, call) != REPLY_OK);
		memory_is_empty(&a);
		rig_restart(&a);
	}
	rig_link(&a, &b, 2);
	rig_pump(&a, &b, 2);
	call = order_pay(&a, bolt11, 0);
	rig_pump(&a, &b, 2);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), 3);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_INDEX), 3);
	CHECK_EQ(rig_payment(&a, &hash)->state, PAYMENT_COMPLETE);
	/* Each of them is known, the last without being named. */
	CHECK_EQ(code_of(&a, order_wait(&a, &hash, 0)), REPLY_OK);
	CHECK_EQ(code_of(&a, order_wait(&a, &hash, 3)), REPLY_OK);
	call = order_wait(&a, &hash, 1);
	CHECK(code_of(&a, call) != REPLY_OK && code_of(&a, call) != REPLY_PAY_UNKNOWN);
	CHECK_EQ(code_of(&a, order_wait(&a, &hash, 4)), REPLY_PAY_UNKNOWN);
	hash.v[0] ^= 1;
	CHECK_EQ(code_of(&a, order_wait(&a, &hash, 0)), REPLY_PAY_UNKNOWN);
	memory_is_empty(&a);
	/* One that is older was asked for in the same batch: it is not the latest. */
	hash.v[0] ^= 1;
	a.store_late = true;
	(void)order_wait(&a, &hash, 1);
	call = order_pay(&a, bolt11, 0);
	while (rig_store_answers(&a))
		;
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), 3);
}

/* INV-S2: somebody asks for the latest by its group, and in the same batch somebody wants it paid. */
TEST(the_latest_is_known_as_such_however_it_was_asked_for)
{
	struct sha256 hash;
	const char *bolt11;
	uint64_t wait, call;

	two();
	bolt11 = bill("cup", &hash);
	pay(bolt11);
	a.store_late = true;
	wait = order_wait(&a, &hash, 1);
	call = order_pay(&a, bolt11, 0);
	CHECK(rig_store_answers(&a) && rig_store_answers(&a)); /* the index, twice */
	rig_read_all(&a);
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, wait), REPLY_OK);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK_EQ(channel_to_us(rig_channel(&a)).v, 995000000);
	memory_is_empty(&a);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), 1);
}

/* As an older version left it: what is over among the live ones, no index, no numbers. */
static void make_old(struct rig *r)
{
	const struct record_range all = { .kind = RECORD_PAYMENT_PAST }, index = { .kind = RECORD_PAYMENT_INDEX };
	struct store_op numbers = { RECORD_NODE, true, bytes_from_string(SEND_NUMBERS_KEY), BYTES_NONE };
	struct fetch got;

	CHECK(fetch_read(&got, r->store, &all, 1));
	for (uint32_t i = 0; i < got.count; i++) {
		struct store_op put = { RECORD_PAYMENT, false, got.records[i].key, got.records[i].value };
		struct store_op gone = { RECORD_PAYMENT_PAST, true, got.records[i].key, BYTES_NONE };

		CHECK(r->store->commit(r->store, &put, 1) && r->store->commit(r->store, &gone, 1));
	}
	fetch_release(&got);
	CHECK(fetch_read(&got, r->store, &index, 1));
	for (uint32_t i = 0; i < got.count; i++) {
		struct store_op gone = { RECORD_PAYMENT_INDEX, true, got.records[i].key, BYTES_NONE };

		CHECK(r->store->commit(r->store, &gone, 1));
	}
	fetch_release(&got);
	CHECK(r->store->commit(r->store, &numbers, 1));
}

TEST(payments_of_an_older_version_are_moved)
{
	struct sha256 hashes[3];
	const char *bolt11[3];
	uint64_t call;

	two();
	for (int i = 0; i < 3; i++) {
		bolt11[i] = bill((const char[2]){ (char)('a' + i), 0 }, &hashes[i]);
		pay(bolt11[i]);
	}
	make_old(&a);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT), 3);
	rig_restart(&a);
	memory_is_empty(&a);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT), 0);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), 3);
	CHECK_EQ(count_records(&a, RECORD_PAYMENT_INDEX), 3);
	for (int i = 0; i < 3; i++) {
		call = order_pay(&a, bolt11[i], 0);
		CHECK_EQ(code_of(&a, call), REPLY_OK);
	}
	CHECK_EQ(channel_to_us(rig_channel(&a)).v, 985000000);
	/* Numbers go on. */
	rig_link(&a, &b, 2);
	rig_pump(&a, &b, 2);
	bolt11[0] = bill("next", &hashes[0]);
	call = order_pay(&a, bolt11[0], 0);
	rig_pump(&a, &b, 2);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK_EQ(rig_payment(&a, &hashes[0])->created_index, 4);
}

/* The oldest message that is on its way; false: none is. */
static bool deliver_one(uint64_t connection)
{
	for (int side = 0; side < 2; side++) {
		struct rig *from = side ? &b : &a, *to = side ? &a : &b;

		for (struct rig_item *i = from->head; i; i = i->next)
			if (i->kind == EFFECT_SEND && i->id == connection) {
				rig_unlink(from, i);
				rig_message(to, connection, i->data);
				return true;
			}
	}
	return false;
}

/* The payer dies after each batch of a payment: what is stored is one payment, live or past, never both, never none. */
TEST(a_crash_at_every_message_leaves_one_record)
{
	struct sha256 hash;

	for (uint32_t k = 0; k < 12; k++) {
		const char *bolt11;
		uint64_t call;

		two();
		bolt11 = bill("cup", &hash);
		(void)order_pay(&a, bolt11, 0);
		for (uint32_t i = 0; i < k; i++)
			if (!deliver_one(1))
				break;
		rig_restart(&a);
		CHECK_EQ(count_records(&a, RECORD_PAYMENT) + count_records(&a, RECORD_PAYMENT_PAST), 1);
		CHECK_EQ(count_records(&a, RECORD_PAYMENT_PAST), count_records(&a, RECORD_PAYMENT_INDEX));
		rig_disconnected(&b, 1);
		rig_link(&a, &b, 2);
		rig_pump(&a, &b, 2);
		call = order_pay(&a, bolt11, 0);
		rig_pump(&a, &b, 2);
		CHECK_EQ(code_of(&a, call), REPLY_OK);
		CHECK_EQ(channel_to_us(rig_channel(&a)).v, 995000000);
		memory_is_empty(&a);
	}
}
