/* HTTP to bitcoind: answers in every form and in pieces of any size, connections that end when they like. */
#include "runtime/chain/http.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/chain/http_answer.h"
#include "runtime/chain/https.h"
#include "tests/test.h"

/* ---- Answers ---- */

struct read {
	bool good, done, ends;
	int status;
	struct buf body;
};

/* Piece by piece; with `end` the connection ends then. */
static struct read read_text(const char *text, size_t step, size_t most, bool end)
{
	struct read r = { .good = true };
	struct http_answer a;
	size_t size = strlen(text), used;

	http_answer_init(&a, &r.body, most);
	for (size_t at = 0; r.good && at < size && a.state != HTTP_DONE; at += used) {
		struct bytes piece = BYTES((const uint8_t *)text + at, size - at < step ? size - at : step);

		r.good = http_answer_read(&a, piece, &used);
		CHECK(!r.good || used == piece.size || a.state == HTTP_DONE);
	}
	r.done = r.good && (end ? http_answer_end(&a) : a.state == HTTP_DONE);
	r.status = a.status;
	r.ends = a.ends;
	return r;
}

static void check_read(const char *text, bool end, int status, const char *body, bool ends)
{
	for (size_t step = 1; step <= strlen(text); step++) {
		struct read r = read_text(text, step, 1000, end);

		CHECK(r.done);
		CHECK_EQ(r.status, status);
		CHECK_EQ(r.ends, ends);
		CHECK(bytes_equal(buf_view(&r.body), bytes_from_string(body)));
		buf_release(&r.body);
	}
}

TEST(answers_are_read_in_any_pieces)
{
	check_read("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", false);
	check_read("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false, 401, "", true);
	check_read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Internal Server Error\r\ncontent-length:2 \r\n\r\n{}", false, 500, "{}", false);
	check_read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00A;x=y\r\n, chunks!!\r\n0\r\nTrailer: x\r\n\r\n", false, 200,
		   "hello, chunks!!", false);
	check_read("HTTP/1.1 200 OK\n\nall until the end", true, 200, "all until the end", true);
	check_read("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, 200, "x", true);
	check_read("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", false, 200, "x", false);
	check_read("HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", false);
}

TEST(what_is_no_answer_is_refused)
{
	static const char *const bad[] = {
		"SSH-2.0-OpenSSH\r\n", "HTTP/2 200 OK\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 101 Switching\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n", "HTTP/1.1 200 OK\r\n: no name\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000000\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n",
	};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct read r = read_text(bad[i], 1 + i % 3, 1000, false);

		if (r.good)
			test_failed(__FILE__, __LINE__, "taken: %s", bad[i]);
		buf_release(&r.body);
	}
}

TEST(nothing_grows_beyond_its_bound)
{
	struct buf text = BUF_EMPTY;
	struct read r;

	/* A line, all lines, chunks that are small each, and what comes until the end. */
	buf_add_string(&text, "HTTP/1.1 200 OK\r\nX: ");
	memset(buf_extend(&text, HTTP_LINE_MAX), 'x', HTTP_LINE_MAX);
	buf_add_u8(&text, 0);
	r = read_text((const char *)text.data, 4096, 1000, false);
	CHECK(!r.good);
	buf_clear(&text);
	buf_add_string(&text, "HTTP/1.1 200 OK\r\n");
	while (text.size <= HTTP_HEAD_MAX)
		buf_add_string(&text, "Header: and its value\r\n");
	buf_add_u8(&text, 0);
	r = read_text((const char *)text.data, 4096, 1000, false);
	CHECK(!r.good);
	r = read_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhello\r\n1\r\n!\r\n", 4096, 10, false);
	CHECK(!r.good);
	CHECK_EQ(r.body.size, 10);
	buf_release(&r.body);
	r = read_text("HTTP/1.1 200 OK\r\n\r\nhello, hello", 4096, 10, true);
	CHECK(!r.good);
	buf_release(&text);
}

TEST(half_an_answer_is_none)
{
	struct read r = read_text("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 7, 1000, true);

	CHECK(r.good && !r.done);
	buf_release(&r.body);
	r = read_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 7, 1000, true);
	CHECK(r.good && !r.done);
	buf_release(&r.body);
	r = read_text("HTTP/1.1 200 OK\r\n", 7, 1000, true);
	CHECK(r.good && !r.done);
}

/* ---- Over a socket ---- */

#define TURNS_MAX 4

/* What a server does with the next request. */
struct turn {
	const char *answer; /* NULL: it waits until the client has gone */
	bool end;           /* the connection, after it */
	bool end_first;     /* the connection that is there, before it reads anything */
};

struct server {
	int listener;
	uint16_t port;
	pthread_t thread;
	struct turn turns[TURNS_MAX];
	uint32_t turn_count;
	uint32_t connections, requests;
	char last[2000]; /* request */
};

static void *serve(void *context)
{
	struct server *s = context;
	int fd = -1;

	for (uint32_t i = 0; i < s->turn_count; i++) {
		const struct turn *t = &s->turns[i];
		const char *body;
		ssize_t size = 0, got;

		if (t->end_first) {
			close(fd);
			fd = -1;
		}
		if (fd < 0) {
			fd = accept(s->listener, NULL, NULL);
			s->connections++;
		}
		do {
			got = recv(fd, s->last + size, sizeof(s->last) - 1 - (size_t)size, 0);
			size += got > 0 ? got : 0;
			s->last[size] = 0;
			body = strstr(s->last, "\r\n\r\n");
		} while (got > 0 && (!body || strlen(body + 4) < 2)); /* all bodies here are of two bytes */
		s->requests += got > 0;
		if (t->answer)
			(void)!send(fd, t->answer, strlen(t->answer), MSG_NOSIGNAL);
		else
			(void)!recv(fd, s->last, 1, 0);
		if (t->end) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void server_begin(struct server *s, char url[64])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);

	while (s->turn_count < TURNS_MAX && (s->turns[s->turn_count].answer || s->turns[s->turn_count].end))
		s->turn_count++;
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(s->listener >= 0 && !bind(s->listener, (struct sockaddr *)&a, size) && !listen(s->listener, 4));
	CHECK(!getsockname(s->listener, (struct sockaddr *)&a, &size));
	s->port = ntohs(a.sin_port);
	snprintf(url, 64, "http://127.0.0.1:%u/wallet", s->port);
	CHECK(!pthread_create(&s->thread, NULL, serve, s));
}

static void server_end(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
}

static void check_post(struct http *h, int status, const char *body)
{
	struct buf answer = BUF_EMPTY;
	char error[HTTP_ERROR_SIZE] = "";
	int got = 0;

	buf_add_string(&answer, "of before");
	if (!http_post(h, "u:p", BYTES("{}", 2), &got, &answer, error))
		test_failed(__FILE__, __LINE__, "%s", error);
	CHECK_EQ(got, status);
	CHECK(bytes_equal(buf_view(&answer), bytes_from_string(body)));
	buf_release(&answer);
}

static void check_none(struct http *h, const char *words)
{
	struct buf answer = BUF_EMPTY;
	char error[HTTP_ERROR_SIZE] = "";
	int got;

	CHECK(!http_post(h, NULL, BYTES("{}", 2), &got, &answer, error));
	if (!strstr(error, words))
		test_failed(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", error, words);
	buf_release(&answer);
}

#define ONE "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
#define TWO "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n"

static struct http *client(const char *url, uint32_t timeout_s)
{
	char error[HTTP_ERROR_SIZE] = "";
	struct http *h = http_new(url, timeout_s, error);

	if (!h)
		test_failed(__FILE__, __LINE__, "%s", error);
	return h;
}

TEST(one_connection_serves_many_calls)
{
	struct server s = { .turns = { { .answer = ONE }, { .answer = TWO }, { .answer = ONE } } };
	char url[64], host[64];
	struct http *h;

	server_begin(&s, url);
	h = client(url, 10);
	check_post(h, 200, "1");
	check_post(h, 500, "2");
	check_post(h, 200, "1");
	server_end(&s);
	CHECK_EQ(s.connections, 1);
	CHECK_EQ(s.requests, 3);
	snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", s.port);
	CHECK(strstr(s.last, host) && strstr(s.last, "\r\nAuthorization: Basic dTpw\r\n") && strstr(s.last, "\r\nContent-Length: 2\r\n"));
	CHECK(!strncmp(s.last, "POST /wallet HTTP/1.1\r\n", 23));
	http_free(h);
}

TEST(a_connection_that_ended_meanwhile_is_made_again)
{
	struct server s = { .turns = { { .answer = ONE, .end = true }, { .answer = ONE }, { .answer = TWO, .end_first = true } } };
	char url[64];
	struct http *h;

	server_begin(&s, url);
	h = client(url, 10);
	check_post(h, 200, "1");
	check_post(h, 200, "1");
	check_post(h, 500, "2");
	server_end(&s);
	CHECK_EQ(s.connections, 3);
	CHECK_EQ(s.requests, 3);
	http_free(h);
}

TEST(a_server_that_ends_every_connection_is_asked_once_more_at_most)
{
	struct server s = { .turns = { { .answer = ONE }, { .answer = "", .end = true }, { .answer = "", .end = true } } };
	char url[64];
	struct http *h;

	server_begin(&s, url);
	h = client(url, 10);
	check_post(h, 200, "1");
	check_none(h, "the connection ended before the answer");
	server_end(&s);
	CHECK_EQ(s.requests, 3);
	http_free(h);
}

TEST(half_of_an_answer_is_not_asked_for_again)
{
	struct server s = { .turns = { { .answer = ONE }, { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", .end = true } } };
	char url[64];
	struct http *h;

	server_begin(&s, url);
	h = client(url, 10);
	check_post(h, 200, "1");
	check_none(h, "the connection ended before the answer");
	server_end(&s);
	CHECK_EQ(s.connections, 1);
	http_free(h);
}

TEST(a_server_that_is_silent_is_not_waited_for)
{
	struct server s = { .turns = { { .end = true } } };
	char url[64];
	struct http *h;

	server_begin(&s, url);
	h = client(url, 1);
	check_none(h, "timed out");
	server_end(&s);
	http_free(h);
}

static void *interrupt_soon(void *context)
{
	(void)poll(NULL, 0, 100);
	http_interrupt(context);
	return NULL;
}

TEST(an_interrupted_call_ends_at_once)
{
	struct server s = { .turns = { { .end = true } } };
	struct timespec begun, ended;
	pthread_t thread;
	char url[64];
	struct http *h;

	server_begin(&s, url);
	h = client(url, 100);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	CHECK(!pthread_create(&thread, NULL, interrupt_soon, h));
	check_none(h, "interrupted");
	clock_gettime(CLOCK_MONOTONIC, &ended);
	CHECK(ended.tv_sec - begun.tv_sec < 50);
	check_none(h, "interrupted");
	pthread_join(thread, NULL);
	server_end(&s);
	http_free(h);
}

TEST(addresses_are_taken_apart)
{
	static const char *const bad[] = { "ftp://host", "http://", "http://:80", "http://user:pass@host", "http://host:port",
					   "http://host:123456", "http://[::1", "http://[::1]80", "http://[]:80", "http://a b/" };
	char error[HTTP_ERROR_SIZE];

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		if (http_new(bad[i], 1, error))
			test_failed(__FILE__, __LINE__, "taken: %s", bad[i]);
	http_free(client("http://host", 1));
	http_free(client("http://host:8332/path?query#mark", 1));
	http_free(client("http://[::1]:8332", 1));
	http_free(client("http://127.0.0.1:", 1));
}

/* The TLS below it is libcurl's; the calls are the same without. */
TEST(libcurl_is_loaded_where_it_is_asked_for)
{
	struct server s = { .turns = { { .answer = ONE }, { .answer = TWO } } };
	struct buf answer = BUF_EMPTY;
	char url[64], error[HTTP_ERROR_SIZE] = "";
	atomic_bool stop = false;
	int status = 0;
	struct https *h = https_new("http://127.0.0.1:1", 1, &stop, error);

	if (!h)
		test_skip(error);
	https_free(h);
	server_begin(&s, url);
	h = https_new(url, 10, &stop, error);
	CHECK(h && https_post(h, "u:p", BYTES("{}", 2), &status, &answer, error));
	CHECK_EQ(status, 200);
	CHECK(bytes_equal(buf_view(&answer), bytes_from_string("1")));
	CHECK(https_post(h, "u:p", BYTES("{}", 2), &status, &answer, error));
	CHECK_EQ(status, 500);
	CHECK(bytes_equal(buf_view(&answer), bytes_from_string("2")));
	server_end(&s);
	CHECK(strstr(s.last, "\r\nAuthorization: Basic dTpw\r\n"));
	CHECK(!https_post(h, NULL, BYTES("{}", 2), &status, &answer, error) && *error);
	https_free(h);
	buf_release(&answer);
}

TEST(a_server_without_tls_is_no_https)
{
	struct server s = { .turns = { { .answer = ONE, .end = true } } };
	char url[64], error[HTTP_ERROR_SIZE] = "", secure[70];
	struct http *h;

	server_begin(&s, url);
	snprintf(secure, sizeof(secure), "https%s", url + 4);
	h = http_new(secure, 10, error);
	if (!h) {
		close(socket(AF_INET, SOCK_STREAM, 0));
		test_skip(error);
	}
	check_none(h, "SSL");
	http_free(h);
	server_end(&s);
}
