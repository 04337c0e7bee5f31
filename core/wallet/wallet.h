/* The bundled on-chain wallet: its coins, and the transactions it builds.
 *
 * A pure machine like the rest of the core: blocks and requests in, records, watches and answers out.  It holds
 * public account keys (BIP 84 and BIP 86, one account each); private ones are handed to the call that signs.
 * runtime/funds drives it and stores its records in the batch of the event that caused them.
 *
 * What can be spent: confirmed coins (coinbases after 100 blocks) and the change of its own unconfirmed
 * transactions whose inputs are all its own.  Coins of a reservation are nobody else's until it is released or spent.
 *
 * Invariants, held by wallet_check:
 *	W1 a coin is spent by at most one live transaction
 *	W2 a reservation names coins that are there, unspent, and in no other reservation
 *	W3 every unconfirmed coin that may be spent is an output of a live transaction of our own coins
 *	W4 a coin of our own keys has the script of its chain and index
 *	W5 each chain watches `gap` indices beyond the last one used or given out
 */
#ifndef WALLET_WALLET_H
#define WALLET_WALLET_H

#include "bitcoin/bip32.h"
#include "step/effect.h"
#include "step/event.h"

#define WALLET_GAP 20u          /* BIP 44's */
#define WALLET_BURIED_BLOCKS 144u /* what is this deep is forgotten or taken for settled */

struct wallet;

/* The four chains of keys.  Stored. */
enum wallet_chain {
	WALLET_P2WPKH_RECEIVE = 0,
	WALLET_P2WPKH_CHANGE = 1,
	WALLET_P2TR_RECEIVE = 2,
	WALLET_P2TR_CHANGE = 3,
	WALLET_CHAINS = 4,
	WALLET_FOREIGN = 255, /* a script that somebody else signs for */
};

struct wallet_config {
	const struct network *network;
	struct bip32_key account84, account86; /* public: m/84'/coin'/0' and m/86'/coin'/0' */
	uint8_t master4[4];                    /* the master's fingerprint, for PSBTs */
	uint32_t gap;                          /* 0: WALLET_GAP */
};

/* The private halves, for a call that signs. */
struct wallet_keys {
	const struct secp *secp;
	struct bip32_key account84, account86;
};

/* Both from a BIP 32 master.  False at 2^-127. */
MUST_USE bool wallet_derive(struct wallet_config *config, struct wallet_keys *keys, const struct bip32_key *master,
			    const struct network *n);
void wallet_keys_wipe(struct wallet_keys *keys);

/* seed: entropy of this run, for the order of inputs and outputs.  Returns owned. */
MUST_USE struct wallet *wallet_new(const struct wallet_config *config, const uint8_t seed32[32]);
void wallet_free(struct wallet *w);
/* Each stored record (RECORD_WALLET) in any order.  False if it is damaged or newer than this program. */
MUST_USE bool wallet_load(struct wallet *w, struct bytes key, struct bytes value);
/* After the records: watches again.  False if they contradict one another. */
MUST_USE bool wallet_start(struct wallet *w, struct effects *out);

/* EVENT_BLOCK and EVENT_BLOCK_UNDONE, in order; others are ignored. */
void wallet_block(struct wallet *w, const struct event *event, struct effects *out);

/* Does what is asked; the answer's pointers live in out's arena.  keys are needed for FUNDS_SIGN only: without them
 * the answer to it is the unsigned PSBT, failed with code FUNDS_NO_KEYS. */
enum { FUNDS_CANNOT_AFFORD = 301, FUNDS_TOO_MANY_INPUTS = 302, FUNDS_FAILED = -1, FUNDS_NO_KEYS = -2 };
void wallet_request(struct wallet *w, const struct wallet_keys *keys, const struct funds_request *request,
		    struct funds_answer *answer, struct effects *out);
/* What a human or a device signed: completes the reservation like FUNDS_SIGN.  The PSBT must be of its transaction. */
void wallet_signed(struct wallet *w, uint64_t reservation, struct bytes psbt, struct funds_answer *answer,
		   struct effects *out);

/* Follows outputs to a script that somebody else signs for (a to_remote key, a hardware wallet).  They are listed
 * and counted apart, and never spent from here.  tag tells the caller whose they are. */
void wallet_follow(struct wallet *w, struct bytes script, uint64_t tag, struct effects *out);
void wallet_unfollow(struct wallet *w, struct bytes script, struct effects *out);

/* Reading; what is returned is valid until the next call that changes w. */
struct wallet_balance {
	struct amount_sat confirmed;   /* spendable, without what is reserved */
	struct amount_sat unconfirmed; /* our own change, spendable */
	struct amount_sat reserved;    /* in reservations */
	struct amount_sat immature;    /* coinbases below 100 blocks */
	struct amount_sat lost;        /* received in a block that left the chain and not seen since: not spendable */
	struct amount_sat foreign;     /* followed scripts */
};

struct wallet_coin {
	struct outpoint outpoint;
	struct amount_sat amount;
	struct bytes script;
	enum wallet_chain chain;
	uint32_t index;       /* of the key in its chain */
	uint64_t tag;         /* WALLET_FOREIGN */
	uint32_t height;      /* 0: unconfirmed */
	bool lost;            /* its block left the chain and it was not seen since: it may never come back */
	bool coinbase;
	bool spent;           /* by a transaction that is not buried yet */
	uint32_t spent_height;/* 0: by an unconfirmed one */
	struct txid spender;
	uint64_t reservation; /* 0: none */
};

void wallet_view_balance(const struct wallet *w, struct wallet_balance *out);
/* for (at = 0; wallet_view_coin(w, &at, &c); ) */
MUST_USE bool wallet_view_coin(const struct wallet *w, uint32_t *at, struct wallet_coin *out);
/* Whether a script is of our own keys. */
MUST_USE bool wallet_owns(const struct wallet *w, struct bytes script);
uint32_t wallet_height(const struct wallet *w);
/* Asserts the invariants; tests call it after every step. */
void wallet_check(const struct wallet *w);

#endif
