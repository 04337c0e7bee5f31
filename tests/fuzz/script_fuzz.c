/* Any scripts and witness, run to their end under any flags: nothing is read out of bounds, and a rule more never makes
 * a bad spend good. */
#include "bitcoin/taproot.h"
#include "crypto/hash.h"
#include "tests/script/interpreter.h"

#define SIZE_MAX_FUZZ 20000u /* a signature costs, and a script can ask for one with each byte */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes part(struct cursor *c)
{
	size_t size = cursor_le16(c);

	return cursor_bytes(c, size > c->left ? c->left : size);
}

static uint32_t fill(uint32_t flags)
{
	if (flags & SCRIPT_CLEANSTACK)
		flags |= SCRIPT_WITNESS;
	return flags & SCRIPT_WITNESS ? flags | SCRIPT_P2SH : flags;
}

enum { BARE, P2WSH, P2SH, TAPSCRIPT, WAYS };

/* A taproot output of this one leaf, and its control block. */
static struct bytes taproot(struct arena *a, struct bytes script, struct bytes *control)
{
	/* BIP 341's point that nobody knows the key of. */
	static const struct xonly internal = { { 0x50, 0x92, 0x9b, 0x74, 0xc1, 0xa0, 0x49, 0x54, 0xb7, 0x8b, 0x4b, 0x60, 0x35, 0xe9, 0x7a, 0x5e,
						 0x07, 0x8a, 0x5a, 0x0f, 0x28, 0xec, 0x96, 0xd5, 0x47, 0xbf, 0xee, 0x9a, 0xce, 0x80, 0x3a, 0xc0 } };
	struct sha256 root = taproot_leaf_hash(TAPROOT_LEAF_TAPSCRIPT, script);
	struct buf b = BUF_EMPTY;
	struct xonly output;
	int parity;

	ASSERT(taproot_output_key(&output, &parity, &internal, &root));
	taproot_control_block(&b, TAPROOT_LEAF_TAPSCRIPT, parity, &internal, NULL, 0);
	*control = arena_bytes(a, buf_view(&b));
	buf_release(&b);
	return script_p2tr(a, &output);
}

/* The output's script; appends to the witness what stands for the script in it. */
static struct bytes wrap(struct arena *a, uint8_t how, struct bytes script, struct bytes *items, uint8_t *count)
{
	struct bytes control, output;
	struct hash160 h;

	switch (how) {
	case P2WSH:
		items[(*count)++] = script;
		return script_p2wsh(a, script);
	case P2SH:
		h = hash160(script.data, script.size);
		return script_p2sh(a, &h);
	case TAPSCRIPT:
		output = taproot(a, script, &control);
		items[(*count)++] = script;
		items[(*count)++] = control;
		return output;
	}
	return script;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(BYTES(data, size));
	uint32_t flags = cursor_le32(&c) & ((1u << SCRIPT_FLAG_COUNT) - 1), more = cursor_le32(&c) & ((1u << SCRIPT_FLAG_COUNT) - 1);
	uint8_t how = cursor_u8(&c) % WAYS, count = cursor_u8(&c) % 7;
	struct bytes items[8], script;
	struct tx_output spent = { SAT(100000), { NULL, 0 } };
	struct spending s;
	struct arena a;
	struct tx *t;

	if (size > SIZE_MAX_FUZZ || !cursor_ok(&c))
		return 0;
	arena_init(&a);
	t = tx_new(&a, (int32_t)cursor_u8(&c), 1, 1, cursor_le32(&c));
	t->inputs[0].sequence = cursor_le32(&c);
	t->inputs[0].script_sig = part(&c);
	script = part(&c);
	for (uint8_t i = 0; i < count; i++)
		items[i] = part(&c);
	spent.script = wrap(&a, how, script, items, &count);
	tx_set_witness(&a, t, 0, items, count);
	spending_init(&s, t, &spent);
	flags = fill(flags);
	if (spending_verify(&s, 0, flags) != SCRIPT_OK)
		ASSERT(spending_verify(&s, 0, fill(flags | more)) != SCRIPT_OK);
	arena_release(&a);
	return 0;
}
