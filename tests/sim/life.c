/* A node's lives: it starts from its disk, its executor's ports lead into the world, it dies. */
#include <stdio.h>
#include <string.h>

#include "contract/memo.h"
#include "tests/sim/gossip.h"

/* --- what it lets out --- */

static const char *offer(struct sim_node *n, const struct effect *f)
{
	return sim_chain_offer(n->world->chain, f->u.broadcast.txs, f->u.broadcast.count, (uint64_t)n->index);
}

static void say_refused(struct sim_node *n, const struct effect *f, const char *why)
{
	struct arena a;
	struct tx *t;
	char id[65], prev[65];

	arena_init(&a);
	t = tx_parse(&a, f->u.broadcast.txs[f->u.broadcast.count - 1]);
	if (t) {
		struct txid txid = tx_id(t);

		hex_encode(id, txid.v, 32);
		hex_encode(prev, t->inputs[0].prev.txid.v, 32);
		world_say(n->world, "%s: a transaction of %u is refused: %s: %s spends %s:%u", n->name, f->u.broadcast.count, why, id, prev,
			  t->inputs[0].prev.index);
	}
	arena_release(&a);
}

static void broadcast(struct sim_node *n, const struct effect *f, bool swallowed)
{
	struct world *w = n->world;
	const char *why = swallowed ? NULL : offer(n, f);

	if (why && w->o.verbose)
		say_refused(n, f, why);
	queue_push(w, (struct sim_entry){ .at_ms = w->now_ms + 1, .kind = ENTRY_BROADCAST, .node = n->index, .life = n->life,
					  .id = f->u.broadcast.id, .refused = why });
}

static void keep_reply(struct sim_node *n, uint64_t call, const struct reply *r)
{
	struct sim_reply *k = NEW(struct sim_reply), **list = &n->world->replies[call % SIM_REPLY_LISTS];

	if (world_reply(n->world, call)) /* INV-N3 */
		world_fail(n->world, "%s answers call %llu twice", n->name, (unsigned long long)call);
	k->next = *list;
	*list = k;
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
		k->payment_secret = r->u.invoice.payment_secret;
		return;
	case COMMAND_CLOSE:
		k->txid = r->u.close.txid;
		return;
	case COMMAND_PAY:
	case COMMAND_KEYSEND:
	case COMMAND_PROBE:
		k->payment_hash = r->u.pay.payment_hash;
		k->preimage = r->u.pay.preimage;
		return;
	case COMMAND_NEW_ADDRESS:
		snprintf(k->text, sizeof(k->text), "%s", r->u.new_address.text);
		return;
	case COMMAND_WITHDRAW:
		k->txid = r->u.withdraw.txid;
		return;
	case COMMAND_SET_CHANNEL:
		n->world->new_terms++;
		return;
	case COMMAND_CONNECT:
	case COMMAND_DISCONNECT:
	case COMMAND_WAIT_INVOICE:
	case COMMAND_WAIT_ANY_INVOICE:
	case COMMAND_DELETE_INVOICE:
	case COMMAND_CLEAN:
	case COMMAND_STOP:
	case COMMAND_SENDPAY:
	case COMMAND_WAIT_SENDPAY:
	case COMMAND_DELPAY:
	case COMMAND_RECOVER:
	case COMMAND_DEL_FORWARD:
	case COMMAND_LAYER:
	case COMMAND_RESERVE:
	case COMMAND_ROUTES:
	case COMMAND_HOLD:
		return;
	}
}

static void let_out(struct sim_node *n, const struct effect *f)
{
	struct world *w = n->world;
	bool swallowed = false;

	for (uint32_t i = 0; i < w->hook_count && !swallowed; i++)
		if (w->hooks[i].effect)
			swallowed = !w->hooks[i].effect(w->hooks[i].context, n, f);
	if (f->kind == EFFECT_BROADCAST)
		broadcast(n, f, swallowed);
	if (swallowed)
		return;
	switch (f->kind) {
	case EFFECT_SEND:
		sim_send(n, f->u.send.connection, f->u.send.message);
		return;
	case EFFECT_CONNECT:
		sim_dial(n, &f->u.connect.peer, f->u.connect.host, f->u.connect.port);
		return;
	case EFFECT_DISCONNECT:
		sim_hang_up(n, f->u.disconnect.connection);
		return;
	case EFFECT_REPLY:
		keep_reply(n, f->u.reply.call, f->u.reply.reply);
		return;
	case EFFECT_FETCH:
		sim_ask_store(n, f);
		return;
	case EFFECT_WATCH:
		watches_apply(&n->watches, &f->u.watch);
		return;
	case EFFECT_BROADCAST:
	case EFFECT_NOTIFY:
		return;
	case EFFECT_GOSSIP:
		sim_gossip_obey(n, f->u.gossip);
		return;
	case EFFECT_PERSIST:
	case EFFECT_SIGN:
	case EFFECT_FUNDS:
	case EFFECT_COMPUTE:
		break;
	}
	UNREACHABLE();
}

static void release(void *context, const struct effect *f)
{
	struct sim_node *n = context;

	if (!n->alive)
		return;
	n->effects++;
	let_out(n, f);
	if (n->crash_after && --n->crash_after == 0) {
		/* Dead from here on: nothing later of this batch leaves. */
		n->alive = false;
		exec_halt(n->exec);
	}
}

static void release_end(void *context)
{
	sim_gossip_flush(context);
	sim_feed_released(context);
}

/* --- its worker --- */

#define WORK_MAX_MS 20u

/* One job after another, each a while after it was put; what is not done when the node dies is never done. */
static void compute(void *context, uint64_t id, struct route_job *job)
{
	struct sim_node *n = context;
	struct world *w = n->world;
	uint64_t at = w->now_ms + world_random(w, WORK_MAX_MS);

	n->worker_until_ms = at > n->worker_until_ms ? at : n->worker_until_ms;
	queue_push(w, (struct sim_entry){ .at_ms = n->worker_until_ms, .kind = ENTRY_COMPUTED, .node = n->index, .life = n->life,
					  .id = id, .job = job });
}

/* --- the core --- */

static void core_step(void *context, const struct event *event, struct effects *out)
{
	node_step(((struct sim_node *)context)->node, event, out);
}

static void core_flush(void *context, uint64_t now_ms, struct effects *out)
{
	node_flush(((struct sim_node *)context)->node, now_ms, out);
}

static uint64_t core_deadline(void *context)
{
	return node_deadline(((struct sim_node *)context)->node);
}

static bool core_ahead(void *context)
{
	return node_ahead(((struct sim_node *)context)->node);
}

static void log_line(void *context, enum log_level level, const char *room, const char *text)
{
	struct sim_node *n = context;

	(void)level;
	world_say(n->world, "%s %s: %s", n->name, room, text);
}

static struct log_sink sinks[SIM_NODES_MAX];

static bool load_one(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct sim_node *n = context;

	if (kind == RECORD_WALLET)
		return hot_funds_load(n->funds, key, value);
	if (kind == RECORD_CHAIN)
		sim_feed_load(n, key, value);
	return node_load_record(n->node, kind, key, value);
}

static void open_policy(struct sim_node *n)
{
	struct policy_limits limits;

	policy_limits_default(&limits);
	limits.our_delay_max = 2016;
	limits.memo = n->memo;
	n->policy = policy_signer_new(local_signer_port(n->signer), &limits);
}

/* One that answers late is a process of its own: its policy remembers across our lives.  The bundled one dies with us. */
static void open_signer(struct sim_node *n, const uint8_t fresh[32])
{
	n->signer = local_signer_new(n->config.network, BYTES_OF(n->seed), fresh);
	n->id = local_signer_node_id(n->signer);
	n->config.node_id = n->id;
	if (!n->world->o.slow_signer)
		return;
	open_policy(n);
	n->slow = delayed_signer_new(n->without_policy ? local_signer_port(n->signer) : policy_signer_port(n->policy), 3, fresh);
}

static void close_policy(struct sim_node *n)
{
	if (!n->policy)
		return;
	n->refusals += policy_signer_refusals(n->policy);
	policy_signer_free(n->policy);
	n->policy = NULL;
}

static struct signer_port signer_of(struct sim_node *n)
{
	struct signer_port port;

	if (n->slow) {
		port = delayed_signer_port(n->slow);
		port.remembers = true;
		return port;
	}
	if (n->without_policy)
		return local_signer_port(n->signer);
	open_policy(n);
	return policy_signer_port(n->policy);
}

uint64_t sim_refusals(const struct sim_node *n)
{
	return n->refusals + (n->policy ? policy_signer_refusals(n->policy) : 0);
}

static void end_life(struct sim_node *n)
{
	if (!n->node)
		return;
	for (uint32_t i = 0; i < n->world->hook_count; i++)
		if (n->world->hooks[i].dying)
			n->world->hooks[i].dying(n->world->hooks[i].context, n);
	exec_free(n->exec);
	node_free(n->node);
	hot_funds_free(n->funds);
	watches_release(&n->watches);
	n->store->close(n->store);
	if (n->slow)
		delayed_signer_drop(n->slow);
	else
		close_policy(n);
	n->signer_due = false;
	n->exec = NULL;
	n->node = NULL;
	n->funds = NULL;
	n->writing = NULL;
	n->alive = false;
}

static void open_life(struct sim_node *n, const uint8_t fresh[32])
{
	struct exec_ports ports;

	sinks[n->index] = (struct log_sink){ log_line, n, n->world->o.verbose ? LOG_DEBUG : LOG_ERROR + 1 };
	n->node = node_new(&n->config, fresh, &sinks[n->index]);
	n->funds = hot_funds_new(n->config.network, BYTES_OF(n->seed), fresh);
	n->store = store_open_memory(n->disk);
	watches_init(&n->watches, fresh);
	follow_init(&n->follow);
	if (!store_load(n->store, load_one, n))
		world_fail(n->world, "%s cannot load its records", n->name);
	if (n->config.gossip)
		sim_gossip_load(n);
	if (!n->follow.started)
		follow_load_tip(&n->follow, SIM_FIRST_HEIGHT, &sim_chain_block(n->world->chain, SIM_FIRST_HEIGHT)->hash);
	ports = (struct exec_ports){
		.core = { n, core_step, core_flush, core_deadline, core_ahead },
		.signer = signer_of(n),
		.funds = hot_funds_port(n->funds),
		.compute = { n, compute },
		.commit = sim_commit_port(n),
		.release = { n, release, release_end },
	};
	n->exec = exec_new(&ports);
}

void world_start(struct world *w, int index)
{
	struct sim_node *n = &w->nodes[index];
	uint8_t fresh[32];

	ASSERT(!n->alive && !n->node);
	n->life++;
	n->alive = true;
	n->tick_at = UINT64_MAX;
	n->worker_until_ms = 0;
	n->block_batch = 0;
	drbg_fill(&w->entropy, fresh, sizeof(fresh));
	if (!n->signer)
		open_signer(n, fresh);
	drbg_fill(&w->entropy, fresh, sizeof(fresh));
	open_life(n, fresh);
	n->block_batch = exec_batch(n->exec); /* as the daemon: no block before what is watched for is known */
	if (!hot_funds_start(n->funds, n->exec) || !node_start(n->node, w->now_ms, exec_effects(n->exec)))
		world_fail(w, "%s does not start from its records", n->name);
	for (uint32_t i = 0; i < w->hook_count; i++)
		if (w->hooks[i].started)
			w->hooks[i].started(w->hooks[i].context, n);
	if (w->feerate_per_kw)
		queue_push_simple(w, ENTRY_FEES, index, 2, w->feerate_per_kw);
	sim_settle(n);
}

void world_stop(struct world *w, int index)
{
	w->nodes[index].alive = false;
	w->nodes[index].crash_after = 0;
	end_life(&w->nodes[index]);
	world_cut_node(w, index);
}

void world_crash(struct world *w, int index)
{
	struct sim_node *n = &w->nodes[index];
	uint64_t at = w->now_ms + 100 + world_random(w, 2000);

	if (!n->node)
		return;
	n->alive = false;
	n->crashes++;
	n->crash_after = 0;
	world_say(w, "%s dies", n->name);
	end_life(n);
	sim_gossip_died(n);
	world_cut_node(w, index);
	if (at < n->stay_down_until)
		at = n->stay_down_until;
	queue_push(w, (struct sim_entry){ .at_ms = at, .kind = ENTRY_START, .node = index });
}

void world_crash_to(struct world *w, int index, struct memory_disk *disk)
{
	struct sim_node *n = &w->nodes[index];

	world_crash(w, index);
	memory_disk_free(n->disk);
	n->disk = disk;
}

/* --- time --- */

static void plan_signer(struct sim_node *n)
{
	struct world *w = n->world;
	uint64_t wait = 1 + world_random(w, 30);

	if (w->now_ms < n->signer_away_until)
		wait += n->signer_away_until - w->now_ms;
	n->signer_due = true;
	queue_push_simple(w, ENTRY_SIGNER, n->index, wait, 0);
}

void sim_signer_turn(struct sim_node *n)
{
	n->signer_due = false;
	if (n->world->now_ms >= n->signer_away_until)
		delayed_signer_tick(n->slow);
	sim_settle(n);
}

void sim_settle(struct sim_node *n)
{
	struct world *w = n->world;
	uint64_t deadline;

	if (n->alive)
		exec_run(n->exec, w->now_ms);
	if (!n->alive) {
		world_crash(w, n->index);
		return;
	}
	if (n->slow && delayed_signer_waiting(n->slow) && !n->signer_due)
		plan_signer(n);
	while (exec_ahead(n->exec))
		;
	for (uint32_t i = 0; i < w->hook_count; i++)
		if (w->hooks[i].settled && exec_quiet(n->exec))
			w->hooks[i].settled(w->hooks[i].context, n);
	deadline = exec_deadline(n->exec);
	if (deadline != UINT64_MAX && deadline < n->tick_at) {
		n->tick_at = deadline > w->now_ms ? deadline : w->now_ms + 1;
		queue_push(w, (struct sim_entry){ .at_ms = n->tick_at, .kind = ENTRY_TICK, .node = n->index, .life = n->life });
	}
}

void sim_give(struct sim_node *n, struct event *e)
{
	e->now_ms = n->world->now_ms;
	n->events++;
	n->world->events++;
	exec_event(n->exec, e);
	sim_settle(n);
}

void sim_free(struct sim_node *n)
{
	if (n->raw)
		return;
	end_life(n);
	if (n->slow)
		delayed_signer_free(n->slow);
	close_policy(n);
	if (!n->world->o.one_memo)
		memo_free(n->memo);
	local_signer_free(n->signer);
	memory_disk_free(n->disk);
}
