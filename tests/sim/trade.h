/* A network that trades: channels by a plan, and payments between any two of its nodes. */
#ifndef TESTS_SIM_TRADE_H
#define TESTS_SIM_TRADE_H

#include "tests/sim/workload.h"

struct trade;

/* Makes it the mood of such a network; raw: bytes of its seed, 5 of them. */
void trade_mood(struct mood *m, const uint8_t *raw);

/* Drawn from the world's entropy. */
struct trade *trade_new(struct play *p, const struct mood *m);
void trade_free(struct trade *t);
/* The channels are there, for the most part, and had time to become known. */
MUST_USE bool trade_has_begun(struct trade *t);
/* Opens what the plan has and is not there, wishes some payments. */
void trade_act(struct trade *t);

#endif
