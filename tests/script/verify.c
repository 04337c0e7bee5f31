/* From an input to the scripts that it must satisfy: BIP 16, 141, 341. */
#include <string.h>

#include "crypto/hash.h"
#include "tests/script/run.h"

#define PAY_TO_ANCHOR_SIZE 2u

/* What one verification uses. */
struct verification {
	struct spending *s;
	const struct tx_input *in;
	uint32_t input, flags;
	struct arena arena;
	bool had_witness;
};

void spending_init(struct spending *s, const struct tx *tx, const struct tx_output *spent)
{
	memset(s, 0, sizeof(*s));
	s->tx = tx;
	s->spent = spent;
}

static struct run run_of(struct verification *v, enum sig_version version)
{
	return (struct run){ .s = v->s, .input = v->input, .flags = v->flags, .version = version, .arena = &v->arena };
}

static bool is_pushes(struct bytes s)
{
	struct cursor c = cursor_of(s);
	struct bytes push;
	uint8_t op;

	while (script_read(&c, &op, &push))
		if (op > OP_16)
			return false;
	return cursor_ok(&c);
}

static enum script_error judge_top(const struct stack *s)
{
	return s->count && item_is_true(s->items[s->count - 1]) ? SCRIPT_OK : SCRIPT_EVAL_FALSE;
}

/* The program's script over the first items of the witness, clean at its end. */
static enum script_error run_witness(struct verification *v, struct bytes script, uint32_t count)
{
	struct run r = run_of(v, SIG_WITNESS_V0);
	enum script_error e;

	for (uint32_t i = 0; i < count; i++) {
		if (v->in->witness[i].size > SCRIPT_ELEMENT_MAX)
			return SCRIPT_PUSH_SIZE;
		run_push(&r, v->in->witness[i]);
	}
	e = run_script(&r, script);
	if (e)
		return e;
	return r.stack.count == 1 ? judge_top(&r.stack) : SCRIPT_CLEANSTACK_ERROR;
}

static enum script_error verify_v0(struct verification *v, struct bytes program)
{
	uint32_t count = v->in->witness_count;
	struct bytes script;
	struct sha256 h;
	struct hash160 key;

	if (program.size == 32) {
		if (!count)
			return SCRIPT_WITNESS_PROGRAM_WITNESS_EMPTY;
		script = v->in->witness[count - 1];
		h = sha256(script.data, script.size);
		if (memcmp(h.v, program.data, sizeof(h.v)) != 0)
			return SCRIPT_WITNESS_PROGRAM_MISMATCH;
		return run_witness(v, script, count - 1);
	}
	if (program.size != 20)
		return SCRIPT_WITNESS_PROGRAM_WRONG_LENGTH;
	if (count != 2)
		return SCRIPT_WITNESS_PROGRAM_MISMATCH;
	memcpy(key.v, program.data, sizeof(key.v));
	return run_witness(v, script_p2pkh(&v->arena, &key), 2);
}

static enum script_error verify_witness(struct verification *v, struct bytes script, bool nested)
{
	static const uint8_t anchor[PAY_TO_ANCHOR_SIZE] = { 0x4e, 0x73 };
	struct bytes program = BYTES(script.data + 2, script.size - 2);
	uint8_t version = script.data[0];

	v->had_witness = true;
	if (version == OP_0)
		return verify_v0(v, program);
	if (version == OP_1 && program.size == 32 && !nested)
		return v->flags & SCRIPT_TAPROOT ? verify_taproot(v->s, v->input, v->flags, &v->arena, program) : SCRIPT_OK;
	if (version == OP_1 && !nested && bytes_equal(program, BYTES_OF(anchor)))
		return SCRIPT_OK;
	return v->flags & SCRIPT_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM ? SCRIPT_DISCOURAGED_WITNESS_PROGRAM : SCRIPT_OK;
}

/* BIP 16: what the last push holds is a script.  r's stack is that of script_sig. */
static enum script_error verify_p2sh(struct verification *v, struct run *r)
{
	struct buf push = BUF_EMPTY;
	enum script_error e;
	struct bytes script;
	bool exact;

	if (!is_pushes(v->in->script_sig))
		return SCRIPT_SIG_PUSHONLY;
	script = run_pop(r);
	e = run_script(r, script);
	if (!e)
		e = judge_top(&r->stack);
	if (e || !(v->flags & SCRIPT_WITNESS) || !script_is_witness(script))
		return e;
	script_push(&push, script);
	exact = bytes_equal(buf_view(&push), v->in->script_sig);
	buf_release(&push);
	if (!exact)
		return SCRIPT_WITNESS_MALLEATED_P2SH;
	r->stack.count = 1;
	return verify_witness(v, script, true);
}

/* The stack of script_sig once more, for BIP 16. */
static struct run copy_of(struct verification *v, const struct run *r)
{
	struct run copy = run_of(v, SIG_LEGACY);

	for (uint32_t i = 0; i < r->stack.count; i++)
		run_push(&copy, r->stack.items[i]);
	return copy;
}

static enum script_error verify(struct verification *v, struct bytes script)
{
	struct run r = run_of(v, SIG_LEGACY), before;
	enum script_error e;

	if ((v->flags & SCRIPT_SIGPUSHONLY) && !is_pushes(v->in->script_sig))
		return SCRIPT_SIG_PUSHONLY;
	e = run_script(&r, v->in->script_sig);
	if (e)
		return e;
	before = copy_of(v, &r);
	e = run_script(&r, script);
	if (!e)
		e = judge_top(&r.stack);
	if (e)
		return e;
	if ((v->flags & SCRIPT_WITNESS) && script_is_witness(script)) {
		if (v->in->script_sig.size)
			return SCRIPT_WITNESS_MALLEATED;
		e = verify_witness(v, script, false);
		r.stack.count = 1; /* a witness was clean or is an error */
	} else if ((v->flags & SCRIPT_P2SH) && script_is_p2sh(script)) {
		e = verify_p2sh(v, &before);
		r = before;
	}
	if (e)
		return e;
	if ((v->flags & SCRIPT_CLEANSTACK) && r.stack.count != 1)
		return SCRIPT_CLEANSTACK_ERROR;
	if ((v->flags & SCRIPT_WITNESS) && !v->had_witness && v->in->witness_count)
		return SCRIPT_WITNESS_UNEXPECTED;
	return SCRIPT_OK;
}

enum script_error spending_verify(struct spending *s, uint32_t input, uint32_t flags)
{
	struct verification v = { .s = s, .input = input, .flags = flags };
	enum script_error e;

	ASSERT(input < s->tx->input_count);
	ASSERT(!(flags & SCRIPT_CLEANSTACK) || (flags & SCRIPT_WITNESS));
	ASSERT(!(flags & SCRIPT_WITNESS) || (flags & SCRIPT_P2SH));
	v.in = &s->tx->inputs[input];
	arena_init(&v.arena);
	e = verify(&v, s->spent[input].script);
	arena_release(&v.arena);
	return e;
}

enum script_error spending_verify_all(struct spending *s, uint32_t flags)
{
	enum script_error e = SCRIPT_OK;

	for (uint32_t i = 0; i < s->tx->input_count && !e; i++)
		e = spending_verify(s, i, flags);
	return e;
}

/* The lock time of the transaction and of this input, in blocks. */
static bool is_time(const struct tx *t, uint32_t input, uint32_t age, uint32_t height)
{
	uint32_t sequence = t->inputs[input].sequence;

	if (t->locktime && sequence != 0xffffffff && t->locktime >= height)
		return false;
	if (t->version >= 2 && !(sequence & 0x80000000u))
		return !(sequence & 0x400000u) && age >= (sequence & 0xffff);
	return true;
}

bool spend_is_valid(const struct tx *t, uint32_t input, const struct tx_output *spent, uint32_t age, uint32_t height)
{
	struct tx_output *all = NEW_ARRAY(struct tx_output, t->input_count);
	struct spending s;
	bool good;

	/* What the other inputs spend matters to taproot alone, and those scripts are not judged here. */
	all[input] = *spent;
	spending_init(&s, t, all);
	good = is_time(t, input, age, height) && spending_verify(&s, input, SCRIPT_STANDARD) == SCRIPT_OK;
	mem_free(all);
	return good;
}
