#include "onion/blinding.h"

#include <jansson.h>

#include "tests/test.h"

static struct secp *secp(void)
{
	static struct secp *s;
	static const uint8_t seed[32] = { 7 };

	if (!s)
		s = secp_new(seed);
	return s;
}

static struct secret32 repeated(uint8_t v)
{
	struct secret32 k;

	memset(k.v, v, sizeof(k.v));
	return k;
}

static void fill(void *out, const char *hex, size_t size)
{
	struct bytes b = test_unhex(hex);

	CHECK_EQ(b.size, size);
	memcpy(out, b.data, size);
}

static struct pubkey point(const char *hex)
{
	struct pubkey p;

	fill(p.v, hex, sizeof(p.v));
	return p;
}

static struct secret32 scalar(const char *hex)
{
	struct secret32 k;

	fill(k.v, hex, sizeof(k.v));
	return k;
}

static const char *text(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	CHECK(s);
	return s;
}

static json_t *load(const char *name)
{
	struct bytes file = test_shared_file(name);
	json_t *j = json_loadb((const char *)file.data, file.size, 0, NULL);

	CHECK(j);
	return j;
}

/* BOLT 4, route-blinding-test.json: the part of the route that Bob made. */
static const char *const nodes[2] = {
	"0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c",
	"027f31ebc5462c1fdce1b737ecff52d37d75dea43ce11c74d25aa297165faa2007",
};
static const char *const tlvs[2] = {
	"011a0000000000000000000000000000000000000000000000000000020800000000000006c10a0800240000009627100c06000b69"
	"e505dc0e00fd023103123456",
	"020800000000000004510821031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f0a08003000000064"
	"01f40c06000b69c105dc0e00",
};
static const char *const encrypted[2] = {
	"cd4100ff9c09ed28102b210ac73aa12d63e90852cebc496c49f57c49982088b49f2e70b99287fdee0aa58aa39913ab405813b999f6"
	"6783aa2fe637b3cda91ffc0913c30324e2c6ce327e045183e4bffecb",
	"cc0f16524fd7f8bb0b1d8d40ad71709ef140174c76faa574cac401bb8992fef76c4d004aa485dd599ed1cf2715f57ff62da5aaec5d"
	"7b10d59b04d8a9d77e472b9b3ecc2179334e411be22fa4c02b467c7e",
};
static const char *const blinded[2] = {
	"03da173ad2aee2f701f17e59fbd16cb708906d69838a5f088e8123fb36e89a2c25",
	"02e466727716f044290abf91a14a6d90e87487da160c2a3cbd0d465d7a78eb83a7",
};

TEST(a_path_is_built)
{
	struct pubkey ids[2] = { point(nodes[0]), point(nodes[1]) }, first;
	struct bytes data[2] = { test_unhex(tlvs[0]), test_unhex(tlvs[1]) };
	struct wire_blinded_path_hop hops[2];
	struct blinding_request r = { ids, data, 2, repeated(2) };
	struct arena a;

	arena_init(&a);
	CHECK(blinding_build(&a, hops, &first, secp(), &r));
	/* B4.route_blinding.4 B4.route_blinding.10, and B4.packet_structure.10 with all that follows */
	CHECK_HEX(BYTES_OF(first.v), "024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766");
	for (int i = 0; i < 2; i++) {
		/* B4.route_blinding.6 B4.route_blinding.7 B4.route_blinding.8 B4.route_blinding.9 B4.route_blinding.15 */
		CHECK_HEX(hops[i].encrypted_recipient_data, encrypted[i]);
		/* B4.route_blinding.11 B4.route_blinding.12 */
		CHECK_HEX(BYTES_OF(hops[i].blinded_node_id.v), blinded[i]);
	}
	memset(r.path_secret.v, 0, 32);
	CHECK(!blinding_build(&a, hops, &first, secp(), &r));
	r.path_secret = repeated(2);
	ids[1].v[0] = 7;
	CHECK(!blinding_build(&a, hops, &first, secp(), &r));
	arena_release(&a);
}

TEST(a_node_finds_its_instructions)
{
	struct pubkey path_key = point("024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766");
	struct secret32 secret;
	struct blinded_data d;
	struct pubkey id;
	struct arena a;

	arena_init(&a);
	for (int i = 0; i < 2; i++) {
		struct secret32 key = repeated((uint8_t)(0x42 + i));

		/* B4.route_blinding.5: the path was made for the id of this key. */
		pubkey_of(secp(), &id, &key);
		CHECK_HEX(BYTES_OF(id.v), nodes[i]);
		/* B4.route_blinding.22 B4.route_blinding.24 B4.route_blinding.25 */
		CHECK(ecdh(secp(), &secret, &path_key, &key));
		CHECK(blinding_open(&a, &d, &path_key, &secret, test_unhex(encrypted[i])));
		CHECK_EQ(d.tlvs.short_channel_id->v, i ? 1105 : 1729);
		CHECK_EQ(d.tlvs.payment_relay->cltv_expiry_delta, i ? 48 : 36);
		CHECK_EQ(d.tlvs.payment_relay->fee_base_msat, i ? 500 : 10000);
		CHECK_EQ(d.tlvs.payment_constraints->max_cltv_expiry, i ? 747969 : 748005);
		path_key = d.next_path_key;
		/* B4.route_blinding.28, then B4.route_blinding.27: the second hop has an override. */
		CHECK_HEX(BYTES_OF(path_key.v), i ? "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"
						  : "034e09f450a80c3d252b258aba0a61215bf60dda3b0dc78ffb0736ea1259dfd8a0");
	}
	arena_release(&a);
}

TEST(broken_instructions_are_refused)
{
	struct pubkey id = point(nodes[0]), first;
	struct secret32 key = repeated(0x42), secret;
	struct wire_blinded_path_hop hop;
	struct bytes data = test_unhex("02080000000000000001");
	struct blinding_request r = { &id, &data, 1, repeated(2) };
	struct blinded_data d;
	struct arena a;
	uint8_t *copy;

	arena_init(&a);
	CHECK(blinding_build(&a, &hop, &first, secp(), &r));
	CHECK(ecdh(secp(), &secret, &first, &key));
	CHECK(blinding_open(&a, &d, &first, &secret, hop.encrypted_recipient_data));
	/* B4.route_blinding.26 B4.packet_structure.31: it does not decrypt... */
	copy = arena_copy(&a, hop.encrypted_recipient_data.data, hop.encrypted_recipient_data.size);
	copy[3] ^= 1;
	CHECK(!blinding_open(&a, &d, &first, &secret, BYTES(copy, hop.encrypted_recipient_data.size)));
	CHECK(!blinding_open(&a, &d, &first, &secret, BYTES(copy, 15)));
	CHECK(!blinding_open(&a, &d, &first, &secret, BYTES_NONE));
	/* ...is no stream, or has an unknown even record. */
	data = test_unhex("020800");
	CHECK(blinding_build(&a, &hop, &first, secp(), &r));
	CHECK(!blinding_open(&a, &d, &first, &secret, hop.encrypted_recipient_data));
	data = test_unhex("1000");
	CHECK(blinding_build(&a, &hop, &first, secp(), &r));
	CHECK(!blinding_open(&a, &d, &first, &secret, hop.encrypted_recipient_data));
	data = BYTES_NONE;
	CHECK(blinding_build(&a, &hop, &first, secp(), &r));
	CHECK(blinding_open(&a, &d, &first, &secret, hop.encrypted_recipient_data));
	arena_release(&a);
}

TEST(a_path_limits_what_it_carries)
{
	struct tlv_encrypted_data_payment_constraints c = { 1000, MSAT(500) };
	struct tlvs_encrypted_data t = { .payment_constraints = &c };
	struct blinded_htlc h = { MSAT(500), 1000 };
	struct bytes features = BYTES("\0\0", 2);
	struct scid scid = { 1 };
	struct pubkey next = point(nodes[1]);

	CHECK(blinding_permits(&t, &h));
	/* B4.packet_structure.32 */
	h.cltv_expiry++;
	CHECK(!blinding_permits(&t, &h));
	h.cltv_expiry--;
	/* B4.packet_structure.33 */
	h.amount = MSAT(499);
	CHECK(!blinding_permits(&t, &h));
	h.amount = MSAT(500);
	/* B4.packet_structure.34 B4.packet_structure.35 */
	t.allowed_features = &features;
	CHECK(blinding_permits(&t, &h));
	features = BYTES("\1\0", 2);
	CHECK(!blinding_permits(&t, &h));
	t.allowed_features = NULL;
	/* B4.packet_structure.36 */
	t.short_channel_id = &scid;
	CHECK(blinding_permits(&t, &h));
	t.next_node_id = &next;
	CHECK(!blinding_permits(&t, &h));
}

TEST(a_relay_takes_its_share)
{
	struct tlv_encrypted_data_payment_relay relay = { 36, 150, 10000 };
	struct scid scid = { 1 };
	struct tlvs_encrypted_data t = { .payment_relay = &relay, .short_channel_id = &scid };
	struct blinded_htlc in = { MSAT(110125), 749150 }, out;

	/* B4.packet_structure.41: (110125 - 10000) * 10^6 / 1000150, rounded up. */
	CHECK(blinding_relay(&out, &t, &in));
	CHECK_EQ(out.amount.v, 100110);
	/* B4.packet_structure.42 */
	CHECK_EQ(out.cltv_expiry, 749114);
	/* B4.packet_structure.39 */
	t.short_channel_id = NULL;
	CHECK(!blinding_relay(&out, &t, &in));
	t.next_node_id = &(struct pubkey){ { 2 } };
	CHECK(blinding_relay(&out, &t, &in));
	in.amount = MSAT(9999);
	CHECK(!blinding_relay(&out, &t, &in));
	in.amount = MSAT(UINT64_MAX);
	CHECK(!blinding_relay(&out, &t, &in));
	in = (struct blinded_htlc){ MSAT(110125), 35 };
	CHECK(!blinding_relay(&out, &t, &in));
	/* B4.packet_structure.40 */
	t.payment_relay = NULL;
	in.cltv_expiry = 100;
	CHECK(!blinding_relay(&out, &t, &in));
}

TEST(a_path_has_a_price)
{
	struct tlv_encrypted_data_payment_relay relays[3] = { { 50, 0, 10000 }, { 75, 150, 100 }, { 25, 100, 0 } };
	struct blinded_cost cost;

	/* B4.packet_structure.7 B4.packet_structure.8 B4.packet_structure.9: blinded-payment-onion-test.json */
	CHECK(blinding_cost(&cost, relays, 3, 0));
	CHECK_EQ(cost.fee_base_msat, 10100);
	CHECK_EQ(cost.fee_ppm, 251);
	CHECK_EQ(cost.cltv_delta, 150);
	CHECK(blinding_cost(&cost, relays, 3, 18));
	CHECK_EQ(cost.cltv_delta, 168);
	CHECK(blinding_cost(&cost, relays, 0, 18));
	CHECK_EQ(cost.fee_base_msat, 0);
	relays[0].fee_base_msat = UINT32_MAX;
	CHECK(!blinding_cost(&cost, relays, 3, 0));
	relays[0].fee_base_msat = 0;
	relays[0].fee_proportional_millionths = UINT32_MAX;
	CHECK(!blinding_cost(&cost, relays, 3, 0));
	CHECK(!blinding_cost(&cost, relays + 1, 2, UINT32_MAX - 99));
}

TEST(shared_route_blinding_vectors)
{
	json_t *j = load("specs/bolts/bolt04/route-blinding-test.json");
	json_t *hops = json_object_get(json_object_get(j, "generate"), "hops");
	json_t *unblind = json_object_get(json_object_get(j, "unblind"), "hops");
	struct pubkey ids[4], first;
	struct bytes data[4];
	struct wire_blinded_path_hop out[4];
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < 4; i++) {
		json_t *hop = json_array_get(hops, i);

		ids[i] = point(text(hop, "node_id"));
		data[i] = test_unhex(text(hop, "encoded_tlvs"));
	}
	/* Two routes of two hops, joined. */
	for (size_t i = 0; i < 4; i += 2) {
		struct blinding_request r = { ids + i, data + i, 2,
					      scalar(text(json_array_get(hops, i), "session_key")) };

		CHECK(blinding_build(&a, out + i, &first, secp(), &r));
		CHECK_HEX(BYTES_OF(first.v), text(json_array_get(hops, i), "path_key"));
	}
	for (size_t i = 0; i < 4; i++) {
		json_t *hop = json_array_get(hops, i), *u = json_array_get(unblind, i);
		struct pubkey path_key = point(text(u, "path_key")), check;
		struct secret32 key = scalar(text(u, "node_privkey")), secret, tweak;
		struct blinded_data d;

		CHECK_HEX(out[i].encrypted_recipient_data, text(hop, "encrypted_data"));
		CHECK_HEX(BYTES_OF(out[i].blinded_node_id.v), text(hop, "blinded_node_id"));
		CHECK(ecdh(secp(), &secret, &path_key, &key));
		CHECK_HEX(BYTES_OF(secret.v), text(hop, "shared_secret"));
		CHECK(blinding_open(&a, &d, &path_key, &secret, out[i].encrypted_recipient_data));
		/* Carol's data overrides what would follow from her own path key. */
		CHECK_HEX(BYTES_OF(d.next_path_key.v), text(u, i == 1 ? "next_path_key_override" : "next_path_key"));
		/* B4.route_blinding.23: the blinded id's private key is b_i. */
		tweak = onion_key("blinded_node_id", &secret);
		CHECK(seckey_mul(&key, tweak.v));
		CHECK_HEX(BYTES_OF(key.v), text(u, "blinded_privkey"));
		pubkey_of(secp(), &check, &key);
		CHECK(SAME(check, out[i].blinded_node_id));
	}
	json_decref(j);
	arena_release(&a);
}

/* The payload of a JSON hop, without its length. */
static struct bytes payload_of(json_t *hop)
{
	struct bytes b = test_unhex(text(hop, "payload"));
	size_t prefix = b.data[0] < 0xfd ? 1 : 3;

	return BYTES(b.data + prefix, b.size - prefix);
}

/* Opens the packet as a node with this key, on a path if path_key is given. */
static struct onion_peeled open_packet(struct arena *a, struct bytes packet, const struct secret32 *key,
				       const struct pubkey *path_key, struct bytes associated)
{
	struct pubkey ephemeral, tweaked;
	struct secret32 secret, blinding;
	struct onion_peeled peeled;

	CHECK_EQ(onion_parse(&ephemeral, packet), ONION_GOOD);
	tweaked = ephemeral;
	if (path_key) {
		CHECK(ecdh(secp(), &blinding, path_key, key));
		CHECK(onion_blinded_key(&tweaked, &ephemeral, &blinding));
	}
	CHECK(ecdh(secp(), &secret, &tweaked, key));
	CHECK_EQ(onion_peel(a, &peeled, packet, &secret, associated), ONION_GOOD);
	return peeled;
}

/* The instructions in a payload; the next path key. */
static struct pubkey follow(struct arena *a, struct bytes encrypted_data, const struct secret32 *key,
			    const struct pubkey *path_key, struct blinded_data *d)
{
	struct secret32 secret;

	CHECK(ecdh(secp(), &secret, path_key, key));
	CHECK(blinding_open(a, d, path_key, &secret, encrypted_data));
	return d->next_path_key;
}

TEST(shared_blinded_payment_vectors)
{
	json_t *j = load("specs/bolts/bolt04/blinded-payment-onion-test.json");
	json_t *generate = json_object_get(j, "generate"), *decrypt = json_object_get(json_object_get(j, "decrypt"), "hops");
	json_t *route = json_object_get(json_object_get(generate, "full_route"), "hops");
	struct bytes associated = test_unhex(text(generate, "associated_data")), packet;
	struct onion_hop hops[5];
	struct onion_request r = { .hops = hops, .hop_count = 5, .packet_size = ONION_PACKET_SIZE,
				   .session_key = scalar(text(generate, "session_key")), .associated = associated };
	struct secret32 secrets[5];
	struct blinded_htlc htlc = { MSAT(110125), 749150 };
	struct buf onion = BUF_EMPTY;
	struct pubkey path_key = { { 0 } };
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < 5; i++) {
		json_t *hop = json_array_get(route, i);

		hops[i] = (struct onion_hop){ point(text(hop, "pubkey")), payload_of(hop) };
	}
	CHECK(onion_build(&onion, secrets, secp(), &r));
	CHECK_HEX(buf_view(&onion), text(generate, "onion"));
	packet = buf_view(&onion);
	for (size_t i = 0; i < 5; i++) {
		json_t *u = json_array_get(decrypt, i);
		struct secret32 key = scalar(text(u, "node_privkey"));
		struct onion_peeled peeled;
		struct tlvs_onion_payload t;
		struct blinded_data d;

		CHECK_HEX(packet, text(u, "onion"));
		/* Alice is not on the path; Bob begins it and is reached under his own name. */
		peeled = open_packet(&a, packet, &key, i > 1 ? &path_key : NULL, associated);
		CHECK(bytes_equal(peeled.payload, hops[i].payload));
		CHECK_EQ(peeled.is_last, i == 4);
		packet = peeled.next;
		if (i == 0)
			continue;
		CHECK_EQ(tlvs_onion_payload_decode(peeled.payload, &a, &t, NULL), DECODE_OK);
		CHECK_EQ(t.current_path_key != NULL, i == 1);
		if (i == 1)
			path_key = *t.current_path_key;
		path_key = follow(&a, *t.encrypted_recipient_data, &key, &path_key, &d);
		CHECK_HEX(BYTES_OF(path_key.v), text(u, "next_path_key"));
		CHECK(blinding_permits(&d.tlvs, &htlc));
		/* B4.packet_structure.41 B4.packet_structure.42: what reaches Eve is what her payload says. */
		if (i < 4)
			CHECK(blinding_relay(&htlc, &d.tlvs, &htlc));
		else
			CHECK(htlc.amount.v == t.amt_to_forward->v && htlc.cltv_expiry == *t.outgoing_cltv_value);
	}
	buf_release(&onion);
	json_decref(j);
	arena_release(&a);
}

TEST(shared_onion_message_vectors)
{
	json_t *j = load("specs/bolts/bolt04/blinded-onion-message-onion-test.json");
	json_t *generate = json_object_get(j, "generate"), *decrypt = json_object_get(json_object_get(j, "decrypt"), "hops");
	json_t *path = json_object_get(json_object_get(j, "route"), "hops");
	struct buf payloads[4] = { BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, BUF_EMPTY }, onion = BUF_EMPTY;
	struct onion_hop hops[4];
	struct secret32 secrets[4];
	/* Nothing is associated with an onion message. */
	struct onion_request r = { .hops = hops, .hop_count = 4, .packet_size = ONION_PACKET_SIZE,
				   .session_key = scalar(text(generate, "session_key")) };
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < 4; i++) {
		json_t *hop = json_array_get(path, i);

		if (i == 3)
			tlv_add(&payloads[i], 1, BYTES("hello", 5));
		tlv_add(&payloads[i], 4, test_unhex(text(hop, "encrypted_recipient_data")));
		hops[i] = (struct onion_hop){ point(text(hop, "blinded_node_id")), buf_view(&payloads[i]) };
	}
	CHECK(onion_build(&onion, secrets, secp(), &r));
	CHECK_HEX(buf_view(&onion), text(json_object_get(j, "onionmessage"), "onion_message_packet"));
	for (size_t i = 0; i < 4; i++) {
		json_t *u = json_array_get(decrypt, i);
		struct secret32 key = scalar(text(u, "privkey"));
		struct msg_onion_message m, next;
		struct onion_peeled peeled;
		struct tlvs_onionmsg t;
		struct blinded_data d;
		struct pubkey path_key;

		CHECK_EQ(msg_onion_message_decode(test_unhex(text(u, "onion_message")), &a, &m), DECODE_OK);
		if (i == 0)
			CHECK(bytes_equal(m.onion_message_packet, buf_view(&onion)));
		peeled = open_packet(&a, m.onion_message_packet, &key, &m.path_key, BYTES_NONE);
		CHECK_EQ(tlvs_onionmsg_decode(peeled.payload, &a, &t, NULL), DECODE_OK);
		path_key = follow(&a, *t.encrypted_recipient_data, &key, &m.path_key, &d);
		CHECK_EQ(peeled.is_last, i == 3);
		if (i == 3) {
			CHECK_EQ(t.unknown[0].type, 1);
			CHECK(bytes_equal(t.unknown[0].value, BYTES("hello", 5)));
			CHECK_HEX(*d.tlvs.path_id, "deadbeefbadc0ffeedeadbeefbadc0ffeedeadbeefbadc0ffeedeadbeefbadc0");
			break;
		}
		CHECK_HEX(BYTES_OF(d.tlvs.next_node_id->v), text(u, "next_node_id"));
		/* What the next node got is what this one would send. */
		CHECK_EQ(msg_onion_message_decode(test_unhex(text(json_array_get(decrypt, i + 1), "onion_message")), &a,
						  &next), DECODE_OK);
		CHECK(SAME(next.path_key, path_key));
		CHECK(bytes_equal(next.onion_message_packet, peeled.next));
	}
	for (size_t i = 0; i < 4; i++)
		buf_release(&payloads[i]);
	buf_release(&onion);
	json_decref(j);
	arena_release(&a);
}
