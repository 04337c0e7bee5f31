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

/* Whether the HTLC may be offered, and as a part of which group. */
static enum send_route_result admit(const struct send *s, const struct send_route *q, struct send_route_offer *offer,
				    const struct payment **known, enum reply_code *code, const char **why)
{
	struct payment *p = ledger_latest(s, &q->payment_hash);

	*known = p;
	if (p && p->r.state == PAYMENT_COMPLETE)
		return SEND_ROUTE_KNOWN; /* INV-S2 */
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
		out[i] = (struct path_hop){ .node_id = q->hops[i].node, .scid = q->hops[i].scid };
}

static bool build(const struct send *s, struct step *step, const struct send_route *q, struct send_route_offer *offer)
{
	struct amount_msat amounts[ONION_HOPS_MAX];
	uint32_t expiries[ONION_HOPS_MAX], last = q->hop_count - 1;
	struct path_hop hops[ONION_HOPS_MAX];
	struct buf onion = BUF_EMPTY;
	struct payload final;
	bool good;

	copy_hops(q, hops);
	for (uint32_t i = 0; i <= last; i++) {
		amounts[i] = q->hops[i].amount;
		expiries[i] = step->height + ROUTE_CLTV_SLACK + q->hops[i].delay;
	}
	final = (struct payload){
		.is_final = true, .amount = amounts[last], .cltv_expiry = expiries[last], .has_secret = q->has_secret,
		.secret = q->secret, .total = total_of(q), .has_metadata = q->has_metadata, .metadata = q->metadata,
	};
	do
		drbg_fill(step->entropy, offer->session_key.v, sizeof(offer->session_key.v));
	while (!seckey_valid(&offer->session_key));
	good = path_given_onion(hops, q->hop_count, amounts, expiries, &onion, s->secp, &offer->session_key,
				&q->payment_hash, &final);
	offer->amount = amounts[0];
	offer->cltv_expiry = expiries[0];
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
	struct payment *p = NEW(struct payment);

	p->payment_hash = q->payment_hash;
	p->group = group;
	memcpy(p->key, p->payment_hash.v, 32);
	store_be64(p->key + 32, p->group);
	p->r = (struct record_payment){
		.kind = PAYMENT_ROUTE, .state = PAYMENT_PENDING, .payee = q->hops[q->hop_count - 1].node,
		.amount = total_of(q), .created_at_s = step->now_ms / 1000, .created_index = s->last_created_index + 1,
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
	struct payment_part *part = NEW(struct payment_part);
	uint32_t count = q->hop_count;

	if (!p)
		p = begin(s, step, q, offer->group);
	part->id = q->part;
	part->r.channel_key = channel_key;
	part->r.amount = q->hops[count - 1].amount;
	part->r.sent = offer->amount;
	part->r.session_key = offer->session_key;
	part->r.nodes = NEW_ARRAY(struct pubkey, count);
	part->r.nodes_count = count;
	part->hops = NEW_ARRAY(struct path_hop, count);
	copy_hops(q, part->hops);
	for (uint32_t i = 0; i < count; i++)
		part->r.nodes[i] = q->hops[i].node;
	ledger_add_part(p, part);
	ledger_start_part(s, step, part, htlc_id); /* INV-S5 */
	return p;
}

/* --- failures --- */

static void failure_free(struct part_failure *f)
{
	mem_free((void *)f->words);
	mem_free((void *)f->message.data);
	mem_free(f);
}

void route_failures_free(struct payment *p)
{
	while (p->failures) {
		struct part_failure *next = p->failures->next;

		failure_free(p->failures);
		p->failures = next;
	}
}

const struct part_failure *route_last_failure(const struct payment *p)
{
	return p->failures;
}

static const struct part_failure *failure_of(const struct payment *p, uint64_t part)
{
	const struct part_failure *f = p->failures;

	while (f && f->part != part)
		f = f->next;
	return f;
}

static void read_packet(const struct send *s, struct arena *a, struct part_failure *out, const struct payment_part *part,
			struct bytes reason)
{
	struct onion_hop hops[ONION_HOPS_MAX] = { 0 };
	struct secret32 secrets[ONION_HOPS_MAX];
	struct onion_request r = { .hops = hops, .hop_count = part->r.nodes_count, .session_key = part->r.session_key };
	struct failure_report report;
	struct failure f;
	bool last;

	for (uint32_t i = 0; i < r.hop_count; i++)
		hops[i].node_id = part->r.nodes[i];
	if (!onion_secrets(secrets, s->secp, &r) || !failure_open(a, &report, secrets, r.hop_count, reason)) {
		out->code = REPLY_PAY_UNREADABLE;
		out->words = "the route failed and what came back is not readable";
	} else {
		last = report.hop + 1 == r.hop_count;
		bool known = failure_decode(a, &f, report.message);

		out->has_report = true;
		out->hop = report.hop + 1;
		out->node = part->r.nodes[report.hop];
		if (part->hops)
			out->scid = part->hops[last ? report.hop : report.hop + 1].scid;
		out->failure_code = f.code;
		out->message = report.message;
		/* B4.receiving_failure_codes.2 */
		out->code = last && f.code & FAIL_PERM ? REPLY_PAY_DESTINATION : REPLY_PAY_TRY_OTHER_ROUTE;
		/* Of an unknown one, and of one that is cut short, the code still counts. */
		out->words = arena_printf(a, "failed: %s%s (%s, hop %u of %u)", failure_words(a, &f),
					  known ? "" : ", which we do not understand",
					  last ? "said by the destination" : "said on the way", report.hop + 1, r.hop_count);
	}
	mem_wipe(secrets, sizeof(secrets));
	mem_wipe(&r, sizeof(r));
}

/* We said it ourselves, or our peer did without a packet. */
static void note_local(struct part_failure *out, const struct payment_part *part, uint32_t hop, uint16_t code, const char *words)
{
	out->code = REPLY_PAY_TRY_OTHER_ROUTE;
	out->words = words;
	out->has_report = true;
	out->hop = hop;
	if (hop)
		out->node = part->r.nodes[hop - 1];
	if (part->hops)
		out->scid = part->hops[0].scid;
	out->failure_code = code;
}

static void answer_part(struct step *step, struct payment *p, uint64_t part)
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

static void read_failure(const struct send *s, struct arena *a, struct part_failure *out, const struct payment_part *part,
			 const struct send_failure *f)
{
	switch (f->kind) {
	case SEND_FAILURE_REPORT:
		read_packet(s, a, out, part, f->reason);
		return;
	case SEND_FAILURE_MALFORMED:
		note_local(out, part, 1, f->code, arena_printf(a, "our peer could not open the onion: %s", fail_name(f->code)));
		return;
	case SEND_FAILURE_LOCAL:
		note_local(out, part, 0, f->code, f->text);
		return;
	}
	UNREACHABLE();
}

/* Of each part the last try, and of no more parts than may be in flight. */
static void drop_old(struct payment *p, uint64_t part)
{
	struct part_failure **at = &p->failures, *f;
	uint32_t count = 0;

	while ((f = *at)) {
		if (f->part != part && ++count < SEND_PARTS_MAX) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		failure_free(f);
	}
}

void route_part_failed(struct send *s, struct step *step, struct payment_part *part, const struct send_failure *f)
{
	struct payment *p = part->payment;
	struct part_failure *kept = NEW(struct part_failure), read = { .part = part->id };
	size_t size;

	drop_old(p, part->id);
	read_failure(s, &step->out->arena, &read, part, f);
	*kept = read;
	size = strlen(read.words) + 1;
	kept->words = memcpy(mem_alloc(size), read.words, size);
	kept->message = BYTES_NONE;
	if (read.message.size)
		kept->message = BYTES(memcpy(mem_alloc(read.message.size), read.message.data, read.message.size), read.message.size);
	kept->next = p->failures;
	p->failures = kept;
	answer_part(step, p, part->id);
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

static void describe_failure(struct arena *a, const struct part_failure *f, struct reply *reply)
{
	reply->code = f->code;
	reply->message = arena_string(a, f->words);
	reply->u.sendpay.has_failure = f->has_report;
	reply->u.sendpay.erring_index = f->hop;
	reply->u.sendpay.erring_node = f->node;
	reply->u.sendpay.erring_scid = f->scid;
	reply->u.sendpay.failure_code = f->failure_code;
	reply->u.sendpay.failure_message = arena_bytes(a, f->message);
}

struct reply *route_reply(struct arena *a, const struct payment *p, uint64_t part)
{
	struct reply *reply = ARENA_NEW(a, struct reply);
	const struct part_failure *f = failure_of(p, part);

	reply->kind = COMMAND_WAIT_SENDPAY;
	send_route_describe(a, p, part, reply);
	if (p->r.state == PAYMENT_COMPLETE)
		return reply;
	if (f) {
		describe_failure(a, f, reply);
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
	if (p->r.state != PAYMENT_PENDING || (!part_of(p, part) && failure_of(p, part))) {
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
	return s->wait_deadline_ms;
}

void send_tick(struct send *s, struct step *step)
{
	struct payment *p;
	uint32_t i = 0;

	if (s->wait_deadline_ms > step->now_ms)
		return;
	s->wait_deadline_ms = UINT64_MAX;
	while ((p = ledger_next_pending(s, &i))) {
		for (struct send_call **at = &p->calls, *c; (c = *at);) {
			if (c->deadline_ms > step->now_ms) {
				if (c->deadline_ms < s->wait_deadline_ms)
					s->wait_deadline_ms = c->deadline_ms;
				at = &c->next;
				continue;
			}
			refuse(step, c->call, REPLY_PAY_IN_PROGRESS, "the payment has not ended in the time given");
			*at = c->next;
			mem_free(c);
		}
	}
}
