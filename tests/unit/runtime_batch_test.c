/* Batches of commitments between whole nodes: BOLT 2 "Batching Channel Messages". */
#include "tests/unit/node_pair.h"

static struct bytes start_of_batch(const struct channel *ch)
{
	struct msg_start_batch m = { .channel_id = *channel_id_of(ch), .batch_size = 2 };
	uint16_t of = MSG_COMMITMENT_SIGNED;
	struct buf raw = BUF_EMPTY;
	struct bytes out;

	m.tlvs.message_type = &of;
	msg_start_batch_encode(&m, &raw);
	out = arena_bytes(&a.kept, buf_view(&raw));
	buf_release(&raw);
	return out;
}

/* Nothing is wrong with it in itself. */
static struct bytes fee_of(const struct channel *ch)
{
	struct msg_update_fee m = { .channel_id = *channel_id_of(ch), .feerate_per_kw = channel_record_of(ch)->feerates[4].per_kw };
	struct buf raw = BUF_EMPTY;
	struct bytes out;

	msg_update_fee_encode(&m, &raw);
	out = arena_bytes(&a.kept, buf_view(&raw));
	buf_release(&raw);
	return out;
}

/* Two channels between a and b. */
static void four(const struct channel *of[2])
{
	uint32_t at = 0;

	two();
	(void)open_one(1, 500000);
	rig_forget(&a);
	rig_forget(&b);
	of[0] = node_view_channel(b.node, &at);
	of[1] = node_view_channel(b.node, &at);
	CHECK(of[0] && of[1] && channel_is_usable(of[1]));
}

TEST(a_batch_is_of_one_channel)
{
	const struct channel *of[2];
	uint64_t call;

	four(of);
	rig_message(&b, 1, start_of_batch(of[0]));
	rig_message(&b, 1, fee_of(of[0])); /* nothing but commitments, and of this channel */
	CHECK(rig_sent(&b, MSG_WARNING).size && rig_take(&b, EFFECT_DISCONNECT));

	four(of);
	rig_message(&b, 1, fee_of(of[1]));
	CHECK(!rig_sent(&b, MSG_WARNING).size);
	rig_message(&b, 1, start_of_batch(of[0]));
	CHECK(!rig_sent(&b, MSG_WARNING).size);
	/* B2.batching_channel_messages.9 */
	rig_message(&b, 1, fee_of(of[1]));
	CHECK(rig_sent(&b, MSG_WARNING).size && rig_take(&b, EFFECT_DISCONNECT));
	CHECK(channel_state_of(of[0]) == CHANNELD_NORMAL && channel_state_of(of[1]) == CHANNELD_NORMAL);
	/* In a new connection the batch is forgotten. */
	rig_disconnected(&a, 1);
	rig_link(&a, &b, 2);
	rig_pump(&a, &b, 2);
	CHECK(channel_is_usable(of[0]) && channel_is_usable(of[1]));
	call = order_pay(&a, bolt11_of(&b, order_invoice(&b, "one", 300000000)), 0);
	rig_pump(&a, &b, 2);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
}

/* What is no channel's message does not disturb one. */
TEST(a_ping_inside_a_batch)
{
	const struct channel *of[2];

	four(of);
	rig_message(&b, 1, start_of_batch(of[0]));
	rig_message(&b, 1, test_unhex("001200040000"));
	CHECK(rig_sent(&b, MSG_PONG).size && !rig_sent(&b, MSG_WARNING).size);
	rig_message(&b, 1, test_unhex("0102"));
	CHECK(!rig_sent(&b, MSG_WARNING).size);
}
