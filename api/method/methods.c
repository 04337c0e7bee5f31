#include "api/method/methods.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/method/inner.h"
#include "api/method/stored.h"
#include "api/method/walk.h"

struct query {
	struct methods *methods;
	uint64_t call;
	query_answer *answer;
	struct params params;
	json_t *result; /* NULL: refused */
	struct refusal refusal;
	struct query *next, **self;
};

json_t *refuse(struct refusal *r, int code, const char *fmt, ...)
{
	va_list ap;

	r->code = code;
	va_start(ap, fmt);
	vsnprintf(r->message, sizeof(r->message), fmt, ap);
	va_end(ap);
	return NULL;
}

static void query_free(struct query *q)
{
	*q->self = q->next;
	if (q->next)
		q->next->self = q->self;
	params_release(&q->params);
	json_decref(q->result);
	json_decref(q->refusal.data);
	mem_free(q);
}

static void query_evaluate(void *context)
{
	struct query *q = context;

	/* Nobody waits any more: spare the work. */
	if (rpc_deferred(q->methods->rpc, q->call))
		q->result = q->answer(q->methods, &q->params, &q->refusal);
}

static void query_release(void *context)
{
	struct query *q = context;
	struct lampo_call *call = rpc_deferred(q->methods->rpc, q->call);

	if (call && q->result)
		rpc_reply(call, json_incref(q->result));
	else if (call)
		rpc_fail(call, q->refusal.code, json_incref(q->refusal.data), "%s", q->refusal.message);
	query_free(q);
}

void query_ask(struct methods *m, struct lampo_call *call, struct params *params, query_answer *answer)
{
	struct query *q = NEW(struct query);
	const struct exec_query asked = { .context = q, .evaluate = query_evaluate, .release = query_release };

	q->methods = m;
	q->call = rpc_defer(call);
	q->answer = answer;
	params_move(&q->params, params);
	q->next = m->queries;
	q->self = &m->queries;
	if (q->next)
		q->next->self = &q->next;
	m->queries = q;
	m->port.query(m->port.context, &asked);
}

void order(struct methods *m, struct lampo_call *call, const struct command *command)
{
	m->port.command(m->port.context, rpc_defer(call), command);
}

static void call_gone(void *context, uint64_t call)
{
	struct methods *m = context;

	m->port.call_gone(m->port.context, call);
}

static json_t *reply_json(struct methods *m, struct lampo_call *call, uint64_t id, const struct reply *reply)
{
	switch (reply->kind) {
	case COMMAND_CONNECT:
		return reply_connect(m, reply);
	case COMMAND_DISCONNECT:
		return json_new_object();
	case COMMAND_NEW_ADDRESS:
		return reply_new_address(m, call, id, reply);
	case COMMAND_WITHDRAW:
		return reply_withdraw(m, reply);
	case COMMAND_FUND_CHANNEL:
		return reply_fund_channel(m, reply);
	case COMMAND_CLOSE:
		return reply_close(m, call, reply);
	case COMMAND_DEL_FORWARD:
	case COMMAND_HOLD:
		return json_new_object();
	case COMMAND_SET_CHANNEL:
		return reply_set_channel(reply);
	case COMMAND_INVOICE:
		return reply_invoice(reply);
	case COMMAND_WAIT_INVOICE:
	case COMMAND_WAIT_ANY_INVOICE:
	case COMMAND_DELETE_INVOICE:
		return reply_invoice_entry(m, call, id, reply);
	case COMMAND_CLEAN:
		return reply_clean(reply);
	case COMMAND_PAY:
	case COMMAND_KEYSEND:
		return reply_paid(m, reply);
	case COMMAND_PROBE:
		return reply_probe(reply);
	case COMMAND_DELPAY:
		return reply_delpay(reply);
	case COMMAND_SENDPAY:
	case COMMAND_WAIT_SENDPAY:
		return reply_sendpay(reply);
	case COMMAND_RECOVER:
		return reply_recover(reply);
	case COMMAND_LAYER:
		return reply_layer(m, reply);
	case COMMAND_RESERVE:
		return json_new_object();
	case COMMAND_ROUTES:
		return reply_routes(call, reply);
	case COMMAND_STOP:
		return json_string("Shutdown complete");
	}
	UNREACHABLE();
}

static bool names_payment(const struct reply *reply)
{
	return reply->kind == COMMAND_WAIT_SENDPAY && reply->u.sendpay.created_index;
}

static bool tells_tries(const struct reply *reply)
{
	return (reply->kind == COMMAND_PAY || reply->kind == COMMAND_KEYSEND || reply->kind == COMMAND_PROBE) &&
	       reply->u.pay.created_at_s;
}

static bool names_invoice(const struct reply *reply)
{
	return (reply->kind == COMMAND_WAIT_INVOICE || reply->kind == COMMAND_DELETE_INVOICE) && reply->u.invoice_entry.key.size;
}

/* The invoice that a failed wait was about, or who failed on a route: Core Lightning gives it as data. */
static void refuse_as_replied(const struct methods *m, const struct lampo_call *call, const struct reply *reply, struct refusal *refusal)
{
	refuse(refusal, reply->code, "%s", reply->message ? reply->message : "it failed");
	if (names_invoice(reply))
		refusal->data = failed_invoice_entry(m, call, reply);
	if (names_payment(reply))
		refusal->data = failed_sendpay(reply);
	if (tells_tries(reply))
		refusal->data = failed_pay(reply);
}

void methods_reply(struct methods *m, uint64_t id, const struct reply *reply)
{
	struct lampo_call *call = rpc_deferred(m->rpc, id);
	struct refusal refusal = { .code = 0 };
	json_t *result = NULL;

	if (!call)
		return;
	if (reply->code == REPLY_OK)
		result = reply_json(m, call, id, reply);
	else
		refuse_as_replied(m, call, reply, &refusal);
	if (result)
		rpc_reply(call, result);
	else if (refusal.code)
		rpc_fail(call, refusal.code, refusal.data, "%s", refusal.message);
	/* Neither: another command has been ordered for the same call. */
}

struct methods *methods_new(struct rpc *rpc, const struct node_port *port)
{
	/* In the order of schemas_bundled. */
	static rpc_handler *const handlers[] = {
		method_getinfo,		   method_stop,
		method_connect,		   method_disconnect,
		method_listpeers,	   method_newaddr,
		method_listfunds,	   method_withdraw,
		method_fundchannel,	   method_listpeerchannels,
		method_listclosedchannels, method_close,
		method_setchannel,	   method_listforwards,
		method_delforward,
		method_invoice,		   method_listinvoices,
		method_waitanyinvoice,	   method_delinvoice,
		method_autoclean_once,	   method_autoclean_status,
		method_waitinvoice,	   method_decode,
		method_pay,		   method_keysend,
		method_probe,		   method_listpays,
		method_listsendpays,	   method_delpay,
		method_sendpay,		   method_waitsendpay,
		method_staticbackup,
		method_emergencyrecover,   method_recoverchannel,
		method_listsweeps,
		method_listchannels,	   method_networkchannels,
		method_listnodes,
		method_getroute,	   method_getroutes,
		method_askrene_create_layer, method_askrene_remove_layer,
		method_askrene_listlayers, method_askrene_create_channel,
		method_askrene_update_channel, method_askrene_remove_channel_update,
		method_askrene_inform_channel, method_askrene_bias_channel,
		method_askrene_bias_node,  method_askrene_disable_node,
		method_askrene_reserve,	   method_askrene_unreserve,
		method_askrene_listreservations, method_askrene_age,
	};
	struct methods *m = NEW(struct methods);
	char why[RPC_WHY_SIZE];
	size_t i;

	m->rpc = rpc;
	m->port = *port;
	ASSERT(schemas_bundled_count == ARRAY_COUNT(handlers));
	for (i = 0; i < ARRAY_COUNT(handlers); i++)
		ASSERT(rpc_add(rpc, schemas_bundled[i], handlers[i], m, why));
	rpc_on_gone(rpc, call_gone, m);
	return m;
}

void methods_free(struct methods *m)
{
	if (!m)
		return;
	while (m->queries)
		query_free(m->queries);
	stored_reads_free(m);
	walks_free(m);
	mem_free(m);
}
