/* Ends: of outgoing HTLCs, of outputs, and of the channel. */
#include "onchain/state.h"

static bool is_deep(uint32_t height, uint32_t at, uint32_t depth)
{
	return height >= at && height - at >= depth;
}

static bool is_spent_deep(const struct onchain_output *v, uint32_t height, uint32_t depth)
{
	return v->spent_height && is_deep(height, v->spent_height, depth);
}

bool onchain_may_be(const struct onchain *o, const struct offered *h, uint32_t output)
{
	const struct onchain_output *v = &o->outputs[output];

	return h->output == output || (h->output == BY_AMOUNT && v->what == ONCHAIN_HTLC_OURS &&
				       sat_cmp(v->amount, msat_to_sat(h->htlc.amount)) == 0);
}

/* --- outgoing HTLCs --- */

/* Neither side has taken it, and we never will: it is not worth a claim.  Once it has expired the peer would need the
 * preimage and throw away more than it is worth: it is failed upstream rather than left to expire there too. */
static bool is_left_alone(const struct onchain *o, uint32_t output, uint32_t height)
{
	const struct onchain_output *v = &o->outputs[output];

	return !v->spent_height && o->ways[output].kind && onchain_is_worthless(o, output) &&
	       is_deep(height, v->cltv_expiry, ONCHAIN_REASONABLE_DEPTH_BLOCKS);
}

/* Nothing that may be this HTLC is left for the peer to take. */
static bool is_gone(const struct onchain *o, const struct offered *h, uint32_t height)
{
	if (h->fate != FATE_OPEN || !is_deep(height, o->height, h->depth))
		return false;
	for (uint32_t i = 0; i < o->count; i++)
		if (onchain_may_be(o, h, i) && !is_spent_deep(&o->outputs[i], height, h->depth) && !is_left_alone(o, i, height))
			return false;
	return true;
}

/* B5.htlc_output_handling_local_commitment_lo.3, B5.htlc_output_handling_local_commitment_lo.8,
 * B5.htlc_output_handling_remote_commitment_l.4: at a reasonable depth, and not before. */
static void give_up_htlcs(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	bool changed = false;

	for (uint32_t i = 0; i < o->offered_count; i++) {
		if (!is_gone(o, &o->offered[i], height))
			continue;
		o->offered[i].fate = FATE_GONE;
		onchain_note(s, notes, ONCHAIN_NOTE_HTLC_GONE)->htlc_id = o->offered[i].htlc.id;
		log_write(s->log, LOG_INFO, "onchain", "HTLC %llu will not be claimed by the peer any more",
			  (unsigned long long)o->offered[i].htlc.id);
		changed = true;
	}
	if (changed)
		onchain_persist(o, s);
}

/* --- outputs --- */

bool onchain_is_settled(const struct onchain *o, uint32_t i, uint32_t height)
{
	const struct onchain_output *v = &o->outputs[i];

	if (!onchain_is_followed(o, i))
		return true;
	if (v->spent_height)
		return is_spent_deep(v, height, ONCHAIN_DEPTH_BLOCKS);
	/* BOLT 5: what nobody can spend with profit is resolved by the transaction that made it. */
	if (v->ours)
		return onchain_is_worthless(o, i) && is_deep(height, v->height, ONCHAIN_DEPTH_BLOCKS) &&
		       is_deep(height, v->cltv_expiry, ONCHAIN_DEPTH_BLOCKS);
	switch (v->what) {
	case ONCHAIN_HTLC_THEIRS:
		/* BOLT 5 "HTLC Output Handling: Local Commitment, Remote Offers": once expired it is the peer's to take. */
		return is_deep(height, v->cltv_expiry, ONCHAIN_DEPTH_BLOCKS);
	case ONCHAIN_OTHER:
		/* Of a revoked one everything is ours to take (B5.revoked_transaction_close_handling.2). */
		return o->kind != ONCHAIN_THEIR_REVOKED_COMMITMENT;
	case ONCHAIN_TO_US:
	case ONCHAIN_HTLC_OURS:
	case ONCHAIN_STAGE_OURS:
	case ONCHAIN_STAGE_THEIRS:
		return false;
	case ONCHAIN_TO_THEM:
	case ONCHAIN_ANCHOR:
		return true;
	}
	UNREACHABLE();
}

/* INV-O3, B5.general_nomenclature.2 */
static bool is_all_settled(const struct onchain *o, uint32_t height)
{
	if (!is_deep(height, o->height, ONCHAIN_DEPTH_BLOCKS))
		return false;
	for (uint32_t i = 0; i < o->count; i++)
		if (!onchain_is_settled(o, i, height))
			return false;
	for (uint32_t i = 0; i < o->offered_count; i++)
		if (o->offered[i].fate == FATE_OPEN)
			return false;
	return true;
}

/* Nothing of it is worth a transaction any more: what is on offer still is left to the miners. */
static void withdraw_rest(struct onchain *o, struct step *s, struct onchain_notes *notes)
{
	struct claim *c = o->claims;

	while (c) {
		struct claim *next = c->next;
		bool spent = true;

		for (uint32_t i = 0; i < c->count; i++)
			spent &= o->outputs[c->outputs[i]].spent_height != 0;
		if (!spent)
			onchain_break_claim(o, s, notes, c);
		c = next;
	}
}

void onchain_settle(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	give_up_htlcs(o, s, notes, height);
	if (o->resolved || !is_all_settled(o, height))
		return;
	o->resolved = true;
	withdraw_rest(o, s, notes);
	onchain_unwatch(o, s);
	log_write(s->log, LOG_INFO, "onchain", "everything of a channel is settled, %u blocks deep", ONCHAIN_DEPTH_BLOCKS);
	onchain_note(s, notes, ONCHAIN_NOTE_RESOLVED);
}
