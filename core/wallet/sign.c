/* PSBTs of plans, and their signatures. */
#include "bitcoin/psbt_sign.h"
#include "wallet/state.h"

/* How the key of one of our scripts derives, for whoever signs. */
static void set_key(const struct wallet *w, struct psbt *p, struct psbt_map *m, const struct owner *o, bool input)
{
	struct pubkey point = keychain_point(w, o);
	struct xonly x = xonly_of(&point);
	uint32_t path[5];

	keychain_path(w, o, path);
	if (o->chain == WALLET_P2WPKH_RECEIVE || o->chain == WALLET_P2WPKH_CHANGE) {
		psbt_set_derivation(p, m, input ? PSBT_IN_BIP32_DERIVATION : PSBT_OUT_BIP32_DERIVATION, &point,
				    w->config.master4, path, ARRAY_COUNT(path));
		return;
	}
	psbt_set(p, m, input ? PSBT_IN_TAP_INTERNAL_KEY : PSBT_OUT_TAP_INTERNAL_KEY, BYTES_NONE, BYTES_OF(x.v));
	psbt_set_tap_derivation(p, m, input ? PSBT_IN_TAP_BIP32_DERIVATION : PSBT_OUT_TAP_BIP32_DERIVATION, &x,
				w->config.master4, path, ARRAY_COUNT(path));
}

static bool own(const struct owner *o)
{
	return o && o->chain != WALLET_FOREIGN;
}

struct psbt *sign_psbt(const struct wallet *w, const struct plan *p, struct arena *a)
{
	struct psbt *psbt = psbt_from_tx(a, p->tx, 0);

	for (uint32_t i = 0; i < p->tx->input_count; i++) {
		const struct owner *o = keychain_find(w, p->spent[i].script);

		psbt_set_witness_utxo(psbt, i, &p->spent[i]);
		if (i >= p->foreign_count && own(o))
			set_key(w, psbt, &psbt->inputs[i], o, true);
	}
	for (uint32_t i = 0; i < p->tx->output_count; i++) {
		const struct owner *o = keychain_find(w, p->tx->outputs[i].script);

		if (own(o))
			set_key(w, psbt, &psbt->outputs[i], o, false);
	}
	return psbt;
}

static struct bytes encoded(struct arena *a, const struct psbt *p)
{
	struct buf raw = BUF_EMPTY;
	struct bytes copy;

	psbt_encode(p, &raw);
	copy = arena_bytes(a, buf_view(&raw));
	buf_release(&raw);
	return copy;
}

/* The witness of a final input: psbt_extract of one. */
static void set_final_witness(struct arena *a, struct tx *t, uint32_t input, struct bytes stack)
{
	struct cursor c = cursor_of(stack);
	uint32_t count = (uint32_t)cursor_varint(&c);
	struct bytes *items = ARENA_ARRAY(a, struct bytes, count);

	for (uint32_t i = 0; i < count; i++)
		items[i] = cursor_bytes(&c, (size_t)cursor_varint(&c));
	ASSERT(cursor_done(&c));
	tx_set_witness(a, t, input, items, count);
}

/* Our inputs are final: the transaction with their witnesses.  Those of foreign inputs are left to their owners. */
static bool finish(struct psbt_work *work, const struct plan *p, struct funds_answer *answer, struct arena *a)
{
	struct tx *t = tx_copy(a, p->tx);
	struct buf raw = BUF_EMPTY;
	const char *why = NULL;
	struct bytes stack;

	for (uint32_t i = p->foreign_count; i < p->tx->input_count; i++) {
		if (!psbt_finalize_input(work, i, &why) ||
		    !psbt_get(&work->psbt->inputs[i], PSBT_IN_FINAL_SCRIPTWITNESS, BYTES_NONE, &stack)) {
			answer_fail(answer, FUNDS_FAILED, why ? why : "an input has no witness");
			return false;
		}
		set_final_witness(a, t, i, stack);
	}
	tx_encode(t, &raw);
	answer->tx = arena_bytes(a, buf_view(&raw));
	buf_release(&raw);
	answer->psbt = encoded(a, work->psbt);
	answer->txid = p->txid;
	answer->fee = p->fee;
	return true;
}

/* The private key of one of our scripts. */
static bool derive_key(const struct wallet_keys *keys, const struct owner *o, struct secret32 *out)
{
	bool taproot = o->chain == WALLET_P2TR_RECEIVE || o->chain == WALLET_P2TR_CHANGE;
	bool change = o->chain == WALLET_P2WPKH_CHANGE || o->chain == WALLET_P2TR_CHANGE;
	uint32_t path[2] = { change, o->index };
	struct bip32_key k;
	bool good = bip32_derive(keys->secp, &k, taproot ? &keys->account86 : &keys->account84, path, ARRAY_COUNT(path));

	if (good)
		*out = k.secret;
	bip32_wipe(&k);
	return good;
}

static bool sign_inputs(const struct wallet *w, const struct wallet_keys *keys, const struct plan *p,
			struct psbt_work *work, const char **why)
{
	for (uint32_t i = p->foreign_count; i < p->tx->input_count; i++) {
		const struct owner *o = keychain_find(w, p->spent[i].script);
		struct secret32 key;
		enum psbt_signed done;

		*why = "a key of the wallet is missing";
		if (!own(o) || !derive_key(keys, o, &key))
			return false;
		done = psbt_sign(work, i, keys->secp, &key, why);
		mem_wipe(&key, sizeof(key));
		if (done != PSBT_SIGNED)
			return false;
	}
	return true;
}

void sign_answer_with_keys(struct wallet *w, const struct wallet_keys *keys, struct plan *p, struct funds_answer *answer,
			   struct effects *out)
{
	struct psbt *psbt = sign_psbt(w, p, &out->arena);
	struct psbt_work work;
	const char *why = NULL;

	answer->psbt = encoded(&out->arena, psbt);
	answer->txid = p->txid;
	if (!keys) {
		answer_fail(answer, FUNDS_NO_KEYS, "the keys are elsewhere: sign the PSBT there");
		return;
	}
	if (!psbt_work_init(&work, psbt, &why) || !sign_inputs(w, keys, p, &work, &why)) {
		answer_fail(answer, FUNDS_FAILED, why);
		return;
	}
	(void)finish(&work, p, answer, &out->arena);
}

void wallet_signed(struct wallet *w, uint64_t reservation, struct bytes raw, struct funds_answer *answer,
		   struct effects *out)
{
	struct plan *p = plan_find(w, reservation);
	struct psbt *theirs = psbt_decode(&out->arena, raw), *ours;
	struct psbt_work work;
	const char *why = NULL;
	struct txid id;

	memset(answer, 0, sizeof(*answer));
	if (!p || plan_is_dead(p)) {
		answer_fail(answer, FUNDS_FAILED, "there is no such reservation, or its coins are spent by another transaction");
		return;
	}
	if (theirs && theirs->version != 0)
		theirs = psbt_convert(&out->arena, theirs, 0);
	if (!theirs || !psbt_id(theirs, &id) || !SAME(id, p->txid)) {
		answer_fail(answer, FUNDS_FAILED, "the PSBT is not of this transaction");
		return;
	}
	/* Ours first: what it says is spent stands, whatever the other one says. */
	ours = sign_psbt(w, p, &out->arena);
	ASSERT(psbt_combine(ours, theirs) && psbt_work_init(&work, ours, &why));
	(void)finish(&work, p, answer, &out->arena);
}
