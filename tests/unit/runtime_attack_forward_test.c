/* Disclosed attacks on whoever forwards.  docs/ATTACKS.md tells of each. */
#include "tests/unit/node_three.h"

/* Type, channel_id, id, len: what remains of a message for the reason of a failure. */
#define REASON_MAX (65535u - 2 - 32 - 8 - 2)

/* c fails the payment with a reason of so many bytes, and b hands it on. */
static void fail_with_size(uint32_t size)
{
	struct bill bill = bill_of(&c, 5000000, NULL);
	struct way w = way_to_c(&bill);
	struct msg_update_fail_htlc m, large;
	struct buf raw = BUF_EMPTY;
	struct bytes told;
	struct arena arena;
	uint64_t call;

	w.bill.secret.v[0] ^= 1; /* so that c refuses */
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	call = order_wait(&a, &w, 0);
	while (!rig_has_sent(&c, bc, MSG_UPDATE_FAIL_HTLC))
		CHECK(row_deliver_one());
	arena_init(&arena);
	CHECK_EQ(msg_update_fail_htlc_decode(rig_sent(&c, MSG_UPDATE_FAIL_HTLC), &arena, &m), DECODE_OK);
	large = (struct msg_update_fail_htlc){ .channel_id = m.channel_id, .id = m.id, .reason = BYTES(test_alloc(size ? size : 1), size) };
	msg_update_fail_htlc_encode(&large, &raw);
	CHECK(raw.size <= 65535);
	rig_message(&b, bc, buf_view(&raw));
	/* What goes on to a is still a message. */
	while (!rig_has_sent(&b, ab, MSG_UPDATE_FAIL_HTLC))
		CHECK(row_deliver_one());
	told = rig_sent(&b, MSG_UPDATE_FAIL_HTLC);
	CHECK(told.size <= 65535);
	rig_message(&a, ab, told);
	row_pump();
	CHECK_EQ(rig_reply(&a, call)->code, REPLY_PAY_UNREADABLE);
	CHECK(channel_is_usable(channel_between(&a, &b)) && channel_is_usable(channel_between(&b, &c)));
	row_is_quiet();
	buf_release(&raw);
	arena_release(&arena);
}

/* LDK 0.2.5 (2026): a failure as large as a message can be, with what a forwarder adds to it, made a message that is too
 * large. */
TEST(failures_of_any_size)
{
	static const uint32_t sizes[] = { 0, 1, 31, 32, 255, 256, 257, 291, 292, 293, 1500, 32768, REASON_MAX - 1000,
					  REASON_MAX - 925, REASON_MAX - 924, REASON_MAX - 923, REASON_MAX - 1, REASON_MAX };
	struct bill bill;
	struct way w;

	row();
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
		fail_with_size(sizes[i]);
	bill = bill_of(&c, 5000000, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
}
