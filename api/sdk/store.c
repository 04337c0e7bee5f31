#include <stdio.h>

#include "api/sdk/adapters.h"

struct store_adapter {
	struct store store;
	struct lampo_store inner;
};

struct loading {
	store_each *each;
	void *context;
};

static int on_record(void *context, uint32_t kind, struct lampo_bytes key, struct lampo_bytes value)
{
	const struct loading *l = context;

	return l->each(l->context, (enum record_kind)kind, BYTES(key.data, key.size), BYTES(value.data, value.size));
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
	struct loading l = { each, context };
	char said[LAMPO_ERROR_SIZE] = "the store gave no reason";

	return judge(a, a->inner.load(a->inner.context, on_record, &l, said), said);
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
	return ok;
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
	mem_free(a);
}

struct store *adapt_store(const struct lampo_store *s)
{
	struct store_adapter *a = NEW(struct store_adapter);

	a->inner = *s;
	a->store.load = adapter_load;
	a->store.commit = adapter_commit;
	a->store.idle = adapter_idle;
	a->store.close = adapter_close;
	return &a->store;
}
