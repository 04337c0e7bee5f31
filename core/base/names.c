#include "base/names.h"

#include <string.h>

static struct bytes slot_key(const void *p)
{
	return BYTES_OF(((const struct name *)p)->key);
}

void names_init(struct names *n, const uint8_t seed16[16])
{
	table_init(&n->table, slot_key, seed16);
}

void names_release(struct names *n)
{
	table_release(&n->table);
}

const struct name *names_find(const struct names *n, uint64_t number)
{
	uint8_t key[8];

	if (number == 0)
		return NULL;
	store_be64(key, number);
	return table_get(&n->table, BYTES_OF(key));
}

static void take_out(struct names *n, struct name *slot)
{
	struct name *first = table_get(&n->table, slot_key(slot)), **at;

	ASSERT(first);
	if (first == slot) {
		ASSERT(table_remove(&n->table, slot_key(slot)) == slot);
		if (slot->next)
			table_add(&n->table, slot->next);
	} else {
		for (at = &first->next; *at != slot;)
			at = &(*at)->next;
		*at = slot->next;
	}
	memset(slot, 0, sizeof(*slot));
}

void names_set(struct names *n, struct name *slot, void *object, uint64_t number)
{
	struct name *last;

	if (name_number(slot) == number)
		return;
	if (name_number(slot))
		take_out(n, slot);
	if (number == 0)
		return;
	store_be64(slot->key, number);
	slot->object = object;
	last = table_get(&n->table, slot_key(slot));
	if (!last) {
		table_add(&n->table, slot);
		return;
	}
	while (last->next)
		last = last->next;
	last->next = slot;
}
