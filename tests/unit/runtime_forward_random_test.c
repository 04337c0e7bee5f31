/* Many payments through b both ways, whatever happens meanwhile: lines cut, processes killed, signers late, messages in any
 * order between the lines.  In the end each payment has one end, the same for payer and payee, and b has its fees. */
#include "tests/unit/node_three.h"

#include <stdlib.h>

#define STEPS 1500u
#define PAYMENTS 40u

struct sent {
	bool back;          /* from c to a */
	struct way way;
	uint64_t fee;
};

static struct drbg chance;
static struct sent sents[PAYMENTS];
static uint32_t sent_count;

static uint32_t below(uint32_t limit)
{
	uint32_t v;

	drbg_fill(&chance, (uint8_t *)&v, sizeof(v));
	return v % limit;
}

/* The same route the other way round. */
static struct way way_to_a(const struct bill *bill)
{
	struct way w = way_to_c(bill);

	w.hops[1].node = a.id;
	w.hops[1].scid = channel_record_of(channel_between(&b, &a))->scid;
	return w;
}

static void pay_some(void)
{
	struct sent *s = &sents[sent_count];
	struct bill bill;
	uint64_t msat = below(3) ? 1 + below(4000000) : 1 + below(20000000);
	struct rig *payee;
	bool late;

	if (sent_count == PAYMENTS)
		return;
	s->back = below(2);
	payee = s->back ? &a : &c;
	/* The invoice itself is none of this test's business. */
	late = payee->signer_late;
	payee->signer_late = false;
	bill = bill_of(payee, msat, NULL);
	payee->signer_late = late;
	s->way = s->back ? way_to_a(&bill) : way_to_c(&bill);
	s->fee = fee_of_b(MSAT(msat)).v;
	/* Some that b refuses, some that the payee does. */
	if (below(8) == 0 && s->fee)
		s->way.hops[0].amount.v--;
	if (below(8) == 0)
		s->way.bill.secret.v[0] ^= 1;
	(void)order_way(s->back ? &c : &a, &s->way);
	sent_count++;
}

static void deliver_any(void)
{
	struct { struct rig *from, *to; uint64_t connection; } ways[] = { { &a, &b, ab }, { &c, &b, bc }, { &b, &a, ab }, { &b, &c, bc } };
	uint32_t first = below(4);

	for (uint32_t k = 0; k < 4; k++) {
		uint32_t w = (first + k) % 4;

		for (struct rig_item *i = ways[w].from->head; i; i = i->next)
			if (i->kind == EFFECT_SEND && i->id == ways[w].connection) {
				rig_unlink(ways[w].from, i);
				rig_message(ways[w].to, i->id, i->data);
				return;
			}
	}
}

static void one_step(void)
{
	struct rig *rigs[] = { &a, &b, &c };
	struct rig *r = rigs[below(3)];

	switch (below(80)) {
	case 0:
		row_restart(r);
		return;
	case 1:
		row_reconnect();
		return;
	case 2:
		r->signer_late = !r->signer_late;
		return;
	case 3: case 4: case 5: case 6: case 7: case 8: case 9: case 10: case 11: case 12:
		(void)rig_signer_tick(r);
		return;
	case 13: case 14: case 15:
		pay_some();
		return;
	default:
		deliver_any();
	}
}

static void come_to_rest(void)
{
	struct rig *rigs[] = { &a, &b, &c };

	for (int i = 0; i < 3; i++)
		rigs[i]->signer_late = false;
	for (int round = 0; round < 6; round++) {
		for (int k = 0; k < 8; k++)
			for (int i = 0; i < 3; i++)
				(void)rig_signer_tick(rigs[i]);
		row_reconnect();
		row_pump();
	}
}

static void check_books(uint64_t b_start)
{
	uint64_t earned = 0;

	row_is_quiet();
	for (uint32_t i = 0; i < sent_count; i++) {
		const struct sent *s = &sents[i];
		const struct record_payment *p = rig_payment(s->back ? &c : &a, &s->way.bill.hash);
		bool paid = row_invoice_state(s->back ? &a : &c, &s->way.bill) == INVOICE_PAID;

		CHECK(!p || p->state != PAYMENT_PENDING);
		CHECK_EQ(paid, p && p->state == PAYMENT_COMPLETE);
		if (paid)
			earned += s->way.hops[0].amount.v - s->way.hops[1].amount.v;
	}
	CHECK_EQ(channel_to_us(channel_between(&b, &a)).v + channel_to_us(channel_between(&b, &c)).v, b_start + earned);
	CHECK_EQ(channel_state_of(channel_between(&b, &a)), CHANNELD_NORMAL);
	CHECK_EQ(channel_state_of(channel_between(&b, &c)), CHANNELD_NORMAL);
}

static uint32_t run(uint32_t seed)
{
	uint8_t seed32[32] = { 0 };
	struct bill bill;
	struct way w;
	uint64_t start;
	uint32_t paid = 0;

	store_be32(seed32, seed);
	drbg_init(&chance, seed32);
	sent_count = 0;
	row();
	/* So that there is something on every side. */
	bill = bill_of(&c, 300000000, NULL);
	w = way_to_c(&bill);
	CHECK_EQ(pay_way(&a, &w)->code, REPLY_OK);
	start = channel_to_us(channel_between(&b, &a)).v + channel_to_us(channel_between(&b, &c)).v;
	for (uint32_t i = 0; i < STEPS; i++)
		one_step();
	come_to_rest();
	check_books(start);
	for (uint32_t i = 0; i < sent_count; i++)
		paid += row_invoice_state(sents[i].back ? &a : &c, &sents[i].way.bill) == INVOICE_PAID;
	return paid;
}

TEST(whatever_happens_the_books_are_right)
{
	const char *one = getenv("LAMPO_SEED"), *many = getenv("LAMPO_SEEDS");
	uint32_t seeds = many ? (uint32_t)atoi(many) : 12, paid = 0;

	if (one) {
		(void)run((uint32_t)atoi(one));
		return;
	}
	for (uint32_t seed = 0; seed < seeds; seed++)
		paid += run(seed);
	/* It is not all in vain. */
	CHECK(paid > seeds * 3);
}
