#include "tests/unit/receive_scene.h"

TEST(an_invoice_is_paid_once)
{
	struct scene *s = scene();
	const struct received_invoice *i = add(s, 1, "one", 1000);

	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 1);
	part(s, 1, 0, 1000, 1000);
	check_fulfilled(s, 1, 1);
	CHECK_EQ(only_verdict(s)->channel_key, 7);
	/* INV-R1: stored in the same step. */
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 1);
	CHECK_EQ(count_effects(&s->effects, EFFECT_NOTIFY), 1);
	CHECK_EQ(receive_state(i, START_MS), INVOICE_PAID);
	CHECK_EQ(i->r.received.v, 1000);
	CHECK_EQ(i->r.paid_index, 1);
	CHECK_EQ(receive_last_paid_index(s->receive), 1);
	/* B4.failure_messages.27, and not B4.failure_messages.28: paid once, it is unknown.  INV-R2 */
	part(s, 1, 1, 1000, 1000);
	check_details_refused(s, 1000);
	scene_release(s);
}

TEST(an_unknown_hash_is_refused)
{
	struct scene *s = scene();

	/* B4.failure_messages.33 B4.failure_messages.34 B4.basic_multi_part_payments.11 */
	part(s, 1, 0, 1000, 1000);
	check_details_refused(s, 1000);
	scene_release(s);
}

/* Our invoices ask for none: what a payer sends all the same is his own affair, in a set too, where it need not even agree. */
TEST(metadata_that_nobody_asked_for_changes_nothing)
{
	struct scene *s = scene();
	struct receive_htlc first = htlc(1, 0, 400), second = htlc(1, 1, 600);
	struct payload p = payload(1, 400, 1000);

	add(s, 1, "one", 1000);
	p.has_metadata = true;
	p.metadata = BYTES("meta", 4);
	hand_in(s, &first, &p);
	p = payload(1, 600, 1000);
	p.has_metadata = true;
	p.metadata = BYTES("data", 4);
	hand_in(s, &second, &p);
	check_fulfilled(s, 1, 2);
	scene_release(s);
}

TEST(the_secret_is_required)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = payload(1, 1000, 1000);

	add(s, 1, "one", 1000);
	/* B4.failure_messages.29 B4.failure_messages.30 B11.tagged_fields.28 */
	p.secret.v[31] ^= 1;
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	p = payload(1, 1000, 1000);
	p.has_secret = false;
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	/* B4.basic_multi_part_payments.19: in a set, too. */
	p = payload(1, 400, 1000);
	p.has_secret = false;
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	p = payload(1, 1000, 1000);
	hand_in(s, &h, &p);
	check_fulfilled(s, 1, 1);
	scene_release(s);
}

TEST(the_amount_is_at_least_and_at_most_twice)
{
	struct scene *s = scene();

	add(s, 1, "one", 1000);
	add(s, 2, "two", 1000);
	/* B4.failure_messages.31 B4.failure_messages.32 */
	part(s, 1, 0, 999, 999);
	check_details_refused(s, 999);
	/* B4.failure_messages.35 B4.failure_messages.36 */
	part(s, 1, 0, 2001, 2001);
	check_details_refused(s, 2001);
	part(s, 1, 0, 2000, 2000);
	check_fulfilled(s, 1, 1);
	part(s, 2, 0, 1000, 1000);
	check_fulfilled(s, 2, 1);
	/* Any amount but none. */
	add(s, 3, "any", 0);
	part(s, 3, 0, 5, 0);
	check_details_refused(s, 5);
	part(s, 3, 0, 5, 5);
	check_fulfilled(s, 3, 1);
	scene_release(s);
}

/* B2.cltv_expiry_delta.6: whatever the invoice asks for. */
TEST(what_cannot_be_claimed_in_time_is_refused)
{
	struct receive_config c = config();
	struct scene *s;
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = payload(1, 1000, 1000);

	c.take_blocks_min = 20;
	s = scene_of(&c);
	(void)add(s, 1, "one", 1000);
	h.cltv_expiry = p.cltv_expiry = HEIGHT + 19;
	receive_htlc(s->receive, &s->step, &h, &p, &s->verdicts);
	CHECK(!only_verdict(s)->fulfil);
	CHECK_EQ(only_verdict(s)->why.code, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
	next_step(s);
	h.cltv_expiry = p.cltv_expiry = HEIGHT + 20;
	receive_htlc(s->receive, &s->step, &h, &p, &s->verdicts);
	CHECK(only_verdict(s)->fulfil);
	scene_release(s);
}

TEST(the_expiry_leaves_time)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = payload(1, 1000, 1000);

	add(s, 1, "one", 1000);
	/* B4.failure_messages.37 B4.failure_messages.38 B4.packet_structure.57: 17 blocks where 18 are asked. */
	h.cltv_expiry = p.cltv_expiry = HEIGHT + 17;
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	h.cltv_expiry = p.cltv_expiry = UINT32_MAX;
	hand_in(s, &h, &p);
	check_fulfilled(s, 1, 1);
	scene_release(s);
}

TEST(the_htlc_keeps_to_its_payload)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = payload(1, 1000, 1000);

	add(s, 1, "one", 1000);
	/* B4.failure_messages.39 B4.packet_structure.56 */
	p.cltv_expiry = HEIGHT + 19;
	hand_in(s, &h, &p);
	CHECK(!only_verdict(s)->fulfil);
	CHECK_EQ(only_verdict(s)->why.code, FAIL_FINAL_INCORRECT_CLTV_EXPIRY);
	CHECK_EQ(only_verdict(s)->why.u.final_incorrect_cltv_expiry.cltv_expiry, HEIGHT + 18);
	/* B4.failure_messages.40 B4.packet_structure.55 */
	p.cltv_expiry = HEIGHT + 18;
	h.amount = MSAT(999);
	hand_in(s, &h, &p);
	CHECK_EQ(only_verdict(s)->why.code, FAIL_FINAL_INCORRECT_HTLC_AMOUNT);
	CHECK_EQ(only_verdict(s)->why.u.final_incorrect_htlc_amount.incoming_htlc_amt.v, 999);
	/* B4.failure_messages.5: with both faults the first of the list, and before them the details. */
	p.cltv_expiry = HEIGHT + 19;
	hand_in(s, &h, &p);
	CHECK_EQ(only_verdict(s)->why.code, FAIL_FINAL_INCORRECT_CLTV_EXPIRY);
	p.has_secret = false;
	hand_in(s, &h, &p);
	check_details_refused(s, 999);
	scene_release(s);
}

TEST(an_expired_invoice_is_not_paid)
{
	struct scene *s = scene();
	const struct received_invoice *i = add(s, 1, "one", 1000);

	s->step.now_ms = START_MS + 3599999;
	CHECK_EQ(receive_state(i, s->step.now_ms), INVOICE_UNPAID);
	s->step.now_ms++;
	CHECK_EQ(receive_state(i, s->step.now_ms), INVOICE_EXPIRED);
	/* B11.payer_payee_requirements.4 */
	part(s, 1, 0, 1000, 1000);
	check_details_refused(s, 1000);
	scene_release(s);
}

TEST(a_set_is_fulfilled_whole)
{
	struct scene *s = scene();
	const struct received_invoice *i = add(s, 1, "one", 1000);

	/* B4.basic_multi_part_payments.13 B4.basic_multi_part_payments.16: nothing yet. */
	part(s, 1, 0, 400, 1000);
	CHECK_EQ(count_verdicts(s), 0);
	part(s, 1, 1, 599, 1000);
	CHECK_EQ(count_verdicts(s), 0);
	CHECK_EQ(receive_state(i, START_MS), INVOICE_UNPAID);
	/* B4.basic_multi_part_payments.15 B4.basic_multi_part_payments.20: all three, in one step, with more than was
	 * promised. */
	part(s, 1, 2, 5, 1000);
	check_fulfilled(s, 1, 3);
	CHECK_EQ(s->verdicts.head->htlc_id, 0);
	CHECK_EQ(s->verdicts.last->htlc_id, 2);
	CHECK_EQ(i->r.received.v, 1004);
	CHECK_EQ(i->r.parts, 3);
	receive_flush(s->receive, &s->step);
	CHECK_EQ(receive_deadline(s->receive), UINT64_MAX);
	scene_release(s);
}

/* What counts is amt_to_forward; a generous node before us does not complete a set. */
TEST(a_set_counts_what_the_sender_said)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = payload(1, 400, 1000);

	add(s, 1, "one", 1000);
	hand_in(s, &h, &p);
	CHECK_EQ(count_verdicts(s), 0);
	part(s, 1, 1, 600, 1000);
	check_fulfilled(s, 1, 2);
	CHECK_EQ(receive_by_label(s->receive, "one")->r.received.v, 1600);
	scene_release(s);
}

TEST(a_set_has_one_total)
{
	struct scene *s = scene();

	add(s, 1, "one", 1000);
	part(s, 1, 0, 400, 1000);
	/* B4.basic_multi_part_payments.14 */
	part(s, 1, 1, 400, 1001);
	CHECK_EQ(count_verdicts(s), 2);
	for (struct receive_verdict *v = s->verdicts.head; v; v = v->next) {
		CHECK(!v->fulfil);
		CHECK_EQ(v->why.code, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
		CHECK_EQ(v->why.u.payment_details.htlc_msat.v, 400);
	}
	/* The next set is another one. */
	part(s, 1, 2, 1000, 1000);
	check_fulfilled(s, 1, 1);
	scene_release(s);
}

TEST(a_set_waits_sixty_seconds)
{
	struct scene *s = scene();

	add(s, 1, "one", 1000);
	part(s, 1, 0, 400, 1000);
	s->step.now_ms += 30000;
	part(s, 1, 1, 400, 1000);
	/* B4.basic_multi_part_payments.17: from the first HTLC on. */
	CHECK_EQ(receive_deadline(s->receive), START_MS + 60000);
	s->step.now_ms = START_MS + 59999;
	next_step(s);
	receive_tick(s->receive, &s->step, &s->verdicts);
	CHECK_EQ(count_verdicts(s), 0);
	s->step.now_ms++;
	receive_tick(s->receive, &s->step, &s->verdicts);
	CHECK_EQ(count_verdicts(s), 2);
	/* B4.basic_multi_part_payments.18 */
	for (struct receive_verdict *v = s->verdicts.head; v; v = v->next) {
		CHECK(!v->fulfil);
		CHECK_EQ(v->why.code, FAIL_MPP_TIMEOUT);
	}
	part(s, 1, 2, 1000, 1000);
	check_fulfilled(s, 1, 1);
	scene_release(s);
}

TEST(sets_time_out_in_order)
{
	struct scene *s = scene();

	for (uint8_t v = 1; v <= 3; v++) {
		add(s, v, (const char[2]){ (char)('a' + v), 0 }, 1000);
		part(s, v, v, 400, 1000);
		s->step.now_ms += 1000;
	}
	s->step.now_ms = START_MS + 61000;
	next_step(s);
	receive_tick(s->receive, &s->step, &s->verdicts);
	CHECK_EQ(count_verdicts(s), 2);
	CHECK_EQ(receive_deadline(s->receive), START_MS + 62000);
	scene_release(s);
}

TEST(an_htlc_twice_is_one)
{
	struct scene *s = scene();

	add(s, 1, "one", 1000);
	part(s, 1, 0, 500, 1000);
	part(s, 1, 0, 500, 1000);
	CHECK_EQ(count_verdicts(s), 0);
	part(s, 1, 1, 500, 1000);
	check_fulfilled(s, 1, 2);
	scene_release(s);
}

TEST(an_htlc_that_is_gone_does_not_count)
{
	struct scene *s = scene();

	add(s, 1, "one", 1000);
	part(s, 1, 0, 500, 1000);
	part(s, 1, 1, 300, 1000);
	receive_htlc_gone(s->receive, 7, 0);
	part(s, 1, 2, 500, 1000);
	CHECK_EQ(count_verdicts(s), 0);
	receive_htlc_gone(s->receive, 7, 1);
	receive_htlc_gone(s->receive, 7, 2);
	receive_htlc_gone(s->receive, 7, 99);
	CHECK_EQ(receive_deadline(s->receive), START_MS + 3600000); /* its invoice's end */
	part(s, 1, 3, 1000, 1000);
	check_fulfilled(s, 1, 1);
	scene_release(s);
}

TEST(a_set_has_a_bound)
{
	struct scene *s = scene();

	add(s, 1, "one", 100000);
	for (uint64_t id = 0; id < RECEIVE_PARTS_MAX; id++)
		part(s, 1, id, 1, 100000);
	CHECK_EQ(count_verdicts(s), 0);
	part(s, 1, RECEIVE_PARTS_MAX, 1, 100000);
	CHECK_EQ(count_verdicts(s), RECEIVE_PARTS_MAX + 1);
	CHECK(!s->verdicts.head->fulfil && !s->verdicts.last->fulfil);
	scene_release(s);
}

static struct payload keysend_payload(uint8_t v, uint64_t amount)
{
	struct payload p = payload(v, amount, amount);

	p.has_secret = false;
	p.has_keysend = true;
	p.keysend = preimage_of(v);
	return p;
}

TEST(keysend_is_received)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = keysend_payload(1, 1000);
	struct tlv_record custom = { 65537, BYTES("hi", 2), 0 };
	const struct received_invoice *i;

	p.custom = &custom;
	p.custom_count = 1;
	hand_in(s, &h, &p);
	check_fulfilled(s, 1, 1);
	i = receive_by_hash(s->receive, &h.payment_hash);
	CHECK_EQ(i->r.kind, INVOICE_KEYSEND);
	CHECK_EQ(receive_state(i, START_MS), INVOICE_PAID);
	CHECK_EQ(i->r.received.v, 1000);
	CHECK_HEX(i->r.custom, "fe00010001026869");
	/* Not twice. */
	h.htlc_id = 1;
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	scene_release(s);
}

/* bLIP 3: incorrect_or_unknown_payment_details. */
TEST(keysend_is_refused)
{
	struct receive_config c = config();
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = keysend_payload(2, 1000);
	char label[80] = "keysend-";

	hand_in(s, &h, &p); /* another preimage */
	check_details_refused(s, 1000);
	p = keysend_payload(1, 1000);
	/* B4.basic_multi_part_payments.12: the rest would need a secret. */
	for (uint64_t total = 999; total <= 1001; total += 2) {
		p.total = MSAT(total);
		hand_in(s, &h, &p);
		check_details_refused(s, 1000);
	}
	p = keysend_payload(1, 1000);
	h.cltv_expiry = p.cltv_expiry = HEIGHT + 17;
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	h.cltv_expiry = HEIGHT + 18;
	p.cltv_expiry = HEIGHT + 19;
	hand_in(s, &h, &p);
	CHECK_EQ(only_verdict(s)->why.code, FAIL_FINAL_INCORRECT_CLTV_EXPIRY);
	p.cltv_expiry = HEIGHT + 18;
	h.amount = MSAT(999);
	hand_in(s, &h, &p);
	CHECK_EQ(only_verdict(s)->why.code, FAIL_FINAL_INCORRECT_HTLC_AMOUNT);
	/* A user's label stands in the way: refused, nothing broken. */
	h.amount = MSAT(1000);
	hex_encode(label + 8, h.payment_hash.v, 32);
	strcpy(label + 8 + 64, ".2");
	add(s, 9, label, 1);
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	scene_release(s);

	/* Nobody fills our disk for nothing: the least that is taken, and one less. */
	c.keysend_min = MSAT(1001);
	s = scene_of(&c);
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	CHECK(!receive_by_hash(s->receive, &h.payment_hash));
	h = htlc(1, 0, 1001);
	p = keysend_payload(1, 1001);
	hand_in(s, &h, &p);
	check_fulfilled(s, 1, 1);
	scene_release(s);

	c.accept_keysend = false;
	s = scene_of(&c);
	hand_in(s, &h, &p);
	check_details_refused(s, 1001);
	scene_release(s);
}

/* The preimage in the onion does not replace the secret of an invoice. */
TEST(keysend_does_not_pay_an_invoice)
{
	struct scene *s = scene();
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = keysend_payload(1, 1000);

	add(s, 1, "one", 5000);
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	scene_release(s);
}

/* What a claim of these names gets; it is given up again. */
static enum reply_code claim(struct scene *s, uint8_t v, const char *label)
{
	struct sha256 hash = hash_of(v);
	struct receive_claim *c;
	enum reply_code code = receive_claim(s->receive, &s->step, &c, label, &hash);

	CHECK_EQ(code == REPLY_OK, c != NULL);
	if (c)
		receive_unclaim(s->receive, c);
	return code;
}

TEST(labels_hashes_and_numbers_are_limited)
{
	struct scene *s = scene();
	char *label = test_alloc(RECEIVE_LABEL_MAX + 2);

	add(s, 1, "one", 1000);
	CHECK_EQ(claim(s, 2, "one"), REPLY_INVOICE_LABEL);
	CHECK_EQ(claim(s, 1, "two"), REPLY_INVOICE_PREIMAGE);
	memset(label, 'x', RECEIVE_LABEL_MAX + 1);
	CHECK_EQ(claim(s, 2, label), REPLY_INVOICE_LABEL);
	label[RECEIVE_LABEL_MAX] = 0;
	CHECK_EQ(claim(s, 2, label), REPLY_OK);
	for (uint8_t v = 2; v <= 10; v++)
		add(s, v, (const char[2]){ (char)('a' + v), 0 }, 1000);
	CHECK_EQ(claim(s, 11, "eleven"), REPLY_FAILED);
	/* One that is paid, and those that have expired, make room. */
	part(s, 1, 0, 1000, 1000);
	CHECK_EQ(claim(s, 11, "eleven"), REPLY_OK);
	add(s, 11, "eleven", 1000);
	CHECK_EQ(claim(s, 12, "twelve"), REPLY_FAILED);
	s->step.now_ms += 3600000;
	CHECK_EQ(claim(s, 12, "twelve"), REPLY_OK);
	scene_release(s);
}

/* While an invoice is being made its names are taken, and it counts. */
TEST(names_are_claimed_before_they_are_stored)
{
	struct scene *s = scene();
	struct sha256 hash = hash_of(1);
	struct receive_htlc h = htlc(1, 0, 1000);
	struct payload p = payload(1, 1000, 1000);
	struct receive_claim *c, *others[9];

	CHECK_EQ(receive_claim(s->receive, &s->step, &c, "one", &hash), REPLY_OK);
	CHECK_EQ(claim(s, 2, "one"), REPLY_INVOICE_LABEL);
	CHECK_EQ(claim(s, 1, "two"), REPLY_INVOICE_PREIMAGE);
	/* Nobody pays what was not told to anybody; a preimage in the onion does not either. */
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	p.has_keysend = true;
	p.keysend = preimage_of(1);
	hand_in(s, &h, &p);
	check_details_refused(s, 1000);
	for (uint8_t v = 0; v < 9; v++) {
		hash = hash_of(10 + v);
		CHECK_EQ(receive_claim(s->receive, &s->step, &others[v], (const char[2]){ (char)('a' + v), 0 }, &hash), REPLY_OK);
	}
	CHECK_EQ(claim(s, 30, "thirty"), REPLY_FAILED);
	receive_unclaim(s->receive, c);
	CHECK_EQ(claim(s, 1, "one"), REPLY_OK);
	/* What is claimed when the machine is freed is freed with it. */
	scene_release(s);
}

TEST(waiters_are_told)
{
	struct scene *s = scene();
	struct sha256 hash = hash_of(1);

	add(s, 1, "one", 1000);
	add(s, 2, "two", 1000);
	next_step(s);
	receive_wait(s->receive, &s->step, 50, "none");
	CHECK(reply_to(&s->effects, 50)->u.invoice_entry.past); /* or nowhere */
	receive_wait(s->receive, &s->step, 51, "one");
	receive_wait(s->receive, &s->step, 52, "one");
	receive_wait(s->receive, &s->step, 53, "two");
	receive_wait(s->receive, &s->step, 54, "one");
	CHECK_EQ(count_effects(&s->effects, EFFECT_REPLY), 1);
	receive_call_gone(s->receive, 52);
	part(s, 1, 0, 1000, 1000);
	CHECK_EQ(count_effects(&s->effects, EFFECT_REPLY), 2);
	CHECK_EQ(reply_to(&s->effects, 51)->code, REPLY_OK);
	CHECK(bytes_equal(BYTES(reply_to(&s->effects, 51)->u.invoice_entry.key.data + 8, 32), BYTES_OF(hash.v)));
	CHECK_EQ(reply_to(&s->effects, 54)->code, REPLY_OK);
	/* Paid already: at once. */
	next_step(s);
	receive_wait(s->receive, &s->step, 55, "one");
	CHECK_EQ(reply_to(&s->effects, 55)->code, REPLY_OK);
	/* The other one expires. */
	receive_flush(s->receive, &s->step);
	CHECK_EQ(receive_deadline(s->receive), START_MS + 3600000);
	s->step.now_ms = START_MS + 3600000;
	next_step(s);
	receive_tick(s->receive, &s->step, &s->verdicts);
	CHECK_EQ(reply_to(&s->effects, 53)->code, REPLY_INVOICE_EXPIRED);
	CHECK_EQ(receive_deadline(s->receive), 0); /* there is something to put away */
	receive_flush(s->receive, &s->step);
	CHECK_EQ(receive_deadline(s->receive), UINT64_MAX);
	next_step(s);
	receive_wait(s->receive, &s->step, 56, "two");
	CHECK(reply_to(&s->effects, 56)->u.invoice_entry.past);
	/* One that waits when the machine is freed. */
	add(s, 3, "three", 1);
	receive_wait(s->receive, &s->step, 57, "three");
	scene_release(s);
}

TEST(our_own_invoice_is_paid_without_htlc)
{
	struct scene *s = scene();
	struct sha256 hash = hash_of(1), other = hash_of(2), third = hash_of(3);
	struct secret32 secret = secret_of(1), secret3 = secret_of(3);
	struct preimage preimage, want = preimage_of(1);

	add(s, 1, "one", 1000);
	add(s, 3, "three", 1000);
	CHECK_EQ(receive_from_self(s->receive, &s->step, &preimage, &other, &secret, MSAT(1000)), REPLY_INVOICE_UNKNOWN);
	CHECK_EQ(receive_from_self(s->receive, &s->step, &preimage, &hash, &secret3, MSAT(1000)), REPLY_PAY_DESTINATION);
	CHECK_EQ(receive_from_self(s->receive, &s->step, &preimage, &hash, &secret, MSAT(999)), REPLY_PAY_DESTINATION);
	next_step(s);
	CHECK_EQ(receive_from_self(s->receive, &s->step, &preimage, &hash, &secret, MSAT(1000)), REPLY_OK);
	CHECK(SAME(preimage, want));
	CHECK_EQ(count_effects(&s->effects, EFFECT_PERSIST), 1);
	CHECK_EQ(receive_from_self(s->receive, &s->step, &preimage, &hash, &secret, MSAT(1000)), REPLY_PAY_DESTINATION);
	/* Not while somebody else is paying it. */
	part(s, 3, 0, 400, 1000);
	CHECK_EQ(receive_from_self(s->receive, &s->step, &preimage, &third, &secret3, MSAT(1000)), REPLY_PAY_DESTINATION);
	s->step.now_ms += 3600000;
	CHECK_EQ(receive_from_self(s->receive, &s->step, &preimage, &third, &secret3, MSAT(1000)), REPLY_INVOICE_EXPIRED);
	scene_release(s);
}

/* The last record of each invoice that a step stored. */
static void carry_over(const struct scene *from, struct scene *to)
{
	for (struct effect *e = from->effects.head; e; e = e->next)
		if (e->kind == EFFECT_PERSIST)
			CHECK(receive_load(to->receive, e->u.persist.key, e->u.persist.value));
}

TEST(records_bring_invoices_back)
{
	struct scene *s = scene(), *back = scene(), *paid = scene();
	const struct received_invoice *i;
	struct sha256 hash = hash_of(1);
	uint32_t at = 0;

	add(s, 1, "one", 1000);
	add(s, 2, "two", 0);
	carry_over(s, back);
	i = receive_by_label(back->receive, "one");
	CHECK(SAME(i->payment_hash, hash));
	CHECK_EQ(i->r.amount.v, 1000);
	CHECK(bytes_equal(i->r.description, BYTES("tea", 3)));
	CHECK(bytes_equal(i->r.bolt11, BYTES("lnbcrt1", 7)));
	CHECK(receive_by_label(back->receive, "two")->r.any_amount);
	CHECK(receive_next(back->receive, &at) && receive_next(back->receive, &at) && !receive_next(back->receive, &at));
	/* A restart between two parts: the channel shows both again. */
	part(back, 1, 0, 400, 1000);
	part(back, 1, 1, 600, 1000);
	check_fulfilled(back, 1, 2);
	carry_over(back, paid);
	CHECK_EQ(receive_state(receive_by_hash(paid->receive, &hash), START_MS), INVOICE_PAID);
	CHECK_EQ(receive_last_paid_index(paid->receive), 1);
	part(paid, 1, 5, 1000, 1000);
	check_details_refused(paid, 1000);
	/* Numbers go on where they stopped. */
	CHECK_EQ(add(paid, 9, "nine", 1)->r.created_index, 2);
	scene_release(s);
	scene_release(back);
	scene_release(paid);
}

TEST(damaged_records_are_refused)
{
	struct scene *s = scene(), *back = scene();
	struct effect *e;
	struct buf value = BUF_EMPTY;

	add(s, 1, "one", 1000);
	e = s->effects.head;
	for (size_t size = 0; size < e->u.persist.value.size; size++)
		CHECK(!receive_load(back->receive, e->u.persist.key, BYTES(e->u.persist.value.data, size)));
	CHECK(!receive_load(back->receive, BYTES(e->u.persist.key.data, 31), e->u.persist.value));
	/* Another hash than the preimage's. */
	((uint8_t *)e->u.persist.key.data)[0] ^= 1;
	CHECK(!receive_load(back->receive, e->u.persist.key, e->u.persist.value));
	((uint8_t *)e->u.persist.key.data)[0] ^= 1;
	CHECK(receive_load(back->receive, e->u.persist.key, e->u.persist.value));
	CHECK(!receive_load(back->receive, e->u.persist.key, e->u.persist.value));
	buf_release(&value);
	scene_release(s);
	scene_release(back);
}
