/* What one machine says and another must hear: channel notes, claims on chain,
 * messages to their channel. */
#include "node/state.h"

#include <string.h>

#include "wire/message.h"

static void notify_state(struct step *s, const struct node_channel *c)
{
	struct effect *f = effect_add(s->out, EFFECT_NOTIFY);

	f->u.notify.kind = NOTIFY_CHANNEL_STATE;
	f->u.notify.peer = *channel_peer(c->channel);
	f->u.notify.channel_id = *channel_id_of(c->channel);
	f->u.notify.text = channel_state_name(channel_state_of(c->channel));
}

static void take_id(struct node *n, struct step *s, struct node_channel *c)
{
	struct channel_notes notes;

	/* A colliding channel_id could only be chosen by someone who lies about a funding outpoint. */
	for (struct node_channel *other = c->peer->channels; other; other = other->next) {
		if (other == c || other->dead || !SAME(*channel_id_of(other->channel), *channel_id_of(c->channel)))
			continue;
		channel_notes_init(&notes);
		channel_abandon(c->channel, s, &notes, "a channel with that channel_id exists");
		node_route(n, s, &notes);
		return;
	}
}

/* The end of the machine; its owner's memory of it goes at the end of the step. */
static void take_forgotten(struct node *n, struct step *s, struct node_channel *c, const char *why)
{
	if (c->dead)
		return;
	node_anchor_end(n, s, c);
	node_terms_forget(s, c);
	c->dead = true;
	n->some_dead = true;
	if (c->reservation)
		node_funds_tell(s, FUNDS_RELEASE, c->reservation);
	node_call_fail_id(n, s, c->fund_call, REPLY_FUNDING_REFUSED, why ? why : "the channel was forgotten");
	c->fund_call = 0;
	node_call_fail_id(n, s, c->close_call, REPLY_FAILED, why ? why : "the channel was forgotten");
	c->close_call = 0;
}

/* The close script of a channel without an upfront one: a fresh address of the wallet. */
static void ask_script(struct step *s, const struct node_channel *c)
{
	struct funds_request *r = step_funds_request(s, FUNDS_ADDRESS);

	r->address = ADDRESS_P2WPKH;
	effect_funds(s->out, step_ask(s, OWNER_CHANNEL_ADDRESS, channel_key(c->channel)), r);
}

static void take_note(struct node *n, struct step *s, struct node_channel *c, const struct channel_note *note)
{
	switch (note->kind) {
	case CHANNEL_NOTE_ID:
		take_id(n, s, c);
		return;
	case CHANNEL_NOTE_FUND:
		node_note_fund(n, s, c, note);
		return;
	case CHANNEL_NOTE_BROADCAST_FUNDING:
		node_ask_funding_signature(s, c);
		return;
	case CHANNEL_NOTE_WATCH_FUNDING:
		node_channel_watch(n, s, c);
		return;
	case CHANNEL_NOTE_HTLC_IN:
		node_htlc_in(n, s, c, note);
		return;
	case CHANNEL_NOTE_HTLC_FULFILLED:
	case CHANNEL_NOTE_HTLC_FAILED:
	case CHANNEL_NOTE_HTLC_DROPPED:
		node_htlc_out_done(n, s, note);
		return;
	case CHANNEL_NOTE_READY: /* its state says so as well */
	case CHANNEL_NOTE_HTLC_IN_DONE:
		return;
	case CHANNEL_NOTE_STATE:
		notify_state(s, c);
		node_backup_changed(n); /* where it is in the chain, what it closes to */
		return;
	case CHANNEL_NOTE_SCRIPT_WANTED:
		ask_script(s, c);
		return;
	case CHANNEL_NOTE_FORGOTTEN:
		take_forgotten(n, s, c, note->text);
		return;
	case CHANNEL_NOTE_FAILED:
		node_htlcs_stranded(n, s, c);
		return;
	case CHANNEL_NOTE_BROADCAST:
		node_closing_broadcast(n, s, c, note->tx, note->mutual);
		if (!note->mutual)
			node_anchor_begin(n, s, c, note->tx);
		return;
	case CHANNEL_NOTE_HANG_UP:
		node_hang_up(n, s, c->peer, note->text);
		return;
	case CHANNEL_NOTE_WARN:
		peer_send_warning(c->peer->peer, s, channel_id_of(c->channel), note->text);
		return;
	}
	UNREACHABLE();
}

void node_route(struct node *n, struct step *s, struct channel_notes *notes)
{
	for (const struct channel_note *note = notes->head; note; note = note->next) {
		/* A channel that could not be made speaks before it is ours. */
		struct node_channel *c = note->channel ? node_channel_by_key(n, channel_key(note->channel)) : NULL;

		if (!c || c->dead)
			continue;
		node_touch(n, c);
		take_note(n, s, c, note);
	}
}

/* --- on chain --- */

/* Traces of HTLCs that one block removes: a channel may have had millions. */
#define PAST_A_BLOCK 20000u

/* Everything is settled: a compact record stays, all others go.  A restart in the middle begins anew. */
void node_channel_resolved(struct node *n, struct step *s, struct node_channel *c)
{
	struct channel_notes notes;

	c->fading = !channel_forget_past(c->channel, s, PAST_A_BLOCK);
	if (c->fading)
		return;
	channel_notes_init(&notes);
	channel_set_onchain(c->channel, s, &notes, CLOSED);
	node_route(n, s, &notes);
	node_closed_add(n, s, channel_record_of(c->channel));
	node_forwards_stranded(n, s, c, true);
	channel_forget(c->channel, s);
	effect_remove(s->out, RECORD_ONCHAIN, BYTES_OF(c->key));
	node_terms_forget(s, c);
	node_anchor_end(n, s, c);
	c->dead = true;
	n->some_dead = true;
	node_call_fail_id(n, s, c->fund_call, REPLY_FAILED, "the channel is closed");
	node_call_fail_id(n, s, c->close_call, REPLY_FAILED, "the channel is closed");
}

/* Claims pay to the script that the channel was to close to; without one the wallet gives another. */
void node_onchain_destination(struct step *s, const struct node_channel *c)
{
	struct funds_request *r;

	if (!c->onchain || !onchain_wants_destination(c->onchain))
		return;
	r = step_funds_request(s, FUNDS_ADDRESS);
	r->address = ADDRESS_P2WPKH;
	effect_funds(s->out, step_ask(s, OWNER_SWEEP, channel_key(c->channel)), r);
}

/* The wallet answers a claim, or gave the address that was asked for. */
void node_onchain_funded(struct node *n, struct step *s, uint64_t channel_key, uint64_t id, const struct funds_answer *a)
{
	struct node_channel *c = node_channel_by_key(n, channel_key);
	struct onchain_notes claims;

	if (!c || c->dead)
		return;
	onchain_notes_init(&claims);
	if ((c->anchor && anchor_funded(c->anchor, s, &claims, id, a)) || !c->onchain ||
	    onchain_funded(c->onchain, s, &claims, id, a))
		;
	else if (a->failed)
		log_write(s->log, LOG_ERROR, "onchain", "the wallet gave no address to claim to: %s", a->reason);
	else
		onchain_set_destination(c->onchain, s, &claims, a->script);
	node_route_onchain(n, s, c, &claims);
}

void node_route_onchain(struct node *n, struct step *s, struct node_channel *c, struct onchain_notes *notes)
{
	if (!c->dead)
		node_touch(n, c); /* what has changed is written at the end of the batch */
	for (const struct onchain_note *note = notes->head; note && !c->dead; note = note->next) {
		struct txid id;

		switch (note->kind) {
		case ONCHAIN_NOTE_BROADCAST:
			id = tx_id(tx_parse(&s->out->arena, note->tx));
			if (note->has_parent)
				node_outbox_add_child(n, s, &id, note->tx, &note->parent);
			else
				node_outbox_add(n, s, &id, note->tx, 0);
			break;
		case ONCHAIN_NOTE_WITHDRAW:
			node_outbox_withdraw(n, s, &note->txid);
			break;
		case ONCHAIN_NOTE_PREIMAGE:
		case ONCHAIN_NOTE_HTLC_GONE:
			node_htlc_onchain(n, s, c, note);
			break;
		case ONCHAIN_NOTE_RESOLVED:
			node_channel_resolved(n, s, c);
			break;
		}
	}
}

/* --- messages --- */

/* Where every message of BOLT 2 that belongs to one channel has its id: first, but for open_channel2, which begins with
 * the chain and has the temporary one (B1.error_warning.4). */
static bool message_channel(uint16_t type, struct bytes message, struct channel_id *out)
{
	size_t at = type == MSG_OPEN_CHANNEL2 ? 2 + 32 : 2;

	if (type < 32 || type > 255 || message.size < at + sizeof(out->v))
		return false;
	memcpy(out->v, message.data + at, sizeof(out->v));
	return true;
}

static struct node_channel *channel_of_peer(const struct node_peer *p, const struct channel_id *id)
{
	for (struct node_channel *c = p->channels; c; c = c->next)
		if (!c->dead && SAME(*channel_id_of(c->channel), *id))
			return c;
	return NULL;
}

/* A batch of this peer's that is not whole yet. */
static const struct node_channel *in_batch(const struct node_peer *p)
{
	for (const struct node_channel *c = p->channels; c; c = c->next)
		if (!c->dead && channel_in_batch(c->channel))
			return c;
	return NULL;
}

void node_channel_message(struct node *n, struct step *s, struct node_peer *p, uint16_t type, struct bytes message)
{
	struct channel_notes notes;
	const struct node_channel *batch = in_batch(p);
	struct node_channel *c;
	struct channel_id id;

	/* B2.batching_channel_messages.9 */
	if (batch && type < 256 && (!message_channel(type, message, &id) || !SAME(id, *channel_id_of(batch->channel)))) {
		node_hang_up(n, s, p, "a message of another channel inside a batch");
		return;
	}
	if (type == MSG_OPEN_CHANNEL) {
		node_open_received(n, s, p, message);
		return;
	}
	/* Gossip that reaches a node without a place to keep it, and onion messages, which it does not offer to carry. */
	if (type >= 256)
		return;
	if (!message_channel(type, message, &id)) {
		if (type >= 32) /* B1.lightning_message_format.10 */
			node_hang_up(n, s, p, "a channel message that is cut short");
		return;
	}
	c = channel_of_peer(p, &id);
	if (!c) {
		/* A late answer for an opening that we gave up is no crime. */
		peer_send_error(p->peer, s, &id, "unknown channel"); /* B1.error_warning.6 */
		return;
	}
	channel_notes_init(&notes);
	channel_message(c->channel, s, &notes, message);
	node_touch(n, c);
	node_route(n, s, &notes);
}

/* --- burial: at the end of a step nobody holds a dead channel any more --- */

static void unlink_from_peer(struct node *n, struct node_channel *c)
{
	struct node_channel **at = &c->peer->channels;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->peer->channel_count--;
	n->peers_with_channels -= c->peer->channel_count == 0;
}

/* The last channel is gone: there is nothing to call the peer for. */
static void let_go(struct node *n, struct step *s, struct node_peer *p)
{
	if (p->channels)
		return;
	slots_forget(&n->forwards.slots, s, &p->peer->id);
	n->some_left = true;
	if (!p->peer->keep)
		return;
	p->peer->keep = false;
	effect_remove(s->out, RECORD_PEER, BYTES_OF(p->peer->id.v));
}

static void bury_one(struct node *n, struct step *s, struct node_channel *c)
{
	ASSERT(table_remove(&n->channels, BYTES_OF(c->key)) == c);
	node_gossip_channel_gone(n, s, load_be64(c->key));
	node_backup_changed(n);
	if (c->in_by_funding) {
		ASSERT(table_remove(&n->by_funding, BYTES_OF(c->funding_key)) == c);
		node_channel_unwatch(s, c);
	}
	node_names_drop(n, c);
	unlink_from_peer(n, c);
	let_go(n, s, c->peer);
	onchain_free(c->onchain);
	anchor_free(c->anchor);
	channel_free(c->channel);
	mem_free(c->terms);
	mem_free(c);
}

static void drop_from_lists(struct node *n)
{
	struct node_channel **at = &n->touched, *c;

	while ((c = *at)) {
		if (c->dead)
			*at = c->touched_next;
		else
			at = &c->touched_next;
	}
	at = &n->ahead;
	while ((c = *at)) {
		if (c->dead)
			*at = c->ahead_next;
		else
			at = &c->ahead_next;
	}
}

void node_bury(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_channel *c;

	if (n->some_dead) {
		n->some_dead = false;
		drop_from_lists(n);
		while ((c = table_next(&n->channels, &at)))
			if (c->dead)
				bury_one(n, s, c);
	}
	node_forget_strangers(n);
}
