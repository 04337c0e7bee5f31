/* Blocks: which transactions, the coinbase, the work; and taking them back. */
#include <string.h>

#include "bitcoin/network.h"
#include "bitcoin/script.h"
#include "tests/sim/chain_state.h"

#define SUBSIDY_SAT 5000000000ull
#define HALVING_BLOCKS 150u /* regtest's */
#define BLOCK_VERSION 0x20000000
#define BLOCK_RESERVED_WEIGHT 4000u /* for the header and the coinbase */
#define BLOCK_TXS_MAX 65536u
#define BLOCK_SIGOP_COST 80000u
#define BLOCK_RESERVED_SIGOPS 400u /* for the coinbase */
#define SIGHT_BLOCKS_MAX 1008u

/* --- choosing: the best paid first, each with the ancestors that it needs --- */

struct candidate {
	struct entry *e;
	uint64_t fee, weight; /* with its ancestors */
	uint32_t version;     /* old where the entry's is newer */
};

struct choice {
	struct sim_chain *c;
	const struct sim_mine *how;
	uint64_t floor_per_kw, room, sigop_room;
	struct candidate *heap;
	uint32_t count, capacity;
	struct candidate last; /* of what was taken, the worst paid */
	bool full;             /* something did not fit */
};

static bool better(const struct candidate *a, const struct candidate *b)
{
	return (unsigned __int128)a->fee * b->weight > (unsigned __int128)b->fee * a->weight;
}

static void heap_add(struct choice *x, struct entry *e)
{
	struct candidate n = { e, e->fee_ancestors, e->weight_ancestors, e->version };
	uint32_t i = x->count++;

	if (x->count > x->capacity) {
		x->capacity = x->capacity ? 2 * x->capacity : 256;
		x->heap = mem_realloc(x->heap, x->capacity, sizeof(*x->heap));
	}
	for (; i && better(&n, &x->heap[(i - 1) / 2]); i = (i - 1) / 2)
		x->heap[i] = x->heap[(i - 1) / 2];
	x->heap[i] = n;
}

static struct candidate heap_take(struct choice *x)
{
	struct candidate top = x->heap[0], last = x->heap[--x->count];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= x->count)
			break;
		if (child + 1 < x->count && better(&x->heap[child + 1], &x->heap[child]))
			child++;
		if (!better(&x->heap[child], &last))
			break;
		x->heap[i] = x->heap[child];
		i = child;
	}
	x->heap[i] = last;
	return top;
}

/* Sums over the ancestors that are not taken; false if one is refused. */
static bool sum_up(struct choice *x, struct entry *e, struct entries *ancestors)
{
	bool good = true;

	pool_ancestors(x->c, e, ancestors);
	e->fee_ancestors = e->t.fee.v;
	e->weight_ancestors = e->t.weight;
	for (uint32_t i = 0; i < ancestors->count; i++) {
		const struct entry *a = ancestors->list[i];

		good &= a->place != ENTRY_REFUSED;
		if (a->place == ENTRY_FREE) {
			e->fee_ancestors += a->t.fee.v;
			e->weight_ancestors += a->t.weight;
		}
	}
	return good;
}

/* What is taken makes its descendants cheaper to take. */
static void take_one(struct choice *x, struct entry *e)
{
	struct entries family = { NULL, 0, 0 };

	e->place = ENTRY_TAKEN;
	x->room -= e->t.weight;
	x->sigop_room -= policy_sigop_cost(x->c, e);
	pool_descendants(x->c, e, &family);
	for (uint32_t i = 0; i < family.count; i++) {
		struct entry *d = family.list[i];

		if (d->place != ENTRY_FREE)
			continue;
		d->fee_ancestors -= e->t.fee.v;
		d->weight_ancestors -= e->t.weight;
		d->version++;
		heap_add(x, d);
	}
	entries_release(&family);
}

static void take(struct choice *x, struct entry *e)
{
	struct entries ancestors = { NULL, 0, 0 };

	pool_ancestors(x->c, e, &ancestors);
	for (uint32_t i = 0; i < ancestors.count; i++)
		if (ancestors.list[i]->place == ENTRY_FREE)
			take_one(x, ancestors.list[i]);
	take_one(x, e);
	entries_release(&ancestors);
}

/* With its ancestors. */
static bool sigops_fit(struct choice *x, const struct entry *e)
{
	struct entries ancestors = { NULL, 0, 0 };
	uint64_t cost = policy_sigop_cost(x->c, e);

	pool_ancestors(x->c, e, &ancestors);
	for (uint32_t i = 0; i < ancestors.count; i++)
		if (ancestors.list[i]->place == ENTRY_FREE)
			cost += policy_sigop_cost(x->c, ancestors.list[i]);
	entries_release(&ancestors);
	return cost <= x->sigop_room;
}

static void choose(struct choice *x)
{
	struct sim_chain *c = x->c;
	struct entries ancestors = { NULL, 0, 0 };

	for (uint32_t i = 0; i < c->pool_count; i++) {
		struct entry *e = c->pool[i];
		bool wanted = !x->how->empty && (!x->how->include || x->how->include(x->how->context, &e->t));

		/* Parents come before their children here. */
		e->version = 0;
		e->place = wanted ? ENTRY_FREE : ENTRY_REFUSED;
		if (!sum_up(x, e, &ancestors))
			e->place = ENTRY_REFUSED;
		if (e->place == ENTRY_FREE)
			heap_add(x, e);
	}
	while (x->count) {
		struct candidate n = heap_take(x);

		if (n.e->place != ENTRY_FREE || n.version != n.e->version)
			continue;
		if (n.fee * 1000 < x->floor_per_kw * n.weight)
			break;
		if (n.weight > x->room || !sigops_fit(x, n.e)) {
			x->full = true;
			continue;
		}
		x->last = n;
		take(x, n.e);
	}
	entries_release(&ancestors);
	mem_free(x->heap);
}

static struct choice choice_of(struct sim_chain *c, const struct sim_mine *how, uint64_t room, uint64_t sigop_room)
{
	return (struct choice){ .c = c, .how = how, .room = room, .sigop_room = sigop_room,
				.floor_per_kw = how->floor_per_kw ? how->floor_per_kw : c->floor_per_kw };
}

struct feerate sim_chain_estimate(const struct sim_chain *c, uint32_t blocks)
{
	const struct sim_mine how = { .empty = false };
	/* The marks of the walk are all that changes. */
	struct choice x = choice_of((struct sim_chain *)c, &how, (uint64_t)BLOCK_WEIGHT_USUAL * blocks, (uint64_t)BLOCK_SIGOP_COST * blocks);
	uint32_t least = sim_chain_minimum(c).per_kw;
	uint64_t rate;

	ASSERT(blocks > 0 && blocks <= SIGHT_BLOCKS_MAX);
	choose(&x);
	rate = x.full ? x.last.fee * 1000 / x.last.weight + 1 : x.floor_per_kw;
	if (rate < least)
		rate = least;
	return FEERATE(rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate);
}

void sim_chain_set_floor(struct sim_chain *c, uint32_t per_kw)
{
	c->floor_per_kw = per_kw;
}

/* --- what a miner brings himself --- */

static void clear_way(struct sim_chain *c, const struct entry *e)
{
	struct entry *other = chain_live(c, &e->t.id);

	if (other)
		pool_remove_tree(c, other, "conflict");
	for (uint32_t i = 0; i < e->t.tx->input_count; i++) {
		const struct outpoint *o = &e->t.tx->inputs[i].prev;
		struct entry *owner = chain_live(c, &o->txid);

		if (owner && o->index < owner->t.tx->output_count && owner->spenders[o->index] &&
		    owner->spenders[o->index]->t.in_mempool)
			pool_remove_tree(c, owner->spenders[o->index], "conflict");
	}
}

static void bring(struct sim_chain *c, struct bytes raw, struct entries *block)
{
	struct entry *e = chain_entry(c, raw, 0);
	const char *why;

	ASSERT(e);
	if (chain_live(c, &e->t.id) != e) {
		clear_way(c, e);
		why = chain_check(c, e);
		if (!why)
			why = chain_check_scripts(c, e, false);
		ASSERT(!why);
		chain_enter(c, e);
	}
	ASSERT(!e->t.height);
	e->t.height = c->count;
	entries_add(block, e);
}

/* --- the block --- */

static uint64_t subsidy(uint32_t height)
{
	uint32_t halvings = height / HALVING_BLOCKS;

	return halvings < 64 ? SUBSIDY_SAT >> halvings : 0;
}

static struct sha256 root_of(const struct entries *block, bool witness)
{
	static const struct txid zeros;
	struct merkle m;

	merkle_init(&m);
	for (uint32_t i = 0; i < block->count; i++) {
		/* BIP 141: the coinbase's witness id counts as zeros; there is no coinbase yet. */
		if (witness)
			merkle_add(&m, i ? &block->list[i]->t.wtxid : &zeros);
		else
			merkle_add(&m, &block->list[i]->t.id);
	}
	return merkle_root(&m);
}

/* BIP 141 "Commitment structure". */
static struct bytes commitment_script(struct arena *a, const struct entries *block)
{
	uint8_t both[64] = { 0 }, script[38] = { OP_RETURN, 36, 0xaa, 0x21, 0xa9, 0xed };
	struct sha256 h = root_of(block, true);

	memcpy(both, h.v, 32);
	h = sha256d(both, sizeof(both));
	memcpy(script + 6, h.v, 32);
	return arena_bytes(a, BYTES_OF(script));
}

static struct entry *coinbase(struct sim_chain *c, const struct sim_mine *how, struct entries *block)
{
	static const uint8_t reserved[32];
	struct bytes item = BYTES_OF(reserved);
	struct tx *t = tx_new(&c->memory, 2, 1, 2, 0);
	struct buf script = BUF_EMPTY, raw = BUF_EMPTY;
	uint64_t reward = subsidy(c->count);
	uint8_t serial[8];
	struct entry *e;

	for (uint32_t i = 1; i < block->count; i++)
		reward += block->list[i]->t.fee.v;
	store_be64(serial, ++c->serial);
	script_number(&script, c->count); /* BIP 34 */
	script_push(&script, BYTES_OF(serial));
	script_push(&script, BYTES(c->seed, 8));
	t->inputs[0].prev.index = UINT32_MAX;
	t->inputs[0].sequence = UINT32_MAX;
	t->inputs[0].script_sig = buf_view(&script);
	t->outputs[0].amount = SAT(reward);
	t->outputs[0].script = how->coinbase_script.size ? how->coinbase_script : c->faucet_script;
	t->outputs[1].script = commitment_script(&c->memory, block);
	tx_set_witness(&c->memory, t, 0, &item, 1);
	tx_encode(t, &raw);
	e = chain_entry(c, buf_view(&raw), 0);
	buf_release(&script);
	buf_release(&raw);
	ASSERT(e && e->coinbase);
	return e;
}

static void grind(struct sim_block *b, const struct sha256 *root)
{
	uint32_t bits = network_by_name("regtest")->pow_limit_bits;
	struct block_header h = { .version = BLOCK_VERSION, .prev = b->prev, .merkle_root = *root, .time = b->time, .bits = bits };

	for (;; h.nonce++) {
		b->hash = block_header_hash(&h);
		if (block_work_proved(&b->hash, bits, bits))
			break;
	}
	block_header_encode(b->header, &h);
}

static uint32_t time_of(const struct sim_chain *c, const struct sim_mine *how)
{
	uint32_t least = chain_median_time(c, c->count - 1) + 1;
	uint32_t time = how->time ? how->time : sim_chain_tip(c)->time + SIM_BLOCK_SECONDS;

	return time < least ? least : time;
}

static void push(struct sim_chain *c, struct sim_block *b)
{
	if (c->count == c->capacity) {
		c->capacity *= 2;
		c->blocks = mem_realloc(c->blocks, c->capacity, sizeof(struct sim_block *));
	}
	c->blocks[c->count++] = b;
}

static void seal(struct sim_chain *c, const struct sim_mine *how, struct entries *block)
{
	struct sim_block *b = ARENA_NEW(&c->memory, struct sim_block);
	struct entry *first = coinbase(c, how, block);
	struct sha256 root;

	block->list[0] = first;
	chain_enter(c, first);
	first->t.height = c->count;
	root = root_of(block, false);
	b->height = c->count;
	b->time = time_of(c, how);
	b->prev = sim_chain_tip(c)->hash;
	b->count = block->count;
	b->txs = ARENA_ARRAY(&c->memory, struct bytes, b->count);
	b->list = ARENA_ARRAY(&c->memory, const struct sim_tx *, b->count);
	for (uint32_t i = 0; i < b->count; i++) {
		b->list[i] = &block->list[i]->t;
		b->txs[i] = b->list[i]->raw;
	}
	grind(b, &root);
	push(c, b);
	if (bytes_equal(first->t.tx->outputs[0].script, c->faucet_script) && first->t.tx->outputs[0].amount.v)
		faucet_add(c, &first->t.id, 0);
}

void sim_chain_mine(struct sim_chain *c, const struct sim_mine *how)
{
	static const struct sim_mine usual;
	struct entries block = { NULL, 0, 0 };
	struct choice x;
	uint64_t weight = 0, sigops = BLOCK_RESERVED_SIGOPS;

	ASSERT(!c->telling);
	if (!how)
		how = &usual;
	entries_add(&block, NULL); /* the coinbase's place */
	for (uint32_t i = 0; i < how->extra_count; i++)
		bring(c, how->extra[i], &block);
	pool_mined(c);
	for (uint32_t i = 1; i < block.count; i++) {
		weight += block.list[i]->t.weight;
		sigops += policy_sigop_cost(c, block.list[i]);
	}
	ASSERT(sigops <= BLOCK_SIGOP_COST);
	x = choice_of(c, how, how->max_weight ? how->max_weight : BLOCK_WEIGHT_USUAL, BLOCK_SIGOP_COST - sigops);
	ASSERT(x.room > BLOCK_RESERVED_WEIGHT && weight <= x.room - BLOCK_RESERVED_WEIGHT);
	x.room -= weight + BLOCK_RESERVED_WEIGHT;
	choose(&x);
	for (uint32_t i = 0; i < c->pool_count; i++)
		if (c->pool[i]->place == ENTRY_TAKEN) {
			c->pool[i]->t.height = c->count;
			entries_add(&block, c->pool[i]);
		}
	ASSERT(block.count <= BLOCK_TXS_MAX);
	pool_mined(c);
	pool_sink(c);
	seal(c, how, &block);
	trace_block(c, sim_chain_tip(c));
	entries_release(&block);
	pool_tell(c);
}

/* --- reorganizations --- */

void sim_chain_reorg(struct sim_chain *c, uint32_t depth)
{
	struct entries back = { NULL, 0, 0 };
	const struct sim_block *lowest;
	uint32_t first;

	ASSERT(!c->telling && depth < c->count && c->count - depth > SIM_FIRST_HEIGHT);
	if (!depth)
		return;
	first = c->count - depth;
	lowest = c->blocks[first];
	for (uint32_t h = first; h < first + depth; h++)
		for (uint32_t i = 1; i < c->blocks[h]->count; i++)
			entries_add(&back, (struct entry *)c->blocks[h]->list[i]);
	for (uint32_t h = first; h < first + depth; h++)
		for (uint32_t i = 0; i < c->blocks[h]->count; i++)
			((struct entry *)c->blocks[h]->list[i])->t.height = 0;
	c->count = first;
	c->reorgs++;
	pool_return(c, back.list, back.count);
	/* Nothing spends what these coinbases paid any more. */
	for (uint32_t h = first; h < first + depth; h++)
		chain_leave(c, (struct entry *)c->blocks[h]->list[0]);
	trace_reorg(c, lowest);
	entries_release(&back);
	pool_tell(c);
}
