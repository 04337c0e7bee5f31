/* Our own channels: signatures exchanged, announced, and what we say of them. */
#include "tests/unit/gossip_world.h"

static struct chain chain;
static struct world *w;

#define ME 0u
#define PEER 1u
#define LINK 5u /* the connection with PEER */

static const struct scid here = { ((uint64_t)HEIGHT << 40) | 1 << 16 };

static struct gossip_own facts(void)
{
	struct gossip_own f = { .key = 77, .connection = LINK, .peer = point_of('n', PEER), .funding_local = point_of('f', ME),
				.funding_remote = point_of('f', PEER), .scid = here, .capacity = SAT(1000000), .depth = 6,
				.announce = true, .ready_sent = true, .ready_received = true, .cltv_delta = 34,
				.fee_base_msat = 1, .fee_ppm = 2, .htlc_minimum = MSAT(1000), .htlc_maximum = MSAT(2000000000),
				.in_flight_max = MSAT(600000000) };

	memset(f.channel_id.v, 4, 32);
	memset(f.funding.txid.v, 8, 32);
	return f;
}

static void start(void)
{
	memset(&chain, 0, sizeof(chain));
	w = world_new(&chain, ME);
	w->step.height = HEIGHT + 5;
	world_peer(w, LINK, PEER);
	world_peer(w, 6, 9);
	w->sent_count = 0;
}

static void finish(void)
{
	world_free(w);
	mem_free(chain.at);
}

static void set(const struct gossip_own *f)
{
	struct gossip_notes out = { 0 };

	gossip_own_set(w->g, &w->step, &out, f);
	world_settle(w, &out);
}

/* The peer goes, and is back over another connection. */
static void reconnect(struct gossip_own *f, uint64_t connection)
{
	const uint64_t before = f->connection;

	f->connection = 0;
	set(f);
	world_peer_gone(w, before);
	f->connection = connection;
	world_peer(w, connection, PEER);
	set(f);
}

/* The peer's announcement_signatures. */
static struct bytes theirs(const struct gossip_own *f)
{
	struct own_announcement o = ends_of(f->scid, PEER, ME);
	struct msg_announcement_signatures m = { .channel_id = f->channel_id, .short_channel_id = f->scid };
	struct buf raw = BUF_EMPTY, out = BUF_EMPTY;

	own_announcement_build(&o, &raw);
	m.node_signature = sign_with('n', PEER, channel_announcement_signed(buf_view(&raw)));
	m.bitcoin_signature = sign_with('f', PEER, channel_announcement_signed(buf_view(&raw)));
	msg_announcement_signatures_encode(&m, &out);
	buf_release(&raw);
	return kept(&out);
}

static struct msg_channel_update update_to(uint64_t connection)
{
	struct msg_channel_update m;

	CHECK_EQ(msg_channel_update_decode(last_sent(w, connection, MSG_CHANNEL_UPDATE), &w->kept_arena, &m), DECODE_OK);
	return m;
}

#define SIGNATURES MSG_ANNOUNCEMENT_SIGNATURES

TEST(six_confirmations_and_both_ready)
{
	struct gossip_own f;

	start();
	f = facts();
	/* B7.announcement_signatures.1, B7.announcement_signatures.3 */
	f.depth = 5;
	set(&f);
	f.depth = 6;
	f.ready_received = false;
	set(&f);
	f.ready_received = true;
	f.ready_sent = false;
	set(&f);
	f.ready_sent = true;
	f.closing = true;
	set(&f);
	f.closing = false;
	f.announce = false;
	set(&f);
	CHECK_EQ(count_sent(w, 0, 0, SIGNATURES), 0);
	f.announce = true;
	set(&f);
	CHECK_EQ(count_sent(w, 0, LINK, SIGNATURES), 1);
	set(&f);
	CHECK_EQ(count_sent(w, 0, 0, SIGNATURES), 1);
	CHECK(!world_at(w, here));
	finish();
}

TEST(both_signatures_make_an_announcement)
{
	struct gossip_own f;
	struct graph_policy said;
	struct msg_channel_announcement c;
	struct msg_channel_update m;
	struct bytes raw;

	start();
	f = facts();
	set(&f);
	/* B7.channel_announcement.14: none before both are there. */
	CHECK_EQ(count_sent(w, 0, 0, MSG_CHANNEL_ANNOUNCEMENT), 0);
	world_hear(w, LINK, theirs(&f));
	/* B7.announcement_signatures.9, B7.channel_announcement.2 */
	CHECK(world_at(w, here) && w->announced == 1 && (world_at(w, here)->flags & GRAPH_OWN));
	raw = last_sent(w, 6, MSG_CHANNEL_ANNOUNCEMENT);
	/* B7.channel_announcement.10, B7.channel_announcement.11: it is what both would have made by hand. */
	CHECK(bytes_equal(raw, make_channel(here, ME, PEER)));
	/* B4.failure_messages.14: it asks for nothing that an onion could lack. */
	CHECK_EQ(msg_channel_announcement_decode(raw, &w->step.out->arena, &c), DECODE_OK);
	CHECK_EQ(c.features.size, 0);
	/* B7.gossip_timestamp_filter.4: to everybody at once, filter or not; and the update behind it. */
	m = update_to(6);
	/* B7.channel_update.6, B7.channel_update.7, B7.channel_update.8, B7.channel_update.12, B7.channel_update.13 */
	CHECK(SAME(m.chain_hash, test_chain()) && m.short_channel_id.v == here.v);
	CHECK(m.channel_flags == direction_of(ME, PEER) && m.message_flags == 1);
	/* B7.channel_update.9, B7.channel_update.10, B7.channel_update.11, B7.channel_update.16 */
	CHECK(m.htlc_maximum_msat.v == 600000000 && m.htlc_minimum_msat.v == 1000);
	/* B7.channel_update.15, B7.channel_update.17, B7.channel_update.18 */
	CHECK(m.cltv_expiry_delta == 34 && m.fee_base_msat == 1 && m.fee_proportional_millionths == 2);
	/* The announcement first, then the update, then the node: B7.gossip_timestamp_filter.10. */
	{
		uint32_t at[3] = { 0 };

		for (uint32_t i = 0; i < w->sent_count; i++) {
			uint16_t type = load_be16(w->sent[i].raw.data);

			if (w->sent[i].connection != 6)
				continue;
			at[0] = type == MSG_CHANNEL_ANNOUNCEMENT ? i + 1 : at[0];
			at[1] = type == MSG_CHANNEL_UPDATE ? i + 1 : at[1];
			at[2] = type == MSG_NODE_ANNOUNCEMENT ? i + 1 : at[2];
		}
		CHECK(at[0] && at[0] < at[1] && at[1] < at[2]);
	}
	/* B7.channel_update.5 */
	CHECK(bytes_equal(last_sent(w, 6, MSG_CHANNEL_UPDATE), last_sent(w, LINK, MSG_CHANNEL_UPDATE)));
	CHECK(gossip_own_policy(w->g, 77, &said) && said.timestamp == m.timestamp && said.htlc_maximum.v == 600000000);
	CHECK(!gossip_own_policy(w->g, 78, &said));
	finish();
}

TEST(signatures_that_come_first_or_too_early)
{
	struct gossip_own f;
	struct bytes early;

	start();
	f = facts();
	early = theirs(&f);
	f.ready_sent = false;
	f.scid.v = 0;
	f.depth = 0;
	set(&f);
	/* B7.announcement_signatures.10: kept for later. */
	world_hear(w, LINK, early);
	CHECK_EQ(count_sent(w, 0, LINK, MSG_WARNING), 0);
	f = facts();
	set(&f);
	CHECK(world_at(w, here) && count_sent(w, 0, LINK, SIGNATURES) == 1);
	finish();
}

TEST(signatures_that_are_wrong)
{
	struct gossip_own f, other;
	struct bytes raw;
	uint8_t *p;

	start();
	f = facts();
	set(&f);
	/* B7.announcement_signatures.8: another scid; another channel. */
	other = f;
	other.scid.v++;
	world_hear(w, LINK, theirs(&other));
	CHECK_EQ(count_sent(w, 0, LINK, MSG_WARNING), 1);
	memset(other.channel_id.v, 5, 32);
	world_hear(w, LINK, theirs(&other));
	CHECK_EQ(count_sent(w, 0, LINK, MSG_WARNING), 2);
	/* Right ones from somebody else's connection. */
	world_hear(w, 6, theirs(&f));
	CHECK_EQ(count_sent(w, 0, 6, MSG_WARNING), 1);
	CHECK(!w->hung_up_count && !world_at(w, here));
	raw = theirs(&f);
	for (int i = 0; i < 2; i++) {
		p = test_alloc(raw.size);
		memcpy(p, raw.data, raw.size);
		p[2 + 32 + 8 + 64 * i + 60] ^= 1;
		world_hear(w, LINK, BYTES(p, raw.size));
		CHECK(!world_at(w, here) && w->hung_up_count == (uint32_t)i + 1);
	}
	finish();
}

TEST(signatures_are_sent_again_to_whoever_lacks_them)
{
	struct gossip_own f;
	struct world *again;

	start();
	f = facts();
	set(&f);
	reconnect(&f, 7);
	/* B7.announcement_signatures.4 */
	CHECK_EQ(count_sent(w, 0, 7, SIGNATURES), 1);
	world_hear(w, 7, theirs(&f));
	CHECK(world_at(w, here));
	CHECK_EQ(count_sent(w, 0, 7, SIGNATURES), 1);
	/* After a restart that channel is announced, and nothing is sent by itself... */
	again = world_restart(w);
	world_free(w);
	w = again;
	world_peer(w, 8, PEER);
	f.connection = 8;
	set(&f);
	CHECK_EQ(count_sent(w, 0, 8, SIGNATURES), 0);
	/* ... but to a peer that has forgotten: B7.announcement_signatures.5, once. */
	world_hear(w, 8, theirs(&f));
	CHECK_EQ(count_sent(w, 0, 8, SIGNATURES), 1);
	world_hear(w, 8, theirs(&f));
	CHECK_EQ(count_sent(w, 0, 8, SIGNATURES), 1);
	CHECK_EQ(w->announced, 0);
	finish();
}

/* In its channel_reestablish: B7.announcement_signatures.7. */
TEST(a_peer_asks_for_signatures_again)
{
	struct gossip_own f;

	start();
	f = facts();
	set(&f);
	world_hear(w, LINK, theirs(&f));
	CHECK(world_at(w, here) && count_sent(w, 0, LINK, SIGNATURES) == 1);
	reconnect(&f, 7);
	CHECK_EQ(count_sent(w, 0, 7, SIGNATURES), 0);
	f.signatures_wanted = true;
	set(&f);
	CHECK_EQ(count_sent(w, 0, 7, SIGNATURES), 1);
	/* Once; and its own in answer, as B7.announcement_signatures.5 has it, brings no more. */
	f.depth++;
	set(&f);
	world_hear(w, 7, theirs(&f));
	CHECK_EQ(count_sent(w, 0, 7, SIGNATURES), 1);
	f.connection = 8;
	world_peer_gone(w, 7);
	world_peer(w, 8, PEER);
	set(&f);
	CHECK_EQ(count_sent(w, 0, 8, SIGNATURES), 1);
	finish();
}

/* The peer has seen where the channel is now before we have: B7.announcement_signatures.11. */
TEST(signatures_for_where_the_channel_will_be)
{
	struct gossip_own f, moved;

	start();
	f = facts();
	moved = f;
	moved.scid = scid_make(scid_height(here) + 1, 1, 0);
	set(&f);
	world_hear(w, LINK, theirs(&moved));
	/* B7.announcement_signatures.8 */
	CHECK_EQ(count_sent(w, 0, LINK, MSG_WARNING), 1);
	CHECK(!world_at(w, here) && !world_at(w, moved.scid));
	f.depth++;
	set(&f);
	CHECK_EQ(count_sent(w, 0, LINK, MSG_WARNING), 1);
	set(&moved);
	CHECK(world_at(w, moved.scid) && !world_at(w, here));
	CHECK_EQ(count_sent(w, 0, LINK, MSG_WARNING), 1);
	finish();
}

/* ---- channel_update ---- */

TEST(an_update_for_the_peer_alone)
{
	struct gossip_own f;
	struct graph_policy said;
	struct msg_channel_update m;

	start();
	f = facts();
	f.announce = false;
	f.ready_received = false;
	f.alias_remote.v = 4242;
	set(&f);
	CHECK_EQ(count_sent(w, 0, 0, MSG_CHANNEL_UPDATE), 0); /* B7.channel_update.1 */
	f.ready_received = true;
	set(&f);
	m = update_to(LINK);
	CHECK(gossip_own_policy(w->g, 77, &said) && said.checksum && said.cltv_delta == 34);
	/* B7.channel_update.2, B7.channel_update.3 */
	CHECK(m.short_channel_id.v == 4242 && m.message_flags == 3);
	/* B7.channel_update.4 */
	CHECK_EQ(count_sent(w, 0, 6, MSG_CHANNEL_UPDATE), 0);
	CHECK_EQ(graph_channel_count(gossip_graph(w->g)), 0);
	/* Without an alias: the real one. */
	f.alias_remote.v = 0;
	set(&f);
	CHECK_EQ(update_to(LINK).short_channel_id.v, here.v);
	/* Again on each connection, the same. */
	f.connection = 0;
	set(&f);
	w->sent_count = 0;
	f.connection = 7;
	world_peer(w, 7, PEER);
	set(&f);
	CHECK_EQ(count_sent(w, 0, 7, MSG_CHANNEL_UPDATE), 1);
	set(&f);
	CHECK_EQ(count_sent(w, 0, 7, MSG_CHANNEL_UPDATE), 1);
	finish();
}

static struct gossip_own announced(void)
{
	struct gossip_own f = facts();

	set(&f);
	world_hear(w, LINK, theirs(&f));
	CHECK(world_at(w, here));
	return f;
}

TEST(updates_are_not_redundant_and_always_newer)
{
	struct gossip_own f;
	uint32_t last, from;

	start();
	f = announced();
	last = update_to(6).timestamp;
	from = w->sent_count;
	/* B7.channel_update.19 */
	for (int i = 0; i < 20; i++) {
		set(&f);
		world_later(w, TICK_MS);
	}
	CHECK_EQ(count_sent(w, from, 6, MSG_CHANNEL_UPDATE), 0);
	/* A change is said at once; twice in one second still moves the timestamp: B7.channel_update.14. */
	for (uint32_t i = 0; i < 3; i++) {
		f.fee_ppm = 100 + i;
		set(&f);
		CHECK(update_to(6).fee_proportional_millionths == 100 + i && update_to(6).timestamp > last);
		last = update_to(6).timestamp;
	}
	CHECK(last > 0 && last <= START_S + 30);
	/* Before it is two weeks old it is said again. */
	from = w->sent_count;
	world_later(w, (REFRESH_S - 100) * 1000ull);
	CHECK_EQ(count_sent(w, from, 6, MSG_CHANNEL_UPDATE), 0);
	world_later(w, 200 * 1000ull);
	CHECK_EQ(count_sent(w, from, 6, MSG_CHANNEL_UPDATE), 1);
	CHECK(update_to(6).timestamp > last && REFRESH_S < STALE_S);
	finish();
}

TEST(limits_of_an_update)
{
	struct gossip_own f;

	start();
	f = announced();
	f.in_flight_max = MSAT(5000000000);
	f.htlc_maximum = MSAT(5000000000);
	set(&f);
	CHECK_EQ(update_to(6).htlc_maximum_msat.v, 1000000000); /* B7.channel_update.9 */
	f.htlc_maximum = MSAT(70000);
	set(&f);
	CHECK_EQ(update_to(6).htlc_maximum_msat.v, 70000);
	/* B7.channel_update.11, B7.channel_update.16: where nothing can be sent, the channel is disabled and the fields
	 * still make sense. */
	f.htlc_minimum = MSAT(80000);
	set(&f);
	CHECK(update_to(6).htlc_minimum_msat.v <= update_to(6).htlc_maximum_msat.v && (update_to(6).channel_flags & UPDATE_DISABLE));
	finish();
}

TEST(a_peer_that_stays_away_disables_the_channel)
{
	struct gossip_own f;
	uint32_t from;

	start();
	f = announced();
	f.connection = 0;
	set(&f);
	world_peer_gone(w, LINK);
	from = w->sent_count;
	world_later(w, AWAY_MS - 1000);
	CHECK_EQ(count_sent(w, from, 6, MSG_CHANNEL_UPDATE), 0);
	world_later(w, 1000);
	CHECK(count_sent(w, from, 6, MSG_CHANNEL_UPDATE) == 1 && (update_to(6).channel_flags & UPDATE_DISABLE));
	CHECK(!graph_usable(world_at(w, here), direction_of(ME, PEER)));
	f.connection = 9;
	world_peer(w, 9, PEER);
	set(&f);
	CHECK(!(update_to(6).channel_flags & UPDATE_DISABLE) && graph_usable(world_at(w, here), direction_of(ME, PEER)));
	/* Closing: at once. */
	f.closing = true;
	set(&f);
	CHECK(update_to(6).channel_flags & UPDATE_DISABLE);
	finish();
}

TEST(how_long_a_peer_may_stay_away_is_for_its_owner_to_say)
{
	struct gossip_config config = config_of(ME);
	struct gossip_own f;

	memset(&chain, 0, sizeof(chain));
	config.away_ms = 5000;
	w = world_new_with(&chain, ME, &config);
	w->step.height = HEIGHT + 5;
	world_peer(w, LINK, PEER);
	world_peer(w, 6, 9);
	f = announced();
	f.connection = 0;
	set(&f);
	world_peer_gone(w, LINK);
	world_later(w, 4000);
	CHECK(!(update_to(6).channel_flags & UPDATE_DISABLE));
	world_later(w, 1000);
	CHECK(update_to(6).channel_flags & UPDATE_DISABLE);
	finish();
}

TEST(a_restart_knows_what_was_said)
{
	struct gossip_own f;
	struct world *again;

	start();
	f = announced();
	again = world_restart(w);
	world_free(w);
	w = again;
	world_peer(w, LINK, PEER);
	world_peer(w, 6, 9);
	set(&f);
	CHECK_EQ(count_sent(w, 0, 0, MSG_CHANNEL_UPDATE), 0);
	f.fee_ppm++;
	set(&f);
	CHECK(update_to(6).timestamp > START_S);
	finish();
}

/* ---- What the failures of payments tell ---- */

/* B4.failure_messages.41: what is at hand names the channel as asked, or there is none. */
static struct msg_channel_update at_hand(struct scid scid, bool wanted)
{
	struct bytes raw = gossip_own_update(w->g, 77, scid);
	struct msg_channel_update m = { 0 };
	struct pubkey me = point_of('n', ME);
	struct gossip_check c;

	CHECK_EQ(raw.size > 0, wanted);
	if (!wanted)
		return m;
	/* The type comes first, as in a message to a peer. */
	CHECK_EQ(load_be16(raw.data), MSG_CHANNEL_UPDATE);
	CHECK_EQ(msg_channel_update_decode(raw, &w->kept_arena, &m), DECODE_OK);
	CHECK_EQ(m.short_channel_id.v, scid.v);
	CHECK_EQ(channel_update_checks(&c, &m, raw, &me), 1);
	CHECK(ecdsa_verify(&c.signature, &c.hash, &c.key));
	return m;
}

TEST(an_announced_channel_is_told_of_as_it_was_announced)
{
	const struct scid alias = { 5555 };
	struct gossip_own f;
	struct world *again;
	struct buf said = BUF_EMPTY;

	start();
	f = facts();
	f.alias_local = alias;
	set(&f);
	world_hear(w, LINK, theirs(&f));
	CHECK(world_at(w, here));
	(void)at_hand(here, true);
	(void)at_hand(alias, false); /* the world is not told by what other name it goes */
	(void)at_hand((struct scid){ here.v + 1 }, false);
	CHECK(!gossip_own_update(w->g, 78, here).size);
	CHECK(bytes_equal(gossip_own_update(w->g, 77, here), last_sent(w, 6, MSG_CHANNEL_UPDATE)));
	/* In the step of the change. */
	f.fee_ppm = 4711;
	set(&f);
	CHECK_EQ(at_hand(here, true).fee_proportional_millionths, 4711);
	/* After a restart only the log has it; nothing is signed for that. */
	buf_add_bytes(&said, gossip_own_update(w->g, 77, here));
	again = world_restart(w);
	world_free(w);
	w = again;
	CHECK(!gossip_own_update(w->g, 77, here).size);
	set(&f);
	CHECK(bytes_equal(gossip_own_update(w->g, 77, here), buf_view(&said)));
	buf_release(&said);
	CHECK_EQ(count_sent(w, 0, 0, MSG_CHANNEL_UPDATE), 0);
	f.fee_ppm++;
	set(&f);
	CHECK_EQ(at_hand(here, true).fee_proportional_millionths, 4712);
	finish();
}

TEST(a_hidden_channel_is_told_of_by_the_name_that_was_used)
{
	const struct scid ours = { 5555 }, theirs_for_it = { 4242 };
	struct gossip_own f;
	struct msg_channel_update m;

	start();
	f = facts();
	f.announce = false;
	f.alias_local = ours;
	f.alias_remote = theirs_for_it;
	set(&f);
	m = at_hand(ours, true);
	CHECK(m.fee_proportional_millionths == 2 && m.message_flags == 3);
	CHECK_EQ(at_hand(theirs_for_it, true).timestamp, m.timestamp);
	(void)at_hand(here, false); /* where it is in the chain is nobody's business */
	/* Nobody but who pays over it sees that one. */
	CHECK_EQ(count_sent(w, 0, 0, MSG_CHANNEL_UPDATE), 1);
	CHECK_EQ(update_to(LINK).short_channel_id.v, theirs_for_it.v);
	f.cltv_delta = 77;
	set(&f);
	CHECK_EQ(at_hand(ours, true).cltv_expiry_delta, 77);
	f.alias_local.v = 5556;
	set(&f);
	(void)at_hand(ours, false);
	CHECK_EQ(at_hand(f.alias_local, true).cltv_expiry_delta, 77);
	/* Announced after all. */
	f.announce = true;
	set(&f);
	world_hear(w, LINK, theirs(&f));
	CHECK(world_at(w, here));
	(void)at_hand(f.alias_local, false);
	CHECK_EQ(at_hand(here, true).message_flags, 1);
	finish();
}

TEST(a_peers_policy_is_learned)
{
	struct gossip_own f;
	struct own_update u = say_update(here, PEER, ME, START_S);

	start();
	f = facts();
	f.announce = false;
	f.alias_local.v = 999;
	set(&f);
	u.scid = f.alias_local;
	u.to_peer_only = true;
	u.fee_ppm = 31;
	/* B7.channel_update.24: of a channel that nobody knows, under the alias that we gave. */
	world_hear(w, LINK, sign_update(&u, PEER));
	CHECK(w->policies == 1 && w->peer_policy.fee_ppm == 31);
	/* Older, from another connection, in our direction: no. */
	world_hear(w, LINK, sign_update(&u, PEER));
	u.timestamp++;
	world_hear(w, 6, sign_update(&u, PEER));
	u = say_update(here, ME, PEER, START_S + 5);
	world_hear(w, LINK, sign_update(&u, ME));
	CHECK_EQ(w->policies, 1);
	CHECK(!w->hung_up_count);
	finish();
	/* And once it is announced. */
	start();
	announced();
	u = say_update(here, PEER, ME, START_S);
	world_hear(w, 6, sign_update(&u, PEER));
	CHECK(w->policies == 1 && graph_usable(world_at(w, here), direction_of(PEER, ME)));
	/* Our own words come from us alone. */
	u = say_update(here, ME, PEER, START_S + 500);
	u.fee_ppm = 12345;
	world_hear(w, 6, sign_update(&u, ME));
	CHECK(world_at(w, here)->policy[direction_of(ME, PEER)].fee_ppm == 2);
	finish();
}

/* The peer has announced the channel already, and what it says to the world comes before we have. */
TEST(a_peer_that_is_quicker_loses_nothing)
{
	struct own_update u = say_update(here, PEER, ME, START_S + 1);
	struct pubkey peer = point_of('n', PEER);
	struct gossip_own f;

	start();
	f = facts();
	set(&f);
	world_hear(w, LINK, make_channel(here, ME, PEER));
	world_hear(w, LINK, sign_update(&u, PEER));
	world_hear(w, LINK, make_node(PEER, START_S, BYTES_NONE, BYTES_NONE));
	CHECK(!world_at(w, here) && !w->hung_up_count);
	world_hear(w, LINK, theirs(&f));
	CHECK(world_at(w, here) && graph_usable(world_at(w, here), direction_of(PEER, ME)));
	CHECK_EQ(graph_node_at(gossip_graph(w->g), graph_find_node(gossip_graph(w->g), &peer))->timestamp, START_S);
	CHECK_EQ(gossip_figures(w->g).held, 0);
	finish();
}

TEST(a_channel_that_moves_is_announced_where_it_is_now)
{
	struct gossip_notes out = { 0 };
	struct gossip_own f;
	struct scid there = scid_make(HEIGHT + 1, 3, 0);
	uint32_t from;

	start();
	f = announced();
	/* Its funding transaction leaves the chain and comes back a block later; a splice would look the same. */
	for (uint32_t h = HEIGHT + 5; h >= HEIGHT; h--) {
		w->step.height = h;
		gossip_block_undone(w->g, &w->step, &out, h);
	}
	world_settle(w, &out);
	CHECK_EQ(world_at(w, here)->spent_height, HEIGHT);
	f.scid.v = 0;
	f.depth = 0;
	set(&f);
	from = w->sent_count;
	w->step.height = HEIGHT + 6;
	f.scid = there;
	f.depth = 6;
	set(&f);
	/* B7.announcement_signatures.2: for the matching transaction. */
	CHECK_EQ(count_sent(w, from, LINK, SIGNATURES), 1);
	world_hear(w, LINK, theirs(&f));
	/* B7.channel_announcement.3 */
	CHECK(world_at(w, there) && (world_at(w, there)->flags & GRAPH_OWN));
	CHECK(bytes_equal(last_sent(w, 6, MSG_CHANNEL_ANNOUNCEMENT), make_channel(there, ME, PEER)));
	/* B7.channel_announcement.5: and the update speaks of it there. */
	CHECK(update_to(6).short_channel_id.v == there.v && graph_usable(world_at(w, there), direction_of(ME, PEER)));
	CHECK(!graph_usable(world_at(w, here), direction_of(ME, PEER)));
	for (int i = 0; i < 80; i++)
		world_block(w, NULL);
	CHECK(!world_at(w, here) && world_at(w, there));
	finish();
}

/* ---- node_announcement ---- */

static struct msg_node_announcement node_to(uint64_t connection)
{
	struct msg_node_announcement m;

	CHECK_EQ(msg_node_announcement_decode(last_sent(w, connection, MSG_NODE_ANNOUNCEMENT), &w->kept_arena, &m), DECODE_OK);
	return m;
}

TEST(our_node_is_announced_with_its_first_channel)
{
	static const uint8_t there[4] = { 1, 2, 3, 4 };
	struct descriptor list = { DESCRIPTOR_IPV4, 9735, BYTES_OF(there) };
	struct gossip_config config = config_of(ME);
	struct buf addresses = BUF_EMPTY;
	struct gossip_check check;
	struct msg_node_announcement m;
	uint32_t last;

	start();
	world_free(w);
	CHECK_EQ(descriptor_list_encode(&list, 1, &addresses), 1);
	config.addresses = buf_view(&addresses);
	config.features = test_unhex("0100");
	config.alias = bytes_from_string("IRATEMONK");
	w = world_new_with(&chain, ME, &config);
	w->step.height = HEIGHT + 5;
	world_peer(w, LINK, PEER);
	world_peer(w, 6, 9);
	world_later(w, TICK_MS);
	CHECK_EQ(count_sent(w, 0, 0, MSG_NODE_ANNOUNCEMENT), 0);
	announced();
	m = node_to(6);
	/* B7.node_announcement.4, B7.node_announcement.6, B7.node_announcement.13 */
	CHECK_EQ(node_announcement_checks(&check, &m, last_sent(w, 6, MSG_NODE_ANNOUNCEMENT)), 1);
	CHECK(ecdsa_verify(&check.signature, &check.hash, &check.key) && SAME(check.key, point_of('n', ME)));
	CHECK_HEX(m.addresses, "01010203042607");
	CHECK_HEX(m.features, "0100");
	CHECK(memcmp(m.alias, "IRATEMONK\0", 10) == 0);
	CHECK_EQ(count_sent(w, 0, 6, MSG_NODE_ANNOUNCEMENT), 1);
	/* B7.node_announcement.3: and again before it is old. */
	last = m.timestamp;
	world_later(w, (REFRESH_S + 100) * 1000ull);
	CHECK_EQ(count_sent(w, 0, 6, MSG_NODE_ANNOUNCEMENT), 2);
	CHECK(node_to(6).timestamp > last);
	/* After a restart in the same second too. */
	last = node_to(6).timestamp;
	{
		struct world *again = world_restart(w);

		world_free(w);
		w = again;
	}
	world_peer(w, 6, 9);
	world_later(w, TICK_MS);
	CHECK(node_to(6).timestamp > last);
	buf_release(&addresses);
	finish();
}

TEST(a_signer_that_refuses_is_not_pestered)
{
	struct gossip_own f;

	start();
	f = facts();
	w->no_signing = true;
	set(&f);
	for (int i = 0; i < 5; i++) {
		set(&f);
		world_later(w, TICK_MS);
	}
	CHECK_EQ(count_sent(w, 0, 0, SIGNATURES) + count_sent(w, 0, 0, MSG_CHANNEL_UPDATE), 0);
	world_hear(w, LINK, theirs(&f));
	CHECK(!world_at(w, here));
	finish();
}

/* Two machines, one channel, by messages alone. */
TEST(two_nodes_announce_their_channel)
{
	struct world *peer;
	struct gossip_own a, b;

	start();
	peer = world_new(&chain, PEER);
	peer->step.height = HEIGHT + 5;
	world_peer(peer, LINK, ME);
	peer->sent_count = 0;
	a = b = facts();
	b.peer = point_of('n', ME);
	b.funding_local = a.funding_remote;
	b.funding_remote = a.funding_local;
	set(&a);
	{
		struct gossip_notes out = { 0 };

		gossip_own_set(peer->g, &peer->step, &out, &b);
		world_settle(peer, &out);
	}
	for (int turn = 0; turn < 4; turn++) {
		for (; w->delivered < w->sent_count; w->delivered++)
			if (w->sent[w->delivered].connection == LINK)
				world_hear(peer, LINK, w->sent[w->delivered].raw);
		for (; peer->delivered < peer->sent_count; peer->delivered++)
			if (peer->sent[peer->delivered].connection == LINK)
				world_hear(w, LINK, peer->sent[peer->delivered].raw);
	}
	CHECK(world_at(w, here) && world_at(peer, here));
	CHECK(bytes_equal(world_record(w, world_at(w, here)->ref), world_record(peer, world_at(peer, here)->ref)));
	for (int side = 0; side < 2; side++)
		CHECK(graph_usable(world_at(w, here), side) && graph_usable(world_at(peer, here), side));
	CHECK_EQ(count_sent(w, 0, LINK, SIGNATURES), 1);
	CHECK_EQ(count_sent(peer, 0, LINK, SIGNATURES), 1);
	CHECK(w->policies && peer->policies);
	world_free(peer);
	finish();
}
