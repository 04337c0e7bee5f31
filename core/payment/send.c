#include "payment/send.h"

#include "crypto/hash.h"
#include "payment/ledger.h"
#include "payment/plan.h"

#define RETRY_FOR_S_DEFAULT 60u
#define FEE_PPM_DEFAULT 5000u
#define FEE_MIN_DEFAULT 5000u

static void reply_refused(struct step *step, const struct send_request *q, enum reply_code code, const char *why)
{
	struct reply *reply = ARENA_NEW(&step->out->arena, struct reply);

	reply->kind = q->kind == PAYMENT_KEYSEND ? COMMAND_KEYSEND : COMMAND_PAY;
	reply->code = code;
	reply->message = why;
	effect_reply(step->out, q->call, reply);
}

/* The reason why a request is none, or NULL. */
static const char *refusal(const struct send *s, const struct step *step, const struct send_request *q,
			   enum reply_code *code)
{
	struct amount_msat twice;

	*code = REPLY_INVALID;
	if (q->amount.v == 0 || MSAT_LESS(msat_of_sat(SAT(SUPPLY_SAT)), q->amount))
		return "the amount is not one that can be paid";
	for (uint32_t i = 0; i < q->record_count; i++)
		if (q->records[i].type < PAYLOAD_CUSTOM_MIN || q->records[i].type == PAYLOAD_KEYSEND)
			return "a custom record must have a type from 65536 on";
	if (q->kind == PAYMENT_KEYSEND)
		return SAME(q->payee, s->config.self) ? "a keysend to this node itself moves nothing" : NULL;
	/* B11.tagged_fields.27 */
	if (!q->has_secret)
		return "the invoice has no payment secret";
	/* B4.basic_multi_part_payments.5 */
	if (!q->any_amount && (MSAT_LESS(q->amount, q->invoice_amount) ||
			       (msat_add(&twice, q->invoice_amount, q->invoice_amount) && MSAT_LESS(twice, q->amount))))
		return "the amount must be at least the invoice's and at most twice that";
	/* B11.payer_payee_requirements.1 */
	*code = REPLY_PAY_EXPIRED;
	return step->now_ms / 1000 >= q->expires_at_s ? "the invoice has expired" : NULL;
}

static struct amount_msat default_fee_limit(struct amount_msat amount)
{
	struct amount_msat part = msat_ppm(amount, FEE_PPM_DEFAULT);

	return MSAT_LESS(part, MSAT(FEE_MIN_DEFAULT)) ? MSAT(FEE_MIN_DEFAULT) : part;
}

static struct payment *start(struct send *s, struct step *step, const struct send_request *q)
{
	struct payment *latest = ledger_latest(s, &q->payment_hash), *p = NEW(struct payment);

	p->payment_hash = q->payment_hash;
	p->group = latest ? latest->group + 1 : 1;
	memcpy(p->key, p->payment_hash.v, 32);
	store_be64(p->key + 32, p->group);
	p->r = (struct record_payment){
		.kind = q->kind, .state = PAYMENT_PENDING, .payee = q->payee, .amount = q->amount,
		.fee_limit = q->has_fee_limit ? q->fee_limit : default_fee_limit(q->amount),
		.created_at_s = step->now_ms / 1000, .created_index = s->last_created_index + 1,
		.label = q->label ? bytes_from_string(q->label) : BYTES_NONE,
		.bolt11 = q->bolt11 ? bytes_from_string(q->bolt11) : BYTES_NONE,
	};
	p->plan = plan_new(q);
	p->plan->retry_until_ms = step->now_ms + 1000ull * (q->retry_for_s ? q->retry_for_s : RETRY_FOR_S_DEFAULT);
	p->plan->self = SAME(q->payee, s->config.self);
	ledger_store(p, step);
	ledger_index(s, p);
	return p;
}

static void pay_again(struct step *step, struct payment *p, const struct send_request *q)
{
	ledger_wait(p, q->call, q->kind);
	if (p->r.state == PAYMENT_COMPLETE)
		ledger_answer(step, p);
}

void send_pay(struct send *s, struct step *step, const struct send_request *request)
{
	struct send_request q = *request;
	struct preimage preimage = { { 0 } };
	enum reply_code code;
	const char *why = refusal(s, step, &q, &code);
	struct payment *p;

	if (q.kind == PAYMENT_KEYSEND) {
		/* bLIP 3: random, used once. */
		drbg_fill(step->entropy, preimage.v, sizeof(preimage.v));
		q.payment_hash = sha256(preimage.v, sizeof(preimage.v));
		q.has_secret = false;
		q.expires_at_s = UINT64_MAX;
	}
	p = ledger_latest(s, &q.payment_hash);
	/* INV-S2: what is paid stays paid, whatever the clock says now. */
	if (p && p->r.state != PAYMENT_FAILED) {
		pay_again(step, p, &q);
		return;
	}
	if (!why && ledger_pending(s) >= s->config.pending_max) {
		code = REPLY_FAILED;
		why = "too many payments are pending: wait until one of them ends";
	}
	if (why) {
		reply_refused(step, &q, code, why);
		return;
	}
	p = start(s, step, &q);
	p->plan->final.has_keysend = q.kind == PAYMENT_KEYSEND;
	p->plan->final.keysend = preimage;
	ledger_want_flush(s, p);
	ledger_wait(p, q.call, q.kind);
	mem_wipe(&preimage, sizeof(preimage));
}

/* Ends a payment that makes no new parts, once none is in flight (INV-S3). */
static void end_if_idle(struct send *s, struct step *step, struct payment *p)
{
	if (p->r.state != PAYMENT_PENDING || p->parts)
		return;
	if (p->plan && !p->plan->given_up)
		return;
	if (p->plan)
		ledger_fail(s, step, p, p->plan->code, p->plan->words);
	else if (route_last_failure(p))
		ledger_fail(s, step, p, route_last_failure(p)->code, route_last_failure(p)->words);
	else
		ledger_fail(s, step, p, REPLY_PAY_STOPPED, "its parts failed after this node had restarted");
}

static void give_up(struct payment *p, enum reply_code code, const char *words)
{
	struct payment_plan *plan = p->plan;

	plan->given_up = true;
	plan->code = code;
	/* What the network said last is worth more than that nothing else was left. */
	if (!plan->words || code == REPLY_PAY_TOO_EXPENSIVE || code == REPLY_PAY_EXPIRED)
		plan->words = words;
}

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

/* Turns one planned part into an offer.  False if no onion can be made for its path. */
static bool offer_part(struct send *s, struct step *step, struct payment *p, const struct plan_part *planned,
		       struct send_offers *out)
{
	struct payload final = p->plan->final;
	struct amount_msat amounts[ONION_HOPS_MAX];
	uint32_t cltv_expiries[ONION_HOPS_MAX];
	struct secret32 session_key;
	struct buf onion = BUF_EMPTY;
	struct send_offer *offer;

	final.amount = planned->amount;
	/* A block that comes on the way must not make the payee refuse. */
	final.cltv_expiry = step->height + p->plan->min_final_cltv + SEND_CLTV_SLACK;
	do
		drbg_fill(step->entropy, session_key.v, sizeof(session_key.v));
	while (!seckey_valid(&session_key));
	if (!path_amounts(planned->path, amounts, cltv_expiries, final.amount, final.cltv_expiry) ||
	    !path_onion(planned->path, &onion, s->secp, &session_key, &p->payment_hash, &final))
		return false;
	p->plan->attempts++;
	offer = ARENA_NEW(&step->out->arena, struct send_offer);
	offer->kind = SEND_OFFER_HTLC;
	offer->payment = p;
	offer->part = ledger_plan_part(p, planned, &session_key);
	offer->channel_key = planned->path->channel_key;
	offer->amount = amounts[0];
	offer->cltv_expiry = cltv_expiries[0];
	/* B4.basic_multi_part_payments.1 */
	offer->payment_hash = p->payment_hash;
	offer->onion = arena_bytes(&step->out->arena, buf_view(&onion));
	add_offer(out, offer);
	buf_release(&onion);
	return true;
}

/* What the parts in flight deliver and cost. */
static void in_flight(const struct payment *p, struct amount_msat *amount, struct amount_msat *sent)
{
	*amount = *sent = MSAT(0);
	for (const struct payment_part *part = p->parts; part; part = part->next)
		ASSERT(msat_add(amount, *amount, part->r.amount) && msat_add(sent, *sent, part->r.sent));
}

static struct amount_msat fee_left(const struct payment *p, struct amount_msat amount, struct amount_msat sent)
{
	struct amount_msat spent;

	ASSERT(msat_sub(&spent, sent, amount));
	return msat_sub_or_zero(p->r.fee_limit, spent);
}

/* Why no new part may be made, however many paths there are; REPLY_OK if one may. */
static enum reply_code stopped(const struct payment *p, uint64_t now_ms, const char **words)
{
	if (now_ms / 1000 >= p->plan->expires_at_s) {
		*words = "the invoice expired before a way was found";
		return REPLY_PAY_EXPIRED;
	}
	*words = "no try succeeded in the time there was";
	if (p->plan->attempts && now_ms >= p->plan->retry_until_ms)
		return REPLY_PAY_STOPPED;
	return p->plan->attempts >= SEND_ATTEMPTS_MAX ? REPLY_PAY_STOPPED : REPLY_OK;
}

static void give_up_planning(struct payment *p, enum plan_result result)
{
	enum reply_code none = p->plan->attempts ? REPLY_PAY_STOPPED : REPLY_PAY_NO_ROUTE;

	switch (result) {
	case PLAN_FOUND:
		UNREACHABLE();
	case PLAN_NO_ROUTE:
		give_up(p, none, "no usable channel leads to the payee with so much to spend");
		return;
	case PLAN_TOO_SLOW:
		give_up(p, none, "every way would hold the money for longer than allowed");
		return;
	case PLAN_TOO_EXPENSIVE:
		give_up(p, REPLY_PAY_TOO_EXPENSIVE, "every way costs more than the fee limit");
		return;
	}
	UNREACHABLE();
}

/* Plans what is missing.  A path that takes no onion is excluded and the planning starts again. */
static void flush_payment(struct send *s, struct step *step, struct payment *p, const struct path_list *paths,
			  struct send_offers *out)
{
	struct plan_part parts[SEND_PARTS_MAX];
	struct plan_task task = { .payment = p, .paths = paths };
	struct amount_msat amount, sent;
	enum plan_result result;
	const char *words;
	enum reply_code stop = stopped(p, step->now_ms, &words);
	uint32_t count;

	if (stop != REPLY_OK) {
		give_up(p, stop, words);
		return;
	}
	in_flight(p, &amount, &sent);
	/* B4.basic_multi_part_payments.8, INV-S1 */
	if (!msat_sub(&task.missing, p->r.amount, amount) || task.missing.v == 0)
		return;
	task.fee_left = fee_left(p, amount, sent);
	result = plan_split(&task, parts, &count);
	if (result != PLAN_FOUND) {
		give_up_planning(p, result);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct path *path = parts[i].path;

		if (offer_part(s, step, p, &parts[i], out))
			continue;
		plan_exclude(p->plan, &(struct plan_blame){ path->hops, path->count, path->channel_key, parts[i].amount });
		p->plan->words = "the onion for the way to the payee cannot be made";
		ledger_want_flush(s, p);
	}
}

void send_flush(struct send *s, struct step *step, const struct path_channel *channels, uint32_t count,
		struct send_offers *out)
{
	struct payment *p;
	uint32_t at = 0;

	while ((p = ledger_take_flush(s, &at))) {
		struct path_list paths;

		if (p->plan->self) {
			offer_to_self(step, p, out);
			continue;
		}
		paths = path_find(&step->out->arena, channels, count, p->plan->hints, p->plan->hint_count, &p->r.payee);
		flush_payment(s, step, p, &paths, out);
		end_if_idle(s, step, p);
	}
}

void send_offered(struct send *s, struct step *step, const struct send_offer *offer, uint64_t htlc_id)
{
	ASSERT(offer->kind == SEND_OFFER_HTLC);
	/* INV-S5 */
	ledger_start_part(s, step, offer->part, htlc_id);
}

static struct plan_blame blame_of(const struct payment_part *part)
{
	return (struct plan_blame){ part->hops, part->r.nodes_count, part->r.channel_key, part->r.amount };
}

void send_refused(struct send *s, struct step *step, const struct send_offer *offer, const char *why)
{
	struct payment *p = offer->payment;

	p->plan->words = arena_string(&p->plan->memory, why);
	if (offer->kind == SEND_OFFER_SELF) {
		give_up(p, REPLY_PAY_DESTINATION, p->plan->words);
	} else {
		struct plan_blame b = blame_of(offer->part);

		plan_exclude_channel(p->plan, &b);
		ledger_end_part(s, step, offer->part);
		ledger_want_flush(s, p);
	}
	end_if_idle(s, step, p);
}

void send_self_paid(struct send *s, struct step *step, const struct send_offer *offer, const struct preimage *preimage)
{
	struct payment *p = offer->payment;
	struct sha256 hash = sha256(preimage->v, sizeof(preimage->v));

	ASSERT(offer->kind == SEND_OFFER_SELF && SAME(hash, p->payment_hash));
	ledger_complete(s, step, p, preimage, p->r.amount, 0);
}

bool send_owns(const struct send *s, uint64_t channel_key, uint64_t htlc_id)
{
	return ledger_part(s, channel_key, htlc_id);
}

bool send_fulfilled(struct send *s, struct step *step, uint64_t channel_key, uint64_t htlc_id,
		    const struct preimage *preimage)
{
	struct payment_part *part = ledger_part(s, channel_key, htlc_id);
	struct sha256 hash = sha256(preimage->v, sizeof(preimage->v));
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
	ledger_end_part(s, step, part);
	return true;
}

/* Who said what.  A code that we do not know, or one whose data is cut short, still has its flags. */
static const char *read_report(struct arena *memory, struct failure *f, const struct payment_part *part,
			       const struct failure_report *report)
{
	bool known = failure_decode(memory, f, report->message);
	char node[2 * sizeof(struct pubkey) + 1];

	hex_encode(node, part->r.nodes[report->hop].v, sizeof(part->r.nodes[report->hop].v));
	return arena_printf(memory, "%s said %s%s (hop %u of %u)", node, failure_words(memory, f),
			    known ? "" : ", which we do not understand", report->hop + 1, part->r.nodes_count);
}

/* A return packet: who made it, and what that means for the plan. */
static void learn_from_report(struct send *s, struct arena *a, struct payment_part *part, struct bytes reason)
{
	struct payment_plan *plan = part->payment->plan;
	struct onion_hop hops[ONION_HOPS_MAX] = { 0 };
	struct secret32 secrets[ONION_HOPS_MAX];
	struct onion_request r = { .hops = hops, .hop_count = part->r.nodes_count, .session_key = part->r.session_key };
	struct plan_blame b = blame_of(part);
	struct failure_report report;
	struct failure f;

	for (uint32_t i = 0; i < r.hop_count; i++)
		hops[i].node_id = part->r.nodes[i];
	if (!onion_secrets(secrets, s->secp, &r) || !failure_open(a, &report, secrets, r.hop_count, reason)) {
		plan_exclude(plan, &b);
		plan->words = "the way failed and what came back is not readable";
	} else {
		/* B4.origin_node.1 */
		plan->words = read_report(&plan->memory, &f, part, &report);
		if (!plan_learn(plan, &b, report.hop, f.code))
			give_up(part->payment, REPLY_PAY_DESTINATION, plan->words);
	}
	mem_wipe(secrets, sizeof(secrets));
	mem_wipe(&r, sizeof(r));
}

static void learn(struct send *s, struct arena *a, struct payment_part *part, const struct send_failure *f)
{
	struct payment_plan *plan = part->payment->plan;
	struct plan_blame b = blame_of(part);

	switch (f->kind) {
	case SEND_FAILURE_REPORT:
		learn_from_report(s, a, part, f->reason);
		return;
	case SEND_FAILURE_MALFORMED:
		plan->words = arena_printf(&plan->memory, "our peer could not open the onion: %s", fail_name(f->code));
		plan_exclude_channel(plan, &b);
		return;
	case SEND_FAILURE_LOCAL:
		plan->words = arena_string(&plan->memory, f->text);
		plan_exclude_channel(plan, &b);
		return;
	}
	UNREACHABLE();
}

void send_failed(struct send *s, struct step *step, uint64_t channel_key, uint64_t htlc_id, const struct send_failure *f)
{
	struct payment_part *part = ledger_part(s, channel_key, htlc_id);
	struct payment *p;

	ASSERT(part);
	p = part->payment;
	if (p->plan) {
		learn(s, &step->out->arena, part, f);
		/* B4.receiving_failure_codes.6, B4.basic_multi_part_payments.4 */
		if (!p->plan->given_up)
			ledger_want_flush(s, p);
	} else if (p->r.kind == PAYMENT_ROUTE && p->r.state == PAYMENT_PENDING) {
		route_part_failed(s, step, part, f);
	}
	ledger_end_part(s, step, part);
	end_if_idle(s, step, p);
}

bool send_resume(struct send *s, struct step *step,
		 bool (*has_htlc)(const void *context, uint64_t channel_key, uint64_t htlc_id), const void *context)
{
	struct payment_part *part;
	struct payment *p;
	uint32_t at = 0;

	if (!ledger_sound(s))
		return false;
	while ((part = ledger_next_part(s, &at)))
		if (!has_htlc(context, part->r.channel_key, part->r.htlc_id))
			ledger_end_part(s, step, part);
	at = 0;
	while ((p = ledger_next_pending(s, &at)))
		end_if_idle(s, step, p);
	return true;
}
