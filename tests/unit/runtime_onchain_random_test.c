/* core/onchain under random events (tests/unit/onchain_play.h); the fuzzer tests/fuzz/onchain_fuzz.c plays the same. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/onchain_play.h"

#define RUNS 120u

static struct play p;

TEST(whatever_happens_all_is_settled)
{
	const char *seed_text = getenv("LAMPO_SEED");
	uint64_t first = seed_text ? strtoull(seed_text, NULL, 10) : 1, count = seed_text ? 1 : RUNS, settled = 0;

	for (uint64_t seed = first; seed < first + count; seed++) {
		uint8_t key[32] = { 0 }, data[160];
		struct drbg bytes;

		store_be64(key, seed);
		drbg_init(&bytes, key);
		drbg_fill(&bytes, data, sizeof(data));
		if (seed_text)
			printf("seed %llu\n", (unsigned long long)seed);
		settled += play_bytes(&p, data, sizeof(data));
	}
	printf("  %llu of %llu runs came to their end\n", (unsigned long long)settled, (unsigned long long)count);
	/* The others ran out of coins or of blocks. */
	CHECK(seed_text || settled >= RUNS * 3 / 4);
}
