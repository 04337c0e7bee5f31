/* Method schemas read as data: names, signatures, checks that a schema is well-formed. */
#ifndef API_RPC_SCHEMA_H
#define API_RPC_SCHEMA_H

#include "base/bytes.h"
#include "lampo/method.h"

#define PARAMS_MAX 32u

/* name is one of space-separated names (NULL: none). */
MUST_USE bool names_hold(const char *names, const char *name);
/* for (rest = names; names_next(&rest, &name); ): views into names. */
MUST_USE bool names_next(const char **rest, struct bytes *name);

/* The parameter of that name or alias; NULL if there is none. */
const struct lampo_param *schema_param(const struct lampo_method *m, const char *name);
/* "connect id [host] [port]".  Parameters that are refused are not shown. */
void schema_signature(struct buf *out, const struct lampo_method *m);

/* False, with the reason in why, for a schema that cannot serve: no name,
 * characters that a method cannot have, the same parameter twice, a required
 * one after an optional one, a default that its own type refuses. */
MUST_USE bool schema_valid(const struct lampo_method *m, char *why, size_t why_size);

/* The readable text of one method: synopsis, parameters, results, errors. */
void schema_describe(struct buf *out, const struct lampo_method *m);

#endif
