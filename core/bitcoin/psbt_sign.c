#include "bitcoin/psbt_sign.h"

#include "bitcoin/taproot.h"
#include "crypto/hash.h"

static bool refuse(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

static struct tx_output read_output(struct bytes value)
{
	struct cursor c = cursor_of(value);
	struct tx_output o;

	o.amount = SAT(cursor_le64(&c));
	o.script = cursor_bytes(&c, (size_t)cursor_varint(&c));
	ASSERT(cursor_done(&c)); /* psbt_decode has checked it */
	return o;
}

/* The output that an input spends, as p says; NULL, or why it does not say it. */
static const char *find_spent(const struct psbt_work *w, uint32_t input, struct tx_output *out)
{
	const struct psbt_map *m = &w->psbt->inputs[input];
	const struct outpoint *prev = &w->tx->inputs[input].prev;
	struct bytes whole, alone;
	bool has_whole = psbt_get(m, PSBT_IN_NON_WITNESS_UTXO, BYTES_NONE, &whole);
	bool has_alone = psbt_get(m, PSBT_IN_WITNESS_UTXO, BYTES_NONE, &alone);
	struct tx_output o = { { 0 }, { NULL, 0 } };

	if (!has_whole && !has_alone)
		return "the PSBT does not say what the input spends";
	if (has_whole) {
		struct tx *t = tx_parse(w->psbt->arena, whole);
		struct txid id;

		ASSERT(t);
		id = tx_id(t);
		if (!SAME(id, prev->txid) || prev->index >= t->output_count)
			return "the previous transaction is not the one that is spent";
		o = t->outputs[prev->index];
	}
	if (has_alone) {
		struct tx_output other = read_output(alone);

		if (has_whole && (o.amount.v != other.amount.v || !bytes_equal(o.script, other.script)))
			return "the two outputs given for the input contradict each other";
		o = other;
	}
	*out = o;
	return NULL;
}

bool psbt_work_init(struct psbt_work *w, struct psbt *p, const char **why)
{
	*w = (struct psbt_work){ .psbt = p, .tx = psbt_tx(p->arena, p) };
	if (!w->tx)
		return refuse(why, "no locktime suits all inputs");
	w->spent = ARENA_ARRAY(p->arena, struct tx_output, p->input_count);
	w->unknown = ARENA_ARRAY(p->arena, const char *, p->input_count);
	for (uint32_t i = 0; i < p->input_count; i++)
		w->unknown[i] = find_spent(w, i, &w->spent[i]);
	return true;
}

/* P2SH's redeem script, checked, or *script as it is. */
static bool unwrap_p2sh(const struct psbt_map *m, struct psbt_lock *out, struct bytes *script, const char **why)
{
	bool there = psbt_get(m, PSBT_IN_REDEEM_SCRIPT, BYTES_NONE, &out->redeem_script);
	struct hash160 h;

	if (!script_is_p2sh(*script))
		return !there || refuse(why, "there is a redeem script, but the output is not P2SH");
	if (!there)
		return refuse(why, "the redeem script is missing");
	h = hash160(out->redeem_script.data, out->redeem_script.size);
	if (memcmp(h.v, script->data + 2, sizeof(h.v)) != 0)
		return refuse(why, "the redeem script is not the output's");
	*script = out->redeem_script;
	return true;
}

static bool lock_p2wsh(struct psbt_lock *out, struct bytes script, const char **why)
{
	struct sha256 h = sha256(out->witness_script.data, out->witness_script.size);

	if (!out->witness_script.data)
		return refuse(why, "the witness script is missing");
	if (memcmp(h.v, script.data + 2, sizeof(h.v)) != 0)
		return refuse(why, "the witness script is not the output's");
	out->segwit_v0 = true;
	out->script_code = out->witness_script;
	return true;
}

bool psbt_lock(const struct psbt_work *w, uint32_t input, struct psbt_lock *out, const char **why)
{
	const struct psbt_map *m = &w->psbt->inputs[input];
	struct bytes script, ignored;
	struct hash160 h;
	bool has_witness_script;

	ASSERT(input < w->psbt->input_count);
	if (w->unknown[input])
		return refuse(why, w->unknown[input]);
	*out = (struct psbt_lock){ .spent = w->spent[input] };
	script = out->spent.script;
	if (!unwrap_p2sh(m, out, &script, why))
		return false;
	has_witness_script = psbt_get(m, PSBT_IN_WITNESS_SCRIPT, BYTES_NONE, &out->witness_script);
	if (script_is_p2wsh(script))
		return lock_p2wsh(out, script, why);
	if (has_witness_script)
		return refuse(why, "there is a witness script, but the output is not P2WSH");
	if (script_is_p2wpkh(script)) {
		memcpy(h.v, script.data + 2, sizeof(h.v));
		out->segwit_v0 = true;
		out->script_code = script_p2pkh(w->psbt->arena, &h);
		return true;
	}
	if (script_is_p2tr(script) && !out->redeem_script.data) {
		out->taproot = true;
		return true;
	}
	if (script_is_witness(script))
		return refuse(why, "the witness version is unknown");
	/* BIP 174: with the amount alone, a signer could be made to sign away the rest as a fee. */
	if (psbt_get(m, PSBT_IN_WITNESS_UTXO, BYTES_NONE, &ignored))
		return refuse(why, "only an output is given for an input that is not segwit");
	out->script_code = script;
	return true;
}

static bool ecdsa_hash_type_good(uint32_t hash_type)
{
	uint32_t type = hash_type & ~(uint32_t)SIGHASH_ANYONECANPAY;

	return type >= SIGHASH_ALL && type <= SIGHASH_SINGLE;
}

bool psbt_sighash(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock, uint32_t hash_type,
		  struct sha256 *out)
{
	if (!lock->taproot) {
		if (!ecdsa_hash_type_good(hash_type))
			return false;
		*out = lock->segwit_v0 ? sighash_segwit_cached(w->tx, input, lock->script_code, lock->spent.amount,
							       hash_type, &w->cache)
				       : sighash_legacy(w->tx, input, lock->script_code, hash_type);
		return true;
	}
	/* A taproot signature commits to what every input spends. */
	for (uint32_t i = 0; i < w->psbt->input_count; i++)
		if (w->unknown[i])
			return false;
	return hash_type <= 0xff && sighash_taproot(out, w->tx, input, w->spent, (uint8_t)hash_type, NULL, BYTES_NONE);
}

/* The script pushes this key or its hash. */
static bool wants_key(struct bytes script, const struct pubkey *p)
{
	struct hash160 h = hash160(p->v, sizeof(p->v));
	struct cursor c = cursor_of(script);
	struct bytes push;
	uint8_t op;

	while (script_read(&c, &op, &push))
		if (bytes_equal(push, BYTES_OF(p->v)) || bytes_equal(push, BYTES_OF(h.v)))
			return true;
	return false;
}

/* BIP 370: what was signed for may not change any more. */
static void note_signed(struct psbt *p)
{
	struct bytes value;
	uint8_t flags;

	if (!psbt_get(&p->global, PSBT_GLOBAL_TX_MODIFIABLE, BYTES_NONE, &value))
		return;
	flags = value.data[0] & (uint8_t)~(PSBT_INPUTS_MODIFIABLE | PSBT_OUTPUTS_MODIFIABLE);
	psbt_set(p, &p->global, PSBT_GLOBAL_TX_MODIFIABLE, BYTES_NONE, BYTES(&flags, 1));
}

static enum psbt_signed sign_taproot(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock,
				     const struct secp *s, const struct secret32 *key, uint32_t hash_type, const char **why)
{
	struct psbt_map *m = &w->psbt->inputs[input];
	struct secret32 tweaked = *key;
	struct bytes root_bytes;
	bool has_root = psbt_get(m, PSBT_IN_TAP_MERKLE_ROOT, BYTES_NONE, &root_bytes);
	struct sha256 root, hash;
	struct pubkey p;
	struct xonly x;
	struct sig64 sig;
	uint8_t raw[65];

	if (has_root)
		memcpy(root.v, root_bytes.data, sizeof(root.v));
	if (!taproot_seckey(s, &tweaked, has_root ? &root : NULL)) {
		mem_wipe(&tweaked, sizeof(tweaked));
		return PSBT_NO_KEY;
	}
	pubkey_of(s, &p, &tweaked);
	x = xonly_of(&p);
	if (memcmp(x.v, lock->spent.script.data + 2, sizeof(x.v)) != 0) {
		mem_wipe(&tweaked, sizeof(tweaked));
		return PSBT_NO_KEY;
	}
	if (!psbt_sighash(w, input, lock, hash_type, &hash)) {
		mem_wipe(&tweaked, sizeof(tweaked));
		*why = "the PSBT does not say what every input spends";
		return PSBT_REFUSED;
	}
	schnorr_sign(s, &sig, hash.v, &tweaked, NULL);
	mem_wipe(&tweaked, sizeof(tweaked));
	memcpy(raw, sig.v, sizeof(sig.v));
	raw[64] = (uint8_t)hash_type;
	psbt_set(w->psbt, m, PSBT_IN_TAP_KEY_SIG, BYTES_NONE, BYTES(raw, hash_type == SIGHASH_DEFAULT ? 64 : 65));
	return PSBT_SIGNED;
}

static enum psbt_signed sign_ecdsa(struct psbt_work *w, uint32_t input, const struct psbt_lock *lock,
				   const struct secp *s, const struct secret32 *key, uint32_t hash_type)
{
	struct sha256 hash;
	struct pubkey p;
	struct sig64 sig;
	uint8_t der[73];
	size_t size;

	pubkey_of(s, &p, key);
	if (!wants_key(lock->script_code, &p))
		return PSBT_NO_KEY;
	ASSERT(psbt_sighash(w, input, lock, hash_type, &hash));
	ecdsa_sign(s, &sig, &hash, key, !w->plain_nonce);
	size = sig_to_der(der, &sig);
	der[size++] = (uint8_t)hash_type;
	psbt_set(w->psbt, &w->psbt->inputs[input], PSBT_IN_PARTIAL_SIG, BYTES_OF(p.v), BYTES(der, size));
	return PSBT_SIGNED;
}

enum psbt_signed psbt_sign(struct psbt_work *w, uint32_t input, const struct secp *s, const struct secret32 *key,
			   const char **why)
{
	struct psbt_lock lock;
	struct bytes value;
	uint32_t hash_type;
	enum psbt_signed done;

	if (!psbt_lock(w, input, &lock, why))
		return PSBT_REFUSED;
	if (!seckey_valid(key))
		return PSBT_NO_KEY;
	hash_type = lock.taproot ? SIGHASH_DEFAULT : SIGHASH_ALL;
	if (psbt_get(&w->psbt->inputs[input], PSBT_IN_SIGHASH_TYPE, BYTES_NONE, &value))
		hash_type = load_le32(value.data);
	if (hash_type != SIGHASH_ALL && !(lock.taproot && hash_type == SIGHASH_DEFAULT)) {
		*why = "the input asks for a signature that does not cover the whole transaction";
		return PSBT_REFUSED;
	}
	done = lock.taproot ? sign_taproot(w, input, &lock, s, key, hash_type, why)
			    : sign_ecdsa(w, input, &lock, s, key, hash_type);
	if (done == PSBT_SIGNED)
		note_signed(w->psbt);
	return done;
}
