/* One peer of a node, of many in this process: BOLT 8 over a socket that never blocks, init, pong. */
#ifndef BENCH_LOAD_CLIENT_H
#define BENCH_LOAD_CLIENT_H

#include "bench/load/crowd.h"
#include "noise/noise.h"

struct client;

struct client_owner {
	const struct secp *secp;
	struct pubkey node;      /* whom it calls */
	const char *host;        /* an IPv4 literal */
	uint16_t port;
	int epoll;               /* its sockets are added to this; event.data.ptr is the client */
	bool queries;            /* offers gossip_queries */
	void (*ready)(struct client *c); /* init was exchanged */
	void (*message)(struct client *c, uint16_t type, struct bytes message);
	/* The socket takes more, and little waits for it; may be NULL. */
	void (*room)(struct client *c);
};

struct client {
	const struct client_owner *owner;
	int fd;
	uint32_t number;
	struct noise noise;
	struct secret32 secret;
	struct buf out;
	bool waiting;            /* for the socket to take more */
	bool open, over;
	uint64_t received, messages; /* bytes of gossip, and how many */
	/* The program's own. */
	uint32_t at;
	void *work;
};

/* Connects, and begins the handshake.  Ends the program where that fails. */
void client_open(struct client *c, const struct client_owner *owner, uint32_t number);
void client_close(struct client *c);
/* What epoll said. */
void client_event(struct client *c, uint32_t events);
void client_send(struct client *c, struct bytes message);
void client_flush(struct client *c);

#endif
