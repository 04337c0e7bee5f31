/* Two signers with a channel between them, and what a core would ask of one:
 * `us` is the signer under test, `them` a plain local signer for the peer. */
#ifndef TESTS_SIGNER_SETUP_H
#define TESTS_SIGNER_SETUP_H

#include "contract/sweep.h"
#include "crypto/hash.h"
#include "runtime/signer/local.h"
#include "tests/test.h"

#define PAIR_KEY 0x0102030405060708ull
#define PAIR_FUNDING_SAT 1000000ull
#define PAIR_NUMBERS 8u

struct answered {
	bool done;
	uint64_t id;
	struct sign_answer answer;
	struct sig64 signatures[16]; /* answer.signatures points here */
	char reason[128];            /* and answer.reason here */
};

static inline void take_answer(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct answered *a = owner;

	CHECK(!a->done); /* exactly once */
	a->done = true;
	a->id = id;
	a->answer = *answer;
	CHECK(answer->signature_count <= ARRAY_COUNT(a->signatures));
	if (answer->signature_count)
		memcpy(a->signatures, answer->signatures, answer->signature_count * sizeof(a->signatures[0]));
	a->answer.signatures = a->signatures;
	if (answer->refused) {
		CHECK(answer->reason && strlen(answer->reason) < sizeof(a->reason));
		strcpy(a->reason, answer->reason);
		a->answer.reason = a->reason;
	}
}

/* Asks and takes the answer, which must come at once. */
static inline void ask_here(struct answered *out, struct signer_port port, const struct sign_request *r)
{
	out->done = false;
	port.request(port.context, r, take_answer, out, 77);
	CHECK(out->done);
	CHECK_EQ(out->id, 77);
}

#ifdef SIGNER_THROUGH_CODEC
/* The signer is in another process: question and answer pass as bytes. */
#include "runtime/signer/codec.h"

struct crossing {
	void *owner;
	enum sign_kind kind;
	struct arena arena;
};

static inline void cross_back(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct crossing *x = owner;
	struct sign_answer decoded;
	struct buf bytes = BUF_EMPTY, again = BUF_EMPTY;

	sign_answer_encode(answer, x->kind, &bytes);
	CHECK(sign_answer_decode(&decoded, &x->arena, x->kind, buf_view(&bytes)));
	sign_answer_encode(&decoded, x->kind, &again);
	CHECK(bytes_equal(buf_view(&bytes), buf_view(&again)));
	take_answer(x->owner, id, &decoded);
	buf_release(&bytes);
	buf_release(&again);
}

static inline void ask(struct answered *out, struct signer_port port, const struct sign_request *r)
{
	struct crossing x = { .owner = out, .kind = r->kind };
	struct buf bytes = BUF_EMPTY, again = BUF_EMPTY;
	struct sign_request *decoded;

	/* What has no form in bytes cannot reach a signer over there. */
	if (r->kind > SIGN_POINT || (r->kind == SIGN_MUTUAL_CLOSE && !r->u.mutual_close.tx->input_count)) {
		ask_here(out, port, r);
		return;
	}
	arena_init(&x.arena);
	sign_request_encode(r, &bytes);
	decoded = sign_request_decode(&x.arena, buf_view(&bytes));
	CHECK(decoded);
	sign_request_encode(decoded, &again);
	CHECK(bytes_equal(buf_view(&bytes), buf_view(&again)));
	out->done = false;
	port.request(port.context, decoded, cross_back, &x, 77);
	CHECK(out->done);
	CHECK_EQ(out->id, 77);
	arena_release(&x.arena);
	buf_release(&bytes);
	buf_release(&again);
}
#else
static inline void ask(struct answered *out, struct signer_port port, const struct sign_request *r)
{
	ask_here(out, port, r);
}
#endif

struct pair {
	struct local_signer *local, *peer;
	struct signer_port us, them;
	struct basepoints our, their;
	struct pubkey our_points[PAIR_NUMBERS], their_points[PAIR_NUMBERS];
	struct secret32 our_secrets[PAIR_NUMBERS], their_secrets[PAIR_NUMBERS];
	struct commitment_spec our_spec, their_spec; /* ours and theirs of number 0, no HTLCs */
	struct arena arena;
	struct secp *secp;
};

static inline struct sign_request request_of(enum sign_kind kind)
{
	return (struct sign_request){ .kind = kind, .channel_key = PAIR_KEY };
}

/* A signer gives its points away one REVOKE at a time; the test's own use needs them all. */
static inline void pair_points(struct pair *p, struct signer_port port, struct basepoints *base,
			       struct pubkey *points, struct secret32 *secrets)
{
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);
	struct answered a;

	ask(&a, port, &r);
	CHECK(!a.answer.refused);
	*base = a.answer.basepoints;
	points[0] = a.answer.first_points[0];
	points[1] = a.answer.first_points[1];
	r = request_of(SIGN_REVOKE);
	for (uint64_t n = 0; n < PAIR_NUMBERS; n++) {
		struct pubkey check;

		r.u.revoke = (struct sign_revoke){ .number = n };
		ask(&a, port, &r);
		CHECK(!a.answer.refused);
		secrets[n] = a.answer.secret;
		if (n + 2 < PAIR_NUMBERS)
			points[n + 2] = a.answer.next_point;
		pubkey_of(p->secp, &check, &secrets[n]);
		CHECK(SAME(check, points[n]));
	}
}

static inline struct commitment_spec pair_spec(const struct pair *p, bool ours)
{
	return (struct commitment_spec){
		.type = COMMITMENT_ANCHORS,
		.funding = { .txid = { { 9 } }, .index = 1 },
		.funding_amount = SAT(PAIR_FUNDING_SAT),
		.broadcaster = ours ? &p->our : &p->their,
		.countersignatory = ours ? &p->their : &p->our,
		.per_commitment_point = ours ? p->our_points[0] : p->their_points[0],
		.broadcaster_is_opener = ours,
		.feerate = FEERATE(1000),
		.dust_limit = SAT(354),
		.to_self_delay = ours ? 144 : 720,
		.broadcaster_balance = MSAT(ours ? 600000000 : 400000000),
		.countersignatory_balance = MSAT(ours ? 400000000 : 600000000),
	};
}

static inline void pair_init(struct pair *p)
{
	static const uint8_t our_seed[64] = { 1 }, their_seed[32] = { 2 }, blinding[32] = { 3 };

	memset(p, 0, sizeof(*p));
	p->local = local_signer_new(network_by_name("regtest"), BYTES_OF(our_seed), blinding);
	p->peer = local_signer_new(network_by_name("regtest"), BYTES_OF(their_seed), blinding);
	CHECK(p->local && p->peer);
	p->secp = secp_new(blinding);
	p->us = local_signer_port(p->local);
	p->them = local_signer_port(p->peer);
	pair_points(p, p->us, &p->our, p->our_points, p->our_secrets);
	pair_points(p, p->them, &p->their, p->their_points, p->their_secrets);
	arena_init(&p->arena);
	p->our_spec = pair_spec(p, true);
	p->their_spec = pair_spec(p, false);
}

static inline void pair_release(struct pair *p)
{
	local_signer_free(p->local);
	local_signer_free(p->peer);
	secp_free(p->secp);
	arena_release(&p->arena);
}

static inline struct commitment_spec *pair_number(struct pair *p, bool ours, uint64_t number)
{
	struct commitment_spec *spec = ARENA_NEW(&p->arena, struct commitment_spec);

	*spec = ours ? p->our_spec : p->their_spec;
	spec->number = number;
	spec->per_commitment_point = ours ? p->our_points[number] : p->their_points[number];
	return spec;
}

/* Our request for theirs of that number. */
static inline struct sign_request pair_remote(struct pair *p, uint64_t number)
{
	struct sign_request r = request_of(SIGN_REMOTE_COMMITMENT);

	r.u.commitment = pair_number(p, false, number);
	r.remote_revoked = number >= 2 ? &p->their_secrets[number - 2] : NULL;
	return r;
}

/* The peer's signatures of our commitment, into a revocation of the one before it. */
static inline struct sign_request pair_revoke_with(struct pair *p, struct commitment_spec *next)
{
	struct sign_request r = request_of(SIGN_REMOTE_COMMITMENT);
	struct answered *a = ARENA_NEW(&p->arena, struct answered);

	r.u.commitment = next;
	ask(a, p->them, &r);
	CHECK(!a->answer.refused);
	r = request_of(SIGN_REVOKE);
	r.u.revoke = (struct sign_revoke){
		.number = next->number - 1,
		.next = next,
		.signature = a->answer.signature,
		.htlc_signatures = a->signatures,
		.htlc_signature_count = a->answer.signature_count,
	};
	return r;
}

static inline struct sign_request pair_revoke(struct pair *p, uint64_t number)
{
	return pair_revoke_with(p, pair_number(p, true, number + 1));
}

/* Two HTLCs of 20,000 and 30,000 sat: one offered by the broadcaster, one received; their sum is taken from the
 * balances. */
static inline void pair_add_htlcs(struct pair *p, struct commitment_spec *spec)
{
	struct commitment_htlc *h = ARENA_ARRAY(&p->arena, struct commitment_htlc, 2);
	uint8_t preimage[32] = { 0 };

	h[0] = (struct commitment_htlc){ .id = 1, .offered_by_broadcaster = true, .amount = MSAT(20000000),
					 .payment_hash = sha256(preimage, 32), .cltv_expiry = 600 };
	h[1] = (struct commitment_htlc){ .id = 2, .amount = MSAT(30000000),
					 .payment_hash = sha256(preimage, 32), .cltv_expiry = 601 };
	spec->htlcs = h;
	spec->htlc_count = 2;
	CHECK(msat_sub(&spec->broadcaster_balance, spec->broadcaster_balance, MSAT(20000000)));
	CHECK(msat_sub(&spec->countersignatory_balance, spec->countersignatory_balance, MSAT(30000000)));
}

#endif
