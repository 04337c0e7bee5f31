/* Claims: signed when the next block may hold them, and again for more when they do not confirm. */
#include "onchain/state.h"

/* What a replacement must at least pay on top: the network's incremental relay fee (BIP 125 rule 4), rounded up. */
#define RELAY_STEP_PER_KW 253u

struct onchain_note *onchain_note(struct step *s, struct onchain_notes *notes, enum onchain_note_kind kind)
{
	struct onchain_note *n = ARENA_NEW(&s->out->arena, struct onchain_note);

	n->kind = kind;
	*notes->tail = n;
	notes->tail = &n->next;
	return n;
}

struct sweep_input onchain_sweep(const struct onchain *o, uint32_t i)
{
	const struct claim *c = &o->claims[i];

	ASSERT(c->kind);
	return (struct sweep_input){
		.kind = c->kind,
		.type = c->type,
		.prev = o->outputs[i].outpoint,
		.amount = o->outputs[i].amount,
		.witness_script = c->witness_script,
		.to_self_delay = c->to_self_delay,
		.per_commitment_point = c->point,
		.key = c->key,
	};
}

static struct amount_sat fee_at(const struct onchain *o, uint32_t i, struct feerate rate)
{
	struct sweep_input in = onchain_sweep(o, i);

	return fee_of_weight(rate, sweep_weight(&in, 1, o->destination.size));
}

bool onchain_is_worthless(const struct onchain *o, uint32_t i)
{
	struct amount_sat left;

	if (!o->destination.size)
		return false;
	return !sat_sub(&left, o->outputs[i].amount, fee_at(o, i, FEERATE(FEERATE_FLOOR_PER_KW))) ||
	       SAT_LESS(left, script_dust_limit(o->destination));
}

/* --- what to pay --- */

static uint32_t at_least(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static struct feerate first_rate(const struct step *s)
{
	return FEERATE(at_least(s->fees[FEE_NORMAL].per_kw, FEERATE_FLOOR_PER_KW));
}

/* A quarter more, or what is normal now if that is more; never above what an urgent transaction pays.  0: what it
 * pays already is as much as that. */
static struct feerate next_rate(const struct step *s, struct feerate paid)
{
	uint32_t ceiling = at_least(s->fees[FEE_URGENT].per_kw, first_rate(s).per_kw);
	uint32_t least = paid.per_kw + RELAY_STEP_PER_KW, wanted = at_least(least, paid.per_kw + paid.per_kw / 4);

	wanted = at_least(wanted, first_rate(s).per_kw);
	if (wanted > ceiling)
		wanted = ceiling;
	return FEERATE(wanted < least ? 0 : wanted);
}

/* --- asking --- */

static enum spend_kind spend_kind_of(enum sweep_kind kind)
{
	switch (kind) {
	case SWEEP_DELAYED:
		return SPEND_TO_LOCAL_DELAYED;
	case SWEEP_TO_REMOTE_STATIC:
		return SPEND_TO_REMOTE_STATIC;
	case SWEEP_TO_REMOTE_ANCHORS:
		return SPEND_TO_REMOTE_ANCHOR;
	case SWEEP_REVOKED_DELAYED:
	case SWEEP_ANCHOR:
	case SWEEP_PREIMAGE:
	case SWEEP_TIMEOUT:
	case SWEEP_REVOKED_HTLC:
		break;
	}
	UNREACHABLE();
}

static struct spend_input *signing_input(const struct onchain *o, struct step *s, uint32_t i)
{
	const struct claim *c = &o->claims[i];
	struct spend_input *in = ARENA_NEW(&s->out->arena, struct spend_input);

	in->kind = spend_kind_of(c->kind);
	in->channel_key = o->record->key;
	in->per_commitment_point = c->point;
	in->commitment_number = c->number;
	in->amount = o->outputs[i].amount;
	in->hash_type = SIGHASH_ALL;
	if (c->kind == SWEEP_TO_REMOTE_STATIC)
		in->witness_script = script_code_p2wpkh(&s->out->arena, &c->key);
	else
		in->witness_script = arena_bytes(&s->out->arena, c->witness_script);
	return in;
}

/* Nothing is asked where it would leave dust: fees may fall. */
static void ask(struct onchain *o, struct step *s, uint32_t i, struct feerate rate)
{
	struct claim *c = &o->claims[i];
	struct sweep_input in = onchain_sweep(o, i);
	struct sign_request *r;

	arena_reset(&c->signing);
	c->tx = sweep_build(&c->signing, &in, 1, o->destination, fee_at(o, i, rate), script_dust_limit(o->destination), 0);
	if (!c->tx)
		return;
	r = step_sign_request(s, SIGN_SPEND, o->record->key, &o->record->peer);
	r->u.spend.tx = tx_copy(&s->out->arena, c->tx);
	r->u.spend.inputs = signing_input(o, s, i);
	r->u.spend.count = 1;
	c->asked_feerate = rate;
	c->ask = step_ask(s, OWNER_SWEEP, o->record->key);
	effect_sign(s->out, c->ask, r);
}

static bool is_claimed(const struct onchain_output *v)
{
	return !bytes_all_zero(BYTES_OF(v->claim.v));
}

void onchain_claim_due(struct onchain *o, struct step *s)
{
	for (uint32_t i = 0; i < o->count && o->destination.size; i++) {
		const struct onchain_output *v = &o->outputs[i];
		struct feerate rate = first_rate(s);

		/* B5.unilateral_close_handling_local_commitme.2 */
		if (!v->ours || v->spent_height || o->claims[i].ask || s->height + 1 < v->spendable_height)
			continue;
		if (is_claimed(v)) {
			if (s->height < v->claim_height + ONCHAIN_BUMP_BLOCKS)
				continue;
			rate = next_rate(s, v->claim_feerate);
		}
		if (rate.per_kw)
			ask(o, s, i, rate);
	}
}

/* --- the answer --- */

static void take_signature(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t i,
			   const struct sig64 *signature)
{
	struct onchain_output *v = &o->outputs[i];
	struct claim *c = &o->claims[i];
	struct sweep_input in = onchain_sweep(o, i);
	struct buf raw = BUF_EMPTY;
	struct txid old = v->claim;
	bool replaces = is_claimed(v);

	sweep_set_witness(&c->signing, &in, c->tx, 0, signature);
	v->claim = tx_id(c->tx);
	v->claim_feerate = c->asked_feerate;
	v->claim_height = s->height;
	if (replaces && !SAME(old, v->claim)) /* INV-O1 */
		onchain_note(s, notes, ONCHAIN_NOTE_WITHDRAW)->txid = old;
	tx_encode(c->tx, &raw);
	onchain_note(s, notes, ONCHAIN_NOTE_BROADCAST)->tx = arena_bytes(&s->out->arena, buf_view(&raw));
	buf_release(&raw);
	onchain_persist(o, s);
}

void onchain_signed(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		    const struct sign_answer *answer)
{
	for (uint32_t i = 0; i < o->count; i++) {
		struct claim *c = &o->claims[i];

		if (!c->ask || c->ask != id)
			continue;
		c->ask = 0;
		if (answer->refused || answer->signature_count != 1)
			log_write(s->log, LOG_ERROR, "onchain", "the signer does not sign a claim: %s",
				  answer->refused ? answer->reason : "not one signature");
		else if (!o->outputs[i].spent_height) /* else it was spent while the signer thought */
			take_signature(o, s, notes, i, &answer->signatures[0]);
		return;
	}
}
