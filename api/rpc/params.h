/* The parameters of one call, checked against the method's schema.
 *
 * Named or positional, aliases resolved, defaults filled in, each a typed
 * value.  JSON null counts as absent, as Core Lightning's clients expect. */
#ifndef API_RPC_PARAMS_H
#define API_RPC_PARAMS_H

#include "api/rpc/schema.h"
#include "api/rpc/value.h"

struct params {
	const struct lampo_method *method;
	json_t *json; /* what values point into */
	struct value values[PARAMS_MAX]; /* in the schema's order */
	struct arena arena;
};

/* json: object, array, or NULL for none.  False,
 * with a sentence that names the parameter, if it does not fit the schema;
 * release in either case. */
MUST_USE bool params_read(struct params *p, const struct lampo_method *method, const json_t *json,
			  char why[RPC_WHY_SIZE]);
void params_release(struct params *p);
/* to gets everything, from is as released: for a handler that answers after it has returned. */
void params_move(struct params *to, struct params *from);

/* By the schema's name, which must exist.  NULL: absent and without a default. */
const struct value *params_get(const struct params *p, const char *name);
MUST_USE bool params_has(const struct params *p, const char *name);

/* The value of a parameter that is there (required, or with a default): asserts that it is. */
const char *params_string(const struct params *p, const char *name);
uint64_t params_number(const struct params *p, const char *name);
MUST_USE bool params_bool(const struct params *p, const char *name);
/* NULL if it is absent. */
const char *params_string_or_null(const struct params *p, const char *name);

/* An array's elements, each of the element type that the schema gives: checked by params_read already.
 * Returns the i-th; its pointers live as long as p. */
struct value params_element(struct params *p, const char *name, size_t i);
size_t params_count(const struct params *p, const char *name); /* 0 if it is absent */

/* An object of all that is present, in one form for each type.  Returns owned. */
MUST_USE json_t *params_write(const struct params *p);

#endif
