/* Three nodes in a row, and the one between asks for more.  Who learns late of that may keep to the terms of before for
 * ten minutes, also if that node died meanwhile; after them nobody carries anything for less than is asked. */
#include "tests/sim/scenario.h"

#include "channel/view.h"

#define AMOUNT MSAT(20000000)
#define ASKED_LATER MSAT(50000)

static bool three_alive(struct play *p)
{
	return play_all_alive(p) && book_between(p->b, 0, 1) && book_between(p->b, 1, 2);
}

/* Asked until it has answered: an order dies with its node. */
struct raising {
	uint64_t call;
	uint32_t life;
};

static bool raised(struct play *p)
{
	struct raising *r = p->context;
	const struct sim_node *n = &p->w->nodes[1];
	const struct book_channel *c = book_between(p->b, 1, 2);
	const struct channel *ch = c ? book_view(p->b, c, 1) : NULL;
	struct command order = { .kind = COMMAND_SET_CHANNEL };
	bool ignored;

	if (!ch)
		return false;
	if (node_view_policy(n->node, ch, &ignored).fee_base.v == ASKED_LATER.v)
		return exec_quiet(n->exec);
	if (r->call && r->life == n->life)
		return false;
	order.u.set_channel.channel.by_id = true;
	order.u.set_channel.channel.id = c->id;
	order.u.set_channel.fields = POLICY_FEE_BASE;
	order.u.set_channel.own.fee_base = ASKED_LATER;
	order.u.set_channel.enforce_delay_s = 600;
	r->life = n->life;
	world_command(p->w, 1, &order, &r->call);
	return false;
}

/* At the price of before. */
static struct wish *route(struct play *p, struct amount_msat before)
{
	struct wish *v;

	play_reach(p, "a row of channels", three_alive);
	scenario_route(p, 0, 1, 2, AMOUNT, false);
	v = &p->b->wishes[p->b->wish_count - 1];
	v->hops[0].amount = before;
	return v;
}

static void check_paid(struct play *p, uint32_t wish, bool paid, const char *why)
{
	/* A crash may have taken the payment's link at any time. */
	if (p->b->wishes[wish].paid != paid && (!paid || (p->o->crash_node < 0 && !p->o->crash_one_in)))
		world_fail(p->w, "%s", why);
}

static bool over(struct play *p)
{
	return p->w->now_ms >= p->looked_at;
}

static void run(struct play *p)
{
	const struct open_wish ab = { 0, 1, SAT(800000), MSAT(0), false }, bc = { 1, 2, SAT(700000), MSAT(0), true };
	struct raising r = { 0 };
	struct amount_msat before;

	world_connect(p->w, 0, 1);
	world_connect(p->w, 2, 1);
	play_open(p, &ab);
	play_open(p, &bc);
	play_reach(p, "a row of channels", three_alive);
	scenario_route(p, 0, 1, 2, AMOUNT, false);
	before = p->b->wishes[0].hops[0].amount;
	play_wishes(p, false);
	p->context = &r;
	play_reach(p, "other terms", raised);
	route(p, before);
	play_wishes(p, false);
	p->looked_at = p->w->now_ms + 11 * MINUTE_MS;
	play_reach(p, "the end of what was before", over);
	route(p, before);
	play_wishes(p, false);
	play_rest(p);
	check_paid(p, 0, true, "a payment failed without a reason");
	check_paid(p, 1, true, "the terms of a minute ago are not good any more");
	check_paid(p, 2, false, "the terms of eleven minutes ago are still good");
	play_close_all(p);
	play_bury(p);
	play_judge(p, true);
}

const struct scenario scenario_terms = { "terms", "a forwarder asks for more, and takes less from who could not know", 3, run, 1, 40,
					 false };
