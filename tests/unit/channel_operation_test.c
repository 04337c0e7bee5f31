/* Normal operation of a channel: BOLT 2 "Normal Operation". */
#include "tests/channel_pair.h"
#include "tests/test.h"

TEST(a_payment_goes_there_and_back)
{
	for (int anchors = 0; anchors < 2; anchors++) {
		struct pair p;
		uint64_t id;

		pair_ready(&p, anchors);
		CHECK_EQ(pair_offer(&p, 0, MSAT(50000000), 1, &id), OFFER_OK);
		CHECK_EQ(id, 0);
		pair_run(&p);
		CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 1);
		pair_check_agree(&p);
		CHECK(pair_fulfill(&p, 1, 0, 1));
		pair_run(&p);
		CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED), 1);
		CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN_DONE), 1);
		pair_check_agree(&p);
		CHECK_EQ(channel_to_us(p.side[0].ch).v, 650000000);
		CHECK_EQ(channel_to_us(p.side[1].ch).v, 350000000);
		CHECK_EQ(channel_htlc_count(p.side[0].ch), 0);
		pair_release(&p);
	}
}
