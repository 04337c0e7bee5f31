#include "tests/sim/play.h"

#include <string.h>

#include "channel/view.h"

/* From the last closing transaction to the end of its channel, with room for HTLCs that time out in two stages. */
#define BURY_BLOCKS_MAX 1500u
/* A node that has missed something hears of it at the latest when it asks again: docs/GOSSIP.md, "Sync". */
#define AGREE_HOURS 13u
#define AGREE_LOOK_MS 5000u
/* Until the outbox has forgotten what confirmed last. */
#define OUTBOX_BLOCKS 110u

/* After its effect k of all that it ever lets out; the first left it when it began. */
static void crash_later(struct sim_node *n, uint64_t k)
{
	n->crash_after = k > n->effects ? k - n->effects : 0;
}

void play_begin(struct play *p, const struct play_options *o, const struct world_options *like)
{
	p->o = o;
	p->w = world_new(like);
	p->b = book_new(p->w);
	p->k = checks_new(p->w, p->b);
	if (o->hook)
		world_hook(p->w, o->hook);
	if (o->crash_node >= 0 && o->crash_node < p->w->node_count)
		crash_later(&p->w->nodes[o->crash_node], o->crash_after);
}

static uint64_t digest(const struct world *w)
{
	uint64_t d = sim_chain_height(w->chain);

	for (int i = 0; i < w->node_count; i++)
		if (!w->nodes[i].raw)
			d = d * 31 + memory_disk_digest(w->nodes[i].disk);
	return d;
}

void play_count_reason(struct play_reason *list, enum wish_kind kind, enum reply_code code, uint32_t count)
{
	for (uint32_t i = 0; i < PLAY_REASONS_MAX; i++) {
		if (list[i].count && (list[i].kind != kind || list[i].code != code))
			continue;
		list[i] = (struct play_reason){ kind, code, list[i].count + count };
		return;
	}
}

static void count_wish(const struct play *p, const struct wish *v, struct play_result *r)
{
	uint32_t parts = 0;

	r->paid += v->paid;
	r->failed += !v->paid;
	if (!v->paid) {
		play_count_reason(r->reasons, v->kind, v->code, 1);
		return;
	}
	for (const struct seen_htlc *h = NULL; (h = check_htlc_of_hash(p->k, &v->hash, h));)
		parts += h->from == v->from && seen_paid(h);
	r->paid_in_parts += parts > 1;
}

struct play_result play_end(struct play *p)
{
	struct world *w = p->w;
	struct play_result r = { .nodes = (uint32_t)w->node_count, .steps = w->steps, .events = w->events,
				 .virtual_ms = w->now_ms - SIM_START_MS, .blocks = sim_chain_height(w->chain) - SIM_FIRST_HEIGHT,
				 .channels = p->b->channel_count, .reorgs = sim_chain_reorgs(w->chain), .new_terms = w->new_terms,
				 .htlcs = p->k->htlc_count, .digest = digest(w) };

	for (int i = 0; i < w->node_count; i++) {
		r.effects[i] = w->nodes[i].effects;
		r.crashes += w->nodes[i].crashes;
	}
	for (uint32_t i = 0; i < p->b->wish_count; i++)
		count_wish(p, &p->b->wishes[i], &r);
	if (p->o->dump_blocks && !sim_chain_write(w->chain, p->o->dump_blocks))
		world_fail(w, "%s cannot be written", p->o->dump_blocks);
	if (p->o->dump_trace && !sim_chain_write_trace(w->chain, p->o->dump_trace))
		world_fail(w, "%s cannot be written", p->o->dump_trace);
	checks_free(p->k);
	book_free(p->b);
	world_free(w);
	return r;
}

static void maybe_crash(struct play *p)
{
	struct world *w = p->w;
	int victim;

	if (!p->o->crash_one_in || world_random(w, p->o->crash_one_in))
		return;
	victim = (int)world_random(w, (uint64_t)w->node_count);
	if (w->nodes[victim].alive)
		world_crash(w, victim);
}

static void reach_within(struct play *p, uint64_t ms, const char *what, bool (*goal)(struct play *p))
{
	uint64_t end = p->w->now_ms + ms;

	p->waits_for = NULL;
	while (!goal(p)) {
		maybe_crash(p);
		if (p->o->fees && world_random(p->w, 60) == 0)
			world_fees(p->w, 253 + (uint32_t)world_random(p->w, 2000));
		if (!world_step(p->w, end))
			world_fail(p->w, "not reached in %llu hours: %s%s%s", (unsigned long long)(ms / HOUR_MS), what,
				   p->waits_for ? ": " : "", p->waits_for ? p->waits_for : "");
	}
}

void play_reach(struct play *p, const char *what, bool (*goal)(struct play *p))
{
	reach_within(p, 4 * HOUR_MS, what, goal);
}

bool play_all_alive(const struct play *p)
{
	for (int i = 0; i < p->w->node_count; i++)
		if (!p->w->nodes[i].alive)
			return false;
	return true;
}

bool play_followed(const struct play *p)
{
	for (int i = 0; i < p->w->node_count; i++) {
		const struct sim_node *n = &p->w->nodes[i];

		if (!n->raw && (!n->alive || n->block_batch || n->follow.height != sim_chain_height(p->w->chain) ||
				!exec_quiet(n->exec)))
			return false;
	}
	return true;
}

void play_mine(struct play *p, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sim_chain_mine(p->w->chain, NULL);
	world_tell_chain(p->w);
}

void play_mine_slowly(struct play *p)
{
	if (!play_followed(p) || p->w->now_ms < p->mined_at + 20000)
		return;
	p->mined_at = p->w->now_ms;
	play_mine(p, 1);
}

/* --- opening --- */

struct opening {
	const struct open_wish *o;
	uint64_t call;
	uint32_t life;
	void *before; /* the scenario's context */
};

/* The opener has one that is not over: the order need not be given again.  The other side may also hold ones that its
 * opener forgot: a crash between funding_created and funding_signed leaves one that waits 2016 blocks for a funding
 * that never comes. */
static const struct channel *open_one(struct play *p, const struct open_wish *o)
{
	const struct sim_node *n = &p->w->nodes[o->from];
	const struct channel *ch;
	uint32_t at = 0;

	while ((ch = node_view_channel(n->node, &at)))
		if (SAME(*channel_peer(ch), p->w->nodes[o->to].id) && channel_record_of(ch)->opener == SIDE_LOCAL &&
		    channel_state_of(ch) <= CHANNELD_NORMAL)
			return ch;
	return NULL;
}

/* The order was lost with its node, or refused because the other one was away: a user asks again. */
static bool order_lost(struct play *p, const struct opening *q)
{
	const struct sim_reply *r = world_reply(p->w, q->call);

	return p->w->nodes[q->o->from].life != q->life || (r && r->code != REPLY_OK);
}

static bool usable(struct play *p)
{
	struct opening *q = p->context;
	const struct channel *ch;

	if (book_between(p->b, q->o->from, q->o->to))
		return true;
	if (!p->w->nodes[q->o->from].alive || !p->w->nodes[q->o->to].alive)
		return false;
	ch = open_one(p, q->o);
	if (!ch && (!q->call || order_lost(p, q))) {
		q->life = p->w->nodes[q->o->from].life;
		user_open(p->b, q->o, &q->call);
		return false;
	}
	if (sim_chain_mempool(p->w->chain) || (ch && channel_state_of(ch) == CHANNELD_AWAITING_LOCKIN && world_random(p->w, 50) == 0))
		play_mine(p, 1);
	return false;
}

void play_open(struct play *p, const struct open_wish *o)
{
	struct opening q = { .o = o, .before = p->context };

	p->context = &q;
	play_reach(p, "a usable channel", usable);
	p->context = q.before;
}

/* --- payments and rest --- */

static bool all_over(struct play *p)
{
	return wishes_follow(p->b, false) == 0;
}

static bool one_after_another(struct play *p)
{
	return wishes_follow(p->b, true) == 0;
}

void play_wishes(struct play *p, bool one_by_one)
{
	play_reach(p, "every payment over", one_by_one ? one_after_another : all_over);
}

/* Some channel is still being opened; mines for it. */
static bool opening(struct play *p)
{
	bool found = false;

	for (int i = 0; i < p->w->node_count; i++) {
		const struct channel *ch;
		uint32_t at = 0;

		while (!p->w->nodes[i].raw && (ch = node_view_channel(p->w->nodes[i].node, &at)))
			if (channel_state_of(ch) == OPENINGD || (channel_state_of(ch) == CHANNELD_AWAITING_LOCKIN &&
								 sim_chain_find(p->w->chain, &channel_funding(ch)->txid)))
				found = true;
	}
	if (found) /* HTLCs may be under way meanwhile */
		play_mine_slowly(p);
	return found;
}

/* One whose user went away with a crash looks for a way for as long as it was ordered to. */
static bool paying(const struct play *p)
{
	for (int i = 0; i < p->w->node_count; i++)
		if (!p->w->nodes[i].raw && send_pending_count(node_view_payments(p->w->nodes[i].node)))
			return true;
	return false;
}

static bool at_rest(struct play *p)
{
	if (!play_all_alive(p) || opening(p) || world_open_call(p->w) || paying(p))
		return false;
	for (uint32_t i = 0; i < p->b->channel_count; i++) {
		struct book_channel *c = &p->b->channels[i];
		const struct channel *a = book_view(p->b, c, c->end[0]), *z = book_view(p->b, c, c->end[1]);

		/* One that its opener forgot, or that is ending, is not waited for. */
		if (!a || !z || channel_state_of(a) != CHANNELD_NORMAL || channel_state_of(z) != CHANNELD_NORMAL)
			continue;
		if (!channel_is_usable(a) || !channel_is_usable(z) || channel_htlc_count(a) || channel_htlc_count(z) ||
		    channel_is_busy(a) || channel_is_busy(z))
			return false;
	}
	return true;
}

void play_rest(struct play *p)
{
	p->w->o.cut_one_in = p->w->o.stall_one_in = 0;
	play_reach(p, "quiet channels", at_rest);
}

static bool agreed(struct play *p)
{
	if (p->w->now_ms < p->looked_at + AGREE_LOOK_MS)
		return false;
	p->looked_at = p->w->now_ms;
	p->waits_for = check_gossip_agreement(p->k);
	return !p->waits_for;
}

void play_agree(struct play *p)
{
	uint64_t began = p->w->now_ms;

	if (!p->w->o.gossip)
		return;
	reach_within(p, AGREE_HOURS * HOUR_MS, "one view of the network", agreed);
	world_say(p->w, "all know the same of the network after %llu s", (unsigned long long)(p->w->now_ms - began) / 1000);
}

void play_check_policy(struct play *p)
{
	for (int i = 0; i < p->w->node_count; i++)
		if (!p->w->nodes[i].adversary && sim_refusals(&p->w->nodes[i]))
			world_fail(p->w, "the policy had to refuse a signature of node%d", i);
}

/* --- the end --- */

static bool all_closing(struct play *p)
{
	bool done = true;

	if (!play_all_alive(p))
		return false;
	if (sim_chain_mempool(p->w->chain) && play_followed(p))
		play_mine(p, 1);
	for (uint32_t i = 0; i < p->b->channel_count; i++) {
		struct book_channel *c = &p->b->channels[i];
		const struct channel *a = book_view(p->b, c, c->end[0]);
		uint64_t call;

		if (!a)
			continue;
		if (channel_state_of(a) == CHANNELD_NORMAL && (!c->close_wanted || c->close_life != p->w->nodes[c->closer].life))
			user_close(p->b, c, c->end[0], false, &call);
		if (!(a = book_view(p->b, c, c->end[0])) || !node_view_onchain(p->w->nodes[c->end[0]].node, a)) {
			done = false;
			if (a)
				p->waits_for = channel_state_name(channel_state_of(a));
		}
	}
	return done;
}

void play_close_all(struct play *p)
{
	play_reach(p, "every channel closed", all_closing);
}

/* One that its opener forgot stays with the other side until it is given up: it is not waited for. */
static const struct channel *unburied(const struct play *p, int *node)
{
	for (uint32_t i = 0; i < p->b->channel_count; i++) {
		const struct book_channel *c = &p->b->channels[i];

		for (int k = 0; k < 2 && c->end[0] >= 0; k++) {
			const struct channel *ch = book_view(p->b, c, *node = c->end[k]);

			if (ch && (k == 0 || sim_chain_spender(p->w->chain, &c->funding)))
				return ch;
		}
	}
	return NULL;
}

static noreturn void say_unburied(struct play *p, const struct channel *ch, int node)
{
	const struct onchain *o = node_view_onchain(p->w->nodes[node].node, ch);
	struct buf text = BUF_EMPTY;
	uint32_t count = 0;
	const struct onchain_output *v = o ? onchain_outputs(o, &count) : NULL;

	for (uint32_t i = 0; i < count; i++)
		buf_printf(&text, "; output %u: %llu sat, kind %d, %s, expiry %u, spendable at %u, spent at %u", i,
			   (unsigned long long)v[i].amount.v, v[i].what, v[i].ours ? "ours" : "not ours", v[i].cltv_expiry,
			   v[i].spendable_height, v[i].spent_height);
	buf_add_u8(&text, 0);
	world_fail(p->w, "node%d's channel %02x%02x%02x%02x does not end: %s, height %u, %s at %u%s", node, channel_id_of(ch)->v[0],
		   channel_id_of(ch)->v[1], channel_id_of(ch)->v[2], channel_id_of(ch)->v[3],
		   channel_state_name(channel_state_of(ch)), sim_chain_height(p->w->chain),
		   o ? onchain_spend_words(onchain_kind(o)) : "unspent", o ? onchain_height(o) : 0, (char *)text.data);
}

static bool buried(struct play *p)
{
	const struct channel *ch;
	int node;

	if (!play_all_alive(p))
		return false;
	ch = unburied(p, &node);
	if (!ch)
		return true;
	if (play_followed(p))
		play_mine(p, 5);
	if (sim_chain_height(p->w->chain) > p->bury_height + BURY_BLOCKS_MAX)
		say_unburied(p, ch, node);
	return false;
}

void play_bury(struct play *p)
{
	p->bury_height = sim_chain_height(p->w->chain);
	play_reach(p, "the channel history", buried);
}

static bool deep(struct play *p)
{
	if (!play_all_alive(p) || !play_followed(p))
		return false;
	if (sim_chain_height(p->w->chain) >= p->bury_height + OUTBOX_BLOCKS)
		return true;
	play_mine(p, 5);
	return false;
}

void play_judge(struct play *p, bool buried)
{
	p->bury_height = sim_chain_height(p->w->chain);
	play_reach(p, "a deep outbox", deep);
	/* What a rogue asks for may be refused there in the end: a closing fee that only its opener would pay. */
	if (!p->k->adversaries)
		play_check_policy(p);
	checks_end(p->k, buried);
}
