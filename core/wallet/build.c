/* FUNDS_BUILD: a transaction out of coins, outputs, somebody else's inputs and change. */
#include "bitcoin/psbt.h"
#include "bitcoin/script.h"
#include "wallet/select.h"
#include "wallet/state.h"

#define SEQUENCE_REPLACEABLE 0xfffffffdu /* BIP 125 */
#define TX_VERSION 2
#define TX_WEIGHT_MAX 400000u /* Bitcoin Core's policy for relay */
#define COINS_MAX 1400u       /* so many P2WPKH inputs weigh as much */
#define ANCESTORS_MAX 24u     /* Bitcoin Core's policy is 25 with the transaction itself */
#define INCREMENTAL_PER_KW 253u /* BIP 125 rule 4: at least the relay fee for its own size on top */
#define SEGWIT_MARKER_WEIGHT 2u
#define INPUT_WEIGHT (4u * 41u)
#define P2WPKH_WITNESS_WEIGHT 107u /* two items: a signature of at most 71 bytes (low R) and the key */
#define P2TR_WITNESS_WEIGHT 66u    /* one item of 64 bytes */
#define P2TR_OUTPUT_WEIGHT (4u * 43u)
#define P2WPKH_OUTPUT_WEIGHT (4u * 31u)
/* What spending the change later is thought to cost: 10 sat/vB. */
#define LATER_PER_KW 2500u
#define ROUNDS_MAX 8u

struct build {
	struct wallet *w;
	const struct funds_request *request;
	struct arena *arena;
	struct plan *old;         /* that it replaces */
	struct coin **candidates; /* that may be chosen */
	uint32_t candidate_count;
	struct coin **coins;      /* that are in it */
	uint32_t coin_count;
	uint64_t outputs_sum;     /* without the one that takes all */
	uint64_t foreign_sum;
	enum wallet_chain change_chain;
	bool exhausted;           /* all candidates are in it */
	/* Found at the end. */
	uint64_t fee, change, all;
	struct funds_answer *answer;
};

static bool refuse(struct build *b, int code, const char *reason)
{
	answer_fail(b->answer, code, reason);
	return false;
}

static bool cannot_afford(struct build *b, uint64_t need, uint64_t have)
{
	const char *reason = arena_printf(b->arena, "cannot afford it: %llu sat are needed with fees, %llu sat can be spent",
					  (unsigned long long)need, (unsigned long long)have);

	return refuse(b, FUNDS_CANNOT_AFFORD, reason);
}

/* Rounded up: a transaction a satoshi below the relay fee does not go anywhere. */
static uint64_t fee_up(uint32_t per_kw, uint64_t weight)
{
	ASSERT(weight <= UINT32_MAX);
	return ((uint64_t)per_kw * weight + 999) / 1000;
}

static uint32_t witness_weight(const struct coin *c)
{
	return script_is_p2tr(buf_view(&c->owner->script)) ? P2TR_WITNESS_WEIGHT : P2WPKH_WITNESS_WEIGHT;
}

static uint64_t output_weight(struct bytes script)
{
	return 4 * (8 + (uint64_t)varint_size(script.size) + script.size);
}

static uint32_t change_weight(const struct build *b)
{
	return b->change_chain == WALLET_P2TR_CHANGE ? P2TR_OUTPUT_WEIGHT : P2WPKH_OUTPUT_WEIGHT;
}

static uint64_t change_dust(const struct build *b)
{
	return b->change_chain == WALLET_P2TR_CHANGE ? 330 : 294;
}

static bool takes_all(const struct build *b)
{
	for (uint32_t i = 0; i < b->request->output_count; i++)
		if (b->request->outputs[i].all)
			return true;
	return false;
}

static bool check_outputs(struct build *b)
{
	const struct funds_request *r = b->request;
	uint32_t all = 0;

	for (uint32_t i = 0; i < r->output_count; i++) {
		const struct funds_output *o = &r->outputs[i];

		if (o->all) {
			all++;
			continue;
		}
		if (o->amount.v > SUPPLY_SAT || (b->outputs_sum += o->amount.v) > SUPPLY_SAT)
			return refuse(b, FUNDS_FAILED, "more than all bitcoins there will ever be");
		if (SAT_LESS(o->amount, script_dust_limit(o->script)))
			return refuse(b, FUNDS_FAILED, "an output is so small that the network would not relay it (dust)");
	}
	if (all > 1)
		return refuse(b, FUNDS_FAILED, "only one output can take all");
	if (r->output_count == 0 && r->input_count == 0)
		return refuse(b, FUNDS_FAILED, "there is nothing to pay");
	for (uint32_t i = 0; i < r->input_count; i++) {
		if (r->inputs[i].amount.v > SUPPLY_SAT)
			return refuse(b, FUNDS_FAILED, "more than all bitcoins there will ever be");
		b->foreign_sum += r->inputs[i].amount.v;
	}
	if (r->feerate.per_kw < FEERATE_FLOOR_PER_KW)
		return refuse(b, FUNDS_FAILED, "the fee rate is below what the network relays (253 sat per 1000 weight)");
	return true;
}

static bool old_spends(const struct build *b, const struct coin *c)
{
	return b->old && c->spent && SAME(c->spender, b->old->txid);
}

static bool confirmed_enough(const struct build *b, const struct coin *c, uint32_t least)
{
	const struct wallet *w = b->w;

	if (c->height)
		return c->height <= w->height && w->height - c->height + 1 >= least;
	return least == 0 && plan_ancestors(w, plan_by_txid(w, &c->outpoint.txid)) <= ANCESTORS_MAX;
}

/* The coins that the request names, and no others. */
static bool take_named(struct build *b)
{
	const struct funds_request *r = b->request;

	b->coins = ARENA_ARRAY(b->arena, struct coin *, r->coin_count);
	for (uint32_t i = 0; i < r->coin_count; i++) {
		struct coin *c = coin_find(b->w, &r->coins[i]);

		if (!c || c->owner->chain == WALLET_FOREIGN)
			return refuse(b, FUNDS_FAILED, "one of the coins is not this wallet's");
		if (!old_spends(b, c) && !coin_spendable(b->w, c))
			return refuse(b, FUNDS_FAILED, "one of the coins is spent, reserved or not mature");
		for (uint32_t j = 0; j < i; j++)
			if (b->coins[j] == c)
				return refuse(b, FUNDS_FAILED, "one of the coins is named twice");
		b->coins[b->coin_count++] = c;
	}
	return true;
}

/* BIP 125: what is replaced is conflicted with by its own coins, all of them. */
static void take_old(struct build *b)
{
	b->coins = ARENA_ARRAY(b->arena, struct coin *, b->old->tx->input_count);
	for (uint32_t i = 0; i < b->old->tx->input_count; i++) {
		struct coin *c = coin_find(b->w, &b->old->tx->inputs[i].prev);

		if (c && old_spends(b, c))
			b->coins[b->coin_count++] = c;
	}
}

static void find_candidates(struct build *b)
{
	/* BIP 125 rule 2: a replacement brings no new unconfirmed inputs. */
	uint32_t least = b->old && b->request->min_confirmations == 0 ? 1 : b->request->min_confirmations;
	struct coin *c;

	b->candidates = ARENA_ARRAY(b->arena, struct coin *, table_count(&b->w->coins));
	for (uint32_t at = 0; (c = table_next(&b->w->coins, &at));)
		if (coin_spendable(b->w, c) && confirmed_enough(b, c, least))
			b->candidates[b->candidate_count++] = c;
}

static bool find_old(struct build *b)
{
	struct plan *q;

	if (!b->request->replaces)
		return true;
	b->old = plan_find(b->w, b->request->replaces);
	if (!b->old || b->old->state != PLAN_SENT)
		return refuse(b, FUNDS_FAILED, "what is to be replaced is not waiting for its confirmation");
	for (uint32_t at = 0; (q = table_next(&b->w->plans, &at));)
		for (uint32_t i = 0; !plan_is_dead(q) && i < q->tx->input_count; i++)
			if (SAME(q->tx->inputs[i].prev.txid, b->old->txid))
				return refuse(b, FUNDS_FAILED, "the change of what is to be replaced has been spent already");
	if (b->request->feerate.per_kw <= b->old->feerate.per_kw)
		return refuse(b, FUNDS_FAILED, "the fee rate is not above that of what is to be replaced");
	return true;
}

/* Everything but the coins. */
static uint64_t fixed_weight(const struct build *b)
{
	const struct funds_request *r = b->request;
	uint64_t inputs = (uint64_t)r->input_count + b->coin_count;
	uint64_t weight = 4 * (8 + varint_size(inputs) + varint_size((uint64_t)r->output_count + 1)) + SEGWIT_MARKER_WEIGHT;

	for (uint32_t i = 0; i < r->output_count; i++)
		weight += output_weight(r->outputs[i].script);
	for (uint32_t i = 0; i < r->input_count; i++)
		weight += INPUT_WEIGHT + r->inputs[i].witness_weight;
	return weight;
}

static uint64_t weight_of(const struct build *b, bool with_change)
{
	uint64_t weight = fixed_weight(b) + (with_change ? change_weight(b) : 0);

	for (uint32_t i = 0; i < b->coin_count; i++)
		weight += INPUT_WEIGHT + witness_weight(b->coins[i]);
	return weight;
}

static uint64_t fee_of(const struct build *b, uint64_t weight)
{
	const struct funds_request *r = b->request;
	uint64_t fee = fee_up(r->feerate.per_kw, weight);

	/* A child pays for its parent: both together at the rate. */
	if (r->parent_weight) {
		uint64_t both = fee_up(r->feerate.per_kw, weight + r->parent_weight);

		if (both > r->parent_fee.v && both - r->parent_fee.v > fee)
			fee = both - r->parent_fee.v;
	}
	/* BIP 125 rules 3 and 4. */
	if (b->old && fee < b->old->fee.v + fee_up(INCREMENTAL_PER_KW, weight))
		fee = b->old->fee.v + fee_up(INCREMENTAL_PER_KW, weight);
	return fee;
}

static uint64_t coins_sum(const struct build *b)
{
	uint64_t sum = b->foreign_sum;

	for (uint32_t i = 0; i < b->coin_count; i++)
		sum += b->coins[i]->amount.v;
	return sum;
}

static bool has_coin(const struct build *b, const struct coin *c)
{
	for (uint32_t i = 0; i < b->coin_count; i++)
		if (b->coins[i] == c)
			return true;
	return false;
}

/* Decides on the change for the coins that are in.  False, with what is lacking, if they do not suffice. */
static bool settle(struct build *b, uint64_t *lacking)
{
	uint64_t have = coins_sum(b), plain = fee_of(b, weight_of(b, false)), with = fee_of(b, weight_of(b, true));
	bool must_change = b->request->output_count == 0;

	b->change = 0;
	*lacking = 0;
	if (have >= b->outputs_sum + with + change_dust(b)) {
		uint64_t change = have - b->outputs_sum - with;
		/* Change that costs as much to spend as it brings is left to the miners, unless it is the reserve. */
		uint64_t later = b->request->keep.v ? 0 : fee_up(LATER_PER_KW, INPUT_WEIGHT + P2WPKH_WITNESS_WEIGHT);

		if (must_change || change >= change_dust(b) + later) {
			b->change = change;
			b->fee = with;
			return true;
		}
	}
	if (must_change) {
		*lacking = b->outputs_sum + with + change_dust(b) - have;
		return false;
	}
	if (have < b->outputs_sum + plain) {
		*lacking = b->outputs_sum + plain - have;
		return false;
	}
	b->fee = have - b->outputs_sum;
	return true;
}

static struct select_coin *effective_coins(const struct build *b, uint32_t *count)
{
	struct select_coin *list = ARENA_ARRAY(b->arena, struct select_coin, b->candidate_count);

	*count = 0;
	for (uint32_t i = 0; i < b->candidate_count; i++) {
		const struct coin *c = b->candidates[i];
		uint64_t cost = fee_up(b->request->feerate.per_kw, INPUT_WEIGHT + witness_weight(c));

		if (c->amount.v > cost && !has_coin(b, c))
			list[(*count)++] = (struct select_coin){ .effective = c->amount.v - cost, .index = i };
	}
	return list;
}

static void choose_all(struct select_coin *coins, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		coins[i].chosen = true;
}

/* Adds coins until what is lacking is there. */
static bool choose(struct build *b, uint64_t lacking)
{
	uint32_t rate = b->request->feerate.per_kw, count, room = COINS_MAX - b->coin_count, kept = b->coin_count;
	struct select_coin *coins = effective_coins(b, &count);
	struct coin **before = b->coins;
	struct select_want want = {
		.target = lacking,
		.excess_max = fee_up(rate, change_weight(b)) + fee_up(LATER_PER_KW, INPUT_WEIGHT + P2WPKH_WITNESS_WEIGHT),
		.change_need = fee_up(rate, change_weight(b)) + change_dust(b) +
			       fee_up(LATER_PER_KW, INPUT_WEIGHT + P2WPKH_WITNESS_WEIGHT),
		.count_max = room,
	};

	switch (select_coins(coins, count, &want)) {
	case SELECT_EXACT:
	case SELECT_CHANGE:
		break;
	case SELECT_TOO_FEW:
		/* Each coin's share of the fee was rounded up: the last satoshis may be there after all. */
		if (count > room)
			return refuse(b, FUNDS_TOO_MANY_INPUTS, "it would take more coins than one transaction can spend");
		choose_all(coins, count);
		b->exhausted = true;
		break;
	case SELECT_TOO_MANY:
		return refuse(b, FUNDS_TOO_MANY_INPUTS, "it would take more coins than one transaction can spend");
	}
	b->coins = ARENA_ARRAY(b->arena, struct coin *, (size_t)kept + count);
	if (kept)
		memcpy(b->coins, before, kept * sizeof(*before));
	for (uint32_t i = 0; i < count; i++)
		if (coins[i].chosen)
			b->coins[b->coin_count++] = b->candidates[coins[i].index];
	return true;
}

/* Selection counts with shares of the fee; the whole may lack a few satoshi of it.  Then it is asked for a little
 * more, from the beginning. */
static bool choose_enough(struct build *b)
{
	struct coin **kept = b->coins;
	uint32_t kept_count = b->coin_count;
	uint64_t first, more = 0, lacking;

	if (settle(b, &first))
		return true;
	if (b->request->coin_count)
		return cannot_afford(b, coins_sum(b) + first, coins_sum(b));
	for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
		b->coins = kept;
		b->coin_count = kept_count;
		if (!choose(b, first + more))
			return false;
		if (settle(b, &lacking))
			return true;
		if (b->exhausted)
			break;
		more += lacking;
	}
	return cannot_afford(b, coins_sum(b) + lacking, coins_sum(b));
}

/* All that is worth its fee, less what is kept. */
static bool take_everything(struct build *b)
{
	uint64_t keep = b->request->keep.v, have, rest;
	uint32_t count;
	struct select_coin *coins = effective_coins(b, &count);
	struct coin **before = b->coins;

	if (!b->request->coin_count) {
		uint32_t kept = b->coin_count;

		if (count > COINS_MAX)
			return refuse(b, FUNDS_TOO_MANY_INPUTS, "it would take more coins than one transaction can spend");
		b->coins = ARENA_ARRAY(b->arena, struct coin *, (size_t)kept + count);
		if (kept)
			memcpy(b->coins, before, kept * sizeof(*before));
		for (uint32_t i = 0; i < count; i++)
			b->coins[b->coin_count++] = b->candidates[coins[i].index];
	}
	/* What is kept comes back as change, unless other coins are enough for it. */
	rest = 0;
	for (uint32_t i = 0; i < b->candidate_count; i++)
		if (!has_coin(b, b->candidates[i]))
			rest += b->candidates[i]->amount.v;
	keep = keep > rest ? keep - rest : 0;
	if (keep && keep < change_dust(b))
		keep = change_dust(b);
	b->change = keep;
	b->fee = fee_of(b, weight_of(b, keep != 0));
	have = coins_sum(b);
	if (have < b->outputs_sum + b->fee + keep)
		return cannot_afford(b, b->outputs_sum + b->fee + keep, have);
	b->all = have - b->outputs_sum - b->fee - keep;
	return true;
}

/* What can still be spent afterwards must not be less than what is to be kept. */
static bool keeps_enough(struct build *b)
{
	uint64_t rest = b->change;
	const struct coin *c;

	for (uint32_t at = 0; (c = table_next(&b->w->coins, &at));)
		if (coin_spendable(b->w, c) && !has_coin(b, c))
			rest += c->amount.v;
	if (rest >= b->request->keep.v)
		return true;
	return refuse(b, FUNDS_CANNOT_AFFORD,
		      arena_printf(b->arena, "cannot afford it: %llu sat would be left, %llu sat must stay for fees of channels",
				   (unsigned long long)rest, (unsigned long long)b->request->keep.v));
}

static void shuffle_coins(struct build *b)
{
	for (uint32_t i = b->coin_count; i > 1; i--) {
		uint64_t r;
		struct coin *c;

		drbg_fill(&b->w->entropy, &r, sizeof(r));
		c = b->coins[r % i];
		b->coins[r % i] = b->coins[i - 1];
		b->coins[i - 1] = c;
	}
}

/* The change goes anywhere among the outputs, so that its place does not tell it; but not between outputs that face
 * somebody else's inputs. */
static uint32_t change_place(struct build *b)
{
	uint64_t r;

	if (!b->change || b->request->input_count)
		return b->request->output_count;
	drbg_fill(&b->w->entropy, &r, sizeof(r));
	return (uint32_t)(r % ((uint64_t)b->request->output_count + 1));
}

static void fill_inputs(struct build *b, struct plan *p)
{
	const struct funds_request *r = b->request;

	p->foreign_count = r->input_count;
	p->spent = ARENA_ARRAY(&p->arena, struct tx_output, p->tx->input_count);
	for (uint32_t i = 0; i < r->input_count; i++) {
		p->tx->inputs[i].prev = r->inputs[i].prev;
		p->tx->inputs[i].sequence = r->inputs[i].sequence;
		p->spent[i] = (struct tx_output){ r->inputs[i].amount, arena_bytes(&p->arena, r->inputs[i].script) };
	}
	for (uint32_t i = 0; i < b->coin_count; i++) {
		uint32_t at = r->input_count + i;

		p->tx->inputs[at].prev = b->coins[i]->outpoint;
		p->tx->inputs[at].sequence = SEQUENCE_REPLACEABLE;
		p->spent[at] = (struct tx_output){ b->coins[i]->amount,
						   arena_bytes(&p->arena, buf_view(&b->coins[i]->owner->script)) };
	}
}

static void fill_outputs(struct build *b, struct plan *p, struct effects *out)
{
	const struct funds_request *r = b->request;
	uint32_t place = change_place(b), next = 0;

	b->answer->output_index = ARENA_ARRAY(b->arena, uint32_t, r->output_count);
	b->answer->output_amounts = ARENA_ARRAY(b->arena, struct amount_sat, r->output_count);
	for (uint32_t i = 0; i < p->tx->output_count; i++) {
		struct tx_output *o = &p->tx->outputs[i];

		if (b->change && i == place) {
			struct owner *change = keychain_next(b->w, b->change_chain, out);

			*o = (struct tx_output){ SAT(b->change), arena_bytes(&p->arena, buf_view(&change->script)) };
			continue;
		}
		o->amount = r->outputs[next].all ? SAT(b->all) : r->outputs[next].amount;
		o->script = arena_bytes(&p->arena, r->outputs[next].script);
		b->answer->output_index[next] = i;
		b->answer->output_amounts[next++] = o->amount;
	}
}

static void make_plan(struct build *b, struct effects *out)
{
	const struct funds_request *r = b->request;
	struct plan *p = wallet_plan_new(b->w, r->reservation);
	/* The height as locktime: nobody gains by mining it into an older block (Bitcoin Core does the same). */
	uint32_t locktime = r->has_locktime ? r->locktime : b->w->height;

	shuffle_coins(b);
	p->tx = tx_new(&p->arena, TX_VERSION, r->input_count + b->coin_count, r->output_count + (b->change ? 1 : 0), locktime);
	fill_inputs(b, p);
	fill_outputs(b, p, out);
	p->txid = tx_id(p->tx);
	p->state = PLAN_RESERVED;
	p->fee = SAT(b->fee);
	p->feerate = r->feerate;
	p->replaces = r->replaces;
	for (uint32_t i = 0; i < b->coin_count; i++) {
		b->coins[i]->reservation = p->id;
		record_coin(b->w, b->coins[i], out);
	}
	record_plan(p, out);
}

static void give_plan(struct build *b, const struct plan *p)
{
	struct psbt *psbt = sign_psbt(b->w, p, b->arena);
	struct buf raw = BUF_EMPTY;

	tx_encode_stripped(p->tx, &raw);
	b->answer->tx = arena_bytes(b->arena, buf_view(&raw));
	buf_clear(&raw);
	psbt_encode(psbt, &raw);
	b->answer->psbt = arena_bytes(b->arena, buf_view(&raw));
	buf_release(&raw);
	b->answer->txid = p->txid;
	b->answer->fee = p->fee;
}

/* A question that was asked again after a restart: the same transaction, if it is for the same outputs. */
static bool same_as_before(struct build *b, const struct plan *p)
{
	const struct funds_request *r = b->request;
	uint32_t count = 0;

	if (plan_is_dead(p) || p->replaces != r->replaces || p->foreign_count != r->input_count)
		return false;
	for (uint32_t i = 0; i < r->input_count; i++)
		if (!outpoint_equal(&p->tx->inputs[i].prev, &r->inputs[i].prev))
			return false;
	b->answer->output_index = ARENA_ARRAY(b->arena, uint32_t, r->output_count);
	b->answer->output_amounts = ARENA_ARRAY(b->arena, struct amount_sat, r->output_count);
	for (uint32_t i = 0; i < p->tx->output_count && count < r->output_count; i++) {
		const struct tx_output *o = &p->tx->outputs[i];

		if (!bytes_equal(o->script, r->outputs[count].script) ||
		    (!r->outputs[count].all && o->amount.v != r->outputs[count].amount.v))
			continue;
		b->answer->output_index[count] = i;
		b->answer->output_amounts[count++] = o->amount;
	}
	/* Nothing but the change beside them. */
	return count == r->output_count && p->tx->output_count <= count + 1;
}

static bool choose_coins(struct build *b)
{
	if (!find_old(b))
		return false;
	if (b->request->coin_count) {
		if (!take_named(b))
			return false;
	} else if (b->old) {
		take_old(b);
	}
	find_candidates(b);
	return takes_all(b) ? take_everything(b) : choose_enough(b);
}

static bool check_result(struct build *b)
{
	if (weight_of(b, b->change != 0) > TX_WEIGHT_MAX)
		return refuse(b, FUNDS_TOO_MANY_INPUTS, "it would be larger than the network relays");
	if (b->coin_count == 0 && b->request->input_count == 0)
		return refuse(b, FUNDS_CANNOT_AFFORD, "cannot afford it: there are no coins that can be spent");
	for (uint32_t i = 0; i < b->request->output_count; i++)
		if (b->request->outputs[i].all && b->all < script_dust_limit(b->request->outputs[i].script).v)
			return refuse(b, FUNDS_CANNOT_AFFORD, "cannot afford it: nothing worth sending is left after the fee");
	return keeps_enough(b);
}

/* Change looks like what is paid, as far as that goes. */
static enum wallet_chain change_chain_for(const struct funds_request *r)
{
	for (uint32_t i = 0; i < r->output_count; i++)
		if (script_is_p2tr(r->outputs[i].script))
			return WALLET_P2TR_CHANGE;
	return r->output_count ? WALLET_P2WPKH_CHANGE : WALLET_P2TR_CHANGE;
}

void build_answer(struct wallet *w, const struct funds_request *r, struct funds_answer *answer, struct effects *out)
{
	struct build b = { .w = w, .request = r, .arena = &out->arena, .answer = answer };
	struct plan *before = plan_find(w, r->reservation);

	b.change_chain = change_chain_for(r);
	if (before) {
		if (!same_as_before(&b, before))
			answer_fail(answer, FUNDS_FAILED, "this reservation is for something else");
		else
			give_plan(&b, before);
		return;
	}
	if (!check_outputs(&b) || !choose_coins(&b) || !check_result(&b))
		return;
	make_plan(&b, out);
	give_plan(&b, plan_find(w, r->reservation));
}
