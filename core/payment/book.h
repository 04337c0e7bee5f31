/* The book of invoices: those in memory, and the records of the others.
 *
 * In memory is what may still be paid.  What is paid or has expired is on the shelf until book_put_away writes its record
 * where the past is kept, with the entries by which it is found there, and forgets it.  Inside payment/ only. */
#ifndef PAYMENT_BOOK_H
#define PAYMENT_BOOK_H

#include "payment/receive.h"

struct book {
	struct table by_hash, by_label;
	struct table claims_by_hash, claims_by_label;
	struct received_invoice **due;  /* a heap by due_ms: the unpaid ones that expire */
	uint32_t due_count, due_capacity;
	struct received_invoice *shelf, **shelf_tail;
	uint32_t unpaid_count;          /* not on the shelf */
	uint64_t last_created_index, last_paid_index;
	bool numbers_changed;           /* and are not stored */
};

void book_init(struct book *b, const uint8_t seed16[16]);
void book_release(struct book *b);
MUST_USE bool book_load(struct book *b, struct bytes key, struct bytes value);
MUST_USE bool book_load_numbers(struct book *b, struct bytes value);

struct received_invoice *book_by_hash(const struct book *b, const struct sha256 *payment_hash);
struct received_invoice *book_by_label(const struct book *b, struct bytes label);

/* A new one: stored with the next created_index.  What it points at is copied. */
struct received_invoice *book_add(struct book *b, struct step *s, const struct sha256 *payment_hash, const struct record_invoice *r);
/* Its record changed. */
void book_store(struct received_invoice *i, struct step *s);
/* It cannot be paid any more: onto the shelf. */
void book_settle(struct book *b, struct received_invoice *i);
/* The unpaid one that is due first, or NULL; due_ms is when it expires, or later by the caller's wish. */
struct received_invoice *book_first_due(const struct book *b);
void book_put_off(struct book *b, struct received_invoice *i, uint64_t due_ms);
/* Moves what is on the shelf into the past, so many of it, and stores the numbers that have changed. */
void book_put_away(struct book *b, struct step *s, uint32_t most);
/* Forgets it and its record; wherever it is, the shelf too. */
void book_delete(struct book *b, struct step *s, struct received_invoice *i);

/* Records of the past. */
void book_store_past(struct step *s, struct bytes key, const struct record_invoice *r);
void book_delete_past(struct step *s, struct bytes key, const struct record_invoice *r);

void book_check(const struct book *b);

#endif
