#include "tests/test.h"

#include <string.h>

#include "crypto/cipher.h"

#define SUNSCREEN \
	"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."

/* RFC 8439 section 2.8.2. */
TEST(rfc8439_aead_seals)
{
	struct bytes key = test_unhex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
	struct bytes nonce = test_unhex("070000004041424344454647"), aad = test_unhex("50515253c0c1c2c3c4c5c6c7");
	struct bytes plain = bytes_from_string(SUNSCREEN);
	uint8_t sealed[114 + AEAD_TAG_SIZE], opened[114];

	CHECK_EQ(plain.size, 114);
	aead_seal(sealed, key.data, nonce.data, aad, plain);
	CHECK_HEX(BYTES_OF(sealed), "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71"
				    "de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def0"
				    "8e4b7a9de576d26586cec64b6116" "1ae10b594f09e26a7e902ecbd0600691");
	CHECK(aead_open(opened, key.data, nonce.data, aad, BYTES_OF(sealed)) && memcmp(opened, plain.data, 114) == 0);
}

/* RFC 8439 appendix A.5. */
TEST(rfc8439_aead_opens)
{
	struct bytes key = test_unhex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
	struct bytes nonce = test_unhex("000000000102030405060708"), aad = test_unhex("f33388860000000000004e91");
	struct bytes sealed = test_unhex("64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b7"
					 "3c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4"
					 "f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee"
					 "282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd6"
					 "3159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
					 "a6ad5cb4022b02709b" "eead9d67890cbb22392336fea1851f38");
	uint8_t plain[265];

	CHECK_EQ(sealed.size, sizeof(plain) + AEAD_TAG_SIZE);
	CHECK(aead_open(plain, key.data, nonce.data, aad, sealed));
	CHECK(memcmp(plain, "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or "
			    "obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference "
			    "material or to cite them other than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d", sizeof(plain)) == 0);
}

TEST(any_changed_bit_is_seen)
{
	uint8_t key[32] = { 1 }, nonce[12] = { 2 }, sealed[5 + AEAD_TAG_SIZE], opened[5];
	struct bytes aad = bytes_from_string("ad");

	aead_seal(sealed, key, nonce, aad, bytes_from_string("hello"));
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		memset(opened, 0xee, sizeof(opened));
		CHECK(!aead_open(opened, key, nonce, aad, BYTES_OF(sealed)));
		CHECK(bytes_all_zero(BYTES_OF(opened)));
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(!aead_open(opened, key, nonce, bytes_from_string("aD"), BYTES_OF(sealed)));
	CHECK(!aead_open(opened, key, nonce, BYTES_NONE, BYTES_OF(sealed)));
	CHECK(!aead_open(opened, key, nonce, aad, BYTES(sealed, AEAD_TAG_SIZE - 1)));
	CHECK(aead_open(opened, key, nonce, aad, BYTES_OF(sealed)));
}

/* In place, as BOLT 8 does it, and of nothing, as its act one does. */
TEST(sealing_in_place_and_of_nothing)
{
	uint8_t key[32] = { 3 }, nonce[12] = { 4 }, box[16 + AEAD_TAG_SIZE] = "in place", apart[16 + AEAD_TAG_SIZE], plain[16];

	memcpy(plain, box, 16);
	aead_seal(apart, key, nonce, BYTES_NONE, BYTES_OF(plain));
	aead_seal(box, key, nonce, BYTES_NONE, BYTES(box, 16));
	CHECK(memcmp(box, apart, sizeof(box)) == 0);
	CHECK(aead_open(box, key, nonce, BYTES_NONE, BYTES_OF(box)) && memcmp(box, plain, 16) == 0);
	aead_seal(box, key, nonce, bytes_from_string("h"), BYTES_NONE);
	CHECK(aead_open(plain, key, nonce, bytes_from_string("h"), BYTES(box, AEAD_TAG_SIZE)));
}

/* RFC 8439 appendix A.1 (counter 0) and section 2.4.2 (counter 1, so behind one block). */
TEST(rfc8439_chacha20)
{
	uint8_t zeros[64] = { 0 }, key[32] = { 0 }, nonce[12] = { 0 }, text[64 + 114] = { 0 };

	chacha20_xor(zeros, sizeof(zeros), key, nonce);
	CHECK_HEX(BYTES_OF(zeros), "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
				   "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
	for (uint8_t i = 0; i < 32; i++)
		key[i] = i;
	nonce[7] = 0x4a;
	memcpy(text + 64, SUNSCREEN, 114);
	chacha20_xor(text, sizeof(text), key, nonce);
	CHECK_HEX(BYTES(text + 64, 114), "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639"
					 "d624e65152ab8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf"
					 "74a35be6b40b8eedf2785e42874d");
}

TEST(generator_is_its_seed)
{
	uint8_t seed[32] = { 1 }, a[100], b[100], c[100];
	struct drbg one, two;

	drbg_init(&one, seed);
	drbg_init(&two, seed);
	drbg_fill(&one, a, sizeof(a));
	drbg_fill(&two, b, sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)) == 0);
	drbg_fill(&one, c, sizeof(c));
	CHECK(memcmp(a, c, sizeof(a)) != 0);
	drbg_mix(&two, bytes_from_string("entropy"));
	drbg_fill(&two, b, sizeof(b));
	CHECK(memcmp(b, c, sizeof(b)) != 0);
	seed[31] = 1;
	drbg_init(&one, seed);
	drbg_fill(&one, c, sizeof(c));
	CHECK(memcmp(a, c, sizeof(a)) != 0);
}
