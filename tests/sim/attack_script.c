#include "tests/sim/attack_script.h"

#include "channel/view.h"
#include "wire/message.h"

static bool down_keeps_still(struct attack *t)
{
	return t->down->mute[VICTIM];
}

void script_pay_and_withhold(struct attack *t, uint32_t invoices, uint32_t parts)
{
	t->down->withhold = MSG_UPDATE_FULFILL_HTLC;
	attack_pay(t, ATTACK_HTLC_SAT, invoices, parts);
	attack_until(t, "down has the preimages and keeps them", down_keeps_still);
}

static bool all_are_committed(struct attack *t)
{
	return attack_out_committed(t) == t->wish_count;
}

void script_pay_and_hold(struct attack *t, uint32_t invoices)
{
	attack_pay_but_one(t, ATTACK_HTLC_SAT, invoices, 2);
	attack_until(t, "the HTLCs are committed for good", all_are_committed);
	t->down->hold = HOLD_ALL;
	t->down->mute[VICTIM] = true;
}

static bool is_deep(const struct attack *t, uint32_t channel)
{
	const struct sim_tx *c = attack_commitment(t, channel);

	return c && c->height;
}

bool script_in_is_deep(struct attack *t)
{
	return is_deep(t, t->in);
}

bool script_out_is_deep(struct attack *t)
{
	return is_deep(t, t->out);
}

bool script_in_is_free(struct attack *t)
{
	const struct channel *in = attack_in(t);

	return in && channel_htlc_count(in) == 0;
}

static bool near(struct attack *t)
{
	return sim_chain_height(t->w->chain) + 2 >= *(uint32_t *)t->context;
}

void script_wait_for(struct attack *t, uint32_t height)
{
	void *before = t->context;

	t->context = &height;
	attack_blocks_until(t, 400, "a height", near);
	t->context = before;
}

static bool victims_claim(struct attack *t)
{
	struct outpoint o;
	const struct sim_tx *claim;

	if (!attack_htlc_outpoint(t, *(uint32_t *)t->context, &o))
		world_fail(t->w, "the commitment has no such HTLC");
	claim = sim_chain_spender(t->w->chain, &o);
	return claim && claim->from == VICTIM;
}

void script_wait_for_claim(struct attack *t, uint32_t invoice)
{
	void *before = t->context;

	t->context = &invoice;
	attack_until(t, "the victim's claim", victims_claim);
	t->context = before;
}

void script_mine_twin(struct attack *t, uint32_t invoice, uint32_t twin, struct amount_sat fee)
{
	struct buf raw = BUF_EMPTY;
	struct arena memory;
	struct bytes view;

	arena_init(&memory);
	tx_encode(attack_claim_make(t, &memory, &(struct attack_claim){ .invoice = invoice, .twin = twin, .fee = fee }), &raw);
	view = buf_view(&raw);
	attack_block(t, &(struct sim_mine){ .empty = true, .extra = &view, .extra_count = 1 });
	buf_release(&raw);
	arena_release(&memory);
}

void script_mine_claim(struct attack *t, uint32_t invoice, struct amount_sat fee)
{
	script_mine_twin(t, invoice, 0, fee);
}
