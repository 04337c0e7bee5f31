/* The network of 2026-02-03 as a snapshot, for tests and benchmarks of routes. */
#ifndef TESTS_ROUTE_WORLD_H
#define TESTS_ROUTE_WORLD_H

#include "route/planner.h"

/* The vectors' file, read through xz(1); NULL where it or xz is absent, and why on stderr.  Returns owned. */
struct route_graph *route_world_load(void);
/* Indexes of the nodes with most capacity, largest first; at most count.  Returns how many. */
uint32_t route_world_largest(const struct route_graph *g, uint32_t *out, uint32_t count);

/* Holds a plan against its request, by other code than the planner's: every hop's amount, delay, minimum and maximum,
 * that hops join, that no direction carries more than it has, and every limit.  NULL, or what is wrong. */
const char *route_world_check(const struct route_graph *g, const struct route_request *q, const struct route_plan *plan);

/* A generator for tests: the same seed, the same numbers. */
uint64_t route_world_random(uint64_t *state);

#endif
