/* Invoices as a store has them, for tests that look on from outside: what is over is in no memory. */
#ifndef TESTS_STORED_INVOICE_H
#define TESTS_STORED_INVOICE_H

#include "payment/receive.h"
#include "runtime/store/fetch.h"

struct stored_invoices {
	struct fetch fetch;
	struct arena memory;
	uint32_t at;
};

/* for (...begin(&all, store); stored_invoices_next(&all, &hash, &r); ) ... then stored_invoices_end. */
static inline void stored_invoices_begin(struct stored_invoices *all, struct store *s)
{
	const struct record_range ranges[] = { { .kind = RECORD_INVOICE }, { .kind = RECORD_INVOICE_PAST } };

	arena_init(&all->memory);
	all->at = 0;
	ASSERT(fetch_read(&all->fetch, s, ranges, 2));
}

static inline bool stored_invoices_next(struct stored_invoices *all, struct sha256 *hash, struct record_invoice *out)
{
	const struct fetched *f;

	if (all->at == all->fetch.count)
		return false;
	f = &all->fetch.records[all->at++];
	ASSERT(receive_read(f->key, f->value, &all->memory, hash, out));
	return true;
}

static inline void stored_invoices_end(struct stored_invoices *all)
{
	arena_release(&all->memory);
	fetch_release(&all->fetch);
}

/* The one of that hash: its fields but texts and bytes.  False: there is none. */
static inline bool stored_invoice(struct store *s, const struct sha256 *hash, struct record_invoice *out)
{
	struct stored_invoices all;
	struct sha256 h;
	bool found = false;

	stored_invoices_begin(&all, s);
	while (!found && stored_invoices_next(&all, &h, out))
		found = SAME(h, *hash);
	stored_invoices_end(&all);
	out->label = out->description = out->bolt11 = out->custom = BYTES_NONE;
	return found;
}

#endif
