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

/* Read from the store, but its payment may not be yet. */
struct loaded_part {
	struct loaded_part *next;
	uint8_t payment_key[40];
	struct payment_part *part;
};

struct send {
	struct send_config config;
	struct secp *secp;
	struct table payments;  /* all that are stored; by key */
	struct table latest;    /* the last one of each hash */
	struct table pending;   /* and probes */
	struct table asked;     /* those with a question out; by it */
	struct table parts;     /* in flight; by htlc_key */
	struct loaded_part *loaded; /* until ledger_sound */
	uint64_t last_created_index, last_question;
	struct payment *want_first, *want_last; /* payments that want a flush */
	uint32_t probe_count;
	uint64_t wait_deadline_ms; /* nobody's time is up before it; UINT64_MAX: nobody waits */
	struct payment *shelf, **shelf_tail; /* over: they leave memory */
	bool numbers_changed;   /* and are not stored */
	struct send_fact *facts;
	uint32_t fact_count, fact_capacity;
};

static inline struct amount_msat ledger_total(const struct payment *p)
{
	return p->r.total.v ? p->r.total : p->r.amount;
}

/* Points the record's views into the payment's own bytes and memory. */
MUST_USE bool ledger_read_stored(struct payment *p);
void ledger_part_free(struct payment_part *part);
void ledger_payment_free(struct payment *p);
void ledger_tries_free(struct payment *p);
/* Keys of RECORD_PAYMENT and RECORD_PART. */
#define LEDGER_PAYMENT_KEY 48
#define LEDGER_PART_KEY 56
void ledger_record_key(uint8_t out48[LEDGER_PAYMENT_KEY], const struct payment *p);
/* A new payment of that hash and group; its record is the caller's to fill. */
struct payment *ledger_new(const struct sha256 *payment_hash, uint64_t group);
/* Writes the record. */
void ledger_store(struct payment *p, struct step *step);
/* A new payment, the latest of its hash. */
void ledger_index(struct send *s, struct payment *p);
/* One of the past. */
void ledger_index_recalled(struct send *s, struct payment *p);
/* Unless memory has a later one. */
void ledger_name_latest(struct send *s, struct payment *p);
/* Takes it out of memory. */
void ledger_forget(struct send *s, struct payment *p);
/* ledger_past.c: if it is over, it goes onto the shelf. */
void ledger_settled(struct send *s, struct payment *p);
/* A probe, which is in no list. */
void ledger_index_probe(struct send *s, struct payment *p);
struct payment *ledger_latest(const struct send *s, const struct sha256 *payment_hash);
uint32_t ledger_pending(const struct send *s);
struct payment *ledger_next_pending(const struct send *s, uint32_t *at);

/* Into the queue, unless it is there; or once the answer to its question has come. */
void ledger_want_flush(struct send *s, struct payment *p);
/* It is in the queue, and leaves it. */
void ledger_unwant(struct send *s, struct payment *p);
/* The next of the queue, which does not want one any more; NULL: none, or too many questions are out. */
struct payment *ledger_take_flush(struct send *s);
/* Its question is out. */
uint64_t ledger_ask(struct send *s, struct payment *p);
/* Whose question it is, which is not out any more; NULL: nobody's. */
struct payment *ledger_answered(struct send *s, uint64_t question);
/* It wants a flush at that time. */
void ledger_ask_again(struct send *s, struct payment *p, uint64_t at_ms);

/* A part along the hops, not in flight yet. */
struct payment_part *ledger_plan_part(struct payment *p, uint64_t id, uint64_t channel_key, const struct path_hop *hops,
				      uint32_t hop_count, const struct path_keys *keys);
void ledger_add_part(struct payment *p, struct payment_part *part);
/* Its channel and HTLC id are known. */
void ledger_index_part(struct send *s, struct payment_part *part);
/* It is in flight: stored. */
void ledger_start_part(struct send *s, struct step *step, struct payment_part *part, uint64_t htlc_id);
/* What the end of a part showed of the channels on its way. */
struct ledger_shown {
	bool paid;
	uint32_t carried;         /* so many of them, from the first, carried their HTLC */
	uint32_t full;            /* the one into this hop did not; 0: none is known */
};
/* Forgets it, and its record.  shown: NULL: nothing. */
void ledger_end_part(struct send *s, struct step *step, struct payment_part *part, const struct ledger_shown *shown);
struct payment_part *ledger_part(const struct send *s, uint64_t channel_key, uint64_t htlc_id);
struct payment_part *ledger_next_part(const struct send *s, uint32_t *at);

/* How a part ended without its preimage.  said: of a lesson; copied. */
void ledger_try(struct payment *p, const struct payment_part *part, const struct record_payment_try *said, uint64_t now_s);
/* The hold times of a part of a payment that was complete before it was paid: into its record. */
void ledger_held(struct payment *p, const struct payment_part *part, struct step *step);
/* The last that is known of that part's end; NULL: nothing. */
const struct record_payment_try *ledger_find_try(const struct payment *p, uint64_t part);

/* Ends a pending payment: stores, tells and answers.  A probe is freed. */
void ledger_complete(struct send *s, struct step *step, struct payment *p, const struct preimage *preimage,
		     struct amount_msat sent, uint32_t parts);
void ledger_fail(struct send *s, struct step *step, struct payment *p, enum reply_code code, const char *words);
void ledger_probed(struct send *s, struct step *step, struct payment *p, const struct record_payment_try *reached);

/* The call is answered when the payment ends, or by ledger_answer if it has. */
void ledger_wait(struct payment *p, uint64_t call, enum payment_kind kind);
void ledger_answer(struct step *step, struct payment *p);
struct payment *ledger_get(const struct send *s, const struct sha256 *payment_hash, uint64_t group);

/* send_route.c */
/* Those who wait for that part alone. */
void route_answer_part(struct step *step, struct payment *p, uint64_t part);
struct reply *route_reply(struct arena *a, const struct payment *p, uint64_t part);

/* ledger_load.c: a stored payment; NULL: it is damaged. */
MUST_USE struct payment *ledger_read(struct bytes key, struct bytes value);
/* Gives loaded parts to their payments; false if the records contradict one another. */
MUST_USE bool ledger_sound(struct send *s);

#endif
