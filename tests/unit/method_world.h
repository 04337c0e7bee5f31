/* Two whole nodes with their methods in one process, for the tests of
 * api/method: real machines, signers, wallets and executors; the network is a
 * queue, the chain a list, the disk memory. */
#ifndef TESTS_UNIT_METHOD_WORLD_H
#define TESTS_UNIT_METHOD_WORLD_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/method/methods.h"
#include "api/method/schemas.h"
#include "api/rpc/result.h"
#include "bitcoin/address.h"
#include "bitcoin/tx.h"
#include "crypto/hash.h"
#include "route/job.h"
#include "runtime/funds/hot.h"
#include "runtime/signer/local.h"
#include "runtime/store/fetch.h"
#include "tests/test.h"

#define WORLD_BEGIN_MS 1700000000000ull

struct world_node {
	struct world *world;
	int index;
	struct node_config config;
	struct node_address announced, bound;
	struct pubkey id;
	char id_hex[67];
	struct local_signer *signer;
	struct hot_funds *funds;
	struct node *node;
	struct exec *exec;
	struct memory_disk *disk;
	struct store *store;
	struct rpc *rpc;
	struct methods *methods;
	struct rpc_client *client;
	struct buf out; /* answers that nobody has taken */
	struct log_sink log;
};

/* Something on its way to a node. */
struct world_item {
	struct world_item *next;
	enum event_kind kind;
	int to;
	uint64_t id;
	bool outbound;
	bool read;             /* by the methods: got is their answer */
	struct fetch got;      /* FETCHED */
	struct buf message;
};

struct world {
	struct world_node nodes[2];
	uint64_t now_ms;
	struct world_item *queue, **queue_tail;
	uint64_t connection, connections;
	struct bytes mempool[16];
	uint32_t mempool_count, height;
	struct block_hash tip;
	struct arena memory;
	uint8_t coin_serial;
	bool notified_stop;
};

/* Tests of nodes that know a network: what each has read from its log of gossip before it starts, and where the messages
 * are.  NULL: the nodes do not gossip. */
static void (*world_load_gossip)(struct world_node *n);
static bool (*world_gossip_message)(void *context, uint32_t ref, struct buf *out);

static void world_push(struct world *w, struct world_item item)
{
	struct world_item *i = NEW(struct world_item);

	*i = item;
	i->next = NULL;
	*w->queue_tail = i;
	w->queue_tail = &i->next;
}

static void world_item_free(struct world_item *i)
{
	if (i->kind == EVENT_FETCHED)
		fetch_release(&i->got);
	buf_release(&i->message);
	mem_free(i);
}

static void world_dial(struct world_node *n, const struct effect *f)
{
	struct world *w = n->world;
	const struct world_node *other = &w->nodes[1 - n->index];
	int i;

	if (!SAME(f->u.connect.peer, other->id) || strcmp(f->u.connect.host, "127.0.0.1") != 0) {
		world_push(w, (struct world_item){ .kind = EVENT_CONNECT_FAILED, .to = n->index });
		return;
	}
	w->connection = ++w->connections;
	for (i = 0; i < 2; i++)
		world_push(w, (struct world_item){ .kind = EVENT_CONNECTED, .to = i, .id = w->connection, .outbound = i == n->index });
}

static void world_hang_up(struct world *w, uint64_t id)
{
	int i;

	for (i = 0; i < 2 && id == w->connection; i++)
		world_push(w, (struct world_item){ .kind = EVENT_DISCONNECTED, .to = i, .id = id });
	w->connection = 0;
}

/* The answer is on its way. */
static void world_fetch(struct world_node *n, bool read, uint64_t id, const struct record_range *ranges, uint32_t count)
{
	struct world_item item = { .kind = EVENT_FETCHED, .to = n->index, .id = id, .read = read };

	CHECK(fetch_read(&item.got, n->store, ranges, count));
	world_push(n->world, item);
}

static void world_read(void *context, uint64_t id, const struct record_range *ranges, uint32_t count)
{
	world_fetch(context, true, id, ranges, count);
}

static void world_release(void *context, const struct effect *f)
{
	struct world_node *n = context;
	struct world *w = n->world;
	struct world_item item = { .kind = EVENT_MESSAGE, .to = 1 - n->index };
	uint32_t i;

	switch (f->kind) {
	case EFFECT_SEND:
		item.id = f->u.send.connection;
		buf_add_bytes(&item.message, f->u.send.message);
		world_push(w, item);
		return;
	case EFFECT_CONNECT:
		world_dial(n, f);
		return;
	case EFFECT_DISCONNECT:
		world_hang_up(w, f->u.disconnect.connection);
		return;
	case EFFECT_BROADCAST:
		for (i = 0; i < f->u.broadcast.count; i++)
			w->mempool[w->mempool_count++ % 16] = arena_bytes(&w->memory, f->u.broadcast.txs[i]);
		world_push(w, (struct world_item){ .kind = EVENT_BROADCAST, .to = n->index, .id = f->u.broadcast.id });
		return;
	case EFFECT_REPLY:
		methods_reply(n->methods, f->u.reply.call, f->u.reply.reply);
		return;
	case EFFECT_NOTIFY:
		w->notified_stop |= f->u.notify.kind == NOTIFY_STOP;
		return;
	case EFFECT_FETCH:
		world_fetch(n, false, f->u.fetch.id, &f->u.fetch.range, 1);
		return;
	case EFFECT_WATCH:
	case EFFECT_GOSSIP: /* what nodes know is what they were given */
		return;
	case EFFECT_PERSIST:
	case EFFECT_SIGN:
	case EFFECT_FUNDS:
	case EFFECT_COMPUTE:
		break;
	}
	UNREACHABLE();
}

static void world_release_end(void *context)
{
	(void)context;
}

static void world_commit(void *context, const struct store_op *ops, uint32_t count, struct exec *exec)
{
	struct world_node *n = context;

	CHECK(n->store->commit(n->store, ops, count));
	exec_committed(exec);
}

static void world_compute(void *context, uint64_t id, struct route_job *job)
{
	struct world_node *n = context;
	struct event e = { .kind = EVENT_COMPUTED, .now_ms = n->world->now_ms };

	route_job_run(job);
	e.u.computed.id = id;
	exec_event(n->exec, &e);
}

static void world_core_step(void *context, const struct event *event, struct effects *out)
{
	node_step(((struct world_node *)context)->node, event, out);
}

static void world_core_flush(void *context, uint64_t now_ms, struct effects *out)
{
	node_flush(((struct world_node *)context)->node, now_ms, out);
}

static uint64_t world_core_deadline(void *context)
{
	return node_deadline(((struct world_node *)context)->node);
}

static void world_give(struct world_node *n, struct event *e)
{
	e->now_ms = n->world->now_ms;
	exec_event(n->exec, e);
	exec_run(n->exec, n->world->now_ms);
}

static void world_perform(struct world *w, struct world_item *i)
{
	struct world_node *n = &w->nodes[i->to];
	struct event e = { .kind = i->kind };

	if (i->kind == EVENT_MESSAGE) {
		if (i->id != w->connection)
			return;
		e.u.message.connection = i->id;
		e.u.message.message = buf_view(&i->message);
	} else if (i->kind == EVENT_CONNECTED) {
		e.u.connected.connection = i->id;
		e.u.connected.peer = w->nodes[1 - i->to].id;
		e.u.connected.outbound = i->outbound;
		e.u.connected.host = "127.0.0.1";
		e.u.connected.port = 9735;
	} else if (i->kind == EVENT_CONNECT_FAILED) {
		e.u.connect_failed.peer = w->nodes[1 - i->to].id;
		e.u.connect_failed.host = "127.0.0.2";
		e.u.connect_failed.port = 1;
		e.u.connect_failed.reason = "connection refused";
	} else if (i->kind == EVENT_DISCONNECTED) {
		e.u.disconnected.connection = i->id;
		e.u.disconnected.reason = "closed";
	} else if (i->kind == EVENT_FETCHED) {
		if (i->read) {
			methods_read(n->methods, i->id, &i->got);
			exec_run(n->exec, w->now_ms);
			return;
		}
		e = fetch_event(&i->got, i->id, w->now_ms);
	} else {
		e.u.broadcast.id = i->id;
		e.u.broadcast.accepted = true;
	}
	world_give(n, &e);
}

/* Until nothing is on its way. */
static void world_settle(struct world *w)
{
	struct world_item *i;
	int n;

	for (n = 0; n < 2; n++)
		exec_run(w->nodes[n].exec, w->now_ms);
	while ((i = w->queue)) {
		w->queue = i->next;
		if (!w->queue)
			w->queue_tail = &w->queue;
		world_perform(w, i);
		world_item_free(i);
	}
}

/* Lets time pass; the nodes act on what was due. */
static inline void world_wait(struct world *w, uint64_t ms)
{
	struct event e = { .kind = EVENT_TICK };
	int n;

	w->now_ms += ms;
	for (n = 0; n < 2; n++)
		world_give(&w->nodes[n], &e);
	world_settle(w);
}

static void world_synced(struct world *w)
{
	struct event e = { .kind = EVENT_CHAIN_SYNCED };
	int n;

	e.u.synced.height = e.u.synced.best_height = w->height;
	for (n = 0; n < 2; n++)
		world_give(&w->nodes[n], &e);
	world_settle(w);
}

static void world_block(struct world *w)
{
	struct block_tx txs[16];
	struct event e = { .kind = EVENT_BLOCK };
	struct sha256 hash;
	uint8_t raw[36];
	uint32_t i;
	int n;

	memcpy(raw, w->tip.v, 32);
	store_be32(raw + 32, w->height);
	hash = sha256(raw, sizeof(raw));
	for (i = 0; i < w->mempool_count && i < 16; i++)
		txs[i] = (struct block_tx){ w->mempool[i], i + 1 };
	e.u.block.height = ++w->height;
	e.u.block.previous = w->tip;
	memcpy(w->tip.v, hash.v, 32);
	e.u.block.hash = w->tip;
	e.u.block.time = (uint32_t)(w->now_ms / 1000);
	e.u.block.txs = txs;
	e.u.block.tx_count = i;
	w->mempool_count = 0;
	for (n = 0; n < 2; n++)
		world_give(&w->nodes[n], &e);
	world_settle(w);
}

static void world_mine(struct world *w, int blocks)
{
	while (blocks-- > 0)
		world_block(w);
	world_synced(w);
}

static void world_fees(struct world *w, uint32_t per_kw)
{
	struct event e = { .kind = EVENT_FEES };
	int i;

	for (i = 0; i < FEE_TARGETS; i++)
		e.u.fees.rates[i] = FEERATE(per_kw);
	e.u.fees.rates[FEE_MINIMUM] = FEERATE(FEERATE_FLOOR_PER_KW);
	for (i = 0; i < 2; i++)
		world_give(&w->nodes[i], &e);
	world_settle(w);
}

static uint64_t world_now_ms(void *context)
{
	return ((struct world_node *)context)->world->now_ms;
}

static void world_command(void *context, uint64_t call, const struct command *command)
{
	struct world_node *n = context;
	struct event e = { .kind = EVENT_COMMAND, .now_ms = n->world->now_ms };

	e.u.command.call = call;
	e.u.command.command = (struct command *)command;
	exec_event(n->exec, &e);
}

static void world_call_gone(void *context, uint64_t call)
{
	struct world_node *n = context;
	struct event e = { .kind = EVENT_CALL_GONE, .now_ms = n->world->now_ms };

	e.u.gone.call = call;
	exec_event(n->exec, &e);
}

static void world_query(void *context, const struct exec_query *query)
{
	exec_query(((struct world_node *)context)->exec, query);
}

static void world_ready(void *context)
{
	(void)context;
}

static void world_log(void *context, enum log_level level, const char *room, const char *text)
{
	(void)context;
	(void)level;
	(void)room;
	(void)text;
}

static void world_open_methods(struct world_node *n)
{
	struct rpc_limits limits;
	const struct node_port port = {
		.context = n, .node = n->node, .wallet = hot_funds_wallet(n->funds), .directory = "/nowhere",
		.bindings = &n->bound, .binding_count = 1, .now_ms = world_now_ms, .command = world_command,
		.call_gone = world_call_gone, .query = world_query, .read = world_read,
		.gossip_message = world_gossip_message,
	};

	rpc_limits_default(&limits);
	n->rpc = rpc_new(&limits);
	n->methods = methods_new(n->rpc, &port);
	n->client = rpc_client_new(n->rpc, world_ready, n);
	CHECK(n->client);
}

static void world_open_node(struct world *w, int index)
{
	struct world_node *n = &w->nodes[index];
	uint8_t seed[32], fresh[32] = { (uint8_t)(index + 7) };
	struct exec_ports ports;

	n->world = w;
	n->index = index;
	memset(seed, index + 1, sizeof(seed));
	n->signer = local_signer_new(network_by_name("regtest"), BYTES_OF(seed), fresh);
	n->funds = hot_funds_new(network_by_name("regtest"), BYTES_OF(seed), fresh);
	CHECK(n->signer && n->funds);
	n->id = local_signer_node_id(n->signer);
	hex_encode(n->id_hex, n->id.v, sizeof(n->id.v));
	node_config_default(&n->config, network_by_name("regtest"));
	n->config.node_id = n->id;
	n->config.alias = index ? "bob" : "alice";
	n->announced = (struct node_address){ "node.example", 0 };
	n->bound = (struct node_address){ "127.0.0.1", 9000 };
	n->config.port = 9735;
	n->config.announce = &n->announced;
	n->config.announce_count = 1;
	n->log = (struct log_sink){ world_log, n, LOG_ERROR };
	n->config.gossip = world_load_gossip != NULL;
	n->node = node_new(&n->config, fresh, &n->log);
	if (world_load_gossip)
		world_load_gossip(n);
	n->disk = memory_disk_new();
	n->store = store_open_memory(n->disk);
	ports = (struct exec_ports){
		.core = { n, world_core_step, world_core_flush, world_core_deadline },
		.signer = local_signer_port(n->signer),
		.funds = hot_funds_port(n->funds),
		.compute = { n, world_compute },
		.commit = { n, world_commit },
		.release = { n, world_release, world_release_end },
	};
	n->exec = exec_new(&ports);
	CHECK(hot_funds_start(n->funds, n->exec));
	CHECK(node_start(n->node, w->now_ms, exec_effects(n->exec)));
	world_open_methods(n);
}

static struct world *world_new(void)
{
	struct world *w = NEW(struct world);

	w->now_ms = WORLD_BEGIN_MS;
	w->queue_tail = &w->queue;
	arena_init(&w->memory);
	world_open_node(w, 0);
	world_open_node(w, 1);
	w->height = 100;
	world_fees(w, 1000);
	world_mine(w, 1);
	return w;
}

static void world_free(struct world *w)
{
	struct world_item *item;
	int i;

	for (i = 0; i < 2; i++) {
		struct world_node *n = &w->nodes[i];

		rpc_client_free(n->client);
		exec_free(n->exec);
		methods_free(n->methods);
		rpc_free(n->rpc);
		node_free(n->node);
		hot_funds_free(n->funds);
		local_signer_free(n->signer);
		n->store->close(n->store);
		memory_disk_free(n->disk);
		buf_release(&n->out);
	}
	while ((item = w->queue)) {
		w->queue = item->next;
		world_item_free(item);
	}
	arena_release(&w->memory);
	mem_free(w);
}

/* Sends a call without waiting.  params: JSON with ' for ". */
static void world_send(struct world *w, int node, const char *method, const char *params)
{
	struct world_node *n = &w->nodes[node];
	struct buf text = BUF_EMPTY;
	const char *p;

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"%s\",\"params\":", method, method);
	for (p = params; *p; p++)
		buf_add_u8(&text, *p == '\'' ? '"' : (uint8_t)*p);
	buf_add_string(&text, "}");
	rpc_client_feed(n->client, buf_view(&text));
	buf_release(&text);
	world_settle(w);
}

/* The next answer's whole object, owned; NULL if there is none yet. */
static json_t *world_answer(struct world *w, int node)
{
	struct world_node *n = &w->nodes[node];
	struct buf more = BUF_EMPTY;
	char why[JSON_WHY_SIZE];
	const uint8_t *end;
	json_t *answer;

	if (rpc_client_take_output(n->client, &more)) {
		buf_add_bytes(&n->out, buf_view(&more));
		rpc_client_sent(n->client);
	}
	buf_release(&more);
	end = n->out.size ? memmem(n->out.data, n->out.size, "\n\n", 2) : NULL;
	if (!end)
		return NULL;
	answer = json_parse(BYTES(n->out.data, (size_t)(end - n->out.data)), why);
	CHECK(answer);
	buf_consume(&n->out, (size_t)(end - n->out.data) + 2);
	return answer;
}

/* The result of an answer, held to its schema; owned. */
static json_t *world_result(struct world *w, int node, json_t *answer)
{
	const char *method = json_string_value(json_object_get(answer, "id"));
	json_t *result = json_object_get(answer, "result");
	char why[RPC_WHY_SIZE];

	if (!result)
		test_failed(__FILE__, __LINE__, "%s: %s", method,
			    json_string_value(json_object_get(json_object_get(answer, "error"), "message")));
	if (!result_matches(rpc_method(w->nodes[node].rpc, method), result, why))
		test_failed(__FILE__, __LINE__, "%s", why);
	json_incref(result);
	json_decref(answer);
	return result;
}

/* A call that is answered at once and succeeds; its result is owned. */
static json_t *world_call(struct world *w, int node, const char *method, const char *params)
{
	json_t *answer;

	world_send(w, node, method, params);
	answer = world_answer(w, node);
	if (!answer)
		test_failed(__FILE__, __LINE__, "%s is not answered", method);
	return world_result(w, node, answer);
}

/* A call that is answered at once and fails: code and a part of its message. */
static inline void world_refused(struct world *w, int node, const char *method, const char *params, int code, const char *part)
{
	const json_t *error;
	const char *message;
	json_t *answer;

	world_send(w, node, method, params);
	answer = world_answer(w, node);
	error = json_object_get(answer, "error");
	message = json_string_value(json_object_get(error, "message"));
	if (!message || json_integer_value(json_object_get(error, "code")) != code || !strstr(message, part))
		test_failed(__FILE__, __LINE__, "%s: %lld %s", method, (long long)json_integer_value(json_object_get(error, "code")),
			    message ? message : "(no error)");
	json_decref(answer);
}

/* Coins for a node's wallet, in the next block. */
static inline void world_pay_wallet(struct world *w, int node, struct amount_sat amount)
{
	json_t *address = world_call(w, node, "newaddr", "['bech32']");
	struct tx *t = tx_new(&w->memory, 2, 1, 1, 0);
	struct buf raw = BUF_EMPTY;
	const char *why;

	memset(t->inputs[0].prev.txid.v, 0xc0 + w->coin_serial++, 32);
	t->outputs[0].amount = amount;
	CHECK(address_decode(&w->memory, &t->outputs[0].script, &why, w->nodes[node].config.network,
			     bytes_from_string(json_string_value(json_object_get(address, "bech32")))));
	tx_encode(t, &raw);
	w->mempool[w->mempool_count++] = arena_bytes(&w->memory, buf_view(&raw));
	buf_release(&raw);
	json_decref(address);
	world_mine(w, 1);
}

/* "['ID','127.0.0.1',9735]" and the like: text in the world's memory. */
static inline const char *world_text(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline const char *world_text(struct world *w, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return arena_string(&w->memory, text);
}

#endif
