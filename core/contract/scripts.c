#include "contract/scripts.h"

#include "crypto/hash.h"

static void push_key(struct buf *b, const struct pubkey *p)
{
	script_push(b, BYTES_OF(p->v));
}

/* Moves a finished script into the arena. */
static struct bytes finish(struct arena *a, struct buf *b)
{
	struct bytes out = arena_bytes(a, buf_view(b));

	buf_release(b);
	return out;
}

static bool key_is_lesser(const struct pubkey *one, const struct pubkey *other)
{
	return memcmp(one->v, other->v, sizeof(one->v)) < 0;
}

struct bytes funding_witness_script(struct arena *a, const struct pubkey *one, const struct pubkey *other)
{
	bool in_order = key_is_lesser(one, other);
	struct buf b = BUF_EMPTY;

	script_number(&b, 2);
	push_key(&b, in_order ? one : other);
	push_key(&b, in_order ? other : one);
	script_number(&b, 2);
	script_op(&b, OP_CHECKMULTISIG);
	return finish(a, &b);
}

struct bytes funding_script_pubkey(struct arena *a, const struct pubkey *one, const struct pubkey *other)
{
	return script_p2wsh(a, funding_witness_script(a, one, other));
}

void funding_set_witness(struct arena *a, struct tx *t, uint32_t input, const struct pubkey *one,
			 const struct sig64 *one_sig, const struct pubkey *other, const struct sig64 *other_sig)
{
	bool in_order = key_is_lesser(one, other);
	struct bytes items[4] = {
		BYTES_NONE, /* CHECKMULTISIG takes one item too many */
		witness_signature(a, in_order ? one_sig : other_sig, SIGHASH_ALL),
		witness_signature(a, in_order ? other_sig : one_sig, SIGHASH_ALL),
		funding_witness_script(a, one, other),
	};

	tx_set_witness(a, t, input, items, ARRAY_COUNT(items));
}

struct bytes to_local_witness_script(struct arena *a, const struct pubkey *revocation,
				     const struct pubkey *broadcaster_delayed, uint16_t to_self_delay)
{
	struct buf b = BUF_EMPTY;

	script_op(&b, OP_IF);
	push_key(&b, revocation);
	script_op(&b, OP_ELSE);
	script_number(&b, to_self_delay);
	script_op(&b, OP_CHECKSEQUENCEVERIFY);
	script_op(&b, OP_DROP);
	push_key(&b, broadcaster_delayed);
	script_op(&b, OP_ENDIF);
	script_op(&b, OP_CHECKSIG);
	return finish(a, &b);
}

struct bytes to_remote_witness_script(struct arena *a, const struct pubkey *countersignatory_payment)
{
	struct buf b = BUF_EMPTY;

	push_key(&b, countersignatory_payment);
	script_op(&b, OP_CHECKSIGVERIFY);
	script_number(&b, 1);
	script_op(&b, OP_CHECKSEQUENCEVERIFY);
	return finish(a, &b);
}

struct bytes to_remote_script_pubkey(struct arena *a, enum commitment_type type,
				     const struct pubkey *countersignatory_payment)
{
	switch (type) {
	case COMMITMENT_STATIC_REMOTEKEY:
		return script_p2wpkh(a, countersignatory_payment);
	case COMMITMENT_ANCHORS:
		return script_p2wsh(a, to_remote_witness_script(a, countersignatory_payment));
	}
	UNREACHABLE();
}

struct bytes anchor_witness_script(struct arena *a, const struct pubkey *funding)
{
	struct buf b = BUF_EMPTY;

	push_key(&b, funding);
	script_op(&b, OP_CHECKSIG);
	script_op(&b, OP_IFDUP);
	script_op(&b, OP_NOTIF);
	script_number(&b, 16);
	script_op(&b, OP_CHECKSEQUENCEVERIFY);
	script_op(&b, OP_ENDIF);
	return finish(a, &b);
}

/* What both HTLC scripts open with: the revocation branch, and the test of the preimage's size. */
static void htlc_opening(struct buf *b, const struct commitment_keys *keys)
{
	script_op(b, OP_DUP);
	script_op(b, OP_HASH160);
	script_push(b, BYTES_OF(keys->revocation_hash.v));
	script_op(b, OP_EQUAL);
	script_op(b, OP_IF);
	script_op(b, OP_CHECKSIG);
	script_op(b, OP_ELSE);
	push_key(b, &keys->countersignatory_htlc);
	script_op(b, OP_SWAP);
	script_op(b, OP_SIZE);
	script_number(b, 32);
	script_op(b, OP_EQUAL);
}

static void htlc_hash_check(struct buf *b, const struct sha256 *payment_hash)
{
	struct ripemd160 h = ripemd160(payment_hash->v, sizeof(payment_hash->v));

	script_op(b, OP_HASH160);
	script_push(b, BYTES_OF(h.v));
	script_op(b, OP_EQUALVERIFY);
}

static void htlc_second_stage(struct buf *b, const struct commitment_keys *keys)
{
	script_number(b, 2);
	script_op(b, OP_SWAP);
	push_key(b, &keys->broadcaster_htlc);
	script_number(b, 2);
	script_op(b, OP_CHECKMULTISIG);
}

static void htlc_ending(struct buf *b, enum commitment_type type)
{
	script_op(b, OP_ENDIF);
	/* Nothing but the anchors is spendable before the commitment is mined: no other way to pin it. */
	if (type == COMMITMENT_ANCHORS) {
		script_number(b, 1);
		script_op(b, OP_CHECKSEQUENCEVERIFY);
		script_op(b, OP_DROP);
	}
	script_op(b, OP_ENDIF);
}

struct bytes offered_htlc_witness_script(struct arena *a, enum commitment_type type,
					 const struct commitment_keys *keys, const struct sha256 *payment_hash)
{
	struct buf b = BUF_EMPTY;

	htlc_opening(&b, keys);
	script_op(&b, OP_NOTIF);
	script_op(&b, OP_DROP);
	htlc_second_stage(&b, keys);
	script_op(&b, OP_ELSE);
	htlc_hash_check(&b, payment_hash);
	script_op(&b, OP_CHECKSIG);
	htlc_ending(&b, type);
	return finish(a, &b);
}

struct bytes received_htlc_witness_script(struct arena *a, enum commitment_type type,
					  const struct commitment_keys *keys, const struct sha256 *payment_hash,
					  uint32_t cltv_expiry)
{
	struct buf b = BUF_EMPTY;

	htlc_opening(&b, keys);
	script_op(&b, OP_IF);
	htlc_hash_check(&b, payment_hash);
	htlc_second_stage(&b, keys);
	script_op(&b, OP_ELSE);
	script_op(&b, OP_DROP);
	script_number(&b, cltv_expiry);
	script_op(&b, OP_CHECKLOCKTIMEVERIFY);
	script_op(&b, OP_DROP);
	script_op(&b, OP_CHECKSIG);
	htlc_ending(&b, type);
	return finish(a, &b);
}

struct bytes witness_signature(struct arena *a, const struct sig64 *sig, uint32_t hash_type)
{
	uint8_t der[73];
	size_t size = sig_to_der(der, sig);

	der[size++] = (uint8_t)hash_type;
	return arena_bytes(a, BYTES(der, size));
}
