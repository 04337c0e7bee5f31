#include "wire/descriptor.h"

#include <string.h>

#include "tests/test.h"

/* Of the Tor Project's own site. */
#define ONION "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"

TEST(every_kind_is_read)
{
	static const char hex[] = "01" "01020304" "2607"
				  "02" "20010db8000000000000000000000001" "2608"
				  "03" "00010203040506070809" "2609"
				  "05" "0b" "6578616d706c652e636f6d" "260a"
				  "07" "ffff";
	struct descriptor_reader r = descriptor_reader_of(test_unhex(hex));
	char text[DESCRIPTOR_TEXT_MAX];
	struct descriptor a;

	CHECK(descriptor_next(&r, &a) && a.kind == DESCRIPTOR_IPV4 && a.port == 9735);
	descriptor_text(text, &a);
	CHECK_STR(text, "1.2.3.4");
	CHECK(descriptor_next(&r, &a) && a.kind == DESCRIPTOR_IPV6 && a.port == 9736);
	descriptor_text(text, &a);
	CHECK_STR(text, "2001:db8::1");
	/* B7.node_announcement.30: the Tor v2 address is not shown. */
	CHECK(descriptor_next(&r, &a) && a.kind == DESCRIPTOR_DNS && a.port == 9738);
	descriptor_text(text, &a);
	CHECK_STR(text, "example.com");
	/* B7.node_announcement.24: type 7 and what follows is ignored, and no fault. */
	CHECK(!descriptor_next(&r, &a) && !descriptor_reader_failed(&r) && !r.more_names);
}

TEST(what_is_ignored)
{
	/* B7.node_announcement.26: port 0 of ipv4, ipv6 and hostname. */
	static const char none[] = "01" "01020304" "0000" "02" "20010db8000000000000000000000001" "0000" "05" "0161" "0000";
	/* B7.node_announcement.31: the second name, and it is told so that .32 can be kept. */
	static const char names[] = "05" "0161" "0001" "05" "0162" "0001" "01" "01020304" "0001";
	struct descriptor_reader r = descriptor_reader_of(test_unhex(none));
	struct descriptor a;

	CHECK(!descriptor_next(&r, &a) && !descriptor_reader_failed(&r) && !r.more_names);
	r = descriptor_reader_of(test_unhex(names));
	CHECK(descriptor_next(&r, &a) && a.host.data[0] == 'a');
	CHECK(descriptor_next(&r, &a) && a.kind == DESCRIPTOR_IPV4);
	CHECK(!descriptor_next(&r, &a) && !descriptor_reader_failed(&r));
	CHECK(r.more_names);
	r = descriptor_reader_of(BYTES_NONE);
	CHECK(!descriptor_next(&r, &a) && !descriptor_reader_failed(&r));
}

/* B7.node_announcement.25 */
TEST(a_cut_is_noticed_at_every_byte)
{
	static const char hex[] = "05" "03616263" "0001" "04"
				  "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212203" "0001";
	struct bytes whole = test_unhex(hex);

	for (size_t size = 1; size <= whole.size; size++) {
		struct descriptor_reader r = descriptor_reader_of(BYTES(whole.data, size));
		struct descriptor a;

		while (descriptor_next(&r, &a))
			;
		CHECK(descriptor_reader_failed(&r) == (size != whole.size && size != 7));
	}
}

TEST(ipv6_text_is_canonical)
{
	static const struct {
		const char *hex, *text;
	} cases[] = {
		{ "00000000000000000000000000000000", "::" },
		{ "00000000000000000000000000000001", "::1" },
		{ "20010000000000000000000000000000", "2001::" },
		{ "20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1" },
		{ "20010000000000010000000000000001", "2001:0:0:1::1" },
		{ "20010db800000000000100000000abcd", "2001:db8::1:0:0:abcd" },
		{ "00010002000300040005000600070008", "1:2:3:4:5:6:7:8" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct descriptor a = { DESCRIPTOR_IPV6, 1, test_unhex(cases[i].hex) };
		char text[DESCRIPTOR_TEXT_MAX];

		descriptor_text(text, &a);
		CHECK_STR(text, cases[i].text);
	}
}

TEST(onion_addresses)
{
	uint8_t onion[DESCRIPTOR_TOR_V3_SIZE];
	char text[DESCRIPTOR_TEXT_MAX], wrong[] = ONION;
	struct descriptor a = { DESCRIPTOR_TOR_V3, 9735, BYTES_OF(onion) };

	CHECK(descriptor_onion_decode(onion, ONION));
	descriptor_text(text, &a);
	CHECK_STR(text, ONION);
	CHECK(descriptor_announceable(&a));
	onion[0] ^= 1;
	CHECK(!descriptor_announceable(&a));
	wrong[3] = 'a';
	CHECK(!descriptor_onion_decode(onion, wrong));
	wrong[3] = '1';
	CHECK(!descriptor_onion_decode(onion, wrong));
	CHECK(!descriptor_onion_decode(onion, "short.onion"));
}

TEST(what_we_announce)
{
	static const uint8_t here[4] = { 127, 0, 0, 1 }, there[4] = { 1, 2, 3, 4 };
	static const uint8_t there6[16] = { 0x26, 0x07, 1 }, local6[16] = { 0xfe, 0x80 }, tor2[10] = { 1 };
	const struct descriptor list[] = {
		{ DESCRIPTOR_DNS, 9735, BYTES("example.com", 11) },
		{ DESCRIPTOR_IPV6, 9735, BYTES_OF(there6) },
		{ DESCRIPTOR_IPV4, 9735, BYTES_OF(there) },
		{ DESCRIPTOR_IPV4, 0, BYTES_OF(there) },       /* B7.node_announcement.11 */
		{ DESCRIPTOR_IPV4, 9735, BYTES_OF(here) },     /* B7.node_announcement.12 */
		{ DESCRIPTOR_IPV6, 9735, BYTES_OF(local6) },
		{ DESCRIPTOR_TOR_V2, 9735, BYTES_OF(tor2) },   /* B7.node_announcement.15 */
		{ DESCRIPTOR_DNS, 9735, BYTES("example.org", 11) }, /* B7.node_announcement.16 */
		{ DESCRIPTOR_DNS, 0, BYTES("example.net", 11) },
		{ DESCRIPTOR_DNS, 1, BYTES("m\xc3\xbcnchen.de", 11) }, /* B7.node_announcement.1, B7.node_announcement.2 */
	};
	struct buf out = BUF_EMPTY;

	/* B7.node_announcement.8: ascending.  B7.node_announcement.9, B7.node_announcement.10: nothing of type 0. */
	CHECK_EQ(descriptor_list_encode(list, ARRAY_COUNT(list), &out), 3);
	CHECK_HEX(buf_view(&out), "01" "01020304" "2607" "02" "26070100000000000000000000000000" "2607"
				  "05" "0b" "6578616d706c652e636f6d" "2607");
	buf_release(&out);
	CHECK(!descriptor_announceable(&list[9]));
}
