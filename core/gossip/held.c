/* Messages that wait, and the lots in which their signatures are verified. */
#include <string.h>

#include "gossip/state.h"

/* What a message of this size is charged with. */
static size_t charge(size_t size)
{
	return sizeof(struct held) + size;
}

struct held *held_new(struct gossip *g, uint64_t connection, enum held_kind kind, struct bytes raw)
{
	struct gossip_peer *p = peer_of(g, connection);
	bool asked = g->sync.phase != SYNC_IDLE && connection == g->sync.connection;
	struct held *h;

	/* INV-G1.  Whoever we asked has room of its own, so that a flood from others does not starve the sync. */
	if (p && p->held_bytes + charge(raw.size) > (asked ? HELD_ASKED_BYTES_MAX : HELD_PEER_BYTES_MAX))
		return NULL;
	if (!asked && g->held_bytes + charge(raw.size) > HELD_BYTES_MAX)
		return NULL;
	h = mem_alloc(sizeof(*h) + raw.size);
	h->connection = connection;
	h->kind = kind;
	h->asked = asked;
	h->size = (uint32_t)raw.size;
	memcpy(h->raw, raw.data, raw.size);
	if (p)
		p->held_bytes += charge(raw.size);
	if (asked)
		g->asked_bytes += charge(raw.size);
	else
		g->held_bytes += charge(raw.size);
	g->held_count++;
	return h;
}

void held_free(struct gossip *g, struct held *h)
{
	struct gossip_peer *p = peer_of(g, h->connection);
	size_t *total = h->asked ? &g->asked_bytes : &g->held_bytes;

	if (p) {
		ASSERT(p->held_bytes >= charge(h->size));
		p->held_bytes -= charge(h->size);
	}
	ASSERT(*total >= charge(h->size) && g->held_count);
	*total -= charge(h->size);
	g->held_count--;
	mem_free(h);
}

struct bytes held_raw(const struct held *h)
{
	return BYTES(h->raw, h->size);
}

/* ---- Keys ---- */

struct bytes held_key(const struct held *h)
{
	return BYTES(h->key, h->key_size);
}

void held_set_key(struct held *h, enum held_kind kind, struct bytes rest)
{
	ASSERT(rest.size < HELD_KEY_MAX);
	h->key[0] = (uint8_t)kind;
	memcpy(h->key + 1, rest.data, rest.size);
	h->key_size = (uint8_t)(1 + rest.size);
}

struct bytes held_key_of_scid(uint8_t out[HELD_KEY_MAX], enum held_kind kind, struct scid scid, int direction)
{
	out[0] = (uint8_t)kind;
	store_be64(out + 1, scid.v);
	out[9] = (uint8_t)direction;
	return BYTES(out, 10);
}

struct bytes held_key_of_node(uint8_t out[HELD_KEY_MAX], const struct pubkey *id)
{
	out[0] = HELD_NODE;
	memcpy(out + 1, id->v, sizeof(id->v));
	return BYTES(out, 1 + sizeof(id->v));
}

struct scid held_scid(const struct held *h)
{
	ASSERT(h->kind == HELD_CHANNEL && h->key_size >= 9);
	return (struct scid){ load_be64(h->key + 1) };
}

/* ---- Waiting for a channel ---- */

/* One of each connection, the last first: nobody's word takes the place of somebody else's before a signature tells them
 * apart. */
void held_park(struct gossip *g, struct held *h)
{
	struct held *others = table_remove(&g->parked, held_key(h)), **at = &others, *older;

	while (*at && (*at)->connection != h->connection)
		at = &(*at)->next;
	older = *at;
	if (older) {
		*at = older->next;
		held_free(g, older);
	}
	h->next = others;
	table_add(&g->parked, h);
}

void held_free_all(struct gossip *g, struct held *h)
{
	while (h) {
		struct held *next = h->next;

		held_free(g, h);
		h = next;
	}
}

struct held *held_unpark(struct gossip *g, struct bytes key)
{
	return table_remove(&g->parked, key);
}

void held_unpark_all(struct gossip *g)
{
	struct held *h;
	uint32_t at = 0;

	while ((h = table_next(&g->parked, &at))) {
		ASSERT(table_remove(&g->parked, held_key(h)) == h);
		held_free_all(g, h);
	}
}

void held_unpark_old(struct gossip *g)
{
	struct held *h;
	uint32_t at = 0;

	while ((h = table_next(&g->parked, &at))) {
		if (h->old) {
			ASSERT(table_remove(&g->parked, held_key(h)) == h);
			held_free_all(g, h);
			continue;
		}
		for (; h; h = h->next) {
			h->old = true;
			if (h->next && h->next->old) {
				held_free_all(g, h->next);
				h->next = NULL;
			}
		}
	}
}

/* ---- Verification ---- */

void held_verify(struct gossip *g, struct held *h)
{
	struct gossip_peer *p = peer_of(g, h->connection);

	if (p)
		p->unverified++;
	/* The table knows the newest of its key, so that an older copy need not be verified. */
	(void)table_remove(&g->verifying, held_key(h));
	table_add(&g->verifying, h);
	h->next = NULL;
	*g->queue_end = h;
	g->queue_end = &h->next;
}

static uint32_t checks_of(struct gossip *g, struct arena *a, const struct held *h, struct gossip_check out[GOSSIP_CHECKS_MAX])
{
	struct bytes raw = held_raw(h);

	switch (h->kind) {
	case HELD_CHANNEL: {
		struct msg_channel_announcement m;

		ASSERT(msg_channel_announcement_decode(raw, a, &m) == DECODE_OK);
		return channel_announcement_checks(out, &m, raw);
	}
	case HELD_UPDATE: {
		struct msg_channel_update m;
		uint32_t channel;
		const struct graph_channel *c;

		ASSERT(msg_channel_update_decode(raw, a, &m) == DECODE_OK);
		channel = graph_find_channel(g->graph, m.short_channel_id);
		if (channel == GRAPH_NONE) {
			struct own *o = own_by_scid(g, m.short_channel_id);

			/* Gone in the meantime: nobody to verify it for. */
			return o ? channel_update_checks(out, &m, raw, &o->facts.peer) : 0;
		}
		c = graph_channel_at(g->graph, channel);
		return channel_update_checks(out, &m, raw, &graph_node_at(g->graph, c->node[m.channel_flags & UPDATE_DIRECTION])->id);
	}
	case HELD_NODE: {
		struct msg_node_announcement m;

		ASSERT(msg_node_announcement_decode(raw, a, &m) == DECODE_OK);
		return node_announcement_checks(out, &m, raw);
	}
	case HELD_SIGNATURES:
		return own_checks(g, h, out);
	}
	UNREACHABLE();
}

bool gossip_has_room(const struct gossip *g, uint64_t connection)
{
	const struct gossip_peer *p = peer_of(g, connection);
	bool asked = g->sync.phase != SYNC_IDLE && connection == g->sync.connection;

	return !p || p->unverified < (asked ? UNVERIFIED_ASKED_MAX : UNVERIFIED_MAX);
}

static struct batch **free_batch(struct gossip *g)
{
	for (uint32_t i = 0; i < BATCHES_MAX; i++)
		if (!g->batches[i])
			return &g->batches[i];
	return NULL;
}

/* The next lot: whole messages, up to BATCH_CHECKS_MAX verifications. */
static void hand_out(struct gossip *g, struct step *s, struct gossip_notes *out, struct batch **place)
{
	struct gossip_check *checks = ARENA_ARRAY(&s->out->arena, struct gossip_check, BATCH_CHECKS_MAX);
	struct batch *b = NEW(struct batch);
	struct gossip_note *n;

	b->items = NEW_ARRAY(struct held *, BATCH_CHECKS_MAX);
	b->checks = NEW_ARRAY(uint8_t, BATCH_CHECKS_MAX);
	while (g->queue && b->check_count + GOSSIP_CHECKS_MAX <= BATCH_CHECKS_MAX && b->count < BATCH_CHECKS_MAX) {
		struct held *h = g->queue;

		g->queue = h->next;
		if (!g->queue)
			g->queue_end = &g->queue;
		h->next = NULL;
		b->checks[b->count] = (uint8_t)checks_of(g, &s->out->arena, h, checks + b->check_count);
		b->check_count += b->checks[b->count];
		b->items[b->count++] = h;
	}
	b->id = g->next_id++;
	*place = b;
	n = note_add(s, out, GOSSIP_VERIFY);
	n->id = b->id;
	n->checks = checks;
	n->count = b->check_count;
}

void held_flush(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct batch **place;

	while (g->queue && (place = free_batch(g)))
		hand_out(g, s, out, place);
}

static void forget_verifying(struct gossip *g, struct held *h)
{
	if (table_get(&g->verifying, held_key(h)) == h)
		ASSERT(table_remove(&g->verifying, held_key(h)) == h);
}

void gossip_verified(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t id, const bool *good,
		     uint32_t count)
{
	struct batch *b = NULL;
	struct gossip_peer *p;
	uint32_t at = 0;

	for (uint32_t i = 0; i < BATCHES_MAX; i++)
		if (g->batches[i] && g->batches[i]->id == id) {
			b = g->batches[i];
			g->batches[i] = NULL;
		}
	ASSERT(b && b->check_count == count);
	for (uint32_t i = 0; i < b->count; i++) {
		bool all = true;

		for (uint32_t k = 0; k < b->checks[i]; k++)
			all &= good[at++];
		forget_verifying(g, b->items[i]);
		p = peer_of(g, b->items[i]->connection);
		if (p)
			p->unverified--;
		if (!b->checks[i]) {
			held_free(g, b->items[i]); /* what it was about is gone */
			continue;
		}
		ingest_verified(g, s, out, b->items[i], all);
	}
	mem_free(b->items);
	mem_free(b->checks);
	mem_free(b);
}
