/* Two whole nodes, a and b, and what users order of them. */
#ifndef TESTS_NODE_PAIR_H
#define TESTS_NODE_PAIR_H

#include "tests/test.h"
#include "tests/unit/node_setup.h"

static struct rig a, b;

static inline void begin(void)
{
	rig_free(&a);
	rig_free(&b);
	rig_init(&a, 1);
	rig_init(&b, 2);
}

/* Both start, and are connected. */
static inline void meet(void)
{
	rig_start(&a);
	rig_start(&b);
	rig_link(&a, &b, 1);
	rig_pump(&a, &b, 1);
}

static inline void one(void)
{
	begin();
	rig_start(&a);
}

static inline struct rig_item *took(struct rig *r, enum effect_kind kind)
{
	struct rig_item *i = rig_take(r, kind);

	CHECK(i);
	return i;
}

static inline const struct reply *reply_of(struct rig *r, uint64_t call)
{
	const struct reply *reply = rig_reply(r, call);

	CHECK(reply);
	return reply;
}

static inline enum reply_code code_of(struct rig *r, uint64_t call)
{
	const struct reply *reply = reply_of(r, call);

	CHECK(reply->code == REPLY_OK || (reply->message && reply->message[0]));
	return reply->code;
}

static inline uint64_t order_connect(struct rig *r, const struct pubkey *peer, const char *host)
{
	struct command c = { .kind = COMMAND_CONNECT };

	c.u.connect.peer = *peer;
	c.u.connect.host = host;
	c.u.connect.port = 9735;
	return rig_command(r, &c);
}

static inline uint64_t order_open(struct rig *r, const struct pubkey *peer, uint64_t sat)
{
	struct command c = { .kind = COMMAND_FUND_CHANNEL };

	c.u.fund_channel.peer = *peer;
	c.u.fund_channel.amount = SAT(sat);
	return rig_command(r, &c);
}

/* a's order for a channel to b becomes a transaction with one block, on both sides.  Returns it. */
static inline struct bytes mine_funding(uint64_t connection, uint64_t call)
{
	struct bytes funding;

	rig_pump(&a, &b, connection);
	funding = rig_accept_broadcasts(&a);
	CHECK(funding.size);
	CHECK_EQ(code_of(&a, call), REPLY_OK);
	rig_block(&a, &funding, 1);
	rig_block(&b, &funding, 1);
	return funding;
}

/* a opens a channel to b, which confirms three deep on both sides.  Returns the funding transaction. */
static inline struct bytes open_one(uint64_t connection, uint64_t sat)
{
	struct bytes funding = mine_funding(connection, order_open(&a, &b.id, sat));

	rig_blocks(&a, 5);
	rig_blocks(&b, 5);
	rig_pump(&a, &b, connection);
	return funding;
}

static inline void two(void)
{
	begin();
	meet();
	(void)open_one(1, 1000000);
	CHECK_EQ(channel_state_of(rig_channel(&a)), CHANNELD_NORMAL);
	CHECK_EQ(channel_state_of(rig_channel(&b)), CHANNELD_NORMAL);
	CHECK(channel_is_usable(rig_channel(&a)) && channel_is_usable(rig_channel(&b)));
	rig_forget(&a);
	rig_forget(&b);
}

static inline uint64_t order_invoice(struct rig *r, const char *label, uint64_t msat)
{
	struct command c = { .kind = COMMAND_INVOICE };

	c.u.invoice.any_amount = msat == 0;
	c.u.invoice.amount = MSAT(msat);
	c.u.invoice.label = label;
	c.u.invoice.description = "a cup";
	c.u.invoice.expiry_s = 3600;
	return rig_command(r, &c);
}

/* The invoice's text, of a call that succeeded. */
static inline const char *bolt11_of(struct rig *r, uint64_t call)
{
	CHECK_EQ(code_of(r, call), REPLY_OK);
	return reply_of(r, call)->u.invoice.bolt11;
}

static inline uint64_t order_pay(struct rig *r, const char *bolt11, uint64_t msat)
{
	struct command c = { .kind = COMMAND_PAY };

	c.u.pay.bolt11 = bolt11;
	c.u.pay.has_amount = msat != 0;
	c.u.pay.amount = MSAT(msat);
	return rig_command(r, &c);
}

static inline enum payment_state payment_state_of(struct rig *r, const struct sha256 *hash)
{
	const struct record_payment *p = rig_payment(r, hash);

	CHECK(p);
	return (enum payment_state)p->state;
}

static inline enum invoice_state invoice_state_of(struct rig *r, const struct sha256 *hash)
{
	struct record_invoice v = rig_invoice(r, hash);

	return receive_record_state(&v, r->now_ms);
}

#endif
