#include "runtime/store/fetch.h"

#include <string.h>

static bool take(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct fetch *f = context;

	(void)kind;
	if (f->count == FETCH_RECORDS_MAX) {
		f->truncated = true;
		return false;
	}
	if (f->count == f->capacity) {
		f->capacity = f->capacity ? 2 * f->capacity : 64;
		f->records = mem_realloc(f->records, f->capacity, sizeof(*f->records));
	}
	f->records[f->count++] = (struct fetched){ arena_bytes(&f->arena, key), arena_bytes(&f->arena, value) };
	return true;
}

bool fetch_read(struct fetch *f, struct store *s, enum record_kind kind, struct bytes prefix)
{
	memset(f, 0, sizeof(*f));
	arena_init(&f->arena);
	return s->fetch(s, kind, prefix, take, f);
}

void fetch_release(struct fetch *f)
{
	arena_release(&f->arena);
	mem_free(f->records);
}

struct event fetch_event(const struct fetch *f, uint64_t id, uint64_t now_ms)
{
	struct event e = { .kind = EVENT_FETCHED, .now_ms = now_ms };

	e.u.fetched.id = id;
	e.u.fetched.records = f->records;
	e.u.fetched.count = f->count;
	e.u.fetched.truncated = f->truncated;
	return e;
}
