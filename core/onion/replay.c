#include "onion/replay.h"

/* Half of an HMAC is as good as all of it: nobody can make another packet of ours that has it. */
#define MARK_SIZE 16

struct replay_onion {
	uint8_t mark[MARK_SIZE];
	uint64_t channel_key, htlc_id;
};

static struct bytes mark_of(const void *object)
{
	return BYTES_OF(((const struct replay_onion *)object)->mark);
}

void replay_init(struct replay *r, const uint8_t seed16[16])
{
	*r = (struct replay){ 0 };
	table_init(&r->by_hmac, mark_of, seed16);
}

void replay_release(struct replay *r)
{
	for (size_t i = 0; i < ARRAY_COUNT(r->blocks); i++)
		mem_free(r->blocks[i]);
	table_release(&r->by_hmac);
}

/* Where the next one goes: behind the last, or in the oldest one's place. */
static struct replay_onion *place(struct replay *r)
{
	/* They stay for long, so they lie together: strewn among what comes and goes they would keep its pages. */
	const uint32_t count = table_count(&r->by_hmac), at = count == REPLAY_MAX ? r->oldest : count;
	struct replay_onion **block = &r->blocks[at / REPLAY_BLOCK], *o;

	if (!*block)
		*block = NEW_ARRAY(struct replay_onion, REPLAY_BLOCK);
	o = &(*block)[at % REPLAY_BLOCK];
	if (count == REPLAY_MAX) {
		r->oldest = (r->oldest + 1) % REPLAY_MAX;
		ASSERT(table_remove(&r->by_hmac, mark_of(o)) == o);
	}
	return o;
}

bool replay_seen(struct replay *r, const uint8_t packet1366[ONION_PACKET_SIZE], uint64_t channel_key, uint64_t htlc_id)
{
	const uint8_t *mark = packet1366 + ONION_PACKET_SIZE - ONION_HMAC_SIZE;
	struct replay_onion *o = table_get(&r->by_hmac, BYTES(mark, MARK_SIZE));

	if (o)
		return o->channel_key != channel_key || o->htlc_id != htlc_id;
	o = place(r);
	memcpy(o->mark, mark, sizeof(o->mark));
	o->channel_key = channel_key;
	o->htlc_id = htlc_id;
	table_add(&r->by_hmac, o);
	return false;
}
