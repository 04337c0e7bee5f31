/* The log of gossip: records behind one another, each with its length and checksum.
 *
 *	"LMPGSP01" chain_hash(32) crc(4)              the header
 *	length(4) crc(4) kind(1) body(length)          a record; crc over kind and body
 *
 *	LOG_CHANNEL   amount(8) txid(32) channel_announcement
 *	LOG_UPDATE    channel_update
 *	LOG_NODE      node_announcement
 *	LOG_FORGET    scid(8): the channel is gone, with its updates
 *	LOG_SPENT     scid(8) height(4): its output was spent then; 0: not any more.  Read in old logs; now in the store
 *
 * Big endian.  What is read back is trusted as far as its checksum goes: its
 * signatures were verified before it was written.  The first record that is not
 * whole ends the log: a crash tears the end, and nothing behind it can be told
 * from what the disk had there before.  Values are stored: append only. */
#ifndef GOSSIP_LOG_H
#define GOSSIP_LOG_H

#include "base/bytes.h"
#include "base/types.h"

#define LOG_HEADER_SIZE 44u
#define LOG_RECORD_HEADER 9u
/* The largest body: a message and what a channel has besides. */
#define LOG_BODY_MAX (65535u + 40u)
/* Places are 32 bits; the log is compacted long before. */
#define LOG_SIZE_MAX 0xf0000000u

enum log_kind { LOG_CHANNEL = 1, LOG_UPDATE = 2, LOG_NODE = 3, LOG_FORGET = 4, LOG_SPENT = 5 };

void log_header_encode(uint8_t out[LOG_HEADER_SIZE], const struct block_hash *chain);
/* A log of this chain and of a version that we read. */
MUST_USE bool log_header_check(const uint8_t header[LOG_HEADER_SIZE], const struct block_hash *chain);

/* Appends a record; body is what the kind says. */
void log_record_encode(enum log_kind kind, struct bytes fixed, struct bytes message, struct buf *out);
/* The whole size of the record that starts here, from its first LOG_RECORD_HEADER bytes; 0: there is none. */
MUST_USE uint32_t log_record_size(const uint8_t *header);
/* record: exactly one.  False where it is damaged. */
MUST_USE bool log_record_decode(struct bytes record, enum log_kind *kind, struct bytes *body);
/* The same without looking at the checksum: of a record that log_next gave. */
MUST_USE bool log_record_open(struct bytes record, enum log_kind *kind, struct bytes *body);
/* The message in a body of a kind; empty for those without. */
struct bytes log_message(enum log_kind kind, struct bytes body);

/* Walks a log that is in memory.  False at its end; then at is where the next record goes: what is behind it
 * is torn and to be cut off. */
struct log_reader {
	struct bytes log;
	uint32_t at;
};
MUST_USE bool log_next(struct log_reader *r, uint32_t *ref, struct bytes *record);

/* Where records are, for an edge that writes the log anew while orders are on their way that were given before.  Zeros: it
 * was never written anew.
 *
 * A generation is the log between two rewritings.  What was appended from `start` on, where the rewriting began, was copied as
 * it was, to first_new in the new log; all before stays in the old one, as long as somebody may ask for it. */
struct log_places {
	uint32_t generation, start, first_new;
};
/* A new log takes the place of the old one. */
void log_places_rewritten(struct log_places *p, uint32_t start, uint32_t first_new);
/* Where a record is now that an order of that generation puts at ref; *old: in the log before this one.  False: in none of
 * the two. */
MUST_USE bool log_places_find(const struct log_places *p, uint32_t generation, uint32_t ref, bool *old, uint32_t *at);

#endif
