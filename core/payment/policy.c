#include "payment/policy.h"

#include <string.h>

#include "base/arena.h"
#include "wire/records_forward.h"

struct forward_policy policy_of_terms(const struct channel_terms *terms, const struct forward_policy *fallback)
{
	struct forward_policy p = *fallback;

	if (!terms)
		return p;
	if (terms->set & POLICY_FEE_BASE)
		p.fee_base = terms->own.fee_base;
	if (terms->set & POLICY_FEE_PPM)
		p.fee_ppm = terms->own.fee_ppm;
	if (terms->set & POLICY_CLTV_DELTA)
		p.cltv_delta = terms->own.cltv_delta;
	if (terms->set & POLICY_HTLC_MIN)
		p.htlc_min = terms->own.htlc_min;
	if (terms->set & POLICY_HTLC_MAX)
		p.htlc_max = terms->own.htlc_max;
	return p;
}

void terms_set(struct channel_terms *t, uint8_t fields, const struct forward_policy *own)
{
	const struct channel_terms given = { .set = fields, .own = *own };

	t->own = policy_of_terms(&given, &t->own);
	t->set |= fields;
}

bool policy_same(const struct forward_policy *a, const struct forward_policy *b)
{
	return a->fee_base.v == b->fee_base.v && a->fee_ppm == b->fee_ppm && a->cltv_delta == b->cltv_delta &&
	       a->htlc_min.v == b->htlc_min.v && a->htlc_max.v == b->htlc_max.v;
}

static void drop_ended(struct channel_terms *t, uint64_t now_ms)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < t->before_count; i++)
		if (t->before[i].until_ms > now_ms)
			t->before[left++] = t->before[i];
	t->before_count = left;
}

void terms_changed(struct channel_terms *t, const struct forward_policy *before, uint64_t now_ms, uint64_t grace_ms)
{
	const uint64_t until = now_ms + grace_ms;

	for (uint32_t i = 0; i < t->before_count; i++)
		if (t->before[i].until_ms > until)
			t->before[i].until_ms = until;
	drop_ended(t, now_ms);
	if (grace_ms == 0)
		return;
	if (t->before_count == POLICY_BEFORE_MAX)
		memmove(t->before, t->before + 1, --t->before_count * sizeof(*t->before));
	t->before[t->before_count++] = (struct policy_before){ *before, until };
}

uint32_t terms_good(const struct channel_terms *terms, const struct forward_policy *now, uint64_t now_ms,
		    struct forward_policy out[1 + POLICY_BEFORE_MAX])
{
	uint32_t count = 0;

	out[count++] = *now;
	for (uint32_t i = 0; terms && i < terms->before_count; i++)
		if (terms->before[i].until_ms > now_ms)
			out[count++] = terms->before[i].policy;
	return count;
}

/* --- stored --- */

static void policy_fill(struct record_policy *r, const struct forward_policy *p)
{
	r->fee_base = p->fee_base;
	r->fee_ppm = p->fee_ppm;
	r->cltv_delta = p->cltv_delta;
	r->htlc_min = p->htlc_min;
	r->htlc_max = p->htlc_max;
}

static struct forward_policy policy_read(const struct record_policy *r)
{
	return (struct forward_policy){ r->fee_base, r->fee_ppm, r->cltv_delta, r->htlc_min, r->htlc_max };
}

void terms_encode(const struct channel_terms *t, struct buf *out)
{
	struct record_channel_terms r = { .set = t->set, .ignore_fee_limits = t->ignore_fee_limits };
	struct record_policy *before[] = { &r.before_0, &r.before_1, &r.before_2, &r.before_3 };

	_Static_assert(ARRAY_COUNT(before) == POLICY_BEFORE_MAX && ARRAY_COUNT(r.until_ms) == POLICY_BEFORE_MAX, "all of them are stored");
	policy_fill(&r.own, &t->own);
	for (uint32_t i = 0; i < t->before_count; i++) {
		policy_fill(before[i], &t->before[i].policy);
		r.until_ms[i] = t->before[i].until_ms;
	}
	record_channel_terms_encode(&r, out);
}

bool terms_decode(struct bytes value, struct channel_terms *out)
{
	struct record_channel_terms r;
	const struct record_policy *before[] = { &r.before_0, &r.before_1, &r.before_2, &r.before_3 };
	struct arena a;
	bool good;

	arena_init(&a);
	good = record_channel_terms_decode(value, &a, &r);
	arena_release(&a);
	if (!good || (r.set & ~POLICY_FIELDS))
		return false;
	memset(out, 0, sizeof(*out));
	out->set = r.set;
	out->own = policy_read(&r.own);
	out->ignore_fee_limits = r.ignore_fee_limits;
	for (uint32_t i = 0; i < POLICY_BEFORE_MAX && r.until_ms[i]; i++)
		out->before[out->before_count++] = (struct policy_before){ policy_read(before[i]), r.until_ms[i] };
	return true;
}
