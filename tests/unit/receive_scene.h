/* A machine of invoices in a step of its own, for the tests of core/payment's receiving half. */
#ifndef TESTS_UNIT_RECEIVE_SCENE_H
#define TESTS_UNIT_RECEIVE_SCENE_H

#include <stdio.h>

#include "payment/receive.h"
#include "tests/preimages.h"
#include "tests/test.h"
#include "tests/unit/step_shown.h"

#define START_MS 1700000000000ull
#define HEIGHT 800000u

/* A receiver in a step of its own, and what came of the last call. */
struct scene {
	struct receive *receive;
	struct effects effects;
	struct step step;
	struct receive_verdicts verdicts;
};

static const uint8_t seed16[16] = { 3 };

static inline struct receive_config config(void)
{
	return (struct receive_config){ .accept_keysend = true, .invoices_max = 10, .keysend_cltv_blocks = 18 };
}

static inline struct scene *scene_of(const struct receive_config *c)
{
	struct scene *s = test_alloc(sizeof(*s));

	s->receive = receive_new(c, seed16);
	effects_init(&s->effects);
	s->step.out = &s->effects;
	s->step.now_ms = START_MS;
	s->step.height = HEIGHT;
	return s;
}

static inline struct scene *scene(void)
{
	struct receive_config c = config();

	return scene_of(&c);
}

static inline void scene_release(struct scene *s)
{
	receive_check_invariants(s->receive);
	receive_free(s->receive);
	effects_release(&s->effects);
}

/* Forgets what was said so far. */
static inline void next_step(struct scene *s)
{
	receive_check_invariants(s->receive);
	effects_reset(&s->effects);
	s->verdicts = (struct receive_verdicts){ 0 };
}

static inline struct secret32 secret_of(uint8_t v)
{
	struct secret32 s;

	memset(s.v, v + 100, sizeof(s.v));
	return s;
}

static inline struct receive_new_invoice new_invoice(uint8_t v, uint64_t msat)
{
	return (struct receive_new_invoice){
		.payment_hash = hash_of(v), .preimage = preimage_of(v), .secret = secret_of(v),
		.any_amount = msat == 0, .amount = MSAT(msat), .min_final_cltv = 18,
		.expires_at_s = START_MS / 1000 + 3600, .description = "tea", .bolt11 = "lnbcrt1",
	};
}

static inline const struct received_invoice *add(struct scene *s, uint8_t v, const char *label, uint64_t msat)
{
	struct receive_new_invoice n = new_invoice(v, msat);
	struct receive_claim *c;

	CHECK_EQ(receive_claim(s->receive, &s->step, &c, label, &n.payment_hash), REPLY_OK);
	return receive_add(s->receive, &s->step, c, &n);
}

static inline struct payload payload(uint8_t v, uint64_t amount, uint64_t total)
{
	return (struct payload){
		.is_final = true, .amount = MSAT(amount), .total = MSAT(total), .cltv_expiry = HEIGHT + 18,
		.has_secret = true, .secret = secret_of(v),
	};
}

static inline struct receive_htlc htlc(uint8_t v, uint64_t id, uint64_t amount)
{
	return (struct receive_htlc){
		.channel_key = 7, .htlc_id = id, .amount = MSAT(amount), .cltv_expiry = HEIGHT + 18,
		.payment_hash = hash_of(v),
	};
}

static inline void hand_in(struct scene *s, const struct receive_htlc *h, const struct payload *p)
{
	next_step(s);
	receive_htlc(s->receive, &s->step, h, p, &s->verdicts);
}

/* An HTLC of so much, of a payment of so much. */
static inline void part(struct scene *s, uint8_t v, uint64_t id, uint64_t amount, uint64_t total)
{
	struct receive_htlc h = htlc(v, id, amount);
	struct payload p = payload(v, amount, total);

	hand_in(s, &h, &p);
}

static inline uint32_t count_verdicts(const struct scene *s)
{
	uint32_t n = 0;

	for (struct receive_verdict *v = s->verdicts.head; v; v = v->next)
		n++;
	return n;
}

static inline const struct receive_verdict *only_verdict(const struct scene *s)
{
	CHECK_EQ(count_verdicts(s), 1);
	/* B4.failure_messages.41: no failure of a final node comes with a channel_update. */
	CHECK(!(s->verdicts.head->why.code & FAIL_UPDATE));
	return s->verdicts.head;
}

static inline void check_fulfilled(const struct scene *s, uint8_t v, uint32_t count)
{
	struct preimage p = preimage_of(v);

	CHECK_EQ(count_verdicts(s), count);
	for (struct receive_verdict *w = s->verdicts.head; w; w = w->next) {
		CHECK(w->fulfil);
		CHECK(SAME(w->preimage, p));
	}
}

/* One verdict: incorrect_or_unknown_payment_details with the HTLC's amount and our height. */
static inline void check_details_refused(const struct scene *s, uint64_t amount)
{
	const struct receive_verdict *v = only_verdict(s);

	CHECK(!v->fulfil);
	CHECK_EQ(v->why.code, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
	CHECK_EQ(v->why.u.payment_details.htlc_msat.v, amount);
	CHECK_EQ(v->why.u.payment_details.height, s->step.height);
}

#endif
