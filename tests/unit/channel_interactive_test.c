/* Transactions made together: dual funding, splices, their fee bumps.  This node does none of them, and the rules of
 * BOLT 2 "Message Retransmission" about them still bind it: it must not say that it does, must not fall for a peer
 * that says so, and must not lose a channel over it.
 *
 * Those rules begin with a condition.  Where nothing that a peer does can make it true, the tests say so by trying,
 * and by asking for what the rule wants should it ever become true: whoever turns such a feature on finds them red. */
#include <string.h>

#include "channel/machine.h"
#include "tests/channel_pair.h"
#include "tests/test.h"
#include "wire/features.h"

/* Side 1 offers everything that a node of today may have. */
static void offer_everything(struct pair *p)
{
	features_set_bit(&p->side[1].features, FEATURE_DUAL_FUND + 1);
	features_set_bit(&p->side[1].features, FEATURE_QUIESCE + 1);
	features_set_bit(&p->side[1].features, FEATURE_SPLICE + 1);
}

static bool splices(const struct pair *p)
{
	return features_negotiated(buf_view(&p->side[0].features), buf_view(&p->side[1].features), FEATURE_SPLICE);
}

static void reconnect(struct pair *p)
{
	pair_cut(p);
	pair_connect(p);
}

/* What side 0 says of itself, of a connection that has just begun. */
static struct msg_channel_reestablish said(struct pair *p)
{
	struct msg_channel_reestablish m;

	CHECK_EQ(pair_peek_type(p, 1), MSG_CHANNEL_REESTABLISH);
	CHECK_EQ(msg_channel_reestablish_decode(pair_peek(p, 1), &p->memory, &m), DECODE_OK);
	return m;
}

/* The peer's channel_reestablish with something more in it is delivered to side 0. */
static void answer_with(struct pair *p, struct tlv_channel_reestablish_next_funding *next,
			struct tlv_channel_reestablish_my_current_funding_locked *locked)
{
	struct msg_channel_reestablish m;
	struct buf b = BUF_EMPTY;

	CHECK_EQ(msg_channel_reestablish_decode(pair_peek(p, 0), &p->memory, &m), DECODE_OK);
	m.tlvs.next_funding = next;
	m.tlvs.my_current_funding_locked = locked;
	msg_channel_reestablish_encode(&m, &b);
	pair_replace(p, 0, &b);
	(void)pair_deliver(p, 0);
}

static void pay(struct pair *p, int from, uint8_t byte)
{
	uint64_t id;

	CHECK_EQ(pair_offer(p, from, MSAT(5000000), byte, &id), OFFER_OK);
	pair_run(p);
	CHECK(pair_fulfill(p, !from, id, byte));
	pair_run(p);
}

/* --- We say nothing of what we do not do --- */

/* What the TLV must say once splices are negotiated, and that it is absent otherwise. */
static void check_locked(struct pair *p)
{
	const struct channel_record *r = channel_record_of(p->side[0].ch);
	struct msg_channel_reestablish m = said(p);
	const struct tlv_channel_reestablish_my_current_funding_locked *t = m.tlvs.my_current_funding_locked;

	/* B2.message_retransmission.19, B2.message_retransmission.20: as long as nothing is spliced, only
	 * B2.message_retransmission.21; else B2.message_retransmission.22 */
	CHECK_EQ(t != NULL, splices(p) && r->ready_sent);
	if (!t)
		return;
	CHECK(SAME(t->my_current_funding_locked_txid, r->funding.txid));
	/* B2.message_retransmission.23, B2.message_retransmission.24, B7.announcement_signatures.6 */
	CHECK_EQ(t->retransmit_flags & 1, r->announce);
}

TEST(splices_are_not_negotiated_whatever_the_peer_offers)
{
	for (int announce = 0; announce < 2; announce++) {
		struct pair p;

		pair_init(&p);
		offer_everything(&p);
		p.args.announce = announce;
		pair_start(&p);
		pair_run(&p);
		reconnect(&p);
		check_locked(&p); /* before channel_ready: B2.message_retransmission.22 */
		CHECK(!said(&p).tlvs.my_current_funding_locked);
		pair_run(&p);
		pair_confirm(&p, 6);
		pair_run(&p);
		CHECK(channel_record_of(p.side[0].ch)->ready_sent);
		reconnect(&p);
		check_locked(&p);
		pair_run(&p);
		pay(&p, 0, 1);
		reconnect(&p);
		check_locked(&p);
		pair_release(&p);
	}
}

static void forge_splice_init(struct pair *p)
{
	struct msg_splice_init m = { .funding_feerate_perkw = 1000 };
	struct buf b = BUF_EMPTY;

	m.channel_id = *channel_id_of(p->side[0].ch);
	m.funding_pubkey = p->side[1].points.funding;
	msg_splice_init_encode(&m, &b);
	pair_forge(p, 0, buf_view(&b));
	buf_release(&b);
}

static void forge_splice_locked(struct pair *p)
{
	struct msg_splice_locked m = { .splice_txid = { { 7 } } };
	struct buf b = BUF_EMPTY;

	m.channel_id = *channel_id_of(p->side[0].ch);
	msg_splice_locked_encode(&m, &b);
	pair_forge(p, 0, buf_view(&b));
	buf_release(&b);
}

static void forge_add_input(struct pair *p)
{
	struct msg_tx_add_input m = { .serial_id = 1, .sequence = 0xfffffffd };
	struct buf b = BUF_EMPTY;

	m.channel_id = *channel_id_of(p->side[0].ch);
	msg_tx_add_input_encode(&m, &b);
	pair_forge(p, 0, buf_view(&b));
	buf_release(&b);
}

static void forge_complete(struct pair *p)
{
	struct msg_tx_complete m;
	struct buf b = BUF_EMPTY;

	m.channel_id = *channel_id_of(p->side[0].ch);
	msg_tx_complete_encode(&m, &b);
	pair_forge(p, 0, buf_view(&b));
	buf_release(&b);
}

static void forge_init_rbf(struct pair *p)
{
	struct msg_tx_init_rbf m = { .feerate = 2000 };
	struct buf b = BUF_EMPTY;

	m.channel_id = *channel_id_of(p->side[0].ch);
	msg_tx_init_rbf_encode(&m, &b);
	pair_forge(p, 0, buf_view(&b));
	buf_release(&b);
}

static void forge_signatures(struct pair *p)
{
	struct msg_tx_signatures m = { .txid = { { 7 } } };
	struct buf b = BUF_EMPTY;

	m.channel_id = *channel_id_of(p->side[0].ch);
	msg_tx_signatures_encode(&m, &b);
	pair_forge(p, 0, buf_view(&b));
	buf_release(&b);
}

/* A commitment_signed of ours for a transaction made together is what the rules about next_funding begin with: none is
 * ever sent, so it never appears. */
TEST(no_transaction_is_made_together_and_none_is_remembered)
{
	void (*const begin[])(struct pair *p) = { forge_splice_init, forge_splice_locked, forge_add_input, forge_complete,
						  forge_init_rbf,    forge_signatures };

	for (size_t i = 0; i < ARRAY_COUNT(begin); i++) {
		struct pair p;

		pair_init(&p);
		offer_everything(&p);
		pair_open(&p);
		pay(&p, 0, 1);
		begin[i](&p);
		pair_flush(&p, 0);
		CHECK(!pair_has(&p, 1, MSG_COMMITMENT_SIGNED) && !pair_has(&p, 1, MSG_TX_COMPLETE) &&
		      !pair_has(&p, 1, MSG_TX_ADD_INPUT) && !pair_has(&p, 1, MSG_TX_ADD_OUTPUT) &&
		      !pair_has(&p, 1, MSG_SPLICE_ACK) && !pair_has(&p, 1, MSG_TX_ACK_RBF) &&
		      !pair_has(&p, 1, MSG_TX_SIGNATURES));
		reconnect(&p);
		/* B2.message_retransmission.15, B2.message_retransmission.16, B2.message_retransmission.17 would want one,
		 * B2.message_retransmission.18 forbids it */
		CHECK(!said(&p).tlvs.next_funding);
		pair_run(&p);
		/* Nothing is lost by it. */
		CHECK_EQ(p.side[0].failed + p.side[1].failed, 0);
		pay(&p, 0, 2);
		pair_check_agree(&p);
		pair_release(&p);
	}
}

/* --- The peer says that there is one --- */

/* Whatever its txid, that of our own funding transaction too: there is no "latest interactive funding transaction"
 * that it could be, so nothing of ours is sent for it again; we name none that it could differ from, so no error; the
 * peer is told to forget it. */
static void check_next_funding(bool of_the_channel, uint8_t flags)
{
	struct tlv_channel_reestablish_next_funding next = { { { 9 } }, flags };
	struct pair p;

	pair_ready(&p, true);
	pay(&p, 0, 1);
	if (of_the_channel)
		next.next_funding_txid = channel_record_of(p.side[0].ch)->funding.txid;
	reconnect(&p);
	CHECK(!said(&p).tlvs.next_funding);
	answer_with(&p, &next, NULL);
	CHECK(!pair_has(&p, 1, MSG_COMMITMENT_SIGNED)); /* B2.message_retransmission.39 */
	CHECK(!pair_has(&p, 1, MSG_TX_SIGNATURES)); /* B2.message_retransmission.40, B2.message_retransmission.41 */
	CHECK(!pair_has(&p, 1, MSG_ERROR) && p.side[0].failed == 0); /* B2.message_retransmission.42 */
	CHECK(pair_has(&p, 1, MSG_TX_ABORT)); /* B2.message_retransmission.43 */
	pair_run(&p);
	pay(&p, 1, 2);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(a_next_funding_of_the_peer_is_aborted)
{
	for (uint8_t flags = 0; flags < 2; flags++) {
		check_next_funding(false, flags);
		check_next_funding(true, flags);
	}
}

/* A txid of a splice that is not pending is not taken for a splice_locked (B2.message_retransmission.44), and nothing
 * is announced for it (B2.message_retransmission.45). */
TEST(a_locked_splice_of_the_peer_changes_nothing)
{
	for (uint8_t flags = 0; flags < 2; flags++) {
		struct tlv_channel_reestablish_my_current_funding_locked locked = { { { 9 } }, flags };
		struct outpoint before;
		struct scid scid;
		struct pair p;

		pair_init(&p);
		p.args.announce = true;
		pair_open(&p);
		pay(&p, 0, 1);
		before = channel_record_of(p.side[0].ch)->funding;
		scid = channel_record_of(p.side[0].ch)->scid;
		reconnect(&p);
		answer_with(&p, NULL, &locked);
		CHECK(SAME(channel_record_of(p.side[0].ch)->funding.txid, before.txid)); /* B2.message_retransmission.44 */
		CHECK_EQ(channel_record_of(p.side[0].ch)->scid.v, scid.v); /* B2.message_retransmission.44 */
		CHECK(!pair_has(&p, 1, 259)); /* announcement_signatures: B2.message_retransmission.45 */
		CHECK(!channel_signatures_wanted(p.side[0].ch));
		CHECK_EQ(p.side[0].failed + p.side[0].hang_ups, 0);
		pair_run(&p);
		/* What was announced stays the name that payments go by: B7.channel_announcement.4. */
		CHECK(channel_answers_to(p.side[0].ch, scid));
		pay(&p, 1, 2);
		pair_check_agree(&p);
		pair_release(&p);
	}
}

/* Of the funding transaction that there is they can be wanted again, on this connection (B7.announcement_signatures.7). */
TEST(a_peer_may_ask_for_the_signatures_of_the_announcement)
{
	for (uint8_t flags = 0; flags < 2; flags++) {
		struct tlv_channel_reestablish_my_current_funding_locked locked = { .retransmit_flags = flags };
		struct pair p;

		pair_init(&p);
		p.args.announce = true;
		pair_open(&p);
		locked.my_current_funding_locked_txid = channel_record_of(p.side[0].ch)->funding.txid;
		CHECK(!channel_signatures_wanted(p.side[0].ch));
		reconnect(&p);
		answer_with(&p, NULL, &locked);
		CHECK_EQ(channel_signatures_wanted(p.side[0].ch), flags == 1);
		CHECK_EQ(p.side[0].failed + p.side[0].hang_ups, 0);
		reconnect(&p);
		CHECK(!channel_signatures_wanted(p.side[0].ch));
		pair_run(&p);
		pay(&p, 1, 2);
		pair_release(&p);
	}
}

/* --- tx_abort --- */

static void forge_abort(struct pair *p)
{
	struct msg_tx_abort m = { .data = bytes_from_string("\x1b[2Jnever mind") };
	struct buf b = BUF_EMPTY;

	m.channel_id = *channel_id_of(p->side[0].ch);
	msg_tx_abort_encode(&m, &b);
	pair_forge(p, 0, buf_view(&b));
	buf_release(&b);
}

TEST(an_abort_is_echoed_once)
{
	struct tlv_channel_reestablish_next_funding next = { { { 9 } }, 0 };
	struct pair p;

	pair_ready(&p, true);
	pay(&p, 0, 1);
	reconnect(&p);
	answer_with(&p, &next, NULL);
	CHECK(pair_has(&p, 1, MSG_TX_ABORT));
	while (pair_waiting(&p, 1))
		pair_drop(&p, 1);
	/* The peer echoes ours: two nodes that echoed echoes would never stop. */
	forge_abort(&p);
	CHECK_EQ(pair_waiting(&p, 1), 0);
	CHECK_EQ(p.side[0].hang_ups + p.side[0].failed, 0);
	/* And one of its own gets one answer: B2.tx_abort.6. */
	forge_abort(&p);
	CHECK_EQ(pair_waiting(&p, 1), 1);
	CHECK(pair_has(&p, 1, MSG_TX_ABORT));
	CHECK_EQ(p.side[0].hang_ups + p.side[0].failed, 0);
	/* B2.tx_abort.5: the channel itself is untouched. */
	CHECK_EQ(channel_state_of(p.side[0].ch), CHANNELD_NORMAL);
	CHECK(channel_is_connected(p.side[0].ch));
	pair_release(&p);
}
