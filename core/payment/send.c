#include "payment/send.h"

#include "crypto/hash.h"
#include "payment/learn.h"
#include "payment/ledger.h"

/* --- giving up --- */

/* Why it failed, and what the network said last. */
static const char *final_words(struct step *step, const struct payment *p)
{
	const struct payment_try *last = p->tries;

	if (!last || p->plan->code == REPLY_PAY_DESTINATION)
		return p->plan->words;
	while (last->next)
		last = last->next;
	return arena_printf(&step->out->arena, "%s; after %u %s, the last: %.*s", p->plan->words, p->try_count,
			    p->try_count == 1 ? "try" : "tries", (int)last->r.words.size, (const char *)last->r.words.data);
}

/* Of a route that the user gave: what its last part said. */
static void fail_route(struct send *s, struct step *step, struct payment *p)
{
	const struct payment_try *last = p->tries;

	while (last && last->next)
		last = last->next;
	if (last)
		ledger_fail(s, step, p, (enum reply_code)last->r.code,
			    arena_printf(&step->out->arena, "%.*s", (int)last->r.words.size, (const char *)last->r.words.data));
	else
		ledger_fail(s, step, p, REPLY_PAY_STOPPED, "its parts failed after this node had restarted");
}

/* Ends a payment that makes no new parts, once none is in flight (INV-S3).  A probe is gone then. */
static void end_if_idle(struct send *s, struct step *step, struct payment *p)
{
	if (p->r.state != PAYMENT_PENDING || p->parts)
		return;
	if (!p->plan)
		fail_route(s, step, p);
	else if (p->plan->given_up)
		ledger_fail(s, step, p, p->plan->code, final_words(step, p));
}

static void give_up(struct payment *p, enum reply_code code, const char *words)
{
	p->plan->given_up = true;
	p->plan->code = code;
	p->plan->words = words;
}

/* --- questions --- */

static void add_offer(struct send_offers *out, struct send_offer *offer)
{
	if (out->last)
		out->last->next = offer;
	else
		out->head = offer;
	out->last = offer;
}

static void offer_to_self(struct step *step, struct payment *p, struct send_offers *out)
{
	struct send_offer *offer = ARENA_NEW(&step->out->arena, struct send_offer);

	p->plan->attempts++;
	offer->kind = SEND_OFFER_SELF;
	offer->payment = p;
	offer->amount = p->r.amount;
	offer->payment_hash = p->payment_hash;
	offer->secret = p->plan->final.secret;
	add_offer(out, offer);
}

/* What the parts in flight deliver and cost. */
static void in_flight(const struct payment *p, struct amount_msat *amount, struct amount_msat *sent)
{
	*amount = *sent = MSAT(0);
	for (const struct payment_part *part = p->parts; part; part = part->next)
		ASSERT(msat_add(amount, *amount, part->r.amount) && msat_add(sent, *sent, part->r.sent));
}

/* What is still to be sent, and what it may cost. */
static void missing(const struct payment *p, struct amount_msat *amount, struct amount_msat *fee_limit)
{
	struct amount_msat flying, sent, spent;

	in_flight(p, &flying, &sent);
	/* INV-S1 */
	ASSERT(msat_sub(amount, p->r.amount, flying) && msat_sub(&spent, sent, flying));
	ASSERT(msat_sub(fee_limit, p->r.fee_limit, spent));
}

/* Whether no new part may be made, however many ways there are. */
static bool stopped(struct payment *p, uint64_t now_ms)
{
	struct payment_plan *plan = p->plan;
	const bool tried = plan->attempts || plan->resumed;

	if (now_ms / 1000 >= plan->expires_at_s)
		give_up(p, REPLY_PAY_EXPIRED, "the invoice expired before a way was found");
	else if (tried && now_ms >= p->r.retry_until_ms)
		give_up(p, REPLY_PAY_STOPPED, "no try succeeded in the time there was");
	else if (plan->attempts >= SEND_ATTEMPTS_MAX)
		give_up(p, REPLY_PAY_STOPPED, "no try succeeded, and there were as many as one payment may have");
	return plan->given_up;
}

static uint32_t parts_allowed(const struct payment *p)
{
	const uint32_t tries = SEND_ATTEMPTS_MAX - p->plan->attempts, parts = SEND_PARTS_MAX - p->part_count;

	/* B4.basic_multi_part_payments.10 */
	if (!p->plan->basic_mpp || p->plan->one_part)
		return 1;
	return tries < parts ? tries : parts;
}

static void ask(struct send *s, struct step *step, struct payment *p, struct send_questions *out)
{
	struct payment_plan *plan = p->plan;
	struct send_question *q;
	struct amount_msat amount, fee_limit;

	missing(p, &amount, &fee_limit);
	/* B4.basic_multi_part_payments.8.  With so many parts out there is nothing to ask before one of them is back. */
	if (amount.v == 0 || p->part_count >= SEND_PARTS_MAX)
		return;
	q = ARENA_NEW(&step->out->arena, struct send_question);
	*q = (struct send_question){
		.id = ledger_ask(s, p), .payee = p->r.payee, .amount = amount, .fee_limit = fee_limit, .part_min = SEND_PART_MIN,
		.final_cltv = plan->min_final_cltv + plan->slack, .cltv_max = p->r.max_delay, .parts_max = parts_allowed(p),
		.hops_max = plan->hops_max, .delay_ppb = p->r.delay_ppb, .layers = plan->layers, .layer_count = plan->layer_count,
		.anew = plan->anew, .hints = plan->hints, .hint_count = plan->hint_count,
		.limits = plan->limits, .limit_count = plan->limit_count,
	};
	if (out->last)
		out->last->next = q;
	else
		out->head = q;
	out->last = q;
}

bool send_wants_flush(const struct send *s)
{
	return s->want_first;
}

void send_flush(struct send *s, struct step *step, uint32_t questions_max, struct send_questions *questions,
		struct send_offers *offers)
{
	const uint32_t before = table_count(&s->asked);
	struct payment *p;

	while (table_count(&s->asked) - before < questions_max && (p = ledger_take_flush(s))) {
		if (!p->plan->given_up && !stopped(p, step->now_ms)) {
			if (p->plan->self)
				offer_to_self(step, p, offers);
			else
				ask(s, step, p, questions);
			continue;
		}
		end_if_idle(s, step, p);
	}
}

/* --- answers --- */

/* Turns a way into an offer.  False if no onion can be made for so many hops. */
static bool offer_way(struct send *s, struct step *step, struct payment *p, const struct send_way *way,
		      struct send_offers *out)
{
	struct path_keys keys;
	struct buf onion = BUF_EMPTY;
	struct send_offer *offer;

	do
		drbg_fill(step->entropy, keys.session.v, sizeof(keys.session.v));
	while (!seckey_valid(&keys.session));
	if (!path_onion(way->hops, way->hop_count, step->height, &onion, s->secp, &keys, &p->payment_hash, &p->plan->final)) {
		mem_wipe(&keys, sizeof(keys));
		return false;
	}
	p->plan->attempts++;
	offer = ARENA_NEW(&step->out->arena, struct send_offer);
	offer->kind = SEND_OFFER_HTLC;
	offer->payment = p;
	offer->part = ledger_plan_part(p, p->next_part, way->channel_key, way->hops, way->hop_count, &keys);
	offer->channel_key = way->channel_key;
	offer->amount = way->hops[0].amount;
	offer->cltv_expiry = step->height + way->hops[0].cltv;
	/* B4.basic_multi_part_payments.1 */
	offer->payment_hash = p->payment_hash;
	offer->onion = arena_bytes(&step->out->arena, buf_view(&onion));
	add_offer(out, offer);
	buf_release(&onion);
	mem_wipe(&keys, sizeof(keys));
	return true;
}

/* Whoever plans keeps to the question: INV-S1. */
static void check_answer(const struct payment *p, const struct send_answer *answer)
{
	struct amount_msat amount, fee_limit, sum = MSAT(0), fees = MSAT(0), fee;

	missing(p, &amount, &fee_limit);
	for (uint32_t i = 0; i < answer->count; i++) {
		const struct send_way *way = &answer->ways[i];

		ASSERT(way->hop_count && way->hop_count <= ONION_HOPS_MAX && SAME(way->hops[way->hop_count - 1].node, p->r.payee));
		ASSERT(msat_add(&sum, sum, way->hops[way->hop_count - 1].amount));
		ASSERT(msat_sub(&fee, way->hops[0].amount, way->hops[way->hop_count - 1].amount) && msat_add(&fees, fees, fee));
		ASSERT(way->hops[0].cltv <= p->r.max_delay);
	}
	ASSERT(answer->count <= parts_allowed(p) && !MSAT_LESS(amount, sum) && !MSAT_LESS(fee_limit, fees));
}

/* Whether a way breaks a limit that was learned after it had been asked for. */
static bool is_stale(const struct send *s, const struct payment_plan *plan, const struct send_way *way)
{
	for (uint32_t i = 0; i < way->hop_count; i++)
		for (uint32_t k = 0; k < plan->limit_count; k++) {
			const struct send_limit *l = &plan->limits[k];
			const struct path_hop *h = &way->hops[i];

			if (l->is_node ? i + 1 < way->hop_count && SAME(h->node, l->node)
				       : h->scid.v == l->scid.v && MSAT_LESS(l->most, h->amount) &&
						 path_direction(i ? &way->hops[i - 1].node : &s->config.self, &h->node) == l->direction)
				return true;
		}
	return false;
}

/* An onion that does not hold its hops leaves fewer hops to try. */
static void too_long(struct send *s, struct payment *p, uint32_t hop_count)
{
	if (hop_count == 1) {
		give_up(p, REPLY_PAY_NO_ROUTE, "the onion for the payee cannot be made: what it is to be told does not fit");
		return;
	}
	if (!p->plan->hops_max || hop_count - 1 < p->plan->hops_max)
		p->plan->hops_max = hop_count - 1;
	ledger_want_flush(s, p);
}

static const char *words_of(enum send_verdict verdict)
{
	switch (verdict) {
	case SEND_FOUND: return "found";
	case SEND_NO_WAY: return "no way to the payee carries what is missing";
	case SEND_UNKNOWN_PAYEE: return "nothing is known of a way to the payee: neither gossip nor a hint of the invoice";
	case SEND_NO_CHANNEL: return "no channel of this node is usable now";
	case SEND_TOO_EXPENSIVE: return "every way costs more than the fee limit";
	case SEND_TOO_SLOW: return "every way would hold the money for longer than allowed";
	case SEND_TOO_MANY_PARTS: return "the payment would have to go in more parts than allowed";
	}
	UNREACHABLE();
}

/* What other payments showed is hours old at times: a payee that was offline is back, a channel has been filled again.  It
 * may say which way is tried first, but not that none is tried. */
static bool forget_others(struct payment_plan *plan, const struct send_answer *answer)
{
	if (plan->anew || plan->attempts || !answer->facts)
		return false;
	plan->anew = true;
	return true;
}

static void no_way(struct send *s, struct step *step, struct payment *p, const struct send_answer *answer)
{
	struct payment_plan *plan = p->plan;
	const uint64_t at_ms = step->now_ms + SEND_ASK_AGAIN_MS;

	plan->code = answer->verdict == SEND_TOO_EXPENSIVE || answer->verdict == SEND_TOO_SLOW ? REPLY_PAY_TOO_EXPENSIVE :
		     plan->attempts ? REPLY_PAY_STOPPED : REPLY_PAY_NO_ROUTE;
	plan->words = words_of(answer->verdict);
	if (answer->verdict == SEND_TOO_EXPENSIVE && answer->fee.v)
		plan->words = arena_printf(&plan->memory, "every way costs more than the fee limit of %llumsat; the cheapest %llumsat",
					   (unsigned long long)p->r.fee_limit.v, (unsigned long long)answer->fee.v);
	if (plan->wants_flush)
		return;
	if (forget_others(plan, answer)) {
		ledger_want_flush(s, p);
		return;
	}
	/* What is in flight comes back, or brings the preimage: then it is time to ask again. */
	if (plan->resumed && at_ms < p->r.retry_until_ms)
		ledger_ask_again(s, p, at_ms);
	else
		plan->given_up = !p->parts;
}

void send_planned(struct send *s, struct step *step, uint64_t question, const struct send_answer *answer,
		  struct send_offers *offers)
{
	struct payment *p = ledger_answered(s, question);
	bool again;

	if (!p)
		return;
	again = p->plan->again;
	p->plan->again = false;
	if (again)
		ledger_want_flush(s, p);
	if (p->plan->given_up || stopped(p, step->now_ms)) {
		end_if_idle(s, step, p);
		return;
	}
	if (answer->verdict != SEND_FOUND) {
		no_way(s, step, p, answer);
		end_if_idle(s, step, p);
		return;
	}
	check_answer(p, answer);
	for (uint32_t i = 0; i < answer->count && !p->plan->given_up; i++) {
		if (again && is_stale(s, p->plan, &answer->ways[i]))
			continue;
		if (!offer_way(s, step, p, &answer->ways[i], offers))
			too_long(s, p, answer->ways[i].hop_count);
	}
	end_if_idle(s, step, p);
}

void send_offered(struct send *s, struct step *step, const struct send_offer *offer, uint64_t htlc_id)
{
	ASSERT(offer->kind == SEND_OFFER_HTLC);
	/* INV-S5 */
	ledger_start_part(s, step, offer->part, htlc_id);
}

/* Our channel knew less than it said: half of it may do. */
static void refused_by_channel(struct send *s, struct step *step, struct payment_part *part, const char *why)
{
	struct payment *p = part->payment;
	const struct record_payment_try said = {
		.code = REPLY_PAY_TRY_OTHER_ROUTE, .has_report = true, .failure_code = FAIL_TEMPORARY_CHANNEL_FAILURE,
		.erring_scid = part->r.scids[0], .erring_direction = path_direction(&s->config.self, &part->r.nodes[0]),
		.words = bytes_from_string(why),
	};

	ledger_try(p, part, &said, step->now_ms / 1000);
	plan_limit_channel(p->plan, said.erring_scid, said.erring_direction, msat_half(part->r.sent));
	ledger_end_part(s, step, part, NULL);
	ledger_want_flush(s, p);
}

void send_refused(struct send *s, struct step *step, const struct send_offer *offer, const char *why)
{
	struct payment *p = offer->payment;

	if (offer->kind == SEND_OFFER_SELF)
		give_up(p, REPLY_PAY_DESTINATION, arena_string(&p->plan->memory, why));
	else
		refused_by_channel(s, step, offer->part, why);
	end_if_idle(s, step, p);
}

void send_self_paid(struct send *s, struct step *step, const struct send_offer *offer, const struct preimage *preimage)
{
	struct payment *p = offer->payment;
	struct sha256 hash = sha256(preimage->v, sizeof(preimage->v));

	ASSERT(offer->kind == SEND_OFFER_SELF && SAME(hash, p->payment_hash));
	ledger_complete(s, step, p, preimage, p->r.amount, 0);
}

/* --- ends of HTLCs --- */

bool send_owns(const struct send *s, uint64_t channel_key, uint64_t htlc_id)
{
	return ledger_part(s, channel_key, htlc_id);
}

bool send_fulfilled(struct send *s, struct step *step, uint64_t channel_key, uint64_t htlc_id,
		    const struct preimage *preimage)
{
	struct payment_part *part = ledger_part(s, channel_key, htlc_id);
	struct sha256 hash = sha256(preimage->v, sizeof(preimage->v));
	const struct ledger_shown paid = { .paid = true };
	struct amount_msat amount, sent;
	struct payment *p;

	ASSERT(part);
	p = part->payment;
	/* INV-S4 */
	if (!SAME(hash, p->payment_hash))
		return false;
	part->paid = true;
	if (p->r.state == PAYMENT_PENDING) {
		/* The payee has the preimage out: it can and will claim all the others. */
		in_flight(p, &amount, &sent);
		ledger_complete(s, step, p, preimage, sent, p->part_count);
	} else {
		ledger_held(p, part, step);
	}
	ledger_end_part(s, step, part, &paid);
	return true;
}

void send_attributed(struct send *s, struct step *step, uint64_t channel_key, uint64_t htlc_id, struct bytes attribution)
{
	struct payment_part *part = ledger_part(s, channel_key, htlc_id);
	const uint32_t *times;
	uint32_t count;

	ASSERT(part && !part->hold_times);
	times = learn_hold_times(s, &step->out->arena, part, attribution, &count);
	if (!count)
		return;
	part->hold_times = NEW_ARRAY(uint32_t, count);
	memcpy(part->hold_times, times, count * sizeof(*times));
	part->hold_time_count = count;
}

/* What a part's end means for a payment that plans. */
static void carry_on(struct send *s, struct payment *p, struct payment_part *part, const struct lesson *l)
{
	if (l->blame == BLAME_PAYEE)
		give_up(p, REPLY_PAY_DESTINATION, arena_printf(&p->plan->memory, "%.*s", (int)l->said.words.size,
							       (const char *)l->said.words.data));
	else
		learn_limits(part, l, &s->config.self);
	/* B4.receiving_failure_codes.6, B4.basic_multi_part_payments.4 */
	if (!p->plan->given_up)
		ledger_want_flush(s, p);
}

void send_failed(struct send *s, struct step *step, uint64_t channel_key, uint64_t htlc_id, const struct send_failure *f)
{
	struct payment_part *part = ledger_part(s, channel_key, htlc_id);
	struct record_payment_try ended = { 0 };
	struct ledger_shown shown;
	struct payment *p;
	struct lesson l;
	uint64_t id;

	ASSERT(part);
	p = part->payment;
	id = part->id;
	learn_read(&l, s, &step->out->arena, step->entropy, part, f);
	if (p->r.state == PAYMENT_PENDING) {
		ledger_try(p, part, &l.said, step->now_ms / 1000);
		ended = *ledger_find_try(p, id);
	}
	if (p->plan)
		carry_on(s, p, part, &l);
	shown = (struct ledger_shown){ .carried = l.carried, .full = l.full ? l.hop : 0 };
	ledger_end_part(s, step, part, &shown);
	if (p->r.kind == PAYMENT_PROBE && l.blame == BLAME_PAYEE) {
		/* It got there, and the payee does not know that hash: nobody does. */
		ledger_probed(s, step, p, &ended);
		return;
	}
	if (p->r.kind == PAYMENT_ROUTE && p->r.state == PAYMENT_PENDING)
		route_answer_part(step, p, id);
	end_if_idle(s, step, p);
}

/* --- after a restart --- */

bool send_resume(struct send *s, struct step *step,
		 bool (*has_htlc)(const void *context, uint64_t channel_key, uint64_t htlc_id), const void *context)
{
	struct payment_part *part;
	uint32_t at = 0;

	if (!ledger_sound(s))
		return false;
	while ((part = ledger_next_part(s, &at)))
		if (!has_htlc(context, part->r.channel_key, part->r.htlc_id))
			ledger_end_part(s, step, part, NULL);
	return true;
}

void send_resumed(struct send *s, struct step *step)
{
	struct payment *p;
	uint32_t at = 0;

	while ((p = ledger_next_pending(s, &at)))
		end_if_idle(s, step, p);
}
