/* Opcodes that move items, compare or hash them. */
#include <nettle/sha1.h>

#include "crypto/hash.h"
#include "tests/script/run.h"

/* The item at that depth once more, on top. */
static void copy_up(struct run *r, uint32_t depth)
{
	struct bytes item = run_peek(r, depth);

	if (!r->error)
		run_push(r, item);
}

static void copy_many(struct run *r, uint32_t depth, uint32_t count)
{
	if (!run_needs(r, depth + 1))
		return;
	for (uint32_t i = 0; i < count; i++)
		copy_up(r, depth);
}

static void move_up(struct run *r, uint32_t depth)
{
	struct bytes item = run_remove(r, depth);

	if (!r->error)
		run_push(r, item);
}

static void pick(struct run *r, bool away)
{
	int64_t n;

	if (!run_needs(r, 2))
		return;
	n = run_pop_number(r);
	if (r->error)
		return;
	if (n < 0 || n >= r->stack.count)
		run_fail(r, SCRIPT_INVALID_STACK_OPERATION);
	else if (away)
		move_up(r, (uint32_t)n);
	else
		copy_up(r, (uint32_t)n);
}

static void drop(struct run *r, uint32_t count)
{
	if (run_needs(r, count))
		r->stack.count -= count;
}

static void from_alt(struct run *r)
{
	if (!r->alt.count)
		run_fail(r, SCRIPT_INVALID_ALTSTACK_OPERATION);
	else
		run_push(r, r->alt.items[--r->alt.count]);
}

static void to_alt(struct run *r)
{
	struct bytes item = run_pop(r);

	if (!r->error)
		stack_push(r, &r->alt, item);
}

static void equal(struct run *r, bool verify)
{
	bool same;

	if (!run_needs(r, 2))
		return;
	same = bytes_equal(run_peek(r, 0), run_peek(r, 1));
	r->stack.count -= 2;
	if (!verify)
		run_push_bool(r, same);
	else if (!same)
		run_fail(r, SCRIPT_EQUALVERIFY);
}

static void digest(struct run *r, uint8_t op)
{
	struct bytes b = run_pop(r);
	struct ripemd160 ripemd;
	struct hash160 hash;
	struct sha256 sha;
	struct sha1_ctx sha1;
	uint8_t out20[SHA1_DIGEST_SIZE];

	if (r->error)
		return;
	switch (op) {
	case OP_RIPEMD160:
		ripemd = ripemd160(b.data, b.size);
		run_push_copy(r, ripemd.v, sizeof(ripemd.v));
		return;
	case OP_SHA1:
		sha1_init(&sha1);
		sha1_update(&sha1, b.size, b.data);
		sha1_digest(&sha1, sizeof(out20), out20);
		run_push_copy(r, out20, sizeof(out20));
		return;
	case OP_HASH160:
		hash = hash160(b.data, b.size);
		run_push_copy(r, hash.v, sizeof(hash.v));
		return;
	}
	sha = op == OP_SHA256 ? sha256(b.data, b.size) : sha256d(b.data, b.size);
	run_push_copy(r, sha.v, sizeof(sha.v));
}

static bool run_double_op(struct run *r, uint8_t op)
{
	switch (op) {
	case OP_2DROP:
		drop(r, 2);
		return true;
	case OP_2DUP:
		copy_many(r, 1, 2);
		return true;
	case OP_3DUP:
		copy_many(r, 2, 3);
		return true;
	case OP_2OVER:
		copy_many(r, 3, 2);
		return true;
	case OP_2ROT:
		move_up(r, 5);
		move_up(r, 5);
		return true;
	case OP_2SWAP:
		move_up(r, 3);
		move_up(r, 3);
		return true;
	}
	return false;
}

bool run_stack_op(struct run *r, uint8_t op)
{
	if (run_double_op(r, op))
		return true;
	switch (op) {
	case OP_TOALTSTACK:
		to_alt(r);
		return true;
	case OP_FROMALTSTACK:
		from_alt(r);
		return true;
	case OP_IFDUP:
		if (item_is_true(run_peek(r, 0)))
			copy_up(r, 0);
		return true;
	case OP_DEPTH:
		run_push_number(r, r->stack.count);
		return true;
	case OP_DROP:
		drop(r, 1);
		return true;
	case OP_DUP:
		copy_up(r, 0);
		return true;
	case OP_NIP:
		run_remove(r, 1);
		return true;
	case OP_OVER:
		copy_up(r, 1);
		return true;
	case OP_PICK:
	case OP_ROLL:
		pick(r, op == OP_ROLL);
		return true;
	case OP_ROT:
		move_up(r, 2);
		return true;
	case OP_SWAP:
		move_up(r, 1);
		return true;
	case OP_TUCK:
		if (run_needs(r, 2))
			run_insert(r, 2, run_peek(r, 0));
		return true;
	case OP_SIZE:
		if (run_needs(r, 1))
			run_push_number(r, (int64_t)run_peek(r, 0).size);
		return true;
	case OP_EQUAL:
	case OP_EQUALVERIFY:
		equal(r, op == OP_EQUALVERIFY);
		return true;
	case OP_RIPEMD160:
	case OP_SHA1:
	case OP_SHA256:
	case OP_HASH160:
	case OP_HASH256:
		digest(r, op);
		return true;
	}
	return false;
}
