/* Onions in HTLCs between whole nodes: what the middle one refuses to be used for. */
#include "onion/sphinx.h"
#include "tests/unit/node_three.h"

#define ONION_OFFSET (2 + 32 + 8 + 8 + 32 + 4)

/* The next HTLC that a offers to b, still on its way. */
static struct bytes add_of_a(void)
{
	uint16_t type;

	for (const struct rig_item *i = a.head; i; i = i->next)
		if (i->kind == EFFECT_SEND && i->id == ab && msg_type(i->data, &type) && type == MSG_UPDATE_ADD_HTLC)
			return i->data;
	return BYTES_NONE;
}

static uint8_t *onion_of(struct bytes add)
{
	CHECK_EQ(add.size, ONION_OFFSET + ONION_PACKET_SIZE);
	return (uint8_t *)add.data + ONION_OFFSET;
}

/* a offers the same payment again, with the onion of the first time. */
static const struct reply *replay(const struct way *w, const uint8_t *onion)
{
	uint64_t call;

	CHECK_EQ(row_code(&a, order_way(&a, w)), REPLY_OK);
	call = order_wait(&a, w, 0);
	memcpy(onion_of(add_of_a()), onion, ONION_PACKET_SIZE);
	row_pump();
	return rig_reply(&a, call);
}

/* An onion that has been here is not opened for another HTLC: neither while its own is under way nor afterwards. */
TEST(attack_an_onion_is_handed_in_again)
{
	uint8_t onion[ONION_PACKET_SIZE];
	const struct reply *reply;
	struct bill bill;
	struct way w;

	row();
	bill = bill_of(&c, 5000000, NULL);
	w = way_to_c(&bill);
	w.has_total = true;
	w.total = MSAT(5000000);
	w.hops[1].amount = MSAT(2000000); /* c waits for more */
	w.part = 1;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	memcpy(onion, onion_of(add_of_a()), ONION_PACKET_SIZE);
	row_pump();
	CHECK_EQ(htlcs_of(&c), 1);
	w.part = 2;
	reply = replay(&w, onion);
	/* B4.onion_decryption.3 */
	CHECK(reply && reply->code != REPLY_OK);
	CHECK_EQ(htlcs_of(&c), 1);
	/* The first one is not touched by that: b forgets nothing over a restart, and fails it with what c says. */
	row_restart(&b);
	row_pump();
	CHECK_EQ(htlcs_of(&c), 1);
	w.part = 3;
	reply = replay(&w, onion);
	CHECK(reply && reply->code != REPLY_OK); /* B4.onion_decryption.3 */
	CHECK_EQ(htlcs_of(&c), 1);
	row_tick(61000);
	row_pump();
	row_is_quiet();
	w.part = 4;
	reply = replay(&w, onion);
	CHECK(reply && reply->code != REPLY_OK); /* B4.onion_decryption.3 */
	row_is_quiet();
	/* With an onion of its own it goes. */
	w.part = 5;
	w.hops[1].amount = bill.amount;
	w.hops[0].amount = MSAT(bill.amount.v + fee_of_b(bill.amount).v);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	row_is_quiet();
}
