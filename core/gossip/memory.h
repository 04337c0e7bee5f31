/* What gossip remembers of what it does not keep: scids that are not worth asking
 * for again, and nodes that nobody should believe.
 *
 * Both are of fixed size and forget the oldest of a bucket; which bucket an entry
 * falls into is keyed, so a stranger cannot push out one of his choice. */
#ifndef GOSSIP_MEMORY_H
#define GOSSIP_MEMORY_H

#include "base/bytes.h"
#include "base/types.h"

#define TOMBS_BUCKETS 4096u
#define TOMBS_WAYS 4u
#define BLACKLIST_MAX 256u

enum tomb {
	TOMB_NONE = 0,
	TOMB_STALE = 1,   /* no updates for two weeks: worth asking for once there are fresh ones */
	TOMB_SPENT = 2,   /* never again */
	TOMB_INVALID = 3, /* there is no such output, or it is not of these keys */
};

struct tombs {
	struct scid at[TOMBS_BUCKETS][TOMBS_WAYS];
	uint8_t why[TOMBS_BUCKETS][TOMBS_WAYS];
	uint8_t next[TOMBS_BUCKETS]; /* the way that is overwritten next */
	uint8_t seed[16];
};

void tombs_init(struct tombs *t, const uint8_t seed16[16]);
/* What stands for an announcement of that scid with these keys, where an scid does. */
struct scid tombs_name(const struct tombs *t, struct scid scid, const struct pubkey *key1, const struct pubkey *key2);
void tombs_put(struct tombs *t, struct scid scid, enum tomb why);
enum tomb tombs_get(const struct tombs *t, struct scid scid);
void tombs_remove(struct tombs *t, struct scid scid);

struct blacklist {
	struct pubkey at[BLACKLIST_MAX];
	uint32_t count, next;
};

void blacklist_put(struct blacklist *b, const struct pubkey *id);
MUST_USE bool blacklist_has(const struct blacklist *b, const struct pubkey *id);

#endif
