#include "runtime/chain/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bitcoin/base64.h"
#include "runtime/chain/http_answer.h"
#include "runtime/chain/https.h"

#define READ_SIZE 65536u
#define HOST_MAX 255u

struct http {
	struct https *tls;      /* NULL: spoken here, by all that follows */
	char host[HOST_MAX + 1], port[6];
	char *path, *authority; /* owned */
	uint32_t timeout_s;
	int fd;                 /* -1: no connection */
	int stop_pipe[2];       /* readable once it is interrupted */
	atomic_bool stop;
	int64_t deadline_ms;    /* of the call that is under way */
	struct buf request;     /* has the login in it: wiped */
	uint8_t *room;          /* READ_SIZE */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- where --- */

static char *copy(const char *s, size_t size)
{
	char *out = mem_alloc(size + 1);

	memcpy(out, s, size);
	out[size] = 0;
	return out;
}

/* "http://host:port/path"; an IPv6 address stands in brackets. */
static bool parse_url(struct http *h, const char *url)
{
	const char *at = url + strlen("http://"), *host = at, *end = at + strcspn(at, "/?#"), *host_end, *port;

	if (memchr(at, '@', (size_t)(end - at)))
		return false;
	if (*at == '[') {
		host++;
		host_end = memchr(at, ']', (size_t)(end - at));
		port = host_end ? host_end + 1 : NULL;
	} else {
		host_end = port = at + strcspn(at, ":/?#");
	}
	if (!host_end || host_end == host || (size_t)(host_end - host) > HOST_MAX || (port != end && *port != ':'))
		return false;
	memcpy(h->host, host, (size_t)(host_end - host));
	port += port != end;
	if ((size_t)(end - port) >= sizeof(h->port) || strspn(port, "0123456789") < (size_t)(end - port))
		return false;
	memcpy(h->port, port, (size_t)(end - port));
	if (!*h->port)
		strcpy(h->port, "80");
	h->authority = copy(at, (size_t)(end - at));
	h->path = *end == '/' ? copy(end, strcspn(end, "#")) : copy("/", 1);
	return !strpbrk(h->path, " \r\n") && !strpbrk(h->authority, " \r\n");
}

struct http *http_new(const char *url, uint32_t timeout_s, char error[HTTP_ERROR_SIZE])
{
	struct http *h = NEW(struct http);
	bool good = false;

	h->fd = -1;
	h->timeout_s = timeout_s;
	atomic_init(&h->stop, false);
	ASSERT(!pipe2(h->stop_pipe, O_CLOEXEC | O_NONBLOCK));
	if (!strncmp(url, "https://", 8)) {
		h->tls = https_new(url, timeout_s, &h->stop, error);
		good = h->tls != NULL;
	} else {
		good = !strncmp(url, "http://", 7) && parse_url(h, url);
		if (!good)
			snprintf(error, HTTP_ERROR_SIZE, "%.150s is not of the form http://host:port", url);
		h->room = mem_alloc(READ_SIZE);
	}
	if (!good) {
		http_free(h);
		return NULL;
	}
	return h;
}

static void hang_up(struct http *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

void http_free(struct http *h)
{
	if (h->tls)
		https_free(h->tls);
	hang_up(h);
	close(h->stop_pipe[0]);
	close(h->stop_pipe[1]);
	buf_wipe(&h->request);
	mem_free(h->path);
	mem_free(h->authority);
	mem_free(h->room);
	mem_free(h);
}

void http_interrupt(struct http *h)
{
	ssize_t unused;

	atomic_store(&h->stop, true);
	unused = write(h->stop_pipe[1], "", 1); /* a full pipe says it as well */
	(void)unused;
}

/* --- the connection --- */

/* False: interrupted, or the time is over. */
static bool wait_for(struct http *h, short events, int64_t until_ms, char *error)
{
	struct pollfd fds[2] = { { h->fd, events, 0 }, { h->stop_pipe[0], POLLIN, 0 } };

	for (;;) {
		int64_t left = until_ms - now_ms();
		int n = left > 0 ? poll(fds, 2, (int)left) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			snprintf(error, HTTP_ERROR_SIZE, "timed out");
			return false;
		}
		if (fds[1].revents) {
			snprintf(error, HTTP_ERROR_SIZE, "interrupted");
			return false;
		}
		return true;
	}
}

static bool connect_to(struct http *h, const struct addrinfo *a, char *error)
{
	int64_t until = now_ms() + HTTP_CONNECT_TIMEOUT_S * 1000;
	int one = 1, why = 0;
	socklen_t size = sizeof(why);

	h->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	if (h->fd < 0)
		why = errno;
	else if (connect(h->fd, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS && errno != EINTR)
		why = errno;
	else if (!wait_for(h, POLLOUT, until < h->deadline_ms ? until : h->deadline_ms, error))
		return false;
	else if (getsockopt(h->fd, SOL_SOCKET, SO_ERROR, &why, &size))
		why = errno;
	if (why) {
		snprintf(error, HTTP_ERROR_SIZE, "cannot connect: %.200s", strerror(why));
		return false;
	}
	(void)setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return true;
}

static bool dial(struct http *h, char *error)
{
	const struct addrinfo like = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *all;
	bool there = false;
	int code = getaddrinfo(h->host, h->port, &like, &all);

	if (code) {
		snprintf(error, HTTP_ERROR_SIZE, "cannot find %.100s: %.100s", h->host, gai_strerror(code));
		return false;
	}
	for (const struct addrinfo *a = all; a && !there && !atomic_load(&h->stop); a = a->ai_next) {
		there = connect_to(h, a, error);
		if (!there)
			hang_up(h);
	}
	freeaddrinfo(all);
	if (atomic_load(&h->stop))
		snprintf(error, HTTP_ERROR_SIZE, "interrupted");
	return there;
}

/* A connection of before may have been ended meanwhile: bitcoind does so after thirty seconds. */
static bool still_up(const struct http *h)
{
	struct pollfd fd = { h->fd, POLLIN, 0 };

	return h->fd >= 0 && poll(&fd, 1, 0) == 0;
}

/* --- one exchange --- */

static void write_request(struct http *h, const char *login, struct bytes body)
{
	struct buf *r = &h->request;
	char length[32];

	mem_wipe(r->data, r->size);
	buf_clear(r);
	buf_add_string(r, "POST ");
	buf_add_string(r, h->path);
	buf_add_string(r, " HTTP/1.1\r\nHost: ");
	buf_add_string(r, h->authority);
	if (login) {
		buf_add_string(r, "\r\nAuthorization: Basic ");
		base64_encode(r, bytes_from_string(login));
	}
	snprintf(length, sizeof(length), "%zu", body.size);
	buf_add_string(r, "\r\nContent-Type: application/json\r\nContent-Length: ");
	buf_add_string(r, length);
	buf_add_string(r, "\r\n\r\n");
	buf_add_bytes(r, body);
}

static bool send_request(struct http *h, char *error)
{
	size_t sent = 0;

	while (sent < h->request.size) {
		ssize_t n = send(h->fd, h->request.data + sent, h->request.size - sent, MSG_NOSIGNAL);

		if (n >= 0) {
			sent += (size_t)n;
		} else if (errno == EAGAIN) {
			if (!wait_for(h, POLLOUT, h->deadline_ms, error))
				return false;
		} else if (errno != EINTR) {
			snprintf(error, HTTP_ERROR_SIZE, "the connection ended: %.200s", strerror(errno));
			return false;
		}
	}
	return true;
}

/* *some: anything came of it. */
static bool receive(struct http *h, struct http_answer *a, bool *some, char *error)
{
	size_t used = 0;

	while (a->state != HTTP_DONE) {
		ssize_t n = recv(h->fd, h->room, READ_SIZE, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!wait_for(h, POLLIN, h->deadline_ms, error))
				return false;
			continue;
		}
		if (n <= 0) {
			if (n == 0 && http_answer_end(a))
				return true;
			snprintf(error, HTTP_ERROR_SIZE, "the connection ended before the answer%s%.150s", n ? ": " : "", n ? strerror(errno) : "");
			return false;
		}
		*some = true;
		if (!http_answer_read(a, BYTES(h->room, (size_t)n), &used)) {
			snprintf(error, HTTP_ERROR_SIZE, "its answer is no HTTP, or longer than %u MiB", HTTP_ANSWER_MAX >> 20);
			return false;
		}
		a->ends |= used < (size_t)n;
	}
	return true;
}

/* *again: the connection of before was gone, and nobody has seen the request. */
static bool try_once(struct http *h, struct http_answer *a, bool *again, char *error)
{
	bool kept = still_up(h), some = false;

	if (!kept) {
		hang_up(h);
		if (!dial(h, error))
			return false;
	}
	if (send_request(h, error) && receive(h, a, &some, error)) {
		if (a->ends)
			hang_up(h);
		return true;
	}
	hang_up(h);
	*again = kept && !some && !atomic_load(&h->stop) && now_ms() < h->deadline_ms;
	return false;
}

bool http_post(struct http *h, const char *login, struct bytes body, int *status, struct buf *answer, char error[HTTP_ERROR_SIZE])
{
	struct http_answer a;
	bool again, good;

	if (h->tls)
		return https_post(h->tls, login, body, status, answer, error);
	write_request(h, login, body);
	h->deadline_ms = now_ms() + (int64_t)h->timeout_s * 1000;
	do {
		again = false;
		buf_clear(answer);
		http_answer_init(&a, answer, HTTP_ANSWER_MAX);
		good = try_once(h, &a, &again, error);
	} while (!good && again);
	*status = a.status;
	return good;
}
