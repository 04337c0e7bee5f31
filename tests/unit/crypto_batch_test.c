/* Signatures made and verified in batches are those of one at a time, in whatever order the parts are done. */
#include "crypto/batch.h"

#include "crypto/hash.h"
#include "tests/test.h"

#define MOST 23u

static void backwards(void *context, runner_part *part, void *job, uint32_t count)
{
	uint32_t *calls = context;

	for (uint32_t i = count; i > 0; i--) {
		part(job, i - 1);
		(*calls)++;
	}
}

struct setup {
	struct secp *secp;
	struct secret32 keys[2];
	struct pubkey points[2];
	struct sha256 hashes[MOST];
	struct sig64 sigs[MOST];
	uint32_t calls;
	struct runner runner;
};

static void setup_init(struct setup *s)
{
	static const uint8_t seed[32] = { 1 };

	memset(s, 0, sizeof(*s));
	s->secp = secp_new(seed);
	s->runner = (struct runner){ &s->calls, backwards };
	for (uint8_t i = 0; i < 2; i++) {
		s->keys[i].v[31] = (uint8_t)(i + 1);
		pubkey_of(s->secp, &s->points[i], &s->keys[i]);
	}
	for (uint32_t i = 0; i < MOST; i++)
		s->hashes[i] = sha256(&i, sizeof(i));
}

TEST(signatures_are_those_of_one_at_a_time)
{
	struct sig64 one;
	struct setup s;

	setup_init(&s);
	for (uint32_t count = 0; count <= MOST; count++)
		for (int shared = 0; shared < 2; shared++) {
			memset(s.sigs, 0, sizeof(s.sigs));
			ecdsa_sign_batch(shared ? &s.runner : NULL, s.secp, s.sigs, s.hashes, count, &s.keys[0]);
			for (uint32_t i = 0; i < MOST; i++) {
				ecdsa_sign(s.secp, &one, &s.hashes[i], &s.keys[0], false);
				CHECK_EQ(SAME(one, s.sigs[i]), i < count);
			}
		}
	CHECK(s.calls > MOST);
	secp_free(s.secp);
}

/* The first with one key, the others with another, as in a commitment. */
static void items_of(struct setup *s, struct verify_item *items)
{
	for (uint32_t i = 0; i < MOST; i++) {
		ecdsa_sign(s->secp, &s->sigs[i], &s->hashes[i], &s->keys[i > 0], false);
		items[i] = (struct verify_item){ &s->sigs[i], &s->hashes[i], &s->points[i > 0], i % 2 };
	}
}

TEST(each_bad_one_is_found)
{
	struct verify_item items[MOST];
	struct setup s;

	setup_init(&s);
	items_of(&s, items);
	for (uint32_t count = 0; count <= MOST; count++)
		for (uint32_t bad = 0; bad <= count; bad++) {
			if (bad < count)
				s.sigs[bad].v[40] ^= 1;
			ecdsa_verify_batch(bad % 2 ? &s.runner : NULL, items, count);
			for (uint32_t i = 0; i < count; i++)
				CHECK_EQ(items[i].good, i != bad);
			if (bad < count)
				s.sigs[bad].v[40] ^= 1;
		}
	secp_free(s.secp);
}

TEST(keys_that_are_none_verify_nothing)
{
	struct verify_item items[MOST];
	struct pubkey none = { { 5 } };
	struct setup s;

	setup_init(&s);
	items_of(&s, items);
	items[3].key = &none;
	items[9].key = &s.points[0];
	ecdsa_verify_batch(&s.runner, items, MOST);
	for (uint32_t i = 0; i < MOST; i++)
		CHECK_EQ(items[i].good, i != 3 && i != 9);
	secp_free(s.secp);
}

/* What is computed with both coordinates is what is computed with one, and with a context what is without. */
TEST(points_compute_like_pubkeys)
{
	static const uint8_t zero[32];
	struct point a, b, sum, product;
	struct pubkey want, got;
	struct setup s;

	setup_init(&s);
	CHECK(point_read(&a, &s.points[0]) && point_read(&b, &s.points[1]));
	for (uint32_t i = 0; i < MOST; i++) {
		for (int with = 0; with < 2; with++) {
			CHECK(pubkey_add(&want, &s.points[0], s.hashes[i].v));
			CHECK(point_add(&sum, with ? s.secp : NULL, &a, s.hashes[i].v));
			point_pubkey(&got, &sum);
			CHECK(SAME(got, want));
		}
		CHECK(pubkey_mul(&want, &s.points[1], s.hashes[i].v) && point_mul(&product, &b, s.hashes[i].v));
		point_pubkey(&got, &product);
		CHECK(SAME(got, want));
	}
	CHECK(pubkey_add_point(&want, &s.points[0], &s.points[1]) && point_sum(&sum, &a, &b));
	point_pubkey(&got, &sum);
	CHECK(SAME(got, want));
	/* P - P is no point, P + 0 is P, 0 * P is none. */
	seckey_negate(&s.keys[0]);
	for (int with = 0; with < 2; with++) {
		CHECK(!point_add(&sum, with ? s.secp : NULL, &a, s.keys[0].v));
		CHECK(point_add(&sum, with ? s.secp : NULL, &a, zero));
		point_pubkey(&got, &sum);
		CHECK(SAME(got, s.points[0]));
	}
	CHECK(!point_mul(&product, &a, zero));
	secp_free(s.secp);
}
