/* What blocks show: spends of what is followed, the second stages that they make, and preimages. */
#include "onchain/state.h"

#include <string.h>

#include "crypto/hash.h"

#define PREIMAGE_SIZE 32u

/* --- which outputs matter --- */

/* Whether we know what every output of it is. */
static bool is_understood(enum onchain_spend kind)
{
	switch (kind) {
	case ONCHAIN_MUTUAL_CLOSE:
	case ONCHAIN_OUR_COMMITMENT:
	case ONCHAIN_THEIR_COMMITMENT:
	case ONCHAIN_THEIR_PREVIOUS_COMMITMENT:
		return true;
	case ONCHAIN_THEIR_REVOKED_COMMITMENT:
	case ONCHAIN_THEIR_FUTURE_COMMITMENT:
	case ONCHAIN_UNKNOWN:
		return false;
	}
	UNREACHABLE();
}

/* B5.general_nomenclature.1: the spend of it means something to us. */
bool onchain_is_followed(const struct onchain *o, uint32_t i)
{
	switch (o->outputs[i].what) {
	case ONCHAIN_TO_US:
	case ONCHAIN_HTLC_OURS:
	case ONCHAIN_HTLC_THEIRS:
	case ONCHAIN_STAGE_OURS:
	case ONCHAIN_STAGE_THEIRS:
		return true;
	case ONCHAIN_TO_THEM:
		return o->ways[i].kind != WAY_NONE;
	case ONCHAIN_ANCHOR:
		return false;
	case ONCHAIN_OTHER:
		return !is_understood(o->kind);
	}
	UNREACHABLE();
}

/* Spent or not: a block that leaves the chain may take the spend with it. */
void onchain_watch(const struct onchain *o, struct step *s)
{
	for (uint32_t i = 0; i < o->count; i++)
		if (onchain_is_followed(o, i))
			effect_watch_outpoint(s->out, &o->outputs[i].outpoint);
}

void onchain_unwatch(const struct onchain *o, struct step *s)
{
	for (uint32_t i = 0; i < o->count; i++)
		if (onchain_is_followed(o, i))
			effect_unwatch_outpoint(s->out, &o->outputs[i].outpoint);
}

/* --- preimages --- */

/* Any item of the witness that hashes to what we offered for: where it stands depends on whose commitment it is. */
static bool find_preimage(struct preimage *out, const struct tx_input *in, const struct sha256 *payment_hash)
{
	for (uint32_t i = 0; i < in->witness_count; i++) {
		struct sha256 hash;

		if (in->witness[i].size != PREIMAGE_SIZE)
			continue;
		hash = sha256(in->witness[i].data, PREIMAGE_SIZE);
		if (!SAME(hash, *payment_hash))
			continue;
		memcpy(out->v, in->witness[i].data, PREIMAGE_SIZE);
		return true;
	}
	return false;
}

/* B5.htlc_output_handling_local_commitment_lo.1, B5.htlc_output_handling_remote_commitment_l.1,
 * B5.revoked_transaction_close_handling.11: at once, for what is known stays known whatever becomes of the block. */
static void learn(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t output, const struct tx_input *in)
{
	for (uint32_t i = 0; i < o->offered_count; i++) {
		struct offered *h = &o->offered[i];
		struct preimage preimage;
		struct onchain_note *n;

		if (h->fate != FATE_OPEN || !onchain_may_be(o, h, output) || !find_preimage(&preimage, in, &h->htlc.payment_hash))
			continue;
		h->fate = FATE_CLAIMED;
		n = onchain_note(s, notes, ONCHAIN_NOTE_PREIMAGE);
		n->htlc_id = h->htlc.id;
		n->preimage = preimage;
		log_write(s->log, LOG_INFO, "onchain", "the peer claimed HTLC %llu on chain: its preimage is known",
			  (unsigned long long)h->htlc.id);
		return;
	}
}

/* --- spends --- */

static uint32_t find_output(const struct onchain *o, const struct outpoint *p)
{
	/* Those of the spend are in their own order. */
	if (SAME(p->txid, o->txid))
		return p->index < o->base_count ? p->index : NOWHERE;
	for (uint32_t i = o->base_count; i < o->count; i++)
		if (outpoint_equal(&o->outputs[i].outpoint, p))
			return i;
	return NOWHERE;
}

static bool may_have_stage(const struct onchain *o, uint32_t output)
{
	switch (o->outputs[output].what) {
	case ONCHAIN_HTLC_OURS:
	case ONCHAIN_HTLC_THEIRS:
	case ONCHAIN_OTHER: /* of a revoked commitment, before it is known what it is */
		return o->terms.stage_script.size != 0;
	case ONCHAIN_TO_US:
	case ONCHAIN_TO_THEM:
	case ONCHAIN_ANCHOR:
	case ONCHAIN_STAGE_OURS:
	case ONCHAIN_STAGE_THEIRS:
		return false;
	}
	UNREACHABLE();
}

/* The output that faces the input (BOLT 3 "HTLC-Timeout and HTLC-Success Transactions": with anchors the signature
 * binds just these two, and one transaction may hold several), if it is the second stage. */
static bool is_stage(const struct onchain *o, const struct tx *t, uint32_t input)
{
	struct sha256 program = sha256(o->terms.stage_script.data, o->terms.stage_script.size);

	return input < t->output_count && script_is_p2wsh(t->outputs[input].script) &&
	       memcmp(t->outputs[input].script.data + 2, program.v, sizeof(program.v)) == 0;
}

/* B5.htlc_output_handling_local_commitment_lo.4, B5.htlc_output_handling_local_commitment_re.3; of a cheater:
 * B5.revoked_transaction_close_handling.9, B5.revoked_transaction_close_handling.10 */
static void add_stage(struct onchain *o, struct step *s, const struct tx *t, const struct txid *txid, uint32_t input,
		      uint32_t from, uint32_t height)
{
	uint32_t i;

	if (!may_have_stage(o, from) || !is_stage(o, t, input) || o->count == OUTPUTS_MAX)
		return;
	i = onchain_append(o, &(struct outpoint){ *txid, input }, t->outputs[input].amount, height);
	o->outputs[i].htlc_id = o->outputs[from].htlc_id;
	o->outputs[i].what = o->terms.revoked ? ONCHAIN_STAGE_THEIRS : ONCHAIN_STAGE_OURS;
	onchain_own(o, i, o->terms.revoked ? WAY_REVOKED_DELAYED : WAY_DELAYED, o->terms.stage_script);
	effect_watch_outpoint(s->out, &o->outputs[i].outpoint);
}

static bool pays_us(const struct onchain *o, const struct tx *t)
{
	for (uint32_t i = 0; o->destination.size && i < t->output_count; i++)
		if (bytes_equal(t->outputs[i].script, o->destination))
			return true;
	return false;
}

/* A claim of ours, whichever of those that replaced one another. */
static bool is_ours(const struct onchain *o, const struct tx *t, const struct txid *txid, uint32_t output, uint32_t input)
{
	const struct way *w = &o->ways[output];

	if (w->claim && w->claim->out && SAME(w->claim->txid, *txid))
		return true;
	return w->kind && (way_is_stage(w->kind) ? is_stage(o, t, input) : pays_us(o, t));
}

static void tell_user(const struct onchain *o, struct step *s, uint32_t output)
{
	const struct onchain_output *v = &o->outputs[output];
	char txid[65];

	txid_to_hex(txid, &v->spent_by);
	log_write(s->log, v->ours && !v->spent_by_us ? LOG_WARN : LOG_INFO, "onchain",
		  "%llu sat, %s, went to %s in block %u: %s", (unsigned long long)v->amount.v, onchain_what_words(v->what),
		  v->spent_by_us ? "us" : "the peer", v->spent_height, txid);
}

void onchain_tx(struct onchain *o, struct step *s, struct onchain_notes *notes, const struct tx *t, uint32_t height)
{
	struct txid txid;
	bool changed = false;

	for (uint32_t i = 0; i < t->input_count; i++) {
		uint32_t at = find_output(o, &t->inputs[i].prev);
		struct onchain_output *v;

		if (at == NOWHERE || o->outputs[at].spent_height)
			continue;
		if (!changed)
			txid = tx_id(t);
		v = &o->outputs[at];
		v->spent_height = height;
		v->spent_by = txid;
		v->spent_by_us = is_ours(o, t, &txid, at, i);
		if (onchain_is_followed(o, at))
			tell_user(o, s, at);
		learn(o, s, notes, at, &t->inputs[i]);
		add_stage(o, s, t, &txid, i, at, height);
		changed = true;
	}
	if (!changed)
		return;
	onchain_break_spent(o, s, notes);
	/* What shared a transaction with it is claimed again at once. */
	onchain_claim_due(o, s, notes);
	onchain_persist(o, s);
}

/* --- blocks that leave --- */

/* The second stages of that block are last. */
static void drop_stages(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	while (o->count > o->base_count && o->outputs[o->count - 1].height >= height) {
		if (o->ways[o->count - 1].claim)
			onchain_break_claim(o, s, notes, o->ways[o->count - 1].claim);
		effect_unwatch_outpoint(s->out, &o->outputs[o->count - 1].outpoint);
		o->count--;
	}
}

bool onchain_undone(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	bool changed = o->count > o->base_count && o->outputs[o->count - 1].height >= height;

	if (o->height == height) {
		/* The outputs are not there any more: their claims spend nothing. */
		while (o->claims)
			onchain_break_claim(o, s, notes, o->claims);
		onchain_unwatch(o, s);
		return true;
	}
	drop_stages(o, s, notes, height);
	for (uint32_t i = 0; i < o->count; i++) {
		struct onchain_output *v = &o->outputs[i];

		if (!v->spent_height || v->spent_height < height)
			continue;
		/* B5.general_nomenclature.3: a claim of ours is in the outbox still; another one is made if it was not. */
		v->spent_height = 0;
		v->spent_by_us = false;
		memset(&v->spent_by, 0, sizeof(v->spent_by));
		changed = true;
	}
	if (changed)
		onchain_persist(o, s);
	onchain_check(o);
	return false;
}
