#include "api/rpc/result.h"

#include <stdio.h>
#include <string.h>

#define PATH_SIZE 200

/* Where in the result a check is: "peers[].id" and so on. */
struct place {
	const struct lampo_method *method;
	char path[PATH_SIZE];
	char *why;
};

static const struct lampo_result *find(const struct place *p)
{
	size_t i;

	for (i = 0; i < p->method->result_count; i++)
		if (strcmp(p->method->results[i].name, p->path) == 0)
			return &p->method->results[i];
	return NULL;
}

/* Amounts are integers and texts are texts: none of what parameters may also be. */
MUST_USE static bool type_ok(enum lampo_type type, const json_t *json)
{
	struct arena arena;
	struct value v;
	char why[RPC_WHY_SIZE];
	bool ok;

	if (type == LAMPO_BOOL)
		return json_is_boolean(json);
	if (type == LAMPO_ARRAY)
		return json_is_array(json);
	if (type == LAMPO_OBJECT)
		return json_is_object(json);
	if (type == LAMPO_INTEGER)
		return json_is_integer(json);
	if (type == LAMPO_U16 || type == LAMPO_U32 || type == LAMPO_U64 || type == LAMPO_MSAT || type == LAMPO_SAT)
		ok = json_is_integer(json);
	else
		ok = json_is_string(json);
	arena_init(&arena);
	ok = ok && value_read(&v, type, json, &arena, why);
	arena_release(&arena);
	return ok;
}

/* name is directly below path: its last word is what follows. */
static const char *word_below(const char *name, const char *path)
{
	const size_t size = strlen(path);
	const char *word = name;

	if (size) {
		if (strncmp(name, path, size) != 0 || name[size] != '.')
			return NULL;
		word = name + size + 1;
	}
	return *word && !strpbrk(word, ".[") ? word : NULL;
}

MUST_USE static bool complete(struct place *p, const json_t *object)
{
	size_t i;

	for (i = 0; i < p->method->result_count; i++) {
		const struct lampo_result *r = &p->method->results[i];
		const char *word = word_below(r->name, p->path);

		if (word && !(r->flags & LAMPO_OPTIONAL) && !json_object_get(object, word)) {
			snprintf(p->why, RPC_WHY_SIZE, "%s: '%s' is missing", p->method->name, r->name);
			return false;
		}
	}
	return true;
}

static bool check(struct place *p, const json_t *json);

/* A named field: it is in the schema, and of the type there. */
MUST_USE static bool check_field(struct place *p, const json_t *json)
{
	const struct lampo_result *r = find(p);

	if (!r) {
		snprintf(p->why, RPC_WHY_SIZE, "%s: '%s' is not in the schema", p->method->name, p->path);
		return false;
	}
	if (!type_ok(r->type, json)) {
		snprintf(p->why, RPC_WHY_SIZE, "%s: '%s' is no %s", p->method->name, p->path, value_type_name(r->type));
		return false;
	}
	return check(p, json);
}

MUST_USE static bool check_object(struct place *p, const json_t *json)
{
	const size_t size = strlen(p->path);
	const char *key;
	json_t *below;

	json_object_foreach((json_t *)json, key, below) {
		snprintf(p->path + size, PATH_SIZE - size, "%s%s", size ? "." : "", key);
		if (!check_field(p, below))
			return false;
		p->path[size] = 0;
	}
	return complete(p, json);
}

/* Recursion is as deep as our own answers are, which is a few levels. */
static bool check(struct place *p, const json_t *json)
{
	const size_t size = strlen(p->path);
	size_t i;
	json_t *below;

	if (json_is_object(json))
		return check_object(p, json);
	if (!json_is_array(json))
		return true;
	snprintf(p->path + size, PATH_SIZE - size, "[]");
	json_array_foreach(json, i, below)
		if (!check(p, below))
			return false;
	p->path[size] = 0;
	return true;
}

bool result_matches(const struct lampo_method *m, const json_t *result, char why[RPC_WHY_SIZE])
{
	struct place p = { .method = m, .path = "", .why = why };

	/* A result that is no object has the empty name. */
	return json_is_object(result) ? check(&p, result) : check_field(&p, result);
}
