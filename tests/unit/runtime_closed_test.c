/* Channels that are history: in no memory, numbered, found by their key id, and never brought back by a backup. */
#include "node/state.h"
#include "tests/unit/node_pair.h"

/* The first record of that kind. */
static struct store_op first_of(struct rig *r, enum record_kind kind)
{
	const struct record_range all = { .kind = kind };
	struct store_op out = { .kind = kind };
	struct fetch got;

	CHECK(fetch_read(&got, r->store, &all, 1));
	CHECK(got.count >= 1);
	out.key = arena_bytes(&r->kept, got.records[0].key);
	out.value = arena_bytes(&r->kept, got.records[0].value);
	fetch_release(&got);
	return out;
}

/* a's only channel becomes history; its key id. */
static void close_it(uint8_t key8[8])
{
	struct command c = { .kind = COMMAND_CLOSE };
	struct bytes closing;

	memcpy(key8, first_of(&a, RECORD_CHANNEL).key.data, 8);
	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = b.id;
	(void)rig_command(&a, &c);
	rig_pump(&a, &b, 1);
	closing = rig_accept_broadcasts(&a);
	CHECK(closing.size);
	rig_block(&a, &closing, 1);
	rig_blocks(&a, 100);
	CHECK(!rig_channel(&a));
}

static const struct reply *recover(struct bytes copy)
{
	struct command c = { .kind = COMMAND_RECOVER };
	uint64_t call;

	c.u.recover.copies = &copy;
	c.u.recover.copy_count = 1;
	call = rig_command(&a, &c);
	while (a.store_late && rig_store_answers(&a))
		;
	return reply_of(&a, call);
}

TEST(a_closed_channel_is_a_record_and_nothing_else)
{
	struct channel_record r;
	const struct reply *reply;
	struct store_op past;
	struct bytes backup;
	uint8_t key[8];

	two();
	backup = first_of(&a, RECORD_BACKUP).value;
	close_it(key);
	past = first_of(&a, RECORD_CLOSED_PAST);
	CHECK_EQ(past.key.size, 16);
	CHECK_EQ(load_be64(past.key.data), 1);
	CHECK(memcmp(past.key.data + 8, key, 8) == 0);
	CHECK(channel_record_decode(past.value, &r) && r.state == CLOSED);
	CHECK_EQ(count_records(&a, RECORD_CLOSED), 0);
	CHECK_EQ(count_records(&a, RECORD_CLOSED_INDEX), 1);
	/* Also while the store takes its time, and after a start. */
	for (int late = 0; late < 3; late++) {
		a.store_late = late == 1;
		reply = recover(backup);
		CHECK_EQ(reply->code, REPLY_OK);
		CHECK_EQ(reply->u.recover.count, 0);
		CHECK(!rig_channel(&a) && !a.node->recoveries);
		a.store_late = false;
		rig_restart(&a);
		CHECK(node_closed_knows(a.node, r.scid) && node_closed_knows(a.node, r.alias_local));
	}
}

/* What is not said to be closed is brought back: it is the index that keeps the others away. */
TEST(a_backup_brings_back_what_is_not_closed)
{
	struct store_op index;
	struct bytes backup;
	uint8_t key[8];

	two();
	backup = first_of(&a, RECORD_BACKUP).value;
	close_it(key);
	index = first_of(&a, RECORD_CLOSED_INDEX);
	CHECK(bytes_equal(index.key, BYTES_OF(key)));
	CHECK_EQ(load_be64(index.value.data), 1);
	index.remove = true;
	CHECK(a.store->commit(a.store, &index, 1));
	CHECK_EQ(recover(backup)->u.recover.count, 1);
	CHECK(rig_channel(&a));
}

/* Many at once are moved a thousand a batch, and nothing is lost on the way, whenever it is stopped. */
TEST(closed_channels_of_an_older_version_are_moved)
{
	struct store_op op, gone, number = { RECORD_NODE, true, bytes_from_string(CLOSED_COUNT_KEY), BYTES_NONE };
	struct channel_record r;
	struct bytes backup;
	uint8_t key[8];

	two();
	backup = first_of(&a, RECORD_BACKUP).value;
	close_it(key);
	op = first_of(&a, RECORD_CLOSED_PAST);
	CHECK(channel_record_decode(op.value, &r));
	gone = op;
	gone.remove = true;
	op.kind = RECORD_CLOSED;
	op.key = BYTES_OF(key);
	CHECK(a.store->commit(a.store, &gone, 1) && a.store->commit(a.store, &number, 1) && a.store->commit(a.store, &op, 1));
	gone = first_of(&a, RECORD_CLOSED_INDEX);
	gone.remove = true;
	CHECK(a.store->commit(a.store, &gone, 1));
	for (uint64_t i = 1; i < 2500; i++) {
		store_be64(key, r.key - i);
		CHECK(a.store->commit(a.store, &op, 1));
	}
	rig_restart(&a);
	CHECK(node_closed_any(a.node) && node_closed_knows(a.node, r.scid));
	/* One that is not moved yet is closed all the same. */
	CHECK_EQ(recover(backup)->u.recover.count, 0);
	while (node_deadline(a.node) == 0) {
		const uint32_t left = count_records(&a, RECORD_CLOSED), moved = count_records(&a, RECORD_CLOSED_PAST);

		CHECK_EQ(left + moved, 2500);
		CHECK_EQ(count_records(&a, RECORD_CLOSED_INDEX), moved);
		rig_tick(&a, 1);
		CHECK(left - count_records(&a, RECORD_CLOSED) <= 1000);
		if (left > 1000)
			rig_restart(&a);
	}
	CHECK_EQ(count_records(&a, RECORD_CLOSED), 0);
	CHECK_EQ(count_records(&a, RECORD_CLOSED_PAST), 2500);
	CHECK_EQ(a.node->closed.count, 2500);
	CHECK_EQ(load_be64(first_of(&a, RECORD_CLOSED_PAST).key.data), 1);
	CHECK_EQ(recover(backup)->u.recover.count, 0);
	/* Of so many only the newest are known by name. */
	CHECK(a.node->closed.named <= 500);
}
