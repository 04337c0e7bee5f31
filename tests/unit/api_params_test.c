#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "api/rpc/params.h"

#define KEY "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define NO_POINT "020000000000000000000000000000000000000000000000000000000000000005"
#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HASH_REVERSED "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

/* The one form of what a JSON text of that type means; NULL if it is refused. */
static const char *reading(enum lampo_type type, const char *json)
{
	static char text[600];
	char why[RPC_WHY_SIZE];
	json_t *value = json_parse(bytes_from_string(json), why), *written;
	struct buf out = BUF_EMPTY;
	struct arena arena;
	struct value v;

	CHECK(value);
	arena_init(&arena);
	if (value_read(&v, type, value, &arena, why)) {
		written = value_write(&v, type);
		json_write(&out, written);
		snprintf(text, sizeof(text), "%.*s", (int)out.size, (const char *)out.data);
		json_decref(written);
	} else {
		CHECK(strstr(why, "should be ") && strstr(why, "; got "));
		snprintf(text, sizeof(text), "refused");
	}
	arena_release(&arena);
	buf_release(&out);
	json_decref(value);
	return text;
}

TEST(amounts_in_millisatoshi)
{
	CHECK_STR(reading(LAMPO_MSAT, "0"), "0");
	CHECK_STR(reading(LAMPO_MSAT, "123"), "123");
	CHECK_STR(reading(LAMPO_MSAT, "\"123\""), "123");
	CHECK_STR(reading(LAMPO_MSAT, "\"123msat\""), "123");
	CHECK_STR(reading(LAMPO_MSAT, "\"1sat\""), "1000");
	CHECK_STR(reading(LAMPO_MSAT, "\"1.005sat\""), "1005");
	CHECK_STR(reading(LAMPO_MSAT, "\"0.1btc\""), "10000000000");
	CHECK_STR(reading(LAMPO_MSAT, "\"0.00000000001btc\""), "1");
	CHECK_STR(reading(LAMPO_MSAT, "\"21000000btc\""), "2100000000000000000");
	CHECK_STR(reading(LAMPO_MSAT, "1e3"), "1000");
	CHECK_STR(reading(LAMPO_MSAT, "\"21000000.00000000001btc\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "2100000000000000001"), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"0.000000000001btc\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"1.0005sat\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"1.5msat\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "1.5"), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "-1"), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"-1sat\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"sat\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\".btc\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"1.btc\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"1..1btc\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"1 sat\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"any\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "true"), "refused");
	CHECK_STR(reading(LAMPO_MSAT, "\"18446744073709551617msat\""), "refused");
	CHECK_STR(reading(LAMPO_MSAT_OR_ANY, "\"any\""), "\"any\"");
	CHECK_STR(reading(LAMPO_MSAT_OR_ANY, "7"), "7");
}

TEST(amounts_in_satoshi)
{
	CHECK_STR(reading(LAMPO_SAT, "5"), "5");
	CHECK_STR(reading(LAMPO_SAT, "\"5\""), "5");
	CHECK_STR(reading(LAMPO_SAT, "\"5sat\""), "5");
	CHECK_STR(reading(LAMPO_SAT, "\"5000msat\""), "5");
	CHECK_STR(reading(LAMPO_SAT, "\"5001msat\""), "refused");
	CHECK_STR(reading(LAMPO_SAT, "2100000000000000"), "2100000000000000");
	CHECK_STR(reading(LAMPO_SAT, "2100000000000001"), "refused");
	CHECK_STR(reading(LAMPO_SAT, "\"all\""), "refused");
	CHECK_STR(reading(LAMPO_SAT_OR_ALL, "\"all\""), "\"all\"");
}

TEST(fee_rates)
{
	CHECK_STR(reading(LAMPO_FEERATE, "\"slow\""), "\"slow\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"opening\""), "\"normal\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"unilateral_close\""), "\"urgent\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"2blocks\""), "\"urgent\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"6blocks\""), "\"normal\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"144blocks\""), "\"slow\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"253perkw\""), "\"253perkw\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"4000perkb\""), "\"1000perkw\"");
	CHECK_STR(reading(LAMPO_FEERATE, "4000"), "\"1000perkw\"");
	/* 1 sat/vB is what people mean by the floor. */
	CHECK_STR(reading(LAMPO_FEERATE, "\"1000perkb\""), "\"253perkw\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"999perkb\""), "\"253perkw\"");
	CHECK_STR(reading(LAMPO_FEERATE, "\"996perkb\""), "refused");
	CHECK_STR(reading(LAMPO_FEERATE, "\"0perkw\""), "refused");
	CHECK_STR(reading(LAMPO_FEERATE, "\"fast\""), "refused");
	CHECK_STR(reading(LAMPO_FEERATE, "\"perkw\""), "refused");
}

TEST(numbers)
{
	CHECK_STR(reading(LAMPO_U16, "65535"), "65535");
	CHECK_STR(reading(LAMPO_U16, "65536"), "refused");
	CHECK_STR(reading(LAMPO_U32, "\"4294967295\""), "4294967295");
	CHECK_STR(reading(LAMPO_U32, "4294967296"), "refused");
	CHECK_STR(reading(LAMPO_U32, "-1"), "refused");
	CHECK_STR(reading(LAMPO_U32, "\"0x10\""), "refused");
	CHECK_STR(reading(LAMPO_U64, "9223372036854775807"), "9223372036854775807");
	CHECK_STR(reading(LAMPO_U64, "\"9223372036854775808\""), "refused");
	CHECK_STR(reading(LAMPO_INTEGER, "-5"), "-5");
	CHECK_STR(reading(LAMPO_PERCENT, "0.5"), "0.5");
	CHECK_STR(reading(LAMPO_PERCENT, "\"0.5\""), "0.5");
	CHECK_STR(reading(LAMPO_PERCENT, "\"0.12345678\""), "0.1234");
	CHECK_STR(reading(LAMPO_PERCENT, "100"), "100.0");
	CHECK_STR(reading(LAMPO_PERCENT, "100.1"), "refused");
	CHECK_STR(reading(LAMPO_PERCENT, "-0.1"), "refused");
	CHECK_STR(reading(LAMPO_BOOL, "true"), "true");
	CHECK_STR(reading(LAMPO_BOOL, "\"false\""), "false");
	CHECK_STR(reading(LAMPO_BOOL, "1"), "refused");
}

TEST(keys_hashes_and_places)
{
	CHECK_STR(reading(LAMPO_PUBKEY, "\"" KEY "\""), "\"" KEY "\"");
	CHECK_STR(reading(LAMPO_PUBKEY, "\"" NO_POINT "\""), "refused");
	CHECK_STR(reading(LAMPO_PUBKEY, "\"" HASH "\""), "refused");
	CHECK_STR(reading(LAMPO_HASH, "\"" HASH "\""), "\"" HASH "\"");
	CHECK_STR(reading(LAMPO_HASH, "\"" HASH "00\""), "refused");
	CHECK_STR(reading(LAMPO_TXID, "\"" HASH "\""), "\"" HASH "\"");
	CHECK_STR(reading(LAMPO_OUTPOINT, "\"" HASH ":7\""), "\"" HASH ":7\"");
	CHECK_STR(reading(LAMPO_OUTPOINT, "\"" HASH "\""), "refused");
	CHECK_STR(reading(LAMPO_OUTPOINT, "\"" HASH ":-1\""), "refused");
	CHECK_STR(reading(LAMPO_HEX, "\"00FF\""), "\"00ff\"");
	CHECK_STR(reading(LAMPO_HEX, "\"\""), "\"\"");
	CHECK_STR(reading(LAMPO_HEX, "\"0\""), "refused");
	CHECK_STR(reading(LAMPO_HEX, "\"zz\""), "refused");
	CHECK_STR(reading(LAMPO_SCID, "\"103x1x0\""), "\"103x1x0\"");
	CHECK_STR(reading(LAMPO_SCID, "\"16777216x1x0\""), "refused");
	CHECK_STR(reading(LAMPO_SCID, "\"1x2\""), "refused");
	CHECK_STR(reading(LAMPO_SCID, "113249697726464"), "\"103x1x0\"");
	CHECK_STR(reading(LAMPO_SCID_DIR, "\"103x1x0/1\""), "\"103x1x0/1\"");
	CHECK_STR(reading(LAMPO_SCID_DIR, "\"103x1x0\""), "refused");
	CHECK_STR(reading(LAMPO_SCID_DIR, "\"103x1x0/2\""), "refused");
	CHECK_STR(reading(LAMPO_SCID_DIR, "\"103x1x/0\""), "refused");
	CHECK_STR(reading(LAMPO_SCID_DIR, "\"/0\""), "refused");
	CHECK_STR(reading(LAMPO_CHANNEL, "\"103x1x0\""), "\"103x1x0\"");
	CHECK_STR(reading(LAMPO_CHANNEL, "\"" HASH "\""), "\"" HASH "\"");
	CHECK_STR(reading(LAMPO_CHANNEL, "\"" KEY "\""), "\"" KEY "\"");
	CHECK_STR(reading(LAMPO_CHANNEL, "\"me\""), "refused");
	CHECK_STR(reading(LAMPO_CHANNEL, "\"all\""), "refused");
	CHECK_STR(reading(LAMPO_CHANNEL_OR_ALL, "\"103x1x0\""), "\"103x1x0\"");
	CHECK_STR(reading(LAMPO_CHANNEL_OR_ALL, "\"all\""), "\"all\"");
	CHECK_STR(reading(LAMPO_CHANNEL_OR_ALL, "\"any\""), "refused");
}

TEST(a_txid_is_read_in_the_order_that_explorers_show)
{
	char why[RPC_WHY_SIZE];
	json_t *text = json_string(HASH);
	struct arena arena;
	struct value v;

	arena_init(&arena);
	CHECK(value_read(&v, LAMPO_TXID, text, &arena, why));
	CHECK_HEX(BYTES_OF(v.u.txid.v), HASH_REVERSED);
	arena_release(&arena);
	json_decref(text);
}

TEST(peers_with_and_without_an_address)
{
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "\""), "\"" KEY "\"");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@127.0.0.1\""), "\"" KEY "@127.0.0.1\"");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@node.example:9735\""), "\"" KEY "@node.example:9735\"");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@[::1]:9735\""), "\"" KEY "@[::1]:9735\"");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@::1\""), "\"" KEY "@::1\"");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@\""), "refused");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@host:0\""), "refused");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@host:65536\""), "refused");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@a b\""), "refused");
	CHECK_STR(reading(LAMPO_PEER, "\"" KEY "@[::1\""), "refused");
	CHECK_STR(reading(LAMPO_PEER, "\"" NO_POINT "@host\""), "refused");
}

TEST(strings_and_labels)
{
	CHECK_STR(reading(LAMPO_STRING, "\"x\""), "\"x\"");
	CHECK_STR(reading(LAMPO_STRING, "5"), "\"5\"");
	CHECK_STR(reading(LAMPO_STRING, "true"), "\"true\"");
	CHECK_STR(reading(LAMPO_STRING, "[]"), "refused");
	CHECK_STR(reading(LAMPO_STRING, "1.5"), "refused");
	CHECK_STR(reading(LAMPO_LABEL, "5"), "\"5\"");
	CHECK_STR(reading(LAMPO_LABEL, "true"), "refused");
	CHECK_STR(reading(LAMPO_ARRAY, "[1]"), "[1]");
	CHECK_STR(reading(LAMPO_ARRAY, "\"[1]\""), "refused");
	CHECK_STR(reading(LAMPO_OBJECT, "{}"), "{}");
	CHECK_STR(reading(LAMPO_OBJECT, "[]"), "refused");
}

static const struct lampo_param pay_params[] = {
	{ .name = "bolt11", .aliases = "invoice_str invstring", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .doc = "The invoice." },
	{ .name = "amount_msat", .aliases = "amount", .type = LAMPO_MSAT, .doc = "How much." },
	{ .name = "exclude", .type = LAMPO_ARRAY, .flags = LAMPO_UNSUPPORTED, .doc = "Never." },
	{ .name = "timeout", .type = LAMPO_STRING, .choices = "fast medium", .fallback = "medium", .doc = "How long." },
	{ .name = "coins", .type = LAMPO_ARRAY, .element = LAMPO_OUTPOINT, .doc = "Which." },
};
static const struct lampo_method pay = {
	.name = "pay", .summary = "Pay", .params = pay_params, .param_count = ARRAY_COUNT(pay_params),
};

static const char *reading_params(const char *json)
{
	static char text[1000];
	char why[RPC_WHY_SIZE];
	json_t *value = json ? json_parse(bytes_from_string(json), why) : NULL, *written;
	struct buf out = BUF_EMPTY;
	struct params p;

	if (params_read(&p, &pay, value, why)) {
		written = params_write(&p);
		json_write(&out, written);
		snprintf(text, sizeof(text), "%.*s", (int)out.size, (const char *)out.data);
		json_decref(written);
	} else {
		snprintf(text, sizeof(text), "%s", why);
	}
	params_release(&p);
	buf_release(&out);
	json_decref(value);
	return text;
}

TEST(parameters_by_place_by_name_and_by_alias)
{
	CHECK_STR(reading_params("[\"ln\"]"), "{\"bolt11\":\"ln\",\"timeout\":\"medium\"}");
	CHECK_STR(reading_params("[\"ln\",5,null,\"fast\"]"), "{\"bolt11\":\"ln\",\"amount_msat\":5,\"timeout\":\"fast\"}");
	CHECK_STR(reading_params("{\"amount\":\"1sat\",\"invstring\":\"ln\"}"),
		  "{\"bolt11\":\"ln\",\"amount_msat\":1000,\"timeout\":\"medium\"}");
	CHECK_STR(reading_params("{\"bolt11\":\"ln\",\"amount_msat\":null,\"exclude\":null}"),
		  "{\"bolt11\":\"ln\",\"timeout\":\"medium\"}");
	CHECK_STR(reading_params("{\"bolt11\":\"ln\",\"coins\":[\"" HASH ":1\"]}"),
		  "{\"bolt11\":\"ln\",\"timeout\":\"medium\",\"coins\":[\"" HASH ":1\"]}");
}

TEST(faults_in_parameters_name_the_parameter)
{
	CHECK_STR(reading_params(NULL), "parameter 'bolt11' is missing: The invoice.");
	CHECK_STR(reading_params("[null]"), "parameter 'bolt11' is missing: The invoice.");
	CHECK_STR(reading_params("[1,2,3,4,5,6]"), "pay takes at most 5 parameters, not 6");
	CHECK_STR(reading_params("{\"bolt11\":\"ln\",\"amt\":1}"),
		  "pay has no parameter 'amt'; it takes bolt11, amount_msat, timeout, coins");
	CHECK_STR(reading_params("{\"bolt11\":\"ln\",\"invstring\":\"ln\"}"),
		  "parameter 'bolt11' is given twice, once under another name");
	CHECK_STR(reading_params("{\"bolt11\":\"ln\",\"exclude\":[]}"), "parameter 'exclude' is not supported here: leave it out");
	CHECK_STR(reading_params("{\"bolt11\":\"ln\",\"timeout\":\"now\"}"), "parameter 'timeout' should be one of: fast medium");
	CHECK_STR(reading_params("{\"bolt11\":\"ln\",\"amount_msat\":{\"a\":1}}"),
		  "parameter 'amount_msat' should be an amount: a whole number of millisatoshi, or text such as \"10sat\"; "
		  "got {\"a\":1}");
	CHECK(strstr(reading_params("{\"bolt11\":\"ln\",\"coins\":[\"" HASH ":1\",\"x\"]}"), "parameter 'coins', element 2 should be"));
}
