/* Lists that are read from the store in pages. */
#include "api/method/stored.h"

#include "tests/unit/method_world.h"

/* Kinds that no record of a node has: the list of the test is of both, the third is an index. */
#define KIND_LIVE ((enum record_kind)200)
#define KIND_PAST ((enum record_kind)201)
#define KIND_INDEX ((enum record_kind)202)

static bool show(const struct methods *m, struct params *params, const struct fetched *record, json_t **out)
{
	const uint64_t number = load_be64(record->key.data);

	(void)m;
	if (record->value.size != 1)
		return false;
	if (params_bool(params, "even") && number % 2)
		return true;
	*out = json_new_object();
	json_add_u64(*out, "n", number);
	json_add_bool(*out, "past", record->kind == KIND_PAST);
	return true;
}

static const struct stored_list list = { "things", { KIND_LIVE, KIND_PAST }, 2, show, NULL };

static void handler(void *context, struct lampo_call *call, struct params *params)
{
	const char *name = params_string_or_null(params, "name");
	const struct record_range index = { .kind = KIND_INDEX, .prefix = name ? bytes_from_string(name) : BYTES_NONE };

	stored_list_ask(context, call, params, &list, name ? &index : NULL);
}

static const struct lampo_param params[] = {
	{ .name = "name", .type = LAMPO_STRING, .doc = "As the index has it." },
	{ .name = "even", .type = LAMPO_BOOL, .fallback = "false", .doc = "Even numbers alone." },
	{ .name = "start", .type = LAMPO_U64, .fallback = "0", .doc = "From it on." },
	{ .name = "limit", .type = LAMPO_U32, .doc = "At most so many." },
};
static const struct lampo_result results[] = {
	{ "things", LAMPO_ARRAY, 0, "All of them." },
	{ "things[].n", LAMPO_U64, 0, "Its number." },
	{ "things[].past", LAMPO_BOOL, 0, "Where it is." },
};
static const struct lampo_method schema = {
	.name = "listthings", .category = "node", .summary = "List things", .params = params, .param_count = ARRAY_COUNT(params),
	.results = results, .result_count = ARRAY_COUNT(results),
};

static struct world *begin(void)
{
	struct world *w = world_new();
	char why[RPC_WHY_SIZE];

	CHECK(rpc_add(w->nodes[0].rpc, &schema, handler, w->nodes[0].methods, why));
	return w;
}

static void put(struct world *w, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct store_op op = { kind, false, key, value };

	CHECK(w->nodes[0].store->commit(w->nodes[0].store, &op, 1));
}

static void put_thing(struct world *w, enum record_kind kind, uint64_t number)
{
	uint8_t key[9] = { 0 };

	store_be64(key, number);
	put(w, kind, BYTES_OF(key), BYTES("v", 1));
}

/* count entries from `first` on, each `step` after the one before; every third of the numbers is live. */
static void check_list(struct world *w, const char *params_text, uint32_t count, uint64_t first, uint64_t step)
{
	json_t *o = world_call(w, 0, "listthings", params_text), *a = json_object_get(o, "things");

	CHECK_EQ(json_array_size(a), count);
	for (uint32_t i = 0; i < count; i++) {
		const json_t *e = json_array_get(a, i);
		const uint64_t n = first + i * step;

		CHECK_EQ((uint64_t)json_integer_value(json_object_get(e, "n")), n);
		CHECK_EQ(json_is_true(json_object_get(e, "past")), n % 3 != 0);
	}
	json_decref(o);
}

static void put_things(struct world *w, uint32_t count)
{
	for (uint32_t n = 1; n <= count; n++)
		put_thing(w, n % 3 ? KIND_PAST : KIND_LIVE, n);
}

TEST(two_kinds_make_one_list_whatever_the_pages)
{
	struct world *w = begin();

	check_list(w, "{}", 0, 0, 0);
	put_things(w, 3 * STORED_PAGE + 7);
	check_list(w, "{}", 3 * STORED_PAGE + 7, 1, 1);
	check_list(w, "{'limit':5}", 5, 1, 1);
	check_list(w, "{'limit':0}", 0, 1, 1);
	check_list(w, "{'start':700}", 3 * STORED_PAGE + 7 - 699, 700, 1);
	check_list(w, "{'start':700,'limit':2}", 2, 700, 1);
	check_list(w, "{'start':100000}", 0, 0, 1);
	check_list(w, "{'even':true,'start':9,'limit':300}", 300, 10, 2);
	world_free(w);
}

TEST(one_kind_may_end_long_before_the_other)
{
	struct world *w = begin();
	uint64_t n;

	for (n = 1; n <= 2 * STORED_PAGE; n++)
		put_thing(w, KIND_PAST, 3 * n + 1);
	check_list(w, "{}", 2 * STORED_PAGE, 4, 3);
	put_thing(w, KIND_LIVE, 3 * n + 3);
	check_list(w, world_text(w, "{'start':%u}", 3 * (unsigned)n - 1), 1, 3 * n + 3, 3);
	world_free(w);
}

TEST(more_than_one_answer_holds_is_refused)
{
	struct world *w = begin();

	put_things(w, STORED_LIST_MAX);
	check_list(w, "{}", STORED_LIST_MAX, 1, 1);
	put_thing(w, KIND_PAST, STORED_LIST_MAX + 1);
	world_refused(w, 0, "listthings", "{}", -32602, "'start' and 'limit'");
	world_refused(w, 0, "listthings", "{'limit':20000}", -32602, "'start' and 'limit'");
	check_list(w, "{'start':2,'limit':20000}", STORED_LIST_MAX, 2, 1);
	check_list(w, "{'even':true}", STORED_LIST_MAX / 2, 2, 2);
	world_free(w);
}

TEST(an_index_names_entries)
{
	struct world *w = begin();
	uint8_t number[8];

	put_things(w, 2000);
	for (uint32_t i = 0; i < 1000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "many-%04u", i);
		store_be64(number, 2 * i + 2);
		put(w, KIND_INDEX, bytes_from_string(key), BYTES_OF(number));
	}
	store_be64(number, 7);
	put(w, KIND_INDEX, bytes_from_string("one"), BYTES_OF(number));
	store_be64(number, 5000);
	put(w, KIND_INDEX, bytes_from_string("stale"), BYTES_OF(number));
	check_list(w, "{'name':'one'}", 1, 7, 1);
	check_list(w, "{'name':'stale'}", 0, 7, 1);
	check_list(w, "{'name':'none'}", 0, 7, 1);
	check_list(w, "{'name':'many'}", 1000, 2, 2);
	check_list(w, "{'name':'many','start':1001,'limit':3}", 3, 1002, 2);
	world_free(w);
}

TEST(what_is_damaged_is_said_to_be)
{
	struct world *w = begin();

	put(w, KIND_PAST, BYTES("short", 5), BYTES("v", 1));
	world_refused(w, 0, "listthings", "{}", -32603, "damaged");
	put(w, KIND_LIVE, BYTES("12345678", 8), BYTES("too long", 8));
	world_refused(w, 0, "listthings", "{'start':1}", -32603, "damaged");
	world_free(w);
}

/* What is answered before is read: the list comes after the commit of what the call saw. */
TEST(a_list_has_what_was_answered_before)
{
	struct world *w = world_new();
	json_t *o = world_call(w, 0, "invoice", "[1000,'tea','a cup']");

	json_decref(o);
	o = world_call(w, 0, "listinvoices", "{}");
	CHECK_EQ(json_array_size(json_object_get(o, "invoices")), 1);
	json_decref(o);
	world_free(w);
}

TEST(who_leaves_is_not_read_for)
{
	struct world *w = begin();
	struct world_node *n = &w->nodes[0];

	put_things(w, 1000);
	rpc_client_feed(n->client, bytes_from_string("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"listthings\"}"));
	exec_run(n->exec, w->now_ms);
	rpc_client_free(n->client);
	world_settle(w);
	n->client = rpc_client_new(n->rpc, world_ready, n);
	CHECK(n->client && !n->methods->reads);
	world_free(w);
}
