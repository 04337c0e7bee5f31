/* Signatures and keys: their encodings through the ages, and what they sign. */
#include <secp256k1.h>
#include <secp256k1_schnorrsig.h>
#include <string.h>

#include "crypto/hash.h"
#include "tests/script/run.h"

#define BUDGET_OF_SIGNATURE 50 /* BIP 342 */
#define DER_SIG_MAX 73u        /* with the hash type */
#define DER_SIG_MIN 9u

/* --- encodings --- */

/* One DER integer of at most 33 bytes: not negative, no zeros in front but where the sign needs one (BIP 66). */
static bool strict_integer(struct cursor *c)
{
	struct bytes n;

	if (cursor_u8(c) != 0x02)
		return false;
	n = cursor_bytes(c, cursor_u8(c));
	if (!cursor_ok(c) || n.size == 0 || (n.data[0] & 0x80))
		return false;
	return n.size == 1 || n.data[0] || (n.data[1] & 0x80);
}

static bool is_strict_der(struct bytes sig)
{
	struct cursor c = cursor_of(sig);

	if (sig.size < DER_SIG_MIN || sig.size > DER_SIG_MAX)
		return false;
	if (cursor_u8(&c) != 0x30 || cursor_u8(&c) != sig.size - 3)
		return false;
	return strict_integer(&c) && strict_integer(&c) && cursor_ok(&c) && c.left == 1;
}

/* A length as OpenSSL read it before BIP 66: short or long form, padded at will. */
static size_t lax_length(struct cursor *c)
{
	uint8_t first = cursor_u8(c);
	size_t size = 0, n;

	if (!(first & 0x80))
		return first;
	for (n = first & 0x7f; n > 0 && c->left && *c->data == 0; n--)
		(void)cursor_u8(c);
	if (n >= sizeof(size))
		cursor_fail(c);
	for (; n > 0 && cursor_ok(c); n--)
		size = size << 8 | cursor_u8(c);
	return size;
}

/* False if it has more than 32 bytes. */
static bool lax_integer(struct cursor *c, uint8_t out32[32])
{
	struct bytes n;

	if (cursor_u8(c) != 0x02)
		cursor_fail(c);
	n = cursor_bytes(c, lax_length(c));
	while (n.size && n.data[0] == 0)
		n = BYTES(n.data + 1, n.size - 1);
	if (!cursor_ok(c) || n.size > 32)
		return false;
	if (n.size)
		memcpy(out32 + 32 - n.size, n.data, n.size);
	return true;
}

/* What follows is ignored, the outer length too.  An integer that is too large makes a signature that never verifies. */
static bool lax_der(secp256k1_ecdsa_signature *out, struct bytes der)
{
	struct cursor c = cursor_of(der);
	uint8_t compact[64] = { 0 }, first;
	bool fits;

	if (cursor_u8(&c) != 0x30)
		return false;
	first = cursor_u8(&c);
	if (first & 0x80)
		cursor_bytes(&c, first & 0x7f);
	fits = lax_integer(&c, compact);
	fits &= lax_integer(&c, compact + 32);
	if (!cursor_ok(&c))
		return false;
	if (!fits || !secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, out, compact)) {
		memset(compact, 0, sizeof(compact));
		return secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, out, compact);
	}
	return true;
}

static bool is_low_s(struct bytes sig)
{
	secp256k1_ecdsa_signature parsed;

	return lax_der(&parsed, BYTES(sig.data, sig.size - 1)) &&
	       !secp256k1_ecdsa_signature_normalize(secp256k1_context_static, NULL, &parsed);
}

static bool hash_type_is_defined(uint8_t type)
{
	type &= (uint8_t)~SIGHASH_ANYONECANPAY;
	return type >= SIGHASH_ALL && type <= SIGHASH_SINGLE;
}

static void check_signature_encoding(struct run *r, struct bytes sig)
{
	if (sig.size == 0)
		return;
	if ((r->flags & (SCRIPT_DERSIG | SCRIPT_LOW_S | SCRIPT_STRICTENC)) && !is_strict_der(sig))
		run_fail(r, SCRIPT_SIG_DER);
	else if ((r->flags & SCRIPT_LOW_S) && !is_low_s(sig))
		run_fail(r, SCRIPT_SIG_HIGH_S);
	else if ((r->flags & SCRIPT_STRICTENC) && !hash_type_is_defined(sig.data[sig.size - 1]))
		run_fail(r, SCRIPT_SIG_HASHTYPE);
}

static bool is_compressed(struct bytes key)
{
	return key.size == 33 && (key.data[0] == 2 || key.data[0] == 3);
}

static void check_key_encoding(struct run *r, struct bytes key)
{
	bool whole = key.size == 65 && key.data[0] == 4;

	if ((r->flags & SCRIPT_STRICTENC) && !is_compressed(key) && !whole)
		run_fail(r, SCRIPT_PUBKEYTYPE);
	else if ((r->flags & SCRIPT_WITNESS_PUBKEYTYPE) && r->version == SIG_WITNESS_V0 && !is_compressed(key))
		run_fail(r, SCRIPT_WITNESS_PUBKEYTYPE_ERROR);
}

/* --- ECDSA --- */

/* The size of what a key's first byte announces; others are none. */
static bool key_size_fits(struct bytes key)
{
	if (!key.size)
		return false;
	if (key.data[0] == 2 || key.data[0] == 3)
		return key.size == 33;
	return (key.data[0] == 4 || key.data[0] == 6 || key.data[0] == 7) && key.size == 65;
}

static bool ecdsa_is_good(struct run *r, struct bytes sig, struct bytes key, struct bytes code)
{
	secp256k1_ecdsa_signature parsed;
	secp256k1_pubkey point;
	uint8_t type;
	struct sha256 h;

	if (!sig.size || !key_size_fits(key) || !secp256k1_ec_pubkey_parse(secp256k1_context_static, &point, key.data, key.size))
		return false;
	type = sig.data[sig.size - 1];
	if (!lax_der(&parsed, BYTES(sig.data, sig.size - 1)))
		return false;
	h = r->version == SIG_WITNESS_V0
		    ? sighash_segwit_cached(r->s->tx, r->input, code, r->s->spent[r->input].amount, type, &r->s->v0)
		    : sighash_legacy(r->s->tx, r->input, code, type);
	/* A high S was good before it was refused by policy, and libsecp256k1 takes low ones alone. */
	secp256k1_ecdsa_signature_normalize(secp256k1_context_static, &parsed, &parsed);
	return secp256k1_ecdsa_verify(secp256k1_context_static, &parsed, h.v, &point);
}

/* The script from the last OP_CODESEPARATOR on. */
static struct bytes code_of(const struct run *r)
{
	return BYTES(r->code, (size_t)(r->script.data + r->script.size - r->code));
}

static bool begins_with(struct bytes b, struct bytes what)
{
	return b.size >= what.size && memcmp(b.data, what.data, what.size) == 0;
}

/* Legacy scripts do not sign their own signature: every push of it goes.  (That is FindAndDelete; it looks at opcodes
 * only, and at what follows a cut-off push not at all.) */
static struct bytes without_signature(struct run *r, struct bytes code, struct bytes sig)
{
	struct buf what = BUF_EMPTY, kept = BUF_EMPTY;
	struct cursor c = cursor_of(code);
	const uint8_t *from = c.data;
	struct bytes push, out = code;
	bool found = false;
	uint8_t op;

	script_push(&what, sig);
	for (;;) {
		/* Here an opcode begins. */
		if (c.data)
			buf_add(&kept, from, (size_t)(c.data - from));
		while (begins_with(BYTES(c.data, c.left), buf_view(&what))) {
			cursor_bytes(&c, what.size);
			found = true;
		}
		from = c.data;
		if (!script_read(&c, &op, &push))
			break;
	}
	if (found) {
		if (from)
			buf_add(&kept, from, (size_t)(code.data + code.size - from));
		out = arena_bytes(r->arena, buf_view(&kept));
		if (r->flags & SCRIPT_CONST_SCRIPTCODE)
			run_fail(r, SCRIPT_SIG_FINDANDDELETE);
	}
	buf_release(&what);
	buf_release(&kept);
	return out;
}

static bool check_ecdsa(struct run *r, struct bytes sig, struct bytes key)
{
	struct bytes code = code_of(r);
	bool good;

	if (r->version == SIG_LEGACY)
		code = without_signature(r, code, sig);
	check_signature_encoding(r, sig);
	check_key_encoding(r, key);
	if (r->error)
		return false;
	good = ecdsa_is_good(r, sig, key, code);
	if (!good && (r->flags & SCRIPT_NULLFAIL) && sig.size)
		run_fail(r, SCRIPT_SIG_NULLFAIL);
	return good;
}

/* --- BIP 340 --- */

enum script_error schnorr_check(struct spending *s, uint32_t input, struct bytes sig, struct bytes key32, const struct run *leaf,
				struct bytes annex)
{
	secp256k1_xonly_pubkey point;
	struct sha256 h;
	uint8_t type = SIGHASH_DEFAULT;

	if (sig.size != 64 && sig.size != 65)
		return SCRIPT_SCHNORR_SIG_SIZE;
	if (sig.size == 65) {
		type = sig.data[64];
		if (type == SIGHASH_DEFAULT)
			return SCRIPT_SCHNORR_SIG_HASHTYPE;
	}
	if (!taproot_digest(&h, s, input, type, leaf, annex))
		return SCRIPT_SCHNORR_SIG_HASHTYPE;
	if (!secp256k1_xonly_pubkey_parse(secp256k1_context_static, &point, key32.data) ||
	    !secp256k1_schnorrsig_verify(secp256k1_context_static, sig.data, h.v, sizeof(h.v), &point))
		return SCRIPT_SCHNORR_SIG;
	return SCRIPT_OK;
}

/* BIP 342 "Rules for signature opcodes". */
static bool check_tapscript(struct run *r, struct bytes sig, struct bytes key)
{
	enum script_error e;

	if (sig.size) {
		r->budget -= BUDGET_OF_SIGNATURE;
		if (r->budget < 0) {
			run_fail(r, SCRIPT_TAPSCRIPT_VALIDATION_WEIGHT);
			return false;
		}
	}
	if (key.size == 0) {
		run_fail(r, SCRIPT_TAPSCRIPT_EMPTY_PUBKEY);
	} else if (key.size == 32) {
		e = sig.size ? schnorr_check(r->s, r->input, sig, key, r, r->annex) : SCRIPT_OK;
		if (e)
			run_fail(r, e);
	} else if (r->flags & SCRIPT_DISCOURAGE_UPGRADABLE_PUBKEYTYPE) {
		run_fail(r, SCRIPT_DISCOURAGED_PUBKEYTYPE);
	}
	return sig.size && !r->error;
}

/* --- opcodes --- */

void run_checksig(struct run *r, bool verify)
{
	struct bytes sig, key;
	bool good;

	if (!run_needs(r, 2))
		return;
	key = run_pop(r);
	sig = run_pop(r);
	good = r->version == SIG_TAPSCRIPT ? check_tapscript(r, sig, key) : check_ecdsa(r, sig, key);
	if (r->error)
		return;
	if (!verify)
		run_push_bool(r, good);
	else if (!good)
		run_fail(r, SCRIPT_CHECKSIGVERIFY);
}

void run_checksigadd(struct run *r)
{
	struct bytes key, sig;
	int64_t n;

	if (!run_needs(r, 3))
		return;
	key = run_pop(r);
	n = run_pop_number(r);
	sig = run_pop(r);
	if (r->error)
		return;
	n += check_tapscript(r, sig, key);
	if (!r->error)
		run_push_number(r, n);
}

/* The keys and signatures of an OP_CHECKMULTISIG, the last pushed first. */
struct multisig {
	uint32_t first_key, key_count, first_sig, sig_count; /* depths */
	uint32_t depth; /* of all with the dummy */
};

static bool read_multisig(struct run *r, struct multisig *m)
{
	int64_t n = run_number(r, run_peek(r, 0), 4);

	if (r->error)
		return false;
	if (n < 0 || n > SCRIPT_KEYS_MAX) {
		run_fail(r, SCRIPT_PUBKEY_COUNT);
		return false;
	}
	m->first_key = 1;
	m->key_count = (uint32_t)n;
	r->op_count += m->key_count;
	if (r->op_count > SCRIPT_OPS_MAX) {
		run_fail(r, SCRIPT_OP_COUNT);
		return false;
	}
	n = run_number(r, run_peek(r, 1 + m->key_count), 4);
	if (r->error)
		return false;
	if (n < 0 || n > m->key_count) {
		run_fail(r, SCRIPT_SIG_COUNT);
		return false;
	}
	m->first_sig = m->key_count + 2;
	m->sig_count = (uint32_t)n;
	m->depth = m->first_sig + m->sig_count + 1;
	return run_needs(r, m->depth);
}

/* Each signature has its key, in the same order. */
static bool signatures_match(struct run *r, const struct multisig *m, struct bytes code)
{
	uint32_t key = 0, sig = 0;

	while (sig < m->sig_count) {
		struct bytes s = run_peek(r, m->first_sig + sig), k;

		if (m->sig_count - sig > m->key_count - key)
			return false;
		k = run_peek(r, m->first_key + key);
		check_signature_encoding(r, s);
		check_key_encoding(r, k);
		if (r->error)
			return false;
		sig += ecdsa_is_good(r, s, k, code);
		key++;
	}
	return true;
}

void run_checkmultisig(struct run *r, bool verify)
{
	struct bytes code = code_of(r), dummy;
	struct multisig m;
	bool good;

	if (r->version == SIG_TAPSCRIPT) {
		run_fail(r, SCRIPT_TAPSCRIPT_CHECKMULTISIG);
		return;
	}
	if (!read_multisig(r, &m))
		return;
	for (uint32_t i = 0; i < m.sig_count && r->version == SIG_LEGACY; i++)
		code = without_signature(r, code, run_peek(r, m.first_sig + i));
	good = !r->error && signatures_match(r, &m, code);
	for (uint32_t i = 0; i < m.sig_count && !good && (r->flags & SCRIPT_NULLFAIL); i++)
		if (run_peek(r, m.first_sig + i).size)
			run_fail(r, SCRIPT_SIG_NULLFAIL);
	if (r->error)
		return;
	r->stack.count -= m.depth - 1;
	dummy = run_pop(r);
	if (!r->error && (r->flags & SCRIPT_NULLDUMMY) && dummy.size)
		run_fail(r, SCRIPT_SIG_NULLDUMMY);
	if (r->error)
		return;
	if (!verify)
		run_push_bool(r, good);
	else if (!good)
		run_fail(r, SCRIPT_CHECKMULTISIGVERIFY);
}
