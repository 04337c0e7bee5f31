#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "api/rpc/rpc.h"

/* A server with four methods: echo answers at once, hold keeps the call's
 * pointer, wait keeps its id, text is an embedder's. */
struct fixture {
	struct rpc *rpc;
	struct rpc_client *client;
	struct lampo_call *held[8];
	int held_count, ready_count;
	uint64_t waiting[8], gone[8];
	int waiting_count, gone_count;
	struct rpc_limits limits;
	struct buf sent;
};

static const struct lampo_param echo_params[] = {
	{ .name = "word", .aliases = "w", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .doc = "What to say." },
	{ .name = "times", .type = LAMPO_U32, .fallback = "1", .doc = "How often." },
};
static const struct lampo_method echo_schema = {
	.name = "echo", .aliases = "say repeat", .summary = "Say it again", .params = echo_params, .param_count = 2,
};
static const struct lampo_method hold_schema = { .name = "hold", .summary = "Answer later" };
static const struct lampo_method wait_schema = { .name = "wait", .summary = "Answer later by id" };

static void echo(void *context, struct lampo_call *call, struct params *params)
{
	json_t *result = json_new_object();

	(void)context;
	json_add_string(result, "word", params_string(params, "word"));
	json_add_u64(result, "times", params_number(params, "times"));
	rpc_reply(call, result);
}

static void hold(void *context, struct lampo_call *call, struct params *params)
{
	struct fixture *f = context;

	(void)params;
	f->held[f->held_count++] = call;
}

static void wait_for(void *context, struct lampo_call *call, struct params *params)
{
	struct fixture *f = context;

	(void)params;
	f->waiting[f->waiting_count++] = rpc_defer(call);
}

static void text(void *context, struct lampo_call *call, const char *params)
{
	(void)context;
	if (strstr(params, "broken"))
		lampo_call_reply(call, "{");
	else if (strstr(params, "fail"))
		lampo_call_fail(call, 42, "no", "{\"why\":1}");
	else
		lampo_call_reply(call, params);
}

static const struct lampo_param text_params[] = {
	{ .name = "amount_msat", .aliases = "amount", .type = LAMPO_MSAT_OR_ANY, .doc = "An amount." },
	{ .name = "mode", .type = LAMPO_STRING, .choices = "good broken fail", .fallback = "good", .doc = "How." },
};
static const struct lampo_method text_method = {
	.name = "text", .summary = "From outside", .params = text_params, .param_count = 2, .handler = text,
};

static void ready(void *context)
{
	((struct fixture *)context)->ready_count++;
}

static void gone(void *context, uint64_t id)
{
	struct fixture *f = context;

	f->gone[f->gone_count++] = id;
}

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	rpc_limits_default(&f->limits);
}

static void start(struct fixture *f)
{
	char why[RPC_WHY_SIZE];

	f->rpc = rpc_new(&f->limits);
	CHECK(rpc_add(f->rpc, &echo_schema, echo, f, why));
	CHECK(rpc_add(f->rpc, &hold_schema, hold, f, why));
	CHECK(rpc_add(f->rpc, &wait_schema, wait_for, f, why));
	CHECK(rpc_add_method(f->rpc, &text_method, why));
	rpc_on_gone(f->rpc, gone, f);
	f->client = rpc_client_new(f->rpc, ready, f);
	CHECK(f->client);
}

static void stop(struct fixture *f)
{
	if (f->client)
		rpc_client_free(f->client);
	rpc_free(f->rpc);
	buf_release(&f->sent);
}

static void feed(struct fixture *f, const char *s)
{
	rpc_client_feed(f->client, bytes_from_string(s));
}

/* What has come back since, each answer's empty line shown as |. */
static const char *answers(struct fixture *f)
{
	struct buf out = BUF_EMPTY;
	char *p, *to;

	buf_clear(&f->sent);
	while (rpc_client_take_output(f->client, &out)) {
		buf_add_bytes(&f->sent, buf_view(&out));
		buf_clear(&out);
		rpc_client_sent(f->client);
	}
	buf_release(&out);
	buf_add_u8(&f->sent, 0);
	for (p = to = (char *)f->sent.data; *p; p++) {
		if (p[0] == '\n' && p[1] == '\n') {
			*to++ = '|';
			p++;
		} else {
			*to++ = *p;
		}
	}
	*to = 0;
	return (const char *)f->sent.data;
}

#define OK(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define FAIL(id, code, message) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" message "\"}}"
#define HI "{\"word\":\"hi\",\"times\":1}"

TEST(one_call_one_answer)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"hi\"]}");
	CHECK_STR(answers(&f), OK("1", HI) "|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":\"a/b:echo#2\",\"method\":\"echo\",\"params\":{\"word\":\"hi\",\"times\":3}}\n\n");
	CHECK_STR(answers(&f), OK("\"a/b:echo#2\"", "{\"word\":\"hi\",\"times\":3}") "|");
	CHECK(f.ready_count > 0);
	stop(&f);
}

TEST(ids_come_back_as_they_went)
{
	static const char *const ids[] = { "0", "-7", "9007199254740993", "1.1", "0.1", "1e+300", "\"\"", "\"\\u00e9\\n\"", "null" };
	static const char *const back[] = { "0", "-7", "9007199254740993", "1.1", "0.1", "1e300", "\"\"", "\"\xc3\xa9\\n\"", "null" };
	struct fixture f;
	char request[200], wanted[200];
	size_t i;

	setup(&f);
	start(&f);
	for (i = 0; i < ARRAY_COUNT(ids); i++) {
		snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"say\",\"params\":[\"hi\"]}", ids[i]);
		feed(&f, request);
		snprintf(wanted, sizeof(wanted), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":" HI "}|", back[i]);
		CHECK_STR(answers(&f), wanted);
	}
	stop(&f);
}

TEST(a_notification_is_never_answered)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[\"hi\"]}"
		 "{\"jsonrpc\":\"2.0\",\"method\":\"none\"}"
		 "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}"
		 "{\"jsonrpc\":\"2.0\",\"method\":\"hold\"}");
	CHECK_EQ(f.held_count, 1);
	rpc_reply(f.held[0], json_true());
	CHECK_STR(answers(&f), "");
	stop(&f);
}

TEST(errors_have_the_codes_of_the_specification)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"none\"}");
	CHECK_STR(answers(&f), FAIL("1", "-32601", "there is no method 'none': 'help' lists all") "|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"method\":1,\"params\":\"bar\"}");
	CHECK_STR(answers(&f), FAIL("null", "-32600", "\\\"method\\\" must be text") "|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"echo\",\"params\":\"bar\"}");
	CHECK_STR(answers(&f), FAIL("5", "-32600", "\\\"params\\\" must be an object or an array") "|");
	feed(&f, "{\"id\":5,\"method\":\"echo\"} {\"jsonrpc\":\"1.0\",\"id\":\"x\",\"method\":\"echo\"}");
	CHECK_STR(answers(&f), FAIL("5", "-32600", "\\\"jsonrpc\\\" must be \\\"2.0\\\"") "|"
			       FAIL("\"x\"", "-32600", "\\\"jsonrpc\\\" must be \\\"2.0\\\"") "|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"echo\"}");
	CHECK_STR(answers(&f), FAIL("null", "-32600", "\\\"id\\\" must be text, a number or null") "|");
	feed(&f, "17 ");
	CHECK_STR(answers(&f), FAIL("null", "-32600", "a request is an object") "|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"echo\"}");
	CHECK_STR(answers(&f), FAIL("6", "-32602", "parameter 'word' is missing: What to say.") "|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"echo\",\"params\":null}");
	CHECK_STR(answers(&f), FAIL("6", "-32602", "parameter 'word' is missing: What to say.") "|");
	/* JSON by its grammar, but not by its meaning: the stream goes on. */
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":6,\"id\":7,\"method\":\"echo\"}");
	CHECK(strstr(answers(&f), "\"id\":null,\"error\":{\"code\":-32700"));
	CHECK(rpc_client_wants_input(f.client));
	feed(&f, "{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]");
	CHECK(strstr(answers(&f), "\"id\":null,\"error\":{\"code\":-32700"));
	CHECK(rpc_client_done(f.client));
	CHECK(!rpc_client_wants_input(f.client));
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"hi\"]}");
	CHECK_STR(answers(&f), "");
	stop(&f);
}

TEST(batches)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "[]");
	CHECK_STR(answers(&f), FAIL("null", "-32600", "a batch holds 1 to 1024 requests, not 0") "|");
	feed(&f, "[1]");
	CHECK_STR(answers(&f), "[" FAIL("null", "-32600", "a request is an object") "]|");
	feed(&f, "[1,[2]]");
	CHECK_STR(answers(&f), "[" FAIL("null", "-32600", "a request is an object") ","
			       FAIL("null", "-32600", "a request is an object") "]|");
	/* Nothing but notifications: nothing comes back, not even an empty array. */
	feed(&f, "[{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[\"hi\"]},{\"jsonrpc\":\"2.0\",\"method\":\"none\"}]");
	CHECK_STR(answers(&f), "");
	feed(&f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"},{\"jsonrpc\":\"2.0\",\"method\":\"hold\"},"
		 "{\"foo\":\"boo\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\",\"params\":[\"hi\"]}]"
		 "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"echo\",\"params\":[\"hi\"]}");
	CHECK_STR(answers(&f), OK("3", HI) "|");
	CHECK_EQ(f.held_count, 2);
	rpc_reply(f.held[0], json_new_object());
	CHECK_STR(answers(&f), "");
	rpc_reply(f.held[1], json_new_object());
	CHECK_STR(answers(&f), "[" FAIL("null", "-32600", "\\\"jsonrpc\\\" must be \\\"2.0\\\"") "," OK("2", HI) ","
			       OK("1", "{}") "]|");
	stop(&f);
}

TEST(pipelined_calls_do_not_wait_for_one_another)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\",\"par");
	CHECK_STR(answers(&f), "");
	feed(&f, "ams\":[\"hi\"]}");
	CHECK_STR(answers(&f), OK("2", HI) "|");
	rpc_fail(f.held[0], 205, json_pack("{s:i}", "tries", 3), "no %s", "route");
	CHECK_STR(answers(&f), "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":205,\"message\":\"no route\",\"data\":{\"tries\":3}}}|");
	stop(&f);
}

TEST(a_client_that_leaves_takes_its_deferred_calls_along)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"wait\"}"
		 "[{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"wait\"},{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"hold\"}]");
	CHECK_EQ(f.waiting_count, 2);
	CHECK(rpc_deferred(f.rpc, f.waiting[0]) && rpc_deferred(f.rpc, f.waiting[1]));
	rpc_client_free(f.client);
	f.client = NULL;
	CHECK_EQ(f.gone_count, 2);
	CHECK(!rpc_deferred(f.rpc, f.waiting[0]) && !rpc_deferred(f.rpc, f.waiting[1]));
	/* Whoever holds a pointer answers into the void. */
	rpc_reply(f.held[0], json_new_object());
	rpc_fail(f.held[1], 1, NULL, "too late");
	stop(&f);
}

TEST(deferred_calls_are_found_until_they_are_answered)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"wait\"}");
	rpc_reply(rpc_deferred(f.rpc, f.waiting[0]), json_new_object());
	CHECK(!rpc_deferred(f.rpc, f.waiting[0]));
	CHECK_STR(answers(&f), OK("2", "{}") "|");
	CHECK_EQ(f.gone_count, 0);
	stop(&f);
}

TEST(calls_in_flight_are_bounded)
{
	struct fixture f;
	int i;

	setup(&f);
	f.limits.calls_in_flight_max = 2;
	start(&f);
	feed(&f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\"},"
		 "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"hold\"}]{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"hold\"}");
	CHECK_EQ(f.held_count, 2);
	CHECK(!rpc_client_wants_input(f.client));
	rpc_reply(f.held[0], json_new_object());
	CHECK_EQ(f.held_count, 3);
	for (i = 1; i < 3; i++)
		rpc_reply(f.held[i], json_new_object());
	CHECK_EQ(f.held_count, 4);
	CHECK(rpc_client_wants_input(f.client));
	rpc_reply(f.held[3], json_new_object());
	CHECK_STR(answers(&f), "[" OK("1", "{}") "," OK("2", "{}") "," OK("3", "{}") "]|" OK("4", "{}") "|");
	stop(&f);
}

TEST(a_slow_reader_is_not_read)
{
	struct fixture f;
	struct buf out = BUF_EMPTY;
	int i;

	setup(&f);
	f.limits.output_size_max = 100;
	start(&f);
	for (i = 0; i < 5; i++)
		feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"hi\"]}");
	CHECK(!rpc_client_wants_input(f.client));
	CHECK(rpc_client_take_output(f.client, &out));
	CHECK(out.size < 200);
	/* Taken is not sent. */
	CHECK(!rpc_client_wants_input(f.client));
	CHECK(!rpc_client_take_output(f.client, &f.sent));
	buf_release(&out);
	rpc_client_sent(f.client);
	for (i = 0; i < 5; i++)
		answers(&f);
	CHECK(rpc_client_wants_input(f.client));
	stop(&f);
}

TEST(a_batch_cannot_grow_without_bound)
{
	struct fixture f;

	setup(&f);
	f.limits.batch_output_size_max = 10;
	start(&f);
	feed(&f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"hi\"]},"
		 "{\"jsonrpc\":\"2.0\",\"method\":\"hold\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\"}]");
	CHECK_EQ(f.held_count, 0);
	CHECK_STR(answers(&f), "[" OK("1", HI) "," FAIL("2", "-1", "not run: the answers of this batch are too long already") "]|");
	stop(&f);
}

TEST(half_closed_clients_still_get_their_answers)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}");
	rpc_client_end_of_input(f.client);
	CHECK(!rpc_client_done(f.client));
	rpc_reply(f.held[0], json_new_object());
	CHECK(!rpc_client_done(f.client));
	CHECK_STR(answers(&f), OK("1", "{}") "|");
	CHECK(rpc_client_done(f.client));
	stop(&f);
}

TEST(input_that_ends_in_the_middle_is_a_parse_error)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":");
	rpc_client_end_of_input(f.client);
	CHECK(strstr(answers(&f), "\"code\":-32700"));
	CHECK(rpc_client_done(f.client));
	stop(&f);
}

TEST(an_oversized_request_ends_the_connection)
{
	struct fixture f;

	setup(&f);
	f.limits.request_size_max = 50;
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"hi\"]}");
	CHECK(strstr(answers(&f), "\"code\":-32600"));
	CHECK(rpc_client_done(f.client));
	stop(&f);
}

TEST(clients_are_bounded)
{
	struct fixture f;

	setup(&f);
	f.limits.clients_max = 1;
	start(&f);
	CHECK(!rpc_client_new(f.rpc, ready, &f));
	stop(&f);
}

TEST(embedders_methods_get_and_give_text)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"text\",\"params\":{\"amount\":\"1.5sat\"}}");
	CHECK_STR(answers(&f), OK("1", "{\"amount_msat\":1500,\"mode\":\"good\"}") "|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"text\",\"params\":[\"any\",\"fail\"]}");
	CHECK_STR(answers(&f), "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":42,\"message\":\"no\",\"data\":{\"why\":1}}}|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"text\",\"params\":[null,\"broken\"]}");
	CHECK(strstr(answers(&f), "\"code\":-32603"));
	stop(&f);
}

TEST(methods_with_taken_names_or_bad_schemas_are_refused)
{
	static const struct lampo_method taken = { .name = "other", .aliases = "repeat", .summary = "x", .handler = text };
	static const struct lampo_method bad_name = { .name = "no spaces", .summary = "x", .handler = text };
	static const struct lampo_method no_handler = { .name = "nothing", .summary = "x" };
	static const struct lampo_param late[] = {
		{ .name = "a", .type = LAMPO_U32, .doc = "A." },
		{ .name = "b", .type = LAMPO_U32, .flags = LAMPO_REQUIRED, .doc = "B." },
	};
	static const struct lampo_param twice[] = {
		{ .name = "a", .type = LAMPO_U32, .doc = "A." },
		{ .name = "b", .aliases = "c a", .type = LAMPO_U32, .doc = "B." },
	};
	static const struct lampo_param bad_default[] = { { .name = "a", .type = LAMPO_U32, .fallback = "-1", .doc = "A." } };
	const struct lampo_method bad_late = { .name = "n", .summary = "x", .params = late, .param_count = 2, .handler = text };
	const struct lampo_method bad_twice = { .name = "n", .summary = "x", .params = twice, .param_count = 2, .handler = text };
	const struct lampo_method bad_fallback = { .name = "n", .summary = "x", .params = bad_default, .param_count = 1, .handler = text };
	struct fixture f;
	char why[RPC_WHY_SIZE];

	setup(&f);
	start(&f);
	CHECK(!rpc_add_method(f.rpc, &taken, why));
	CHECK(!rpc_add_method(f.rpc, &bad_name, why));
	CHECK(!rpc_add_method(f.rpc, &no_handler, why));
	CHECK(!rpc_add_method(f.rpc, &bad_late, why));
	CHECK(!rpc_add_method(f.rpc, &bad_twice, why));
	CHECK(!rpc_add_method(f.rpc, &bad_fallback, why));
	CHECK(!rpc_method(f.rpc, "other") && !rpc_method(f.rpc, "n"));
	CHECK(rpc_method(f.rpc, "repeat") == &echo_schema);
	stop(&f);
}

TEST(filters_keep_what_they_name)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"help\",\"filter\":{\"help\":[{\"category\":true}],\"none\":true}}");
	CHECK_STR(answers(&f), OK("1", "{\"help\":[{\"category\":\"node\"},{\"category\":\"node\"},{\"category\":\"other\"},"
				       "{\"category\":\"other\"},{\"category\":\"other\"},{\"category\":\"other\"}]}") "|");
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"help\",\"filter\":{\"help\":[1]}}");
	CHECK(strstr(answers(&f), "\"code\":-32602"));
	stop(&f);
}

static json_t *number(uint64_t n)
{
	json_t *o = json_new_object();

	json_add_u64(o, "n", n);
	json_add_bool(o, "odd", n % 2);
	return o;
}

/* A list that comes entry by entry is answered like any other: with a filter, in a batch, to nobody. */
TEST(long_lists)
{
	struct fixture f;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}"
		 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\",\"filter\":{\"list\":[{\"n\":true}]}}"
		 "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"hold\",\"filter\":{\"other\":true}}"
		 "[{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"hold\"},{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"hold\"}]"
		 "{\"jsonrpc\":\"2.0\",\"method\":\"hold\"}"
		 "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"hold\",\"filter\":true}");
	CHECK_EQ(f.held_count, 7);
	for (int i = 0; i < 7; i++) {
		rpc_list_begin(f.held[i], "list");
		for (uint64_t n = 1; n <= 2; n++)
			rpc_list_add(f.held[i], number(n));
	}
	CHECK_STR(answers(&f), "");
	for (int i = 0; i < 4; i++)
		rpc_list_end(f.held[i]);
	rpc_fail(f.held[4], 7, NULL, "no more");
	rpc_list_end(f.held[5]);
	rpc_list_end(f.held[6]);
#define BOTH "{\"list\":[{\"n\":1,\"odd\":true},{\"n\":2,\"odd\":false}]}"
	CHECK_STR(answers(&f), OK("1", BOTH) "|" OK("2", "{\"list\":[{\"n\":1},{\"n\":2}]}") "|" OK("3", "{}") "|"
				"[" OK("4", BOTH) ",{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":7,\"message\":\"no more\"}}]|"
				OK("6", BOTH) "|");
	/* Without an entry; and to somebody who has left. */
	f.held_count = 0;
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\"}");
	rpc_list_begin(f.held[0], "list");
	rpc_list_end(f.held[0]);
	CHECK_STR(answers(&f), OK("1", "{\"list\":[]}") "|");
	rpc_list_begin(f.held[1], "list");
	rpc_client_free(f.client);
	f.client = NULL;
	rpc_list_add(f.held[1], number(1));
	rpc_list_end(f.held[1]);
	stop(&f);
}

TEST(help_lists_and_explains)
{
	struct fixture f;
	const char *got;

	setup(&f);
	start(&f);
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"help\"}");
	got = answers(&f);
	CHECK(strstr(got, "\"command\":\"help [command]\""));
	CHECK(strstr(got, "\"command\":\"echo word [times]\""));
	CHECK(strstr(got, "\"format-hint\":\"simple\""));
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"help\",\"params\":[\"repeat\"]}");
	got = answers(&f);
	CHECK(strstr(got, "\"command\":\"echo word [times]\"") && !strstr(got, "\"command\":\"help"));
	CHECK(strstr(got, "{\"name\":\"times\",\"type\":\"u32\",\"required\":false,\"default\":\"1\",\"doc\":\"How often.\"}"));
	feed(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"help\",\"params\":[\"none\"]}");
	CHECK(strstr(answers(&f), "\"code\":-32602"));
	stop(&f);
}
