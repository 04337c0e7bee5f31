/* Facts into the core.
 *
 * Every event carries the time; nothing else tells the core what time it is.
 * What an event points at lives until the step returns. */
#ifndef STEP_EVENT_H
#define STEP_EVENT_H

#include "base/bytes.h"
#include "base/types.h"
#include "step/command.h"
#include "step/funds.h"
#include "step/record.h"
#include "step/sign.h"

enum event_kind {
	EVENT_TICK,            /* nothing but the time: a deadline passed */
	EVENT_CONNECTED,       /* the BOLT 8 handshake is done */
	EVENT_CONNECT_FAILED,
	EVENT_DISCONNECTED,
	EVENT_MESSAGE,         /* one decrypted BOLT 1 message */
	EVENT_SIGNED,
	EVENT_FUNDS,
	EVENT_BLOCK,           /* the next block of the best chain, with the transactions that were watched for */
	EVENT_BLOCK_UNDONE,    /* the tip left the best chain */
	EVENT_CHAIN_SYNCED,    /* the chain source has nothing newer for now */
	EVENT_FEES,
	EVENT_BROADCAST,       /* answer to EFFECT_BROADCAST */
	EVENT_COMMAND,
	EVENT_CALL_GONE,       /* whoever made a call is not there any more */
	EVENT_FETCHED,         /* answer to EFFECT_FETCH */
	EVENT_GOSSIP,          /* answer to EFFECT_GOSSIP */
	EVENT_COMPUTED,        /* the job of an EFFECT_COMPUTE has run */
};

/* A stored record; an answer to EFFECT_FETCH has no more than FETCH_RECORDS_MAX. */
struct fetched {
	enum record_kind kind;
	struct bytes key, value;
};

#define FETCH_RECORDS_MAX 100000u

struct block_tx {
	struct bytes raw;
	uint32_t index; /* in the block */
};

enum fee_target { FEE_URGENT, FEE_NORMAL, FEE_SLOW, FEE_MINIMUM, FEE_TARGETS };

struct gossip_answer;

struct event {
	enum event_kind kind;
	uint64_t now_ms; /* Unix time in milliseconds; never goes back */
	union {
		struct {
			uint64_t connection; /* never used twice in one run */
			struct pubkey peer;
			bool outbound;
			const char *host;    /* the other end's address literal */
			uint16_t port;
		} connected;
		struct {
			struct pubkey peer;
			const char *host;
			uint16_t port;
			const char *reason;
		} connect_failed;
		struct {
			uint64_t connection;
			const char *reason;
		} disconnected;
		struct {
			uint64_t connection;
			struct bytes message;
		} message;
		struct {
			uint64_t id;
			struct sign_answer *answer;
		} signature;
		struct {
			uint64_t id;
			struct funds_answer *answer;
		} funds;
		struct {
			uint32_t height;
			uint32_t time;
			struct block_hash hash, previous;
			struct block_tx *txs;
			uint32_t tx_count;
			const struct outpoint *spent; /* by every input of the block but the coinbase's */
			uint32_t spent_count;
		} block;
		struct {
			uint32_t height;      /* of the block that is undone: the tip */
			struct block_hash hash, previous;
		} undone;
		struct {
			uint32_t height;      /* our tip */
			uint32_t best_height; /* the chain source's */
		} synced;
		struct {
			struct feerate rates[FEE_TARGETS];
		} fees;
		struct {
			uint64_t id;
			bool accepted;
			const char *reason;
		} broadcast;
		struct {
			uint64_t call;
			struct command *command;
		} command;
		struct {
			uint64_t call;
		} gone;
		struct {
			uint64_t id;
			const struct fetched *records; /* in the order of the range */
			uint32_t count;
			bool truncated;                /* the range has more than its limit */
		} fetched;
		const struct gossip_answer *gossip; /* gossip/gossip.h */
		struct {
			uint64_t id;
		} computed;
	} u;
};

#endif
