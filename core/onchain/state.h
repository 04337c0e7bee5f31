/* What the files of this room share.
 *
 * INV-O1  Every output of ours is claimed by one transaction at a time: a claim that replaces another one withdraws
 *         it in the same step.
 * INV-O2  An output is spent only by what a block showed, and not before the funding output was.
 * INV-O3  Nothing is resolved before ONCHAIN_DEPTH_BLOCKS lie on every spend that settles it.
 * INV-O4  Of each outgoing HTLC one end is told: its preimage, or that it is gone. */
#ifndef ONCHAIN_STATE_H
#define ONCHAIN_STATE_H

#include "contract/sweep.h"
#include "onchain/onchain.h"

/* 483 HTLCs each way, two outputs and two anchors: no commitment has more. */
#define ONCHAIN_OUTPUTS_MAX (COMMITMENT_HTLCS_MAX + 4u)
#define NOWHERE UINT32_MAX     /* has no output */
#define BY_AMOUNT (UINT32_MAX - 1) /* any ONCHAIN_HTLC_OURS of its amount */

/* What the claim of an output needs.  Stored but for the last four. */
struct claim {
	enum sweep_kind kind;         /* 0: not ours */
	enum commitment_type type;
	uint16_t to_self_delay;
	struct pubkey point, key;
	uint64_t number;
	struct bytes witness_script;  /* in `memory` */
	uint64_t ask;                 /* the signature that is waited for */
	struct feerate asked_feerate;
	struct tx *tx;                /* being signed; in `signing` */
	struct arena signing;
};

/* Stored values. */
enum htlc_fate {
	FATE_OPEN = 0,
	FATE_CLAIMED = 1, /* its preimage was told */
	FATE_GONE = 2,    /* told */
};

/* An outgoing HTLC, until its end is told.  Stored. */
struct offered {
	struct onchain_htlc htlc;
	uint32_t output;      /* or NOWHERE, BY_AMOUNT */
	uint32_t depth;       /* blocks on the spend before it may be given up */
	enum htlc_fate fate;
};

struct onchain {
	const struct channel_record *record;
	enum onchain_spend kind;
	uint32_t height;
	struct txid txid;
	struct bytes destination;     /* in `memory` */
	struct onchain_output *outputs;
	struct claim *claims;
	uint32_t count;
	struct offered *offered;
	uint32_t offered_count;
	bool resolved;
	struct arena memory;
};

/* record.c */
struct onchain *onchain_alloc(const struct channel_record *r, uint32_t output_count, uint32_t offered_count);
void onchain_persist(const struct onchain *o, struct step *s);

/* classify.c: fills kind, what each output is, and which is ours. */
void onchain_classify(struct onchain *o, struct step *s, const struct onchain_facts *facts);

/* claim.c */
struct onchain_note *onchain_note(struct step *s, struct onchain_notes *notes, enum onchain_note_kind kind);
struct sweep_input onchain_sweep(const struct onchain *o, uint32_t output);
/* Worth less than the cheapest claim: resolved by the commitment itself. */
MUST_USE bool onchain_is_worthless(const struct onchain *o, uint32_t output);
/* Asks for every claim that the next block may hold, or that has waited too long. */
void onchain_claim_due(struct onchain *o, struct step *s);

#endif
