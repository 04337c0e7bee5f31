/* Failure messages and the return packets that carry them.
 *
 * BOLT 4 "Returning Errors", "Failure Messages", "Receiving Failure Codes".
 * The erring node seals a message under its shared secret, every node on the
 * way back wraps it once more, and the origin, who knows all secrets, opens it
 * and learns which hop spoke.  A node that cannot even open the packet tells
 * its peer with update_fail_malformed_htlc, and that peer seals on its behalf. */
#ifndef ONION_FAILURE_H
#define ONION_FAILURE_H

#include "onion/attribution.h"
#include "onion/sphinx.h"
#include "wire/message.h"

/* One failure message, of the codes FAIL_... that spec/bolt4.csv lists (or a
 * stranger's number).  Which member of the union counts is a matter of the
 * code; views in it are borrowed. */
struct failure {
	uint16_t code;
	union {
		struct fail_invalid_onion_hmac onion; /* all with FAIL_BADONION have this shape */
		struct fail_temporary_channel_failure temporary_channel_failure;
		struct fail_amount_below_minimum amount_below_minimum;
		struct fail_fee_insufficient fee_insufficient;
		struct fail_incorrect_cltv_expiry incorrect_cltv_expiry;
		struct fail_expiry_too_soon expiry_too_soon;
		struct fail_incorrect_or_unknown_payment_details payment_details;
		struct fail_final_incorrect_cltv_expiry final_incorrect_cltv_expiry;
		struct fail_final_incorrect_htlc_amount final_incorrect_htlc_amount;
		struct fail_channel_disabled channel_disabled;
		struct fail_invalid_onion_payload invalid_onion_payload;
	} u;
};

/* Failures with no data of their own, or with none to give (an empty channel_update). */
struct failure failure_plain(uint16_t code);
/* The channel_update of those that may carry one: a whole message, its type first, as others put it there and look for
 * it.  Borrowed.  Nothing to the others. */
void failure_set_update(struct failure *f, struct bytes update);
/* incorrect_or_unknown_payment_details, the final node's answer to most things. */
struct failure failure_payment_details(struct amount_msat htlc_amount, uint32_t height);
struct failure failure_invalid_payload(uint64_t tlv_type, uint16_t offset);
/* What this node has to say about a packet that onion_parse or onion_peel
 * refused: update_fail_malformed_htlc if failure_is_malformed, else a sealed
 * message.  fault is not ONION_GOOD. */
struct failure failure_of_fault(enum onion_fault fault, struct bytes packet);
/* A downstream peer's update_fail_malformed_htlc, to be sealed on its behalf
 * (BOLT 2 "Removing an HTLC").  code has FAIL_BADONION set. */
struct failure failure_from_malformed(uint16_t code, const struct sha256 *onion_hash);
static inline bool failure_is_malformed(const struct failure *f) { return f->code & FAIL_BADONION; }

/* Appends failure_code and its data. */
void failure_encode(const struct failure *f, struct buf *out);
/* Reads a message; extra bytes after the data are ignored.  False if the code is unknown or its data is cut
 * short: out->code is then still what was said (0 if there was none) and the rest is zeros.  Views point into
 * message. */
MUST_USE bool failure_decode(struct arena *a, struct failure *out, struct bytes message);
/* The name, or "failure 0x....", and for an invalid payload its place: for logs and users. */
const char *failure_words(struct arena *a, const struct failure *f);

/* failure_len and pad_len together, where the message allows it. */
#define FAILURE_PADDED_SIZE 256
/* hmac, two lengths, message and padding: the usual size of a return packet. */
#define FAILURE_PACKET_SIZE (32 + 2 + 2 + FAILURE_PADDED_SIZE)

/* What goes beside a return packet, or NULL where nobody takes it. */
struct failure_attribution {
	struct attribution data; /* as it came from downstream, or zeros; then as it goes upstream */
	uint32_t hold_time;      /* our own */
};

/* At the erring node: appends the return packet, already wrapped once. */
void failure_seal(struct buf *out, struct failure_attribution *attribution, const struct secret32 *shared_secret,
		  const struct failure *f);
/* At every node that hands a return packet on: transforms it in place. */
void failure_wrap(uint8_t *reason, size_t reason_size, struct failure_attribution *attribution,
		  const struct secret32 *shared_secret);

struct failure_report {
	uint32_t hop;         /* index into the secrets: who spoke */
	struct bytes message; /* failure_code and data; in the arena; may be empty or nonsense */
	struct attribution_report attributed; /* whoever spoke, and if nobody did: no further than that hop */
};

/* At the origin: secrets[hop_count] as onion_build gave them; attribution:
 * ATTRIBUTION_SIZE bytes, or empty.  False if no hop of the route made this
 * packet.  The work does not depend on who made it. */
MUST_USE bool failure_open(struct arena *a, struct failure_report *out, const struct secret32 *secrets,
			   uint32_t hop_count, struct bytes reason, struct bytes attribution);

#endif
