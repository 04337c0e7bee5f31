/* Holds answers to their schemas: what is written in help must be what comes. */
#ifndef API_RPC_RESULT_H
#define API_RPC_RESULT_H

#include "api/rpc/value.h"

/* False, naming the field in why, if the result has a field that the schema
 * does not name, lacks one that it promises, or has one of another type. */
MUST_USE bool result_matches(const struct lampo_method *m, const json_t *result, char why[RPC_WHY_SIZE]);

#endif
