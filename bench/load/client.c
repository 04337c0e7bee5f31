#include "bench/load/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (64u << 10)
#define ROOM (64u << 10) /* less than this waits: there is room for more */

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(struct client *c, int what, bool write)
{
	struct epoll_event e = { .events = EPOLLIN | (write ? EPOLLOUT : 0u), .data.ptr = c };

	if (epoll_ctl(c->owner->epoll, what, c->fd, &e))
		die("epoll");
}

void client_open(struct client *c, const struct client_owner *owner, uint32_t number)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(owner->port) };
	struct secret32 ephemeral = crowd_key('e', number);
	struct pubkey id;
	int one = 1, unsent = 64 << 10;

	memset(c, 0, sizeof(*c));
	c->owner = owner;
	c->number = number;
	c->secret = crowd_key('p', number);
	pubkey_of(owner->secp, &id, &c->secret);
	if (inet_pton(AF_INET, owner->host, &to.sin_addr) != 1)
		die(owner->host);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* What a flood has on its way is not to take minutes to read afterwards. */
	if (c->fd >= 0)
		setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &unsent, sizeof(unsent));
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(c, EPOLL_CTL_ADD, false);
	ASSERT(noise_init_initiator(&c->noise, owner->secp, &id, &owner->node, &ephemeral, &c->out));
	client_flush(c);
}

void client_close(struct client *c)
{
	close(c->fd);
	noise_release(&c->noise);
	buf_release(&c->out);
	mem_free(c->work);
}

void client_flush(struct client *c)
{
	bool waits;

	while (c->out.size && !c->over) {
		ssize_t n = send(c->fd, c->out.data, c->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			fprintf(stderr, "load: the node hung up on peer %u: %s\n", c->number, strerror(errno));
			c->over = true;
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	waits = c->out.size != 0;
	if (waits != c->waiting && !c->over) {
		c->waiting = waits;
		watch(c, EPOLL_CTL_MOD, waits);
	}
}

void client_send(struct client *c, struct bytes message)
{
	if (c->open && !c->over)
		noise_encrypt(&c->noise, message, &c->out);
}

static void send_init(struct client *c)
{
	/* data_loss_protect, var_onion_optin, option_static_remotekey, payment_secret; gossip_queries */
	uint8_t features[2] = { 0xa2, c->owner->queries ? 0x82 : 0x02 };
	struct msg_init m = { .features = BYTES_OF(features) };
	struct buf raw = BUF_EMPTY;

	msg_init_encode(&m, &raw);
	client_send(c, buf_view(&raw));
	buf_release(&raw);
}

static void pong(struct client *c, struct bytes message)
{
	static const uint8_t zeros[65536];
	struct buf raw = BUF_EMPTY;
	struct msg_pong m;
	struct msg_ping ping;
	struct arena a;

	arena_init(&a);
	if (msg_ping_decode(message, &a, &ping) == DECODE_OK && ping.num_pong_bytes < 65532) {
		m.ignored = BYTES(zeros, ping.num_pong_bytes);
		msg_pong_encode(&m, &raw);
		client_send(c, buf_view(&raw));
	}
	arena_release(&a);
	buf_release(&raw);
}

static void take(struct client *c, struct bytes message)
{
	uint16_t type;

	if (!msg_type(message, &type))
		return;
	switch (type) {
	case MSG_INIT:
		c->owner->ready(c);
		return;
	case MSG_PING:
		pong(c, message);
		return;
	case MSG_WARNING:
	case MSG_ERROR:
		fprintf(stderr, "load: the node says to peer %u: %.*s\n", c->number, (int)message.size - 36, (const char *)message.data + 36);
		return;
	case MSG_CHANNEL_ANNOUNCEMENT:
	case MSG_CHANNEL_UPDATE:
	case MSG_NODE_ANNOUNCEMENT:
		c->received += message.size;
		c->messages++;
	}
	c->owner->message(c, type, message);
}

static void take_bytes(struct client *c, struct bytes in)
{
	struct bytes message;
	struct secret32 shared;

	for (;;) {
		switch (noise_input(&c->noise, &in, &message)) {
		case NOISE_MORE:
			return;
		case NOISE_NEED_ECDH:
			ASSERT(ecdh(c->owner->secp, &shared, &c->noise.ecdh_point, &c->secret));
			if (noise_ecdh_answer(&c->noise, &shared, &c->out) != NOISE_READY)
				return;
			c->open = true;
			send_init(c);
			break;
		case NOISE_READY:
			break;
		case NOISE_MESSAGE:
			take(c, message);
			break;
		case NOISE_FAIL:
			fprintf(stderr, "load: peer %u: %s\n", c->number, noise_fault_name(c->noise.fault));
			exit(1);
		}
	}
}

void client_event(struct client *c, uint32_t events)
{
	static uint8_t chunk[READ_SIZE];

	if (c->over)
		return;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			fprintf(stderr, "load: the node hung up on peer %u\n", c->number);
			c->over = true;
			epoll_ctl(c->owner->epoll, EPOLL_CTL_DEL, c->fd, NULL);
			return;
		}
		if (n > 0)
			take_bytes(c, BYTES(chunk, (size_t)n));
	}
	if (c->owner->room && c->out.size < ROOM)
		c->owner->room(c);
	client_flush(c);
}
