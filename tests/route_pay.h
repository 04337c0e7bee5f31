/* A node that pays with the real engine (core/payment/send) over the real planner (core/route/job) through a network that is
 * made up: a graph, and behind it liquidity that nobody tells.  What a payment's onions would meet on their way is played
 * here: each HTLC walks from hop to hop, the first that has too little says temporary_channel_failure in a packet that only the
 * payer can read, and those that arrive wait at the payee until all have, or for a minute. */
#ifndef TESTS_ROUTE_PAY_H
#define TESTS_ROUTE_PAY_H

#include "route/job.h"

struct route_network {
	const struct route_graph *g;
	uint64_t *hidden;    /* by arc, msat: what it has */
	uint64_t *in_flight; /* of that, in HTLCs; zeros */
	/* The arcs that leave each node: out[first_out[n]] to out[first_out[n + 1]]. */
	const uint32_t *first_out, *out;
};

struct route_payer;

/* Borrows the network.  Returns owned. */
MUST_USE struct route_payer *route_payer_new(const struct route_network *net);
void route_payer_free(struct route_payer *p);
/* The next payment is somebody else's, who knows nothing. */
void route_payer_forget(struct route_payer *p);

struct route_paid {
	bool complete;
	uint32_t tried, parts, plans; /* HTLCs that left, those that arrived in the end, questions */
	struct amount_msat fee;
};

/* A payment of node `source` of the graph to another; what is in flight when it is over is gone again. */
struct route_paid route_payer_pay(struct route_payer *p, uint32_t source, uint32_t target, struct amount_msat amount,
				  struct amount_msat fee_limit);

#endif
