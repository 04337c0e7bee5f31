#include "wallet/state.h"

static void outpoint_key(uint8_t key36[36], const struct outpoint *o)
{
	memcpy(key36, o->txid.v, sizeof(o->txid.v));
	store_be32(key36 + 32, o->index);
}

struct coin *coin_find(const struct wallet *w, const struct outpoint *o)
{
	uint8_t key36[36];

	outpoint_key(key36, o);
	return table_get(&w->coins, BYTES_OF(key36));
}

struct coin *coin_add(struct wallet *w, const struct outpoint *o, struct amount_sat amount, struct owner *owner)
{
	struct coin *c = NEW(struct coin);

	outpoint_key(c->key36, o);
	c->outpoint = *o;
	c->amount = amount;
	c->owner = owner;
	table_add(&w->coins, c);
	return c;
}

void coin_remove(struct wallet *w, struct coin *c, struct effects *out)
{
	effect_unwatch_outpoint(out, &c->outpoint);
	record_coin_gone(c, out);
	table_remove(&w->coins, BYTES_OF(c->key36));
	buf_release(&c->stored_script);
	mem_free(c);
}

bool coin_mature(const struct wallet *w, const struct coin *c)
{
	/* Consensus: it may be spent in the block 100 above its own. */
	return !c->coinbase || (c->height && w->height + 1 >= c->height + COINBASE_MATURITY);
}

/* It spends a deposit that left the chain. */
static bool rests_on_lost(const struct wallet *w, const struct plan *p)
{
	for (uint32_t i = 0; i < p->tx->input_count; i++) {
		const struct coin *c = coin_find(w, &p->tx->inputs[i].prev);

		if (c && c->lost_height)
			return true;
	}
	return false;
}

bool coin_spendable(const struct wallet *w, const struct coin *c)
{
	const struct plan *p;

	if (c->spent || c->reservation || c->lost_height || c->owner->chain == WALLET_FOREIGN || !coin_mature(w, c))
		return false;
	if (c->height)
		return true;
	/* W3.  What has inputs of others may never be: the peer's commitment confirms instead of the parent that we pay for,
	 * or somebody else takes the output.  A channel that was paid with its change would never open. */
	p = plan_by_txid(w, &c->outpoint.txid);
	return p && p->state == PLAN_SENT && !p->foreign_count && !rests_on_lost(w, p);
}

struct plan *plan_find(const struct wallet *w, uint64_t id)
{
	uint8_t key8[8];

	store_be64(key8, id);
	return table_get(&w->plans, BYTES_OF(key8));
}

struct plan *plan_by_txid(const struct wallet *w, const struct txid *txid)
{
	struct plan *p;

	for (uint32_t at = 0; (p = table_next(&w->plans, &at));)
		if (SAME(p->txid, *txid))
			return p;
	return NULL;
}

struct plan *wallet_plan_new(struct wallet *w, uint64_t id)
{
	struct plan *p = NEW(struct plan);

	store_be64(p->key8, id);
	p->id = id;
	arena_init(&p->arena);
	table_add(&w->plans, p);
	return p;
}

void plan_remove(struct wallet *w, struct plan *p, struct effects *out)
{
	record_plan_gone(p, out);
	table_remove(&w->plans, BYTES_OF(p->key8));
	arena_release(&p->arena);
	mem_free(p);
}

bool plan_spends(const struct plan *p, const struct outpoint *o)
{
	for (uint32_t i = 0; i < p->tx->input_count; i++)
		if (outpoint_equal(&p->tx->inputs[i].prev, o))
			return true;
	return false;
}

/* Whether a spends an output of b. */
static bool rests_on(const struct plan *a, const struct plan *b)
{
	for (uint32_t i = 0; i < a->tx->input_count; i++)
		if (SAME(a->tx->inputs[i].prev.txid, b->txid))
			return true;
	return false;
}

uint32_t plan_ancestors(const struct wallet *w, const struct plan *p)
{
	/* A walk over the plans that are not confirmed; each is counted once for every way to it, so too often rather
	 * than too seldom, and no further than the bound. */
	const struct plan *queue[32] = { p }, *q;
	uint32_t count = 1;

	for (uint32_t i = 0; i < count; i++)
		for (uint32_t at = 0; (q = table_next(&w->plans, &at));)
			if (q->state == PLAN_SENT && rests_on(queue[i], q) && count < ARRAY_COUNT(queue))
				queue[count++] = q;
	return count;
}

static void add_outputs(struct wallet *w, struct plan *p, struct effects *out)
{
	for (uint32_t i = 0; i < p->tx->output_count; i++) {
		struct outpoint o = { p->txid, i };
		struct owner *owner = keychain_find(w, p->tx->outputs[i].script);
		struct coin *c;

		if (!owner || coin_find(w, &o))
			continue;
		c = coin_add(w, &o, p->tx->outputs[i].amount, owner);
		effect_watch_outpoint(out, &o);
		record_coin(w, c, out);
		keychain_used(w, owner, out);
	}
}

void plan_send(struct wallet *w, struct plan *p, struct effects *out)
{
	struct plan *old = p->replaces ? plan_find(w, p->replaces) : NULL;

	/* What it replaces gives its coins up first. */
	if (old && old->state == PLAN_SENT)
		plan_kill(w, old, 0, out);
	for (uint32_t i = 0; i < p->tx->input_count; i++) {
		struct coin *c = coin_find(w, &p->tx->inputs[i].prev);

		if (!c) {
			/* A foreign input: when somebody else spends it, this transaction is dead. */
			effect_watch_outpoint(out, &p->tx->inputs[i].prev);
			continue;
		}
		c->spent = true;
		c->spender = p->txid;
		c->spent_height = 0;
		c->reservation = 0;
		record_coin(w, c, out);
	}
	p->state = PLAN_SENT;
	p->height = 0;
	record_plan(p, out);
	add_outputs(w, p, out);
}

static void release_inputs(struct wallet *w, const struct plan *p, struct effects *out)
{
	for (uint32_t i = 0; i < p->tx->input_count; i++) {
		struct coin *c = coin_find(w, &p->tx->inputs[i].prev);

		if (!c)
			continue;
		if (c->reservation == p->id)
			c->reservation = 0;
		if (c->spent && SAME(c->spender, p->txid)) {
			c->spent = false;
			c->spent_height = 0;
		}
		record_coin(w, c, out);
	}
}

static void remove_outputs(struct wallet *w, const struct plan *p, struct effects *out)
{
	for (uint32_t i = 0; i < p->tx->output_count; i++) {
		struct outpoint o = { p->txid, i };
		struct coin *c = coin_find(w, &o);

		if (c)
			coin_remove(w, c, out);
	}
}

/* One plan, whose children are marked to follow. */
static void kill_one(struct wallet *w, struct plan *p, uint32_t height, struct effects *out)
{
	struct plan *q;

	for (uint32_t at = 0; (q = table_next(&w->plans, &at));)
		if ((q->state == PLAN_SENT || q->state == PLAN_RESERVED) && q != p && rests_on(q, p))
			q->doomed = true;
	release_inputs(w, p, out);
	if (p->state == PLAN_SENT)
		remove_outputs(w, p, out);
	p->state = PLAN_DEAD;
	p->height = height;
	p->doomed = false;
	record_plan(p, out);
}

void plan_kill(struct wallet *w, struct plan *p, uint32_t height, struct effects *out)
{
	bool again = true;

	p->doomed = true;
	while (again) {
		struct plan *q;

		again = false;
		for (uint32_t at = 0; (q = table_next(&w->plans, &at));)
			if (q->doomed) {
				kill_one(w, q, height, out);
				again = true;
			}
	}
}
