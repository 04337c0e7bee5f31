/* JSON-RPC 2.0 without a transport: a client's bytes become calls, answers become bytes.
 *
 * The whole specification (https://www.jsonrpc.org/specification): batches,
 * notifications, the error codes, ids given back as they came.  Requests may
 * be pipelined; answers come in the order in which they are ready.  Every
 * answer ends with an empty line, by which Core Lightning's clients cut the
 * stream.
 *
 * Limits hold each client's memory.  At calls_in_flight_max unanswered calls,
 * or output_size_max unread bytes, its next requests wait unread: the
 * transport asks rpc_client_wants_input and stops reading.  Not thread-safe.
 *
 * INV-Q1  A call is answered exactly once, and is gone then.
 * INV-Q2  in_flight counts a client's calls that are not answered.
 * INV-Q3  A batch answers only when all of its calls are answered; none if all
 *        were notifications. */
#ifndef API_RPC_RPC_H
#define API_RPC_RPC_H

#include "api/json/json.h"
#include "api/rpc/params.h"

/* The specification's codes, and Core Lightning's for the rest. */
enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_UNKNOWN_METHOD = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_FAILED = -1,
	RPC_SHUTTING_DOWN = -5,
};

struct rpc_limits {
	size_t request_size_max; /* bytes of one request or batch */
	size_t output_size_max;	 /* bytes not taken yet, above which a client's requests wait */
	size_t batch_output_size_max; /* bytes of one batch's answers; calls beyond fail */
	unsigned calls_in_flight_max; /* of one client */
	unsigned batch_count_max;     /* calls in one batch */
	unsigned clients_max;
};

void rpc_limits_default(struct rpc_limits *l);

struct rpc;
struct rpc_client;

/* Serves `help` and `notifications` from the start.  Returns owned. */
MUST_USE struct rpc *rpc_new(const struct rpc_limits *limits);
/* All clients must be freed before.  Calls that nobody answered are dropped. */
void rpc_free(struct rpc *rpc);
const struct rpc_limits *rpc_limits(const struct rpc *rpc);

/* A handler of the program's own: typed parameters, valid until it returns. */
typedef void rpc_handler(void *context, struct lampo_call *call, struct params *params);

/* Borrows the schema for good.  False, with the reason in why, for a bad
 * schema or a name that is taken. */
MUST_USE bool rpc_add(struct rpc *rpc, const struct lampo_method *schema, rpc_handler *handler, void *context,
		      char why[RPC_WHY_SIZE]);
/* The public form: the method's own handler. */
MUST_USE bool rpc_add_method(struct rpc *rpc, const struct lampo_method *method, char why[RPC_WHY_SIZE]);
/* The method of that name or alias, or NULL. */
const struct lampo_method *rpc_method(const struct rpc *rpc, const char *name);
/* for (at = 0; (m = rpc_method_next(rpc, &at)); ): each once, in the order added. */
const struct lampo_method *rpc_method_next(const struct rpc *rpc, uint32_t *at);

/* Clients.  `ready` tells the transport that there is output, that input is
 * wanted again, or that the client is done; it is called from rpc_client_feed
 * or from an answer, and must not free the client. */
struct rpc_client *rpc_client_new(struct rpc *rpc, void (*ready)(void *context), void *context); /* NULL: clients_max */
void rpc_client_free(struct rpc_client *c);
void rpc_client_feed(struct rpc_client *c, struct bytes bytes);
void rpc_client_end_of_input(struct rpc_client *c);
/* The server stops: no more requests, and every deferred call fails. */
void rpc_client_shut_down(struct rpc_client *c);
MUST_USE bool rpc_client_wants_input(const struct rpc_client *c);
/* Swaps what is to be sent into out, which must be empty; false if there is
 * nothing, or what was taken before is not sent yet. */
MUST_USE bool rpc_client_take_output(struct rpc_client *c, struct buf *out);
void rpc_client_sent(struct rpc_client *c);
/* No more input, no call in flight, nothing to send: close the connection. */
MUST_USE bool rpc_client_done(const struct rpc_client *c);

/* Calls.  A handler answers at once or later.  Whoever keeps the pointer must
 * answer, even when the client is gone. */
void rpc_reply(struct lampo_call *call, json_t *result); /* takes result */
/* data: more for programs, taken, or NULL. */
void rpc_fail(struct lampo_call *call, int code, json_t *data, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* A long answer, {NAME: [...]}: each entry is written as text when it is added, so no tree of all of them is ever there,
 * and the caller may take as many turns of the loop for it as it likes.  rpc_list_end answers; rpc_fail may still. */
void rpc_list_begin(struct lampo_call *call, const char *name);
void rpc_list_add(struct lampo_call *call, json_t *entry); /* takes entry */
void rpc_list_end(struct lampo_call *call);
/* What the client calls it; NULL: a notification. */
const json_t *rpc_call_id(const struct lampo_call *call);
/* The name under which the method was called. */
const char *rpc_call_method(const struct lampo_call *call);

/* For answers that come back through the core: keep the id, not the pointer.
 * When the client goes away the call is freed at once, gone(id) is told, and
 * rpc_deferred finds nothing any more. */
uint64_t rpc_defer(struct lampo_call *call);
/* Keeps something with the call until it is answered or gone; then free_attached(attached) is called. */
void rpc_attach(struct lampo_call *call, void *attached, void (*free_attached)(void *attached));
void *rpc_attached(const struct lampo_call *call); /* NULL: nothing */
struct lampo_call *rpc_deferred(struct rpc *rpc, uint64_t id);
void rpc_on_gone(struct rpc *rpc, void (*gone)(void *context, uint64_t id), void *context);

#endif
