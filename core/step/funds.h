/* What the core asks of the on-chain wallet, and what it answers.
 *
 * ADDRESS, BUILD and SIGN are answered; RELEASE, SPENT and RETAIN are not.
 *
 * Like signing: EFFECT_FUNDS with an id out, EVENT_FUNDS with that id in, at
 * once (hot wallet) or after a human has pressed a button (hardware, PSBT).
 * A reservation is named by the core and survives a restart. */
#ifndef STEP_FUNDS_H
#define STEP_FUNDS_H

#include "base/amount.h"
#include "base/bytes.h"
#include "base/types.h"

enum funds_kind {
	/* A fresh receiving script (and its address). */
	FUNDS_ADDRESS = 1,
	/* Picks and reserves coins for outputs; the unsigned transaction (version 2, segwit inputs only). */
	FUNDS_BUILD = 2,
	/* Signs what was built under the reservation. */
	FUNDS_SIGN = 3,
	/* Gives the coins of a reservation back, also of one that went out: its transaction is not wanted any more, and
	 * what it spent besides may be gone. */
	FUNDS_RELEASE = 4,
	/* The transaction of the reservation went out: its coins are spent, its change is ours. */
	FUNDS_SPENT = 5,
	/* At start: every reservation but those of `retain` is nobody's any more.  Not answered. */
	FUNDS_RETAIN = 6,
};

enum address_kind { ADDRESS_P2WPKH = 1, ADDRESS_P2TR = 2 };

struct funds_output {
	struct bytes script;
	struct amount_sat amount; /* of the one marked `all`: filled by the wallet */
	bool all;                 /* everything that is spendable less fee and reserve */
};

/* An input that somebody else signs, such as an anchor or an HTLC: it comes first, in the order given, and pays its
 * part.  With such inputs the outputs keep their order as well and come first, the change after them: a signature
 * SINGLE|ANYONECANPAY binds the input of a number to the output of that number. */
struct funds_input {
	struct outpoint prev;
	struct amount_sat amount;
	struct bytes script;     /* that it spends */
	uint32_t sequence;
	uint32_t witness_weight; /* of its serialized witness, with the count of items */
};

struct funds_request {
	enum funds_kind kind;
	uint64_t reservation;
	enum address_kind address;     /* ADDRESS */
	struct funds_output *outputs;  /* BUILD */
	uint32_t output_count;
	struct feerate feerate;
	uint32_t min_confirmations;
	struct amount_sat keep;        /* anchor reserve: stay above this after the payment */
	struct outpoint *coins;        /* exactly these, if count is not 0 */
	uint32_t coin_count;
	const uint64_t *retain;        /* RETAIN */
	uint32_t retain_count;
	struct funds_input *inputs;    /* BUILD: to be in it as well; with them there may be no outputs at all */
	uint32_t input_count;
	uint64_t parent_weight;        /* BUILD: an unconfirmed parent that this transaction is to pull along: */
	struct amount_sat parent_fee;  /* both together pay the feerate */
	bool has_locktime;             /* BUILD: exactly this one; else the wallet's choice */
	uint32_t locktime;
	uint64_t replaces;             /* BUILD: of this earlier reservation, spent but unconfirmed (BIP 125); 0: none */
};

struct funds_answer {
	bool failed;
	int code;             /* JSON-RPC style: 301 cannot afford, 302 too many inputs, -1 other */
	const char *reason;
	struct bytes script;  /* ADDRESS */
	const char *text;     /* ADDRESS */
	bool has_spendable;   /* ADDRESS, of a wallet that says so: what could be spent now */
	struct amount_sat spendable;
	struct bytes tx;      /* BUILD: unsigned; SIGN: final */
	struct bytes psbt;    /* BUILD, SIGN: PSBT v0 */
	struct txid txid;
	struct amount_sat fee;
	uint32_t *output_index; /* BUILD: where each asked output is */
	struct amount_sat *output_amounts;
};

#endif
