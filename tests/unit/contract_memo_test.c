/* A memo answers what its functions would, and remembers nothing that was not good. */
#include "contract/memo.h"

#include <string.h>

#include "crypto/hash.h"
#include "tests/test.h"

struct setup {
	struct memo *memo;
	struct secp *secp;
	struct secret32 keys[12];
	struct pubkey points[12];
	struct basepoints one, other;
};

static void setup_init(struct setup *s)
{
	static const uint8_t seed[32] = { 1 };

	memset(s, 0, sizeof(*s));
	s->memo = memo_new();
	s->secp = secp_new(seed);
	for (uint8_t i = 0; i < 12; i++) {
		s->keys[i].v[31] = (uint8_t)(i + 1);
		pubkey_of(s->secp, &s->points[i], &s->keys[i]);
	}
	s->one = (struct basepoints){ s->points[0], s->points[1], s->points[2], s->points[3], s->points[4] };
	s->other = (struct basepoints){ s->points[5], s->points[6], s->points[7], s->points[8], s->points[9] };
}

static void setup_release(struct setup *s)
{
	memo_free(s->memo);
	secp_free(s->secp);
}

/* Derived, asked twice of the memo, and told from every near relative. */
TEST(keys_are_those_that_are_derived)
{
	struct commitment_keys want, got;
	struct setup s;

	setup_init(&s);
	for (int swap = 0; swap < 2; swap++) {
		const struct basepoints *a = swap ? &s.other : &s.one, *b = swap ? &s.one : &s.other;

		for (int p = 10; p < 12; p++) {
			CHECK(!memo_has_keys(s.memo, a, b, &s.points[p]));
			CHECK(commitment_keys_derive(&want, a, b, &s.points[p]));
			for (int again = 0; again < 2; again++) {
				memset(&got, 0, sizeof(got));
				CHECK(memo_keys(s.memo, &got, a, b, &s.points[p]));
				CHECK(memcmp(&got, &want, sizeof(got)) == 0);
			}
			CHECK(memo_has_keys(s.memo, a, b, &s.points[p]));
			CHECK(memo_keys(NULL, &got, a, b, &s.points[p]));
			CHECK(memcmp(&got, &want, sizeof(got)) == 0);
			CHECK(!memo_has_keys(NULL, a, b, &s.points[p]));
		}
	}
	CHECK_EQ(memo_hits(s.memo), 4);
	setup_release(&s);
}

TEST(invalid_points_make_no_keys)
{
	struct commitment_keys got;
	struct pubkey bad;
	struct setup s;

	setup_init(&s);
	bad = s.points[0];
	bad.v[0] = 5;
	for (int again = 0; again < 2; again++)
		CHECK(!memo_keys(s.memo, &got, &s.one, &s.other, &bad));
	CHECK(!memo_has_keys(s.memo, &s.one, &s.other, &bad));
	CHECK_EQ(memo_hits(s.memo), 0);
	setup_release(&s);
}

/* Each key gives its own point however often it is asked for, and what is no key never gives one: with more keys than there
 * is room for, so that they push one another out. */
TEST(a_key_is_read_as_it_is)
{
	struct setup s;

	setup_init(&s);
	for (int again = 0; again < 2; again++)
		for (uint32_t i = 1; i <= 3000; i++) {
			struct secret32 k = { { 0 } };
			struct pubkey p, bad;
			struct point want, got;

			store_be32(k.v + 28, i);
			pubkey_of(s.secp, &p, &k);
			CHECK(point_read(&want, &p));
			for (int twice = 0; twice < 2; twice++) {
				CHECK(memo_read(s.memo, &got, &p));
				CHECK(!memcmp(&got, &want, sizeof(got)));
			}
			/* The other key of the same first coordinate, and none at all. */
			bad = p;
			bad.v[0] ^= 1;
			CHECK(memo_read(s.memo, &got, &bad) && memcmp(&got, &want, sizeof(got)) != 0);
			bad.v[0] = 5;
			CHECK(!memo_read(s.memo, &got, &bad));
			CHECK(memo_read(NULL, &got, &p) && !memcmp(&got, &want, sizeof(got)));
		}
	setup_release(&s);
}

/* An empty place is no key. */
TEST(nothing_is_read_from_an_empty_memo)
{
	struct pubkey none = { { 0 } };
	struct point got;
	struct setup s;

	setup_init(&s);
	CHECK(!memo_read(s.memo, &got, &none));
	CHECK(!memo_read(s.memo, &got, &none));
	setup_release(&s);
}

TEST(a_signature_is_good_for_its_hash_and_its_key_only)
{
	struct sha256 hash = sha256("a", 1), other = sha256("b", 1);
	struct sig64 sig, bad;
	struct setup s;

	setup_init(&s);
	ecdsa_sign(s.secp, &sig, &hash, &s.keys[0], false);
	for (int again = 0; again < 3; again++) {
		CHECK(memo_verify(s.memo, &sig, &hash, &s.points[0]));
		CHECK(!memo_verify(s.memo, &sig, &other, &s.points[0]));
		CHECK(!memo_verify(s.memo, &sig, &hash, &s.points[1]));
		for (int i = 0; i < 64; i += 9) {
			bad = sig;
			bad.v[i] ^= 1;
			CHECK(!memo_verify(s.memo, &bad, &hash, &s.points[0]));
		}
	}
	CHECK_EQ(memo_hits(s.memo), 2);
	CHECK(memo_verify(NULL, &sig, &hash, &s.points[0]) && !memo_verify(NULL, &sig, &other, &s.points[0]));
	setup_release(&s);
}

TEST(a_secret_is_that_of_its_point_only)
{
	struct secret32 zero = { { 0 } };
	struct setup s;

	setup_init(&s);
	for (int m = 0; m < 2; m++) {
		struct memo *memo = m ? s.memo : NULL;

		for (int again = 0; again < 2; again++) {
			CHECK(memo_secret(memo, &s.keys[3], &s.points[3]));
			CHECK(!memo_secret(memo, &s.keys[3], &s.points[4]));
			CHECK(!memo_secret(memo, &s.keys[4], &s.points[3]));
			CHECK(!memo_secret(memo, &zero, &s.points[3]));
		}
	}
	CHECK_EQ(memo_hits(s.memo), 1);
	setup_release(&s);
}

/* The oldest make room; what was forgotten is computed again. */
TEST(memory_is_bounded)
{
	struct sha256 hash = sha256("a", 1), first = hash;
	struct sig64 sig, first_sig;
	struct setup s;
	uint64_t before;

	setup_init(&s);
	ecdsa_sign(s.secp, &first_sig, &hash, &s.keys[0], false);
	CHECK(memo_verify(s.memo, &first_sig, &hash, &s.points[0]));
	for (int i = 0; i < 8000; i++) {
		hash = sha256(hash.v, sizeof(hash.v));
		ecdsa_sign(s.secp, &sig, &hash, &s.keys[0], false);
		CHECK(memo_verify(s.memo, &sig, &hash, &s.points[0]));
	}
	before = memo_hits(s.memo);
	CHECK(memo_verify(s.memo, &sig, &hash, &s.points[0]));
	CHECK_EQ(memo_hits(s.memo), before + 1);
	CHECK(memo_verify(s.memo, &first_sig, &first, &s.points[0]));
	CHECK_EQ(memo_hits(s.memo), before + 1);
	setup_release(&s);
}

/* A batch answers like one at a time, and what one has found the other knows. */
TEST(batches_share_what_is_known)
{
	struct sha256 hashes[9];
	struct sig64 sigs[9];
	struct verify_item items[9];
	struct setup s;

	setup_init(&s);
	for (uint32_t i = 0; i < 9; i++) {
		hashes[i] = sha256(&i, sizeof(i));
		ecdsa_sign(s.secp, &sigs[i], &hashes[i], &s.keys[0], false);
		items[i] = (struct verify_item){ &sigs[i], &hashes[i], &s.points[i == 4], i % 2 };
	}
	CHECK(memo_verify(s.memo, &sigs[2], &hashes[2], &s.points[0]));
	for (int again = 0; again < 3; again++) {
		memo_verify_batch(again == 2 ? NULL : s.memo, items, 9);
		for (uint32_t i = 0; i < 9; i++)
			CHECK_EQ(items[i].good, i != 4);
	}
	/* The one that was known, then all but the bad one. */
	CHECK_EQ(memo_hits(s.memo), 1 + 8);
	CHECK(memo_verify(s.memo, &sigs[8], &hashes[8], &s.points[0]));
	CHECK_EQ(memo_hits(s.memo), 10);
	memo_verify_batch(s.memo, items, 0);
	setup_release(&s);
}

TEST(a_point_that_was_computed_is_known_with_its_secret)
{
	struct pubkey got;
	struct setup s;

	setup_init(&s);
	for (int with = 0; with < 2; with++) {
		memo_point(with ? s.memo : NULL, s.secp, &got, &s.keys[5]);
		CHECK(SAME(got, s.points[5]));
	}
	CHECK(memo_secret(s.memo, &s.keys[5], &s.points[5]) && !memo_secret(s.memo, &s.keys[5], &s.points[6]));
	CHECK_EQ(memo_hits(s.memo), 1);
	setup_release(&s);
}
