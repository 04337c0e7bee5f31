/* An onion that comes a second time: BOLT 4 "Onion Decryption". */
#include "onion/replay.h"
#include "tests/test.h"

static const uint8_t seed[16] = { 3 };

/* A packet of which only the HMAC counts. */
static const uint8_t *packet(uint32_t number)
{
	static uint8_t p[ONION_PACKET_SIZE];

	store_be32(p + ONION_PACKET_SIZE - ONION_HMAC_SIZE, number);
	return p;
}

TEST(an_onion_belongs_to_the_htlc_that_brought_it_first)
{
	struct replay r;

	replay_init(&r, seed);
	CHECK(!replay_seen(&r, packet(1), 7, 0));
	/* The same HTLC again, as after a restart. */
	CHECK(!replay_seen(&r, packet(1), 7, 0));
	/* B4.onion_decryption.3: another one of the channel, or of another channel. */
	CHECK(replay_seen(&r, packet(1), 7, 1));
	CHECK(replay_seen(&r, packet(1), 8, 0));
	CHECK(!replay_seen(&r, packet(2), 8, 0));
	CHECK(!replay_seen(&r, packet(1), 7, 0));
	replay_release(&r);
}

TEST(the_last_ones_are_remembered)
{
	struct replay r;

	replay_init(&r, seed);
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < REPLAY_MAX; i++)
			CHECK(!replay_seen(&r, packet(round * REPLAY_MAX + i), 1, i));
		CHECK_EQ(table_count(&r.by_hmac), REPLAY_MAX);
		/* However many have come: the memory that the header says. */
		CHECK_EQ(r.by_hmac.entry_capacity, 2 * REPLAY_MAX);
		CHECK_EQ(r.by_hmac.slot_count, 4 * REPLAY_MAX);
	}
	for (uint32_t i = 0; i < REPLAY_MAX; i++)
		CHECK(replay_seen(&r, packet(REPLAY_MAX + i), 2, i));
	/* One more takes the place of the oldest, and of no other. */
	CHECK(!replay_seen(&r, packet(0), 1, 0));
	CHECK(replay_seen(&r, packet(REPLAY_MAX + 1), 2, 0));
	CHECK(!replay_seen(&r, packet(REPLAY_MAX), 2, 0));
	replay_release(&r);
}
