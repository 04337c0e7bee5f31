#include "contract/sweep.h"

#include "crypto/hash.h"

#define SIGNATURE_SIZE_MAX 73u /* DER with its sighash byte: BOLT 3 "Fee Calculation" */
#define INPUT_SIZE 41u         /* outpoint, empty script_sig, sequence */
#define REPLACEABLE 0xfffffffdu /* BIP 125, and lets the locktime count */
#define WITNESS_ITEMS_MAX 3u

/* The spend of one output of t; false if there is none of that number. */
static bool start(struct sweep_input *out, enum sweep_kind kind, const struct commitment *c, const struct tx *t,
		  const struct txid *txid, uint32_t index)
{
	if (index >= t->output_count)
		return false;
	*out = (struct sweep_input){
		.kind = kind,
		.type = c->type,
		.prev = { *txid, index },
		.amount = t->outputs[index].amount,
		.per_commitment_point = c->keys.per_commitment_point,
	};
	return true;
}

static bool start_own(struct sweep_input *out, enum sweep_kind kind, const struct commitment *c, uint32_t index)
{
	return start(out, kind, c, c->tx, &c->txid, index);
}

bool sweep_to_local(struct sweep_input *out, const struct commitment *c)
{
	if (!start_own(out, SWEEP_DELAYED, c, c->to_local))
		return false;
	out->witness_script = c->to_local_script;
	out->to_self_delay = c->to_self_delay;
	out->key = c->keys.broadcaster_delayed;
	return true;
}

bool sweep_to_remote(struct sweep_input *out, const struct commitment *c)
{
	enum sweep_kind kind = c->type == COMMITMENT_ANCHORS ? SWEEP_TO_REMOTE_ANCHORS : SWEEP_TO_REMOTE_STATIC;

	if (!start_own(out, kind, c, c->to_remote))
		return false;
	out->witness_script = c->to_remote_script;
	out->key = c->keys.countersignatory_payment;
	return true;
}

bool sweep_local_anchor(struct sweep_input *out, const struct commitment *c)
{
	if (!start_own(out, SWEEP_ANCHOR, c, c->local_anchor))
		return false;
	out->witness_script = c->local_anchor_script;
	out->key = c->broadcaster_funding;
	return true;
}

bool sweep_remote_anchor(struct sweep_input *out, const struct commitment *c)
{
	if (!start_own(out, SWEEP_ANCHOR, c, c->remote_anchor))
		return false;
	out->witness_script = c->remote_anchor_script;
	out->key = c->countersignatory_funding;
	return true;
}

bool sweep_htlc_preimage(struct sweep_input *out, const struct commitment *c, uint32_t position,
			 const struct preimage *preimage)
{
	const struct commitment_htlc_output *h = &c->htlcs[position];
	struct sha256 hash = sha256(preimage->v, sizeof(preimage->v));

	ASSERT(position < c->htlc_count);
	if (!h->htlc.offered_by_broadcaster || !SAME(hash, h->htlc.payment_hash) ||
	    !start_own(out, SWEEP_PREIMAGE, c, h->index))
		return false;
	out->witness_script = h->witness_script;
	out->preimage = *preimage;
	out->key = c->keys.countersignatory_htlc;
	return true;
}

bool sweep_htlc_timeout(struct sweep_input *out, const struct commitment *c, uint32_t position)
{
	const struct commitment_htlc_output *h = &c->htlcs[position];

	ASSERT(position < c->htlc_count);
	if (h->htlc.offered_by_broadcaster || !start_own(out, SWEEP_TIMEOUT, c, h->index))
		return false;
	out->witness_script = h->witness_script;
	out->cltv_expiry = h->htlc.cltv_expiry;
	out->key = c->keys.countersignatory_htlc;
	return true;
}

/* Whether that output of t is the second stage of an HTLC of c.  With anchors its owner may have put other
 * inputs and outputs beside ours, so only the script tells. */
static bool start_second_stage(struct sweep_input *out, enum sweep_kind kind, const struct commitment *c,
			       const struct tx *t, uint32_t output)
{
	struct txid txid = tx_id(t);
	struct sha256 program = sha256(c->to_local_script.data, c->to_local_script.size);
	struct bytes script;

	if (!start(out, kind, c, t, &txid, output))
		return false;
	script = t->outputs[output].script;
	if (!script_is_p2wsh(script) || memcmp(script.data + 2, program.v, sizeof(program.v)) != 0)
		return false;
	out->witness_script = c->to_local_script;
	return true;
}

bool sweep_htlc_tx(struct sweep_input *out, const struct commitment *c, const struct tx *t, uint32_t output)
{
	if (!start_second_stage(out, SWEEP_DELAYED, c, t, output))
		return false;
	out->to_self_delay = c->to_self_delay;
	out->key = c->keys.broadcaster_delayed;
	return true;
}

static void set_revoked(struct sweep_input *out, const struct commitment *c,
			const struct secret32 *per_commitment_secret)
{
	out->per_commitment_secret = *per_commitment_secret;
	out->key = c->keys.revocation;
}

bool sweep_revoked_to_local(struct sweep_input *out, const struct commitment *c,
			    const struct secret32 *per_commitment_secret)
{
	if (!start_own(out, SWEEP_REVOKED_DELAYED, c, c->to_local))
		return false;
	out->witness_script = c->to_local_script;
	set_revoked(out, c, per_commitment_secret);
	return true;
}

bool sweep_revoked_htlc(struct sweep_input *out, const struct commitment *c, uint32_t position,
			const struct secret32 *per_commitment_secret)
{
	ASSERT(position < c->htlc_count);
	if (!start_own(out, SWEEP_REVOKED_HTLC, c, c->htlcs[position].index))
		return false;
	out->witness_script = c->htlcs[position].witness_script;
	set_revoked(out, c, per_commitment_secret);
	return true;
}

bool sweep_revoked_htlc_tx(struct sweep_input *out, const struct commitment *c, const struct tx *t,
			   uint32_t output, const struct secret32 *per_commitment_secret)
{
	if (!start_second_stage(out, SWEEP_REVOKED_DELAYED, c, t, output))
		return false;
	set_revoked(out, c, per_commitment_secret);
	return true;
}

uint32_t sweep_sequence(const struct sweep_input *in)
{
	switch (in->kind) {
	case SWEEP_DELAYED:
		return in->to_self_delay;
	case SWEEP_TO_REMOTE_ANCHORS:
		return 1;
	case SWEEP_PREIMAGE:
	case SWEEP_TIMEOUT:
		/* Every branch but the penalty is behind one block of delay: BOLT 3 "Offered HTLC Outputs". */
		return in->type == COMMITMENT_ANCHORS ? 1 : REPLACEABLE;
	case SWEEP_REVOKED_DELAYED:
	case SWEEP_TO_REMOTE_STATIC:
	case SWEEP_ANCHOR:
	case SWEEP_REVOKED_HTLC:
		return REPLACEABLE;
	}
	UNREACHABLE();
}

uint32_t sweep_locktime(const struct sweep_input *in)
{
	return in->kind == SWEEP_TIMEOUT ? in->cltv_expiry : 0;
}

/* The witness around a signature; items has room for WITNESS_ITEMS_MAX. */
static uint32_t witness_items(struct bytes *items, const struct sweep_input *in, struct bytes signature)
{
	static const uint8_t one[1] = { 1 };

	items[0] = signature;
	items[1] = BYTES_NONE;
	items[2] = in->witness_script;
	switch (in->kind) {
	case SWEEP_DELAYED:
	case SWEEP_TIMEOUT:
		return 3;
	case SWEEP_REVOKED_DELAYED:
		items[1] = BYTES_OF(one);
		return 3;
	case SWEEP_PREIMAGE:
		items[1] = BYTES_OF(in->preimage.v);
		return 3;
	case SWEEP_REVOKED_HTLC:
		items[1] = BYTES_OF(in->key.v);
		return 3;
	case SWEEP_TO_REMOTE_STATIC:
		items[1] = BYTES_OF(in->key.v);
		return 2;
	case SWEEP_TO_REMOTE_ANCHORS:
	case SWEEP_ANCHOR:
		items[1] = in->witness_script;
		return 2;
	}
	UNREACHABLE();
}

uint64_t sweep_witness_weight(const struct sweep_input *in)
{
	static const uint8_t signature[SIGNATURE_SIZE_MAX];
	struct bytes items[WITNESS_ITEMS_MAX];
	uint32_t count = witness_items(items, in, BYTES_OF(signature));
	uint64_t weight = 1;

	for (uint32_t i = 0; i < count; i++)
		weight += varint_size(items[i].size) + items[i].size;
	return weight;
}

uint64_t sweep_input_weight(const struct sweep_input *in)
{
	return 4 * INPUT_SIZE + sweep_witness_weight(in);
}

uint64_t sweep_weight(const struct sweep_input *inputs, uint32_t count, size_t script_size)
{
	uint64_t output = 8 + varint_size(script_size) + script_size;
	/* version, input count, output count, output, locktime; and the segwit marker */
	uint64_t weight = 4 * (4 + varint_size(count) + 1 + output + 4) + 2;

	for (uint32_t i = 0; i < count; i++)
		weight += sweep_input_weight(&inputs[i]);
	return weight;
}

struct tx *sweep_build(struct arena *a, const struct sweep_input *inputs, uint32_t count, struct bytes script,
		       struct amount_sat fee, struct amount_sat dust_limit, uint32_t min_locktime)
{
	struct tx *t = tx_new(a, 2, count, 1, min_locktime);
	struct amount_sat sum = SAT(0);

	for (uint32_t i = 0; i < count; i++) {
		if (sweep_locktime(&inputs[i]) > t->locktime)
			t->locktime = sweep_locktime(&inputs[i]);
		t->inputs[i].prev = inputs[i].prev;
		t->inputs[i].sequence = sweep_sequence(&inputs[i]);
		if (!sat_add(&sum, sum, inputs[i].amount))
			return NULL;
	}
	if (!sat_sub(&sum, sum, fee) || SAT_LESS(sum, dust_limit))
		return NULL;
	t->outputs[0] = (struct tx_output){ sum, arena_bytes(a, script) };
	return t;
}

struct sha256 sweep_sighash(struct arena *scratch, const struct sweep_input *in, const struct tx *t, uint32_t input,
			    struct sighash_cache *cache)
{
	struct bytes code = in->witness_script;

	if (in->kind == SWEEP_TO_REMOTE_STATIC)
		code = script_code_p2wpkh(scratch, &in->key);
	return sighash_segwit_cached(t, input, code, in->amount, SIGHASH_ALL, cache);
}

void sweep_set_witness(struct arena *a, const struct sweep_input *in, struct tx *t, uint32_t input,
		       const struct sig64 *sig)
{
	struct bytes items[WITNESS_ITEMS_MAX];
	uint32_t count = witness_items(items, in, witness_signature(a, sig, SIGHASH_ALL));

	tx_set_witness(a, t, input, items, count);
}
