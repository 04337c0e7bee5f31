/* The mempool: who waits, who has to go, and who is told.  (offer.c: who enters.)
 *
 *	M1 the list is in order of arrival, parents before children
 *	M2 an output is spent by one live transaction at most
 *	M3 what is in here could be in the next block
 */
#include <string.h>

#include "tests/sim/chain_state.h"

/* --- families --- */

void pool_ancestors(struct sim_chain *c, const struct entry *e, struct entries *out)
{
	uint64_t stamp = ++c->stamp;

	out->count = 0;
	for (uint32_t at = 0;; at++) {
		for (uint32_t i = 0; i < e->t.tx->input_count; i++) {
			struct entry *p = chain_live(c, &e->t.tx->inputs[i].prev.txid);

			if (p && p->t.in_mempool && p->mark != stamp) {
				p->mark = stamp;
				entries_add(out, p);
			}
		}
		if (at == out->count)
			return;
		e = out->list[at];
	}
}

void pool_descendants(struct sim_chain *c, const struct entry *e, struct entries *out)
{
	uint64_t stamp = ++c->stamp;

	out->count = 0;
	for (uint32_t at = 0;; at++) {
		for (uint32_t i = 0; i < e->t.tx->output_count; i++) {
			struct entry *s = e->spenders[i];

			if (s && s->t.in_mempool && s->mark != stamp) {
				s->mark = stamp;
				entries_add(out, s);
			}
		}
		if (at == out->count)
			return;
		e = out->list[at];
	}
}

/* --- the list --- */

static void sum(struct sim_chain *c, const struct entry *e)
{
	for (size_t i = 0; i < sizeof(c->pool_sum.v); i++)
		c->pool_sum.v[i] ^= e->t.id.v[i];
}

void pool_add(struct sim_chain *c, struct entry *e)
{
	sum(c, e);
	if (c->pool_count == c->pool_capacity) {
		c->pool_capacity = c->pool_capacity ? 2 * c->pool_capacity : 256;
		c->pool = mem_realloc(c->pool, c->pool_capacity, sizeof(struct entry *));
	}
	c->pool[c->pool_count++] = e;
	c->pool_weight += e->t.weight;
	e->t.in_mempool = true;
}

void pool_notice(struct sim_chain *c, const struct entry *e, const char *why)
{
	if (!c->watcher_count)
		return;
	ASSERT(c->notice_count < NOTICES_MAX);
	if (c->notice_count == c->notice_capacity) {
		c->notice_capacity = c->notice_capacity ? 2 * c->notice_capacity : 64;
		c->notices = mem_realloc(c->notices, c->notice_capacity, sizeof(*c->notices));
	}
	c->notices[c->notice_count++] = (struct notice){ e, why };
}

void pool_tell(struct sim_chain *c)
{
	if (c->telling)
		return;
	c->telling = true;
	for (uint32_t i = 0; i < c->notice_count; i++) {
		struct notice n = c->notices[i];

		for (uint32_t j = 0; j < c->watcher_count; j++) {
			const struct sim_watcher *w = &c->watchers[j];

			if (n.why && w->dropped)
				w->dropped(w->context, c, &n.e->t, n.why);
			else if (!n.why && w->accepted)
				w->accepted(w->context, c, &n.e->t);
		}
	}
	c->notice_count = 0;
	c->telling = false;
}

void sim_chain_watch(struct sim_chain *c, const struct sim_watcher *w)
{
	ASSERT(c->watcher_count < SIM_WATCHERS_MAX);
	c->watchers[c->watcher_count++] = *w;
}

/* Those whose mark is the newest stamp leave, children first; they go to `out`, in order, where it is given. */
static void take_marked(struct sim_chain *c, struct entries *out)
{
	uint32_t kept = 0;

	for (uint32_t i = c->pool_count; i-- > 0;)
		if (c->pool[i]->mark == c->stamp) {
			chain_leave(c, c->pool[i]);
			sum(c, c->pool[i]);
			c->pool[i]->t.in_mempool = false;
			c->pool_weight -= c->pool[i]->t.weight;
		}
	for (uint32_t i = 0; i < c->pool_count; i++) {
		struct entry *e = c->pool[i];

		if (e->t.in_mempool)
			c->pool[kept++] = e;
		else if (out)
			entries_add(out, e);
	}
	c->pool_count = kept;
}

void pool_take_tree(struct sim_chain *c, struct entry *e, struct entries *out)
{
	struct entries family = { NULL, 0, 0 };

	pool_descendants(c, e, &family);
	if (e->t.in_mempool)
		e->mark = c->stamp;
	take_marked(c, out);
	entries_release(&family);
}

void pool_remove_tree(struct sim_chain *c, struct entry *e, const char *why)
{
	struct entries gone = { NULL, 0, 0 };

	pool_take_tree(c, e, &gone);
	for (uint32_t i = 0; why && i < gone.count; i++)
		pool_notice(c, gone.list[i], why);
	entries_release(&gone);
}

/* --- limits --- */

/* Fee and size of e with its descendants, or of e alone where that is better: what evicting it would lose. */
static void worth(struct sim_chain *c, const struct entry *e, struct entries *family, uint64_t *fee, uint64_t *vsize)
{
	*fee = e->t.fee.v;
	*vsize = entry_vsize(e);
	pool_descendants(c, e, family);
	for (uint32_t i = 0; i < family->count; i++) {
		*fee += family->list[i]->t.fee.v;
		*vsize += entry_vsize(family->list[i]);
	}
	if (e->t.fee.v * *vsize > *fee * entry_vsize(e)) {
		*fee = e->t.fee.v;
		*vsize = entry_vsize(e);
	}
}

void pool_trim(struct sim_chain *c)
{
	struct entries family = { NULL, 0, 0 };

	while (c->limit_weight && c->pool_weight > c->limit_weight) {
		struct entry *worst = NULL;
		uint64_t fee = 0, vsize = 1, rate;

		for (uint32_t i = 0; i < c->pool_count; i++) {
			uint64_t f, v;

			worth(c, c->pool[i], &family, &f, &v);
			if (!worst || f * vsize < fee * v) {
				worst = c->pool[i];
				fee = f;
				vsize = v;
			}
		}
		rate = fee * 1000 / vsize + INCREMENTAL_PER_KVB;
		if (rate > c->minimum_per_kvb)
			c->minimum_per_kvb = rate;
		pool_remove_tree(c, worst, "evicted");
	}
	entries_release(&family);
}

void sim_chain_set_limit(struct sim_chain *c, uint64_t max_weight)
{
	c->limit_weight = max_weight;
	pool_trim(c);
	trace_limit(c);
	pool_tell(c);
}

uint64_t pool_minimum_per_kvb(const struct sim_chain *c)
{
	return c->minimum_per_kvb > RELAY_PER_KVB ? c->minimum_per_kvb : RELAY_PER_KVB;
}

struct feerate sim_chain_minimum(const struct sim_chain *c)
{
	return FEERATE((uint32_t)((pool_minimum_per_kvb(c) + 3) / 4));
}

/* --- blocks --- */

void pool_mined(struct sim_chain *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->pool_count; i++) {
		struct entry *e = c->pool[i];

		if (e->t.height) {
			sum(c, e);
			e->t.in_mempool = false;
			c->pool_weight -= e->t.weight;
		} else {
			c->pool[kept++] = e;
		}
	}
	c->pool_count = kept;
}

void pool_sink(struct sim_chain *c)
{
	/* Bitcoin Core halves it in twelve hours: by a percent with each block. */
	c->minimum_per_kvb -= (c->minimum_per_kvb + 99) / 100;
	if (c->minimum_per_kvb < INCREMENTAL_PER_KVB / 2)
		c->minimum_per_kvb = 0;
}

/* M3 after a reorganization. */
static void sift(struct sim_chain *c)
{
	for (uint32_t i = 0; i < c->pool_count;) {
		if (chain_check(c, c->pool[i]) || policy_check(c->pool[i]) || chain_check_scripts(c, c->pool[i], true))
			pool_remove_tree(c, c->pool[i], "reorg");
		else
			i++;
	}
}

void pool_return(struct sim_chain *c, struct entry *const *list, uint32_t count)
{
	struct entries waiting = { NULL, 0, 0 };

	for (uint32_t i = 0; i < c->pool_count; i++)
		entries_add(&waiting, c->pool[i]);
	c->pool_count = 0;
	c->pool_weight = 0;
	memset(&c->pool_sum, 0, sizeof(c->pool_sum));
	for (uint32_t i = 0; i < count; i++)
		pool_add(c, list[i]);
	for (uint32_t i = 0; i < waiting.count; i++)
		pool_add(c, waiting.list[i]);
	entries_release(&waiting);
	sift(c);
	pool_trim(c);
}

/* --- reading --- */

uint32_t sim_chain_mempool(const struct sim_chain *c)
{
	return c->pool_count;
}

const struct sim_tx *sim_chain_mempool_at(const struct sim_chain *c, uint32_t index)
{
	ASSERT(index < c->pool_count);
	return &c->pool[index]->t;
}
