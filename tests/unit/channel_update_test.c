/* Updates: BOLT 2 "Adding an HTLC", "Removing an HTLC", "Updating Fees",
 * "max_dust_htlc_exposure_msat", "cltv_expiry_delta Selection", "Forwarding
 * HTLCs". */
#include <string.h>

#include "channel/machine.h"
#include "tests/channel_pair.h"
#include "tests/test.h"

static void ready(struct pair *p, bool anchors)
{
	pair_ready(p, anchors);
}

/* --- What we offer --- */

TEST(ids_count_up_from_zero)
{
	struct pair p;
	struct msg_update_add_htlc m;
	uint64_t id;

	ready(&p, true);
	for (uint64_t want = 0; want < 3; want++) {
		CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
		CHECK_EQ(id, want); /* B2.update_add_htlc.10, B2.update_add_htlc.11 */
	}
	pair_flush(&p, 0);
	for (uint64_t want = 0; want < 3; want++) {
		CHECK_EQ(msg_update_add_htlc_decode(pair_peek(&p, 1), &p.memory, &m), DECODE_OK);
		CHECK_EQ(m.id, want);
		CHECK_EQ(m.amount_msat.v, 1000000);
		CHECK_EQ(m.onion_routing_packet[1365], 1);
		(void)pair_deliver_quiet(&p, 1);
	}
	/* B2.update_add_htlc.18: three with one payment hash */
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 3);
	CHECK_EQ(p.side[1].hang_ups, 0);
	/* "It MUST continue incrementing": also after the earlier ones are gone */
	CHECK(pair_fail(&p, 1, 0) && pair_fail(&p, 1, 1) && pair_fail(&p, 1, 2));
	pair_run(&p);
	CHECK_EQ(channel_htlc_count(p.side[0].ch), 0);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	CHECK_EQ(id, 3); /* B2.update_add_htlc.11 */
	pair_release(&p);
}

TEST(a_path_key_goes_along)
{
	uint8_t onion[ONION_SIZE] = { 0 };
	struct pair p;
	struct htlc_offer offer = { .amount = MSAT(1000000), .cltv_expiry = 2000, .onion = BYTES_OF(onion) };
	struct channel_notes notes;
	struct step *s;
	uint64_t id;

	ready(&p, true);
	offer.path_key = &p.side[0].points.htlc;
	s = pair_begin(&p, 0, &notes);
	CHECK_EQ(channel_offer_htlc(p.side[0].ch, s, &offer, &id), OFFER_OK);
	pair_end(&p, 0, &notes);
	pair_run(&p);
	/* B2.update_add_htlc.12 */
	CHECK(pair_note(&p, 1, CHANNEL_NOTE_HTLC_IN)->has_path_key);
	CHECK(SAME(pair_note(&p, 1, CHANNEL_NOTE_HTLC_IN)->path_key, p.side[0].points.htlc));
	pair_release(&p);
}

TEST(what_may_not_be_offered)
{
	struct pair p;
	uint64_t id;

	pair_init(&p);
	p.side[1].policy.htlc_minimum = MSAT(5000);
	p.side[1].policy.max_accepted_htlcs = 5;
	p.side[1].policy.in_flight_ppm = 100000; /* 100,000 sat */
	pair_open(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(0), 1, &id), OFFER_AMOUNT_MINIMUM); /* B2.update_add_htlc.5 */
	CHECK_EQ(pair_offer(&p, 0, MSAT(4999), 1, &id), OFFER_AMOUNT_MINIMUM); /* B2.update_add_htlc.6 */
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000), 1, &id), OFFER_OK);
	/* B2.update_add_htlc.7 */
	CHECK_EQ(pair_offer_until(&p, 0, MSAT(5000), 1, 500000000, &id), OFFER_EXPIRY);
	CHECK_EQ(pair_offer_until(&p, 0, MSAT(5000), 1, 499999999, &id), OFFER_OK);
	/* B2.cltv_expiry_delta.2 */
	CHECK_EQ(pair_offer_until(&p, 0, MSAT(5000), 1, p.height, &id), OFFER_EXPIRY);
	/* B2.update_add_htlc.9 */
	CHECK_EQ(pair_offer(&p, 0, MSAT(99990001), 1, &id), OFFER_IN_FLIGHT);
	CHECK_EQ(pair_offer(&p, 0, MSAT(99980000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(&p, 0, MSAT(10001), 1, &id), OFFER_IN_FLIGHT);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000), 1, &id), OFFER_OK);
	/* B2.update_add_htlc.8: five are pending, none is committed yet */
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000), 1, &id), OFFER_COUNT);
	pair_run(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000), 1, &id), OFFER_COUNT);
	CHECK_EQ(p.side[1].hang_ups, 0);
	/* A removal counts once the peer's commitment is without it. */
	CHECK(pair_fail(&p, 1, 0));
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000), 1, &id), OFFER_COUNT);
	pair_run(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000), 1, &id), OFFER_OK);
	pair_release(&p);
}

TEST(the_opener_keeps_reserve_fee_and_spike_buffer)
{
	for (int anchors = 0; anchors < 2; anchors++) {
		struct amount_msat most, cost;
		struct pair p;
		uint64_t id;

		ready(&p, anchors);
		most = channel_spendable(p.side[0].ch, &p.side[0].step);
		/* B2.update_add_htlc.3: 700,000 sat less the reserve of 10,000 and the fee of a commitment with two HTLCs at
		 * twice the rate (1000 with anchors, 1200 without), with B2.update_add_htlc.2: the anchors. */
		cost = anchors ? msat_of_sat(SAT(2 * (1124 + 2 * 172) + 660)) : msat_of_sat(SAT(24 * (724 + 2 * 172) / 10));
		CHECK_EQ(most.v, 690000000 - cost.v);
		CHECK_EQ(pair_offer(&p, 0, MSAT(most.v + 1), 1, &id), OFFER_FEE); /* B2.update_add_htlc.3 */
		CHECK_EQ(pair_offer(&p, 0, MSAT(690000001), 1, &id), OFFER_BALANCE);
		CHECK_EQ(pair_offer(&p, 0, most, 1, &id), OFFER_OK);
		/* B2.update_add_htlc.1: nothing is left for another one, though it is not committed yet */
		CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_FEE);
		pair_run(&p);
		CHECK_EQ(p.side[1].hang_ups, 0);
		CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 1);
		pair_check_agree(&p);
		pair_release(&p);
	}
}

TEST(the_fundee_spares_the_opener)
{
	struct pair p;
	uint64_t id;

	pair_init(&p);
	/* The opener starts just above its reserve and the fee of the first commitment. */
	p.args.push = MSAT(1000000000 - (10000 + 1124 + 660 + 100) * 1000ull);
	pair_open(&p);
	CHECK_EQ(pair_offer(&p, 1, MSAT(1000000), 1, &id), OFFER_FEE); /* B2.update_add_htlc.4 */
	/* One without an output costs the opener nothing. */
	CHECK_EQ(pair_offer(&p, 1, MSAT(300000), 1, &id), OFFER_OK);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_IN), 1);
	pair_release(&p);
}

TEST(no_offer_without_a_peer_or_an_end)
{
	struct pair p;
	uint64_t id;

	pair_init(&p);
	pair_start(&p);
	pair_run(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_NOT_READY);
	pair_confirm(&p, 6);
	pair_run(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	pair_cut(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_DROPPED), 1);
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_DROPPED)->cookie[0], 77);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_NOT_READY);
	pair_connect(&p);
	/* B2.message_retransmission.9: not before the peer's channel_reestablish */
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_NOT_READY);
	pair_run(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	CHECK_EQ(id, 0);
	pair_run(&p);
	CHECK(pair_shutdown(&p, 0));
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_CLOSING); /* B2.shutdown.5 */
	pair_release(&p);
}

/* --- What the peer offers --- */

static void inject_add(struct pair *p, int to, uint64_t id, uint64_t amount, uint32_t expiry)
{
	struct msg_update_add_htlc m = { .channel_id = *channel_id_of(p->side[to].ch), .id = id, .amount_msat = MSAT(amount),
					 .payment_hash = pair_hash(1), .cltv_expiry = expiry };
	struct buf b = BUF_EMPTY;

	msg_update_add_htlc_encode(&m, &b);
	pair_inject(p, to, &b);
}

static void check_add_refused(void (*prepare)(struct pair *p), uint64_t id, uint64_t amount, uint32_t expiry, const char *why)
{
	struct pair p;

	pair_init(&p);
	if (prepare)
		prepare(&p);
	pair_open(&p);
	inject_add(&p, 1, id, amount, expiry);
	CHECK_EQ(p.side[1].hang_ups, 1);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, why);
	/* A warning and an end of the connection: the channel itself is as before. */
	CHECK_EQ(channel_state_of(p.side[1].ch), CHANNELD_NORMAL);
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 0);
	pair_release(&p);
}

static void high_minimum(struct pair *p) { p->side[1].policy.htlc_minimum = MSAT(5000); }
static void small_in_flight(struct pair *p) { p->side[1].policy.in_flight_ppm = 100000; }
static void five_htlcs(struct pair *p) { p->side[1].policy.max_accepted_htlcs = 5; }

TEST(adds_that_are_refused)
{
	check_add_refused(NULL, 0, 0, 2000, "update_add_htlc below htlc_minimum_msat"); /* B2.update_add_htlc.14 */
	check_add_refused(high_minimum, 0, 4999, 2000, "update_add_htlc below htlc_minimum_msat"); /* B2.update_add_htlc.14 */
	/* B2.update_add_htlc.15: reserve 10,000, then the fee of one HTLC and the anchors */
	check_add_refused(NULL, 0, 690000001, 2000, "update_add_htlc that its sender cannot afford");
	check_add_refused(NULL, 0, 690000000 - (1124 + 172 + 660) * 1000 + 1, 2000,
			  "update_add_htlc that leaves its sender unable to pay the fee"); /* B2.update_add_htlc.15 */
	check_add_refused(small_in_flight, 0, 100000001, 2000, "update_add_htlc above max_htlc_value_in_flight_msat"); /* B2.update_add_htlc.16 */
	check_add_refused(NULL, 0, 1000000, 500000000, "update_add_htlc with cltv_expiry in seconds"); /* B2.update_add_htlc.17 */
	check_add_refused(NULL, 1, 1000000, 2000, "update_add_htlc with an id out of order");
}

TEST(one_htlc_too_many)
{
	struct pair p;

	pair_init(&p);
	five_htlcs(&p);
	pair_open(&p);
	for (uint64_t id = 0; id < 5; id++)
		inject_add(&p, 1, id, 1000000, 2000);
	CHECK_EQ(p.side[1].hang_ups, 0);
	inject_add(&p, 1, 5, 1000000, 2000);
	/* B2.update_add_htlc.16 */
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "update_add_htlc above max_accepted_htlcs");
	/* B2.message_retransmission.6: none of them was committed */
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 0);
	CHECK_EQ(channel_record_of(p.side[1].ch)->next_htlc_id[SIDE_REMOTE], 0);
	pair_release(&p);
}

TEST(an_affordable_add_to_the_last_msat)
{
	struct pair p;

	ready(&p, true);
	inject_add(&p, 1, 0, 690000000 - (1124 + 172 + 660) * 1000, 2000);
	CHECK_EQ(p.side[1].hang_ups, 0);
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 1);
	pair_release(&p);
}

TEST(a_repeated_id_after_a_reconnection)
{
	struct pair p;

	ready(&p, true);
	inject_add(&p, 1, 0, 1000000, 2000);
	pair_cut(&p);
	pair_connect(&p);
	pair_run(&p);
	/* B2.update_add_htlc.19: what was not committed never was, so the id is used again */
	inject_add(&p, 1, 0, 2000000, 2000);
	CHECK_EQ(p.side[1].hang_ups, 0);
	CHECK_EQ(channel_htlc_get(p.side[1].ch, SIDE_REMOTE, 0)->amount.v, 2000000);
	pair_release(&p);
}

TEST(no_add_before_channel_ready)
{
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	pair_run(&p);
	inject_add(&p, 1, 0, 1000000, 2000);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "update_add_htlc before channel_ready");
	pair_release(&p);
}

/* --- Removing --- */

static void with_htlc(struct pair *p)
{
	uint64_t id;

	ready(p, true);
	CHECK_EQ(pair_offer(p, 0, MSAT(50000000), 1, &id), OFFER_OK);
	pair_run(p);
	CHECK_EQ(pair_note_count(p, 1, CHANNEL_NOTE_HTLC_IN), 1);
}

TEST(nothing_is_removed_before_it_is_irrevocable)
{
	struct pair p;
	uint64_t id;
	int round = 0;

	ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(50000000), 1, &id), OFFER_OK);
	pair_flush(&p, 0);
	while (pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN) == 0) {
		/* B2.update_fulfill_htlc_update_fail_htlc.3, B2.forwarding_htlcs.1 */
		CHECK(!pair_fulfill(&p, 1, 0, 1));
		CHECK(!pair_fail(&p, 1, 0));
		(void)pair_deliver(&p, 1);
		(void)pair_deliver(&p, 0);
		CHECK(++round < 20);
	}
	CHECK(pair_fulfill(&p, 1, 0, 1));
	/* B2.update_fulfill_htlc_update_fail_htlc.1: it leaves with the next flush */
	pair_flush(&p, 1);
	CHECK(pair_has(&p, 0, MSG_UPDATE_FULFILL_HTLC));
	CHECK(pair_fulfill(&p, 1, 0, 1)); /* again the same: nothing new */
	CHECK(!pair_fulfill(&p, 1, 0, 2));
	CHECK(!pair_fail(&p, 1, 0));
	CHECK(!pair_fulfill(&p, 1, 1, 1));
	pair_release(&p);
}

TEST(a_wrong_preimage_is_not_sent)
{
	struct pair p;

	with_htlc(&p);
	CHECK(!pair_fulfill(&p, 1, 0, 2));
	pair_flush(&p, 1);
	CHECK_EQ(pair_waiting(&p, 0), 0);
	pair_release(&p);
}

static void inject_fulfill(struct pair *p, uint64_t id, uint8_t byte)
{
	struct msg_update_fulfill_htlc m = { .channel_id = *channel_id_of(p->side[0].ch), .id = id, .payment_preimage = pair_preimage(byte) };
	struct buf b = BUF_EMPTY;

	msg_update_fulfill_htlc_encode(&m, &b);
	pair_inject(p, 0, &b);
}

static void inject_fail(struct pair *p, uint64_t id)
{
	struct msg_update_fail_htlc m = { .channel_id = *channel_id_of(p->side[0].ch), .id = id };
	struct buf b = BUF_EMPTY;

	msg_update_fail_htlc_encode(&m, &b);
	pair_inject(p, 0, &b);
}

static void inject_malformed(struct pair *p, uint64_t id, uint16_t code)
{
	struct msg_update_fail_malformed_htlc m = { .channel_id = *channel_id_of(p->side[0].ch), .id = id, .failure_code = code };
	struct buf b = BUF_EMPTY;

	msg_update_fail_malformed_htlc_encode(&m, &b);
	pair_inject(p, 0, &b);
}

TEST(removals_of_what_is_not_there)
{
	struct pair p;
	void (*const inject[])(struct pair *, uint64_t) = { inject_fail };

	(void)inject;
	with_htlc(&p);
	inject_fulfill(&p, 7, 1); /* B2.update_fulfill_htlc_update_fail_htlc.10 */
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "HTLC 7 is not there to be removed");
	pair_release(&p);
	with_htlc(&p);
	inject_fail(&p, 1); /* B2.update_fulfill_htlc_update_fail_htlc.10 */
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "HTLC 1 is not there to be removed");
	pair_release(&p);
	with_htlc(&p);
	inject_malformed(&p, 1, 0xc005); /* B2.update_fulfill_htlc_update_fail_htlc.10 */
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "HTLC 1 is not there to be removed");
	pair_release(&p);
	/* Twice the same one. */
	with_htlc(&p);
	inject_fail(&p, 0);
	CHECK_EQ(p.side[0].hang_ups, 0);
	inject_fail(&p, 0);
	CHECK_EQ(p.side[0].hang_ups, 1);
	/* The first was not committed: it is taken back (B2.message_retransmission.6). */
	CHECK_EQ(channel_htlc_get(p.side[0].ch, SIDE_LOCAL, 0)->state, SENT_ADD_ACK_REVOCATION);
	pair_release(&p);
	/* Before it is irrevocably committed. */
	ready(&p, true);
	{
		uint64_t id;

		CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	}
	inject_fulfill(&p, 0, 1);
	CHECK_EQ(p.side[0].hang_ups, 1);
	pair_release(&p);
}

TEST(a_preimage_must_fit)
{
	struct pair p;

	with_htlc(&p);
	inject_fulfill(&p, 0, 2);
	/* B2.update_fulfill_htlc_update_fail_htlc.11 */
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "wrong preimage for HTLC 0");
	CHECK(!pair_note(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED));
	pair_release(&p);
}

TEST(malformed_needs_badonion)
{
	struct pair p;

	with_htlc(&p);
	inject_malformed(&p, 0, 0x4005);
	/* B2.update_fulfill_htlc_update_fail_htlc.12 */
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "update_fail_malformed_htlc without BADONION");
	pair_release(&p);
}

TEST(a_preimage_is_known_at_once_and_for_good)
{
	struct pair p;

	with_htlc(&p);
	inject_fulfill(&p, 0, 1);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED), 1);
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED)->cookie[1], 1);
	CHECK(SAME(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED)->preimage, pair_preimage(1)));
	pair_forget_notes(&p);
	/* The proposal was not committed, and yet: */
	pair_restart(&p, 0);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED), 1);
	CHECK_EQ(channel_htlc_get(p.side[0].ch, SIDE_LOCAL, 0)->state, SENT_ADD_ACK_REVOCATION);
	pair_release(&p);
}

TEST(a_failure_is_told_when_it_is_irrevocable)
{
	struct pair p;
	int round = 0;

	with_htlc(&p);
	CHECK(pair_fail(&p, 1, 0));
	pair_flush(&p, 1);
	while (channel_htlc_count(p.side[0].ch) > 0) {
		CHECK(!pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)); /* B2.forwarding_htlcs.2 */
		(void)pair_deliver(&p, 0);
		if (channel_htlc_count(p.side[0].ch) > 0)
			(void)pair_deliver(&p, 1);
		CHECK(++round < 20);
	}
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FAILED), 1);
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->reason_size, 4);
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->failure_code, 0);
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->cookie[0], 77);
	/* Its trace is kept: it had an output in revoked commitments of the peer. */
	{
		uint32_t past = 0;

		for (const struct pair_record *r = p.side[0].store; r; r = r->next)
			past += r->kind == RECORD_HTLC_PAST;
		CHECK_EQ(past, 1);
	}
	pair_release(&p);
}

TEST(a_malformed_onion_comes_back_with_its_code)
{
	struct pair p;
	struct channel_notes notes;
	struct step *s;
	struct sha256 hash = pair_hash(9);

	with_htlc(&p);
	s = pair_begin(&p, 1, &notes);
	CHECK(!channel_fail_malformed(p.side[1].ch, s, 0, 0x4005, &hash));
	CHECK(channel_fail_malformed(p.side[1].ch, s, 0, 0xc005, &hash));
	pair_end(&p, 1, &notes);
	pair_run(&p);
	/* What upstream has to be told. */
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->failure_code, 0xc005);
	CHECK(SAME(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->sha256_of_onion, hash));
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->reason_size, 0);
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 0);
	pair_release(&p);
}

TEST(a_decision_made_offline_is_not_lost)
{
	struct pair p;

	with_htlc(&p);
	pair_cut(&p);
	CHECK(pair_fulfill(&p, 1, 0, 1));
	pair_restart(&p, 1);
	pair_connect(&p);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED), 1);
	CHECK_EQ(channel_htlc_count(p.side[0].ch), 0);
	CHECK_EQ(channel_to_us(p.side[1].ch).v, 350000000);
	pair_release(&p);
}

/* --- Dust exposure --- */

static uint32_t fill_with_dust(struct pair *p, int side)
{
	uint64_t id;
	uint32_t n = 0;

	while (pair_offer(p, side, MSAT(300000), 1, &id) == OFFER_OK)
		n++;
	return n;
}

TEST(dust_is_bounded_when_offering)
{
	struct pair p;
	uint64_t id;

	pair_init(&p);
	p.side[0].policy.dust_exposure_max = MSAT(1000000);
	pair_open(&p);
	CHECK_EQ(fill_with_dust(&p, 0), 3);
	/* B2.max_dust_htlc_exposure_msat.5, B2.max_dust_htlc_exposure_msat.7 */
	CHECK_EQ(pair_offer(&p, 0, MSAT(300000), 1, &id), OFFER_DUST);
	CHECK_EQ(pair_offer(&p, 0, MSAT(100000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(&p, 0, MSAT(354000), 1, &id), OFFER_OK); /* has an output */
	pair_release(&p);
}

TEST(dust_in_one_commitment_alone_counts)
{
	struct pair p;
	uint64_t id;

	/* Only in the peer's transaction, by its dust limit. */
	pair_init(&p);
	p.side[0].policy.dust_exposure_max = MSAT(1000000);
	p.side[1].policy.dust_limit = SAT(1000);
	pair_open(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(600000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(&p, 0, MSAT(600000), 1, &id), OFFER_DUST); /* B2.max_dust_htlc_exposure_msat.5 */
	pair_release(&p);
	/* Only in ours. */
	pair_init(&p);
	p.side[0].policy.dust_exposure_max = MSAT(1000000);
	p.side[0].policy.dust_limit = SAT(1000);
	pair_open(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(600000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(&p, 0, MSAT(600000), 1, &id), OFFER_DUST); /* B2.max_dust_htlc_exposure_msat.7 */
	pair_release(&p);
}

TEST(dust_that_arrives_is_marked)
{
	for (int whose = 0; whose < 2; whose++) {
		struct pair p;
		uint64_t id;

		pair_init(&p);
		p.side[1].policy.dust_exposure_max = MSAT(1000000);
		/* Dust in the remote's transaction, or in the local one. */
		p.side[whose].policy.dust_limit = SAT(1000);
		pair_open(&p);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(pair_offer(&p, 0, MSAT(450000), 1, &id), OFFER_OK);
		pair_run(&p);
		/* B2.max_dust_htlc_exposure_msat.1 (whose 0), B2.max_dust_htlc_exposure_msat.3 (whose 1): the third goes over the
		 * limit, and is to be failed without revealing the preimage: B2.max_dust_htlc_exposure_msat.2,
		 * B2.max_dust_htlc_exposure_msat.4 */
		CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 3);
		for (uint32_t i = 0, n = 0; i < p.side[1].note_count; i++)
			if (p.side[1].notes[i].kind == CHANNEL_NOTE_HTLC_IN)
				CHECK_EQ(p.side[1].notes[i].dust_exposed, n++ == 2);
		pair_release(&p);
	}
}

TEST(a_feerate_that_makes_too_much_dust)
{
	struct pair p;
	struct channel_notes notes;
	struct step *s;
	uint64_t id;

	pair_init(&p);
	p.side[0].policy.dust_exposure_max = MSAT(5000000);
	p.args.channel_type = BYTES("\x10\x00", 2);
	pair_open(&p);
	/* Above dust at 1200 per kw: 354 + 0.663 * 1200 = 1149, and dust at 3000: 2343. */
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pair_offer(&p, 0, MSAT(1500000), 1, &id), OFFER_OK);
	s = pair_begin(&p, 0, &notes);
	CHECK(!channel_set_feerate(p.side[0].ch, s, FEERATE(3000)));
	CHECK(channel_set_feerate(p.side[0].ch, s, FEERATE(1300)));
	pair_end(&p, 0, &notes);
	pair_release(&p);
}

/* --- update_fee --- */

static bool set_feerate(struct pair *p, int side, uint32_t rate)
{
	struct channel_notes notes;
	struct step *s = pair_begin(p, side, &notes);
	bool ok = channel_set_feerate(p->side[side].ch, s, FEERATE(rate));

	pair_end(p, side, &notes);
	return ok;
}

static void inject_fee(struct pair *p, int to, uint32_t rate)
{
	struct msg_update_fee m = { .channel_id = *channel_id_of(p->side[to].ch), .feerate_per_kw = rate };
	struct buf b = BUF_EMPTY;

	msg_update_fee_encode(&m, &b);
	pair_inject(p, to, &b);
}

TEST(the_opener_sets_the_feerate)
{
	struct pair p;

	ready(&p, false);
	CHECK_EQ(channel_feerate(p.side[1].ch, SIDE_LOCAL).per_kw, 1200);
	p.side[0].step.fees[FEE_URGENT] = FEERATE(2000);
	/* B2.update_fee.1: what the policy wants, with a margin */
	CHECK_EQ(policy_feerate(&p.side[0].policy, &p.side[0].step, COMMITMENT_STATIC_REMOTEKEY).per_kw, 2400);
	CHECK(set_feerate(&p, 0, 2400));
	CHECK(!set_feerate(&p, 0, 2400)); /* nothing new */
	CHECK(!set_feerate(&p, 1, 2500)); /* B2.update_fee.2 */
	CHECK(!set_feerate(&p, 0, 252));
	pair_run(&p);
	CHECK_EQ(channel_feerate(p.side[0].ch, SIDE_LOCAL).per_kw, 2400);
	CHECK_EQ(channel_feerate(p.side[1].ch, SIDE_LOCAL).per_kw, 2400);
	pair_check_agree(&p);
	/* Not more than it can pay above its reserve. */
	CHECK(!set_feerate(&p, 0, 960000));
	pair_release(&p);
}

TEST(feerates_that_are_refused)
{
	struct pair p;

	ready(&p, true);
	inject_fee(&p, 1, 252);
	CHECK_EQ(p.side[1].hang_ups, 1); /* B2.update_fee.4 */
	pair_release(&p);
	ready(&p, true);
	inject_fee(&p, 1, 50001);
	CHECK_EQ(p.side[1].hang_ups, 1); /* B2.update_fee.4 */
	pair_release(&p);
	ready(&p, true);
	inject_fee(&p, 0, 1500);
	/* B2.update_fee.5 */
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_HANG_UP)->text, "update_fee from the side that does not pay the fee");
	pair_release(&p);
	pair_init(&p);
	p.args.push = MSAT(1000000000 - (10000 + 1124 + 660 + 100) * 1000ull);
	pair_open(&p);
	inject_fee(&p, 1, 1200);
	/* B2.update_fee.6 */
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "the opener cannot afford this feerate");
	pair_release(&p);
}
