/* Kinds of stored records.  Values are stored: append only, never reuse one.
 * Keys are big endian so that a range of them reads in order. */
#ifndef STEP_RECORD_H
#define STEP_RECORD_H

#include "base/bytes.h"

enum record_kind {
	RECORD_NODE = 1,         /* "counters" ...: what the node counts */
	RECORD_CHANNEL = 2,      /* channel key id (be64) */
	RECORD_HTLC = 3,         /* channel key id, direction (u8: 0 offered by us, 1 by them), htlc id (be64) */
	RECORD_HTLC_ONION = 4,   /* same key: the packet, while it may be needed */
	RECORD_HTLC_PAST = 5,    /* same key: hash, expiry and commitment range, for penalties */
	RECORD_COMMIT_SIGS = 6,  /* channel key id: the remote's signatures of our latest commitment */
	RECORD_SHACHAIN = 7,     /* channel key id: the remote's revealed secrets */
	RECORD_PEER = 8,         /* node id: addresses, whether to reconnect */
	RECORD_INVOICE = 9,      /* created index (be64), payment hash: one that may still be paid */
	RECORD_PAYMENT = 10,     /* created index (be64), payment hash, attempt group (be64): one that is not over */
	RECORD_PART = 11,        /* its payment's key, part (be64) */
	RECORD_CHAIN = 12,       /* "tip"; height (be32): recent header */
	RECORD_WALLET = 13,      /* the wallet's own keys */
	RECORD_OUTBOX = 14,      /* id (be64): a transaction to keep broadcasting */
	RECORD_CLOSED = 15,      /* channel key id: a channel that is history, as older versions left it */
	RECORD_ONCHAIN = 16,     /* channel key id: a channel whose funding output is spent */
	RECORD_ANCHOR = 17,      /* channel key id: who pays for our commitment */
	RECORD_BACKUP = 18,      /* "channels": the static channel backup, sealed; the store may keep it in a file too */
	RECORD_STORAGE = 19,     /* node id, 0 (u8): what we keep for that peer; node id, 1: when its last channel ended */
	RECORD_LIQUIDITY = 20,   /* short_channel_id (be64): what payments taught about it */
	RECORD_SPENT = 21,       /* short_channel_id (be64) of a channel in the log of gossip whose output is spent: height (be32),
				  * or 1 (u8) where its funding transaction left the chain then */
	RECORD_POLICY = 22,      /* channel key id: what its user asks for forwarding over it */
	RECORD_FORWARD = 23,     /* index (be64): what became of an HTLC that was to be forwarded */
	RECORD_LAYER = 24,       /* length of a name (u8), name: there is such a layer; and behind it a rule's key: what that says */
	RECORD_INVOICE_PAST = 25, /* as RECORD_INVOICE: one that is paid or has expired */
	RECORD_INVOICE_INDEX = 26, /* what those are found by (payment/receive.h): their created index */
	RECORD_PAYMENT_PAST = 27, /* as RECORD_PAYMENT: one that is complete or has failed */
	RECORD_PAYMENT_INDEX = 28, /* payment hash, group (be64): the created index (be64) of one that is past */
	RECORD_CLOSED_PAST = 29, /* number (be64), channel key id: a channel that is history */
	RECORD_CLOSED_INDEX = 30, /* channel key id: the number (be64) of one that is */
	RECORD_FORWARD_INDEX = 31, /* incoming channel (be64), incoming HTLC (be64), index: the index (be64) of a RECORD_FORWARD */
	RECORD_EARNED = 32,      /* node id: what forwarding for that peer has earned and cost */
	RECORD_KINDS = 33,
};

/* What is over and may be any number of records: nobody reads it when the node starts, it is fetched when it is asked
 * for.  So a start costs the same whatever has been. */
MUST_USE bool record_is_past(enum record_kind kind);

/* Records of one kind, in order of keys. */
struct record_range {
	enum record_kind kind;
	struct bytes prefix; /* of the keys; empty: all of that kind */
	struct bytes from;   /* the key at which to begin, there or not, and itself one of them; empty: at the end where reading begins */
	uint32_t limit;      /* the most that are read; 0: FETCH_RECORDS_MAX */
	bool reverse;        /* from the greatest key down */
};

#endif
