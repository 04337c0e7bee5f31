/* A channel whose funding output is spent: BOLT 5.
 *
 * Classifies the spend, claims what is ours, and says when all of it is
 * settled beyond any reorganisation.  It reads the channel's record as const:
 * one record, not two copies to keep in step.
 *
 * It asks the signer (OWNER_SWEEP with the channel key id) and persists
 * RECORD_ONCHAIN itself; claims go out as notes, which node/ puts into its
 * outbox and offers to the network until they confirm. */
#ifndef ONCHAIN_ONCHAIN_H
#define ONCHAIN_ONCHAIN_H

#include "channel/record.h"
#include "step/event.h"
#include "step/step.h"

#define ONCHAIN_DEPTH_BLOCKS 100u /* irrevocable: BOLT 5 */

struct onchain;

/* Whose transaction spent the funding output.  Stored. */
enum onchain_spend {
	ONCHAIN_MUTUAL_CLOSE = 1,
	ONCHAIN_OUR_COMMITMENT = 2,
	ONCHAIN_THEIR_COMMITMENT = 3,         /* their newest */
	ONCHAIN_THEIR_PREVIOUS_COMMITMENT = 4,/* not revoked yet */
	ONCHAIN_THEIR_REVOKED_COMMITMENT = 5,
	ONCHAIN_THEIR_FUTURE_COMMITMENT = 6,  /* newer than we know: we lost data */
	ONCHAIN_UNKNOWN = 7,
};

enum onchain_note_kind {
	ONCHAIN_NOTE_BROADCAST, /* tx: keep offering it */
	ONCHAIN_NOTE_HTLC_GONE, /* an outgoing HTLC is not in it and never will be, irrevocably: fail it upstream */
	ONCHAIN_NOTE_PREIMAGE,  /* an outgoing HTLC was claimed on chain with this preimage */
	ONCHAIN_NOTE_RESOLVED,  /* everything is settled for good: the channel is history */
};

struct onchain_note {
	struct onchain_note *next;
	enum onchain_note_kind kind;
	struct bytes tx;
	uint64_t htlc_id;
	struct preimage preimage;
	const char *text;
};

struct onchain_notes {
	struct onchain_note *head, **tail;
};

void onchain_notes_init(struct onchain_notes *notes);

/* What an output is.  Stored. */
enum onchain_what {
	ONCHAIN_OTHER = 0,
	ONCHAIN_TO_US = 1,
	ONCHAIN_TO_THEM = 2,
	ONCHAIN_ANCHOR = 3,
	ONCHAIN_HTLC = 4,
};

/* One output of the spending transaction, for listings. */
struct onchain_output {
	struct outpoint outpoint;
	struct amount_sat amount;
	enum onchain_what what;
	bool ours;
	uint32_t spendable_height;/* first block that may spend it */
	uint32_t spent_height;    /* 0: not yet */
	bool claiming;            /* a claim was signed and offered in this run */
	struct txid claim;        /* of it; zero: none yet */
};

/* The commitments that may be published without punishment, as the channel would build them; NULL: none such. */
struct onchain_commitments {
	struct commitment_spec *local, *remote, *remote_previous;
};

/* `destination`: the wallet script that claims pay to; empty: nothing is claimed yet.  The record is borrowed for
 * the object's life.  Returns owned. */
MUST_USE struct onchain *onchain_new(struct step *s, const struct channel_record *r, struct onchain_notes *notes,
				     const struct onchain_commitments *commitments, const struct tx *spend,
				     uint32_t height, struct bytes destination);
MUST_USE struct onchain *onchain_load(const struct channel_record *r, struct bytes value);
/* After a load: watches and questions again. */
void onchain_start(struct onchain *o, struct step *s, struct onchain_notes *notes);
void onchain_free(struct onchain *o);

/* A confirmed transaction that may touch it: any that the watches brought. */
void onchain_tx(struct onchain *o, struct step *s, struct onchain_notes *notes, const struct tx *t, uint32_t height);
/* After all transactions of a block. */
void onchain_block(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height);
/* The block at `height` left the chain.  True if the spend of the funding output went with it: free this. */
MUST_USE bool onchain_undone(struct onchain *o, struct step *s, uint32_t height);
void onchain_signed(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		    const struct sign_answer *answer);

enum onchain_spend onchain_kind(const struct onchain *o);
struct txid onchain_spend_txid(const struct onchain *o);
uint32_t onchain_height(const struct onchain *o);
const struct onchain_output *onchain_outputs(const struct onchain *o, uint32_t *count);

#endif
