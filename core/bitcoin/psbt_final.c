/* The input finalizer. */
#include "bitcoin/psbt_fields.h"
#include "bitcoin/psbt_sign.h"
#include "crypto/hash.h"

#define MULTISIG_KEYS_MAX 20u

static bool refuse(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

/* What goes onto the stack before the script. */
struct stack {
	struct bytes items[MULTISIG_KEYS_MAX + 3];
	uint32_t count;
};

static void push(struct stack *s, struct bytes item)
{
	ASSERT(s->count < ARRAY_COUNT(s->items));
	s->items[s->count++] = item;
}

/* The hash type that the input wants of all its signatures, if it wants one. */
static bool hash_type_wanted(const struct psbt_map *m, uint32_t hash_type)
{
	struct bytes value;

	return !psbt_get(m, PSBT_IN_SIGHASH_TYPE, BYTES_NONE, &value) || load_le32(value.data) == hash_type;
}

/* This key's signature, verified.  False where there is none or it is not good. */
static bool find_signature(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock, const struct pubkey *p,
			   struct bytes *sig)
{
	const struct psbt_map *m = &w->psbt->inputs[input];
	struct sha256 hash;
	struct sig64 parsed;
	uint8_t hash_type;

	if (!psbt_get(m, PSBT_IN_PARTIAL_SIG, BYTES_OF(p->v), sig))
		return false;
	hash_type = sig->data[sig->size - 1];
	return hash_type_wanted(m, hash_type) && psbt_sighash(w, input, lock, hash_type, &hash) &&
	       sig_from_der(&parsed, BYTES(sig->data, sig->size - 1)) && ecdsa_verify(&parsed, &hash, p);
}

/* A key whose hash is the script's: the partial signatures name it. */
static bool fill_key_hash(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock, const uint8_t *hash20,
			  struct stack *s)
{
	const struct psbt_pair *pair;
	uint32_t at = 0;

	while ((pair = psbt_next(&w->psbt->inputs[input], PSBT_IN_PARTIAL_SIG, &at))) {
		struct hash160 h = hash160(pair->data.data, pair->data.size);
		struct pubkey p;
		struct bytes sig;

		if (pair->data.size != sizeof(p.v) || memcmp(h.v, hash20, sizeof(h.v)) != 0)
			continue;
		memcpy(p.v, pair->data.data, sizeof(p.v));
		if (!find_signature(w, input, lock, &p, &sig))
			return false;
		push(s, sig);
		push(s, pair->data);
		return true;
	}
	return false;
}

/* OP_m, keys, OP_n, OP_CHECKMULTISIG. */
struct multisig {
	struct pubkey keys[MULTISIG_KEYS_MAX];
	uint32_t key_count, needed;
};

static bool small_number(uint8_t op, uint32_t *n)
{
	*n = (uint32_t)op - OP_1 + 1;
	return op >= OP_1 && op <= OP_16;
}

static bool parse_multisig(struct bytes script, struct multisig *m)
{
	struct cursor c = cursor_of(script);
	struct bytes data;
	uint32_t total;
	uint8_t op;

	memset(m, 0, sizeof(*m));
	if (!script_read(&c, &op, &data) || !small_number(op, &m->needed))
		return false;
	while (script_read(&c, &op, &data) && data.size == sizeof(m->keys[0].v) && m->key_count < MULTISIG_KEYS_MAX)
		memcpy(m->keys[m->key_count++].v, data.data, data.size);
	return cursor_ok(&c) && small_number(op, &total) && total == m->key_count && m->needed <= total &&
	       script_read(&c, &op, &data) && op == OP_CHECKMULTISIG && cursor_done(&c);
}

static bool fill_multisig(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock, const struct multisig *m,
			  struct stack *s)
{
	struct bytes sig;

	push(s, BYTES_NONE); /* the item too many that OP_CHECKMULTISIG takes */
	for (uint32_t i = 0; i < m->key_count && s->count <= m->needed; i++)
		if (find_signature(w, input, lock, &m->keys[i], &sig))
			push(s, sig);
	return s->count == m->needed + 1;
}

/* One key and OP_CHECKSIG. */
static bool single_key(struct bytes script, struct pubkey *p)
{
	if (script.size != sizeof(p->v) + 2 || script.data[0] != sizeof(p->v) || script.data[script.size - 1] != OP_CHECKSIG)
		return false;
	memcpy(p->v, script.data + 1, sizeof(p->v));
	return true;
}

/* The stack for an ECDSA script.  P2WPKH's script code is P2PKH's script, so that it comes this way too. */
static bool fill(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock, struct stack *s, const char **why)
{
	struct bytes script = lock->script_code;
	struct multisig m;
	struct pubkey p;
	struct bytes sig;

	if (script_is_p2pkh(script))
		return fill_key_hash(w, input, lock, script.data + 3, s) || refuse(why, "a signature is missing or wrong");
	if (parse_multisig(script, &m))
		return fill_multisig(w, input, lock, &m, s) || refuse(why, "signatures are missing or wrong");
	if (!single_key(script, &p))
		return refuse(why, "the script is of a kind that this program does not finish");
	if (!find_signature(w, input, lock, &p, &sig))
		return refuse(why, "a signature is missing or wrong");
	push(s, sig);
	return true;
}

static void set_script_sig(struct psbt_work *w, uint32_t input, const struct stack *items, struct bytes redeem_script)
{
	struct buf b = BUF_EMPTY;

	for (uint32_t i = 0; items && i < items->count; i++)
		script_push(&b, items->items[i]);
	if (redeem_script.data)
		script_push(&b, redeem_script);
	if (b.size)
		psbt_set(w->psbt, &w->psbt->inputs[input], PSBT_IN_FINAL_SCRIPTSIG, BYTES_NONE, buf_view(&b));
	buf_release(&b);
}

static void set_witness(struct psbt_work *w, uint32_t input, const struct stack *items)
{
	struct buf b = BUF_EMPTY;

	buf_add_varint(&b, items->count);
	for (uint32_t i = 0; i < items->count; i++) {
		buf_add_varint(&b, items->items[i].size);
		buf_add_bytes(&b, items->items[i]);
	}
	psbt_set(w->psbt, &w->psbt->inputs[input], PSBT_IN_FINAL_SCRIPTWITNESS, BYTES_NONE, buf_view(&b));
	buf_release(&b);
}

static bool finalize_ecdsa(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock, const char **why)
{
	struct stack s = { .count = 0 };

	if (!fill(w, input, lock, &s, why))
		return false;
	if (!lock->segwit_v0) {
		set_script_sig(w, input, &s, lock->redeem_script);
		return true;
	}
	if (lock->witness_script.data)
		push(&s, lock->witness_script);
	set_witness(w, input, &s);
	set_script_sig(w, input, NULL, lock->redeem_script);
	return true;
}

static bool finalize_taproot(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock, const char **why)
{
	struct psbt_map *m = &w->psbt->inputs[input];
	struct stack s = { .count = 0 };
	struct bytes value;
	struct sha256 hash;
	struct sig64 sig;
	struct xonly key;
	uint8_t hash_type;

	if (!psbt_get(m, PSBT_IN_TAP_KEY_SIG, BYTES_NONE, &value))
		return refuse(why, "a signature is missing or wrong");
	hash_type = value.size == 65 ? value.data[64] : SIGHASH_DEFAULT;
	memcpy(sig.v, value.data, sizeof(sig.v));
	memcpy(key.v, lock->spent.script.data + 2, sizeof(key.v));
	/* BIP 341: a 65th byte of zero is no signature. */
	if ((value.size == 65 && hash_type == SIGHASH_DEFAULT) || !hash_type_wanted(m, hash_type) ||
	    !psbt_sighash(w, input, lock, hash_type, &hash) || !schnorr_verify(&sig, BYTES_OF(hash.v), &key))
		return refuse(why, "a signature is missing or wrong");
	push(&s, value);
	set_witness(w, input, &s);
	return true;
}

static bool kept_when_final(uint64_t type)
{
	if (!psbt_field_known(PSBT_SCOPE_INPUT, type))
		return true;
	switch (type) {
	case PSBT_IN_NON_WITNESS_UTXO:
	case PSBT_IN_WITNESS_UTXO:
	case PSBT_IN_FINAL_SCRIPTSIG:
	case PSBT_IN_FINAL_SCRIPTWITNESS:
	/* BIP 370: without these there is no transaction. */
	case PSBT_IN_PREVIOUS_TXID:
	case PSBT_IN_OUTPUT_INDEX:
	case PSBT_IN_SEQUENCE:
	case PSBT_IN_REQUIRED_TIME_LOCKTIME:
	case PSBT_IN_REQUIRED_HEIGHT_LOCKTIME:
		return true;
	}
	return false;
}

static bool is_final(const struct psbt_map *m)
{
	struct bytes value;

	return psbt_get(m, PSBT_IN_FINAL_SCRIPTSIG, BYTES_NONE, &value) ||
	       psbt_get(m, PSBT_IN_FINAL_SCRIPTWITNESS, BYTES_NONE, &value);
}

bool psbt_finalize_input(struct psbt_work *w, uint32_t input, const char **why)
{
	struct psbt_map *m;
	struct psbt_lock lock;

	ASSERT(input < w->psbt->input_count);
	m = &w->psbt->inputs[input];
	if (is_final(m))
		return true;
	if (!psbt_lock(w, input, &lock, why))
		return false;
	if (!(lock.taproot ? finalize_taproot(w, input, &lock, why) : finalize_ecdsa(w, input, &lock, why)))
		return false;
	for (uint32_t i = 0; i < m->count;) {
		if (kept_when_final(m->pairs[i].type))
			i++;
		else
			psbt_remove(m, m->pairs[i].type, m->pairs[i].data);
	}
	return true;
}

bool psbt_finalize(struct psbt_work *w, const char **why)
{
	bool all = true;

	for (uint32_t i = 0; i < w->psbt->input_count; i++)
		all &= psbt_finalize_input(w, i, why);
	return all;
}
