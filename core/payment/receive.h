/* Invoices, and what becomes of HTLCs that end here.
 *
 * States of an invoice:
 *
 *   INVOICE_UNPAID  --a whole HTLC set-->  INVOICE_PAID
 *   INVOICE_UNPAID  --its time passes-->   INVOICE_EXPIRED (not stored: it follows from the clock)
 *
 * In memory is what may still be paid.  The others are records only (RECORD_INVOICE_PAST, found by
 * RECORD_INVOICE_INDEX), moved there by receive_flush.  Nothing is looked up for an HTLC: whatever is not in memory
 * never takes one, whether it was paid, has expired or never was, and all of these are refused alike.  So a payment without
 * invoice whose hash was once paid is a payment of its own (BOLT 4: "MAY succeed in accepting the HTLC").
 *
 * HTLCs of one payment hash form a set.  A set is not stored: after a restart
 * the channels show their undecided HTLCs again and it forms anew.
 *
 * INV-R1  A set is fulfilled whole or not at all, in one step, and the invoice
 *         is stored as paid in that step (B4.basic_multi_part_payments.20).
 * INV-R2  Nothing is fulfilled for an invoice that is paid already.
 * INV-R3  Each HTLC that was handed in gets exactly one verdict.
 * INV-R4  At most one set a payment hash; all its HTLCs have one total_msat.
 *
 * Sources: BOLT 4 "Basic Multi-Part Payments", "Failure Messages"; BOLT 11
 * "Payer / Payee Requirements"; bLIP 3. */
#ifndef PAYMENT_RECEIVE_H
#define PAYMENT_RECEIVE_H

#include "onion/payload.h"
#include "step/step.h"
#include "wire/records_payment.h"

/* B4.basic_multi_part_payments.17 */
#define RECEIVE_SET_TIMEOUT_MS 60000u
/* HTLCs in one set. */
#define RECEIVE_PARTS_MAX 1000u
#define RECEIVE_LABEL_MAX 1000u

/* Stored values. */
enum invoice_kind { INVOICE_BOLT11 = 1, INVOICE_KEYSEND = 2 };
enum invoice_state { INVOICE_UNPAID = 0, INVOICE_PAID = 1, INVOICE_EXPIRED = 2 };

struct received_invoice {
	struct sha256 payment_hash;
	struct record_invoice r; /* views into stored; text without NUL; state is UNPAID or PAID */
	struct buf stored;       /* the record as it is in the store */
	uint64_t due_ms;         /* when to look whether it has expired */
	uint32_t due_at;
	bool on_shelf;           /* paid or expired: it leaves memory */
	struct received_invoice *shelf_next;
};

/* Of a record's key: created_index (be64), payment hash. */
#define RECEIVE_KEY_SIZE 40
/* RECORD_NODE's key for what must be counted on when the invoices that were counted are gone. */
#define RECEIVE_NUMBERS_KEY "invoices"
/* Invoices that one flush moves into the past. */
#define RECEIVE_FLUSH_MAX 1000u

/* RECORD_INVOICE_INDEX: what the past is found by.  A key is one of these, what it names, and the created_index; a
 * value is the created_index (be64). */
#define RECEIVE_INDEX_HASH 'h'
#define RECEIVE_INDEX_LABEL 'l'
#define RECEIVE_INDEX_PAID 'p' /* paid_index (be64), alone */
/* What the keys of that name begin with; appended. */
void receive_index_key(struct buf *out, char of, struct bytes name);
/* A stored invoice, live or past.  False: it is damaged.  Views into value. */
MUST_USE bool receive_read(struct bytes key, struct bytes value, struct arena *a, struct sha256 *payment_hash,
			   struct record_invoice *out);

struct receive_config {
	bool accept_keysend;
	struct amount_msat keysend_min; /* less is refused: whoever fills our disk pays for it */
	bool hold;                     /* a whole set waits for receive_accept or receive_refuse */
	uint32_t invoices_max;         /* unpaid and not expired */
	uint32_t take_blocks_min;      /* before an HTLC's expiry, whatever its invoice says: with less it is not safe to fulfil */
	uint32_t keysend_cltv_blocks;  /* min_final_cltv_expiry_delta of payments without invoice */
};

struct receive;

MUST_USE struct receive *receive_new(const struct receive_config *config, const uint8_t seed16[16]); /* returns owned */
void receive_free(struct receive *r);
/* One RECORD_INVOICE.  False if it is damaged.  Paid and expired ones, as older versions left them there, are moved. */
MUST_USE bool receive_load(struct receive *r, struct bytes key, struct bytes value);
/* RECORD_NODE's RECEIVE_NUMBERS_KEY. */
MUST_USE bool receive_load_numbers(struct receive *r, struct bytes value);

struct receive_new_invoice {
	struct sha256 payment_hash;
	struct preimage preimage;
	struct secret32 secret;
	bool any_amount;
	struct amount_msat amount;
	uint32_t min_final_cltv;
	uint64_t expires_at_s;
	const char *description, *bolt11;
};

/* Of a record of the past: how it ended, and when (0: it is damaged). */
enum invoice_state receive_past_state(struct bytes key, struct bytes value, struct arena *a, uint64_t *over_s);
/* Removes such a record, which is not damaged, and what it is found by. */
void receive_delete_past(struct step *s, struct bytes key, struct bytes value);

/* The names of an invoice that is being made: nobody else takes them, while the store is asked whether the past has
 * them and the signer signs. */
struct receive_claim {
	struct sha256 payment_hash;
	struct buf label;
};

/* Whether such an invoice could be stored, as far as memory knows: REPLY_OK and *out, which is the machine's until
 * receive_add or receive_unclaim; or REPLY_INVOICE_LABEL, REPLY_INVOICE_PREIMAGE or REPLY_FAILED (too many).  It is the
 * caller's to ask RECORD_INVOICE_INDEX for both names. */
MUST_USE enum reply_code receive_claim(struct receive *r, struct step *s, struct receive_claim **out, const char *label,
				       const struct sha256 *payment_hash);
void receive_unclaim(struct receive *r, struct receive_claim *c);
/* Stores it under the names that were claimed, which are no claim any more.  Copies what it is given. */
const struct received_invoice *receive_add(struct receive *r, struct step *s, struct receive_claim *c,
					   const struct receive_new_invoice *n);

/* An incoming HTLC, irrevocably committed, whose onion ends here. */
struct receive_htlc {
	uint64_t channel_key, htlc_id;
	struct amount_msat amount;
	uint32_t cltv_expiry;
	struct sha256 payment_hash;
};

struct receive_verdict {
	struct receive_verdict *next;
	uint64_t channel_key, htlc_id;
	bool fulfil;
	struct preimage preimage; /* fulfil */
	struct failure why;       /* else: to be sealed */
};

/* config.hold: a set that is whole, and waits. */
struct receive_asked {
	struct receive_asked *next;
	struct sha256 payment_hash;
	struct amount_msat received;
	uint32_t parts;
	uint32_t first_expiry;    /* the least cltv_expiry of its HTLCs */
};

/* In order; memory of the step's effects.  Start with { 0 }. */
struct receive_verdicts {
	struct receive_verdict *head, *last;
	struct receive_asked *asked;
};

/* Decides, or keeps it in its set until the rest comes or receive_tick gives up.  The caller must have followed
 * the chain to its tip: cltv_expiry is judged by the step's height. */
void receive_htlc(struct receive *r, struct step *s, const struct receive_htlc *h, const struct payload *p,
		  struct receive_verdicts *out);
/* The channel took an undecided HTLC back (it went on chain and timed out): no verdict any more. */
void receive_htlc_gone(struct receive *r, uint64_t channel_key, uint64_t htlc_id);
/* The set of that hash waits and is still whole: its invoice is paid, with the given preimage of it or with its own
 * (NULL).  False, and nothing happens: there is none such. */
MUST_USE bool receive_accept(struct receive *r, struct step *s, const struct sha256 *payment_hash, const struct preimage *preimage,
			     struct receive_verdicts *out);
/* The same, but it fails with that code. */
MUST_USE bool receive_refuse(struct receive *r, struct step *s, const struct sha256 *payment_hash, uint16_t code,
			     struct receive_verdicts *out);
/* We pay our own invoice: no HTLC is needed.  REPLY_OK, with the preimage, or why not. */
MUST_USE enum reply_code receive_from_self(struct receive *r, struct step *s, struct preimage *out,
					   const struct sha256 *payment_hash, const struct secret32 *secret,
					   struct amount_msat amount);

/* Gives up sets that wait too long, and invoices that have expired. */
void receive_tick(struct receive *r, struct step *s, struct receive_verdicts *out);
/* Once in a batch, behind everything else: moves what is over into the past, RECEIVE_FLUSH_MAX at most.  If more is left
 * the deadline is at once. */
void receive_flush(struct receive *r, struct step *s);
/* Unix milliseconds; UINT64_MAX: never. */
uint64_t receive_deadline(const struct receive *r);

/* COMMAND_WAIT_INVOICE: answers the call now, or once the invoice is paid, expires or is deleted.  `past` in the answer:
 * if there is one of that label, it is over and in the store. */
void receive_wait(struct receive *r, struct step *s, uint64_t call, const char *label);
/* COMMAND_WAIT_ANY_INVOICE: answers once an invoice is paid with a greater paid_index, or with 904 at the deadline (Unix
 * milliseconds; UINT64_MAX: never).  `past`: there may be one in the store. */
void receive_wait_any(struct receive *r, struct step *s, uint64_t call, uint64_t last_paid_index, uint64_t deadline_ms);
/* COMMAND_DELETE_INVOICE, of one in memory or of a record of the past that the command brings. */
void receive_delete(struct receive *r, struct step *s, uint64_t call, const struct command *command, struct receive_verdicts *out);
void receive_call_gone(struct receive *r, uint64_t call);

enum invoice_state receive_record_state(const struct record_invoice *r, uint64_t now_ms);
static inline enum invoice_state receive_state(const struct received_invoice *i, uint64_t now_ms)
{
	return receive_record_state(&i->r, now_ms);
}
/* Those in memory.  NULL if there is none. */
const struct received_invoice *receive_by_hash(const struct receive *r, const struct sha256 *payment_hash);
const struct received_invoice *receive_by_label(const struct receive *r, const char *label);
/* for (at = 0; (i = receive_next(r, &at)); ): those in memory. */
const struct received_invoice *receive_next(const struct receive *r, uint32_t *at);
uint64_t receive_last_paid_index(const struct receive *r);

/* Asserts the invariants; for tests and debug builds. */
void receive_check_invariants(const struct receive *r);

#endif
