/* A core gone mad before the policy checker: whatever it asks in whatever order, a second book kept here agrees
 * that nothing of what money hangs on was signed or released. */
#include "runtime/signer/policy.h"
#include "tests/unit/signer_setup.h"

void test_failed(const char *file, int line, const char *fmt, ...)
{
	(void)fmt;
	assert_failed(file, line, "CHECK of the setup");
}

void test_check_eq(const char *file, int line, const char *expr, long long a, long long b)
{
	if (a != b)
		assert_failed(file, line, expr);
}

struct book {
	bool released[PAIR_NUMBERS];
	bool broadcast[PAIR_NUMBERS];
	bool signed_remote[PAIR_NUMBERS];
	struct sig64 remote_sig[PAIR_NUMBERS];
};

/* Flaws that an honest core never has. */
enum flaw { FLAW_NONE, FLAW_HTLCS, FLAW_BALANCE, FLAW_SIGNATURE, FLAW_NO_NEXT, FLAW_SECRET, FLAW_POINT, FLAWS };

static void spoil(struct pair *p, struct commitment_spec *spec, enum flaw flaw)
{
	if (flaw == FLAW_HTLCS)
		pair_add_htlcs(p, spec);
	if (flaw == FLAW_BALANCE)
		spec->broadcaster_balance.v -= 1000;
	if (flaw == FLAW_POINT)
		spec->per_commitment_point = p->our_points[7];
}

static void ask_remote(struct pair *p, struct signer_port port, struct book *book, uint32_t n, enum flaw flaw)
{
	struct sign_request r = pair_remote(p, n);
	struct answered a;

	spoil(p, r.u.commitment, flaw);
	if (flaw == FLAW_SECRET)
		r.remote_revoked = &p->their_secrets[0];
	if (flaw == FLAW_NO_NEXT)
		r.remote_revoked = NULL;
	ask(&a, port, &r);
	if (a.answer.refused)
		return;
	ASSERT(flaw != FLAW_BALANCE);
	ASSERT(!book->signed_remote[n] || SAME(book->remote_sig[n], a.answer.signature));
	for (uint32_t later = n + 1; later < PAIR_NUMBERS; later++)
		ASSERT(!book->signed_remote[later]);
	ASSERT(n == 0 || book->signed_remote[n - 1]);
	if (n >= 2 && !book->signed_remote[n])
		ASSERT(flaw != FLAW_NO_NEXT && (flaw != FLAW_SECRET || n == 2));
	book->signed_remote[n] = true;
	book->remote_sig[n] = a.answer.signature;
}

static void ask_revoke(struct pair *p, struct signer_port port, struct book *book, uint32_t n, enum flaw flaw)
{
	struct sign_request r = pair_revoke(p, n);
	struct answered a;

	if (flaw == FLAW_SIGNATURE)
		r.u.revoke.signature.v[33] ^= 4;
	if (flaw == FLAW_NO_NEXT)
		r.u.revoke.next = NULL;
	else
		spoil(p, r.u.revoke.next, flaw);
	ask(&a, port, &r);
	if (a.answer.refused)
		return;
	if (!book->released[n]) {
		/* A flaw makes the peer's signature one of something else. */
		ASSERT(flaw == FLAW_NONE || flaw == FLAW_SECRET);
		ASSERT(n == 0 || book->released[n - 1]);
		for (uint32_t m = 0; m <= n; m++)
			ASSERT(!book->broadcast[m]);
	}
	book->released[n] = true;
}

static void ask_local(struct pair *p, struct signer_port port, struct book *book, uint32_t n, enum flaw flaw)
{
	struct sign_request r = request_of(SIGN_LOCAL_COMMITMENT);
	struct answered a;

	r.u.commitment = pair_number(p, true, n);
	spoil(p, r.u.commitment, flaw);
	ask(&a, port, &r);
	if (a.answer.refused)
		return;
	ASSERT(flaw != FLAW_BALANCE && (flaw != FLAW_POINT || n == 7));
	ASSERT(!book->released[n]);
	book->broadcast[n] = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair pair;
	struct sign_request fresh = request_of(SIGN_CHANNEL_NEW);
	struct policy_signer *policy;
	struct policy_limits limits;
	struct signer_port port;
	struct book book;
	struct answered a;

	if (!pair.local)
		pair_init(&pair);
	memset(&book, 0, sizeof(book));
	policy_limits_default(&limits);
	policy = policy_signer_new(pair.us, &limits);
	port = policy_signer_port(policy);
	ask(&a, port, &fresh);
	for (size_t i = 0; i + 1 < size && i < 60; i += 2) {
		uint32_t n = data[i] % (PAIR_NUMBERS - 1);
		enum flaw flaw = (enum flaw)(data[i + 1] % 16 < FLAWS ? data[i + 1] % 16 : FLAW_NONE);

		switch (data[i] >> 4 & 3) {
		case 0:
			ask_remote(&pair, port, &book, n, flaw);
			break;
		case 1:
			ask_revoke(&pair, port, &book, n, flaw);
			break;
		case 2:
			ask_local(&pair, port, &book, n, flaw);
			break;
		default:
			/* Its keys again. */
			ask(&a, port, &fresh);
			break;
		}
	}
	policy_signer_free(policy);
	arena_reset(&pair.arena);
	return 0;
}
