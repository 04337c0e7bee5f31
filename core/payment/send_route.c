/* Payments along routes that are given: the user plans, this sends one HTLC and tells how it ended. */
#include "payment/ledger.h"

/* A block may come before the route is worn. */
#define ROUTE_CLTV_SLACK 1u

/* --- sending --- */

static bool hops_are_sound(const struct send_route *q, const char **why)
{
	const struct amount_msat supply = msat_of_sat(SAT(SUPPLY_SAT));
	const struct amount_msat first = q->hops[0].amount, last = q->hops[q->hop_count - 1].amount;

	for (uint32_t i = 0; i < q->hop_count; i++) {
		const struct route_hop *h = &q->hops[i];

		if (h->amount.v == 0 || MSAT_LESS(supply, h->amount)) {
			*why = "an amount of the route is not one that can be paid";
			return false;
		}
		if (h->delay > INT32_MAX || (i > 0 && h->scid.v == 0)) {
			*why = "a delay or a channel of the route makes no sense";
			return false;
		}
	}
	*why = "what arrives at the end of the route is more than what goes in";
	return !MSAT_LESS(first, last);
}

static bool is_sound(const struct send_route *q, const char **why)
{
	struct amount_msat last;

	*why = "a route has between 1 and 27 hops";
	if (!q->hop_count || q->hop_count > ONION_HOPS_MAX || !hops_are_sound(q, why))
		return false;
	last = q->hops[q->hop_count - 1].amount;
	*why = "several parts need the total amount and the payment secret";
	if (q->part && (!q->has_total || !q->has_secret))
		return false;
	*why = "the total amount is less than what arrives";
	if (q->has_total && MSAT_LESS(q->total, last))
		return false;
	*why = "the total amount is more than there can be";
	return !q->has_total || !MSAT_LESS(msat_of_sat(SAT(SUPPLY_SAT)), q->total);
}

static struct amount_msat total_of(const struct send_route *q)
{
	return q->has_total ? q->total : q->hops[q->hop_count - 1].amount;
}

static struct payment_part *part_of(const struct payment *p, uint64_t id)
{
	for (struct payment_part *part = p->parts; part; part = part->next)
		if (part->id == id)
			return part;
	return NULL;
}

/* INV-S1 */
static bool exceeds(const struct payment *p, struct amount_msat more)
{
	struct amount_msat sum = more;

	for (const struct payment_part *part = p->parts; part; part = part->next)
		if (!msat_add(&sum, sum, part->r.amount))
			return true;
	return MSAT_LESS(p->r.amount, sum);
}

/* Another part of a payment that is pending. */
static enum send_route_result join(const struct payment *p, const struct send_route *q, enum reply_code *code, const char **why)
{
	*code = REPLY_PAY_IN_PROGRESS;
	if (p->r.kind != PAYMENT_ROUTE || (q->has_group && q->group != p->group)) {
		*why = "another payment of that payment hash is pending";
		return SEND_ROUTE_REFUSED;
	}
	if (part_of(p, q->part))
		return SEND_ROUTE_KNOWN;
	if (!SAME(p->r.payee, q->hops[q->hop_count - 1].node) || p->r.amount.v != total_of(q).v || !q->part ||
	    part_of(p, 0)) {
		*why = "parts of that payment are pending with another amount or to another node";
		return SEND_ROUTE_REFUSED;
	}
	if (p->part_count >= SEND_PARTS_MAX || exceeds(p, q->hops[q->hop_count - 1].amount)) {
		*why = "the parts that are pending are the whole payment already";
		return SEND_ROUTE_REFUSED;
	}
	return SEND_ROUTE_OFFER;
}

/* What is paid is paid: who asks for the same again is told so, and who means something else must not take that for it. */
static enum send_route_result paid_before(const struct payment *p, const struct send_route *q, enum reply_code *code, const char **why)
{
	const uint64_t total = total_of(q).v;

	if (SAME(p->r.payee, q->hops[q->hop_count - 1].node) && (total == p->r.amount.v || total == p->r.total.v))
		return SEND_ROUTE_KNOWN; /* INV-S2 */
	*code = REPLY_PAY_ALREADY_PAID;
	*why = "that payment hash was paid already, with another amount or to another node";
	return SEND_ROUTE_REFUSED;
}

/* Whether the HTLC may be offered, and as a part of which group. */
static enum send_route_result admit(const struct send *s, const struct send_route *q, struct send_route_offer *offer,
				    const struct payment **known, enum reply_code *code, const char **why)
{
	struct payment *p = ledger_latest(s, &q->payment_hash);

	*known = p;
	if (p && p->r.state == PAYMENT_COMPLETE)
		return paid_before(p, q, code, why);
	if (p && p->r.state == PAYMENT_PENDING) {
		offer->group = p->group;
		return join(p, q, code, why);
	}
	offer->group = q->has_group ? q->group : p ? p->group + 1 : 1;
	*code = REPLY_INVALID;
	if (offer->group == 0 || (p && offer->group <= p->group)) {
		*why = "the group is not newer than the last one of that payment hash";
		return SEND_ROUTE_REFUSED;
	}
	*code = REPLY_FAILED;
	if (ledger_pending(s) >= s->config.pending_max) {
		*why = "too many payments are pending: wait until one of them ends";
		return SEND_ROUTE_REFUSED;
	}
	return SEND_ROUTE_OFFER;
}

static void copy_hops(const struct send_route *q, struct path_hop *out)
{
	for (uint32_t i = 0; i < q->hop_count; i++)
		out[i] = (struct path_hop){ q->hops[i].node, q->hops[i].scid, q->hops[i].amount, ROUTE_CLTV_SLACK + q->hops[i].delay };
}

static bool build(const struct send *s, struct step *step, const struct send_route *q, struct send_route_offer *offer)
{
	struct path_hop hops[ONION_HOPS_MAX];
	struct buf onion = BUF_EMPTY;
	struct payload final = {
		.is_final = true, .has_secret = q->has_secret, .secret = q->secret, .total = total_of(q),
		.has_metadata = q->has_metadata, .metadata = q->metadata,
	};
	bool good;

	copy_hops(q, hops);
	do
		drbg_fill(step->entropy, offer->keys.session.v, sizeof(offer->keys.session.v));
	while (!seckey_valid(&offer->keys.session));
	good = path_onion(hops, q->hop_count, step->height, &onion, s->secp, &offer->keys, &q->payment_hash, &final);
	offer->amount = hops[0].amount;
	offer->cltv_expiry = step->height + hops[0].cltv;
	offer->onion = arena_bytes(&step->out->arena, buf_view(&onion));
	buf_release(&onion);
	mem_wipe(&final, sizeof(final));
	return good;
}

enum send_route_result send_route(struct send *s, struct step *step, const struct send_route *q,
				  struct send_route_offer *offer, const struct payment **known, enum reply_code *code,
				  const char **why)
{
	enum send_route_result result;

	*known = NULL;
	*code = REPLY_INVALID;
	if (!is_sound(q, why))
		return SEND_ROUTE_REFUSED;
	result = admit(s, q, offer, known, code, why);
	if (result != SEND_ROUTE_OFFER)
		return result;
	*code = REPLY_INVALID;
	*why = "no onion can be made for that route: a node id is none, or it is too long";
	return build(s, step, q, offer) ? SEND_ROUTE_OFFER : SEND_ROUTE_REFUSED;
}

static struct payment *begin(struct send *s, struct step *step, const struct send_route *q, uint64_t group)
{
	struct payment *p = ledger_new(&q->payment_hash, group);

	p->r = (struct record_payment){
		.kind = PAYMENT_ROUTE, .state = PAYMENT_PENDING, .payee = q->hops[q->hop_count - 1].node,
		.amount = total_of(q), .total = total_of(q), .created_at_s = step->now_ms / 1000,
		.created_index = s->last_created_index + 1,
		.label = q->label ? bytes_from_string(q->label) : BYTES_NONE,
		.bolt11 = q->bolt11 ? bytes_from_string(q->bolt11) : BYTES_NONE,
	};
	ledger_store(p, step);
	ledger_index(s, p);
	return p;
}

const struct payment *send_route_offered(struct send *s, struct step *step, const struct send_route *q,
					 const struct send_route_offer *offer, uint64_t channel_key, uint64_t htlc_id)
{
	struct payment *p = ledger_get(s, &q->payment_hash, offer->group);
	struct path_hop hops[ONION_HOPS_MAX];

	if (!p)
		p = begin(s, step, q, offer->group);
	copy_hops(q, hops);
	ledger_start_part(s, step, ledger_plan_part(p, q->part, channel_key, hops, q->hop_count, &offer->keys), htlc_id);
	return p;
}

void route_answer_part(struct step *step, struct payment *p, uint64_t part)
{
	for (struct send_call **at = &p->calls, *c; (c = *at);) {
		if (c->kind != PAYMENT_ROUTE || c->part != part) {
			at = &c->next;
			continue;
		}
		effect_reply(step->out, c->call, route_reply(&step->out->arena, p, part));
		*at = c->next;
		mem_free(c);
	}
}

/* --- answers --- */

static const char *text_of(struct arena *a, struct bytes text)
{
	return text.size ? arena_printf(a, "%.*s", (int)text.size, (const char *)text.data) : NULL;
}

void send_route_describe(struct arena *a, const struct payment *p, uint64_t part, struct reply *reply)
{
	const struct payment_part *at = part_of(p, part);
	bool complete = p->r.state == PAYMENT_COMPLETE;

	reply->u.sendpay.created_index = p->r.created_index;
	reply->u.sendpay.group = p->group;
	reply->u.sendpay.part = part;
	reply->u.sendpay.payment_hash = p->payment_hash;
	reply->u.sendpay.complete = complete;
	reply->u.sendpay.preimage = p->r.preimage;
	reply->u.sendpay.destination = p->r.payee;
	reply->u.sendpay.amount = at ? at->r.amount : p->r.amount;
	reply->u.sendpay.sent = at ? at->r.sent : p->r.sent;
	reply->u.sendpay.created_at_s = p->r.created_at_s;
	reply->u.sendpay.completed_at_s = p->r.completed_at_s;
	reply->u.sendpay.label = text_of(a, p->r.label);
	reply->u.sendpay.bolt11 = text_of(a, p->r.bolt11);
}

static void describe_failure(struct arena *a, const struct record_payment_try *t, struct reply *reply)
{
	reply->code = (enum reply_code)t->code;
	reply->message = text_of(a, t->words);
	reply->u.sendpay.has_failure = t->has_report;
	reply->u.sendpay.erring_index = t->erring_index;
	reply->u.sendpay.erring_node = t->erring_node;
	reply->u.sendpay.erring_scid = t->erring_scid;
	reply->u.sendpay.erring_direction = t->erring_direction;
	reply->u.sendpay.failure_code = t->failure_code;
	reply->u.sendpay.failure_message = arena_bytes(a, t->message);
}

struct reply *route_reply(struct arena *a, const struct payment *p, uint64_t part)
{
	struct reply *reply = ARENA_NEW(a, struct reply);
	const struct record_payment_try *t = ledger_find_try(p, part);

	reply->kind = COMMAND_WAIT_SENDPAY;
	send_route_describe(a, p, part, reply);
	if (p->r.state == PAYMENT_COMPLETE)
		return reply;
	if (t) {
		describe_failure(a, t, reply);
	} else {
		reply->code = REPLY_PAY_FAILED_BEFORE;
		reply->message = p->r.fail_words.size ? text_of(a, p->r.fail_words) : "that part has failed";
	}
	return reply;
}

static void refuse(struct step *step, uint64_t call, enum reply_code code, const char *words)
{
	struct reply *reply = ARENA_NEW(&step->out->arena, struct reply);

	reply->kind = COMMAND_WAIT_SENDPAY;
	reply->code = code;
	reply->message = words;
	effect_reply(step->out, call, reply);
}

void send_route_wait(struct send *s, struct step *step, uint64_t call, const struct sha256 *payment_hash,
		     bool has_group, uint64_t group, uint64_t part, uint64_t deadline_ms)
{
	struct payment *p = has_group ? ledger_get(s, payment_hash, group) : ledger_latest(s, payment_hash);
	struct send_call *c;

	if (!p) {
		refuse(step, call, REPLY_PAY_UNKNOWN, "no payment of that payment hash was ever made");
		return;
	}
	if (p->r.state != PAYMENT_PENDING || (!part_of(p, part) && ledger_find_try(p, part))) {
		effect_reply(step->out, call, route_reply(&step->out->arena, p, part));
		return;
	}
	/* Whoever waits for a payment that is not along given routes waits for its end. */
	if (p->r.kind == PAYMENT_ROUTE && !part_of(p, part)) {
		refuse(step, call, REPLY_PAY_UNKNOWN, "that part of the payment was never sent");
		return;
	}
	ledger_wait(p, call, PAYMENT_ROUTE);
	for (c = p->calls; c->next; c = c->next)
		;
	c->part = part;
	c->deadline_ms = deadline_ms;
	if (deadline_ms < s->wait_deadline_ms)
		s->wait_deadline_ms = deadline_ms;
}

uint64_t send_deadline(const struct send *s)
{
	if (s->shelf)
		return 0;
	return s->wait_deadline_ms;
}

/* Calls that have waited long enough; the first of the others' deadlines. */
static uint64_t answer_late(struct step *step, struct payment *p)
{
	uint64_t first = UINT64_MAX;

	for (struct send_call **at = &p->calls, *c; (c = *at);) {
		if (c->deadline_ms > step->now_ms) {
			first = c->deadline_ms < first ? c->deadline_ms : first;
			at = &c->next;
			continue;
		}
		refuse(step, c->call, REPLY_PAY_IN_PROGRESS, "the payment has not ended in the time given");
		*at = c->next;
		mem_free(c);
	}
	return first;
}

void send_tick(struct send *s, struct step *step)
{
	uint64_t first = UINT64_MAX, late;
	struct payment *p;
	uint32_t i = 0;

	if (s->wait_deadline_ms > step->now_ms)
		return;
	while ((p = ledger_next_pending(s, &i))) {
		late = answer_late(step, p);
		first = late < first ? late : first;
		if (!p->plan)
			continue;
		if (p->plan->ask_again_ms <= step->now_ms)
			ledger_want_flush(s, p);
		first = p->plan->ask_again_ms < first ? p->plan->ask_again_ms : first;
	}
	s->wait_deadline_ms = first;
}
