/* After a lost connection: BOLT 2 "Message Retransmission". */
#include <string.h>

#include "channel/machine.h"
#include "tests/channel_pair.h"
#include "tests/test.h"

static void decode(const struct pair *p, int to, struct msg_channel_reestablish *m)
{
	CHECK_EQ(pair_peek_type(p, to), MSG_CHANNEL_REESTABLISH);
	CHECK_EQ(msg_channel_reestablish_decode(pair_peek(p, to), (struct arena *)&p->memory, m), DECODE_OK);
}

/* Replaces the peer's channel_reestablish by a changed one and delivers it to side 0. */
static void reestablish_with(struct pair *p, void (*change)(struct pair *p, struct msg_channel_reestablish *m))
{
	struct msg_channel_reestablish m;
	struct buf b = BUF_EMPTY;

	pair_cut(p);
	pair_connect(p);
	decode(p, 0, &m);
	change(p, &m);
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

/* --- What we send --- */

TEST(the_numbers_of_a_new_channel)
{
	struct pair p;
	struct msg_channel_reestablish m;
	static const uint8_t zero[32];

	pair_ready(&p, true);
	pair_cut(&p);
	pair_connect(&p);
	decode(&p, 1, &m);
	CHECK(SAME(m.channel_id, *channel_id_of(p.side[0].ch))); /* B2.message_retransmission.8 */
	CHECK_EQ(m.next_commitment_number, 1); /* B2.message_retransmission.10 */
	CHECK_EQ(m.next_revocation_number, 0); /* B2.message_retransmission.11 */
	CHECK(memcmp(m.your_last_per_commitment_secret.v, zero, 32) == 0); /* B2.message_retransmission.13 */
	CHECK(pubkey_valid(&m.my_current_per_commitment_point)); /* B2.message_retransmission.12 */
	CHECK(!m.tlvs.next_funding && !m.tlvs.my_current_funding_locked); /* B2.message_retransmission.18 */
	/* B2.message_retransmission.9: nothing but that, before the peer's is in */
	CHECK_EQ(pair_waiting(&p, 1), 1);
	pair_flush(&p, 0);
	CHECK_EQ(pair_waiting(&p, 1), 1);
	pair_release(&p);
}

TEST(the_numbers_of_a_used_channel)
{
	struct pair p;
	struct msg_channel_reestablish m;
	const struct channel_record *r;
	struct secret32 last;

	pair_ready(&p, true);
	pay(&p, 0, 1);
	pay(&p, 1, 2);
	r = channel_record_of(p.side[0].ch);
	pair_cut(&p);
	pair_restart(&p, 0); /* B2.message_retransmission.1, B2.message_retransmission.5 */
	pair_connect(&p);
	r = channel_record_of(p.side[0].ch);
	decode(&p, 1, &m);
	CHECK(r->local_number > 2);
	CHECK_EQ(m.next_commitment_number, r->local_number + 1); /* B2.message_retransmission.10 */
	CHECK_EQ(m.next_revocation_number, r->remote_number); /* B2.message_retransmission.11 */
	last = shachain_from_seed(&p.side[1].seed, SHACHAIN_FIRST - (r->remote_number - 1));
	CHECK(SAME(m.your_last_per_commitment_secret, last)); /* B2.message_retransmission.14 */
	pair_run(&p);
	pay(&p, 0, 3); /* B2.message_retransmission.5 */
	pair_check_agree(&p);
	pair_release(&p);
}

/* --- channel_ready --- */

TEST(channel_ready_is_sent_again_before_anything_else_happened)
{
	struct pair p;
	uint32_t ready = 0;

	pair_ready(&p, true);
	pair_cut(&p);
	pair_connect(&p);
	(void)pair_deliver(&p, 1);
	CHECK(pair_has(&p, 0, MSG_CHANNEL_READY)); /* B2.message_retransmission.26 */
	while (pair_waiting(&p, 0)) {
		ready += pair_peek_type(&p, 0) == MSG_CHANNEL_READY;
		(void)pair_deliver(&p, 0);
	}
	CHECK_EQ(ready, 1);
	/* B2.message_retransmission.28: the redundant one changed nothing */
	CHECK_EQ(p.side[0].hang_ups, 0);
	CHECK_EQ(channel_state_of(p.side[0].ch), CHANNELD_NORMAL);
	pair_run(&p);
	pay(&p, 0, 1);
	pair_cut(&p);
	pair_connect(&p);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	CHECK(!pair_has(&p, 0, MSG_CHANNEL_READY) && !pair_has(&p, 1, MSG_CHANNEL_READY)); /* B2.message_retransmission.27 */
	pair_release(&p);
}

TEST(channel_ready_that_was_lost)
{
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	pair_run(&p);
	pair_confirm(&p, 3);
	pair_cut(&p); /* both channel_ready are gone */
	CHECK_EQ(channel_state_of(p.side[0].ch), CHANNELD_AWAITING_LOCKIN);
	pair_restart(&p, 0);
	pair_restart(&p, 1);
	pair_connect(&p);
	pair_run(&p);
	CHECK(channel_is_usable(p.side[0].ch) && channel_is_usable(p.side[1].ch)); /* B2.message_retransmission.26 */
	pay(&p, 0, 1);
	pair_release(&p);
}

TEST(another_alias_may_come_any_time)
{
	struct pair p;
	struct scid alias = { 4242 };
	struct msg_channel_ready m = { .channel_id = { { 0 } } };
	struct buf b = BUF_EMPTY;
	struct pubkey point;

	pair_ready(&p, true);
	pay(&p, 0, 1);
	point = channel_record_of(p.side[0].ch)->remote_points[1];
	m.channel_id = *channel_id_of(p.side[0].ch);
	m.second_per_commitment_point = p.side[1].points.htlc;
	m.tlvs.short_channel_id = &alias;
	msg_channel_ready_encode(&m, &b);
	pair_inject(&p, 0, &b);
	CHECK_EQ(channel_record_of(p.side[0].ch)->alias_remote.v, 4242);
	CHECK(SAME(channel_record_of(p.side[0].ch)->remote_points[1], point)); /* B2.message_retransmission.28 */
	pay(&p, 0, 2);
	pair_release(&p);
}

/* --- What is sent again --- */

/* Offers on 0, delivers until the given message is next in line for `to`, drops it with the connection. */
static void lose(struct pair *p, int to, uint16_t type)
{
	uint64_t id;
	int round = 0;

	pair_ready(p, true);
	CHECK_EQ(pair_offer(p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_flush(p, 0);
	while (pair_peek_type(p, to) != type) {
		(void)pair_deliver(p, 1);
		if (pair_peek_type(p, to) != type)
			(void)pair_deliver(p, 0);
		CHECK(++round < 20);
	}
	pair_cut(p);
}

TEST(a_lost_commitment_is_sent_again_as_it_was)
{
	struct pair p;
	uint64_t number, id;

	lose(&p, 1, MSG_UPDATE_ADD_HTLC);
	number = channel_record_of(p.side[0].ch)->remote_number;
	CHECK_EQ(number, 1);
	pair_restart(&p, 0);
	pair_connect(&p);
	pair_flush(&p, 0);
	(void)pair_deliver(&p, 0);
	/* B2.message_retransmission.29: the update again, then the signature, for the same number: the strict signer checks
	 * that it is the same commitment */
	CHECK_EQ(channel_record_of(p.side[0].ch)->remote_number, number);
	(void)pair_deliver(&p, 1); /* channel_reestablish */
	/* channel_ready as well, as nothing has happened for the peer */
	while (pair_peek_type(&p, 1) == MSG_CHANNEL_READY)
		(void)pair_deliver(&p, 1);
	CHECK_EQ(pair_peek_type(&p, 1), MSG_UPDATE_ADD_HTLC);
	CHECK(pair_has(&p, 1, MSG_COMMITMENT_SIGNED));
	CHECK_EQ(pair_offer(&p, 0, MSAT(6000000), 2, &id), OFFER_OK);
	CHECK_EQ(id, 1);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 2);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(a_commitment_that_arrived_is_not_sent_again)
{
	struct pair p;

	/* The peer has it and stored it; its answer is lost. */
	lose(&p, 0, MSG_REVOKE_AND_ACK);
	pair_connect(&p);
	(void)pair_deliver(&p, 0); /* channel_reestablish: next_commitment_number 2 */
	/* B2.message_retransmission.46: and nothing assumed lost that was not */
	CHECK(!pair_has(&p, 1, MSG_COMMITMENT_SIGNED));
	/* B2.message_retransmission.31: the revocation comes again */
	(void)pair_deliver(&p, 1);
	CHECK(pair_has(&p, 0, MSG_REVOKE_AND_ACK));
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 1);
	pair_check_agree(&p);
	pair_release(&p);
}

/* Both are owed again: in the order in which they went out. */
static void order_of_two(bool commit_first)
{
	struct pair p;
	uint64_t id;
	uint16_t first = 0, second = 0;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(&p, 1, MSAT(5000000), 2, &id), OFFER_OK);
	pair_flush(&p, 0);
	if (commit_first) {
		pair_flush(&p, 1);     /* 1 sends add and commitment ... */
		(void)pair_deliver(&p, 1);
		(void)pair_deliver(&p, 1); /* ... and then revokes */
	} else {
		(void)pair_deliver_quiet(&p, 1);
		(void)pair_deliver_quiet(&p, 1); /* 1 revokes ... */
		pair_flush(&p, 1);     /* ... and then sends add and commitment */
	}
	CHECK_EQ(channel_record_of(p.side[1].ch)->revoke_sent_last, commit_first);
	pair_cut(&p);
	pair_restart(&p, 1);
	pair_connect(&p);
	while (pair_deliver(&p, 1))
		;
	while (pair_waiting(&p, 0)) {
		uint16_t type = pair_peek_type(&p, 0);

		if (type == MSG_REVOKE_AND_ACK || type == MSG_COMMITMENT_SIGNED)
			*(first ? &second : &first) = type;
		(void)pair_deliver(&p, 0);
	}
	/* B2.message_retransmission.32 */
	CHECK_EQ(first, commit_first ? MSG_COMMITMENT_SIGNED : MSG_REVOKE_AND_ACK);
	CHECK_EQ(second, commit_first ? MSG_REVOKE_AND_ACK : MSG_COMMITMENT_SIGNED);
	pair_run(&p);
	CHECK_EQ(p.side[0].hang_ups + p.side[1].hang_ups, 0);
	CHECK_EQ(channel_htlc_count(p.side[0].ch), 2);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(the_order_is_kept)
{
	order_of_two(true);
	order_of_two(false);
}

TEST(uncommitted_updates_of_the_peer_are_reversed)
{
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	pay(&p, 0, 9);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_flush(&p, 0);
	(void)pair_deliver_quiet(&p, 1); /* the add, without its commitment_signed */
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 1);
	pair_cut(&p);
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 0); /* B2.message_retransmission.6 */
	pair_connect(&p);
	pair_run(&p);
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 1);
	pair_check_agree(&p);
	/* A fulfilment likewise, save for the preimage. */
	CHECK(pair_fulfill(&p, 1, id, 1));
	pair_flush(&p, 1);
	(void)pair_deliver_quiet(&p, 0);
	CHECK_EQ(channel_htlc_get(p.side[0].ch, SIDE_LOCAL, id)->state, RCVD_REMOVE_HTLC);
	pair_cut(&p);
	CHECK_EQ(channel_htlc_get(p.side[0].ch, SIDE_LOCAL, id)->state, SENT_ADD_ACK_REVOCATION); /* B2.message_retransmission.6 */
	CHECK(channel_htlc_get(p.side[0].ch, SIDE_LOCAL, id)->has_preimage);
	pair_connect(&p);
	pair_run(&p);
	CHECK_EQ(channel_htlc_count(p.side[0].ch), 0);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED), 2);
	pair_release(&p);
}

TEST(an_uncommitted_feerate_is_reversed)
{
	struct pair p;
	struct channel_notes notes;
	struct step *s;

	pair_ready(&p, true);
	s = pair_begin(&p, 0, &notes);
	CHECK(channel_set_feerate(p.side[0].ch, s, FEERATE(2000)));
	pair_end(&p, 0, &notes);
	pair_flush(&p, 0);
	(void)pair_deliver_quiet(&p, 1);
	CHECK_EQ(channel_record_of(p.side[1].ch)->feerates[0].per_kw, 2000);
	pair_cut(&p);
	CHECK_EQ(channel_record_of(p.side[1].ch)->feerates[0].per_kw, 0); /* B2.message_retransmission.6 */
	pair_connect(&p);
	pair_run(&p);
	CHECK_EQ(channel_feerate(p.side[1].ch, SIDE_LOCAL).per_kw, 2000);
	pair_release(&p);
}

/* --- Numbers that cannot be --- */

static void none(struct pair *p, struct msg_channel_reestablish *m) { (void)p; (void)m; }
static void commitment_zero(struct pair *p, struct msg_channel_reestablish *m) { (void)p; m->next_commitment_number = 0; }
static void commitment_ahead(struct pair *p, struct msg_channel_reestablish *m) { (void)p; m->next_commitment_number++; }
static void commitment_behind(struct pair *p, struct msg_channel_reestablish *m) { (void)p; m->next_commitment_number--; }
static void revocation_behind(struct pair *p, struct msg_channel_reestablish *m) { (void)p; m->next_revocation_number -= 2; }
static void wrong_secret(struct pair *p, struct msg_channel_reestablish *m) { (void)p; m->your_last_per_commitment_secret.v[9] ^= 1; }
static void any_point(struct pair *p, struct msg_channel_reestablish *m)
{
	m->my_current_per_commitment_point = p->side[1].points.payment;
}

static void check_fails(void (*change)(struct pair *p, struct msg_channel_reestablish *m), const char *why)
{
	struct pair p;

	pair_ready(&p, true);
	pay(&p, 0, 1);
	reestablish_with(&p, change);
	CHECK_EQ(p.side[0].failed, 1);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_FAILED)->text, why);
	CHECK(pair_has(&p, 1, MSG_ERROR));
	/* Our state is good: it goes on chain. */
	CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
	pair_release(&p);
}

TEST(numbers_that_cannot_be)
{
	struct pair p;

	check_fails(commitment_zero, "your next_commitment_number is 0"); /* B2.message_retransmission.25 */
	check_fails(commitment_ahead, "your next_commitment_number cannot be"); /* B2.message_retransmission.30 */
	check_fails(commitment_behind, "your next_commitment_number cannot be"); /* B2.message_retransmission.30 */
	check_fails(revocation_behind, "your next_revocation_number cannot be"); /* B2.message_retransmission.33 */
	check_fails(wrong_secret, "your_last_per_commitment_secret is wrong"); /* B2.message_retransmission.38 */
	pair_ready(&p, true);
	pay(&p, 0, 1);
	reestablish_with(&p, any_point);
	CHECK_EQ(p.side[0].failed, 0); /* B2.message_retransmission.35 */
	CHECK(channel_is_connected(p.side[0].ch));
	pair_release(&p);
	pair_ready(&p, true);
	reestablish_with(&p, none);
	CHECK(channel_is_connected(p.side[0].ch));
	pair_release(&p);
}

static void one_revocation_more(struct pair *p, struct msg_channel_reestablish *m)
{
	(void)p;
	m->next_revocation_number = 1;
}

TEST(a_revocation_before_the_first)
{
	struct pair p;

	pair_ready(&p, true);
	/* No revoke_and_ack was ever sent, and the secret proves nothing. */
	reestablish_with(&p, one_revocation_more);
	CHECK_EQ(p.side[0].failed, 1); /* B2.message_retransmission.34 */
	CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
	pair_release(&p);
}

/* --- Our own data loss --- */

static uint64_t claimed; /* how many revocations of ours the peer says it has */
static bool honest;

static void ahead(struct pair *p, struct msg_channel_reestablish *m)
{
	m->next_revocation_number = claimed;
	m->next_commitment_number = claimed + 1;
	m->your_last_per_commitment_secret = shachain_from_seed(&p->side[0].seed, SHACHAIN_FIRST - (claimed - 1));
	if (!honest)
		m->your_last_per_commitment_secret.v[0] ^= 1;
}

static void check_data_loss(uint64_t more, bool is_honest)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_ready(&p, true);
	pay(&p, 0, 1);
	claimed = channel_record_of(p.side[0].ch)->local_revoked + more;
	honest = is_honest;
	reestablish_with(&p, ahead);
	CHECK_EQ(p.side[0].failed, 1);
	CHECK_EQ(channel_state_of(p.side[0].ch), AWAITING_UNILATERAL);
	CHECK(pair_has(&p, 1, MSG_ERROR)); /* B2.message_retransmission.37 */
	/* B2.message_retransmission.36, B5.failing_a_channel.3; a peer that lies gets our commitment:
	 * B2.message_retransmission.38 */
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST) == NULL, is_honest);
	CHECK_EQ(p.side[0].published, !is_honest);
	/* Never again: not after a restart, nor by order, nor by the peer's error. */
	if (is_honest) {
		pair_restart(&p, 0);
		CHECK(channel_record_of(p.side[0].ch)->data_lost);
		s = pair_begin(&p, 0, &notes);
		channel_fail(p.side[0].ch, s, &notes, CLOSE_USER, "by order");
		channel_peer_error(p.side[0].ch, s, &notes, "no");
		pair_end(&p, 0, &notes);
		CHECK(!p.side[0].published);
	}
	pair_release(&p);
}

TEST(data_loss_is_proved_before_it_is_believed)
{
	for (uint64_t more = 1; more <= 5; more++) {
		check_data_loss(more, true);
		check_data_loss(more, false);
	}
}

static void beyond(struct pair *p, struct msg_channel_reestablish *m)
{
	(void)p;
	m->next_revocation_number = UINT64_MAX;
}

TEST(a_number_beyond_all_commitments)
{
	struct pair p;

	pair_ready(&p, true);
	reestablish_with(&p, beyond);
	CHECK_EQ(p.side[0].failed, 1);
	CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
	pair_release(&p);
}

TEST(the_peers_data_loss)
{
	struct pair p;
	struct pair_record *old = NULL;
	uint8_t *stale = NULL;
	size_t stale_size = 0;

	/* Side 1 comes back with an old store. */
	pair_ready(&p, true);
	pay(&p, 0, 1);
	for (struct pair_record *r = p.side[1].store; r; r = r->next)
		if (r->kind == RECORD_CHANNEL)
			old = r;
	stale_size = old->value_size;
	stale = test_alloc(stale_size);
	memcpy(stale, old->value, stale_size);
	{
		/* All of its records, as they were. */
		struct pair_record *kept[8];
		uint8_t *values[8];
		size_t sizes[8];
		uint32_t n = 0;

		for (struct pair_record *r = p.side[1].store; r; r = r->next) {
			if (r->kind == RECORD_HTLC_PAST)
				continue;
			CHECK(n < 8);
			kept[n] = r;
			sizes[n] = r->value_size;
			values[n] = test_alloc(r->value_size);
			memcpy(values[n], r->value, r->value_size);
			n++;
		}
		pay(&p, 0, 2);
		pay(&p, 0, 3);
		pair_cut(&p);
		for (uint32_t i = 0; i < n; i++) {
			mem_free(kept[i]->value);
			kept[i]->value = mem_alloc(sizes[i]);
			memcpy(kept[i]->value, values[i], sizes[i]);
			kept[i]->value_size = sizes[i];
		}
	}
	pair_restart(&p, 1);
	pair_connect(&p);
	pair_run(&p);
	/* The loser keeps quiet about its commitment, and the other one publishes its own. */
	CHECK(channel_record_of(p.side[1].ch)->data_lost); /* B2.message_retransmission.36 */
	CHECK(!p.side[1].published && !pair_note(&p, 1, CHANNEL_NOTE_BROADCAST));
	CHECK_EQ(channel_state_of(p.side[0].ch), AWAITING_UNILATERAL);
	CHECK(p.side[0].published && pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
	pair_release(&p);
}

/* --- Errors, splices, shutdown --- */

TEST(a_failed_channel_says_so_again)
{
	struct channel_notes notes;
	struct msg_error e;
	struct pair p;
	struct step *s;

	pair_ready(&p, true);
	s = pair_begin(&p, 0, &notes);
	channel_fail(p.side[0].ch, s, &notes, CLOSE_USER, "enough is enough");
	pair_end(&p, 0, &notes);
	pair_drop(&p, 1); /* the error is lost with the connection */
	pair_cut(&p);
	pair_restart(&p, 0);
	pair_connect(&p);
	/* B2.message_retransmission.7: the error, and no channel_reestablish */
	CHECK_EQ(pair_waiting(&p, 1), 1);
	CHECK_EQ(msg_error_decode(pair_find(&p, 1, MSG_ERROR), &p.memory, &e), DECODE_OK);
	CHECK(bytes_equal(e.data, bytes_from_string("enough is enough")));
	(void)pair_deliver(&p, 0);
	CHECK_EQ(pair_waiting(&p, 1), 2); /* the answer to the peer's channel_reestablish is the error again */
	(void)pair_deliver(&p, 1);
	CHECK_EQ(channel_state_of(p.side[1].ch), AWAITING_UNILATERAL);
	pair_release(&p);
}

static struct tlv_channel_reestablish_next_funding splice;

static void with_next_funding(struct pair *p, struct msg_channel_reestablish *m)
{
	(void)p;
	m->tlvs.next_funding = &splice;
}

TEST(an_unknown_next_funding_is_aborted)
{
	struct pair p;

	pair_ready(&p, true);
	reestablish_with(&p, with_next_funding);
	CHECK(pair_has(&p, 1, MSG_TX_ABORT)); /* B2.message_retransmission.43 */
	CHECK(channel_is_connected(p.side[0].ch));
	pair_release(&p);
}

TEST(messages_before_channel_reestablish)
{
	struct pair p;
	struct msg_update_fee m = { .feerate_per_kw = 1500 };
	struct buf b = BUF_EMPTY;

	pair_ready(&p, true);
	pair_cut(&p);
	pair_connect(&p);
	pair_drop(&p, 1);
	m.channel_id = *channel_id_of(p.side[1].ch);
	msg_update_fee_encode(&m, &b);
	pair_inject(&p, 1, &b);
	CHECK_EQ(p.side[1].hang_ups, 1); /* B2.message_retransmission.9 */
	pair_release(&p);
}

TEST(channel_reestablish_twice)
{
	struct pair p;
	struct buf b = BUF_EMPTY;

	pair_ready(&p, true);
	pair_cut(&p);
	pair_connect(&p);
	buf_add_bytes(&b, pair_peek(&p, 1));
	pair_run(&p);
	pair_inject(&p, 1, &b);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "channel_reestablish twice");
	pair_release(&p);
}

/* --- Cuts at every message --- */

/* A payment and its fulfilment, with the connection cut (and one side restarted) after n messages. */
static bool cut_after(uint32_t n, bool anchors, int restart)
{
	struct pair p;
	uint64_t id;
	uint32_t delivered = 0;
	bool cut = false, resolved = false;

	pair_ready(&p, anchors);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_flush(&p, 0);
	for (int idle = 0; idle < 3;) {
		bool moved = false;

		for (int side = 1; side >= 0; side--) {
			if (!cut && delivered == n) {
				cut = true;
				pair_cut(&p);
				if (restart >= 0)
					pair_restart(&p, restart);
				pair_connect(&p);
				moved = true;
			}
			if (pair_deliver(&p, side)) {
				delivered++;
				moved = true;
			}
			pair_flush(&p, side);
		}
		if (!resolved && channel_htlc_get(p.side[1].ch, SIDE_REMOTE, 0) && pair_fulfill(&p, 1, 0, 1)) {
			resolved = true;
			pair_flush(&p, 1);
			moved = true;
		}
		idle = moved ? 0 : idle + 1;
	}
	CHECK(resolved);
	CHECK_EQ(channel_htlc_count(p.side[0].ch), 0);
	CHECK_EQ(channel_htlc_count(p.side[1].ch), 0);
	CHECK_EQ(channel_to_us(p.side[1].ch).v, 305000000);
	CHECK_EQ(p.side[0].hang_ups + p.side[1].hang_ups + p.side[0].failed + p.side[1].failed, 0);
	CHECK(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED) >= 1);
	pair_check_agree(&p);
	pair_release(&p);
	return cut;
}

TEST(a_cut_at_every_message)
{
	for (int restart = -1; restart < 2; restart++) {
		uint32_t n = 0;

		while (cut_after(n, n % 2, restart))
			n++;
		CHECK(n >= 11);
	}
}
