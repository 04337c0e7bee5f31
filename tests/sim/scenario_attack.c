/* Disclosed attacks on a node that forwards, in the chain.  docs/ATTACKS.md tells of each. */
#include <string.h>

#include "channel/view.h"
#include "tests/sim/attack_script.h"
#include "tests/sim/scenario.h"
#include "wire/message.h"

static bool a_claim_is_held(struct attack *t)
{
	return script_out_is_deep(t) && t->down->held_count > 0;
}

static bool down_keeps_still(struct attack *t)
{
	return t->down->mute[VICTIM];
}

/* --- eclair preimage extraction --- */

/* Down shows the preimage in the spend of its own commitment, in the last block before the HTLC's expiry, and nowhere
 * else. */
static void extraction(struct play *p, bool up_is_silent)
{
	struct attack t;
	uint32_t expiry;

	attack_begin(&t, p);
	script_pay_and_withhold(&t, 1, 1);
	expiry = attack_expiry(&t, t.out, SIDE_LOCAL);
	t.down->hold = HOLD_CLAIMS;
	attack_publish(&t, t.down, t.out);
	attack_blocks_until(&t, 10, "down's commitment and its claim", a_claim_is_held);
	script_wait_for(&t, expiry);
	t.up->mute[VICTIM] = up_is_silent;
	t.down->hold = HOLD_NOTHING;
	adversary_offer_held(t.down);
	if (!up_is_silent) {
		attack_blocks(&t, 2);
		attack_until(&t, "the preimage upstream", script_in_is_free);
	}
	attack_end(&t, 0);
}

static void preimage_extraction(struct play *p)
{
	extraction(p, false);
}

const struct scenario scenario_preimage_extraction = { "eclair-preimage-extraction",
	"a preimage that only the chain shows, in the last block", 3, preimage_extraction, VICTIM, 8, false };

static void last_block(struct play *p)
{
	extraction(p, true);
}

const struct scenario scenario_last_block = { "fulfil-at-the-last-block",
	"the same, and upstream is silent: both ends on chain", 3, last_block, VICTIM, 8, false };

/* --- withheld revocation --- */

static void withheld_revocation(struct play *p)
{
	struct attack t;

	attack_begin(&t, p);
	t.down->withhold = MSG_REVOKE_AND_ACK;
	attack_pay(&t, ATTACK_HTLC_SAT, 1, 1);
	attack_until(&t, "down keeps a revocation", down_keeps_still);
	attack_blocks_until(&t, 200, "the victim's own commitment", script_out_is_deep);
	attack_end(&t, 0);
}

const struct scenario scenario_withheld_revocation = { "withheld-revocation",
	"an HTLC that is neither in the channel nor out of it", 3, withheld_revocation, VICTIM, 8, false };

/* --- LND excessive failback --- */

static bool paid_downstream(struct attack *t)
{
	const struct channel *out = attack_out(t);

	return out && channel_htlc_count(out) == 0;
}

static bool downstream_talks(struct attack *t)
{
	const struct channel *out = attack_out(t);

	return out && channel_is_connected(out);
}

/* The HTLC was paid downstream and is in no commitment there any more, while up is away.  A commitment without it
 * confirms, and the victim starts again: whoever now thinks that a missing HTLC has failed gives it back to up. */
static void failback(struct play *p, bool victims_commitment)
{
	struct attack t;

	attack_begin(&t, p);
	script_pay_and_withhold(&t, 1, 1);
	world_keep_apart(t.w, UP, VICTIM);
	adversary_speak(t.down, VICTIM);
	attack_until(&t, "paid downstream", paid_downstream);
	attack_until(&t, "down is there", downstream_talks);
	if (victims_commitment)
		attack_provoke(&t);
	else
		attack_publish(&t, t.down, t.out);
	attack_blocks_until(&t, 10, "a commitment without the HTLC", script_out_is_deep);
	world_crash(t.w, VICTIM);
	attack_blocks(&t, 8);
	world_crash(t.w, VICTIM);
	world_let_together(t.w, UP, VICTIM);
	attack_until(&t, "up pays", script_in_is_free);
	attack_end(&t, 0);
}

static void excessive_failback_1(struct play *p)
{
	failback(p, false);
}

static void excessive_failback_2(struct play *p)
{
	failback(p, true);
}

const struct scenario scenario_excessive_failback_1 = { "lnd-excessive-failback-1",
	"paid downstream and gone; down publishes", 3, excessive_failback_1, VICTIM, 8, false };
const struct scenario scenario_excessive_failback_2 = { "lnd-excessive-failback-2",
	"the same; the victim publishes", 3, excessive_failback_2, VICTIM, 8, false };

/* --- LDK late preimage after partial claims --- */

static void late_preimage(struct play *p)
{
	struct attack t;
	struct arena memory;

	arena_init(&memory);
	attack_begin(&t, p);
	script_pay_and_hold(&t, 3);
	/* Both channels go on chain with all three; then the preimages come one by one. */
	attack_publish(&t, t.up, t.in);
	attack_provoke(&t);
	attack_blocks_until(&t, 10, "up's commitment", script_in_is_deep);
	attack_blocks_until(&t, 10, "the victim's commitment", script_out_is_deep);
	attack_blocks(&t, 2);
	for (uint32_t i = 0; i < 3; i++) {
		const struct tx *claim = attack_claim_make(&t, &memory, &(struct attack_claim){ .invoice = i, .fee = SAT(5000) });
		const char *why = adversary_offer(t.down, claim);

		if (why)
			world_fail(t.w, "down's claim is refused: %s", why);
		attack_blocks(&t, 3);
	}
	attack_end(&t, 0);
	arena_release(&memory);
}

const struct scenario scenario_late_preimage = { "ldk-late-preimage",
	"preimages that come after their siblings were claimed", 3, late_preimage, VICTIM, 8, false };

/* --- LDK invalid claims --- */

/* The victim claims what timed out, together; down takes one of them with its preimage, in a block that a miner in
 * league makes: the victim's transaction is void, and the others must be claimed again before up's expiry. */
static void invalid_claims(struct play *p)
{
	struct attack t;

	attack_begin(&t, p);
	script_pay_and_hold(&t, 4);
	attack_blocks_until(&t, 200, "the victim's commitment", script_out_is_deep);
	for (uint32_t i = 0; i < 3; i++) {
		script_wait_for_claim(&t, i);
		script_mine_claim(&t, i, SAT(1000));
	}
	t.up->mute[VICTIM] = true;
	attack_end(&t, 0);
}

const struct scenario scenario_invalid_claims = { "ldk-invalid-claims",
	"aggregated claims are voided one after another", 3, invalid_claims, VICTIM, 8, false };
