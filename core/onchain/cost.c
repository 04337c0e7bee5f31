/* What claims weigh, what they are worth, and what they may pay. */
#include "onchain/state.h"

/* What a wallet adds to an HTLC transaction, for the schedule: a P2WPKH input with its witness, a change output, and
 * the frame around everything. */
#define WALLET_WEIGHT (4u * 41u + 108u + 4u * 43u + 4u * 10u + 2u)
/* Above this rate a penalty pays no more than half of what it takes: a validating signer wants a bound. */
#define PENALTY_PER_KW 250000u
/* What the second stage of an HTLC costs to sweep, and the least that is worth having of it. */
#define STAGE_SWEEP_WEIGHT 500u
#define STAGE_DUST_SAT 330u
#define FRAME_WEIGHT (4u * 10u + 2u)

struct sweep_input onchain_sweep(const struct onchain *o, uint32_t i)
{
	const struct way *w = &o->ways[i];
	struct sweep_input in = {
		.type = o->terms.type,
		.prev = o->outputs[i].outpoint,
		.amount = o->outputs[i].amount,
		.witness_script = w->witness_script,
		.per_commitment_point = o->terms.point,
	};

	switch (w->kind) {
	case WAY_DELAYED:
		in.to_self_delay = o->terms.to_self_delay;
		in.key = o->terms.delayed;
		break;
	case WAY_TO_REMOTE_STATIC:
	case WAY_TO_REMOTE_ANCHORS:
		in.key = o->record->side[SIDE_LOCAL].points.payment;
		break;
	case WAY_PREIMAGE:
		in.preimage = w->preimage;
		in.key = o->terms.htlc;
		break;
	case WAY_TIMEOUT:
		in.cltv_expiry = o->outputs[i].cltv_expiry;
		in.key = o->terms.htlc;
		break;
	case WAY_REVOKED_DELAYED:
	case WAY_REVOKED_HTLC:
		in.per_commitment_secret = o->terms.secret;
		in.key = o->terms.revocation;
		break;
	case WAY_NONE:
	case WAY_HTLC_TIMEOUT:
	case WAY_HTLC_SUCCESS:
		UNREACHABLE();
	}
	in.kind = (enum sweep_kind)w->kind;
	return in;
}

/* An HTLC transaction's own input and output. */
static uint64_t stage_weight(const struct onchain *o, uint32_t i)
{
	return htlc_tx_weight(o->terms.type, o->ways[i].kind == WAY_HTLC_SUCCESS) - FRAME_WEIGHT;
}

uint64_t claim_weight(const struct onchain *o, const struct claim *c)
{
	uint64_t weight = 0;

	if (way_is_stage(o->ways[c->outputs[0]].kind)) {
		for (uint32_t i = 0; i < c->count; i++)
			weight += stage_weight(o, c->outputs[i]);
		return weight + WALLET_WEIGHT;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		struct sweep_input in = onchain_sweep(o, c->outputs[i]);

		weight += sweep_input_weight(&in);
	}
	return weight + sweep_weight(NULL, 0, o->destination.size);
}

static bool is_penalty(const struct onchain *o, const struct claim *c)
{
	enum way_kind kind = o->ways[c->outputs[0]].kind;

	return kind == WAY_REVOKED_DELAYED || kind == WAY_REVOKED_HTLC;
}

static struct amount_sat greater(struct amount_sat a, struct amount_sat b)
{
	return SAT_LESS(a, b) ? b : a;
}

/* Of the second stages something must be left after their own sweep. */
static struct amount_sat stage_rest(const struct claim *c)
{
	return SAT(c->count * (fee_of_weight(FEERATE(FEERATE_FLOOR_PER_KW), STAGE_SWEEP_WEIGHT).v + STAGE_DUST_SAT));
}

/* Half of what is at stake; of a penalty all but dust, within bounds: what we do not take the cheater keeps.  A claim
 * that is worth the relay fee at all may pay that. */
struct amount_sat claim_budget(const struct onchain *o, const struct claim *c)
{
	struct amount_sat value = SAT(0), half, most, floor = fee_of_weight(FEERATE(FEERATE_FLOOR_PER_KW), claim_weight(o, c));
	bool stage = way_is_stage(o->ways[c->outputs[0]].kind);

	for (uint32_t i = 0; i < c->count; i++)
		ASSERT(sat_add(&value, value, o->outputs[c->outputs[i]].amount));
	half = SAT(value.v / 2);
	most = stage ? sat_sub_or_zero(value, stage_rest(c)) : sat_sub_or_zero(value, script_dust_limit(o->destination));
	if (is_penalty(o, c))
		half = greater(half, fee_of_weight(FEERATE(PENALTY_PER_KW), claim_weight(o, c)));
	/* Rounded up, so that the budget reaches the rate itself. */
	return sat_min(greater(half, SAT(floor.v + 1)), most);
}

/* A claim of it alone at the relay fee leaves nothing that is worth having. */
bool onchain_is_worthless(const struct onchain *o, uint32_t i)
{
	uint32_t outputs[1] = { i };
	struct claim alone = { .outputs = outputs, .count = 1 };
	bool stage = way_is_stage(o->ways[i].kind);
	uint64_t weight;

	if (!o->ways[i].kind || (!stage && !o->destination.size))
		return false;
	/* The signature of a static_remotekey channel fixes its fee: it was worth that. */
	if (stage && o->terms.type == COMMITMENT_STATIC_REMOTEKEY)
		return false;
	weight = claim_weight(o, &alone);
	return claim_budget(o, &alone).v * 1000 / weight < FEERATE_FLOOR_PER_KW;
}
