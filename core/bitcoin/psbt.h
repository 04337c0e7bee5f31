/* Partially signed transactions: BIP 174 (version 0), BIP 370 (version 2), BIP 371 (taproot fields).
 *
 * A PSBT is kept as what it is, maps of keys and values: fields that this program does not know survive every role.
 * Known fields are checked when they are read.  Maps are sorted by key, so that one PSBT has one encoding here.
 * Everything lives in the arena that the PSBT was made in. */
#ifndef BITCOIN_PSBT_H
#define BITCOIN_PSBT_H

#include "bitcoin/bip32.h"
#include "bitcoin/tx.h"

enum {
	PSBT_GLOBAL_UNSIGNED_TX = 0x00, PSBT_GLOBAL_XPUB = 0x01, PSBT_GLOBAL_TX_VERSION = 0x02,
	PSBT_GLOBAL_FALLBACK_LOCKTIME = 0x03, PSBT_GLOBAL_INPUT_COUNT = 0x04, PSBT_GLOBAL_OUTPUT_COUNT = 0x05,
	PSBT_GLOBAL_TX_MODIFIABLE = 0x06, PSBT_GLOBAL_VERSION = 0xfb, PSBT_PROPRIETARY = 0xfc,
};
enum {
	PSBT_IN_NON_WITNESS_UTXO = 0x00, PSBT_IN_WITNESS_UTXO = 0x01, PSBT_IN_PARTIAL_SIG = 0x02,
	PSBT_IN_SIGHASH_TYPE = 0x03, PSBT_IN_REDEEM_SCRIPT = 0x04, PSBT_IN_WITNESS_SCRIPT = 0x05,
	PSBT_IN_BIP32_DERIVATION = 0x06, PSBT_IN_FINAL_SCRIPTSIG = 0x07, PSBT_IN_FINAL_SCRIPTWITNESS = 0x08,
	PSBT_IN_RIPEMD160 = 0x0a, PSBT_IN_SHA256 = 0x0b, PSBT_IN_HASH160 = 0x0c, PSBT_IN_HASH256 = 0x0d,
	PSBT_IN_PREVIOUS_TXID = 0x0e, PSBT_IN_OUTPUT_INDEX = 0x0f, PSBT_IN_SEQUENCE = 0x10,
	PSBT_IN_REQUIRED_TIME_LOCKTIME = 0x11, PSBT_IN_REQUIRED_HEIGHT_LOCKTIME = 0x12, PSBT_IN_TAP_KEY_SIG = 0x13,
	PSBT_IN_TAP_SCRIPT_SIG = 0x14, PSBT_IN_TAP_LEAF_SCRIPT = 0x15, PSBT_IN_TAP_BIP32_DERIVATION = 0x16,
	PSBT_IN_TAP_INTERNAL_KEY = 0x17, PSBT_IN_TAP_MERKLE_ROOT = 0x18,
};
enum {
	PSBT_OUT_REDEEM_SCRIPT = 0x00, PSBT_OUT_WITNESS_SCRIPT = 0x01, PSBT_OUT_BIP32_DERIVATION = 0x02,
	PSBT_OUT_AMOUNT = 0x03, PSBT_OUT_SCRIPT = 0x04, PSBT_OUT_TAP_INTERNAL_KEY = 0x05, PSBT_OUT_TAP_TREE = 0x06,
	PSBT_OUT_TAP_BIP32_DERIVATION = 0x07,
};
/* PSBT_GLOBAL_TX_MODIFIABLE */
enum { PSBT_INPUTS_MODIFIABLE = 1, PSBT_OUTPUTS_MODIFIABLE = 2, PSBT_HAS_SIGHASH_SINGLE = 4 };

struct psbt_pair {
	struct bytes key; /* the type, then its data */
	struct bytes value;
	uint64_t type;
	struct bytes data; /* the key without its type */
};

struct psbt_map {
	struct psbt_pair *pairs; /* sorted by key, each key once */
	uint32_t count, capacity;
};

struct psbt {
	struct arena *arena;
	uint32_t version; /* 0 or 2 */
	struct psbt_map global, *inputs, *outputs;
	uint32_t input_count, output_count;
};

/* NULL where the bytes are no valid PSBT.  They are borrowed for as long as the PSBT lives. */
MUST_USE struct psbt *psbt_decode(struct arena *a, struct bytes raw);
MUST_USE struct psbt *psbt_decode_base64(struct arena *a, struct bytes text);
void psbt_encode(const struct psbt *p, struct buf *out);
void psbt_encode_base64(const struct psbt *p, struct buf *out);

/* Fields.  data: the key's, beyond its type. */
MUST_USE bool psbt_get(const struct psbt_map *m, uint64_t type, struct bytes data, struct bytes *value);
/* The first pair of a type at or after *at, which moves past it. */
const struct psbt_pair *psbt_next(const struct psbt_map *m, uint64_t type, uint32_t *at);
/* Adds or replaces; key and value are copied. */
void psbt_set(struct psbt *p, struct psbt_map *m, uint64_t type, struct bytes data, struct bytes value);
void psbt_remove(struct psbt_map *m, uint64_t type, struct bytes data);
void psbt_remove_all(struct psbt_map *m, uint64_t type);

/* Creator and constructor: the transaction without its signatures.  version 0 or 2. */
MUST_USE struct psbt *psbt_from_tx(struct arena *a, const struct tx *t, uint32_t version);
/* The unsigned transaction.  NULL if no locktime suits all inputs (BIP 370 "Determining Lock Time"). */
MUST_USE struct tx *psbt_tx(struct arena *a, const struct psbt *p);
/* BIP 370 "Unique Identification", also for version 0 (the transaction id).  False where psbt_tx is NULL. */
MUST_USE bool psbt_id(const struct psbt *p, struct txid *out);
/* The same PSBT in the other version; NULL where psbt_tx is. */
MUST_USE struct psbt *psbt_convert(struct arena *a, const struct psbt *p, uint32_t version);

/* Updater. */
void psbt_set_witness_utxo(struct psbt *p, uint32_t input, const struct tx_output *spent);
void psbt_set_non_witness_utxo(struct psbt *p, uint32_t input, const struct tx *t);
/* The key of an input or output map and how it derives from the master with this fingerprint. */
void psbt_set_derivation(struct psbt *p, struct psbt_map *m, uint64_t type, const struct pubkey *key,
			 const uint8_t master4[4], const uint32_t *path, size_t count);
/* The same for a taproot key that is in no leaf. */
void psbt_set_tap_derivation(struct psbt *p, struct psbt_map *m, uint64_t type, const struct xonly *key,
			     const uint8_t master4[4], const uint32_t *path, size_t count);

/* Combiner: adds to p what other has and p lacks; of two values for one key p's stays.  False, p unchanged, if they
 * are not of one transaction. */
MUST_USE bool psbt_combine(struct psbt *p, const struct psbt *other);
/* Extractor: the final transaction; NULL unless every input is final. */
MUST_USE struct tx *psbt_extract(struct arena *a, const struct psbt *p);

#endif
