#include "runtime/exec/coalesce.h"

#include <stdlib.h>

struct write {
	struct store_op op;
	uint32_t order;
};

static int compare_keys(const struct store_op *a, const struct store_op *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return bytes_compare(a->key, b->key);
}

static int compare(const void *pa, const void *pb)
{
	const struct write *a = pa, *b = pb;
	int order = compare_keys(&a->op, &b->op);

	if (order)
		return order;
	return a->order < b->order ? -1 : a->order > b->order;
}

static struct write *collect(struct effects *effects, uint32_t *count)
{
	struct write *writes = ARENA_ARRAY(&effects->arena, struct write, effects->count);
	uint32_t n = 0;

	for (const struct effect *f = effects->head; f; f = f->next) {
		if (f->kind != EFFECT_PERSIST)
			continue;
		writes[n].op.kind = f->u.persist.kind;
		writes[n].op.remove = f->u.persist.remove;
		writes[n].op.key = f->u.persist.key;
		writes[n].op.value = f->u.persist.value;
		writes[n].order = n;
		n++;
	}
	*count = n;
	return writes;
}

const struct store_op *coalesce(struct effects *effects, uint32_t *count)
{
	uint32_t n, kept = 0;
	struct write *writes = collect(effects, &n);
	struct store_op *ops = ARENA_ARRAY(&effects->arena, struct store_op, n);

	qsort(writes, n, sizeof(*writes), compare);
	for (uint32_t i = 0; i < n; i++)
		if (i + 1 == n || compare_keys(&writes[i].op, &writes[i + 1].op))
			ops[kept++] = writes[i].op;
	*count = kept;
	return ops;
}
