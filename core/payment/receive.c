#include "payment/receive.h"

#include "crypto/hash.h"
#include "payment/book.h"
#include "payment/collect.h"
#include "payment/waits.h"

struct receive {
	struct receive_config config;
	struct book book;
	struct collect collect;
	struct waits waits;
};

struct receive *receive_new(const struct receive_config *config, const uint8_t seed16[16])
{
	struct receive *r = NEW(struct receive);

	r->config = *config;
	book_init(&r->book, seed16);
	collect_init(&r->collect, seed16);
	return r;
}

void receive_free(struct receive *r)
{
	if (!r)
		return;
	waits_release(&r->waits);
	book_release(&r->book);
	collect_release(&r->collect);
	mem_free(r);
}

bool receive_load(struct receive *r, struct bytes key, struct bytes value)
{
	return book_load(&r->book, key, value);
}

bool receive_load_numbers(struct receive *r, struct bytes value)
{
	return book_load_numbers(&r->book, value);
}

enum invoice_state receive_record_state(const struct record_invoice *r, uint64_t now_ms)
{
	if (r->state == INVOICE_PAID)
		return INVOICE_PAID;
	return now_ms / 1000 >= r->expires_at_s ? INVOICE_EXPIRED : INVOICE_UNPAID;
}

const struct received_invoice *receive_by_hash(const struct receive *r, const struct sha256 *payment_hash)
{
	return book_by_hash(&r->book, payment_hash);
}

const struct received_invoice *receive_by_label(const struct receive *r, const char *label)
{
	return book_by_label(&r->book, bytes_from_string(label));
}

const struct received_invoice *receive_next(const struct receive *r, uint32_t *at)
{
	return table_next(&r->book.by_hash, at);
}

uint64_t receive_last_paid_index(const struct receive *r)
{
	return r->book.last_paid_index;
}

/* --- making one --- */

/* What has expired goes onto the shelf, unless somebody's HTLCs wait to be a set. */
static void expire(struct receive *r, struct step *s)
{
	struct received_invoice *i;

	while ((i = book_first_due(&r->book)) && i->due_ms <= s->now_ms) {
		if (collect_find(&r->collect, &i->payment_hash)) {
			book_put_off(&r->book, i, s->now_ms + RECEIVE_SET_TIMEOUT_MS);
			continue;
		}
		waits_expired(&r->waits, s, i);
		book_settle(&r->book, i);
	}
}

enum reply_code receive_claim(struct receive *r, struct step *s, struct receive_claim **out, const char *label,
			      const struct sha256 *payment_hash)
{
	struct bytes name = bytes_from_string(label);

	*out = NULL;
	expire(r, s);
	if (name.size > RECEIVE_LABEL_MAX || book_by_label(&r->book, name) || table_get(&r->book.claims_by_label, name))
		return REPLY_INVOICE_LABEL;
	if (book_by_hash(&r->book, payment_hash) || table_get(&r->book.claims_by_hash, BYTES_OF(payment_hash->v)))
		return REPLY_INVOICE_PREIMAGE;
	if (r->book.unpaid_count + table_count(&r->book.claims_by_hash) >= r->config.invoices_max)
		return REPLY_FAILED;
	*out = NEW(struct receive_claim);
	(*out)->payment_hash = *payment_hash;
	buf_add_bytes(&(*out)->label, name);
	table_add(&r->book.claims_by_label, *out);
	table_add(&r->book.claims_by_hash, *out);
	return REPLY_OK;
}

void receive_unclaim(struct receive *r, struct receive_claim *c)
{
	ASSERT(table_remove(&r->book.claims_by_label, buf_view(&c->label)) == c);
	ASSERT(table_remove(&r->book.claims_by_hash, BYTES_OF(c->payment_hash.v)) == c);
	buf_release(&c->label);
	mem_free(c);
}

const struct received_invoice *receive_add(struct receive *r, struct step *s, struct receive_claim *c,
					   const struct receive_new_invoice *n)
{
	const struct record_invoice v = {
		.kind = INVOICE_BOLT11, .state = INVOICE_UNPAID,
		.preimage = n->preimage, .secret = n->secret,
		.any_amount = n->any_amount, .amount = n->amount,
		.min_final_cltv = n->min_final_cltv,
		.created_at_s = s->now_ms / 1000, .expires_at_s = n->expires_at_s,
		.label = buf_view(&c->label),
		.description = bytes_from_string(n->description),
		.bolt11 = bytes_from_string(n->bolt11),
	};
	const struct received_invoice *i;

	i = book_add(&r->book, s, &c->payment_hash, &v);
	receive_unclaim(r, c);
	return i;
}

/* --- being paid --- */

static void mark_paid(struct receive *r, struct step *s, struct received_invoice *i, struct amount_msat received,
		      uint32_t parts)
{
	struct effect *note;

	ASSERT(i->r.state == INVOICE_UNPAID);
	i->r.state = INVOICE_PAID;
	i->r.received = received;
	i->r.parts = parts;
	i->r.paid_at_s = s->now_ms / 1000;
	i->r.paid_index = r->book.last_paid_index + 1;
	book_store(i, s);
	book_settle(&r->book, i);
	note = effect_add(s->out, EFFECT_NOTIFY);
	note->u.notify.kind = NOTIFY_INVOICE_PAID;
	note->u.notify.payment_hash = i->payment_hash;
	note->u.notify.amount = received;
	waits_paid(&r->waits, s, i);
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

/* A payment without invoice is stored as an invoice that is paid as it comes.  NULL if its label is taken, or its hash
 * belongs to an invoice that is being made. */
static struct received_invoice *keysend_invoice(struct receive *r, struct step *s, const struct receive_htlc *h,
						const struct payload *p)
{
	struct record_invoice v = {
		.kind = INVOICE_KEYSEND, .state = INVOICE_UNPAID, .preimage = p->keysend,
		.any_amount = true, .min_final_cltv = r->config.keysend_cltv_blocks,
		.created_at_s = s->now_ms / 1000, .expires_at_s = UINT64_MAX,
		.description = bytes_from_string("keysend"),
	};
	struct received_invoice *i;
	char hash[65];
	struct buf custom = BUF_EMPTY;

	hex_encode(hash, h->payment_hash.v, sizeof(h->payment_hash.v));
	v.label = bytes_from_string(arena_printf(&s->out->arena, "keysend-%s.%llu", hash,
						 (unsigned long long)(r->book.last_created_index + 1)));
	if (book_by_label(&r->book, v.label) || table_get(&r->book.claims_by_label, v.label) ||
	    table_get(&r->book.claims_by_hash, BYTES_OF(h->payment_hash.v)))
		return NULL;
	tlv_list_encode(p->custom, p->custom_count, &custom);
	v.custom = buf_view(&custom);
	i = book_add(&r->book, s, &h->payment_hash, &v);
	buf_wipe(&custom);
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
	    !expiry_is_far(s, h->cltv_expiry, r->config.take_blocks_min) || h->amount.v == 0 ||
	    MSAT_LESS(h->amount, r->config.keysend_min)) {
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
	struct received_invoice *i = book_by_hash(&r->book, &h->payment_hash);
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
	struct received_invoice *i = book_by_hash(&r->book, payment_hash);

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
	struct received_invoice *i = book_by_hash(&r->book, payment_hash);

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

/* --- users who wait, and who delete --- */

void receive_wait(struct receive *r, struct step *s, uint64_t call, const char *label)
{
	waits_for(&r->waits, s, call, book_by_label(&r->book, bytes_from_string(label)));
}

void receive_wait_any(struct receive *r, struct step *s, uint64_t call, uint64_t last_paid_index, uint64_t deadline_ms)
{
	waits_for_any(&r->waits, s, call, last_paid_index, r->book.last_paid_index, deadline_ms);
}

void receive_call_gone(struct receive *r, uint64_t call)
{
	waits_call_gone(&r->waits, call);
}

/* What a delete would do to an invoice in that state: REPLY_OK, or why it does nothing. */
static enum reply_code may_delete(const struct command *command, const struct record_invoice *v, uint64_t now_ms, const char **why)
{
	if (receive_record_state(v, now_ms) != (enum invoice_state)command->u.delete_invoice.state) {
		*why = "the invoice is in another state";
		return REPLY_INVOICE_STATE;
	}
	if (command->u.delete_invoice.description_only && !v->description.size) {
		*why = "the invoice has no description any more";
		return REPLY_INVOICE_NO_DESCRIPTION;
	}
	return REPLY_OK;
}

static void delete_live(struct receive *r, struct step *s, struct received_invoice *i, bool description_only,
			struct receive_verdicts *out)
{
	struct htlc_set *set = collect_find(&r->collect, &i->payment_hash);

	if (description_only) {
		i->r.description = BYTES_NONE;
		book_store(i, s);
		return;
	}
	/* What was on its way to be a set is refused like all that is unknown. */
	if (set)
		collect_fail(&r->collect, set, s, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, out);
	waits_deleted(&r->waits, s, i);
	book_delete(&r->book, s, i);
}

static void delete_past(struct step *s, struct bytes key, const struct record_invoice *v, bool description_only)
{
	struct record_invoice changed = *v;

	changed.description = BYTES_NONE;
	if (description_only)
		book_store_past(s, key, &changed);
	else
		book_delete_past(s, key, v);
}
/* An invoice in memory; NULL: the record that the command brings. */
static void delete_invoice(struct receive *r, struct step *s, uint64_t call, const struct command *command,
			   struct received_invoice *i, struct receive_verdicts *out)
{
	const bool description_only = command->u.delete_invoice.description_only;
	struct bytes key = command->u.delete_invoice.key, value = command->u.delete_invoice.value;
	struct record_invoice v;
	struct sha256 hash;
	struct reply *reply = i ? invoice_reply(s, call, COMMAND_DELETE_INVOICE, i) :
				  invoice_reply_stored(s, call, COMMAND_DELETE_INVOICE, key, value);

	if (!i && !receive_read(key, value, &s->out->arena, &hash, &v)) {
		reply->code = REPLY_FAILED;
		reply->message = "that is no record of an invoice";
		return;
	}
	reply->code = may_delete(command, i ? &i->r : &v, s->now_ms, &reply->message);
	if (reply->code != REPLY_OK)
		return;
	if (i)
		delete_live(r, s, i, description_only, out);
	else
		delete_past(s, key, &v, description_only);
}

void receive_delete(struct receive *r, struct step *s, uint64_t call, const struct command *command, struct receive_verdicts *out)
{
	struct received_invoice *i = book_by_label(&r->book, bytes_from_string(command->u.delete_invoice.label));

	if (i || command->u.delete_invoice.key.size)
		delete_invoice(r, s, call, command, i, out);
	else
		invoice_reply_past(s, call, COMMAND_DELETE_INVOICE, 0);
}

/* --- time --- */

void receive_tick(struct receive *r, struct step *s, struct receive_verdicts *out)
{
	struct htlc_set *set;

	/* B4.basic_multi_part_payments.17, B4.basic_multi_part_payments.18 */
	while ((set = collect_oldest(&r->collect)) && s->now_ms - set->since_ms >= RECEIVE_SET_TIMEOUT_MS)
		collect_fail(&r->collect, set, s, FAIL_MPP_TIMEOUT, out);
	expire(r, s);
	waits_tick(&r->waits, s);
}

void receive_flush(struct receive *r, struct step *s)
{
	book_put_away(&r->book, s, RECEIVE_FLUSH_MAX);
}

uint64_t receive_deadline(const struct receive *r)
{
	const struct htlc_set *set = collect_oldest(&r->collect);
	const struct received_invoice *due = book_first_due(&r->book);
	uint64_t at = set ? set->since_ms + RECEIVE_SET_TIMEOUT_MS : UINT64_MAX, waits = waits_deadline(&r->waits);

	if (r->book.shelf)
		return 0;
	if (due && due->due_ms < at)
		at = due->due_ms;
	return waits < at ? waits : at;
}

void receive_check_invariants(const struct receive *r)
{
	struct htlc_set *set;
	uint32_t at = 0;

	book_check(&r->book);
	while ((set = table_next(&r->collect.sets, &at))) {
		const struct received_invoice *i = receive_by_hash(r, &set->payment_hash);

		/* INV-R2, and a whole set does not wait. */
		ASSERT(i && !i->on_shelf);
		ASSERT(set->count && collect_whole(set) == set->asked);
	}
}
