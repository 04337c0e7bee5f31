#include "tests/test.h"

#include <string.h>

#include "bitcoin/address.h"
#include "bitcoin/base64.h"
#include "bitcoin/psbt.h"
#include "bitcoin/psbt_sign.h"
#include "bitcoin/taproot.h"
#include "crypto/hash.h"
#include "tests/unit/psbt_vectors.h"

static struct arena arena;

static struct bytes encoded(const struct psbt *p)
{
	struct buf b = BUF_EMPTY;
	struct bytes copy;

	psbt_encode(p, &b);
	copy = arena_bytes(&arena, buf_view(&b));
	buf_release(&b);
	return copy;
}

static struct psbt *parsed(const char *base64)
{
	struct psbt *p = psbt_decode_base64(&arena, bytes_from_string(base64));

	CHECK(p);
	return p;
}

/* Two PSBTs of the same fields, in whatever order they came. */
static void check_same(const struct psbt *p, const char *base64)
{
	CHECK(bytes_equal(encoded(p), encoded(parsed(base64))));
}

/* Reads; what is written reads back to the same; no byte may be missing. */
static void check_valid(const char *base64)
{
	struct psbt *p = parsed(base64), *again;
	struct bytes raw = encoded(p);
	struct buf original = BUF_EMPTY, text = BUF_EMPTY;
	bool same_size, in_base64;

	again = psbt_decode(&arena, raw);
	CHECK(again && bytes_equal(encoded(again), raw));
	same_size = base64_decode(&original, bytes_from_string(base64)) && original.size == raw.size;
	buf_release(&original);
	psbt_encode_base64(p, &text);
	in_base64 = psbt_decode_base64(&arena, buf_view(&text)) != NULL;
	buf_release(&text);
	CHECK(same_size && in_base64);
	for (size_t size = 0; size < raw.size; size += 1 + raw.size / 50)
		CHECK(!psbt_decode(&arena, BYTES(raw.data, size)));
}

static void check_invalid(const char *base64)
{
	CHECK(!psbt_decode_base64(&arena, bytes_from_string(base64)));
}

TEST(valid_psbts)
{
	for (size_t i = 0; i < ARRAY_COUNT(bip174_valid); i++)
		check_valid(bip174_valid[i]);
	for (size_t i = 0; i < ARRAY_COUNT(bip371_valid); i++)
		check_valid(bip371_valid[i]);
	for (size_t i = 0; i < ARRAY_COUNT(bip370_valid); i++)
		check_valid(bip370_valid[i]);
	arena_release(&arena);
}

TEST(invalid_psbts)
{
	for (size_t i = 0; i < ARRAY_COUNT(bip174_invalid); i++)
		check_invalid(bip174_invalid[i]);
	for (size_t i = 0; i < ARRAY_COUNT(bip371_invalid); i++)
		check_invalid(bip371_invalid[i]);
	for (size_t i = 0; i < ARRAY_COUNT(bip370_invalid); i++)
		check_invalid(bip370_invalid[i]);
	arena_release(&arena);
}

/* Every PSBT of a BIP's vectors, valid or not by the heading it stands under. */
static void check_whole_bip(const char *path, int valid_least, int invalid_least)
{
	static const char open[] = "Base64 String: <pre>";
	const char *text = (const char *)test_shared_file(path).data;
	const char *at = strstr(text, "==Test Vectors=="), *valid_from, *end;
	int valid = 0, invalid = 0;

	CHECK(at);
	valid_from = strstr(at, "The following are valid PSBTs");
	end = strstr(at, "Fails Signer checks");
	CHECK(valid_from);
	while ((at = strstr(at, open)) && (!end || at < end)) {
		size_t size = strcspn(at += sizeof(open) - 1, "<");
		char *base64 = test_alloc(size + 1);

		memcpy(base64, at, size);
		if (at < valid_from) {
			check_invalid(base64);
			invalid++;
		} else {
			check_valid(base64);
			valid++;
		}
	}
	arena_release(&arena);
	CHECK(valid >= valid_least && invalid >= invalid_least);
}

TEST(all_vectors_of_bip174)
{
	check_whole_bip("specs/bips/bip-0174.mediawiki", 10, 20);
}

TEST(all_vectors_of_bip370)
{
	check_whole_bip("specs/bips/bip-0370.mediawiki", 14 + 10, 24);
}

TEST(all_vectors_of_bip371)
{
	check_whole_bip("specs/bips/bip-0371.mediawiki", 6, 11);
}

static void check_locktime(const char *base64, uint32_t want)
{
	struct tx *t = psbt_tx(&arena, parsed(base64));

	CHECK(t);
	CHECK_EQ(t->locktime, want);
}

/* BIP 370 "Determining Lock Time". */
TEST(locktimes)
{
	for (size_t i = 0; i < ARRAY_COUNT(bip370_locktime_0); i++)
		check_locktime(bip370_locktime_0[i], 0);
	for (size_t i = 0; i < ARRAY_COUNT(bip370_locktime_10000); i++)
		check_locktime(bip370_locktime_10000[i], 10000);
	for (size_t i = 0; i < ARRAY_COUNT(bip370_locktime_1657048460); i++)
		check_locktime(bip370_locktime_1657048460[i], 1657048460);
	for (size_t i = 0; i < ARRAY_COUNT(bip370_locktime_none); i++) {
		struct psbt *p = parsed(bip370_locktime_none[i]);
		struct txid id;

		CHECK(!psbt_tx(&arena, p));
		CHECK(!psbt_id(p, &id) && !psbt_convert(&arena, p, 0) && !psbt_extract(&arena, p));
	}
	arena_release(&arena);
}

enum { CREATED, UPDATED, WITH_HASH_TYPE, SIGNED_1, SIGNED_2, COMBINED, FINALIZED, UNKNOWN_1, UNKNOWN_2, UNKNOWN_COMBINED };

TEST(creator_of_bip174)
{
	struct tx *t = tx_new(&arena, 2, 2, 2, 0);

	CHECK(txid_from_hex(&t->inputs[0].prev.txid, "75ddabb27b8845f5247975c8a5ba7c6f336c4570708ebe230caf6db5217ae858"));
	CHECK(txid_from_hex(&t->inputs[1].prev.txid, "1dea7cd05979072a3578cab271c02244ea8a090bbb46aa680a65ecd027048d83"));
	t->inputs[1].prev.index = 1;
	t->inputs[0].sequence = t->inputs[1].sequence = 0xffffffff;
	t->outputs[0] = (struct tx_output){ SAT(149990000), test_unhex("0014d85c2b71d0060b09c9886aeb815e50991dda124d") };
	t->outputs[1] = (struct tx_output){ SAT(100000000), test_unhex("001400aea9a2e5f0f876a588df5546e8742d1d87008f") };
	check_same(psbt_from_tx(&arena, t, 0), bip174_roles[CREATED]);
	arena_release(&arena);
}

/* A key of m/0'/0'/index' of the BIP's master. */
static struct pubkey key_of_hex(const char *hex)
{
	struct pubkey p;

	memcpy(p.v, test_unhex(hex).data, sizeof(p.v));
	return p;
}

static void add_key(struct psbt *p, struct psbt_map *m, uint64_t type, const char *hex, uint32_t index,
		    const uint8_t master4[4])
{
	uint32_t path[3] = { BIP32_HARDENED, BIP32_HARDENED, BIP32_HARDENED | index };
	struct pubkey key = key_of_hex(hex);

	psbt_set_derivation(p, m, type, &key, master4, path, 3);
}

TEST(updater_of_bip174)
{
	static const uint8_t blinding[32] = { 1 };
	struct secp *secp = secp_new(blinding);
	struct psbt *p = parsed(bip174_roles[CREATED]);
	struct tx *segwit_prev = tx_parse(&arena, test_unhex(bip174_previous[0]));
	struct tx *legacy_prev = tx_parse(&arena, test_unhex(bip174_previous[1]));
	struct bip32_key master;
	uint8_t master4[4], all[4] = { 1 };

	CHECK(segwit_prev && legacy_prev);
	CHECK(bip32_decode(secp, &master, network_by_name("testnet"),
			   bytes_from_string("tprv8ZgxMBicQKsPd9TeAdPADNnSyH9SSUUbTVeFszDE23Ki6TBB5nCefAdHkK8Fm3qMQR6sHwA56zqRmKmxnHk3"
					     "7JkiFzvncDqoKmPWubu7hDF")));
	bip32_fingerprint(master4, &master);
	secp_free(secp);
	psbt_set_non_witness_utxo(p, 0, legacy_prev);
	psbt_set_witness_utxo(p, 1, &segwit_prev->outputs[1]);
	psbt_set(p, &p->inputs[0], PSBT_IN_REDEEM_SCRIPT, BYTES_NONE,
		 test_unhex("5221029583bf39ae0a609747ad199addd634fa6108559d6c5cd39b4c2183f1ab96e07f2102dab61ff49a14db6a7d02b0cd1fbb78"
			    "fc4b18312b5b4e54dae4dba2fbfef536d752ae"));
	psbt_set(p, &p->inputs[1], PSBT_IN_REDEEM_SCRIPT, BYTES_NONE,
		 test_unhex("00208c2353173743b595dfb4a07b72ba8e42e3797da74e87fe7d9d7497e3b2028903"));
	psbt_set(p, &p->inputs[1], PSBT_IN_WITNESS_SCRIPT, BYTES_NONE,
		 test_unhex("522103089dc10c7ac6db54f91329af617333db388cead0c231f723379d1b99030b02dc21023add904f3d6dcf59ddb906b0dee235"
			    "29b7ffb9ed50e5e86151926860221f0e7352ae"));
	add_key(p, &p->inputs[0], PSBT_IN_BIP32_DERIVATION, "029583bf39ae0a609747ad199addd634fa6108559d6c5cd39b4c2183f1ab96e07f", 0, master4);
	add_key(p, &p->inputs[0], PSBT_IN_BIP32_DERIVATION, "02dab61ff49a14db6a7d02b0cd1fbb78fc4b18312b5b4e54dae4dba2fbfef536d7", 1, master4);
	add_key(p, &p->inputs[1], PSBT_IN_BIP32_DERIVATION, "03089dc10c7ac6db54f91329af617333db388cead0c231f723379d1b99030b02dc", 2, master4);
	add_key(p, &p->inputs[1], PSBT_IN_BIP32_DERIVATION, "023add904f3d6dcf59ddb906b0dee23529b7ffb9ed50e5e86151926860221f0e73", 3, master4);
	add_key(p, &p->outputs[0], PSBT_OUT_BIP32_DERIVATION, "03a9a4c37f5996d3aa25dbac6b570af0650394492942460b354753ed9eeca58771", 4, master4);
	add_key(p, &p->outputs[1], PSBT_OUT_BIP32_DERIVATION, "027f6399757d2eff55a136ad02c684b1838b6556e5f1b6b34282a94b6b50051096", 5, master4);
	check_same(p, bip174_roles[UPDATED]);
	psbt_set(p, &p->inputs[0], PSBT_IN_SIGHASH_TYPE, BYTES_NONE, BYTES_OF(all));
	psbt_set(p, &p->inputs[1], PSBT_IN_SIGHASH_TYPE, BYTES_NONE, BYTES_OF(all));
	check_same(p, bip174_roles[WITH_HASH_TYPE]);
	arena_release(&arena);
}

/* Signs what these keys can sign; how many signatures that made. */
static int sign_with(struct psbt *p, const char *const *wifs, size_t count)
{
	static const uint8_t blinding[32] = { 2 };
	struct secp *secp = secp_new(blinding);
	struct psbt_work w;
	const char *why = NULL;
	int made = 0;

	CHECK(psbt_work_init(&w, p, &why));
	w.plain_nonce = true;
	for (size_t k = 0; k < count; k++) {
		struct secret32 key;
		bool compressed;

		CHECK(wif_decode(&key, &compressed, network_by_name("testnet"), bytes_from_string(wifs[k])));
		for (uint32_t i = 0; i < p->input_count; i++)
			switch (psbt_sign(&w, i, secp, &key, &why)) {
			case PSBT_SIGNED:
				made++;
				break;
			case PSBT_NO_KEY:
				break;
			case PSBT_REFUSED:
				test_failed(__FILE__, __LINE__, "refused: %s", why);
			}
	}
	secp_free(secp);
	return made;
}

/* The two signers, in sequence and combined, up to the transaction on the network. */
TEST(signers_combiner_finalizer_and_extractor_of_bip174)
{
	static const char *const first[] = { "cP53pDbR5WtAD8dYAW9hhTjuvvTVaEiQBdrz9XPrgLBeRFiyCbQr",
					     "cR6SXDoyfQrcp4piaiHE97Rsgta9mNhGTen9XeonVgwsh4iSgw6d" };
	static const char *const second[] = { "cT7J9YpCwY3AVRFSjN6ukeEeWY6mhpbJPxRaDaP5QTdygQRxP9Au",
					      "cNBc3SWUip9PPm1GjRoLEJT6T41iNzCYtD7qro84FMnM5zEqeJsE" };
	struct psbt *a = parsed(bip174_roles[WITH_HASH_TYPE]), *b = parsed(bip174_roles[WITH_HASH_TYPE]);
	struct psbt_work w;
	struct buf raw = BUF_EMPTY;
	struct bytes copy;
	struct tx *t;
	const char *why;

	CHECK_EQ(sign_with(a, first, 2), 2);
	check_same(a, bip174_roles[SIGNED_1]);
	CHECK_EQ(sign_with(b, second, 2), 2);
	check_same(b, bip174_roles[SIGNED_2]);
	CHECK(!psbt_extract(&arena, a));
	CHECK(psbt_combine(a, b));
	check_same(a, bip174_roles[COMBINED]);
	CHECK(psbt_work_init(&w, a, &why) && psbt_finalize(&w, &why));
	check_same(a, bip174_roles[FINALIZED]);
	t = psbt_extract(&arena, a);
	CHECK(t);
	tx_encode(t, &raw);
	copy = arena_bytes(&arena, buf_view(&raw));
	buf_release(&raw);
	CHECK_HEX(copy, bip174_extracted[0]);
	arena_release(&arena);
}

TEST(unknown_fields_are_combined_in_order)
{
	struct psbt *p = parsed(bip174_roles[UNKNOWN_1]);
	struct buf text = BUF_EMPTY;
	bool same;

	CHECK(psbt_combine(p, parsed(bip174_roles[UNKNOWN_2])));
	psbt_encode_base64(p, &text);
	same = bytes_equal(buf_view(&text), bytes_from_string(bip174_roles[UNKNOWN_COMBINED]));
	buf_release(&text);
	CHECK(same);
	/* Another transaction's. */
	CHECK(!psbt_combine(p, parsed(bip174_roles[CREATED])));
	CHECK(!psbt_combine(p, parsed(bip370_valid[0])));
	arena_release(&arena);
}

TEST(signers_refuse_what_contradicts_itself)
{
	static const uint8_t blinding[32] = { 2 };
	static const char *const wrong[] = {
		"only an output is given for an input that is not segwit",
		"the redeem script is not the output's",
		"the redeem script is not the output's",
		"the witness script is not the output's",
	};
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 1 } };

	for (size_t i = 0; i < ARRAY_COUNT(bip174_unsignable); i++) {
		struct psbt *p = parsed(bip174_unsignable[i]);
		struct psbt_work w;
		const char *why = NULL, *first = NULL;
		int refused = 0;

		CHECK(psbt_work_init(&w, p, &why));
		for (uint32_t j = 0; j < p->input_count; j++)
			if (psbt_sign(&w, j, secp, &key, &why) == PSBT_REFUSED) {
				first = first ? first : why;
				refused++;
			}
		CHECK(refused > 0);
		CHECK_STR(first, wrong[i]);
	}
	secp_free(secp);
	arena_release(&arena);
}

/* A transaction of two segwit inputs of our own: P2WPKH and P2TR. */
static struct psbt *own_psbt(const struct secp *secp, const struct secret32 *key, uint32_t version)
{
	struct tx *t = tx_new(&arena, 2, 2, 1, 100);
	struct tx_output wpkh = { SAT(50000), BYTES_NONE }, tr = { SAT(60000), BYTES_NONE };
	struct psbt *p;
	struct pubkey point;
	struct xonly internal, output;
	int parity;

	pubkey_of(secp, &point, key);
	internal = xonly_of(&point);
	CHECK(taproot_output_key(&output, &parity, &internal, NULL));
	wpkh.script = script_p2wpkh(&arena, &point);
	tr.script = script_p2tr(&arena, &output);
	t->inputs[0].prev.index = 1;
	t->inputs[0].sequence = t->inputs[1].sequence = 0xfffffffd;
	t->outputs[0] = (struct tx_output){ SAT(100000), tr.script };
	p = psbt_from_tx(&arena, t, version);
	psbt_set_witness_utxo(p, 0, &wpkh);
	psbt_set_witness_utxo(p, 1, &tr);
	psbt_set(p, &p->inputs[1], PSBT_IN_TAP_INTERNAL_KEY, BYTES_NONE, BYTES_OF(internal.v));
	return p;
}

/* Signed and finished in either version: the same transaction. */
TEST(taproot_and_segwit_in_both_versions)
{
	static const uint8_t blinding[32] = { 3 };
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 7 } };
	struct bytes done[2];

	for (uint32_t v = 0; v < 2; v++) {
		struct psbt *p = own_psbt(secp, &key, 2 * v);
		uint8_t flags = PSBT_INPUTS_MODIFIABLE | PSBT_OUTPUTS_MODIFIABLE;
		struct buf raw = BUF_EMPTY;
		struct bytes value;
		struct psbt_work w;
		const char *why = NULL;
		struct tx *t;

		if (p->version == 2)
			psbt_set(p, &p->global, PSBT_GLOBAL_TX_MODIFIABLE, BYTES_NONE, BYTES(&flags, 1));
		CHECK(psbt_work_init(&w, p, &why));
		CHECK(!psbt_finalize(&w, &why));
		CHECK_STR(why, "a signature is missing or wrong");
		CHECK(psbt_sign(&w, 0, secp, &key, &why) == PSBT_SIGNED && psbt_sign(&w, 1, secp, &key, &why) == PSBT_SIGNED);
		/* BIP 370: a signature for everything closes both. */
		CHECK(p->version == 0 || (psbt_get(&p->global, PSBT_GLOBAL_TX_MODIFIABLE, BYTES_NONE, &value) && value.data[0] == 0));
		/* Through the wire and back. */
		p = psbt_decode(&arena, encoded(p));
		CHECK(p && psbt_work_init(&w, p, &why) && psbt_finalize(&w, &why));
		CHECK(!psbt_get(&p->inputs[1], PSBT_IN_TAP_INTERNAL_KEY, BYTES_NONE, &value));
		CHECK(psbt_get(&p->inputs[1], PSBT_IN_WITNESS_UTXO, BYTES_NONE, &value));
		t = psbt_extract(&arena, p);
		CHECK(t && t->inputs[0].witness_count == 2 && t->inputs[1].witness_count == 1 && t->locktime == 100);
		tx_encode(t, &raw);
		done[v] = arena_bytes(&arena, buf_view(&raw));
		buf_release(&raw);
	}
	CHECK(bytes_equal(done[0], done[1]));
	secp_free(secp);
	arena_release(&arena);
}

TEST(conversion_keeps_the_fields)
{
	static const uint8_t blinding[32] = { 3 };
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 7 } };
	struct psbt *zero = own_psbt(secp, &key, 0), *two, *back;
	struct bytes odd = bytes_from_string("odd"), value;
	struct txid a, b;
	struct tx *t, *u;

	secp_free(secp);
	psbt_set(zero, &zero->inputs[0], 0xf1, odd, odd);
	psbt_set(zero, &zero->global, 0xfd1234, odd, odd);
	two = psbt_convert(&arena, zero, 2);
	CHECK(two && two->version == 2 && psbt_decode(&arena, encoded(two)));
	CHECK(psbt_get(&two->inputs[0], 0xf1, odd, &value) && bytes_equal(value, odd));
	CHECK(psbt_get(&two->global, 0xfd1234, odd, &value) && bytes_equal(value, odd));
	CHECK(!psbt_get(&two->global, PSBT_GLOBAL_UNSIGNED_TX, BYTES_NONE, &value));
	t = psbt_tx(&arena, zero);
	u = psbt_tx(&arena, two);
	a = tx_id(t);
	b = tx_id(u);
	CHECK(SAME(a, b));
	back = psbt_convert(&arena, two, 0);
	CHECK(back && bytes_equal(encoded(back), encoded(zero)));
	/* The id of version 2 does not see sequences (BIP 370 "Unique Identification"). */
	CHECK(psbt_id(two, &a));
	psbt_set(two, &two->inputs[0], PSBT_IN_SEQUENCE, BYTES_NONE, test_unhex("00000000"));
	CHECK(psbt_id(two, &b) && SAME(a, b));
	arena_release(&arena);
}

/* Changed amounts, hash types, signatures and missing data: nothing may come of them. */
TEST(finalizer_verifies_every_signature)
{
	static const uint8_t blinding[32] = { 4 };
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 9 } };
	struct pubkey point;

	pubkey_of(secp, &point, &key);
	for (int wrong = 0; wrong < 6; wrong++) {
		struct psbt *p = own_psbt(secp, &key, 0);
		struct tx_output other = { SAT(49999), script_p2wpkh(&arena, &point) };
		struct psbt_work w;
		const char *why = NULL;
		struct bytes sig;
		uint8_t raw[80];

		CHECK(psbt_work_init(&w, p, &why));
		CHECK(psbt_sign(&w, 0, secp, &key, &why) == PSBT_SIGNED && psbt_sign(&w, 1, secp, &key, &why) == PSBT_SIGNED);
		CHECK(psbt_get(&p->inputs[0], PSBT_IN_PARTIAL_SIG, BYTES_OF(point.v), &sig));
		memcpy(raw, sig.data, sig.size);
		switch (wrong) {
		case 0: /* good: shows that the others fail for their own reason */
			break;
		case 1: /* the amount that was signed for */
			psbt_set_witness_utxo(p, 0, &other);
			break;
		case 2: /* a bit of the signature */
			raw[20] ^= 1;
			psbt_set(p, &p->inputs[0], PSBT_IN_PARTIAL_SIG, BYTES_OF(point.v), BYTES(raw, sig.size));
			break;
		case 3: /* another hash type than the signature's */
			raw[sig.size - 1] = SIGHASH_NONE;
			psbt_set(p, &p->inputs[0], PSBT_IN_PARTIAL_SIG, BYTES_OF(point.v), BYTES(raw, sig.size));
			break;
		case 4: /* another than the input wants */
			psbt_set(p, &p->inputs[0], PSBT_IN_SIGHASH_TYPE, BYTES_NONE, test_unhex("02000000"));
			break;
		case 5: /* a taproot signature with a 65th byte of zero */
			CHECK(psbt_get(&p->inputs[1], PSBT_IN_TAP_KEY_SIG, BYTES_NONE, &sig));
			memcpy(raw, sig.data, 64);
			raw[64] = 0;
			psbt_set(p, &p->inputs[1], PSBT_IN_TAP_KEY_SIG, BYTES_NONE, BYTES(raw, 65));
			break;
		}
		CHECK(psbt_work_init(&w, p, &why));
		CHECK(psbt_finalize(&w, &why) == (wrong == 0));
		CHECK((psbt_extract(&arena, p) != NULL) == (wrong == 0));
	}
	secp_free(secp);
	arena_release(&arena);
}

TEST(other_hash_types_and_unknown_inputs_are_not_signed)
{
	static const uint8_t blinding[32] = { 5 };
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 9 } }, other = { { 10 } };
	struct psbt *p = own_psbt(secp, &key, 0);
	struct psbt_work w;
	const char *why = NULL;

	CHECK(psbt_work_init(&w, p, &why));
	CHECK(psbt_sign(&w, 0, secp, &other, &why) == PSBT_NO_KEY && psbt_sign(&w, 1, secp, &other, &why) == PSBT_NO_KEY);
	psbt_set(p, &p->inputs[0], PSBT_IN_SIGHASH_TYPE, BYTES_NONE, test_unhex("02000000"));
	CHECK(psbt_sign(&w, 0, secp, &key, &why) == PSBT_REFUSED);
	CHECK_STR(why, "the input asks for a signature that does not cover the whole transaction");
	psbt_remove(&p->inputs[0], PSBT_IN_WITNESS_UTXO, BYTES_NONE);
	CHECK(psbt_work_init(&w, p, &why));
	CHECK(psbt_sign(&w, 0, secp, &key, &why) == PSBT_REFUSED);
	CHECK_STR(why, "the PSBT does not say what the input spends");
	/* A taproot signature is over what all inputs spend. */
	CHECK(psbt_sign(&w, 1, secp, &key, &why) == PSBT_REFUSED);
	CHECK_STR(why, "the PSBT does not say what every input spends");
	secp_free(secp);
	arena_release(&arena);
}

enum scope { GLOBAL, INPUT, OUTPUT };

#define KEY33 "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define NO_KEY33 "020000000000000000000000000000000000000000000000000000000000000007"
#define KEY65 \
	"0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" \
	"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
#define X32 "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define ZERO32 "0000000000000000000000000000000000000000000000000000000000000000"
#define XPUB_DEPTH_2 "0488b21e02" "00000000" "00000000" ZERO32 KEY33

/* One field each, in an otherwise good PSBT. */
static const struct {
	enum scope scope;
	uint64_t type;
	const char *data, *value;
	bool good;
} fields[] = {
	{ GLOBAL, PSBT_GLOBAL_XPUB, XPUB_DEPTH_2, "aabbccdd" "0000008000000080", true },
	{ GLOBAL, PSBT_GLOBAL_XPUB, XPUB_DEPTH_2, "aabbccdd" "00000080", false },
	{ GLOBAL, PSBT_GLOBAL_XPUB, XPUB_DEPTH_2, "aabbccdd" "000000800000008000000080", false },
	{ GLOBAL, PSBT_GLOBAL_VERSION, "", "00000000", true },
	{ GLOBAL, PSBT_GLOBAL_VERSION, "", "01000000", false },
	{ GLOBAL, PSBT_GLOBAL_VERSION, "", "03000000", false },
	{ GLOBAL, PSBT_GLOBAL_VERSION, "", "0000", false },
	{ GLOBAL, PSBT_GLOBAL_VERSION, "", "0000000000", false },
	{ GLOBAL, PSBT_PROPRIETARY, "03616263" "07" "ff", "00", true },
	{ GLOBAL, PSBT_PROPRIETARY, "0007", "", true },
	{ GLOBAL, PSBT_PROPRIETARY, "03616263", "00", false },
	{ GLOBAL, PSBT_PROPRIETARY, "0461", "00", false },
	{ GLOBAL, PSBT_PROPRIETARY, "", "00", false },
	{ INPUT, PSBT_PROPRIETARY, "", "00", false },
	{ OUTPUT, PSBT_PROPRIETARY, "", "00", false },
	{ INPUT, PSBT_IN_NON_WITNESS_UTXO, "", "00", false },
	{ INPUT, PSBT_IN_WITNESS_UTXO, "", "01000000000000000151", true },
	{ INPUT, PSBT_IN_WITNESS_UTXO, "", "010000000000000001", false },
	{ INPUT, PSBT_IN_WITNESS_UTXO, "", "0100000000000000015152", false },
	{ INPUT, PSBT_IN_WITNESS_UTXO, "", "010000", false },
	{ INPUT, PSBT_IN_PARTIAL_SIG, KEY33, "300602010102010101", true },
	{ INPUT, PSBT_IN_PARTIAL_SIG, KEY65, "300602010102010101", true },
	{ INPUT, PSBT_IN_PARTIAL_SIG, KEY33, "3006020101020101", false },
	{ INPUT, PSBT_IN_PARTIAL_SIG, NO_KEY33, "300602010102010101", false },
	{ INPUT, PSBT_IN_PARTIAL_SIG, KEY65 "00", "300602010102010101", false },
	{ INPUT, PSBT_IN_PARTIAL_SIG, "06" ZERO32 ZERO32, "300602010102010101", false },
	{ INPUT, PSBT_IN_SIGHASH_TYPE, "", "010000", false },
	{ INPUT, PSBT_IN_BIP32_DERIVATION, KEY33, "aabbccdd", true },
	{ INPUT, PSBT_IN_BIP32_DERIVATION, KEY33, "aabbccdd01", false },
	{ INPUT, PSBT_IN_BIP32_DERIVATION, KEY33, "", false },
	{ INPUT, PSBT_IN_FINAL_SCRIPTWITNESS, "", "020151015200", false },
	{ INPUT, PSBT_IN_FINAL_SCRIPTWITNESS, "", "0201510152", true },
	{ INPUT, PSBT_IN_FINAL_SCRIPTWITNESS, "", "02015101", false },
	{ INPUT, PSBT_IN_FINAL_SCRIPTWITNESS, "", "", false },
	{ INPUT, PSBT_IN_RIPEMD160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc", "616263", true },
	{ INPUT, PSBT_IN_RIPEMD160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc", "616264", false },
	{ INPUT, PSBT_IN_RIPEMD160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc00", "616263", false },
	{ INPUT, PSBT_IN_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "616263", true },
	{ INPUT, PSBT_IN_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "616264", false },
	{ INPUT, PSBT_IN_HASH160, "bb1be98c142444d7a56aa3981c3942a978e4dc33", "616263", true },
	{ INPUT, PSBT_IN_HASH160, "bb1be98c142444d7a56aa3981c3942a978e4dc33", "616264", false },
	{ INPUT, PSBT_IN_HASH256, "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358", "616263", true },
	{ INPUT, PSBT_IN_HASH256, "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358", "616264", false },
	{ INPUT, PSBT_IN_TAP_LEAF_SCRIPT, "c0" X32, "51c0", true },
	{ INPUT, PSBT_IN_TAP_LEAF_SCRIPT, "c0" X32 ZERO32, "c0", true },
	{ INPUT, PSBT_IN_TAP_LEAF_SCRIPT, "c0" X32 ZERO32, "", false },
	{ INPUT, PSBT_IN_TAP_LEAF_SCRIPT, "c0" X32 "00", "51c0", false },
	{ INPUT, PSBT_IN_TAP_BIP32_DERIVATION, X32, "00" "aabbccdd", true },
	{ INPUT, PSBT_IN_TAP_BIP32_DERIVATION, X32, "01" ZERO32 "aabbccdd", true },
	{ INPUT, PSBT_IN_TAP_BIP32_DERIVATION, X32, "02" ZERO32 "aabbccdd", false },
	{ INPUT, PSBT_IN_TAP_BIP32_DERIVATION, X32, "01" ZERO32 "aabbcc", false },
	{ INPUT, PSBT_IN_TAP_BIP32_DERIVATION, X32, "00", false },
	{ INPUT, PSBT_IN_TAP_BIP32_DERIVATION, X32, "", false },
	{ INPUT, PSBT_IN_TAP_MERKLE_ROOT, "", X32 "00", false },
	{ OUTPUT, PSBT_OUT_BIP32_DERIVATION, NO_KEY33, "aabbccdd", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "00c0" "0151", true },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "01c0" "0151" "01c0" "0152", true },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "02c0" "0151" "02c0" "0152" "01c0" "0153", true },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "01c0" "0151" "02c0" "0152" "02c0" "0153", true },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "01c0" "0151", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "00c0" "0151" "00c0" "0152", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "00c0" "0151" "01c0" "0152", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "02c0" "0151" "01c0" "0153" "02c0" "0152", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "01c1" "0151" "01c0" "0152", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "01c0" "0151" "01c0" "0252", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "01c0" "0151" "01", false },
	{ OUTPUT, PSBT_OUT_TAP_TREE, "", "81c0" "0151", false },
};

TEST(fields_are_checked_one_by_one)
{
	static const uint8_t blinding[32] = { 3 };
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 7 } };

	for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
		struct psbt *p = own_psbt(secp, &key, 0);
		struct psbt_map *m = fields[i].scope == GLOBAL ? &p->global : fields[i].scope == INPUT ? &p->inputs[0] : &p->outputs[0];

		psbt_set(p, m, fields[i].type, test_unhex(fields[i].data), test_unhex(fields[i].value));
		if ((psbt_decode(&arena, encoded(p)) != NULL) != fields[i].good)
			test_failed(__FILE__, __LINE__, "field %zu: type %02x data %s value %s", i, (unsigned)fields[i].type,
				    fields[i].data, fields[i].value);
	}
	secp_free(secp);
	arena_release(&arena);
}

/* What every part of a PSBT may carry beyond what we know comes through a combination. */
TEST(unknown_fields_of_every_part_are_combined)
{
	static const uint8_t blinding[32] = { 3 };
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 7 } };
	struct psbt *p = own_psbt(secp, &key, 0), *q = own_psbt(secp, &key, 0);
	struct bytes mine = bytes_from_string("mine"), theirs = bytes_from_string("theirs"), value;

	secp_free(secp);
	psbt_set(q, &q->global, 0x99, theirs, theirs);
	psbt_set(q, &q->inputs[1], 0x99, theirs, theirs);
	psbt_set(q, &q->outputs[0], 0x99, theirs, theirs);
	psbt_set(p, &p->outputs[0], 0x99, mine, mine);
	psbt_set(q, &q->outputs[0], 0x99, mine, theirs);
	CHECK(psbt_combine(p, q));
	CHECK(psbt_get(&p->global, 0x99, theirs, &value) && psbt_get(&p->inputs[1], 0x99, theirs, &value) &&
	      psbt_get(&p->outputs[0], 0x99, theirs, &value));
	/* Of two values ours stays. */
	CHECK(psbt_get(&p->outputs[0], 0x99, mine, &value) && bytes_equal(value, mine));
	arena_release(&arena);
}

/* One input locked by a script, in every way in which scripts are wrapped. */
enum wrap { BARE, P2SH, P2WSH, P2SH_P2WSH, WRAPS };

static struct psbt *locked_psbt(enum wrap wrap, struct bytes script)
{
	struct tx *prev = tx_new(&arena, 2, 1, 1, 0), *t = tx_new(&arena, 2, 1, 1, 0);
	struct bytes inner = wrap == P2WSH || wrap == P2SH_P2WSH ? script_p2wsh(&arena, script) : script;
	struct hash160 h = hash160(inner.data, inner.size);
	struct psbt *p;

	prev->outputs[0].amount = SAT(70000);
	prev->outputs[0].script = wrap == P2SH || wrap == P2SH_P2WSH ? script_p2sh(&arena, &h) : inner;
	t->inputs[0].prev.txid = tx_id(prev);
	t->outputs[0] = (struct tx_output){ SAT(60000), inner };
	p = psbt_from_tx(&arena, t, 0);
	psbt_set_non_witness_utxo(p, 0, prev);
	if (wrap == P2SH || wrap == P2SH_P2WSH)
		psbt_set(p, &p->inputs[0], PSBT_IN_REDEEM_SCRIPT, BYTES_NONE, inner);
	if (wrap == P2WSH || wrap == P2SH_P2WSH)
		psbt_set(p, &p->inputs[0], PSBT_IN_WITNESS_SCRIPT, BYTES_NONE, script);
	return p;
}

/* Signed by so many of the keys; final with enough of them and not before. */
static void check_lock(const struct secp *secp, struct bytes script, const struct secret32 *keys, uint32_t count, uint32_t needed)
{
	for (int wrap = 0; wrap < WRAPS; wrap++) {
		struct psbt *p = locked_psbt(wrap, script);
		struct psbt_work w;
		const char *why = NULL;
		struct tx *t;

		CHECK(psbt_work_init(&w, p, &why));
		for (uint32_t i = 0; i < needed; i++) {
			CHECK(!psbt_finalize(&w, &why));
			CHECK(!psbt_extract(&arena, p));
			CHECK(psbt_sign(&w, 0, secp, &keys[count - 1 - i], &why) == PSBT_SIGNED);
		}
		CHECK(psbt_finalize(&w, &why));
		t = psbt_extract(&arena, p);
		CHECK(t);
		CHECK((t->inputs[0].witness_count > 0) == (wrap == P2WSH || wrap == P2SH_P2WSH));
		CHECK((t->inputs[0].script_sig.size > 0) == (wrap != P2WSH));
		if (wrap == P2WSH)
			CHECK(bytes_equal(t->inputs[0].witness[t->inputs[0].witness_count - 1], script));
		/* Final already. */
		CHECK(psbt_finalize(&w, &why));
	}
}

TEST(every_kind_of_script_is_finished)
{
	static const uint8_t blinding[32] = { 6 };
	struct secp *secp = secp_new(blinding);
	struct secret32 keys[3] = { { { 1 } }, { { 2 } }, { { 3 } } };
	struct buf script = BUF_EMPTY;
	struct bytes multisig, single;
	struct pubkey p[3];
	struct hash160 h;

	for (int i = 0; i < 3; i++)
		pubkey_of(secp, &p[i], &keys[i]);
	script_number(&script, 2);
	for (int i = 0; i < 3; i++)
		script_push(&script, BYTES_OF(p[i].v));
	script_number(&script, 3);
	script_op(&script, OP_CHECKMULTISIG);
	multisig = arena_bytes(&arena, buf_view(&script));
	buf_clear(&script);
	script_push(&script, BYTES_OF(p[0].v));
	script_op(&script, OP_CHECKSIG);
	single = arena_bytes(&arena, buf_view(&script));
	buf_release(&script);
	h = hash160(p[0].v, sizeof(p[0].v));
	check_lock(secp, multisig, keys, 3, 2);
	check_lock(secp, single, keys, 1, 1);
	check_lock(secp, script_p2pkh(&arena, &h), keys, 1, 1);
	secp_free(secp);
	arena_release(&arena);
}

/* Scripts that only look like ones that we finish. */
TEST(other_scripts_are_left_alone)
{
	static const char *const odd[] = {
		"5221" KEY33 "51ae",               /* two of one */
		"5121" KEY33 "52ae",               /* one key, said to be two */
		"5121" KEY33 "51af",               /* CHECKMULTISIGVERIFY */
		"5121" KEY33 "51ae51",             /* something behind it */
		"5121" KEY33 "51",                 /* nothing behind it */
		"21" KEY33 "ad",                   /* CHECKSIGVERIFY */
		"21" KEY33 "ac51", "51", "",
		"5121" KEY33,
	};
	static const uint8_t blinding[32] = { 6 };
	struct secp *secp = secp_new(blinding);
	struct secret32 one = { { [31] = 1 } }; /* whose point is the generator, KEY33 */

	for (size_t i = 0; i < ARRAY_COUNT(odd); i++) {
		struct psbt *p = locked_psbt(P2WSH, test_unhex(odd[i]));
		struct psbt_work w;
		const char *why = NULL;

		CHECK(psbt_work_init(&w, p, &why));
		CHECK(psbt_sign(&w, 0, secp, &one, &why) == (odd[i][0] && strcmp(odd[i], "51") ? PSBT_SIGNED : PSBT_NO_KEY));
		CHECK(!psbt_finalize(&w, &why) && !psbt_extract(&arena, p));
		CHECK_STR(why, "the script is of a kind that this program does not finish");
	}
	secp_free(secp);
	arena_release(&arena);
}

static void check_refused(const struct secp *secp, struct psbt *p, const char *reason)
{
	struct secret32 key = { { 7 } };
	struct psbt_work w;
	const char *why = NULL;

	CHECK(psbt_work_init(&w, p, &why));
	CHECK(psbt_sign(&w, 0, secp, &key, &why) == PSBT_REFUSED);
	CHECK_STR(why, reason);
}

TEST(each_contradiction_has_its_reason)
{
	static const uint8_t blinding[32] = { 3 };
	struct secp *secp = secp_new(blinding);
	struct bytes script = test_unhex("51");
	struct tx *other = tx_new(&arena, 2, 1, 1, 77), *t;
	struct psbt *p = locked_psbt(BARE, script);
	struct tx_output o = { SAT(1), script };

	psbt_set_witness_utxo(p, 0, &o);
	check_refused(secp, p, "the two outputs given for the input contradict each other");
	p = locked_psbt(BARE, script);
	psbt_set_non_witness_utxo(p, 0, other);
	check_refused(secp, p, "the previous transaction is not the one that is spent");
	/* An index that the previous transaction does not have. */
	t = tx_new(&arena, 2, 1, 1, 0);
	t->inputs[0].prev = (struct outpoint){ tx_id(other), 1 };
	p = psbt_from_tx(&arena, t, 0);
	psbt_set_non_witness_utxo(p, 0, other);
	check_refused(secp, p, "the previous transaction is not the one that is spent");
	p = locked_psbt(P2WSH, script);
	psbt_remove(&p->inputs[0], PSBT_IN_WITNESS_SCRIPT, BYTES_NONE);
	check_refused(secp, p, "the witness script is missing");
	p = locked_psbt(P2SH, script);
	psbt_remove(&p->inputs[0], PSBT_IN_REDEEM_SCRIPT, BYTES_NONE);
	check_refused(secp, p, "the redeem script is missing");
	p = locked_psbt(BARE, script);
	psbt_set(p, &p->inputs[0], PSBT_IN_REDEEM_SCRIPT, BYTES_NONE, script);
	check_refused(secp, p, "there is a redeem script, but the output is not P2SH");
	p = locked_psbt(BARE, script);
	psbt_set(p, &p->inputs[0], PSBT_IN_WITNESS_SCRIPT, BYTES_NONE, script);
	check_refused(secp, p, "there is a witness script, but the output is not P2WSH");
	check_refused(secp, locked_psbt(BARE, test_unhex("6020" X32)), "the witness version is unknown");
	/* Taproot inside P2SH is not taproot (BIP 341). */
	check_refused(secp, locked_psbt(P2SH, test_unhex("5120" X32)), "the witness version is unknown");
	secp_free(secp);
	arena_release(&arena);
}

/* SIGHASH_ALL where a taproot input asks for it: 65 bytes. */
TEST(taproot_signs_with_all_when_asked)
{
	static const uint8_t blinding[32] = { 3 };
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 7 } };
	struct psbt *p = own_psbt(secp, &key, 0);
	struct psbt_work w;
	const char *why = NULL;
	struct bytes sig;

	psbt_set(p, &p->inputs[1], PSBT_IN_SIGHASH_TYPE, BYTES_NONE, test_unhex("01000000"));
	CHECK(psbt_work_init(&w, p, &why));
	CHECK(psbt_sign(&w, 1, secp, &key, &why) == PSBT_SIGNED);
	CHECK(psbt_get(&p->inputs[1], PSBT_IN_TAP_KEY_SIG, BYTES_NONE, &sig) && sig.size == 65 && sig.data[64] == 1);
	CHECK(psbt_finalize_input(&w, 1, &why));
	secp_free(secp);
	arena_release(&arena);
}

/* Every hash type that consensus knows can be finished, if the input asks for none. */
TEST(signatures_of_other_hash_types_are_finished)
{
	static const uint8_t blinding[32] = { 3 };
	static const uint8_t types[] = { 0, 1, 2, 3, 4, 0x80, 0x81, 0x82, 0x83, 0x84, 0xff };
	struct secp *secp = secp_new(blinding);
	struct secret32 key = { { 7 } };
	struct pubkey point;
	int good = 0;

	pubkey_of(secp, &point, &key);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		struct psbt *p = own_psbt(secp, &key, 0);
		struct psbt_work w;
		struct psbt_lock lock;
		const char *why = NULL;
		struct sha256 hash;
		struct sig64 sig;
		uint8_t der[73];
		size_t size;

		CHECK(psbt_work_init(&w, p, &why) && psbt_lock(&w, 0, &lock, &why));
		if (psbt_sighash(&w, 0, &lock, types[i], &hash))
			good++;
		else
			hash = sighash_segwit(w.tx, 0, lock.script_code, lock.spent.amount, types[i]);
		ecdsa_sign(secp, &sig, &hash, &key, true);
		size = sig_to_der(der, &sig);
		der[size++] = types[i];
		psbt_set(p, &p->inputs[0], PSBT_IN_PARTIAL_SIG, BYTES_OF(point.v), BYTES(der, size));
		CHECK(psbt_finalize_input(&w, 0, &why) == ((types[i] & 0x7f) >= 1 && (types[i] & 0x7f) <= 3));
	}
	CHECK_EQ(good, 6);
	secp_free(secp);
	arena_release(&arena);
}

TEST(base64_has_one_form)
{
	static const struct {
		const char *raw, *text;
	} good[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		     { "foobar", "Zm9vYmFy" } }; /* RFC 4648 section 10 */
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm9v\n", "Zm9-", "=m9v", "Zm=v" };
	struct buf b = BUF_EMPTY;
	bool all = true;

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		buf_clear(&b);
		base64_encode(&b, bytes_from_string(good[i].raw));
		all &= bytes_equal(buf_view(&b), bytes_from_string(good[i].text));
		buf_clear(&b);
		all &= base64_decode(&b, bytes_from_string(good[i].text)) && bytes_equal(buf_view(&b), bytes_from_string(good[i].raw));
	}
	buf_clear(&b);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		all &= !base64_decode(&b, bytes_from_string(bad[i])) && b.size == 0;
	buf_release(&b);
	CHECK(all);
}
