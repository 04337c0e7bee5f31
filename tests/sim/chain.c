#include "tests/sim/world.h"

#include "crypto/hash.h"

#include <string.h>

#define SPENT_MAX 65536

struct sim_chain {
	struct arena memory;
	struct sim_block *blocks; /* index is height */
	uint32_t count, capacity;
	struct bytes mempool[1024];
	uint32_t mempool_count;
	struct { struct outpoint prev; struct txid by; } spent[SPENT_MAX];
	uint32_t spent_count;
};

static void push_block(struct sim_chain *c)
{
	struct sim_block *b;
	uint8_t raw[36] = { 0 };
	struct sha256 h;

	if (c->count == c->capacity) {
		c->capacity = c->capacity ? 2 * c->capacity : 256;
		c->blocks = mem_realloc(c->blocks, c->capacity, sizeof(*c->blocks));
	}
	b = &c->blocks[c->count];
	b->height = c->count;
	store_be32(raw, c->count);
	if (c->count)
		memcpy(raw + 4, c->blocks[c->count - 1].hash.v, 32);
	h = sha256(raw, sizeof(raw));
	memcpy(b->hash.v, h.v, 32);
	b->txs = arena_copy(&c->memory, c->mempool, c->mempool_count * sizeof(struct bytes));
	b->count = c->mempool_count;
	c->mempool_count = 0;
	c->count++;
}

struct sim_chain *sim_chain_new(void)
{
	struct sim_chain *c = NEW(struct sim_chain);

	arena_init(&c->memory);
	for (int i = 0; i < 110; i++)
		push_block(c);
	return c;
}

void sim_chain_free(struct sim_chain *c)
{
	arena_release(&c->memory);
	mem_free(c->blocks);
	mem_free(c);
}

const char *sim_chain_offer(struct sim_chain *c, struct bytes raw)
{
	struct tx *t = tx_parse(&c->memory, raw);
	struct txid id;

	if (!t)
		return "TX decode failed";
	id = tx_id(t);
	for (uint32_t i = 0; i < t->input_count; i++)
		for (uint32_t j = 0; j < c->spent_count; j++)
			if (outpoint_equal(&t->inputs[i].prev, &c->spent[j].prev))
				return SAME(c->spent[j].by, id) ? NULL : "txn-mempool-conflict";
	for (uint32_t i = 0; i < t->input_count; i++) {
		ASSERT(c->spent_count < SPENT_MAX);
		c->spent[c->spent_count].prev = t->inputs[i].prev;
		c->spent[c->spent_count++].by = id;
	}
	ASSERT(c->mempool_count < ARRAY_COUNT(c->mempool));
	c->mempool[c->mempool_count++] = arena_bytes(&c->memory, raw);
	return NULL;
}

void sim_chain_mine(struct sim_chain *c)
{
	push_block(c);
}

uint32_t sim_chain_height(const struct sim_chain *c)
{
	return c->count - 1;
}

const struct sim_block *sim_chain_block(const struct sim_chain *c, uint32_t height)
{
	ASSERT(height < c->count);
	return &c->blocks[height];
}

uint32_t sim_chain_mempool(const struct sim_chain *c)
{
	return c->mempool_count;
}
