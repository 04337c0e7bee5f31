/* Disclosed attacks with dust, fees and reserves on a channel in use.  docs/ATTACKS.md tells of each. */
#include <string.h>

#include "channel/machine.h"
#include "contract/commitment.h"
#include "tests/channel_pair.h"
#include "tests/test.h"

static const uint8_t type_static[] = { 0x10, 0x00 };

/* As if side 0 had no checks of its own. */
static void forge_add(struct pair *p, uint64_t id, struct amount_msat amount)
{
	struct msg_update_add_htlc m = { .id = id, .amount_msat = amount };
	struct buf b = BUF_EMPTY;

	m.channel_id = *channel_id_of(p->side[1].ch);
	m.payment_hash = pair_hash((uint8_t)(id + 1));
	m.cltv_expiry = p->height + 100;
	msg_update_add_htlc_encode(&m, &b);
	pair_forge(p, 1, buf_view(&b));
	buf_release(&b);
}

static void forge_fee(struct pair *p, uint32_t rate)
{
	struct msg_update_fee m = { .channel_id = *channel_id_of(p->side[1].ch), .feerate_per_kw = rate };
	struct buf b = BUF_EMPTY;

	msg_update_fee_encode(&m, &b);
	pair_forge(p, 1, buf_view(&b));
	buf_release(&b);
}

/* The victim is side 1; the attacker opens and has so much of the channel. */
static void opener_has(struct pair *p, bool anchors, struct amount_sat amount)
{
	pair_init(p);
	if (!anchors)
		p->args.channel_type = BYTES_OF(type_static);
	p->args.push = MSAT(1000000000ull - amount.v * 1000);
	pair_open(p);
	pair_forget_notes(p);
}

static const char *refused(const struct pair *p)
{
	const struct pair_note *n = pair_note(p, 1, CHANNEL_NOTE_HANG_UP);

	return n ? n->text : "";
}

/* --- CVE-2021-41591, CVE-2021-41592, CVE-2021-41593: dust inflation ---
 * Small HTLCs have no output: if the commitment is published, miners have their value.  A peer in league with a miner
 * makes as many and as large ones as it may, and lets the victim pay for them on its other channels. */

static void check_dust_limit(bool accepts, uint64_t limit, bool fine)
{
	struct buf b = BUF_EMPTY;
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	if (accepts) {
		struct msg_accept_channel m;

		(void)pair_deliver(&p, 1);
		CHECK_EQ(msg_accept_channel_decode(arena_bytes(&p.memory, pair_peek(&p, 0)), &p.memory, &m), DECODE_OK);
		m.dust_limit_satoshis = SAT(limit);
		m.channel_reserve_satoshis = SAT(20000);
		msg_accept_channel_encode(&m, &b);
		pair_replace(&p, 0, &b);
		(void)pair_deliver(&p, 0);
		CHECK_EQ(pair_has(&p, 1, MSG_FUNDING_CREATED), fine);
	} else {
		struct msg_open_channel m;

		CHECK_EQ(msg_open_channel_decode(arena_bytes(&p.memory, pair_peek(&p, 1)), &p.memory, &m), DECODE_OK);
		m.dust_limit_satoshis = SAT(limit);
		m.channel_reserve_satoshis = SAT(20000);
		msg_open_channel_encode(&m, &b);
		pair_replace(&p, 1, &b);
		(void)pair_deliver(&p, 1);
		CHECK_EQ(pair_has(&p, 0, MSG_ACCEPT_CHANNEL), fine);
	}
	pair_release(&p);
}

TEST(cve_2021_41591_a_dust_limit_that_makes_everything_dust)
{
	for (int accepts = 0; accepts < 2; accepts++) {
		check_dust_limit(accepts, 1500, true);
		check_dust_limit(accepts, 1501, false);
		check_dust_limit(accepts, 20000, false);
	}
}

TEST(cve_2021_41592_dust_from_a_peer_is_bounded)
{
	struct amount_msat kept = MSAT(0);
	uint32_t refused_count = 0;
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	p.side[0].policy.dust_exposure_max = MSAT(UINT64_MAX); /* the attacker does not mind */
	for (int i = 0; i < 483; i++)
		CHECK_EQ(pair_offer(&p, 0, MSAT(353999), (uint8_t)i, &id), OFFER_OK);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 483);
	for (uint32_t i = 0; i < p.side[1].note_count; i++) {
		const struct pair_note *n = &p.side[1].notes[i];

		if (n->kind != CHANNEL_NOTE_HTLC_IN)
			continue;
		if (n->dust_exposed)
			refused_count++;
		else
			CHECK(msat_add(&kept, kept, n->amount));
	}
	/* What may go on to another channel; the rest is only failed. */
	CHECK(!MSAT_LESS(p.side[1].policy.dust_exposure_max, kept));
	CHECK(refused_count > 300);
	pair_release(&p);
}

TEST(cve_2021_41592_dust_to_a_peer_is_bounded)
{
	struct amount_msat sum = MSAT(0);
	enum offer_result r;
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	while ((r = pair_offer(&p, 1, MSAT(353999), 1, &id)) == OFFER_OK)
		CHECK(msat_add(&sum, sum, MSAT(353999)));
	CHECK_EQ(r, OFFER_DUST);
	CHECK(!MSAT_LESS(p.side[1].policy.dust_exposure_max, sum));
	pair_release(&p);
}

TEST(cve_2021_41593_a_feerate_that_turns_htlcs_into_dust)
{
	struct pair p;
	uint64_t id;

	opener_has(&p, false, SAT(700000));
	/* Each has an output at 1200 per kw (354 + 0.703 * 1200 = 1197), and none at 8000. */
	for (int i = 0; i < 40; i++)
		CHECK_EQ(pair_offer(&p, 0, MSAT(1500000), (uint8_t)i, &id), OFFER_OK);
	pair_run(&p);
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 40);
	forge_fee(&p, 8000);
	CHECK_STR(refused(&p), "this feerate turns too many HTLCs into dust");
	CHECK_EQ(channel_record_of(p.side[1].ch)->feerates[0].per_kw, 0);
	/* A disagreement about fees is no reason to close. */
	CHECK_EQ(p.side[1].failed, 0);
	pair_release(&p);
}

/* --- Near-dust left out of the fee ---
 * LDK counted an HTLC at the dust limit as dust where it foresaw the fee, and gave it an output where it built the
 * transaction: an opener could fill the commitment with outputs that nobody had paid for. */

static void check_near_dust(bool anchors, struct amount_sat has, struct amount_msat near)
{
	struct amount_msat below = MSAT(near.v - 1000);

	for (int third = 0; third < 2; third++) {
		struct commitment_spec *spec;
		struct commitment *c;
		struct pair p;

		opener_has(&p, anchors, has);
		forge_add(&p, 0, near);
		forge_add(&p, 1, near);
		CHECK_EQ(channel_htlc_count(p.side[1].ch), 2);
		/* The third is dust, or it is not and nobody could pay for its output. */
		forge_add(&p, 2, third ? near : below);
		CHECK_STR(refused(&p), third ? "update_add_htlc that leaves its sender unable to pay the fee" : "");
		if (!third) {
			CHECK_EQ(channel_htlc_count(p.side[1].ch), 3);
			spec = channel_spec(p.side[1].ch, VIEW_LOCAL_NEXT, 1, &channel_record_of(p.side[1].ch)->local_points[1],
					    &p.memory);
			c = commitment_build(&p.memory, spec);
			CHECK(c);
			CHECK_EQ(c->htlc_count, 2);
			CHECK_EQ(c->shortfall.v, 0);
			/* BOLT 3: the whole fee is in it. */
			CHECK(!SAT_LESS(c->fee, fee_of_weight(spec->feerate, commitment_weight(spec->type, 2))));
		}
		pair_release(&p);
	}
}

TEST(near_dust_left_out_of_the_fee)
{
	/* 1,000 per kw: reserve 10,000, two outputs 1124 + 344 + 660, two HTLCs, and enough for one more that is dust. */
	check_near_dust(true, SAT(10000 + 2128 + 2 * 354 + 400), MSAT(354000));
	/* 1,200 per kw: 354 + 843 is where outputs begin. */
	check_near_dust(false, SAT(10000 + 1281 + 2 * 1197 + 1300), MSAT(1197000));
}

/* --- Zero-reserve overdraw on a fee rise ---
 * With nothing kept in reserve, an opener whose HTLCs are out cannot pay for a higher feerate any more: the balance
 * went below zero. */

TEST(zero_reserve_is_never_agreed_on)
{
	struct msg_open_channel m;
	struct buf b = BUF_EMPTY;
	struct pair p;

	/* Not by our user. */
	pair_init(&p);
	p.args.has_reserve = true;
	p.args.reserve = SAT(0);
	pair_start(&p);
	if (p.side[0].ch) {
		CHECK_EQ(msg_open_channel_decode(arena_bytes(&p.memory, pair_peek(&p, 1)), &p.memory, &m), DECODE_OK);
		CHECK(m.channel_reserve_satoshis.v >= DUST_LIMIT_MIN_SAT);
	}
	pair_release(&p);
	/* Not by the peer. */
	pair_init(&p);
	pair_start(&p);
	CHECK_EQ(msg_open_channel_decode(arena_bytes(&p.memory, pair_peek(&p, 1)), &p.memory, &m), DECODE_OK);
	m.channel_reserve_satoshis = SAT(0);
	msg_open_channel_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	CHECK(!p.side[1].ch);
	pair_release(&p);
}

TEST(zero_reserve_overdraw_on_a_fee_rise)
{
	for (int anchors = 0; anchors < 2; anchors++) {
		struct amount_msat before;
		struct pair p;

		/* HTLCs first, uncommitted, and then a rate that what is left cannot pay. */
		opener_has(&p, anchors, SAT(50000));
		forge_add(&p, 0, MSAT(15000000));
		forge_add(&p, 1, MSAT(15000000));
		CHECK_EQ(channel_htlc_count(p.side[1].ch), 2);
		before = p.side[1].ch->views[VIEW_LOCAL_NEXT].left[SIDE_REMOTE];
		CHECK_EQ(before.v, 20000000);
		forge_fee(&p, 9500);
		CHECK_STR(refused(&p), "the opener cannot afford this feerate");
		CHECK_EQ(channel_record_of(p.side[1].ch)->feerates[0].per_kw, 0);
		CHECK_EQ(p.side[1].failed, 0);
		pair_release(&p);
		/* The rate first, and then HTLCs that it no longer leaves room for. */
		opener_has(&p, anchors, SAT(50000));
		forge_fee(&p, 9500);
		CHECK_STR(refused(&p), "");
		forge_add(&p, 0, MSAT(39000000));
		CHECK_EQ(channel_htlc_count(p.side[1].ch), 0);
		CHECK_STR(refused(&p), "update_add_htlc that leaves its sender unable to pay the fee");
		pair_release(&p);
	}
}

/* Honest sides, a reserve that is next to nothing, and both move at once: the fundee's HTLCs cross the opener's rise. */
TEST(zero_reserve_overdraw_when_a_fee_rise_and_htlcs_cross)
{
	for (int anchors = 0; anchors < 2; anchors++) {
		struct channel_notes notes;
		uint32_t offered = 0, rate = 0;
		struct pair p;
		struct step *s;
		uint64_t id;

		pair_init(&p);
		if (!anchors)
			p.args.channel_type = BYTES_OF(type_static);
		p.args.funding = SAT(30000);
		p.args.push = MSAT(26000000);
		pair_open(&p);
		CHECK(channel_record_of(p.side[1].ch)->side[SIDE_LOCAL].reserve.v <= 354);
		while (offered < 15 && pair_offer(&p, 1, MSAT(1500000), (uint8_t)offered, &id) == OFFER_OK)
			offered++;
		CHECK(offered >= 5);
		pair_flush(&p, 1); /* on the wire, unread */
		s = pair_begin(&p, 0, &notes);
		for (uint32_t r = 10000; !rate; r -= 10)
			if (channel_set_feerate(p.side[0].ch, s, FEERATE(r)))
				rate = r;
		pair_end(&p, 0, &notes);
		CHECK(rate >= 2000);
		pair_flush(&p, 0);
		pair_run(&p);
		/* What could not be paid is paid as far as it goes: nobody's balance went below zero, nobody gave up. */
		CHECK_EQ(p.side[0].failed + p.side[1].failed + p.side[0].hang_ups + p.side[1].hang_ups, 0);
		CHECK_EQ(channel_htlc_count(p.side[0].ch), offered);
		pair_check_agree(&p);
		for (uint32_t i = 0; i < offered; i++)
			CHECK(pair_fulfill(&p, 0, i, (uint8_t)i));
		pair_run(&p);
		CHECK_EQ(channel_htlc_count(p.side[0].ch) + channel_htlc_count(p.side[1].ch), 0);
		pair_check_agree(&p);
		pair_release(&p);
	}
}

/* --- Absurd feerates and their overflow --- */

TEST(feerate_overflow_in_update_fee)
{
	static const uint32_t rates[] = { 0, 252, 250001, 0x7fffffff, 0x80000000, UINT32_MAX };
	static const uint32_t ours[] = { 0, 1000, UINT32_MAX };

	for (size_t e = 0; e < ARRAY_COUNT(ours); e++)
		for (size_t i = 0; i < ARRAY_COUNT(rates); i++)
			for (int anchors = 0; anchors < 2; anchors++) {
				struct pair p;

				opener_has(&p, anchors, SAT(999000));
				for (int f = 0; f < FEE_TARGETS; f++)
					p.side[1].step.fees[f] = FEERATE(ours[e]);
				forge_fee(&p, rates[i]);
				CHECK(refused(&p)[0]);
				CHECK_EQ(channel_record_of(p.side[1].ch)->feerates[0].per_kw, 0);
				CHECK_EQ(p.side[1].failed, 0);
				pair_release(&p);
			}
}

/* Signed while fees were high, lost with a link, and sent again when they are low: refused, it would come back for ever. */
TEST(a_feerate_of_an_hour_ago_is_taken)
{
	const char *why;
	struct pair p;

	pair_ready(&p, true);
	for (int f = 0; f < FEE_TARGETS; f++)
		p.side[1].step.fees[f] = FEERATE(FEERATE_FLOOR_PER_KW);
	CHECK(policy_feerate_ok(&p.side[1].policy, &p.side[1].step, FEERATE(FEERATE_FLOOR_PER_KW), FEERATE(12583), &why));
	CHECK(!policy_feerate_ok(&p.side[1].policy, &p.side[1].step, FEERATE(FEERATE_FLOOR_PER_KW),
				 FEERATE(p.side[1].policy.feerate_taken.per_kw + 1), &why));
	pair_release(&p);
}

static void fees_are(struct pair *p, uint32_t per_kw)
{
	for (int side = 0; side < 2; side++) {
		struct channel_notes notes;
		struct step *s;

		for (int f = 0; f < FEE_TARGETS; f++)
			p->side[side].step.fees[f] = FEERATE(per_kw);
		s = pair_begin(p, side, &notes);
		(void)channel_fees_moved(p->side[side].ch, s);
		pair_end(p, side, &notes);
	}
}

static bool lower(struct pair *p, uint32_t per_kw)
{
	struct channel_notes notes;
	struct step *s = pair_begin(p, 0, &notes);
	bool ok = channel_set_feerate(p->side[0].ch, s, FEERATE(per_kw));

	pair_end(p, 0, &notes);
	return ok;
}

/* Signed while fees were low, lost with a link, and sent again when they are high. */
static void lowered_and_lost(struct pair *p, bool restart)
{
	pair_ready(p, false);
	fees_are(p, 1000);
	CHECK_EQ(pair_offer(p, 0, MSAT(10000000), 1, &(uint64_t){ 0 }), OFFER_OK);
	pair_run(p);
	fees_are(p, 400);
	CHECK(lower(p, 480));
	pair_flush(p, 0);
	/* It is on its way, signed, and does not arrive. */
	CHECK(pair_has(p, 1, MSG_UPDATE_FEE) && pair_has(p, 1, MSG_COMMITMENT_SIGNED));
	while (pair_waiting(p, 1))
		pair_drop(p, 1);
	pair_cut(p);
	fees_are(p, 4000);
	if (restart) {
		pair_restart(p, 1);
		fees_are(p, 4000);
	}
	pair_connect(p);
	pair_run(p);
}

TEST(a_low_feerate_of_an_hour_ago_is_taken_if_it_was_signed_then)
{
	struct pair p;

	for (int restart = 0; restart < 2; restart++) {
		lowered_and_lost(&p, restart);
		/* B2.message_retransmission.32: it came again, and nobody hung up. */
		CHECK_EQ(channel_feerate(p.side[1].ch, SIDE_LOCAL).per_kw, 480);
		CHECK_EQ(channel_record_of(p.side[1].ch)->state, CHANNELD_NORMAL);
		pair_check_agree(&p);
		/* The opener may raise it, and what was low then is too low from then on: B2.update_fee.4. */
		CHECK(lower(&p, 4000));
		pair_run(&p);
		CHECK_EQ(channel_feerate(p.side[1].ch, SIDE_LOCAL).per_kw, 4000);
		pair_forget_notes(&p);
		CHECK(lower(&p, 480));
		pair_run(&p);
		CHECK_EQ(channel_feerate(p.side[1].ch, SIDE_LOCAL).per_kw, 4000);
		CHECK(pair_note_count(&p, 1, CHANNEL_NOTE_HANG_UP) == 1);
		pair_release(&p);
	}
}

/* Our own estimate may be the absurd one: bitcoind is not trusted that far. */
TEST(absurd_feerate_of_our_own_backend)
{
	static const enum commitment_type types[] = { COMMITMENT_STATIC_REMOTEKEY, COMMITMENT_ANCHORS };
	struct pair p;

	pair_ready(&p, true);
	for (int f = 0; f < FEE_TARGETS; f++)
		p.side[0].step.fees[f] = FEERATE(UINT32_MAX);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		CHECK(policy_feerate(&p.side[0].policy, &p.side[0].step, types[i]).per_kw <= p.side[0].policy.feerate_ceiling.per_kw);
	pair_release(&p);
}
