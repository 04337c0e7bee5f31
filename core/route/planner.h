/* Finds ways through the network: parts of a payment that together carry an
 * amount from one node to another.
 *
 * The search is a min-cost flow.  An arc's price for an amount is its fee, the
 * time that the money may be stuck, and -ln of the chance that the amount
 * passes (route/model.h), each in money.  The amount goes out in chunks, each
 * along what is cheapest given those before it; a chunk may push an earlier one
 * aside (residual arcs), so the sum is the cheapest flow of its grain.  The
 * flow is cut into paths, whose amounts are then worked out backwards to the
 * millisatoshi (BOLT 7 "HTLC Fees"); what does not hold exactly is sought anew.
 *
 * Hard limits hold whatever the prices say: total fee, CLTV, parts, hops, HTLC
 * minimum and maximum, smallest part, what our own channels can send, bounds
 * that are known, layers.  If the flow that prices like best breaks one, prices
 * shift and the search is repeated; a single cheapest path is the last resort.
 *
 * One planner belongs to one snapshot and one thread.  The same planner input
 * gives the same plan: the seed decides between equals. */
#ifndef ROUTE_PLANNER_H
#define ROUTE_PLANNER_H

#include "base/arena.h"
#include "route/graph.h"
#include "route/layer.h"
#include "route/liquidity.h"

#define ROUTE_HOPS_MAX 27u      /* what an onion holds (BOLT 4) */
#define ROUTE_HOPS_DEFAULT 20u
#define ROUTE_CLTV_MAX 65535u   /* larger limits are cut to it */
#define ROUTE_PARTS_MAX 64u
/* Arcs that are looked at before the planner says no, about a tenth of a second's worth. */
#define ROUTE_WORK_MAX 1500000u
#define ROUTE_EDGES_MAX 16384u  /* own channels and hints of one request, each */

/* A channel of ours out of the source, as it is now. */
struct route_own {
	struct scid scid;              /* the real one or an alias */
	struct pubkey peer;
	struct amount_msat spendable;  /* all HTLCs together: balance, reserve, dust exposure and in-flight limits */
	struct amount_msat htlc_min, htlc_max; /* of one HTLC */
	uint32_t htlcs;                /* how many more it takes */
};

/* A direction that gossip need not know: a hop of an invoice's route hint, or a blinded path as a whole, from its
 * introduction to its recipient with the terms of all of it, under an id that the caller makes up. */
struct route_hint {
	struct pubkey from, to;
	struct scid scid;
	uint32_t fee_base_msat, fee_ppm;
	uint16_t cltv_delta;
	struct amount_msat htlc_min, htlc_max; /* max 0: not known */
};

/* What a payment would pay to avoid a failure, in money; zeros: the defaults. */
struct route_taste {
	uint32_t failure_ppm;       /* of the amount, for a factor e of probability */
	uint32_t failure_base_msat; /* and for any amount */
	uint32_t delay_ppb;         /* of the amount, for each block it may be stuck */
};

#define ROUTE_FAILURE_PPM_DEFAULT 1000u
#define ROUTE_FAILURE_BASE_DEFAULT 2000u
#define ROUTE_DELAY_PPB_DEFAULT 100u

struct route_request {
	struct pubkey source, target;
	struct amount_msat amount;     /* to arrive */
	struct amount_msat fee_limit;  /* of all parts together */
	uint32_t final_cltv;           /* blocks that the target asks for */
	uint32_t cltv_max;             /* blocks of a part in total, the final ones included */
	uint32_t parts_max;            /* 1: a single path; at most ROUTE_PARTS_MAX */
	uint32_t hops_max;             /* 0: ROUTE_HOPS_DEFAULT */
	struct amount_msat part_min;   /* no part delivers less, but for a payment that is smaller: dust */
	/* Where has_own, these and no others leave the source. */
	bool has_own;
	const struct route_own *own;
	uint32_t own_count;
	const struct route_hint *hints;
	uint32_t hint_count;
	const struct route_layer *const *layers;
	uint32_t layer_count;
	const struct liquidity *liquidity; /* or NULL; of one lineage for the planner's life */
	struct route_taste taste;
	uint64_t now_s;
	uint64_t seed;
};

/* One HTLC of a part: over a channel to a node. */
struct route_leg {
	struct pubkey node;
	struct scid scid;
	uint8_t direction;
	struct amount_msat amount; /* that the HTLC carries */
	uint32_t cltv;             /* above the height at which the payee would get its final_cltv */
};

struct route_part {
	struct amount_msat deliver, send; /* send: what the first HTLC carries */
	uint32_t cltv;                    /* of the first HTLC */
	struct route_leg *hops;
	uint32_t hop_count;
	uint32_t chance_q30;              /* of this part alone */
};

enum route_verdict {
	ROUTE_FOUND,
	ROUTE_BAD_REQUEST,    /* amounts or limits make no sense, source is target */
	ROUTE_UNKNOWN_SOURCE, /* neither the graph nor hints know the node */
	ROUTE_UNKNOWN_TARGET,
	ROUTE_NO_WAY,         /* nothing carries so much, or nothing leads there */
	ROUTE_TOO_EXPENSIVE,
	ROUTE_TOO_LONG,       /* blocks or hops */
	ROUTE_TOO_MANY_PARTS,
};

struct route_plan {
	enum route_verdict verdict;
	struct pubkey source;     /* where the parts begin */
	struct route_part *parts; /* largest first; memory of the arena */
	uint32_t part_count;
	struct amount_msat fee;   /* TOO_EXPENSIVE: what the cheapest that was found would take; 0: not known */
	uint32_t chance_q30;      /* that all parts pass at once */
	uint32_t searches;        /* how often the graph was searched */
	bool facts;               /* something that payments have shown bounded an arc that was looked at */
	uint64_t work;            /* arcs that were looked at; ROUTE_WORK_MAX and what the last searches took */
};

struct route_planner;

/* Borrows the graph. */
MUST_USE struct route_planner *route_planner_new(const struct route_graph *g);
void route_planner_free(struct route_planner *p);
/* Bytes that the planner holds besides the graph. */
size_t route_planner_size(const struct route_planner *p);

void route_plan(struct route_planner *p, struct route_plan *out, struct arena *a, const struct route_request *q);
/* In words, for people. */
const char *route_verdict_words(enum route_verdict v);

#endif
