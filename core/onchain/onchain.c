#include "onchain/onchain.h"

#include <string.h>

#include "crypto/hash.h"
#include "onchain/state.h"

void onchain_notes_init(struct onchain_notes *notes)
{
	notes->head = NULL;
	notes->tail = &notes->head;
}

/* --- beginning --- */

/* B5.general_requirements.1, B5.unilateral_close_handling_remote_commitm.4 */
static void tell_user(const struct onchain *o, struct step *s)
{
	bool lost = o->kind == ONCHAIN_THEIR_FUTURE_COMMITMENT || o->kind == ONCHAIN_UNKNOWN ||
		    (o->kind == ONCHAIN_THEIR_REVOKED_COMMITMENT && !o->terms.revoked);
	char txid[65];

	txid_to_hex(txid, &o->txid);
	log_write(s->log, lost ? LOG_ERROR : o->terms.revoked ? LOG_WARN : LOG_INFO, "onchain",
		  "a channel's funding output was spent in block %u by %s, %s%s", o->height, onchain_spend_words(o->kind), txid,
		  lost ? ": FUNDS MAY BE LOST" : o->terms.revoked ? ": the penalty is being taken" : "");
}

struct onchain *onchain_new(struct step *s, const struct channel_record *r, struct onchain_notes *notes,
			    const struct onchain_facts *facts)
{
	uint32_t count = facts->spend->output_count;
	struct onchain *o = onchain_alloc(r);

	/* More outputs than any commitment has: not one of ours, and nothing of ours is among the rest. */
	if (count > SPEND_OUTPUTS_MAX)
		count = SPEND_OUTPUTS_MAX;
	o->height = facts->height;
	o->txid = tx_id(facts->spend);
	o->destination = arena_bytes(&o->memory, facts->destination);
	for (uint32_t i = 0; i < count; i++)
		(void)onchain_append(o, &(struct outpoint){ o->txid, i }, facts->spend->outputs[i].amount, o->height);
	o->base_count = count;
	o->offered = NEW_ARRAY(struct offered, facts->offered_count);
	o->offered_count = facts->offered_count;
	for (uint32_t i = 0; i < facts->offered_count; i++)
		o->offered[i].htlc = facts->offered[i];
	onchain_classify(o, s, facts);
	tell_user(o, s);
	onchain_persist(o, s);
	onchain_start(o, s, notes);
	return o;
}

void onchain_start(struct onchain *o, struct step *s, struct onchain_notes *notes)
{
	onchain_watch(o, s);
	onchain_ask_past(o, s);
	onchain_claim_due(o, s, notes);
}

bool onchain_wants_destination(const struct onchain *o)
{
	for (uint32_t i = 0; i < o->count && !o->destination.size; i++)
		if (o->outputs[i].ours && !o->outputs[i].spent_height)
			return true;
	return false;
}

void onchain_set_destination(struct onchain *o, struct step *s, struct onchain_notes *notes, struct bytes script)
{
	if (!onchain_wants_destination(o) || !script.size)
		return;
	o->destination = arena_bytes(&o->memory, script);
	onchain_persist(o, s);
	onchain_claim_due(o, s, notes);
}

/* --- preimages of our own --- */

static uint32_t find_incoming(const struct onchain *o, uint64_t htlc_id)
{
	for (uint32_t i = 0; i < o->base_count; i++)
		if (o->outputs[i].what == ONCHAIN_HTLC_THEIRS && o->outputs[i].htlc_id == htlc_id)
			return i;
	return NOWHERE;
}

/* B5.htlc_output_handling_local_commitment_re.1, B5.htlc_output_handling_remote_commitment_r.1 */
void onchain_preimage(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t htlc_id,
		      const struct preimage *preimage)
{
	uint32_t i = find_incoming(o, htlc_id);
	struct sha256 hash = sha256(preimage->v, sizeof(preimage->v));
	struct way *w;

	if (i == NOWHERE)
		return;
	w = &o->ways[i];
	/* A penalty takes it anyway (B5.revoked_transaction_close_handling.4 is for those who cannot). */
	if (w->kind || !w->committed || !SAME(hash, w->payment_hash))
		return;
	w->has_preimage = true;
	w->preimage = *preimage;
	onchain_own(o, i, o->kind == ONCHAIN_OUR_COMMITMENT ? WAY_HTLC_SUCCESS : WAY_PREIMAGE, w->witness_script);
	onchain_persist(o, s);
	onchain_claim_due(o, s, notes);
}

/* --- blocks --- */

void onchain_block(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	onchain_claim_due(o, s, notes);
	onchain_settle(o, s, notes, height);
	onchain_check(o);
}

/* --- reading --- */

static void check_output(const struct onchain *o, uint32_t i)
{
	const struct onchain_output *v = &o->outputs[i];
	const struct way *w = &o->ways[i];

	ASSERT(v->ours == (w->kind != WAY_NONE));
	ASSERT(!v->spent_height || v->spent_height >= v->height); /* INV-O2 */
	ASSERT(v->height >= o->height && (i >= o->base_count || v->height == o->height));
	ASSERT(i == 0 || v->height >= o->outputs[i - 1].height);
	ASSERT(!w->claim || w->kind);
}

static void check_claim(const struct onchain *o, const struct claim *c)
{
	ASSERT(c->count && c->count <= CLAIM_OUTPUTS_MAX);
	for (uint32_t i = 0; i < c->count; i++) {
		ASSERT(c->outputs[i] < o->count && o->ways[c->outputs[i]].claim == c); /* INV-O1 */
		ASSERT(!c->out || SAME(o->outputs[c->outputs[i]].claim, c->txid));
	}
	ASSERT((c->making == RESTING) == (c->ask == 0));
	ASSERT(c->new_reservation == 0 || c->making != RESTING);
}

void onchain_check(const struct onchain *o)
{
	uint32_t claimed = 0, count = 0;

	ASSERT(o->base_count <= o->count && o->count <= OUTPUTS_MAX);
	for (uint32_t i = 0; i < o->count; i++) {
		check_output(o, i);
		claimed += o->ways[i].claim != NULL;
	}
	for (const struct claim *c = o->claims; c; c = c->next) {
		check_claim(o, c);
		count += c->count;
	}
	ASSERT(claimed == count); /* INV-O1 */
	for (uint32_t i = 0; i < o->offered_count; i++) { /* INV-O4 */
		const struct offered *h = &o->offered[i];

		ASSERT(h->output < o->base_count || h->output == NOWHERE || h->output == BY_AMOUNT);
		ASSERT(h->output >= o->base_count || o->outputs[h->output].what == ONCHAIN_HTLC_OURS);
	}
}

bool onchain_htlc_is_gone(const struct onchain *o, uint64_t htlc_id)
{
	for (uint32_t i = 0; i < o->offered_count; i++)
		if (o->offered[i].htlc.id == htlc_id)
			return o->offered[i].fate == FATE_GONE;
	return false;
}

bool onchain_is_written(const struct onchain *o)
{
	return !o->changed;
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
