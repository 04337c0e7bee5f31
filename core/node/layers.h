/* What a node holds of layers and reservations; for layers.c, layer_orders.c and reserve.c.  The rest of the room sees
 * node/ways.h. */
#ifndef NODE_LAYERS_H
#define NODE_LAYERS_H

#include "node/state.h"

struct named_layer {
	char name[LAYERS_NAME_MAX + 1];
	bool persistent;
	uint64_t created_at_s;
	struct held_rules *held;
};

/* One hop of a path that a user reserved. */
struct user_reservation {
	struct user_reservation *next;
	struct scid scid;
	uint8_t direction;
	struct amount_msat amount;
	uint64_t at_ms;
	char layer[LAYERS_NAME_MAX + 1]; /* empty: for all */
	char command_id[LAYERS_NAME_MAX + 1];
};

struct layers {
	struct table by_name;
	uint32_t rule_count;
	struct user_reservation *reserved, **last;
	uint32_t reserved_count;
	uint8_t seed[16];
};

/* layers.c */
struct named_layer *node_layer_get(const struct node *n, const char *name);
struct named_layer *node_layer_make(struct node *n, struct bytes name);
void node_layer_free(struct named_layer *l);
/* To be changed now. */
struct route_layer *node_layer_rules(struct named_layer *l, const struct step *s);
/* Of a persistent layer; r: NULL is the layer itself. */
void node_layer_persist(struct step *s, const struct named_layer *l, const struct route_rule *r);
void node_layer_persist_gone(struct step *s, const struct named_layer *l, const struct route_rule *r);

#endif
