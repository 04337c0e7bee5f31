/* Bitcoin transactions: shape, serialization, ids, weight (BIP 144, BIP 141).
 *
 * A struct tx is built in, and lives as long as, an arena.  Scripts are views
 * into that arena. */
#ifndef BITCOIN_TX_H
#define BITCOIN_TX_H

#include "base/amount.h"
#include "base/arena.h"
#include "base/cursor.h"
#include "base/types.h"

struct tx_input {
	struct outpoint prev;
	struct bytes script_sig;
	uint32_t sequence;
	struct bytes *witness; /* witness_count items */
	uint32_t witness_count;
};

struct tx_output {
	struct amount_sat amount;
	struct bytes script;
};

struct tx {
	int32_t version;
	struct tx_input *inputs;
	uint32_t input_count;
	struct tx_output *outputs;
	uint32_t output_count;
	uint32_t locktime;
};

/* An empty transaction with room for so many inputs and outputs; the caller fills them. */
MUST_USE struct tx *tx_new(struct arena *a, int32_t version, uint32_t input_count, uint32_t output_count, uint32_t locktime);
/* NULL if the bytes at the cursor are no transaction (the cursor has failed).  No stricter than consensus:
 * a witness of 500,000 items parses.  Views point into the cursor's bytes, arrays into the arena. */
MUST_USE struct tx *tx_decode(struct arena *a, struct cursor *c);
/* The form without marker and flag even where there are no inputs: PSBT's unsigned transaction. */
MUST_USE struct tx *tx_decode_stripped(struct arena *a, struct cursor *c);
/* The whole of b is one transaction, or NULL. */
MUST_USE struct tx *tx_parse(struct arena *a, struct bytes b);
void tx_encode(const struct tx *t, struct buf *out); /* with witnesses where there are any */
void tx_encode_stripped(const struct tx *t, struct buf *out);
void tx_output_encode(const struct tx_output *o, struct buf *out);
struct txid tx_id(const struct tx *t);
struct txid tx_witness_id(const struct tx *t);
uint64_t tx_weight(const struct tx *t);
/* Sets input's witness to copies of the items. */
void tx_set_witness(struct arena *a, struct tx *t, uint32_t input, const struct bytes *items, uint32_t count);
/* A deep copy that lives as long as a. */
MUST_USE struct tx *tx_copy(struct arena *a, const struct tx *t);

void buf_add_varint(struct buf *b, uint64_t v); /* Bitcoin's compactSize */
uint64_t cursor_varint(struct cursor *c);       /* must be minimal */
size_t varint_size(uint64_t v);

/* Hex in RPC order (reversed). hash_: any 32-byte hash, such as a block's. */
void hash_to_hex(char out65[65], const uint8_t hash32[32]);
MUST_USE bool hash_from_hex(uint8_t out32[32], const char *hex64);
void txid_to_hex(char out65[65], const struct txid *t);
MUST_USE bool txid_from_hex(struct txid *out, const char *hex64);

#endif
