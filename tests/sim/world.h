/* A second executor's world: whole nodes in one process, with a virtual clock,
 * network, chain, wallets and stores, all from one seed.
 *
 * Everything that happens is an entry of one queue, in order of virtual time;
 * a step is one entry.  A node may die after any of its effects and at any
 * commit; what it had committed is what it starts from again.
 *
 * Files: queue.c (time), network.c (connections), life.c (a node's lives, its
 * executor's ports), disk.c (what a store does to it), feed.c (the chain as a
 * node sees it), gossip.c and gossip_log.c (the edge of gossip), world.c (the whole). */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "chain/follow.h"
#include "chain/match.h"
#include "node/node.h"
#include "node/view.h"
#include "route/job.h"
#include "runtime/exec/exec.h"
#include "runtime/funds/hot.h"
#include "runtime/signer/delayed.h"
#include "runtime/signer/local.h"
#include "runtime/signer/policy.h"
#include "runtime/store/store.h"
#include "tests/sim/chain.h"

#define SIM_NODES_MAX 12 /* nodes and raw peers */
#define SIM_HOOKS_MAX 16
#define SIM_START_MS 1700000000000ull
/* Each node's wallet begins with so many coins of so much. */
#define SIM_COINS_EACH 12u
#define SIM_COIN_SAT 10000000u
/* What a peer does not read: beyond it the connection ends (runtime/peer's INV-K3). */
#define SIM_UNREAD_MAX (4u << 20)

struct world;
struct sim_node;

/* Whoever wants to see or to change what happens: checkers, adversaries.  Any function may be NULL. */
struct sim_hook {
	void *context;
	/* A message that `from` sends to `to` (indices).  False swallows it; what is put into `instead` goes in its
	 * place. */
	bool (*message)(void *context, struct world *w, int from, int to, struct bytes message, struct buf *instead);
	/* An effect that leaves a node, before it has consequences.  False: it has none (a BROADCAST is then answered as
	 * accepted). */
	bool (*effect)(void *context, struct sim_node *n, const struct effect *effect);
	/* A batch was committed and its effects are out; the core is quiet.  Views may be read. */
	void (*settled)(void *context, struct sim_node *n);
	void (*started)(void *context, struct sim_node *n); /* a life begins: its records are loaded */
	void (*dying)(void *context, struct sim_node *n);   /* a life ends: its core is still there */
};

/* A peer that is no Lampo node: it says whatever it likes.  Connections are made without a handshake. */
struct sim_raw {
	void *context;
	void (*connected)(void *context, struct world *w, int self, int peer, uint64_t connection, bool outbound);
	void (*message)(void *context, struct world *w, int self, uint64_t connection, struct bytes message);
	void (*disconnected)(void *context, struct world *w, int self, uint64_t connection);
};

enum disk_fault {
	DISK_GOOD,
	DISK_ERROR_BEFORE, /* the next commit fails, and nothing of it is there */
	DISK_ERROR_AFTER,  /* the next commit fails, and all of it is there */
};

struct sim_node {
	struct world *world;
	int index;
	const struct sim_raw *raw;    /* not NULL: no Lampo node; only index, id, name and alive mean anything */
	bool alive;
	uint8_t seed[32];
	struct pubkey id;
	struct node_config config;    /* read by the core while it lives: change it between steps */
	char name[16];
	struct memory_disk *disk;
	struct gossip_log *gossip_log; /* gossip.h; NULL: none yet */
	uint32_t pruned;              /* of one in so many blocks its chain source knows nothing; 0: it knows all */
	bool without_policy;          /* an adversary's signer signs everything */
	bool adversary;               /* checkers of honest nodes leave it out */

	/* Of one life. */
	struct node *node;
	struct exec *exec;
	struct store *store;
	struct local_signer *signer;
	struct policy_signer *policy;
	struct memo *memo;            /* NULL: none */
	struct delayed_signer *slow;  /* NULL: the signer answers at once */
	struct hot_funds *funds;
	bool signer_due;              /* a look at it is in the queue */
	uint64_t signer_away_until;   /* milliseconds */
	uint32_t life;
	uint64_t tick_at;             /* of the tick in the queue; UINT64_MAX: none */
	uint64_t worker_until_ms;     /* when its worker will be done with what it has */
	struct follow follow;         /* the chain that it has been given */
	struct watches watches;
	bool feeding;                 /* sim_feed is on the stack */
	uint64_t block_batch;         /* the batch with the last block; 0: it is out */
	const struct store_op *writing; /* a commit that takes its time */
	uint32_t writing_count;

	enum disk_fault fault;
	uint64_t full_until;          /* milliseconds: the disk takes nothing */
	uint64_t stay_down_until;     /* milliseconds: nobody starts it before */
	uint64_t crash_after;         /* effects; 0: never */

	uint64_t effects, events, commits, commit_bytes; /* in all lives */
	uint64_t crashes, refusals;
};

/* A reply, kept for whoever asked. */
struct sim_reply {
	struct sim_reply *next;
	uint64_t call;
	int node;
	enum reply_code code;
	char text[1200];
	struct channel_id channel_id;
	struct txid txid;
	struct sha256 payment_hash;
	struct secret32 payment_secret;
	struct preimage preimage;
};

struct world_options {
	uint64_t seed;
	uint32_t nodes;          /* 0: two */
	uint32_t cut_one_in;     /* a link breaks with one of so many messages; 0: never */
	uint32_t stall_one_in;   /* a reader stops for seconds with one of so many messages; 0: never */
	uint32_t delay_max_ms;   /* of a message; 0: 20 */
	uint32_t disk_delay_max_ms; /* of a commit; 0: none */
	bool slow_signer;        /* it answers late and out of order */
	bool static_remotekey;   /* all nodes know no anchors */
	uint32_t static_nodes;   /* or these, one bit each */
	bool keysend;            /* nodes accept payments without an invoice */
	bool memo;               /* the nodes remember what they computed and work ahead */
	bool one_memo;           /* all of them together: that halves what they cost */
	bool gossip;             /* BOLT 7 */
	uint64_t gossip_dead_max; /* bytes of no use in a node's log of gossip; 0: as usual */
	bool verbose;
};

#define SIM_REPLY_LISTS 256

/* A command that a node took. */
struct sim_call {
	uint64_t call;
	int node;
	uint32_t life;
	enum command_kind kind;
};

struct world {
	struct world_options o;
	struct drbg entropy;
	uint64_t now_ms;
	uint64_t order;          /* of queue entries with one time */
	struct sim_entry *queue; /* a heap */
	uint32_t queue_count, queue_capacity;
	struct sim_node nodes[SIM_NODES_MAX];
	int node_count;
	struct sim_link *links;  /* connections that are up */
	uint32_t apart[SIM_NODES_MAX]; /* one bit for each node that it can not reach */
	uint64_t next_connection, next_call;
	struct sim_chain *chain;
	struct sim_reply *replies[SIM_REPLY_LISTS];
	struct sim_call *calls;
	uint32_t call_count, call_capacity, first_open_call; /* all before that are over */
	struct sim_hook hooks[SIM_HOOKS_MAX];
	uint32_t hook_count;
	uint64_t steps, events;
	uint64_t new_terms;      /* changes that nodes took of what they ask for forwarding */
	uint64_t asides;         /* of the steps: ticks, and what is only gossip */
	uint64_t same_ms;        /* the moment of the last entry, and how many it had */
	uint32_t same_count;
	uint32_t feerate_per_kw; /* what nodes were last told is normal */
	struct table *verdicts;  /* gossip.c: signatures that were verified once */
};

struct world *world_new(const struct world_options *o);
void world_free(struct world *w);
uint64_t world_random(struct world *w, uint64_t below);
void world_hook(struct world *w, const struct sim_hook *hook);
noreturn void world_fail(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void world_say(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3); /* if verbose */

/* Runs what is due; false if the queue is empty or the time would pass `until_ms`. */
bool world_step(struct world *w, uint64_t until_ms);
/* `call` is made at that time. */
void world_at(struct world *w, uint64_t delay_ms, void (*call)(void *context, struct world *w), void *context);

void world_command(struct world *w, int node, const struct command *command, uint64_t *call);
/* NULL if it has not come. */
struct sim_reply *world_reply(struct world *w, uint64_t call);
/* A call that a life took which is not over, and has not answered; NULL: none. */
const struct sim_call *world_open_call(struct world *w);
void world_connect(struct world *w, int from, int to);
/* A connection is up between the two. */
MUST_USE bool world_linked(const struct world *w, int one, int other);
int world_index(const struct world *w, const struct pubkey *id); /* -1: nobody's */

/* life.c */
void world_start(struct world *w, int node);
/* It dies now, and is started again after a while. */
void world_crash(struct world *w, int node);
/* It ends now, and nobody starts it again. */
void world_stop(struct world *w, int node);
/* It dies now, and comes back with another disk: the old one is freed, this one taken. */
void world_crash_to(struct world *w, int node, struct memory_disk *disk);
/* The core runs what it was given to its end. */
void sim_settle(struct sim_node *n);
void sim_give(struct sim_node *n, struct event *e);
void sim_signer_turn(struct sim_node *n);
void sim_free(struct sim_node *n);
/* What the signer's policy had to refuse, in all lives. */
uint64_t sim_refusals(const struct sim_node *n);

/* disk.c */
struct commit_port sim_commit_port(struct sim_node *n);
void sim_commit_done(struct sim_node *n);
void sim_ask_store(struct sim_node *n, const struct effect *f);
void sim_fetch(struct sim_node *n, uint64_t id, struct bytes what);

/* feed.c: blocks, as fast as the node takes them. */
void sim_feed(struct sim_node *n);
void sim_feed_load(struct sim_node *n, struct bytes key, struct bytes value);
void sim_feed_released(struct sim_node *n);
/* The chain has changed, and every node hears of it after a while. */
void world_tell_chain(struct world *w);
/* The network's fee rates change for all nodes. */
void world_fees(struct world *w, uint32_t normal_per_kw);
void sim_fees(struct sim_node *n, uint32_t normal_per_kw);

/* network.c */
void world_cut_links(struct world *w);
void world_cut_node(struct world *w, int node);
/* The two can not reach one another until they are let; what is up between them is cut. */
void world_keep_apart(struct world *w, int one, int other);
void world_let_together(struct world *w, int one, int other);
/* As world_cut_node, and the node hears of it at once. */
void world_disconnect_now(struct world *w, int node);
void sim_send(struct sim_node *from, uint64_t connection, struct bytes message);
void sim_dial(struct sim_node *from, const struct pubkey *to, const char *host, uint16_t port);
void sim_hang_up(struct sim_node *n, uint64_t connection);
/* The node at the other end, -1 if there is no such connection any more. */
int world_other_end(const struct world *w, uint64_t connection, int node);
/* Adds a raw peer before or during a run; returns its index.  raw is borrowed. */
int world_add_raw(struct world *w, const struct sim_raw *raw, const struct pubkey *id);
/* From a raw peer: connected() follows. */
void world_raw_dial(struct world *w, int self, int to);

#endif
