/* Lightning connections: TCP, BOLT 8, whole messages in and out.
 *
 * What happens comes as events (CONNECTED, CONNECT_FAILED, MESSAGE,
 * DISCONNECTED); what is to be done are the effects CONNECT, SEND and
 * DISCONNECT.  Messages of one connection keep their order in both directions.
 * CONNECTED is followed by exactly one DISCONNECTED or one peers_disconnect.
 *
 * Strangers meet bounds: connections in total, handshakes at a time and their
 * duration, bytes that wait for a reader.  A peer that does not read is first
 * not read from and then dropped.  Loop thread only.
 *
 * Strangers, with whom we have no channel, are read a piece at a time, one after the other, and no faster all together
 * than a rate; others a piece at a time while they gossip.  So whoever pays waits for no more than a piece. */
#ifndef RUNTIME_PEER_PEERS_H
#define RUNTIME_PEER_PEERS_H

#include "runtime/loop/loop.h"
#include "runtime/signer/port.h"
#include "step/event.h"

#define PEERS_ERROR_SIZE 256

struct peers;

struct peers_config {
	struct pubkey node_id;
	uint32_t inbound_max;            /* connections that others opened */
	uint32_t handshakes_max;         /* of these, not authenticated yet: the oldest goes when one more comes */
	uint64_t connect_timeout_ms;     /* each address */
	uint64_t handshake_timeout_ms;
	uint64_t linger_ms;              /* for last words to arrive before a connection is cut */
	size_t unsent_pause;             /* bytes waiting for one peer: no more is read from it */
	size_t unsent_max;               /* ... it is dropped */
	struct signer_port signer;       /* for the handshake's ECDH */
	size_t piece;                    /* bytes of all strangers in a turn of the loop, and of each other that gossips */
	size_t strangers_rate;           /* bytes of all strangers in a millisecond */
	const struct log_sink *log;
	void *context;
	/* Payments come from this peer: it is read as soon as there is something.  NULL: from each. */
	bool (*pays)(void *context, const struct pubkey *peer);
	/* What this one has sent was taken in; false: a stranger is not read from until it was.  NULL: always. */
	bool (*has_room)(void *context, uint64_t connection);
	/* Much waits to be sent once a commit is done: strangers, and those who heard `drained`, would only add to it.  NULL:
	 * never. */
	bool (*busy)(void *context);
	void (*event)(void *context, const struct event *event);
	/* What peers_tell_drained asked for; may be NULL. */
	void (*drained)(void *context, uint64_t connection);
};

void peers_config_default(struct peers_config *c);

/* Copies the configuration. */
MUST_USE struct peers *peers_new(struct loop *loop, const struct peers_config *config);
/* Cuts everything, without events; its memory goes as the loop closes the handles. */
void peers_free(struct peers *p);

/* host: an address literal; port 0: any free one.  Returns the port, or 0 with the reason in error. */
MUST_USE uint16_t peers_listen(struct peers *p, const char *host, uint16_t port, char error[PEERS_ERROR_SIZE]);
void peers_stop_listening(struct peers *p);

/* host: a name or an address literal, IPv6 with or without brackets. */
void peers_connect(struct peers *p, const struct pubkey *peer, const char *host, uint16_t port);
/* Queues; unknown connections are ignored (they are gone, and DISCONNECTED has said so). */
void peers_send(struct peers *p, uint64_t connection, struct bytes message);
/* Once everything that was queued for this connection has left, `drained` is called, once, in a turn of its own. */
void peers_tell_drained(struct peers *p, uint64_t connection);
/* Hangs up after what was queued; no event follows. */
void peers_disconnect(struct peers *p, uint64_t connection);
/* Writes what was queued, one write for each peer. */
void peers_flush(struct peers *p);
/* The core is behind: reads from nobody until it is resumed. */
void peers_pause(struct peers *p, bool pause);

/* Connections of any kind; handshakes included. */
uint32_t peers_count(const struct peers *p);

#endif
