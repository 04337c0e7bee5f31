/* The simulator's chain: blocks, what consensus asks, reorganizations, replay. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bitcoin/block.h"
#include "bitcoin/network.h"
#include "tests/sim/funds.h"
#include "tests/unit/sim_setup.h"
#include "wallet/wallet.h"

/* --- blocks --- */

TEST(blocks_are_regtests)
{
	const struct network *n = network_by_name("regtest");
	struct setup s;

	setup_init(&s);
	grant(&s, 100000);
	CHECK(SAME(sim_chain_block(s.c, 0)->hash, n->genesis));
	CHECK_EQ(sim_chain_height(s.c), SIM_FIRST_HEIGHT + 1);
	for (uint32_t h = 1; h <= sim_chain_height(s.c); h++) {
		const struct sim_block *b = sim_chain_block(s.c, h);
		struct buf raw = BUF_EMPTY;
		struct block_reader r;
		struct arena a;
		struct txid id;

		arena_init(&a);
		sim_block_encode(b, &raw);
		CHECK(block_open(&r, buf_view(&raw)));
		CHECK(SAME(r.hash, b->hash) && SAME(r.header.prev, sim_chain_block(s.c, h - 1)->hash));
		CHECK(block_work_proved(&r.hash, r.header.bits, n->pow_limit_bits));
		CHECK(r.header.time == b->time && b->time > sim_chain_block(s.c, h - 1)->time);
		for (uint32_t i = 0; i < b->count; i++)
			CHECK(block_next(&r, &a, &id) && SAME(id, b->list[i]->id));
		CHECK(block_complete(&r));
		CHECK_EQ(b->list[0]->height, h);
		buf_release(&raw);
		arena_release(&a);
	}
	setup_release(&s);
}

static struct block_hash tip_after(uint64_t seed)
{
	struct sim_chain *c = sim_chain_new(seed);
	struct block_hash h = sim_chain_tip(c)->hash;

	sim_chain_free(c);
	return h;
}

TEST(a_seed_makes_one_chain)
{
	struct block_hash one = tip_after(1), again = tip_after(1), other = tip_after(2);

	CHECK(SAME(one, again));
	CHECK(!SAME(one, other));
}

TEST(time_is_never_at_the_median_or_below)
{
	struct sim_mine how = { .time = 1 };
	struct setup s;

	setup_init(&s);
	for (int i = 0; i < 20; i++) {
		uint32_t times[11], n = sim_chain_height(s.c);

		for (uint32_t j = 0; j < 11; j++)
			times[j] = sim_chain_block(s.c, n - j)->time;
		sim_chain_mine(s.c, &how);
		for (uint32_t j = 0, later = 0; j < 11; j++) {
			later += times[j] >= sim_chain_tip(s.c)->time;
			CHECK(later <= 5);
		}
	}
	how.time = sim_chain_tip(s.c)->time + 5000;
	sim_chain_mine(s.c, &how);
	CHECK_EQ(sim_chain_tip(s.c)->time, how.time);
	setup_release(&s);
}

/* --- what consensus asks --- */

TEST(inputs_must_be_there_and_unspent)
{
	struct setup s;
	struct coin coin, none;
	struct tx *t, *other;

	setup_init(&s);
	coin = grant(&s, 100000);
	none = coin;
	none.at.index = 9;
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &none, .fee = 1000 })), "bad-txns-inputs-missingorspent");
	none = coin;
	none.at.txid.v[0] ^= 1;
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &none, .fee = 1000 })), "bad-txns-inputs-missingorspent");
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	CHECK(sim_chain_unspent(s.c, &coin.at));
	TAKEN(offer(&s, t));
	TAKEN(offer(&s, t)); /* it is there */
	CHECK(sim_chain_unspent(s.c, &coin.at)); /* in the chain still */
	CHECK(SAME(sim_chain_spender(s.c, &coin.at)->id, tx_id(t)));
	mine(&s, 1);
	CHECK(!sim_chain_unspent(s.c, &coin.at));
	other = spend(&s, &(struct how){ .coins = &coin, .fee = 50000 });
	REFUSED(offer(&s, other), "bad-txns-inputs-missingorspent");
	TAKEN(offer(&s, t)); /* mined */
	none = coin_of(t, 0);
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &none, .fee = 1000 })));
	TAKEN(offer(&s, t));
	mine(&s, 1);
	REFUSED(offer(&s, t), "bad-txns-inputs-missingorspent"); /* forgotten */
	CHECK_EQ(sim_chain_find(s.c, &coin.at.txid)->from, SIM_FROM_FAUCET);
	setup_release(&s);
}

TEST(amounts_must_add_up)
{
	struct setup s;
	struct coin coin, twice[2];

	setup_init(&s);
	coin = grant(&s, 100000);
	twice[0] = twice[1] = coin;
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .sat = 100001 })), "bad-txns-in-belowout");
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .sat = SUPPLY_SAT + 1 })), "bad-txns-vout-toolarge");
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .sat = SUPPLY_SAT, .output_count = 2 })),
		"bad-txns-txouttotal-toolarge");
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = twice, .coin_count = 2, .fee = 1000 })), "bad-txns-inputs-duplicate");
	setup_release(&s);
}

TEST(scripts_are_judged)
{
	static const uint8_t two[] = { OP_2 };
	struct bytes wrong = BYTES_OF(two);
	struct setup s;
	struct coin coin;
	struct tx *t;

	setup_init(&s);
	coin = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	tx_set_witness(&s.a, t, 0, &wrong, 1);
	REFUSED(offer(&s, t), "mempool-script-verify-flag-failed (WITNESS_PROGRAM_MISMATCH)");
	CHECK_EQ(sim_chain_mempool(s.c), 0);
	open_input(&s, t, 0);
	TAKEN(offer(&s, t));
	/* The same transaction with another witness: the first stays. */
	tx_set_witness(&s.a, t, 0, &wrong, 1);
	TAKEN(offer(&s, t));
	CHECK(*sim_chain_mempool_at(s.c, 0)->tx->inputs[0].witness[0].data == OP_1);
	REFUSED(offer(&s, tx_new(&s.a, 2, 1, 0, 0)), "bad-txns-vout-empty");
	setup_release(&s);
}

/* Of Bitcoin Core's tx_invalid.json those that no script makes bad. */
TEST(transactions_that_make_no_sense)
{
	struct bytes text = test_shared_file("vectors/bitcoin/tx_invalid.json");
	json_t *all = json_loadb((const char *)text.data, text.size, 0, NULL), *entry;
	size_t i, count = 0;
	struct setup s;

	setup_init(&s);
	json_array_foreach(all, i, entry) {
		const char *flags = json_string_value(json_array_get(entry, 2)), *why;
		struct bytes raw;

		if (json_array_size(entry) != 3 || strcmp(flags, "BADTX") != 0)
			continue;
		raw = test_unhex(json_string_value(json_array_get(entry, 1)));
		why = sim_chain_offer(s.c, &raw, 1, 0);
		/* By what they are, not for want of what they spend. */
		if (!why || strcmp(why, "bad-txns-inputs-missingorspent") == 0)
			test_failed(__FILE__, __LINE__, "tx_invalid %zu: %s", i, why ? why : "taken");
		count++;
	}
	CHECK(count >= 9);
	json_decref(all);
	setup_release(&s);
}

TEST(bytes_that_are_no_transaction)
{
	struct bytes raw = BYTES("\1\2\3", 3);
	struct setup s;

	setup_init(&s);
	REFUSED(sim_chain_offer(s.c, &raw, 1, 0), "TX decode failed");
	setup_release(&s);
}

static struct coin coinbase_at(const struct setup *s, uint32_t height)
{
	const struct sim_tx *t = sim_chain_block(s->c, height)->list[0];

	return (struct coin){ { t->id, 0 }, t->tx->outputs[0].amount.v };
}

TEST(coinbases_ripen)
{
	struct setup s;
	struct coin young, old;

	setup_init(&s);
	/* The next block is the hundredth after it. */
	old = coinbase_at(&s, sim_chain_height(s.c) + 1 - 100);
	young = coinbase_at(&s, sim_chain_height(s.c) + 2 - 100);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &young, .fee = 1000 })), "bad-txns-premature-spend-of-coinbase");
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &old, .fee = 1000 })));
	TAKEN(offer(&s, sim_chain_tip(s.c)->list[0]->tx)); /* it is there */
	setup_release(&s);
}

TEST(lock_times)
{
	struct setup s;
	struct coin coin;
	uint32_t next, median;

	setup_init(&s);
	coin = grant(&s, 100000);
	next = sim_chain_height(s.c) + 1;
	/* The median of the last eleven is five blocks back. */
	median = sim_chain_block(s.c, next - 6)->time;
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .locktime = next })), "non-final");
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .locktime = median })), "non-final");
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .locktime = median - 1 })));
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 2000, .locktime = next - 1 })));
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 3000, .locktime = next + 9, .sequence = 0xffffffff })));
	setup_release(&s);
}

TEST(relative_lock_times)
{
	struct setup s;
	struct coin coin;
	struct tx *t;

	setup_init(&s);
	coin = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .sequence = 3 });
	REFUSED(offer(&s, t), "non-BIP68-final");
	mine(&s, 1);
	REFUSED(offer(&s, t), "non-BIP68-final");
	/* Version 1 knows none of it, and the highest bit switches it off. */
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 500, .sequence = 3, .version = 1 })));
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 700, .sequence = 0x80000003 })));
	mine(&s, 1);
	coin = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .sequence = 3 });
	mine(&s, 2);
	TAKEN(offer(&s, t));
	mine(&s, 1);
	CHECK_EQ(height_of(&s, t), sim_chain_height(s.c));
	/* In time: two units of 512 seconds from the median at the block before the coin's. */
	coin = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .sequence = 0x400000 | 2 });
	REFUSED(offer(&s, t), "non-BIP68-final"); /* 600 seconds passed */
	mine(&s, 1);
	TAKEN(offer(&s, t)); /* 1200 */
	/* An unconfirmed parent counts as of the next block. */
	coin = coin_of(t, 0);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .sequence = 1 })), "non-BIP68-final");
	setup_release(&s);
}

/* --- what blocks hold --- */

static bool not_this(void *context, const struct sim_tx *t)
{
	return !SAME(t->id, *(const struct txid *)context);
}

TEST(miners_choose)
{
	struct setup s;
	struct coin coin[2], change;
	struct tx *t, *child, *other;
	struct txid id;

	setup_init(&s);
	coin[0] = grant(&s, 100000);
	coin[1] = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin[0], .fee = 1000 });
	change = coin_of(t, 0);
	child = spend(&s, &(struct how){ .coins = &change, .fee = 9000 });
	other = spend(&s, &(struct how){ .coins = &coin[1], .fee = 1000 });
	TAKEN(offer(&s, t));
	TAKEN(offer(&s, child));
	TAKEN(offer(&s, other));
	sim_chain_mine(s.c, &(struct sim_mine){ .empty = true });
	CHECK_EQ(sim_chain_tip(s.c)->count, 1);
	/* Who is left out keeps its children out. */
	id = tx_id(t);
	sim_chain_mine(s.c, &(struct sim_mine){ .include = not_this, .context = &id });
	CHECK_EQ(sim_chain_tip(s.c)->count, 2);
	CHECK(height_of(&s, other) && in_mempool(&s, t) && in_mempool(&s, child));
	mine(&s, 1);
	CHECK_EQ(sim_chain_tip(s.c)->count, 3);
	CHECK(height_of(&s, t) && height_of(&s, child));
	/* The reward is the subsidy with the fees. */
	CHECK_EQ(sim_chain_tip(s.c)->list[0]->tx->outputs[0].amount.v, 5000000000 + 10000);
	setup_release(&s);
}

TEST(floors_count_packages_whole)
{
	struct setup s;
	struct coin coin[2], change;
	struct tx *parent, *child, *poor;

	setup_init(&s);
	coin[0] = grant(&s, 100000);
	coin[1] = grant(&s, 100000);
	parent = spend(&s, &(struct how){ .coins = &coin[0], .fee = 200 });
	change = coin_of(parent, 0);
	child = spend(&s, &(struct how){ .coins = &change, .fee = 5000 });
	poor = spend(&s, &(struct how){ .coins = &coin[1], .fee = 200 });
	TAKEN(offer(&s, parent));
	TAKEN(offer(&s, poor));
	sim_chain_set_floor(s.c, 2000);
	CHECK_EQ(sim_chain_estimate(s.c, 1).per_kw, 2000);
	mine(&s, 1);
	CHECK_EQ(sim_chain_tip(s.c)->count, 1);
	TAKEN(offer(&s, child));
	mine(&s, 1);
	CHECK(height_of(&s, parent) && height_of(&s, child) && in_mempool(&s, poor));
	/* One block may ask for less than the rest. */
	sim_chain_mine(s.c, &(struct sim_mine){ .floor_per_kw = 300 });
	CHECK(height_of(&s, poor));
	sim_chain_set_floor(s.c, 0);
	CHECK_EQ(sim_chain_estimate(s.c, 1).per_kw, 250);
	setup_release(&s);
}

TEST(full_blocks_take_who_pays_most)
{
	struct setup s;
	struct coin coin[3];
	struct tx *t[3];

	setup_init(&s);
	for (int i = 0; i < 3; i++)
		coin[i] = grant(&s, 100000);
	for (uint32_t i = 0; i < 3; i++) {
		t[i] = spend(&s, &(struct how){ .coins = &coin[i], .fee = 1000 * (i + 1) });
		TAKEN(offer(&s, t[i]));
	}
	/* Room for two beside header and coinbase. */
	sim_chain_mine(s.c, &(struct sim_mine){ .max_weight = 4000 + 2 * tx_weight(t[0]) });
	CHECK(in_mempool(&s, t[0]) && height_of(&s, t[1]) && height_of(&s, t[2]));
	setup_release(&s);
}

/* 2,500 P2PKH outputs cost 10,000; a block may cost 80,000, its coinbase's share among them. */
TEST(signature_operations_fill_a_block_too)
{
	static const uint8_t multisig[37] = { OP_1, 33, 2, [35] = OP_1, [36] = OP_CHECKMULTISIG };
	struct hash160 h = { { 1 } };
	struct coin coin[9];
	struct setup s;

	setup_init(&s);
	for (int i = 0; i < 9; i++)
		coin[i] = grant(&s, 100000000);
	for (int i = 0; i < 9; i++)
		TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin[i], .fee = 200000, .output_count = 2500,
							 .script = script_p2pkh(&s.a, &h) })));
	mine(&s, 1);
	CHECK_EQ(sim_chain_tip(s.c)->count, 1 + 7);
	mine(&s, 1);
	CHECK_EQ(sim_chain_mempool(s.c), 0);
	coin[0] = grant(&s, 100000000);
	/* A bare multisig counts for twenty. */
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin[0], .fee = 2000000, .output_count = 201, .script = BYTES_OF(multisig) })),
		"bad-txns-too-many-sigops");
	setup_release(&s);
}

TEST(miners_bring_their_own)
{
	struct setup s;
	struct coin coin, change;
	struct tx *t, *child, *theft;
	struct bytes raw;

	setup_init(&s);
	coin = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 9000 });
	change = coin_of(t, 0);
	child = spend(&s, &(struct how){ .coins = &change, .fee = 9000 });
	TAKEN(offer(&s, t));
	TAKEN(offer(&s, child));
	/* No fee at all, which no mempool takes. */
	theft = spend(&s, &(struct how){ .coins = &coin, .fee = 0 });
	REFUSED(offer(&s, theft), "min relay fee not met");
	raw = raw_of(&s, theft);
	sim_chain_mine(s.c, &(struct sim_mine){ .extra = &raw, .extra_count = 1 });
	CHECK_EQ(height_of(&s, theft), sim_chain_height(s.c));
	CHECK_EQ(sim_chain_mempool(s.c), 0);
	CHECK_EQ(sim_chain_tip(s.c)->count, 2);
	/* What is in the mempool can be brought as well. */
	coin = coin_of(theft, 0);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 900 });
	TAKEN(offer(&s, t));
	raw = raw_of(&s, t);
	sim_chain_mine(s.c, &(struct sim_mine){ .empty = true, .extra = &raw, .extra_count = 1 });
	CHECK(height_of(&s, t));
	setup_release(&s);
}

/* --- reorganizations --- */

TEST(a_reorganization_gives_transactions_back)
{
	struct setup s;
	struct coin coin, change;
	struct tx *t, *child, *waiting;
	struct block_hash was;
	uint32_t height;

	setup_init(&s);
	coin = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	change = coin_of(t, 0);
	child = spend(&s, &(struct how){ .coins = &change, .fee = 1000 });
	TAKEN(offer(&s, t));
	mine(&s, 1);
	TAKEN(offer(&s, child));
	mine(&s, 1);
	change = coin_of(child, 0);
	waiting = spend(&s, &(struct how){ .coins = &change, .fee = 1000 });
	TAKEN(offer(&s, waiting));
	height = sim_chain_height(s.c);
	was = sim_chain_tip(s.c)->hash;
	sim_chain_reorg(s.c, 2);
	CHECK_EQ(sim_chain_height(s.c), height - 2);
	CHECK_EQ(sim_chain_mempool(s.c), 3);
	CHECK(SAME(sim_chain_mempool_at(s.c, 0)->id, tx_id(t)) && SAME(sim_chain_mempool_at(s.c, 2)->id, tx_id(waiting)));
	CHECK(!height_of(&s, t) && !height_of(&s, child));
	sim_chain_mine(s.c, &(struct sim_mine){ .empty = true });
	mine(&s, 1);
	CHECK_EQ(sim_chain_height(s.c), height);
	CHECK(!SAME(sim_chain_tip(s.c)->hash, was));
	CHECK_EQ(height_of(&s, t), height);
	CHECK_EQ(height_of(&s, waiting), height);
	setup_release(&s);
}

TEST(a_reorganization_can_confirm_the_rival)
{
	struct setup s;
	struct coin coin;
	struct tx *t, *rival;

	setup_init(&s);
	coin = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	rival = spend(&s, &(struct how){ .coins = &coin, .fee = 5000 });
	TAKEN(offer(&s, t));
	mine(&s, 3);
	REFUSED(offer(&s, rival), "bad-txns-inputs-missingorspent");
	sim_chain_reorg(s.c, 3);
	TAKEN(offer(&s, rival));
	CHECK(!in_mempool(&s, t));
	mine(&s, 4);
	CHECK(height_of(&s, rival));
	CHECK_EQ(height_of(&s, t), 0);
	setup_release(&s);
}

TEST(what_a_lost_block_allowed_leaves_with_it)
{
	struct setup s;
	struct coin ripe, coin;
	struct tx *early, *timed, *relative;

	setup_init(&s);
	coin = grant(&s, 1000000);
	early = spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .output_count = 2 });
	TAKEN(offer(&s, early));
	mine(&s, 2);
	ripe = coinbase_at(&s, sim_chain_height(s.c) + 1 - 100);
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &ripe, .fee = 1000 })));
	coin = coin_of(early, 0);
	timed = spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .locktime = sim_chain_height(s.c) });
	TAKEN(offer(&s, timed));
	coin = coin_of(early, 1);
	relative = spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .sequence = 2 });
	TAKEN(offer(&s, relative));
	CHECK_EQ(sim_chain_mempool(s.c), 3);
	sim_chain_reorg(s.c, 2);
	/* Only what needs no block stays. */
	CHECK_EQ(sim_chain_mempool(s.c), 1);
	CHECK(in_mempool(&s, early));
	setup_release(&s);
}

/* --- onlookers --- */

struct onlooker {
	struct setup *s;
	const struct tx *answer; /* offered when the first is seen */
	uint32_t accepted, dropped;
	char why[32];
};

static void saw(void *context, struct sim_chain *c, const struct sim_tx *t)
{
	struct onlooker *o = context;
	struct bytes raw;

	if (t->from == SIM_FROM_FAUCET)
		return;
	o->accepted++;
	if (!o->answer)
		return;
	raw = raw_of(o->s, o->answer);
	o->answer = NULL;
	TAKEN(sim_chain_offer(c, &raw, 1, 66));
}

static void lost(void *context, struct sim_chain *c, const struct sim_tx *t, const char *why)
{
	struct onlooker *o = context;

	(void)c;
	(void)t;
	o->dropped++;
	snprintf(o->why, sizeof(o->why), "%s", why);
}

TEST(an_adversary_sees_and_replaces)
{
	struct onlooker o = { .accepted = 0 };
	struct sim_watcher w = { &o, saw, lost };
	struct setup s;
	struct coin coin;
	struct tx *t, *pin;

	setup_init(&s);
	o.s = &s;
	coin = grant(&s, 100000);
	sim_chain_watch(s.c, &w);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	pin = spend(&s, &(struct how){ .coins = &coin, .fee = 5000 });
	o.answer = pin;
	TAKEN(offer(&s, t));
	CHECK_EQ(o.accepted, 2);
	CHECK_EQ(o.dropped, 1);
	CHECK_STR(o.why, "replaced");
	CHECK(in_mempool(&s, pin) && !in_mempool(&s, t));
	CHECK_EQ(sim_chain_spender(s.c, &coin.at)->from, 66);
	setup_release(&s);
}

/* --- money and replay --- */

TEST(grants_reach_wallets)
{
	struct setup s;
	uint8_t seed[32] = { 5 };
	struct bytes script;

	setup_init(&s);
	sim_funds_grant(s.c, BYTES_OF(seed), 3, SAT(70000));
	for (int i = 0; i < 60; i++) /* change of change, past any family's limit */
		sim_funds_grant(s.c, BYTES_OF(seed), WALLET_GAP, SAT(70000));
	mine(&s, 3);
	CHECK_EQ(sim_chain_mempool(s.c), 0);
	script = sim_funds_script(&s.a, BYTES_OF(seed), 2);
	CHECK(bytes_equal(sim_chain_block(s.c, SIM_FIRST_HEIGHT + 1)->list[1]->tx->outputs[2].script, script));
	setup_release(&s);
}

TEST(every_block_is_written_as_it_was_mined)
{
	char path[] = "/tmp/lampo-sim-blocks-XXXXXX", line[4096];
	int fd = mkstemp(path);
	struct setup s;
	uint32_t lines = 0;
	FILE *f;

	CHECK(fd >= 0);
	setup_init(&s);
	mine(&s, 2);
	sim_chain_reorg(s.c, 2);
	mine(&s, 3);
	CHECK(sim_chain_write(s.c, path));
	f = fdopen(fd, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		lines++;
	CHECK_EQ(lines, SIM_FIRST_HEIGHT + 2 + 3);
	CHECK(!sim_chain_write(s.c, "/nowhere/at/all"));
	fclose(f);
	unlink(path);
	setup_release(&s);
}
