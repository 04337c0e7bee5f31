/* core/onchain: whose spend it is, and claims that a real signer signs and a script interpreter accepts. */
#include "tests/unit/onchain_setup.h"

static struct bed b;

static void begin(void)
{
	bed_release(&b);
	bed_init(&b);
}

/* --- whose it is --- */

static enum onchain_spend kind_of(const struct tx *t)
{
	onchain_free(b.o);
	b.o = NULL;
	bed_spent_unsigned(&b, t);
	return onchain_kind(b.o);
}

static struct tx *close_tx(struct bytes first, struct bytes second)
{
	struct tx *t = tx_new(&b.p.arena, 2, 1, second.data ? 2 : 1, 0);

	t->inputs[0].prev = b.r.funding;
	t->inputs[0].sequence = 0xffffffff;
	t->outputs[0] = (struct tx_output){ SAT(500000), first };
	if (second.data)
		t->outputs[1] = (struct tx_output){ SAT(400000), second };
	return t;
}

TEST(each_commitment_is_known_by_its_owner_and_age)
{
	begin();
	CHECK_EQ(kind_of(bed_commitment(&b, COMMITMENT_LOCAL)->tx), ONCHAIN_OUR_COMMITMENT);
	CHECK_EQ(kind_of(bed_commitment(&b, COMMITMENT_REMOTE)->tx), ONCHAIN_THEIR_COMMITMENT);
	CHECK_EQ(kind_of(bed_commitment(&b, COMMITMENT_REMOTE_PREVIOUS)->tx), ONCHAIN_THEIR_PREVIOUS_COMMITMENT);
	for (uint64_t n = 0; n < b.r.remote_revoked; n++)
		CHECK_EQ(kind_of(bed_their_number(&b, n)->tx), ONCHAIN_THEIR_REVOKED_COMMITMENT);
	CHECK_EQ(kind_of(bed_their_number(&b, 6)->tx), ONCHAIN_THEIR_FUTURE_COMMITMENT);
	CHECK_EQ(kind_of(bed_their_number(&b, 7)->tx), ONCHAIN_THEIR_FUTURE_COMMITMENT);
	/* Once 4 is revoked it is a cheat. */
	b.r.remote_points[0] = b.r.remote_points[1];
	b.r.remote_revoked = 5;
	CHECK_EQ(kind_of(bed_their_number(&b, 4)->tx), ONCHAIN_THEIR_REVOKED_COMMITMENT);
	CHECK_EQ(kind_of(bed_commitment(&b, COMMITMENT_REMOTE)->tx), ONCHAIN_THEIR_COMMITMENT);
}

TEST(a_valid_number_with_other_outputs_is_not_a_commitment_that_we_know)
{
	struct commitment *c;

	begin();
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	c->tx->outputs[0].amount = SAT(1);
	CHECK_EQ(kind_of(c->tx), ONCHAIN_UNKNOWN);
	/* B5.general_requirements.1: in words, at the level of errors */
	CHECK_EQ(b.loudest, LOG_ERROR);
	CHECK(strstr(b.last_log, "FUNDS MAY BE LOST"));
}

TEST(a_mutual_close_pays_the_two_shutdown_scripts_and_nobody_else)
{
	struct bytes ours = test_unhex("00141111111111111111111111111111111111111111");
	struct bytes theirs = test_unhex("00142222222222222222222222222222222222222222");
	struct bytes thief = test_unhex("00143333333333333333333333333333333333333333");
	static const uint8_t nothing[1];

	begin();
	CHECK(channel_script_set(&b.r.side[SIDE_LOCAL].shutdown, ours));
	CHECK_EQ(kind_of(close_tx(ours, BYTES_NONE)), ONCHAIN_MUTUAL_CLOSE);
	CHECK_EQ(kind_of(close_tx(ours, theirs)), ONCHAIN_UNKNOWN);
	CHECK(channel_script_set(&b.r.side[SIDE_REMOTE].upfront_shutdown, theirs));
	b.loudest = LOG_TRACE;
	CHECK_EQ(kind_of(close_tx(theirs, ours)), ONCHAIN_MUTUAL_CLOSE);
	CHECK_EQ(b.loudest, LOG_INFO);
	CHECK_EQ(kind_of(close_tx(ours, thief)), ONCHAIN_UNKNOWN);
	/* A side without a script has no empty script. */
	memset(&b.r.side[SIDE_REMOTE].upfront_shutdown, 0, sizeof(struct channel_script));
	CHECK_EQ(kind_of(close_tx(ours, BYTES(nothing, 0))), ONCHAIN_UNKNOWN);
}

TEST(a_mutual_close_is_resolved_by_itself)
{
	struct bytes ours = test_unhex("00141111111111111111111111111111111111111111");

	begin();
	CHECK(channel_script_set(&b.r.side[SIDE_LOCAL].shutdown, ours));
	bed_spent(&b, close_tx(ours, BYTES_NONE));
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 0);
	CHECK_EQ(bed_count(&b, EFFECT_WATCH), 0);
	bed_block(&b, BED_HEIGHT + 99);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 100);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
	bed_block(&b, BED_HEIGHT + 101);
	CHECK(!b.notes.head); /* told once */
}

TEST(a_spend_with_more_outputs_than_any_commitment_is_survived)
{
	struct tx *t;

	begin();
	t = tx_new(&b.p.arena, 2, 1, 3000, 0);
	t->inputs[0].prev = b.r.funding;
	for (uint32_t i = 0; i < t->output_count; i++) /* each pays us */
		t->outputs[i] = (struct tx_output){ SAT(300), to_remote_script_pubkey(&b.p.arena, b.r.type, &b.p.our.payment) };
	CHECK_EQ(kind_of(t), ONCHAIN_UNKNOWN);
	bed_restart(&b);
}

/* --- claims --- */

/* Our money in that commitment, claimed at the first block that may hold it and not before. */
static void check_claim(const struct commitment *c, uint32_t delay, struct amount_sat amount)
{
	const struct tx_output *spent;
	struct tx *claim;
	uint32_t at;

	bed_spent(&b, c->tx);
	at = bed_ours(&b);
	spent = &c->tx->outputs[at];
	CHECK_EQ(spent->amount.v, amount.v);
	CHECK_EQ(bed_output(&b, at)->what, ONCHAIN_TO_US);
	CHECK_EQ(bed_output(&b, at)->spendable_height, BED_HEIGHT + delay);
	CHECK(bed_watched(&b, at)); /* B5.general_nomenclature.1 */
	for (uint32_t h = BED_HEIGHT; h + 1 < BED_HEIGHT + delay; h++) {
		bed_block(&b, h);
		CHECK_EQ(bed_count(&b, EFFECT_SIGN), 0);
	}
	bed_block(&b, BED_HEIGHT + delay - 1);
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 1);
	claim = bed_claim(&b);
	CHECK(outpoint_equal(&claim->inputs[0].prev, &bed_output(&b, at)->outpoint));
	CHECK(spend_is_valid(claim, 0, spent, delay, BED_HEIGHT + delay));
	/* At the normal rate: 2000 for 1000 weight units, which a real witness stays a little below. */
	CHECK(amount.v - claim->outputs[0].amount.v >= 2 * tx_weight(claim));
	CHECK(amount.v - claim->outputs[0].amount.v <= 2 * tx_weight(claim) + 10);
	CHECK(SAME(bed_output(&b, at)->claim, tx_id(claim)));
	/* One claim at a time (INV-O1). */
	bed_block(&b, BED_HEIGHT + delay);
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 1);
}

TEST(our_delayed_output_is_claimed_when_its_delay_has_passed)
{
	struct commitment *c;

	begin();
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	/* B5.unilateral_close_handling_local_commitme.1, B5.unilateral_close_handling_local_commitme.2 */
	check_claim(c, BED_DELAY, c->tx->outputs[c->to_local].amount);
	CHECK_EQ(bed_ours(&b), c->to_local);
}

TEST(a_claim_a_block_too_early_is_invalid)
{
	struct commitment *c;
	struct tx *claim;

	begin();
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	bed_block(&b, BED_HEIGHT + BED_DELAY - 1);
	claim = bed_claim(&b);
	CHECK(!spend_is_valid(claim, 0, &c->tx->outputs[c->to_local], BED_DELAY - 1, BED_HEIGHT + BED_DELAY - 1));
	CHECK(spend_is_valid(claim, 0, &c->tx->outputs[c->to_local], BED_DELAY, BED_HEIGHT + BED_DELAY));
}

static struct amount_sat to_remote_of(const struct commitment *c)
{
	return c->tx->outputs[c->to_remote].amount;
}

TEST(our_output_of_theirs_with_anchors_is_claimed_after_one_block)
{
	struct commitment *c;

	/* B5.unilateral_close_handling_remote_commitm.1 */
	begin();
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	check_claim(c, 1, to_remote_of(c));
	begin();
	c = bed_commitment(&b, COMMITMENT_REMOTE_PREVIOUS);
	check_claim(c, 1, to_remote_of(c));
}

TEST(our_output_of_theirs_with_static_remotekey_is_claimed_at_once)
{
	struct commitment *c;

	begin();
	b.r.type = COMMITMENT_STATIC_REMOTEKEY;
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	check_claim(c, 1, to_remote_of(c));
}

TEST(our_output_of_a_commitment_that_cannot_be_built_is_found_by_its_script)
{
	static const enum commitment_type types[] = { COMMITMENT_ANCHORS, COMMITMENT_STATIC_REMOTEKEY };
	static const uint64_t numbers[] = { 6, 7 };

	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		for (size_t j = 0; j < ARRAY_COUNT(numbers); j++) {
			struct commitment *c;

			begin();
			b.r.type = types[i];
			c = bed_their_number(&b, numbers[j]);
			check_claim(c, 1, to_remote_of(c));
			/* B5.unilateral_close_handling_remote_commitm.4 */
			CHECK(strstr(b.first_error, "newer than our data"));
			CHECK_EQ(b.loudest, LOG_ERROR);
		}
}

TEST(their_outputs_and_anchors_are_left_alone)
{
	struct commitment *c;

	begin();
	c = bed_commitment(&b, COMMITMENT_LOCAL);
	bed_spent(&b, c->tx);
	CHECK_EQ(bed_output(&b, c->to_remote)->what, ONCHAIN_TO_THEM);
	CHECK_EQ(bed_output(&b, c->local_anchor)->what, ONCHAIN_ANCHOR);
	CHECK_EQ(bed_output(&b, c->remote_anchor)->what, ONCHAIN_ANCHOR);
	CHECK_EQ(bed_ours(&b), c->to_local);
	CHECK(!bed_watched(&b, c->to_remote));
	begin();
	c = bed_their_number(&b, 2);
	bed_spent(&b, c->tx);
	CHECK_EQ(bed_output(&b, c->local_anchor)->what, ONCHAIN_ANCHOR);
	CHECK_EQ(bed_output(&b, c->remote_anchor)->what, ONCHAIN_ANCHOR);
	CHECK_EQ(bed_ours(&b), c->to_remote);
	/* The peer's main output is what a penalty takes. */
	CHECK_EQ(bed_output(&b, c->to_local)->what, ONCHAIN_TO_THEM);
	CHECK(bed_output(&b, c->to_local)->ours);
	CHECK(bed_watched(&b, c->to_local));
}

/* --- questions --- */

TEST(a_question_that_was_lost_is_asked_again_after_a_restart)
{
	begin();
	bed_spent_unsigned(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 1);
	bed_restart(&b);
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 1);
	CHECK(bed_watched(&b, bed_ours(&b)));
	(void)bed_claim(&b);
}

TEST(a_claim_that_went_out_is_not_signed_again_after_a_restart)
{
	struct txid claim;

	begin();
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	claim = tx_id(bed_claim(&b));
	bed_restart(&b);
	bed_block(&b, BED_HEIGHT + 1);
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 0);
	CHECK(SAME(bed_output(&b, bed_ours(&b))->claim, claim));
	CHECK_EQ(bed_output(&b, bed_ours(&b))->claim_feerate.per_kw, 2000);
	CHECK_EQ(onchain_kind(b.o), ONCHAIN_THEIR_COMMITMENT);
	CHECK_EQ(onchain_height(b.o), BED_HEIGHT);
}

TEST(a_signer_that_refuses_is_asked_again_at_the_next_block)
{
	struct sign_answer no = { .refused = true, .reason = "not now" };
	const struct effect *question = NULL;

	begin();
	bed_spent_unsigned(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	for (const struct effect *f = b.out.head; f; f = f->next)
		if (f->kind == EFFECT_SIGN)
			question = f;
	CHECK(question);
	b.seen = b.out.tail;
	onchain_signed(b.o, &b.s, &b.notes, question->u.sign.id + 1, &no); /* somebody else's */
	CHECK(b.loudest == LOG_INFO);
	onchain_signed(b.o, &b.s, &b.notes, question->u.sign.id, &no);
	CHECK(strstr(b.last_log, "not now"));
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 1);
	(void)bed_claim(&b);
}

TEST(what_was_spent_while_the_signer_thought_is_not_claimed)
{
	struct bytes item = BYTES("x", 1);

	begin();
	bed_spent_unsigned(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	bed_tx(&b, bed_spender(&b, bed_ours(&b), &item, 1), BED_HEIGHT + 1);
	bed_sign(&b);
	CHECK(!b.notes.head);
	CHECK(bytes_all_zero(BYTES_OF(bed_output(&b, bed_ours(&b))->claim.v)));
	/* The block goes: now there is something to claim again. */
	CHECK(!bed_undone(&b, BED_HEIGHT + 1));
	bed_block(&b, BED_HEIGHT + 1);
	(void)bed_claim(&b);
}

TEST(without_a_script_the_claim_waits_for_one)
{
	begin();
	b.destination = BYTES_NONE;
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	CHECK(onchain_wants_destination(b.o));
	bed_restart(&b);
	CHECK(onchain_wants_destination(b.o));
	bed_block(&b, BED_HEIGHT + 500);
	CHECK(!b.notes.head); /* neither claimed nor forgotten */
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 0);
	b.destination = test_unhex("0014aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	onchain_set_destination(b.o, &b.s, &b.notes, b.destination);
	bed_sign(&b);
	CHECK(!onchain_wants_destination(b.o));
	(void)bed_claim(&b);
	/* Kept, and not to be changed any more. */
	bed_restart(&b);
	CHECK(!onchain_wants_destination(b.o));
	b.destination = BYTES_NONE;
	begin();
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	CHECK(!onchain_wants_destination(b.o));
}

/* --- fees --- */

TEST(a_claim_that_does_not_confirm_is_replaced_by_one_that_pays_more)
{
	struct commitment *c;
	struct tx *first, *second;
	uint32_t at;

	begin();
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	bed_spent(&b, c->tx);
	at = bed_ours(&b);
	first = bed_claim(&b);
	bed_block(&b, BED_HEIGHT + BUMP_PATIENCE_BLOCKS - 1);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + BUMP_PATIENCE_BLOCKS);
	/* INV-O1: the old one goes with the step that brings the new one. */
	CHECK(SAME(bed_note(&b, ONCHAIN_NOTE_WITHDRAW)->txid, tx_id(first)));
	second = bed_claim(&b);
	CHECK(spend_is_valid(second, 0, &c->tx->outputs[at], 7, BED_HEIGHT + 7));
	CHECK_EQ(bed_output(&b, at)->claim_feerate.per_kw, 2500);
	/* BIP 125: replaceable, and pays for the relay of its own size on top. */
	CHECK(first->inputs[0].sequence < 0xfffffffe);
	CHECK(first->outputs[0].amount.v - second->outputs[0].amount.v >= tx_weight(second) / 4);
	/* What is known of the new one survives. */
	bed_restart(&b);
	CHECK(SAME(bed_output(&b, at)->claim, tx_id(second)));
	bed_block(&b, BED_HEIGHT + 2 * BUMP_PATIENCE_BLOCKS - 1);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 2 * BUMP_PATIENCE_BLOCKS);
	bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
	(void)bed_claim(&b);
	CHECK_EQ(bed_output(&b, at)->claim_feerate.per_kw, 3125);
}

TEST(a_replacement_pays_what_is_normal_now_and_never_more_than_is_urgent)
{
	struct commitment *c;
	uint32_t at, rate = 0, rounds = 0;

	begin();
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	b.s.fees[FEE_NORMAL] = FEERATE(253);
	bed_spent(&b, c->tx);
	at = bed_ours(&b);
	(void)bed_claim(&b);
	b.s.fees[FEE_NORMAL] = FEERATE(3000);
	bed_block(&b, BED_HEIGHT + 6);
	bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
	(void)bed_claim(&b);
	CHECK_EQ(bed_output(&b, at)->claim_feerate.per_kw, 3000);
	for (uint32_t h = BED_HEIGHT + 7; h < BED_HEIGHT + 200; h++) {
		bed_block(&b, h);
		while (b.notes.head) {
			bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
			(void)bed_claim(&b);
			CHECK(bed_output(&b, at)->claim_feerate.per_kw >= rate + 253);
			rate = bed_output(&b, at)->claim_feerate.per_kw;
			rounds++;
		}
	}
	CHECK(rounds >= 2);
	CHECK(rate <= 5000 && rate + 253 > 5000 - 253);
	/* Fees explode: the next one follows. */
	b.s.fees[FEE_URGENT] = FEERATE(50000);
	bed_block(&b, BED_HEIGHT + 300);
	CHECK_EQ(bed_output(&b, at)->claim_feerate.per_kw, rate + rate / 4);
}

TEST(without_estimates_a_claim_pays_the_least_that_is_relayed)
{
	begin();
	memset(b.s.fees, 0, sizeof(b.s.fees));
	bed_spent(&b, bed_commitment(&b, COMMITMENT_REMOTE)->tx);
	(void)bed_claim(&b);
	CHECK_EQ(bed_output(&b, bed_ours(&b))->claim_feerate.per_kw, FEERATE_FLOOR_PER_KW);
	bed_block(&b, BED_HEIGHT + 100);
	CHECK(!b.notes.head);
}

TEST(an_output_that_is_not_worth_its_fee_waits_for_lower_fees)
{
	struct commitment *c;

	begin();
	b.r.settled[SIDE_LOCAL] = MSAT(4000000); /* 4,000 sat less fee and anchors */
	b.r.settled[SIDE_REMOTE] = MSAT(996000000);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	b.s.fees[FEE_NORMAL] = FEERATE(10000);
	bed_spent(&b, c->tx);
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 0);
	bed_block(&b, BED_HEIGHT + 400);
	CHECK(!b.notes.head); /* and the channel is not history before */
	b.s.fees[FEE_NORMAL] = FEERATE(300);
	bed_block(&b, BED_HEIGHT + 401);
	(void)bed_claim(&b);
}

TEST(an_output_that_nobody_can_spend_with_profit_does_not_keep_a_channel_for_ever)
{
	struct commitment *c;

	begin();
	b.r.settled[SIDE_LOCAL] = MSAT(2150000); /* 2,150 sat less 1,124 for the fee and 660 for anchors */
	b.r.settled[SIDE_REMOTE] = MSAT(997850000);
	c = bed_commitment(&b, COMMITMENT_REMOTE);
	CHECK(c->to_remote != COMMITMENT_NO_OUTPUT);
	CHECK_EQ(to_remote_of(c).v, 366);
	b.s.fees[FEE_NORMAL] = FEERATE(253);
	bed_spent(&b, c->tx);
	CHECK_EQ(bed_count(&b, EFFECT_SIGN), 0);
	bed_block(&b, BED_HEIGHT + 99);
	CHECK(!b.notes.head);
	bed_block(&b, BED_HEIGHT + 100);
	bed_note(&b, ONCHAIN_NOTE_RESOLVED);
}
