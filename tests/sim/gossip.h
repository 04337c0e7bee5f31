/* The edge of core/gossip in the simulator: what runtime/gossip does, in virtual time and without threads.
 *
 * Signatures are verified for real, each once a run, whoever asks; the verdict comes later, in any order.  Funding
 * outputs are looked for in the chain as it is when the answer is given. */
#ifndef TESTS_SIM_GOSSIP_H
#define TESTS_SIM_GOSSIP_H

#include "gossip/gossip.h"
#include "tests/sim/queue.h"

/* The log of gossip on a disk that is not waited for.  It outlives its node: a crash takes what the process had not
 * written, and may tear off what the machine had not. */
struct gossip_log;

MUST_USE struct gossip_log *gossip_log_new(const struct block_hash *chain); /* returns owned */
void gossip_log_free(struct gossip_log *l);
/* What the process has not written is lost; `power`: so is some of what the machine had not, and what is left may end
 * in garbage.  A log that is being written anew is not there. */
void gossip_log_crash(struct gossip_log *l, struct world *w, bool power);
/* Each record until `each` or the log says that there are no more; the rest is cut off.  Returns the end. */
uint32_t gossip_log_load(struct gossip_log *l, bool (*each)(void *context, uint32_t ref, struct bytes record), void *context);
void gossip_log_append(struct gossip_log *l, uint32_t generation, uint32_t ref, struct bytes record);
/* The process writes what it has. */
void gossip_log_flush(struct gossip_log *l, uint64_t now_ms);
/* Appended; false: it is not there. */
MUST_USE bool gossip_log_message(const struct gossip_log *l, uint32_t generation, uint32_t ref, struct buf *out);
void gossip_log_compact(struct gossip_log *l, const struct gossip_move *moves, uint32_t count, uint32_t start);
/* What was ordered last is done, and the new log takes the old one's place; the answer borrows from it until the next
 * order. */
void gossip_log_replace(struct gossip_log *l, uint64_t now_ms, struct gossip_answer *out);

/* The edge. */
void sim_gossip_load(struct sim_node *n);
void sim_gossip_obey(struct sim_node *n, const struct gossip_note *order);
/* A batch is out. */
void sim_gossip_flush(struct sim_node *n);
/* The process is no more. */
void sim_gossip_died(struct sim_node *n);
/* ENTRY_VERIFIED, ENTRY_FUNDED, ENTRY_DRAINED, ENTRY_COMPACTED */
void sim_gossip_perform(struct sim_node *n, const struct sim_entry *x);
void sim_gossip_free(struct world *w);

#endif
