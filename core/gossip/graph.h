/* The network as gossip tells it: nodes, the channels between them, and what
 * each end of a channel asks for carrying a payment away from itself.
 *
 * Readers (path finding, listings) take a const pointer; gossip alone changes
 * it.  Nodes and channels are numbered from 0; a number stays with its thing
 * for as long as that is in the graph and is used again afterwards, so what is
 * remembered across changes is a scid or a node id.  Pointers stay good until
 * the thing is removed.  The messages themselves are not here but in the log
 * (gossip/log.h): `ref` says where.
 *
 * Size: 144 bytes a channel, 72 a node and 4 to 8 a hash slot.  All hash
 * tables are keyed (SipHash): strangers choose scids and node ids.
 *
 * Source: BOLT 7. */
#ifndef GOSSIP_GRAPH_H
#define GOSSIP_GRAPH_H

#include "base/amount.h"
#include "base/bytes.h"
#include "base/types.h"

#define GRAPH_NONE UINT32_MAX
/* Channels and nodes at most; the network of 2026 has 50,808 and 17,324. */
#define GRAPH_CHANNELS_MAX 1000000u
#define GRAPH_NODES_MAX 1000000u

enum {
	GRAPH_DISABLED = 1, /* its origin set the disable bit */
	/* htlc_maximum below htlc_minimum, or above the capacity: not for routes (B7.channel_update.31, .32). */
	GRAPH_ABSURD = 2,
};

/* One direction of a channel, as its origin last described it. */
struct graph_policy {
	struct amount_msat htlc_minimum, htlc_maximum;
	uint32_t timestamp; /* 0: nothing was heard, and nothing else here means anything */
	uint32_t fee_base_msat;
	uint32_t fee_ppm;
	uint32_t ref;      /* of the channel_update in the log */
	uint32_t checksum; /* BOLT 7 "checksums_tlv" */
	uint16_t cltv_delta;
	uint8_t flags;
	uint8_t allowance; /* updates that this origin may still send: gossip/ingest.c */
};

enum {
	GRAPH_UNKNOWN_FEATURE = 1, /* an unknown even bit: nothing may be routed through it (B7.channel_announcement.16) */
	GRAPH_OWN = 2,             /* an end of it is this node */
	GRAPH_REORGED = 8,         /* spent_height is where its funding transaction left the chain */
	GRAPH_FEATURES = 16,       /* its announcement names features */
	GRAPH_BARE = 4,            /* neither end has said anything when it was last looked at: gossip/age.c */
};

struct graph_channel {
	struct scid scid;
	struct amount_sat capacity;
	uint64_t funding; /* a keyed hash of the funding outpoint */
	uint32_t node[2]; /* node_id_1, node_id_2: numbers of nodes */
	uint32_t next[2], previous[2]; /* in the list of node[0], of node[1] */
	uint32_t spent_height; /* of the block that spent the funding output; 0: unspent */
	uint32_t ref;          /* of the channel_announcement in the log */
	uint32_t flags;
	struct graph_policy policy[2]; /* [0]: node[0] to node[1] */
};

enum {
	/* An unknown even bit: not to be routed through, paid or connected to (B7.node_announcement.21 to .23);
	 * .22 lets a BOLT 11 invoice without that bit be paid. */
	GRAPH_NODE_UNKNOWN_FEATURE = 1,
	GRAPH_NODE_NOT_FORWARDED = 2, /* more than one DNS name (B7.node_announcement.32) */
};

struct graph_node {
	uint64_t features;  /* bits 0 to 63 of what it announced */
	uint32_t timestamp; /* 0: no node_announcement was heard */
	uint32_t ref;       /* of the node_announcement in the log */
	uint32_t first;     /* its channels: a list through graph_channel.next */
	uint32_t channel_count;
	struct pubkey id;
	uint8_t flags;
	uint8_t allowance; /* as in graph_policy */
};

struct graph;

/* ---- Reading ---- */

uint32_t graph_channel_count(const struct graph *g);
uint32_t graph_node_count(const struct graph *g);
/* Numbers are below these.  for (i = 0; i < graph_channel_limit(g); i++) if ((c = graph_channel_at(g, i))) */
uint32_t graph_channel_limit(const struct graph *g);
uint32_t graph_node_limit(const struct graph *g);
/* NULL: that number is free. */
const struct graph_channel *graph_channel_at(const struct graph *g, uint32_t number);
const struct graph_node *graph_node_at(const struct graph *g, uint32_t number);
/* GRAPH_NONE where there is none. */
uint32_t graph_find_channel(const struct graph *g, struct scid scid);
uint32_t graph_find_node(const struct graph *g, const struct pubkey *id);
uint32_t graph_find_funding(const struct graph *g, uint64_t funding);
/* Grows with every change that a path could depend on. */
uint64_t graph_version(const struct graph *g);
size_t graph_memory(const struct graph *g);

/* 0 if the node is node_id_1 of the channel, 1 if node_id_2: the direction away from it. */
static inline int graph_side(const struct graph_channel *c, uint32_t node)
{
	return c->node[0] == node ? 0 : 1;
}

/* The next channel of a node, after graph_node.first:
 * for (i = n->first; i != GRAPH_NONE; i = graph_next(graph_channel_at(g, i), node)) */
static inline uint32_t graph_next(const struct graph_channel *c, uint32_t node)
{
	return c->next[graph_side(c, node)];
}

/* Whether a path may go through the channel in this direction, as far as the channel itself says. */
static inline bool graph_usable(const struct graph_channel *c, int direction)
{
	const struct graph_policy *p = &c->policy[direction];

	return p->timestamp && !(p->flags & (GRAPH_DISABLED | GRAPH_ABSURD)) &&
	       !(c->flags & GRAPH_UNKNOWN_FEATURE) && !c->spent_height;
}

/* ---- Changing: gossip/ alone ---- */

MUST_USE struct graph *graph_new(const uint8_t seed16[16]); /* returns owned */
void graph_free(struct graph *g);

struct graph_new_channel {
	struct scid scid;
	const struct pubkey *node_id[2]; /* in order: asserted */
	struct amount_sat capacity;
	uint64_t funding;
	uint32_t ref, flags;
};

/* The number of the new channel; its nodes appear with it.  GRAPH_NONE where the graph is full.  The scid must not
 * be there (asserted). */
MUST_USE uint32_t graph_add_channel(struct graph *g, const struct graph_new_channel *c);
/* Nodes go with their last channel. */
void graph_remove_channel(struct graph *g, uint32_t channel);
/* ref, checksum, flags and all; ABSURD is found here. */
void graph_set_policy(struct graph *g, uint32_t channel, int direction, const struct graph_policy *p);
void graph_clear_policy(struct graph *g, uint32_t channel, int direction);
void graph_set_spent(struct graph *g, uint32_t channel, uint32_t height);
void graph_set_channel_ref(struct graph *g, uint32_t channel, uint32_t ref);
void graph_set_policy_ref(struct graph *g, uint32_t channel, int direction, uint32_t ref);
void graph_set_policy_allowance(struct graph *g, uint32_t channel, int direction, uint8_t allowance);
void graph_set_flags(struct graph *g, uint32_t channel, uint32_t flags);

struct graph_announcement {
	uint64_t features;
	uint32_t timestamp, ref;
	uint8_t flags, allowance;
};
void graph_set_node(struct graph *g, uint32_t node, const struct graph_announcement *a);
void graph_set_node_ref(struct graph *g, uint32_t node, uint32_t ref);
void graph_set_node_allowance(struct graph *g, uint32_t node, uint8_t allowance);

/* Asserts that lists, tables and counts agree; for tests. */
void graph_check(const struct graph *g);

#endif
