/* Opening channels: the way from a user's order, or a stranger's open_channel,
 * through the wallet and the network to a channel of its own.
 *
 *   order -> [amount of "all" from the wallet] -> address -> channel_open
 *         -> NOTE_FUND -> wallet builds -> channel_funded
 *         -> NOTE_BROADCAST_FUNDING -> wallet signs -> outbox -> answer
 *   open_channel -> limits -> address -> channel_accept */
#include "node/state.h"

#include <string.h>

#include "bitcoin/script.h"
#include "wire/features.h"
#include "wire/message.h"

struct bytes node_opening_key(const void *p)
{
	return BYTES_OF(((const struct node_opening *)p)->key);
}

void node_opening_free(struct node_opening *o)
{
	mem_free((void *)o->message.data);
	mem_free(o);
}

static struct node_opening *opening_make(struct node *n, const struct pubkey *peer)
{
	struct node_opening *o = NEW(struct node_opening);

	do
		o->channel_key = ++n->next_channel_key;
	while (node_channel_by_key(n, o->channel_key)); /* of a channel that a backup brought back */
	n->counters_changed = true;
	o->peer = *peer;
	store_be64(o->key, o->channel_key);
	table_add(&n->openings, o);
	return o;
}

static void opening_end(struct node *n, struct node_opening *o)
{
	ASSERT(table_remove(&n->openings, BYTES_OF(o->key)) == o);
	node_opening_free(o);
}

/* Where the channel's money goes in the end: a script of the wallet. */
static void ask_address(struct step *s, uint64_t channel_key)
{
	struct funds_request *r = step_funds_request(s, FUNDS_ADDRESS);

	r->address = ADDRESS_P2WPKH;
	effect_funds(s->out, step_ask(s, OWNER_CHANNEL_ADDRESS, channel_key), r);
}

void node_fund_copy(struct node_call *c, const struct command *cmd)
{
	struct command *k = &c->command;

	*k = *cmd;
	k->u.fund_channel.host = NULL;
	k->u.fund_channel.close_to = arena_bytes(&c->memory, cmd->u.fund_channel.close_to);
	k->u.fund_channel.channel_type = arena_bytes(&c->memory, cmd->u.fund_channel.channel_type);
	k->u.fund_channel.coins = arena_copy(&c->memory, cmd->u.fund_channel.coins,
					     cmd->u.fund_channel.coin_count * sizeof(struct outpoint));
}

/* The wallet's transaction that pays `amount` (or all) to `script`. */
static void ask_build(struct node *n, struct step *s, const struct node_call *c, uint64_t channel_key,
		      struct bytes script, struct amount_sat amount, bool all)
{
	const struct command *k = &c->command;
	struct funds_request *r = step_funds_request(s, FUNDS_BUILD);

	r->reservation = c->reservation;
	r->outputs = ARENA_NEW(&s->out->arena, struct funds_output);
	r->output_count = 1;
	r->outputs->script = arena_bytes(&s->out->arena, script);
	r->outputs->amount = amount;
	r->outputs->all = all;
	r->feerate = node_feerate_or(n, k->u.fund_channel.feerate);
	r->min_confirmations = k->u.fund_channel.min_confirmations;
	/* While "all" is asked there is no channel yet; afterwards it counts itself. */
	r->keep = node_anchor_reserve(n, all ? 1 : 0);
	r->coins = k->u.fund_channel.coins;
	r->coin_count = k->u.fund_channel.coin_count;
	effect_funds(s->out, step_ask(s, OWNER_FUNDING, channel_key), r);
}

void node_fund_begin(struct node *n, struct step *s, struct node_call *c, struct node_peer *p)
{
	struct node_opening *o;

	c->waits_for_peer = false;
	c->deadline_ms = UINT64_MAX;
	if (p->channel_count >= n->config->channels_per_peer_max || table_count(&n->channels) >= n->config->channels_max) {
		node_call_fail(n, s, c, REPLY_FAILED, "the limit of channels is reached (channels-max, channels-per-peer-max)");
		return;
	}
	o = opening_make(n, &p->peer->id);
	o->call = c->id;
	c->reservation = o->channel_key;
	c->channel_key = o->channel_key;
	if (c->command.u.fund_channel.all) {
		static const uint8_t any_p2wsh[34] = { OP_0, 32 };

		ask_build(n, s, c, o->channel_key, BYTES_OF(any_p2wsh), SAT(0), true);
		return;
	}
	ask_address(s, o->channel_key);
}

/* What "all" comes to is known; the coins are picked again for the real script. */
static void all_answered(struct node *n, struct step *s, struct node_opening *o, struct node_call *c, const struct funds_answer *a)
{
	if (a->failed) {
		node_call_fail(n, s, c, a->code ? (enum reply_code)a->code : REPLY_FUNDING_CANNOT_AFFORD, a->reason);
		opening_end(n, o);
		return;
	}
	c->command.u.fund_channel.all = false;
	c->command.u.fund_channel.amount = a->output_amounts[0];
	node_funds_tell(s, FUNDS_RELEASE, c->reservation);
	ask_address(s, o->channel_key);
}

static void fill_common(struct node *n, struct channel_open_args *args, const struct node_opening *o,
			const struct node_peer *p, struct bytes script)
{
	memset(args, 0, sizeof(*args));
	args->key = o->channel_key;
	args->peer = p->peer->id;
	args->connection = p->peer->connection;
	args->policy = &n->channel_policy;
	args->our_features = n->peer_policy.features;
	args->their_features = buf_view(&p->peer->features);
	args->upfront_shutdown = script;
	args->trust_zeroconf = n->config->trust_zeroconf;
}

struct node_channel *node_channel_adopt(struct node *n, struct node_peer *p, struct channel *channel)
{
	struct node_channel *c = NEW(struct node_channel);

	store_be64(c->key, channel_key(channel));
	c->channel = channel;
	c->peer = p;
	c->next = p->channels;
	p->channels = c;
	n->peers_with_channels += p->channel_count == 0;
	p->channel_count++;
	table_add(&n->channels, c);
	return c;
}

static void open_now(struct node *n, struct step *s, struct node_opening *o, struct node_peer *p, struct bytes script)
{
	struct node_call *call = node_call_get(n, o->call);
	const struct command *k;
	struct channel_open_args args;
	struct channel_notes notes;
	struct channel *channel;
	struct node_channel *c;
	const char *why = NULL;

	if (!call)
		return;
	k = &call->command;
	fill_common(n, &args, o, p, k->u.fund_channel.has_close_to ? k->u.fund_channel.close_to : script);
	args.funding = k->u.fund_channel.amount;
	args.push = k->u.fund_channel.push;
	args.announce = k->u.fund_channel.announce;
	args.funding_feerate = node_feerate_or(n, k->u.fund_channel.feerate);
	args.has_channel_type = k->u.fund_channel.has_channel_type;
	args.channel_type = k->u.fund_channel.channel_type;
	args.has_reserve = k->u.fund_channel.has_reserve;
	args.reserve = k->u.fund_channel.reserve;
	args.has_minimum_depth = k->u.fund_channel.has_minimum_depth;
	args.minimum_depth = k->u.fund_channel.minimum_depth;
	channel_notes_init(&notes);
	channel = channel_open(s, &notes, &args, &why);
	if (!channel) {
		node_call_fail(n, s, call, REPLY_INVALID, why);
		return;
	}
	c = node_channel_adopt(n, p, channel);
	c->fund_call = call->id;
	c->reservation = call->reservation;
	node_touch(n, c);
	node_route(n, s, &notes);
}

/* Whether the wallet, as far as it says, can pay so much and keep what all anchor channels need, one more of them. */
static bool lacks_reserve(const struct node *n, const struct funds_answer *a, struct amount_sat pay)
{
	return a->has_spendable && a->spendable.v < pay.v + node_anchor_reserve(n, 1).v;
}

static void accept_now(struct node *n, struct step *s, struct node_opening *o, struct node_peer *p,
		       const struct funds_answer *a)
{
	struct channel_open_args args;
	struct channel_notes notes;
	struct channel *channel;
	const char *why = NULL;

	fill_common(n, &args, o, p, a->script);
	if (n->config->require_reserve && lacks_reserve(n, a, SAT(0)))
		args.refuse_anchors = "this node has too few coins now to pay for closing another channel: try again later";
	channel_notes_init(&notes);
	channel = channel_accept(s, &notes, &args, o->message, &why);
	if (!channel) {
		log_write(s->log, LOG_INFO, "channel", "refused a channel: %s", why ? why : "");
		return;
	}
	if (channel_record_of(channel)->type == COMMITMENT_ANCHORS && lacks_reserve(n, a, SAT(0)))
		log_write(s->log, LOG_WARN, "channel",
			  "the wallet has %llu sat; to be sure to close its channels in time it should have %llu",
			  (unsigned long long)a->spendable.v, (unsigned long long)node_anchor_reserve(n, 1).v);
	node_touch(n, node_channel_adopt(n, p, channel));
	node_route(n, s, &notes);
}

/* For a channel that has to answer a shutdown. */
static void script_answered(struct node *n, struct step *s, struct node_channel *c, const struct funds_answer *a)
{
	struct channel_shutdown_args args = { .script = a->script };
	struct channel_notes notes;
	const char *why = NULL;

	if (!c || c->dead)
		return;
	if (a->failed) {
		log_write(s->log, LOG_ERROR, "node", "the wallet gave no address for closing: %s", a->reason);
		return;
	}
	channel_notes_init(&notes);
	if (!channel_shutdown(c->channel, s, &notes, &args, &why))
		log_write(s->log, LOG_WARN, "channel", "cannot shut down: %s", why);
	node_touch(n, c);
	node_route(n, s, &notes);
}

/* Before the peer is troubled; the wallet looks again when it picks the coins. */
static bool can_afford(struct node *n, struct step *s, const struct node_opening *o, const struct node_peer *p,
		       const struct funds_answer *a)
{
	struct node_call *call = node_call_get(n, o->call);
	struct amount_sat pay = call ? call->command.u.fund_channel.amount : SAT(0);

	if (!call || !lacks_reserve(n, a, pay)
	    || !features_negotiated(n->peer_policy.features, buf_view(&p->peer->features), FEATURE_ANCHORS))
		return true;
	node_call_fail(n, s, call, REPLY_FUNDING_CANNOT_AFFORD,
		       arena_printf(&s->out->arena,
				    "cannot afford it: the wallet has %llu sat, the channel takes %llu, and %llu sat must stay "
				    "for fees of channels", (unsigned long long)a->spendable.v, (unsigned long long)pay.v,
				    (unsigned long long)node_anchor_reserve(n, 1).v));
	return false;
}

static void order_goes_on(struct node *n, struct step *s, struct node_opening *o, struct node_peer *p,
			  const struct funds_answer *a)
{
	if (a->failed)
		node_call_fail_id(n, s, o->call, REPLY_FAILED, a->reason);
	else if (!p || p->peer->state != PEER_READY)
		node_call_fail_id(n, s, o->call, REPLY_CONNECT_GONE, "the peer left");
	else if (can_afford(n, s, o, p, a))
		open_now(n, s, o, p, a->script);
}

/* B2.open_channel.23: what came over a connection that is gone is forgotten with it. */
static void offer_goes_on(struct node *n, struct step *s, struct node_opening *o, struct node_peer *p,
			  const struct funds_answer *a)
{
	if (!p || p->peer->connection != o->connection)
		return;
	if (!a->failed) {
		accept_now(n, s, o, p, a);
		return;
	}
	log_write(s->log, LOG_ERROR, "node", "the wallet gave no address for a channel: %s", a->reason);
	peer_send_error(p->peer, s, &o->temporary_id, "this node cannot open a channel now");
}

/* The wallet's script for a channel that is about to be. */
void node_channel_address_answered(struct node *n, struct step *s, uint64_t channel_key, const struct funds_answer *a)
{
	uint8_t key[8];
	struct node_opening *o;
	struct node_peer *p;

	store_be64(key, channel_key);
	o = table_get(&n->openings, BYTES_OF(key));
	if (!o) {
		script_answered(n, s, node_channel_by_key(n, channel_key), a);
		return;
	}
	p = node_peer_get(n, &o->peer);
	if (o->call)
		order_goes_on(n, s, o, p, a);
	else
		offer_goes_on(n, s, o, p, a);
	opening_end(n, o);
}

/* What others have begun and nobody has paid for; `p` NULL: of all peers.  Each costs us memory, a key and an
 * address, and the stranger nothing: few are allowed. */
static uint32_t openings_of(const struct node *n, const struct node_peer *p)
{
	uint32_t at = 0, count = 0;
	const struct node_opening *o;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at)))
		count += (!p || c->peer == p) && !c->dead && !node_channel_is_funded(c);
	for (at = 0; (o = table_next(&n->openings, &at));)
		count += !o->call && (!p || SAME(o->peer, p->peer->id));
	return count;
}

/* A second open_channel before funding_created of the first replaces it: only after a reconnection, where the
 * first was dropped with the connection (B2.open_channel: "accept a new open_channel"). */
void node_open_received(struct node *n, struct step *s, struct node_peer *p, struct bytes message)
{
	struct msg_open_channel m;
	struct node_opening *o;
	struct channel_id id;
	const char *why = NULL;
	enum decode_result decoded = msg_open_channel_decode(message, &s->out->arena, &m);

	if (decoded != DECODE_OK) {
		node_hang_up(n, s, p, "bad open_channel");
		return;
	}
	if (!n->config->accept_channels)
		why = "this node accepts no channels";
	else if (!n->synced)
		why = "this node is still following the chain: try again later";
	else if (openings_of(n, p) >= n->config->openings_per_peer_max || openings_of(n, NULL) >= n->config->openings_max)
		why = "too many channels are being opened at once";
	else if (p->channel_count >= n->config->channels_per_peer_max || table_count(&n->channels) >= n->config->channels_max)
		why = "this node has too many channels";
	memcpy(id.v, m.temporary_channel_id.v, sizeof(id.v));
	if (why) {
		peer_send_error(p->peer, s, &id, why); /* B1.error_warning.2 */
		return;
	}
	o = opening_make(n, &p->peer->id);
	o->connection = p->peer->connection;
	o->temporary_id = id;
	o->message = BYTES(memcpy(mem_alloc(message.size), message.data, message.size), message.size);
	ask_address(s, o->channel_key);
}

/* --- what the channel and the wallet say on the way --- */

void node_note_fund(struct node *n, struct step *s, struct node_channel *c, const struct channel_note *note)
{
	struct node_call *call = node_call_get(n, c->fund_call);
	struct channel_notes notes;

	if (call) {
		ask_build(n, s, call, channel_key(c->channel), note->script, note->amount, false);
		return;
	}
	channel_notes_init(&notes);
	channel_funding_failed(c->channel, s, &notes, "nobody waits for this channel any more");
	node_route(n, s, &notes);
}

static void built(struct node *n, struct step *s, struct node_channel *c, struct node_call *call, const struct funds_answer *a)
{
	struct channel_notes notes;

	channel_notes_init(&notes);
	if (a->failed) {
		node_call_fail_id(n, s, c->fund_call, a->code ? (enum reply_code)a->code : REPLY_FUNDING_CANNOT_AFFORD, a->reason);
		c->fund_call = 0;
		channel_funding_failed(c->channel, s, &notes, "the funding transaction could not be made");
	} else {
		if (call) {
			call->txid = a->txid;
			call->output = a->output_index[0];
		}
		channel_funded(c->channel, s, &notes, &(struct outpoint){ a->txid, a->output_index[0] });
	}
	node_touch(n, c);
	node_route(n, s, &notes);
}

/* Signed: from here on the money is on its way. */
static void signed_funding(struct node *n, struct step *s, struct node_channel *c, const struct funds_answer *a)
{
	if (a->failed) {
		/* The channel stays: the wallet may sign after a restart, or the user closes it. */
		log_write(s->log, LOG_WARN, "node", "the wallet did not sign a funding transaction: %s", a->reason);
		node_call_fail_id(n, s, c->fund_call, REPLY_FAILED, a->reason);
		c->fund_call = 0;
		return;
	}
	if (c->fund_call) {
		struct node_call *call = node_call_get(n, c->fund_call);

		if (call)
			call->tx = arena_bytes(&call->memory, a->tx);
	}
	node_funds_tell(s, FUNDS_SPENT, c->reservation);
	c->reservation = 0;
	node_outbox_add(n, s, &a->txid, a->tx, c->fund_call);
	c->fund_call = 0;
}

void node_funding_answered(struct node *n, struct step *s, uint64_t channel_key, const struct funds_answer *a)
{
	struct node_channel *c = node_channel_by_key(n, channel_key);
	struct node_call *call;
	struct node_opening *o;
	uint8_t key[8];

	store_be64(key, channel_key);
	o = table_get(&n->openings, BYTES_OF(key));
	if (o) {
		call = node_call_get(n, o->call);
		if (call)
			all_answered(n, s, o, call, a);
		else
			opening_end(n, o);
		return;
	}
	if (!c) /* The opening failed meanwhile; its reservation went with it. */
		return;
	call = node_call_get(n, c->fund_call);
	if (c->signing_funding)
		signed_funding(n, s, c, a);
	else
		built(n, s, c, call, a);
}

void node_ask_funding_signature(struct step *s, struct node_channel *c)
{
	struct funds_request *r = step_funds_request(s, FUNDS_SIGN);

	c->signing_funding = true;
	r->reservation = c->reservation;
	effect_funds(s->out, step_ask(s, OWNER_FUNDING, channel_key(c->channel)), r);
}

static struct bytes channel_type_bytes(struct step *s, const struct channel_record *r)
{
	struct channel_type t = { .anchors = r->type == COMMITMENT_ANCHORS, .scid_alias = r->scid_alias, .zeroconf = r->zeroconf };
	struct buf b = BUF_EMPTY;
	struct bytes v;

	channel_type_encode(&t, &b);
	v = arena_bytes(&s->out->arena, buf_view(&b));
	buf_release(&b);
	return v;
}

/* The network took the funding transaction. */
void node_fund_done(struct node *n, struct step *s, struct node_call *call)
{
	struct node_channel *c = node_channel_by_key(n, call->channel_key);
	struct reply *r = node_reply(s, call->id, COMMAND_FUND_CHANNEL);
	const struct channel_record *record;

	r->u.fund_channel.tx = arena_bytes(&s->out->arena, call->tx);
	r->u.fund_channel.txid = call->txid;
	r->u.fund_channel.output = call->output;
	if (c) {
		record = channel_record_of(c->channel);
		r->u.fund_channel.channel_id = *channel_id_of(c->channel);
		r->u.fund_channel.channel_type = channel_type_bytes(s, record);
		r->u.fund_channel.close_to = call->command.u.fund_channel.has_close_to ?
			arena_bytes(&s->out->arena, call->command.u.fund_channel.close_to) : BYTES_NONE;
		r->u.fund_channel.minimum_depth = record->minimum_depth;
	}
	node_call_end(n, call);
}
