/* Blocks from a chain source that lies: matching reads any bytes, finds nothing outside them, and nothing in what is
 * not the block that its hash names. */
#include "bitcoin/block.h"
#include "chain/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[16] = { 9 };
	struct watch script = { .script = BYTES("\x51", 1) }, outpoint = { .is_outpoint = true };
	struct block_hash hash = { { 0 } };
	struct block_reader r;
	struct watches w;
	struct event e;
	struct arena a;

	arena_init(&a);
	watches_init(&w, seed);
	watches_apply(&w, &script);
	watches_apply(&w, &outpoint);
	if (block_open(&r, BYTES(data, size)))
		hash = r.hash;
	if (match_block(&e, &a, &w, BYTES(data, size), &hash))
		for (uint32_t i = 0; i < e.u.block.tx_count; i++) {
			struct bytes raw = e.u.block.txs[i].raw;

			ASSERT(raw.data >= data && raw.data + raw.size <= data + size);
			ASSERT(tx_parse(&a, raw));
		}
	hash.v[0] ^= 1;
	ASSERT(!match_block(&e, &a, &w, BYTES(data, size), &hash));
	watches_release(&w);
	arena_release(&a);
	return 0;
}
