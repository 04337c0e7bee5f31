/* What the files of this room share.
 *
 * INV-O1  Every output of ours is claimed by one transaction at a time: a claim that replaces another one withdraws
 *         it in the same step.
 * INV-O2  An output is spent only by what a block showed, and not before the funding output was.
 * INV-O3  Nothing is resolved before ONCHAIN_DEPTH_BLOCKS lie on every spend that settles it.
 * INV-O4  Of each outgoing HTLC one end is told: its preimage, or that it is gone.
 *
 * An output of ours:
 *
 *   waiting --(spendable_height)--> in a new claim --(signed)--> claimed --(block)--> spent --(100 blocks)--> settled
 *                                       ^                           |
 *                                       +---- somebody else spent a sibling, or the deadline is near ----+
 *
 * A claim: resting -> [BUILDING by the wallet ->] SIGNING [-> FINISHING by the wallet] -> out -> the same again for
 * more.  A claim whose outputs are all spent by its transaction stays: the block may go. */
#ifndef ONCHAIN_STATE_H
#define ONCHAIN_STATE_H

#include "contract/htlc_tx.h"
#include "contract/sweep.h"
#include "onchain/bump.h"
#include "onchain/onchain.h"

/* 483 HTLCs each way, two outputs and two anchors: no commitment has more. */
#define SPEND_OUTPUTS_MAX (COMMITMENT_HTLCS_MAX + 4u)
/* And each HTLC has a second stage. */
#define OUTPUTS_MAX (SPEND_OUTPUTS_MAX + COMMITMENT_HTLCS_MAX)
/* So many outputs in one claim keep it well below the weight that is relayed. */
#define CLAIM_OUTPUTS_MAX 64u
#define NOWHERE UINT32_MAX     /* has no output */
#define BY_AMOUNT (UINT32_MAX - 1) /* any ONCHAIN_HTLC_OURS of its amount */

/* How we spend an output.  Stored; the first eight are those of enum sweep_kind. */
enum way_kind {
	WAY_NONE = 0,
	WAY_DELAYED = SWEEP_DELAYED,
	WAY_REVOKED_DELAYED = SWEEP_REVOKED_DELAYED,
	WAY_TO_REMOTE_STATIC = SWEEP_TO_REMOTE_STATIC,
	WAY_TO_REMOTE_ANCHORS = SWEEP_TO_REMOTE_ANCHORS,
	WAY_PREIMAGE = SWEEP_PREIMAGE,
	WAY_TIMEOUT = SWEEP_TIMEOUT,
	WAY_REVOKED_HTLC = SWEEP_REVOKED_HTLC,
	WAY_HTLC_TIMEOUT = 9,  /* HTLC-timeout transaction, by the peer's signature too */
	WAY_HTLC_SUCCESS = 10,
};

/* What the spend of an output needs.  Stored but for `claim`. */
struct way {
	enum way_kind kind;
	struct bytes witness_script;      /* in `memory`; empty: P2WPKH, or not known */
	struct sha256 payment_hash;       /* HTLCs */
	bool has_preimage, committed;     /* HTLCs of the peer */
	struct preimage preimage;
	struct sig64 countersignature;    /* HTLCs in our commitment: the peer's */
	uint32_t start;                   /* when it was first wanted; 0: not yet */
	struct feerate floor;             /* what its claims paid at most */
	struct claim *claim;              /* that it is in; NULL: none */
};

/* The keys of the commitment that was published.  Stored. */
struct terms {
	enum commitment_type type;
	uint16_t to_self_delay;           /* that its owner waits */
	struct pubkey point;
	uint64_t number;                  /* ours: of the commitment */
	struct pubkey delayed, htlc, revocation; /* that sign for WAY_DELAYED, for HTLCs, for penalties */
	struct secret32 secret;           /* revoked: the one that the peer revealed */
	bool revoked;
	struct bytes stage_script;        /* witness script of to_local and of each second stage; in `memory` */
};

enum making { RESTING, BUILDING, SIGNING, FINISHING };

struct claim {
	struct claim *next;
	uint32_t *outputs;                /* numbers, ascending */
	uint32_t count;
	/* Out in the world.  Stored. */
	bool out;
	struct txid txid;
	struct feerate feerate;
	struct amount_sat fee;
	uint32_t height;                  /* when it was signed */
	uint64_t reservation;             /* of the wallet; 0: it has no wallet inputs */
	/* Being made. */
	enum making making;
	uint64_t ask;
	struct feerate wanted;
	uint32_t attempt;                 /* of BUILDING: each asks the wallet for less */
	uint64_t new_reservation;
	uint64_t replaces;
	struct amount_sat new_fee;
	struct tx *tx;                    /* in `signing` */
	struct sig64 *signatures;
	struct arena signing;
	bool poor;                        /* it was said that the wallet has no coins for it */
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
	struct terms terms;
	struct onchain_output *outputs;
	struct way *ways;
	uint32_t count, capacity;
	uint32_t base_count;          /* those of the spend itself */
	struct claim *claims;
	struct offered *offered;
	uint32_t offered_count;
	bool past_known;              /* the past HTLCs were looked at, or are not wanted */
	/* Where the reading of past HTLCs stands: they come in pieces, by who offered them and their ids. */
	uint64_t past_ask, past_piece;
	enum side past_side;
	bool resolved;
	bool changed;                 /* since it was written last */
	struct arena memory;
};

/* record.c */
struct onchain *onchain_alloc(const struct channel_record *r);
/* A new output at the end, zeroed but for its outpoint and amount. */
uint32_t onchain_append(struct onchain *o, const struct outpoint *p, struct amount_sat amount, uint32_t height);
/* It changed: onchain_flush will write it. */
void onchain_persist(struct onchain *o, struct step *s);

/* record_old.c: what version 1 stored, after its version byte. */
struct onchain *onchain_load_version_1(const struct channel_record *r, struct cursor *c);
/* Values out of range fail the cursor, and then the whole record. */
uint32_t onchain_in_range(struct cursor *c, uint32_t v, uint32_t low, uint32_t high);

/* classify.c: fills kind, what each output is, and how it is ours. */
void onchain_classify(struct onchain *o, struct step *s, const struct onchain_facts *facts);
void onchain_own(struct onchain *o, uint32_t output, enum way_kind kind, struct bytes witness_script);

/* revoked.c */
void onchain_revoked(struct onchain *o, struct step *s, const struct onchain_facts *facts, uint64_t number);
/* Asks the store for the past HTLCs, where they are wanted and not known. */
void onchain_ask_past(struct onchain *o, struct step *s);

/* follow.c: what blocks show. */
void onchain_watch(const struct onchain *o, struct step *s);
void onchain_unwatch(const struct onchain *o, struct step *s);
bool onchain_is_followed(const struct onchain *o, uint32_t output);

/* settle.c: ends. */
void onchain_settle(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height);
bool onchain_is_settled(const struct onchain *o, uint32_t output, uint32_t height);
bool onchain_may_be(const struct onchain *o, const struct offered *h, uint32_t output);

/* claim.c: which outputs are claimed together, and when. */
bool way_is_stage(enum way_kind kind);
/* Claims, or claims again for more, what the next block may hold. */
void onchain_claim_due(struct onchain *o, struct step *s, struct onchain_notes *notes);
/* The claim is no more; its outputs that are not spent are claimed anew by onchain_claim_due. */
void onchain_break_claim(struct onchain *o, struct step *s, struct onchain_notes *notes, struct claim *c);
/* Those that hold an output which somebody else's transaction spent. */
void onchain_break_spent(struct onchain *o, struct step *s, struct onchain_notes *notes);
struct claim *onchain_claim_new(struct onchain *o);
void onchain_claim_add(struct onchain *o, struct claim *c, uint32_t output);
void onchain_claim_free(struct claim *c);
/* Worth less than the cheapest claim: resolved by the commitment itself. */
bool onchain_is_worthless(const struct onchain *o, uint32_t output);
/* The last block that should hold its spend; 0: no hurry. */
uint32_t claim_deadline(const struct onchain *o, const struct claim *c);

/* cost.c: what claims weigh, what they are worth and what they pay. */
struct sweep_input onchain_sweep(const struct onchain *o, uint32_t output);
uint64_t claim_weight(const struct onchain *o, const struct claim *c);
struct amount_sat claim_budget(const struct onchain *o, const struct claim *c);

/* make.c: from a rate to a transaction. */
void claim_make(struct onchain *o, struct step *s, struct claim *c, struct feerate rate);
/* What is being made is given up. */
void claim_abort(struct onchain *o, struct step *s, struct claim *c);

#endif
