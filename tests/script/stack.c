#include <string.h>

#include "tests/script/run.h"

void run_fail(struct run *r, enum script_error e)
{
	if (r->error == SCRIPT_OK)
		r->error = e;
}

void stack_push(struct run *r, struct stack *s, struct bytes item)
{
	if (s->count == s->capacity) {
		struct bytes *more;

		s->capacity = s->capacity ? 2 * s->capacity : 16;
		more = ARENA_ARRAY(r->arena, struct bytes, s->capacity);
		if (s->count)
			memcpy(more, s->items, s->count * sizeof(*more));
		s->items = more;
	}
	s->items[s->count++] = item;
}

void run_push(struct run *r, struct bytes item)
{
	stack_push(r, &r->stack, item);
}

void run_push_copy(struct run *r, const void *p, size_t size)
{
	run_push(r, arena_bytes(r->arena, BYTES(p, size)));
}

void run_push_bool(struct run *r, bool value)
{
	static const uint8_t one[] = { 1 };

	run_push(r, value ? BYTES_OF(one) : BYTES_NONE);
}

bool run_needs(struct run *r, uint32_t count)
{
	if (r->stack.count >= count)
		return true;
	run_fail(r, SCRIPT_INVALID_STACK_OPERATION);
	return false;
}

struct bytes run_pop(struct run *r)
{
	if (!run_needs(r, 1))
		return BYTES_NONE;
	return r->stack.items[--r->stack.count];
}

struct bytes run_peek(struct run *r, uint32_t depth)
{
	if (!run_needs(r, depth + 1))
		return BYTES_NONE;
	return r->stack.items[r->stack.count - 1 - depth];
}

struct bytes run_remove(struct run *r, uint32_t depth)
{
	struct bytes item = run_peek(r, depth), *at;

	if (r->error)
		return item;
	at = &r->stack.items[r->stack.count - 1 - depth];
	memmove(at, at + 1, depth * sizeof(*at));
	r->stack.count--;
	return item;
}

void run_insert(struct run *r, uint32_t depth, struct bytes item)
{
	struct bytes *at;

	if (depth && !run_needs(r, depth))
		return;
	run_push(r, item);
	at = &r->stack.items[r->stack.count - 1 - depth];
	memmove(at + 1, at, depth * sizeof(*at));
	*at = item;
}

/* Any bit but a lone sign. */
bool item_is_true(struct bytes b)
{
	for (size_t i = 0; i < b.size; i++)
		if (b.data[i])
			return i + 1 < b.size || b.data[i] != 0x80;
	return false;
}
