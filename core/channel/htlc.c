#include "channel/htlc.h"

/* The transition table.
 *
 *                               SEND_COMMIT          RECV_REVOKE                 RECV_COMMIT            SEND_REVOKE
 *  ours, being added:      0 -> 1               1 -> 2                      2 -> 3                 3 -> 4
 *  ours, being removed:    7 -> 8               8 -> 9                      5 -> 6                 6 -> 7
 *  theirs, being added:   12 -> 13             13 -> 14                    10 -> 11               11 -> 12
 *  theirs, being removed: 15 -> 16             16 -> 17                    17 -> 18               18 -> 19
 *
 * INV-H1  An event moves a state by exactly one, or not at all.
 * INV-H2  An HTLC enters and leaves VIEW_REMOTE by SEND_COMMIT alone, VIEW_LOCAL by RECV_COMMIT alone.
 * INV-H3  VIEW_x_NEXT of a state is VIEW_x of the state after the event that signs x.
 * INV-H4  VIEW_x_FULL has an HTLC exactly until somebody has proposed to remove it. */

#define L (1u << VIEW_LOCAL)
#define R (1u << VIEW_REMOTE)
#define LN (1u << VIEW_LOCAL_NEXT)
#define RN (1u << VIEW_REMOTE_NEXT)
#define LF (1u << VIEW_LOCAL_FULL)
#define RF (1u << VIEW_REMOTE_FULL)
#define NEVER 0xff

struct row {
	const char *name;
	uint8_t moved_by; /* the one event that moves it on, or NEVER */
	uint8_t views;
};

static const struct row table[HTLC_STATES] = {
	[SENT_ADD_HTLC] = { "SENT_ADD_HTLC", HTLC_SEND_COMMIT, RN | LF | RF },
	[SENT_ADD_COMMIT] = { "SENT_ADD_COMMIT", HTLC_RECV_REVOKE, R | RN | LF | RF },
	[RCVD_ADD_REVOCATION] = { "RCVD_ADD_REVOCATION", HTLC_RECV_COMMIT, R | RN | LN | LF | RF },
	[RCVD_ADD_ACK_COMMIT] = { "RCVD_ADD_ACK_COMMIT", HTLC_SEND_REVOKE, L | R | LN | RN | LF | RF },
	[SENT_ADD_ACK_REVOCATION] = { "SENT_ADD_ACK_REVOCATION", NEVER, L | R | LN | RN | LF | RF },
	[RCVD_REMOVE_HTLC] = { "RCVD_REMOVE_HTLC", HTLC_RECV_COMMIT, L | R | RN },
	[RCVD_REMOVE_COMMIT] = { "RCVD_REMOVE_COMMIT", HTLC_SEND_REVOKE, R | RN },
	[SENT_REMOVE_REVOCATION] = { "SENT_REMOVE_REVOCATION", HTLC_SEND_COMMIT, R },
	[SENT_REMOVE_ACK_COMMIT] = { "SENT_REMOVE_ACK_COMMIT", HTLC_RECV_REVOKE, 0 },
	[RCVD_REMOVE_ACK_REVOCATION] = { "RCVD_REMOVE_ACK_REVOCATION", NEVER, 0 },
	[RCVD_ADD_HTLC] = { "RCVD_ADD_HTLC", HTLC_RECV_COMMIT, LN | LF | RF },
	[RCVD_ADD_COMMIT] = { "RCVD_ADD_COMMIT", HTLC_SEND_REVOKE, L | LN | LF | RF },
	[SENT_ADD_REVOCATION] = { "SENT_ADD_REVOCATION", HTLC_SEND_COMMIT, L | LN | RN | LF | RF },
	[SENT_ADD_ACK_COMMIT] = { "SENT_ADD_ACK_COMMIT", HTLC_RECV_REVOKE, L | R | LN | RN | LF | RF },
	[RCVD_ADD_ACK_REVOCATION] = { "RCVD_ADD_ACK_REVOCATION", NEVER, L | R | LN | RN | LF | RF },
	[SENT_REMOVE_HTLC] = { "SENT_REMOVE_HTLC", HTLC_SEND_COMMIT, L | R | LN },
	[SENT_REMOVE_COMMIT] = { "SENT_REMOVE_COMMIT", HTLC_RECV_REVOKE, L | LN },
	[RCVD_REMOVE_REVOCATION] = { "RCVD_REMOVE_REVOCATION", HTLC_RECV_COMMIT, L },
	[RCVD_REMOVE_ACK_COMMIT] = { "RCVD_REMOVE_ACK_COMMIT", HTLC_SEND_REVOKE, 0 },
	[SENT_REMOVE_ACK_REVOCATION] = { "SENT_REMOVE_ACK_REVOCATION", NEVER, 0 },
};

const char *htlc_state_name(enum htlc_state s)
{
	ASSERT((unsigned)s < HTLC_STATES);
	return table[s].name;
}

enum htlc_state htlc_state_after(enum htlc_state s, enum htlc_event e)
{
	ASSERT((unsigned)s < HTLC_STATES && (unsigned)e < HTLC_EVENTS);
	return table[s].moved_by == e ? s + 1 : s;
}

enum side htlc_state_owner(enum htlc_state s)
{
	return s < RCVD_ADD_HTLC ? SIDE_LOCAL : SIDE_REMOTE;
}

uint32_t htlc_state_views(enum htlc_state s)
{
	ASSERT((unsigned)s < HTLC_STATES);
	return table[s].views;
}

bool htlc_state_in(enum htlc_state s, enum htlc_view v)
{
	return htlc_state_views(s) >> v & 1;
}

bool htlc_state_in_remote_previous(enum htlc_state s)
{
	switch (s) {
	/* These were reached by the commitment_signed that is not revoked for yet. */
	case SENT_ADD_COMMIT:
	case SENT_ADD_ACK_COMMIT:
		return false;
	case SENT_REMOVE_COMMIT:
	case SENT_REMOVE_ACK_COMMIT:
		return true;
	case SENT_ADD_HTLC:
	case RCVD_ADD_REVOCATION:
	case RCVD_ADD_ACK_COMMIT:
	case SENT_ADD_ACK_REVOCATION:
	case RCVD_REMOVE_HTLC:
	case RCVD_REMOVE_COMMIT:
	case SENT_REMOVE_REVOCATION:
	case RCVD_REMOVE_ACK_REVOCATION:
	case RCVD_ADD_HTLC:
	case RCVD_ADD_COMMIT:
	case SENT_ADD_REVOCATION:
	case RCVD_ADD_ACK_REVOCATION:
	case SENT_REMOVE_HTLC:
	case RCVD_REMOVE_REVOCATION:
	case RCVD_REMOVE_ACK_COMMIT:
	case SENT_REMOVE_ACK_REVOCATION:
		break;
	}
	return htlc_state_in(s, VIEW_REMOTE);
}

bool htlc_state_live(enum htlc_state s)
{
	return htlc_state_in(s, VIEW_LOCAL) || htlc_state_in(s, VIEW_REMOTE) || htlc_state_in_remote_previous(s);
}

bool htlc_state_removing(enum htlc_state s)
{
	return (s >= RCVD_REMOVE_HTLC && s <= RCVD_REMOVE_ACK_REVOCATION) || s >= SENT_REMOVE_HTLC;
}

bool htlc_state_reverted(enum htlc_state s, enum htlc_state *out)
{
	*out = s;
	if (s == SENT_ADD_HTLC || s == RCVD_ADD_HTLC)
		return false;
	if (s == RCVD_REMOVE_HTLC)
		*out = SENT_ADD_ACK_REVOCATION;
	else if (s == SENT_REMOVE_HTLC)
		*out = RCVD_ADD_ACK_REVOCATION;
	return true;
}
