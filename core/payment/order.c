/* How a payment begins: judged, recorded and put into the queue; and how it is taken up again after a restart. */
#include "crypto/hash.h"
#include "payment/ledger.h"

#define RETRY_FOR_S_DEFAULT 60u
#define FEE_PPM_DEFAULT 5000u
#define FEE_MIN_DEFAULT 5000u

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

static uint32_t hint_hops(const struct send_request *q)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < q->hint_count; i++)
		count += q->hints[i].count;
	return count;
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
	if (q->layer_count > SEND_LAYERS_MAX)
		return "so many layers at once are not looked through";
	if (why)
		return why;
	if (q->kind == PAYMENT_KEYSEND && hint_hops(q) > SEND_HINT_HOPS_MAX)
		return "the hints have more hops than one payment may have";
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

/* Hints that no invoice has: the record keeps them. */
static void fill_hints(struct payment *p, const struct send_request *q, struct arena *a)
{
	p->r.hints = ARENA_ARRAY(a, struct record_payment_hint, hint_hops(q));
	for (uint32_t i = 0; i < q->hint_count; i++)
		for (uint32_t k = 0; k < q->hints[i].count; k++) {
			const struct path_hint_hop *h = &q->hints[i].hops[k];

			p->r.hints[p->r.hints_count++] = (struct record_payment_hint){ i, h->node_id, h->scid, h->fee_base_msat, h->fee_ppm,
										       h->cltv_delta };
		}
}

static void fill_layers(struct payment *p, const struct send_request *q, struct arena *a)
{
	p->r.layers = ARENA_ARRAY(a, struct record_payment_layer, q->layer_count);
	for (uint32_t i = 0; i < q->layer_count; i++)
		p->r.layers[i].name = bytes_from_string(q->layers[i]);
	p->r.layers_count = q->layer_count;
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
	fill_layers(p, q, &step->out->arena);
	if (q->kind == PAYMENT_KEYSEND) {
		fill_hints(p, q, &step->out->arena);
		p->plan->final.has_keysend = true;
		p->plan->final.keysend = p->r.preimage = *keysend;
		tlv_list_encode(p->plan->final.custom, p->plan->final.custom_count, &custom);
		p->r.custom = buf_view(&custom);
	}
	if (q->kind == PAYMENT_PROBE) {
		p->r.exclude = NULL;
		p->r.layers = NULL;
		p->r.exclude_count = p->r.layers_count = 0;
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

/* --- after a restart --- */

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

static const char *const *layers_of(const struct payment *p, struct arena *a)
{
	const char **names = ARENA_ARRAY(a, const char *, p->r.layers_count);

	for (uint32_t i = 0; i < p->r.layers_count; i++)
		names[i] = arena_printf(a, "%.*s", (int)p->r.layers[i].name.size, (const char *)p->r.layers[i].name.data);
	return names;
}

void send_carry_on(struct send *s, struct step *step, const struct payment *payment, const struct send_request *request)
{
	struct payment *p = ledger_get(s, &payment->payment_hash, payment->group);
	struct send_request q = *request;

	ASSERT(p && can_carry_on(p, step->now_ms) && q.kind == p->r.kind);
	q.exclude = p->r.exclude;
	q.exclude_count = p->r.exclude_count;
	q.layers = layers_of(p, &step->out->arena);
	q.layer_count = p->r.layers_count;
	p->plan = plan_new(&q, ledger_total(p));
	p->plan->self = SAME(p->r.payee, s->config.self);
	p->plan->resumed = true;
	if (!p->next_part)
		p->next_part = 1;
	if (p->r.kind == PAYMENT_KEYSEND && !restore_keysend(p)) {
		plan_free(p->plan);
		p->plan = NULL;
		return;
	}
	ledger_want_flush(s, p);
}
