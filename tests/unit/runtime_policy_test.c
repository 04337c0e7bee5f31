/* The policy checker: what an honest core asks passes, and each thing that could lose money is refused, alone. */
#include "tests/test.h"

#include <string.h>

#include "contract/closing.h"
#include "runtime/signer/policy.h"
#include "tests/unit/signer_setup.h"

/* runtime_policy_memo_test.c runs the same tests with a memo that has seen all of them. */
#ifndef MEMO_OF_ALL_TESTS
#define MEMO_OF_ALL_TESTS NULL
#endif

static struct memo *memo_of_all_tests(void)
{
	return MEMO_OF_ALL_TESTS;
}

struct guarded {
	struct pair pair;
	struct policy_signer *policy;
	struct signer_port port;
	struct answered a;
};

/* A policy that has seen nothing of the channel, as after a restart. */
static void guard(struct guarded *g, const struct policy_limits *limits)
{
	struct policy_limits own;

	policy_limits_default(&own);
	if (limits)
		own = *limits;
	own.memo = memo_of_all_tests();
	policy_signer_free(g->policy);
	g->policy = policy_signer_new(g->pair.us, &own);
	g->port = policy_signer_port(g->policy);
}

/* A policy that saw the channel's keys being made. */
static void guarded_init(struct guarded *g)
{
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);

	memset(g, 0, sizeof(*g));
	pair_init(&g->pair);
	guard(g, NULL);
	ask(&g->a, g->port, &r);
	CHECK(!g->a.answer.refused);
}

static void guarded_release(struct guarded *g)
{
	policy_signer_free(g->policy);
	pair_release(&g->pair);
}

static bool allowed(struct guarded *g, const struct sign_request *r)
{
	uint64_t before = policy_signer_refusals(g->policy);

	ask(&g->a, g->port, r);
	if (!g->a.answer.refused)
		return policy_signer_refusals(g->policy) == before;
	return false;
}

/* Refused by the policy itself, for that reason, and nothing secret or signed came with it. */
static bool refused(struct guarded *g, const struct sign_request *r, const char *part)
{
	uint64_t before = policy_signer_refusals(g->policy);

	ask(&g->a, g->port, r);
	return g->a.answer.refused && strstr(g->a.reason, part) &&
	       policy_signer_refusals(g->policy) == before + 1 && g->a.answer.signature_count == 0 &&
	       bytes_all_zero(BYTES_OF(g->a.answer.secret.v)) && bytes_all_zero(BYTES_OF(g->a.answer.signature.v));
}

/* Signs theirs and revokes ours up to and with these numbers. */
static void advance(struct guarded *g, uint64_t remote, uint64_t revoked)
{
	struct sign_request r;

	for (uint64_t n = 0; n <= remote; n++) {
		r = pair_remote(&g->pair, n);
		CHECK(allowed(g, &r));
	}
	for (uint64_t n = 0; n <= revoked; n++) {
		r = pair_revoke(&g->pair, n);
		CHECK(allowed(g, &r));
	}
}

TEST(an_honest_channel_passes)
{
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	for (uint64_t n = 0; n + 2 < PAIR_NUMBERS; n++) {
		struct commitment_spec *ours = pair_number(&g.pair, true, n + 1);

		r = pair_remote(&g.pair, n);
		pair_add_htlcs(&g.pair, r.u.commitment);
		CHECK(allowed(&g, &r));
		CHECK_EQ(g.a.answer.signature_count, 2);
		/* Asked again after a reconnection it is signed again. */
		CHECK(allowed(&g, &r));
		pair_add_htlcs(&g.pair, ours);
		r = pair_revoke_with(&g.pair, ours);
		CHECK(allowed(&g, &r));
		CHECK(SAME(g.a.answer.secret, g.pair.our_secrets[n]));
		/* And so is the last secret. */
		CHECK(allowed(&g, &r));
		CHECK(SAME(g.a.answer.secret, g.pair.our_secrets[n]));
	}
	r = request_of(SIGN_LOCAL_COMMITMENT);
	r.u.commitment = pair_number(&g.pair, true, PAIR_NUMBERS - 2);
	CHECK(allowed(&g, &r));
	CHECK_EQ(policy_signer_refusals(g.policy), 0);
	guarded_release(&g);
}

/* B5.revoked_transaction_close_handling.1, P-1 */
TEST(revoked_commitment_is_not_signed)
{
	struct guarded g;
	struct sign_request r = request_of(SIGN_LOCAL_COMMITMENT);

	guarded_init(&g);
	advance(&g, 0, 2);
	for (uint64_t n = 0; n <= 2; n++) {
		r.u.commitment = pair_number(&g.pair, true, n);
		CHECK(refused(&g, &r, "revoked"));
	}
	r.u.commitment = pair_number(&g.pair, true, 5);
	CHECK(refused(&g, &r, "does not exist"));
	r.u.commitment = pair_number(&g.pair, true, 3);
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* Nor its second stage. */
TEST(second_stage_of_a_revoked_commitment_is_not_signed)
{
	struct sign_request r = request_of(SIGN_SPEND);
	struct commitment_spec *spec;
	struct spend_input spend;
	struct commitment *c;
	struct htlc_tx *h;
	struct guarded g;

	guarded_init(&g);
	for (uint64_t n = 0; n < 2; n++) {
		spec = pair_number(&g.pair, true, 1);
		pair_add_htlcs(&g.pair, spec);
		c = commitment_build(&g.pair.arena, spec);
		h = htlc_tx_build(&g.pair.arena, c, 0);
		spend = (struct spend_input){ .kind = SPEND_HTLC_LOCAL, .channel_key = PAIR_KEY,
					      .per_commitment_point = g.pair.our_points[1], .commitment_number = 1,
					      .witness_script = h->input_script, .amount = h->input_amount,
					      .hash_type = 1 };
		r.u.spend.tx = h->tx;
		r.u.spend.inputs = &spend;
		r.u.spend.count = 1;
		if (n == 0) {
			struct sign_request revoke = pair_revoke(&g.pair, 0);

			CHECK(allowed(&g, &revoke));
			CHECK(allowed(&g, &r));
		} else {
			struct sign_request revoke = pair_revoke(&g.pair, 1);

			CHECK(allowed(&g, &revoke));
			CHECK(refused(&g, &r, "revoked"));
		}
	}
	guarded_release(&g);
}

/* P-3 */
TEST(one_remote_commitment_of_a_number)
{
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	advance(&g, 1, 0);
	r = pair_remote(&g.pair, 1);
	CHECK(allowed(&g, &r));
	pair_add_htlcs(&g.pair, r.u.commitment);
	CHECK(refused(&g, &r, "another"));
	r = pair_remote(&g.pair, 1);
	r.u.commitment->per_commitment_point = g.pair.their_points[2];
	CHECK(refused(&g, &r, "another"));
	r = pair_remote(&g.pair, 1);
	r.u.commitment->feerate = FEERATE(1001);
	CHECK(refused(&g, &r, "another"));
	guarded_release(&g);
}

/* An HTLC's expiry is not in the commitment where its broadcaster offered it, but in the transaction that we
 * countersign. */
TEST(fingerprint_covers_htlc_transactions)
{
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	r = pair_remote(&g.pair, 0);
	pair_add_htlcs(&g.pair, r.u.commitment);
	CHECK(allowed(&g, &r));
	((struct commitment_htlc *)(uintptr_t)r.u.commitment->htlcs)[0].cltv_expiry++;
	CHECK(refused(&g, &r, "another"));
	guarded_release(&g);
}

TEST(remote_numbers_go_up_by_one)
{
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	/* A channel whose beginning we saw begins with 0. */
	r = pair_remote(&g.pair, 1);
	CHECK(refused(&g, &r, "number 0"));
	advance(&g, 1, 0);
	r = pair_remote(&g.pair, 3);
	CHECK(refused(&g, &r, "skips"));
	r = pair_remote(&g.pair, 0);
	CHECK(refused(&g, &r, "later"));
	r = pair_remote(&g.pair, 2);
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

TEST(next_remote_commitment_waits_for_the_revocation)
{
	struct secret32 zero = { { 0 } };
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	advance(&g, 1, 0);
	r = pair_remote(&g.pair, 2);
	r.remote_revoked = NULL;
	CHECK(refused(&g, &r, "not revoked"));
	r.remote_revoked = &g.pair.their_secrets[1];
	CHECK(refused(&g, &r, "not revoked"));
	r.remote_revoked = &zero;
	CHECK(refused(&g, &r, "not revoked"));
	r.remote_revoked = &g.pair.their_secrets[0];
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* P-1 */
TEST(secrets_are_released_in_order)
{
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	r = pair_revoke(&g.pair, 1);
	CHECK(refused(&g, &r, "in order"));
	advance(&g, 0, 1);
	r = pair_revoke(&g.pair, 3);
	CHECK(refused(&g, &r, "in order"));
	r = pair_revoke(&g.pair, 0);
	CHECK(refused(&g, &r, "in order"));
	r = pair_revoke(&g.pair, 1);
	CHECK(allowed(&g, &r));
	r = pair_revoke(&g.pair, 2);
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* P-2 */
TEST(secret_waits_for_a_countersigned_successor)
{
	struct commitment_spec *next;
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	r = pair_revoke(&g.pair, 0);
	r.u.revoke.next = NULL;
	CHECK(refused(&g, &r, "nothing replaces"));
	r = pair_revoke(&g.pair, 0);
	r.u.revoke.next = pair_number(&g.pair, true, 2);
	CHECK(refused(&g, &r, "not the next one"));
	r = pair_revoke(&g.pair, 0);
	r.u.revoke.signature.v[40] ^= 1;
	CHECK(refused(&g, &r, "not countersigned"));
	/* Signed, but another one: the peer keeps a thousand satoshi. */
	r = pair_revoke(&g.pair, 0);
	r.u.revoke.next->broadcaster_balance = MSAT(599000000);
	r.u.revoke.next->countersignatory_balance = MSAT(401000000);
	CHECK(refused(&g, &r, "not countersigned"));
	/* At a point that is not ours. */
	r = pair_revoke(&g.pair, 0);
	r.u.revoke.next->per_commitment_point = g.pair.their_points[1];
	CHECK(refused(&g, &r, "not at our point"));
	/* HTLCs without their signatures. */
	next = pair_number(&g.pair, true, 1);
	pair_add_htlcs(&g.pair, next);
	r = pair_revoke_with(&g.pair, next);
	r.u.revoke.htlc_signature_count = 1;
	CHECK(refused(&g, &r, "lacks HTLC"));
	r.u.revoke.htlc_signature_count = 2;
	r.u.revoke.htlc_signatures[1].v[3] ^= 1;
	CHECK(refused(&g, &r, "HTLC of our next commitment is not countersigned"));
	r.u.revoke.htlc_signatures[1].v[3] ^= 1;
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

TEST(no_secret_after_a_signature_for_broadcast)
{
	struct sign_request r = request_of(SIGN_LOCAL_COMMITMENT);
	struct guarded g;

	guarded_init(&g);
	advance(&g, 0, 0);
	r.u.commitment = pair_number(&g.pair, true, 1);
	CHECK(allowed(&g, &r));
	r = pair_revoke(&g.pair, 1);
	CHECK(refused(&g, &r, "for broadcast"));
	/* What was released before may be said again. */
	r = pair_revoke(&g.pair, 0);
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* The countersigned successor may go out first: what it replaces is then revoked as ever, but not it. */
TEST(broadcast_of_the_successor)
{
	struct sign_request r = request_of(SIGN_LOCAL_COMMITMENT);
	struct guarded g;

	guarded_init(&g);
	advance(&g, 0, 0);
	r.u.commitment = pair_number(&g.pair, true, 2);
	CHECK(allowed(&g, &r));
	r = pair_revoke(&g.pair, 1);
	CHECK(allowed(&g, &r));
	r = pair_revoke(&g.pair, 2);
	CHECK(refused(&g, &r, "for broadcast"));
	guarded_release(&g);
}

/* Each answer tells the policy one point more. */
TEST(points_are_learnt_from_answers)
{
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	for (uint64_t n = 0; n + 2 < PAIR_NUMBERS; n++) {
		r = pair_revoke(&g.pair, n);
		r.u.revoke.next->per_commitment_point = g.pair.our_points[n];
		CHECK(refused(&g, &r, "not at our point"));
		r = pair_revoke(&g.pair, n);
		CHECK(allowed(&g, &r));
	}
	guarded_release(&g);
}

/* An inner signer that is away: its refusals teach nothing. */
static void refuse_all(void *context, const struct sign_request *request, signer_done *done, void *owner, uint64_t id)
{
	struct sign_answer answer = { .refused = true, .reason = "away" };
	bool *away = context;

	(void)request;
	if (!*away)
		answer.refused = false;
	done(owner, id, &answer);
}

TEST(refusals_of_the_inner_signer_teach_nothing)
{
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);
	struct policy_limits limits;
	struct policy_signer *policy;
	bool away = true;
	struct guarded g;

	guarded_init(&g);
	policy_limits_default(&limits);
	policy = policy_signer_new((struct signer_port){ &away, refuse_all, NULL, false }, &limits);
	ask(&g.a, policy_signer_port(policy), &r);
	CHECK(g.a.answer.refused && strcmp(g.a.reason, "away") == 0);
	away = false;
	r = pair_remote(&g.pair, 0);
	ask(&g.a, policy_signer_port(policy), &r);
	CHECK(!g.a.answer.refused);
	CHECK_EQ(policy_signer_refusals(policy), 0);
	policy_signer_free(policy);
	guarded_release(&g);
}

/* Openings that came to nothing do not fill the book. */
TEST(forgotten_openings_make_room)
{
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);
	struct policy_limits limits;
	struct policy_signer *policy;
	struct guarded g;
	bool away = true;

	guarded_init(&g);
	policy_limits_default(&limits);
	policy = policy_signer_new((struct signer_port){ &away, refuse_all, NULL, false }, &limits);
	for (uint64_t i = 0; i < 65536 + 100; i++) {
		r.channel_key = i;
		ask(&g.a, policy_signer_port(policy), &r);
	}
	CHECK_EQ(policy_signer_refusals(policy), 0);
	policy_signer_free(policy);
	guarded_release(&g);
}

/* P-4, on all three ways in which a commitment reaches the signer. */
static void check_spec_refused(struct guarded *g, const char *part, void (*spoil)(struct commitment_spec *, bool ours))
{
	struct sign_request r = pair_remote(&g->pair, 1);

	spoil(r.u.commitment, false);
	CHECK(refused(g, &r, part));
	r = pair_revoke(&g->pair, 0);
	spoil(r.u.revoke.next, true);
	CHECK(refused(g, &r, part));
	if (strcmp(part, "feerate") == 0)
		return; /* judged when it is new, not when it is all that we have */
	r = request_of(SIGN_LOCAL_COMMITMENT);
	r.u.commitment = pair_number(&g->pair, true, 0);
	spoil(r.u.commitment, true);
	CHECK(refused(g, &r, part));
}

static void spoil_more(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->broadcaster_balance.v++;
}

static void spoil_less(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->countersignatory_balance.v--;
}

static void spoil_wrap(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->countersignatory_balance.v = UINT64_MAX;
}

static void spoil_htlc(struct commitment_spec *s, bool ours)
{
	static const struct commitment_htlc h = { .amount = { 1 } };

	(void)ours;
	s->htlcs = &h;
	s->htlc_count = 1;
}

static void spoil_low_feerate(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->feerate = FEERATE(252);
}

static void spoil_high_feerate(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->feerate = FEERATE(250001);
}

static void spoil_funding(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->funding.index++;
}

static void spoil_type(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->type = COMMITMENT_STATIC_REMOTEKEY;
}

static void spoil_opener(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->broadcaster_is_opener = !s->broadcaster_is_opener;
}

static void spoil_dust(struct commitment_spec *s, bool ours)
{
	(void)ours;
	s->dust_limit = SAT(355);
}

static void spoil_peer_keys(struct commitment_spec *s, bool ours)
{
	static struct basepoints other;

	other = ours ? *s->countersignatory : *s->broadcaster;
	other.revocation = other.payment;
	if (ours)
		s->countersignatory = &other;
	else
		s->broadcaster = &other;
}

static void spoil_our_keys(struct commitment_spec *s, bool ours)
{
	static struct basepoints other;

	other = ours ? *s->broadcaster : *s->countersignatory;
	other.payment = other.htlc;
	if (ours)
		s->broadcaster = &other;
	else
		s->countersignatory = &other;
}

TEST(commitments_must_add_up_and_keep_their_terms)
{
	struct sign_request r;
	struct guarded g;

	guarded_init(&g);
	r = pair_remote(&g.pair, 0);
	CHECK(allowed(&g, &r));
	check_spec_refused(&g, "add up", spoil_more);
	check_spec_refused(&g, "add up", spoil_less);
	check_spec_refused(&g, "add up", spoil_wrap);
	check_spec_refused(&g, "add up", spoil_htlc);
	check_spec_refused(&g, "feerate", spoil_low_feerate);
	check_spec_refused(&g, "feerate", spoil_high_feerate);
	check_spec_refused(&g, "terms", spoil_funding);
	check_spec_refused(&g, "terms", spoil_type);
	check_spec_refused(&g, "terms", spoil_opener);
	check_spec_refused(&g, "terms", spoil_peer_keys);
	check_spec_refused(&g, "our keys", spoil_our_keys);
	/* None of that moved anything. */
	advance(&g, 1, 0);
	/* Each side's own terms are kept too, once seen. */
	r = pair_remote(&g.pair, 2);
	spoil_dust(r.u.commitment, false);
	CHECK(refused(&g, &r, "terms"));
	r = pair_revoke(&g.pair, 1);
	r.u.revoke.next->to_self_delay++;
	CHECK(refused(&g, &r, "terms"));
	guarded_release(&g);
}

TEST(terms_have_bounds)
{
	struct sign_request r;
	struct guarded g;

	guarded_init(&g);
	r = pair_remote(&g.pair, 0);
	r.u.commitment->dust_limit = SAT(10001);
	CHECK(refused(&g, &r, "dust limit"));
	r = pair_remote(&g.pair, 0);
	r.u.commitment->to_self_delay = 2;
	CHECK(refused(&g, &r, "no time to punish"));
	r = pair_revoke(&g.pair, 0);
	r.u.revoke.next->to_self_delay = 2017;
	CHECK(refused(&g, &r, "delayed for too long"));
	r = pair_revoke(&g.pair, 0);
	r.u.revoke.next->to_self_delay = 2016;
	CHECK(refused(&g, &r, "not countersigned"));
	r = pair_remote(&g.pair, 0);
	memset(r.u.commitment->per_commitment_point.v, 7, 33);
	CHECK(refused(&g, &r, "cannot be built"));
	/* The bounds themselves are within. */
	r = pair_remote(&g.pair, 0);
	r.u.commitment->dust_limit = SAT(10000);
	r.u.commitment->to_self_delay = 3;
	r.u.commitment->feerate = FEERATE(253);
	CHECK(allowed(&g, &r));
	g.pair.their_spec = *r.u.commitment;
	r = pair_remote(&g.pair, 1);
	r.u.commitment->feerate = FEERATE(250000);
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* A commitment of other times, with other bounds: our money is in it, so it can be published. */
TEST(our_commitment_is_published_whatever_its_feerate)
{
	struct sign_request r = request_of(SIGN_LOCAL_COMMITMENT);
	struct guarded g;

	guarded_init(&g);
	guard(&g, NULL);
	r.u.commitment = pair_number(&g.pair, true, 4);
	r.u.commitment->feerate = FEERATE(250001);
	r.u.commitment->to_self_delay = 3000;
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* Keys that the core claims to have derived are derived again. */
TEST(keys_of_the_core_are_not_trusted)
{
	struct commitment_keys keys;
	struct sig64 right;
	struct guarded g;
	struct sign_request r;

	guarded_init(&g);
	r = pair_remote(&g.pair, 0);
	CHECK(allowed(&g, &r));
	right = g.a.answer.signature;
	CHECK(commitment_keys_derive(&keys, &g.pair.their, &g.pair.our, &g.pair.their_points[0]));
	/* A revocation key of the peer's choice: it could cheat unpunished. */
	keys.revocation = g.pair.their.payment;
	r.u.commitment->keys = &keys;
	ask(&g.a, g.pair.us, &r);
	CHECK(!SAME(g.a.answer.signature, right));
	CHECK(allowed(&g, &r));
	CHECK(SAME(g.a.answer.signature, right));
	guarded_release(&g);
}

TEST(keys_in_use_are_not_given_out_again)
{
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);
	struct guarded g;

	guarded_init(&g);
	CHECK(allowed(&g, &r));
	{
		struct sign_request first = pair_remote(&g.pair, 0);

		CHECK(allowed(&g, &first));
	}
	CHECK(refused(&g, &r, "in use"));
	guarded_release(&g);
}

/* After a restart the first request of each kind is taken, and held to from then on. */
TEST(restart_takes_the_first_request_as_baseline)
{
	struct sign_request r;
	struct guarded g;

	guarded_init(&g);
	guard(&g, NULL);
	r = pair_remote(&g.pair, 4);
	CHECK(allowed(&g, &r));
	r = pair_remote(&g.pair, 3);
	CHECK(refused(&g, &r, "later"));
	r = pair_remote(&g.pair, 5);
	r.remote_revoked = NULL;
	CHECK(refused(&g, &r, "not revoked"));
	r.remote_revoked = &g.pair.their_secrets[3];
	CHECK(allowed(&g, &r));
	r = pair_remote(&g.pair, 6);
	r.remote_revoked = &g.pair.their_secrets[3];
	CHECK(refused(&g, &r, "not revoked"));
	r = pair_revoke(&g.pair, 3);
	CHECK(allowed(&g, &r));
	r = pair_revoke(&g.pair, 5);
	CHECK(refused(&g, &r, "in order"));
	r = request_of(SIGN_LOCAL_COMMITMENT);
	r.u.commitment = pair_number(&g.pair, true, 3);
	CHECK(refused(&g, &r, "revoked"));
	guarded_release(&g);
}

TEST(verification_can_be_left_to_the_core)
{
	struct policy_limits limits;
	struct sign_request r;
	struct guarded g;

	policy_limits_default(&limits);
	limits.verify_signatures = false;
	guarded_init(&g);
	guard(&g, &limits);
	r = pair_revoke(&g.pair, 0);
	r.u.revoke.signature.v[40] ^= 1;
	CHECK(allowed(&g, &r));
	/* The rest is not. */
	r = pair_revoke(&g.pair, 1);
	r.u.revoke.next = NULL;
	CHECK(refused(&g, &r, "nothing replaces"));
	guarded_release(&g);
}

/* --- Closing --- */

/* We are the opener, own 600,000 sat and pay `fee`. */
static struct sign_request close_request(struct guarded *g, uint64_t fee_sat)
{
	struct sign_request r = request_of(SIGN_MUTUAL_CLOSE);
	struct closing_spec spec = {
		.form = CLOSING_LEGACY,
		.funding = g->pair.our_spec.funding,
		.funding_amount = SAT(PAIR_FUNDING_SAT),
		.payer_funding = g->pair.our.funding,
		.other_funding = g->pair.their.funding,
		.payer = { MSAT(600000000), script_p2wpkh(&g->pair.arena, &g->pair.our.payment), false },
		.other = { MSAT(400000000), script_p2wpkh(&g->pair.arena, &g->pair.their.payment), false },
		.fee = SAT(fee_sat),
		.dust_limit = SAT(354),
	};
	struct closing *c = closing_build(&g->pair.arena, &spec);

	CHECK(c && c->tx->output_count == 2);
	r.u.mutual_close.tx = c->tx;
	r.u.mutual_close.funding_amount = spec.funding_amount;
	r.u.mutual_close.remote_funding = g->pair.their.funding;
	r.u.mutual_close.to_local = c->tx->outputs[c->payer_output].amount;
	r.u.mutual_close.to_remote = c->tx->outputs[c->other_output].amount;
	r.u.mutual_close.local_script = spec.payer.script;
	r.u.mutual_close.local_balance = MSAT(600000000);
	r.u.mutual_close.local_pays_fee = true;
	return r;
}

static struct tx_output *output_of(const struct sign_request *r, struct amount_sat amount)
{
	struct tx *t = r->u.mutual_close.tx;

	return sat_cmp(t->outputs[0].amount, amount) == 0 ? &t->outputs[0] : &t->outputs[1];
}

/* Moves satoshi from our output to the peer's, in the transaction and in the request. */
static void move_to_peer(const struct sign_request *r, struct sign_request *out, uint64_t sat)
{
	struct tx_output *ours = output_of(r, r->u.mutual_close.to_local);
	struct tx_output *theirs = output_of(r, r->u.mutual_close.to_remote);

	*out = *r;
	ours->amount.v -= sat;
	theirs->amount.v += sat;
	out->u.mutual_close.to_local = ours->amount;
	out->u.mutual_close.to_remote = theirs->amount;
}

TEST(fair_close_passes)
{
	struct sign_request r;
	struct guarded g;

	guarded_init(&g);
	advance(&g, 1, 0);
	r = close_request(&g, 500);
	CHECK(allowed(&g, &r));
	r = close_request(&g, 169000);
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* P-5 */
TEST(close_that_robs_us_is_refused)
{
	struct sign_request r, worse;
	struct guarded g;

	guarded_init(&g);
	advance(&g, 1, 0);
	r = close_request(&g, 500);
	move_to_peer(&r, &worse, 1);
	CHECK(refused(&g, &worse, "more than its balance"));
	/* The core's own opinion of our balance does not help. */
	worse.u.mutual_close.local_balance = MSAT(599999000);
	CHECK(refused(&g, &worse, "more than its balance"));
	/* A fee of 1000 sat/vB is the bound: 250,000 sat/kw * 676. */
	r = close_request(&g, 169001);
	CHECK(refused(&g, &r, "less than our balance"));
	/* Nor does the peer's loss go to the miners for ever: we would be asked to pay for it next. */
	r = close_request(&g, 500);
	output_of(&r, r.u.mutual_close.to_remote)->amount = SAT(1000);
	r.u.mutual_close.to_remote = SAT(1000);
	CHECK(refused(&g, &r, "fee of the close"));
	guarded_release(&g);
}

TEST(close_must_be_what_it_says)
{
	struct sign_request r;
	struct guarded g;

	guarded_init(&g);
	advance(&g, 1, 0);
	/* Our amount goes to another script. */
	r = close_request(&g, 500);
	r.u.mutual_close.local_script = script_p2wpkh(&g.pair.arena, &g.pair.our.htlc);
	CHECK(refused(&g, &r, "other outputs"));
	r = close_request(&g, 500);
	r.u.mutual_close.to_local.v++;
	CHECK(refused(&g, &r, "other outputs"));
	r = close_request(&g, 500);
	r.u.mutual_close.to_remote.v--;
	CHECK(refused(&g, &r, "other outputs"));
	r = close_request(&g, 500);
	r.u.mutual_close.to_remote = SAT(0);
	CHECK(refused(&g, &r, "other outputs"));
	r = close_request(&g, 500);
	r.u.mutual_close.tx->inputs[0].prev.index++;
	CHECK(refused(&g, &r, "does not spend this channel"));
	r = close_request(&g, 500);
	r.u.mutual_close.funding_amount = SAT(PAIR_FUNDING_SAT + 1);
	CHECK(refused(&g, &r, "terms"));
	r = close_request(&g, 500);
	r.u.mutual_close.remote_funding = g.pair.their.payment;
	CHECK(refused(&g, &r, "terms"));
	r = close_request(&g, 500);
	r.u.mutual_close.local_pays_fee = false;
	CHECK(refused(&g, &r, "terms"));
	guarded_release(&g);
}

TEST(close_waits_for_htlcs)
{
	struct commitment_spec *next;
	struct sign_request r, close;
	struct guarded g;

	guarded_init(&g);
	r = pair_remote(&g.pair, 0);
	CHECK(allowed(&g, &r));
	close = close_request(&g, 500);
	CHECK(allowed(&g, &close));
	next = pair_number(&g.pair, true, 1);
	pair_add_htlcs(&g.pair, next);
	r = pair_revoke_with(&g.pair, next);
	CHECK(allowed(&g, &r));
	CHECK(refused(&g, &close, "HTLCs"));
	guarded_release(&g);
}

/* Between two commitments the lesser balance is ours for sure. */
TEST(close_counts_the_lesser_balance)
{
	struct commitment_spec *next;
	struct sign_request r, close;
	struct guarded g;

	guarded_init(&g);
	r = pair_remote(&g.pair, 0);
	CHECK(allowed(&g, &r));
	next = pair_number(&g.pair, true, 1);
	next->broadcaster_balance = MSAT(590000000);
	next->countersignatory_balance = MSAT(410000000);
	r = pair_revoke_with(&g.pair, next);
	CHECK(allowed(&g, &r));
	r = close_request(&g, 0);
	move_to_peer(&r, &close, 10000);
	CHECK(allowed(&g, &close));
	r = close;
	move_to_peer(&r, &close, 1);
	CHECK(refused(&g, &close, "more than its balance"));
	guarded_release(&g);
}

/* Just after a restart there is the core's word, and it is held to it. */
TEST(close_after_a_restart)
{
	struct sign_request r, close;
	struct guarded g;

	guarded_init(&g);
	guard(&g, NULL);
	r = close_request(&g, 500);
	CHECK(allowed(&g, &r));
	move_to_peer(&r, &close, 1);
	CHECK(refused(&g, &close, "more than its balance"));
	close.u.mutual_close.local_balance = MSAT(PAIR_FUNDING_SAT * 1000 + 1);
	CHECK(refused(&g, &close, "exceeds the channel"));
	guarded_release(&g);
}

/* Where only the other side pays, our output is exact; and it may be left out only as dust. */
TEST(close_by_the_fundee)
{
	struct policy_limits limits;
	struct sign_request r, worse;
	struct guarded g;

	guarded_init(&g);
	g.pair.our_spec.broadcaster_is_opener = false;
	g.pair.their_spec.broadcaster_is_opener = true;
	advance(&g, 0, 0);
	r = close_request(&g, 0);
	r.u.mutual_close.local_pays_fee = false;
	CHECK(allowed(&g, &r));
	output_of(&r, r.u.mutual_close.to_remote)->amount = SAT(399000);
	r.u.mutual_close.to_remote = SAT(399000);
	CHECK(allowed(&g, &r));
	output_of(&r, r.u.mutual_close.to_local)->amount = SAT(599999);
	worse = r;
	worse.u.mutual_close.to_local = SAT(599999);
	CHECK(refused(&g, &worse, "less than our balance"));
	/* Left out. */
	r.u.mutual_close.tx->outputs[0] = *output_of(&r, r.u.mutual_close.to_remote);
	r.u.mutual_close.tx->output_count = 1;
	r.u.mutual_close.to_local = SAT(0);
	CHECK(refused(&g, &r, "less than our balance"));
	policy_limits_default(&limits);
	limits.dust_limit_max = SAT(600000);
	guard(&g, &limits);
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* --- Spends --- */

TEST(spend_that_is_mostly_fee_is_refused)
{
	struct sign_request r = request_of(SIGN_SPEND);
	struct commitment_spec *spec;
	struct spend_input spend;
	struct sweep_input in;
	struct commitment *c;
	struct bytes script;
	struct guarded g;

	guarded_init(&g);
	spec = pair_number(&g.pair, true, 0);
	c = commitment_build(&g.pair.arena, spec);
	CHECK(sweep_to_local(&in, c));
	spend = (struct spend_input){ .kind = SPEND_TO_LOCAL_DELAYED, .channel_key = PAIR_KEY,
				      .per_commitment_point = g.pair.our_points[0],
				      .witness_script = in.witness_script, .amount = in.amount, .hash_type = 1 };
	script = script_p2wpkh(&g.pair.arena, &g.pair.our.payment);
	r.u.spend.inputs = &spend;
	r.u.spend.count = 1;
	r.u.spend.tx = sweep_build(&g.pair.arena, &in, 1, script, SAT(in.amount.v / 2), SAT(0), 0);
	CHECK(allowed(&g, &r));
	r.u.spend.tx = sweep_build(&g.pair.arena, &in, 1, script, SAT(in.amount.v / 2 + 1), SAT(0), 0);
	CHECK(refused(&g, &r, "fee of the spend"));
	r.u.spend.tx->outputs[0].amount = SAT(in.amount.v + 1);
	CHECK(refused(&g, &r, "more than its inputs"));
	/* With a wallet's input beside it the sum is not known here. */
	r.u.spend.tx = tx_new(&g.pair.arena, 2, 2, 1, 0);
	r.u.spend.tx->inputs[0].prev = in.prev;
	r.u.spend.tx->outputs[0] = (struct tx_output){ SAT(in.amount.v + 1), script };
	CHECK(allowed(&g, &r));
	guarded_release(&g);
}

/* No funds hang on the node key. */
TEST(node_key_requests_pass)
{
	struct sign_request r = request_of(SIGN_GOSSIP);
	struct guarded g;

	guarded_init(&g);
	r.u.message = bytes_from_string("gossip");
	CHECK(allowed(&g, &r));
	r.kind = SIGN_INVOICE;
	CHECK(allowed(&g, &r));
	r.kind = SIGN_ECDH;
	r.u.point = g.pair.their.payment;
	CHECK(allowed(&g, &r));
	r.kind = (enum sign_kind)0;
	CHECK(refused(&g, &r, "kind"));
	guarded_release(&g);
}
