/* A small interpreter of segwit v0 spends, apart from the code it checks: consensus (BIP 65, 66, 112, 141, 143)
 * and the policies that matter for Lightning (MINIMALIF, NULLFAIL, NULLDUMMY), for the opcodes of BOLT 3.
 *
 * spend_is_valid says whether input of t may spend the output, which has been mined for `age` blocks when t is
 * mined at `height`. */
#ifndef TESTS_SCRIPT_RUN_H
#define TESTS_SCRIPT_RUN_H

#include <string.h>

#include "bitcoin/script.h"
#include "crypto/hash.h"
#include "crypto/keys.h"

#define RUN_STACK_MAX 32

struct run {
	const struct tx *t;
	uint32_t input;
	struct amount_sat amount;
	struct bytes code;
	struct bytes stack[RUN_STACK_MAX];
	uint32_t depth;
	uint8_t scratch[RUN_STACK_MAX * 40];
	size_t scratch_used;
	bool failed;
};

static inline struct bytes run_pop(struct run *r)
{
	if (r->depth == 0) {
		r->failed = true;
		return BYTES_NONE;
	}
	return r->stack[--r->depth];
}

static inline void run_push(struct run *r, struct bytes b)
{
	if (r->depth == RUN_STACK_MAX)
		r->failed = true;
	else
		r->stack[r->depth++] = b;
}

static inline void run_push_copy(struct run *r, const void *p, size_t size)
{
	if (r->scratch_used + size > sizeof(r->scratch)) {
		r->failed = true;
		return;
	}
	memcpy(r->scratch + r->scratch_used, p, size);
	run_push(r, BYTES(r->scratch + r->scratch_used, size));
	r->scratch_used += size;
}

static inline bool run_true(struct bytes b)
{
	for (size_t i = 0; i < b.size; i++)
		if (b.data[i] != 0)
			return !(i == b.size - 1 && b.data[i] == 0x80);
	return false;
}

/* A non-negative minimal number of at most 5 bytes. */
static inline int64_t run_number(struct run *r, struct bytes b)
{
	int64_t n = 0;

	if (b.size > 5 || (b.size && (b.data[b.size - 1] & 0x80)) ||
	    (b.size && b.data[b.size - 1] == 0 && !(b.size > 1 && (b.data[b.size - 2] & 0x80)))) {
		r->failed = true;
		return 0;
	}
	for (size_t i = 0; i < b.size; i++)
		n |= (int64_t)b.data[i] << (8 * i);
	return n;
}

static inline bool run_signature(struct run *r, struct bytes sig, struct bytes key)
{
	struct sig64 compact;
	struct pubkey p;
	struct sha256 hash;

	if (sig.size == 0)
		return false;
	if (key.size != 33 || !sig_from_der(&compact, BYTES(sig.data, sig.size - 1))) {
		r->failed = true; /* STRICTENC */
		return false;
	}
	memcpy(p.v, key.data, 33);
	hash = sighash_segwit(r->t, r->input, r->code, r->amount, sig.data[sig.size - 1]);
	if (!ecdsa_verify(&compact, &hash, &p)) {
		r->failed = true; /* NULLFAIL */
		return false;
	}
	return true;
}

static inline void run_multisig(struct run *r)
{
	struct bytes keys[20], sigs[20];
	int64_t key_count = run_number(r, run_pop(r)), sig_count, at = 0, good = 0;

	if (r->failed || key_count > 20)
		goto fail;
	for (int64_t i = 0; i < key_count; i++)
		keys[key_count - 1 - i] = run_pop(r);
	sig_count = run_number(r, run_pop(r));
	if (r->failed || sig_count > key_count)
		goto fail;
	for (int64_t i = 0; i < sig_count; i++)
		sigs[sig_count - 1 - i] = run_pop(r);
	if (run_pop(r).size != 0) /* NULLDUMMY */
		goto fail;
	for (int64_t i = 0; i < sig_count && !r->failed; i++) {
		for (; at < key_count; at++) {
			bool was = r->failed;

			if (run_signature(r, sigs[i], keys[at])) {
				at++;
				good++;
				break;
			}
			r->failed = was;
		}
	}
	if (good != sig_count)
		goto fail;
	run_push_copy(r, "\1", 1);
	return;
fail:
	r->failed = true;
}

static inline void run_locktime(struct run *r)
{
	int64_t n;

	if (r->depth == 0) {
		r->failed = true;
		return;
	}
	n = run_number(r, r->stack[r->depth - 1]);
	if (n >= 500000000 || n > r->t->locktime || r->t->inputs[r->input].sequence == 0xffffffff)
		r->failed = true;
}

static inline void run_sequence(struct run *r)
{
	uint32_t sequence = r->t->inputs[r->input].sequence;
	int64_t n;

	if (r->depth == 0) {
		r->failed = true;
		return;
	}
	n = run_number(r, r->stack[r->depth - 1]);
	if (n & (1ll << 31))
		return;
	if (r->t->version < 2 || (sequence & 0x80000000u) || (sequence & 0x400000u) || (n & 0x400000) ||
	    (n & 0xffff) > (sequence & 0xffff))
		r->failed = true;
}

static inline bool run_branch(struct run *r)
{
	struct bytes b = run_pop(r);

	if (b.size > 1 || (b.size == 1 && b.data[0] != 1)) /* MINIMALIF */
		r->failed = true;
	return run_true(b);
}

static inline void run_op(struct run *r, uint8_t op)
{
	struct bytes a, b;
	struct hash160 h;
	uint8_t size;

	switch (op) {
	case OP_DUP:
		a = run_pop(r);
		run_push(r, a);
		run_push(r, a);
		return;
	case OP_IFDUP:
		a = run_pop(r);
		run_push(r, a);
		if (run_true(a))
			run_push(r, a);
		return;
	case OP_DROP:
		run_pop(r);
		return;
	case OP_SWAP:
		a = run_pop(r);
		b = run_pop(r);
		run_push(r, a);
		run_push(r, b);
		return;
	case OP_SIZE:
		a = run_pop(r);
		run_push(r, a);
		size = (uint8_t)a.size;
		run_push_copy(r, &size, a.size ? 1 : 0);
		return;
	case OP_HASH160:
		a = run_pop(r);
		h = hash160(a.data, a.size);
		run_push_copy(r, h.v, sizeof(h.v));
		return;
	case OP_EQUAL:
	case OP_EQUALVERIFY:
		a = run_pop(r);
		b = run_pop(r);
		if (op == OP_EQUAL)
			run_push_copy(r, "\1", bytes_equal(a, b) ? 1 : 0);
		else if (!bytes_equal(a, b))
			r->failed = true;
		return;
	case OP_CHECKSIG:
	case OP_CHECKSIGVERIFY:
		a = run_pop(r);
		b = run_pop(r);
		if (run_signature(r, b, a)) {
			if (op == OP_CHECKSIG)
				run_push_copy(r, "\1", 1);
		} else if (op == OP_CHECKSIG) {
			run_push(r, BYTES_NONE);
		} else {
			r->failed = true;
		}
		return;
	case OP_CHECKMULTISIG:
		run_multisig(r);
		return;
	case OP_CHECKLOCKTIMEVERIFY:
		run_locktime(r);
		return;
	case OP_CHECKSEQUENCEVERIFY:
		run_sequence(r);
		return;
	}
	if (op >= OP_1 && op <= OP_16) {
		size = (uint8_t)(op - OP_1 + 1);
		run_push_copy(r, &size, 1);
		return;
	}
	r->failed = true;
}

/* OP_IF and its kin: lives[level] says whether that level runs. */
static inline bool run_flow(struct run *r, uint8_t op, bool *lives, uint32_t *level)
{
	switch (op) {
	case OP_IF:
	case OP_NOTIF:
		if (*level == 15) {
			r->failed = true;
			return true;
		}
		lives[*level + 1] = lives[*level] && run_branch(r) == (op == OP_IF);
		/* A dead level stays dead on either branch. */
		lives[*level + 17] = lives[*level];
		++*level;
		return true;
	case OP_ELSE:
		if (*level == 0)
			r->failed = true;
		else
			lives[*level] = lives[*level + 16] && !lives[*level];
		return true;
	case OP_ENDIF:
		if (*level == 0)
			r->failed = true;
		else
			--*level;
		return true;
	}
	return false;
}

static inline bool run_script(struct run *r)
{
	struct cursor c = cursor_of(r->code);
	bool lives[33] = { true };
	uint32_t level = 0;

	while (c.left && !c.failed && !r->failed) {
		uint8_t op = cursor_u8(&c);

		if (op <= 75) {
			struct bytes data = cursor_bytes(&c, op);

			if (lives[level])
				run_push(r, data);
		} else if (!run_flow(r, op, lives, &level) && lives[level]) {
			run_op(r, op);
		}
	}
	/* Exactly one true item: CLEANSTACK. */
	return !c.failed && !r->failed && level == 0 && r->depth == 1 && run_true(r->stack[0]);
}

static inline bool run_times(const struct tx *t, uint32_t input, uint32_t age, uint32_t height)
{
	uint32_t sequence = t->inputs[input].sequence;

	if (t->locktime && sequence != 0xffffffff && t->locktime >= height)
		return false;
	if (t->version >= 2 && !(sequence & 0x80000000u))
		return !(sequence & 0x400000u) && age >= (sequence & 0xffff);
	return true;
}

static inline bool spend_is_valid(const struct tx *t, uint32_t input, const struct tx_output *spent, uint32_t age,
				  uint32_t height)
{
	struct run r = { .t = t, .input = input, .amount = spent->amount };
	const struct tx_input *in = &t->inputs[input];
	struct sha256 program;
	struct hash160 key;
	struct arena a;
	bool good;

	if (!run_times(t, input, age, height) || in->script_sig.size || in->witness_count == 0 ||
	    in->witness_count > RUN_STACK_MAX)
		return false;
	if (script_is_p2wpkh(spent->script)) {
		if (in->witness_count != 2)
			return false;
		key = hash160(in->witness[1].data, in->witness[1].size);
		if (memcmp(key.v, spent->script.data + 2, 20) != 0)
			return false;
		arena_init(&a);
		r.code = script_p2pkh(&a, &key);
		run_push(&r, in->witness[0]);
		run_push(&r, in->witness[1]);
		good = run_script(&r);
		arena_release(&a);
		return good;
	}
	if (!script_is_p2wsh(spent->script))
		return false;
	r.code = in->witness[in->witness_count - 1];
	program = sha256(r.code.data, r.code.size);
	if (memcmp(program.v, spent->script.data + 2, 32) != 0)
		return false;
	for (uint32_t i = 0; i + 1 < in->witness_count; i++)
		run_push(&r, in->witness[i]);
	return run_script(&r);
}

#endif
