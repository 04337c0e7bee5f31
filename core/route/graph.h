/* The network as the path finder sees it: an immutable snapshot.
 *
 * A builder is handed the channels one by one, in any order and over as many
 * turns as its owner likes; finishing it sorts them into flat arrays.  The
 * snapshot never changes afterwards, so a worker may search it while its
 * owner builds the next one.  Ids are found by binary search and not by
 * hashing: there is nothing for an attacker to make collide.
 *
 * A direction that is disabled or unannounced, or whose limits no HTLC can
 * meet, has no arc.  The arcs into each node stand together, those that carry the
 * largest HTLCs first: a search for an amount stops at the first that is too
 * small.  Source: BOLT 7 "The channel_update Message". */
#ifndef ROUTE_GRAPH_H
#define ROUTE_GRAPH_H

#include "base/amount.h"
#include "base/types.h"

#define ROUTE_NONE UINT32_MAX
/* More than the network will have for long; what is beyond is refused. */
#define ROUTE_CHANNELS_MAX 2000000u

/* What a node asks for forwarding over one direction of a channel. */
struct route_policy {
	bool enabled;
	uint32_t fee_base_msat, fee_ppm;
	uint16_t cltv_delta;
	struct amount_msat htlc_min, htlc_max; /* htlc_max: 0 is none announced, the capacity counts */
};

/* A channel as it is announced: direction 0 goes from the smaller node id (BOLT 7 node_id_1) to the larger. */
struct route_channel {
	struct scid scid;
	struct pubkey node[2];
	struct amount_sat capacity;
	struct route_policy policy[2];
};

/* One direction of a channel, as the arc into `to`; the node that it leaves sets its terms. */
struct route_arc {
	uint64_t htlc_min_msat, htlc_max_msat; /* max: never above the capacity, never 0 */
	uint32_t from;
	uint32_t way; /* channel index << 1 | direction */
	uint32_t fee_base_msat, fee_ppm;
	uint32_t capacity_sat; /* UINT32_MAX: at least so much, see the channel */
	uint16_t cltv_delta;
};

struct route_edge { /* a channel of the snapshot */
	struct scid scid;
	uint64_t capacity_sat;
	uint32_t node[2];
	uint32_t arc[2]; /* by direction; ROUTE_NONE: it has none */
};

struct route_graph {
	struct pubkey *nodes;     /* in order */
	uint32_t *first_arc;      /* node_count + 1: into arcs, by the node they lead to */
	struct route_edge *edges; /* in order of scid */
	struct route_arc *arcs;
	uint32_t node_count, edge_count, arc_count;
};

struct route_builder;

MUST_USE struct route_builder *route_builder_new(const uint8_t seed16[16]);
void route_builder_free(struct route_builder *b);
/* False, and nothing added: the nodes are out of order or the same, the capacity is 0 or more than there is, or too
 * many channels. */
MUST_USE bool route_builder_add(struct route_builder *b, const struct route_channel *c);
/* Returns owned; ends the builder.  Of several channels with one scid the first counts.  The heavy part of building:
 * a worker may do it. */
MUST_USE struct route_graph *route_builder_finish(struct route_builder *b);
void route_graph_free(struct route_graph *g);

uint32_t route_graph_node(const struct route_graph *g, const struct pubkey *id); /* or ROUTE_NONE */
uint32_t route_graph_edge(const struct route_graph *g, struct scid scid);        /* or ROUTE_NONE */
struct amount_msat route_edge_capacity(const struct route_edge *e);
/* Bytes that the snapshot takes. */
size_t route_graph_size(const struct route_graph *g);

/* The fee for forwarding an amount (BOLT 7 "HTLC Fees"); UINT64_MAX where it leaves 64 bits. */
static inline uint64_t route_fee_msat(uint64_t amount_msat, uint32_t base_msat, uint32_t ppm)
{
	uint64_t v;

	if (!__builtin_mul_overflow(amount_msat, (uint64_t)ppm, &v))
		return v / 1000000 + base_msat;
	unsigned __int128 wide = (unsigned __int128)amount_msat * ppm / 1000000 + base_msat;
	return wide > UINT64_MAX ? UINT64_MAX : (uint64_t)wide;
}

#endif
