#include "bench/load/letters.h"

#include <pthread.h>

#define THREADS 2u

struct share {
	letter_of *of;
	const void *context;
	uint32_t from, to;
	struct buf text;
	size_t *sizes; /* from `from` on */
};

static void *write_share(void *context)
{
	struct share *s = context;

	for (uint32_t i = s->from; i < s->to; i++) {
		size_t before = s->text.size;

		s->of(s->context, i, &s->text);
		s->sizes[i - s->from] = s->text.size - before;
	}
	return NULL;
}

void letters_write(struct letters *l, uint32_t count, letter_of *of, const void *context)
{
	struct share shares[THREADS];
	pthread_t threads[THREADS];

	*l = (struct letters){ .count = count, .starts = NEW_ARRAY(size_t, (size_t)count + 1) };
	for (uint32_t t = 0; t < THREADS; t++) {
		uint32_t from = (uint32_t)((uint64_t)count * t / THREADS), to = (uint32_t)((uint64_t)count * (t + 1) / THREADS);

		shares[t] = (struct share){ of, context, from, to, BUF_EMPTY, NEW_ARRAY(size_t, (size_t)(to - from) + 1) };
		ASSERT(!pthread_create(&threads[t], NULL, write_share, &shares[t]));
	}
	for (uint32_t t = 0; t < THREADS; t++) {
		size_t at = l->text.size;

		pthread_join(threads[t], NULL);
		for (uint32_t i = shares[t].from; i < shares[t].to; i++) {
			l->starts[i] = at;
			at += shares[t].sizes[i - shares[t].from];
		}
		buf_add_bytes(&l->text, buf_view(&shares[t].text));
		buf_release(&shares[t].text);
		mem_free(shares[t].sizes);
	}
	l->starts[count] = l->text.size;
}

void letters_release(struct letters *l)
{
	buf_release(&l->text);
	mem_free(l->starts);
}
