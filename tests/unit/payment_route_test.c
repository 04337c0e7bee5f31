/* Payments along given routes: what is sent, in parts, and what whoever waits is told. */
#include "tests/unit/payment_send_setup.h"

#include "payment/ledger.h"

#define FIRST 1100u
#define LAST 1000u

static struct route_hop hops[2];

/* To the payee behind PEER_A. */
static struct send_route route(uint8_t v)
{
	struct send_route q = { .hops = hops, .hop_count = 2, .payment_hash = hash_of(v), .has_secret = true, .label = "tea" };

	hops[0] = (struct route_hop){ node_id(PEER_A), { 0 }, MSAT(FIRST), 60 };
	hops[1] = (struct route_hop){ node_id(PAYEE), { 77 }, MSAT(LAST), 20 };
	memset(q.secret.v, 0x5e, sizeof(q.secret.v));
	return q;
}

static enum send_route_result try(struct scene *s, const struct send_route *q, struct send_route_offer *offer, enum reply_code *code)
{
	const struct payment *known;
	const char *why = "";
	enum send_route_result r = send_route(s->send, &s->step, q, offer, &known, code, &why);

	CHECK(r != SEND_ROUTE_REFUSED || (*code != REPLY_OK && why[0]));
	CHECK((r == SEND_ROUTE_KNOWN) == (known && r != SEND_ROUTE_OFFER && r != SEND_ROUTE_REFUSED));
	return r;
}

/* Offered over channel 1 as that HTLC. */
static struct send_route_offer sent(struct scene *s, const struct send_route *q, uint64_t htlc_id)
{
	struct send_route_offer offer;
	enum reply_code code;

	CHECK_EQ(try(s, q, &offer, &code), SEND_ROUTE_OFFER);
	CHECK(send_route_offered(s->send, &s->step, q, &offer, 1, htlc_id));
	return offer;
}

static void wait_for(struct scene *s, uint64_t call, uint8_t v, uint64_t part)
{
	struct sha256 hash = hash_of(v);

	send_route_wait(s->send, &s->step, call, &hash, false, 0, part, UINT64_MAX);
}

TEST(each_hop_gets_what_the_route_says)
{
	struct scene *s = scene();
	struct send_route q = route(1);
	struct send_route_offer o = sent(s, &q, 10);
	struct seen at;

	CHECK_EQ(o.amount.v, FIRST);
	CHECK_EQ(o.cltv_expiry, HEIGHT + 1 + 60);
	at = open_at(s, o.onion, &q.payment_hash, PEER_A);
	CHECK(!at.payload.is_final);
	CHECK_EQ(at.payload.scid.v, 77);
	CHECK_EQ(at.payload.amount.v, LAST);
	CHECK_EQ(at.payload.cltv_expiry, HEIGHT + 1 + 20);
	CHECK(SAME(ledger_part(s->send, 1, 10)->shared[0], at.secret));
	at = open_at(s, at.next, &q.payment_hash, PAYEE);
	CHECK(SAME(ledger_part(s->send, 1, 10)->shared[1], at.secret));
	CHECK(at.payload.is_final && at.payload.has_secret);
	CHECK_EQ(at.payload.amount.v, LAST);
	CHECK_EQ(at.payload.total.v, LAST);
	/* INV-S5 */
	CHECK(send_owns(s->send, 1, 10));
	CHECK_EQ(count_records(s, RECORD_PAYMENT, false), 1);
	CHECK_EQ(count_records(s, RECORD_PART, false), 1);
	scene_release(s);
}

TEST(a_preimage_completes_it)
{
	struct scene *s = scene();
	struct send_route q = route(1);
	struct preimage preimage = preimage_of(1);
	const struct reply *reply;

	(void)sent(s, &q, 10);
	wait_for(s, 500, 1, 0);
	CHECK(!find_reply(&s->effects, 500));
	CHECK(send_fulfilled(s->send, &s->step, 1, 10, &preimage));
	reply = reply_to(&s->effects, 500);
	CHECK_EQ(reply->kind, COMMAND_WAIT_SENDPAY);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK(reply->u.sendpay.complete && SAME(reply->u.sendpay.preimage, preimage));
	CHECK_EQ(reply->u.sendpay.sent.v, FIRST);
	CHECK_STR(reply->u.sendpay.label, "tea");
	/* INV-S2: it is paid, and no other HTLC leaves for it. */
	{
		struct send_route_offer offer;
		enum reply_code code;

		CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_KNOWN);
		/* Who means another amount or another node is not told that it is done. */
		hops[1].amount = MSAT(LAST - 1);
		CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
		CHECK_EQ(code, REPLY_PAY_ALREADY_PAID);
		hops[1] = (struct route_hop){ node_id(PEER_B), { 77 }, MSAT(LAST), 20 };
		CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
		CHECK_EQ(code, REPLY_PAY_ALREADY_PAID);
	}
	wait_for(s, 501, 1, 0);
	CHECK(reply_to(&s->effects, 501)->u.sendpay.complete);
	scene_release(s);
}

TEST(who_failed_and_how)
{
	static const uint8_t way[] = { PEER_A, PAYEE };
	struct scene *s = scene();
	struct send_route q = route(1);
	struct send_route_offer o;
	struct send_offer as_offer = { .payment_hash = q.payment_hash };
	struct send_failure f = { .kind = SEND_FAILURE_REPORT };
	struct failure said = failure_plain(FAIL_UNKNOWN_NEXT_PEER);
	const struct reply *reply;

	o = sent(s, &q, 10);
	wait_for(s, 500, 1, 0);
	as_offer.onion = o.onion;
	f.reason = report_of(s, &as_offer, way, 1, &said);
	send_failed(s->send, &s->step, 1, 10, &f);
	reply = reply_to(&s->effects, 500);
	CHECK_EQ(reply->code, REPLY_PAY_TRY_OTHER_ROUTE);
	CHECK_EQ(reply->u.sendpay.erring_index, 1);
	CHECK_EQ(reply->u.sendpay.erring_scid.v, 77);
	CHECK_EQ(reply->u.sendpay.failure_code, FAIL_UNKNOWN_NEXT_PEER);
	CHECK_EQ(reply->u.sendpay.failure_message.size, 2);
	/* Whoever asks later is told the same. */
	wait_for(s, 501, 1, 0);
	CHECK_EQ(reply_to(&s->effects, 501)->u.sendpay.failure_code, FAIL_UNKNOWN_NEXT_PEER);

	/* The payee, for good. */
	next_step(s);
	said = failure_payment_details(MSAT(LAST), HEIGHT);
	o = sent(s, &q, 11);
	wait_for(s, 502, 1, 0);
	as_offer.onion = o.onion;
	f.reason = report_of(s, &as_offer, way, 2, &said);
	send_failed(s->send, &s->step, 1, 11, &f);
	CHECK_EQ(reply_to(&s->effects, 502)->code, REPLY_PAY_DESTINATION);
	CHECK_EQ(reply_to(&s->effects, 502)->u.sendpay.erring_index, 2);
	CHECK_EQ(reply_to(&s->effects, 502)->u.sendpay.group, 2);

	/* Nobody, readably. */
	next_step(s);
	(void)sent(s, &q, 12);
	wait_for(s, 503, 1, 0);
	f.reason = BYTES("nonsense", 8);
	send_failed(s->send, &s->step, 1, 12, &f);
	CHECK_EQ(reply_to(&s->effects, 503)->code, REPLY_PAY_UNREADABLE);
	CHECK(!reply_to(&s->effects, 503)->u.sendpay.has_failure);

	/* Our peer, who could not open the onion; and we ourselves. */
	next_step(s);
	(void)sent(s, &q, 13);
	wait_for(s, 504, 1, 0);
	send_failed(s->send, &s->step, 1, 13, &(struct send_failure){ .kind = SEND_FAILURE_MALFORMED, .code = FAIL_INVALID_ONION_KEY });
	CHECK_EQ(reply_to(&s->effects, 504)->u.sendpay.erring_index, 1);
	next_step(s);
	(void)sent(s, &q, 14);
	wait_for(s, 505, 1, 0);
	send_failed(s->send, &s->step, 1, 14, &(struct send_failure){ .kind = SEND_FAILURE_LOCAL, .text = "gone" });
	CHECK_EQ(reply_to(&s->effects, 505)->code, REPLY_PAY_TRY_OTHER_ROUTE);
	CHECK_EQ(reply_to(&s->effects, 505)->u.sendpay.erring_index, 0);
	scene_release(s);
}

TEST(parts_of_one_payment)
{
	struct scene *s = scene();
	struct send_route q = route(1);
	struct send_route_offer offer;
	struct preimage preimage = preimage_of(1);
	enum reply_code code;

	q.part = 1;
	/* A part of what? */
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	q.has_total = true;
	q.total = MSAT(2 * LAST);
	(void)sent(s, &q, 10);
	/* The same part is there already. */
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_KNOWN);
	q.part = 2;
	(void)sent(s, &q, 11);
	/* INV-S1 */
	q.part = 3;
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	CHECK_EQ(code, REPLY_PAY_IN_PROGRESS);
	/* One fails alone. */
	wait_for(s, 500, 1, 1);
	wait_for(s, 501, 1, 2);
	send_failed(s->send, &s->step, 1, 10, &(struct send_failure){ .kind = SEND_FAILURE_LOCAL, .text = "gone" });
	CHECK_EQ(reply_to(&s->effects, 500)->code, REPLY_PAY_TRY_OTHER_ROUTE);
	CHECK(!find_reply(&s->effects, 501));
	wait_for(s, 502, 1, 1);
	CHECK_EQ(reply_to(&s->effects, 502)->code, REPLY_PAY_TRY_OTHER_ROUTE);
	wait_for(s, 503, 1, 9);
	CHECK_EQ(reply_to(&s->effects, 503)->code, REPLY_PAY_UNKNOWN);
	/* And comes again. */
	q.part = 1;
	(void)sent(s, &q, 12);
	CHECK(send_fulfilled(s->send, &s->step, 1, 12, &preimage));
	CHECK_EQ(reply_to(&s->effects, 501)->code, REPLY_OK);
	CHECK_EQ(reply_to(&s->effects, 501)->u.sendpay.sent.v, FIRST);
	CHECK_EQ(send_by_hash(s->send, &q.payment_hash)->r.sent.v, 2 * FIRST);
	CHECK(send_fulfilled(s->send, &s->step, 1, 11, &preimage));
	scene_release(s);
}

TEST(routes_that_make_no_sense)
{
	struct scene *s = scene();
	struct send_route q = route(1);
	struct send_route_offer offer;
	enum reply_code code;

	q.hop_count = 0;
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	CHECK_EQ(code, REPLY_INVALID);
	q.hop_count = 28;
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	q = route(1);
	hops[1].amount = MSAT(FIRST + 1); /* it grows on the way */
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	q = route(1);
	hops[1].amount = MSAT(0);
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	q = route(1);
	hops[1].scid.v = 0;
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	q = route(1);
	hops[0].delay = UINT32_MAX;
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	q = route(1);
	hops[1].node.v[0] = 9;
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	q = route(1);
	q.has_group = true;
	q.group = 0;
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED);
	CHECK_EQ(send_pending_count(s->send), 0);
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 0);
	scene_release(s);
}

TEST(pay_and_sendpay_do_not_meet)
{
	struct scene *s = scene();
	struct send_route q = route(1);
	struct send_request r = request(1, LAST);
	struct send_route_offer offer;
	enum reply_code code;

	add_channel(s, 7, PAYEE, 1000000);
	pay(s, &r);
	CHECK_EQ(try(s, &q, &offer, &code), SEND_ROUTE_REFUSED); /* INV-S2 */
	CHECK_EQ(code, REPLY_PAY_IN_PROGRESS);
	/* Who waits for it by its hash is told its end all the same. */
	wait_for(s, 500, 1, 0);
	CHECK(!find_reply(&s->effects, 500));
	scene_release(s);
}

TEST(a_wait_has_an_end)
{
	struct scene *s = scene();
	struct send_route q = route(1);
	struct sha256 hash = hash_of(1);

	wait_for(s, 499, 1, 0);
	CHECK_EQ(reply_to(&s->effects, 499)->code, REPLY_PAY_UNKNOWN);
	(void)sent(s, &q, 10);
	CHECK_EQ(send_deadline(s->send), UINT64_MAX);
	send_route_wait(s->send, &s->step, 500, &hash, true, 1, 0, START_MS + 2000);
	send_route_wait(s->send, &s->step, 501, &hash, false, 0, 0, START_MS + 3000);
	CHECK_EQ(send_deadline(s->send), START_MS + 2000);
	s->step.now_ms = START_MS + 1999;
	send_tick(s->send, &s->step);
	CHECK(!find_reply(&s->effects, 500));
	s->step.now_ms = START_MS + 2000;
	send_tick(s->send, &s->step);
	CHECK_EQ(reply_to(&s->effects, 500)->code, REPLY_PAY_IN_PROGRESS);
	CHECK(!find_reply(&s->effects, 501));
	CHECK_EQ(send_deadline(s->send), START_MS + 3000);
	/* Whoever hung up is not answered. */
	send_call_gone(s->send, 501);
	send_failed(s->send, &s->step, 1, 10, &(struct send_failure){ .kind = SEND_FAILURE_LOCAL, .text = "gone" });
	CHECK(!find_reply(&s->effects, 501));
	scene_release(s);
}

static bool lost(const void *context, uint64_t channel_key, uint64_t htlc_id)
{
	(void)context;
	return channel_key == 1 && htlc_id == 10;
}

TEST(a_restart_waits_for_parts_that_were_sent)
{
	struct send_config c = { .self = node_id(PAYER), .pending_max = 5 };
	static const uint8_t seed[32] = { 6 };
	struct scene *s = scene();
	struct send_route q = route(1);
	struct send *old = s->send;

	q.has_total = true;
	q.total = MSAT(2 * LAST);
	q.part = 1;
	(void)sent(s, &q, 10);
	q.part = 2;
	(void)sent(s, &q, 11);
	s->send = send_new(&c, seed);
	for (struct effect *e = s->effects.head; e; e = e->next)
		if (e->kind == EFFECT_PERSIST && (e->u.persist.kind == RECORD_PAYMENT || e->u.persist.kind == RECORD_PART))
			CHECK(send_load(s->send, e->u.persist.kind, e->u.persist.key, e->u.persist.value));
	/* Of the second the channel knows nothing: it never left. */
	CHECK(send_resume(s->send, &s->step, lost, NULL));
	send_free(old);
	CHECK(send_owns(s->send, 1, 10) && !send_owns(s->send, 1, 11));
	CHECK_EQ(send_pending_count(s->send), 1);
	next_step(s);
	wait_for(s, 500, 1, 1);
	send_failed(s->send, &s->step, 1, 10, &(struct send_failure){ .kind = SEND_FAILURE_LOCAL, .text = "gone" });
	CHECK_EQ(reply_to(&s->effects, 500)->code, REPLY_PAY_TRY_OTHER_ROUTE);
	CHECK_EQ(reply_to(&s->effects, 500)->u.sendpay.erring_scid.v, 0); /* not known any more */
	CHECK_EQ(send_pending_count(s->send), 0);
	/* INV-S3 */
	CHECK_EQ(send_by_hash(s->send, &q.payment_hash)->r.state, PAYMENT_FAILED);
	scene_release(s);
}
