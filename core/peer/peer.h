/* One peer: BOLT 1 over a connection, and the wish to be connected.
 *
 * States of the connection, and what moves it:
 *
 *   PEER_AWAY   --connected-->  PEER_INIT    our init is sent
 *   PEER_INIT   --good init-->  PEER_READY   channels may talk
 *   PEER_INIT   --anything else, 30 s-->     hang up
 *   any         --disconnected--> PEER_AWAY
 *
 * INV-P1  connection != 0 exactly when state != PEER_AWAY.
 * INV-P2  Nothing but init is sent before the peer's init (B1.init.10).
 *
 * A struct peer is owned by node/.  Its functions take the step and write
 * effects; what node/ must do is their return value. */
#ifndef PEER_PEER_H
#define PEER_PEER_H

#include "step/step.h"
#include "wire/features.h"

#define PEER_HOST_MAX 256
#define PEER_INIT_TIMEOUT_MS 30000u
#define PEER_PONG_TIMEOUT_MS 60000u
#define PEER_PINGS_MAX 10u /* answered in one second; more are hung up on */

enum peer_state { PEER_AWAY, PEER_INIT, PEER_READY };

/* What all peers share; borrowed. */
struct peer_policy {
	struct bytes features;         /* of our init: BOLT 9 */
	const struct feature_policy *known; /* what we understand */
	struct block_hash chain;
	uint64_t ping_interval_ms;
	uint64_t reconnect_max_ms;
};

struct peer {
	struct pubkey id;
	enum peer_state state;
	uint64_t connection;
	bool outbound;
	bool heard_init;               /* theirs came, good or bad: they may be told something */
	char host[PEER_HOST_MAX];      /* where it can be reached, or came from */
	uint16_t port;
	bool has_address;              /* host and port can be dialled */
	char dial_host[PEER_HOST_MAX];
	uint16_t dial_port;

	struct buf features;           /* theirs, both fields of init combined */

	uint64_t since_ms;             /* of the state */
	uint64_t heard_ms;             /* the last message */
	uint64_t ping_sent_ms;         /* 0: no pong is owed */
	uint16_t pong_size;            /* that it must have */
	uint64_t ping_window_ms;
	uint32_t ping_count;

	bool keep;                     /* reconnect: it has a channel, or the user asked */
	bool dialing;
	uint32_t attempts;             /* since it was last ready */
	uint64_t dial_at_ms;           /* not before */
};

enum peer_verdict {
	PEER_DONE,     /* dealt with here, or to be ignored */
	PEER_BECAME_READY,
	PEER_PASS,     /* for another machine */
	PEER_ERROR,    /* the peer sent `error` */
	PEER_WARNING,
	PEER_HANG_UP,  /* disconnect it; reason says why */
};

struct peer_result {
	enum peer_verdict verdict;
	uint16_t type;              /* PASS */
	struct channel_id channel;  /* ERROR, WARNING: all zero means every channel */
	const char *text;           /* ERROR, WARNING: printable; HANG_UP: why.  Step lifetime */
};

/* Returns owned. */
MUST_USE struct peer *peer_new(const struct pubkey *id);
void peer_free(struct peer *p);

/* Sends our init. */
void peer_connected(struct peer *p, struct step *s, const struct peer_policy *policy, uint64_t connection,
		    bool outbound, const char *host, uint16_t port);
void peer_disconnected(struct peer *p, struct step *s, const struct peer_policy *policy);
/* Every message of the connection goes through here first. */
struct peer_result peer_message(struct peer *p, struct step *s, const struct peer_policy *policy, struct bytes message);
/* PEER_HANG_UP after a timeout; sends pings. */
struct peer_result peer_tick(struct peer *p, struct step *s, const struct peer_policy *policy);
uint64_t peer_deadline(const struct peer *p, const struct peer_policy *policy);

/* Dials if it is time to; host NULL: the address that we know.  False if there is none. */
MUST_USE bool peer_dial(struct peer *p, struct step *s, const char *host, uint16_t port);
void peer_dial_failed(struct peer *p, struct step *s, const struct peer_policy *policy);

void peer_send_error(struct peer *p, struct step *s, const struct channel_id *channel, const char *text);
void peer_send_warning(struct peer *p, struct step *s, const struct channel_id *channel, const char *text);

/* RECORD_PEER: the address, and whether to reconnect. */
void peer_encode(const struct peer *p, struct buf *out);
MUST_USE struct peer *peer_decode(struct bytes key, struct bytes value);

#endif
