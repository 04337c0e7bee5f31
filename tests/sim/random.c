/* A random run: unrest for so many steps, then everything comes to rest and is judged. */
#include "tests/sim/rogue.h"

#include "channel/view.h"

static bool wishes_over(struct play *p)
{
	return wishes_follow(p->b, false) == 0;
}

static void come_to_rest(struct play *p, const struct mood *m)
{
	play_reach(p, "every payment over", wishes_over);
	play_rest(p);
	play_agree(p);
	if (!m->end_open) {
		play_close_all(p);
		play_bury(p);
	}
	play_judge(p, !m->end_open);
}

struct play_result random_run(const struct play_options *o)
{
	const struct mood m = mood_of(o->seed, o->trades != 0);
	const struct world_options like = {
		.seed = o->seed, .nodes = m.nodes, .verbose = o->verbose, .cut_one_in = m.cuts ? 400 : 0,
		.stall_one_in = m.stalls ? 100 : 0, .delay_max_ms = 20, .disk_delay_max_ms = m.slow_disk ? 30 : 0,
		.slow_signer = m.slow_signer, .memo = m.memo, .one_memo = m.trades, .static_nodes = m.static_nodes, .keysend = m.keysend,
		.gossip = m.gossip, .gossip_dead_max = m.gossip_dead_max,
	};
	struct play p = { 0 };
	struct rogues *rogues = NULL;
	struct unrest *u;
	struct play_result r;

	play_begin(&p, o, &like);
	u = unrest_new(&p, &m);
	if (m.rogues)
		rogues = rogues_new(&p, &m);
	while (p.w->steps - p.w->asides < o->steps && (!o->trades || p.b->wish_count < o->trades))
		if (!world_step(p.w, UINT64_MAX))
			world_fail(p.w, "time ends");
	unrest_end(u);
	if (rogues) {
		rogues_rest(rogues);
		play_judge(&p, true);
	} else {
		come_to_rest(&p, &m);
	}
	r = play_end(&p);
	unrest_free(u);
	if (rogues)
		rogues_free(rogues);
	return r;
}
