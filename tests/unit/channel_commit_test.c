/* commitment_signed and revoke_and_ack: BOLT 2 "Committing Updates So Far",
 * "Completing the Transition to the Updated State", "Batching channel
 * messages", "Forwarding HTLCs". */
#include <string.h>

#include "channel/machine.h"
#include "contract/htlc_tx.h"
#include "tests/channel_pair.h"
#include "tests/test.h"
#include "tests/unit/channel_shown.h"

/* Offered by 0, and the commitment_signed next in line for 1. */
static void to_commitment(struct pair *p, int htlcs)
{
	uint64_t id;

	pair_ready(p, true);
	for (int i = 0; i < htlcs; i++)
		CHECK_EQ(pair_offer(p, 0, MSAT(50000000 - 1000000 * (uint64_t)i), (uint8_t)(i + 1), &id), OFFER_OK);
	pair_flush(p, 0);
	for (int i = 0; i < htlcs; i++)
		(void)pair_deliver_quiet(p, 1);
	CHECK_EQ(pair_peek_type(p, 1), MSG_COMMITMENT_SIGNED);
}

static void decode_commitment(const struct pair *p, int to, struct arena *a, struct msg_commitment_signed *m)
{
	CHECK_EQ(msg_commitment_signed_decode(pair_find(p, to, MSG_COMMITMENT_SIGNED), a, m), DECODE_OK);
}

TEST(commitment_signed_is_right)
{
	struct pair p;
	struct msg_commitment_signed m;
	struct commitment *c;
	struct sha256 hashes[3];

	to_commitment(&p, 3);
	decode_commitment(&p, 1, &p.memory, &m);
	CHECK_EQ(m.htlc_signature_count, 3);
	c = commitment_build(&p.memory, channel_commitment_spec(p.side[0].ch, COMMITMENT_REMOTE, &p.memory));
	CHECK(ecdsa_verify(&m.signature, &c->sighash, &p.side[0].points.funding));
	/* B2.commitment_signed.16: in the order of the outputs, which is not that of the offers */
	htlc_tx_countersign_hashes(&p.memory, c, hashes);
	CHECK(c->htlcs[0].htlc.id == 2 && c->htlcs[2].htlc.id == 0);
	for (int i = 0; i < 3; i++)
		CHECK(ecdsa_verify(&m.htlc_signature[i], &hashes[i], &c->keys.countersignatory_htlc));
	/* B2.commitment_signed.17 */
	CHECK(m.tlvs.funding_txid && SAME(*m.tlvs.funding_txid, p.funding.txid));
	(void)pair_deliver(&p, 1);
	CHECK_EQ(pair_peek_type(&p, 0), MSG_REVOKE_AND_ACK); /* B2.commitment_signed.35 */
	pair_release(&p);
}

TEST(no_commitment_without_updates)
{
	struct pair p;

	pair_ready(&p, true);
	for (int i = 0; i < 3; i++) {
		pair_flush(&p, 0);
		pair_flush(&p, 1);
	}
	/* B2.commitment_signed.15 */
	CHECK_EQ(pair_waiting(&p, 0) + pair_waiting(&p, 1), 0);
	pair_release(&p);
}

TEST(all_that_waits_shares_one_commitment)
{
	struct pair p;
	uint64_t id;
	uint32_t sends;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	pair_flush(&p, 0);
	sends = p.side[0].sends;
	/* The revocation is not in: these wait. */
	for (int i = 0; i < 10; i++)
		CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	pair_flush(&p, 0);
	CHECK_EQ(p.side[0].sends, sends);
	while (!pair_has(&p, 0, MSG_REVOKE_AND_ACK))
		(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(p.side[0].sends, sends + 11);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 11);
	pair_release(&p);
}

enum damage { DAMAGE_SIGNATURE, DAMAGE_HIGH_S, DAMAGE_MISSING, DAMAGE_MORE, DAMAGE_HTLC, DAMAGE_HTLC_HIGH_S, DAMAGE_ORDER, DAMAGES };

static void raise_s(struct sig64 *sig)
{
	static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c,
					   0xd0, 0x36, 0x41, 0x41 };
	int borrow = 0;

	for (int i = 31; i >= 0; i--) {
		int d = order[i] - sig->v[32 + i] - borrow;

		borrow = d < 0;
		sig->v[32 + i] = (uint8_t)(d + 256 * borrow);
	}
}

static void damage(struct msg_commitment_signed *m, enum damage how)
{
	struct sig64 swap;

	switch (how) {
	case DAMAGE_SIGNATURE:
		m->signature.v[3] ^= 1;
		break;
	case DAMAGE_HIGH_S:
		raise_s(&m->signature);
		break;
	case DAMAGE_MISSING:
		m->htlc_signature_count--;
		break;
	case DAMAGE_MORE:
		m->htlc_signature_count++;
		break;
	case DAMAGE_HTLC:
		m->htlc_signature[1].v[3] ^= 1;
		break;
	case DAMAGE_HTLC_HIGH_S:
		raise_s(&m->htlc_signature[1]);
		break;
	case DAMAGE_ORDER:
		swap = m->htlc_signature[0];
		m->htlc_signature[0] = m->htlc_signature[1];
		m->htlc_signature[1] = swap;
		break;
	case DAMAGES:
		break;
	}
}

TEST(bad_commitments_are_refused)
{
	static const char *const why[DAMAGES] = {
		"commitment_signed: bad signature of the commitment", /* B2.commitment_signed.24 */
		"commitment_signed: bad signature of the commitment", /* B2.commitment_signed.24, LOW-S */
		"commitment_signed: wrong number of HTLC signatures", /* B2.commitment_signed.25 */
		"commitment_signed: wrong number of HTLC signatures", /* B2.commitment_signed.25 */
		"commitment_signed: bad signature of an HTLC transaction", /* B2.commitment_signed.26 */
		"commitment_signed: bad signature of an HTLC transaction", /* B2.commitment_signed.26, LOW-S */
		"commitment_signed: bad signature of an HTLC transaction", /* B2.commitment_signed.26, B2.commitment_signed.16 */
	};

	for (int how = 0; how < DAMAGES; how++) {
		struct pair p;
		struct msg_commitment_signed m;
		struct channel_id about;
		struct sig64 sigs[4];
		struct buf b = BUF_EMPTY;

		to_commitment(&p, 3);
		decode_commitment(&p, 1, &p.memory, &m);
		memcpy(sigs, m.htlc_signature, 3 * sizeof(sigs[0]));
		sigs[3] = sigs[0];
		m.htlc_signature = sigs;
		damage(&m, (enum damage)how);
		msg_commitment_signed_encode(&m, &b);
		pair_replace(&p, 1, &b);
		(void)pair_deliver(&p, 1);
		CHECK_EQ(p.side[1].hang_ups, 1);
		CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, why[how]);
		/* B1.error_warning.8: the peer sees what it was to sign. */
		if (!strstr(why[how], "wrong number")) {
			struct tx *shown = pair_shown_tx(&p, 0, &about);

			CHECK(SAME(about, *channel_id_of(p.side[1].ch)));
			CHECK_EQ(outpoint_equal(&shown->inputs[0].prev, &p.funding), how < DAMAGE_MISSING);
			CHECK_EQ(shown->output_count == 1, how > DAMAGE_MORE);
		}
		/* Nothing was revoked, nothing stored: the old commitment stands. */
		CHECK_EQ(pair_waiting(&p, 0), 0);
		CHECK_EQ(channel_record_of(p.side[1].ch)->local_number, 0);
		CHECK_EQ(p.side[1].released, 0);
		CHECK_EQ(channel_htlc_count(p.side[1].ch), 0);
		/* And the channel goes on in a new connection. */
		pair_cut(&p);
		pair_connect(&p);
		pair_run(&p);
		CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 3);
		pair_check_agree(&p);
		pair_release(&p);
	}
}

TEST(a_second_commitment_before_the_revocation)
{
	struct pair p;
	struct buf b = BUF_EMPTY;

	to_commitment(&p, 1);
	buf_add_bytes(&b, pair_peek(&p, 1));
	p.side[1].hold_signatures = true;
	(void)pair_deliver(&p, 1);
	CHECK_EQ(pair_waiting(&p, 0), 0); /* nothing leaves while the signer thinks */
	pair_inject(&p, 1, &b);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "commitment_signed out of place");
	pair_release(&p);
}

/* --- revoke_and_ack --- */

static void to_revocation(struct pair *p, struct msg_revoke_and_ack *m)
{
	to_commitment(p, 1);
	(void)pair_deliver(p, 1);
	CHECK_EQ(msg_revoke_and_ack_decode(pair_find(p, 0, MSG_REVOKE_AND_ACK), &p->memory, m), DECODE_OK);
}

TEST(revoke_and_ack_is_right)
{
	struct pair p;
	struct msg_revoke_and_ack m;
	struct secret32 secret, second;
	struct pubkey point;

	to_revocation(&p, &m);
	secret = shachain_from_seed(&p.side[1].seed, SHACHAIN_FIRST);
	CHECK(SAME(m.per_commitment_secret, secret)); /* B2.revoke_and_ack.1 */
	second = shachain_from_seed(&p.side[1].seed, SHACHAIN_FIRST - 2);
	pubkey_of(p.side[1].secp, &point, &second);
	CHECK(SAME(m.next_per_commitment_point, point)); /* B2.revoke_and_ack.2 */
	/* What it rests on was stored first: a restart knows the new commitment and never publishes the old one. */
	pair_restart(&p, 1);
	CHECK_EQ(channel_record_of(p.side[1].ch)->local_number, 1); /* B2.revoke_and_ack.5 */
	CHECK_EQ(channel_commit_sigs(p.side[1].ch)->number, 1);
	pair_release(&p);
}

TEST(bad_revocations_end_the_channel)
{
	for (int how = 0; how < 4; how++) {
		struct pair p;
		struct msg_revoke_and_ack m;
		struct buf b = BUF_EMPTY;

		to_revocation(&p, &m);
		if (how == 0)
			m.per_commitment_secret.v[7] ^= 1; /* another secret */
		if (how == 1)
			memset(m.per_commitment_secret.v, 0, 32); /* no secret key at all */
		if (how == 2)
			memset(m.per_commitment_secret.v, 0xff, 32);
		if (how == 3)
			m.next_per_commitment_point.v[0] = 9;
		msg_revoke_and_ack_encode(&m, &b);
		pair_replace(&p, 0, &b);
		(void)pair_deliver(&p, 0);
		/* B2.revoke_and_ack.4 */
		CHECK_EQ(p.side[0].failed, 1);
		CHECK(pair_has(&p, 1, MSG_ERROR));
		CHECK_EQ(channel_record_of(p.side[0].ch)->remote_revoked, 0);
		CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
		pair_release(&p);
	}
}

static void inject_revocation(struct pair *p, const struct secret32 *secret)
{
	struct msg_revoke_and_ack r = { .channel_id = *channel_id_of(p->side[0].ch), .per_commitment_secret = *secret,
					.next_per_commitment_point = p->side[1].points.htlc };
	struct buf b = BUF_EMPTY;
	uint64_t id;

	CHECK_EQ(pair_offer(p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	pair_flush(p, 0);
	while (pair_waiting(p, 1) > 0)
		pair_drop(p, 1);
	msg_revoke_and_ack_encode(&r, &b);
	pair_inject(p, 0, &b);
}

TEST(a_secret_of_another_chain)
{
	struct pair p;
	struct msg_channel_ready m;
	struct secret32 first, odd = { { 5, 5, 5 } };
	struct buf b = BUF_EMPTY;

	pair_init(&p);
	pair_start(&p);
	pair_run(&p);
	pair_confirm(&p, 3);
	/* The point of commitment 1 has a secret that commitment 0's does not follow from. */
	CHECK_EQ(msg_channel_ready_decode(pair_peek(&p, 0), &p.memory, &m), DECODE_OK);
	pubkey_of(p.side[1].secp, &m.second_per_commitment_point, &odd);
	msg_channel_ready_encode(&m, &b);
	pair_replace(&p, 0, &b);
	(void)pair_deliver(&p, 0);
	CHECK(channel_is_usable(p.side[0].ch));
	first = shachain_from_seed(&p.side[1].seed, SHACHAIN_FIRST);
	inject_revocation(&p, &first);
	CHECK_EQ(p.side[0].failed, 0);
	inject_revocation(&p, &odd);
	CHECK_EQ(p.side[0].failed, 1);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_FAILED)->text, "revoke_and_ack with a secret that does not follow from the others");
	pair_release(&p);
}

TEST(a_revocation_that_nobody_asked_for)
{
	struct pair p;
	struct msg_revoke_and_ack m = { .channel_id = { { 0 } } };
	struct buf b = BUF_EMPTY;

	pair_ready(&p, true);
	m.channel_id = *channel_id_of(p.side[0].ch);
	m.per_commitment_secret = shachain_from_seed(&p.side[1].seed, SHACHAIN_FIRST);
	m.next_per_commitment_point = p.side[1].points.htlc;
	msg_revoke_and_ack_encode(&m, &b);
	pair_inject(&p, 0, &b);
	CHECK_EQ(p.side[0].failed, 1);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_FAILED)->text, "revoke_and_ack out of place");
	pair_release(&p);
}

/* --- The signer takes its time --- */

TEST(nothing_of_ours_leaves_while_the_signer_thinks)
{
	struct pair p;
	uint64_t id;
	uint32_t sends;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(&p, 1, MSAT(1000000), 2, &id), OFFER_OK);
	p.side[0].hold_signatures = true;
	sends = p.side[0].sends;
	pair_flush(&p, 0);
	pair_flush(&p, 1);
	/* The peer's add and signature come in the meantime; our revocation must not overtake our signature, which does
	 * not cover that add. */
	(void)pair_deliver(&p, 0);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(pair_waiting(&p, 0), 0);
	CHECK_EQ(p.side[0].sends, sends);
	/* New offers wait for the next signature. */
	CHECK_EQ(pair_offer(&p, 0, MSAT(2000000), 3, &id), OFFER_OK);
	pair_answer(&p, 0);
	CHECK_EQ(pair_peek_type(&p, 1), MSG_UPDATE_ADD_HTLC);
	CHECK_EQ(pair_waiting(&p, 1), 2);
	CHECK(pair_has(&p, 1, MSG_COMMITMENT_SIGNED));
	p.side[0].hold_signatures = false;
	pair_answer(&p, 0);
	CHECK(pair_has(&p, 1, MSG_REVOKE_AND_ACK));
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 2);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_IN), 1);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(a_late_answer_of_an_old_connection)
{
	struct pair p;
	uint64_t id;
	struct pair_question old;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	p.side[0].hold_signatures = true;
	pair_flush(&p, 0);
	old = p.side[0].held;
	p.side[0].is_held = false;
	pair_cut(&p);
	p.side[0].hold_signatures = false;
	pair_connect(&p);
	/* It is bound to that commitment, and asks for the same again: the strict signer would notice another one. */
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 1);
	p.side[0].held = old;
	p.side[0].is_held = true;
	pair_answer(&p, 0);
	CHECK_EQ(pair_waiting(&p, 1), 0);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(a_signer_that_refuses_ends_the_channel_safely)
{
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(1000000), 1, &id), OFFER_OK);
	p.side[0].refuse = true;
	pair_flush(&p, 0);
	CHECK_EQ(channel_state_of(p.side[0].ch), AWAITING_UNILATERAL);
	CHECK(pair_has(&p, 1, MSG_ERROR));
	CHECK(!pair_has(&p, 1, MSG_COMMITMENT_SIGNED));
	pair_release(&p);
}

/* --- Both ways at once --- */

TEST(full_duplex)
{
	struct pair p;
	uint64_t id;

	pair_ready(&p, false);
	for (uint8_t i = 1; i <= 20; i++) {
		CHECK_EQ(pair_offer(&p, i % 2, MSAT(3000000), i, &id), OFFER_OK);
		pair_flush(&p, i % 2);
		if (i % 3 == 0)
			(void)pair_deliver(&p, i % 2);
	}
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_IN), 10);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 10);
	for (uint64_t i = 0; i < 10; i++) {
		/* Odd bytes were offered by 1, even ones by 0. */
		CHECK(pair_fulfill(&p, 0, i, (uint8_t)(1 + 2 * i)));
		CHECK(pair_fulfill(&p, 1, i, (uint8_t)(2 + 2 * i)));
		if (i % 4 == 0) {
			pair_flush(&p, 0);
			(void)pair_deliver(&p, 1);
		}
	}
	pair_run(&p);
	CHECK_EQ(channel_htlc_count(p.side[0].ch) + channel_htlc_count(p.side[1].ch), 0);
	CHECK_EQ(channel_to_us(p.side[0].ch).v, 700000000);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(nine_hundred_htlcs)
{
	struct pair p;
	uint64_t id;

	pair_init(&p);
	p.args.funding = SAT(10000000);
	p.args.push = MSAT(5000000000);
	pair_open(&p);
	for (int i = 0; i < 450; i++)
		for (int side = 0; side < 2; side++)
			CHECK_EQ(pair_offer(&p, side, MSAT(1000000 + (uint64_t)i), (uint8_t)i, &id), OFFER_OK);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 450);
	CHECK_EQ(channel_commit_sigs(p.side[1].ch)->htlc_count, 900);
	pair_restart(&p, 0);
	pair_cut(&p);
	pair_connect(&p);
	pair_run(&p);
	pair_check_agree(&p);
	for (uint64_t i = 0; i < 450; i++)
		for (int side = 0; side < 2; side++)
			CHECK(pair_fulfill(&p, side, i, (uint8_t)i));
	pair_run(&p);
	CHECK_EQ(channel_htlc_count(p.side[0].ch), 0);
	pair_check_agree(&p);
	pair_release(&p);
}

/* --- Batches --- */

static void inject_batch(struct pair *p, uint16_t size, const uint16_t *type)
{
	uint16_t copy = type ? *type : 0;
	struct msg_start_batch m = { .channel_id = *channel_id_of(p->side[1].ch), .batch_size = size };
	struct buf b = BUF_EMPTY;

	if (type)
		m.tlvs.message_type = &copy;
	msg_start_batch_encode(&m, &b);
	pair_inject(p, 1, &b);
}

TEST(a_batch_without_splices)
{
	static const uint16_t commit = MSG_COMMITMENT_SIGNED;
	struct msg_commitment_signed m, other;
	struct txid strange = { { 1 } };
	struct buf right = BUF_EMPTY, obsolete = BUF_EMPTY;
	struct pair p;

	to_commitment(&p, 1);
	decode_commitment(&p, 1, &p.memory, &m);
	other = m;
	other.tlvs.funding_txid = &strange;
	other.signature.v[0] ^= 1;
	msg_commitment_signed_encode(&m, &right);
	msg_commitment_signed_encode(&other, &obsolete);
	pair_drop(&p, 1);
	inject_batch(&p, 2, &commit);
	pair_inject(&p, 1, &obsolete);
	/* B2.commitment_signed.32: the one for another funding is ignored, whatever its signature */
	CHECK_EQ(p.side[1].hang_ups + p.side[1].failed, 0);
	CHECK_EQ(pair_waiting(&p, 0), 0); /* B2.batching_channel_messages.8 */
	pair_inject(&p, 1, &right);
	/* B2.commitment_signed.34, B2.revoke_and_ack.3: one answer */
	CHECK_EQ(pair_peek_type(&p, 0), MSG_REVOKE_AND_ACK);
	CHECK_EQ(p.side[1].hang_ups + p.side[1].failed, 0);
	pair_release(&p);
}

TEST(batches_that_are_wrong)
{
	static const uint16_t commit = MSG_COMMITMENT_SIGNED, add = MSG_UPDATE_ADD_HTLC;
	struct msg_commitment_signed m;
	struct txid strange = { { 1 } };
	struct buf b = BUF_EMPTY;
	struct pair p;

	to_commitment(&p, 1);
	decode_commitment(&p, 1, &p.memory, &m);
	pair_drop(&p, 1);
	inject_batch(&p, 1, &commit);
	CHECK_EQ(p.side[1].warnings_noted, 1); /* B2.batching_channel_messages.6 */
	inject_batch(&p, 2, &add); /* B2.batching_channel_messages.10 */
	inject_batch(&p, 2, NULL); /* B2.batching_channel_messages.10 */
	msg_commitment_signed_encode(&m, &b);
	pair_inject(&p, 1, &b);
	CHECK_EQ(pair_peek_type(&p, 0), MSG_REVOKE_AND_ACK); /* B2.batching_channel_messages.5: as if it was not there */
	pair_release(&p);

	to_commitment(&p, 1);
	pair_drop(&p, 1);
	inject_batch(&p, 21, &commit);
	CHECK_EQ(p.side[1].hang_ups, 1); /* B2.batching_channel_messages.7 */
	pair_release(&p);

	to_commitment(&p, 1);
	decode_commitment(&p, 1, &p.memory, &m);
	pair_drop(&p, 1);
	inject_batch(&p, 2, &commit);
	m.tlvs.funding_txid = NULL;
	msg_commitment_signed_encode(&m, &b);
	pair_inject(&p, 1, &b);
	CHECK_EQ(p.side[1].failed, 1); /* B2.commitment_signed.28 */
	pair_release(&p);

	to_commitment(&p, 1);
	decode_commitment(&p, 1, &p.memory, &m);
	pair_drop(&p, 1);
	inject_batch(&p, 2, &commit);
	m.tlvs.funding_txid = &strange;
	for (int i = 0; i < 2; i++) {
		msg_commitment_signed_encode(&m, &b);
		pair_inject(&p, 1, &b);
	}
	CHECK_EQ(p.side[1].failed, 1); /* B2.commitment_signed.33 */
	pair_release(&p);

	to_commitment(&p, 1);
	pair_drop(&p, 1);
	inject_batch(&p, 2, &commit);
	{
		struct msg_update_fee fee = { .channel_id = *channel_id_of(p.side[1].ch), .feerate_per_kw = 1500 };

		msg_update_fee_encode(&fee, &b);
		pair_inject(&p, 1, &b);
	}
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "update_fee inside a batch");
	pair_release(&p);
}

/* --- Our own commitment --- */

TEST(the_commitment_is_signed_only_to_be_published)
{
	struct pair p;
	struct channel_notes notes;
	struct step *s;
	const struct pair_note *n;
	struct txid id;
	struct tx *t;

	to_commitment(&p, 1);
	pair_run(&p);
	CHECK(!p.side[0].published && !p.side[1].published); /* B2.revoke_and_ack.6 */
	s = pair_begin(&p, 1, &notes);
	channel_fail(p.side[1].ch, s, &notes, CLOSE_USER, "for a test");
	pair_end(&p, 1, &notes);
	CHECK(p.side[1].published);
	n = pair_note(&p, 1, CHANNEL_NOTE_BROADCAST);
	CHECK(n && !n->mutual);
	t = tx_parse(&p.memory, BYTES(n->tx, n->tx_size));
	CHECK(t && t->inputs[0].witness_count == 4);
	/* B2.revoke_and_ack.5: the latest one, which the peer has signed, and which it knows as its remote one */
	id = tx_id(t);
	CHECK(SAME(id, channel_commitment_txid(p.side[1].ch)));
	{
		struct commitment *c = commitment_build(&p.memory, channel_commitment_spec(p.side[0].ch, COMMITMENT_REMOTE, &p.memory));

		CHECK(SAME(c->txid, id));
	}
	pair_release(&p);
}
