/* attribution_data: who held an HTLC for how long, and who changed what came back.
 *
 * BOLT 4 "Returning Errors", "Hold times for successful payments"; BOLT 2 "Removing an HTLC" has the layout: 20 hold
 * times, then 210 HMACs of four bytes, for as many nodes as a route may have here.  Each node on the way back puts its
 * hold time in front, an HMAC for each place of the route that it could be at, and hides all of it under a stream; only
 * the origin, who knows the secrets and the places, can take that off again.  An HMAC covers what came from downstream,
 * so whoever changes it shows where that happened: between two nodes, never at one of them.
 *
 * A route of more than ATTRIBUTION_HOPS nodes has none: its first HMACs are gone before they get to the origin. */
#ifndef ONION_ATTRIBUTION_H
#define ONION_ATTRIBUTION_H

#include "base/bytes.h"
#include "base/types.h"

#define ATTRIBUTION_HOPS 20
#define ATTRIBUTION_HMACS 210 /* 20 + 19 + ... + 1 */
#define ATTRIBUTION_HMAC_SIZE 4
#define ATTRIBUTION_TIMES_SIZE (4 * ATTRIBUTION_HOPS)
#define ATTRIBUTION_HMACS_SIZE (ATTRIBUTION_HMAC_SIZE * ATTRIBUTION_HMACS)
#define ATTRIBUTION_SIZE (ATTRIBUTION_TIMES_SIZE + ATTRIBUTION_HMACS_SIZE)
/* The unit of hold times. */
#define ATTRIBUTION_UNIT_MS 100u

/* As on the wire: hold times, HMACs. */
struct attribution {
	uint8_t v[ATTRIBUTION_SIZE];
};

/* Of a hold time in milliseconds; what a field cannot say is its most. */
uint32_t attribution_units(uint64_t held_ms);

/* Puts a node's word in front, in place: all zeros before it at the node that resolves the HTLC, and at one that got none
 * from downstream.  report: the return packet as it is before this node's stream; empty for a payment that arrived. */
void attribution_add(struct attribution *a, const struct secret32 *shared_secret, uint32_t hold_time, struct bytes report);

/* What an origin finds in it. */
struct attribution_report {
	bool present;
	uint32_t verified;        /* so many nodes, from the first, whose HMAC is right */
	uint32_t hold_times[ATTRIBUTION_HOPS]; /* of those */
	bool silent;              /* the last of them had nothing from downstream: the next one does not take part, or it resolved the HTLC */
};

/* Reading it, hop by hop. */
struct attribution_reader {
	struct attribution left;  /* as the next hop sent it */
	uint32_t hop_count, at;
	bool broken;
	struct attribution_report report;
};

/* data: ATTRIBUTION_SIZE bytes, or empty: nothing came. */
void attribution_reader_init(struct attribution_reader *r, struct bytes data, uint32_t hop_count);
/* The next hop; report: the return packet with that hop's stream off.  Of what came, the work does not depend on what is
 * found; behind the ATTRIBUTION_HOPS'th it is none. */
void attribution_read(struct attribution_reader *r, const struct secret32 *shared_secret, struct bytes report);

/* All of a payment that arrived: secrets[hop_count] as onion_build gave them. */
void attribution_open(struct attribution_report *out, const struct secret32 *secrets, uint32_t hop_count, struct bytes data);

#endif
