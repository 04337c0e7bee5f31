#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/memo.h"
#include "tests/sim/funds.h"

/* What each wallet begins with. */
#define WALLET_COINS 4u
#define WALLET_COIN_SAT 50000000u

enum entry_kind { ENTRY_MESSAGE, ENTRY_CONNECTED, ENTRY_CONNECT_FAILED, ENTRY_DISCONNECTED, ENTRY_TICK, ENTRY_FEED, ENTRY_BROADCAST, ENTRY_SIGNER, ENTRY_FEES, ENTRY_START, ENTRY_FETCH };

struct sim_entry {
	uint64_t at_ms, order;
	enum entry_kind kind;
	int node;
	uint32_t life;       /* only for this life of the node; 0: any */
	uint64_t id;         /* connection, broadcast */
	bool outbound;
	const char *refused; /* BROADCAST: why */
	uint8_t *data;       /* owned: MESSAGE; FETCH: kind (u8), prefix */
	size_t size;
};

/* A connection between two lives; each direction is in order. */
struct sim_link {
	struct sim_link *next;
	uint64_t id;
	uint32_t life[WORLD_NODES];
	uint64_t last_ms[WORLD_NODES]; /* when the last message to that node arrives */
};

void world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "sim: seed %llu, %llu ms, step %llu: ", (unsigned long long)w->o.seed, (unsigned long long)w->now_ms,
		(unsigned long long)w->steps);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

uint64_t world_random(struct world *w, uint64_t below)
{
	uint64_t v;

	drbg_fill(&w->entropy, &v, sizeof(v));
	return v % below;
}

/* --- the queue: a binary heap by time, then order --- */

static bool before(const struct sim_entry *a, const struct sim_entry *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void push(struct world *w, struct sim_entry e)
{
	uint32_t i = w->queue_count++;

	if (w->queue_count > w->queue_capacity) {
		w->queue_capacity = w->queue_capacity ? 2 * w->queue_capacity : 256;
		w->queue = mem_realloc(w->queue, w->queue_capacity, sizeof(*w->queue));
	}
	e.order = ++w->order;
	while (i && before(&e, &w->queue[(i - 1) / 2])) {
		w->queue[i] = w->queue[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->queue[i] = e;
}

static struct sim_entry pop(struct world *w)
{
	struct sim_entry top = w->queue[0], last = w->queue[--w->queue_count];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= w->queue_count)
			break;
		if (child + 1 < w->queue_count && before(&w->queue[child + 1], &w->queue[child]))
			child++;
		if (!before(&w->queue[child], &last))
			break;
		w->queue[i] = w->queue[child];
		i = child;
	}
	w->queue[i] = last;
	return top;
}

static void push_simple(struct world *w, enum entry_kind kind, int node, uint64_t delay_ms, uint64_t id)
{
	push(w, (struct sim_entry){ .at_ms = w->now_ms + delay_ms, .kind = kind, .node = node,
				    .life = w->nodes[node].life, .id = id });
}

/* --- links --- */

static struct sim_link *link_by_id(struct world *w, uint64_t id)
{
	for (struct sim_link *l = w->links; l; l = l->next)
		if (l->id == id)
			return l;
	return NULL;
}

static void link_free(struct world *w, struct sim_link *l)
{
	struct sim_link **at = &w->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	mem_free(l);
}

/* What is on its way still arrives; then each side that lives hears of the end. */
static void link_break(struct world *w, struct sim_link *l)
{
	for (int i = 0; i < WORLD_NODES; i++) {
		uint64_t at = w->now_ms + 1 + world_random(w, w->delay_max_ms);

		if (at <= l->last_ms[i])
			at = l->last_ms[i] + 1;
		push(w, (struct sim_entry){ .at_ms = at, .kind = ENTRY_DISCONNECTED, .node = i, .life = l->life[i], .id = l->id });
	}
	link_free(w, l);
}

void world_cut_links(struct world *w)
{
	while (w->links)
		link_break(w, w->links);
}

static void send(struct sim_node *from, uint64_t connection, struct bytes message)
{
	struct world *w = from->world;
	struct sim_link *l = link_by_id(w, connection);
	int to = 1 - from->index;
	uint64_t at;

	if (!l || l->life[from->index] != from->life)
		return;
	at = w->now_ms + 1 + world_random(w, w->delay_max_ms);
	if (at <= l->last_ms[to])
		at = l->last_ms[to];
	l->last_ms[to] = at;
	push(w, (struct sim_entry){ .at_ms = at, .kind = ENTRY_MESSAGE, .node = to, .life = l->life[to], .id = connection,
				    .data = memcpy(mem_alloc(message.size), message.data, message.size), .size = message.size });
	if (w->o.cut_one_in && world_random(w, w->o.cut_one_in) == 0)
		link_break(w, l);
}

static void dial(struct sim_node *from)
{
	struct world *w = from->world;
	struct sim_node *to = &w->nodes[1 - from->index];
	struct sim_link *l;

	if (!to->alive) {
		push_simple(w, ENTRY_CONNECT_FAILED, from->index, 5, 0);
		return;
	}
	l = NEW(struct sim_link);
	l->id = ++w->next_connection;
	for (int i = 0; i < WORLD_NODES; i++) {
		l->life[i] = w->nodes[i].life;
		l->last_ms[i] = w->now_ms + 1;
		push(w, (struct sim_entry){ .at_ms = w->now_ms + 1, .kind = ENTRY_CONNECTED, .node = i, .life = l->life[i],
					    .id = l->id, .outbound = i == from->index });
	}
	l->next = w->links;
	w->links = l;
}

/* --- what nodes let out --- */

static void keep_reply(struct sim_node *n, uint64_t call, const struct reply *r)
{
	struct sim_reply *k = &n->world->replies[n->world->reply_count++];

	ASSERT(n->world->reply_count < WORLD_REPLIES);
	k->call = call;
	k->node = n->index;
	k->code = r->code;
	snprintf(k->text, sizeof(k->text), "%s", r->message ? r->message : "");
	if (r->code != REPLY_OK)
		return;
	switch (r->kind) {
	case COMMAND_FUND_CHANNEL:
		k->channel_id = r->u.fund_channel.channel_id;
		k->txid = r->u.fund_channel.txid;
		return;
	case COMMAND_INVOICE:
		snprintf(k->text, sizeof(k->text), "%s", r->u.invoice.bolt11);
		k->payment_hash = r->u.invoice.payment_hash;
		return;
	case COMMAND_CLOSE:
		k->txid = r->u.close.txid;
		return;
	case COMMAND_PAY:
	case COMMAND_KEYSEND:
		k->payment_hash = r->u.pay.payment_hash;
		return;
	case COMMAND_CONNECT:
	case COMMAND_DISCONNECT:
	case COMMAND_NEW_ADDRESS:
	case COMMAND_WITHDRAW:
	case COMMAND_WAIT_INVOICE:
	case COMMAND_SENDPAY:
	case COMMAND_WAIT_SENDPAY:
	case COMMAND_STOP:
		return;
	}
}

static void broadcast(struct sim_node *n, const struct effect *f)
{
	const char *why = sim_chain_offer(n->world->chain, f->u.broadcast.txs, f->u.broadcast.count, (uint64_t)n->index);

	push(n->world, (struct sim_entry){ .at_ms = n->world->now_ms + 1, .kind = ENTRY_BROADCAST, .node = n->index,
					   .life = n->life, .id = f->u.broadcast.id, .refused = why });
}

/* The disk answers later, and until then other batches may be committed. */
static void ask_store(struct sim_node *n, const struct effect *f)
{
	struct sim_entry x = { .at_ms = n->world->now_ms + world_random(n->world, n->world->delay_max_ms), .kind = ENTRY_FETCH,
			       .node = n->index, .life = n->life, .id = f->u.fetch.id };

	x.size = 1 + f->u.fetch.prefix.size;
	x.data = mem_alloc(x.size);
	x.data[0] = (uint8_t)f->u.fetch.kind;
	if (f->u.fetch.prefix.size)
		memcpy(x.data + 1, f->u.fetch.prefix.data, f->u.fetch.prefix.size);
	push(n->world, x);
}

static void release(void *context, const struct effect *f)
{
	struct sim_node *n = context;
	struct sim_link *l;

	if (!n->alive)
		return;
	n->effects++;
	switch (f->kind) {
	case EFFECT_SEND:
		send(n, f->u.send.connection, f->u.send.message);
		break;
	case EFFECT_CONNECT:
		dial(n);
		break;
	case EFFECT_DISCONNECT:
		l = link_by_id(n->world, f->u.disconnect.connection);
		if (l)
			link_break(n->world, l);
		break;
	case EFFECT_BROADCAST:
		broadcast(n, f);
		break;
	case EFFECT_REPLY:
		keep_reply(n, f->u.reply.call, f->u.reply.reply);
		break;
	case EFFECT_FETCH:
		ask_store(n, f);
		break;
	case EFFECT_WATCH:
	case EFFECT_NOTIFY:
		break;
	case EFFECT_PERSIST:
	case EFFECT_SIGN:
	case EFFECT_FUNDS:
		UNREACHABLE();
	}
	if (n->crash_after && --n->crash_after == 0) {
		/* Dead from here on: nothing later of this batch leaves. */
		n->alive = false;
		exec_halt(n->exec);
	}
}

static void release_end(void *context)
{
	(void)context;
}

static void commit(void *context, const struct store_op *ops, uint32_t count, struct exec *exec)
{
	struct sim_node *n = context;

	if (!n->store->commit(n->store, ops, count))
		world_fail(n->world, "the store refused a commit");
	exec_committed(exec);
}

static void core_step(void *context, const struct event *event, struct effects *out)
{
	struct sim_node *n = context;

	node_step(n->node, event, out);
}

static void core_flush(void *context, uint64_t now_ms, struct effects *out)
{
	struct sim_node *n = context;

	node_flush(n->node, now_ms, out);
}

static uint64_t core_deadline(void *context)
{
	struct sim_node *n = context;

	return node_deadline(n->node);
}

static bool core_ahead(void *context)
{
	struct sim_node *n = context;

	return node_ahead(n->node);
}

/* --- lives --- */

static void log_line(void *context, enum log_level level, const char *room, const char *text)
{
	struct sim_node *n = context;

	(void)level;
	if (n->world->o.verbose)
		printf("%8llu %s %s: %s\n", (unsigned long long)n->world->now_ms % 100000000, n->name, room, text);
}

static struct log_sink sinks[WORLD_NODES];

static bool load_one(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct sim_node *n = context;

	if (kind == RECORD_WALLET)
		return hot_funds_load(n->funds, key, value);
	if (kind == RECORD_CHAIN && value.size == 36)
		n->feed_height = load_be32(value.data);
	return node_load_record(n->node, kind, key, value);
}

static void end_life(struct sim_node *n)
{
	if (!n->node)
		return;
	exec_free(n->exec);
	node_free(n->node);
	n->store->close(n->store);
	if (n->slow)
		delayed_signer_drop(n->slow);
	n->signer_due = false;
	n->exec = NULL;
	n->node = NULL;
	n->alive = false;
	hot_funds_free(n->funds);
	n->funds = NULL;
}

/* Runs the batch to its end and plans what the node wants next. */
static void settle(struct sim_node *n)
{
	struct world *w = n->world;
	uint64_t deadline;

	if (n->alive)
		exec_run(n->exec, w->now_ms);
	if (!n->alive) {
		world_crash(w, n->index);
		return;
	}
	if (n->slow && delayed_signer_waiting(n->slow) && !n->signer_due) {
		n->signer_due = true;
		push_simple(w, ENTRY_SIGNER, n->index, 1 + world_random(w, 30), 0);
	}
	while (exec_ahead(n->exec))
		;
	deadline = exec_deadline(n->exec);
	if (deadline != UINT64_MAX && deadline < n->tick_at) {
		n->tick_at = deadline > w->now_ms ? deadline : w->now_ms + 1;
		push(w, (struct sim_entry){ .at_ms = n->tick_at, .kind = ENTRY_TICK, .node = n->index, .life = n->life });
	}
}

static void give(struct sim_node *n, struct event *e)
{
	e->now_ms = n->world->now_ms;
	exec_event(n->exec, e);
	settle(n);
}

void world_start(struct world *w, int index)
{
	struct sim_node *n = &w->nodes[index];
	struct policy_limits limits;
	struct exec_ports ports;
	uint8_t fresh[32];

	ASSERT(!n->alive && !n->node);
	n->life++;
	n->alive = true;
	n->tick_at = UINT64_MAX;
	n->feed_height = 100;
	drbg_fill(&w->entropy, fresh, sizeof(fresh));
	if (!n->signer) {
		/* The policy remembers across lives: what was signed is signed. */
		policy_limits_default(&limits);
		limits.our_delay_max = 2016;
		limits.memo = n->memo;
		n->signer = local_signer_new(n->config.network, BYTES_OF(n->seed), fresh);
		n->policy = policy_signer_new(local_signer_port(n->signer), &limits);
		if (w->o.slow_signer)
			n->slow = delayed_signer_new(policy_signer_port(n->policy), 3, fresh);
		n->id = local_signer_node_id(n->signer);
		n->config.node_id = n->id;
	}
	sinks[index] = (struct log_sink){ log_line, n, LOG_DEBUG };
	drbg_fill(&w->entropy, fresh, sizeof(fresh));
	n->node = node_new(&n->config, fresh, &sinks[index]);
	drbg_fill(&w->entropy, fresh, sizeof(fresh));
	n->funds = hot_funds_new(n->config.network, BYTES_OF(n->seed), fresh);
	n->store = store_open_memory(n->disk);
	if (!n->store->load(n->store, load_one, n))
		world_fail(w, "%s cannot load its records", n->name);
	ports = (struct exec_ports){
		.core = { n, core_step, core_flush, core_deadline, core_ahead },
		.signer = n->slow ? delayed_signer_port(n->slow) : policy_signer_port(n->policy),
		.funds = hot_funds_port(n->funds),
		.commit = { n, commit },
		.release = { n, release, release_end },
	};
	n->exec = exec_new(&ports);
	if (!hot_funds_start(n->funds, n->exec))
		world_fail(w, "the wallet of %s does not start from its records", n->name);
	if (!node_start(n->node, w->now_ms, exec_effects(n->exec)))
		world_fail(w, "%s does not start from its records", n->name);
	settle(n);
	push_simple(w, ENTRY_FEED, index, 1, 0);
}

void world_crash(struct world *w, int index)
{
	struct sim_node *n = &w->nodes[index];

	if (!n->node)
		return;
	n->alive = false;
	n->crashes++;
	n->crash_after = 0;
	if (w->o.verbose)
		printf("%8llu %s dies\n", (unsigned long long)w->now_ms % 100000000, n->name);
	end_life(n);
	world_cut_links(w);
	push(w, (struct sim_entry){ .at_ms = w->now_ms + 100 + world_random(w, 2000), .kind = ENTRY_START, .node = index });
}

/* --- time --- */

static void feed(struct sim_node *n)
{
	struct world *w = n->world;
	uint32_t tip = sim_chain_height(w->chain);
	struct event e = { .kind = EVENT_CHAIN_SYNCED };

	while (n->alive && n->feed_height < tip) {
		const struct sim_block *b = sim_chain_block(w->chain, n->feed_height + 1);
		struct event block = { .kind = EVENT_BLOCK };
		struct block_tx *txs = NEW_ARRAY(struct block_tx, b->count + 1);

		for (uint32_t i = 0; i < b->count; i++)
			txs[i] = (struct block_tx){ b->txs[i], i };
		block.u.block.height = b->height;
		block.u.block.hash = b->hash;
		block.u.block.time = b->time;
		block.u.block.previous = b->prev;
		block.u.block.txs = txs;
		block.u.block.tx_count = b->count;
		n->feed_height++;
		give(n, &block);
		mem_free(txs);
	}
	if (!n->alive)
		return;
	e.u.synced.height = e.u.synced.best_height = tip;
	give(n, &e);
}

void world_mine(struct world *w, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sim_chain_mine(w->chain, NULL);
	for (int i = 0; i < WORLD_NODES; i++)
		if (w->nodes[i].alive)
			push_simple(w, ENTRY_FEED, i, 1 + world_random(w, w->delay_max_ms), 0);
}

void world_fees(struct world *w, uint32_t normal_per_kw)
{
	for (int i = 0; i < WORLD_NODES; i++)
		if (w->nodes[i].alive)
			push_simple(w, ENTRY_FEES, i, 1 + world_random(w, w->delay_max_ms), normal_per_kw);
}

static void answer_fetch(struct sim_node *n, const struct sim_entry *x)
{
	struct fetch got;
	struct event e;

	if (!fetch_read(&got, n->store, (enum record_kind)x->data[0], BYTES(x->data + 1, x->size - 1)))
		world_fail(n->world, "the store cannot be read");
	e = fetch_event(&got, x->id, n->world->now_ms);
	give(n, &e);
	fetch_release(&got);
}

static void perform(struct world *w, struct sim_entry *x)
{
	struct sim_node *n = &w->nodes[x->node];
	struct event e = { 0 };

	switch (x->kind) {
	case ENTRY_MESSAGE:
		e.kind = EVENT_MESSAGE;
		e.u.message.connection = x->id;
		e.u.message.message = BYTES(x->data, x->size);
		break;
	case ENTRY_CONNECTED:
		if (!link_by_id(w, x->id)) /* it broke before it was heard of */
			return;
		e.kind = EVENT_CONNECTED;
		e.u.connected.connection = x->id;
		e.u.connected.peer = w->nodes[1 - x->node].id;
		e.u.connected.outbound = x->outbound;
		e.u.connected.host = "127.0.0.1";
		e.u.connected.port = 9735;
		break;
	case ENTRY_CONNECT_FAILED:
		e.kind = EVENT_CONNECT_FAILED;
		e.u.connect_failed.peer = w->nodes[1 - x->node].id;
		e.u.connect_failed.host = "127.0.0.1";
		e.u.connect_failed.reason = "Connection refused";
		break;
	case ENTRY_DISCONNECTED:
		e.kind = EVENT_DISCONNECTED;
		e.u.disconnected.connection = x->id;
		e.u.disconnected.reason = "the link broke";
		break;
	case ENTRY_TICK:
		if (n->tick_at != x->at_ms)
			return;
		n->tick_at = UINT64_MAX;
		e.kind = EVENT_TICK;
		break;
	case ENTRY_FEED:
		feed(n);
		return;
	case ENTRY_BROADCAST:
		e.kind = EVENT_BROADCAST;
		e.u.broadcast.id = x->id;
		e.u.broadcast.accepted = !x->refused;
		e.u.broadcast.reason = x->refused;
		break;
	case ENTRY_SIGNER:
		n->signer_due = false;
		delayed_signer_tick(n->slow);
		settle(n);
		return;
	case ENTRY_FEES:
		e.kind = EVENT_FEES;
		for (int i = 0; i < FEE_TARGETS; i++)
			e.u.fees.rates[i] = FEERATE((uint32_t)x->id);
		e.u.fees.rates[FEE_MINIMUM] = FEERATE(FEERATE_FLOOR_PER_KW);
		break;
	case ENTRY_START:
		world_start(w, x->node);
		return;
	case ENTRY_FETCH:
		answer_fetch(n, x);
		return;
	}
	give(n, &e);
}

bool world_step(struct world *w, uint64_t until_ms)
{
	struct sim_entry x;

	if (!w->queue_count || w->queue[0].at_ms > until_ms)
		return false;
	x = pop(w);
	ASSERT(x.at_ms >= w->now_ms);
	w->now_ms = x.at_ms;
	w->steps++;
	if (x.kind == ENTRY_START || (w->nodes[x.node].alive && (!x.life || x.life == w->nodes[x.node].life)))
		perform(w, &x);
	mem_free(x.data);
	return true;
}

bool world_run_until(struct world *w, uint64_t limit_ms, bool (*done)(struct world *w, void *context), void *context)
{
	uint64_t end = w->now_ms + limit_ms;

	while (!done(w, context))
		if (!world_step(w, end))
			return false;
	return true;
}

void world_command(struct world *w, int node, const struct command *command, uint64_t *call)
{
	struct sim_node *n = &w->nodes[node];
	struct event e = { .kind = EVENT_COMMAND };

	*call = ++w->next_call;
	e.u.command.call = *call;
	e.u.command.command = (struct command *)command;
	if (n->alive)
		give(n, &e);
}

struct sim_reply *world_reply(struct world *w, uint64_t call)
{
	for (uint32_t i = 0; i < w->reply_count; i++)
		if (w->replies[i].call == call)
			return &w->replies[i];
	return NULL;
}

struct world *world_new(const struct world_options *o)
{
	struct world *w = NEW(struct world);
	uint8_t raw[32] = { 0 };

	w->o = *o;
	store_be64(raw, w->o.seed);
	drbg_init(&w->entropy, raw);
	w->now_ms = 1700000000000ull;
	w->delay_max_ms = 20;
	w->chain = sim_chain_new(w->o.seed);
	for (int i = 0; i < WORLD_NODES; i++) {
		struct sim_node *n = &w->nodes[i];

		n->world = w;
		n->index = i;
		snprintf(n->name, sizeof(n->name), "node%d", i);
		drbg_fill(&w->entropy, n->seed, sizeof(n->seed));
		node_config_default(&n->config, network_by_name("regtest"));
		n->config.accept_keysend = false;
		n->config.port = 9735;
		n->config.static_remotekey_only = w->o.static_remotekey;
		n->disk = memory_disk_new();
		if (w->o.memo)
			n->memo = n->config.memo = memo_new();
		sim_funds_grant(w->chain, BYTES_OF(n->seed), WALLET_COINS, SAT(WALLET_COIN_SAT));
	}
	sim_chain_mine(w->chain, NULL);
	for (int i = 0; i < WORLD_NODES; i++)
		world_start(w, i);
	return w;
}

void world_free(struct world *w)
{
	for (int i = 0; i < WORLD_NODES; i++) {
		struct sim_node *n = &w->nodes[i];

		end_life(n);
		if (n->slow)
			delayed_signer_free(n->slow);
		policy_signer_free(n->policy);
		memo_free(n->memo);
		local_signer_free(n->signer);
		memory_disk_free(n->disk);
		}
	while (w->links)
		link_free(w, w->links);
	for (uint32_t i = 0; i < w->queue_count; i++)
		mem_free(w->queue[i].data);
	mem_free(w->queue);
	sim_chain_free(w->chain);
	mem_free(w);
}
