/* A network of whole nodes in one process: 0 pays, 3 is paid, 1 and 2 stand between; 4 is behind 3.
 *
 *	      1
 *	    /   \
 *	   0     3 - 4
 *	    \   /
 *	      2
 *
 * Node 0 knows of the public channels from a log of gossip that it finds when it starts again; nobody gossips. */
#ifndef TESTS_NODE_NET_H
#define TESTS_NODE_NET_H

#include "gossip/log.h"
#include "invoice/invoice.h"
#include "node/state.h"
#include "tests/test.h"
#include "tests/unit/node_setup.h"

#define NET_NODES 5u
#define NET_SAT 1000000u

static struct rig net[NET_NODES];
/* By the smaller number first; 0: no line. */
static uint64_t net_lines[NET_NODES][NET_NODES];
static uint64_t net_last_line;
/* Channels that gossip does not know. */
static bool net_private[NET_NODES][NET_NODES];

static inline bool net_pump_some(void)
{
	bool moved = false;

	for (uint32_t i = 0; i < NET_NODES; i++)
		for (uint32_t k = i + 1; k < NET_NODES; k++)
			if (net_lines[i][k])
				moved = rig_pump_some(&net[i], &net[k], net_lines[i][k]) || moved;
	return moved;
}

/* Until all are silent. */
static inline void net_pump(void)
{
	while (net_pump_some())
		;
}

/* Hands on one message, of the node with the smallest number that has one; false if all are silent. */
static inline bool net_deliver_one(void)
{
	for (uint32_t from = 0; from < NET_NODES; from++)
		for (uint32_t to = 0; to < NET_NODES; to++) {
			const uint64_t line = from < to ? net_lines[from][to] : net_lines[to][from];

			for (struct rig_item *i = line ? net[from].head : NULL; i; i = i->next)
				if (i->kind == EFFECT_SEND && i->id == line) {
					rig_unlink(&net[from], i);
					rig_message(&net[to], line, i->data);
					return true;
				}
		}
	return false;
}

static inline void net_link(uint32_t i, uint32_t k)
{
	net_lines[i][k] = ++net_last_line;
	rig_link(&net[i], &net[k], net_last_line);
}

static inline void net_cut(uint32_t i, uint32_t k)
{
	if (net_lines[i][k])
		rig_unlink_both(&net[i], &net[k], net_lines[i][k]);
	net_lines[i][k] = 0;
}

/* The process of one dies and starts again; its lines are made anew. */
static inline void net_restart(uint32_t i)
{
	bool had[NET_NODES] = { 0 };

	for (uint32_t k = 0; k < NET_NODES; k++) {
		uint64_t *line = i < k ? &net_lines[i][k] : &net_lines[k][i];

		had[k] = *line != 0;
		if (had[k])
			rig_disconnected(&net[k], *line);
		*line = 0;
	}
	rig_restart(&net[i]);
	for (uint32_t k = 0; k < NET_NODES; k++)
		if (had[k])
			net_link(i < k ? i : k, i < k ? k : i);
}

static inline void net_blocks(const struct bytes *tx, uint32_t count)
{
	for (uint32_t b = 0; b < count; b++)
		for (uint32_t i = 0; i < NET_NODES; i++)
			rig_block(&net[i], b ? NULL : tx, b ? 0 : tx != NULL);
}

static inline void net_tick(uint64_t milliseconds)
{
	for (uint32_t i = 0; i < NET_NODES; i++)
		rig_tick(&net[i], milliseconds);
}

static inline const struct channel *net_channel(uint32_t from, uint32_t to)
{
	const struct channel *ch;
	uint32_t at = 0;

	while ((ch = node_view_channel(net[from].node, &at)))
		if (SAME(*channel_peer(ch), net[to].id))
			return ch;
	return NULL;
}

static inline struct scid net_scid(uint32_t i, uint32_t k)
{
	return channel_record_of(net_channel(i, k))->scid;
}

static inline void net_open(uint32_t from, uint32_t to, uint64_t sat)
{
	struct command order = { .kind = COMMAND_FUND_CHANNEL };
	struct bytes funding;

	order.u.fund_channel.peer = net[to].id;
	order.u.fund_channel.amount = SAT(sat);
	(void)rig_command(&net[from], &order);
	net_pump();
	funding = rig_accept_broadcasts(&net[from]);
	CHECK(funding.size);
	net_blocks(&funding, 6);
	net_pump();
	CHECK(channel_is_usable(net_channel(from, to)));
}

/* --- what node 0 knows --- */

static inline void net_log_channel(struct buf *log, uint32_t i, uint32_t k)
{
	const bool order = memcmp(net[i].id.v, net[k].id.v, 33) < 0;
	struct msg_channel_announcement c = { .chain_hash = net[0].config.network->genesis, .short_channel_id = net_scid(i, k),
					      .node_id_1 = net[order ? i : k].id, .node_id_2 = net[order ? k : i].id };
	uint8_t fixed[40] = { 0 };
	struct buf raw = BUF_EMPTY;

	store_be64(fixed, NET_SAT);
	store_be64(fixed + 8, c.short_channel_id.v);
	msg_channel_announcement_encode(&c, &raw);
	log_record_encode(LOG_CHANNEL, BYTES_OF(fixed), buf_view(&raw), log);
	for (uint32_t d = 0; d < 2; d++) {
		const struct rig *from = &net[d ? k : i];
		struct msg_channel_update u = {
			.chain_hash = c.chain_hash, .short_channel_id = c.short_channel_id,
			.timestamp = (uint32_t)(net[0].now_ms / 1000) - 1000, .message_flags = 1, .channel_flags = d == order,
			.cltv_expiry_delta = (uint16_t)from->config.forward_cltv_delta, .htlc_minimum_msat = MSAT(1),
			.fee_base_msat = (uint32_t)from->config.forward_fee_base.v,
			.fee_proportional_millionths = from->config.forward_fee_ppm, .htlc_maximum_msat = MSAT(NET_SAT * 990ull),
		};

		buf_clear(&raw);
		msg_channel_update_encode(&u, &raw);
		log_record_encode(LOG_UPDATE, BYTES_NONE, buf_view(&raw), log);
	}
	buf_release(&raw);
}

static inline void net_load(struct rig *r)
{
	struct buf log = BUF_EMPTY;
	struct log_reader reader;
	struct bytes record;
	uint32_t ref;

	log_header_encode(buf_extend(&log, LOG_HEADER_SIZE), &r->config.network->genesis);
	for (uint32_t i = 1; i < NET_NODES; i++)
		for (uint32_t k = i + 1; k < NET_NODES; k++)
			if (net_channel(i, k) && !net_private[i][k])
				net_log_channel(&log, i, k);
	for (reader = (struct log_reader){ .log = buf_view(&log) }; log_next(&reader, &ref, &record);)
		CHECK(node_load_gossip(r->node, ref, record));
	node_gossip_loaded(r->node, reader.at);
	buf_release(&log);
}

/* Nobody gossips. */
static inline void net_gossip(struct rig *r, const struct gossip_note *n)
{
	(void)r;
	(void)n;
}

/* --- beginning --- */

static inline void net_begin(void)
{
	memset(net_lines, 0, sizeof(net_lines));
	memset(net_private, 0, sizeof(net_private));
	for (uint32_t i = 0; i < NET_NODES; i++) {
		rig_free(&net[i]);
		rig_init(&net[i], (uint8_t)(i + 1));
	}
}

/* Node 0 starts again and reads of the channels that there are. */
static inline void net_learn(void)
{
	net[0].config.gossip = true;
	net[0].gossip = net_gossip;
	net[0].gossip_load = net_load;
	net_restart(0);
	net_pump();
	for (uint32_t i = 0; i < NET_NODES; i++)
		rig_forget(&net[i]);
}

/* The configurations may have been changed after net_begin. */
static inline void net_start(void)
{
	static const uint32_t lines[][2] = { { 0, 1 }, { 0, 2 }, { 1, 3 }, { 2, 3 } };

	for (uint32_t i = 0; i < NET_NODES; i++)
		rig_start(&net[i]);
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++)
		net_link(lines[i][0], lines[i][1]);
	net_pump();
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++)
		net_open(lines[i][0], lines[i][1], NET_SAT);
	net_learn();
}

static inline void net_square(void)
{
	net_begin();
	net_start();
}

/* --- invoices and payments --- */

struct net_bill {
	struct sha256 hash;
	const char *bolt11;
	struct amount_msat amount;
};

static inline struct net_bill net_bill(uint32_t payee, uint64_t msat)
{
	static uint32_t count;
	struct command order = { .kind = COMMAND_INVOICE };
	const struct reply *reply;
	char label[32];

	snprintf(label, sizeof(label), "bill %u", ++count);
	order.u.invoice.amount = MSAT(msat);
	order.u.invoice.label = label;
	order.u.invoice.description = "a cup";
	order.u.invoice.expiry_s = 36000;
	reply = rig_reply(&net[payee], rig_command(&net[payee], &order));
	CHECK(reply && reply->code == REPLY_OK);
	return (struct net_bill){ reply->u.invoice.payment_hash, reply->u.invoice.bolt11, MSAT(msat) };
}

static inline void net_keep_signature(void *owner, uint64_t id, const struct sign_answer *a)
{
	(void)id;
	CHECK(!a->refused);
	memcpy(owner, a->recoverable, 65);
}

/* The same invoice with these hints, whatever they say. */
static inline void net_set_hints(struct net_bill *bill, uint32_t payee, struct invoice_route *routes, uint32_t count)
{
	struct signer_port port = local_signer_port(net[payee].signer);
	struct sign_request request = { .kind = SIGN_INVOICE };
	struct invoice_draft draft;
	struct buf text = BUF_EMPTY;
	struct invoice v;
	const char *why = NULL;
	uint8_t signature[65];

	CHECK(invoice_decode(&net[payee].kept, &v, &why, NULL, bytes_from_string(bill->bolt11)));
	v.routes = routes;
	v.route_count = count;
	CHECK(invoice_draft(&net[payee].kept, &draft, &why, &v));
	request.u.message = draft.payload;
	port.request(port.context, &request, net_keep_signature, signature, 1);
	invoice_finish(&draft, signature, &text);
	buf_add_u8(&text, 0);
	bill->bolt11 = arena_string(&net[payee].kept, (const char *)text.data);
	buf_release(&text);
}

/* From that node over its channel to the other, on the node's own terms. */
static inline struct invoice_hop net_hop(uint32_t from, uint32_t to)
{
	return (struct invoice_hop){ net[from].id, net_scid(from, to), (uint32_t)net[from].config.forward_fee_base.v,
				     net[from].config.forward_fee_ppm, (uint16_t)net[from].config.forward_cltv_delta };
}

static inline void net_add_hint(struct net_bill *bill, uint32_t payee, uint32_t from)
{
	struct invoice_hop hop = net_hop(from, payee);
	struct invoice_route route = { &hop, 1 };

	net_set_hints(bill, payee, &route, 1);
}

static inline uint64_t net_order(uint32_t payer, const struct net_bill *bill)
{
	struct command c = { .kind = COMMAND_PAY };

	c.u.pay.bolt11 = bill->bolt11;
	return rig_command(&net[payer], &c);
}

static inline const struct reply *net_pay(const struct net_bill *bill)
{
	uint64_t call = net_order(0, bill);
	const struct reply *reply = NULL;

	net_pump();
	/* A payee gives parts back that wait too long for the others. */
	for (uint32_t i = 0; i < 200 && !(reply = rig_reply(&net[0], call)); i++) {
		net_tick(1000);
		net_pump();
	}
	CHECK(reply);
	return reply;
}

static inline const struct record_payment *net_payment(const struct net_bill *bill)
{
	const struct record_payment *p = rig_payment(&net[0], &bill->hash);

	CHECK(p);
	return p;
}

static inline bool net_paid(uint32_t payee, const struct net_bill *bill)
{
	return rig_invoice(&net[payee], &bill->hash).state == INVOICE_PAID;
}

/* What a node has in all its channels. */
static inline uint64_t net_msat(uint32_t i)
{
	const struct channel *ch;
	uint32_t at = 0;
	uint64_t sum = 0;

	while ((ch = node_view_channel(net[i].node, &at)))
		sum += channel_to_us(ch).v;
	return sum;
}

/* Nothing is on its way anywhere. */
static inline void net_is_quiet(void)
{
	for (uint32_t i = 0; i < NET_NODES; i++) {
		const struct channel *ch;
		uint32_t at = 0;

		while ((ch = node_view_channel(net[i].node, &at)))
			CHECK_EQ(channel_htlc_count(ch), 0);
	}
}

static inline uint64_t net_fee(uint32_t forwarder, uint64_t msat)
{
	return net[forwarder].config.forward_fee_base.v + msat * net[forwarder].config.forward_fee_ppm / 1000000;
}

#endif
