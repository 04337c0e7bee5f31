/* The end of a channel without agreement: BOLT 1 "The error Message", BOLT 5 "Failing a Channel". */
#include "tests/unit/channel_close_setup.h"

static void fail(struct pair *p, int side, const char *why)
{
	struct channel_notes notes;
	struct step *s = pair_begin(p, side, &notes);

	channel_fail(p->side[side].ch, s, &notes, CLOSE_USER, why);
	pair_end(p, side, &notes);
}

TEST(an_error_of_the_peer_fails_the_channel)
{
	struct pair p;

	pair_ready(&p, true);
	fail(&p, 0, "no more");
	CHECK_EQ(channel_state_of(p.side[0].ch), AWAITING_UNILATERAL);
	(void)pair_deliver(&p, 1);
	CHECK_EQ(channel_state_of(p.side[1].ch), AWAITING_UNILATERAL);
	CHECK(pair_note(&p, 1, CHANNEL_NOTE_BROADCAST));
	CHECK_EQ(p.side[1].errors_sent, 0); /* an error is not answered by an error */
	CHECK_STR(channel_record_of(p.side[1].ch)->error, "the peer sent an error: no more");
	CHECK_EQ(channel_record_of(p.side[1].ch)->closer, SIDE_REMOTE);
	pair_release(&p);
}

/* Once a fee is agreed on, no commitment of ours goes out any more. */
TEST(an_agreed_close_stands_when_the_peer_then_sends_an_error)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_ready(&p, true);
	CHECK(pair_shutdown(&p, 0));
	pair_run(&p);
	(void)check_closed(&p);
	for (int i = 0; i < 2; i++) {
		pair_forget_notes(&p);
		s = pair_begin(&p, i, &notes);
		channel_peer_error(p.side[i].ch, s, &notes, "no more");
		pair_end(&p, i, &notes);
		/* B5.failing_a_channel.2 */
		CHECK_EQ(channel_state_of(p.side[i].ch), CLOSINGD_COMPLETE);
		CHECK(!pair_note(&p, i, CHANNEL_NOTE_BROADCAST));
	}
	pair_release(&p);
}

/* Nothing of the fundee's is in either commitment: it could walk away, and does not. */
TEST(a_failed_channel_without_anything_of_ours_is_not_forgotten)
{
	struct pair p;

	pair_init(&p);
	p.args.push = MSAT(0);
	pair_open(&p);
	fail(&p, 1, "no more");
	/* B5.failing_a_channel.1 */
	CHECK_EQ(channel_state_of(p.side[1].ch), AWAITING_UNILATERAL);
	CHECK_EQ(p.side[1].forgotten, 0);
	pair_restart(&p, 1);
	CHECK_EQ(channel_state_of(p.side[1].ch), AWAITING_UNILATERAL);
	CHECK(pair_note(&p, 1, CHANNEL_NOTE_WATCH_FUNDING));
	pair_release(&p);
}

/* Both have committed to an HTLC of side 0. */
static void ready_with_htlc(struct pair *p)
{
	uint64_t id;

	pair_ready(p, true);
	CHECK_EQ(pair_offer(p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_run(p);
}

TEST(a_failed_channel_publishes_again_after_a_restart)
{
	struct pair p;
	uint64_t id;

	ready_with_htlc(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 2, &id), OFFER_OK);
	fail(&p, 0, "no more");
	/* What was not committed never was. */
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_DROPPED), 1);
	CHECK_EQ(channel_htlc_count(p.side[0].ch), 1);
	pair_forget_notes(&p);
	pair_restart(&p, 0);
	CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
	CHECK_EQ(channel_state_of(p.side[0].ch), AWAITING_UNILATERAL);
	/* Once more is no different. */
	pair_forget_notes(&p);
	fail(&p, 0, "again");
	CHECK(!pair_note(&p, 0, CHANNEL_NOTE_FAILED));
	pair_release(&p);
}

TEST(a_preimage_still_counts_on_chain)
{
	struct pair p;

	ready_with_htlc(&p);
	fail(&p, 1, "no more");
	CHECK(pair_fulfill(&p, 1, 0, 1));
	pair_restart(&p, 1);
	CHECK(channel_htlc_get(p.side[1].ch, SIDE_REMOTE, 0)->has_preimage);
	CHECK_EQ(channel_htlc_get(p.side[1].ch, SIDE_REMOTE, 0)->resolution, HTLC_FULFILLED);
	pair_release(&p);
}

TEST(what_the_chain_does)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_ready(&p, true);
	s = pair_begin(&p, 0, &notes);
	channel_funding_spent(p.side[0].ch, s, &notes, true);
	pair_end(&p, 0, &notes);
	CHECK_EQ(channel_state_of(p.side[0].ch), FUNDING_SPEND_SEEN);
	CHECK(!channel_is_connected(p.side[0].ch));
	/* A reorganization: our commitment competes again. */
	s = pair_begin(&p, 0, &notes);
	channel_funding_spent(p.side[0].ch, s, &notes, false);
	pair_end(&p, 0, &notes);
	CHECK_EQ(channel_state_of(p.side[0].ch), AWAITING_UNILATERAL);
	CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
	s = pair_begin(&p, 0, &notes);
	channel_funding_spent(p.side[0].ch, s, &notes, true);
	channel_set_onchain(p.side[0].ch, s, &notes, ONCHAIN);
	pair_end(&p, 0, &notes);
	CHECK_EQ(channel_state_of(p.side[0].ch), ONCHAIN);
	pair_restart(&p, 0);
	CHECK_EQ(channel_state_of(p.side[0].ch), ONCHAIN);
	s = pair_begin(&p, 0, &notes);
	channel_set_onchain(p.side[0].ch, s, &notes, CLOSED);
	channel_forget(p.side[0].ch, s);
	pair_end(&p, 0, &notes);
	CHECK(!p.side[0].store);
	pair_release(&p);
}

TEST(a_closed_channel_is_still_closed_after_a_reorganization)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_ready(&p, true);
	CHECK(pair_shutdown(&p, 0));
	pair_run(&p);
	check_closed(&p);
	for (int spent = 1; spent >= 0; spent--) {
		s = pair_begin(&p, 0, &notes);
		channel_funding_spent(p.side[0].ch, s, &notes, spent);
		pair_end(&p, 0, &notes);
	}
	CHECK_EQ(channel_state_of(p.side[0].ch), CLOSINGD_COMPLETE);
	CHECK(!p.side[0].published);
	pair_release(&p);
}
