#include "tests/script/run.h"

#define NUMBER_SIZE_MAX 4u /* what arithmetic takes; results may be larger */

static bool is_minimal(struct bytes b)
{
	uint8_t last;

	if (b.size == 0)
		return true;
	last = b.data[b.size - 1];
	/* The last byte carries more than the sign, or the one before it needs its highest bit. */
	return (last & 0x7f) || (b.size > 1 && (b.data[b.size - 2] & 0x80));
}

int64_t run_number(struct run *r, struct bytes b, size_t size_max)
{
	uint64_t n = 0;

	if (r->error)
		return 0;
	if (b.size > size_max || ((r->flags & SCRIPT_MINIMALDATA) && !is_minimal(b))) {
		run_fail(r, SCRIPT_SCRIPTNUM);
		return 0;
	}
	for (size_t i = 0; i < b.size; i++)
		n |= (uint64_t)b.data[i] << 8 * i;
	if (b.size && (b.data[b.size - 1] & 0x80))
		return -(int64_t)(n & ~(0x80ull << 8 * (b.size - 1)));
	return (int64_t)n;
}

int64_t run_pop_number(struct run *r)
{
	return run_number(r, run_pop(r), NUMBER_SIZE_MAX);
}

void run_push_number(struct run *r, int64_t n)
{
	uint64_t magnitude = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	uint8_t raw[9];
	size_t size = 0;

	for (; magnitude; magnitude >>= 8)
		raw[size++] = (uint8_t)magnitude;
	if (size && (raw[size - 1] & 0x80))
		raw[size++] = 0;
	if (n < 0)
		raw[size - 1] |= 0x80;
	run_push_copy(r, raw, size);
}

static int64_t unary(uint8_t op, int64_t n)
{
	switch (op) {
	case OP_1ADD:
		return n + 1;
	case OP_1SUB:
		return n - 1;
	case OP_NEGATE:
		return -n;
	case OP_ABS:
		return n < 0 ? -n : n;
	case OP_NOT:
		return n == 0;
	}
	return n != 0; /* OP_0NOTEQUAL */
}

static int64_t binary(uint8_t op, int64_t a, int64_t b)
{
	switch (op) {
	case OP_ADD:
		return a + b;
	case OP_SUB:
		return a - b;
	case OP_BOOLAND:
		return a && b;
	case OP_BOOLOR:
		return a || b;
	case OP_NUMEQUAL:
	case OP_NUMEQUALVERIFY:
		return a == b;
	case OP_NUMNOTEQUAL:
		return a != b;
	case OP_LESSTHAN:
		return a < b;
	case OP_GREATERTHAN:
		return a > b;
	case OP_LESSTHANOREQUAL:
		return a <= b;
	case OP_GREATERTHANOREQUAL:
		return a >= b;
	case OP_MIN:
		return a < b ? a : b;
	}
	return a > b ? a : b; /* OP_MAX */
}

static bool is_unary(uint8_t op)
{
	return op == OP_1ADD || op == OP_1SUB || (op >= OP_NEGATE && op <= OP_0NOTEQUAL);
}

static bool is_binary(uint8_t op)
{
	return op == OP_ADD || op == OP_SUB || (op >= OP_BOOLAND && op <= OP_MAX);
}

static void within(struct run *r)
{
	int64_t n, low, high;

	if (!run_needs(r, 3))
		return;
	n = run_number(r, run_peek(r, 2), NUMBER_SIZE_MAX);
	low = run_number(r, run_peek(r, 1), NUMBER_SIZE_MAX);
	high = run_number(r, run_peek(r, 0), NUMBER_SIZE_MAX);
	if (r->error)
		return;
	r->stack.count -= 3;
	run_push_bool(r, low <= n && n < high);
}

bool run_number_op(struct run *r, uint8_t op)
{
	int64_t a, b;

	if (is_unary(op)) {
		a = run_pop_number(r);
		if (!r->error)
			run_push_number(r, unary(op, a));
		return true;
	}
	if (op == OP_WITHIN) {
		within(r);
		return true;
	}
	if (!is_binary(op))
		return false;
	if (!run_needs(r, 2))
		return true;
	b = run_pop_number(r);
	a = run_pop_number(r);
	if (r->error)
		return true;
	if (op != OP_NUMEQUALVERIFY)
		run_push_number(r, binary(op, a, b));
	else if (a != b)
		run_fail(r, SCRIPT_NUMEQUALVERIFY);
	return true;
}
