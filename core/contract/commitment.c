#include "contract/commitment.h"

#include <stdlib.h>

#include "crypto/hash.h"

/* An output before its place is known. */
struct candidate {
	struct tx_output output;
	const struct commitment_htlc *htlc; /* or NULL */
	struct bytes witness_script;
	uint32_t *index; /* where its number goes; NULL for an HTLC */
};

struct draft {
	struct arena *arena;
	const struct commitment_spec *spec;
	struct commitment *c;
	struct candidate *candidates;
	uint32_t count;
};

uint64_t commitment_obscuring_factor(const struct pubkey *opener_payment, const struct pubkey *accepter_payment)
{
	uint8_t both[66];
	struct sha256 h;

	memcpy(both, opener_payment->v, 33);
	memcpy(both + 33, accepter_payment->v, 33);
	h = sha256(both, sizeof(both));
	return load_be64(h.v + 24) & COMMITMENT_NUMBER_MAX;
}

bool commitment_number_of(const struct tx *t, uint64_t obscuring_factor, uint64_t *number)
{
	uint32_t sequence;

	if (t->version != 2 || t->input_count != 1 || t->locktime >> 24 != 0x20)
		return false;
	sequence = t->inputs[0].sequence;
	if (sequence >> 24 != 0x80)
		return false;
	*number = ((uint64_t)(sequence & 0xffffff) << 24 | (t->locktime & 0xffffff)) ^ obscuring_factor;
	return true;
}

/* Balances and HTLCs are all there is, and no more than the channel holds. */
static bool amounts_fit(const struct commitment_spec *spec)
{
	struct amount_msat sum, capacity;

	if (!sat_to_msat(&capacity, spec->funding_amount) ||
	    !msat_add(&sum, spec->broadcaster_balance, spec->countersignatory_balance))
		return false;
	for (uint32_t i = 0; i < spec->htlc_count; i++)
		if (!msat_add(&sum, sum, spec->htlcs[i].amount))
			return false;
	return !MSAT_LESS(capacity, sum);
}

static void add_candidate(struct draft *d, struct amount_sat amount, struct bytes script_pubkey,
			  struct bytes witness_script, uint32_t *index)
{
	struct candidate *n = &d->candidates[d->count++];

	n->output = (struct tx_output){ amount, script_pubkey };
	n->witness_script = witness_script;
	n->index = index;
}

static struct bytes htlc_script(const struct draft *d, const struct commitment_htlc *h)
{
	if (h->offered_by_broadcaster)
		return offered_htlc_witness_script(d->arena, d->spec->type, &d->c->keys, &h->payment_hash);
	return received_htlc_witness_script(d->arena, d->spec->type, &d->c->keys, &h->payment_hash, h->cltv_expiry);
}

/* B3.trimmed_outputs.6 to B3.trimmed_outputs.9 */
static void add_htlcs(struct draft *d)
{
	const struct commitment_spec *spec = d->spec;

	for (uint32_t i = 0; i < spec->htlc_count; i++) {
		const struct commitment_htlc *h = &spec->htlcs[i];
		struct bytes script;

		if (htlc_is_trimmed(spec->type, spec->feerate, spec->dust_limit, h->offered_by_broadcaster,
				    h->amount)) {
			ASSERT(msat_add(&d->c->trimmed, d->c->trimmed, h->amount));
			continue;
		}
		script = htlc_script(d, h);
		d->candidates[d->count].htlc = h;
		add_candidate(d, msat_to_sat(h->amount), script_p2wsh(d->arena, script), script, NULL);
		d->c->htlc_count++;
	}
}

/* B3.trimmed_outputs.2, B3.trimmed_outputs.3 */
static bool add_to_local(struct draft *d, struct amount_sat amount)
{
	struct commitment *c = d->c;

	c->to_local_script = to_local_witness_script(d->arena, &c->keys.revocation, &c->keys.broadcaster_delayed,
						     d->spec->to_self_delay);
	if (SAT_LESS(amount, d->spec->dust_limit))
		return false;
	add_candidate(d, amount, script_p2wsh(d->arena, c->to_local_script), c->to_local_script, &c->to_local);
	return true;
}

/* B3.trimmed_outputs.4, B3.trimmed_outputs.5 */
static bool add_to_remote(struct draft *d, struct amount_sat amount)
{
	struct commitment *c = d->c;
	const struct pubkey *key = &c->keys.countersignatory_payment;

	if (c->type == COMMITMENT_ANCHORS)
		c->to_remote_script = to_remote_witness_script(d->arena, key);
	if (SAT_LESS(amount, d->spec->dust_limit))
		return false;
	add_candidate(d, amount, to_remote_script_pubkey(d->arena, c->type, key), c->to_remote_script, &c->to_remote);
	return true;
}

static void add_anchor(struct draft *d, const struct pubkey *funding, struct bytes *script, uint32_t *index)
{
	*script = anchor_witness_script(d->arena, funding);
	add_candidate(d, SAT(ANCHOR_SAT), script_p2wsh(d->arena, *script), *script, index);
}

/* An anchor for each side that has something to lose: BOLT 3 "Commitment Transaction Construction". */
static void add_anchors(struct draft *d, bool has_to_local, bool has_to_remote)
{
	struct commitment *c = d->c;

	if (c->type != COMMITMENT_ANCHORS)
		return;
	if (has_to_local || c->htlc_count)
		add_anchor(d, &c->broadcaster_funding, &c->local_anchor_script, &c->local_anchor);
	if (has_to_remote || c->htlc_count)
		add_anchor(d, &c->countersignatory_funding, &c->remote_anchor_script, &c->remote_anchor);
}

/* B3.trimmed_outputs.1: the opener pays fee and anchors, before dust is looked for. */
static void charge_opener(struct draft *d, struct amount_sat *to_local, struct amount_sat *to_remote)
{
	const struct commitment_spec *spec = d->spec;
	struct amount_sat *opener = spec->broadcaster_is_opener ? to_local : to_remote;
	struct amount_sat cost = commitment_cost(spec->type, spec->feerate, d->c->htlc_count);

	d->c->base_fee = commitment_fee(spec->type, spec->feerate, d->c->htlc_count);
	d->c->shortfall = sat_sub_or_zero(cost, *opener);
	*opener = sat_sub_or_zero(*opener, cost);
}

/* "Transaction Output Ordering"; the id makes the order of twins repeatable. */
static int order_of(const void *one, const void *other)
{
	const struct candidate *a = one, *b = other;
	int order = sat_cmp(a->output.amount, b->output.amount);

	if (order == 0)
		order = bytes_compare(a->output.script, b->output.script);
	if (order != 0 || !a->htlc || !b->htlc)
		return order;
	if (a->htlc->cltv_expiry != b->htlc->cltv_expiry)
		return a->htlc->cltv_expiry < b->htlc->cltv_expiry ? -1 : 1;
	return a->htlc->id < b->htlc->id ? -1 : a->htlc->id > b->htlc->id;
}

static void place_outputs(struct draft *d, struct tx *t)
{
	struct commitment *c = d->c;
	uint32_t htlcs = 0;

	qsort(d->candidates, d->count, sizeof(d->candidates[0]), order_of);
	c->htlcs = ARENA_ARRAY(d->arena, struct commitment_htlc_output, c->htlc_count);
	for (uint32_t i = 0; i < d->count; i++) {
		const struct candidate *n = &d->candidates[i];

		t->outputs[i] = n->output;
		if (n->htlc)
			c->htlcs[htlcs++] = (struct commitment_htlc_output){ *n->htlc, i, n->witness_script };
		else
			*n->index = i;
	}
	ASSERT(htlcs == c->htlc_count);
}

static struct tx *new_tx(struct draft *d)
{
	const struct commitment_spec *spec = d->spec;
	const struct pubkey *own = &spec->broadcaster->payment, *peer = &spec->countersignatory->payment;
	uint64_t factor = commitment_obscuring_factor(spec->broadcaster_is_opener ? own : peer,
						      spec->broadcaster_is_opener ? peer : own);
	uint64_t obscured = spec->number ^ factor;
	struct tx *t = tx_new(d->arena, 2, 1, d->count, 0x20000000u | (uint32_t)(obscured & 0xffffff));

	t->inputs[0].prev = spec->funding;
	t->inputs[0].sequence = 0x80000000u | (uint32_t)(obscured >> 24);
	return t;
}

/* What the miner gets.  False if the outputs exceed the input, as they do where the opener cannot pay for
 * anchors that HTLCs or the peer's output ask for. */
static bool fee_left(struct amount_sat *fee, const struct tx *t, struct amount_sat funding)
{
	*fee = funding;
	for (uint32_t i = 0; i < t->output_count; i++)
		if (!sat_sub(fee, *fee, t->outputs[i].amount))
			return false;
	return true;
}

/* The parts that need no output. */
static bool start(struct draft *d)
{
	const struct commitment_spec *spec = d->spec;
	struct commitment *c = d->c;

	c->type = spec->type;
	c->feerate = spec->feerate;
	c->to_self_delay = spec->to_self_delay;
	c->broadcaster_funding = spec->broadcaster->funding;
	c->countersignatory_funding = spec->countersignatory->funding;
	c->to_local = c->to_remote = c->local_anchor = c->remote_anchor = COMMITMENT_NO_OUTPUT;
	if (spec->keys) {
		ASSERT(SAME(spec->keys->per_commitment_point, spec->per_commitment_point));
		c->keys = *spec->keys;
		return true;
	}
	return commitment_keys_derive(&c->keys, spec->broadcaster, spec->countersignatory,
				      &spec->per_commitment_point);
}

static bool finish(struct draft *d)
{
	struct commitment *c = d->c;

	c->tx = new_tx(d);
	place_outputs(d, c->tx);
	if (!fee_left(&c->fee, c->tx, d->spec->funding_amount))
		return false;
	c->txid = tx_id(c->tx);
	c->funding_script = funding_witness_script(d->arena, &c->broadcaster_funding, &c->countersignatory_funding);
	c->sighash = sighash_segwit(c->tx, 0, c->funding_script, d->spec->funding_amount, SIGHASH_ALL);
	return true;
}

struct commitment *commitment_build(struct arena *a, const struct commitment_spec *spec)
{
	struct amount_sat to_local = msat_to_sat(spec->broadcaster_balance);
	struct amount_sat to_remote = msat_to_sat(spec->countersignatory_balance);
	struct draft d = { .arena = a, .spec = spec };
	bool has_to_local, has_to_remote;

	if (spec->htlc_count > COMMITMENT_HTLCS_MAX || spec->number > COMMITMENT_NUMBER_MAX || !amounts_fit(spec))
		return NULL;
	d.c = ARENA_NEW(a, struct commitment);
	if (!start(&d))
		return NULL;
	d.candidates = ARENA_ARRAY(a, struct candidate, spec->htlc_count + 4);
	add_htlcs(&d);
	charge_opener(&d, &to_local, &to_remote);
	has_to_local = add_to_local(&d, to_local);
	has_to_remote = add_to_remote(&d, to_remote);
	add_anchors(&d, has_to_local, has_to_remote);
	return finish(&d) ? d.c : NULL;
}

void commitment_set_witness(struct arena *a, struct commitment *c, const struct sig64 *broadcaster_sig,
			    const struct sig64 *countersignatory_sig)
{
	funding_set_witness(a, c->tx, 0, &c->broadcaster_funding, broadcaster_sig, &c->countersignatory_funding,
			    countersignatory_sig);
}
