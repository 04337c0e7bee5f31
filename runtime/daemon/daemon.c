#include "runtime/daemon/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "contract/memo.h"
#include "node/view.h"
#include "runtime/chain/source.h"
#include "runtime/daemon/load.h"
#include "runtime/funds/hot.h"
#include "runtime/gossip/edge.h"
#include "runtime/loop/log.h"
#include "runtime/peer/peers.h"
#include "runtime/pool/pool.h"
#include "runtime/route/worker.h"
#include "runtime/signer/local.h"
#include "runtime/signer/policy.h"
#include "runtime/store/backup_file.h"
#include "runtime/store/thread.h"

/* Effects that wait for a slow disk: beyond this we stop reading from peers. */
#define BACKLOG_MAX (32u << 20)
/* ... and beyond this from strangers: what they asked for leaves in one go with the batch, and payments behind it. */
#define BACKLOG_STRANGERS (32u << 10)

enum stopping { STOP_NOT, STOP_ASKED, STOP_NOW };

struct daemon {
	struct daemon_config config;
	struct loop *loop;
	struct store *store;
	struct store_thread *store_thread;
	struct loop_wake *store_wake, *stop_wake;
	struct local_signer *local_signer;
	struct policy_signer *policy_signer;
	struct hot_funds *hot_funds;
	struct daemon_signer signer;
	struct daemon_funds funds;
	struct memo *memo; /* of the core and the signer */
	struct pool *pool; /* the memo's and the signer's */
	struct node *node;
	struct exec *exec;
	struct peers *peers;
	struct source *source;
	struct gossip_edge *gossip; /* NULL: without gossip */
	struct route_worker *ways;
	uint16_t port;
	uint64_t block_batch; /* the batch with the last block; 0: it is out */
	bool stop_asked; /* by a method */
	enum stopping stopping;
};

void daemon_config_default(struct daemon_config *c, const struct network *network)
{
	memset(c, 0, sizeof(*c));
	node_config_default(&c->node, network);
	c->node.gossip = true;
	c->listen = true;
	c->port = network->lightning_port;
}

/* ---- The executor's ports ---- */

static void core_step(void *context, const struct event *event, struct effects *out)
{
	node_step(((struct daemon *)context)->node, event, out);
}

static void core_flush(void *context, uint64_t now_ms, struct effects *out)
{
	node_flush(((struct daemon *)context)->node, now_ms, out);
}

static uint64_t core_deadline(void *context)
{
	return node_deadline(((struct daemon *)context)->node);
}

static bool core_ahead(void *context)
{
	return node_ahead(((struct daemon *)context)->node);
}

static void commit(void *context, const struct store_op *ops, uint32_t count, struct exec *exec)
{
	(void)exec;
	store_thread_commit(((struct daemon *)context)->store_thread, ops, count);
}

static void compute(void *context, uint64_t id, struct route_job *job)
{
	route_worker_put(((struct daemon *)context)->ways, id, job);
}

static void on_computed(void *context, uint64_t id)
{
	struct daemon *d = context;
	struct event e = { .kind = EVENT_COMPUTED, .now_ms = loop_now_ms(d->loop) };

	e.u.computed.id = id;
	exec_event(d->exec, &e);
}

static void on_fetched(struct daemon *d)
{
	struct store_reader reader;
	struct fetch got;

	while (store_thread_fetched(d->store_thread, &reader, &got)) {
		if (reader.context) {
			d->config.read(d->config.context, reader.id, &got);
		} else {
			struct event e = fetch_event(&got, reader.id, loop_now_ms(d->loop));

			exec_event(d->exec, &e);
		}
		fetch_release(&got);
	}
}

static void on_store(void *context)
{
	struct daemon *d = context;

	if (store_thread_done(d->store_thread))
		exec_committed(d->exec);
	on_fetched(d);
}

static void ring_store(void *context)
{
	loop_wake_ring(((struct daemon *)context)->store_wake);
}

static void release_notify(struct daemon *d, const struct notify *n)
{
	if (d->config.notify)
		d->config.notify(d->config.context, n);
	if (n->kind == NOTIFY_STOP)
		d->stop_asked = true;
}

static void release(void *context, const struct effect *f)
{
	struct daemon *d = context;

	switch (f->kind) {
	case EFFECT_SEND:
		peers_send(d->peers, f->u.send.connection, f->u.send.message);
		return;
	case EFFECT_CONNECT:
		peers_connect(d->peers, &f->u.connect.peer, f->u.connect.host, f->u.connect.port);
		return;
	case EFFECT_DISCONNECT:
		peers_disconnect(d->peers, f->u.disconnect.connection);
		return;
	case EFFECT_BROADCAST:
		source_broadcast(d->source, f->u.broadcast.id, f->u.broadcast.txs, f->u.broadcast.count);
		return;
	case EFFECT_WATCH:
		source_watch(d->source, &f->u.watch);
		return;
	case EFFECT_NOTIFY:
		release_notify(d, &f->u.notify);
		return;
	case EFFECT_REPLY:
		if (d->config.reply)
			d->config.reply(d->config.context, f->u.reply.call, f->u.reply.reply);
		return;
	case EFFECT_FETCH:
		store_thread_fetch(d->store_thread, &(struct store_reader){ NULL, f->u.fetch.id }, &f->u.fetch.range, 1);
		return;
	case EFFECT_GOSSIP:
		gossip_edge_obey(d->gossip, f->u.gossip);
		return;
	case EFFECT_PERSIST:
	case EFFECT_SIGN:
	case EFFECT_FUNDS:
	case EFFECT_COMPUTE:
		break;
	}
	UNREACHABLE();
}

/* The batch that is released is the one before the one that fills. */
static void release_end(void *context)
{
	struct daemon *d = context;

	if (d->gossip)
		gossip_edge_flush(d->gossip);
	peers_flush(d->peers);
	if (d->stop_asked)
		daemon_stop(d); /* after the answer to who asked has left */
	if (!d->block_batch || exec_batch(d->exec) <= d->block_batch)
		return;
	d->block_batch = 0;
	source_released(d->source);
}

/* ---- Events ---- */

static void on_event(void *context, const struct event *event)
{
	struct daemon *d = context;

	if (event->kind == EVENT_BLOCK || event->kind == EVENT_BLOCK_UNDONE)
		d->block_batch = exec_batch(d->exec);
	exec_event(d->exec, event);
}

static void finish_if_quiet(struct daemon *d)
{
	if (d->stopping == STOP_NOW && exec_quiet(d->exec))
		loop_stop(d->loop);
}

static void turn(void *context, uint64_t now_ms)
{
	struct daemon *d = context;

	exec_run(d->exec, now_ms);
	peers_pause(d->peers, d->stopping == STOP_NOW || exec_backlog(d->exec) > BACKLOG_MAX);
	finish_if_quiet(d);
}

static bool idle(void *context)
{
	return exec_ahead(((struct daemon *)context)->exec);
}

static uint64_t deadline(void *context)
{
	return exec_deadline(((struct daemon *)context)->exec);
}

static void tick(void *context, uint64_t now_ms)
{
	struct event e = { .kind = EVENT_TICK, .now_ms = now_ms };

	exec_event(((struct daemon *)context)->exec, &e);
}

static void terminate(void *context)
{
	struct daemon *d = context;

	log_write(d->config.log, LOG_INFO, "daemon", "a signal asks us to end");
	daemon_stop(d);
}

static void hangup(void *context)
{
	struct daemon *d = context;

	if (d->config.hangup)
		d->config.hangup(d->config.context);
}

static void on_stop_wake(void *context)
{
	daemon_stop(context);
}

static void fatal(void *context, const char *text)
{
	struct daemon *d = context;

	if (d->config.fatal)
		d->config.fatal(d->config.fatal_context, text);
	log_fatal(d->config.log, "daemon", "%s", text);
}

/* ---- Opening: each part, and what is said when it fails ---- */

static bool fail(char error[DAEMON_ERROR_SIZE], const char *text)
{
	snprintf(error, DAEMON_ERROR_SIZE, "%s", text);
	return false;
}

static void fill_entropy(uint8_t out32[32])
{
	ASSERT(getrandom(out32, 32, 0) == 32);
}

static bool open_signer(struct daemon *d, char error[DAEMON_ERROR_SIZE])
{
	struct policy_limits limits;
	uint8_t entropy[32];

	if (d->config.signer) {
		d->signer = *d->config.signer;
		return true;
	}
	fill_entropy(entropy);
	d->local_signer = local_signer_new(d->config.node.network, d->config.seed, entropy);
	if (!d->local_signer)
		return fail(error, "the wallet's seed must have 32 to 64 bytes");
	local_signer_share(d->local_signer, d->memo, pool_runner(d->pool));
	policy_limits_default(&limits);
	limits.memo = d->memo;
	d->policy_signer = policy_signer_new(local_signer_port(d->local_signer), &limits);
	mem_wipe(entropy, sizeof(entropy));
	d->signer.port = policy_signer_port(d->policy_signer);
	d->signer.node_id = local_signer_node_id(d->local_signer);
	return true;
}

static bool hot_load(void *context, struct bytes key, struct bytes value)
{
	return hot_funds_load(context, key, value);
}

static bool hot_start(void *context, struct exec *exec)
{
	return hot_funds_start(context, exec);
}

static bool open_funds(struct daemon *d, char error[DAEMON_ERROR_SIZE])
{
	uint8_t entropy[32];

	if (d->config.funds) {
		d->funds = *d->config.funds;
		return true;
	}
	fill_entropy(entropy);
	d->hot_funds = hot_funds_new(d->config.node.network, d->config.seed, entropy);
	mem_wipe(entropy, sizeof(entropy));
	if (!d->hot_funds)
		return fail(error, "the wallet's seed makes no keys");
	d->funds = (struct daemon_funds){ hot_funds_port(d->hot_funds), hot_load, hot_start };
	return true;
}

static bool open_store(struct daemon *d, char error[DAEMON_ERROR_SIZE])
{
	d->store = d->config.store;
	if (d->store)
		return true;
	d->store = store_open_sqlite(d->config.directory, error);
	return d->store != NULL;
}

static void open_loop(struct daemon *d)
{
	struct loop_client client = {
		.context = d, .turn = turn, .idle = idle, .deadline = deadline, .tick = tick,
		.terminate = d->config.handle_signals ? terminate : NULL,
		.hangup = d->config.handle_signals ? hangup : NULL,
	};

	/* A peer that is gone must not end us; libuv tells us otherwise. */
	signal(SIGPIPE, SIG_IGN);
	d->loop = loop_new(&client);
	d->store_wake = loop_wake_new(d->loop, on_store, d);
	d->stop_wake = loop_wake_new(d->loop, on_stop_wake, d);
}

static void open_core(struct daemon *d)
{
	struct exec_ports ports = {
		.core = { d, core_step, core_flush, core_deadline, core_ahead },
		.signer = d->signer.port,
		.funds = d->funds.port,
		.compute = { d, compute },
		.commit = { d, commit },
		.release = { d, release, release_end },
	};
	struct route_worker_owner worker = { d, on_computed };
	uint8_t entropy[32];

	d->config.node.node_id = d->signer.node_id;
	fill_entropy(entropy);
	d->node = node_new(&d->config.node, entropy, d->config.log);
	mem_wipe(entropy, sizeof(entropy));
	d->exec = exec_new(&ports);
	d->ways = route_worker_new(d->loop, &worker);
}

static void found_backup(void *context, struct bytes sealed)
{
	node_found_backup(((struct daemon *)context)->node, sealed);
}

static void gossip_send(void *context, uint64_t connection, struct bytes message)
{
	struct daemon *d = context;

	peers_send(d->peers, connection, message);
	peers_tell_drained(d->peers, connection);
}

static void gossip_lookup(void *context, uint64_t id, uint32_t height, const struct scid *scids, uint32_t count)
{
	source_lookup(((struct daemon *)context)->source, id, height, scids, count);
}

static void on_drained(void *context, uint64_t connection)
{
	struct daemon *d = context;

	if (d->gossip)
		gossip_edge_drained(d->gossip, connection);
}

static bool peer_pays(void *context, const struct pubkey *peer)
{
	struct peer_view v;

	return node_view_peer_by_id(((struct daemon *)context)->node, peer, &v) && v.channel_count;
}

static bool has_room(void *context, uint64_t connection)
{
	const struct gossip *g = node_view_gossip(((struct daemon *)context)->node);

	return !g || gossip_has_room(g, connection);
}

static bool is_busy(void *context)
{
	return exec_backlog(((struct daemon *)context)->exec) > BACKLOG_STRANGERS;
}

static bool load_gossip(void *context, uint32_t ref, struct bytes record)
{
	return node_load_gossip(((struct daemon *)context)->node, ref, record);
}

static bool open_gossip(struct daemon *d, char error[DAEMON_ERROR_SIZE])
{
	struct gossip_edge_config c = {
		.directory = d->config.directory, .chain = d->config.node.network->genesis, .log = d->config.log,
		.context = d, .event = on_event, .send = gossip_send, .lookup = gossip_lookup, .fatal = fatal,
	};

	if (!d->config.node.gossip)
		return true;
	d->gossip = gossip_edge_new(d->loop, &c, error);
	if (!d->gossip)
		return false;
	node_gossip_loaded(d->node, gossip_edge_load(d->gossip, load_gossip, d));
	return true;
}

static bool load(struct daemon *d, struct follow *follow, char error[DAEMON_ERROR_SIZE])
{
	struct store_thread_owner owner = { d, ring_store, fatal };

	if (!load_records(d->store, d->node, &d->funds, follow))
		return fail(error, d->store->error);
	d->store_thread = store_thread_new(d->store, &owner);
	if (d->config.directory)
		backup_files_read(d->config.directory, found_backup, d);
	return true;
}

static void open_peers(struct daemon *d)
{
	struct peers_config c;

	peers_config_default(&c);
	c.node_id = d->signer.node_id;
	c.signer = d->signer.port;
	c.inbound_max = d->config.node.peers_max + d->config.node.channels_max + c.handshakes_max;
	c.log = d->config.log;
	c.context = d;
	c.event = on_event;
	c.drained = on_drained;
	c.pays = peer_pays;
	c.has_room = has_room;
	c.busy = is_busy;
	d->peers = peers_new(d->loop, &c);
}

static bool listen_on_all(struct daemon *d, char error[DAEMON_ERROR_SIZE])
{
	char v6_error[PEERS_ERROR_SIZE];

	/* One socket for both families; where there is no IPv6, one for IPv4. */
	d->port = peers_listen(d->peers, "::", d->config.port, v6_error);
	if (!d->port)
		d->port = peers_listen(d->peers, "0.0.0.0", d->config.port, error);
	return d->port != 0;
}

static bool listen_for_peers(struct daemon *d, char error[DAEMON_ERROR_SIZE])
{
	if (!d->config.listen)
		return true;
	if (d->config.bind_address)
		d->port = peers_listen(d->peers, d->config.bind_address, d->config.port, error);
	else if (!listen_on_all(d, error))
		return false;
	d->config.node.port = d->port;
	return d->port != 0;
}

static bool open_source(struct daemon *d, const struct follow *follow, char error[DAEMON_ERROR_SIZE])
{
	struct source_config c = {
		.network = d->config.node.network, .stored = *follow,
		.has_birthday = d->config.has_birthday, .birthday_height = d->config.birthday_height,
		.poll_ms = d->config.poll_ms, .held = true, .log = d->config.log,
		.context = d, .event = on_event, .fatal = fatal,
	};
	struct core_config core = d->config.core;
	char why[BACKEND_ERROR_SIZE];

	core.network = d->config.node.network;
	if (d->config.backend)
		c.backend = *d->config.backend;
	else if (!core_backend(&c.backend, &core, why))
		return fail(error, why);
	d->source = source_new(d->loop, &c);
	return true;
}

/* From here on the core speaks; its effects wait for the first turn of the loop. */
static bool start(struct daemon *d, char error[DAEMON_ERROR_SIZE])
{
	/* Blocks come once the watches that are made here are known to the source. */
	d->block_batch = exec_batch(d->exec);
	if (d->funds.start && !d->funds.start(d->funds.port.context, d->exec))
		return fail(error, "the stored records of the wallet contradict one another");
	if (!node_start(d->node, loop_now_ms(d->loop), exec_effects(d->exec)))
		return fail(error, "the stored records of the node contradict one another (the log says more)");
	return true;
}

struct daemon *daemon_new(const struct daemon_config *config, char error[DAEMON_ERROR_SIZE])
{
	struct daemon *d = NEW(struct daemon);
	struct follow follow;

	d->config = *config;
	/* What is gossiped lies in a file. */
	if (!d->config.directory)
		d->config.node.gossip = false;
	d->memo = d->config.node.memo = memo_new();
	d->pool = pool_new(pool_threads_default());
	memo_share(d->memo, pool_runner(d->pool));
	open_loop(d);
	if (!open_store(d, error) || !open_signer(d, error) || !open_funds(d, error)) {
		daemon_free(d);
		return NULL;
	}
	open_core(d);
	open_peers(d);
	if (!load(d, &follow, error) || !open_gossip(d, error) || !open_source(d, &follow, error) || !listen_for_peers(d, error) || !start(d, error)) {
		daemon_free(d);
		return NULL;
	}
	d->config.seed = BYTES_NONE;
	return d;
}

void daemon_run(struct daemon *d)
{
	source_start(d->source);
	loop_run(d->loop);
}

/* Those who may still call into the executor go first. */
void daemon_free(struct daemon *d)
{
	if (d->source)
		source_free(d->source);
	else if (d->config.backend) /* daemon_new failed before it was handed on */
		d->config.backend->free(d->config.backend->context);
	if (d->peers)
		peers_free(d->peers);
	gossip_edge_free(d->gossip);
	route_worker_free(d->ways);
	if (d->store_thread)
		store_thread_free(d->store_thread);
	if (d->policy_signer)
		policy_signer_free(d->policy_signer);
	if (d->local_signer)
		local_signer_free(d->local_signer);
	if (d->exec)
		exec_free(d->exec);
	if (d->node)
		node_free(d->node);
	if (d->hot_funds)
		hot_funds_free(d->hot_funds);
	if (d->store)
		d->store->close(d->store);
	loop_wake_free(d->store_wake);
	loop_wake_free(d->stop_wake);
	loop_free(d->loop);
	memo_free(d->memo);
	pool_free(d->pool);
	mem_free(d);
}

/* ---- For the owner ---- */

struct loop *daemon_loop(struct daemon *d)
{
	return d->loop;
}

uint64_t daemon_now_ms(struct daemon *d)
{
	return loop_now_ms(d->loop);
}

uint16_t daemon_port(const struct daemon *d)
{
	return d->port;
}

void daemon_command(struct daemon *d, uint64_t call, const struct command *command)
{
	struct event e = { .kind = EVENT_COMMAND, .now_ms = loop_now_ms(d->loop) };
	struct command copy = *command;

	e.u.command.call = call;
	e.u.command.command = &copy;
	exec_event(d->exec, &e);
}

void daemon_call_gone(struct daemon *d, uint64_t call)
{
	struct event e = { .kind = EVENT_CALL_GONE, .now_ms = loop_now_ms(d->loop) };

	e.u.gone.call = call;
	exec_event(d->exec, &e);
}

void daemon_query(struct daemon *d, const struct exec_query *query)
{
	exec_query(d->exec, query);
}

void daemon_read(struct daemon *d, uint64_t id, const struct record_range *ranges, uint32_t count)
{
	ASSERT(d->config.read);
	store_thread_fetch(d->store_thread, &(struct store_reader){ d, id }, ranges, count);
}

const struct pubkey *daemon_node_id(const struct daemon *d)
{
	return &d->signer.node_id;
}

const struct node *daemon_node(const struct daemon *d)
{
	return d->node;
}

bool daemon_gossip_message(struct daemon *d, uint32_t ref, struct buf *out)
{
	return d->gossip && gossip_edge_message(d->gossip, ref, out);
}

const struct wallet *daemon_wallet(const struct daemon *d)
{
	return d->hot_funds ? hot_funds_wallet(d->hot_funds) : NULL;
}

void daemon_stop(struct daemon *d)
{
	if (d->stopping != STOP_NOT)
		return;
	d->stopping = STOP_ASKED;
	peers_stop_listening(d->peers);
	if (d->config.closing)
		d->config.closing(d->config.context);
	else
		daemon_closed(d);
}

void daemon_closed(struct daemon *d)
{
	/* The loop ends in the next turn in which nothing waits for a commit. */
	d->stopping = STOP_NOW;
	loop_wake_ring(d->stop_wake);
}

void daemon_wake_stop(struct daemon *d)
{
	loop_wake_ring(d->stop_wake);
}

void daemon_poke_chain(struct daemon *d)
{
	source_poke(d->source);
}
