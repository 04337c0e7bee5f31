/* Three nodes in a row: one payment goes through the middle, one is refused at its end. */
#include <string.h>

#include "tests/sim/scenario.h"

static void row(struct play *p)
{
	const struct open_wish ab = { 0, 1, SAT(800000), MSAT(0), false }, bc = { 1, 2, SAT(700000), MSAT(0), true };

	world_connect(p->w, 0, 1);
	world_connect(p->w, 2, 1);
	play_open(p, &ab);
	play_open(p, &bc);
}

void scenario_route(struct play *p, int from, int over, int to, struct amount_msat amount, bool refused)
{
	const struct book_channel *first = book_between(p->b, from, over), *second = book_between(p->b, over, to);
	struct wish *v = wish_new(p->b, WISH_ROUTE, from, to, amount);

	/* A crash may have taken a channel's link: any will do, the forwarder looks by itself. */
	v->hops[0].channel = first ? first->index : 0;
	v->hops[0].node = over;
	v->hops[1].channel = second ? second->index : 0;
	v->hops[1].node = to;
	v->hop_count = 2;
	v->wrong_secret = refused;
	wish_price(p->b, v);
}

static bool three_alive(struct play *p)
{
	return play_all_alive(p) && book_between(p->b, 0, 1) && book_between(p->b, 1, 2);
}

static void run(struct play *p)
{
	row(p);
	play_reach(p, "a row of channels", three_alive);
	scenario_route(p, 0, 1, 2, MSAT(20000000), false);
	play_wishes(p, false);
	play_reach(p, "a row of channels", three_alive);
	scenario_route(p, 0, 1, 2, MSAT(10000000), true);
	play_wishes(p, false);
	play_rest(p);
	if (p->b->wishes[1].paid)
		world_fail(p->w, "a payment with a wrong secret was taken");
	/* Without a crash it arrives; with one it may fail, on all edges alike. */
	if (!p->b->wishes[0].paid && p->o->crash_node < 0 && !p->o->crash_one_in)
		world_fail(p->w, "the payment failed without a reason");
	play_close_all(p);
	play_bury(p);
	play_judge(p, true);
}

const struct scenario scenario_forward = { "forward", "a payment through a node between, and one that is refused", 3, run, 0, 0, false };
