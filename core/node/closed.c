/* Channels that are history: records that nobody reads at a start (RECORD_CLOSED_PAST), numbered in the order in which they
 * became it.  RECORD_CLOSED_INDEX says whether a channel key id is one of theirs: no backup brings such a channel back.
 *
 * In memory are the names of the newest CLOSED_NAMES_MAX, for HTLCs that name them: the world needs some blocks to forget
 * a channel, and payers that hear permanent_channel_failure until then lose nothing but that way.  Of older ones nobody
 * should know, and they are told unknown_next_peer, as of any number that never was. */
#include "node/state.h"

#include <string.h>

#include "base/cursor.h"

#define CLOSED_VERSION 1
#define CLOSED_NAMES_MAX 500u
/* Records of older versions that one batch moves. */
#define CLOSED_MOVE_MAX 1000u

/* The numbers by which one was to be found for forwarding. */
struct closed_name {
	struct name alias, scid;
	struct closed_name *next;
};

/* As older versions left it: RECORD_CLOSED. */
struct closed_old {
	struct closed_old *next;
	uint8_t key[8];
	struct buf value;
};

void node_closed_init(struct node *n, const uint8_t seed16[16])
{
	names_init(&n->closed.names, seed16);
	n->closed.newest = &n->closed.oldest;
	n->closed.old_end = &n->closed.old;
}

static void forget_oldest(struct node_closed *c)
{
	struct closed_name *name = c->oldest;

	c->oldest = name->next;
	if (!c->oldest)
		c->newest = &c->oldest;
	names_set(&c->names, &name->alias, name, 0);
	names_set(&c->names, &name->scid, name, 0);
	mem_free(name);
	c->named--;
}

static void drop_old(struct node_closed *c)
{
	struct closed_old *old = c->old;

	c->old = old->next;
	if (!c->old)
		c->old_end = &c->old;
	buf_release(&old->value);
	mem_free(old);
}

void node_closed_free(struct node *n)
{
	while (n->closed.oldest)
		forget_oldest(&n->closed);
	while (n->closed.old)
		drop_old(&n->closed);
	names_release(&n->closed.names);
}

static void remember(struct node_closed *c, const struct channel_record *r)
{
	/* B2.channel_ready.9: what must not be told of a live channel is not told of a closed one. */
	const uint64_t scid = r->scid_alias ? 0 : r->scid.v;
	struct closed_name *name;

	if ((!scid || names_find(&c->names, scid)) && (!r->alias_local.v || names_find(&c->names, r->alias_local.v)))
		return;
	name = NEW(struct closed_name);
	names_set(&c->names, &name->alias, name, r->alias_local.v);
	names_set(&c->names, &name->scid, name, scid);
	*c->newest = name;
	c->newest = &name->next;
	if (++c->named > CLOSED_NAMES_MAX)
		forget_oldest(c);
}

bool node_closed_knows(const struct node *n, struct scid scid)
{
	return names_find(&n->closed.names, scid.v) != NULL;
}

bool node_closed_any(const struct node *n)
{
	return n->closed.count || n->closed.old;
}

/* --- records --- */

static void store_count(const struct node *n, struct step *s)
{
	uint8_t value[9] = { CLOSED_VERSION };

	store_be64(value + 1, n->closed.count);
	effect_persist(s->out, RECORD_NODE, bytes_from_string(CLOSED_COUNT_KEY), BYTES_OF(value));
}

static void put(struct node *n, struct step *s, const uint8_t channel_key[8], struct bytes value)
{
	uint8_t key[16];

	store_be64(key, ++n->closed.count);
	memcpy(key + 8, channel_key, 8);
	effect_persist(s->out, RECORD_CLOSED_PAST, BYTES_OF(key), value);
	effect_persist(s->out, RECORD_CLOSED_INDEX, BYTES(channel_key, 8), BYTES(key, 8));
}

void node_closed_add(struct node *n, struct step *s, const struct channel_record *r)
{
	struct buf value = BUF_EMPTY;
	uint8_t key[8];

	channel_record_key(key, r->key);
	channel_record_encode(r, &value);
	put(n, s, key, buf_view(&value));
	store_count(n, s);
	buf_release(&value);
	remember(&n->closed, r);
}

bool node_closed_load_count(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);

	if (cursor_u8(&c) != CLOSED_VERSION)
		return false;
	n->closed.count = cursor_be64(&c);
	return cursor_done(&c);
}

bool node_closed_load_old(struct node *n, struct bytes key, struct bytes value)
{
	struct channel_record r;
	struct closed_old *old;

	if (key.size != sizeof(old->key) || !channel_record_decode(value, &r))
		return false;
	old = NEW(struct closed_old);
	memcpy(old->key, key.data, sizeof(old->key));
	buf_add_bytes(&old->value, value);
	*n->closed.old_end = old;
	n->closed.old_end = &old->next;
	remember(&n->closed, &r);
	return true;
}

bool node_closed_is_old(const struct node *n, const uint8_t channel_key[8])
{
	for (const struct closed_old *old = n->closed.old; old; old = old->next)
		if (memcmp(old->key, channel_key, sizeof(old->key)) == 0)
			return true;
	return false;
}

void node_closed_flush(struct node *n, struct step *s)
{
	if (!n->closed.old)
		return;
	for (uint32_t i = 0; i < CLOSED_MOVE_MAX && n->closed.old; i++) {
		const struct closed_old *old = n->closed.old;

		put(n, s, old->key, buf_view(&old->value));
		effect_remove(s->out, RECORD_CLOSED, BYTES_OF(old->key));
		drop_old(&n->closed);
	}
	store_count(n, s);
}

uint64_t node_closed_deadline(const struct node *n)
{
	return n->closed.old ? 0 : UINT64_MAX;
}

/* --- names, after a start --- */

void node_closed_start(struct node *n, struct step *s)
{
	if (n->closed.count)
		effect_fetch_range(s->out, step_ask(s, OWNER_CLOSED, 0),
				   &(struct record_range){ .kind = RECORD_CLOSED_PAST, .limit = CLOSED_NAMES_MAX, .reverse = true });
}

/* The newest come first. */
void node_closed_fetched(struct node *n, struct step *s, const struct event *e)
{
	struct channel_record r;

	for (uint32_t i = e->u.fetched.count; i-- > 0;)
		if (channel_record_decode(e->u.fetched.records[i].value, &r))
			remember(&n->closed, &r);
		else
			log_write(s->log, LOG_ERROR, "channel", "the stored record of a closed channel is damaged");
}
