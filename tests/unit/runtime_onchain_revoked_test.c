/* core/onchain: the peer publishes a commitment that it has revoked, and loses all of it. */
#include "tests/unit/onchain_setup.h"

#define CHEAT_DELAY 720u /* the peer's own outputs wait so long */

static struct bed b;
static struct commitment *cheat;

static void begin(void)
{
	bed_release(&b);
	bed_init(&b);
}

static uint32_t place(enum side owner, uint64_t id)
{
	for (uint32_t i = 0; i < cheat->htlc_count; i++)
		if (cheat->htlcs[i].htlc.id == id && cheat->htlcs[i].htlc.offered_by_broadcaster == (owner == SIDE_REMOTE))
			return cheat->htlcs[i].index;
	CHECK(false);
	return 0;
}

/* What we take in all claims that are out: a bit an output of the commitment. */
static uint64_t taken_by(const struct tx *t)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < t->input_count; i++)
		if (SAME(t->inputs[i].prev.txid, cheat->txid))
			set |= 1ull << t->inputs[i].prev.index;
	return set;
}

static uint64_t bit(uint32_t output)
{
	return 1ull << output;
}

/* All claims of the notes, withdrawn ones aside; those of this output are returned. */
static struct tx *claim_of(const struct txid *txid, uint32_t output)
{
	struct tx *found = NULL;

	while (b.notes.head && (b.notes.head->kind == ONCHAIN_NOTE_BROADCAST || b.notes.head->kind == ONCHAIN_NOTE_WITHDRAW)) {
		struct tx *t;

		if (b.notes.head->kind == ONCHAIN_NOTE_WITHDRAW) {
			bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
			continue;
		}
		t = bed_any_claim(&b);
		for (uint32_t i = 0; i < t->input_count; i++)
			if (SAME(t->inputs[i].prev.txid, *txid) && t->inputs[i].prev.index == output)
				found = t;
	}
	return found;
}

/* The cheater's HTLC transaction with these outputs of the commitment; it has a coin and change of its own as well. */
static struct tx *their_htlc_tx(const uint32_t *outputs, uint32_t count, const struct preimage *preimage)
{
	struct tx *t = tx_new(&b.p.arena, 2, count + 1, count + 1, 0);
	struct bytes items[5] = { BYTES_NONE, BYTES("signature", 9), BYTES("signature", 9),
				  preimage ? BYTES_OF(preimage->v) : BYTES_NONE, BYTES("script", 6) };

	for (uint32_t i = 0; i < count; i++) {
		t->inputs[i].prev = (struct outpoint){ cheat->txid, outputs[i] };
		t->outputs[i] = (struct tx_output){ cheat->tx->outputs[outputs[i]].amount,
						    script_p2wsh(&b.p.arena, cheat->to_local_script) };
		tx_set_witness(&b.p.arena, t, i, items, 5);
	}
	t->inputs[count].prev.txid.v[5] = 77;
	t->outputs[count] = (struct tx_output){ SAT(777), b.destination };
	return t;
}

/* Two HTLCs of each side, one of each gone since.  Commitment 2 had them all. */
static void begin_with_htlcs(void)
{
	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	bed_htlc(&b, SIDE_REMOTE, 3, 60000, RCVD_ADD_ACK_REVOCATION);
	bed_htlc(&b, SIDE_LOCAL, 1, 30000, SENT_ADD_ACK_REVOCATION);
	bed_htlc(&b, SIDE_REMOTE, 1, 20000, RCVD_ADD_ACK_REVOCATION);
	b.r.next_htlc_id[SIDE_LOCAL] = b.r.next_htlc_id[SIDE_REMOTE] = 4;
	cheat = bed_their_number(&b, 2);
	CHECK_EQ(cheat->htlc_count, 4);
	bed_past(&b, &b.htlcs[2], 1, 2);
	bed_past(&b, &b.htlcs[3], 2, 3);
	b.htlc_count = 2;
}

static uint64_t everything(void)
{
	return bit(cheat->to_local) | bit(cheat->to_remote) | bit(place(SIDE_LOCAL, 3)) | bit(place(SIDE_REMOTE, 3)) |
	       bit(place(SIDE_LOCAL, 1)) | bit(place(SIDE_REMOTE, 1));
}

TEST(everything_of_a_revoked_commitment_is_taken)
{
	uint64_t taken = 0;

	begin_with_htlcs();
	bed_spent(&b, cheat->tx);
	CHECK_EQ(onchain_kind(b.o), ONCHAIN_THEIR_REVOKED_COMMITMENT);
	/* B5.revoked_transaction_close_handling.2, B5.revoked_transaction_close_handling.3,
	 * B5.revoked_transaction_close_handling.6 */
	while (b.notes.head)
		taken |= taken_by(bed_any_claim(&b));
	CHECK_EQ(taken, everything());
	CHECK_EQ(b.loudest, LOG_WARN);
	CHECK_EQ(bed_output(&b, cheat->to_local)->deadline, BED_HEIGHT + CHEAT_DELAY);
	CHECK_EQ(bed_output(&b, place(SIDE_REMOTE, 1))->deadline, BED_HEIGHT + CHEAT_DELAY);
	CHECK_EQ(bed_output(&b, place(SIDE_REMOTE, 1))->htlc_id, 1);
	CHECK_EQ(bed_output(&b, place(SIDE_LOCAL, 1))->what, ONCHAIN_HTLC_OURS);
}

TEST(neither_a_preimage_nor_a_timeout_changes_the_penalty)
{
	struct channel_htlc *h;
	uint64_t taken = 0;

	begin();
	h = bed_htlc(&b, SIDE_REMOTE, 3, 60000, RCVD_ADD_ACK_REVOCATION);
	h->has_preimage = true;
	h->resolution = HTLC_FULFILLED;
	h->preimage = bed_preimage(3);
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT - 10;
	cheat = bed_their_number(&b, 2);
	bed_spent(&b, cheat->tx);
	/* One of three ways, and always the same one: B5.revoked_transaction_close_handling.4,
	 * B5.revoked_transaction_close_handling.7 */
	while (b.notes.head)
		taken |= taken_by(bed_any_claim(&b));
	CHECK(taken & bit(place(SIDE_REMOTE, 3)) && taken & bit(place(SIDE_LOCAL, 3)));
}

TEST(static_remotekey_is_punished_too)
{
	uint64_t taken = 0;

	begin();
	b.r.type = COMMITMENT_STATIC_REMOTEKEY;
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	bed_htlc(&b, SIDE_REMOTE, 3, 60000, RCVD_ADD_ACK_REVOCATION);
	cheat = bed_their_number(&b, 0);
	bed_spent(&b, cheat->tx);
	while (b.notes.head)
		taken |= taken_by(bed_any_claim(&b));
	CHECK_EQ(taken, bit(cheat->to_local) | bit(cheat->to_remote) | bit(place(SIDE_LOCAL, 3)) | bit(place(SIDE_REMOTE, 3)));
}

TEST(an_htlc_of_another_time_is_not_looked_for)
{
	begin_with_htlcs();
	b.past[0].remote_last = 1; /* says the store: then it is not that one */
	bed_spent(&b, cheat->tx);
	CHECK_EQ(bed_output(&b, place(SIDE_LOCAL, 1))->what, ONCHAIN_OTHER);
	CHECK(bed_watched(&b, place(SIDE_LOCAL, 1)));
	CHECK(!bed_output(&b, place(SIDE_LOCAL, 1))->ours);
	CHECK(bed_output(&b, place(SIDE_REMOTE, 1))->ours);
}

TEST(twins_of_one_hash_and_amount_are_both_taken)
{
	struct channel_htlc *twin;
	uint64_t taken = 0;

	begin();
	bed_htlc(&b, SIDE_REMOTE, 3, 60000, RCVD_ADD_ACK_REVOCATION);
	twin = bed_htlc(&b, SIDE_REMOTE, 4, 60000, RCVD_ADD_ACK_REVOCATION);
	twin->payment_hash = b.htlcs[0].payment_hash;
	bed_htlc(&b, SIDE_LOCAL, 5, 60000, SENT_ADD_ACK_REVOCATION)->payment_hash = b.htlcs[0].payment_hash;
	cheat = bed_their_number(&b, 2);
	bed_past(&b, twin, 1, 2);
	b.htlcs[1] = b.htlcs[2];
	b.htlc_count = 2;
	bed_spent(&b, cheat->tx);
	while (b.notes.head)
		taken |= taken_by(bed_any_claim(&b));
	CHECK_EQ(taken, bit(cheat->to_local) | bit(cheat->to_remote) | bit(place(SIDE_REMOTE, 3)) | bit(place(SIDE_REMOTE, 4)) |
			bit(place(SIDE_LOCAL, 5)));
}

TEST(what_is_gone_is_asked_for_again_after_a_restart)
{
	uint64_t taken = 0;

	begin_with_htlcs();
	b.deaf = true;
	bed_spent(&b, cheat->tx);
	CHECK_EQ(bed_count(&b, EFFECT_FETCH), 1);
	bed_restart(&b);
	CHECK_EQ(bed_count(&b, EFFECT_FETCH), 1);
	b.deaf = false;
	bed_sign(&b);
	while (b.notes.head)
		taken |= taken_by(bed_any_claim(&b));
	CHECK_EQ(taken, everything());
	/* Once it is known it is stored. */
	bed_restart(&b);
	CHECK_EQ(bed_count(&b, EFFECT_FETCH), 0);
	CHECK(!b.notes.head);
}

TEST(many_ids_are_read_in_pieces)
{
	uint32_t pieces = 0;

	begin_with_htlcs();
	b.r.next_htlc_id[SIDE_LOCAL] = 3 * 65536 + 1;
	b.past[0].id = 3 * 65536;
	bed_spent(&b, cheat->tx);
	for (const struct effect *f = b.out.head; f; f = f->next)
		if (f->kind == EFFECT_FETCH) {
			CHECK_EQ(f->u.fetch.range.prefix.size, 15);
			pieces++;
		}
	CHECK_EQ(pieces, 5); /* four of ours, one of the peer's */
	CHECK_EQ(bed_output(&b, place(SIDE_LOCAL, 1))->htlc_id, 3 * 65536);
}

static void check_stage_taken(const struct tx *stage, uint32_t output, uint32_t height)
{
	struct txid id = tx_id(stage);
	struct tx *t = claim_of(&id, output);
	uint32_t count;
	const struct onchain_output *v = onchain_outputs(b.o, &count);

	CHECK(t);
	while (count && !(SAME(v[count - 1].outpoint.txid, id) && v[count - 1].outpoint.index == output))
		count--;
	CHECK(count);
	CHECK_EQ(v[count - 1].what, ONCHAIN_STAGE_THEIRS);
	CHECK_EQ(v[count - 1].deadline, height + CHEAT_DELAY);
	CHECK(SAME(v[count - 1].claim, tx_id(t)));
}

/* B5.revoked_transaction_close_handling.5, B5.revoked_transaction_close_handling.8,
 * B5.revoked_transaction_close_handling.9, B5.revoked_transaction_close_handling.10 */
TEST(htlc_transactions_of_the_cheater_are_taken)
{
	struct preimage preimage = bed_preimage(3);
	struct tx *success, *timeout, *penalty;
	uint32_t at;

	begin_with_htlcs();
	bed_spent(&b, cheat->tx);
	/* What the peer may take at any time is not with others; what it cannot take yet is. */
	penalty = claim_of(&cheat->txid, cheat->to_local);
	CHECK_EQ(taken_by(penalty) & (bit(place(SIDE_LOCAL, 3)) | bit(place(SIDE_REMOTE, 3))), bit(place(SIDE_REMOTE, 3)));
	at = place(SIDE_LOCAL, 3);
	success = their_htlc_tx(&at, 1, &preimage);
	bed_tx(&b, success, BED_HEIGHT + 1);
	/* B5.revoked_transaction_close_handling.11 */
	CHECK(SAME(bed_note(&b, ONCHAIN_NOTE_PREIMAGE)->preimage, preimage));
	bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
	check_stage_taken(success, 0, BED_HEIGHT + 1);
	/* At any depth, and after a restart: here long before the HTLC's expiry could be waited for. */
	bed_restart(&b);
	at = place(SIDE_REMOTE, 3);
	timeout = their_htlc_tx(&at, 1, NULL);
	bed_tx(&b, timeout, BED_HEIGHT + 50);
	/* B5.revoked_transaction_close_handling.13: what was with it is claimed again at once. */
	CHECK(SAME(bed_note(&b, ONCHAIN_NOTE_WITHDRAW)->txid, tx_id(penalty)));
	check_stage_taken(timeout, 0, BED_HEIGHT + 50);
	CHECK(!bytes_all_zero(BYTES_OF(bed_output(&b, cheat->to_local)->claim.v)));
	CHECK(!SAME(bed_output(&b, cheat->to_local)->claim, tx_id(penalty)));
}

TEST(several_htlcs_of_the_cheater_in_one_transaction_are_taken)
{
	uint32_t outputs[3];
	struct tx *stage;

	begin_with_htlcs();
	bed_spent(&b, cheat->tx);
	(void)bed_last_claim(&b);
	outputs[0] = place(SIDE_REMOTE, 3);
	outputs[1] = place(SIDE_REMOTE, 1);
	outputs[2] = place(SIDE_LOCAL, 1);
	stage = their_htlc_tx(outputs, 3, NULL);
	bed_tx(&b, stage, BED_HEIGHT + 1);
	{
		uint64_t taken = 0;
		struct txid id = tx_id(stage);

		while (b.notes.head) {
			if (b.notes.head->kind == ONCHAIN_NOTE_BROADCAST) {
				struct tx *t = bed_any_claim(&b);

				for (uint32_t i = 0; i < t->input_count; i++)
					if (SAME(t->inputs[i].prev.txid, id))
						taken |= bit(t->inputs[i].prev.index);
			} else {
				bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
			}
		}
		CHECK_EQ(taken, 7);
	}
}

TEST(an_htlc_transaction_that_is_faster_than_our_memory_is_taken)
{
	uint32_t at;
	struct tx *stage;

	begin_with_htlcs();
	b.deaf = true; /* the store thinks */
	bed_spent(&b, cheat->tx);
	at = place(SIDE_REMOTE, 1); /* a gone one */
	stage = their_htlc_tx(&at, 1, NULL);
	bed_tx(&b, stage, BED_HEIGHT);
	b.deaf = false;
	bed_sign(&b);
	check_stage_taken(stage, 0, BED_HEIGHT);
}

/* B5.revoked_transaction_close_handling.12 */
TEST(penalties_that_do_not_confirm_part_before_the_cheater_can_spend)
{
	const uint32_t expiry = BED_HEIGHT + 100; /* of the HTLCs */
	struct tx *t, *more;

	begin_with_htlcs();
	bed_spent(&b, cheat->tx);
	t = claim_of(&cheat->txid, place(SIDE_REMOTE, 3));
	CHECK(taken_by(t) & bit(cheat->to_local));
	bed_block(&b, expiry - ONCHAIN_SECURITY_BLOCKS);
	more = claim_of(&cheat->txid, place(SIDE_REMOTE, 3));
	CHECK(!more || taken_by(more) & bit(cheat->to_local));
	bed_block(&b, expiry + 1 - ONCHAIN_SECURITY_BLOCKS);
	t = claim_of(&cheat->txid, place(SIDE_REMOTE, 3));
	CHECK(t && t->input_count == 1);
	/* And in the last blocks all but dust goes to the miners: what we do not take the cheater keeps. */
	for (uint32_t h = BED_HEIGHT + CHEAT_DELAY - 30; h < BED_HEIGHT + CHEAT_DELAY; h++) {
		bed_block(&b, h);
		more = claim_of(&cheat->txid, place(SIDE_REMOTE, 3));
		t = more ? more : t;
	}
	CHECK_EQ(t->input_count, 1);
	CHECK(t->outputs[0].amount.v < 1000);
}

TEST(a_penalty_that_leaves_the_chain_is_out_again)
{
	uint32_t at, count, before;
	struct tx *stage;

	begin_with_htlcs();
	bed_spent(&b, cheat->tx);
	(void)bed_last_claim(&b);
	(void)onchain_outputs(b.o, &before);
	at = place(SIDE_REMOTE, 3);
	stage = their_htlc_tx(&at, 1, NULL);
	bed_tx(&b, stage, BED_HEIGHT + 1);
	(void)bed_last_claim(&b);
	CHECK(!bed_undone(&b, BED_HEIGHT + 1));
	(void)onchain_outputs(b.o, &count);
	CHECK_EQ(count, before);
	bed_block(&b, BED_HEIGHT + 1);
	/* The HTLC output is ours to take again. */
	CHECK(claim_of(&cheat->txid, at));
	CHECK(!bytes_all_zero(BYTES_OF(bed_output(&b, at)->claim.v)));
}

TEST(outgoing_htlcs_of_a_revoked_commitment_end)
{
	struct tx *t;

	begin_with_htlcs();
	bed_htlc(&b, SIDE_LOCAL, 2, 40000, SENT_ADD_ACK_REVOCATION); /* younger than that commitment */
	b.past[0].id = 0;
	bed_spent(&b, cheat->tx);
	t = claim_of(&cheat->txid, place(SIDE_LOCAL, 3));
	bed_tx(&b, t, BED_HEIGHT + 2);
	bed_block(&b, BED_HEIGHT + 6);
	(void)bed_last_claim(&b);
	/* It has no output there (B5.htlc_output_handling_remote_commitment_l.4). */
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 2);
	bed_block(&b, BED_HEIGHT + 7);
	(void)bed_last_claim(&b);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 8);
	(void)bed_last_claim(&b);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 3);
}

TEST(without_the_secret_the_user_is_warned)
{
	begin_with_htlcs();
	shachain_init(&b.secrets);
	bed_spent(&b, cheat->tx);
	CHECK_EQ(b.loudest, LOG_ERROR);
	CHECK(bed_output(&b, cheat->to_remote)->ours);
	CHECK(!bed_output(&b, cheat->to_local)->ours);
}
