/* The history of forwards: one entry for each, in the batch that ends it. */
#include "node/state.h"
#include "tests/unit/node_three.h"

#define ENTRIES 64u

static struct history_entry entries[ENTRIES];
static uint32_t entry_count;

static bool take_entry(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	(void)context;
	CHECK(kind == RECORD_FORWARD && entry_count < ENTRIES);
	CHECK(history_decode(key, value, &entries[entry_count]));
	CHECK(!entry_count || entries[entry_count].index > entries[entry_count - 1].index);
	entry_count++;
	return true;
}

/* What b has stored; the last entry. */
static const struct history_entry *stored(void)
{
	const struct record_range all = { .kind = RECORD_FORWARD };

	entry_count = 0;
	CHECK(b.store->fetch(b.store, &all, take_entry, NULL));
	return entry_count ? &entries[entry_count - 1] : NULL;
}

static uint32_t under_way(struct history_entry *last)
{
	uint32_t at = 0, count = 0;

	while (node_view_forward(b.node, &at, last))
		count++;
	return count;
}

TEST(each_end_has_its_entry)
{
	const struct channel_record *in, *out;
	const struct history_entry *e;
	struct way w = ready(), other;
	struct history_entry live;

	in = channel_record_of(channel_between(&b, &a));
	out = channel_record_of(channel_between(&b, &c));
	CHECK(!stored());
	b.now_ms += 1000;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	e = stored();
	CHECK(e && entry_count == 1);
	CHECK(e->status == HISTORY_SETTLED && e->index == 1 && e->fail_code == 0);
	CHECK(e->in_channel.v == in->scid.v && e->out_channel.v == out->scid.v && e->has_out_htlc);
	CHECK(e->in_htlc_id == 0 && e->out_htlc_id == 0);
	CHECK(e->in_amount.v == w.hops[0].amount.v && e->out_amount.v == w.hops[1].amount.v);
	CHECK(e->received_ms && e->received_ms <= e->resolved_ms && e->resolved_ms == b.now_ms);
	/* Refused here. */
	other = w;
	other.bill = bill_of(&c, 5000000, NULL);
	other.hops[0].amount.v--;
	way_fails(&other, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
	e = stored();
	CHECK(entry_count == 2 && e->status == HISTORY_LOCAL_FAILED && e->fail_code == FAIL_FEE_INSUFFICIENT);
	CHECK(!e->has_out_htlc && e->out_channel.v == out->scid.v && e->in_htlc_id == 1);
	/* Refused by the payee, whose words are sealed. */
	other.hops[0].amount.v++;
	other.bill.secret.v[0] ^= 1;
	CHECK_EQ(row_code(&a, order_way(&a, &other)), REPLY_OK);
	(void)rig_pump_some(&a, &b, ab);
	CHECK_EQ(under_way(&live), 1);
	CHECK(live.status == HISTORY_OFFERED && live.index == 0 && live.in_htlc_id == 2 && live.out_amount.v == 5000000);
	CHECK_EQ(stored()->index, 2);
	row_pump();
	e = stored();
	CHECK(entry_count == 3 && e->status == HISTORY_FAILED && e->fail_code == 0 && e->has_out_htlc);
	CHECK_EQ(under_way(&live), 0);
	CHECK_EQ(node_view_history_last(b.node), 3);
}

/* Numbers go on where they were; what was under way ends once. */
TEST(a_restart_in_the_middle)
{
	const struct history_entry *e;
	struct way w = ready();

	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	w.bill = bill_of(&c, 5000000, NULL);
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	(void)rig_pump_some(&a, &b, ab);
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 1);
	row_restart(&b);
	row_pump();
	row_is_quiet();
	e = stored();
	CHECK(entry_count == 2 && e->index == 2 && e->status == HISTORY_SETTLED);
	CHECK(e->in_channel.v && e->out_channel.v && e->received_ms == 0);
}

/* At every message: no forward has two ends, and none that was paid has none. */
TEST(a_crash_at_every_message_leaves_one_end)
{
	bool early = false;

	for (uint32_t steps = 0; !early; steps++) {
		struct way w = ready();
		uint32_t settled = 0;

		early = false;
		CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
		for (uint32_t i = 0; i < steps && !early; i++)
			early = !row_deliver_one();
		row_restart(&b);
		row_pump();
		row_is_quiet();
		(void)stored();
		for (uint32_t i = 0; i < entry_count; i++)
			settled += entries[i].status == HISTORY_SETTLED;
		CHECK_EQ(settled, row_invoice_state(&c, &w.bill) == INVOICE_PAID);
	}
}

static enum reply_code del(struct scid in, uint64_t htlc, enum history_status status)
{
	struct command order = { .kind = COMMAND_DEL_FORWARD };

	order.u.del_forward.in_channel = in;
	order.u.del_forward.in_htlc_id = htlc;
	order.u.del_forward.status = (uint8_t)status;
	return row_code(&b, rig_command(&b, &order));
}

TEST(entries_are_deleted_one_by_one)
{
	struct way w = ready();
	struct scid in = channel_record_of(channel_between(&b, &a))->scid;

	CHECK_EQ(del(in, 0, HISTORY_SETTLED), REPLY_FORWARD_UNKNOWN);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	w.bill = bill_of(&c, 5000000, NULL);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	CHECK_EQ(del(in, 0, HISTORY_FAILED), REPLY_FORWARD_UNKNOWN);
	CHECK_EQ(del((struct scid){ in.v + 1 }, 0, HISTORY_SETTLED), REPLY_FORWARD_UNKNOWN);
	CHECK_EQ(del(in, 2, HISTORY_SETTLED), REPLY_FORWARD_UNKNOWN);
	CHECK_EQ(del(in, 0, HISTORY_SETTLED), REPLY_OK);
	CHECK_EQ(del(in, 0, HISTORY_SETTLED), REPLY_FORWARD_UNKNOWN);
	CHECK_EQ(stored()->in_htlc_id, 1);
	CHECK_EQ(entry_count, 1);
}

/* As version 2 left them: thousands of entries that no index names. */
static void make_old(uint64_t count)
{
	struct history_entry e = { .status = HISTORY_LOCAL_FAILED, .in_channel = { 5 } };
	struct store_op op = { .kind = RECORD_FORWARD };
	struct buf value = BUF_EMPTY;
	uint8_t key[8], numbers[25] = { 2 };

	for (uint64_t i = 1; i <= count; i++) {
		store_be64(key, i);
		e.in_htlc_id = i;
		buf_clear(&value);
		history_encode(&e, &value);
		op.key = BYTES_OF(key);
		op.value = buf_view(&value);
		CHECK(b.store->commit(b.store, &op, 1));
	}
	store_be64(numbers + 1, count);
	store_be64(numbers + 9, count);
	op = (struct store_op){ RECORD_NODE, false, bytes_from_string("forwards"), BYTES_OF(numbers) };
	CHECK(b.store->commit(b.store, &op, 1));
	buf_release(&value);
}

/* They are indexed a page a batch, whenever the node is stopped, and found by what they are called then. */
TEST(entries_of_an_older_version_are_indexed)
{
	const struct scid in = { 5 };
	struct way w = ready();
	uint64_t call;

	make_old(2500);
	b.store_late = true;
	row_restart(&b);
	row_pump();
	CHECK_EQ(count_records(&b, RECORD_FORWARD_INDEX), 0);
	while (b.node->history_unindexed < b.node->history_indexed && count_records(&b, RECORD_FORWARD_INDEX) < 2000) {
		const uint32_t before = count_records(&b, RECORD_FORWARD_INDEX);

		CHECK(rig_store_answers(&b));
		CHECK(count_records(&b, RECORD_FORWARD_INDEX) - before <= 1000);
		row_restart(&b);
		row_pump();
	}
	/* One that is not there yet is not said to be unknown. */
	b.store_late = false;
	CHECK_EQ(del(in, 2500, HISTORY_LOCAL_FAILED), REPLY_FAILED);
	CHECK_EQ(del(in, 2000, HISTORY_LOCAL_FAILED), REPLY_OK);
	rig_read_all(&b);
	CHECK_EQ(count_records(&b, RECORD_FORWARD_INDEX), 2499);
	CHECK_EQ(del(in, 2501, HISTORY_LOCAL_FAILED), REPLY_FORWARD_UNKNOWN);
	CHECK_EQ(del(in, 2500, HISTORY_SETTLED), REPLY_FORWARD_UNKNOWN);
	CHECK_EQ(del(in, 2500, HISTORY_LOCAL_FAILED), REPLY_OK);
	CHECK_EQ(del(in, 2500, HISTORY_LOCAL_FAILED), REPLY_FORWARD_UNKNOWN);
	CHECK_EQ(count_records(&b, RECORD_FORWARD), 2498);
	CHECK_EQ(count_records(&b, RECORD_FORWARD_INDEX), 2498);
	/* A new one goes on behind them, and one look at the index finds it. */
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	CHECK_EQ(count_records(&b, RECORD_FORWARD_INDEX), 2499);
	b.store_late = true;
	{
		struct command order = { .kind = COMMAND_DEL_FORWARD };

		order.u.del_forward.in_channel = channel_record_of(channel_between(&b, &a))->scid;
		order.u.del_forward.status = HISTORY_SETTLED;
		call = rig_command(&b, &order);
	}
	CHECK(rig_store_answers(&b) && rig_store_answers(&b) && !rig_store_answers(&b));
	CHECK_EQ(row_code(&b, call), REPLY_OK);
}

static uint32_t count_status(enum history_status status)
{
	uint32_t count = 0;

	(void)stored();
	for (uint32_t i = 0; i < entry_count; i++)
		count += entries[i].status == status;
	return count;
}

/* What costs nobody anything takes only so much of the disk, over restarts too; what was earned stays. */
TEST(failed_ones_make_room_for_one_another)
{
	struct way w = ready(), low = w;
	uint64_t last = 1;

	b.config.forwards_failed_max = 3;
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	low.bill = bill_of(&c, 5000000, NULL);
	low.hops[0].amount.v--;
	for (int i = 0; i < 9; i++) {
		way_fails(&low, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
		CHECK_EQ(count_status(HISTORY_SETTLED), 1);
		CHECK_EQ(count_status(HISTORY_LOCAL_FAILED), i < 3 ? (uint32_t)i + 1 : 3);
		CHECK_EQ(stored()->index, ++last);
		if (i == 5) {
			row_restart(&b);
			row_pump();
		}
	}
	CHECK(entries[0].index == 1 && entries[1].index == 8);
	CHECK_EQ(count_records(&b, RECORD_FORWARD_INDEX), entry_count);
	/* What was deleted need not make room. */
	CHECK_EQ(del(entries[2].in_channel, entries[2].in_htlc_id, HISTORY_LOCAL_FAILED), REPLY_OK);
	way_fails(&low, REPLY_PAY_TRY_OTHER_ROUTE, 1, FAIL_FEE_INSUFFICIENT);
	CHECK_EQ(count_status(HISTORY_LOCAL_FAILED), 3);
	CHECK(entries[1].index == 8 && entries[3].index == 11);
}

/* Written before the failed ones were counted. */
TEST(numbers_of_an_older_version_are_read)
{
	const uint8_t old[] = { 1, 0, 0, 0, 0, 0, 0, 0, 7 };
	struct store_op op = { RECORD_NODE, false, bytes_from_string("forwards"), BYTES_OF(old) };
	struct way w = ready();

	CHECK(b.store->commit(b.store, &op, 1));
	row_restart(&b);
	row_pump();
	CHECK_EQ(node_view_history_last(b.node), 7);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	CHECK_EQ(stored()->index, 8);
}

TEST(entries_are_read_as_they_were_written)
{
	const struct history_entry e = { .index = 9, .status = HISTORY_FAILED, .in_channel = { 1 }, .in_htlc_id = 2, .in_amount = MSAT(3),
					 .out_channel = { 4 }, .has_out_htlc = true, .out_htlc_id = 5, .out_amount = MSAT(6),
					 .fail_code = 7, .received_ms = 8, .resolved_ms = 10 };
	const uint8_t key[8] = { 0, 0, 0, 0, 0, 0, 0, 9 };
	enum history_status status;
	struct history_entry read;
	struct buf b1 = BUF_EMPTY;

	history_encode(&e, &b1);
	CHECK(history_decode(BYTES_OF(key), buf_view(&b1), &read));
	CHECK(read.index == 9 && read.status == e.status && read.in_htlc_id == 2 && read.out_htlc_id == 5 && read.resolved_ms == 10);
	CHECK(!history_decode(BYTES(key, 7), buf_view(&b1), &read));
	CHECK(!history_decode(BYTES_OF(key), BYTES(b1.data, b1.size - 1), &read));
	b1.data[1] = HISTORY_OFFERED; /* is never stored */
	CHECK(!history_decode(BYTES_OF(key), buf_view(&b1), &read));
	b1.data[1] = 4;
	CHECK(!history_decode(BYTES_OF(key), buf_view(&b1), &read));
	CHECK(history_status_read(&status, "local_failed") && status == HISTORY_LOCAL_FAILED && !history_status_read(&status, "paid"));
	buf_release(&b1);
}
