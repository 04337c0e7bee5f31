/* What is stored of a channel and of its HTLCs, and what onchain/ reads.
 *
 * One record a channel (RECORD_CHANNEL, key: its key id), one an HTLC that is
 * not gone (RECORD_HTLC), its onion while it may be needed
 * (RECORD_HTLC_ONION), the peer's signatures of our latest commitment
 * (RECORD_COMMIT_SIGS), the secrets the peer revealed (RECORD_SHACHAIN), and a
 * compact trace of each HTLC that is gone (RECORD_HTLC_PAST), for penalties.
 * Formats: spec/records_channel.csv.
 *
 * What is stored is always the state after a disconnection: proposals that no
 * signature covers are not in it. */
#ifndef CHANNEL_RECORD_H
#define CHANNEL_RECORD_H

#include "base/amount.h"
#include "base/arena.h"
#include "channel/cause.h"
#include "channel/htlc.h"
#include "contract/commitment.h"
#include "crypto/shachain.h"

#define ONION_SIZE 1366u
#define CHANNEL_WORDS_MAX 256u

/* Core Lightning's names.  Stored values. */
enum channel_state {
	OPENINGD = 1,                 /* not stored: nothing is at stake yet */
	CHANNELD_AWAITING_LOCKIN = 2, /* funding_signed is through; channel_ready is missing on a side */
	CHANNELD_NORMAL = 3,
	CHANNELD_SHUTTING_DOWN = 4,   /* a shutdown was sent or received; HTLCs remain */
	CLOSINGD_SIGEXCHANGE = 5,     /* closing_signed is negotiated */
	CLOSINGD_COMPLETE = 6,        /* a closing transaction is agreed on */
	AWAITING_UNILATERAL = 7,      /* failed: our commitment goes out, or the peer's is awaited */
	FUNDING_SPEND_SEEN = 8,
	ONCHAIN = 9,
	CLOSED = 10,
};

const char *channel_state_name(enum channel_state s);

/* A scriptPubKey of a shutdown: the longest form is OP_RETURN with 80 bytes. */
struct channel_script {
	uint8_t size; /* 0: none */
	uint8_t data[83];
};

static inline struct bytes channel_script_view(const struct channel_script *s)
{
	return BYTES(s->data, s->size);
}
/* False if it is longer than any form allows. */
MUST_USE bool channel_script_set(struct channel_script *s, struct bytes script);

/* What one side announced in open_channel or accept_channel. */
struct channel_side {
	struct basepoints points;
	struct amount_sat dust_limit;           /* of its own transactions */
	struct amount_sat reserve;              /* that the *other* side must keep */
	struct amount_msat htlc_minimum;        /* that it accepts from the other */
	struct amount_msat max_in_flight;       /* that the other may offer in total */
	uint16_t max_accepted_htlcs;            /* that the other may offer */
	uint16_t to_self_delay;                 /* that the other's outputs wait */
	struct channel_script upfront_shutdown;
	struct channel_script shutdown;         /* of its shutdown message; size 0: not sent */
};

/* Everything ever offered by one side, for statistics. */
struct channel_counts {
	uint64_t offered, fulfilled;
	struct amount_msat offered_amount, fulfilled_amount;
};

struct channel_record {
	uint64_t key;                    /* the channel's key id at the signer, never used twice */
	struct pubkey peer;
	enum channel_state state;
	struct channel_id id;            /* temporary while OPENINGD */
	enum side opener;
	bool announce;
	enum commitment_type type;
	bool scid_alias, zeroconf;       /* variations of the channel type */

	struct outpoint funding;
	struct amount_sat funding_amount;
	struct amount_msat pushed;       /* by the opener */
	uint32_t minimum_depth;
	uint32_t first_height;           /* when the funding could first have been seen */
	uint32_t funding_height;         /* 0: not confirmed */
	struct scid scid;                /* 0: not confirmed */
	struct scid alias_local, alias_remote; /* 0: none */
	bool ready_sent, ready_received;

	struct channel_side side[2];

	/* Balances with every live HTLC still counted to who offered it. */
	struct amount_msat settled[2];
	uint64_t next_htlc_id[2];
	/* Feerates in the opener's five adding states, oldest update last; 0: none in that state. */
	struct feerate feerates[5];
	struct feerate feerate_low;      /* the least that we asked of the opener's since it signed last; 0: see channel_fees_moved */

	uint64_t local_number;           /* our latest commitment that is countersigned */
	uint64_t local_revoked;          /* how many of ours are revoked: the oldest valid one's number */
	struct pubkey local_points[2];   /* of commitments local_revoked and local_revoked + 1 */
	struct secret32 local_secrets[2]; /* revealed: of local_revoked - 1 and local_revoked - 2 */
	uint64_t remote_number;          /* their latest commitment that we signed */
	uint64_t remote_revoked;
	struct pubkey remote_points[2];  /* of commitments remote_revoked and remote_revoked + 1 */
	bool revoke_sent_last;           /* our last revoke_and_ack is younger than our last commitment_signed */

	struct amount_sat closing_fee;   /* CLOSINGD_COMPLETE: agreed */
	bool has_closer;
	enum side closer;                /* who wanted the channel to end */
	bool data_lost;                  /* the peer proved that our state is old: never publish it */
	char error[CHANNEL_WORDS_MAX];   /* sent or received when the channel failed; "": none */
	struct close_evidence close;     /* why it ended; CLOSE_NONE before that */

	struct channel_counts counts[2]; /* by who offered */
	struct amount_msat balance_min, balance_max; /* ours, ever */
};

enum htlc_resolution {
	HTLC_UNRESOLVED = 0,
	HTLC_FULFILLED = 1,
	HTLC_FAILED = 2,
	HTLC_MALFORMED = 3,
};

/* One HTLC that is not gone.  Its owner is the channel. */
/* Hold times and HMACs (BOLT 2 "Removing an HTLC"): to a channel they are bytes. */
#define ATTRIBUTION_DATA_SIZE 920

struct channel_htlc {
	uint64_t id;
	enum side owner;                 /* who offered it */
	enum htlc_state state;
	struct amount_msat amount;
	struct sha256 payment_hash;
	uint32_t cltv_expiry;
	bool has_path_key;
	struct pubkey path_key;
	struct bytes onion;              /* owned; empty once it is not needed any more */
	uint64_t cookie[2];              /* offered by us: its owner's words, as given */

	enum htlc_resolution resolution; /* decided; perhaps not committed yet */
	bool has_preimage;               /* known, even if the proposal to fulfil was reverted */
	struct preimage preimage;
	struct bytes reason;             /* FAILED: owned */
	struct bytes attribution;        /* FAILED, and of theirs FULFILLED: what goes beside it; ATTRIBUTION_DATA_SIZE, or empty; owned */
	uint16_t failure_code;           /* MALFORMED */
	struct sha256 sha256_of_onion;   /* MALFORMED */

	uint64_t committed_ms;           /* theirs: when it was irrevocably committed; 0: not known */
	uint64_t remote_first;           /* the peer's first commitment with it */
	uint64_t remote_last;            /* the peer's last one with it; meaningful from its removal on */
	bool remote_untrimmed;           /* it had an output in some commitment of the peer */

	/* The channel's own. */
	uint8_t table_key[9];
	bool dirty, stored, onion_stored;
	bool dust_exposed;               /* theirs: went over the limit when it was added */
	uint32_t trimmed;                /* one bit a view */
	struct channel_htlc *next, *previous; /* in its state's list */
	struct channel_htlc *dirty_next;
};

/* A trace of an HTLC that is gone: enough to rebuild its output in an old commitment of the peer. */
struct htlc_past {
	uint64_t id;
	enum side owner;
	struct sha256 payment_hash;
	uint32_t cltv_expiry;
	struct amount_msat amount;
	uint64_t remote_first, remote_last; /* the peer's commitments that had it, both included */
};

/* The peer's signatures of our latest commitment. */
struct commit_sigs {
	uint64_t number;
	struct sig64 signature;
	struct sig64 *htlcs; /* in output order */
	uint32_t htlc_count;
};

/* Keys of records (step/record.h). */
void channel_record_key(uint8_t out8[8], uint64_t channel_key);
void htlc_record_key(uint8_t out17[17], uint64_t channel_key, enum side owner, uint64_t id);
MUST_USE bool htlc_record_key_read(struct bytes key, uint64_t *channel_key, enum side *owner, uint64_t *id);

/* Values.  Decoders take what the encoders made and nothing else; what they return that is not a plain value
 * is in the arena. */
void channel_record_encode(const struct channel_record *r, struct buf *out);
MUST_USE bool channel_record_decode(struct bytes value, struct channel_record *out);
void channel_htlc_encode(const struct channel_htlc *h, struct buf *out);
MUST_USE bool channel_htlc_decode(struct bytes key, struct bytes value, struct arena *a, struct channel_htlc *out);
void htlc_past_encode(const struct htlc_past *p, struct buf *out);
MUST_USE bool htlc_past_decode(struct bytes key, struct bytes value, struct htlc_past *out);
void commit_sigs_encode(const struct commit_sigs *s, struct buf *out);
MUST_USE bool commit_sigs_decode(struct bytes value, struct arena *a, struct commit_sigs *out);

/* The feerate of a view. */
struct feerate channel_record_feerate(const struct channel_record *r, enum htlc_view v);
/* Our commitments' id factor: BOLT 3's obscuring factor. */
uint64_t channel_record_obscuring_factor(const struct channel_record *r);
struct bytes channel_record_funding_script(const struct channel_record *r, struct arena *a);

/* Which commitment transaction. */
enum commitment_choice {
	COMMITMENT_LOCAL,           /* our latest that is countersigned */
	COMMITMENT_REMOTE,          /* their latest that we signed */
	COMMITMENT_REMOTE_PREVIOUS, /* the one before, while it is not revoked */
};
/* Its specification, from the record and the HTLCs that are not gone (any order).  Everything in the arena.  NULL
 * for a previous one that does not exist. */
struct commitment_spec *channel_record_spec(const struct channel_record *r, const struct channel_htlc *const *htlcs,
					    uint32_t htlc_count, enum commitment_choice which, struct arena *a);

#endif
