/* Why a channel ended: the table, what each path gives as its reason, and that it is kept. */
#include <stdio.h>
#include <string.h>

#include "tests/channel_pair.h"
#include "tests/test.h"
#include "wire/records_channel.h"

static const struct close_evidence *evidence(const struct pair *p, int side)
{
	return &channel_record_of(p->side[side].ch)->close;
}

TEST(every_reason_has_one_word_of_its_own)
{
	uint32_t known = 0, remedies = 0;

	for (uint32_t i = 0; i < 256; i++) {
		if (!close_cause_known((uint8_t)i))
			continue;
		known++;
		CHECK(close_cause_name((enum close_cause)i)[0] && close_cause_words((enum close_cause)i)[0]);
		CHECK(!strchr(close_cause_name((enum close_cause)i), ' '));
		remedies += close_cause_remedy((enum close_cause)i) != NULL;
		/* From 40 on stand those that never end a channel. */
		CHECK_EQ(close_cause_remedy((enum close_cause)i) != NULL, i >= CLOSE_FEE_DISAGREEMENT);
		for (uint32_t j = 0; j < i; j++)
			CHECK(!close_cause_known((uint8_t)j) || strcmp(close_cause_name((enum close_cause)i), close_cause_name((enum close_cause)j)));
	}
	CHECK_EQ(known, 27);
	CHECK_EQ(remedies, 6);
}

TEST(a_channel_that_lives_has_no_reason)
{
	struct pair p;

	pair_ready(&p, true);
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_NONE);
	pair_release(&p);
}

TEST(the_user_and_the_peer)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_ready(&p, true);
	s = pair_begin(&p, 0, &notes);
	channel_fail(p.side[0].ch, s, &notes, CLOSE_USER, "enough");
	/* The first reason stays. */
	channel_fail(p.side[0].ch, s, &notes, CLOSE_USER_TIMEOUT, "too late");
	pair_end(&p, 0, &notes);
	(void)pair_deliver(&p, 1);
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_USER);
	CHECK_EQ(evidence(&p, 0)->height, p.height);
	CHECK_STR(evidence(&p, 0)->text, "enough");
	CHECK(!evidence(&p, 0)->has_htlc);
	CHECK_EQ(evidence(&p, 1)->cause, CLOSE_PEER_ERROR);
	CHECK_STR(evidence(&p, 1)->text, "the peer sent an error: enough");
	/* Stored. */
	pair_restart(&p, 0);
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_USER);
	CHECK_STR(evidence(&p, 0)->text, "enough");
	pair_release(&p);
}

TEST(the_chain_shows_an_end_that_nobody_told_of)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_ready(&p, true);
	s = pair_begin(&p, 0, &notes);
	channel_funding_spent(p.side[0].ch, s, &notes, true);
	channel_spent_because(p.side[0].ch, s, CLOSE_PEER_PUBLISHED, "spent by it");
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_PEER_PUBLISHED);
	/* That is not news any more; that it cheats is. */
	channel_spent_because(p.side[0].ch, s, CLOSE_OURS_PUBLISHED, "spent by ours");
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_PEER_PUBLISHED);
	channel_spent_because(p.side[0].ch, s, CLOSE_PEER_CHEATED, "spent by an old one");
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_PEER_CHEATED);
	pair_end(&p, 0, &notes);
	pair_restart(&p, 0);
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_PEER_CHEATED);
	CHECK_STR(evidence(&p, 0)->text, "spent by an old one");
	pair_release(&p);
}

TEST(a_signer_that_refuses)
{
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	p.side[0].refuse = true;
	pair_flush(&p, 0);
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_SIGNER);
	pair_release(&p);
}

TEST(a_revocation_that_is_none)
{
	struct msg_revoke_and_ack m = { 0 };
	struct buf b = BUF_EMPTY;
	struct pair p;

	pair_ready(&p, true);
	m.channel_id = *channel_id_of(p.side[0].ch);
	m.next_per_commitment_point = channel_record_of(p.side[0].ch)->remote_points[1];
	msg_revoke_and_ack_encode(&m, &b);
	pair_inject(&p, 0, &b);
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_REVOCATION);
	CHECK_EQ(evidence(&p, 0)->remote_number, channel_record_of(p.side[0].ch)->remote_number);
	pair_release(&p);
}

TEST(a_reestablish_that_cannot_be)
{
	struct msg_channel_reestablish m;
	struct buf b = BUF_EMPTY;
	struct pair p;

	pair_ready(&p, true);
	pair_cut(&p);
	pair_connect(&p);
	CHECK_EQ(msg_channel_reestablish_decode(pair_peek(&p, 0), &p.memory, &m), DECODE_OK);
	m.next_commitment_number = 9;
	msg_channel_reestablish_encode(&m, &b);
	pair_replace(&p, 0, &b);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_REESTABLISH);
	pair_release(&p);
}

TEST(no_agreement_on_the_close_in_time)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_ready(&p, true);
	CHECK(pair_shutdown(&p, 0));
	while (!pair_has(&p, 1, MSG_CLOSING_SIGNED))
		CHECK(pair_deliver(&p, 1) || pair_deliver(&p, 0));
	p.now_ms = channel_deadline(p.side[0].ch);
	s = pair_begin(&p, 0, &notes);
	channel_tick(p.side[0].ch, s, &notes);
	pair_end(&p, 0, &notes);
	CHECK_EQ(evidence(&p, 0)->cause, CLOSE_NEGOTIATION_TIMEOUT);
	pair_release(&p);
}

/* B2.update_fee.4, B2.commitment_signed.24: what has a remedy closes nothing. */
TEST(a_disagreement_about_fees_closes_no_channel)
{
	static const uint32_t rates[] = { 1, 252, 10000001 };
	struct buf b = BUF_EMPTY;
	struct pair p;

	for (size_t i = 0; i < ARRAY_COUNT(rates); i++) {
		struct msg_update_fee m = { .feerate_per_kw = rates[i] };

		pair_ready(&p, true);
		m.channel_id = *channel_id_of(p.side[1].ch);
		msg_update_fee_encode(&m, &b);
		pair_inject(&p, 1, &b);
		CHECK_EQ(p.side[1].hang_ups, 1);
		CHECK_EQ(p.side[1].failed, 0);
		CHECK_EQ(channel_state_of(p.side[1].ch), CHANNELD_NORMAL);
		CHECK_EQ(evidence(&p, 1)->cause, CLOSE_NONE);
		pair_release(&p);
	}
}

TEST(evidence_in_one_line)
{
	struct close_evidence e = { .cause = CLOSE_HTLC_EXPIRED, .height = 800, .has_htlc = true, .htlc_owner = SIDE_LOCAL, .htlc_id = 7,
				    .htlc_expiry = 790, .local_number = 3, .remote_number = 4, .text = "it is late" };
	char line[400];

	close_evidence_write(&e, line, sizeof(line));
	CHECK_STR(line, "cause=htlc_expired height=800 htlc=out:7 expiry=790 local=3 remote=4 text=\"it is late\"");
	snprintf(e.text, sizeof(e.text), "so\" cause=user\n\x1b[31m\xc3\xa4");
	close_evidence_write(&e, line, sizeof(line));
	CHECK_STR(line, "cause=htlc_expired height=800 htlc=out:7 expiry=790 local=3 remote=4 text=\"so? cause=user??[31m??\"");
	snprintf(e.text, sizeof(e.text), "it is late");
	e.has_htlc = false;
	e.cause = CLOSE_USER;
	close_evidence_write(&e, line, sizeof(line));
	CHECK_STR(line, "cause=user height=800 local=3 remote=4 text=\"it is late\"");
}

/* A record of version 1 ends before the evidence: it was written by a program that knew no reasons.  One of version 2 ends
 * behind it. */
TEST(records_of_older_versions_still_load)
{
	struct record_close_evidence none = { 0 };
	struct channel_record again;
	struct buf now = BUF_EMPTY, nested = BUF_EMPTY;
	struct pair p;

	pair_ready(&p, true);
	channel_record_encode(channel_record_of(p.side[0].ch), &now);
	record_close_evidence_encode(&none, &nested);
	CHECK_EQ(load_be16(now.data), 3);
	CHECK(now.size > nested.size + 4 + 4);
	now.size -= 4;
	CHECK(!channel_record_decode(buf_view(&now), &again));
	store_be16(now.data, 2);
	CHECK(channel_record_decode(buf_view(&now), &again));
	CHECK_EQ(again.feerate_low.per_kw, 0);
	CHECK_EQ(again.balance_max.v, channel_record_of(p.side[0].ch)->balance_max.v);
	store_be16(now.data, 1);
	now.size -= nested.size + 4;
	CHECK(channel_record_decode(buf_view(&now), &again));
	CHECK_EQ(again.close.cause, CLOSE_NONE);
	CHECK_EQ(again.key, channel_record_of(p.side[0].ch)->key);
	CHECK_EQ(again.balance_max.v, channel_record_of(p.side[0].ch)->balance_max.v);
	/* Nothing else is missing from it. */
	now.size--;
	CHECK(!channel_record_decode(buf_view(&now), &again));
	buf_release(&now);
	buf_release(&nested);
	pair_release(&p);
}

TEST(evidence_that_is_damaged_is_noticed)
{
	struct channel_record r, again;
	struct buf b = BUF_EMPTY;
	struct pair p;

	pair_ready(&p, true);
	r = *channel_record_of(p.side[0].ch);
	r.close.cause = CLOSE_USER;
	channel_record_encode(&r, &b);
	CHECK(channel_record_decode(buf_view(&b), &again));
	CHECK_EQ(again.close.cause, CLOSE_USER);
	buf_clear(&b);
	r.close.cause = (enum close_cause)200;
	channel_record_encode(&r, &b);
	CHECK(!channel_record_decode(buf_view(&b), &again));
	buf_release(&b);
	pair_release(&p);
}
