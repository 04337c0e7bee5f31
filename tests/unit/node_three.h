/* Three whole nodes in a row, a - b - c, with a channel from a to b and one from b to c: b forwards.  What users order
 * of them, and payments along the row. */
#ifndef TESTS_NODE_THREE_H
#define TESTS_NODE_THREE_H

#include "node/deadlines.h"
#include "tests/test.h"
#include "tests/unit/node_setup.h"

static struct rig a, b, c;

/* Connections, between a and b and between b and c. */
static uint64_t ab, bc;

#define ROW_SAT 1000000u

/* Until all three are silent. */
static inline void row_pump(void)
{
	bool moved = true;

	while (moved) {
		moved = rig_pump_some(&a, &b, ab);
		moved = rig_pump_some(&b, &c, bc) || moved;
	}
}

/* Hands on one message: from a or c to b where there is one, else one of b's.  False if all are silent. */
static inline bool row_deliver_one(void)
{
	struct { struct rig *from, *to; uint64_t connection; } ways[] = { { &a, &b, ab }, { &c, &b, bc }, { &b, &a, ab }, { &b, &c, bc } };

	for (size_t w = 0; w < ARRAY_COUNT(ways); w++)
		for (struct rig_item *i = ways[w].from->head; i; i = i->next)
			if (i->kind == EFFECT_SEND && i->id == ways[w].connection) {
				rig_unlink(ways[w].from, i);
				rig_message(ways[w].to, i->id, i->data);
				return true;
			}
	return false;
}

static inline void row_connect(void)
{
	static uint64_t connections;

	ab = ++connections;
	bc = ++connections;
	rig_link(&a, &b, ab);
	rig_link(&b, &c, bc);
}

/* Every line is cut and made again; what was under way is lost. */
static inline void row_reconnect(void)
{
	rig_unlink_both(&a, &b, ab);
	rig_unlink_both(&b, &c, bc);
	row_connect();
}

/* The process of one of them dies and starts again. */
static inline void row_restart(struct rig *r)
{
	if (r != &a)
		rig_disconnected(r == &b ? &a : &b, r == &b ? ab : bc);
	if (r != &c)
		rig_disconnected(r == &b ? &c : &b, r == &b ? bc : ab);
	rig_restart(r);
	if (r == &a)
		rig_unlink_both(&b, &c, bc);
	if (r == &c)
		rig_unlink_both(&a, &b, ab);
	row_connect();
}

static inline void row_blocks(uint32_t count)
{
	while (count--) {
		rig_block(&a, NULL, 0);
		rig_block(&b, NULL, 0);
		rig_block(&c, NULL, 0);
	}
}

static inline void row_tick(uint64_t milliseconds)
{
	rig_tick(&a, milliseconds);
	rig_tick(&b, milliseconds);
	rig_tick(&c, milliseconds);
}

static inline const struct channel *channel_between(const struct rig *r, const struct rig *other)
{
	const struct channel *ch;
	uint32_t at = 0;

	while ((ch = node_view_channel(r->node, &at)))
		if (SAME(*channel_peer(ch), other->id))
			return ch;
	return NULL;
}

/* `from` has been ordered to open a channel: it confirms on all three, with so many blocks on top.  Returns the funding transaction. */
static inline struct bytes row_confirm(struct rig *from, uint32_t blocks)
{
	struct bytes funding;

	row_pump();
	funding = rig_accept_broadcasts(from);
	CHECK(funding.size);
	rig_block(&a, &funding, 1);
	rig_block(&b, &funding, 1);
	rig_block(&c, &funding, 1);
	row_blocks(blocks);
	row_pump();
	return funding;
}

/* `from` opens a channel to `to`. */
static inline void row_open(struct rig *from, struct rig *to, uint64_t sat)
{
	struct command order = { .kind = COMMAND_FUND_CHANNEL };

	order.u.fund_channel.peer = to->id;
	order.u.fund_channel.amount = SAT(sat);
	(void)rig_command(from, &order);
	(void)row_confirm(from, 5);
}

/* All three are there and connected, without channels.  The configurations may have been changed after row_begin. */
static inline void row_meet(void)
{
	rig_start(&a);
	rig_start(&b);
	rig_start(&c);
	row_connect();
	row_pump();
}

static inline void row_start(void)
{
	row_meet();
	row_open(&a, &b, ROW_SAT);
	row_open(&b, &c, ROW_SAT);
	CHECK(channel_is_usable(channel_between(&a, &b)) && channel_is_usable(channel_between(&b, &c)));
	rig_forget(&a);
	rig_forget(&b);
	rig_forget(&c);
}

static inline void row_begin(void)
{
	rig_free(&a);
	rig_free(&b);
	rig_free(&c);
	rig_init(&a, 1);
	rig_init(&b, 2);
	rig_init(&c, 3);
}

static inline void row(void)
{
	row_begin();
	row_start();
}

static inline enum reply_code row_code(struct rig *r, uint64_t call)
{
	const struct reply *reply = rig_reply(r, call);

	CHECK(reply);
	CHECK(reply->code == REPLY_OK || (reply->message && reply->message[0]));
	return reply->code;
}

/* An invoice of c: its hash and secret. */
struct bill {
	struct sha256 hash;
	struct secret32 secret;
	struct amount_msat amount;
};

static inline struct bill bill_of(struct rig *r, uint64_t msat, const struct preimage *preimage)
{
	static uint32_t count;
	struct command order = { .kind = COMMAND_INVOICE };
	const struct reply *reply;
	struct bill bill;
	char label[32];

	snprintf(label, sizeof(label), "bill %u", ++count);
	order.u.invoice.amount = MSAT(msat);
	order.u.invoice.label = label;
	order.u.invoice.description = "a cup";
	order.u.invoice.expiry_s = 360000;
	order.u.invoice.has_preimage = preimage != NULL;
	if (preimage)
		order.u.invoice.preimage = *preimage;
	reply = rig_reply(r, rig_command(r, &order));
	CHECK(reply && reply->code == REPLY_OK);
	bill.hash = reply->u.invoice.payment_hash;
	bill.secret = reply->u.invoice.payment_secret;
	bill.amount = MSAT(msat);
	return bill;
}

/* What b takes for an amount, as configured. */
static inline struct amount_msat fee_of_b(struct amount_msat amount)
{
	return MSAT(b.config.forward_fee_base.v + amount.v * b.config.forward_fee_ppm / 1000000);
}

#define LAST_DELAY DEADLINE_FINAL_BLOCKS

/* The route a - b - c as it should be; tests change it. */
struct way {
	struct route_hop hops[2];
	struct bill bill;
	uint64_t part;
	bool has_total;
	struct amount_msat total;
};

static inline struct way way_to_c(const struct bill *bill)
{
	struct way w = { .bill = *bill };

	w.hops[1].node = c.id;
	w.hops[1].scid = channel_record_of(channel_between(&b, &c))->scid;
	w.hops[1].amount = bill->amount;
	w.hops[1].delay = LAST_DELAY;
	w.hops[0].node = b.id;
	w.hops[0].amount = MSAT(bill->amount.v + fee_of_b(bill->amount).v);
	w.hops[0].delay = LAST_DELAY + b.config.forward_cltv_delta;
	return w;
}

/* Along these hops, whatever the way's are. */
static inline uint64_t order_hops(struct rig *r, const struct way *w, const struct route_hop *hops, uint32_t count)
{
	struct command order = { .kind = COMMAND_SENDPAY };

	order.u.sendpay.hops = hops;
	order.u.sendpay.hop_count = count;
	order.u.sendpay.payment_hash = w->bill.hash;
	order.u.sendpay.has_secret = true;
	order.u.sendpay.secret = w->bill.secret;
	order.u.sendpay.part = w->part;
	order.u.sendpay.has_total = w->has_total;
	order.u.sendpay.total = w->total;
	return rig_command(r, &order);
}

static inline uint64_t order_way(struct rig *r, const struct way *w)
{
	return order_hops(r, w, w->hops, 2);
}

static inline uint64_t order_wait(struct rig *r, const struct way *w, uint32_t timeout_s)
{
	struct command order = { .kind = COMMAND_WAIT_SENDPAY };

	order.u.wait_sendpay.payment_hash = w->bill.hash;
	order.u.wait_sendpay.part = w->part;
	order.u.wait_sendpay.has_timeout = timeout_s != 0;
	order.u.wait_sendpay.timeout_s = timeout_s;
	return rig_command(r, &order);
}

/* Sends and waits; the answer that comes once all is silent. */
static inline const struct reply *pay_way(struct rig *r, const struct way *w)
{
	uint64_t sent = order_way(r, w), waits;

	CHECK_EQ(row_code(r, sent), REPLY_OK);
	waits = order_wait(r, w, 0);
	row_pump();
	return rig_reply(r, waits);
}

static inline uint32_t htlcs_of(const struct rig *r)
{
	const struct channel *ch;
	uint32_t at = 0, count = 0;

	while ((ch = node_view_channel(r->node, &at)))
		count += channel_htlc_count(ch);
	return count;
}

/* Nothing is on its way anywhere. */
static inline void row_is_quiet(void)
{
	CHECK_EQ(htlcs_of(&a), 0);
	CHECK_EQ(htlcs_of(&b), 0);
	CHECK_EQ(htlcs_of(&c), 0);
}

static inline enum invoice_state row_invoice_state(struct rig *r, const struct bill *bill)
{
	struct record_invoice v = rig_invoice(r, &bill->hash);

	return receive_record_state(&v, r->now_ms);
}

/* a's payment fails at the hop with that index and code; nobody lost anything. */
static inline void way_ends(const struct way *w, enum reply_code code, uint32_t erring, uint16_t failure)
{
	struct amount_msat before[3] = { channel_to_us(channel_between(&a, &b)), channel_to_us(channel_between(&b, &c)),
					 channel_to_us(channel_between(&c, &b)) };
	const struct reply *reply = pay_way(&a, w);

	CHECK(reply);
	CHECK_EQ(reply->code, code);
	CHECK(reply->u.sendpay.has_failure);
	CHECK_EQ(reply->u.sendpay.failure_code, failure);
	CHECK_EQ(reply->u.sendpay.erring_index, erring);
	if (erring)
		CHECK(SAME(reply->u.sendpay.erring_node, w->hops[erring - 1].node));
	CHECK_EQ(channel_to_us(channel_between(&a, &b)).v, before[0].v);
	CHECK_EQ(channel_to_us(channel_between(&b, &c)).v, before[1].v);
	CHECK_EQ(channel_to_us(channel_between(&c, &b)).v, before[2].v);
	CHECK_EQ(row_invoice_state(&c, &w->bill), INVOICE_UNPAID);
}

/* The same, and nothing is left under way. */
static inline void way_fails(const struct way *w, enum reply_code code, uint32_t erring, uint16_t failure)
{
	way_ends(w, code, erring, failure);
	row_is_quiet();
}

static inline struct way ready(void)
{
	struct bill bill;

	row();
	bill = bill_of(&c, 5000000, NULL);
	return way_to_c(&bill);
}

#endif
