/* Opening the onion of an incoming HTLC, question by question.
 *
 * The node's key is in a signer, so an opening alternates: it asks for the
 * ECDH of a point with the node key, the owner brings the answer, until the
 * packet is open or refused.  It holds no secret but the packet's shared one
 * and starts anew after a restart.
 *
 *	opening_start    -> OPENING_ASK or OPENING_REFUSED
 *	opening_answer   -> OPENING_ASK, OPENING_DONE or OPENING_REFUSED
 *
 * Sources: BOLT 4 "Onion Decryption", "Accepting and Forwarding a Payment",
 * "Failure Messages"; BOLT 2 "Removing an HTLC". */
#ifndef ONION_OPENING_H
#define ONION_OPENING_H

#include "onion/payload.h"

enum opening_state { OPENING_ASK, OPENING_DONE, OPENING_REFUSED };

struct opening {
	enum opening_state state;
	uint8_t packet[ONION_PACKET_SIZE];
	struct sha256 payment_hash;
	struct pubkey ask;              /* ASK: SHA256 of this point times the node key is wanted */
	/* Of the packet, from the answer on: failures of this HTLC are sealed and wrapped with it. */
	struct secret32 shared_secret;

	struct payload payload;         /* DONE; views live as long as the arena of the answer */
	struct bytes next;              /* DONE, not final: the packet for the next hop, in that arena */

	struct failure why;             /* REFUSED */
	bool malformed;                 /* REFUSED: as update_fail_malformed_htlc; else sealed in update_fail_htlc */
};

/* Copies the packet.  path_key is the incoming update_add_htlc's, or NULL. */
MUST_USE enum opening_state opening_start(struct opening *o, const uint8_t packet1366[ONION_PACKET_SIZE],
					  const struct sha256 *payment_hash, const struct pubkey *path_key);
MUST_USE enum opening_state opening_answer(struct opening *o, struct arena *a, const struct secret32 *secret);
void opening_wipe(struct opening *o);

#endif
