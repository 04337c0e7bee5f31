/* Invoices that are over, and what becomes of them. */
#include "tests/unit/receive_scene.h"

/* The last write of a record that a step made; NULL: none. */
static const struct effect *write_of(const struct scene *s, enum record_kind kind, struct bytes key)
{
	const struct effect *found = NULL;

	for (const struct effect *e = s->effects.head; e; e = e->next)
		if (e->kind == EFFECT_PERSIST && e->u.persist.kind == kind && bytes_equal(e->u.persist.key, key))
			found = e;
	return found;
}

static void check_entry(const struct scene *s, char of, struct bytes name, uint64_t number, bool removed)
{
	struct buf key = BUF_EMPTY;
	const struct effect *e;

	receive_index_key(&key, of, name);
	if (of != RECEIVE_INDEX_PAID)
		buf_add_be64(&key, number);
	e = write_of(s, RECORD_INVOICE_INDEX, buf_view(&key));
	CHECK(e);
	CHECK_EQ(e->u.persist.remove, removed);
	if (!removed)
		CHECK_EQ(load_be64(e->u.persist.value.data), number);
	buf_release(&key);
}

static struct bytes key_of(struct scene *s, uint64_t number, uint8_t v)
{
	struct sha256 hash = hash_of(v);
	uint8_t key[RECEIVE_KEY_SIZE];

	store_be64(key, number);
	memcpy(key + 8, hash.v, 32);
	return arena_bytes(&s->effects.arena, BYTES_OF(key));
}

static void check_moved(struct scene *s, uint64_t number, uint8_t v, const char *label)
{
	struct bytes key = key_of(s, number, v);
	struct sha256 hash = hash_of(v);

	CHECK(write_of(s, RECORD_INVOICE, key)->u.persist.remove);
	CHECK(!write_of(s, RECORD_INVOICE_PAST, key)->u.persist.remove);
	check_entry(s, RECEIVE_INDEX_HASH, BYTES_OF(hash.v), number, false);
	check_entry(s, RECEIVE_INDEX_LABEL, bytes_from_string(label), number, false);
	CHECK(!receive_by_hash(s->receive, &hash));
	CHECK(!receive_by_label(s->receive, label));
}

TEST(what_is_paid_leaves_memory_in_the_batch_that_paid_it)
{
	struct scene *s = scene();
	struct bytes numbers = bytes_from_string(RECEIVE_NUMBERS_KEY);
	uint8_t paid[8];

	add(s, 1, "one", 1000);
	add(s, 2, "two", 1000);
	part(s, 2, 0, 1000, 1000);
	check_fulfilled(s, 2, 1);
	receive_flush(s->receive, &s->step);
	check_moved(s, 2, 2, "two");
	store_be64(paid, 1);
	check_entry(s, RECEIVE_INDEX_PAID, BYTES_OF(paid), 2, false);
	CHECK_EQ(load_be64(write_of(s, RECORD_NODE, numbers)->u.persist.value.data + 1), 2);
	CHECK_EQ(load_be64(write_of(s, RECORD_NODE, numbers)->u.persist.value.data + 9), 1);
	CHECK(receive_by_label(s->receive, "one"));
	/* INV-R2, B4.failure_messages.33: refused like all that is unknown, and nobody is asked. */
	part(s, 2, 1, 1000, 1000);
	check_details_refused(s, 1000);
	CHECK_EQ(count_effects(&s->effects, EFFECT_FETCH), 0);
	/* Nothing new: nothing is written. */
	next_step(s);
	receive_flush(s->receive, &s->step);
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 0);
	scene_release(s);
}

TEST(what_has_expired_leaves_memory_unless_htlcs_wait_for_it)
{
	struct scene *s = scene();
	struct sha256 hash = hash_of(1);

	add(s, 1, "one", 1000);
	add(s, 2, "two", 1000);
	s->step.now_ms = START_MS + 3590000;
	part(s, 1, 0, 400, 1000);
	s->step.now_ms = START_MS + 3600000;
	next_step(s);
	receive_tick(s->receive, &s->step, &s->verdicts);
	receive_flush(s->receive, &s->step);
	check_moved(s, 2, 2, "two");
	CHECK(receive_by_hash(s->receive, &hash));
	CHECK_EQ(receive_deadline(s->receive), START_MS + 3650000); /* the set's */
	s->step.now_ms = START_MS + 3650000;
	next_step(s);
	receive_tick(s->receive, &s->step, &s->verdicts);
	CHECK_EQ(only_verdict(s)->why.code, FAIL_MPP_TIMEOUT);
	s->step.now_ms = receive_deadline(s->receive);
	next_step(s);
	receive_tick(s->receive, &s->step, &s->verdicts);
	receive_flush(s->receive, &s->step);
	check_moved(s, 1, 1, "one");
	CHECK_EQ(receive_deadline(s->receive), UINT64_MAX);
	scene_release(s);
}

/* In whatever order they expire. */
TEST(invoices_expire_in_their_order)
{
	struct receive_config c = config();
	struct scene *s;
	uint64_t last = 0, count = 0;

	c.invoices_max = 1000;
	s = scene_of(&c);
	for (uint32_t k = 0; k < 200; k++) {
		struct receive_new_invoice n = new_invoice((uint8_t)k, 1000);
		struct receive_claim *claim;
		char label[8];

		snprintf(label, sizeof(label), "n%u", k);
		n.expires_at_s = START_MS / 1000 + 1 + k * 37 % 101;
		CHECK_EQ(receive_claim(s->receive, &s->step, &claim, label, &n.payment_hash), REPLY_OK);
		(void)receive_add(s->receive, &s->step, claim, &n);
		if (k % 3 == 0)
			part(s, (uint8_t)k, k, 1000, 1000);
		receive_flush(s->receive, &s->step);
	}
	while ((s->step.now_ms = receive_deadline(s->receive)) != UINT64_MAX) {
		CHECK(s->step.now_ms > last);
		last = s->step.now_ms;
		next_step(s);
		receive_tick(s->receive, &s->step, &s->verdicts);
		receive_flush(s->receive, &s->step);
		for (const struct effect *e = s->effects.head; e; e = e->next)
			count += e->kind == EFFECT_PERSIST && e->u.persist.kind == RECORD_INVOICE_PAST;
	}
	CHECK_EQ(count, 133);
	scene_release(s);
}

/* A database of an older version has all of them where the live ones are: they are moved, piece by piece. */
TEST(invoices_of_an_older_version_are_moved)
{
	struct receive_config c = config();
	struct scene *s, *back;
	uint32_t moved = 0, flushes = 0;

	c.invoices_max = 5000;
	s = scene_of(&c);
	back = scene_of(&c);
	for (uint32_t k = 0; k < 2500; k++) {
		struct receive_new_invoice n = new_invoice(0, 1000);
		struct receive_claim *claim;
		char label[8];

		store_be32(n.preimage.v, k);
		n.payment_hash = sha256(n.preimage.v, sizeof(n.preimage.v));
		snprintf(label, sizeof(label), "n%u", k);
		CHECK_EQ(receive_claim(s->receive, &s->step, &claim, label, &n.payment_hash), REPLY_OK);
		(void)receive_add(s->receive, &s->step, claim, &n);
		if (k % 5) {
			struct preimage p;

			CHECK_EQ(receive_from_self(s->receive, &s->step, &p, &n.payment_hash, &n.secret, MSAT(1000)), REPLY_OK);
		}
	}
	/* As the older version stored them: no flush.  Each record's last write. */
	for (const struct effect *e = s->effects.head; e; e = e->next)
		if (e->kind == EFFECT_PERSIST && write_of(s, RECORD_INVOICE, e->u.persist.key) == e)
			CHECK(receive_load(back->receive, e->u.persist.key, e->u.persist.value));
	receive_check_invariants(back->receive);
	while (receive_deadline(back->receive) == 0) {
		receive_flush(back->receive, &back->step);
		flushes++;
	}
	for (const struct effect *e = back->effects.head; e; e = e->next)
		moved += e->kind == EFFECT_PERSIST && e->u.persist.kind == RECORD_INVOICE_PAST;
	CHECK_EQ(moved, 2000);
	CHECK_EQ(flushes, 2000 / RECEIVE_FLUSH_MAX);
	/* The numbers are stored with the first of them, and go on. */
	CHECK_EQ(receive_last_paid_index(back->receive), 2000);
	CHECK_EQ(load_be64(write_of(back, RECORD_NODE, bytes_from_string(RECEIVE_NUMBERS_KEY))->u.persist.value.data + 1), 2500);
	CHECK_EQ(add(back, 9, "nine", 1)->r.created_index, 2501);
	scene_release(s);
	scene_release(back);
}

TEST(numbers_outlive_their_invoices)
{
	struct scene *s = scene(), *back = scene();
	const struct effect *e;

	add(s, 1, "one", 1000);
	part(s, 1, 0, 1000, 1000);
	receive_flush(s->receive, &s->step);
	e = write_of(s, RECORD_NODE, bytes_from_string(RECEIVE_NUMBERS_KEY));
	CHECK(!receive_load_numbers(back->receive, BYTES(e->u.persist.value.data, e->u.persist.value.size - 1)));
	CHECK(receive_load_numbers(back->receive, e->u.persist.value));
	CHECK_EQ(receive_last_paid_index(back->receive), 1);
	CHECK_EQ(add(back, 2, "two", 1000)->r.created_index, 2);
	scene_release(s);
	scene_release(back);
}

TEST(any_invoice_may_be_waited_for)
{
	struct scene *s = scene();

	add(s, 1, "one", 1000);
	add(s, 2, "two", 1000);
	next_step(s);
	receive_wait_any(s->receive, &s->step, 50, 0, UINT64_MAX);
	receive_wait_any(s->receive, &s->step, 51, 1, UINT64_MAX);
	receive_wait_any(s->receive, &s->step, 52, 0, START_MS + 5000);
	receive_wait_any(s->receive, &s->step, 53, 0, START_MS);
	CHECK_EQ(reply_to(&s->effects, 53)->code, REPLY_INVOICE_TIMEOUT);
	CHECK_EQ(count_effects(&s->effects, EFFECT_REPLY), 1);
	CHECK_EQ(receive_deadline(s->receive), START_MS + 5000);
	s->step.now_ms = START_MS + 5000;
	next_step(s);
	receive_tick(s->receive, &s->step, &s->verdicts);
	CHECK_EQ(reply_to(&s->effects, 52)->code, REPLY_INVOICE_TIMEOUT);
	part(s, 2, 0, 1000, 1000);
	CHECK_EQ(count_effects(&s->effects, EFFECT_REPLY), 1);
	CHECK_EQ(reply_to(&s->effects, 50)->kind, COMMAND_WAIT_ANY_INVOICE);
	CHECK_EQ(load_be64(reply_to(&s->effects, 50)->u.invoice_entry.key.data), 2);
	/* One is paid already: the store has it. */
	next_step(s);
	receive_wait_any(s->receive, &s->step, 54, 0, UINT64_MAX);
	CHECK(reply_to(&s->effects, 54)->u.invoice_entry.past);
	CHECK_EQ(reply_to(&s->effects, 54)->u.invoice_entry.last_paid_index, 1);
	part(s, 1, 0, 1000, 1000);
	CHECK_EQ(load_be64(reply_to(&s->effects, 51)->u.invoice_entry.key.data), 1);
	receive_wait_any(s->receive, &s->step, 55, 2, UINT64_MAX);
	receive_call_gone(s->receive, 55);
	scene_release(s);
}

static void order_delete(struct scene *s, uint64_t call, const char *label, enum invoice_state state, bool description_only,
			 const struct effect *record)
{
	struct command c = { .kind = COMMAND_DELETE_INVOICE };

	c.u.delete_invoice.label = label;
	c.u.delete_invoice.state = (uint8_t)state;
	c.u.delete_invoice.description_only = description_only;
	if (record) {
		c.u.delete_invoice.key = record->u.persist.key;
		c.u.delete_invoice.value = record->u.persist.value;
	}
	receive_delete(s->receive, &s->step, call, &c, &s->verdicts);
}

TEST(an_invoice_in_memory_is_deleted)
{
	struct scene *s = scene();
	struct sha256 hash = hash_of(1);

	add(s, 1, "one", 1000);
	part(s, 1, 0, 400, 1000);
	receive_wait(s->receive, &s->step, 49, "one");
	order_delete(s, 50, "one", INVOICE_PAID, false, NULL);
	CHECK_EQ(reply_to(&s->effects, 50)->code, REPLY_INVOICE_STATE);
	CHECK(reply_to(&s->effects, 50)->u.invoice_entry.key.size);
	order_delete(s, 51, "one", INVOICE_UNPAID, true, NULL);
	CHECK_EQ(reply_to(&s->effects, 51)->code, REPLY_OK);
	CHECK_EQ(receive_by_label(s->receive, "one")->r.description.size, 0);
	order_delete(s, 52, "one", INVOICE_UNPAID, true, NULL);
	CHECK_EQ(reply_to(&s->effects, 52)->code, REPLY_INVOICE_NO_DESCRIPTION);
	order_delete(s, 53, "one", INVOICE_UNPAID, false, NULL);
	CHECK_EQ(reply_to(&s->effects, 53)->code, REPLY_OK);
	CHECK_EQ(reply_to(&s->effects, 49)->code, REPLY_FAILED);
	check_details_refused(s, 400);
	CHECK(!receive_by_hash(s->receive, &hash));
	CHECK(write_of(s, RECORD_INVOICE, key_of(s, 1, 1))->u.persist.remove);
	order_delete(s, 54, "one", INVOICE_UNPAID, false, NULL);
	CHECK(reply_to(&s->effects, 54)->u.invoice_entry.past);
	/* One that is paid in the same batch. */
	add(s, 2, "two", 1000);
	add(s, 3, "three", 1000);
	part(s, 2, 1, 1000, 1000);
	part(s, 3, 2, 1000, 1000);
	order_delete(s, 55, "two", INVOICE_PAID, false, NULL);
	CHECK_EQ(reply_to(&s->effects, 55)->code, REPLY_OK);
	receive_flush(s->receive, &s->step);
	CHECK(!write_of(s, RECORD_INVOICE_PAST, key_of(s, 2, 2)));
	check_moved(s, 3, 3, "three");
	scene_release(s);
}

TEST(a_record_of_the_past_is_deleted)
{
	struct scene *s = scene(), *old = scene();
	const struct effect *record;
	struct sha256 hash = hash_of(1);
	uint8_t paid[8];

	add(old, 1, "one", 1000);
	part(old, 1, 0, 1000, 1000);
	receive_flush(old->receive, &old->step);
	record = write_of(old, RECORD_INVOICE_PAST, key_of(old, 1, 1));
	order_delete(s, 50, "one", INVOICE_EXPIRED, false, record);
	CHECK_EQ(reply_to(&s->effects, 50)->code, REPLY_INVOICE_STATE);
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 0);
	order_delete(s, 51, "one", INVOICE_PAID, true, record);
	CHECK_EQ(reply_to(&s->effects, 51)->code, REPLY_OK);
	CHECK(write_of(s, RECORD_INVOICE_PAST, record->u.persist.key)->u.persist.value.size + 3 == record->u.persist.value.size);
	next_step(s);
	order_delete(s, 52, "one", INVOICE_PAID, false, record);
	CHECK_EQ(reply_to(&s->effects, 52)->code, REPLY_OK);
	CHECK(write_of(s, RECORD_INVOICE_PAST, record->u.persist.key)->u.persist.remove);
	check_entry(s, RECEIVE_INDEX_HASH, BYTES_OF(hash.v), 1, true);
	check_entry(s, RECEIVE_INDEX_LABEL, BYTES("one", 3), 1, true);
	store_be64(paid, 1);
	check_entry(s, RECEIVE_INDEX_PAID, BYTES_OF(paid), 1, true);
	scene_release(s);
	scene_release(old);
}
