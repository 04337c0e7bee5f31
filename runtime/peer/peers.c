#include "runtime/peer/peers.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/peer/connection.h"

#define BACKLOG 128

struct listener {
	struct listener *next;
	struct peers *peers;
	uv_tcp_t tcp;
};

void peers_config_default(struct peers_config *c)
{
	memset(c, 0, sizeof(*c));
	c->inbound_max = 1024;
	c->handshakes_max = 128;
	c->connect_timeout_ms = 10000;
	c->handshake_timeout_ms = 10000;
	c->linger_ms = 2000;
	c->unsent_pause = 1u << 20;
	c->unsent_max = 16u << 20;
	c->piece = 4096;
	c->strangers_rate = 4096;
}

static struct bytes connection_key(const void *p)
{
	return BYTES_OF(((const struct connection *)p)->key);
}

static bool is_busy(const struct peers *p)
{
	return p->config.busy && p->config.busy(p->config.context);
}

void peers_drained(struct connection *c)
{
	struct peers *p = c->peers;

	if (c->drained)
		return;
	c->drained = true;
	c->drained_next = NULL;
	*p->drained_tail = c;
	p->drained_tail = &c->drained_next;
	loop_wake_ring(p->drained_wake);
}

static void leave_drained(struct connection *c)
{
	struct connection **at = &c->peers->drained;

	if (!c->drained)
		return;
	while (*at != c)
		at = &(*at)->drained_next;
	*at = c->drained_next;
	if (!*at)
		c->peers->drained_tail = at;
	c->drained = false;
}

/* In a turn of its own for each: whoever hears of it will send more, and others must have their chance between. */
static void tell_drained(void *context)
{
	struct peers *p = context;
	struct connection *c = p->drained;

	if (!c || is_busy(p)) /* on_prepare comes back to it */
		return;
	leave_drained(c);
	if (p->drained)
		loop_wake_ring(p->drained_wake);
	if (c->state == CONNECTION_OPEN && p->config.drained)
		p->config.drained(p->config.context, c->id);
}

/* ---- Strangers, one after the other ---- */

#define LINE_MS 2          /* nothing else happens: time to look at the line again */
#define RATE_SAVED_MS 16   /* what was not used adds up to this much */
#define LINE_STEP 4        /* of these let through in a turn, only those are read who have sent something */

void peers_line_up(struct connection *c)
{
	struct peers *p = c->peers;

	if (c->in_line || c->state > CONNECTION_OPEN)
		return;
	c->in_line = true;
	c->line_next = NULL;
	*p->line_tail = c;
	p->line_tail = &c->line_next;
}

static struct connection *leave_line(struct peers *p)
{
	struct connection *c = p->line;

	p->line = c->line_next;
	if (!p->line)
		p->line_tail = &p->line;
	return c;
}

/* From anywhere in it. */
static void drop_from_line(struct connection *c)
{
	struct connection **at = &c->peers->line;

	if (!c->in_line)
		return;
	while (*at != c)
		at = &(*at)->line_next;
	*at = c->line_next;
	if (!*at)
		c->peers->line_tail = at;
	c->in_line = false;
}

static void fill_up_rate(struct peers *p)
{
	uint64_t now = uv_now(loop_uv(p->loop)), spent = now - p->rate_ms;
	size_t most = RATE_SAVED_MS * p->config.strangers_rate;

	p->rate_ms = now;
	p->rate_left = spent >= RATE_SAVED_MS ? most : p->rate_left + spent * p->config.strangers_rate;
	if (p->rate_left > most)
		p->rate_left = most;
}

/* Whoever must wait for what it sent to be taken in goes to the end. */
static void move_line(struct peers *p)
{
	struct connection *last = NULL;
	uint32_t let = 0;

	while (p->line && p->line != last && let < LINE_STEP) {
		struct connection *c = leave_line(p);

		if (connection_next(c)) {
			let++;
			continue;
		}
		c->in_line = false;
		peers_line_up(c);
		if (!last)
			last = c;
	}
}

static void on_line_timer(uv_timer_t *t)
{
	(void)t; /* it has woken the loop */
}

static void on_prepare(uv_prepare_t *h)
{
	struct peers *p = h->data;

	p->turn++;
	fill_up_rate(p);
	if (is_busy(p)) {
		p->turn_left = 0; /* the end of the commit wakes the loop */
		return;
	}
	p->turn_left = p->config.piece;
	if (p->drained)
		loop_wake_ring(p->drained_wake);
	if (p->rate_left && !p->paused)
		move_line(p);
	if (p->line && !uv_is_active((uv_handle_t *)&p->line_timer))
		uv_timer_start(&p->line_timer, on_line_timer, LINE_MS, 0);
}

struct peers *peers_new(struct loop *loop, const struct peers_config *config)
{
	struct peers *p = NEW(struct peers);
	uint8_t seed[48];

	ASSERT(getrandom(seed, sizeof(seed), 0) == sizeof(seed));
	p->config = *config;
	p->loop = loop;
	p->secp = secp_new(seed);
	table_init(&p->connections, connection_key, seed + 32);
	p->unflushed_tail = &p->unflushed;
	p->drained_tail = &p->drained;
	p->drained_wake = loop_wake_new(loop, tell_drained, p);
	p->handles = 3; /* until peers_free; the next two */
	p->line_tail = &p->line;
	uv_prepare_init(loop_uv(loop), &p->prepare);
	uv_timer_init(loop_uv(loop), &p->line_timer);
	p->prepare.data = p->line_timer.data = p;
	uv_prepare_start(&p->prepare, on_prepare);
	mem_wipe(seed, sizeof(seed));
	return p;
}

void peers_unref(struct peers *p)
{
	if (--p->handles)
		return;
	secp_free(p->secp);
	table_release(&p->connections);
	mem_free(p);
}

static void on_own_closed(uv_handle_t *h)
{
	peers_unref(h->data);
}

static void on_listener_closed(uv_handle_t *h)
{
	struct listener *l = h->data;
	struct peers *p = l->peers;

	mem_free(l);
	peers_unref(p);
}

void peers_stop_listening(struct peers *p)
{
	while (p->listeners) {
		struct listener *l = p->listeners;

		p->listeners = l->next;
		uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
	}
}

void peers_free(struct peers *p)
{
	struct connection *c;
	uint32_t at = 0;

	p->closing = true;
	peers_stop_listening(p);
	dials_cancel(p);
	while ((c = table_next(&p->connections, &at)))
		connection_cut(c);
	loop_wake_free(p->drained_wake);
	uv_close((uv_handle_t *)&p->prepare, on_own_closed);
	uv_close((uv_handle_t *)&p->line_timer, on_own_closed);
	peers_unref(p);
}

static void leave_unflushed(struct connection *c)
{
	struct connection **at = &c->peers->unflushed;

	if (!c->queued)
		return;
	while (*at != c)
		at = &(*at)->unflushed_next;
	*at = c->unflushed_next;
	if (!*at)
		c->peers->unflushed_tail = at;
	c->queued = false;
}

void peers_forget(struct connection *c)
{
	struct peers *p = c->peers;

	ASSERT(table_remove(&p->connections, BYTES_OF(c->key)) == c);
	leave_unflushed(c);
	drop_from_line(c);
	leave_drained(c);
	if (c->outbound)
		return;
	p->inbound--;
	if (c->state == CONNECTION_HANDSHAKE)
		p->handshakes--;
}

uint32_t peers_count(const struct peers *p)
{
	return table_count(&p->connections);
}

/* ---- Those who come ---- */

static void drop_oldest_handshake(struct peers *p)
{
	struct connection *c;
	uint32_t at = 0;

	/* In order of insertion. */
	while ((c = table_next(&p->connections, &at))) {
		if (c->outbound || c->state != CONNECTION_HANDSHAKE)
			continue;
		connection_drop(c, "too many handshakes at a time");
		return;
	}
}

static void on_incoming(uv_stream_t *s, int status)
{
	struct peers *p = ((struct listener *)s->data)->peers;
	struct connection *c;

	if (status < 0) {
		log_write(p->config.log, LOG_WARN, "peer", "cannot accept a connection: %s", uv_strerror(status));
		return;
	}
	if (p->handshakes >= p->config.handshakes_max)
		drop_oldest_handshake(p);
	c = connection_new(p);
	p->inbound++;
	p->handshakes++;
	if (uv_accept(s, (uv_stream_t *)&c->tcp)) {
		connection_cut(c);
		return;
	}
	if (p->inbound > p->config.inbound_max) {
		log_write(p->config.log, LOG_INFO, "peer", "refused a connection: %u are open already", p->inbound - 1);
		connection_cut(c);
		return;
	}
	connection_start(c);
}

static int bind_to(struct listener *l, const char *host, uint16_t port)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (uv_ip4_addr(host, port, &v4) == 0)
		return uv_tcp_bind(&l->tcp, (const struct sockaddr *)&v4, 0);
	if (uv_ip6_addr(host, port, &v6) == 0)
		return uv_tcp_bind(&l->tcp, (const struct sockaddr *)&v6, 0);
	return UV_EINVAL;
}

static uint16_t bound_port(const struct listener *l)
{
	struct sockaddr_storage a;
	int size = sizeof(a);

	if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&a, &size))
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

uint16_t peers_listen(struct peers *p, const char *host, uint16_t port, char error[PEERS_ERROR_SIZE])
{
	struct listener *l = NEW(struct listener);
	int code;

	l->peers = p;
	l->tcp.data = l;
	uv_tcp_init(loop_uv(p->loop), &l->tcp);
	p->handles++;
	code = bind_to(l, host, port);
	if (!code)
		code = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_incoming);
	if (code) {
		snprintf(error, PEERS_ERROR_SIZE, "cannot listen on %.64s port %u: %s", host, port, uv_strerror(code));
		uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
		return 0;
	}
	l->next = p->listeners;
	p->listeners = l;
	return bound_port(l);
}

/* ---- Effects ---- */

static struct connection *find(struct peers *p, uint64_t id)
{
	uint8_t key[8];

	store_be64(key, id);
	return table_get(&p->connections, BYTES_OF(key));
}

void peers_send(struct peers *p, uint64_t connection, struct bytes message)
{
	struct connection *c = find(p, connection);

	if (!c)
		return;
	connection_send(c, message);
	if (c->queued)
		return;
	c->queued = true;
	c->unflushed_next = NULL;
	*p->unflushed_tail = c;
	p->unflushed_tail = &c->unflushed_next;
}

void peers_tell_drained(struct peers *p, uint64_t connection)
{
	struct connection *c = find(p, connection);

	if (c)
		c->tell_drained = true;
}

void peers_flush(struct peers *p)
{
	while (p->unflushed) {
		struct connection *c = p->unflushed;

		leave_unflushed(c);
		connection_flush(c);
	}
}

void peers_disconnect(struct peers *p, uint64_t connection)
{
	struct connection *c = find(p, connection);

	if (c)
		connection_hang_up(c);
}

void peers_pause(struct peers *p, bool pause)
{
	struct connection *c;
	uint32_t at = 0;

	if (p->paused == pause)
		return;
	p->paused = pause;
	while ((c = table_next(&p->connections, &at)))
		connection_read_or_wait(c);
}
