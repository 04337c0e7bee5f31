#include "tests/unit/wallet_world.h"

#include "bitcoin/psbt_sign.h"

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

/* The final transaction pays at least the rate asked for, and not much more. */
static void check_feerate(struct world *w, const struct tx *t, uint64_t fee, uint32_t per_kw)
{
	uint64_t weight = tx_weight(t);

	(void)w;
	CHECK(fee * 1000 >= weight * per_kw);
	CHECK(fee * 1000 <= (weight + 12) * per_kw + 2000);
}

TEST(payment_with_change)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(7, &o, 60000);
	struct outpoint coin = world_deposit(w, ADDRESS_P2WPKH, 100000);
	struct funds_answer a = world_ask(w, &r), s;
	struct wallet_coin c;
	struct tx *t;

	CHECK(!a.failed);
	CHECK(a.output_amounts[0].v == 60000);
	t = world_tx(w, a.tx);
	CHECK(t->version == 2 && t->input_count == 1 && t->output_count == 2 && t->locktime == 101);
	CHECK(t->inputs[0].sequence == 0xfffffffd && outpoint_equal(&t->inputs[0].prev, &coin));
	CHECK(bytes_equal(t->outputs[a.output_index[0]].script, o.script));
	CHECK_EQ(t->outputs[0].amount.v + t->outputs[1].amount.v + a.fee.v, 100000);
	CHECK(wallet_owns(w->wallet, t->outputs[!a.output_index[0]].script));
	CHECK(world_coin(w, &coin, &c) && c.reservation == 7 && world_balance(w).reserved.v == 100000);
	s = world_tell(w, FUNDS_SIGN, 7);
	CHECK(!s.failed && SAME(s.txid, a.txid));
	t = world_tx(w, s.tx);
	check_feerate(w, t, a.fee.v, 1000);
	/* Asked again: the same bytes. */
	CHECK(bytes_equal(world_tell(w, FUNDS_SIGN, 7).tx, s.tx));
	CHECK(!world_tell(w, FUNDS_SPENT, 7).failed);
	CHECK(world_balance(w).unconfirmed.v == 40000 - a.fee.v && world_balance(w).confirmed.v == 0);
	CHECK(world_coin(w, &coin, &c) && c.spent && c.spent_height == 0 && c.reservation == 0);
	/* Told twice, as after a crash; and the question again: the same transaction. */
	CHECK(!world_tell(w, FUNDS_SPENT, 7).failed && !world_tell(w, FUNDS_SIGN, 7).failed);
	CHECK(bytes_equal(world_ask(w, &r).tx, a.tx));
	world_mine_one(w, t);
	CHECK(world_balance(w).confirmed.v == 40000 - a.fee.v && world_balance(w).unconfirmed.v == 0);
	world_free(w);
}

/* A sum that fits leaves no change behind. */
TEST(payment_without_change)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 50000);
	struct funds_answer a;
	struct tx *t;

	world_deposit(w, ADDRESS_P2WPKH, 90000);
	world_deposit(w, ADDRESS_P2WPKH, 50600);
	world_deposit(w, ADDRESS_P2TR, 70000);
	a = world_ask(w, &r);
	CHECK(!a.failed);
	t = world_tx(w, a.tx);
	CHECK(t->output_count == 1 && a.fee.v == 600);
	world_free(w);
}

/* Change that would be dust, or cost more than it brings, goes to the miners. */
TEST(change_is_never_dust)
{
	for (uint64_t amount = 48500; amount < 50000; amount += 7) {
		struct world *w = world_new("regtest", 2);
		struct funds_output o;
		struct funds_request r = world_pay(1, &o, amount);
		struct funds_answer a;
		struct tx *t;

		world_deposit(w, ADDRESS_P2WPKH, 50000);
		a = world_ask(w, &r);
		if (!a.failed) {
			t = world_tx(w, a.tx);
			for (uint32_t i = 0; i < t->output_count; i++)
				CHECK(t->outputs[i].amount.v >= script_dust_limit(t->outputs[i].script).v);
			CHECK(a.fee.v >= 437 && a.fee.v < 437 + 124 + 294 + 678);
		} else {
			CHECK(amount + 437 > 50000);
		}
		world_free(w);
	}
}

/* Coins of every mix and rate: the fee is right to the satoshi's bounds, every input is signed, nothing is lost. */
TEST(fees_hold_for_every_mix_of_coins)
{
	static const uint32_t rates[] = { 253, 1000, 2500, 25000 };

	for (uint32_t coins = 1; coins <= 8; coins++)
		for (uint32_t k = 0; k < ARRAY_COUNT(rates); k++) {
			struct world *w = world_new("regtest", 3);
			uint64_t sum = 0, paid = 0;
			struct funds_output o[2];
			struct funds_request r = world_pay(1, o, 30000 * coins);
			struct tx *t;

			w->no_reload = true;
			for (uint32_t i = 0; i < coins; i++) {
				world_deposit(w, i % 3 ? ADDRESS_P2WPKH : ADDRESS_P2TR, 45000 + i);
				sum += 45000 + i;
			}
			if (coins % 2) {
				o[1] = (struct funds_output){ test_unhex("6a0568656c6c6f"), SAT(0), false };
				r.output_count = 2;
			}
			r.feerate.per_kw = rates[k];
			t = world_send(w, &r);
			for (uint32_t i = 0; i < t->output_count; i++)
				paid += t->outputs[i].amount.v;
			/* Not all coins have to be in it. */
			sum -= world_balance(w).confirmed.v;
			if (t->output_count > r.output_count)
				check_feerate(w, t, sum - paid, rates[k]);
			CHECK((sum - paid) * 1000 >= tx_weight(t) * rates[k]);
			world_free(w);
		}
}

TEST(requests_that_make_no_sense)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r;
	struct outpoint coin = world_deposit(w, ADDRESS_P2WPKH, 100000), twice[2] = { coin, coin }, stranger = { { { 1 } }, 0 };

	r = world_pay(1, &o, 293);
	CHECK_STR(world_ask(w, &r).reason, "an output is so small that the network would not relay it (dust)");
	r = world_pay(1, &o, SUPPLY_SAT + 1);
	CHECK_STR(world_ask(w, &r).reason, "more than all bitcoins there will ever be");
	r = world_pay(1, &o, 1000);
	r.feerate.per_kw = 252;
	CHECK_EQ(world_ask(w, &r).code, FUNDS_FAILED);
	r = world_pay(1, &o, 1000);
	r.output_count = 0;
	CHECK_STR(world_ask(w, &r).reason, "there is nothing to pay");
	r = world_pay(1, &o, 1000);
	r.coins = twice;
	r.coin_count = 2;
	CHECK_STR(world_ask(w, &r).reason, "one of the coins is named twice");
	r.coins = &stranger;
	r.coin_count = 1;
	CHECK_STR(world_ask(w, &r).reason, "one of the coins is not this wallet's");
	r = world_pay(1, &o, 99700);
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	/* 437 sat are the fee of one P2WPKH input and output at 1000. */
	CHECK_STR(world_ask(w, &r).reason, "cannot afford it: 100137 sat are needed with fees, 100000 sat can be spent");
	r = world_pay(1, &o, 99563);
	CHECK(!world_ask(w, &r).failed);
	CHECK(world_tell(w, FUNDS_SIGN, 2).failed && world_tell(w, FUNDS_SPENT, 2).failed);
	/* The name is taken. */
	r = world_pay(1, &o, 99562);
	CHECK_STR(world_ask(w, &r).reason, "this reservation is for something else");
	world_free(w);
}

TEST(reserved_coins_are_nobody_elses)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request a = world_pay(1, &o, 60000), b = world_pay(2, &o, 60000);
	struct outpoint coin = world_deposit(w, ADDRESS_P2WPKH, 100000);
	struct bytes change_script;
	struct tx *t;

	t = world_tx(w, world_ask(w, &a).tx);
	change_script = t->outputs[bytes_equal(t->outputs[0].script, o.script)].script;
	CHECK_EQ(world_ask(w, &b).code, FUNDS_CANNOT_AFFORD);
	b.coins = &coin;
	b.coin_count = 1;
	CHECK_STR(world_ask(w, &b).reason, "one of the coins is spent, reserved or not mature");
	world_tell(w, FUNDS_RELEASE, 1);
	CHECK_EQ(world_balance(w).reserved.v, 0);
	t = world_tx(w, world_ask(w, &b).tx);
	/* The change key that was not used serves again, so that the gap does not grow by attempts. */
	CHECK(bytes_equal(t->outputs[bytes_equal(t->outputs[0].script, o.script)].script, change_script));
	CHECK(world_tell(w, FUNDS_SIGN, 1).failed);
	world_free(w);
}

/* At start the core says which reservations still matter. */
TEST(only_retained_reservations_stay)
{
	struct world *w = world_new("regtest", 0);
	static const uint64_t kept[] = { 2 };
	struct funds_output o;
	struct funds_request r, retain = { .kind = FUNDS_RETAIN, .retain = kept, .retain_count = 1 };

	for (uint64_t i = 1; i <= 3; i++)
		world_deposit(w, ADDRESS_P2WPKH, 100000);
	for (uint64_t i = 1; i <= 3; i++) {
		r = world_pay(i, &o, 60000);
		CHECK(!world_ask(w, &r).failed);
	}
	CHECK(!world_tell(w, FUNDS_SPENT, 3).failed);
	world_ask(w, &retain);
	CHECK_EQ(world_balance(w).reserved.v, 100000);
	CHECK(world_tell(w, FUNDS_SIGN, 1).failed && !world_tell(w, FUNDS_SIGN, 2).failed && !world_tell(w, FUNDS_SIGN, 3).failed);
	world_free(w);
}

/* "All" for a channel: asked with a stand-in script, then again with the amount and the real one. */
TEST(everything_can_be_spent)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 0);
	struct funds_answer a;
	struct tx *t;

	for (int i = 0; i < 7; i++)
		world_deposit(w, i % 2 ? ADDRESS_P2WPKH : ADDRESS_P2TR, 10000 + 111 * (uint64_t)i);
	world_deposit(w, ADDRESS_P2WPKH, 250); /* not worth its fee */
	o.all = true;
	r.feerate.per_kw = 1111;
	a = world_ask(w, &r);
	CHECK(!a.failed);
	t = world_tx(w, a.tx);
	CHECK(t->input_count == 7 && t->output_count == 1);
	CHECK_EQ(a.output_amounts[0].v + a.fee.v, 70000 + 111 * 21);
	world_tell(w, FUNDS_RELEASE, 1);
	o.all = false;
	o.amount = a.output_amounts[0];
	a = world_ask(w, &r);
	CHECK(!a.failed);
	CHECK_EQ(world_tx(w, a.tx)->input_count, 7);
	world_tell(w, FUNDS_RELEASE, 1);
	o.amount.v++;
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	world_free(w);
}

static struct funds_answer ask_address(struct world *w)
{
	struct funds_request r = { .kind = FUNDS_ADDRESS, .address = ADDRESS_P2WPKH };

	return world_ask(w, &r);
}

TEST(the_reserve_stays)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 60000);
	struct funds_answer a;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	r.keep = SAT(40000);
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	r.keep = SAT(39000);
	a = world_ask(w, &r);
	CHECK(!a.failed);
	/* What is reserved is not there to be spent. */
	CHECK(ask_address(w).has_spendable);
	CHECK_EQ(ask_address(w).spendable.v, 0);
	world_tell(w, FUNDS_RELEASE, 1);
	CHECK_EQ(ask_address(w).spendable.v, 100000);
	/* All but the reserve. */
	o.all = true;
	r.keep = SAT(25000);
	a = world_ask(w, &r);
	CHECK(!a.failed);
	CHECK_EQ(a.output_amounts[0].v + a.fee.v, 75000);
	CHECK_EQ(world_tx(w, a.tx)->output_count, 2);
	world_tell(w, FUNDS_RELEASE, 1);
	/* And once more with the amount known. */
	o.all = false;
	o.amount = a.output_amounts[0];
	CHECK(!world_ask(w, &r).failed);
	world_tell(w, FUNDS_RELEASE, 1);
	/* Other coins may be the reserve. */
	world_deposit(w, ADDRESS_P2WPKH, 30000);
	struct wallet_coin c;
	struct outpoint big = { .index = 9 };

	for (uint32_t at = 0; wallet_view_coin(w->wallet, &at, &c);)
		if (c.amount.v == 100000)
			big = c.outpoint;
	o.all = true;
	r.coins = &big;
	r.coin_count = 1;
	a = world_ask(w, &r);
	CHECK(!a.failed);
	CHECK_EQ(world_tx(w, a.tx)->output_count, 1);
	world_free(w);
}

TEST(named_coins_and_no_others)
{
	struct world *w = world_new("regtest", 0);
	struct outpoint a = world_deposit(w, ADDRESS_P2WPKH, 10000), b = world_deposit(w, ADDRESS_P2TR, 20000), both[2] = { a, b };
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 5000);
	struct tx *t;

	world_deposit(w, ADDRESS_P2WPKH, 1000000);
	r.coins = both;
	r.coin_count = 2;
	t = world_send(w, &r);
	CHECK_EQ(t->input_count, 2);
	for (uint32_t i = 0; i < 2; i++)
		CHECK(outpoint_equal(&t->inputs[i].prev, &a) || outpoint_equal(&t->inputs[i].prev, &b));
	r = world_pay(2, &o, 5000000);
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	world_free(w);
}

TEST(own_unconfirmed_change_is_spendable)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r;
	struct tx *txs[30];
	uint32_t sent = 0;
	struct funds_answer a;

	world_deposit(w, ADDRESS_P2WPKH, 1000000);
	for (uint64_t i = 1; i <= 30; i++) {
		r = world_pay(i, &o, 5000);
		r.min_confirmations = i == 1 ? 1 : 0;
		a = world_ask(w, &r);
		if (a.failed)
			break;
		CHECK(!world_tell(w, FUNDS_SIGN, i).failed);
		txs[sent++] = world_tx(w, world_tell(w, FUNDS_SIGN, i).tx);
		CHECK(!world_tell(w, FUNDS_SPENT, i).failed);
	}
	/* Bitcoin Core takes chains of 25. */
	CHECK_EQ(sent, 25);
	CHECK_EQ(a.code, FUNDS_CANNOT_AFFORD);
	/* With min_confirmations 1 nothing of it would do. */
	r.min_confirmations = 1;
	CHECK_EQ(world_ask(w, &r).code, FUNDS_CANNOT_AFFORD);
	world_mine(w, txs, 25);
	CHECK(!world_ask(w, &r).failed);
	world_free(w);
}

/* A stuck payment is replaced: BIP 125. */
TEST(replacement_by_a_higher_fee)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 60000), bump = world_pay(2, &o, 60000);
	struct tx *old, *new;
	struct funds_answer first, a;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_deposit(w, ADDRESS_P2TR, 50000);
	first = world_ask(w, &r);
	bump.replaces = 1;
	bump.feerate.per_kw = 5000;
	CHECK_STR(world_ask(w, &bump).reason, "what is to be replaced is not waiting for its confirmation");
	old = world_tx(w, world_tell(w, FUNDS_SIGN, 1).tx);
	world_tell(w, FUNDS_SPENT, 1);
	bump.feerate.per_kw = 1000;
	CHECK_STR(world_ask(w, &bump).reason, "the fee rate is not above that of what is to be replaced");
	bump.feerate.per_kw = 1001;
	a = world_ask(w, &bump);
	CHECK(!a.failed);
	new = world_tx(w, a.tx);
	/* Rule 4: it pays for its own relay on top, however little the rate rose. */
	CHECK(a.fee.v >= first.fee.v + tx_weight(new) / 4);
	CHECK(outpoint_equal(&new->inputs[0].prev, &old->inputs[0].prev) || new->input_count > 1);
	/* Given up again: the first one stands. */
	world_tell(w, FUNDS_RELEASE, 2);
	CHECK_EQ(world_balance(w).unconfirmed.v, 40000 - first.fee.v);
	bump.reservation = 3;
	new = world_send(w, &bump);
	CHECK(world_balance(w).unconfirmed.v < 40000 - first.fee.v);
	CHECK(world_tell(w, FUNDS_SIGN, 1).failed);
	world_mine_one(w, new);
	CHECK_EQ(world_balance(w).unconfirmed.v, 0);
	CHECK(world_balance(w).confirmed.v > 80000);
	world_free(w);
}

/* The miner took the first one after all. */
TEST(the_replaced_one_confirms)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 60000), bump = world_pay(2, &o, 60000);
	struct tx *old;
	uint64_t change;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_deposit(w, ADDRESS_P2WPKH, 70000);
	old = world_send(w, &r);
	change = world_balance(w).unconfirmed.v;
	bump.replaces = 1;
	bump.feerate.per_kw = 20000;
	world_send(w, &bump);
	world_mine_one(w, old);
	CHECK(world_balance(w).unconfirmed.v == 0 && world_balance(w).confirmed.v + 60000 + 437 + 124 == 170000);
	CHECK(change + 70000 == world_balance(w).confirmed.v || change + 100000 == world_balance(w).confirmed.v);
	/* And left the chain again: now the first one waits once more. */
	world_undo(w);
	CHECK_EQ(world_balance(w).unconfirmed.v, change);
	world_free(w);
}

TEST(spent_change_can_not_be_replaced_away)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o[3];
	struct funds_request r = world_pay(1, &o[0], 60000), next = world_pay(2, &o[1], 10000), bump = world_pay(3, &o[2], 60000);

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_send(w, &r);
	next.min_confirmations = 0;
	world_send(w, &next);
	bump.replaces = 1;
	bump.feerate.per_kw = 9000;
	CHECK_STR(world_ask(w, &bump).reason, "the change of what is to be replaced has been spent already");
	world_free(w);
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

/* An anchor pulls its commitment along: both together pay the rate. */
TEST(a_child_pays_for_its_parent)
{
	struct world *w = world_new("regtest", 0);
	struct funds_input anchor = { .prev = { { { 5 } }, 1 }, .amount = SAT(330), .script = test_unhex(
					      "0020bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
				      .sequence = 0xfffffffd, .witness_weight = 1 + 74 + 1 + 40 };
	struct funds_request r = { .kind = FUNDS_BUILD, .reservation = 1, .feerate = FEERATE(5000), .min_confirmations = 1,
				   .inputs = &anchor, .input_count = 1, .parent_weight = 1124, .parent_fee = SAT(284) };
	struct funds_request pay;
	struct funds_output o;
	struct funds_answer a, s;
	struct wallet_coin c;
	struct tx *t;
	uint64_t weight;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_deposit(w, ADDRESS_P2TR, 20000);
	a = world_ask(w, &r);
	CHECK(!a.failed);
	s = world_tell(w, FUNDS_SIGN, 1);
	CHECK(!s.failed);
	t = world_tx(w, s.tx);
	CHECK(outpoint_equal(&t->inputs[0].prev, &anchor.prev) && t->inputs[0].witness_count == 0 && t->inputs[1].witness_count > 0);
	CHECK_EQ(t->output_count, 1);
	weight = tx_weight(t) - 1 + anchor.witness_weight + r.parent_weight;
	CHECK((a.fee.v + 284) * 1000 >= weight * 5000 && (a.fee.v + 284) * 1000 <= (weight + 10) * 5000);
	CHECK(!world_watches(w, world_outpoint(w, &anchor.prev)));
	w->no_reload = true; /* it must be watched now, not only after a restart */
	world_tell(w, FUNDS_SPENT, 1);
	CHECK(world_watches(w, world_outpoint(w, &anchor.prev)));
	w->no_reload = false;
	/* Its change may never be: nothing is paid with it before it confirms. */
	pay = world_pay(2, &o, 110000);
	pay.min_confirmations = 0;
	CHECK_EQ(world_ask(w, &pay).code, FUNDS_CANNOT_AFFORD);
	/* Another's anchor claim confirms: ours is dead, its coin free. */
	struct tx *rival = tx_new(&w->arena, 2, 1, 1, 0);

	rival->inputs[0].prev = anchor.prev;
	rival->outputs[0] = (struct tx_output){ SAT(100), world_stranger() };
	CHECK(world_seen(w, rival));
	world_mine_one(w, rival);
	CHECK_EQ(world_balance(w).confirmed.v, 120000);
	CHECK(world_coin(w, &t->inputs[1].prev, &c) && !c.spent);
	world_free(w);
}

/* A parent that pays enough by itself costs the child nothing more. */
TEST(a_child_of_a_good_parent_pays_for_itself)
{
	struct world *w = world_new("regtest", 0);
	struct funds_input anchor = { .prev = { { { 5 } }, 1 }, .amount = SAT(330), .script = test_unhex(
					      "0020bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
				      .sequence = 0xfffffffd, .witness_weight = 116 };
	struct funds_request r = { .kind = FUNDS_BUILD, .reservation = 1, .feerate = FEERATE(5000), .min_confirmations = 1,
				   .inputs = &anchor, .input_count = 1 };
	struct funds_answer alone, rich, exact;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	alone = world_ask(w, &r);
	world_tell(w, FUNDS_RELEASE, 1);
	r.parent_weight = 1124;
	r.parent_fee = SAT(1000000);
	rich = world_ask(w, &r);
	world_tell(w, FUNDS_RELEASE, 1);
	r.parent_fee = SAT(5620);
	exact = world_ask(w, &r);
	CHECK(!alone.failed && !rich.failed && !exact.failed);
	CHECK(rich.fee.v == alone.fee.v && exact.fee.v == alone.fee.v);
	world_free(w);
}

/* A purse full of pennies: more than one transaction can carry. */
TEST(too_many_coins)
{
	struct world *w = world_new("regtest", 0);
	struct bytes *scripts = test_alloc(1500 * sizeof(*scripts));
	uint64_t *amounts = test_alloc(1500 * sizeof(*amounts));
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 1350000);
	struct funds_answer a;

	w->no_reload = true;
	scripts[0] = world_address(w, ADDRESS_P2WPKH);
	for (int i = 0; i < 1500; i++) {
		scripts[i] = scripts[0];
		amounts[i] = 1000;
	}
	w->height++;
	w->blocks[w->height].count = 1;
	w->blocks[w->height].txs[0] = world_payment(w, scripts, amounts, 1500);
	{
		struct event e = { .kind = EVENT_BLOCK };
		struct block_tx b = { .index = 1 };
		struct buf raw = BUF_EMPTY;

		tx_encode(w->blocks[w->height].txs[0], &raw);
		b.raw = buf_view(&raw);
		e.u.block.height = w->height;
		e.u.block.txs = &b;
		e.u.block.tx_count = 1;
		wallet_block(w->wallet, &e, &w->out);
		effects_reset(&w->out); /* the world's store is small */
		buf_release(&raw);
	}
	r.feerate.per_kw = 253;
	wallet_request(w->wallet, NULL, &r, &a, &w->out);
	CHECK(a.failed && a.code == FUNDS_TOO_MANY_INPUTS);
	o.all = true;
	wallet_request(w->wallet, NULL, &r, &a, &w->out);
	CHECK(a.failed && a.code == FUNDS_TOO_MANY_INPUTS);
	o.all = false;
	o.amount = SAT(1600000);
	wallet_request(w->wallet, NULL, &r, &a, &w->out);
	CHECK(a.failed && a.code == FUNDS_TOO_MANY_INPUTS);
	o.amount = SAT(1250000);
	wallet_request(w->wallet, NULL, &r, &a, &w->out);
	CHECK(!a.failed);
	CHECK(tx_parse(&w->arena, a.tx)->input_count < 1400);
	world_free(w);
}

/* Keys that are elsewhere: the PSBT goes out and comes back signed. */
TEST(signatures_from_elsewhere)
{
	struct world *w = world_new("regtest", 0);
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 120000);
	struct funds_answer a, done;
	struct psbt *p, *two;
	struct psbt_work work;
	struct buf raw = BUF_EMPTY;
	struct bytes signed_psbt, version_two;
	const char *why;

	world_deposit(w, ADDRESS_P2WPKH, 100000);
	world_deposit(w, ADDRESS_P2TR, 50000);
	CHECK(!world_ask(w, &r).failed);
	wallet_request(w->wallet, NULL, &(struct funds_request){ .kind = FUNDS_SIGN, .reservation = 1 }, &a, &w->out);
	CHECK(a.failed && a.code == FUNDS_NO_KEYS);
	p = psbt_decode(&w->arena, arena_bytes(&w->arena, a.psbt));
	CHECK(p && psbt_work_init(&work, p, &why));
	/* The device finds its keys by the fingerprint and path in the PSBT. */
	for (uint32_t i = 0; i < p->input_count; i++) {
		uint32_t at = 0;
		const struct psbt_pair *wpkh = psbt_next(&p->inputs[i], PSBT_IN_BIP32_DERIVATION, &at), *tr;
		struct bip32_key master, k;
		uint32_t path[5];
		uint8_t seed[64];
		struct bytes d;

		at = 0;
		tr = psbt_next(&p->inputs[i], PSBT_IN_TAP_BIP32_DERIVATION, &at);
		CHECK(wpkh || tr);
		d = wpkh ? wpkh->value : BYTES(tr->value.data + 1, tr->value.size - 1);
		CHECK(d.size == 24 && memcmp(d.data, w->config.master4, 4) == 0);
		for (int j = 0; j < 5; j++)
			path[j] = load_le32(d.data + 4 + 4 * j);
		CHECK(bip39_seed(seed, bytes_from_string(WORLD_WORDS), BYTES_NONE) && bip32_master(w->secp, &master, BYTES_OF(seed)));
		CHECK(bip32_derive(w->secp, &k, &master, path, 5));
		CHECK(psbt_sign(&work, i, w->secp, &k.secret, &why) == PSBT_SIGNED);
	}
	psbt_encode(p, &raw);
	signed_psbt = arena_bytes(&w->arena, buf_view(&raw));
	buf_clear(&raw);
	two = psbt_convert(&w->arena, p, 2);
	psbt_encode(two, &raw);
	version_two = arena_bytes(&w->arena, buf_view(&raw));
	buf_release(&raw);
	wallet_signed(w->wallet, 1, bytes_from_string("no PSBT"), &done, &w->out);
	CHECK_STR(done.reason, "the PSBT is not of this transaction");
	wallet_signed(w->wallet, 1, arena_bytes(&w->arena, a.psbt), &done, &w->out);
	CHECK_STR(done.reason, "a signature is missing or wrong");
	wallet_signed(w->wallet, 1, signed_psbt, &done, &w->out);
	CHECK(!done.failed);
	done.tx = arena_bytes(&w->arena, done.tx);
	CHECK(bytes_equal(done.tx, world_tell(w, FUNDS_SIGN, 1).tx));
	wallet_signed(w->wallet, 1, version_two, &done, &w->out);
	CHECK(!done.failed);
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
