/* Users who wait for invoices.  Inside payment/ only. */
#ifndef PAYMENT_WAITS_H
#define PAYMENT_WAITS_H

#include "payment/receive.h"

struct waits {
	struct waiter *first;
};

void waits_release(struct waits *w);
/* NULL: there is none in memory. */
void waits_for(struct waits *w, struct step *s, uint64_t call, const struct received_invoice *i);
void waits_for_any(struct waits *w, struct step *s, uint64_t call, uint64_t last_paid_index, uint64_t paid_until, uint64_t deadline_ms);
void waits_call_gone(struct waits *w, uint64_t call);

/* What became of an invoice. */
void waits_paid(struct waits *w, struct step *s, const struct received_invoice *i);
void waits_expired(struct waits *w, struct step *s, const struct received_invoice *i);
void waits_deleted(struct waits *w, struct step *s, const struct received_invoice *i);

void waits_tick(struct waits *w, struct step *s);
uint64_t waits_deadline(const struct waits *w);

/* Answers of this room: with an invoice of memory, with a record, and that the store has to be asked. */
struct reply *invoice_reply(struct step *s, uint64_t call, enum command_kind kind, const struct received_invoice *i);
struct reply *invoice_reply_stored(struct step *s, uint64_t call, enum command_kind kind, struct bytes key, struct bytes value);
void invoice_reply_past(struct step *s, uint64_t call, enum command_kind kind, uint64_t last_paid_index);

#endif
