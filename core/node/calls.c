/* Commands of users, and their answers. */
#include "node/state.h"

#include <string.h>

struct bytes node_call_key(const void *p)
{
	return BYTES_OF(((const struct node_call *)p)->key);
}

struct node_call *node_call_get(const struct node *n, uint64_t id)
{
	uint8_t key[8];

	store_be64(key, id);
	return table_get(&n->calls, BYTES_OF(key));
}

struct node_call *node_call_make(struct node *n, uint64_t id, enum call_kind kind)
{
	struct node_call *c = NEW(struct node_call);

	c->id = id;
	c->kind = kind;
	c->deadline_ms = UINT64_MAX;
	store_be64(c->key, id);
	arena_init(&c->memory);
	table_add(&n->calls, c);
	return c;
}

void node_call_free(struct node_call *c)
{
	arena_release(&c->memory);
	mem_free(c);
}

struct reply *node_reply(struct step *s, uint64_t call, enum command_kind kind)
{
	struct reply *r = ARENA_NEW(&s->out->arena, struct reply);

	r->kind = kind;
	effect_reply(s->out, call, r);
	return r;
}

void node_reply_error(struct step *s, uint64_t call, enum command_kind kind, enum reply_code code, const char *message)
{
	struct reply *r = node_reply(s, call, kind);

	r->code = code;
	r->message = arena_string(&s->out->arena, message);
}

/* Leaves the table; the caller has just replied (INV-N3). */
void node_call_end(struct node *n, struct node_call *c)
{
	ASSERT(table_remove(&n->calls, BYTES_OF(c->key)) == c);
	node_call_free(c);
}

static enum command_kind command_of(enum call_kind kind)
{
	switch (kind) {
	case CALL_CONNECT:
		return COMMAND_CONNECT;
	case CALL_FUND:
		return COMMAND_FUND_CHANNEL;
	case CALL_WITHDRAW:
		return COMMAND_WITHDRAW;
	case CALL_ADDRESS:
		return COMMAND_NEW_ADDRESS;
	case CALL_CLOSE:
		return COMMAND_CLOSE;
	}
	UNREACHABLE();
}

void node_call_fail(struct node *n, struct step *s, struct node_call *c, enum reply_code code, const char *message)
{
	node_reply_error(s, c->id, command_of(c->kind), code, message);
	node_call_end(n, c);
}

void node_call_fail_id(struct node *n, struct step *s, uint64_t id, enum reply_code code, const char *message)
{
	struct node_call *c = id ? node_call_get(n, id) : NULL;

	if (c)
		node_call_fail(n, s, c, code, message);
}

/* --- connect --- */

static void reply_connected(struct node *n, struct step *s, struct node_call *c, const struct node_peer *p)
{
	struct reply *r = node_reply(s, c->id, COMMAND_CONNECT);

	r->u.connect.peer = p->peer->id;
	r->u.connect.features = arena_bytes(&s->out->arena, buf_view(&p->peer->features));
	r->u.connect.outbound = p->peer->outbound;
	r->u.connect.host = arena_string(&s->out->arena, p->peer->host);
	r->u.connect.port = p->peer->port;
	node_call_end(n, c);
}

/* A call that waits for its peer goes on. */
void node_calls_peer_ready(struct node *n, struct step *s, struct node_peer *p)
{
	uint32_t at = 0;
	struct node_call *c;

	while ((c = table_next(&n->calls, &at))) {
		if (!SAME(c->peer, p->peer->id))
			continue;
		if (c->kind == CALL_CONNECT)
			reply_connected(n, s, c, p);
		else if (c->kind == CALL_FUND && c->waits_for_peer)
			node_fund_begin(n, s, c, p);
	}
}

void node_calls_peer_gone(struct node *n, struct step *s, const struct pubkey *peer, enum reply_code code, const char *why)
{
	uint32_t at = 0;
	struct node_call *c;

	while ((c = table_next(&n->calls, &at)))
		if (SAME(c->peer, *peer) && (c->kind == CALL_CONNECT || (c->kind == CALL_FUND && c->waits_for_peer)))
			node_call_fail(n, s, c, code, why);
}

/* Dials the peer if it is not there.  False: replied that there is no way to it. */
static bool reach(struct node *n, struct step *s, struct node_call *c, const struct pubkey *id, const char *host, uint16_t port)
{
	struct node_peer *p = node_peer_make(n, id);

	c->peer = *id;
	c->deadline_ms = s->now_ms + CALL_CONNECT_TIMEOUT_MS;
	if (p->connected) /* init is on its way */
		return true;
	if (peer_dial(p->peer, s, host, port))
		return true;
	n->some_left = true;
	node_call_fail(n, s, c, REPLY_CONNECT_UNKNOWN,
		       "no address is known for that node: give one, as in `connect ID HOST PORT`");
	return false;
}

static void command_connect(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_peer *p = node_peer_get(n, &cmd->u.connect.peer);
	struct node_call *c;

	if (SAME(cmd->u.connect.peer, n->config->node_id)) {
		node_reply_error(s, call, cmd->kind, REPLY_CONNECT_FAILED, "that is this node's own id");
		return;
	}
	c = node_call_make(n, call, CALL_CONNECT);
	if (p && p->peer->state == PEER_READY)
		reply_connected(n, s, c, p);
	else
		(void)reach(n, s, c, &cmd->u.connect.peer, cmd->u.connect.host, cmd->u.connect.port);
}

static void command_disconnect(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_peer *p = node_peer_get(n, &cmd->u.disconnect.peer);

	if (!p || !p->connected) {
		node_reply_error(s, call, cmd->kind, REPLY_FAILED, "that peer is not connected");
		return;
	}
	if (p->channels && !cmd->u.disconnect.force) {
		node_reply_error(s, call, cmd->kind, REPLY_FAILED,
				 "there are channels with that peer: close them, or disconnect with force=true");
		return;
	}
	if (!p->channels) {
		p->peer->keep = false;
		effect_remove(s->out, RECORD_PEER, BYTES_OF(p->peer->id.v));
	}
	node_hang_up(n, s, p, "our user asked for it");
	node_reply(s, call, cmd->kind);
}

/* --- addresses and withdrawals --- */

static void command_new_address(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct funds_request *r = step_funds_request(s, FUNDS_ADDRESS);

	r->address = cmd->u.new_address.kind;
	node_call_make(n, call, CALL_ADDRESS)->address = cmd->u.new_address.kind;
	effect_funds(s->out, step_ask(s, OWNER_ADDRESS, call), r);
}

void node_address_answered(struct node *n, struct step *s, uint64_t call, const struct funds_answer *a)
{
	struct node_call *c = node_call_get(n, call);
	struct reply *r;

	if (!c)
		return;
	if (a->failed) {
		node_call_fail(n, s, c, REPLY_FAILED, a->reason);
		return;
	}
	r = node_reply(s, call, COMMAND_NEW_ADDRESS);
	r->u.new_address.kind = c->address;
	r->u.new_address.text = arena_string(&s->out->arena, a->text);
	node_call_end(n, c);
}

/* Outputs of our commitment that only a transaction with coins of the wallet can take. */
static bool has_htlcs_to_claim(const struct onchain *o)
{
	const struct onchain_output *v;
	uint32_t count;

	if (onchain_kind(o) != ONCHAIN_OUR_COMMITMENT)
		return false;
	v = onchain_outputs(o, &count);
	for (uint32_t i = 0; i < count; i++)
		if ((v[i].what == ONCHAIN_HTLC_OURS || v[i].what == ONCHAIN_HTLC_THEIRS) && !v[i].spent_height)
			return true;
	return false;
}

/* Whether it may still take coins of the wallet to end this channel in time. */
static bool needs_reserve(const struct node_channel *c)
{
	const struct channel_record *r = channel_record_of(c->channel);

	if (r->type != COMMITMENT_ANCHORS || c->dead || r->data_lost)
		return false;
	if (c->onchain)
		return has_htlcs_to_claim(c->onchain);
	return r->state < CLOSINGD_COMPLETE || r->state == AWAITING_UNILATERAL;
}

/* What must stay in the wallet so that anchor channels can pay their way out. */
struct amount_sat node_anchor_reserve(const struct node *n, uint32_t more)
{
	uint32_t at = 0, count = more;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at)))
		count += needs_reserve(c);
	return SAT(n->config->anchor_reserve.v * (count < 10 ? count : 10));
}

struct feerate node_feerate_or(const struct node *n, struct feerate asked)
{
	return asked.per_kw ? asked : n->fees[FEE_NORMAL];
}

static void command_withdraw(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct funds_request *r = step_funds_request(s, FUNDS_BUILD);
	struct node_call *c = node_call_make(n, call, CALL_WITHDRAW);

	c->reservation = RESERVATION_WITHDRAW | ++n->next_reservation;
	n->counters_changed = true;
	r->reservation = c->reservation;
	r->outputs = ARENA_NEW(&s->out->arena, struct funds_output);
	r->output_count = 1;
	r->outputs->script = arena_bytes(&s->out->arena, cmd->u.withdraw.script);
	r->outputs->amount = cmd->u.withdraw.amount;
	r->outputs->all = cmd->u.withdraw.all;
	r->feerate = node_feerate_or(n, cmd->u.withdraw.feerate);
	r->min_confirmations = cmd->u.withdraw.min_confirmations;
	r->keep = node_anchor_reserve(n, 0);
	r->coin_count = cmd->u.withdraw.coin_count;
	r->coins = arena_copy(&s->out->arena, cmd->u.withdraw.coins, r->coin_count * sizeof(*r->coins));
	effect_funds(s->out, step_ask(s, OWNER_WITHDRAW, call), r);
}

/* BUILD answered, then SIGN: each comes here. */
void node_withdraw_answered(struct node *n, struct step *s, uint64_t call, const struct funds_answer *a)
{
	struct node_call *c = node_call_get(n, call);

	if (!c)
		return;
	if (a->failed) {
		node_funds_tell(s, FUNDS_RELEASE, c->reservation);
		node_call_fail(n, s, c, a->code ? (enum reply_code)a->code : REPLY_FAILED, a->reason);
		return;
	}
	if (!c->built) {
		struct funds_request *r = step_funds_request(s, FUNDS_SIGN);

		c->built = true;
		r->reservation = c->reservation;
		effect_funds(s->out, step_ask(s, OWNER_WITHDRAW, call), r);
		return;
	}
	c->tx = arena_bytes(&c->memory, a->tx);
	c->psbt = arena_bytes(&c->memory, a->psbt);
	c->txid = a->txid;
	node_funds_tell(s, FUNDS_SPENT, c->reservation);
	node_outbox_add(n, s, &a->txid, a->tx, call);
}

/* The network's word on a transaction that a call waits for. */
void node_call_broadcast(struct node *n, struct step *s, uint64_t call, bool accepted, const char *reason)
{
	struct node_call *c = node_call_get(n, call);
	struct reply *r;

	if (!c)
		return;
	if (!accepted) {
		node_call_fail(n, s, c, REPLY_FUNDING_BROADCAST,
			       arena_printf(&s->out->arena, "the network refused the transaction: %s", reason));
		return;
	}
	switch (c->kind) {
	case CALL_WITHDRAW:
		r = node_reply(s, call, COMMAND_WITHDRAW);
		r->u.withdraw.tx = arena_bytes(&s->out->arena, c->tx);
		r->u.withdraw.psbt = arena_bytes(&s->out->arena, c->psbt);
		r->u.withdraw.txid = c->txid;
		node_call_end(n, c);
		return;
	case CALL_FUND:
		node_fund_done(n, s, c);
		return;
	case CALL_CONNECT:
	case CALL_ADDRESS:
	case CALL_CLOSE:
		return;
	}
	UNREACHABLE();
}

void node_funds_tell(struct step *s, enum funds_kind kind, uint64_t reservation)
{
	struct funds_request *r = step_funds_request(s, kind);

	r->reservation = reservation;
	effect_funds(s->out, 0, r);
}

/* --- channels --- */

static void command_fund_channel(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_peer *p = node_peer_get(n, &cmd->u.fund_channel.peer);
	struct node_call *c = node_call_make(n, call, CALL_FUND);

	node_fund_copy(c, cmd);
	if (p && p->peer->state == PEER_READY) {
		c->peer = p->peer->id;
		node_fund_begin(n, s, c, p);
		return;
	}
	c->waits_for_peer = true;
	(void)reach(n, s, c, &cmd->u.fund_channel.peer, cmd->u.fund_channel.host, cmd->u.fund_channel.port);
}

void node_on_command(struct node *n, struct step *s, const struct event *e)
{
	const struct command *cmd = e->u.command.command;
	uint64_t call = e->u.command.call;

	switch (cmd->kind) {
	case COMMAND_CONNECT:
		command_connect(n, s, call, cmd);
		return;
	case COMMAND_DISCONNECT:
		command_disconnect(n, s, call, cmd);
		return;
	case COMMAND_NEW_ADDRESS:
		command_new_address(n, s, call, cmd);
		return;
	case COMMAND_WITHDRAW:
		command_withdraw(n, s, call, cmd);
		return;
	case COMMAND_FUND_CHANNEL:
		command_fund_channel(n, s, call, cmd);
		return;
	case COMMAND_CLOSE:
		node_close_command(n, s, call, cmd);
		return;
	case COMMAND_HOLD:
		node_hold_command(n, s, call, cmd);
		return;
	case COMMAND_DEL_FORWARD:
		node_del_forward(n, s, call, cmd);
		return;
	case COMMAND_SET_CHANNEL:
		node_set_channel(n, s, call, cmd);
		return;
	case COMMAND_INVOICE:
	case COMMAND_WAIT_INVOICE:
	case COMMAND_WAIT_ANY_INVOICE:
	case COMMAND_DELETE_INVOICE:
		node_invoice_command(n, s, call, cmd);
		return;
	case COMMAND_CLEAN:
		node_clean_command(n, s, call, cmd);
		return;
	case COMMAND_PAY:
	case COMMAND_KEYSEND:
	case COMMAND_PROBE:
	case COMMAND_DELPAY:
	case COMMAND_SENDPAY:
	case COMMAND_WAIT_SENDPAY:
		node_payment_command(n, s, call, cmd);
		return;
	case COMMAND_RECOVER:
		node_recover_command(n, s, call, cmd);
		return;
	case COMMAND_LAYER:
		node_layer_command(n, s, call, cmd);
		return;
	case COMMAND_RESERVE:
		node_reserve_command(n, s, call, cmd);
		return;
	case COMMAND_ROUTES:
		node_seek_command(n, s, call, cmd);
		return;
	case COMMAND_STOP:
		node_reply(s, call, cmd->kind); /* first: after the notice nobody is answered */
		effect_add(s->out, EFFECT_NOTIFY)->u.notify.kind = NOTIFY_STOP;
		return;
	}
	UNREACHABLE();
}

/* Whoever asked does not listen any more.  What was begun goes on; only the answer is dropped. */
void node_on_call_gone(struct node *n, struct step *s, const struct event *e)
{
	struct node_call *c = node_call_get(n, e->u.gone.call);

	if (c && c->kind == CALL_CONNECT)
		node_call_end(n, c);
	node_payment_call_gone(n, s, e->u.gone.call);
}

void node_calls_tick(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_call *c;

	while ((c = table_next(&n->calls, &at))) {
		if (c->deadline_ms > s->now_ms)
			continue;
		if (c->kind == CALL_CONNECT || c->kind == CALL_FUND)
			node_call_fail(n, s, c, REPLY_CONNECT_FAILED, "the peer did not answer in time");
	}
}

uint64_t node_calls_deadline(const struct node *n)
{
	uint64_t first = UINT64_MAX;
	uint32_t at = 0;
	const struct node_call *c;

	while ((c = table_next(&n->calls, &at)))
		if (c->deadline_ms < first)
			first = c->deadline_ms;
	return first;
}
