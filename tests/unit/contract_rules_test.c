/* The rules of BOLT 3 at their edges: what is trimmed, who pays, in which order, and how a channel closes. */
#include "tests/test.h"

#include <string.h>

#include "contract/closing.h"
#include "tests/unit/contract_setup.h"

static struct arena arena;

static struct commitment_htlc htlc(uint64_t id, bool offered, uint64_t msat, uint32_t expiry)
{
	struct commitment_htlc h = { .id = id, .offered_by_broadcaster = offered, .amount = MSAT(msat),
				     .cltv_expiry = expiry };

	memset(h.payment_hash.v, (int)id, 32);
	return h;
}

/* BOLT 3 "Fee Calculation", the example, to the satoshi. */
TEST(fee_example_of_bolt_3)
{
	struct commitment_htlc htlcs[4] = { htlc(0, true, 5000000, 500), htlc(1, true, 1000000, 500),
					    htlc(2, false, 7000000, 500), htlc(3, false, 800000, 500) };
	struct appendix_channel ch;
	struct commitment_spec spec;
	struct commitment *c;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	spec = ch.spec;
	spec.feerate = FEERATE(5000);
	spec.broadcaster_balance = MSAT(5000000000);
	spec.countersignatory_balance = MSAT(4986200000);
	spec.htlcs = htlcs;
	spec.htlc_count = 4;
	c = commitment_build(&arena, &spec);
	CHECK(c);
	/* B3.fee_calculation.2, B3.fee_calculation.4 */
	CHECK_EQ(htlc_timeout_fee(COMMITMENT_STATIC_REMOTEKEY, spec.feerate).v, 3315);
	CHECK_EQ(htlc_success_fee(COMMITMENT_STATIC_REMOTEKEY, spec.feerate).v, 3515);
	/* B3.fee_calculation.5 */
	CHECK_EQ(commitment_weight(COMMITMENT_STATIC_REMOTEKEY, 2), 1068);
	CHECK_EQ(c->base_fee.v, 5340);
	CHECK_EQ(c->fee.v, 7140);
	CHECK_EQ(c->trimmed.v, 1800000);
	CHECK_EQ(c->htlc_count, 2);
	CHECK_EQ(c->htlcs[0].htlc.id, 0);
	CHECK_EQ(c->htlcs[1].htlc.id, 2);
	arena_release(&arena);
}

TEST(fees_round_down_and_anchors_have_none)
{
	enum commitment_type fixed = COMMITMENT_STATIC_REMOTEKEY, anchors = COMMITMENT_ANCHORS;

	/* B3.fee_calculation.2: 663 * 1001 / 1000 = 663.663 */
	CHECK_EQ(htlc_timeout_fee(fixed, FEERATE(1001)).v, 663);
	/* B3.fee_calculation.4: 703.703 */
	CHECK_EQ(htlc_success_fee(fixed, FEERATE(1001)).v, 703);
	/* B3.fee_calculation.1, B3.fee_calculation.3 */
	CHECK_EQ(htlc_timeout_fee(anchors, FEERATE(UINT32_MAX)).v, 0);
	CHECK_EQ(htlc_success_fee(anchors, FEERATE(UINT32_MAX)).v, 0);
	/* B3.fee_calculation.5 */
	CHECK_EQ(commitment_fee(fixed, FEERATE(999), 0).v, 723);
	CHECK_EQ(commitment_fee(fixed, FEERATE(999), 3).v, 1238);
	CHECK_EQ(commitment_fee(anchors, FEERATE(999), 0).v, 1122);
	CHECK_EQ(commitment_fee(anchors, FEERATE(999), 3).v, 1638);
	CHECK_EQ(commitment_cost(fixed, FEERATE(999), 3).v, 1238);
	CHECK_EQ(commitment_cost(anchors, FEERATE(999), 3).v, 1638 + 660);
	/* No overflow at the ends of the ranges. */
	CHECK_EQ(commitment_fee(anchors, FEERATE(UINT32_MAX), 966).v, 4294967295ull * 167276 / 1000);
	CHECK_EQ(htlc_tx_weight(anchors, false), 666);
	CHECK_EQ(htlc_tx_weight(anchors, true), 706);
}

TEST(htlcs_are_trimmed_below_dust_and_fee)
{
	enum commitment_type fixed = COMMITMENT_STATIC_REMOTEKEY, anchors = COMMITMENT_ANCHORS;
	struct feerate rate = FEERATE(1000);

	/* B3.trimmed_outputs.6, B3.trimmed_outputs.7: 546 + 663 */
	CHECK(htlc_is_trimmed(fixed, rate, SAT(546), true, MSAT(1208999)));
	CHECK(!htlc_is_trimmed(fixed, rate, SAT(546), true, MSAT(1209000)));
	/* B3.trimmed_outputs.8, B3.trimmed_outputs.9: 546 + 703 */
	CHECK(htlc_is_trimmed(fixed, rate, SAT(546), false, MSAT(1248999)));
	CHECK(!htlc_is_trimmed(fixed, rate, SAT(546), false, MSAT(1249000)));
	/* With anchors the rate does not matter. */
	CHECK(htlc_is_trimmed(anchors, rate, SAT(546), true, MSAT(545999)));
	CHECK(!htlc_is_trimmed(anchors, rate, SAT(546), true, MSAT(546000)));
	CHECK(htlc_is_trimmed(anchors, rate, SAT(546), false, MSAT(545999)));
	CHECK(!htlc_is_trimmed(anchors, rate, SAT(546), false, MSAT(546000)));
	/* An amount below the fee alone, and limits that a sum would wrap. */
	CHECK(htlc_is_trimmed(fixed, rate, SAT(0), true, MSAT(662999)));
	CHECK(!htlc_is_trimmed(fixed, rate, SAT(0), true, MSAT(663000)));
	CHECK(htlc_is_trimmed(fixed, FEERATE(UINT32_MAX), SAT(UINT64_MAX), false, MSAT(UINT64_MAX)));
}

static struct commitment_spec simple_spec(const struct appendix_channel *ch, enum commitment_type type,
					  uint64_t local_msat, uint64_t remote_msat)
{
	struct commitment_spec spec = ch->spec;

	spec.broadcaster = &ch->local;
	spec.countersignatory = &ch->remote;
	spec.type = type;
	spec.feerate = FEERATE(1000);
	spec.broadcaster_balance = MSAT(local_msat);
	spec.countersignatory_balance = MSAT(remote_msat);
	return spec;
}

TEST(main_outputs_are_trimmed_at_the_dust_limit)
{
	struct appendix_channel ch;
	struct commitment_spec spec;
	struct commitment *c;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	/* B3.trimmed_outputs.1, B3.trimmed_outputs.3: 724 is taken first, 546 is left: an output */
	spec = simple_spec(&ch, COMMITMENT_STATIC_REMOTEKEY, 1270000, 9998730000);
	c = commitment_build(&arena, &spec);
	CHECK(c->to_local != COMMITMENT_NO_OUTPUT);
	CHECK_EQ(c->tx->outputs[c->to_local].amount.v, 546);
	/* B3.trimmed_outputs.2: and with a millisatoshi less none */
	spec.broadcaster_balance = MSAT(1269999);
	c = commitment_build(&arena, &spec);
	CHECK_EQ(c->to_local, COMMITMENT_NO_OUTPUT);
	CHECK_EQ(c->tx->output_count, 1);
	CHECK_EQ(c->base_fee.v, 724);
	CHECK_EQ(c->fee.v, 1270);
	CHECK_EQ(c->shortfall.v, 0);
	/* B3.trimmed_outputs.4, B3.trimmed_outputs.5: who does not open does not pay */
	spec = simple_spec(&ch, COMMITMENT_STATIC_REMOTEKEY, 9999453001, 546999);
	c = commitment_build(&arena, &spec);
	CHECK_EQ(c->tx->outputs[c->to_remote].amount.v, 546);
	CHECK_EQ(c->tx->outputs[c->to_local].amount.v, 9998729);
	spec.countersignatory_balance = MSAT(545999);
	c = commitment_build(&arena, &spec);
	CHECK_EQ(c->to_remote, COMMITMENT_NO_OUTPUT);
	/* The countersignatory pays where it is the opener. */
	spec = simple_spec(&ch, COMMITMENT_STATIC_REMOTEKEY, 5000000000, 5000000000);
	spec.broadcaster_is_opener = false;
	c = commitment_build(&arena, &spec);
	CHECK_EQ(c->tx->outputs[c->to_local].amount.v, 5000000);
	CHECK_EQ(c->tx->outputs[c->to_remote].amount.v, 5000000 - 724);
	arena_release(&arena);
}

TEST(anchors_stand_beside_what_they_guard)
{
	struct commitment_htlc one = htlc(1, true, 5000000, 500);
	struct appendix_channel ch;
	struct commitment_spec spec;
	struct commitment *c;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	spec = simple_spec(&ch, COMMITMENT_ANCHORS, 5000000000, 5000000000);
	c = commitment_build(&arena, &spec);
	CHECK_EQ(c->tx->output_count, 4);
	CHECK_EQ(c->tx->outputs[c->local_anchor].amount.v, 330);
	CHECK_EQ(c->tx->outputs[c->remote_anchor].amount.v, 330);
	/* B3.trimmed_outputs.1: both anchors are the opener's to pay */
	CHECK_EQ(c->tx->outputs[c->to_local].amount.v, 5000000 - 1124 - 660);
	CHECK_EQ(c->fee.v, 1124);
	/* Even where only one is made: the other 330 go to the miner. */
	spec = simple_spec(&ch, COMMITMENT_ANCHORS, 10000000000, 0);
	c = commitment_build(&arena, &spec);
	CHECK_EQ(c->remote_anchor, COMMITMENT_NO_OUTPUT);
	CHECK(c->local_anchor != COMMITMENT_NO_OUTPUT);
	CHECK_EQ(c->fee.v, 1124 + 330);
	/* An HTLC brings both. */
	spec.broadcaster_balance = MSAT(9995000000);
	spec.htlcs = &one;
	spec.htlc_count = 1;
	c = commitment_build(&arena, &spec);
	CHECK(c->remote_anchor != COMMITMENT_NO_OUTPUT && c->to_remote == COMMITMENT_NO_OUTPUT);
	CHECK_EQ(c->tx->output_count, 4);
	/* A trimmed one does not. */
	one.amount = MSAT(545999);
	c = commitment_build(&arena, &spec);
	CHECK_EQ(c->remote_anchor, COMMITMENT_NO_OUTPUT);
	arena_release(&arena);
}

TEST(an_opener_who_cannot_pay_is_reported)
{
	struct appendix_channel ch;
	struct commitment_spec spec;
	struct commitment *c;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	spec = simple_spec(&ch, COMMITMENT_STATIC_REMOTEKEY, 723999, 9999276001);
	c = commitment_build(&arena, &spec);
	CHECK_EQ(c->shortfall.v, 1);
	CHECK_EQ(c->base_fee.v, 724);
	CHECK_EQ(c->fee.v, 724); /* 723 of the opener and the countersignatory's rounding */
	CHECK_EQ(c->tx->outputs[c->to_remote].amount.v, 9999276);
	spec.broadcaster_balance = MSAT(724000);
	spec.countersignatory_balance = MSAT(9999276000);
	CHECK_EQ(commitment_build(&arena, &spec)->shortfall.v, 0);
	/* Who cannot even pay the one anchor that is made has no commitment. */
	spec = simple_spec(&ch, COMMITMENT_ANCHORS, 328999, 9999671001);
	CHECK(!commitment_build(&arena, &spec));
	spec.broadcaster_balance = MSAT(330000);
	spec.countersignatory_balance = MSAT(9999670000);
	c = commitment_build(&arena, &spec);
	CHECK(c && c->fee.v == 0 && c->shortfall.v == 1124 + 660 - 330);
	arena_release(&arena);
}

TEST(impossible_commitments_are_refused)
{
	static struct commitment_htlc many[COMMITMENT_HTLCS_MAX + 1];
	struct appendix_channel ch;
	struct basepoints bad;
	struct commitment_spec spec;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	spec = simple_spec(&ch, COMMITMENT_ANCHORS, 5000000000, 5000000000);
	CHECK(commitment_build(&arena, &spec));
	/* More than the channel holds, also where a sum would wrap. */
	spec.countersignatory_balance = MSAT(5000000001);
	CHECK(!commitment_build(&arena, &spec));
	spec.countersignatory_balance = MSAT(UINT64_MAX);
	CHECK(!commitment_build(&arena, &spec));
	spec.countersignatory_balance = MSAT(0);
	for (uint32_t i = 0; i < ARRAY_COUNT(many); i++)
		many[i] = htlc(i, i % 2, 1000000, 500 + i);
	many[0] = htlc(0, true, UINT64_MAX, 500);
	spec.htlcs = many;
	spec.htlc_count = 1;
	CHECK(!commitment_build(&arena, &spec));
	many[0] = htlc(0, false, 1000000, 500);
	spec.htlc_count = COMMITMENT_HTLCS_MAX;
	CHECK_EQ(commitment_build(&arena, &spec)->tx->output_count, COMMITMENT_HTLCS_MAX + 3);
	spec.htlc_count++;
	CHECK(!commitment_build(&arena, &spec));
	spec.htlc_count = 0;
	spec.number = COMMITMENT_NUMBER_MAX + 1;
	CHECK(!commitment_build(&arena, &spec));
	spec.number = COMMITMENT_NUMBER_MAX;
	CHECK(commitment_build(&arena, &spec));
	/* Points of a peer that are none. */
	bad = ch.remote;
	bad.htlc.v[0] = 4;
	spec.countersignatory = &bad;
	CHECK(!commitment_build(&arena, &spec));
	bad = ch.remote;
	memset(bad.payment.v, 0, 33);
	CHECK(!commitment_build(&arena, &spec));
	spec.countersignatory = &ch.remote;
	memset(spec.per_commitment_point.v + 1, 0xff, 32);
	CHECK(!commitment_build(&arena, &spec));
	arena_release(&arena);
}

/* "Transaction Output Ordering": amount, then script, then expiry, whatever order they came in. */
TEST(outputs_are_ordered)
{
	struct commitment_htlc htlcs[6] = { htlc(5, true, 3000000, 700), htlc(9, true, 2000999, 600),
					    htlc(9, true, 2000001, 500), htlc(2, false, 2000000, 400),
					    htlc(9, true, 2000000, 550), htlc(4, true, 1000000, 900) };
	struct appendix_channel ch;
	struct commitment_spec spec;
	struct commitment *c;
	uint32_t offered = 0;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	spec = simple_spec(&ch, COMMITMENT_ANCHORS, 5000000000, 4900000000);
	spec.htlcs = htlcs;
	spec.htlc_count = 6;
	c = commitment_build(&arena, &spec);
	for (uint32_t i = 1; i < c->tx->output_count; i++) {
		const struct tx_output *a = &c->tx->outputs[i - 1], *b = &c->tx->outputs[i];

		CHECK(SAT_LESS(a->amount, b->amount) ||
		      (a->amount.v == b->amount.v && bytes_compare(a->script, b->script) <= 0));
	}
	CHECK_EQ(c->htlcs[0].htlc.id, 4);
	CHECK_EQ(c->htlcs[5].htlc.id, 5);
	for (uint32_t i = 0; i < 6; i++)
		if (c->htlcs[i].htlc.id == 9) {
			/* The three twins differ in the millisatoshi, which does not count, and in expiry. */
			static const uint32_t expiries[3] = { 500, 550, 600 };

			CHECK_EQ(c->htlcs[i].htlc.cltv_expiry, expiries[offered++]);
		}
	CHECK_EQ(offered, 3);
	/* Each entry names its own output. */
	for (uint32_t i = 0; i < 6; i++) {
		struct bytes script = script_p2wsh(&arena, c->htlcs[i].witness_script);

		CHECK(bytes_equal(script, c->tx->outputs[c->htlcs[i].index].script));
		CHECK_EQ(c->tx->outputs[c->htlcs[i].index].amount.v, c->htlcs[i].htlc.amount.v / 1000);
	}
	arena_release(&arena);
}

TEST(commitment_number_is_found_again)
{
	struct appendix_channel ch;
	struct commitment_spec spec;
	struct commitment *c;
	uint64_t factor, number;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	spec = simple_spec(&ch, COMMITMENT_ANCHORS, 5000000000, 5000000000);
	spec.broadcaster_is_opener = false;
	spec.number = 0xabcdef123456;
	c = commitment_build(&arena, &spec);
	factor = commitment_obscuring_factor(&ch.remote.payment, &ch.local.payment);
	CHECK(factor != commitment_obscuring_factor(&ch.local.payment, &ch.remote.payment));
	CHECK(commitment_number_of(c->tx, factor, &number) && number == spec.number);
	/* A mutual close has neither mark. */
	c->tx->locktime = 0;
	CHECK(!commitment_number_of(c->tx, factor, &number));
	c->tx->locktime = 0x20000000;
	c->tx->inputs[0].sequence = 0xffffffff;
	CHECK(!commitment_number_of(c->tx, factor, &number));
	c->tx->inputs[0].sequence = 0x80000000;
	CHECK(commitment_number_of(c->tx, factor, &number));
	c->tx->version = 1;
	CHECK(!commitment_number_of(c->tx, factor, &number));
	c->tx->version = 2;
	c->tx->input_count = 2;
	CHECK(!commitment_number_of(c->tx, factor, &number));
	c->tx->input_count = 0;
	CHECK(!commitment_number_of(c->tx, factor, &number));
	arena_release(&arena);
}

/* Keys that the caller computed give the same transaction. */
TEST(precomputed_keys_change_nothing)
{
	struct appendix_channel ch;
	struct commitment_keys keys;
	struct commitment_spec spec;
	struct commitment *a, *b;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	spec = simple_spec(&ch, COMMITMENT_ANCHORS, 5000000000, 5000000000);
	a = commitment_build(&arena, &spec);
	CHECK(commitment_keys_derive(&keys, &ch.local, &ch.remote, &ch.per_commitment_point));
	spec.keys = &keys;
	b = commitment_build(&arena, &spec);
	CHECK(SAME(a->sighash, b->sighash) && SAME(a->txid, b->txid));
	arena_release(&arena);
}

/* --- Closing --- */

static const uint8_t PAYER_SCRIPT[22] = { 0, 20, 0xaa };
static const uint8_t OTHER_SCRIPT[34] = { 0, 32, 0xbb };

static struct closing_spec closing_spec(enum closing_form form, uint64_t payer_msat, uint64_t other_msat)
{
	struct appendix_channel ch;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	return (struct closing_spec){
		.form = form,
		.funding = ch.spec.funding,
		.funding_amount = ch.spec.funding_amount,
		.payer_funding = ch.local.funding,
		.other_funding = ch.remote.funding,
		.payer = { .balance = MSAT(payer_msat), .script = BYTES_OF(PAYER_SCRIPT) },
		.other = { .balance = MSAT(other_msat), .script = BYTES_OF(OTHER_SCRIPT) },
		.fee = SAT(1000),
		.dust_limit = SAT(546),
	};
}

TEST(legacy_close)
{
	struct closing_spec spec = closing_spec(CLOSING_LEGACY, 6000000999, 3999999001);
	struct closing *c = closing_build(&arena, &spec);

	CHECK(c);
	CHECK_EQ(c->tx->version, 2);
	CHECK_EQ(c->tx->locktime, 0);
	CHECK_EQ(c->tx->inputs[0].sequence, 0xffffffff);
	CHECK(outpoint_equal(&c->tx->inputs[0].prev, &spec.funding));
	CHECK_EQ(c->tx->output_count, 2);
	/* B3.legacy_closing_transaction.1, B3.legacy_closing_transaction.2 */
	CHECK_EQ(c->payer_output, 1);
	CHECK_EQ(c->tx->outputs[1].amount.v, 5999000);
	CHECK_EQ(c->other_output, 0);
	CHECK_EQ(c->tx->outputs[0].amount.v, 3999999);
	CHECK_EQ(c->fee.v, 1001);
	CHECK(bytes_equal(c->tx->outputs[1].script, BYTES_OF(PAYER_SCRIPT)));
	CHECK(bytes_equal(c->tx->outputs[0].script, BYTES_OF(OTHER_SCRIPT)));
	/* Equal amounts: the lesser script first. */
	spec.payer.balance = MSAT(5001000000);
	spec.other.balance = MSAT(4999000000);
	spec.fee = SAT(2000);
	c = closing_build(&arena, &spec);
	CHECK_EQ(c->tx->outputs[0].amount.v, c->tx->outputs[1].amount.v);
	CHECK_EQ(c->payer_output, 0);
	arena_release(&arena);
}

TEST(legacy_close_leaves_dust_out)
{
	struct closing_spec spec = closing_spec(CLOSING_LEGACY, 1546000, 9998454000);
	struct closing *c = closing_build(&arena, &spec);

	CHECK_EQ(c->tx->outputs[c->payer_output].amount.v, 546);
	/* B3.legacy_closing_transaction.3 */
	spec.payer.balance = MSAT(1545999);
	c = closing_build(&arena, &spec);
	CHECK_EQ(c->payer_output, CLOSING_NO_OUTPUT);
	CHECK_EQ(c->tx->output_count, 1);
	CHECK_EQ(c->fee.v, 1546);
	/* The other limit decides for the other signature. */
	spec.dust_limit = SAT(545);
	CHECK_EQ(closing_build(&arena, &spec)->tx->output_count, 2);
	/* An output may be given up. */
	spec.payer.omit = true;
	CHECK_EQ(closing_build(&arena, &spec)->tx->output_count, 1);
	spec.other.omit = true;
	CHECK(!closing_build(&arena, &spec));
	/* Nobody pays a fee that he does not have. */
	spec = closing_spec(CLOSING_LEGACY, 999999, 9999000001);
	CHECK(!closing_build(&arena, &spec));
	spec.payer.balance = MSAT(1000000);
	spec.other.balance = MSAT(9999000000);
	CHECK(closing_build(&arena, &spec));
	spec.other.balance = MSAT(9999000001);
	CHECK(!closing_build(&arena, &spec));
	arena_release(&arena);
}

TEST(simple_close)
{
	static const uint8_t op_return[8] = { OP_RETURN, 6, 1, 2, 3, 4, 5, 6 };
	struct closing_spec spec = closing_spec(CLOSING_SIMPLE, 6000000999, 3999999001);
	struct closing *c;

	spec.locktime = 654321;
	c = closing_build(&arena, &spec);
	CHECK_EQ(c->tx->locktime, 654321);
	CHECK_EQ(c->tx->inputs[0].sequence, 0xfffffffd);
	/* B3.closing_transaction.1, B3.closing_transaction.2 */
	CHECK_EQ(c->tx->outputs[c->payer_output].amount.v, 5999000);
	CHECK_EQ(c->tx->outputs[c->other_output].amount.v, 3999999);
	/* B3.closing_transaction.3 */
	spec.other.script = BYTES_OF(op_return);
	c = closing_build(&arena, &spec);
	CHECK_EQ(c->tx->output_count, 2);
	CHECK_EQ(c->other_output, 0);
	CHECK_EQ(c->tx->outputs[0].amount.v, 0);
	CHECK_EQ(c->tx->outputs[1].amount.v, 5999000);
	spec.payer.script = BYTES_OF(op_return);
	spec.other.script = BYTES_OF(OTHER_SCRIPT);
	c = closing_build(&arena, &spec);
	CHECK_EQ(c->tx->outputs[c->payer_output].amount.v, 0);
	arena_release(&arena);
}

TEST(closing_weight_bounds_the_transaction)
{
	struct closing_spec spec = closing_spec(CLOSING_LEGACY, 6000000000, 4000000000);
	uint8_t seed[32] = { 1 };
	struct secp *secp = secp_new(seed);
	struct closing *c = closing_build(&arena, &spec);
	struct secret32 key;
	struct sig64 sig;
	uint64_t weight;

	secret_of_byte(&key, 9);
	ecdsa_sign(secp, &sig, &c->sighash, &key, true);
	secp_free(secp);
	funding_set_witness(&arena, c->tx, 0, &spec.payer_funding, &sig, &spec.other_funding, &sig);
	weight = tx_weight(c->tx);
	CHECK(weight <= closing_weight(sizeof(PAYER_SCRIPT), sizeof(OTHER_SCRIPT)));
	CHECK(weight + 6 > closing_weight(sizeof(PAYER_SCRIPT), sizeof(OTHER_SCRIPT)));
	/* The same inputs and outputs as a commitment without HTLCs. */
	CHECK_EQ(closing_weight(22, 34), 724);
	CHECK_EQ(closing_weight(22, 0), 724 - 4 * 43);
	CHECK_EQ(closing_weight(0, 34), 724 - 4 * 31);
	arena_release(&arena);
}

static bool shutdown_hex(const char *hex, bool anysegwit, bool simple_close)
{
	return shutdown_script_valid(test_unhex(hex), anysegwit, simple_close);
}

#define ZEROS20 "0000000000000000000000000000000000000000"
#define ZEROS32 ZEROS20 "000000000000000000000000"
#define ZEROS40 ZEROS20 ZEROS20

/* B2.shutdown.9: the forms that a shutdown may name. */
TEST(shutdown_forms)
{
	CHECK(shutdown_hex("0014" ZEROS20, false, false));
	CHECK(shutdown_hex("0020" ZEROS32, false, false));
	CHECK(!shutdown_hex("0013" ZEROS20, true, true));
	CHECK(!shutdown_hex("0014" ZEROS20 "00", true, true));
	CHECK(!shutdown_hex("76a914" ZEROS20 "88ac", true, true));
	CHECK(!shutdown_hex("a914" ZEROS20 "87", true, true));
	CHECK(!shutdown_script_valid(BYTES_NONE, true, true));
	/* Witness versions 1 to 16, programs of 2 to 40 bytes, only where negotiated. */
	CHECK(!shutdown_hex("5120" ZEROS32, false, true));
	CHECK(shutdown_hex("5120" ZEROS32, true, false));
	CHECK(shutdown_hex("60020000", true, false));
	CHECK(shutdown_hex("5128" ZEROS40, true, false));
	CHECK(!shutdown_hex("510100", true, true));
	CHECK(!shutdown_hex("5129" ZEROS40 "00", true, true));
	CHECK(!shutdown_hex("61020000", true, true));
	CHECK(!shutdown_hex("50020000", true, true));
	/* OP_RETURN and one push of 6 to 80 bytes. */
	CHECK(!shutdown_hex("6a06000000000000", true, false));
	CHECK(shutdown_hex("6a06000000000000", false, true));
	CHECK(!shutdown_hex("6a050000000000", false, true));
	CHECK(!shutdown_hex("6a0600000000000000", false, true));
	CHECK(shutdown_hex("6a4b" ZEROS40 ZEROS32 "000000", false, true));
	CHECK(!shutdown_hex("6a4c4b" ZEROS40 ZEROS32 "000000", false, true));
	CHECK(shutdown_hex("6a4c4c" ZEROS40 ZEROS32 "00000000", false, true));
	CHECK(shutdown_hex("6a4c50" ZEROS40 ZEROS40, false, true));
	CHECK(!shutdown_hex("6a4c51" ZEROS40 ZEROS40 "00", false, true));
	CHECK(!shutdown_hex("6a4c50" ZEROS40 ZEROS32, false, true));
	CHECK(!shutdown_hex("6a", false, true));
	CHECK(!shutdown_hex("6a4c", false, true));
}
