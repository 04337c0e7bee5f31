/* Everything that is true of the signer is true of one behind a wire; and the wire takes anything. */
#define SIGNER_THROUGH_CODEC
#include "tests/unit/runtime_signer_test.c"

#include "runtime/signer/codec.h"

static struct buf encoded(const struct sign_request *r)
{
	struct buf out = BUF_EMPTY;

	sign_request_encode(r, &out);
	return out;
}

TEST(a_cut_or_longer_request_is_none)
{
	struct pair p;
	struct sign_request r;
	struct arena a;
	struct buf b;

	pair_init(&p);
	arena_init(&a);
	pair_add_htlcs(&p, &p.our_spec);
	r = pair_revoke(&p, 0);
	b = encoded(&r);
	for (size_t size = 0; size < b.size; size++)
		CHECK(!sign_request_decode(&a, BYTES(b.data, size)));
	CHECK(sign_request_decode(&a, buf_view(&b)));
	buf_add_u8(&b, 0);
	CHECK(!sign_request_decode(&a, buf_view(&b)));
	buf_release(&b);
	arena_release(&a);
	pair_release(&p);
}

TEST(counts_that_lie_allocate_nothing)
{
	struct sign_request r = request_of(SIGN_POINT);
	struct arena a;
	struct buf b;

	arena_init(&a);
	r.u.number = 1;
	b = encoded(&r);
	b.data[1] = SIGN_SPEND;
	for (size_t i = 43; i < b.size; i++)
		b.data[i] = 0xff;
	CHECK(!sign_request_decode(&a, buf_view(&b)));
	CHECK(a.used < 4096);
	buf_release(&b);
	arena_release(&a);
}

TEST(other_versions_and_kinds_are_refused)
{
	struct sign_request r = request_of(SIGN_CHANNEL_NEW);
	struct sign_answer answer = { .refused = true, .reason = "no" }, decoded;
	struct arena a;
	struct buf b = encoded(&r);

	arena_init(&a);
	CHECK(sign_request_decode(&a, buf_view(&b)));
	b.data[1] = 12;
	CHECK(!sign_request_decode(&a, buf_view(&b)));
	b.data[1] = 0;
	CHECK(!sign_request_decode(&a, buf_view(&b)));
	b.data[1] = SIGN_CHANNEL_NEW;
	b.data[0] = 2;
	CHECK(!sign_request_decode(&a, buf_view(&b)));
	buf_release(&b);
	sign_answer_encode(&answer, SIGN_ECDH, &b);
	CHECK(sign_answer_decode(&decoded, &a, SIGN_ECDH, buf_view(&b)));
	CHECK(decoded.refused);
	CHECK_STR(decoded.reason, "no");
	b.data[1] = 0; /* not refused, but no secret */
	CHECK(!sign_answer_decode(&decoded, &a, SIGN_ECDH, buf_view(&b)));
	b.data[1] = 2;
	CHECK(!sign_answer_decode(&decoded, &a, SIGN_ECDH, buf_view(&b)));
	buf_release(&b);
	arena_release(&a);
}
