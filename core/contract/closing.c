#include "contract/closing.h"

/* A signature of 73 bytes: BOLT 3 "Expected Weight of the Commitment Transaction". */
#define FUNDING_WITNESS_WEIGHT 222u
#define SEGWIT_MARKER_WEIGHT 2u
#define LEGACY_SEQUENCE 0xffffffffu
#define SIMPLE_SEQUENCE 0xfffffffdu
#define PUSHDATA1_MIN 76u
#define OP_RETURN_DATA_MIN 6u
#define OP_RETURN_DATA_MAX 80u

static bool is_op_return(struct bytes script)
{
	return script.size > 0 && script.data[0] == OP_RETURN;
}

/* What a party gets, or false if it has no output.  share: its balance, rounded down, less any fee. */
static bool party_output(struct tx_output *out, const struct closing_spec *spec, const struct closing_party *party,
			 struct amount_sat share)
{
	if (party->omit)
		return false;
	switch (spec->form) {
	case CLOSING_LEGACY:
		/* B3.legacy_closing_transaction.3 */
		if (SAT_LESS(share, spec->dust_limit))
			return false;
		break;
	case CLOSING_SIMPLE:
		/* B3.closing_transaction.3: the funds burn as fee, the output only says something */
		if (is_op_return(party->script))
			share = SAT(0);
		break;
	}
	*out = (struct tx_output){ share, party->script };
	return true;
}

static bool goes_before(const struct tx_output *a, const struct tx_output *b)
{
	int order = sat_cmp(a->amount, b->amount);

	return order ? order < 0 : bytes_compare(a->script, b->script) < 0;
}

/* What each is paid before dust.  False if they own more than there is or the payer cannot pay. */
static bool shares_of(const struct closing_spec *spec, struct amount_sat *payer, struct amount_sat *other)
{
	struct amount_msat sum, capacity;

	if (!msat_add(&sum, spec->payer.balance, spec->other.balance) ||
	    !sat_to_msat(&capacity, spec->funding_amount) || MSAT_LESS(capacity, sum))
		return false;
	/* B3.legacy_closing_transaction.1, B3.closing_transaction.1 */
	*other = msat_to_sat(spec->other.balance);
	/* B3.legacy_closing_transaction.2, B3.closing_transaction.2 */
	return sat_sub(payer, msat_to_sat(spec->payer.balance), spec->fee);
}

static struct tx *new_tx(struct arena *a, const struct closing_spec *spec, const struct tx_output *outputs,
			 uint32_t count)
{
	struct tx *t = tx_new(a, 2, 1, count, spec->locktime);

	t->inputs[0].prev = spec->funding;
	switch (spec->form) {
	case CLOSING_LEGACY:
		t->inputs[0].sequence = LEGACY_SEQUENCE;
		break;
	case CLOSING_SIMPLE:
		t->inputs[0].sequence = SIMPLE_SEQUENCE;
		break;
	}
	for (uint32_t i = 0; i < count; i++)
		t->outputs[i] = (struct tx_output){ outputs[i].amount, arena_bytes(a, outputs[i].script) };
	return t;
}

static struct amount_sat fee_of(const struct tx *t, struct amount_sat funding)
{
	for (uint32_t i = 0; i < t->output_count; i++)
		ASSERT(sat_sub(&funding, funding, t->outputs[i].amount));
	return funding;
}

struct closing *closing_build(struct arena *a, const struct closing_spec *spec)
{
	struct tx_output outputs[2], payer, other;
	struct amount_sat payer_share, other_share;
	uint32_t count = 0;
	struct closing *c;
	bool has_payer, has_other;

	if (!shares_of(spec, &payer_share, &other_share))
		return NULL;
	has_payer = party_output(&payer, spec, &spec->payer, payer_share);
	has_other = party_output(&other, spec, &spec->other, other_share);
	if (!has_payer && !has_other)
		return NULL;
	c = ARENA_NEW(a, struct closing);
	c->payer_output = c->other_output = CLOSING_NO_OUTPUT;
	if (has_other && (!has_payer || goes_before(&other, &payer))) {
		c->other_output = count;
		outputs[count++] = other;
		has_other = false;
	}
	if (has_payer) {
		c->payer_output = count;
		outputs[count++] = payer;
	}
	if (has_other) {
		c->other_output = count;
		outputs[count++] = other;
	}
	c->tx = new_tx(a, spec, outputs, count);
	c->fee = fee_of(c->tx, spec->funding_amount);
	c->funding_script = funding_witness_script(a, &spec->payer_funding, &spec->other_funding);
	c->sighash = sighash_segwit(c->tx, 0, c->funding_script, spec->funding_amount, SIGHASH_ALL);
	return c;
}

uint64_t closing_weight(size_t payer_script_size, size_t other_script_size)
{
	/* version, input count, input, output count, locktime */
	uint64_t size = 4 + 1 + 41 + 1 + 4;

	if (payer_script_size)
		size += 8 + varint_size(payer_script_size) + payer_script_size;
	if (other_script_size)
		size += 8 + varint_size(other_script_size) + other_script_size;
	return 4 * size + SEGWIT_MARKER_WEIGHT + FUNDING_WITNESS_WEIGHT;
}

/* OP_RETURN and one push of 6 to 80 bytes, in the shortest form. */
static bool op_return_form(struct bytes s)
{
	if (s.size < 2 || s.data[0] != OP_RETURN)
		return false;
	if (s.data[1] >= OP_RETURN_DATA_MIN && s.data[1] < PUSHDATA1_MIN)
		return s.size == 2u + s.data[1];
	return s.size > 3 && s.data[1] == OP_PUSHDATA1 && s.data[2] >= PUSHDATA1_MIN &&
	       s.data[2] <= OP_RETURN_DATA_MAX && s.size == 3u + s.data[2];
}

bool shutdown_script_valid(struct bytes script, bool anysegwit, bool simple_close)
{
	/* BOLT 2 "Closing Initiation: shutdown": the forms of scriptpubkey */
	return script_is_p2wpkh(script) || script_is_p2wsh(script) ||
	       (anysegwit && script_is_witness_v1_up(script)) || (simple_close && op_return_form(script));
}
