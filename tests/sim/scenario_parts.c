/* A diamond: one payment that no single way carries goes over two, found by the payer itself, and its invoice is paid once
 * whoever dies meanwhile. */
#include "tests/sim/scenario.h"

#include "channel/view.h"

#define SIDE SAT(400000)
#define AMOUNT MSAT(600000000)

static bool known_to_all(struct play *p)
{
	for (int i = 0; i < 4; i++) {
		const struct sim_node *n = &p->w->nodes[i];

		if (!n->alive || gossip_figures(node_view_gossip(n->node)).channels != 4)
			return false;
	}
	return check_gossip_agreement(p->k) == NULL;
}

static bool announced(struct play *p)
{
	if (known_to_all(p))
		return true;
	play_mine_slowly(p);
	return false;
}

static bool usable(struct play *p)
{
	return play_all_alive(p) && book_between(p->b, 0, 1) && book_between(p->b, 0, 2) && book_between(p->b, 1, 3) &&
	       book_between(p->b, 2, 3);
}

static void run(struct play *p)
{
	static const int ends[4][2] = { { 0, 1 }, { 0, 2 }, { 1, 3 }, { 2, 3 } };
	uint32_t parts = 0;
	struct wish *v;

	for (int i = 0; i < 4; i++) {
		const struct open_wish o = { ends[i][0], ends[i][1], SIDE, MSAT(0), true };

		world_connect(p->w, o.from, o.to);
		play_open(p, &o);
	}
	play_reach(p, "every channel known to all", announced);
	play_reach(p, "a diamond of channels", usable);
	v = wish_new(p->b, WISH_PAY, 0, 3, AMOUNT);
	v->twice = true;
	play_wishes(p, false);
	play_rest(p);
	v = &p->b->wishes[0];
	for (const struct seen_htlc *h = NULL; (h = check_htlc_of_hash(p->k, &v->hash, h));)
		parts += h->from == v->from && seen_paid(h);
	if (v->paid ? parts < 2 : p->o->crash_node < 0 && !p->o->crash_one_in)
		world_fail(p->w, "a payment that two ways carry is made in %u parts", parts);
	play_close_all(p);
	play_bury(p);
	play_judge(p, true);
}

const struct scenario scenario_parts = { "parts", "a payment that no single way carries, over two that the payer finds", 4, run, -1, 16,
					 true };
