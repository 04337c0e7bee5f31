/* A signer around another one that answers late and out of order, for tests
 * and the simulator: a remote signer, or one whose owner sleeps.
 *
 * The inner signer is asked at once; its answer is copied and kept back for a
 * number of ticks drawn from a seeded generator.  The same seed and calls give
 * the same order.  One thread. */
#ifndef RUNTIME_SIGNER_DELAYED_H
#define RUNTIME_SIGNER_DELAYED_H

#include "runtime/signer/port.h"

struct delayed_signer;

/* Each answer waits for 0 to ticks_max calls of delayed_signer_tick beyond the next.  Borrows inner's context;
 * returns owned. */
MUST_USE struct delayed_signer *delayed_signer_new(struct signer_port inner, uint32_t ticks_max,
						   const uint8_t seed32[32]);
void delayed_signer_free(struct delayed_signer *d);
struct signer_port delayed_signer_port(struct delayed_signer *d);
/* While away, answers wait for ever: the signer is unreachable. */
void delayed_signer_set_away(struct delayed_signer *d, bool away);
/* Gives the answers that are due, in an order of its own.  Returns how many. */
uint32_t delayed_signer_tick(struct delayed_signer *d);
/* Forgets all answers: whoever asked has crashed. */
void delayed_signer_drop(struct delayed_signer *d);
uint32_t delayed_signer_waiting(const struct delayed_signer *d);

#endif
