#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "tests/sim/play.h"

/* Wishes a payment from -> over -> to; refused: with a wrong secret. */
void scenario_route(struct play *p, int from, int over, int to, struct amount_msat amount, bool refused);

extern const struct scenario scenario_pair, scenario_forward, scenario_terms, scenario_gossip, scenario_parts, scenario_chain,
	scenario_preimage, scenario_spike;
/* scenario_attack.c */
extern const struct scenario scenario_preimage_extraction, scenario_last_block, scenario_withheld_revocation,
	scenario_excessive_failback_1, scenario_excessive_failback_2, scenario_late_preimage,
	scenario_invalid_claims;
/* scenario_attack_fees.c */
extern const struct scenario scenario_replacement_cycling, scenario_pinning, scenario_replacement_stalling;
/* scenario_attack_state.c */
extern const struct scenario scenario_reorg, scenario_reorg_deep, scenario_duplicate_htlc,
	scenario_duplicate_htlc_revoked, scenario_past_state_up, scenario_past_state_down, scenario_past_state_bare,
	scenario_past_second_stage;
/* scenario_reorg.c */
extern const struct scenario scenario_reorg_of_a_timeout;

#endif
