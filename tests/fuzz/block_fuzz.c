/* Blocks from arbitrary bytes: only those whose transactions hash to the header's root are complete. */
#include "bitcoin/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct bytes raw, bool *complete, struct sha256 *root)
{
	struct block_reader r;
	struct arena a;
	struct txid id;

	*complete = false;
	if (!block_open(&r, raw))
		return;
	arena_init(&a);
	while (block_next(&r, &a, &id))
		arena_reset(&a);
	*complete = block_complete(&r);
	*root = merkle_root(&r.merkle);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes raw = BYTES(data, size);
	struct sha256 root = { { 0 } }, again = { { 0 } };
	struct u256 target, work;
	bool complete;
	uint8_t *fixed;

	read_all(raw, &complete, &root);
	if (size >= BLOCK_HEADER_SIZE) {
		uint32_t bits = load_le32(data + 72);

		work = block_work(bits);
		ASSERT(block_target(&target, bits) == (work.limb[0] || work.limb[1] || work.limb[2] || work.limb[3]));
		/* With the root of what was read in its header, a whole block is complete, unless it repeats itself. */
		fixed = mem_alloc(size);
		memcpy(fixed, data, size);
		read_all(raw, &complete, &root);
		memcpy(fixed + 36, root.v, 32);
		read_all(BYTES(fixed, size), &complete, &again);
		ASSERT(!complete || SAME(root, again));
		mem_free(fixed);
	}
	return 0;
}
