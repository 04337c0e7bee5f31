/* One node with its edges around it: store, chain source, signer, wallet,
 * peers, loop and executor, wired and run.
 *
 * Edges that are not given are the bundled ones: SQLite, the hot signer behind
 * its policy, the hot wallet, Bitcoin Core.  The owner (api/, the SDK) gives
 * commands and queries and gets replies and notifications.  Everything but
 * daemon_wake_stop on the thread that runs the loop. */
#ifndef RUNTIME_DAEMON_DAEMON_H
#define RUNTIME_DAEMON_DAEMON_H

#include "node/node.h"
#include "runtime/chain/core.h"
#include "runtime/exec/exec.h"
#include "runtime/loop/loop.h"
#include "runtime/store/fetch.h"
#include "wallet/wallet.h"

#define DAEMON_ERROR_SIZE 1024

struct daemon;

/* A wallet that is not the bundled one. */
struct daemon_funds {
	struct funds_port port;
	/* Its stored RECORD_WALLETs, then start.  NULL: it stores nothing with us. */
	bool (*load)(void *context, struct bytes key, struct bytes value);
	bool (*start)(void *context, struct exec *exec);
};

struct daemon_signer {
	struct signer_port port;
	struct pubkey node_id;
};

struct daemon_config {
	const char *directory;           /* of the bundled store; must exist */
	struct node_config node;         /* node_id is filled in here; its pointers are borrowed for good */
	struct bytes seed;               /* of the bundled signer and wallet: 32 to 64 bytes; not kept */

	const struct daemon_signer *signer; /* NULL: bundled */
	const struct daemon_funds *funds;   /* NULL: bundled */
	struct store *store;                /* NULL: bundled; the daemon closes it */
	const struct backend *backend;      /* NULL: Bitcoin Core; the daemon frees it */
	struct core_config core;            /* of the bundled backend; network is filled in */

	const char *bind_address;        /* NULL: all interfaces */
	uint16_t port;                   /* 0: any free one */
	bool listen;                     /* else nobody can connect to us */
	bool has_birthday;               /* a new node whose wallet is older: where to begin to look for its coins */
	uint32_t birthday_height;
	uint32_t poll_ms;                /* for new blocks; 0: as the network needs it */
	bool handle_signals;             /* SIGINT, SIGTERM: stop; SIGHUP: hangup */

	const struct log_sink *log;
	void *context;
	void (*reply)(void *context, uint64_t call, const struct reply *reply);
	void (*notify)(void *context, const struct notify *notify);
	/* The answer to daemon_read; got is borrowed until it returns.  NULL: nobody asks. */
	void (*read)(void *context, uint64_t id, const struct fetch *got);
	/* The daemon is about to end: take no more calls, send what is to be sent, then daemon_closed.  NULL: nothing to do. */
	void (*closing)(void *context);
	void (*hangup)(void *context); /* SIGHUP; may be NULL */
	/* The environment has failed: a commit, or the chain source for good.  Any thread.  NULL, and if it returns: logs and
	 * exits with 1. */
	void (*fatal)(void *context, const char *text);
	void *fatal_context;
};

void daemon_config_default(struct daemon_config *c, const struct network *network);

/* Opens, loads and starts everything; the first events come with daemon_run.  Returns owned; NULL: error says what is
 * wrong and what to do. */
MUST_USE struct daemon *daemon_new(const struct daemon_config *config, char error[DAEMON_ERROR_SIZE]);
/* Until daemon_stop and what follows from it. */
void daemon_run(struct daemon *d);
void daemon_free(struct daemon *d);

struct loop *daemon_loop(struct daemon *d);
uint64_t daemon_now_ms(struct daemon *d);
uint16_t daemon_port(const struct daemon *d); /* where we listen; 0: nowhere */

/* The reply comes with the number that the caller chose.  command is borrowed. */
void daemon_command(struct daemon *d, uint64_t call, const struct command *command);
/* Nobody waits for this call any more. */
void daemon_call_gone(struct daemon *d, uint64_t call);
void daemon_query(struct daemon *d, const struct exec_query *query);
/* Reads stored records on the store's thread: those of every commit that was handed over before.  From a query's
 * `release` these are all that anybody could have seen. */
void daemon_read(struct daemon *d, uint64_t id, const struct record_range *ranges, uint32_t count);
const struct pubkey *daemon_node_id(const struct daemon *d);
/* For `evaluate` of a query. */
const struct node *daemon_node(const struct daemon *d);
/* The message of gossip at a place in its log, for `evaluate` of a query: appended.  False: it is not there. */
MUST_USE bool daemon_gossip_message(struct daemon *d, uint32_t ref, struct buf *out);
/* The bundled wallet; NULL if it is another one. */
const struct wallet *daemon_wallet(const struct daemon *d);

/* Ends gracefully: nothing new is begun, what was begun is committed and sent. */
void daemon_stop(struct daemon *d);
/* The same, from any thread. */
void daemon_wake_stop(struct daemon *d);
/* The answer to closing(). */
void daemon_closed(struct daemon *d);
/* There may be a new block.  Any thread. */
void daemon_poke_chain(struct daemon *d);

#endif
