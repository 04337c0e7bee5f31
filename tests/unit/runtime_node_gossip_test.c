/* Whole nodes that gossip: what reaches the machine, and what of it reaches others. */
#include "tests/unit/node_pair.h"

#include "contract/scripts.h"
#include "gossip/state.h"
#include "node/state.h"
#include "tests/unit/node_gossip.h"

static struct rig c;

/* The channel of a and b is the only one that there is. */
static void look_up(struct rig *r, const struct gossip_note *n)
{
	const struct channel_record *k = channel_record_of(rig_channel(&a));
	struct gossip_funding *f = test_alloc(n->count * sizeof(*f));
	struct gossip_answer answered = { .kind = GOSSIP_FUNDED, .id = n->id, .fundings = f, .count = n->count };
	struct arena *arena = &r->kept;

	for (uint32_t i = 0; i < n->count; i++) {
		f[i].state = n->scids[i].v == k->scid.v ? FUNDING_UNSPENT : FUNDING_MISSING;
		f[i].txid = k->funding.txid;
		f[i].amount = k->funding_amount;
		f[i].script = funding_script_pubkey(arena, &k->side[0].points.funding, &k->side[1].points.funding);
	}
	lookups[r->seed[0] % RIGS]++;
	answer(r, &answered);
}

/* Two nodes and a public channel, not deep yet. */
static void pair(bool announce)
{
	struct command open = { .kind = COMMAND_FUND_CHANNEL };

	begin();
	rig_free(&c);
	turn_on(&a);
	turn_on(&b);
	meet();
	open.u.fund_channel.peer = b.id;
	open.u.fund_channel.amount = SAT(1000000);
	open.u.fund_channel.announce = announce;
	(void)mine_funding(1, rig_command(&a, &open));
	rig_pump(&a, &b, 1);
}

static void deepen(uint32_t blocks)
{
	rig_blocks(&a, blocks);
	rig_blocks(&b, blocks);
	rig_pump(&a, &b, 1);
}

static const struct graph *graph_of(struct rig *r)
{
	return gossip_graph(node_view_gossip(r->node));
}

static const struct graph_channel *known(struct rig *r)
{
	uint32_t channel = graph_find_channel(graph_of(r), channel_record_of(rig_channel(&a))->scid);

	return channel == GRAPH_NONE ? NULL : graph_channel_at(graph_of(r), channel);
}

TEST(a_channel_is_announced_six_deep)
{
	pair(true);
	deepen(4);
	CHECK_EQ(channel_state_of(rig_channel(&a)), CHANNELD_NORMAL);
	/* B7.announcement_signatures.1, B7.channel_announcement.14 */
	CHECK(!known(&a) && !known(&b));
	deepen(1);
	CHECK(known(&a) && known(&b));
	for (int side = 0; side < 2; side++)
		CHECK(graph_usable(known(&a), side) && graph_usable(known(&b), side));
	/* Both hold the very same message, and each its own node. */
	CHECK_EQ(graph_node_count(graph_of(&a)), 2);
	for (uint32_t i = 0; i < 2; i++)
		CHECK(graph_node_at(graph_of(&a), known(&a)->node[i])->timestamp);
	CHECK_EQ(lookups[a.seed[0]], 0);
	CHECK(known(&a)->capacity.v == 1000000);
}

TEST(a_private_channel_is_not_announced)
{
	struct node_channel *n;

	pair(false);
	deepen(10);
	CHECK_EQ(channel_state_of(rig_channel(&a)), CHANNELD_NORMAL);
	CHECK(!known(&a) && !known(&b));
	CHECK_EQ(graph_channel_count(graph_of(&a)), 0);
	/* B7.channel_update.24, B7.channel_update.2: each knows what the other asks for, all the same. */
	n = node_channel_by_key(a.node, channel_key(rig_channel(&a)));
	CHECK(n->has_peer_policy && n->peer_policy.fee_ppm == b.config.forward_fee_ppm);
	CHECK_EQ(n->peer_policy.cltv_delta, b.config.forward_cltv_delta);
}

TEST(a_third_node_learns_it_by_asking)
{
	pair(true);
	deepen(5);
	rig_init(&c, 3);
	turn_on(&c);
	rig_start(&c);
	rig_blocks(&c, 20);
	rig_link(&a, &c, 2);
	rig_pump(&a, &c, 2);
	CHECK(!known(&c));
	for (int i = 0; i < 8 && !known(&c); i++) {
		later(&c, 1000);
		later(&a, 1000);
		rig_pump(&a, &c, 2);
	}
	CHECK(known(&c) && graph_usable(known(&c), 0) && graph_usable(known(&c), 1));
	CHECK_EQ(lookups[3], 1);
	CHECK(gossip_figures(node_view_gossip(c.node)).synced);
	/* Whatever it was told is in its log: another life knows it without asking anybody. */
	checks[3] = lookups[3] = 0;
	rig_restart(&c);
	CHECK(known(&c) && graph_usable(known(&c), 0) && checks[3] == 0 && lookups[3] == 0);
	rig_free(&c);
}

TEST(a_spent_channel_is_forgotten_after_72_blocks)
{
	struct command close = { .kind = COMMAND_CLOSE };
	struct scid scid;
	struct bytes tx;

	pair(true);
	deepen(5);
	scid = known(&a)->scid;
	close.u.close.channel.by_scid = true;
	close.u.close.channel.scid = scid;
	(void)rig_command(&a, &close);
	/* Nobody takes a channel that closes: B7.channel_update.22 is kept by what we say ourselves. */
	rig_pump(&a, &b, 1);
	CHECK(!graph_usable(known(&a), 0) || !graph_usable(known(&a), 1));
	tx = rig_accept_broadcasts(&a);
	CHECK(tx.size);
	rig_block(&a, &tx, 1);
	CHECK(graph_channel_at(graph_of(&a), graph_find_channel(graph_of(&a), scid))->spent_height == a.height);
	rig_blocks(&a, 71);
	CHECK(graph_find_channel(graph_of(&a), scid) != GRAPH_NONE);
	/* B7.channel_announcement.26, B7.pruning_the_network_view.2 */
	rig_block(&a, NULL, 0);
	CHECK_EQ(graph_find_channel(graph_of(&a), scid), GRAPH_NONE);
}

TEST(a_restart_announces_nothing_again)
{
	uint32_t before;

	pair(true);
	deepen(5);
	rig_forget(&a);
	rig_forget(&b);
	before = known(&a)->policy[0].timestamp;
	rig_restart(&a);
	rig_disconnected(&b, 1);
	rig_link(&a, &b, 5);
	rig_pump(&a, &b, 5);
	CHECK(channel_is_usable(rig_channel(&a)));
	CHECK(!rig_has_sent(&a, 5, MSG_ANNOUNCEMENT_SIGNATURES) && !rig_has_sent(&b, 5, MSG_ANNOUNCEMENT_SIGNATURES));
	CHECK_EQ(known(&a)->policy[0].timestamp, before);
}

TEST(gossip_that_is_wrong_ends_the_connection_and_nothing_else)
{
	uint8_t raw[2 + 64 + 40] = { 1, 2 };

	pair(true);
	deepen(5);
	rig_message(&a, 1, BYTES_OF(raw));
	CHECK(rig_take(&a, EFFECT_DISCONNECT));
	CHECK(!rig_is_ready(&a, &b.id));
	CHECK_EQ(channel_state_of(rig_channel(&a)), CHANNELD_NORMAL);
	CHECK(known(&a));
}

/* The keys of its tables are chosen by strangers; where they fall depends on a seed that nobody knows, anew in every
 * run. */
TEST(hashdos_seeds_of_gossip)
{
	uint8_t before[32];

	pair(true);
	memcpy(before, a.node->gossip->seed, sizeof(before));
	CHECK(!bytes_all_zero(BYTES(before, 16)) && !bytes_all_zero(BYTES(before + 16, 16)));
	CHECK(memcmp(before, b.node->gossip->seed, sizeof(before)) != 0);
	CHECK(memcmp(before, before + 16, 16) != 0);
	rig_restart(&a);
	CHECK(memcmp(before, a.node->gossip->seed, 16) != 0);
	CHECK(memcmp(before + 16, a.node->gossip->seed + 16, 16) != 0);
}

/* What waits for `to`, up to so many messages, comes in one read: nothing is flushed between two of them. */
static bool deliver_at_once(struct rig *from, struct rig *to, uint64_t connection, uint32_t most)
{
	struct rig_item *i = from->head, *next;
	bool any = false;

	for (; i && most; i = next) {
		struct event e = { .kind = EVENT_MESSAGE, .now_ms = to->now_ms };

		next = i->next;
		if (i->kind != EFFECT_SEND || i->id != connection)
			continue;
		rig_unlink(from, i);
		e.u.message.connection = connection;
		e.u.message.message = i->data;
		exec_event(to->exec, &e);
		most--;
		any = true;
	}
	if (any)
		exec_run(to->exec, to->now_ms);
	return any;
}

TEST(an_update_in_one_read_with_what_it_rests_on)
{
	struct graph_policy p;

	pair(false);
	deepen(10);
	CHECK(node_view_peer_policy(a.node, rig_channel(&a), &p));
	/* What the peer of a private channel asks for is not stored: it says so on each connection. */
	rig_forget(&a);
	rig_forget(&b);
	rig_restart(&a);
	CHECK(!node_view_peer_policy(a.node, rig_channel(&a), &p));
	rig_disconnected(&b, 1);
	rig_forget(&a);
	rig_forget(&b);
	rig_connected(&a, &b.id, 6, true);
	rig_connected(&b, &a.id, 6, false);
	/* a reads init, is slow, and reads channel_reestablish and the update, which b sent on a's own, together. */
	CHECK(deliver_at_once(&b, &a, 6, 1));
	while (deliver_at_once(&a, &b, 6, UINT32_MAX))
		;
	CHECK(rig_has_sent(&b, 6, MSG_CHANNEL_REESTABLISH) && rig_has_sent(&b, 6, MSG_CHANNEL_UPDATE));
	while (deliver_at_once(&b, &a, 6, UINT32_MAX) | deliver_at_once(&a, &b, 6, UINT32_MAX))
		;
	CHECK(channel_is_usable(rig_channel(&a)));
	CHECK(node_view_peer_policy(a.node, rig_channel(&a), &p) && p.fee_ppm == b.config.forward_fee_ppm);
	CHECK(node_view_own_policy(b.node, rig_channel(&b), &p));
}

/* --- terms that change --- */

static struct graph_policy said_by(struct rig *r)
{
	struct graph_policy p;

	CHECK(node_view_own_policy(r->node, rig_channel(r), &p));
	return p;
}

/* a asks for another fee. */
static void set_fee(uint32_t ppm)
{
	struct command order = { .kind = COMMAND_SET_CHANNEL };

	order.u.set_channel.all = true;
	order.u.set_channel.fields = POLICY_FEE_PPM;
	order.u.set_channel.own.fee_ppm = ppm;
	CHECK_EQ(code_of(&a, rig_command(&a, &order)), REPLY_OK);
}

TEST(the_peer_of_a_hidden_channel_is_told_new_terms_at_once)
{
	struct node_channel *n;
	uint32_t before;

	pair(false);
	deepen(10);
	n = node_channel_by_key(b.node, channel_key(rig_channel(&b)));
	before = n->peer_policy.timestamp;
	set_fee(777);
	rig_pump(&a, &b, 1);
	CHECK_EQ(n->peer_policy.fee_ppm, 777);
	/* B7.channel_update.14: in the same second too. */
	CHECK(n->peer_policy.timestamp > before);
	CHECK_EQ(n->peer_policy.fee_base_msat, a.config.forward_fee_base.v);
	/* B7.channel_update.19: nothing new, nothing said. */
	before = n->peer_policy.timestamp;
	set_fee(777);
	rig_pump(&a, &b, 1);
	CHECK_EQ(said_by(&a).timestamp, before);
}

TEST(the_world_is_told_new_terms_at_once)
{
	struct graph_policy before;

	pair(true);
	deepen(5);
	CHECK(known(&b));
	before = said_by(&a);
	set_fee(4242);
	rig_pump(&a, &b, 1);
	CHECK(said_by(&a).timestamp > before.timestamp);
	CHECK_EQ(said_by(&a).fee_ppm, 4242);
	/* It is in the graph of the other one already. */
	CHECK(known(&b)->policy[0].fee_ppm == 4242 || known(&b)->policy[1].fee_ppm == 4242);
}
