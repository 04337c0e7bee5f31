/* What a step has come to so far. */
#ifndef TESTS_UNIT_STEP_SHOWN_H
#define TESTS_UNIT_STEP_SHOWN_H

#include "step/effect.h"
#include "tests/test.h"

static inline uint32_t count_effects(const struct effects *effects, enum effect_kind kind)
{
	uint32_t n = 0;

	for (struct effect *e = effects->head; e; e = e->next)
		n += e->kind == kind;
	return n;
}

/* NULL: there is none yet. */
static inline const struct reply *find_reply(const struct effects *effects, uint64_t call)
{
	for (struct effect *e = effects->head; e; e = e->next)
		if (e->kind == EFFECT_REPLY && e->u.reply.call == call)
			return e->u.reply.reply;
	return NULL;
}

static inline const struct reply *reply_to(const struct effects *effects, uint64_t call)
{
	CHECK(find_reply(effects, call));
	return find_reply(effects, call);
}

#endif
