/* core/onchain: HTLCs on our commitment and on the peer's, each claim verified as the network would. */
#include "tests/unit/onchain_setup.h"

static struct bed b;

static void begin(void)
{
	bed_release(&b);
	bed_init(&b);
}

/* Output number of the HTLC with that id and owner in a commitment of ours (ours) or theirs. */
static uint32_t place(const struct commitment *c, bool ours, enum side owner, uint64_t id)
{
	for (uint32_t i = 0; i < c->htlc_count; i++)
		if (c->htlcs[i].htlc.id == id && c->htlcs[i].htlc.offered_by_broadcaster == ((owner == SIDE_LOCAL) == ours))
			return c->htlcs[i].index;
	CHECK(false);
	return 0;
}

static void give_preimage(struct channel_htlc *h)
{
	h->has_preimage = true;
	h->resolution = HTLC_FULFILLED;
	h->preimage = bed_preimage(h->id);
}

static bool spends(const struct tx *t, const struct commitment *c, uint32_t output)
{
	for (uint32_t i = 0; i < t->input_count; i++)
		if (SAME(t->inputs[i].prev.txid, c->txid) && t->inputs[i].prev.index == output)
			return true;
	return false;
}

/* The claim of that output that is out now; others are passed over.  NULL: none. */
static struct tx *claim_of(const struct commitment *c, uint32_t output)
{
	struct tx *found = NULL;

	while (b.notes.head && (b.notes.head->kind == ONCHAIN_NOTE_BROADCAST || b.notes.head->kind == ONCHAIN_NOTE_WITHDRAW)) {
		if (b.notes.head->kind == ONCHAIN_NOTE_WITHDRAW) {
			struct txid gone = bed_note(&b, ONCHAIN_NOTE_WITHDRAW)->txid, id;

			if (found && (id = tx_id(found), SAME(id, gone)))
				found = NULL;
		} else {
			struct tx *t = bed_any_claim(&b);

			if (spends(t, c, output))
				found = t;
		}
	}
	return found;
}

/* --- our commitment --- */

/* The second stage is followed and swept once its delay has passed. */
static void check_second_stage(const struct tx *first, uint64_t htlc, uint32_t height)
{
	struct txid id = tx_id(first);
	const struct onchain_output *v;
	struct tx *sweep = NULL;
	uint32_t count;

	v = &onchain_outputs(b.o, &count)[0];
	v += count - 1;
	CHECK_EQ(v->what, ONCHAIN_STAGE_OURS);
	CHECK_EQ(v->htlc_id, htlc);
	CHECK(SAME(v->outpoint.txid, id));
	CHECK_EQ(v->height, height);
	CHECK_EQ(v->spendable_height, height + BED_DELAY);
	CHECK_EQ(v->deadline, 0);
	(void)bed_last_claim(&b);
	/* B5.htlc_output_handling_local_commitment_lo.6, B5.htlc_output_handling_local_commitment_re.6 */
	for (uint32_t h = height; h + 1 < height + BED_DELAY; h++) {
		bed_block(&b, h);
		while (b.notes.head && b.notes.head->kind == ONCHAIN_NOTE_BROADCAST) {
			sweep = bed_any_claim(&b);
			CHECK(!SAME(sweep->inputs[0].prev.txid, id));
		}
		if (b.notes.head)
			bed_note(&b, b.notes.head->kind);
	}
	bed_restart(&b);
	CHECK(!bed_last_claim(&b));
	bed_block(&b, height + BED_DELAY - 1);
	/* B5.htlc_output_handling_local_commitment_lo.4, .lo.5: B5.htlc_output_handling_local_commitment_lo.5
	 * B5.htlc_output_handling_local_commitment_re.3, B5.htlc_output_handling_local_commitment_re.5 */
	sweep = bed_claim(&b);
	CHECK(SAME(sweep->inputs[0].prev.txid, id));
	bed_tx(&b, sweep, height + BED_DELAY);
	bed_block(&b, height + BED_DELAY + ONCHAIN_DEPTH_BLOCKS);
}

static struct tx *sweep_main(const struct commitment *c)
{
	struct tx *t;

	bed_block(&b, BED_HEIGHT + BED_DELAY - 1);
	t = claim_of(c, c->to_local);
	CHECK(t);
	bed_tx(&b, t, BED_HEIGHT + BED_DELAY);
	return t;
}

static void check_timeout_on_ours(enum commitment_type type)
{
	struct commitment *c;
	struct tx *t;
	uint32_t at;

	begin();
	b.r.type = type;
	bed_coins(&b, 3);
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 300;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	at = place(c, true, SIDE_LOCAL, 3);
	bed_spent(&b, c->tx);
	CHECK_EQ(bed_output(&b, at)->deadline, BED_HEIGHT + 300 + ONCHAIN_TIMEOUT_BLOCKS);
	(void)sweep_main(c);
	bed_block(&b, BED_HEIGHT + 299);
	CHECK(!claim_of(c, at));
	/* BIP 65: in the block after cltv_expiry at the earliest, so offered at it. */
	bed_block(&b, BED_HEIGHT + 300);
	t = claim_of(c, at);
	/* B5.htlc_output_handling_local_commitment_lo.2, B5.unilateral_close_handling_local_commitme.3 */
	CHECK(t);
	/* B5.generation_of_htlc_transactions.1: with anchors other inputs pay */
	CHECK_EQ(t->input_count > 1, type == COMMITMENT_ANCHORS);
	CHECK_EQ(t->locktime, BED_HEIGHT + 300);
	bed_tx(&b, t, BED_HEIGHT + 302);
	bed_block(&b, BED_HEIGHT + 302);
	CHECK(bed_output(&b, at)->spent_by_us);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 307);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 308);
	/* B5.htlc_output_handling_local_commitment_lo.3 */
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 3);
	check_second_stage(t, 3, BED_HEIGHT + 302);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED); /* B5.general_nomenclature.2 */
}

TEST(our_htlc_on_our_commitment_times_out)
{
	check_timeout_on_ours(COMMITMENT_ANCHORS);
	check_timeout_on_ours(COMMITMENT_STATIC_REMOTEKEY);
}

static void check_success_on_ours(enum commitment_type type, bool late)
{
	struct preimage preimage = bed_preimage(9);
	struct commitment *c;
	struct channel_htlc *h;
	struct tx *t;
	uint32_t at;

	begin();
	b.r.type = type;
	bed_coins(&b, 3);
	h = bed_htlc(&b, SIDE_REMOTE, 9, 60000, RCVD_ADD_ACK_REVOCATION);
	h->cltv_expiry = BED_HEIGHT + 400;
	if (!late)
		give_preimage(h);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	at = place(c, true, SIDE_REMOTE, 9);
	bed_spent(&b, c->tx);
	if (late) {
		CHECK(!claim_of(c, at));
		bed_restart(&b);
		onchain_preimage(b.o, &b.s, &b.notes, 8, &preimage); /* no such HTLC */
		CHECK(!b.notes.head);
		onchain_preimage(b.o, &b.s, &b.notes, 9, &(struct preimage){ { 1 } }); /* not its preimage */
		CHECK(!b.notes.head);
		onchain_preimage(b.o, &b.s, &b.notes, 9, &preimage);
		bed_sign(&b);
	}
	CHECK_EQ(bed_output(&b, at)->deadline, BED_HEIGHT + 400);
	t = claim_of(c, at);
	/* B5.htlc_output_handling_local_commitment_re.1, B5.unilateral_close_handling_local_commitme.4 */
	CHECK(t);
	CHECK_EQ(t->locktime, 0);
	CHECK_EQ(t->input_count > 1, type == COMMITMENT_ANCHORS);
	bed_tx(&b, t, BED_HEIGHT + 2);
	bed_block(&b, BED_HEIGHT + 2);
	CHECK(bed_output(&b, at)->spent_by_us);
	(void)sweep_main(c);
	/* A jump over the time of the sweep: it is out by now. */
	bed_block(&b, BED_HEIGHT + 2 + BED_DELAY - 1);
	t = bed_last_claim(&b);
	CHECK(t);
	CHECK_EQ(t->input_count, 1);
	bed_tx(&b, t, BED_HEIGHT + 300);
	bed_block(&b, BED_HEIGHT + 399);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 400);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

TEST(their_htlc_on_our_commitment_is_claimed_with_its_preimage)
{
	check_success_on_ours(COMMITMENT_ANCHORS, false);
	check_success_on_ours(COMMITMENT_ANCHORS, true);
	check_success_on_ours(COMMITMENT_STATIC_REMOTEKEY, false);
	check_success_on_ours(COMMITMENT_STATIC_REMOTEKEY, true);
}

TEST(the_second_stage_of_a_success_waits_like_that_of_a_timeout)
{
	struct commitment *c;
	struct channel_htlc *h;
	struct tx *t;

	begin();
	bed_coins(&b, 1);
	h = bed_htlc(&b, SIDE_REMOTE, 9, 60000, RCVD_ADD_ACK_REVOCATION);
	give_preimage(h);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	t = claim_of(c, place(c, true, SIDE_REMOTE, 9));
	CHECK(t);
	/* After our balance: it shares no transaction with that. */
	bed_block(&b, BED_HEIGHT + BED_DELAY - 1);
	bed_tx(&b, claim_of(c, c->to_local), BED_HEIGHT + BED_DELAY);
	(void)bed_last_claim(&b);
	bed_tx(&b, t, BED_HEIGHT + BED_DELAY + 1);
	check_second_stage(t, 9, BED_HEIGHT + BED_DELAY + 1);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

/* --- the peer's commitment --- */

static void check_timeout_on_theirs(enum commitment_type type, enum commitment_choice which)
{
	struct commitment *c;
	struct tx *t;
	uint32_t at;

	begin();
	b.r.type = type;
	b.upstream_expiry = BED_HEIGHT + 140;
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 100;
	c = bed_commitment(&b, which);
	at = place(c, false, SIDE_LOCAL, 3);
	bed_spent(&b, c->tx);
	/* The incoming HTLC presses. */
	CHECK_EQ(bed_output(&b, at)->deadline, BED_HEIGHT + 140);
	t = claim_of(c, c->to_remote);
	CHECK(t);
	bed_tx(&b, t, BED_HEIGHT + 1);
	bed_block(&b, BED_HEIGHT + 99);
	CHECK(!claim_of(c, at));
	bed_restart(&b);
	bed_block(&b, BED_HEIGHT + 100);
	t = claim_of(c, at);
	/* B5.htlc_output_handling_remote_commitment_l.2, B5.unilateral_close_handling_remote_commitm.2 */
	CHECK(t);
	CHECK(bytes_equal(t->outputs[0].script, b.destination));
	bed_tx(&b, t, BED_HEIGHT + 101);
	CHECK(bed_output(&b, at)->spent_by_us);
	bed_block(&b, BED_HEIGHT + 106);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 107);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 3);
	bed_block(&b, BED_HEIGHT + 200);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 201);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

TEST(our_htlc_on_their_commitment_times_out)
{
	check_timeout_on_theirs(COMMITMENT_ANCHORS, COMMITMENT_REMOTE);
	check_timeout_on_theirs(COMMITMENT_ANCHORS, COMMITMENT_REMOTE_PREVIOUS);
	check_timeout_on_theirs(COMMITMENT_STATIC_REMOTEKEY, COMMITMENT_REMOTE);
}

static void check_preimage_on_theirs(enum commitment_type type, bool late)
{
	struct preimage preimage = bed_preimage(9);
	struct channel_htlc *h;
	struct commitment *c;
	struct tx *t;
	uint32_t at;

	begin();
	b.r.type = type;
	h = bed_htlc(&b, SIDE_REMOTE, 9, 60000, RCVD_ADD_ACK_REVOCATION);
	h->cltv_expiry = BED_HEIGHT + 200;
	if (!late)
		give_preimage(h);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	at = place(c, false, SIDE_REMOTE, 9);
	bed_spent(&b, c->tx);
	if (late) {
		bed_block(&b, BED_HEIGHT + 50);
		CHECK(!claim_of(c, at));
		onchain_preimage(b.o, &b.s, &b.notes, 9, &preimage);
		bed_sign(&b);
	}
	t = claim_of(c, at);
	/* B5.htlc_output_handling_remote_commitment_r.1, B5.unilateral_close_handling_remote_commitm.3 */
	CHECK(t);
	CHECK_EQ(bed_output(&b, at)->deadline, BED_HEIGHT + 200);
	/* Again is nothing new. */
	onchain_preimage(b.o, &b.s, &b.notes, 9, &preimage);
	bed_sign(&b);
	CHECK(!b.notes.head);
	bed_tx(&b, t, BED_HEIGHT + 60);
	CHECK(bed_output(&b, at)->spent_by_us);
}

TEST(their_htlc_on_their_commitment_is_claimed_with_its_preimage)
{
	check_preimage_on_theirs(COMMITMENT_ANCHORS, false);
	check_preimage_on_theirs(COMMITMENT_ANCHORS, true);
	check_preimage_on_theirs(COMMITMENT_STATIC_REMOTEKEY, false);
	check_preimage_on_theirs(COMMITMENT_STATIC_REMOTEKEY, true);
}

TEST(an_htlc_that_is_not_irrevocably_committed_is_not_claimed)
{
	struct preimage preimage = bed_preimage(9);
	struct commitment *c;

	/* In the peer's commitments, but our revocation of the state without it is not out. */
	begin();
	bed_htlc(&b, SIDE_REMOTE, 9, 60000, SENT_ADD_ACK_COMMIT);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	bed_spent(&b, c->tx);
	(void)claim_of(c, c->to_remote);
	onchain_preimage(b.o, &b.s, &b.notes, 9, &preimage);
	bed_sign(&b);
	/* B5.htlc_output_handling_remote_commitment_r.2 */
	CHECK(!b.notes.head);
	bed_restart(&b);
	onchain_preimage(b.o, &b.s, &b.notes, 9, &preimage);
	bed_sign(&b);
	CHECK(!b.notes.head);
	begin();
	bed_coins(&b, 1);
	bed_htlc(&b, SIDE_REMOTE, 9, 60000, RCVD_ADD_COMMIT);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	onchain_preimage(b.o, &b.s, &b.notes, 9, &preimage);
	bed_sign(&b);
	/* B5.htlc_output_handling_local_commitment_re.4 */
	CHECK(!b.notes.head);
}

/* B5.htlc_output_handling_local_commitment_re.2: two HTLCs with one hash, of which only one was decided to be claimed,
 * such as a probe with the hash of an invoice of ours: its preimage is not shown. */
TEST(a_preimage_is_used_for_the_htlc_it_was_decided_for)
{
	struct preimage preimage = bed_preimage(9);
	struct channel_htlc *h, *probe;
	struct commitment *c;
	struct tx *t;

	begin();
	bed_coins(&b, 2);
	h = bed_htlc(&b, SIDE_REMOTE, 9, 60000, RCVD_ADD_ACK_REVOCATION);
	give_preimage(h);
	probe = bed_htlc(&b, SIDE_REMOTE, 10, 61000, RCVD_ADD_ACK_REVOCATION);
	probe->payment_hash = sha256(preimage.v, 32);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	t = bed_any_claim(&b);
	CHECK(spends(t, c, place(c, true, SIDE_REMOTE, 9)));
	CHECK(!spends(t, c, place(c, true, SIDE_REMOTE, 10)));
	CHECK(!b.notes.head);
}

/* The peer told the preimage before the channel went to the chain: upstream is claimed, and nothing here may fail it. */
TEST(an_htlc_whose_preimage_is_known_is_never_given_up)
{
	static const enum commitment_choice which[] = { COMMITMENT_LOCAL, COMMITMENT_REMOTE };

	for (size_t i = 0; i < ARRAY_COUNT(which); i++) {
		struct channel_htlc *h;

		begin();
		h = bed_htlc(&b, SIDE_LOCAL, 3, 300, SENT_ADD_ACK_REVOCATION); /* dust: it has no output */
		h->has_preimage = true;
		h->preimage = bed_preimage(3);
		bed_htlc(&b, SIDE_LOCAL, 4, 300, SENT_ADD_ACK_REVOCATION);
		bed_spent(&b, bed_commitment(&b, which[i])->tx);
		(void)bed_last_claim(&b);
		bed_block(&b, BED_HEIGHT + ONCHAIN_REASONABLE_DEPTH_BLOCKS);
		/* B5.htlc_output_handling_local_commitment_lo.7, B5.htlc_output_handling_remote_commitment_l.3 */
		CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 4);
		(void)bed_last_claim(&b);
		CHECK(!b.notes.head);
	}
}

TEST(a_transaction_that_touches_nothing_is_nothing)
{
	struct commitment *c;
	struct tx *t;
	uint32_t before;

	begin();
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	bed_spent(&b, c->tx);
	(void)bed_last_claim(&b);
	onchain_flush(b.o, &b.s);
	before = bed_count(&b, EFFECT_PERSIST);
	/* B5.general_nomenclature.5: an output that is not there, another transaction's, and the funding output again */
	t = bed_spender(&b, 1000, NULL, 0);
	onchain_tx(b.o, &b.s, &b.notes, t, BED_HEIGHT + 1);
	t->inputs[0].prev = (struct outpoint){ { { 4 } }, 0 };
	onchain_tx(b.o, &b.s, &b.notes, t, BED_HEIGHT + 1);
	onchain_tx(b.o, &b.s, &b.notes, c->tx, BED_HEIGHT + 1);
	/* And what is spent already is not spent again. */
	bed_tx(&b, bed_spender(&b, c->to_remote, NULL, 0), BED_HEIGHT + 1);
	onchain_flush(b.o, &b.s);
	CHECK_EQ(bed_count(&b, EFFECT_PERSIST), before + 1);
	onchain_tx(b.o, &b.s, &b.notes, bed_spender(&b, c->to_remote, NULL, 0), BED_HEIGHT + 2);
	CHECK_EQ(bed_output(&b, c->to_remote)->spent_height, BED_HEIGHT + 1);
	onchain_flush(b.o, &b.s);
	CHECK_EQ(bed_count(&b, EFFECT_PERSIST), before + 1);
}

/* --- sharing and parting --- */

static void two_timeouts(uint32_t other_expiry)
{
	begin();
	bed_coins(&b, 4);
	bed_htlc(&b, SIDE_LOCAL, 3, 50000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 10;
	bed_htlc(&b, SIDE_LOCAL, 4, 70000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = other_expiry;
}

TEST(htlc_transactions_of_one_expiry_share_one_and_part_when_the_peer_takes_one)
{
	struct preimage preimage = bed_preimage(3);
	struct bytes items[3];
	struct commitment *c;
	struct tx *t, *theirs;
	uint32_t first, second;

	two_timeouts(BED_HEIGHT + 10);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	first = place(c, true, SIDE_LOCAL, 3);
	second = place(c, true, SIDE_LOCAL, 4);
	bed_spent(&b, c->tx);
	bed_block(&b, BED_HEIGHT + 10);
	t = claim_of(c, first);
	CHECK(t && spends(t, c, second));
	/* Late preimage: the peer takes one.  (LDK: the claim of the others never went out again.) */
	items[0] = BYTES("signature", 9);
	items[1] = BYTES_OF(preimage.v);
	items[2] = BYTES("script", 6);
	theirs = bed_spender(&b, first, items, 3);
	bed_tx(&b, theirs, BED_HEIGHT + 12);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_PREIMAGE)->htlc_id, 3);
	/* B5.revoked_transaction_close_handling.13 is the same for penalties: at once, and not for less than before. */
	CHECK(SAME(bed_note(&b, ONCHAIN_NOTE_WITHDRAW)->txid, tx_id(t)));
	t = claim_of(c, second);
	CHECK(t && !spends(t, c, first));
	CHECK(!bed_output(&b, first)->spent_by_us);
	bed_restart(&b);
	CHECK(!b.notes.head);
	bed_tx(&b, t, BED_HEIGHT + 13);
	CHECK(bed_output(&b, second)->spent_by_us);
	/* The blocks go, and come back the other way round: now the first is ours. */
	CHECK(!bed_undone(&b, BED_HEIGHT + 13));
	CHECK(!bed_undone(&b, BED_HEIGHT + 12));
	CHECK_EQ(bed_output(&b, first)->spent_height, 0);
	bed_block(&b, BED_HEIGHT + 12);
	t = claim_of(c, first);
	CHECK(t && !spends(t, c, second));
	bed_tx(&b, t, BED_HEIGHT + 13);
	CHECK(bed_output(&b, first)->spent_by_us);
}

#define STALL_START (BED_HEIGHT + 10)
#define STALL_BLOCKS 40u /* from the first claim to upstream's expiry */
#define STALLED 4u       /* HTLCs in the claim at first */

/* What the claim of the last of `count` HTLCs pays at each block, while the peer takes one after another of the others,
 * ever closer to the deadline. */
static void stalled_rates(uint32_t count, uint32_t *rates)
{
	struct commitment *c;
	uint32_t last;

	begin();
	bed_coins(&b, 2 * STALLED);
	b.upstream_expiry = STALL_START + STALL_BLOCKS;
	for (uint64_t id = STALLED - count; id < STALLED; id++)
		bed_htlc(&b, SIDE_LOCAL, id, 50000 + 100 * id, SENT_ADD_ACK_REVOCATION)->cltv_expiry = STALL_START;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	last = place(c, true, SIDE_LOCAL, STALLED - 1);
	bed_spent(&b, c->tx);
	for (uint32_t i = 0; i < STALL_BLOCKS; i++) {
		uint64_t taken = STALLED - count + i / 10;

		if (i % 10 == 9 && taken < STALLED - 1) {
			struct preimage preimage = bed_preimage(taken);
			struct bytes items[] = { BYTES("signature", 9), BYTES_OF(preimage.v), BYTES("script", 6) };

			bed_tx(&b, bed_spender(&b, place(c, true, SIDE_LOCAL, taken), items, 3), STALL_START + i);
		}
		bed_block(&b, STALL_START + i);
		rates[i] = bed_output(&b, last)->claim_feerate.per_kw;
		CHECK(rates[i]);
	}
	CHECK(!bed_output(&b, last)->spent_height);
}

/* LND's replacement stalling: each conflict makes the claim void, and whoever begins again with a low fee stays below
 * what miners ask for.  The schedule goes on where it was: the last HTLC pays at every height what it would have paid
 * undisturbed, and never less than before. */
TEST(attack_replacement_stalling_begins_no_schedule_anew)
{
	uint32_t alone[STALL_BLOCKS], stalled[STALL_BLOCKS];

	stalled_rates(1, alone);
	stalled_rates(STALLED, stalled);
	for (uint32_t i = 0; i < STALL_BLOCKS; i++) {
		/* Less than an eighth more is not worth a replacement. */
		CHECK(stalled[i] + stalled[i] / 8 >= alone[i]);
		CHECK(!i || stalled[i] >= stalled[i - 1]);
	}
	CHECK(alone[STALL_BLOCKS - 2] > 2 * alone[0]);
}

TEST(htlc_transactions_of_two_expiries_do_not_share)
{
	struct commitment *c;

	two_timeouts(BED_HEIGHT + 11);
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	bed_block(&b, BED_HEIGHT + 20);
	for (int i = 0; i < 2; i++) {
		struct tx *t = bed_any_claim(&b);

		CHECK(spends(t, c, place(c, true, SIDE_LOCAL, 4)) != spends(t, c, place(c, true, SIDE_LOCAL, 3)));
	}
	CHECK(!b.notes.head);
}

TEST(a_scarce_coin_goes_to_the_larger_htlc)
{
	struct commitment *c;

	begin();
	bed_coins(&b, 1);
	bed_htlc(&b, SIDE_LOCAL, 3, 20000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 10;
	bed_htlc(&b, SIDE_LOCAL, 4, 90000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 12;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	bed_block(&b, BED_HEIGHT + 12);
	CHECK(spends(bed_any_claim(&b), c, place(c, true, SIDE_LOCAL, 4)));
	CHECK(!b.notes.head);
	/* And not to one that could pay no fee that a mempool takes. */
	begin();
	bed_coins(&b, 1);
	bed_htlc(&b, SIDE_LOCAL, 3, 2000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 10;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	bed_block(&b, BED_HEIGHT + 12);
	CHECK(!b.notes.head);
	b.s.fees[FEE_MINIMUM] = FEERATE(253);
	bed_block(&b, BED_HEIGHT + 13);
	CHECK(spends(bed_any_claim(&b), c, place(c, true, SIDE_LOCAL, 3)));
}

TEST(claims_part_before_the_peer_can_spend_too)
{
	const uint32_t expiry = BED_HEIGHT + 100;
	struct channel_htlc *h;
	struct commitment *c;
	struct tx *together, *t;
	uint32_t first, second;

	begin();
	h = bed_htlc(&b, SIDE_REMOTE, 3, 50000, RCVD_ADD_ACK_REVOCATION);
	h->cltv_expiry = expiry;
	give_preimage(h);
	h = bed_htlc(&b, SIDE_REMOTE, 4, 70000, RCVD_ADD_ACK_REVOCATION);
	h->cltv_expiry = expiry + 5;
	give_preimage(h);
	h = bed_htlc(&b, SIDE_REMOTE, 5, 80000, RCVD_ADD_ACK_REVOCATION);
	h->cltv_expiry = expiry + 50; /* another deadline: on its own */
	give_preimage(h);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	first = place(c, false, SIDE_REMOTE, 3);
	second = place(c, false, SIDE_REMOTE, 4);
	bed_spent(&b, c->tx);
	together = claim_of(c, first);
	CHECK(together && spends(together, c, second) && together->input_count == 2);
	bed_block(&b, expiry - ONCHAIN_SECURITY_BLOCKS);
	t = claim_of(c, first);
	if (t)
		together = t;
	CHECK(spends(together, c, second));
	bed_block(&b, expiry + 1 - ONCHAIN_SECURITY_BLOCKS);
	/* BIP 125 rule 3: the larger one pays more than both did, and the smaller one fits into the room. */
	{
		uint64_t before = 120000 - together->outputs[0].amount.v, after = 0;

		while (b.notes.head) {
			if (b.notes.head->kind == ONCHAIN_NOTE_WITHDRAW) {
				bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
				continue;
			}
			t = bed_any_claim(&b);
			CHECK_EQ(t->input_count, 1);
			if (spends(t, c, second))
				after = 70000 - t->outputs[0].amount.v;
		}
		CHECK(after >= before + tx_weight(t) / 4);
	}
	CHECK(!SAME(bed_output(&b, first)->claim, bed_output(&b, second)->claim));
}

TEST(what_the_peer_may_take_at_any_time_is_claimed_alone)
{
	struct commitment *c;

	two_timeouts(BED_HEIGHT + 10);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	bed_spent(&b, c->tx);
	(void)bed_last_claim(&b);
	bed_block(&b, BED_HEIGHT + 10);
	for (int i = 0; i < 2; i++) {
		while (b.notes.head->kind == ONCHAIN_NOTE_WITHDRAW)
			bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
		CHECK_EQ(bed_any_claim(&b)->input_count, 1);
	}
	CHECK(!SAME(bed_output(&b, place(c, false, SIDE_LOCAL, 3))->claim, bed_output(&b, place(c, false, SIDE_LOCAL, 4))->claim));
}

/* --- the wallet --- */

TEST(an_htlc_transaction_is_replaced_by_one_that_pays_more)
{
	struct commitment *c;
	struct tx *t, *more;
	uint32_t at, rate = 0, rounds = 0;

	begin();
	bed_coins(&b, 2);
	b.upstream_expiry = BED_HEIGHT + 50;
	bed_htlc(&b, SIDE_LOCAL, 3, 90000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 10;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	at = place(c, true, SIDE_LOCAL, 3);
	bed_spent(&b, c->tx);
	bed_block(&b, BED_HEIGHT + 10);
	t = claim_of(c, at);
	CHECK(t);
	for (uint32_t h = BED_HEIGHT + 11; h < BED_HEIGHT + 50; h++) {
		bed_block(&b, h);
		if (h == BED_HEIGHT + 30)
			bed_restart(&b);
		more = claim_of(c, at);
		if (!more)
			continue;
		rounds++;
		/* BIP 125: a coin of the old one is in the new one. */
		CHECK(bed_output(&b, at)->claim_feerate.per_kw > rate);
		rate = bed_output(&b, at)->claim_feerate.per_kw;
	}
	CHECK(rounds > 3);
	/* In the last block everything that the HTLC is worth to us: half of it, for a transaction of about 1,100. */
	CHECK(rate > 35000 && rate <= 45000);
}

TEST(a_poor_wallet_pays_what_it_can)
{
	struct commitment *c;
	struct tx *t;
	uint32_t at;

	/* None at all: said once, and asked again. */
	begin();
	bed_htlc(&b, SIDE_LOCAL, 3, 90000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 10;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	at = place(c, true, SIDE_LOCAL, 3);
	bed_spent(&b, c->tx);
	bed_block(&b, BED_HEIGHT + 10);
	CHECK(!claim_of(c, at));
	CHECK_EQ(b.loudest, LOG_ERROR);
	CHECK_EQ(onchain_progress(b.o, at, BED_HEIGHT + 10), ONCHAIN_UNCLAIMED);
	b.s.height = BED_HEIGHT + 11;
	bed_wallet_block(&b, NULL, BED_HEIGHT + 11);
	bed_coins(&b, 1);
	bed_block(&b, BED_HEIGHT + 13);
	t = claim_of(c, at);
	CHECK(t);
	/* One coin of 500,000 at a rate that asks for more: less is better than nothing. */
	begin();
	bed_coins(&b, 1);
	bed_htlc(&b, SIDE_LOCAL, 3, 5000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 10;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	at = place(c, true, SIDE_LOCAL, 3);
	bed_spent(&b, c->tx);
	b.s.fees[FEE_NORMAL] = FEERATE(2000000);
	bed_block(&b, BED_HEIGHT + 10);
	CHECK(claim_of(c, at));
	/* No more than half of what it claims. */
	CHECK(bed_output(&b, at)->claim_feerate.per_kw < 3000);
}

TEST(an_htlc_that_is_worth_nothing_is_given_up)
{
	struct commitment *c;
	uint32_t at;

	begin();
	bed_coins(&b, 1);
	bed_htlc(&b, SIDE_LOCAL, 3, 400, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 10;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	at = place(c, true, SIDE_LOCAL, 3);
	bed_spent(&b, c->tx);
	b.s.fees[FEE_NORMAL] = FEERATE(253);
	CHECK_EQ(onchain_progress(b.o, at, BED_HEIGHT), ONCHAIN_UNECONOMIC);
	bed_block(&b, BED_HEIGHT + 15);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 16);
	CHECK_EQ(bed_note(&b, ONCHAIN_NOTE_HTLC_GONE)->htlc_id, 3);
	/* And it does not keep the channel for ever. */
	(void)sweep_main(c);
	bed_block(&b, BED_HEIGHT + BED_DELAY + 99);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + BED_DELAY + 100);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}

/* --- reorganisations --- */

TEST(a_second_stage_that_leaves_the_chain_is_forgotten_with_its_sweep)
{
	struct commitment *c;
	struct tx *t, *sweep;
	uint32_t count, before;

	begin();
	bed_coins(&b, 1);
	bed_htlc(&b, SIDE_LOCAL, 3, 90000, SENT_ADD_ACK_REVOCATION)->cltv_expiry = BED_HEIGHT + 200;
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	(void)sweep_main(c);
	bed_block(&b, BED_HEIGHT + 200);
	t = claim_of(c, place(c, true, SIDE_LOCAL, 3));
	CHECK(t);
	(void)onchain_outputs(b.o, &before);
	bed_tx(&b, t, BED_HEIGHT + 201);
	bed_block(&b, BED_HEIGHT + 201 + BED_DELAY - 1);
	while (b.notes.head && b.notes.head->kind != ONCHAIN_NOTE_BROADCAST)
		bed_note(&b, b.notes.head->kind);
	sweep = bed_claim(&b);
	(void)onchain_outputs(b.o, &count);
	CHECK_EQ(count, before + 1);
	/* Down to below the HTLC transaction. */
	CHECK(!bed_undone(&b, BED_HEIGHT + 201));
	CHECK(SAME(bed_note(&b, ONCHAIN_NOTE_WITHDRAW)->txid, tx_id(sweep)));
	(void)onchain_outputs(b.o, &count);
	CHECK_EQ(count, before);
	bed_restart(&b);
	(void)onchain_outputs(b.o, &count);
	CHECK_EQ(count, before);
	CHECK(!b.notes.head); /* the HTLC transaction is out still */
	bed_tx(&b, t, BED_HEIGHT + 205);
	(void)onchain_outputs(b.o, &count);
	CHECK_EQ(count, before + 1);
	CHECK_EQ(bed_output(&b, before)->spendable_height, BED_HEIGHT + 205 + BED_DELAY);
}
