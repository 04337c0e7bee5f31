/* What the wallet builds: payments with fees and change, replacements, children that pay for their parents. */
#include "tests/unit/wallet_world.h"

#include "bitcoin/psbt_sign.h"

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
