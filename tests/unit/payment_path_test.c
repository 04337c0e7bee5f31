#include "payment/path.h"

#include "onion/opening.h"
#include "tests/test.h"

static struct secp *secp(void)
{
	static struct secp *s;
	static const uint8_t seed[32] = { 7 };

	if (!s)
		s = secp_new(seed);
	return s;
}

static struct secret32 key_of(uint8_t v)
{
	struct secret32 k;

	memset(k.v, v, sizeof(k.v));
	return k;
}

static struct pubkey node(uint8_t v)
{
	struct secret32 k = key_of(v);
	struct pubkey p;

	pubkey_of(secp(), &p, &k);
	return p;
}

/* Node 1 (our peer), then 2 at 1000 msat + 1 %, then 3 at 5 msat + 100 ppm. */
static struct path path_of_three(void)
{
	struct path p = { .channel_key = 9, .spendable = MSAT(1000000), .count = 3 };

	p.hops[0] = (struct path_hop){ .node_id = node(1) };
	p.hops[1] = (struct path_hop){ node(2), { 12 }, 1000, 10000, 40 };
	p.hops[2] = (struct path_hop){ node(3), { 13 }, 5, 100, 6 };
	return p;
}

TEST(amounts_grow_towards_us)
{
	struct path p = path_of_three();
	struct amount_msat amounts[ONION_HOPS_MAX], fee;
	uint32_t cltvs[ONION_HOPS_MAX];

	CHECK(path_amounts(&p, amounts, cltvs, MSAT(100000), 500));
	CHECK_EQ(amounts[2].v, 100000);
	CHECK_EQ(amounts[1].v, 100000 + 5 + 10);
	CHECK_EQ(amounts[0].v, 100015 + 1000 + 1000);
	CHECK_EQ(cltvs[2], 500);
	CHECK_EQ(cltvs[1], 506);
	CHECK_EQ(cltvs[0], 546);
	CHECK(path_fee(&p, &fee, MSAT(100000)));
	CHECK_EQ(fee.v, 2015);

	CHECK(!path_amounts(&p, amounts, cltvs, MSAT(100000), UINT32_MAX));
	CHECK(!path_amounts(&p, amounts, cltvs, MSAT(SUPPLY_SAT * 1000), 500));
	CHECK(!path_amounts(&p, amounts, cltvs, MSAT(UINT64_MAX), 500));
	p.hops[2].fee_ppm = UINT32_MAX;
	CHECK(!path_amounts(&p, amounts, cltvs, MSAT(SUPPLY_SAT * 900), 500));
	CHECK(!path_fee(&p, &fee, MSAT(SUPPLY_SAT * 900)));
}

TEST(capacity_is_the_most_that_arrives)
{
	struct path p = path_of_three();
	struct amount_msat amounts[ONION_HOPS_MAX], most;
	uint32_t cltvs[ONION_HOPS_MAX];

	for (uint64_t limit = 0; limit < 400000; limit += 317) {
		most = path_capacity(&p, MSAT(limit));
		if (most.v) {
			CHECK(path_amounts(&p, amounts, cltvs, most, 1));
			CHECK(amounts[0].v <= limit);
		}
		CHECK(path_amounts(&p, amounts, cltvs, MSAT(most.v + 1), 1));
		CHECK(amounts[0].v > limit);
	}
	p.count = 1;
	CHECK_EQ(path_capacity(&p, MSAT(77)).v, 77);
}

TEST(the_onion_says_what_each_hop_receives)
{
	struct path p = path_of_three();
	struct payload final = { .is_final = true, .amount = MSAT(100000), .cltv_expiry = 500, .has_secret = true,
				 .total = MSAT(200000), .secret = key_of(8) };
	struct secret32 session = key_of(0x55);
	struct sha256 hash = { { 4 } };
	struct buf onion = BUF_EMPTY;
	struct opening o;
	struct arena a;

	arena_init(&a);
	CHECK(path_onion(&p, &onion, secp(), &session, &hash, &final));
	for (uint8_t hop = 1; hop <= 3; hop++) {
		struct secret32 key = key_of(hop), secret;

		CHECK_EQ(onion.size, ONION_PACKET_SIZE);
		CHECK_EQ(opening_start(&o, onion.data, &hash, NULL), OPENING_ASK);
		CHECK(ecdh(secp(), &secret, &o.ask, &key));
		CHECK_EQ(opening_answer(&o, &a, &secret), OPENING_DONE);
		buf_clear(&onion);
		buf_add_bytes(&onion, o.next);
		/* B4.packet_structure.17 B4.packet_structure.18 B4.packet_structure.20 */
		CHECK_EQ(o.payload.is_final, hop == 3);
		CHECK_EQ(o.payload.amount.v, hop == 1 ? 100015 : 100000);
		CHECK_EQ(o.payload.cltv_expiry, hop == 1 ? 506 : 500);
		CHECK_EQ(o.payload.scid.v, hop == 1 ? 12 : hop == 2 ? 13 : 0);
		/* B4.packet_structure.19 B4.packet_structure.21 B4.packet_structure.22 B4.packet_structure.23 */
		CHECK_EQ(o.payload.has_secret, hop == 3);
		if (hop == 3) {
			CHECK_EQ(o.payload.total.v, 200000);
			CHECK(SAME(o.payload.secret, final.secret));
		}
	}
	buf_clear(&onion);
	final.has_metadata = true;
	final.metadata = BYTES(test_alloc(1300), 1300);
	CHECK(!path_onion(&p, &onion, secp(), &session, &hash, &final));
	final.has_metadata = false;
	p.hops[1].node_id.v[0] = 9;
	CHECK(!path_onion(&p, &onion, secp(), &session, &hash, &final));
	CHECK_EQ(onion.size, 0);
	buf_release(&onion);
	arena_release(&a);
}

TEST(paths_come_from_channels_and_hints)
{
	struct path_hint_hop hint_hops[3] = {
		{ node(1), { 101 }, 1, 10, 11 }, { node(2), { 102 }, 2, 20, 12 }, { node(5), { 103 }, 3, 30, 13 },
	};
	struct path_hint hints[2] = { { hint_hops, 3 }, { hint_hops + 2, 1 } };
	struct path_channel channels[4] = {
		{ 1, node(1), MSAT(10), MSAT(1) }, { 2, node(2), MSAT(20), MSAT(2) }, { 3, node(9), MSAT(30), MSAT(3) },
		{ 4, node(7), MSAT(40), MSAT(4) },
	};
	struct pubkey payee = node(9);
	struct path_list list;
	struct arena a;

	arena_init(&a);
	list = path_find(&a, channels, 4, hints, 2, &payee);
	CHECK_EQ(list.count, 3);
	/* Straight to the payee first. */
	CHECK_EQ(list.paths[0].channel_key, 3);
	CHECK_EQ(list.paths[0].count, 1);
	CHECK_EQ(list.paths[0].spendable.v, 30);
	/* From the hint's first node along all of it. */
	CHECK_EQ(list.paths[1].channel_key, 1);
	CHECK_EQ(list.paths[1].count, 4);
	CHECK(SAME(list.paths[1].hops[0].node_id, channels[0].peer));
	CHECK_EQ(list.paths[1].hops[0].fee_base_msat, 0);
	CHECK_EQ(list.paths[1].hops[1].scid.v, 101);
	CHECK_EQ(list.paths[1].hops[1].fee_ppm, 10);
	CHECK_EQ(list.paths[1].hops[1].cltv_delta, 11);
	CHECK(SAME(list.paths[1].hops[1].node_id, hint_hops[1].node_id));
	CHECK_EQ(list.paths[1].hops[3].scid.v, 103);
	CHECK(SAME(list.paths[1].hops[3].node_id, payee));
	/* From a node in its middle. */
	CHECK_EQ(list.paths[2].channel_key, 2);
	CHECK_EQ(list.paths[2].count, 3);
	CHECK_EQ(list.paths[2].hops[1].scid.v, 102);
	CHECK_EQ(list.paths[2].htlc_min.v, 2);

	payee = node(8);
	CHECK_EQ(path_find(&a, channels, 4, NULL, 0, &payee).count, 0);
	CHECK_EQ(path_find(&a, NULL, 0, hints, 2, &payee).count, 0);
	arena_release(&a);
}

TEST(a_hint_that_is_too_long_is_no_path)
{
	struct path_hint_hop hops[ONION_HOPS_MAX];
	struct path_hint hint = { hops, ONION_HOPS_MAX };
	struct path_channel channel = { 1, node(1), MSAT(10), MSAT(1) };
	struct pubkey payee = node(9);
	struct arena a;

	arena_init(&a);
	for (uint32_t i = 0; i < ONION_HOPS_MAX; i++)
		hops[i] = (struct path_hint_hop){ node((uint8_t)(20 + i)), { i }, 0, 0, 0 };
	hops[0].node_id = node(1);
	CHECK_EQ(path_find(&a, &channel, 1, &hint, 1, &payee).count, 0);
	hint.count--;
	CHECK_EQ(path_find(&a, &channel, 1, &hint, 1, &payee).count, 1);
	CHECK_EQ(path_find(&a, &channel, 1, &hint, 1, &payee).paths[0].count, ONION_HOPS_MAX);
	/* An empty one says nothing. */
	hint.count = 0;
	CHECK_EQ(path_find(&a, &channel, 1, &hint, 1, &payee).count, 0);
	arena_release(&a);
}
