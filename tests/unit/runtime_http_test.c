/* HTTP to bitcoind: answers in every form, connections that end when they like. */
#include "runtime/chain/http.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/chain/https.h"
#include "tests/test.h"

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

TEST(answers_of_every_form)
{
	static const char *const bad[] = { "HTTP/1.1 200 OK\r\nContent-Length: 20971521\r\n\r\n", "SSH-2.0-dropbear\r\n\r\n",
					   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" };
	struct server s = { .turns = { { .answer = "HTTP/1.0 200 OK\r\n\r\nuntil its end", .end = true },
				       { .answer = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" } } };
	char url[64];
	struct http *h;

	server_begin(&s, url);
	h = client(url, 10);
	check_post(h, 200, "until its end");
	check_post(h, 401, "");
	server_end(&s);
	http_free(h);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct server refused = { .turns = { { .answer = bad[i], .end = true } } };

		server_begin(&refused, url);
		h = client(url, 10);
		check_none(h, "");
		server_end(&refused);
		http_free(h);
	}
}

TEST(nobody_listens)
{
	struct http *h = client("http://127.0.0.1:1", 10);

	check_none(h, "cannot connect");
	http_free(h);
}

/* A name of two addresses, of which the server listens on the one that is tried last. */
TEST(each_address_of_a_name_is_tried)
{
	struct server s = { .turns = { { .answer = ONE } } };
	char url[64], name[64];
	struct http *h;

	server_begin(&s, url);
	snprintf(name, sizeof(name), "http://localhost:%u/", s.port);
	h = client(name, 10);
	check_post(h, 200, "1");
	server_end(&s);
	http_free(h);
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
