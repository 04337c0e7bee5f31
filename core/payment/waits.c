#include "payment/waits.h"

struct waiter {
	struct waiter *next;
	uint64_t call;
	bool any;                 /* else for `payment_hash` */
	struct sha256 payment_hash;
	uint64_t last_paid_index; /* any: behind it */
	uint64_t deadline_ms;     /* UINT64_MAX: none */
};

void waits_release(struct waits *w)
{
	while (w->first) {
		struct waiter *next = w->first->next;

		mem_free(w->first);
		w->first = next;
	}
}

/* --- answers --- */

struct reply *invoice_reply_stored(struct step *s, uint64_t call, enum command_kind kind, struct bytes key, struct bytes value)
{
	struct reply *reply = ARENA_NEW(&s->out->arena, struct reply);

	reply->kind = kind;
	reply->u.invoice_entry.key = arena_bytes(&s->out->arena, key);
	reply->u.invoice_entry.value = arena_bytes(&s->out->arena, value);
	effect_reply(s->out, call, reply);
	return reply;
}

struct reply *invoice_reply(struct step *s, uint64_t call, enum command_kind kind, const struct received_invoice *i)
{
	uint8_t key[RECEIVE_KEY_SIZE];

	store_be64(key, i->r.created_index);
	memcpy(key + 8, i->payment_hash.v, sizeof(i->payment_hash.v));
	return invoice_reply_stored(s, call, kind, BYTES_OF(key), buf_view(&i->stored));
}

void invoice_reply_past(struct step *s, uint64_t call, enum command_kind kind, uint64_t last_paid_index)
{
	struct reply *reply = ARENA_NEW(&s->out->arena, struct reply);

	reply->kind = kind;
	reply->u.invoice_entry.past = true;
	reply->u.invoice_entry.last_paid_index = last_paid_index;
	effect_reply(s->out, call, reply);
}

static void answer_expired(struct step *s, uint64_t call, const struct received_invoice *i)
{
	struct reply *reply = invoice_reply(s, call, COMMAND_WAIT_INVOICE, i);

	reply->code = REPLY_INVOICE_EXPIRED;
	reply->message = "the invoice expired unpaid";
}

/* --- waiting --- */

static struct waiter *add(struct waits *w, uint64_t call)
{
	struct waiter **end = &w->first;

	while (*end)
		end = &(*end)->next;
	*end = NEW(struct waiter);
	(*end)->call = call;
	(*end)->deadline_ms = UINT64_MAX;
	return *end;
}

void waits_for(struct waits *w, struct step *s, uint64_t call, const struct received_invoice *i)
{
	if (!i) {
		invoice_reply_past(s, call, COMMAND_WAIT_INVOICE, 0);
		return;
	}
	switch (receive_state(i, s->now_ms)) {
	case INVOICE_UNPAID:
		add(w, call)->payment_hash = i->payment_hash;
		return;
	case INVOICE_PAID:
		invoice_reply(s, call, COMMAND_WAIT_INVOICE, i);
		return;
	case INVOICE_EXPIRED:
		answer_expired(s, call, i);
		return;
	}
	UNREACHABLE();
}

void waits_for_any(struct waits *w, struct step *s, uint64_t call, uint64_t last_paid_index, uint64_t paid_until, uint64_t deadline_ms)
{
	struct waiter *n;

	if (last_paid_index < paid_until) {
		invoice_reply_past(s, call, COMMAND_WAIT_ANY_INVOICE, paid_until);
		return;
	}
	n = add(w, call);
	n->any = true;
	n->last_paid_index = last_paid_index;
	n->deadline_ms = deadline_ms;
	waits_tick(w, s);
}

void waits_call_gone(struct waits *w, uint64_t call)
{
	struct waiter **at = &w->first;

	while (*at && (*at)->call != call)
		at = &(*at)->next;
	if (*at) {
		struct waiter *gone = *at;

		*at = gone->next;
		mem_free(gone);
	}
}

/* --- what they wait for --- */

/* Takes the next one out of the list that waits for the invoice; false: there is none. */
static bool take(struct waits *w, const struct received_invoice *i, bool paid, uint64_t *call, enum command_kind *kind)
{
	for (struct waiter **at = &w->first, *n; (n = *at); at = &n->next) {
		if (n->any ? !paid || i->r.paid_index <= n->last_paid_index : !SAME(n->payment_hash, i->payment_hash))
			continue;
		*call = n->call;
		*kind = n->any ? COMMAND_WAIT_ANY_INVOICE : COMMAND_WAIT_INVOICE;
		*at = n->next;
		mem_free(n);
		return true;
	}
	return false;
}

void waits_paid(struct waits *w, struct step *s, const struct received_invoice *i)
{
	enum command_kind kind;
	uint64_t call;

	while (take(w, i, true, &call, &kind))
		invoice_reply(s, call, kind, i);
}

void waits_expired(struct waits *w, struct step *s, const struct received_invoice *i)
{
	enum command_kind kind;
	uint64_t call;

	while (take(w, i, false, &call, &kind))
		answer_expired(s, call, i);
}

void waits_deleted(struct waits *w, struct step *s, const struct received_invoice *i)
{
	enum command_kind kind;
	uint64_t call;

	while (take(w, i, false, &call, &kind)) {
		struct reply *reply = invoice_reply(s, call, kind, i);

		reply->code = REPLY_FAILED;
		reply->message = "the invoice was deleted";
	}
}

void waits_tick(struct waits *w, struct step *s)
{
	struct waiter **at = &w->first;

	while (*at) {
		struct waiter *n = *at;
		struct reply *reply;

		if (n->deadline_ms > s->now_ms) {
			at = &n->next;
			continue;
		}
		reply = ARENA_NEW(&s->out->arena, struct reply);
		reply->kind = COMMAND_WAIT_ANY_INVOICE;
		reply->code = REPLY_INVOICE_TIMEOUT;
		reply->message = "no invoice was paid in time";
		effect_reply(s->out, n->call, reply);
		*at = n->next;
		mem_free(n);
	}
}

uint64_t waits_deadline(const struct waits *w)
{
	uint64_t first = UINT64_MAX;

	for (const struct waiter *n = w->first; n; n = n->next)
		if (n->deadline_ms < first)
			first = n->deadline_ms;
	return first;
}
