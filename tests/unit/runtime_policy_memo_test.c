/* Every test of the policy once more with a memo that all of them share: what was found good in one is never taken
 * for anything else in another. */
#include "contract/memo.h"

static struct memo *shared_memo(void)
{
	static struct memo *memo;

	if (!memo)
		memo = memo_new();
	return memo;
}

#define MEMO_OF_ALL_TESTS shared_memo()
#include "tests/unit/runtime_policy_test.c"

TEST(what_was_found_good_is_not_verified_again)
{
	struct guarded g;
	struct sign_request r;
	uint64_t hits;

	guarded_init(&g);
	r = pair_revoke(&g.pair, 0);
	CHECK(allowed(&g, &r));
	guard(&g, NULL);
	hits = memo_hits(shared_memo());
	CHECK(allowed(&g, &r));
	CHECK_EQ(memo_hits(shared_memo()) - hits, 2); /* keys and the commitment's signature */
	r.u.revoke.signature.v[5] ^= 4;
	guard(&g, NULL);
	CHECK(refused(&g, &r, "not countersigned"));
	guarded_release(&g);
}
