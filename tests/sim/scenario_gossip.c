/* Three nodes in a row and a private channel from end to end: the public ones become known to all, also to the end that
 * had to be told, and one that is closed is forgotten by all. */
#include "tests/sim/scenario.h"

#include "channel/view.h"

static bool announced(struct play *p)
{
	for (int i = 0; i < 3; i++) {
		const struct sim_node *n = &p->w->nodes[i];

		if (!n->alive || gossip_figures(node_view_gossip(n->node)).channels != 2)
			return false;
	}
	return true;
}

/* Each would be announced by now if it were to be. */
static bool old_enough(const struct play *p)
{
	for (uint32_t i = 0; i < p->b->channel_count; i++) {
		const struct sim_tx *t = sim_chain_find(p->w->chain, &p->b->channels[i].funding.txid);

		if (t && (!t->height || t->height + 8 > sim_chain_height(p->w->chain)))
			return false;
	}
	return true;
}

static bool deep(struct play *p)
{
	if (announced(p) && old_enough(p))
		return true;
	if (play_all_alive(p))
		play_mine_slowly(p);
	return false;
}

static bool forgotten(struct play *p)
{
	for (int i = 0; i < 3; i++) {
		const struct sim_node *n = &p->w->nodes[i];

		if (!n->alive || gossip_figures(node_view_gossip(n->node)).channels)
			return false;
	}
	return true;
}

static bool buried(struct play *p)
{
	if (forgotten(p))
		return true;
	if (play_followed(p))
		play_mine(p, 5);
	return false;
}

static void run(struct play *p)
{
	const struct open_wish ab = { 0, 1, SAT(800000), MSAT(0), true }, bc = { 1, 2, SAT(700000), MSAT(0), true },
			       ac = { 0, 2, SAT(600000), MSAT(0), false };

	world_connect(p->w, 0, 1);
	world_connect(p->w, 2, 1);
	play_open(p, &ab);
	play_open(p, &bc);
	world_connect(p->w, 0, 2);
	play_open(p, &ac);
	play_reach(p, "every channel known to all", deep);
	play_rest(p);
	play_agree(p);
	play_close_all(p);
	play_bury(p);
	play_reach(p, "every channel forgotten by all", buried);
	play_judge(p, true);
}

const struct scenario scenario_gossip = { .name = "gossip", .what = "public channels become known and are forgotten, a private one is not known",
					  .nodes = 3, .run = run, .crash_node = 1, .crash_places = 60, .gossip = true };
