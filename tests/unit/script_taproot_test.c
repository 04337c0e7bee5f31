/* The interpreter's taproot: what Bitcoin Core's script_tests.json has least of (BIP 341, BIP 342). */
#include "bitcoin/taproot.h"
#include "crypto/hash.h"
#include "tests/unit/script_text.h"

#define AMOUNT 100000u

struct setup {
	struct arena a;
	struct secp *secp;
	struct secret32 key;
	struct xonly point, output;
	struct bytes leaf, control;
	struct sha256 hash;
	struct tx *t;
	struct tx_output spent;
};

/* A transaction that spends a taproot output of one leaf; @ in the text stands for our key. */
static void setup_init(struct setup *s, const char *leaf)
{
	static const uint8_t blinding[32] = { 1 };
	struct buf control = BUF_EMPTY, text = BUF_EMPTY;
	struct pubkey p;
	int parity;

	memset(s, 0, sizeof(*s));
	arena_init(&s->a);
	s->secp = secp_new(blinding);
	memset(s->key.v, 7, sizeof(s->key.v));
	pubkey_of(s->secp, &p, &s->key);
	s->point = xonly_of(&p);
	for (; *leaf; leaf++) {
		if (*leaf != '@') {
			buf_add_u8(&text, (uint8_t)*leaf);
			continue;
		}
		buf_add_string(&text, "0x20 0x");
		buf_add_hex(&text, BYTES_OF(s->point.v));
	}
	buf_add_u8(&text, 0);
	s->leaf = text_script((const char *)text.data);
	s->hash = taproot_leaf_hash(TAPROOT_LEAF_TAPSCRIPT, s->leaf);
	CHECK(taproot_output_key(&s->output, &parity, &s->point, &s->hash));
	taproot_control_block(&control, TAPROOT_LEAF_TAPSCRIPT, parity, &s->point, NULL, 0);
	s->control = arena_bytes(&s->a, buf_view(&control));
	s->spent = (struct tx_output){ SAT(AMOUNT), script_p2tr(&s->a, &s->output) };
	s->t = tx_new(&s->a, 2, 1, 1, 0);
	s->t->inputs[0].sequence = 0xfffffffd;
	s->t->outputs[0] = (struct tx_output){ SAT(AMOUNT - 1000), s->spent.script };
	buf_release(&control);
	buf_release(&text);
}

static void setup_release(struct setup *s)
{
	secp_free(s->secp);
	arena_release(&s->a);
}

static struct bytes sign(struct setup *s, uint8_t type, bool by_leaf, struct bytes annex)
{
	struct secret32 key = s->key;
	uint8_t raw[65];
	struct sig64 sig;
	struct sha256 h;

	if (!by_leaf)
		CHECK(taproot_seckey(s->secp, &key, &s->hash));
	CHECK(sighash_taproot(&h, s->t, 0, &s->spent, type, by_leaf ? &s->hash : NULL, annex));
	schnorr_sign(s->secp, &sig, h.v, &key, NULL);
	memcpy(raw, sig.v, 64);
	raw[64] = type;
	return arena_bytes(&s->a, BYTES(raw, type ? 65 : 64));
}

static const char *run(struct setup *s, const struct bytes *items, uint32_t count, uint32_t flags)
{
	struct spending x;

	tx_set_witness(&s->a, s->t, 0, items, count);
	spending_init(&x, s->t, &s->spent);
	return script_error_name(spending_verify(&x, 0, flags));
}

static const char *run_leaf(struct setup *s, const struct bytes *arguments, uint32_t count, uint32_t flags)
{
	struct bytes items[8];

	for (uint32_t i = 0; i < count; i++)
		items[i] = arguments[i];
	items[count] = s->leaf;
	items[count + 1] = s->control;
	return run(s, items, count + 2, flags);
}

#define CONSENSUS SCRIPT_CONSENSUS
#define STANDARD SCRIPT_STANDARD

TEST(key_path)
{
	static const uint8_t annex[] = { 0x50, 1, 2 };
	struct bytes items[2], sig;
	uint8_t bad[66];
	struct setup s;

	setup_init(&s, "1");
	for (int type = 0; type <= 0x83; type++) {
		if (type > 3 && type < 0x81)
			continue;
		items[0] = sign(&s, (uint8_t)type, false, BYTES_NONE);
		CHECK_STR(run(&s, items, 1, STANDARD), "OK");
	}
	sig = sign(&s, 0, false, BYTES_NONE);
	memcpy(bad, sig.data, 64);
	bad[64] = 0;
	items[0] = BYTES(bad, 65);
	CHECK_STR(run(&s, items, 1, CONSENSUS), "SCHNORR_SIG_HASHTYPE");
	bad[64] = 4;
	CHECK_STR(run(&s, items, 1, CONSENSUS), "SCHNORR_SIG_HASHTYPE");
	items[0] = BYTES(bad, 63);
	CHECK_STR(run(&s, items, 1, CONSENSUS), "SCHNORR_SIG_SIZE");
	bad[5] ^= 1;
	items[0] = BYTES(bad, 64);
	CHECK_STR(run(&s, items, 1, CONSENSUS), "SCHNORR_SIG");
	CHECK_STR(run(&s, items, 1, CONSENSUS & ~(uint32_t)SCRIPT_TAPROOT), "OK");
	CHECK_STR(run(&s, NULL, 0, CONSENSUS), "WITNESS_PROGRAM_WITNESS_EMPTY");
	/* The annex is signed. */
	items[1] = BYTES_OF(annex);
	items[0] = sign(&s, 0, false, BYTES_OF(annex));
	CHECK_STR(run(&s, items, 2, CONSENSUS), "OK");
	items[0] = sig;
	CHECK_STR(run(&s, items, 2, CONSENSUS), "SCHNORR_SIG");
	/* SIGHASH_SINGLE needs its output. */
	s.t->output_count = 0;
	memcpy(bad, sig.data, 64);
	bad[64] = SIGHASH_SINGLE;
	items[0] = BYTES(bad, 65);
	CHECK_STR(run(&s, items, 1, CONSENSUS), "SCHNORR_SIG_HASHTYPE");
	setup_release(&s);
}

TEST(the_way_to_a_leaf)
{
	struct setup s;
	struct bytes good;
	uint8_t control[34];

	setup_init(&s, "1");
	CHECK_STR(run_leaf(&s, NULL, 0, STANDARD), "OK");
	good = s.control;
	memcpy(control, good.data, 33);
	s.control = BYTES(control, 32);
	CHECK_STR(run_leaf(&s, NULL, 0, STANDARD), "TAPROOT_WRONG_CONTROL_SIZE");
	control[33] = 0;
	s.control = BYTES(control, 34);
	CHECK_STR(run_leaf(&s, NULL, 0, STANDARD), "TAPROOT_WRONG_CONTROL_SIZE");
	s.control = BYTES(control, 33);
	control[0] ^= 1; /* the parity */
	CHECK_STR(run_leaf(&s, NULL, 0, STANDARD), "WITNESS_PROGRAM_MISMATCH");
	control[0] ^= 1;
	control[5] ^= 1; /* the key */
	CHECK_STR(run_leaf(&s, NULL, 0, STANDARD), "WITNESS_PROGRAM_MISMATCH");
	s.control = good;
	s.leaf = BYTES("\x52", 1);
	CHECK_STR(run_leaf(&s, NULL, 0, STANDARD), "WITNESS_PROGRAM_MISMATCH");
	setup_release(&s);
}

TEST(leaves_of_later_versions)
{
	struct sha256 hash;
	struct buf b = BUF_EMPTY;
	struct setup s;
	int parity;

	setup_init(&s, "RETURN");
	hash = taproot_leaf_hash(0xc2, s.leaf);
	CHECK(taproot_output_key(&s.output, &parity, &s.point, &hash));
	taproot_control_block(&b, 0xc2, parity, &s.point, NULL, 0);
	s.control = arena_bytes(&s.a, buf_view(&b));
	s.spent.script = script_p2tr(&s.a, &s.output);
	CHECK_STR(run_leaf(&s, NULL, 0, CONSENSUS), "OK");
	CHECK_STR(run_leaf(&s, NULL, 0, STANDARD), "DISCOURAGE_UPGRADABLE_TAPROOT_VERSION");
	buf_release(&b);
	setup_release(&s);
}

static void check_leaf(const char *text, const struct bytes *arguments, uint32_t count, uint32_t flags, const char *expect)
{
	struct setup s;

	setup_init(&s, text);
	CHECK_STR(run_leaf(&s, arguments, count, flags), expect);
	setup_release(&s);
}

TEST(what_tapscript_changed)
{
	static const uint8_t two[] = { 2 }, one[] = { 1 };
	static uint8_t big[521];
	struct bytes argument = BYTES_OF(two), yes = BYTES_OF(one), large = BYTES_OF(big);

	check_leaf("0 0 0 CHECKMULTISIG", NULL, 0, CONSENSUS, "TAPSCRIPT_CHECKMULTISIG");
	check_leaf("IF 1 ELSE 1 ENDIF", &argument, 1, CONSENSUS, "TAPSCRIPT_MINIMALIF");
	check_leaf("IF 1 ELSE 0 ENDIF", &yes, 1, CONSENSUS, "OK");
	check_leaf("1", &yes, 1, CONSENSUS, "CLEANSTACK");
	check_leaf("DROP 1", &large, 1, CONSENSUS, "PUSH_SIZE");
	/* Opcodes that succeed, even after what can not be run; a cut-off push before them does not. */
	check_leaf("RETURN 0xbb", NULL, 0, CONSENSUS, "OK");
	check_leaf("RETURN 0xbb", NULL, 0, STANDARD, "DISCOURAGE_OP_SUCCESS");
	check_leaf("CAT", NULL, 0, CONSENSUS, "OK");
	check_leaf("0x05 0xbb", NULL, 0, CONSENSUS, "BAD_OPCODE");
	check_leaf("0xff", NULL, 0, CONSENSUS, "BAD_OPCODE");
	check_leaf("0 1 CHECKSIGADD", NULL, 0, CONSENSUS, "INVALID_STACK_OPERATION");
}

TEST(no_limit_of_opcodes)
{
	struct buf text = BUF_EMPTY;

	buf_add_string(&text, "1");
	for (int i = 0; i < 6000; i++)
		buf_add_string(&text, " DUP DROP");
	buf_add_u8(&text, 0);
	check_leaf((const char *)text.data, NULL, 0, STANDARD, "OK");
	buf_release(&text);
}

TEST(signatures_in_leaves)
{
	struct setup s;
	struct bytes arguments[2], none = BYTES_NONE;

	setup_init(&s, "@ CHECKSIG 0 @ CHECKSIGADD BOOLOR");
	CHECK_STR(run_leaf(&s, &none, 0, CONSENSUS), "INVALID_STACK_OPERATION");
	setup_release(&s);
	setup_init(&s, "@ CHECKSIGVERIFY 5 @ CHECKSIGADD 6 NUMEQUAL");
	/* The first argument is below: for the last opcode, which finds it under the 5. */
	arguments[0] = sign(&s, SIGHASH_ALL, true, BYTES_NONE);
	arguments[1] = sign(&s, SIGHASH_DEFAULT, true, BYTES_NONE);
	CHECK_STR(run_leaf(&s, arguments, 2, STANDARD), "OK");
	arguments[0] = BYTES_NONE;
	CHECK_STR(run_leaf(&s, arguments, 2, STANDARD), "EVAL_FALSE");
	arguments[1] = BYTES_NONE;
	CHECK_STR(run_leaf(&s, arguments, 2, STANDARD), "CHECKSIGVERIFY");
	/* Of the key path, not of the leaf. */
	arguments[1] = sign(&s, SIGHASH_DEFAULT, false, BYTES_NONE);
	CHECK_STR(run_leaf(&s, arguments, 2, STANDARD), "SCHNORR_SIG");
	setup_release(&s);
}

TEST(keys_of_later_kinds)
{
	static const uint8_t any[] = { 9 };
	struct bytes sig = BYTES_OF(any);

	check_leaf("0x01 0x02 CHECKSIG", &sig, 1, CONSENSUS, "OK");
	check_leaf("0x01 0x02 CHECKSIG", &sig, 1, STANDARD & ~(uint32_t)SCRIPT_MINIMALDATA, "DISCOURAGE_UPGRADABLE_PUBKEYTYPE");
	check_leaf("0 CHECKSIG", &sig, 1, CONSENSUS, "TAPSCRIPT_EMPTY_PUBKEY");
}

/* BIP 342: 50 of witness for each signature, and 50 to begin with. */
TEST(signatures_cost_witness)
{
	static const uint8_t any[] = { 9 };
	struct bytes sig = BYTES_OF(any);

	/* Its witness: count, 1 + 1, 1 + 16, 1 + 33: 54 bytes, and so 104: two signatures, not three. */
	check_leaf("DUP 0x02 0x0303 CHECKSIGVERIFY DUP 0x02 0x0303 CHECKSIGVERIFY DROP 1 NOP NOP", &sig, 1, CONSENSUS, "OK");
	check_leaf("DUP 0x02 0x0303 CHECKSIGVERIFY DUP 0x02 0x0303 CHECKSIGVERIFY 0x02 0x0303 CHECKSIG", &sig, 1, CONSENSUS,
		   "TAPSCRIPT_VALIDATION_WEIGHT");
}

/* The position of the last OP_CODESEPARATOR that ran is signed: a signature without is good before it alone. */
TEST(code_separators_are_signed)
{
	struct bytes sig;
	struct setup s;

	setup_init(&s, "@ CHECKSIG CODESEPARATOR");
	sig = sign(&s, SIGHASH_DEFAULT, true, BYTES_NONE);
	CHECK_STR(run_leaf(&s, &sig, 1, STANDARD), "OK");
	setup_release(&s);
	setup_init(&s, "CODESEPARATOR @ CHECKSIG");
	sig = sign(&s, SIGHASH_DEFAULT, true, BYTES_NONE);
	CHECK_STR(run_leaf(&s, &sig, 1, STANDARD), "SCHNORR_SIG");
	setup_release(&s);
	/* Not where it does not run. */
	setup_init(&s, "0 IF CODESEPARATOR ENDIF @ CHECKSIG");
	sig = sign(&s, SIGHASH_DEFAULT, true, BYTES_NONE);
	CHECK_STR(run_leaf(&s, &sig, 1, STANDARD), "OK");
	setup_release(&s);
}

/* Anybody's output: version 1 and two bytes. */
TEST(pay_to_anchor)
{
	static const uint8_t anchor[] = { OP_1, 2, 0x4e, 0x73 }, other[] = { OP_1, 2, 0x4e, 0x74 };
	struct setup s;

	setup_init(&s, "1");
	s.spent.script = BYTES_OF(anchor);
	CHECK_STR(run(&s, NULL, 0, STANDARD), "OK");
	s.spent.script = BYTES_OF(other);
	CHECK_STR(run(&s, NULL, 0, CONSENSUS), "OK");
	CHECK_STR(run(&s, NULL, 0, STANDARD), "DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM");
	setup_release(&s);
}
