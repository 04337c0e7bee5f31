/* The answer to EFFECT_FETCH, gathered from a store. */
#ifndef RUNTIME_STORE_FETCH_H
#define RUNTIME_STORE_FETCH_H

#include "base/arena.h"
#include "runtime/store/store.h"
#include "step/event.h"

struct fetch {
	struct arena arena; /* of the records */
	struct fetched *records;
	uint32_t count, capacity;
	bool truncated;
};

/* False: s->error says why; release it all the same. */
MUST_USE bool fetch_read(struct fetch *f, struct store *s, enum record_kind kind, struct bytes prefix);
void fetch_release(struct fetch *f);
/* Borrows f. */
MUST_USE struct event fetch_event(const struct fetch *f, uint64_t id, uint64_t now_ms);

#endif
