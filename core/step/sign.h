/* What the core asks of a signer, and what it answers.
 *
 * The core never holds a private key.  A request goes out as EFFECT_SIGN with
 * an id; the answer comes back as EVENT_SIGNED with that id, at once or an
 * hour later, in any order.  Lost requests are asked again after a restart:
 * every request follows from stored state.  All pointers live as long as the
 * effect (request) or the event (answer). */
#ifndef STEP_SIGN_H
#define STEP_SIGN_H

#include "base/amount.h"
#include "base/bytes.h"
#include "base/types.h"
#include "bitcoin/tx.h"
#include "contract/commitment.h"
#include "contract/keys.h"

enum sign_kind {
	/* A new channel's basepoints and its first two per-commitment points. */
	SIGN_CHANNEL_NEW = 1,
	/* The remote's commitment: one signature for it, one for each untrimmed HTLC in output order.  Asked again for
	 * a number it must be the very same commitment, even if no answer came back: a validating signer never signs
	 * two of one number. */
	SIGN_REMOTE_COMMITMENT = 2,
	/* Our own commitment, to be broadcast.  After this no secret of it or a later one is released. */
	SIGN_LOCAL_COMMITMENT = 3,
	/* Our next commitment is countersigned: release the secret of commitment `number` and give the point
	 * of number + 2. */
	SIGN_REVOKE = 4,
	SIGN_MUTUAL_CLOSE = 5,
	/* Inputs of a transaction that spends what a commitment gave us. */
	SIGN_SPEND = 6,
	/* SHA256 of the shared point of the node key and `point` (BOLT 4, BOLT 8). */
	SIGN_ECDH = 7,
	/* A recoverable signature by the node key over SHA256 of a BOLT 11 signing payload. */
	SIGN_INVOICE = 8,
	/* By the node key over SHA256d of gossip data (node_announcement, channel_update). */
	SIGN_GOSSIP = 9,
	/* announcement_signatures: by the node key and by the funding key. */
	SIGN_ANNOUNCEMENT = 10,
	/* The per-commitment point of our commitment `number`, however late: public, and never a secret.  It checks
	 * the proof of a peer that says our state is old (BOLT 2 "Message Retransmission"). */
	SIGN_POINT = 11,
};

/* How an input is spent: which key, and what it signs. */
enum spend_kind {
	SPEND_TO_LOCAL_DELAYED = 1, /* our commitment's to_local: delayed_payment key at a point */
	SPEND_TO_REMOTE_STATIC = 2, /* static_remotekey: payment basepoint, P2WPKH */
	SPEND_TO_REMOTE_ANCHOR = 3, /* anchors: payment basepoint, CSV 1 */
	SPEND_ANCHOR = 4,           /* our anchor: funding key */
	SPEND_HTLC_LOCAL = 5,       /* second-stage transaction of our commitment: htlc key at our point */
	SPEND_HTLC_REMOTE = 6,      /* an HTLC output of their commitment: htlc key at their point */
	SPEND_HTLC_DELAYED = 7,     /* output of our second-stage transaction: delayed_payment key at a point */
	SPEND_REVOKED = 8,          /* revocation key, with the secret they revealed */
};

struct spend_input {
	enum spend_kind kind;
	uint64_t channel_key;             /* the channel's key id */
	struct pubkey per_commitment_point;
	uint64_t commitment_number;       /* of the broadcaster's commitment that point belongs to */
	struct secret32 remote_secret;    /* SPEND_REVOKED */
	struct bytes witness_script;      /* or the scriptPubKey's key hash script code for P2WPKH */
	struct amount_sat amount;
	uint32_t input;                   /* index in the transaction */
	uint32_t hash_type;
};

/* What a validating signer must see before it lets our current commitment go: its successor, countersigned. */
struct sign_revoke {
	uint64_t number;              /* the commitment whose secret is released */
	struct commitment_spec *next; /* ours of number + 1 */
	struct sig64 signature;       /* the peer's, of next */
	struct sig64 *htlc_signatures; /* the peer's, in output order */
	uint32_t htlc_signature_count;
};

struct sign_request {
	enum sign_kind kind;
	uint64_t channel_key; /* channel requests: which key set; never used twice */
	struct pubkey peer;   /* the channel's peer */
	/* REMOTE_COMMITMENT of number n >= 2: the secret of n - 2 that the peer has revealed.  A validating signer
	 * wants to see it; NULL for 0 and 1. */
	const struct secret32 *remote_revoked;
	union {
		struct commitment_spec *commitment; /* REMOTE_COMMITMENT, LOCAL_COMMITMENT */
		struct sign_revoke revoke;
		uint64_t number;          /* POINT */
		struct {
			struct tx *tx;
			struct amount_sat funding_amount;
			struct pubkey remote_funding;
			struct amount_sat to_local, to_remote; /* what each side gets in it, 0 = left out */
			struct bytes local_script;             /* of our output */
			struct amount_msat local_balance;      /* what we are owed before fees */
			bool local_pays_fee;
		} mutual_close;
		struct {
			struct tx *tx;
			struct spend_input *inputs;
			uint32_t count;
		} spend;
		struct pubkey point;      /* ECDH */
		struct bytes message;     /* INVOICE, GOSSIP, ANNOUNCEMENT: the exact bytes that get hashed */
	} u;
};

struct sign_answer {
	bool refused;        /* the signer will not: `reason` says why; the channel fails safely */
	const char *reason;
	struct basepoints basepoints;   /* CHANNEL_NEW */
	struct pubkey first_points[2];  /* CHANNEL_NEW: commitments 0 and 1 */
	struct sig64 signature;         /* COMMITMENT, MUTUAL_CLOSE, GOSSIP; ANNOUNCEMENT: node key's */
	struct sig64 signature2;        /* ANNOUNCEMENT: funding key's */
	struct sig64 *signatures;       /* REMOTE_COMMITMENT: HTLCs in output order; SPEND: one an input */
	uint32_t signature_count;
	struct secret32 secret;         /* REVOKE: the released secret; ECDH: the shared one */
	struct pubkey next_point;       /* REVOKE; POINT: the one asked for */
	uint8_t recoverable[65];        /* INVOICE */
};

#endif
