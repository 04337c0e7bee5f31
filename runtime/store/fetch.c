#include "runtime/store/fetch.h"

#include <string.h>

static bool take(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct fetch *f = context;

	if (!f->left) {
		f->truncated = true;
		return false;
	}
	f->left--;
	if (f->count == f->capacity) {
		f->capacity = f->capacity ? 2 * f->capacity : 64;
		f->records = mem_realloc(f->records, f->capacity, sizeof(*f->records));
	}
	f->records[f->count++] = (struct fetched){ kind, arena_bytes(&f->arena, key), arena_bytes(&f->arena, value) };
	return true;
}

bool fetch_read(struct fetch *f, struct store *s, const struct record_range *ranges, uint32_t count)
{
	memset(f, 0, sizeof(*f));
	arena_init(&f->arena);
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t limit = ranges[i].limit;

		f->left = limit && limit < FETCH_RECORDS_MAX ? limit : FETCH_RECORDS_MAX;
		if (!s->fetch(s, &ranges[i], take, f))
			return false;
	}
	return true;
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
