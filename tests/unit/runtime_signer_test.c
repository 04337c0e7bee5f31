/* The bundled signer: its answers fit together and into transactions, and it refuses what is not its own. */
#include "tests/test.h"

#include <string.h>

#include "bitcoin/bip39.h"
#include "contract/closing.h"
#include "crypto/shachain.h"
#include "runtime/signer/delayed.h"
#include "tests/script/interpreter.h"
#include "tests/unit/signer_setup.h"

static bool is_refused(const struct answered *a, const char *part)
{
	return a->answer.refused && strstr(a->reason, part);
}

TEST(keys_follow_from_the_seed)
{
	static const uint8_t blinding[32] = { 3 }, other_blinding[32] = { 4 };
	static const char sentence[] = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
				       "abandon about";
	const struct network *mainnet = network_by_name("bitcoin"), *regtest = network_by_name("regtest");
	uint8_t seed[64];
	struct bip32_key account;
	struct local_signer *a, *b;
	struct pubkey one, two;

	CHECK(bip39_seed(seed, bytes_from_string(sentence), BYTES_NONE));
	a = local_signer_new(mainnet, BYTES_OF(seed), blinding);
	b = local_signer_new(mainnet, BYTES_OF(seed), other_blinding);
	one = local_signer_node_id(a);
	two = local_signer_node_id(b);
	CHECK(SAME(one, two));
	/* BIP 84 and BIP 86, their test vectors: any wallet finds our coins. */
	CHECK(local_signer_account(a, &account, BIP32_BIP84));
	{
		uint32_t path[2] = { 0, 0 };
		struct secp *secp = secp_new(blinding);

		CHECK(bip32_derive(secp, &account, &account, path, 2));
		secp_free(secp);
	}
	CHECK_HEX(BYTES_OF(account.point.v), "0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c");
	bip32_wipe(&account);
	local_signer_free(b);
	b = local_signer_new(regtest, BYTES_OF(seed), blinding);
	two = local_signer_node_id(b);
	CHECK(!SAME(one, two));
	local_signer_free(a);
	local_signer_free(b);
	CHECK(!local_signer_new(mainnet, BYTES(seed, 31), blinding));
	CHECK(!local_signer_new(mainnet, BYTES(seed, 0), blinding));
}

TEST(channels_have_keys_of_their_own)
{
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);
	struct answered a, b, again;
	struct pair p;

	pair_init(&p);
	ask(&a, p.us, &r);
	r.channel_key++;
	ask(&b, p.us, &r);
	/* B3.per_commitment_secret_requirements.1: a seed of its own, which gives points of its own */
	CHECK(!SAME(a.answer.first_points[0], b.answer.first_points[0]));
	CHECK(!SAME(a.answer.basepoints.funding, b.answer.basepoints.funding));
	CHECK(!SAME(a.answer.basepoints.revocation, b.answer.basepoints.revocation));
	CHECK(!SAME(a.answer.basepoints.payment, b.answer.basepoints.payment));
	CHECK(!SAME(a.answer.basepoints.delayed_payment, b.answer.basepoints.delayed_payment));
	CHECK(!SAME(a.answer.basepoints.htlc, b.answer.basepoints.htlc));
	CHECK(!SAME(a.answer.basepoints.htlc, a.answer.basepoints.payment));
	/* And they are the same whenever they are asked for. */
	r.channel_key--;
	ask(&again, p.us, &r);
	CHECK(memcmp(&a.answer.basepoints, &again.answer.basepoints, sizeof(struct basepoints)) == 0);
	pair_release(&p);
}

/* The layout of keyring.h is forever: these values may never change. */
TEST(channel_keys_never_change)
{
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);
	struct answered a;
	struct pair p;
	struct pubkey id;

	pair_init(&p);
	id = local_signer_node_id(p.local);
	ask(&a, p.us, &r);
	CHECK_HEX(BYTES_OF(id.v), "033e12fdb877af02b6f3b845ceab3867a58d3f5b5da6d6b23792f91a2a7c02423b");
	CHECK_HEX(BYTES_OF(a.answer.basepoints.funding.v), "022e62575f920e283ddd965114eafbeba674f016d49c41990187003c6e48322cb7");
	CHECK_HEX(BYTES_OF(a.answer.basepoints.revocation.v), "029b400fffc345640ce263d1663f9c021e189db8b757f5435e7f2f4dd5930c7836");
	CHECK_HEX(BYTES_OF(a.answer.basepoints.payment.v), "032d55aefed538fa8b4c3066a91fd1aed162dc98d4c55c578ad13c412357dea491");
	CHECK_HEX(BYTES_OF(a.answer.basepoints.delayed_payment.v), "037fc4f00d040d639c5a9c42f7d90bbf4467c1e145a1fe8cb66731f8465476ec0f");
	CHECK_HEX(BYTES_OF(a.answer.basepoints.htlc.v), "03f63e3c1e805539187fc880aa5c55b78563046d149d6d27b296d4cf9661c4b9d3");
	CHECK_HEX(BYTES_OF(a.answer.first_points[0].v), "029d15bcaf47e1696b04beb3883b8b1e17faa5bd016b7c48a81c5966a4be15c5f7");
	CHECK_HEX(BYTES_OF(a.answer.first_points[1].v), "03b9ecca11d05efd4f52744b3942453506bea8d4a2ca45e537d69f420ee6086aff");
	pair_release(&p);
}

/* B3.per_commitment_secret_requirements.3, B3.per_commitment_secret_requirements.4: what the peer stores accepts
 * our secrets from index 2^48 - 1 downwards, and gives each of them back. */
TEST(released_secrets_form_a_shachain)
{
	struct shachain chain;
	struct secret32 out;
	struct pair p;

	pair_init(&p);
	shachain_init(&chain);
	for (uint64_t n = 0; n < PAIR_NUMBERS; n++)
		CHECK(shachain_add(&chain, 281474976710655ull - n, &p.our_secrets[n]));
	for (uint64_t n = 0; n < PAIR_NUMBERS; n++)
		CHECK(shachain_get(&chain, 281474976710655ull - n, &out) && SAME(out, p.our_secrets[n]));
	pair_release(&p);
}

/* B3.per_commitment_secret_requirements.2: the numbers end before the seed, index 0, would be the secret. */
TEST(seed_is_never_revealed)
{
	struct sign_request r = request_of(SIGN_REVOKE);
	struct answered a;
	struct pair p;

	pair_init(&p);
	r.u.revoke.number = COMMITMENT_NUMBER_MAX;
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "used up"));
	CHECK(bytes_all_zero(BYTES_OF(a.answer.secret.v)));
	r.u.revoke.number = COMMITMENT_NUMBER_MAX - 1;
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "used up"));
	r.u.revoke.number = COMMITMENT_NUMBER_MAX - 2;
	ask(&a, p.us, &r);
	CHECK(!a.answer.refused);
	pair_release(&p);
}

TEST(points_are_shown)
{
	struct sign_request r = request_of(SIGN_POINT);
	struct answered a;
	struct pair p;

	pair_init(&p);
	for (uint64_t n = 0; n < PAIR_NUMBERS; n++) {
		r.u.number = n;
		ask(&a, p.us, &r);
		CHECK(!a.answer.refused && SAME(a.answer.next_point, p.our_points[n]));
		/* The point, and never its secret. */
		CHECK(bytes_all_zero(BYTES_OF(a.answer.secret.v)));
	}
	r.u.number = COMMITMENT_NUMBER_MAX + 1;
	ask(&a, p.us, &r);
	CHECK(a.answer.refused);
	pair_release(&p);
}

/* Both signers sign the same commitments, and each accepts the other's. */
TEST(commitments_are_signed_by_both)
{
	struct commitment_spec *ours;
	struct answered own, theirs;
	struct sha256 hashes[2];
	struct commitment *c;
	struct sign_request r;
	struct pair p;

	pair_init(&p);
	ours = pair_number(&p, true, 3);
	pair_add_htlcs(&p, ours);
	c = commitment_build(&p.arena, ours);
	CHECK_EQ(c->htlc_count, 2);
	r = request_of(SIGN_REMOTE_COMMITMENT);
	r.u.commitment = ours;
	ask(&theirs, p.them, &r);
	CHECK(ecdsa_verify(&theirs.answer.signature, &c->sighash, &p.their.funding));
	CHECK_EQ(theirs.answer.signature_count, 2);
	htlc_tx_countersign_hashes(&p.arena, c, hashes);
	for (uint32_t i = 0; i < 2; i++)
		CHECK(ecdsa_verify(&theirs.signatures[i], &hashes[i], &c->keys.countersignatory_htlc));
	r.kind = SIGN_LOCAL_COMMITMENT;
	ask(&own, p.us, &r);
	CHECK(ecdsa_verify(&own.answer.signature, &c->sighash, &p.our.funding));
	commitment_set_witness(&p.arena, c, &own.answer.signature, &theirs.answer.signature);
	{
		struct tx_output funding = { SAT(PAIR_FUNDING_SAT), script_p2wsh(&p.arena, c->funding_script) };

		CHECK(spend_is_valid(c->tx, 0, &funding, 0, 1000000000));
	}
	pair_release(&p);
}

TEST(foreign_commitments_are_refused)
{
	struct sign_request r = request_of(SIGN_LOCAL_COMMITMENT);
	struct answered a;
	struct pair p;

	pair_init(&p);
	r.u.commitment = pair_number(&p, false, 0);
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "our keys"));
	r.u.commitment = pair_number(&p, true, 0);
	r.u.commitment->per_commitment_point = p.our_points[1];
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "point"));
	r.u.commitment = pair_number(&p, true, 0);
	r.u.commitment->broadcaster_balance = MSAT(600000001);
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "cannot be built"));
	r = request_of(SIGN_REMOTE_COMMITMENT);
	r.u.commitment = pair_number(&p, true, 0);
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "our keys"));
	CHECK_EQ(a.answer.signature_count, 0);
	r.u.commitment = pair_number(&p, false, 0);
	memset(r.u.commitment->per_commitment_point.v, 0, 33);
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "cannot be built"));
	/* A successor whose point is not ours would burn our balance. */
	r = pair_revoke(&p, 0);
	r.u.revoke.next->per_commitment_point = p.our_points[2];
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "point"));
	CHECK(bytes_all_zero(BYTES_OF(a.answer.secret.v)));
	pair_release(&p);
}

/* --- Spends --- */

static struct spend_input spend_of(const struct sweep_input *in, enum spend_kind kind, uint64_t number)
{
	return (struct spend_input){
		.kind = kind,
		.channel_key = PAIR_KEY,
		.per_commitment_point = in->per_commitment_point,
		.commitment_number = number,
		.remote_secret = in->per_commitment_secret,
		.witness_script = in->witness_script,
		.amount = in->amount,
		.hash_type = SIGHASH_ALL,
	};
}

/* Sweeps one input with the signer's signature, and runs it. */
static void check_spend(struct pair *p, const struct commitment *c, const struct sweep_input *in,
			enum spend_kind kind, uint64_t number)
{
	struct bytes script = script_p2wpkh(&p->arena, &p->their.payment);
	struct spend_input spend = spend_of(in, kind, number);
	struct sign_request r = request_of(SIGN_SPEND);
	struct answered a;
	struct tx *t = sweep_build(&p->arena, in, 1, script, SAT(100), SAT(0), 0);

	r.u.spend.tx = t;
	r.u.spend.inputs = &spend;
	r.u.spend.count = 1;
	ask(&a, p->us, &r);
	CHECK(!a.answer.refused);
	CHECK_EQ(a.answer.signature_count, 1);
	sweep_set_witness(&p->arena, in, t, 0, &a.signatures[0]);
	CHECK(spend_is_valid(t, 0, &c->tx->outputs[in->prev.index], 1000, 1000));
	/* Another number's point is not ours to spend with. */
	if (kind == SPEND_TO_LOCAL_DELAYED) {
		spend.commitment_number++;
		ask(&a, p->us, &r);
		CHECK(is_refused(&a, "point"));
	}
	spend.commitment_number = number;
	spend.hash_type = SIGHASH_SINGLE | SIGHASH_ANYONECANPAY;
	ask(&a, p->us, &r);
	CHECK(is_refused(&a, "SIGHASH_ALL"));
	spend.hash_type = SIGHASH_ALL;
	spend.input = 1;
	ask(&a, p->us, &r);
	CHECK(is_refused(&a, "no such input"));
}

static void spend_our_commitment(struct pair *p, enum commitment_type type)
{
	struct commitment_spec *spec = pair_number(p, true, 4);
	struct sweep_input in;
	struct commitment *c;

	spec->type = type;
	c = commitment_build(&p->arena, spec);
	CHECK(sweep_to_local(&in, c));
	check_spend(p, c, &in, SPEND_TO_LOCAL_DELAYED, 4);
	if (type == COMMITMENT_ANCHORS) {
		CHECK(sweep_local_anchor(&in, c));
		check_spend(p, c, &in, SPEND_ANCHOR, 4);
	}
}

static void spend_their_commitment(struct pair *p, enum commitment_type type)
{
	struct commitment_spec *spec = pair_number(p, false, 5);
	struct preimage preimage = { { 0 } };
	struct sweep_input in;
	struct commitment *c;

	spec->type = type;
	pair_add_htlcs(p, spec);
	c = commitment_build(&p->arena, spec);
	CHECK(sweep_to_remote(&in, c));
	check_spend(p, c, &in, type == COMMITMENT_ANCHORS ? SPEND_TO_REMOTE_ANCHOR : SPEND_TO_REMOTE_STATIC, 5);
	if (type == COMMITMENT_ANCHORS) {
		CHECK(sweep_remote_anchor(&in, c));
		check_spend(p, c, &in, SPEND_ANCHOR, 5);
	}
	CHECK(sweep_htlc_preimage(&in, c, 0, &preimage));
	check_spend(p, c, &in, SPEND_HTLC_REMOTE, 5);
	CHECK(sweep_htlc_timeout(&in, c, 1));
	check_spend(p, c, &in, SPEND_HTLC_REMOTE, 5);
	/* The same commitment, revoked. */
	CHECK(sweep_revoked_to_local(&in, c, &p->their_secrets[5]));
	check_spend(p, c, &in, SPEND_REVOKED, 5);
	CHECK(sweep_revoked_htlc(&in, c, 0, &p->their_secrets[5]));
	check_spend(p, c, &in, SPEND_REVOKED, 5);
}

TEST(outputs_are_spent)
{
	static const enum commitment_type types[] = { COMMITMENT_STATIC_REMOTEKEY, COMMITMENT_ANCHORS };
	struct pair p;

	pair_init(&p);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		spend_our_commitment(&p, types[i]);
		spend_their_commitment(&p, types[i]);
	}
	pair_release(&p);
}

TEST(second_stage_is_signed)
{
	struct sign_request r = request_of(SIGN_SPEND);
	struct commitment_spec *spec;
	struct spend_input spend;
	struct answered theirs, ours;
	struct sign_request counter = request_of(SIGN_REMOTE_COMMITMENT);
	struct preimage preimage = { { 0 } };
	struct commitment *c;
	struct pair p;

	pair_init(&p);
	spec = pair_number(&p, true, 2);
	pair_add_htlcs(&p, spec);
	c = commitment_build(&p.arena, spec);
	counter.u.commitment = spec;
	ask(&theirs, p.them, &counter);
	for (uint32_t i = 0; i < c->htlc_count; i++) {
		struct htlc_tx *h = htlc_tx_build(&p.arena, c, i);
		struct sweep_input in;

		spend = (struct spend_input){ .kind = SPEND_HTLC_LOCAL, .channel_key = PAIR_KEY,
					      .per_commitment_point = p.our_points[2], .commitment_number = 2,
					      .witness_script = h->input_script, .amount = h->input_amount,
					      .hash_type = SIGHASH_ALL };
		r.u.spend.tx = h->tx;
		r.u.spend.inputs = &spend;
		r.u.spend.count = 1;
		ask(&ours, p.us, &r);
		CHECK(!ours.answer.refused);
		htlc_tx_set_witness(&p.arena, h, h->tx, 0, &theirs.signatures[i], &ours.signatures[0],
				    h->success ? &preimage : NULL);
		CHECK(spend_is_valid(h->tx, 0, &c->tx->outputs[c->htlcs[i].index], 1, 1000));
		CHECK(sweep_htlc_tx(&in, c, h->tx, 0));
		{
			struct commitment second = { .tx = h->tx };

			in.prev.index = 0;
			check_spend(&p, &second, &in, SPEND_HTLC_DELAYED, 2);
		}
	}
	pair_release(&p);
}

TEST(spends_with_foreign_secrets_are_refused)
{
	struct sign_request r = request_of(SIGN_SPEND);
	struct sweep_input in;
	struct spend_input spend;
	struct commitment *c;
	struct answered a;
	struct pair p;

	pair_init(&p);
	c = commitment_build(&p.arena, pair_number(&p, false, 5));
	CHECK(sweep_revoked_to_local(&in, c, &p.their_secrets[4]));
	spend = spend_of(&in, SPEND_REVOKED, 5);
	r.u.spend.tx = sweep_build(&p.arena, &in, 1, script_p2wpkh(&p.arena, &p.our.payment), SAT(1), SAT(0), 0);
	r.u.spend.inputs = &spend;
	r.u.spend.count = 1;
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "secret"));
	memset(spend.remote_secret.v, 0, 32);
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "secret"));
	/* The funding key signs for the anchor alone: not for the channel under an anchor's name. */
	spend.kind = SPEND_ANCHOR;
	spend.witness_script = c->funding_script;
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "anchor"));
	pair_release(&p);
}

TEST(close_is_signed_by_both)
{
	struct sign_request r = request_of(SIGN_MUTUAL_CLOSE);
	struct closing_spec spec = { .form = CLOSING_LEGACY };
	struct answered ours, theirs;
	struct tx_output funding;
	struct closing *c;
	struct pair p;

	pair_init(&p);
	spec.funding = p.our_spec.funding;
	spec.funding_amount = p.our_spec.funding_amount;
	spec.payer_funding = p.our.funding;
	spec.other_funding = p.their.funding;
	spec.payer = (struct closing_party){ MSAT(600000000), script_p2wpkh(&p.arena, &p.our.payment), false };
	spec.other = (struct closing_party){ MSAT(400000000), script_p2wpkh(&p.arena, &p.their.payment), false };
	spec.fee = SAT(500);
	c = closing_build(&p.arena, &spec);
	r.u.mutual_close.tx = c->tx;
	r.u.mutual_close.funding_amount = spec.funding_amount;
	r.u.mutual_close.remote_funding = p.their.funding;
	ask(&ours, p.us, &r);
	CHECK(ecdsa_verify(&ours.answer.signature, &c->sighash, &p.our.funding));
	r.u.mutual_close.remote_funding = p.our.funding;
	ask(&theirs, p.them, &r);
	funding_set_witness(&p.arena, c->tx, 0, &p.our.funding, &ours.answer.signature, &p.their.funding,
			    &theirs.answer.signature);
	funding = (struct tx_output){ spec.funding_amount, script_p2wsh(&p.arena, c->funding_script) };
	CHECK(spend_is_valid(c->tx, 0, &funding, 0, 1));
	c->tx->input_count = 0;
	ask(&ours, p.us, &r);
	CHECK(is_refused(&ours, "alone"));
	pair_release(&p);
}

/* --- The node key --- */

TEST(node_key_answers)
{
	static const uint8_t message[] = "some bytes";
	struct sha256 once = sha256(message, sizeof(message)), twice = sha256d(message, sizeof(message));
	struct pubkey id, their_id, recovered;
	struct sign_request r;
	struct answered ours, theirs;
	struct pair p;

	pair_init(&p);
	id = local_signer_node_id(p.local);
	their_id = local_signer_node_id(p.peer);
	r = request_of(SIGN_ECDH);
	r.u.point = their_id;
	ask(&ours, p.us, &r);
	r.u.point = id;
	ask(&theirs, p.them, &r);
	CHECK(SAME(ours.answer.secret, theirs.answer.secret));
	r.u.point.v[0] = 9;
	ask(&ours, p.us, &r);
	CHECK(is_refused(&ours, "curve"));
	r = request_of(SIGN_INVOICE);
	r.u.message = BYTES_OF(message);
	ask(&ours, p.us, &r);
	CHECK(ecdsa_recover(&recovered, ours.answer.recoverable, &once) && SAME(recovered, id));
	r.kind = SIGN_GOSSIP;
	ask(&ours, p.us, &r);
	CHECK(ecdsa_verify(&ours.answer.signature, &twice, &id));
	r.kind = (enum sign_kind)99;
	ask(&ours, p.us, &r);
	CHECK(is_refused(&ours, "kind"));
	pair_release(&p);
}

/* The funding key signs SHA256d of an announcement of this channel, and of nothing that could be a transaction. */
TEST(announcements_are_checked)
{
	struct sign_request r = request_of(SIGN_ANNOUNCEMENT);
	struct buf b = BUF_EMPTY;
	struct pubkey id;
	struct answered a;
	struct sha256 hash;
	struct bytes good;
	struct pair p;

	pair_init(&p);
	id = local_signer_node_id(p.local);
	buf_add_be16(&b, 1);
	buf_add_u8(&b, 0);
	buf_extend(&b, 32 + 8);
	buf_add(&b, id.v, 33);
	buf_add(&b, p.their.payment.v, 33);
	buf_add(&b, p.our.funding.v, 33);
	buf_add(&b, p.their.funding.v, 33);
	good = arena_bytes(&p.arena, buf_view(&b));
	buf_release(&b);
	r.u.message = good;
	ask(&a, p.us, &r);
	CHECK(!a.answer.refused);
	hash = sha256d(good.data, good.size);
	CHECK(ecdsa_verify(&a.answer.signature, &hash, &id));
	CHECK(ecdsa_verify(&a.answer.signature2, &hash, &p.our.funding));
	r.u.message.size--;
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "announcement"));
	/* Our funding key beside the other node's id is not our place. */
	memcpy((uint8_t *)(uintptr_t)good.data + 43, p.their.payment.v, 33);
	r.u.message = good;
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "announcement"));
	memcpy((uint8_t *)(uintptr_t)good.data + 76, id.v, 33);
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "announcement"));
	/* Second of the two, with our key in second place. */
	memcpy((uint8_t *)(uintptr_t)good.data + 142, p.our.funding.v, 33);
	ask(&a, p.us, &r);
	CHECK(!a.answer.refused);
	memcpy((uint8_t *)(uintptr_t)good.data + 76, p.their.payment.v, 33);
	ask(&a, p.us, &r);
	CHECK(is_refused(&a, "announcement"));
	pair_release(&p);
}

/* --- Questions within answers --- */

struct nested {
	struct pair *p;
	struct sign_request *inner;
	uint32_t depth;
};

static void ask_within(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct nested *n = owner;
	struct sig64 copy[2];

	(void)id;
	CHECK(!answer->refused);
	CHECK_EQ(answer->signature_count, 2);
	memcpy(copy, answer->signatures, sizeof(copy));
	for (uint32_t i = 0; n->depth < 3 && i < 3; i++) {
		struct nested next = { n->p, n->inner, n->depth + 1 };

		n->p->us.request(n->p->us.context, n->inner, ask_within, &next, 1);
		/* The answer still stands. */
		CHECK(memcmp(copy, answer->signatures, sizeof(copy)) == 0);
	}
}

TEST(signer_may_be_asked_from_within_an_answer)
{
	struct sign_request outer = request_of(SIGN_REMOTE_COMMITMENT), inner = request_of(SIGN_REMOTE_COMMITMENT);
	struct nested n;
	struct pair p;

	pair_init(&p);
	outer.u.commitment = pair_number(&p, false, 1);
	inner.u.commitment = pair_number(&p, false, 2);
	pair_add_htlcs(&p, outer.u.commitment);
	pair_add_htlcs(&p, inner.u.commitment);
	n = (struct nested){ &p, &inner, 0 };
	p.us.request(p.us.context, &outer, ask_within, &n, 1);
	pair_release(&p);
}

/* --- Late answers --- */

TEST(late_answers_come_once_and_in_any_order)
{
	static const uint8_t seed[32] = { 8 };
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);
	struct delayed_signer *d;
	struct answered answers[20], again[20];
	struct answered refused = { .done = false }, now;
	uint64_t order[20];
	uint32_t ticks = 0, seen = 0;
	bool shuffled = false;
	struct signer_port port;
	struct pair p;

	pair_init(&p);
	d = delayed_signer_new(p.us, 5, seed);
	port = delayed_signer_port(d);
	memset(answers, 0, sizeof(answers));
	memset(again, 0, sizeof(again));
	for (uint64_t i = 0; i < ARRAY_COUNT(answers); i++) {
		r.channel_key = i;
		port.request(port.context, &r, take_answer, &answers[i], i);
		CHECK(!answers[i].done);
	}
	CHECK_EQ(delayed_signer_waiting(d), 20);
	delayed_signer_set_away(d, true);
	CHECK_EQ(delayed_signer_tick(d), 0);
	delayed_signer_set_away(d, false);
	while (delayed_signer_waiting(d)) {
		CHECK(ticks++ <= 5);
		delayed_signer_tick(d);
		for (uint64_t i = 0; i < ARRAY_COUNT(answers); i++)
			if (answers[i].done && answers[i].id == i) {
				order[seen++] = i;
				answers[i].id = UINT64_MAX;
			}
	}
	CHECK_EQ(seen, 20);
	for (uint32_t i = 1; i < 20; i++)
		shuffled |= order[i] < order[i - 1];
	CHECK(shuffled);
	/* They say what the signer said. */
	r.channel_key = 7;
	ask(&now, p.us, &r);
	CHECK(SAME(now.answer.basepoints.funding, answers[7].answer.basepoints.funding));
	/* Refusals and signatures outlive the signer's memory. */
	r = request_of(SIGN_LOCAL_COMMITMENT);
	r.u.commitment = pair_number(&p, false, 0);
	port.request(port.context, &r, take_answer, &refused, 5);
	while (!refused.done)
		delayed_signer_tick(d);
	CHECK(is_refused(&refused, "our keys"));
	/* A crash takes them with it. */
	for (uint64_t i = 0; i < ARRAY_COUNT(again); i++) {
		r = request_of(SIGN_CHANNEL_NEW);
		port.request(port.context, &r, take_answer, &again[i], i);
	}
	delayed_signer_drop(d);
	for (uint32_t i = 0; i < 10; i++)
		CHECK_EQ(delayed_signer_tick(d), 0);
	CHECK(!again[3].done);
	delayed_signer_free(d);
	pair_release(&p);
}

/* What is computed ahead is what would have been computed when it was due, and the memo knows it with its secret. */
TEST(points_are_computed_ahead)
{
	struct memo *memo = memo_new();
	struct sign_request r;
	struct answered a;
	struct pair p;
	uint64_t hits;

	pair_init(&p);
	local_signer_free(p.local);
	p.local = local_signer_new(network_by_name("regtest"), BYTES_OF(((uint8_t[64]){ 1 })), p.our_secrets[0].v);
	p.us = local_signer_port(p.local);
	local_signer_share(p.local, memo, NULL);
	CHECK(!p.us.ahead(p.us.context));
	r = pair_revoke(&p, 0);
	ask(&a, p.us, &r);
	CHECK(!a.answer.refused && SAME(a.answer.next_point, p.our_points[2]));
	CHECK(p.us.ahead(p.us.context) && !p.us.ahead(p.us.context));
	hits = memo_hits(memo);
	CHECK(memo_secret(memo, &p.our_secrets[3], &p.our_points[3]));
	CHECK_EQ(memo_hits(memo), hits + 1);
	r = pair_revoke(&p, 1);
	ask(&a, p.us, &r);
	CHECK(!a.answer.refused && SAME(a.answer.next_point, p.our_points[3]) && SAME(a.answer.secret, p.our_secrets[1]));
	pair_release(&p);
	memo_free(memo);
}
