/* The scripted scenarios, by name. */
#include <string.h>

#include "tests/sim/scenario.h"

static const struct scenario *const all[] = {
	&scenario_pair,
	&scenario_forward,
	&scenario_terms,
	&scenario_gossip,
	&scenario_parts,
	&scenario_chain,
	&scenario_preimage,
	&scenario_spike,
	&scenario_preimage_extraction,
	&scenario_last_block,
	&scenario_withheld_revocation,
	&scenario_excessive_failback_1,
	&scenario_excessive_failback_2,
	&scenario_late_preimage,
	&scenario_invalid_claims,
	&scenario_replacement_cycling,
	&scenario_pinning,
	&scenario_replacement_stalling,
	&scenario_reorg,
	&scenario_reorg_deep,
	&scenario_duplicate_htlc,
	&scenario_duplicate_htlc_revoked,
	&scenario_past_state_up,
	&scenario_past_state_down,
	&scenario_past_state_bare,
	&scenario_past_second_stage,
	&scenario_reorg_of_a_timeout,
};

const struct scenario *scenario_at(uint32_t index)
{
	return index < ARRAY_COUNT(all) ? all[index] : NULL;
}

const struct scenario *scenario_named(const char *name)
{
	for (uint32_t i = 0; i < ARRAY_COUNT(all); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

struct play_result scenario_run(const struct scenario *s, const struct play_options *o)
{
	const struct world_options like = { .seed = o->seed, .nodes = s->nodes, .verbose = o->verbose, .cut_one_in = o->cut_one_in,
					    .slow_signer = o->slow_signer, .memo = o->memo, .static_remotekey = o->static_remotekey,
					    .gossip = s->gossip, .gossip_dead_max = 500 };
	struct play p = { 0 };

	play_begin(&p, o, &like);
	s->run(&p);
	return play_end(&p);
}
