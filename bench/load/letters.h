/* Messages made beforehand, so that making them is not measured: signed by two threads, in order. */
#ifndef BENCH_LOAD_LETTERS_H
#define BENCH_LOAD_LETTERS_H

#include "bench/load/crowd.h"

struct letters {
	struct buf text;    /* all behind one another */
	size_t *starts;     /* count + 1 */
	uint32_t count;
};

/* Message `number` of a list, appended to out. */
typedef void letter_of(const void *context, uint32_t number, struct buf *out);

void letters_write(struct letters *l, uint32_t count, letter_of *of, const void *context);
void letters_release(struct letters *l);
static inline struct bytes letter(const struct letters *l, uint32_t i)
{
	return BYTES(l->text.data + l->starts[i], l->starts[i + 1] - l->starts[i]);
}

#endif
