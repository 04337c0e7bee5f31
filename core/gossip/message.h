/* What BOLT 7's announcements say beyond their fields: what is signed by whom, the
 * checksum of an update, arrays of scids and flags, and how our own are built.
 *
 * Decoding is wire/bolt7.h; `raw` is always a whole message, its type included. */
#ifndef GOSSIP_MESSAGE_H
#define GOSSIP_MESSAGE_H

#include "gossip/graph.h"
#include "wire/message.h"

/* One ECDSA verification.  Signatures are the dearest thing about gossip, so they are handed out in lots and checked
 * elsewhere. */
struct gossip_check {
	struct sha256 hash; /* SHA256d of what is signed */
	struct sig64 signature;
	struct pubkey key;
};
#define GOSSIP_CHECKS_MAX 4u /* of one message */

/* The bytes that are signed: all after the signatures, extensions included. */
struct bytes channel_announcement_signed(struct bytes raw);
struct bytes node_announcement_signed(struct bytes raw);
struct bytes channel_update_signed(struct bytes raw);

/* Return how many checks they wrote. */
uint32_t channel_announcement_checks(struct gossip_check out[4], const struct msg_channel_announcement *m, struct bytes raw);
uint32_t node_announcement_checks(struct gossip_check out[1], const struct msg_node_announcement *m, struct bytes raw);
uint32_t channel_update_checks(struct gossip_check out[1], const struct msg_channel_update *m, struct bytes raw,
			       const struct pubkey *origin);

enum { UPDATE_MUST_BE_ONE = 1, UPDATE_DONT_FORWARD = 2 }; /* message_flags */
#define UPDATE_SCID_AT 98u                                /* type, signature and chain_hash come first */
enum { UPDATE_DIRECTION = 1, UPDATE_DISABLE = 2 };        /* channel_flags */

/* CRC32C (RFC 3720) of an update without signature and timestamp: equal exactly where it says the same. */
uint32_t crc32c(uint32_t crc, struct bytes b);
uint32_t channel_update_checksum(struct bytes raw);
/* Everything but ref and allowance. */
struct graph_policy channel_update_policy(const struct msg_channel_update *m, struct bytes raw);

/* An even bit that has no name in BOLT 9: what carries it is not for us. */
MUST_USE bool features_unknown_even(struct bytes features);
/* Bits 0 to 63. */
uint64_t features_low(struct bytes features);

/* ---- Arrays of query messages: one byte of encoding and the items ---- */

#define ENCODING_PLAIN 0u
/* False for any encoding but 0: zlib MUST NOT be used (B7.query_messages.1), and a part of an item. */
MUST_USE bool scids_decode(struct bytes encoded, struct arena *a, struct scid **out, uint32_t *count);
void scids_encode(const struct scid *list, uint32_t count, struct buf *out);
/* One bigsize a scid, exactly count of them. */
MUST_USE bool query_flags_decode(const struct tlv_query_short_channel_ids_query_flags *t, struct arena *a,
				 uint32_t count, uint64_t **out);

enum {
	QUERY_ANNOUNCEMENT = 1, QUERY_UPDATE_1 = 2, QUERY_UPDATE_2 = 4, QUERY_NODE_1 = 8, QUERY_NODE_2 = 16,
	QUERY_ALL = 31,
};
enum { RANGE_TIMESTAMPS = 1, RANGE_CHECKSUMS = 2 };

/* ---- Ours ---- */

/* The two ends of a channel, ours first; ordered here. */
struct own_announcement {
	struct block_hash chain;
	struct scid scid;
	struct pubkey node[2], funding[2]; /* [0]: ours */
	struct bytes features;             /* of the channel; trimmed here */
};
/* Without signatures (zeros): what SIGN_ANNOUNCEMENT gets is channel_announcement_signed of it.  Appends. */
void own_announcement_build(const struct own_announcement *o, struct buf *out);
/* Puts the signatures into a message that own_announcement_build made: [0] ours, [1] theirs. */
void own_announcement_sign(const struct own_announcement *o, struct buf *message, const struct sig64 node[2],
			   const struct sig64 funding[2]);

struct own_update {
	struct block_hash chain;
	struct scid scid;
	struct pubkey node[2]; /* [0]: ours */
	bool to_peer_only;     /* an unannounced channel: dont_forward */
	bool disabled;
	uint32_t timestamp;
	uint16_t cltv_delta;
	struct amount_msat htlc_minimum, htlc_maximum;
	uint32_t fee_base_msat, fee_ppm;
};
/* Without its signature.  Appends. */
void own_update_build(const struct own_update *u, struct buf *out);

struct own_node {
	struct pubkey id;
	struct bytes features; /* trimmed here */
	uint32_t timestamp;
	uint8_t rgb[3];
	uint8_t alias[32];     /* own_node_alias */
	struct bytes addresses; /* descriptor_list_encode */
};
/* UTF-8, cut at a character, zeros behind it.  False, all zeros, for what is not UTF-8. */
MUST_USE bool own_node_alias(uint8_t out32[32], struct bytes alias);
void own_node_build(const struct own_node *n, struct buf *out);
/* Of an update or a node_announcement. */
void own_message_sign(struct buf *message, const struct sig64 *signature);

#endif
