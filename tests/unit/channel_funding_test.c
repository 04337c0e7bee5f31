/* From accept_channel to a channel that can be used: BOLT 2 "The
 * funding_created Message", "The funding_signed Message", "The channel_ready
 * Message". */
#include <string.h>

#include "tests/channel_pair.h"
#include "tests/test.h"
#include "tests/unit/channel_shown.h"

static const uint8_t anchors_alias_type[] = { 0x40, 0x00, 0x00, 0x40, 0x10, 0x00 };
static const uint8_t zeroconf_type[] = { 0x04, 0x00, 0x00, 0x00, 0x40, 0x10, 0x00 };
static const uint8_t p2wpkh[22] = { 0, 20, 5, 6, 7 };
static const uint8_t p2wsh[34] = { 0, 32, 5, 6, 7 };

static void decode_open(const struct pair *p, struct arena *a, struct msg_open_channel *m)
{
	CHECK_EQ(pair_peek_type(p, 1), MSG_OPEN_CHANNEL);
	CHECK_EQ(msg_open_channel_decode(arena_bytes(a, pair_peek(p, 1)), a, m), DECODE_OK);
}

static void decode_accept(const struct pair *p, struct arena *a, struct msg_accept_channel *m)
{
	CHECK_EQ(pair_peek_type(p, 0), MSG_ACCEPT_CHANNEL);
	CHECK_EQ(msg_accept_channel_decode(arena_bytes(a, pair_peek(p, 0)), a, m), DECODE_OK);
}

/* --- funding_created, funding_signed --- */

TEST(funding_messages_are_right)
{
	struct pair p;
	struct msg_open_channel open;
	struct msg_funding_created created;
	struct msg_funding_signed answer;
	struct channel_id id;

	pair_init(&p);
	pair_start(&p);
	decode_open(&p, &p.memory, &open);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_FUND)->fund_amount.v, 1000000);
	CHECK_EQ(msg_funding_created_decode(pair_find(&p, 1, MSG_FUNDING_CREATED), &p.memory, &created), DECODE_OK);
	CHECK(SAME(created.temporary_channel_id, open.temporary_channel_id)); /* B2.funding_created.1 */
	/* B2.funding_created.2: and nobody was told to broadcast it */
	CHECK(SAME(created.funding_txid, p.funding.txid));
	CHECK(!pair_note(&p, 0, CHANNEL_NOTE_BROADCAST_FUNDING)); /* B2.funding_signed.5 */
	CHECK(!p.side[0].store); /* B2.message_retransmission.2 */
	CHECK_EQ(created.funding_output_index, 1); /* B2.funding_created.3 */
	/* B2.funding_created.4: the fundee verifies it */
	(void)pair_deliver(&p, 1);
	CHECK_EQ(channel_state_of(p.side[1].ch), CHANNELD_AWAITING_LOCKIN);
	CHECK(p.side[1].store); /* B2.message_retransmission.3 */
	CHECK_EQ(msg_funding_signed_decode(pair_find(&p, 0, MSG_FUNDING_SIGNED), &p.memory, &answer), DECODE_OK);
	/* B2.funding_signed.2 */
	memset(id.v, 0xab, sizeof(id.v));
	id.v[31] ^= 1;
	CHECK(SAME(answer.channel_id, id));
	/* B2.funding_signed.3: the opener verifies it */
	(void)pair_deliver(&p, 0);
	CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST_FUNDING)); /* B2.funding_signed.6 */
	CHECK(p.side[0].store); /* B2.message_retransmission.1 */
	CHECK(SAME(*channel_id_of(p.side[0].ch), id));
	pair_check_agree(&p); /* B2.funding_signed.1 */
	CHECK_EQ(channel_record_of(p.side[0].ch)->type, COMMITMENT_ANCHORS);
	pair_release(&p);
}

/* The other S of the same signature: valid, but not in the form that relays. */
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

static void check_bad_created(bool high_s)
{
	struct pair p;
	struct msg_funding_created m;
	struct channel_id about;
	struct msg_error e;
	struct buf b = BUF_EMPTY;
	struct tx *shown;

	pair_init(&p);
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(msg_funding_created_decode(pair_peek(&p, 1), &p.memory, &m), DECODE_OK);
	if (high_s)
		raise_s(&m.signature);
	else
		m.signature.v[40] ^= 1;
	msg_funding_created_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	/* B2.funding_created.7 */
	CHECK_EQ(p.side[1].forgotten, 1);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_FORGOTTEN)->text, "bad signature in funding_created");
	/* B1.error_warning.8: its commitment, as we would have had it */
	shown = pair_shown_tx(&p, 0, &about);
	CHECK(SAME(shown->inputs[0].prev.txid, m.funding_txid) && shown->inputs[0].prev.index == m.funding_output_index);
	CHECK(SAME(about, m.temporary_channel_id));
	/* B1.error_warning.5, B1.error_warning.2 */
	CHECK_EQ(msg_error_decode(pair_peek(&p, 0), &p.memory, &e), DECODE_OK);
	CHECK(SAME(e.channel_id, m.temporary_channel_id));
	CHECK(!p.side[1].store);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(p.side[0].forgotten, 1);
	pair_release(&p);
}

static void check_bad_signed(bool high_s)
{
	struct pair p;
	struct msg_funding_signed m;
	struct channel_id about;
	struct msg_error e;
	struct buf b = BUF_EMPTY;

	pair_init(&p);
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	(void)pair_deliver(&p, 1);
	CHECK_EQ(msg_funding_signed_decode(pair_peek(&p, 0), &p.memory, &m), DECODE_OK);
	if (high_s)
		raise_s(&m.signature);
	else
		m.signature.v[40] ^= 1;
	msg_funding_signed_encode(&m, &b);
	pair_replace(&p, 0, &b);
	(void)pair_deliver(&p, 0);
	/* B2.funding_signed.4, B2.funding_signed.5 */
	CHECK_EQ(p.side[0].forgotten, 1);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_FORGOTTEN)->text, "bad signature in funding_signed");
	CHECK(!pair_note(&p, 0, CHANNEL_NOTE_BROADCAST_FUNDING));
	CHECK(!p.side[0].store);
	/* B1.error_warning.8 */
	CHECK(outpoint_equal(&pair_shown_tx(&p, 1, &about)->inputs[0].prev, &p.funding));
	CHECK(SAME(about, m.channel_id));
	/* B1.error_warning.1: the other side knows the channel by its id now. */
	CHECK_EQ(msg_error_decode(pair_peek(&p, 1), &p.memory, &e), DECODE_OK);
	CHECK(SAME(e.channel_id, m.channel_id));
	pair_release(&p);
}

TEST(bad_signatures_end_the_opening)
{
	check_bad_created(false);
	check_bad_created(true);
	check_bad_signed(false);
	check_bad_signed(true);
}

TEST(a_cut_before_funding_signed_forgets_everything)
{
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	pair_cut(&p);
	/* B2.message_retransmission.2, B2.message_retransmission.4 */
	CHECK_EQ(p.side[0].forgotten, 1);
	CHECK_EQ(p.side[1].forgotten, 1);
	CHECK(!p.side[0].store && !p.side[1].store);
	channel_free(p.side[0].ch);
	channel_free(p.side[1].ch);
	p.side[0].ch = p.side[1].ch = NULL;
	/* B2.open_channel.22, B2.open_channel.23: a new one is welcome, the old one is gone */
	pair_open(&p);
	pair_release(&p);
}

TEST(the_fundee_remembers_once_it_has_signed)
{
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	(void)pair_deliver(&p, 1);
	pair_cut(&p);
	CHECK_EQ(p.side[0].forgotten, 1);
	CHECK_EQ(p.side[1].forgotten, 0); /* B2.message_retransmission.3 */
	pair_restart(&p, 1);
	CHECK(p.side[1].ch);
	CHECK_EQ(channel_state_of(p.side[1].ch), CHANNELD_AWAITING_LOCKIN);
	pair_release(&p);
}

TEST(nobody_waits_for_ever)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_init(&p);
	pair_start(&p);
	p.now_ms += 119999;
	s = pair_begin(&p, 0, &notes);
	CHECK_EQ(channel_deadline(p.side[0].ch), p.now_ms + 1);
	channel_tick(p.side[0].ch, s, &notes);
	pair_end(&p, 0, &notes);
	CHECK_EQ(p.side[0].forgotten, 0);
	p.now_ms += 1;
	s = pair_begin(&p, 0, &notes);
	channel_tick(p.side[0].ch, s, &notes);
	pair_end(&p, 0, &notes);
	CHECK_EQ(p.side[0].forgotten, 1);
	pair_release(&p);
}

/* --- channel_ready --- */

static void open_to_lockin(struct pair *p)
{
	pair_start(p);
	pair_run(p);
	CHECK_EQ(channel_state_of(p->side[1].ch), CHANNELD_AWAITING_LOCKIN);
}

TEST(channel_ready_waits_for_depth)
{
	struct pair p;
	struct msg_channel_ready m;
	struct secret32 secret;
	struct pubkey second;

	pair_init(&p);
	open_to_lockin(&p);
	pair_confirm(&p, 2);
	CHECK_EQ(pair_waiting(&p, 0) + pair_waiting(&p, 1), 0);
	CHECK(!channel_is_usable(p.side[1].ch)); /* B2.open_channel.31 */
	pair_blocks(&p, 1);
	/* B2.channel_ready.2, B2.channel_ready.10 */
	CHECK_EQ(msg_channel_ready_decode(pair_find(&p, 0, MSG_CHANNEL_READY), &p.memory, &m), DECODE_OK);
	secret = shachain_from_seed(&p.side[1].seed, SHACHAIN_FIRST - 1);
	pubkey_of(p.side[1].secp, &second, &secret);
	CHECK(SAME(m.second_per_commitment_point, second)); /* B2.channel_ready.3 */
	CHECK(m.tlvs.short_channel_id); /* B2.channel_ready.4 */
	pair_run(&p);
	CHECK(channel_is_usable(p.side[0].ch) && channel_is_usable(p.side[1].ch));
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_READY), 1);
	CHECK_EQ(channel_record_of(p.side[0].ch)->scid.v, scid_make(1001, 7, 1).v);
	pair_release(&p);
}

TEST(a_wrong_funding_output_is_not_a_channel)
{
	for (int wrong = 0; wrong < 3; wrong++) {
		struct channel_notes notes;
		struct tx_output output;
		struct pair p;
		struct step *s;

		pair_init(&p);
		open_to_lockin(&p);
		output = p.funding_output;
		if (wrong == 0)
			output.amount = SAT(999999);
		if (wrong == 1)
			output.script = BYTES_OF(p2wsh);
		p.height++;
		s = pair_begin(&p, 1, &notes);
		channel_funding_confirmed(p.side[1].ch, s, &notes, p.height, 1, wrong == 2 ? NULL : &output);
		pair_end(&p, 1, &notes);
		CHECK(!pair_has(&p, 0, MSG_CHANNEL_READY)); /* B2.channel_ready.1 */
		CHECK_EQ(p.side[1].forgotten, 1);
		CHECK(!p.side[1].store);
		pair_release(&p);
	}
}

TEST(aliases_are_random_and_answered_to)
{
	struct pair p;
	const struct channel_record *a, *b;

	pair_init(&p);
	p.args.channel_type = BYTES_OF(anchors_alias_type);
	pair_open(&p);
	a = channel_record_of(p.side[0].ch);
	b = channel_record_of(p.side[1].ch);
	CHECK(a->alias_local.v && b->alias_local.v);
	/* B2.channel_ready.6, B2.channel_ready.7: not the real one, nor any that a block could give */
	CHECK(scid_height(a->alias_local) >= 0xf00000 && scid_height(b->alias_local) >= 0xf00000);
	CHECK(a->alias_local.v != b->alias_local.v);
	CHECK_EQ(a->alias_remote.v, b->alias_local.v);
	CHECK(channel_answers_to(p.side[0].ch, a->alias_local)); /* B2.channel_ready.8 */
	CHECK(!channel_answers_to(p.side[0].ch, a->scid)); /* B2.channel_ready.9 */
	CHECK_EQ(channel_incoming_scid(p.side[0].ch).v, a->alias_remote.v); /* B2.channel_ready.12 */
	pair_release(&p);
	pair_init(&p);
	p.args.announce = true;
	pair_open(&p);
	a = channel_record_of(p.side[0].ch);
	CHECK(a->alias_local.v != a->scid.v); /* B2.channel_ready.5 */
	CHECK(channel_answers_to(p.side[0].ch, a->scid) && channel_answers_to(p.side[0].ch, a->alias_local));
	CHECK_EQ(channel_incoming_scid(p.side[0].ch).v, a->scid.v);
	CHECK(!channel_answers_to(p.side[0].ch, (struct scid){ 0 }));
	pair_release(&p);
}

TEST(a_trusted_channel_is_ready_at_once)
{
	struct pair p;
	struct msg_accept_channel m;

	pair_init(&p);
	p.args.channel_type = BYTES_OF(zeroconf_type);
	p.accept_trusts = true;
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	decode_accept(&p, &p.memory, &m);
	CHECK_EQ(m.minimum_depth, 0); /* B2.accept_channel.1 */
	pair_run(&p);
	CHECK(channel_is_usable(p.side[0].ch) && channel_is_usable(p.side[1].ch));
	CHECK_EQ(channel_record_of(p.side[1].ch)->scid.v, 0);
	CHECK_EQ(channel_incoming_scid(p.side[1].ch).v, channel_record_of(p.side[0].ch)->alias_local.v);
	/* It confirms later. */
	pair_confirm(&p, 1);
	CHECK_EQ(channel_record_of(p.side[1].ch)->scid.v, scid_make(1001, 7, 1).v);
	pair_release(&p);
}

TEST(the_fundee_forgets_after_2016_blocks)
{
	struct pair p;

	pair_init(&p);
	open_to_lockin(&p);
	pair_blocks(&p, 2015);
	CHECK_EQ(p.side[1].forgotten, 0);
	pair_blocks(&p, 1);
	CHECK_EQ(p.side[1].forgotten, 1); /* B2.channel_ready.11 */
	CHECK(!p.side[1].store);
	CHECK_EQ(p.side[0].forgotten, 0);
	CHECK_EQ(pair_peek_type(&p, 0), MSG_ERROR);
	pair_release(&p);
}

TEST(an_error_before_the_funding_is_seen)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	/* The fundee has nothing to publish: it forgets, or it could be filled up with such channels. */
	pair_init(&p);
	open_to_lockin(&p);
	s = pair_begin(&p, 1, &notes);
	channel_peer_error(p.side[1].ch, s, &notes, "never mind");
	pair_end(&p, 1, &notes);
	CHECK_EQ(p.side[1].forgotten, 1);
	CHECK(!p.side[1].store && !p.side[1].published);
	pair_release(&p);
	/* Once the money is there it does not. */
	pair_init(&p);
	open_to_lockin(&p);
	pair_confirm(&p, 1);
	s = pair_begin(&p, 1, &notes);
	channel_peer_error(p.side[1].ch, s, &notes, "never mind");
	pair_end(&p, 1, &notes);
	CHECK_EQ(p.side[1].forgotten, 0);
	CHECK(p.side[1].published);
	/* The opener never forgets money. */
	s = pair_begin(&p, 0, &notes);
	channel_peer_error(p.side[0].ch, s, &notes, "never mind");
	pair_end(&p, 0, &notes);
	CHECK_EQ(p.side[0].forgotten, 0);
	CHECK(p.side[0].published);
	pair_release(&p);
}

TEST(our_own_reserve_must_fit)
{
	struct pair p;

	pair_init(&p);
	p.args.has_reserve = true;
	p.args.reserve = SAT(UINT64_MAX);
	pair_start(&p);
	CHECK(!p.side[0].ch);
	CHECK_STR(p.why, "the channel reserve is above the channel's amount");
	pair_release(&p);
}

TEST(a_reorganization_takes_the_confirmation_back)
{
	struct channel_notes notes;
	struct pair p;
	struct step *s;

	pair_init(&p);
	open_to_lockin(&p);
	pair_confirm(&p, 2);
	s = pair_begin(&p, 1, &notes);
	channel_funding_unconfirmed(p.side[1].ch, s, &notes);
	pair_end(&p, 1, &notes);
	CHECK_EQ(channel_record_of(p.side[1].ch)->scid.v, 0);
	pair_blocks(&p, 10);
	CHECK(!pair_has(&p, 0, MSG_CHANNEL_READY)); /* B2.channel_ready.2 */
	pair_restart(&p, 1);
	CHECK_EQ(channel_record_of(p.side[1].ch)->funding_height, 0);
	pair_cut(&p);
	pair_connect(&p);
	pair_run(&p);
	p.height++;
	s = pair_begin(&p, 1, &notes);
	channel_funding_confirmed(p.side[1].ch, s, &notes, p.height - 2, 9, &p.funding_output);
	pair_end(&p, 1, &notes);
	CHECK(pair_has(&p, 0, MSG_CHANNEL_READY));
	CHECK_EQ(channel_record_of(p.side[1].ch)->scid.v, scid_make(p.height - 2, 9, 1).v);
	pair_release(&p);
}

TEST(messages_out_of_place_end_an_opening)
{
	struct pair p;
	struct msg_shutdown m = { .scriptpubkey = BYTES_OF(p2wpkh) };
	struct buf b = BUF_EMPTY;

	pair_init(&p);
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	pair_drop(&p, 0);
	msg_shutdown_encode(&m, &b);
	pair_inject(&p, 1, &b);
	CHECK_EQ(p.side[1].forgotten, 1); /* B2.shutdown.10 */
	CHECK_EQ(pair_peek_type(&p, 0), MSG_ERROR);
	pair_release(&p);
}
