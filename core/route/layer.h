/* Layers: what a user, a plugin or the node itself wants seen differently.
 *
 * A layer is a named set of rules over the graph.  A route request names the
 * layers that count for it, in order; they stack:
 *
 *   exclude     a channel's direction or a node is not used: any layer's word counts
 *   bias        -100 (bad) to 100 (good) for a direction or for all a node forwards: biases add up
 *   reserve     liquidity taken by HTLCs in flight: reservations add up
 *   constrain   known bounds of a direction's liquidity: the later layer's bounds count
 *   update      another policy for a direction: the later layer's counts
 *   create      a channel that gossip does not know, in both directions or, after updates, in one; of one that is
 *               known between the same nodes it sets both policies
 *
 * So blocking a peer for one payment, trying out a policy, or keeping two
 * payments from counting on the same liquidity needs no change in the search.
 *
 * What layers create and update comes first, in all of them, then what they say of it: an exclusion or a
 * reservation holds whatever another layer makes of the channel.
 *
 * A layer changes on its owner's thread; a worker is given a clone. */
#ifndef ROUTE_LAYER_H
#define ROUTE_LAYER_H

#include "route/graph.h"

#define ROUTE_LAYER_RULES_MAX 10000u
#define ROUTE_LAYERS_MAX 16u /* in one request */

/* In the order in which the planner applies those of one layer. */
enum route_rule_kind {
	ROUTE_RULE_CREATE,
	ROUTE_RULE_UPDATE,
	ROUTE_RULE_CONSTRAIN,
	ROUTE_RULE_RESERVE,
	ROUTE_RULE_BIAS,
	ROUTE_RULE_BIAS_NODE,
	ROUTE_RULE_EXCLUDE,
	ROUTE_RULE_EXCLUDE_NODE,
	ROUTE_RULE_KINDS,
};

struct route_rule {
	enum route_rule_kind kind;
	struct scid scid;      /* of a channel; else 0 */
	uint8_t direction;     /* CREATE: 0 */
	struct pubkey node;    /* of the two that end in NODE; else zeros */
	union {
		struct route_channel create;
		struct route_policy update;
		struct {
			bool has_low, has_high;
			struct amount_msat low, high;
		} constrain;
		struct amount_msat reserve;
		int bias;
	} u;
	uint8_t key[1 + 8 + 1 + 33];
};

struct route_layer;

MUST_USE struct route_layer *route_layer_new(const uint8_t seed16[16], const char *name);
MUST_USE struct route_layer *route_layer_clone(const struct route_layer *l);
void route_layer_free(struct route_layer *l);
const char *route_layer_name(const struct route_layer *l);
uint32_t route_layer_count(const struct route_layer *l);

/* A rule takes the place of the one of the same kind about the same thing.  False, and nothing changed: the layer is
 * full, or the rule is nonsense (a bias out of range, bounds that cross, a channel that no builder would take). */
MUST_USE bool route_layer_create(struct route_layer *l, const struct route_channel *c);
MUST_USE bool route_layer_update(struct route_layer *l, struct scid scid, int direction, const struct route_policy *p);
MUST_USE bool route_layer_constrain(struct route_layer *l, struct scid scid, int direction, const struct amount_msat *low,
				    const struct amount_msat *high); /* NULL: no such bound */
MUST_USE bool route_layer_bias(struct route_layer *l, struct scid scid, int direction, int bias);
MUST_USE bool route_layer_bias_node(struct route_layer *l, const struct pubkey *node, int bias);
MUST_USE bool route_layer_exclude(struct route_layer *l, struct scid scid, int direction);
MUST_USE bool route_layer_exclude_node(struct route_layer *l, const struct pubkey *node);
/* Adds to what is reserved there.  False: full, or more than there is money. */
MUST_USE bool route_layer_reserve(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount);
/* Takes it back; false if so much is not reserved. */
MUST_USE bool route_layer_release(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount);
/* Drops a rule; false if there is none.  node: NULL for rules about channels. */
MUST_USE bool route_layer_drop(struct route_layer *l, enum route_rule_kind kind, struct scid scid, int direction,
			       const struct pubkey *node);

/* The rule about that thing, or NULL. */
const struct route_rule *route_layer_find(const struct route_layer *l, enum route_rule_kind kind, struct scid scid,
					  int direction, const struct pubkey *node);
/* for (at = 0; (r = route_layer_next(l, &at)); ): in order of kind, then of creation. */
const struct route_rule *route_layer_next(const struct route_layer *l, uint64_t *at);

#endif
