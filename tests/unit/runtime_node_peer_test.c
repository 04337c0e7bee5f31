/* Peers of a whole node: BOLT 1 where it concerns channels, connections, limits, and the orders to connect. */
#include "tests/unit/node_pair.h"

#include "node/state.h"

/* --- the connection --- */

TEST(init_is_all_that_is_said_before_the_peers)
{
	struct pubkey peer = rig_stranger(1);

	one();
	rig_connected(&a, &peer, 7, false);
	CHECK(rig_sent(&a, MSG_INIT).size);
	CHECK(!rig_take(&a, EFFECT_SEND)); /* B1.init.10 */
	CHECK(!rig_is_ready(&a, &peer));
	rig_say_init(&a, 7);
	CHECK(rig_is_ready(&a, &peer));
	CHECK_EQ(took(&a, EFFECT_NOTIFY)->notify, NOTIFY_BLOCK);
	CHECK_EQ(took(&a, EFFECT_NOTIFY)->notify, NOTIFY_CONNECTED);
}

TEST(what_is_no_message_or_comes_too_early_ends_the_connection)
{
	struct pubkey peer = rig_stranger(1);
	static const char *const early[] = { "", "00", "00120000", "0020", "0021", "0088" };

	one();
	for (uint64_t i = 0; i < ARRAY_COUNT(early); i++) {
		rig_connected(&a, &peer, 7 + i, false);
		rig_forget(&a);
		rig_message(&a, 7 + i, test_unhex(early[i]));
		CHECK(!rig_sent(&a, MSG_WARNING).size); /* B1.init.10, INV-P2 */
		CHECK_EQ(took(&a, EFFECT_DISCONNECT)->id, 7 + i);
		/* What was on its way is nobody's. */
		rig_say_init(&a, 7 + i);
		CHECK(!rig_is_ready(&a, &peer));
		rig_disconnected(&a, 7 + i);
	}
}

TEST(a_newer_connection_takes_the_place_of_the_older)
{
	struct pubkey peer = rig_stranger(1);

	one();
	rig_ready(&a, &peer, 7);
	rig_forget(&a);
	rig_connected(&a, &peer, 8, true);
	CHECK_EQ(took(&a, EFFECT_DISCONNECT)->id, 7);
	CHECK(rig_sent(&a, MSG_INIT).size);
	rig_message(&a, 7, test_unhex("001200010000")); /* a ping over the old one */
	CHECK(!rig_sent(&a, MSG_PONG).size);
	rig_say_init(&a, 8);
	CHECK(rig_is_ready(&a, &peer));
	rig_disconnected(&a, 7);
	CHECK(rig_is_ready(&a, &peer));
	rig_message(&a, 8, test_unhex("001200010000"));
	CHECK(rig_sent(&a, MSG_PONG).size);
	rig_disconnected(&a, 8);
	CHECK(!rig_is_ready(&a, &peer));
}

TEST(strangers_leave_nothing_behind)
{
	uint32_t before;

	one();
	before = table_count(&a.node->peers);
	for (uint32_t i = 0; i < 50; i++) {
		struct pubkey peer = rig_stranger(i);

		rig_ready(&a, &peer, 100 + i);
		switch (i % 5) {
		case 0: /* leaves */
			break;
		case 1: /* breaks BOLT 1 */
			rig_message(&a, 100 + i, test_unhex("00"));
			break;
		case 2: /* breaks BOLT 2 in a way that ends the connection */
			rig_message(&a, 100 + i, test_unhex("0020"));
			break;
		case 3: /* says nothing */
			rig_tick(&a, 60000);
			rig_tick(&a, 60000);
			break;
		case 4: /* is replaced by itself */
			rig_ready(&a, &peer, 200 + i);
			rig_disconnected(&a, 200 + i);
			break;
		}
		rig_disconnected(&a, 100 + i);
	}
	CHECK_EQ(table_count(&a.node->peers), before);
	CHECK_EQ(table_count(&a.node->connections), 0);
}

/* --- limits --- */

static struct bytes open_channel_of(struct rig *r, uint8_t id)
{
	struct pubkey key[6];
	struct msg_open_channel m = { 0 };
	struct buf out = BUF_EMPTY;
	struct bytes copy;
	uint8_t *p;
	struct bytes upfront = BYTES_NONE, type = test_unhex("401000");

	for (int i = 0; i < 6; i++)
		key[i] = r->id;
	m.chain_hash = r->config.network->genesis;
	memset(m.temporary_channel_id.v, id, 32);
	m.funding_satoshis = SAT(1000000);
	m.dust_limit_satoshis = SAT(354);
	m.max_htlc_value_in_flight_msat = MSAT(1000000000);
	m.channel_reserve_satoshis = SAT(10000);
	m.feerate_per_kw = 253;
	m.to_self_delay = 144;
	m.max_accepted_htlcs = 30;
	m.funding_pubkey = key[0];
	m.revocation_basepoint = key[1];
	m.payment_basepoint = key[2];
	m.delayed_payment_basepoint = key[3];
	m.htlc_basepoint = key[4];
	m.first_per_commitment_point = key[5];
	m.tlvs.upfront_shutdown_script = &upfront;
	m.tlvs.channel_type = &type;
	msg_open_channel_encode(&m, &out);
	p = test_alloc(out.size);
	memcpy(p, out.data, out.size);
	copy = BYTES(p, out.size);
	buf_release(&out);
	return copy;
}

TEST(only_so_many_strangers_are_let_in)
{
	struct pubkey friend;

	begin();
	a.config.peers_max = 3;
	rig_start(&a);
	for (uint32_t i = 0; i < 3; i++) {
		struct pubkey peer = rig_stranger(i);

		rig_ready(&a, &peer, 10 + i);
		CHECK(rig_is_ready(&a, &peer));
		/* An opening that costs nothing makes nobody a friend. */
		rig_message(&a, 10 + i, open_channel_of(&a, (uint8_t)i));
	}
	rig_forget(&a);
	friend = rig_stranger(99);
	rig_connected(&a, &friend, 50, false);
	CHECK_EQ(took(&a, EFFECT_DISCONNECT)->id, 50);
	CHECK(!rig_take(&a, EFFECT_SEND));
	/* Whom we call ourselves is welcome. */
	rig_connected(&a, &friend, 51, true);
	CHECK(rig_sent(&a, MSG_INIT).size);
	/* And there is room again once one has left. */
	rig_disconnected(&a, 10);
	rig_disconnected(&a, 51);
	rig_connected(&a, &friend, 52, false);
	CHECK(rig_sent(&a, MSG_INIT).size);
}

TEST(ourselves_is_nobody_to_talk_to)
{
	one();
	rig_forget(&a);
	rig_connected(&a, &a.id, 50, false);
	CHECK_EQ(took(&a, EFFECT_DISCONNECT)->id, 50);
	CHECK(!rig_take(&a, EFFECT_SEND));
}

TEST(a_peer_may_open_few_channels_at_a_time)
{
	struct pubkey peer = rig_stranger(1);
	struct msg_error m;

	one();
	rig_ready(&a, &peer, 7);
	for (uint8_t i = 0; i < a.config.openings_per_peer_max; i++) {
		rig_message(&a, 7, open_channel_of(&a, (uint8_t)(i + 1)));
		CHECK(rig_sent(&a, MSG_ACCEPT_CHANNEL).size);
		CHECK(!rig_sent(&a, MSG_ERROR).size);
	}
	rig_message(&a, 7, open_channel_of(&a, 77));
	CHECK(!rig_sent(&a, MSG_ACCEPT_CHANNEL).size);
	CHECK(msg_error_decode(rig_sent(&a, MSG_ERROR), &a.kept, &m) == DECODE_OK);
	CHECK_EQ(m.channel_id.v[0], 77); /* B1.error_warning.2: the temporary one */
	/* Openings that wait for the wallet count too. */
	rig_disconnected(&a, 7);
	a.wallet_late = true;
	rig_ready(&a, &peer, 8);
	rig_forget(&a);
	for (uint8_t i = 0; i < a.config.openings_per_peer_max + 1; i++)
		rig_message(&a, 8, open_channel_of(&a, (uint8_t)(i + 1)));
	CHECK(rig_sent(&a, MSG_ERROR).size);
	CHECK(!rig_sent(&a, MSG_ERROR).size);
}

TEST(an_opening_dies_with_its_connection)
{
	struct pubkey peer = rig_stranger(1);

	one();
	a.wallet_late = true;
	rig_ready(&a, &peer, 7);
	rig_message(&a, 7, open_channel_of(&a, 1));
	rig_disconnected(&a, 7);
	rig_ready(&a, &peer, 8);
	rig_forget(&a);
	/* B2.open_channel.23: the wallet's answer comes for something that is over. */
	CHECK(rig_wallet_answers(&a, 0));
	CHECK(!rig_take(&a, EFFECT_SEND));
	CHECK_EQ(table_count(&a.node->openings), 0);
	CHECK_EQ(table_count(&a.node->channels), 0);
	/* B2.open_channel.22 */
	rig_message(&a, 8, open_channel_of(&a, 1));
	CHECK(rig_wallet_answers(&a, 0));
	CHECK(rig_sent(&a, MSG_ACCEPT_CHANNEL).size);
}

TEST(a_wallet_without_an_address_refuses_the_channel_aloud)
{
	struct pubkey peer = rig_stranger(1);
	struct msg_error m;

	one();
	a.wallet_fails = true;
	rig_ready(&a, &peer, 7);
	rig_message(&a, 7, open_channel_of(&a, 5));
	CHECK(msg_error_decode(rig_sent(&a, MSG_ERROR), &a.kept, &m) == DECODE_OK);
	CHECK_EQ(m.channel_id.v[0], 5);
	CHECK_EQ(table_count(&a.node->openings), 0);
}

/* --- errors and warnings --- */

TEST(messages_of_channels_that_we_do_not_know_are_answered_with_errors)
{
	static const uint16_t types[] = { MSG_ACCEPT_CHANNEL, MSG_FUNDING_CREATED, MSG_FUNDING_SIGNED, MSG_CHANNEL_READY,
					  MSG_SHUTDOWN, MSG_CLOSING_SIGNED, MSG_UPDATE_ADD_HTLC, MSG_UPDATE_FULFILL_HTLC,
					  MSG_UPDATE_FAIL_HTLC, MSG_COMMITMENT_SIGNED, MSG_REVOKE_AND_ACK, MSG_UPDATE_FEE,
					  MSG_UPDATE_FAIL_MALFORMED_HTLC, MSG_CHANNEL_REESTABLISH };
	struct pubkey peer = rig_stranger(1);

	one();
	rig_ready(&a, &peer, 7);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		uint8_t raw[120] = { 0 };
		struct msg_error m;

		store_be16(raw, types[i]);
		memset(raw + 2, 0x40 + (int)i, 32);
		rig_message(&a, 7, BYTES_OF(raw));
		/* B1.error_warning.6: with that id */
		CHECK(msg_error_decode(rig_sent(&a, MSG_ERROR), &a.kept, &m) == DECODE_OK);
		CHECK_EQ(m.channel_id.v[0], 0x40 + i);
		CHECK_EQ(m.channel_id.v[31], 0x40 + i);
		CHECK(rig_is_ready(&a, &peer));
	}
	/* B1.error_warning.4: version 2 is not negotiated, and refused by the temporary id behind the chain. */
	{
		uint8_t raw[400] = { 0, MSG_OPEN_CHANNEL2 };
		struct msg_error m;

		memset(raw + 2, 6, 32);
		memset(raw + 34, 0x77, 32);
		rig_message(&a, 7, BYTES_OF(raw));
		CHECK(msg_error_decode(rig_sent(&a, MSG_ERROR), &a.kept, &m) == DECODE_OK);
		CHECK_EQ(m.channel_id.v[0], 0x77);
		CHECK_EQ(m.channel_id.v[31], 0x77);
		CHECK(rig_is_ready(&a, &peer));
	}
	/* Gossip is nobody's channel. */
	rig_message(&a, 7, test_unhex("0102"));
	CHECK(!rig_sent(&a, MSG_ERROR).size);
	CHECK(rig_is_ready(&a, &peer));
}

static void say_error(struct rig *r, uint64_t connection, uint16_t type, const struct channel_id *id)
{
	struct msg_error e = { .channel_id = *id, .data = BYTES("it \x1b[2J is over", 15) };
	struct buf out = BUF_EMPTY;

	msg_error_encode(&e, &out);
	store_be16(out.data, type);
	rig_message(r, connection, buf_view(&out));
	buf_release(&out);
}

TEST(an_error_of_an_unknown_channel_is_ignored)
{
	struct channel_id other = { { 9 } };

	two();
	say_error(&b, 1, MSG_ERROR, &other);
	/* B1.error_warning.12 */
	CHECK_EQ(channel_state_of(rig_channel(&b)), CHANNELD_NORMAL);
	CHECK(channel_is_usable(rig_channel(&b)));
	CHECK(!rig_take(&b, EFFECT_SEND));
	CHECK(!rig_take(&b, EFFECT_DISCONNECT));
	/* B1.error_warning.13: and nothing of it reaches a terminal as it is */
	CHECK(strstr(b.last_log, "\\x1b") && !strchr(b.last_log, '\x1b'));
}

TEST(an_error_of_a_channel_of_another_peer_is_ignored)
{
	struct pubkey stranger = rig_stranger(1);
	struct channel_id id, all = { { 0 } };

	two();
	id = *channel_id_of(rig_channel(&b));
	rig_ready(&b, &stranger, 9);
	say_error(&b, 9, MSG_ERROR, &id);
	say_error(&b, 9, MSG_ERROR, &all);
	CHECK_EQ(channel_state_of(rig_channel(&b)), CHANNELD_NORMAL);
}

TEST(an_error_fails_its_channel)
{
	struct channel_id id;

	two();
	id = *channel_id_of(rig_channel(&b));
	say_error(&b, 1, MSG_ERROR, &id);
	/* B1.error_warning.10 */
	CHECK_EQ(channel_state_of(rig_channel(&b)), AWAITING_UNILATERAL);
	CHECK(rig_take(&b, EFFECT_BROADCAST)); /* B5.failing_a_channel.4 */
}

TEST(an_error_of_all_zeros_fails_every_channel)
{
	struct channel_id id = { { 0 } };
	const struct channel *ch;
	uint32_t at = 0, count = 0;

	two();
	(void)open_one(1, 500000);
	rig_forget(&b);
	say_error(&b, 1, MSG_ERROR, &id);
	while ((ch = node_view_channel(b.node, &at))) {
		CHECK_EQ(channel_state_of(ch), AWAITING_UNILATERAL); /* B1.error_warning.9 */
		count++;
	}
	CHECK_EQ(count, 2);
	CHECK(rig_take(&b, EFFECT_BROADCAST) && rig_take(&b, EFFECT_BROADCAST));
}

TEST(one_of_two_channels_fails_alone)
{
	struct channel_id id;
	const struct channel *ch;
	uint32_t at = 0, failed = 0, normal = 0;

	two();
	id = *channel_id_of(rig_channel(&b));
	(void)open_one(1, 500000);
	say_error(&b, 1, MSG_ERROR, &id);
	while ((ch = node_view_channel(b.node, &at))) {
		failed += channel_state_of(ch) == AWAITING_UNILATERAL && SAME(*channel_id_of(ch), id);
		normal += channel_state_of(ch) == CHANNELD_NORMAL;
	}
	CHECK_EQ(failed, 1);
	CHECK_EQ(normal, 1);
}

TEST(a_warning_is_only_logged)
{
	struct channel_id id, all = { { 0 } };

	two();
	id = *channel_id_of(rig_channel(&b));
	say_error(&b, 1, MSG_WARNING, &id);
	say_error(&b, 1, MSG_WARNING, &all);
	CHECK_EQ(channel_state_of(rig_channel(&b)), CHANNELD_NORMAL);
	CHECK(channel_is_usable(rig_channel(&b)));
	CHECK(!rig_take(&b, EFFECT_SEND));
	CHECK(strstr(b.last_log, "is over")); /* B1.error_warning.11 */
}

TEST(a_peer_with_a_channel_is_called_again_and_one_without_is_not)
{
	struct bytes close;
	struct rig_item *i;

	two();
	rig_unlink_both(&a, &b, 1);
	for (int n = 0; n < 5 && !(i = rig_take(&a, EFFECT_CONNECT)); n++)
		rig_tick(&a, 1000);
	CHECK(i && SAME(i->peer, b.id));
	/* The channel ends; what it leaves behind is history. */
	rig_link(&a, &b, 2);
	rig_pump(&a, &b, 2);
	struct command c = { .kind = COMMAND_CLOSE };
	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = b.id;
	uint64_t call = rig_command(&a, &c);
	rig_pump(&a, &b, 2);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK(reply_of(&a, call)->u.close.mutual);
	close = rig_accept_broadcasts(&a);
	rig_block(&a, &close, 1);
	rig_blocks(&a, 100);
	CHECK(!rig_channel(&a));
	rig_disconnected(&a, 2);
	rig_forget(&a);
	for (int n = 0; n < 50; n++)
		rig_tick(&a, 60000);
	CHECK(!rig_take(&a, EFFECT_CONNECT));
	rig_restart(&a);
	for (int n = 0; n < 50; n++)
		rig_tick(&a, 60000);
	CHECK(!rig_take(&a, EFFECT_CONNECT));
}

/* --- orders --- */

TEST(connect_answers_when_init_is_there)
{
	struct pubkey peer = rig_stranger(1);
	uint64_t call, other, third;

	one();
	call = order_connect(&a, &peer, "10.0.0.9");
	CHECK(SAME(took(&a, EFFECT_CONNECT)->peer, peer));
	other = order_connect(&a, &peer, "10.0.0.9");
	CHECK(!rig_take(&a, EFFECT_CONNECT)); /* it is being dialled */
	rig_connected(&a, &peer, 7, true);
	CHECK(!rig_reply(&a, call));
	rig_say_init(&a, 7);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK_EQ(code_of(&a, other), REPLY_OK);
	CHECK(SAME(reply_of(&a, call)->u.connect.peer, peer));
	CHECK_STR(reply_of(&a, call)->u.connect.host, "127.0.0.1");
	third = order_connect(&a, &peer, NULL);
	CHECK_EQ(code_of(&a, third), REPLY_OK); /* it is there already */
	CHECK_EQ(table_count(&a.node->calls), 0);
}

TEST(connect_fails_in_words)
{
	struct pubkey peer = rig_stranger(1);
	struct event e = { .kind = EVENT_CONNECT_FAILED };
	uint64_t call;
	uint32_t before;

	one();
	before = table_count(&a.node->peers);
	call = order_connect(&a, &peer, NULL);
	CHECK_EQ(code_of(&a, call), REPLY_CONNECT_UNKNOWN);
	CHECK_EQ(table_count(&a.node->peers), before);
	call = order_connect(&a, &a.id, "10.0.0.9");
	CHECK_EQ(code_of(&a, call), REPLY_CONNECT_FAILED);
	call = order_connect(&a, &peer, "10.0.0.9");
	e.u.connect_failed.peer = peer;
	e.u.connect_failed.host = "10.0.0.9";
	e.u.connect_failed.reason = "Connection refused";
	rig_event(&a, &e);
	CHECK_EQ(code_of(&a, call), REPLY_CONNECT_FAILED);
	CHECK(strstr(reply_of(&a, call)->message, "refused"));
	CHECK_EQ(table_count(&a.node->peers), before);
	/* The peer hangs up before its init. */
	call = order_connect(&a, &peer, "10.0.0.9");
	rig_connected(&a, &peer, 7, true);
	rig_disconnected(&a, 7);
	CHECK_EQ(code_of(&a, call), REPLY_CONNECT_GONE);
	/* Nobody says anything. */
	call = order_connect(&a, &peer, "10.0.0.9");
	rig_tick(&a, CALL_CONNECT_TIMEOUT_MS - 1);
	CHECK(!rig_reply(&a, call));
	rig_tick(&a, 1);
	CHECK_EQ(code_of(&a, call), REPLY_CONNECT_FAILED);
	CHECK_EQ(table_count(&a.node->calls), 0);
}

TEST(an_order_to_connect_outlives_a_connection_that_is_replaced)
{
	struct pubkey peer = rig_stranger(1);
	uint64_t call;

	one();
	call = order_connect(&a, &peer, "10.0.0.9");
	rig_connected(&a, &peer, 7, true);
	rig_connected(&a, &peer, 8, false); /* it called us at the same moment */
	CHECK(!rig_reply(&a, call));
	rig_say_init(&a, 8);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
}

TEST(disconnect_minds_channels)
{
	struct command c = { .kind = COMMAND_DISCONNECT };
	struct pubkey peer = rig_stranger(1);
	uint64_t call;

	two();
	c.u.disconnect.peer = peer;
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_FAILED);
	rig_ready(&a, &peer, 9);
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_OK);
	CHECK_EQ(took(&a, EFFECT_DISCONNECT)->id, 9);
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_FAILED);
	c.u.disconnect.peer = b.id;
	CHECK_EQ(code_of(&a, rig_command(&a, &c)), REPLY_FAILED);
	CHECK(rig_is_ready(&a, &b.id));
	c.u.disconnect.force = true;
	call = rig_command(&a, &c);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	CHECK_EQ(took(&a, EFFECT_DISCONNECT)->id, 1);
	CHECK(!channel_is_connected(rig_channel(&a)));
}

TEST(a_call_whose_caller_left_is_not_answered)
{
	struct event e = { .kind = EVENT_CALL_GONE };
	struct pubkey peer = rig_stranger(1);
	uint64_t call;

	one();
	call = order_connect(&a, &peer, "10.0.0.9");
	e.u.gone.call = call;
	rig_event(&a, &e);
	rig_connected(&a, &peer, 7, true);
	rig_say_init(&a, 7);
	CHECK(!rig_reply(&a, call));
	CHECK_EQ(table_count(&a.node->calls), 0);
}
