#include "tests/test.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "bitcoin/address.h"
#include "bitcoin/base58.h"
#include "bitcoin/bech32.h"
#include "bitcoin/script.h"

static struct arena arena;

static void check_bech32(const char *text, enum bech32_variant variant)
{
	struct bech32 b;
	struct buf again = BUF_EMPTY;
	size_t size = strlen(text);
	bool same = true;

	CHECK(bech32_decode(&arena, &b, bytes_from_string(text), BECH32_SIZE_MAX));
	CHECK(b.variant == variant);
	bech32_encode(&again, b.hrp, b.data, b.count, variant);
	CHECK_EQ(again.size, size);
	for (size_t i = 0; i < size; i++)
		same &= again.data[i] == (uint8_t)tolower((unsigned char)text[i]);
	buf_release(&again);
	CHECK(same);
}

TEST(bip173_and_350_valid_strings)
{
	static const char *const bech32[] = {
		"A12UEL5L", "a12uel5l",
		"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
		"11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
		"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "?1ezyfcl",
	};
	static const char *const bech32m[] = {
		"A1LQFN3A", "a1lqfn3a",
		"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
		"abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
		"11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
		"split1checkupstagehandshakeupstreamerranterredcaperredlc445v", "?1v759aa",
	};

	for (size_t i = 0; i < ARRAY_COUNT(bech32); i++)
		check_bech32(bech32[i], BECH32);
	for (size_t i = 0; i < ARRAY_COUNT(bech32m); i++)
		check_bech32(bech32m[i], BECH32M);
	arena_release(&arena);
}

TEST(bip173_and_350_invalid_strings)
{
	static const char *const bad[] = {
		" 1nwldj5", "\x7f" "1axkwrx", "\x80" "1eym55h",
		"an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
		"pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "de1lg7wt\xff", "A1G7SGD8", "10a06t8", "1qzzfhee",
		" 1xj0phk", "\x7f" "1g6xzxy", "\x80" "1vctc34",
		"an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
		"qyrz8wqd2c9m", "1qyrz8wqd2c9m", "y1b0jsk6g", "lt1igcx5c0", "in1muywd", "mm1crxm3i", "au1s5cgom", "M1VUXWEZ",
		"16plkw9", "1p2gdwpf", "", "1",
	};
	struct bech32 b;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		CHECK(!bech32_decode(&arena, &b, bytes_from_string(bad[i]), BECH32_SIZE_MAX));
	/* The limit is the caller's. */
	CHECK(bech32_decode(&arena, &b, bytes_from_string(bad[3]), 1000));
	/* A NUL is no character of the alphabet. */
	CHECK(!bech32_decode_plain(&arena, &b, BYTES("a1q\0q", 5), 100));
	arena_release(&arena);
}

TEST(plain_bech32_has_no_checksum)
{
	static const uint8_t values[] = { 0, 31, 7 };
	struct buf text = BUF_EMPTY;
	struct bech32 b;
	bool good;

	bech32_encode_plain(&text, "lno", values, 3);
	good = text.size == 7 && memcmp(text.data, "lno1ql8", 7) == 0;
	buf_release(&text);
	CHECK(good);
	CHECK(bech32_decode_plain(&arena, &b, bytes_from_string("LNO1QL8"), 7));
	CHECK_STR(b.hrp, "lno");
	CHECK(b.count == 3 && memcmp(b.data, values, 3) == 0);
	CHECK(!bech32_decode_plain(&arena, &b, bytes_from_string("LNO1QL8"), 6));
	arena_release(&arena);
}

TEST(convert_bits_regroups)
{
	static const uint8_t bytes[] = { 0xff, 0x01 }, groups[] = { 31, 28, 0, 16 }, bad_pad[] = { 31, 28, 0, 17 };
	struct buf b = BUF_EMPTY;

	CHECK(bech32_convert_bits(&b, 5, bytes, 2, 8, true) && b.size == 4 && memcmp(b.data, groups, 4) == 0);
	buf_clear(&b);
	CHECK(bech32_convert_bits(&b, 8, groups, 4, 5, false) && b.size == 2 && memcmp(b.data, bytes, 2) == 0);
	buf_clear(&b);
	CHECK(!bech32_convert_bits(&b, 8, bad_pad, 4, 5, false));
	buf_clear(&b);
	CHECK(!bech32_convert_bits(&b, 8, (const uint8_t[]){ 32 }, 1, 5, true));
	/* Eight groups are five bytes; a ninth is padding of five bits, one too many. */
	CHECK(!bech32_convert_bits(&b, 8, (const uint8_t[9]){ 0 }, 9, 5, false));
	buf_release(&b);
}

struct address_case {
	const char *network, *text, *script;
};

/* BIP 350 "Test vectors for v0-v16 native segregated witness addresses". */
static const struct address_case segwit_cases[] = {
	{ "bitcoin", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6" },
	{ "testnet", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
	  "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262" },
	{ "bitcoin", "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
	  "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6" },
	{ "bitcoin", "BC1SW50QGDZ25J", "6002751e" },
	{ "bitcoin", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323" },
	{ "testnet", "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
	  "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433" },
	{ "testnet", "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
	  "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433" },
	{ "bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
	  "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" },
};

static void check_address(const struct network *n, const char *text, const char *script_hex)
{
	struct bytes script;
	const char *why = NULL;
	char again[ADDRESS_SIZE];

	CHECK(address_decode(&arena, &script, &why, n, bytes_from_string(text)));
	CHECK_HEX(script, script_hex);
	CHECK(address_encode(again, n, script));
	if (strcasecmp(again, text) != 0)
		CHECK_STR(again, text);
}

static void check_no_address(const struct network *n, const char *text)
{
	struct bytes script;
	const char *why = NULL;

	CHECK(!address_decode(&arena, &script, &why, n, bytes_from_string(text)));
	CHECK(why && *why);
}

TEST(segwit_addresses)
{
	for (size_t i = 0; i < ARRAY_COUNT(segwit_cases); i++)
		check_address(network_by_name(segwit_cases[i].network), segwit_cases[i].text, segwit_cases[i].script);
	arena_release(&arena);
}

TEST(bad_segwit_addresses)
{
	static const char *const bad[] = {
		/* BIP 350 */
		"tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
		"tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
		"BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
		"tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
		"bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
		"BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "bc1pw5dgrnzv",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
		"BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
		"tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", "bc1gmk9yu",
		/* BIP 173: also those that were valid before BIP 350 */
		"tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
		"BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2", "bc1rw5uspcuh",
		"bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
		"tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7", "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
		"tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
		"bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx", "BC1SW50QA3JX3S",
		"bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj",
	};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		for (size_t j = 0; j < NETWORK_COUNT; j++)
			check_no_address(&networks[j], bad[i]);
	arena_release(&arena);
}

/* Coins sent to another network's address would be lost. */
TEST(addresses_of_other_networks_are_refused)
{
	const struct network *main_net = network_by_name("bitcoin"), *regtest = network_by_name("regtest");
	struct bytes script;
	const char *why = NULL;

	CHECK(!address_decode(&arena, &script, &why, regtest, bytes_from_string(segwit_cases[0].text)));
	CHECK_STR(why, "the address is of another network");
	CHECK(!address_decode(&arena, &script, &why, main_net, bytes_from_string(segwit_cases[1].text)));
	CHECK_STR(why, "the address is of another network");
	CHECK(!address_decode(&arena, &script, &why, regtest, bytes_from_string("1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo")));
	CHECK_STR(why, "the address is of another network");
	CHECK(!address_decode(&arena, &script, &why, main_net, bytes_from_string("1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mp")));
	CHECK_STR(why, "not an address, or one with a typing error");
	/* One wrong letter, or nothing but the beginning, of a segwit address of any network. */
	CHECK(!address_decode(&arena, &script, &why, regtest, bytes_from_string("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")));
	CHECK_STR(why, "the checksum or a character of the address is wrong");
	CHECK(!address_decode(&arena, &script, &why, regtest, bytes_from_string("BCRT1")));
	CHECK_STR(why, "the checksum or a character of the address is wrong");
	CHECK(!address_decode(&arena, &script, &why, regtest, bytes_from_string("bcrt")));
	CHECK_STR(why, "not an address, or one with a typing error");
	CHECK(!address_decode(&arena, &script, &why, regtest, bytes_from_string("bcrt0")));
	CHECK_STR(why, "not an address, or one with a typing error");
	arena_release(&arena);
}

/* The numbers 0 and n are no private keys, whatever their checksum says. */
TEST(keys_out_of_range_are_refused)
{
	static const char *const bad[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
	};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct buf text = BUF_EMPTY;
		struct secret32 k;
		bool compressed, good;

		memcpy(k.v, test_unhex(bad[i]).data, 32);
		wif_encode(&text, &networks[0], &k, true);
		good = wif_decode(&k, &compressed, &networks[0], buf_view(&text));
		buf_release(&text);
		CHECK(!good);
	}
}

TEST(scripts_without_an_address)
{
	char out[ADDRESS_SIZE];

	CHECK(!address_encode(out, &networks[0], test_unhex("6a0568656c6c6f")));
	CHECK_STR(out, "");
	CHECK(!address_encode(out, &networks[0], BYTES_NONE));
	/* Version 0 with a program of 21 bytes: unspendable. */
	CHECK(!address_encode(out, &networks[0], test_unhex("0015751e76e8199196d454941c45d1b3a323f1433bd6ff")));
}

TEST(base58_edges)
{
	struct buf b = BUF_EMPTY;
	char *big = test_alloc(BASE58_TEXT_MAX + 1);

	CHECK(base58_decode(&b, bytes_from_string("")) && b.size == 0);
	CHECK(base58_decode(&b, bytes_from_string("1111")) && b.size == 4);
	buf_clear(&b);
	CHECK(!base58_decode(&b, bytes_from_string("0")) && !base58_decode(&b, bytes_from_string("O")) &&
	      !base58_decode(&b, bytes_from_string("I")) && !base58_decode(&b, bytes_from_string("l")) &&
	      !base58_decode(&b, BYTES("1\0", 2)) && b.size == 0);
	CHECK(!base58check_decode(&b, bytes_from_string("111")));
	memset(big, 'z', BASE58_TEXT_MAX + 1);
	CHECK(!base58_decode(&b, BYTES(big, BASE58_TEXT_MAX + 1)) && b.size == 0);
	base58_encode(&b, test_unhex("00000000000000000000"));
	CHECK(b.size == 10 && memcmp(b.data, "1111111111", 10) == 0);
	buf_clear(&b);
	base58_encode(&b, test_unhex("61"));
	CHECK(b.size == 2 && memcmp(b.data, "2g", 2) == 0);
	buf_release(&b);
}

static json_t *core_array(const char *name)
{
	struct bytes text = test_shared_file(name);
	json_t *all = json_loadb((const char *)text.data, text.size, 0, NULL);

	CHECK(all);
	return all;
}

TEST(core_base58_vectors)
{
	json_t *all = core_array("vectors/bitcoin/base58_encode_decode.json"), *v;
	struct buf b = BUF_EMPTY;
	size_t i, count = json_array_size(all);

	json_array_foreach(all, i, v) {
		struct bytes raw = test_unhex(json_string_value(json_array_get(v, 0)));
		const char *text = json_string_value(json_array_get(v, 1));

		buf_clear(&b);
		base58_encode(&b, raw);
		CHECK(bytes_equal(buf_view(&b), bytes_from_string(text)));
		buf_clear(&b);
		CHECK(base58_decode(&b, bytes_from_string(text)) && bytes_equal(buf_view(&b), raw));
	}
	buf_release(&b);
	json_decref(all);
	CHECK_EQ(count, 21);
}

static const struct network *network_of_core_name(const char *name)
{
	for (size_t i = 0; i < NETWORK_COUNT; i++)
		if (strcmp(networks[i].core_name, name) == 0)
			return &networks[i];
	test_failed(__FILE__, __LINE__, "no network %s", name);
}

static void check_wif(const struct network *n, const char *text, const char *hex, bool compressed)
{
	struct buf again = BUF_EMPTY;
	struct secret32 k;
	bool got, same;

	CHECK(wif_decode(&k, &got, n, bytes_from_string(text)));
	CHECK_HEX(BYTES_OF(k.v), hex);
	CHECK(got == compressed);
	wif_encode(&again, n, &k, compressed);
	same = bytes_equal(buf_view(&again), bytes_from_string(text));
	buf_release(&again);
	CHECK(same);
	check_no_address(n, text);
}

static char *flipped(const char *text)
{
	char *f = test_alloc(strlen(text) + 1);

	for (size_t i = 0; text[i]; i++)
		f[i] = (char)(islower((unsigned char)text[i]) ? toupper((unsigned char)text[i]) : tolower((unsigned char)text[i]));
	return f;
}

TEST(core_key_io_valid)
{
	json_t *all = core_array("vectors/bitcoin/key_io_valid.json"), *v;
	size_t i, keys = 0, addresses = 0;
	struct secret32 k;
	bool compressed;

	json_array_foreach(all, i, v) {
		const char *text = json_string_value(json_array_get(v, 0)), *hex = json_string_value(json_array_get(v, 1));
		const json_t *about = json_array_get(v, 2);
		const struct network *n = network_of_core_name(json_string_value(json_object_get(about, "chain")));

		if (json_is_true(json_object_get(about, "isPrivkey"))) {
			check_wif(n, text, hex, json_is_true(json_object_get(about, "isCompressed")));
			keys++;
			continue;
		}
		check_address(n, text, hex);
		if (json_is_true(json_object_get(about, "tryCaseFlip")))
			check_address(n, flipped(text), hex);
		CHECK(!wif_decode(&k, &compressed, n, bytes_from_string(text)));
		addresses++;
	}
	json_decref(all);
	arena_release(&arena);
	CHECK(keys + addresses == 70 && keys >= 8);
}

TEST(core_key_io_invalid)
{
	json_t *all = core_array("vectors/bitcoin/key_io_invalid.json"), *v;
	size_t i, count = json_array_size(all);
	struct secret32 k;
	bool compressed;

	json_array_foreach(all, i, v)
		for (size_t j = 0; j < NETWORK_COUNT; j++) {
			const char *text = json_string_value(json_array_get(v, 0));

			check_no_address(&networks[j], text);
			CHECK(!wif_decode(&k, &compressed, &networks[j], bytes_from_string(text)));
		}
	json_decref(all);
	arena_release(&arena);
	CHECK_EQ(count, 70);
}

TEST(networks_are_found)
{
	CHECK(!network_by_name("mainnet"));
	CHECK(!network_by_genesis(&(struct block_hash){ { 0 } }));
	for (size_t i = 0; i < NETWORK_COUNT; i++) {
		CHECK(network_by_name(networks[i].name) == &networks[i]);
		CHECK(network_by_genesis(&networks[i].genesis) == &networks[i]);
	}
	/* BOLT 0's chain_hash of Bitcoin. */
	CHECK_HEX(BYTES_OF(network_by_name("bitcoin")->genesis.v), "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000");
	/* BOLT 1's default ports. */
	CHECK_EQ(network_by_name("bitcoin")->lightning_port, 9735);
	CHECK_EQ(network_by_name("testnet")->lightning_port, 19735);
	CHECK_EQ(network_by_name("signet")->lightning_port, 39735);
}
