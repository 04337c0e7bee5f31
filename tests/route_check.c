#include "tests/route_world.h"

struct terms {
	struct route_policy policy;
	struct pubkey from, to;
	struct amount_msat most; /* that the direction has for all HTLCs */
	uint32_t htlcs;
};

static int direction_of(const struct pubkey *from, const struct pubkey *to)
{
	return memcmp(from->v, to->v, 33) < 0 ? 0 : 1;
}

/* The first that can carry anything at all counts, of several that claim one id. */
static bool terms_of_own(const struct route_graph *g, const struct route_request *q, const struct route_leg *h, const struct pubkey *from, struct terms *t)
{
	for (uint32_t i = 0; q->has_own && i < q->own_count; i++) {
		const struct route_own *o = &q->own[i];
		uint32_t edge = route_graph_edge(g, o->scid);

		if (o->scid.v != h->scid.v || direction_of(&q->source, &o->peer) != h->direction || !SAME(q->source, *from) ||
		    !o->spendable.v || !o->htlcs || MSAT_LESS(msat_min(o->htlc_max, o->spendable), o->htlc_min) ||
		    SAME(o->peer, q->source))
			continue;
		if (edge != ROUTE_NONE && (!SAME(g->nodes[g->edges[edge].node[h->direction]], q->source) ||
					   !SAME(g->nodes[g->edges[edge].node[!h->direction]], o->peer)))
			continue;
		*t = (struct terms){ { .enabled = true, .htlc_min = o->htlc_min, .htlc_max = o->htlc_max }, q->source, o->peer,
				     o->spendable, o->htlcs };
		return true;
	}
	return false;
}

static bool terms_of_graph(const struct route_graph *g, const struct route_leg *h, struct terms *t)
{
	uint32_t edge = route_graph_edge(g, h->scid), arc;
	const struct route_arc *a;

	if (edge == ROUTE_NONE)
		return false;
	*t = (struct terms){ .from = g->nodes[g->edges[edge].node[h->direction]], .to = g->nodes[g->edges[edge].node[!h->direction]],
			     .most = route_edge_capacity(&g->edges[edge]), .htlcs = UINT32_MAX };
	arc = g->edges[edge].arc[h->direction];
	if (arc == ROUTE_NONE)
		return true;
	a = &g->arcs[arc];
	t->policy = (struct route_policy){ true, a->fee_base_msat, a->fee_ppm, a->cltv_delta, MSAT(a->htlc_min_msat),
					   MSAT(a->htlc_max_msat) };
	return true;
}

/* The nth of the hints about that direction: of several any may be meant. */
static bool terms_of_hints(const struct route_request *q, const struct route_leg *h, uint32_t nth, struct terms *t)
{
	for (uint32_t i = 0; i < q->hint_count; i++) {
		const struct route_hint *x = &q->hints[i];

		if (x->scid.v != h->scid.v || direction_of(&x->from, &x->to) != h->direction || SAME(x->from, x->to) ||
		    (x->htlc_max.v && MSAT_LESS(x->htlc_max, x->htlc_min)) || nth--)
			continue;
		*t = (struct terms){ { true, x->fee_base_msat, x->fee_ppm, x->cltv_delta, x->htlc_min, x->htlc_max }, x->from, x->to,
				     x->htlc_max.v ? x->htlc_max : msat_of_sat(SAT(SUPPLY_SAT)), UINT32_MAX };
		return true;
	}
	return false;
}

static bool terms_of_layers(const struct route_request *q, const struct route_leg *h, struct terms *t, bool known)
{
	const struct route_rule *r;

	for (uint32_t i = 0; i < q->layer_count; i++)
		for (uint64_t at = 0; (r = route_layer_next(q->layers[i], &at));) {
			const struct route_channel *c = &r->u.create;

			if (r->scid.v != h->scid.v || (r->kind != ROUTE_RULE_CREATE && r->direction != h->direction))
				continue;
			if (r->kind == ROUTE_RULE_CREATE && !known) {
				*t = (struct terms){ c->policy[h->direction], c->node[h->direction], c->node[!h->direction],
						     msat_of_sat(c->capacity), UINT32_MAX };
				known = true;
			} else if (r->kind == ROUTE_RULE_CREATE && SAME(c->node[h->direction], t->from) &&
				   SAME(c->node[!h->direction], t->to)) {
				t->policy = c->policy[h->direction];
			} else if (r->kind == ROUTE_RULE_UPDATE && known) {
				route_policy_set(&t->policy, &r->u.update.policy, r->u.update.sets);
			}
		}
	return known;
}

static bool created(const struct route_request *q, struct scid scid)
{
	for (uint32_t i = 0; i < q->layer_count; i++)
		if (route_layer_find(q->layers[i], ROUTE_RULE_CREATE, scid, 0, NULL))
			return true;
	return false;
}

/* Of what is known to be there at most, so much has gone, or come. */
static void moved(struct terms *t, struct amount_msat amount, struct amount_msat capacity, bool back)
{
	if (!back)
		t->most = msat_sub_or_zero(t->most, amount);
	else if (!msat_add(&t->most, t->most, amount) || MSAT_LESS(capacity, t->most))
		t->most = capacity;
}

static const char *judge_layers(const struct route_request *q, const struct route_leg *h, const struct pubkey *from,
				struct terms *t, bool own)
{
	const struct amount_msat capacity = t->most;
	const struct route_rule *r;

	for (uint32_t i = 0; i < q->layer_count; i++)
		for (uint64_t at = 0; (r = route_layer_next(q->layers[i], &at));) {
			bool same = r->scid.v == h->scid.v && r->direction == h->direction;

			if (r->kind == ROUTE_RULE_EXCLUDE && same)
				return "an excluded channel";
			if (r->kind == ROUTE_RULE_EXCLUDE_NODE && SAME(r->node, *from) && !SAME(r->node, q->source))
				return "an excluded node";
			if (r->kind == ROUTE_RULE_RESERVE && same)
				t->most = msat_sub_or_zero(t->most, r->u.reserve);
			/* What a later rule says is another matter; a single bound must hold. */
			if (r->kind == ROUTE_RULE_CONSTRAIN && same && q->layer_count == 1 && r->u.constrain.has_high && !own)
				t->most = msat_min(t->most, r->u.constrain.high);
			if (r->kind == ROUTE_RULE_MOVE && r->scid.v == h->scid.v && q->layer_count == 1 && !own)
				moved(t, r->u.moved, capacity, !same);
		}
	return NULL;
}

static const char *terms_of(const struct route_graph *g, const struct route_request *q, const struct route_leg *h,
			    const struct pubkey *from, uint32_t nth, struct terms *t)
{
	bool own = terms_of_own(g, q, h, from, t);
	bool known = own || terms_of_graph(g, h, t);

	if (!own) {
		struct terms hint;

		if ((!known || !t->policy.enabled) && !created(q, h->scid) && terms_of_hints(q, h, nth, &hint)) {
			*t = hint;
			known = true;
		}
		known = terms_of_layers(q, h, t, known);
	}
	if (!known)
		return "a channel that nobody knows";
	return judge_layers(q, h, from, t, own);
}

/* The sum of a direction over the whole plan. */
static const char *check_load(const struct route_plan *plan, const struct route_leg *h, const struct terms *t)
{
	struct amount_msat sum = MSAT(0);
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->part_count; i++)
		for (uint32_t k = 0; k < plan->parts[i].hop_count; k++) {
			const struct route_leg *o = &plan->parts[i].hops[k];

			if (o->scid.v != h->scid.v || o->direction != h->direction)
				continue;
			count++;
			if (!msat_add(&sum, sum, o->amount))
				return "a sum that overflows";
		}
	if (MSAT_LESS(t->most, sum))
		return "more than the direction has";
	return count > t->htlcs ? "more HTLCs than the channel takes" : NULL;
}

static const char *check_terms(const struct route_request *q, const struct route_plan *plan, const struct route_part *part,
			       uint32_t i, const struct pubkey *from, const struct terms *t)
{
	const struct route_leg *h = &part->hops[i], *before = i ? h - 1 : NULL;
	unsigned __int128 fee;

	if (!SAME(t->from, *from) || !SAME(t->to, h->node))
		return "hops that do not join";
	if (!t->policy.enabled)
		return "a direction that is disabled";
	if (MSAT_LESS(h->amount, t->policy.htlc_min))
		return "less than the minimum";
	if (t->policy.htlc_max.v && MSAT_LESS(t->policy.htlc_max, h->amount))
		return "more than the maximum";
	for (uint32_t k = 0; k < i; k++)
		if (SAME(part->hops[k].node, h->node))
			return "a loop";
	if (SAME(h->node, q->source))
		return "a loop over the source";
	if (before) {
		/* B7.htlc_fees.1: to the millisatoshi, and no more than is asked. */
		fee = (unsigned __int128)h->amount.v * t->policy.fee_ppm / 1000000 + t->policy.fee_base_msat;
		if (before->amount.v != h->amount.v + fee)
			return "a fee that is not what the node asks";
		if (before->cltv != h->cltv + t->policy.cltv_delta)
			return "a delay that is not what the node asks";
	}
	return check_load(plan, h, t);
}

static const char *check_hop(const struct route_graph *g, const struct route_request *q, const struct route_plan *plan,
			     const struct route_part *part, uint32_t i)
{
	const struct pubkey from = i ? part->hops[i - 1].node : q->source;
	const char *wrong = NULL;

	for (uint32_t nth = 0; nth < (q->hint_count ? q->hint_count : 1); nth++) {
		struct terms t;

		wrong = terms_of(g, q, &part->hops[i], &from, nth, &t);
		if (!wrong)
			wrong = check_terms(q, plan, part, i, &from, &t);
		if (!wrong)
			break;
	}
	return wrong;
}

static const char *check_part(const struct route_graph *g, const struct route_request *q, const struct route_plan *plan,
			      const struct route_part *part)
{
	const struct route_leg *last = &part->hops[part->hop_count - 1];
	const char *wrong = NULL;

	if (!part->hop_count || part->hop_count > (q->hops_max ? q->hops_max : ROUTE_HOPS_DEFAULT))
		return "too many hops";
	if (!SAME(last->node, q->target) || last->cltv != q->final_cltv || msat_cmp(last->amount, part->deliver))
		return "an end that is not the payee's";
	if (msat_cmp(part->send, part->hops[0].amount) || part->cltv != part->hops[0].cltv || part->cltv > q->cltv_max)
		return "a beginning that is not the part's";
	if (MSAT_LESS(part->deliver, msat_min(q->part_min, q->amount)))
		return "a part that is dust";
	for (uint32_t i = 0; i < part->hop_count && !wrong; i++)
		wrong = check_hop(g, q, plan, part, i);
	return wrong;
}

const char *route_world_check(const struct route_graph *g, const struct route_request *q, const struct route_plan *plan)
{
	struct amount_msat delivered = MSAT(0), fee = MSAT(0), part_fee;

	if (plan->verdict != ROUTE_FOUND)
		return plan->part_count ? "parts without a plan" : NULL;
	if (!plan->part_count || plan->part_count > q->parts_max)
		return "too many parts";
	for (uint32_t i = 0; i < plan->part_count; i++) {
		const struct route_part *part = &plan->parts[i];
		const char *wrong = check_part(g, q, plan, part);

		if (wrong)
			return wrong;
		if (!msat_add(&delivered, delivered, part->deliver) || !msat_sub(&part_fee, part->send, part->deliver) ||
		    !msat_add(&fee, fee, part_fee))
			return "sums that overflow";
	}
	if (msat_cmp(delivered, q->amount))
		return "not the amount";
	if (msat_cmp(fee, plan->fee) || MSAT_LESS(q->fee_limit, fee))
		return "more fees than allowed";
	return NULL;
}
