#include "tests/sim/check.h"

#include "bitcoin/tx.h"
#include "wire/message.h"

bool check_commitment(struct checks *k, const struct tx *t, struct book_channel **channel, uint64_t *obscured)
{
	if (t->input_count != 1)
		return false;
	*channel = book_by_funding(k->b, &t->inputs[0].prev);
	/* BOLT 3: the upper bits say what it is, the lower 24 of both are the obscured number. */
	if (!*channel || t->locktime >> 24 != 0x20 || t->inputs[0].sequence >> 24 != 0x80)
		return false;
	*obscured = (uint64_t)(t->inputs[0].sequence & 0xffffff) << 24 | (t->locktime & 0xffffff);
	return true;
}

bool check_honest(const struct checks *k, const struct book_channel *c)
{
	for (int i = 0; i < 2; i++)
		if (c->end[i] < 0 || k->w->nodes[c->end[i]].adversary)
			return false;
	return true;
}

static bool on_message(void *context, struct world *w, int from, int to, struct bytes message, struct buf *instead)
{
	(void)w;
	(void)instead;
	check_htlc_message(context, from, to, message);
	check_revoked_message(context, from, message);
	check_gossip_message(context, from, to, message);
	return true;
}

static bool on_effect(void *context, struct sim_node *n, const struct effect *f)
{
	struct checks *k = context;

	if (f->kind != EFFECT_BROADCAST || n->adversary)
		return true;
	for (uint32_t i = 0; i < f->u.broadcast.count; i++) {
		check_revoked_broadcast(k, n, f->u.broadcast.txs[i]);
		check_close_broadcast(k, n, f->u.broadcast.txs[i]);
	}
	return true;
}

/* The node's own invariants read everything: now and then is often enough, and less often where there is much. */
#define NODE_CHECK_ONE_IN 64u

static void on_settled(void *context, struct sim_node *n)
{
	struct checks *k = context;

	if (n->adversary)
		return;
	check_deadline_node(k, n);
	check_gossip_node(k, n);
	if (++k->settles % (NODE_CHECK_ONE_IN + k->b->wish_count))
		return;
	check_bounds_node(k, n);
	check_gossip_bounds(k, n);
	node_check(n->node);
	wallet_check(hot_funds_wallet(n->funds));
}

struct checks *checks_new(struct world *w, struct book *b)
{
	struct checks *k = NEW(struct checks);
	const struct sim_hook hook = { .context = k, .message = on_message, .effect = on_effect, .settled = on_settled };

	k->w = w;
	k->b = b;
	k->gossip = gossip_checks_new();
	world_hook(w, &hook);
	return k;
}

void checks_end(struct checks *k, bool buried)
{
	for (int i = 0; i < k->w->node_count; i++)
		if (!k->w->nodes[i].adversary)
			node_check(k->w->nodes[i].node);
	/* A rogue may leave anything to others: offers that never end, transactions that nobody wants. */
	if (!k->adversaries)
		check_quiet_end(k, buried);
	check_htlc_end(k);
	check_money_end(k);
	if (!k->adversaries)
		check_bounds_end(k, buried);
}

void checks_free(struct checks *k)
{
	if (!k)
		return;
	gossip_checks_free(k->gossip);
	mem_free(k->htlcs);
	mem_free(k->revealed);
	mem_free(k);
}
