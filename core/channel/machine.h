/* What a channel holds; seen by the files of this room only.
 *
 * INV-C1  Every live HTLC is in `htlcs` and in the list of its state; one that is gone is in neither.
 * INV-C2  In each view: left[0] + left[1] + offered[0] + offered[1] is the funding amount.
 * INV-C3  remote_revoked <= remote_number <= remote_revoked + 1; the same for local.
 * INV-C4  At most one question to the signer is open; no message of ours that changes a commitment leaves while it is.
 * INV-C5  No HTLC is past SENT_ADD_COMMIT or RCVD_ADD_COMMIT before both channel_ready.
 * INV-C6  After data loss no signature of our commitment is ever asked for.
 * INV-C7  An ADD_HTLC or REMOVE_HTLC state exists only while the link is up.
 * INV-C8  link != LINK_DOWN only with a connection. */
#ifndef CHANNEL_MACHINE_H
#define CHANNEL_MACHINE_H

#include "base/table.h"
#include "channel/view.h"
#include "step/event.h"
#include "wire/message.h"

enum link {
	LINK_DOWN,
	LINK_WAITING, /* our channel_reestablish is out, the peer's is not in */
	LINK_PROVING, /* the signer is asked whether the peer's proof of our data loss is right */
	LINK_UP,
};

enum ask {
	ASK_NONE,
	ASK_KEYS,          /* SIGN_CHANNEL_NEW */
	ASK_FUNDING,       /* the peer's commitment 0 */
	ASK_COMMIT,        /* the peer's next commitment */
	ASK_COMMIT_AGAIN,  /* the same that was sent before the connection broke */
	ASK_REVOKE,
	ASK_PROOF,         /* SIGN_POINT */
	ASK_CLOSE,         /* a closing transaction that we propose */
	ASK_CLOSE_AGREED,  /* the one that both want */
	ASK_PUBLISH,       /* SIGN_LOCAL_COMMITMENT */
};

enum open_phase {
	OPEN_KEYS,         /* both: the signer makes keys */
	OPEN_ACCEPT,       /* opener: accept_channel is awaited */
	OPEN_FUNDS,        /* opener: the wallet builds the funding transaction */
	OPEN_SIGNING,      /* both: the signer signs the peer's commitment 0 */
	OPEN_SIGNED,       /* opener: funding_signed is awaited */
	OPEN_CREATED,      /* fundee: funding_created is awaited */
};

/* Only while OPENINGD. */
struct opening {
	enum open_phase phase;
	struct channel_id temporary_id;
	struct amount_msat push;
	struct feerate funding_feerate;
	bool has_minimum_depth;
	uint32_t minimum_depth; /* of the user, before our channel_ready */
	uint64_t deadline_ms;
};

/* Only in this connection, once the channel is closing by agreement. */
struct closing_talk {
	bool shutdown_sent, shutdown_received;
	bool sent, received;                 /* a closing_signed */
	struct amount_sat fee_sent, fee_received;
	struct amount_sat low, high;         /* our range, of what we sent last */
	struct amount_sat fee_asked;         /* that is being signed */
	struct tx *tx;                       /* that is being signed; in arena */
	struct sig64 their_sig;              /* ASK_CLOSE_AGREED */
	uint64_t deadline_ms;                /* 0: none */
	struct arena arena;
};

struct htlc_list {
	struct channel_htlc *head, *tail;
	uint32_t count;
};

/* The sums of one view. */
struct balance {
	struct amount_msat left[2];    /* without HTLCs, before fees */
	struct amount_msat offered[2]; /* by each side */
	uint32_t count[2];
	uint32_t untrimmed;
	struct amount_msat dust;       /* sum of the trimmed ones */
	struct feerate feerate;
};

struct channel {
	struct channel_record r;
	const struct channel_policy *policy;
	struct shachain secrets;
	struct commit_sigs sigs;       /* htlcs: owned */

	struct table htlcs;
	struct htlc_list lists[HTLC_STATES];
	struct balance views[HTLC_VIEWS];
	struct channel_htlc *dirty_head;
	bool record_dirty, sigs_dirty, secrets_dirty;
	uint64_t past_forgotten;       /* traces of HTLCs, of both sides, that are removed already */
	bool dead;                     /* forgotten: nothing is stored or sent any more */

	uint64_t connection;
	enum link link;
	bool anysegwit, upfront_shutdown, scid_alias_negotiated;
	bool attribution_offered;      /* by us: nobody need have offered it to us (B4.intermediate_nodes.1), and LDK 0.2 does not */
	uint64_t ask_id;
	enum ask ask;
	struct opening *open;          /* owned; NULL after OPENINGD */
	bool ready_received_now;       /* in this connection */
	bool signatures_wanted; /* the peer's channel_reestablish asks for our announcement_signatures */
	bool abort_sent;               /* tx_abort, in this connection: the peer's echo is to come */

	/* What channel_reestablish told us to send again, in the order of revoke_sent_last. */
	bool resend_revoke, resend_commit;
	uint32_t signing_untrimmed;    /* signatures that ASK_COMMIT must bring */
	bool adds_held;                /* by the last commitment: the next one takes them whatever else it does */
	uint64_t gather_until_ms;      /* updates of ours wait for more, at most so long; 0: they do not */
	uint32_t gather_not;           /* HTLCs that must be gone before any wait again */
	struct msg_channel_reestablish *proof; /* LINK_PROVING: owned */
	uint8_t batch_left;            /* commitment_signed messages of a start_batch still to come */
	bool batch_matched;

	struct closing_talk talk;
	bool shutdown_wanted;          /* by us or in reply; the script is set or asked for */
	bool has_fee_range;
	struct feerate fee_low, fee_high; /* of the closing transaction, by the user */
	struct buf closing_tx;         /* agreed on, in this run */
	struct loading *loading;       /* owned; only between channel_load and channel_start */
	bool ignore_fee_limits;
	bool ahead[2];                 /* by side: the keys of its next commitment are not derived yet */
	struct txid commitment_txid;   /* of our latest commitment, once it was built */
	bool has_commitment_txid;
};

/* channel.c */
struct channel *channel_new(const struct channel_policy *policy, uint64_t key);
struct channel_note *channel_note(struct channel *ch, struct step *s, struct channel_notes *notes, enum channel_note_kind kind);
void channel_log(const struct channel *ch, const struct step *s, enum log_level level, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Sends and releases b. */
void channel_send(struct channel *ch, struct step *s, struct buf *b);
void channel_send_error(struct channel *ch, struct step *s, const char *text);
/* B1.error_warning.8: the transaction that a signature of the peer is not for, in hexadecimal; what becomes of the
 * channel is said apart. */
void channel_show_tx(struct channel *ch, struct step *s, const struct tx *t);
void channel_to(struct channel *ch, struct step *s, struct channel_notes *notes, enum channel_state state);
/* Writes what has changed and checks the invariants: the end of every public function. */
void channel_finish(struct channel *ch, struct step *s);
struct sign_request *channel_request(struct channel *ch, struct step *s, enum sign_kind kind);
void channel_ask(struct channel *ch, struct step *s, enum ask ask, struct sign_request *request);
void channel_unask(struct channel *ch);
/* A fault of the peer that a new connection may heal: warning, hang up, uncommitted things taken back. */
void channel_broken(struct channel *ch, struct step *s, struct channel_notes *notes, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same for a reason that the table of causes knows as something else than a bad message. */
void channel_broken_but(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause, const char *text);
/* A fault that ends the channel. */
void channel_broken_for_good(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause,
			     const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The link is gone: takes back what no signature covers. */
void channel_unlink(struct channel *ch, struct step *s, struct channel_notes *notes);
/* The newest offer of ours never was: only the last of SENT_ADD_HTLC. */
void channel_take_back_offer(struct channel *ch, struct step *s, struct channel_notes *notes, struct channel_htlc *h);
/* Sends the next thing that the protocol owes, if nothing is being signed. */
void channel_pump(struct channel *ch, struct step *s, struct channel_notes *notes);
/* Whether HTLCs and fees may move: both are ready, nothing has ended. */
bool channel_operating(const struct channel *ch);

/* balance.c */
void balances_init(struct channel *ch);
/* From the record, without any HTLC. */
void balances_start(struct channel *ch);
/* Takes all HTLCs of a channel that is being loaded; false, taking none, if its balances do not bear them. */
bool htlcs_adopt(struct channel *ch, struct channel_htlc *const *htlcs, uint32_t count);
struct channel_htlc *htlc_add(struct channel *ch, enum side owner, uint64_t id, enum htlc_state state, struct amount_msat amount);
void htlc_move(struct channel *ch, struct channel_htlc *h, enum htlc_state state);
void htlc_resolve(struct channel *ch, struct channel_htlc *h, enum htlc_state state, enum htlc_resolution resolution);
void htlc_mark(struct channel *ch, struct channel_htlc *h);
/* Takes it out for good, and out of the store. */
void htlc_remove(struct channel *ch, struct step *s, struct channel_htlc *h);
struct channel_htlc *htlc_find(const struct channel *ch, enum side owner, uint64_t id);
void htlc_set_bytes(struct bytes *owned, struct bytes v); /* replaces owned memory by a copy */
/* Moves the feerates by an event, or sets one; recounts what is trimmed. */
void feerates_move(struct channel *ch, enum htlc_event e);
void feerates_set(struct channel *ch, uint32_t index, struct feerate rate);
/* The record's side of it. */
void feerates_after(struct channel_record *r, enum htlc_event e);
/* What the opener pays in a view, with `more` untrimmed HTLCs on top. */
struct amount_msat view_cost(const struct channel *ch, enum htlc_view v, struct feerate rate, uint32_t more);
bool view_trims(const struct channel *ch, enum htlc_view v, struct feerate rate, enum side owner, struct amount_msat amount);
/* Recounted at another feerate. */
void view_at_feerate(const struct channel *ch, enum htlc_view v, struct feerate rate, uint32_t *untrimmed, struct amount_msat *dust);

/* spec.c */
struct commitment_spec *channel_spec(const struct channel *ch, enum htlc_view v, uint64_t number,
				     const struct pubkey *point, struct arena *a);

/* open.c, accept.c */
void open_on_keys(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer);
void open_on_accept(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void open_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer);
void open_on_signed(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void accept_on_keys(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer);
void accept_on_created(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void accept_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer);

/* terms.c: what open_channel and accept_channel must obey. */
struct terms {
	struct amount_sat funding;
	struct amount_msat push;
	struct feerate feerate;
	const struct channel_side *opener, *accepter;
	enum commitment_type type;
};
const char *terms_peer_side(const struct channel_policy *p, const struct channel_side *theirs, struct amount_sat funding);
const char *terms_balances(const struct terms *t);
bool terms_points_valid(const struct basepoints *b, const struct pubkey *first);
struct channel *channel_new_opening(struct step *s, const struct channel_open_args *args);
void opening_failed(struct channel *ch, struct step *s, struct channel_notes *notes, bool tell, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* BOLT 2 gives a channel its id by its funding outpoint: whether that would be the all-zero one. */
MUST_USE bool opening_id_is_zero(const struct outpoint *funding);
void opening_identify(struct channel *ch, struct step *s, struct channel_notes *notes, const struct outpoint *funding);
void opening_ask_signature(struct channel *ch, struct step *s);
/* Verifies the peer's signature of our commitment 0 and keeps it. */
bool opening_take_signature(struct channel *ch, struct step *s, const struct sig64 *sig);
void opening_done(struct channel *ch, struct step *s, struct channel_notes *notes);
void opening_set_balances(struct channel *ch, struct amount_msat push, struct feerate rate);

/* ready.c */
void ready_try(struct channel *ch, struct step *s, struct channel_notes *notes);
/* We are the fundee, and never called the channel ready. */
bool ready_nothing_at_stake(const struct channel *ch);
void ready_forget(struct channel *ch, struct step *s, struct channel_notes *notes, const char *why, bool tell_peer);
void ready_send(struct channel *ch, struct step *s);
void ready_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);

/* update.c, resolve.c, fee.c */
void update_on_add(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void update_on_fulfill(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void update_on_fail(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void update_on_fail_malformed(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void update_send_add(struct channel *ch, struct step *s, const struct channel_htlc *h);
void update_send_removal(struct channel *ch, struct step *s, const struct channel_htlc *h);
void update_propose_resolved(struct channel *ch);
bool update_may_afford(const struct channel *ch, struct amount_msat amount); /* balances alone, whatever the state */
void update_note_in(struct channel *ch, struct step *s, struct channel_notes *notes, const struct channel_htlc *h);
/* attribution: of the update that brought the preimage; empty when it is told again. */
void update_note_fulfilled(struct channel *ch, struct step *s, struct channel_notes *notes, const struct channel_htlc *h,
			   struct bytes attribution);
void fee_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
bool fee_may_move(const struct channel *ch, bool ours);
void fee_send(struct channel *ch, struct step *s, struct feerate rate);
/* The peer has signed for what it last asked. */
void fee_signed(struct channel *ch, const struct step *s);

/* commit.c, revoke.c */
bool commit_needed(const struct channel *ch);
/* Whether the updates that there are to commit to wait for more; the first time says until when (channel_deadline). */
bool commit_gathers(struct channel *ch, const struct step *s);
/* They have waited long enough. */
void commit_gather_tick(struct channel *ch, const struct step *s);
void commit_start(struct channel *ch, struct step *s, struct channel_notes *notes);
void commit_again(struct channel *ch, struct step *s);
void commit_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer);
void commit_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void commit_on_batch(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
/* Shows the peer what was not signed. */
bool commit_verify(struct channel *ch, struct step *s, struct arena *a, const struct commitment_spec *spec, const struct sig64 *sig,
		   const struct sig64 *htlcs, uint32_t htlc_count, const char **why);
void revoke_start(struct channel *ch, struct step *s);
void revoke_send_again(struct channel *ch, struct step *s);
void revoke_on_answer(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer);
void revoke_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);

/* reestablish.c */
void reestablish_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void abort_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void reestablish_on_proof(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer);

/* shutdown.c, close.c */
void shutdown_try(struct channel *ch, struct step *s, struct channel_notes *notes);
void shutdown_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void close_try(struct channel *ch, struct step *s, struct channel_notes *notes);
void close_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message);
void close_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer, bool agreed);
void close_forget_talk(struct channel *ch);

/* load.c */
void load_free(struct channel *ch);

/* fail.c */
void fail_with(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause, const char *text,
	       bool tell_peer);
void fail_publish(struct channel *ch, struct step *s);
void fail_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer);

#endif
