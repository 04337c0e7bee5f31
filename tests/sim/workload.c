#include "tests/sim/workload.h"

#include <string.h>

#include "channel/view.h"
#include "tests/sim/funds.h"
#include "tests/sim/trade.h"

#define CHANNELS_MAX 12u   /* alive at once */
#define AWAY_MAX_MS 20000u
#define TERMS_ONE_IN 40u   /* of what users do in a network that trades */
#define PRUNED_ONE_IN 3u   /* of the blocks that are asked for */
#define STANDSTILL_HOURS_MAX 3u
#define STANDSTILL_LOOK_MS 300000u /* how often it is asked whether it is over */
#define STANDSTILL_SLOWER 100u     /* users and faults meanwhile, or the run would be nothing else */

struct unrest {
	struct play *p;
	struct world *w;
	struct book *b;
	struct mood m;
	uint32_t spike_until; /* height; 0: there is none */
	uint64_t still_until; /* no block before that time */
	int parted[2];        /* two nodes that are kept apart; the first -1: nobody */
	uint32_t parted_until;
	struct trade *trade;  /* NULL: it is not that kind of run */
	bool over;
};

struct mood mood_of(uint64_t seed, bool trades)
{
	struct mood m = { .nodes = 2 };
	uint8_t raw[32] = { 0x6d };
	struct drbg d;
	uint8_t r[32];

	store_be64(raw + 8, seed);
	drbg_init(&d, raw);
	drbg_fill(&d, r, sizeof(r));
	m.nodes = 2 + r[0] % 4 + (r[0] > 230 ? 3 : 0);
	m.static_nodes = r[1] % 3 == 0 ? r[17] : 0;
	m.slow_signer = r[2] % 3 == 0;
	m.away_signer = m.slow_signer && r[3] % 2;
	m.slow_disk = r[4] % 3 == 0;
	m.bad_disk = r[5] % 3 == 0;
	m.crashes = r[6] % 2;
	m.cuts = r[7] % 2;
	m.stalls = r[8] % 4 == 0;
	m.fees = r[9] % 2;
	m.reorgs = r[10] % 3 == 0;
	m.force_closes = r[11] % 2;
	m.restarts = r[12] % 2;
	m.memo = r[13] % 3 != 0;
	m.end_open = r[14] % 3 == 0;
	m.spikes = r[18] % 4 == 0;
	m.partings = r[19] % 4 == 0;
	m.policies = r[20] % 3 == 0;
	m.standstills = r[22] % 5 == 0;
	m.keysend = r[21] % 2;
	m.fault_ms = 8000;
	m.gossip = r[23] % 5 != 0;
	m.gossip_dead_max = 1000u << r[24] % 8;
	m.pruned = r[25] % 6 == 0 ? r[26] : 0;
	m.action_ms = 100 + r[15] * 8;
	m.block_ms = 4000 + r[16] * 40;
	m.rogues = r[17] % 3 == 0 ? 1 + r[18] % 2 : 0;
	if (m.rogues) {
		m.nodes += 1;
		m.end_open = false;
		/* With a deep reorganization a rogue may spend the coins of its channel again: no depth defends from that. */
		m.reorgs = false;
	}
	if (trades)
		trade_mood(&m, r + 27);
	return m;
}

static bool one_in(struct unrest *u, uint64_t n)
{
	return world_random(u->w, n) == 0;
}

static bool stands_still(const struct unrest *u)
{
	return u->w->now_ms < u->still_until;
}

static uint64_t pace(const struct unrest *u, uint64_t ms)
{
	return stands_still(u) ? ms * STANDSTILL_SLOWER : ms;
}

static int any_node(struct unrest *u)
{
	return (int)world_random(u->w, u->m.nodes);
}

static int another(struct unrest *u, int than)
{
	return (int)((uint64_t)(than + 1) + world_random(u->w, u->m.nodes - 1)) % (int)u->m.nodes;
}

/* --- what users want --- */

static uint32_t live_channels(const struct unrest *u)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < u->b->channel_count; i++)
		count += book_view(u->b, &u->b->channels[i], u->b->channels[i].end[0]) != NULL;
	return count;
}

static void want_open(struct unrest *u)
{
	struct open_wish o = { .from = any_node(u), .amount = SAT(60000 + world_random(u->w, 2000000)), .announce = one_in(u, 2) };
	uint64_t call;

	o.to = another(u, o.from);
	/* What a rogue pushes is nobody's until its channel is ready, which it may never be. */
	if (one_in(u, 2) && !u->w->nodes[o.from].adversary)
		o.push = MSAT(world_random(u->w, o.amount.v * 1000 / 2));
	if (live_channels(u) < CHANNELS_MAX && u->w->nodes[o.from].alive)
		user_open(u->b, &o, &call);
}

static struct book_channel *any_channel(struct unrest *u)
{
	struct book_channel *c;

	if (!u->b->channel_count)
		return NULL;
	c = &u->b->channels[world_random(u->w, u->b->channel_count)];
	return c->end[0] >= 0 && c->end[1] >= 0 && book_usable(u->b, c) ? c : NULL;
}

static struct amount_msat any_amount(struct unrest *u)
{
	static const uint64_t at_most[] = { 1000, 400000, 2000000, 50000000, 300000000 };

	return MSAT(1 + world_random(u->w, at_most[world_random(u->w, ARRAY_COUNT(at_most))]));
}

static void want_payment(struct unrest *u)
{
	struct book_channel *c = any_channel(u);
	int from;

	if (!c)
		return;
	from = (int)world_random(u->w, 2);
	wish_new(u->b, one_in(u, 6) ? WISH_KEYSEND : WISH_PAY, c->end[from], c->end[1 - from], any_amount(u));
}

/* A usable channel of `node` to somebody who is not on the route yet. */
static struct book_channel *step_on(struct unrest *u, int node, uint32_t visited, int *next)
{
	struct book_channel *found = NULL;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < u->b->channel_count; i++) {
		struct book_channel *c = &u->b->channels[i];
		int other = c->end[0] == node ? c->end[1] : c->end[1] == node ? c->end[0] : -1;

		if (other < 0 || visited >> other & 1 || !book_usable(u->b, c) || world_random(u->w, ++seen))
			continue;
		found = c;
		*next = other;
	}
	return found;
}

static void want_route(struct unrest *u)
{
	struct book_hop hops[BOOK_HOPS_MAX] = { { 0 } };
	uint32_t count = 0, most = 1 + (uint32_t)world_random(u->w, 4), visited;
	int from = any_node(u), at = from;
	struct wish *v;

	visited = 1u << from;
	while (count < most) {
		const struct book_channel *c = step_on(u, at, visited, &at);

		if (!c)
			break;
		hops[count].channel = c->index;
		hops[count++].node = at;
		visited |= 1u << at;
	}
	if (!count)
		return;
	v = wish_new(u->b, WISH_ROUTE, from, at, any_amount(u));
	memcpy(v->hops, hops, sizeof(hops));
	v->hop_count = count;
	v->wrong_secret = one_in(u, 8);
	v->half = one_in(u, 10);
	wish_price(u->b, v);
	if (one_in(u, 10)) /* too little for somebody on the way */
		v->hops[0].amount.v -= v->hops[0].amount.v > 1;
	else if (count > 2 && one_in(u, 3)) /* so little that the second on the way would lose; the payer sends enough */
		v->hops[1].amount = MSAT(1 + v->hops[2].amount.v / 2);
}

/* Coins from one node's wallet to another's. */
static void want_withdrawal(struct unrest *u)
{
	struct command c = { .kind = COMMAND_WITHDRAW };
	int from = any_node(u), to = another(u, from);
	struct arena a;
	uint64_t call;

	if (!u->w->nodes[from].alive)
		return;
	arena_init(&a);
	c.u.withdraw.script = sim_funds_script(&a, BYTES_OF(u->w->nodes[to].seed), (uint32_t)world_random(u->w, 12));
	c.u.withdraw.amount = SAT(10000 + world_random(u->w, 3000000));
	world_command(u->w, from, &c, &call);
	arena_release(&a);
}

/* What is not set for a channel follows the configuration. */
static void change_config(struct unrest *u)
{
	struct node_config *c = &u->w->nodes[any_node(u)].config;

	c->forward_fee_base = MSAT(world_random(u->w, 5000));
	c->forward_fee_ppm = (uint32_t)world_random(u->w, 3000);
	c->forward_cltv_delta = 34 + (uint32_t)world_random(u->w, 40);
	u->w->new_terms++;
}

/* Of one channel, or of all that the node has. */
static void change_policy(struct unrest *u)
{
	struct command c = { .kind = COMMAND_SET_CHANNEL };
	struct book_channel *one = any_channel(u);
	int node = one ? one->end[world_random(u->w, 2)] : -1;
	uint64_t call;

	if (!one || one_in(u, 4)) {
		change_config(u);
		return;
	}
	c.u.set_channel.all = one_in(u, 4);
	c.u.set_channel.channel.by_id = !c.u.set_channel.all;
	c.u.set_channel.channel.id = one->id;
	c.u.set_channel.fields = (uint8_t)(1 + world_random(u->w, POLICY_FEE_BASE | POLICY_FEE_PPM | POLICY_CLTV_DELTA));
	if (one_in(u, 4))
		c.u.set_channel.fields |= one_in(u, 2) ? POLICY_HTLC_MIN : POLICY_HTLC_MAX;
	c.u.set_channel.own.fee_base = MSAT(world_random(u->w, 5000));
	c.u.set_channel.own.fee_ppm = (uint32_t)world_random(u->w, 3000);
	c.u.set_channel.own.cltv_delta = 34 + (uint32_t)world_random(u->w, 40);
	c.u.set_channel.own.htlc_min = MSAT(world_random(u->w, 2000000));
	c.u.set_channel.own.htlc_max = MSAT(world_random(u->w, one->amount.v * 1000));
	c.u.set_channel.enforce_delay_s = one_in(u, 3) ? 0 : 600;
	world_command(u->w, node, &c, &call);
}

static void want_close(struct unrest *u, bool force)
{
	struct book_channel *c = any_channel(u);
	uint64_t call;

	if (c)
		user_close(u->b, c, c->end[world_random(u->w, 2)], force, &call);
}

static void act(struct unrest *u)
{
	uint64_t what = world_random(u->w, 100);

	if (u->trade && trade_has_begun(u->trade) && one_in(u, TERMS_ONE_IN)) {
		change_policy(u);
		return;
	}
	if (u->trade && (!trade_has_begun(u->trade) || u->b->open_count >= u->m.at_once || !one_in(u, 12))) {
		trade_act(u->trade);
		return;
	}
	if (!live_channels(u) || what < 8)
		want_open(u);
	else if (what < 40)
		want_payment(u);
	else if (what < 80)
		want_route(u);
	else if (what < 83)
		want_close(u, false);
	else if (what < 85 && u->m.force_closes)
		want_close(u, true);
	else if (what < 87)
		want_withdrawal(u);
	else if (what < 89 && u->m.policies)
		change_policy(u);
}

static void users(void *context, struct world *w)
{
	struct unrest *u = context;

	if (!u->over)
		act(u);
	wishes_follow(u->b, false);
	world_at(w, pace(u, 1 + world_random(w, 2 * u->m.action_ms)), users, u);
}

/* --- what the chain does --- */

/* The new branch takes some of what the old one had. */
static bool some(void *context, const struct sim_tx *t)
{
	(void)t;
	return world_random(((struct unrest *)context)->w, 3) != 0;
}

static void reorganize(struct unrest *u)
{
	uint32_t depth = 1 + (uint32_t)world_random(u->w, 4);

	if (sim_chain_height(u->w->chain) < SIM_FIRST_HEIGHT + 20)
		return;
	world_say(u->w, "the last %u blocks leave the chain", depth);
	sim_chain_reorg(u->w->chain, depth);
	u->p->k->lost_blocks += depth;
	u->p->k->reorganized = true;
	for (uint32_t i = 0; i < depth; i++)
		sim_chain_mine(u->w->chain, &(struct sim_mine){ .empty = one_in(u, 3), .include = some, .context = u });
}

/* For some blocks nothing enters that pays less than ten times what everybody was told; then nodes are told. */
static void spike(struct unrest *u)
{
	u->p->k->lost_blocks += 3;
	sim_chain_set_floor(u->w->chain, 10 * u->w->feerate_per_kw);
	u->spike_until = sim_chain_height(u->w->chain) + 3;
	world_say(u->w, "miners want %u sat per 1000 weight", 10 * u->w->feerate_per_kw);
}

/* Time goes on and the tip does not: nothing that is counted in blocks comes nearer, and nobody has a reason to close. */
static void stop_the_tip(struct unrest *u)
{
	uint64_t ms = HOUR_MS + world_random(u->w, (STANDSTILL_HOURS_MAX - 1) * HOUR_MS);

	u->still_until = u->w->now_ms + ms;
	world_say(u->w, "no block comes for %llu minutes", (unsigned long long)ms / 60000);
}

static void blocks(void *context, struct world *w)
{
	struct unrest *u = context;
	bool empty;

	if (!u->over && !stands_still(u) && u->m.standstills && one_in(u, 15))
		stop_the_tip(u);
	if (stands_still(u)) {
		world_at(w, STANDSTILL_LOOK_MS, blocks, u);
		return;
	}
	empty = !u->over && one_in(u, 10);
	if (!u->over && u->m.reorgs && one_in(u, u->trade ? 4 : 12))
		reorganize(u);
	if (!u->over && u->m.spikes && !u->spike_until && one_in(u, 15))
		spike(u);
	if (u->spike_until && (u->over || sim_chain_height(w->chain) >= u->spike_until)) {
		u->spike_until = 0;
		sim_chain_set_floor(w->chain, 0);
	}
	u->p->k->lost_blocks += empty;
	sim_chain_mine(w->chain, &(struct sim_mine){ .empty = empty });
	world_tell_chain(w);
	world_at(w, u->m.block_ms / 4 + world_random(w, 3 * u->m.block_ms / 2), blocks, u);
}

static void fees(void *context, struct world *w)
{
	struct unrest *u = context;

	if (u->over)
		return;
	world_fees(w, 253 + (uint32_t)world_random(w, one_in(u, 5) ? 20000 : 2000));
	world_at(w, pace(u, 1000 + world_random(w, 60000)), fees, u);
}

/* --- what breaks --- */

/* For longer than an HTLC lasts: then the chain must decide about those that are under way. */
static void part(struct unrest *u)
{
	int one = any_node(u), other = another(u, one);

	if (u->parted[0] >= 0) {
		if (sim_chain_height(u->w->chain) < u->parted_until && !u->over)
			return;
		world_let_together(u->w, u->parted[0], u->parted[1]);
		u->parted[0] = -1;
		return;
	}
	if (u->over || !u->m.partings || world_random(u->w, 20))
		return;
	u->parted[0] = one;
	u->parted[1] = other;
	u->parted_until = sim_chain_height(u->w->chain) + 20 + (uint32_t)world_random(u->w, 60);
	for (uint32_t i = 0; i < u->b->channel_count; i++) {
		struct book_channel *c = &u->b->channels[i];

		c->cut_off |= (c->end[0] == one && c->end[1] == other) || (c->end[0] == other && c->end[1] == one);
	}
	world_say(u->w, "node%d and node%d are parted", one, other);
	world_keep_apart(u->w, one, other);
}

static void break_something(struct unrest *u)
{
	struct sim_node *n = &u->w->nodes[any_node(u)];

	if (!n->alive)
		return;
	switch (world_random(u->w, 7)) {
	case 0:
		if (u->m.crashes)
			world_crash(u->w, n->index);
		return;
	case 1:
		if (u->m.crashes)
			n->crash_after = 1 + world_random(u->w, 30);
		return;
	case 2:
		if (u->m.bad_disk)
			n->fault = one_in(u, 2) ? DISK_ERROR_BEFORE : DISK_ERROR_AFTER;
		return;
	case 3:
		if (u->m.bad_disk && one_in(u, 3))
			n->full_until = u->w->now_ms + world_random(u->w, AWAY_MAX_MS);
		return;
	case 4:
		if (u->m.away_signer)
			n->signer_away_until = u->w->now_ms + world_random(u->w, AWAY_MAX_MS);
		return;
	case 5:
		if (u->m.cuts)
			world_cut_node(u->w, n->index);
		return;
	case 6:
		if (u->m.restarts)
			check_restart(u->p->k, n->index);
		return;
	}
}

static void faults(void *context, struct world *w)
{
	struct unrest *u = context;

	part(u);
	if (u->over)
		return;
	break_something(u);
	world_at(w, pace(u, 200 + world_random(w, u->m.fault_ms)), faults, u);
}

/* --- */

struct unrest *unrest_new(struct play *p, const struct mood *m)
{
	struct unrest *u = NEW(struct unrest);

	u->p = p;
	u->w = p->w;
	u->b = p->b;
	u->m = *m;
	u->parted[0] = -1;
	u->trade = m->trades ? trade_new(p, m) : NULL;
	for (uint32_t i = 0; i < m->nodes; i++)
		u->w->nodes[i].pruned = m->pruned >> i & 1 ? PRUNED_ONE_IN : 0;
	for (uint32_t i = 0; i + 1 < m->nodes; i++)
		world_connect(u->w, (int)i, (int)i + 1);
	world_at(u->w, 500, users, u);
	world_at(u->w, 1000, blocks, u);
	world_at(u->w, 700, faults, u);
	if (m->fees)
		world_at(u->w, 900, fees, u);
	return u;
}

void unrest_end(struct unrest *u)
{
	struct world *w = u->w;

	/* It lasts its hours, whatever the steps. */
	while (stands_still(u))
		if (!world_step(w, UINT64_MAX))
			world_fail(w, "time ends");
	u->over = true;
	part(u);
	sim_chain_set_floor(w->chain, 0);
	world_fees(w, FEERATE_FLOOR_PER_KW); /* so that what is small is still worth a transaction */
	w->o.cut_one_in = w->o.stall_one_in = 0;
	for (int i = 0; i < w->node_count; i++) {
		struct sim_node *n = &w->nodes[i];

		n->crash_after = 0;
		n->full_until = n->signer_away_until = n->stay_down_until = 0;
		n->fault = DISK_GOOD;
	}
}

void unrest_free(struct unrest *u)
{
	trade_free(u->trade);
	mem_free(u);
}
