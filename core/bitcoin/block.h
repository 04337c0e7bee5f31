/* Blocks: headers, proof of work, chain work, and the transactions one by one. */
#ifndef BITCOIN_BLOCK_H
#define BITCOIN_BLOCK_H

#include "bitcoin/tx.h"

#define BLOCK_HEADER_SIZE 80u
/* 2^24 transactions: more than four million weight units can hold, and what a scid can number. */
#define MERKLE_LEVELS 25u

struct block_header {
	int32_t version;
	struct block_hash prev;
	struct sha256 merkle_root;
	uint32_t time, bits, nonce;
};

void block_header_read(struct block_header *h, struct cursor *c);
void block_header_encode(uint8_t out80[BLOCK_HEADER_SIZE], const struct block_header *h);
struct block_hash block_header_hash(const struct block_header *h);

/* A number of 256 bits, most significant limb first. */
struct u256 {
	uint64_t limb[4];
};

int u256_cmp(const struct u256 *a, const struct u256 *b);
/* False, out unchanged, on overflow. */
MUST_USE bool u256_add(struct u256 *out, const struct u256 *a, const struct u256 *b);
void u256_store_be(uint8_t out32[32], const struct u256 *v);
struct u256 u256_load_be(const uint8_t in32[32]);

/* The target that a header's bits stand for; false where they are negative, zero or too large. */
MUST_USE bool block_target(struct u256 *out, uint32_t bits);
/* The hash is at or below the header's own target, which is no easier than that of limit_bits (struct network). */
MUST_USE bool block_work_proved(const struct block_hash *hash, uint32_t bits, uint32_t limit_bits);
/* The expected hashes for one block: 2^256 / (target + 1).  Zero for bits that are no target. */
struct u256 block_work(uint32_t bits);

/* A merkle root over leaves that come one by one. */
struct merkle {
	struct sha256 level[MERKLE_LEVELS];
	uint32_t count;
	bool mutated; /* CVE-2012-2459: two equal neighbours, so that another list has this root too */
};

void merkle_init(struct merkle *m);
void merkle_add(struct merkle *m, const struct txid *leaf);
/* Zeros where there are no leaves.  Sets mutated. */
struct sha256 merkle_root(struct merkle *m);

/* Reads a block without holding more than one of its transactions. */
struct block_reader {
	struct block_header header;
	struct block_hash hash;
	uint32_t tx_count, tx_index; /* tx_index: of the one that block_next returns next */
	struct cursor rest;
	struct merkle merkle;
};

/* raw is borrowed until the reader is done with.  False if there is no header with a count of transactions. */
MUST_USE bool block_open(struct block_reader *r, struct bytes raw);
/* The next transaction, its arrays in the arena (which may be reset between calls), and its id.  NULL at the end or
 * where the bytes are no transaction.  No stricter than consensus. */
struct tx *block_next(struct block_reader *r, struct arena *a, struct txid *id);
/* After the last: every byte was read and the transactions are those that the header commits to. */
MUST_USE bool block_complete(struct block_reader *r);

#endif
