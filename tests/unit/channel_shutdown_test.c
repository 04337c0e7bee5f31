/* BOLT 2 "Closing Initiation: shutdown", and closes that run without a quarrel. */
#include "tests/unit/channel_close_setup.h"

static const uint8_t p2pkh[25] = { 0x76, 0xa9, 20 };
static const uint8_t p2wsh[34] = { 0, 32, 5, 6, 7 };
static const uint8_t p2wpkh[22] = { 0, 20, 9, 9 };
static const uint8_t p2tr[34] = { 0x51, 32, 5, 6, 7 };

static bool shutdown_to(struct pair *p, int side, struct bytes script)
{
	struct channel_shutdown_args args = { .script = script };
	struct channel_notes notes;
	struct step *s = pair_begin(p, side, &notes);
	bool ok = channel_shutdown(p->side[side].ch, s, &notes, &args, &p->why);

	pair_end(p, side, &notes);
	return ok;
}

static struct amount_sat output_to(const struct tx *t, struct bytes script)
{
	for (uint32_t i = 0; i < t->output_count; i++)
		if (bytes_equal(t->outputs[i].script, script))
			return t->outputs[i].amount;
	return SAT(0);
}

TEST(a_close_from_either_side)
{
	for (int from = 0; from < 2; from++) {
		for (int anchors = 0; anchors < 2; anchors++) {
			struct pair p;
			struct tx *t;
			uint64_t fee;

			pair_ready(&p, anchors);
			CHECK(pair_shutdown(&p, from));
			CHECK_EQ(channel_state_of(p.side[from].ch), CHANNELD_SHUTTING_DOWN);
			pair_run(&p);
			t = check_closed(&p); /* B2.shutdown.12, B2.closing_signed.1, B2.closing_signed.9 */
			/* B2.closing_signed.2: 1000 per kw of the estimate; the opener pays */
			fee = closing_weight(22, 22) * 1000 / 1000;
			CHECK_EQ(t->output_count, 2);
			CHECK_EQ(t->outputs[0].amount.v, 300000);
			CHECK_EQ(t->outputs[1].amount.v, 700000 - fee);
			CHECK_EQ(channel_record_of(p.side[0].ch)->closing_fee.v, fee);
			CHECK_EQ(channel_record_of(p.side[0].ch)->closer, from == 0 ? SIDE_LOCAL : SIDE_REMOTE);
			pair_release(&p);
		}
	}
}

TEST(shutdown_waits_for_our_updates)
{
	struct pair p;
	uint64_t id;
	uint16_t type, last = 0;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	CHECK(pair_shutdown(&p, 0));
	CHECK_EQ(pair_waiting(&p, 1), 0); /* B2.shutdown.2 */
	pair_flush(&p, 0);
	while ((type = pair_peek_type(&p, 1)) != 0) {
		if (type == MSG_SHUTDOWN)
			CHECK_EQ(last, MSG_COMMITMENT_SIGNED);
		last = type;
		(void)pair_deliver(&p, 1);
	}
	CHECK_EQ(last, MSG_SHUTDOWN);
	/* B2.shutdown.7: it is told as one that came after the beginning of the end for the receiver */
	pair_run(&p);
	CHECK(pair_note(&p, 1, CHANNEL_NOTE_HTLC_IN)->closing);
	/* With an HTLC there is no closing_signed ... */
	CHECK_EQ(channel_state_of(p.side[0].ch), CHANNELD_SHUTTING_DOWN);
	CHECK(!pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
	/* ... and once it is resolved there is. */
	CHECK(pair_fulfill(&p, 1, 0, 1));
	pair_run(&p);
	CHECK_EQ(check_closed(&p)->outputs[0].amount.v, 305000);
	pair_release(&p);
}

TEST(no_update_after_shutdown)
{
	struct pair p;
	struct msg_update_add_htlc add = { .amount_msat = MSAT(1000000), .cltv_expiry = 2000 };
	struct msg_update_fee fee = { .feerate_per_kw = 1500 };
	struct channel_notes notes;
	struct buf b = BUF_EMPTY;
	struct step *s;
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_run(&p);
	CHECK(pair_shutdown(&p, 0));
	pair_run(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_CLOSING); /* B2.shutdown.5 */
	CHECK_EQ(pair_offer(&p, 1, MSAT(1000000), 1, &id), OFFER_CLOSING);
	/* While an HTLC remains, the feerate may still move. */
	s = pair_begin(&p, 0, &notes);
	CHECK(channel_set_feerate(p.side[0].ch, s, FEERATE(1100)));
	pair_end(&p, 0, &notes);
	pair_run(&p);
	CHECK_EQ(p.side[1].hang_ups, 0);
	CHECK(pair_fail(&p, 1, 0));
	p.side[0].hold_signatures = true; /* the closing transaction waits */
	while (channel_state_of(p.side[0].ch) == CHANNELD_SHUTTING_DOWN) {
		pair_run(&p);
		if (channel_state_of(p.side[0].ch) == CHANNELD_SHUTTING_DOWN)
			pair_answer(&p, 0);
	}
	s = pair_begin(&p, 0, &notes);
	CHECK(!channel_set_feerate(p.side[0].ch, s, FEERATE(1200))); /* B2.shutdown.6 */
	pair_end(&p, 0, &notes);
	fee.channel_id = *channel_id_of(p.side[1].ch);
	msg_update_fee_encode(&fee, &b);
	pair_inject(&p, 1, &b);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "update_fee out of place"); /* B2.shutdown.6 */
	pair_release(&p);

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 1, MSAT(5000000), 1, &id), OFFER_OK);
	pair_run(&p);
	CHECK(pair_shutdown(&p, 0));
	pair_run(&p);
	add.channel_id = *channel_id_of(p.side[1].ch);
	msg_update_add_htlc_encode(&add, &b);
	pair_inject(&p, 1, &b);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "update_add_htlc after shutdown"); /* B2.shutdown.5 */
	pair_release(&p);
}

static bool set_feerate(struct pair *p, uint32_t rate)
{
	struct channel_notes notes;
	struct step *s = pair_begin(p, 0, &notes);
	bool ok = channel_set_feerate(p->side[0].ch, s, FEERATE(rate));

	pair_end(p, 0, &notes);
	return ok;
}

TEST(an_update_that_crosses_our_shutdown)
{
	struct pair p;

	pair_ready(&p, true);
	CHECK(set_feerate(&p, 1500));
	pair_flush(&p, 0);
	CHECK(pair_shutdown(&p, 1));
	CHECK(pair_has(&p, 0, MSG_SHUTDOWN));
	pair_run(&p);
	/* The opener had not seen it. */
	CHECK_EQ(p.side[1].hang_ups, 0);
	check_closed(&p);
	pair_release(&p);
}

TEST(a_feerate_that_comes_too_late_is_not_sent)
{
	struct pair p;
	uint64_t id;
	uint32_t fees = 0;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_run(&p);
	CHECK(pair_shutdown(&p, 0));
	pair_run(&p);
	CHECK(pair_fail(&p, 1, 0));
	pair_flush(&p, 1);
	/* Wanted while the HTLC is there, but the signature for its removal is on its way. */
	while (channel_record_of(p.side[0].ch)->remote_number == channel_record_of(p.side[0].ch)->remote_revoked)
		(void)pair_deliver(&p, 0);
	CHECK(set_feerate(&p, 1500));
	while (pair_waiting(&p, 0) || pair_waiting(&p, 1)) {
		fees += pair_peek_type(&p, 1) == MSG_UPDATE_FEE;
		(void)(pair_deliver(&p, 1) || pair_deliver(&p, 0));
	}
	CHECK_EQ(fees, 0); /* B2.shutdown.6 */
	check_closed(&p);
	pair_release(&p);
}

TEST(shutdown_before_the_channel_is_ready)
{
	struct pair p;

	pair_init(&p);
	CHECK(!p.side[0].ch);
	pair_start(&p);
	CHECK(!pair_shutdown(&p, 0)); /* B2.shutdown.1 */
	pair_run(&p);
	CHECK(pair_shutdown(&p, 0));
	pair_run(&p);
	check_closed(&p);
	pair_release(&p);
}

TEST(one_shutdown_only)
{
	struct pair p;
	struct msg_shutdown m = { .scriptpubkey = BYTES_OF(p2wpkh) };
	struct buf b = BUF_EMPTY;
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_run(&p);
	CHECK(pair_shutdown(&p, 0));
	CHECK_EQ(pair_waiting(&p, 1), 1);
	CHECK(pair_shutdown(&p, 0));
	CHECK_EQ(pair_waiting(&p, 1), 1); /* B2.shutdown.3 */
	pair_run(&p);
	m.channel_id = *channel_id_of(p.side[1].ch);
	msg_shutdown_encode(&m, &b);
	pair_inject(&p, 1, &b);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "a second shutdown");
	pair_release(&p);
}

TEST(scripts_that_a_shutdown_may_name)
{
	static const struct bytes good[] = { { p2wpkh, 22 }, { p2wsh, 34 }, { p2tr, 34 } };
	struct pair p;

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		pair_ready(&p, true);
		CHECK(shutdown_to(&p, 0, good[i]));
		pair_run(&p);
		CHECK_EQ(output_to(check_closed(&p), good[i]).v, 700000 - channel_record_of(p.side[0].ch)->closing_fee.v);
		pair_release(&p);
	}
	pair_ready(&p, true);
	CHECK(!shutdown_to(&p, 0, BYTES_OF(p2pkh))); /* B2.shutdown.9 */
	CHECK_STR(p.why, "the peer does not take this kind of closing script");
	CHECK(!shutdown_to(&p, 0, BYTES_NONE));
	/* Newer witness versions only where both know them. */
	p.side[0].ch->anysegwit = false;
	CHECK(!shutdown_to(&p, 0, BYTES_OF(p2tr))); /* B2.shutdown.9 */
	CHECK_EQ(channel_state_of(p.side[0].ch), CHANNELD_NORMAL);
	pair_release(&p);
}

static void inject_shutdown(struct pair *p, int to, struct bytes script)
{
	struct msg_shutdown m = { .channel_id = *channel_id_of(p->side[to].ch), .scriptpubkey = script };
	struct buf b = BUF_EMPTY;

	msg_shutdown_encode(&m, &b);
	pair_inject(p, to, &b);
}

TEST(scripts_of_the_peer)
{
	struct pair p;

	pair_ready(&p, true);
	inject_shutdown(&p, 1, BYTES_OF(p2pkh));
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "shutdown with an unknown form of scriptpubkey"); /* B2.shutdown.11 */
	CHECK_EQ(channel_state_of(p.side[1].ch), CHANNELD_NORMAL);
	pair_release(&p);
}

TEST(upfront_scripts_bind)
{
	struct pair p;
	struct tx *t;

	pair_init(&p);
	p.args.upfront_shutdown = BYTES_OF(p2wpkh);
	p.accept_upfront = BYTES_OF(p2wsh);
	pair_open(&p);
	CHECK(shutdown_to(&p, 0, BYTES_OF(p2tr))); /* whatever is asked for */
	pair_run(&p);
	t = check_closed(&p);
	CHECK(output_to(t, BYTES_OF(p2wpkh)).v > 0); /* B2.shutdown.8 */
	CHECK_EQ(output_to(t, BYTES_OF(p2wsh)).v, 300000); /* B2.shutdown.8 */
	CHECK(!pair_note(&p, 1, CHANNEL_NOTE_SCRIPT_WANTED));
	pair_release(&p);

	pair_init(&p);
	p.args.upfront_shutdown = BYTES_OF(p2wpkh);
	pair_open(&p);
	inject_shutdown(&p, 1, BYTES_OF(p2wsh));
	/* B2.shutdown.13 */
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "shutdown to another script than the upfront one");
	pair_release(&p);
}

TEST(shutdown_is_sent_again)
{
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_run(&p);
	CHECK(pair_shutdown(&p, 0));
	pair_cut(&p); /* it is lost */
	pair_restart(&p, 0);
	CHECK_EQ(channel_state_of(p.side[0].ch), CHANNELD_SHUTTING_DOWN);
	pair_connect(&p);
	(void)pair_deliver(&p, 0);
	CHECK(pair_has(&p, 1, MSG_SHUTDOWN)); /* B2.message_retransmission.47 */
	pair_run(&p);
	CHECK_EQ(channel_state_of(p.side[1].ch), CHANNELD_SHUTTING_DOWN);
	pair_cut(&p);
	pair_connect(&p);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	CHECK(pair_has(&p, 1, MSG_SHUTDOWN) && pair_has(&p, 0, MSG_SHUTDOWN)); /* B2.message_retransmission.47 */
	pair_run(&p);
	CHECK(pair_fail(&p, 1, 0));
	pair_run(&p);
	check_closed(&p);
	pair_release(&p);
}

/* The whole close, cut after n messages. */
static bool cut_after(uint32_t n, int restart)
{
	struct pair p;
	uint32_t delivered = 0;
	bool cut = false;

	pair_ready(&p, true);
	CHECK(pair_shutdown(&p, 1));
	for (int idle = 0; idle < 3;) {
		bool moved = false;

		for (int side = 1; side >= 0; side--) {
			if (!cut && delivered == n) {
				cut = moved = true;
				pair_cut(&p);
				if (restart >= 0)
					pair_restart(&p, restart);
				pair_connect(&p);
			}
			if (pair_deliver(&p, side)) {
				delivered++;
				moved = true;
			}
			pair_flush(&p, side);
		}
		idle = moved ? 0 : idle + 1;
	}
	check_closed(&p);
	CHECK_EQ(p.side[0].hang_ups + p.side[1].hang_ups + p.side[0].failed + p.side[1].failed, 0);
	/* However long the next block takes: what was agreed on is out, and nobody waits for more. */
	for (int side = 0; side < 2; side++)
		CHECK(channel_deadline(p.side[side].ch) == UINT64_MAX);
	pair_release(&p);
	return cut;
}

TEST(a_close_survives_a_cut_at_every_message)
{
	for (int restart = -1; restart < 2; restart++) {
		uint32_t n = 0;

		while (cut_after(n, restart))
			n++;
		CHECK(n >= 4);
	}
}
