/* core/onchain/anchor: who pays for our commitment while it waits for a block. */
#include "tests/unit/onchain_setup.h"

static struct bed b;
static struct commitment *ours;
static struct anchor_stake stake;
static struct amount_sat parent_fee;

static struct bytes encoded(const struct tx *t)
{
	struct buf raw = BUF_EMPTY;
	struct bytes v;

	tx_encode(t, &raw);
	v = arena_bytes(&b.p.arena, buf_view(&raw));
	buf_release(&raw);
	return v;
}

static void begin(uint32_t coins)
{
	bed_release(&b);
	bed_init(&b);
	bed_coins(&b, coins);
	ours = bed_our_signed(&b);
	bed_know(&b, ours->tx, 0);
	parent_fee = ours->fee;
	stake = (struct anchor_stake){ .deadline = BED_HEIGHT + 40, .htlcs = SAT(200000), .balance = SAT(600000) };
	b.anchor = anchor_new(&b.s, &b.r, &b.notes, encoded(ours->tx), &stake);
	CHECK(b.anchor);
	bed_sign(&b);
}

static struct amount_sat fee_of(const struct tx *t)
{
	uint64_t in = 0, out = 0;

	for (uint32_t i = 0; i < t->input_count; i++) {
		uint32_t height;

		in += bed_known(&b, &t->inputs[i].prev.txid, &height)->outputs[t->inputs[i].prev.index].amount.v;
	}
	for (uint32_t i = 0; i < t->output_count; i++)
		out += t->outputs[i].amount.v;
	return SAT(in - out);
}

/* The child that is out; NULL: none new. */
static struct tx *child(void)
{
	struct tx *t = NULL;

	while (b.notes.head) {
		struct onchain_note *n;

		if (b.notes.head->kind == ONCHAIN_NOTE_WITHDRAW) {
			bed_note(&b, ONCHAIN_NOTE_WITHDRAW);
			continue;
		}
		n = bed_note(&b, ONCHAIN_NOTE_BROADCAST);
		CHECK(n->has_parent && SAME(n->parent, ours->txid));
		t = tx_parse(&b.p.arena, arena_bytes(&b.p.arena, n->tx));
		CHECK(t);
		bed_check_tx(&b, t);
		CHECK_EQ(t->inputs[0].prev.index, ours->local_anchor);
	}
	return t;
}

static uint64_t package_per_kw(const struct tx *t)
{
	return (fee_of(t).v + parent_fee.v) * 1000 / (tx_weight(t) + tx_weight(ours->tx));
}

static void block(uint32_t height)
{
	b.s.height = height;
	bed_wallet_block(&b, NULL, height);
	anchor_advance(b.anchor, &b.s, &b.notes, &stake);
	bed_sign(&b);
}

/* What is stored of it. */
static void restart(void)
{
	struct bytes v = BYTES_NONE;

	for (const struct effect *f = b.out.head; f; f = f->next)
		if (f->kind == EFFECT_PERSIST && f->u.persist.kind == RECORD_ANCHOR)
			v = f->u.persist.value;
	CHECK(v.size);
	v = arena_bytes(&b.p.arena, v);
	anchor_free(b.anchor);
	b.anchor = anchor_load(&b.r, v);
	CHECK(b.anchor);
	anchor_check(b.anchor);
	for (size_t size = 0; size < v.size; size++)
		CHECK(!anchor_load(&b.r, BYTES(v.data, size)));
	anchor_wake(b.anchor, &b.s, &b.notes, &stake);
	bed_sign(&b);
}

/* B5.failing_a_channel.5 */
TEST(our_anchor_is_spent_for_both)
{
	struct tx *t;

	begin(1);
	t = child();
	CHECK(t);
	/* The estimate between normal (2,000) and urgent (5,000), by the blocks that are left. */
	CHECK(package_per_kw(t) >= 2000 && package_per_kw(t) <= 5000);
	CHECK_EQ(t->version, 2);
	CHECK(t->inputs[0].sequence < 0xfffffffe);
	/* All of the rest comes back to the wallet. */
	for (uint32_t i = 0; i < t->output_count; i++)
		CHECK(wallet_owns(b.wallet, t->outputs[i].script));
	CHECK(SAME(anchor_view(b.anchor).child, tx_id(t)));
	CHECK_EQ(anchor_view(b.anchor).fee.v, fee_of(t).v);
}

/* What must be shown: a force close at ten times the estimate a minute later confirms before its deadline.  The block
 * template asks for ten times what is normal; the child gets there while the deadline is far. */
TEST(fees_rise_tenfold_a_minute_later)
{
	struct tx *t;

	begin(1);
	CHECK(child());
	for (int i = 0; i < FEE_TARGETS; i++)
		b.s.fees[i].per_kw *= 10;
	anchor_advance(b.anchor, &b.s, &b.notes, &stake);
	bed_sign(&b);
	t = child();
	CHECK(t && package_per_kw(t) >= 20000);
}

/* The same, and nobody told us: the deadline drives it. */
TEST(fees_rise_tenfold_and_the_estimates_do_not)
{
	uint64_t best = 0;
	uint32_t confirmed = 0;

	begin(1);
	CHECK(child());
	for (uint32_t h = BED_HEIGHT + 1; h < stake.deadline && !confirmed; h++) {
		struct tx *t;

		block(h);
		if (h % 7 == 0)
			restart();
		t = child();
		if (!t)
			continue;
		/* B5.failing_a_channel.6: it only ever pays more. */
		CHECK(package_per_kw(t) > best);
		best = package_per_kw(t);
		if (best >= 20000)
			confirmed = h + 1;
	}
	CHECK(confirmed && confirmed <= stake.deadline);
}

TEST(no_more_is_paid_than_is_at_stake)
{
	struct tx *t = NULL;

	begin(1);
	for (uint32_t h = BED_HEIGHT + 1; h < stake.deadline; h++) {
		struct tx *more;

		block(h);
		more = child();
		t = more ? more : t;
	}
	CHECK(t);
	CHECK(fee_of(t).v > 100000); /* all but the last step of the budget */
	CHECK(fee_of(t).v <= 200000 / 2 + 600000 / 10);
}

TEST(a_commitment_that_pays_enough_needs_no_child)
{
	begin(1);
	CHECK(child());
	bed_release(&b);
	bed_init(&b);
	b.r.feerates[4] = FEERATE(30000);
	ours = bed_our_signed(&b);
	stake = (struct anchor_stake){ .balance = SAT(500000) };
	b.anchor = anchor_new(&b.s, &b.r, &b.notes, encoded(ours->tx), &stake);
	CHECK(b.anchor);
	bed_sign(&b);
	CHECK(!b.notes.head);
	CHECK_EQ(bed_count(&b, EFFECT_FUNDS), 0);
}

TEST(static_remotekey_has_no_anchor)
{
	bed_release(&b);
	bed_init(&b);
	b.r.type = COMMITMENT_STATIC_REMOTEKEY;
	ours = bed_our_signed(&b);
	CHECK(!anchor_new(&b.s, &b.r, &b.notes, encoded(ours->tx), &stake));
}

TEST(another_commitment_makes_the_child_void)
{
	struct commitment *theirs;
	struct wallet_balance before, after;
	struct tx *t;
	uint64_t best;

	begin(1);
	t = child();
	best = anchor_view(b.anchor).feerate.per_kw;
	theirs = bed_commitment(&b, COMMITMENT_REMOTE);
	wallet_view_balance(b.wallet, &before);
	anchor_sleep(b.anchor, &b.s, &b.notes, &theirs->txid);
	bed_sign(&b);
	CHECK(SAME(bed_note(&b, ONCHAIN_NOTE_WITHDRAW)->txid, tx_id(t)));
	wallet_view_balance(b.wallet, &after);
	CHECK_EQ(after.confirmed.v, BED_COIN_SAT);
	block(BED_HEIGHT + 1);
	CHECK(!child());
	/* The block goes: ours competes again, and the schedule goes on. */
	restart();
	t = child();
	CHECK(t);
	CHECK(anchor_view(b.anchor).feerate.per_kw >= best);
	/* Ours confirms: the child may as well. */
	anchor_sleep(b.anchor, &b.s, &b.notes, &ours->txid);
	bed_sign(&b);
	CHECK(!b.notes.head);
	block(BED_HEIGHT + 30);
	CHECK(!child());
	anchor_end(b.anchor, &b.s, &b.notes);
	bed_sign(&b);
	CHECK(SAME(bed_note(&b, ONCHAIN_NOTE_WITHDRAW)->txid, tx_id(t)));
}

TEST(a_wallet_without_coins_is_asked_again)
{
	begin(0);
	CHECK(!child());
	CHECK_EQ(b.loudest, LOG_ERROR);
	bed_wallet_block(&b, NULL, BED_HEIGHT);
	bed_coins(&b, 1);
	block(BED_HEIGHT + 2);
	CHECK(child());
}

/* A block goes before a child can be made: it is out below the height at which its schedule began. */
TEST(a_reorganization_below_its_beginning)
{
	begin(0);
	CHECK(!child());
	b.s.height = BED_HEIGHT - 1;
	bed_coins(&b, 1);
	anchor_advance(b.anchor, &b.s, &b.notes, &stake);
	bed_sign(&b);
	CHECK(child());
	anchor_check(b.anchor); /* INV-A2 */
	CHECK_EQ(anchor_view(b.anchor).height, BED_HEIGHT);
	restart();
	block(BED_HEIGHT);
	CHECK(!child());
}
