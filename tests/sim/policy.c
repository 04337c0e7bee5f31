/* Standardness: what Bitcoin Core relays, as far as a transaction and the outputs it spends tell. */
#include "bitcoin/script.h"
#include "tests/sim/chain_state.h"

#define VERSION_MAX 3
#define WEIGHT_MAX 400000u
#define STRIPPED_SIZE_MIN 65u
#define SCRIPT_SIG_MAX 1650u
#define DATA_CARRIER_MAX 83u
#define P2WSH_SCRIPT_MAX 3600u
#define P2WSH_STACK_MAX 100u
#define P2WSH_ITEM_MAX 80u
#define P2SH_SIGOPS_MAX 15u
#define SIGOP_COST_MAX 16000u
#define MULTISIG_KEYS_MAX 3u
#define ANNEX_TAG 0x50u
#define PAY_TO_ANCHOR_SIZE 4u

uint64_t policy_vsize(uint64_t weight)
{
	return (weight + 3) / 4;
}

uint64_t policy_fee(uint64_t per_kvb, uint64_t vsize)
{
	return (per_kvb * vsize + 999) / 1000;
}

static bool is_pushes(struct bytes s)
{
	struct cursor c = cursor_of(s);
	struct bytes push;
	uint8_t op;

	while (script_read(&c, &op, &push))
		if (op > OP_16)
			return false;
	return cursor_ok(&c);
}

static bool is_data(struct bytes s)
{
	return s.size && s.data[0] == OP_RETURN && is_pushes(BYTES(s.data + 1, s.size - 1));
}

static bool is_key(struct bytes push)
{
	return (push.size == 33 && (push.data[0] == 2 || push.data[0] == 3)) || (push.size == 65 && push.data[0] == 4);
}

static bool is_pubkey(struct bytes s)
{
	return s.size >= 35 && s.data[s.size - 1] == OP_CHECKSIG && s.data[0] == s.size - 2 && is_key(BYTES(s.data + 1, s.size - 2));
}

/* m of n keys, n at most three. */
static bool is_multisig(struct bytes s)
{
	struct cursor c = cursor_of(s);
	uint8_t op, need, keys = 0;
	struct bytes push;

	if (!script_read(&c, &need, &push) || need < OP_1)
		return false;
	while (script_read(&c, &op, &push) && is_key(push))
		keys++;
	return cursor_ok(&c) && keys && keys <= MULTISIG_KEYS_MAX && op == OP_1 + keys - 1 && need <= op &&
	       c.left == 1 && c.data[0] == OP_CHECKMULTISIG;
}

static const char *check_output(const struct tx_output *o, uint32_t *data_count)
{
	struct bytes s = o->script;

	if (is_data(s)) {
		if (s.size > DATA_CARRIER_MAX)
			return "scriptpubkey";
		return ++*data_count > 1 ? "multi-op-return" : NULL;
	}
	if (!script_is_p2pkh(s) && !script_is_p2sh(s) && !script_is_witness(s) && !is_pubkey(s) && !is_multisig(s))
		return "scriptpubkey";
	if (SAT_LESS(o->amount, script_dust_limit(s)))
		return "dust";
	return NULL;
}

static size_t stripped_size(const struct entry *e)
{
	/* Weight is three times this and the whole. */
	return (size_t)(e->t.weight - e->t.raw.size) / 3;
}

const char *policy_check(const struct entry *e)
{
	const struct tx *t = e->t.tx;
	uint32_t data_count = 0;

	if (t->version < 1 || t->version > VERSION_MAX)
		return "version";
	if (e->t.weight > WEIGHT_MAX)
		return "tx-size";
	if (stripped_size(e) < STRIPPED_SIZE_MIN)
		return "tx-size-small";
	for (uint32_t i = 0; i < t->input_count; i++) {
		if (t->inputs[i].script_sig.size > SCRIPT_SIG_MAX)
			return "scriptsig-size";
		if (!is_pushes(t->inputs[i].script_sig))
			return "scriptsig-not-pushonly";
	}
	for (uint32_t i = 0; i < t->output_count; i++) {
		const char *why = check_output(&t->outputs[i], &data_count);

		if (why)
			return why;
	}
	return NULL;
}

static struct bytes last_push(struct bytes script)
{
	struct cursor c = cursor_of(script);
	struct bytes push, last = BYTES_NONE;
	uint8_t op;

	while (script_read(&c, &op, &push))
		last = push;
	return last;
}

/* Exact ones look at the number of keys before OP_CHECKMULTISIG. */
static uint32_t sigops(struct bytes script, bool exact)
{
	struct cursor c = cursor_of(script);
	struct bytes push;
	uint8_t op, last = OP_0;
	uint32_t n = 0;

	for (; script_read(&c, &op, &push); last = op) {
		if (op == OP_CHECKSIG || op == OP_CHECKSIGVERIFY)
			n++;
		else if (op == OP_CHECKMULTISIG || op == OP_CHECKMULTISIG + 1)
			n += exact && last >= OP_1 && last <= OP_16 ? last - OP_1 + 1u : 20u;
	}
	return n;
}

static uint32_t witness_sigops(const struct tx_input *in, struct bytes program)
{
	if (script_is_p2wpkh(program))
		return 1;
	return script_is_p2wsh(program) && in->witness_count ? sigops(in->witness[in->witness_count - 1], true) : 0;
}

/* BIP 141 "Sigops". */
uint64_t policy_sigop_cost(const struct sim_chain *c, const struct entry *e)
{
	const struct tx *t = e->t.tx;
	uint64_t legacy = 0, witness = 0;

	for (uint32_t i = 0; i < t->output_count; i++)
		legacy += sigops(t->outputs[i].script, false);
	for (uint32_t i = 0; i < t->input_count; i++) {
		struct bytes script = sim_chain_output(c, &t->inputs[i].prev)->script, inner = script;

		legacy += sigops(t->inputs[i].script_sig, false);
		if (script_is_p2sh(script)) {
			inner = last_push(t->inputs[i].script_sig);
			legacy += sigops(inner, true);
		}
		witness += witness_sigops(&t->inputs[i], inner);
	}
	return 4 * legacy + witness;
}

static bool witness_is_standard(const struct tx_input *in, struct bytes script)
{
	uint32_t count = in->witness_count;

	if (!count)
		return true;
	if (script.size == PAY_TO_ANCHOR_SIZE)
		return false; /* needs none */
	if (script_is_p2sh(script))
		script = last_push(in->script_sig);
	if (!script_is_witness(script))
		return false;
	if (script_is_p2wsh(script)) {
		if (in->witness[count - 1].size > P2WSH_SCRIPT_MAX || count - 1 > P2WSH_STACK_MAX)
			return false;
		for (uint32_t i = 0; i + 1 < count; i++)
			if (in->witness[i].size > P2WSH_ITEM_MAX)
				return false;
	}
	if (script_is_p2tr(script)) {
		struct bytes last = in->witness[count - 1];

		if (count >= 2 && last.size && last.data[0] == ANNEX_TAG)
			return false;
		if (count >= 2 && last.size && (last.data[0] & 0xfe) == 0xc0)
			for (uint32_t i = 0; i + 2 < count; i++)
				if (in->witness[i].size > P2WSH_ITEM_MAX)
					return false;
	}
	return true;
}

const char *policy_check_inputs(const struct sim_chain *c, const struct entry *e)
{
	const struct tx *t = e->t.tx;

	for (uint32_t i = 0; i < t->input_count; i++) {
		struct bytes script = sim_chain_output(c, &t->inputs[i].prev)->script;

		if (!script_is_p2pkh(script) && !script_is_p2sh(script) && !script_is_p2wpkh(script) && !script_is_p2wsh(script) &&
		    !script_is_p2tr(script) && !is_pubkey(script) && !is_multisig(script) &&
		    !(script_is_witness_v1_up(script) && script.size == PAY_TO_ANCHOR_SIZE))
			return "bad-txns-nonstandard-inputs";
		if (script_is_p2sh(script) && sigops(last_push(t->inputs[i].script_sig), true) > P2SH_SIGOPS_MAX)
			return "bad-txns-nonstandard-inputs";
		if (!witness_is_standard(&t->inputs[i], script))
			return "bad-witness-nonstandard";
	}
	return policy_sigop_cost(c, e) > SIGOP_COST_MAX ? "bad-txns-too-many-sigops" : NULL;
}
