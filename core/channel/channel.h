/* One channel: BOLT 2 version 1, from open_channel to the last closing_signed.
 *
 * A channel is a composition of small machines, one file a phase: open,
 * update, commit, reestablish, close, fee.  It asks the signer through the
 * step and waits in an explicit state; it never holds a private key.  It
 * persists its records with PERSIST effects in the step that changes them, so
 * what it sends in that step rests on them.  What its owner (node/) must act
 * on comes back as typed notes.
 *
 * Updates of ours leave together with the commitment_signed that covers them
 * (channel_flush): nothing of ours is ever on the wire uncommitted.
 *
 * The peer's faults are notes and effects, never error codes. */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include "channel/htlc.h"
#include "channel/record.h"
#include "step/step.h"

struct channel;

enum channel_note_kind {
	/* Opener: the peer accepted; pay `amount` to `script` (node/ asks the wallet, then channel_funded). */
	CHANNEL_NOTE_FUND,
	/* Opener: funding_signed is good and stored: the funding transaction may be signed and broadcast. */
	CHANNEL_NOTE_BROADCAST_FUNDING,
	/* An incoming HTLC is irrevocably committed on both sides: decide about it. */
	CHANNEL_NOTE_HTLC_IN,
	/* The peer revealed the preimage of an outgoing HTLC: claim upstream at once. */
	CHANNEL_NOTE_HTLC_FULFILLED,
	/* An outgoing HTLC is irrevocably gone without preimage. */
	CHANNEL_NOTE_HTLC_FAILED,
	/* An outgoing HTLC that we had accepted but not yet committed was dropped: it never existed for the peer. */
	CHANNEL_NOTE_HTLC_DROPPED,
	/* An incoming HTLC is gone for good (its resolution is irrevocably committed). */
	CHANNEL_NOTE_HTLC_IN_DONE,
	CHANNEL_NOTE_STATE,
	/* Opening failed, or a channel without funds at stake was forgotten: free it after this note. */
	CHANNEL_NOTE_FORGOTTEN,
	/* The channel must be closed unilaterally: our commitment is being signed and broadcast. */
	CHANNEL_NOTE_FAILED,
	/* Our signed commitment transaction, or the agreed closing transaction: broadcast until it confirms. */
	CHANNEL_NOTE_BROADCAST,
	/* The peer broke the protocol of the connection: send `text` as warning and hang up. */
	CHANNEL_NOTE_HANG_UP,
};

struct channel_note {
	struct channel_note *next;
	enum channel_note_kind kind;
	struct channel *channel;
	const char *text;             /* reasons in words; step lifetime */
	struct bytes script;          /* FUND */
	struct amount_sat amount;     /* FUND */
	struct feerate feerate;       /* FUND: of the funding transaction */
	uint64_t htlc_id;
	struct sha256 payment_hash;
	struct preimage preimage;     /* FULFILLED */
	struct amount_msat htlc_amount;
	uint32_t cltv_expiry;
	struct bytes onion;           /* HTLC_IN: 1366 bytes */
	bool has_path_key;
	struct pubkey path_key;
	struct bytes reason;          /* FAILED: the failure onion, empty for malformed or on chain */
	uint16_t failure_code;        /* FAILED with update_fail_malformed_htlc: its code */
	struct sha256 sha256_of_onion;
	struct bytes tx;              /* BROADCAST */
	enum channel_state old_state; /* STATE */
};

/* Notes of one call, in order; memory of the step's arena. */
struct channel_notes {
	struct channel_note *head, **tail;
};

#endif
