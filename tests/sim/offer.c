/* Who enters the mempool: families, replacement, packages.
 *
 * An offer is judged as if it were in, with what it replaces set aside; when it is refused all is put back.  The order
 * of the checks is Bitcoin Core's, so that a refusal for two reasons names the same one. */
#include <string.h>

#include "tests/sim/chain_state.h"

#define ANCESTORS_MAX 25u
#define DESCENDANTS_MAX 25u
#define CLUSTER_VSIZE_MAX 101000u
#define CARVE_OUT_VSIZE 10000u /* one more child of a full family, for the second anchor of a commitment */
#define REPLACED_MAX 100u      /* BIP 125 rule 5 */
#define PACKAGE_MAX 25u
#define PACKAGE_WEIGHT_MAX 404000u
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
	bool package_may_not;  /* replace */
};

static bool has(const struct entries *s, const struct entry *e)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->list[i] == e)
			return true;
	return false;
}

/* --- families --- */

static bool is_truc(const struct entry *e)
{
	return e->t.tx->version == TRUC_VERSION;
}

/* Whether so many more may descend from p.  A lone conflict goes, and leaves its room. */
static bool has_room(struct sim_chain *c, struct entry *p, const struct entry *e, bool carve_out, const struct entries *direct)
{
	uint64_t vsize = entry_vsize(p) + entry_vsize(e), vsize_max = CLUSTER_VSIZE_MAX + (carve_out ? CARVE_OUT_VSIZE : 0);
	uint32_t count, count_max = DESCENDANTS_MAX + carve_out;
	struct entries family = { NULL, 0, 0 };

	pool_descendants(c, p, &family);
	for (uint32_t i = 0; i < family.count; i++)
		vsize += entry_vsize(family.list[i]);
	count = family.count + 2;
	entries_release(&family);
	if (direct->count == 1) {
		count_max++;
		vsize_max += entry_vsize(direct->list[0]);
	}
	return count <= count_max && vsize <= vsize_max;
}

static const char *check_limits(struct sim_chain *c, const struct entry *e, const struct entries *ancestors, const struct entries *direct)
{
	bool carve_out = ancestors->count <= 1 && entry_vsize(e) <= CARVE_OUT_VSIZE;
	uint64_t vsize = entry_vsize(e);

	for (uint32_t i = 0; i < ancestors->count; i++)
		vsize += entry_vsize(ancestors->list[i]);
	if (ancestors->count + 1 > ANCESTORS_MAX || vsize > CLUSTER_VSIZE_MAX)
		return "too-long-mempool-chain";
	for (uint32_t i = 0; i < ancestors->count; i++)
		if (!has_room(c, ancestors->list[i], e, carve_out, direct))
			return "too-long-mempool-chain";
	return NULL;
}

/* BIP 431.  A second child replaces the first, as if they spent the same output: `direct` gets it. */
static const char *check_truc(struct sim_chain *c, const struct entry *e, const struct entries *ancestors, bool alone,
			      struct entries *direct)
{
	struct entries family = { NULL, 0, 0 };
	const char *why = NULL;

	for (uint32_t i = 0; i < ancestors->count; i++)
		if (is_truc(ancestors->list[i]) != is_truc(e))
			return "TRUC-violation";
	if (!is_truc(e))
		return NULL;
	if (ancestors->count > 1 || entry_vsize(e) > (ancestors->count ? TRUC_CHILD_VSIZE_MAX : TRUC_VSIZE_MAX))
		return "TRUC-violation";
	if (!ancestors->count)
		return NULL;
	pool_descendants(c, ancestors->list[0], &family);
	if (family.count > 1 || (family.count && !alone && !has(direct, family.list[0])))
		why = "TRUC-violation";
	else if (family.count && !has(direct, family.list[0]))
		entries_add(direct, family.list[0]);
	entries_release(&family);
	return why;
}

/* --- conflicts --- */

static void find_conflicts(const struct sim_chain *c, const struct entry *e, struct entries *direct)
{
	for (uint32_t i = 0; i < e->t.tx->input_count; i++) {
		const struct outpoint *o = &e->t.tx->inputs[i].prev;
		struct entry *s = chain_live(c, &o->txid)->spenders[o->index];

		if (s && s->t.in_mempool && !has(direct, s))
			entries_add(direct, s);
	}
}

/* Families, and what e would have to replace. */
static const char *check_relatives(struct sim_chain *c, const struct entry *e, bool alone, struct entries *direct)
{
	struct entries ancestors = { NULL, 0, 0 };
	const char *why;

	find_conflicts(c, e, direct);
	pool_ancestors(c, e, &ancestors);
	why = check_limits(c, e, &ancestors, direct);
	if (!why)
		why = check_truc(c, e, &ancestors, alone, direct);
	for (uint32_t i = 0; i < direct->count && !why; i++)
		if (has(&ancestors, direct->list[i]))
			why = "bad-txns-spends-conflicting-tx";
	entries_release(&ancestors);
	return why;
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

/* BIP 125 rule 5, as Bitcoin Core counts. */
static bool replaces_too_many(struct sim_chain *c, const struct entries *direct)
{
	struct entries family = { NULL, 0, 0 };
	uint32_t count = 0;

	for (uint32_t i = 0; i < direct->count; i++) {
		pool_descendants(c, direct->list[i], &family);
		count += family.count + 1;
	}
	entries_release(&family);
	return count > REPLACED_MAX;
}

/* Miners gain by the byte from each one replaced. */
static bool pays_more(uint64_t fee, uint64_t vsize, const struct entries *direct)
{
	for (uint32_t i = 0; i < direct->count; i++)
		if (fee * entry_vsize(direct->list[i]) <= direct->list[i]->t.fee.v * vsize)
			return false;
	return true;
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

/* Replacement by a package: parent and child alone, against such, and not by a tail of the mempool. */
static bool package_may_replace(struct sim_chain *c, const struct attempt *a, const struct entry *e, const struct entries *direct)
{
	struct entries ancestors = { NULL, 0, 0 };
	bool good = a->count == 2 && !replaces_too_many(c, direct);

	pool_ancestors(c, e, &ancestors);
	for (uint32_t i = 0; i < ancestors.count; i++)
		good &= ancestors.list[i] == a->list[0];
	for (uint32_t i = 0; i < direct->count; i++)
		good &= is_small_cluster(c, direct->list[i]);
	entries_release(&ancestors);
	return good;
}

static const char *check_conflicts(struct sim_chain *c, struct attempt *a, const struct entry *e, const struct entries *direct)
{
	if (!direct->count)
		return NULL;
	if (a->count > 1) {
		/* Told after all that is wrong with each by itself. */
		a->package_may_not |= !package_may_replace(c, a, e, direct);
		return NULL;
	}
	if (!pays_more(e->t.fee.v, entry_vsize(e), direct))
		return "insufficient fee";
	if (replaces_too_many(c, direct))
		return "too many potential replacements";
	return adds_unconfirmed(c, e, direct) ? "replacement-adds-unconfirmed" : NULL;
}

static const char *set_conflicts_aside(struct sim_chain *c, struct attempt *a, const struct entry *e)
{
	struct entries direct = { NULL, 0, 0 };
	const char *why = check_relatives(c, e, a->count == 1, &direct);

	if (!why)
		why = check_conflicts(c, a, e, &direct);
	for (uint32_t i = 0; i < direct.count && !why; i++) {
		entries_add(&a->direct, direct.list[i]);
		if (direct.list[i]->t.in_mempool)
			pool_take_tree(c, direct.list[i], &a->aside);
	}
	entries_release(&direct);
	return why;
}

/* --- one offer --- */

static const char *check_fee(const struct sim_chain *c, uint64_t fee, uint64_t vsize)
{
	if (fee < policy_fee(RELAY_PER_KVB, vsize))
		return "min relay fee not met";
	return fee < policy_fee(pool_minimum_per_kvb(c), vsize) ? "mempool min fee not met" : NULL;
}

/* Everything about one transaction of the offer but what needs the sums of all, and its scripts. */
static const char *enter(struct sim_chain *c, struct attempt *a, struct entry *e)
{
	const char *why = chain_check_shape(e);

	if (!why)
		why = policy_check(e);
	if (!why)
		why = chain_check(c, e);
	if (!why)
		why = policy_check_inputs(c, e);
	if (!why && !is_truc(e) && e->t.fee.v < policy_fee(RELAY_PER_KVB, entry_vsize(e)))
		why = "min relay fee not met";
	if (!why && a->count == 1)
		why = check_fee(c, e->t.fee.v, entry_vsize(e));
	if (!why)
		why = set_conflicts_aside(c, a, e);
	if (why)
		return why;
	chain_enter(c, e);
	pool_add(c, e);
	a->entered++;
	a->fee += e->t.fee.v;
	a->vsize += entry_vsize(e);
	return NULL;
}

/* BIP 125 rules 3 and 4; and a package's child raises its parent, or it could as well come alone. */
static const char *check_replacement(const struct attempt *a)
{
	const struct entry *first = a->list[0];
	uint64_t lost = 0;

	if (!a->direct.count)
		return NULL;
	if (a->package_may_not)
		return "package RBF failed";
	for (uint32_t i = 0; i < a->aside.count; i++)
		lost += a->aside.list[i]->t.fee.v;
	if (a->fee < lost || a->fee - lost < policy_fee(INCREMENTAL_PER_KVB, a->vsize))
		return a->count > 1 ? "package RBF failed" : "insufficient fee";
	if (a->count > 1 && (!pays_more(a->fee, a->vsize, &a->direct) || a->fee * entry_vsize(first) <= first->t.fee.v * a->vsize))
		return "package RBF failed";
	return NULL;
}

static const char *judge(struct sim_chain *c, struct attempt *a)
{
	const char *why = NULL;

	for (uint32_t i = 0; i < a->count && !why; i++)
		why = enter(c, a, a->list[i]);
	if (!why)
		why = check_fee(c, a->fee, a->vsize);
	if (!why)
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
		pool_add(c, a->aside.list[i]);
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
			pool_notice(c, a.aside.list[i], "replaced");
		for (uint32_t i = 0; i < count; i++)
			pool_notice(c, list[i], NULL);
		pool_trim(c);
		for (uint32_t i = 0; i < count && !why; i++)
			if (!list[i]->t.in_mempool)
				why = "mempool full";
	}
	entries_release(&a.direct);
	entries_release(&a.aside);
	return why;
}

/* --- packages --- */

/* In the mempool or mined, perhaps with another witness, which stays: Bitcoin Core calls that no failure, but it does
 * not know a mined one any more whose outputs are all spent. */
static bool is_there(const struct entry *live)
{
	if (live->t.in_mempool)
		return true;
	for (uint32_t i = 0; i < live->t.tx->output_count; i++)
		if (!live->spenders[i] || !live->spenders[i]->t.height)
			return true;
	return false;
}

static const char *try_alone(struct sim_chain *c, struct entry *e)
{
	const struct entry *live = chain_live(c, &e->t.id);

	if (!live)
		return try(c, &e, 1);
	return is_there(live) ? NULL : "bad-txns-inputs-missingorspent";
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

static bool spends_same(const struct entry *a, const struct entry *b)
{
	for (uint32_t i = 0; i < a->t.tx->input_count; i++)
		for (uint32_t j = 0; j < b->t.tx->input_count; j++)
			if (outpoint_equal(&a->t.tx->inputs[i].prev, &b->t.tx->inputs[j].prev))
				return true;
	return false;
}

/* What else the child spends is confirmed: a parent that is in the mempool already must be in the package too. */
static bool has_all_parents(const struct sim_chain *c, struct entry *const *list, uint32_t count)
{
	const struct tx *child = list[count - 1]->t.tx;

	for (uint32_t i = 0; i < child->input_count; i++) {
		bool found = sim_chain_unspent(c, &child->inputs[i].prev);

		for (uint32_t j = 0; j + 1 < count; j++)
			found |= SAME(child->inputs[i].prev.txid, list[j]->t.id);
		if (!found)
			return false;
	}
	return true;
}

static const char *check_package(const struct sim_chain *c, struct entry *const *list, uint32_t count)
{
	uint64_t weight = 0;

	if (!is_family(list, count))
		return "package topology disallowed";
	for (uint32_t i = 0; i < count; i++) {
		weight += list[i]->t.weight;
		for (uint32_t j = 0; j < i; j++)
			if (spends_same(list[i], list[j]))
				return "conflict-in-package";
	}
	if (weight > PACKAGE_WEIGHT_MAX)
		return "package-too-large";
	return has_all_parents(c, list, count) ? NULL : "package-not-child-with-unconfirmed-parents";
}

/* What being in a package could mend: too poor alone, or in want of a parent that was. */
static bool may_be_mended(const char *why)
{
	static const char *const words[] = { "min relay fee not met", "mempool min fee not met", "insufficient fee", "mempool full",
					     "bad-txns-inputs-missingorspent" };

	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (strcmp(why, words[i]) == 0)
			return true;
	return false;
}

/* Each by itself first, so that nobody pays for a parent that does not need it; then together those that this could
 * mend.  What was taken by itself stays, whatever becomes of the others. */
static const char *offer_package(struct sim_chain *c, struct entry *const *list, uint32_t count)
{
	const char *why = check_package(c, list, count), *final = NULL;
	struct entry *left[PACKAGE_MAX];
	uint32_t left_count = 0;

	if (why)
		return why;
	for (uint32_t i = 0; i < count; i++) {
		const char *alone = try_alone(c, list[i]);

		if (alone && may_be_mended(alone)) {
			left[left_count++] = list[i];
			why = alone;
		} else if (alone) {
			final = alone;
		}
	}
	if (final)
		return final;
	return left_count > 1 ? try(c, left, left_count) : why;
}

const char *sim_chain_offer(struct sim_chain *c, const struct bytes *txs, uint32_t count, uint64_t from)
{
	struct entry *list[PACKAGE_MAX];
	const char *why;

	ASSERT(count > 0);
	if (count > PACKAGE_MAX)
		return "package-too-many-transactions";
	for (uint32_t i = 0; i < count; i++) {
		list[i] = chain_entry(c, txs[i], from);
		if (!list[i])
			return "TX decode failed";
	}
	why = count > 1 ? offer_package(c, list, count) : try_alone(c, list[0]);
	trace_offer(c, list, count, why);
	pool_tell(c);
	return why;
}
