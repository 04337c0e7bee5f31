/* Layers: what a user, a plugin or the node itself wants seen differently.
 *
 * A layer is a named set of rules over the graph.  A route request names the
 * layers that count for it, in order; they stack:
 *
 *   exclude     a channel's direction or a node is not used: any layer's word counts
 *   bias        -100 (bad) to 100 (good) for a direction, for all that leads out of a node or into it: biases add up
 *   reserve     liquidity taken by HTLCs in flight: reservations add up
 *   constrain   known bounds of a direction's liquidity: the later layer's bounds count
 *   move        liquidity that payments moved, since the bounds were known: moves add up
 *   update      another policy for a direction, or a piece of one: of each piece the later layer's counts
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

#include "base/bytes.h"
#include "route/graph.h"

#define ROUTE_LAYER_RULES_MAX 10000u
#define ROUTE_LAYERS_MAX 16u /* in one request */

/* In the order in which the planner applies those of one layer.  Stored values. */
enum route_rule_kind {
	ROUTE_RULE_CREATE = 0,
	ROUTE_RULE_UPDATE = 1,
	ROUTE_RULE_CONSTRAIN = 2,
	ROUTE_RULE_MOVE = 3,
	ROUTE_RULE_RESERVE = 4,
	ROUTE_RULE_BIAS = 5,
	ROUTE_RULE_BIAS_NODE = 6,    /* what leads out of it */
	ROUTE_RULE_BIAS_NODE_IN = 7, /* what leads into it */
	ROUTE_RULE_EXCLUDE = 8,
	ROUTE_RULE_EXCLUDE_NODE = 9,
	ROUTE_RULE_KINDS,
};

/* Which pieces of a policy an update sets.  Stored values. */
enum {
	ROUTE_SETS_ENABLED = 1,
	ROUTE_SETS_HTLC_MIN = 2,
	ROUTE_SETS_HTLC_MAX = 4,
	ROUTE_SETS_FEE_BASE = 8,
	ROUTE_SETS_FEE_PPM = 16,
	ROUTE_SETS_CLTV_DELTA = 32,
	ROUTE_SETS_ALL = 63,
};

#define ROUTE_NOTE_SIZE 100u /* of what a user says of a bias, with a NUL */
#define ROUTE_KEY_SIZE 43u

struct route_rule {
	enum route_rule_kind kind;
	struct scid scid;      /* of a channel; else 0 */
	uint8_t direction;     /* CREATE: 0 */
	struct pubkey node;    /* of those about a node; else zeros */
	uint64_t at_s;         /* when it was last set: route_layer_at */
	union {
		struct route_channel create;
		struct {
			uint8_t sets;
			struct route_policy policy;
		} update;
		struct {
			bool has_low, has_high;
			struct amount_msat low, high;
		} constrain;
		struct amount_msat moved, reserve;
		struct {
			int v;
			char note[ROUTE_NOTE_SIZE];
		} bias;
	} u;
	uint8_t key[ROUTE_KEY_SIZE]; /* kind, scid (be64), direction, node */
};

struct route_layer;

/* Puts the pieces that are set into another policy. */
void route_policy_set(struct route_policy *p, const struct route_policy *with, uint8_t sets);

MUST_USE struct route_layer *route_layer_new(const uint8_t seed16[16], const char *name);
MUST_USE struct route_layer *route_layer_clone(const struct route_layer *l);
void route_layer_free(struct route_layer *l);
const char *route_layer_name(const struct route_layer *l);
/* What is set from now on is of that time. */
void route_layer_at(struct route_layer *l, uint64_t now_s);
uint32_t route_layer_count(const struct route_layer *l);

/* A rule takes the place of the one of the same kind about the same thing.  False, and nothing changed: the layer is
 * full, or the rule is nonsense (a bias out of range, bounds that cross, a channel that no builder would take). */
MUST_USE bool route_layer_create(struct route_layer *l, const struct route_channel *c);
/* sets: of the policy; other pieces that were set stay. */
MUST_USE bool route_layer_update(struct route_layer *l, struct scid scid, int direction, const struct route_policy *p, uint8_t sets);
/* What has moved in the channel is forgotten: the bounds are newer. */
MUST_USE bool route_layer_constrain(struct route_layer *l, struct scid scid, int direction, const struct amount_msat *low,
				    const struct amount_msat *high); /* NULL: no such bound */
/* Adds to what has moved in that direction. */
MUST_USE bool route_layer_move(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount);
/* note: for whoever lists the rules; NULL: as it was.  What is longer than ROUTE_NOTE_SIZE is cut off. */
MUST_USE bool route_layer_bias(struct route_layer *l, struct scid scid, int direction, int bias, const char *note);
MUST_USE bool route_layer_bias_node(struct route_layer *l, const struct pubkey *node, bool in, int bias, const char *note);
MUST_USE bool route_layer_exclude(struct route_layer *l, struct scid scid, int direction);
MUST_USE bool route_layer_exclude_node(struct route_layer *l, const struct pubkey *node);
/* Adds to what is reserved there.  False: full, or more than there is money. */
MUST_USE bool route_layer_reserve(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount);
/* Takes it back; false if so much is not reserved. */
MUST_USE bool route_layer_release(struct route_layer *l, struct scid scid, int direction, struct amount_msat amount);
/* Drops a rule; false if there is none.  node: NULL for rules about channels. */
MUST_USE bool route_layer_drop(struct route_layer *l, enum route_rule_kind kind, struct scid scid, int direction,
			       const struct pubkey *node);

/* For RECORD_LAYER (layer_record.c): what a rule says, without what it is about. */
void route_rule_encode(const struct route_rule *r, struct buf *out);
/* The rule of that key, as it was stored.  False: full, or damaged. */
MUST_USE bool route_layer_load(struct route_layer *l, struct bytes key, struct bytes value);

/* The rule about that thing, or NULL. */
const struct route_rule *route_layer_find(const struct route_layer *l, enum route_rule_kind kind, struct scid scid,
					  int direction, const struct pubkey *node);
/* for (at = 0; (r = route_layer_next(l, &at)); ): in order of kind, then of creation. */
const struct route_rule *route_layer_next(const struct route_layer *l, uint64_t *at);

#endif
