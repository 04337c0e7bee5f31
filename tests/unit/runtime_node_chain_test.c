/* The end of a channel on chain, through whole nodes: claims, HTLCs, reorganisations, restarts, and that nothing is
 * left behind. */
#include "node/deadlines.h"
#include "tests/script/interpreter.h"

#include "node/state.h"
#include "tests/unit/node_pair.h"

/* A channel in which b has 300,000 sat of a's million. */
static void two_with_money(void)
{
	uint64_t call;

	two();
	call = order_pay(&a, bolt11_of(&b, order_invoice(&b, "a third", 300000000)), 0);
	rig_pump(&a, &b, 1);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	rig_forget(&a);
	rig_forget(&b);
}

static struct bytes force(struct rig *r, const struct rig *other)
{
	struct command c = { .kind = COMMAND_CLOSE };
	struct rig_item *i;

	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = other->id;
	c.u.close.force = true;
	(void)rig_command(r, &c);
	i = took(r, EFFECT_BROADCAST);
	rig_forget(r);
	return i->data;
}

static void both_block(struct bytes tx)
{
	rig_block(&a, &tx, tx.size ? 1 : 0);
	rig_block(&b, &tx, tx.size ? 1 : 0);
}

/* The only transaction that is on offer, which must spend `prev`. */
static struct tx *on_offer(struct rig *r, const struct txid *prev)
{
	struct tx *t;

	CHECK(r->node->outbox);
	for (struct outbox_entry *o = r->node->outbox; o; o = o->next) {
		if (o->confirmed_height)
			continue;
		t = tx_parse(&r->kept, arena_bytes(&r->kept, o->tx));
		CHECK(t);
		if (SAME(t->inputs[0].prev.txid, *prev))
			return t;
	}
	CHECK(false);
	return NULL;
}

static struct bytes raw_of(struct rig *r, const struct tx *t)
{
	struct buf raw = BUF_EMPTY;
	struct bytes out;

	tx_encode(t, &raw);
	out = arena_bytes(&r->kept, buf_view(&raw));
	buf_release(&raw);
	return out;
}

static uint32_t on_offer_count(const struct rig *r)
{
	uint32_t count = 0;

	for (struct outbox_entry *o = r->node->outbox; o; o = o->next)
		count += o->confirmed_height == 0;
	return count;
}

static void check_nothing_is_left(struct rig *r)
{
	CHECK(!rig_channel(r));
	CHECK_EQ(count_records(r, RECORD_CLOSED_PAST), 1);
	CHECK_EQ(table_count(&r->node->by_funding), 0);
	CHECK_EQ(table_count(&r->node->onions), 0);
	CHECK_EQ(on_offer_count(r), 0);
	rig_restart(r);
	CHECK(!rig_channel(r));
	CHECK_EQ(count_records(r, RECORD_CLOSED_PAST), 1);
}

/* Everything that a and b may do about a's commitment.  With a restart before every block, if asked for. */
static void play_to_the_end(bool restarts)
{
	struct bytes commitment;
	struct tx *c, *claim;
	struct txid id;

	two_with_money();
	commitment = force(&a, &b);
	c = tx_parse(&a.kept, commitment);
	id = tx_id(c);
	both_block(commitment);
	/* B5.general_nomenclature.4 */
	CHECK_EQ(channel_state_of(rig_channel(&a)), ONCHAIN);
	CHECK_EQ(channel_state_of(rig_channel(&b)), ONCHAIN);
	/* b's output is free for it at once. */
	claim = on_offer(&b, &id);
	CHECK(spend_is_valid(claim, 0, &c->outputs[claim->inputs[0].prev.index], 1, b.height + 1));
	CHECK_EQ(c->outputs[claim->inputs[0].prev.index].amount.v, 300000);
	CHECK_EQ(on_offer_count(&a), 0);
	both_block(raw_of(&b, claim));
	for (uint32_t i = 2; i < a.config.to_self_delay_blocks; i++) {
		if (restarts) {
			rig_restart(&a);
			rig_restart(&b);
		}
		CHECK_EQ(on_offer_count(&a), 0);
		both_block(BYTES_NONE);
	}
	claim = on_offer(&a, &id);
	CHECK(spend_is_valid(claim, 0, &c->outputs[claim->inputs[0].prev.index], a.config.to_self_delay_blocks, a.height + 1));
	both_block(raw_of(&a, claim));
	for (uint32_t i = 0; i < 99; i++) {
		CHECK(rig_channel(&a));
		if (restarts && i % 10 == 0) {
			rig_restart(&a);
			rig_restart(&b);
		}
		both_block(BYTES_NONE);
	}
	CHECK(rig_channel(&a));
	both_block(BYTES_NONE);
	check_nothing_is_left(&a);
	check_nothing_is_left(&b);
}

TEST(a_channel_closed_by_force_pays_both_and_is_forgotten)
{
	play_to_the_end(false);
}

TEST(restarts_on_the_way_change_nothing)
{
	play_to_the_end(true);
}

TEST(what_is_on_offer_is_offered_at_every_block)
{
	struct bytes commitment;

	two_with_money();
	commitment = force(&a, &b);
	/* INV-N4: blocks, and a restart, and again until it is a hundred deep. */
	for (int i = 0; i < 3; i++) {
		rig_block(&a, NULL, 0);
		CHECK(bytes_equal(took(&a, EFFECT_BROADCAST)->data, commitment));
		rig_forget(&a);
	}
	rig_restart(&a);
	CHECK(bytes_equal(took(&a, EFFECT_BROADCAST)->data, commitment));
	rig_block(&a, &commitment, 1);
	rig_forget(&a);
	rig_block(&a, NULL, 0);
	CHECK(!rig_take(&a, EFFECT_BROADCAST));
	/* The block with it goes. */
	rig_undo(&a);
	rig_undo(&a);
	CHECK(bytes_equal(took(&a, EFFECT_BROADCAST)->data, commitment));
}

TEST(the_other_commitment_after_a_reorganisation)
{
	struct bytes ours, theirs;
	struct tx *claim;
	struct txid id;

	two_with_money();
	ours = force(&a, &b);
	theirs = force(&b, &a);
	rig_block(&a, &theirs, 1);
	CHECK_EQ(onchain_kind(node_view_onchain(a.node, rig_channel(&a))), ONCHAIN_THEIR_COMMITMENT);
	id = tx_id(tx_parse(&a.kept, theirs));
	(void)on_offer(&a, &id);
	rig_block(&a, NULL, 0);
	rig_undo(&a);
	CHECK_EQ(channel_state_of(rig_channel(&a)), ONCHAIN);
	rig_undo(&a);
	/* B5.general_nomenclature.3: back to where it was; the claim has nothing to spend and is withdrawn. */
	CHECK_EQ(channel_state_of(rig_channel(&a)), AWAITING_UNILATERAL);
	CHECK_EQ(on_offer_count(&a), 1);
	CHECK(bytes_equal(raw_of(&a, on_offer(&a, &channel_funding(rig_channel(&a))->txid)), ours));
	rig_restart(&a);
	CHECK_EQ(channel_state_of(rig_channel(&a)), AWAITING_UNILATERAL);
	rig_block(&a, &ours, 1);
	CHECK_EQ(onchain_kind(node_view_onchain(a.node, rig_channel(&a))), ONCHAIN_OUR_COMMITMENT);
	rig_blocks(&a, a.config.to_self_delay_blocks - 1);
	id = tx_id(tx_parse(&a.kept, ours));
	claim = on_offer(&a, &id);
	CHECK_EQ(claim->inputs[0].sequence, a.config.to_self_delay_blocks);
}

/* --- HTLCs --- */

/* b holds back: it does not know how high the chain is. */
static void hold_back(void)
{
	struct event e = { .kind = EVENT_CHAIN_SYNCED };

	e.u.synced.height = b.height;
	e.u.synced.best_height = b.height + 1;
	rig_event(&b, &e);
}

/* a's payment of so much hangs irrevocably in the channel.  Returns the call. */
static uint64_t hang(uint64_t msat, struct sha256 *hash)
{
	uint64_t invoice = order_invoice(&b, "it hangs", msat), call;

	*hash = reply_of(&b, invoice)->u.invoice.payment_hash;
	hold_back();
	call = order_pay(&a, bolt11_of(&b, invoice), 0);
	rig_pump(&a, &b, 1);
	CHECK(!rig_reply(&a, call));
	CHECK_EQ(channel_htlc_count(rig_channel(&a)), 1);
	return call;
}

TEST(a_payment_that_is_dust_on_chain_fails_soon)
{
	struct sha256 hash;
	uint64_t call;

	two();
	call = hang(200000, &hash);
	rig_block(&a, (struct bytes[]){ force(&a, &b) }, 1);
	rig_blocks(&a, 5);
	CHECK_EQ(payment_state_of(&a, &hash), PAYMENT_PENDING);
	rig_restart(&a);
	rig_block(&a, NULL, 0);
	/* It carries on after the restart, for as long as it may, and finds no channel. */
	CHECK_EQ(payment_state_of(&a, &hash), PAYMENT_PENDING);
	rig_tick(&a, 61000);
	CHECK_EQ(payment_state_of(&a, &hash), PAYMENT_FAILED);
	/* The user waited in the process that is gone; who asks now learns it. */
	CHECK(!rig_reply(&a, call));
	rig_restart(&a);
	CHECK_EQ(payment_state_of(&a, &hash), PAYMENT_FAILED);
}

TEST(a_payment_whose_htlc_is_in_no_output_gets_its_answer)
{
	struct sha256 hash;
	uint64_t call;

	two();
	call = hang(200000, &hash);
	rig_block(&a, (struct bytes[]){ force(&a, &b) }, 1);
	rig_forget(&a);
	rig_blocks(&a, 6);
	CHECK(code_of(&a, call) != REPLY_OK);
	CHECK_EQ(send_pending_count(node_view_payments(a.node)), 0);
}

TEST(a_payment_claimed_on_chain_is_complete)
{
	struct bytes items[3] = { BYTES("signature", 9), BYTES_NONE, BYTES("script", 6) }, commitment;
	struct preimage preimage;
	struct sha256 hash;
	struct tx *c, *t;
	uint64_t call;
	uint32_t at = 0;

	two();
	call = hang(50000000, &hash);
	commitment = force(&a, &b);
	rig_block(&a, &commitment, 1);
	rig_blocks(&a, 120);
	CHECK_EQ(payment_state_of(&a, &hash), PAYMENT_PENDING); /* it has an output: nobody knows yet */
	c = tx_parse(&a.kept, commitment);
	while (c->outputs[at].amount.v != 50000)
		at++;
	preimage = rig_invoice(&b, &hash).preimage;
	t = tx_new(&a.kept, 2, 1, 1, 0);
	t->inputs[0].prev = (struct outpoint){ tx_id(c), at };
	t->outputs[0].amount = SAT(49000);
	items[1] = BYTES_OF(preimage.v);
	tx_set_witness(&a.kept, t, 0, items, 3);
	rig_restart(&a);
	rig_block(&a, (struct bytes[]){ raw_of(&a, t) }, 1);
	CHECK_EQ(payment_state_of(&a, &hash), PAYMENT_COMPLETE);
	CHECK(SAME(rig_payment(&a, &hash)->preimage, preimage));
	(void)call;
}

/* A transaction of r that shows the preimage of an HTLC: its claim. */
static bool claims_with(struct rig *r, const struct preimage *preimage)
{
	struct rig_item *i;

	while ((i = rig_take(r, EFFECT_BROADCAST))) {
		const struct tx *t = tx_parse(&r->kept, i->data);

		for (uint32_t in = 0; in < t->input_count; in++)
			for (uint32_t w = 0; w < t->inputs[in].witness_count; w++)
				if (bytes_equal(t->inputs[in].witness[w], BYTES_OF(preimage->v)))
					return true;
	}
	return false;
}

/* The preimage would be out, and the money on chain for the peer to take back. */
TEST(an_htlc_of_a_failed_channel_is_not_accepted_too_late)
{
	struct sha256 hash;

	two();
	(void)hang(50000000, &hash);
	CHECK_EQ(table_count(&b.node->onions), 1);
	(void)force(&b, &a);
	CHECK_EQ(table_count(&b.node->onions), 1);
	/* B2.cltv_expiry_delta.6 */
	rig_blocks(&b, DEADLINE_FINAL_BLOCKS + SEND_CLTV_SLACK - DEADLINE_FULFIL_BLOCKS - 1);
	CHECK_EQ(table_count(&b.node->onions), 1);
	rig_blocks(&b, 1);
	CHECK_EQ(table_count(&b.node->onions), 0);
	rig_synced(&b);
	CHECK_EQ(invoice_state_of(&b, &hash), INVOICE_UNPAID);
	rig_restart(&b);
	CHECK_EQ(invoice_state_of(&b, &hash), INVOICE_UNPAID);
	CHECK_EQ(table_count(&b.node->onions), 0);
}

TEST(an_htlc_of_dust_on_chain_is_not_accepted)
{
	struct sha256 hash;

	two();
	(void)hang(200000, &hash);
	CHECK_EQ(table_count(&b.node->onions), 1);
	(void)force(&b, &a);
	CHECK_EQ(table_count(&b.node->onions), 0);
	rig_synced(&b);
	rig_restart(&b);
	CHECK_EQ(invoice_state_of(&b, &hash), INVOICE_UNPAID);
}

TEST(an_htlc_whose_channel_is_spent_meanwhile_is_claimed)
{
	struct bytes commitment;
	struct sha256 hash;
	struct preimage preimage;

	two();
	(void)hang(50000000, &hash);
	commitment = force(&a, &b);
	rig_block(&b, &commitment, 1);
	CHECK_EQ(invoice_state_of(&b, &hash), INVOICE_UNPAID);
	rig_synced(&b);
	CHECK_EQ(invoice_state_of(&b, &hash), INVOICE_PAID);
	preimage = rig_invoice(&b, &hash).preimage;
	/* B5.htlc_output_handling_remote_commitment_r.1 */
	CHECK(claims_with(&b, &preimage));
	CHECK_EQ(table_count(&b.node->onions), 0);
}

TEST(an_onion_that_the_signer_refuses_is_failed)
{
	struct sha256 hash;
	uint64_t call;
	struct event e = { .kind = EVENT_SIGNED };
	struct sign_answer no = { .refused = true, .reason = "no" };

	two();
	call = hang(5000000, &hash);
	b.signer_late = true; /* the question leaves and no answer comes but ours */
	rig_synced(&b);
	b.signer_late = false;
	delayed_signer_drop(b.slow);
	e.u.signature.id = b.node->next_ask;
	e.u.signature.answer = &no;
	rig_event(&b, &e);
	rig_pump(&a, &b, 1);
	CHECK(code_of(&a, call) != REPLY_OK);
	CHECK_EQ(channel_htlc_count(rig_channel(&a)), 0);
	CHECK_EQ(channel_state_of(rig_channel(&a)), CHANNELD_NORMAL);
	CHECK_EQ(table_count(&b.node->onions), 0);
}

/* --- what was asked before a crash is asked again --- */

TEST(a_funding_transaction_is_signed_after_a_restart)
{
	uint64_t call;
	struct bytes funding;

	begin();
	meet();
	a.wallet_late = true;
	call = order_open(&a, &b.id, 100000);
	CHECK(rig_wallet_answers(&a, 0)); /* address */
	rig_pump(&a, &b, 1);
	CHECK(rig_wallet_answers(&a, 0)); /* coins */
	rig_pump(&a, &b, 1);
	CHECK(a.questions && a.questions->kind == FUNDS_SIGN);
	CHECK(!rig_take(&a, EFFECT_BROADCAST));
	rig_restart(&a);
	CHECK(!rig_reply(&a, call));
	CHECK_EQ(a.retained, 1); /* its coins are not given to anybody else */
	CHECK(a.questions && a.questions->kind == FUNDS_SIGN);
	CHECK(rig_wallet_answers(&a, 0));
	funding = took(&a, EFFECT_BROADCAST)->data;
	CHECK(SAME(channel_funding(rig_channel(&a))->txid, tx_id(tx_parse(&a.kept, funding))));
	/* Again from its outbox: the wallet is asked too, and answers the same. */
	rig_restart(&a);
	CHECK(bytes_equal(took(&a, EFFECT_BROADCAST)->data, funding));
}

TEST(a_claim_is_signed_after_a_restart)
{
	struct bytes theirs;
	struct txid id, claim, again;

	two_with_money();
	theirs = force(&b, &a);
	a.signer_late = true;
	rig_block(&a, &theirs, 1);
	CHECK_EQ(on_offer_count(&a), 0);
	rig_restart(&a);
	CHECK_EQ(on_offer_count(&a), 0);
	for (int i = 0; i < 10; i++)
		rig_signer_tick(&a);
	id = tx_id(tx_parse(&a.kept, theirs));
	claim = tx_id(on_offer(&a, &id));
	rig_restart(&a);
	CHECK_EQ(delayed_signer_waiting(a.slow), 1); /* the backup's key, and no signature */
	again = tx_id(on_offer(&a, &id));
	CHECK(SAME(again, claim));
}

TEST(our_commitment_is_signed_after_a_restart)
{
	struct command c = { .kind = COMMAND_CLOSE };

	two_with_money();
	a.signer_late = true;
	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = b.id;
	c.u.close.force = true;
	(void)rig_command(&a, &c);
	CHECK(!rig_take(&a, EFFECT_BROADCAST));
	rig_restart(&a);
	CHECK(!rig_take(&a, EFFECT_BROADCAST));
	for (int i = 0; i < 10; i++)
		rig_signer_tick(&a);
	CHECK(rig_take(&a, EFFECT_BROADCAST));
}

TEST(a_key_id_is_never_used_twice)
{
	uint64_t first;

	begin();
	meet();
	(void)order_open(&a, &b.id, 100000);
	CHECK(rig_channel(&a));
	first = channel_key(rig_channel(&a));
	rig_restart(&a); /* nothing of that opening is stored but the counter */
	CHECK(!rig_channel(&a));
	rig_link(&a, &b, 2);
	rig_pump(&a, &b, 2);
	(void)order_open(&a, &b.id, 100000);
	CHECK(rig_channel(&a));
	CHECK(channel_key(rig_channel(&a)) > first); /* INV-N5 */
}

/* --- where claims go --- */

TEST(without_a_script_of_the_channel_the_wallet_gives_one)
{
	struct channel_side *ours;
	struct bytes commitment;
	struct txid id;
	struct tx *claim;

	two_with_money();
	/* No channel of today is without one. */
	ours = (struct channel_side *)&channel_record_of(rig_channel(&a))->side[SIDE_LOCAL];
	ours->upfront_shutdown.size = ours->shutdown.size = 0;
	commitment = force(&a, &b);
	id = tx_id(tx_parse(&a.kept, commitment));
	a.wallet_late = true;
	rig_block(&a, &commitment, 1);
	CHECK(a.questions && a.questions->kind == FUNDS_ADDRESS);
	rig_restart(&a); /* asked again */
	CHECK(a.questions && a.questions->kind == FUNDS_ADDRESS);
	CHECK(rig_wallet_answers(&a, 0));
	rig_blocks(&a, a.config.to_self_delay_blocks);
	claim = on_offer(&a, &id);
	CHECK_EQ(claim->output_count, 1);
	CHECK(script_is_p2wpkh(claim->outputs[0].script));
}
