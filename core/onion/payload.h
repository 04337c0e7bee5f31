/* What an onion tells one hop about its HTLC.
 *
 * BOLT 4 "payload format" and its reader's and writer's requirements, for hops
 * outside of blinded paths; bLIP 3 keysend.  payload_read checks the form and
 * which records must be there; whether the HTLC keeps to what its payload says
 * is for those to check who know the HTLC (payment/). */
#ifndef ONION_PAYLOAD_H
#define ONION_PAYLOAD_H

#include "onion/failure.h"

/* Numbers below it are the specification's, from it on anybody's. */
#define PAYLOAD_CUSTOM_MIN 65536u
#define PAYLOAD_KEYSEND 5482373484ull

struct payload {
	bool is_final;
	struct amount_msat amount;   /* amt_to_forward: of the outgoing HTLC, or what must arrive at the final node */
	uint32_t cltv_expiry;        /* outgoing_cltv_value, a block height */
	struct scid scid;            /* not final: the outgoing channel */
	bool has_secret;             /* final: payment_data was there */
	struct secret32 secret;
	struct amount_msat total;    /* final: total_msat; without payment_data the amount (B4.packet_structure.54) */
	bool has_metadata;
	struct bytes metadata;
	bool has_keysend;
	struct preimage keysend;
	struct tlv_record *custom;   /* the other records from PAYLOAD_CUSTOM_MIN on, in order */
	uint32_t custom_count;
};

/* The payload of a peeled packet.  False: the packet is to be refused with *why
 * (sealed, not malformed).  Views point into tlvs, arrays into the arena. */
MUST_USE bool payload_read(struct arena *a, struct payload *out, struct failure *why, struct bytes tlvs, bool is_final);

/* Appends the TLV stream.  What the kind of hop must not carry must not be set
 * (asserted); custom records must be in order. */
void payload_write(const struct payload *p, struct buf *out);

#endif
