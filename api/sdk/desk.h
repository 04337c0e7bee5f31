/* Calls of methods from inside the process: the embedder as one more client. */
#ifndef API_SDK_DESK_H
#define API_SDK_DESK_H

#include "api/rpc/rpc.h"
#include "runtime/loop/loop.h"

struct desk;

/* code 0: json is the result; else json is the error object.  Never called before desk_call has returned. */
typedef void desk_answer(void *context, int code, const char *json);

MUST_USE struct desk *desk_new(struct rpc *rpc, struct loop *loop); /* returns owned */
/* Calls without an answer are told that the node is shutting down. */
void desk_free(struct desk *d);
/* params: a JSON object or array, NULL for none. */
void desk_call(struct desk *d, const char *method, const char *params, desk_answer *answer, void *context);

#endif
