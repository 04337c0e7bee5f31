#include "bitcoin/psbt_fields.h"

#include "crypto/hash.h"

#define LOCKTIME_THRESHOLD 500000000u /* below: a height, from here on: a time */
#define CONTROL_SIZE_MIN 33u
#define CONTROL_STEP 32u
#define CONTROL_STEPS_MAX 128u
#define TREE_DEPTH_MAX 128u

enum { IN_V0 = 1, IN_V2 = 2, IN_BOTH = 3 };

struct field {
	uint64_t type;
	uint16_t data_min, data_max; /* sizes of the key beyond its type */
	uint8_t allowed, required;   /* in which versions */
	bool (*good)(const struct psbt_pair *pair, struct arena *scratch);
};

static bool any(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)pair;
	(void)scratch;
	return true;
}

static bool size_4(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	return pair->value.size == 4;
}

static bool size_32(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	return pair->value.size == 32;
}

static bool one_byte(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	return pair->value.size == 1;
}

static bool compact_size(const struct psbt_pair *pair, struct arena *scratch)
{
	struct cursor c = cursor_of(pair->value);

	(void)scratch;
	cursor_varint(&c);
	return cursor_done(&c);
}

static bool unsigned_tx(const struct psbt_pair *pair, struct arena *scratch)
{
	struct cursor c = cursor_of(pair->value);
	struct tx *t = tx_decode_stripped(scratch, &c);

	if (!t || !cursor_done(&c))
		return false;
	for (uint32_t i = 0; i < t->input_count; i++)
		if (t->inputs[i].script_sig.size)
			return false;
	return true;
}

static bool whole_tx(const struct psbt_pair *pair, struct arena *scratch)
{
	return tx_parse(scratch, pair->value) != NULL;
}

static bool output(const struct psbt_pair *pair, struct arena *scratch)
{
	struct cursor c = cursor_of(pair->value);
	uint64_t size;

	(void)scratch;
	cursor_le64(&c);
	size = cursor_varint(&c);
	return cursor_ok(&c) && size == c.left;
}

static bool witness_stack(const struct psbt_pair *pair, struct arena *scratch)
{
	struct cursor c = cursor_of(pair->value);
	uint64_t count = cursor_varint(&c);

	(void)scratch;
	for (uint64_t i = 0; i < count && cursor_ok(&c); i++) {
		uint64_t size = cursor_varint(&c);

		if (size > c.left)
			cursor_fail(&c);
		else
			cursor_bytes(&c, (size_t)size);
	}
	return cursor_done(&c);
}

static bool fingerprint_and_path(struct bytes value)
{
	return value.size >= 4 && value.size % 4 == 0;
}

/* BIP 174: as many steps as the extended key is deep. */
static bool xpub_path(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	return fingerprint_and_path(pair->value) && pair->value.size == 4 + 4 * (size_t)pair->data.data[4];
}

static bool public_key(struct bytes data)
{
	struct pubkey p;

	if (data.size == 65)
		return data.data[0] == 4;
	if (data.size != sizeof(p.v))
		return false;
	memcpy(p.v, data.data, sizeof(p.v));
	return pubkey_valid(&p);
}

static bool derivation(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	return public_key(pair->data) && fingerprint_and_path(pair->value);
}

static bool partial_sig(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	/* The shortest DER signature has 8 bytes, the longest 72; one more for the hash type. */
	return public_key(pair->data) && pair->value.size >= 9 && pair->value.size <= 73;
}

static bool ripemd160_preimage(const struct psbt_pair *pair, struct arena *scratch)
{
	struct ripemd160 h = ripemd160(pair->value.data, pair->value.size);

	(void)scratch;
	return memcmp(h.v, pair->data.data, sizeof(h.v)) == 0;
}

static bool sha256_preimage(const struct psbt_pair *pair, struct arena *scratch)
{
	struct sha256 h = sha256(pair->value.data, pair->value.size);

	(void)scratch;
	return memcmp(h.v, pair->data.data, sizeof(h.v)) == 0;
}

static bool hash160_preimage(const struct psbt_pair *pair, struct arena *scratch)
{
	struct hash160 h = hash160(pair->value.data, pair->value.size);

	(void)scratch;
	return memcmp(h.v, pair->data.data, sizeof(h.v)) == 0;
}

static bool hash256_preimage(const struct psbt_pair *pair, struct arena *scratch)
{
	struct sha256 h = sha256d(pair->value.data, pair->value.size);

	(void)scratch;
	return memcmp(h.v, pair->data.data, sizeof(h.v)) == 0;
}

static bool locktime_time(const struct psbt_pair *pair, struct arena *scratch)
{
	return size_4(pair, scratch) && load_le32(pair->value.data) >= LOCKTIME_THRESHOLD;
}

static bool locktime_height(const struct psbt_pair *pair, struct arena *scratch)
{
	return size_4(pair, scratch) && load_le32(pair->value.data) > 0 && load_le32(pair->value.data) < LOCKTIME_THRESHOLD;
}

static bool amount(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	return pair->value.size == 8 && load_le64(pair->value.data) <= SUPPLY_SAT;
}

static bool schnorr_sig(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	return pair->value.size == 64 || pair->value.size == 65;
}

static bool leaf_script(const struct psbt_pair *pair, struct arena *scratch)
{
	(void)scratch;
	return (pair->data.size - CONTROL_SIZE_MIN) % CONTROL_STEP == 0 && pair->value.size >= 1;
}

static bool tap_derivation(const struct psbt_pair *pair, struct arena *scratch)
{
	struct cursor c = cursor_of(pair->value);
	uint64_t hashes = cursor_varint(&c);

	(void)scratch;
	if (!cursor_ok(&c) || hashes > c.left / 32)
		return false;
	cursor_bytes(&c, (size_t)hashes * 32);
	return fingerprint_and_path(cursor_rest(&c));
}

/* Puts a subtree at a depth; two at one depth are one at the depth above.  False if the order is not depth first. */
static bool tree_insert(bool open[TREE_DEPTH_MAX + 1], uint32_t *deepest, uint32_t depth)
{
	if (depth < *deepest || depth > TREE_DEPTH_MAX || open[0])
		return false;
	while (open[depth]) {
		open[depth] = false;
		if (depth-- == 0)
			return false;
	}
	open[depth] = true;
	/* The deepest place that still waits for its other half. */
	*deepest = depth;
	return true;
}

static bool tap_tree(const struct psbt_pair *pair, struct arena *scratch)
{
	struct cursor c = cursor_of(pair->value);
	bool open[TREE_DEPTH_MAX + 1] = { false };
	uint32_t deepest = 0;

	(void)scratch;
	while (c.left) {
		uint32_t depth = cursor_u8(&c);
		uint8_t leaf_version = cursor_u8(&c);
		uint64_t size = cursor_varint(&c);

		if (!cursor_ok(&c) || size > c.left || leaf_version & 1 || !tree_insert(open, &deepest, depth))
			return false;
		cursor_bytes(&c, (size_t)size);
	}
	return cursor_ok(&c) && open[0];
}

static bool proprietary(const struct psbt_pair *pair, struct arena *scratch)
{
	struct cursor c = cursor_of(pair->data);
	uint64_t size = cursor_varint(&c);

	(void)scratch;
	if (size > c.left)
		return false;
	cursor_bytes(&c, (size_t)size);
	cursor_varint(&c);
	return cursor_ok(&c);
}

#define SIZE_ANY 0xffff

static const struct field global_fields[] = {
	{ PSBT_GLOBAL_UNSIGNED_TX, 0, 0, IN_V0, IN_V0, unsigned_tx },
	{ PSBT_GLOBAL_XPUB, 78, 78, IN_BOTH, 0, xpub_path },
	{ PSBT_GLOBAL_TX_VERSION, 0, 0, IN_V2, IN_V2, size_4 },
	{ PSBT_GLOBAL_FALLBACK_LOCKTIME, 0, 0, IN_V2, 0, size_4 },
	{ PSBT_GLOBAL_INPUT_COUNT, 0, 0, IN_V2, IN_V2, compact_size },
	{ PSBT_GLOBAL_OUTPUT_COUNT, 0, 0, IN_V2, IN_V2, compact_size },
	{ PSBT_GLOBAL_TX_MODIFIABLE, 0, 0, IN_V2, 0, one_byte },
	{ PSBT_GLOBAL_VERSION, 0, 0, IN_BOTH, IN_V2, size_4 },
	{ PSBT_PROPRIETARY, 0, SIZE_ANY, IN_BOTH, 0, proprietary },
};

static const struct field input_fields[] = {
	{ PSBT_IN_NON_WITNESS_UTXO, 0, 0, IN_BOTH, 0, whole_tx },
	{ PSBT_IN_WITNESS_UTXO, 0, 0, IN_BOTH, 0, output },
	{ PSBT_IN_PARTIAL_SIG, 33, 65, IN_BOTH, 0, partial_sig },
	{ PSBT_IN_SIGHASH_TYPE, 0, 0, IN_BOTH, 0, size_4 },
	{ PSBT_IN_REDEEM_SCRIPT, 0, 0, IN_BOTH, 0, any },
	{ PSBT_IN_WITNESS_SCRIPT, 0, 0, IN_BOTH, 0, any },
	{ PSBT_IN_BIP32_DERIVATION, 33, 65, IN_BOTH, 0, derivation },
	{ PSBT_IN_FINAL_SCRIPTSIG, 0, 0, IN_BOTH, 0, any },
	{ PSBT_IN_FINAL_SCRIPTWITNESS, 0, 0, IN_BOTH, 0, witness_stack },
	{ PSBT_IN_RIPEMD160, 20, 20, IN_BOTH, 0, ripemd160_preimage },
	{ PSBT_IN_SHA256, 32, 32, IN_BOTH, 0, sha256_preimage },
	{ PSBT_IN_HASH160, 20, 20, IN_BOTH, 0, hash160_preimage },
	{ PSBT_IN_HASH256, 32, 32, IN_BOTH, 0, hash256_preimage },
	{ PSBT_IN_PREVIOUS_TXID, 0, 0, IN_V2, IN_V2, size_32 },
	{ PSBT_IN_OUTPUT_INDEX, 0, 0, IN_V2, IN_V2, size_4 },
	{ PSBT_IN_SEQUENCE, 0, 0, IN_V2, 0, size_4 },
	{ PSBT_IN_REQUIRED_TIME_LOCKTIME, 0, 0, IN_V2, 0, locktime_time },
	{ PSBT_IN_REQUIRED_HEIGHT_LOCKTIME, 0, 0, IN_V2, 0, locktime_height },
	{ PSBT_IN_TAP_KEY_SIG, 0, 0, IN_BOTH, 0, schnorr_sig },
	{ PSBT_IN_TAP_SCRIPT_SIG, 64, 64, IN_BOTH, 0, schnorr_sig },
	{ PSBT_IN_TAP_LEAF_SCRIPT, CONTROL_SIZE_MIN, CONTROL_SIZE_MIN + CONTROL_STEP * CONTROL_STEPS_MAX, IN_BOTH, 0, leaf_script },
	{ PSBT_IN_TAP_BIP32_DERIVATION, 32, 32, IN_BOTH, 0, tap_derivation },
	{ PSBT_IN_TAP_INTERNAL_KEY, 0, 0, IN_BOTH, 0, size_32 },
	{ PSBT_IN_TAP_MERKLE_ROOT, 0, 0, IN_BOTH, 0, size_32 },
	{ PSBT_PROPRIETARY, 0, SIZE_ANY, IN_BOTH, 0, proprietary },
};

static const struct field output_fields[] = {
	{ PSBT_OUT_REDEEM_SCRIPT, 0, 0, IN_BOTH, 0, any },
	{ PSBT_OUT_WITNESS_SCRIPT, 0, 0, IN_BOTH, 0, any },
	{ PSBT_OUT_BIP32_DERIVATION, 33, 65, IN_BOTH, 0, derivation },
	{ PSBT_OUT_AMOUNT, 0, 0, IN_V2, IN_V2, amount },
	{ PSBT_OUT_SCRIPT, 0, 0, IN_V2, IN_V2, any },
	{ PSBT_OUT_TAP_INTERNAL_KEY, 0, 0, IN_BOTH, 0, size_32 },
	{ PSBT_OUT_TAP_TREE, 0, 0, IN_BOTH, 0, tap_tree },
	{ PSBT_OUT_TAP_BIP32_DERIVATION, 32, 32, IN_BOTH, 0, tap_derivation },
	{ PSBT_PROPRIETARY, 0, SIZE_ANY, IN_BOTH, 0, proprietary },
};

static const struct field *fields_of(enum psbt_scope scope, size_t *count)
{
	switch (scope) {
	case PSBT_SCOPE_GLOBAL:
		*count = ARRAY_COUNT(global_fields);
		return global_fields;
	case PSBT_SCOPE_INPUT:
		*count = ARRAY_COUNT(input_fields);
		return input_fields;
	case PSBT_SCOPE_OUTPUT:
		*count = ARRAY_COUNT(output_fields);
		return output_fields;
	}
	UNREACHABLE();
}

static const struct field *find(enum psbt_scope scope, uint64_t type)
{
	size_t count;
	const struct field *fields = fields_of(scope, &count);

	for (size_t i = 0; i < count; i++)
		if (fields[i].type == type)
			return &fields[i];
	return NULL;
}

bool psbt_field_known(enum psbt_scope scope, uint64_t type)
{
	return type != PSBT_PROPRIETARY && find(scope, type) != NULL;
}

bool psbt_fields_good(const struct psbt_map *m, enum psbt_scope scope, uint32_t version, struct arena *scratch)
{
	uint8_t mask = version == 0 ? IN_V0 : IN_V2;
	size_t count;
	const struct field *fields = fields_of(scope, &count);
	struct bytes value;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct psbt_pair *pair = &m->pairs[i];
		const struct field *f = find(scope, pair->type);

		if (f && (!(f->allowed & mask) || pair->data.size < f->data_min ||
			  (f->data_max != SIZE_ANY && pair->data.size > f->data_max) || !f->good(pair, scratch)))
			return false;
	}
	for (size_t i = 0; i < count; i++)
		if (fields[i].required & mask && !psbt_get(m, fields[i].type, BYTES_NONE, &value))
			return false;
	return true;
}
