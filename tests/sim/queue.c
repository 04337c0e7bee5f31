#include "tests/sim/queue.h"

static bool before(const struct sim_entry *a, const struct sim_entry *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void queue_push(struct world *w, struct sim_entry e)
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

struct sim_entry queue_pop(struct world *w)
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

void queue_push_simple(struct world *w, enum entry_kind kind, int node, uint64_t delay_ms, uint64_t id)
{
	queue_push(w, (struct sim_entry){ .at_ms = w->now_ms + delay_ms, .kind = kind, .node = node,
					  .life = w->nodes[node].life, .id = id });
}

void queue_free(struct world *w)
{
	for (uint32_t i = 0; i < w->queue_count; i++)
		mem_free(w->queue[i].data);
	mem_free(w->queue);
}
