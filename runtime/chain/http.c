#include "runtime/chain/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bitcoin/base64.h"
#include "runtime/chain/https.h"

#define HEADERS_MAX 65536
#define PORT_DEFAULT 80

struct http {
	struct https *tls;      /* NULL: libevent's, by all that follows */
	struct event_base *base;
	struct event *stopped, *clock;
	int stop_pipe[2];       /* readable once it is interrupted */
	atomic_bool stop;
	char *host, *authority, *path; /* owned */
	uint16_t port;
	uint32_t timeout_s;
	struct evhttp_connection *connection; /* NULL: none yet */

	/* Of the call that is under way. */
	uint32_t waited_s;
	struct buf *answer;
	char *error;            /* HTTP_ERROR_SIZE */
	int status;
	bool over, good;
	bool kept;              /* over a connection of before */
	bool heard;             /* an answer has begun */
	bool unseen;            /* nobody can have seen the request: another address, or connection, may be asked */
};

/* ---- Where ---- */

static char *join(const char *a, const char *b, const char *c)
{
	size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
	char *out = mem_alloc(size);

	snprintf(out, size, "%s%s%s", a, b, c);
	return out;
}

/* "http://host:port/path"; an IPv6 address stands in brackets. */
static bool take_url(struct http *h, const struct evhttp_uri *uri)
{
	const char *scheme = evhttp_uri_get_scheme(uri), *host = evhttp_uri_get_host(uri), *path = evhttp_uri_get_path(uri);
	const char *query = evhttp_uri_get_query(uri);
	int port = evhttp_uri_get_port(uri);
	char number[16] = "";

	if (!scheme || strcmp(scheme, "http") || evhttp_uri_get_userinfo(uri) || !host || !*host || port == 0 || port > UINT16_MAX)
		return false;
	if (port > 0)
		snprintf(number, sizeof(number), ":%d", port);
	h->port = (uint16_t)(port > 0 ? port : PORT_DEFAULT);
	h->authority = join(host, number, "");
	h->host = join(host + (*host == '['), "", "");
	h->host[strcspn(h->host, "]")] = 0;
	h->path = join(path && *path ? path : "/", query ? "?" : "", query ? query : "");
	return *h->host;
}

static bool parse_url(struct http *h, const char *url)
{
	struct evhttp_uri *uri = evhttp_uri_parse(url);
	bool good = uri && take_url(h, uri);

	if (uri)
		evhttp_uri_free(uri);
	return good;
}

/* ---- The end of a call ---- */

static void end(struct http *h, bool good)
{
	h->over = true;
	h->good = good;
	event_base_loopbreak(h->base);
}

PRINTF_LIKE(2, 3)
static void fail(struct http *h, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(h->error, HTTP_ERROR_SIZE, format, args);
	va_end(args);
	end(h, false);
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	fail(context, "interrupted");
}

static bool is_connected(struct http *h)
{
	evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(h->connection));
	struct sockaddr_storage there;
	socklen_t size = sizeof(there);

	return fd >= 0 && !getpeername(fd, (struct sockaddr *)&there, &size);
}

static void wait_seconds(struct http *h, uint32_t seconds)
{
	struct timeval t = { .tv_sec = seconds };

	ASSERT(!event_add(h->clock, &t));
	h->waited_s += seconds;
}

/* First the time for a connection, then the rest of the time for the answer. */
static void on_clock(evutil_socket_t fd, short what, void *context)
{
	struct http *h = context;

	(void)fd;
	(void)what;
	if (h->waited_s < h->timeout_s && is_connected(h)) {
		wait_seconds(h, h->timeout_s - h->waited_s);
		return;
	}
	h->unseen = !is_connected(h);
	fail(h, "timed out");
}

static int on_head(struct evhttp_request *request, void *context)
{
	(void)request;
	((struct http *)context)->heard = true;
	return 0;
}

static void on_error(enum evhttp_request_error why, void *context)
{
	struct http *h = context;

	if (why == EVREQ_HTTP_DATA_TOO_LONG || why == EVREQ_HTTP_INVALID_HEADER) {
		fail(h, "its answer is no HTTP, or longer than %u MiB", HTTP_ANSWER_MAX >> 20);
		return;
	}
	h->unseen = h->kept && !h->heard;
	fail(h, "the connection ended before the answer");
}

static void on_done(struct evhttp_request *request, void *context)
{
	struct http *h = context;
	struct evbuffer *body;
	size_t size;

	if (!request || !evhttp_request_get_response_code(request)) {
		h->unseen |= !h->over;
		if (!h->over)
			fail(h, "cannot connect");
		return;
	}
	body = evhttp_request_get_input_buffer(request);
	size = evbuffer_get_length(body);
	if (size)
		ASSERT(evbuffer_remove(body, buf_extend(h->answer, size), size) == (int)size);
	h->status = evhttp_request_get_response_code(request);
	end(h, true);
}

/* ---- One exchange ---- */

static void add_header(struct evhttp_request *request, const char *name, const char *value)
{
	ASSERT(!evhttp_add_header(evhttp_request_get_output_headers(request), name, value));
}

static void add_login(struct evhttp_request *request, const char *login)
{
	struct buf value = BUF_EMPTY;

	buf_add_string(&value, "Basic ");
	base64_encode(&value, bytes_from_string(login));
	buf_add_u8(&value, 0);
	add_header(request, "Authorization", (const char *)value.data);
	buf_wipe(&value);
}

static struct evhttp_request *new_request(struct http *h, const char *login, struct bytes body)
{
	struct evhttp_request *request = evhttp_request_new(on_done, h);

	ASSERT(request);
	evhttp_request_set_error_cb(request, on_error);
	evhttp_request_set_header_cb(request, on_head);
	add_header(request, "Host", h->authority);
	add_header(request, "Content-Type", "application/json");
	if (login)
		add_login(request, login);
	ASSERT(!evbuffer_add(evhttp_request_get_output_buffer(request), body.data, body.size));
	return request;
}

static void hang_up(struct http *h)
{
	if (h->connection)
		evhttp_connection_free(h->connection);
	h->connection = NULL;
}

/* Over the connection that is there. */
static bool ask(struct http *h, const char *login, struct bytes body)
{
	buf_clear(h->answer);
	h->over = h->good = h->heard = h->unseen = false;
	h->kept = is_connected(h);
	h->waited_s = 0;
	wait_seconds(h, h->timeout_s < HTTP_CONNECT_TIMEOUT_S ? h->timeout_s : HTTP_CONNECT_TIMEOUT_S);
	if (evhttp_make_request(h->connection, new_request(h, login, body), EVHTTP_REQ_POST, h->path) && !h->over) {
		h->unseen = true;
		fail(h, "cannot connect");
	}
	while (!h->over && event_base_dispatch(h->base) == 0)
		;
	ASSERT(h->over);
	event_del(h->clock);
	if (!h->good)
		hang_up(h);
	return h->good;
}

/* libevent takes but the first address of a name, which need not be the one that bitcoind listens on. */
static bool ask_each_address(struct http *h, const char *login, struct bytes body)
{
	const struct addrinfo like = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	char number[NI_MAXHOST];
	struct addrinfo *all;
	int code = getaddrinfo(h->host, NULL, &like, &all);
	bool good = false;

	if (code) {
		snprintf(h->error, HTTP_ERROR_SIZE, "cannot find %.100s: %.100s", h->host, gai_strerror(code));
		return false;
	}
	h->unseen = true;
	for (const struct addrinfo *a = all; a && !good && h->unseen && !atomic_load(&h->stop); a = a->ai_next) {
		if (getnameinfo(a->ai_addr, a->ai_addrlen, number, sizeof(number), NULL, 0, NI_NUMERICHOST))
			continue;
		h->connection = evhttp_connection_base_new(h->base, NULL, number, h->port);
		ASSERT(h->connection);
		evhttp_connection_set_max_headers_size(h->connection, HEADERS_MAX);
		evhttp_connection_set_max_body_size(h->connection, HTTP_ANSWER_MAX);
		good = ask(h, login, body);
	}
	freeaddrinfo(all);
	return good;
}

bool http_post(struct http *h, const char *login, struct bytes body, int *status, struct buf *answer, char error[HTTP_ERROR_SIZE])
{
	bool good = false;

	if (h->tls)
		return https_post(h->tls, login, body, status, answer, error);
	h->answer = answer;
	h->error = error;
	h->unseen = true;
	/* What came meanwhile: bitcoind ends a connection that is silent for thirty seconds. */
	(void)event_base_loop(h->base, EVLOOP_NONBLOCK);
	if (h->connection && is_connected(h))
		good = ask(h, login, body);
	else
		hang_up(h);
	/* A connection of before may end just then. */
	if (!good && h->unseen && !atomic_load(&h->stop))
		good = ask_each_address(h, login, body);
	if (atomic_load(&h->stop))
		snprintf(error, HTTP_ERROR_SIZE, "interrupted");
	*status = h->status;
	return good;
}

/* ---- Life ---- */

static void begin_events(struct http *h)
{
	h->base = event_base_new();
	ASSERT(h->base);
	h->stopped = event_new(h->base, h->stop_pipe[0], EV_READ | EV_PERSIST, on_stop, h);
	h->clock = event_new(h->base, -1, 0, on_clock, h);
	ASSERT(h->stopped && h->clock && !event_add(h->stopped, NULL));
}

struct http *http_new(const char *url, uint32_t timeout_s, char error[HTTP_ERROR_SIZE])
{
	struct http *h = NEW(struct http);
	bool good;

	h->timeout_s = timeout_s;
	atomic_init(&h->stop, false);
	ASSERT(!pipe2(h->stop_pipe, O_CLOEXEC | O_NONBLOCK));
	if (!strncmp(url, "https://", 8)) {
		h->tls = https_new(url, timeout_s, &h->stop, error);
		good = h->tls != NULL;
	} else {
		begin_events(h);
		good = parse_url(h, url);
		if (!good)
			snprintf(error, HTTP_ERROR_SIZE, "%.150s is not of the form http://host:port", url);
	}
	if (!good) {
		http_free(h);
		return NULL;
	}
	return h;
}

void http_free(struct http *h)
{
	if (h->tls)
		https_free(h->tls);
	hang_up(h);
	if (h->base) {
		event_free(h->stopped);
		event_free(h->clock);
		event_base_free(h->base);
	}
	close(h->stop_pipe[0]);
	close(h->stop_pipe[1]);
	mem_free(h->host);
	mem_free(h->authority);
	mem_free(h->path);
	mem_free(h);
}

void http_interrupt(struct http *h)
{
	ssize_t unused;

	atomic_store(&h->stop, true);
	unused = write(h->stop_pipe[1], "", 1); /* a full pipe says it as well */
	(void)unused;
}
