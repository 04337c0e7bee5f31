/* Work in parts that do not depend on one another, and who does them.
 *
 * What comes out is the same whoever does it: a part writes to its own place alone.  So the core stays a function of
 * its events, and only an embedder knows of threads (runtime/pool). */
#ifndef BASE_RUNNER_H
#define BASE_RUNNER_H

#include "base/bytes.h"

typedef void runner_part(void *job, uint32_t part);

struct runner {
	void *context;
	/* Calls part(job, i) once for each i below count, in any order and on any thread; returns when all are done. */
	void (*run)(void *context, runner_part *part, void *job, uint32_t count);
};

/* Without a runner: one after another, here. */
static inline void runner_run(const struct runner *r, runner_part *part, void *job, uint32_t count)
{
	if (r) {
		r->run(r->context, part, job, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		part(job, i);
}

#endif
