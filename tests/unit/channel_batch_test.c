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

/* The same moment later, as the node's tick has it. */
static void pass(struct pair *p, int side, uint64_t ms)
{
	struct channel_notes notes;
	struct step *s;

	p->now_ms += ms;
	s = pair_begin(p, side, &notes);
	channel_tick(p->side[side].ch, s, &notes);
	pair_end(p, side, &notes);
	pair_flush(p, side);
}

/* So many HTLCs of side 0 in both commitments, held by side 1. */
static void in_flight(struct pair *p, uint32_t count)
{
	offer_many(p, 0, count, 2);
	pair_flush(p, 0);
	pair_run(p);
	CHECK_EQ(pair_note_count(p, 1, CHANNEL_NOTE_HTLC_IN), count);
	pair_forget_notes(p);
}

static uint64_t deadline_of(const struct pair *p, int side)
{
	return channel_deadline(p->side[side].ch);
}

TEST(a_few_updates_wait_while_many_htlcs_stay)
{
	struct pair p;

	pair_ready(&p, true);
	in_flight(&p, 20);
	offer_many(&p, 0, 19, 3);
	pair_flush(&p, 0);
	CHECK_EQ(pair_waiting(&p, 1), 0);
	CHECK_EQ(deadline_of(&p, 0), p.now_ms + 20);
	/* As many as stay: now they are worth it. */
	offer_many(&p, 0, 1, 3);
	pair_flush(&p, 0);
	CHECK_EQ(signatures_to(&p, 1), 40);
	CHECK_EQ(deadline_of(&p, 0), UINT64_MAX);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 20);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(updates_do_not_wait_where_few_htlcs_stay)
{
	struct pair p;

	pair_ready(&p, true);
	in_flight(&p, 7);
	offer_many(&p, 0, 1, 3);
	pair_flush(&p, 0);
	CHECK_EQ(signatures_to(&p, 1), 8);
	pair_run(&p);
	pair_release(&p);
}

TEST(waiting_updates_go_with_the_commitment_that_is_owed)
{
	struct pair p;

	pair_ready(&p, true);
	in_flight(&p, 20);
	offer_many(&p, 0, 3, 3);
	pair_flush(&p, 0);
	for (uint64_t id = 0; id < 10; id++)
		CHECK(pair_fulfill(&p, 1, id, 2));
	pair_flush(&p, 1);
	CHECK_EQ(signatures_to(&p, 0), 10);
	deliver_all(&p, 0);
	/* Those that stay are signed for the ten that go, so the three cost nothing more. */
	CHECK_EQ(signatures_to(&p, 1), 10 + 3);
	CHECK_EQ(deadline_of(&p, 0), UINT64_MAX);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 3);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(a_few_removals_wait_too)
{
	struct pair p;

	pair_ready(&p, true);
	in_flight(&p, 20);
	for (uint64_t id = 0; id < 9; id++)
		CHECK(pair_fulfill(&p, 1, id, 2));
	pair_flush(&p, 1);
	CHECK_EQ(pair_waiting(&p, 0), 0);
	CHECK(pair_fulfill(&p, 1, 9, 2));
	pair_flush(&p, 1);
	CHECK_EQ(signatures_to(&p, 0), 10);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED), 10);
	pair_check_agree(&p);
	pair_release(&p);
}

/* HTLCs that somebody holds make others wait once, and not again before as many have gone. */
TEST(held_htlcs_delay_others_once)
{
	struct pair p;

	pair_ready(&p, true);
	in_flight(&p, 20);
	offer_many(&p, 0, 1, 3);
	pair_flush(&p, 0);
	pass(&p, 0, 19);
	CHECK_EQ(pair_waiting(&p, 1), 0);
	pass(&p, 0, 1);
	CHECK_EQ(signatures_to(&p, 1), 21);
	CHECK_EQ(deadline_of(&p, 0), UINT64_MAX);
	pair_run(&p);
	offer_many(&p, 0, 1, 3);
	pair_flush(&p, 0);
	CHECK_EQ(signatures_to(&p, 1), 22);
	pair_run(&p);
	for (uint64_t id = 0; id < 20; id++)
		CHECK(pair_fulfill(&p, 1, id, 2));
	pair_flush(&p, 1);
	pair_run(&p);
	pair_forget_notes(&p);
	/* They were on their way after all: two are left, and what comes now may wait again. */
	in_flight(&p, 20);
	offer_many(&p, 0, 1, 3);
	pair_flush(&p, 0);
	CHECK_EQ(pair_waiting(&p, 1), 0);
	CHECK_EQ(deadline_of(&p, 0), p.now_ms + 22);
	pair_release(&p);
}

TEST(waiting_updates_end_with_the_connection)
{
	struct pair p;

	pair_ready(&p, true);
	in_flight(&p, 20);
	offer_many(&p, 0, 3, 3);
	pair_flush(&p, 0);
	CHECK_EQ(pair_waiting(&p, 1), 0);
	pair_cut(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_DROPPED), 3);
	CHECK_EQ(deadline_of(&p, 0), UINT64_MAX);
	pair_connect(&p);
	pair_run(&p);
	pair_check_agree(&p);
	pair_release(&p);
}
