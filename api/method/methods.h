/* The bundled methods over a node: commands become typed orders, queries read
 * the node's views, replies become JSON.
 *
 * A command's answer comes back through methods_reply with the id under which
 * it was deferred; a query is evaluated on a quiet core and answered after the
 * commit of what it could see (exec_query).  So nothing is visible here that
 * a crash could undo. */
#ifndef API_METHOD_METHODS_H
#define API_METHOD_METHODS_H

#include "api/rpc/rpc.h"
#include "node/view.h"
#include "runtime/exec/exec.h"
#include "runtime/store/fetch.h"
#include "wallet/wallet.h"

struct methods;

/* How the methods reach the node.  All of it outlives the methods. */
struct node_port {
	void *context;
	const struct node *node;
	const struct wallet *wallet; /* NULL: another wallet, whose coins are not listed here */
	const char *directory;
	const struct node_address *bindings; /* where the daemon listens */
	uint32_t binding_count;
	uint64_t (*now_ms)(void *context);
	/* COMMAND: takes what it needs of it before it returns.  The answer is methods_reply with the same call, perhaps
	 * before this returns. */
	void (*command)(void *context, uint64_t call, const struct command *command);
	void (*call_gone)(void *context, uint64_t call);
	/* Copies the query.  Evaluates and releases it, perhaps before this returns. */
	void (*query)(void *context, const struct exec_query *query);
	/* Reads stored records, of every commit that was over when it was called; methods_read answers with the same id,
	 * never before this returns. */
	void (*read)(void *context, uint64_t id, const struct record_range *ranges, uint32_t count);
	/* The message of gossip at a place in its log: appended.  False: it is not there.  NULL: there is no log. */
	bool (*gossip_message)(void *context, uint32_t ref, struct buf *out);
	const char *backup_file; /* NULL: the store keeps none */
	/* Every sealed backup that lies there; NULL: none does. */
	void (*read_backups)(void *context, void (*each)(void *to, struct bytes sealed), void *to);
};

/* Adds every bundled method to rpc and takes rpc_on_gone.  Borrows both for its life.  Returns owned. */
MUST_USE struct methods *methods_new(struct rpc *rpc, const struct node_port *port);
/* After rpc's clients and the executor are gone, before rpc itself. */
void methods_free(struct methods *m);

/* EFFECT_REPLY. */
void methods_reply(struct methods *m, uint64_t call, const struct reply *reply);
/* What the port's `read` has read. */
void methods_read(struct methods *m, uint64_t id, const struct fetch *got);

#endif
