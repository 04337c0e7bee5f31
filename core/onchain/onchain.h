/* A channel whose funding output is spent: BOLT 5.
 *
 * Classifies the spend, claims what is ours, follows the outputs that somebody
 * may still take, and says when all of it is settled beyond any reorganisation.
 * It reads the channel's record as const: one record, not two copies to keep in
 * step.
 *
 * It asks the signer (OWNER_SWEEP with the channel key id) and persists
 * RECORD_ONCHAIN itself; claims go out as notes, which node/ puts into its
 * outbox and offers to the network until they confirm.
 *
 * Not here yet: claims of HTLC outputs, penalties, paying for a commitment by
 * its anchor.  What they need stays watched and stored: a channel with such an
 * output is not resolved before somebody has spent it. */
#ifndef ONCHAIN_ONCHAIN_H
#define ONCHAIN_ONCHAIN_H

#include "channel/record.h"
#include "step/event.h"
#include "step/step.h"

/* Irrevocable: BOLT 5 "General Nomenclature".  Counted in blocks on top of the one in question. */
#define ONCHAIN_DEPTH_BLOCKS 100u
/* Before an HTLC is given up that has an output in no valid commitment: no reorganisation brings it back, so this
 * only waits until the channel's end is beyond doubt. */
#define ONCHAIN_DUST_DEPTH_BLOCKS 6u
/* Without a confirmation for so long a claim is signed again for more. */
#define ONCHAIN_BUMP_BLOCKS 6u

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
	ONCHAIN_NOTE_WITHDRAW,  /* txid: stop offering it, it is replaced or has nothing to spend */
	ONCHAIN_NOTE_HTLC_GONE, /* an outgoing HTLC will not be claimed by the peer any more: fail it upstream */
	ONCHAIN_NOTE_PREIMAGE,  /* an outgoing HTLC was claimed on chain with this preimage */
	ONCHAIN_NOTE_RESOLVED,  /* everything is settled for good: the channel is history */
};

struct onchain_note {
	struct onchain_note *next;
	enum onchain_note_kind kind;
	struct bytes tx;
	struct txid txid;
	uint64_t htlc_id;
	struct preimage preimage;
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
	ONCHAIN_HTLC_OURS = 4,   /* offered by us; in a commitment that we cannot build: perhaps, by its amount */
	ONCHAIN_HTLC_THEIRS = 5, /* offered by the peer */
};

/* One output of the spending transaction, for listings. */
struct onchain_output {
	struct outpoint outpoint;
	struct amount_sat amount;
	enum onchain_what what;
	bool ours;                /* we can spend it without a second stage */
	uint32_t cltv_expiry;     /* HTLCs, where it is known */
	uint32_t spendable_height;/* ours: first block that may spend it */
	uint32_t spent_height;    /* 0: not yet */
	struct txid spent_by;
	struct txid claim;        /* ours, in the outbox; zero: none yet */
	struct feerate claim_feerate;
	uint32_t claim_height;    /* when it was signed */
};

/* An outgoing HTLC that is not gone and whose preimage is not known. */
struct onchain_htlc {
	uint64_t id;
	struct amount_msat amount;
	struct sha256 payment_hash;
};

/* A confirmed transaction that spends the funding output, and what the channel knows.  Borrowed for the call. */
struct onchain_facts {
	const struct tx *spend;
	uint32_t height;
	/* The commitments that may be published without punishment, as the channel would build them, their HTLCs
	 * under the channel's HTLC ids; NULL: none such. */
	struct commitment_spec *local, *remote, *remote_previous;
	const struct onchain_htlc *offered;
	uint32_t offered_count;
	struct bytes destination; /* the wallet script that claims pay to; empty: onchain_set_destination */
};

/* The record is borrowed for the object's life.  Returns owned. */
MUST_USE struct onchain *onchain_new(struct step *s, const struct channel_record *r, struct onchain_notes *notes,
				     const struct onchain_facts *facts);
/* NULL if the record is damaged. */
MUST_USE struct onchain *onchain_load(const struct channel_record *r, struct bytes value);
/* After a load: watches and questions again. */
void onchain_start(struct onchain *o, struct step *s);
void onchain_free(struct onchain *o);

/* Something is ours and there is nowhere to send it. */
MUST_USE bool onchain_wants_destination(const struct onchain *o);
void onchain_set_destination(struct onchain *o, struct step *s, struct bytes script);

/* A confirmed transaction that may touch it: any that the watches brought. */
void onchain_tx(struct onchain *o, struct step *s, struct onchain_notes *notes, const struct tx *t, uint32_t height);
/* After all transactions of a block. */
void onchain_block(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height);
/* The block at `height` left the chain.  True if the spend of the funding output went with it: free this. */
MUST_USE bool onchain_undone(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height);
/* The signer's answer to question id; others are ignored. */
void onchain_signed(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		    const struct sign_answer *answer);

/* An outgoing HTLC whose end was told: ONCHAIN_NOTE_HTLC_GONE. */
MUST_USE bool onchain_htlc_is_gone(const struct onchain *o, uint64_t htlc_id);

enum onchain_spend onchain_kind(const struct onchain *o);
const char *onchain_spend_words(enum onchain_spend kind);
struct txid onchain_spend_txid(const struct onchain *o);
uint32_t onchain_height(const struct onchain *o);
const struct onchain_output *onchain_outputs(const struct onchain *o, uint32_t *count);

/* The invariants; ASSERTs. */
void onchain_check(const struct onchain *o);

#endif
