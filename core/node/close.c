/* Closing channels for a user: by agreement, and alone when that fails. */
#include "node/state.h"

#include <string.h>

static void fill_close_reply(struct node *n, struct step *s, struct node_channel *c, struct bytes tx, bool mutual)
{
	struct node_call *call = node_call_get(n, c->close_call);
	struct reply *r;

	c->close_call = 0;
	if (!call)
		return;
	r = node_reply(s, call->id, COMMAND_CLOSE);
	r->u.close.mutual = mutual;
	r->u.close.tx = arena_bytes(&s->out->arena, tx);
	r->u.close.txid = tx_id(tx_parse(&s->out->arena, tx));
	node_call_end(n, call);
}

void node_closing_broadcast(struct node *n, struct step *s, struct node_channel *c, struct bytes tx, bool mutual)
{
	struct txid id = tx_id(tx_parse(&s->out->arena, tx));

	c->close_deadline_ms = 0;
	node_outbox_add(n, s, &id, tx, 0);
	if (c->close_call)
		fill_close_reply(n, s, c, tx, mutual);
}

/* The peer was faster: its transaction ends the wait just as well. */
void node_closing_seen(struct node *n, struct step *s, struct node_channel *c, const struct tx *t)
{
	struct buf b = BUF_EMPTY;

	c->close_deadline_ms = 0;
	if (!c->close_call)
		return;
	tx_encode(t, &b);
	fill_close_reply(n, s, c, buf_view(&b), onchain_kind(c->onchain) == ONCHAIN_MUTUAL_CLOSE);
	buf_release(&b);
}

static void reply_unopened(struct node *n, struct step *s, struct node_channel *c, uint64_t call, const char *why)
{
	struct channel_notes notes;

	channel_notes_init(&notes);
	channel_abandon(c->channel, s, &notes, why);
	node_route(n, s, &notes);
	node_reply(s, call, COMMAND_CLOSE)->u.close.unopened = true;
}

static void begin_shutdown(struct node *n, struct step *s, struct node_channel *c, uint64_t call, const struct command *cmd)
{
	struct channel_shutdown_args args = {
		.script = cmd->u.close.destination,
		.has_fee_range = cmd->u.close.has_fee_range,
		.fee_low = cmd->u.close.fee_low,
		.fee_high = cmd->u.close.fee_high,
	};
	struct channel_notes notes;
	struct node_call *k;
	const char *why = NULL;

	channel_notes_init(&notes);
	if (!channel_shutdown(c->channel, s, &notes, &args, &why)) {
		node_reply_error(s, call, cmd->kind, REPLY_FAILED, why);
		return;
	}
	k = node_call_make(n, call, CALL_CLOSE);
	k->peer = c->peer->peer->id;
	c->close_call = call;
	if (cmd->u.close.unilateral_timeout_s)
		c->close_deadline_ms = s->now_ms + (uint64_t)cmd->u.close.unilateral_timeout_s * 1000;
	node_touch(n, c);
	node_route(n, s, &notes);
}

static void force(struct node *n, struct step *s, struct node_channel *c, uint64_t call)
{
	struct channel_notes notes;

	node_call_make(n, call, CALL_CLOSE)->peer = c->peer->peer->id;
	c->close_call = call;
	channel_notes_init(&notes);
	channel_fail(c->channel, s, &notes, CLOSE_USER, "our user closes the channel alone");
	node_touch(n, c);
	node_route(n, s, &notes);
}

void node_close_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_channel *c = node_channel_named(n, &cmd->u.close.channel);
	enum channel_state state;

	if (!c) {
		node_reply_error(s, call, cmd->kind, REPLY_INVALID,
				 "no such channel, or several with that peer: name it by its channel_id or short_channel_id");
		return;
	}
	if (c->close_call && cmd->u.close.force) {
		/* Nobody has to wait for a peer that keeps silent. */
		node_call_fail_id(n, s, c->close_call, REPLY_FAILED, "the channel is closed without its peer meanwhile");
		c->close_call = 0;
	}
	if (c->close_call) {
		node_reply_error(s, call, cmd->kind, REPLY_FAILED, "another close of that channel is waiting already");
		return;
	}
	state = channel_state_of(c->channel);
	if (state == OPENINGD) {
		reply_unopened(n, s, c, call, "our user changed their mind");
		return;
	}
	if (state >= AWAITING_UNILATERAL || state == CLOSINGD_COMPLETE) {
		node_reply_error(s, call, cmd->kind, REPLY_FAILED,
				 arena_printf(&s->out->arena, "the channel is closing already: %s", channel_state_name(state)));
		return;
	}
	if (cmd->u.close.force)
		force(n, s, c, call);
	else
		begin_shutdown(n, s, c, call, cmd);
}

void node_close_tick(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		struct channel_notes notes;

		if (c->dead || !c->close_deadline_ms || c->close_deadline_ms > s->now_ms)
			continue;
		c->close_deadline_ms = 0;
		channel_notes_init(&notes);
		channel_fail(c->channel, s, &notes, CLOSE_USER_TIMEOUT, "the peer did not close in the time that our user gave it");
		node_touch(n, c);
		node_route(n, s, &notes);
	}
}

uint64_t node_close_deadline(const struct node *n)
{
	uint64_t first = UINT64_MAX;
	uint32_t at = 0;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at)))
		if (c->close_deadline_ms && c->close_deadline_ms < first)
			first = c->close_deadline_ms;
	return first;
}
