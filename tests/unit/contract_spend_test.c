/* Every output of a commitment is spendable by whom BOLT 3 says, when it says, and no sooner: each spend is run
 * through an interpreter that knows nothing of contract/. */
#include "tests/test.h"

#include <string.h>

#include "contract/sweep.h"
#include "tests/unit/contract_setup.h"
#include "tests/script/interpreter.h"

#define HTLC_COUNT 5u
#define FEERATE_TEST 500u

static struct arena arena;

static const enum commitment_type TYPES[] = { COMMITMENT_STATIC_REMOTEKEY, COMMITMENT_ANCHORS };

struct scene {
	struct appendix_channel ch;
	struct commitment_spec spec;
	struct commitment *c;
};

/* Local's commitment with three received and two offered HTLCs, all untrimmed. */
static void scene_init(struct scene *s, enum commitment_type type)
{
	appendix_channel_init(&s->ch);
	s->spec = s->ch.spec;
	s->spec.broadcaster = &s->ch.local;
	s->spec.countersignatory = &s->ch.remote;
	s->spec.type = type;
	s->spec.feerate = FEERATE(FEERATE_TEST);
	s->spec.broadcaster_balance = MSAT(6988000000);
	s->spec.countersignatory_balance = MSAT(3000000000);
	s->spec.htlcs = s->ch.htlcs;
	s->spec.htlc_count = HTLC_COUNT;
	s->c = commitment_build(&arena, &s->spec);
	CHECK(s->c && s->c->htlc_count == HTLC_COUNT);
	CHECK_EQ(s->c->shortfall.v, 0);
}

static void scene_release(struct scene *s)
{
	secp_free(s->ch.secp);
	arena_release(&arena);
}

static struct sig64 sign(const struct scene *s, const struct sha256 *hash, const struct secret32 *key)
{
	struct sig64 sig;

	ecdsa_sign(s->ch.secp, &sig, hash, key, true);
	return sig;
}

TEST(funding_output_is_spent_by_both)
{
	for (size_t i = 0; i < ARRAY_COUNT(TYPES); i++) {
		struct scene s;
		struct tx_output funding;
		struct sig64 local, remote;

		scene_init(&s, TYPES[i]);
		funding = (struct tx_output){ s.spec.funding_amount, script_p2wsh(&arena, s.c->funding_script) };
		local = sign(&s, &s.c->sighash, &s.ch.local_secrets.funding);
		remote = sign(&s, &s.c->sighash, &s.ch.remote_secrets.funding);
		commitment_set_witness(&arena, s.c, &local, &remote);
		CHECK(spend_is_valid(s.c->tx, 0, &funding, 0, 1000000000));
		/* With one of the two it is not. */
		commitment_set_witness(&arena, s.c, &local, &local);
		CHECK(!spend_is_valid(s.c->tx, 0, &funding, 0, 1000000000));
		/* The witness is no larger than the specification's estimate, and not much smaller. */
		commitment_set_witness(&arena, s.c, &local, &remote);
		CHECK(tx_weight(s.c->tx) <= commitment_weight(TYPES[i], HTLC_COUNT));
		CHECK(tx_weight(s.c->tx) + 20 > commitment_weight(TYPES[i], HTLC_COUNT));
		scene_release(&s);
	}
}

/* Both signatures on h as input of t, and its preimage. */
static void sign_htlc(const struct scene *s, const struct htlc_tx *h, struct tx *t, uint32_t input, uint64_t id)
{
	struct sha256 counter_hash = htlc_tx_countersign_hash(h), own_hash = htlc_tx_broadcaster_hash(h, t, input);
	struct sig64 counter, own;
	struct secret32 counter_key, own_key;

	CHECK(derive_seckey(&own_key, &s->ch.local_secrets.htlc, &s->ch.local.htlc, &s->ch.per_commitment_point));
	CHECK(derive_seckey(&counter_key, &s->ch.remote_secrets.htlc, &s->ch.remote.htlc,
			    &s->ch.per_commitment_point));
	counter = sign(s, &counter_hash, &counter_key);
	own = sign(s, &own_hash, &own_key);
	htlc_tx_set_witness(&arena, h, t, input, &counter, &own, h->success ? &s->ch.preimages[id] : NULL);
}

TEST(htlc_transactions_are_valid_in_their_time)
{
	for (size_t i = 0; i < ARRAY_COUNT(TYPES); i++) {
		uint32_t csv = TYPES[i] == COMMITMENT_ANCHORS ? 1 : 0;
		struct scene s;

		scene_init(&s, TYPES[i]);
		for (uint32_t n = 0; n < HTLC_COUNT; n++) {
			const struct commitment_htlc_output *o = &s.c->htlcs[n];
			struct htlc_tx *h = htlc_tx_build(&arena, s.c, n);
			const struct tx_output *spent = &s.c->tx->outputs[o->index];
			uint32_t expiry = o->htlc.cltv_expiry;

			CHECK_EQ(h->success, !o->htlc.offered_by_broadcaster);
			sign_htlc(&s, h, h->tx, 0, o->htlc.id);
			CHECK(spend_is_valid(h->tx, 0, spent, csv, expiry + 1));
			/* No fee of its own with anchors. */
			if (TYPES[i] == COMMITMENT_ANCHORS) {
				CHECK_EQ(h->tx->outputs[0].amount.v, h->input_amount.v);
				CHECK(!spend_is_valid(h->tx, 0, spent, 0, expiry + 1));
			}
			/* A timeout is worth nothing before the expiry. */
			CHECK_EQ(spend_is_valid(h->tx, 0, spent, csv, expiry), h->success);
			/* Nor a success with another preimage. */
			if (h->success) {
				h->tx->inputs[0].witness[3] = BYTES_OF(s.ch.preimages[5].v);
				CHECK(!spend_is_valid(h->tx, 0, spent, csv, expiry));
				sign_htlc(&s, h, h->tx, 0, o->htlc.id);
			}
			CHECK(tx_weight(h->tx) <= htlc_tx_weight(TYPES[i], h->success));
			CHECK(tx_weight(h->tx) + 8 > htlc_tx_weight(TYPES[i], h->success));
		}
		scene_release(&s);
	}
}

/* With anchors the broadcaster adds inputs and outputs after the countersignatory has signed. */
TEST(anchor_htlc_transaction_takes_a_fee_input)
{
	struct scene s;
	struct htlc_tx *h;
	struct tx *t;
	const struct tx_output *spent;

	scene_init(&s, COMMITMENT_ANCHORS);
	h = htlc_tx_build(&arena, s.c, 0);
	spent = &s.c->tx->outputs[s.c->htlcs[0].index];
	t = tx_new(&arena, 2, 2, 2, h->tx->locktime);
	t->inputs[0] = h->tx->inputs[0];
	t->outputs[0] = h->tx->outputs[0];
	t->inputs[1].prev.index = 7;
	t->outputs[1] = (struct tx_output){ SAT(777), script_p2wpkh(&arena, &s.ch.local.payment) };
	sign_htlc(&s, h, t, 0, s.c->htlcs[0].htlc.id);
	CHECK(spend_is_valid(t, 0, spent, 1, 1000));
	/* Our own signature is over all of it, or anyone could add to it. */
	t->outputs[1].amount = SAT(778);
	CHECK(!spend_is_valid(t, 0, spent, 1, 1000));
	scene_release(&s);
}

/* The private key that a claimer derives for an input. */
static struct secret32 claim_key(const struct sweep_input *in, const struct basepoint_secrets *secrets,
				 const struct basepoints *points)
{
	struct secret32 key = { { 0 } };

	switch (in->kind) {
	case SWEEP_DELAYED:
		CHECK(derive_seckey(&key, &secrets->delayed_payment, &points->delayed_payment,
				    &in->per_commitment_point));
		return key;
	case SWEEP_PREIMAGE:
	case SWEEP_TIMEOUT:
		CHECK(derive_seckey(&key, &secrets->htlc, &points->htlc, &in->per_commitment_point));
		return key;
	case SWEEP_REVOKED_DELAYED:
	case SWEEP_REVOKED_HTLC:
		CHECK(derive_revocation_seckey(&key, &secrets->revocation, &points->revocation,
					       &in->per_commitment_secret, &in->per_commitment_point));
		return key;
	case SWEEP_TO_REMOTE_STATIC:
	case SWEEP_TO_REMOTE_ANCHORS:
		return secrets->payment;
	case SWEEP_ANCHOR:
		return secrets->funding;
	}
	UNREACHABLE();
}

struct claimer {
	const struct scene *s;
	const struct basepoint_secrets *secrets;
	const struct basepoints *points;
};

static void sign_sweep(const struct claimer *who, struct tx *t, const struct sweep_input *inputs, uint32_t count)
{
	struct sighash_cache cache = { .filled = false };

	for (uint32_t i = 0; i < count; i++) {
		struct sha256 hash = sweep_sighash(&arena, &inputs[i], t, i, &cache);
		struct secret32 key = claim_key(&inputs[i], who->secrets, who->points);
		struct pubkey p;
		struct sig64 sig = sign(who->s, &hash, &key);

		pubkey_of(who->s->ch.secp, &p, &key);
		CHECK(SAME(p, inputs[i].key));
		sweep_set_witness(&arena, &inputs[i], t, i, &sig);
	}
}

/* Spends one input alone: good at (age, height), refused one block of age earlier and, where it has a locktime,
 * one block of height earlier. */
static void check_sweep(const struct claimer *who, const struct sweep_input *in, const struct tx *from, uint32_t age,
			uint32_t height)
{
	struct bytes script = script_p2wpkh(&arena, &who->points->payment);
	const struct tx_output *spent = &from->outputs[in->prev.index];
	struct tx *t = sweep_build(&arena, in, 1, script, SAT(100), SAT(1), 0);

	CHECK(t);
	CHECK_EQ(t->outputs[0].amount.v, spent->amount.v - 100);
	sign_sweep(who, t, in, 1);
	CHECK(spend_is_valid(t, 0, spent, age, height));
	if (age)
		CHECK(!spend_is_valid(t, 0, spent, age - 1, height));
	if (t->locktime)
		CHECK(!spend_is_valid(t, 0, spent, age, height - 1));
	/* BIP 125: every sweep can be replaced */
	CHECK(t->inputs[0].sequence <= 0xfffffffd);
	CHECK(tx_weight(t) <= sweep_weight(in, 1, script.size));
	CHECK(tx_weight(t) + 4 > sweep_weight(in, 1, script.size));
	/* Somebody else's signature will not do. */
	t->outputs[0].amount = SAT(1);
	CHECK(!spend_is_valid(t, 0, spent, age, height));
}

TEST(main_outputs_and_anchors_are_claimed)
{
	for (size_t i = 0; i < ARRAY_COUNT(TYPES); i++) {
		bool anchors = TYPES[i] == COMMITMENT_ANCHORS;
		struct claimer local, remote;
		struct sweep_input in;
		struct scene s;

		scene_init(&s, TYPES[i]);
		local = (struct claimer){ &s, &s.ch.local_secrets, &s.ch.local };
		remote = (struct claimer){ &s, &s.ch.remote_secrets, &s.ch.remote };
		/* B5.unilateral_close_handling_local_commitme.2: not before to_self_delay */
		CHECK(sweep_to_local(&in, s.c));
		check_sweep(&local, &in, s.c->tx, 144, 1);
		CHECK(sweep_to_remote(&in, s.c));
		CHECK_EQ(in.kind, anchors ? SWEEP_TO_REMOTE_ANCHORS : SWEEP_TO_REMOTE_STATIC);
		check_sweep(&remote, &in, s.c->tx, anchors ? 1 : 0, 1);
		CHECK_EQ(sweep_local_anchor(&in, s.c), anchors);
		if (anchors)
			check_sweep(&local, &in, s.c->tx, 0, 1);
		CHECK_EQ(sweep_remote_anchor(&in, s.c), anchors);
		if (anchors)
			check_sweep(&remote, &in, s.c->tx, 0, 1);
		scene_release(&s);
	}
}

/* Anyone may clear an anchor away after 16 blocks. */
TEST(anchor_is_anyones_after_16_blocks)
{
	struct bytes items[2] = { BYTES_NONE };
	struct sweep_input in;
	struct scene s;
	struct tx *t;

	scene_init(&s, COMMITMENT_ANCHORS);
	CHECK(sweep_local_anchor(&in, s.c));
	t = sweep_build(&arena, &in, 1, script_p2wpkh(&arena, &s.ch.remote.htlc), SAT(30), SAT(1), 0);
	t->inputs[0].sequence = 16;
	items[1] = in.witness_script;
	tx_set_witness(&arena, t, 0, items, 2);
	CHECK(spend_is_valid(t, 0, &s.c->tx->outputs[s.c->local_anchor], 16, 1));
	t->inputs[0].sequence = 15;
	CHECK(!spend_is_valid(t, 0, &s.c->tx->outputs[s.c->local_anchor], 16, 1));
	scene_release(&s);
}

TEST(htlcs_on_the_peers_commitment_are_claimed)
{
	for (size_t i = 0; i < ARRAY_COUNT(TYPES); i++) {
		uint32_t csv = TYPES[i] == COMMITMENT_ANCHORS ? 1 : 0;
		struct claimer remote;
		struct scene s;

		scene_init(&s, TYPES[i]);
		remote = (struct claimer){ &s, &s.ch.remote_secrets, &s.ch.remote };
		for (uint32_t n = 0; n < HTLC_COUNT; n++) {
			const struct commitment_htlc *h = &s.c->htlcs[n].htlc;
			struct sweep_input in;

			/* Only the right preimage, and only where the broadcaster offered. */
			CHECK(!sweep_htlc_preimage(&in, s.c, n, &s.ch.preimages[(h->id + 1) % HTLC_COUNT]));
			CHECK_EQ(sweep_htlc_preimage(&in, s.c, n, &s.ch.preimages[h->id]), h->offered_by_broadcaster);
			if (h->offered_by_broadcaster)
				check_sweep(&remote, &in, s.c->tx, csv, 1);
			CHECK_EQ(sweep_htlc_timeout(&in, s.c, n), !h->offered_by_broadcaster);
			if (!h->offered_by_broadcaster)
				check_sweep(&remote, &in, s.c->tx, csv, h->cltv_expiry + 1);
		}
		scene_release(&s);
	}
}

TEST(second_stage_outputs_are_claimed)
{
	for (size_t i = 0; i < ARRAY_COUNT(TYPES); i++) {
		struct claimer local, remote;
		struct scene s;

		scene_init(&s, TYPES[i]);
		local = (struct claimer){ &s, &s.ch.local_secrets, &s.ch.local };
		remote = (struct claimer){ &s, &s.ch.remote_secrets, &s.ch.remote };
		for (uint32_t n = 0; n < HTLC_COUNT; n++) {
			struct htlc_tx *h = htlc_tx_build(&arena, s.c, n);
			struct sweep_input in;

			/* B5.htlc_output_handling_local_commitment_lo.6, B5.htlc_output_handling_local_commitment_re.6 */
			CHECK(sweep_htlc_tx(&in, s.c, h->tx, 0));
			check_sweep(&local, &in, h->tx, 144, 1);
			/* And a cheat loses it at once. */
			CHECK(sweep_revoked_htlc_tx(&in, s.c, h->tx, 0, &s.ch.per_commitment_secret));
			check_sweep(&remote, &in, h->tx, 0, 1);
			CHECK(!sweep_htlc_tx(&in, s.c, h->tx, 1));
			h->tx->outputs[0].script = script_p2wsh(&arena, s.c->funding_script);
			CHECK(!sweep_htlc_tx(&in, s.c, h->tx, 0));
			CHECK(!sweep_revoked_htlc_tx(&in, s.c, h->tx, 0, &s.ch.per_commitment_secret));
		}
		scene_release(&s);
	}
}

/* Everything of a revoked commitment in one transaction. */
TEST(revoked_commitment_is_taken_whole)
{
	for (size_t i = 0; i < ARRAY_COUNT(TYPES); i++) {
		struct sweep_input in[HTLC_COUNT + 2];
		struct bytes script;
		struct claimer remote;
		struct scene s;
		struct tx *t;

		scene_init(&s, TYPES[i]);
		remote = (struct claimer){ &s, &s.ch.remote_secrets, &s.ch.remote };
		CHECK(sweep_revoked_to_local(&in[0], s.c, &s.ch.per_commitment_secret));
		check_sweep(&remote, &in[0], s.c->tx, 0, 1);
		for (uint32_t n = 0; n < HTLC_COUNT; n++) {
			CHECK(sweep_revoked_htlc(&in[1 + n], s.c, n, &s.ch.per_commitment_secret));
			check_sweep(&remote, &in[1 + n], s.c->tx, 0, 1);
		}
		CHECK(sweep_to_remote(&in[HTLC_COUNT + 1], s.c));
		script = script_p2wpkh(&arena, &s.ch.remote.payment);
		t = sweep_build(&arena, in, HTLC_COUNT + 2, script, SAT(5000), SAT(294), 600000);
		CHECK_EQ(t->locktime, 600000);
		sign_sweep(&remote, t, in, HTLC_COUNT + 2);
		for (uint32_t n = 0; n < t->input_count; n++)
			CHECK(spend_is_valid(t, n, &s.c->tx->outputs[in[n].prev.index], 1, 600001));
		CHECK(tx_weight(t) <= sweep_weight(in, HTLC_COUNT + 2, script.size));
		scene_release(&s);
	}
}

/* BOLT 5 "Penalty Transactions Weight Calculation" is an upper bound of ours: its scripts allow longer delays. */
TEST(penalty_weights_are_those_of_bolt_5)
{
	struct sweep_input in;
	struct scene s;

	scene_init(&s, COMMITMENT_STATIC_REMOTEKEY);
	CHECK(sweep_revoked_to_local(&in, s.c, &s.ch.per_commitment_secret));
	/* 83 bytes of script against our 77, and a count byte for the `1`. */
	CHECK_EQ(sweep_input_weight(&in), 324 - 5);
	for (uint32_t n = 0; n < HTLC_COUNT; n++) {
		bool offered = s.c->htlcs[n].htlc.offered_by_broadcaster;

		CHECK(sweep_revoked_htlc(&in, s.c, n, &s.ch.per_commitment_secret));
		/* The expiry takes 2 bytes here, 4 (3 in BOLT 5's sum) at the most. */
		CHECK_EQ(sweep_input_weight(&in), offered ? 407 : 413 - 1);
	}
	scene_release(&s);
}

TEST(sweep_that_is_not_worth_it_is_not_made)
{
	struct bytes script;
	struct sweep_input in;
	struct scene s;

	scene_init(&s, COMMITMENT_ANCHORS);
	CHECK(sweep_local_anchor(&in, s.c));
	script = script_p2wpkh(&arena, &s.ch.local.payment);
	CHECK(sweep_build(&arena, &in, 1, script, SAT(36), SAT(294), 0));
	CHECK(!sweep_build(&arena, &in, 1, script, SAT(37), SAT(294), 0));
	CHECK(!sweep_build(&arena, &in, 1, script, SAT(331), SAT(0), 0));
	{
		struct sweep_input two[2] = { in, in };

		two[0].amount = SAT(UINT64_MAX);
		CHECK(!sweep_build(&arena, two, 2, script, SAT(0), SAT(0), 0));
	}
	scene_release(&s);
}
