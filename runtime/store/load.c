#include <stdio.h>
#include <string.h>

#include "runtime/store/store.h"

/* A kind is one byte in some stores.  All of them are asked for: a record that a newer program wrote must be refused by
 * whoever loads, not passed over. */
#define KINDS 256

struct loading {
	store_each *each;
	void *context;
	bool refused;
};

static bool load_one(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct loading *l = context;

	l->refused = !l->each(l->context, kind, key, value);
	return !l->refused;
}

static bool load(struct store *s, store_each *each, void *context, bool past)
{
	struct loading l = { each, context, false };

	for (int kind = 0; kind < KINDS; kind++) {
		const struct record_range all = { .kind = (enum record_kind)kind };

		if (!past && record_is_past(all.kind))
			continue;
		if (!s->fetch(s, &all, load_one, &l))
			return false;
		if (l.refused) {
			snprintf(s->error, STORE_ERROR_SIZE, "a stored record of kind %d makes no sense", kind);
			return false;
		}
	}
	return true;
}

bool store_load(struct store *s, store_each *each, void *context)
{
	return load(s, each, context, false);
}

bool store_load_all(struct store *s, store_each *each, void *context)
{
	return load(s, each, context, true);
}

bool range_has(const struct record_range *range, struct bytes key)
{
	if (key.size < range->prefix.size || (range->prefix.size && memcmp(key.data, range->prefix.data, range->prefix.size)))
		return false;
	if (!range->from.size)
		return true;
	return range->reverse ? bytes_compare(key, range->from) <= 0 : bytes_compare(key, range->from) >= 0;
}
