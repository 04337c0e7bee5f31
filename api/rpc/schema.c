#include "api/rpc/schema.h"

#include <stdio.h>
#include <string.h>

#include "api/rpc/value.h"

bool names_next(const char **rest, struct bytes *name)
{
	const char *p = *rest;

	if (!p)
		return false;
	p += strspn(p, " ");
	*name = BYTES(p, strcspn(p, " "));
	*rest = p + name->size;
	return name->size > 0;
}

bool names_hold(const char *names, const char *name)
{
	const char *rest = names;
	struct bytes one;

	while (names_next(&rest, &one))
		if (bytes_equal(one, bytes_from_string(name)))
			return true;
	return false;
}

const struct lampo_param *schema_param(const struct lampo_method *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->param_count; i++)
		if (strcmp(m->params[i].name, name) == 0 || names_hold(m->params[i].aliases, name))
			return &m->params[i];
	return NULL;
}

void schema_signature(struct buf *out, const struct lampo_method *m)
{
	size_t i;

	buf_add_string(out, m->name);
	for (i = 0; i < m->param_count; i++) {
		const struct lampo_param *p = &m->params[i];

		if (!(p->flags & LAMPO_UNSUPPORTED))
			buf_printf(out, p->flags & LAMPO_REQUIRED ? " %s" : " [%s]", p->name);
	}
}

MUST_USE static bool name_ok(struct bytes name)
{
	size_t i;

	for (i = 0; i < name.size; i++)
		if (!(name.data[i] >= 'a' && name.data[i] <= 'z') && !(name.data[i] >= '0' && name.data[i] <= '9') &&
		    name.data[i] != '_' && name.data[i] != '-')
			return false;
	return name.size > 0 && name.size <= 64;
}

MUST_USE static bool names_ok(const char *name, const char *aliases)
{
	const char *rest = aliases;
	struct bytes alias;

	if (!name || !name_ok(bytes_from_string(name)))
		return false;
	while (names_next(&rest, &alias))
		if (!name_ok(alias))
			return false;
	return true;
}

MUST_USE static bool default_ok(const struct lampo_param *p)
{
	struct arena arena;
	struct value v;
	json_t *text;
	char why[RPC_WHY_SIZE];
	bool ok;

	if (!p->fallback)
		return true;
	if (p->flags & LAMPO_REQUIRED || p->type == LAMPO_ARRAY || p->type == LAMPO_OBJECT)
		return false;
	text = json_string(p->fallback);
	if (!text)
		return false;
	arena_init(&arena);
	ok = value_read(&v, p->type, text, &arena, why);
	arena_release(&arena);
	json_decref(text);
	return ok && (!p->choices || names_hold(p->choices, p->fallback));
}

MUST_USE static bool param_ok(const struct lampo_method *m, size_t i, const char **why)
{
	const struct lampo_param *p = &m->params[i];
	const char *rest = p->aliases;
	struct bytes alias;

	*why = "has a name that is no name: use a-z, 0-9, _ and -";
	if (!names_ok(p->name, p->aliases))
		return false;
	*why = "has no description";
	if (!p->doc)
		return false;
	*why = "has the name of another parameter";
	if (schema_param(m, p->name) != p)
		return false;
	while (names_next(&rest, &alias)) {
		char name[65];

		snprintf(name, sizeof(name), "%.*s", (int)alias.size, (const char *)alias.data);
		if (schema_param(m, name) != p)
			return false;
	}
	*why = "is required but comes after an optional one";
	if (i > 0 && p->flags & LAMPO_REQUIRED && !(m->params[i - 1].flags & LAMPO_REQUIRED))
		return false;
	*why = "has choices but is no string";
	if (p->choices && p->type != LAMPO_STRING)
		return false;
	*why = "has a default that its own type does not take";
	return default_ok(p);
}

bool schema_valid(const struct lampo_method *m, char *why, size_t why_size)
{
	const char *reason;
	size_t i;

	if (!names_ok(m->name, m->aliases)) {
		snprintf(why, why_size, "a method's name has 1 to 64 characters of a-z, 0-9, _ and -");
		return false;
	}
	if (!m->summary || m->param_count > PARAMS_MAX) {
		snprintf(why, why_size, "method '%s' needs a summary and at most %u parameters", m->name, PARAMS_MAX);
		return false;
	}
	for (i = 0; i < m->param_count; i++)
		if (!param_ok(m, i, &reason)) {
			snprintf(why, why_size, "method '%s': parameter %zu ('%s') %s", m->name, i + 1,
				 m->params[i].name ? m->params[i].name : "", reason);
			return false;
		}
	return true;
}

static void describe_param(struct buf *out, const struct lampo_param *p)
{
	buf_printf(out, "  %s (%s%s", p->name, value_type_name(p->type),
		   p->flags & LAMPO_REQUIRED ? "" : ", optional");
	if (p->fallback)
		buf_printf(out, ", default %s", p->fallback);
	buf_printf(out, ")\n      %s", p->doc);
	if (p->choices)
		buf_printf(out, "  One of: %s.", p->choices);
	if (p->aliases)
		buf_printf(out, "  Also called: %s.", p->aliases);
	buf_add_string(out, "\n");
}

void schema_describe(struct buf *out, const struct lampo_method *m)
{
	size_t i;

	schema_signature(out, m);
	buf_printf(out, "\n\n%s.", m->summary);
	if (m->aliases)
		buf_printf(out, "  Also called: %s.", m->aliases);
	buf_add_string(out, "\n");
	if (m->doc)
		buf_printf(out, "\n%s\n", m->doc);
	if (m->param_count)
		buf_add_string(out, "\nParameters:\n");
	for (i = 0; i < m->param_count; i++)
		if (!(m->params[i].flags & LAMPO_UNSUPPORTED))
			describe_param(out, &m->params[i]);
	if (m->result_count)
		buf_add_string(out, "\nResult:\n");
	for (i = 0; i < m->result_count; i++)
		buf_printf(out, "  %s (%s%s)\n      %s\n", m->results[i].name, value_type_name(m->results[i].type),
			   m->results[i].flags & LAMPO_OPTIONAL ? ", not always" : "", m->results[i].doc);
	if (m->error_count)
		buf_add_string(out, "\nErrors:\n");
	for (i = 0; i < m->error_count; i++)
		buf_printf(out, "  %d\n      %s\n", m->errors[i].code, m->errors[i].doc);
}
