/* Normal operation of a channel: BOLT 2 "Normal Operation"; and messages that
 * are none. */
#include <string.h>

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

TEST(a_restart_while_the_signer_thinks_about_a_revocation)
{
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(50000000), 1, &id), OFFER_OK);
	pair_flush(&p, 0);
	(void)pair_deliver_quiet(&p, 1);
	p.side[1].hold_signatures = true;
	(void)pair_deliver_quiet(&p, 1);
	CHECK(p.side[1].is_held && p.side[1].held.request.kind == SIGN_REVOKE);
	/* The peer's signature is stored before the signer is asked to let the old commitment go. */
	p.side[1].hold_signatures = false;
	pair_restart(&p, 1);
	CHECK_EQ(channel_record_of(p.side[1].ch)->local_number, 1);
	CHECK_EQ(channel_record_of(p.side[1].ch)->local_revoked, 0);
	pair_cut(&p);
	pair_connect(&p);
	(void)pair_deliver(&p, 0);
	CHECK(!pair_has(&p, 1, MSG_COMMITMENT_SIGNED)); /* it has arrived */
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 1);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(messages_cut_short)
{
	static const struct {
		uint16_t type;
		const char *why;
	} cases[] = {
		{ MSG_CHANNEL_READY, "malformed channel_ready" },
		{ MSG_SHUTDOWN, "malformed shutdown" },
		{ MSG_CLOSING_SIGNED, "malformed closing_signed" },
		{ MSG_UPDATE_ADD_HTLC, "malformed update_add_htlc" },
		{ MSG_UPDATE_FULFILL_HTLC, "malformed update_fulfill_htlc" },
		{ MSG_UPDATE_FAIL_HTLC, "malformed update_fail_htlc" },
		{ MSG_UPDATE_FAIL_MALFORMED_HTLC, "malformed update_fail_malformed_htlc" },
		{ MSG_UPDATE_FEE, "malformed update_fee" },
		{ MSG_COMMITMENT_SIGNED, "malformed commitment_signed" },
		{ MSG_REVOKE_AND_ACK, "malformed revoke_and_ack" },
		{ MSG_START_BATCH, "malformed start_batch" },
		{ MSG_CHANNEL_REESTABLISH, "malformed channel_reestablish" },
		{ MSG_TX_ABORT, "malformed tx_abort" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pair p;
		struct buf b = BUF_EMPTY;

		pair_ready(&p, true);
		if (cases[i].type == MSG_CHANNEL_REESTABLISH) {
			pair_cut(&p);
			pair_connect(&p);
			pair_drop(&p, 0);
		}
		buf_add_be16(&b, cases[i].type);
		buf_add(&b, channel_id_of(p.side[0].ch)->v, 32);
		pair_inject(&p, 0, &b);
		CHECK_EQ(p.side[0].hang_ups, 1);
		CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, cases[i].why);
		CHECK_EQ(channel_state_of(p.side[0].ch), CHANNELD_NORMAL);
		/* After that the connection is dead to the channel. */
		buf_add_be16(&b, MSG_UPDATE_FEE);
		buf_add(&b, channel_id_of(p.side[0].ch)->v, 32);
		pair_inject(&p, 0, &b);
		CHECK_EQ(p.side[0].hang_ups, 1);
		pair_release(&p);
	}
}

TEST(odd_messages_are_ignored)
{
	struct pair p;
	struct buf b = BUF_EMPTY;

	pair_ready(&p, true);
	buf_add_be16(&b, 0xffff);
	buf_add(&b, channel_id_of(p.side[0].ch)->v, 32);
	pair_inject(&p, 0, &b);
	CHECK_EQ(p.side[0].hang_ups, 0);
	CHECK(channel_is_usable(p.side[0].ch));
	pair_release(&p);
}

TEST(an_invalid_second_point)
{
	struct pair p;
	struct msg_channel_ready m;
	struct buf b = BUF_EMPTY;

	pair_init(&p);
	pair_start(&p);
	pair_run(&p);
	pair_confirm(&p, 3);
	CHECK_EQ(msg_channel_ready_decode(pair_peek(&p, 0), &p.memory, &m), DECODE_OK);
	m.second_per_commitment_point.v[0] = 9;
	msg_channel_ready_encode(&m, &b);
	pair_replace(&p, 0, &b);
	(void)pair_deliver(&p, 0);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "invalid point in channel_ready");
	CHECK(!channel_record_of(p.side[0].ch)->ready_received);
	pair_release(&p);
}

TEST(what_a_view_tells)
{
	struct pair p;
	const struct channel *a, *b;
	uint64_t id;

	pair_ready(&p, true);
	a = p.side[0].ch;
	b = p.side[1].ch;
	CHECK_EQ(channel_receivable(a).v, 300000000 - 10000000);
	/* The peer pays the fee of the commitment with one HTLC and the anchors. */
	CHECK_EQ(channel_receivable(b).v, 700000000 - 10000000 - (1124 + 172 + 660) * 1000);
	CHECK_EQ(channel_spendable(b, &p.side[1].step).v, 290000000);
	CHECK_EQ(channel_commitment_fee(a, SIDE_LOCAL).v, 1124);
	CHECK_EQ(pair_offer(&p, 0, MSAT(300000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(&p, 0, MSAT(400000), 2, &id), OFFER_OK);
	CHECK(channel_is_busy(a));
	pair_run(&p);
	CHECK(!channel_is_busy(a));
	CHECK_EQ(channel_dust(a, SIDE_LOCAL).v, 300000);
	CHECK_EQ(channel_dust(b, SIDE_REMOTE).v, 300000);
	CHECK_EQ(channel_commitment_fee(b, SIDE_LOCAL).v, 1124 + 172);
	CHECK_EQ(channel_htlc_count(b), 2);
	CHECK_EQ(channel_to_us(a).v, 699300000);
	CHECK(!channel_htlc_next(b, channel_htlc_next(b, channel_htlc_next(b, NULL))));
	CHECK_EQ(channel_record_of(a)->counts[SIDE_LOCAL].offered, 2);
	CHECK_EQ(channel_record_of(a)->counts[SIDE_LOCAL].fulfilled, 0);
	CHECK(pair_fulfill(&p, 1, 0, 1) && pair_fail(&p, 1, 1));
	pair_run(&p);
	CHECK_EQ(channel_record_of(a)->counts[SIDE_LOCAL].fulfilled, 1);
	CHECK_EQ(channel_record_of(b)->counts[SIDE_REMOTE].fulfilled_amount.v, 300000);
	CHECK_EQ(channel_record_of(a)->balance_min.v, 699300000);
	CHECK_EQ(channel_record_of(a)->balance_max.v, 700000000);
	CHECK(!channel_commitment_spec(a, COMMITMENT_REMOTE_PREVIOUS, &p.memory));
	pair_release(&p);
}

TEST(the_peers_previous_commitment_can_be_rebuilt)
{
	struct pair p;
	struct txid before, rebuilt, latest;
	struct commitment *c;
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(50000000), 1, &id), OFFER_OK);
	pair_run(&p);
	/* Both will be unrevoked: the one with the HTLC, and the one that we sign now, with another one. */
	before = channel_commitment_txid(p.side[1].ch);
	CHECK_EQ(pair_offer(&p, 0, MSAT(60000000), 2, &id), OFFER_OK);
	pair_flush(&p, 0);
	c = commitment_build(&p.memory, channel_commitment_spec(p.side[0].ch, COMMITMENT_REMOTE_PREVIOUS, &p.memory));
	CHECK(c);
	rebuilt = c->txid;
	CHECK(SAME(rebuilt, before));
	c = commitment_build(&p.memory, channel_commitment_spec(p.side[0].ch, COMMITMENT_REMOTE, &p.memory));
	latest = c->txid;
	CHECK(!SAME(latest, before));
	(void)pair_deliver_quiet(&p, 1);
	(void)pair_deliver_quiet(&p, 1);
	before = channel_commitment_txid(p.side[1].ch);
	CHECK(SAME(latest, before));
	pair_release(&p);
}
