/* Onions that came before.
 *
 * A node before us on a route may hand an onion in again, with an HTLC of its own, to see where it goes.  An honest
 * payment never brings one twice: each has a session key of its own.  So an onion is remembered with the HTLC that
 * brought it first, and refused with any other (BOLT 4 "Onion Decryption").
 *
 * The last REPLAY_MAX are remembered, in memory: an older one comes through again if its expiry still allows it.  A restart
 * forgets all but those whose HTLCs are still to be decided.  What a replay can do then is bounded by what it brings: its
 * HMAC binds it to the payment hash, so it is another HTLC of the same hash, with a fee of its own, that the next node
 * judges in its turn; an invoice that is paid takes none. */
#ifndef ONION_REPLAY_H
#define ONION_REPLAY_H

#include "base/table.h"
#include "onion/sphinx.h"

/* 5 MB in all, once there were so many: 2 of them, 3 to find them. */
#define REPLAY_MAX 65536u
#define REPLAY_BLOCK 1024u

struct replay_onion;

struct replay {
	struct table by_hmac;
	struct replay_onion *blocks[REPLAY_MAX / REPLAY_BLOCK]; /* a ring in order of arrival; they come as they are needed */
	uint32_t oldest;           /* the next to go, once the ring is full */
};

void replay_init(struct replay *r, const uint8_t seed16[16]);
void replay_release(struct replay *r);
/* A payment's packet whose HMAC was found good.  True if another HTLC brought it; else it is remembered. */
MUST_USE bool replay_seen(struct replay *r, const uint8_t packet1366[ONION_PACKET_SIZE], uint64_t channel_key, uint64_t htlc_id);

#endif
