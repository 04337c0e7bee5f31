/* What a funding transaction spends: BOLT 2 "The funding_created Message". */
#include "tests/unit/wallet_world.h"

TEST(coins_of_witnesses_and_no_others)
{
	struct world *w = world_new("regtest", 0);
	static const uint8_t old[25] = { 0x76, 0xa9, 20, [23] = 0x88, 0xac };
	struct bytes script = BYTES_OF(old);
	uint64_t amount = 90000000;
	struct funds_output o;
	struct funds_request r = world_pay(1, &o, 170000);
	struct outpoint coins[4];
	struct tx *t;

	CHECK(script_is_p2pkh(script));
	for (uint32_t i = 0; i < ARRAY_COUNT(coins); i++)
		coins[i] = world_deposit(w, i % 2 ? ADDRESS_P2WPKH : ADDRESS_P2TR, 45000);
	/* One that would do alone, if it could be spent without its own bytes being part of the txid. */
	wallet_follow(w->wallet, script, 42, &w->out);
	world_settle(w);
	world_mine_one(w, world_payment(w, &script, &amount, 1));
	CHECK(world_balance(w).foreign.v == amount);
	t = world_send(w, &r);
	CHECK_EQ(t->input_count, ARRAY_COUNT(coins));
	for (uint32_t i = 0; i < t->input_count; i++) {
		bool known = false;

		for (uint32_t k = 0; k < ARRAY_COUNT(coins); k++)
			known |= outpoint_equal(&t->inputs[i].prev, &coins[k]);
		/* B2.funding_created.5: signatures are in witnesses, and the funding outpoint stays what it was said to be. */
		CHECK(known && t->inputs[i].script_sig.size == 0 && t->inputs[i].witness_count > 0);
	}
	world_free(w);
}
