#include "payment/collect.h"

static struct bytes set_key(const void *object)
{
	const struct htlc_set *set = object;

	return BYTES_OF(set->payment_hash.v);
}

void collect_init(struct collect *c, const uint8_t seed16[16])
{
	table_init(&c->sets, set_key, seed16);
}

static void set_free(struct htlc_set *set)
{
	mem_free(set->htlcs);
	mem_free(set);
}

void collect_release(struct collect *c)
{
	struct htlc_set *set;
	uint32_t at = 0;

	while ((set = table_next(&c->sets, &at)))
		set_free(set);
	table_release(&c->sets);
}

struct htlc_set *collect_find(const struct collect *c, const struct sha256 *payment_hash)
{
	return table_get(&c->sets, BYTES_OF(payment_hash->v));
}

struct htlc_set *collect_open(struct collect *c, const struct sha256 *payment_hash, struct amount_msat total,
			      uint64_t now_ms)
{
	struct htlc_set *set = NEW(struct htlc_set);

	set->payment_hash = *payment_hash;
	set->total = total;
	set->since_ms = now_ms;
	table_add(&c->sets, set);
	return set;
}

static struct held_htlc *find_htlc(const struct htlc_set *set, uint64_t channel_key, uint64_t htlc_id)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (set->htlcs[i].channel_key == channel_key && set->htlcs[i].htlc_id == htlc_id)
			return &set->htlcs[i];
	return NULL;
}

bool collect_has(const struct htlc_set *set, uint64_t channel_key, uint64_t htlc_id)
{
	return find_htlc(set, channel_key, htlc_id);
}

bool collect_add(struct htlc_set *set, const struct held_htlc *h)
{
	struct amount_msat sum, received;

	if (set->count == RECEIVE_PARTS_MAX || !msat_add(&sum, set->sum, h->forwarded) ||
	    !msat_add(&received, set->received, h->amount))
		return false;
	if (set->count == set->capacity) {
		set->capacity = set->capacity ? 2 * set->capacity : 1;
		set->htlcs = mem_realloc(set->htlcs, set->capacity, sizeof(*set->htlcs));
	}
	set->htlcs[set->count++] = *h;
	if (!set->first_expiry || h->cltv_expiry < set->first_expiry)
		set->first_expiry = h->cltv_expiry;
	set->sum = sum;
	set->received = received;
	return true;
}

static void forget(struct collect *c, struct htlc_set *set)
{
	ASSERT(table_remove(&c->sets, set_key(set)) == set);
	set_free(set);
}

/* INV-R3: what gets a verdict leaves its set in the same call. */
static struct receive_verdict *verdict_add(struct receive_verdicts *out, struct step *s, uint64_t channel_key,
					   uint64_t htlc_id)
{
	struct receive_verdict *v = ARENA_NEW(&s->out->arena, struct receive_verdict);

	v->channel_key = channel_key;
	v->htlc_id = htlc_id;
	if (out->last)
		out->last->next = v;
	else
		out->head = v;
	out->last = v;
	return v;
}

void verdict_fulfil(struct receive_verdicts *out, struct step *s, uint64_t channel_key, uint64_t htlc_id,
		    const struct preimage *preimage)
{
	struct receive_verdict *v = verdict_add(out, s, channel_key, htlc_id);

	v->fulfil = true;
	v->preimage = *preimage;
}

void verdict_fail(struct receive_verdicts *out, struct step *s, uint64_t channel_key, uint64_t htlc_id,
		  const struct failure *why)
{
	verdict_add(out, s, channel_key, htlc_id)->why = *why;
}

void collect_fulfil(struct collect *c, struct htlc_set *set, struct step *s, const struct preimage *preimage,
		    struct receive_verdicts *out)
{
	/* INV-R1, B4.basic_multi_part_payments.20 */
	for (uint32_t i = 0; i < set->count; i++)
		verdict_fulfil(out, s, set->htlcs[i].channel_key, set->htlcs[i].htlc_id, preimage);
	forget(c, set);
}

void collect_fail(struct collect *c, struct htlc_set *set, struct step *s, uint16_t code, struct receive_verdicts *out)
{
	for (uint32_t i = 0; i < set->count; i++) {
		const struct held_htlc *h = &set->htlcs[i];
		struct failure why = code == FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS
			? failure_payment_details(h->amount, s->height) : failure_plain(code);

		verdict_fail(out, s, h->channel_key, h->htlc_id, &why);
	}
	forget(c, set);
}

void collect_drop(struct collect *c, uint64_t channel_key, uint64_t htlc_id)
{
	struct htlc_set *set;
	uint32_t at = 0;

	while ((set = table_next(&c->sets, &at))) {
		struct held_htlc *h = find_htlc(set, channel_key, htlc_id);

		if (!h)
			continue;
		ASSERT(msat_sub(&set->sum, set->sum, h->forwarded) && msat_sub(&set->received, set->received, h->amount));
		*h = set->htlcs[--set->count];
		set->asked = set->asked && collect_whole(set);
		if (set->count == 0)
			forget(c, set);
		return;
	}
}

struct htlc_set *collect_oldest(const struct collect *c)
{
	struct htlc_set *set;
	uint32_t at = 0;

	while ((set = table_next(&c->sets, &at)) && set->asked)
		;
	return set;
}
