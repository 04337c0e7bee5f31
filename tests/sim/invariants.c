/* What holds of the chain and the mempool after every call. */
#include <string.h>

#include "tests/sim/chain_state.h"

/* M1, M2 and M3 (mempool.c) of one transaction; `seen` marks those before it. */
static void check_waiting(struct sim_chain *c, struct entry *e, uint64_t seen)
{
	ASSERT(e->t.in_mempool && !e->t.height && !e->coinbase);
	ASSERT(chain_live(c, &e->t.id) == e);
	for (uint32_t i = 0; i < e->t.tx->input_count; i++) {
		const struct outpoint *o = &e->t.tx->inputs[i].prev;
		const struct entry *owner = chain_live(c, &o->txid);

		ASSERT(owner && owner->spenders[o->index] == e);
		ASSERT(owner->t.height || owner->mark == seen);
	}
	ASSERT(!chain_check(c, e) && e->standard);
	e->mark = seen;
}

static void check_mempool(struct sim_chain *c)
{
	uint64_t weight = 0, seen = ++c->stamp;
	struct txid sum = { { 0 } };

	for (uint32_t i = 0; i < c->pool_count; i++) {
		struct entry *e = c->pool[i];

		check_waiting(c, e, seen);
		weight += e->t.weight;
		for (size_t j = 0; j < sizeof(sum.v); j++)
			sum.v[j] ^= e->t.id.v[j];
	}
	ASSERT(weight == c->pool_weight && SAME(sum, c->pool_sum));
	ASSERT(!c->limit_weight || weight <= c->limit_weight);
}

/* Money: what is unspent is what was minted, to the satoshi. */
static void check_blocks(const struct sim_chain *c)
{
	struct amount_sat minted = SAT(0), unspent = SAT(0);

	for (uint32_t h = 1; h < c->count; h++) {
		const struct sim_block *b = c->blocks[h];

		ASSERT(b->height == h && SAME(b->prev, c->blocks[h - 1]->hash));
		for (uint32_t i = 0; i < b->count; i++) {
			const struct entry *e = (const struct entry *)b->list[i];

			ASSERT(e->t.height == h && !e->t.in_mempool && chain_live(c, &e->t.id) == e);
			for (uint32_t j = 0; j < e->t.tx->output_count; j++) {
				const struct entry *s = e->spenders[j];

				if (i == 0)
					ASSERT(sat_add(&minted, minted, e->t.tx->outputs[j].amount));
				if (!s || !s->t.height)
					ASSERT(sat_add(&unspent, unspent, e->t.tx->outputs[j].amount));
				ASSERT(!s || s->t.in_mempool || s->t.height >= h);
			}
			ASSERT(i == 0 || sat_sub(&minted, minted, e->t.fee));
		}
	}
	ASSERT(sat_cmp(minted, unspent) == 0);
}

void sim_chain_check(struct sim_chain *c)
{
	uint32_t live = c->pool_count;

	check_mempool(c);
	check_blocks(c);
	for (uint32_t h = 1; h < c->count; h++)
		live += c->blocks[h]->count;
	ASSERT(live == table_count(&c->live));
}
