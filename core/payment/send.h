/* Payments that we make.
 *
 *   PAYMENT_PENDING  --a preimage-->                      PAYMENT_COMPLETE
 *   PAYMENT_PENDING  --nothing in flight, no way left-->  PAYMENT_FAILED
 *
 * A payment is a sum of parts; a part is one HTLC on one way.  send_flush hands out questions: how does so much more
 * get there?  Whoever plans (core/route, through the owner) answers with ways in send_planned, which makes offers of
 * them; the owner puts each offer into its channel and says at once whether that worked.  What comes back for an HTLC
 * finds its part by channel and HTLC id, teaches the payment where not to go again (its limits), tells the owner what
 * it shows of the network (facts), and makes the payment ask anew for what is missing.
 *
 * INV-S1  The amounts of the parts in flight never exceed the payment's amount
 *         (B4.basic_multi_part_payments.8), and their fees never its fee limit.
 * INV-S2  Of all payments of one hash at most one is pending, and none is once
 *         one is complete: the same invoice is paid once.
 * INV-S3  A payment fails only when no part of it is in flight.
 * INV-S4  A complete payment has a preimage of its hash.
 * INV-S5  A part in flight is stored with the id of its HTLC.
 * INV-S6  A pending payment that plans has a part in flight, a question out or in the queue, or an hour at which it
 *         asks again: none is forgotten.
 *
 * In memory are those that are pending, or have a part in flight.  The others are records only (RECORD_PAYMENT_PAST,
 * found by RECORD_PAYMENT_INDEX), moved there by send_put_away.  Before the owner does anything about a payment hash that
 * memory does not know it asks the store for the latest payment of it and hands that to send_recall: INV-S2 holds over
 * all that was ever paid.
 *
 * After a restart a pending payment carries on: its record has all that its invoice does not say, the owner reads the
 * invoice again (send_carry_on), and until retry_until new parts are made beside those in flight.  What a failure
 * taught this payment alone is learned anew.
 *
 * A probe is a payment with a hash of which nobody knows a preimage.  It is not stored: after a restart its HTLC fails
 * like any other and belongs to nobody.  Nothing of it can be lost, and its payee learns nothing but that.
 *
 * Sources: BOLT 4 "Basic Multi-Part Payments", "Returning Errors", "Receiving Failure Codes"; BOLT 11 "Payer / Payee
 * Requirements"; bLIP 3. */
#ifndef PAYMENT_SEND_H
#define PAYMENT_SEND_H

#include "payment/path.h"
#include "step/step.h"
#include "wire/records_payment.h"

/* Blocks that may come while an HTLC is on its way to the payee. */
#define SEND_CLTV_SLACK 3u
/* More of them, once somebody has said expiry_too_soon. */
#define SEND_CLTV_SLACK_MORE 6u
/* HTLCs that one payment may try. */
#define SEND_ATTEMPTS_MAX 100u
#define SEND_PARTS_MAX 50u
/* No part is smaller, but of a payment that is: an output of less would be dust in most channels. */
#define SEND_PART_MIN MSAT(1000000)
#define SEND_DELAY_MAX_DEFAULT 2016u
/* B11.tagged_fields.29 */
#define SEND_MIN_FINAL_CLTV 18u
/* A payee without invoice states no delta: enough for every implementation we know. */
#define SEND_KEYSEND_CLTV 42u
/* Channels and nodes that a user may exclude from one payment. */
#define SEND_EXCLUDE_MAX 1000u
/* Layers that a user may name for one payment, and hops of the hints that he may give to a keysend. */
#define SEND_LAYERS_MAX 12u
#define SEND_HINT_HOPS_MAX 100u
/* A layer that makes itself (Core Lightning's name): the payee gets one part. */
#define SEND_LAYER_ONE_PART "auto.no_mpp_support"
/* Probes at once. */
#define SEND_PROBES_MAX 32u
/* After a restart channels come back one by one. */
#define SEND_ASK_AGAIN_MS 1000u

/* Stored values. */
enum payment_kind { PAYMENT_BOLT11 = 1, PAYMENT_KEYSEND = 2, PAYMENT_ROUTE = 3, PAYMENT_PROBE = 4 /* never stored */ };
enum payment_state { PAYMENT_PENDING = 0, PAYMENT_COMPLETE = 1, PAYMENT_FAILED = 2 };

struct payment_part {
	struct payment_part *next;
	struct payment *payment;
	uint64_t id;
	bool paid;                /* its preimage is known to us, and to its channel */
	bool offered;             /* else an offer that the owner has not answered */
	uint32_t *hold_times;     /* what its hops reported when it was paid; owned */
	uint32_t hold_time_count;
	/* With each hop, as its onion was made with them: to derive them again takes an ECDH for each.  NULL after a restart,
	 * until they are wanted.  Owned, wiped with the part, never stored: SEND_PARTS_MAX * ONION_HOPS_MAX * 32 bytes a
	 * payment at most. */
	struct secret32 *shared;
	struct record_part r;     /* nodes, scids, amounts: owned; parts of before version 2 have no scids and amounts */
	uint8_t htlc_key[16];     /* channel key, HTLC id */
};

/* How a part ended, while its payment is pending. */
struct payment_try {
	struct payment_try *next;
	struct record_payment_try r; /* words, message, hold_times: owned */
};

struct payment_plan; /* what this run knows of a pending payment beyond its record */

struct payment {
	struct sha256 payment_hash;
	uint64_t group;           /* 1 for the first try of a hash */
	struct record_payment r;  /* views into stored, arrays in memory; text without NUL; tries: once it has ended */
	struct buf stored;
	struct arena memory;
	struct payment_part *parts; /* planned and in flight */
	uint32_t part_count;
	uint64_t next_part;
	struct payment_plan *plan; /* NULL: no new parts of our own */
	struct payment_try *tries; /* pending: oldest first; owned */
	uint32_t try_count;
	struct send_call *calls;  /* those who wait for its end; owned */
	bool on_shelf, recalled;  /* over: it leaves memory, and the second time without a record */
	struct payment *shelf_next;
	uint8_t key[40];
};

struct send_config {
	struct pubkey self;
	uint32_t pending_max;
};

struct send;

/* seed: entropy of this run.  Returns owned. */
MUST_USE struct send *send_new(const struct send_config *config, const uint8_t seed32[32]);
void send_free(struct send *s);
/* One RECORD_PAYMENT or RECORD_PART, in any order.  False if it is damaged. */
MUST_USE bool send_load(struct send *s, enum record_kind kind, struct bytes key, struct bytes value);

/* RECORD_NODE's key for what is counted on when the payments that were counted are gone. */
#define SEND_NUMBERS_KEY "payments"
MUST_USE bool send_load_numbers(struct send *s, struct bytes value);

/* Payments that one batch moves into the past. */
#define SEND_PUT_AWAY_MAX 1000u
/* Once in a batch, behind everything else.  If more is left the deadline is at once. */
void send_put_away(struct send *s, struct step *step);

/* RECORD_PAYMENT_INDEX: payment hash, group (be64).  Its value: the created index (be64) that the record's key begins
 * with. */
#define SEND_INDEX_KEY 40
void send_index_key(uint8_t out40[SEND_INDEX_KEY], const struct sha256 *payment_hash, uint64_t group);
/* Of a record of the past: how it ended, and when (0: it is damaged). */
enum payment_state send_past_state(struct bytes key, struct bytes value, struct arena *a, uint64_t *over_s);
/* Removes such a record, which is not damaged, and what it is found by: that invoice may be paid again. */
void send_delete_past(struct step *step, struct bytes key);

/* Whether memory has that payment; group 0: one of that hash, which is the latest then. */
MUST_USE bool send_knows(const struct send *s, const struct sha256 *payment_hash, uint64_t group);
/* A RECORD_PAYMENT_PAST, until the next send_put_away.  latest: the store has no later one of that hash.  False: it is
 * damaged. */
MUST_USE bool send_recall(struct send *s, struct bytes key, struct bytes value, bool latest);

struct send_request {
	uint64_t call;               /* COMMAND_PAY, _KEYSEND or _PROBE; answered in the end */
	enum payment_kind kind;
	struct pubkey payee;
	struct amount_msat amount;   /* to arrive, from us */
	struct amount_msat total;    /* from everybody together; 0: from us alone */
	struct sha256 payment_hash;  /* BOLT11 */
	bool any_amount;             /* the invoice names none */
	struct amount_msat invoice_amount;
	bool has_secret;
	struct secret32 secret;
	bool has_metadata;
	struct bytes metadata;
	bool basic_mpp;              /* the payee takes several parts */
	bool has_min_final_cltv;
	uint32_t min_final_cltv;
	uint64_t expires_at_s;
	const struct path_hint *hints; /* KEYSEND: the user's; they are stored */
	uint32_t hint_count;
	const char *const *layers;   /* names, for whoever plans */
	uint32_t layer_count;
	const char *bolt11;
	const struct custom_record *records; /* KEYSEND: any order, each type once, from PAYLOAD_CUSTOM_MIN on */
	uint32_t record_count;
	bool has_fee_limit;          /* else 0.5 % of the amount, at least 5000 msat */
	struct amount_msat fee_limit;
	uint32_t max_delay;          /* blocks; 0: SEND_DELAY_MAX_DEFAULT */
	uint32_t delay_ppb;          /* what a block of delay is worth, of the amount; 0: the planner's default */
	const struct sciddir_or_pubkey *exclude;
	uint32_t exclude_count;
	uint32_t retry_for_s;        /* no new tries after it; 0: 60 */
	const char *label;           /* or NULL */
};

/* Copies what it needs.  Paying again what is pending waits for it, what is paid answers with its preimage. */
void send_pay(struct send *s, struct step *step, const struct send_request *q);

/* Once, when all records of payments and channels are loaded: a part whose HTLC no channel knows was never
 * sent.  False if the records contradict one another. */
MUST_USE bool send_resume(struct send *s, struct step *step,
			  bool (*has_htlc)(const void *context, uint64_t channel_key, uint64_t htlc_id),
			  const void *context);
/* for (at = 0; (p = send_interrupted(s, step, &at)); ): pending payments that could carry on; after send_resume. */
const struct payment *send_interrupted(const struct send *s, const struct step *step, uint32_t *at);
/* q: what its invoice says, as at first (KEYSEND: nothing but the record's hints); the rest is in the record. */
void send_carry_on(struct send *s, struct step *step, const struct payment *p, const struct send_request *q);
/* Once after these: who cannot carry on and has nothing in flight has failed. */
void send_resumed(struct send *s, struct step *step);

/* --- questions and their answers --- */

/* Of one payment and no other. */
struct send_limit {
	bool is_node;              /* no way through it */
	struct scid scid;          /* else: over this channel, in this direction, at most so much of it */
	uint8_t direction;
	struct pubkey node;
	struct amount_msat most;   /* 0: nothing */
	/* It lacked liquidity: of this payment it did not carry so much at first; 0: the limit comes from elsewhere. */
	struct amount_msat failed;
	uint64_t since;            /* parts from this number on were planned in knowledge of that */
};

struct send_question {
	struct send_question *next;
	uint64_t id;
	struct pubkey payee;
	struct amount_msat amount, fee_limit; /* of all parts together */
	struct amount_msat part_min;
	uint32_t final_cltv;       /* blocks above the tip for the payee */
	uint32_t cltv_max;         /* and for all of a way */
	uint32_t parts_max;
	uint32_t hops_max;         /* 0: as the planner likes */
	uint32_t delay_ppb;        /* 0: as the planner likes */
	const char *const *layers; /* to be laid over the graph; borrowed as what follows */
	uint32_t layer_count;
	bool anew;                 /* what other payments have shown does not count */
	/* Borrowed until the next call of this machine. */
	const struct path_hint *hints;
	uint32_t hint_count;
	const struct send_limit *limits;
	uint32_t limit_count;
};

/* In order; memory of the step's effects.  Start with { 0 }. */
struct send_questions {
	struct send_question *head, *last;
};

enum send_verdict {
	SEND_FOUND,
	SEND_NO_WAY,
	SEND_UNKNOWN_PAYEE,   /* neither gossip nor the invoice knows a way into it */
	SEND_NO_CHANNEL,      /* none of ours can be used now */
	SEND_TOO_EXPENSIVE,
	SEND_TOO_SLOW,
	SEND_TOO_MANY_PARTS,
};

/* One part: its last hop is the payee and carries what it delivers. */
struct send_way {
	uint64_t channel_key;
	const struct path_hop *hops;
	uint32_t hop_count;
};

struct send_answer {
	enum send_verdict verdict;
	const struct send_way *ways; /* FOUND: together the amount, within the limits of the question */
	uint32_t count;
	struct amount_msat fee;      /* TOO_EXPENSIVE: of the cheapest; 0: not known */
	bool facts;                  /* what payments have shown had to do with it */
};

enum send_offer_kind {
	SEND_OFFER_HTLC,
	SEND_OFFER_SELF, /* to our own invoice: receive_from_self, then send_self_paid or send_refused */
};

struct send_offer {
	struct send_offer *next;
	enum send_offer_kind kind;
	struct payment *payment;
	struct payment_part *part;
	uint64_t channel_key;
	struct amount_msat amount;
	uint32_t cltv_expiry;
	struct sha256 payment_hash;
	struct bytes onion;          /* ONION_PACKET_SIZE */
	struct secret32 secret;      /* SELF: of the invoice */
};

/* In order; memory of the step's effects.  Start with { 0 }. */
struct send_offers {
	struct send_offer *head, *last;
};

/* True while a payment wants send_flush. */
MUST_USE bool send_wants_flush(const struct send *s);
/* Asks for what is missing, at most so many questions; who wants one besides waits in the queue.  Each offer (they are
 * all to ourselves) must be answered before the next call: by send_refused or send_self_paid.  Each question is
 * answered sometime by send_planned, or never in this run. */
void send_flush(struct send *s, struct step *step, uint32_t questions_max, struct send_questions *questions,
		struct send_offers *offers);
/* Each offer must be answered before the next call: by send_offered or send_refused.  A refusal makes the payment want
 * another flush.  An answer to a payment that has ended meanwhile is dropped. */
void send_planned(struct send *s, struct step *step, uint64_t question, const struct send_answer *answer,
		  struct send_offers *offers);
/* The channel took it: stored in this step. */
void send_offered(struct send *s, struct step *step, const struct send_offer *offer, uint64_t htlc_id);
void send_refused(struct send *s, struct step *step, const struct send_offer *offer, const char *why);
void send_self_paid(struct send *s, struct step *step, const struct send_offer *offer, const struct preimage *preimage);

/* --- what the network showed --- */

enum send_fact_kind {
	SEND_FACT_TAKEN,      /* an HTLC of ours is on its way over the channel */
	SEND_FACT_FREED,      /* it is over, one way or the other; then what it showed: */
	SEND_FACT_COULD,      /* it got through, though no further than the next node or some node behind it */
	SEND_FACT_COULD_NOT,  /* it did not: the channel lacked liquidity */
	SEND_FACT_MOVED,      /* it was paid */
};

/* About channels of others, and about one HTLC: what else is in flight there TAKEN and FREED tell. */
struct send_fact {
	enum send_fact_kind kind;
	struct scid scid;
	uint8_t direction;
	struct amount_msat amount;
};

/* All since the last send_facts_taken, in order. */
const struct send_fact *send_facts(const struct send *s, uint32_t *count);
void send_facts_taken(struct send *s);

/* --- the ends of HTLCs --- */

/* Whether the outgoing HTLC is a part of a payment of ours (else it is a forwarded one). */
MUST_USE bool send_owns(const struct send *s, uint64_t channel_key, uint64_t htlc_id);

/* The HTLC is one of ours in all of these.  False: that is no preimage of the hash. */
MUST_USE bool send_fulfilled(struct send *s, struct step *step, uint64_t channel_key, uint64_t htlc_id,
			     const struct preimage *preimage);

/* What the update_fulfill_htlc says besides the preimage; just before send_fulfilled.  attribution: attribution_data, or
 * empty. */
void send_attributed(struct send *s, struct step *step, uint64_t channel_key, uint64_t htlc_id, struct bytes attribution);

enum send_failure_kind {
	SEND_FAILURE_REPORT,    /* update_fail_htlc: reason, attribution */
	SEND_FAILURE_MALFORMED, /* update_fail_malformed_htlc: code, onion_hash */
	SEND_FAILURE_LOCAL,     /* it timed out on chain, or never left: code, or 0; text */
};

struct send_failure {
	enum send_failure_kind kind;
	struct bytes reason;
	struct bytes attribution; /* attribution_data; empty: none */
	uint16_t code;
	struct sha256 onion_hash;
	const char *text;
};

/* The HTLC is irrevocably gone without a preimage. */
void send_failed(struct send *s, struct step *step, uint64_t channel_key, uint64_t htlc_id, const struct send_failure *f);

/* --- along a given route: send_route.c --- */

/* Copied where it must be kept. */
struct send_route {
	const struct route_hop *hops; /* our peer first, the payee last */
	uint32_t hop_count;
	struct sha256 payment_hash;
	bool has_secret;
	struct secret32 secret;
	bool has_metadata;
	struct bytes metadata;
	bool has_total;               /* else what arrives over this route */
	struct amount_msat total;
	uint64_t part;
	bool has_group;
	uint64_t group;
	const char *label, *bolt11;   /* or NULL */
};

/* The HTLC of it, for a channel to the first hop's node. */
struct send_route_offer {
	struct amount_msat amount;
	uint32_t cltv_expiry;
	struct bytes onion;           /* ONION_PACKET_SIZE; memory of the step's effects */
	struct path_keys keys;
	uint64_t group;
};

enum send_route_result {
	SEND_ROUTE_OFFER,   /* put it into the channel, and if that works call send_route_offered */
	SEND_ROUTE_KNOWN,   /* that part is pending, or the payment is complete: *known */
	SEND_ROUTE_REFUSED, /* code, why */
};

MUST_USE enum send_route_result send_route(struct send *s, struct step *step, const struct send_route *q,
					   struct send_route_offer *offer, const struct payment **known,
					   enum reply_code *code, const char **why);
/* The channel took it: stored in this step. */
const struct payment *send_route_offered(struct send *s, struct step *step, const struct send_route *q,
					 const struct send_route_offer *offer, uint64_t channel_key, uint64_t htlc_id);
/* Fills the answer to COMMAND_SENDPAY. */
void send_route_describe(struct arena *a, const struct payment *p, uint64_t part, struct reply *reply);
/* COMMAND_WAIT_SENDPAY: answers the call now, or once the part or its payment has ended, or at the deadline (Unix
 * milliseconds; UINT64_MAX: never).  has_group: else the latest payment of the hash. */
void send_route_wait(struct send *s, struct step *step, uint64_t call, const struct sha256 *payment_hash,
		     bool has_group, uint64_t group, uint64_t part, uint64_t deadline_ms);

/* COMMAND_DELPAY.  A RECORD_PAYMENT_PAST with its key: removed if it is meant, or written again without the part that is.
 * False: it is not meant.  What goes, in the arena. */
MUST_USE bool send_delete(struct step *step, struct arena *a, struct bytes key, struct bytes value,
			  const struct payment_deletion *d, struct deleted_payment *out);
/* What the reply points at comes to live in the arena. */
void send_copy_deleted(struct arena *a, struct reply *reply);

/* Answers those who have waited long enough, and asks again for those who said so. */
void send_tick(struct send *s, struct step *step);
/* Unix milliseconds; UINT64_MAX: never. */
uint64_t send_deadline(const struct send *s);

void send_call_gone(struct send *s, uint64_t call);

/* The latest payment of the hash, or NULL. */
const struct payment *send_by_hash(const struct send *s, const struct sha256 *payment_hash);
/* for (at = 0; (p = send_next(s, &at)); ): in order of creation while nothing was loaded. */
const struct payment *send_next(const struct send *s, uint32_t *at);
/* What is known of its parts: those that failed, oldest first, then those in flight or paid.  In the arena; words and
 * messages are the payment's. */
const struct record_payment_try *send_tries(const struct payment *p, struct arena *a, uint32_t *count);
/* NULL if there is none. */
const struct payment *send_get(const struct send *s, const struct sha256 *payment_hash, uint64_t group);
uint32_t send_pending_count(const struct send *s);

/* Asserts the invariants; for tests and debug builds. */
void send_check_invariants(const struct send *s);

#endif
