/* Connections: each direction is in order, two connections are in any order.
 * A cut falls on any byte of what is on its way: the whole messages before it
 * arrive, what is behind it is lost (BOLT 8 shows nothing of half a message). */
#include <stdio.h>
#include <string.h>

#include "tests/sim/queue.h"

#define FRAME_BYTES 34u /* BOLT 8: length, its tag, the message's tag */

struct sim_link {
	struct sim_link *next;
	uint64_t id;
	int end[2];
	uint32_t life[2];
	uint64_t last_ms[2]; /* when the last message to that end arrives */
	uint32_t latency_ms;
	bool known[2];       /* the end was told that it is there */
	bool drain_due[2];   /* what that end sends is waited for */
};

static struct sim_link *link_by_id(const struct world *w, uint64_t id)
{
	for (struct sim_link *l = w->links; l; l = l->next)
		if (l->id == id)
			return l;
	return NULL;
}

int world_other_end(const struct world *w, uint64_t connection, int node)
{
	const struct sim_link *l = link_by_id(w, connection);

	if (!l)
		return -1;
	return l->end[0] == node ? l->end[1] : l->end[0];
}

bool world_linked(const struct world *w, int one, int other)
{
	for (const struct sim_link *l = w->links; l; l = l->next)
		if ((l->end[0] == one && l->end[1] == other) || (l->end[0] == other && l->end[1] == one))
			return true;
	return false;
}

static void link_free(struct world *w, struct sim_link *l)
{
	struct sim_link **at = &w->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	mem_free(l);
}

static size_t in_flight(const struct world *w, const struct sim_link *l, int side)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < w->queue_count; i++)
		if (w->queue[i].kind == ENTRY_MESSAGE && w->queue[i].id == l->id && w->queue[i].node == l->end[side])
			bytes += w->queue[i].size + FRAME_BYTES;
	return bytes;
}

/* Of what is on its way to that end, only so many bytes arrive.  Entries stay in the queue without a message. */
static void lose_tail(struct world *w, struct sim_link *l, int side, size_t bytes)
{
	uint64_t done = 0;

	for (;;) {
		struct sim_entry *next = NULL;

		for (uint32_t i = 0; i < w->queue_count; i++) {
			struct sim_entry *x = &w->queue[i];

			if (x->kind == ENTRY_MESSAGE && x->id == l->id && x->node == l->end[side] && x->order > done && x->data &&
			    (!next || x->order < next->order))
				next = x;
		}
		if (!next)
			return;
		done = next->order;
		if (next->size + FRAME_BYTES <= bytes) {
			bytes -= next->size + FRAME_BYTES;
			continue;
		}
		bytes = 0;
		mem_free(next->data);
		next->data = NULL;
	}
}

/* Each side that lives hears of the end after what still arrives. */
static void link_end(struct world *w, struct sim_link *l)
{
	for (int i = 0; i < 2; i++) {
		uint64_t at = w->now_ms + 1 + world_random(w, w->o.delay_max_ms);

		if (at <= l->last_ms[i])
			at = l->last_ms[i] + 1;
		if (l->last_ms[i] < UINT64_MAX - 1)
			queue_push(w, (struct sim_entry){ .at_ms = at, .kind = ENTRY_DISCONNECTED, .node = l->end[i],
							  .life = l->life[i], .id = l->id });
	}
	link_free(w, l);
}

static void link_cut(struct world *w, struct sim_link *l)
{
	for (int i = 0; i < 2; i++)
		lose_tail(w, l, i, world_random(w, in_flight(w, l, i) + 1));
	link_end(w, l);
}

void world_cut_links(struct world *w)
{
	while (w->links)
		link_cut(w, w->links);
}

void world_cut_node(struct world *w, int node)
{
	struct sim_link *l, *next;

	for (l = w->links; l; l = next) {
		next = l->next;
		if (l->end[0] == node || l->end[1] == node)
			link_cut(w, l);
	}
}

void world_keep_apart(struct world *w, int one, int other)
{
	struct sim_link *l, *next;

	w->apart[one] |= 1u << other;
	w->apart[other] |= 1u << one;
	for (l = w->links; l; l = next) {
		next = l->next;
		if ((l->end[0] == one && l->end[1] == other) || (l->end[0] == other && l->end[1] == one))
			link_cut(w, l);
	}
}

void world_let_together(struct world *w, int one, int other)
{
	w->apart[one] &= ~(1u << other);
	w->apart[other] &= ~(1u << one);
}

void world_disconnect_now(struct world *w, int node)
{
	struct sim_link *l, *next;

	for (l = w->links; l; l = next) {
		int side = l->end[0] == node ? 0 : 1;
		struct event e = { .kind = EVENT_DISCONNECTED };

		next = l->next;
		if (l->end[side] != node)
			continue;
		e.u.disconnected.connection = l->id;
		e.u.disconnected.reason = "we stop";
		if (!l->known[side])
			continue; /* world_stop cuts it */
		l->last_ms[side] = UINT64_MAX - 1; /* told here */
		link_cut(w, l);
		sim_give(&w->nodes[node], &e);
		next = w->links; /* what it did may have changed them all */
	}
}

/* What was sent before leaves; who hangs up reads no more. */
void sim_hang_up(struct sim_node *n, uint64_t connection)
{
	struct world *w = n->world;
	struct sim_link *l = link_by_id(w, connection);

	if (!l)
		return;
	lose_tail(w, l, l->end[0] == n->index ? 0 : 1, 0);
	link_end(w, l);
}

static void put(struct world *w, struct sim_link *l, int side, struct bytes message)
{
	uint64_t at = w->now_ms + 1 + l->latency_ms + world_random(w, w->o.delay_max_ms);

	if (at <= l->last_ms[side])
		at = l->last_ms[side];
	if (w->o.stall_one_in && world_random(w, w->o.stall_one_in) == 0)
		at += world_random(w, 20000);
	l->last_ms[side] = at;
	queue_push(w, (struct sim_entry){ .at_ms = at, .kind = ENTRY_MESSAGE, .node = l->end[side], .life = l->life[side],
					  .id = l->id, .other = l->end[1 - side],
					  .data = memcpy(mem_alloc(message.size), message.data, message.size), .size = message.size });
}

void sim_send(struct sim_node *from, uint64_t connection, struct bytes message)
{
	struct world *w = from->world;
	struct sim_link *l = link_by_id(w, connection);
	struct buf instead = BUF_EMPTY;
	bool go = true;
	int side;

	if (!l)
		return;
	side = l->end[0] == from->index ? 1 : 0;
	if (l->life[1 - side] != from->life)
		return;
	for (uint32_t i = 0; i < w->hook_count && go; i++)
		if (w->hooks[i].message)
			go = w->hooks[i].message(w->hooks[i].context, w, from->index, l->end[side],
						 instead.size ? buf_view(&instead) : message, &instead);
	/* Whoever listens may have cut the line. */
	l = link_by_id(w, connection);
	if (go && l)
		put(w, l, side, instead.size ? buf_view(&instead) : message);
	buf_release(&instead);
	if (!l)
		return;
	if ((w->o.cut_one_in && world_random(w, w->o.cut_one_in) == 0) || in_flight(w, l, side) > SIM_UNREAD_MAX)
		link_cut(w, l);
}

static void drain_later(struct sim_node *n, struct sim_link *l, int side)
{
	uint64_t at = l->last_ms[1 - side];

	queue_push_simple(n->world, ENTRY_DRAINED, n->index, at > n->world->now_ms ? at - n->world->now_ms : 1, l->id);
	l->drain_due[side] = true;
}

void sim_tell_drained(struct sim_node *n, uint64_t connection)
{
	struct sim_link *l = link_by_id(n->world, connection);
	int side;

	if (!l)
		return;
	side = l->end[0] == n->index ? 0 : 1;
	if (!l->drain_due[side])
		drain_later(n, l, side);
}

bool sim_drained(struct sim_node *n, uint64_t connection)
{
	struct sim_link *l = link_by_id(n->world, connection);
	int side;

	if (!l)
		return false;
	side = l->end[0] == n->index ? 0 : 1;
	l->drain_due[side] = false;
	if (l->last_ms[1 - side] <= n->world->now_ms)
		return true;
	drain_later(n, l, side);
	return false;
}

static void connect_ends(struct world *w, int from, int to)
{
	struct sim_link *l = NEW(struct sim_link);

	l->id = ++w->next_connection;
	l->latency_ms = (uint32_t)world_random(w, w->o.delay_max_ms);
	l->end[0] = from;
	l->end[1] = to;
	for (int i = 0; i < 2; i++) {
		l->life[i] = w->nodes[l->end[i]].life;
		l->last_ms[i] = w->now_ms + 1;
		queue_push(w, (struct sim_entry){ .at_ms = w->now_ms + 1, .kind = ENTRY_CONNECTED, .node = l->end[i],
						  .life = l->life[i], .id = l->id, .other = l->end[1 - i], .outbound = i == 0 });
	}
	l->next = w->links;
	w->links = l;
}

void sim_dial(struct sim_node *from, const struct pubkey *to, const char *host, uint16_t port)
{
	struct world *w = from->world;
	struct sim_entry e = { .at_ms = w->now_ms + 1 + world_random(w, w->o.delay_max_ms), .kind = ENTRY_DIAL,
			       .node = from->index, .life = from->life, .other = world_index(w, to) };

	(void)host;
	(void)port;
	queue_push(w, e);
}

/* A dial has arrived. */
static void dialled(struct world *w, const struct sim_entry *x)
{
	struct event e = { .kind = EVENT_CONNECT_FAILED };

	if (x->other >= 0 && w->nodes[x->other].alive && !(w->apart[x->node] >> x->other & 1)) {
		connect_ends(w, x->node, x->other);
		return;
	}
	if (w->nodes[x->node].raw || x->other < 0)
		return;
	e.u.connect_failed.peer = w->nodes[x->other].id;
	e.u.connect_failed.host = "127.0.0.1";
	e.u.connect_failed.port = 9735;
	e.u.connect_failed.reason = "Connection refused";
	sim_give(&w->nodes[x->node], &e);
}

static void arrived_raw(struct world *w, const struct sim_entry *x)
{
	const struct sim_raw *raw = w->nodes[x->node].raw;

	if (x->kind == ENTRY_CONNECTED && raw->connected)
		raw->connected(raw->context, w, x->node, x->other, x->id, x->outbound);
	else if (x->kind == ENTRY_MESSAGE && raw->message)
		raw->message(raw->context, w, x->node, x->id, BYTES(x->data, x->size));
	else if (x->kind == ENTRY_DISCONNECTED && raw->disconnected)
		raw->disconnected(raw->context, w, x->node, x->id);
}

static bool hear_of(struct world *w, const struct sim_entry *x)
{
	struct sim_link *l = link_by_id(w, x->id);

	if (!l)
		return false;
	l->known[l->end[0] == x->node ? 0 : 1] = true;
	return true;
}

void network_perform(struct world *w, const struct sim_entry *x)
{
	struct sim_node *n = &w->nodes[x->node];
	struct event e = { 0 };

	if (x->kind == ENTRY_DIAL) {
		dialled(w, x);
		return;
	}
	if (x->kind == ENTRY_CONNECTED && !hear_of(w, x)) /* it broke before it was heard of */
		return;
	if (x->kind == ENTRY_MESSAGE && !x->data) /* cut off */
		return;
	if (n->raw) {
		arrived_raw(w, x);
		return;
	}
	if (x->kind == ENTRY_MESSAGE) {
		e.kind = EVENT_MESSAGE;
		e.u.message.connection = x->id;
		e.u.message.message = BYTES(x->data, x->size);
	} else if (x->kind == ENTRY_CONNECTED) {
		e.kind = EVENT_CONNECTED;
		e.u.connected.connection = x->id;
		e.u.connected.peer = w->nodes[x->other].id;
		e.u.connected.outbound = x->outbound;
		e.u.connected.host = "127.0.0.1";
		e.u.connected.port = 9735;
	} else {
		e.kind = EVENT_DISCONNECTED;
		e.u.disconnected.connection = x->id;
		e.u.disconnected.reason = "the link broke";
	}
	sim_give(n, &e);
}

int world_add_raw(struct world *w, const struct sim_raw *raw, const struct pubkey *id)
{
	struct sim_node *n = &w->nodes[w->node_count];

	ASSERT(w->node_count < SIM_NODES_MAX);
	n->world = w;
	n->index = w->node_count;
	n->raw = raw;
	n->id = *id;
	n->alive = n->adversary = true;
	n->life = 1;
	snprintf(n->name, sizeof(n->name), "raw%d", n->index);
	return w->node_count++;
}

void world_raw_dial(struct world *w, int self, int to)
{
	ASSERT(w->nodes[self].raw);
	queue_push(w, (struct sim_entry){ .at_ms = w->now_ms + 1, .kind = ENTRY_DIAL, .node = self, .life = 1, .other = to });
}

void network_free(struct world *w)
{
	while (w->links)
		link_free(w, w->links);
}
