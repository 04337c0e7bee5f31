/* What is going to happen: a heap by time, then by order of arrival. */
#ifndef TESTS_SIM_QUEUE_H
#define TESTS_SIM_QUEUE_H

#include "tests/sim/world.h"

enum entry_kind {
	ENTRY_MESSAGE, ENTRY_DIAL, ENTRY_CONNECTED, ENTRY_DISCONNECTED, ENTRY_TICK, ENTRY_FEED,
	ENTRY_BROADCAST, ENTRY_SIGNER, ENTRY_FEES, ENTRY_START, ENTRY_COMMITTED, ENTRY_FETCH, ENTRY_CALL,
	ENTRY_COMPUTED,
	ENTRY_VERIFIED, ENTRY_FUNDED, ENTRY_DRAINED, ENTRY_COMPACTED, /* gossip.c */
};

struct sim_entry {
	uint64_t at_ms, order;
	enum entry_kind kind;
	int node;
	uint32_t life;       /* only for this life of the node; 0: any */
	uint64_t id;         /* connection, broadcast */
	int other;           /* the node at the other end */
	bool outbound;
	const char *refused; /* BROADCAST: why; NULL: accepted */
	uint8_t *data;       /* owned: MESSAGE; FETCH: a range (disk.c); VERIFIED: verdicts; FUNDED: scids */
	size_t size;
	struct route_job *job; /* COMPUTED: the node's */
	void (*call)(void *context, struct world *w);
	void *context;
};

void queue_push(struct world *w, struct sim_entry e);
struct sim_entry queue_pop(struct world *w);
/* For the present life of the node. */
void queue_push_simple(struct world *w, enum entry_kind kind, int node, uint64_t delay_ms, uint64_t id);
void queue_free(struct world *w);

/* network.c: MESSAGE, DIAL, CONNECTED, DISCONNECTED. */
void network_perform(struct world *w, const struct sim_entry *x);
void network_free(struct world *w);
/* DRAINED comes once all that the node has sent to the connection has arrived; then this is true. */
void sim_tell_drained(struct sim_node *n, uint64_t connection);
MUST_USE bool sim_drained(struct sim_node *n, uint64_t connection);

#endif
