/* The end of a channel: BOLT 2 "Channel Close" (shutdown, closing_signed), BOLT 1
 * "The error Message", BOLT 5 "Failing a Channel". */
#include <string.h>

#include "channel/machine.h"
#include "contract/closing.h"
#include "tests/channel_pair.h"
#include "tests/test.h"

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

static struct tx *closing_of(struct pair *p, int side)
{
	const struct pair_note *n = pair_note(p, side, CHANNEL_NOTE_BROADCAST);

	CHECK(n && n->mutual);
	return tx_parse(&p->memory, BYTES(n->tx, n->tx_size));
}

/* Both have the same transaction, signed by both. */
static struct tx *check_closed(struct pair *p)
{
	struct tx *a, *b;
	struct txid x, y;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(channel_state_of(p->side[i].ch), CLOSINGD_COMPLETE);
	a = closing_of(p, 0);
	b = closing_of(p, 1);
	x = tx_id(a);
	y = tx_id(b);
	CHECK(SAME(x, y));
	CHECK(outpoint_equal(&a->inputs[0].prev, &p->funding));
	CHECK_EQ(a->inputs[0].witness_count, 4);
	CHECK(!p->side[0].published && !p->side[1].published);
	for (int i = 0; i < 2; i++) {
		struct bytes script = funding_witness_script(&p->memory, &p->side[0].points.funding, &p->side[1].points.funding);
		struct sha256 hash = sighash_segwit(a, 0, script, SAT(1000000), SIGHASH_ALL);
		struct sig64 sig;
		bool found = false;

		for (uint32_t w = 1; w <= 2; w++) {
			struct bytes item = a->inputs[0].witness[w];

			CHECK(sig_from_der(&sig, BYTES(item.data, item.size - 1)));
			found |= ecdsa_verify(&sig, &hash, &p->side[i].points.funding);
		}
		CHECK(found); /* B2.closing_signed.7 */
	}
	return a;
}

static struct amount_sat output_to(const struct tx *t, struct bytes script)
{
	for (uint32_t i = 0; i < t->output_count; i++)
		if (bytes_equal(t->outputs[i].script, script))
			return t->outputs[i].amount;
	return SAT(0);
}

/* --- By agreement --- */

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

/* --- Fees of the closing transaction --- */

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
		struct buf b = BUF_EMPTY;

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

/* --- Without agreement --- */

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

TEST(a_failed_channel_publishes_again_after_a_restart)
{
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_run(&p);
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
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_run(&p);
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
