/* Other people's payments: an incoming HTLC and the outgoing one that it pays for.
 *
 *	forward_judge: refused with a code of BOLT 4, or it may be offered
 *
 *	FORWARD_OUT     the outgoing HTLC is in its channel, or on chain
 *	  --preimage-->                    fulfilled upstream; over
 *	  --gone for good, secret known--> failed upstream; over
 *	  --gone for good-->               FORWARD_FAILED
 *	FORWARD_FAILED  the outgoing HTLC is gone; the failure cannot be sealed before the signer has given the shared
 *	                secret of the incoming onion again (only after a restart)
 *	  --secret-->                      failed upstream; over
 *
 * A forward is not stored: the outgoing HTLC's stored cookie names the incoming one, and both are HTLCs of their
 * channels.  So the table is made anew at start, and an incoming HTLC without an outgoing one is judged anew: what it
 * paid for was never committed to, or is gone.
 *
 * INV-W1  A forward lives from the step in which its outgoing HTLC is offered until the step in which its incoming
 *         one is decided or can be decided no more.
 * INV-W2  HTLCs are told apart by channel and id, never by payment hash or amount: no two forwards share an incoming
 *         or an outgoing HTLC.
 * INV-W3  When it is offered, the incoming HTLC pays the outgoing one and our fee, and expires at least our
 *         cltv_delta later.
 * INV-W4  The incoming HTLC is fulfilled in the step that brings the preimage, with the preimage that the outgoing
 *         one revealed and with no other (CVE-2020-26896).
 *
 * Sources: BOLT 2 "Forwarding HTLCs"; BOLT 4 "Payload for the Final Node" and before, "Returning Errors", "Failure
 * Messages". */
#ifndef PAYMENT_FORWARD_H
#define PAYMENT_FORWARD_H

#include "base/table.h"
#include "onion/payload.h"
#include "payment/policy.h"
#include "payment/slots.h"

/* BOLT 4 "max_htlc_cltv Selection" */
#define FORWARD_EXPIRY_MAX_BLOCKS 2016u

struct forward_htlc {
	uint64_t channel_key, id;
	struct amount_msat amount;
	uint32_t cltv_expiry;
};

/* The channel that the onion names. */
struct forward_next {
	bool known;
	bool ending;                    /* for good: shutdown, failed, on chain, history */
	bool disabled;                  /* it cannot be used, and everybody has been told so */
	/* What it asks: what is said of it now, then what was said until lately.  One is enough. */
	struct forward_policy policies[1 + POLICY_BEFORE_MAX];
	uint32_t policy_count;
};

struct forward_clock {
	uint32_t height;
	uint32_t expiry_min_blocks; /* that the outgoing HTLC must have before it: less is too little for the rest of its route */
};

/* Whether the incoming HTLC pays for what its payload asks of us; else the failure for its sender, the first of
 * BOLT 4's list that applies (B4.failure_messages.5).  Whether the channel can take it now is asked afterwards.
 * docs/FORWARDING.md has the order. */
MUST_USE bool forward_judge(const struct forward_clock *clock, const struct forward_htlc *in, const struct payload *payload,
			    const struct forward_next *next, struct failure *why);

enum forward_state { FORWARD_OUT = 1, FORWARD_FAILED };

enum forward_end_kind {
	FORWARD_END_REPORT,    /* update_fail_htlc from downstream: reason, attribution */
	FORWARD_END_MALFORMED, /* update_fail_malformed_htlc: code, onion_hash */
	FORWARD_END_LOCAL,     /* ours to say: failure, without data */
};

/* How an outgoing HTLC ended without its preimage. */
struct forward_end {
	enum forward_end_kind kind;
	struct bytes reason;
	struct bytes attribution;  /* ATTRIBUTION_SIZE, or empty */
	uint16_t code;             /* MALFORMED, LOCAL */
	struct sha256 onion_hash;
};

struct forward {
	uint8_t in_key[16], out_key[16]; /* channel key id, HTLC id */
	enum forward_state state;
	struct forward_htlc in, out;
	struct sha256 payment_hash;
	struct pubkey from;        /* the peer that it came from: its share of the slots */
	struct scid in_scid, out_scid; /* for its entry in the history */
	struct scid named;         /* the outgoing channel as the onion calls it; 0: from before the last start */
	uint64_t received_ms;      /* 0: before the last start */
	bool has_secret;
	struct secret32 secret;    /* shared with the sender, of the incoming onion */
	bool mute;                 /* the signer will not give the secret again: it can only be failed as malformed */
	struct forward_end end;    /* FORWARD_FAILED; reason, attribution: owned */
};

struct forwards {
	struct table by_in, by_out;
	struct slots slots;        /* of those that are FORWARD_OUT */
};

void forwards_init(struct forwards *f, const uint8_t seed16[16]);
void forwards_release(struct forwards *f);

/* Copies what it is given.  from: the peer of the incoming channel.  secret: NULL if it is not known again yet.  NULL, adding nothing, if one of the two HTLCs
 * is another forward's already (INV-W2). */
MUST_USE struct forward *forward_add(struct forwards *f, const struct pubkey *from, const struct forward_htlc *in, const struct forward_htlc *out,
			  const struct sha256 *payment_hash, const struct secret32 *secret);
/* NULL if there is none. */
struct forward *forward_by_in(const struct forwards *f, uint64_t channel_key, uint64_t htlc_id);
struct forward *forward_by_out(const struct forwards *f, uint64_t channel_key, uint64_t htlc_id);
/* The outgoing HTLC is gone without its preimage: FORWARD_FAILED. */
void forward_fail(struct forwards *f, struct forward *w, const struct forward_end *end);
/* FORWARD_FAILED, has_secret: appends what update_fail_htlc upstream says.  update: for a failure of ours that may carry
 * a channel_update; may be empty.  attribution: NULL, or our hold time; its data become what goes upstream. */
void forward_reason(const struct forward *w, struct bytes update, struct buf *out, struct failure_attribution *attribution);
/* Forgets it. */
void forward_over(struct forwards *f, struct forward *w);
static inline uint32_t forwards_count(const struct forwards *f) { return table_count(&f->by_in); }
/* for (at = 0; (w = forward_next(f, &at)); ): forward_over of the one returned is allowed. */
struct forward *forward_next(const struct forwards *f, uint32_t *at);

/* The invariants that can be read off the table; ASSERTs. */
void forwards_check(const struct forwards *f);

#endif
