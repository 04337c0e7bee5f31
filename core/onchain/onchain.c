#include "onchain/onchain.h"

#include <string.h>

#include "crypto/hash.h"
#include "onchain/state.h"

#define PREIMAGE_SIZE 32u

void onchain_notes_init(struct onchain_notes *notes)
{
	notes->head = NULL;
	notes->tail = &notes->head;
}

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
static bool is_followed(const struct onchain *o, uint32_t i)
{
	switch (o->outputs[i].what) {
	case ONCHAIN_TO_US:
	case ONCHAIN_HTLC_OURS:
	case ONCHAIN_HTLC_THEIRS:
		return true;
	case ONCHAIN_TO_THEM:
	case ONCHAIN_ANCHOR:
		return false;
	case ONCHAIN_OTHER:
		return !is_understood(o->kind);
	}
	UNREACHABLE();
}

/* Spent or not: a block that leaves the chain may take the spend with it. */
static void watch(const struct onchain *o, struct step *s)
{
	for (uint32_t i = 0; i < o->count; i++)
		if (is_followed(o, i))
			effect_watch_outpoint(s->out, &o->outputs[i].outpoint);
}

static void unwatch(const struct onchain *o, struct step *s)
{
	for (uint32_t i = 0; i < o->count; i++)
		if (is_followed(o, i))
			effect_unwatch_outpoint(s->out, &o->outputs[i].outpoint);
}

/* --- beginning --- */

const char *onchain_spend_words(enum onchain_spend kind)
{
	switch (kind) {
	case ONCHAIN_MUTUAL_CLOSE:
		return "a mutual close";
	case ONCHAIN_OUR_COMMITMENT:
		return "our commitment";
	case ONCHAIN_THEIR_COMMITMENT:
		return "the peer's commitment";
	case ONCHAIN_THEIR_PREVIOUS_COMMITMENT:
		return "the peer's previous commitment";
	case ONCHAIN_THEIR_REVOKED_COMMITMENT:
		return "a REVOKED commitment of the peer";
	case ONCHAIN_THEIR_FUTURE_COMMITMENT:
		return "a commitment of the peer that is newer than our data";
	case ONCHAIN_UNKNOWN:
		return "an unknown transaction";
	}
	UNREACHABLE();
}

/* B5.general_requirements.1, B5.unilateral_close_handling_remote_commitm.4 */
static void tell_user(const struct onchain *o, struct step *s)
{
	char txid[65];

	txid_to_hex(txid, &o->txid);
	if (is_understood(o->kind))
		log_write(s->log, LOG_INFO, "onchain", "a channel's funding output was spent by %s, %s",
			  onchain_spend_words(o->kind), txid);
	else
		log_write(s->log, LOG_ERROR, "onchain", "a channel's funding output was spent by %s, %s: FUNDS MAY BE LOST",
			  onchain_spend_words(o->kind), txid);
}

struct onchain *onchain_new(struct step *s, const struct channel_record *r, struct onchain_notes *notes,
			    const struct onchain_facts *facts)
{
	uint32_t count = facts->spend->output_count;
	struct onchain *o;

	(void)notes;
	/* More outputs than any commitment has: not one of ours, and nothing of ours is among the rest. */
	if (count > ONCHAIN_OUTPUTS_MAX)
		count = ONCHAIN_OUTPUTS_MAX;
	o = onchain_alloc(r, count, facts->offered_count);
	o->height = facts->height;
	o->txid = tx_id(facts->spend);
	o->destination = arena_bytes(&o->memory, facts->destination);
	for (uint32_t i = 0; i < count; i++) {
		o->outputs[i].outpoint = (struct outpoint){ o->txid, i };
		o->outputs[i].amount = facts->spend->outputs[i].amount;
	}
	for (uint32_t i = 0; i < facts->offered_count; i++)
		o->offered[i].htlc = facts->offered[i];
	onchain_classify(o, s, facts);
	tell_user(o, s);
	onchain_persist(o, s);
	onchain_start(o, s);
	return o;
}

void onchain_start(struct onchain *o, struct step *s)
{
	watch(o, s);
	onchain_claim_due(o, s);
}

bool onchain_wants_destination(const struct onchain *o)
{
	for (uint32_t i = 0; i < o->count && !o->destination.size; i++)
		if (o->outputs[i].ours && !o->outputs[i].spent_height)
			return true;
	return false;
}

void onchain_set_destination(struct onchain *o, struct step *s, struct bytes script)
{
	if (!onchain_wants_destination(o) || !script.size)
		return;
	o->destination = arena_bytes(&o->memory, script);
	onchain_persist(o, s);
	onchain_claim_due(o, s);
}

/* --- spends --- */

static bool may_be(const struct onchain *o, const struct offered *h, uint32_t output)
{
	const struct onchain_output *v = &o->outputs[output];

	return h->output == output || (h->output == BY_AMOUNT && v->what == ONCHAIN_HTLC_OURS &&
				       sat_cmp(v->amount, msat_to_sat(h->htlc.amount)) == 0);
}

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

/* B5.htlc_output_handling_local_commitment_lo.1, B5.htlc_output_handling_remote_commitment_l.1: at once, for what is
 * known stays known whatever becomes of the block. */
static void learn(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t output, const struct tx_input *in)
{
	for (uint32_t i = 0; i < o->offered_count; i++) {
		struct offered *h = &o->offered[i];
		struct preimage preimage;
		struct onchain_note *n;

		if (h->fate != FATE_OPEN || !may_be(o, h, output) || !find_preimage(&preimage, in, &h->htlc.payment_hash))
			continue;
		h->fate = FATE_CLAIMED;
		n = onchain_note(s, notes, ONCHAIN_NOTE_PREIMAGE);
		n->htlc_id = h->htlc.id;
		n->preimage = preimage;
		return;
	}
}

void onchain_tx(struct onchain *o, struct step *s, struct onchain_notes *notes, const struct tx *t, uint32_t height)
{
	bool changed = false;

	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct outpoint *p = &t->inputs[i].prev;

		if (!SAME(p->txid, o->txid) || p->index >= o->count || o->outputs[p->index].spent_height)
			continue;
		o->outputs[p->index].spent_height = height;
		o->outputs[p->index].spent_by = tx_id(t);
		learn(o, s, notes, p->index, &t->inputs[i]);
		changed = true;
	}
	if (changed)
		onchain_persist(o, s);
}

/* --- blocks --- */

static bool is_deep(uint32_t height, uint32_t at, uint32_t depth)
{
	return height >= at && height - at >= depth;
}

static bool is_spent_for_good(const struct onchain_output *v, uint32_t height)
{
	return v->spent_height && is_deep(height, v->spent_height, ONCHAIN_DEPTH_BLOCKS);
}

/* Nothing that may be this HTLC is left for the peer to take. */
static bool is_gone(const struct onchain *o, const struct offered *h, uint32_t height)
{
	if (h->fate != FATE_OPEN || !is_deep(height, o->height, h->depth))
		return false;
	for (uint32_t i = 0; i < o->count; i++)
		if (may_be(o, h, i) && !is_spent_for_good(&o->outputs[i], height))
			return false;
	return true;
}

/* B5.htlc_output_handling_local_commitment_lo.8, B5.htlc_output_handling_remote_commitment_l.4 */
static void give_up_htlcs(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	bool changed = false;

	for (uint32_t i = 0; i < o->offered_count; i++) {
		if (!is_gone(o, &o->offered[i], height))
			continue;
		o->offered[i].fate = FATE_GONE;
		onchain_note(s, notes, ONCHAIN_NOTE_HTLC_GONE)->htlc_id = o->offered[i].htlc.id;
		changed = true;
	}
	if (changed)
		onchain_persist(o, s);
}

static bool is_settled(const struct onchain *o, uint32_t i, uint32_t height)
{
	const struct onchain_output *v = &o->outputs[i];

	if (!is_followed(o, i))
		return true;
	if (v->spent_height)
		return is_spent_for_good(v, height);
	switch (v->what) {
	case ONCHAIN_TO_US:
		/* BOLT 5: what nobody can spend with profit is resolved by the commitment itself. */
		return v->ours && onchain_is_worthless(o, i);
	case ONCHAIN_HTLC_OURS:
		return false;
	case ONCHAIN_HTLC_THEIRS:
		/* BOLT 5 "HTLC Output Handling: Local Commitment, Remote Offers": once expired it is the peer's to take. */
		return is_deep(height, v->cltv_expiry, ONCHAIN_DEPTH_BLOCKS);
	case ONCHAIN_TO_THEM:
	case ONCHAIN_ANCHOR:
		return true;
	case ONCHAIN_OTHER:
		/* Of a revoked one everything is ours to take (B5.revoked_transaction_close_handling.2). */
		return o->kind != ONCHAIN_THEIR_REVOKED_COMMITMENT;
	}
	UNREACHABLE();
}

/* INV-O3 */
static bool is_all_settled(const struct onchain *o, uint32_t height)
{
	if (!is_deep(height, o->height, ONCHAIN_DEPTH_BLOCKS))
		return false;
	for (uint32_t i = 0; i < o->count; i++)
		if (!is_settled(o, i, height))
			return false;
	for (uint32_t i = 0; i < o->offered_count; i++)
		if (o->offered[i].fate == FATE_OPEN)
			return false;
	return true;
}

void onchain_block(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	onchain_claim_due(o, s);
	give_up_htlcs(o, s, notes, height);
	onchain_check(o);
	if (o->resolved || !is_all_settled(o, height))
		return;
	o->resolved = true;
	unwatch(o, s);
	onchain_note(s, notes, ONCHAIN_NOTE_RESOLVED);
}

/* The outputs are not there any more: their claims spend nothing. */
static void withdraw_all(struct onchain *o, struct step *s, struct onchain_notes *notes)
{
	for (uint32_t i = 0; i < o->count; i++)
		if (!bytes_all_zero(BYTES_OF(o->outputs[i].claim.v)))
			onchain_note(s, notes, ONCHAIN_NOTE_WITHDRAW)->txid = o->outputs[i].claim;
	unwatch(o, s);
}

bool onchain_undone(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	bool changed = false;

	if (o->height == height) {
		withdraw_all(o, s, notes);
		return true;
	}
	for (uint32_t i = 0; i < o->count; i++) {
		struct onchain_output *v = &o->outputs[i];

		if (!v->spent_height || v->spent_height < height)
			continue;
		/* B5.general_nomenclature.3: a claim of ours is in the outbox still; another one is made if it was not. */
		v->spent_height = 0;
		memset(&v->spent_by, 0, sizeof(v->spent_by));
		changed = true;
	}
	if (changed)
		onchain_persist(o, s);
	onchain_check(o);
	return false;
}

/* --- reading --- */

void onchain_check(const struct onchain *o)
{
	for (uint32_t i = 0; i < o->count; i++) {
		const struct onchain_output *v = &o->outputs[i];

		ASSERT(v->ours == (o->claims[i].kind != 0)); /* INV-O1 */
		ASSERT(!v->ours || v->what == ONCHAIN_TO_US);
		ASSERT(!v->spent_height || v->spent_height >= o->height); /* INV-O2 */
	}
	for (uint32_t i = 0; i < o->offered_count; i++) { /* INV-O4 */
		const struct offered *h = &o->offered[i];

		ASSERT(h->output < o->count || h->output == NOWHERE || h->output == BY_AMOUNT);
		ASSERT(h->output >= o->count || o->outputs[h->output].what == ONCHAIN_HTLC_OURS);
	}
}

bool onchain_htlc_is_gone(const struct onchain *o, uint64_t htlc_id)
{
	for (uint32_t i = 0; i < o->offered_count; i++)
		if (o->offered[i].htlc.id == htlc_id)
			return o->offered[i].fate == FATE_GONE;
	return false;
}

enum onchain_spend onchain_kind(const struct onchain *o)
{
	return o->kind;
}

struct txid onchain_spend_txid(const struct onchain *o)
{
	return o->txid;
}

uint32_t onchain_height(const struct onchain *o)
{
	return o->height;
}

const struct onchain_output *onchain_outputs(const struct onchain *o, uint32_t *count)
{
	*count = o->count;
	return o->outputs;
}
