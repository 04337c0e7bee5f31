#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "tests/sim/play.h"

extern const struct scenario scenario_pair, scenario_spike;
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

#endif
