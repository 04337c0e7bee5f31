#include "payment/send.h"

#include "crypto/hash.h"
#include "payment/learn.h"
#include "payment/ledger.h"

#define RETRY_FOR_S_DEFAULT 60u
#define FEE_PPM_DEFAULT 5000u
#define FEE_MIN_DEFAULT 5000u

/* --- requests --- */

static void reply_refused(struct step *step, const struct send_request *q, enum reply_code code, const char *why)
{
	struct reply *reply = ARENA_NEW(&step->out->arena, struct reply);

	reply->kind = q->kind == PAYMENT_KEYSEND ? COMMAND_KEYSEND : q->kind == PAYMENT_PROBE ? COMMAND_PROBE : COMMAND_PAY;
	reply->code = code;
	reply->message = why;
	effect_reply(step->out, q->call, reply);
}

static const char *bad_record(const struct send_request *q)
{
	for (uint32_t i = 0; i < q->record_count; i++) {
		if (q->records[i].type < PAYLOAD_CUSTOM_MIN || q->records[i].type == PAYLOAD_KEYSEND)
			return "a custom record must have a type from 65536 on";
		for (uint32_t j = 0; j < i; j++)
			if (q->records[j].type == q->records[i].type)
				return "two custom records have the same type";
	}
	return NULL;
}

static const char *bad_invoice(const struct send *s, const struct send_request *q, struct amount_msat total)
{
	struct amount_msat twice;

	/* B11.tagged_fields.27 */
	if (!q->has_secret)
		return "the invoice has no payment secret";
	/* B4.basic_multi_part_payments.5 */
	if (!q->any_amount && (MSAT_LESS(total, q->invoice_amount) ||
			       (msat_add(&twice, q->invoice_amount, q->invoice_amount) && MSAT_LESS(twice, total))))
		return "the amount must be at least the invoice's and at most twice that";
	if (MSAT_LESS(q->amount, total) && !q->basic_mpp)
		return "the payee does not take a payment in parts, so a part of it alone cannot be paid";
	if (MSAT_LESS(q->amount, total) && SAME(q->payee, s->config.self))
		return "our own invoice is paid whole or not at all";
	return NULL;
}

static struct amount_msat total_of(const struct send_request *q)
{
	return q->total.v ? q->total : q->amount;
}

/* The reason why a request is none, or NULL. */
static const char *refusal(const struct send *s, const struct step *step, const struct send_request *q,
			   enum reply_code *code)
{
	const struct amount_msat supply = msat_of_sat(SAT(SUPPLY_SAT)), total = total_of(q);
	const char *why = bad_record(q);

	*code = REPLY_INVALID;
	if (q->amount.v == 0 || MSAT_LESS(supply, total) || MSAT_LESS(total, q->amount))
		return "the amount is not one that can be paid";
	if (q->exclude_count > SEND_EXCLUDE_MAX)
		return "more is excluded than one payment may exclude";
	if (why)
		return why;
	if (q->kind != PAYMENT_BOLT11)
		return SAME(q->payee, s->config.self) ? "a payment without invoice to this node itself moves nothing" : NULL;
	why = bad_invoice(s, q, total);
	if (why)
		return why;
	/* B11.payer_payee_requirements.1 */
	*code = REPLY_PAY_EXPIRED;
	return step->now_ms / 1000 >= q->expires_at_s ? "the invoice has expired" : NULL;
}

/* Whether there is room for one more; else why not. */
static const char *crowded(const struct send *s, const struct send_request *q)
{
	if (q->kind == PAYMENT_PROBE && s->probe_count >= SEND_PROBES_MAX)
		return "too many probes are under way: wait until one of them ends";
	return ledger_pending(s) >= s->config.pending_max ? "too many payments are pending: wait until one of them ends" : NULL;
}

static struct amount_msat default_fee_limit(struct amount_msat amount)
{
	struct amount_msat part = msat_ppm(amount, FEE_PPM_DEFAULT);

	return MSAT_LESS(part, MSAT(FEE_MIN_DEFAULT)) ? MSAT(FEE_MIN_DEFAULT) : part;
}

/* All that the record has; views borrow from the request, and custom from the plan. */
static void fill_record(const struct send *s, const struct step *step, struct payment *p, const struct send_request *q)
{
	p->r = (struct record_payment){
		.kind = q->kind, .state = PAYMENT_PENDING, .payee = q->payee, .amount = q->amount, .total = total_of(q),
		.fee_limit = q->has_fee_limit ? q->fee_limit : default_fee_limit(q->amount),
		.max_delay = q->max_delay ? q->max_delay : SEND_DELAY_MAX_DEFAULT, .delay_ppb = q->delay_ppb,
		.retry_until_ms = step->now_ms + 1000ull * (q->retry_for_s ? q->retry_for_s : RETRY_FOR_S_DEFAULT),
		.created_at_s = step->now_ms / 1000, .created_index = q->kind == PAYMENT_PROBE ? 0 : s->last_created_index + 1,
		.label = q->label ? bytes_from_string(q->label) : BYTES_NONE,
		.bolt11 = q->bolt11 ? bytes_from_string(q->bolt11) : BYTES_NONE,
		.exclude = (struct sciddir_or_pubkey *)q->exclude, .exclude_count = q->exclude_count,
	};
}

static struct payment *start(struct send *s, struct step *step, const struct send_request *q, const struct preimage *keysend)
{
	struct payment *latest = ledger_latest(s, &q->payment_hash);
	struct payment *p = ledger_new(&q->payment_hash, latest ? latest->group + 1 : 1);
	struct buf custom = BUF_EMPTY;

	fill_record(s, step, p, q);
	p->next_part = 1;
	p->plan = plan_new(q, total_of(q));
	p->plan->self = SAME(q->payee, s->config.self);
	if (q->kind == PAYMENT_KEYSEND) {
		p->plan->final.has_keysend = true;
		p->plan->final.keysend = p->r.preimage = *keysend;
		tlv_list_encode(p->plan->final.custom, p->plan->final.custom_count, &custom);
		p->r.custom = buf_view(&custom);
	}
	if (q->kind == PAYMENT_PROBE) {
		p->r.exclude = NULL;
		p->r.exclude_count = 0;
		ledger_index_probe(s, p);
	} else {
		ledger_store(p, step);
		ledger_index(s, p);
	}
	buf_release(&custom);
	ledger_want_flush(s, p);
	return p;
}

static void pay_again(struct step *step, struct payment *p, const struct send_request *q)
{
	ledger_wait(p, q->call, q->kind);
	if (p->r.state == PAYMENT_COMPLETE)
		ledger_answer(step, p);
}

/* What has no invoice makes its own hash. */
static void own_hash(struct step *step, struct send_request *q, struct preimage *preimage)
{
	/* bLIP 3: random, used once.  Of a probe's hash nobody will ever know a preimage. */
	if (q->kind == PAYMENT_KEYSEND) {
		drbg_fill(step->entropy, preimage->v, sizeof(preimage->v));
		q->payment_hash = sha256(preimage->v, sizeof(preimage->v));
	} else {
		drbg_fill(step->entropy, q->payment_hash.v, sizeof(q->payment_hash.v));
	}
	q->has_secret = false;
	q->bolt11 = NULL;
}

void send_pay(struct send *s, struct step *step, const struct send_request *request)
{
	struct send_request q = *request;
	struct preimage preimage = { { 0 } };
	enum reply_code code;
	const char *why = refusal(s, step, &q, &code);
	struct payment *p;

	if (q.kind != PAYMENT_BOLT11)
		own_hash(step, &q, &preimage);
	p = ledger_latest(s, &q.payment_hash);
	/* INV-S2: what is paid stays paid, whatever the clock says now. */
	if (p && p->r.state != PAYMENT_FAILED) {
		pay_again(step, p, &q);
		return;
	}
	if (!why) {
		code = REPLY_FAILED;
		why = crowded(s, &q);
	}
	if (why) {
		reply_refused(step, &q, code, why);
		return;
	}
	ledger_wait(start(s, step, &q, &preimage), q.call, q.kind);
	mem_wipe(&preimage, sizeof(preimage));
}

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
	if (!p->plan->basic_mpp)
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
		.hops_max = plan->hops_max, .delay_ppb = p->r.delay_ppb, .hints = plan->hints, .hint_count = plan->hint_count,
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
	struct secret32 session_key;
	struct buf onion = BUF_EMPTY;
	struct send_offer *offer;

	do
		drbg_fill(step->entropy, session_key.v, sizeof(session_key.v));
	while (!seckey_valid(&session_key));
	if (!path_onion(way->hops, way->hop_count, step->height, &onion, s->secp, &session_key, &p->payment_hash, &p->plan->final))
		return false;
	p->plan->attempts++;
	offer = ARENA_NEW(&step->out->arena, struct send_offer);
	offer->kind = SEND_OFFER_HTLC;
	offer->payment = p;
	offer->part = ledger_plan_part(p, p->next_part, way->channel_key, way->hops, way->hop_count, &session_key);
	offer->channel_key = way->channel_key;
	offer->amount = way->hops[0].amount;
	offer->cltv_expiry = step->height + way->hops[0].cltv;
	/* B4.basic_multi_part_payments.1 */
	offer->payment_hash = p->payment_hash;
	offer->onion = arena_bytes(&step->out->arena, buf_view(&onion));
	add_offer(out, offer);
	buf_release(&onion);
	mem_wipe(&session_key, sizeof(session_key));
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

static void no_way(struct send *s, struct step *step, struct payment *p, const struct send_answer *answer)
{
	struct payment_plan *plan = p->plan;
	const uint64_t at_ms = step->now_ms + SEND_ASK_AGAIN_MS;

	plan->code = answer->verdict == SEND_TOO_EXPENSIVE ? REPLY_PAY_TOO_EXPENSIVE :
		     plan->attempts ? REPLY_PAY_STOPPED : REPLY_PAY_NO_ROUTE;
	plan->words = words_of(answer->verdict);
	if (answer->verdict == SEND_TOO_EXPENSIVE && answer->fee.v)
		plan->words = arena_printf(&plan->memory, "every way costs more than the fee limit of %llumsat; the cheapest %llumsat",
					   (unsigned long long)p->r.fee_limit.v, (unsigned long long)answer->fee.v);
	if (plan->wants_flush)
		return;
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
	if (p->r.state == PAYMENT_PENDING) {
		/* The payee has the preimage out: it can and will claim all the others. */
		in_flight(p, &amount, &sent);
		ledger_complete(s, step, p, preimage, sent, p->part_count);
	}
	ledger_end_part(s, step, part, &paid);
	return true;
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

/* Parts of before version 2 do not say which channels they went over. */
static bool knows_its_ways(const struct payment *p)
{
	for (const struct payment_part *part = p->parts; part; part = part->next)
		if (!part->r.scids_count)
			return false;
	return true;
}

static bool can_carry_on(const struct payment *p, uint64_t now_ms)
{
	struct sha256 h = sha256(p->r.preimage.v, sizeof(p->r.preimage.v));

	if (p->plan || p->r.state != PAYMENT_PENDING || now_ms >= p->r.retry_until_ms || !knows_its_ways(p))
		return false;
	return p->r.kind == PAYMENT_BOLT11 ? p->r.bolt11.size : p->r.kind == PAYMENT_KEYSEND && SAME(h, p->payment_hash);
}

const struct payment *send_interrupted(const struct send *s, const struct step *step, uint32_t *at)
{
	const struct payment *p;

	while ((p = ledger_next_pending(s, at)))
		if (can_carry_on(p, step->now_ms))
			return p;
	return NULL;
}

/* What the onion says besides: the preimage and the records. */
static bool restore_keysend(struct payment *p)
{
	struct payload *final = &p->plan->final;

	final->has_keysend = true;
	final->keysend = p->r.preimage;
	return tlv_list_decode(arena_bytes(&p->plan->memory, p->r.custom), &p->plan->memory, &final->custom, &final->custom_count,
			       NULL) == DECODE_OK;
}

void send_carry_on(struct send *s, struct step *step, const struct payment *payment, const struct send_request *request)
{
	struct payment *p = ledger_get(s, &payment->payment_hash, payment->group);
	struct send_request q = *request;

	ASSERT(p && can_carry_on(p, step->now_ms) && q.kind == p->r.kind);
	q.exclude = p->r.exclude;
	q.exclude_count = p->r.exclude_count;
	p->plan = plan_new(&q, ledger_total(p));
	p->plan->self = SAME(p->r.payee, s->config.self);
	p->plan->resumed = true;
	if (!p->next_part)
		p->next_part = 1;
	if (p->r.kind == PAYMENT_KEYSEND && !restore_keysend(p))
		give_up(p, REPLY_PAY_STOPPED, "its records were damaged while this node was away");
	ledger_want_flush(s, p);
}

void send_resumed(struct send *s, struct step *step)
{
	struct payment *p;
	uint32_t at = 0;

	while ((p = ledger_next_pending(s, &at)))
		end_if_idle(s, step, p);
}
