#include "contract/htlc_tx.h"

struct htlc_tx *htlc_tx_build(struct arena *a, const struct commitment *c, uint32_t position)
{
	struct htlc_tx *h = ARENA_NEW(a, struct htlc_tx);
	const struct commitment_htlc_output *from;
	struct amount_sat fee;

	ASSERT(position < c->htlc_count);
	from = &c->htlcs[position];
	h->success = !from->htlc.offered_by_broadcaster;
	h->type = c->type;
	h->input_script = from->witness_script;
	h->input_amount = c->tx->outputs[from->index].amount;
	h->output_script = c->to_local_script; /* the very same delay and penalty */
	h->tx = tx_new(a, 2, 1, 1, h->success ? 0 : from->htlc.cltv_expiry);
	h->tx->inputs[0].prev = (struct outpoint){ c->txid, from->index };
	h->tx->inputs[0].sequence = c->type == COMMITMENT_ANCHORS ? 1 : 0;
	h->tx->outputs[0].script = script_p2wsh(a, h->output_script);
	fee = h->success ? htlc_success_fee(c->type, c->feerate) : htlc_timeout_fee(c->type, c->feerate);
	/* An HTLC below its fee was trimmed and has no output to spend. */
	ASSERT(sat_sub(&h->tx->outputs[0].amount, h->input_amount, fee));
	return h;
}

uint32_t htlc_tx_countersign_type(enum commitment_type type)
{
	switch (type) {
	case COMMITMENT_STATIC_REMOTEKEY:
		return SIGHASH_ALL;
	case COMMITMENT_ANCHORS:
		return SIGHASH_SINGLE | SIGHASH_ANYONECANPAY;
	}
	UNREACHABLE();
}

struct sha256 htlc_tx_countersign_hash(const struct htlc_tx *h)
{
	return sighash_segwit(h->tx, 0, h->input_script, h->input_amount, htlc_tx_countersign_type(h->type));
}

void htlc_tx_countersign_hashes(struct arena *scratch, const struct commitment *c, struct sha256 *out)
{
	for (uint32_t i = 0; i < c->htlc_count; i++)
		out[i] = htlc_tx_countersign_hash(htlc_tx_build(scratch, c, i));
}

struct sha256 htlc_tx_broadcaster_hash(const struct htlc_tx *h, const struct tx *t, uint32_t input)
{
	return sighash_segwit(t, input, h->input_script, h->input_amount, SIGHASH_ALL);
}

void htlc_tx_set_witness(struct arena *a, const struct htlc_tx *h, struct tx *t, uint32_t input,
			 const struct sig64 *countersignatory_sig, const struct sig64 *broadcaster_sig,
			 const struct preimage *preimage)
{
	struct bytes items[5] = {
		BYTES_NONE, /* CHECKMULTISIG takes one item too many */
		witness_signature(a, countersignatory_sig, htlc_tx_countersign_type(h->type)),
		witness_signature(a, broadcaster_sig, SIGHASH_ALL),
		preimage ? BYTES_OF(preimage->v) : BYTES_NONE,
		h->input_script,
	};

	ASSERT(h->success == (preimage != NULL));
	tx_set_witness(a, t, input, items, ARRAY_COUNT(items));
}
