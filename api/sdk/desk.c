#include "api/sdk/desk.h"

#include <stdlib.h>
#include <string.h>

#include "api/json/json.h"
#include "api/json/reader.h"

#define ANSWER_SIZE_MAX (64u << 20)

struct desk_call {
	struct desk_call *next;
	uint64_t id;
	desk_answer *answer;
	void *context;
};

struct desk {
	struct rpc_client *client;
	struct loop_wake *wake;
	struct json_reader reader;
	struct desk_call *calls;
	uint64_t next_id;
};

static void answer_all(void *context);

static void on_ready(void *context)
{
	loop_wake_ring(((struct desk *)context)->wake);
}

struct desk *desk_new(struct rpc *rpc, struct loop *loop)
{
	struct desk *d = NEW(struct desk);

	d->client = rpc_client_new(rpc, on_ready, d);
	ASSERT(d->client); /* the first of all clients */
	d->wake = loop_wake_new(loop, answer_all, d);
	json_reader_init(&d->reader, ANSWER_SIZE_MAX);
	return d;
}

static void tell_shutdown(struct desk_call *c)
{
	c->answer(c->context, RPC_SHUTTING_DOWN, "{\"code\":-5,\"message\":\"the node is shutting down\"}");
	mem_free(c);
}

void desk_free(struct desk *d)
{
	rpc_client_free(d->client);
	while (d->calls) {
		struct desk_call *c = d->calls;

		d->calls = c->next;
		tell_shutdown(c);
	}
	loop_wake_free(d->wake);
	json_reader_release(&d->reader);
	mem_free(d);
}

static void write_call(struct buf *out, uint64_t id, const char *method, const char *params)
{
	json_t *name = json_new_text(bytes_from_string(method));

	buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":", (unsigned long long)id);
	json_write(out, name);
	if (params)
		buf_printf(out, ",\"params\":%s", params);
	buf_add_string(out, "}\n");
	json_decref(name);
}

/* Text of the embedder's that is no JSON would spoil the stream for all calls after it. */
static bool params_good(const char *params)
{
	char why[JSON_WHY_SIZE];
	json_t *j = params ? json_parse(bytes_from_string(params), why) : NULL;
	bool good = !params || json_is_object(j) || json_is_array(j);

	json_decref(j);
	return good;
}

void desk_call(struct desk *d, const char *method, const char *params, desk_answer *answer, void *context)
{
	struct desk_call *c = NEW(struct desk_call);
	struct buf text = BUF_EMPTY;

	c->id = ++d->next_id;
	c->answer = answer;
	c->context = context;
	c->next = d->calls;
	d->calls = c;
	write_call(&text, c->id, method, params_good(params) ? params : "0");
	rpc_client_feed(d->client, buf_view(&text));
	buf_release(&text);
	loop_wake_ring(d->wake);
}

/* ---- Answers ---- */

static struct desk_call *take(struct desk *d, uint64_t id)
{
	struct desk_call **at = &d->calls, *c;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	c = *at;
	if (c)
		*at = c->next;
	return c;
}

static void give(struct desk *d, const json_t *text)
{
	struct desk_call *c = take(d, (uint64_t)json_integer_value(json_object_get(text, "id")));
	const json_t *error = json_object_get(text, "error");
	struct buf out = BUF_EMPTY;

	if (!c)
		return;
	json_write(&out, error ? error : json_object_get(text, "result"));
	buf_add_u8(&out, 0);
	c->answer(c->context, error ? (int)json_integer_value(json_object_get(error, "code")) : 0, (const char *)out.data);
	buf_release(&out);
	mem_free(c);
}

static void answer_all(void *context)
{
	struct desk *d = context;
	struct buf out = BUF_EMPTY;
	char why[JSON_WHY_SIZE];
	struct bytes text;

	if (rpc_client_take_output(d->client, &out)) {
		json_reader_feed(&d->reader, buf_view(&out));
		rpc_client_sent(d->client);
	}
	buf_release(&out);
	while (json_reader_next(&d->reader, &text) == JSON_READ_TEXT) {
		json_t *answer = json_parse(text, why);

		give(d, answer);
		json_decref(answer);
	}
}
