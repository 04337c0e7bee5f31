/* Two whole nodes with real signers, and a world that does whatever the input says: messages in order, damaged,
 * invented; lines cut; blocks with what anybody offered, old commitments and claims of HTLCs among it; blocks undone;
 * signer and wallet late, out of order, refusing; orders of users; time; crashes at any moment, and stores that are
 * replaced by old backups.
 *
 * Nothing may break an invariant of any machine (node_check), no call may be answered twice (INV-N3), and what is
 * stored must be enough to start from. */
#include "tests/unit/node_setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define POOL 64u
#define BLOCKS 600u
#define MINED 500u
#define INVOICES 8u
#define STEPS 150u
#define ORDERS_OF_COINS 40u

struct mined {
	struct bytes raw;
	uint32_t height;
};

static struct rig rigs[2];
static const uint8_t *input;
static size_t input_left;
static struct drbg beyond;  /* what comes after the input's end, so that short ones go deep too */
static bool silent;         /* zeros instead */
static uint64_t connection; /* between the two; 0: none */
static uint64_t next_connection;
static struct arena memory;
static struct bytes pool[POOL]; /* what anybody may bring into a block */
static uint32_t pool_count;
static struct mined mined[MINED];
static uint32_t mined_count;
static struct bytes invoices[2][INVOICES];
static uint32_t coin_orders;
static struct memory_disk *backups[2];
static uint32_t backup_heights[2];
static struct block_hash backup_tips[2];

static uint8_t take8(void)
{
	uint8_t v = 0;

	if (silent)
		return 0;
	if (input_left) {
		input_left--;
		return *input++;
	}
	drbg_fill(&beyond, &v, 1);
	return v;
}

static uint32_t take_below(uint32_t limit)
{
	return limit ? (take8() | (uint32_t)(limit > 256 ? take8() << 8 : 0)) % limit : 0;
}

/* --- the chain --- */

static void add_to_pool(struct bytes raw)
{
	for (uint32_t i = 0; i < pool_count; i++)
		if (bytes_equal(pool[i], raw))
			return;
	if (pool_count < POOL)
		pool[pool_count++] = arena_bytes(&memory, raw);
}

static bool is_mined(const struct txid *id)
{
	for (uint32_t i = 0; i < mined_count; i++) {
		struct txid other = tx_id(tx_parse(&memory, mined[i].raw));

		if (SAME(other, *id))
			return true;
	}
	return false;
}

static bool is_spent(const struct outpoint *o)
{
	for (uint32_t i = 0; i < mined_count; i++) {
		const struct tx *t = tx_parse(&memory, mined[i].raw);

		for (uint32_t j = 0; j < t->input_count; j++)
			if (outpoint_equal(&t->inputs[j].prev, o))
				return true;
	}
	return false;
}

/* The wallet of a rig makes its coins. */
static bool is_of_wallet(const struct txid *id)
{
	for (int i = 0; i < 2; i++) {
		struct txid coin;

		memset(coin.v, rigs[i].seed[0], sizeof(coin.v));
		if (memcmp(coin.v + 8, id->v + 8, sizeof(coin.v) - 8) == 0)
			return true;
	}
	return false;
}

/* Its coins are there: those of wallets always are, others must be in a block. */
static bool is_minable(const struct tx *t)
{
	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct outpoint *prev = &t->inputs[i].prev;

		if (is_spent(prev) || (!is_of_wallet(&prev->txid) && !is_mined(&prev->txid)))
			return false;
	}
	return t->input_count > 0;
}

static void mine(uint32_t count_max)
{
	struct bytes txs[4];
	uint32_t count = 0;

	if (rigs[0].height - RIG_HEIGHT >= BLOCKS)
		return;
	for (uint32_t i = 0; i < pool_count && count < count_max && mined_count < MINED; i++) {
		uint32_t at = (i + take8()) % pool_count;
		const struct tx *t = tx_parse(&memory, pool[at]);

		if (!is_minable(t))
			continue;
		mined[mined_count++] = (struct mined){ pool[at], rigs[0].height + 1 };
		txs[count++] = pool[at];
	}
	for (int i = 0; i < 2; i++)
		rig_block(&rigs[i], txs, count);
}

static void undo(void)
{
	if (rigs[0].height <= RIG_HEIGHT + 1)
		return;
	while (mined_count && mined[mined_count - 1].height == rigs[0].height)
		mined_count--;
	for (int i = 0; i < 2; i++)
		rig_undo(&rigs[i]);
}

/* A commitment as it is now, or any other transaction of the peer, may be published at any later time. */
static void keep_commitment(struct rig *r)
{
	const struct channel *ch = rig_channel(r);
	struct commitment *c;
	struct buf raw = BUF_EMPTY;

	if (!ch || channel_state_of(ch) == OPENINGD)
		return;
	c = commitment_build(&memory, channel_commitment_spec(ch, COMMITMENT_LOCAL, &memory));
	if (!c)
		return;
	tx_encode(c->tx, &raw);
	add_to_pool(buf_view(&raw));
	buf_release(&raw);
}

/* Somebody spends an output of a transaction in a block, and shows a preimage of an invoice. */
static void spend_something(void)
{
	struct bytes items[2] = { BYTES("signature", 9), BYTES_NONE };
	const struct received_invoice *v;
	struct buf raw = BUF_EMPTY;
	struct preimage preimage = { { 0 } };
	const struct tx *parent;
	struct tx *t;
	uint32_t at = 0;

	if (!mined_count)
		return;
	parent = tx_parse(&memory, mined[take_below(mined_count)].raw);
	if (!parent->output_count)
		return;
	v = receive_next(node_view_invoices(rigs[take8() % 2].node), &at);
	if (v)
		preimage = v->r.preimage;
	items[1] = BYTES_OF(preimage.v);
	t = tx_new(&memory, 2, 1, 1, 0);
	t->inputs[0].prev = (struct outpoint){ tx_id(parent), take_below(parent->output_count) };
	t->outputs[0].amount = SAT(1000);
	tx_set_witness(&memory, t, 0, items, 2);
	tx_encode(t, &raw);
	add_to_pool(buf_view(&raw));
	buf_release(&raw);
}

/* --- what the nodes let out --- */

static void answer_broadcast(struct rig *r, uint64_t id, bool accepted)
{
	struct event e = { .kind = EVENT_BROADCAST };

	e.u.broadcast.id = id;
	e.u.broadcast.accepted = accepted;
	e.u.broadcast.reason = "no";
	rig_event(r, &e);
}

static void hang_up(void)
{
	uint64_t was = connection;

	connection = 0;
	if (!was)
		return;
	rig_disconnected(&rigs[0], was);
	rig_disconnected(&rigs[1], was);
}

/* Somebody was called. */
static void answer_call(uint32_t side, const struct pubkey *peer)
{
	struct event e = { .kind = EVENT_CONNECT_FAILED };

	if (SAME(*peer, rigs[1 - side].id) && take8() % 4) {
		if (connection)
			return;
		connection = ++next_connection;
		rig_connected(&rigs[side], peer, connection, true);
		rig_connected(&rigs[1 - side], &rigs[side].id, connection, false);
		return;
	}
	e.u.connect_failed.peer = *peer;
	e.u.connect_failed.host = "10.1.1.1";
	e.u.connect_failed.reason = "no";
	rig_event(&rigs[side], &e);
}

static void keep_invoice(uint32_t side, const struct rig_item *i)
{
	if (i->reply.kind != COMMAND_INVOICE || i->reply.code != REPLY_OK)
		return;
	invoices[side][i->id % INVOICES] =
		arena_bytes(&memory, BYTES(i->reply.u.invoice.bolt11, strlen(i->reply.u.invoice.bolt11) + 1));
}

/* Everything but what is to be delivered. */
static void drain(uint32_t side)
{
	struct rig *r = &rigs[side];
	struct rig_item *i = r->head, *kept = NULL, **end = &kept;

	rig_forget(r);
	for (struct rig_item *next; i; i = next) {
		next = i->next;
		i->next = NULL;
		if (i->kind == EFFECT_BROADCAST) {
			add_to_pool(i->data);
			answer_broadcast(r, i->id, take8() % 8 != 0);
		} else if (i->kind == EFFECT_REPLY) {
			keep_invoice(side, i);
		} else if (i->kind == EFFECT_DISCONNECT && i->id == connection) {
			hang_up();
		} else if (i->kind == EFFECT_CONNECT) {
			answer_call(side, &i->peer);
		} else if (i->kind == EFFECT_SEND && i->id == connection) {
			*end = i;
			end = &i->next;
		}
	}
	/* What came meanwhile is younger. */
	*end = r->head;
	r->head = kept;
	r->tail = &r->head;
	while (*r->tail)
		r->tail = &(*r->tail)->next;
}

/* --- messages --- */

static void deliver(uint32_t to, bool damage)
{
	struct rig *from = &rigs[1 - to];
	struct rig_item *i = connection ? rig_take(from, EFFECT_SEND) : NULL;
	uint8_t *copy;

	if (!i || i->id != connection)
		return;
	copy = arena_copy(&memory, i->data.data, i->data.size);
	if (damage && i->data.size)
		copy[take_below((uint32_t)i->data.size)] ^= (uint8_t)(1 + take_below(255));
	rig_message(&rigs[to], connection, BYTES(copy, i->data.size));
}

/* A type and a body of the input's, with the channel's id where it belongs. */
static void invent(uint32_t to)
{
	static const uint16_t types[] = { MSG_WARNING, MSG_ERROR, MSG_INIT, MSG_PING, MSG_PONG, MSG_OPEN_CHANNEL,
					  MSG_ACCEPT_CHANNEL, MSG_FUNDING_CREATED, MSG_FUNDING_SIGNED, MSG_CHANNEL_READY,
					  MSG_SHUTDOWN, MSG_CLOSING_SIGNED, MSG_UPDATE_ADD_HTLC, MSG_UPDATE_FULFILL_HTLC,
					  MSG_UPDATE_FAIL_HTLC, MSG_UPDATE_FAIL_MALFORMED_HTLC, MSG_COMMITMENT_SIGNED,
					  MSG_REVOKE_AND_ACK, MSG_UPDATE_FEE, MSG_CHANNEL_REESTABLISH, MSG_START_BATCH,
					  MSG_PEER_STORAGE, MSG_PEER_STORAGE_RETRIEVAL };
	const struct channel *ch = rig_channel(&rigs[to]);
	uint8_t raw[2 + 32 + 1500] = { 0 };
	uint32_t size = 34 + take_below(120);

	store_be16(raw, types[take_below(ARRAY_COUNT(types))]);
	if (ch && take8() % 4)
		memcpy(raw + 2, channel_id_of(ch)->v, 32);
	for (uint32_t i = 34; i < size; i++)
		raw[i] = take8();
	if (load_be16(raw) == MSG_UPDATE_ADD_HTLC)
		size = 2 + 32 + 8 + 8 + 32 + 4 + 1366;
	if (load_be16(raw) == MSG_PEER_STORAGE || load_be16(raw) == MSG_PEER_STORAGE_RETRIEVAL)
		store_be16(raw + 2, (uint16_t)(size - 4));
	if (connection)
		rig_message(&rigs[to], connection, BYTES(raw, size));
}

static void reconnect(void)
{
	if (connection && take8() % 2)
		hang_up();
	/* Else the new one takes the old one's place. */
	connection = ++next_connection;
	rig_link(&rigs[0], &rigs[1], connection);
}

static void stranger(void)
{
	struct pubkey id = rig_stranger(take_below(6));
	uint64_t c = 1000000 + take_below(6);
	uint8_t raw[40] = { 0 };

	switch (take8() % 4) {
	case 0:
		rig_connected(&rigs[0], &id, ++next_connection + 2000000, take8() % 2);
		return;
	case 1:
		rig_connected(&rigs[0], &id, 3000000 + ++next_connection, false);
		rig_say_init(&rigs[0], 3000000 + next_connection);
		return;
	case 2:
		for (size_t i = 0; i < sizeof(raw); i++)
			raw[i] = take8();
		rig_message(&rigs[0], 3000000 + next_connection, BYTES_OF(raw));
		return;
	default:
		rig_disconnected(&rigs[0], take8() % 2 ? c : 3000000 + next_connection);
	}
}

/* --- users --- */

static void order_channel(struct rig *r, const struct rig *other)
{
	struct command c = { .kind = COMMAND_FUND_CHANNEL };

	if (coin_orders++ >= ORDERS_OF_COINS)
		return;
	c.u.fund_channel.peer = other->id;
	c.u.fund_channel.amount = SAT(20000 + 5000 * (uint64_t)take8());
	c.u.fund_channel.push = MSAT(take8() % 2 ? 100000ull * take8() : 0);
	c.u.fund_channel.all = take8() % 8 == 0;
	c.u.fund_channel.announce = take8() % 2;
	(void)rig_command(r, &c);
}

static void order_close(struct rig *r, const struct rig *other)
{
	struct command c = { .kind = COMMAND_CLOSE };

	c.u.close.channel.by_peer = true;
	c.u.close.channel.peer = other->id;
	c.u.close.force = take8() % 3 == 0;
	c.u.close.unilateral_timeout_s = take8();
	(void)rig_command(r, &c);
}

static void order_payment(struct rig *r, uint32_t side)
{
	struct command c = { .kind = COMMAND_PAY };
	struct bytes invoice = invoices[take8() % 4 ? 1 - side : side][take_below(INVOICES)];

	if (take8() % 5 == 0) {
		c.kind = COMMAND_KEYSEND;
		c.u.keysend.destination = rigs[1 - side].id;
		c.u.keysend.amount = MSAT(1000ull * take8() * take8());
	} else if (invoice.size) {
		c.u.pay.bolt11 = (const char *)invoice.data;
		c.u.pay.retry_for_s = take8();
	} else {
		c.u.pay.bolt11 = "lnbcrt1";
	}
	(void)rig_command(r, &c);
}

/* To the other one and back over whatever channels there are: it forwards. */
static void order_route(struct rig *r, uint32_t side)
{
	struct command c = { .kind = COMMAND_SENDPAY };
	const struct channel *ch, *chosen = NULL;
	struct amount_msat amount = MSAT(1000 + 3000ull * take8() * take8());
	struct route_hop hops[2];
	uint32_t at = 0, skip = take8() % 3;

	while ((ch = node_view_channel(r->node, &at)))
		if (!chosen || skip-- % 2)
			chosen = ch;
	if (!chosen)
		return;
	hops[0] = (struct route_hop){ rigs[1 - side].id, { 0 }, MSAT(amount.v + 100 + amount.v / 1000), 60 + take8() % 8 };
	hops[1] = (struct route_hop){ r->id, take8() % 2 ? channel_record_of(chosen)->scid : channel_record_of(chosen)->alias_remote,
				      amount, 24 + take8() % 4 };
	c.u.sendpay.hops = hops;
	c.u.sendpay.hop_count = take8() % 4 ? 2 : 1;
	memset(c.u.sendpay.payment_hash.v, take8() % 8, sizeof(c.u.sendpay.payment_hash.v));
	if (take8() % 2 && receive_next(node_view_invoices(r->node), &(uint32_t){ 0 })) {
		const struct received_invoice *i = receive_next(node_view_invoices(r->node), &(uint32_t){ 0 });

		c.u.sendpay.payment_hash = i->payment_hash;
		c.u.sendpay.secret = i->r.secret;
		if (take8() % 2 && i->r.amount.v > 0 && MSAT_LESS(i->r.amount, hops[0].amount))
			hops[1].amount = i->r.amount;
	}
	c.u.sendpay.has_secret = true;
	(void)rig_command(r, &c);
}

static void order_invoice(struct rig *r)
{
	struct command c = { .kind = COMMAND_INVOICE };
	char label[8];

	snprintf(label, sizeof(label), "%u", take8() % 4 ? (unsigned)r->next_call % 1000u : take8());
	c.u.invoice.label = label;
	c.u.invoice.description = "x";
	c.u.invoice.expiry_s = take8() % 4 ? 600u : take8();
	c.u.invoice.amount = MSAT(1 + 700ull * take8() * take8());
	(void)rig_command(r, &c);
}

static void order_other(struct rig *r)
{
	struct command c = { 0 };
	struct event gone = { .kind = EVENT_CALL_GONE };
	static const uint8_t script[22] = { 0, 20, 1 };

	switch (take8() % 5) {
	case 0:
		c.kind = COMMAND_CONNECT;
		c.u.connect.peer = rig_stranger(take_below(6));
		c.u.connect.host = take8() % 2 ? "10.1.1.1" : NULL;
		break;
	case 1:
		c.kind = COMMAND_DISCONNECT;
		c.u.disconnect.peer = take8() % 2 ? rigs[1].id : rig_stranger(take_below(6));
		c.u.disconnect.force = take8() % 2;
		break;
	case 2:
		if (coin_orders++ >= ORDERS_OF_COINS)
			return;
		c.kind = COMMAND_WITHDRAW;
		c.u.withdraw.script = BYTES_OF(script);
		c.u.withdraw.amount = SAT(5000);
		break;
	case 3:
		c.kind = COMMAND_WAIT_INVOICE;
		c.u.wait_invoice.label = "1";
		break;
	default:
		gone.u.gone.call = 1 + take_below((uint32_t)r->next_call + 1);
		rig_event(r, &gone);
		return;
	}
	(void)rig_command(r, &c);
}

/* About whatever was held last, or about nothing. */
static void order_decision(struct rig *r)
{
	struct command c = { .kind = COMMAND_HOLD };
	static const uint16_t codes[] = { 0, FAIL_TEMPORARY_NODE_FAILURE, FAIL_MPP_TIMEOUT, FAIL_UNKNOWN_NEXT_PEER };

	c.u.hold.name.kind = take8() % 2 ? HOLD_FORWARD : HOLD_INVOICE;
	for (const struct rig_item *i = r->head; i; i = i->next)
		if (i->kind == EFFECT_NOTIFY && i->notify == NOTIFY_HELD)
			c.u.hold.name = i->held.name;
	c.u.hold.action = (enum hold_action)(take8() % 3);
	c.u.hold.code = codes[take8() % ARRAY_COUNT(codes)];
	(void)rig_command(r, &c);
}

static void order_terms(struct rig *r, const struct rig *other)
{
	struct command c = { .kind = COMMAND_SET_CHANNEL };

	if (take8() % 4 == 0) {
		c.kind = COMMAND_DEL_FORWARD;
		c.u.del_forward.in_htlc_id = take8();
		c.u.del_forward.status = 1 + take8() % 3;
		(void)rig_command(r, &c);
		return;
	}
	c.u.set_channel.all = take8() % 2;
	c.u.set_channel.channel.by_peer = true;
	c.u.set_channel.channel.peer = other->id;
	c.u.set_channel.fields = take8() & POLICY_FIELDS;
	c.u.set_channel.own = (struct forward_policy){ MSAT(take8()), take8(), 18u + take8(), MSAT(take8()), MSAT(1000000ull * take8()) };
	c.u.set_channel.enforce_delay_s = take8();
	(void)rig_command(r, &c);
}

static void order(uint32_t side)
{
	struct rig *r = &rigs[side];

	if (r->next_call + 2 >= RIG_CALLS)
		return;
	switch (take8() % 10) {
	case 8:
		order_decision(r);
		return;
	case 9:
		order_terms(r, &rigs[1 - side]);
		return;
	case 0:
		order_channel(r, &rigs[1 - side]);
		return;
	case 1:
		order_close(r, &rigs[1 - side]);
		return;
	case 2:
	case 3:
		order_invoice(r);
		return;
	case 4:
		order_payment(r, side);
		return;
	case 5:
	case 6:
		order_route(r, side);
		return;
	default:
		order_other(r);
	}
}

/* --- signer, wallet, time --- */

/* Answers to questions that nobody asked, or that are answered already. */
static void stale_answer(struct rig *r)
{
	static const enum event_kind kinds[] = { EVENT_SIGNED, EVENT_FUNDS, EVENT_FETCHED };
	struct event e = { .kind = kinds[take8() % 3] };
	struct sign_answer s = { .refused = true, .reason = "stale" };
	struct funds_answer f = { .failed = true, .reason = "stale" };
	uint64_t id = 1000000000ull + take8();

	if (e.kind == EVENT_SIGNED) {
		e.u.signature.id = id;
		e.u.signature.answer = &s;
	} else if (e.kind == EVENT_FETCHED) {
		e.u.fetched.id = id;
	} else {
		e.u.funds.id = id;
		e.u.funds.answer = &f;
	}
	rig_event(r, &e);
}

static void edges(uint32_t side)
{
	struct rig *r = &rigs[side];
	struct event e = { .kind = EVENT_CHAIN_SYNCED };

	switch (take8() % 8) {
	case 0:
		r->signer_late = !r->signer_late;
		return;
	case 1:
		r->wallet_late = !r->wallet_late;
		return;
	case 2:
		r->wallet_fails = !r->wallet_fails;
		return;
	case 3:
		(void)rig_signer_tick(r);
		return;
	case 4:
		(void)rig_wallet_answers(r, take8() % 4);
		return;
	case 5:
		stale_answer(r);
		return;
	case 6:
		e.u.synced.height = r->height;
		e.u.synced.best_height = r->height + take8() % 2;
		rig_event(r, &e);
		return;
	default:
		rig_fees(r, 253u + 20u * take8());
	}
}

static void crash(uint32_t side)
{
	hang_up();
	rig_forget(&rigs[side]);
	rig_restart(&rigs[side]);
}

/* When the node wants it. */
static void tick_at_deadline(struct rig *r)
{
	uint64_t at = exec_deadline(r->exec);

	if (at != UINT64_MAX)
		rig_tick(r, at > r->now_ms ? at - r->now_ms : 0);
}

/* --- backups --- */

static bool copy_record(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct store_op op = { .kind = kind, .key = key, .value = value };
	struct store *to = context;

	return to->commit(to, &op, 1);
}

static struct memory_disk *copy_disk(struct memory_disk *disk)
{
	struct memory_disk *out = memory_disk_new();
	struct store *from = store_open_memory(disk), *to = store_open_memory(out);

	ASSERT(store_load_all(from, copy_record, to));
	from->close(from);
	to->close(to);
	return out;
}

static void forget_backup(uint32_t side)
{
	if (backups[side])
		memory_disk_free(backups[side]);
	backups[side] = NULL;
}

static void back_up(uint32_t side)
{
	forget_backup(side);
	backups[side] = copy_disk(rigs[side].disk);
	backup_heights[side] = rigs[side].height;
	backup_tips[side] = rigs[side].chain[rigs[side].height - RIG_HEIGHT];
}

/* The blocks that it has not seen, or seen and forgotten. */
static void catch_up(struct rig *r, uint32_t height)
{
	while (r->height < height) {
		struct bytes txs[4];
		uint32_t count = 0;

		for (uint32_t i = 0; i < mined_count; i++)
			if (mined[i].height == r->height + 1)
				txs[count++] = mined[i].raw;
		rig_block(r, txs, count);
	}
}

/* Its owner made the mistake of the century: an old store, while the peer knows better.  The coins of a wallet are
 * not part of it. */
static void restore(uint32_t side)
{
	struct rig *r = &rigs[side];
	uint32_t height = r->height;

	if (!backups[side] || backup_heights[side] > height ||
	    !SAME(r->chain[backup_heights[side] - RIG_HEIGHT], backup_tips[side]))
		return;
	hang_up();
	rig_forget(r);
	rig_stop(r);
	memory_disk_free(r->disk);
	r->disk = backups[side];
	backups[side] = NULL;
	r->height = backup_heights[side];
	rig_start(r);
	catch_up(r, height);
	rig_synced(r);
}

static void one_step(void)
{
	uint8_t op = take8();
	uint32_t side = op >> 7;

	switch (op % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		for (uint32_t i = 0; i <= (op >> 4) % 8u; i++)
			deliver((side + i) % 2, false);
		break;
	case 5:
		deliver(side, true);
		break;
	case 6:
		invent(side);
		break;
	case 7:
		reconnect();
		break;
	case 8:
		stranger();
		break;
	case 9:
		if (op & 0x40)
			rig_tick(&rigs[side], 1000ull * take8() * (take8() % 4 ? 1 : 60));
		else
			tick_at_deadline(&rigs[side]);
		break;
	case 10:
		for (uint32_t i = 0, n = op & 0x60 ? 1 + take8() % 12 : 101; i < n; i++)
			mine(n < 100 ? take8() % 4 : i % 30 == 0);
		break;
	case 11:
		if (op & 0x40)
			undo();
		else if (op & 0x20)
			keep_commitment(&rigs[side]);
		else
			spend_something();
		break;
	case 12:
	case 13:
		order(side);
		break;
	case 14:
		edges(side);
		break;
	default:
		if ((op & 0x70) == 0x70)
			restore(side);
		else if ((op & 0x70) == 0x60)
			back_up(side);
		else if (op & 0x40)
			crash(side);
		else
			reconnect();
	}
	drain(0);
	drain(1);
}

/* --- where it begins --- */

static void settle(void)
{
	rig_pump(&rigs[0], &rigs[1], connection);
	drain(0);
	drain(1);
	rig_pump(&rigs[0], &rigs[1], connection);
}

static void open_between(void)
{
	struct command c = { .kind = COMMAND_FUND_CHANNEL };

	c.u.fund_channel.peer = rigs[1].id;
	c.u.fund_channel.amount = SAT(1000000);
	c.u.fund_channel.push = MSAT(300000000);
	(void)rig_command(&rigs[0], &c);
	settle();
	mine(4);
	for (int i = 0; i < 4; i++)
		mine(0);
	settle();
	ASSERT(channel_is_usable(rig_channel(&rigs[0])) && channel_is_usable(rig_channel(&rigs[1])));
}

static void begin(uint8_t phase)
{
	silent = true;
	arena_init(&memory);
	pool_count = mined_count = coin_orders = 0;
	connection = next_connection = 0;
	memset(invoices, 0, sizeof(invoices));
	for (int i = 0; i < 2; i++) {
		rig_init(&rigs[i], (uint8_t)(i + 1));
		rigs[i].config.static_remotekey_only = phase & 0x80;
		rigs[i].config.accept_keysend = !(phase & 0x40);
		rigs[i].config.hold_forwards = phase & 0x10;
		rigs[i].config.hold_invoices = phase & 0x08;
		rigs[i].config.hold_forwards_fail = phase & 0x04;
		rig_start(&rigs[i]);
	}
	if (phase % 4) {
		connection = ++next_connection;
		rig_link(&rigs[0], &rigs[1], connection);
		settle();
	}
	if (phase % 4 >= 2)
		open_between();
	/* A second one, so that they can forward for one another. */
	if (phase % 4 >= 2 && phase & 0x20)
		open_between();
	for (int i = 0; i < 2; i++)
		for (int j = 0; phase % 4 == 3 && j < 3; j++) {
			order_invoice(&rigs[i]);
			drain((uint32_t)i);
		}
	silent = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sha256 seed = sha256(data, size);

	input = data;
	input_left = size;
	drbg_init(&beyond, seed.v);
	begin(take8());
	for (uint32_t i = 0; i < STEPS || (input_left && i < 4 * STEPS); i++)
		one_step();
	/* Whatever happened: both start from what they have stored, once more. */
	crash(0);
	crash(1);
	for (uint32_t i = 0; i < 2; i++) {
		rig_free(&rigs[i]);
		forget_backup(i);
	}
	arena_release(&memory);
	return 0;
}
