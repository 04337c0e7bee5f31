/* A channel whose funding output is spent: BOLT 5.
 *
 * Classifies the spend, claims what is ours, punishes what is revoked, follows
 * the outputs that somebody may still take, and says when all of it is settled
 * beyond any reorganisation.  It reads the channel's record as const: one
 * record, not two copies to keep in step.
 *
 * It holds *outputs* (of the spend, and of the second-stage transactions that a
 * block showed) and *claims*: transactions of ours that spend one or more of
 * them.  What a claim pays grows with its deadline (onchain/bump.h).
 *
 * It asks the signer and the wallet (OWNER_SWEEP) and the store (OWNER_PAST),
 * each with the channel key id, and persists RECORD_ONCHAIN itself (onchain_flush).  Claims go
 * out as notes, which node/ puts into its outbox and offers to the network
 * until they confirm.  Every answer may come late, twice or never. */
#ifndef ONCHAIN_ONCHAIN_H
#define ONCHAIN_ONCHAIN_H

#include "channel/record.h"
#include "crypto/shachain.h"
#include "step/event.h"
#include "step/step.h"

/* Irrevocable: BOLT 5 "General Nomenclature".  Counted in blocks on top of the one in question. */
#define ONCHAIN_DEPTH_BLOCKS 100u
/* BOLT 5's "reasonable depth": before an outgoing HTLC is given up upstream.  Its incoming twin has a deadline of its
 * own, so this cannot be a hundred; six blocks were never yet reorganised by accident. */
#define ONCHAIN_REASONABLE_DEPTH_BLOCKS 6u
/* An HTLC that we offered and whose incoming twin, if any, does not press: so long after its expiry. */
#define ONCHAIN_TIMEOUT_BLOCKS 144u
/* BOLT 5's security_delay: from here to the deadline, what the peer could spend as well is claimed one by one. */
#define ONCHAIN_SECURITY_BLOCKS 18u

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
	ONCHAIN_NOTE_BROADCAST, /* tx: keep offering it, together with its parent if it has one that waits */
	ONCHAIN_NOTE_WITHDRAW,  /* txid: stop offering it, it is replaced or has nothing to spend */
	ONCHAIN_NOTE_HTLC_GONE, /* an outgoing HTLC will not be claimed by the peer any more: fail it upstream */
	ONCHAIN_NOTE_PREIMAGE,  /* an outgoing HTLC was claimed on chain with this preimage */
	ONCHAIN_NOTE_RESOLVED,  /* everything is settled for good: the channel is history */
};

struct onchain_note {
	struct onchain_note *next;
	enum onchain_note_kind kind;
	struct bytes tx;
	bool has_parent;
	struct txid parent;
	struct txid txid;
	uint64_t htlc_id;
	struct preimage preimage;
};

struct onchain_notes {
	struct onchain_note *head, **tail;
};

void onchain_notes_init(struct onchain_notes *notes);
/* A new one at the end: for the machines of this room. */
struct onchain_note *onchain_note(struct step *s, struct onchain_notes *notes, enum onchain_note_kind kind);

/* What an output is.  Stored. */
enum onchain_what {
	ONCHAIN_OTHER = 0,
	ONCHAIN_TO_US = 1,
	ONCHAIN_TO_THEM = 2,      /* of a revoked commitment it is ours to take */
	ONCHAIN_ANCHOR = 3,
	ONCHAIN_HTLC_OURS = 4,    /* offered by us; in a commitment that we cannot build: perhaps, by its amount */
	ONCHAIN_HTLC_THEIRS = 5,  /* offered by the peer */
	ONCHAIN_STAGE_OURS = 6,   /* of an HTLC transaction of ours: ours after a delay */
	ONCHAIN_STAGE_THEIRS = 7, /* of an HTLC transaction on a revoked commitment */
};

#define ONCHAIN_NO_HTLC UINT64_MAX

/* One output that is followed, or was looked at, for listings. */
struct onchain_output {
	struct outpoint outpoint;
	struct amount_sat amount;
	enum onchain_what what;
	bool ours;                /* we can spend it, at once or later */
	uint64_t htlc_id;         /* of an HTLC or its second stage; ONCHAIN_NO_HTLC: not known */
	uint32_t cltv_expiry;     /* HTLCs, where it is known */
	uint32_t height;          /* of the block that made it */
	uint32_t spendable_height;/* ours: first block that may hold its spend */
	uint32_t deadline;        /* ours: the last block that should hold it; 0: nobody else can take it */
	uint32_t spent_height;    /* 0: not yet */
	struct txid spent_by;
	bool spent_by_us;
	struct txid claim;        /* ours, in the outbox; zero: none yet */
	struct feerate claim_feerate;
	uint32_t claim_height;    /* when it was signed */
};

/* An outgoing HTLC that is not gone and whose preimage is not known. */
struct onchain_htlc {
	uint64_t id;
	struct amount_msat amount;
	struct sha256 payment_hash;
	uint32_t upstream_expiry; /* cltv_expiry of the incoming HTLC that it forwards; 0: none */
};

/* An incoming HTLC that is not gone. */
struct onchain_incoming {
	uint64_t id;
	struct amount_msat amount;
	struct sha256 payment_hash;
	uint32_t cltv_expiry;
	bool committed;           /* irrevocably, on both sides */
	bool has_preimage;        /* and it was decided to claim it */
	struct preimage preimage;
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
	const struct onchain_incoming *incoming;
	uint32_t incoming_count;
	const struct commit_sigs *sigs;   /* the peer's, of our latest commitment; NULL: none */
	const struct shachain *secrets;   /* the peer's; NULL: none */
	/* Every HTLC that is not gone, for revoked commitments. */
	const struct htlc_past *live;
	uint32_t live_count;
	struct bytes destination; /* the wallet script that claims pay to; empty: onchain_set_destination */
};

/* The record is borrowed for the object's life.  Returns owned. */
MUST_USE struct onchain *onchain_new(struct step *s, const struct channel_record *r, struct onchain_notes *notes,
				     const struct onchain_facts *facts);
/* NULL if the record is damaged. */
MUST_USE struct onchain *onchain_load(const struct channel_record *r, struct bytes value);
/* After a load: watches and questions again. */
void onchain_start(struct onchain *o, struct step *s, struct onchain_notes *notes);
void onchain_free(struct onchain *o);

/* Writes what has changed: before the batch of any of these calls is committed. */
void onchain_flush(struct onchain *o, struct step *s);

/* Something is ours and there is nowhere to send it. */
MUST_USE bool onchain_wants_destination(const struct onchain *o);
void onchain_set_destination(struct onchain *o, struct step *s, struct onchain_notes *notes, struct bytes script);

/* The preimage of an incoming HTLC became known, and it is to be claimed: at once.  Ignored if the HTLC has no output,
 * is claimed already, is not irrevocably committed, or the preimage is none. */
void onchain_preimage(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t htlc_id,
		      const struct preimage *preimage);

/* A confirmed transaction that may touch it: any that the watches brought. */
void onchain_tx(struct onchain *o, struct step *s, struct onchain_notes *notes, const struct tx *t, uint32_t height);
/* After all transactions of a block. */
void onchain_block(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height);
/* The block at `height` left the chain.  True if the spend of the funding output went with it: free this. */
MUST_USE bool onchain_undone(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height);
/* The answer of the signer, the wallet or the store to question id.  False: it is not one of this. */
bool onchain_signed(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		    const struct sign_answer *answer);
bool onchain_funded(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		    const struct funds_answer *answer);
bool onchain_fetched(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		     const struct fetched *records, uint32_t count);

/* An outgoing HTLC whose end was told: ONCHAIN_NOTE_HTLC_GONE. */
MUST_USE bool onchain_htlc_is_gone(const struct onchain *o, uint64_t htlc_id);

enum onchain_spend onchain_kind(const struct onchain *o);
const char *onchain_spend_words(enum onchain_spend kind);
struct txid onchain_spend_txid(const struct onchain *o);
uint32_t onchain_height(const struct onchain *o);
/* Everything that is looked at: the outputs of the spend, then second stages in the order of their blocks. */
const struct onchain_output *onchain_outputs(const struct onchain *o, uint32_t *count);
const char *onchain_what_words(enum onchain_what what);

/* Where an output stands, for listings. */
enum onchain_progress {
	ONCHAIN_IGNORED,    /* it is nobody's business of ours */
	ONCHAIN_WATCHED,    /* the peer may take it, or we may once we know its preimage */
	ONCHAIN_WAITING,    /* ours, but not before spendable_height */
	ONCHAIN_UNCLAIMED,  /* ours and due: the claim is being made, or has no coins or no address */
	ONCHAIN_UNECONOMIC, /* ours, and worth less than its fee */
	ONCHAIN_CLAIMED,    /* our claim waits for its confirmation */
	ONCHAIN_SPENT,      /* not a hundred blocks deep yet */
	ONCHAIN_SETTLED,
};
enum onchain_progress onchain_progress(const struct onchain *o, uint32_t output, uint32_t height);
const char *onchain_progress_words(enum onchain_progress p);

/* Nothing waits for onchain_flush. */
MUST_USE bool onchain_is_written(const struct onchain *o);
/* The invariants; ASSERTs. */
void onchain_check(const struct onchain *o);

#endif
