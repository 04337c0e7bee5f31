#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/memo.h"
#include "tests/sim/funds.h"
#include "tests/sim/gossip.h"
#include "wire/message.h"

#define SAME_MOMENT_MAX 5000u

void world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "sim: seed %llu, %llu ms, step %llu: ", (unsigned long long)w->o.seed,
		(unsigned long long)(w->now_ms - SIM_START_MS), (unsigned long long)w->steps);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void world_say(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->o.verbose)
		return;
	printf("%6llu %9llu ", (unsigned long long)w->steps, (unsigned long long)(w->now_ms - SIM_START_MS));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

uint64_t world_random(struct world *w, uint64_t below)
{
	uint64_t v;

	drbg_fill(&w->entropy, &v, sizeof(v));
	return v % below;
}

void world_hook(struct world *w, const struct sim_hook *hook)
{
	ASSERT(w->hook_count < SIM_HOOKS_MAX);
	w->hooks[w->hook_count++] = *hook;
}

int world_index(const struct world *w, const struct pubkey *id)
{
	for (int i = 0; i < w->node_count; i++)
		if (memcmp(&w->nodes[i].id, id, sizeof(*id)) == 0)
			return i;
	return -1;
}

static void perform(struct world *w, struct sim_entry *x)
{
	struct sim_node *n = &w->nodes[x->node];
	struct event e = { 0 };

	switch (x->kind) {
	case ENTRY_MESSAGE:
	case ENTRY_DIAL:
	case ENTRY_CONNECTED:
	case ENTRY_DISCONNECTED:
		network_perform(w, x);
		return;
	case ENTRY_TICK:
		if (n->tick_at != x->at_ms)
			return;
		n->tick_at = UINT64_MAX;
		e.kind = EVENT_TICK;
		sim_give(n, &e);
		return;
	case ENTRY_FEED:
		sim_feed(n);
		return;
	case ENTRY_BROADCAST:
		e.kind = EVENT_BROADCAST;
		e.u.broadcast.id = x->id;
		e.u.broadcast.accepted = !x->refused;
		e.u.broadcast.reason = x->refused;
		sim_give(n, &e);
		return;
	case ENTRY_SIGNER:
		sim_signer_turn(n);
		return;
	case ENTRY_FEES:
		sim_fees(n, (uint32_t)x->id);
		return;
	case ENTRY_COMMITTED:
		sim_commit_done(n);
		sim_settle(n);
		return;
	case ENTRY_FETCH:
		sim_fetch(n, x->id, BYTES(x->data, x->size));
		return;
	case ENTRY_COMPUTED:
		route_job_run(x->job);
		e.kind = EVENT_COMPUTED;
		e.u.computed.id = x->id;
		sim_give(n, &e);
		return;
	case ENTRY_START:
		if (!n->node)
			world_start(w, x->node);
		return;
	case ENTRY_VERIFIED:
	case ENTRY_FUNDED:
	case ENTRY_DRAINED:
	case ENTRY_COMPACTED:
		sim_gossip_perform(n, x);
		return;
	case ENTRY_CALL:
		x->call(x->context, w);
		return;
	}
	UNREACHABLE();
}

static bool is_aside(const struct sim_entry *x)
{
	uint16_t type;

	switch (x->kind) {
	case ENTRY_TICK:
	case ENTRY_VERIFIED:
	case ENTRY_FUNDED:
	case ENTRY_DRAINED:
	case ENTRY_COMPACTED:
		return true;
	case ENTRY_MESSAGE:
		return x->data && msg_type(BYTES(x->data, x->size), &type) && type >= MSG_CHANNEL_ANNOUNCEMENT &&
		       type <= MSG_GOSSIP_TIMESTAMP_FILTER;
	case ENTRY_DIAL:
	case ENTRY_CONNECTED:
	case ENTRY_DISCONNECTED:
	case ENTRY_FEED:
	case ENTRY_BROADCAST:
	case ENTRY_SIGNER:
	case ENTRY_FEES:
	case ENTRY_START:
	case ENTRY_COMMITTED:
	case ENTRY_FETCH:
	case ENTRY_COMPUTED:
	case ENTRY_CALL:
		return false;
	}
	UNREACHABLE();
}

bool world_step(struct world *w, uint64_t until_ms)
{
	struct sim_entry x;
	const struct sim_node *n;

	if (!w->queue_count || w->queue[0].at_ms > until_ms)
		return false;
	x = queue_pop(w);
	ASSERT(x.at_ms >= w->now_ms);
	w->now_ms = x.at_ms;
	w->steps++;
	w->asides += is_aside(&x);
	if (x.at_ms != w->same_ms)
		w->same_ms = x.at_ms, w->same_count = 0;
	/* A node that wants another tick at the same moment again and again. */
	if (++w->same_count > SAME_MOMENT_MAX)
		world_fail(w, "%u entries at one moment, the last of kind %d for %s", w->same_count, x.kind, w->nodes[x.node].name);
	n = &w->nodes[x.node];
	if (x.kind == ENTRY_START || x.kind == ENTRY_CALL || (n->alive && (!x.life || x.life == n->life)))
		perform(w, &x);
	mem_free(x.data);
	return true;
}

void world_at(struct world *w, uint64_t delay_ms, void (*call)(void *context, struct world *w), void *context)
{
	queue_push(w, (struct sim_entry){ .at_ms = w->now_ms + delay_ms, .kind = ENTRY_CALL, .call = call, .context = context });
}

void world_command(struct world *w, int node, const struct command *command, uint64_t *call)
{
	struct sim_node *n = &w->nodes[node];
	struct event e = { .kind = EVENT_COMMAND };

	*call = ++w->next_call;
	e.u.command.call = *call;
	e.u.command.command = (struct command *)(uintptr_t)command;
	if (!n->alive)
		return;
	if (w->call_count == w->call_capacity) {
		w->call_capacity = w->call_capacity ? 2 * w->call_capacity : 64;
		w->calls = mem_realloc(w->calls, w->call_capacity, sizeof(*w->calls));
	}
	w->calls[w->call_count++] = (struct sim_call){ *call, node, n->life, command->kind };
	sim_give(n, &e);
}

const struct sim_call *world_open_call(struct world *w)
{
	for (uint32_t i = w->first_open_call; i < w->call_count; i++) {
		const struct sim_call *c = &w->calls[i];

		if (w->nodes[c->node].life == c->life && !world_reply(w, c->call))
			return c;
		if (i == w->first_open_call)
			w->first_open_call++;
	}
	return NULL;
}

struct sim_reply *world_reply(struct world *w, uint64_t call)
{
	for (struct sim_reply *r = w->replies[call % SIM_REPLY_LISTS]; r; r = r->next)
		if (r->call == call)
			return r;
	return NULL;
}

void world_connect(struct world *w, int from, int to)
{
	struct command c = { .kind = COMMAND_CONNECT };
	uint64_t call;

	c.u.connect.peer = w->nodes[to].id;
	c.u.connect.host = "127.0.0.1";
	c.u.connect.port = 9735;
	world_command(w, from, &c, &call);
}

static void add_node(struct world *w)
{
	struct sim_node *n = &w->nodes[w->node_count];

	n->world = w;
	n->index = w->node_count++;
	snprintf(n->name, sizeof(n->name), "node%d", n->index);
	drbg_fill(&w->entropy, n->seed, sizeof(n->seed));
	node_config_default(&n->config, network_by_name("regtest"));
	n->config.accept_keysend = w->o.keysend;
	n->config.port = 9735;
	n->config.gossip = w->o.gossip;
	n->config.gossip_dead_max = w->o.gossip_dead_max;
	n->config.static_remotekey_only = w->o.static_remotekey || (w->o.static_nodes >> n->index & 1);
	n->disk = memory_disk_new();
	if (w->o.memo)
		n->memo = n->config.memo = w->o.one_memo && n->index ? w->nodes[0].memo : memo_new();
	world_start(w, n->index);
}

static void give_coins(struct world *w)
{
	for (int i = 0; i < w->node_count; i++)
		sim_funds_grant(w->chain, BYTES_OF(w->nodes[i].seed), SIM_COINS_EACH, SAT(SIM_COIN_SAT));
	sim_chain_mine(w->chain, NULL);
}

struct world *world_new(const struct world_options *o)
{
	struct world *w = NEW(struct world);
	uint8_t raw[32] = { 0 };

	w->o = *o;
	w->o.nodes = o->nodes ? o->nodes : 2;
	w->o.delay_max_ms = o->delay_max_ms ? o->delay_max_ms : 20;
	store_be64(raw, w->o.seed);
	drbg_init(&w->entropy, raw);
	w->now_ms = SIM_START_MS;
	w->feerate_per_kw = 1000;
	w->chain = sim_chain_new(o->seed);
	for (uint32_t i = 0; i < w->o.nodes; i++)
		add_node(w);
	give_coins(w);
	world_tell_chain(w);
	return w;
}

void world_free(struct world *w)
{
	w->hook_count = 0;
	for (int i = 0; i < w->node_count; i++)
		sim_free(&w->nodes[i]);
	if (w->o.one_memo)
		memo_free(w->nodes[0].memo);
	sim_gossip_free(w);
	network_free(w);
	queue_free(w);
	for (uint32_t i = 0; i < SIM_REPLY_LISTS; i++)
		while (w->replies[i]) {
			struct sim_reply *r = w->replies[i];

			w->replies[i] = r->next;
			mem_free(r);
		}
	mem_free(w->calls);
	sim_chain_free(w->chain);
	mem_free(w);
}
