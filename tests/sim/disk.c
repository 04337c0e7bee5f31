/* What a store does to its node: it takes its time, it fails, it is full.  A commit is whole or not there; one that
 * fails ends the process, and what the node finds when it starts again is the disk as it is. */
#include <string.h>

#include "runtime/store/fetch.h"
#include "tests/sim/queue.h"

static bool disk_is_full(const struct sim_node *n)
{
	return n->world->now_ms < n->full_until;
}

/* The process ends in the middle of its batch. */
static void fatal(struct sim_node *n, const char *why)
{
	world_say(n->world, "%s ends: %s", n->name, why);
	n->alive = false;
	n->fault = DISK_GOOD;
	exec_halt(n->exec);
}

static void write_now(struct sim_node *n, const struct store_op *ops, uint32_t count)
{
	enum disk_fault fault = n->fault;

	if (disk_is_full(n)) {
		fatal(n, "database or disk is full");
		return;
	}
	if (fault == DISK_ERROR_BEFORE) {
		fatal(n, "disk I/O error, nothing was written");
		return;
	}
	if (!n->store->commit(n->store, ops, count))
		world_fail(n->world, "the store refused a commit");
	n->commits++;
	for (uint32_t i = 0; i < count; i++)
		n->commit_bytes += ops[i].key.size + ops[i].value.size;
	if (fault == DISK_ERROR_AFTER) {
		fatal(n, "disk I/O error, all was written");
		return;
	}
	exec_committed(n->exec);
}

/* A commit that took its time is on the disk. */
void sim_commit_done(struct sim_node *n)
{
	const struct store_op *ops = n->writing;

	ASSERT(ops);
	n->writing = NULL;
	write_now(n, ops, n->writing_count);
}

static void commit(void *context, const struct store_op *ops, uint32_t count, struct exec *exec)
{
	struct sim_node *n = context;
	struct world *w = n->world;

	(void)exec;
	if (!w->o.disk_delay_max_ms) {
		write_now(n, ops, count);
		return;
	}
	ASSERT(!n->writing);
	n->writing = ops;
	n->writing_count = count;
	queue_push_simple(w, ENTRY_COMMITTED, n->index, world_random(w, w->o.disk_delay_max_ms), 0);
}

struct commit_port sim_commit_port(struct sim_node *n)
{
	return (struct commit_port){ n, commit };
}

/* Read later, as the store's thread would. */
void sim_ask_store(struct sim_node *n, const struct effect *f)
{
	struct sim_entry x = { .at_ms = n->world->now_ms + world_random(n->world, n->world->o.delay_max_ms), .kind = ENTRY_FETCH,
			       .node = n->index, .life = n->life, .id = f->u.fetch.id };

	const struct record_range *range = &f->u.fetch.range;
	struct buf b = BUF_EMPTY;

	buf_add_u8(&b, (uint8_t)range->kind);
	buf_add_u8(&b, range->reverse);
	buf_add_be32(&b, range->limit);
	buf_add_be16(&b, (uint16_t)range->prefix.size);
	buf_add_bytes(&b, range->prefix);
	buf_add_bytes(&b, range->from);
	x.data = b.data;
	x.size = b.size;
	queue_push(n->world, x);
}

void sim_fetch(struct sim_node *n, uint64_t id, struct bytes what)
{
	struct cursor c = cursor_of(what);
	struct record_range range = { 0 };
	struct fetch got;
	struct event e;

	range.kind = (enum record_kind)cursor_u8(&c);
	range.reverse = cursor_u8(&c);
	range.limit = cursor_be32(&c);
	range.prefix = cursor_bytes(&c, cursor_be16(&c));
	range.from = cursor_rest(&c);
	ASSERT(cursor_done(&c));
	if (!fetch_read(&got, n->store, &range, 1))
		world_fail(n->world, "the store cannot be read");
	e = fetch_event(&got, id, n->world->now_ms);
	sim_give(n, &e);
	fetch_release(&got);
}
