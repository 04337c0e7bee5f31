/* Attacks on transactions that must confirm: replacement cycling, pinning, stalled replacements.
 *
 * In each the victim's HTLC-timeout must be in a block before up can take the incoming HTLC back; else down takes the
 * outgoing one with its preimage afterwards, and the victim has paid for it. */
#include "channel/view.h"
#include "tests/sim/attack_script.h"
#include "tests/sim/scenario.h"

#define COINS 40u
#define COIN_SAT 1000000u

struct fight {
	struct attack t;
	struct outpoint coins[COINS], htlc;
	uint32_t used, limit;       /* coins */
	struct amount_sat spent;    /* fees of what confirmed */
	bool over;                  /* the attacker gives up */
	uint32_t outputs;           /* of the pin */
	struct amount_sat pin_fee;
	struct arena memory;
};

static void get_coins(struct fight *f, uint32_t count)
{
	f->limit = count;
	for (uint32_t i = 0; i < count; i++)
		f->coins[i] = adversary_coin(f->t.down, SAT(COIN_SAT));
}

/* To the victim's commitment in a block, with its HTLC expired. */
static void begin(struct fight *f, struct play *p, uint32_t coins, const struct sim_watcher *watcher)
{
	arena_init(&f->memory);
	attack_begin(&f->t, p);
	get_coins(f, coins);
	attack_measure(&f->t);
	script_pay_and_hold(&f->t, 1);
	/* Nothing moves any more: this is the commitment that will be published. */
	if (!attack_htlc_outpoint(&f->t, 0, &f->htlc))
		world_fail(f->t.w, "the commitment has no HTLC");
	sim_chain_watch(f->t.w->chain, watcher);
	attack_blocks_until(&f->t, 200, "the victim's commitment", script_out_is_deep);
}

/* Up takes its HTLC back where it can; if the victim's is not settled then, down takes that one too. */
static void take_both_ends(struct fight *f)
{
	uint32_t expiry = attack_expiry(&f->t, f->t.in, SIDE_REMOTE);

	f->t.up->mute[VICTIM] = true;
	if (expiry != UINT32_MAX)
		script_wait_for(&f->t, expiry + 10);
	f->over = true;
	sim_chain_set_floor(f->t.w->chain, 0);
	if (sim_chain_unspent(f->t.w->chain, &f->htlc))
		script_mine_claim(&f->t, 0, SAT(1000));
	attack_end(&f->t, 0);
	arena_release(&f->memory);
}

/* --- CVE-2023-40231 to 40234: replacement cycling --- */

/* The coin alone, for more: what spent it together with the HTLC leaves the mempool, and nothing spends the HTLC. */
static struct tx *coin_alone(struct fight *f, const struct outpoint *coin, struct amount_sat fee)
{
	struct tx *t = tx_new(&f->memory, 2, 1, 1, 0);

	adversary_add_coin(&f->memory, t, 0, coin);
	t->outputs[0] = (struct tx_output){ sat_sub_or_zero(SAT(COIN_SAT), fee), adversary_script(&f->memory) };
	return t;
}

static bool spends_htlc(const struct fight *f, const struct sim_tx *t)
{
	for (uint32_t i = 0; i < t->tx->input_count; i++)
		if (outpoint_equal(&t->tx->inputs[i].prev, &f->htlc))
			return true;
	return false;
}

static struct amount_sat plus(struct amount_sat a, uint64_t b)
{
	return SAT(a.v + b);
}

static void cycle(void *context, struct sim_chain *c, const struct sim_tx *t)
{
	struct fight *f = context;
	const struct outpoint *coin = &f->coins[f->used];
	struct attack_claim claim = { .has_coin = true, .coin = *coin, .coin_amount = SAT(COIN_SAT) };

	(void)c;
	if (f->over || f->used == f->limit || t->from != VICTIM || !spends_htlc(f, t) || !attack_out(&f->t) ||
	    !f->t.w->nodes[DOWN].alive)
		return;
	claim.fee = plus(t->fee, t->fee.v / 4 + 2000);
	/* A whole HTLC's worth of fees: more would be no theft. */
	if (f->spent.v + claim.fee.v + 3000 > ATTACK_HTLC_SAT) {
		f->over = true;
		return;
	}
	if (adversary_offer(f->t.down, attack_claim_make(&f->t, &f->memory, &claim)) ||
	    adversary_offer(f->t.down, coin_alone(f, coin, plus(claim.fee, 3000))))
		return;
	f->spent = plus(f->spent, claim.fee.v + 3000);
	f->used++;
	world_say(f->t.w, "a replacement was cycled; that has cost %llu sat", (unsigned long long)f->spent.v);
}

static void replacement_cycling(struct play *p)
{
	struct fight f = { .used = 0 };
	const struct sim_watcher watcher = { .context = &f, .accepted = cycle };

	begin(&f, p, COINS, &watcher);
	take_both_ends(&f);
	if (!f.used)
		world_fail(p->w, "nothing was cycled");
}

const struct scenario scenario_replacement_cycling = { "cve-2023-40231-replacement-cycling",
	"the victim's HTLC-timeout is replaced, and what replaced it too", 3, replacement_cycling, VICTIM, 8, false };

/* --- pinning --- */

/* A claim that pays much in all and little for its weight: it stays in the mempool, and what replaces it must pay
 * more than all of it. */
static void pin(void *context, struct sim_chain *c, const struct sim_tx *t)
{
	struct fight *f = context;
	struct attack_claim claim = { .has_coin = true, .coin = f->coins[f->used], .coin_amount = SAT(COIN_SAT), .fee = f->pin_fee,
				      .outputs = f->outputs };

	(void)c;
	if (f->over || f->used == f->limit || t->from != VICTIM || !spends_htlc(f, t) || !attack_out(&f->t) ||
	    !f->t.w->nodes[DOWN].alive)
		return;
	if (!adversary_offer(f->t.down, attack_claim_make(&f->t, &f->memory, &claim))) {
		f->used++;
		world_say(f->t.w, "the HTLC is pinned");
	}
}

static void pinning(struct play *p)
{
	struct fight f = { .outputs = 240, .pin_fee = SAT(ATTACK_HTLC_SAT / 5) };
	const struct sim_watcher watcher = { .context = &f, .accepted = pin };

	sim_chain_set_floor(p->w->chain, 0);
	begin(&f, p, 1, &watcher);
	/* Nobody mines what pays so little. */
	sim_chain_set_floor(f.t.w->chain, 10000);
	take_both_ends(&f);
	if (!f.used)
		world_fail(p->w, "nothing was pinned");
}

const struct scenario scenario_pinning = { "pinning",
	"a heavy claim of little feerate stands in the way", 3, pinning, VICTIM, 8, false };

/* --- LND replacement stalling --- */

/* Each conflict takes one HTLC of several out of the victim's claim.  Whoever then begins again with a low fee is
 * kept below what miners ask for until it is too late for the rest. */
static void replacement_stalling(struct play *p)
{
	static const uint32_t before[] = { 22, 14, 6 };
	struct fight f = { .used = 0 };
	uint32_t expiry;

	arena_init(&f.memory);
	attack_begin(&f.t, p);
	script_pay_and_hold(&f.t, 4);
	attack_blocks_until(&f.t, 200, "the victim's commitment", script_out_is_deep);
	expiry = attack_expiry(&f.t, f.t.in, SIDE_REMOTE);
	sim_chain_set_floor(f.t.w->chain, 50000);
	for (uint32_t i = 0; i < 3; i++) {
		struct outpoint o;

		script_wait_for(&f.t, expiry - before[i]);
		if (attack_htlc_outpoint(&f.t, i, &o) && sim_chain_unspent(f.t.w->chain, &o))
			script_mine_claim(&f.t, i, SAT(1000));
	}
	if (!attack_htlc_outpoint(&f.t, 3, &f.htlc))
		world_fail(f.t.w, "the commitment has no HTLC");
	f.t.up->mute[VICTIM] = true;
	script_wait_for(&f.t, expiry + 2);
	if (sim_chain_unspent(f.t.w->chain, &f.htlc))
		world_fail(f.t.w, "the last HTLC has not timed out before the one that pays for it");
	sim_chain_set_floor(f.t.w->chain, 0);
	attack_end(&f.t, 0);
	arena_release(&f.memory);
}

const struct scenario scenario_replacement_stalling = { "lnd-replacement-stalling",
	"conflicts in a spike of fees: no schedule begins anew", 3, replacement_stalling, VICTIM, 8, false };
