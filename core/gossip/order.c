#include "gossip/order.h"

#include <stdlib.h>
#include <string.h>

void order_init(struct order *o)
{
	memset(o, 0, sizeof(*o));
}

void order_release(struct order *o)
{
	mem_free(o->at);
	order_init(o);
}

void order_add(struct order *o, struct scid scid)
{
	bool follows = o->sorted == o->count && (!o->count || o->at[o->count - 1].v < scid.v);

	if (o->count == o->capacity) {
		/* An eighth more, not twice as many: the whole network is in here. */
		o->capacity += 1024 + o->capacity / 8;
		o->at = mem_realloc(o->at, o->capacity, sizeof(*o->at));
	}
	o->at[o->count++] = scid;
	if (follows)
		o->sorted = o->count;
}

void order_removed(struct order *o)
{
	o->gone++;
}

static int by_scid(const void *a, const void *b)
{
	const struct scid *x = a, *y = b;

	return x->v < y->v ? -1 : x->v > y->v;
}

/* Merges the sorted end into the sorted front, from the back, through a copy of the end. */
static void merge(struct order *o)
{
	uint32_t front = o->sorted, end = o->count - o->sorted, to = o->count;
	struct scid *copy = NEW_ARRAY(struct scid, end);

	memcpy(copy, o->at + front, end * sizeof(*copy));
	while (end)
		o->at[--to] = front && o->at[front - 1].v > copy[end - 1].v ? o->at[--front] : copy[--end];
	mem_free(copy);
}

void order_ready(struct order *o)
{
	uint32_t kept = 0;

	if (o->sorted == o->count)
		return;
	qsort(o->at + o->sorted, o->count - o->sorted, sizeof(*o->at), by_scid);
	merge(o);
	for (uint32_t i = 0; i < o->count; i++)
		if (!kept || o->at[kept - 1].v != o->at[i].v)
			o->at[kept++] = o->at[i];
	o->count = o->sorted = kept;
}

uint32_t order_from(const struct order *o, struct scid scid)
{
	uint32_t low = 0, high = o->count;

	ASSERT(o->sorted == o->count);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (o->at[middle].v < scid.v)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void order_drop(struct order *o, bool (*keep)(const void *context, struct scid scid), const void *context)
{
	uint32_t kept = 0;

	if (o->gone < 256 || o->gone < o->count / 8)
		return;
	order_ready(o);
	for (uint32_t i = 0; i < o->count; i++)
		if (keep(context, o->at[i]))
			o->at[kept++] = o->at[i];
	o->count = o->sorted = kept;
	o->gone = 0;
}
