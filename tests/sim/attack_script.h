/* What several scripts of attacks do. */
#ifndef TESTS_SIM_ATTACK_SCRIPT_H
#define TESTS_SIM_ATTACK_SCRIPT_H

#include "tests/sim/attack.h"

/* Down has what it needs to claim the victim's HTLCs, and says nothing: its program knows the preimages. */
void script_pay_and_withhold(struct attack *t, uint32_t invoices, uint32_t parts);
/* So many HTLCs of the victim, each of its own hash, committed for good: down could claim them, says nothing and
 * publishes nothing; its program believes that payments are not whole. */
void script_pay_and_hold(struct attack *t, uint32_t invoices);

MUST_USE bool script_in_is_deep(struct attack *t);  /* somebody's commitment is in a block */
MUST_USE bool script_out_is_deep(struct attack *t);
MUST_USE bool script_in_is_free(struct attack *t);  /* no HTLC between up and the victim */
/* Blocks until two before that height. */
void script_wait_for(struct attack *t, uint32_t height);
/* Steps until a transaction of the victim spends the HTLC of that invoice in its own commitment. */
void script_wait_for_claim(struct attack *t, uint32_t invoice);
/* Down's claim of it, by its preimage and for that fee, goes into a block by a miner in league, alone. */
void script_mine_claim(struct attack *t, uint32_t invoice, struct amount_sat fee);
/* The same for one of several HTLCs of that invoice. */
void script_mine_twin(struct attack *t, uint32_t invoice, uint32_t twin, struct amount_sat fee);

#endif
