#include "runtime/peer/connection.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "wire/message.h"

static void process(struct connection *c, struct bytes in);
static void write_out(struct connection *c);

/* ---- Life and death ---- */

static void on_timer(uv_timer_t *t)
{
	struct connection *c = t->data;

	if (c->state == CONNECTION_HANDSHAKE)
		connection_drop(c, "the handshake took too long");
	else
		connection_cut(c);
}

struct connection *connection_new(struct peers *p)
{
	struct connection *c = NEW(struct connection);

	c->peers = p;
	c->id = ++p->next_id;
	store_be64(c->key, c->id);
	uv_tcp_init(loop_uv(p->loop), &c->tcp);
	uv_timer_init(loop_uv(p->loop), &c->timer);
	c->tcp.data = c->timer.data = c;
	c->handles = 2;
	p->handles++;
	table_add(&p->connections, c);
	return c;
}

static void on_handle_closed(uv_handle_t *h)
{
	struct connection *c = h->data;
	struct peers *p = c->peers;

	if (--c->handles)
		return;
	/* Not before: a write that was under way read from `sending` until now. */
	buf_wipe(&c->waiting);
	buf_release(&c->out);
	buf_release(&c->sending);
	noise_release(&c->noise);
	mem_free(c);
	peers_unref(p);
}

void connection_cut(struct connection *c)
{
	if (c->state == CONNECTION_CLOSED)
		return;
	peers_forget(c);
	c->state = CONNECTION_CLOSED;
	uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void tell_failed(struct connection *c, const char *reason)
{
	struct event e = { .kind = EVENT_CONNECT_FAILED, .now_ms = loop_now_ms(c->peers->loop) };

	e.u.connect_failed.peer = c->peer;
	e.u.connect_failed.host = c->dialed_host;
	e.u.connect_failed.port = c->dialed_port;
	e.u.connect_failed.reason = reason;
	c->peers->config.event(c->peers->config.context, &e);
}

static void tell_disconnected(struct connection *c, const char *reason)
{
	struct event e = { .kind = EVENT_DISCONNECTED, .now_ms = loop_now_ms(c->peers->loop) };

	e.u.disconnected.connection = c->id;
	e.u.disconnected.reason = reason;
	c->peers->config.event(c->peers->config.context, &e);
}

void connection_drop(struct connection *c, const char *reason)
{
	enum connection_state was = c->state;

	log_write(c->peers->config.log, LOG_DEBUG, "peer", "%s:%u: connection over: %s", c->host, c->port, reason);
	connection_cut(c);
	if (was == CONNECTION_OPEN)
		tell_disconnected(c, reason);
	else if (was == CONNECTION_HANDSHAKE && c->outbound)
		tell_failed(c, reason);
}

/* ---- Reading ---- */

static bool is_stranger(const struct connection *c)
{
	const struct peers_config *config = &c->peers->config;

	return c->state == CONNECTION_HANDSHAKE || (config->pays && !config->pays(config->context, &c->peer));
}

/* How much may be read now; 0: nothing, and what is in the socket waits. */
static size_t share(struct connection *c)
{
	struct peers *p = c->peers;
	size_t size = p->config.piece;

	if (c->state > CONNECTION_OPEN)
		return sizeof(p->chunk);
	if (is_stranger(c)) {
		size = size < p->turn_left ? size : p->turn_left;
		return size < p->rate_left ? size : p->rate_left;
	}
	if (!c->gossips)
		return sizeof(p->chunk);
	if (c->read_turn == p->turn)
		return 0;
	c->read_turn = p->turn;
	return size;
}

static void spend(size_t *left, size_t n)
{
	*left -= n < *left ? n : *left;
}

/* A stranger had its piece, or there was none left for it: others come first now.  It is read no faster than what it says
 * is taken in; otherwise reading it, only to drop it, would be all that the loop does. */
static void after_stranger(struct connection *c, ssize_t n)
{
	struct peers *p = c->peers;

	/* A query or an act of a handshake has more work behind it than bytes: one read of one stranger is a turn's piece. */
	if (n > 0) {
		p->turn_left = 0;
		spend(&p->rate_left, c->state == CONNECTION_HANDSHAKE ? p->config.piece : (size_t)n);
	}
	peers_line_up(c);
	connection_read_or_wait(c);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	struct connection *c = h->data;

	(void)suggested;
	*b = uv_buf_init((char *)c->peers->chunk, (unsigned)share(c));
}

bool connection_next(struct connection *c)
{
	const struct peers_config *config = &c->peers->config;

	if (c->state == CONNECTION_OPEN && config->has_room && !config->has_room(config->context, c->id) && is_stranger(c))
		return false;
	c->in_line = false;
	connection_read_or_wait(c);
	return true;
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct connection *c = s->data;

	if (n == 0)
		return;
	if (n < 0 && n != UV_ENOBUFS) {
		connection_drop(c, n == UV_EOF ? "the peer hung up" : uv_strerror((int)n));
		return;
	}
	if (c->state <= CONNECTION_OPEN && is_stranger(c))
		after_stranger(c, n);
	if (n > 0 && c->state <= CONNECTION_OPEN)
		process(c, BYTES(b->base, (size_t)n));
	/* else: their words after our last ones are read away, so that closing does not reset the connection */
}

void connection_read_or_wait(struct connection *c)
{
	/* INV-K1 */
	bool asking = c->waiting.size || c->noise.state == NOISE_ACT1_ECDH || c->noise.state == NOISE_ACT2_ECDH;
	bool full = c->out.size + c->sending.size > c->peers->config.unsent_pause;
	bool want = c->state != CONNECTION_CLOSED && !asking && (c->state > CONNECTION_OPEN || (!c->peers->paused && !full && !c->in_line));

	if (want == c->reading)
		return;
	c->reading = want;
	if (want)
		uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	else if (c->state != CONNECTION_CLOSED)
		uv_read_stop((uv_stream_t *)&c->tcp);
}

/* ---- The handshake and what follows ---- */

static void ask_ecdh(struct connection *c, struct bytes rest)
{
	struct sign_request r = { .kind = SIGN_ECDH };
	struct peers *p = c->peers;

	buf_add_bytes(&c->waiting, rest);
	ASSERT(noise_need_ecdh(&c->noise, &r.u.point));
	connection_read_or_wait(c);
	/* May be answered before it returns. */
	p->config.signer.request(p->config.signer.context, &r, connection_ecdh_done, p, c->id);
}

static void ready(struct connection *c)
{
	struct event e = { .kind = EVENT_CONNECTED, .now_ms = loop_now_ms(c->peers->loop) };

	uv_timer_stop(&c->timer);
	if (!c->outbound)
		c->peers->handshakes--;
	c->state = CONNECTION_OPEN;
	c->peer = c->noise.remote;
	e.u.connected.connection = c->id;
	e.u.connected.peer = c->peer;
	e.u.connected.outbound = c->outbound;
	e.u.connected.host = c->host;
	e.u.connected.port = c->port;
	c->peers->config.event(c->peers->config.context, &e);
}

static bool is_gossip(struct bytes text)
{
	uint16_t type;

	return msg_type(text, &type) && type >= MSG_CHANNEL_ANNOUNCEMENT && type <= MSG_GOSSIP_TIMESTAMP_FILTER;
}

static void message(struct connection *c, struct bytes text)
{
	struct event e = { .kind = EVENT_MESSAGE, .now_ms = loop_now_ms(c->peers->loop) };

	c->gossips = is_gossip(text);
	e.u.message.connection = c->id;
	e.u.message.message = text;
	c->peers->config.event(c->peers->config.context, &e);
}

static void process(struct connection *c, struct bytes in)
{
	struct bytes text;

	while (c->state == CONNECTION_HANDSHAKE || c->state == CONNECTION_OPEN) {
		switch (noise_input(&c->noise, &in, &text)) {
		case NOISE_MORE:
			return;
		case NOISE_NEED_ECDH:
			ask_ecdh(c, in);
			return;
		case NOISE_READY:
			ready(c);
			break;
		case NOISE_MESSAGE:
			message(c, text);
			break;
		case NOISE_FAIL:
			connection_drop(c, noise_fault_name(c->noise.fault));
			return;
		}
	}
}

static void after_ecdh(struct connection *c, enum noise_event what)
{
	struct buf rest = c->waiting;

	buf_init(&c->waiting);
	switch (what) {
	case NOISE_READY:
		ready(c);
		break;
	case NOISE_MORE:
		break;
	case NOISE_FAIL:
		connection_drop(c, noise_fault_name(c->noise.fault));
		break;
	case NOISE_NEED_ECDH:
	case NOISE_MESSAGE:
		UNREACHABLE();
	}
	if (c->state <= CONNECTION_OPEN) {
		write_out(c);
		process(c, buf_view(&rest));
		connection_read_or_wait(c);
	}
	buf_release(&rest);
}

void connection_ecdh_done(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct peers *p = owner;
	struct connection *c;
	uint8_t key[8];

	store_be64(key, id);
	c = table_get(&p->connections, BYTES_OF(key));
	if (!c || c->state != CONNECTION_HANDSHAKE)
		return; /* gone meanwhile */
	after_ecdh(c, noise_ecdh_answer(&c->noise, answer->refused ? NULL : &answer->secret, &c->out));
}

static void name_other_end(struct connection *c)
{
	struct sockaddr_storage a;
	int size = sizeof(a);

	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&a, &size))
		return;
	if (a.ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a;

		uv_ip6_name(v6, c->host, sizeof(c->host));
		c->port = ntohs(v6->sin6_port);
		/* An IPv4 peer at a socket for both. */
		if (strncmp(c->host, "::ffff:", 7) == 0 && strchr(c->host, '.'))
			memmove(c->host, c->host + 7, strlen(c->host + 7) + 1);
	} else {
		uv_ip4_name((const struct sockaddr_in *)&a, c->host, sizeof(c->host));
		c->port = ntohs(((const struct sockaddr_in *)&a)->sin_port);
	}
}

static bool begin_noise(struct connection *c)
{
	const struct peers *p = c->peers;
	struct secret32 ephemeral;
	bool ok;

	/* A fresh key for each connection: B8.handshake_state.1 */
	do {
		ASSERT(getrandom(ephemeral.v, sizeof(ephemeral.v), 0) == sizeof(ephemeral.v));
	} while (!seckey_valid(&ephemeral));
	ok = c->outbound ? noise_init_initiator(&c->noise, p->secp, &p->config.node_id, &c->peer, &ephemeral, &c->out)
			 : noise_init_responder(&c->noise, p->secp, &p->config.node_id, &ephemeral);
	mem_wipe(&ephemeral, sizeof(ephemeral));
	return ok;
}

void connection_start(struct connection *c)
{
	uv_tcp_nodelay(&c->tcp, 1);
	uv_tcp_keepalive(&c->tcp, 1, 60);
	name_other_end(c);
	uv_timer_start(&c->timer, on_timer, c->peers->config.handshake_timeout_ms, 0);
	if (!begin_noise(c)) {
		connection_drop(c, noise_fault_name(c->noise.fault));
		return;
	}
	write_out(c);
	connection_read_or_wait(c);
}

/* ---- Writing ---- */

static void on_shutdown(uv_shutdown_t *r, int status)
{
	struct connection *c = r->data;

	if (status && c->state != CONNECTION_CLOSED)
		connection_cut(c);
}

/* Everything is sent and the peer shall see it: our FIN now, the end when theirs comes. */
static void last_words_sent(struct connection *c)
{
	c->state = CONNECTION_LINGER;
	c->shutdown.data = c;
	if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown))
		connection_cut(c);
}

/* A thousand peers that were sent much once must not keep the room for it. */
#define ROOM_KEPT 4096

static void empty(struct buf *b)
{
	if (b->capacity > ROOM_KEPT)
		buf_release(b);
	else
		buf_clear(b);
}

static void on_written(uv_write_t *w, int status)
{
	struct connection *c = w->data;

	if (c->state == CONNECTION_CLOSED)
		return;
	empty(&c->sending);
	if (status < 0) {
		connection_drop(c, uv_strerror(status));
		return;
	}
	write_out(c);
	connection_read_or_wait(c);
}

/* What the socket takes at once needs no request. */
static bool write_now(struct connection *c)
{
	uv_buf_t b = uv_buf_init((char *)c->out.data, (unsigned)c->out.size);
	int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);

	if (n == UV_EAGAIN)
		return true;
	if (n < 0) {
		connection_drop(c, uv_strerror(n));
		return false;
	}
	buf_consume(&c->out, (size_t)n);
	return true;
}

static void write_later(struct connection *c)
{
	struct buf empty = c->sending;
	uv_buf_t b;

	c->sending = c->out;
	c->out = empty;
	b = uv_buf_init((char *)c->sending.data, (unsigned)c->sending.size);
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written))
		connection_drop(c, "the socket takes nothing");
}

static void write_out(struct connection *c)
{
	if (c->state >= CONNECTION_LINGER || c->sending.size) /* INV-K2 */
		return;
	if (c->out.size && !write_now(c))
		return;
	if (!c->out.size)
		empty(&c->out);
	if (!c->out.size && c->tell_drained) {
		c->tell_drained = false;
		peers_drained(c);
	}
	if (c->out.size)
		write_later(c);
	else if (c->state == CONNECTION_LAST_WORDS)
		last_words_sent(c);
}

void connection_send(struct connection *c, struct bytes text)
{
	if (c->state != CONNECTION_OPEN)
		return;
	noise_encrypt(&c->noise, text, &c->out);
}

void connection_flush(struct connection *c)
{
	write_out(c);
	if (c->state == CONNECTION_OPEN && c->out.size + c->sending.size > c->peers->config.unsent_max) { /* INV-K3 */
		connection_drop(c, "the peer does not read what we send");
		return;
	}
	connection_read_or_wait(c);
}

void connection_hang_up(struct connection *c)
{
	if (c->state != CONNECTION_OPEN)
		return;
	c->state = CONNECTION_LAST_WORDS;
	uv_timer_start(&c->timer, on_timer, c->peers->config.linger_ms, 0);
	write_out(c);
	connection_read_or_wait(c);
}
