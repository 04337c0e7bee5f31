/* The chain as one node sees it: what runtime/chain does, without a thread.  Each block waits until the batch of the
 * one before is out, so that what the node then watches for is known; it brings what is watched for and no more. */
#include <string.h>

#include "tests/sim/queue.h"

static void give_block(struct sim_node *n, const struct sim_block *b)
{
	struct event e = { .kind = EVENT_BLOCK };
	struct buf raw = BUF_EMPTY;
	struct arena a;

	arena_init(&a);
	sim_block_encode(b, &raw);
	if (!match_block(&e, &a, &n->watches, buf_view(&raw), &b->hash))
		world_fail(n->world, "block %u is not what its hash says", b->height);
	if (!follow_connect(&n->follow, b->height, &b->hash, &b->prev))
		world_fail(n->world, "block %u does not build on the one before", b->height);
	e.u.block.height = b->height;
	n->block_batch = exec_batch(n->exec);
	sim_give(n, &e);
	arena_release(&a);
	buf_release(&raw);
}

static void undo_block(struct sim_node *n)
{
	struct event e = { .kind = EVENT_BLOCK_UNDONE };

	e.u.undone.height = n->follow.height;
	if (!follow_undo(&n->follow, &e.u.undone.hash, &e.u.undone.previous))
		world_fail(n->world, "%s meets a reorganization that is too deep for it", n->name);
	n->block_batch = exec_batch(n->exec);
	sim_give(n, &e);
}

/* One block forth or back.  False: it is at the tip. */
static bool follow_one(struct sim_node *n)
{
	struct world *w = n->world;
	uint32_t tip = sim_chain_height(w->chain);
	const struct block_hash *ours = follow_hash(&n->follow, n->follow.height);

	if (n->follow.height > tip || memcmp(ours, &sim_chain_block(w->chain, n->follow.height)->hash, sizeof(*ours)) != 0) {
		undo_block(n);
		return true;
	}
	if (n->follow.height == tip)
		return false;
	give_block(n, sim_chain_block(w->chain, n->follow.height + 1));
	return true;
}

void sim_feed(struct sim_node *n)
{
	struct event e = { .kind = EVENT_CHAIN_SYNCED };
	uint32_t life = n->life;

	/* sim_feed_released goes on where a batch takes its time. */
	n->feeding = true;
	while (n->alive && n->life == life && !n->block_batch)
		if (!follow_one(n))
			break;
	n->feeding = false;
	if (!n->alive || n->life != life || n->block_batch)
		return;
	e.u.synced.height = e.u.synced.best_height = n->follow.height;
	sim_give(n, &e);
}

/* The batch that is released is the one before the one that fills. */
void sim_feed_released(struct sim_node *n)
{
	if (!n->block_batch || exec_batch(n->exec) <= n->block_batch)
		return;
	n->block_batch = 0;
	if (!n->feeding) /* it took its time: go on */
		queue_push_simple(n->world, ENTRY_FEED, n->index, 0, 0);
}

/* RECORD_CHAIN: "tip" is height and hash, a height is its hash (step/record.h).  Heights come in order, the tip after
 * them. */
void sim_feed_load(struct sim_node *n, struct bytes key, struct bytes value)
{
	struct follow *f = &n->follow;
	struct block_hash hash;

	if (key.size == 4 && value.size == 32) {
		memcpy(hash.v, value.data, 32);
		if (f->started && f->height + 1 == load_be32(key.data))
			f->height++;
		else
			f->known = 0, f->height = load_be32(key.data);
		f->started = true;
		f->recent[f->height % FOLLOW_KNOWN_MAX] = hash;
		if (f->known < FOLLOW_KNOWN_MAX)
			f->known++;
		return;
	}
	memcpy(hash.v, value.data + 4, 32);
	if (!f->started || f->height != load_be32(value.data) || memcmp(follow_hash(f, f->height), &hash, sizeof(hash)) != 0)
		follow_load_tip(f, load_be32(value.data), &hash);
}

void world_tell_chain(struct world *w)
{
	for (int i = 0; i < w->node_count; i++)
		if (!w->nodes[i].raw && w->nodes[i].alive)
			queue_push_simple(w, ENTRY_FEED, i, 1 + world_random(w, w->o.delay_max_ms), 0);
}

void sim_fees(struct sim_node *n, uint32_t normal_per_kw)
{
	struct event e = { .kind = EVENT_FEES };

	e.u.fees.rates[FEE_URGENT] = FEERATE(normal_per_kw + normal_per_kw / 4);
	e.u.fees.rates[FEE_NORMAL] = FEERATE(normal_per_kw);
	e.u.fees.rates[FEE_SLOW] = FEERATE(normal_per_kw > 2 * FEERATE_FLOOR_PER_KW ? normal_per_kw / 2 : FEERATE_FLOOR_PER_KW);
	e.u.fees.rates[FEE_MINIMUM] = sim_chain_minimum(n->world->chain);
	if (e.u.fees.rates[FEE_MINIMUM].per_kw < FEERATE_FLOOR_PER_KW)
		e.u.fees.rates[FEE_MINIMUM] = FEERATE(FEERATE_FLOOR_PER_KW);
	sim_give(n, &e);
}

void world_fees(struct world *w, uint32_t normal_per_kw)
{
	w->feerate_per_kw = normal_per_kw;
	for (int i = 0; i < w->node_count; i++)
		if (!w->nodes[i].raw && w->nodes[i].alive)
			queue_push_simple(w, ENTRY_FEES, i, 1 + world_random(w, w->o.delay_max_ms), normal_per_kw);
}
