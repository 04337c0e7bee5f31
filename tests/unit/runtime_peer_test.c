/* Two ends of real sockets on one loop. */
#include "runtime/peer/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "crypto/keys.h"
#include "tests/test.h"

#define LOG_MAX 4096

struct end {
	struct peers *peers;
	struct secp *secp;
	struct secret32 key;
	struct pubkey id;
	struct world *world;
	/* What happened. */
	uint32_t connected, failed, disconnected, messages, out_of_order;
	uint64_t connection, bytes;
	struct pubkey other;
	bool outbound;
	uint16_t other_port;
	char text[256]; /* the last reason or message */
	/* How it behaves. */
	bool sign_later, refuse, echo;
	signer_done *held_done;
	void *held_owner;
	uint64_t held_id;
	struct pubkey held_point;
	bool no_flush;
	bool strangers, full; /* it has no channel with anybody; it has not taken in what came */
};

struct world {
	struct loop *loop;
	struct end a, b;
	uint64_t until_ms;
};

static void answer(struct end *e, const struct pubkey *point, signer_done *done, void *owner, uint64_t id)
{
	struct sign_answer reply = { .refused = e->refuse };

	CHECK(e->refuse || ecdh(e->secp, &reply.secret, point, &e->key));
	done(owner, id, &reply);
}

static void sign(void *context, const struct sign_request *request, signer_done *done, void *owner, uint64_t id)
{
	struct end *e = context;

	CHECK_EQ(request->kind, SIGN_ECDH);
	if (!e->sign_later) {
		answer(e, &request->u.point, done, owner, id);
		return;
	}
	e->held_done = done;
	e->held_owner = owner;
	e->held_id = id;
	e->held_point = request->u.point;
}

static void on_event(void *context, const struct event *event)
{
	struct end *e = context;

	switch ((int)event->kind) {
	case EVENT_CONNECTED:
		e->connected++;
		e->connection = event->u.connected.connection;
		e->other = event->u.connected.peer;
		e->outbound = event->u.connected.outbound;
		e->other_port = event->u.connected.port;
		CHECK(strcmp(event->u.connected.host, "127.0.0.1") == 0 || strcmp(event->u.connected.host, "::1") == 0);
		break;
	case EVENT_CONNECT_FAILED:
		e->failed++;
		snprintf(e->text, sizeof(e->text), "%s", event->u.connect_failed.reason);
		break;
	case EVENT_DISCONNECTED:
		CHECK_EQ(event->u.disconnected.connection, e->connection);
		e->disconnected++;
		snprintf(e->text, sizeof(e->text), "%s", event->u.disconnected.reason);
		break;
	case EVENT_MESSAGE:
		CHECK_EQ(event->u.message.connection, e->connection);
		if (event->u.message.message.size >= 4 && load_be32(event->u.message.message.data) != e->messages)
			e->out_of_order++;
		e->messages++;
		e->bytes += event->u.message.message.size;
		if (e->echo)
			peers_send(e->peers, e->connection, event->u.message.message);
		break;
	default:
		CHECK(false);
	}
}

static void turn(void *context, uint64_t now_ms)
{
	struct world *w = context;

	(void)now_ms;
	if (w->a.peers && !w->a.no_flush)
		peers_flush(w->a.peers);
	if (w->b.peers && !w->b.no_flush)
		peers_flush(w->b.peers);
}

static uint64_t deadline(void *context)
{
	return ((struct world *)context)->until_ms;
}

static void tick(void *context, uint64_t now_ms)
{
	struct world *w = context;

	(void)now_ms;
	w->until_ms = UINT64_MAX;
	loop_stop(w->loop);
}

static bool pays(void *context, const struct pubkey *peer)
{
	(void)peer;
	return !((struct end *)context)->strangers;
}

static bool has_room(void *context, uint64_t connection)
{
	(void)connection;
	return !((struct end *)context)->full;
}

static void end_open(struct world *w, struct end *e, const struct peers_config *limits)
{
	struct peers_config c = *limits;

	e->world = w;
	CHECK(getrandom(e->key.v, 32, 0) == 32);
	e->secp = secp_new(e->key.v);
	pubkey_of(e->secp, &e->id, &e->key);
	c.node_id = e->id;
	c.signer.context = e;
	c.signer.request = sign;
	c.context = e;
	c.event = on_event;
	c.pays = pays;
	c.has_room = has_room;
	e->peers = peers_new(w->loop, &c);
}

static void world_open(struct world *w, const struct peers_config *limits)
{
	struct loop_client client = { .context = w, .turn = turn, .deadline = deadline, .tick = tick };

	memset(w, 0, sizeof(*w));
	w->until_ms = UINT64_MAX;
	w->loop = loop_new(&client);
	end_open(w, &w->a, limits);
	end_open(w, &w->b, limits);
}

static void world_close(struct world *w)
{
	struct peers *a = w->a.peers, *b = w->b.peers;

	w->a.peers = w->b.peers = NULL;
	peers_free(a);
	if (b)
		peers_free(b);
	loop_free(w->loop);
	secp_free(w->a.secp);
	secp_free(w->b.secp);
}

static bool run_once(struct world *w)
{
	uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
	return true;
}

/* Turns the loop until the condition holds, at most ten seconds. */
#define RUN_UNTIL(w, condition) \
	do { \
		uint64_t give_up = loop_now_ms((w)->loop) + 10000; \
		while (!(condition) && loop_now_ms((w)->loop) < give_up) { \
			run_once(w); \
			usleep(200); \
		} \
		CHECK(condition); \
	} while (0)

static struct peers_config defaults(void)
{
	struct peers_config c;

	peers_config_default(&c);
	return c;
}

static void join(struct world *w, const char *bind, const char *host)
{
	char error[PEERS_ERROR_SIZE];
	uint16_t port = peers_listen(w->b.peers, bind, 0, error);

	CHECK(port);
	peers_connect(w->a.peers, &w->b.id, host, port);
	RUN_UNTIL(w, w->a.connected && w->b.connected);
	CHECK(SAME(w->a.other, w->b.id));
	CHECK(SAME(w->b.other, w->a.id));
	CHECK(w->a.outbound && !w->b.outbound);
	CHECK_EQ(w->a.other_port, port);
}

static void send_numbered(struct end *e, uint32_t first, uint32_t count, size_t size)
{
	uint8_t *message = test_alloc(size);

	for (uint32_t i = first; i < first + count; i++) {
		store_be32(message, i);
		peers_send(e->peers, e->connection, BYTES(message, size));
	}
}

TEST(messages_keep_their_order_both_ways)
{
	struct peers_config c = defaults();
	struct world w;

	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	w.b.echo = true;
	send_numbered(&w.a, 0, 2000, 200);
	send_numbered(&w.a, 2000, 20, 65535);
	RUN_UNTIL(&w, w.a.messages == 2020);
	CHECK_EQ(w.b.messages, 2020);
	CHECK_EQ(w.a.out_of_order + w.b.out_of_order, 0);
	CHECK_EQ(w.a.bytes, 2000 * 200 + 20 * 65535);
	world_close(&w);
}

TEST(ipv6_literals_and_names_are_dialled)
{
	struct peers_config c = defaults();
	struct world w;
	char error[PEERS_ERROR_SIZE];

	world_open(&w, &c);
	if (!peers_listen(w.b.peers, "::1", 0, error)) {
		world_close(&w);
		test_skip("no IPv6 here");
	}
	join(&w, "::1", "[::1]");
	world_close(&w);
	/* A name whose first address may not answer. */
	world_open(&w, &c);
	join(&w, "127.0.0.1", "localhost");
	world_close(&w);
}

TEST(failures_to_connect_are_told_once)
{
	struct peers_config c = defaults();
	struct world w;
	char error[PEERS_ERROR_SIZE];
	uint16_t port;

	world_open(&w, &c);
	port = peers_listen(w.b.peers, "127.0.0.1", 0, error);
	CHECK(port);
	peers_stop_listening(w.b.peers);
	run_once(&w);
	peers_connect(w.a.peers, &w.b.id, "127.0.0.1", port);
	RUN_UNTIL(&w, w.a.failed == 1);
	CHECK(strstr(w.a.text, "refused"));
	peers_connect(w.a.peers, &w.b.id, "no such name.invalid", 9735);
	RUN_UNTIL(&w, w.a.failed == 2);
	CHECK_EQ(w.a.connected, 0);
	CHECK_EQ(peers_count(w.a.peers), 0);
	world_close(&w);
}

TEST(the_wrong_key_fails_the_handshake)
{
	struct peers_config c = defaults();
	struct world w;
	char error[PEERS_ERROR_SIZE];
	uint16_t port;

	world_open(&w, &c);
	port = peers_listen(w.b.peers, "127.0.0.1", 0, error);
	peers_connect(w.a.peers, &w.a.id, "127.0.0.1", port); /* a's id, but it is b who answers */
	RUN_UNTIL(&w, w.a.failed == 1);
	CHECK_EQ(w.b.connected + w.a.connected, 0);
	RUN_UNTIL(&w, peers_count(w.b.peers) == 0);
	world_close(&w);
}

TEST(the_signer_may_take_its_time_or_refuse)
{
	struct peers_config c = defaults();
	struct world w;
	char error[PEERS_ERROR_SIZE];
	uint16_t port;

	world_open(&w, &c);
	w.a.sign_later = w.b.sign_later = true;
	port = peers_listen(w.b.peers, "127.0.0.1", 0, error);
	peers_connect(w.a.peers, &w.b.id, "127.0.0.1", port);
	RUN_UNTIL(&w, w.b.held_done);
	answer(&w.b, &w.b.held_point, w.b.held_done, w.b.held_owner, w.b.held_id);
	RUN_UNTIL(&w, w.a.held_done);
	CHECK(!w.a.connected);
	answer(&w.a, &w.a.held_point, w.a.held_done, w.a.held_owner, w.a.held_id);
	RUN_UNTIL(&w, w.a.connected && w.b.connected);
	/* An answer that comes twice, or too late, changes nothing. */
	answer(&w.a, &w.a.held_point, w.a.held_done, w.a.held_owner, w.a.held_id);
	send_numbered(&w.a, 0, 1, 4);
	RUN_UNTIL(&w, w.b.messages == 1);
	w.b.sign_later = false;
	w.b.refuse = true;
	peers_connect(w.a.peers, &w.b.id, "127.0.0.1", port);
	RUN_UNTIL(&w, w.a.failed == 1);
	CHECK_EQ(w.b.connected, 1);
	world_close(&w);
}

TEST(last_words_arrive_before_the_end)
{
	struct peers_config c = defaults();
	struct world w;

	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	/* Unread bytes at the one who closes must not reset what it has sent. */
	peers_pause(w.b.peers, true);
	send_numbered(&w.a, 0, 100, 1000);
	run_once(&w);
	send_numbered(&w.b, 0, 50, 60000);
	peers_disconnect(w.b.peers, w.b.connection);
	RUN_UNTIL(&w, w.a.disconnected == 1);
	CHECK_EQ(w.a.messages, 50);
	CHECK_EQ(w.b.disconnected, 0); /* it knows: it was its own order */
	RUN_UNTIL(&w, peers_count(w.a.peers) + peers_count(w.b.peers) == 0);
	/* Orders to a connection that is gone do nothing. */
	peers_send(w.b.peers, w.b.connection, BYTES("x", 1));
	peers_disconnect(w.b.peers, w.b.connection);
	run_once(&w);
	world_close(&w);
}

TEST(a_peer_that_goes_is_told_once)
{
	struct peers_config c = defaults();
	struct world w;

	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	peers_free(w.b.peers);
	w.b.peers = NULL;
	RUN_UNTIL(&w, w.a.disconnected == 1);
	CHECK_EQ(peers_count(w.a.peers), 0);
	world_close(&w);
}

TEST(who_does_not_read_is_not_read_and_then_dropped)
{
	struct peers_config c = defaults();
	struct world w;

	c.unsent_pause = 100000;
	c.unsent_max = 1000000;
	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	peers_pause(w.a.peers, true); /* a stops reading */
	for (uint32_t i = 0; i < 400 && !w.b.disconnected; i++) {
		send_numbered(&w.b, i, 1, 60000);
		run_once(&w);
	}
	CHECK_EQ(w.b.disconnected, 1);
	CHECK(strstr(w.b.text, "does not read"));
	world_close(&w);
}

TEST(a_paused_node_reads_later)
{
	struct peers_config c = defaults();
	struct world w;

	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	peers_pause(w.b.peers, true);
	send_numbered(&w.a, 0, 10, 100);
	for (int i = 0; i < 50; i++) {
		run_once(&w);
		usleep(200);
	}
	CHECK_EQ(w.b.messages, 0);
	peers_pause(w.b.peers, false);
	RUN_UNTIL(&w, w.b.messages == 10);
	world_close(&w);
}

/* Turns until b has that many messages; the most bytes that one of them brought. */
static uint64_t most_in_a_turn(struct world *w, uint32_t messages)
{
	uint64_t most = 0, give_up = loop_now_ms(w->loop) + 10000;

	while (w->b.messages < messages && loop_now_ms(w->loop) < give_up) {
		uint64_t before = w->b.bytes;

		run_once(w);
		if (w->b.bytes - before > most)
			most = w->b.bytes - before;
	}
	CHECK_EQ(w->b.messages, messages);
	return most;
}

/* However much they send, whoever pays waits for no more than a piece. */
TEST(strangers_are_read_a_piece_in_a_turn)
{
	struct peers_config c = defaults();
	struct world w;

	c.strangers_rate = 1 << 20;
	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	send_numbered(&w.a, 0, 2000, 200);
	CHECK(most_in_a_turn(&w, 2000) > 10 * c.piece);
	w.b.strangers = true;
	send_numbered(&w.a, 2000, 2000, 200);
	CHECK(most_in_a_turn(&w, 4000) <= c.piece);
	CHECK_EQ(w.b.out_of_order, 0);
	world_close(&w);
}

TEST(strangers_are_read_no_faster_than_a_rate)
{
	struct peers_config c = defaults();
	struct world w;
	uint64_t began;

	c.strangers_rate = 100;
	world_open(&w, &c);
	w.b.strangers = true;
	join(&w, "127.0.0.1", "127.0.0.1");
	began = loop_now_ms(w.loop);
	send_numbered(&w.a, 0, 200, 100);
	RUN_UNTIL(&w, w.b.messages == 200);
	/* 20,000 bytes at 100 in a millisecond, less what was saved up. */
	CHECK(loop_now_ms(w.loop) - began >= 150);
	world_close(&w);
}

TEST(strangers_wait_until_what_they_sent_was_taken_in)
{
	struct peers_config c = defaults();
	struct world w;

	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	w.b.strangers = w.b.full = true;
	send_numbered(&w.a, 0, 500, 200);
	for (int i = 0; i < 100; i++) {
		run_once(&w);
		usleep(200);
	}
	CHECK(w.b.bytes <= c.piece);
	w.b.full = false;
	RUN_UNTIL(&w, w.b.messages == 500);
	/* Who pays does not wait for that. */
	w.b.strangers = false;
	w.b.full = true;
	send_numbered(&w.a, 500, 500, 200);
	RUN_UNTIL(&w, w.b.messages == 1000);
	CHECK_EQ(w.b.out_of_order, 0);
	world_close(&w);
}

TEST(gossip_of_who_pays_is_read_a_piece_in_a_turn)
{
	struct peers_config c = defaults();
	struct world w;
	uint64_t most;

	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	send_numbered(&w.a, 0x01020000, 1, 200); /* channel_update's type */
	RUN_UNTIL(&w, w.b.messages == 1);
	send_numbered(&w.a, 0x01020001, 2000, 200);
	most = most_in_a_turn(&w, 2001);
	CHECK(most <= c.piece);
	world_close(&w);
}

/* ---- Strangers ---- */

static int raw_connect(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	CHECK(fd >= 0);
	CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
	return fd;
}

static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

TEST(silent_strangers_are_bounded_in_number_and_time)
{
	struct peers_config c = defaults();
	struct world w;
	char error[PEERS_ERROR_SIZE];
	uint16_t port;
	int fds[5];

	c.handshakes_max = 4;
	c.handshake_timeout_ms = 300;
	world_open(&w, &c);
	port = peers_listen(w.b.peers, "127.0.0.1", 0, error);
	for (int i = 0; i < 5; i++) {
		fds[i] = raw_connect(port);
		RUN_UNTIL(&w, peers_count(w.b.peers) == (i < 4 ? (uint32_t)i + 1 : 4));
	}
	RUN_UNTIL(&w, is_closed(fds[0])); /* the oldest made room */
	CHECK(!is_closed(fds[4]));
	RUN_UNTIL(&w, peers_count(w.b.peers) == 0);
	for (int i = 0; i < 5; i++) {
		RUN_UNTIL(&w, is_closed(fds[i]));
		close(fds[i]);
	}
	CHECK_EQ(w.b.connected + w.b.disconnected, 0);
	world_close(&w);
}

TEST(noise_from_strangers_is_hung_up_on)
{
	struct peers_config c = defaults();
	struct world w;
	char error[PEERS_ERROR_SIZE], junk[60];
	uint16_t port;
	int fd;

	memset(junk, 'G', sizeof(junk));
	world_open(&w, &c);
	port = peers_listen(w.b.peers, "127.0.0.1", 0, error);
	fd = raw_connect(port);
	RUN_UNTIL(&w, peers_count(w.b.peers) == 1);
	CHECK_EQ(send(fd, junk, sizeof(junk), 0), sizeof(junk));
	RUN_UNTIL(&w, is_closed(fd));
	close(fd);
	world_close(&w);
}

TEST(connections_from_outside_are_bounded)
{
	struct peers_config c = defaults();
	struct world w;
	char error[PEERS_ERROR_SIZE];
	uint16_t port;
	int fd;

	c.inbound_max = 1;
	world_open(&w, &c);
	join(&w, "127.0.0.1", "127.0.0.1");
	port = peers_listen(w.b.peers, "127.0.0.1", 0, error);
	fd = raw_connect(port);
	RUN_UNTIL(&w, is_closed(fd));
	close(fd);
	send_numbered(&w.a, 0, 1, 4); /* who was there first is not disturbed */
	RUN_UNTIL(&w, w.b.messages == 1);
	world_close(&w);
}

TEST(a_port_that_is_taken_is_said_in_words)
{
	struct peers_config c = defaults();
	struct world w;
	char error[PEERS_ERROR_SIZE];
	uint16_t port;

	world_open(&w, &c);
	port = peers_listen(w.b.peers, "127.0.0.1", 0, error);
	CHECK(port);
	CHECK(!peers_listen(w.a.peers, "127.0.0.1", port, error));
	CHECK(strstr(error, "in use"));
	CHECK(!peers_listen(w.a.peers, "not an address", 0, error));
	world_close(&w);
}
