#include "tests/sim/attack.h"
#include "tests/stored_invoice.h"

#include <string.h>

#include "channel/view.h"

#define END_BLOCKS_MAX 3000u
/* Anchors, dust and roundings: what nobody steals an HTLC of 300,000 sat for. */
#define SLACK_MSAT 4000000u

/* --- time --- */

void attack_until(struct attack *t, const char *what, bool (*so)(struct attack *t))
{
	uint64_t end = t->w->now_ms + 240 * MINUTE_MS;

	while (!so(t))
		if (!world_step(t->w, end))
			world_fail(t->w, "not reached in four hours: %s", what);
}

void attack_wait(struct attack *t, uint64_t ms)
{
	uint64_t end = t->w->now_ms + ms;

	while (world_step(t->w, end))
		;
}

void attack_block(struct attack *t, const struct sim_mine *how)
{
	sim_chain_mine(t->w->chain, how);
	world_tell_chain(t->w);
	attack_wait(t, 4000);
}

void attack_blocks(struct attack *t, uint32_t count)
{
	while (count--)
		attack_block(t, NULL);
}

void attack_blocks_until(struct attack *t, uint32_t most, const char *what, bool (*so)(struct attack *t))
{
	for (uint32_t i = 0; !so(t); i++) {
		if (i == most)
			world_fail(t->w, "not reached in %u blocks: %s", most, what);
		attack_block(t, NULL);
	}
}

/* --- looking --- */

static const struct channel *view(const struct attack *t, uint32_t channel)
{
	return book_view(t->b, &t->b->channels[channel], VICTIM);
}

const struct channel *attack_in(const struct attack *t) { return view(t, t->in); }
const struct channel *attack_out(const struct attack *t) { return view(t, t->out); }

uint32_t attack_out_count(const struct attack *t)
{
	const struct channel *ch = attack_out(t);
	uint32_t count = 0;

	if (!ch)
		return 0;
	for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(ch, h));)
		count += h->owner == SIDE_LOCAL && h->state >= SENT_ADD_COMMIT;
	return count;
}

uint32_t attack_out_committed(const struct attack *t)
{
	const struct channel *ch = attack_out(t);
	uint32_t count = 0;

	if (!ch)
		return 0;
	for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(ch, h));)
		count += h->owner == SIDE_LOCAL && h->state == SENT_ADD_ACK_REVOCATION;
	return count;
}

const struct onchain *attack_onchain(const struct attack *t, uint32_t channel)
{
	const struct channel *ch = view(t, channel);

	return ch ? node_view_onchain(t->w->nodes[VICTIM].node, ch) : NULL;
}

const struct sim_tx *attack_commitment(const struct attack *t, uint32_t channel)
{
	return sim_chain_spender(t->w->chain, &t->b->channels[channel].funding);
}

uint32_t attack_expiry(const struct attack *t, uint32_t channel, enum side owner)
{
	const struct channel *ch = view(t, channel);
	uint32_t first = UINT32_MAX;

	if (!ch)
		return first;
	for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(ch, h));)
		if (h->owner == owner && h->cltv_expiry < first)
			first = h->cltv_expiry;
	return first;
}

/* --- money --- */

static uint64_t wallet_msat(const struct sim_node *n)
{
	struct wallet_balance b;

	wallet_view_balance(hot_funds_wallet(n->funds), &b);
	return (b.confirmed.v + b.unconfirmed.v + b.reserved.v + b.immature.v) * 1000;
}

static uint64_t wealth_msat(const struct attack *t)
{
	const struct sim_node *n = &t->w->nodes[VICTIM];
	uint64_t sum = wallet_msat(n);
	const struct channel *ch;
	uint32_t at = 0;

	while ((ch = node_view_channel(n->node, &at)))
		sum += channel_to_us(ch).v;
	return sum;
}

static bool spends(const struct sim_tx *t, const struct outpoint *o)
{
	for (uint32_t i = 0; i < t->tx->input_count; i++)
		if (outpoint_equal(&t->tx->inputs[i].prev, o))
			return true;
	return false;
}

/* What the victim paid to miners: its own transactions, and the end of the channel that it opened. */
static uint64_t fees_msat(const struct attack *t)
{
	const struct outpoint *funding = &t->b->channels[t->out].funding;
	uint64_t sum = 0;

	for (uint32_t h = t->height + 1; h <= sim_chain_height(t->w->chain); h++) {
		const struct sim_block *b = sim_chain_block(t->w->chain, h);

		for (uint32_t i = 1; i < b->count; i++)
			if (b->list[i]->from == VICTIM || spends(b->list[i], funding))
				sum += b->list[i]->fee.v * 1000;
	}
	return sum;
}

/* --- the row --- */

static uint32_t open_channel(struct attack *t, int from, int to)
{
	const struct open_wish o = { .from = from, .to = to, .amount = SAT(ATTACK_CHANNEL_SAT) };

	play_open(t->p, &o);
	return book_between(t->b, from, to)->index;
}

static bool victim_lives(struct attack *t)
{
	return t->w->nodes[VICTIM].alive;
}

static bool usable(struct attack *t)
{
	return book_usable(t->b, &t->b->channels[t->in]) && book_usable(t->b, &t->b->channels[t->out]);
}

/* What the victim publishes of its commitments. */
static bool record_commitment(void *context, struct sim_node *n, const struct effect *f)
{
	struct attack *t = context;
	struct arena memory;

	if (n->index != VICTIM || f->kind != EFFECT_BROADCAST)
		return true;
	arena_init(&memory);
	for (int i = 0; i < 2; i++) {
		const struct bytes raw = f->u.broadcast.txs[0];
		const struct tx *tx = tx_parse(&memory, raw);
		uint32_t channel = i ? t->out : t->in;

		if (channel >= t->b->channel_count || !outpoint_equal(&tx->inputs[0].prev, &t->b->channels[channel].funding))
			continue;
		mem_free((void *)(uintptr_t)t->commitments[i].data);
		t->commitments[i] = BYTES(memcpy(mem_alloc(raw.size), raw.data, raw.size), raw.size);
	}
	arena_release(&memory);
	return true;
}

void attack_begin(struct attack *t, struct play *p)
{
	memset(t, 0, sizeof(*t));
	t->p = p;
	t->w = p->w;
	t->b = p->b;
	t->up = adversary_new(p->b, UP);
	t->down = adversary_new(p->b, DOWN);
	world_hook(t->w, &(struct sim_hook){ .context = t, .effect = record_commitment });
	t->in = open_channel(t, UP, VICTIM);
	t->out = open_channel(t, VICTIM, DOWN);
	t->b->channels[t->in].force_wanted = t->b->channels[t->out].force_wanted = true;
	attack_blocks(t, 6);
	attack_until(t, "both channels usable", usable);
	attack_measure(t);
}

void attack_measure(struct attack *t)
{
	attack_until(t, "the victim alive", victim_lives);
	t->wealth_msat = wealth_msat(t);
	t->height = sim_chain_height(t->w->chain);
}

static bool victim_is_done(struct attack *t)
{
	const struct sim_node *n = &t->w->nodes[VICTIM];
	uint32_t at = 0;

	return n->alive && n->follow.height == sim_chain_height(t->w->chain) && !node_view_channel(n->node, &at);
}

/* A channel that nobody ended yet is ended by the victim's user. */
static void end_channels(struct attack *t)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct book_channel *c = &t->b->channels[i ? t->out : t->in];
		const struct channel *ch = book_view(t->b, c, VICTIM);
		uint64_t call;

		if (ch && channel_state_of(ch) <= CLOSINGD_SIGEXCHANGE && !attack_commitment(t, c->index) && channel_htlc_count(ch) == 0)
			user_close(t->b, c, VICTIM, true, &call);
	}
}

void attack_end(struct attack *t, uint64_t gain_msat)
{
	uint64_t now, fees;

	adversary_mute_all(t->up, true);
	adversary_mute_all(t->down, true);
	for (uint32_t i = 0; !victim_is_done(t); i++) {
		if (i == END_BLOCKS_MAX)
			world_fail(t->w, "the victim's channels do not end");
		end_channels(t);
		attack_block(t, NULL);
	}
	attack_until(t, "the victim alive", victim_lives);
	now = wealth_msat(t);
	fees = fees_msat(t);
	world_say(t->w, "the victim had %llu msat, has %llu and paid %llu in fees", (unsigned long long)t->wealth_msat,
		  (unsigned long long)now, (unsigned long long)fees);
	if (now + fees + SLACK_MSAT < t->wealth_msat + gain_msat)
		world_fail(t->w, "the victim was robbed: it had %llu msat, has %llu, paid %llu in fees and should have gained %llu",
			   (unsigned long long)t->wealth_msat, (unsigned long long)now, (unsigned long long)fees,
			   (unsigned long long)gain_msat);
	/* Nor richer by an HTLC: an honest peer would have paid twice. */
	if (!gain_msat && now + fees > t->wealth_msat + ATTACK_HTLC_SAT / 2 * 1000ull)
		world_fail(t->w, "the victim had %llu msat and has %llu after %llu in fees: it was paid for what it did not pay",
			   (unsigned long long)t->wealth_msat, (unsigned long long)now, (unsigned long long)fees);
	play_check_policy(t->p);
	adversary_free(t->up);
	adversary_free(t->down);
	for (int i = 0; i < 2; i++)
		mem_free((void *)(uintptr_t)t->commitments[i].data);
	t->w->hook_count -= 3;
}

/* --- what attackers do --- */

struct publication {
	struct adversary *who;
	uint32_t channel, life;
};

static bool is_published(struct attack *t)
{
	struct publication *q = t->context;
	const struct sim_node *n = &t->w->nodes[q->who->node];

	if (attack_commitment(t, q->channel))
		return true;
	if (n->alive && n->life != q->life) {
		q->life = n->life;
		adversary_publish(q->who, &t->b->channels[q->channel]);
	}
	return false;
}

void attack_publish(struct attack *t, struct adversary *who, uint32_t channel)
{
	struct publication q = { who, channel, 0 };
	void *before = t->context;

	t->context = &q;
	attack_until(t, "the attacker's commitment", is_published);
	t->context = before;
}

/* The error may be lost in a crash. */
static bool is_provoked(struct attack *t)
{
	uint64_t *again = t->context;

	if (attack_commitment(t, t->out) && t->commitments[1].size)
		return true;
	if (t->w->now_ms >= *again) {
		*again = t->w->now_ms + 10 * MINUTE_MS;
		adversary_accuse(t->down, VICTIM);
	}
	return false;
}

void attack_provoke(struct attack *t)
{
	uint64_t again = 0;
	void *before = t->context;

	t->context = &again;
	t->down->hold = HOLD_ALL;
	attack_until(t, "the victim's commitment", is_provoked);
	t->down->mute[VICTIM] = true;
	t->down->accuse = false;
	t->context = before;
}

/* --- payments --- */

struct order {
	uint64_t sat;
	uint32_t invoices, parts;
	uint32_t first, count;  /* parts that go now */
	uint32_t wanted;        /* HTLCs of the victim then */
	uint32_t whole;         /* parts that go together where it must be ordered again */
	uint64_t ordered_ms;
};

static struct scid scid_of(const struct attack *t, uint32_t channel, int node)
{
	const struct channel *ch = book_view(t->b, &t->b->channels[channel], node);

	return ch ? channel_record_of(ch)->scid : (struct scid){ 0 };
}

static void send_part(struct attack *t, const struct wish *v, uint32_t part, uint32_t parts)
{
	struct command c = { .kind = COMMAND_SENDPAY };
	struct route_hop hops[2] = { { .node = t->w->nodes[VICTIM].id }, { .node = t->w->nodes[DOWN].id } };
	uint64_t call;

	for (uint32_t k = 0; k < 2; k++) {
		hops[k].amount = v->hops[k].amount;
		hops[k].delay = v->hops[k].cltv;
		hops[k].scid = scid_of(t, k ? t->out : t->in, k ? VICTIM : UP);
	}
	c.u.sendpay.hops = hops;
	c.u.sendpay.hop_count = 2;
	c.u.sendpay.payment_hash = v->hash;
	c.u.sendpay.has_secret = true;
	c.u.sendpay.secret = v->secret;
	c.u.sendpay.has_total = true;
	c.u.sendpay.total = MSAT(v->hops[1].amount.v * parts);
	c.u.sendpay.part = part;
	c.u.sendpay.has_group = true;
	c.u.sendpay.group = 1;
	world_command(t->w, UP, &c, &call);
}

static void make_invoices(struct attack *t, const struct order *o)
{
	ASSERT(o->invoices <= ATTACK_INVOICES_MAX);
	t->wish_count = o->invoices;
	for (uint32_t i = 0; i < o->invoices; i++) {
		struct wish *v = wish_new(t->b, WISH_ROUTE, UP, DOWN, MSAT(o->sat * 1000 * o->parts));

		v->hop_count = 2;
		v->hops[0] = (struct book_hop){ .channel = t->in, .node = VICTIM };
		v->hops[1] = (struct book_hop){ .channel = t->out, .node = DOWN };
		v->called = true; /* nobody but this file orders it */
		t->wishes[i] = v->index;
	}
}

static bool invoices_are_there(struct attack *t)
{
	bool all = true;

	for (uint32_t i = 0; i < t->wish_count; i++) {
		struct wish *v = &t->b->wishes[t->wishes[i]];

		if (!v->has_invoice)
			(void)wish_follow(t->b, v);
		all &= v->has_invoice;
	}
	return all;
}

static void send_all(struct attack *t, const struct order *o)
{
	for (uint32_t i = 0; i < t->wish_count; i++) {
		struct wish *v = &t->b->wishes[t->wishes[i]];
		const struct amount_msat whole = v->amount;

		v->amount = MSAT(o->sat * 1000);
		wish_price(t->b, v);
		v->amount = whole;
		for (uint32_t k = 0; k < o->count; k++)
			send_part(t, v, o->parts > 1 ? o->first + k + 1 : 0, o->parts);
	}
}

static bool all_are_paid(const struct attack *t)
{
	const struct sim_node *down = &t->w->nodes[DOWN];

	for (uint32_t i = 0; i < t->wish_count; i++) {
		const struct wish *v = &t->b->wishes[t->wishes[i]];
		struct record_invoice r;

		if (!down->alive || !v->has_invoice || !stored_invoice(down->store, &v->hash, &r) || r.state != INVOICE_PAID)
			return false;
	}
	return true;
}

static bool htlcs_are_there(struct attack *t)
{
	struct order *o = t->context;

	if (attack_out_count(t) >= o->wanted || all_are_paid(t))
		return true;
	if (!t->w->nodes[UP].alive || !t->w->nodes[DOWN].alive || !attack_in(t) || !attack_out(t) || !usable(t) ||
	    !invoices_are_there(t))
		return false;
	if (!o->ordered_ms) {
		send_all(t, o);
		o->ordered_ms = t->w->now_ms;
	} else if (t->w->now_ms > o->ordered_ms + 90000) {
		/* A crash swallowed it, it failed on the way, or its first parts were given up meanwhile: from the start. */
		o->first = 0;
		o->count = o->whole;
		o->wanted = attack_out_count(t) + o->invoices * o->count;
		make_invoices(t, o);
		o->ordered_ms = 0;
	}
	return false;
}

static void pay(struct attack *t, struct order *o)
{
	void *before = t->context;

	o->wanted = attack_out_count(t) + o->invoices * o->count;
	t->context = o;
	attack_until(t, "the victim's HTLCs", htlcs_are_there);
	t->context = before;
	t->order_sat = o->sat;
	t->order_parts = o->parts;
}

void attack_pay(struct attack *t, uint64_t sat, uint32_t invoices, uint32_t parts)
{
	struct order o = { .sat = sat, .invoices = invoices, .parts = parts, .count = parts, .whole = parts };

	make_invoices(t, &o);
	pay(t, &o);
}

void attack_pay_but_one(struct attack *t, uint64_t sat, uint32_t invoices, uint32_t parts)
{
	struct order o = { .sat = sat, .invoices = invoices, .parts = parts, .count = parts - 1, .whole = parts - 1 };

	make_invoices(t, &o);
	pay(t, &o);
}

void attack_pay_rest(struct attack *t)
{
	struct order o = { .sat = t->order_sat, .invoices = t->wish_count, .parts = t->order_parts,
			   .first = t->order_parts - 1, .count = 1, .whole = t->order_parts };

	pay(t, &o);
}
