/* Failure messages and the return packets that carry them.
 *
 * BOLT 4 "Returning Errors", "Failure Messages", "Receiving Failure Codes".
 * The erring node seals a message under its shared secret, every node on the
 * way back wraps it once more, and the origin, who knows all secrets, opens it
 * and learns which hop spoke.  A node that cannot even open the packet tells
 * its peer with update_fail_malformed_htlc, and that peer seals on its behalf. */
#ifndef ONION_FAILURE_H
#define ONION_FAILURE_H

#include "base/amount.h"
#include "base/arena.h"
#include "onion/sphinx.h"

#define FAILURE_BADONION 0x8000u /* the packet could not be opened: update_fail_malformed_htlc */
#define FAILURE_PERM 0x4000u
#define FAILURE_NODE 0x2000u
#define FAILURE_UPDATE 0x1000u

/* Stored in records and told to users by number. */
enum failure_code {
	FAIL_TEMPORARY_NODE_FAILURE = 0x2002,
	FAIL_PERMANENT_NODE_FAILURE = 0x6002,
	FAIL_REQUIRED_NODE_FEATURE_MISSING = 0x6003,
	FAIL_INVALID_ONION_VERSION = 0xc004,
	FAIL_INVALID_ONION_HMAC = 0xc005,
	FAIL_INVALID_ONION_KEY = 0xc006,
	FAIL_TEMPORARY_CHANNEL_FAILURE = 0x1007,
	FAIL_PERMANENT_CHANNEL_FAILURE = 0x4008,
	FAIL_REQUIRED_CHANNEL_FEATURE_MISSING = 0x4009,
	FAIL_UNKNOWN_NEXT_PEER = 0x400a,
	FAIL_AMOUNT_BELOW_MINIMUM = 0x100b,
	FAIL_FEE_INSUFFICIENT = 0x100c,
	FAIL_INCORRECT_CLTV_EXPIRY = 0x100d,
	FAIL_EXPIRY_TOO_SOON = 0x100e,
	FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS = 0x400f,
	FAIL_FINAL_INCORRECT_CLTV_EXPIRY = 0x0012,
	FAIL_FINAL_INCORRECT_HTLC_AMOUNT = 0x0013,
	FAIL_CHANNEL_DISABLED = 0x1014,
	FAIL_EXPIRY_TOO_FAR = 0x0015,
	FAIL_INVALID_ONION_PAYLOAD = 0x4016,
	FAIL_MPP_TIMEOUT = 0x0017,
	FAIL_INVALID_ONION_BLINDING = 0xc018,
};

/* One failure message.  Which fields count is a matter of the code. */
struct failure {
	uint16_t code;               /* enum failure_code, or a stranger's number */
	struct sha256 onion_hash;    /* all with FAILURE_BADONION */
	struct amount_msat amount;   /* amount_below_minimum, fee_insufficient, incorrect_or_unknown_payment_details,
				      * final_incorrect_htlc_amount */
	uint32_t height;             /* incorrect_cltv_expiry and final_incorrect_cltv_expiry (cltv_expiry),
				      * incorrect_or_unknown_payment_details (best known height) */
	uint16_t disabled_flags;     /* channel_disabled: 0 */
	struct bytes channel_update; /* all with FAILURE_UPDATE; borrowed; empty: none given */
	uint64_t tlv_type;           /* invalid_onion_payload */
	uint16_t tlv_offset;
};

/* Failures with no data of their own, or with none to give (an empty channel_update). */
struct failure failure_plain(enum failure_code code);
/* incorrect_or_unknown_payment_details, the final node's answer to most things. */
struct failure failure_payment_details(struct amount_msat htlc_amount, uint32_t height);
struct failure failure_invalid_payload(uint64_t tlv_type, uint16_t offset);
/* What this node has to say about a packet that onion_parse or onion_peel
 * refused: update_fail_malformed_htlc if failure_is_malformed, else a sealed
 * message.  fault is not ONION_GOOD. */
struct failure failure_of_fault(enum onion_fault fault, struct bytes packet);
/* A downstream peer's update_fail_malformed_htlc, to be sealed on its behalf
 * (BOLT 2 "Removing an HTLC").  code has FAILURE_BADONION set. */
struct failure failure_from_malformed(uint16_t code, const struct sha256 *onion_hash);
static inline bool failure_is_malformed(const struct failure *f) { return f->code & FAILURE_BADONION; }

/* Appends failure_code and its data. */
void failure_encode(const struct failure *f, struct buf *out);
/* Reads a message; extra bytes after the data are ignored.  False if the code is unknown or its data is cut
 * short: out->code is then still what was said (0 if there was none). */
MUST_USE bool failure_decode(struct failure *out, struct bytes message);
/* BOLT 4's name of the code, or NULL. */
const char *failure_name(uint16_t code);
/* The name, or "failure 0x....", and for an invalid payload its place: for logs and users. */
const char *failure_words(struct arena *a, const struct failure *f);

/* failure_len and pad_len together, where the message allows it. */
#define FAILURE_PADDED_SIZE 256
/* hmac, two lengths, message and padding: the usual size of a return packet. */
#define FAILURE_PACKET_SIZE (32 + 2 + 2 + FAILURE_PADDED_SIZE)

/* At the erring node: appends the return packet, already wrapped once. */
void failure_seal(struct buf *out, const struct secret32 *shared_secret, const struct failure *f);
/* At every node that hands a return packet on: transforms it in place. */
void failure_wrap(uint8_t *reason, size_t reason_size, const struct secret32 *shared_secret);

struct failure_report {
	uint32_t hop;         /* index into the secrets: who spoke */
	struct bytes message; /* failure_code and data; in the arena; may be empty or nonsense */
};

/* At the origin: secrets[hop_count] as onion_build gave them.  False if no hop
 * of the route made this packet.  The work does not depend on who made it. */
MUST_USE bool failure_open(struct arena *a, struct failure_report *out, const struct secret32 *secrets,
			   uint32_t hop_count, struct bytes reason);

#endif
