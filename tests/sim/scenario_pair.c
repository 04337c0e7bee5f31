/* Two nodes: a channel is opened, payments go both ways and some fail, it is closed by agreement. */
#include <string.h>

#include "channel/view.h"
#include "tests/sim/scenario.h"
#include "tests/stored_invoice.h"

#define FUNDING_SAT 1000000u
#define PUSH_MSAT 300000000u

static void make_wishes(struct play *p)
{
	struct world *w = p->w;

	for (uint32_t i = 0; i < 2 * p->o->payments; i++) {
		bool bound_to_fail = world_random(w, 4) == 0; /* keysend, which nobody accepts here */
		struct amount_msat amount = MSAT(1 + world_random(w, world_random(w, 3) ? 5000000 : 400000));

		wish_new(p->b, bound_to_fail ? WISH_KEYSEND : WISH_PAY, (int)(i % 2), (int)(1 - i % 2), amount);
	}
}

/* --- what must hold --- */

static void check_payments(struct play *p)
{
	struct world *w = p->w;

	for (uint32_t i = 0; i < p->b->wish_count; i++) {
		const struct wish *v = &p->b->wishes[i];
		struct record_invoice got;

		if (v->kind == WISH_KEYSEND)
			continue;
		if (!stored_invoice(w->nodes[v->to].store, &v->hash, &got))
			world_fail(w, "payment %u: an invoice that was told to its user is gone", i);
		if ((got.state == INVOICE_PAID) != v->paid)
			world_fail(w, "payment %u: the payer says %s, the payee %s", i, v->paid ? "paid" : "not paid",
				   got.state == INVOICE_PAID ? "paid" : "not paid");
		if (v->paid && got.received.v != v->amount.v)
			world_fail(w, "payment %u: another amount arrived", i);
	}
}

static void check_balances(struct play *p, const struct channel *a, const struct channel *b)
{
	struct world *w = p->w;
	int64_t expect = PUSH_MSAT;

	for (uint32_t i = 0; i < p->b->wish_count; i++)
		if (p->b->wishes[i].paid)
			expect += p->b->wishes[i].from == 0 ? (int64_t)p->b->wishes[i].amount.v : -(int64_t)p->b->wishes[i].amount.v;
	if ((int64_t)channel_to_us(b).v != expect)
		world_fail(w, "node1 has %llu msat and should have %lld", (unsigned long long)channel_to_us(b).v, (long long)expect);
	if (channel_to_us(a).v + channel_to_us(b).v != FUNDING_SAT * 1000ull)
		world_fail(w, "the two balances are not the channel");
	channel_check(a, true);
	channel_check(b, true);
}

static void check_agreement(struct play *p, const struct channel_record *a, const struct channel_record *b)
{
	if (a->local_number != b->remote_number || a->remote_number != b->local_number ||
	    a->local_revoked != b->remote_revoked || a->remote_revoked != b->local_revoked)
		world_fail(p->w, "the two sides do not agree on commitment numbers");
	if (a->state != CHANNELD_NORMAL || b->state != CHANNELD_NORMAL)
		world_fail(p->w, "an honest pair is not in CHANNELD_NORMAL: %s, %s", channel_state_name(a->state),
			   channel_state_name(b->state));
}

static void check_kind(struct play *p)
{
	for (uint32_t k = 0; k < p->b->channel_count; k++)
		for (int i = 0; i < 2; i++) {
			const struct channel *ch = book_view(p->b, &p->b->channels[k], i);
			const struct onchain *o = ch ? node_view_onchain(p->w->nodes[i].node, ch) : NULL;

			if (o && onchain_kind(o) != ONCHAIN_MUTUAL_CLOSE)
				world_fail(p->w, "node%d sees another end than the agreed one", i);
		}
}

static void run(struct play *p)
{
	const struct open_wish o = { 0, 1, SAT(FUNDING_SAT), MSAT(PUSH_MSAT), true };
	struct book_channel *c;
	const struct channel *a, *b;

	world_connect(p->w, (int)(p->o->seed % 2), 1 - (int)(p->o->seed % 2));
	play_open(p, &o);
	make_wishes(p);
	play_wishes(p, !p->o->concurrent);
	play_rest(p);
	c = book_between(p->b, 0, 1);
	if (!c)
		world_fail(p->w, "the channel cannot be used any more");
	a = book_view(p->b, c, 0);
	b = book_view(p->b, c, 1);
	check_payments(p);
	check_balances(p, a, b);
	check_agreement(p, channel_record_of(a), channel_record_of(b));
	play_close_all(p);
	check_kind(p);
	play_bury(p);
	play_judge(p, true);
}

const struct scenario scenario_pair = { "pair", "open, pay both ways, close by agreement", 2, run, 0, 0, false };
