/* A store of the simulator: a disk that keeps what was committed, and stores
 * opened on it one after another as a node crashes and comes back. */
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "runtime/store/store.h"

struct memory_record {
	struct buf key; /* kind (1 byte), then the record's key */
	struct buf value;
};

struct memory_disk {
	struct table records;
};

struct memory_store {
	struct store store;
	struct memory_disk *disk;
};

static struct bytes record_key(const void *p)
{
	return buf_view(&((const struct memory_record *)p)->key);
}

static void record_free(struct memory_record *r)
{
	buf_wipe(&r->key);
	buf_wipe(&r->value);
	mem_free(r);
}

struct memory_disk *memory_disk_new(void)
{
	static const uint8_t seed[16] = { 1 };
	struct memory_disk *d = NEW(struct memory_disk);

	table_init(&d->records, record_key, seed);
	return d;
}

void memory_disk_free(struct memory_disk *d)
{
	struct memory_record *r;
	uint32_t at = 0;

	while ((r = table_next(&d->records, &at)))
		record_free(r);
	table_release(&d->records);
	mem_free(d);
}

static int compare(const void *a, const void *b)
{
	return bytes_compare(record_key(*(struct memory_record *const *)a), record_key(*(struct memory_record *const *)b));
}

/* All records in order; freed by the caller. */
static struct memory_record **sorted(const struct memory_disk *d, uint32_t *count)
{
	struct memory_record **all, *r;
	uint32_t at = 0, n = 0;

	all = NEW_ARRAY(struct memory_record *, table_count(&d->records) + 1);
	while ((r = table_next(&d->records, &at)))
		all[n++] = r;
	qsort(all, n, sizeof(*all), compare);
	*count = n;
	return all;
}

uint64_t memory_disk_digest(const struct memory_disk *d)
{
	static const uint8_t seed[16] = { 2 };
	struct buf text = BUF_EMPTY;
	struct memory_record **all;
	uint32_t count;
	uint64_t digest;

	all = sorted(d, &count);
	for (uint32_t i = 0; i < count; i++) {
		buf_add_be32(&text, (uint32_t)all[i]->key.size);
		buf_add_bytes(&text, buf_view(&all[i]->key));
		buf_add_be32(&text, (uint32_t)all[i]->value.size);
		buf_add_bytes(&text, buf_view(&all[i]->value));
	}
	digest = siphash24(seed, buf_view(&text));
	buf_release(&text);
	mem_free(all);
	return digest;
}

static void write_op(struct memory_disk *d, const struct store_op *op)
{
	struct buf key = BUF_EMPTY;
	struct memory_record *r;

	buf_add_u8(&key, (uint8_t)op->kind);
	buf_add_bytes(&key, op->key);
	r = table_remove(&d->records, buf_view(&key));
	if (r)
		record_free(r);
	if (op->remove) {
		buf_release(&key);
		return;
	}
	r = NEW(struct memory_record);
	r->key = key;
	buf_add_bytes(&r->value, op->value);
	table_add(&d->records, r);
}

static bool memory_commit(struct store *store, const struct store_op *ops, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		write_op(((struct memory_store *)store)->disk, &ops[i]);
	return true;
}

static int compare_down(const void *a, const void *b)
{
	return compare(b, a);
}

static struct bytes own_key(const struct memory_record *r)
{
	return BYTES(r->key.data + 1, r->key.size - 1);
}

static bool memory_fetch(struct store *store, const struct record_range *range, store_each *each, void *context)
{
	const struct memory_disk *d = ((struct memory_store *)store)->disk;
	struct memory_record **found = NEW_ARRAY(struct memory_record *, table_count(&d->records) + 1), *r;
	uint32_t at = 0, count = 0;

	while ((r = table_next(&d->records, &at)))
		if (r->key.data[0] == (uint8_t)range->kind && range_has(range, own_key(r)))
			found[count++] = r;
	qsort(found, count, sizeof(*found), range->reverse ? compare_down : compare);
	for (uint32_t i = 0; i < count; i++)
		if (!each(context, range->kind, own_key(found[i]), buf_view(&found[i]->value)))
			break;
	mem_free(found);
	return true;
}

static void memory_idle(struct store *store)
{
	(void)store;
}

static void memory_close(struct store *store)
{
	mem_free(store);
}

struct store *store_open_memory(struct memory_disk *d)
{
	struct memory_store *s = NEW(struct memory_store);

	s->disk = d;
	s->store.commit = memory_commit;
	s->store.fetch = memory_fetch;
	s->store.idle = memory_idle;
	s->store.close = memory_close;
	return &s->store;
}
