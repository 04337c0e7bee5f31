/* What may be forwarded, at each of its limits, and the table of what is. */
#include "onion/sphinx.h"
#include "payment/forward.h"
#include "tests/test.h"

#define HEIGHT 1000u

static struct forward_policy policy(void)
{
	return (struct forward_policy){ .fee_base = MSAT(1000), .fee_ppm = 100, .cltv_delta = 34, .htlc_min = MSAT(1000),
					.htlc_max = MSAT(UINT64_MAX) };
}

/* One that just pays: an amount of a million and its fee. */
struct request {
	struct forward_policy policy;
	struct forward_htlc in;
	struct payload payload;
	struct forward_next next;
	struct forward_clock clock;
};

static struct request request(void)
{
	return (struct request){
		.policy = policy(),
		.in = { 1, 2, MSAT(1001100), HEIGHT + 100 },
		.payload = { .amount = MSAT(1000000), .cltv_expiry = HEIGHT + 66, .scid = { 7 } },
		.next = { .known = true, .policy_count = 1 },
		.clock = { HEIGHT, 6 },
	};
}

/* 0: it is forwarded. */
static uint16_t judged(const struct request *r, struct failure *why)
{
	struct forward_next next = r->next;

	next.policies[0] = r->policy;
	return forward_judge(&r->clock, &r->in, &r->payload, &next, why) ? 0 : why->code;
}

static uint16_t judge(const struct request *r)
{
	struct failure why = { 0 };

	return judged(r, &why);
}

TEST(fees_to_the_millisatoshi)
{
	struct request r = request();
	struct failure why;

	CHECK_EQ(judge(&r), 0);
	r.in.amount = MSAT(1001099);
	/* B4.failure_messages.18, B4.failure_messages.19 */
	CHECK_EQ(judged(&r, &why), FAIL_FEE_INSUFFICIENT);
	CHECK_EQ(why.u.fee_insufficient.htlc_msat.v, 1001099);
	CHECK_EQ(why.u.fee_insufficient.channel_update.size, 0);
	r.policy.fee_base = MSAT(999);
	CHECK_EQ(judge(&r), 0);
	/* Nothing is free that asks for nothing: what goes in is at least what comes out. */
	r.policy.fee_base = MSAT(0);
	r.policy.fee_ppm = 0;
	r.in.amount = MSAT(999999);
	CHECK_EQ(judge(&r), FAIL_FEE_INSUFFICIENT);
	r.in.amount = MSAT(1000000);
	CHECK_EQ(judge(&r), 0);
}

TEST(amounts_at_the_ends_of_numbers)
{
	struct request r = request();
	struct failure why;

	r.payload.amount = MSAT(999);
	/* B4.failure_messages.16, B4.failure_messages.17 */
	CHECK_EQ(judged(&r, &why), FAIL_AMOUNT_BELOW_MINIMUM);
	CHECK_EQ(why.u.amount_below_minimum.htlc_msat.v, 999);
	r.payload.amount = MSAT(1000);
	CHECK_EQ(judge(&r), 0);
	r.policy.htlc_min = MSAT(0);
	r.payload.amount = MSAT(0);
	CHECK_EQ(judge(&r), FAIL_AMOUNT_BELOW_MINIMUM);
	/* More than there is, with a fee that wraps round. */
	r.payload.amount = MSAT(UINT64_MAX);
	r.in.amount = MSAT(UINT64_MAX);
	CHECK_EQ(judge(&r), FAIL_FEE_INSUFFICIENT);
	r.payload.amount = msat_of_sat(SAT(SUPPLY_SAT));
	r.policy.fee_ppm = UINT32_MAX;
	CHECK_EQ(judge(&r), FAIL_FEE_INSUFFICIENT);
}

TEST(expiries_to_the_block)
{
	struct request r = request();
	struct failure why;

	r.payload.cltv_expiry = HEIGHT + 67;
	/* B4.failure_messages.20, B4.failure_messages.21 */
	CHECK_EQ(judged(&r, &why), FAIL_INCORRECT_CLTV_EXPIRY);
	CHECK_EQ(why.u.incorrect_cltv_expiry.cltv_expiry, HEIGHT + 67);
	r.payload.cltv_expiry = UINT32_MAX;
	CHECK_EQ(judge(&r), FAIL_INCORRECT_CLTV_EXPIRY);
	/* B4.failure_messages.22, B4.failure_messages.23: blocks left for the rest of the route */
	r.payload.cltv_expiry = HEIGHT + 5;
	CHECK_EQ(judge(&r), FAIL_EXPIRY_TOO_SOON);
	r.payload.cltv_expiry = HEIGHT + 6;
	CHECK_EQ(judge(&r), 0);
	/* B2.forwarding_htlcs.3: and for us */
	r.clock.expiry_min_blocks = 0;
	r.payload.cltv_expiry = HEIGHT;
	r.in.cltv_expiry = HEIGHT + 34;
	CHECK_EQ(judge(&r), 0);
	r.payload.cltv_expiry = HEIGHT - 1;
	r.in.cltv_expiry = HEIGHT + 33;
	CHECK_EQ(judge(&r), FAIL_EXPIRY_TOO_SOON);
	/* B4.failure_messages.24, B2.forwarding_htlcs.4 */
	r.in.cltv_expiry = HEIGHT + 2016;
	r.payload.cltv_expiry = HEIGHT + 66;
	CHECK_EQ(judge(&r), 0);
	r.in.cltv_expiry++;
	CHECK_EQ(judge(&r), FAIL_EXPIRY_TOO_FAR);
	r.in.cltv_expiry = UINT32_MAX;
	CHECK_EQ(judge(&r), FAIL_EXPIRY_TOO_FAR);
}

/* B4.failure_messages.5, B4.failure_messages.8: the first of the list. */
TEST(of_several_faults_the_first_is_told)
{
	struct request r = request();

	r.next.known = false;
	r.payload.amount = MSAT(1);
	r.in.amount = MSAT(0);
	r.in.cltv_expiry = 0;
	CHECK_EQ(judge(&r), FAIL_UNKNOWN_NEXT_PEER);
	r.next.known = true;
	r.next.ending = true;
	CHECK_EQ(judge(&r), FAIL_PERMANENT_CHANNEL_FAILURE);
	r.next.ending = false;
	CHECK_EQ(judge(&r), FAIL_AMOUNT_BELOW_MINIMUM);
	r.payload.amount = MSAT(1000);
	CHECK_EQ(judge(&r), FAIL_FEE_INSUFFICIENT);
	r.in.amount = MSAT(1001100);
	CHECK_EQ(judge(&r), FAIL_INCORRECT_CLTV_EXPIRY);
	r.payload.cltv_expiry = 0;
	r.in.cltv_expiry = 34;
	CHECK_EQ(judge(&r), FAIL_EXPIRY_TOO_SOON);
}

/* B7.channel_update.20, B7.htlc_fees.2: either set of terms as a whole. */
TEST(terms_of_before_are_kept_whole)
{
	struct request r = request();
	struct failure why;
	struct forward_next next;

	r.policy.fee_base = MSAT(5000);
	r.policy.cltv_delta = 20;
	next = r.next;
	next.policies[0] = r.policy;
	next.policies[1] = policy();
	next.policy_count = 2;
	r.payload.cltv_expiry = HEIGHT + 66;
	CHECK(forward_judge(&r.clock, &r.in, &r.payload, &next, &why)); /* as before */
	r.payload.cltv_expiry = HEIGHT + 67;
	/* The fee of before and the delta of now: neither is kept, and the sender is told what now is wanting. */
	CHECK(!forward_judge(&r.clock, &r.in, &r.payload, &next, &why));
	CHECK_EQ(why.code, FAIL_FEE_INSUFFICIENT);
	r.in.amount = MSAT(1005100);
	CHECK(forward_judge(&r.clock, &r.in, &r.payload, &next, &why)); /* as now */
	next.disabled = true;
	CHECK(!forward_judge(&r.clock, &r.in, &r.payload, &next, &why));
	CHECK_EQ(why.code, FAIL_CHANNEL_DISABLED); /* B4.failure_messages.26 */
	CHECK_EQ(why.u.channel_disabled.channel_update.size, 0);
}

TEST(the_largest_amount_comes_first)
{
	struct request r = request();

	r.policy.htlc_max = MSAT(1000000);
	CHECK_EQ(judge(&r), 0);
	r.policy.htlc_max = MSAT(999999);
	CHECK_EQ(judge(&r), FAIL_TEMPORARY_CHANNEL_FAILURE); /* B4.failure_messages.12 */
}

TEST(terms_are_good_for_their_time)
{
	const struct forward_policy fallback = policy();
	struct forward_policy own = { .fee_base = MSAT(1) }, out[1 + POLICY_BEFORE_MAX];
	struct channel_terms t = { 0 }, read;
	struct buf b = BUF_EMPTY;

	CHECK(policy_same(&fallback, &(struct forward_policy){ MSAT(1000), 100, 34, MSAT(1000), MSAT(UINT64_MAX) }));
	own = policy_of_terms(NULL, &fallback);
	CHECK(policy_same(&own, &fallback));
	terms_set(&t, POLICY_FEE_BASE | POLICY_HTLC_MAX, &(struct forward_policy){ .fee_base = MSAT(7), .htlc_max = MSAT(9) });
	terms_set(&t, POLICY_FEE_PPM, &(struct forward_policy){ .fee_ppm = 8 });
	own = policy_of_terms(&t, &fallback);
	CHECK(policy_same(&own, &(struct forward_policy){ MSAT(7), 8, 34, MSAT(1000), MSAT(9) }));
	for (uint32_t i = 0; i < 6; i++)
		terms_changed(&t, &(struct forward_policy){ .fee_ppm = i }, 1000 + i, 600);
	/* The four latest, and each ends in its own time. */
	CHECK_EQ(terms_good(&t, &own, 1006, out), 5);
	CHECK(out[0].fee_ppm == 8 && out[1].fee_ppm == 2 && out[4].fee_ppm == 5);
	CHECK_EQ(terms_good(&t, &own, 1602, out), 4);
	CHECK_EQ(terms_good(&t, &own, 1605, out), 1);
	terms_encode(&t, &b);
	CHECK(terms_decode(buf_view(&b), &read));
	CHECK(read.set == t.set && read.before_count == 4 && policy_same(&read.own, &t.own));
	CHECK(read.before[3].until_ms == 1605 && policy_same(&read.before[3].policy, &t.before[3].policy));
	CHECK(!terms_decode(BYTES(b.data, b.size - 1), &read));
	b.data[1] |= 0x80; /* a field that nobody knows */
	CHECK(!terms_decode(buf_view(&b), &read));
	/* A shorter grace ends the others with it; none ends all. */
	terms_changed(&t, &own, 1010, 5);
	CHECK_EQ(terms_good(&t, &own, 1014, out), 5);
	CHECK_EQ(terms_good(&t, &own, 1015, out), 1);
	terms_changed(&t, &own, 1011, 0);
	CHECK_EQ(t.before_count, 0);
	buf_release(&b);
}

/* --- the table --- */

static const uint8_t seed[16] = { 1 };
static const struct pubkey from = { { 2 } };

static struct secret32 secret_of(uint8_t v)
{
	struct secret32 s;

	memset(s.v, v, sizeof(s.v));
	return s;
}

TEST(pairs_are_found_from_both_ends)
{
	struct forward_htlc in = { 1, 10, MSAT(5), 100 }, out = { 2, 20, MSAT(4), 60 }, twin_in = { 1, 11, MSAT(5), 100 },
			    twin_out = { 2, 21, MSAT(4), 60 };
	struct secret32 secret = secret_of(3);
	struct sha256 hash = { { 9 } };
	struct forward *w;
	struct forwards f;

	forwards_init(&f, seed);
	CHECK(forward_add(&f, &from, &in, &out, &hash, &secret));
	CHECK(forward_add(&f, &from, &twin_in, &twin_out, &hash, NULL));
	forwards_check(&f);
	CHECK_EQ(forwards_count(&f), 2);
	w = forward_by_in(&f, 1, 10);
	CHECK(w && w == forward_by_out(&f, 2, 20));
	CHECK(w->has_secret && SAME(w->secret, secret));
	CHECK(!forward_by_in(&f, 1, 11)->has_secret);
	/* INV-W2 */
	CHECK(!forward_add(&f, &from, &in, &(struct forward_htlc){ 3, 1, MSAT(1), 1 }, &hash, NULL));
	CHECK(!forward_add(&f, &from, &(struct forward_htlc){ 3, 1, MSAT(1), 1 }, &out, &hash, NULL));
	CHECK_EQ(forwards_count(&f), 2);
	CHECK(!forward_by_in(&f, 2, 20) && !forward_by_out(&f, 1, 10) && !forward_by_in(&f, 10, 1));
	forward_over(&f, w);
	CHECK(!forward_by_in(&f, 1, 10) && !forward_by_out(&f, 2, 20));
	CHECK(forward_by_out(&f, 2, 21));
	forwards_check(&f);
	forwards_release(&f);
}

/* The id of an offer that was dropped is the next one's. */
TEST(an_id_comes_again)
{
	struct forward_htlc one = { 1, 10, MSAT(5), 100 }, other = { 1, 11, MSAT(5), 100 }, out = { 2, 20, MSAT(4), 60 };
	const struct forward_end end = { .kind = FORWARD_END_LOCAL, .code = FAIL_TEMPORARY_CHANNEL_FAILURE };
	struct sha256 hash = { { 9 } };
	struct forwards f;

	forwards_init(&f, seed);
	CHECK(forward_add(&f, &from, &one, &out, &hash, NULL));
	forward_fail(&f, forward_by_in(&f, 1, 10), &end);
	forwards_check(&f);
	CHECK(forward_add(&f, &from, &other, &out, &hash, NULL));
	CHECK(forward_by_out(&f, 2, 20) == forward_by_in(&f, 1, 11));
	forward_over(&f, forward_by_in(&f, 1, 10));
	CHECK(forward_by_out(&f, 2, 20));
	forwards_check(&f);
	forwards_release(&f);
}

static void reason_of(struct forward_end end, struct bytes update, struct buf *out)
{
	struct forward_htlc in = { 1, 10, MSAT(5), 100 }, downstream = { 2, 20, MSAT(4), 60 };
	struct secret32 secret = secret_of(3);
	struct sha256 hash = { { 9 } };
	struct forwards f;

	forwards_init(&f, seed);
	CHECK(forward_add(&f, &from, &in, &downstream, &hash, &secret));
	forward_fail(&f, forward_by_in(&f, 1, 10), &end);
	forward_reason(forward_by_in(&f, 1, 10), update, out, NULL);
	forwards_release(&f);
}

TEST(what_upstream_is_told)
{
	struct secret32 ours = secret_of(3), next = secret_of(4), both[2] = { ours, next };
	struct failure said = failure_plain(FAIL_TEMPORARY_NODE_FAILURE), f;
	struct buf packet = BUF_EMPTY, out = BUF_EMPTY;
	struct failure_report report;
	struct sha256 onion = { { 7 } };
	const struct bytes update = test_unhex("0102abcd");
	struct arena a;

	arena_init(&a);
	/* B4.intermediate_nodes.4: what the next one sealed, wrapped once more */
	failure_seal(&packet, NULL, &next, &said);
	reason_of((struct forward_end){ .kind = FORWARD_END_REPORT, .reason = buf_view(&packet) }, update, &out);
	CHECK_EQ(out.size, packet.size);
	CHECK(failure_open(&a, &report, both, 2, buf_view(&out), BYTES_NONE));
	CHECK_EQ(report.hop, 1);
	CHECK(failure_decode(&a, &f, report.message));
	CHECK_EQ(f.code, FAIL_TEMPORARY_NODE_FAILURE);
	/* B2.update_fulfill_htlc_update_fail_htlc.13: a malformed one is told in our own name */
	buf_clear(&out);
	reason_of((struct forward_end){ .kind = FORWARD_END_MALFORMED, .code = FAIL_INVALID_ONION_HMAC, .onion_hash = onion }, update, &out);
	CHECK(failure_open(&a, &report, both, 2, buf_view(&out), BYTES_NONE));
	CHECK_EQ(report.hop, 0);
	CHECK(failure_decode(&a, &f, report.message));
	CHECK_EQ(f.code, FAIL_INVALID_ONION_HMAC);
	CHECK(SAME(f.u.onion.sha256_of_onion, onion));
	/* With a number that nobody knows. */
	buf_clear(&out);
	reason_of((struct forward_end){ .kind = FORWARD_END_MALFORMED, .code = FAIL_BADONION | 0x77, .onion_hash = onion }, update, &out);
	CHECK(failure_open(&a, &report, both, 2, buf_view(&out), BYTES_NONE));
	CHECK(!failure_decode(&a, &f, report.message));
	CHECK_EQ(f.code, FAIL_BADONION | 0x77);
	buf_clear(&out);
	reason_of((struct forward_end){ .kind = FORWARD_END_LOCAL, .code = FAIL_PERMANENT_CHANNEL_FAILURE }, update, &out);
	CHECK(failure_open(&a, &report, both, 2, buf_view(&out), BYTES_NONE));
	CHECK_EQ(report.hop, 0);
	CHECK(failure_decode(&a, &f, report.message));
	CHECK_EQ(f.code, FAIL_PERMANENT_CHANNEL_FAILURE);
	CHECK_EQ(report.message.size, 2); /* it has no place for a channel_update */
	buf_clear(&out);
	reason_of((struct forward_end){ .kind = FORWARD_END_LOCAL, .code = FAIL_TEMPORARY_CHANNEL_FAILURE }, update, &out);
	CHECK(failure_open(&a, &report, both, 2, buf_view(&out), BYTES_NONE));
	CHECK(bytes_equal(report.message, test_unhex("100700040102abcd")));
	/* Nothing at all came back: nothing is what goes on. */
	buf_clear(&out);
	reason_of((struct forward_end){ .kind = FORWARD_END_REPORT }, update, &out);
	CHECK_EQ(out.size, 0);
	buf_release(&packet);
	buf_release(&out);
	arena_release(&a);
}
