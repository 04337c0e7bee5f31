/* One channel: BOLT 2 version 1, from open_channel to the last closing_signed.
 *
 * A channel is a composition of small machines, one file a phase: open,
 * accept, ready, update, fee, commit, reestablish, close, fail, load.  It asks
 * the signer through the step and waits in an explicit state; it never holds a
 * private key.  It persists its records with PERSIST effects in the step that
 * changes them, so what it sends in that step rests on them.  What its owner
 * (node/) must act on comes back as typed notes, in order.
 *
 * Updates of ours leave together with the commitment_signed that covers them
 * (channel_flush): nothing of ours is ever on the wire uncommitted.
 *
 * The peer's faults are notes and effects, never error codes.  All functions
 * take pointers that the caller keeps; what they return in `why` lives as long
 * as the step.  A question's answer goes to channel_signed with its id
 * (step_take says OWNER_CHANNEL and the channel's key id). */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include "channel/htlc.h"
#include "channel/policy.h"
#include "channel/record.h"
#include "step/step.h"

struct channel;

enum channel_note_kind {
	/* The channel's id is now channel_id(), no longer old_id: route messages by it.  If another channel with
	 * this peer has it already, call channel_abandon at once. */
	CHANNEL_NOTE_ID,
	/* Opener: the peer accepted; pay `amount` to `script` (node/ asks the wallet, then channel_funded). */
	CHANNEL_NOTE_FUND,
	/* Opener: funding_signed is good and stored: the funding transaction may be signed and broadcast. */
	CHANNEL_NOTE_BROADCAST_FUNDING,
	/* The funding outpoint is known and the channel is stored: watch it. */
	CHANNEL_NOTE_WATCH_FUNDING,
	/* Both channel_ready are exchanged: the channel can be used, and announced. */
	CHANNEL_NOTE_READY,
	/* An incoming HTLC is irrevocably committed on both sides: decide about it.  `dust_exposed`: it takes the
	 * sum of trimmed HTLCs over the limit, so fail it and do not reveal its preimage.  `closing`: it was added
	 * after our shutdown, do not forward it. */
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
	/* A shutdown of ours is wanted, because the peer sent its own, and no upfront script is known: call
	 * channel_shutdown with a fresh script of the wallet. */
	CHANNEL_NOTE_SCRIPT_WANTED,
	/* Opening failed, or a channel without funds at stake was forgotten: free it after this note. */
	CHANNEL_NOTE_FORGOTTEN,
	/* The channel must be closed unilaterally (the state is AWAITING_UNILATERAL). */
	CHANNEL_NOTE_FAILED,
	/* Our signed commitment transaction, or the agreed closing transaction: broadcast until it confirms. */
	CHANNEL_NOTE_BROADCAST,
	/* The peer broke the protocol of the connection: send `text` as warning and hang up. */
	CHANNEL_NOTE_HANG_UP,
	/* Send `text` as a warning; the connection stays. */
	CHANNEL_NOTE_WARN,
};

struct channel_note {
	struct channel_note *next;
	enum channel_note_kind kind;
	struct channel *channel;
	const char *text;             /* reasons in words; step lifetime */
	struct channel_id old_id;     /* ID */
	struct bytes script;          /* FUND */
	struct amount_sat amount;     /* FUND */
	struct feerate feerate;       /* FUND: of the funding transaction; 0: owner's choice */
	uint64_t htlc_id;
	uint64_t cookie[2];           /* HTLC_FULFILLED, _FAILED, _DROPPED: as offered */
	struct sha256 payment_hash;
	struct preimage preimage;     /* FULFILLED */
	struct amount_msat htlc_amount;
	uint32_t cltv_expiry;
	struct bytes onion;           /* HTLC_IN: 1366 bytes */
	bool has_path_key;
	struct pubkey path_key;
	bool dust_exposed, closing;   /* HTLC_IN */
	struct bytes reason;          /* FAILED: the failure onion, empty for malformed */
	struct bytes attribution;     /* FULFILLED, FAILED: the peer's attribution_data; empty: none */
	uint16_t failure_code;        /* FAILED with update_fail_malformed_htlc: its code; else 0 */
	struct sha256 sha256_of_onion;
	struct bytes tx;              /* BROADCAST */
	bool mutual;                  /* BROADCAST: a closing transaction */
};

/* Notes of one call, in order; memory of the step's arena. */
struct channel_notes {
	struct channel_note *head, **tail;
};

void channel_notes_init(struct channel_notes *notes);

/* Opening */

struct channel_open_args {
	uint64_t key;                     /* never used twice */
	struct pubkey peer;
	uint64_t connection;
	const struct channel_policy *policy;  /* borrowed for the channel's life */
	struct bytes our_features, their_features; /* of init */
	struct amount_sat funding;
	struct amount_msat push;
	bool announce;
	struct feerate funding_feerate;   /* only handed through to CHANNEL_NOTE_FUND */
	struct feerate commitment_feerate; /* 0: policy_feerate */
	struct bytes upfront_shutdown;    /* empty: none */
	bool has_channel_type;            /* else the best that both support */
	struct bytes channel_type;        /* as on the wire */
	bool has_reserve;
	struct amount_sat reserve;        /* that the peer must keep */
	bool has_minimum_depth;
	uint32_t minimum_depth;           /* before we send channel_ready; 0: at once */
	bool trust_zeroconf;              /* that the peer will not double spend; accepting only */
	const char *refuse_anchors;       /* accepting: NULL, or why no channel with anchors is taken */
};

/* Asks the signer for keys and then sends open_channel.  Returns owned; NULL with why if we may not open such a
 * channel. */
MUST_USE struct channel *channel_open(struct step *s, struct channel_notes *notes, const struct channel_open_args *args,
				      const char **why);
/* Takes open_channel (of args: key, peer, connection, policy, features, upfront_shutdown, trust_zeroconf,
 * reserve, minimum_depth).  Returns owned; NULL if it is refused: `error` has been sent. */
MUST_USE struct channel *channel_accept(struct step *s, struct channel_notes *notes, const struct channel_open_args *args,
					struct bytes open_channel, const char **why);
/* Opener, after CHANNEL_NOTE_FUND: the transaction that will pay it, unsigned.  Not to be broadcast before
 * CHANNEL_NOTE_BROADCAST_FUNDING. */
void channel_funded(struct channel *ch, struct step *s, struct channel_notes *notes, const struct outpoint *funding);
void channel_funding_failed(struct channel *ch, struct step *s, struct channel_notes *notes, const char *why);
/* Sends `error` and forgets a channel without funds at stake: OPENINGD, or as fundee before we have been paid. */
void channel_abandon(struct channel *ch, struct step *s, struct channel_notes *notes, const char *why);

/* The connection: after init.  channel_reestablish goes out. */
void channel_connected(struct channel *ch, struct step *s, struct channel_notes *notes, uint64_t connection,
		       struct bytes our_features, struct bytes their_features);
void channel_disconnected(struct channel *ch, struct step *s, struct channel_notes *notes);
/* A channel message of this channel (not open_channel), whole. */
void channel_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
/* The peer has said start_batch, and not yet as many commitments as it said. */
MUST_USE bool channel_in_batch(const struct channel *ch);
/* BOLT 1 error for this channel (or for all of the peer's). */
void channel_peer_error(struct channel *ch, struct step *s, struct channel_notes *notes, const char *text);
/* The answer to question id; late ones are ignored. */
void channel_signed(struct channel *ch, struct step *s, struct channel_notes *notes, uint64_t id,
		    const struct sign_answer *answer);

/* The chain */

/* A transaction with the funding outpoint's txid is in a block.  output: number channel_funding()->index of it,
 * NULL if it has no such output. */
void channel_funding_confirmed(struct channel *ch, struct step *s, struct channel_notes *notes, uint32_t height,
			       uint32_t tx_index, const struct tx_output *output);
/* That block left the best chain. */
void channel_funding_unconfirmed(struct channel *ch, struct step *s, struct channel_notes *notes);
/* The step's height is new: depths.  HTLCs whose time is over are the owner's to judge. */
void channel_block(struct channel *ch, struct step *s, struct channel_notes *notes);
/* The funding output is spent (FUNDING_SPEND_SEEN); from now on onchain/ decides.  Undone by a reorganization
 * with spent = false: what was failed or closed before is so again. */
void channel_funding_spent(struct channel *ch, struct step *s, struct channel_notes *notes, bool spent);
/* onchain/ has begun to resolve it (ONCHAIN), or everything is irrevocably resolved (CLOSED). */
void channel_set_onchain(struct channel *ch, struct step *s, struct channel_notes *notes, enum channel_state state);
/* Removes the traces of HTLCs that are gone, at most so many in one step; again until it is true, then channel_forget. */
MUST_USE bool channel_forget_past(struct channel *ch, struct step *s, uint32_t most);
/* Removes every other stored record of it (its owner may keep RECORD_CLOSED_PAST). */
void channel_forget(struct channel *ch, struct step *s);

/* Payments */

struct htlc_offer {
	struct amount_msat amount;
	struct sha256 payment_hash;
	uint32_t cltv_expiry;
	struct bytes onion;        /* ONION_SIZE bytes */
	const struct pubkey *path_key; /* NULL: none */
	uint64_t cookie[2];        /* stored; comes back in notes */
};

enum offer_result {
	OFFER_OK,
	OFFER_NOT_READY,      /* before channel_ready, or without the peer */
	OFFER_CLOSING,        /* after a shutdown, failed, on chain */
	OFFER_AMOUNT_MINIMUM, /* 0 or below the peer's htlc_minimum_msat */
	OFFER_EXPIRY,
	OFFER_BALANCE,        /* ours, less reserve and fees */
	OFFER_FEE,            /* the opener could not pay the commitment's fee any more */
	OFFER_COUNT,          /* the peer's max_accepted_htlcs */
	OFFER_IN_FLIGHT,      /* the peer's max_htlc_value_in_flight_msat */
	OFFER_DUST,           /* max_dust_htlc_exposure_msat */
};

const char *offer_result_words(enum offer_result r);

/* Queues update_add_htlc for the next channel_flush.  A rejected offer leaves everything as it was. */
MUST_USE enum offer_result channel_offer_htlc(struct channel *ch, struct step *s, const struct htlc_offer *offer, uint64_t *id);
/* The same question without doing it. */
MUST_USE enum offer_result channel_may_offer(const struct channel *ch, const struct step *s, struct amount_msat amount,
					     uint32_t cltv_expiry);

/* Resolve an incoming HTLC that is irrevocably committed.  Stored at once, also without a connection.  False if
 * there is none such or it is resolved already (the same preimage again is true).  attribution: attribution_data of
 * ATTRIBUTION_DATA_SIZE bytes, or empty; sent while we offer option_attribution_data. */
MUST_USE bool channel_fulfill(struct channel *ch, struct step *s, uint64_t id, const struct preimage *preimage,
			      struct bytes attribution);
MUST_USE bool channel_fail_htlc(struct channel *ch, struct step *s, uint64_t id, struct bytes reason, struct bytes attribution);
MUST_USE bool channel_fail_malformed(struct channel *ch, struct step *s, uint64_t id, uint16_t failure_code,
				     const struct sha256 *sha256_of_onion);

/* Opener: queues update_fee.  False if nothing has to change, we cannot afford it, or it is not our business. */
MUST_USE bool channel_set_feerate(struct channel *ch, struct step *s, struct feerate feerate);
/* The network's fee rates, in the step, are new.  True: something is to be stored. */
bool channel_fees_moved(struct channel *ch, struct step *s);

/* Whether the peer may set any feerate by update_fee: by our user's will, who knows the risk (B2.update_fee.4). */
void channel_ignore_fee_limits(struct channel *ch, bool ignore);

/* Sends what can be sent: call it when the batch has no more events, after any of the above.  A few updates may wait
 * until channel_deadline where many HTLCs would be signed anew for them. */
void channel_flush(struct channel *ch, struct step *s, struct channel_notes *notes);

/* While nothing else is to do: derives the keys of one commitment to come into the policy's memo, where they wait for
 * whoever needs them.  False if there are none to derive. */
MUST_USE bool channel_ahead(struct channel *ch);

/* Ending */

struct channel_shutdown_args {
	struct bytes script;       /* ignored if an upfront script binds us */
	bool has_fee_range;
	struct feerate fee_low, fee_high; /* of the closing transaction */
};

/* Wants the channel closed by agreement; shutdown goes out once nothing of ours is uncommitted.  Again later: only
 * the fee range changes.  False with why if it is not possible. */
MUST_USE bool channel_shutdown(struct channel *ch, struct step *s, struct channel_notes *notes,
			       const struct channel_shutdown_args *args, const char **why);
/* Gives up on the peer: sends `error`, publishes our commitment (never after data loss). */
void channel_fail(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause, const char *why);
/* The same, because of an HTLC of it. */
void channel_fail_for(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause,
		      const struct channel_htlc *h, const char *why);
/* The funding output is spent, and what by is known now: kept where no better reason is. */
void channel_spent_because(struct channel *ch, struct step *s, enum close_cause cause, const char *text);

/* Time: when channel_tick is wanted, Unix milliseconds; UINT64_MAX: never. */
uint64_t channel_deadline(const struct channel *ch);
void channel_tick(struct channel *ch, struct step *s, struct channel_notes *notes);

/* Loading: channel_load with RECORD_CHANNEL's value, then channel_load_part for each other record of it, in any
 * order, then channel_start.  NULL or false: the record is damaged. */
MUST_USE struct channel *channel_load(const struct channel_policy *policy, struct bytes value);
MUST_USE bool channel_load_part(struct channel *ch, enum record_kind kind, struct bytes key, struct bytes value);
/* False if the records contradict one another.  Asks again and tells again what may have been lost: HTLC_IN for
 * undecided incoming HTLCs, HTLC_FULFILLED for outgoing ones with a known preimage, BROADCAST of what must be out,
 * WATCH_FUNDING. */
MUST_USE bool channel_start(struct channel *ch, struct step *s, struct channel_notes *notes);
void channel_free(struct channel *ch);

/* The invariants of one channel; ASSERTs.  The functions above end with the cheap ones; deep recomputes all sums
 * from the HTLCs. */
void channel_check(const struct channel *ch, bool deep);

#endif
