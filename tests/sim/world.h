/* A second executor's world: whole nodes in one process, with a virtual clock,
 * network, chain, wallet and store, all from one seed.
 *
 * Everything that happens is an entry of one queue, in order of virtual time.
 * A node may die after any of its effects; what it had committed is what it
 * starts from again. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "node/node.h"
#include "node/view.h"
#include "runtime/exec/exec.h"
#include "runtime/funds/hot.h"
#include "runtime/signer/delayed.h"
#include "runtime/signer/local.h"
#include "runtime/signer/policy.h"
#include "runtime/store/fetch.h"
#include "tests/sim/chain.h"

#define WORLD_NODES 2
#define WORLD_REPLIES 4096

struct world;

struct sim_node {
	struct world *world;
	int index;
	bool alive;
	uint8_t seed[32];
	struct pubkey id;
	struct node_config config;
	char name[16];
	struct memory_disk *disk;

	/* Of one life. */
	struct node *node;
	struct exec *exec;
	struct store *store;
	struct local_signer *signer;
	struct policy_signer *policy;
	struct memo *memo;            /* NULL: none */
	struct delayed_signer *slow;  /* NULL: the signer answers at once */
	bool signer_due;    /* a look at it is in the queue */
	uint32_t life;
	uint64_t tick_at;   /* of the tick in the queue; UINT64_MAX: none */
	uint32_t fed;       /* blocks of the chain it has been given, and their hashes: */
	uint32_t feed_height;
	struct hot_funds *funds;
	uint64_t crash_after; /* effects of this life; 0: never */

	uint64_t effects;   /* released in all lives */
	uint64_t crashes;
};

/* A reply, kept until the script takes it. */
struct sim_reply {
	uint64_t call;
	int node;
	enum reply_code code;
	char text[1200];
	struct channel_id channel_id;
	struct txid txid;
	struct sha256 payment_hash;
	bool taken;
};

struct world_options {
	uint64_t seed;
	uint32_t cut_one_in;   /* a link breaks with one of so many messages; 0: never */
	bool slow_signer, static_remotekey;
	bool memo;             /* the nodes remember what they computed and work ahead */
	bool verbose;
};

struct world {
	struct world_options o;
	struct drbg entropy;
	uint64_t now_ms;
	uint64_t order;        /* of queue entries with one time */
	struct sim_entry *queue; /* a heap */
	uint32_t queue_count, queue_capacity;
	struct sim_node nodes[WORLD_NODES];
	struct sim_link *links; /* connections that are up */
	uint64_t next_connection, next_call;
	struct sim_chain *chain;
	struct channel_id channel_id; /* that the script is about */
	struct sim_reply replies[WORLD_REPLIES];
	uint32_t reply_count;
	uint64_t steps;
	uint32_t delay_max_ms;  /* of a message */
};

struct world *world_new(const struct world_options *o);
void world_free(struct world *w);
uint64_t world_random(struct world *w, uint64_t below);

/* Runs what is due; false if the queue is empty or the time would pass `until_ms`. */
bool world_step(struct world *w, uint64_t until_ms);
/* Steps until `done` says so; false after `limit_ms` of virtual time. */
bool world_run_until(struct world *w, uint64_t limit_ms, bool (*done)(struct world *w, void *context), void *context);

void world_crash(struct world *w, int node);
void world_start(struct world *w, int node);
void world_mine(struct world *w, uint32_t count);
void world_command(struct world *w, int node, const struct command *command, uint64_t *call);
/* NULL if it has not come. */
struct sim_reply *world_reply(struct world *w, uint64_t call);
void world_cut_links(struct world *w);
/* The network's fee rates change for both nodes. */
void world_fees(struct world *w, uint32_t normal_per_kw);

noreturn void world_fail(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
