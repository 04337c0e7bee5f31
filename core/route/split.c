/* From a flow to paths, and from a path to a part whose amounts hold at every hop. */
#include "route/search.h"

/* --- the flow, path by path --- */

/* The arc out of a node that carries most; of equals the one that was used first. */
static uint32_t widest_out(const struct route_planner *p, uint32_t node)
{
	uint32_t best = ROUTE_NONE;
	uint64_t most = 0;

	for (uint32_t i = p->out[node]; i; i = p->states[i - 1].next_out)
		if (p->states[i - 1].flow && p->states[i - 1].flow >= most) {
			most = p->states[i - 1].flow;
			best = p->states[i - 1].arc;
		}
	return best;
}

static uint64_t narrowest(struct route_planner *p, const uint32_t *arcs, uint32_t count)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t flow = arc_state_of(p, arcs[i])->flow;

		least = flow < least ? flow : least;
	}
	return least;
}

void split_take(struct route_planner *p, const struct path *path, uint64_t deliver)
{
	for (uint32_t i = 0; i < path->count; i++) {
		struct arc_state *s = arc_state_of(p, path->arcs[i]);

		ASSERT(s->flow >= deliver);
		s->flow -= deliver;
	}
}

/* Where the walk has been at this node before; count if it has not. */
static uint32_t seen_at(const struct route_planner *p, const struct path *path, uint32_t node)
{
	uint32_t i = 0;

	while (i < path->count && arc_at(p, path->arcs[i])->from != node)
		i++;
	return i;
}

/* Flow in a circle serves nobody. */
static void cancel_circle(struct route_planner *p, const struct path *path, uint32_t begin)
{
	struct path circle = { .count = path->count - begin };

	memcpy(circle.arcs, path->arcs + begin, circle.count * sizeof(*circle.arcs));
	split_take(p, &circle, narrowest(p, circle.arcs, circle.count));
}

bool split_next(struct route_planner *p, struct path *out)
{
	uint32_t node = p->source;

	out->count = 0;
	while (node != p->target) {
		uint32_t arc = widest_out(p, node), begin;

		if (arc == ROUTE_NONE) {
			/* Nothing leaves the source, or a path that was too long has been dropped in its middle. */
			if (!out->count)
				return false;
			split_take(p, out, narrowest(p, out->arcs, out->count));
			out->count = 0;
			node = p->source;
			continue;
		}
		out->arcs[out->count++] = arc;
		node = arc_to(p, arc);
		begin = seen_at(p, out, node);
		if (begin < out->count) {
			cancel_circle(p, out, begin);
			out->count = 0;
			node = p->source;
		} else if (out->count == ROUTE_HOPS_MAX && node != p->target) {
			split_take(p, out, narrowest(p, out->arcs, out->count));
			out->count = 0;
			node = p->source;
		}
	}
	out->deliver = narrowest(p, out->arcs, out->count);
	return true;
}

/* --- exact amounts --- */

/* The largest HTLC that an arc takes now; 0 if none. */
static uint64_t room_of(struct route_planner *p, uint32_t arc)
{
	const struct arc_state *s = arc_state_of(p, arc);
	uint64_t load = s->reserved + s->held, most = arc_at(p, arc)->htlc_max_msat;

	if (s->off || s->excluded || load >= s->high || s->held_htlcs >= s->htlcs)
		return 0;
	return s->high - load < most ? s->high - load : most;
}

/* What can arrive at the end, walked from the source on. */
static uint64_t path_most(struct route_planner *p, const struct path *path)
{
	struct amount_msat m = MSAT(room_of(p, path->arcs[0]));

	for (uint32_t i = 1; i < path->count; i++) {
		const struct route_arc *a = arc_at(p, path->arcs[i]);

		m = msat_before_ppm(msat_sub_or_zero(msat_min(m, MSAT(SEARCH_AMOUNT_MAX)), MSAT(a->fee_base_msat)), a->fee_ppm);
		m = msat_min(m, MSAT(room_of(p, path->arcs[i])));
	}
	return m.v;
}

/* amounts[i], cltvs[i]: of the HTLC over arc i.  False if the amounts leave the supply. */
static bool path_exact(const struct route_planner *p, const struct path *path, struct amount_msat deliver,
		       struct amount_msat *amounts, uint32_t *cltvs)
{
	uint32_t last = path->count - 1;

	amounts[last] = deliver;
	cltvs[last] = p->q->final_cltv;
	for (uint32_t i = last; i > 0; i--) {
		const struct route_arc *a = arc_at(p, path->arcs[i]);

		/* BOLT 7 "HTLC Fees": on what is forwarded, to whom receives more.  B7.htlc_fees.1 */
		if (!msat_add(&amounts[i - 1], amounts[i], MSAT(route_fee_msat(amounts[i].v, a->fee_base_msat, a->fee_ppm))) ||
		    MSAT_LESS(MSAT(SEARCH_AMOUNT_MAX), amounts[i - 1]))
			return false;
		cltvs[i - 1] = cltvs[i] + a->cltv_delta;
	}
	return true;
}

/* INV-L3: every hop takes its HTLC, and the whole keeps its limits. */
static bool path_holds(struct route_planner *p, const struct path *path, const struct amount_msat *amounts,
		       const uint32_t *cltvs)
{
	struct amount_msat fee;

	for (uint32_t i = 0; i < path->count; i++)
		if (amounts[i].v > room_of(p, path->arcs[i]) || amounts[i].v < arc_at(p, path->arcs[i])->htlc_min_msat)
			return false;
	if (cltvs[0] > p->cltv_max || path->count > p->hops_max) {
		p->hit_length = true;
		return false;
	}
	if (!msat_sub(&fee, amounts[0], amounts[path->count - 1]) || fee.v > p->fee_left) {
		p->hit_fee = true;
		return false;
	}
	return true;
}

static void write_part(struct route_planner *p, struct arena *a, struct route_part *out, const struct path *path,
		       const struct amount_msat *amounts, const uint32_t *cltvs)
{
	uint64_t nats = 0;

	*out = (struct route_part){ .deliver = amounts[path->count - 1], .send = amounts[0], .cltv = cltvs[0],
				    .hops = ARENA_ARRAY(a, struct route_leg, path->count), .hop_count = path->count };
	for (uint32_t i = 0; i < path->count; i++) {
		struct arc_state *s = arc_state_of(p, path->arcs[i]);
		struct model_range range = state_range(s);
		uint64_t load = s->reserved + s->held;

		out->hops[i] = (struct route_leg){ node_id_of(p, arc_to(p, path->arcs[i])), arc_scid(p, path->arcs[i]),
						   arc_at(p, path->arcs[i])->way & 1, amounts[i], cltvs[i] };
		nats += model_cost_q16(&range, load + amounts[i].v) - model_cost_q16(&range, load);
		s->held += amounts[i].v;
		s->held_htlcs++;
	}
	out->chance_q30 = model_exp_q30(nats);
}

bool split_settle(struct route_planner *p, struct arena *a, struct route_part *out, const struct path *path, uint64_t least)
{
	struct amount_msat amounts[ROUTE_HOPS_MAX], deliver = msat_min(MSAT(path->deliver), MSAT(path_most(p, path)));
	uint32_t cltvs[ROUTE_HOPS_MAX];

	if (!deliver.v || deliver.v < least || !path_exact(p, path, deliver, amounts, cltvs) ||
	    !path_holds(p, path, amounts, cltvs))
		return false;
	p->fee_left -= amounts[0].v - deliver.v;
	write_part(p, a, out, path, amounts, cltvs);
	return true;
}
