/* A payment is held, one end closes alone, and a minute later the miners want ten times as much: the commitment must be
 * in a block in time, and the payee must get what it has the preimage for.
 *
 * By the seed: who closes; and whether the estimates tell of the spike, or only the blocks that stay empty. */
#include "channel/view.h"
#include "tests/sim/scenario.h"
#include "wire/message.h"

#define FUNDING_SAT 2000000u
#define PUSH_MSAT 800000000u
#define HTLC_MSAT 100000000u
#define SPIKE 10u
#define BLOCK_MS (10 * MINUTE_MS)

struct spike {
	struct book_channel *c;
	int closer;
	bool told;            /* the estimates follow */
	uint32_t life;        /* of the closer, when it was told to close; 0: it was not */
	uint64_t call, closed_at, block_at;
	uint32_t before_per_kw, expiry;
	bool risen;
};

/* The fulfilment never arrives: the link breaks over it. */
static bool on_message(void *context, struct world *w, int from, int to, struct bytes message, struct buf *instead)
{
	(void)context;
	(void)to;
	(void)instead;
	if (message.size < 2 || load_be16(message.data) != MSG_UPDATE_FULFILL_HTLC)
		return true;
	world_cut_node(w, from);
	return false;
}

static const struct channel_htlc *held(struct play *p, int node, enum side owner)
{
	const struct spike *k = p->context;
	const struct channel *ch = k->c ? book_view(p->b, k->c, node) : NULL;
	const struct channel_htlc *h = NULL;

	while (ch && (h = channel_htlc_next(ch, h)))
		if (h->owner == owner)
			return h;
	return NULL;
}

static bool is_held(struct play *p)
{
	struct spike *k = p->context;
	const struct channel_htlc *h;

	/* A crash at the wrong moment fails it: the user pays again. */
	if (!wishes_follow(p->b, false))
		wish_new(p->b, WISH_PAY, 0, 1, MSAT(HTLC_MSAT));
	if (!play_all_alive(p))
		return false;
	h = held(p, 1, SIDE_REMOTE);
	if (!h || h->resolution != HTLC_FULFILLED || !held(p, 0, SIDE_LOCAL))
		return false;
	k->expiry = h->cltv_expiry;
	return true;
}

static bool is_closing(struct play *p)
{
	struct spike *k = p->context;
	const struct channel *ch = book_view(p->b, k->c, k->closer);

	if (!ch)
		return false;
	if (channel_state_of(ch) >= AWAITING_UNILATERAL) {
		k->closed_at = p->w->now_ms;
		return true;
	}
	if (k->life != p->w->nodes[k->closer].life) {
		k->life = p->w->nodes[k->closer].life;
		user_close(p->b, k->c, k->closer, true, &k->call);
	}
	return false;
}

static void rise(struct play *p)
{
	struct spike *k = p->context;

	k->risen = true;
	sim_chain_set_floor(p->w->chain, k->before_per_kw * SPIKE);
	if (k->told)
		world_fees(p->w, k->before_per_kw * SPIKE);
}

static bool is_confirmed(struct play *p)
{
	struct spike *k = p->context;
	const struct sim_tx *spend = sim_chain_spender(p->w->chain, &k->c->funding);

	(void)wishes_follow(p->b, false);
	if (!k->risen && p->w->now_ms >= k->closed_at + MINUTE_MS)
		rise(p);
	if (k->risen && p->w->now_ms >= k->block_at && play_followed(p)) {
		k->block_at = p->w->now_ms + BLOCK_MS;
		play_mine(p, 1);
	}
	if (sim_chain_height(p->w->chain) >= k->expiry && !(spend && spend->height))
		world_fail(p->w, "the commitment is in no block at height %u, when its HTLC expires", k->expiry);
	return spend && spend->height;
}

/* The spike stays; time passes block by block, for signers are slow. */
static bool is_paid(struct play *p)
{
	struct spike *k = p->context;

	if (p->w->now_ms >= k->block_at && play_followed(p)) {
		k->block_at = p->w->now_ms + BLOCK_MS;
		play_mine(p, 1);
	}
	if (sim_chain_height(p->w->chain) > k->expiry + 20)
		world_fail(p->w, "the payee did not get its HTLC, and it expired at height %u", k->expiry);
	return wishes_follow(p->b, false) == 0;
}

static void run(struct play *p)
{
	const struct open_wish o = { 0, 1, SAT(FUNDING_SAT), MSAT(PUSH_MSAT), true };
	struct spike k = { .closer = (int)(p->o->seed % 2), .told = p->o->seed / 2 % 2 };
	const struct sim_hook hook = { .message = on_message };

	world_connect(p->w, 0, 1);
	play_open(p, &o);
	k.c = book_between(p->b, 0, 1);
	p->context = &k;
	world_hook(p->w, &hook);
	play_reach(p, "the payment held", is_held);
	k.c->force_wanted = true;
	k.before_per_kw = p->w->feerate_per_kw ? p->w->feerate_per_kw : 1000;
	play_reach(p, "the channel failed", is_closing);
	p->context = &k;
	play_reach(p, "the commitment in a block", is_confirmed);
	play_reach(p, "the payment's end", is_paid);
	if (!p->b->wishes[p->b->wish_count - 1].paid)
		world_fail(p->w, "the payer got no preimage, though the payee had it");
	sim_chain_set_floor(p->w->chain, 0);
	world_fees(p->w, k.before_per_kw);
	play_bury(p);
	play_check_policy(p);
}

const struct scenario scenario_spike = { "spike", "a unilateral close, and ten times the fees a minute later", 2, run, 1, 12, false };
