/* Every kind of output, spent by real signatures, through the simulator's mempool and blocks.
 *
 * With LAMPO_SIM_BLOCKS=FILE the blocks are written there, for tests/interop/simchain_test.py: Bitcoin Core must take
 * them all. */
#include <stdlib.h>

#include "bitcoin/taproot.h"
#include "crypto/hash.h"
#include "tests/script/opcode.h"
#include "tests/unit/sim_setup.h"

#define EACH 1000000u
#define FEE 2000u

struct keys {
	struct secp *secp;
	struct secret32 secret[3];
	struct pubkey point[3];
};

static void keys_init(struct keys *k)
{
	static const uint8_t blinding[32] = { 9 };

	k->secp = secp_new(blinding);
	for (uint8_t i = 0; i < 3; i++) {
		memset(k->secret[i].v, i + 1, sizeof(k->secret[i].v));
		pubkey_of(k->secp, &k->point[i], &k->secret[i]);
	}
}

/* --- scripts --- */

static struct bytes kept(struct setup *s, struct buf *b)
{
	struct bytes out = arena_bytes(&s->a, buf_view(b));

	buf_release(b);
	return out;
}

static struct bytes p2sh_of(struct setup *s, struct bytes script)
{
	struct hash160 h = hash160(script.data, script.size);

	return script_p2sh(&s->a, &h);
}

static struct bytes p2pkh_of(struct setup *s, const struct pubkey *p)
{
	struct hash160 h = hash160(p->v, sizeof(p->v));

	return script_p2pkh(&s->a, &h);
}

static struct bytes two_of_three(struct setup *s, const struct keys *k)
{
	struct buf b = BUF_EMPTY;

	script_op(&b, OP_2);
	for (int i = 0; i < 3; i++)
		script_push(&b, BYTES_OF(k->point[i].v));
	script_op(&b, OP_3);
	script_op(&b, OP_CHECKMULTISIG);
	return kept(s, &b);
}

/* Two of two keys in tapscript. */
static struct bytes leaf_script(struct setup *s, const struct keys *k)
{
	struct xonly a = xonly_of(&k->point[0]), b = xonly_of(&k->point[1]);
	struct buf out = BUF_EMPTY;

	script_push(&out, BYTES_OF(a.v));
	script_op(&out, OP_CHECKSIG);
	script_push(&out, BYTES_OF(b.v));
	script_op(&out, OP_CHECKSIGADD);
	script_op(&out, OP_2);
	script_op(&out, OP_NUMEQUAL);
	return kept(s, &out);
}

/* A key after three blocks, or another after a height. */
static struct bytes timed_script(struct setup *s, const struct keys *k, uint32_t height)
{
	struct buf b = BUF_EMPTY;

	script_op(&b, OP_IF);
	script_number(&b, 3);
	script_op(&b, OP_CHECKSEQUENCEVERIFY);
	script_op(&b, OP_DROP);
	script_push(&b, BYTES_OF(k->point[0].v));
	script_op(&b, OP_ELSE);
	script_number(&b, height);
	script_op(&b, OP_CHECKLOCKTIMEVERIFY);
	script_op(&b, OP_DROP);
	script_push(&b, BYTES_OF(k->point[1].v));
	script_op(&b, OP_ENDIF);
	script_op(&b, OP_CHECKSIG);
	return kept(s, &b);
}

/* --- signatures --- */

static struct bytes ecdsa(struct setup *s, const struct keys *k, int key, const struct sha256 *h, uint8_t type)
{
	uint8_t der[73];
	struct sig64 sig;
	size_t size;

	ecdsa_sign(k->secp, &sig, h, &k->secret[key], true);
	size = sig_to_der(der, &sig);
	der[size++] = type;
	return arena_bytes(&s->a, BYTES(der, size));
}

static struct bytes v0_sig(struct setup *s, const struct keys *k, int key, const struct tx *t, struct bytes code, uint8_t type)
{
	struct sha256 h = sighash_segwit(t, 0, code, SAT(EACH), type);

	return ecdsa(s, k, key, &h, type);
}

static struct bytes old_sig(struct setup *s, const struct keys *k, int key, const struct tx *t, struct bytes code, uint8_t type)
{
	struct sha256 h = sighash_legacy(t, 0, code, type);

	return ecdsa(s, k, key, &h, type);
}

static struct bytes schnorr(struct setup *s, const struct keys *k, const struct secret32 *key, const struct tx *t, struct bytes spent,
			    uint8_t type, const struct sha256 *leaf, struct bytes annex)
{
	struct tx_output out = { SAT(EACH), spent };
	uint8_t raw[65];
	struct sig64 sig;
	struct sha256 h;

	CHECK(sighash_taproot(&h, t, 0, &out, type, leaf, annex));
	schnorr_sign(k->secp, &sig, h.v, key, NULL);
	memcpy(raw, sig.v, 64);
	raw[64] = type;
	return arena_bytes(&s->a, BYTES(raw, type ? 65 : 64));
}

/* --- one of each kind --- */

enum kind { P2PKH, P2SH_MULTISIG, P2WPKH, NESTED, P2WSH_MULTISIG, SINGLE_ANYONE, KEY_PATH, SCRIPT_PATH, AFTER_BLOCKS, AFTER_HEIGHT, KINDS };

struct each {
	struct setup s;
	struct keys k;
	struct bytes scripts[KINDS], inner[KINDS]; /* what is hashed in them */
	struct xonly internal;
	struct sha256 leaf;
	int parity;
	struct coin coins[KINDS];
};

static void make_scripts(struct each *x)
{
	struct setup *s = &x->s;
	struct xonly output;

	x->scripts[P2PKH] = p2pkh_of(s, &x->k.point[0]);
	x->inner[P2SH_MULTISIG] = two_of_three(s, &x->k);
	x->scripts[P2SH_MULTISIG] = p2sh_of(s, x->inner[P2SH_MULTISIG]);
	x->scripts[P2WPKH] = script_p2wpkh(&s->a, &x->k.point[0]);
	x->inner[NESTED] = script_p2wpkh(&s->a, &x->k.point[1]);
	x->scripts[NESTED] = p2sh_of(s, x->inner[NESTED]);
	x->inner[P2WSH_MULTISIG] = x->inner[SINGLE_ANYONE] = x->inner[P2SH_MULTISIG];
	x->scripts[P2WSH_MULTISIG] = x->scripts[SINGLE_ANYONE] = script_p2wsh(&s->a, x->inner[P2WSH_MULTISIG]);
	x->inner[SCRIPT_PATH] = leaf_script(s, &x->k);
	x->internal = xonly_of(&x->k.point[2]);
	x->leaf = taproot_leaf_hash(TAPROOT_LEAF_TAPSCRIPT, x->inner[SCRIPT_PATH]);
	CHECK(taproot_output_key(&output, &x->parity, &x->internal, &x->leaf));
	x->scripts[KEY_PATH] = x->scripts[SCRIPT_PATH] = script_p2tr(&s->a, &output);
	x->inner[AFTER_BLOCKS] = x->inner[AFTER_HEIGHT] = timed_script(s, &x->k, SIM_FIRST_HEIGHT + 5);
	x->scripts[AFTER_BLOCKS] = x->scripts[AFTER_HEIGHT] = script_p2wsh(&s->a, x->inner[AFTER_BLOCKS]);
}

static void open_each(struct each *x)
{
	const struct sim_tx *t;

	setup_init(&x->s);
	keys_init(&x->k);
	make_scripts(x);
	sim_chain_grant(x->s.c, x->scripts, KINDS, SAT(EACH));
	t = sim_chain_mempool_at(x->s.c, 0);
	for (uint32_t i = 0; i < KINDS; i++)
		x->coins[i] = (struct coin){ { t->id, i }, EACH };
	mine(&x->s, 1);
	CHECK_EQ(t->height, SIM_FIRST_HEIGHT + 1);
}

static void close_each(struct each *x)
{
	secp_free(x->k.secp);
	setup_release(&x->s);
}

static void set_script_sig(struct setup *s, struct tx *t, const struct bytes *pushes, uint32_t count)
{
	struct buf b = BUF_EMPTY;

	for (uint32_t i = 0; i < count; i++)
		script_push(&b, pushes[i]);
	t->inputs[0].script_sig = kept(s, &b);
}

static void sign_legacy(struct each *x, struct tx *t, enum kind kind)
{
	struct setup *s = &x->s;
	struct bytes code = kind == P2PKH ? x->scripts[P2PKH] : x->inner[kind];
	struct bytes p2pkh[2] = { old_sig(s, &x->k, 0, t, code, SIGHASH_ALL), BYTES_OF(x->k.point[0].v) };
	struct bytes multi[4] = { BYTES_NONE, old_sig(s, &x->k, 0, t, code, SIGHASH_ALL), old_sig(s, &x->k, 2, t, code, SIGHASH_NONE), code };

	if (kind == P2PKH)
		set_script_sig(s, t, p2pkh, 2);
	else
		set_script_sig(s, t, multi, 4);
}

static void sign_v0(struct each *x, struct tx *t, enum kind kind)
{
	struct setup *s = &x->s;
	int key = kind == NESTED;
	struct bytes code = p2pkh_of(s, &x->k.point[key]), items[4];
	uint8_t type = kind == SINGLE_ANYONE ? SIGHASH_SINGLE | SIGHASH_ANYONECANPAY : SIGHASH_ALL;

	if (kind == P2WPKH || kind == NESTED) {
		items[0] = v0_sig(s, &x->k, key, t, code, SIGHASH_ALL);
		items[1] = BYTES_OF(x->k.point[key].v);
		tx_set_witness(&s->a, t, 0, items, 2);
		if (kind == NESTED)
			set_script_sig(s, t, &x->inner[NESTED], 1);
		return;
	}
	items[0] = BYTES_NONE;
	items[1] = v0_sig(s, &x->k, 1, t, x->inner[kind], type);
	items[2] = v0_sig(s, &x->k, 2, t, x->inner[kind], SIGHASH_ALL);
	items[3] = x->inner[kind];
	tx_set_witness(&s->a, t, 0, items, 4);
}

static void sign_timed(struct each *x, struct tx *t, enum kind kind)
{
	static const uint8_t yes[] = { 1 };
	struct bytes items[3] = { v0_sig(&x->s, &x->k, kind == AFTER_HEIGHT, t, x->inner[kind], SIGHASH_ALL),
				  kind == AFTER_BLOCKS ? BYTES_OF(yes) : BYTES_NONE, x->inner[kind] };

	tx_set_witness(&x->s.a, t, 0, items, 3);
}

static void sign_taproot(struct each *x, struct tx *t, enum kind kind)
{
	struct setup *s = &x->s;
	struct secret32 key = x->k.secret[2];
	struct buf control = BUF_EMPTY;
	struct bytes items[4];

	if (kind == KEY_PATH) {
		CHECK(taproot_seckey(x->k.secp, &key, &x->leaf));
		items[0] = schnorr(s, &x->k, &key, t, x->scripts[kind], SIGHASH_DEFAULT, NULL, BYTES_NONE);
		tx_set_witness(&s->a, t, 0, items, 1);
		return;
	}
	taproot_control_block(&control, TAPROOT_LEAF_TAPSCRIPT, x->parity, &x->internal, NULL, 0);
	items[0] = schnorr(s, &x->k, &x->k.secret[1], t, x->scripts[kind], SIGHASH_ALL | SIGHASH_ANYONECANPAY, &x->leaf, BYTES_NONE);
	items[1] = schnorr(s, &x->k, &x->k.secret[0], t, x->scripts[kind], SIGHASH_SINGLE, &x->leaf, BYTES_NONE);
	items[2] = x->inner[kind];
	items[3] = kept(s, &control);
	tx_set_witness(&s->a, t, 0, items, 4);
}

static struct tx *spend_kind(struct each *x, enum kind kind)
{
	struct how h = { .coins = &x->coins[kind], .fee = FEE, .sequence = kind == AFTER_BLOCKS ? 3 : 0,
			 .locktime = kind == AFTER_HEIGHT ? SIM_FIRST_HEIGHT + 5 : 0 };
	struct tx *t = spend(&x->s, &h);

	tx_set_witness(&x->s.a, t, 0, NULL, 0);
	switch (kind) {
	case P2PKH:
	case P2SH_MULTISIG:
		sign_legacy(x, t, kind);
		break;
	case P2WPKH:
	case NESTED:
	case P2WSH_MULTISIG:
	case SINGLE_ANYONE:
		sign_v0(x, t, kind);
		break;
	case KEY_PATH:
	case SCRIPT_PATH:
		sign_taproot(x, t, kind);
		break;
	case AFTER_BLOCKS:
	case AFTER_HEIGHT:
		sign_timed(x, t, kind);
		break;
	case KINDS:
		UNREACHABLE();
	}
	return t;
}

TEST(every_kind_is_spent_by_its_signatures)
{
	const char *path = getenv("LAMPO_SIM_BLOCKS");
	struct each x;
	struct tx *t[KINDS];

	open_each(&x);
	for (enum kind i = 0; i < KINDS; i++)
		t[i] = spend_kind(&x, i);
	REFUSED(offer(&x.s, t[AFTER_BLOCKS]), "non-BIP68-final");
	REFUSED(offer(&x.s, t[AFTER_HEIGHT]), "non-final");
	for (enum kind i = 0; i < AFTER_BLOCKS; i++)
		TAKEN(offer(&x.s, t[i]));
	mine(&x.s, 2);
	TAKEN(offer(&x.s, t[AFTER_BLOCKS]));
	mine(&x.s, 1);
	sim_chain_reorg(x.s.c, 2);
	mine(&x.s, 4);
	TAKEN(offer(&x.s, t[AFTER_HEIGHT]));
	TAKEN(offer(&x.s, t[AFTER_BLOCKS]));
	mine(&x.s, 1);
	for (enum kind i = 0; i < KINDS; i++)
		CHECK(height_of(&x.s, t[i]));
	if (path)
		CHECK(sim_chain_write(x.s.c, path));
	close_each(&x);
}

TEST(a_signature_is_of_its_transaction)
{
	struct each x;

	open_each(&x);
	mine(&x.s, 5);
	for (enum kind i = 0; i < KINDS; i++) {
		struct tx *t = spend_kind(&x, i);
		const char *why;

		t->outputs[0].amount.v--;
		why = offer(&x.s, t);
		/* The second signature of that multisig says nothing about outputs, the first all. */
		CHECK(why && strstr(why, "script-verify-flag-failed") && !in_mempool(&x.s, t));
		t->outputs[0].amount.v++;
		TAKEN(offer(&x.s, t));
	}
	close_each(&x);
}

/* Before its time a branch fails whatever the transaction says of itself. */
TEST(branches_of_a_script_have_their_time)
{
	struct each x;
	struct tx *t;

	open_each(&x);
	mine(&x.s, 5);
	t = spend_kind(&x, AFTER_BLOCKS);
	t->inputs[0].sequence = 2;
	sign_timed(&x, t, AFTER_BLOCKS);
	REFUSED(offer(&x.s, t), "mempool-script-verify-flag-failed (UNSATISFIED_LOCKTIME)");
	t = spend_kind(&x, AFTER_HEIGHT);
	t->locktime = SIM_FIRST_HEIGHT + 4;
	sign_timed(&x, t, AFTER_HEIGHT);
	REFUSED(offer(&x.s, t), "mempool-script-verify-flag-failed (UNSATISFIED_LOCKTIME)");
	t->locktime = SIM_FIRST_HEIGHT + 5;
	t->inputs[0].sequence = 0xffffffff;
	sign_timed(&x, t, AFTER_HEIGHT);
	REFUSED(offer(&x.s, t), "mempool-script-verify-flag-failed (UNSATISFIED_LOCKTIME)");
	close_each(&x);
}
