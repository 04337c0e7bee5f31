#include "cmd/lampo-cli/show.h"

#include <string.h>

#include "api/json/json.h"
#include "base/log.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Text from the daemon may quote text from strangers: nothing in it may move the cursor. */
static void add_safe(struct buf *out, const char *text)
{
	while (*text) {
		size_t size = *text == '\n' ? 0 : json_hazard(bytes_from_string(text));

		buf_add_u8(out, size ? '?' : (uint8_t)*text);
		text += size ? size : 1;
	}
}

static bool category_shown(const json_t *list, size_t before, const char *category)
{
	size_t i;

	for (i = 0; i < before; i++)
		if (strcmp(text_of(json_array_get(list, i), "category"), category) == 0)
			return true;
	return false;
}

static void show_aliases(struct buf *out, const json_t *aliases)
{
	json_t *alias;
	size_t i;

	json_array_foreach(aliases, i, alias) {
		buf_add_string(out, i ? ", " : " (also called ");
		add_safe(out, json_is_string(alias) ? json_string_value(alias) : "");
	}
	buf_add_string(out, json_array_size(aliases) ? ")" : "");
}

static void show_category(struct buf *out, const json_t *list, const char *category)
{
	json_t *entry;
	size_t i;

	buf_add_string(out, out->size ? "\n" : "");
	add_safe(out, category);
	buf_add_string(out, ":\n");
	json_array_foreach(list, i, entry) {
		if (strcmp(text_of(entry, "category"), category) != 0)
			continue;
		buf_add_string(out, "  ");
		add_safe(out, text_of(entry, "command"));
		buf_add_string(out, "\n      ");
		add_safe(out, text_of(entry, "description"));
		show_aliases(out, json_object_get(entry, "aliases"));
		buf_add_string(out, "\n");
	}
}

/* The answer of `help` as text: one method at length, or all in short. */
static void show_help(struct buf *out, const json_t *list)
{
	json_t *entry;
	size_t i;

	if (json_array_size(list) == 1) {
		add_safe(out, text_of(json_array_get(list, 0), "verbose"));
		return;
	}
	json_array_foreach(list, i, entry) {
		const char *category = text_of(entry, "category");

		if (!category_shown(list, i, category))
			show_category(out, list, category);
	}
	buf_add_string(out, "\n'lampo-cli help METHOD' explains one.\n");
}

static void write_value(const struct arguments *a, struct buf *out, const json_t *value)
{
	if (a->raw)
		json_write(out, value);
	else
		json_write_pretty(out, value);
	buf_add_string(out, "\n");
}

static void show_error(const struct arguments *a, const json_t *error, struct buf *out, struct buf *err)
{
	const json_int_t code = json_integer_value(json_object_get(error, "code"));

	write_value(a, out, error);
	buf_printf(err, "lampo-cli: %s: ", a->method);
	add_safe(err, text_of(error, "message"));
	if (code == -32602)
		buf_printf(err, " ('lampo-cli help %s' shows what it takes)", a->method);
	else if (code != -32601)
		buf_printf(err, " (code %lld)", (long long)code);
	buf_add_string(err, "\n");
}

int show(const struct arguments *a, const json_t *response, struct buf *out, struct buf *err)
{
	const json_t *result = json_object_get(response, "result"), *error = json_object_get(response, "error");
	const json_t *help = json_object_get(result, "help");

	if (json_is_object(error)) {
		show_error(a, error, out, err);
		return 1;
	}
	if (!result) {
		buf_add_string(err, "lampo-cli: the answer has neither result nor error\n");
		return 1;
	}
	if (strcmp(a->method, "help") == 0 && !a->raw && json_is_array(help))
		show_help(out, help);
	else
		write_value(a, out, result);
	return 0;
}
