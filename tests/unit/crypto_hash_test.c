#include "tests/test.h"

#include <string.h>

#include "crypto/hash.h"

/* FIPS 180-4 and the RIPEMD-160 paper. */
TEST(hashes_of_abc)
{
	struct sha256 s = sha256("abc", 3);
	struct ripemd160 r = ripemd160("abc", 3);
	uint8_t wide[64];

	CHECK_HEX(BYTES_OF(s.v), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_HEX(BYTES_OF(r.v), "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc");
	sha512(wide, "abc", 3);
	CHECK_HEX(BYTES_OF(wide), "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423"
				  "643ce80e2a9ac94fa54ca49f");
	s = sha256(NULL, 0);
	CHECK_HEX(BYTES_OF(s.v), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	s = sha256d("hello", 5);
	CHECK_HEX(BYTES_OF(s.v), "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50");
}

TEST(parts_hash_like_the_whole)
{
	struct sha256_state s;
	struct sha256 whole = sha256("abcdef", 6), parts;

	sha256_init_state(&s);
	sha256_add(&s, "abc", 3);
	sha256_add(&s, NULL, 0);
	sha256_add(&s, "def", 3);
	parts = sha256_finish(&s);
	CHECK(SAME(parts, whole));
}

/* BIP 340: the tag's hash twice, then the message. */
TEST(tagged_hash_by_definition)
{
	struct sha256 tag = sha256("TapLeaf", 7), got, want;
	struct sha256_state s;
	uint8_t whole[65];

	memcpy(whole, tag.v, 32);
	memcpy(whole + 32, tag.v, 32);
	whole[64] = 'm';
	want = sha256(whole, sizeof(whole));
	sha256_tagged_init(&s, "TapLeaf");
	sha256_add(&s, "m", 1);
	got = sha256_finish(&s);
	CHECK(SAME(got, want));
}

/* RFC 4231, test cases 1, 2 and 6. */
TEST(rfc4231_hmac)
{
	uint8_t long_key[131], wide[64];
	struct sha256 h = hmac_sha256(test_unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), bytes_from_string("Hi There"));

	CHECK_HEX(BYTES_OF(h.v), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	h = hmac_sha256(bytes_from_string("Jefe"), bytes_from_string("what do ya want for nothing?"));
	CHECK_HEX(BYTES_OF(h.v), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(long_key, 0xaa, sizeof(long_key));
	h = hmac_sha256(BYTES_OF(long_key), bytes_from_string("Test Using Larger Than Block-Size Key - Hash Key First"));
	CHECK_HEX(BYTES_OF(h.v), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hmac_sha512(wide, bytes_from_string("Jefe"), bytes_from_string("what do ya want for nothing?"));
	CHECK_HEX(BYTES_OF(wide), "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a3"
				  "4d4a6b4b636e070a38bce737");
}

/* RFC 5869, test cases 1 to 3. */
TEST(rfc5869_hkdf)
{
	uint8_t out[82], range[80], salt[80], info[80];
	struct bytes ikm = test_unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");

	hkdf_sha256(out, 42, test_unhex("000102030405060708090a0b0c"), ikm, test_unhex("f0f1f2f3f4f5f6f7f8f9"));
	CHECK_HEX(BYTES(out, 42), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
	for (uint8_t i = 0; i < 80; i++) {
		range[i] = i;
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (uint8_t)(0xb0 + i);
	}
	hkdf_sha256(out, 82, BYTES_OF(salt), BYTES_OF(range), BYTES_OF(info));
	CHECK_HEX(BYTES(out, 82), "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f"
				  "09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
	hkdf_sha256(out, 42, BYTES_NONE, ikm, BYTES_NONE);
	CHECK_HEX(BYTES(out, 42), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}
