#include "tests/test.h"

#include <jansson.h>
#include <string.h>

#include "bitcoin/script.h"
#include "bitcoin/taproot.h"
#include "crypto/hash.h"
#include "crypto/keys.h"

static struct arena arena;

struct segwit_case {
	const char *tx, *code, *hash, *seckey, *der; /* the DER signature with its hash type */
	uint64_t amount;
	uint32_t input, hash_type;
};

#define WPKH_TX \
	"0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc89d182d27965" \
	"5c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76" \
	"ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000"
#define SH_WPKH_TX \
	"0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff02b8b4eb0b000000001976a9" \
	"14a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac92" \
	"040000"
#define WSH_TX \
	"0100000002fe3dc9208094f3ffd12645477b3dc56f60ec4fa8e6f5d67c565d1c6b9216b36e0000000000ffffffff0815cf020f013ed6cf91d29f" \
	"4202e8a58726b1ac6c79da47c23d1bee0a6925f80000000000ffffffff0100f2052a010000001976a914a30741f8145e5acadf23f751864167f3" \
	"2e0963f788ac00000000"
#define ALONE_TX \
	"0100000002e9b542c5176808107ff1df906f46bb1f2583b16112b95ee5380665ba7fcfc0010000000000ffffffff80e68831516392fcd100d186" \
	"b3c2c7b95c80b53c77e77c35ba03a66b429a2a1b0000000000ffffffff0280969800000000001976a914de4b231626ef508c9a74a8517e6783c0" \
	"546d6b2888ac80969800000000001976a9146648a8cd4531e1ec47f35916de8e259237294d1e88ac00000000"
#define MULTI_TX \
	"010000000136641869ca081e70f394c6948e8af409e18b619df2ed74aa106c1ca29787b96e0100000000ffffffff0200e9a435000000001976a9" \
	"14389ffce9cd9ae88dcc0631e88a821ffdbe9bfe2688acc0832f05000000001976a9147480a33f950689af511e6e84c138dbbd3c3ee41588ac00" \
	"000000"
#define MULTI_CODE \
	"56210307b8ae49ac90a048e9b53357a2354b3334e9c8bee813ecb98e99a7e07e8c3ba32103b28f0c28bfab54554ae8c658ac5c3e0ce6e79ad336" \
	"331f78c428dd43eea8449b21034b8113d703413d57761b8b9781957b8c0ac1dfe69f492580ca4195f50376ba4a21033400f6afecb833092a9a21" \
	"cfdf1ed1376e58c5d1f47de74683123987e967a8f42103a6d48b1131e94ba04d9737d61acdaa1322008af9602b3b14862c07a1789aac162102d8" \
	"b661b0b3302ee2f162b09e07a55ad5dfbe673a9f01d9f0c19617681024306b56ae"

/* BIP 143 "Example". */
static const struct segwit_case segwit_cases[] = {
	{ WPKH_TX, "76a9141d0f172a0ecb48aee1be1f2687d2963ae33f71a188ac",
	  "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670",
	  "619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9",
	  "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f519"
	  "28d43c212a8caed02de67eebee01", 600000000, 1, SIGHASH_ALL },
	{ SH_WPKH_TX, "76a91479091972186c449eb1ded22b78e40d009bdf008988ac",
	  "64f3b0f4dd2bb3aa1ce8566d220cc74dda9df97d8490cc81d89d735c92e59fb6",
	  "eb696a065ef48a2192da5b28b694f87544b30fae8327c4510137a922f32c6dcf",
	  "3044022047ac8e878352d3ebbde1c94ce3a10d057c24175747116f8288e5d794d12d482f0220217f36a485cae903c713331d877c1f64677e36"
	  "22ad4010726870540656fe9dcb01", 1000000000, 0, SIGHASH_ALL },
	{ WSH_TX, "21026dccc749adc2a9d0d89497ac511f760f45c47dc5ed9cf352a58ac706453880aeadab210255a9626aebf5e29c0e6538428ba0d1"
	  "dcf6ca98ffdf086aa8ced5e0d0215ea465ac",
	  "82dde6e4f1e94d02c2b7ad03d2115d691f48d064e9d52f58194a6637e4194391",
	  "8e02b539b1500aa7c81cf3fed177448a546f19d2be416c0c61ff28e577d8d0cd",
	  "3044022027dc95ad6b740fe5129e7e62a75dd00f291a2aeb1200b84b09d9e3789406b6c002201a9ecd315dd6a0e632ab20bbb98948bc0c6fb2"
	  "04f2c286963bb48517a7058e2703", 4900000000, 1, SIGHASH_SINGLE },
	{ WSH_TX, "210255a9626aebf5e29c0e6538428ba0d1dcf6ca98ffdf086aa8ced5e0d0215ea465ac",
	  "fef7bd749cce710c5c052bd796df1af0d935e59cea63736268bcbe2d2134fc47",
	  "86bf2ed75935a0cbef03b89d72034bb4c189d381037a5ac121a70016db8896ec",
	  "304402200de66acf4527789bfda55fc5459e214fa6083f936b430a762c629656216805ac0220396f550692cd347171cbc1ef1f51e15282e837"
	  "bb2b30860dc77c8f78bc8501e503", 4900000000, 1, SIGHASH_SINGLE },
	{ ALONE_TX, "0063ab68210392972e2eb617b2388771abe27235fd5ac44af8e61693261550447a4c3e39da98ac",
	  "e9071e75e25b8a1e298a72f0d2e9f4f95a0f5cdf86a533cda597eb402ed13b3a",
	  "f52b3484edd96598e02a9c89c4492e9c1e2031f471c49fd721fe68b3ce37780d",
	  "3045022100f6a10b8604e6dc910194b79ccfc93e1bc0ec7c03453caaa8987f7d6c3413566002206216229ede9b4d6ec2d325be245c5b508ff0"
	  "339bf1794078e20bfe0babc7ffe683", 16777215, 0, SIGHASH_SINGLE | SIGHASH_ANYONECANPAY },
	{ ALONE_TX, "68210392972e2eb617b2388771abe27235fd5ac44af8e61693261550447a4c3e39da98ac",
	  "cd72f1f1a433ee9df816857fad88d8ebd97e09a75cd481583eb841c330275e54",
	  "f52b3484edd96598e02a9c89c4492e9c1e2031f471c49fd721fe68b3ce37780d",
	  "30440220032521802a76ad7bf74d0e2c218b72cf0cbc867066e2e53db905ba37f130397e02207709e2188ed7f08f4c952d9d13986da504502b"
	  "8c3be59617e043552f506c46ff83", 16777215, 1, SIGHASH_SINGLE | SIGHASH_ANYONECANPAY },
	{ MULTI_TX, MULTI_CODE, "185c0be5263dce5b4bb50a047973c1b6272bfbd0103a89444597dc40b248ee7c",
	  "730fff80e1413068a05b57d6a58261f07551163369787f349438ea38ca80fac6",
	  "304402206ac44d672dac41f9b00e28f4df20c52eeb087207e8d758d76d92c6fab3b73e2b0220367750dbbe19290069cba53d096f44530e4f98"
	  "acaa594810388cf7409a1870ce01", 987654321, 0, SIGHASH_ALL },
	{ MULTI_TX, MULTI_CODE, "e9733bc60ea13c95c6527066bb975a2ff29a925e80aa14c213f686cbae5d2f36",
	  "11fa3d25a17cbc22b29c44a484ba552b5a53149d106d3d853e22fdd05a2d8bb3",
	  "3044022068c7946a43232757cbdf9176f009a928e1cd9a1a8c212f15c1e11ac9f2925d9002205b75f937ff2f9f3c1246e547e54f62e027f64e"
	  "efa2695578cc6432cdabce271502", 987654321, 0, SIGHASH_NONE },
	{ MULTI_TX, MULTI_CODE, "1e1f1c303dc025bd664acb72e583e933fae4cff9148bf78c157d1e8f78530aea",
	  "77bf4141a87d55bdd7f3cd0bdccf6e9e642935fec45f2f30047be7b799120661",
	  "3044022059ebf56d98010a932cf8ecfec54c48e6139ed6adb0728c09cbe1e4fa0915302e022007cd986c8fa870ff5d2b3a89139c9fe7e49925"
	  "9875357e20fcbb15571c76795403", 987654321, 0, SIGHASH_SINGLE },
	{ MULTI_TX, MULTI_CODE, "2a67f03e63a6a422125878b40b82da593be8d4efaafe88ee528af6e5a9955c6e",
	  "14af36970f5025ea3e8b5542c0f8ebe7763e674838d08808896b63c3351ffe49",
	  "3045022100fbefd94bd0a488d50b79102b5dad4ab6ced30c4069f1eaa69a4b5a763414067e02203156c6a5c9cf88f91265f5a942e96213afae"
	  "16d83321c8b31bb342142a14d16381", 987654321, 0, SIGHASH_ALL | SIGHASH_ANYONECANPAY },
	{ MULTI_TX, MULTI_CODE, "781ba15f3779d5542ce8ecb5c18716733a5ee42a6f51488ec96154934e2c890a",
	  "fe9a95c19eef81dde2b95c1284ef39be497d128e2aa46916fb02d552485e0323",
	  "3045022100a5263ea0553ba89221984bd7f0b13613db16e7a70c549a86de0cc0444141a407022005c360ef0ae5a5d4f9f2f87a56c1546cc826"
	  "8cab08c73501d6b3be2e1e1a8a0882", 987654321, 0, SIGHASH_NONE | SIGHASH_ANYONECANPAY },
	{ MULTI_TX, MULTI_CODE, "511e8e52ed574121fc1b654970395502128263f62662e076dc6baf05c2e6a99b",
	  "428a7aee9f0c2af0cd19af3cf1c78149951ea528726989b2e83e4778d2c3f890",
	  "30440220525406a1482936d5a21888260dc165497a90a15669636d8edca6b9fe490d309c022032af0c646a34a44d1f4576bf6a4a74b67940f8"
	  "faa84c7df9abe12a01a11e2b4783", 987654321, 0, SIGHASH_SINGLE | SIGHASH_ANYONECANPAY },
};

/* The signature over hash by key, as DER with the hash type, is the one given. */
static void check_ecdsa(const struct secp *secp, const struct sha256 *hash, const struct segwit_case *k)
{
	struct bytes want = test_unhex(k->der);
	struct secret32 key;
	struct pubkey p;
	struct sig64 sig, given;
	uint8_t der[73];
	size_t size;

	memcpy(key.v, test_unhex(k->seckey).data, 32);
	pubkey_of(secp, &p, &key);
	ecdsa_sign(secp, &sig, hash, &key, false);
	CHECK(ecdsa_verify(&sig, hash, &p));
	size = sig_to_der(der, &sig);
	der[size++] = (uint8_t)k->hash_type;
	CHECK_HEX(BYTES(der, size), k->der);
	CHECK(sig_from_der(&given, BYTES(want.data, want.size - 1)) && SAME(given, sig));
}

TEST(bip143_examples)
{
	uint8_t seed[32] = { 1 };
	struct secp *secp = secp_new(seed);

	for (size_t i = 0; i < ARRAY_COUNT(segwit_cases); i++) {
		const struct segwit_case *k = &segwit_cases[i];
		struct tx *t = tx_parse(&arena, test_unhex(k->tx));
		struct bytes code = test_unhex(k->code);
		struct sighash_cache cache = { .filled = false };
		struct sha256 h, again;

		CHECK(t);
		h = sighash_segwit(t, k->input, code, SAT(k->amount), k->hash_type);
		CHECK_HEX(BYTES_OF(h.v), k->hash);
		sighash_segwit_cached(t, 0, code, SAT(1), SIGHASH_ALL, &cache);
		again = sighash_segwit_cached(t, k->input, code, SAT(k->amount), k->hash_type, &cache);
		CHECK(SAME(h, again));
		check_ecdsa(secp, &h, k);
	}
	secp_free(secp);
	arena_release(&arena);
}

static void check_legacy(const char *tx, const char *script, uint32_t input, uint32_t hash_type, const char *reversed)
{
	struct tx *t = tx_parse(&arena, test_unhex(tx));
	struct sha256 h;
	char hex[65];

	CHECK(t);
	h = sighash_legacy(t, input, test_unhex(script), hash_type);
	hash_to_hex(hex, h.v);
	CHECK_STR(hex, reversed);
}

/* Of Bitcoin Core's sighash.json; the rest is read where it is at hand. */
TEST(legacy_sighash_typed_in)
{
	check_legacy("907c2bc503ade11cc3b04eb2918b6f547b0630ab569273824748c87ea14b0696526c66ba740200000004ab65ababfd1f9bdd4ef073c7"
		     "afc4ae00da8a66f429c917a0081ad1e1dabce28d373eab81d8628de802000000096aab5253ab52000052ad042b5f25efb33beec9f336"
		     "4e8a9139e8439d9d7e26529c3c30b6c3fd89f8684cfd68ea0200000009ab53526500636a52ab599ac2fe02a526ed0400000000085353"
		     "00516352515164370e010000000003006300ab2ec229", "", 2, 1864164639,
		     "31af167a6cf3f9d5f6875caa4d31704ceb0eba078d132b78dab52c3b8997317e");
	arena_release(&arena);
}

/* Consensus since the first client: whoever signs such an input signs the number 1, for anything. */
TEST(legacy_single_without_its_output_is_one)
{
	struct tx *t = tx_new(&arena, 1, 2, 1, 0);
	struct sha256 h = sighash_legacy(t, 1, BYTES_NONE, SIGHASH_SINGLE);

	CHECK_HEX(BYTES_OF(h.v), "0100000000000000000000000000000000000000000000000000000000000000");
	h = sighash_legacy(t, 0, BYTES_NONE, SIGHASH_SINGLE);
	CHECK(h.v[31] != 0 || h.v[30] != 0);
	arena_release(&arena);
}

TEST(core_legacy_sighashes)
{
	struct bytes text = test_shared_file("vectors/bitcoin/sighash.json");
	json_t *all = json_loadb((const char *)text.data, text.size, 0, NULL), *entry;
	size_t i, count = 0;

	CHECK(all);
	json_array_foreach(all, i, entry) {
		if (json_array_size(entry) != 5)
			continue;
		check_legacy(json_string_value(json_array_get(entry, 0)), json_string_value(json_array_get(entry, 1)),
			     (uint32_t)json_integer_value(json_array_get(entry, 2)),
			     (uint32_t)json_integer_value(json_array_get(entry, 3)), json_string_value(json_array_get(entry, 4)));
		count++;
	}
	json_decref(all);
	arena_release(&arena);
	CHECK_EQ(count, 500);
}

static const char *text_at(const json_t *object, const char *outer, const char *name)
{
	return json_string_value(json_object_get(json_object_get(object, outer), name));
}

/* Leaves in order of their ids, each with its path; a vector's tree has three at most. */
struct tree {
	struct sha256 leaves[8], paths[8][8];
	uint32_t depths[8];
	uint8_t versions[8];
	uint32_t count;
};

static struct sha256 walk(struct tree *tree, const json_t *node)
{
	uint32_t first = tree->count, middle;
	struct sha256 left, right;

	CHECK(tree->count < 8);
	if (json_is_object(node)) {
		uint8_t version = (uint8_t)json_integer_value(json_object_get(node, "leafVersion"));

		CHECK_EQ(json_integer_value(json_object_get(node, "id")), tree->count);
		left = taproot_leaf_hash(version, test_unhex(json_string_value(json_object_get(node, "script"))));
		tree->versions[tree->count] = version;
		tree->leaves[tree->count++] = left;
		return left;
	}
	left = walk(tree, json_array_get(node, 0));
	middle = tree->count;
	right = walk(tree, json_array_get(node, 1));
	for (uint32_t i = first; i < tree->count; i++)
		tree->paths[i][tree->depths[i]++] = i < middle ? right : left;
	return taproot_branch_hash(&left, &right);
}

static void check_control_blocks(const json_t *v, const struct tree *tree, int parity, const struct xonly *internal)
{
	json_t *blocks = json_object_get(json_object_get(v, "expected"), "scriptPathControlBlocks");
	json_t *hashes = json_object_get(json_object_get(v, "intermediary"), "leafHashes");

	for (uint32_t i = 0; i < tree->count; i++) {
		struct buf b = BUF_EMPTY;
		struct bytes copy;

		CHECK_HEX(BYTES_OF(tree->leaves[i].v), json_string_value(json_array_get(hashes, i)));
		taproot_control_block(&b, tree->versions[i], parity, internal, tree->paths[i], tree->depths[i]);
		copy = arena_bytes(&arena, buf_view(&b));
		buf_release(&b);
		CHECK_HEX(copy, json_string_value(json_array_get(blocks, i)));
	}
}

static void check_output_key(const json_t *v)
{
	const json_t *node = json_object_get(json_object_get(v, "given"), "scriptTree");
	bool scripts = !json_is_null(node);
	struct tree tree = { .count = 0 };
	struct xonly internal, output;
	struct sha256 root, tweak;
	int parity;

	memcpy(internal.v, test_unhex(text_at(v, "given", "internalPubkey")).data, 32);
	if (scripts) {
		root = walk(&tree, node);
		CHECK_HEX(BYTES_OF(root.v), text_at(v, "intermediary", "merkleRoot"));
	}
	tweak = taproot_tweak(&internal, scripts ? &root : NULL);
	CHECK_HEX(BYTES_OF(tweak.v), text_at(v, "intermediary", "tweak"));
	CHECK(taproot_output_key(&output, &parity, &internal, scripts ? &root : NULL));
	CHECK_HEX(BYTES_OF(output.v), text_at(v, "intermediary", "tweakedPubkey"));
	CHECK_HEX(script_p2tr(&arena, &output), text_at(v, "expected", "scriptPubKey"));
	check_control_blocks(v, &tree, parity, &internal);
}

static json_t *bip341(const char *member)
{
	struct bytes text = test_shared_file("vectors/bitcoin/bip341_wallet_vectors.json");
	json_t *all = json_loadb((const char *)text.data, text.size, 0, NULL), *part;

	CHECK(all);
	part = json_incref(json_object_get(all, member));
	json_decref(all);
	return part;
}

TEST(bip341_output_keys)
{
	json_t *all = bip341("scriptPubKey"), *v;
	size_t i, count = json_array_size(all);

	json_array_foreach(all, i, v)
		check_output_key(v);
	json_decref(all);
	arena_release(&arena);
	CHECK_EQ(count, 7);
}

static void check_key_path(const struct secp *secp, const json_t *v, const struct tx *t, const struct tx_output *spent)
{
	const json_t *given = json_object_get(v, "given");
	const char *root_hex = json_string_value(json_object_get(given, "merkleRoot"));
	uint8_t type = (uint8_t)json_integer_value(json_object_get(given, "hashType"));
	static const uint8_t no_aux[32];
	struct sha256 root, hash;
	struct secret32 key;
	struct sig64 sig;
	uint8_t witness[65];

	if (root_hex)
		memcpy(root.v, test_unhex(root_hex).data, 32);
	memcpy(key.v, test_unhex(text_at(v, "given", "internalPrivkey")).data, 32);
	CHECK(taproot_seckey(secp, &key, root_hex ? &root : NULL));
	CHECK_HEX(BYTES_OF(key.v), text_at(v, "intermediary", "tweakedPrivkey"));
	CHECK(sighash_taproot(&hash, t, (uint32_t)json_integer_value(json_object_get(given, "txinIndex")), spent, type, NULL,
			      BYTES_NONE));
	CHECK_HEX(BYTES_OF(hash.v), text_at(v, "intermediary", "sigHash"));
	schnorr_sign(secp, &sig, hash.v, &key, no_aux);
	memcpy(witness, sig.v, sizeof(sig.v));
	witness[64] = type;
	CHECK_HEX(BYTES(witness, type ? 65 : 64), json_string_value(json_array_get(
		json_object_get(json_object_get(v, "expected"), "witness"), 0)));
}

TEST(bip341_key_path_spending)
{
	json_t *all = bip341("keyPathSpending"), *first = json_array_get(all, 0), *v;
	struct tx *t = tx_parse(&arena, test_unhex(text_at(first, "given", "rawUnsignedTx")));
	const json_t *utxos = json_object_get(json_object_get(first, "given"), "utxosSpent");
	const json_t *inputs = json_object_get(first, "inputSpending");
	struct tx_output spent[9];
	uint8_t seed[32] = { 2 };
	struct secp *secp = secp_new(seed);
	size_t i, count = json_array_size(inputs);

	CHECK(t && t->input_count == 9 && json_array_size(utxos) == 9);
	json_array_foreach(utxos, i, v) {
		spent[i].amount = SAT((uint64_t)json_integer_value(json_object_get(v, "amountSats")));
		spent[i].script = test_unhex(json_string_value(json_object_get(v, "scriptPubKey")));
	}
	json_array_foreach(inputs, i, v)
		check_key_path(secp, v, t, spent);
	secp_free(secp);
	json_decref(all);
	arena_release(&arena);
	CHECK_EQ(count, 7);
}

/* BIP 341 "Common signature message" and BIP 342's extension, written out: SIGHASH_ALL | ANYONECANPAY of input 1 with
 * an annex, in a leaf, spending a script whose size takes three bytes. */
TEST(taproot_message_by_definition)
{
	struct tx *t = tx_new(&arena, 2, 2, 1, 99);
	uint8_t *long_script = arena_alloc(&arena, 300), zero = 0;
	struct tx_output spent[2] = { { { 1 }, { NULL, 0 } }, { { 5 }, { long_script, 300 } } };
	struct sha256 leaf = { { 3 } }, got, part, want;
	struct buf message = BUF_EMPTY, annex = BUF_EMPTY, out = BUF_EMPTY;
	struct sha256_state s;

	t->inputs[1].sequence = 7;
	t->inputs[1].prev.index = 4;
	t->outputs[0] = (struct tx_output){ SAT(3), { long_script, 300 } };
	memset(long_script, 0x51, 300);
	buf_add_u8(&message, 0x81);
	buf_add_le32(&message, 2);
	buf_add_le32(&message, 99);
	buf_add_le64(&out, 3);
	buf_add_varint(&out, 300);
	buf_add(&out, long_script, 300);
	part = sha256(out.data, out.size);
	buf_add(&message, part.v, 32);
	buf_add_u8(&message, 3); /* in a leaf, with an annex */
	buf_add(&message, t->inputs[1].prev.txid.v, 32);
	buf_add_le32(&message, 4);
	buf_add_le64(&message, 5);
	buf_add_varint(&message, 300);
	buf_add(&message, long_script, 300);
	buf_add_le32(&message, 7);
	buf_add_varint(&annex, 260);
	buf_add(&annex, long_script, 260);
	part = sha256(annex.data, annex.size);
	buf_add(&message, part.v, 32);
	buf_add(&message, leaf.v, 32);
	buf_add_u8(&message, 0);
	buf_add_le32(&message, 0xffffffff);
	sha256_tagged_init(&s, "TapSighash");
	sha256_add(&s, &zero, 1);
	sha256_add(&s, message.data, message.size);
	want = sha256_finish(&s);
	buf_release(&message);
	buf_release(&annex);
	buf_release(&out);
	CHECK(sighash_taproot(&got, t, 1, spent, 0x81, &leaf, BYTES(long_script, 260)));
	CHECK(SAME(got, want));
	arena_release(&arena);
}

/* BIP 143's message, written out, for a script code whose size takes three bytes. */
TEST(segwit_message_with_a_long_script)
{
	struct tx *t = tx_new(&arena, 2, 1, 1, 0);
	uint8_t code[253];
	struct buf message = BUF_EMPTY;
	static const uint8_t zeros[36];
	struct sha256 want, got;

	memset(code, 0x51, sizeof(code));
	buf_add_le32(&message, 2);
	buf_add(&message, zeros, 32);
	buf_add(&message, zeros, 32);
	buf_add(&message, zeros, 36);
	buf_add(&message, "\xfd\xfd\x00", 3);
	buf_add(&message, code, sizeof(code));
	buf_add_le64(&message, 1234567);
	buf_add_le32(&message, 0);
	buf_add(&message, zeros, 32);
	buf_add_le32(&message, 0);
	buf_add_le32(&message, SIGHASH_NONE | SIGHASH_ANYONECANPAY);
	want = sha256d(message.data, message.size);
	buf_release(&message);
	got = sighash_segwit(t, 0, BYTES_OF(code), SAT(1234567), SIGHASH_NONE | SIGHASH_ANYONECANPAY);
	CHECK(SAME(got, want));
	arena_release(&arena);
}

TEST(taproot_refuses_unknown_hash_types)
{
	struct tx *t = tx_new(&arena, 2, 2, 1, 0);
	struct tx_output spent[2] = { { { 1 }, { NULL, 0 } }, { { 2 }, { NULL, 0 } } };
	struct sha256 with, without, leaf = { { 3 } };
	int good = 0;

	for (unsigned type = 0; type < 256; type++)
		good += sighash_taproot(&with, t, 0, spent, (uint8_t)type, NULL, BYTES_NONE);
	CHECK_EQ(good, 7);
	CHECK(!sighash_taproot(&with, t, 1, spent, SIGHASH_SINGLE, NULL, BYTES_NONE));
	/* An annex and a leaf are committed to. */
	CHECK(sighash_taproot(&without, t, 0, spent, 0, NULL, BYTES_NONE));
	CHECK(sighash_taproot(&with, t, 0, spent, 0, NULL, bytes_from_string("P")) && !SAME(with, without));
	CHECK(sighash_taproot(&with, t, 0, spent, 0, &leaf, BYTES_NONE) && !SAME(with, without));
	/* As is every amount that is spent: the attack that BIP 341 closes. */
	spent[1].amount = SAT(3);
	CHECK(sighash_taproot(&with, t, 0, spent, 0, NULL, BYTES_NONE) && !SAME(with, without));
	arena_release(&arena);
}
