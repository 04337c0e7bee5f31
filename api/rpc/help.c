/* The methods that the dispatcher serves by itself: help, and the switch that
 * Core Lightning's clients throw before they listen for progress messages. */
#include "api/rpc/call.h"

#include <string.h>

static const struct lampo_param help_params[] = {
	{ .name = "command", .aliases = "method", .type = LAMPO_STRING, .doc = "The method to explain; without it, all are listed." },
};
static const struct lampo_result help_results[] = {
	{ "help", LAMPO_ARRAY, 0, "One entry a method." },
	{ "help[].command", LAMPO_STRING, 0, "The method and its parameters; optional ones in brackets." },
	{ "help[].category", LAMPO_STRING, 0, "What the method is about." },
	{ "help[].description", LAMPO_STRING, 0, "What it does, in one line." },
	{ "help[].verbose", LAMPO_STRING, 0, "Parameters, result and errors in words." },
	{ "help[].aliases", LAMPO_ARRAY, LAMPO_OPTIONAL, "Other names of the method." },
	{ "help[].parameters", LAMPO_ARRAY, LAMPO_OPTIONAL, "With a command given: its parameters." },
	{ "help[].parameters[].name", LAMPO_STRING, 0, "The parameter's name." },
	{ "help[].parameters[].type", LAMPO_STRING, 0, "Its type." },
	{ "help[].parameters[].required", LAMPO_BOOL, 0, "Whether a call must have it." },
	{ "help[].parameters[].default", LAMPO_STRING, LAMPO_OPTIONAL, "Its value when it is absent." },
	{ "help[].parameters[].doc", LAMPO_STRING, 0, "What it means." },
	{ "help[].results", LAMPO_ARRAY, LAMPO_OPTIONAL, "With a command given: what it answers." },
	{ "help[].results[].name", LAMPO_STRING, 0, "The field's path." },
	{ "help[].results[].type", LAMPO_STRING, 0, "Its type." },
	{ "help[].results[].optional", LAMPO_BOOL, 0, "Whether it may be absent." },
	{ "help[].results[].doc", LAMPO_STRING, 0, "What it means." },
	{ "help[].errors", LAMPO_ARRAY, LAMPO_OPTIONAL, "With a command given: the codes it may fail with." },
	{ "help[].errors[].code", LAMPO_INTEGER, 0, "The code." },
	{ "help[].errors[].doc", LAMPO_STRING, 0, "What it means." },
	{ "format-hint", LAMPO_STRING, 0, "How a command line may show this: \"simple\"." },
};
static const struct lampo_error help_errors[] = {
	{ RPC_INVALID_PARAMS, "There is no such method." },
};
static const struct lampo_method help_schema = {
	.name = "help",
	.category = "node",
	.summary = "List the methods, or explain one",
	.params = help_params,
	.param_count = ARRAY_COUNT(help_params),
	.results = help_results,
	.result_count = ARRAY_COUNT(help_results),
	.errors = help_errors,
	.error_count = ARRAY_COUNT(help_errors),
};

static const struct lampo_param notifications_params[] = {
	{ .name = "enable", .type = LAMPO_BOOL, .flags = LAMPO_REQUIRED, .doc = "Whether this client wants them." },
};
static const struct lampo_method notifications_schema = {
	.name = "notifications",
	.category = "node",
	.summary = "Accept progress messages while a call runs",
	.doc = "Core Lightning's clients call this first.  Calls here send no progress messages, so it changes nothing.",
	.params = notifications_params,
	.param_count = ARRAY_COUNT(notifications_params),
};

static void add_buf(json_t *object, const char *key, struct buf *text)
{
	json_add_text(object, key, buf_view(text));
	buf_release(text);
}

static void add_names(json_t *object, const char *names)
{
	json_t *array = json_new_array();
	struct bytes name;

	while (names_next(&names, &name))
		json_append(array, json_new_text(name));
	json_add(object, "aliases", array);
}

static json_t *parameters(const struct lampo_method *m)
{
	json_t *array = json_new_array();
	size_t i;

	for (i = 0; i < m->param_count; i++) {
		const struct lampo_param *p = &m->params[i];
		json_t *one;

		if (p->flags & LAMPO_UNSUPPORTED)
			continue;
		one = json_new_object();
		json_add_string(one, "name", p->name);
		json_add_string(one, "type", value_type_name(p->type));
		json_add_bool(one, "required", p->flags & LAMPO_REQUIRED);
		if (p->fallback)
			json_add_string(one, "default", p->fallback);
		json_add_string(one, "doc", p->doc);
		json_append(array, one);
	}
	return array;
}

static void add_details(json_t *entry, const struct lampo_method *m)
{
	json_t *results = json_new_array(), *errors = json_new_array(), *one;
	size_t i;

	for (i = 0; i < m->result_count; i++) {
		one = json_new_object();
		json_add_string(one, "name", m->results[i].name);
		json_add_string(one, "type", value_type_name(m->results[i].type));
		json_add_bool(one, "optional", m->results[i].flags & LAMPO_OPTIONAL);
		json_add_string(one, "doc", m->results[i].doc);
		json_append(results, one);
	}
	for (i = 0; i < m->error_count; i++) {
		one = json_new_object();
		json_add(one, "code", json_integer(m->errors[i].code));
		json_add_string(one, "doc", m->errors[i].doc);
		json_append(errors, one);
	}
	json_add(entry, "parameters", parameters(m));
	json_add(entry, "results", results);
	json_add(entry, "errors", errors);
}

static json_t *entry_of(const struct lampo_method *m, bool details)
{
	json_t *entry = json_new_object();
	struct buf signature = BUF_EMPTY, verbose = BUF_EMPTY;

	schema_signature(&signature, m);
	schema_describe(&verbose, m);
	add_buf(entry, "command", &signature);
	json_add_string(entry, "category", m->category ? m->category : "other");
	json_add_string(entry, "description", m->summary);
	add_buf(entry, "verbose", &verbose);
	if (m->aliases)
		add_names(entry, m->aliases);
	if (details)
		add_details(entry, m);
	return entry;
}

static void help(void *context, struct lampo_call *call, struct params *params)
{
	struct rpc *rpc = context;
	const char *name = params_string_or_null(params, "command");
	json_t *list, *result;
	const struct lampo_method *m;
	uint32_t at = 0;

	if (name && !rpc_method(rpc, name)) {
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'command': there is no method of that name");
		return;
	}
	list = json_new_array();
	if (name)
		json_append(list, entry_of(rpc_method(rpc, name), true));
	while (!name && (m = rpc_method_next(rpc, &at)))
		json_append(list, entry_of(m, false));
	result = json_new_object();
	json_add(result, "help", list);
	json_add_string(result, "format-hint", "simple");
	rpc_reply(call, result);
}

static void notifications(void *context, struct lampo_call *call, struct params *params)
{
	(void)context;
	(void)params;
	rpc_reply(call, json_new_object());
}

void help_add(struct rpc *rpc)
{
	char why[RPC_WHY_SIZE];

	ASSERT(rpc_add(rpc, &help_schema, help, rpc, why));
	ASSERT(rpc_add(rpc, &notifications_schema, notifications, rpc, why));
}
