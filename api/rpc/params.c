#include "api/rpc/params.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static size_t param_index(const struct lampo_method *m, const struct lampo_param *param)
{
	return (size_t)(param - m->params);
}

MUST_USE static bool choice_ok(const struct lampo_param *param, const struct value *v, char why[RPC_WHY_SIZE])
{
	if (!param->choices || names_hold(param->choices, v->u.string))
		return true;
	snprintf(why, RPC_WHY_SIZE, "parameter '%s' should be one of: %s", param->name, param->choices);
	return false;
}

MUST_USE static bool elements_ok(struct params *p, const struct lampo_param *param, const json_t *array,
				 char why[RPC_WHY_SIZE])
{
	char reason[RPC_WHY_SIZE];
	struct value v;
	size_t i;

	for (i = 0; param->element && i < json_array_size(array); i++)
		if (!value_read(&v, param->element, json_array_get(array, i), &p->arena, reason)) {
			snprintf(why, RPC_WHY_SIZE, "parameter '%s', element %zu %.300s", param->name, i + 1, reason);
			return false;
		}
	return true;
}

MUST_USE static bool take(struct params *p, const struct lampo_param *param, const json_t *json, char why[RPC_WHY_SIZE])
{
	struct value *v = &p->values[param_index(p->method, param)];
	char reason[RPC_WHY_SIZE];

	if (json_is_null(json))
		return true;
	if (param->flags & LAMPO_UNSUPPORTED) {
		snprintf(why, RPC_WHY_SIZE, "parameter '%s' is not supported here: leave it out", param->name);
		return false;
	}
	if (v->present) {
		snprintf(why, RPC_WHY_SIZE, "parameter '%s' is given twice, once under another name", param->name);
		return false;
	}
	if (!value_read(v, param->type, json, &p->arena, reason)) {
		v->present = false;
		snprintf(why, RPC_WHY_SIZE, "parameter '%s' %.300s", param->name, reason);
		return false;
	}
	if (param->type == LAMPO_ARRAY)
		return elements_ok(p, param, json, why);
	return choice_ok(param, v, why);
}

MUST_USE static bool take_positional(struct params *p, const json_t *array, char why[RPC_WHY_SIZE])
{
	const struct lampo_method *m = p->method;
	size_t i;

	if (json_array_size(array) > m->param_count) {
		snprintf(why, RPC_WHY_SIZE, "%s takes at most %zu parameter%s, not %zu", m->name, m->param_count,
			 m->param_count == 1 ? "" : "s", json_array_size(array));
		return false;
	}
	for (i = 0; i < json_array_size(array); i++)
		if (!take(p, &m->params[i], json_array_get(array, i), why))
			return false;
	return true;
}

static void say_unknown(const struct lampo_method *m, const char *name, char why[RPC_WHY_SIZE])
{
	char shown[64];
	size_t used, i;

	log_escape(shown, sizeof(shown), bytes_from_string(name));
	used = (size_t)snprintf(why, RPC_WHY_SIZE, "%s has no parameter '%s'", m->name, shown);
	for (i = 0; i < m->param_count; i++) {
		const size_t left = RPC_WHY_SIZE - used;

		if (m->params[i].flags & LAMPO_UNSUPPORTED)
			continue;
		if (strlen(m->params[i].name) + 20 > left)
			break;
		used += (size_t)snprintf(why + used, left, "%s%s", strstr(why, "; it takes ") ? ", " : "; it takes ",
					 m->params[i].name);
	}
}

MUST_USE static bool take_named(struct params *p, const json_t *object, char why[RPC_WHY_SIZE])
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		const struct lampo_param *param = schema_param(p->method, name);

		if (!param) {
			say_unknown(p->method, name, why);
			return false;
		}
		if (!take(p, param, value, why))
			return false;
	}
	return true;
}

MUST_USE static bool fill_in(struct params *p, char why[RPC_WHY_SIZE])
{
	size_t i;

	for (i = 0; i < p->method->param_count; i++) {
		const struct lampo_param *param = &p->method->params[i];
		json_t *fallback;
		char reason[RPC_WHY_SIZE];

		if (p->values[i].present)
			continue;
		if (param->flags & LAMPO_REQUIRED) {
			snprintf(why, RPC_WHY_SIZE, "parameter '%s' is missing: %s", param->name, param->doc);
			return false;
		}
		if (!param->fallback)
			continue;
		fallback = json_string(param->fallback);
		ASSERT(fallback);
		if (!value_read(&p->values[i], param->type, fallback, &p->arena, reason))
			UNREACHABLE(); /* schema_valid has read it before */
		/* Text that is read is borrowed from its JSON, which ends here. */
		if (param->type == LAMPO_STRING || param->type == LAMPO_LABEL)
			p->values[i].u.string = param->fallback;
		json_decref(fallback);
	}
	return true;
}

bool params_read(struct params *p, const struct lampo_method *method, const json_t *json, char why[RPC_WHY_SIZE])
{
	ASSERT(method->param_count <= PARAMS_MAX);
	p->method = method;
	p->json = json_incref((json_t *)json);
	memset(p->values, 0, sizeof(p->values));
	arena_init(&p->arena);
	if (json_is_array(json) && !take_positional(p, json, why))
		return false;
	if (json_is_object(json) && !take_named(p, json, why))
		return false;
	return fill_in(p, why);
}

void params_release(struct params *p)
{
	arena_release(&p->arena);
	json_decref(p->json);
	p->json = NULL;
}

void params_move(struct params *to, struct params *from)
{
	*to = *from;
	from->json = NULL;
	arena_init(&from->arena);
}

const struct value *params_get(const struct params *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->method->param_count; i++)
		if (strcmp(p->method->params[i].name, name) == 0)
			return p->values[i].present ? &p->values[i] : NULL;
	UNREACHABLE();
}

static const struct value *get_present(const struct params *p, const char *name)
{
	const struct value *v = params_get(p, name);

	ASSERT(v);
	return v;
}

bool params_has(const struct params *p, const char *name)
{
	return params_get(p, name) != NULL;
}

const char *params_string(const struct params *p, const char *name)
{
	return get_present(p, name)->u.string;
}

const char *params_string_or_null(const struct params *p, const char *name)
{
	const struct value *v = params_get(p, name);

	return v ? v->u.string : NULL;
}

uint64_t params_number(const struct params *p, const char *name)
{
	return get_present(p, name)->u.number;
}

bool params_bool(const struct params *p, const char *name)
{
	return get_present(p, name)->u.boolean;
}

size_t params_count(const struct params *p, const char *name)
{
	const struct value *v = params_get(p, name);

	return v ? json_array_size(v->u.json) : 0;
}

struct value params_element(struct params *p, const char *name, size_t i)
{
	const struct lampo_param *param = schema_param(p->method, name);
	const struct value *array = get_present(p, name);
	char why[RPC_WHY_SIZE];
	struct value v;

	ASSERT(param->element);
	if (!value_read(&v, param->element, json_array_get(array->u.json, i), &p->arena, why))
		UNREACHABLE(); /* params_read has read it before */
	return v;
}

json_t *params_write(const struct params *p)
{
	json_t *object = json_new_object();
	size_t i;

	for (i = 0; i < p->method->param_count; i++)
		if (p->values[i].present)
			json_add(object, p->method->params[i].name, value_write(&p->values[i], p->method->params[i].type));
	return object;
}
