/* Channels by the short channel ids that others and our user know them by: the place of the funding output in the
 * chain, which a reorganization changes, and the aliases of either side. */
#include "node/state.h"

#include <string.h>

struct scid node_channel_scid(const struct node_channel *c)
{
	const struct channel_record *r = channel_record_of(c->channel);

	return r->scid.v ? r->scid : r->alias_local;
}

enum { NAME_SCID, NAME_ALIAS_LOCAL, NAME_ALIAS_REMOTE };

void node_names_init(struct node *n, const uint8_t seed16[16])
{
	names_init(&n->names, seed16);
}

void node_names_free(struct node *n)
{
	names_release(&n->names);
}

void node_names_follow(struct node *n, struct node_channel *c)
{
	const struct channel_record *r = channel_record_of(c->channel);

	/* INV-N6 */
	names_set(&n->names, &c->names[NAME_SCID], c, r->scid.v);
	names_set(&n->names, &c->names[NAME_ALIAS_LOCAL], c, r->alias_local.v);
	names_set(&n->names, &c->names[NAME_ALIAS_REMOTE], c, r->alias_remote.v);
}

void node_names_drop(struct node *n, struct node_channel *c)
{
	for (size_t i = 0; i < ARRAY_COUNT(c->names); i++)
		names_set(&n->names, &c->names[i], c, 0);
}

struct node_channel *node_channel_onward(const struct node *n, struct scid scid, bool *closed)
{
	for (const struct name *at = names_find(&n->names, scid.v); at; at = at->next) {
		struct node_channel *c = at->object;

		/* B2.channel_ready.8, B2.channel_ready.9 */
		if (!c->dead && channel_answers_to(c->channel, scid))
			return c;
	}
	*closed = node_closed_knows(n, scid);
	return NULL;
}

static struct node_channel *by_id(const struct node *n, const struct channel_id *id)
{
	uint32_t at = 0;
	struct node_channel *c;

	while ((c = table_next(&n->channels, &at)))
		if (!c->dead && SAME(*channel_id_of(c->channel), *id))
			return c;
	return NULL;
}

/* A peer names its channel only while there is just one that is not over. */
static struct node_channel *by_peer(const struct node *n, const struct pubkey *id)
{
	struct node_peer *p = node_peer_get(n, id);
	struct node_channel *found = NULL;

	for (struct node_channel *c = p ? p->channels : NULL; c; c = c->next) {
		if (c->dead || channel_state_of(c->channel) >= FUNDING_SPEND_SEEN)
			continue;
		if (found)
			return NULL;
		found = c;
	}
	return found;
}

struct node_channel *node_channel_named(const struct node *n, const struct channel_name *name)
{
	if (name->by_id)
		return by_id(n, &name->id);
	if (name->by_peer)
		return by_peer(n, &name->peer);
	for (const struct name *at = names_find(&n->names, name->scid.v); at; at = at->next)
		if (!((struct node_channel *)at->object)->dead)
			return at->object;
	return NULL;
}

void node_names_check(const struct node *n)
{
	uint32_t at = 0;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		const struct channel_record *r = channel_record_of(c->channel);
		const uint64_t numbers[] = { r->scid.v, r->alias_local.v, r->alias_remote.v };

		for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
			const struct name *found = names_find(&n->names, numbers[i]);

			/* INV-N6 */
			ASSERT(name_number(&c->names[i]) == numbers[i]);
			while (found && found != &c->names[i])
				found = found->next;
			ASSERT(!numbers[i] || found->object == c);
		}
	}
}
