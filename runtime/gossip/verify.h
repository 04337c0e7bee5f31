/* Signatures of gossip, verified on threads that run when nothing else does: what is left of the machine when payments
 * have had theirs. */
#ifndef RUNTIME_GOSSIP_VERIFY_H
#define RUNTIME_GOSSIP_VERIFY_H

#include "gossip/message.h"
#include "runtime/loop/loop.h"

struct verifier;

/* Calls done on the loop thread, in any order of ids. */
struct verifier_owner {
	void *context;
	void (*done)(void *context, uint64_t id, const bool *good, uint32_t count);
};

/* threads 0: one for each processor, at most four. */
MUST_USE struct verifier *verifier_new(struct loop *loop, const struct verifier_owner *owner, uint32_t threads);
/* Waits for what is under way; nothing is told any more. */
void verifier_free(struct verifier *v);
/* Copies. */
void verifier_ask(struct verifier *v, uint64_t id, const struct gossip_check *checks, uint32_t count);

#endif
