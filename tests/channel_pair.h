/* Two channels wired back to back: each side has its own store, signer and
 * step, and an executor's law in small (runtime/exec): a call, its questions
 * answered, its records committed, and only then its messages put on the wire.
 *
 * The signer is strict: it never signs two commitments of one number, never
 * releases a secret early or after it signed for broadcast, and checks the
 * peer's signatures before it lets a commitment go. */
#ifndef TESTS_CHANNEL_PAIR_H
#define TESTS_CHANNEL_PAIR_H

#include "channel/channel.h"
#include "channel/view.h"
#include "step/event.h"
#include "wire/message.h"

#define PAIR_NOTES_MAX 4096
#define PAIR_SIGNED_MAX 8192

struct pair_message {
	struct pair_message *next;
	uint8_t *data;
	size_t size;
};

struct pair_record {
	struct pair_record *next;
	enum record_kind kind;
	uint8_t *key, *value;
	size_t key_size, value_size;
};

struct pair_question {
	uint64_t id;
	struct sign_request request; /* its pointers live in `memory` */
	struct arena memory;
};

struct pair_note {
	enum channel_note_kind kind;
	uint64_t htlc_id, cookie[2];
	struct sha256 payment_hash;
	struct preimage preimage;
	struct amount_msat amount;
	uint32_t cltv_expiry;
	bool dust_exposed, closing, mutual, has_path_key;
	struct pubkey path_key;
	uint16_t failure_code;
	struct sha256 sha256_of_onion;
	uint8_t reason[64], onion_first;
	size_t reason_size, onion_size;
	uint8_t attribution[ATTRIBUTION_DATA_SIZE];
	size_t attribution_size;
	char text[256];
	uint8_t *tx; /* of BROADCAST; owned */
	size_t tx_size;
	struct amount_sat fund_amount;
	uint8_t script[64]; /* of FUND */
	size_t script_size;
};

struct pair_side {
	struct channel *ch; /* NULL: none yet, or crashed */
	struct channel_policy policy;
	struct step step;
	struct effects out;
	struct drbg entropy;
	struct table asked;
	uint64_t next_ask;
	uint64_t connection;
	uint64_t key;

	struct secp *secp;
	struct secret32 seed;
	struct basepoint_secrets secrets;
	struct basepoints points;
	struct sha256 signed_hash[PAIR_SIGNED_MAX]; /* of remote commitments, by number */
	bool signed_remote[PAIR_SIGNED_MAX];
	uint64_t released;                /* secrets below this number are out */
	bool published;
	bool hold_signatures;             /* answers wait for pair_answer */
	bool refuse;                      /* the signer refuses everything */
	struct pair_question held;
	bool is_held;

	struct pair_record *store, *batch_head, **batch_tail;
	struct pair_message *inbox_head, **inbox_tail;
	struct buf features;

	struct pair_note *notes;
	uint32_t note_count;
	uint32_t errors_sent, warnings_noted, hang_ups, forgotten, failed;
	uint32_t sends, persists;
	bool crashing; /* the batch is lost */
};

struct pair {
	struct pair_side side[2]; /* 0 opens */
	uint32_t height;
	uint64_t now_ms;
	struct outpoint funding;
	struct tx_output funding_output;
	uint8_t funding_script[34];
	struct arena memory;
	uint64_t next_connection;
	struct channel_open_args args; /* of the opener; change before pair_start */
	bool accept_trusts;            /* zeroconf */
	struct bytes accept_upfront;
	const char *why;
	struct bytes attribution;      /* beside what pair_fulfill and pair_fail say */
};

void pair_init(struct pair *p);
void pair_release(struct pair *p);

/* The opener sends open_channel; nothing is delivered yet. */
void pair_start(struct pair *p);
/* Delivers until nothing moves, with a flush after each message. */
void pair_run(struct pair *p);
/* Opens, confirms and exchanges channel_ready. */
void pair_open(struct pair *p);
/* pair_init and pair_open of a plain channel: 1,000,000 sat, 300,000,000 msat pushed. */
void pair_ready(struct pair *p, bool anchors);
/* Mines until the funding is so deep. */
void pair_confirm(struct pair *p, uint32_t depth);
void pair_blocks(struct pair *p, uint32_t count);

/* One message to a side; false if there is none.  Flushes unless told not to. */
bool pair_deliver(struct pair *p, int to);
bool pair_deliver_quiet(struct pair *p, int to);
/* The same, but the process dies before the batch is committed: nothing is stored or sent.  pair_restart follows. */
void pair_deliver_crash(struct pair *p, int to);
/* A message as if the other had sent it. */
void pair_inject(struct pair *p, int to, struct buf *message);
/* The same at once, whatever else is on its way, and without a flush. */
void pair_forge(struct pair *p, int to, struct bytes message);
/* The next message to a side; an empty view if there is none. */
struct bytes pair_peek(const struct pair *p, int to);
uint16_t pair_peek_type(const struct pair *p, int to);
void pair_drop(struct pair *p, int to); /* takes the next one away */
/* Puts another in its place; releases the buffer. */
void pair_replace(struct pair *p, int to, struct buf *message);
uint32_t pair_waiting(const struct pair *p, int to);
/* The next message of that type, decoded views valid until it is delivered; fails the test if there is none. */
struct bytes pair_find(const struct pair *p, int to, uint16_t type);
bool pair_has(const struct pair *p, int to, uint16_t type);

/* The connection. */
void pair_cut(struct pair *p);
void pair_connect(struct pair *p);
/* Loses everything but the store, and loads it again. */
void pair_restart(struct pair *p, int side);

/* A call on one side: begin, call, end (which commits and releases). */
struct step *pair_begin(struct pair *p, int side, struct channel_notes *notes);
void pair_end(struct pair *p, int side, struct channel_notes *notes);
void pair_flush(struct pair *p, int side);
void pair_answer(struct pair *p, int side);

/* Payments; the preimage is 32 times the byte. */
struct preimage pair_preimage(uint8_t byte);
struct sha256 pair_hash(uint8_t byte);
enum offer_result pair_offer(struct pair *p, int side, struct amount_msat amount, uint8_t byte, uint64_t *id);
enum offer_result pair_offer_until(struct pair *p, int side, struct amount_msat amount, uint8_t byte, uint32_t expiry, uint64_t *id);
bool pair_fulfill(struct pair *p, int side, uint64_t id, uint8_t byte);
bool pair_fail(struct pair *p, int side, uint64_t id);
bool pair_shutdown(struct pair *p, int side);

/* Notes since the last pair_forget_notes. */
const struct pair_note *pair_note(const struct pair *p, int side, enum channel_note_kind kind); /* the last one, or NULL */
uint32_t pair_note_count(const struct pair *p, int side, enum channel_note_kind kind);
void pair_forget_notes(struct pair *p);

/* Both sides hold the same view of both commitments; fails the test if not. */
void pair_check_agree(struct pair *p);

#endif
