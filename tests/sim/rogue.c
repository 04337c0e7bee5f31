#include "tests/sim/rogue.h"

#include "channel/view.h"
#include "wire/message.h"

#define ROGUES_MAX 4
#define BURY_BLOCKS_MAX 2500u
#define ASK_AGAIN_MS 5000u

struct rogue {
	struct rogues *of;
	struct adversary *a;
	bool cheated;            /* an old disk is in: it says no more */
};

struct rogues {
	struct play *p;
	struct world *w;
	struct book *b;
	struct rogue list[ROGUES_MAX];
	uint32_t count;
	bool over;
	uint64_t asked_ms;       /* when users last asked for ends of channels */
	uint32_t bury_height;
};

static uint64_t random_of(struct rogue *g, uint64_t below)
{
	return world_random(g->of->w, below);
}

static bool one_in(struct rogue *g, uint64_t n)
{
	return random_of(g, n) == 0;
}

static int any_other(struct rogue *g)
{
	uint64_t nodes = (uint64_t)g->of->w->node_count;

	return (int)(((uint64_t)g->a->node + 1 + random_of(g, nodes - 1)) % nodes);
}

/* --- what it does --- */

static struct book_channel *any_channel(struct rogue *g)
{
	struct book *b = g->of->b;
	struct book_channel *c;

	if (!b->channel_count)
		return NULL;
	c = &b->channels[random_of(g, b->channel_count)];
	return (c->end[0] == g->a->node || c->end[1] == g->a->node) && c->end[0] >= 0 && c->end[1] >= 0 ? c : NULL;
}

static void withhold_something(struct rogue *g)
{
	static const uint16_t types[] = { MSG_REVOKE_AND_ACK,	  MSG_UPDATE_FULFILL_HTLC, MSG_UPDATE_FAIL_HTLC, MSG_COMMITMENT_SIGNED,
					  MSG_CHANNEL_REESTABLISH, MSG_SHUTDOWN,	   MSG_CLOSING_SIGNED,	 MSG_FUNDING_SIGNED };

	g->a->withhold = types[random_of(g, ARRAY_COUNT(types))];
}

static void publish(struct rogue *g)
{
	struct book_channel *c = any_channel(g);

	if (c && g->of->w->nodes[g->a->node].alive && !sim_chain_spender(g->of->w->chain, &c->funding))
		adversary_publish(g->a, c);
}

static void cheat(struct rogue *g)
{
	if (!g->a->disk_count)
		return;
	g->cheated = true;
	adversary_cheat(g->a, (uint32_t)random_of(g, g->a->disk_count));
}

/* Many HTLCs, or many without an output, to whomever. */
static void flood(struct rogue *g, bool dust)
{
	struct book_channel *c = any_channel(g);
	uint32_t count = 5 + (uint32_t)random_of(g, 40);
	int to;

	if (!c)
		return;
	to = c->end[0] == g->a->node ? c->end[1] : c->end[0];
	for (uint32_t i = 0; i < count; i++)
		wish_new(g->of->b, WISH_PAY, g->a->node, to, MSAT(dust ? 1 + random_of(g, 353000) : 400000 + random_of(g, 3000000)));
}

static void absurd_fees(struct rogue *g)
{
	static const uint32_t rates[] = { 253, 254, 5000, 50000, 1000000, 20000000 };
	struct sim_node *n = &g->of->w->nodes[g->a->node];

	if (n->alive)
		sim_fees(n, rates[random_of(g, ARRAY_COUNT(rates))]);
}

static void strike(struct rogue *g)
{
	int other = any_other(g);

	switch (random_of(g, 10)) {
	case 0:
	case 1:
		(void)adversary_keep_disk(g->a);
		return;
	case 2:
		g->a->mute[other] = one_in(g, 2);
		return;
	case 3:
		withhold_something(g);
		return;
	case 4:
		if (one_in(g, 4))
			publish(g);
		return;
	case 5:
		if (one_in(g, 6))
			cheat(g);
		return;
	case 6:
		flood(g, one_in(g, 2));
		return;
	case 7:
		absurd_fees(g);
		return;
	case 8:
		g->a->hold = (enum hold)random_of(g, 3);
		adversary_offer_held(g->a);
		return;
	case 9:
		if (one_in(g, 5))
			adversary_accuse(g->a, other);
		else
			adversary_speak(g->a, other);
		return;
	}
}

static void act(void *context, struct world *w)
{
	struct rogue *g = context;

	if (g->of->over)
		return;
	if (!g->cheated)
		strike(g);
	else if (one_in(g, 3))
		adversary_offer_held(g->a);
	world_at(w, 200 + random_of(g, 6000), act, g);
}

/* --- life --- */

struct rogues *rogues_new(struct play *p, const struct mood *m)
{
	struct rogues *r = NEW(struct rogues);

	ASSERT(m->rogues <= ROGUES_MAX && m->rogues < m->nodes);
	r->p = p;
	r->w = p->w;
	r->b = p->b;
	r->count = m->rogues;
	p->k->adversaries = true;
	for (uint32_t i = 0; i < r->count; i++) {
		struct rogue *g = &r->list[i];

		g->of = r;
		g->a = adversary_new(p->b, (int)(m->nodes - 1 - i));
		g->a->lie_one_in = one_in(g, 2) ? 3 : 0;
		g->a->replay_one_in = one_in(g, 3) ? 30 : 0;
		g->a->fee_one_in = one_in(g, 2) ? 2 : 0;
		r->w->nodes[g->a->node].config.dust_exposure_max = MSAT(1000000000);
		world_at(r->w, 20000 + random_of(g, 30000), act, g);
	}
	return r;
}

void rogues_free(struct rogues *r)
{
	for (uint32_t i = 0; i < r->count; i++)
		adversary_free(r->list[i].a);
	mem_free(r);
}

/* --- the end --- */

static bool is_rogue(const struct rogues *r, int node)
{
	return node < 0 || r->w->nodes[node].adversary;
}

/* Each honest end gives its channels up: those with rogues at once, the others by agreement when it is their turn. */
static void end_channels(struct rogues *r, bool all)
{
	if (r->w->now_ms < r->asked_ms + ASK_AGAIN_MS)
		return;
	r->asked_ms = r->w->now_ms;
	for (uint32_t i = 0; i < r->b->channel_count; i++) {
		struct book_channel *c = &r->b->channels[i];

		for (int k = 0; k < 2; k++) {
			int node = c->end[k];
			const struct channel *ch = is_rogue(r, node) ? NULL : book_view(r->b, c, node);
			bool force = is_rogue(r, c->end[1 - k]);
			uint64_t call;

			if (!ch || channel_state_of(ch) == OPENINGD || sim_chain_spender(r->w->chain, &c->funding))
				continue;
			if (force ? channel_state_of(ch) < AWAITING_UNILATERAL
				  : all && channel_state_of(ch) == CHANNELD_NORMAL &&
				    (!c->close_wanted || c->close_life != r->w->nodes[c->closer].life))
				user_close(r->b, c, node, force, &call);
		}
	}
}

static bool is_quiet(const struct channel *ch)
{
	return channel_is_usable(ch) && channel_htlc_count(ch) == 0 && !channel_is_busy(ch);
}

static bool honest_pairs_are_quiet(const struct rogues *r)
{
	for (uint32_t i = 0; i < r->b->channel_count; i++) {
		const struct book_channel *c = &r->b->channels[i];
		const struct channel *a, *z;

		if (is_rogue(r, c->end[0]) || is_rogue(r, c->end[1]))
			continue;
		a = book_view(r->b, c, c->end[0]);
		z = book_view(r->b, c, c->end[1]);
		if (a && z && channel_state_of(a) == CHANNELD_NORMAL && channel_state_of(z) == CHANNELD_NORMAL &&
		    (!is_quiet(a) || !is_quiet(z)))
			return false;
	}
	return true;
}

/* Nobody waits for what a rogue wanted, or was to be asked for.  Blocks come at their usual pace meanwhile: nodes that
 * talk to one another must have the time to. */
static bool honest_are_quiet(struct play *p)
{
	struct rogues *r = p->context;

	if (!play_all_alive(p))
		return false;
	end_channels(r, false);
	for (uint32_t i = 0; i < p->b->wish_count; i++) {
		struct wish *v = &p->b->wishes[i];

		if (!v->over && (is_rogue(r, v->from) || (is_rogue(r, v->to) && !v->has_invoice)))
			v->over = true;
	}
	return wishes_follow(p->b, false) == 0 && honest_pairs_are_quiet(r);
}

/* Channels of honest nodes whose funding is in the chain; `living`: those that nothing spends. */
static uint32_t honest_channels(struct rogues *r, bool living)
{
	uint32_t count = 0;

	for (int i = 0; i < r->w->node_count; i++) {
		const struct channel *ch;
		uint32_t at = 0;

		while (!is_rogue(r, i) && (ch = node_view_channel(r->w->nodes[i].node, &at))) {
			if (!sim_chain_find(r->w->chain, &channel_funding(ch)->txid) ||
			    (living && sim_chain_spender(r->w->chain, channel_funding(ch))))
				continue;
			count++;
			r->p->waits_for = channel_state_name(channel_state_of(ch));
		}
	}
	return count;
}

static bool honest_have_ended(struct play *p)
{
	struct rogues *r = p->context;

	if (!play_followed(p))
		return false;
	end_channels(r, true);
	return honest_channels(r, true) == 0;
}

static bool honest_are_done(struct play *p)
{
	struct rogues *r = p->context;

	if (!play_followed(p))
		return false;
	if (honest_channels(r, false) == 0)
		return true;
	/* One whose funding came into a block only now. */
	end_channels(r, true);
	if (sim_chain_height(p->w->chain) > r->bury_height + BURY_BLOCKS_MAX)
		world_fail(p->w, "a channel of an honest node does not end: %s", p->waits_for);
	play_mine(p, 1);
	return false;
}

void rogues_rest(struct rogues *r)
{
	void *before = r->p->context;

	r->over = true;
	for (uint32_t i = 0; i < r->count; i++) {
		struct adversary *a = r->list[i].a;

		adversary_mute_all(a, true);
		a->withhold = 0;
		a->hold = HOLD_NOTHING;
		adversary_offer_held(a);
	}
	for (uint32_t i = 0; i < r->b->channel_count; i++)
		if (is_rogue(r, r->b->channels[i].end[0]) || is_rogue(r, r->b->channels[i].end[1]))
			r->b->channels[i].force_wanted = true;
	r->p->context = r;
	play_reach(r->p, "every payment of honest users over", honest_are_quiet);
	play_reach(r->p, "every channel of honest nodes ended", honest_have_ended);
	r->bury_height = sim_chain_height(r->w->chain);
	play_reach(r->p, "every channel of honest nodes history", honest_are_done);
	r->p->context = before;
}
