/* Scripts: builders for the standard templates, and sighashes.
 *
 * Sources: BIP 141, 143, 341; the Lightning scripts are in contract/. */
#ifndef BITCOIN_SCRIPT_H
#define BITCOIN_SCRIPT_H

#include "bitcoin/tx.h"

enum {
	OP_0 = 0x00, OP_PUSHDATA1 = 0x4c, OP_1NEGATE = 0x4f, OP_1 = 0x51, OP_2 = 0x52, OP_16 = 0x60,
	OP_IF = 0x63, OP_NOTIF = 0x64, OP_ELSE = 0x67, OP_ENDIF = 0x68, OP_VERIFY = 0x69, OP_RETURN = 0x6a,
	OP_DROP = 0x75, OP_DUP = 0x76, OP_IFDUP = 0x73, OP_SWAP = 0x7c, OP_SIZE = 0x82, OP_EQUAL = 0x87,
	OP_EQUALVERIFY = 0x88, OP_HASH160 = 0xa9, OP_CHECKSIG = 0xac, OP_CHECKSIGVERIFY = 0xad,
	OP_CHECKMULTISIG = 0xae, OP_CHECKLOCKTIMEVERIFY = 0xb1, OP_CHECKSEQUENCEVERIFY = 0xb2,
};

enum {
	SIGHASH_DEFAULT = 0, SIGHASH_ALL = 1, SIGHASH_NONE = 2, SIGHASH_SINGLE = 3, SIGHASH_ANYONECANPAY = 0x80,
};

/* Builders append to a buf. */
void script_op(struct buf *b, uint8_t op);
void script_push(struct buf *b, struct bytes data); /* minimal push opcode; no OP_n for small numbers */
void script_number(struct buf *b, int64_t n);       /* minimal: OP_0, OP_1..OP_16 or a push */

/* Reads one opcode and what it pushes (empty for one that pushes nothing).  False at the end, and, with the cursor
 * failed, where a push is cut off. */
MUST_USE bool script_read(struct cursor *c, uint8_t *op, struct bytes *push);

/* scriptPubKeys, in the arena. */
struct bytes script_p2wpkh(struct arena *a, const struct pubkey *p);
struct bytes script_p2wsh(struct arena *a, struct bytes witness_script);
struct bytes script_p2tr(struct arena *a, const struct xonly *output_key);
struct bytes script_p2pkh(struct arena *a, const struct hash160 *h);
struct bytes script_p2sh(struct arena *a, const struct hash160 *h);
/* BIP 143's scriptCode of a P2WPKH input. */
struct bytes script_code_p2wpkh(struct arena *a, const struct pubkey *p);

MUST_USE bool script_is_p2wpkh(struct bytes s);
MUST_USE bool script_is_p2wsh(struct bytes s);
MUST_USE bool script_is_p2tr(struct bytes s);
MUST_USE bool script_is_p2pkh(struct bytes s);
MUST_USE bool script_is_p2sh(struct bytes s);
/* Any witness program (BIP 141): version 0 to 16, 2 to 40 bytes. */
MUST_USE bool script_is_witness(struct bytes s);
/* Any witness program of version 1 to 16 with 2 to 40 bytes (BOLT 2 option_shutdown_anysegwit). */
MUST_USE bool script_is_witness_v1_up(struct bytes s);
/* Bitcoin Core's dust threshold of an output at 3 sat/vB (BOLT 3 "Dust Limits"); 0 where it can not be spent. */
struct amount_sat script_dust_limit(struct bytes script);

/* The signed hash of one input.  BIP 143 (segwit v0). */
struct sha256 sighash_segwit(const struct tx *t, uint32_t input, struct bytes script_code,
			     struct amount_sat amount, uint32_t hash_type);
/* Hashes shared by all inputs of one transaction, for many BIP 143 sighashes of it. */
struct sighash_cache {
	struct sha256 prevouts, sequences, outputs;
	bool filled;
};
struct sha256 sighash_segwit_cached(const struct tx *t, uint32_t input, struct bytes script_code,
				    struct amount_sat amount, uint32_t hash_type, struct sighash_cache *cache);
/* Before segwit: for Bitcoin Core's vectors and the on-chain checker. */
struct sha256 sighash_legacy(const struct tx *t, uint32_t input, struct bytes script_code, uint32_t hash_type);
/* BIP 341.  spent: the output that each input spends.  leaf_hash NULL: key path.  False for a hash type that
 * BIP 341 refuses or a SIGHASH_SINGLE without its output. */
MUST_USE bool sighash_taproot(struct sha256 *out, const struct tx *t, uint32_t input, const struct tx_output *spent,
			      uint8_t hash_type, const struct sha256 *leaf_hash, struct bytes annex);

#endif
