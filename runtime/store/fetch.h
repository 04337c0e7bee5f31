/* What was read of a store: the answer to EFFECT_FETCH, or to somebody who reads lists. */
#ifndef RUNTIME_STORE_FETCH_H
#define RUNTIME_STORE_FETCH_H

#include "base/arena.h"
#include "runtime/store/store.h"
#include "step/event.h"

struct fetch {
	struct arena arena; /* of the records */
	struct fetched *records;
	uint32_t count, capacity;
	uint32_t left;      /* of the limit of the range that is being read */
	bool truncated;     /* a range has more than its limit */
};

/* The ranges one after another.  False: s->error says why; release it all the same. */
MUST_USE bool fetch_read(struct fetch *f, struct store *s, const struct record_range *ranges, uint32_t count);
void fetch_release(struct fetch *f);
/* Borrows f. */
MUST_USE struct event fetch_event(const struct fetch *f, uint64_t id, uint64_t now_ms);

#endif
