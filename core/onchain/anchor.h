/* Paying for our own commitment while no block holds it: BOLT 5 "Failing a
 * Channel", BOLT 3 "to_local_anchor".
 *
 * Lives from the broadcast of our commitment until the channel is history, and
 * sleeps while any commitment is in a block.  It keeps one child: our anchor
 * and coins of the wallet in, change out, whose fee carries both to the rate
 * that the schedule asks for (onchain/bump.h), replaced as that grows.  The
 * child goes out as a note with its parent, so that both can be offered as one
 * package (and the child alone, where the commitment is known already).
 *
 * It asks as OWNER_SWEEP with the channel key id, and persists RECORD_ANCHOR. */
#ifndef ONCHAIN_ANCHOR_H
#define ONCHAIN_ANCHOR_H

#include "onchain/onchain.h"

struct anchor;

/* What is at stake while the commitment is not in a block. */
struct anchor_stake {
	uint32_t deadline;        /* the last block that should hold it; 0: none */
	struct amount_sat htlcs;  /* HTLCs that need it by then */
	struct amount_sat balance;/* ours beside them */
};

/* commitment: ours, signed.  NULL if it has no anchor of ours.  Returns owned; borrows the record. */
MUST_USE struct anchor *anchor_new(struct step *s, const struct channel_record *r, struct onchain_notes *notes,
				   struct bytes commitment, const struct anchor_stake *stake);
/* NULL if the record is damaged.  It sleeps until anchor_wake. */
MUST_USE struct anchor *anchor_load(const struct channel_record *r, struct bytes value);
void anchor_free(struct anchor *a);

/* The commitment is out again: after a restart, or after the block that held another one left the chain. */
void anchor_wake(struct anchor *a, struct step *s, struct onchain_notes *notes, const struct anchor_stake *stake);
/* A block of that height, or new estimates of fees. */
void anchor_advance(struct anchor *a, struct step *s, struct onchain_notes *notes, const struct anchor_stake *stake);
/* A block holds this spend of the funding output.  If it is ours the child may go on and confirm; else it never will. */
void anchor_sleep(struct anchor *a, struct step *s, struct onchain_notes *notes, const struct txid *spend);
/* The channel is history: removes what is stored, and takes back a child that did not confirm. */
void anchor_end(struct anchor *a, struct step *s, struct onchain_notes *notes);

/* The answer to question id.  False: it is not one of this. */
bool anchor_signed(struct anchor *a, struct step *s, struct onchain_notes *notes, uint64_t id, const struct sign_answer *answer);
bool anchor_funded(struct anchor *a, struct step *s, struct onchain_notes *notes, uint64_t id, const struct funds_answer *answer);

struct anchor_view {
	struct outpoint outpoint; /* our anchor */
	bool awake;
	uint32_t deadline;
	struct txid child;        /* zero: none */
	struct feerate feerate;   /* of both together */
	struct amount_sat fee;    /* of the child */
	uint32_t height;          /* when it was signed */
};
struct anchor_view anchor_view(const struct anchor *a);
void anchor_check(const struct anchor *a);

#endif
