/* Disclosed attacks on a whole node.  docs/ATTACKS.md tells of each. */
#include "tests/unit/node_pair.h"

#include "node/state.h"

static struct rig liar, other;

static void rig_of_attacker(struct rig *r, uint8_t name, uint64_t connection)
{
	rig_free(r);
	rig_init(r, name);
	rig_start(r);
	rig_link(r, &a, connection);
	rig_pump(r, &a, connection);
	rig_forget(&a);
}

static uint32_t channels_with(const struct pubkey *peer)
{
	struct peer_view p;

	return node_view_peer_by_id(a.node, peer, &p) ? p.channel_count : 0;
}

/* --- CVE-2019-12998, CVE-2019-12999, CVE-2019-13000 ---
 * The liar opens a channel of 1,000,000 sat to us, and the transaction that it names is really in a block, many blocks
 * deep.  Its output is another. */

static const struct channel *unfunded_channel(const struct tx *t, uint32_t index)
{
	one();
	rig_of_attacker(&liar, 3, 9);
	liar.has_fake = true;
	liar.fake.txid = tx_id(t);
	liar.fake.index = index;
	(void)order_open(&liar, &a.id, 1000000);
	rig_pump(&liar, &a, 9);
	CHECK_EQ(channels_with(&liar.id), 1);
	return rig_channel(&a);
}

/* The transaction has one output; `index` is the one that the liar names. */
static void check_unfunded(struct amount_sat amount, bool right_script, uint32_t index)
{
	struct arena arena;
	struct tx *t;
	uint8_t script[34] = { OP_0, 32, 7, 7, 7 };
	struct buf raw = BUF_EMPTY;
	bool fine = amount.v == 1000000 && right_script && index == 0;
	struct bytes view;

	arena_init(&arena);
	t = tx_new(&arena, 2, 1, 1, 0);
	memset(t->inputs[0].prev.txid.v, 0x66, 32);
	t->inputs[0].sequence = 0xfffffffd;
	t->outputs[0] = (struct tx_output){ amount, BYTES_OF(script) };
	if (right_script) {
		/* The liar knows its keys and ours only once the channel is being opened: it makes the transaction with the
		 * script of the channel that it opened before, and opens it again. */
		const struct channel_record *r = channel_record_of(unfunded_channel(t, index));

		t->outputs[0].script = channel_record_funding_script(r, &arena);
	}
	(void)unfunded_channel(t, index);
	tx_encode(t, &raw);
	view = buf_view(&raw);
	rig_forget(&a);
	rig_block(&a, &view, 1);
	rig_blocks(&a, 20);
	CHECK_EQ(rig_sent(&a, MSG_CHANNEL_READY).size > 0, fine);
	if (index) /* an output that is in no block is waited for, as any other, for two weeks */
		rig_blocks(&a, 2016);
	CHECK(!fine || channel_state_of(rig_channel(&a)) == CHANNELD_AWAITING_LOCKIN);
	CHECK_EQ(channels_with(&liar.id), fine);
	rig_restart(&a);
	CHECK_EQ(channels_with(&liar.id), fine);
	buf_release(&raw);
	arena_release(&arena);
}

TEST(cve_2019_12998_a_transaction_in_a_block_that_pays_less)
{
	/* With the output that was agreed on there is a channel: the liar's transaction is made right. */
	check_unfunded(SAT(1000000), true, 0);
	check_unfunded(SAT(546), true, 0);
}

TEST(cve_2019_12999_a_transaction_in_a_block_that_pays_somebody_else)
{
	check_unfunded(SAT(1000000), false, 0);
}

TEST(cve_2019_13000_a_transaction_in_a_block_without_that_output)
{
	check_unfunded(SAT(1000000), true, 1);
}

/* --- Fake channels ---
 * Opening costs a stranger nothing until the funding confirms.  c-lightning, LDK and lnd kept every one of them, and
 * some looked at all of them in every block. */

TEST(fake_channel_dos)
{
	begin();
	a.config.openings_max = 6;
	rig_start(&a);
	rig_of_attacker(&liar, 3, 9);
	rig_of_attacker(&other, 4, 10);
	for (int who = 0; who < 2; who++)
		for (uint32_t i = 0; i < 20; i++) {
			struct rig *r = who ? &other : &liar;

			r->has_fake = true;
			memset(r->fake.txid.v, r->seed[0], 32);
			r->fake.index = i;
			(void)order_open(r, &a.id, 1000000);
			rig_pump(r, &a, who ? 10 : 9);
		}
	/* So many of one stranger, and so many of all. */
	CHECK_EQ(channels_with(&liar.id), a.config.openings_per_peer_max);
	CHECK_EQ(channels_with(&liar.id) + channels_with(&other.id), 6);
	/* They have signed: the node remembers them, but not for ever. */
	rig_restart(&a);
	CHECK_EQ(channels_with(&liar.id) + channels_with(&other.id), 6);
	rig_blocks(&a, 2016);
	CHECK_EQ(channels_with(&liar.id) + channels_with(&other.id), 0);
	rig_restart(&a);
	CHECK(!rig_channel(&a));
}

/* --- Floods ---
 * Messages that cost their sender a few bytes and might cost us an answer, from a peer that reads nothing.  Those of
 * gossip are in gossip_attack_test.c. */

static struct buf ping(void)
{
	struct msg_ping m = { .num_pong_bytes = 65531 };
	struct buf raw = BUF_EMPTY;

	msg_ping_encode(&m, &raw);
	return raw;
}

static size_t bytes_to(const struct rig *r, uint64_t connection)
{
	size_t sum = 0;

	for (const struct rig_item *i = r->head; i; i = i->next)
		if (i->kind == EFFECT_SEND && i->id == connection)
			sum += i->data.size;
	return sum;
}

/* What a flood of `count` of them makes the node say, in bytes. */
static size_t flood(struct buf (*make)(void), uint32_t count)
{
	const struct pubkey stranger = rig_stranger(77);
	struct buf message;
	size_t said;

	one();
	rig_ready(&a, &stranger, 5);
	rig_forget(&a);
	message = make();
	for (uint32_t i = 0; i < count; i++)
		rig_message(&a, 5, buf_view(&message));
	said = bytes_to(&a, 5);
	buf_release(&message);
	return said;
}

TEST(ping_flood)
{
	const struct pubkey stranger = rig_stranger(77);

	CHECK(flood(ping, 2000) <= 11 * 65536);
	CHECK(!rig_is_ready(&a, &stranger));
}

/* --- HashDoS ---
 * The tables of a node that hold what strangers choose have seeds that nobody knows, anew in every run. */

TEST(hashdos_on_a_nodes_tables)
{
	uint8_t before[16];

	one();
	memcpy(before, a.node->peers.seed, sizeof(before));
	CHECK(!bytes_all_zero(BYTES_OF(before)));
	CHECK(!bytes_all_zero(BYTES_OF(a.node->by_funding.seed)));
	CHECK(!bytes_all_zero(BYTES_OF(a.node->channels.seed)));
	rig_restart(&a);
	CHECK(memcmp(before, a.node->peers.seed, sizeof(before)) != 0);
}

/* --- Log and terminal injection ---
 * An error or a warning may hold any bytes: lines that look like ours, sequences that drive a terminal. */

static bool printable(const char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text < 0x20 || (uint8_t)*text >= 0x7f)
			return false;
	return true;
}

TEST(log_injection_by_error_and_warning)
{
	static const char poison[] = "hello\n2026-01-01T00:00:00Z ERROR node: all is lost\r\x1b[2J\x1b]0;title\x07\x9b" "31m\xe2\x80\xae";
	struct msg_warning w = { .data = BYTES(poison, sizeof(poison) - 1) };
	struct msg_error e = { .data = BYTES(poison, sizeof(poison) - 1) };
	struct buf raw = BUF_EMPTY;
	const struct channel_record *r;

	two();
	msg_warning_encode(&w, &raw);
	rig_message(&a, 1, buf_view(&raw));
	CHECK(strstr(a.last_log, "said warning: hello\\x0a") && printable(a.last_log));
	buf_clear(&raw);
	e.channel_id = *channel_id_of(rig_channel(&a));
	msg_error_encode(&e, &raw);
	rig_message(&a, 1, buf_view(&raw));
	CHECK(printable(a.last_log));
	/* What listpeerchannels shows of it later. */
	r = channel_record_of(rig_channel(&a));
	CHECK(strstr(r->error, "hello\\x0a") && printable(r->error));
	buf_release(&raw);
}
