#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_MIN 16384u
#define ALIGNMENT 16u

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	_Alignas(16) uint8_t data[];
};

void arena_init(struct arena *a)
{
	a->head = NULL;
	a->used = 0;
}

static void free_chunks(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		mem_free(c);
		c = next;
	}
}

void arena_reset(struct arena *a)
{
	if (a->head) {
		struct arena_chunk *first = a->head;

		/* A chunk grown for one large step is not kept for ever. */
		free_chunks(first->next);
		first->next = NULL;
		if (first->size > 16 * CHUNK_MIN) {
			mem_free(first);
			a->head = NULL;
		} else {
			memset(first->data, 0, first->used);
			first->used = 0;
		}
	}
	a->used = 0;
}

void arena_wipe(struct arena *a)
{
	for (struct arena_chunk *c = a->head; c; c = c->next)
		mem_wipe(c->data, c->used);
}

void arena_release(struct arena *a)
{
	free_chunks(a->head);
	arena_init(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->head;
	size_t need = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	void *p;

	ASSERT(need >= size);
	if (need == 0)
		need = ALIGNMENT;
	if (!c || c->size - c->used < need) {
		size_t room = need > CHUNK_MIN ? need : CHUNK_MIN;

		c = mem_alloc(sizeof(*c) + room);
		c->size = room;
		c->next = a->head;
		a->head = c;
	}
	p = c->data + c->used;
	c->used += need;
	a->used += need;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	ASSERT(size == 0 || count <= SIZE_MAX / size);
	return arena_alloc(a, count * size);
}

void *arena_copy(struct arena *a, const void *p, size_t size)
{
	void *q = arena_alloc(a, size);

	if (size)
		memcpy(q, p, size);
	return q;
}

struct bytes arena_bytes(struct arena *a, struct bytes b)
{
	return (struct bytes){ arena_copy(a, b.data, b.size), b.size };
}

char *arena_string(struct arena *a, const char *s)
{
	return arena_copy(a, s, strlen(s) + 1);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	int size;
	char *s;

	va_start(ap, fmt);
	size = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	ASSERT(size >= 0);
	s = arena_alloc(a, (size_t)size + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)size + 1, fmt, ap);
	va_end(ap);
	return s;
}
