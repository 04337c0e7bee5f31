/* Core Lightning's "filter": a request may say which fields of the result it wants.
 *
 * {"invoices":[{"label":true}]} keeps of each invoice its label.  An object
 * keeps the fields it names, an array has one element that holds for all of
 * the result's, true keeps everything below. */
#include "api/rpc/call.h"

#include <stdio.h>

bool filter_valid(const json_t *filter, char why[RPC_WHY_SIZE])
{
	const char *key;
	json_t *below;

	/* Recursion is safe: the reader has bounded the depth of what a client can send. */
	if (json_is_true(filter))
		return true;
	if (json_is_array(filter) && json_array_size(filter) == 1)
		return filter_valid(json_array_get(filter, 0), why);
	if (json_is_object(filter)) {
		json_object_foreach((json_t *)filter, key, below)
			if (!filter_valid(below, why))
				return false;
		return true;
	}
	snprintf(why, RPC_WHY_SIZE, "\"filter\" holds objects, arrays of one element, and true, nothing else");
	return false;
}

json_t *filter_result(json_t *result, const json_t *filter)
{
	const char *key;
	json_t *below, *kept;
	size_t i;

	if (json_is_object(filter) && json_is_object(result)) {
		kept = json_new_object();
		/* In the result's order, as without a filter. */
		json_object_foreach(result, key, below) {
			const json_t *wanted = json_object_get(filter, key);

			if (wanted)
				json_add(kept, key, filter_result(json_incref(below), wanted));
		}
	} else if (json_is_array(filter) && json_is_array(result)) {
		kept = json_new_array();
		json_array_foreach(result, i, below)
			json_append(kept, filter_result(json_incref(below), json_array_get(filter, 0)));
	} else {
		return result;
	}
	json_decref(result);
	return kept;
}
