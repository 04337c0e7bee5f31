#include "gossip/memory.h"

#include <string.h>

#include "base/table.h"

void tombs_init(struct tombs *t, const uint8_t seed16[16])
{
	memset(t, 0, sizeof(*t));
	memcpy(t->seed, seed16, 16);
}

static uint32_t bucket_of(const struct tombs *t, struct scid scid)
{
	uint8_t key[8];

	store_le64(key, scid.v);
	return (uint32_t)(siphash24(t->seed, BYTES_OF(key)) % TOMBS_BUCKETS);
}

static int way_of(const struct tombs *t, uint32_t bucket, struct scid scid)
{
	for (int i = 0; i < (int)TOMBS_WAYS; i++)
		if (t->why[bucket][i] != TOMB_NONE && t->at[bucket][i].v == scid.v)
			return i;
	return -1;
}

struct scid tombs_name(const struct tombs *t, struct scid scid, const struct pubkey *key1, const struct pubkey *key2)
{
	uint8_t text[8 + 2 * sizeof(key1->v)];

	store_be64(text, scid.v);
	memcpy(text + 8, key1->v, sizeof(key1->v));
	memcpy(text + 8 + sizeof(key1->v), key2->v, sizeof(key2->v));
	return (struct scid){ siphash24(t->seed, BYTES_OF(text)) };
}

void tombs_put(struct tombs *t, struct scid scid, enum tomb why)
{
	uint32_t bucket = bucket_of(t, scid);
	int way = way_of(t, bucket, scid);

	if (way < 0) {
		way = t->next[bucket];
		t->next[bucket] = (uint8_t)((way + 1) % (int)TOMBS_WAYS);
	}
	t->at[bucket][way] = scid;
	t->why[bucket][way] = (uint8_t)why;
}

enum tomb tombs_get(const struct tombs *t, struct scid scid)
{
	uint32_t bucket = bucket_of(t, scid);
	int way = way_of(t, bucket, scid);

	return way < 0 ? TOMB_NONE : (enum tomb)t->why[bucket][way];
}

void tombs_remove(struct tombs *t, struct scid scid)
{
	uint32_t bucket = bucket_of(t, scid);
	int way = way_of(t, bucket, scid);

	if (way >= 0)
		t->why[bucket][way] = TOMB_NONE;
}

void blacklist_put(struct blacklist *b, const struct pubkey *id)
{
	if (blacklist_has(b, id))
		return;
	b->at[b->next] = *id;
	b->next = (b->next + 1) % BLACKLIST_MAX;
	if (b->count < BLACKLIST_MAX)
		b->count++;
}

bool blacklist_has(const struct blacklist *b, const struct pubkey *id)
{
	for (uint32_t i = 0; i < b->count; i++)
		if (SAME(b->at[i], *id))
			return true;
	return false;
}
