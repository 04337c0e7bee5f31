/* Attacks with other commitments than the victim expects: revoked ones, another one after a reorganization, twins. */
#include "channel/view.h"
#include "tests/sim/attack_script.h"
#include "tests/sim/scenario.h"
#include "wire/message.h"

/* --- LDK reorg to another commitment --- */

static void mine_only(struct attack *t, struct bytes raw)
{
	attack_block(t, &(struct sim_mine){ .empty = true, .extra = &raw, .extra_count = 1 });
}

static bool victim_has_signed(struct attack *t)
{
	return t->commitments[1].size > 0;
}

/* Down's commitment is in the chain, and the victim has claimed what timed out on it, when those blocks go.  The
 * victim's own one comes in its place. */
static void reorg(struct play *p, bool deep)
{
	struct attack t;
	struct outpoint o;
	uint32_t expiry;

	attack_begin(&t, p);
	script_pay_and_hold(&t, 2);
	expiry = attack_expiry(&t, t.out, SIDE_LOCAL);
	script_wait_for(&t, expiry);
	t.down->hold = HOLD_CLAIMS;
	attack_publish(&t, t.down, t.out);
	attack_blocks(&t, deep ? 5 : 1);
	sim_chain_reorg(t.w->chain, deep ? 5 : 1);
	for (uint32_t i = 0; i < (deep ? 6 : 2); i++)
		attack_block(&t, &(struct sim_mine){ .empty = true });
	attack_until(&t, "the victim's own commitment", victim_has_signed);
	mine_only(&t, t.commitments[1]);
	attack_blocks(&t, 8);
	for (uint32_t i = 0; i < 2; i++)
		if (!attack_htlc_outpoint(&t, i, &o) || sim_chain_unspent(t.w->chain, &o))
			world_fail(t.w, "the HTLCs of the commitment that came later are not claimed");
	attack_end(&t, 0);
}

static void reorg_shallow(struct play *p)
{
	reorg(p, false);
}

static void reorg_deep(struct play *p)
{
	reorg(p, true);
}

const struct scenario scenario_reorg = { "ldk-reorg-to-another-commitment",
	"the peer's commitment leaves the chain, ours comes", 3, reorg_shallow, VICTIM, 8, false };
const struct scenario scenario_reorg_deep = { "ldk-reorg-after-claims",
	"the same after its HTLCs were claimed", 3, reorg_deep, VICTIM, 8, false };

/* --- LDK duplicate HTLC --- */

static bool twins_are_committed(struct attack *t)
{
	return attack_out_committed(t) == 3;
}

static bool two_of_three_are_left_upstream(struct attack *t)
{
	const struct channel *in = attack_in(t);

	return in && channel_htlc_count(in) == 2;
}

static bool one_of_three_is_left_upstream(struct attack *t)
{
	const struct channel *in = attack_in(t);

	return in && channel_htlc_count(in) == 1;
}

/* Three HTLCs of one hash and amount.  Down takes one with its preimage, and the second only when that is deep; the
 * third times out.  Up is there all the time: it gets back what is taken for failed too early. */
static void duplicate_htlc(struct play *p)
{
	struct attack t;

	attack_begin(&t, p);
	attack_pay_but_one(&t, ATTACK_HTLC_SAT, 1, 4);
	attack_until(&t, "twins", twins_are_committed);
	attack_provoke(&t);
	attack_blocks_until(&t, 10, "the victim's commitment", script_out_is_deep);
	script_mine_twin(&t, 0, 0, SAT(1000));
	attack_until(&t, "up pays the first", two_of_three_are_left_upstream);
	attack_blocks(&t, ONCHAIN_REASONABLE_DEPTH_BLOCKS + 1);
	attack_wait(&t, 60000);
	script_mine_twin(&t, 0, 1, SAT(1000));
	attack_until(&t, "up pays the second", one_of_three_is_left_upstream);
	attack_blocks_until(&t, 200, "the third is given back", script_in_is_free);
	attack_end(&t, 0);
}

const struct scenario scenario_duplicate_htlc = { "ldk-duplicate-htlc",
	"twins of one hash and amount end differently, one after another", 3, duplicate_htlc, VICTIM, 8, false };

/* A revoked commitment that lacks one twin, of two that are live. */
static void duplicate_htlc_revoked(struct play *p)
{
	struct attack t;
	uint32_t old;

	attack_begin(&t, p);
	attack_pay_but_one(&t, ATTACK_HTLC_SAT, 1, 2);
	old = adversary_keep_disk(t.down);
	t.down->withhold = MSG_UPDATE_FULFILL_HTLC;
	attack_pay_rest(&t);
	attack_wait(&t, 5000);
	adversary_cheat(t.down, old);
	attack_blocks_until(&t, 20, "a revoked commitment", script_out_is_deep);
	attack_blocks(&t, 10);
	attack_end(&t, 0);
}

const struct scenario scenario_duplicate_htlc_revoked = { "ldk-duplicate-htlc-revoked",
	"a revoked commitment that lacks one of two twins", 3, duplicate_htlc_revoked, VICTIM, 8, false };

/* --- past states --- */

static bool all_paid(struct attack *t)
{
	const struct channel *in = attack_in(t), *out = attack_out(t);

	return in && out && channel_htlc_count(in) == 0 && channel_htlc_count(out) == 0;
}

/* What the cheater had in the channel belongs to the victim. */
static uint64_t penalty(const struct channel *ch)
{
	/* Less what the revoked commitment gave to miners. */
	return ATTACK_CHANNEL_SAT * 1000ull - channel_to_us(ch).v - 10000000;
}

/* One payment is over, one is under way when the cheater's disk is copied, and a third has come since. */
static void past_state(struct play *p, bool up_cheats, bool with_htlcs)
{
	struct attack t;
	struct adversary *cheater;
	uint64_t gain;
	uint32_t old;

	attack_begin(&t, p);
	cheater = up_cheats ? t.up : t.down;
	attack_pay(&t, ATTACK_HTLC_SAT, 1, 1);
	attack_until(&t, "the first payment", all_paid);
	attack_pay_but_one(&t, ATTACK_HTLC_SAT, 2, 2);
	if (with_htlcs)
		old = adversary_keep_disk(cheater);
	attack_pay_rest(&t);
	attack_until(&t, "the second payment", all_paid);
	if (!with_htlcs)
		old = adversary_keep_disk(cheater);
	attack_pay(&t, ATTACK_HTLC_SAT / 3, 1, 1);
	attack_until(&t, "the third payment", all_paid);
	attack_measure(&t);
	gain = penalty(up_cheats ? attack_in(&t) : attack_out(&t));
	adversary_cheat(cheater, old);
	attack_blocks_until(&t, 20, "a revoked commitment", up_cheats ? script_in_is_deep : script_out_is_deep);
	attack_blocks(&t, 10);
	attack_end(&t, gain);
}

static void past_state_up(struct play *p)
{
	past_state(p, true, true);
}

static void past_state_down(struct play *p)
{
	past_state(p, false, true);
}

static void past_state_bare(struct play *p)
{
	past_state(p, true, false);
}

const struct scenario scenario_past_state_up = { "past-state-upstream",
	"a revoked commitment with HTLCs that the cheater offered", 3, past_state_up, VICTIM, 8, false };
const struct scenario scenario_past_state_down = { "past-state-downstream",
	"a revoked commitment with HTLCs that the victim offered", 3, past_state_down, VICTIM, 8, false };
const struct scenario scenario_past_state_bare = { "past-state-bare",
	"a revoked commitment without HTLCs", 3, past_state_bare, VICTIM, 8, false };

/* The cheater waits until its HTLCs have expired, and its HTLC-timeout transactions are in a block before the victim
 * can do anything. */
static void past_second_stage(struct play *p)
{
	struct attack t;
	struct arena memory;
	uint32_t old, expiry;
	uint64_t gain;

	arena_init(&memory);
	attack_begin(&t, p);
	attack_pay_but_one(&t, ATTACK_HTLC_SAT, 2, 2);
	old = adversary_keep_disk(t.up);
	expiry = attack_expiry(&t, t.in, SIDE_REMOTE);
	attack_pay_rest(&t);
	attack_until(&t, "both payments", all_paid);
	script_wait_for(&t, expiry + 3);
	attack_measure(&t);
	gain = penalty(attack_in(&t));
	t.up->hold = HOLD_CLAIMS;
	adversary_cheat(t.up, old);
	attack_blocks_until(&t, 20, "a revoked commitment", script_in_is_deep);
	for (uint32_t i = 0; i < t.up->held_count; i++) {
		const struct tx *stage = tx_parse(&memory, t.up->held[i].raw);

		if (sim_chain_unspent(t.w->chain, &stage->inputs[0].prev))
			mine_only(&t, t.up->held[i].raw);
	}
	attack_blocks(&t, 10);
	attack_end(&t, gain);
	arena_release(&memory);
}

const struct scenario scenario_past_second_stage = { "past-state-second-stage",
	"HTLC transactions of a revoked commitment are in a block first", 3, past_second_stage, VICTIM, 8, false };
