/* Following the best chain from a stored tip.
 *
 * A chain source says what its best chain is; this says what to do about it:
 * undo our tip, or take the next block.  Nothing is undone before the fork is
 * found, and each block must build on our tip, so a source that changes its
 * mind in the middle of it all only makes us look again.
 *
 * INV-F1  recent[] holds the hashes of our chain at height, height - 1, ... without a hole, `known` of them.
 * INV-F2  known >= 1 once started. */
#ifndef CHAIN_FOLLOW_H
#define CHAIN_FOLLOW_H

#include "base/bytes.h"
#include "base/types.h"

/* As many as the store keeps.  A deeper reorganisation is not survived: it stops the node. */
#define FOLLOW_KNOWN_MAX 144u

struct follow {
	bool started; /* there is a tip */
	uint32_t height;
	uint32_t known;
	struct block_hash recent[FOLLOW_KNOWN_MAX]; /* at height % FOLLOW_KNOWN_MAX */
};

void follow_init(struct follow *f);
/* The stored tip, then each stored header (in any order; those that leave a hole are not used). */
void follow_load_tip(struct follow *f, uint32_t height, const struct block_hash *hash);
/* Headers of stored heights, sorted from low to high. */
void follow_load_recent(struct follow *f, const struct block_hash *hashes, uint32_t first_height, uint32_t count);

/* Our hash at a height; NULL if it is not known. */
const struct block_hash *follow_hash(const struct follow *f, uint32_t height);

/* The next block.  False, nothing changed, if it does not build on our tip. */
MUST_USE bool follow_connect(struct follow *f, uint32_t height, const struct block_hash *hash,
			     const struct block_hash *previous);
/* Takes our tip away; out: what it was and what it built on.  False if what it built on is not known. */
MUST_USE bool follow_undo(struct follow *f, struct block_hash *hash, struct block_hash *previous);

/* Looks for the fork between us and another chain, from the top down: begin with follow_fork_start, then tell
 * the other chain's hash at fork.height until it is done. */
enum follow_verdict {
	FOLLOW_ASK,      /* tell me the other chain's hash at this height */
	FOLLOW_FOUND,    /* height is the last that both have */
	FOLLOW_TOO_DEEP, /* none of the blocks that we remember is there */
};

struct follow_fork {
	uint32_t height;
	enum follow_verdict verdict;
};

void follow_fork_start(const struct follow *f, struct follow_fork *fork, uint32_t other_height);
void follow_fork_tell(const struct follow *f, struct follow_fork *fork, const struct block_hash *other);

#endif
