/* Users: what they want of their nodes, asked again after a crash until it is over. */
#include <stdio.h>
#include <string.h>

#include "channel/view.h"
#include "tests/sim/book.h"
#include "tests/stored_payment.h"

void user_open(struct book *b, const struct open_wish *o, uint64_t *call)
{
	struct command c = { .kind = COMMAND_FUND_CHANNEL };

	c.u.fund_channel.peer = b->w->nodes[o->to].id;
	c.u.fund_channel.host = "127.0.0.1";
	c.u.fund_channel.port = 9735;
	c.u.fund_channel.amount = o->amount;
	c.u.fund_channel.push = o->push;
	c.u.fund_channel.announce = o->announce;
	world_command(b->w, o->from, &c, call);
}

void user_close(struct book *b, struct book_channel *c, int node, bool force, uint64_t *call)
{
	struct command cmd = { .kind = COMMAND_CLOSE };

	c->closer = node;
	c->close_life = b->w->nodes[node].life;
	if (force)
		c->force_wanted = true;
	else
		c->close_wanted = true;
	cmd.u.close.channel.by_id = true;
	cmd.u.close.channel.id = c->id;
	cmd.u.close.force = force;
	world_command(b->w, node, &cmd, call);
}

/* --- payments --- */

struct wish *wish_new(struct book *b, enum wish_kind kind, int from, int to, struct amount_msat amount)
{
	struct wish *v;

	if (b->wish_count == b->wish_capacity) {
		b->wish_capacity = b->wish_capacity ? 2 * b->wish_capacity : 32;
		b->wishes = mem_realloc(b->wishes, b->wish_capacity, sizeof(*b->wishes));
	}
	v = &b->wishes[b->wish_count];
	memset(v, 0, sizeof(*v));
	v->index = b->wish_count++;
	if (b->open_count == b->open_capacity) {
		b->open_capacity = b->open_capacity ? 2 * b->open_capacity : 32;
		b->open = mem_realloc(b->open, b->open_capacity, sizeof(*b->open));
	}
	b->open[b->open_count++] = v->index;
	v->kind = kind;
	v->from = from;
	v->to = to;
	v->amount = amount;
	return v;
}

static uint32_t list_of(const struct sha256 *hash)
{
	return load_be32(hash->v) % BOOK_LISTS;
}

static void wish_named(struct book *b, struct wish *v, const struct sha256 *hash)
{
	uint32_t *list = &b->of_hash[list_of(hash)];

	v->hash = *hash;
	v->next_of_hash = *list;
	*list = v->index + 1;
}

struct wish *wish_of_hash(const struct book *b, const struct sha256 *hash)
{
	for (uint32_t i = b->of_hash[list_of(hash)]; i; i = b->wishes[i - 1].next_of_hash)
		if (SAME(b->wishes[i - 1].hash, *hash))
			return &b->wishes[i - 1];
	return NULL;
}

static void order_invoice(struct book *b, struct wish *v)
{
	struct command c = { .kind = COMMAND_INVOICE };
	char label[64];

	snprintf(label, sizeof(label), "wish-%u-%llu", v->index, (unsigned long long)b->w->steps);
	c.u.invoice.amount = v->half ? MSAT(2 * v->amount.v) : v->amount;
	c.u.invoice.label = label;
	c.u.invoice.description = "a wish";
	c.u.invoice.expiry_s = 86400 * 30;
	c.u.invoice.expose = v->hints ? EXPOSE_ALL : EXPOSE_DEFAULT;
	v->asked_at = b->w->now_ms;
	world_command(b->w, v->to, &c, &v->invoice_call);
}

static void order_pay(struct book *b, struct wish *v, uint64_t *call)
{
	struct command c = { .kind = COMMAND_PAY };

	c.u.pay.bolt11 = v->bolt11;
	c.u.pay.retry_for_s = 60;
	c.u.pay.has_fee_limit = v->has_fee_limit;
	c.u.pay.fee_limit = v->fee_limit;
	v->asked_at = b->w->now_ms;
	v->life = b->w->nodes[v->from].life;
	v->called = true;
	world_command(b->w, v->from, &c, call);
}

static void order_keysend(struct book *b, struct wish *v)
{
	struct command c = { .kind = COMMAND_KEYSEND };

	c.u.keysend.destination = b->w->nodes[v->to].id;
	c.u.keysend.amount = v->amount;
	c.u.keysend.has_fee_limit = v->has_fee_limit;
	c.u.keysend.fee_limit = v->fee_limit;
	v->asked_at = b->w->now_ms;
	v->life = b->w->nodes[v->from].life;
	v->called = true;
	world_command(b->w, v->from, &c, &v->pay_call);
}

/* What that node asks for over the channel that it goes on by, as it says itself. */
static struct forward_policy asked(const struct book *b, const struct book_hop *next, int node)
{
	const struct node_config *config = &b->w->nodes[node].config;
	const struct channel *ch = book_view(b, &b->channels[next->channel], node);
	bool ignored;

	if (ch)
		return node_view_policy(b->w->nodes[node].node, ch, &ignored);
	return (struct forward_policy){ .fee_base = config->forward_fee_base, .fee_ppm = config->forward_fee_ppm,
					.cltv_delta = config->forward_cltv_delta };
}

void wish_price(struct book *b, struct wish *v)
{
	struct amount_msat amount = v->amount;
	uint32_t cltv = b->w->nodes[v->to].config.cltv_final_blocks + 3;

	for (uint32_t i = v->hop_count; i--;) {
		/* What the node at the end of this hop keeps for the next one. */
		if (i + 1 < v->hop_count) {
			struct forward_policy f = asked(b, &v->hops[i + 1], v->hops[i].node);

			amount.v += f.fee_base.v + amount.v * f.fee_ppm / 1000000;
			cltv += f.cltv_delta;
		}
		v->hops[i].amount = amount;
		v->hops[i].cltv = cltv;
	}
}

/* How the node before a hop answers to its channel. */
static struct scid hop_scid(const struct book *b, const struct wish *v, uint32_t hop)
{
	const struct book_channel *c = &b->channels[v->hops[hop].channel];
	const struct channel *ch = book_view(b, c, hop ? v->hops[hop - 1].node : v->from);

	if (!ch)
		return (struct scid){ 0 };
	if (!hop || channel_answers_to(ch, channel_record_of(ch)->scid))
		return channel_record_of(ch)->scid;
	return channel_record_of(ch)->alias_local;
}

static void order_route(struct book *b, struct wish *v)
{
	struct command c = { .kind = COMMAND_SENDPAY };
	struct route_hop hops[BOOK_HOPS_MAX];

	memset(hops, 0, sizeof(hops));
	for (uint32_t i = 0; i < v->hop_count; i++) {
		hops[i].node = b->w->nodes[v->hops[i].node].id;
		hops[i].scid = hop_scid(b, v, i);
		hops[i].amount = v->hops[i].amount;
		hops[i].delay = v->hops[i].cltv;
	}
	c.u.sendpay.hops = hops;
	c.u.sendpay.hop_count = v->hop_count;
	c.u.sendpay.payment_hash = v->hash;
	c.u.sendpay.has_secret = true;
	c.u.sendpay.secret = v->secret;
	c.u.sendpay.secret.v[0] ^= v->wrong_secret;
	c.u.sendpay.has_total = v->half;
	c.u.sendpay.total = MSAT(2 * v->amount.v);
	v->asked_at = b->w->now_ms;
	v->life = b->w->nodes[v->from].life;
	v->called = true;
	world_command(b->w, v->from, &c, &v->pay_call);
}

/* A keysend's hash is its node's own: without an answer its user can not know what became of it. */
static void follow_keysend(struct book *b, struct wish *v)
{
	const struct sim_node *payer = &b->w->nodes[v->from];
	const struct sim_reply *r;

	if (!v->called) {
		if (payer->alive)
			order_keysend(b, v);
		return;
	}
	r = world_reply(b->w, v->pay_call);
	if (r) {
		v->over = true;
		v->code = r->code;
		v->paid = r->code == REPLY_OK;
		if (v->paid)
			wish_named(b, v, &r->payment_hash);
		if (v->paid && !b->w->nodes[v->to].config.accept_keysend)
			world_fail(b->w, "a keysend was accepted by a node that accepts none");
	} else if (payer->life != v->life) { /* The answer died with it. */
		v->over = true;
	}
}

static void follow_invoice(struct book *b, struct wish *v)
{
	const struct sim_reply *r = v->invoice_call ? world_reply(b->w, v->invoice_call) : NULL;

	if (r && r->code == REPLY_OK) {
		v->has_invoice = true;
		wish_named(b, v, &r->payment_hash);
		v->secret = r->payment_secret;
		snprintf(v->bolt11, sizeof(v->bolt11), "%s", r->text);
	} else if (b->w->nodes[v->to].alive && (!v->invoice_call || b->w->now_ms > v->asked_at + 5000)) {
		order_invoice(b, v);
	}
}

static void follow_route(struct book *b, struct wish *v)
{
	const struct sim_node *payer = &b->w->nodes[v->from];
	enum payment_state state;

	if (!payer->alive || send_by_hash(node_view_payments(payer->node), &v->hash))
		return;
	if (stored_payment_state(payer->store, &v->hash, &state)) {
		/* Its end may not be on the disk yet. */
		v->over = state != PAYMENT_PENDING;
		v->paid = state == PAYMENT_COMPLETE;
		return;
	}
	/* The store is being asked what was paid before. */
	if (v->called && v->life == payer->life && !world_reply(b->w, v->pay_call))
		return;
	/* Not begun, or the order died with the node before anything left it. */
	if (!v->called || !world_reply(b->w, v->pay_call))
		order_route(b, v);
	else
		v->over = true;
}

/* The second order of one payment: it waits for the first, or is told the same. */
static bool agree(struct book *b, const struct wish *v, const struct sim_reply *one)
{
	const struct sim_reply *other = world_reply(b->w, v->again_call);

	if (!other)
		return false;
	if (one->code == REPLY_OK && (other->code != REPLY_OK || !SAME(one->preimage, other->preimage)))
		world_fail(b->w, "payment %u was ordered twice: once it is paid, once the answer is %d: %s", v->index, other->code,
			   other->text);
	return true;
}

/* The invoice says which payment it is: whoever asks again is told how it ended, or waits. */
static void follow_payment(struct book *b, struct wish *v)
{
	const struct sim_node *payer = &b->w->nodes[v->from];
	const struct sim_reply *r = v->called ? world_reply(b->w, v->pay_call) : NULL;

	if (!v->called || (!r && payer->life != v->life)) {
		if (payer->alive)
			order_pay(b, v, &v->pay_call);
		if (v->twice && payer->alive)
			order_pay(b, v, &v->again_call);
		return;
	}
	if (!r || (v->twice && payer->life == v->life && !agree(b, v, r)))
		return;
	v->over = true;
	v->code = r->code;
	v->paid = r->code == REPLY_OK;
	if (!v->paid)
		world_say(b->w, "payment %u is not made: %s", v->index, r->text);
}

bool wish_follow(struct book *b, struct wish *v)
{
	if (v->over)
		return true;
	if (v->kind == WISH_KEYSEND)
		follow_keysend(b, v);
	else if (!v->has_invoice)
		follow_invoice(b, v);
	else if (v->kind == WISH_ROUTE)
		follow_route(b, v);
	else
		follow_payment(b, v);
	return v->over;
}

uint32_t wishes_follow(struct book *b, bool one_by_one)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < b->open_count; i++) {
		uint32_t index = b->open[i];

		if ((kept && one_by_one) || !wish_follow(b, &b->wishes[index]))
			b->open[kept++] = index;
	}
	return b->open_count = kept;
}
