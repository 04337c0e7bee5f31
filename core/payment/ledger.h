/* The book of our payments: what is stored, found again and answered.
 *
 * send.c decides, this keeps.  Inside payment/ only. */
#ifndef PAYMENT_LEDGER_H
#define PAYMENT_LEDGER_H

#include "payment/plan.h"

/* Somebody who waits for the end of a payment. */
struct send_call {
	struct send_call *next;
	uint64_t call;
	enum payment_kind kind;   /* ROUTE: COMMAND_WAIT_SENDPAY of `part` */
	uint64_t part;
	uint64_t deadline_ms;     /* UINT64_MAX: none */
};

/* PAYMENT_ROUTE alone: the user plans the next try, so the user is told what is known of the last. */
struct part_failure {
	struct part_failure *next;
	uint64_t part;
	enum reply_code code;
	const char *words;        /* owned, as message is */
	bool has_report;          /* somebody on the route said: */
	uint32_t hop;             /* 0: ourselves, 1: our peer */
	struct pubkey node;
	struct scid scid;         /* of the channel that it did not get through; 0: not known */
	uint16_t failure_code;
	struct bytes message;
};

/* Read from the store, but its payment may not be yet. */
struct loaded_part {
	struct loaded_part *next;
	uint8_t payment_key[40];
	struct payment_part *part;
};

struct send {
	struct send_config config;
	struct secp *secp;
	struct table payments;  /* all; by key */
	struct table latest;    /* the last one of each hash */
	struct table pending;
	struct table parts;     /* in flight; by htlc_key */
	struct loaded_part *loaded; /* until ledger_sound */
	uint64_t last_created_index;
	uint32_t want_count;    /* payments that want a flush */
	uint64_t wait_deadline_ms; /* no call runs out before it; UINT64_MAX: none does */
};

/* Points the record's views into the payment's own bytes. */
MUST_USE bool ledger_read_stored(struct payment *p);
void ledger_part_free(struct payment_part *part);
void ledger_payment_free(struct payment *p);
/* Writes the record. */
/* Keys of RECORD_PAYMENT and RECORD_PART. */
#define LEDGER_PAYMENT_KEY 48
#define LEDGER_PART_KEY 56
void ledger_record_key(uint8_t out48[LEDGER_PAYMENT_KEY], const struct payment *p);
void ledger_store(struct payment *p, struct step *step);
/* A new payment, the latest of its hash. */
void ledger_index(struct send *s, struct payment *p);
struct payment *ledger_latest(const struct send *s, const struct sha256 *payment_hash);
uint32_t ledger_pending(const struct send *s);
struct payment *ledger_next_pending(const struct send *s, uint32_t *at);

void ledger_want_flush(struct send *s, struct payment *p);
/* The next payment that wants one, which then does not any more; NULL: none. */
struct payment *ledger_take_flush(struct send *s, uint32_t *at);

/* A part for a plan's path, not in flight yet. */
struct payment_part *ledger_plan_part(struct payment *p, const struct plan_part *planned,
				      const struct secret32 *session_key);
void ledger_add_part(struct payment *p, struct payment_part *part);
/* Its channel and HTLC id are known. */
void ledger_index_part(struct send *s, struct payment_part *part);
/* It is in flight: stored. */
void ledger_start_part(struct send *s, struct step *step, struct payment_part *part, uint64_t htlc_id);
/* Forgets it, and its record. */
void ledger_end_part(struct send *s, struct step *step, struct payment_part *part);
struct payment_part *ledger_part(const struct send *s, uint64_t channel_key, uint64_t htlc_id);
struct payment_part *ledger_next_part(const struct send *s, uint32_t *at);

/* Ends a pending payment: stores, tells and answers. */
void ledger_complete(struct send *s, struct step *step, struct payment *p, const struct preimage *preimage,
		     struct amount_msat sent, uint32_t parts);
void ledger_fail(struct send *s, struct step *step, struct payment *p, enum reply_code code, const char *words);

/* The call is answered when the payment ends, or by ledger_answer if it has. */
void ledger_wait(struct payment *p, uint64_t call, enum payment_kind kind);
void ledger_answer(struct step *step, struct payment *p);
struct payment *ledger_get(const struct send *s, const struct sha256 *payment_hash, uint64_t group);

/* send_route.c: a part of a given route has failed: keeps why, and tells who waits for it. */
void route_part_failed(struct send *s, struct step *step, struct payment_part *part, const struct send_failure *f);
/* The failure that ended the payment; NULL: not in this run. */
const struct part_failure *route_last_failure(const struct payment *p);
struct reply *route_reply(struct arena *a, const struct payment *p, uint64_t part);
void route_failures_free(struct payment *p);

/* Gives loaded parts to their payments; false if the records contradict one another. */
MUST_USE bool ledger_sound(struct send *s);

#endif
