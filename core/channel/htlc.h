/* The life of one HTLC and of one feerate: Core Lightning's twenty states.
 *
 * An update walks through its states by four events: we or the peer commit to
 * it (commitment_signed), we or the peer revoke what was before it
 * (revoke_and_ack).  htlc.c holds the one table.
 *
 * A *view* is a commitment transaction as seen at some moment; a state says in
 * which views the HTLC is.  Feerates walk through the ten adding states. */
#ifndef CHANNEL_HTLC_H
#define CHANNEL_HTLC_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/keys.h"

/* Stored values. */
enum htlc_state {
	/* Ours, being added. */
	SENT_ADD_HTLC = 0,
	SENT_ADD_COMMIT = 1,
	RCVD_ADD_REVOCATION = 2,
	RCVD_ADD_ACK_COMMIT = 3,
	SENT_ADD_ACK_REVOCATION = 4, /* irrevocably committed on both sides */
	/* Ours, being removed by the peer. */
	RCVD_REMOVE_HTLC = 5,
	RCVD_REMOVE_COMMIT = 6,
	SENT_REMOVE_REVOCATION = 7,
	SENT_REMOVE_ACK_COMMIT = 8,
	RCVD_REMOVE_ACK_REVOCATION = 9, /* gone */
	/* Theirs, being added. */
	RCVD_ADD_HTLC = 10,
	RCVD_ADD_COMMIT = 11,
	SENT_ADD_REVOCATION = 12,
	SENT_ADD_ACK_COMMIT = 13,
	RCVD_ADD_ACK_REVOCATION = 14, /* irrevocably committed on both sides */
	/* Theirs, being removed by us. */
	SENT_REMOVE_HTLC = 15,
	SENT_REMOVE_COMMIT = 16,
	RCVD_REMOVE_REVOCATION = 17,
	RCVD_REMOVE_ACK_COMMIT = 18,
	SENT_REMOVE_ACK_REVOCATION = 19, /* gone */
};
#define HTLC_STATES 20

enum htlc_event {
	HTLC_SEND_COMMIT = 0, /* our commitment_signed: the peer's commitment changes */
	HTLC_RECV_REVOKE = 1,
	HTLC_RECV_COMMIT = 2, /* the peer's commitment_signed: our commitment changes */
	HTLC_SEND_REVOKE = 3,
};
#define HTLC_EVENTS 4

/* Which commitment, as seen when. */
enum htlc_view {
	VIEW_LOCAL = 0,       /* ours, the latest that is countersigned */
	VIEW_REMOTE = 1,      /* theirs, the latest that we signed */
	VIEW_LOCAL_NEXT = 2,  /* ours, if they signed now */
	VIEW_REMOTE_NEXT = 3, /* theirs, if we signed now */
	VIEW_LOCAL_FULL = 4,  /* ours, once everything that either side has proposed is applied */
	VIEW_REMOTE_FULL = 5, /* the same HTLCs; they differ in what is trimmed */
};
#define HTLC_VIEWS 6

const char *htlc_state_name(enum htlc_state s);
/* The state after an event; the same one if the event does not concern it. */
enum htlc_state htlc_state_after(enum htlc_state s, enum htlc_event e);
/* Who offered it. */
enum side htlc_state_owner(enum htlc_state s);
MUST_USE bool htlc_state_in(enum htlc_state s, enum htlc_view v);
/* One bit a view. */
uint32_t htlc_state_views(enum htlc_state s);
/* Whether it was in the peer's previous commitment, while that one is not revoked. */
MUST_USE bool htlc_state_in_remote_previous(enum htlc_state s);
/* Whether it may still be in a commitment that somebody can publish without being punished. */
MUST_USE bool htlc_state_live(enum htlc_state s);
/* Its removal has been proposed, at least. */
MUST_USE bool htlc_state_removing(enum htlc_state s);
/* What survives a disconnection: proposals that no signature covers are taken back.  False: it is forgotten. */
MUST_USE bool htlc_state_reverted(enum htlc_state s, enum htlc_state *out);
/* Whose commitment a view is. */
static inline enum side view_side(enum htlc_view v)
{
	return (v & 1) ? SIDE_REMOTE : SIDE_LOCAL;
}

#endif
