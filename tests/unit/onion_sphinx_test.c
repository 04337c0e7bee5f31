#include "onion/sphinx.h"

#include <jansson.h>

#include "crypto/hash.h"
#include "tests/test.h"
#include "tests/unit/onion_vectors.h"

static struct secp *secp(void)
{
	static struct secp *s;
	static const uint8_t seed[32] = { 7 };

	if (!s)
		s = secp_new(seed);
	return s;
}

static void fill(void *out, const char *hex, size_t size)
{
	struct bytes b = test_unhex(hex);

	CHECK_EQ(b.size, size);
	memcpy(out, b.data, size);
}

/* A payload of the vectors without its length. */
static struct bytes strip_length(struct bytes b)
{
	size_t prefix = b.data[0] < 0xfd ? 1 : 3;

	CHECK_EQ(prefix == 1 ? b.data[0] : load_be16(b.data + 1), b.size - prefix);
	return BYTES(b.data + prefix, b.size - prefix);
}

static struct secret32 repeated(uint8_t v)
{
	struct secret32 k;

	memset(k.v, v, sizeof(k.v));
	return k;
}

/* The node keys of the vectors: 0x41..., 0x42... */
static struct secret32 node_key(uint32_t hop)
{
	return repeated((uint8_t)(0x41 + hop));
}

static const uint8_t associated32[32] = {
	0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
	0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
};

struct route {
	struct onion_hop hops[ONION_HOPS_MAX + 1];
	struct secret32 secrets[ONION_HOPS_MAX + 1];
	struct onion_request request;
	struct buf packet;
	struct arena arena;
};

static struct route *route_of_vector(void)
{
	struct route *r = test_alloc(sizeof(*r));

	for (int i = 0; i < 5; i++) {
		fill(r->hops[i].node_id.v, onion_vector_nodes[i], 33);
		r->hops[i].payload = strip_length(test_unhex(onion_vector_payloads[i]));
	}
	r->request = (struct onion_request){
		.hops = r->hops, .hop_count = 5, .packet_size = ONION_PACKET_SIZE,
		.session_key = repeated(0x41), .associated = BYTES_OF(associated32),
	};
	arena_init(&r->arena);
	return r;
}

/* Any route of so many hops with payloads of one size. */
static struct route *route_of(uint32_t hop_count, size_t payload_size)
{
	struct route *r = route_of_vector();
	uint8_t *payload = test_alloc(payload_size);

	memset(payload, 0x11, payload_size);
	for (uint32_t i = 0; i < hop_count; i++) {
		struct secret32 k = node_key(i);

		pubkey_of(secp(), &r->hops[i].node_id, &k);
		r->hops[i].payload = BYTES(payload, payload_size);
	}
	r->request.hop_count = hop_count;
	return r;
}

static bool build(struct route *r)
{
	return onion_build(&r->packet, r->secrets, secp(), &r->request);
}

static void release(struct route *r)
{
	buf_release(&r->packet);
	arena_release(&r->arena);
}

/* Opens the packet as the owner of the key, in the two steps of a node. */
static enum onion_fault open_packet(struct route *r, struct onion_peeled *out, struct bytes packet,
				    const struct secret32 *key)
{
	struct pubkey ephemeral;
	struct secret32 shared;
	enum onion_fault fault = onion_parse(&ephemeral, packet);

	if (fault != ONION_GOOD)
		return fault;
	CHECK(ecdh(secp(), &shared, &ephemeral, key));
	return onion_peel(&r->arena, out, packet, &shared, r->request.associated);
}

TEST(vector_packet_is_built)
{
	struct route *r = route_of_vector();

	CHECK(build(r));
	CHECK_HEX(buf_view(&r->packet), onion_vector_packet);
	/* The secrets with which the origin will open failures, then and later. */
	for (int i = 0; i < 5; i++)
		CHECK_HEX(BYTES_OF(r->secrets[i].v), onion_vector_secrets[i]);
	memset(r->secrets, 0, sizeof(r->secrets));
	CHECK(onion_secrets(r->secrets, secp(), &r->request));
	for (int i = 0; i < 5; i++)
		CHECK_HEX(BYTES_OF(r->secrets[i].v), onion_vector_secrets[i]);
	memset(r->request.session_key.v, 0, 32);
	CHECK(!onion_secrets(r->secrets, secp(), &r->request));
	release(r);
}

TEST(vector_packet_is_peeled)
{
	struct route *r = route_of_vector();
	struct bytes packet = test_unhex(onion_vector_packet);

	for (uint32_t i = 0; i < 5; i++) {
		struct secret32 key = node_key(i);
		struct onion_peeled out;

		CHECK_EQ(open_packet(r, &out, packet, &key), ONION_GOOD);
		CHECK(bytes_equal(out.payload, r->hops[i].payload));
		/* B4.onion_decryption.11 B4.onion_decryption.13 B4.onion_decryption.14: the next node can open it. */
		CHECK_EQ(out.is_last, i == 4);
		CHECK_EQ(out.next.size, i == 4 ? 0 : ONION_PACKET_SIZE);
		if (i < 4)
			CHECK_EQ(out.next.data[0], 0);
		packet = out.next;
	}
	release(r);
}

TEST(shared_vector_file_agrees)
{
	struct bytes file = test_shared_file("specs/bolts/bolt04/onion-test.json");
	json_t *j = json_loadb((const char *)file.data, file.size, 0, NULL);
	json_t *generate = json_object_get(j, "generate"), *hops = json_object_get(generate, "hops");
	struct route *r = route_of_vector();

	CHECK_EQ(json_array_size(hops), 5);
	fill(r->request.session_key.v, json_string_value(json_object_get(generate, "session_key")), 32);
	r->request.associated = test_unhex(json_string_value(json_object_get(generate, "associated_data")));
	for (size_t i = 0; i < 5; i++) {
		json_t *hop = json_array_get(hops, i);

		fill(r->hops[i].node_id.v, json_string_value(json_object_get(hop, "pubkey")), 33);
		r->hops[i].payload = strip_length(test_unhex(json_string_value(json_object_get(hop, "payload"))));
	}
	CHECK(build(r));
	CHECK_HEX(buf_view(&r->packet), json_string_value(json_object_get(j, "onion")));
	for (size_t i = 0; i < 5; i++) {
		struct bytes packet = i ? BYTES(r->packet.data, r->packet.size) : buf_view(&r->packet);
		struct secret32 key;
		struct onion_peeled out;

		fill(key.v, json_string_value(json_array_get(json_object_get(j, "decode"), i)), 32);
		CHECK_EQ(open_packet(r, &out, packet, &key), ONION_GOOD);
		CHECK(bytes_equal(out.payload, r->hops[i].payload));
		if (out.is_last)
			CHECK_EQ(i, 4);
		buf_clear(&r->packet);
		buf_add_bytes(&r->packet, out.next);
	}
	json_decref(j);
	release(r);
}

TEST(every_route_length_round_trips)
{
	for (uint32_t hop_count = 1; hop_count <= ONION_HOPS_MAX; hop_count++) {
		struct route *r = route_of(hop_count, ONION_PAYLOADS_SIZE / hop_count - 33);
		struct bytes packet;

		if (r->hops[0].payload.size >= 0xfd)
			for (uint32_t i = 0; i < hop_count; i++)
				r->hops[i].payload.size -= 2;
		CHECK(build(r));
		packet = buf_view(&r->packet);
		for (uint32_t i = 0; i < hop_count; i++) {
			struct secret32 key = node_key(i);
			struct onion_peeled out;

			CHECK_EQ(open_packet(r, &out, packet, &key), ONION_GOOD);
			CHECK(bytes_equal(out.payload, r->hops[i].payload));
			CHECK_EQ(out.is_last, i + 1 == hop_count);
			packet = out.next;
		}
		release(r);
	}
}

TEST(what_does_not_fit_is_refused)
{
	struct route *r = route_of(1, ONION_PAYLOADS_SIZE - 35);

	CHECK_EQ(onion_payload_cost(ONION_PAYLOADS_SIZE - 35), ONION_PAYLOADS_SIZE);
	/* B4.packet_structure.25: nothing but the packet's size limits a payload. */
	CHECK(build(r));
	r->hops[0].payload.size++;
	buf_clear(&r->packet);
	CHECK(!build(r));
	CHECK_EQ(r->packet.size, 0);
	release(r);

	r = route_of(ONION_HOPS_MAX + 1, 2);
	CHECK(!build(r));
	r->request.hop_count--;
	CHECK(build(r));
	release(r);

	/* Payload lengths 0 and 1 are reserved. */
	r = route_of(2, 1);
	CHECK(!build(r));
	release(r);

	r = route_of(2, 40);
	r->hops[1].node_id.v[0] = 5;
	CHECK(!build(r));
	release(r);

	r = route_of(2, 40);
	memset(r->request.session_key.v, 0, 32);
	CHECK(!build(r));
	memset(r->request.session_key.v, 0xff, 32);
	CHECK(!build(r));
	release(r);
}

TEST(a_foreign_version_is_refused)
{
	struct route *r = route_of(2, 40);
	struct secret32 key = node_key(0);
	struct onion_peeled out;

	CHECK(build(r));
	r->packet.data[0] = 1;
	/* B4.onion_decryption.1 B4.overview.1 B4.overview.2 */
	CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &key), ONION_BAD_VERSION);
	release(r);
}

TEST(a_bad_ephemeral_key_is_refused)
{
	struct route *r = route_of(2, 40);
	struct secret32 key = node_key(0);
	struct onion_peeled out;

	CHECK(build(r));
	r->packet.data[1] = 4;
	/* B4.onion_decryption.2 */
	CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &key), ONION_BAD_KEY);
	memset(r->packet.data + 1, 0, 33);
	CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &key), ONION_BAD_KEY);
	release(r);
}

TEST(every_changed_byte_breaks_the_hmac)
{
	struct route *r = route_of(2, 40);
	struct secret32 key = node_key(0), wrong = node_key(1);
	struct onion_peeled out;

	CHECK(build(r));
	/* B4.onion_decryption.5 */
	for (size_t i = 34; i < ONION_PACKET_SIZE; i += 7) {
		r->packet.data[i] ^= 1;
		CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &key), ONION_BAD_HMAC);
		CHECK_EQ(out.payload.size, 0);
		r->packet.data[i] ^= 1;
	}
	CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &wrong), ONION_BAD_HMAC);
	r->request.associated = BYTES_NONE;
	CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &key), ONION_BAD_HMAC);
	r->request.associated = BYTES_OF(associated32);
	CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &key), ONION_GOOD);
	release(r);
}

/* A packet whose HMAC is right and whose unwrapped payloads begin with these bytes. */
static struct bytes packet_with(struct route *r, struct bytes inside)
{
	struct secret32 session = repeated(0x77), key = node_key(0), shared, rho, mu;
	struct pubkey ephemeral, node;
	struct sha256 hmac;

	pubkey_of(secp(), &ephemeral, &session);
	pubkey_of(secp(), &node, &key);
	CHECK(ecdh(secp(), &shared, &node, &session));
	rho = onion_key("rho", &shared);
	mu = onion_key("mu", &shared);
	buf_clear(&r->packet);
	memset(buf_extend(&r->packet, ONION_PACKET_SIZE), 0, ONION_PACKET_SIZE);
	memcpy(r->packet.data + 1, ephemeral.v, 33);
	memcpy(r->packet.data + 34, inside.data, inside.size);
	onion_stream_xor(r->packet.data + 34, ONION_PAYLOADS_SIZE, &rho);
	hmac = hmac_sha256_pair(BYTES_OF(mu.v), BYTES(r->packet.data + 34, ONION_PAYLOADS_SIZE), r->request.associated);
	memcpy(r->packet.data + 34 + ONION_PAYLOADS_SIZE, hmac.v, 32);
	return buf_view(&r->packet);
}

static enum onion_fault open_inside(const char *hex, struct onion_peeled *out, struct route *r)
{
	struct secret32 key = node_key(0);
	enum onion_fault fault = open_packet(r, out, packet_with(r, test_unhex(hex)), &key);

	return fault;
}

TEST(a_broken_frame_is_refused)
{
	struct route *r = route_of(1, 40);
	struct onion_peeled out;

	/* The helper makes packets that open. */
	CHECK_EQ(open_inside("02aabb", &out, r), ONION_GOOD);
	CHECK_HEX(out.payload, "aabb");
	CHECK(out.is_last);
	CHECK_EQ(open_inside("fd00fd", &out, r), ONION_GOOD);
	CHECK_EQ(out.payload.size, 253);
	/* B4.onion_decryption.6: a length that is not minimal, or longer than any packet. */
	CHECK_EQ(open_inside("fd0002aabb", &out, r), ONION_BAD_PAYLOAD);
	CHECK_EQ(open_inside("fd00fc", &out, r), ONION_BAD_PAYLOAD);
	CHECK_EQ(open_inside("fe00000002aabb", &out, r), ONION_BAD_PAYLOAD);
	CHECK_EQ(open_inside("ff0000000000000002aabb", &out, r), ONION_BAD_PAYLOAD);
	CHECK_EQ(out.payload.size, 0);
	/* B4.onion_decryption.7 */
	CHECK_EQ(open_inside("00", &out, r), ONION_BAD_PAYLOAD);
	CHECK_EQ(open_inside("01aa", &out, r), ONION_BAD_PAYLOAD);
	/* B4.onion_decryption.10: 1265 bytes leave the payloads whole, one more does not. */
	CHECK_EQ(open_inside("fd04f1", &out, r), ONION_GOOD);
	CHECK_EQ(out.payload.size, 1265);
	CHECK_EQ(open_inside("fd04f2", &out, r), ONION_BAD_PAYLOAD);
	/* B4.onion_decryption.9: 2568 + 3 leave 29 bytes for the HMAC. */
	CHECK_EQ(open_inside("fd0a08", &out, r), ONION_BAD_PAYLOAD);
	/* B4.onion_decryption.8 */
	CHECK_EQ(open_inside("fdffff", &out, r), ONION_BAD_PAYLOAD);
	CHECK_EQ(onion_parse(&(struct pubkey){ { 0 } }, BYTES(r->packet.data, ONION_FRAME_SIZE)), ONION_BAD_PAYLOAD);
	release(r);
}

TEST(the_ephemeral_key_is_blinded)
{
	struct route *r = route_of(3, 40);
	struct secret32 key = node_key(0);
	struct pubkey first, next;
	struct onion_peeled out;
	struct sha256 factor;

	CHECK(build(r));
	CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &key), ONION_GOOD);
	memcpy(first.v, r->packet.data + 1, 33);
	factor = onion_blinding_factor(&first, &r->secrets[0]);
	/* B4.onion_decryption.12 */
	CHECK(pubkey_mul(&next, &first, factor.v));
	CHECK(bytes_equal(BYTES(out.next.data + 1, 33), BYTES_OF(next.v)));
	release(r);
}

/* BOLT 4 "Route Blinding": the packet is made for the blinded id, and the node
 * opens it with its own key after tweaking the ephemeral one. */
TEST(a_packet_for_a_blinded_id_opens)
{
	struct route *r = route_of(1, 40);
	struct secret32 key = node_key(0), path = repeated(0x33), blinding, tweak, shared;
	struct pubkey node, blinded, ephemeral, tweaked;
	struct onion_peeled out;

	pubkey_of(secp(), &node, &key);
	CHECK(ecdh(secp(), &blinding, &node, &path));
	tweak = onion_key("blinded_node_id", &blinding);
	CHECK(pubkey_mul(&blinded, &node, tweak.v));
	r->hops[0].node_id = blinded;
	CHECK(build(r));
	CHECK_EQ(open_packet(r, &out, buf_view(&r->packet), &key), ONION_BAD_HMAC);
	CHECK_EQ(onion_parse(&ephemeral, buf_view(&r->packet)), ONION_GOOD);
	CHECK(onion_blinded_key(&tweaked, &ephemeral, &blinding));
	CHECK(ecdh(secp(), &shared, &tweaked, &key));
	CHECK_EQ(onion_peel(&r->arena, &out, buf_view(&r->packet), &shared, r->request.associated), ONION_GOOD);
	CHECK(bytes_equal(out.payload, r->hops[0].payload));
	release(r);
}

/* Onion messages: another size, nothing associated. */
TEST(another_packet_size_works)
{
	struct route *r = route_of(3, 4000);
	struct bytes packet;

	r->request.packet_size = 32834;
	r->request.associated = BYTES_NONE;
	CHECK(build(r));
	CHECK_EQ(r->packet.size, 32834);
	packet = buf_view(&r->packet);
	for (uint32_t i = 0; i < 3; i++) {
		struct secret32 key = node_key(i);
		struct onion_peeled out;

		CHECK_EQ(open_packet(r, &out, packet, &key), ONION_GOOD);
		CHECK_EQ(out.payload.size, 4000);
		packet = out.next;
	}
	release(r);
}
