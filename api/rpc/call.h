/* Inside the dispatcher: what a client, a batch and a call are. */
#ifndef API_RPC_CALL_H
#define API_RPC_CALL_H

#include "api/json/reader.h"
#include "api/rpc/rpc.h"
#include "base/table.h"

struct method_entry {
	const struct lampo_method *schema;
	rpc_handler *handler; /* NULL: schema->handler */
	void *context;
	struct method_entry *next;
};

/* One name of a method: its own or an alias. */
struct method_name {
	char *name;
	const struct method_entry *entry;
};

struct rpc {
	struct rpc_limits limits;
	struct method_entry *methods, **methods_tail;
	struct table names; /* struct method_name */
	struct table deferred; /* struct lampo_call by id */
	struct lampo_call *orphans; /* their clients are gone, their handlers not yet done */
	uint64_t next_id;
	unsigned client_count;
	void (*gone)(void *context, uint64_t id);
	void *gone_context;
};

/* An array of requests.  It is freed when every element has run and every call is answered. */
struct rpc_batch {
	json_t *requests;
	size_t next;
	unsigned unanswered;
	struct buf answers;
};

struct rpc_client {
	struct rpc *rpc;
	struct json_reader reader;
	struct buf out;
	size_t sending; /* bytes taken, not yet reported as sent */
	struct lampo_call *calls;
	unsigned in_flight;
	struct rpc_batch *batch; /* whose elements are being started */
	bool input_over; /* the client said so, or what it sent is not JSON */
	bool ended;	 /* and the reader's rest was looked at */
	bool pumping;
	void (*ready)(void *context);
	void *context;
};

struct lampo_call {
	struct rpc *rpc;
	struct rpc_client *client; /* NULL: gone */
	struct rpc_batch *batch;   /* NULL: alone */
	struct lampo_call *next, **self; /* in client->calls or rpc->orphans */
	json_t *id;	/* NULL: a notification */
	json_t *filter; /* NULL: everything */
	char *method;
	void *attached;
	void (*free_attached)(void *attached);
	struct call_list *list; /* NULL: its answer does not come in entries */
	bool deferred;
	uint8_t key[8]; /* big endian id while deferred */
};

/* An answer that grows entry by entry. */
struct call_list {
	struct buf text;       /* the whole answer so far */
	const json_t *filter;  /* of an entry, borrowed from the call's; NULL: everything */
	bool wanted;           /* the filter has a place for the list */
	uint32_t count;
};

/* Starts the calls that there is room for, and tells the transport. */
void client_pump(struct rpc_client *c);
/* Runs one request object or what stands in its place. */
void request_run(struct rpc_client *c, struct rpc_batch *batch, json_t *request);
/* Answers it with an error, without running it. */
void request_refuse(struct rpc_client *c, struct rpc_batch *batch, const json_t *request, int code, const char *message);
/* Sends an answer outside any call: for what could not be read as a request. */
void answer_error(struct rpc_client *c, struct rpc_batch *batch, const json_t *id, int code, const char *message);
void batch_finish(struct rpc_client *c, struct rpc_batch *batch);
void call_drop(struct lampo_call *call);
/* The client is gone: its deferred calls go, the others wait for their answers as orphans. */
void calls_orphan(struct rpc_client *c);
const struct method_entry *method_find(const struct rpc *rpc, const char *name);

/* The methods that the dispatcher itself serves (help.c). */
void help_add(struct rpc *rpc);

/* What of a result a Core Lightning client's "filter" asks for.  Takes result, returns owned. */
MUST_USE json_t *filter_result(json_t *result, const json_t *filter);
/* False, with the reason, if a filter is not objects of fields and one-element arrays down to `true`. */
MUST_USE bool filter_valid(const json_t *filter, char why[RPC_WHY_SIZE]);

#endif
