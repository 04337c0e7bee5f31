/* A network of nodes and channels that nobody runs, every signature of which is good: deterministic keys, so any
 * program of a benchmark can speak for all of it.
 *
 * Each node has a channel at least; some have very many, as in the real one. */
#ifndef BENCH_LOAD_CROWD_H
#define BENCH_LOAD_CROWD_H

#include "base/bytes.h"
#include "base/arena.h"
#include "crypto/keys.h"
#include "wire/message.h"

/* The size of the network in February 2026. */
#define CROWD_CHANNELS 50808u
#define CROWD_NODES 17324u

struct crowd {
	struct secp *secp;
	struct block_hash chain;
	uint32_t channels, nodes;
	struct pubkey *ids;      /* of nodes */
	uint32_t (*ends)[2];     /* of channels: the node with the lesser id first */
	struct scid *scids;      /* of channels; set before anything is signed */
};

/* Key number of a kind: 'n' of nodes, '1' and '2' of both ends of a channel; 'p' and 'e' of peers, for good and for a line. */
struct secret32 crowd_key(char kind, uint32_t number);

/* channels >= nodes >= 2.  The scids are those of crowd_place(1, per_block). */
struct crowd *crowd_new(uint32_t channels, uint32_t nodes, const struct block_hash *chain);
void crowd_free(struct crowd *n);
/* per_block channels a block, from this height on, all in one transaction. */
void crowd_place(struct crowd *n, uint32_t height, uint32_t tx_index, uint32_t per_block);

/* The scriptPubKey of a channel's output. */
struct bytes crowd_script(const struct crowd *n, struct arena *a, uint32_t channel);
/* Whole messages, signed; appended.  Any thread. */
void crowd_announcement(const struct crowd *n, uint32_t channel, struct buf *out);
void crowd_update(const struct crowd *n, uint32_t channel, uint32_t direction, uint32_t timestamp, struct buf *out);
void crowd_node(const struct crowd *n, uint32_t node, uint32_t timestamp, struct buf *out);

#endif
