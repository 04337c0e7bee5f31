/* An embedder's store behind the store's port.
 *
 * A store without `range` was made for a version that read everything at the start: its records are mirrored in memory
 * from the first read on. */
#include <stdio.h>

#include "api/sdk/adapters.h"

struct store_adapter {
	struct store store;
	struct lampo_store inner;
	struct memory_disk *disk; /* a copy of it; NULL: `inner` reads ranges, or nothing was read yet */
	struct store *mirror;
};

struct reading {
	const struct record_range *range;
	store_each *each;
	void *context;
	bool astray;
};

static bool judge(struct store_adapter *a, enum lampo_verdict v, const char *said)
{
	if (v == LAMPO_OK)
		return true;
	snprintf(a->store.error, STORE_ERROR_SIZE, "%.500s", said);
	return false;
}

static bool mirror(struct store_adapter *a, const struct store_op *op)
{
	return a->mirror->commit(a->mirror, op, 1);
}

static int on_record(void *context, uint32_t kind, struct lampo_bytes key, struct lampo_bytes value)
{
	struct store_op op = { (enum record_kind)kind, false, BYTES(key.data, key.size), BYTES(value.data, value.size) };

	return mirror(context, &op);
}

static bool load_mirror(struct store_adapter *a)
{
	char said[LAMPO_ERROR_SIZE] = "the store gave no reason";

	a->disk = memory_disk_new();
	a->mirror = store_open_memory(a->disk);
	return judge(a, a->inner.load(a->inner.context, on_record, a, said), said);
}

static bool adapter_commit(struct store *store, const struct store_op *ops, uint32_t count)
{
	struct store_adapter *a = (struct store_adapter *)store;
	struct lampo_write *writes = NEW_ARRAY(struct lampo_write, count);
	char said[LAMPO_ERROR_SIZE] = "the store gave no reason";
	bool ok;

	for (uint32_t i = 0; i < count; i++)
		writes[i] = (struct lampo_write){ (uint32_t)ops[i].kind, ops[i].remove, { ops[i].key.data, ops[i].key.size },
						  { ops[i].value.data, ops[i].value.size } };
	ok = judge(a, a->inner.commit(a->inner.context, writes, count, said), said);
	mem_free(writes);
	for (uint32_t i = 0; i < count && ok && a->mirror; i++)
		ok = mirror(a, &ops[i]);
	return ok;
}

static int on_ranged(void *context, uint32_t kind, struct lampo_bytes key, struct lampo_bytes value)
{
	struct reading *r = context;
	const struct bytes k = BYTES(key.data, key.size);

	/* What was not asked for would be taken for something else. */
	r->astray = kind != (uint32_t)r->range->kind || !range_has(r->range, k);
	return !r->astray && r->each(r->context, (enum record_kind)kind, k, BYTES(value.data, value.size));
}

static bool adapter_fetch(struct store *store, const struct record_range *range, store_each *each, void *context)
{
	struct store_adapter *a = (struct store_adapter *)store;
	struct reading r = { range, each, context, false };
	const struct lampo_range asked = { sizeof(asked), (uint32_t)range->kind, range->reverse, { range->prefix.data, range->prefix.size },
					   { range->from.data, range->from.size } };
	char said[LAMPO_ERROR_SIZE] = "the store gave no reason";

	if (!a->inner.range && !a->mirror && !load_mirror(a))
		return false;
	if (a->mirror)
		return a->mirror->fetch(a->mirror, range, each, context);
	if (!judge(a, a->inner.range(a->inner.context, &asked, on_ranged, &r, said), said))
		return false;
	return !r.astray || judge(a, LAMPO_NO, "the store gave a record that is not of the range it was asked for");
}

static void adapter_idle(struct store *store)
{
	(void)store;
}

static void adapter_close(struct store *store)
{
	struct store_adapter *a = (struct store_adapter *)store;

	if (a->inner.free)
		a->inner.free(a->inner.context);
	if (a->mirror) {
		a->mirror->close(a->mirror);
		memory_disk_free(a->disk);
	}
	mem_free(a);
}

struct store *adapt_store(const struct lampo_store *s)
{
	struct store_adapter *a = NEW(struct store_adapter);

	a->inner = *s;
	a->store.commit = adapter_commit;
	a->store.fetch = adapter_fetch;
	a->store.idle = adapter_idle;
	a->store.close = adapter_close;
	return &a->store;
}
