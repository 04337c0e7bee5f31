/* BIP 341 and 342: what taproot signatures sign, and the way to a leaf. */
#include <string.h>

#include "bitcoin/taproot.h"
#include "crypto/hash.h"
#include "tests/script/run.h"

#define ANNEX_TAG 0x50u
#define CONTROL_BASE 33u
#define CONTROL_NODE 32u
#define CONTROL_NODES_MAX 128u
#define LEAF_MASK 0xfeu
#define BUDGET_BONUS 50

static void add_le32(struct sha256_state *s, uint32_t v)
{
	uint8_t raw[4];

	store_le32(raw, v);
	sha256_add(s, raw, sizeof(raw));
}

static void add_script(struct buf *b, struct bytes script)
{
	buf_add_varint(b, script.size);
	buf_add_bytes(b, script);
}

static struct sha256 hash_and_clear(struct buf *b)
{
	struct sha256 h = sha256(b->data, b->size);

	buf_clear(b);
	return h;
}

/* The parts that all inputs share. */
static void fill(struct spending *s)
{
	const struct tx *t = s->tx;
	struct buf b = BUF_EMPTY;

	if (s->v1_filled)
		return;
	for (uint32_t i = 0; i < t->input_count; i++) {
		buf_add(&b, t->inputs[i].prev.txid.v, 32);
		buf_add_le32(&b, t->inputs[i].prev.index);
	}
	s->prevouts = hash_and_clear(&b);
	for (uint32_t i = 0; i < t->input_count; i++)
		buf_add_le64(&b, s->spent[i].amount.v);
	s->amounts = hash_and_clear(&b);
	for (uint32_t i = 0; i < t->input_count; i++)
		add_script(&b, s->spent[i].script);
	s->scripts = hash_and_clear(&b);
	for (uint32_t i = 0; i < t->input_count; i++)
		buf_add_le32(&b, t->inputs[i].sequence);
	s->sequences = hash_and_clear(&b);
	for (uint32_t i = 0; i < t->output_count; i++)
		tx_output_encode(&t->outputs[i], &b);
	s->outputs = hash_and_clear(&b);
	buf_release(&b);
	s->v1_filled = true;
}

static bool hash_type_is_good(uint8_t type)
{
	return type <= SIGHASH_SINGLE || (type > SIGHASH_ANYONECANPAY && type <= (SIGHASH_ANYONECANPAY | SIGHASH_SINGLE));
}

static void add_input(struct sha256_state *h, const struct spending *s, uint32_t input, bool alone)
{
	const struct tx_input *in = &s->tx->inputs[input];
	struct buf b = BUF_EMPTY;

	if (!alone) {
		add_le32(h, input);
		return;
	}
	buf_add(&b, in->prev.txid.v, 32);
	buf_add_le32(&b, in->prev.index);
	tx_output_encode(&s->spent[input], &b);
	buf_add_le32(&b, in->sequence);
	sha256_add(h, b.data, b.size);
	buf_release(&b);
}

static void add_hash_of(struct sha256_state *h, struct buf *b)
{
	struct sha256 inner = hash_and_clear(b);

	sha256_add(h, inner.v, sizeof(inner.v));
}

bool taproot_digest(struct sha256 *out, struct spending *s, uint32_t input, uint8_t hash_type, const struct run *leaf,
		    struct bytes annex)
{
	bool alone = hash_type & SIGHASH_ANYONECANPAY, single = (hash_type & 3) == SIGHASH_SINGLE, none = (hash_type & 3) == SIGHASH_NONE;
	uint8_t head[2] = { 0, hash_type }, spend_type = (uint8_t)((leaf ? 2 : 0) + (annex.size ? 1 : 0)), key_version = 0;
	struct buf b = BUF_EMPTY;
	struct sha256_state h;

	if (!hash_type_is_good(hash_type) || (single && input >= s->tx->output_count))
		return false;
	fill(s);
	sha256_tagged_init(&h, "TapSighash");
	sha256_add(&h, head, sizeof(head));
	add_le32(&h, (uint32_t)s->tx->version);
	add_le32(&h, s->tx->locktime);
	if (!alone) {
		sha256_add(&h, s->prevouts.v, 32);
		sha256_add(&h, s->amounts.v, 32);
		sha256_add(&h, s->scripts.v, 32);
		sha256_add(&h, s->sequences.v, 32);
	}
	if (!single && !none)
		sha256_add(&h, s->outputs.v, 32);
	sha256_add(&h, &spend_type, 1);
	add_input(&h, s, input, alone);
	if (annex.size) {
		add_script(&b, annex);
		add_hash_of(&h, &b);
	}
	if (single) {
		tx_output_encode(&s->tx->outputs[input], &b);
		add_hash_of(&h, &b);
	}
	if (leaf) {
		sha256_add(&h, leaf->leaf.v, 32);
		sha256_add(&h, &key_version, 1);
		add_le32(&h, leaf->code_position);
	}
	*out = sha256_finish(&h);
	buf_release(&b);
	return true;
}

/* BIP 342: opcodes that end the script well at once, whatever else is in it. */
static bool is_op_success(uint8_t op)
{
	return op == OP_RESERVED || op == OP_VER || (op >= OP_CAT && op <= OP_RIGHT) || (op >= OP_INVERT && op <= OP_XOR) ||
	       op == OP_RESERVED1 || op == OP_RESERVED2 || op == OP_2MUL || op == OP_2DIV || (op >= OP_MUL && op <= OP_RSHIFT) ||
	       (op > OP_CHECKSIGADD && op < 0xff);
}

/* SCRIPT_OK and *over: it is good without running. */
static enum script_error look_through(struct bytes script, uint32_t flags, bool *over)
{
	struct cursor c = cursor_of(script);
	struct bytes push;
	uint8_t op;

	*over = false;
	while (script_read(&c, &op, &push)) {
		if (!is_op_success(op))
			continue;
		*over = true;
		return flags & SCRIPT_DISCOURAGE_OP_SUCCESS ? SCRIPT_DISCOURAGED_OP_SUCCESS : SCRIPT_OK;
	}
	return cursor_ok(&c) ? SCRIPT_OK : SCRIPT_BAD_OPCODE;
}

static int64_t witness_size(const struct tx_input *in)
{
	uint64_t size = varint_size(in->witness_count);

	for (uint32_t i = 0; i < in->witness_count; i++)
		size += varint_size(in->witness[i].size) + in->witness[i].size;
	return (int64_t)size;
}

static enum script_error run_leaf(struct run *r, const struct tx_input *in, uint32_t argument_count, struct bytes script)
{
	enum script_error e;
	bool over;

	e = look_through(script, r->flags, &over);
	if (e || over)
		return e;
	if (argument_count > SCRIPT_STACK_MAX)
		return SCRIPT_STACK_SIZE;
	for (uint32_t i = 0; i < argument_count; i++) {
		if (in->witness[i].size > SCRIPT_ELEMENT_MAX)
			return SCRIPT_PUSH_SIZE;
		run_push(r, in->witness[i]);
	}
	r->budget = witness_size(in) + BUDGET_BONUS;
	e = run_script(r, script);
	if (e)
		return e;
	if (r->stack.count != 1)
		return SCRIPT_CLEANSTACK_ERROR;
	return item_is_true(r->stack.items[0]) ? SCRIPT_OK : SCRIPT_EVAL_FALSE;
}

static bool commits_to(struct bytes program, struct bytes control, const struct sha256 *leaf)
{
	struct xonly internal, output, expect;
	struct sha256 node = *leaf, other;
	int parity;

	memcpy(internal.v, control.data + 1, 32);
	for (size_t at = CONTROL_BASE; at < control.size; at += CONTROL_NODE) {
		memcpy(other.v, control.data + at, 32);
		node = taproot_branch_hash(&node, &other);
	}
	memcpy(expect.v, program.data, 32);
	return taproot_output_key(&output, &parity, &internal, &node) && SAME(output, expect) && parity == (control.data[0] & 1);
}

enum script_error verify_taproot(struct spending *s, uint32_t input, uint32_t flags, struct arena *a, struct bytes program)
{
	const struct tx_input *in = &s->tx->inputs[input];
	struct run r = { .s = s, .input = input, .flags = flags, .version = SIG_TAPSCRIPT, .arena = a };
	uint32_t count = in->witness_count;
	struct bytes control, script;

	if (!count)
		return SCRIPT_WITNESS_PROGRAM_WITNESS_EMPTY;
	if (count >= 2 && in->witness[count - 1].size && in->witness[count - 1].data[0] == ANNEX_TAG)
		r.annex = in->witness[--count];
	if (count == 1)
		return schnorr_check(s, input, in->witness[0], program, NULL, r.annex);
	control = in->witness[count - 1];
	script = in->witness[count - 2];
	if (control.size < CONTROL_BASE || control.size > CONTROL_BASE + CONTROL_NODE * CONTROL_NODES_MAX ||
	    (control.size - CONTROL_BASE) % CONTROL_NODE)
		return SCRIPT_TAPROOT_WRONG_CONTROL_SIZE;
	r.leaf = taproot_leaf_hash(control.data[0] & LEAF_MASK, script);
	if (!commits_to(program, control, &r.leaf))
		return SCRIPT_WITNESS_PROGRAM_MISMATCH;
	if ((control.data[0] & LEAF_MASK) == TAPROOT_LEAF_TAPSCRIPT)
		return run_leaf(&r, in, count - 2, script);
	return flags & SCRIPT_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION ? SCRIPT_DISCOURAGED_TAPROOT_VERSION : SCRIPT_OK;
}
