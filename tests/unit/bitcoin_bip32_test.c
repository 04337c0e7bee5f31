#include "tests/test.h"

#include <string.h>

#include "bitcoin/address.h"
#include "bitcoin/base58.h"
#include "bitcoin/bip32.h"
#include "bitcoin/script.h"
#include "bitcoin/taproot.h"

static const uint8_t blinding[32] = { 3 };

/* BIP 32 "Test Vectors" 1 to 4. */
static const struct {
	const char *seed, *path, *pub, *prv;
} chains[] = {
	{ "000102030405060708090a0b0c0d0e0f", "m",
	  "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
	  "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi" },
	{ "000102030405060708090a0b0c0d0e0f", "m/0'",
	  "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw",
	  "xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvUxt4cV1rGL5hj6KCesnDYUhd7oWgT11eZG7XnxHrnYeSvkzY7d2bhkJ7" },
	{ "000102030405060708090a0b0c0d0e0f", "m/0'/1",
	  "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppuCkwQ",
	  "xprv9wTYmMFdV23N2TdNG573QoEsfRrWKQgWeibmLntzniatZvR9BmLnvSxqu53Kw1UmYPxLgboyZQaXwTCg8MSY3H2EU4pWcQDnRnrVA1xe8fs" },
	{ "000102030405060708090a0b0c0d0e0f", "m/0'/1/2'",
	  "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
	  "xprv9z4pot5VBttmtdRTWfWQmoH1taj2axGVzFqSb8C9xaxKymcFzXBDptWmT7FwuEzG3ryjH4ktypQSAewRiNMjANTtpgP4mLTj34bhnZX7UiM" },
	{ "000102030405060708090a0b0c0d0e0f", "m/0'/1/2'/2",
	  "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh8zL4fiyLHV",
	  "xprvA2JDeKCSNNZky6uBCviVfJSKyQ1mDYahRjijr5idH2WwLsEd4Hsb2Tyh8RfQMuPh7f7RtyzTtdrbdqqsunu5Mm3wDvUAKRHSC34sJ7in334" },
	{ "000102030405060708090a0b0c0d0e0f", "m/0'/1/2'/2/1000000000",
	  "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
	  "xprvA41z7zogVVwxVSgdKUHDy1SKmdb533PjDz7J6N6mV6uS3ze1ai8FHa8kmHScGpWmj4WggLyQjgPie1rFSruoUihUZREPSL39UNdE3BBDu76" },
	{ "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2"
	  "9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542", "m",
	  "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB",
	  "xprv9s21ZrQH143K31xYSDQpPDxsXRTUcvj2iNHm5NUtrGiGG5e2DtALGdso3pGz6ssrdK4PFmM8NSpSBHNqPqm55Qn3LqFtT2emdEXVYsCzC2U" },
	{ "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2"
	  "9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542", "m/0",
	  "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH",
	  "xprv9vHkqa6EV4sPZHYqZznhT2NPtPCjKuDKGY38FBWLvgaDx45zo9WQRUT3dKYnjwih2yJD9mkrocEZXo1ex8G81dwSM1fwqWpWkeS3v86pgKt" },
	{ "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2"
	  "9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542", "m/0/2147483647'",
	  "xpub6ASAVgeehLbnwdqV6UKMHVzgqAG8Gr6riv3Fxxpj8ksbH9ebxaEyBLZ85ySDhKiLDBrQSARLq1uNRts8RuJiHjaDMBU4Zn9h8LZNnBC5y4a",
	  "xprv9wSp6B7kry3Vj9m1zSnLvN3xH8RdsPP1Mh7fAaR7aRLcQMKTR2vidYEeEg2mUCTAwCd6vnxVrcjfy2kRgVsFawNzmjuHc2YmYRmagcEPdU9" },
	{ "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2"
	  "9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542", "m/0/2147483647'/1",
	  "xpub6DF8uhdarytz3FWdA8TvFSvvAh8dP3283MY7p2V4SeE2wyWmG5mg5EwVvmdMVCQcoNJxGoWaU9DCWh89LojfZ537wTfunKau47EL2dhHKon",
	  "xprv9zFnWC6h2cLgpmSA46vutJzBcfJ8yaJGg8cX1e5StJh45BBciYTRXSd25UEPVuesF9yog62tGAQtHjXajPPdbRCHuWS6T8XA2ECKADdw4Ef" },
	{ "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2"
	  "9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542", "m/0/2147483647'/1/2147483646'",
	  "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL",
	  "xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXzU6rcxFLJ8HFsTjSyQbLYnMpCqE2VbFWc" },
	{ "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2"
	  "9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542", "m/0/2147483647'/1/2147483646'/2",
	  "xpub6FnCn6nSzZAw5Tw7cgR9bi15UV96gLZhjDstkXXxvCLsUXBGXPdSnLFbdpq8p9HmGsApME5hQTZ3emM2rnY5agb9rXpVGyy3bdW6EEgAtqt",
	  "xprvA2nrNbFZABcdryreWet9Ea4LvTJcGsqrMzxHx98MMrotbir7yrKCEXw7nadnHM8Dq38EGfSh6dqA9QWTyefMLEcBYJUuekgW4BYPJcr9E7j" },
	{ "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4ac"
	  "ba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be", "m",
	  "xpub661MyMwAqRbcEZVB4dScxMAdx6d4nFc9nvyvH3v4gJL378CSRZiYmhRoP7mBy6gSPSCYk6SzXPTf3ND1cZAceL7SfJ1Z3GC8vBgp2epUt13",
	  "xprv9s21ZrQH143K25QhxbucbDDuQ4naNntJRi4KUfWT7xo4EKsHt2QJDu7KXp1A3u7Bi1j8ph3EGsZ9Xvz9dGuVrtHHs7pXeTzjuxBrCmmhgC6" },
	{ "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4ac"
	  "ba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be", "m/0'",
	  "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPPLPxSb7gwQN3ih19Zm4Y",
	  "xprv9uPDJpEQgRQfDcW7BkF7eTya6RPxXeJCqCJGHuCJ4GiRVLzkTXBAJMu2qaMWPrS7AANYqdq6vcBcBUdJCVVFceUvJFjaPdGZ2y9WACViL4L" },
	{ "3ddd5602285899a946114506157c7997e5444528f3003f6134712147db19b678", "m",
	  "xpub661MyMwAqRbcGczjuMoRm6dXaLDEhW1u34gKenbeYqAix21mdUKJyuyu5F1rzYGVxyL6tmgBUAEPrEz92mBXjByMRiJdba9wpnN37RLLAXa",
	  "xprv9s21ZrQH143K48vGoLGRPxgo2JNkJ3J3fqkirQC2zVdk5Dgd5w14S7fRDyHH4dWNHUgkvsvNDCkvAwcSHNAQwhwgNMgZhLtQC63zxwhQmRv" },
	{ "3ddd5602285899a946114506157c7997e5444528f3003f6134712147db19b678", "m/0'",
	  "xpub69AUMk3qDBi3uW1sXgjCmVjJ2G6WQoYSnNHyzkmdCHEhSZ4tBok37xfFEqHd2AddP56Tqp4o56AePAgCjYdvpW2PU2jbUPFKsav5ut6Ch1m",
	  "xprv9vB7xEWwNp9kh1wQRfCCQMnZUEG21LpbR9NPCNN1dwhiZkjjeGRnaALmPXCX7SgjFTiCTT6bXes17boXtjq3xLpcDjzEuGLQBM5ohqkao9G" },
	{ "3ddd5602285899a946114506157c7997e5444528f3003f6134712147db19b678", "m/0'/1'",
	  "xpub6BJA1jSqiukeaesWfxe6sNK9CCGaujFFSJLomWHprUL9DePQ4JDkM5d88n49sMGJxrhpjazuXYWdMf17C9T5XnxkopaeS7jGk1GyyVziaMt",
	  "xprv9xJocDuwtYCMNAo3Zw76WENQeAS6WGXQ55RCy7tDJ8oALr4FWkuVoHJeHVAcAqiZLE7Je3vZJHxspZdFHfnBEjHqU5hG1Jaj32dVoS6XLT1" },
};

static void check_text(const struct network *n, const struct bip32_key *k, const char *text)
{
	struct buf b = BUF_EMPTY;
	bool same;

	bip32_encode(&b, n, k);
	same = bytes_equal(buf_view(&b), bytes_from_string(text));
	buf_release(&b);
	CHECK(same);
}

/* The same key, whole, from its text. */
static void check_decodes(const struct secp *secp, const struct bip32_key *k, const char *text)
{
	const struct network *n = network_by_name("bitcoin");
	struct bip32_key back;

	CHECK(bip32_decode(secp, &back, n, bytes_from_string(text)));
	CHECK(back.is_private == k->is_private && back.depth == k->depth && back.index == k->index);
	CHECK(SAME(back.point, k->point) && SAME(back.chain_code, k->chain_code) && SAME(back.secret, k->secret));
	CHECK(memcmp(back.parent4, k->parent4, 4) == 0);
	CHECK(!bip32_decode(secp, &back, network_by_name("regtest"), bytes_from_string(text)));
}

TEST(bip32_vectors)
{
	const struct network *n = network_by_name("bitcoin");
	struct secp *secp = secp_new(blinding);

	for (size_t i = 0; i < ARRAY_COUNT(chains); i++) {
		struct bip32_key master, k;
		uint32_t path[8];
		size_t count;

		CHECK(bip32_master(secp, &master, test_unhex(chains[i].seed)));
		CHECK(bip32_parse_path(path, &count, ARRAY_COUNT(path), bytes_from_string(chains[i].path)));
		CHECK(bip32_derive(secp, &k, &master, path, count));
		CHECK_EQ(k.depth, count);
		check_text(n, &k, chains[i].prv);
		check_decodes(secp, &k, chains[i].prv);
		bip32_neuter(&k);
		check_text(n, &k, chains[i].pub);
		check_decodes(NULL, &k, chains[i].pub);
	}
	secp_free(secp);
}

/* N(CKDpriv(m, i)) is CKDpub(N(m), i): what a watching wallet relies on. */
TEST(public_derivation_follows_private)
{
	struct secp *secp = secp_new(blinding);
	struct bip32_key master, public, by_secret, by_point;
	uint32_t path[3] = { 0, 77, BIP32_HARDENED - 1 };

	CHECK(bip32_master(secp, &master, test_unhex("000102030405060708090a0b0c0d0e0f")));
	public = master;
	bip32_neuter(&public);
	CHECK(bytes_all_zero(BYTES_OF(public.secret.v)));
	CHECK(bip32_derive(secp, &by_secret, &master, path, 3));
	CHECK(bip32_derive(NULL, &by_point, &public, path, 3));
	CHECK(!by_point.is_private && SAME(by_point.point, by_secret.point) && SAME(by_point.chain_code, by_secret.chain_code));
	path[1] |= BIP32_HARDENED;
	CHECK(!bip32_derive(NULL, &by_point, &public, path, 3));
	secp_free(secp);
}

TEST(bip32_bounds)
{
	struct secp *secp = secp_new(blinding);
	struct bip32_key k;
	uint8_t seed[65] = { 1 };

	CHECK(!bip32_master(secp, &k, BYTES(seed, 15)) && !bip32_master(secp, &k, BYTES(seed, 65)));
	CHECK(bip32_master(secp, &k, BYTES(seed, 16)));
	for (int i = 0; i < 255; i++)
		CHECK(bip32_child(secp, &k, &k, 0));
	CHECK(!bip32_child(secp, &k, &k, 0));
	CHECK_EQ(k.depth, 255);
	secp_free(secp);
}

/* BIP 32 "Test vector 5". */
TEST(bip32_invalid_extended_keys)
{
	static const char *const bad[] = {
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6LBpB85b3D2yc8sfvZU521AAwdZafEz7mnzBBsz4wKY5fTtTQBm", /* pubkey version / prvkey mismatch */
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFGTQQD3dC4H2D5GBj7vWvSQaaBv5cxi9gafk7NF3pnBju6dwKvH", /* prvkey version / pubkey mismatch */
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Txnt3siSujt9RCVYsx4qHZGc62TG4McvMGcAUjeuwZdduYEvFn", /* invalid pubkey prefix 04 */
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFGpWnsj83BHtEy5Zt8CcDr1UiRXuWCmTQLxEK9vbz5gPstX92JQ", /* invalid prvkey prefix 04 */
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6N8ZMMXctdiCjxTNq964yKkwrkBJJwpzZS4HS2fxvyYUA4q2Xe4", /* invalid pubkey prefix 01 */
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFAzHGBP2UuGCqWLTAPLcMtD9y5gkZ6Eq3Rjuahrv17fEQ3Qen6J", /* invalid prvkey prefix 01 */
		"xprv9s2SPatNQ9Vc6GTbVMFPFo7jsaZySyzk7L8n2uqKXJen3KUmvQNTuLh3fhZMBoG3G4ZW1N2kZuHEPY53qmbZzCHshoQnNf4GvELZfqTUrcv", /* zero depth with non-zero parent fingerprint */
		"xpub661no6RGEX3uJkY4bNnPcw4URcQTrSibUZ4NqJEw5eBkv7ovTwgiT91XX27VbEXGENhYRCf7hyEbWrR3FewATdCEebj6znwMfQkhRYHRLpJ", /* zero depth with non-zero parent fingerprint */
		"xprv9s21ZrQH4r4TsiLvyLXqM9P7k1K3EYhA1kkD6xuquB5i39AU8KF42acDyL3qsDbU9NmZn6MsGSUYZEsuoePmjzsB3eFKSUEh3Gu1N3cqVUN", /* zero depth with non-zero index */
		"xpub661MyMwAuDcm6CRQ5N4qiHKrJ39Xe1R1NyfouMKTTWcguwVcfrZJaNvhpebzGerh7gucBvzEQWRugZDuDXjNDRmXzSZe4c7mnTK97pTvGS8", /* zero depth with non-zero index */
		"DMwo58pR1QLEFihHiXPVykYB6fJmsTeHvyTp7hRThAtCX8CvYzgPcn8XnmdfHGMQzT7ayAmfo4z3gY5KfbrZWZ6St24UVf2Qgo6oujFktLHdHY4", /* unknown extended key version */
		"DMwo58pR1QLEFihHiXPVykYB6fJmsTeHvyTp7hRThAtCX8CvYzgPcn8XnmdfHPmHJiEDXkTiJTVV9rHEBUem2mwVbbNfvT2MTcAqj3nesx8uBf9", /* unknown extended key version */
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzF93Y5wvzdUayhgkkFoicQZcP3y52uPPxFnfoLZB21Teqt1VvEHx", /* private key 0 not in 1..n-1 */
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFAzHGBP2UuGCqWLTAPLcMtD5SDKr24z3aiUvKr9bJpdrcLg1y3G", /* private key n not in 1..n-1 */
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Q5JXayek4PRsn35jii4veMimro1xefsM58PgBMrvdYre8QyULY", /* invalid pubkey 020000000000000000000000000000000000000000000000000000000000000007 */
		"xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHL", /* invalid checksum */
	};
	struct secp *secp = secp_new(blinding);
	struct bip32_key k;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		for (size_t j = 0; j < NETWORK_COUNT; j++)
			CHECK(!bip32_decode(secp, &k, &networks[j], bytes_from_string(bad[i])));
	secp_free(secp);
}

TEST(paths_are_read_strictly)
{
	static const char *const bad[] = {
		"", "n", "m/", "m//1", "m/1/", "/1", "1", "m1", "m/2147483648", "m/99999999999", "m/-1", "m/1x", "m/1''", "m/'",
		"m/1/2/3/4/5", "m/ 1",
	};
	uint32_t path[4];
	size_t count;

	CHECK(bip32_parse_path(path, &count, 4, bytes_from_string("m")) && count == 0);
	CHECK(bip32_parse_path(path, &count, 4, bytes_from_string("m/84'/1h/2H/2147483647")) && count == 4);
	CHECK(path[0] == 0x80000054 && path[1] == 0x80000001 && path[2] == 0x80000002 && path[3] == 0x7fffffff);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		CHECK(!bip32_parse_path(path, &count, 4, bytes_from_string(bad[i])));
}

/* BIP 84 writes its keys with version bytes of its own (zprv, zpub). */
static void check_slip132(const struct secp *secp, const struct bip32_key *k, const char *text)
{
	const struct network *n = network_by_name("bitcoin");
	struct buf raw = BUF_EMPTY, usual = BUF_EMPTY;
	struct bip32_key back;
	bool good = base58check_decode(&raw, bytes_from_string(text)) && raw.size == 78;

	if (good) {
		store_be32(raw.data, load_be32(raw.data) == 0x04b2430c ? n->bip32_private : n->bip32_public);
		base58check_encode(&usual, buf_view(&raw));
		good = bip32_decode(secp, &back, n, buf_view(&usual)) && SAME(back.point, k->point) &&
		       SAME(back.chain_code, k->chain_code) && back.depth == k->depth;
	}
	buf_release(&raw);
	buf_release(&usual);
	CHECK(good);
}

static void check_bip84_key(const struct secp *secp, const struct bip32_key *account, uint32_t chain, uint32_t index,
			    const char *wif, const char *point, const char *address)
{
	const struct network *n = network_by_name("bitcoin");
	uint32_t path[2] = { chain, index };
	struct buf text = BUF_EMPTY;
	char got[ADDRESS_SIZE];
	struct bip32_key k;
	struct arena a;
	bool same;

	arena_init(&a);
	CHECK(bip32_derive(secp, &k, account, path, 2));
	CHECK_HEX(BYTES_OF(k.point.v), point);
	same = address_encode(got, n, script_p2wpkh(&a, &k.point));
	arena_release(&a);
	CHECK(same);
	CHECK_STR(got, address);
	wif_encode(&text, n, &k.secret, true);
	same = bytes_equal(buf_view(&text), bytes_from_string(wif));
	buf_release(&text);
	CHECK(same);
}

/* The seed of "abandon ... about", which bitcoin_bip39_test.c proves. */
#define ABOUT_SEED \
	"5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1" \
	"9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"

/* BIP 84 "Test vectors". */
TEST(bip84_vectors)
{
	const struct network *n = network_by_name("bitcoin");
	struct secp *secp = secp_new(blinding);
	struct bip32_key master, account;

	CHECK(bip32_master(secp, &master, test_unhex(ABOUT_SEED)));
	check_slip132(secp, &master, "zprvAWgYBBk7JR8Gjrh4UJQ2uJdG1r3WNRRfURiABBE3RvMXYSrRJL62XuezvGdPvG6GFBZduosCc1YP5wixPox7zhZLfiUm8"
				     "aunE96BBa4Kei5");
	check_slip132(secp, &master, "zpub6jftahH18ngZxLmXaKw3GSZzZsszmt9WqedkyZdezFtWRFBZqsQH5hyUmb4pCEeZGmVfQuP5bedXTB8is6fTv19U1GQRy"
				     "QUKQGUTzyHACMF");
	CHECK(bip32_account(secp, &account, &master, BIP32_BIP84, n, 0));
	check_slip132(secp, &account, "zprvAdG4iTXWBoARxkkzNpNh8r6Qag3irQB8PzEMkAFeTRXxHpbF9z4QgEvBRmfvqWvGp42t42nvgGpNgYSJA9iefm1yYNZKEm"
				      "7z6qUWCroSQnE");
	check_slip132(secp, &account, "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsA"
				      "Yz2oz2AGutZYs");
	check_bip84_key(secp, &account, 0, 0, "KyZpNDKnfs94vbrwhJneDi77V6jF64PWPF8x5cdJb8ifgg2DUc9d",
			"0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c",
			"bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
	check_bip84_key(secp, &account, 0, 1, "Kxpf5b8p3qX56DKEe5NqWbNUP9MnqoRFzZwHRtsFqhzuvUJsYZCy",
			"03e775fd51f0dfb8cd865d9ff1cca2a158cf651fe997fdc9fee9c1d3b5e995ea77",
			"bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g");
	check_bip84_key(secp, &account, 1, 0, "KxuoxufJL5csa1Wieb2kp29VNdn92Us8CoaUG3aGtPtcF3AzeXvF",
			"03025324888e429ab8e3dbaf1f7802648b9cd01e9b418485c5fa4c1b9b5700e1a6",
			"bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el");
	CHECK(!bip32_account(secp, &account, &master, BIP32_BIP84, n, BIP32_HARDENED));
	secp_free(secp);
}

static void check_bip86_key(const struct secp *secp, const struct bip32_key *account, const uint32_t path[2],
			    const char *prv, const char *internal, const char *output, const char *address)
{
	const struct network *n = network_by_name("bitcoin");
	struct bip32_key k;
	struct xonly x, tweaked;
	struct pubkey by_secret;
	struct arena a;
	char got[ADDRESS_SIZE];
	int parity;
	bool good;

	CHECK(bip32_derive(secp, &k, account, path, 2));
	check_text(n, &k, prv);
	x = xonly_of(&k.point);
	CHECK_HEX(BYTES_OF(x.v), internal);
	CHECK(taproot_output_key(&tweaked, &parity, &x, NULL));
	CHECK_HEX(BYTES_OF(tweaked.v), output);
	CHECK(taproot_seckey(secp, &k.secret, NULL));
	pubkey_of(secp, &by_secret, &k.secret);
	x = xonly_of(&by_secret);
	CHECK(SAME(x, tweaked));
	arena_init(&a);
	good = address_encode(got, n, script_p2tr(&a, &tweaked));
	arena_release(&a);
	CHECK(good);
	CHECK_STR(got, address);
}

/* BIP 86 "Test vectors". */
TEST(bip86_vectors)
{
	const struct network *n = network_by_name("bitcoin");
	struct secp *secp = secp_new(blinding);
	struct bip32_key master, account;

	CHECK(bip32_master(secp, &master, test_unhex(ABOUT_SEED)));
	check_text(n, &master, "xprv9s21ZrQH143K3GJpoapnV8SFfukcVBSfeCficPSGfubmSFDxo1kuHnLisriDvSnRRuL2Qrg5ggqHKNVpxR86QEC8w35uxmGogg"
			       "xtQTPvfUu");
	CHECK(bip32_account(secp, &account, &master, BIP32_BIP86, n, 0));
	check_text(n, &account, "xprv9xgqHN7yz9MwCkxsBPN5qetuNdQSUttZNKw1dcYTV4mkaAFiBVGQziHs3NRSWMkCzvgjEe3n9xV8oYywvM8at9yRqyaZVz6TYY"
				"hX98VjsUk");
	check_bip86_key(secp, &account, (uint32_t[]){ 0, 0 },
			"xprvA449goEeU9okwCzzZaxiy475EQGQzBkc65su82nXEvcwzfSskb2hAt2WymrjyRL6kpbVTGL3cKtp9herYXSjjQ1j4stsXXiRF7kXkC"
			"acK3T",
			"cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115",
			"a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c",
			"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr");
	check_bip86_key(secp, &account, (uint32_t[]){ 0, 1 },
			"xprvA449goEeU9okyiF1LmKiDaTgeXvmh87DVyRd35VPbsSop8n8uALpbtrUhUXByPFKK7C2yuqrB1FrhiDkEMC4RGmA5KTwsE1aB5jRu9"
			"zHsuQ",
			"83dfe85a3151d2517290da461fe2815591ef69f2b18a2ce63f01697a8b313145",
			"a82f29944d65b86ae6b5e5cc75e294ead6c59391a1edc5e016e3498c67fc7bbb",
			"bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh");
	check_bip86_key(secp, &account, (uint32_t[]){ 1, 0 },
			"xprvA3Ln3Gt3aphvUgzgEDT8vE2cYqb4PjFfpmbiFKphxLg1FjXQpkAk5M1ZKDY15bmCAHA35jTiawbFuwGtbDZogKF1WfjwxML4gK7WfY"
			"W5JRP",
			"399f1b2f4393f29a18c937859c5dd8a77350103157eb880f02e8c08214277cef",
			"882d74e5d0572d5a816cef0041a96b6c1de832f6f9676d9605c44d5e9a97d3dc",
			"bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7");
	secp_free(secp);
}
