/* How updates share commitments: each one costs a signature and a verification
 * for every HTLC in it. */
#include "tests/channel_pair.h"
#include "tests/test.h"

static void offer_many(struct pair *p, int side, uint32_t count, uint8_t byte)
{
	uint64_t id;

	for (uint32_t i = 0; i < count; i++)
		CHECK_EQ(pair_offer(p, side, MSAT(5000000), byte, &id), OFFER_OK);
}

/* All that waits, as one read of a socket gives it, then one flush. */
static void deliver_all(struct pair *p, int to)
{
	for (uint32_t i = pair_waiting(p, to); i > 0; i--)
		CHECK(pair_deliver_quiet(p, to));
	pair_flush(p, to);
}

static uint32_t signatures_to(const struct pair *p, int to)
{
	struct bytes m = pair_find(p, to, MSG_COMMITMENT_SIGNED);

	return load_be16(m.data + 2 + 32 + 64);
}

/* Side 1's HTLCs arrive while side 0 has queued its own. */
static void cross(struct pair *p, uint32_t queued)
{
	offer_many(p, 1, 2, 1);
	pair_flush(p, 1);
	offer_many(p, 0, queued, 2);
	deliver_all(p, 0);
}

TEST(many_offers_wait_for_the_commitment_that_resolves_what_is_acknowledged)
{
	struct pair p;

	pair_ready(&p, true);
	cross(&p, 10);
	/* The two of side 1 alone; the ten would be signed again when those two are resolved. */
	CHECK_EQ(signatures_to(&p, 1), 2);
	CHECK(!pair_has(&p, 1, MSG_UPDATE_ADD_HTLC));
	deliver_all(&p, 1);
	for (uint32_t i = pair_waiting(&p, 0); i > 0; i--)
		CHECK(pair_deliver_quiet(&p, 0));
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_IN), 2);
	CHECK(pair_fulfill(&p, 0, 0, 1) && pair_fulfill(&p, 0, 1, 1));
	pair_flush(&p, 0);
	CHECK_EQ(signatures_to(&p, 1), 10);
	CHECK(pair_has(&p, 1, MSG_UPDATE_FULFILL_HTLC) && pair_has(&p, 1, MSG_UPDATE_ADD_HTLC));
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 10);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(offers_wait_for_one_commitment_only)
{
	struct pair p;

	pair_ready(&p, true);
	cross(&p, 10);
	CHECK_EQ(signatures_to(&p, 1), 2);
	/* More of the peer's to acknowledge, and nothing resolved: now they go. */
	offer_many(&p, 1, 3, 3);
	deliver_all(&p, 1);
	deliver_all(&p, 0);
	CHECK_EQ(signatures_to(&p, 1), 2 + 3 + 10);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 10);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(a_few_offers_never_wait)
{
	struct pair p;

	pair_ready(&p, true);
	cross(&p, 7);
	CHECK_EQ(signatures_to(&p, 1), 2 + 7);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 7);
	pair_release(&p);
}

TEST(offers_do_not_wait_where_nothing_of_the_peer_is_acknowledged)
{
	struct pair p;

	pair_ready(&p, true);
	offer_many(&p, 0, 20, 2);
	pair_flush(&p, 0);
	CHECK_EQ(signatures_to(&p, 1), 20);
	pair_run(&p);
	pair_release(&p);
}

/* Held offers are dropped with the connection like any that no signature covers. */
TEST(held_offers_are_dropped_with_the_connection)
{
	struct pair p;

	pair_ready(&p, true);
	cross(&p, 10);
	pair_cut(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_DROPPED), 10);
	pair_connect(&p);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_IN), 2);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 0);
	pair_check_agree(&p);
	pair_release(&p);
}
