/* Payments as a store has them, for tests that look on from outside: what is over is in no memory. */
#ifndef TESTS_STORED_PAYMENT_H
#define TESTS_STORED_PAYMENT_H

#include "payment/send.h"
#include "runtime/store/fetch.h"

/* Calls `each` for every payment, pending ones first. */
static inline void stored_payments(struct store *s, void (*each)(void *context, const struct sha256 *hash, uint64_t group,
								 const struct record_payment *r),
				   void *context)
{
	const struct record_range ranges[] = { { .kind = RECORD_PAYMENT }, { .kind = RECORD_PAYMENT_PAST } };
	struct arena memory;
	struct fetch got;

	arena_init(&memory);
	ASSERT(fetch_read(&got, s, ranges, 2));
	for (uint32_t i = 0; i < got.count; i++) {
		const struct fetched *f = &got.records[i];
		struct record_payment r;
		struct sha256 hash;

		ASSERT(f->key.size == 48 && record_payment_decode(f->value, &memory, &r));
		memcpy(hash.v, f->key.data + 8, sizeof(hash.v));
		each(context, &hash, load_be64(f->key.data + 40), &r);
	}
	arena_release(&memory);
	fetch_release(&got);
}

struct stored_payment_search {
	const struct sha256 *hash;
	uint64_t group;
	struct buf record;
};

static inline void stored_payment_see(void *context, const struct sha256 *hash, uint64_t group, const struct record_payment *r)
{
	struct stored_payment_search *search = context;

	if (!SAME(*hash, *search->hash) || group < search->group)
		return;
	search->group = group;
	buf_clear(&search->record);
	record_payment_encode(r, &search->record);
}

/* The latest of that hash, in the arena; NULL: there is none. */
static inline const struct record_payment *stored_payment(struct store *s, const struct sha256 *hash, struct arena *memory)
{
	struct stored_payment_search search = { hash, 0, BUF_EMPTY };
	struct record_payment *r = NULL;

	stored_payments(s, stored_payment_see, &search);
	if (search.record.size) {
		r = ARENA_NEW(memory, struct record_payment);
		ASSERT(record_payment_decode(arena_bytes(memory, buf_view(&search.record)), memory, r));
	}
	buf_release(&search.record);
	return r;
}

/* The same for who wants no more than its numbers.  False: there is none. */
static inline bool stored_payment_state(struct store *s, const struct sha256 *hash, enum payment_state *state)
{
	const struct record_payment *r;
	struct arena memory;

	arena_init(&memory);
	r = stored_payment(s, hash, &memory);
	if (r)
		*state = (enum payment_state)r->state;
	arena_release(&memory);
	return r;
}

#endif
