#include "tests/script/run.h"

#define LOCKTIME_THRESHOLD 500000000
#define LOCKTIME_SIZE_MAX 5u
#define SEQUENCE_FINAL 0xffffffffu
#define SEQUENCE_DISABLED (1u << 31)
#define SEQUENCE_IS_TIME (1u << 22)
#define SEQUENCE_MASK 0xffffu

static bool runs(const struct run *r)
{
	return r->dead_at == 0;
}

/* --- OP_IF and its kin --- */

/* MINIMALIF: a condition is nothing or the byte 1. */
static void check_condition(struct run *r, struct bytes b)
{
	bool minimal = b.size == 0 || (b.size == 1 && b.data[0] == 1);

	if (minimal)
		return;
	if (r->version == SIG_TAPSCRIPT)
		run_fail(r, SCRIPT_TAPSCRIPT_MINIMALIF);
	else if (r->version == SIG_WITNESS_V0 && (r->flags & SCRIPT_MINIMALIF))
		run_fail(r, SCRIPT_MINIMALIF_ERROR);
}

static void begin_branch(struct run *r, bool inverted)
{
	struct bytes b;

	r->conditions++;
	if (!runs(r))
		return;
	b = run_pop(r);
	check_condition(r, b);
	if (item_is_true(b) == inverted)
		r->dead_at = r->conditions;
}

static bool flow_op(struct run *r, uint8_t op)
{
	switch (op) {
	case OP_IF:
	case OP_NOTIF:
		begin_branch(r, op == OP_NOTIF);
		return true;
	case OP_ELSE:
		if (!r->conditions)
			run_fail(r, SCRIPT_UNBALANCED_CONDITIONAL);
		else if (runs(r))
			r->dead_at = r->conditions;
		else if (r->dead_at == r->conditions)
			r->dead_at = 0;
		return true;
	case OP_ENDIF:
		if (!r->conditions)
			run_fail(r, SCRIPT_UNBALANCED_CONDITIONAL);
		else if (r->dead_at == r->conditions--)
			r->dead_at = 0;
		return true;
	}
	return false;
}

/* --- time --- */

static void check_locktime(struct run *r)
{
	const struct tx *t = r->s->tx;
	int64_t n = run_number(r, run_peek(r, 0), LOCKTIME_SIZE_MAX);

	if (r->error)
		return;
	if (n < 0)
		run_fail(r, SCRIPT_NEGATIVE_LOCKTIME);
	/* Of one kind, reached, and the input does not switch the lock time off. */
	else if ((n < LOCKTIME_THRESHOLD) != (t->locktime < LOCKTIME_THRESHOLD) || n > t->locktime ||
		 t->inputs[r->input].sequence == SEQUENCE_FINAL)
		run_fail(r, SCRIPT_UNSATISFIED_LOCKTIME);
}

static void check_sequence(struct run *r)
{
	const struct tx *t = r->s->tx;
	uint32_t have = t->inputs[r->input].sequence, want;
	int64_t n = run_number(r, run_peek(r, 0), LOCKTIME_SIZE_MAX);

	if (r->error)
		return;
	if (n < 0) {
		run_fail(r, SCRIPT_NEGATIVE_LOCKTIME);
		return;
	}
	if (n & SEQUENCE_DISABLED)
		return;
	want = (uint32_t)n;
	if ((uint32_t)t->version < 2 || (have & SEQUENCE_DISABLED) || ((have ^ want) & SEQUENCE_IS_TIME) ||
	    (want & SEQUENCE_MASK) > (have & SEQUENCE_MASK))
		run_fail(r, SCRIPT_UNSATISFIED_LOCKTIME);
}

static bool nop_op(struct run *r, uint8_t op)
{
	if (op == OP_NOP)
		return true;
	if (op < OP_NOP1 || op > OP_NOP10)
		return false;
	if (op == OP_CHECKLOCKTIMEVERIFY) {
		if (r->flags & SCRIPT_CHECKLOCKTIMEVERIFY)
			check_locktime(r);
	} else if (op == OP_CHECKSEQUENCEVERIFY) {
		if (r->flags & SCRIPT_CHECKSEQUENCEVERIFY)
			check_sequence(r);
	} else if (r->flags & SCRIPT_DISCOURAGE_UPGRADABLE_NOPS) {
		run_fail(r, SCRIPT_DISCOURAGED_NOPS);
	}
	return true;
}

/* --- signatures --- */

static bool signature_op(struct run *r, uint8_t op)
{
	switch (op) {
	case OP_CODESEPARATOR:
		r->code = r->at.data;
		r->code_position = r->position;
		return true;
	case OP_CHECKSIG:
	case OP_CHECKSIGVERIFY:
		run_checksig(r, op == OP_CHECKSIGVERIFY);
		return true;
	case OP_CHECKMULTISIG:
	case OP_CHECKMULTISIGVERIFY:
		run_checkmultisig(r, op == OP_CHECKMULTISIGVERIFY);
		return true;
	case OP_CHECKSIGADD:
		if (r->version != SIG_TAPSCRIPT)
			return false;
		run_checksigadd(r);
		return true;
	}
	return false;
}

static void other_op(struct run *r, uint8_t op)
{
	if (op == OP_1NEGATE || (op >= OP_1 && op <= OP_16)) {
		run_push_number(r, (int64_t)op - (OP_1 - 1));
	} else if (op == OP_VERIFY) {
		struct bytes b = run_peek(r, 0);

		if (r->error)
			return;
		if (item_is_true(b))
			run_pop(r);
		else
			run_fail(r, SCRIPT_VERIFY);
	} else if (op == OP_RETURN) {
		run_fail(r, SCRIPT_OP_RETURN);
	} else if (!nop_op(r, op) && !run_stack_op(r, op) && !run_number_op(r, op) && !signature_op(r, op)) {
		run_fail(r, SCRIPT_BAD_OPCODE);
	}
}

/* --- what holds for opcodes that do not run as well --- */

/* CVE-2010-5137 and its kin: gone for good. */
static bool is_disabled(uint8_t op)
{
	return (op >= OP_CAT && op <= OP_RIGHT) || (op >= OP_INVERT && op <= OP_XOR) || op == OP_2MUL || op == OP_2DIV ||
	       (op >= OP_MUL && op <= OP_RSHIFT);
}

static bool is_minimal_push(uint8_t op, struct bytes push)
{
	if (push.size == 0)
		return op == OP_0;
	if (push.size == 1 && ((push.data[0] >= 1 && push.data[0] <= 16) || push.data[0] == 0x81))
		return false; /* there is an opcode for it */
	if (push.size < OP_PUSHDATA1)
		return op == push.size;
	if (push.size <= 0xff)
		return op == OP_PUSHDATA1;
	return push.size > 0xffff || op == OP_PUSHDATA2;
}

static void check_op(struct run *r, uint8_t op, struct bytes push)
{
	if (push.size > SCRIPT_ELEMENT_MAX)
		run_fail(r, SCRIPT_PUSH_SIZE);
	else if (r->version != SIG_TAPSCRIPT && op > OP_16 && ++r->op_count > SCRIPT_OPS_MAX)
		run_fail(r, SCRIPT_OP_COUNT);
	else if (is_disabled(op))
		run_fail(r, SCRIPT_DISABLED_OPCODE);
	else if (op == OP_CODESEPARATOR && r->version == SIG_LEGACY && (r->flags & SCRIPT_CONST_SCRIPTCODE))
		run_fail(r, SCRIPT_OP_CODESEPARATOR);
}

static void step(struct run *r, uint8_t op, struct bytes push)
{
	check_op(r, op, push);
	if (r->error)
		return;
	if (op <= OP_PUSHDATA4) {
		if (!runs(r))
			return;
		if ((r->flags & SCRIPT_MINIMALDATA) && !is_minimal_push(op, push))
			run_fail(r, SCRIPT_MINIMALDATA_ERROR);
		else
			run_push(r, push);
	} else if (op == OP_VERIF || op == OP_VERNOTIF) {
		run_fail(r, SCRIPT_BAD_OPCODE); /* even where it does not run */
	} else if (!flow_op(r, op) && runs(r)) {
		other_op(r, op);
	}
	if (r->stack.count + r->alt.count > SCRIPT_STACK_MAX)
		run_fail(r, SCRIPT_STACK_SIZE);
}

enum script_error run_script(struct run *r, struct bytes script)
{
	struct bytes push;
	uint8_t op;

	r->script = script;
	r->at = cursor_of(script);
	r->code = script.data;
	r->code_position = CODE_POSITION_NONE;
	r->op_count = r->conditions = r->dead_at = 0;
	r->alt.count = 0;
	if (r->version != SIG_TAPSCRIPT && script.size > SCRIPT_BYTES_MAX)
		run_fail(r, SCRIPT_SCRIPT_SIZE);
	for (r->position = 0; !r->error && script_read(&r->at, &op, &push); r->position++)
		step(r, op, push);
	if (!cursor_ok(&r->at))
		run_fail(r, SCRIPT_BAD_OPCODE);
	if (r->conditions)
		run_fail(r, SCRIPT_UNBALANCED_CONDITIONAL);
	return r->error;
}
