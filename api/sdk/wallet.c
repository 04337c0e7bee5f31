#include <string.h>

#include "api/sdk/adapters.h"
#include "api/sdk/config.h"

struct lampo_wallet_ask {
	struct lampo_wallet_ask *next, **self; /* in the adapter's list */
	struct exec *exec;
	uint64_t id;
	uint32_t output_count;
};

struct lampo_wallet_batch {
	struct exec *exec;
};

struct wallet_adapter {
	struct lampo_wallet inner;
	struct lampo_wallet_ask *asks;
};

static struct bytes inner_bytes(struct lampo_bytes b)
{
	return BYTES(b.data, b.size);
}

static struct lampo_bytes outer_bytes(struct bytes b)
{
	return (struct lampo_bytes){ b.data, b.size };
}

static struct lampo_outpoint outer_outpoint(const struct outpoint *o)
{
	struct lampo_outpoint out = { .index = o->index };

	memcpy(out.txid32, o->txid.v, 32);
	return out;
}

/* ---- Questions ---- */

static struct lampo_wallet_ask *ask_new(struct wallet_adapter *a, struct exec *exec, uint64_t id, uint32_t output_count)
{
	struct lampo_wallet_ask *ask = NEW(struct lampo_wallet_ask);

	ask->exec = exec;
	ask->id = id;
	ask->output_count = output_count;
	ask->next = a->asks;
	ask->self = &a->asks;
	if (a->asks)
		a->asks->self = &ask->next;
	a->asks = ask;
	return ask;
}

static void ask_free(struct lampo_wallet_ask *ask)
{
	*ask->self = ask->next;
	if (ask->next)
		ask->next->self = ask->self;
	mem_free(ask);
}

/* Arrays that the public request points into; arena of one call. */
static void fill_request(struct lampo_wallet_request *out, struct arena *a, const struct funds_request *r)
{
	struct lampo_wallet_output *outputs = ARENA_ARRAY(a, struct lampo_wallet_output, r->output_count);
	struct lampo_outpoint *coins = ARENA_ARRAY(a, struct lampo_outpoint, r->coin_count);
	struct lampo_wallet_input *inputs = ARENA_ARRAY(a, struct lampo_wallet_input, r->input_count);

	for (uint32_t i = 0; i < r->output_count; i++)
		outputs[i] = (struct lampo_wallet_output){ r->outputs[i].amount.v, outer_bytes(r->outputs[i].script), r->outputs[i].all };
	for (uint32_t i = 0; i < r->coin_count; i++)
		coins[i] = outer_outpoint(&r->coins[i]);
	for (uint32_t i = 0; i < r->input_count; i++)
		inputs[i] = (struct lampo_wallet_input){ outer_outpoint(&r->inputs[i].prev), r->inputs[i].amount.v,
							 outer_bytes(r->inputs[i].script), r->inputs[i].sequence,
							 r->inputs[i].witness_weight };
	*out = (struct lampo_wallet_request){
		.size = sizeof(*out), .kind = (enum lampo_wallet_kind)r->kind, .reservation = r->reservation,
		.taproot = r->address == ADDRESS_P2TR, .outputs = outputs, .output_count = r->output_count,
		.feerate_per_kw = r->feerate.per_kw, .min_confirmations = r->min_confirmations, .keep_sat = r->keep.v,
		.coins = coins, .coin_count = r->coin_count, .retain = r->retain, .retain_count = r->retain_count,
		.inputs = inputs, .input_count = r->input_count, .parent_weight = r->parent_weight,
		.parent_fee_sat = r->parent_fee.v, .replaces = r->replaces,
	};
}

static bool wants_answer(enum funds_kind kind)
{
	switch (kind) {
	case FUNDS_ADDRESS:
	case FUNDS_BUILD:
	case FUNDS_SIGN:
		return true;
	case FUNDS_RELEASE:
	case FUNDS_SPENT:
	case FUNDS_RETAIN:
		return false;
	}
	UNREACHABLE();
}

static void on_request(void *context, uint64_t id, const struct funds_request *r, struct exec *exec)
{
	struct wallet_adapter *a = context;
	struct lampo_wallet_batch batch = { exec };
	struct lampo_wallet_ask *ask = wants_answer(r->kind) ? ask_new(a, exec, id, r->output_count) : NULL;
	struct lampo_wallet_request request;
	struct arena arena;

	arena_init(&arena);
	fill_request(&request, &arena, r);
	a->inner.request(a->inner.context, &batch, ask, &request);
	arena_release(&arena);
}

void lampo_wallet_answer(struct lampo_wallet_ask *ask, const struct lampo_wallet_answer *answer)
{
	struct funds_answer out = { .failed = answer->failed != NULL, .code = answer->code, .reason = answer->failed };
	struct arena arena;

	if (answer->size != sizeof(*answer))
		illegal_use(NULL, "lampo_wallet_answer", "its size is not that of this version");
	arena_init(&arena);
	out.script = inner_bytes(answer->script);
	out.text = answer->address;
	out.tx = inner_bytes(answer->tx);
	out.psbt = inner_bytes(answer->psbt);
	memcpy(out.txid.v, answer->txid32, 32);
	out.fee = SAT(answer->fee_sat);
	if (answer->output_index && answer->output_sat) {
		out.output_index = ARENA_ARRAY(&arena, uint32_t, ask->output_count);
		out.output_amounts = ARENA_ARRAY(&arena, struct amount_sat, ask->output_count);
		for (uint32_t i = 0; i < ask->output_count; i++) {
			out.output_index[i] = answer->output_index[i];
			out.output_amounts[i] = SAT(answer->output_sat[i]);
		}
	}
	exec_funded(ask->exec, ask->id, &out);
	ask_free(ask);
	arena_release(&arena);
}

/* ---- Blocks ---- */

static void give_block(struct wallet_adapter *a, struct lampo_wallet_batch *batch, const struct event *e)
{
	uint32_t count = e->u.block.tx_count;
	struct lampo_bytes *txs = NEW_ARRAY(struct lampo_bytes, count);
	uint32_t *index = NEW_ARRAY(uint32_t, count);
	struct lampo_wallet_block block = { .size = sizeof(block), .height = e->u.block.height, .txs = txs, .tx_index = index,
					    .tx_count = count };

	for (uint32_t i = 0; i < count; i++) {
		txs[i] = outer_bytes(e->u.block.txs[i].raw);
		index[i] = e->u.block.txs[i].index;
	}
	memcpy(block.hash32, e->u.block.hash.v, 32);
	a->inner.block(a->inner.context, batch, &block);
	mem_free(txs);
	mem_free(index);
}

static void on_block(void *context, const struct event *e, struct exec *exec)
{
	struct wallet_adapter *a = context;
	struct lampo_wallet_batch batch = { exec };

	if (e->kind == EVENT_BLOCK)
		give_block(a, &batch, e);
	else
		a->inner.undone(a->inner.context, &batch, e->u.undone.height);
}

/* ---- What a wallet does in a batch ---- */

void lampo_wallet_watch_script(struct lampo_wallet_batch *batch, const void *script, size_t size)
{
	struct watch w = { .script = BYTES(script, size) };

	exec_watch(batch->exec, &w);
}

static void watch_outpoint(struct lampo_wallet_batch *batch, const struct lampo_outpoint *o, bool remove)
{
	struct watch w = { .remove = remove, .is_outpoint = true, .outpoint = { .index = o->index } };

	memcpy(w.outpoint.txid.v, o->txid32, 32);
	exec_watch(batch->exec, &w);
}

void lampo_wallet_watch_outpoint(struct lampo_wallet_batch *batch, const struct lampo_outpoint *o)
{
	watch_outpoint(batch, o, false);
}

void lampo_wallet_unwatch_outpoint(struct lampo_wallet_batch *batch, const struct lampo_outpoint *o)
{
	watch_outpoint(batch, o, true);
}

void lampo_wallet_put(struct lampo_wallet_batch *batch, struct lampo_bytes key, struct lampo_bytes value)
{
	exec_persist(batch->exec, RECORD_WALLET, inner_bytes(key), inner_bytes(value));
}

void lampo_wallet_remove(struct lampo_wallet_batch *batch, struct lampo_bytes key)
{
	exec_remove(batch->exec, RECORD_WALLET, inner_bytes(key));
}

/* ---- Life ---- */

static bool on_load(void *context, struct bytes key, struct bytes value)
{
	struct wallet_adapter *a = context;

	return !a->inner.load || a->inner.load(a->inner.context, outer_bytes(key), outer_bytes(value));
}

static bool on_start(void *context, struct exec *exec)
{
	struct wallet_adapter *a = context;
	struct lampo_wallet_batch batch = { exec };

	a->inner.start(a->inner.context, &batch);
	return true;
}

struct wallet_adapter *wallet_adapter_new(const struct lampo_wallet *w)
{
	struct wallet_adapter *a = NEW(struct wallet_adapter);

	a->inner = *w;
	return a;
}

void wallet_adapter_free(struct wallet_adapter *a)
{
	while (a->asks)
		ask_free(a->asks);
	if (a->inner.free)
		a->inner.free(a->inner.context);
	mem_free(a);
}

struct daemon_funds wallet_adapter_funds(struct wallet_adapter *a)
{
	return (struct daemon_funds){ .port = { a, on_request, on_block }, .load = on_load, .start = on_start };
}
