/* Blocks that join and leave the chain. */
#include "wallet/state.h"

/* Plans that can not confirm any more because t spends what they spend. */
static void kill_rivals(struct wallet *w, const struct tx *t, const struct plan *own, uint32_t height,
			struct effects *out)
{
	struct plan *p;

	for (uint32_t at = 0; (p = table_next(&w->plans, &at));) {
		bool rival = false;

		for (uint32_t i = 0; p != own && i < t->input_count && !rival; i++)
			rival = plan_spends(p, &t->inputs[i].prev);
		if (!rival)
			continue;
		if (p->state == PLAN_SENT || p->state == PLAN_RESERVED) {
			plan_kill(w, p, height, out);
		} else if (plan_is_dead(p) && p->height == 0) {
			/* Given up or replaced before: now it is settled, and can be forgotten in its time. */
			p->height = height;
			record_plan(p, out);
		}
	}
}

static void connect_inputs(struct wallet *w, const struct tx *t, const struct txid *txid, uint32_t height,
			   struct effects *out)
{
	for (uint32_t i = 0; i < t->input_count; i++) {
		struct coin *c = coin_find(w, &t->inputs[i].prev);

		if (!c)
			continue;
		c->spent = true;
		c->spender = *txid;
		c->spent_height = height;
		c->reservation = 0;
		record_coin(w, c, out);
	}
}

static void connect_outputs(struct wallet *w, const struct tx *t, const struct txid *txid, uint32_t height,
			    bool coinbase, struct effects *out)
{
	for (uint32_t i = 0; i < t->output_count; i++) {
		struct owner *owner = keychain_find(w, t->outputs[i].script);
		struct outpoint o = { *txid, i };
		struct coin *c;

		if (!owner)
			continue;
		c = coin_find(w, &o);
		if (!c) {
			c = coin_add(w, &o, t->outputs[i].amount, owner);
			effect_watch_outpoint(out, &o);
		}
		c->height = height;
		c->coinbase = coinbase;
		c->lost_height = 0;
		record_coin(w, c, out);
		keychain_used(w, owner, out);
	}
}

static void connect_tx(struct wallet *w, const struct tx *t, uint32_t height, bool coinbase, struct effects *out)
{
	struct txid txid = tx_id(t);
	struct plan *own = plan_by_txid(w, &txid);

	kill_rivals(w, t, own, height, out);
	connect_inputs(w, t, &txid, height, out);
	connect_outputs(w, t, &txid, height, coinbase, out);
	if (own) {
		/* Whatever we thought of it: it is in the chain. */
		own->state = PLAN_CONFIRMED;
		own->height = height;
		record_plan(own, out);
	}
}

static bool buried(const struct wallet *w, uint32_t height)
{
	return height && w->height >= height + WALLET_BURIED_BLOCKS;
}

/* A deposit that went with its block and never came back, and what was built on it. */
static void forget_lost(struct wallet *w, struct coin *c, struct effects *out)
{
	struct plan *p;

	for (uint32_t at = 0; (p = table_next(&w->plans, &at));)
		if ((p->state == PLAN_SENT || p->state == PLAN_RESERVED) && plan_spends(p, &c->outpoint))
			plan_kill(w, p, c->lost_height, out);
	coin_remove(w, c, out);
}

/* What no reorganisation will bring back takes no more memory. */
static void forget_buried(struct wallet *w, struct effects *out)
{
	struct coin *c;
	struct plan *p;

	for (uint32_t at = 0; (c = table_next(&w->coins, &at));)
		if (c->spent && buried(w, c->spent_height))
			coin_remove(w, c, out);
	for (uint32_t at = 0; (c = table_next(&w->coins, &at));)
		if (buried(w, c->lost_height)) {
			forget_lost(w, c, out);
			at = 0; /* more than this one may be gone */
		}
	for (uint32_t at = 0; (p = table_next(&w->plans, &at));)
		if ((p->state == PLAN_CONFIRMED || plan_is_dead(p)) && buried(w, p->height))
			plan_remove(w, p, out);
}

static void connect_block(struct wallet *w, const struct event *event, struct effects *out)
{
	struct arena scratch;

	/* After a crash the chain may tell again what was committed. */
	if (event->u.block.height <= w->height)
		return;
	w->height = event->u.block.height;
	arena_init(&scratch);
	for (uint32_t i = 0; i < event->u.block.tx_count; i++) {
		const struct block_tx *b = &event->u.block.txs[i];
		struct tx *t = tx_parse(&scratch, b->raw);

		/* The chain source's transactions were hashed into the block's root: they parse. */
		ASSERT(t);
		connect_tx(w, t, w->height, b->index == 0, out);
		arena_reset(&scratch);
	}
	arena_release(&scratch);
	forget_buried(w, out);
	record_height(w, out);
}

static void undo_coins(struct wallet *w, uint32_t height, struct effects *out)
{
	struct coin *c;

	for (uint32_t at = 0; (c = table_next(&w->coins, &at));) {
		bool spent_there = c->spent && c->spent_height == height, made_there = c->height == height;

		if (spent_there) {
			const struct plan *p = plan_by_txid(w, &c->spender);

			/* Our own transaction goes on being offered; a stranger's with our key may never come back. */
			c->spent = p && p->state == PLAN_SENT;
			c->spent_height = 0;
		}
		if (made_there) {
			const struct plan *p = plan_by_txid(w, &c->outpoint.txid);

			c->height = 0;
			c->lost_height = p && p->state == PLAN_SENT ? 0 : height;
		}
		if (spent_there || made_there)
			record_coin(w, c, out);
	}
}

static bool can_revive(const struct wallet *w, const struct plan *p)
{
	for (uint32_t i = p->foreign_count; i < p->tx->input_count; i++) {
		const struct coin *c = coin_find(w, &p->tx->inputs[i].prev);

		if (!c || c->spent || c->reservation)
			return false;
	}
	return true;
}

/* What died of a transaction in the block that is gone may confirm after all. */
static void revive(struct wallet *w, uint32_t height, struct effects *out)
{
	struct plan *p;
	bool again = true;

	/* A child becomes possible once its parent is back. */
	while (again) {
		again = false;
		for (uint32_t at = 0; (p = table_next(&w->plans, &at));)
			if (p->state == PLAN_DEAD && p->height == height && can_revive(w, p)) {
				plan_send(w, p, out);
				again = true;
			}
	}
}

static void undo_block(struct wallet *w, const struct event *event, struct effects *out)
{
	uint32_t height = event->u.undone.height;
	struct plan *p;

	if (height > w->height)
		return;
	for (uint32_t at = 0; (p = table_next(&w->plans, &at));)
		if (p->state == PLAN_CONFIRMED && p->height == height) {
			p->state = PLAN_SENT;
			p->height = 0;
			record_plan(p, out);
		}
	undo_coins(w, height, out);
	revive(w, height, out);
	w->height = height - 1;
	record_height(w, out);
}

void wallet_block(struct wallet *w, const struct event *event, struct effects *out)
{
	if (event->kind == EVENT_BLOCK)
		connect_block(w, event, out);
	else if (event->kind == EVENT_BLOCK_UNDONE)
		undo_block(w, event, out);
}
