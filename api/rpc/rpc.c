#include "api/rpc/rpc.h"

#include <stdio.h>
#include <string.h>

#include "api/rpc/call.h"

void rpc_limits_default(struct rpc_limits *l)
{
	*l = (struct rpc_limits){
		.request_size_max = 4u << 20,
		.output_size_max = 8u << 20,
		.batch_output_size_max = 32u << 20,
		.calls_in_flight_max = 1024,
		.batch_count_max = 1024,
		.clients_max = 256,
	};
}

static struct bytes name_key(const void *object)
{
	return bytes_from_string(((const struct method_name *)object)->name);
}

static struct bytes call_key(const void *object)
{
	return BYTES_OF(((const struct lampo_call *)object)->key);
}

struct rpc *rpc_new(const struct rpc_limits *limits)
{
	/* Names come from the program and its embedder, ids from a counter: no stranger picks a key. */
	static const uint8_t seed[16] = { 0 };
	struct rpc *rpc = NEW(struct rpc);

	ASSERT(limits->calls_in_flight_max > 0 && limits->clients_max > 0);
	rpc->limits = *limits;
	rpc->methods_tail = &rpc->methods;
	rpc->next_id = 1;
	table_init(&rpc->names, name_key, seed);
	table_init(&rpc->deferred, call_key, seed);
	help_add(rpc);
	return rpc;
}

static void methods_free(struct rpc *rpc)
{
	struct method_entry *m = rpc->methods;
	struct method_name *n;
	uint32_t at = 0;

	while ((n = table_next(&rpc->names, &at))) {
		table_remove(&rpc->names, name_key(n));
		mem_free(n->name);
		mem_free(n);
	}
	while (m) {
		struct method_entry *next = m->next;

		mem_free(m);
		m = next;
	}
}

void rpc_free(struct rpc *rpc)
{
	if (!rpc)
		return;
	ASSERT(rpc->client_count == 0);
	while (rpc->orphans)
		call_drop(rpc->orphans);
	methods_free(rpc);
	table_release(&rpc->names);
	table_release(&rpc->deferred);
	mem_free(rpc);
}

const struct rpc_limits *rpc_limits(const struct rpc *rpc)
{
	return &rpc->limits;
}

const struct method_entry *method_find(const struct rpc *rpc, const char *name)
{
	const struct method_name *n = table_get(&rpc->names, bytes_from_string(name));

	return n ? n->entry : NULL;
}

const struct lampo_method *rpc_method(const struct rpc *rpc, const char *name)
{
	const struct method_entry *m = method_find(rpc, name);

	return m ? m->schema : NULL;
}

const struct lampo_method *rpc_method_next(const struct rpc *rpc, uint32_t *at)
{
	const struct method_entry *m = rpc->methods;
	uint32_t i;

	for (i = 0; m && i < *at; i++)
		m = m->next;
	(*at)++;
	return m ? m->schema : NULL;
}

static void name_add(struct rpc *rpc, struct bytes name, const struct method_entry *entry)
{
	struct method_name *n = NEW(struct method_name);

	n->name = mem_alloc(name.size + 1);
	memcpy(n->name, name.data, name.size);
	n->entry = entry;
	table_add(&rpc->names, n);
}

MUST_USE static bool names_free(const struct rpc *rpc, const struct lampo_method *m, char why[RPC_WHY_SIZE])
{
	const char *rest = m->aliases;
	struct bytes name = bytes_from_string(m->name);

	do {
		if (table_get(&rpc->names, name)) {
			snprintf(why, RPC_WHY_SIZE, "there is a method '%.*s' already", (int)name.size,
				 (const char *)name.data);
			return false;
		}
	} while (names_next(&rest, &name));
	return true;
}

static bool entry_add(struct rpc *rpc, const struct lampo_method *schema, rpc_handler *handler, void *context,
		      char why[RPC_WHY_SIZE])
{
	const char *rest = schema->aliases;
	struct method_entry *m;
	struct bytes alias;

	if (!schema_valid(schema, why, RPC_WHY_SIZE) || !names_free(rpc, schema, why))
		return false;
	m = NEW(struct method_entry);
	*m = (struct method_entry){ .schema = schema, .handler = handler, .context = context };
	*rpc->methods_tail = m;
	rpc->methods_tail = &m->next;
	name_add(rpc, bytes_from_string(schema->name), m);
	while (names_next(&rest, &alias))
		name_add(rpc, alias, m);
	return true;
}

bool rpc_add(struct rpc *rpc, const struct lampo_method *schema, rpc_handler *handler, void *context,
	     char why[RPC_WHY_SIZE])
{
	ASSERT(handler);
	return entry_add(rpc, schema, handler, context, why);
}

bool rpc_add_method(struct rpc *rpc, const struct lampo_method *method, char why[RPC_WHY_SIZE])
{
	if (!method->handler) {
		snprintf(why, RPC_WHY_SIZE, "method '%s' has no handler", method->name ? method->name : "");
		return false;
	}
	return entry_add(rpc, method, NULL, method->context, why);
}

void rpc_on_gone(struct rpc *rpc, void (*gone)(void *context, uint64_t id), void *context)
{
	rpc->gone = gone;
	rpc->gone_context = context;
}

struct rpc_client *rpc_client_new(struct rpc *rpc, void (*ready)(void *context), void *context)
{
	struct rpc_client *c;

	if (rpc->client_count == rpc->limits.clients_max)
		return NULL;
	rpc->client_count++;
	c = NEW(struct rpc_client);
	*c = (struct rpc_client){ .rpc = rpc, .ready = ready, .context = context };
	json_reader_init(&c->reader, rpc->limits.request_size_max);
	return c;
}

void rpc_client_free(struct rpc_client *c)
{
	struct rpc_batch *batch = c->batch;

	ASSERT(!c->pumping);
	c->batch = NULL;
	c->ready = NULL;
	/* The batch being started is ours to end: its last call may be answered already. */
	if (batch) {
		batch->next = json_array_size(batch->requests);
		batch_finish(c, batch);
	}
	calls_orphan(c);
	json_reader_release(&c->reader);
	buf_release(&c->out);
	c->rpc->client_count--;
	mem_free(c);
}

void rpc_client_feed(struct rpc_client *c, struct bytes bytes)
{
	if (c->input_over)
		return;
	json_reader_feed(&c->reader, bytes);
	client_pump(c);
}

void rpc_client_end_of_input(struct rpc_client *c)
{
	c->input_over = true;
	client_pump(c);
}

void rpc_client_shut_down(struct rpc_client *c)
{
	struct lampo_call *call = c->calls;

	c->input_over = c->ended = true;
	while (call) {
		struct lampo_call *next = call->next;

		if (call->deferred)
			rpc_fail(call, RPC_SHUTTING_DOWN, NULL, "the node is shutting down");
		call = next;
	}
}

MUST_USE static bool has_room(const struct rpc_client *c)
{
	return c->in_flight < c->rpc->limits.calls_in_flight_max &&
	       c->out.size + c->sending < c->rpc->limits.output_size_max;
}

bool rpc_client_wants_input(const struct rpc_client *c)
{
	return !c->input_over && has_room(c);
}

bool rpc_client_take_output(struct rpc_client *c, struct buf *out)
{
	const struct buf empty = *out;

	ASSERT(out->size == 0);
	if (c->sending || c->out.size == 0)
		return false;
	*out = c->out;
	c->out = empty;
	c->sending = out->size;
	return true;
}

void rpc_client_sent(struct rpc_client *c)
{
	c->sending = 0;
	client_pump(c);
}

bool rpc_client_done(const struct rpc_client *c)
{
	return c->ended && c->in_flight == 0 && c->out.size == 0 && c->sending == 0;
}

/* Nothing after this can be understood: no more input. */
static void refuse_stream(struct rpc_client *c, enum json_read why)
{
	char message[RPC_WHY_SIZE];

	c->input_over = c->ended = true;
	if (why == JSON_READ_BAD) {
		answer_error(c, NULL, NULL, RPC_PARSE_ERROR, "what was sent is not JSON; closing the connection");
		return;
	}
	snprintf(message, sizeof(message), "a request may have %zu bytes at most; closing the connection",
		 c->rpc->limits.request_size_max);
	answer_error(c, NULL, NULL, RPC_INVALID_REQUEST, message);
}

static void batch_begin(struct rpc_client *c, json_t *requests)
{
	char message[RPC_WHY_SIZE];
	const size_t count = json_array_size(requests);

	if (count == 0 || count > c->rpc->limits.batch_count_max) {
		snprintf(message, sizeof(message), "a batch holds 1 to %u requests, not %zu",
			 c->rpc->limits.batch_count_max, count);
		answer_error(c, NULL, NULL, RPC_INVALID_REQUEST, message);
		return;
	}
	c->batch = NEW(struct rpc_batch);
	c->batch->requests = json_incref(requests);
}

static void text_run(struct rpc_client *c, struct bytes text)
{
	char why[JSON_WHY_SIZE];
	json_t *request = json_parse(text, why);

	if (!request)
		answer_error(c, NULL, NULL, RPC_PARSE_ERROR, why);
	else if (json_is_array(request))
		batch_begin(c, request);
	else
		request_run(c, NULL, request);
	json_decref(request);
}

/* The next element of the batch that is being started. */
static void batch_step(struct rpc_client *c)
{
	struct rpc_batch *batch = c->batch;
	json_t *request = json_array_get(batch->requests, batch->next++);

	if (batch->next == json_array_size(batch->requests))
		c->batch = NULL;
	/* Holds the batch while its element runs: the element may be answered at once. */
	batch->unanswered++;
	if (batch->answers.size <= c->rpc->limits.batch_output_size_max)
		request_run(c, batch, request);
	else if (json_object_get(request, "id"))
		request_refuse(c, batch, request, RPC_FAILED,
			       "not run: the answers of this batch are too long already");
	batch->unanswered--;
	batch_finish(c, batch);
}

/* True if something was run and there may be more. */
MUST_USE static bool text_step(struct rpc_client *c)
{
	struct bytes text;
	enum json_read got = json_reader_next(&c->reader, &text);

	if (got == JSON_READ_MORE && c->input_over) {
		got = json_reader_end(&c->reader, &text);
		c->ended = got == JSON_READ_MORE;
	}
	if (got == JSON_READ_TEXT)
		text_run(c, text);
	else if (got != JSON_READ_MORE)
		refuse_stream(c, got);
	return got == JSON_READ_TEXT;
}

void client_pump(struct rpc_client *c)
{
	/* An answer given inside a handler comes back here: the loop below goes on with it. */
	if (c->pumping)
		return;
	c->pumping = true;
	while (!c->ended && has_room(c)) {
		if (c->batch)
			batch_step(c);
		else if (!text_step(c))
			break;
	}
	c->pumping = false;
	if (c->ready)
		c->ready(c->context);
}
