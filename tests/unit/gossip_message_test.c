/* What announcements say: signatures, checksums, arrays, and ours as the text wants them. */
#include "gossip/message.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/keys.h"
#include "wire/descriptor.h"
#include "tests/test.h"

static struct arena arena;
static struct secp *secp;
static struct secret32 secret[4];
static struct pubkey point[4]; /* node ours, node theirs, funding ours, funding theirs */

static void start(void)
{
	static const uint8_t seed[32] = { 7 };

	arena_init(&arena);
	secp = secp_new(seed);
	for (int i = 0; i < 4; i++) {
		memset(secret[i].v, i + 1, 32);
		pubkey_of(secp, &point[i], &secret[i]);
	}
}

static void finish(void)
{
	arena_release(&arena);
	secp_free(secp);
}

/* RFC 3720 B.4 */
TEST(crc32c_of_the_rfc)
{
	uint8_t b[32];

	memset(b, 0, 32);
	CHECK_EQ(crc32c(0, BYTES_OF(b)), 0x8a9136aa);
	memset(b, 0xff, 32);
	CHECK_EQ(crc32c(0, BYTES_OF(b)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	CHECK_EQ(crc32c(0, BYTES_OF(b)), 0x46dd794e);
	CHECK_EQ(crc32c(crc32c(0, BYTES(b, 11)), BYTES(b + 11, 21)), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	CHECK_EQ(crc32c(0, BYTES_OF(b)), 0x113fdb5c);
	CHECK_EQ(crc32c(0, BYTES("123456789", 9)), 0xe3069283);
}

static struct own_announcement announcement(void)
{
	struct own_announcement o = { .scid = scid_make(539268, 845, 1), .features = test_unhex("0000") };

	memset(o.chain.v, 6, 32);
	o.node[0] = point[0];
	o.node[1] = point[1];
	o.funding[0] = point[2];
	o.funding[1] = point[3];
	return o;
}

static void swap(struct own_announcement *o)
{
	struct pubkey p = o->node[0];

	o->node[0] = o->node[1];
	o->node[1] = p;
	p = o->funding[0];
	o->funding[0] = o->funding[1];
	o->funding[1] = p;
}

TEST(both_ends_build_the_same_announcement)
{
	struct own_announcement ours, theirs;
	struct buf a = BUF_EMPTY, b = BUF_EMPTY;
	struct msg_channel_announcement m;

	start();
	ours = theirs = announcement();
	swap(&theirs);
	own_announcement_build(&ours, &a);
	own_announcement_build(&theirs, &b);
	CHECK(bytes_equal(buf_view(&a), buf_view(&b)));
	CHECK_EQ(msg_channel_announcement_decode(buf_view(&a), &arena, &m), DECODE_OK);
	/* B7.channel_announcement.1, B7.channel_announcement.2 */
	CHECK(SAME(m.chain_hash, ours.chain) && m.short_channel_id.v == ours.scid.v);
	/* B7.channel_announcement.7 */
	CHECK(memcmp(m.node_id_1.v, m.node_id_2.v, 33) < 0);
	/* B7.channel_announcement.8: each funding key beside its node. */
	CHECK(SAME(m.bitcoin_key_1, SAME(m.node_id_1, point[0]) ? point[2] : point[3]));
	CHECK(SAME(m.bitcoin_key_2, SAME(m.node_id_2, point[0]) ? point[2] : point[3]));
	/* B7.channel_announcement.12, B7.channel_announcement.13: nothing to say takes no byte. */
	CHECK_EQ(m.features.size, 0);
	buf_release(&a);
	buf_release(&b);
	finish();
}

TEST(an_announcement_is_signed_by_four)
{
	struct own_announcement o;
	struct sig64 sig[4], node[2], funding[2];
	struct buf raw = BUF_EMPTY;
	struct msg_channel_announcement m;
	struct gossip_check check[4];
	struct sha256 hash;

	start();
	o = announcement();
	own_announcement_build(&o, &raw);
	/* The text's own offset: 256 after the type. */
	CHECK_EQ(channel_announcement_signed(buf_view(&raw)).data - raw.data, 2 + 256);
	hash = sha256d(raw.data + 258, raw.size - 258); /* B7.channel_announcement.9 */
	for (int i = 0; i < 4; i++)
		ecdsa_sign(secp, &sig[i], &hash, &secret[i], false);
	node[0] = sig[0];
	node[1] = sig[1];
	funding[0] = sig[2];
	funding[1] = sig[3];
	own_announcement_sign(&o, &raw, node, funding);
	CHECK_EQ(msg_channel_announcement_decode(buf_view(&raw), &arena, &m), DECODE_OK);
	CHECK_EQ(channel_announcement_checks(check, &m, buf_view(&raw)), 4);
	/* B7.channel_announcement.10, B7.channel_announcement.11 */
	for (int i = 0; i < 4; i++)
		CHECK(ecdsa_verify(&check[i].signature, &check[i].hash, &check[i].key));
	/* What is appended is signed too. */
	buf_add_u8(&raw, 0);
	CHECK_EQ(msg_channel_announcement_decode(buf_view(&raw), &arena, &m), DECODE_OK);
	(void)channel_announcement_checks(check, &m, buf_view(&raw));
	CHECK(!ecdsa_verify(&check[0].signature, &check[0].hash, &check[0].key));
	buf_release(&raw);
	finish();
}

static struct own_update update(void)
{
	struct own_update u = { .scid = { 77 }, .timestamp = 1000, .cltv_delta = 40, .htlc_minimum = MSAT(1),
				.htlc_maximum = MSAT(99000), .fee_base_msat = 5, .fee_ppm = 6 };

	u.node[0] = point[0];
	u.node[1] = point[1];
	return u;
}

TEST(an_update_of_ours)
{
	struct own_update u;
	struct buf raw = BUF_EMPTY, other = BUF_EMPTY;
	struct msg_channel_update m;
	struct gossip_check check;
	struct graph_policy p;
	struct sig64 sig;
	uint8_t direction;

	start();
	u = update();
	direction = memcmp(point[0].v, point[1].v, 33) < 0 ? 0 : 1;
	own_update_build(&u, &raw);
	(void)channel_update_signed(buf_view(&raw));
	{
		struct sha256 hash = sha256d(raw.data + 66, raw.size - 66);

		ecdsa_sign(secp, &sig, &hash, &secret[0], false);
	}
	own_message_sign(&raw, &sig);
	CHECK_EQ(msg_channel_update_decode(buf_view(&raw), &arena, &m), DECODE_OK);
	CHECK_EQ(raw.size, 138);
	/* B7.channel_update.7, B7.channel_update.8, B7.channel_update.13 */
	CHECK_EQ(m.channel_flags, direction);
	/* B7.channel_update.12 */
	CHECK_EQ(m.message_flags, 1);
	/* B7.channel_update.5 */
	CHECK_EQ(channel_update_checks(&check, &m, buf_view(&raw), &point[0]), 1);
	CHECK(ecdsa_verify(&check.signature, &check.hash, &check.key));
	p = channel_update_policy(&m, buf_view(&raw));
	CHECK(p.timestamp == 1000 && p.cltv_delta == 40 && p.fee_base_msat == 5 && p.fee_ppm == 6 && !p.flags);
	CHECK(p.htlc_minimum.v == 1 && p.htlc_maximum.v == 99000);
	/* The other end's bit is the other one, and the rest of the flags. */
	u.node[0] = point[1];
	u.node[1] = point[0];
	u.disabled = u.to_peer_only = true;
	own_update_build(&u, &other);
	CHECK_EQ(msg_channel_update_decode(buf_view(&other), &arena, &m), DECODE_OK);
	CHECK_EQ(m.channel_flags, (1 - direction) | 2);
	CHECK_EQ(m.message_flags, 3); /* B7.channel_update.3 */
	CHECK_EQ(channel_update_policy(&m, buf_view(&other)).flags, GRAPH_DISABLED);
	buf_release(&raw);
	buf_release(&other);
	finish();
}

TEST(a_checksum_leaves_out_signature_and_timestamp)
{
	struct own_update u;
	struct buf a = BUF_EMPTY, b = BUF_EMPTY;
	struct sig64 sig;

	start();
	u = update();
	memset(sig.v, 3, 64);
	own_update_build(&u, &a);
	u.timestamp++;
	own_update_build(&u, &b);
	own_message_sign(&b, &sig);
	CHECK(!bytes_equal(buf_view(&a), buf_view(&b)));
	CHECK_EQ(channel_update_checksum(buf_view(&a)), channel_update_checksum(buf_view(&b)));
	for (size_t i = 66; i < b.size; i++) {
		if (i >= 66 + 40 && i < 66 + 44)
			continue;
		b.data[i] ^= 1;
		CHECK(channel_update_checksum(buf_view(&a)) != channel_update_checksum(buf_view(&b)));
		b.data[i] ^= 1;
	}
	buf_release(&a);
	buf_release(&b);
	finish();
}

TEST(a_node_of_ours)
{
	static const uint8_t there[4] = { 1, 2, 3, 4 };
	struct own_node n = { .timestamp = 9, .features = test_unhex("000080") };
	struct buf raw = BUF_EMPTY, addresses = BUF_EMPTY;
	struct descriptor list = { DESCRIPTOR_IPV4, 9735, BYTES_OF(there) };
	struct msg_node_announcement m;
	struct gossip_check check;
	struct sig64 sig;

	start();
	n.id = point[0];
	CHECK(own_node_alias(n.alias, BYTES("IRATEMONK", 9)));
	CHECK_EQ(descriptor_list_encode(&list, 1, &addresses), 1);
	n.addresses = buf_view(&addresses);
	own_node_build(&n, &raw);
	{
		struct sha256 hash = sha256d(raw.data + 66, raw.size - 66);

		ecdsa_sign(secp, &sig, &hash, &secret[0], false);
	}
	own_message_sign(&raw, &sig);
	CHECK_EQ(msg_node_announcement_decode(buf_view(&raw), &arena, &m), DECODE_OK);
	CHECK_HEX(m.features, "80"); /* B7.node_announcement.13, B7.node_announcement.14 */
	CHECK_HEX(m.addresses, "01010203042607"); /* B7.node_announcement.6, B7.node_announcement.7 */
	/* B7.node_announcement.4 */
	CHECK_EQ(node_announcement_checks(&check, &m, buf_view(&raw)), 1);
	CHECK(ecdsa_verify(&check.signature, &check.hash, &check.key));
	buf_release(&raw);
	buf_release(&addresses);
	finish();
}

/* B7.node_announcement.5 */
TEST(an_alias_is_whole_characters)
{
	uint8_t alias[32];

	CHECK(own_node_alias(alias, BYTES("1234567890123456789012345678901\xc3\xbc", 33)));
	CHECK_EQ(alias[30], '1');
	CHECK_EQ(alias[31], 0);
	CHECK(own_node_alias(alias, BYTES("123456789012345678901234567890\xc3\xbc", 32)));
	CHECK_EQ(alias[31], 0xbc);
	CHECK(own_node_alias(alias, BYTES_NONE));
	CHECK(bytes_all_zero(BYTES_OF(alias)));
	CHECK(!own_node_alias(alias, BYTES("\xff", 1)));
}

TEST(unknown_even_features)
{
	CHECK(!features_unknown_even(BYTES_NONE));
	CHECK(!features_unknown_even(test_unhex("0100"))); /* var_onion_optin */
	CHECK(!features_unknown_even(test_unhex("80000000000000000000000000000000000000")));
	CHECK(features_unknown_even(test_unhex("40000000000000000000000000000000000000")));
	CHECK_EQ(features_low(test_unhex("ff0000000000000102")), 0x102);
}

static struct scid *scids;
static uint32_t scid_count;

static bool query_of(const char *hex, uint64_t **flags)
{
	struct msg_query_short_channel_ids m;

	*flags = NULL;
	CHECK_EQ(msg_query_short_channel_ids_decode(test_unhex(hex), &arena, &m), DECODE_OK);
	if (!scids_decode(m.encoded_short_ids, &arena, &scids, &scid_count))
		return false;
	return !m.tlvs.query_flags || query_flags_decode(m.tlvs.query_flags, &arena, scid_count, flags);
}

#define QUERY "01050f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

/* bolt07/extended-queries.json, and what the text says of its zlib cases (B7.query_messages.1). */
TEST(arrays_of_queries)
{
	uint64_t *flags;

	start();
	CHECK(query_of(QUERY "001900000000000000008e0000000000003c69000000000045a6c4", &flags));
	CHECK(scid_count == 3 && !flags);
	CHECK(scids[0].v == 142 && scids[1].v == 15465 && scids[2].v == scid_make(0, 69, 42692).v);
	CHECK(!query_of(QUERY "001801789c63600001c12b608a69e73e30edbaec0800203b040e", &flags));
	CHECK(!query_of(QUERY "0019000000000000002fc80000000000003cc4000000000045a6c4010c01789c6364620100000e0008", &flags));
	CHECK(query_of(QUERY "0019000000000000002fc80000000000003cc4000000000045a6c4010400010204", &flags));
	CHECK(flags && flags[0] == 1 && flags[1] == 2 && flags[2] == 4);
	/* Not one flag a scid; not a whole number of scids; no encoding at all. */
	CHECK(!query_of(QUERY "0019000000000000002fc80000000000003cc4000000000045a6c40103000102", &flags));
	CHECK(!query_of(QUERY "0019000000000000002fc80000000000003cc4000000000045a6c401050001020408", &flags));
	CHECK(!query_of(QUERY "001800000000000000008e0000000000003c69000000000045a6", &flags));
	CHECK(!query_of(QUERY "0000", &flags));
	CHECK(query_of(QUERY "000100", &flags));
	CHECK_EQ(scid_count, 0);
	finish();
}

TEST(replies_of_ranges)
{
	static const char hex[] = "01080f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e22060001ddde000005dc010019"
				  "00000000000000304300000000000778d6000000000046e1c1"
				  "011900000282c1000e77c5000778ad00490ab00000b57800955bff"
				  "031800000457000008ae00000d050000115c000015b300001a0a";
	struct msg_reply_channel_range m;
	struct buf b = BUF_EMPTY, array = BUF_EMPTY;

	start();
	CHECK_EQ(msg_reply_channel_range_decode(test_unhex(hex), &arena, &m), DECODE_OK);
	CHECK(m.first_blocknum == 122334 && m.number_of_blocks == 1500 && m.sync_complete == 1);
	CHECK(scids_decode(m.encoded_short_ids, &arena, &scids, &scid_count) && scid_count == 3);
	CHECK(m.tlvs.timestamps_tlv->encoding_type == 0 && m.tlvs.timestamps_tlv->encoded_timestamps.size == 24);
	CHECK_EQ(load_be32(m.tlvs.timestamps_tlv->encoded_timestamps.data + 4), 948165);
	CHECK(m.tlvs.checksums_tlv->checksums_count == 3 && m.tlvs.checksums_tlv->checksums[2].checksum_node_id_1 == 5555);
	scids_encode(scids, scid_count, &array);
	m.encoded_short_ids = buf_view(&array);
	msg_reply_channel_range_encode(&m, &b);
	CHECK_HEX(buf_view(&b), hex);
	buf_release(&b);
	buf_release(&array);
	finish();
}
