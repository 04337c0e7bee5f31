#include "tests/test.h"

#include <string.h>

#include "base/amount.h"
#include "base/arena.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/names.h"

TEST(cursor_fails_once_and_stays_failed)
{
	uint8_t raw[] = { 1, 2, 3, 4, 5 };
	struct cursor c = cursor_of(BYTES_OF(raw));

	CHECK_EQ(cursor_be16(&c), 0x0102);
	CHECK_EQ(cursor_be32(&c), 0);
	CHECK(!cursor_ok(&c));
	CHECK_EQ(cursor_u8(&c), 0);
	CHECK(!cursor_done(&c));
}

TEST(amounts_are_checked)
{
	struct amount_sat s = SAT(7);
	struct amount_msat m = MSAT(9);

	CHECK(!sat_add(&s, SAT(UINT64_MAX), SAT(1)));
	CHECK_EQ(s.v, 7);
	CHECK(!sat_sub(&s, SAT(1), SAT(2)));
	CHECK(!msat_add(&m, MSAT(UINT64_MAX), MSAT(1)));
	CHECK(!sat_to_msat(&m, SAT(UINT64_MAX / 1000 + 1)));
	CHECK_EQ(m.v, 9);
	CHECK_EQ(msat_to_sat_up(MSAT(1001)).v, 2);
	CHECK_EQ(msat_ppm(MSAT(SUPPLY_SAT * 1000), 1000000).v, SUPPLY_SAT * 1000);
	CHECK(msat_ppm(MSAT(SUPPLY_SAT * 1000), UINT32_MAX).v == UINT64_MAX);
	CHECK_EQ(msat_half(MSAT(7)).v, 3);
}

struct item {
	uint8_t key[4];
};

static struct bytes item_key(const void *p)
{
	return BYTES_OF(((const struct item *)p)->key);
}

TEST(table_adds_finds_removes_in_order)
{
	static struct item items[2000];
	uint8_t seed[16] = { 5 };
	struct table t;
	uint32_t at = 0, n = 0;
	struct item *p;

	table_init(&t, item_key, seed);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 2000; i++) {
			store_be32(items[i].key, i);
			table_add(&t, &items[i]);
		}
		CHECK_EQ(table_count(&t), 2000);
		for (uint32_t i = 0; i < 2000; i++)
			CHECK(table_get(&t, BYTES_OF(items[i].key)) == &items[i]);
		for (uint32_t i = 0; i < 2000; i += 2)
			CHECK(table_remove(&t, BYTES_OF(items[i].key)) == &items[i]);
		CHECK(!table_get(&t, BYTES_OF(items[0].key)));
		for (at = 0, n = 0; (p = table_next(&t, &at)); n++)
			CHECK_EQ(load_be32(p->key), 2 * n + 1);
		CHECK_EQ(n, 1000);
		for (at = 0; (p = table_next(&t, &at));)
			CHECK(table_remove(&t, BYTES_OF(p->key)) == p);
		CHECK_EQ(table_count(&t), 0);
	}
	table_release(&t);
}

/* The reference vector of the SipHash paper, appendix A. */
TEST(names_are_found_in_the_order_in_which_they_were_taken)
{
	static const uint8_t seed[16] = { 7 };
	struct name a[2] = { 0 }, b[2] = { 0 };
	struct names n;
	char one, other;

	names_init(&n, seed);
	CHECK(!names_find(&n, 5) && !names_find(&n, 0));
	names_set(&n, &a[0], &one, 5);
	names_set(&n, &b[0], &other, 5);
	names_set(&n, &a[1], &one, 5);
	names_set(&n, &b[1], &other, 6);
	CHECK(names_find(&n, 5) == &a[0] && a[0].next == &b[0] && b[0].next == &a[1] && !a[1].next);
	CHECK(names_find(&n, 6)->object == &other);
	names_set(&n, &b[0], &other, 5); /* nothing new */
	CHECK(a[0].next == &b[0]);
	names_set(&n, &b[0], &other, 0); /* from the middle */
	CHECK(a[0].next == &a[1] && !name_number(&b[0]));
	names_set(&n, &a[0], &one, 9); /* from the front */
	CHECK(names_find(&n, 5) == &a[1] && names_find(&n, 9) == &a[0]);
	names_set(&n, &a[1], &one, 0);
	CHECK(!names_find(&n, 5));
	names_set(&n, &b[1], &other, 9);
	CHECK(names_find(&n, 9)->next == &b[1] && !names_find(&n, 6));
	names_release(&n);
}

TEST(siphash_matches_its_paper)
{
	uint8_t key[16], message[15];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	memcpy(message, key, sizeof(message));
	CHECK(siphash24(key, BYTES_OF(message)) == 0xa129ca6149be45e5ull);
}

TEST(text_of_strangers_is_escaped)
{
	char out[32];

	log_escape(out, sizeof(out), bytes_from_string("a\033[2J\nb\\"));
	CHECK_STR(out, "a\\x1b[2J\\x0ab\\x5c");
	log_escape(out, 6, bytes_from_string("ab\n\n"));
	CHECK_STR(out, "ab");
}

TEST(what_an_arena_handed_out_can_be_wiped)
{
	/* In chunks of their own, one of them large. */
	static const size_t sizes[] = { 1, 33, 10000, 10000, 100000 };
	uint8_t *at[ARRAY_COUNT(sizes)];
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		at[i] = arena_alloc(&a, sizes[i]);
		memset(at[i], 0xa5, sizes[i]);
	}
	arena_wipe(&a);
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
		for (size_t k = 0; k < sizes[i]; k++)
			CHECK_EQ(at[i][k], 0);
	arena_release(&a);
}

TEST(arena_memory_is_zero_after_reset)
{
	struct arena a;
	uint8_t *p;

	arena_init(&a);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) {
			p = arena_alloc(&a, 1000);
			for (int j = 0; j < 1000; j++)
				CHECK_EQ(p[j], 0);
			memset(p, 0xff, 1000);
		}
		arena_reset(&a);
	}
	arena_release(&a);
}

TEST(hex_refuses_what_is_not_hex)
{
	uint8_t two[2];

	CHECK(hex_decode(two, 2, "aBcD", 4));
	CHECK_EQ(two[0], 0xab);
	CHECK(!hex_decode(two, 2, "abc", 3));
	CHECK(!hex_decode(two, 2, "abcg", 4));
	CHECK(!hex_decode(two, 2, "abcdef", 6));
}

TEST(what_is_left_before_a_fee_in_proportion)
{
	static const uint32_t ppms[] = { 0, 1, 100, 999999, 1000000, 5000000, UINT32_MAX };
	static const uint64_t amounts[] = { 0, 1, 2, 3, 999, 1000, 1001, 123456789, SUPPLY_SAT * 1000 };

	for (size_t i = 0; i < ARRAY_COUNT(ppms); i++) {
		for (size_t j = 0; j < ARRAY_COUNT(amounts); j++) {
			struct amount_msat a = MSAT(amounts[j]), b = msat_before_ppm(a, ppms[i]);

			CHECK(b.v + msat_ppm(b, ppms[i]).v <= a.v);
			CHECK(b.v == a.v || b.v + 1 + msat_ppm(MSAT(b.v + 1), ppms[i]).v > a.v);
			b = msat_before_ppm_up(a, ppms[i]);
			CHECK((unsigned __int128)b.v * (1000000ull + ppms[i]) >= (unsigned __int128)a.v * 1000000);
			CHECK(!b.v || (unsigned __int128)(b.v - 1) * (1000000ull + ppms[i]) < (unsigned __int128)a.v * 1000000);
		}
	}
}
