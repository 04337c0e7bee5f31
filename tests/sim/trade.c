#include "tests/sim/trade.h"

#include <string.h>

#include "channel/view.h"

#define PLAN_MAX 24u
#define OPEN_AGAIN_MS 30000u   /* an order that led to nothing is given again */
#define BURST_MAX 4u           /* payments wished at once */
#define PRIVATE_ONE_IN 6u      /* channels beyond the ring of public ones */
#define BEGIN_BLOCKS 15u
#define SATS(n) ((n) * 1000ull)

struct planned {
	int end[2];
	bool announce;
	uint64_t ordered_at;
};

struct trade {
	struct play *p;
	struct world *w;
	struct book *b;
	struct mood m;
	struct planned plan[PLAN_MAX];
	uint32_t plan_count;
	bool begun;            /* half of the plan was there, and had time to become known */
};

void trade_mood(struct mood *m, const uint8_t *raw)
{
	m->trades = m->gossip = m->policies = m->keysend = true;
	m->nodes = 3 + raw[0] % 6;
	m->rogues = 0;
	m->standstills = false;
	m->reorgs = raw[4] % 3 != 0;
	m->memo = raw[1] % 16 != 0; /* it halves what a payment costs here */
	m->at_once = 1 + raw[1] % 12;
	m->action_ms = 40 + raw[2];
	m->block_ms = 20000 + raw[3] * 200;
	m->crashes = raw[3] % 8 != 0;
	m->bad_disk = m->bad_disk && raw[2] % 4 == 0; /* on a full disk a node does nothing but die and begin again */
	m->fault_ms = 2000 + raw[4] * 30;
}

static bool one_in(const struct trade *t, uint64_t n)
{
	return world_random(t->w, n) == 0;
}

static void plan(struct trade *t, int one, int other, bool announce)
{
	if (t->plan_count < PLAN_MAX)
		t->plan[t->plan_count++] = (struct planned){ { one, other }, announce, 0 };
}

/* A ring, so that there are two ways at least, and chords.  In some networks the last node is known to nobody: it hangs on
 * a private channel. */
struct trade *trade_new(struct play *p, const struct mood *m)
{
	struct trade *t = NEW(struct trade);
	int ring = (int)m->nodes;

	t->p = p;
	t->w = p->w;
	t->b = p->b;
	t->m = *m;
	if (ring > 3 && one_in(t, 3)) {
		ring--;
		plan(t, ring, (int)world_random(t->w, (uint64_t)ring), false);
		if (one_in(t, 2))
			plan(t, (int)world_random(t->w, (uint64_t)ring), ring, false);
	}
	for (int i = 0; i < ring; i++)
		plan(t, i, (i + 1) % ring, true);
	for (int i = 0; i < ring; i++) {
		int other = (i + 1 + (int)world_random(t->w, (uint64_t)ring - 1)) % ring;

		plan(t, i, other, !one_in(t, PRIVATE_ONE_IN));
	}
	return t;
}

void trade_free(struct trade *t)
{
	mem_free(t);
}

/* Any that is not on its way out. */
static uint32_t channels_between(const struct trade *t, int one, int other)
{
	const struct channel *ch;
	uint32_t at = 0, count = 0;

	while ((ch = node_view_channel(t->w->nodes[one].node, &at)))
		count += SAME(*channel_peer(ch), t->w->nodes[other].id) && channel_state_of(ch) <= CHANNELD_NORMAL;
	return count;
}

static uint32_t planned_between(const struct trade *t, int one, int other)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < t->plan_count; i++)
		count += (t->plan[i].end[0] == one && t->plan[i].end[1] == other) ||
			 (t->plan[i].end[0] == other && t->plan[i].end[1] == one);
	return count;
}

static void open_what_lacks(struct trade *t)
{
	struct planned *c = &t->plan[world_random(t->w, t->plan_count)];
	struct open_wish o = { .from = c->end[0], .to = c->end[1], .announce = c->announce,
			       .amount = SAT(500000 + world_random(t->w, 8000000)) };
	uint64_t call;

	if (!t->w->nodes[o.from].alive || !t->w->nodes[o.to].alive || t->w->now_ms < c->ordered_at + OPEN_AGAIN_MS ||
	    channels_between(t, o.from, o.to) >= planned_between(t, o.from, o.to))
		return;
	o.push = MSAT(world_random(t->w, o.amount.v * 1000 / 2));
	c->ordered_at = t->w->now_ms;
	user_open(t->b, &o, &call);
}

/* Below dust, what is usual, what fills a channel, what needs several. */
static struct amount_msat any_amount(const struct trade *t)
{
	static const struct { uint64_t low, high; } of[] = {
		{ 1, SATS(354) }, { SATS(1), SATS(10000) }, { SATS(1000), SATS(100000) }, { SATS(1000), SATS(100000) },
		{ SATS(1000), SATS(300000) }, { SATS(100000), SATS(1000000) }, { SATS(1000000), SATS(6000000) },
	};
	uint32_t i = (uint32_t)world_random(t->w, ARRAY_COUNT(of));

	return MSAT(of[i].low + world_random(t->w, of[i].high - of[i].low));
}

static void want_payment(struct trade *t)
{
	int from = (int)world_random(t->w, t->m.nodes);
	int to = (from + 1 + (int)world_random(t->w, t->m.nodes - 1)) % (int)t->m.nodes;
	struct wish *v = wish_new(t->b, one_in(t, 8) ? WISH_KEYSEND : WISH_PAY, from, to, any_amount(t));

	v->hints = !one_in(t, 4);
	v->twice = one_in(t, 12);
	if (one_in(t, 2)) {
		v->has_fee_limit = true;
		v->fee_limit = MSAT(world_random(t->w, 50000) + v->amount.v / 100 * world_random(t->w, 6));
	}
}

bool trade_has_begun(struct trade *t)
{
	uint32_t usable = 0;

	if (t->begun || sim_chain_height(t->w->chain) < SIM_FIRST_HEIGHT + BEGIN_BLOCKS)
		return t->begun;
	for (uint32_t i = 0; i < t->b->channel_count; i++)
		usable += book_usable(t->b, &t->b->channels[i]);
	return t->begun = usable * 2 >= t->plan_count;
}

void trade_act(struct trade *t)
{
	uint64_t burst = 1 + world_random(t->w, BURST_MAX);

	open_what_lacks(t);
	if (!trade_has_begun(t))
		return;
	while (burst-- && t->b->open_count < t->m.at_once)
		want_payment(t);
}
