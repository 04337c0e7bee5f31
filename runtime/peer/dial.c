/* Finding a peer: its name's addresses, one after another until one answers. */
#include <stdio.h>
#include <string.h>

#include "runtime/peer/connection.h"

struct dial {
	struct dial *next;
	struct peers *peers;
	struct pubkey peer;
	char host[256]; /* as it was ordered */
	uint16_t port;
	bool cancelled;
	char reason[160]; /* of the last failure */
	uv_getaddrinfo_t lookup;
	struct addrinfo *addresses, *at;
	uv_connect_t connect;
	uv_timer_t timer;
	struct connection *trying; /* NULL: nothing is being tried */
};

static void try_next(struct dial *d);

static void on_timer_closed(uv_handle_t *h)
{
	struct dial *d = h->data;
	struct peers *p = d->peers;

	uv_freeaddrinfo(d->addresses);
	mem_free(d);
	peers_unref(p);
}

static void end(struct dial *d)
{
	struct dial **at = &d->peers->dials;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

static void fail(struct dial *d)
{
	struct event e = { .kind = EVENT_CONNECT_FAILED, .now_ms = loop_now_ms(d->peers->loop) };

	if (!d->cancelled) {
		log_write(d->peers->config.log, LOG_DEBUG, "peer", "cannot connect to %s:%u: %s", d->host, d->port, d->reason);
		e.u.connect_failed.peer = d->peer;
		e.u.connect_failed.host = d->host;
		e.u.connect_failed.port = d->port;
		e.u.connect_failed.reason = d->reason;
		d->peers->config.event(d->peers->config.context, &e);
	}
	end(d);
}

static void set_reason(struct dial *d, const char *why)
{
	snprintf(d->reason, sizeof(d->reason), "%s", why);
}

static void on_connected(uv_connect_t *r, int status)
{
	struct dial *d = r->data;
	struct connection *c = d->trying;

	d->trying = NULL;
	uv_timer_stop(&d->timer);
	if (d->cancelled) {
		connection_cut(c);
		end(d);
		return;
	}
	if (status < 0) {
		/* After a timeout its connection was cut, and the reason is set. */
		if (c->state != CONNECTION_CLOSED) {
			set_reason(d, uv_strerror(status));
			connection_cut(c);
		}
		try_next(d);
		return;
	}
	c->peer = d->peer;
	memcpy(c->dialed_host, d->host, sizeof(c->dialed_host));
	c->dialed_port = d->port;
	end(d);
	connection_start(c);
}

/* Cutting the connection makes libuv call on_connected with an error. */
static void on_timeout(uv_timer_t *t)
{
	struct dial *d = t->data;

	set_reason(d, "no answer");
	if (d->trying)
		connection_cut(d->trying);
}

static void try_next(struct dial *d)
{
	const struct addrinfo *a = d->at;
	int code;

	if (!a) {
		fail(d);
		return;
	}
	d->at = a->ai_next;
	d->trying = connection_new(d->peers);
	d->trying->outbound = true;
	d->connect.data = d;
	code = uv_tcp_connect(&d->connect, &d->trying->tcp, a->ai_addr, on_connected);
	if (code) {
		set_reason(d, uv_strerror(code));
		connection_cut(d->trying);
		d->trying = NULL;
		try_next(d); /* as deep as the name has addresses that are not even tried */
		return;
	}
	uv_timer_start(&d->timer, on_timeout, d->peers->config.connect_timeout_ms, 0);
}

static void on_looked_up(uv_getaddrinfo_t *r, int status, struct addrinfo *addresses)
{
	struct dial *d = r->data;

	d->addresses = d->at = addresses;
	if (d->cancelled) {
		end(d);
		return;
	}
	if (status < 0) {
		set_reason(d, uv_strerror(status));
		fail(d);
		return;
	}
	set_reason(d, "no address");
	try_next(d);
}

void dials_cancel(struct peers *p)
{
	for (struct dial *d = p->dials; d; d = d->next) {
		d->cancelled = true;
		/* What is under way comes to its callback, which ends the dial. */
		if (d->trying)
			connection_cut(d->trying);
		else
			uv_cancel((uv_req_t *)&d->lookup);
	}
}

static struct dial *dial_new(struct peers *p, const struct pubkey *peer, const char *host, uint16_t port)
{
	struct dial *d = NEW(struct dial);

	d->peers = p;
	d->peer = *peer;
	d->port = port;
	snprintf(d->host, sizeof(d->host), "%s", host);
	uv_timer_init(loop_uv(p->loop), &d->timer);
	d->timer.data = d;
	d->lookup.data = d;
	d->next = p->dials;
	p->dials = d;
	p->handles++;
	return d;
}

void peers_connect(struct peers *p, const struct pubkey *peer, const char *host, uint16_t port)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct dial *d = dial_new(p, peer, host, port);
	char service[8], name[256];
	size_t size = strlen(d->host);
	int code;

	snprintf(service, sizeof(service), "%u", port);
	snprintf(name, sizeof(name), "%s", d->host);
	if (size > 2 && name[0] == '[' && name[size - 1] == ']') {
		memmove(name, name + 1, size - 2);
		name[size - 2] = 0;
	}
	code = uv_getaddrinfo(loop_uv(p->loop), &d->lookup, on_looked_up, name, service, &hints);
	if (code) {
		set_reason(d, uv_strerror(code));
		fail(d);
	}
}
