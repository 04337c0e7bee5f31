/* Orders out of the core.
 *
 * A step appends effects to the caller's list; everything they point at lives
 * in the list's arena.  The executor commits every PERSIST of a batch in one
 * transaction and only then releases the others, in order (runtime/exec). */
#ifndef STEP_EFFECT_H
#define STEP_EFFECT_H

#include "base/arena.h"
#include "step/command.h"
#include "step/funds.h"
#include "step/record.h"
#include "step/sign.h"

enum effect_kind {
	EFFECT_PERSIST,
	EFFECT_SIGN,
	EFFECT_FUNDS,
	EFFECT_SEND,
	EFFECT_CONNECT,
	EFFECT_DISCONNECT,
	EFFECT_BROADCAST,
	EFFECT_WATCH,
	EFFECT_NOTIFY,
	EFFECT_REPLY,
	EFFECT_FETCH,
	EFFECT_GOSSIP, /* an order of gossip/ to its edge */
	EFFECT_COMPUTE,
};

/* What the chain source must report: transactions that create `script` or spend `outpoint`. */
struct watch {
	bool remove;
	bool is_outpoint;
	struct bytes script;
	struct outpoint outpoint;
};

enum notify_kind {
	NOTIFY_CONNECTED, NOTIFY_DISCONNECTED, NOTIFY_CHANNEL_STATE, NOTIFY_INVOICE_PAID,
	NOTIFY_PAYMENT_SENT, NOTIFY_PAYMENT_FAILED, NOTIFY_BLOCK, NOTIFY_STOP,
	NOTIFY_HELD, /* somebody may decide: COMMAND_HOLD */
};

struct notify {
	enum notify_kind kind;
	struct pubkey peer;
	struct channel_id channel_id;
	struct sha256 payment_hash;
	struct amount_msat amount;
	uint32_t height;
	const char *text; /* states, reasons */
	const struct held_thing *held; /* HELD */
};

struct gossip_note;
struct route_job;

struct effect {
	struct effect *next;
	enum effect_kind kind;
	union {
		struct {
			enum record_kind kind;
			bool remove;
			struct bytes key, value;
		} persist;
		struct {
			uint64_t id;
			struct sign_request *request;
		} sign;
		struct {
			uint64_t id;
			struct funds_request *request;
		} funds;
		struct {
			uint64_t connection;
			struct bytes message;
		} send;
		struct {
			struct pubkey peer;
			const char *host; /* name or address literal */
			uint16_t port;
		} connect;
		struct {
			uint64_t connection; /* after what was sent before has left */
		} disconnect;
		struct {
			uint64_t id;        /* EVENT_BROADCAST answers with it; 0: no answer wanted */
			struct bytes *txs;  /* parents first: a package */
			uint32_t count;
		} broadcast;
		struct watch watch;
		struct notify notify;
		struct {
			uint64_t call;
			struct reply *reply;
		} reply;
		struct {
			uint64_t id;           /* EVENT_FETCHED answers with it */
			struct record_range range;
		} fetch;
		const struct gossip_note *gossip; /* gossip/gossip.h; in the list's arena */
		struct {
			uint64_t id;           /* EVENT_COMPUTED answers with it */
			struct route_job *job; /* route/job.h; the core's */
		} compute;
	} u;
};

struct effects {
	struct arena arena;
	struct effect *head, **tail;
	uint32_t count;
};

void effects_init(struct effects *e);
void effects_release(struct effects *e);
/* Forgets all effects; their memory is gone. */
void effects_reset(struct effects *e);

/* Each copies what it is given into the list's arena. */
struct effect *effect_add(struct effects *e, enum effect_kind kind);
void effect_persist(struct effects *e, enum record_kind kind, struct bytes key, struct bytes value);
void effect_remove(struct effects *e, enum record_kind kind, struct bytes key);
void effect_send(struct effects *e, uint64_t connection, struct bytes message);
void effect_disconnect(struct effects *e, uint64_t connection);
void effect_connect(struct effects *e, const struct pubkey *peer, const char *host, uint16_t port);
void effect_broadcast(struct effects *e, uint64_t id, const struct bytes *txs, uint32_t count);
void effect_watch_script(struct effects *e, struct bytes script);
void effect_watch_outpoint(struct effects *e, const struct outpoint *o);
void effect_unwatch_outpoint(struct effects *e, const struct outpoint *o);
/* The request must already live in e's arena. */
void effect_sign(struct effects *e, uint64_t id, struct sign_request *request);
void effect_funds(struct effects *e, uint64_t id, struct funds_request *request);
void effect_reply(struct effects *e, uint64_t call, struct reply *reply);
/* Reads stored records that the core does not keep in memory.  Released like a message, so that the answer has what
 * this batch and all before have written (and it may have more).  A question that a crash loses is asked again by
 * who derives it from stored records. */
void effect_fetch(struct effects *e, uint64_t id, enum record_kind kind, struct bytes prefix);
/* The same, for a piece of a kind. */
void effect_fetch_range(struct effects *e, uint64_t id, const struct record_range *range);
/* Work that would hold up a step (route/job.h), to be run by somebody else, in the order of these effects.  It shows
 * nothing to anybody and rests on nothing stored, so it begins at once, as SIGN does.  Whoever runs it borrows the job
 * until EVENT_COMPUTED has come back, or the core is freed. */
void effect_compute(struct effects *e, uint64_t id, struct route_job *job);

#endif
