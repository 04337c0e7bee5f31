/* The JSON-RPC server under a client that sends anything: nothing crashes,
 * every answer is JSON, and calls answered late, out of order or after the
 * client has gone do no harm. */
#include <stdlib.h>
#include <string.h>

#include "api/json/reader.h"
#include "api/rpc/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HELD_MAX 64

struct held {
	struct lampo_call *calls[HELD_MAX];
	size_t count;
};

static const struct lampo_param all_params[] = {
	{ .name = "string", .type = LAMPO_STRING, .doc = "." },
	{ .name = "bool", .aliases = "b", .type = LAMPO_BOOL, .fallback = "true", .doc = "." },
	{ .name = "u16", .type = LAMPO_U16, .doc = "." },
	{ .name = "u32", .type = LAMPO_U32, .doc = "." },
	{ .name = "u64", .type = LAMPO_U64, .doc = "." },
	{ .name = "percent", .type = LAMPO_PERCENT, .doc = "." },
	{ .name = "msat", .type = LAMPO_MSAT, .doc = "." },
	{ .name = "any", .type = LAMPO_MSAT_OR_ANY, .doc = "." },
	{ .name = "sat", .type = LAMPO_SAT, .doc = "." },
	{ .name = "all", .type = LAMPO_SAT_OR_ALL, .doc = "." },
	{ .name = "pubkey", .type = LAMPO_PUBKEY, .doc = "." },
	{ .name = "hash", .type = LAMPO_HASH, .doc = "." },
	{ .name = "txid", .type = LAMPO_TXID, .doc = "." },
	{ .name = "hex", .type = LAMPO_HEX, .doc = "." },
	{ .name = "feerate", .type = LAMPO_FEERATE, .doc = "." },
	{ .name = "outpoint", .type = LAMPO_OUTPOINT, .doc = "." },
	{ .name = "scid", .type = LAMPO_SCID, .doc = "." },
	{ .name = "label", .type = LAMPO_LABEL, .doc = "." },
	{ .name = "peer", .type = LAMPO_PEER, .doc = "." },
	{ .name = "channel", .type = LAMPO_CHANNEL, .doc = "." },
	{ .name = "channels", .type = LAMPO_CHANNEL_OR_ALL, .doc = "." },
	{ .name = "array", .type = LAMPO_ARRAY, .element = LAMPO_FEERATE, .doc = "." },
	{ .name = "object", .type = LAMPO_OBJECT, .doc = "." },
	{ .name = "scid_dir", .type = LAMPO_SCID_DIR, .doc = "." },
	{ .name = "integer", .type = LAMPO_INTEGER, .doc = "." },
	{ .name = "never", .type = LAMPO_STRING, .flags = LAMPO_UNSUPPORTED, .doc = "." },
};
static const struct lampo_method all_schema = {
	.name = "a", .summary = ".", .params = all_params, .param_count = ARRAY_COUNT(all_params),
};
static const struct lampo_method hold_schema = { .name = "h", .summary = "." };
static const struct lampo_method defer_schema = { .name = "d", .summary = "." };

/* What was read must be read the same from what it is written as. */
static void all(void *context, struct lampo_call *call, struct params *params)
{
	json_t *written = params_write(params), *again;
	struct params p;
	char why[RPC_WHY_SIZE];

	(void)context;
	if (!params_read(&p, params->method, written, why))
		abort();
	again = params_write(&p);
	if (!json_equal(written, again))
		abort();
	params_release(&p);
	json_decref(again);
	rpc_reply(call, written);
}

static void hold(void *context, struct lampo_call *call, struct params *params)
{
	struct held *held = context;

	(void)params;
	if (held->count < HELD_MAX)
		held->calls[held->count++] = call;
	else
		rpc_fail(call, 1, json_true(), "full");
}

static void defer(void *context, struct lampo_call *call, struct params *params)
{
	(void)context;
	(void)params;
	(void)rpc_defer(call);
}

static void ready(void *context)
{
	(void)context;
}

static void drain(struct rpc_client *client)
{
	struct json_reader reader;
	struct buf out = BUF_EMPTY;
	struct bytes text;
	char why[JSON_WHY_SIZE];
	json_t *answer;

	if (!rpc_client_take_output(client, &out))
		return;
	json_reader_init(&reader, 1 << 30);
	json_reader_feed(&reader, buf_view(&out));
	while (json_reader_next(&reader, &text) == JSON_READ_TEXT) {
		answer = json_parse(text, why);
		if (!answer)
			abort();
		json_decref(answer);
	}
	if (json_reader_end(&reader, &text) != JSON_READ_MORE)
		abort();
	json_reader_release(&reader);
	buf_release(&out);
	rpc_client_sent(client);
}

static void answer_one(struct held *held, size_t which)
{
	struct lampo_call *call;

	if (!held->count)
		return;
	which %= held->count;
	call = held->calls[which];
	held->calls[which] = held->calls[--held->count];
	rpc_reply(call, json_string("later"));
}

static void serve(struct rpc *rpc, struct held *held, const uint8_t *data, size_t size)
{
	struct rpc_client *client = rpc_client_new(rpc, ready, NULL);
	size_t at = 1, step = (size_t)data[0] % 61 + 1;

	for (; at < size; at += step) {
		if (!rpc_client_wants_input(client))
			answer_one(held, at);
		rpc_client_feed(client, BYTES(data + at, size - at < step ? size - at : step));
		if (data[at] & 1)
			answer_one(held, at);
		if (data[at] & 2)
			drain(client);
	}
	if (data[0] & 1) {
		rpc_client_end_of_input(client);
		drain(client);
	}
	rpc_client_free(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_limits limits;
	struct held held = { .count = 0 };
	char why[RPC_WHY_SIZE];
	struct rpc *rpc;

	if (size == 0)
		return 0;
	rpc_limits_default(&limits);
	limits.request_size_max = 4000;
	limits.output_size_max = 3000;
	limits.batch_output_size_max = 2000;
	limits.calls_in_flight_max = 4;
	limits.batch_count_max = 10;
	rpc = rpc_new(&limits);
	if (!rpc_add(rpc, &all_schema, all, &held, why) || !rpc_add(rpc, &hold_schema, hold, &held, why) ||
	    !rpc_add(rpc, &defer_schema, defer, &held, why))
		abort();
	serve(rpc, &held, data, size);
	while (held.count)
		answer_one(&held, 0);
	rpc_free(rpc);
	return 0;
}
