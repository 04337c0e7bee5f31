/* An embedder's store behind the store's port.
 *
 * A store without `fetch` was made for a version that read everything at the
 * start: what the core may fetch is then mirrored in memory. */
#include <stdio.h>

#include "api/sdk/adapters.h"

struct store_adapter {
	struct store store;
	struct lampo_store inner;
	struct memory_disk *disk; /* what can be fetched; NULL: `inner` fetches */
	struct store *mirror;
};

struct reading {
	struct store_adapter *adapter;
	store_each *each;
	void *context;
};

/* The kinds that EFFECT_FETCH asks for. */
static bool is_fetched(enum record_kind kind)
{
	return kind == RECORD_HTLC_PAST;
}

static bool mirror(struct store_adapter *a, const struct store_op *op)
{
	return !a->mirror || !is_fetched(op->kind) || a->mirror->commit(a->mirror, op, 1);
}

static int on_record(void *context, uint32_t kind, struct lampo_bytes key, struct lampo_bytes value)
{
	const struct reading *r = context;
	struct store_op op = { (enum record_kind)kind, false, BYTES(key.data, key.size), BYTES(value.data, value.size) };

	return mirror(r->adapter, &op) && r->each(r->context, op.kind, op.key, op.value);
}

static int on_fetched(void *context, uint32_t kind, struct lampo_bytes key, struct lampo_bytes value)
{
	const struct reading *r = context;

	return r->each(r->context, (enum record_kind)kind, BYTES(key.data, key.size), BYTES(value.data, value.size));
}

static bool judge(struct store_adapter *a, enum lampo_verdict v, const char *said)
{
	if (v == LAMPO_OK)
		return true;
	snprintf(a->store.error, STORE_ERROR_SIZE, "%.500s", said);
	return false;
}

static bool adapter_load(struct store *store, store_each *each, void *context)
{
	struct store_adapter *a = (struct store_adapter *)store;
	struct reading r = { a, each, context };
	char said[LAMPO_ERROR_SIZE] = "the store gave no reason";

	return judge(a, a->inner.load(a->inner.context, on_record, &r, said), said);
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
	for (uint32_t i = 0; i < count && ok; i++)
		ok = mirror(a, &ops[i]);
	return ok;
}

static bool adapter_fetch(struct store *store, enum record_kind kind, struct bytes prefix, store_each *each, void *context)
{
	struct store_adapter *a = (struct store_adapter *)store;
	struct reading r = { a, each, context };
	char said[LAMPO_ERROR_SIZE] = "the store gave no reason";

	if (a->mirror) {
		ASSERT(is_fetched(kind));
		return a->mirror->fetch(a->mirror, kind, prefix, each, context);
	}
	return judge(a, a->inner.fetch(a->inner.context, (uint32_t)kind, (struct lampo_bytes){ prefix.data, prefix.size }, on_fetched,
				       &r, said), said);
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
	a->store.load = adapter_load;
	a->store.commit = adapter_commit;
	a->store.fetch = adapter_fetch;
	a->store.idle = adapter_idle;
	a->store.close = adapter_close;
	if (!s->fetch) {
		a->disk = memory_disk_new();
		a->mirror = store_open_memory(a->disk);
	}
	return &a->store;
}
