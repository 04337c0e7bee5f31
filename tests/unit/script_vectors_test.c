/* The interpreter against Bitcoin Core's script_tests.json. */
#include <jansson.h>

#include "bitcoin/taproot.h"
#include "tests/unit/script_text.h"

/* BIP 341's point that nobody knows the key of. */
#define NUMS "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"

struct vector {
	struct bytes witness[16];
	uint32_t witness_count;
	struct amount_sat amount;
	struct bytes script_sig, script;
	uint32_t flags;
	const char *expect;
	struct bytes leaf; /* of a taproot vector; empty: none */
};

static struct bytes kept(struct buf *b)
{
	uint8_t *p = test_alloc(b->size + 1);
	size_t size = b->size;

	if (size)
		memcpy(p, b->data, size);
	buf_release(b);
	return BYTES(p, size);
}

static struct sha256 leaf_of(const struct vector *v)
{
	return taproot_leaf_hash(TAPROOT_LEAF_TAPSCRIPT, v->leaf);
}

static struct bytes control_block(const struct vector *v)
{
	struct sha256 root = leaf_of(v);
	struct xonly internal, output;
	struct buf b = BUF_EMPTY;
	int parity;

	memcpy(internal.v, test_unhex(NUMS).data, 32);
	CHECK(taproot_output_key(&output, &parity, &internal, &root));
	taproot_control_block(&b, TAPROOT_LEAF_TAPSCRIPT, parity, &internal, NULL, 0);
	return kept(&b);
}

static struct bytes taproot_script(const struct vector *v)
{
	struct sha256 root = leaf_of(v);
	struct xonly internal, output;
	struct buf b = BUF_EMPTY;
	int parity;

	memcpy(internal.v, test_unhex(NUMS).data, 32);
	CHECK(taproot_output_key(&output, &parity, &internal, &root));
	script_op(&b, OP_1);
	script_push(&b, BYTES_OF(output.v));
	return kept(&b);
}

static void read_witness(struct vector *v, const json_t *list)
{
	size_t count = json_array_size(list);

	for (size_t i = 0; i + 1 < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		CHECK(v->witness_count < ARRAY_COUNT(v->witness));
		if (strncmp(text, "#SCRIPT#", 8) == 0)
			v->witness[v->witness_count++] = v->leaf = text_script(text + 8);
		else if (strcmp(text, "#CONTROLBLOCK#") == 0)
			v->witness[v->witness_count++] = control_block(v);
		else
			v->witness[v->witness_count++] = test_unhex(text);
	}
	v->amount = SAT((uint64_t)(json_number_value(json_array_get(list, count - 1)) * 1e8 + 0.5));
}

static struct tx *crediting(struct arena *a, const struct vector *v)
{
	static const uint8_t two_zeros[] = { OP_0, OP_0 };
	struct tx *t = tx_new(a, 1, 1, 1, 0);

	t->inputs[0].prev.index = UINT32_MAX;
	t->inputs[0].sequence = UINT32_MAX;
	t->inputs[0].script_sig = BYTES_OF(two_zeros);
	t->outputs[0] = (struct tx_output){ v->amount, v->script };
	return t;
}

static enum script_error run(const struct vector *v, uint32_t flags)
{
	struct arena a;
	enum script_error e;
	struct spending s;
	struct tx *from, *t;

	arena_init(&a);
	from = crediting(&a, v);
	t = tx_new(&a, 1, 1, 1, 0);
	t->inputs[0].prev = (struct outpoint){ tx_id(from), 0 };
	t->inputs[0].sequence = UINT32_MAX;
	t->inputs[0].script_sig = v->script_sig;
	tx_set_witness(&a, t, 0, v->witness, v->witness_count);
	t->outputs[0].amount = v->amount;
	spending_init(&s, t, from->outputs);
	e = spending_verify(&s, 0, flags);
	arena_release(&a);
	return e;
}

static void check(const struct vector *v, size_t number)
{
	enum script_error e = run(v, flags_fill(v->flags));

	if (strcmp(script_error_name(e), v->expect) != 0)
		test_failed(__FILE__, __LINE__, "vector %zu: %s, not %s", number, script_error_name(e), v->expect);
	/* A rule more never makes a bad one good, a rule less never a good one bad. */
	for (uint32_t i = 0; i < SCRIPT_FLAG_COUNT; i++) {
		uint32_t flags = e ? flags_fill(v->flags | 1u << i) : flags_trim(v->flags & ~(1u << i));

		if ((run(v, flags) == SCRIPT_OK) != (e == SCRIPT_OK))
			test_failed(__FILE__, __LINE__, "vector %zu: flag %u turns it", number, i);
	}
}

static void read_and_check(const json_t *entry, size_t number)
{
	struct vector v = { .witness_count = 0 };
	size_t at = 0;
	const char *script;

	if (json_is_array(json_array_get(entry, 0)))
		read_witness(&v, json_array_get(entry, at++));
	v.script_sig = text_script(json_string_value(json_array_get(entry, at++)));
	script = json_string_value(json_array_get(entry, at++));
	v.script = v.leaf.data ? taproot_script(&v) : text_script(script);
	v.flags = text_flags(json_string_value(json_array_get(entry, at++)));
	v.expect = json_string_value(json_array_get(entry, at));
	check(&v, number);
}

TEST(script_tests)
{
	struct bytes text = test_shared_file("vectors/bitcoin/script_tests.json");
	json_t *all = json_loadb((const char *)text.data, text.size, 0, NULL), *entry;
	size_t i, count = 0;

	CHECK(json_is_array(all));
	json_array_foreach(all, i, entry) {
		if (json_array_size(entry) < 4)
			continue; /* a comment */
		read_and_check(entry, i);
		count++;
	}
	CHECK(count > 1200);
	json_decref(all);
}
