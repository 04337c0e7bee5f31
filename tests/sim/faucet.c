/* Where money comes from: coinbases to a script that anybody can spend. */
#include <string.h>

#include "bitcoin/script.h"
#include "tests/sim/chain_state.h"

#define FAUCET_INPUTS_MAX 100u

void faucet_add(struct sim_chain *c, const struct txid *id, uint32_t index)
{
	if (c->faucet_count == c->faucet_capacity) {
		c->faucet_capacity = c->faucet_capacity ? 2 * c->faucet_capacity : 256;
		c->faucet = mem_realloc(c->faucet, c->faucet_capacity, sizeof(*c->faucet));
	}
	c->faucet[c->faucet_count++] = (struct outpoint){ *id, index };
}

static bool is_ripe(const struct sim_chain *c, const struct outpoint *o)
{
	const struct entry *e = chain_live(c, &o->txid);

	return e && !e->spenders[o->index] && (!e->coinbase || e->t.height + COINBASE_MATURITY <= c->count);
}

static struct tx *begin(struct arena *a, const struct sim_chain *c, const struct bytes *scripts, uint32_t count,
			struct amount_sat each, struct amount_sat *need)
{
	struct tx *t = tx_new(a, 2, FAUCET_INPUTS_MAX, count + 1, 0);

	*need = SAT(0);
	for (uint32_t i = 0; i < count; i++) {
		t->outputs[i] = (struct tx_output){ each, scripts[i] };
		ASSERT(sat_add(need, *need, each));
	}
	t->outputs[count].script = c->faucet_script;
	t->input_count = 0;
	return t;
}

static void add_input(struct arena *a, struct tx *t, const struct outpoint *o)
{
	static const uint8_t anybody[] = { OP_1 };
	struct bytes item = BYTES_OF(anybody);

	ASSERT(t->input_count < FAUCET_INPUTS_MAX);
	t->inputs[t->input_count].prev = *o;
	t->inputs[t->input_count].sequence = UINT32_MAX;
	tx_set_witness(a, t, t->input_count++, &item, 1);
}

void sim_chain_grant(struct sim_chain *c, const struct bytes *scripts, uint32_t count, struct amount_sat each)
{
	struct feerate rate = sim_chain_estimate(c, 1);
	struct amount_sat need, have = SAT(0);
	struct buf raw = BUF_EMPTY;
	struct bytes view;
	struct txid id;
	struct arena a;
	struct tx *t;

	ASSERT(!c->telling);
	arena_init(&a);
	t = begin(&a, c, scripts, count, each, &need);
	for (uint32_t i = 0; i < c->faucet_count; i++) {
		struct amount_sat left, fee;

		if (!is_ripe(c, &c->faucet[i]))
			continue;
		add_input(&a, t, &c->faucet[i]);
		ASSERT(sat_add(&have, have, sim_chain_output(c, &c->faucet[i])->amount));
		fee = fee_of_weight(rate, tx_weight(t) + 4); /* rounded up to whole vbytes */
		if (sat_sub(&left, have, need) && sat_sub(&left, left, fee) && left.v >= script_dust_limit(c->faucet_script).v) {
			t->outputs[count].amount = left;
			break;
		}
	}
	ASSERT(t->outputs[count].amount.v); /* else the faucet is dry: the caller asks for more than there can be */
	tx_encode(t, &raw);
	view = buf_view(&raw);
	id = tx_id(t);
	ASSERT(!sim_chain_offer(c, &view, 1, SIM_FROM_FAUCET));
	faucet_add(c, &id, count);
	buf_release(&raw);
	arena_release(&a);
}
