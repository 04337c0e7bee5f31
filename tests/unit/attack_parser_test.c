/* Disclosed attacks with bytes alone: lengths that claim what does not follow, and keys that collide.
 * docs/ATTACKS.md tells of each. */
#include <string.h>
#include <time.h>

#include "base/table.h"
#include "bitcoin/psbt.h"
#include "bitcoin/tx.h"
#include "crypto/hash.h"
#include "gossip/graph.h"
#include "onion/payload.h"
#include "onion/sphinx.h"
#include "tests/test.h"
#include "wire/message.h"

/* --- Onion bombs ---
 * lnd allocated what the length in front of a hop's payload said, up to 2^64, before it looked whether it was there. */

static const char *const claims[] = {
	"fd0512",             /* one more than fits */
	"fdffff",
	"fe00010000",
	"fe7fffffff",
	"feffffffff",
	"ff0000000100000000",
	"ff7fffffffffffffff",
	"ff8000000000000000",
	"ffffffffffffffffff",
};

/* A packet that opens, with these bytes where the payloads begin. */
static struct bytes packet_with(struct bytes inside, const struct secret32 *secret)
{
	uint8_t *p = test_alloc(ONION_PACKET_SIZE), *payloads = p + 34;
	struct secret32 rho = onion_key("rho", secret), mu = onion_key("mu", secret);
	struct sha256 hmac;

	memset(p, 0, ONION_PACKET_SIZE);
	memcpy(payloads, inside.data, inside.size);
	onion_stream_xor(payloads, ONION_PAYLOADS_SIZE, &rho);
	hmac = hmac_sha256(BYTES_OF(mu.v), BYTES(payloads, ONION_PAYLOADS_SIZE));
	memcpy(payloads + ONION_PAYLOADS_SIZE, hmac.v, sizeof(hmac.v));
	return BYTES(p, ONION_PACKET_SIZE);
}

static enum onion_fault peel(struct arena *a, struct bytes inside)
{
	static const struct secret32 secret = { { 1, 2, 3 } };
	struct onion_peeled out;

	return onion_peel(a, &out, packet_with(inside, &secret), &secret, BYTES_NONE);
}

TEST(onion_bomb_in_the_length_of_a_payload)
{
	struct arena a;

	arena_init(&a);
	CHECK_EQ(peel(&a, test_unhex("02aabb")), ONION_GOOD);
	for (size_t i = 0; i < ARRAY_COUNT(claims); i++) {
		arena_reset(&a);
		CHECK_EQ(peel(&a, test_unhex(claims[i])), ONION_BAD_PAYLOAD);
		/* Twice the packet, which opening needs, and nothing for the claim. */
		CHECK(a.used <= 2 * ONION_PAYLOADS_SIZE + 256);
	}
	arena_release(&a);
}

TEST(onion_bomb_in_the_length_of_a_record)
{
	/* Of each kind of record: known and fixed, known and open-ended, unknown and odd. */
	static const char *const types[] = { "02", "06", "08", "10", "0b", "fe00010001", "fe0001000f" };
	struct failure why;
	struct payload out;
	struct arena a;

	arena_init(&a);
	for (size_t t = 0; t < ARRAY_COUNT(types); t++)
		for (size_t i = 0; i < ARRAY_COUNT(claims); i++) {
			struct buf b = BUF_EMPTY;

			arena_reset(&a);
			buf_add_bytes(&b, test_unhex(types[t]));
			buf_add_bytes(&b, test_unhex(claims[i]));
			buf_add(&b, "and a little more", 17);
			CHECK(!payload_read(&a, &out, &why, buf_view(&b), true));
			CHECK(a.used <= 4096);
			buf_release(&b);
		}
	arena_release(&a);
}

/* --- Claimed lengths in every message ---
 * Whatever follows its type, no message takes more memory than a small multiple of its own size. */

#define MULTIPLE 24

static void check_paid_for(const struct codec *c, struct bytes message)
{
	struct arena a;
	void *out;

	arena_init(&a);
	out = arena_alloc(&a, c->struct_size);
	(void)c->decode(message, &a, out);
	CHECK(a.used <= c->struct_size + MULTIPLE * message.size + 4096);
	arena_release(&a);
}

TEST(claimed_length_in_every_message)
{
	const struct codec *c;

	for (uint32_t i = 0; (c = msg_codec_at(i)); i++) {
		uint8_t *raw = test_alloc(700);

		/* The claim at every place: 0xff and on are a bigsize of eight bytes, a u16 count of 65535. */
		for (size_t zeros = 0; zeros < 600; zeros++) {
			memset(raw, 0, 700);
			store_be16(raw, c->type);
			memset(raw + 2 + zeros, 0xff, 60);
			check_paid_for(c, BYTES(raw, 2 + zeros + 2));
			check_paid_for(c, BYTES(raw, 2 + zeros + 60));
		}
	}
}

/* The same of the largest message, with as many of the smallest items as fit. */
TEST(claimed_length_in_the_largest_messages)
{
	static const uint8_t fill[] = { 0, 1, 2, 0xfd, 0xff };
	uint8_t *raw = test_alloc(MESSAGE_SIZE_MAX);
	const struct codec *c;

	for (uint32_t i = 0; (c = msg_codec_at(i)); i++)
		for (size_t f = 0; f < ARRAY_COUNT(fill); f++) {
			memset(raw, fill[f], MESSAGE_SIZE_MAX);
			store_be16(raw, c->type);
			check_paid_for(c, BYTES(raw, MESSAGE_SIZE_MAX));
		}
}

TEST(claimed_length_in_transactions_and_psbts)
{
	/* Inputs, a script, outputs, witness items, an item of the witness. */
	static const char *const before[] = {
		"02000000",
		"0200000001" "0000000000000000000000000000000000000000000000000000000000000000" "00000000",
		"0200000001" "0000000000000000000000000000000000000000000000000000000000000000" "00000000" "00" "ffffffff",
		"02000000000101" "0000000000000000000000000000000000000000000000000000000000000000" "00000000" "00" "ffffffff"
		"01" "0000000000000000" "00",
		"02000000000101" "0000000000000000000000000000000000000000000000000000000000000000" "00000000" "00" "ffffffff"
		"01" "0000000000000000" "00" "01",
	};
	static const char *const counts[] = { "feffffffff", "ff00000000ffffffff", "ffffffffffffffffff", "fdffff" };
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < ARRAY_COUNT(before); i++)
		for (size_t n = 0; n < ARRAY_COUNT(counts); n++) {
			struct buf b = BUF_EMPTY, p = BUF_EMPTY;

			arena_reset(&a);
			buf_add_bytes(&b, test_unhex(before[i]));
			buf_add_bytes(&b, test_unhex(counts[n]));
			buf_add(&b, "and a little more", 17);
			CHECK(!tx_parse(&a, buf_view(&b)));
			CHECK(a.used <= 8192);
			/* The global unsigned transaction of a PSBT. */
			buf_add_bytes(&p, test_unhex("70736274ff0100"));
			buf_add_bytes(&p, test_unhex(counts[n]));
			buf_add_bytes(&p, buf_view(&b));
			CHECK(!psbt_decode(&a, buf_view(&p)));
			CHECK(a.used <= 65536);
			buf_release(&b);
			buf_release(&p);
		}
	arena_release(&a);
}

/* --- zlib bombs in gossip replies ---
 * Compressed lists are gone from BOLT 7.  A list that says it is compressed stays the bytes that came. */

TEST(zlib_bomb_in_gossip_replies)
{
	/* 1 MB of zeros, deflated, has a thousand bytes; any will do for what is never inflated. */
	uint8_t list[1024] = { 1, 0x78, 0xda };
	struct msg_reply_channel_range reply = { .encoded_short_ids = BYTES_OF(list) }, r;
	struct msg_query_short_channel_ids query = { .encoded_short_ids = BYTES_OF(list) }, q;
	struct buf b = BUF_EMPTY;
	struct arena a;

	arena_init(&a);
	msg_reply_channel_range_encode(&reply, &b);
	CHECK_EQ(msg_reply_channel_range_decode(buf_view(&b), &a, &r), DECODE_OK);
	CHECK(bytes_equal(r.encoded_short_ids, BYTES_OF(list)));
	buf_clear(&b);
	msg_query_short_channel_ids_encode(&query, &b);
	CHECK_EQ(msg_query_short_channel_ids_decode(buf_view(&b), &a, &q), DECODE_OK);
	CHECK(bytes_equal(q.encoded_short_ids, BYTES_OF(list)));
	CHECK(a.used <= 4096);
	buf_release(&b);
	arena_release(&a);
}

/* --- HashDoS ---
 * Who can choose keys that fall into one place of a hash table makes every look-up a walk over all of them. */

#define KEYS 3000u
#define LOW_BITS 0xfffu

struct item {
	uint8_t key[8];
};

static struct bytes item_key(const void *p)
{
	return BYTES_OF(((const struct item *)p)->key);
}

static const uint8_t guessed[16];

/* Keys that collide for whoever knows the seed. */
static struct item *colliding(void)
{
	struct item *items = test_alloc(KEYS * sizeof(*items));
	uint64_t k = 1;

	for (uint32_t i = 0; i < KEYS; k++) {
		store_be64(items[i].key, k << 20);
		if ((siphash24(guessed, BYTES_OF(items[i].key)) & LOW_BITS) == 0)
			i++;
	}
	return items;
}

static uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Whatever else the machine does only adds to what something costs: the best of these counts. */
#define ROUNDS 5

/* What it costs to find each key. */
static uint64_t table_cost(struct item *items, const uint8_t seed16[16])
{
	struct table t;
	uint64_t best = UINT64_MAX;

	table_init(&t, item_key, seed16);
	for (uint32_t i = 0; i < KEYS; i++)
		table_add(&t, &items[i]);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t began = nanoseconds();

		for (uint32_t i = 0; i < KEYS; i++)
			CHECK(table_get(&t, BYTES_OF(items[i].key)) == &items[i]);
		began = nanoseconds() - began;
		best = began < best ? began : best;
	}
	table_release(&t);
	return best;
}

TEST(hashdos_on_tables)
{
	struct item *items = colliding();
	static const uint8_t secret[16] = { 3, 1, 4, 1, 5, 9, 2, 6 };

	/* The attack works against a seed that is known, and against no other. */
	CHECK(table_cost(items, guessed) > 5 * table_cost(items, secret));
}

static uint64_t graph_cost(const struct item *items, const uint8_t seed16[16])
{
	struct pubkey ids[2] = { { { 2, 1 } }, { { 2, 2 } } };
	struct graph *g = graph_new(seed16);
	uint64_t best = UINT64_MAX;

	for (uint32_t i = 0; i < KEYS; i++) {
		struct graph_new_channel c = { .scid = { load_le64(items[i].key) }, .node_id = { &ids[0], &ids[1] },
					       .capacity = SAT(1000000) };

		CHECK(graph_add_channel(g, &c) != GRAPH_NONE);
	}
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t began = nanoseconds();

		for (uint32_t i = 0; i < KEYS; i++)
			CHECK(graph_find_channel(g, (struct scid){ load_le64(items[i].key) }) != GRAPH_NONE);
		began = nanoseconds() - began;
		best = began < best ? began : best;
	}
	graph_free(g);
	return best;
}

TEST(hashdos_on_gossip_keys)
{
	struct item *items = colliding();
	static const uint8_t secret[16] = { 3, 1, 4, 1, 5, 9, 2, 6 };

	CHECK(graph_cost(items, guessed) > 5 * graph_cost(items, secret));
}
