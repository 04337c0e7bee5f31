/* Payments of ours on their way out: they are read from their invoices and handed to their machine (payment/send.h);
 * what it asks is asked of ways.c, what it offers goes into a channel, and what it learned goes back to ways.c. */
#include "node/state.h"

#include <string.h>

#include "node/ways.h"

/* --- ways --- */

static struct route_layer *exclusions_of(struct step *s, const struct send_question *q)
{
	uint8_t seed[16];

	if (!q->limit_count)
		return NULL;
	drbg_fill(s->entropy, seed, sizeof(seed));
	return node_ways_limits(seed, q);
}

static enum send_verdict verdict_of(enum route_verdict v)
{
	switch (v) {
	case ROUTE_FOUND: return SEND_FOUND;
	case ROUTE_UNKNOWN_SOURCE: return SEND_NO_CHANNEL;
	case ROUTE_UNKNOWN_TARGET: return SEND_UNKNOWN_PAYEE;
	case ROUTE_NO_WAY: return SEND_NO_WAY;
	case ROUTE_TOO_EXPENSIVE: return SEND_TOO_EXPENSIVE;
	case ROUTE_BAD_REQUEST: /* what the payee asks for alone is more than is allowed */
	case ROUTE_TOO_LONG: return SEND_TOO_SLOW;
	case ROUTE_TOO_MANY_PARTS: return SEND_TOO_MANY_PARTS;
	}
	UNREACHABLE();
}

static const struct path_hop *hops_of(struct arena *a, const struct route_part *part)
{
	struct path_hop *hops = ARENA_ARRAY(a, struct path_hop, part->hop_count);

	for (uint32_t i = 0; i < part->hop_count; i++) {
		const struct route_leg *leg = &part->hops[i];

		hops[i] = (struct path_hop){ leg->node, leg->scid, leg->amount, leg->cltv };
	}
	return hops;
}

/* A channel that has gone since it was asked takes no offer: its key is nobody's. */
static struct send_way way_of(const struct node *n, struct step *s, const struct route_part *part)
{
	const struct node_channel *c = node_ways_channel(n, &part->hops[0]);

	return (struct send_way){ c ? channel_key(c->channel) : 0, hops_of(&s->out->arena, part), part->hop_count };
}

static void offer_htlc(struct node *n, struct step *s, const struct send_offer *o)
{
	struct node_channel *c = node_channel_by_key(n, o->channel_key);
	struct htlc_offer offer = {
		.amount = o->amount,
		.payment_hash = o->payment_hash,
		.cltv_expiry = o->cltv_expiry,
		.onion = o->onion,
	};
	enum offer_result result = OFFER_NOT_READY;
	uint64_t id;

	if (c && !c->dead)
		result = channel_offer_htlc(c->channel, s, &offer, &id);
	if (result != OFFER_OK) {
		/* It said that it could: whoever asks for the next plan looks again. */
		if (c)
			c->has_spendable = false;
		send_refused(n->send, s, o, offer_result_words(result));
		return;
	}
	send_offered(n->send, s, o, id);
	node_touch(n, c);
}

/* What payments learned, to where all of them read it. */
void node_pay_learned(struct node *n, const struct step *s)
{
	uint32_t count;
	const struct send_fact *f = send_facts(n->send, &count);

	for (uint32_t i = 0; i < count; i++, f++) {
		switch (f->kind) {
		case SEND_FACT_TAKEN:
			node_ways_reserve(n, f->scid, f->direction, f->amount);
			break;
		case SEND_FACT_FREED:
			node_ways_release(n, f->scid, f->direction, f->amount);
			break;
		case SEND_FACT_COULD:
			node_ways_could(n, s, f->scid, f->direction, f->amount);
			break;
		case SEND_FACT_COULD_NOT:
			node_ways_could_not(n, s, f->scid, f->direction, f->amount);
			break;
		case SEND_FACT_MOVED:
			node_ways_moved(n, s, f->scid, f->direction, f->amount);
			break;
		}
	}
	send_facts_taken(n->send);
}

/* A plan is there: its parts go into their channels in this step. */
static void planned(struct node *n, struct step *s, uint64_t id, const struct route_plan *plan)
{
	struct send_offers offers = { 0 };
	struct send_way *ways = ARENA_ARRAY(&s->out->arena, struct send_way, plan->part_count);
	struct send_answer answer = { .verdict = verdict_of(plan->verdict), .ways = ways, .fee = plan->fee, .facts = plan->facts };

	if (answer.verdict == SEND_FOUND)
		answer.count = plan->part_count;
	for (uint32_t i = 0; i < answer.count; i++)
		ways[i] = way_of(n, s, &plan->parts[i]);
	send_planned(n->send, s, id, &answer, &offers);
	for (const struct send_offer *o = offers.head; o; o = o->next)
		offer_htlc(n, s, o);
	node_pay_learned(n, s);
}

static void ask(struct node *n, struct step *s, const struct send_question *q)
{
	struct ways_question w = {
		.id = q->id, .answer = planned, .binding = true, .payee = q->payee, .amount = q->amount,
		.fee_limit = q->fee_limit, .part_min = q->part_min, .final_cltv = q->final_cltv, .cltv_max = q->cltv_max,
		.parts_max = q->parts_max, .hops_max = q->hops_max, .hints = q->hints, .hint_count = q->hint_count,
		.exclusions = exclusions_of(s, q), .layers = q->layers, .layer_count = q->layer_count,
		.taste = { .delay_ppb = q->delay_ppb }, .without_facts = q->anew,
	};

	node_ways_ask(n, s, &w);
}

static void pay_self(struct node *n, struct step *s, const struct send_offer *o)
{
	struct preimage preimage;
	enum reply_code code = receive_from_self(n->receive, s, &preimage, &o->payment_hash, &o->secret, o->amount);

	if (code == REPLY_OK)
		send_self_paid(n->send, s, o, &preimage);
	else
		send_refused(n->send, s, o, "our own invoice cannot be paid: unknown, paid, expired or another amount");
}

bool node_pay_wants_flush(const struct node *n)
{
	return n->synced && send_wants_flush(n->send) && node_ways_room(n) > 0;
}

void node_pay_flush(struct node *n, struct step *s)
{
	/* What was learned first, so that whoever asks hears of it. */
	node_pay_learned(n, s);
	while (node_pay_wants_flush(n)) {
		struct send_offers offers = { 0 };
		struct send_questions questions = { 0 };

		send_flush(n->send, s, node_ways_room(n), &questions, &offers);
		for (const struct send_question *q = questions.head; q; q = q->next)
			ask(n, s, q);
		for (const struct send_offer *o = offers.head; o; o = o->next)
			pay_self(n, s, o);
	}
}
