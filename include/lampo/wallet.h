/* The on-chain wallet: implement this, or use the bundled one.
 *
 * The node asks for addresses and for transactions that pay outputs; the
 * wallet picks coins, keeps them reserved under the number that the node gives,
 * and signs.  It may answer at once, or after a human has pressed a button. */
#ifndef LAMPO_WALLET_H
#define LAMPO_WALLET_H

#include "lampo/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum lampo_wallet_kind {
	LAMPO_WALLET_ADDRESS = 1, /* a fresh receiving script and its address */
	LAMPO_WALLET_BUILD = 2,   /* picks and reserves coins: the unsigned transaction, version 2, segwit inputs only */
	LAMPO_WALLET_SIGN = 3,    /* signs what was built under the reservation */
	LAMPO_WALLET_RELEASE = 4, /* not answered: the coins of the reservation are free again */
	LAMPO_WALLET_SPENT = 5,   /* not answered: the reservation's transaction went out */
	LAMPO_WALLET_RETAIN = 6,  /* not answered: of all reservations only those in `retain` are still wanted */
};

struct lampo_wallet_output {
	uint64_t sat;
	struct lampo_bytes script;
	int all; /* everything spendable less fee and what is to be kept */
};

/* An input that somebody else signs: it comes first, in the order given, and pays its part. */
struct lampo_wallet_input {
	struct lampo_outpoint prev;
	uint64_t sat;
	struct lampo_bytes script; /* that it spends */
	uint32_t sequence;
	uint32_t witness_weight;   /* of its serialized witness, with the count of items */
};

struct lampo_wallet_request {
	size_t size;
	enum lampo_wallet_kind kind;
	uint64_t reservation;
	int taproot;                               /* ADDRESS: P2TR, else P2WPKH */
	const struct lampo_wallet_output *outputs; /* BUILD */
	size_t output_count;
	uint32_t feerate_per_kw;
	uint32_t min_confirmations;
	uint64_t keep_sat;                         /* stay above this after the payment */
	const struct lampo_outpoint *coins;        /* exactly these, if there are any */
	size_t coin_count;
	const uint64_t *retain;                    /* RETAIN */
	size_t retain_count;
	const struct lampo_wallet_input *inputs;   /* BUILD: to be in it as well; with them there may be no outputs */
	size_t input_count;
	uint64_t parent_weight, parent_fee_sat;    /* BUILD: an unconfirmed parent: both together pay the feerate */
	uint64_t replaces;                         /* BUILD: an earlier reservation's transaction, unconfirmed; 0: none */
};

struct lampo_wallet_answer {
	size_t size; /* sizeof(struct lampo_wallet_answer) */
	const char *failed;          /* NULL, or why not */
	int code;                    /* when it failed: 301 cannot afford, 302 too many inputs, -1 anything else */
	struct lampo_bytes script;   /* ADDRESS */
	const char *address;
	struct lampo_bytes tx;       /* BUILD: unsigned; SIGN: final */
	struct lampo_bytes psbt;     /* may be empty */
	uint8_t txid32[32];
	uint64_t fee_sat;
	const uint32_t *output_index; /* BUILD: where each asked output is, and its amount */
	const uint64_t *output_sat;
};

/* One question of the node. */
struct lampo_wallet_ask;
/* Exactly once for each, on the node's thread.  The answer is copied. */
LAMPO_API void lampo_wallet_answer(struct lampo_wallet_ask *ask, const struct lampo_wallet_answer *answer);

/* What a wallet may do while one of its functions runs; it becomes durable together with what caused it. */
struct lampo_wallet_batch;
/* Transactions that pay this script, and spends of what they pay in the same block, come with their blocks. */
LAMPO_API void lampo_wallet_watch_script(struct lampo_wallet_batch *batch, const void *script, size_t size);
LAMPO_API void lampo_wallet_watch_outpoint(struct lampo_wallet_batch *batch, const struct lampo_outpoint *o);
LAMPO_API void lampo_wallet_unwatch_outpoint(struct lampo_wallet_batch *batch, const struct lampo_outpoint *o);
/* Records of the wallet's own in the node's store; they come back through load. */
LAMPO_API void lampo_wallet_put(struct lampo_wallet_batch *batch, struct lampo_bytes key, struct lampo_bytes value);
LAMPO_API void lampo_wallet_remove(struct lampo_wallet_batch *batch, struct lampo_bytes key);

/* A block of the best chain, with the transactions that anybody in the node watches for. */
struct lampo_wallet_block {
	size_t size;
	uint32_t height;
	uint8_t hash32[32];
	const struct lampo_bytes *txs;
	const uint32_t *tx_index; /* in the block */
	size_t tx_count;
};

/* All on the node's thread. */
struct lampo_wallet {
	size_t size; /* sizeof(struct lampo_wallet) */
	void *context;
	/* ask: NULL where no answer is wanted. */
	void (*request)(void *context, struct lampo_wallet_batch *batch, struct lampo_wallet_ask *ask,
			const struct lampo_wallet_request *request);
	void (*block)(void *context, struct lampo_wallet_batch *batch, const struct lampo_wallet_block *block);
	/* The tip left the best chain: everything of that height is unconfirmed again. */
	void (*undone)(void *context, struct lampo_wallet_batch *batch, uint32_t height);
	/* Each record that was put, before start; 0: it makes no sense.  May be NULL. */
	int (*load)(void *context, struct lampo_bytes key, struct lampo_bytes value);
	/* Once, before anything else but load: watch again what is to be watched. */
	void (*start)(void *context, struct lampo_wallet_batch *batch);
	/* The node needs it no longer; may be NULL. */
	void (*free)(void *context);
};

#ifdef __cplusplus
}
#endif

#endif
