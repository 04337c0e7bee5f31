#include "bitcoin/script.h"
#include "crypto/hash.h"

#define SIGHASH_OUTPUTS 0x1fu /* the bits that choose the outputs, before taproot */
#define OP_CODESEPARATOR 0xabu
#define CODESEPARATOR_NONE 0xffffffffu

static void add_le32(struct sha256_state *s, uint32_t v)
{
	uint8_t raw[4];

	store_le32(raw, v);
	sha256_add(s, raw, sizeof(raw));
}

static void add_le64(struct sha256_state *s, uint64_t v)
{
	uint8_t raw[8];

	store_le64(raw, v);
	sha256_add(s, raw, sizeof(raw));
}

static void add_varint(struct sha256_state *s, uint64_t v)
{
	uint8_t raw[9] = { (uint8_t)v };
	size_t size = varint_size(v);

	if (size > 1) {
		raw[0] = size == 3 ? 0xfd : size == 5 ? 0xfe : 0xff;
		for (size_t i = 1; i < size; i++)
			raw[i] = (uint8_t)(v >> 8 * (i - 1));
	}
	sha256_add(s, raw, size);
}

static void add_var_bytes(struct sha256_state *s, struct bytes b)
{
	add_varint(s, b.size);
	sha256_add(s, b.data, b.size);
}

static void add_outpoint(struct sha256_state *s, const struct outpoint *o)
{
	sha256_add(s, o->txid.v, sizeof(o->txid.v));
	add_le32(s, o->index);
}

static void add_output(struct sha256_state *s, const struct tx_output *o)
{
	add_le64(s, o->amount.v);
	add_var_bytes(s, o->script);
}

/* BIP 143 hashes twice what BIP 341 hashes once. */
static struct sha256 finish_twice(struct sha256_state *s)
{
	struct sha256 once = sha256_finish(s);

	return sha256(once.v, sizeof(once.v));
}

static void hash_prevouts(struct sha256_state *s, const struct tx *t)
{
	sha256_init_state(s);
	for (uint32_t i = 0; i < t->input_count; i++)
		add_outpoint(s, &t->inputs[i].prev);
}

static void hash_sequences(struct sha256_state *s, const struct tx *t)
{
	sha256_init_state(s);
	for (uint32_t i = 0; i < t->input_count; i++)
		add_le32(s, t->inputs[i].sequence);
}

static void hash_outputs(struct sha256_state *s, const struct tx *t)
{
	sha256_init_state(s);
	for (uint32_t i = 0; i < t->output_count; i++)
		add_output(s, &t->outputs[i]);
}

static void cache_fill(struct sighash_cache *cache, const struct tx *t)
{
	struct sha256_state s;

	if (cache->filled)
		return;
	hash_prevouts(&s, t);
	cache->prevouts = finish_twice(&s);
	hash_sequences(&s, t);
	cache->sequences = finish_twice(&s);
	hash_outputs(&s, t);
	cache->outputs = finish_twice(&s);
	cache->filled = true;
}

/* BIP 143 item 8: all outputs, the one of the same index, or zeros. */
static struct sha256 segwit_outputs(const struct tx *t, uint32_t input, uint32_t hash_type,
				    const struct sighash_cache *cache)
{
	uint32_t outputs = hash_type & SIGHASH_OUTPUTS;
	struct sha256_state s;

	if (outputs != SIGHASH_SINGLE && outputs != SIGHASH_NONE)
		return cache->outputs;
	if (outputs == SIGHASH_NONE || input >= t->output_count)
		return (struct sha256){ { 0 } };
	sha256_init_state(&s);
	add_output(&s, &t->outputs[input]);
	return finish_twice(&s);
}

struct sha256 sighash_segwit_cached(const struct tx *t, uint32_t input, struct bytes script_code,
				    struct amount_sat amount, uint32_t hash_type, struct sighash_cache *cache)
{
	static const struct sha256 zeros;
	uint32_t type = hash_type & SIGHASH_OUTPUTS;
	bool alone = hash_type & SIGHASH_ANYONECANPAY;
	bool sequences = !alone && type != SIGHASH_SINGLE && type != SIGHASH_NONE;
	struct sha256 outputs;
	struct sha256_state s;

	ASSERT(input < t->input_count);
	cache_fill(cache, t);
	outputs = segwit_outputs(t, input, hash_type, cache);
	sha256_init_state(&s);
	add_le32(&s, (uint32_t)t->version);
	sha256_add(&s, alone ? zeros.v : cache->prevouts.v, 32);
	sha256_add(&s, sequences ? cache->sequences.v : zeros.v, 32);
	add_outpoint(&s, &t->inputs[input].prev);
	add_var_bytes(&s, script_code);
	add_le64(&s, amount.v);
	add_le32(&s, t->inputs[input].sequence);
	sha256_add(&s, outputs.v, 32);
	add_le32(&s, t->locktime);
	add_le32(&s, hash_type);
	return finish_twice(&s);
}

struct sha256 sighash_segwit(const struct tx *t, uint32_t input, struct bytes script_code, struct amount_sat amount,
			     uint32_t hash_type)
{
	struct sighash_cache cache = { .filled = false };

	return sighash_segwit_cached(t, input, script_code, amount, hash_type, &cache);
}

/* The script code without its OP_CODESEPARATORs.  What follows a push that is cut off can never be run. */
static void add_legacy_code(struct sha256_state *state, struct bytes code)
{
	struct buf kept = BUF_EMPTY;
	struct cursor c = cursor_of(code);
	const uint8_t *from = code.data;
	struct bytes push;
	uint8_t op;

	while (script_read(&c, &op, &push)) {
		if (op != OP_CODESEPARATOR)
			buf_add(&kept, from, (size_t)(c.data - from));
		from = c.data;
	}
	if (!cursor_ok(&c))
		buf_add(&kept, from, (size_t)(code.data + code.size - from));
	add_var_bytes(state, buf_view(&kept));
	buf_release(&kept);
}

static void add_legacy_inputs(struct sha256_state *s, const struct tx *t, uint32_t input, struct bytes script_code,
			      uint32_t hash_type)
{
	uint32_t type = hash_type & SIGHASH_OUTPUTS;
	bool alone = hash_type & SIGHASH_ANYONECANPAY;

	add_varint(s, alone ? 1 : t->input_count);
	for (uint32_t i = 0; i < t->input_count; i++) {
		if (alone && i != input)
			continue;
		add_outpoint(s, &t->inputs[i].prev);
		if (i == input)
			add_legacy_code(s, script_code);
		else
			add_varint(s, 0);
		add_le32(s, i != input && (type == SIGHASH_SINGLE || type == SIGHASH_NONE) ? 0 : t->inputs[i].sequence);
	}
}

static void add_legacy_outputs(struct sha256_state *s, const struct tx *t, uint32_t input, uint32_t hash_type)
{
	static const struct tx_output null_output = { { UINT64_MAX }, { NULL, 0 } };
	uint32_t type = hash_type & SIGHASH_OUTPUTS;
	uint32_t count = t->output_count;

	if (type == SIGHASH_NONE)
		count = 0;
	else if (type == SIGHASH_SINGLE)
		count = input + 1;
	add_varint(s, count);
	for (uint32_t i = 0; i < count; i++)
		add_output(s, type == SIGHASH_SINGLE && i != input ? &null_output : &t->outputs[i]);
}

struct sha256 sighash_legacy(const struct tx *t, uint32_t input, struct bytes script_code, uint32_t hash_type)
{
	struct sha256_state s;

	ASSERT(input < t->input_count);
	/* What the first client returned for an output that is not there, consensus since: the number 1. */
	if ((hash_type & SIGHASH_OUTPUTS) == SIGHASH_SINGLE && input >= t->output_count)
		return (struct sha256){ { 1 } };
	sha256_init_state(&s);
	add_le32(&s, (uint32_t)t->version);
	add_legacy_inputs(&s, t, input, script_code, hash_type);
	add_legacy_outputs(&s, t, input, hash_type);
	add_le32(&s, t->locktime);
	add_le32(&s, hash_type);
	return finish_twice(&s);
}

static void add_hash(struct sha256_state *s, struct sha256_state *inner)
{
	struct sha256 h = sha256_finish(inner);

	sha256_add(s, h.v, sizeof(h.v));
}

/* BIP 341 "Common signature message", transaction data about all inputs. */
static void add_taproot_inputs(struct sha256_state *s, const struct tx *t, const struct tx_output *spent)
{
	struct sha256_state h;

	hash_prevouts(&h, t);
	add_hash(s, &h);
	sha256_init_state(&h);
	for (uint32_t i = 0; i < t->input_count; i++)
		add_le64(&h, spent[i].amount.v);
	add_hash(s, &h);
	sha256_init_state(&h);
	for (uint32_t i = 0; i < t->input_count; i++)
		add_var_bytes(&h, spent[i].script);
	add_hash(s, &h);
	hash_sequences(&h, t);
	add_hash(s, &h);
}

/* The same, data about this input. */
static void add_taproot_input(struct sha256_state *s, const struct tx *t, uint32_t input,
			      const struct tx_output *spent, bool alone)
{
	if (!alone) {
		add_le32(s, input);
		return;
	}
	add_outpoint(s, &t->inputs[input].prev);
	add_output(s, &spent[input]);
	add_le32(s, t->inputs[input].sequence);
}

static bool taproot_hash_type_good(uint8_t hash_type)
{
	return hash_type <= SIGHASH_SINGLE ||
	       (hash_type >= (SIGHASH_ANYONECANPAY | SIGHASH_ALL) && hash_type <= (SIGHASH_ANYONECANPAY | SIGHASH_SINGLE));
}

bool sighash_taproot(struct sha256 *out, const struct tx *t, uint32_t input, const struct tx_output *spent,
		     uint8_t hash_type, const struct sha256 *leaf_hash, struct bytes annex)
{
	uint8_t outputs = hash_type & 3, epoch = 0, key_version = 0;
	bool alone = hash_type & SIGHASH_ANYONECANPAY;
	uint8_t spend_type = (uint8_t)((leaf_hash ? 2 : 0) | (annex.size ? 1 : 0));
	struct sha256_state s, h;

	ASSERT(input < t->input_count);
	if (!taproot_hash_type_good(hash_type) || (outputs == SIGHASH_SINGLE && input >= t->output_count))
		return false;
	sha256_tagged_init(&s, "TapSighash");
	sha256_add(&s, &epoch, 1);
	sha256_add(&s, &hash_type, 1);
	add_le32(&s, (uint32_t)t->version);
	add_le32(&s, t->locktime);
	if (!alone)
		add_taproot_inputs(&s, t, spent);
	if (outputs != SIGHASH_NONE && outputs != SIGHASH_SINGLE) {
		hash_outputs(&h, t);
		add_hash(&s, &h);
	}
	sha256_add(&s, &spend_type, 1);
	add_taproot_input(&s, t, input, spent, alone);
	if (annex.size) {
		sha256_init_state(&h);
		add_var_bytes(&h, annex);
		add_hash(&s, &h);
	}
	if (outputs == SIGHASH_SINGLE) {
		sha256_init_state(&h);
		add_output(&h, &t->outputs[input]);
		add_hash(&s, &h);
	}
	if (leaf_hash) {
		/* BIP 342's extension, with no OP_CODESEPARATOR executed. */
		sha256_add(&s, leaf_hash->v, sizeof(leaf_hash->v));
		sha256_add(&s, &key_version, 1);
		add_le32(&s, CODESEPARATOR_NONE);
	}
	*out = sha256_finish(&s);
	return true;
}
