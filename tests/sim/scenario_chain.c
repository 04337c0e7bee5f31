/* A channel goes on chain with HTLCs in both directions, and each must end there as it must: with its preimage where the
 * receiver knows it, after its expiry where not.
 *
 * The two are parted in the middle of payments: one whose fulfilment is swallowed, so that the receiver has the preimage
 * and the sender has not heard it, and some each way that wait for the rest of their set.  Then node 0 closes at once.
 *
 * The preimage scenario is a row of three: the last node has fulfilled, the middle one never hears it and sees the
 * preimage on chain, where the last node must claim in time. */
#include <string.h>

#include "channel/view.h"
#include "tests/sim/scenario.h"
#include "wire/message.h"

/* Swallows what decides an HTLC, from whom it is told. */
struct deaf {
	uint32_t from; /* a bit for each node */
};

static bool swallow(void *context, struct world *w, int from, int to, struct bytes message, struct buf *instead)
{
	const struct deaf *d = context;
	uint16_t type;

	(void)to;
	(void)instead;
	if (!(d->from >> from & 1) || !msg_type(message, &type))
		return true;
	/* With the commitment_signed that covers it, or the link would end for an error. */
	if (type == MSG_UPDATE_FULFILL_HTLC)
		world_keep_apart(w, from, to);
	return type != MSG_UPDATE_FULFILL_HTLC;
}

/* Both have decided what they were offered, and nobody heard it; or a crash came in between. */
static bool stuck(struct play *p)
{
	uint32_t known = 0;

	wishes_follow(p->b, false);
	for (int i = 0; i < p->w->node_count; i++) {
		const struct channel *ch;
		const struct channel_htlc *h = NULL;
		uint32_t at = 0;

		while (p->w->nodes[i].alive && (ch = node_view_channel(p->w->nodes[i].node, &at)))
			while ((h = channel_htlc_next(ch, h)))
				known += h->owner == SIDE_REMOTE && h->resolution == HTLC_FULFILLED;
	}
	return known > 0 || wishes_follow(p->b, false) == 0;
}

/* The first part of twice as much: its payee keeps it undecided for a minute. */
static void half(struct play *p, int from, int to, struct amount_msat amount)
{
	struct wish *v = wish_new(p->b, WISH_ROUTE, from, to, amount);

	v->hops[0].channel = *(const uint32_t *)p->context;
	v->hops[0].node = to;
	v->hop_count = 1;
	v->half = true;
	wish_price(p->b, v);
}

/* Both ends have them for good, or a crash came in between. */
static bool halves_wait(struct play *p)
{
	uint32_t waiting = 0, left = wishes_follow(p->b, false);

	for (int i = 0; i < 2; i++) {
		const struct channel *ch = book_view(p->b, &p->b->channels[*(const uint32_t *)p->context], i);
		const struct channel_htlc *h = NULL;

		while (ch && (h = channel_htlc_next(ch, h)))
			waiting += h->state == RCVD_ADD_ACK_REVOCATION;
	}
	return waiting >= left;
}

static bool may_close(struct play *p)
{
	return p->w->nodes[0].alive && p->w->nodes[1].alive;
}

/* Asked again after a crash, until the commitment is out. */
static bool spent(struct play *p)
{
	struct book_channel *c = &p->b->channels[*(const uint32_t *)p->context];
	uint64_t call;
	const struct channel *ch = book_view(p->b, c, 0);

	if (sim_chain_spender(p->w->chain, &c->funding))
		return true;
	if (ch && channel_state_of(ch) < AWAITING_UNILATERAL && (!c->force_wanted || c->close_life != p->w->nodes[0].life))
		user_close(p->b, c, 0, true, &call);
	return false;
}

static bool settled(struct play *p)
{
	if (wishes_follow(p->b, false) == 0)
		return true;
	play_mine_slowly(p);
	return false;
}

/* Blocks come until nothing is left on chain; those who were apart meet again. */
static void resolve(struct play *p)
{
	for (int i = 0; i < p->w->node_count; i++)
		for (int k = 0; k < i; k++)
			world_let_together(p->w, i, k);
	play_reach(p, "the commitment on its way", spent);
	play_reach(p, "every payment settled on chain", settled);
	play_close_all(p);
	play_bury(p);
	play_judge(p, true);
}

static bool htlcs_wanted(struct play *p)
{
	return play_all_alive(p) && book_between(p->b, 0, 1);
}

static void run_chain(struct play *p)
{
	const struct open_wish o = { 0, 1, SAT(1000000), MSAT(400000000), true };
	struct deaf deaf = { 3 };
	uint32_t channel;
	const struct sim_hook hook = { .context = &deaf, .message = swallow };

	world_connect(p->w, 0, 1);
	play_open(p, &o);
	play_reach(p, "a usable channel", htlcs_wanted);
	channel = book_between(p->b, 0, 1)->index; /* a crash may have left others that were never opened */
	p->context = &channel;
	world_hook(p->w, &hook);
	half(p, 1, 0, MSAT(50000000));
	half(p, 0, 1, MSAT(40000000));
	half(p, 0, 1, MSAT(200000)); /* too small for an output */
	play_reach(p, "HTLCs that wait for their other halves", halves_wait);
	wish_new(p->b, WISH_PAY, 0, 1, MSAT(60000000));
	play_reach(p, "an HTLC that is decided and not heard of", stuck);
	play_reach(p, "both alive", may_close);
	p->b->channels[channel].force_wanted = true; /* from here on both may */
	p->b->channels[channel].close_life = UINT32_MAX;
	resolve(p);
}

const struct scenario scenario_chain = { "chain", "a force close with HTLCs in both directions, resolved on chain", 2, run_chain,
					 0, 0, false };

/* --- the preimage seen on chain --- */

static bool last_has_closed(struct play *p)
{
	const struct book_channel *c = &p->b->channels[*(const uint32_t *)p->context];

	if (wishes_follow(p->b, false) == 0 || sim_chain_spender(p->w->chain, &c->funding))
		return true;
	play_mine_slowly(p);
	return false;
}

static bool row_is_up(struct play *p)
{
	return play_all_alive(p) && book_between(p->b, 0, 1) && book_between(p->b, 1, 2);
}

static void run_preimage(struct play *p)
{
	const struct open_wish ab = { 0, 1, SAT(800000), MSAT(0), true }, bc = { 1, 2, SAT(700000), MSAT(0), true };
	struct deaf deaf = { 4 };
	uint32_t channel;
	const struct sim_hook hook = { .context = &deaf, .message = swallow };

	world_connect(p->w, 0, 1);
	world_connect(p->w, 2, 1);
	play_open(p, &ab);
	play_open(p, &bc);
	play_reach(p, "a row of channels", row_is_up);
	channel = book_between(p->b, 1, 2)->index;
	p->context = &channel;
	world_hook(p->w, &hook);
	scenario_route(p, 0, 1, 2, MSAT(70000000), false);
	play_reach(p, "an HTLC that is decided and not heard of", stuck);
	/* They stay apart: the last node's deadline comes first, and it must go to the chain. */
	for (uint32_t i = 0; i < p->b->channel_count; i++)
		p->b->channels[i].cut_off = p->b->channels[i].end[0] == 1;
	play_reach(p, "the last node's claim", last_has_closed);
	world_let_together(p->w, 1, 2);
	play_reach(p, "every payment settled", settled);
	play_close_all(p);
	play_bury(p);
	play_judge(p, true);
}

const struct scenario scenario_preimage = { "preimage", "a forwarder whose outgoing channel closes with the preimage seen on chain", 3,
					    run_preimage, 0, 0, false };
