#include "onion/opening.h"

#include <stdio.h>

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

static struct bytes written(struct arena *a, const struct payload *p)
{
	struct buf b = BUF_EMPTY;
	struct bytes out;

	payload_write(p, &b);
	out = arena_bytes(a, buf_view(&b));
	buf_release(&b);
	return out;
}

static bool read_hex(struct arena *a, struct payload *p, struct failure *why, const char *hex, bool is_final)
{
	return payload_read(a, p, why, test_unhex(hex), is_final);
}

#define CHECK_REFUSED(a, hex, is_final, want_type, want_offset) \
	do { \
		struct payload p_; \
		struct failure why_; \
		CHECK(!read_hex((a), &p_, &why_, (hex), (is_final))); \
		CHECK_EQ(why_.code, FAIL_INVALID_ONION_PAYLOAD); \
		CHECK_EQ(why_.u.invalid_onion_payload.type, (want_type)); \
		CHECK_EQ(why_.u.invalid_onion_payload.offset, (want_offset)); \
	} while (0)

TEST(the_vectors_payloads_read_and_write)
{
	struct arena a;

	arena_init(&a);
	for (uint32_t i = 0; i < 5; i++) {
		struct bytes whole = test_unhex(onion_vector_payloads[i]), tlvs;
		size_t prefix = whole.data[0] < 0xfd ? 1 : 3;
		struct payload p;
		struct failure why;

		tlvs = BYTES(whole.data + prefix, whole.size - prefix);
		CHECK(payload_read(&a, &p, &why, tlvs, i == 4));
		CHECK_EQ(p.is_final, i == 4);
		if (i < 4)
			CHECK_EQ(p.scid.v, i + 1);
		/* The second and the last carry an odd record below the custom ones, which we do not write. */
		if (i != 1 && i != 4)
			CHECK(bytes_equal(written(&a, &p), tlvs));
	}
	arena_release(&a);
}

TEST(a_forwarding_payload)
{
	struct payload p = { .amount = MSAT(15000), .cltv_expiry = 1500, .scid = { 1 } }, back;
	struct failure why;
	struct arena a;

	arena_init(&a);
	/* B4.packet_structure.17 B4.packet_structure.18 B4.packet_structure.19: as the vector's first hop, and no
	 * payment_data (type 8). */
	CHECK_HEX(written(&a, &p), "02023a98040205dc06080000000000000001");
	CHECK(payload_read(&a, &back, &why, written(&a, &p), false));
	CHECK(!back.is_final);
	CHECK_EQ(back.amount.v, 15000);
	CHECK_EQ(back.cltv_expiry, 1500);
	CHECK_EQ(back.scid.v, 1);
	CHECK(!back.has_secret);
	arena_release(&a);
}

TEST(a_final_payload)
{
	struct payload p = { .is_final = true, .amount = MSAT(1000), .cltv_expiry = 600, .has_secret = true,
			     .total = MSAT(3000), .has_metadata = true }, back;
	struct failure why;
	struct arena a;

	arena_init(&a);
	memset(p.secret.v, 0x55, 32);
	p.metadata = test_unhex("0102");
	/* B4.packet_structure.20 to 25: B4.packet_structure.21 B4.packet_structure.22 B4.packet_structure.23 the
	 * secret and the total; B4.packet_structure.24 the metadata; B4.packet_structure.20 no short_channel_id. */
	CHECK_HEX(written(&a, &p), "020203e804020258"
		  "082255555555555555555555555555555555555555555555555555555555555555550bb8"
		  "10020102");
	CHECK(payload_read(&a, &back, &why, written(&a, &p), true));
	CHECK(back.is_final && back.has_secret && back.has_metadata && !back.has_keysend);
	CHECK_EQ(back.total.v, 3000);
	CHECK(SAME(back.secret, p.secret));
	CHECK(bytes_equal(back.metadata, p.metadata));

	/* B4.packet_structure.54 */
	p.has_secret = false;
	CHECK(payload_read(&a, &back, &why, written(&a, &p), true));
	CHECK_EQ(back.total.v, 1000);
	/* B4.packet_structure.25: any metadata that the onion holds. */
	p.metadata = BYTES(test_alloc(1200), 1200);
	CHECK(payload_read(&a, &back, &why, written(&a, &p), true));
	CHECK_EQ(back.metadata.size, 1200);
	arena_release(&a);
}

TEST(keysend_and_custom_records)
{
	struct tlv_record custom[3] = {
		{ 65537, test_unhex("aa"), 0 }, { 7629169, test_unhex("bbcc"), 0 }, { 5482373485ull, test_unhex(""), 0 },
	};
	struct payload p = { .is_final = true, .amount = MSAT(1), .cltv_expiry = 2, .has_keysend = true,
			     .custom = custom, .custom_count = 3 }, back;
	struct failure why;
	struct arena a;

	arena_init(&a);
	memset(p.keysend.v, 0x42, 32);
	CHECK_HEX(written(&a, &p), "020101040102"
		  "fe0001000101aa" "fe0074697102bbcc"
		  "ff0000000146c6616c204242424242424242424242424242424242424242424242424242424242424242"
		  "ff0000000146c6616d00");
	CHECK(payload_read(&a, &back, &why, written(&a, &p), true));
	CHECK(back.has_keysend);
	CHECK(SAME(back.keysend, p.keysend));
	CHECK_EQ(back.custom_count, 3);
	CHECK_EQ(back.custom[1].type, 7629169);
	CHECK(bytes_equal(back.custom[1].value, custom[1].value));
	/* Odd records below 65536 are not custom ones; an even one that we do not know is refused. */
	CHECK(read_hex(&a, &back, &why, "020101040102fd012d00fe0001000100", true));
	CHECK_EQ(back.custom_count, 1);
	CHECK_EQ(back.custom[0].type, 65537);
	CHECK_REFUSED(&a, "020101040102fe0001000200", true, 65538, 6);
	arena_release(&a);
}

TEST(what_must_be_there)
{
	struct payload p;
	struct failure why;
	struct arena a;

	arena_init(&a);
	/* B4.packet_structure.49 */
	CHECK_REFUSED(&a, "", true, 2, 0);
	CHECK_REFUSED(&a, "040102", true, 2, 3);
	CHECK_REFUSED(&a, "020101", true, 4, 3);
	CHECK_REFUSED(&a, "020101", false, 4, 3);
	CHECK(read_hex(&a, &p, &why, "020101040102", true));
	/* B4.packet_structure.50 */
	CHECK_REFUSED(&a, "020101040102", false, 6, 6);
	CHECK(read_hex(&a, &p, &why, "02010104010206080000000000000001", false));
	/* B4.packet_structure.48 */
	CHECK_REFUSED(&a, "0201010401020c2102eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619", true, 12, 6);
	/* Blinded paths are not offered: an even record that we do not know. */
	CHECK_REFUSED(&a, "0201010401020a02aabb", true, 10, 6);
	arena_release(&a);
}

TEST(broken_streams_are_refused)
{
	struct arena a;

	arena_init(&a);
	CHECK_REFUSED(&a, "0201010401020e00", true, 14, 6);         /* even, unknown */
	CHECK_REFUSED(&a, "04010202010106080000000000000001", false, 2, 3); /* order */
	CHECK_REFUSED(&a, "020101020101", true, 2, 3);              /* twice */
	CHECK_REFUSED(&a, "02020001040102", true, 2, 0);            /* not minimal */
	CHECK_REFUSED(&a, "020109040500000000ff", true, 4, 3);      /* too long for a tu32 */
	CHECK_REFUSED(&a, "0201010401020607", false, 6, 6);         /* cut short */
	CHECK_REFUSED(&a, "020101fd", true, 0, 3);                  /* no whole type */
	CHECK_REFUSED(&a, "020101040102081f" "55555555555555555555555555555555555555555555555555555555555555",
		      true, 8, 6);                                  /* no whole secret */
	arena_release(&a);
}

/* One hop's packet, made and opened as a node does it. */
struct scene {
	struct onion_hop hops[2];
	struct onion_request request;
	struct secret32 secrets[2], key;
	struct sha256 hash;
	struct buf packet;
	struct arena arena;
	struct opening opening;
};

static struct scene *scene_of(const char *first_payload, bool is_final)
{
	struct scene *s = test_alloc(sizeof(*s));

	memset(s->key.v, 0x41, 32);
	memset(s->hash.v, 0x0f, 32);
	pubkey_of(secp(), &s->hops[0].node_id, &s->key);
	s->hops[1].node_id = s->hops[0].node_id;
	s->hops[0].payload = test_unhex(first_payload);
	s->hops[1].payload = test_unhex("020101040102");
	s->request = (struct onion_request){
		.hops = s->hops, .hop_count = is_final ? 1 : 2, .packet_size = ONION_PACKET_SIZE,
		.associated = BYTES_OF(s->hash.v),
	};
	memset(s->request.session_key.v, 0x31, 32);
	CHECK(onion_build(&s->packet, s->secrets, secp(), &s->request));
	arena_init(&s->arena);
	return s;
}

static enum opening_state answer(struct scene *s)
{
	struct secret32 secret;

	CHECK(ecdh(secp(), &secret, &s->opening.ask, &s->key));
	return opening_answer(&s->opening, &s->arena, &secret);
}

static enum opening_state open_scene(struct scene *s)
{
	if (opening_start(&s->opening, s->packet.data, &s->hash, NULL) == OPENING_REFUSED)
		return OPENING_REFUSED;
	return answer(s);
}

static void scene_release(struct scene *s)
{
	opening_wipe(&s->opening);
	buf_release(&s->packet);
	arena_release(&s->arena);
}

TEST(an_onion_opens)
{
	struct scene *s = scene_of("02010104010206080000000000000007", false);

	CHECK_EQ(open_scene(s), OPENING_DONE);
	CHECK(!s->opening.payload.is_final);
	CHECK_EQ(s->opening.payload.scid.v, 7);
	CHECK_EQ(s->opening.next.size, ONION_PACKET_SIZE);
	CHECK(SAME(s->opening.shared_secret, s->secrets[0]));
	/* The next hop has the same key in this scene. */
	buf_clear(&s->packet);
	buf_add_bytes(&s->packet, s->opening.next);
	CHECK_EQ(open_scene(s), OPENING_DONE);
	CHECK(s->opening.payload.is_final);
	CHECK_EQ(s->opening.payload.total.v, 1);
	CHECK_EQ(s->opening.next.size, 0);
	scene_release(s);
}

TEST(a_packet_that_cannot_be_opened_is_malformed)
{
	struct scene *s = scene_of("020101040102", true);

	s->packet.data[100] ^= 1;
	CHECK_EQ(open_scene(s), OPENING_REFUSED);
	CHECK(s->opening.malformed);
	CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_HMAC);
	s->packet.data[0] = 1;
	/* B4.overview.1 B4.overview.2: refused before any question. */
	CHECK_EQ(opening_start(&s->opening, s->packet.data, &s->hash, NULL), OPENING_REFUSED);
	CHECK(s->opening.malformed);
	CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_VERSION);
	s->packet.data[0] = 0;
	s->packet.data[1] = 9;
	CHECK_EQ(opening_start(&s->opening, s->packet.data, &s->hash, NULL), OPENING_REFUSED);
	CHECK(s->opening.malformed);
	CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_KEY);
	scene_release(s);
}

TEST(a_bad_payload_is_sealed)
{
	struct scene *s = scene_of("020101", true);

	CHECK_EQ(open_scene(s), OPENING_REFUSED);
	CHECK(!s->opening.malformed);
	CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_PAYLOAD);
	CHECK_EQ(s->opening.why.u.invalid_onion_payload.type, 4);
	/* The owner can seal: the secret is there. */
	CHECK(SAME(s->opening.shared_secret, s->secrets[0]));
	scene_release(s);
}

TEST(another_payment_hash_does_not_open)
{
	struct scene *s = scene_of("020101040102", true);

	s->hash.v[0] ^= 1;
	CHECK_EQ(open_scene(s), OPENING_REFUSED); /* B2.update_add_htlc.21 */
	CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_HMAC);
	scene_release(s);
}

static const char path_key_record[] = "0c2102eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619";

TEST(blinded_paths_are_refused_as_specified)
{
	char payload[200];
	struct scene *s = scene_of("020101040102", true);
	struct sha256 hash = sha256(s->packet.data, s->packet.size);
	struct pubkey path_key = s->hops[0].node_id;

	/* B4.failure_messages.1 B4.failure_messages.6 B4.packet_structure.48 */
	CHECK_EQ(opening_start(&s->opening, s->packet.data, &s->hash, &path_key), OPENING_REFUSED);
	CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_BLINDING);
	CHECK(s->opening.malformed);
	CHECK(SAME(s->opening.why.u.onion.sha256_of_onion, hash));
	scene_release(s);

	/* B4.failure_messages.2 B4.failure_messages.7: sealed, because the sender is before the path. */
	strcpy(payload, "0a02aabb");
	strcat(payload, path_key_record);
	s = scene_of(payload, false);
	CHECK_EQ(open_scene(s), OPENING_REFUSED);
	CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_BLINDING);
	CHECK(!s->opening.malformed);
	scene_release(s);

	/* The final node says what it did not know. */
	s = scene_of(payload, true);
	CHECK_EQ(open_scene(s), OPENING_REFUSED);
	CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_PAYLOAD);
	CHECK_EQ(s->opening.why.u.invalid_onion_payload.type, 10);
	scene_release(s);
}

/* Payments do not go over blinded paths here: whatever their onions say inside of one is refused, and with it all that
 * would have to be refused if they did. */
TEST(payloads_inside_blinded_paths)
{
	static const struct { const char *low, *high; bool is_final, has_key; } cases[] = {
		{ "", "", false, false },             /* B4.packet_structure.28: no path key anywhere */
		{ "020101040102", "120101", true, false }, /* B4.packet_structure.28 */
		{ "020101", "", false, true },        /* B4.packet_structure.38: more than a forwarding node is told */
		{ "", "120101", false, true },        /* B4.packet_structure.38 */
		/* B4.packet_structure.45, B4.packet_structure.46, B4.packet_structure.47: whatever the HTLC is like */
		{ "020101040102", "120101", true, true },
		{ "020101040102", "120101fe0001000100", true, true }, /* B4.packet_structure.43: a record too many */
		{ "040102", "120101", true, true },   /* B4.packet_structure.44: amt_to_forward, */
		{ "020101", "120101", true, true },   /* outgoing_cltv_value */
		{ "020101040102", "", true, true },   /* or total_amount_msat is missing */
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char payload[300];
		struct scene *s;

		snprintf(payload, sizeof(payload), "%s0a02aabb%s%s", cases[i].low, cases[i].has_key ? path_key_record : "",
			 cases[i].high);
		s = scene_of(payload, cases[i].is_final);
		CHECK_EQ(open_scene(s), OPENING_REFUSED);
		CHECK_EQ(s->opening.why.code, cases[i].has_key && !cases[i].is_final ? FAIL_INVALID_ONION_BLINDING
										     : FAIL_INVALID_ONION_PAYLOAD);
		CHECK(!s->opening.malformed);
		/* B4.packet_structure.26: a path key from the peer as well */
		CHECK_EQ(opening_start(&s->opening, s->packet.data, &s->hash, &s->hops[0].node_id), OPENING_REFUSED);
		CHECK_EQ(s->opening.why.code, FAIL_INVALID_ONION_BLINDING);
		CHECK(s->opening.malformed);
		scene_release(s);
	}
}
