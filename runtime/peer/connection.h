/* Inside runtime/peer: one TCP connection and its BOLT 8 machine.
 *
 *	HANDSHAKE --READY--> OPEN --hang up--> LAST_WORDS --sent--> LINGER --their FIN, time--> CLOSED
 *	any --error, EOF, timeout--> CLOSED
 *
 * INV-K1 what is read is given to noise at once; only while the signer is asked do bytes wait in `waiting`,
 *       and then nothing more is read
 * INV-K2 at most one write is under way; what comes meanwhile collects in `out`
 * INV-K3 `out` and `sending` together stay below unsent_max plus one message */
#ifndef RUNTIME_PEER_CONNECTION_H
#define RUNTIME_PEER_CONNECTION_H

#include "base/table.h"
#include "noise/noise.h"
#include "runtime/peer/peers.h"

enum connection_state {
	CONNECTION_HANDSHAKE,
	CONNECTION_OPEN,
	CONNECTION_LAST_WORDS,
	CONNECTION_LINGER,
	CONNECTION_CLOSED,
};

struct connection {
	struct peers *peers;
	uint8_t key[8]; /* id, big endian */
	uint64_t id;
	enum connection_state state;
	bool outbound;
	bool reading;
	bool queued; /* in peers->unflushed */
	bool tell_drained; /* somebody wants to know when all is sent ... */
	bool drained;      /* ... and it is: in peers->drained */
	struct connection *drained_next;
	bool gossips;      /* its last message was gossip */
	bool in_line;      /* a stranger: in peers->line, and not read until its turn comes */
	struct connection *line_next;
	uint64_t read_turn; /* in which it was last read, if it gossips */
	struct connection *unflushed_next;
	struct pubkey peer; /* outbound: who it must be; inbound: known when OPEN */
	char host[64];      /* the other end's literal */
	uint16_t port;
	char dialed_host[256];
	uint16_t dialed_port;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uint32_t handles; /* open ones; 0: free it */
	struct noise noise;
	struct buf waiting; /* bytes read, not consumed: while the signer is asked */
	struct buf out, sending;
	uv_write_t write;
	uv_shutdown_t shutdown;
};

struct dial;

struct peers {
	struct peers_config config;
	struct loop *loop;
	struct secp *secp;
	struct table connections; /* by id */
	struct connection *unflushed, **unflushed_tail;
	struct connection *drained, **drained_tail;
	struct listener *listeners;
	struct dial *dials;
	uint64_t next_id;
	uint32_t inbound, handshakes; /* handshakes: of inbound ones */
	uint32_t handles; /* things whose closing is waited for */
	struct loop_wake *drained_wake;
	uv_prepare_t prepare;      /* before each turn of the loop */
	uv_timer_t line_timer;     /* while somebody is in line */
	uint64_t turn;
	struct connection *line, **line_tail; /* strangers who had a piece, or came when there was none left */
	size_t turn_left, rate_left; /* bytes of strangers that may be read: in this turn, by the rate */
	uint64_t rate_ms;            /* when that was last filled up */
	bool paused, closing;
	uint8_t chunk[65536]; /* what is being read; used within one callback */
};

/* A connection whose tcp handle is initialised but not connected. */
struct connection *connection_new(struct peers *p);
/* Begins the handshake on a connected socket.  For outbound ones c->peer and c->dialed_* are set. */
void connection_start(struct connection *c);
/* At once, with its event. */
void connection_drop(struct connection *c, const char *reason);
/* At once, without any event. */
void connection_cut(struct connection *c);
void connection_send(struct connection *c, struct bytes message);
void connection_flush(struct connection *c);
void connection_hang_up(struct connection *c);
/* A stranger's turn has come.  False: what it sent has yet to be taken in. */
MUST_USE bool connection_next(struct connection *c);
/* Reads or not, as the pause and the connection's own queue have it. */
void connection_read_or_wait(struct connection *c);

/* The signer's answer for the connection with this id; owner: peers. */
signer_done connection_ecdh_done;

/* From dial.c: cancels all; peers.c: one thing fewer to wait for. */
void dials_cancel(struct peers *p);
void peers_unref(struct peers *p);
/* The connection is no longer in the table. */
void peers_forget(struct connection *c);
/* A stranger waits for its turn to be read. */
void peers_line_up(struct connection *c);
/* All was sent, and somebody wants to know. */
void peers_drained(struct connection *c);

#endif
