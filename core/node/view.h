/* Reading the node: const, no effects.  What is returned is valid until the next step. */
#ifndef NODE_VIEW_H
#define NODE_VIEW_H

#include "channel/view.h"
#include "gossip/gossip.h"
#include "node/node.h"
#include "onchain/anchor.h"
#include "onchain/onchain.h"
#include "payment/history.h"
#include "payment/receive.h"
#include "payment/send.h"
#include "route/layer.h"

struct node_info {
	const struct node_config *config;
	uint32_t height;
	struct block_hash tip;
	bool synced;
	uint32_t best_height; /* the chain source's, as last told */
	uint32_t peers_connected, channels_pending, channels_active, channels_inactive;
	struct feerate fees[FEE_TARGETS];
	struct amount_sat anchor_reserve; /* what must stay in the wallet for fees of channels */
	struct bytes features_init, features_node, features_channel, features_invoice;
};

void node_view_info(const struct node *n, struct node_info *out);

struct peer_view {
	struct pubkey id;
	bool connected; /* init exchanged */
	bool outbound;
	const char *host; /* "" if unknown */
	uint16_t port;
	struct bytes features; /* their init features */
	uint32_t channel_count;
};

/* for (at = 0; node_view_peer(n, &at, &p); ) */
MUST_USE bool node_view_peer(const struct node *n, uint32_t *at, struct peer_view *out);
MUST_USE bool node_view_peer_by_id(const struct node *n, const struct pubkey *id, struct peer_view *out);

/* NULL at the end. */
const struct channel *node_view_channel(const struct node *n, uint32_t *at);
const struct channel *node_view_channel_named(const struct node *n, const struct channel_name *name);
/* The channel as a backup holds it (channel/backup.h); appended. */
void node_view_channel_backup(const struct node *n, const struct channel *ch, struct buf *out);
/* How far the end of a channel is, or NULL while its funding output is unspent. */
const struct onchain *node_view_onchain(const struct node *n, const struct channel *ch);
/* Who pays for our commitment while it is not in a block.  False: nobody has to. */
MUST_USE bool node_view_anchor(const struct node *n, const struct channel *ch, struct anchor_view *out);

const struct receive *node_view_invoices(const struct node *n); /* payment/receive.h iterates */
const struct send *node_view_payments(const struct node *n);    /* payment/send.h iterates */

/* What forwarding over a channel that is not history costs now. */
struct forward_policy node_view_policy(const struct node *n, const struct channel *ch, bool *ignore_fee_limits);
/* Forwards under way.  for (at = 0; node_view_forward(n, &at, &e); ) */
MUST_USE bool node_view_forward(const struct node *n, uint32_t *at, struct history_entry *out);
/* Forwards that ended, ever: the last number in the history. */
uint64_t node_view_history_last(const struct node *n);
/* What was deleted because it was old, ever. */
uint64_t node_view_cleaned(const struct node *n, enum clean_subsystem subsystem);

/* What our and the peer's latest channel_update for a channel say.  False: nothing is known. */
MUST_USE bool node_view_own_policy(const struct node *n, const struct channel *ch, struct graph_policy *out);
MUST_USE bool node_view_peer_policy(const struct node *n, const struct channel *ch, struct graph_policy *out);
/* gossip/gossip.h: gossip_graph, gossip_figures.  NULL: config.gossip is off. */
const struct gossip *node_view_gossip(const struct node *n);

/* A layer that a user made: its rules are read with route/layer.h. */
struct layer_view {
	const char *name;
	bool persistent;
	const struct route_layer *rules;
};
/* for (at = 0; node_view_layer(n, &at, &l); ) */
MUST_USE bool node_view_layer(const struct node *n, uint32_t *at, struct layer_view *out);
MUST_USE bool node_view_layer_named(const struct node *n, const char *name, struct layer_view *out);

struct reservation_view {
	struct scid scid;
	uint8_t direction;
	struct amount_msat amount;
	uint64_t at_ms;
	const char *command_id;
};
/* for (after = NULL; node_view_reservation(n, &after, &r); ): of users, oldest first */
MUST_USE bool node_view_reservation(const struct node *n, const void **after, struct reservation_view *out);

/* The time, height and fees as of the last step, for views that want a step; it has nowhere to put effects. */
struct step node_view_step(const struct node *n);

#endif
