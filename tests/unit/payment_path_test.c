/* The onion for a way: what each hop is told. */
#include "payment/path.h"

#include "onion/opening.h"
#include "tests/test.h"

#define HEIGHT 500u

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

/* Node 1 (our peer), then 2, then 3. */
static const struct path_hop *way_of_three(void)
{
	static struct path_hop hops[3];

	hops[0] = (struct path_hop){ node(1), { 11 }, MSAT(102015), 46 };
	hops[1] = (struct path_hop){ node(2), { 12 }, MSAT(100015), 6 };
	hops[2] = (struct path_hop){ node(3), { 13 }, MSAT(100000), 0 };
	return hops;
}

static struct opening open_at(struct arena *a, const uint8_t *packet, const struct sha256 *hash, uint8_t n)
{
	struct secret32 key = key_of(n), secret;
	struct opening o;

	CHECK_EQ(opening_start(&o, packet, hash, NULL), OPENING_ASK);
	CHECK(ecdh(secp(), &secret, &o.ask, &key));
	CHECK_EQ(opening_answer(&o, a, &secret), OPENING_DONE);
	return o;
}

TEST(each_hop_is_told_of_the_next)
{
	const struct path_hop *hops = way_of_three();
	struct path_keys keys = { .session = key_of(0x41) };
	struct sha256 hash = { { 5 } };
	struct payload final = { .is_final = true, .has_secret = true, .secret = key_of(9), .total = MSAT(250000) };
	struct buf packet = BUF_EMPTY;
	struct opening o;
	struct arena a;

	arena_init(&a);
	CHECK(path_onion(hops, 3, HEIGHT, &packet, secp(), &keys, &hash, &final));
	CHECK_EQ(packet.size, ONION_PACKET_SIZE);
	/* B4.packet_structure.17 B4.packet_structure.18 B4.packet_structure.19 */
	o = open_at(&a, packet.data, &hash, 1);
	CHECK(!o.payload.is_final);
	CHECK_EQ(o.payload.amount.v, 100015);
	CHECK_EQ(o.payload.cltv_expiry, HEIGHT + 6);
	CHECK_EQ(o.payload.scid.v, 12);
	o = open_at(&a, o.next.data, &hash, 2);
	CHECK(!o.payload.is_final);
	CHECK_EQ(o.payload.amount.v, 100000);
	CHECK_EQ(o.payload.cltv_expiry, HEIGHT);
	CHECK_EQ(o.payload.scid.v, 13);
	/* B4.packet_structure.20 B4.packet_structure.21 B4.packet_structure.22 B4.packet_structure.23 */
	o = open_at(&a, o.next.data, &hash, 3);
	CHECK(o.payload.is_final);
	CHECK_EQ(o.payload.amount.v, 100000);
	CHECK_EQ(o.payload.cltv_expiry, HEIGHT);
	CHECK(o.payload.has_secret && SAME(o.payload.secret, final.secret));
	CHECK_EQ(o.payload.total.v, 250000);
	buf_release(&packet);
	arena_release(&a);
}

TEST(an_onion_that_does_not_fit)
{
	struct path_hop hops[2];
	struct path_keys keys = { .session = key_of(0x41) };
	struct sha256 hash = { { 5 } };
	struct payload final = { .is_final = true, .has_metadata = true };
	struct buf packet = BUF_EMPTY;

	memcpy(hops, way_of_three(), sizeof(hops));
	final.metadata = BYTES(test_alloc(1210), 1210);
	CHECK(!path_onion(hops, 2, HEIGHT, &packet, secp(), &keys, &hash, &final));
	CHECK_EQ(packet.size, 0);
	CHECK(path_onion(hops, 1, HEIGHT, &packet, secp(), &keys, &hash, &final));
	/* A node id that is no point. */
	final.has_metadata = false;
	memset(&hops[0].node, 5, sizeof(hops[0].node));
	buf_clear(&packet);
	CHECK(!path_onion(hops, 2, HEIGHT, &packet, secp(), &keys, &hash, &final));
	buf_release(&packet);
}

TEST(directions_follow_the_ids)
{
	struct pubkey low = { { 2, 1 } }, high = { { 2, 2 } };

	/* BOLT 7: node_id_1 is the smaller. */
	CHECK_EQ(path_direction(&low, &high), 0);
	CHECK_EQ(path_direction(&high, &low), 1);
}
