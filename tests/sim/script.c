#include "tests/sim/script.h"

#include <stdio.h>
#include <string.h>

#include "channel/view.h"

#define PAYMENTS_MAX 64
#define FUNDING_SAT 1000000u
#define PUSH_MSAT 300000000u
#define MINUTE_MS 60000ull

/* One payment, as its user sees it: made once, asked about until it ended. */
struct wish {
	int from;
	bool bound_to_fail;     /* keysend, which nobody accepts here */
	struct amount_msat amount;
	char bolt11[1200];
	struct sha256 hash;
	uint64_t invoice_call, pay_call;
	bool has_invoice, called, over, paid;
};

struct play {
	struct world *w;
	const struct script_options *o;
	struct wish wishes[2 * PAYMENTS_MAX];
	uint32_t wish_count, next;
	uint64_t open_call, close_call;
	bool closed;
};

/* The opener's newest channel.  The other side may also hold ones that its opener forgot: a crash between
 * funding_created and funding_signed leaves one that waits 2016 blocks for a funding that never comes. */
static const struct channel *channel_of(struct sim_node *n)
{
	struct sim_node *opener = &n->world->nodes[0];
	const struct channel *ch, *newest = NULL;
	uint32_t at = 0;

	if (!n->alive)
		return NULL;
	while ((ch = node_view_channel(n->node, &at)))
		if (n == opener || (opener->alive && SAME(*channel_id_of(ch), opener->world->channel_id)))
			newest = ch;
	if (n == opener && newest)
		n->world->channel_id = *channel_id_of(newest);
	return newest;
}

static bool maybe_crash(struct world *w, const struct script_options *o)
{
	int victim;

	if (!o->crash_one_in || world_random(w, o->crash_one_in))
		return false;
	victim = (int)world_random(w, WORLD_NODES);
	if (!w->nodes[victim].alive)
		return false;
	world_crash(w, victim);
	return true;
}

/* Runs `goal` to its end: it is asked after every step, and may order things. */
static void reach(struct play *p, const char *what, bool (*goal)(struct play *p))
{
	uint64_t end = p->w->now_ms + 240 * MINUTE_MS;

	while (!goal(p)) {
		maybe_crash(p->w, p->o);
		if (p->o->fees && world_random(p->w, 60) == 0)
			world_fees(p->w, 253 + (uint32_t)world_random(p->w, 2000));
		if (!world_step(p->w, end))
			world_fail(p->w, "not reached in four hours: %s", what);
	}
}

static bool both_alive(const struct world *w)
{
	return w->nodes[0].alive && w->nodes[1].alive;
}

static void order_connect(struct world *w, int from)
{
	struct command c = { .kind = COMMAND_CONNECT };
	uint64_t call;

	c.u.connect.peer = w->nodes[1 - from].id;
	c.u.connect.host = "127.0.0.1";
	c.u.connect.port = 9735;
	world_command(w, from, &c, &call);
}

static void order_open(struct play *p)
{
	struct command c = { .kind = COMMAND_FUND_CHANNEL };

	c.u.fund_channel.peer = p->w->nodes[1].id;
	c.u.fund_channel.host = "127.0.0.1";
	c.u.fund_channel.port = 9735;
	c.u.fund_channel.amount = SAT(FUNDING_SAT);
	c.u.fund_channel.push = MSAT(PUSH_MSAT);
	c.u.fund_channel.announce = true;
	world_command(p->w, 0, &c, &p->open_call);
}

/* The order was lost with its node, or refused because the other one was away: a user asks again. */
static bool order_lost(struct world *w, int node, uint64_t call, uint32_t life)
{
	const struct sim_reply *r = world_reply(w, call);

	return w->nodes[node].alive && (w->nodes[node].life != life || (r && r->code != REPLY_OK));
}

static bool usable(struct play *p)
{
	struct world *w = p->w;
	const struct channel *a, *b;
	static uint32_t life;

	if (!both_alive(w))
		return false;
	a = channel_of(&w->nodes[0]);
	b = channel_of(&w->nodes[1]);
	if (!a && (!p->open_call || order_lost(w, 0, p->open_call, life))) {
		life = w->nodes[0].life;
		order_open(p);
		return false;
	}
	if (sim_chain_mempool(w->chain) || (a && channel_state_of(a) == CHANNELD_AWAITING_LOCKIN && world_random(w, 50) == 0))
		world_mine(w, 1);
	a = channel_of(&w->nodes[0]);
	return a && b && both_alive(w) && channel_is_usable(a) && channel_is_usable(channel_of(&w->nodes[1]));
}

static void make_wishes(struct play *p)
{
	struct world *w = p->w;

	for (uint32_t i = 0; i < 2 * p->o->payments; i++) {
		struct wish *v = &p->wishes[p->wish_count++];

		v->from = (int)(i % 2);
		v->bound_to_fail = world_random(w, 4) == 0;
		v->amount = MSAT(1 + world_random(w, world_random(w, 3) ? 5000000 : 400000));
	}
}

static void order_invoice(struct play *p, struct wish *v)
{
	struct command c = { .kind = COMMAND_INVOICE };
	char label[32];

	snprintf(label, sizeof(label), "wish-%u-%llu", (unsigned)(v - p->wishes), (unsigned long long)p->w->steps);
	c.u.invoice.amount = v->amount;
	c.u.invoice.label = label;
	c.u.invoice.description = "a wish";
	c.u.invoice.expiry_s = 86400;
	world_command(p->w, 1 - v->from, &c, &v->invoice_call);
}

static void order_pay(struct play *p, struct wish *v)
{
	struct command c = { .kind = COMMAND_PAY };

	c.u.pay.bolt11 = v->bolt11;
	c.u.pay.retry_for_s = 60;
	world_command(p->w, v->from, &c, &v->pay_call);
	v->called = true;
}

static void order_keysend(struct play *p, struct wish *v)
{
	struct command c = { .kind = COMMAND_KEYSEND };

	c.u.keysend.destination = p->w->nodes[1 - v->from].id;
	c.u.keysend.amount = v->amount;
	world_command(p->w, v->from, &c, &v->pay_call);
	v->called = true;
}

/* A keysend's hash is its node's own: whatever became of it, it must not be paid. */
static void follow_keysend(struct play *p, struct wish *v)
{
	const struct sim_reply *r;

	if (!v->called) {
		if (p->w->nodes[v->from].alive)
			order_keysend(p, v);
		return;
	}
	r = world_reply(p->w, v->pay_call);
	if (r && r->code == REPLY_OK)
		world_fail(p->w, "a keysend was accepted by a node that accepts none");
	/* An answer that a crash took never comes. */
	v->over = r != NULL || p->w->nodes[v->from].crashes;
}

static void follow_invoice(struct play *p, struct wish *v)
{
	const struct sim_reply *r = v->invoice_call ? world_reply(p->w, v->invoice_call) : NULL;

	if (r && r->code == REPLY_OK) {
		v->has_invoice = true;
		v->hash = r->payment_hash;
		snprintf(v->bolt11, sizeof(v->bolt11), "%s", r->text);
	} else if (p->w->nodes[1 - v->from].alive && (!v->invoice_call || world_random(p->w, 20) == 0)) {
		order_invoice(p, v);
	}
}

static void follow(struct play *p, struct wish *v)
{
	struct sim_node *payer = &p->w->nodes[v->from];
	const struct payment *made;

	if (v->bound_to_fail) {
		follow_keysend(p, v);
		return;
	}
	if (!v->has_invoice) {
		follow_invoice(p, v);
		return;
	}
	if (!payer->alive)
		return;
	made = send_by_hash(node_view_payments(payer->node), &v->hash);
	if (made && made->r.state == PAYMENT_PENDING)
		return;
	if (made) {
		v->over = true;
		v->paid = made->r.state == PAYMENT_COMPLETE;
		return;
	}
	/* Not begun, or the order died with the node before anything left it. */
	if (!v->called || !world_reply(p->w, v->pay_call))
		order_pay(p, v);
	else
		v->over = true;
}

static bool wishes_over(struct play *p)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < p->wish_count; i++) {
		if (p->wishes[i].over)
			continue;
		follow(p, &p->wishes[i]);
		left += !p->wishes[i].over;
		if (left && !p->o->concurrent)
			break;
	}
	return left == 0;
}

static bool quiet(struct play *p)
{
	const struct channel *a = channel_of(&p->w->nodes[0]), *b = channel_of(&p->w->nodes[1]);

	return a && b && channel_is_usable(a) && channel_is_usable(b) && !channel_htlc_count(a) && !channel_htlc_count(b) &&
	       !channel_is_busy(a) && !channel_is_busy(b);
}

/* --- what must hold --- */

static void check_payments(struct play *p)
{
	struct world *w = p->w;

	for (uint32_t i = 0; i < p->wish_count; i++) {
		const struct wish *v = &p->wishes[i];
		const struct received_invoice *got;

		if (v->bound_to_fail)
			continue;
		got = receive_by_hash(node_view_invoices(w->nodes[1 - v->from].node), &v->hash);
		if (!got)
			world_fail(w, "payment %u: an invoice that was told to its user is gone", i);
		if ((got->r.state == INVOICE_PAID) != v->paid)
			world_fail(w, "payment %u: the payer says %s, the payee %s", i, v->paid ? "paid" : "not paid",
				   got->r.state == INVOICE_PAID ? "paid" : "not paid");
		if (v->paid && got->r.received.v != v->amount.v)
			world_fail(w, "payment %u: another amount arrived", i);
	}
}

static void check_balances(struct play *p)
{
	struct world *w = p->w;
	int64_t expect = PUSH_MSAT;
	const struct channel *a = channel_of(&w->nodes[0]), *b = channel_of(&w->nodes[1]);

	for (uint32_t i = 0; i < p->wish_count; i++)
		if (p->wishes[i].paid)
			expect += p->wishes[i].from == 0 ? (int64_t)p->wishes[i].amount.v : -(int64_t)p->wishes[i].amount.v;
	if ((int64_t)channel_to_us(b).v != expect)
		world_fail(w, "node1 has %llu msat and should have %lld", (unsigned long long)channel_to_us(b).v, (long long)expect);
	if (channel_to_us(a).v + channel_to_us(b).v != FUNDING_SAT * 1000ull)
		world_fail(w, "the two balances are not the channel");
	channel_check(a, true);
	channel_check(b, true);
}

static void check_agreement(struct play *p)
{
	const struct channel_record *a = channel_record_of(channel_of(&p->w->nodes[0]));
	const struct channel_record *b = channel_record_of(channel_of(&p->w->nodes[1]));

	if (a->local_number != b->remote_number || a->remote_number != b->local_number ||
	    a->local_revoked != b->remote_revoked || a->remote_revoked != b->local_revoked)
		world_fail(p->w, "the two sides do not agree on commitment numbers");
	if (a->state != CHANNELD_NORMAL || b->state != CHANNELD_NORMAL)
		world_fail(p->w, "an honest pair is not in CHANNELD_NORMAL: %s, %s", channel_state_name(a->state), channel_state_name(b->state));
}

static void check_policy(struct play *p)
{
	for (int i = 0; i < WORLD_NODES; i++)
		if (policy_signer_refusals(p->w->nodes[i].policy))
			world_fail(p->w, "the policy had to refuse a signature of node%d", i);
}

/* --- closing --- */

static void order_close(struct play *p)
{
	struct command c = { .kind = COMMAND_CLOSE };

	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = p->w->nodes[1].id;
	world_command(p->w, 0, &c, &p->close_call);
}

static bool spent_by_agreement(struct play *p)
{
	struct world *w = p->w;
	static uint32_t life;
	const struct channel *a;
	int over = 0;

	if (!both_alive(w))
		return false;
	a = channel_of(&w->nodes[0]);
	if (a && channel_state_of(a) == CHANNELD_NORMAL && (!p->close_call || life != w->nodes[0].life)) {
		life = w->nodes[0].life;
		order_close(p);
	}
	if (sim_chain_mempool(w->chain))
		world_mine(w, 1);
	for (int i = 0; i < WORLD_NODES; i++) {
		const struct channel *c = channel_of(&w->nodes[i]);
		const struct onchain *o = c ? node_view_onchain(w->nodes[i].node, c) : NULL;

		if (!o)
			continue;
		if (onchain_kind(o) != ONCHAIN_MUTUAL_CLOSE)
			world_fail(w, "node%d sees another end than the agreed one", i);
		over++;
	}
	return over == WORLD_NODES;
}

static bool history(struct play *p)
{
	int over = 0;

	if (!both_alive(p->w))
		return false;
	for (int i = 0; i < WORLD_NODES; i++) {
		uint32_t at = 0;

		over += node_view_closed(p->w->nodes[i].node, &at) != NULL;
	}
	if (over < WORLD_NODES && world_random(p->w, 10) == 0)
		world_mine(p->w, 5);
	return over == WORLD_NODES;
}

static void begin(struct play *p, const struct script_options *o)
{
	const struct world_options like = { .seed = o->seed, .verbose = o->verbose, .cut_one_in = o->cut_one_in,
				    .slow_signer = o->slow_signer, .memo = o->memo, .static_remotekey = o->static_remotekey };

	memset(p, 0, sizeof(*p));
	p->o = o;
	p->w = world_new(&like);
	if (o->crash_node >= 0)
		p->w->nodes[o->crash_node].crash_after = o->crash_after;
	order_connect(p->w, (int)(o->seed % 2));
}

struct script_result script_run(const struct script_options *o)
{
	static struct play p;
	struct script_result r = { 0 };

	ASSERT(o->payments <= PAYMENTS_MAX);
	begin(&p, o);
	reach(&p, "a usable channel", usable);
	make_wishes(&p);
	reach(&p, "every payment over", wishes_over);
	p.w->o.cut_one_in = 0;
	reach(&p, "a quiet channel", quiet);
	check_payments(&p);
	check_balances(&p);
	check_agreement(&p);
	reach(&p, "a mutual close", spent_by_agreement);
	reach(&p, "the channel history", history);
	check_policy(&p);
	for (int i = 0; i < WORLD_NODES; i++) {
		r.effects[i] = p.w->nodes[i].effects;
		r.crashes += p.w->nodes[i].crashes;
		r.digest = r.digest * 31 + memory_disk_digest(p.w->nodes[i].disk);
	}
	for (uint32_t i = 0; i < p.wish_count; i++) {
		r.paid += p.wishes[i].paid;
		r.failed += !p.wishes[i].paid;
	}
	r.steps = p.w->steps;
	r.virtual_ms = p.w->now_ms - 1700000000000ull;
	world_free(p.w);
	return r;
}
