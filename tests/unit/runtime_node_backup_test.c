/* The static channel backup, and what peers keep for one another: everything but the seed is lost, and the money comes
 * back. */
#include "tests/script/interpreter.h"

#include "channel/backup.h"
#include "node/state.h"
#include "tests/unit/node_pair.h"

#define STORAGE_HEAD 4 /* type and length of the message */

/* --- what is stored --- */

struct stored {
	struct arena *arena;
	struct bytes value;
	uint32_t count;
};

static bool take_stored(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct stored *s = context;

	(void)kind;
	(void)key;
	s->value = arena_bytes(s->arena, value);
	s->count++;
	return true;
}

static struct stored stored_of(struct rig *r, enum record_kind kind, struct bytes prefix)
{
	struct stored s = { .arena = &r->kept };

	CHECK(r->store->fetch(r->store, &(struct record_range){ .kind = kind, .prefix = prefix }, take_stored, &s));
	return s;
}

static struct bytes backup_of(struct rig *r)
{
	struct stored s = stored_of(r, RECORD_BACKUP, BYTES_NONE);

	CHECK(s.count <= 1);
	return s.value;
}

/* Channels in the backup of `r`, as `r` reads it. */
static uint32_t backed_up(struct rig *r)
{
	struct backup_copy copy;

	CHECK(node_backup_open(r->node, backup_of(r), &r->kept, &copy));
	return copy.count;
}

static struct stored kept_for(struct rig *keeper, const struct rig *owner)
{
	uint8_t key[34];

	memcpy(key, owner->id.v, 33);
	key[33] = 0;
	return stored_of(keeper, RECORD_STORAGE, BYTES_OF(key));
}

/* --- two nodes --- */

/* A channel in which a has what b does not: 300,000 sat of the million are b's. */
static void two_with_money(void)
{
	uint64_t call;

	two();
	call = order_pay(&a, bolt11_of(&b, order_invoice(&b, "a third", 300000000)), 0);
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	rig_forget(&a);
	rig_forget(&b);
}

/* a's message of that type, which b gets too. */
static struct bytes hand_over(struct rig *from, struct rig *to, uint64_t connection, uint16_t type)
{
	for (struct rig_item *i = from->head; i; i = i->next) {
		uint16_t t;

		if (i->kind != EFFECT_SEND || i->id != connection || !msg_type(i->data, &t) || t != type)
			continue;
		rig_unlink(from, i);
		rig_message(to, connection, i->data);
		return i->data;
	}
	CHECK(false);
	return BYTES_NONE;
}

static uint32_t sent_count(const struct rig *r, uint16_t type)
{
	uint32_t count = 0;

	for (const struct rig_item *i = r->head; i; i = i->next) {
		uint16_t t;

		count += i->kind == EFFECT_SEND && msg_type(i->data, &t) && t == type;
	}
	return count;
}

/* Whether r ever offered a transaction that spends the channel's funding output. */
static bool published(struct rig *r, const struct outpoint *funding)
{
	for (const struct rig_item *i = r->head; i; i = i->next) {
		const struct tx *t = i->kind == EFFECT_BROADCAST ? tx_parse(&r->kept, i->data) : NULL;

		for (uint32_t j = 0; t && j < t->input_count; j++)
			if (outpoint_equal(&t->inputs[j].prev, funding))
				return true;
	}
	return false;
}

static struct bytes broadcast_spending(struct rig *r, const struct outpoint *prev)
{
	for (struct rig_item *i = r->head; i; i = i->next) {
		const struct tx *t = i->kind == EFFECT_BROADCAST ? tx_parse(&r->kept, i->data) : NULL;

		for (uint32_t j = 0; t && j < t->input_count; j++)
			if (SAME(t->inputs[j].prev.txid, prev->txid))
				return i->data;
	}
	CHECK(false);
	return BYTES_NONE;
}

/* --- keeping it --- */

TEST(the_backup_is_there_before_anybody_hears_of_the_channel)
{
	uint16_t type;

	begin();
	meet();
	CHECK_EQ(backup_of(&a).size, 0);
	CHECK_EQ(backup_of(&b).size, 0);
	(void)order_open(&a, &b.id, 1000000);
	for (bool moved = true; moved;) {
		moved = false;
		for (struct rig_item *i = b.head; i; i = i->next)
			if (i->kind == EFFECT_SEND && msg_type(i->data, &type) && type == MSG_FUNDING_SIGNED)
				CHECK_EQ(backed_up(&b), 1);
		for (struct rig_item *i = a.head; i; i = i->next)
			if (i->kind == EFFECT_BROADCAST)
				CHECK_EQ(backed_up(&a), 1);
		for (int side = 0; side < 2 && !moved; side++) {
			struct rig *from = side ? &b : &a, *to = side ? &a : &b;

			for (struct rig_item *i = from->head; i && !moved; i = i->next)
				if (i->kind == EFFECT_SEND) {
					rig_unlink(from, i);
					rig_message(to, 1, i->data);
					moved = true;
				}
		}
	}
	CHECK_EQ(backed_up(&a), 1);
	CHECK_EQ(backed_up(&b), 1);
}

TEST(the_backup_changes_with_the_channels_and_with_nothing_else)
{
	struct command c = { .kind = COMMAND_CLOSE };
	struct bytes before, commitment;

	two();
	before = backup_of(&a);
	(void)order_pay(&a, bolt11_of(&b, order_invoice(&b, "x", 1000000)), 0);
	rig_pump(&a, &b, 1);
	rig_restart(&a);
	CHECK(bytes_equal(backup_of(&a), before));
	rig_link(&a, &b, 2);
	rig_pump(&a, &b, 2);
	(void)open_one(2, 100000);
	CHECK_EQ(backed_up(&a), 2);
	/* A channel that is history leaves it. */
	c.u.close.channel.by_id = true;
	c.u.close.channel.id = *channel_id_of(rig_channel(&a));
	c.u.close.force = true;
	rig_forget(&a);
	(void)rig_command(&a, &c);
	commitment = took(&a, EFFECT_BROADCAST)->data;
	rig_block(&a, &commitment, 1);
	for (int i = 0; i < 400 && backed_up(&a) == 2; i++) {
		struct rig_item *offered = NULL, *next;

		while ((next = rig_take(&a, EFFECT_BROADCAST)))
			offered = next;
		rig_block(&a, offered ? &offered->data : NULL, offered != NULL);
	}
	CHECK_EQ(backed_up(&a), 1);
}

TEST(nobody_else_opens_it_and_damage_shows)
{
	struct backup_copy copy;
	struct bytes sealed;
	uint8_t *raw;

	two();
	sealed = backup_of(&a);
	CHECK(node_backup_open(a.node, sealed, &a.kept, &copy));
	CHECK(!node_backup_open(b.node, sealed, &b.kept, &copy));
	raw = arena_copy(&a.kept, sealed.data, sealed.size);
	for (size_t i = 0; i < sealed.size; i++) {
		raw[i] ^= 1;
		CHECK(!node_backup_open(a.node, BYTES(raw, sealed.size), &a.kept, &copy));
		CHECK(!node_backup_open(a.node, BYTES(sealed.data, i), &a.kept, &copy));
		raw[i] ^= 1;
	}
	CHECK(!node_backup_open(a.node, BYTES_NONE, &a.kept, &copy));
}

/* --- the way back --- */

/* a has lost all but its seed and knows its channel again: b publishes, and a takes what was its own. */
static void get_the_money_back(uint64_t connection)
{
	const struct channel_record *r;
	struct msg_channel_reestablish m;
	struct outpoint funding;
	struct bytes message, commitment, claim;
	const struct tx *theirs, *t;

	CHECK(rig_channel(&a));
	r = channel_record_of(rig_channel(&a));
	funding = r->funding;
	CHECK(channel_was_restored(r));
	CHECK_EQ(r->state, AWAITING_UNILATERAL);
	CHECK_EQ(r->close.cause, CLOSE_DATA_LOST);
	message = rig_sent(&a, MSG_CHANNEL_REESTABLISH);
	CHECK_EQ(msg_channel_reestablish_decode(message, &a.kept, &m), DECODE_OK);
	CHECK_EQ(m.next_commitment_number, 0);
	/* B2.message_retransmission.25: the peer fails the channel and publishes. */
	rig_message(&b, connection, message);
	commitment = broadcast_spending(&b, &funding);
	theirs = tx_parse(&b.kept, commitment);
	rig_block(&a, &commitment, 1);
	CHECK(!published(&a, &funding)); /* B2.message_retransmission.36 */
	rig_blocks(&a, 1); /* to_remote has a delay of one block */
	claim = broadcast_spending(&a, &(struct outpoint){ tx_id(theirs), 0 });
	t = tx_parse(&a.kept, claim);
	CHECK(t);
	CHECK_EQ(t->input_count, 1);
	CHECK(theirs->outputs[t->inputs[0].prev.index].amount.v > 690000); /* 700,000 less what the opener pays */
	rig_block(&a, &claim, 1);
	rig_blocks(&a, 150);
	CHECK(!rig_channel(&a)); /* settled, and history */
	CHECK(!published(&a, &funding));
	CHECK_EQ(backed_up(&a), 0);
}

TEST(a_node_without_its_disk_gets_its_money_from_a_file)
{
	two_with_money();
	a.found = backup_of(&a);
	rig_disconnected(&b, 1);
	rig_lose_disk(&a);
	rig_forget(&b);
	/* It calls the peer, whose address is in the file. */
	CHECK(rig_take(&a, EFFECT_CONNECT));
	CHECK_EQ(backed_up(&a), 1);
	/* Restarting changes nothing. */
	a.found = BYTES_NONE;
	rig_restart(&a);
	rig_forget(&a);
	rig_link(&a, &b, 2);
	hand_over(&b, &a, 2, MSG_INIT);
	hand_over(&a, &b, 2, MSG_INIT);
	get_the_money_back(2);
}

/* The peer's first commitment, whose number says nothing about our loss. */
TEST(a_channel_that_never_moved_comes_back_too)
{
	two();
	a.found = backup_of(&a);
	rig_disconnected(&b, 1);
	rig_lose_disk(&a);
	rig_forget(&a);
	rig_forget(&b);
	rig_link(&a, &b, 2);
	hand_over(&b, &a, 2, MSG_INIT);
	hand_over(&a, &b, 2, MSG_INIT);
	get_the_money_back(2);
}

TEST(the_newest_of_the_files_counts_and_foreign_ones_do_no_harm)
{
	two_with_money();
	a.found = backup_of(&b);
	rig_lose_disk(&a);
	CHECK(!rig_channel(&a));
	CHECK_EQ(backup_of(&a).size, 0); /* and nothing is written over it */
}

TEST(a_key_id_of_a_lost_disk_is_not_used_again)
{
	uint64_t before;

	two_with_money();
	before = channel_key(rig_channel(&a));
	rig_disconnected(&b, 1);
	rig_lose_disk(&a); /* without any backup */
	rig_lose_disk(&b);
	rig_link(&a, &b, 2);
	rig_pump(&a, &b, 2);
	(void)open_one(2, 500000);
	CHECK(channel_key(rig_channel(&a)) > before + 1000000 || channel_key(rig_channel(&a)) + 1000000 < before); /* INV-N5 */
}

/* --- by order --- */

static const struct reply *recover(struct bytes *copies, uint32_t copy_count, struct bytes *channels, uint32_t channel_count)
{
	struct command c = { .kind = COMMAND_RECOVER };

	c.u.recover.copies = copies;
	c.u.recover.copy_count = copy_count;
	c.u.recover.channels = channels;
	c.u.recover.channel_count = channel_count;
	c.u.recover.from_peers = true;
	return reply_of(&a, rig_command(&a, &c));
}

TEST(recovering_by_order)
{
	struct buf single = BUF_EMPTY;
	struct bytes copy, text, foreign, garbage = BYTES("abc", 3);
	const struct reply *r;

	two_with_money();
	copy = backup_of(&a);
	foreign = backup_of(&b);
	node_view_channel_backup(a.node, rig_channel(&a), &single);
	text = arena_bytes(&a.kept, buf_view(&single));
	buf_release(&single);
	/* What is here is left alone. */
	r = recover(&copy, 1, &text, 1);
	CHECK_EQ(r->code, REPLY_OK);
	CHECK_EQ(r->u.recover.count, 0);
	CHECK_EQ(channel_state_of(rig_channel(&a)), CHANNELD_NORMAL);
	rig_lose_disk(&a);
	CHECK_EQ(recover(NULL, 0, NULL, 0)->code, REPLY_FAILED);
	CHECK_EQ(recover(&foreign, 1, NULL, 0)->code, REPLY_FAILED);
	CHECK_EQ(recover(NULL, 0, &garbage, 1)->code, REPLY_FAILED);
	CHECK(!rig_channel(&a));
	r = recover(NULL, 0, &text, 1);
	CHECK_EQ(r->code, REPLY_OK);
	CHECK_EQ(r->u.recover.count, 1);
	CHECK(r->u.recover.first_height > 0);
	CHECK(channel_was_restored(channel_record_of(rig_channel(&a))));
	CHECK_EQ(recover(&copy, 1, &text, 1)->u.recover.count, 0);
	rig_lose_disk(&a);
	CHECK_EQ(recover(&copy, 1, NULL, 0)->u.recover.count, 1);
	rig_restart(&a);
	CHECK(channel_was_restored(channel_record_of(rig_channel(&a))));
}

/* --- what peers keep --- */

/* Both have what the other shall keep. */
static void exchange_storage(uint64_t connection)
{
	rig_tick(&a, 2000);
	rig_tick(&b, 2000);
	rig_pump(&a, &b, connection);
}

TEST(peers_keep_backups_for_one_another)
{
	struct msg_peer_storage m;
	struct backup_copy copy;
	struct bytes message;

	two_with_money();
	rig_tick(&a, 2000);
	message = hand_over(&a, &b, 1, MSG_PEER_STORAGE);
	CHECK_EQ(msg_peer_storage_decode(message, &a.kept, &m), DECODE_OK);
	CHECK_EQ(m.blob.size, 65531); /* B1.peer_storage_peer_storage_retrieval.1, B1.peer_storage_peer_storage_retrieval.3 */
	/* B1.peer_storage_peer_storage_retrieval.2 */
	CHECK(node_backup_open(a.node, m.blob, &a.kept, &copy));
	CHECK_EQ(copy.count, 1);
	CHECK(!node_backup_open(b.node, m.blob, &b.kept, &copy));
	/* B1.peer_storage_peer_storage_retrieval.4 */
	CHECK_EQ(kept_for(&b, &a).count, 1);
	CHECK(bytes_equal(BYTES(kept_for(&b, &a).value.data + 1, 65531), m.blob));
	/* Nothing new: nothing is sent. */
	rig_tick(&a, 600000);
	CHECK_EQ(sent_count(&a, MSG_PEER_STORAGE), 0);
}

TEST(a_node_without_its_disk_gets_its_money_from_a_peers_memory)
{
	struct rig_item *i;
	uint16_t type, order[8];
	uint32_t count = 0;

	two_with_money();
	exchange_storage(1);
	rig_disconnected(&b, 1);
	rig_restart(&b);
	rig_lose_disk(&a);
	CHECK(!rig_channel(&a));
	rig_forget(&a);
	rig_forget(&b);
	rig_link(&a, &b, 2);
	hand_over(&a, &b, 2, MSG_INIT);
	/* B1.peer_storage_peer_storage_retrieval.6: after init, and before channel_reestablish. */
	for (i = b.head; i && count < 8; i = i->next)
		if (i->kind == EFFECT_SEND && msg_type(i->data, &type))
			order[count++] = type;
	CHECK(count >= 3);
	CHECK_EQ(order[0], MSG_INIT);
	CHECK_EQ(order[1], MSG_PEER_STORAGE_RETRIEVAL);
	CHECK_EQ(order[2], MSG_CHANNEL_REESTABLISH);
	hand_over(&b, &a, 2, MSG_INIT);
	hand_over(&b, &a, 2, MSG_PEER_STORAGE_RETRIEVAL);
	CHECK(rig_channel(&a)); /* by itself: the node knew no channel */
	hand_over(&b, &a, 2, MSG_CHANNEL_REESTABLISH);
	get_the_money_back(2);
}

/* A blob of one byte repeated, from a stranger or a peer. */
static void say_storage(struct rig *r, uint64_t connection, uint8_t fill, size_t size)
{
	struct buf m = BUF_EMPTY;
	uint8_t *blob = test_alloc(size + 1);

	memset(blob, fill, size);
	msg_peer_storage_encode(&(struct msg_peer_storage){ .blob = BYTES(blob, size) }, &m);
	rig_message(r, connection, buf_view(&m));
	buf_release(&m);
}

static uint8_t kept_byte(struct rig *keeper, const struct rig *owner)
{
	struct stored s = kept_for(keeper, owner);

	return s.count ? s.value.data[1] : 0;
}

TEST(the_latest_blob_is_kept_and_given_back)
{
	struct msg_peer_storage_retrieval m;
	struct bytes message;

	two();
	say_storage(&b, 1, 'x', 10);
	CHECK_EQ(kept_byte(&b, &a), 'x');
	/* One write a minute; the latest of what came counts. */
	say_storage(&b, 1, 'y', 20);
	say_storage(&b, 1, 'z', 65531);
	CHECK_EQ(kept_byte(&b, &a), 'x');
	rig_tick(&b, 59000);
	CHECK_EQ(kept_byte(&b, &a), 'x');
	rig_tick(&b, 1000);
	CHECK_EQ(kept_byte(&b, &a), 'z'); /* B1.peer_storage_peer_storage_retrieval.5 */
	say_storage(&b, 1, 'w', 5);
	rig_disconnected(&a, 1);
	rig_disconnected(&b, 1);
	rig_forget(&b);
	rig_link(&a, &b, 2);
	hand_over(&a, &b, 2, MSG_INIT);
	message = rig_sent(&b, MSG_PEER_STORAGE_RETRIEVAL);
	CHECK_EQ(msg_peer_storage_retrieval_decode(message, &b.kept, &m), DECODE_OK);
	CHECK_EQ(m.blob.size, 5); /* B1.peer_storage_peer_storage_retrieval.7: the last, though the disk has an older one */
	CHECK_EQ(m.blob.data[0], 'w');
}

TEST(strangers_store_nothing)
{
	struct pubkey stranger = rig_stranger(9);
	uint8_t key[34] = { 0 };

	two();
	rig_ready(&b, &stranger, 7);
	say_storage(&b, 7, 'x', 10);
	memcpy(key, stranger.v, 33);
	CHECK_EQ(stored_of(&b, RECORD_STORAGE, BYTES_OF(key)).count, 0);
	rig_tick(&b, 3000);
	CHECK_EQ(sent_count(&b, MSG_PEER_STORAGE), 1); /* a's, and none for the stranger */
}

TEST(a_blob_outlives_the_last_channel_by_two_weeks)
{
	struct command c = { .kind = COMMAND_CLOSE };
	uint32_t blocks = 0;

	two();
	exchange_storage(1);
	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = b.id;
	(void)rig_command(&a, &c);
	rig_pump(&a, &b, 1);
	for (int i = 0; i < 400 && rig_channel(&b); i++) {
		struct rig_item *offered = NULL, *next;

		while ((next = rig_take(&b, EFFECT_BROADCAST)))
			offered = next;
		rig_block(&b, offered ? &offered->data : NULL, offered != NULL);
	}
	CHECK(!rig_channel(&b));
	rig_disconnected(&b, 1);
	rig_restart(&b);
	while (kept_for(&b, &a).count && blocks < 3000) {
		if (blocks == 1000)
			rig_restart(&b); /* it remembers since when */
		rig_blocks(&b, 1);
		blocks++;
	}
	CHECK(blocks >= 2016 && blocks < 2020); /* B1.peer_storage_peer_storage_retrieval.8 */
	CHECK_EQ(stored_of(&b, RECORD_STORAGE, BYTES_NONE).count, 0);
}

TEST(garbage_of_a_keeper_changes_nothing)
{
	struct buf m = BUF_EMPTY;
	uint8_t blob[100] = { 1 };

	two();
	msg_peer_storage_retrieval_encode(&(struct msg_peer_storage_retrieval){ .blob = BYTES_OF(blob) }, &m);
	rig_message(&a, 1, buf_view(&m));
	CHECK(rig_is_ready(&a, &b.id));
	CHECK_EQ(channel_state_of(rig_channel(&a)), CHANNELD_NORMAL);
	/* Half a message is a fault. */
	rig_message(&a, 1, BYTES(m.data, m.size - 1));
	CHECK(!rig_is_ready(&a, &b.id));
	buf_release(&m);
}
