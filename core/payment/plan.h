/* How a payment is divided over paths, and what its failures taught.
 *
 * A limit says how much of this payment may cross a channel or a node; failures
 * lower it.  Limits die with the payment: another one finds everything open
 * again (B4.receiving_failure_codes.4), and nothing of a failure message goes
 * anywhere else (B4.receiving_failure_codes.5).  Inside payment/ only. */
#ifndef PAYMENT_PLAN_H
#define PAYMENT_PLAN_H

#include "payment/send.h"

enum limit_kind { LIMIT_CHANNEL, LIMIT_SCID, LIMIT_NODE };

struct limit {
	enum limit_kind kind;
	uint64_t id;              /* CHANNEL: key; SCID */
	struct pubkey node;       /* NODE */
	struct amount_msat most;  /* of all parts that cross it together */
};

/* Lives in its own arena, from the request until the payment ends. */
struct payment_plan {
	struct arena memory;
	struct payload final;     /* amount and cltv_expiry are each part's own */
	bool self;                /* to our own invoice */
	bool basic_mpp;
	bool keysend;
	uint32_t min_final_cltv;
	uint64_t expires_at_s;
	uint64_t retry_until_ms;
	uint32_t max_delay;
	struct path_hint *hints;
	uint32_t hint_count;
	struct limit *limits;     /* owned */
	uint32_t limit_count;
	uint32_t attempts;
	bool wants_flush;
	bool given_up;            /* no new parts; code and words say why */
	enum reply_code code;
	const char *words;        /* of the last failure, in memory; NULL: none yet */
};

struct payment_plan *plan_new(const struct send_request *q);
void plan_free(struct payment_plan *plan);

/* One HTLC to be tried. */
struct plan_part {
	const struct path *path;
	struct amount_msat amount, sent;
};

enum plan_result { PLAN_FOUND, PLAN_NO_ROUTE, PLAN_TOO_EXPENSIVE, PLAN_TOO_SLOW };

struct plan_task {
	const struct payment *payment;  /* its parts in flight count against the limits */
	const struct path_list *paths;
	struct amount_msat missing;     /* to be planned */
	struct amount_msat fee_left;
};

/* Divides what is missing over the paths: over one where that is possible, the cheapest; else, where the payee
 * takes several parts, over as few as possible.  parts[SEND_PARTS_MAX]. */
enum plan_result plan_split(const struct plan_task *t, struct plan_part *parts, uint32_t *count);

/* A part that failed: its hops and what it delivered. */
struct plan_blame {
	const struct path_hop *hops;
	uint32_t hop_count;
	uint64_t channel_key;
	struct amount_msat amount;
};

/* The path is of no use for this payment at all. */
void plan_exclude(struct payment_plan *plan, const struct plan_blame *b);
/* Our own channel is not. */
void plan_exclude_channel(struct payment_plan *plan, const struct plan_blame *b);
/* Node `hop` of the path says why it did not hand the HTLC on.  False if the payment itself is hopeless: the payee
 * refused it for good. */
MUST_USE bool plan_learn(struct payment_plan *plan, const struct plan_blame *b, uint32_t hop, uint16_t code);

#endif
