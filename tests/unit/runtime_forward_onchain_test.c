/* Forwards whose channels go to the chain: on either side of b, with the preimage from the wire or from a block, and with
 * an HTLC that is in no confirmed commitment. */
#include "tests/unit/node_three.h"

#include "node/deadlines.h"

/* r closes its channel with `other` alone; its commitment. */
static struct bytes force(struct rig *r, const struct rig *other)
{
	struct command order = { .kind = COMMAND_CLOSE };
	struct rig_item *i;

	while (rig_take(r, EFFECT_BROADCAST))
		;
	order.u.close.channel.by_id = true;
	order.u.close.channel.id = *channel_id_of(channel_between(r, other));
	order.u.close.force = true;
	(void)rig_command(r, &order);
	i = rig_take(r, EFFECT_BROADCAST);
	CHECK(i);
	return i->data;
}

static void row_block_of(struct bytes tx)
{
	rig_block(&a, &tx, 1);
	rig_block(&b, &tx, 1);
	rig_block(&c, &tx, 1);
}

#define HELD_DELAY 60u

/* An HTLC of a that c has and does not answer: c waits for the rest of its set. */
static uint64_t held_by_c(struct way *w, struct bill *bill, uint64_t msat)
{
	*bill = bill_of(&c, 2 * msat, NULL);
	*w = way_to_c(bill);
	w->has_total = true;
	w->total = bill->amount;
	w->part = 1;
	w->hops[1].delay = HELD_DELAY;
	w->hops[0].delay = HELD_DELAY + b.config.forward_cltv_delta;
	w->hops[1].amount = MSAT(msat);
	w->hops[0].amount = MSAT(msat + fee_of_b(MSAT(msat)).v);
	CHECK_EQ(row_code(&a, order_way(&a, w)), REPLY_OK);
	row_pump();
	CHECK_EQ(htlcs_of(&c), 1);
	return order_wait(&a, w, 0);
}

static struct preimage preimage_of(const struct bill *bill)
{
	return rig_invoice(&c, &bill->hash).preimage;
}

/* What spends the output of that many satoshi, with a preimage or, if NULL, by its timeout. */
static struct bytes spend_of(struct bytes commitment, uint64_t sat, const struct preimage *preimage)
{
	struct bytes items[3] = { BYTES("signature", 9), BYTES_NONE, BYTES("script", 6) };
	const struct tx *from = tx_parse(&b.kept, commitment);
	struct tx *t = tx_new(&b.kept, 2, 1, 1, 0);
	struct buf raw = BUF_EMPTY;
	struct bytes out;
	uint32_t at = 0;

	while (from->outputs[at].amount.v != sat)
		CHECK(++at < from->output_count);
	t->inputs[0].prev = (struct outpoint){ tx_id(from), at };
	t->outputs[0].amount = SAT(sat - 1000);
	if (preimage)
		items[1] = BYTES_OF(preimage->v);
	tx_set_witness(&b.kept, t, 0, items, 3);
	tx_encode(t, &raw);
	out = arena_bytes(&b.kept, buf_view(&raw));
	buf_release(&raw);
	return out;
}

static bool broadcasts_preimage(struct rig *r, const struct preimage *preimage)
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

/* --- the outgoing channel --- */

TEST(a_preimage_on_chain_is_handed_upstream_at_once)
{
	struct preimage preimage;
	struct bytes commitment;
	struct bill bill;
	struct way w;
	uint64_t call;

	for (int restart = 0; restart < 2; restart++) {
		row();
		call = held_by_c(&w, &bill, 50000000);
		preimage = preimage_of(&bill);
		commitment = force(&b, &c);
		row_block_of(commitment);
		row_pump();
		CHECK(!rig_reply(&a, call));
		if (restart)
			row_restart(&b);
		row_pump();
		row_block_of(spend_of(commitment, 50000, &preimage));
		/* B2.forwarding_htlcs.5, B5.htlc_output_handling_local_commitment_lo.1 */
		row_pump();
		CHECK_EQ(row_code(&a, call), REPLY_OK);
		CHECK(SAME(rig_reply(&a, call)->u.sendpay.preimage, preimage));
		CHECK_EQ(channel_htlc_count(channel_between(&a, &b)), 0);
		CHECK_EQ(channel_state_of(channel_between(&a, &b)), CHANNELD_NORMAL);
	}
}

TEST(a_timeout_on_chain_fails_upstream_when_it_is_deep)
{
	const struct reply *reply;
	struct bytes commitment;
	struct bill bill;
	struct way w;
	uint64_t call;
	uint32_t depth = 0;

	for (int restart = 0; restart < 3; restart++) {
		row();
		call = held_by_c(&w, &bill, 50000000);
		commitment = force(&b, &c);
		row_block_of(commitment);
		row_pump();
		row_block_of(spend_of(commitment, 50000, NULL));
		row_pump();
		/* B2.forwarding_htlcs.2: not in the block that brings it, for that may go again. */
		CHECK(!rig_reply(&a, call));
		if (restart)
			row_restart(&b);
		for (depth = 1; !rig_reply(&a, call); depth++) {
			CHECK(depth < 120);
			if (restart == 2) {
				/* The secret for the failure comes late: a restart in between must not lose that it is gone. */
				b.signer_late = true;
				row_blocks(1);
				row_restart(&b);
				b.signer_late = false;
				row_restart(&b);
			} else {
				row_blocks(1);
			}
			row_pump();
		}
		reply = rig_reply(&a, call);
		CHECK_EQ(reply->u.sendpay.failure_code, FAIL_PERMANENT_CHANNEL_FAILURE);
		CHECK_EQ(reply->u.sendpay.erring_index, 1);
		CHECK(depth > 2);
		CHECK_EQ(channel_state_of(channel_between(&a, &b)), CHANNELD_NORMAL);
	}
}

/* "LND excessive failback": an HTLC that is missing from the confirmed commitment is failed upstream, unless its preimage
 * is out; and not before no other commitment can take that one's place. */
TEST(an_htlc_that_the_confirmed_commitment_lacks)
{
	struct bytes without;
	struct bill bill;
	struct way w;
	uint64_t call;

	/* c's commitment of before the HTLC confirms; b had signed one with it. */
	row();
	without = force(&c, &b);
	rig_forget(&c);
	bill = bill_of(&c, 50000000, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	call = order_wait(&a, &w, 0);
	(void)rig_pump_some(&a, &b, ab);
	CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 1);
	/* c is silent: no signature of b's is undone. */
	row_block_of(without);
	(void)rig_pump_some(&a, &b, ab);
	CHECK(!rig_reply(&a, call));
	row_blocks(5);
	(void)rig_pump_some(&a, &b, ab);
	CHECK(!rig_reply(&a, call));
	row_blocks(2);
	(void)rig_pump_some(&a, &b, ab);
	CHECK(rig_reply(&a, call));
	CHECK_EQ(rig_reply(&a, call)->u.sendpay.failure_code, FAIL_PERMANENT_CHANNEL_FAILURE);

	/* The same, but c has revealed the preimage before it published: upstream was paid, and stays so. */
	row();
	call = held_by_c(&w, &bill, 50000000);
	w.part = 2;
	CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
	while (!rig_has_sent(&c, bc, MSG_UPDATE_FULFILL_HTLC))
		CHECK(row_deliver_one());
	while (rig_has_sent(&c, bc, MSG_UPDATE_FULFILL_HTLC))
		CHECK(row_deliver_one());
	without = force(&b, &c);
	row_block_of(without);
	row_blocks(10);
	row_pump();
	CHECK_EQ(row_code(&a, call), REPLY_OK);
	CHECK_EQ(htlcs_of(&a), 0);
}

/* Whether b's outgoing HTLCs are given up on chain. */
static bool any_is_given_up(void)
{
	const struct channel *ch = channel_between(&b, &c);
	bool any = false;

	for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(ch, h));)
		any |= onchain_htlc_is_gone(node_view_onchain(b.node, ch), h->id);
	return any;
}

static void restart_without_a(void)
{
	row_restart(&b);
	rig_unlink_both(&a, &b, ab);
	rig_forget(&b);
}

/* LND's excessive failback: HTLCs that were paid downstream are in no commitment there any more, though the channel has
 * not forgotten them yet; upstream is away, so it has not heard of it.  A commitment without them confirms, c's own or
 * b's, and b starts again before or after: nothing of that makes them failed. */
TEST(attack_excessive_failback_while_upstream_is_away)
{
	for (int round = 0; round < 4; round++) {
		bool bs = round & 1, restart = round & 2;
		struct bytes without;
		struct bill bill;
		struct way w;
		uint64_t call;

		row();
		call = held_by_c(&w, &bill, 50000000);
		w.part = 2;
		CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
		while (!rig_has_sent(&c, bc, MSG_UPDATE_FULFILL_HTLC))
			CHECK(row_deliver_one());
		rig_unlink_both(&a, &b, ab);
		while (rig_has_sent(&c, bc, MSG_UPDATE_FULFILL_HTLC) || rig_has_sent(&c, bc, MSG_COMMITMENT_SIGNED))
			CHECK(row_deliver_one());
		while (!rig_has_sent(&c, bc, MSG_REVOKE_AND_ACK))
			CHECK(row_deliver_one());
		CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 2);
		without = bs ? force(&b, &c) : force(&c, &b);
		CHECK_EQ(tx_parse(&b.kept, without)->output_count, 4); /* two balances, two anchors */
		rig_unlink_both(&b, &c, bc);
		if (restart)
			restart_without_a();
		row_block_of(without);
		row_blocks(ONCHAIN_REASONABLE_DEPTH_BLOCKS - 1);
		restart_without_a();
		row_blocks(5);
		CHECK_EQ(channel_htlc_count(channel_between(&b, &c)), 2);
		CHECK(!any_is_given_up());
		row_restart(&b);
		CHECK_EQ(htlcs_of(&a), 2);
		row_pump();
		CHECK_EQ(row_code(&a, call), REPLY_OK);
		CHECK_EQ(htlcs_of(&a), 0);
	}
}

/* --- the incoming channel --- */

/* Whether b claims an HTLC of the peer on chain. */
static bool is_ours(const struct channel *ch)
{
	const struct onchain *o = node_view_onchain(b.node, ch);
	const struct onchain_output *v;
	uint32_t count;

	CHECK(o);
	v = onchain_outputs(o, &count);
	for (uint32_t i = 0; i < count; i++)
		if (v[i].what == ONCHAIN_HTLC_THEIRS && v[i].ours)
			return true;
	return false;
}

TEST(a_preimage_from_downstream_claims_on_chain)
{
	struct preimage preimage;
	struct bytes commitment;
	struct bill bill;
	struct way w;

	for (int closer = 0; closer < 2; closer++) {
		for (int order = 0; order < 3; order++) {
			row();
			(void)held_by_c(&w, &bill, 50000000);
			preimage = preimage_of(&bill);
			row_open(&a, &b, ROW_SAT);
			commitment = closer ? force(&b, &a) : force(&a, &b);
			/* The preimage comes before the block, after it, or after a restart of b. */
			if (order) {
				row_block_of(commitment);
				row_pump();
			}
			if (order == 2)
				row_restart(&b);
			row_pump();
			w.part = 2;
			CHECK_EQ(row_code(&a, order_way(&a, &w)), REPLY_OK);
			row_pump();
			CHECK_EQ(row_invoice_state(&c, &bill), INVOICE_PAID);
			if (!order)
				row_block_of(commitment);
			/* B2.forwarding_htlcs.5: from a's commitment at once; from b's own by a transaction that needs coins of the
			 * wallet, which has none here and is asked. */
			CHECK(closer ? is_ours(channel_between(&b, &a)) : broadcasts_preimage(&b, &preimage));
			CHECK_EQ(htlcs_of(&c), 0);
		}
	}
}

/* --- a set of our own, one part of it on chain --- */

/* The channel from b to c that is not on chain. */
static struct scid open_scid(void)
{
	const struct channel *ch;
	uint32_t at = 0;

	while ((ch = node_view_channel(b.node, &at)))
		if (SAME(*channel_peer(ch), c.id) && channel_state_of(ch) == CHANNELD_NORMAL)
			break;
	CHECK(ch);
	return channel_record_of(ch)->scid;
}

static void second_part(struct way *w, enum invoice_state expected, const struct preimage *preimage, const struct bill *bill)
{
	w->part = 2;
	CHECK_EQ(row_code(&a, order_way(&a, w)), REPLY_OK);
	row_pump();
	CHECK_EQ(row_invoice_state(&c, bill), expected);
	CHECK_EQ(broadcasts_preimage(&c, preimage), expected == INVOICE_PAID);
}

TEST(the_rest_of_a_set_claims_a_part_on_chain)
{
	struct preimage preimage;
	struct bytes commitment;
	struct bill bill;
	struct way w;

	for (int restart = 0; restart < 2; restart++) {
		row();
		(void)held_by_c(&w, &bill, 50000000);
		preimage = preimage_of(&bill);
		commitment = force(&b, &c);
		row_block_of(commitment);
		row_pump();
		row_open(&b, &c, ROW_SAT);
		if (restart)
			row_restart(&c);
		row_pump();
		w.hops[1].scid = open_scid();
		while (rig_take(&c, EFFECT_BROADCAST))
			;
		second_part(&w, INVOICE_PAID, &preimage, &bill);
	}
}

/* So late that the peer could take it back first. */
TEST(a_part_on_chain_that_is_late_is_no_part_any_more)
{
	struct preimage preimage;
	struct bytes commitment;
	struct bill bill;
	struct way w;

	row();
	(void)held_by_c(&w, &bill, 50000000);
	preimage = preimage_of(&bill);
	commitment = force(&b, &c);
	row_block_of(commitment);
	row_pump();
	row_open(&b, &c, ROW_SAT);
	row_blocks(HELD_DELAY + 1 - DEADLINE_FULFIL_BLOCKS);
	row_pump();
	w.hops[1].scid = open_scid();
	while (rig_take(&c, EFFECT_BROADCAST))
		;
	second_part(&w, INVOICE_UNPAID, &preimage, &bill);
}
