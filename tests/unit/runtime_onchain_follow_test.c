/* core/onchain over time: spends, outgoing HTLCs, reorganisations, and when all of it is history. */
#include "tests/unit/onchain_setup.h"

static struct bed b;

static void begin(void)
{
	bed_release(&b);
	bed_init(&b);
}

/* Output number of the HTLC with that id and side in a commitment of ours or theirs. */
static uint32_t htlc_output(const struct commitment *c, bool offered_by_broadcaster, uint64_t id)
{
	for (uint32_t i = 0; i < c->htlc_count; i++)
		if (c->htlcs[i].htlc.id == id && c->htlcs[i].htlc.offered_by_broadcaster == offered_by_broadcaster)
			return c->htlcs[i].index;
	CHECK(false);
	return 0;
}

/* What a spender without the preimage shows: its signatures, an empty item and the script. */
static struct tx *timeout_of(uint32_t output)
{
	struct bytes items[] = { BYTES_NONE, BYTES("signature", 9), BYTES("signature", 9), BYTES_NONE, BYTES("script", 6) };

	return bed_spender(&b, output, items, 5);
}

/* HTLC-success of the peer on its own commitment. */
static struct tx *success_of(uint32_t output, uint64_t id)
{
	struct preimage preimage = bed_preimage(id);
	struct bytes items[] = { BYTES_NONE, BYTES("signature", 9), BYTES("signature", 9), BYTES_OF(preimage.v), BYTES("script", 6) };

	return bed_spender(&b, output, items, 5);
}

/* The peer's direct claim on our commitment. */
static struct tx *direct_claim_of(uint32_t output, uint64_t id)
{
	struct preimage preimage = bed_preimage(id);
	struct bytes items[] = { BYTES("signature", 9), BYTES_OF(preimage.v), BYTES("script", 6) };

	return bed_spender(&b, output, items, 3);
}

/* Our claim that went out last is in a block. */
static struct tx *confirm_claim(uint32_t height)
{
	struct tx *t = bed_last_claim(&b);

	CHECK(t);
	bed_tx(&b, t, height);
	bed_block(&b, height);
	return t;
}

/* --- resolving --- */

TEST(nothing_is_resolved_before_a_hundred_blocks_lie_on_every_spend)
{
	begin();
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	confirm_claim(BED_HEIGHT + 50);
	/* INV-O3: deep enough is the commitment, but not what settled it. */
	bed_block(&b, BED_HEIGHT + 120);
	CHECK(!b.notes.head);
	bed_restart(&b);
	bed_block(&b, BED_HEIGHT + 149);
	CHECK(!b.notes.head);
	CHECK(bed_watched(&b, bed_ours(&b)));
	bed_block(&b, BED_HEIGHT + 150);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
	CHECK(!b.notes.head);
	CHECK(!bed_watched(&b, bed_ours(&b)));
}

TEST(a_claim_that_never_confirms_is_never_history)
{
	begin();
	b.s.fees[FEE_URGENT] = b.s.fees[FEE_NORMAL];
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	(void)bed_claim(&b);
	bed_block(&b, BED_HEIGHT + 5000);
	CHECK(!b.notes.head);
}

TEST(a_revoked_commitment_stays_until_all_of_it_is_spent)
{
	struct commitment *c;
	struct tx *ours, *penalty;

	begin();
	c = bed_their_number(&b, 2);
	bed_spent(&b, c->tx);
	ours = bed_any_claim(&b);
	penalty = bed_any_claim(&b);
	if (ours->inputs[0].prev.index == c->to_local) {
		struct tx *swap = ours;

		ours = penalty;
		penalty = swap;
	}
	bed_tx(&b, ours, BED_HEIGHT + 1);
	bed_block(&b, BED_HEIGHT + 300);
	CHECK(bed_last_claim(&b)); /* the penalty, for more; nothing is settled */
	CHECK(!b.notes.head);
	/* An older one of ours confirms after all. */
	bed_tx(&b, penalty, BED_HEIGHT + 301);
	CHECK(bed_output(&b, c->to_local)->spent_by_us);
	(void)bed_last_claim(&b);
	bed_block(&b, BED_HEIGHT + 400);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 401);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

TEST(a_future_commitment_is_over_when_our_part_of_it_is)
{
	begin();
	bed_spent(&b, bed_their_number(&b, 6)->tx);
	confirm_claim(BED_HEIGHT + 1);
	bed_block(&b, BED_HEIGHT + 101);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

/* --- reorganisations --- */

TEST(a_claim_whose_block_goes_is_still_the_claim)
{
	struct txid claim;
	struct tx *t;

	begin();
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	t = bed_claim(&b);
	claim = tx_id(t);
	bed_tx(&b, t, BED_HEIGHT + 2);
	CHECK_EQ(bed_output(&b, bed_ours(&b))->spent_height, BED_HEIGHT + 2);
	CHECK(bed_output(&b, bed_ours(&b))->spent_by_us);
	bed_restart(&b);
	CHECK_EQ(bed_output(&b, bed_ours(&b))->spent_height, BED_HEIGHT + 2);
	CHECK(bed_output(&b, bed_ours(&b))->spent_by_us);
	CHECK(bed_watched(&b, bed_ours(&b))); /* it must be seen again after a reorganisation */
	CHECK(!bed_undone(&b, BED_HEIGHT + 3));
	CHECK_EQ(bed_output(&b, bed_ours(&b))->spent_height, BED_HEIGHT + 2);
	/* B5.general_nomenclature.3 */
	CHECK(!bed_undone(&b, BED_HEIGHT + 2));
	CHECK_EQ(bed_output(&b, bed_ours(&b))->spent_height, 0);
	CHECK(SAME(bed_output(&b, bed_ours(&b))->claim, claim));
	CHECK(!b.notes.head);
	bed_restart(&b);
	CHECK_EQ(bed_output(&b, bed_ours(&b))->spent_height, 0);
	CHECK(!b.notes.head);
	/* In another block, and counted from there. */
	bed_tx(&b, t, BED_HEIGHT + 5);
	bed_block(&b, BED_HEIGHT + 104);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 105);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

TEST(a_spend_that_leaves_the_chain_takes_its_claims_with_it)
{
	struct txid claim;

	begin();
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	claim = tx_id(bed_claim(&b));
	CHECK(!bed_undone(&b, BED_HEIGHT + 1));
	CHECK(bed_undone(&b, BED_HEIGHT));
	CHECK(SAME(bed_note(&b, ONCHAIN_NOTE_WITHDRAW)->txid, claim));
	CHECK(!b.notes.head);
	CHECK(!bed_watched(&b, bed_ours(&b)));
	/* The other commitment makes it instead. */
	onchain_free(b.o);
	b.s.height = BED_HEIGHT + 1;
	bed_spent(&b, bed_commitment(&b, COMMITMENT_LOCAL)->tx);
	CHECK_EQ(onchain_kind(b.o), ONCHAIN_OUR_COMMITMENT);
	CHECK_EQ(onchain_height(b.o), BED_HEIGHT + 1);
	CHECK_EQ(bed_output(&b, bed_ours(&b))->spendable_height, BED_HEIGHT + 1 + BED_DELAY);
}

/* --- outgoing HTLCs --- */

TEST(an_htlc_that_is_dust_everywhere_is_given_up_soon)
{
	begin();
	bed_htlc(&b, SIDE_LOCAL, 7, 300, SENT_ADD_ACK_REVOCATION);
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	(void)bed_claim(&b);
	bed_block(&b, BED_HEIGHT + ONCHAIN_REASONABLE_DEPTH_BLOCKS - 1);
	CHECK(!b.notes.head);
	bed_restart(&b);
	bed_block(&b, BED_HEIGHT + ONCHAIN_REASONABLE_DEPTH_BLOCKS);
	while (b.notes.head->kind != ONCHAIN_NOTE_HTLC_GONE)
		b.notes.head = b.notes.head->next;
	/* B5.htlc_output_handling_remote_commitment_l.4 */
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 7);
	/* INV-O4: once, also after a restart. */
	bed_restart(&b);
	bed_block(&b, BED_HEIGHT + ONCHAIN_REASONABLE_DEPTH_BLOCKS + 1);
	CHECK(!b.notes.head);
}

TEST(an_htlc_without_an_output_is_given_up_at_a_reasonable_depth)
{
	begin();
	/* In their newest commitment, not yet in ours. */
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_COMMIT);
	bed_spent(&b, bed_commitment(&b, COMMITMENT_LOCAL)->tx);
	CHECK_EQ(onchain_kind(b.o), ONCHAIN_OUR_COMMITMENT);
	bed_block(&b, BED_HEIGHT + ONCHAIN_REASONABLE_DEPTH_BLOCKS - 1);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + ONCHAIN_REASONABLE_DEPTH_BLOCKS);
	/* B5.htlc_output_handling_local_commitment_lo.8 */
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 3);
}

TEST(an_htlc_that_their_previous_commitment_lacks_is_given_up)
{
	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_COMMIT);
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE_PREVIOUS)->tx);
	confirm_claim(BED_HEIGHT + 1);
	bed_block(&b, BED_HEIGHT + ONCHAIN_REASONABLE_DEPTH_BLOCKS);
	/* B5.htlc_output_handling_remote_commitment_l.4 */
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 3);
}

TEST(an_htlc_with_an_output_stays_open_until_that_is_spent)
{
	struct commitment *c;
	uint32_t at;

	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	bed_htlc(&b, SIDE_REMOTE, 3, 60000, RCVD_ADD_ACK_REVOCATION); /* the same id from the other side */
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	at = htlc_output(c, true, 3);
	bed_spent(&b, c->tx);
	CHECK_EQ(bed_output(&b, at)->what, ONCHAIN_HTLC_OURS);
	CHECK_EQ(bed_output(&b, at)->cltv_expiry, 800);
	CHECK_EQ(bed_output(&b, htlc_output(c, false, 3))->what, ONCHAIN_HTLC_THEIRS);
	/* B5.general_nomenclature.1 */
	CHECK(bed_watched(&b, at));
	CHECK(bed_watched(&b, htlc_output(c, false, 3)));
	/* The wallet has no coins for an HTLC transaction: it waits, however long. */
	bed_block(&b, BED_HEIGHT + BED_DELAY);
	confirm_claim(BED_HEIGHT + BED_DELAY + 1);
	bed_block(&b, BED_HEIGHT + 2000);
	CHECK(!b.notes.head); /* neither gone nor resolved */
	bed_tx(&b, timeout_of(at), BED_HEIGHT + 2001);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 2006);
	CHECK(!b.notes.head);
	/* B5.htlc_output_handling_local_commitment_lo.3: not before a reasonable depth */
	bed_block(&b, BED_HEIGHT + 2007);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 3);
	bed_block(&b, BED_HEIGHT + 2100);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 2101);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

static void check_preimage(uint64_t id)
{
	struct preimage preimage = bed_preimage(id);
	struct onchain_note *n = bed_note(&b, ONCHAIN_NOTE_PREIMAGE);

	CHECK_EQ(n->htlc_id, id);
	CHECK(SAME(n->preimage, preimage));
}

TEST(a_preimage_on_chain_is_told_at_once)
{
	struct commitment *c;

	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	bed_htlc(&b, SIDE_LOCAL, 4, 50000, SENT_ADD_ACK_REVOCATION);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	bed_tx(&b, direct_claim_of(htlc_output(c, true, 4), 4), BED_HEIGHT);
	check_preimage(4); /* B5.htlc_output_handling_local_commitment_lo.1 */
	CHECK(!b.notes.head);
	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	bed_htlc(&b, SIDE_LOCAL, 4, 50000, SENT_ADD_ACK_REVOCATION);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	bed_spent(&b, c->tx);
	confirm_claim(BED_HEIGHT + 1);
	bed_tx(&b, success_of(htlc_output(c, false, 3), 3), BED_HEIGHT + 1);
	check_preimage(3); /* B5.htlc_output_handling_remote_commitment_l.1 */
	/* INV-O4: it has its end, whatever comes: a restart, a reorganisation, the same again. */
	bed_restart(&b);
	CHECK(!bed_undone(&b, BED_HEIGHT + 1));
	bed_tx(&b, timeout_of(htlc_output(c, false, 3)), BED_HEIGHT + 2);
	bed_tx(&b, timeout_of(htlc_output(c, false, 4)), BED_HEIGHT + 2);
	bed_block(&b, BED_HEIGHT + 2 + ONCHAIN_REASONABLE_DEPTH_BLOCKS);
	(void)bed_last_claim(&b);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 4);
	(void)bed_last_claim(&b);
	CHECK(!b.notes.head);
}

/* LDK's duplicate HTLC: three of one hash, amount and expiry, two of which are in the commitment that confirms.  What
 * becomes of one says nothing of the others: the third is given up when that is deep, the first only with its output.
 * The second is taken before the first, so that whoever takes one for another is seen. */
TEST(attack_twins_of_one_hash_end_each_for_itself)
{
	struct commitment *c;
	uint32_t first, second;

	begin();
	for (uint64_t id = 3; id <= 5; id++) {
		struct channel_htlc *h = bed_htlc(&b, SIDE_LOCAL, id, 50000, id == 5 ? SENT_ADD_COMMIT : SENT_ADD_ACK_REVOCATION);

		h->payment_hash = b.htlcs[0].payment_hash;
		h->cltv_expiry = BED_HEIGHT + 3000;
	}
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	CHECK_EQ(c->htlc_count, 2);
	first = htlc_output(c, true, 3);
	second = htlc_output(c, true, 4);
	CHECK(first != second);
	bed_spent(&b, c->tx);
	bed_tx(&b, direct_claim_of(second, 3), BED_HEIGHT);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_PREIMAGE)->htlc_id, 4);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + ONCHAIN_REASONABLE_DEPTH_BLOCKS);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 5);
	(void)bed_last_claim(&b);
	CHECK(!b.notes.head);
	bed_restart(&b);
	bed_block(&b, BED_HEIGHT + 1000);
	(void)bed_last_claim(&b);
	CHECK(!b.notes.head);
	bed_tx(&b, direct_claim_of(first, 3), BED_HEIGHT + 1001);
	check_preimage(3);
	CHECK(!b.notes.head);
}

TEST(a_wrong_preimage_is_none)
{
	struct commitment *c;

	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	bed_tx(&b, direct_claim_of(htlc_output(c, true, 3), 99), BED_HEIGHT + 1);
	CHECK(!b.notes.head);
	/* Nor is the right one in the spend of something else. */
	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	bed_tx(&b, direct_claim_of(c->to_remote, 3), BED_HEIGHT + 1);
	CHECK(!b.notes.head);
}

TEST(in_a_commitment_that_cannot_be_built_amounts_say_what_may_be_an_htlc)
{
	struct commitment *c;
	uint32_t at;

	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	c = bed_their_number(&b, 6);
	at = htlc_output(c, false, 3);
	bed_htlc(&b, SIDE_LOCAL, 4, 77777, SENT_ADD_ACK_REVOCATION); /* not in it */
	bed_spent(&b, c->tx);
	CHECK_EQ(bed_output(&b, at)->what, ONCHAIN_HTLC_OURS);
	confirm_claim(BED_HEIGHT + 1);
	bed_block(&b, BED_HEIGHT + 99);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 100);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 4);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 1000);
	CHECK(!b.notes.head);
	bed_restart(&b);
	bed_tx(&b, success_of(at, 3), BED_HEIGHT + 1001);
	check_preimage(3);
	bed_block(&b, BED_HEIGHT + 1101);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

TEST(an_htlc_of_the_peer_is_its_own_once_it_has_expired)
{
	begin();
	bed_htlc(&b, SIDE_REMOTE, 9, 60000, RCVD_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 300;
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	confirm_claim(BED_HEIGHT + 1);
	bed_block(&b, BED_HEIGHT + 399);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 400);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

/* --- the record --- */

TEST(a_damaged_record_is_refused_or_harmless)
{
	struct commitment *c;
	struct bytes v;
	uint8_t *copy;

	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	bed_htlc(&b, SIDE_LOCAL, 4, 300, SENT_ADD_ACK_REVOCATION);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	bed_spent(&b, c->tx);
	bed_tx(&b, success_of(htlc_output(c, false, 3), 3), BED_HEIGHT + 1);
	v = bed_stored(&b);
	copy = test_alloc(v.size + 1);
	memcpy(copy, v.data, v.size);
	for (size_t size = 0; size < v.size; size++)
		CHECK(!onchain_load(&b.r, BYTES(copy, size)));
	CHECK(!onchain_load(&b.r, BYTES(copy, v.size + 1)));
	for (size_t i = 0; i < v.size; i++)
		for (uint32_t bit = 0; bit < 8; bit++) {
			struct onchain *o;

			copy[i] ^= (uint8_t)(1u << bit);
			o = onchain_load(&b.r, BYTES(copy, v.size));
			if (o) {
				onchain_check(o);
				onchain_start(o, &b.s, &b.notes);
				onchain_block(o, &b.s, &b.notes, BED_HEIGHT + 200);
			}
			onchain_free(o);
			copy[i] ^= (uint8_t)(1u << bit);
		}
	/* What is of another version or kind is damage. */
	copy[0]++;
	CHECK(!onchain_load(&b.r, BYTES(copy, v.size)));
	copy[0]--;
	copy[1] = 0;
	CHECK(!onchain_load(&b.r, BYTES(copy, v.size)));
	copy[1] = ONCHAIN_UNKNOWN + 1;
	CHECK(!onchain_load(&b.r, BYTES(copy, v.size)));
}

/* RECORD_ONCHAIN as version 1 wrote it: the peer's commitment with our balance, an anchor and an HTLC that we offered,
 * which nobody could claim then. */
static struct bytes version_1(const struct commitment *c, const struct tx *claim, uint32_t htlc)
{
	struct buf b1 = BUF_EMPTY;
	struct txid id = tx_id(claim);
	struct bytes v;

	buf_add_u8(&b1, 1);
	buf_add_u8(&b1, ONCHAIN_THEIR_COMMITMENT);
	buf_add_be32(&b1, BED_HEIGHT);
	buf_add(&b1, c->txid.v, 32);
	buf_add_be16(&b1, (uint16_t)b.destination.size);
	buf_add_bytes(&b1, b.destination);
	buf_add_be16(&b1, (uint16_t)c->tx->output_count);
	for (uint32_t i = 0; i < c->tx->output_count; i++) {
		bool ours = i == c->to_remote;

		buf_add_be64(&b1, c->tx->outputs[i].amount.v);
		buf_add_u8(&b1, ours ? ONCHAIN_TO_US : i == htlc ? ONCHAIN_HTLC_OURS : ONCHAIN_OTHER);
		buf_add_be32(&b1, i == htlc ? 800 : 0);
		buf_add_be32(&b1, 0);
		buf_add_u8(&b1, ours ? SWEEP_TO_REMOTE_ANCHORS : 0);
		if (!ours)
			continue;
		buf_add_be32(&b1, BED_HEIGHT + 1);
		buf_add(&b1, id.v, 32);
		buf_add_be32(&b1, 2000);
		buf_add_be32(&b1, BED_HEIGHT);
		buf_add_u8(&b1, COMMITMENT_ANCHORS);
		buf_add_be16(&b1, 0);
		buf_add(&b1, c->keys.per_commitment_point.v, 33);
		buf_add(&b1, c->keys.countersignatory_payment.v, 33);
		buf_add_be64(&b1, 0);
		buf_add_be16(&b1, (uint16_t)c->to_remote_script.size);
		buf_add_bytes(&b1, c->to_remote_script);
	}
	buf_add_be16(&b1, 1);
	buf_add_be64(&b1, 3);
	buf_add_be64(&b1, 50000000);
	buf_add(&b1, b.htlcs[0].payment_hash.v, 32);
	buf_add_be32(&b1, htlc);
	buf_add_u8(&b1, 100);
	buf_add_u8(&b1, 0);
	v = arena_bytes(&b.p.arena, buf_view(&b1));
	buf_release(&b1);
	return v;
}

TEST(a_record_of_the_first_version_goes_on)
{
	struct commitment *c;
	struct bytes old;
	struct tx *claim, *more;
	uint32_t htlc;

	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	htlc = htlc_output(c, false, 3);
	bed_spent(&b, c->tx);
	claim = bed_last_claim(&b);
	old = version_1(c, claim, htlc);
	for (size_t size = 0; size < old.size; size++)
		CHECK(!onchain_load(&b.r, BYTES(old.data, size)));
	b.kept = old;
	effects_reset(&b.out);
	b.seen = &b.out.head;
	bed_restart(&b);
	CHECK(bed_watched(&b, htlc));
	CHECK(SAME(bed_output(&b, bed_ours(&b))->claim, tx_id(claim)));
	/* Its claim is bumped from where it was, and stored in the new form. */
	bed_block(&b, BED_HEIGHT + BUMP_PATIENCE_BLOCKS);
	more = bed_last_claim(&b);
	CHECK(more);
	CHECK_EQ(bed_output(&b, bed_ours(&b))->claim_feerate.per_kw, 2500);
	CHECK_EQ(bed_stored(&b).data[0], 2);
	bed_restart(&b);
	bed_tx(&b, more, BED_HEIGHT + 7);
	/* The HTLC stays open until somebody has taken its output. */
	bed_tx(&b, success_of(htlc, 3), BED_HEIGHT + 8);
	check_preimage(3);
	bed_block(&b, BED_HEIGHT + 108);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}
