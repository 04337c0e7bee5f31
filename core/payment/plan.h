/* What this run knows of a pending payment beyond its record: how much may go where, until when, and what is asked.
 *
 * A limit says how much of this payment may cross a channel's direction or a node; the user gives some, failures add
 * others.  Limits die with the payment: another one finds everything open again (B4.receiving_failure_codes.4), and
 * nothing of a failure message goes anywhere else (B4.receiving_failure_codes.5).  Inside payment/ only. */
#ifndef PAYMENT_PLAN_H
#define PAYMENT_PLAN_H

#include "payment/send.h"

/* Lives in its own arena, from the request until the payment ends. */
struct payment_plan {
	struct arena memory;
	struct payload final;     /* amount and cltv_expiry are each part's own */
	bool self;                /* to our own invoice */
	bool basic_mpp;
	uint32_t min_final_cltv;
	uint32_t slack;           /* blocks that may come on the way */
	uint64_t expires_at_s;
	uint32_t hops_max;        /* of one part: more did not fit into an onion; 0: as the planner likes */
	bool one_part;            /* the user wants no more */
	const char **layers;
	uint32_t layer_count;
	struct path_hint *hints;
	uint32_t hint_count;
	struct send_limit *limits; /* owned */
	uint32_t limit_count;
	uint32_t attempts;        /* parts that were offered in this run */
	bool anew;                /* what other payments have shown left no way, and counts no more */
	bool resumed;             /* channels may still be on their way back: no way now is not the end */
	/* Exactly one of these, or none: it is in the queue of those who want a question, or one is out. */
	bool wants_flush;
	struct payment *want_next, *want_before;
	uint64_t question;        /* 0: none */
	uint8_t question_key[8];
	bool again;               /* another one once the answer is there */
	uint64_t ask_again_ms;    /* UINT64_MAX: never */
	bool given_up;            /* no new parts; code and words say why */
	enum reply_code code;
	const char *words;        /* of the last failure, in memory; NULL: none yet */
};

struct payment_plan *plan_new(const struct send_request *q, struct amount_msat total);
void plan_free(struct payment_plan *plan);

/* The smaller of two limits of the same thing counts. */
void plan_limit_channel(struct payment_plan *plan, struct scid scid, uint8_t direction, struct amount_msat most);
/* Part `part` of `next_part - 1` was too much there, with what else of the payment was on the way over it. */
void plan_limit_full(struct payment_plan *plan, struct scid scid, uint8_t direction, struct amount_msat failed, uint64_t part,
		     uint64_t next_part);
void plan_limit_node(struct payment_plan *plan, const struct pubkey *node);

#endif
