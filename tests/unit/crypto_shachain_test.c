#include "tests/test.h"

#include <string.h>

#include "crypto/shachain.h"

/* BOLT 3 "Appendix D: Per-commitment Secret Generation Test Vectors". */
static const struct {
	uint8_t seed_byte;
	uint64_t index;
	const char *secret;
} generation[] = {
	{ 0x00, 281474976710655, "02a40c85b6f28da08dfdbe0926c53fab2de6d28c10301f8f7c4073d5e42e3148" },
	{ 0xff, 281474976710655, "7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc" },
	{ 0xff, 0xaaaaaaaaaaa, "56f4008fb007ca9acf0e15b054d5c9fd12ee06cea347914ddbaed70d1c13a528" },
	{ 0xff, 0x555555555555, "9015daaeb06dba4ccc05b91b2f73bd54405f2be9f217fbacd3c5ac2e62327d31" },
	{ 0x01, 1, "915c75942a26bb3a433a8ce2cb0427c29ec6c1775cfc78328b57f6ba7bfeaa9c" },
};

#define STEPS_MAX 8u

/* The secrets from the first index down; the last one is taken or not. */
static const struct {
	const char *name;
	bool last_good;
	const char *secrets[STEPS_MAX];
} storage[] = {
	{ "insert_secret correct sequence", true, {
		"7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc",
		"c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964",
		"2273e227a5b7449b6e70f1fb4652864038b1cbf9cd7c043a7d6456b7fc275ad8",
		"27cddaa5624534cb6cb9d7da077cf2b22ab21e9b506fd4998a51d54502e99116",
		"c65716add7aa98ba7acb236352d665cab17345fe45b55fb879ff80e6bd0c41dd",
		"969660042a28f32d9be17344e09374b379962d03db1574df5a8a5a47e19ce3f2",
		"a5a64476122ca0925fb344bdc1854c1c0a59fc614298e50a33e331980a220f32",
		"05cde6323d949933f7f7b78776bcc1ea6d9b31447732e3802e1f7ac44b650e17",
	} },
	{ "insert_secret #1 incorrect", false, {
		"02a40c85b6f28da08dfdbe0926c53fab2de6d28c10301f8f7c4073d5e42e3148",
		"c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964",
	} },
	{ "insert_secret #2 incorrect (#1 derived from incorrect)", false, {
		"02a40c85b6f28da08dfdbe0926c53fab2de6d28c10301f8f7c4073d5e42e3148",
		"dddc3a8d14fddf2b68fa8c7fbad2748274937479dd0f8930d5ebb4ab6bd866a3",
		"2273e227a5b7449b6e70f1fb4652864038b1cbf9cd7c043a7d6456b7fc275ad8",
		"27cddaa5624534cb6cb9d7da077cf2b22ab21e9b506fd4998a51d54502e99116",
	} },
	{ "insert_secret #3 incorrect", false, {
		"7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc",
		"c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964",
		"c51a18b13e8527e579ec56365482c62f180b7d5760b46e9477dae59e87ed423a",
		"27cddaa5624534cb6cb9d7da077cf2b22ab21e9b506fd4998a51d54502e99116",
	} },
	{ "insert_secret #4 incorrect (1,2,3 derived from incorrect)", false, {
		"02a40c85b6f28da08dfdbe0926c53fab2de6d28c10301f8f7c4073d5e42e3148",
		"dddc3a8d14fddf2b68fa8c7fbad2748274937479dd0f8930d5ebb4ab6bd866a3",
		"c51a18b13e8527e579ec56365482c62f180b7d5760b46e9477dae59e87ed423a",
		"ba65d7b0ef55a3ba300d4e87af29868f394f8f138d78a7011669c79b37b936f4",
		"c65716add7aa98ba7acb236352d665cab17345fe45b55fb879ff80e6bd0c41dd",
		"969660042a28f32d9be17344e09374b379962d03db1574df5a8a5a47e19ce3f2",
		"a5a64476122ca0925fb344bdc1854c1c0a59fc614298e50a33e331980a220f32",
		"05cde6323d949933f7f7b78776bcc1ea6d9b31447732e3802e1f7ac44b650e17",
	} },
	{ "insert_secret #5 incorrect", false, {
		"7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc",
		"c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964",
		"2273e227a5b7449b6e70f1fb4652864038b1cbf9cd7c043a7d6456b7fc275ad8",
		"27cddaa5624534cb6cb9d7da077cf2b22ab21e9b506fd4998a51d54502e99116",
		"631373ad5f9ef654bb3dade742d09504c567edd24320d2fcd68e3cc47e2ff6a6",
		"969660042a28f32d9be17344e09374b379962d03db1574df5a8a5a47e19ce3f2",
	} },
	{ "insert_secret #6 incorrect (5 derived from incorrect)", false, {
		"7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc",
		"c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964",
		"2273e227a5b7449b6e70f1fb4652864038b1cbf9cd7c043a7d6456b7fc275ad8",
		"27cddaa5624534cb6cb9d7da077cf2b22ab21e9b506fd4998a51d54502e99116",
		"631373ad5f9ef654bb3dade742d09504c567edd24320d2fcd68e3cc47e2ff6a6",
		"b7e76a83668bde38b373970155c868a653304308f9896692f904a23731224bb1",
		"a5a64476122ca0925fb344bdc1854c1c0a59fc614298e50a33e331980a220f32",
		"05cde6323d949933f7f7b78776bcc1ea6d9b31447732e3802e1f7ac44b650e17",
	} },
	{ "insert_secret #7 incorrect", false, {
		"7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc",
		"c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964",
		"2273e227a5b7449b6e70f1fb4652864038b1cbf9cd7c043a7d6456b7fc275ad8",
		"27cddaa5624534cb6cb9d7da077cf2b22ab21e9b506fd4998a51d54502e99116",
		"c65716add7aa98ba7acb236352d665cab17345fe45b55fb879ff80e6bd0c41dd",
		"969660042a28f32d9be17344e09374b379962d03db1574df5a8a5a47e19ce3f2",
		"e7971de736e01da8ed58b94c2fc216cb1dca9e326f3a96e7194fe8ea8af6c0a3",
		"05cde6323d949933f7f7b78776bcc1ea6d9b31447732e3802e1f7ac44b650e17",
	} },
	{ "insert_secret #8 incorrect", false, {
		"7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc",
		"c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964",
		"2273e227a5b7449b6e70f1fb4652864038b1cbf9cd7c043a7d6456b7fc275ad8",
		"27cddaa5624534cb6cb9d7da077cf2b22ab21e9b506fd4998a51d54502e99116",
		"c65716add7aa98ba7acb236352d665cab17345fe45b55fb879ff80e6bd0c41dd",
		"969660042a28f32d9be17344e09374b379962d03db1574df5a8a5a47e19ce3f2",
		"a5a64476122ca0925fb344bdc1854c1c0a59fc614298e50a33e331980a220f32",
		"a7efbc61aac46d34f77778bac22c8a20c6a46ca460addc49009bda875ec88fa4",
	} },
};

static struct secret32 secret_of(const char *hex)
{
	struct secret32 s;

	memcpy(s.v, test_unhex(hex).data, sizeof(s.v));
	return s;
}

static struct secret32 seed_of(uint8_t byte)
{
	struct secret32 s;

	memset(s.v, byte, sizeof(s.v));
	return s;
}

TEST(generation)
{
	for (size_t i = 0; i < ARRAY_COUNT(generation); i++) {
		struct secret32 seed = seed_of(generation[i].seed_byte);
		struct secret32 s = shachain_from_seed(&seed, generation[i].index);

		/* B3.per_commitment_secret_requirements.4 */
		CHECK_HEX(BYTES_OF(s.v), generation[i].secret);
	}
}

TEST(storage_takes_and_refuses)
{
	for (size_t i = 0; i < ARRAY_COUNT(storage); i++) {
		struct shachain chain;
		uint32_t count = 0;

		shachain_init(&chain);
		/* B3.per_commitment_secret_requirements.3: the first has index 281474976710655, the next one less. */
		CHECK(chain.next_index == 281474976710655);
		while (count < STEPS_MAX && storage[i].secrets[count])
			count++;
		for (uint32_t j = 0; j < count; j++) {
			struct secret32 s = secret_of(storage[i].secrets[j]);
			bool good = shachain_add(&chain, SHACHAIN_FIRST - j, &s);

			CHECK(good == (j + 1 < count || storage[i].last_good));
		}
	}
}

/* Every secret that was ever added can be had again, from at most 49 kept. */
TEST(all_secrets_can_be_had_again)
{
	struct secret32 seed = seed_of(0x5a);
	struct shachain chain;

	shachain_init(&chain);
	for (uint64_t i = 0; i < 1000; i++) {
		struct secret32 s = shachain_from_seed(&seed, SHACHAIN_FIRST - i), back;

		CHECK(!shachain_get(&chain, SHACHAIN_FIRST - i, &back));
		CHECK(shachain_add(&chain, SHACHAIN_FIRST - i, &s));
		for (uint64_t j = 0; j <= i; j += 1 + i / 50) {
			struct secret32 want = shachain_from_seed(&seed, SHACHAIN_FIRST - j);

			CHECK(shachain_get(&chain, SHACHAIN_FIRST - j, &back) && SAME(back, want));
		}
	}
	CHECK_EQ(chain.count, 10);
	CHECK(!shachain_get(&chain, SHACHAIN_FIRST + 1, &(struct secret32){ { 0 } }));
}

TEST(only_the_next_index_is_taken)
{
	struct secret32 seed = seed_of(7), s = shachain_from_seed(&seed, SHACHAIN_FIRST);
	struct shachain chain;

	shachain_init(&chain);
	CHECK(!shachain_add(&chain, SHACHAIN_FIRST - 1, &s));
	CHECK(!shachain_add(&chain, SHACHAIN_FIRST + 1, &s));
	CHECK(shachain_add(&chain, SHACHAIN_FIRST, &s));
	CHECK(!shachain_add(&chain, SHACHAIN_FIRST, &s));
	s = shachain_from_seed(&seed, SHACHAIN_FIRST - 2);
	CHECK(!shachain_add(&chain, SHACHAIN_FIRST - 2, &s));
}

/* The last secret of all, the seed itself, gives every other; then there is no next. */
TEST(the_chain_ends_at_index_zero)
{
	struct secret32 seed = seed_of(9), back, want = shachain_from_seed(&seed, 0x123456789abc);
	struct shachain chain;

	shachain_init(&chain);
	/* As after 2^48 - 1 commitments: everything from index 1 on is known. */
	for (uint32_t place = 0; place < 48; place++) {
		chain.known[place].index = (uint64_t)1 << place;
		chain.known[place].secret = shachain_from_seed(&seed, (uint64_t)1 << place);
	}
	chain.count = 48;
	chain.next_index = 0;
	CHECK(shachain_add(&chain, 0, &seed));
	CHECK(shachain_get(&chain, 0, &back) && SAME(back, seed));
	CHECK(shachain_get(&chain, 0x123456789abc, &back) && SAME(back, want));
	CHECK(!shachain_add(&chain, 0, &seed) && !shachain_add(&chain, SHACHAIN_FIRST, &seed));
}

TEST(store_form_reads_back)
{
	struct secret32 seed = seed_of(1), back, want;
	struct shachain chain, again;
	struct buf b = BUF_EMPTY;
	bool cut, longer, whole;

	shachain_init(&chain);
	for (uint64_t i = 0; i < 300; i++) {
		struct secret32 s = shachain_from_seed(&seed, SHACHAIN_FIRST - i);

		CHECK(shachain_add(&chain, SHACHAIN_FIRST - i, &s));
	}
	shachain_encode(&chain, &b);
	cut = shachain_decode(&again, BYTES(b.data, b.size - 1));
	buf_add_u8(&b, 0);
	longer = shachain_decode(&again, buf_view(&b));
	b.size--;
	whole = shachain_decode(&again, buf_view(&b));
	buf_wipe(&b);
	CHECK(whole && !cut && !longer);
	want = shachain_from_seed(&seed, SHACHAIN_FIRST - 123);
	CHECK(shachain_get(&again, SHACHAIN_FIRST - 123, &back) && SAME(back, want));
	want = shachain_from_seed(&seed, SHACHAIN_FIRST - 300);
	CHECK(shachain_add(&again, SHACHAIN_FIRST - 300, &want));
}
