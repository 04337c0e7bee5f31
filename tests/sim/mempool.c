/* The mempool: who enters, who is replaced and who has to go.
 *
 *	M1 the list is in order of arrival, parents before children
 *	M2 an output is spent by one live transaction at most
 *	M3 what is in here could be in the next block
 *
 * An offer is judged with what it conflicts with set aside; when it is refused they are put back. */
#include <string.h>

#include "tests/sim/chain_state.h"

#define ANCESTORS_MAX 25u
#define DESCENDANTS_MAX 25u
#define CLUSTER_VSIZE_MAX 101000u
#define CARVE_OUT_VSIZE 10000u /* one more child of a full family, for the second anchor of a commitment */
#define REPLACED_MAX 100u      /* BIP 125 rule 5 */
#define PACKAGE_MAX 25u
#define PACKAGE_REPLACES_MAX 2u /* a package replaces clusters of no more than so many */
/* BIP 431 (TRUC). */
#define TRUC_VERSION 3
#define TRUC_VSIZE_MAX 10000u
#define TRUC_CHILD_VSIZE_MAX 1000u

struct attempt {
	struct entry *const *list;
	uint32_t count, entered;
	struct entries direct; /* that spend what the offer spends */
	struct entries aside;  /* these and their descendants, in order of arrival */
	uint64_t fee, vsize;
};

static uint64_t vsize_of(const struct entry *e)
{
	return policy_vsize(e->t.weight);
}

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

static void add(struct sim_chain *c, struct entry *e)
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

static void notice(struct sim_chain *c, const struct entry *e, const char *why)
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

/* e with its descendants, which may begin with one that is in no mempool. */
static void take_tree(struct sim_chain *c, struct entry *e, struct entries *out)
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

	take_tree(c, e, &gone);
	for (uint32_t i = 0; why && i < gone.count; i++)
		notice(c, gone.list[i], why);
	entries_release(&gone);
}

/* --- one offer --- */

static const char *check_truc(const struct entry *e, const struct entries *ancestors)
{
	bool truc = e->t.tx->version == TRUC_VERSION;

	for (uint32_t i = 0; i < ancestors->count; i++)
		if ((ancestors->list[i]->t.tx->version == TRUC_VERSION) != truc)
			return "TRUC-violation";
	if (!truc)
		return NULL;
	if (ancestors->count > 1 || vsize_of(e) > (ancestors->count ? TRUC_CHILD_VSIZE_MAX : TRUC_VSIZE_MAX))
		return "TRUC-violation";
	return NULL;
}

/* Whether so many more may descend from p. */
static bool family_has_room(struct sim_chain *c, struct entry *p, const struct entry *e, bool carve_out)
{
	struct entries family = { NULL, 0, 0 };
	uint64_t vsize = vsize_of(p) + vsize_of(e);
	uint32_t count;

	pool_descendants(c, p, &family);
	for (uint32_t i = 0; i < family.count; i++)
		vsize += vsize_of(family.list[i]);
	count = family.count + 2;
	entries_release(&family);
	if (p->t.tx->version == TRUC_VERSION)
		return count <= 2;
	return count <= DESCENDANTS_MAX + carve_out && vsize <= CLUSTER_VSIZE_MAX + (carve_out ? CARVE_OUT_VSIZE : 0);
}

static const char *check_family(struct sim_chain *c, struct entry *e)
{
	struct entries ancestors = { NULL, 0, 0 };
	uint64_t vsize = vsize_of(e);
	const char *why;
	bool carve_out;

	pool_ancestors(c, e, &ancestors);
	why = check_truc(e, &ancestors);
	for (uint32_t i = 0; i < ancestors.count; i++)
		vsize += vsize_of(ancestors.list[i]);
	if (!why && (ancestors.count + 1 > ANCESTORS_MAX || vsize > CLUSTER_VSIZE_MAX))
		why = "too-long-mempool-chain";
	carve_out = ancestors.count <= 1 && vsize_of(e) <= CARVE_OUT_VSIZE;
	for (uint32_t i = 0; !why && i < ancestors.count; i++)
		if (!family_has_room(c, ancestors.list[i], e, carve_out))
			why = ancestors.list[i]->t.tx->version == TRUC_VERSION ? "TRUC-violation" : "too-long-mempool-chain";
	entries_release(&ancestors);
	return why;
}

static bool has(const struct entries *s, const struct entry *e)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->list[i] == e)
			return true;
	return false;
}

/* BIP 125 rule 2: an unconfirmed input must be one that a replaced transaction had. */
static bool adds_unconfirmed(const struct sim_chain *c, const struct entry *e, const struct entries *direct)
{
	for (uint32_t i = 0; i < e->t.tx->input_count; i++) {
		const struct txid *id = &e->t.tx->inputs[i].prev.txid;
		const struct entry *p = chain_live(c, id);
		bool known = false;

		if (!p || !p->t.in_mempool)
			continue;
		for (uint32_t j = 0; j < direct->count && !known; j++)
			for (uint32_t k = 0; k < direct->list[j]->t.tx->input_count; k++)
				known |= SAME(direct->list[j]->t.tx->inputs[k].prev.txid, *id);
		if (!known)
			return true;
	}
	return false;
}

/* BIP 431: a second child of a TRUC parent replaces the first, as if they spent the same output. */
static void add_sibling(struct sim_chain *c, const struct entry *e, struct entries *direct)
{
	struct entries family = { NULL, 0, 0 };

	pool_ancestors(c, e, &family);
	if (e->t.tx->version == TRUC_VERSION && family.count == 1 && family.list[0]->t.tx->version == TRUC_VERSION) {
		pool_descendants(c, family.list[0], &family);
		if (family.count == 1 && !has(direct, family.list[0]))
			entries_add(direct, family.list[0]);
	}
	entries_release(&family);
}

/* alone: no package. */
static const char *find_conflicts(struct sim_chain *c, const struct entry *e, bool alone, struct entries *direct)
{
	struct entries ancestors = { NULL, 0, 0 };
	const char *why = NULL;

	for (uint32_t i = 0; i < e->t.tx->input_count; i++) {
		const struct outpoint *o = &e->t.tx->inputs[i].prev;
		struct entry *p = chain_live(c, &o->txid);
		struct entry *s = p && o->index < p->t.tx->output_count ? p->spenders[o->index] : NULL;

		if (s && s->t.in_mempool && !has(direct, s))
			entries_add(direct, s);
	}
	if (alone)
		add_sibling(c, e, direct);
	pool_ancestors(c, e, &ancestors);
	for (uint32_t i = 0; i < direct->count; i++)
		if (has(&ancestors, direct->list[i]))
			why = "bad-txns-spends-conflicting-tx";
	if (!why && direct->count && adds_unconfirmed(c, e, direct))
		why = "replacement-adds-unconfirmed";
	entries_release(&ancestors);
	return why;
}

/* Whether e has at most one relative in all: a parent or a child, and that one nobody else. */
static bool is_small_cluster(struct sim_chain *c, const struct entry *e)
{
	struct entries family = { NULL, 0, 0 };
	uint32_t relatives;

	pool_descendants(c, e, &family);
	relatives = family.count;
	pool_ancestors(c, e, &family);
	relatives += family.count;
	if (family.count == 1 && relatives == 1) {
		pool_descendants(c, family.list[0], &family);
		relatives = family.count;
	}
	entries_release(&family);
	return relatives < PACKAGE_REPLACES_MAX;
}

/* Replacement by a package: parent and child alone, against such. */
static const char *check_package_conflicts(struct sim_chain *c, const struct attempt *a)
{
	if (a->count != 2)
		return "package RBF failed";
	for (uint32_t i = 0; i < a->direct.count; i++)
		if (!is_small_cluster(c, a->direct.list[i]))
			return "package RBF failed";
	return NULL;
}

static const char *set_conflicts_aside(struct sim_chain *c, struct attempt *a, const struct entry *e)
{
	struct entries direct = { NULL, 0, 0 };
	const char *why = find_conflicts(c, e, a->count == 1, &direct);

	for (uint32_t i = 0; i < direct.count && !why; i++)
		entries_add(&a->direct, direct.list[i]);
	if (!why && direct.count && a->count > 1)
		why = check_package_conflicts(c, a);
	for (uint32_t i = 0; i < direct.count && !why; i++)
		if (direct.list[i]->t.in_mempool)
			take_tree(c, direct.list[i], &a->aside);
	if (a->aside.count > REPLACED_MAX)
		why = "too many potential replacements";
	entries_release(&direct);
	return why;
}

/* Everything about one transaction of the offer but what needs the sums of all, and its scripts. */
static const char *enter(struct sim_chain *c, struct attempt *a, struct entry *e)
{
	const char *why = chain_check_shape(e);

	if (!why)
		why = policy_check(e);
	if (!why)
		why = set_conflicts_aside(c, a, e);
	if (!why)
		why = chain_check(c, e);
	if (!why)
		why = policy_check_inputs(c, e);
	if (!why && e->t.tx->version != TRUC_VERSION && e->t.fee.v < policy_fee(RELAY_PER_KVB, vsize_of(e)))
		why = "min relay fee not met";
	if (!why)
		why = check_family(c, e);
	if (why)
		return why;
	chain_enter(c, e);
	add(c, e);
	a->entered++;
	a->fee += e->t.fee.v;
	a->vsize += vsize_of(e);
	return NULL;
}

/* BIP 125 rules 3 and 4, and that miners gain: each one replaced pays less by the byte. */
static const char *check_replacement(const struct attempt *a)
{
	uint64_t lost = 0;

	if (!a->direct.count)
		return NULL;
	for (uint32_t i = 0; i < a->direct.count; i++)
		if (a->fee * vsize_of(a->direct.list[i]) <= a->direct.list[i]->t.fee.v * a->vsize)
			return "insufficient fee";
	for (uint32_t i = 0; i < a->aside.count; i++)
		lost += a->aside.list[i]->t.fee.v;
	if (a->fee < lost || a->fee - lost < policy_fee(INCREMENTAL_PER_KVB, a->vsize))
		return "insufficient fee";
	return NULL;
}

static uint64_t minimum(const struct sim_chain *c)
{
	return c->minimum_per_kvb > RELAY_PER_KVB ? c->minimum_per_kvb : RELAY_PER_KVB;
}

static const char *judge(struct sim_chain *c, struct attempt *a)
{
	const char *why = NULL;

	for (uint32_t i = 0; i < a->count && !why; i++)
		why = enter(c, a, a->list[i]);
	if (why)
		return why;
	if (a->fee < policy_fee(RELAY_PER_KVB, a->vsize))
		return "min relay fee not met";
	if (a->fee < policy_fee(minimum(c), a->vsize))
		return "mempool min fee not met";
	why = check_replacement(a);
	for (uint32_t i = 0; i < a->count && !why; i++)
		why = chain_check_scripts(c, a->list[i], true);
	return why;
}

static void take_back(struct sim_chain *c, struct attempt *a)
{
	for (uint32_t i = a->entered; i-- > 0;)
		pool_remove_tree(c, a->list[i], NULL);
	for (uint32_t i = 0; i < a->aside.count; i++) {
		chain_enter(c, a->aside.list[i]);
		add(c, a->aside.list[i]);
	}
}

static const char *try(struct sim_chain *c, struct entry *const *list, uint32_t count)
{
	struct attempt a = { .list = list, .count = count };
	const char *why = judge(c, &a);

	if (why) {
		take_back(c, &a);
	} else {
		for (uint32_t i = 0; i < a.aside.count; i++)
			notice(c, a.aside.list[i], "replaced");
		for (uint32_t i = 0; i < count; i++)
			notice(c, list[i], NULL);
		pool_trim(c);
		for (uint32_t i = 0; i < count && !why; i++)
			if (!list[i]->t.in_mempool)
				why = "mempool full";
	}
	entries_release(&a.direct);
	entries_release(&a.aside);
	return why;
}

/* In the mempool or mined, perhaps with another witness, which stays: Bitcoin Core calls that no failure. */
static bool is_there(const struct sim_chain *c, const struct entry *e)
{
	return chain_live(c, &e->t.id) != NULL;
}

static bool spends(const struct entry *e, const struct entry *parent)
{
	for (uint32_t i = 0; i < e->t.tx->input_count; i++)
		if (SAME(e->t.tx->inputs[i].prev.txid, parent->t.id))
			return true;
	return false;
}

/* One child of all the others, which are not one another's. */
static bool is_family(struct entry *const *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (spends(list[i], list[j]) != (i + 1 == count))
				return false;
	return true;
}

/* Each by itself first, so that nobody pays for a parent that does not need it; then those together that were too
 * poor alone, with those that wait for them. */
static const char *offer_package(struct sim_chain *c, struct entry *const *list, uint32_t count)
{
	struct entry *left[PACKAGE_MAX];
	uint32_t left_count = 0;
	const char *why = NULL;

	if (!is_family(list, count))
		return "package topology disallowed";
	for (uint32_t i = 0; i < count; i++) {
		if (is_there(c, list[i]))
			continue;
		why = try(c, &list[i], 1);
		if (!why)
			continue;
		left[left_count++] = list[i];
		if (strcmp(why, "min relay fee not met") && strcmp(why, "mempool min fee not met") && strcmp(why, "insufficient fee") &&
		    strcmp(why, "mempool full") && !(left_count > 1 && !strcmp(why, "bad-txns-inputs-missingorspent")))
			return why;
	}
	if (!left_count)
		return NULL;
	if (left[left_count - 1] != list[count - 1])
		return why ? why : "min relay fee not met";
	return left_count > 1 ? try(c, left, left_count) : why;
}

const char *sim_chain_offer(struct sim_chain *c, const struct bytes *txs, uint32_t count, uint64_t from)
{
	struct entry *list[PACKAGE_MAX];
	const char *why = NULL;

	ASSERT(count > 0);
	if (count > PACKAGE_MAX)
		return "package-too-many-transactions";
	for (uint32_t i = 0; i < count; i++) {
		list[i] = chain_entry(c, txs[i], from);
		if (!list[i])
			return "TX decode failed";
	}
	if (count > 1)
		why = offer_package(c, list, count);
	else if (!is_there(c, list[0]))
		why = try(c, list, 1);
	trace_offer(c, list, count, why);
	pool_tell(c);
	return why;
}

/* --- limits --- */

/* Fee and size of e with its descendants, or of e alone where that is better: what evicting it would lose. */
static void worth(struct sim_chain *c, const struct entry *e, struct entries *family, uint64_t *fee, uint64_t *vsize)
{
	*fee = e->t.fee.v;
	*vsize = vsize_of(e);
	pool_descendants(c, e, family);
	for (uint32_t i = 0; i < family->count; i++) {
		*fee += family->list[i]->t.fee.v;
		*vsize += vsize_of(family->list[i]);
	}
	if (e->t.fee.v * *vsize > *fee * vsize_of(e)) {
		*fee = e->t.fee.v;
		*vsize = vsize_of(e);
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

struct feerate sim_chain_minimum(const struct sim_chain *c)
{
	return FEERATE((uint32_t)((minimum(c) + 3) / 4));
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
		add(c, list[i]);
	for (uint32_t i = 0; i < waiting.count; i++)
		add(c, waiting.list[i]);
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
