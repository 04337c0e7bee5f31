/* The fees of a close by agreement: BOLT 2 "Closing Negotiation: closing_signed". */
#include "tests/unit/channel_close_setup.h"
#include "tests/unit/channel_shown.h"

static const uint8_t p2wpkh[22] = { 0, 20, 9, 9 };

/* Both have said shutdown; the opener's closing_signed is next in line for side 1. */
static void to_closing_signed(struct pair *p, struct msg_closing_signed *m)
{
	CHECK(pair_shutdown(p, 0));
	while (pair_peek_type(p, 1) != MSG_CLOSING_SIGNED) {
		(void)pair_deliver(p, 1);
		if (pair_peek_type(p, 1) != MSG_CLOSING_SIGNED)
			(void)pair_deliver(p, 0);
	}
	CHECK_EQ(msg_closing_signed_decode(pair_peek(p, 1), &p->memory, m), DECODE_OK);
}

/* Signed by `side` for that fee, as it would itself. */
static void sign_close(struct pair *p, int side, struct amount_sat fee, bool omit_own, struct sig64 *sig)
{
	struct closing_spec spec = {
		.form = CLOSING_LEGACY,
		.funding = p->funding,
		.funding_amount = SAT(1000000),
		.payer_funding = p->side[0].points.funding,
		.other_funding = p->side[1].points.funding,
		.payer = { channel_record_of(p->side[0].ch)->settled[SIDE_LOCAL],
			   channel_script_view(&channel_record_of(p->side[0].ch)->side[SIDE_LOCAL].shutdown), omit_own && side == 0 },
		.other = { channel_record_of(p->side[0].ch)->settled[SIDE_REMOTE],
			   channel_script_view(&channel_record_of(p->side[0].ch)->side[SIDE_REMOTE].shutdown), omit_own && side == 1 },
		.fee = fee,
		.dust_limit = channel_record_of(p->side[side].ch)->side[SIDE_LOCAL].dust_limit,
	};
	struct closing *c = closing_build(&p->memory, &spec);

	CHECK(c);
	ecdsa_sign(p->side[side].secp, sig, &c->sighash, &p->side[side].secrets.funding, true);
}

/* As if side !to had proposed this. */
static void inject_closing(struct pair *p, int to, uint64_t fee, const struct tlv_closing_signed_fee_range *range)
{
	struct tlv_closing_signed_fee_range copy;
	struct msg_closing_signed m = { .channel_id = *channel_id_of(p->side[to].ch), .fee_satoshis = SAT(fee) };
	struct buf b = BUF_EMPTY;

	if (range) {
		copy = *range;
		m.tlvs.fee_range = &copy;
	}
	sign_close(p, !to, SAT(fee), false, &m.signature);
	msg_closing_signed_encode(&m, &b);
	while (pair_waiting(p, to) > 0)
		pair_drop(p, to);
	pair_inject(p, to, &b);
}

TEST(closing_signed_is_right)
{
	struct pair p;
	struct msg_closing_signed m;
	struct sig64 want;

	pair_ready(&p, true);
	p.side[0].step.fees[FEE_SLOW] = FEERATE(500);
	p.side[0].step.fees[FEE_URGENT] = FEERATE(3000);
	to_closing_signed(&p, &m);
	CHECK_EQ(m.fee_satoshis.v, closing_weight(22, 22)); /* B2.closing_signed.2 */
	/* B2.closing_signed.3 */
	CHECK(m.tlvs.fee_range);
	CHECK_EQ(m.tlvs.fee_range->min_fee_satoshis.v, closing_weight(22, 22) / 2);
	CHECK_EQ(m.tlvs.fee_range->max_fee_satoshis.v, closing_weight(22, 22) * 3);
	sign_close(&p, 0, m.fee_satoshis, false, &want);
	CHECK(SAME(m.signature, want)); /* B2.closing_signed.7 */
	pair_release(&p);
}

TEST(the_fundees_range)
{
	struct pair p;
	struct msg_closing_signed m;
	struct tlv_closing_signed_fee_range range = { SAT(100), SAT(5000000) };

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	/* An opener that would take any fee and proposes too little: the fundee answers with its own proposal. */
	inject_closing(&p, 1, 120, &range);
	CHECK_EQ(msg_closing_signed_decode(pair_find(&p, 0, MSG_CLOSING_SIGNED), &p.memory, &m), DECODE_OK);
	CHECK(m.tlvs.fee_range->max_fee_satoshis.v >= 5000000); /* B2.closing_signed.5 */
	CHECK_EQ(m.tlvs.fee_range->min_fee_satoshis.v, closing_weight(22, 22) * 253 / 1000); /* B2.closing_signed.6 */
	/* B2.closing_signed.17 */
	CHECK(m.fee_satoshis.v >= 170 && m.fee_satoshis.v <= 5000000);
	CHECK_EQ(channel_state_of(p.side[1].ch), CLOSINGD_SIGEXCHANGE);
	pair_release(&p);
}

TEST(attack_an_absurd_closing_fee_is_answered_and_not_signed)
{
	struct tlv_closing_signed_fee_range range = { SAT(100), SAT(5000000) };
	struct msg_closing_signed m;
	struct pair p;

	for (int old = 0; old < 2; old++) {
		pair_ready(&p, true);
		to_closing_signed(&p, &m);
		inject_closing(&p, 1, 400000, old ? NULL : &range);
		CHECK_EQ(channel_state_of(p.side[1].ch), CLOSINGD_SIGEXCHANGE);
		CHECK_EQ(msg_closing_signed_decode(pair_find(&p, 0, MSG_CLOSING_SIGNED), &p.memory, &m), DECODE_OK);
		CHECK(m.fee_satoshis.v >= 100 && m.fee_satoshis.v < 130000);
		pair_release(&p);
	}
}

TEST(the_fundee_takes_the_openers_choice_within_its_range)
{
	struct pair p;
	struct msg_closing_signed m, answer;

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	(void)pair_deliver(&p, 1);
	CHECK_EQ(msg_closing_signed_decode(pair_find(&p, 0, MSG_CLOSING_SIGNED), &p.memory, &answer), DECODE_OK);
	CHECK_EQ(answer.fee_satoshis.v, m.fee_satoshis.v); /* B2.closing_signed.17 */
	CHECK_EQ(channel_state_of(p.side[1].ch), CLOSINGD_COMPLETE);
	(void)pair_deliver(&p, 0);
	check_closed(&p); /* B2.closing_signed.9 */
	CHECK_EQ(pair_waiting(&p, 1), 0);
	pair_release(&p);
}

TEST(the_opener_takes_what_both_accept)
{
	struct pair p;
	struct msg_closing_signed m, answer;
	struct tlv_closing_signed_fee_range range;
	uint64_t fee;

	pair_ready(&p, true);
	p.side[0].step.fees[FEE_URGENT] = FEERATE(3000);
	to_closing_signed(&p, &m);
	range = (struct tlv_closing_signed_fee_range){ SAT(m.fee_satoshis.v + 10), SAT(2000000) };
	fee = m.fee_satoshis.v + 20;
	inject_closing(&p, 0, fee, &range);
	/* B2.closing_signed.15, B2.closing_signed.10, B2.closing_signed.11: the same fee comes back, and that is it */
	CHECK_EQ(msg_closing_signed_decode(BYTES(p.side[1].inbox_tail ? pair_find(&p, 1, MSG_CLOSING_SIGNED).data : NULL,
						 pair_find(&p, 1, MSG_CLOSING_SIGNED).size), &p.memory, &answer), DECODE_OK);
	pair_drop(&p, 1); /* its first one */
	CHECK_EQ(msg_closing_signed_decode(pair_peek(&p, 1), &p.memory, &answer), DECODE_OK);
	CHECK_EQ(answer.fee_satoshis.v, fee);
	CHECK_EQ(channel_state_of(p.side[0].ch), CLOSINGD_COMPLETE);
	CHECK_EQ(channel_record_of(p.side[0].ch)->closing_fee.v, fee);
	pair_release(&p);
}

TEST(a_fee_outside_of_the_overlap)
{
	struct pair p;
	struct msg_closing_signed m;
	struct tlv_closing_signed_fee_range range;

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	range = (struct tlv_closing_signed_fee_range){ SAT(1), SAT(2000000) };
	inject_closing(&p, 0, m.tlvs.fee_range->max_fee_satoshis.v + 1, &range);
	CHECK_EQ(p.side[0].failed, 1); /* B2.closing_signed.14 */
	pair_release(&p);
}

TEST(ranges_without_overlap)
{
	struct channel_notes notes;
	struct pair p;
	struct msg_closing_signed m;
	struct tlv_closing_signed_fee_range range;
	struct step *s;

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	range = (struct tlv_closing_signed_fee_range){ SAT(m.tlvs.fee_range->max_fee_satoshis.v + 1), SAT(2000000) };
	inject_closing(&p, 0, range.min_fee_satoshis.v, &range);
	CHECK_EQ(p.side[0].warnings_noted, 1); /* B2.closing_signed.12 */
	CHECK_EQ(p.side[0].failed, 0);
	CHECK(channel_deadline(p.side[0].ch) <= p.now_ms + 120000);
	p.now_ms += 120000;
	s = pair_begin(&p, 0, &notes);
	channel_tick(p.side[0].ch, s, &notes);
	pair_end(&p, 0, &notes);
	CHECK_EQ(p.side[0].failed, 1); /* B2.closing_signed.13 */
	CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST) && !pair_note(&p, 0, CHANNEL_NOTE_BROADCAST)->mutual);
	pair_release(&p);
}

TEST(a_range_beyond_all_money)
{
	struct pair p;
	struct msg_closing_signed m;
	struct tlv_closing_signed_fee_range range = { SAT(UINT64_MAX - 1), SAT(UINT64_MAX) };

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	inject_closing(&p, 1, 400, &range);
	CHECK_EQ(p.side[1].warnings_noted, 1); /* B2.closing_signed.12 */
	CHECK_EQ(p.side[1].failed, 0);
	pair_release(&p);
}

TEST(an_opener_that_changes_its_mind)
{
	struct pair p;
	struct msg_closing_signed m;
	struct tlv_closing_signed_fee_range range = { SAT(100), SAT(5000000) };

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	inject_closing(&p, 1, 120, &range);
	CHECK(pair_has(&p, 0, MSG_CLOSING_SIGNED));
	/* The fundee has answered with its choice: the opener must repeat that. */
	inject_closing(&p, 1, 400, &range);
	CHECK_EQ(p.side[1].failed, 1); /* B2.closing_signed.16 */
	pair_release(&p);
}

TEST(nobody_answers_closing_signed)
{
	struct channel_notes notes;
	struct pair p;
	struct msg_closing_signed m;
	struct step *s;

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	p.now_ms += 119999;
	s = pair_begin(&p, 0, &notes);
	channel_tick(p.side[0].ch, s, &notes);
	pair_end(&p, 0, &notes);
	CHECK_EQ(p.side[0].failed, 0);
	p.now_ms += 1;
	s = pair_begin(&p, 0, &notes);
	channel_tick(p.side[0].ch, s, &notes);
	pair_end(&p, 0, &notes);
	CHECK_EQ(p.side[0].failed, 1); /* B2.closing_signed.4 */
	pair_release(&p);
}

TEST(bad_signatures_of_a_close)
{
	for (int high_s = 0; high_s < 2; high_s++) {
		struct pair p;
		struct msg_closing_signed m;
		struct channel_id about;
		struct buf b = BUF_EMPTY;
		struct tx *shown;

		pair_ready(&p, true);
		to_closing_signed(&p, &m);
		if (high_s) {
			/* n - s of a valid one: negate the last 32 bytes modulo the order by the library's own arithmetic */
			struct secret32 sk;

			memcpy(sk.v, m.signature.v + 32, 32);
			seckey_negate(&sk);
			memcpy(m.signature.v + 32, sk.v, 32);
		} else {
			m.fee_satoshis = SAT(m.fee_satoshis.v + 1); /* not what was signed */
		}
		msg_closing_signed_encode(&m, &b);
		pair_replace(&p, 1, &b);
		(void)pair_deliver(&p, 1);
		/* B2.closing_signed.8 */
		CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "bad signature in closing_signed");
		CHECK(!pair_note(&p, 1, CHANNEL_NOTE_BROADCAST));
		/* B1.error_warning.8 */
		shown = pair_shown_tx(&p, 0, &about);
		CHECK(outpoint_equal(&shown->inputs[0].prev, &p.funding) && shown->output_count == 2);
		CHECK_EQ(shown->outputs[0].amount.v + shown->outputs[1].amount.v + m.fee_satoshis.v, 1000000);
		pair_release(&p);
	}
}

TEST(a_peer_may_leave_its_own_output_out)
{
	struct pair p;
	struct msg_closing_signed m;
	struct buf b = BUF_EMPTY;
	struct tx *t;

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	sign_close(&p, 0, m.fee_satoshis, true, &m.signature);
	msg_closing_signed_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	/* B2.closing_signed.8: the other variant of the two */
	CHECK_EQ(channel_state_of(p.side[1].ch), CLOSINGD_COMPLETE);
	t = closing_of(&p, 1);
	CHECK_EQ(t->output_count, 1);
	CHECK_EQ(t->outputs[0].amount.v, 300000);
	pair_release(&p);
}

TEST(the_old_way_without_ranges)
{
	struct pair p;
	struct msg_closing_signed m, answer;
	uint64_t ours;

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	ours = m.fee_satoshis.v;
	/* Above what the opener wants: it meets the peer half way. */
	inject_closing(&p, 0, ours + 1000, NULL);
	pair_drop(&p, 1);
	CHECK_EQ(msg_closing_signed_decode(pair_peek(&p, 1), &p.memory, &answer), DECODE_OK);
	CHECK_EQ(answer.fee_satoshis.v, ours + 500); /* B2.closing_signed.20 */
	/* The peer comes down, but stays outside of our range: again half way. */
	inject_closing(&p, 0, ours + 900, NULL);
	pair_drop(&p, 1);
	CHECK_EQ(msg_closing_signed_decode(pair_peek(&p, 1), &p.memory, &answer), DECODE_OK);
	CHECK_EQ(answer.fee_satoshis.v, ours + 700); /* B2.closing_signed.20 */
	/* And then takes ours. */
	inject_closing(&p, 0, ours + 700, NULL);
	CHECK_EQ(channel_state_of(p.side[0].ch), CLOSINGD_COMPLETE); /* B2.closing_signed.9 */
	CHECK_EQ(channel_record_of(p.side[0].ch)->closing_fee.v, ours + 700);
	pair_release(&p);

	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	inject_closing(&p, 0, m.fee_satoshis.v + 1000, NULL);
	/* Not nearer than before. */
	inject_closing(&p, 0, m.fee_satoshis.v + 1000, NULL);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "closing fee is not between the last two"); /* B2.closing_signed.18 */
	pair_release(&p);

	/* One satoshi apart: there is nothing in between. */
	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	inject_closing(&p, 0, m.fee_satoshis.v + 1, NULL);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "there is no closing fee between the last two"); /* B2.closing_signed.20 */
	pair_release(&p);

	/* A fundee that agrees at once with an opener of the old kind. */
	pair_ready(&p, true);
	to_closing_signed(&p, &m);
	inject_closing(&p, 1, m.fee_satoshis.v + 5, NULL);
	CHECK_EQ(msg_closing_signed_decode(pair_find(&p, 0, MSG_CLOSING_SIGNED), &p.memory, &answer), DECODE_OK);
	CHECK_EQ(answer.fee_satoshis.v, m.fee_satoshis.v + 5); /* B2.closing_signed.19 */
	CHECK_EQ(channel_state_of(p.side[1].ch), CLOSINGD_COMPLETE);
	pair_release(&p);
}

TEST(the_users_fee_range)
{
	struct pair p;
	struct channel_shutdown_args args = { .script = BYTES_OF(p2wpkh), .has_fee_range = true, .fee_low = FEERATE(2000),
					      .fee_high = FEERATE(4000) };
	struct channel_notes notes;
	struct step *s;

	pair_ready(&p, true);
	s = pair_begin(&p, 0, &notes);
	CHECK(channel_shutdown(p.side[0].ch, s, &notes, &args, &p.why));
	pair_end(&p, 0, &notes);
	pair_run(&p);
	check_closed(&p);
	CHECK_EQ(channel_record_of(p.side[0].ch)->closing_fee.v, closing_weight(22, 22) * 2);
	pair_release(&p);
}

TEST(an_output_that_is_dust_vanishes)
{
	struct pair p;
	struct tx *t;

	pair_init(&p);
	p.args.push = MSAT(353999);
	pair_open(&p);
	CHECK(pair_shutdown(&p, 0));
	pair_run(&p);
	t = check_closed(&p);
	CHECK_EQ(t->output_count, 1);
	CHECK_EQ(t->outputs[0].amount.v, 1000000 - 354 - channel_record_of(p.side[0].ch)->closing_fee.v);
	pair_release(&p);
}

TEST(an_output_that_would_not_relay)
{
	struct pair p;
	struct msg_closing_signed m;
	struct buf b = BUF_EMPTY;

	pair_init(&p);
	p.args.push = MSAT(200000);
	pair_open(&p);
	to_closing_signed(&p, &m);
	/* A peer with a dust limit that we would never have accepted signs for an output of 200 sat. */
	p.side[0].ch->r.side[SIDE_LOCAL].dust_limit = SAT(100);
	p.side[1].ch->r.side[SIDE_REMOTE].dust_limit = SAT(100);
	sign_close(&p, 0, m.fee_satoshis, false, &m.signature);
	msg_closing_signed_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	CHECK_EQ(p.side[1].failed, 1); /* B2.closing_signed.21 */
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_FAILED)->text, "an output of the closing transaction is dust");
	pair_release(&p);
}

TEST(closing_signed_out_of_place)
{
	struct pair p;
	struct msg_closing_signed m = { .fee_satoshis = SAT(1000) };
	struct buf b = BUF_EMPTY;

	pair_ready(&p, true);
	m.channel_id = *channel_id_of(p.side[1].ch);
	msg_closing_signed_encode(&m, &b);
	pair_inject(&p, 1, &b);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "closing_signed out of place");
	pair_release(&p);
}
