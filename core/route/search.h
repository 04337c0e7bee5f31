/* What the files of the planner share: its working memory, the arcs of one
 * request, prices, and the search for one chunk.
 *
 * Amounts are numbers of msat here, for the search prices some ten thousand
 * arcs in a millisecond.  They stay below SEARCH_AMOUNT_MAX, each addition is
 * within what 64 bits hold (see the constants), and what leaves the planner is
 * computed again with checks (split.c).
 *
 * Costs are in 1/256 msat.  Arcs are numbered: those of the graph first, then
 * those that the request brought (own channels, hints, layers).  Nodes alike.
 *
 * INV-L1  Flow is conserved: what a chunk adds to its path leaves no node with
 *         more or less, but for the source and the target.
 * INV-L2  No arc carries more than its known upper bound, in any solution.
 * INV-L3  A part of a plan keeps every hop's minimum, maximum, fee and delta, as
 *         BOLT 7 computes them from the payee backwards.
 * INV-L4  A plan that is found keeps every limit of its request. */
#ifndef ROUTE_SEARCH_H
#define ROUTE_SEARCH_H

#include "base/table.h"
#include "route/planner.h"

#define SEARCH_AMOUNT_MAX (SUPPLY_SAT * 1000) /* below 2^61 */
#define COST_ONE 256u                         /* of a millisatoshi */
#define COST_ARC_MAX (1ull << 57)             /* 27 of them and a sum of potentials stay below 2^63 */
#define COST_NAT_MAX (1ull << 36)             /* msat; times MODEL_COST_MAX_Q16 stays below 2^57 */
#define FEE_MAX (1ull << 48)                  /* msat: what an arc may take at all */
#define CHUNKS_MAX 128u

/* What a request, a flow or a bound says of one arc; the arcs that have none are as the graph says. */
struct arc_state {
	uint32_t arc;
	uint32_t next_out;   /* of the arcs that leave the same node with flow */
	uint64_t low, high;  /* bounds of the liquidity */
	uint64_t capacity;   /* for the model */
	uint64_t reserved;   /* by layers */
	uint64_t held;       /* in parts that are settled */
	uint64_t flow;       /* what is delivered over it by the flow that is being sought */
	uint32_t htlcs;      /* that it takes; UINT32_MAX: any number */
	uint32_t held_htlcs;
	int16_t bias;
	bool off;            /* its policy says so, or another arc stands for it */
	bool excluded;       /* a layer says so */
	bool has_flow;       /* in the list of its node */
};

struct extra_arc {
	struct route_arc arc; /* way: its direction */
	struct scid scid;
	uint8_t key[9];       /* scid, direction */
	uint32_t to;
	uint32_t next_in;     /* extras into the same node */
	uint64_t capacity_msat;
	bool own;
};

struct label {
	uint64_t cost;    /* reduced, from here to the target */
	uint64_t amount;  /* that must arrive here */
	uint32_t arc;     /* the way on; ARC_BACK: against its direction */
	uint16_t cltv;
	uint8_t hops;
	bool done;
};

#define ARC_BACK (1u << 31)
#define ARCS_MAX (ARC_BACK - 1)

struct heap_entry {
	uint64_t cost;
	uint32_t node;
};

/* What things cost in one attempt. */
struct prices {
	uint64_t nat;      /* msat for a factor e of probability */
	uint64_t block;    /* in cost, for one block */
	uint64_t hop;      /* in cost */
	uint32_t fee;      /* cost of a millisatoshi of fee */
};

struct path {
	uint32_t arcs[ROUTE_HOPS_MAX];
	uint32_t count;
	uint64_t deliver;
};

struct route_planner {
	const struct route_graph *g;
	/* Of the arcs: 0, or 1 + the index of its state. */
	uint32_t *mark;
	uint32_t mark_capacity;
	struct arc_state *states;
	uint32_t state_count, state_capacity;
	struct extra_arc *extras;
	uint32_t extra_count, extra_capacity;
	struct pubkey *extra_nodes;
	uint32_t extra_node_count;
	struct table extra_index, extra_node_index; /* while extra_capacity is not 0 */
	/* Of the nodes. */
	uint32_t node_capacity;
	struct label *labels;
	int64_t *potential;
	uint32_t *extra_in;    /* 1 + index of the first extra into it */
	uint32_t *out;         /* 1 + index of the first state with flow out of it */
	int16_t *node_bias, *node_bias_in; /* of what leads out of it, and into it */
	bool *node_excluded;
	bool has_node_rules;
	/* Of the edges: 0, or 1 + the slot of what is known. */
	uint32_t *known;
	uint64_t known_changed;
	struct heap_entry *heap;
	uint32_t heap_count, heap_capacity;
	uint32_t *finished;    /* nodes, in the order in which they were finished */
	uint32_t finished_count;
	/* The request at work. */
	const struct route_request *q;
	const struct liquidity *liquidity;
	uint32_t source, target;
	uint32_t cltv_max, hops_max;
	uint64_t fee_limit;
	uint64_t fee_left;     /* for what is not settled yet */
	struct prices prices;
	bool hit_fee, hit_length; /* something was passed by for it */
	bool facts;               /* something that payments have shown bounded an arc */
	bool rates_only;          /* for a lower bound: base fees and HTLC minimums do not count */
	uint32_t searches;
	uint64_t work, work_max;  /* arcs looked at, and nodes by the eighth */
};

/* --- arcs.c: the arcs of a request --- */
MUST_USE bool arcs_begin(struct route_planner *p, const struct route_request *q);
void arcs_end(struct route_planner *p);
void arcs_learn(struct route_planner *p, const struct liquidity *l);
struct arc_state *arc_state_of(struct route_planner *p, uint32_t arc);
static inline bool arc_is_extra(const struct route_planner *p, uint32_t arc)
{
	return arc >= p->g->arc_count;
}
static inline const struct route_arc *arc_at(const struct route_planner *p, uint32_t arc)
{
	return arc_is_extra(p, arc) ? &p->extras[arc - p->g->arc_count].arc : &p->g->arcs[arc];
}
uint32_t arc_to(const struct route_planner *p, uint32_t arc);
struct scid arc_scid(const struct route_planner *p, uint32_t arc);
struct pubkey node_id_of(const struct route_planner *p, uint32_t node);
static inline uint32_t node_total(const struct route_planner *p)
{
	return p->g->node_count + p->extra_node_count;
}

/* --- search.c --- */
/* One chunk along the cheapest way; false if there is none.  INV-L1 */
MUST_USE bool search_push(struct route_planner *p, uint64_t amount);
/* Whether anything carries a chunk of that size to the target within the fee limit's rate, whatever the base fees and
 * minimums: what fails this for the smallest chunk fails for any number of parts. */
MUST_USE bool search_reaches(struct route_planner *p, uint64_t amount);
/* Forgets the flow and the potentials; what is held stays. */
void search_reset(struct route_planner *p);

static inline uint64_t state_load(const struct arc_state *s)
{
	return s->reserved + s->held + s->flow;
}
static inline struct model_range state_range(const struct arc_state *s)
{
	return (struct model_range){ s->low, s->high, s->capacity };
}

/* --- split.c: from a flow to exact paths --- */
/* The next path of the flow, and how much of the flow goes all along it; false if nothing is left. */
MUST_USE bool split_next(struct route_planner *p, struct path *out);
/* Takes so much off the flow along the path. */
void split_take(struct route_planner *p, const struct path *path, uint64_t deliver);
/* Makes a part of a path that delivers as much of path->deliver as the hops allow; false if that is less than `least`
 * or breaks a limit.  What it takes is held.  INV-L2, INV-L3 */
MUST_USE bool split_settle(struct route_planner *p, struct arena *a, struct route_part *out, const struct path *path,
			   uint64_t least);

#endif
