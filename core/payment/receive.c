#include "payment/receive.h"

#include "crypto/hash.h"
#include "payment/collect.h"

struct waiter {
	struct waiter *next;
	uint64_t call;
	struct received_invoice *invoice;
};

struct receive {
	struct receive_config config;
	struct table by_hash, by_label;
	struct collect collect;
	struct waiter *waiters;
	uint32_t unpaid_count; /* expired ones too */
	uint64_t last_created_index, last_paid_index;
};

static struct bytes hash_key(const void *object)
{
	const struct received_invoice *i = object;

	return BYTES_OF(i->payment_hash.v);
}

static struct bytes label_key(const void *object)
{
	const struct received_invoice *i = object;

	return i->r.label;
}

struct receive *receive_new(const struct receive_config *config, const uint8_t seed16[16])
{
	struct receive *r = NEW(struct receive);

	r->config = *config;
	table_init(&r->by_hash, hash_key, seed16);
	table_init(&r->by_label, label_key, seed16);
	collect_init(&r->collect, seed16);
	return r;
}

static void invoice_free(struct received_invoice *i)
{
	buf_wipe(&i->stored);
	mem_wipe_free(i, sizeof(*i));
}

void receive_free(struct receive *r)
{
	struct received_invoice *i;
	uint32_t at = 0;

	if (!r)
		return;
	while ((i = table_next(&r->by_hash, &at)))
		invoice_free(i);
	while (r->waiters) {
		struct waiter *next = r->waiters->next;

		mem_free(r->waiters);
		r->waiters = next;
	}
	table_release(&r->by_hash);
	table_release(&r->by_label);
	collect_release(&r->collect);
	mem_free(r);
}

/* Points the record's views into the invoice's own bytes. */
static bool read_stored(struct received_invoice *i)
{
	struct arena a;
	bool good;

	/* The record has no arrays, so nothing of it lives in the arena. */
	arena_init(&a);
	good = record_invoice_decode(buf_view(&i->stored), &a, &i->r);
	arena_release(&a);
	return good;
}

/* Keys run with time: what is stored together lies together, and a batch touches few pages. */
static void record_key(uint8_t out40[40], const struct received_invoice *i)
{
	store_be64(out40, i->r.created_index);
	memcpy(out40 + 8, i->payment_hash.v, 32);
}

static void write_stored(struct received_invoice *i, struct step *s)
{
	struct buf next = BUF_EMPTY;
	uint8_t key[40];

	record_invoice_encode(&i->r, &next);
	buf_wipe(&i->stored);
	i->stored = next;
	ASSERT(read_stored(i));
	record_key(key, i);
	effect_persist(s->out, RECORD_INVOICE, BYTES_OF(key), buf_view(&i->stored));
}

static void index_invoice(struct receive *r, struct received_invoice *i)
{
	table_add(&r->by_hash, i);
	table_add(&r->by_label, i);
	if (i->r.state == INVOICE_UNPAID)
		r->unpaid_count++;
	if (i->r.created_index > r->last_created_index)
		r->last_created_index = i->r.created_index;
	if (i->r.paid_index > r->last_paid_index)
		r->last_paid_index = i->r.paid_index;
}

static bool record_is_sound(const struct received_invoice *i)
{
	const struct record_invoice *v = &i->r;
	struct sha256 h = sha256(v->preimage.v, sizeof(v->preimage.v));

	return SAME(h, i->payment_hash) && (v->kind == INVOICE_BOLT11 || v->kind == INVOICE_KEYSEND) &&
	       (v->state == INVOICE_UNPAID || v->state == INVOICE_PAID);
}

bool receive_load(struct receive *r, struct bytes key, struct bytes value)
{
	struct received_invoice *i = NEW(struct received_invoice);

	buf_add_bytes(&i->stored, value);
	if (key.size == 40) {
		memcpy(i->payment_hash.v, key.data + 8, 32);
		if (read_stored(i) && load_be64(key.data) == i->r.created_index && record_is_sound(i) && !table_get(&r->by_hash, hash_key(i)) &&
		    !table_get(&r->by_label, label_key(i))) {
			index_invoice(r, i);
			return true;
		}
	}
	invoice_free(i);
	return false;
}

enum invoice_state receive_state(const struct received_invoice *i, uint64_t now_ms)
{
	if (i->r.state == INVOICE_PAID)
		return INVOICE_PAID;
	return now_ms / 1000 >= i->r.expires_at_s ? INVOICE_EXPIRED : INVOICE_UNPAID;
}

const struct received_invoice *receive_by_hash(const struct receive *r, const struct sha256 *payment_hash)
{
	return table_get(&r->by_hash, BYTES_OF(payment_hash->v));
}

const struct received_invoice *receive_by_label(const struct receive *r, const char *label)
{
	return table_get(&r->by_label, bytes_from_string(label));
}

const struct received_invoice *receive_next(const struct receive *r, uint32_t *at)
{
	return table_next(&r->by_hash, at);
}

uint64_t receive_last_paid_index(const struct receive *r)
{
	return r->last_paid_index;
}

/* Unpaid invoices whose time is not over; counted one by one only where it matters. */
static uint32_t count_open(const struct receive *r, uint64_t now_ms)
{
	const struct received_invoice *i;
	uint32_t at = 0, count = 0;

	if (r->unpaid_count < r->config.invoices_max)
		return r->unpaid_count;
	while ((i = table_next(&r->by_hash, &at)))
		count += receive_state(i, now_ms) == INVOICE_UNPAID;
	return count;
}

enum reply_code receive_check(const struct receive *r, const struct step *s, const char *label,
			      const struct sha256 *payment_hash)
{
	if (strlen(label) > RECEIVE_LABEL_MAX || receive_by_label(r, label))
		return REPLY_INVOICE_LABEL;
	if (receive_by_hash(r, payment_hash))
		return REPLY_INVOICE_PREIMAGE;
	return count_open(r, s->now_ms) < r->config.invoices_max ? REPLY_OK : REPLY_FAILED;
}

enum reply_code receive_add(struct receive *r, struct step *s, const struct receive_new_invoice *n,
			    const struct received_invoice **out)
{
	enum reply_code code = receive_check(r, s, n->label, &n->payment_hash);
	struct received_invoice *i;

	*out = NULL;
	if (code != REPLY_OK)
		return code;
	i = NEW(struct received_invoice);
	i->payment_hash = n->payment_hash;
	i->r = (struct record_invoice){
		.kind = INVOICE_BOLT11, .state = INVOICE_UNPAID,
		.preimage = n->preimage, .secret = n->secret,
		.any_amount = n->any_amount, .amount = n->amount,
		.min_final_cltv = n->min_final_cltv,
		.created_at_s = s->now_ms / 1000, .expires_at_s = n->expires_at_s,
		.created_index = r->last_created_index + 1,
		.label = bytes_from_string(n->label),
		.description = bytes_from_string(n->description),
		.bolt11 = bytes_from_string(n->bolt11),
	};
	/* B11.tagged_fields.3 */
	ASSERT(record_is_sound(i));
	write_stored(i, s);
	index_invoice(r, i);
	*out = i;
	return REPLY_OK;
}

static void answer_waiter(struct step *s, const struct waiter *w, enum reply_code code, const char *message)
{
	struct reply *reply = ARENA_NEW(&s->out->arena, struct reply);

	reply->kind = COMMAND_WAIT_INVOICE;
	reply->code = code;
	reply->message = message;
	reply->u.wait_invoice.payment_hash = w->invoice->payment_hash;
	effect_reply(s->out, w->call, reply);
}

/* Answers whoever waits for an invoice that is not open any more. */
static void answer_waiters(struct receive *r, struct step *s)
{
	struct waiter **at = &r->waiters;

	while (*at) {
		struct waiter *w = *at;
		enum invoice_state state = receive_state(w->invoice, s->now_ms);

		if (state == INVOICE_UNPAID) {
			at = &w->next;
			continue;
		}
		if (state == INVOICE_PAID)
			answer_waiter(s, w, REPLY_OK, NULL);
		else
			answer_waiter(s, w, REPLY_INVOICE_EXPIRED, "the invoice expired unpaid");
		*at = w->next;
		mem_free(w);
	}
}

void receive_wait(struct receive *r, struct step *s, uint64_t call, const char *label)
{
	struct received_invoice *i = table_get(&r->by_label, bytes_from_string(label));
	struct waiter *w, **end = &r->waiters;

	if (!i) {
		struct reply *reply = ARENA_NEW(&s->out->arena, struct reply);

		reply->kind = COMMAND_WAIT_INVOICE;
		reply->code = REPLY_INVOICE_UNKNOWN;
		reply->message = "there is no invoice of that label";
		effect_reply(s->out, call, reply);
		return;
	}
	w = NEW(struct waiter);
	w->call = call;
	w->invoice = i;
	while (*end)
		end = &(*end)->next;
	*end = w;
	answer_waiters(r, s);
}

void receive_call_gone(struct receive *r, uint64_t call)
{
	struct waiter **at = &r->waiters;

	while (*at) {
		struct waiter *w = *at;

		if (w->call == call) {
			*at = w->next;
			mem_free(w);
		} else {
			at = &w->next;
		}
	}
}

static void mark_paid(struct receive *r, struct step *s, struct received_invoice *i, struct amount_msat received,
		      uint32_t parts)
{
	struct effect *note;

	ASSERT(i->r.state == INVOICE_UNPAID);
	ASSERT(r->unpaid_count);
	r->unpaid_count--;
	i->r.state = INVOICE_PAID;
	i->r.received = received;
	i->r.parts = parts;
	i->r.paid_at_s = s->now_ms / 1000;
	i->r.paid_index = ++r->last_paid_index;
	write_stored(i, s);
	note = effect_add(s->out, EFFECT_NOTIFY);
	note->u.notify.kind = NOTIFY_INVOICE_PAID;
	note->u.notify.payment_hash = i->payment_hash;
	note->u.notify.amount = received;
	answer_waiters(r, s);
}

/* B4.failure_messages.31, B4.failure_messages.35; B4.basic_multi_part_payments.11: the amount is the total. */
static bool amount_fits(const struct received_invoice *i, struct amount_msat total)
{
	struct amount_msat twice;

	if (i->r.any_amount)
		return total.v > 0;
	return !MSAT_LESS(total, i->r.amount) &&
	       (!msat_add(&twice, i->r.amount, i->r.amount) || !MSAT_LESS(twice, total));
}

/* Whether a payment of this total under this secret pays the invoice now. */
static bool pays(const struct received_invoice *i, uint64_t now_ms, const struct secret32 *secret, struct amount_msat total)
{
	/* INV-R2, B11.payer_payee_requirements.4 */
	if (receive_state(i, now_ms) != INVOICE_UNPAID)
		return false;
	/* B4.failure_messages.29, B4.basic_multi_part_payments.19 */
	return secret && mem_equal_secret(secret->v, i->r.secret.v, sizeof(secret->v)) && amount_fits(i, total);
}

/* B4.packet_structure.57, B4.failure_messages.37 */
static bool expiry_is_far(const struct step *s, uint32_t cltv_expiry, uint32_t min_final_cltv)
{
	return (uint64_t)cltv_expiry >= (uint64_t)s->height + min_final_cltv;
}

/* The faults that only the node before us can have made (B4.packet_structure.55, B4.packet_structure.56). */
static bool htlc_keeps_to_payload(const struct receive_htlc *h, const struct payload *p, struct failure *why)
{
	/* B4.failure_messages.39 */
	if (h->cltv_expiry < p->cltv_expiry) {
		*why = failure_plain(FAIL_FINAL_INCORRECT_CLTV_EXPIRY);
		why->u.final_incorrect_cltv_expiry.cltv_expiry = h->cltv_expiry;
		return false;
	}
	/* B4.failure_messages.40 */
	if (MSAT_LESS(h->amount, p->amount)) {
		*why = failure_plain(FAIL_FINAL_INCORRECT_HTLC_AMOUNT);
		why->u.final_incorrect_htlc_amount.incoming_htlc_amt = h->amount;
		return false;
	}
	return true;
}

static void fail_one(struct step *s, const struct receive_htlc *h, struct receive_verdicts *out)
{
	struct failure why = failure_payment_details(h->amount, s->height);

	verdict_fail(out, s, h->channel_key, h->htlc_id, &why);
}

/* Again when another part has come on top. */
static void ask(struct step *s, struct htlc_set *set, struct receive_verdicts *out)
{
	struct receive_asked *a = ARENA_NEW(&s->out->arena, struct receive_asked);

	set->asked = true;
	*a = (struct receive_asked){ out->asked, set->payment_hash, set->received, set->count, set->first_expiry };
	out->asked = a;
}

static void collect_part(struct receive *r, struct step *s, struct received_invoice *i, const struct receive_htlc *h,
			 const struct payload *p, struct receive_verdicts *out)
{
	struct held_htlc held = { h->channel_key, h->htlc_id, h->amount, h->cltv_expiry, p->amount };
	struct htlc_set *set = collect_find(&r->collect, &h->payment_hash);

	/* B4.basic_multi_part_payments.13 */
	if (!set)
		set = collect_open(&r->collect, &h->payment_hash, p->total, s->now_ms);
	if (collect_has(set, h->channel_key, h->htlc_id))
		return;
	/* B4.basic_multi_part_payments.14, INV-R4 */
	if (set->total.v != p->total.v || !collect_add(set, &held)) {
		collect_fail(&r->collect, set, s, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, out);
		fail_one(s, h, out);
		return;
	}
	/* B4.basic_multi_part_payments.16 */
	if (!collect_whole(set))
		return;
	if (r->config.hold) {
		ask(s, set, out);
		return;
	}
	/* B4.basic_multi_part_payments.15 */
	mark_paid(r, s, i, set->received, set->count);
	collect_fulfil(&r->collect, set, s, &i->r.preimage, out);
}

/* A payment without invoice is stored as an invoice that is paid as it comes.  NULL if a user's invoice has the
 * label that it would get. */
static struct received_invoice *keysend_invoice(struct receive *r, struct step *s, const struct receive_htlc *h,
						const struct payload *p)
{
	struct received_invoice *i;
	char label[8 + 64 + 1] = "keysend-";
	struct buf custom = BUF_EMPTY;

	hex_encode(label + 8, h->payment_hash.v, sizeof(h->payment_hash.v));
	if (receive_by_label(r, label))
		return NULL;
	tlv_list_encode(p->custom, p->custom_count, &custom);
	i = NEW(struct received_invoice);
	i->payment_hash = h->payment_hash;
	i->r = (struct record_invoice){
		.kind = INVOICE_KEYSEND, .state = INVOICE_UNPAID, .preimage = p->keysend,
		.any_amount = true, .min_final_cltv = r->config.keysend_cltv_blocks,
		.created_at_s = s->now_ms / 1000, .expires_at_s = UINT64_MAX,
		.created_index = r->last_created_index + 1,
		.label = bytes_from_string(label), .description = bytes_from_string("keysend"),
		.custom = buf_view(&custom),
	};
	write_stored(i, s);
	buf_wipe(&custom);
	index_invoice(r, i);
	return i;
}

static void receive_keysend(struct receive *r, struct step *s, const struct receive_htlc *h, const struct payload *p,
			    struct receive_verdicts *out)
{
	struct sha256 hash = sha256(p->keysend.v, sizeof(p->keysend.v));
	struct received_invoice *i;
	struct failure why;

	/* Without a secret there is no set (B4.basic_multi_part_payments.19): one HTLC must be the whole
	 * (B4.basic_multi_part_payments.12). */
	if (!r->config.accept_keysend || !SAME(hash, h->payment_hash) || p->amount.v != p->total.v ||
	    !expiry_is_far(s, h->cltv_expiry, r->config.keysend_cltv_blocks) ||
	    !expiry_is_far(s, h->cltv_expiry, r->config.take_blocks_min) || h->amount.v == 0) {
		fail_one(s, h, out);
		return;
	}
	if (!htlc_keeps_to_payload(h, p, &why)) {
		verdict_fail(out, s, h->channel_key, h->htlc_id, &why);
		return;
	}
	i = keysend_invoice(r, s, h, p);
	if (!i) {
		fail_one(s, h, out);
		return;
	}
	mark_paid(r, s, i, h->amount, 1);
	verdict_fulfil(out, s, h->channel_key, h->htlc_id, &p->keysend);
}

void receive_htlc(struct receive *r, struct step *s, const struct receive_htlc *h, const struct payload *p,
		  struct receive_verdicts *out)
{
	struct received_invoice *i = table_get(&r->by_hash, BYTES_OF(h->payment_hash.v));
	struct failure why;

	ASSERT(p->is_final);
	if (!i && p->has_keysend) {
		receive_keysend(r, s, h, p, out);
		return;
	}
	/* B4.failure_messages.5: the first of BOLT 4's list that applies.  B4.failure_messages.33 */
	if (!i || !pays(i, s->now_ms, p->has_secret ? &p->secret : NULL, p->total) ||
	    !expiry_is_far(s, h->cltv_expiry, i->r.min_final_cltv) ||
	    /* B2.cltv_expiry_delta.6 */
	    !expiry_is_far(s, h->cltv_expiry, r->config.take_blocks_min)) {
		fail_one(s, h, out);
		return;
	}
	if (!htlc_keeps_to_payload(h, p, &why)) {
		verdict_fail(out, s, h->channel_key, h->htlc_id, &why);
		return;
	}
	collect_part(r, s, i, h, p, out);
}

bool receive_accept(struct receive *r, struct step *s, const struct sha256 *payment_hash, const struct preimage *preimage,
		    struct receive_verdicts *out)
{
	struct htlc_set *set = collect_find(&r->collect, payment_hash);
	struct received_invoice *i = table_get(&r->by_hash, BYTES_OF(payment_hash->v));

	if (!set || !set->asked || !i || i->r.state != INVOICE_UNPAID)
		return false;
	ASSERT(collect_whole(set));
	if (preimage)
		i->r.preimage = *preimage;
	mark_paid(r, s, i, set->received, set->count);
	collect_fulfil(&r->collect, set, s, &i->r.preimage, out);
	return true;
}

bool receive_refuse(struct receive *r, struct step *s, const struct sha256 *payment_hash, uint16_t code,
		    struct receive_verdicts *out)
{
	struct htlc_set *set = collect_find(&r->collect, payment_hash);

	if (!set || !set->asked)
		return false;
	collect_fail(&r->collect, set, s, code, out);
	return true;
}

void receive_htlc_gone(struct receive *r, uint64_t channel_key, uint64_t htlc_id)
{
	collect_drop(&r->collect, channel_key, htlc_id);
}

enum reply_code receive_from_self(struct receive *r, struct step *s, struct preimage *out,
				  const struct sha256 *payment_hash, const struct secret32 *secret,
				  struct amount_msat amount)
{
	struct received_invoice *i = table_get(&r->by_hash, BYTES_OF(payment_hash->v));

	if (!i)
		return REPLY_INVOICE_UNKNOWN;
	if (receive_state(i, s->now_ms) == INVOICE_EXPIRED)
		return REPLY_INVOICE_EXPIRED;
	/* Parts of somebody else's payment are on their way. */
	if (!pays(i, s->now_ms, secret, amount) || collect_find(&r->collect, payment_hash))
		return REPLY_PAY_DESTINATION;
	mark_paid(r, s, i, amount, 0);
	*out = i->r.preimage;
	return REPLY_OK;
}

void receive_tick(struct receive *r, struct step *s, struct receive_verdicts *out)
{
	struct htlc_set *set;

	/* B4.basic_multi_part_payments.17, B4.basic_multi_part_payments.18 */
	while ((set = collect_oldest(&r->collect)) && s->now_ms - set->since_ms >= RECEIVE_SET_TIMEOUT_MS)
		collect_fail(&r->collect, set, s, FAIL_MPP_TIMEOUT, out);
	answer_waiters(r, s);
}

uint64_t receive_deadline(const struct receive *r)
{
	struct htlc_set *set = collect_oldest(&r->collect);
	uint64_t at = set ? set->since_ms + RECEIVE_SET_TIMEOUT_MS : UINT64_MAX;

	for (struct waiter *w = r->waiters; w; w = w->next) {
		uint64_t expires_at_s = w->invoice->r.expires_at_s;

		if (expires_at_s < UINT64_MAX / 1000 && expires_at_s * 1000 < at)
			at = expires_at_s * 1000;
	}
	return at;
}

void receive_check_invariants(const struct receive *r)
{
	const struct received_invoice *i;
	struct htlc_set *set;
	uint32_t at = 0, unpaid = 0;

	ASSERT(table_count(&r->by_hash) == table_count(&r->by_label));
	while ((i = table_next(&r->by_hash, &at))) {
		ASSERT(record_is_sound(i));
		ASSERT(table_get(&r->by_label, i->r.label) == i);
		unpaid += i->r.state == INVOICE_UNPAID;
	}
	ASSERT(unpaid == r->unpaid_count);
	at = 0;
	while ((set = table_next(&r->collect.sets, &at))) {
		i = receive_by_hash(r, &set->payment_hash);
		/* INV-R2, and a whole set does not wait. */
		ASSERT(i && i->r.state == INVOICE_UNPAID);
		ASSERT(set->count && collect_whole(set) == set->asked);
	}
}
