/* One request: from its JSON to a call, from the answer to JSON. */
#include "api/rpc/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* An id goes back as the value that came.  jansson writes reals with 17 digits:
 * the fewest that give the same number are what the client wrote. */
static void write_real(struct buf *out, const json_t *id)
{
	const size_t before = out->size;
	char why[JSON_WHY_SIZE];
	bool same = false;
	int digits;

	for (digits = 1; digits <= 17 && !same; digits++) {
		json_t *again;

		out->size = before;
		json_write_real(out, id, digits);
		again = json_parse(BYTES(out->data + before, out->size - before), why);
		same = again && json_equal(again, id);
		json_decref(again);
	}
}

static void write_id(struct buf *out, const json_t *id)
{
	if (!id)
		buf_add_string(out, "null");
	else if (json_is_real(id))
		write_real(out, id);
	else
		json_write(out, id);
}

static void open_answer(struct buf *out, const json_t *id)
{
	buf_add_string(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	write_id(out, id);
}

static void write_error(struct buf *out, const json_t *id, int code, const char *message, const json_t *data)
{
	json_t *text = json_new_text(bytes_from_string(message));

	open_answer(out, id);
	buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", code);
	json_write(out, text);
	if (data) {
		buf_add_string(out, ",\"data\":");
		json_write(out, data);
	}
	buf_add_string(out, "}}");
	json_decref(text);
}

/* Where an answer goes: into its batch, or straight to the client. */
static struct buf *answer_begin(struct rpc_client *c, struct rpc_batch *batch)
{
	if (!batch)
		return &c->out;
	buf_add_string(&batch->answers, batch->answers.size ? "," : "[");
	return &batch->answers;
}

static void answer_end(struct rpc_client *c, struct rpc_batch *batch)
{
	if (!batch)
		buf_add_string(&c->out, "\n\n");
}

void answer_error(struct rpc_client *c, struct rpc_batch *batch, const json_t *id, int code, const char *message)
{
	write_error(answer_begin(c, batch), id, code, message, NULL);
	answer_end(c, batch);
}

void batch_finish(struct rpc_client *c, struct rpc_batch *batch)
{
	if (batch->unanswered > 0 || batch->next < json_array_size(batch->requests)) /* INV-Q3 */
		return;
	if (batch->answers.size) {
		buf_add_bytes(&c->out, buf_view(&batch->answers));
		buf_add_string(&c->out, "]\n\n");
	}
	buf_release(&batch->answers);
	json_decref(batch->requests);
	mem_free(batch);
}

static void call_link(struct lampo_call *call, struct lampo_call **list)
{
	call->next = *list;
	call->self = list;
	if (call->next)
		call->next->self = &call->next;
	*list = call;
}

static void call_unlink(struct lampo_call *call)
{
	*call->self = call->next;
	if (call->next)
		call->next->self = call->self;
}

void call_drop(struct lampo_call *call)
{
	call_unlink(call);
	if (call->deferred)
		table_remove(&call->rpc->deferred, BYTES_OF(call->key));
	if (call->free_attached)
		call->free_attached(call->attached);
	if (call->list)
		buf_release(&call->list->text);
	mem_free(call->list);
	json_decref(call->id);
	json_decref(call->filter);
	mem_free(call->method);
	mem_free(call);
}

void calls_orphan(struct rpc_client *c)
{
	struct rpc *rpc = c->rpc;

	while (c->calls) {
		struct lampo_call *call = c->calls;
		struct rpc_batch *batch = call->batch;
		const bool deferred = call->deferred;
		const uint64_t id = load_be64(call->key);

		c->in_flight--;
		call->client = NULL;
		call->batch = NULL;
		if (deferred) {
			call_drop(call);
		} else {
			call_unlink(call);
			call_link(call, &rpc->orphans);
		}
		if (batch) {
			batch->unanswered--;
			batch_finish(c, batch);
		}
		if (deferred && rpc->gone)
			rpc->gone(rpc->gone_context, id);
	}
}

/* What is left to do when a call's answer is written. */
static void call_answered(struct lampo_call *call)
{
	struct rpc_client *c = call->client;
	struct rpc_batch *batch = call->batch;

	call_drop(call); /* INV-Q1 */
	if (!c)
		return;
	c->in_flight--; /* INV-Q2 */
	if (batch) {
		batch->unanswered--;
		batch_finish(c, batch);
	}
	client_pump(c);
}

/* A notification is never answered, nor a client that is gone. */
MUST_USE static bool call_heard(const struct lampo_call *call)
{
	return call->client && call->id;
}

void rpc_reply(struct lampo_call *call, json_t *result)
{
	ASSERT(result);
	if (call_heard(call)) {
		struct buf *out = answer_begin(call->client, call->batch);

		if (call->filter)
			result = filter_result(result, call->filter);
		open_answer(out, call->id);
		buf_add_string(out, ",\"result\":");
		json_write(out, result);
		buf_add_string(out, "}");
		answer_end(call->client, call->batch);
	}
	json_decref(result);
	call_answered(call);
}

/* What filter_result would keep of {NAME: [...]}. */
static void list_filter(struct call_list *l, const json_t *filter, const char *name)
{
	const json_t *of_list = json_object_get(filter, name);

	l->wanted = !json_is_object(filter) || of_list;
	l->filter = json_is_array(of_list) ? json_array_get(of_list, 0) : NULL;
}

void rpc_list_begin(struct lampo_call *call, const char *name)
{
	struct call_list *l = NEW(struct call_list);

	ASSERT(!call->list);
	call->list = l;
	list_filter(l, call->filter, name);
	open_answer(&l->text, call->id);
	buf_add_string(&l->text, ",\"result\":{");
	if (l->wanted)
		buf_printf(&l->text, "\"%s\":[", name);
}

void rpc_list_add(struct lampo_call *call, json_t *entry)
{
	struct call_list *l = call->list;

	ASSERT(l);
	if (l->wanted && call_heard(call)) {
		if (l->filter)
			entry = filter_result(entry, l->filter);
		if (l->count++)
			buf_add_u8(&l->text, ',');
		json_write(&l->text, entry);
	}
	json_decref(entry);
}

void rpc_list_end(struct lampo_call *call)
{
	struct call_list *l = call->list;

	ASSERT(l);
	buf_add_string(&l->text, l->wanted ? "]}}" : "}}");
	if (call_heard(call)) {
		struct buf *out = answer_begin(call->client, call->batch);

		/* It may be as long as the whole network: not copied where it can be handed on. */
		if (!out->size) {
			buf_release(out);
			*out = l->text;
			l->text = BUF_EMPTY;
		} else {
			buf_add_bytes(out, buf_view(&l->text));
		}
		answer_end(call->client, call->batch);
	}
	call_answered(call);
}

void rpc_fail(struct lampo_call *call, int code, json_t *data, const char *fmt, ...)
{
	va_list ap;
	int size;
	char *message;

	if (call_heard(call)) {
		va_start(ap, fmt);
		size = vsnprintf(NULL, 0, fmt, ap);
		va_end(ap);
		ASSERT(size >= 0);
		message = mem_alloc((size_t)size + 1);
		va_start(ap, fmt);
		vsnprintf(message, (size_t)size + 1, fmt, ap);
		va_end(ap);
		write_error(answer_begin(call->client, call->batch), call->id, code, message, data);
		answer_end(call->client, call->batch);
		mem_free(message);
	}
	json_decref(data);
	call_answered(call);
}

void lampo_call_reply(struct lampo_call *call, const char *json)
{
	char why[JSON_WHY_SIZE];
	json_t *result = json_parse(bytes_from_string(json), why);

	if (result)
		rpc_reply(call, result);
	else
		rpc_fail(call, RPC_INTERNAL_ERROR, NULL, "the method '%s' answered with broken JSON: %s", call->method,
			 why);
}

void lampo_call_fail(struct lampo_call *call, int code, const char *message, const char *data)
{
	char why[JSON_WHY_SIZE];

	rpc_fail(call, code, data ? json_parse(bytes_from_string(data), why) : NULL, "%s", message);
}

const json_t *rpc_call_id(const struct lampo_call *call)
{
	return call->id;
}

const char *rpc_call_method(const struct lampo_call *call)
{
	return call->method;
}

uint64_t rpc_defer(struct lampo_call *call)
{
	ASSERT(!call->deferred);
	call->deferred = true;
	store_be64(call->key, call->rpc->next_id++);
	table_add(&call->rpc->deferred, call);
	return load_be64(call->key);
}

void rpc_attach(struct lampo_call *call, void *attached, void (*free_attached)(void *attached))
{
	ASSERT(!call->free_attached && free_attached);
	call->attached = attached;
	call->free_attached = free_attached;
}

void *rpc_attached(const struct lampo_call *call)
{
	return call->attached;
}

struct lampo_call *rpc_deferred(struct rpc *rpc, uint64_t id)
{
	uint8_t key[8];

	store_be64(key, id);
	return table_get(&rpc->deferred, BYTES_OF(key));
}

static struct lampo_call *call_new(struct rpc_client *c, struct rpc_batch *batch, const json_t *request)
{
	struct lampo_call *call = NEW(struct lampo_call);
	const char *method = json_string_value(json_object_get(request, "method"));

	call->rpc = c->rpc;
	call->client = c;
	call->batch = batch;
	call->id = json_incref(json_object_get(request, "id"));
	call->filter = json_incref(json_object_get(request, "filter"));
	call->method = mem_alloc(strlen(method) + 1);
	memcpy(call->method, method, strlen(method));
	call_link(call, &c->calls);
	c->in_flight++;
	if (batch)
		batch->unanswered++;
	return call;
}

static void call_text_handler(const struct method_entry *m, struct lampo_call *call, const struct params *params)
{
	struct buf text = BUF_EMPTY;
	json_t *object = params_write(params);

	json_write(&text, object);
	buf_add_u8(&text, 0);
	json_decref(object);
	m->schema->handler(m->context, call, (const char *)text.data);
	buf_release(&text);
}

static void call_run(struct lampo_call *call, const json_t *params_json)
{
	const struct method_entry *m = method_find(call->rpc, call->method);
	struct params params;
	char why[RPC_WHY_SIZE];

	if (!m) {
		char shown[80];

		log_escape(shown, sizeof(shown), bytes_from_string(call->method));
		rpc_fail(call, RPC_UNKNOWN_METHOD, NULL, "there is no method '%s': 'help' lists all", shown);
		return;
	}
	if (call->filter && !filter_valid(call->filter, why)) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "%s", why);
		return;
	}
	if (!params_read(&params, m->schema, params_json, why))
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "%s", why);
	else if (m->handler)
		m->handler(m->context, call, &params);
	else
		call_text_handler(m, call, &params);
	params_release(&params);
}

/* The id if it is one that can be given back; NULL answers with null. */
static const json_t *usable_id(const json_t *request)
{
	const json_t *id = json_object_get(request, "id");

	return json_is_string(id) || json_is_number(id) ? id : NULL;
}

void request_refuse(struct rpc_client *c, struct rpc_batch *batch, const json_t *request, int code, const char *message)
{
	answer_error(c, batch, usable_id(request), code, message);
}

static const char *request_fault(const json_t *request)
{
	const json_t *id = json_object_get(request, "id");
	const json_t *params = json_object_get(request, "params");
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const json_t *method = json_object_get(request, "method");

	if (!json_is_object(request))
		return "a request is an object";
	if (!version || strcmp(version, "2.0") != 0)
		return "\"jsonrpc\" must be \"2.0\"";
	if (!json_is_string(method))
		return "\"method\" must be text";
	if (id && !usable_id(request) && !json_is_null(id))
		return "\"id\" must be text, a number or null";
	/* Clients that write null for "no parameters" mean well. */
	if (params && !json_is_object(params) && !json_is_array(params) && !json_is_null(params))
		return "\"params\" must be an object or an array";
	return NULL;
}

void request_run(struct rpc_client *c, struct rpc_batch *batch, json_t *request)
{
	const char *fault = request_fault(request);

	if (fault)
		request_refuse(c, batch, request, RPC_INVALID_REQUEST, fault);
	else
		call_run(call_new(c, batch, request), json_object_get(request, "params"));
}
