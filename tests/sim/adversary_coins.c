/* An attacker's own money and signatures. */
#include <string.h>

#include "bitcoin/script.h"
#include "tests/sim/adversary.h"

static const uint8_t anybody[] = { OP_1 };

struct bytes adversary_script(struct arena *memory)
{
	return script_p2wsh(memory, BYTES_OF(anybody));
}

struct outpoint adversary_coin(struct adversary *a, struct amount_sat amount)
{
	struct sim_chain *c = a->w->chain;
	struct outpoint found = { { { 0 } }, UINT32_MAX };
	struct arena memory;
	struct bytes script;

	arena_init(&memory);
	script = adversary_script(&memory);
	sim_chain_grant(c, &script, 1, amount);
	sim_chain_mine(c, NULL);
	for (uint32_t i = 0; i < sim_chain_tip(c)->count; i++) {
		const struct sim_tx *t = sim_chain_tip(c)->list[i];

		for (uint32_t k = 0; k < t->tx->output_count; k++) {
			struct outpoint o = { t->id, k };

			if (bytes_equal(t->tx->outputs[k].script, script) && sat_cmp(t->tx->outputs[k].amount, amount) == 0 &&
			    sim_chain_unspent(c, &o))
				found = o;
		}
	}
	ASSERT(found.index != UINT32_MAX);
	arena_release(&memory);
	world_tell_chain(a->w);
	return found;
}

void adversary_add_coin(struct arena *memory, struct tx *t, uint32_t input, const struct outpoint *coin)
{
	struct bytes item = BYTES_OF(anybody);

	t->inputs[input].prev = *coin;
	t->inputs[input].sequence = 0xfffffffd;
	tx_set_witness(memory, t, input, &item, 1);
}

const char *adversary_offer(struct adversary *a, const struct tx *t)
{
	struct buf raw = BUF_EMPTY;
	struct bytes view;
	const char *why;

	tx_encode(t, &raw);
	view = buf_view(&raw);
	why = sim_chain_offer(a->w->chain, &view, 1, (uint64_t)a->node);
	buf_release(&raw);
	return why;
}

static void signed_(void *owner, uint64_t id, const struct sign_answer *answer)
{
	(void)id;
	ASSERT(!answer->refused && answer->signature_count == 1);
	*(struct sig64 *)owner = answer->signatures[0];
}

struct sig64 adversary_sign(struct adversary *a, struct tx *t, struct spend_input *in)
{
	struct signer_port port = local_signer_port(a->w->nodes[a->node].signer);
	struct sign_request r = { .kind = SIGN_SPEND, .channel_key = in->channel_key };
	struct sig64 sig;

	r.u.spend.tx = t;
	r.u.spend.inputs = in;
	r.u.spend.count = 1;
	port.request(port.context, &r, signed_, &sig, 1);
	return sig;
}
