/* What the wallet owns: addresses, deposits, blocks that come and go, records. */
#include "tests/unit/wallet_world.h"

/* The addresses of BIP 84 and BIP 86: restoring the words elsewhere finds the coins. */
TEST(addresses_are_those_of_bip84_and_bip86)
{
	struct world *w = world_new("bitcoin", 0);
	struct funds_request r = { .kind = FUNDS_ADDRESS, .address = ADDRESS_P2WPKH };

	CHECK_STR(world_ask(w, &r).text, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
	CHECK_STR(world_ask(w, &r).text, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g");
	r.address = ADDRESS_P2TR;
	CHECK_STR(world_ask(w, &r).text, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr");
	CHECK_STR(world_ask(w, &r).text, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh");
	/* The first change addresses are watched from the start. */
	CHECK(wallet_owns(w->wallet, test_unhex("5120882d74e5d0572d5a816cef0041a96b6c1de832f6f9676d9605c44d5e9a97d3dc")));
	CHECK(!wallet_owns(w->wallet, world_stranger()));
	world_free(w);
}

TEST(deposits_confirm_and_spread)
{
	struct world *w = world_new("regtest", 0);
	struct bytes scripts[3] = { world_address(w, ADDRESS_P2WPKH), world_address(w, ADDRESS_P2TR), world_stranger() };
	uint64_t amounts[3] = { 100000, 20000, 5000 };
	struct wallet_coin c;
	struct outpoint o;

	world_mine_one(w, world_payment(w, scripts, amounts, 3));
	CHECK_EQ(world_balance(w).confirmed.v, 120000);
	o = world_deposit(w, ADDRESS_P2TR, 3000);
	CHECK_EQ(world_balance(w).confirmed.v, 123000);
	CHECK(world_coin(w, &o, &c));
	CHECK(c.height == 102 && c.chain == WALLET_P2TR_RECEIVE && c.index == 1 && !c.spent && !c.coinbase);
	CHECK_EQ(wallet_height(w->wallet), 102);
	/* The same block again, as after a crash: nothing changes. */
	world_tell_block(w, 102);
	CHECK_EQ(world_balance(w).confirmed.v, 123000);
	world_free(w);
}

TEST(coinbases_ripen)
{
	struct world *w = world_new("regtest", 0);
	struct bytes script = world_address(w, ADDRESS_P2WPKH);
	uint64_t amount = 5000000000;
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 100000);

	w->height++;
	w->blocks[w->height].coinbase = true;
	w->blocks[w->height].count = 1;
	w->blocks[w->height].txs[0] = world_payment(w, &script, &amount, 1);
	world_tell_block(w, w->height);
	CHECK(world_balance(w).immature.v == amount && world_balance(w).confirmed.v == 0);
	world_mine_empty(w, 98);
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	/* In the block after the next, 100 above its own, it may be spent. */
	world_mine_empty(w, 1);
	CHECK(world_balance(w).immature.v == 0 && world_balance(w).confirmed.v == amount);
	CHECK(!world_ask(w, &r).failed);
	world_free(w);
}

/* Restoring from the words: whatever was paid within the gap is found, step by step. */
TEST(used_keys_move_the_gap)
{
	struct world *w = world_new("regtest", 5);
	struct world *other = world_new("regtest", 40);
	struct bytes scripts[13];
	uint64_t amount = 1000;

	for (int i = 0; i < 13; i++)
		scripts[i] = world_address(other, ADDRESS_P2WPKH);
	/* Index 5 is one beyond the gap. */
	world_mine_one(w, world_payment(w, &scripts[5], &amount, 1));
	CHECK_EQ(world_balance(w).confirmed.v, 0);
	world_mine_one(w, world_payment(w, &scripts[4], &amount, 1));
	CHECK_EQ(world_balance(w).confirmed.v, 1000);
	world_mine_one(w, world_payment(w, &scripts[9], &amount, 1));
	CHECK_EQ(world_balance(w).confirmed.v, 2000);
	/* What was paid to is not given out again. */
	CHECK(bytes_equal(world_address(w, ADDRESS_P2WPKH), scripts[10]));
	world_free(w);
	world_free(other);
}

/* A block with a deposit goes: it can not be spent until it is back. */
TEST(deposits_leave_with_their_block)
{
	struct world *w = world_new("regtest", 0);
	struct bytes script = world_address(w, ADDRESS_P2WPKH);
	uint64_t amount = 100000;
	struct tx *deposit = world_payment(w, &script, &amount, 1);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 10000);

	world_mine_one(w, deposit);
	CHECK_EQ(world_balance(w).confirmed.v, 100000);
	world_undo(w);
	CHECK(world_balance(w).confirmed.v == 0 && world_balance(w).lost.v == 100000);
	r.min_confirmations = 0;
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	world_mine_empty(w, 1);
	world_mine_one(w, deposit);
	CHECK(world_balance(w).confirmed.v == 100000 && world_balance(w).lost.v == 0);
	CHECK(!world_ask(w, &r).failed);
	world_free(w);
}

/* A deposit that never comes back is forgotten, and what was built on it with it. */
TEST(lost_deposits_are_forgotten)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 10000);

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_send(w, &r);
	world_undo(w);
	CHECK(world_balance(w).unconfirmed.v > 0);
	/* The change rests on what is gone: it is not offered. */
	r = world_pay(2, &o, 10000);
	r.min_confirmations = 0;
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	world_mine_empty(w, WALLET_BURIED_BLOCKS);
	CHECK(world_balance(w).unconfirmed.v > 0);
	world_mine_empty(w, 1);
	CHECK(world_balance(w).unconfirmed.v == 0 && world_balance(w).lost.v == 0 && world_balance(w).confirmed.v == 0);
	CHECK(world_tell(w, FUNDS_SIGN, 1).failed);
	world_free(w);
}

/* The same for coins that were only reserved; those of other deposits are free again. */
TEST(reservations_of_lost_deposits_end)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 120000);

	world_deposit(w, ADDRESS_P2WPKH, 50000);
	world_deposit(w, ADDRESS_P2WPKH, 100000);
	CHECK(!world_ask(w, &r).failed);
	world_undo(w);
	CHECK_EQ(world_balance(w).reserved.v, 150000);
	world_mine_empty(w, WALLET_BURIED_BLOCKS + 1);
	CHECK(world_balance(w).reserved.v == 0 && world_balance(w).confirmed.v == 50000);
	world_free(w);
}

TEST(own_payments_leave_with_their_block_and_come_back)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 60000);
	struct tx *t;
	uint64_t change;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_mine_empty(w, 3);
	t = world_send(w, &r);
	change = world_balance(w).unconfirmed.v;
	for (int i = 0; i < 3; i++) {
		world_mine_one(w, t);
		CHECK(world_balance(w).confirmed.v == change && world_balance(w).unconfirmed.v == 0);
		world_undo(w);
		CHECK(world_balance(w).confirmed.v == 0 && world_balance(w).unconfirmed.v == change);
	}
	world_free(w);
}

/* Somebody with our words spends a coin: our own payment is dead, its other coin free, its change gone. */
TEST(a_rival_kills_what_conflicts_with_it)
{
	struct world *w = world_new("regtest", 0);
	struct outpoint a = world_deposit(w, ADDRESS_P2WPKH, 50000), b = world_deposit(w, ADDRESS_P2WPKH, 50000);
	struct funds_output o[3];
	struct funds_request r = world_pay(1, &o[0], 60000), child = world_pay(2, &o[1], 10000), waiting = world_pay(3, &o[2], 10000);
	struct tx *rival = tx_new(&w->arena, 2, 1, 1, 0);
	struct wallet_coin c;

	world_send(w, &r);
	child.min_confirmations = 0;
	world_send(w, &child);
	waiting.min_confirmations = 0;
	CHECK(!world_ask(w, &waiting).failed);
	rival->inputs[0].prev = a;
	rival->outputs[0] = (struct tx_output){ SAT(40000), world_stranger() };
	world_mine_one(w, rival);
	CHECK(world_balance(w).confirmed.v == 50000 && world_balance(w).unconfirmed.v == 0 && world_balance(w).reserved.v == 0);
	CHECK(world_coin(w, &b, &c) && !c.spent && world_coin(w, &a, &c) && c.spent && c.spent_height == w->height);
	CHECK(world_tell(w, FUNDS_SIGN, 1).failed && world_tell(w, FUNDS_SIGN, 2).failed && world_tell(w, FUNDS_SPENT, 3).failed);
	/* The rival leaves the chain: what it had killed may confirm after all, parent and child. */
	world_undo(w);
	CHECK(world_coin(w, &a, &c) && c.spent && c.spent_height == 0);
	CHECK(world_balance(w).confirmed.v == 0 && world_balance(w).unconfirmed.v > 0);
	CHECK(!world_tell(w, FUNDS_SIGN, 1).failed && !world_tell(w, FUNDS_SIGN, 2).failed);
	world_free(w);
}

/* Other transactions of a block change nothing for what waits. */
TEST(strangers_payments_do_not_matter)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o[2];
	struct funds_request sent = world_pay(1, &o[0], 60000), waiting = world_pay(2, &o[1], 60000);
	struct wallet_balance before;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_send(w, &sent);
	CHECK(!world_ask(w, &waiting).failed);
	before = world_balance(w);
	world_deposit(w, ADDRESS_P2TR, 5000);
	before.confirmed.v += 5000;
	CHECK(world_balance(w).unconfirmed.v == before.unconfirmed.v && world_balance(w).reserved.v == before.reserved.v);
	CHECK_EQ(world_balance(w).confirmed.v, before.confirmed.v);
	world_undo(w);
	CHECK(!world_tell(w, FUNDS_SIGN, 1).failed && !world_tell(w, FUNDS_SIGN, 2).failed);
	world_free(w);
}

/* What was replaced or given up is forgotten once what took its coins is buried. */
TEST(dead_payments_are_forgotten)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o[2];
	struct funds_request r = world_pay(1, &o[0], 60000), bump = world_pay(2, &o[1], 60000);
	uint32_t records;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	records = w->record_count;
	world_send(w, &r);
	bump.replaces = 1;
	bump.feerate.per_kw = 3000;
	world_mine_one(w, world_send(w, &bump));
	world_mine_empty(w, WALLET_BURIED_BLOCKS - 1);
	/* The deposit, the change, both payments, and the change chain's record. */
	CHECK_EQ(w->record_count, records + 1 + 2 + 1);
	world_mine_empty(w, 1);
	CHECK_EQ(w->record_count, records + 1);
	world_free(w);
}

/* The same, but the coin that became free was used meanwhile: the dead one stays dead. */
TEST(a_dead_payment_does_not_take_back_what_was_spent)
{
	struct world *w = world_new("regtest", 0);
	struct outpoint a = world_deposit(w, ADDRESS_P2WPKH, 50000);
	struct funds_output o[2];
	struct funds_request r = world_pay(1, &o[0], 60000), other = world_pay(2, &o[1], 40000);
	struct tx *rival = tx_new(&w->arena, 2, 1, 1, 0);

	world_deposit(w, ADDRESS_P2WPKH, 50000);
	world_send(w, &r);
	rival->inputs[0].prev = a;
	rival->outputs[0] = (struct tx_output){ SAT(40000), world_stranger() };
	world_mine_one(w, rival);
	world_send(w, &other);
	world_undo(w);
	CHECK(world_tell(w, FUNDS_SIGN, 1).failed && !world_tell(w, FUNDS_SIGN, 2).failed);
	CHECK_EQ(world_balance(w).confirmed.v, 50000);
	world_free(w);
}

/* Given up by the core: the coins are free, unless it confirms after all. */
TEST(a_payment_is_given_up)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 60000);
	struct tx *t;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	t = world_send(w, &r);
	world_tell(w, FUNDS_RELEASE, 1);
	CHECK(world_balance(w).confirmed.v == 100000 && world_balance(w).unconfirmed.v == 0);
	world_mine_one(w, t);
	CHECK(world_balance(w).confirmed.v < 40000 && world_balance(w).confirmed.v > 39000);
	world_tell(w, FUNDS_RELEASE, 1);
	CHECK(world_balance(w).confirmed.v > 39000);
	world_free(w);
}

/* What is buried takes no room any more. */
TEST(buried_payments_are_forgotten)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 60000);
	uint32_t records, watches;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	records = w->record_count;
	watches = w->watch_count;
	world_mine_one(w, world_send(w, &r));
	CHECK(w->record_count > records);
	world_mine_empty(w, WALLET_BURIED_BLOCKS - 1);
	CHECK(world_tell(w, FUNDS_SIGN, 1).failed == false);
	world_mine_empty(w, 1);
	CHECK(world_tell(w, FUNDS_SIGN, 1).failed);
	/* One coin as before, and the change chain's record; its used key moved the gap by one. */
	CHECK_EQ(w->record_count, records + 1);
	CHECK_EQ(w->watch_count, watches + 1);
	world_free(w);
}

TEST(foreign_scripts_are_followed_but_not_spent)
{
	struct world *w = world_new("regtest", 0);
	struct bytes script = world_stranger();
	uint64_t amount = 70000;
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 10000);
	struct wallet_coin c;
	struct outpoint out;
	struct tx *t;

	wallet_follow(w->wallet, script, 42, &w->out);
	wallet_follow(w->wallet, script, 43, &w->out);
	world_settle(w);
	t = world_payment(w, &script, &amount, 1);
	out = (struct outpoint){ tx_id(t), 0 };
	world_mine_one(w, t);
	CHECK(world_balance(w).foreign.v == 70000 && world_balance(w).confirmed.v == 0);
	CHECK(world_coin(w, &out, &c) && c.chain == WALLET_FOREIGN && c.tag == 42);
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	r.coins = &out;
	r.coin_count = 1;
	CHECK_STR(world_ask(w, &r).reason, "one of the coins is not this wallet's");
	wallet_unfollow(w->wallet, script, &w->out);
	world_settle(w);
	CHECK_EQ(world_balance(w).foreign.v, 0);
	world_free(w);
}

/* A record that was cut, lengthened or is of a later version stops the start. */
TEST(damaged_records_are_refused)
{
	static const uint8_t seed[32] = { 1 };
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 60000);

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_ask(w, &r);
	CHECK(w->record_count >= 5);
	for (uint32_t i = 0; i < w->record_count; i++) {
		struct bytes key = buf_view(&w->records[i].key), value = buf_view(&w->records[i].value);
		uint8_t *copy = test_alloc(value.size + 1);
		struct wallet *fresh;

		memcpy(copy, value.data, value.size);
		for (size_t size = 0; size < value.size; size++) {
			/* A coin's script is what is left over: one that was cut is found at the start. */
			bool coin = key.data[0] == 'c' && size >= 1 + 1 + 8 + 1 + 4 + 4 + 4 + 32 + 4 + 8;

			fresh = wallet_new(&w->config, seed);
			CHECK(!wallet_load(fresh, key, BYTES(copy, size)) || (coin && !wallet_start(fresh, &w->out)));
			wallet_free(fresh);
		}
		fresh = wallet_new(&w->config, seed);
		CHECK(!wallet_load(fresh, key, BYTES(copy, value.size + 1)) || (key.data[0] == 'c' && !wallet_start(fresh, &w->out)));
		wallet_free(fresh);
		copy[0] = 2;
		fresh = wallet_new(&w->config, seed);
		CHECK(!wallet_load(fresh, key, BYTES(copy, value.size)));
		CHECK(!wallet_load(fresh, BYTES_NONE, value) && !wallet_load(fresh, bytes_from_string("z"), value));
		wallet_free(fresh);
		effects_reset(&w->out);
	}
	world_free(w);
}

/* Records of other words do not fit. */
TEST(records_of_another_seed_are_refused)
{
	static const uint8_t seed[32] = { 1 };
	struct world *w = world_new("regtest", 0);
	struct wallet_config other = w->config;
	struct wallet *fresh;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	other.account84 = w->config.account86;
	fresh = wallet_new(&other, seed);
	for (uint32_t i = 0; i < w->record_count; i++)
		CHECK(wallet_load(fresh, buf_view(&w->records[i].key), buf_view(&w->records[i].value)));
	CHECK(!wallet_start(fresh, &w->out));
	wallet_free(fresh);
	world_free(w);
}
