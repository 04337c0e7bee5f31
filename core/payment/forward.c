#include "payment/forward.h"

/* --- decisions --- */

/* B4.packet_structure.52: BOLT 7 "HTLC Fees" of what goes on. */
static bool pays_fee(const struct forward_policy *p, struct amount_msat in, struct amount_msat out)
{
	const struct amount_msat supply = msat_of_sat(SAT(SUPPLY_SAT));
	struct amount_msat due;

	if (MSAT_LESS(supply, out) || !msat_add(&due, out, p->fee_base) || !msat_add(&due, due, msat_ppm(out, p->fee_ppm)))
		return false;
	return !MSAT_LESS(in, due);
}

static bool pays(const struct forward_policy *p, const struct forward_htlc *in, const struct payload *payload,
		 struct failure *why)
{
	/* B4.failure_messages.12, B7.channel_update.9: more than we said that we send. */
	if (MSAT_LESS(p->htlc_max, payload->amount)) {
		*why = failure_plain(FAIL_TEMPORARY_CHANNEL_FAILURE);
		return false;
	}
	/* B4.failure_messages.16, B4.failure_messages.17 */
	if (payload->amount.v == 0 || MSAT_LESS(payload->amount, p->htlc_min)) {
		*why = failure_plain(FAIL_AMOUNT_BELOW_MINIMUM);
		why->u.amount_below_minimum.htlc_msat = payload->amount;
		return false;
	}
	/* B4.failure_messages.18, B4.failure_messages.19 */
	if (!pays_fee(p, in->amount, payload->amount)) {
		*why = failure_plain(FAIL_FEE_INSUFFICIENT);
		why->u.fee_insufficient.htlc_msat = in->amount;
		return false;
	}
	/* B4.failure_messages.20, B4.failure_messages.21, B4.packet_structure.53 */
	if ((uint64_t)in->cltv_expiry < (uint64_t)payload->cltv_expiry + p->cltv_delta) {
		*why = failure_plain(FAIL_INCORRECT_CLTV_EXPIRY);
		why->u.incorrect_cltv_expiry.cltv_expiry = payload->cltv_expiry;
		return false;
	}
	return true;
}

/* B7.channel_update.20, B7.htlc_fees.2: by the terms of now or of lately, and none of them mixed.  What is told is
 * measured against those of now. */
static const struct forward_policy *paid(const struct forward_next *next, const struct forward_htlc *in,
					 const struct payload *payload, struct failure *why)
{
	struct failure other;

	ASSERT(next->policy_count);
	if (pays(&next->policies[0], in, payload, why))
		return &next->policies[0];
	for (uint32_t i = 1; i < next->policy_count; i++)
		if (pays(&next->policies[i], in, payload, &other))
			return &next->policies[i];
	return NULL;
}

bool forward_judge(const struct forward_clock *clock, const struct forward_htlc *in, const struct payload *payload,
		   const struct forward_next *next, struct failure *why)
{
	const struct forward_policy *p;

	ASSERT(!payload->is_final);
	/* B4.failure_messages.13, B4.failure_messages.15, B4.packet_structure.51 */
	if (next->known && next->ending) {
		*why = failure_plain(FAIL_PERMANENT_CHANNEL_FAILURE);
		return false;
	}
	if (!next->known) {
		*why = failure_plain(FAIL_UNKNOWN_NEXT_PEER);
		return false;
	}
	p = paid(next, in, payload, why);
	if (!p)
		return false;
	/* B4.failure_messages.22, B4.failure_messages.23; B2.forwarding_htlcs.3: whatever the delta to the outgoing one is,
	 * blocks that have passed on the way here are lost to it. */
	if ((uint64_t)in->cltv_expiry < (uint64_t)clock->height + p->cltv_delta ||
	    (uint64_t)payload->cltv_expiry < (uint64_t)clock->height + clock->expiry_min_blocks) {
		*why = failure_plain(FAIL_EXPIRY_TOO_SOON);
		return false;
	}
	/* B4.failure_messages.24, B2.forwarding_htlcs.4 */
	if ((uint64_t)in->cltv_expiry > (uint64_t)clock->height + FORWARD_EXPIRY_MAX_BLOCKS) {
		*why = failure_plain(FAIL_EXPIRY_TOO_FAR);
		return false;
	}
	/* B4.failure_messages.25, B4.failure_messages.26 */
	if (next->disabled) {
		*why = failure_plain(FAIL_CHANNEL_DISABLED);
		return false;
	}
	return true; /* INV-W3 */
}

/* --- the table --- */

static struct bytes in_key(const void *p)
{
	return BYTES_OF(((const struct forward *)p)->in_key);
}

static struct bytes out_key(const void *p)
{
	return BYTES_OF(((const struct forward *)p)->out_key);
}

static void htlc_key(uint8_t out16[16], uint64_t channel_key, uint64_t htlc_id)
{
	store_be64(out16, channel_key);
	store_be64(out16 + 8, htlc_id);
}

void forwards_init(struct forwards *f, const uint8_t seed16[16])
{
	table_init(&f->by_in, in_key, seed16);
	table_init(&f->by_out, out_key, seed16);
	slots_init(&f->slots, seed16);
}

static void forward_free(struct forward *w)
{
	mem_free((void *)w->end.reason.data);
	mem_free((void *)w->end.attribution.data);
	mem_wipe_free(w, sizeof(*w));
}

void forwards_release(struct forwards *f)
{
	struct forward *w;
	uint32_t at = 0;

	while ((w = table_next(&f->by_in, &at)))
		forward_free(w);
	table_release(&f->by_in);
	table_release(&f->by_out);
	slots_release(&f->slots);
}

struct forward *forward_by_in(const struct forwards *f, uint64_t channel_key, uint64_t htlc_id)
{
	uint8_t key[16];

	htlc_key(key, channel_key, htlc_id);
	return table_get(&f->by_in, BYTES_OF(key));
}

struct forward *forward_by_out(const struct forwards *f, uint64_t channel_key, uint64_t htlc_id)
{
	uint8_t key[16];

	htlc_key(key, channel_key, htlc_id);
	return table_get(&f->by_out, BYTES_OF(key));
}

struct forward *forward_add(struct forwards *f, const struct pubkey *from, const struct forward_htlc *in, const struct forward_htlc *out,
		 const struct sha256 *payment_hash, const struct secret32 *secret)
{
	struct forward *w;

	/* INV-W2 */
	if (forward_by_in(f, in->channel_key, in->id) || forward_by_out(f, out->channel_key, out->id))
		return NULL;
	w = NEW(struct forward);
	htlc_key(w->in_key, in->channel_key, in->id);
	htlc_key(w->out_key, out->channel_key, out->id);
	w->state = FORWARD_OUT;
	w->in = *in;
	w->out = *out;
	w->payment_hash = *payment_hash;
	w->has_secret = secret != NULL;
	if (secret)
		w->secret = *secret;
	table_add(&f->by_in, w);
	w->from = *from;
	table_add(&f->by_out, w);
	slots_take(&f->slots, out->channel_key, from, out->amount);
	return w;
}

static void leave_out(struct forwards *f, struct forward *w)
{
	ASSERT(table_remove(&f->by_out, out_key(w)) == w);
	slots_give_back(&f->slots, w->out.channel_key, &w->from, w->out.amount);
}

void forward_over(struct forwards *f, struct forward *w)
{
	ASSERT(table_remove(&f->by_in, in_key(w)) == w);
	/* The id of an HTLC that was never committed is given to the next one. */
	if (w->state == FORWARD_OUT)
		leave_out(f, w);
	forward_free(w);
}

struct forward *forward_next(const struct forwards *f, uint32_t *at)
{
	return table_next(&f->by_in, at);
}

/* --- ends --- */

static struct bytes own_copy(struct bytes b)
{
	return b.size ? BYTES(memcpy(mem_alloc(b.size), b.data, b.size), b.size) : BYTES_NONE;
}

void forward_fail(struct forwards *f, struct forward *w, const struct forward_end *end)
{
	ASSERT(w->state == FORWARD_OUT);
	leave_out(f, w);
	w->state = FORWARD_FAILED;
	w->end = *end;
	w->end.reason = own_copy(end->reason);
	w->end.attribution = own_copy(end->attribution);
}

void forward_reason(const struct forward *w, struct bytes update, struct buf *out, struct failure_attribution *attribution)
{
	struct failure why;
	size_t start = out->size;

	ASSERT(w->state == FORWARD_FAILED && w->has_secret);
	/* B4.intermediate_nodes.1, B4.intermediate_nodes.2: zeros where there is none, and where we are the erring node. */
	if (attribution) {
		memset(&attribution->data, 0, sizeof(attribution->data));
		if (w->end.attribution.size == sizeof(attribution->data))
			memcpy(&attribution->data, w->end.attribution.data, sizeof(attribution->data));
	}
	switch (w->end.kind) {
	case FORWARD_END_REPORT:
		/* B4.intermediate_nodes.4, B4.intermediate_nodes.5: we can neither read nor judge it. */
		buf_add_bytes(out, w->end.reason);
		failure_wrap(w->end.reason.size ? out->data + start : NULL, w->end.reason.size, attribution, &w->secret);
		return;
	case FORWARD_END_MALFORMED:
		why = failure_from_malformed(w->end.code, &w->end.onion_hash);
		break;
	case FORWARD_END_LOCAL:
		why = failure_plain(w->end.code);
		failure_set_update(&why, update);
		break;
	}
	failure_seal(out, attribution, &w->secret, &why);
}

void forwards_check(const struct forwards *f)
{
	const struct forward *w;
	uint32_t at = 0, out = 0;

	while ((w = table_next(&f->by_in, &at))) {
		/* INV-W2 */
		ASSERT(forward_by_in(f, w->in.channel_key, w->in.id) == w);
		if (w->state == FORWARD_OUT) {
			ASSERT(forward_by_out(f, w->out.channel_key, w->out.id) == w);
			out++;
		} else {
			/* What can be said is said at once. */
			ASSERT(w->state == FORWARD_FAILED && !w->has_secret && !w->mute);
		}
	}
	ASSERT(out == table_count(&f->by_out));
	slots_check(&f->slots);
}
