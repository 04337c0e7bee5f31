/* Our channels together: found by their keys and their funding outputs, watched on chain, and flushed when a step has
 * changed them. */
#include <string.h>

#include "node/state.h"

struct node_channel *node_channel_by_key(const struct node *n, uint64_t channel_key)
{
	uint8_t key[8];

	store_be64(key, channel_key);
	return table_get(&n->channels, BYTES_OF(key));
}

static void outpoint_key(uint8_t out36[36], const struct outpoint *o)
{
	memcpy(out36, o->txid.v, 32);
	store_be32(out36 + 32, o->index);
}

struct node_channel *node_channel_by_funding(const struct node *n, const struct outpoint *o)
{
	uint8_t key[36];

	outpoint_key(key, o);
	return table_get(&n->by_funding, BYTES_OF(key));
}

static void take_from_rival(struct node *n, struct step *s, struct node_channel *c)
{
	ASSERT(table_remove(&n->by_funding, BYTES_OF(c->funding_key)) == c);
	c->in_by_funding = false;
	node_channel_unwatch(s, c);
}

/* Two channels with one funding outpoint: the peer lied about one of them (CVE-2019-12998).  What we pay for
 * ourselves is not the lie: its peer knows the outpoint before we have the channel, and may have told a friend.
 * Else the first is right: only its opener could know the outpoint then. */
static bool has_no_rival(struct node *n, struct step *s, struct node_channel *c)
{
	struct node_channel *rival = table_get(&n->by_funding, BYTES_OF(c->funding_key));
	bool we_pay = channel_record_of(c->channel)->opener == SIDE_LOCAL;
	struct channel_notes notes;

	if (!rival)
		return true;
	log_write(s->log, LOG_WARN, "channel", "a channel claims the funding output of another one");
	if (we_pay)
		take_from_rival(n, s, rival);
	channel_notes_init(&notes);
	channel_abandon(we_pay ? rival->channel : c->channel, s, &notes, "that funding output belongs to another channel");
	node_route(n, s, &notes);
	return we_pay;
}

void node_channel_watch(struct node *n, struct step *s, struct node_channel *c)
{
	const struct channel_record *r = channel_record_of(c->channel);

	if (!c->in_by_funding) {
		outpoint_key(c->funding_key, &r->funding);
		if (!has_no_rival(n, s, c))
			return;
		table_add(&n->by_funding, c);
		c->in_by_funding = true;
		node_backup_changed(n);
		effect_watch_script(s->out, channel_record_funding_script(r, &s->out->arena));
		effect_watch_outpoint(s->out, &r->funding);
	}
	if (!c->peer->peer->keep) {
		c->peer->peer->keep = true;
		node_peer_persist(s, c->peer);
	}
}

void node_channel_unwatch(struct step *s, const struct node_channel *c)
{
	const struct channel_record *r = channel_record_of(c->channel);
	struct watch *script = &effect_add(s->out, EFFECT_WATCH)->u.watch;

	script->remove = true;
	script->script = channel_record_funding_script(r, &s->out->arena);
	effect_unwatch_outpoint(s->out, &r->funding);
}

void node_touch(struct node *n, struct node_channel *c)
{
	node_names_follow(n, c);
	c->has_spendable = false;
	if (c->touched)
		return;
	c->touched = true;
	c->touched_next = n->touched;
	n->touched = c;
}

void node_channels_tick(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		struct channel_notes notes;

		if (c->dead || channel_deadline(c->channel) > s->now_ms)
			continue;
		channel_notes_init(&notes);
		channel_tick(c->channel, s, &notes);
		node_touch(n, c);
		node_route(n, s, &notes);
	}
}

void node_channels_flush(struct node *n, struct step *s)
{
	while (n->touched) {
		struct node_channel *c = n->touched;
		struct channel_notes notes;

		n->touched = c->touched_next;
		c->touched = false;
		if (c->dead)
			continue;
		if (!c->ahead) {
			c->ahead = true;
			c->ahead_next = n->ahead;
			n->ahead = c;
		}
		channel_notes_init(&notes);
		channel_flush(c->channel, s, &notes);
		c->has_spendable = false;
		if (c->onchain)
			onchain_flush(c->onchain, s);
		node_gossip_channel(n, s, c);
		if (!notes.head)
			continue;
		node_route(n, s, &notes);
	}
}

bool node_ahead(struct node *n)
{
	while (n->ahead) {
		struct node_channel *c = n->ahead;

		if (channel_ahead(c->channel))
			return true;
		n->ahead = c->ahead_next;
		c->ahead = false;
	}
	return false;
}
