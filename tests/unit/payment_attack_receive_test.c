/* Disclosed attacks on whoever is paid: what a stranger learns by asking, and what he can spoil.  docs/ATTACKS.md tells
 * of each. */
#include "onion/failure.h"
#include "tests/unit/receive_scene.h"

/* What a stranger hears of an HTLC of 1000 msat, in bytes; at once, or he would know that something waits. */
static struct bytes answer_to(struct scene *s, const struct receive_htlc *h, const struct payload *p)
{
	struct buf words = BUF_EMPTY;
	struct bytes kept;
	uint8_t *at;

	hand_in(s, h, p);
	CHECK(!only_verdict(s)->fulfil);
	failure_encode(&only_verdict(s)->why, &words);
	at = test_alloc(words.size);
	memcpy(at, words.data, words.size);
	kept = BYTES(at, words.size);
	buf_release(&words);
	return kept;
}

/* A payee that answers an onion with a wrong secret, amount or expiry otherwise than an unknown one tells a prober that it
 * is the payee of that hash: the reason for payment secrets (BOLT 4, 2019), and for the end of incorrect_payment_amount
 * and final_expiry_too_soon (lightning-dev, 2018 and 2019). */
TEST(payee_probing_by_hash)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(9, 0, 1000);
	struct payload p = payload(9, 1000, 1000);
	struct bytes unknown;

	unknown = answer_to(s, &h, &p);
	(void)add(s, 1, "one", 1000);
	(void)add(s, 2, "paid", 1000);
	part(s, 2, 0, 1000, 1000);
	check_fulfilled(s, 2, 1);
	/* Paid before. */
	h = htlc(2, 1, 1000);
	p = payload(2, 1000, 1000);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	/* A wrong secret, none, one of another invoice. */
	h = htlc(1, 2, 1000);
	p = payload(1, 1000, 1000);
	p.secret.v[0] ^= 1;
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	p.has_secret = false;
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	p = payload(2, 1000, 1000);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	/* As a part of more, which an invoice with that secret would wait for. */
	p = payload(2, 1000, 5000);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	/* Amounts: of another invoice's size, beyond twice the invoice's. */
	p = payload(1, 1000, 999);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	p = payload(1, 1000, 2001);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	/* An expiry that leaves too little time, with the secret and without. */
	h.cltv_expiry = HEIGHT + 17;
	p = payload(1, 1000, 1000);
	p.cltv_expiry = HEIGHT + 17;
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	p.has_secret = false;
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	/* The faults that only whoever knows the secret is told of. */
	h.cltv_expiry = HEIGHT + 18;
	p = payload(2, 1000, 1000);
	p.cltv_expiry = HEIGHT + 40;
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	p = payload(2, 1001, 1001);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	/* A keysend for it, with a preimage that is not its own, and with one that fits another hash. */
	p = payload(2, 1000, 1000);
	p.has_keysend = true;
	p.keysend = preimage_of(9);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	h = htlc(9, 3, 1000);
	p.keysend = preimage_of(8);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	/* Expired. */
	s->step.now_ms = START_MS + 3601 * 1000ull;
	h = htlc(1, 4, 1000);
	p = payload(1, 1000, 1000);
	CHECK(bytes_equal(answer_to(s, &h, &p), unknown));
	scene_release(s);
}

/* Whoever stands on the way of a payment in parts knows its hash and not its secret: what he sends with it does not touch
 * the parts that wait. */
TEST(a_set_that_a_stranger_spoils)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 50, 500);
	struct payload p = payload(1, 500, 1100);

	(void)add(s, 1, "one", 1000);
	part(s, 1, 0, 400, 1000);
	CHECK_EQ(count_verdicts(s), 0);
	/* Another total would fail the set, if he had the secret. */
	p.secret.v[5] ^= 1;
	(void)answer_to(s, &h, &p);
	p.has_secret = false;
	(void)answer_to(s, &h, &p);
	/* What is missing would make it whole. */
	h.amount = MSAT(600);
	p = payload(1, 600, 1000);
	p.has_secret = false;
	(void)answer_to(s, &h, &p);
	p.has_keysend = true;
	p.keysend = preimage_of(3);
	(void)answer_to(s, &h, &p);
	/* An expiry that would bring the whole set too near to it. */
	h.cltv_expiry = HEIGHT + 2;
	p = payload(1, 600, 1000);
	p.cltv_expiry = HEIGHT + 2;
	(void)answer_to(s, &h, &p);
	part(s, 1, 1, 600, 1000);
	check_fulfilled(s, 1, 2);
	scene_release(s);
}

/* Totals and amounts whose sums do not fit: nothing is fulfilled for less than was promised. */
TEST(sums_of_parts_that_overflow)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p;

	(void)add(s, 1, "any", 0);
	part(s, 1, 0, UINT64_MAX - 1, UINT64_MAX);
	CHECK_EQ(count_verdicts(s), 0);
	/* The sum of both would be 0: all of them go back. */
	part(s, 1, 1, 2, UINT64_MAX);
	CHECK_EQ(count_verdicts(s), 2);
	for (const struct receive_verdict *v = s->verdicts.head; v; v = v->next)
		CHECK(!v->fulfil);
	/* A payload that says much where the HTLC brings little. */
	p = payload(1, UINT64_MAX, UINT64_MAX);
	hand_in(s, &h, &p);
	CHECK(!only_verdict(s)->fulfil);
	CHECK_EQ(only_verdict(s)->why.code, FAIL_FINAL_INCORRECT_HTLC_AMOUNT);
	scene_release(s);
}

/* A node on the way that hands on more than it must, or with more blocks, must not learn from a refusal that the next one
 * is the payee (LDK 0.0.115; BOLT pull requests 1031, 1032, 1040; 2023). */
TEST(the_last_hop_takes_what_any_other_would)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1700);
	struct payload p = payload(1, 1000, 1000);

	(void)add(s, 1, "one", 1000);
	h.cltv_expiry = HEIGHT + 1000;
	hand_in(s, &h, &p);
	check_fulfilled(s, 1, 1);
	scene_release(s);
}
