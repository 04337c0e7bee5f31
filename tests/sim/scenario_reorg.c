/* A claim of the victim's that a block showed, and whose block goes. */
#include "tests/sim/attack_script.h"
#include "tests/sim/scenario.h"

/* The victim's HTLC-timeout is in a block.  That block leaves the chain, and in its place comes one with down's claim of
 * the same HTLC by its preimage.  Whoever has failed the HTLC upstream by then, or takes it for settled, is robbed. */
static void reorg_of_a_timeout(struct play *p)
{
	struct attack t;
	struct outpoint o;
	const struct sim_tx *claim;

	attack_begin(&t, p);
	script_pay_and_hold(&t, 1);
	attack_blocks_until(&t, 200, "the victim's commitment", script_out_is_deep);
	script_wait_for_claim(&t, 0);
	attack_block(&t, NULL);
	if (!attack_htlc_outpoint(&t, 0, &o))
		world_fail(t.w, "the commitment has no such HTLC");
	claim = sim_chain_spender(t.w->chain, &o);
	if (!claim || claim->from != VICTIM || !claim->height)
		world_fail(t.w, "the HTLC-timeout is in no block");
	sim_chain_reorg(t.w->chain, 1);
	script_mine_claim(&t, 0, SAT(100000));
	attack_blocks(&t, 2);
	attack_until(&t, "the preimage upstream", script_in_is_free);
	attack_end(&t, 0);
}

const struct scenario scenario_reorg_of_a_timeout = { "reorg-of-a-timeout",
	"an HTLC-timeout leaves the chain, the preimage comes", 3, reorg_of_a_timeout, VICTIM, 8, false };
