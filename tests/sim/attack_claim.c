/* Down's claims on the victim's commitment, made by hand: its node's program would make them in another form or at
 * another time. */
#include <string.h>

#include "bitcoin/script.h"
#include "channel/view.h"
#include "tests/sim/attack.h"
#include "tests/stored_invoice.h"

static bool all_live(struct attack *t)
{
	return attack_out(t) && t->w->nodes[DOWN].alive;
}

/* The victim's latest commitment of the channel with down, and that HTLC of that invoice in it. */
static const struct commitment *find(struct attack *t, struct arena *memory, uint32_t invoice, uint32_t twin,
				     const struct commitment_htlc_output **htlc)
{
	const struct sha256 *hash = &t->b->wishes[t->wishes[invoice]].hash;
	struct commitment *c;

	attack_until(t, "the victim and down alive", all_live);
	c = commitment_build(memory, channel_commitment_spec(attack_out(t), COMMITMENT_LOCAL, memory));
	ASSERT(c);
	for (uint32_t i = 0; i < c->htlc_count; i++)
		if (SAME(c->htlcs[i].htlc.payment_hash, *hash) && twin-- == 0) {
			*htlc = &c->htlcs[i];
			return c;
		}
	return NULL;
}

bool attack_htlc_outpoint(struct attack *t, uint32_t invoice, struct outpoint *out)
{
	const struct commitment_htlc_output *htlc;
	const struct commitment *c;
	struct arena memory;

	arena_init(&memory);
	c = find(t, &memory, invoice, 0, &htlc);
	if (c)
		*out = (struct outpoint){ c->txid, htlc->index };
	arena_release(&memory);
	return c != NULL;
}

static struct preimage preimage_of(const struct attack *t, uint32_t invoice)
{
	struct record_invoice r;

	ASSERT(stored_invoice(t->w->nodes[DOWN].store, &t->b->wishes[t->wishes[invoice]].hash, &r));
	return r.preimage;
}

static void fill_outputs(struct arena *memory, struct tx *t, const struct attack_claim *c, struct amount_sat in)
{
	struct amount_sat rest;

	ASSERT(sat_sub(&rest, in, c->fee));
	for (uint32_t i = 0; i < t->output_count; i++)
		t->outputs[i] = (struct tx_output){ SAT(1000), adversary_script(memory) };
	ASSERT(sat_sub(&rest, rest, SAT(1000ull * (t->output_count - 1))));
	t->outputs[0].amount = rest;
}

struct tx *attack_claim_make(struct attack *t, struct arena *memory, const struct attack_claim *c)
{
	const struct commitment_htlc_output *htlc;
	const struct commitment *commitment = find(t, memory, c->invoice, c->twin, &htlc);
	struct amount_sat amount = msat_to_sat(htlc->htlc.amount), in = amount;
	struct preimage preimage = preimage_of(t, c->invoice);
	struct spend_input spend = { .kind = SPEND_HTLC_REMOTE, .hash_type = SIGHASH_ALL };
	struct tx *tx = tx_new(memory, 2, c->has_coin ? 2 : 1, c->outputs ? c->outputs : 1, 0);
	struct bytes items[3];
	struct sig64 sig;

	tx->inputs[0].prev = (struct outpoint){ commitment->txid, htlc->index };
	tx->inputs[0].sequence = commitment->type == COMMITMENT_ANCHORS ? 1 : 0xfffffffd;
	if (c->has_coin) {
		adversary_add_coin(memory, tx, 1, &c->coin);
		ASSERT(sat_add(&in, in, c->coin_amount));
	}
	fill_outputs(memory, tx, c, in);
	spend.channel_key = channel_key(book_view(t->b, &t->b->channels[t->out], DOWN));
	spend.per_commitment_point = commitment->keys.per_commitment_point;
	spend.witness_script = htlc->witness_script;
	spend.amount = amount;
	sig = adversary_sign(t->down, tx, &spend);
	items[0] = witness_signature(memory, &sig, SIGHASH_ALL);
	items[1] = BYTES_OF(preimage.v);
	items[2] = htlc->witness_script;
	tx_set_witness(memory, tx, 0, items, 3);
	return tx;
}
