/* Why a channel ended: the one table of reasons.
 *
 * Every path that ends a channel without the peer's agreement names its reason here, with the evidence that the
 * decision rested on.  Both are stored with the channel, shown and logged in words that programs can rely on.
 *
 * A reason that has a remedy off the chain is in the table too, with what is done instead: fail_with asserts that none
 * of them ever ends a channel.  BOLT 5 "Failing a Channel", BOLT 2 "cltv_expiry_delta Selection". */
#ifndef CHANNEL_CAUSE_H
#define CHANNEL_CAUSE_H

#include "channel/htlc.h"

#define CLOSE_TEXT_MAX 256u

/* Stored values: append only. */
enum close_cause {
	CLOSE_NONE = 0,                /* it has not ended, or ended under a version that did not say */

	/* By us. */
	CLOSE_USER = 1,                /* our user wants it so */
	CLOSE_USER_TIMEOUT = 2,        /* the peer did not close in the time that our user gave it */
	CLOSE_HTLC_EXPIRED = 3,        /* one that we offered: the peer kept it beyond its expiry and the grace after it */
	CLOSE_HTLC_UNCLAIMED = 4,      /* one that we fulfilled: the peer does not take it off, and its expiry comes near */
	CLOSE_DATA_LOST = 5,           /* our state is old: the peer proved it */
	CLOSE_SIGNER = 6,              /* the signer refuses, or answers what cannot be right */
	CLOSE_FUNDING = 7,             /* the funding transaction is not what was agreed on, or did not confirm in time */
	CLOSE_REVOCATION = 8,          /* a revoke_and_ack that reveals no right secret, or comes out of turn */
	CLOSE_REESTABLISH = 9,         /* a channel_reestablish that no honest peer can send */
	CLOSE_BATCH = 10,              /* a batch of commitments without ours */
	CLOSE_NEGOTIATION = 11,        /* a closing_signed that goes back on what was said */
	CLOSE_NEGOTIATION_TIMEOUT = 12,/* no agreement on the closing transaction in time */
	CLOSE_NEGOTIATION_IMPOSSIBLE = 13, /* no closing transaction can be built */

	/* By the peer. */
	CLOSE_PEER_ERROR = 20,         /* it sent an error */
	CLOSE_PEER_PUBLISHED = 21,     /* its commitment is in a block */
	CLOSE_PEER_CHEATED = 22,       /* a revoked one is */
	CLOSE_PEER_NEWER = 23,         /* one is that is newer than our data */

	/* By both, and by nobody that we know. */
	CLOSE_AGREED = 30,
	CLOSE_OURS_PUBLISHED = 31,     /* our commitment is in a block, and nothing that we know of made us publish it */
	CLOSE_UNKNOWN_SPEND = 32,

	/* These never end a channel: there is a remedy. */
	CLOSE_FEE_DISAGREEMENT = 40,   /* an update_fee that is too low, too high, or that the opener cannot pay */
	CLOSE_DUST_EXPIRED = 41,       /* an offered HTLC that is not worth a claim on chain */
	CLOSE_DUST_UNCLAIMED = 42,     /* the same, fulfilled by us */
	CLOSE_BAD_MESSAGE = 43,        /* one that cannot be read, is out of place or breaks a limit */
	CLOSE_BAD_SIGNATURE = 44,      /* of a commitment or a closing transaction */
	CLOSE_SILENCE = 45,            /* the peer is away, or does not answer */
};

/* One word, as in `close_cause=htlc_expired`; never changed once it is there. */
const char *close_cause_name(enum close_cause c);
/* A sentence without a full stop. */
const char *close_cause_words(enum close_cause c);
/* What is done instead of closing; NULL: nothing helps but the chain. */
const char *close_cause_remedy(enum close_cause c);
/* Whether a stored number is one of the above. */
MUST_USE bool close_cause_known(uint8_t number);

/* The state of things when it was decided.  Stored. */
struct close_evidence {
	enum close_cause cause;
	uint32_t height;               /* of the chain, as far as we had followed it */
	uint64_t at_s;                 /* Unix time */
	bool has_htlc;                 /* the HTLC that is to blame */
	enum side htlc_owner;          /* who offered it */
	uint64_t htlc_id;
	uint32_t htlc_expiry;
	uint64_t local_number, remote_number; /* the latest commitments */
	char text[CLOSE_TEXT_MAX];     /* what was said: to or by the peer */
};

/* For the log: "cause=htlc_expired height=... htlc=out:7 expiry=... local=... remote=...".  out[size], cut if need be. */
void close_evidence_write(const struct close_evidence *e, char *out, size_t size);

#endif
